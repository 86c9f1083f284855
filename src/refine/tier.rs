//! The search for a better plan of one tier: the launches of the pools of one weight.
//!
//! Each way to a better plan is an [`Improve`]: it looks at what is known of the tier, and leaves
//! the best plan there. A stage is a list of them.
//!
//! *Why tiers.* A pool of a lower weight may be used only for what no higher one takes, so the pods
//! of each weight are packed by themselves, beside what the other weights have taken of limits and
//! reservations.

use super::budget::RefineBudget;
use super::convert::TierPacking;
use super::dive::Diver;
use super::generate::ColumnGeneration;
use super::instance::{Instance, Pattern};
use super::restricted;
use super::round::{self, IntegerPlan};
use super::ruin::Ruin;
use super::stages::{Told, stage, started};
use super::tuning::dive::DEMANDS;
use super::tuning::stages::MANY_DEMANDS;
use super::tuning::tier::{
    ATTEMPTS, CORRECTIONS, DECISIONS, FEWER, MOST_BEYOND, PATIENCE, ROUND_UP, SOLVED,
};

/// The launches of one weight, to be packed anew.
pub(super) struct TierPlan<'c> {
    pub(super) tier: TierPacking,
    pub(super) instance: Instance<'c>,
    /// What the packing has.
    pub(super) known: Vec<(Pattern, u32)>,
}

impl TierPlan<'_> {
    /// What the packing costs, in billionths.
    pub(super) fn cost(&self) -> i128 {
        let cost = |bin: u32| i128::from(self.instance.bins[bin as usize].cost);
        self.known.iter().map(|(pattern, times)| cost(pattern.bin) * i128::from(*times)).sum()
    }
}

/// The search for a better plan.
pub(super) struct TierSearch<'i, 'c> {
    pub(super) state: TierState<'i, 'c>,
    corrected: Corrected,
    integers: Integers<'i, 'c>,
    repaired: Repaired,
}

/// What is known of a tier.
pub(super) struct TierState<'i, 'c> {
    pub(super) generation: ColumnGeneration<'i, 'c>,
    pub(super) best: IntegerPlan,
    /// What a pod of each demand is worth: by the bound, or by this tier's own relaxation.
    values: Vec<f64>,
}

/// A way to a better plan of a tier.
///
/// What one leaves is where the next begins; none ever makes the plan worse.
trait Improve<'i, 'c> {
    /// Looks for a better plan; whether others may go on.
    fn improve(&mut self, tier: &mut TierState<'i, 'c>, budget: &mut RefineBudget<'_>) -> bool;
}

impl<'i, 'c> TierSearch<'i, 'c> {
    pub(super) fn new(plan: &'i TierPlan<'c>) -> Self {
        let mut best = IntegerPlan::new(&plan.instance);
        for (pattern, times) in &plan.known {
            let _bought = best.buy(&plan.instance, pattern, *times);
        }
        let patterns = plan.known.iter().map(|(pattern, _)| pattern.clone());
        let generation = started(&plan.instance, &[], patterns);
        let beyond = vec![1.0; plan.instance.demands.len()];
        Self {
            state: TierState { values: generation.best.values.clone(), generation, best },
            corrected: Corrected { beyond, corrections: CORRECTIONS },
            integers: Integers { diver: None },
            repaired: Repaired { ruin: None, attempts: ATTEMPTS },
        }
    }

    /// Plans at the prices that the relaxation began with, where it is of few demands.
    pub(super) fn begin(&mut self, budget: &mut RefineBudget<'_>) {
        if self.state.generation.is_whole() {
            let _goes_on = self.corrected.improve(&mut self.state, budget);
        }
    }

