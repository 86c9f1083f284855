//! Completing a plan: no pod stays out that finds a place in it as it stands.
//!
//! *Problem.* Domains are chosen before it is known what limits, reservations and nodes have room
//! for, so the packer gives up pods that kube-scheduler would bind to the nodes of the very plan;
//! and what one class of pods gives back is not filled again.
//!
//! *Idea.* The plan as it stands, nodes with their pods, is a [`placement::Placement`]: what each
//! node holds, what every rule counts in which domain, what is left of limits. Whether a pod is
//! allowed on a node now is asked in kube-scheduler's terms, with the domains of nodes that stand.
//! What is left out is bound last, class by class, lowest domain first, pass after pass
//! ([`fill`](mod@fill)); for the rest further nodes are launched ([`launch`]); urgent pods take the
//! places of less urgent ones ([`displace`]); static nodes that hold nothing are gathered where they
//! hold nobody down ([`mod@gather`]); parts of the plan are taken out and put back better
//! ([`mod@recreate`]).
//!
//! *Why it is right.* A pod that is accepted after all others may be bound last, so an order of
//! binding goes on to be one. Whatever else changes is kept only where a new order is found
//! ([`order`]).
//!
//! *Cost.* Nothing where no pod is left out. Else classes × groups of equal nodes for each pass.
//!
//! # Files
//!
//! | file | what it does |
//! |---|---|
//! | [`placement`], [`rule_counts`], [`rules`] | the plan as it stands, and what rules count in it |
//! | [`fill`](mod@fill), [`launch`], [`launch_table`] | places for pods left out: on nodes that stand, on further launches |
//! | [`displace`] | urgent pods in place of others |
//! | [`recreate`](mod@recreate), [`rebuild`] | parts taken out and put back; the way back to a packing |
//! | [`order`] | whether there is an order of binding |
//! | [`reasons`](mod@reasons), [`substitute`], [`supply`], [`of_plan`] | what is told about a finished plan |

mod displace;
mod fill;
mod gather;
mod launch;
mod launch_table;
mod of_plan;
mod order;
mod placement;
mod reasons;
mod rebuild;
mod recreate;
mod rule_counts;
mod rules;
mod substitute;
mod supply;

use super::assigned_packing::AssignedPacking;
use super::packing::Context;
use crate::compile::{ClassId, OfferId};
use launch::{LaunchChoices, LaunchScoring};
use placement::Placement;
pub(crate) use reasons::{Exclusion, exclusions, reasons};
use rebuild::Leeway;
pub(crate) use recreate::improve as recreate;
pub(crate) use rule_counts::RuleCounts;
pub(crate) use rules::item_of;
pub(crate) use rules::{HostSpread, PlacementRules};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
pub(crate) use substitute::{Wanted, substitutes};
pub(crate) use supply::supplies;

/// The most classes that are filled in one by one, where all together can't be written down as a
/// packing.
const MOST_ALONE: usize = 64;

/// Places what finds a place in a packing as it stands, the most urgent first; whether there was
/// any.
///
/// Kept only if fewer pods stay out, the most urgent first, and if what came out can be written
/// down as a packing with an order of binding.
pub(crate) fn complete(context: &Context<'_>, packed: &mut AssignedPacking) -> bool {
    let whole = context.compiled;
    let left = packed.left(whole);
    let over_skew: BTreeSet<ClassId> = whole.over_skew.iter().map(|(_, class)| *class).collect();
    let may_be_placed = |class| whole.placeable[item_of(class)] || over_skew.contains(&class);
    if !left.iter().any(|(class, left)| *left > 0 && may_be_placed(class)) {
        return false;
    }
    let rules = PlacementRules::of(whole);
    let start = Placement::of(context, &rules, packed);
    let choices = LaunchChoices::of(&start);
    let mut placement = start.clone();
    fill(&mut placement, &choices);
    displace::displace(&mut placement, &choices);
    recreate::place_more(&mut placement, &choices);
    settle(&mut placement, &choices);
    placement.fill_beside_hosts();
    placement.fill_before_others();
    let more = is_better(&placement, &start);
    let finished = more.then(|| placement.finish(packed)).flatten();
    match finished.or_else(|| more.then(|| filled_alone(&start, &choices, packed)).flatten()) {
        Some(completed) => {
            *packed = completed;
            true
        }
        None => false,
    }
}

