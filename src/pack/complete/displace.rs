//! Priorities: pods give up their place for more urgent ones.
//!
//! *Problem.* A pod stays out whose place less urgent ones hold: on one node, on a launch that
//! takes what is left of a limit, or in a domain that anti-affinity keeps it from.
//!
//! *Idea.* Less urgent pods are taken off one node, off one launch, or off all nodes; where an
//! order of binding is left for the rest the urgent come first, and then all are filled in again.
//! What leaves fewer pods out, the most urgent first, is kept.

use super::launch::LaunchChoices;
use super::order;
use super::placement::Placement;
use super::rules::item_of;
use super::{fill, is_better};
use crate::compile::ClassId;
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
pub(super) fn displace(placement: &mut Placement<'_>, choices: &LaunchChoices) {
    let size = placement.size_of_fill(choices);
    let mut tries = (MOST_WORK / size.max(1)).clamp(4, MOST_TRIES);
    let mut hopeless: BTreeSet<ClassId> = BTreeSet::new();
    loop {
        let waiting = placement.waiting(|_| ());
        let placeholder = |class: &ClassId| placement.compiled().items[item_of(*class)].placeholder;
        let next = waiting.into_iter().find(|class| {
            !placeholder(class) && !hopeless.contains(class) && has_lower(placement, *class)
        });
        let Some(class) = next else { return };
        if give_way(placement, choices, class, &mut tries) {
            hopeless.clear();
        } else {
            let _new = hopeless.insert(class);
        }
        if tries == 0 || placement.context.is_stopped() {
            return;
        }
    }
}

/// Takes all that is less urgent off all nodes, priority by priority, where that places more of
/// what is urgent: whoever is left out then has no place though nobody less urgent had one.
///
/// It needs a filling for each priority that is left out, and another for each that it changes: as
/// far as so many are allowed.
pub(super) fn by_level(placement: &mut Placement<'_>, choices: &LaunchChoices) {
    let compiled = placement.compiled();
    let mut passed: BTreeSet<Reverse<i32>> = BTreeSet::new();
    let size = placement.size_of_fill(choices);
    for _ in 0..(MOST_WORK / size.max(1)).clamp(4, MOST_LEVELS) {
        if placement.context.is_stopped() {
            return;
        }
        let level = |class: &ClassId| Reverse(compiled.items[item_of(*class)].priority);
        let next = placement.waiting(|_| ()).into_iter().find(|class| {
            !compiled.items[item_of(*class)].placeholder
                && !passed.contains(&level(class))
                && has_lower(placement, *class)
        });
        let Some(class) = next else { return };
        let _new = passed.insert(level(&class));
        let mut other = placement.clone();
        let groups: Vec<usize> = (0..other.groups.len()).collect();
        if take_lower(&mut other, &groups, class) {
            fill(&mut other, choices);
            if is_better(&other, placement) {
                *placement = other;
                // The more urgent ones have less room than before.
                passed.retain(|passed| *passed < level(&class));
            }
        }
    }
}

/// Whether a class is less urgent than another: placeholders are than all.
fn is_lower(placement: &Placement<'_>, pod_class: ClassId, than: ClassId) -> bool {
    let item = |pod_class: ClassId| &placement.compiled().items[item_of(pod_class)];
    let rank = |pod_class: ClassId| (!item(pod_class).placeholder, item(pod_class).priority);
    rank(pod_class) < rank(than)
}

fn has_lower(placement: &Placement<'_>, class: ClassId) -> bool {
    let mut pods = placement.groups.iter().flat_map(|nodes| &nodes.pods);
    pods.any(|(held, _)| is_lower(placement, *held, class))
}

/// Makes room for a class, if that places more of what is urgent.
fn give_way(
    placement: &mut Placement<'_>,
    choices: &LaunchChoices,
    class: ClassId,
    tries: &mut usize,
) -> bool {
    *tries = tries.saturating_sub(1);
    let mut all = placement.clone();
    let groups: Vec<usize> = (0..all.groups.len()).collect();
    let mut best: Option<Placement<'_>> = None;
    if take_lower(&mut all, &groups, class) {
        fill(&mut all, choices);
        if is_better(&all, placement) {
            best = Some(all);
        }
    }
    let mut of_item = MOST_OF_CLASS;
    for at in 0..placement.groups.len() {
        let held = &placement.groups[at].pods;
        if !held.iter().any(|(held, _)| is_lower(placement, *held, class)) {
            continue;
        }
        if *tries == 0 || of_item == 0 || placement.context.is_stopped() {
            break;
        }
        of_item -= 1;
        *tries -= 1;
        let mut other = placement.clone();
        let at = other.split(at, 1);
        if !take_lower(&mut other, &[at], class) {
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

/// Takes less urgent pods off some groups, and closes launches that are left empty; whether an
/// order of binding is left for the others.
fn take_lower(placement: &mut Placement<'_>, groups: &[usize], class: ClassId) -> bool {
    let mut changed: BTreeSet<ClassId> = BTreeSet::new();
    for at in groups {
        let lower = placement.groups[*at].pods.iter().copied();
        let lower: Vec<(ClassId, u32)> =
            lower.filter(|(held, _)| is_lower(placement, *held, class)).collect();
        for (held, each) in lower {
            placement.take(*at, held, each);
            let _new = changed.insert(placement.rules.component[held]);
        }
    }
    placement.close_empty(groups, &mut changed);
    changed.is_empty() || order::exists(placement, Some(&changed))
}
