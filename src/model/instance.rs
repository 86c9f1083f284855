//! Instance types and the offerings in which they are sold.

use super::{Labels, Price, Requirement, Resources};
use std::sync::Arc;

/// A kind of machine that can be bought.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InstanceType {
    pub(crate) name: Arc<str>,
    pub(crate) labels: Labels,
    pub(crate) requirements: Vec<Requirement>,
    pub(crate) capacity: Resources,
    pub(crate) overhead: Resources,
    pub(crate) offerings: Vec<Offering>,
}

/// One way to buy an instance type: a zone, a capacity type, and a price per hour.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Offering {
    pub(crate) zone: Arc<str>,
    /// "on-demand", "spot" or "reserved" (validated).
    pub(crate) capacity_type: Arc<str>,
    pub(crate) price: Price,
    pub(crate) available: bool,
    pub(crate) labels: Labels,
    pub(crate) reservation: Option<Reservation>,
    /// Expected interruptions per hour, in billionths.
    pub(crate) interruption_rate: Option<u64>,
}

/// Capacity that is paid for in advance: so many more nodes may use it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Reservation {
    /// Offerings with the same id draw on the same reservation.
    pub id: Arc<str>,
    /// How many more nodes it holds; the smallest figure stated for an id counts.
    pub remaining: u32,
}
