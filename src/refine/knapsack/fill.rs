//! A good filling of a node, quickly.
//!
//! *Problem.* The solution of the linear relaxation isn't whole: a few counts, at most one for each
//! row, are broken.
//!
//! *Idea.* Round it down, which fits, and top it up with what is worth most in relation to its
//! price, where prices are those of the relaxation; and do the same once for each broken count with
//! that one rounded up instead, since what is lost by rounding is mostly lost on these. The best of
//! these is improved as long as the tries last: one item is taken out, or two, those first that are
//! worth least for their price, and the room is filled again without it, once with the most
//! valuable first and once with the most valuable for its price first. Where few items fill a node
//! nearly all that is lost is room at the end that nothing fits into, and this finds what does.
//!
//! *Cost.* Items × rows for each try, and two sorts.
//!
//! References: Pirkul 1987, "A heuristic solution procedure for the multiconstraint zero-one
//! knapsack problem"; Chu and Beasley 1998 for the order by prices of the relaxation.

use super::super::tuning::fill::{LOOKS, TRIES};
use super::{Knapsack, KnapsackFilling, RootRelaxation};
use ordered_float::OrderedFloat;
use std::cmp::Reverse;

/// Of a value, relative: less isn't better.
const SAME: f64 = 1e-10;

impl RootRelaxation {
    /// A good filling, from the solution and the prices of the relaxation.
    pub(super) fn fill(&self, knapsack: &Knapsack, values: &[f64]) -> KnapsackFilling {
        let linear = &self.linear;
        // What a column is worth beyond its price, in relation to that: never NaN, for both are
        // finite.
        let excess = |column: usize| {
            let price = linear.value[column] - linear.gain[column];
            linear.gain[column] / price.max(1e-12 * linear.value[column])
        };
        let by_excess = FillOrder::new(self, knapsack, (0..self.items.len()).map(excess));
        let by_worth = FillOrder::new(self, knapsack, linear.value.iter().copied());
        let broken = (0..self.items.len()).filter(|column| {
            let count = self.solution[*column];
            count - count.floor() > 1e-6 && count.ceil() - count > 1e-6
        });
        let mut best: Option<KnapsackLoad<'_>> = None;
        for up in std::iter::once(None).chain(broken.map(Some)) {
            let mut load = KnapsackLoad::new(knapsack);
            if let Some(column) = up {
                let count = load.put(self.items[column], self.solution[column].ceil() as i64);
                load.worth += linear.value[column] * count as f64;
            }
            for column in &by_excess.columns {
                let count = (self.solution[*column as usize] + 1e-6).floor() as i64;
                if count > 0 && up != Some(*column as usize) {
                    let count = load.put(self.items[*column as usize], count);
                    load.worth += linear.value[*column as usize] * count as f64;
                }
            }
            self.top_up(&mut load, &by_excess, None, values, &mut Vec::new());
            if best.as_ref().is_none_or(|best| load.worth > best.worth) {
                best = Some(load);
            }
        }
        let Some(mut load) = best else { return KnapsackFilling::default() };
        self.improve(&mut load, &by_excess, &by_worth, values);
        load.finish(values)
    }

    /// Adds what fits, in an order, save for one item, and notes what it added.
    fn top_up(
        &self,
        load: &mut KnapsackLoad<'_>,
        order: &FillOrder,
        but: Option<usize>,
        values: &[f64],
        added: &mut Vec<(usize, i64)>,
    ) {
        let height = load.free.len();
        for (at, column) in order.columns.iter().enumerate() {
            let request = &order.requests[at * height..(at + 1) * height];
            // No branch for each resource: nearly always the answer is no.
            let pairs = request.iter().zip(&load.free);
            if pairs.fold(true, |fits, (asked, free)| fits & (asked <= free)) {
                let item = self.items[*column as usize];
                if Some(item) != but {
                    let count = load.put(item, i64::MAX);
                    load.worth += values[item] * count as f64;
                    if count > 0 {
                        added.push((item, count));
                    }
                }
            }
        }
    }

