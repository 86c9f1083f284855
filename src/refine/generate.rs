//! Column generation: the linear relaxation over all fillings of all bins, and its prices.
//!
//! *Problem.* `min Σ c_k x_k` over all patterns `k` (fillings of a bin) such that every pod is
//! covered and no supply is overdrawn. There are far too many patterns to list.
//!
//! *Idea.* Solve the programme with the patterns known so far (the master, [`RestrictedMaster`]). Its dual
//! says what each pod is worth, `v`, and what each unit of a supply costs, `μ`. A pattern can
//! improve the master only if it is worth more than its bin costs: `v·a > c + μ·u`. So for each bin
//! the filling worth most is looked for (a knapsack, [`super::knapsack`]); what is found is added,
//! until nothing is.
//!
//! *Bounds.* For any `v, μ ≥ 0` and over-estimates `z̄_t` of what each bin can hold,
//! `θ = min (c_t + μ·u_t) / z̄_t`, at most 1, makes `θv` a solution of the dual, so no plan costs
//! less than `θ Σ n v − Σ U μ` (Farley). Bins that cost nothing can't be scaled: what running nodes
//! can hold is paid for by the price of that very supply. So each round gives a bound, whether the
//! master is solved or not.
//!
//! *Stabilisation.* The prices of the first masters swing wildly. Bins are filled at a mixture of
//! the master's prices and of those of a centre; where that finds nothing that improves the master,
//! less of the latter is mixed in (Wentges smoothing). The centre is where the bound seems best:
//! where what bins hold is taken from the fillings that were found, for over-estimates are so far
//! above these that the bound they prove would hardly ever move it. A pattern that shows that it
//! seemed too good corrects it.
//!
//! *Screening.* A bin of which the over-estimate at its last prices of resources is no more than it
//! costs holds no improving pattern; most bins are passed over by that.
//!
//! *Cost.* Rounds × (bins screened + some bins filled) + pivots of the master.
//!
//! References: Gilmore and Gomory 1961; Farley 1990; Wentges 1997; Lübbecke and Desrosiers 2005.
//!
//! *Example.* One bin of 10 for a cost of 10, pods of 6 and of 4. Known are patterns with one pod
//! each: a pod of either kind is worth 10. The knapsack finds 6 + 4, worth 20 for 10; added, the
//! master pays for pairs, values fall to 6 and 4 (or any two that sum up to 10), nothing is worth
//! more than it costs, and `θ = 1`: the bound is what the master costs.

use super::cancel::{Cancel, StepLimit};
use super::complementary::ComplementarySearch;
use super::instance::{Bin, DualPrices, Instance, Pattern, SharedCapacity};
use super::knapsack::KnapsackRelaxation;
use super::restricted_master::RestrictedMaster;
use super::rows::AggregatedRows;
use super::simplex::SolveEnd;
use super::tuning::generate::{
    BATCH, FILLED, FIRST_STEPS, PIVOTS, SEARCHED, SETTLED, SETTLED_BY, SEVERAL_STEPS, SMOOTH,
};
use crate::compile::CapacitySource;
use crate::parallel;
use ordered_float::OrderedFloat;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Relative differences below this are none.
const TINY: f64 = 1e-9;

/// Why a round was the last one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum RoundEnd {
    /// Patterns were added.
    Improved,
    /// No pattern improves the relaxation.
    Converged,
    /// The search for patterns gave up.
    Stuck,
}

/// The relaxation as far as it is solved.
///
/// Patterns are only ever added, and the best bound only rises, so the caller may stop between any
/// two rounds.
#[derive(Debug)]
pub(super) struct ColumnGeneration<'i, 'c> {
    pub(super) instance: &'i Instance<'c>,
    pub(super) master: RestrictedMaster<'i, 'c>,
    /// For each bin what was found when it was last looked at.
    pub(super) screens: Vec<Option<KnapsackRelaxation>>,
    pub(super) best: DualPrices,
    /// Prices that others are mixed with; their bound is what it seems to be.
    centre: DualPrices,
    pub(super) tolerance: Tolerance,
}

/// How far it is worth going.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tolerance {
    /// How close the bound and the relaxation come, in proportion, before they count as one.
    pub(super) close: f64,
    /// The most steps of an exact search of a bin.
    pub(super) steps: u32,
}

