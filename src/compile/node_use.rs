//! What pods of one node contend for beside amounts of resources: host ports, and the slots of
//! volumes that several of them mount.
//!
//! A pod asks for it ([`PodUse`]), and a node has it in use ([`NodeUse`]). Whoever packs, searches
//! or bounds asks these two, and needn't know which rules stand behind them; what is part of them
//! has its dense form in a file of its own (`host_port.rs`, `volume.rs`). Two things can be: what a
//! node has in use may *bar* a pod, and a pod may take *slots* there, which are amounts like
//! others, but that nobody takes a second time what is in use already.

use super::Item;
use super::bits::Bits;
use super::host_port::{PortUse, PortUsers, Ports};
use super::resource::{Dims, fits};
use super::volume::{
    self, SharedVolume, VolumeKey, attach_daemon, beside, limited_volumes, shared_volumes,
    volume_slots,
};
use crate::model::{Pod, Problem, Volume};
use std::collections::{BTreeMap, BTreeSet};

/// What pods of a problem may use of a node: what [`PodUse`] and [`NodeUse`] are written in.
#[derive(Debug)]
pub(super) struct UseVocabulary {
    /// The host ports that pods take, each combination of port, protocol and address once.
    ports: Ports,
    /// Volumes of limited drivers that several pods mount; those of other drivers may be among
    /// them.
    shared: BTreeSet<VolumeKey>,
}

/// By how many pods each word of the vocabulary is used, daemon sets included.
#[derive(Debug)]
pub(super) struct UseCounts {
    ports: PortUsers,
}

/// What a pod uses of its node.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct PodUse {
    /// The host ports that it takes, and those that it then blocks.
    ports: PortUse,
    /// Volumes that other pods mount too, whose drivers some place limits; sorted.
    shared: Vec<SharedVolume>,
}

/// What is in use on a node.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct NodeUse {
    /// Host ports that are taken.
    ports: Bits,
    /// Volumes that several pods mount and that are attached.
    attached: BTreeSet<VolumeKey>,
}

/// What bound pods use of their node, while they are read.
pub(super) struct BoundUse<'v, 'p> {
    vocabulary: &'v UseVocabulary,
    used: NodeUse,
    /// The volumes that have their slots.
    mounted: BTreeSet<volume::VolumeRef<'p>>,
}

/// What the pods of several items use together.
#[derive(Debug)]
pub(super) struct UseTogether<'c> {
    ports: Vec<&'c PortUse>,
    /// Each once.
    shared: BTreeSet<&'c SharedVolume>,
}

impl UseVocabulary {
    pub(super) fn of(problem: &Problem, dims: &Dims) -> Self {
        let pods = problem.pods.iter().chain(&problem.daemon_sets);
        Self { ports: Ports::of(pods), shared: shared_volumes(problem, dims) }
    }

    /// What a pod uses; slots that it has for itself are added to what it requests.
    pub(super) fn of_pod(&self, pod: &Pod, dims: &Dims, request: &mut [i64]) -> PodUse {
        let shared = volume_slots(pod, dims, &self.shared, request);
        PodUse { ports: self.ports.used_by(pod), shared }
    }

    /// Nothing in use.
    pub(super) fn none(&self) -> NodeUse {
        NodeUse { ports: self.ports.none(), attached: BTreeSet::new() }
    }

    /// Whether other pods, or replicas, mount a volume too.
    pub(super) fn is_shared(&self, volume: &Volume) -> bool {
        self.shared.contains(&(volume.driver.clone(), volume.id.clone()))
    }

    /// Has the daemons of a node use it, beside what is in use; slots are taken of what is free.
    pub(super) fn add_daemons<'p>(
        &self,
        used: &mut NodeUse,
        daemons: impl Iterator<Item = &'p Pod>,
        dims: &Dims,
        free: &mut [i64],
    ) {
        for daemon in daemons {
            used.ports.or(&self.ports.used_by(daemon).takes);
            attach_daemon(daemon, dims, free, &mut used.attached);
        }
    }
}

impl<'v, 'p> BoundUse<'v, 'p> {
    pub(super) fn new(vocabulary: &'v UseVocabulary) -> Self {
        Self { vocabulary, used: vocabulary.none(), mounted: BTreeSet::new() }
    }

    /// Has a bound pod use the node; slots are taken of what is free.
    pub(super) fn add(&mut self, pod: &'p Pod, dims: &Dims, free: &mut [i64]) {
        self.used.ports.or(&self.vocabulary.ports.used_by(pod).takes);
        for volume in &pod.volumes {
            let Some(at) = dims.driver(&volume.driver) else { continue };
            if self.mounted.insert((&volume.driver, &volume.id)) {
                free[at] -= 1;
            }
            if self.vocabulary.is_shared(volume) {
                let _new = self.used.attached.insert((volume.driver.clone(), volume.id.clone()));
            }
        }
    }

    pub(super) fn used(self) -> NodeUse {
        self.used
    }
}

impl UseCounts {
    pub(super) fn of(problem: &Problem) -> Self {
        let pods = problem.pods.iter().chain(&problem.daemon_sets);
        Self { ports: PortUsers::of(pods) }
    }

