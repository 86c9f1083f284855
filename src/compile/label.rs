//! The labels of sites, made dense: for each label key that a rule reads, the value at each site.
//!
//! *Idea.* One column for each label key that some rule reads, with one small number for each site:
//! the state of the label there. A condition is then decided once for each *state* of its key, and
//! the sites in that state take the answer over.
//!
//! *Cost.* Memory is sites times keys read, four bytes each; keys that nobody reads have no column.

use super::bits::Bits;
use super::node;
use super::open::{OpenDomains, Readers};
use super::rule::NodeRuleSets;
use crate::model::{Node, ValueSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The number of a label's state: 0 is absent, others are values.
pub(crate) type LabelState = u32;

/// For each label key that a rule reads: which values occur, and which site has which.
///
/// Sites are pushed in their order, offers first; states are numbered as they are first seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct LabelTable {
    columns: BTreeMap<Arc<str>, LabelColumn>,
}

#[derive(Clone, Debug, Default)]
struct LabelColumn {
    /// The label conditions of the rules that read this key.
    readers: Readers,
    /// Where every value counts for itself, as a domain of a rule between pods: what is known of
    /// them.
    domains: Option<OpenDomains>,
    values: Vec<Arc<str>>,
    numbers: BTreeMap<Arc<str>, LabelState>,
    states: Vec<LabelState>,
    /// What stands for the states of a label that is left open: few sets are asked for, and often.
    representatives: BTreeMap<ValueSet, Vec<LabelState>>,
}

/// Where the labels of a running node are found.
///
/// For a what-if, whose nodes are mostly those of the problem.
pub(crate) enum LabelSource<'n> {
    /// In the larger table, at this place behind the offers.
    Known(u32),
    /// On the node itself.
    New(&'n Node),
}

impl LabelTable {
    /// A table for the keys that the rules read, and `also` these, and those whose values are
    /// domains; no sites yet.
    pub(crate) fn new(
        rules: &NodeRuleSets,
        also: impl IntoIterator<Item = Arc<str>>,
        domains: impl IntoIterator<Item = (Arc<str>, OpenDomains)>,
    ) -> Self {
        let mut bin_types: BTreeMap<Arc<str>, LabelColumn> = BTreeMap::new();
        for (condition, (key, states)) in rules.conditions().iter().enumerate() {
            bin_types.entry(key.clone()).or_default().readers.add(condition, states);
        }
        for key in also {
            let _bin_type = bin_types.entry(key).or_default();
        }
        for (key, domains) in domains {
            bin_types.entry(key).or_default().domains = Some(domains);
        }
        Self { columns: bin_types }
    }

    /// The table that others read of a larger one: its columns for the keys that these rules read,
    /// and `also` these, and `domains`, at the offers and at some nodes. `None` where a key has no
    /// column there.
    ///
    /// Values have the numbers that they would have had they been noted in the order of the sites.
    /// So many values of a key are those of the offers, which no table changes.
    pub(crate) fn taken_from(
        (all, offered, offers): (&Self, &BTreeMap<Arc<str>, usize>, usize),
        rules: &NodeRuleSets,
        also: impl IntoIterator<Item = Arc<str>>,
        domains: &BTreeSet<Arc<str>>,
        nodes: &[LabelSource<'_>],
    ) -> Option<Self> {
        let domains = domains.iter().map(|key| (key.clone(), OpenDomains::default()));
        let mut table = Self::new(rules, also, domains);
        for (key, bin_type) in &mut table.columns {
            let known = all.columns.get(key)?;
            let offered = *offered.get(key)?;
            bin_type.values = known.values[..offered].to_vec();
            bin_type.states = Vec::with_capacity(offers + nodes.len());
            bin_type.states.extend(&known.states[..offers]);
            // Where nodes have values that offers haven't, by the numbers of the larger table.
            let mut renumbered = vec![0; known.values.len() + 1];
            let mut new: BTreeMap<&Arc<str>, LabelState> = BTreeMap::new();
            for node in nodes {
                let (state, value) = match node {
                    LabelSource::Known(entry) => {
                        let state = known.states[offers + *entry as usize];
                        let value = (state as usize).checked_sub(1).map(|at| &known.values[at]);
                        (Some(state), value)
                    }
                    LabelSource::New(node) => {
                        let value = node::label(node, key);
                        (value.map_or(Some(0), |value| known.numbers.get(value).copied()), value)
                    }
                };
                let number = match (state, value) {
                    (Some(state), _) if state as usize <= offered => state,
                    (Some(state), _) if renumbered[state as usize] != 0 => {
                        renumbered[state as usize]
                    }
                    (None, Some(value)) if new.contains_key(value) => new[value],
                    (_, None) => 0,
                    (state, Some(value)) => {
                        bin_type.values.push(value.clone());
                        let number =
                            LabelState::try_from(bin_type.values.len()).unwrap_or(LabelState::MAX);
                        match state {
                            Some(state) => renumbered[state as usize] = number,
                            None => {
                                let _new = new.insert(value, number);
                            }
                        }
                        number
                    }
                };
                bin_type.states.push(number);
            }
        }
        Some(table)
    }

    /// The values of a key so far.
    pub(crate) fn values(&self, key: &str) -> &[Arc<str>] {
        self.columns.get(key).map_or(&[], |bin_type| &bin_type.values)
    }

    /// The keys, in the order in which [`LabelTable::push`] wants the states.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.columns.keys()
    }

