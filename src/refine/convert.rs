//! From a packing to an instance and patterns, and back.

use super::instance::{Instance, Pattern, Site};
use super::round::Draft;
use crate::bound::Demand;
use crate::compile::{ClassId, Compiled, NodeId};
use crate::pack::{Group, Place, State, right_size, seat_guests};
use std::collections::{BTreeMap, BTreeSet};

/// A packing with what may be packed anew told apart from what stays.
///
/// Launches of one weight are packed anew at a time, so that no pod changes to a pool of another weight.
/// What is on running nodes stays there: it costs nothing.
#[derive(Debug)]
pub(super) struct Movable {
    /// What each placed pod asks for, by class.
    pub(super) demands: Vec<Demand>,
    weight: i32,
}

impl Movable {
    /// The weights of the pools that the packing launches from, static ones aside.
    pub(super) fn weights(compiled: &Compiled, state: &State) -> BTreeSet<i32> {
        let launched = state.groups.iter().filter_map(|group| match group.place {
            Place::Launch(column) => Some(&compiled.columns[column]),
            Place::Running(_) => None,
        });
        launched
            .filter(|column| compiled.pools[column.pool].fixed.is_none())
            .map(|column| column.weight)
            .collect()
    }

    /// The launches from pools of a weight.
    pub(super) fn of(compiled: &Compiled, state: &State, weight: i32) -> Self {
        let mut movable = Self { demands: Vec::new(), weight };
        let mut counts: BTreeMap<ClassId, u32> = BTreeMap::new();
        for group in state.groups.iter().filter(|group| movable.takes(compiled, group)) {
            for (class, count) in &group.items {
                if !compiled.classes[*class].guest {
                    *counts.entry(*class).or_insert(0) += count * group.times;
                }
            }
        }
        let demands = counts.into_iter().map(|(class, count)| Demand {
            class,
            weight: Some(weight),
            count,
            beyond_running: 0,
        });
        movable.demands = demands.collect();
        movable
    }

    /// The packing without what is packed anew.
    pub(super) fn rest(&self, compiled: &Compiled, state: &State) -> State {
        let mut rest = state.clone();
        for at in (0..rest.groups.len()).rev() {
            if self.takes(compiled, &rest.groups[at]) {
                let _apart = rest.take_out(compiled, at);
            }
        }
        rest
    }

    /// Whether a group is packed anew.
    fn takes(&self, compiled: &Compiled, group: &Group) -> bool {
        match group.place {
            Place::Launch(column) => {
                let column = &compiled.columns[column];
                column.weight == self.weight && compiled.pools[column.pool].fixed.is_none()
            }
            Place::Running(_) => false,
        }
    }
}

/// The groups of a packing that may be packed anew as patterns of an instance, with how often.
pub(super) fn patterns(
    instance: &Instance<'_>,
    movable: &Movable,
    state: &State,
) -> Vec<(Pattern, u32)> {
    let compiled = instance.context.compiled;
    let mut launched: BTreeMap<usize, u32> = BTreeMap::new();
    let mut standing: BTreeMap<NodeId, u32> = BTreeMap::new();
    for (number, bin) in (0..).zip(&instance.bins) {
        match &bin.site {
            Site::Launch(column) => {
                let _none = launched.insert(*column, number);
            }
            Site::Running(nodes) => standing.extend(nodes.iter().map(|node| (*node, number))),
        }
    }
    let numbers: BTreeMap<ClassId, u32> =
        instance.demands.iter().map(|demand| demand.class).zip(0..).collect();
    let mut patterns: BTreeMap<Pattern, u32> = BTreeMap::new();
    for group in state.groups.iter().filter(|group| movable.takes(compiled, group)) {
        let held = group.items.iter();
        let mut items: Vec<(u32, u32)> =
            held.filter_map(|(class, count)| Some((*numbers.get(class)?, *count))).collect();
        items.sort_unstable();
        let mut note = |bin: u32, times: u32| {
            *patterns.entry(Pattern { bin, items: items.clone() }).or_insert(0) += times;
        };
        match &group.place {
            Place::Launch(column) => {
                launched.get(column).into_iter().for_each(|bin| note(*bin, group.times));
            }
            Place::Running(nodes) => {
                nodes.iter().filter_map(|node| standing.get(node)).for_each(|bin| note(*bin, 1));
            }
        }
    }
    patterns.into_iter().filter(|(pattern, _)| !pattern.items.is_empty()).collect()
}

/// A plan as a packing, each launch on the cheapest column that holds it.
///
/// All other groups are those of the packing that it takes the place of.
pub(super) fn state(
    instance: &Instance<'_>,
    movable: &Movable,
    draft: &Draft,
    former: &State,
) -> State {
    let context = instance.context;
    let compiled = context.compiled;
    let mut state = State::new(compiled);
    for group in former.groups.iter().filter(|group| !movable.takes(compiled, group)) {
        if let Place::Running(nodes) = &group.place {
            state.idle.retain(|node| !nodes.contains(node));
        }
        let mut group = group.clone();
        group.items.retain(|(class, _)| !compiled.classes[*class].guest);
        group.load = load_of(compiled, &group.items);
        state.add(compiled, group);
    }
    let mut next: BTreeMap<u32, usize> = BTreeMap::new();
    for (pattern, times) in &draft.groups {
        let mut items: BTreeMap<ClassId, u32> = BTreeMap::new();
        for (demand, count) in &pattern.items {
            *items.entry(instance.demands[*demand as usize].class).or_insert(0) += count;
        }
        let items: Vec<(ClassId, u32)> = items.into_iter().collect();
        let load = load_of(compiled, &items);
        let place = match &instance.bins[pattern.bin as usize].site {
            Site::Launch(column) => Place::Launch(*column),
            Site::Running(nodes) => {
                let from = next.entry(pattern.bin).or_insert(0);
                let chosen: Vec<NodeId> = nodes[*from..][..*times as usize].to_vec();
                *from += *times as usize;
                state.idle.retain(|node| !chosen.contains(node));
                Place::Running(chosen)
            }
        };
        state.add(compiled, Group { place, items, load, times: *times });
    }
    right_size(context, &mut state);
    seat_guests(context, &mut state);
    state
}

/// What pods request together.
fn load_of(compiled: &Compiled, items: &[(ClassId, u32)]) -> Vec<i64> {
    let mut load = vec![0_i64; compiled.dims.len()];
    for (class, count) in items {
        let request = &compiled.classes[*class].request;
        load.iter_mut().zip(request).for_each(|(sum, each)| *sum += each * i64::from(*count));
    }
    load
}
