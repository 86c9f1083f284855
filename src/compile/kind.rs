//! Pods to classes: pods that no rule can tell apart are one class with a count.
//!
//! A pod becomes a short key of numbers (its requests, the numbers of its rule lists, the labels that
//! some selector reads) and equal keys are one class. Everything after works on classes, so that a
//! hundred thousand replicas with names and hashes of their own cost what a few hundred classes do.

use super::id::{IdVec, KindId};
use super::intern::{Interner, ToKey};
use super::resource::Dims;
use super::volume::VolumeKey;
use crate::model::{
    Affinity, HostPort, LabelSelector, NodeSelectorTerm, Placeholder, Pod, PodAffinityTerm,
    Problem, Toleration, TopologySpreadConstraint, Volume, per_unit,
};
use std::collections::BTreeSet;
use std::hash::Hash;
use std::sync::Arc;

/// Pods that no rule can tell apart.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    /// Indices of the problem's entries, ascending: the first stands for all.
    pub(crate) entries: Vec<u32>,
    /// How many pods they are, replicas counted.
    pub(crate) count: u32,
}

/// Which labels selectors read: keys that no selector names can't tell pods apart.
#[derive(Debug, Default)]
pub(crate) struct ReadLabels {
    keys: BTreeSet<Arc<str>>,
    /// Whether any selector is there, so that the namespace counts.
    any: bool,
}

impl ReadLabels {
    /// What the rules between the problem's pods read.
    pub(crate) fn of(problem: &Problem) -> Self {
        let mut read = Self::default();
        for pod in &problem.pods {
            if let Some(rules) = &pod.affinity {
                let terms = rules.pod_affinity.required.iter();
                terms.chain(&rules.pod_anti_affinity.required).for_each(|term| read.term(term));
                let wishes = rules.pod_affinity.preferred.iter();
                let wishes = wishes.chain(&rules.pod_anti_affinity.preferred);
                wishes.for_each(|wish| read.term(&wish.term));
            }
            for constraint in &pod.topology_spread_constraints {
                read.any = true;
                read.selector(constraint.label_selector.as_ref());
                read.keys.extend(constraint.match_label_keys.iter().cloned());
            }
        }
        read
    }

    fn term(&mut self, term: &PodAffinityTerm) {
        self.any = true;
        self.selector(term.label_selector.as_ref());
        let keys = term.match_label_keys.iter().chain(&term.mismatch_label_keys);
        self.keys.extend(keys.cloned());
    }

    fn selector(&mut self, selector: Option<&LabelSelector>) {
        let Some(selector) = selector else { return };
        self.keys.extend(selector.match_labels.iter().map(|(key, _)| key.clone()));
        self.keys.extend(selector.match_expressions.iter().map(|entry| entry.key.clone()));
    }
}

/// Sorts the pending pods into classes, numbered in the order of their first entry.
pub(crate) fn kinds(
    problem: &Problem,
    dims: &Dims,
    read: &ReadLabels,
    shared: &BTreeSet<VolumeKey>,
) -> IdVec<KindId, Members> {
    let mut keys = Keys::new(dims, read, shared);
    let mut interner: Interner<Vec<u32>> = Interner::new();
    let mut kinds: IdVec<KindId, Members> = IdVec::new();
    let mut key = Vec::new();
    for (index, pod) in problem.pods.iter().enumerate() {
        if pod.node_name.is_some() {
            continue;
        }
        key.clear();
        keys.write(pod, &mut key);
        let number = interner.intern(&key[..]) as usize;
        if number == kinds.len() {
            let _id = kinds.push(Members { entries: Vec::new(), count: 0 });
        }
        let members = &mut kinds[super::id::Id::from_index(number)];
        members.entries.push(u32::try_from(index).unwrap_or(u32::MAX));
        members.count = members.count.saturating_add(pod.replicas);
    }
    kinds
}

/// Turns pods into keys; what pods share is numbered once.
struct Keys<'a> {
    dims: &'a Dims,
    read: &'a ReadLabels,
    shared: &'a BTreeSet<VolumeKey>,
    texts: Interner<Arc<str>>,
    affinities: Interner<Affinity>,
    tolerations: Interner<Vec<Toleration>>,
    spreads: Interner<Vec<TopologySpreadConstraint>>,
    ports: Interner<Vec<HostPort>>,
    terms: Interner<Vec<NodeSelectorTerm>>,
}

