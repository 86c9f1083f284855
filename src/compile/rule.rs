//! What pods ask of nodes, made dense: conditions on labels are numbered, conditions on taints are
//! lists of tolerations, and pods that ask the same share one set of rules.
//!
//! Each distinct label condition (a label key and a set of its states) is tested once against each
//! distinct value of its key, not once for each pod and node.
//!
//! *Idea.* Ten thousand classes mostly differ in what they request, not in what they ask of nodes,
//! so their rules come down to a few dozen sets. A set of rules is a conjunction: a selector's
//! conditions, one of the terms of node affinity, one of the terms of each volume, and the taints.
//!
//! *Cost.* A condition is tested against the values of its key, which are few, and the result
//! spread over sites by a table; a set of rules is then a handful of unions and intersections of
//! bits.

use super::taint::Tolerations;
use crate::error::InvalidInput;
use crate::model::{Labels, NodeSelectorTerm, Operator, Pod, Requirement, ValueSet, well_known};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The pseudo-label that holds a node's name, which `matchFields` reads.
pub(crate) const NODE_NAME: &str = "metadata.name";

/// The most ways to choose alternatives that a reason looks at.
const MOST_WAYS: usize = 256;

/// One condition: the number of an entry of [`NodeRuleSets::conditions`].
pub(crate) type ConditionIndex = usize;

/// What one class of pod asks of a node.
///
/// Equal sets are one, whichever pods have them.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct NodeRules {
    /// All must hold: the node selector, and the zones of volumes.
    pub(crate) all: Vec<ConditionIndex>,
    /// Those of the node selector alone: what counts as a pod's own rule about nodes.
    pub(crate) selector: Vec<ConditionIndex>,
    /// Where there are any, one of these must hold wholly; an empty term never does.
    pub(crate) terms: Option<Vec<Vec<ConditionIndex>>>,
    /// For each volume that has such terms, the same.
    pub(crate) volumes: Vec<Vec<Vec<ConditionIndex>>>,
    /// Which list of tolerations.
    pub(crate) tolerations: usize,
}

/// All conditions and sets of rules of a problem, each once.
///
/// Numbers are given in the order of first sight, that of the problem's pods.
#[derive(Debug, Default)]
pub(crate) struct NodeRuleSets {
    conditions: Vec<(Arc<str>, ValueSet)>,
    by_condition: BTreeMap<(Arc<str>, ValueSet), ConditionIndex>,
    pub(crate) tolerations: Tolerations,
    sets: Vec<NodeRules>,
    by_set: BTreeMap<NodeRules, usize>,
}

impl NodeRuleSets {
    /// The number of the set of rules that a pod has.
    pub(crate) fn of(&mut self, pod: &Pod) -> usize {
        let selector = self.selector(&pod.node_selector);
        let mut all = selector.clone();
        for volume in pod.volumes.iter().filter(|volume| !volume.zones.is_empty()) {
            let zones =
                Requirement::new(well_known::ZONE, Operator::In, volume.zones.iter().cloned());
            all.push(self.condition(&zones.key.clone(), ValueSet::from_requirement(&zones)));
        }
        all.sort_unstable();
        all.dedup();
        let volumes = pod.volumes.iter().map(|volume| &volume.node_selector_terms);
        let mut volumes: Vec<Vec<Vec<ConditionIndex>>> = volumes
            .filter(|terms| !terms.is_empty())
            .map(|terms| terms.iter().map(|term| self.term(term)).collect())
            .collect();
        volumes.sort_unstable();
        volumes.dedup();
        let required =
            pod.affinity.as_ref().and_then(|rules| rules.node_affinity.required.as_ref());
        let terms = required.map(|terms| terms.iter().map(|term| self.term(term)).collect());
        let tolerations = self.tolerations.number(&pod.tolerations);
        let rules = NodeRules { all, selector, terms, volumes, tolerations };
        if let Some(known) = self.by_set.get(&rules) {
            return *known;
        }
        self.sets.push(rules.clone());
        let _new = self.by_set.insert(rules, self.sets.len() - 1);
        self.sets.len() - 1
    }

    /// Whether a term of each list of alternatives of a set holds wholly, where label conditions
    /// hold as said.
    pub(crate) fn alternatives_hold(
        &self,
        set: usize,
        holds: impl Fn(ConditionIndex) -> bool,
    ) -> bool {
        let set = &self.sets[set];
        let mut lists = set.terms.iter().chain(&set.volumes);
        lists.all(|terms| {
            terms
                .iter()
                .any(|term| !term.is_empty() && term.iter().all(|condition| holds(*condition)))
        })
    }

    /// The conditions that a set puts on a node beside those that must all hold: for each way to
    /// choose one term of each of its lists, the first [`MOST_WAYS`] of them.
    pub(crate) fn alternatives(&self, set: usize) -> Vec<Vec<ConditionIndex>> {
        let set = &self.sets[set];
        let mut alternatives = vec![Vec::new()];
        for terms in set.terms.iter().chain(&set.volumes) {
            let beside = |alternative: &Vec<ConditionIndex>| {
                let alternative = alternative.clone();
                terms.iter().map(move |term| alternative.iter().chain(term).copied().collect())
            };
            alternatives = alternatives.iter().flat_map(beside).take(MOST_WAYS).collect();
        }
        alternatives
    }

    /// The sets of rules by number.
    pub(crate) fn sets(&self) -> &[NodeRules] {
        &self.sets
    }

    /// The label keys that a set of rules reads.
    pub(crate) fn keys(&self, set: usize) -> impl Iterator<Item = &Arc<str>> {
        let set = &self.sets[set];
        let terms = set.terms.iter().chain(&set.volumes).flatten();
        let conditions = set.all.iter().chain(terms.flatten());
        conditions.map(|condition| &self.conditions[*condition].0)
    }

    /// The conditions by number: a label key and the states in which it may be.
    pub(crate) fn conditions(&self) -> &[(Arc<str>, ValueSet)] {
        &self.conditions
    }

    fn selector(&mut self, selector: &Labels) -> Vec<ConditionIndex> {
        let conditions =
            selector.iter().map(|(key, value)| self.condition(key, ValueSet::one(value.clone())));
        conditions.collect()
    }

    /// The conditions of a term, all of which must hold; one without any never does.
    pub(crate) fn term(&mut self, term: &NodeSelectorTerm) -> Vec<ConditionIndex> {
        let mut conditions = Vec::new();
        for requirement in &term.match_expressions {
            conditions
                .push(self.condition(&requirement.key, ValueSet::from_requirement(requirement)));
        }
        for field in &term.match_fields {
            conditions.push(self.condition(&NODE_NAME.into(), ValueSet::from_requirement(field)));
        }
        conditions.sort_unstable();
        conditions.dedup();
        conditions
    }

    fn condition(&mut self, key: &Arc<str>, states: ValueSet) -> ConditionIndex {
        let wanted = (key.clone(), states);
        if let Some(known) = self.by_condition.get(&wanted) {
            return *known;
        }
        self.conditions.push(wanted.clone());
        let _new = self.by_condition.insert(wanted, self.conditions.len() - 1);
        self.conditions.len() - 1
    }
}

/// What is wrong with a problem of too many pairs of a set of rules and a site.
pub(crate) fn too_many(classes: usize, sites: usize, most: usize) -> InvalidInput {
    InvalidInput::new(
        "pods",
        format!("have too many kinds of rules ({classes}) for {sites} places"),
        format!("no more than {most} pairs of a rule and a place"),
    )
}