/// Whether an order of binding is found in which kube-scheduler accepts all pods of a packing.
pub(crate) fn is_ordered(context: &Context<'_>, packed: &AssignedPacking) -> bool {
    let rules = PlacementRules::of(context.compiled);
    order::exists(&Placement::of(context, &rules, packed), None)
}

/// As [`is_ordered`], where the domains count as well that a launch of the pods concerned could
/// add, and a fresh node for spreads over single nodes.
pub(crate) fn is_ordered_beside_launches(context: &Context<'_>, packed: &AssignedPacking) -> bool {
    let rules = PlacementRules::of(context.compiled);
    let mut placement = Placement::of(context, &rules, packed);
    placement.counts_fresh_host = true;
    placement.open_launchable_domains();
    order::exists(&placement, None)
}

/// Whether nodes stand in all domains again in which they do in another plan, of spreads over which
/// pods can have nodes of static pools alone: those are given up for the sake of pods, not of money.
pub(crate) fn keeps_static_domains(
    context: &Context<'_>,
    former: &AssignedPacking,
    packed: &AssignedPacking,
) -> bool {
    if context.compiled.pools.values().all(|pool| pool.static_replicas.is_none()) {
        return true;
    }
    let rules = PlacementRules::of(context.compiled);
    let former = Placement::of(context, &rules, former);
    let placement = Placement::of(context, &rules, packed);
    former.static_domains().all(|(counter, domain)| placement.domains.exists[counter][domain] > 0)
}

impl Placement<'_> {
    /// Has the domains stand in which pods that have a spread, or that it counts, could launch
    /// before anything else is launched.
    ///
    /// Stricter than what stands: it asks whether the packing would be legal if nodes had come in
    /// any order.
    fn open_launchable_domains(&mut self) {
        let compiled = self.compiled();
        let sold = |offer: &OfferId| {
            let pool = &compiled.pools[compiled.offers[*offer].pool];
            pool.static_replicas.is_none()
                && compiled.is_sold(*offer)
                && compiled.is_within_limits(*offer)
        };
        for at in &self.rules.spread_counters {
            let counter = &self.rules.counters[*at];
            if self.domains.exists[*at].iter().all(|nodes| *nodes > 0) {
                continue;
            }
            let counts = |class: &ClassId| self.rules.of_class[*class].counted_by.contains(at);
            let counted = compiled.classes.ids().filter(counts);
            let concerned: BTreeSet<ClassId> =
                counter.owners.iter().copied().chain(counted).collect();
            for offer in compiled.offers.ids() {
                let site = compiled.site_of_offer(offer);
                let Some(domain) = self.rules.domain(compiled, *at, site) else { continue };
                let room = compiled.room_of_offer(offer);
                let takes = |class: &ClassId| {
                    let item = &compiled.items[item_of(*class)];
                    compiled.eligible[item.eligibility].contains(site)
                        && room.takes_there(item, 1) > 0
                };
                if self.domains.exists[*at][domain] == 0
                    && sold(&offer)
                    && concerned.iter().any(takes)
                {
                    self.domains.exists[*at][domain] = 1;
                }
            }
        }
    }

    /// The packing of this placement, where it can be written down as one.
    ///
    /// First with all the freedom that items allow, and with each part tied to its domain where
    /// that leaves no order.
    fn finish(&self, former: &AssignedPacking) -> Option<AssignedPacking> {
        let wide = self.packed(former, Leeway::Alike).filter(|packed| {
            let again = Placement::of(self.context, self.rules, packed);
            order::exists(&again, None)
        });
        // A launch that turns out to be of another offer may be one more host that counts.
        let is_legal = |packed: &AssignedPacking| {
            !self.beside_hosts
                || order::exists(&Placement::of(self.context, self.rules, packed), None)
        };
        wide.or_else(|| self.packed(former, Leeway::Domain).filter(is_legal))
    }
}

