//! The largest factor for which values keep to the price of every kind of node.
//!
//! *Problem.* Values of pods prove a bound once no node can hold more value than it costs. Values
//! that exceed that are still good for a bound when they are scaled down, by the worst ratio of a
//! node's price to what it can hold, and each digit of that ratio is a digit of the bound.
//!
//! *Idea.* An over-estimate of what each kind of node can hold gives a ratio that is too low; a
//! filling gives one that is too high. Only the class with the lowest ratio matters, so only that
//! is searched further, with what the fillings already say as a floor, until it isn't the lowest
//! any more, or is known.
//!
//! *Why it is right.* `θ v·a ≤ p` for every filling `a` of every class as soon as `θ ≤ p / z̄` with
//! an over-estimate `z̄` of its best filling. [`certify`] relies on none of this: it proves in
//! integers what it returns, and takes a lower factor where a proof can't be found.
//!
//! References: Farley 1990, "A note on bounding a class of linear programming problems".

use super::super::cancel::{Cancel, StepLimit};
use super::super::knapsack::Knapsack;
use super::super::tuning::scale::{FEW, FIRST, LEAST, LOOKS, QUICK, STEPS_DOWN};
use super::BinProof;
use super::search::prove;
use crate::parallel;
use ordered_float::OrderedFloat;

/// One unit of value as an integer.
const ONE: f64 = (1_u64 << 40) as f64;
/// What it is lowered by below what upper bounds show, for the sake of rounding.
const SURELY: [f64; 4] = [0.0, 1e-9, 1e-7, 1e-5];

/// A kind of node, what items are worth there, and what it may hold at most; in one unit.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct BinValues<'a> {
    pub(in super::super) knapsack: &'a Knapsack,
    pub(in super::super) values: &'a [f64],
    pub(in super::super) limit: f64,
}

/// The largest factor for which the scaled values keep to all limits, as far as the steps for each
/// search show it, or less if the caller wishes to stop. Infinite where nothing is worth anything.
pub(in super::super) fn scale(bins: &[BinValues<'_>], step_limit: StepLimit<'_>) -> f64 {
    let steps = step_limit.steps;
    let ratio = |bin: &BinValues<'_>, worth: f64| {
        if worth > 0.0 { bin.limit.max(0.0) / worth } else { f64::INFINITY }
    };
    let mut upper = f64::INFINITY;
    let mut lower = Vec::with_capacity(bins.len());
    let estimates = parallel::map(bins, |bin| bin.knapsack.estimate(bin.values, None));
    for (bin, (relaxed, filled)) in bins.iter().zip(estimates) {
        upper = upper.min(ratio(bin, filled.value));
        lower.push((ratio(bin, relaxed.upper_bound), 0));
    }
    loop {
        let worst = (0..bins.len()).min_by_key(|at| (OrderedFloat(lower[*at].0), *at));
        let Some(worst) = worst else { return upper };
        let (least, searched) = lower[worst];
        if searched >= steps || least >= upper * (1.0 - 1e-10) || step_limit.cancel.now() {
            return least;
        }
        let (bin, next) = (bins[worst], if searched == 0 { FIRST.min(steps) } else { steps });
        let floor = if upper > 0.0 { bin.limit / upper } else { 0.0 };
        let priced = bin.knapsack.best(bin.values, floor, step_limit.at_most(next));
        upper = upper.min(ratio(&bin, priced.value));
        let known = ratio(&bin, priced.upper_bound.max(floor)).max(least);
        lower[worst] = (known, if priced.exact { steps } else { next });
    }
}

/// Values in whole numbers, by class, and a proof for each class that they keep to its limit.
#[derive(Clone, Debug)]
pub(in super::super) struct Certified {
    #[cfg(test)]
    pub(in super::super) factor: f64,
    pub(in super::super) values: Vec<Vec<i128>>,
    #[cfg(test)]
    pub(in super::super) limits: Vec<i128>,
    pub(in super::super) proofs: Vec<BinProof>,
}

/// Scales values by about `factor`, rounds them down to integers of 2⁻⁴⁰ units, and proves that
/// they keep to all limits.
///
/// A proof that was found stays one for a lower factor, since what it shows grows with the values;
/// so each class is proved once. Where some classes' proofs need more than the steps the factor is
/// lowered for all, at worst to what the upper bound of the relaxation shows, which needs none.
///
/// Nothing where it is given up before.
pub(in super::super) fn certify(
    bins: &[BinValues<'_>],
    factor: f64,
    steps: u32,
    given_up: &Cancel<'_>,
) -> Option<Certified> {
    let mut proofs: Vec<Option<BinProof>> = vec![None; bins.len()];
    let mut open: Vec<usize> = (0..bins.len()).collect();
    // Those that are still open after an attempt with this factor, and at most so many steps.
    let mut attempts = |open: &[usize], factor: f64, quick: bool| -> Vec<usize> {
        let proved = parallel::map(open, |at| {
            if given_up.now() {
                return None;
            }
            let bin = &bins[*at];
            let steps = steps.min(LOOKS / bin.knapsack.len().max(1) as u32);
            let steps = if quick { steps / QUICK } else { steps };
            prove(bin.knapsack, &whole_values(bin, factor), whole_limit(bin), steps.max(1))
        });
        let mut left = Vec::new();
        for (at, proved) in open.iter().zip(proved) {
            if proved.is_none() {
                left.push(*at);
            }
            proofs[*at] = proved;
        }
        left
    };
    let mut lower = factor;
    for down in STEPS_DOWN {
        lower = factor * (1.0 - down);
        open = attempts(&open, lower, true);
        // Before it costs something.
        if down == LEAST && open.len() <= FEW {
            open = attempts(&open, lower, false);
        }
        if open.is_empty() {
            break;
        }
    }
    for down in SURELY {
        if open.is_empty() {
            break;
        }
        if given_up.now() {
            return None;
        }
        let upper_bound = |at: &usize| bins[*at].knapsack.relax(bins[*at].values, None).upper_bound;
        let ratios =
            open.iter().map(|at| bins[*at].limit.max(0.0) / upper_bound(at).max(f64::MIN_POSITIVE));
        lower = ratios.fold(lower, f64::min) * (1.0 - down);
        open = attempts(&open, lower, false);
    }
    let values = bins.iter().map(|bin| whole_values(bin, lower)).collect();
    Some(Certified {
        #[cfg(test)]
        factor: lower,
        values,
        #[cfg(test)]
        limits: bins.iter().map(whole_limit).collect(),
        proofs: proofs.into_iter().collect::<Option<Vec<BinProof>>>()?,
    })
}

fn whole_values(bin: &BinValues<'_>, factor: f64) -> Vec<i128> {
    bin.values.iter().map(|value| (value * factor * ONE).floor() as i128).collect()
}

fn whole_limit(bin: &BinValues<'_>) -> i128 {
    (bin.limit * ONE).floor() as i128
}
