//! How many pods every node may be asked to hold for the sake of spreads over nodes.
//!
//! *Problem.* Where no fresh node can be launched, a spread over nodes allows a node as many pods
//! as the lowest of those that stand has, and its skew: with one node that is any number. So the
//! most that a node may hold depends on what all others hold.
//!
//! *Idea.* What the lowest node holds is guessed, rule by rule: each guess is a search of its own,
//! in which every node that a rule counts has to hold so many, and may hold so many more than its
//! skew.
//!
//! *Why it is right.* Every plan has some lowest node. No guess is needed of a rule of which no
//! owner is counted by itself: nothing that it holds makes a node too full for it.
//!
//! *Cost.* [`MOST_LEVELS`] searches at most, of which each has what the others leave of the steps.

use super::super::tuning::hosts::MOST_LEVELS;
use super::Task;
use crate::compile::{Bits, Id, ItemId, SelectionId, TopologyKey};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A spread over nodes: the pods that it counts, its skew, and the nodes that it counts.
pub(super) type HostSpreadKey = (SelectionId, i64, Arc<Bits>);

/// How many pods of each rule every node that it counts has to hold.
pub(super) type HostLevels = BTreeMap<HostSpreadKey, i64>;

/// The spreads over nodes that count some of their owners.
fn rules(task: &Task<'_>) -> BTreeSet<HostSpreadKey> {
    let topology = &task.context.compiled.topology;
    let mut rules = BTreeSet::new();
    for kept_class in &task.kept_classes.list {
        let spreads = topology.rules[kept_class.class].spreads.iter();
        let own = spreads.filter(|one| {
            one.hard
                && one.key == TopologyKey::Hostname
                && topology.selects(one.selection, kept_class.class)
        });
        rules.extend(own.map(|one| (one.selection, one.max_skew, one.counted.clone())));
    }
    rules
}

/// The combinations of guesses of which any is above nothing.
pub(super) fn levels(task: &Task<'_>) -> Vec<HostLevels> {
    let rules = rules(task);
    // The fewer rules there are, the higher guesses are made of each.
    let each = match rules.len() {
        0 | 1 => MOST_LEVELS,
        2 => 8,
        3 => 4,
        _ => 2,
    };
    let mut all = vec![HostLevels::new()];
    for rule in rules {
        let guesses = each.min(most(task, &rule).saturating_add(1));
        let guesses = if all.len() * guesses > MOST_LEVELS { 1 } else { guesses };
        let with = |level: i64| {
            let one = |levels: &HostLevels| {
                let mut levels = levels.clone();
                let _former = levels.insert(rule.clone(), level);
                levels
            };
            all.iter().map(one).collect::<Vec<HostLevels>>()
        };
        all = (0..).take(guesses).flat_map(with).collect();
    }
    all.retain(|levels| levels.values().any(|level| *level > 0));
    all
}

/// The most pods that a node can hold of those that a rule counts.
fn most(task: &Task<'_>, (selection, ..): &HostSpreadKey) -> usize {
    let (kept_classes, topology) = (task.kept_classes, &task.context.compiled.topology);
    let bound = topology.selections[*selection].bound.iter().map(|(_, count)| *count as usize);
    let counted = (0..kept_classes.list.len())
        .filter(|at| topology.selects(*selection, kept_classes.list[*at].class))
        .map(|at| kept_classes.compiled.items[ItemId::from_index(at)].count as usize);
    counted.fold(bound.max().unwrap_or(0), usize::saturating_add)
}
