//! What pods ask of nodes, made dense: conditions on labels are *atoms*, conditions on taints are
//! lists of tolerations, and pods that ask the same share one set of rules.
//!
//! Each distinct atom (a label key and a set of its states) is tested once against each distinct
//! value of its key, not once for each pod and node.

use super::taint::Tolerations;
use crate::error::InvalidInput;
use crate::model::{Labels, NodeSelectorTerm, Operator, Pod, Requirement, ValueSet, well_known};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The pseudo-label that holds a node's name, which `matchFields` reads.
pub(crate) const NODE_NAME: &str = "metadata.name";

/// The most ways to choose alternatives that a reason looks at.
const MOST_WAYS: usize = 256;

/// One condition: the number of an entry of [`Rules::atoms`].
pub(crate) type Atom = usize;

/// What one kind of pod asks of a node.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct NodeRules {
    /// All must hold: the node selector, and the zones of volumes.
    pub(crate) all: Vec<Atom>,
    /// Those of the node selector alone: what counts as a pod's own rule about nodes.
    pub(crate) selector: Vec<Atom>,
    /// Where there are any, one of these must hold wholly; an empty term never does.
    pub(crate) terms: Option<Vec<Vec<Atom>>>,
    /// For each volume that has such terms, the same.
    pub(crate) volumes: Vec<Vec<Vec<Atom>>>,
    /// Which list of tolerations.
    pub(crate) tolerations: usize,
}

/// All conditions and sets of rules of a problem, each once.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    atoms: Vec<(Arc<str>, ValueSet)>,
    by_atom: BTreeMap<(Arc<str>, ValueSet), Atom>,
    pub(crate) tolerations: Tolerations,
    sets: Vec<NodeRules>,
    by_set: BTreeMap<NodeRules, usize>,
}

impl Rules {
    /// The number of the set of rules that a pod has.
    pub(crate) fn of(&mut self, pod: &Pod) -> usize {
        let selector = self.selector(&pod.node_selector);
        let mut all = selector.clone();
        for volume in pod.volumes.iter().filter(|volume| !volume.zones.is_empty()) {
            let zones =
                Requirement::new(well_known::ZONE, Operator::In, volume.zones.iter().cloned());
            all.push(self.atom(&zones.key.clone(), ValueSet::from_requirement(&zones)));
        }
        all.sort_unstable();
        all.dedup();
        let volumes = pod.volumes.iter().map(|volume| &volume.node_selector_terms);
        let mut volumes: Vec<Vec<Vec<Atom>>> = volumes
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

    /// Whether a term of each list of alternatives of a set holds wholly, where atoms hold as said.
    pub(crate) fn alternatives_hold(&self, set: usize, holds: impl Fn(Atom) -> bool) -> bool {
        let set = &self.sets[set];
        let mut lists = set.terms.iter().chain(&set.volumes);
        lists.all(|terms| {
            terms.iter().any(|term| !term.is_empty() && term.iter().all(|atom| holds(*atom)))
        })
    }

    /// The conditions that a set puts on a node beside those that must all hold: for each way to choose
    /// one term of each of its lists, the first [`MOST_WAYS`] of them.
    pub(crate) fn ways(&self, set: usize) -> Vec<Vec<Atom>> {
        let set = &self.sets[set];
        let mut ways = vec![Vec::new()];
        for terms in set.terms.iter().chain(&set.volumes) {
            let beside = |way: &Vec<Atom>| {
                let way = way.clone();
                terms.iter().map(move |term| way.iter().chain(term).copied().collect())
            };
            ways = ways.iter().flat_map(beside).take(MOST_WAYS).collect();
        }
        ways
    }

    /// The sets of rules by number.
    pub(crate) fn sets(&self) -> &[NodeRules] {
        &self.sets
    }

    /// The label keys that a set of rules reads.
    pub(crate) fn keys(&self, set: usize) -> impl Iterator<Item = &Arc<str>> {
        let set = &self.sets[set];
        let terms = set.terms.iter().chain(&set.volumes).flatten();
        let atoms = set.all.iter().chain(terms.flatten());
        atoms.map(|atom| &self.atoms[*atom].0)
    }

    /// The conditions by number: a label key and the states in which it may be.
    pub(crate) fn atoms(&self) -> &[(Arc<str>, ValueSet)] {
        &self.atoms
    }

    fn selector(&mut self, selector: &Labels) -> Vec<Atom> {
        let atoms =
            selector.iter().map(|(key, value)| self.atom(key, ValueSet::one(value.clone())));
        atoms.collect()
    }

    /// The conditions of a term, all of which must hold; one without any never does.
    pub(crate) fn term(&mut self, term: &NodeSelectorTerm) -> Vec<Atom> {
        let mut atoms = Vec::new();
        for requirement in &term.match_expressions {
            atoms.push(self.atom(&requirement.key, ValueSet::from_requirement(requirement)));
        }
        for field in &term.match_fields {
            atoms.push(self.atom(&NODE_NAME.into(), ValueSet::from_requirement(field)));
        }
        atoms.sort_unstable();
        atoms.dedup();
        atoms
    }

    fn atom(&mut self, key: &Arc<str>, states: ValueSet) -> Atom {
        let wanted = (key.clone(), states);
        if let Some(known) = self.by_atom.get(&wanted) {
            return *known;
        }
        self.atoms.push(wanted.clone());
        let _new = self.by_atom.insert(wanted, self.atoms.len() - 1);
        self.atoms.len() - 1
    }
}

/// What is wrong with a problem of too many pairs of a set of rules and a site.
pub(crate) fn too_many(kinds: usize, sites: usize, most: usize) -> InvalidInput {
    InvalidInput::new(
        "pods",
        format!("have too many kinds of rules ({kinds}) for {sites} places"),
        format!("no more than {most} pairs of a rule and a place"),
    )
}
