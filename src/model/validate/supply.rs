//! What can be bought and what runs: instance types, offerings and nodes.
//!
//! A type's labels mustn't contradict what its name and its offerings imply, since all of them end
//! on one node. Labels that only a node or its pool can have (`kubernetes.io/hostname`,
//! `karpenter.sh/nodepool`) are refused in a catalog.

use super::requirement::{self, RequirementContext};
use super::{name, resource, taint};
use crate::model::PODS;
use crate::model::fault::{Faults, Path, quoted};
use crate::model::node::WHOLE_LIFETIME;
use crate::model::{CapacityType, InstanceType, Node, Offering, Price, well_known};
use std::collections::BTreeMap;

/// Checks an instance type, but for its name's being unique.
pub(super) fn instance_type(of_type: &InstanceType, path: &Path<'_>, faults: &mut Faults) {
    name::label_name(&of_type.name, &path.field("name"), faults);
    let labels = path.field("labels");
    requirement::node_labels(&of_type.labels, &labels, faults);
    requirement::fixed_label(
        &of_type.labels,
        well_known::INSTANCE_TYPE,
        &of_type.name,
        &labels,
        faults,
    );
    for key in [well_known::NODE_POOL, well_known::HOSTNAME] {
        requirement::no_label(&of_type.labels, key, &labels, faults);
    }
    for (key, of) in [
        (well_known::ZONE, (|offer| &*offer.zone) as fn(&Offering) -> &str),
        (well_known::CAPACITY_TYPE, |offer| offer.capacity_type.as_str()),
    ] {
        let stated = of_type.labels.get(key).map(|value| &**value);
        if let Some(other) = of_type.offerings.iter().map(of).find(|value| Some(*value) != stated) {
            requirement::fixed_label(&of_type.labels, key, other, &labels, faults);
        }
    }
    let list = path.field("requirements");
    for (i, condition) in of_type.requirements.iter().enumerate() {
        requirement::requirement(condition, RequirementContext::Type, &list.item(i), faults);
    }
    let capacity = path.field("capacity");
    resource::amounts(&of_type.capacity, &capacity, faults);
    if of_type.capacity.get(PODS).is_none() {
        faults.add(&capacity.key(PODS), "missing", "how many pods a node can run");
    }
    resource::amounts(&of_type.overhead, &path.field("overhead"), faults);

    for driver in of_type.volume_limits.keys() {
        name::not_empty(driver, &path.field("volumeLimits").key(driver), faults);
    }

    let list = path.field("offerings");
    let mut seen = BTreeMap::new();
    for (i, offer) in of_type.offerings.iter().enumerate() {
        let at = list.item(i);
        offering(of_type, offer, &at, faults);
        let reservation = offer.reservation.as_ref().map(|reservation| &reservation.id);
        let ways = (&offer.zone, &offer.capacity_type, reservation, &offer.labels);
        if let Some(first) = seen.insert(ways, i) {
            faults.add(
                &at,
                format!("the same zone, capacityType, reservation and labels as offering {first}"),
                "one offering for each",
            );
        }
    }
}

/// The rate is limited as prices are, since documents write both in the same form.
fn offering(instance_type: &InstanceType, offer: &Offering, path: &Path<'_>, faults: &mut Faults) {
    name::label_name(&offer.zone, &path.field("zone"), faults);
    resource::price(offer.price, &path.field("price"), faults);
    let labels = path.field("labels");
    requirement::node_labels(&offer.labels, &labels, faults);
    for (key, fixed) in [
        (well_known::ZONE, &*offer.zone),
        (well_known::CAPACITY_TYPE, offer.capacity_type.as_str()),
        (well_known::INSTANCE_TYPE, &*instance_type.name),
    ] {
        requirement::fixed_label(&offer.labels, key, fixed, &labels, faults);
    }
    for key in [well_known::NODE_POOL, well_known::HOSTNAME] {
        requirement::no_label(&offer.labels, key, &labels, faults);
    }
    if let Some(reservation) = &offer.reservation {
        let at = path.field("reservation");
        name::label_name(&reservation.id, &at.field("id"), faults);
        if offer.capacity_type != CapacityType::Reserved {
            faults.add(
                &at,
                format!(
                    "a reservation with the capacityType {}",
                    quoted(offer.capacity_type.as_str())
                ),
                "the capacityType reserved, or no reservation",
            );
        }
    }
    // A rate shares the range of prices, and so their form in documents.
    let most = Price::MAX_UNIT.nanos();
    if offer.interruption_rate.is_some_and(|rate| i128::from(rate) > most) {
        faults.add(&path.field("interruptionRate"), "out of range", "0 to 100000 per hour");
    }
}

/// Checks a node, but for its name's being unique.
pub(crate) fn node(node: &Node, path: &Path<'_>, faults: &mut Faults) {
    name::object_name(&node.name, &path.field("name"), faults);
    requirement::labels(&node.labels, &path.field("labels"), faults);
    taint::taints(&node.taints, &path.field("taints"), faults);
    resource::amounts(&node.allocatable, &path.field("allocatable"), faults);
    if let Some(price) = node.price {
        resource::price(price, &path.field("price"), faults);
    }
    if node.lifetime_remaining > WHOLE_LIFETIME {
        faults.add(&path.field("lifetimeRemaining"), "more than the whole", "0 to 1");
    }
    for driver in node.volume_limits.keys() {
        name::not_empty(driver, &path.field("volumeLimits").key(driver), faults);
    }
}
