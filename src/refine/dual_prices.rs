//! Prices of pods and of supplies, made into solutions of the dual, with the bounds that they
//! prove.
//!
//! *Problem.* Prices that a master suggests let some bins hold more than they cost; what is proved
//! by them holds only once none does.
//!
//! *Idea.* Values of pods are scaled down, each part of the demands by itself, until launches cost
//! what they hold. What is paid for by the price of a supply of its own (running nodes,
//! reservations, what static pools launch) can't be had by scaling: that price is what such a bin
//! holds beyond what it costs. Where a pod that comes to a node pays for its move, only what it is
//! worth beyond that is scaled: where it stays it is worth all of it.
//!
//! *Why it is right.* For a factor of at most one and values `w` beyond the price of a move, a bin
//! holds at most that factor of what it held. What running nodes hold is worked out anew.
//!
//! References: Farley 1990, "A note on bounding a class of linear programming problems".

use super::cancel::StepLimit;
use super::instance::{Bin, Instance, Pattern};
use super::prove::{BinValues, scale};
use super::tuning::dual_prices::RESCALED;
use crate::parallel;
use std::collections::BTreeMap;

/// Prices, and the bound that they prove as far as floats can tell.
#[derive(Clone, Debug)]
pub(super) struct DualPrices {
    /// For each demand, what one of its pods is worth, in billionths.
    pub(super) values: Vec<f64>,
    /// For each supply, what a unit costs.
    pub(super) supplies: Vec<f64>,
    /// No plan costs less.
    pub(super) bound: f64,
}

/// A value of which the part beyond the price of a move is scaled.
pub(super) fn scaled_by(value: f64, factor: f64, move_price: f64) -> f64 {
    if value > move_price { move_price + (value - move_price) * factor } else { value }
}

