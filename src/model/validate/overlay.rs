//! Price overlays.
//!
//! An overlay speaks of offerings, which exist without pools and nodes: a requirement on a pool's
//! label would match always or never, and not for the reason that its author has in mind. So it is
//! a fault.

use super::requirement::{self, RequirementContext};
use super::{name, unique};
use crate::model::fault::{Faults, Path, quoted};
use crate::model::overlay::OVERLAYS;
use crate::model::{InstanceType, PriceOverlay, Problem, well_known};
use std::collections::{BTreeMap, BTreeSet};

/// Checks what can be checked of overlays without a problem.
pub(crate) fn overlays(overlays: &[PriceOverlay], faults: &mut Faults) {
    let list = Path::Root.field(OVERLAYS);
    for (i, overlay) in overlays.iter().enumerate() {
        check(overlay, &list.item(i), faults);
    }
    unique::names(overlays.iter().map(|overlay| ("", &*overlay.name)), &list, faults);
}

/// Checks an overlay, but for its name's being unique.
pub(crate) fn check(overlay: &PriceOverlay, path: &Path<'_>, faults: &mut Faults) {
    name::object_name(&overlay.name, &path.field("name"), faults);
    let conditions = path.field("requirements");
    for (i, condition) in overlay.requirements.iter().enumerate() {
        let at = conditions.item(i);
        requirement::requirement(condition, RequirementContext::Type, &at, faults);
        let key = well_known::normalized(&condition.key);
        if key == well_known::NODE_POOL || key == well_known::HOSTNAME {
            faults.add(
                &at.field("key"),
                format!("{} is a label of node pools or nodes, not of offerings", quoted(key)),
                "a label of instance types or offerings",
            );
        }
    }
    if let Some(fault) = overlay.change.fault() {
        let expected = "at most 100000 per node and hour, at most 1000000%, at least -100%";
        let problem = format!("{} is {fault}", overlay.change);
        faults.add(&path.field(overlay.field()), problem, expected);
    }
}

/// Refuses labels of which node pools speak alone: they are no part of what an offering gives, so
/// the overlay would never match, or always, and not for the reason its owner has in mind.
pub(crate) fn overlay_labels(overlays: &[PriceOverlay], problem: &Problem, faults: &mut Faults) {
    let of_pools: BTreeMap<&str, &str> = problem
        .node_pools
        .iter()
        .rev()
        .flat_map(|pool| {
            let labels = pool.labels.iter().map(|(key, _)| &**key);
            let required = pool.requirements.iter().map(|requirement| &*requirement.key);
            labels.chain(required).map(|key| (key, &*pool.name))
        })
        .collect();
    let declared: BTreeSet<&str> = problem.instance_types.iter().flat_map(keys).collect();
    for (i, overlay) in overlays.iter().enumerate() {
        for (j, condition) in overlay.requirements.iter().enumerate() {
            let key = well_known::normalized(&condition.key);
            let given = matches!(
                key,
                well_known::ZONE
                    | well_known::CAPACITY_TYPE
                    | well_known::INSTANCE_TYPE
                    // Refused already.
                    | well_known::NODE_POOL
                    | well_known::HOSTNAME
            );
            if given || declared.contains(key) {
                continue;
            }
            if let Some(pool) = of_pools.get(key) {
                let list = Path::Root.field(OVERLAYS);
                let item = list.item(i);
                let conditions = item.field("requirements");
                faults.add(
                    &conditions.item(j).field("key"),
                    format!("{} is a label of node pool {pool} alone", quoted(key)),
                    "a label of instance types or offerings",
                );
            }
        }
    }
}

/// The labels of which a type or its offerings speak.
fn keys(instance_type: &InstanceType) -> impl Iterator<Item = &str> {
    let required = instance_type.requirements.iter().map(|requirement| &*requirement.key);
    let offered = instance_type.offerings.iter().flat_map(|offering| offering.labels.iter());
    required.chain(instance_type.labels.iter().chain(offered).map(|(key, _)| &**key))
}
