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

use super::Item;
use super::resource::{Dims, fits};
use crate::model::{Pod, Problem};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A volume by its driver and id.
pub(crate) type VolumeKey = (Arc<str>, Arc<str>);

/// The place of a driver's slots in the vectors, and one of its volumes that several pods mount.
pub(crate) type SharedVolume = (usize, VolumeKey);

/// The drivers that types or nodes limit, of those of which a pod still to be placed or a daemon
/// mounts a volume.
pub(crate) fn limited_drivers<'a>(
    is_limited: impl Fn(&Arc<str>) -> bool,
    pods: impl Iterator<Item = &'a Pod>,
) -> BTreeSet<Arc<str>> {
    let drivers = pods.flat_map(|pod| &pod.volumes).map(|volume| &volume.driver);
    drivers.filter(|driver| is_limited(driver)).cloned().collect()
}

/// Volumes of limited drivers that more than one pod mounts, or a daemon set: they take one slot of
/// a node, not one each.
pub(crate) fn shared_volumes(problem: &Problem, dims: &Dims) -> BTreeSet<VolumeKey> {
    if dims.drivers().is_empty() {
        return BTreeSet::new();
    }
    let mut users: BTreeMap<(&Arc<str>, &Arc<str>), u32> = BTreeMap::new();
    let pods = problem.pods.iter().map(|pod| (pod, pod.replicas));
    for (pod, replicas) in pods.chain(problem.daemon_sets.iter().map(|daemon| (daemon, u32::MAX))) {
        let own = pod.volumes.iter().map(|one| (&one.driver, &one.id));
        let own: BTreeSet<(&Arc<str>, &Arc<str>)> = own.collect();
        for key in own.into_iter().filter(|(driver, _)| dims.driver(driver).is_some()) {
            let count = users.entry(key).or_insert(0);
            *count = count.saturating_add(replicas);
        }
    }
    let shared = users.into_iter().filter(|(_, count)| *count > 1);
    shared.map(|((driver, id), _)| (driver.clone(), id.clone())).collect()
}

/// Adds the slots that a pod's own volumes take, and lists the volumes it shares.
pub(crate) fn volume_slots(
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

/// Attaches the volumes of daemons to a node where these are attached: what is free becomes less.
pub(crate) fn attach_daemons<'a>(
    daemons: impl Iterator<Item = &'a Pod>,
    dims: &Dims,
    free: &mut [i64],
    attached: &mut BTreeSet<VolumeKey>,
) {
    for volume in daemons.flat_map(|daemon| &daemon.volumes) {
        if let Some(at) = dims.driver(&volume.driver)
            && attached.insert((volume.driver.clone(), volume.id.clone()))
        {
            free[at] = free[at].saturating_sub(1);
        }
    }
}

impl Item {
    /// How many of its pods fit into what is free on a node where these volumes are attached, up to
    /// `most`.
    pub(crate) fn fits(&self, free: &[i64], attached: &BTreeSet<VolumeKey>, most: u32) -> u32 {
        if self.shared.is_empty() {
            return fits(free, &self.request, most);
        }
        fits(&beside(free, self.shared.iter(), attached), &self.request, most)
    }

    /// As [`Item::fits`], as if what its pods share took no slots, where one of them fits.
    pub(crate) fn could_fit(&self, free: &[i64], attached: &BTreeSet<VolumeKey>, most: u32) -> u32 {
        match self.shared.is_empty() || self.fits(free, attached, 1) > 0 {
            true => fits(free, &self.request, most),
            false => 0,
        }
    }
}

/// What is left of so much free beside those of these volumes that aren't attached; less than
/// nothing of everything where that isn't enough.
fn beside<'v>(
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

/// The volumes that pods of several items share, each once.
#[derive(Debug, Default)]
pub(crate) struct SharedVolumes<'c>(BTreeSet<&'c SharedVolume>);

impl<'c> SharedVolumes<'c> {
    pub(crate) fn of(items: impl Iterator<Item = &'c Item>) -> Self {
        Self(items.flat_map(|item| &item.shared).collect())
    }

    /// Whether a node where these volumes are attached has room for them beside a load.
    pub(crate) fn fit(&self, room: &[i64], load: &[i64], attached: &BTreeSet<VolumeKey>) -> bool {
        let mut slots: BTreeMap<usize, i64> = BTreeMap::new();
        for (at, volume) in &self.0 {
            *slots.entry(*at).or_insert(0) += i64::from(!attached.contains(volume));
        }
        slots.iter().all(|(at, more)| *more == 0 || load[*at].saturating_add(*more) <= room[*at])
    }

    /// Takes what isn't attached from what is free, and attaches it.
    pub(crate) fn attach(&self, free: &mut [i64], attached: &mut BTreeSet<VolumeKey>) {
        for (at, volume) in &self.0 {
            if attached.insert(volume.clone()) {
                free[*at] -= 1;
            }
        }
    }
}
