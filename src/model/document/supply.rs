//! Instance types, offerings and nodes in documents.
//!
//! Rates and shares are fractions of one in documents and billionths in the model.

use super::read::{
    Cursor, billionths, boolean, choice, counts, labels, price, resources, text, whole,
};
use super::selector::{read_requirement, write_requirement};
use super::taint::{read_taint, write_taint};
use super::value::Value;
use super::write::{self, Object, list};
use crate::model::{CapacityType, InstanceType, Node, Offering, Reservation};

const RATE: &str = "a number that isn't negative: interruptions per hour";

pub(super) fn read_instance_type(cursor: Cursor<'_>) -> Option<InstanceType> {
    let mut fields = cursor.object(&[
        "name",
        "labels",
        "requirements",
        "capacity",
        "overhead",
        "offerings",
        "volumeLimits",
    ]);
    Some(InstanceType {
        name: fields.required("name", text).unwrap_or_default(),
        labels: fields.optional("labels", labels).unwrap_or_default(),
        requirements: fields.list("requirements", read_requirement),
        capacity: fields.required("capacity", resources).unwrap_or_default(),
        overhead: fields.optional("overhead", resources).unwrap_or_default(),
        offerings: fields
            .required("offerings", |cursor| super::read::list(cursor, read_offering))
            .unwrap_or_default(),
        volume_limits: fields.optional("volumeLimits", counts).unwrap_or_default(),
    })
}

pub(super) fn write_instance_type(instance_type: &InstanceType) -> Value<'_> {
    Object::new()
        .field("name", &instance_type.name)
        .unless_empty("labels", &instance_type.labels)
        .unless_empty("requirements", list(&instance_type.requirements, write_requirement))
        .field("capacity", &instance_type.capacity)
        .unless_empty("overhead", &instance_type.overhead)
        .field("offerings", list(&instance_type.offerings, write_offering))
        .unless_empty("volumeLimits", &instance_type.volume_limits)
        .into()
}

pub(super) fn read_offering(cursor: Cursor<'_>) -> Option<Offering> {
    let mut fields = cursor.object(&[
        "zone",
        "capacityType",
        "price",
        "available",
        "labels",
        "reservation",
        "interruptionRate",
    ]);
    Some(Offering {
        zone: fields.required("zone", text).unwrap_or_default(),
        capacity_type: fields
            .required("capacityType", |cursor| choice(cursor, CapacityType::WORDS))
            .unwrap_or(CapacityType::OnDemand),
        price: fields.required("price", price).unwrap_or_default(),
        available: fields.optional("available", boolean).unwrap_or(true),
        labels: fields.optional("labels", labels).unwrap_or_default(),
        reservation: fields.optional("reservation", read_reservation),
        interruption_rate: fields.optional("interruptionRate", |cursor| billionths(cursor, RATE)),
    })
}

pub(super) fn write_offering(offering: &Offering) -> Value<'_> {
    let rate = offering.interruption_rate.map(|rate| write::billionths(rate.into()));
    Object::new()
        .field("zone", &offering.zone)
        .field("capacityType", offering.capacity_type.as_str())
        .field("price", offering.price)
        .unless("available", true, offering.available)
        .unless_empty("labels", &offering.labels)
        .option("reservation", offering.reservation.as_ref().map(write_reservation))
        .option("interruptionRate", rate)
        .into()
}

pub(super) fn read_reservation(cursor: Cursor<'_>) -> Option<Reservation> {
    let mut fields = cursor.object(&["id", "remaining"]);
    Some(Reservation {
        id: fields.required("id", text).unwrap_or_default(),
        remaining: fields.required("remaining", whole).unwrap_or_default(),
    })
}

pub(super) fn write_reservation(reservation: &Reservation) -> Value<'_> {
    Object::new().field("id", &reservation.id).field("remaining", reservation.remaining).into()
}

pub(super) fn read_node(cursor: Cursor<'_>) -> Option<Node> {
    let mut fields = cursor.object(&[
        "name",
        "labels",
        "taints",
        "allocatable",
        "price",
        "initialized",
        "consolidatable",
        "deleting",
        "nominated",
        "doNotDisrupt",
        "drifted",
        "lifetimeRemaining",
        "volumeLimits",
    ]);
    let name = fields.required("name", text).unwrap_or_default();
    let allocatable = fields.required("allocatable", resources).unwrap_or_default();
    let mut node = Node::new(name, allocatable);
    node.labels = fields.optional("labels", labels).unwrap_or_default();
    node.taints = fields.list("taints", read_taint);
    node.price = fields.optional("price", price);
    node.initialized = fields.optional("initialized", boolean).unwrap_or(true);
    node.consolidatable = fields.optional("consolidatable", boolean).unwrap_or(true);
    node.deleting = fields.optional("deleting", boolean).unwrap_or_default();
    node.nominated = fields.optional("nominated", boolean).unwrap_or_default();
    node.do_not_disrupt = fields.optional("doNotDisrupt", boolean).unwrap_or_default();
    node.drifted = fields.optional("drifted", boolean).unwrap_or_default();
    let share =
        fields.optional("lifetimeRemaining", |cursor| billionths(cursor, "a number from 0 to 1"));
    node.lifetime_remaining = share.unwrap_or(node.lifetime_remaining);
    node.volume_limits = fields.optional("volumeLimits", counts).unwrap_or_default();
    Some(node)
}

pub(super) fn write_node(node: &Node) -> Value<'_> {
    let lifetime = i128::from(node.lifetime_remaining);
    Object::new()
        .field("name", &node.name)
        .unless_empty("labels", &node.labels)
        .unless_empty("taints", list(&node.taints, write_taint))
        .field("allocatable", &node.allocatable)
        .option("price", node.price)
        .unless("initialized", true, node.initialized)
        .unless("consolidatable", true, node.consolidatable)
        .unless("deleting", false, node.deleting)
        .unless("nominated", false, node.nominated)
        .unless("doNotDisrupt", false, node.do_not_disrupt)
        .unless("drifted", false, node.drifted)
        .unless("lifetimeRemaining", Value::from(1_u32), write::billionths(lifetime))
        .unless_empty("volumeLimits", &node.volume_limits)
        .into()
}
