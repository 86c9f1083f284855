//! Which pods a rule between pods means: namespaces and conditions on labels.
//!
//! Rules that mean the same pods share one selection, so that each pod is tested against each kind
//! of selector once, and only against those that ask for a label it has.
//!
//! Source:
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity>.

use super::id::{IdVec, SelectionId};
use crate::model::{
    LabelSelector, Labels, Namespace, Pod, PodAffinityTerm, SelectorOperator,
    TopologySpreadConstraint,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The namespaces and labels that a rule of a given pod selects.
///
/// In a normal form: two that select the same by the same words are equal, in whatever order they
/// were written.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Selection {
    /// Names of namespaces, sorted; `None` means all.
    namespaces: Option<Vec<Arc<str>>>,
    /// Conditions that must all hold; `None` matches no pod.
    conditions: Option<Vec<SelectorCondition>>,
}

/// One condition of a selector on one label.
///
/// `match_labels` are conditions too: `In` with one value.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct SelectorCondition {
    key: Arc<str>,
    operator: SelectorOperator,
    values: Vec<Arc<str>>,
}

/// The namespaces of a problem, stated or merely used, with the label that each implies.
///
/// Every namespace has `kubernetes.io/metadata.name`, whether it is stated or only used.
#[derive(Debug)]
pub(crate) struct Namespaces(BTreeMap<Arc<str>, Labels>);

impl Namespaces {
    /// Namespaces as they are stated, and those that pods are in.
    pub(crate) fn of<'a>(stated: &[Namespace], pods: impl Iterator<Item = &'a Pod>) -> Self {
        let mut known: BTreeMap<Arc<str>, Labels> = BTreeMap::new();
        let stated = stated.iter().map(|entry| (&entry.name, Some(&entry.labels)));
        let used = pods.map(|pod| (&pod.namespace, None));
        for (name, labels) in stated.chain(used) {
            if !known.contains_key(name) {
                let mut labels = labels.cloned().unwrap_or_default();
                let _former = labels.insert("kubernetes.io/metadata.name", name.clone());
                let _new = known.insert(name.clone(), labels);
            }
        }
        Self(known)
    }

    /// Whether a namespace is among them.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

impl Selection {
    /// What a term of this pod selects: the keys of `matchLabelKeys` and `mismatchLabelKeys` take
    /// their values from the pod that has the term.
    pub(crate) fn of(term: &PodAffinityTerm, owner: &Pod, namespaces: &Namespaces) -> Self {
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
                let chosen = namespaces.0.iter().filter(|(_, labels)| matches(&conditions, labels));
                let chosen = chosen.map(|(name, _)| name.clone());
                Some(sorted(chosen.chain(term.namespaces.iter().cloned())))
            }
        };
        let conditions = term.label_selector.as_ref().map(|selector| {
            let mut conditions = conditions(selector);
            extend(&mut conditions, &term.match_label_keys, SelectorOperator::In, owner);
            extend(&mut conditions, &term.mismatch_label_keys, SelectorOperator::NotIn, owner);
            conditions.sort_unstable();
            conditions
        });
        Self { namespaces, conditions }
    }

    /// What a spread constraint of this pod counts: pods of its own namespace.
    pub(crate) fn of_spread(constraint: &TopologySpreadConstraint, owner: &Pod) -> Self {
        let conditions = constraint.label_selector.as_ref().map(|selector| {
            let mut conditions = conditions(selector);
            extend(&mut conditions, &constraint.match_label_keys, SelectorOperator::In, owner);
            conditions.sort_unstable();
            conditions
        });
        Self { namespaces: Some(vec![owner.namespace.clone()]), conditions }
    }

    /// Whether it means a pod: by namespace, then by labels.
    pub(crate) fn selects(&self, pod: &Pod) -> bool {
        let here = match &self.namespaces {
            None => true,
            Some(names) => names.binary_search(&pod.namespace).is_ok(),
        };
        here && self.conditions.as_ref().is_some_and(|conditions| matches(conditions, &pod.labels))
    }
}

