//! Whole plans by diving: fix a pattern, solve the relaxation of the rest, and so on.
//!
//! *Problem.* Rounding all fractions at once and filling what is left by bargains loses some nodes
//! where a node holds few pods: what is left fits badly.
//!
//! *Idea.* Buy the whole parts of the relaxation's solution, or else its largest fraction, for
//! good; then solve the relaxation again for the pods that are left, with new patterns for just
//! these. Most fractions settle by themselves. Where a dive ends no better than what is known, its
//! decisions are taken back one at a time, those taken first before others (limited discrepancy):
//! the pattern is barred from being fixed, and another dive goes on from there. A dive is given up
//! as soon as what it bought with the relaxation of the rest costs what is known already, after
//! patterns were looked for. Costs are multiples of some step, so where all cost the same that is a
//! sharp test, and no pattern is looked for as long as the relaxation is below it.
//!
//! *Why it is right.* Each plan is bought from pods and supplies that are there. What is given up
//! is given up for good only as far as the rounds allowed go: nothing is proved here.
//!
//! *Cost.* Rounds × (a few pivots + a filling of each of a few bins).
//!
//! References: Sadykov, Vanderbeck, Pessoa, Tahiri and Uchoa 2019 (diving for branch and price);
//! Harvey and Ginsberg 1995 (limited discrepancy).

use super::RefineBudget;
use super::cancel::{Cancel, StepLimit};
use super::generate::ColumnGeneration;
use super::instance::{Instance, Pattern};
use super::knapsack::KnapsackRelaxation;
use super::restricted_master::RestrictedMaster;
use super::round::IntegerPlan;
use super::rows::AggregatedRows;
use super::simplex::SolveEnd;
use super::tuning::dive::{AT_ONCE, BATCH, BINS, PIVOTS, ROUNDS, SEARCHED, STEPS, TURNS};
use crate::parallel;
use ordered_float::OrderedFloat;
use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};

const TINY: f64 = 1e-9;

/// The relaxation with a row for each demand, to be solved for what is left.
#[derive(Debug)]
pub(super) struct Diver<'i, 'c> {
    instance: &'i Instance<'c>,
    pub(super) master: RestrictedMaster<'i, 'c>,
    /// The bins that are filled.
    bins: Vec<u32>,
    /// Prices of what each bin has, for values like those of the relaxation.
    screens: Vec<Option<KnapsackRelaxation>>,
}

/// Where a dive goes on: what was bought, and the patterns that aren't to be fixed.
#[derive(Clone, Debug)]
struct DiveNode {
    plan: IntegerPlan,
    barred: BTreeSet<usize>,
}

/// How a look at a relaxation ended.
enum DiveStep {
    /// Patterns with their fractions.
    Open(Vec<(usize, f64)>),
    /// Nothing better is there, as far as was looked.
    Hopeless,
    /// Work ran out.
    Stopped,
}

impl<'i, 'c> Diver<'i, 'c> {
    /// Starts from what column generation found.
    pub(super) fn new(generation: &ColumnGeneration<'i, 'c>) -> Self {
        let instance = generation.instance;
        let mut diver = Self {
            instance,
            master: RestrictedMaster::new(instance, AggregatedRows::whole(instance)),
            bins: generation.efficient().into_iter().take(BINS).collect(),
            screens: generation.screens.clone(),
        };
        generation.master.patterns().iter().for_each(|pattern| diver.add(pattern.clone()));
        diver
    }

    /// Adds a pattern that isn't known yet.
    pub(super) fn add(&mut self, pattern: Pattern) {
        let _new = self.master.add(pattern);
    }

    /// A plan that is better than the one known, with at most so many decisions; `bound`: no plan
    /// costs less.
    pub(super) fn dive(
        &mut self,
        known: &IntegerPlan,
        bound: f64,
        values: &[f64],
        mut decisions: u32,
        budget: &mut RefineBudget<'_>,
    ) -> Option<IntegerPlan> {
        let mut best = known.clone();
        let enough = self.instance.up(bound);
        let start = DiveNode { plan: IntegerPlan::new(self.instance), barred: BTreeSet::new() };
        let mut turns = VecDeque::from([start]);
        while let Some(mut turn) = turns.pop_front() {
            if best.missing() == 0 && best.cost <= enough {
                break;
            }
            loop {
                if decisions == 0 {
                    return (best.rank() < known.rank()).then_some(best);
                }
                decisions -= 1;
                let fractions = match self.step(&turn.plan, &best, enough, budget) {
                    DiveStep::Open(fractions) => fractions,
                    DiveStep::Hopeless => break,
                    DiveStep::Stopped => return (best.rank() < known.rank()).then_some(best),
                };
                if !self.fix(&mut turn, &fractions, &mut turns) {
                    let mut plan = turn.plan;
                    plan.complete(self.instance, values, &self.screens);
                    plan.tidy();
                    if plan.rank() < best.rank() {
                        best = plan;
                    }
                    break;
                }
            }
        }
        (best.rank() < known.rank()).then_some(best)
    }

