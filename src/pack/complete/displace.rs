//! Priorities: pods give up their place for more urgent ones.
//!
//! *Problem.* A pod stays out whose place less urgent ones hold: on one node, on a launch that takes what
//! is left of a limit, or in a domain that anti-affinity keeps it from.
//!
//! *Idea.* Less urgent pods are taken off one node, off one launch, or off all nodes; where an order of
//! binding is left for the rest the urgent come first, and then all are filled in again. What leaves
//! fewer pods out, the most urgent first, is kept.

use super::launch::Choices;
use super::order;
use super::placement::Placement;
use super::rules::class_of;
use super::{fill, is_better};
use crate::compile::KindId;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// The most tries of one run, and of one class.
const MOST_TRIES: usize = 400;
const MOST_OF_CLASS: usize = 64;
/// The most fillings of one run, level by level.
const MOST_LEVELS: usize = 64;
/// Tries times groups of nodes and ways to launch one, times classes of pods.
const MOST_WORK: usize = 4_000_000;

/// Lets urgent pods that are left out take the places of less urgent ones.
pub(super) fn displace(placement: &mut Placement<'_>, choices: &Choices) {
    let size = placement.size_of_fill(choices);
    let mut tries = (MOST_WORK / size.max(1)).clamp(4, MOST_TRIES);
    let mut hopeless: BTreeSet<KindId> = BTreeSet::new();
    loop {
        let waiting = placement.waiting(|_| ());
        let guest = |kind: &KindId| placement.compiled().classes[class_of(*kind)].guest;
        let next = waiting
            .into_iter()
            .find(|kind| !guest(kind) && !hopeless.contains(kind) && has_lower(placement, *kind));
        let Some(kind) = next else { return };
        if give_way(placement, choices, kind, &mut tries) {
            hopeless.clear();
        } else {
            let _new = hopeless.insert(kind);
        }
        if tries == 0 || placement.context.is_stopped() {
            return;
        }
    }
}

/// Takes all that is less urgent off all nodes, priority by priority, where that places more of what is
/// urgent: whoever is left out then has no place though nobody less urgent had one.
///
/// It needs a filling for each priority that is left out, and another for each that it changes: as far as
/// so many are allowed.
pub(super) fn by_level(placement: &mut Placement<'_>, choices: &Choices) {
    let compiled = placement.compiled();
    let mut passed: BTreeSet<Reverse<i32>> = BTreeSet::new();
    let size = placement.size_of_fill(choices);
    for _ in 0..(MOST_WORK / size.max(1)).clamp(4, MOST_LEVELS) {
        if placement.context.is_stopped() {
            return;
        }
        let level = |kind: &KindId| Reverse(compiled.classes[class_of(*kind)].priority);
        let next = placement.waiting(|_| ()).into_iter().find(|kind| {
            !compiled.classes[class_of(*kind)].guest
                && !passed.contains(&level(kind))
                && has_lower(placement, *kind)
        });
        let Some(kind) = next else { return };
        let _new = passed.insert(level(&kind));
        let mut other = placement.clone();
        let groups: Vec<usize> = (0..other.groups.len()).collect();
        if take_lower(&mut other, &groups, kind) {
            fill(&mut other, choices);
            if is_better(&other, placement) {
                *placement = other;
                // The more urgent ones have less room than before.
                passed.retain(|passed| *passed < level(&kind));
            }
        }
    }
}

/// Whether a class is less urgent than another: guests are than all.
fn is_lower(placement: &Placement<'_>, kind: KindId, than: KindId) -> bool {
    let class = |kind: KindId| &placement.compiled().classes[class_of(kind)];
    let rank = |kind: KindId| (!class(kind).guest, class(kind).priority);
    rank(kind) < rank(than)
}

fn has_lower(placement: &Placement<'_>, kind: KindId) -> bool {
    let mut pods = placement.groups.iter().flat_map(|nodes| &nodes.pods);
    pods.any(|(held, _)| is_lower(placement, *held, kind))
}

/// Makes room for a class, if that places more of what is urgent.
fn give_way(
    placement: &mut Placement<'_>,
    choices: &Choices,
    kind: KindId,
    tries: &mut usize,
) -> bool {
    *tries = tries.saturating_sub(1);
    let mut all = placement.clone();
    let groups: Vec<usize> = (0..all.groups.len()).collect();
    let mut best: Option<Placement<'_>> = None;
    if take_lower(&mut all, &groups, kind) {
        fill(&mut all, choices);
        if is_better(&all, placement) {
            best = Some(all);
        }
    }
    let mut of_class = MOST_OF_CLASS;
    for at in 0..placement.groups.len() {
        let held = &placement.groups[at].pods;
        if !held.iter().any(|(held, _)| is_lower(placement, *held, kind)) {
            continue;
        }
        if *tries == 0 || of_class == 0 {
            break;
        }
        of_class -= 1;
        *tries -= 1;
        let mut other = placement.clone();
        let at = other.split(at, 1);
        if !take_lower(&mut other, &[at], kind) {
            continue;
        }
        fill(&mut other, choices);
        if is_better(&other, best.as_ref().unwrap_or(placement)) {
            best = Some(other);
        }
    }
    match best {
        Some(best) => {
            *placement = best;
            true
        }
        None => false,
    }
}

/// Takes less urgent pods off some groups, and closes launches that are left empty; whether an order of
/// binding is left for the others.
fn take_lower(placement: &mut Placement<'_>, groups: &[usize], kind: KindId) -> bool {
    let mut changed: BTreeSet<KindId> = BTreeSet::new();
    for at in groups {
        let lower = placement.groups[*at].pods.iter().copied();
        let lower: Vec<(KindId, u32)> =
            lower.filter(|(held, _)| is_lower(placement, *held, kind)).collect();
        for (held, each) in lower {
            placement.take(*at, held, each);
            let _new = changed.insert(placement.rules.component[held]);
        }
    }
    placement.close_empty(groups, &mut changed);
    changed.is_empty() || order::exists(placement, Some(&changed))
}