/// Adds what keys say that take their value from the owner; a key that it lacks says nothing.
fn extend(
    conditions: &mut Vec<SelectorCondition>,
    keys: &[Arc<str>],
    operator: SelectorOperator,
    owner: &Pod,
) {
    for key in keys {
        if let Some(value) = owner.labels.get(key) {
            conditions.push(SelectorCondition {
                key: key.clone(),
                operator,
                values: vec![value.clone()],
            });
        }
    }
}

/// Names in order, each once.
fn sorted(names: impl Iterator<Item = Arc<str>>) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether a selector means a pod with these labels.
pub(crate) fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    matches(&conditions(selector), labels)
}

/// A selector's conditions in one form, whichever way they were written.
fn conditions(selector: &LabelSelector) -> Vec<SelectorCondition> {
    let equal = selector.match_labels.iter().map(|(key, value)| SelectorCondition {
        key: key.clone(),
        operator: SelectorOperator::In,
        values: vec![value.clone()],
    });
    let others = selector.match_expressions.iter().map(|entry| SelectorCondition {
        key: entry.key.clone(),
        operator: entry.operator,
        values: entry.values.clone(),
    });
    equal.chain(others).collect()
}

/// Whether labels meet all conditions; a missing label meets `NotIn` and `DoesNotExist`.
fn matches(conditions: &[SelectorCondition], labels: &Labels) -> bool {
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

/// The distinct selections of a problem, by number.
#[derive(Debug, Default)]
pub(crate) struct Selections {
    numbers: BTreeMap<Selection, SelectionId>,
    list: IdVec<SelectionId, Selection>,
}

impl Selections {
    /// The id of a selection, which is new where it wasn't seen.
    pub(crate) fn number(&mut self, selection: Selection) -> SelectionId {
        if let Some(known) = self.numbers.get(&selection) {
            return *known;
        }
        let id = self.list.push(selection.clone());
        let _new = self.numbers.insert(selection, id);
        id
    }

    /// Whether a selection selects a pod.
    pub(crate) fn selects(&self, selection: SelectionId, pod: &Pod) -> bool {
        self.list[selection].selects(pod)
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// A way to find the selections that a pod is in without testing them all.
    ///
    /// Most selectors ask for one value of some label (`app: web`): a pod then looks up its own
    /// labels and tries what it finds there.
    pub(crate) fn index(&self) -> Index<'_> {
        let mut index =
            Index { selections: &self.list, by_label: BTreeMap::new(), others: Vec::new() };
        for (id, selection) in self.list.iter() {
            let mut conditions = selection.conditions.iter().flatten();
            let label = conditions.find_map(|condition| match &condition.values[..] {
                [value] if condition.operator == SelectorOperator::In => {
                    Some((&condition.key, value))
                }
                _ => None,
            });
            match label {
                Some((key, value)) => {
                    index.by_label.entry(key).or_default().entry(value).or_default().push(id);
                }
                None => index.others.push(id),
            }
        }
        index
    }
}

/// Selections by a label that they ask for, so that a pod meets only those that may select it.
#[derive(Debug)]
pub(crate) struct Index<'s> {
    selections: &'s IdVec<SelectionId, Selection>,
    by_label: BTreeMap<&'s Arc<str>, BTreeMap<&'s Arc<str>, Vec<SelectionId>>>,
    /// Selections that ask for no one value of any label.
    others: Vec<SelectionId>,
}

impl Index<'_> {
    /// The selections that select a pod, in no particular order.
    pub(crate) fn selecting<'i>(&'i self, pod: &'i Pod) -> impl Iterator<Item = SelectionId> + 'i {
        let of_label = |(key, value)| self.by_label.get(key)?.get(value);
        let labelled = pod.labels.iter().filter_map(of_label);
        let candidates = labelled.flatten().chain(&self.others).copied();
        candidates.filter(|id| self.selections[*id].selects(pod))
    }
}
