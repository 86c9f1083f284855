//! Amounts of resources, and prices.
//!
//! Amounts can't be wrong in themselves: [`Quantity`](crate::Quantity) has no invalid value. Names
//! can, and `nodes` means something in limits only.

use super::name;
use crate::model::NODES;
use crate::model::fault::{Faults, Path};
use crate::model::{Price, Resources};

/// Checks the names of what pods ask for or nodes have; the amounts are valid by their type.
pub(super) fn amounts(amounts: &Resources, path: &Path<'_>, faults: &mut Faults) {
    for (resource, _) in amounts.iter() {
        name::label_key(resource, &path.key(resource), faults);
        if &**resource == NODES {
            faults.add(&path.key(resource), "a resource of limits only", "another resource");
        }
    }
}

/// Checks the names of limits, among which is `nodes`.
pub(super) fn limits(limits: &Resources, path: &Path<'_>, faults: &mut Faults) {
    for (resource, _) in limits.iter() {
        name::label_key(resource, &path.key(resource), faults);
    }
}

/// Checks the price of one node.
pub(in crate::model) fn price(price: Price, path: &Path<'_>, faults: &mut Faults) {
    if !(Price::ZERO..=Price::MAX_UNIT).contains(&price) {
        faults.add(path, "out of range", "0 to 100000 per hour");
    }
}