    /// Buys what is whole, or else the largest fractions; whether anything was bought.
    fn fix(
        &self,
        turn: &mut DiveNode,
        fractions: &[(usize, f64)],
        turns: &mut VecDeque<DiveNode>,
    ) -> bool {
        let mut bought = 0;
        for (column, times) in fractions {
            let whole = (times + 1e-6).floor() as u32;
            bought +=
                trimmed(&mut turn.plan, self.instance, &self.master.patterns()[*column], whole);
        }
        if bought > 0 {
            return true;
        }
        let mut order: Vec<(f64, usize)> = fractions
            .iter()
            .filter(|(column, _)| !turn.barred.contains(column))
            .map(|(column, times)| (*times, *column))
            .collect();
        order.sort_by_key(|(most, at)| (Reverse(OrderedFloat(*most)), *at));
        let Some((_, first)) = order.first() else { return false };
        if turns.len() < TURNS {
            let mut other = turn.clone();
            let _new = other.barred.insert(*first);
            turns.push_back(other);
        }
        for (number, (_, column)) in order.iter().take(1 + order.len() / AT_ONCE).enumerate() {
            let pattern = &self.master.patterns()[*column];
            bought += match number {
                0 => trimmed(&mut turn.plan, self.instance, pattern, 1),
                _ => turn.plan.buy(self.instance, pattern, 1),
            };
        }
        bought > 0
    }

    /// Solves the relaxation for what a draft leaves, with patterns for it.
    fn step(
        &mut self,
        plan: &IntegerPlan,
        best: &IntegerPlan,
        enough: i128,
        budget: &mut RefineBudget<'_>,
    ) -> DiveStep {
        // What the best plan has no place for has none here.
        let left: Vec<u32> = plan
            .left
            .iter()
            .zip(&best.left)
            .map(|(left, none)| left.saturating_sub(*none))
            .collect();
        self.master.set_left(&left, &plan.supplies);
        for _ in 0..ROUNDS {
            if !budget.round() {
                return DiveStep::Stopped;
            }
            if self.master.solve(StepLimit { steps: PIVOTS, cancel: &budget.cancel })
                != SolveEnd::Optimal
            {
                return DiveStep::Hopeless;
            }
            let total = self.instance.up(plan.cost as f64 + self.master.objective());
            if total <= enough {
                return DiveStep::Open(self.master.fractions());
            }
            if self.price(&left, &budget.cancel) == 0 {
                if total >= best.cost {
                    return DiveStep::Hopeless;
                }
                return DiveStep::Open(self.master.fractions());
            }
        }
        match self.master.solve(StepLimit { steps: PIVOTS, cancel: &budget.cancel }) {
            SolveEnd::Optimal => DiveStep::Open(self.master.fractions()),
            SolveEnd::PivotsOut => DiveStep::Hopeless,
        }
    }

    /// Adds patterns of these pods that improve the relaxation; how many.
    fn price(&mut self, left: &[u32], cancel: &Cancel<'_>) -> usize {
        let instance = self.instance;
        let (values, supplies) = &self.master.prices();
        let knapsack = |number: u32| {
            let bin = &instance.bins[number as usize];
            let most: Vec<i64> =
                bin.items.iter().map(|demand| i64::from(left[*demand as usize])).collect();
            bin.knapsack.within(&most)
        };
        let looks = parallel::map(&self.bins, |number| {
            let bin = &instance.bins[*number as usize];
            let net = bin.net(supplies);
            let (relaxed, filled) = knapsack(*number).estimate(&bin.worth(values), None);
            let found = (filled.value > net * (1.0 + TINY) + TINY)
                .then(|| bin.pattern(*number as usize, &filled.counts));
            (relaxed.upper_bound - net, net, found)
        });
        let mut open: Vec<(f64, u32)> = Vec::new();
        let mut found: Vec<Pattern> = Vec::new();
        for (number, (over, net, pattern)) in self.bins.iter().zip(looks) {
            if over > net * 1e-6 {
                open.push((over / net.max(1.0), *number));
            }
            found.extend(pattern);
        }
        if found.is_empty() {
            open.sort_by_key(|(most, at)| (Reverse(OrderedFloat(*most)), *at));
            open.truncate(SEARCHED);
            let searched = parallel::map(&open, |(_, number)| {
                let bin = &instance.bins[*number as usize];
                let net = bin.net(supplies);
                let priced = knapsack(*number).best(
                    &bin.worth(values),
                    net,
                    StepLimit { steps: STEPS, cancel },
                );
                (priced.value > net * (1.0 + TINY) + TINY)
                    .then(|| bin.pattern(*number as usize, &priced.counts))
            });
            found.extend(searched.into_iter().flatten());
        }
        let worth = |pattern: &Pattern| -> f64 {
            pattern.worth(values) / instance.bins[pattern.bin as usize].net(supplies).max(1.0)
        };
        let mut found: Vec<(Reverse<OrderedFloat<f64>>, Pattern)> = found
            .into_iter()
            .map(|pattern| instance.legal(pattern))
            .filter(|pattern| !self.master.contains(pattern))
            .map(|pattern| (Reverse(OrderedFloat(worth(&pattern))), pattern))
            .filter(|(Reverse(worth), _)| **worth > 1.0 + TINY)
            .collect();
        found.sort();
        found.truncate(BATCH);
        let number = found.len();
        found.into_iter().for_each(|(_, pattern)| self.add(pattern));
        number
    }
}

/// Buys a pattern so many times, where pods are gone with those that are left; how often.
pub(super) fn trimmed(
    plan: &mut IntegerPlan,
    instance: &Instance<'_>,
    pattern: &Pattern,
    times: u32,
) -> u32 {
    let mut bought = plan.buy(instance, pattern, times);
    while bought < times {
        let there = |(demand, count): &(u32, u32)| {
            let count = plan.left[*demand as usize].min(*count);
            (count > 0).then_some((*demand, count))
        };
        let items: Vec<(u32, u32)> = pattern.items.iter().filter_map(there).collect();
        let rest = Pattern { bin: pattern.bin, items };
        let more =
            if rest.items.is_empty() { 0 } else { plan.buy(instance, &rest, times - bought) };
        if more == 0 {
            break;
        }
        bought += more;
    }
    bought
}