/// An exact search of the bins that quick fillings say nothing about.
#[derive(Clone, Copy)]
struct ExactPricing<'a> {
    /// For each bin.
    step_limit: StepLimit<'a>,
    /// How much more than the bin costs a filling must be worth to be of interest, in proportion.
    beyond: f64,
    /// Bins are searched which could hold more than they cost by this.
    open: f64,
}

/// What looking at one bin found.
#[derive(Debug, Default)]
struct BinPricing {
    /// No filling is worth more.
    upper_bound: f64,
    /// What the best filling seems to be worth.
    estimate: f64,
    relaxed: Option<KnapsackRelaxation>,
    found: Vec<Pattern>,
}

impl<'i, 'c> ColumnGeneration<'i, 'c> {
    /// Starts from these patterns and prices, with rows of their own for so many demands.
    ///
    /// Starts from single pods on each bin that they use, so that the master is feasible; what
    /// isn't covered costs a penalty far above any price.
    pub(super) fn new(
        instance: &'i Instance<'c>,
        patterns: impl IntoIterator<Item = Pattern>,
        values: Vec<f64>,
        own: usize,
        tolerance: Tolerance,
    ) -> Self {
        let master = RestrictedMaster::new(instance, AggregatedRows::of(instance, &values, own));
        let supplies = vec![0.0; instance.supplies.len()];
        let best = DualPrices { values, supplies, bound: f64::NEG_INFINITY };
        let mut generation = Self {
            instance,
            master,
            screens: vec![None; instance.bins.len()],
            centre: best.clone(),
            best,
            tolerance,
        };
        // The bound of the prices that it starts with.
        let DualPrices { values, supplies, .. } = generation.best.clone();
        let pricings = generation.price_bin(&values, &supplies, None);
        let _none = generation.take(pricings, values.clone(), supplies.clone(), &values, &supplies);
        let singles = instance.singles().into_iter().flatten();
        singles.for_each(|single| generation.add(instance.legal(single)));
        patterns.into_iter().for_each(|pattern| generation.add(pattern));
        for (number, bin) in instance.bins.iter().enumerate() {
            if !bin.own.is_empty() {
                generation.add(bin.pattern(number, &[]));
            }
        }
        generation
    }

    /// Gives more demands rows of their own.
    ///
    /// The master is built anew from all patterns; its basis starts over, its prices nearly where
    /// they were.
    pub(super) fn deepen(&mut self, own: usize) {
        let rows = AggregatedRows::of(self.instance, &self.best.values, own);
        self.master.set_rows(rows);
        for pattern in self.master.patterns() {
            self.instance.respect(&mut self.centre, pattern);
        }
    }

    /// Whether every demand has a row of its own.
    pub(super) fn is_whole(&self) -> bool {
        self.master.is_whole()
    }

    /// Whether another stage has nothing to do: there are no more rows, and no closer solution is
    /// asked for.
    pub(super) fn is_final(&self) -> bool {
        self.is_whole() && self.tolerance.close < 1e-4
    }

    /// Takes over what another found, which says that pods are worth so much here: prices, and
    /// where bins and demands are the same, patterns.
    pub(super) fn learn(&mut self, other: &ColumnGeneration<'_, '_>, values: &[f64]) {
        let (here, there) = (self.instance, other.instance);
        let prices = there.supplies.iter().zip(&other.best.supplies);
        let prices: BTreeMap<CapacitySource, f64> =
            prices.map(|(supply, price)| (supply.source, *price)).collect();
        let price = |supply: &SharedCapacity| prices.get(&supply.source).copied().unwrap_or(0.0);
        let supplies: Vec<f64> = here.supplies.iter().map(price).collect();
        let pricings = self.price_bin(values, &supplies, None);
        let _none = self.take(pricings, values.to_vec(), supplies.clone(), values, &supplies);
        if here.demands.len() != there.demands.len() || here.bins.len() != there.bins.len() {
            return;
        }
        for pattern in other.master.patterns() {
            let bin = &here.bins[pattern.bin as usize];
            let item = |(demand, count): &(u32, u32)| {
                Some((bin.items.binary_search(demand).ok()? as u32, *count))
            };
            let counts: Option<Vec<(u32, u32)>> = pattern.items.iter().map(item).collect();
            if counts.is_some_and(|counts| bin.knapsack.holds(&counts)) {
                self.add(here.legal(pattern.clone()));
            }
        }
    }

