//! What stands when the plan is carried out: nodes, and pods by class.
//!
//! Rules between pods read labels, namespaces and rules of pods, and labels and taints of nodes,
//! nothing else. Pods that agree in these are one class, and nodes are told by their look, so that
//! a plan of a million pods is a few hundred classes on some thousand hosts. Each host is a node of
//! the problem or of the plan; each has the pods that run there already and those that the plan
//! adds, counted by class, with the name of the first to speak of.
//!
//! Nodes that are being deleted and pods on them are no part of it: Kubernetes' scheduler wouldn't
//! count them once they are gone.

use super::super::account::PodPlaces;
use super::super::facts::{EntryPods, Facts, pod_name};
use super::super::label::{self, NodeLabels};
use super::super::taint;
use super::super::violation::PlanPlace;
use crate::model::{
    Affinity, LabelSelector, Labels, Pod, Taint, TopologySpreadConstraint, well_known,
};
use crate::plan::{LaunchPlan, LaunchTemplate};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Nodes and the pods on them.
pub(super) struct FinalState<'a> {
    pub(super) hosts: Vec<FinalNode>,
    /// What nodes are like, each once.
    pub(super) profiles: Vec<NodeProfile<'a>>,
    pub(super) classes: Vec<TopologyClass<'a>>,
    /// Pods that the plan places, those of a class on a node together.
    pub(super) placed: Vec<PodsOnNode>,
    /// Pods that run already.
    pub(super) bound: Vec<PodsOnNode>,
    /// The classes of entries of which the plan places pods.
    pub(super) of_entry: BTreeMap<usize, usize>,
}

/// A node of the problem or of the plan.
pub(super) struct FinalNode {
    pub(super) profile: usize,
    pub(super) place: PlanPlace,
}

/// What is known of a node's labels and taints.
pub(super) struct NodeProfile<'a> {
    pub(super) labels: NodeLabels<'a>,
    pub(super) taints: Vec<&'a Taint>,
}

/// Pods that no rule between pods tells apart.
pub(super) struct TopologyClass<'a> {
    /// One of them.
    pub(super) pod: &'a Pod,
}

/// Pods of one class on one node.
pub(super) struct PodsOnNode {
    pub(super) class: usize,
    pub(super) host: usize,
    pub(super) count: u64,
    /// "namespace/name" of the first.
    pub(super) first: Arc<str>,
}

/// What a class is told by.
///
/// Labels that no selector reads are left out of it, and the namespace where no rule asks for one.
type TopologyClassKey<'a> = (
    &'a str,
    Vec<(&'a str, &'a str)>,
    Option<&'a Affinity>,
    &'a [TopologySpreadConstraint],
    Option<usize>,
    &'a [crate::model::Toleration],
);

