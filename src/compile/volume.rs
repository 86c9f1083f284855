//! Volumes, made dense: a node attaches so many different ones of a driver.
//!
//! A volume that one pod alone mounts takes one of its driver's slots, just as a request takes
//! capacity, so it is part of the pod's request. One that several pods mount takes a slot on each
//! node where any of them is, once: an item lists these, and whoever fills a node keeps account of
//! those that are attached there, by bound pods, daemons, or pods that it has got. So the load of a
//! node, which is what its pods request, says nothing of them. Limits of types and of running nodes
//! are the same thing: slots of a place.
//!
//! Bounds leave out what shared volumes take, but for one thing: where a pod's own and shared
//! volumes are too many by themselves, it can't be.
//!
//! Source: kube-scheduler's `NodeVolumeLimits` filter
//! (<https://kubernetes.io/docs/concepts/storage/storage-limits/>).

use super::resource::Dims;
use crate::model::{Pod, Problem, Volume};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A volume by its driver and id.
pub(super) type VolumeKey = (Arc<str>, Arc<str>);

/// The same, borrowed from a pod.
pub(super) type VolumeRef<'p> = (&'p Arc<str>, &'p Arc<str>);

/// The place of a driver's slots in the vectors, and one of its volumes that several pods mount.
pub(super) type SharedVolume = (usize, VolumeKey);

/// The drivers that types or nodes limit, of those of which a pod still to be placed or a daemon
/// mounts a volume.
///
/// Others need no place in vectors: they can't be what decides.
pub(super) fn limited_drivers<'a>(
    is_limited: impl Fn(&Arc<str>) -> bool,
    pods: impl Iterator<Item = &'a Pod>,
) -> BTreeSet<Arc<str>> {
    let drivers = pods.flat_map(|pod| &pod.volumes).map(|volume| &volume.driver);
    drivers.filter(|driver| is_limited(driver)).cloned().collect()
}

/// Volumes of limited drivers that more than one pod mounts, or a daemon set: they take one slot of
/// a node, not one each.
///
/// Replicas count as several pods: those of a deployment mount one claim together.
pub(super) fn shared_volumes(problem: &Problem, dims: &Dims) -> BTreeSet<VolumeKey> {
    if dims.drivers().is_empty() {
        return BTreeSet::new();
    }
    let mut users: BTreeMap<VolumeRef<'_>, u32> = BTreeMap::new();
    let pods = problem.pods.iter().map(|pod| (pod, pod.replicas));
    for (pod, replicas) in pods.chain(problem.daemon_sets.iter().map(|daemon| (daemon, u32::MAX))) {
        let own = pod.volumes.iter().map(|one| (&one.driver, &one.id));
        let own: BTreeSet<VolumeRef<'_>> = own.collect();
        for key in own.into_iter().filter(|(driver, _)| dims.driver(driver).is_some()) {
            let count = users.entry(key).or_insert(0);
            *count = count.saturating_add(replicas);
        }
    }
    let shared = users.into_iter().filter(|(_, count)| *count > 1);
    shared.map(|((driver, id), _)| (driver.clone(), id.clone())).collect()
}

/// The volumes of those of these pods that mount any of a limited driver, by replicas; sorted.
pub(super) fn limited_volumes<'a>(pods: &[&'a Pod], dims: &Dims) -> Vec<(u32, &'a [Volume])> {
    let is_limited = |volume: &Volume| dims.driver(&volume.driver).is_some();
    let mounting = pods.iter().filter(|pod| pod.volumes.iter().any(is_limited));
    let mut volumes: Vec<(u32, &[Volume])> =
        mounting.map(|pod| (pod.replicas, &*pod.volumes)).collect();
    volumes.sort_unstable();
    volumes
}

/// Adds the slots that a pod's own volumes take, and lists the volumes it shares.
///
/// A volume that a pod mounts twice takes one slot.
pub(super) fn volume_slots(
    pod: &Pod,
    dims: &Dims,
    shared: &BTreeSet<VolumeKey>,
    request: &mut [i64],
) -> Vec<SharedVolume> {
    let mut together = BTreeSet::new();
    let mut own = BTreeSet::new();
    for volume in &pod.volumes {
        let Some(at) = dims.driver(&volume.driver) else { continue };
        let of_one = (volume.driver.clone(), volume.id.clone());
        if shared.contains(&of_one) {
            let _new = together.insert((at, of_one));
        } else if own.insert(of_one) {
            request[at] += 1;
        }
    }
    together.into_iter().collect()
}

/// Attaches the volumes of a daemon to a node where these are attached: what is free becomes less.
pub(super) fn attach_daemon(
    daemon: &Pod,
    dims: &Dims,
    free: &mut [i64],
    attached: &mut BTreeSet<VolumeKey>,
) {
    for volume in &daemon.volumes {
        if let Some(at) = dims.driver(&volume.driver)
            && attached.insert((volume.driver.clone(), volume.id.clone()))
        {
            free[at] = free[at].saturating_sub(1);
        }
    }
}

/// What is left of so much free beside those of these volumes that aren't attached; less than
/// nothing of everything where that isn't enough.
pub(super) fn beside<'v>(
    free: &[i64],
    volumes: impl Iterator<Item = &'v SharedVolume>,
    attached: &BTreeSet<VolumeKey>,
) -> Vec<i64> {
    let mut free = free.to_vec();
    let mut lacks = false;
    for (at, volume) in volumes {
        free[*at] -= i64::from(!attached.contains(volume));
        lacks |= free[*at] < 0 && !attached.contains(volume);
    }
    if lacks {
        free.fill(-1);
    }
    free
}
