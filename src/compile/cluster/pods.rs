//! Pods that come, go or change in a what-if, and what is left of those that are bound.
//!
//! Compilation reads pods for what their rules mention: resources, label keys, selectors, ports,
//! volumes. Each of these vocabularies is kept with the number of pods that use each word, so that
//! a what-if takes off the words of pods that go and adds those of pods that come, and a word
//! nobody uses any more is gone, as it is from the problem written out.
//!
//! Bound pods are sorted once by what rules between pods can tell apart (`bound_classes`); a node
//! that goes takes its share of each such class with it.

use super::{BoundClass, Cluster, NONE, small};
use crate::compile::intern::Interner;
use crate::compile::pod_class::ReadLabels;
use crate::compile::topology::{self, BoundPods};
use crate::compile::volume::limited_drivers;
use crate::model::{Affinity, Changed, Node, Parts, Pod, Problem, order_of_pods};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a what-if changes, by what was and what is.
///
/// Gathered in one walk over the changes, not over the problem.
pub(super) struct Edits<'a> {
    /// The problem with the changes, part by part.
    pub(super) parts: &'a Parts,
    /// What is other than given.
    pub(super) changed: &'a Changed,
    /// Pods that are gone or other than given, with their places.
    pub(super) former: Vec<(usize, &'a Pod)>,
    /// Pods that are new or other than given, with their places.
    pub(super) new: Vec<(usize, &'a Pod)>,
    /// Nodes that are gone or other than given, with their places.
    pub(super) former_nodes: Vec<(usize, &'a Node)>,
    /// Nodes that are new or other than given, with their places.
    pub(super) new_nodes: Vec<(usize, &'a Node)>,
}

impl<'a> Edits<'a> {
    /// Finds what was and what is of all that a what-if changes.
    ///
    /// A part that is changed is both a former one and a new one.
    pub(super) fn of(parts: &'a Parts, changed: &'a Changed) -> Self {
        let given = parts.given();
        let places = changed.changes.pods.keys().filter_map(|key| changed.origin.place_of(key));
        let count = changed.changes.pods.values().flatten().count();
        let new = given.pods.len()..given.pods.len() + count;
        let nodes = changed.changes.nodes.keys().filter_map(|name| changed.origin.node_place(name));
        let count = changed.changes.nodes.values().flatten().count();
        let new_nodes = given.nodes.len()..given.nodes.len() + count;
        Self {
            parts,
            changed,
            former: places.map(|place| (place, parts.pod(place))).collect(),
            new: new.map(|place| (place, parts.pod(place))).collect(),
            former_nodes: nodes.map(|place| (place, parts.node(place))).collect(),
            new_nodes: new_nodes.map(|place| (place, parts.node(place))).collect(),
        }
    }
}

/// Whether a pod's rules select namespaces by their labels, so that it counts which there are.
pub(super) fn selects_namespaces(pod: &Pod) -> bool {
    pod.affinity.as_deref().is_some_and(|rules| {
        let both = [&rules.pod_affinity, &rules.pod_anti_affinity];
        let mut terms = both.into_iter().flat_map(|rules| {
            rules.required.iter().chain(rules.preferred.iter().map(|wish| &wish.term))
        });
        terms.any(|term| term.namespace_selector.is_some())
    })
}

/// Sorts bound pods by what rules between pods can tell apart.
///
/// In the order of their first pods, as classes of pending pods are.
pub(super) fn bound_classes(
    problem: &Problem,
    bound: &[(usize, usize)],
    read: &ReadLabels,
) -> (Vec<BoundClass>, Vec<u32>) {
    let mut texts: Interner<Arc<str>> = Interner::new();
    let mut affinities: Interner<Affinity> = Interner::new();
    let mut numbers: Interner<Vec<u32>> = Interner::new();
    let mut classes: Vec<BoundClass> = Vec::new();
    let mut item_of = vec![NONE; problem.pods.len()];
    let mut key = Vec::new();
    let mut by_node: Vec<BTreeMap<u32, u32>> = Vec::new();
    for (place, node) in bound {
        let pod = &problem.pods[*place];
        key.clear();
        key.push(texts.intern(&pod.namespace));
        key.push(pod.affinity.as_ref().map_or(NONE, |rules| affinities.intern(&**rules)));
        for (label, value) in read.of_pod(pod) {
            key.extend([texts.intern(label), texts.intern(value)]);
        }
        let number = numbers.intern(&key[..]) as usize;
        if number == classes.len() {
            classes.push(BoundClass { pods: Vec::new(), nodes: Vec::new() });
            by_node.push(BTreeMap::new());
        }
        item_of[*place] = small(number);
        classes[number].pods.push((small(*place), small(*node)));
        let count = by_node[number].entry(small(*node)).or_insert(0);
        *count = count.saturating_add(pod.replicas);
    }
    for (class, nodes) in classes.iter_mut().zip(by_node) {
        class.nodes = nodes.into_iter().collect();
    }
    (classes, item_of)
}

impl Cluster {
    /// What selectors read once pods have come and gone; `None` where something is new to the
    /// vocabulary, or a word of it has gone that would change what others mean.
    pub(super) fn read(&self, edits: &Edits<'_>) -> Option<ReadLabels> {
        let mut read = self.vocabulary.read.clone();
        let mut gone: BTreeMap<&Arc<str>, u64> = BTreeMap::new();
        let pods = edits.former.iter().map(|(_, pod)| (*pod, false));
        for (pod, more) in pods.chain(edits.new.iter().map(|(_, pod)| (*pod, true))) {
            read.count(pod, more);
            if more && self.by_namespace && !self.namespaces.has(&pod.namespace) {
                return None;
            }
            if more && !self.by_namespace && selects_namespaces(pod) {
                return None;
            }
            let users = self.namespace_users.get(&pod.namespace).copied().unwrap_or(0);
            let users = gone.entry(&pod.namespace).or_insert(users);
            *users = if more { *users + 1 } else { users.saturating_sub(1) };
        }
        let former: Vec<&Pod> = edits.former.iter().map(|(_, pod)| *pod).collect();
        let new: Vec<&Pod> = edits.new.iter().map(|(_, pod)| *pod).collect();
        let same = self.use_counts.stays(&self.vocabulary.dims, &former, &new);
        let stays = !self.by_namespace || gone.values().all(|users| *users > 0);
        (same && stays && read.is_within(&self.vocabulary.read)).then_some(read)
    }

    /// The topology keys of bound pods' required anti-affinity.
    pub(super) fn anti_affinity_keys(&self, edits: &Edits<'_>) -> Vec<Arc<str>> {
        let mut counts = self.anti_affinity_keys.clone();
        let is_bound = |(_, pod): &&(usize, &Pod)| pod.node_name.is_some();
        for (_, pod) in edits.former.iter().filter(is_bound) {
            for key in topology::keys_of_bound(pod) {
                if let Some(count) = counts.get_mut(key) {
                    *count = count.saturating_sub(1);
                }
            }
        }
        for (_, pod) in edits.new.iter().filter(is_bound) {
            for key in topology::keys_of_bound(pod) {
                *counts.entry(key.clone()).or_insert(0) += 1;
            }
        }
        counts.into_iter().filter(|(_, count)| *count > 0).map(|(key, _)| key).collect()
    }

    /// The places of pending pods, in the order of the problem.
    pub(super) fn pending(&self, parts: &Parts, edits: &Edits<'_>) -> Vec<usize> {
        let mut gone: Vec<usize> = edits.former.iter().map(|(place, _)| *place).collect();
        gone.sort_unstable();
        let kept = self.pending.iter().filter(|place| gone.binary_search(place).is_err());
        let new = edits.new.iter().filter(|(_, pod)| pod.node_name.is_none());
        let mut pending: Vec<usize> = kept.copied().chain(new.map(|(place, _)| *place)).collect();
        if edits.new.is_empty() {
            return pending;
        }
        pending.sort_by(|one, other| {
            order_of_pods(parts.pod(*one)).cmp(&order_of_pods(parts.pod(*other)))
        });
        pending
    }

    /// The drivers that some node or type limits, of those of which these pods mount a volume.
    pub(super) fn drivers<'a>(
        &self,
        edits: &Edits<'_>,
        pods: impl Iterator<Item = &'a Pod>,
    ) -> BTreeSet<Arc<str>> {
        let limits = |nodes: &[(usize, &Node)], driver: &Arc<str>| {
            let nodes = nodes.iter().filter(|(_, node)| node.volume_limits.contains_key(driver));
            small(nodes.count())
        };
        let is_limited = |driver: &Arc<str>| {
            let given = self.limited_by_nodes.get(driver).copied().unwrap_or(0);
            self.limited_by_types.contains(driver)
                || given + limits(&edits.new_nodes, driver) > limits(&edits.former_nodes, driver)
        };
        limited_drivers(is_limited, pods)
    }

    /// The bound pods: classes as they are known, less those that are gone, and new ones.
    pub(super) fn bound<'a>(&'a self, parts: &'a Parts, edits: &Edits<'a>) -> Vec<BoundPods<'a>> {
        let mut gone: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for (place, _) in &edits.former {
            let item = self.item_of[*place];
            if item != NONE {
                let _new = gone.entry(item).or_default().insert(small(*place));
            }
        }
        let known = self.bound.iter().enumerate().filter_map(|(number, class)| {
            let Some(gone) = gone.get(&small(number)) else {
                let (first, _) = class.pods.first()?;
                return Some((*first, Cow::Borrowed(&class.nodes[..])));
            };
            let mut left: BTreeMap<u32, u32> = class.nodes.iter().copied().collect();
            for (place, node) in class.pods.iter().filter(|(place, _)| gone.contains(place)) {
                let replicas = parts.pod(*place as usize).replicas;
                if let Some(count) = left.get_mut(node) {
                    *count = count.saturating_sub(replicas);
                }
            }
            left.retain(|_, count| *count > 0);
            let (first, _) = class.pods.iter().find(|(place, _)| !gone.contains(place))?;
            Some((*first, Cow::Owned(left.into_iter().collect())))
        });
        let mut bound: Vec<(u32, BoundPods<'a>)> = known
            .map(|(first, nodes)| (first, BoundPods { exemplar: parts.pod(first as usize), nodes }))
            .collect();
        for (place, pod) in &edits.new {
            let Some(name) = &pod.node_name else { continue };
            let new = edits.new_nodes.iter().find(|(_, node)| node.name == *name);
            let given = || parts.given().nodes.binary_search_by(|node| node.name.cmp(name)).ok();
            if let Some(node) = new.map(|(place, _)| *place).or_else(given) {
                let nodes = Cow::Owned(vec![(small(node), pod.replicas)]);
                bound.push((small(*place), BoundPods { exemplar: pod, nodes }));
            }
        }
        // The order counts for those with required anti-affinity alone.
        let (mut owners, others): (Vec<_>, Vec<_>) = bound
            .into_iter()
            .partition(|(_, bound)| topology::keys_of_bound(bound.exemplar).next().is_some());
        owners.sort_by(|(_, one), (_, other)| {
            order_of_pods(one.exemplar).cmp(&order_of_pods(other.exemplar))
        });
        owners.into_iter().chain(others).map(|(_, bound)| bound).collect()
    }
}
