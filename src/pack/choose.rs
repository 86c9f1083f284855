//! Choosing among assignments: assign, pack, and see what stays out.
//!
//! An assignment is made before it is known what can be bought, so a part may turn out too large
//! for its cell. Then the class is assigned again with that cell's learnt capacity in mind, until
//! every part that others count on is placed. Preferences are given up, class by class, only where
//! pods stay out; a class that found no cell is assigned again before the others.
//!
//! Where limits or reservations leave pods out every packing leaves some out, whatever the
//! assignment: the first one is kept as far as it goes ([`mod@super::repair`]), and completed in
//! the end ([`mod@super::complete`]). What is packed beside it has an allowance of its own
//! ([`AssignmentSearch::work`]), as much as trying other cells may take where nothing is scarce.
//!
//! *The loop.*
//!
//! ```text
//! assign ── pack ── shortfalls? ──no── intrusions? ──no── done
//!   ↑                   │yes                │yes
//!   └────── learn ◄─────┴───────────────────┘
//! ```
//!
//! What is learnt is monotone: a cell's capacity only falls, a domain once barred or opened stays
//! so, preferences once given up stay given up. So each round says something new or is the last,
//! and [`MAX_ROUNDS`] bounds them besides.
//!
//! *Why it is right.* What is returned has room for every part that others count on: the loop ended
//! without shortfalls, or a repair took out what had none ([`mod@super::repair`]) and what is legal
//! only beside it.
//!
//! *Cost.* A packing for each round, quick ones after the first; a thorough one of what comes out.

use super::assign::{
    DomainAssignment, DomainPrices, Feedback, Restrictions, SpreadDomain, assign_domains, is_needed,
};
use super::assigned_packing::{AssignedPacking, is_placeholder};
use super::packing::{Context, Packing};
use super::shown::{empty_domains, held, intrusions, shortfalls, too_heavy, unsettled};
use super::step::{tell_feedback, tell_packed};
use crate::compile::{ClassId, Compiled, Id, ItemId};
use crate::progress::Event;
use std::cell::Cell;
use std::cmp::Reverse;

/// How often an assignment is made anew because parts of it have no room.
const MAX_ROUNDS: u32 = 24;
/// How often pods that are to share a node are made fewer before they are given up.
const MAX_BUNDLES: u32 = 16;
/// How often a repair leaves out what has no room before it gives up whole classes.
const MAX_REPAIRS: u32 = 8;
/// How often the first of these are for fewer pods in all cells of a class, not in the cells that
/// were full.
const MAX_TOTALS: u32 = 4;
/// How often one is made anew for classes that stay out.
const MAX_CONCESSIONS: u32 = 4;

/// How many other assignments are tried, times items and bin types.
const TRIES: usize = 200_000;
/// The most assignments that are tried.
const MAX_TRIES: usize = 200;
/// What a packing counts for that is done again with prices on what is scarce.
const PACKED_TWICE: usize = 4;
/// Other assignments are packed where something is scarce if so many of them may be: a few settle
/// nothing.
const WORTH_WHILE: usize = PACKED_TWICE * MAX_ROUNDS as usize;

