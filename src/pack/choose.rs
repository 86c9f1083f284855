//! Choosing among arrangements: arrange, pack, and see what stays out.
//!
//! An arrangement is made before it is known what can be bought, so a part may turn out too large for
//! its cell. Then the kind is arranged again with that cell's ceiling in mind, until every part that
//! others count on is placed. Preferences are given up, kind by kind, only where pods stay out; a kind
//! that found no cell is arranged again before the others.
//!
//! Where limits or reservations leave pods out every packing leaves some out, whatever the arrangement:
//! the first one is kept as far as it goes ([`mod@super::repair`]), and completed in the end
//! ([`mod@super::complete`]). What is packed beside it has an allowance of its own ([`Chooser::work`]), as
//! much as trying other cells may take where nothing is scarce.

use super::arrange::{
    Arrangement, Feedback, Foreign, Out, Prices, Restrictions, arrange, is_needed,
};
use super::shown::{empty_domains, held, intrusions, shortfalls, too_heavy, unsettled};
use super::state::{Context, State};
use crate::compile::{ClassId, Compiled, Id, IdVec, KindId};
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A packing, of classes that an arrangement made, or of the kinds as they are.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    pub(crate) arrangement: Option<Arrangement>,
    pub(crate) state: State,
}

/// How often an arrangement is made anew because parts of it have no room.
const MAX_ROUNDS: u32 = 24;
/// How often pods that are to share a node are made fewer before they are given up.
const MAX_BUNDLES: u32 = 16;
/// How often a repair leaves out what has no room before it gives up whole kinds.
const MAX_REPAIRS: u32 = 8;
/// How often the first of these are for fewer pods in all cells of a kind, not in the cells that were full.
const MAX_TOTALS: u32 = 4;
/// How often one is made anew for kinds that stay out.
const MAX_CONCESSIONS: u32 = 4;

/// How many other arrangements are tried, times classes and columns.
const TRIES: usize = 200_000;
/// The most arrangements that are tried.
const MAX_TRIES: usize = 200;
/// What a packing counts for that is done again with prices on what is scarce.
const PACKED_TWICE: usize = 4;
/// Other arrangements are packed where something is scarce if so many of them may be: a few settle nothing.
const WORTH_WHILE: usize = PACKED_TWICE * MAX_ROUNDS as usize;

impl Packed {
    /// The classes that are packed.
    pub(crate) fn compiled<'a>(&'a self, whole: &'a Compiled) -> &'a Compiled {
        self.arrangement.as_ref().map_or(whole, |arrangement| &arrangement.compiled)
    }

    /// For each kind, how many pods have no place.
    pub(crate) fn left(&self, whole: &Compiled) -> IdVec<KindId, u32> {
        let mut left: IdVec<KindId, u32> = whole.kinds.iter().map(|_| 0).collect();
        let compiled = self.compiled(whole);
        for (class, count) in self.state.left.iter().filter(|(_, count)| **count > 0) {
            for (kind, each) in &compiled.classes[class].parts {
                left[*kind] += each * count;
            }
        }
        for (kind, Out { count, .. }) in self.out() {
            left[*kind] += count;
        }
        left
    }

    /// For each kind of which some pods found no cell, how many.
    pub(crate) fn out(&self) -> impl Iterator<Item = (&KindId, &Out)> {
        self.arrangement.iter().flat_map(|arrangement| &arrangement.out)
    }

    /// How many pods have no place that may cause a launch.
    fn short(&self, whole: &Compiled) -> u64 {
        let left = self.left(whole);
        let left = left.iter().filter(|(kind, _)| !is_guest(whole, *kind));
        left.map(|(_, left)| u64::from(*left)).sum()
    }

    /// What makes one packing better than another: less is better.
    pub(crate) fn rank(&self, context: &Context<'_>) -> impl Ord + use<> {
        let whole = context.compiled;
        let compiled = self.compiled(whole);
        let unmet = self.unmet(context);
        let context = Context { compiled, ..*context };
        let mut unplaced: BTreeMap<Reverse<i32>, u64> = BTreeMap::new();
        for (kind, count) in self.left(whole).iter().filter(|(kind, _)| !is_guest(whole, *kind)) {
            *unplaced.entry(Reverse(self.priority(whole, kind))).or_insert(0) += u64::from(*count);
        }
        let nodes: u64 = self.state.groups.iter().map(|group| u64::from(group.times)).sum();
        let cost = self.state.cost(&context).saturating_add(unmet);
        (unplaced.into_values().collect::<Vec<u64>>(), cost, nodes)
    }

