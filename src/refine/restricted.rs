//! Whole plans by an integer programme over the patterns that are known.
//!
//! *Problem.* Column generation and dives leave some hundred patterns that are worth what they cost, or
//! nearly. Which whole numbers of them cover all pods for least?
//!
//! *Idea.* That is an integer programme with a row for each demand and one for each supply, small enough
//! for a general solver ([`super::backend`]). A pattern whose cost is beyond its pods' worth by more
//! than the gap between the best plan and the bound is in no better plan (reduced-cost fixing), so it
//! is left out; of the others those that are beyond by least are taken, as many as the solver can do
//! with. Rows ask for at least as many pods as there are, so patterns with some too many serve as
//! well: they are trimmed when they are bought.
//!
//! *Cost.* What the backend's limits allow.
//!
//! References: restricted master heuristics (Joncour, Michel, Sadykov, Sverdlov and Vanderbeck 2010);
//! reduced-cost fixing (Dantzig, Fulkerson and Johnson 1954).

use super::backend::{self, Column, Effort, Known, Programme, Row};
use super::dive::trimmed;
use super::instance::{Instance, Pattern, Prices};
use super::knapsack::Relaxed;
use super::round::Draft;

/// A better plan from these patterns than the one known.
pub(super) fn better(
    instance: &Instance<'_>,
    patterns: &[Pattern],
    prices: &Prices,
    screens: &[Option<Relaxed>],
    known: &Draft,
    effort: Effort,
    stop: &dyn Fn() -> bool,
) -> Option<Draft> {
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
    chosen.sort_by(|(one, at), (other, place)| one.total_cmp(other).then_with(|| at.cmp(place)));
    let rows = instance.demands.len() + instance.supplies.len();
    chosen.truncate(effort.size / rows.max(1));
    let programme = programme(instance, &left, &chosen);
    let known_now = Known { below: known.cost, step: instance.step };
    let counts = backend::solve(&programme, &known_now, effort, stop)?;
    let mut draft = Draft::new(instance);
    for ((_, pattern), count) in chosen.iter().zip(&counts) {
        let _bought = trimmed(&mut draft, instance, pattern, *count);
    }
    draft.complete(instance, &prices.values, screens);
    draft.tidy();
    (draft.rank() < known.rank()).then_some(draft)
}

fn programme(instance: &Instance<'_>, left: &[u32], chosen: &[(f64, &Pattern)]) -> Programme {
    let covers = left.iter().map(|left| Row::AtLeast(i128::from(*left)));
    let supplies = instance.supplies.iter().map(|supply| Row::AtMost(supply.left.max(0)));
    let first = left.len() as u32;
    let columns = chosen.iter().map(|(_, pattern)| {
        let bin = &instance.bins[pattern.bin as usize];
        let covers = pattern.items.iter().map(|(demand, count)| (*demand, i64::from(*count)));
        let uses = bin.uses.iter().map(|(supply, each)| (first + supply, *each));
        // As many as any of its demands could do with.
        let useful =
            pattern.items.iter().map(|(demand, count)| left[*demand as usize].div_ceil(*count));
        let most = useful.max().unwrap_or(0);
        Column { cost: bin.cost, most, entries: covers.chain(uses).collect() }
    });
    Programme { columns: columns.collect(), rows: covers.chain(supplies).collect() }
}
