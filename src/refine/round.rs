//! Whole plans from prices and fractions.
//!
//! *Problem.* The relaxation says how often each pattern is used, in fractions, and what each pod
//! is worth. Wanted are whole numbers that cover every pod.
//!
//! *Idea.* Take of each pattern the whole part (or, of some, one more), as far as its pods are
//! still there; then complete the plan with the best bargains: of all bins the one whose best
//! filling with what is left is worth most for what it costs, as often as its pods are there, and
//! so on. With the relaxation's prices no filling is worth more than its bin costs, and those of an
//! optimal plan are all worth just that; so worth ÷ cost says how far a purchase is from the best.
//!
//! A bin is filled when no other could be the better bargain, by an over-estimate of its worth.
//!
//! Pods that end up on nodes which are worth less than they cost are worth more than was thought:
//! they had better been packed earlier, while there was something to pack them with. So their
//! values are raised by what was paid for them, and a plan is made anew, some times
//! ([`corrected`]).
//!
//! *Cost.* A glance at each bin, a filling for each that comes first, and a few for each purchase.
//!
//! References: rounding of column generation (Wäscher and Gau 1996); bin-centric greedies with
//! variable costs (Gabay and Zaourar 2016); sequential value correction (Mukhacheva et al. 2000;
//! Belov and Scheithauer 2007).
//!
//! *Example.* The relaxation uses a pattern 3.7 times and another 1.4 times. Rounded down they are
//! bought 3 and 1 times; what is left, about one node's pods, is completed by bargains, which may
//! be a smaller type that the relaxation never used.

use super::instance::{Instance, Pattern};
use super::knapsack::KnapsackRelaxation;
use super::tuning::round::{CALMER, GAIN, LEAST, MOST_RAISED, PATIENCE, WIDE};
use crate::parallel;
use ordered_float::OrderedFloat;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// A plan in the making: patterns in whole numbers, and what they leave.
#[derive(Clone, Debug)]
pub(super) struct IntegerPlan {
    pub(super) groups: Vec<(Pattern, u32)>,
    /// By demand, the pods that have no place yet.
    pub(super) left: Vec<u32>,
    /// By supply.
    pub(super) supplies: Vec<i128>,
    /// In billionths.
    pub(super) cost: i128,
}

/// How efficient a purchase is: worth ÷ cost in parts 2^-40; what costs nothing comes first.
fn efficiency(worth: f64, cost: i64) -> u64 {
    if worth <= 0.0 {
        return 0;
    }
    if cost <= 0 {
        return u64::MAX;
    }
    ((worth / cost as f64 * (1_u64 << 40) as f64) as u64).max(1)
}

impl IntegerPlan {
    /// The plan in which nothing is bought yet.
    pub(super) fn new(instance: &Instance<'_>) -> Self {
        Self {
            groups: Vec::new(),
            left: instance.counts(),
            supplies: instance.supplies.iter().map(|supply| supply.left).collect(),
            cost: 0,
        }
    }

    /// How many pods have no place.
    pub(super) fn missing(&self) -> u64 {
        self.left.iter().map(|left| u64::from(*left)).sum()
    }

    /// What makes one plan better than another: less is better.
    pub(super) fn rank(&self) -> (u64, i128, u64) {
        let nodes = self.groups.iter().map(|(_, times)| u64::from(*times)).sum();
        (self.missing(), self.cost, nodes)
    }

    /// Becomes the other one where that is better.
    pub(super) fn take(&mut self, other: Self) {
        if other.rank() < self.rank() {
            *self = other;
        }
    }

    /// How many more of a bin the supplies allow.
    fn supply(&self, instance: &Instance<'_>, bin: u32) -> u32 {
        let uses = instance.bins[bin as usize].uses.iter();
        let most = uses.map(|(supply, each)| {
            (self.supplies[*supply as usize] / i128::from((*each).max(1))).max(0)
        });
        u32::try_from(most.min().unwrap_or(i128::MAX)).unwrap_or(u32::MAX)
    }

