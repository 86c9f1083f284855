//! Volumes, counted again: a node attaches at most so many different ones of a driver.
//!
//! *The rule.* A CSI driver says how many volumes a node attaches. A volume counts once on a node,
//! however many pods mount it there. Kubernetes asks this of the pod that comes: one that mounts
//! only what is attached already is let in even where the node has too many. So a running node is
//! reported only where the plan's pods attach something new; on a launch the daemons count as well,
//! since it must have room for them. A driver without a limit attaches any number.
//!
//! (That volumes can be reached from a node's zone is checked with the labels.)
//!
//! *For certificates* volumes are slots: those that one pod of the problem alone mounts
//! ([`unshared`]) take a slot wherever it goes, and can be counted like a resource; those that
//! several share take one for all on a node, and are counted for none.
//!
//! Source: <https://kubernetes.io/docs/concepts/storage/storage-limits/>.

use super::facts::EntryPods;
use super::violation::{PlanPlace, Violation};
use crate::model::{Pod, Problem};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many volumes can be attached, by driver; one that isn't named is unlimited.
pub(super) type VolumeLimits = BTreeMap<Arc<str>, u32>;

/// Volumes by driver and id.
type Attached<'a> = BTreeSet<(&'a str, &'a str)>;

fn volumes(pod: &Pod) -> impl Iterator<Item = (&str, &str)> {
    pod.volumes.iter().map(|volume| (&*volume.driver, &*volume.id))
}

fn count(attached: &Attached<'_>, driver: &str) -> u64 {
    let of_driver = attached.iter().filter(|(one, _)| *one == driver);
    u64::try_from(of_driver.count()).unwrap_or(u64::MAX)
}

/// Reports drivers of which pods attach more volumes to a place than it can. What bound pods and
/// daemons attach to a running node is there already; a launch must have room for its daemons.
pub(super) fn check<'a>(
    limits: &VolumeLimits,
    present: impl Iterator<Item = &'a Pod>,
    groups: &[EntryPods<'a>],
    place: &PlanPlace,
    out: &mut Vec<Violation>,
) {
    if limits.is_empty() {
        return;
    }
    let before: Attached<'_> = match place {
        PlanPlace::Node(_) if groups.iter().all(|group| group.pod.volumes.is_empty()) => return,
        _ => present.flat_map(volumes).collect(),
    };
    let mut after = before.clone();
    after.extend(groups.iter().flat_map(|group| volumes(group.pod)));
    for (driver, limit) in limits {
        let volumes = count(&after, driver);
        let is_ours = !matches!(place, PlanPlace::Node(_)) || volumes > count(&before, driver);
        if volumes > u64::from(*limit) && is_ours {
            out.push(Violation::VolumeLimit {
                place: place.clone(),
                driver: driver.clone(),
                volumes,
                limit: *limit,
            });
        }
    }
}

/// Whether a launch attaches the volumes of its daemons.
pub(super) fn attaches_daemons<'a>(
    limits: &VolumeLimits,
    daemons: impl Iterator<Item = &'a Pod>,
) -> bool {
    if limits.is_empty() {
        return true;
    }
    let attached: Attached<'_> = daemons.flat_map(volumes).collect();
    limits.iter().all(|(driver, limit)| count(&attached, driver) <= u64::from(*limit))
}

/// Whether a place where these pods are attaches the volumes of one more.
pub(super) fn attaches<'a>(
    limits: &VolumeLimits,
    present: impl Iterator<Item = &'a Pod>,
    pod: &'a Pod,
) -> bool {
    if limits.is_empty() || pod.volumes.is_empty() {
        return true;
    }
    let before: Attached<'_> = present.flat_map(volumes).collect();
    let mut after = before.clone();
    after.extend(volumes(pod));
    limits.iter().all(|(driver, limit)| {
        let sum = count(&after, driver);
        sum <= u64::from(*limit) || sum == count(&before, driver)
    })
}

/// What is left of a driver's slots beside these pods, as certificates count them.
pub(super) fn slots_left<'a>(
    limits: &VolumeLimits,
    driver: &str,
    present: impl Iterator<Item = &'a Pod>,
) -> i128 {
    let attached: Attached<'_> = present.flat_map(volumes).collect();
    let unlimited = crate::plan::certificate::UNLIMITED_SLOTS;
    let limit = limits.get(driver).map_or(unlimited, |limit| i64::from(*limit));
    i128::from(limit).saturating_sub(count(&attached, driver).into())
}

/// The volumes that one pod of the problem alone mounts, and no daemon set.
pub(super) fn unshared(problem: &Problem) -> BTreeSet<(&str, &str)> {
    let mut users: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for pod in &problem.pods {
        let own: Attached<'_> = volumes(pod).collect();
        for volume in own {
            let sum = users.entry(volume).or_default();
            *sum = sum.saturating_add(u64::from(pod.replicas.max(1)));
        }
    }
    let daemons: Attached<'_> = problem.daemon_sets.iter().flat_map(volumes).collect();
    let alone = users.into_iter().filter(|(_, count)| *count == 1).map(|(volume, _)| volume);
    alone.filter(|volume| !daemons.contains(volume)).collect()
}

/// The volumes of a pod that aren't among these, and how many are, by driver.
pub(super) fn slots<'a>(
    pod: &'a Pod,
    unshared: &BTreeSet<(&str, &str)>,
) -> (BTreeSet<(&'a str, &'a str)>, BTreeMap<&'a str, u64>) {
    let own: Attached<'a> = volumes(pod).collect();
    let (alone, shared): (Attached<'a>, Attached<'a>) =
        own.into_iter().partition(|volume| unshared.contains(volume));
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for (driver, _) in alone {
        let sum = counts.entry(driver).or_default();
        *sum = sum.saturating_add(1);
    }
    (shared, counts)
}

/// Whether any place limits volumes.
pub(super) fn are_limited(problem: &Problem) -> bool {
    problem.nodes.iter().any(|node| !node.volume_limits.is_empty())
        || problem
            .instance_types
            .iter()
            .any(|instance_type| !instance_type.volume_limits.is_empty())
}