impl Instance<'_> {
    /// As [`Instance::scaled`], with over-estimates that are searched for where they matter.
    pub(super) fn sharpened(
        &self,
        values: Vec<f64>,
        supplies: Vec<f64>,
        step_limit: StepLimit<'_>,
    ) -> DualPrices {
        let numbers: Vec<usize> = (0..self.bins.len()).collect();
        // What costs nothing is never scaled, so its over-estimates add up.
        let upper_bounds = parallel::map(&numbers, |number| {
            let bin = &self.bins[*number];
            if self.is_free(bin) {
                bin.held(&values) + bin.knapsack.relax(&bin.worth(&values), None).upper_bound
            } else {
                0.0
            }
        });
        let mut prices = self.scaled(values, supplies, &upper_bounds);
        let mut of_part: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (number, bin) in self.bins.iter().enumerate() {
            if bin.site.is_launch()
                && let Some(first) = bin.items.first()
            {
                of_part.entry(self.part_of[*first as usize]).or_default().push(number);
            }
        }
        let parts: Vec<(u32, Vec<usize>)> = of_part.into_iter().collect();
        let factors = parallel::map(&parts, |(_, bins)| {
            let worths: Vec<Vec<f64>> =
                bins.iter().map(|at| self.bins[*at].worth(&prices.values)).collect();
            let kinds: Vec<BinValues<'_>> = bins
                .iter()
                .zip(&worths)
                .map(|(at, values)| BinValues {
                    knapsack: &self.bins[*at].knapsack,
                    values,
                    limit: self.bins[*at].net(&prices.supplies),
                })
                .collect();
            scale(&kinds, step_limit)
        });
        let factors: BTreeMap<u32, f64> =
            parts.iter().map(|(part, _)| *part).zip(factors).collect();
        let move_price = self.move_price();
        for (value, part) in prices.values.iter_mut().zip(&self.part_of) {
            let factor = factors.get(part).copied().unwrap_or(1.0).min(1.0);
            *value = scaled_by(*value, factor, move_price);
        }
        if self.has_candidates {
            let held =
                parallel::map(&numbers, |number| self.running_worth(*number, &prices.values));
            self.pay_running(&mut prices.supplies, &held);
        }
        prices.bound = self.bound(&prices);
        prices
    }

    /// As good prices as some factor makes of these: running nodes that hold more than they cost
    /// can take off more than values give.
    pub(super) fn rescaled(&self, prices: &DualPrices) -> DualPrices {
        let numbers: Vec<usize> =
            (0..self.bins.len()).filter(|at| !self.bins[*at].site.is_launch()).collect();
        let at = |factor: f64| {
            let values: Vec<f64> = prices.values.iter().map(|value| value * factor).collect();
            let worths = parallel::map(&numbers, |number| self.running_worth(*number, &values));
            let mut held = vec![0.0; self.bins.len()];
            numbers.iter().zip(worths).for_each(|(number, worth)| held[*number] = worth);
            let mut scaled = DualPrices { values, supplies: prices.supplies.clone(), bound: 0.0 };
            self.pay_running(&mut scaled.supplies, &held);
            scaled.bound = self.bound(&scaled);
            scaled
        };
        // What is proved is concave in the factor.
        let (mut low, mut high) = (0.0_f64, 1.0_f64);
        let mut best = at(1.0);
        for _ in 0..RESCALED {
            let third = (high - low) / 3.0;
            let (one, other) = (at(low + third), at(high - third));
            if one.bound > other.bound {
                high -= third
            } else {
                low += third
            }
            for scaled in [one, other] {
                if scaled.bound > best.bound {
                    best = scaled;
                }
            }
        }
        best
    }

    /// What a pod that comes to a node costs.
    pub(super) fn move_price(&self) -> f64 {
        self.bins.first().map_or(0.0, |bin| bin.move_price)
    }

    /// Has pods that come to a node cost so much.
    pub(super) fn charge_moves(&mut self, move_price: f64) {
        self.bins.iter_mut().for_each(|bin| bin.move_price = move_price);
    }

    /// What a running node can be worth at most; nothing for launches.
    fn running_worth(&self, number: usize, values: &[f64]) -> f64 {
        let bin = &self.bins[number];
        if bin.site.is_launch() {
            return 0.0;
        }
        bin.held(values) + bin.knapsack.relax(&bin.worth(values), None).upper_bound
    }

    /// Has running nodes cost what they can be worth beyond their own price.
    fn pay_running(&self, supplies: &mut [f64], upper_bounds: &[f64]) {
        for (bin, upper_bound) in self.bins.iter().zip(upper_bounds) {
            if let Some((supply, _)) = bin.uses.first().filter(|_| !bin.site.is_launch()) {
                supplies[*supply as usize] = (upper_bound - bin.cost as f64).max(0.0);
            }
        }
    }

    /// Whether a bin is paid for by the price of a supply of its own.
    fn is_free(&self, bin: &Bin) -> bool {
        bin.uses.iter().any(|(supply, _)| self.supplies[*supply as usize].source.is_own())
    }

    /// What prices prove, if no bin can hold more than it costs.
    fn bound(&self, prices: &DualPrices) -> f64 {
        let worth = self.demands.iter().zip(&prices.values);
        let worth: f64 = worth.map(|(demand, value)| f64::from(demand.count) * value).sum();
        let paid = self.supplies.iter().zip(&prices.supplies);
        worth - paid.map(|(supply, price)| supply.left as f64 * price).sum::<f64>()
    }

    /// Prices made into a solution of the dual by what each bin can hold at most, and their bound.
    ///
    /// Each part of the demands is scaled by itself. What costs nothing is paid for by the price of
    /// the supply that it draws on, since that can't be had by scaling.
    pub(super) fn scaled(
        &self,
        mut values: Vec<f64>,
        mut supplies: Vec<f64>,
        upper_bounds: &[f64],
    ) -> DualPrices {
        let held: Vec<f64> = match self.has_candidates {
            true => self.bins.iter().map(|bin| bin.held(&values)).collect(),
            false => Vec::new(),
        };
        let own = |supply: u32| self.supplies[supply as usize].source.is_own();
        let mut needed = vec![0.0_f64; supplies.len()];
        for (bin, upper_bound) in self.bins.iter().zip(upper_bounds) {
            for (supply, _) in bin.uses.iter().filter(|(supply, _)| own(*supply)) {
                let slot = &mut needed[*supply as usize];
                *slot = slot.max(upper_bound - bin.cost as f64);
            }
        }
        for (number, price) in (0..).zip(&mut supplies) {
            if own(number) {
                *price = needed[number as usize];
            }
        }
        let mut factors = vec![1.0_f64; self.demands.len()];
        for (bin, upper_bound) in self.bins.iter().zip(upper_bounds) {
            let (net, Some(first)) = (bin.net(&supplies), bin.items.first()) else { continue };
            if *upper_bound > net {
                let factor = &mut factors[self.part_of[*first as usize] as usize];
                *factor = factor.min(if net > 0.0 { net / upper_bound } else { 0.0 });
            }
        }
        let move_price = self.move_price();
        for (value, part) in values.iter_mut().zip(&self.part_of) {
            *value = scaled_by(*value, factors[*part as usize], move_price);
        }
        if self.has_candidates {
            let most = factors.iter().copied().fold(0.0, f64::max);
            let arriving = |(bin, (upper_bound, held)): (&Bin, (&f64, &f64))| {
                bin.held(&values) + (upper_bound - held).max(0.0) * most
            };
            let pairs = upper_bounds.iter().zip(&held);
            let held: Vec<f64> = self.bins.iter().zip(pairs).map(arriving).collect();
            self.pay_running(&mut supplies, &held);
        }
        let mut prices = DualPrices { values, supplies, bound: 0.0 };
        prices.bound = self.bound(&prices);
        prices
    }

    /// Lowers what the pods of a pattern are worth to what it costs.
    pub(super) fn respect(&self, prices: &mut DualPrices, pattern: &Pattern) {
        let bin = &self.bins[pattern.bin as usize];
        let (worth, net) = (bin.total(pattern, &prices.values), bin.net(&prices.supplies));
        if worth <= net || net <= 0.0 {
            return;
        }
        for (demand, _) in pattern.items.iter().chain(&bin.own) {
            let value = &mut prices.values[*demand as usize];
            let less = *value * (1.0 - net / worth);
            *value -= less;
            prices.bound -= less * f64::from(self.demands[*demand as usize].count);
        }
    }
}
