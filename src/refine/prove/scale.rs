//! The largest factor for which values keep to the price of every kind of node.
//!
//! *Problem.* Values of pods prove a bound once no node can hold more value than it costs. Values that
//! exceed that are still good for a bound when they are scaled down, by the worst ratio of a node's price to
//! what it can hold, and each digit of that ratio is a digit of the bound.
//!
//! *Idea.* An over-estimate of what each kind of node can hold gives a ratio that is too low; a
//! filling gives one that is too high. Only the kind with the lowest ratio matters, so only that is
//! searched further, with what the fillings already say as a floor, until it isn't the lowest any
//! more, or is known.
//!
//! *Why it is right.* `θ v·a ≤ p` for every filling `a` of every kind as soon as `θ ≤ p / z̄` with an
//! over-estimate `z̄` of its best filling. [`certify`] relies on none of this: it proves in integers
//! what it returns, and takes a lower factor where a proof can't be found.
//!
//! References: Farley 1990, "A note on bounding a class of linear programming problems".

use super::super::knapsack::Sack;
use super::{Proof, prove};

/// Bits behind the point of a value.
pub(in super::super) const POINT: u32 = 40;
/// What the factor is lowered by where a proof isn't found, in turn.
const STEPS_DOWN: [f64; 5] = [1e-9, 1e-7, 1e-6, 1e-5, 1e-4];
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
/// search show it. Infinite where nothing is worth anything.
pub(in super::super) fn scale(kinds: &[Kind<'_>], steps: u32) -> f64 {
    let ratio = |kind: &Kind<'_>, worth: f64| {
        if worth > 0.0 { kind.limit.max(0.0) / worth } else { f64::INFINITY }
    };
    let mut upper = f64::INFINITY;
    let mut lower = Vec::with_capacity(kinds.len());
    for kind in kinds {
        let (relaxed, filled) = kind.sack.estimate(kind.values, None);
        upper = upper.min(ratio(kind, filled.value));
        lower.push((ratio(kind, relaxed.ceiling), 0));
    }
    loop {
        let worst =
            (0..kinds.len()).min_by(|a, b| lower[*a].0.total_cmp(&lower[*b].0).then(a.cmp(b)));
        let Some(worst) = worst else { return upper };
        let (least, searched) = lower[worst];
        if searched >= steps || least >= upper * (1.0 - 1e-10) {
            return least;
        }
        let (kind, next) = (kinds[worst], if searched == 0 { FIRST.min(steps) } else { steps });
        let floor = if upper > 0.0 { kind.limit / upper } else { 0.0 };
        let priced = kind.sack.best(kind.values, floor, next);
        upper = upper.min(ratio(&kind, priced.value));
        let known = ratio(&kind, priced.ceiling.max(floor)).max(least);
        lower[worst] = (known, if priced.exact { steps } else { next });
    }
}

/// Values in whole numbers, by kind, and a proof for each kind that they keep to its limit.
#[derive(Clone, Debug)]
pub(in super::super) struct Certified {
    pub(in super::super) factor: f64,
    pub(in super::super) values: Vec<Vec<i128>>,
    pub(in super::super) limits: Vec<i128>,
    pub(in super::super) proofs: Vec<Proof>,
}

/// Scales values by about `factor`, rounds them down to integers of 2⁻⁴⁰ units, and proves that they
/// keep to all limits.
pub(in super::super) fn certify(kinds: &[Kind<'_>], factor: f64, steps: u32) -> Option<Certified> {
    STEPS_DOWN.iter().find_map(|down| certify_at(kinds, factor * (1.0 - down), steps))
}

fn certify_at(kinds: &[Kind<'_>], factor: f64, steps: u32) -> Option<Certified> {
    let one = (1_u64 << POINT) as f64;
    let mut certified = Certified { factor, values: vec![], limits: vec![], proofs: vec![] };
    for kind in kinds {
        let whole = |value: &f64| (value * factor * one).floor() as i128;
        let values: Vec<i128> = kind.values.iter().map(whole).collect();
        let limit = (kind.limit * one).floor() as i128;
        certified.proofs.push(prove(kind.sack, &values, limit, steps)?);
        certified.values.push(values);
        certified.limits.push(limit);
    }
    Some(certified)
}