    /// Buys a pattern up to so many times, as far as pods and supplies go; how often.
    pub(super) fn buy(&mut self, instance: &Instance<'_>, pattern: &Pattern, times: u32) -> u32 {
        let there = pattern.items.iter().map(|(demand, count)| self.left[*demand as usize] / count);
        let times = there.min().unwrap_or(0).min(times).min(self.supply(instance, pattern.bin));
        if times > 0 {
            self.change(instance, pattern, i64::from(times));
            self.groups.push((pattern.clone(), times));
        }
        times
    }

    /// Takes some nodes of a group away again; a group without nodes stays until
    /// [`IntegerPlan::tidy`].
    pub(super) fn give_back(&mut self, instance: &Instance<'_>, group: usize, times: u32) {
        let pattern = self.groups[group].0.clone();
        let times = times.min(self.groups[group].1);
        self.groups[group].1 -= times;
        self.change(instance, &pattern, -i64::from(times));
    }

    fn change(&mut self, instance: &Instance<'_>, pattern: &Pattern, times: i64) {
        let bin = &instance.bins[pattern.bin as usize];
        for (demand, count) in &pattern.items {
            let left = &mut self.left[*demand as usize];
            *left = (i64::from(*left) - i64::from(*count) * times).max(0) as u32;
        }
        for (supply, each) in &bin.uses {
            self.supplies[*supply as usize] -= i128::from(*each) * i128::from(times);
        }
        self.cost += i128::from(bin.cost) * i128::from(times);
    }

    /// Brings equal patterns together, in their order.
    pub(super) fn tidy(&mut self) {
        self.groups.retain(|(_, times)| *times > 0);
        self.groups.sort_unstable();
        self.groups.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
    }

    /// Buys for what is left, the most efficient first.
    ///
    /// `screens`: for each bin, prices of what it has that were found for values like these, if any
    /// were.
    ///
    /// Bins lie in a heap by an over-estimate of what they hold for their cost. The first is
    /// filled; if it still comes first it is bought, as often as its pods are there, and put back.
    /// [`WIDE`] at a time are filled side by side.
    pub(super) fn complete(
        &mut self,
        instance: &Instance<'_>,
        values: &[f64],
        screens: &[Option<KnapsackRelaxation>],
    ) {
        if self.missing() == 0 {
            return;
        }
        // What is worth nothing wants a place too.
        let values: Vec<f64> = values.iter().map(|value| value.max(LEAST)).collect();
        // Bins by what they hold for their cost, at most or, where they are filled, really.
        let mut heap: BinaryHeap<(u64, Reverse<u32>, Option<Pattern>)> = BinaryHeap::new();
        for (number, (bin, screen)) in (0..).zip(instance.bins.iter().zip(screens)) {
            if self.supply(instance, number) > 0 {
                let ceiling = screen.as_ref().map_or(f64::INFINITY, |last| {
                    bin.knapsack.upper_bound(&bin.worth(&values), &last.prices) * (1.0 + 1e-9)
                });
                heap.push((efficiency(ceiling, bin.cost), Reverse(number), None));
            }
        }
        let mut stale = Vec::with_capacity(WIDE);
        // Prices of what a bin has, as they were when it was filled last.
        let mut latest: BTreeMap<u32, KnapsackRelaxation> = BTreeMap::new();
        while let Some((seeming, Reverse(number), pattern)) = heap.pop() {
            if let Some(pattern) = pattern {
                self.buy(instance, &pattern, u32::MAX);
                if self.missing() == 0 {
                    return;
                }
                // With fewer pods left it is hardly a better bargain.
                heap.push((seeming, Reverse(number), None));
                continue;
            }
            stale.clear();
            stale.push(number);
            while stale.len() < WIDE
                && let Some((_, Reverse(next), None)) = heap.peek()
            {
                stale.push(*next);
                let _popped = heap.pop();
            }
            stale.retain(|number| self.supply(instance, *number) > 0);
            let filled = parallel::map(&stale, |number| {
                let bin = &instance.bins[*number as usize];
                let most = bin.items.iter().map(|demand| i64::from(self.left[*demand as usize]));
                let knapsack = bin.knapsack.within(&most.collect::<Vec<i64>>());
                let last = latest.get(number).or(screens[*number as usize].as_ref());
                let (relaxed, filled) = knapsack.estimate(&bin.worth(&values), last);
                (relaxed, instance.legal(bin.pattern(*number as usize, &filled.counts)))
            });
            for (number, (relaxed, pattern)) in stale.iter().copied().zip(filled) {
                if pattern.items.is_empty() {
                    continue;
                }
                let _former = latest.insert(number, relaxed);
                let efficiency =
                    efficiency(pattern.worth(&values), instance.bins[number as usize].cost);
                heap.push((efficiency, Reverse(number), Some(pattern)));
            }
        }
    }
}