    /// Adds a pattern that isn't known yet.
    pub(super) fn add(&mut self, pattern: Pattern) {
        if self.master.add(pattern.clone()) {
            self.instance.respect(&mut self.centre, &pattern);
        }
    }

    /// Solves the master and looks for patterns that improve it.
    ///
    /// In three steps: at mixed prices with quick fillings, less and less mixed; at the master's
    /// prices with exact searches of growing length. *Converged* says that no pattern improves the
    /// master, *stuck* that a search gave up before it could say so.
    pub(super) fn round(&mut self, cancel: &Cancel<'_>) -> RoundEnd {
        let solved = self.master.solve(StepLimit { steps: PIVOTS, cancel });
        let (values, supplies) = &self.master.prices();
        let objective = self.objective();
        // Plans cost whole steps: what the bound comes to, rounded up, is as good as the bound.
        let bound = self.best.bound.max(self.instance.up(self.best.bound) as f64 * (1.0 - TINY));
        if solved == SolveEnd::Optimal && bound >= objective * (1.0 - self.tolerance.close) {
            return RoundEnd::Converged;
        }
        let mut smooth = if self.centre.bound > 0.0 { SMOOTH } else { 0.0 };
        loop {
            let mix = |(one, other): (&f64, &f64)| smooth * one + (1.0 - smooth) * other;
            let mixed: Vec<f64> = self.centre.values.iter().zip(values).map(mix).collect();
            let paid: Vec<f64> = self.centre.supplies.iter().zip(supplies).map(mix).collect();
            let pricings = self.price_bin(&mixed, &paid, None);
            if self.take(pricings, mixed, paid, values, supplies) > 0 {
                return RoundEnd::Improved;
            }
            if cancel.now() {
                return RoundEnd::Stuck;
            }
            if smooth == 0.0 {
                break;
            }
            smooth = if smooth > 0.3 { smooth / 2.0 } else { 0.0 };
        }
        // Quick fillings find nothing more: search the bins that could hold most for what they
        // cost.
        let mut steps = FIRST_STEPS.min(self.tolerance.steps);
        loop {
            let step_limit = StepLimit { steps, cancel };
            let search = ExactPricing { step_limit, beyond: TINY, open: self.tolerance.close };
            let pricings = self.price_bin(values, supplies, Some(search));
            let open = pricings.iter().zip(&self.instance.bins).any(|(pricing, bin)| {
                pricing.upper_bound > bin.net(supplies) * (1.0 + self.tolerance.close)
            });
            if self.take(pricings, values.to_vec(), supplies.to_vec(), values, supplies) > 0 {
                return RoundEnd::Improved;
            }
            if !open {
                return RoundEnd::Converged;
            }
            if steps >= self.tolerance.steps || cancel.now() {
                return RoundEnd::Stuck;
            }
            steps = self.tolerance.steps.min(steps.max(1) * 4);
        }
    }