    /// Looks for better plans; `values`: what the bound says that pods are worth.
    pub(super) fn stage(
        &mut self,
        number: usize,
        own: usize,
        values: Vec<f64>,
        budget: &mut RefineBudget<'_>,
    ) {
        let Self { state, corrected, integers, repaired } = self;
        let rounded = &mut RoundedFractions;
        let many = state.generation.instance.demands.len() > MANY_DEMANDS;
        let news = many || stage(&mut state.generation, number, own, budget, Told::No);
        state.values = if many { values } else { state.generation.best.values.clone() };
        let steps: Vec<&mut dyn Improve<'i, 'c>> = match (many, news) {
            (true, _) => {
                corrected.corrections = if number == 0 { FEWER } else { CORRECTIONS };
                (repaired.ruin, repaired.attempts) = (None, FEWER);
                if number == 0 { vec![corrected] } else { vec![corrected, repaired] }
            }
            (false, true) => {
                repaired.ruin = None;
                vec![rounded, corrected, integers, repaired]
            }
            (false, false) => vec![integers, repaired],
        };
        for step in steps {
            if !step.improve(state, budget) {
                return;
            }
        }
    }
}

/// Whole numbers of the patterns that the relaxation uses.
///
/// Rounded down, to the nearest, and up, each completed greedily: which is best depends on how
/// large the numbers are.
struct RoundedFractions;

impl<'i, 'c> Improve<'i, 'c> for RoundedFractions {
    fn improve(&mut self, tier: &mut TierState<'i, 'c>, budget: &mut RefineBudget<'_>) -> bool {
        let fractions = tier.generation.solution();
        for up in ROUND_UP {
            if budget.stopped() {
                return false;
            }
            let (instance, screens) = (tier.generation.instance, &tier.generation.screens);
            tier.best.take(round::rounded(instance, &fractions, &tier.values, screens, up));
        }
        true
    }
}

/// Plans at the values, corrected by what each plan pays, and by what former ones paid beyond
/// theirs.
///
/// Corrections are kept from stage to stage, so that a pod that was always packed late is worth
/// more from the start.
struct Corrected {
    /// For each demand, how many times what the bound says that its pods are worth plans paid for
    /// them.
    beyond: Vec<f64>,
    corrections: u32,
}

impl<'i, 'c> Improve<'i, 'c> for Corrected {
    fn improve(&mut self, tier: &mut TierState<'i, 'c>, budget: &mut RefineBudget<'_>) -> bool {
        let (instance, values) = (tier.generation.instance, &tier.values);
        let mut corrected: Vec<f64> =
            values.iter().zip(&self.beyond).map(|(value, beyond)| value * beyond).collect();
        let screens = &tier.generation.screens;
        let granted = &mut || budget.attempt();
        let plan = round::corrected(instance, &mut corrected, screens, self.corrections, granted);
        plan.into_iter().for_each(|plan| tier.best.take(plan));
        let pairs = self.beyond.iter_mut().zip(corrected.iter().zip(values));
        for (beyond, (corrected, value)) in pairs.filter(|(_, (_, value))| **value > 0.0) {
            *beyond = (corrected / value).clamp(1.0 / MOST_BEYOND, MOST_BEYOND);
        }
        true
    }
}

/// Dives, and a solver that is asked for whole numbers of the patterns known, where that is not too
/// much.
///
/// Only where there are few demands with rows of their own: a dive or an integer programme over
/// many would take all the time there is.
struct Integers<'i, 'c> {
    diver: Option<Diver<'i, 'c>>,
}

impl<'i, 'c> Improve<'i, 'c> for Integers<'i, 'c> {
    fn improve(&mut self, tier: &mut TierState<'i, 'c>, budget: &mut RefineBudget<'_>) -> bool {
        let TierState { generation, best, .. } = tier;
        let instance = generation.instance;
        if !generation.is_whole() || instance.demands.len() > DEMANDS {
            return true;
        }
        let diver = self.diver.get_or_insert_with(|| Diver::new(generation));
        let prices = &generation.best;
        best.groups.iter().for_each(|(pattern, _)| diver.add(pattern.clone()));
        let done =
            |best: &IntegerPlan| best.missing() == 0 && best.cost <= instance.up(prices.bound);
        if done(best) {
            return true;
        }
        if let Some(better) = diver.dive(best, prices.bound, &prices.values, DECISIONS, budget) {
            *best = better;
        }
        if done(best) {
            return true;
        }
        let (patterns, screens) = (diver.master.patterns(), &generation.screens);
        let stop = &|| budget.stopped();
        if let Some(better) =
            restricted::better(instance, patterns, prices, screens, best, SOLVED, stop)
        {
            *best = better;
        }
        true
    }
}

/// Parts of the plan taken apart and packed anew, as long as that is worth it.
///
/// It ends when [`PATIENCE`] attempts in a row have brought nothing.
struct Repaired {
    /// Of the relaxation as it is now.
    ruin: Option<Ruin>,
    attempts: u32,
}

impl<'i, 'c> Improve<'i, 'c> for Repaired {
    fn improve(&mut self, tier: &mut TierState<'i, 'c>, budget: &mut RefineBudget<'_>) -> bool {
        let (generation, instance) = (&tier.generation, tier.generation.instance);
        let ruin = self.ruin.get_or_insert_with(|| Ruin::new(instance, &generation.efficient()));
        let mut patience = PATIENCE;
        for _ in 0..self.attempts {
            if patience == 0 || !budget.attempt() {
                break;
            }
            let better = ruin.improve(instance, &mut tier.best, &tier.values, &budget.cancel);
            patience = if better { PATIENCE } else { patience - 1 };
        }
        true
    }
}
