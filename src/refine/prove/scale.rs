//! The largest factor for which values keep to the price of every kind of node.
//!
//! *Problem.* Values of pods prove a bound once no node can hold more value than it costs. Values
//! that exceed that are still good for a bound when they are scaled down, by the worst ratio of a
//! node's price to what it can hold, and each digit of that ratio is a digit of the bound.
//!
//! *Idea.* An over-estimate of what each kind of node can hold gives a ratio that is too low; a
//! filling gives one that is too high. Only the kind with the lowest ratio matters, so only that is
//! searched further, with what the fillings already say as a floor, until it isn't the lowest any
//! more, or is known.
//!
//! *Why it is right.* `θ v·a ≤ p` for every filling `a` of every kind as soon as `θ ≤ p / z̄` with
//! an over-estimate `z̄` of its best filling. [`certify`] relies on none of this: it proves in
//! integers what it returns, and takes a lower factor where a proof can't be found.
//!
//! References: Farley 1990, "A note on bounding a class of linear programming problems".

use super::super::knapsack::Sack;
use super::super::wish::Pace;
use super::Proof;
use super::search::prove;
use crate::parallel;

/// One unit of value as an integer.
const ONE: f64 = (1_u64 << 40) as f64;
/// What a factor is lowered by, in turn, where it proves too high or a proof takes too long: with
/// something to spare it is found much sooner.
const STEPS_DOWN: [f64; 13] =
    [0.0, 1e-9, 1e-7, LEAST, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 2e-2, 3e-2, 5e-2];
/// What is hardly missed.
const LEAST: f64 = 1e-6;
/// What it is lowered by below what ceilings show, for the sake of rounding.
const SURELY: [f64; 4] = [0.0, 1e-9, 1e-7, 1e-5];
/// The share of the steps that most kinds' proofs have; so many kinds have all of them.
const QUICK: u32 = 16;
const FEW: usize = 4;
/// Items that are looked at for a proof at most, each as often as there are steps.
const LOOKS: u32 = 20_000_000;
/// Steps of the first search of a kind; the next has all.
const FIRST: u32 = 500;

/// A kind of node, what items are worth there, and what it may hold at most; in one unit.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Kind<'a> {
    pub(in super::super) sack: &'a Sack,
    pub(in super::super) values: &'a [f64],
    pub(in super::super) limit: f64,
}

/// The largest factor for which the scaled values keep to all limits, as far as the steps for each
/// search show it, or less if the caller wishes to stop. Infinite where nothing is worth anything.
pub(in super::super) fn scale(kinds: &[Kind<'_>], pace: Pace<'_>) -> f64 {
    let steps = pace.steps;
    let ratio = |kind: &Kind<'_>, worth: f64| {
        if worth > 0.0 { kind.limit.max(0.0) / worth } else { f64::INFINITY }
    };
    let mut upper = f64::INFINITY;
    let mut lower = Vec::with_capacity(kinds.len());
    let estimates = parallel::map(kinds, |kind| kind.sack.estimate(kind.values, None));
    for (kind, (relaxed, filled)) in kinds.iter().zip(estimates) {
        upper = upper.min(ratio(kind, filled.value));
        lower.push((ratio(kind, relaxed.ceiling), 0));
    }
    loop {
        let worst =
            (0..kinds.len()).min_by(|a, b| lower[*a].0.total_cmp(&lower[*b].0).then(a.cmp(b)));
        let Some(worst) = worst else { return upper };
        let (least, searched) = lower[worst];
        if searched >= steps || least >= upper * (1.0 - 1e-10) || pace.wish.now() {
            return least;
        }
        let (kind, next) = (kinds[worst], if searched == 0 { FIRST.min(steps) } else { steps });
        let floor = if upper > 0.0 { kind.limit / upper } else { 0.0 };
        let priced = kind.sack.best(kind.values, floor, pace.at_most(next));
        upper = upper.min(ratio(&kind, priced.value));
        let known = ratio(&kind, priced.ceiling.max(floor)).max(least);
        lower[worst] = (known, if priced.exact { steps } else { next });
    }
}

/// Values in whole numbers, by kind, and a proof for each kind that they keep to its limit.
#[derive(Clone, Debug)]
pub(in super::super) struct Certified {
    #[cfg(test)]
    pub(in super::super) factor: f64,
    pub(in super::super) values: Vec<Vec<i128>>,
    #[cfg(test)]
    pub(in super::super) limits: Vec<i128>,
    pub(in super::super) proofs: Vec<Proof>,
}

/// Scales values by about `factor`, rounds them down to integers of 2⁻⁴⁰ units, and proves that
/// they keep to all limits.
///
/// A proof that was found stays one for a lower factor, since what it shows grows with the values;
/// so each kind is proved once. Where some kinds' proofs need more than the steps the factor is lowered
/// for all, at worst to what the ceiling of the relaxation shows, which needs none.
pub(in super::super) fn certify(kinds: &[Kind<'_>], factor: f64, steps: u32) -> Option<Certified> {
    let mut proofs: Vec<Option<Proof>> = vec![None; kinds.len()];
    let mut open: Vec<usize> = (0..kinds.len()).collect();
    // Those that are still open after an attempt with this factor, and at most so many steps.
    let mut attempts = |open: &[usize], factor: f64, quick: bool| -> Vec<usize> {
        let proved = parallel::map(open, |at| {
            let kind = &kinds[*at];
            let steps = steps.min(LOOKS / kind.sack.len().max(1) as u32);
            let steps = if quick { steps / QUICK } else { steps };
            prove(kind.sack, &whole_values(kind, factor), whole_limit(kind), steps.max(1))
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
        let ceiling = |at: &usize| kinds[*at].sack.relax(kinds[*at].values, None).ceiling;
        let ratios =
            open.iter().map(|at| kinds[*at].limit.max(0.0) / ceiling(at).max(f64::MIN_POSITIVE));
        lower = ratios.fold(lower, f64::min) * (1.0 - down);
        open = attempts(&open, lower, false);
    }
    let values = kinds.iter().map(|kind| whole_values(kind, lower)).collect();
    Some(Certified {
        #[cfg(test)]
        factor: lower,
        values,
        #[cfg(test)]
        limits: kinds.iter().map(whole_limit).collect(),
        proofs: proofs.into_iter().collect::<Option<Vec<Proof>>>()?,
    })
}

fn whole_values(kind: &Kind<'_>, factor: f64) -> Vec<i128> {
    kind.values.iter().map(|value| (value * factor * ONE).floor() as i128).collect()
}

fn whole_limit(kind: &Kind<'_>) -> i128 {
    (kind.limit * ONE).floor() as i128
}