/// Arranges and packs.
///
/// Where preferences may be given up, for the sake of pods or of money, what comes out without any
/// of them is looked at too. Where they have a price this is done in two ways: with preferences
/// taken up where they pay, and as if there were none. Taking one up may be a step forward from
/// which the search for other cells ends at a worse place than it would have otherwise, and no
/// price may make a plan dearer than that.
///
/// Where something is scarce in a large problem one of these packings is thorough, that without
/// preferences: preferences are given up there for each pod more. Where it places more than the
/// first one with preferences does, that isn't made legal.
pub(crate) fn choose(context: &Context<'_>, ways: PackFns) -> AssignedPacking {
    let whole = context.compiled;
    let wishful = context.with_preferences && has_preferences(whole);
    let context = &Context { with_preferences: wishful, ..*context };
    let work = Cell::new(allowance(whole));
    if !wishful {
        return choose_one(context, ways.thorough, &work, &mut no_rival);
    }
    let is_large = work.get() < WORTH_WHILE;
    let first = if is_large { ways.brief } else { ways.thorough };
    let without = Context { with_preferences: false, ..*context };
    let mut other: Option<AssignedPacking> = None;
    let mut rival = |packed: &AssignedPacking| {
        let short = packed.short(whole);
        if !is_large || context.preference_price.is_some() || short == 0 {
            return None;
        }
        let found = choose_one(&without, ways.thorough, &work, &mut no_rival);
        match found.short(whole) < short {
            true => Some(found),
            false => {
                other = Some(found);
                None
            }
        }
    };
    let mut best = choose_one(context, first, &work, &mut rival);
    if context.preference_price.is_none() {
        let short = best.short(whole);
        if short > 0 {
            let found = || choose_one(&without, ways.thorough, &work, &mut no_rival);
            let other = other.unwrap_or_else(found);
            return if other.short(whole) < short { other } else { best };
        }
        return best;
    }
    let scarce = is_large && is_scarce(context, &best);
    let pack = if scarce { ways.brief } else { ways.thorough };
    let free = Context { with_preferences: false, preference_price: None, ..*context };
    for other in [without, free] {
        let other = choose_one(&other, pack, &work, &mut no_rival);
        if other.rank(context) < best.rank(context) {
            best = other;
        }
    }
    best
}

/// Whether any pods prefer anything.
fn has_preferences(whole: &Compiled) -> bool {
    whole.preferences.terms.values().any(|terms| !terms.is_empty())
        || whole.preferences.disliked.contains(&true)
        || whole.topology.rules.values().any(|rules| {
            !(rules.preferred_affinity.is_empty() && rules.preferred_anti_affinity.is_empty())
                || rules.spreads.iter().any(|spread| !spread.hard)
        })
}

/// What may be better than a first packing, and takes less than making that legal.
type RivalFn<'a> = &'a mut dyn FnMut(&AssignedPacking) -> Option<AssignedPacking>;

fn no_rival(_: &AssignedPacking) -> Option<AssignedPacking> {
    None
}

/// Where no rule over domains asks for it there is nothing to assign, and the packing is the
/// answer.
fn choose_one(
    context: &Context<'_>,
    pack: PackFn,
    work: &Cell<usize>,
    rival: RivalFn<'_>,
) -> AssignedPacking {
    if !is_needed(context) {
        let mut packing = pack(context);
        super::place_placeholders(context, &mut packing);
        context.watch.event(|| Event::Packed(packing.figures(context)));
        return AssignedPacking { assignment: None, packing };
    }
    let prices = DomainPrices::of(context.compiled);
    let chooser = AssignmentSearch { context, prices, work, scarce: Cell::new(false) };
    let restrictions = Restrictions::new(context.compiled, context.with_preferences);
    let first = chooser.assign_until_settled(restrictions.clone(), pack, false);
    if !first.1.is_empty()
        && let Some(other) = rival(&first.0)
    {
        return other;
    }
    let best = chooser.settled(&restrictions, first, pack);
    let (restrictions, best) = chooser.give_up_preferences(restrictions, best, pack);
    let (restrictions, best) = chooser.weigh(restrictions, best, pack);
    chooser.try_others(restrictions, best, pack)
}

/// A way to pack items.
type PackFn = fn(&Context<'_>) -> Packing;

/// Ways to pack items thoroughly, and with less effort where something is scarce.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackFns {
    pub(crate) thorough: PackFn,
    pub(crate) brief: PackFn,
}

/// One search, with the prices by which cells are chosen and what it may still spend where
/// something is scarce.
struct AssignmentSearch<'a> {
    context: &'a Context<'a>,
    prices: DomainPrices,
    /// How many quick packings are left where something is scarce.
    work: &'a Cell<usize>,
    /// Whether limits or reservations left pods out of any packing: what a repair makes of it looks
    /// as if rules between pods had.
    scarce: Cell<bool>,
}

/// How many quick packings a problem of this size may take beside the first one.
fn allowance(compiled: &Compiled) -> usize {
    let size = compiled.bin_types.len().saturating_mul(compiled.items.len());
    TRIES.checked_div(size).unwrap_or(0).min(MAX_TRIES)
}