impl<'a> FinalState<'a> {
    /// What stands when a plan is carried out.
    ///
    /// The nodes of the problem come first, then the launches, in the plan's order; a launch has
    /// the look of its template, so that ten thousand launches of one template are one look. Bound
    /// pods are told from placed ones throughout: only placed ones have to be accepted.
    pub(super) fn of(facts: &Facts<'a>, plan: &'a LaunchPlan, placement: &PodPlaces<'a>) -> Self {
        let mut state = Self {
            hosts: Vec::new(),
            profiles: Vec::new(),
            classes: Vec::new(),
            placed: Vec::new(),
            bound: Vec::new(),
            of_entry: BTreeMap::new(),
        };
        let read = SelectorLabels::of(&facts.problem.pods);
        let mut classes: HashMap<TopologyClassKey<'a>, usize, FixedState> = HashMap::default();
        let mut host_of: BTreeMap<usize, usize> = BTreeMap::new();
        for (at, node) in facts.problem.nodes.iter().enumerate().filter(|(_, node)| !node.deleting)
        {
            let _new = host_of.insert(at, state.hosts.len());
            let profile = state.profiles.len();
            state.hosts.push(FinalNode { profile, place: PlanPlace::Node(node.name.clone()) });
            let (labels, taints) = (label::of_node(node), taint::of_node(facts, node));
            state.profiles.push(NodeProfile { labels, taints });
        }
        for (entry, pod) in facts.problem.pods.iter().enumerate() {
            let node = pod.node_name.as_ref().and_then(|name| facts.node(name));
            let Some(host) = node.and_then(|(at, _)| host_of.get(&at)).copied() else { continue };
            let class = state.class(facts, &read, &mut classes, entry, pod);
            let (count, first) = (u64::from(pod.replicas.max(1)), pod_name(pod, 0));
            state.bound.push(PodsOnNode { class, host, count, first });
        }
        for (at, groups) in &placement.nodes {
            if let Some(host) = host_of.get(at).copied() {
                state.place(facts, &read, &mut classes, host, groups);
            }
        }
        for group in &placement.anywhere {
            let class = state.class(facts, &read, &mut classes, group.entry, group.pod);
            let _new = state.of_entry.insert(group.entry, class);
        }
        let mut profiles: BTreeMap<*const LaunchTemplate, usize> = BTreeMap::new();
        for (at, (launch, groups)) in plan.launches.iter().zip(&placement.launches).enumerate() {
            let profile = *profiles.entry(Arc::as_ptr(&launch.template)).or_insert_with(|| {
                let pool = facts.pool(&launch.template.node_pool);
                state.profiles.push(NodeProfile {
                    labels: stated(&launch.template.labels),
                    taints: pool.map_or_else(Vec::new, |(_, pool)| pool.taints.iter().collect()),
                });
                state.profiles.len().saturating_sub(1)
            });
            state.hosts.push(FinalNode { profile, place: PlanPlace::Launch(at) });
            let host = state.hosts.len().saturating_sub(1);
            state.place(facts, &read, &mut classes, host, groups);
        }
        state
    }

    fn place(
        &mut self,
        facts: &Facts<'a>,
        read: &SelectorLabels<'a>,
        classes: &mut HashMap<TopologyClassKey<'a>, usize, FixedState>,
        host: usize,
        groups: &[EntryPods<'a>],
    ) {
        let mut known: BTreeMap<usize, usize> = BTreeMap::new();
        for group in groups {
            let class = self.class(facts, read, classes, group.entry, group.pod);
            let _same = self.of_entry.insert(group.entry, class);
            let at = *known.entry(class).or_insert(self.placed.len());
            match self.placed.get_mut(at) {
                Some(member) => member.count = member.count.saturating_add(group.count),
                None => {
                    let (count, first) = (group.count, group.first.clone());
                    self.placed.push(PodsOnNode { class, host, count, first });
                }
            }
        }
    }

    fn class(
        &mut self,
        facts: &Facts<'a>,
        read: &SelectorLabels<'a>,
        classes: &mut HashMap<TopologyClassKey<'a>, usize, FixedState>,
        entry: usize,
        pod: &'a Pod,
    ) -> usize {
        let labels = pod.labels.iter().filter(|(key, _)| read.keys.contains(&***key));
        let key: TopologyClassKey<'a> = (
            if read.any { &pod.namespace } else { "" },
            labels.map(|(key, value)| (&**key, &**value)).collect(),
            pod.affinity.as_deref(),
            &pod.topology_spread_constraints,
            facts.rules_of(entry),
            &pod.tolerations,
        );
        *classes.entry(key).or_insert_with(|| {
            self.classes.push(TopologyClass { pod });
            self.classes.len().saturating_sub(1)
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
struct SelectorLabels<'a> {
    keys: BTreeSet<&'a str>,
    /// Whether there is any such rule: without one, pods of different namespaces are the same.
    any: bool,
}

impl<'a> SelectorLabels<'a> {
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
                let preferred_terms =
                    rules.preferred.iter().map(|preferred_term| &preferred_term.term);
                for term in rules.required.iter().chain(preferred_terms) {
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
