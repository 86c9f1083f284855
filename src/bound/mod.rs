//! Lower bounds on what any plan must pay, and the worth of each class that follows from them.

mod inequality;
mod relaxation;
mod simplex;

pub(crate) use relaxation::{Demand, Relaxation, Worth};
