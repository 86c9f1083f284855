//! Whole plans by an integer programme over the patterns that are known.
//!
//! *Problem.* Column generation and dives leave some hundred patterns that are worth what they
//! cost, or nearly. Which whole numbers of them cover all pods for least?
//!
//! *Idea.* That is an integer programme with a row for each demand and one for each supply, small
//! enough for a general solver ([`super::backend`]). A pattern whose cost is beyond its pods' worth
//! by more than the gap between the best plan and the bound is in no better plan (reduced-cost
//! fixing), so it is left out; of the others those that are beyond by least are taken, as many as
//! the solver can do with. Rows ask for at least as many pods as there are, so patterns with some
//! too many serve as well: they are trimmed when they are bought.
//!
//! *Cost.* What the backend's limits allow.
//!
//! References: restricted master heuristics (Joncour, Michel, Sadykov, Sverdlov and Vanderbeck
//! 2010); reduced-cost fixing (Dantzig, Fulkerson and Johnson 1954).

use super::backend::{
    self, Programme, ProgrammeBounds, ProgrammeColumn, ProgrammeRow, SolverEffort,
};
use super::dive::trimmed;
use super::instance::{DualPrices, Instance, Pattern};
use super::knapsack::KnapsackRelaxation;
use super::round::IntegerPlan;
use ordered_float::OrderedFloat;

/// A better plan from these patterns than the one known.
pub(super) fn better(
    instance: &Instance<'_>,
    patterns: &[Pattern],
    prices: &DualPrices,
    screens: &[Option<KnapsackRelaxation>],
    known: &IntegerPlan,
    effort: SolverEffort,
    stop: &dyn Fn() -> bool,
) -> Option<IntegerPlan> {
    let left: Vec<u32> = instance
        .demands
        .iter()
        .zip(&known.left)
        .map(|(demand, none)| demand.count.saturating_sub(*none))
        .collect();
    let beyond = |pattern: &Pattern| -> f64 {
        let net = instance.bins[pattern.bin as usize].net(&prices.supplies);
        net - pattern.worth(&prices.values)
    };
    let gap = (known.cost as f64 - prices.bound).max(0.0);
    let mut chosen: Vec<(f64, &Pattern)> = patterns
        .iter()
        .map(|pattern| (beyond(pattern), pattern))
        .filter(|(beyond, _)| *beyond <= gap)
        .collect();
    chosen.sort_by_key(|(beyond, pattern)| (OrderedFloat(*beyond), *pattern));
    let rows = instance.demands.len() + instance.supplies.len();
    chosen.truncate(effort.size / rows.max(1));
    let programme = programme(instance, &left, &chosen);
    let known_now = ProgrammeBounds { below: known.cost, step: instance.step };
    let counts = backend::solve(&programme, &known_now, effort, stop)?;
    let mut plan = IntegerPlan::new(instance);
    for ((_, pattern), count) in chosen.iter().zip(&counts) {
        let _bought = trimmed(&mut plan, instance, pattern, *count);
    }
    plan.complete(instance, &prices.values, screens);
    plan.tidy();
    (plan.rank() < known.rank()).then_some(plan)
}

fn programme(instance: &Instance<'_>, left: &[u32], chosen: &[(f64, &Pattern)]) -> Programme {
    let covers = left.iter().map(|left| ProgrammeRow::AtLeast(i128::from(*left)));
    let supplies = instance.supplies.iter().map(|supply| ProgrammeRow::AtMost(supply.left.max(0)));
    let first = left.len() as u32;
    let bin_types = chosen.iter().map(|(_, pattern)| {
        let bin = &instance.bins[pattern.bin as usize];
        let covers = pattern.items.iter().map(|(demand, count)| (*demand, i64::from(*count)));
        let uses = bin.uses.iter().map(|(supply, each)| (first + supply, *each));
        // As many as any of its demands could do with.
        let useful =
            pattern.items.iter().map(|(demand, count)| left[*demand as usize].div_ceil(*count));
        let most = useful.max().unwrap_or(0);
        ProgrammeColumn { cost: bin.cost, most, entries: covers.chain(uses).collect() }
    });
    Programme { columns: bin_types.collect(), rows: covers.chain(supplies).collect() }
}
