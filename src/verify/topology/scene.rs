//! What stands when the plan is carried out: nodes, and pods by kind.

use super::super::account::Placement;
use super::super::facts::{Facts, Group, pod_name};
use super::super::label::{self, NodeLabels};
use super::super::taint;
use super::super::violation::Place;
use crate::model::{
    Affinity, LabelSelector, Labels, Pod, Taint, TopologySpreadConstraint, well_known,
};
use crate::plan::{LaunchPlan, LaunchSpec};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Nodes and the pods on them.
pub(super) struct Scene<'a> {
    pub(super) hosts: Vec<Host>,
    /// What nodes are like, each once.
    pub(super) looks: Vec<Look<'a>>,
    pub(super) kinds: Vec<Kind<'a>>,
    /// Pods that the plan places.
    pub(super) placed: Vec<Member>,
    /// Pods that run already.
    pub(super) bound: Vec<Member>,
    /// The kinds of entries of which the plan places pods.
    pub(super) of_entry: BTreeMap<usize, usize>,
}

/// A node of the problem or of the plan.
pub(super) struct Host {
    pub(super) look: usize,
    pub(super) place: Place,
}

/// What is known of a node's labels and taints.
pub(super) struct Look<'a> {
    pub(super) labels: NodeLabels<'a>,
    pub(super) taints: Vec<&'a Taint>,
}

/// Pods that no rule between pods tells apart.
pub(super) struct Kind<'a> {
    /// One of them.
    pub(super) pod: &'a Pod,
}

/// Pods of one kind on one node.
pub(super) struct Member {
    pub(super) kind: usize,
    pub(super) host: usize,
    pub(super) count: u64,
    /// "namespace/name" of the first.
    pub(super) first: Arc<str>,
}

/// What a kind is told by.
type Key<'a> = (
    &'a str,
    Vec<(&'a str, &'a str)>,
    Option<&'a Affinity>,
    &'a [TopologySpreadConstraint],
    Option<usize>,
    &'a [crate::model::Toleration],
);

impl<'a> Scene<'a> {
    pub(super) fn of(facts: &Facts<'a>, plan: &'a LaunchPlan, placement: &Placement<'a>) -> Self {
        let mut scene = Self {
            hosts: Vec::new(),
            looks: Vec::new(),
            kinds: Vec::new(),
            placed: Vec::new(),
            bound: Vec::new(),
            of_entry: BTreeMap::new(),
        };
        let read = ReadLabels::of(&facts.problem.pods);
        let mut kinds: HashMap<Key<'a>, usize, FixedState> = HashMap::default();
        let mut host_of: BTreeMap<usize, usize> = BTreeMap::new();
        for (at, node) in facts.problem.nodes.iter().enumerate().filter(|(_, node)| !node.deleting)
        {
            let _new = host_of.insert(at, scene.hosts.len());
            let look = scene.looks.len();
            scene.hosts.push(Host { look, place: Place::Node(node.name.clone()) });
            let (labels, taints) = (label::of_node(node), taint::of_node(facts, node));
            scene.looks.push(Look { labels, taints });
        }
        for (entry, pod) in facts.problem.pods.iter().enumerate() {
            let node = pod.node_name.as_ref().and_then(|name| facts.node(name));
            let Some(host) = node.and_then(|(at, _)| host_of.get(&at)).copied() else { continue };
            let kind = scene.kind(facts, &read, &mut kinds, entry, pod);
            let (count, first) = (u64::from(pod.replicas.max(1)), pod_name(pod, 0));
            scene.bound.push(Member { kind, host, count, first });
        }
        for (at, groups) in &placement.nodes {
            if let Some(host) = host_of.get(at).copied() {
                scene.place(facts, &read, &mut kinds, host, groups);
            }
        }
        let mut looks: BTreeMap<*const LaunchSpec, usize> = BTreeMap::new();
        for (at, (launch, groups)) in plan.launches.iter().zip(&placement.launches).enumerate() {
            let look = *looks.entry(Arc::as_ptr(&launch.spec)).or_insert_with(|| {
                let pool = facts.pool(&launch.spec.node_pool);
                scene.looks.push(Look {
                    labels: stated(&launch.spec.labels),
                    taints: pool.map_or_else(Vec::new, |(_, pool)| pool.taints.iter().collect()),
                });
                scene.looks.len().saturating_sub(1)
            });
            scene.hosts.push(Host { look, place: Place::Launch(at) });
            let host = scene.hosts.len().saturating_sub(1);
            scene.place(facts, &read, &mut kinds, host, groups);
        }
        scene
    }

