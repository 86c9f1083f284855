//! The price-aware packer: nodes are filled one class at a time, the most efficient first.
//!
//! *Problem.* Choose launches and what goes on them, so that all that is left is placed cheaply.
//!
//! *Idea.* Each pod has a worth (see [`crate::bound::DualValues`]): what the lower bound pays for
//! it. No node can hold more worth than it costs, so worth ÷ cost is the efficiency of a filled
//! node, and a plan whose nodes all reach 1 is optimal. So: fill an empty node of every bin type,
//! buy the one with the highest efficiency, as often as its pods are there, and go on with the
//! rest. The number of pods per node and the type are thereby chosen together, by price.
//!
//! Every bin type is filled once. A filling stays good while its pods are left, since it only
//! competes with others that lost pods too; it is made anew when it would be the best and can't be
//! bought any more. When half of the worth is placed, worth is computed anew for what is left,
//! since the rest has another mix.
//!
//! *Cost.* Rounds × (bin types + a few fills). A round uses up an item, or nearly: rounds grow with
//! the number of items and the logarithm of their counts, not with the number of pods.
//!
//! References: bin-centric greedies with variable bin costs (Panigrahy et al. 2011; Gabay and
//! Zaourar 2016); Chvátal 1979 for cover by the best ratio.
//!
//! *Example.* Worths are such that an `m7.large` at $0.10 can hold pods worth $0.097 and an
//! `m7.xlarge` at $0.20 pods worth $0.199. The second is bought, as often as its pods are there:
//! 0.995 against 0.97. When what is left is three small pods, the large type's best filling is
//! worth $0.03, and the small type wins.
//!
//! *Invariant.* `filled` and `unfilled` are heaps of upper bounds: an entry's efficiency is what
//! its filling had when it was made, and what is left only shrinks. So the top of both, once its
//! filling can still be bought, is the best there is, up to what the mix of the rest makes of new
//! fillings.

use super::SEARCHED_AMONG;
use super::fill::{FillRule, Filling, ValueBuckets};
use super::packing::{Context, NodeGroup, Packing};
use super::step::PackingStep;
use crate::bound::DualValues;
use crate::compile::{Bits, ItemId, NodeRoom, NodeSource};
use crate::parallel;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

/// What may be bought, and for whom.
#[derive(Clone, Copy)]
pub(crate) struct WeightTier<'a> {
    /// Indices of the bin types.
    pub(crate) bin_types: &'a [usize],
    pub(crate) fill_rule: FillRule,
    /// Which items are to be placed.
    pub(crate) wanted: &'a dyn Fn(ItemId) -> bool,
}

/// Buys from these bin types until nothing that is left can be placed on them.
///
/// Each turn buys a filling as often as its pods and the supply allow. Groups are as many as turns,
/// however many pods there are.
pub(crate) fn buy(context: &Context<'_>, packing: &mut Packing, tier: WeightTier<'_>) {
    let mut pricing = Repricing { tier, placed: 0, until: 0, again: pricings(context) };
    let Some(mut current) = pricing.next(context, packing) else { return };
    loop {
        let Some((at, filling)) = current.best(context, packing, tier.bin_types) else { return };
        let bin_type = tier.bin_types[at];
        let supply = packing.supply(context.compiled, &context.compiled.bin_types[bin_type]);
        let times = filling.items.iter().map(|(item, count)| packing.left[*item] / count).min();
        let times = times.unwrap_or(0).min(supply);
        let worth = filling.worth * i128::from(times);
        let group = NodeGroup {
            place: NodeSource::Launch(bin_type),
            items: filling.items,
            load: filling.load,
            multiplicity: times,
        };
        let used: Vec<ItemId> = group.items.iter().map(|(item, _)| *item).collect();
        packing.note(context, || PackingStep::Bought {
            bin_type,
            times,
            items: group.items.clone(),
            efficiency: current.worth.efficiency(filling.worth, current.worth.cost(bin_type)),
        });
        packing.add(context.compiled, group);
        for item in used.into_iter().filter(|item| packing.left[*item] == 0) {
            current.buckets.forget(item);
        }
        pricing.bought(worth);
        if pricing.is_stale() {
            match pricing.next(context, packing) {
                Some(anew) => current = anew,
                None => return,
            }
        }
    }
}

