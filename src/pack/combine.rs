//! What may be combined from the requirements of a launch, and how they are narrowed until every
//! combination holds its pods.
//!
//! Whoever reads the requirements of a launch may take any listed type in any listed zone with any
//! listed capacity type, not only the alternatives. Where some such combination couldn't hold the
//! pods, the labels that its pods or rules over domains read are required as well (an offering may
//! have labels of its own); where that isn't enough, only the choice's zone and capacity type are
//! listed.
//!
//! *Example.* Alternatives are type `a` in zone 1 and type `b` in zone 2. Required are then
//! `instance-type in (a, b)` and `zone in (1, 2)`, which also admits `a` in zone 2. If `a` isn't
//! offered there nothing can go wrong; if it is offered and carries a label that a pod refuses, the
//! launch could end there, and the pod couldn't.
//!
//! *Why it ends.* Two narrowings at most: labels that are read, then one place. With one zone and
//! one capacity type the combinations are the alternatives themselves.

use crate::compile::{Compiled, Id, NODE_NAME, OfferId};
use crate::model::{CapacityType, well_known};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Labels that a launch is required to have beside its type, zone and capacity type, with the
/// values that are allowed; without any, it mustn't have the label.
pub(super) type RequiredLabels = BTreeMap<Arc<str>, BTreeSet<Arc<str>>>;

/// An offer's zone and capacity type.
pub(super) fn place(compiled: &Compiled, id: OfferId) -> (&Arc<str>, CapacityType) {
    let offer = &compiled.offers[id];
    let offering = &compiled.parts.instance_type(offer.instance).offerings[offer.offering];
    (&offering.zone, offering.capacity_type)
}

/// What the launches of some options may be required to have: for each of these label keys the
/// states that the options are in, where requirements can say so.
pub(super) fn required(
    compiled: &Compiled,
    options: &[OfferId],
    keys: &BTreeSet<&Arc<str>>,
) -> RequiredLabels {
    let listed = [
        well_known::INSTANCE_TYPE,
        well_known::ZONE,
        well_known::CAPACITY_TYPE,
        well_known::NODE_POOL,
        well_known::HOSTNAME,
        NODE_NAME,
    ];
    let mut required = RequiredLabels::new();
    for key in keys.iter().copied().filter(|key| !listed.contains(&&***key)) {
        let states: BTreeSet<u32> = options.iter().map(|id| state(compiled, key, *id)).collect();
        if states.len() == 1 || !states.contains(&0) {
            let values =
                states.iter().filter_map(|state| compiled.site_conditions.table.value(key, *state));
            let _new = required.insert(key.clone(), values.cloned().collect());
        }
    }
    required
}

fn state(compiled: &Compiled, key: &str, id: OfferId) -> u32 {
    let states = compiled.site_conditions.table.states(key);
    states.get(compiled.site_of_offer(id)).copied().unwrap_or(0)
}

/// Whether every offer made of the listed types, zones and capacity types that has the required
/// labels suits; of the pool's offers these are looked at alone that have the labels which the
/// launch fixes, where the pool leaves any open.
pub(super) fn closed(
    compiled: &Compiled,
    options: &[OfferId],
    required: &RequiredLabels,
    agreeing: Option<&[OfferId]>,
    suits: impl Fn(OfferId) -> bool,
) -> bool {
    let Some(pool) = options.first().map(|id| compiled.offers[*id].pool) else { return true };
    let mut listed = compiled.usable.emptied();
    options.iter().for_each(|id| listed.insert(id.index()));
    let mut types: Vec<usize> = options.iter().map(|id| compiled.offers[*id].instance).collect();
    types.sort_unstable();
    types.dedup();
    // Few of each, so that looking through them is quickest.
    let (mut zones, mut capacity_types): (Vec<&Arc<str>>, Vec<CapacityType>) =
        (Vec::new(), Vec::new());
    for (zone, capacity_type) in options.iter().map(|id| place(compiled, *id)) {
        if !zones.contains(&zone) {
            zones.push(zone);
        }
        if !capacity_types.contains(&capacity_type) {
            capacity_types.push(capacity_type);
        }
    }
    let made = |id: OfferId| {
        let (zone, capacity_type) = place(compiled, id);
        zones.contains(&zone) && capacity_types.contains(&capacity_type)
    };
    let labelled = |id: OfferId| {
        required.iter().all(|(key, values)| {
            match compiled.site_conditions.table.value(key, state(compiled, key, id)) {
                Some(value) => values.contains(value),
                None => values.is_empty(),
            }
        })
    };
    let is_fine = |id: OfferId| {
        let offer = &compiled.offers[id];
        // Nearly all are listed or suit, so that is asked first.
        listed.contains(id.index())
            || !offer.available
            || offer.reservation.is_some()
            || suits(id)
            || !made(id)
            || !labelled(id)
    };
    match agreeing {
        Some(agreeing) => agreeing
            .iter()
            .all(|id| types.binary_search(&compiled.offers[*id].instance).is_err() || is_fine(*id)),
        None => types.into_iter().all(|instance| compiled.offers_of(pool, instance).all(&is_fine)),
    }
}
