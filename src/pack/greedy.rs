//! The price-aware packer: nodes are filled one kind at a time, the best bargain first.
//!
//! *Problem.* Choose launches and what goes on them, so that all that is left is placed cheaply.
//!
//! *Idea.* Each pod has a worth (see [`crate::bound::Worth`]): what the lower bound pays for it. No
//! node can hold more worth than it costs, so worth ÷ cost is the efficiency of a filled node, and a
//! plan whose nodes all reach 1 is optimal. So: fill an empty node of every column, buy the one with
//! the highest efficiency, as often as its pods are there, and go on with the rest. The number of
//! pods per node and the type are thereby chosen together, by price.
//!
//! Every column is filled once. A filling stays good while its pods are left, since it only competes
//! with others that lost pods too; it is made anew when it would be the best and can't be bought any
//! more. When half of the worth is placed, worth is computed anew for what is left, since the rest
//! has another mix.
//!
//! *Cost.* Rounds × (columns + a few fills). A round uses up a class, or nearly: rounds grow with the
//! number of classes and the logarithm of their counts, not with the number of pods.
//!
//! References: bin-centric greedies with variable bin costs (Panigrahy et al. 2011; Gabay and
//! Zaourar 2016); Chvátal 1979 for cover by the best ratio.

use super::fill::{Filling, Lanes, Style};
use super::state::{Context, Group, Place, Room, State};
use crate::bound::Worth;
use crate::compile::{Bits, ClassId};
use crate::parallel;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

/// What may be bought, and for whom.
#[derive(Clone, Copy)]
pub(crate) struct Tier<'a> {
    /// Indices of the columns.
    pub(crate) columns: &'a [usize],
    pub(crate) style: Style,
    /// Which classes are to be placed.
    pub(crate) wanted: &'a dyn Fn(ClassId) -> bool,
}

/// Buys from these columns until nothing that is left can be placed on them.
pub(crate) fn buy(context: &Context<'_>, state: &mut State, tier: Tier<'_>) {
    let mut pricing = Pricing { tier, placed: 0, until: 0, again: pricings(context) };
    let Some(mut current) = pricing.next(context, state) else { return };
    loop {
        let Some((at, filling)) = current.best(context, state, tier.columns) else { return };
        let column = tier.columns[at];
        let supply = state.supply(context.compiled, &context.compiled.columns[column]);
        let times = filling.items.iter().map(|(class, count)| state.left[*class] / count).min();
        let times = times.unwrap_or(0).min(supply);
        let worth = filling.worth * i128::from(times);
        let group =
            Group { place: Place::Launch(column), items: filling.items, load: filling.load, times };
        let used: Vec<ClassId> = group.items.iter().map(|(class, _)| *class).collect();
        state.add(context.compiled, group);
        for class in used.into_iter().filter(|class| state.left[*class] == 0) {
            current.lanes.forget(class);
        }
        pricing.bought(worth);
        if pricing.is_stale() {
            match pricing.next(context, state) {
                Some(anew) => current = anew,
                None => return,
            }
        }
    }
}

/// When worth was last computed, and how much has been placed since.
struct Pricing<'a> {
    tier: Tier<'a>,
    placed: i128,
    until: i128,
    again: u32,
}

/// How many fillings are made anew for one purchase where the classes are many.
const ANEW_OF_MANY: u32 = 3;
/// More classes than this are many.
pub(crate) const MANY: usize = 512;

/// How many first fillings are made ahead for each further thread, at most.
const AHEAD: usize = 16;

/// How often worth is computed anew at most.
fn pricings(context: &Context<'_>) -> u32 {
    match (context.compiled.classes.len() <= MANY, context.scarcity) {
        // What is scarce is soon used up, and its price changes.
        (true, Some(_)) => 12,
        (true, None) => 6,
        (false, _) => 3,
    }
}

/// So much of what is left is placed before worth is computed anew: one part of so many.
fn portion(context: &Context<'_>) -> i128 {
    if context.scarcity.is_some() { 4 } else { 2 }
}

impl<'a> Pricing<'a> {
    fn bought(&mut self, worth: i128) {
        self.placed += worth;
    }

    fn is_stale(&self) -> bool {
        self.again > 0 && self.placed >= self.until
    }

    /// The columns that can still be bought.
    fn open(&self, context: &Context<'_>, state: &State) -> Bits {
        let columns = &context.compiled.columns;
        let mut open = Bits::none(columns.len());
        let tier = self.tier.columns.iter();
        tier.filter(|at| state.is_open(context.compiled, &columns[**at]))
            .for_each(|at| open.insert(*at));
        open
    }

    /// Computes the worth of what is left; `None` when nothing is that can be bought for.
    fn next(&mut self, context: &Context<'_>, state: &mut State) -> Option<Bargains> {
        let left = state.waiting(self.tier.wanted);
        let open = self.open(context, state);
        let takers = &context.compiled.takers;
        if !left.iter().any(|(class, left)| *left > 0 && takers[class].overlaps(&open)) {
            return None;
        }
        self.again -= 1;
        let worth = state.worth(context, &left);
        let each = |class| i128::from(worth.of(class).max(1));
        let total: i128 = left.iter().map(|(class, left)| each(class) * i128::from(*left)).sum();
        (self.placed, self.until) = (0, total / portion(context));
        let lanes = Lanes::new(context, &worth, &left, self.tier.style);
        let roomy = roomy(context, &lanes, &open, state);
        let columns = self.tier.columns.iter().enumerate();
        let columns = columns.filter(|(_, column)| open.contains(**column));
        let bounds = columns.map(|(at, column)| {
            let most = worth.ceiling(*column).min(total).min(roomy);
            (worth.rate(most, worth.cost(*column)), Reverse(at))
        });
        Some(Bargains {
            lanes,
            fillings: vec![None; self.tier.columns.len()],
            searched: vec![false; self.tier.columns.len()],
            unfilled: bounds.collect(),
            filled: BinaryHeap::new(),
            worth,
        })
    }
}

