//! Whether a term of anti-affinity selects any pod of the problem: one that selects none keeps its
//! pod from no domain, and reads no label of a node.
//!
//! All pods count, pending ones and bound ones, those on nodes on the way out too. A pod that comes
//! later may be one that the term selects; then the problem is another.
//!
//! Source: <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/>.
//!
//! *Cost.* Mostly a term selects its owner, or asks for a label that few pods have. What else there
//! is to ask of all pods is asked once of each term.

use super::super::anti_affinity::term_selects;
use super::super::facts::Facts;
use crate::model::{Pod, PodAffinityTerm, SelectorOperator};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::collections::BTreeMap;

/// A term, with what it takes from its owner: the namespace, and values of labels.
type OwnedTerm<'a> = (&'a PodAffinityTerm, &'a str, Vec<Option<&'a str>>);

/// The pods of a problem by their labels.
pub(super) struct SelectedPods<'f, 'a> {
    facts: &'f Facts<'a>,
    /// Pods by a label that they have, once that was asked.
    by_label: Option<BTreeMap<(&'a str, &'a str), Vec<&'a Pod>>>,
    known: HashMap<OwnedTerm<'a>, bool, FixedState>,
}

impl<'f, 'a> SelectedPods<'f, 'a> {
    pub(super) fn of(facts: &'f Facts<'a>) -> Self {
        Self { facts, by_label: None, known: HashMap::default() }
    }

    /// Whether a term of a pod selects any pod, its owner among them.
    pub(super) fn are_any(&mut self, owner: &'a Pod, term: &'a PodAffinityTerm) -> bool {
        let Some(selector) = &term.label_selector else { return false };
        if term_selects(self.facts, owner, term, owner) {
            return true;
        }
        let keys = term.match_label_keys.iter().chain(&term.mismatch_label_keys);
        let taken = keys.map(|key| owner.labels.get(key).map(|value| &**value)).collect();
        let asked: OwnedTerm<'a> = (term, &*owner.namespace, taken);
        if let Some(known) = self.known.get(&asked) {
            return *known;
        }
        let equal = selector.match_labels.iter().map(|(key, value)| (&**key, &**value)).next();
        let mut listed =
            selector.match_expressions.iter().filter_map(|one| match &one.values[..] {
                [value] if one.operator == SelectorOperator::In => Some((&*one.key, &**value)),
                _ => None,
            });
        let facts = self.facts;
        let selects = |pod: &&'a Pod| term_selects(facts, owner, term, pod);
        let are_any = match equal.or_else(|| listed.next()) {
            Some(label) => {
                let by_label = self.by_label.get_or_insert_with(|| by_label(facts));
                by_label.get(&label).into_iter().flatten().any(selects)
            }
            None => facts.problem.pods.iter().any(|pod| selects(&pod)),
        };
        let _new = self.known.insert(asked, are_any);
        are_any
    }
}

fn by_label<'a>(facts: &Facts<'a>) -> BTreeMap<(&'a str, &'a str), Vec<&'a Pod>> {
    let mut by_label: BTreeMap<(&str, &str), Vec<&Pod>> = BTreeMap::new();
    for pod in &facts.problem.pods {
        for (key, value) in pod.labels.iter() {
            by_label.entry((key, value)).or_default().push(pod);
        }
    }
    by_label
}
