//! Lower bounds on what any plan must pay, and the worth of each class that follows from them.

mod certificate;
mod inequality;
mod published;
mod relaxation;
mod simplex;

pub(crate) use published::{Claim, Proved, prove};
pub(crate) use relaxation::{Demand, Relaxation, Worth};
