//! The labels of sites, made dense: for each label key that a rule reads, the value at each site.

use super::bits::Bits;
use super::rule::Rules;
use crate::model::{ValueSet, integer, neighbours};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The number of a label's state: 0 is absent, others are values.
pub(crate) type State = u32;

/// For each label key that a rule reads: which values occur, and which site has which.
#[derive(Debug)]
pub(crate) struct LabelTable {
    columns: BTreeMap<Arc<str>, Column>,
}

#[derive(Debug, Default)]
struct Column {
    /// The atoms of the rules that read this key, with the states each admits.
    atoms: Vec<(usize, ValueSet)>,
    /// Whether every value counts for itself: those are domains of a rule between pods.
    apart: bool,
    values: Vec<Arc<str>>,
    numbers: BTreeMap<Arc<str>, State>,
    states: Vec<State>,
}

impl LabelTable {
    /// A table for the keys that the rules read, and `also` these, and those whose values are to be
    /// told `apart`; no sites yet.
    pub(crate) fn new(
        rules: &Rules,
        also: impl IntoIterator<Item = Arc<str>>,
        apart: impl IntoIterator<Item = Arc<str>>,
    ) -> Self {
        let mut columns: BTreeMap<Arc<str>, Column> = BTreeMap::new();
        for (atom, (key, states)) in rules.atoms().iter().enumerate() {
            columns.entry(key.clone()).or_default().atoms.push((atom, states.clone()));
        }
        for key in also {
            let _column = columns.entry(key).or_default();
        }
        for key in apart {
            columns.entry(key).or_default().apart = true;
        }
        Self { columns }
    }

    /// The keys, in the order in which [`LabelTable::push`] wants the states.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.columns.keys()
    }

    /// Whether any rule reads a key.
    pub(crate) fn is_read(&self, key: &str) -> bool {
        self.columns.get(key).is_some_and(|column| column.apart || !column.atoms.is_empty())
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
        let mut candidates: BTreeSet<Arc<str>> = match may_be.finite_values() {
            Some(values) => values.clone(),
            None => {
                let read = column.atoms.iter().flat_map(|(_, states)| states.mentioned());
                let named: BTreeSet<Arc<str>> = read.chain(may_be.mentioned()).collect();
                let beside = named.iter().filter_map(|value| integer(value)).flat_map(neighbours);
                let beside: Vec<Arc<str>> = beside.collect();
                named.into_iter().chain(beside).chain(["other".into(), "other-1".into()]).collect()
            }
        };
        candidates.retain(|value| may_be.admits(Some(value)));
        let reaction = |state: Option<&str>| -> Vec<bool> {
            column.atoms.iter().map(|(_, states)| states.admits(state)).collect()
        };
        let mut seen = BTreeSet::new();
        let absent = may_be.admits(None) && seen.insert(reaction(None));
        candidates.retain(|value| column.apart || seen.insert(reaction(Some(value))));
        let mut states: Vec<State> = if absent { vec![0] } else { Vec::new() };
        for value in &candidates {
            states.push(self.state(key, value));
        }
        states
    }

    /// For each atom of the rules, the sites at which it holds.
    pub(crate) fn holds(&self, rules: &Rules, sites: usize) -> Vec<Bits> {
        let mut holds = vec![Bits::none(sites); rules.atoms().len()];
        for column in self.columns.values() {
            for (atom, states) in &column.atoms {
                let admits: Vec<bool> = std::iter::once(states.admits(None))
                    .chain(column.values.iter().map(|value| states.admits(Some(value))))
                    .collect();
                for (site, state) in column.states.iter().enumerate() {
                    if admits[*state as usize] {
                        holds[*atom].insert(site);
                    }
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
