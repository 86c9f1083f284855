//! Pods to classes: pods that no rule can tell apart are one class with a count.
//!
//! A pod becomes a short key of numbers (its requests, the numbers of its rule lists, the labels
//! that some selector reads) and equal keys are one class. Everything after works on classes, so
//! that a hundred thousand replicas with names and hashes of their own cost what a few hundred
//! classes do.

use super::id::{ClassId, IdVec};
use super::intern::{Interner, ToKey};
use super::node_use::UseVocabulary;
use super::resource::Dims;
use crate::model::{
    Affinity, HostPort, LabelSelector, NodeSelectorTerm, Placeholder, Pod, PodAffinityTerm,
    Toleration, TopologySpreadConstraint, Volume, per_unit,
};
use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

/// Pods that no rule can tell apart.
#[derive(Clone, Debug)]
pub(crate) struct ClassMembers {
    /// The places of pods in the problem, in its order: the first stands for all.
    pub(crate) entries: Vec<u32>,
    /// How many pods they are, replicas counted.
    pub(crate) count: u32,
}

/// Which labels selectors read: keys that no selector names can't tell pods apart.
///
/// Counted rather than collected, so that a what-if that takes a pod away can tell whether anybody
/// still reads a key.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadLabels {
    /// By how many pods have such a selector.
    keys: BTreeMap<Arc<str>, u32>,
    /// How many selectors there are: where there is any, the namespace counts.
    selectors: u32,
}

impl ReadLabels {
    /// What the rules between pods read.
    pub(crate) fn of<'a>(pods: impl Iterator<Item = &'a Pod>) -> Self {
        let mut read = Self::default();
        pods.for_each(|pod| read.count(pod, true));
        read
    }

    /// Counts what a pod's rules read, or no longer does.
    pub(crate) fn count(&mut self, pod: &Pod, more: bool) {
        if let Some(rules) = &pod.affinity {
            let terms = rules.pod_affinity.required.iter();
            let terms = terms.chain(&rules.pod_anti_affinity.required);
            terms.for_each(|term| self.term(term, more));
            let preferred_terms = rules.pod_affinity.preferred.iter();
            let preferred_terms = preferred_terms.chain(&rules.pod_anti_affinity.preferred);
            preferred_terms.for_each(|preferred_term| self.term(&preferred_term.term, more));
        }
        for constraint in &pod.topology_spread_constraints {
            self.selector(constraint.label_selector.as_ref(), more);
            constraint.match_label_keys.iter().for_each(|key| self.key(key, more));
        }
    }

    /// Whether all that is read others read too.
    ///
    /// Then classes that were told apart by the others are told apart finely enough for this.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        (self.selectors == 0 || other.selectors > 0)
            && self.keys.keys().all(|key| other.keys.contains_key(key))
    }

    /// The labels of a pod that are read.
    pub(crate) fn of_pod<'a>(
        &'a self,
        pod: &'a Pod,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Arc<str>)> {
        // With few labels on a pod and many keys read, it is the pod's labels to walk.
        pod.labels.iter().filter(|(label, _)| self.keys.contains_key(*label))
    }

    fn term(&mut self, term: &PodAffinityTerm, more: bool) {
        self.selector(term.label_selector.as_ref(), more);
        let keys = term.match_label_keys.iter().chain(&term.mismatch_label_keys);
        keys.for_each(|key| self.key(key, more));
    }

    fn selector(&mut self, selector: Option<&LabelSelector>, more: bool) {
        self.selectors = match more {
            true => self.selectors.saturating_add(1),
            false => self.selectors.saturating_sub(1),
        };
        let Some(selector) = selector else { return };
        selector.match_labels.iter().for_each(|(key, _)| self.key(key, more));
        selector.match_expressions.iter().for_each(|entry| self.key(&entry.key, more));
    }

    fn key(&mut self, key: &Arc<str>, more: bool) {
        match (self.keys.get_mut(key), more) {
            (Some(count), true) => *count = count.saturating_add(1),
            (Some(count), false) if *count > 1 => *count -= 1,
            (Some(_), false) => {
                let _last = self.keys.remove(key);
            }
            (None, true) => {
                let _new = self.keys.insert(key.clone(), 1);
            }
            (None, false) => {}
        }
    }
}

/// Sorts pending pods, by their places, into classes, numbered in the order of their first entry.
///
/// Linear in the pods. Two pods are of one class exactly when their keys are equal, so the keys
/// have to contain everything that a rule could tell, and nothing else.
pub(crate) fn kinds<'a>(
    pods: impl Iterator<Item = (usize, &'a Pod)>,
    dims: &Dims,
    read: &ReadLabels,
    uses: &UseVocabulary,
) -> IdVec<ClassId, ClassMembers> {
    let mut keys = ClassKeys::new(dims, read, uses);
    let mut interner: Interner<Vec<u32>> = Interner::new();
    let mut classes: IdVec<ClassId, ClassMembers> = IdVec::new();
    let mut key = Vec::new();
    for (place, pod) in pods {
        key.clear();
        keys.write(pod, &mut key);
        let number = interner.intern(&key[..]) as usize;
        if number == classes.len() {
            let _id = classes.push(ClassMembers { entries: Vec::new(), count: 0 });
        }
        let members = &mut classes[super::id::Id::from_index(number)];
        members.entries.push(u32::try_from(place).unwrap_or(u32::MAX));
        members.count = members.count.saturating_add(pod.replicas);
    }
    classes
}

/// Turns pods into keys; what pods share is numbered once.
///
/// Numbers of shared parts (affinities, tolerations, spreads) instead of the parts: a key is a few
/// dozen words, and comparing two is comparing those.
struct ClassKeys<'a> {
    /// The order of resources in requests.
    dims: &'a Dims,
    /// The label keys that count.
    read: &'a ReadLabels,
    /// What pods use of a node.
    uses: &'a UseVocabulary,
    texts: Interner<Arc<str>>,
    affinities: Interner<Affinity>,
    tolerations: Interner<Vec<Toleration>>,
    spreads: Interner<Vec<TopologySpreadConstraint>>,
    ports: Interner<Vec<HostPort>>,
    terms: Interner<Vec<NodeSelectorTerm>>,
}

/// Stands between the parts of a key, so that no two pods run into one another.
const END: u32 = u32::MAX;

impl<'a> ClassKeys<'a> {
    fn new(dims: &'a Dims, read: &'a ReadLabels, uses: &'a UseVocabulary) -> Self {
        Self {
            dims,
            read,
            uses,
            texts: Interner::new(),
            affinities: Interner::new(),
            tolerations: Interner::new(),
            spreads: Interner::new(),
            ports: Interner::new(),
            terms: Interner::new(),
        }
    }

    /// Appends what rules can tell of a pod, as numbers; equal numbers, equal pods.
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
        if self.read.selectors > 0 {
            key.push(self.texts.intern(&pod.namespace));
            for (label, value) in self.read.of_pod(pod) {
                key.extend([self.texts.intern(label), self.texts.intern(value)]);
            }
        }
    }

    /// A volume counts by the nodes that reach it and its driver; by its id only where it is
    /// shared.
    ///
    /// So replicas with a disk each in one zone are one class.
    fn volume(&mut self, volume: &Volume, key: &mut Vec<u32>) {
        let shared = self.uses.is_shared(volume);
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

/// Appends a number as two.
///
/// High word first.
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