    /// Fills the bins that could hold more than they cost, and searches those that are the worst.
    ///
    /// Passed over are bins whose over-estimate at the last prices of resources is no more than
    /// they cost. With `search` the worst of what is left are searched exactly.
    fn price_bin(
        &self,
        values: &[f64],
        supplies: &[f64],
        search: Option<ExactPricing<'_>>,
    ) -> Vec<BinPricing> {
        let numbers: Vec<usize> = (0..self.instance.bins.len()).collect();
        let left = self.instance.counts();
        let quickly = |number: &usize| {
            let bin = &self.instance.bins[*number];
            let (worth, held) = (bin.worth(values), bin.held(values));
            let net = bin.net(supplies);
            let last = self.screens[*number].as_ref();
            if let Some(last) = last {
                let upper_bound = held + bin.knapsack.upper_bound(&worth, &last.prices);
                if upper_bound <= net {
                    return BinPricing {
                        upper_bound,
                        estimate: upper_bound,
                        ..BinPricing::default()
                    };
                }
            }
            let relaxed = bin.knapsack.relax(&worth, last);
            let (upper_bound, found) = (held + relaxed.upper_bound, Vec::new());
            BinPricing { upper_bound, estimate: upper_bound, relaxed: Some(relaxed), found }
        };
        let mut pricings = parallel::map(&numbers, quickly);
        self.fill(&mut pricings, values, supplies);
        let Some(ExactPricing { step_limit: pace, beyond, open: closed }) = search else {
            return pricings;
        };
        let mut open: Vec<(f64, usize)> = Vec::new();
        for number in numbers {
            let bin = &self.instance.bins[number];
            let net = bin.net(supplies);
            if pricings[number].upper_bound > net * (1.0 + closed) {
                open.push((pricings[number].upper_bound / net.max(1.0), number));
            }
        }
        open.sort_by_key(|(most, at)| (Reverse(OrderedFloat(*most)), *at));
        // Where few bins are open, some patterns of each.
        let patterns = BATCH / open.len().max(1);
        let mut found = false;
        for batch in open.chunks(SEARCHED) {
            let searched = parallel::map(batch, |(_, number)| {
                let bin = &self.instance.bins[*number];
                let net = bin.net(supplies);
                let held = bin.held(values);
                let enough = net * (1.0 + beyond) - held;
                let mut priced = bin.knapsack.best(&bin.worth(values), enough, pace);
                let mut better = Vec::new();
                if priced.value > enough {
                    better.push(bin.pattern(*number, &priced.counts));
                    let step_limit = Some(StepLimit { steps: SEVERAL_STEPS, ..pace });
                    if bin.own.is_empty() {
                        let several = ComplementarySearch { patterns, values, net, step_limit };
                        several.complement(self.instance, &left, &mut better);
                    }
                }
                priced.value += held;
                priced.upper_bound += held;
                (*number, priced, better)
            });
            for (number, priced, better) in searched {
                let pricing = &mut pricings[number];
                let net = self.instance.bins[number].net(supplies);
                pricing.upper_bound = pricing.upper_bound.min(priced.upper_bound.max(net));
                pricing.estimate = pricing.estimate.max(priced.value);
                if !better.is_empty() {
                    pricing.found = better;
                    found = true;
                }
            }
            if found || pace.cancel.now() {
                break;
            }
        }
        pricings
    }

    /// Fills the bins that could hold most for what they cost, until that is enough for a round.
    fn fill(&self, pricings: &mut [BinPricing], values: &[f64], supplies: &[f64]) {
        let mut order: Vec<(f64, usize)> = Vec::new();
        for (number, pricing) in pricings.iter().enumerate() {
            let net = self.instance.bins[number].net(supplies);
            if pricing.upper_bound > net && pricing.relaxed.is_some() {
                order.push((pricing.upper_bound / net.max(1.0), number));
            }
        }
        order.sort_by_key(|(most, at)| (Reverse(OrderedFloat(*most)), *at));
        let left = self.instance.counts();
        // Where few bins are open, some patterns of each.
        let each = BATCH / order.len().max(1);
        let mut found = 0;
        for batch in order.chunks(FILLED) {
            let filled = parallel::map(batch, |(_, number)| {
                let bin = &self.instance.bins[*number];
                let net = bin.net(supplies);
                let last = pricings[*number].relaxed.as_ref();
                let filled = bin.knapsack.fill(&bin.worth(values), last);
                let value = bin.held(values) + filled.value;
                let mut patterns = Vec::new();
                if value > net {
                    patterns.push(bin.pattern(*number, &filled.counts));
                    if bin.own.is_empty() {
                        let several =
                            ComplementarySearch { patterns: each, values, net, step_limit: None };
                        several.complement(self.instance, &left, &mut patterns);
                    }
                }
                (value, patterns)
            });
            for ((_, number), (estimate, patterns)) in batch.iter().zip(filled) {
                found += patterns.len();
                pricings[*number].found = patterns;
                pricings[*number].estimate = estimate;
            }
            if found >= BATCH {
                break;
            }
        }
    }

