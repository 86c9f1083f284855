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
use super::state::{Context, Group, Place, State};
use crate::bound::Worth;
use crate::compile::ClassId;
use crate::parallel;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
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
pub(crate) fn buy(context: &Context<'_, '_>, state: &mut State, tier: Tier<'_>) {
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
fn pricings(context: &Context<'_, '_>) -> u32 {
    if context.compiled.classes.len() <= MANY { 6 } else { 3 }
}

impl<'a> Pricing<'a> {
    fn bought(&mut self, worth: i128) {
        self.placed += worth;
    }

    fn is_stale(&self) -> bool {
        self.again > 0 && self.placed >= self.until
    }

    /// Computes the worth of what is left; `None` when nothing is.
    fn next(&mut self, context: &Context<'_, '_>, state: &mut State) -> Option<Bargains> {
        let left = state.waiting(self.tier.wanted);
        if left.values().all(|left| *left == 0) {
            return None;
        }
        self.again -= 1;
        let worth = state.worth(context, &left);
        let total: i128 =
            left.iter().map(|(class, left)| i128::from(worth.of(class)) * i128::from(*left)).sum();
        (self.placed, self.until) = (0, total / 2);
        let lanes = Lanes::new(context, &worth, &left, self.tier.style);
        let columns = self.tier.columns.iter();
        let rates = columns.map(|column| worth.rate(worth.ceiling(*column), context.cost(*column)));
        let rates: Vec<u128> = rates.collect();
        let ranking = (0..).zip(&rates).filter(|(_, rate)| **rate > 0);
        Some(Bargains {
            lanes,
            fillings: vec![None; self.tier.columns.len()],
            searched: vec![false; self.tier.columns.len()],
            ranking: ranking.map(|(at, rate)| (Reverse(*rate), at)).collect(),
            rates,
            worth,
        })
    }
}

/// The best filling known of each column.
struct Bargains {
    worth: Arc<Worth>,
    lanes: Lanes,
    fillings: Vec<Option<Filling>>,
    /// Which of them were searched for already.
    searched: Vec<bool>,
    /// The efficiency of each filling; where there is none yet, what can't be exceeded.
    rates: Vec<u128>,
    /// The columns whose efficiency isn't 0, the most efficient first.
    ranking: BTreeSet<(Reverse<u128>, usize)>,
}

impl Bargains {
    /// The most efficient filling that can be bought, by the place of its column.
    fn best(
        &mut self,
        context: &Context<'_, '_>,
        state: &State,
        columns: &[usize],
    ) -> Option<(usize, Filling)> {
        // Fillings go bad all at once when many columns hold the same pods: making a few of the best
        // anew finds the best, or nearly.
        let mut fresh: Option<usize> = None;
        let many = context.compiled.classes.len() > MANY;
        let mut anew = if many { ANEW_OF_MANY } else { u32::MAX };
        // First fillings that were made ahead, side by side.
        let mut ready: BTreeMap<usize, Filling> = BTreeMap::new();
        let mut ahead = 1;
        loop {
            let at = self.ranking.first()?.1;
            let column = columns[at];
            if state.supply(context.compiled, &context.compiled.columns[column]) == 0 {
                self.rate(at, 0);
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
                    Some(found) => self.keep(context, at, column, found),
                    None => return Some((at, filling.clone())),
                }
                continue;
            }
            if anew == 0
                && self.fillings[at].is_some()
                && let Some(at) = fresh
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
                    let next = self.ranking.iter().map(|(_, at)| *at);
                    let next: Vec<usize> =
                        next.filter(|at| self.fillings[*at].is_none()).take(ahead).collect();
                    ahead = (2 * ahead).min(AHEAD * (parallel::threads() - 1)).max(1);
                    ready.extend(next.iter().copied().zip(parallel::map(&next, fill)));
                    ready.remove(&at).unwrap_or_default()
                }
                None => fill(&at),
            };
            self.keep(context, at, column, filling);
            self.searched[at] = false;
            let best = fresh.map_or(0, |best| self.rates[best]);
            if self.rates[at] > best {
                fresh = Some(at);
            }
        }
    }

    /// Keeps a filling of a column, and its efficiency.
    fn keep(&mut self, context: &Context<'_, '_>, at: usize, column: usize, filling: Filling) {
        let rate = self.worth.rate(filling.worth, context.cost(column));
        self.rate(at, if filling.items.is_empty() { 0 } else { rate });
        self.fillings[at] = Some(filling);
    }

    fn rate(&mut self, at: usize, rate: u128) {
        let former = std::mem::replace(&mut self.rates[at], rate);
        let _ranked = self.ranking.remove(&(Reverse(former), at));
        if rate > 0 {
            let _new = self.ranking.insert((Reverse(rate), at));
        }
    }
}
