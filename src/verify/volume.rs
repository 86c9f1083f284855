//! Volumes, counted again: a running node attaches at most so many different ones of a driver.
//!
//! (That volumes can be reached from a node's zone is checked with the labels.)

use super::facts::Group;
use super::violation::Violation;
use crate::model::{Node, Pod};
use std::collections::BTreeSet;

/// Reports drivers of which the plan attaches more volumes to a node than it can.
pub(super) fn check<'a>(
    node: &Node,
    bound: impl Iterator<Item = &'a Pod>,
    groups: &[Group<'a>],
    out: &mut Vec<Violation>,
) {
    if node.volume_limits.is_empty() || groups.iter().all(|group| group.pod.volumes.is_empty()) {
        return;
    }
    let volumes = |pod: &'a Pod| pod.volumes.iter().map(|volume| (&*volume.driver, &*volume.id));
    let before: BTreeSet<(&str, &str)> = bound.flat_map(volumes).collect();
    let mut after = before.clone();
    after.extend(groups.iter().flat_map(|group| volumes(group.pod)));
    for (driver, limit) in &node.volume_limits {
        let count = |set: &BTreeSet<(&str, &str)>| {
            u64::try_from(set.iter().filter(|(one, _)| **one == **driver).count())
                .unwrap_or(u64::MAX)
        };
        let volumes = count(&after);
        if volumes > u64::from(*limit) && volumes > count(&before) {
            out.push(Violation::VolumeLimit {
                node: node.name.clone(),
                driver: driver.clone(),
                volumes,
                limit: *limit,
            });
        }
    }
}