    fn place(
        &mut self,
        facts: &Facts<'a>,
        read: &ReadLabels<'a>,
        kinds: &mut HashMap<Key<'a>, usize, FixedState>,
        host: usize,
        groups: &[Group<'a>],
    ) {
        for group in groups {
            let kind = self.kind(facts, read, kinds, group.entry, group.pod);
            let _same = self.of_entry.insert(group.entry, kind);
            let (count, first) = (group.count, group.first.clone());
            self.placed.push(Member { kind, host, count, first });
        }
    }

    fn kind(
        &mut self,
        facts: &Facts<'a>,
        read: &ReadLabels<'a>,
        kinds: &mut HashMap<Key<'a>, usize, FixedState>,
        entry: usize,
        pod: &'a Pod,
    ) -> usize {
        let labels = pod.labels.iter().filter(|(key, _)| read.keys.contains(&***key));
        let key: Key<'a> = (
            if read.any { &pod.namespace } else { "" },
            labels.map(|(key, value)| (&**key, &**value)).collect(),
            pod.affinity.as_deref(),
            &pod.topology_spread_constraints,
            facts.rules_of(entry),
            &pod.tolerations,
        );
        *kinds.entry(key).or_insert_with(|| {
            self.kinds.push(Kind { pod });
            self.kinds.len().saturating_sub(1)
        })
    }
}

/// The labels that a launch states, as those of its node; its hostname is its own.
fn stated(labels: &Labels) -> NodeLabels<'_> {
    let known = labels.iter().map(|(key, value)| (well_known::normalized(key), &**value));
    let known = known.filter(|(key, _)| *key != well_known::HOSTNAME).collect();
    NodeLabels { known, open: BTreeMap::new(), name: None }
}

/// The label keys that any rule between pods reads.
struct ReadLabels<'a> {
    keys: BTreeSet<&'a str>,
    /// Whether there is any such rule: without one, pods of different namespaces are the same.
    any: bool,
}

impl<'a> ReadLabels<'a> {
    fn of(pods: &'a [Pod]) -> Self {
        let mut read = Self { keys: BTreeSet::new(), any: false };
        for pod in pods {
            for one in &pod.topology_spread_constraints {
                read.any = true;
                read.selector(one.label_selector.as_ref());
                read.keys.extend(one.match_label_keys.iter().map(|key| &**key));
            }
            let Some(affinity) = pod.affinity.as_deref() else { continue };
            for rules in [&affinity.pod_affinity, &affinity.pod_anti_affinity] {
                let wishes = rules.preferred.iter().map(|wish| &wish.term);
                for term in rules.required.iter().chain(wishes) {
                    read.any = true;
                    read.selector(term.label_selector.as_ref());
                    let keys = term.match_label_keys.iter().chain(&term.mismatch_label_keys);
                    read.keys.extend(keys.map(|key| &**key));
                }
            }
        }
        read
    }

    fn selector(&mut self, selector: Option<&'a LabelSelector>) {
        let Some(selector) = selector else { return };
        self.keys.extend(selector.match_labels.iter().map(|(key, _)| &**key));
        self.keys.extend(selector.match_expressions.iter().map(|one| &*one.key));
    }
}
