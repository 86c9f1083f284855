//! The relaxation of a knapsack: which rows and columns it has, and what its prices say.
//!
//! *Problem.* Of dozens of groups few bind for given values, and each row makes every pivot dearer;
//! and most pivots of a solve only find out roughly what the resources are worth.
//!
//! *Idea.* Columns are the items worth something, rows the resources that can bind and those groups
//! that a solution would break otherwise. A solve starts from the basis of the last one, since
//! values change little from round to round, or from that of a sample of the items with as much
//! less room. And of thousands of items a node holds dozens: with prices of values like these at
//! hand, only a core of items that gain most at them become columns, and those that turn out to
//! gain something at the new prices are added (sifting).
//!
//! *Why it is right.* A row that is left out, or a start that is far off, makes the over-estimate
//! less sharp or the way there longer, never wrong.
//!
//! References: Dantzig, Fulkerson and Johnson 1954 for rows that are added when they are broken;
//! Bixby et al. 1992 for a start from few of the columns, and sifting; Balas and Zemel 1980 for
//! cores of knapsacks.

use super::super::tuning::root::{CORE, FULL, SAMPLE, SIFTS};
use super::relax::BoundedProgramme;
use super::{Knapsack, KnapsackGroup, KnapsackRelaxation};
use ordered_float::OrderedFloat;
use std::cmp::Reverse;

/// What an item gains, in proportion, that isn't rounding.
const GAINFUL: f64 = 1e-9;

impl Knapsack {
    /// The linear relaxation, with those groups as rows that its solution would break otherwise.
    ///
    /// Where it was solved before, for values like these, and items are many, those are left out
    /// that gain nothing: the prices that it finds are those for all, or nearly.
    pub(in super::super) fn root(
        &self,
        values: &[f64],
        last: Option<&KnapsackRelaxation>,
    ) -> RootRelaxation {
        let worthy =
            |item: &usize| self.most[*item] > 0 && values.get(*item).is_some_and(|v| *v > 0.0);
        let items: Vec<usize> = (0..self.len()).filter(worthy).collect();
        match last {
            Some(last) if items.len() > 2 * CORE => self.sifted(values, &items, last),
            _ => self.solved(values, items, last),
        }
    }

    /// The relaxation of a core of the items, and of those that gain something at the prices that
    /// it has.
    fn sifted(&self, values: &[f64], items: &[usize], last: &KnapsackRelaxation) -> RootRelaxation {
        let (_, gains) = self.gains(values, &last.prices);
        let mut root = self.solved(values, self.core(values, items, &gains), Some(last));
        for _ in 0..SIFTS {
            let (_, gains) = self.gains(values, &root.prices(self));
            let left_out = |item: &usize| {
                gains[*item] > GAINFUL * values[*item] && root.items.binary_search(item).is_err()
            };
            let mut more: Vec<usize> = items.iter().copied().filter(left_out).collect();
            if more.is_empty() {
                break;
            }
            more.extend(&root.items);
            more.sort_unstable();
            root = self.solved(values, more, Some(&root.relaxed(self, values)));
        }
        root
    }

    /// The items that gain most for what they are worth, enough to fill the room some times;
    /// ascending.
    fn core(&self, values: &[f64], items: &[usize], gains: &[f64]) -> Vec<usize> {
        let gain = |item: &usize| (gains[*item] / values[*item], *item);
        let mut order: Vec<(f64, usize)> = items.iter().map(gain).collect();
        let mut size = CORE;
        while size < order.len() / 2 {
            let (first, _, _) = order.select_nth_unstable_by_key(size, |(gain, item)| {
                (Reverse(OrderedFloat(*gain)), *item)
            });
            let is_full = (0..self.binding.len()).any(|row| {
                let share = self.share(row);
                let held = |(_, item): &(f64, usize)| share[*item] * self.most[*item] as f64;
                first.iter().map(held).sum::<f64>() >= FULL
            });
            if is_full {
                order.truncate(size);
                break;
            }
            size *= 2;
        }
        let mut core: Vec<usize> = order.into_iter().map(|(_, item)| item).collect();
        core.sort_unstable();
        core
    }

    /// The relaxation of these items.
    fn solved(
        &self,
        values: &[f64],
        items: Vec<usize>,
        last: Option<&KnapsackRelaxation>,
    ) -> RootRelaxation {
        let mut linear = self.linear(values, &items);
        if last.is_none() && items.len() >= 2 * SAMPLE {
            // Prices of a sample with as much less room are nearly those of all.
            let every = items.len() / SAMPLE;
            let some: Vec<usize> = items.iter().copied().step_by(every).collect();
            let mut sample = self.linear(values, &some);
            sample.room.fill(1.0 / every as f64);
            sample.solve(f64::NEG_INFINITY);
            let columns: Vec<usize> = sample.basis().iter().map(|at| at * every).collect();
            linear.start(&columns);
        }
        let mut root = RootRelaxation { items, linear, groups: Vec::new(), solution: Vec::new() };
        if let Some(last) = last {
            last.groups.iter().for_each(|group| root.add_group(self, *group));
            let column = |item: &u32| root.items.binary_search(&(*item as usize)).ok();
            let columns: Vec<usize> = last.basis.iter().filter_map(column).collect();
            root.linear.start(&columns);
        }
        root.linear.solve(f64::NEG_INFINITY);
        root.linear.solution(&mut root.solution);
        while root.add_groups(self) {
            root.linear.solve(f64::NEG_INFINITY);
            root.linear.solution(&mut root.solution);
        }
        root
    }