/// When worth was last computed, and how much has been placed since.
///
/// Computing worth anew takes a linear programme, so it is done when a part of the worth that is
/// left has been placed, and a few times at most.
struct Repricing<'a> {
    tier: WeightTier<'a>,
    placed: i128,
    until: i128,
    again: u32,
}

/// How many fillings are made anew for one purchase where the items are many.
const ANEW_OF_MANY: u32 = 3;
/// How many more are where the best of these isn't near what one that went bad promises. Of 100,000
/// pods (2,451 deployments, spreads, weighted pools) plans cost 696.72 with none of them, 643.25
/// with 16, 643.12 with 32 and 642.71 with 40, in the same time.
const FURTHER_OF_MANY: u32 = 32;
/// What is near: so much of what is promised. Halves come to 649.71, three quarters to 644.73, nine
/// tenths to 643.12.
const NEAR: (u128, u128) = (9, 10);
/// More items than this are many.
pub(crate) const MANY: usize = 512;

/// How many first fillings are made ahead for each further thread, at most.
const AHEAD: usize = 16;

/// How often worth is computed anew at most.
fn pricings(context: &Context<'_>) -> u32 {
    let items = context.compiled.items.len();
    match (items <= MANY, context.scarcity) {
        // What is scarce is soon used up, and its price changes.
        (true, Some(_)) if items <= SEARCHED_AMONG => 12,
        (true, _) => 6,
        (false, _) => 3,
    }
}

/// So much of what is left is placed before worth is computed anew: one part of so many.
fn portion(context: &Context<'_>) -> i128 {
    if context.scarcity.is_some() { 4 } else { 2 }
}

impl<'a> Repricing<'a> {
    fn bought(&mut self, worth: i128) {
        self.placed += worth;
    }

    fn is_stale(&self) -> bool {
        self.again > 0 && self.placed >= self.until
    }

    /// The bin types that can still be bought.
    fn open(&self, context: &Context<'_>, packing: &Packing) -> Bits {
        let bin_types = &context.compiled.bin_types;
        let mut open = Bits::none(bin_types.len());
        let tier = self.tier.bin_types.iter();
        tier.filter(|at| packing.is_open(context.compiled, &bin_types[**at]))
            .for_each(|at| open.insert(*at));
        open
    }

    /// Computes the worth of what is left; `None` when nothing is that can be bought for.
    ///
    /// Every bin type that is still open gets a bound first: its capacity at the resources' prices,
    /// all that is left, or twice what the roomiest node is filled with, whichever is least. Only
    /// those with a good bound are ever filled.
    fn next(&mut self, context: &Context<'_>, packing: &mut Packing) -> Option<EfficiencyQueue> {
        let left = packing.waiting(self.tier.wanted);
        let open = self.open(context, packing);
        let compatibles = &context.compiled.compatibles;
        if !left.iter().any(|(item, left)| *left > 0 && compatibles[item].overlaps(&open)) {
            return None;
        }
        self.again -= 1;
        let worth = packing.worth(context, &left);
        packing.note_prices(context, &worth);
        let each = |item| i128::from(worth.of(item).max(1));
        let total: i128 = left.iter().map(|(item, left)| each(item) * i128::from(*left)).sum();
        (self.placed, self.until) = (0, total / portion(context));
        let buckets = ValueBuckets::new(context, &worth, &left, self.tier.fill_rule);
        let roomy = most_fill_value(context, &buckets, &open, packing);
        let bin_types = self.tier.bin_types.iter().enumerate();
        let bin_types = bin_types.filter(|(_, bin_type)| open.contains(**bin_type));
        let bounds = bin_types.map(|(at, bin_type)| {
            let most = worth.most_value(*bin_type).min(total).min(roomy);
            (worth.efficiency(most, worth.cost(*bin_type)), Reverse(at))
        });
        Some(EfficiencyQueue {
            buckets,
            fillings: vec![None; self.tier.bin_types.len()],
            searched: vec![false; self.tier.bin_types.len()],
            unfilled: bounds.collect(),
            filled: BinaryHeap::new(),
            worth,
        })
    }
}