/// Whether one placement leaves fewer pods out than another, the most urgent first.
fn is_better(one: &Placement<'_>, other: &Placement<'_>) -> bool {
    one.rank().0 < other.rank().0
}

/// The packing with what finds a place, class by class, of those that can each be written down as
/// one: where all together can't.
///
/// Each class that can be added by itself is, the largest gain not being looked for.
fn filled_alone(
    start: &Placement<'_>,
    choices: &LaunchChoices,
    former: &AssignedPacking,
) -> Option<AssignedPacking> {
    // What can't be written down as it is can't be with more on it.
    let _same = start.finish(former)?;
    let (mut best, mut found) = (start.clone(), None);
    for class in start.waiting(|_| ()).into_iter().take(MOST_ALONE) {
        let mut more = best.clone();
        let others: Vec<ClassId> = more.left.ids().filter(|id| *id != class).collect();
        let kept: Vec<u32> = others.iter().map(|id| std::mem::take(&mut more.left[*id])).collect();
        fill(&mut more, choices);
        others.iter().zip(kept).for_each(|(id, left)| more.left[*id] = left);
        if is_better(&more, &best)
            && let Some(packed) = more.finish(former)
        {
            (best, found) = (more, Some(packed));
        }
    }
    found
}

/// Leaves no pod out that finds a place, or would if all pods of lower priority had none.
fn settle(placement: &mut Placement<'_>, choices: &LaunchChoices) {
    // Launches that were brought down in size may have left room for others.
    fill(placement, choices);
    displace::by_level(placement, choices);
}

/// Places what finds a place, the most urgent first, until nothing changes.
fn fill(placement: &mut Placement<'_>, choices: &LaunchChoices) {
    fill_by(placement, choices, BY_SIZE);
}

/// As [`fill`](fn@fill), unless the caller wishes to stop before it ends; whether it came to its
/// end.
fn fill_on_trial(placement: &mut Placement<'_>, choices: &LaunchChoices) -> bool {
    fill_by(placement, choices, LaunchScoring { on_trial: true, ..BY_SIZE });
    !placement.context.is_stopped()
}

/// The smallest pods first, on launches that take least of what is scarce.
const BY_SIZE: LaunchScoring<'_> = LaunchScoring {
    worth: None,
    scarce: true,
    small_first: true,
    seed: 0,
    draws_nodes: false,
    on_trial: false,
};

/// As [`fill`](fn@fill), on this scale.
///
/// Tiers of priority from high to low, and within a tier: nodes that stand, pass after pass until
/// nothing changes, then launches. A launch may raise a count that held somebody down, so all is
/// done again while anything was placed.
fn fill_by(placement: &mut Placement<'_>, choices: &LaunchChoices, scale: LaunchScoring<'_>) {
    let compiled = placement.compiled();
    loop {
        let mut progress = false;
        let mut tiers: BTreeMap<Reverse<i32>, Vec<ClassId>> = BTreeMap::new();
        let mut placeholders = Vec::new();
        for class in placement.waiting(|class| placement.size(class, scale)) {
            let item = &compiled.items[item_of(class)];
            match item.placeholder {
                true => placeholders.push(class),
                false => tiers.entry(Reverse(item.priority)).or_default().push(class),
            }
        }
        for classes in tiers.values() {
            loop {
                let mut more = false;
                for class in classes {
                    more |= placement.left[*class] > 0
                        && placement.fill_standing(*class, scale.seed_of_nodes());
                }
                if !more {
                    break;
                }
                progress = true;
            }
            let waiting = classes.iter().copied().filter(|class| placement.left[*class] > 0);
            let waiting: Vec<ClassId> = waiting.collect();
            progress |= placement.launch_for(choices, &waiting, scale);
        }
        for class in placeholders {
            progress |= placement.fill_standing(class, scale.seed_of_nodes());
        }
        if !progress || scale.on_trial && placement.context.is_stopped() {
            return;
        }
    }
}