/// Twice what a node is filled with that has as much room as any of these columns: where rules keep pods
/// off each other's nodes, more room doesn't help, and no column's filling is worth so much.
fn roomy(context: &Context<'_>, lanes: &Lanes, columns: &Bits, state: &State) -> i128 {
    let rooms: Vec<Room<'_>> = columns.iter().map(|column| context.room(column)).collect();
    let mut all = vec![0; context.compiled.dims.len()];
    let mut admits = Bits::none(context.compiled.rows.len());
    for room in &rooms {
        all.iter_mut().zip(room.all).for_each(|(most, have)| *most = *have.max(most));
        admits.or(room.admits);
    }
    let Some(first) = rooms.first() else { return 0 };
    let ports = first.ports.emptied();
    let room =
        Room { all: &all, free: &all, ports: &ports, admits: &admits, flexible: None, ..*first };
    lanes.fill(context, &room, &[], &state.left).worth.saturating_mul(2)
}

/// The best filling known of each column.
struct Bargains {
    worth: Arc<Worth>,
    lanes: Lanes,
    fillings: Vec<Option<Filling>>,
    /// Which of them were searched for already.
    searched: Vec<bool>,
    /// The columns without a filling, with what their efficiency can't exceed.
    unfilled: BinaryHeap<(u128, Reverse<usize>)>,
    /// The others, with the efficiency of their fillings where that isn't 0.
    filled: BinaryHeap<(u128, Reverse<usize>)>,
}

impl Bargains {
    /// The most efficient filling that can be bought, by the place of its column.
    fn best(
        &mut self,
        context: &Context<'_>,
        state: &State,
        columns: &[usize],
    ) -> Option<(usize, Filling)> {
        // Fillings go bad all at once when many columns hold the same pods: making a few of the best
        // anew finds the best, or nearly.
        let mut fresh: Option<(u128, usize)> = None;
        let many = context.compiled.classes.len() > MANY;
        let mut anew = if many { ANEW_OF_MANY } else { u32::MAX };
        // First fillings that were made ahead, side by side.
        let mut ready: BTreeMap<usize, Filling> = BTreeMap::new();
        let mut ahead = 1;
        loop {
            let at = self.filled.peek().max(self.unfilled.peek())?.1.0;
            let column = columns[at];
            if !state.is_open(context.compiled, &context.compiled.columns[column]) {
                self.pass_over(at);
                continue;
            }
            if let Some(filling) = &self.fillings[at]
                && filling.items.iter().all(|(class, count)| state.left[*class] >= *count)
            {
                if self.searched[at] {
                    return Some((at, filling.clone()));
                }
                // Searching is dear, so it is left to those that come out best without.
                self.searched[at] = true;
                let room = context.room(column);
                let found = self.lanes.search(context, &room, &[], &state.left);
                match found.filter(|found| found.worth > filling.worth) {
                    Some(found) => {
                        let _rate = self.keep(at, column, found);
                    }
                    None => return Some((at, filling.clone())),
                }
                continue;
            }
            if anew == 0
                && self.fillings[at].is_some()
                && let Some((_, at)) = fresh
            {
                return Some((at, self.fillings[at].clone()?));
            }
            let first = self.fillings[at].is_none();
            let fill = |at: &usize| {
                self.lanes.fill(context, &context.room(columns[*at]), &[], &state.left)
            };
            // A column's first filling has to be made in any case.
            anew = anew.saturating_sub(u32::from(!first));
            let filling = match ready.remove(&at) {
                Some(filling) => filling,
                None if first && many => {
                    let next = first_of(&mut self.unfilled, ahead);
                    ahead = (2 * ahead).min(AHEAD * (parallel::threads() - 1)).max(1);
                    ready.extend(next.iter().copied().zip(parallel::map(&next, fill)));
                    ready.remove(&at).unwrap_or_default()
                }
                None => fill(&at),
            };
            let rate = self.keep(at, column, filling);
            self.searched[at] = false;
            if rate > fresh.map_or(0, |(best, _)| best) {
                fresh = Some((rate, at));
            }
        }
    }

    /// Keeps a filling of the column that came first, and says how efficient that is.
    fn keep(&mut self, at: usize, column: usize, filling: Filling) -> u128 {
        let rate = self.worth.rate(filling.worth, self.worth.cost(column));
        let rate = if filling.items.is_empty() { 0 } else { rate };
        self.pass_over(at);
        self.fillings[at] = Some(filling);
        if rate > 0 {
            self.filled.push((rate, Reverse(at)));
        }
        rate
    }

    /// Takes the column that came first from among the others.
    fn pass_over(&mut self, at: usize) {
        let _first = match self.fillings[at] {
            None => self.unfilled.pop(),
            Some(_) => self.filled.pop(),
        };
    }
}

/// So many of what a heap has, by their places, the best first.
fn first_of(heap: &mut BinaryHeap<(u128, Reverse<usize>)>, many: usize) -> Vec<usize> {
    let first: Vec<_> = std::iter::from_fn(|| heap.pop()).take(many).collect();
    heap.extend(&first);
    first.into_iter().map(|(_, at)| at.0).collect()
}