    /// What the preferences cost that aren't honoured, where they have a price.
    fn unmet(&self, context: &Context<'_>) -> i128 {
        let Some(price) = context.wish_price else { return 0 };
        let compiled = self.compiled(context.compiled);
        let context = Context { compiled, ..*context };
        let chosen = super::specify::chosen(&context, &self.state);
        let spots = super::honour::spots(compiled, &self.state.groups, |at| chosen[at]);
        let unmet = super::honour::shares(compiled, &spots)
            .into_iter()
            .map(|share| i128::from(share.weight.saturating_sub(share.honoured)));
        unmet.sum::<i128>().saturating_mul(i128::from(price))
    }

    fn priority(&self, compiled: &Compiled, kind: KindId) -> i32 {
        compiled.exemplar(kind).map_or(0, |pod| pod.priority)
    }
}

/// Whether pods of a kind may only use room that is there anyway.
fn is_guest(whole: &Compiled, kind: KindId) -> bool {
    whole.classes[ClassId::from_index(kind.index())].guest
}

/// Arranges and packs.
///
/// Where preferences may be given up, for the sake of pods or of money, what comes out without any of
/// them is looked at too. Where they have a price this is done in two ways: with preferences taken up
/// where they pay, and as if there were none. Taking one up may be a step forward from which the search
/// for other cells ends at a worse place than it would have otherwise, and no price may make a plan
/// dearer than that.
///
/// Where something is scarce in a large problem one of these packings is thorough, that without preferences:
/// preferences are given up there for each pod more.
pub(crate) fn choose(context: &Context<'_>, ways: Ways) -> Packed {
    let whole = context.compiled;
    let wishful = context.wishful && has_preferences(whole);
    let context = &Context { wishful, ..*context };
    let work = Cell::new(allowance(whole));
    if !wishful {
        return choose_one(context, ways.thorough, &work);
    }
    let is_large = work.get() < WORTH_WHILE;
    let first = if is_large { ways.brief } else { ways.thorough };
    let mut best = choose_one(context, first, &work);
    let without = Context { wishful: false, ..*context };
    if context.wish_price.is_none() {
        let short = best.short(whole);
        if short > 0 {
            let other = choose_one(&without, ways.thorough, &work);
            return if other.short(whole) < short { other } else { best };
        }
        return best;
    }
    let scarce = is_large && is_scarce(context, &best);
    let pack = if scarce { ways.brief } else { ways.thorough };
    let free = Context { wishful: false, wish_price: None, ..*context };
    for other in [without, free] {
        let other = choose_one(&other, pack, &work);
        if other.rank(context) < best.rank(context) {
            best = other;
        }
    }
    best
}

/// Whether any pods prefer anything.
fn has_preferences(whole: &Compiled) -> bool {
    whole.wishes.terms.values().any(|terms| !terms.is_empty())
        || whole.wishes.disliked.contains(&true)
        || whole.topology.rules.values().any(|rules| {
            !(rules.wish_near.is_empty() && rules.wish_far.is_empty())
                || rules.spreads.iter().any(|spread| !spread.hard)
        })
}

fn choose_one(context: &Context<'_>, pack: Pack, work: &Cell<usize>) -> Packed {
    if !is_needed(context) {
        let mut state = pack(context);
        super::seat_guests(context, &mut state);
        return Packed { arrangement: None, state };
    }
    let chooser = Chooser { context, prices: Prices::of(context.compiled), work };
    let restrictions = Restrictions::new(context.compiled, context.wishful);
    let best = chooser.solve(&restrictions, pack);
    let (restrictions, best) = chooser.concede(restrictions, best, pack);
    let (restrictions, best) = chooser.weigh(restrictions, best, pack);
    chooser.try_others(restrictions, best, pack)
}

/// A way to pack classes.
type Pack = fn(&Context<'_>) -> State;

/// Ways to pack classes thoroughly, and with less effort where something is scarce.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ways {
    pub(crate) thorough: Pack,
    pub(crate) brief: Pack,
}

struct Chooser<'a> {
    context: &'a Context<'a>,
    prices: Prices,
    /// How many quick packings are left where something is scarce.
    work: &'a Cell<usize>,
}