/// Twice what a node is filled with that has as much room as any of these bin types: where rules
/// keep pods off each other's nodes, more room doesn't help, and no bin type's filling is worth so
/// much.
fn most_fill_value(
    context: &Context<'_>,
    buckets: &ValueBuckets,
    bin_types: &Bits,
    packing: &Packing,
) -> i128 {
    let rooms: Vec<NodeRoom<'_>> =
        bin_types.iter().map(|bin_type| context.room(bin_type)).collect();
    let mut free = vec![0; context.compiled.dims.len()];
    let mut admits = Bits::none(context.compiled.eligible.len());
    for room in &rooms {
        free.iter_mut().zip(room.free).for_each(|(most, have)| *most = *have.max(most));
        admits.or(room.admits);
    }
    let Some(first) = rooms.first() else { return 0 };
    let used = first.used.without_bars();
    let room = NodeRoom { free: &free, used: &used, admits: &admits, min_values: None, ..*first };
    let filling = buckets.fill(context, context.open(room), &packing.left);
    filling.worth.saturating_mul(2)
}

/// The best filling known of each bin type.
struct EfficiencyQueue {
    worth: Arc<DualValues>,
    buckets: ValueBuckets,
    fillings: Vec<Option<Filling>>,
    /// Which of them were searched for already.
    searched: Vec<bool>,
    /// The bin types without a filling, with what their efficiency can't exceed.
    unfilled: BinaryHeap<(u128, Reverse<usize>)>,
    /// The others, with the efficiency of their fillings where that isn't 0.
    filled: BinaryHeap<(u128, Reverse<usize>)>,
}

impl EfficiencyQueue {
    /// The most efficient filling that can be bought, by the place of its bin type.
    fn best(
        &mut self,
        context: &Context<'_>,
        packing: &Packing,
        bin_types: &[usize],
    ) -> Option<(usize, Filling)> {
        // Fillings go bad all at once when many bin types hold the same pods: making a few of the
        // best anew finds the best, or nearly. Where all of these turn out poor, as of the dearest
        // bin types that a few pods alone had made look good, others are looked at as well.
        let mut fresh: Option<(u128, usize)> = None;
        let many = context.compiled.items.len() > MANY;
        let mut anew = if many { ANEW_OF_MANY } else { u32::MAX };
        let mut further = FURTHER_OF_MANY;
        // First fillings that were made ahead, side by side.
        let mut ready: BTreeMap<usize, Filling> = BTreeMap::new();
        let mut ahead = 1;
        loop {
            let at = self.filled.peek().max(self.unfilled.peek())?.1.0;
            let bin_type = bin_types[at];
            if !packing.is_open(context.compiled, &context.compiled.bin_types[bin_type]) {
                self.pass_over(at);
                continue;
            }
            if let Some(filling) = &self.fillings[at]
                && filling.items.iter().all(|(item, count)| packing.left[*item] >= *count)
            {
                if self.searched[at] {
                    return Some((at, filling.clone()));
                }
                // Searching is dear, so it is left to those that come out best without.
                self.searched[at] = true;
                let node = context.open(context.room(bin_type));
                let found = self.buckets.search(context, &node, &packing.left);
                match found.filter(|found| found.worth > filling.worth) {
                    Some(found) => {
                        let _efficiency = self.keep(at, bin_type, found);
                    }
                    None => return Some((at, filling.clone())),
                }
                continue;
            }
            if anew == 0
                && self.fillings[at].is_some()
                && let Some((best, at)) = fresh
            {
                let stale = self.filled.peek().map_or(0, |(stale, _)| *stale);
                let near = best.saturating_mul(NEAR.1) >= stale.saturating_mul(NEAR.0);
                if near || further == 0 {
                    return Some((at, self.fillings[at].clone()?));
                }
                further -= 1;
            }
            let first = self.fillings[at].is_none();
            let fill = |at: &usize| {
                let node = context.open(context.room(bin_types[*at]));
                self.buckets.fill(context, node, &packing.left)
            };
            // A bin type's first filling has to be made in any case.
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
            let efficiency = self.keep(at, bin_type, filling);
            self.searched[at] = false;
            if efficiency > fresh.map_or(0, |(best, _)| best) {
                fresh = Some((efficiency, at));
            }
        }
    }

    /// Keeps a filling of the bin type that came first, and says how efficient that is.
    fn keep(&mut self, at: usize, bin_type: usize, filling: Filling) -> u128 {
        let efficiency = self.worth.efficiency(filling.worth, self.worth.cost(bin_type));
        let efficiency = if filling.items.is_empty() { 0 } else { efficiency };
        self.pass_over(at);
        self.fillings[at] = Some(filling);
        if efficiency > 0 {
            self.filled.push((efficiency, Reverse(at)));
        }
        efficiency
    }

    /// Takes the bin type that came first from among the others.
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