/// Stands between the parts of a key, so that no two pods run into one another.
const END: u32 = u32::MAX;

impl<'a> Keys<'a> {
    fn new(dims: &'a Dims, read: &'a ReadLabels, shared: &'a BTreeSet<VolumeKey>) -> Self {
        Self {
            dims,
            read,
            shared,
            texts: Interner::new(),
            affinities: Interner::new(),
            tolerations: Interner::new(),
            spreads: Interner::new(),
            ports: Interner::new(),
            terms: Interner::new(),
        }
    }

    fn write(&mut self, pod: &Pod, key: &mut Vec<u32>) {
        for (name, amount) in pod.requests.iter() {
            let count = amount.ceil(per_unit(name));
            if count > 0 {
                key.push(self.texts.intern(name));
                push_wide(key, count);
            }
        }
        key.push(END);
        for (label, value) in pod.node_selector.iter() {
            key.extend([self.texts.intern(label), self.texts.intern(value)]);
        }
        key.push(END);
        key.push(pod.affinity.as_ref().map_or(END, |rules| self.affinities.intern(&**rules)));
        key.push(number(&mut self.tolerations, &pod.tolerations));
        key.push(number(&mut self.ports, &pod.host_ports));
        key.push(number(&mut self.spreads, &pod.topology_spread_constraints));
        push_wide(key, i64::from(pod.priority));
        key.push(match pod.placeholder() {
            None => 0,
            Some(Placeholder::Free) => 1,
            Some(_) => 2,
        });
        for volume in &pod.volumes {
            self.volume(volume, key);
        }
        key.push(END);
        if self.read.any {
            key.push(self.texts.intern(&pod.namespace));
            // With few labels on a pod and many keys read, it is the pod's labels to walk.
            for (label, value) in pod.labels.iter() {
                if self.read.keys.contains(label) {
                    key.extend([self.texts.intern(label), self.texts.intern(value)]);
                }
            }
        }
    }

    /// A volume counts by the nodes that reach it and its driver; by its id only where it is shared.
    fn volume(&mut self, volume: &Volume, key: &mut Vec<u32>) {
        let of_one = (volume.driver.clone(), volume.id.clone());
        let shared = self.shared.contains(&of_one);
        let limited = self.dims.driver(&volume.driver).is_some();
        key.push(if limited { self.texts.intern(&volume.driver) } else { END - 1 });
        key.push(if limited && shared { self.texts.intern(&volume.id) } else { END - 1 });
        for zone in &volume.zones {
            key.push(self.texts.intern(zone));
        }
        key.push(END);
        key.push(number(&mut self.terms, &volume.node_selector_terms));
    }
}

/// The number of a list; most pods have none.
fn number<T: Eq + Hash>(lists: &mut Interner<Vec<T>>, list: &[T]) -> u32
where
    [T]: ToKey<Vec<T>>,
{
    if list.is_empty() { END } else { lists.intern(list) }
}

fn push_wide(key: &mut Vec<u32>, number: i64) {
    let bits = number.cast_unsigned();
    key.push((bits >> 32) as u32);
    key.push((bits & u64::from(u32::MAX)) as u32);
}

impl ToKey<Affinity> for Affinity {
    fn to_key(&self) -> Affinity {
        self.clone()
    }
}

impl ToKey<Vec<Toleration>> for [Toleration] {
    fn to_key(&self) -> Vec<Toleration> {
        self.to_vec()
    }
}

impl ToKey<Vec<TopologySpreadConstraint>> for [TopologySpreadConstraint] {
    fn to_key(&self) -> Vec<TopologySpreadConstraint> {
        self.to_vec()
    }
}

impl ToKey<Vec<NodeSelectorTerm>> for [NodeSelectorTerm] {
    fn to_key(&self) -> Vec<NodeSelectorTerm> {
        self.to_vec()
    }
}

impl ToKey<Vec<HostPort>> for [HostPort] {
    fn to_key(&self) -> Vec<HostPort> {
        self.to_vec()
    }
}
