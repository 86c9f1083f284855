//! Whole plans from prices and fractions.
//!
//! *Problem.* The relaxation says how often each pattern is used, in fractions, and what each pod is
//! worth. Wanted are whole numbers that cover every pod.
//!
//! *Idea.* Take of each pattern the whole part (or, of some, one more), as far as its pods are still
//! there; then complete the plan with the best bargains: of all bins the one whose best filling with
//! what is left is worth most for what it costs, as often as its pods are there, and so on. With the
//! relaxation's prices no filling is worth more than its bin costs, and those of an optimal plan are
//! all worth just that; so worth ÷ cost says how far a purchase is from the best.
//!
//! *Cost.* One filling of each bin, and a few for each purchase.
//!
//! References: rounding of column generation (Wäscher and Gau 1996); bin-centric greedies with
//! variable costs (Gabay and Zaourar 2016).

use super::instance::{Instance, Pattern};
use crate::parallel;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A plan in the making: patterns in whole numbers, and what they leave.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) groups: Vec<(Pattern, u32)>,
    /// By demand, the pods that have no place yet.
    pub(super) left: Vec<u32>,
    /// By supply.
    pub(super) supplies: Vec<i128>,
    /// In billionths.
    pub(super) cost: i128,
}

/// How efficient a purchase is: worth ÷ cost in parts 2^-40; what costs nothing comes first.
fn rate(worth: f64, cost: i64) -> u64 {
    if worth <= 0.0 {
        return 0;
    }
    if cost <= 0 {
        return u64::MAX;
    }
    (worth / cost as f64 * (1_u64 << 40) as f64) as u64
}

impl Draft {
    /// The plan in which nothing is bought yet.
    pub(super) fn new(instance: &Instance<'_, '_>) -> Self {
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

    /// How many more of a bin the supplies allow.
    fn supply(&self, instance: &Instance<'_, '_>, bin: u32) -> u32 {
        let uses = instance.bins[bin as usize].uses.iter();
        let most = uses.map(|(supply, each)| {
            (self.supplies[*supply as usize] / i128::from((*each).max(1))).max(0)
        });
        u32::try_from(most.min().unwrap_or(i128::MAX)).unwrap_or(u32::MAX)
    }

    /// Buys a pattern up to so many times, as far as pods and supplies go; how often.
    pub(super) fn buy(
        &mut self,
        instance: &Instance<'_, '_>,
        pattern: &Pattern,
        times: u32,
    ) -> u32 {
        let there = pattern.items.iter().map(|(demand, count)| self.left[*demand as usize] / count);
        let times = there.min().unwrap_or(0).min(times).min(self.supply(instance, pattern.bin));
        if times > 0 {
            self.change(instance, pattern, i64::from(times));
            self.groups.push((pattern.clone(), times));
        }
        times
    }

    /// Takes some nodes of a group away again; a group without nodes stays until [`Draft::tidy`].
    pub(super) fn give_back(&mut self, instance: &Instance<'_, '_>, group: usize, times: u32) {
        let pattern = self.groups[group].0.clone();
        let times = times.min(self.groups[group].1);
        self.groups[group].1 -= times;
        self.change(instance, &pattern, -i64::from(times));
    }

    fn change(&mut self, instance: &Instance<'_, '_>, pattern: &Pattern, times: i64) {
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

    /// Buys for what is left, the best bargains first.
    pub(super) fn complete(&mut self, instance: &Instance<'_, '_>, values: &[f64]) {
        if self.missing() == 0 {
            return;
        }
        let numbers: Vec<u32> = (0..instance.bins.len() as u32).collect();
        let fill = |left: &[u32], number: u32| -> (u64, Pattern) {
            let bin = &instance.bins[number as usize];
            let most: Vec<i64> =
                bin.items.iter().map(|demand| i64::from(left[*demand as usize])).collect();
            let filled = bin.sack.within(&most).fill(&bin.worth(values));
            let pattern = instance.legal(bin.pattern(number as usize, &filled.counts));
            let worth: f64 = pattern
                .items
                .iter()
                .map(|(demand, count)| values[*demand as usize].max(1e-9) * f64::from(*count))
                .sum();
            (rate(worth, bin.cost), pattern)
        };
        let left = self.left.clone();
        let filled = parallel::map(&numbers, |number| {
            if self.supply(instance, *number) == 0 {
                return (0, Pattern { bin: *number, items: Vec::new() });
            }
            fill(&left, *number)
        });
        let mut patterns: Vec<Pattern> = Vec::with_capacity(filled.len());
        let mut heap: BinaryHeap<(u64, Reverse<u32>)> = BinaryHeap::new();
        for (number, (rate, pattern)) in numbers.iter().zip(filled) {
            if rate > 0 {
                heap.push((rate, Reverse(*number)));
            }
            patterns.push(pattern);
        }
        while let Some((_, Reverse(number))) = heap.pop() {
            let pattern = patterns[number as usize].clone();
            if self.buy(instance, &pattern, u32::MAX) == 0 && self.supply(instance, number) == 0 {
                continue;
            }
            let (rate, pattern) = fill(&self.left, number);
            if rate > 0 {
                heap.push((rate, Reverse(number)));
            }
            patterns[number as usize] = pattern;
        }
    }
}

/// Whole plans from fractions: of each pattern its whole part, and one more where what is beyond is at
/// least `up`; then completed.
pub(super) fn rounded(
    instance: &Instance<'_, '_>,
    fractions: &[(&Pattern, f64)],
    values: &[f64],
    up: f64,
) -> Draft {
    let mut draft = Draft::new(instance);
    let mut order: Vec<(&Pattern, f64)> = fractions.to_vec();
    // The largest fractions first: later ones may find their pods gone.
    order.sort_by(|(one, x), (other, y)| {
        (y - y.floor()).total_cmp(&(x - x.floor())).then_with(|| one.cmp(other))
    });
    for (pattern, times) in &order {
        let whole = (times + 1e-6).floor();
        let _bought = draft.buy(instance, pattern, whole as u32);
    }
    for (pattern, times) in &order {
        let rest = times - (times + 1e-6).floor();
        if rest >= up {
            let _bought = draft.buy(instance, pattern, 1);
        }
    }
    draft.complete(instance, values);
    draft.tidy();
    draft
}
