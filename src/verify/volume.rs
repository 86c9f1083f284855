//! Volumes, counted again: a running node attaches at most so many different ones of a driver.
//!
//! (That volumes can be reached from a node's zone is checked with the labels.)

use super::facts::Group;
use super::violation::Violation;
use crate::model::{Node, Pod, Problem};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is free of a driver where nothing limits it.
const UNLIMITED: i128 = i64::MAX as i128;

/// Attached volumes as something that nodes have room for, by driver.
///
/// Only volumes that one pod alone mounts are counted as taking room: those that several pods mount are
/// attached once, and may be attached already. So what has no room here has none.
pub(super) struct Slots<'a> {
    /// The drivers of which some node can attach so many volumes only.
    drivers: BTreeSet<&'a str>,
    /// How many pods mount a volume of these drivers.
    users: BTreeMap<(&'a str, &'a str), u64>,
}

impl<'a> Slots<'a> {
    pub(super) fn of(problem: &'a Problem) -> Self {
        let limits = problem.nodes.iter().flat_map(|node| node.volume_limits.keys());
        let drivers: BTreeSet<&str> = limits.map(|driver| &**driver).collect();
        let mut users: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        if !drivers.is_empty() {
            for pod in &problem.pods {
                let mounted: BTreeSet<(&str, &str)> = mounted(pod).collect();
                for volume in mounted.into_iter().filter(|(driver, _)| drivers.contains(driver)) {
                    let count = users.entry(volume).or_insert(0);
                    *count = count.saturating_add(pod.replicas.max(1).into());
                }
            }
        }
        Self { drivers, users }
    }

    /// How many volumes of each driver a pod mounts that no other does.
    pub(super) fn taken(&self, pod: &Pod) -> Vec<i128> {
        let own: BTreeSet<(&str, &str)> =
            mounted(pod).filter(|volume| self.users.get(volume) == Some(&1)).collect();
        self.by_driver(|driver| own.iter().filter(|(of, _)| *of == driver).count())
    }

    /// How many more volumes of each driver can be attached where there is so much room and these pods
    /// are bound.
    pub(super) fn free<'b>(
        &self,
        limits: &BTreeMap<Arc<str>, u32>,
        bound: impl Iterator<Item = &'b Pod>,
    ) -> Vec<i128> {
        if self.drivers.is_empty() {
            return Vec::new();
        }
        let attached: BTreeSet<(&str, &str)> = bound.flat_map(mounted).collect();
        let attached =
            self.by_driver(|driver| attached.iter().filter(|(of, _)| *of == driver).count());
        let free = self.drivers.iter().zip(attached).map(|(driver, attached)| {
            limits
                .get(*driver)
                .map_or(UNLIMITED, |limit| i128::from(*limit).saturating_sub(attached))
        });
        free.collect()
    }

    fn by_driver(&self, count: impl Fn(&str) -> usize) -> Vec<i128> {
        let counts = self.drivers.iter().map(|driver| count(driver));
        counts.map(|count| i128::try_from(count).unwrap_or(UNLIMITED)).collect()
    }
}

/// The volumes that a pod mounts, by driver and id.
fn mounted(pod: &Pod) -> impl Iterator<Item = (&str, &str)> {
    pod.volumes.iter().map(|volume| (&*volume.driver, &*volume.id))
}

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
    let before: BTreeSet<(&str, &str)> = bound.flat_map(mounted).collect();
    let mut after = before.clone();
    after.extend(groups.iter().flat_map(|group| mounted(group.pod)));
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