    /// Whether the vocabulary stays what it is once some pods have gone and others have come.
    pub(super) fn stays(&self, dims: &Dims, gone: &[&Pod], new: &[&Pod]) -> bool {
        // A pod that stays, bound or not, keeps its volumes.
        limited_volumes(gone, dims) == limited_volumes(new, dims) && self.ports.stay(gone, new)
    }
}

impl PodUse {
    /// Whether it uses nothing, so that amounts alone count.
    pub(crate) fn is_none(&self) -> bool {
        !self.bars_any() && !self.is_shared()
    }

    /// Whether it bars other pods from its node, those like itself among them.
    pub(crate) fn bars_any(&self) -> bool {
        self.ports.any()
    }

    /// Whether it takes slots that other pods on its node may have taken for it.
    pub(crate) fn is_shared(&self) -> bool {
        !self.shared.is_empty()
    }

    /// Whether two pods can't share a node.
    pub(crate) fn clashes(&self, other: &Self) -> bool {
        self.ports.blocks.overlaps(&other.ports.takes)
            || other.ports.blocks.overlaps(&self.ports.takes)
    }

    /// The places, in the vectors of amounts, of the slots that it takes which aren't its own
    /// alone, beside what is in use.
    pub(crate) fn slots<'a>(&'a self, beside: Option<&'a NodeUse>) -> impl Iterator<Item = usize> {
        let is_new = move |volume| beside.is_none_or(|used| !used.attached.contains(volume));
        self.shared.iter().filter(move |(_, volume)| is_new(volume)).map(|(at, _)| *at)
    }

    /// What both use together.
    pub(crate) fn join(&mut self, other: Self) {
        self.ports.takes.or(&other.ports.takes);
        self.ports.blocks.or(&other.ports.blocks);
        self.shared.extend(other.shared);
        self.shared.sort_unstable();
        self.shared.dedup();
    }
}

impl NodeUse {
    /// Whether what is in use bars a pod.
    pub(crate) fn bars(&self, pod: &PodUse) -> bool {
        pod.ports.blocks.overlaps(&self.ports)
    }

    /// The same, but that no pod is barred.
    pub(crate) fn without_bars(&self) -> Self {
        Self { ports: self.ports.emptied(), attached: self.attached.clone() }
    }

    /// The same, but that it bars whom another does.
    pub(super) fn barring_as(&self, other: &Self) -> Self {
        Self { ports: other.ports.clone(), attached: self.attached.clone() }
    }

    /// Whether all pods that go beside the other go beside this, and take no more slots.
    pub(crate) fn leaves_as_much_as(&self, other: &Self) -> bool {
        // What is attached is as good as a free slot for pods that share it, and as none for
        // others.
        other.ports.includes(&self.ports) && self.attached == other.attached
    }

    /// How many pods of an item there is room for beside what is in use, `most` at most, where so
    /// much is free.
    pub(crate) fn takes(&self, item: &Item, free: &[i64], most: u32) -> u32 {
        let count = match item.uses.is_shared() {
            true => {
                fits(&beside(free, item.uses.shared.iter(), &self.attached), &item.request, most)
            }
            false => fits(free, &item.request, most),
        };
        // Most nodes that are asked are full.
        if count == 0 || self.bars(&item.uses) { 0 } else { count }
    }

    /// As [`NodeUse::takes`], as if what pods of the item share took no slots where one fits: a
    /// bound may be this generous.
    pub(crate) fn could_take(&self, item: &Item, free: &[i64], most: u32) -> u32 {
        match item.uses.is_shared() && self.takes(item, free, 1) == 0 || self.bars(&item.uses) {
            true => 0,
            false => fits(free, &item.request, most),
        }
    }

    /// Puts a pod on the node: slots are taken of what is free.
    pub(crate) fn put(&mut self, pod: &PodUse, free: &mut [i64]) {
        self.ports.or(&pod.ports.takes);
        for (at, volume) in &pod.shared {
            if self.attached.insert(volume.clone()) {
                free[*at] -= 1;
            }
        }
    }

    /// The same as far as these amounts are counted.
    pub(super) fn counted_in(&self, dims: &Dims) -> Self {
        let limited = |volume: &&VolumeKey| dims.driver(&volume.0).is_some();
        let attached = self.attached.iter().filter(limited).cloned().collect();
        Self { ports: self.ports.clone(), attached }
    }
}

impl<'c> UseTogether<'c> {
    pub(super) fn of(pods: impl Iterator<Item = &'c PodUse> + Clone) -> Self {
        Self {
            ports: pods.clone().map(|pod| &pod.ports).filter(|ports| ports.any()).collect(),
            shared: pods.flat_map(|pod| &pod.shared).collect(),
        }
    }

    /// Whether there is room beside what is in use on a node with so much room, and a load.
    pub(super) fn fit(&self, used: &NodeUse, room: &[i64], load: &[i64]) -> bool {
        if self.ports.iter().any(|ports| ports.blocks.overlaps(&used.ports)) {
            return false;
        }
        let mut slots: BTreeMap<usize, i64> = BTreeMap::new();
        for (at, volume) in &self.shared {
            *slots.entry(*at).or_insert(0) += i64::from(!used.attached.contains(volume));
        }
        slots.iter().all(|(at, more)| *more == 0 || load[*at].saturating_add(*more) <= room[*at])
    }
}