    /// Keeps the bound of prices where it is the best, and adds the patterns that improve the
    /// master most; how many.
    ///
    /// The bound of these prices is kept where it is the best so far, whatever the patterns are
    /// good for.
    fn take(
        &mut self,
        pricings: Vec<BinPricing>,
        values: Vec<f64>,
        supplies: Vec<f64>,
        of_master: &[f64],
        supplies_of_master: &[f64],
    ) -> usize {
        let instance = self.instance;
        let estimates: Vec<f64> = pricings.iter().map(|pricing| pricing.estimate).collect();
        let seeming = instance.scaled(values.clone(), supplies.clone(), &estimates);
        if seeming.bound > self.centre.bound {
            self.centre = seeming;
        }
        let upper_bounds: Vec<f64> = pricings.iter().map(|pricing| pricing.upper_bound).collect();
        let prices = instance.scaled(values, supplies, &upper_bounds);
        if prices.bound > self.best.bound {
            self.best = prices;
        }
        let mut improving: Vec<(OrderedFloat<f64>, Pattern)> = Vec::new();
        for (number, pricing) in pricings.into_iter().enumerate() {
            if pricing.relaxed.is_some() {
                self.screens[number] = pricing.relaxed;
            }
            let net = instance.bins[number].net(supplies_of_master);
            for pattern in pricing.found {
                let pattern = instance.legal(pattern);
                instance.respect(&mut self.centre, &pattern);
                let worth = instance.bins[number].total(&pattern, of_master);
                if worth > net * (1.0 + TINY) + TINY && !self.master.contains(&pattern) {
                    improving.push((OrderedFloat(net / worth), pattern));
                }
            }
        }
        improving.sort();
        improving.truncate(BATCH);
        let found = improving.len();
        improving.into_iter().for_each(|(_, pattern)| self.add(pattern));
        found
    }

    /// Searches the bins at the centre's prices, and corrects these by what is found, until they
    /// hold.
    fn converge(&mut self, step_limit: StepLimit<'_>) {
        let (of_master, supplies_of_master) = self.master.prices();
        let search = ExactPricing { step_limit, beyond: SETTLED_BY, open: SETTLED_BY };
        for _ in 0..SETTLED {
            if step_limit.cancel.now() {
                return;
            }
            let DualPrices { values, supplies, .. } = self.centre.clone();
            let pricings = self.price_bin(&values, &supplies, Some(search));
            let beyond = |(pricing, bin): (&BinPricing, &Bin)| {
                pricing.estimate > bin.net(&supplies) * (1.0 + SETTLED_BY)
            };
            let settled = !pricings.iter().zip(&self.instance.bins).any(beyond);
            let _added = self.take(pricings, values, supplies, &of_master, &supplies_of_master);
            if settled {
                break;
            }
        }
    }

    /// Makes the most of the prices: over-estimates are sharpened by search where they decide the
    /// bound.
    ///
    /// The bound is decided by the bin with the largest over-estimate for its cost; searching such
    /// bins exactly is what moves it.
    pub(super) fn sharpen(&mut self, steps: u32, cancel: &Cancel<'_>) {
        let step_limit = StepLimit { steps, cancel };
        self.converge(step_limit);
        if cancel.now() {
            return;
        }
        let DualPrices { values, supplies, .. } = self.centre.clone();
        // A master that isn't solved to the end says nothing better.
        let of_master = self.is_whole().then(|| self.master.prices());
        for (values, supplies) in of_master.into_iter().chain([(values, supplies)]) {
            let sharp = self.instance.sharpened(values, supplies, step_limit);
            if sharp.bound > self.best.bound {
                self.best = sharp;
            }
        }
    }

    /// How much each bin could hold for what it costs at the best prices: the best first.
    pub(super) fn efficient(&self) -> Vec<u32> {
        let numbers: Vec<u32> = (0..).zip(&self.instance.bins).map(|(number, _)| number).collect();
        let mut ranked = parallel::map(&numbers, |number| {
            let bin = &self.instance.bins[*number as usize];
            let worth = bin.worth(&self.best.values);
            let last = self.screens[*number as usize].as_ref();
            let relaxed = bin.knapsack.relax(&worth, last);
            (relaxed.upper_bound / bin.net(&self.best.supplies).max(1.0), *number)
        });
        ranked.sort_by_key(|(most, at)| (Reverse(OrderedFloat(*most)), *at));
        ranked.into_iter().map(|(_, number)| number).collect()
    }

    /// The value of the relaxation over the patterns known, in billionths.
    pub(super) fn objective(&self) -> f64 {
        self.master.objective()
    }

    /// The patterns that the relaxation uses, with how often.
    pub(super) fn solution(&self) -> Vec<(&Pattern, f64)> {
        let patterns = self.master.patterns();
        let columns = self.master.fractions().into_iter();
        columns.map(|(column, times)| (&patterns[column], times)).collect()
    }
}