/// Whether pods stay out for which nodes are on offer, but for limits or reservations.
///
/// Pods that rules barred from every cell are out for another reason; those that lost a cell for
/// want of room are out for this one.
fn is_scarce(context: &Context<'_>, packed: &AssignedPacking) -> bool {
    let whole = context.compiled;
    let compiled = packed.compiled(whole);
    let inner = Context { compiled, ..*context };
    // What had a cell and no room there is out without being barred from all.
    let mut out = packed.out().filter(|(_, out)| out.count > 0 && !out.barred);
    super::may_be_scarce(compiled)
        && (super::short(&inner, &packed.packing)
            || out.any(|(class, _)| super::placeable(context, ItemId::from_index(class.index()))))
}

impl AssignmentSearch<'_> {
    /// Arranges and packs until what others count on is placed.
    ///
    /// Where launches of others would count for a spread whose pods can't go there themselves,
    /// there are two ways: the others keep out, or the spread makes do with fewer pods. The better
    /// one is kept.
    fn solve(&self, restrictions: &Restrictions, pack: PackFn) -> AssignedPacking {
        let first = self.assign_until_settled(restrictions.clone(), pack, false);
        self.settled(restrictions, first, pack)
    }

    /// The packing of a first assignment, or the better one of those by which none intrudes.
    fn settled(
        &self,
        restrictions: &Restrictions,
        (packed, intruded): (AssignedPacking, Vec<SpreadDomain>),
        pack: PackFn,
    ) -> AssignedPacking {
        if intruded.is_empty() {
            return packed;
        }
        let mut aside = restrictions.clone();
        self.learn(&mut aside, None, intruded.iter().copied().map(Feedback::DomainBarred));
        let (aside, _) = self.assign_until_settled(aside, pack, true);
        let mut fewer = restrictions.clone();
        self.learn(&mut fewer, None, intruded.into_iter().map(Feedback::DomainOpened));
        let (fewer, _) = self.assign_until_settled(fewer, pack, true);
        if aside.rank(self.context) < fewer.rank(self.context) { aside } else { fewer }
    }

    /// Arranges and packs until every part that others count on is placed, and says which domains
    /// are intruded upon; these count from then on where they are to be `settled` too.
    ///
    /// The first packing is a thorough one, since it is often the last. After that quick ones do:
    /// they only have to show what has no room. Where limits leave pods out whatever is assigned,
    /// the first packing is repaired and kept as a candidate, and the rounds after it compete with
    /// that.
    fn assign_until_settled(
        &self,
        mut restrictions: Restrictions,
        pack: PackFn,
        settled: bool,
    ) -> (AssignedPacking, Vec<SpreadDomain>) {
        let mut round = 0;
        let mut quick: PackFn = pack;
        // The best so far of those that had room for a part, with the domains intruded upon.
        let mut first: Option<(AssignedPacking, Vec<SpreadDomain>)> = None;
        loop {
            let assignment = assign_domains(self.context, &self.prices, &restrictions);
            let context = Context { compiled: &assignment.compiled, ..*self.context };
            let mut packing = quick(&context);
            super::place_placeholders(&context, &mut packing);
            tell_packed(self.context, &assignment, &packing);
            let short = shortfalls(&assignment, &packing);
            let heavy = too_heavy(&assignment, &packing);
            round += 1;
            if short.is_empty() && heavy.is_empty() {
                let intruded = intrusions(&context, &assignment, &packing);
                if !intruded.is_empty() && settled {
                    self.settle(&mut restrictions, intruded, round);
                    continue;
                }
                let packed = AssignedPacking { assignment: Some(assignment), packing };
                let packed =
                    if round > 1 { self.pack_well(restrictions, packed, pack) } else { packed };
                return match first {
                    Some((first, intruded))
                        if first.rank(self.context) < packed.rank(self.context) =>
                    {
                        (first, intruded)
                    }
                    Some(_) | None => (packed, intruded),
                };
            }
            quick = super::pack_quickly;
            let scarce =
                super::may_be_scarce(&assignment.compiled) && super::short(&context, &packing);
            self.scarce.set(self.scarce.get() || scarce);
            let is_last =
                round > MAX_ROUNDS || self.context.is_stopped() || scarce && !self.grants(round);
            if is_last || scarce && first.is_none() {
                let own = restrictions.clone();
                let packed = self.repair(own, assignment.clone(), packing.clone());
                let intruded = self.intrusions(&packed);
                let is_legal = intruded.is_empty() || !settled;
                let is_better = first
                    .as_ref()
                    .is_none_or(|(first, _)| packed.rank(self.context) < first.rank(self.context));
                if is_legal && is_better {
                    first = Some((packed, intruded));
                } else if is_last && first.is_none() {
                    self.settle(&mut restrictions, intruded, round);
                    continue;
                }
            }
            if is_last && let Some((packed, intruded)) = first.take() {
                return (packed, intruded);
            }
            let lighter = heavy.into_iter().map(|(class, together)| Feedback::BundleTooHeavy {
                class,
                most: if round > MAX_BUNDLES { 0 } else { together - together.div_ceil(4) },
            });
            self.learn(&mut restrictions, None, lighter);
            for ((class, cell), short) in short {
                let feedback = if short.shared && round <= MAX_TOTALS {
                    // Its cells draw on the same limits: what one doesn't hold, another may.
                    let total = restrictions.total(class, self.count(class));
                    Feedback::ClassFull { class, held: total.saturating_sub(short.left) }
                } else {
                    Feedback::CellFull { class, cell, held: short.held }
                };
                self.learn(&mut restrictions, Some(&assignment), [feedback]);
            }
        }
    }

    /// Has domains count that are intruded upon, or after many rounds those stay out for whom they
    /// do: either comes to an end, since each is new.
    fn settle(&self, restrictions: &mut Restrictions, intruded: Vec<SpreadDomain>, round: u32) {
        let hurry = round > 2 * MAX_ROUNDS || self.context.is_stopped();
        let answers = intruded.into_iter().map(|domain| match hurry {
            true => Feedback::NoRoom(domain.0),
            false => Feedback::DomainOpened(domain),
        });
        let _new = self.learn(restrictions, None, answers);
    }

    /// Takes answers to an assignment into account; whether any says something new.
    ///
    /// Only what is new is told to those who look on, and only news justifies another round.
    fn learn(
        &self,
        restrictions: &mut Restrictions,
        assignment: Option<&DomainAssignment>,
        answers: impl IntoIterator<Item = Feedback>,
    ) -> bool {
        answers.into_iter().fold(false, |any, feedback| {
            let is_new = restrictions.learn(feedback);
            if is_new {
                tell_feedback(self.context, assignment, feedback);
            }
            is_new | any
        })
    }

    /// Whether one more assignment may be packed after so many rounds, where something is scarce.
    fn grants(&self, rounds: u32) -> bool {
        let left = self.work.get();
        let granted = left >= if rounds == 1 { WORTH_WHILE } else { PACKED_TWICE };
        if granted {
            self.work.set(left - PACKED_TWICE);
        }
        granted
    }

    /// The domains that a packing intrudes upon.
    fn intrusions(&self, packed: &AssignedPacking) -> Vec<SpreadDomain> {
        let Some(assignment) = &packed.assignment else { return Vec::new() };
        let context = Context { compiled: &assignment.compiled, ..*self.context };
        intrusions(&context, assignment, &packed.packing)
    }

    /// Packs thoroughly what a quick packing had room for, where that is better.
    ///
    /// A thorough packing may lack room where the quick one had it, as it fills nodes otherwise; it
    /// is repaired then, and kept only if it is better all the same.
    fn pack_well(
        &self,
        restrictions: Restrictions,
        quick: AssignedPacking,
        pack: PackFn,
    ) -> AssignedPacking {
        let Some(assignment) = quick.assignment.clone() else { return quick };
        let context = Context { compiled: &assignment.compiled, ..*self.context };
        let mut packing = pack(&context);
        super::place_placeholders(&context, &mut packing);
        let well = self.repair(restrictions, assignment, packing);
        if well.rank(self.context) < quick.rank(self.context) { well } else { quick }
    }

    /// Leaves out what has no room and what is legal only beside it, until the rest is legal by
    /// itself.
    ///
    /// Three stages of [`MAX_REPAIRS`] rounds: what has no room is left out; then whole classes
    /// that are unsettled; then all. The last stage ends it in any case.
    fn repair(
        &self,
        mut restrictions: Restrictions,
        assignment: DomainAssignment,
        packing: Packing,
    ) -> AssignedPacking {
        let mut packed = (assignment, packing);
        for round in 0..3 * MAX_REPAIRS {
            let (assignment, packing) = &packed;
            let held = held(assignment, packing);
            let heavy = too_heavy(assignment, packing);
            if heavy.is_empty() && held.values().all(|one| one.left == 0) {
                break;
            }
            self.learn(&mut restrictions, None, heavy.into_keys().map(Feedback::NoRoom));
            for ((class, cell), one) in held {
                let full = Feedback::CellFull { class, cell, held: one.held };
                self.learn(&mut restrictions, Some(assignment), [full]);
            }
            if round >= MAX_REPAIRS {
                let short = unsettled(assignment, packing);
                self.learn(&mut restrictions, None, short.into_iter().map(Feedback::NoRoom));
            }
            if round >= 2 * MAX_REPAIRS {
                let classes = self.context.compiled.classes.ids();
                self.learn(&mut restrictions, None, classes.map(Feedback::NoRoom));
            }
            let next = assign_domains(self.context, &self.prices, &restrictions);
            let packing =
                super::repair::transfer(self.context, (&assignment.compiled, packing), &next);
            packed = (next, packing);
        }
        let (assignment, mut packing) = packed;
        let context = Context { compiled: &assignment.compiled, ..*self.context };
        super::right_size(&context, &mut packing);
        super::place_placeholders(&context, &mut packing);
        AssignedPacking { assignment: Some(assignment), packing }
    }

    /// How many pods of a class there are.
    fn count(&self, class: ClassId) -> u32 {
        self.context.compiled.items[ItemId::from_index(class.index())].count
    }

    /// Gives up preferences where pods stay out, and looks after classes first that found no cell.
    /// What was of no use is taken back.
    ///
    /// Classes with pods outside are given what could help, all at once: their preferences, a turn
    /// before others, domains that needn't be counted. If that doesn't place more it is taken back
    /// as a whole.
    fn give_up_preferences(
        &self,
        mut restrictions: Restrictions,
        mut best: AssignedPacking,
        pack: PackFn,
    ) -> (Restrictions, AssignedPacking) {
        let whole = self.context.compiled;
        let mut kept = restrictions.clone();
        for _ in 0..MAX_CONCESSIONS {
            let out_of_work = self.scarce.get() && self.work.get() < WORTH_WHILE;
            if self.context.is_stopped() || out_of_work {
                break;
            }
            let left = best.left(whole);
            let out = |class: ClassId| left[class] > 0 && !is_placeholder(whole, class);
            let mut answers: Vec<Feedback> = Vec::new();
            for class in left.ids().filter(|class| out(*class)) {
                if preference_weight(whole, class) > 0 {
                    answers.push(Feedback::PreferencesInTheWay(class));
                }
                if best.out().any(|(of, out)| *of == class && out.barred) {
                    answers.push(Feedback::NoCell(class));
                }
            }
            if let Some(assignment) = &best.assignment {
                let context = Context { compiled: &assignment.compiled, ..*self.context };
                let empty = empty_domains(&context, assignment, &best.packing, out);
                answers.extend(empty.into_iter().map(Feedback::DomainEmpty));
            }
            let changed = self.learn(&mut restrictions, None, answers);
            if !changed {
                break;
            }
            let other = self.solve(&restrictions, pack);
            if other.rank(self.context) < best.rank(self.context) {
                (kept, best) = (restrictions.clone(), other);
            }
        }
        (kept, best)
    }

    /// Where preferences have a price: gives up those that cost more than they are worth, all of
    /// them or class by class, those with most at stake first.
    ///
    /// Greedy, the most at stake first: each class's preferences are switched and the result kept
    /// if it is cheaper, their price included.
    fn weigh(
        &self,
        mut restrictions: Restrictions,
        mut best: AssignedPacking,
        pack: PackFn,
    ) -> (Restrictions, AssignedPacking) {
        if self.context.preference_price.is_none() {
            return (restrictions, best);
        }
        let whole = self.context.compiled;
        let mut classes: Vec<(Reverse<u64>, ClassId)> = whole
            .classes
            .ids()
            .map(|class| (Reverse(preference_weight(whole, class)), class))
            .filter(|(Reverse(preference_weight), _)| *preference_weight > 0)
            .collect();
        classes.sort_unstable();
        let tries = allowance(whole);
        for (_, class) in classes.into_iter().take(tries) {
            let out_of_work = self.scarce.get() && self.work.get() < WORTH_WHILE;
            if self.context.is_stopped() || out_of_work {
                break;
            }
            let mut flipped = restrictions.clone();
            flipped.preferring[class] = !flipped.preferring[class];
            let other = self.solve(&flipped, pack);
            if other.rank(self.context) < best.rank(self.context) {
                (restrictions, best) = (flipped, other);
            }
        }
        (restrictions, best)
    }

    /// Tries other cells for the classes that have a choice, one at a time, where the problem is
    /// small: by quick packings, and at the end by a thorough one of the best.
    ///
    /// Where something is scarce pods stay out whatever cells others have: what finds a place is
    /// found when the plan is completed.
    ///
    /// Coordinate descent over hints: for each class each of its cells, and again while anything
    /// gets better. Packings are quick; only the best of all is packed thoroughly.
    fn try_others(
        &self,
        mut restrictions: Restrictions,
        best: AssignedPacking,
        pack: PackFn,
    ) -> AssignedPacking {
        let Some(assignment) = &best.assignment else { return best };
        if self.scarce.get() {
            return best;
        }
        let mut tries = allowance(&assignment.compiled);
        let choices: Vec<(ClassId, usize)> =
            assignment.choices.iter().map(|(class, cells)| (*class, *cells)).collect();
        // A few tries of many would be an accident of order.
        if choices.is_empty() || tries < choices.len() || self.context.is_stopped() {
            return best;
        }
        let mut least = self.solve(&restrictions, super::pack_quickly).rank(self.context);
        let mut changed = false;
        let mut again = true;
        // What one class does may make another choice the better one for a class before it.
        while std::mem::take(&mut again) {
            for (class, cells) in &choices {
                for cell in 0..*cells {
                    if tries == 0 || self.context.is_stopped() {
                        break;
                    }
                    tries -= 1;
                    let former = restrictions.hints.insert(*class, cell);
                    let rank = self.solve(&restrictions, super::pack_quickly).rank(self.context);
                    if rank < least {
                        least = rank;
                        (changed, again) = (true, true);
                    } else if let Some(former) = former {
                        let _hint = restrictions.hints.insert(*class, former);
                    } else {
                        let _none = restrictions.hints.remove(class);
                    }
                }
            }
        }
        if !changed {
            return best;
        }
        let other = self.solve(&restrictions, pack);
        if other.rank(self.context) < best.rank(self.context) { other } else { best }
    }
}

/// What the preferences of a class weigh together.
///
/// An upper bound of what could be lost by giving them up, for all pods of the class.
fn preference_weight(whole: &Compiled, class: ClassId) -> u64 {
    let rules = &whole.topology.rules[class];
    let terms = whole.preferences.terms[class].iter().map(|(weight, _)| u64::from(*weight));
    let preferred_terms = rules.preferred_affinity.iter().chain(&rules.preferred_anti_affinity);
    let preferred_terms = preferred_terms.map(|(weight, _)| u64::from(*weight));
    let soft = rules.spreads.iter().filter(|spread| !spread.hard).map(|_| 1);
    let list = whole.site_conditions.rules.sets()[whole.classes[class].rules].tolerations;
    let disliked = u64::from(whole.preferences.disliked.get(list).copied().unwrap_or(false));
    let each: u64 = terms.chain(preferred_terms).chain(soft).sum::<u64>() + disliked;
    let count = whole.items[ItemId::from_index(class.index())].count;
    each.saturating_mul(u64::from(count))
}
