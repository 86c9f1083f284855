//! Required anti-affinity between pods of one host: who may not share a node with whom.
//!
//! A term keeps its owner away from nodes that run a selected pod, and kube-scheduler also keeps
//! selected pods away from nodes that run an owner: so a term is a symmetric conflict.
//!
//! Source: <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity>.

use super::id::{ClassId, IdVec};
use crate::model::{
    LabelSelector, Labels, Pod, PodAffinityTerm, Problem, SelectorOperator, well_known,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The namespaces and labels that a term of a given pod selects.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Selection {
    /// Names of namespaces, sorted; `None` means all.
    namespaces: Option<Vec<Arc<str>>>,
    /// Conditions that must all hold; `None` matches no pod.
    conditions: Option<Vec<Condition>>,
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Condition {
    key: Arc<str>,
    operator: SelectorOperator,
    values: Vec<Arc<str>>,
}

impl Selection {
    /// What a term of this pod selects: the keys of `matchLabelKeys` and `mismatchLabelKeys` take
    /// their values from the pod that has the term.
    pub(crate) fn of(term: &PodAffinityTerm, owner: &Pod, problem: &Problem) -> Self {
        let namespaces = match &term.namespace_selector {
            None if term.namespaces.is_empty() => Some(vec![owner.namespace.clone()]),
            None => Some(sorted(term.namespaces.iter().cloned())),
            Some(selector)
                if selector.match_labels.is_empty() && selector.match_expressions.is_empty() =>
            {
                None
            }
            Some(selector) => {
                let conditions = conditions(selector);
                let known = known_namespaces(problem);
                let chosen = known.into_iter().filter(|(_, labels)| matches(&conditions, labels));
                Some(sorted(chosen.map(|(name, _)| name).chain(term.namespaces.iter().cloned())))
            }
        };
        let conditions = term.label_selector.as_ref().map(|selector| {
            let mut conditions = conditions(selector);
            let keys = [
                (&term.match_label_keys, SelectorOperator::In),
                (&term.mismatch_label_keys, SelectorOperator::NotIn),
            ];
            for (keys, operator) in keys {
                for key in keys {
                    if let Some(value) = owner.labels.get(key) {
                        let values = vec![value.clone()];
                        conditions.push(Condition { key: key.clone(), operator, values });
                    }
                }
            }
            conditions.sort_unstable();
            conditions
        });
        Self { namespaces, conditions }
    }

    pub(crate) fn selects(&self, pod: &Pod) -> bool {
        let here = match &self.namespaces {
            None => true,
            Some(names) => names.binary_search(&pod.namespace).is_ok(),
        };
        here && self.conditions.as_ref().is_some_and(|conditions| matches(conditions, &pod.labels))
    }
}

fn sorted(names: impl Iterator<Item = Arc<str>>) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The namespaces of a problem, stated or merely used, with the label that each implies.
fn known_namespaces(problem: &Problem) -> BTreeMap<Arc<str>, Labels> {
    let mut known: BTreeMap<Arc<str>, Labels> = BTreeMap::new();
    let stated = problem.namespaces.iter().map(|entry| (&entry.name, entry.labels.clone()));
    let used = problem.pods.iter().map(|pod| (&pod.namespace, Labels::new()));
    for (name, labels) in stated.chain(used) {
        if !known.contains_key(name) {
            let mut labels = labels;
            let _former = labels.insert("kubernetes.io/metadata.name", name.clone());
            let _new = known.insert(name.clone(), labels);
        }
    }
    known
}

fn conditions(selector: &LabelSelector) -> Vec<Condition> {
    let equal = selector.match_labels.iter().map(|(key, value)| Condition {
        key: key.clone(),
        operator: SelectorOperator::In,
        values: vec![value.clone()],
    });
    let others = selector.match_expressions.iter().map(|entry| Condition {
        key: entry.key.clone(),
        operator: entry.operator,
        values: entry.values.clone(),
    });
    equal.chain(others).collect()
}

fn matches(conditions: &[Condition], labels: &Labels) -> bool {
    conditions.iter().all(|condition| {
        let value = labels.get(&condition.key);
        match condition.operator {
            SelectorOperator::In => value.is_some_and(|value| condition.values.contains(value)),
            SelectorOperator::NotIn => !value.is_some_and(|value| condition.values.contains(value)),
            SelectorOperator::Exists => value.is_some(),
            SelectorOperator::DoesNotExist => value.is_none(),
        }
    })
}

/// What a pod's required anti-affinity over host names selects.
pub(crate) fn host_selections(pod: &Pod, problem: &Problem) -> Vec<Selection> {
    let terms = pod.affinity.iter().flat_map(|rules| &rules.pod_anti_affinity.required);
    let over_hosts = terms.filter(|term| &*term.topology_key == well_known::HOSTNAME);
    over_hosts.map(|term| Selection::of(term, pod, problem)).collect()
}

/// For each class, the classes of which no pod may share a node with one of its own, sorted; a class
/// that is in its own list is alone of its kind on a node.
pub(crate) fn conflicts(
    exemplars: &IdVec<ClassId, &Pod>,
    problem: &Problem,
) -> IdVec<ClassId, Vec<ClassId>> {
    let mut owners: BTreeMap<Selection, Vec<ClassId>> = BTreeMap::new();
    for (class, pod) in exemplars.iter() {
        for selection in host_selections(pod, problem) {
            owners.entry(selection).or_default().push(class);
        }
    }
    let mut conflicts: IdVec<ClassId, Vec<ClassId>> =
        exemplars.iter().map(|_| Vec::new()).collect();
    let selections: Vec<&Selection> = owners.keys().collect();
    let index = Index::of(&selections);
    for (class, pod) in exemplars.iter() {
        let candidates = index.candidates(pod).map(|at| selections[at]);
        for selection in candidates.filter(|selection| selection.selects(pod)) {
            for owner in &owners[selection] {
                conflicts[class].push(*owner);
                conflicts[*owner].push(class);
            }
        }
    }
    for class in exemplars.ids() {
        conflicts[class].sort_unstable();
        conflicts[class].dedup();
    }
    conflicts
}

/// Selections by a label that they ask for, so that a pod meets only those that may select it.
struct Index<'s> {
    by_label: BTreeMap<(&'s Arc<str>, &'s Arc<str>), Vec<usize>>,
    /// Selections that ask for no one value of any label.
    others: Vec<usize>,
}

impl<'s> Index<'s> {
    fn of(selections: &[&'s Selection]) -> Self {
        let mut index = Self { by_label: BTreeMap::new(), others: Vec::new() };
        for (at, selection) in selections.iter().enumerate() {
            let mut conditions = selection.conditions.iter().flatten();
            let label = conditions.find_map(|condition| match &condition.values[..] {
                [value] if condition.operator == SelectorOperator::In => {
                    Some((&condition.key, value))
                }
                _ => None,
            });
            match label {
                Some(label) => index.by_label.entry(label).or_default().push(at),
                None => index.others.push(at),
            }
        }
        index
    }

    fn candidates<'i>(&'i self, pod: &'i Pod) -> impl Iterator<Item = usize> + 'i {
        let labelled = pod.labels.iter().filter_map(|label| self.by_label.get(&label));
        labelled.flatten().chain(&self.others).copied()
    }
}
