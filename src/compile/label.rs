//! The labels of sites, made dense: for each label key that a rule reads, the value at each site.

use super::bits::Bits;
use super::node;
use super::open::{OpenDomains, Readers};
use super::rule::Rules;
use crate::model::{Node, ValueSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The number of a label's state: 0 is absent, others are values.
pub(crate) type State = u32;

/// For each label key that a rule reads: which values occur, and which site has which.
#[derive(Clone, Debug, Default)]
pub(crate) struct LabelTable {
    columns: BTreeMap<Arc<str>, Column>,
}

#[derive(Clone, Debug, Default)]
struct Column {
    /// The atoms of the rules that read this key.
    readers: Readers,
    /// Where every value counts for itself, as a domain of a rule between pods: what is known of them.
    domains: Option<OpenDomains>,
    values: Vec<Arc<str>>,
    numbers: BTreeMap<Arc<str>, State>,
    states: Vec<State>,
    /// What stands for the states of a label that is left open: few sets are asked for, and often.
    representatives: BTreeMap<ValueSet, Vec<State>>,
}

/// Where the labels of a running node are found.
pub(crate) enum NodeLabels<'n> {
    /// In the larger table, at this place behind the offers.
    Known(u32),
    /// On the node itself.
    New(&'n Node),
}

impl LabelTable {
    /// A table for the keys that the rules read, and `also` these, and those whose values are domains; no
    /// sites yet.
    pub(crate) fn new(
        rules: &Rules,
        also: impl IntoIterator<Item = Arc<str>>,
        domains: impl IntoIterator<Item = (Arc<str>, OpenDomains)>,
    ) -> Self {
        let mut columns: BTreeMap<Arc<str>, Column> = BTreeMap::new();
        for (atom, (key, states)) in rules.atoms().iter().enumerate() {
            columns.entry(key.clone()).or_default().readers.add(atom, states);
        }
        for key in also {
            let _column = columns.entry(key).or_default();
        }
        for (key, domains) in domains {
            columns.entry(key).or_default().domains = Some(domains);
        }
        Self { columns }
    }

    /// The table that others read of a larger one: its columns for the keys that these rules read, and
    /// `also` these, and `domains`, at the offers and at some nodes. `None` where a key has no column there.
    ///
    /// Values have the numbers that they would have had they been noted in the order of the sites. So many
    /// values of a key are those of the offers, which no table changes.
    pub(crate) fn taken_from(
        (all, offered, offers): (&Self, &BTreeMap<Arc<str>, usize>, usize),
        rules: &Rules,
        also: impl IntoIterator<Item = Arc<str>>,
        domains: &BTreeSet<Arc<str>>,
        nodes: &[NodeLabels<'_>],
    ) -> Option<Self> {
        let domains = domains.iter().map(|key| (key.clone(), OpenDomains::default()));
        let mut table = Self::new(rules, also, domains);
        for (key, column) in &mut table.columns {
            let known = all.columns.get(key)?;
            let offered = *offered.get(key)?;
            column.values = known.values[..offered].to_vec();
            column.states = Vec::with_capacity(offers + nodes.len());
            column.states.extend(&known.states[..offers]);
            // Where nodes have values that offers haven't, by the numbers of the larger table.
            let mut renumbered = vec![0; known.values.len() + 1];
            let mut new: BTreeMap<&Arc<str>, State> = BTreeMap::new();
            for node in nodes {
                let (state, value) = match node {
                    NodeLabels::Known(entry) => {
                        let state = known.states[offers + *entry as usize];
                        let value = (state as usize).checked_sub(1).map(|at| &known.values[at]);
                        (Some(state), value)
                    }
                    NodeLabels::New(node) => {
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
                        column.values.push(value.clone());
                        let number = State::try_from(column.values.len()).unwrap_or(State::MAX);
                        match state {
                            Some(state) => renumbered[state as usize] = number,
                            None => {
                                let _new = new.insert(value, number);
                            }
                        }
                        number
                    }
                };
                column.states.push(number);
            }
        }
        Some(table)
    }

    /// The values of a key so far.
    pub(crate) fn values(&self, key: &str) -> &[Arc<str>] {
        self.columns.get(key).map_or(&[], |column| &column.values)
    }

    /// The keys, in the order in which [`LabelTable::push`] wants the states.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.columns.keys()
    }

    /// Whether any rule reads a key.
    pub(crate) fn is_read(&self, key: &str) -> bool {
        self.columns
            .get(key)
            .is_some_and(|column| column.domains.is_some() || !column.readers.is_empty())
    }

    /// The number of a key's value.
    pub(crate) fn state(&mut self, key: &str, value: &Arc<str>) -> State {
        let Some(column) = self.columns.get_mut(key) else { return 0 };
        if let Some(known) = column.numbers.get(value) {
            return *known;
        }
        column.values.push(value.clone());
        let number = State::try_from(column.values.len()).unwrap_or(State::MAX);
        let _new = column.numbers.insert(value.clone(), number);
        number
    }

    /// The value that a state of a key stands for.
    pub(crate) fn value(&self, key: &str, state: State) -> Option<&Arc<str>> {
        self.columns.get(key)?.values.get((state as usize).checked_sub(1)?)
    }

    /// Adds a site with these states, one for each key.
    pub(crate) fn push(&mut self, states: &[State]) {
        for (column, state) in self.columns.values_mut().zip(states) {
            column.states.push(*state);
        }
    }

    /// The states that stand for all that a key may be in: where rules tell two states apart, both
    /// are there; where none does, one is.
    pub(crate) fn representatives(&mut self, key: &str, may_be: &ValueSet) -> Vec<State> {
        let Some(column) = self.columns.get(key) else { return vec![0] };
        if let Some(known) = column.representatives.get(may_be) {
            return known.clone();
        }
        let found = column.readers.representatives(may_be, column.domains.as_ref());
        let number = |state: &Option<Arc<str>>| match state {
            Some(value) => self.state(key, value),
            None => 0,
        };
        let states: Vec<State> = found.iter().map(number).collect();
        if let Some(column) = self.columns.get_mut(key) {
            let _new = column.representatives.insert(may_be.clone(), states.clone());
        }
        states
    }

    /// For each atom of the rules, the sites at which it holds.
    pub(crate) fn holds(&self, rules: &Rules, sites: usize) -> Vec<Bits> {
        let mut holds = vec![Bits::none(sites); rules.atoms().len()];
        for column in self.columns.values() {
            let mut at: Vec<Vec<usize>> = vec![Vec::new(); column.values.len() + 1];
            column
                .states
                .iter()
                .enumerate()
                .for_each(|(site, state)| at[*state as usize].push(site));
            let values = column.values.iter().map(|value| Some(&**value));
            for (state, sites) in std::iter::once(None).chain(values).zip(&at) {
                if sites.is_empty() {
                    continue;
                }
                for atom in column.readers.admitting(state) {
                    sites.iter().for_each(|site| holds[atom].insert(*site));
                }
            }
        }
        holds
    }

    /// The state of a key at each site.
    pub(crate) fn states(&self, key: &str) -> &[State] {
        self.columns.get(key).map_or(&[], |column| &column.states)
    }
}
