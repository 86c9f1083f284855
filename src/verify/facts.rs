//! The problem as the checks read it: things by name, and nothing derived that a rule decides.
//!
//! Everything here is a way to find things: by name, by position, by equal rules. No rule is
//! decided, nothing is rounded or normalised but spellings of label keys, and all of it borrows
//! from the problem.
//!
//! *Cost.* A pass over the problem; for pods a key of what they say about nodes, hashed, so that
//! entries which say the same are judged once by whoever asks ([`Facts::rules_of`]).

use super::node_affinity::{NodeRulesKey, PodNodeRules};
use crate::model::{
    InstanceType, LabelSelector, Namespace, Node, NodePool, Pod, Problem, SelectorOperator,
    well_known,
};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A problem with an index of its names.
pub(super) struct Facts<'a> {
    pub(super) problem: &'a Problem,
    /// Label keys that some instance type or offering declares.
    pub(super) declared: BTreeSet<&'a str>,
    pools: BTreeMap<&'a str, usize>,
    types: BTreeMap<&'a str, usize>,
    nodes: BTreeMap<&'a str, usize>,
    /// By namespace, name, and whether it is a set of replicas: a single pod may have its name.
    pods: BTreeMap<(&'a str, &'a str, bool), usize>,
    namespaces: BTreeMap<&'a str, &'a Namespace>,
    /// By pod entry: entries with the same rules about nodes have the same number.
    rules: Vec<usize>,
}

/// The pods of one entry of the problem that are in one place.
///
/// Pods of one entry are the same in every rule but for their names, so a rule is asked once and
/// reports the first by name.
#[derive(Clone, Debug)]
pub(super) struct EntryPods<'a> {
    pub(super) pod: &'a Pod,
    pub(super) entry: usize,
    pub(super) count: u64,
    /// "namespace/name" of the first of them.
    pub(super) first: Arc<str>,
    /// "namespace/name" of the last of them.
    pub(super) last: Arc<str>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(problem: &'a Problem) -> Self {
        let mut declared = BTreeSet::from([
            well_known::ZONE,
            well_known::CAPACITY_TYPE,
            well_known::INSTANCE_TYPE,
        ]);
        for instance_type in &problem.instance_types {
            let offered =
                instance_type.offerings.iter().flat_map(|offering| offering.labels.iter());
            let labels = instance_type.labels.iter().chain(offered).map(|(key, _)| key);
            let required = instance_type.requirements.iter().map(|requirement| &requirement.key);
            declared.extend(labels.chain(required).map(|key| well_known::normalized(key)));
        }
        let mut numbers: HashMap<NodeRulesKey<'a>, usize, FixedState> = HashMap::default();
        let rules = problem
            .pods
            .iter()
            .map(|pod| {
                let next = numbers.len();
                *numbers.entry(PodNodeRules::of(pod).said()).or_insert(next)
            })
            .collect();
        Self {
            problem,
            declared,
            pools: by_name(problem.node_pools.iter().map(|pool| &*pool.name)),
            types: by_name(problem.instance_types.iter().map(|instance_type| &*instance_type.name)),
            nodes: by_name(problem.nodes.iter().map(|node| &*node.name)),
            pods: by_name(
                problem.pods.iter().map(|pod| (&*pod.namespace, &*pod.name, pod.replicas > 1)),
            ),
            namespaces: problem.namespaces.iter().map(|one| (&*one.name, one)).collect(),
            rules,
        }
    }

    pub(super) fn pool(&self, name: &str) -> Option<(usize, &'a NodePool)> {
        let at = *self.pools.get(name)?;
        Some((at, self.problem.node_pools.get(at)?))
    }

    pub(super) fn instance_type(&self, name: &str) -> Option<(usize, &'a InstanceType)> {
        let at = *self.types.get(name)?;
        Some((at, self.problem.instance_types.get(at)?))
    }

    pub(super) fn node(&self, name: &str) -> Option<(usize, &'a Node)> {
        let at = *self.nodes.get(name)?;
        Some((at, self.problem.nodes.get(at)?))
    }

    /// The number of an entry's rules about nodes.
    pub(super) fn rules_of(&self, entry: usize) -> Option<usize> {
        self.rules.get(entry).copied()
    }

    /// The entry and the replica that a "namespace/name" means.
    ///
    /// "web-1" is replica 1 of the set "web", unless there is an entry of that name; "web-01" is
    /// nobody, since replicas aren't written so.
    pub(super) fn pod(&self, name: &str) -> Option<(usize, &'a Pod, u32)> {
        if let Some((at, pod)) = self.entry(name) {
            return (pod.replicas <= 1).then_some((at, pod, 0));
        }
        let (stem, replica) = name.rsplit_once('-')?;
        let (namespace, stem) = stem.split_once('/')?;
        let at = *self.pods.get(&(namespace, stem, true))?;
        let pod = self.problem.pods.get(at)?;
        let number: u32 = replica.parse().ok()?;
        let written = number.to_string() == replica;
        (written && number < pod.replicas).then_some((at, pod, number))
    }

    /// The entry that a certificate calls so: "namespace/name" of a single pod, "namespace/name-*"
    /// of replicas, which aren't told apart.
    pub(super) fn entry(&self, name: &str) -> Option<(usize, &'a Pod)> {
        let (namespace, name) = name.split_once('/')?;
        let stem = name.strip_suffix("-*");
        let at = *self.pods.get(&(namespace, stem.unwrap_or(name), stem.is_some()))?;
        Some((at, self.problem.pods.get(at)?))
    }

    /// Whether a selector of namespaces matches a namespace, whose name is one of its labels.
    ///
    /// A namespace that the problem doesn't list has its name as its only label, as every namespace
    /// has in Kubernetes.
    pub(super) fn namespace_matches(&self, selector: &LabelSelector, name: &str) -> bool {
        selects(selector, |key| {
            if key == "kubernetes.io/metadata.name" {
                return Some(name);
            }
            self.namespaces.get(name)?.labels.get(key).map(|value| &**value)
        })
    }
}

/// Whether a selector matches labels.
pub(super) fn selects<'l>(
    selector: &LabelSelector,
    label: impl Fn(&str) -> Option<&'l str>,
) -> bool {
    selector.match_labels.iter().all(|(key, value)| label(key) == Some(&**value))
        && selector.match_expressions.iter().all(|expression| {
            let value = label(&expression.key);
            let listed = value.is_some_and(|v| expression.values.iter().any(|one| **one == *v));
            match expression.operator {
                SelectorOperator::In => listed,
                SelectorOperator::NotIn => !listed,
                SelectorOperator::Exists => value.is_some(),
                SelectorOperator::DoesNotExist => value.is_none(),
            }
        })
}

/// "namespace/name" of one replica of an entry.
pub(super) fn pod_name(pod: &Pod, replica: u32) -> Arc<str> {
    if pod.replicas > 1 {
        format!("{}/{}-{replica}", pod.namespace, pod.name).into()
    } else {
        format!("{}/{}", pod.namespace, pod.name).into()
    }
}

fn by_name<N: Ord>(names: impl Iterator<Item = N>) -> BTreeMap<N, usize> {
    names.enumerate().map(|(at, name)| (name, at)).collect()
}
