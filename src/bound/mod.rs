//! Lower bounds on what any plan must pay, and the worth of each class that follows from them.

pub(crate) mod certificate;
mod goods;
mod inequality;
mod published;
mod relaxation;
mod reserve;
mod scarcity;
mod simplex;

pub(crate) use goods::{Goods, Known};
pub(crate) use published::{Claim, Proved, Standing, prove};
pub(crate) use relaxation::{Demand, Relaxation, Worth};
pub(crate) use scarcity::Supply;