/// How many quick packings a problem of this size may take beside the first one.
fn allowance(compiled: &Compiled) -> usize {
    let size = compiled.columns.len().saturating_mul(compiled.classes.len());
    TRIES.checked_div(size).unwrap_or(0).min(MAX_TRIES)
}

/// Whether pods stay out for which nodes are on offer, but for limits or reservations.
fn is_scarce(context: &Context<'_>, packed: &Packed) -> bool {
    let whole = context.compiled;
    let compiled = packed.compiled(whole);
    let inner = Context { compiled, ..*context };
    // What had a cell and no room there is out without being barred from all.
    let mut out = packed.out().filter(|(_, out)| out.count > 0 && !out.barred);
    super::may_be_scarce(compiled)
        && (super::short(&inner, &packed.state)
            || out.any(|(kind, _)| super::placeable(context, ClassId::from_index(kind.index()))))
}

impl Chooser<'_> {
    /// Arranges and packs until what others count on is placed.
    ///
    /// Where launches of others would count for a spread whose pods can't go there themselves, there are
    /// two ways: the others keep out, or the spread makes do with fewer pods. The better one is kept.
    fn solve(&self, restrictions: &Restrictions, pack: Pack) -> Packed {
        let (packed, intruded) = self.settle(restrictions.clone(), pack, false);
        if intruded.is_empty() {
            return packed;
        }
        let mut aside = restrictions.clone();
        learn(&mut aside, intruded.iter().copied().map(Feedback::DomainBarred));
        let (aside, _) = self.settle(aside, pack, true);
        let mut fewer = restrictions.clone();
        learn(&mut fewer, intruded.into_iter().map(Feedback::DomainOpened));
        let (fewer, _) = self.settle(fewer, pack, true);
        if aside.rank(self.context) < fewer.rank(self.context) { aside } else { fewer }
    }

    /// Arranges and packs until every part that others count on is placed, and says which domains are
    /// intruded upon; these count from then on where they are to be `settled` too.
    fn settle(
        &self,
        mut restrictions: Restrictions,
        pack: Pack,
        settled: bool,
    ) -> (Packed, Vec<Foreign>) {
        let mut round = 0;
        let mut quick: Pack = pack;
        // The best so far of those that had room for a part, with the domains intruded upon.
        let mut first: Option<(Packed, Vec<Foreign>)> = None;
        loop {
            let arrangement = arrange(self.context, &self.prices, &restrictions);
            let context = Context { compiled: &arrangement.compiled, ..*self.context };
            let mut state = quick(&context);
            super::seat_guests(&context, &mut state);
            let short = shortfalls(&arrangement, &state);
            let heavy = too_heavy(&arrangement, &state);
            round += 1;
            if short.is_empty() && heavy.is_empty() {
                let intruded = intrusions(&context, &arrangement, &state);
                if !intruded.is_empty() && settled && round <= 2 * MAX_ROUNDS {
                    learn(&mut restrictions, intruded.into_iter().map(Feedback::DomainOpened));
                    continue;
                }
                let packed = Packed { arrangement: Some(arrangement), state };
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
                super::may_be_scarce(&arrangement.compiled) && super::short(&context, &state);
            let is_last =
                round > MAX_ROUNDS || self.context.is_stopped() || scarce && !self.grants(round);
            if is_last || scarce && first.is_none() {
                let own = restrictions.clone();
                let packed = self.repair(own, arrangement.clone(), state.clone());
                let intruded = self.intrusions(&packed);
                let is_better = first
                    .as_ref()
                    .is_none_or(|(first, _)| packed.rank(self.context) < first.rank(self.context));
                if is_better {
                    first = Some((packed, intruded));
                }
            }
            if is_last && let Some((packed, intruded)) = first.take() {
                if intruded.is_empty() || !settled || round > 2 * MAX_ROUNDS {
                    return (packed, intruded);
                }
                learn(&mut restrictions, intruded.into_iter().map(Feedback::DomainOpened));
                continue;
            }
            let lighter = heavy.into_iter().map(|(kind, together)| Feedback::BundleTooHeavy {
                kind,
                most: if round > MAX_BUNDLES { 0 } else { together - together.div_ceil(4) },
            });
            learn(&mut restrictions, lighter);
            for ((kind, cell), short) in short {
                let feedback = if short.shared && round <= MAX_TOTALS {
                    // Its cells draw on the same limits: what one doesn't hold, another may.
                    let total = restrictions.total(kind, self.count(kind));
                    Feedback::KindFull { kind, held: total.saturating_sub(short.left) }
                } else {
                    Feedback::CellFull { kind, cell, held: short.held }
                };
                learn(&mut restrictions, [feedback]);
            }
        }
    }

    /// Whether one more arrangement may be packed after so many rounds, where something is scarce.
    fn grants(&self, rounds: u32) -> bool {
        let left = self.work.get();
        let granted = left >= if rounds == 1 { WORTH_WHILE } else { PACKED_TWICE };
        if granted {
            self.work.set(left - PACKED_TWICE);
        }
        granted
    }

    /// The domains that a packing intrudes upon.
    fn intrusions(&self, packed: &Packed) -> Vec<Foreign> {
        let Some(arrangement) = &packed.arrangement else { return Vec::new() };
        let context = Context { compiled: &arrangement.compiled, ..*self.context };
        intrusions(&context, arrangement, &packed.state)
    }

    /// Packs thoroughly what a quick packing had room for, where that is better.
    fn pack_well(&self, restrictions: Restrictions, quick: Packed, pack: Pack) -> Packed {
        let Some(arrangement) = quick.arrangement.clone() else { return quick };
        let context = Context { compiled: &arrangement.compiled, ..*self.context };
        let mut state = pack(&context);
        super::seat_guests(&context, &mut state);
        let well = self.repair(restrictions, arrangement, state);
        if well.rank(self.context) < quick.rank(self.context) { well } else { quick }
    }

    /// Leaves out what has no room and what is legal only beside it, until the rest is legal by itself.
    fn repair(
        &self,
        mut restrictions: Restrictions,
        arrangement: Arrangement,
        state: State,
    ) -> Packed {
        let mut packed = (arrangement, state);
        for round in 0..3 * MAX_REPAIRS {
            let (arrangement, state) = &packed;
            let held = held(arrangement, state);
            let heavy = too_heavy(arrangement, state);
            if heavy.is_empty() && held.values().all(|one| one.left == 0) {
                break;
            }
            learn(&mut restrictions, heavy.into_keys().map(Feedback::NoRoom));
            for ((kind, cell), one) in held {
                learn(&mut restrictions, [Feedback::CellFull { kind, cell, held: one.held }]);
            }
            if round >= MAX_REPAIRS {
                let short = unsettled(arrangement, state);
                learn(&mut restrictions, short.into_iter().map(Feedback::NoRoom));
            }
            if round >= 2 * MAX_REPAIRS {
                let kinds = self.context.compiled.kinds.ids();
                learn(&mut restrictions, kinds.map(Feedback::NoRoom));
            }
            let next = arrange(self.context, &self.prices, &restrictions);
            let state =
                super::repair::transfer(self.context, (&arrangement.compiled, state), &next);
            packed = (next, state);
        }
        let (arrangement, mut state) = packed;
        let context = Context { compiled: &arrangement.compiled, ..*self.context };
        super::right_size(&context, &mut state);
        super::seat_guests(&context, &mut state);
        Packed { arrangement: Some(arrangement), state }
    }

    /// How many pods of a kind there are.
    fn count(&self, kind: KindId) -> u32 {
        self.context.compiled.classes[ClassId::from_index(kind.index())].count
    }

    /// Gives up preferences where pods stay out, and looks after kinds first that found no cell. What was of
    /// no use is taken back.
    fn concede(
        &self,
        mut restrictions: Restrictions,
        mut best: Packed,
        pack: Pack,
    ) -> (Restrictions, Packed) {
        let whole = self.context.compiled;
        let mut kept = restrictions.clone();
        for _ in 0..MAX_CONCESSIONS {
            let out_of_work = || is_scarce(self.context, &best) && self.work.get() < WORTH_WHILE;
            if self.context.is_stopped() || out_of_work() {
                break;
            }
            let left = best.left(whole);
            let out = |kind: KindId| left[kind] > 0 && !is_guest(whole, kind);
            let mut answers: Vec<Feedback> = Vec::new();
            for kind in left.ids().filter(|kind| out(*kind)) {
                if stake(whole, kind) > 0 {
                    answers.push(Feedback::PreferencesInTheWay(kind));
                }
                if best.out().any(|(of, out)| *of == kind && out.barred) {
                    answers.push(Feedback::NoCell(kind));
                }
            }
            if let Some(arrangement) = &best.arrangement {
                let context = Context { compiled: &arrangement.compiled, ..*self.context };
                let empty = empty_domains(&context, arrangement, &best.state, out);
                answers.extend(empty.into_iter().map(Feedback::DomainEmpty));
            }
            let changed = learn(&mut restrictions, answers);
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

    /// Where preferences have a price: gives up those that cost more than they are worth, all of them or
    /// kind by kind, those with most at stake first.
    fn weigh(
        &self,
        mut restrictions: Restrictions,
        mut best: Packed,
        pack: Pack,
    ) -> (Restrictions, Packed) {
        if self.context.wish_price.is_none() {
            return (restrictions, best);
        }
        let whole = self.context.compiled;
        let mut kinds: Vec<(Reverse<u64>, KindId)> = whole
            .kinds
            .ids()
            .map(|kind| (Reverse(stake(whole, kind)), kind))
            .filter(|(Reverse(stake), _)| *stake > 0)
            .collect();
        kinds.sort_unstable();
        let tries = allowance(whole);
        for (_, kind) in kinds.into_iter().take(tries) {
            let out_of_work = is_scarce(self.context, &best) && self.work.get() < WORTH_WHILE;
            if self.context.is_stopped() || out_of_work {
                break;
            }
            let mut flipped = restrictions.clone();
            flipped.wishful[kind] = !flipped.wishful[kind];
            let other = self.solve(&flipped, pack);
            if other.rank(self.context) < best.rank(self.context) {
                (restrictions, best) = (flipped, other);
            }
        }
        (restrictions, best)
    }

    /// Tries other cells for the kinds that have a choice, one at a time, where the problem is small: by
    /// quick packings, and at the end by a thorough one of the best.
    fn try_others(&self, mut restrictions: Restrictions, best: Packed, pack: Pack) -> Packed {
        let Some(arrangement) = &best.arrangement else { return best };
        let mut tries = allowance(&arrangement.compiled);
        let choices: Vec<(KindId, usize)> =
            arrangement.choices.iter().map(|(kind, cells)| (*kind, *cells)).collect();
        // A few tries of many would be an accident of order.
        if choices.is_empty() || tries < choices.len() || self.context.is_stopped() {
            return best;
        }
        let before = self.work.get();
        let scarce = is_scarce(self.context, &best);
        if scarce && before < PACKED_TWICE * choices.len() {
            return best;
        }
        let mut least = self.solve(&restrictions, super::pack_quickly).rank(self.context);
        if scarce {
            let each = PACKED_TWICE + before - self.work.get();
            tries = tries.min(self.work.get() / each);
        }
        if tries < choices.len() {
            return best;
        }
        let mut changed = false;
        let mut again = true;
        // What one kind does may make another choice the better one for a kind before it.
        while std::mem::take(&mut again) {
            for (kind, cells) in &choices {
                for cell in 0..*cells {
                    if tries == 0 || self.context.is_stopped() {
                        break;
                    }
                    tries -= 1;
                    let former = restrictions.hints.insert(*kind, cell);
                    let rank = self.solve(&restrictions, super::pack_quickly).rank(self.context);
                    if rank < least {
                        least = rank;
                        (changed, again) = (true, true);
                    } else if let Some(former) = former {
                        let _hint = restrictions.hints.insert(*kind, former);
                    } else {
                        let _none = restrictions.hints.remove(kind);
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

/// Takes answers into account; whether any says something new.
fn learn(restrictions: &mut Restrictions, answers: impl IntoIterator<Item = Feedback>) -> bool {
    answers.into_iter().fold(false, |new, feedback| restrictions.learn(feedback) | new)
}

/// What the preferences of a kind weigh together.
fn stake(whole: &Compiled, kind: KindId) -> u64 {
    let rules = &whole.topology.rules[kind];
    let terms = whole.wishes.terms[kind].iter().map(|(weight, _)| u64::from(*weight));
    let wishes = rules.wish_near.iter().chain(&rules.wish_far);
    let wishes = wishes.map(|(weight, _)| u64::from(*weight));
    let soft = rules.spreads.iter().filter(|spread| !spread.hard).map(|_| 1);
    let list = whole.grounds.rules.sets()[whole.kinds[kind].rules].tolerations;
    let disliked = u64::from(whole.wishes.disliked.get(list).copied().unwrap_or(false));
    let each: u64 = terms.chain(wishes).chain(soft).sum::<u64>() + disliked;
    let count = whole.classes[ClassId::from_index(kind.index())].count;
    each.saturating_mul(u64::from(count))
}