/// The best of so many plans at these values, each time corrected by what the plan before pays for
/// pods; fewer where they stop getting better, or where no more are granted.
///
/// Each plan shows which pods end on nodes that aren't worth it; their values rise, less and less
/// from plan to plan, so that the sequence settles.
pub(super) fn corrected(
    instance: &Instance<'_>,
    values: &mut [f64],
    screens: &[Option<KnapsackRelaxation>],
    plans: u32,
    granted: &mut dyn FnMut() -> bool,
) -> Option<IntegerPlan> {
    let mut best: Option<IntegerPlan> = None;
    let mut patience = PATIENCE;
    for number in 0..plans {
        if patience == 0 || !granted() {
            break;
        }
        let mut plan = IntegerPlan::new(instance);
        plan.complete(instance, values, screens);
        correct(instance, &plan, GAIN / (1.0 + CALMER * f64::from(number)), values);
        plan.tidy();
        if best.as_ref().is_none_or(|best| plan.rank() < best.rank()) {
            best = Some(plan);
            patience = PATIENCE;
        } else {
            patience -= 1;
        }
    }
    best
}

/// Corrects values so far, in proportion, towards what a plan pays for the pods, where that is
/// known.
fn correct(instance: &Instance<'_>, plan: &IntegerPlan, gain: f64, values: &mut [f64]) {
    values.iter_mut().for_each(|value| *value = value.max(LEAST));
    let mut paid = vec![0.0; values.len()];
    let mut placed = vec![0.0; values.len()];
    for (pattern, times) in &plan.groups {
        let cost = instance.bins[pattern.bin as usize].cost as f64;
        let efficiency = cost / pattern.worth(values);
        for (demand, count) in &pattern.items {
            let pods = f64::from(*count) * f64::from(*times);
            paid[*demand as usize] += efficiency * pods;
            placed[*demand as usize] += pods;
        }
    }
    for ((value, paid), placed) in values.iter_mut().zip(paid).zip(placed) {
        if placed > 0.0 {
            *value *= 1.0 - gain + gain * (paid / placed).min(MOST_RAISED);
        }
    }
}

/// Whole plans from fractions: of each pattern its whole part, and one more where what is beyond is
/// at least `up`; then completed.
pub(super) fn rounded(
    instance: &Instance<'_>,
    fractions: &[(&Pattern, f64)],
    values: &[f64],
    screens: &[Option<KnapsackRelaxation>],
    up: f64,
) -> IntegerPlan {
    let mut plan = IntegerPlan::new(instance);
    let mut order: Vec<(&Pattern, f64)> = fractions.to_vec();
    // The largest fractions first: later ones may find their pods gone.
    order.sort_by_key(|(pattern, x)| (Reverse(OrderedFloat(x - x.floor())), *pattern));
    for (pattern, times) in &order {
        let whole = (times + 1e-6).floor();
        let _bought = plan.buy(instance, pattern, whole as u32);
    }
    for (pattern, times) in &order {
        let rest = times - (times + 1e-6).floor();
        if rest >= up {
            let _bought = plan.buy(instance, pattern, 1);
        }
    }
    plan.complete(instance, values, screens);
    plan.tidy();
    plan
}