    /// Takes one or two out, those worth least for their price first, and fills up again without
    /// the first, as long as that pays.
    fn improve(
        &self,
        load: &mut KnapsackLoad<'_>,
        by_excess: &FillOrder,
        by_worth: &FillOrder,
        values: &[f64],
    ) {
        let mut tries = TRIES.min(LOOKS / self.items.len().max(1));
        let mut changes = Vec::new();
        loop {
            let items = by_excess.columns.iter().rev().map(|column| self.items[*column as usize]);
            let held: Vec<usize> = items.filter(|item| load.counts[*item] > 0).collect();
            let one = held.iter().map(|item| (*item, None));
            let two = held
                .iter()
                .enumerate()
                .flat_map(|(at, item)| held[at..].iter().map(|other| (*item, Some(*other))));
            let better = one.chain(two).any(|(first, second)| {
                [by_worth, by_excess].into_iter().any(|order| {
                    let Some(left) = tries.checked_sub(1) else { return false };
                    tries = left;
                    let before = load.worth;
                    changes.clear();
                    let out = std::iter::once(first).chain(second).all(|item| {
                        let there = load.counts[item] > 0;
                        if there {
                            load.take(item, values);
                            changes.push((item, -1));
                        }
                        there
                    });
                    if out {
                        self.top_up(load, order, Some(first), values, &mut changes);
                    }
                    let better = out && load.worth > before * (1.0 + SAME);
                    if !better {
                        changes.iter().for_each(|(item, count)| load.change(*item, -count));
                        load.worth = before;
                    }
                    better
                })
            });
            if !better {
                return;
            }
        }
    }
}

/// Columns in some order, with what they ask for side by side.
struct FillOrder {
    columns: Vec<u32>,
    /// By place in the order, then binding resource.
    requests: Vec<i64>,
}

impl FillOrder {
    /// The order of a number for each column, largest first.
    fn new(root: &RootRelaxation, knapsack: &Knapsack, numbers: impl Iterator<Item = f64>) -> Self {
        let mut order: Vec<(f64, u32)> =
            numbers.enumerate().map(|(at, number)| (number, at as u32)).collect();
        order.sort_unstable_by_key(|(number, at)| (Reverse(OrderedFloat(*number)), *at));
        let columns: Vec<u32> = order.into_iter().map(|(_, at)| at).collect();
        let request = |column: &u32| {
            let request = knapsack.request(root.items[*column as usize]);
            knapsack.binding.iter().map(|resource| request[*resource])
        };
        let requests = columns.iter().flat_map(request).collect();
        Self { columns, requests }
    }
}

/// What a node holds while it is being filled, in integers.
#[derive(Debug)]
pub(super) struct KnapsackLoad<'a> {
    knapsack: &'a Knapsack,
    /// Of each binding resource.
    free: Vec<i64>,
    /// What each group may still count.
    open: Vec<i64>,
    /// By item.
    counts: Vec<i64>,
    worth: f64,
}

impl<'a> KnapsackLoad<'a> {
    pub(super) fn new(knapsack: &'a Knapsack) -> Self {
        Self {
            knapsack,
            free: knapsack.binding.iter().map(|resource| knapsack.room[*resource]).collect(),
            open: knapsack.groups.iter().map(|group| group.most).collect(),
            counts: vec![0; knapsack.len()],
            worth: 0.0,
        }
    }

    /// Adds as many of an item as the rules allow, up to `count`.
    pub(super) fn put(&mut self, item: usize, count: i64) -> i64 {
        let knapsack = self.knapsack;
        let mut count = count.min(knapsack.most[item] - self.counts[item]);
        let request = knapsack.request(item);
        for (free, resource) in self.free.iter().zip(&knapsack.binding) {
            let (free, asked) = (*free, request[*resource]);
            if asked > free {
                return 0;
            }
            if asked > 0 && count > 1 {
                count = count.min(free / asked);
            }
        }
        for (group, each) in &knapsack.counted[item] {
            count = count.min(self.open[*group as usize] / each);
        }
        if count <= 0 {
            return 0;
        }
        let barred = |other: &u32| self.counts[*other as usize] > 0;
        if self.counts[item] == 0 && knapsack.conflicts[item].iter().any(barred) {
            return 0;
        }
        self.change(item, count);
        count
    }

    /// Takes one of an item out.
    fn take(&mut self, item: usize, values: &[f64]) {
        self.change(item, -1);
        self.worth -= values[item];
    }

    fn change(&mut self, item: usize, count: i64) {
        let request = self.knapsack.request(item);
        for (free, resource) in self.free.iter_mut().zip(&self.knapsack.binding) {
            *free -= count * request[*resource];
        }
        for (group, each) in &self.knapsack.counted[item] {
            self.open[*group as usize] -= count * each;
        }
        self.counts[item] += count;
    }

    fn finish(self, values: &[f64]) -> KnapsackFilling {
        let mut filled = KnapsackFilling::default();
        for (item, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            filled.counts.push((item as u32, u32::try_from(*count).unwrap_or(u32::MAX)));
            filled.value += values[item] * *count as f64;
        }
        filled
    }
}