    /// Whether any rule reads a key.
    pub(crate) fn is_read(&self, key: &str) -> bool {
        self.columns
            .get(key)
            .is_some_and(|bin_type| bin_type.domains.is_some() || !bin_type.readers.is_empty())
    }

    /// The number of a key's value.
    pub(crate) fn state(&mut self, key: &str, value: &Arc<str>) -> LabelState {
        let Some(bin_type) = self.columns.get_mut(key) else { return 0 };
        if let Some(known) = bin_type.numbers.get(value) {
            return *known;
        }
        bin_type.values.push(value.clone());
        let number = LabelState::try_from(bin_type.values.len()).unwrap_or(LabelState::MAX);
        let _new = bin_type.numbers.insert(value.clone(), number);
        number
    }

    /// The value that a state of a key stands for.
    pub(crate) fn value(&self, key: &str, state: LabelState) -> Option<&Arc<str>> {
        self.columns.get(key)?.values.get((state as usize).checked_sub(1)?)
    }

    /// Adds a site with these states, one for each key.
    pub(crate) fn push(&mut self, states: &[LabelState]) {
        for (bin_type, state) in self.columns.values_mut().zip(states) {
            bin_type.states.push(*state);
        }
    }

    /// The states that stand for all that a key may be in: where rules tell two states apart, both
    /// are there; where none does, one is.
    pub(crate) fn representatives(&mut self, key: &str, may_be: &ValueSet) -> Vec<LabelState> {
        let Some(bin_type) = self.columns.get(key) else { return vec![0] };
        if let Some(known) = bin_type.representatives.get(may_be) {
            return known.clone();
        }
        let found = bin_type.readers.representatives(may_be, bin_type.domains.as_ref());
        let number = |state: &Option<Arc<str>>| match state {
            Some(value) => self.state(key, value),
            None => 0,
        };
        let states: Vec<LabelState> = found.iter().map(number).collect();
        if let Some(bin_type) = self.columns.get_mut(key) {
            let _new = bin_type.representatives.insert(may_be.clone(), states.clone());
        }
        states
    }

    /// For each label condition of the rules, the sites at which it holds.
    pub(crate) fn holds(&self, rules: &NodeRuleSets, sites: usize) -> Vec<Bits> {
        let mut holds = vec![Bits::none(sites); rules.conditions().len()];
        for bin_type in self.columns.values() {
            let mut at: Vec<Vec<usize>> = vec![Vec::new(); bin_type.values.len() + 1];
            bin_type
                .states
                .iter()
                .enumerate()
                .for_each(|(site, state)| at[*state as usize].push(site));
            let values = bin_type.values.iter().map(|value| Some(&**value));
            for (state, sites) in std::iter::once(None).chain(values).zip(&at) {
                if sites.is_empty() {
                    continue;
                }
                for condition in bin_type.readers.admitting(state) {
                    sites.iter().for_each(|site| holds[condition].insert(*site));
                }
            }
        }
        holds
    }

    /// The state of a key at each site.
    pub(crate) fn states(&self, key: &str) -> &[LabelState] {
        self.columns.get(key).map_or(&[], |bin_type| &bin_type.states)
    }
}
