//! The relaxation of a sack: which rows and columns it has, and what its prices say.

use super::relax::Linear;
use super::{Group, Relaxed, Sack};

impl Sack {
    /// The linear relaxation, with those groups as rows that its solution would break otherwise.
    pub(in super::super) fn root(&self, values: &[f64], last: Option<&Relaxed>) -> Root {
        let worthy =
            |item: &usize| self.most[*item] > 0 && values.get(*item).is_some_and(|v| *v > 0.0);
        let items: Vec<usize> = (0..self.len()).filter(worthy).collect();
        let mut linear = Linear::new(
            items.iter().map(|item| values[*item]).collect(),
            items.iter().map(|item| self.most[*item] as f64).collect(),
        );
        for row in 0..self.binding.len() {
            let share = self.share(row);
            linear.add_row(items.iter().map(|item| share[*item]), 1.0);
        }
        let mut root = Root { items, linear, groups: Vec::new(), solution: Vec::new() };
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
}

/// The relaxation of a sack for some values.
#[derive(Clone, Debug)]
pub(in super::super) struct Root {
    /// The item of each column: those worth something, ascending.
    pub(super) items: Vec<usize>,
    pub(super) linear: Linear,
    /// The group of each row beyond the resources.
    pub(super) groups: Vec<usize>,
    pub(super) solution: Vec<f64>,
}

impl Root {
    /// Makes rows of the groups that the solution breaks; `false` where there are none.
    fn add_groups(&mut self, sack: &Sack) -> bool {
        let mut held = vec![0.0; sack.groups.len()];
        for (item, count) in self.items.iter().zip(&self.solution).filter(|(_, x)| **x > 0.0) {
            for (group, each) in &sack.counted[*item] {
                held[*group as usize] += *each as f64 * count;
            }
        }
        let mut found = false;
        for (group, held) in held.into_iter().enumerate() {
            let most = sack.groups[group].most as f64;
            if held > most * (1.0 + 1e-7) && !self.groups.contains(&group) {
                self.add_group(sack, group);
                found = true;
            }
        }
        found
    }

    fn add_group(&mut self, sack: &Sack, group: usize) {
        let Group { most, members } = &sack.groups[group];
        let share = |item: &usize| {
            let found = members.binary_search_by_key(item, |(item, _)| *item as usize);
            found.map_or(0.0, |at| members[at].1 as f64 / *most as f64)
        };
        self.linear.add_row(self.items.iter().map(share), 1.0);
        self.groups.push(group);
    }

    pub(super) fn relaxed(&self, sack: &Sack, values: &[f64]) -> Relaxed {
        let mut prices = vec![0.0; sack.room.len() + sack.groups.len()];
        let groups = self.groups.iter().map(|group| sack.room.len() + group);
        let rows = sack.binding.iter().copied().chain(groups);
        rows.zip(&self.linear.prices).for_each(|(row, price)| prices[row] = *price);
        let ceiling = sack.ceiling(values, &prices);
        let basis = self.linear.basis().iter().map(|column| self.items[*column] as u32).collect();
        Relaxed { prices, ceiling, basis, groups: self.groups.clone() }
    }

    /// Leaves less: by resource what is free, by group what may still be counted, and by item how
    /// many more may be there.
    pub(in super::super) fn narrow(
        &mut self,
        sack: &Sack,
        free: &[i64],
        open: &[i64],
        most: &[i64],
    ) {
        for (row, resource) in sack.binding.iter().enumerate() {
            self.linear.room[row] = free[*resource] as f64 / sack.room[*resource] as f64;
        }
        for (row, group) in self.groups.iter().enumerate() {
            let room = open[*group] as f64 / sack.groups[*group].most as f64;
            self.linear.room[sack.binding.len() + row] = room;
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
    pub(in super::super) fn unit_prices(&self, sack: &Sack) -> (Vec<f64>, Vec<f64>) {
        let mut resources = vec![0.0; sack.room.len()];
        let mut groups = vec![0.0; sack.groups.len()];
        let (of_resources, of_groups) = self.linear.prices.split_at(sack.binding.len());
        for (resource, price) in sack.binding.iter().zip(of_resources) {
            resources[*resource] = price / sack.room[*resource] as f64;
        }
        for (group, price) in self.groups.iter().zip(of_groups) {
            groups[*group] = price / sack.groups[*group].most as f64;
        }
        (resources, groups)
    }
}