    /// The programme of some items, with a row for each binding resource.
    fn linear(&self, values: &[f64], items: &[usize]) -> BoundedProgramme {
        let mut linear = BoundedProgramme::new(
            items.iter().map(|item| values[*item]).collect(),
            items.iter().map(|item| self.most[*item] as f64).collect(),
        );
        for row in 0..self.binding.len() {
            let share = self.share(row);
            linear.add_row(items.iter().map(|item| share[*item]), 1.0);
        }
        linear
    }
}

/// The relaxation of a knapsack for some values.
#[derive(Clone, Debug)]
pub(in super::super) struct RootRelaxation {
    /// The item of each column: those worth something, or a core of them, ascending.
    pub(super) items: Vec<usize>,
    pub(super) linear: BoundedProgramme,
    /// The group of each row beyond the resources.
    pub(super) groups: Vec<usize>,
    pub(super) solution: Vec<f64>,
}

impl RootRelaxation {
    /// Makes rows of the groups that the solution breaks; `false` where there are none.
    fn add_groups(&mut self, knapsack: &Knapsack) -> bool {
        let mut held = vec![0.0; knapsack.groups.len()];
        for (item, count) in self.items.iter().zip(&self.solution).filter(|(_, x)| **x > 0.0) {
            for (group, each) in &knapsack.counted[*item] {
                held[*group as usize] += *each as f64 * count;
            }
        }
        let mut found = false;
        for (group, held) in held.into_iter().enumerate() {
            let most = knapsack.groups[group].most as f64;
            if held > most * (1.0 + 1e-7) && !self.groups.contains(&group) {
                self.add_group(knapsack, group);
                found = true;
            }
        }
        found
    }

    fn add_group(&mut self, knapsack: &Knapsack, group: usize) {
        let KnapsackGroup { most, members } = &knapsack.groups[group];
        let share = |item: &usize| {
            let found = members.binary_search_by_key(item, |(item, _)| *item as usize);
            found.map_or(0.0, |at| members[at].1 as f64 / *most as f64)
        };
        self.linear.add_row(self.items.iter().map(share), 1.0);
        self.groups.push(group);
    }

    /// The prices of resources, then of groups, each for all of its room.
    fn prices(&self, knapsack: &Knapsack) -> Vec<f64> {
        let mut prices = vec![0.0; knapsack.room.len() + knapsack.groups.len()];
        let groups = self.groups.iter().map(|group| knapsack.room.len() + group);
        let rows = knapsack.binding.iter().copied().chain(groups);
        rows.zip(&self.linear.prices).for_each(|(row, price)| prices[row] = *price);
        prices
    }

    pub(super) fn relaxed(&self, knapsack: &Knapsack, values: &[f64]) -> KnapsackRelaxation {
        let prices = self.prices(knapsack);
        let upper_bound = knapsack.upper_bound(values, &prices);
        let basis = self.linear.basis().iter().map(|column| self.items[*column] as u32).collect();
        KnapsackRelaxation { prices, upper_bound, basis, groups: self.groups.clone() }
    }

    /// Leaves less: by resource what is free, by group what may still be counted, and by item how
    /// many more may be there.
    pub(in super::super) fn narrow(
        &mut self,
        knapsack: &Knapsack,
        free: &[i64],
        open: &[i64],
        most: &[i64],
    ) {
        for (row, resource) in knapsack.binding.iter().enumerate() {
            self.linear.room[row] = free[*resource] as f64 / knapsack.room[*resource] as f64;
        }
        for (row, group) in self.groups.iter().enumerate() {
            let room = open[*group] as f64 / knapsack.groups[*group].most as f64;
            self.linear.room[knapsack.binding.len() + row] = room;
        }
        for (slot, item) in self.linear.most.iter_mut().zip(&self.items) {
            *slot = most[*item] as f64;
        }
    }

    /// Solves it again, or stops as soon as the over-estimate is at most `enough`, and gives it.
    pub(in super::super) fn solve(&mut self, enough: f64) -> f64 {
        let bound = self.linear.solve(enough);
        self.linear.solution(&mut self.solution);
        bound
    }

    /// Items with how many of each the solution takes, beyond those worth nothing.
    pub(in super::super) fn solution(&self) -> impl Iterator<Item = (usize, f64)> {
        self.items.iter().copied().zip(self.solution.iter().copied())
    }

    /// The prices of one of each resource, and of one in each group.
    pub(in super::super) fn unit_prices(&self, knapsack: &Knapsack) -> (Vec<f64>, Vec<f64>) {
        let mut resources = vec![0.0; knapsack.room.len()];
        let mut groups = vec![0.0; knapsack.groups.len()];
        let (of_resources, of_groups) = self.linear.prices.split_at(knapsack.binding.len());
        for (resource, price) in knapsack.binding.iter().zip(of_resources) {
            resources[*resource] = price / knapsack.room[*resource] as f64;
        }
        for (group, price) in self.groups.iter().zip(of_groups) {
            groups[*group] = price / knapsack.groups[*group].most as f64;
        }
        (resources, groups)
    }
}
