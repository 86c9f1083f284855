//! What one node can hold at most: the pricing problem of one kind of node.
//!
//! *Problem.* Given room for each resource, items with requests and the most of each that may be
//! there, groups of which only so much may be there, pairs that may not share a node, and a value for
//! each item, choose counts worth as much as possible: a bounded knapsack in several dimensions. It is
//! asked anew, with other values, for each kind of node in each round of column generation, and four
//! answers are wanted, each at its price: an over-estimate at once, a sharp over-estimate, a good
//! filling, and the best filling with proof.
//!
//! *Idea.* All that doesn't depend on the values is worked out once, in a [`Sack`]: which resources
//! can bind at all (one with room for everything can't, nor one that another always binds before),
//! requests as shares of the room in floats for speed, and as integers for what fits. From any prices
//! of resources and groups follows an over-estimate ([`Sack::ceiling`]); the best prices are those of
//! the linear relaxation (`relax`), whose solution rounded down and topped up by value per price is
//! the quick filling; the best filling is searched for from there (`branch`), or read off a table where
//! one resource alone binds (`table`).
//!
//! *Why it is right.* `v·a ≤ u·C + Σ m_j max(0, v_j − u·r_j)` for every filling `a` and all `u ≥ 0`.
//! Floats are used for values and prices alone: whether counts fit is decided in integers.
//!
//! *Cost.* Items × resources for a ceiling, some ten times that for the relaxation and the filling.
//!
//! References: Gilmore and Gomory 1966; Kellerer, Pferschy and Pisinger 2004, "Knapsack Problems".

mod branch;
mod relax;
mod table;
#[cfg(test)]
mod tests;

use relax::Linear;

/// Steps of search after which a table is made, where one can be made.
const TRIAL: u32 = 1000;

/// Something of which a node holds some.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// By resource; not negative.
    pub(super) request: Vec<i64>,
    /// The most that may be there.
    pub(super) most: u32,
}

/// A rule that a node holds only so much of some items together.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) most: i64,
    /// Items, and how much one of each counts.
    pub(super) members: Vec<(u32, i64)>,
}

/// One kind of node and what may go there.
#[derive(Clone, Debug)]
pub(super) struct Sack {
    room: Vec<i64>,
    /// By item, then resource.
    requests: Vec<i64>,
    most: Vec<i64>,
    groups: Vec<Group>,
    /// By item: the groups that it counts in and can bind, and how much.
    counted: Vec<Vec<(u32, i64)>>,
    /// By item: those that may not share a node with it, ascending.
    conflicts: Vec<Vec<u32>>,
    /// The resources that can bind.
    binding: Vec<usize>,
    /// Whether each group can bind.
    crowded: Vec<bool>,
    /// By binding resource, then item: the part of the room that one asks for.
    shares: Vec<f64>,
}

/// Prices of resources, then of groups, each for all of its room, and what they prove.
#[derive(Clone, Debug)]
pub(super) struct Relaxed {
    pub(super) prices: Vec<f64>,
    /// No filling is worth more.
    pub(super) ceiling: f64,
    /// Where the prices come from: items that are there in part, and groups that bind.
    basis: Vec<u32>,
    groups: Vec<usize>,
}

/// Counts that fit.
#[derive(Clone, Debug, Default)]
pub(super) struct Filled {
    /// Items with their counts, by item.
    pub(super) counts: Vec<(u32, u32)>,
    pub(super) value: f64,
}

/// The best counts that were found, and what was proved.
#[derive(Clone, Debug)]
pub(super) struct Priced {
    pub(super) counts: Vec<(u32, u32)>,
    pub(super) value: f64,
    /// No filling is worth more than this and the floor.
    pub(super) ceiling: f64,
    /// Whether there was nothing left to search: the filling is the best, or none is above the floor.
    pub(super) exact: bool,
}

impl Sack {
    pub(super) fn new(
        room: Vec<i64>,
        items: &[Item],
        groups: Vec<Group>,
        conflicts: &[Vec<u32>],
    ) -> Self {
        let mut most: Vec<i64> = items.iter().map(|item| limit(&room, item)).collect();
        let groups: Vec<Group> = groups.into_iter().map(|group| group.tidy(items.len())).collect();
        for group in &groups {
            for (item, each) in &group.members {
                let slot = &mut most[*item as usize];
                *slot = (*slot).min(group.most.max(0) / each);
            }
        }
        let mut pairs = vec![Vec::new(); items.len()];
        for (item, others) in conflicts.iter().enumerate().take(items.len()) {
            for other in others.iter().filter(|other| (**other as usize) < items.len()) {
                if *other as usize == item {
                    most[item] = most[item].min(1);
                } else {
                    pairs[item].push(*other);
                    pairs[*other as usize].push(item as u32);
                }
            }
        }
        for others in &mut pairs {
            others.sort_unstable();
            others.dedup();
        }
        let mut counted = vec![Vec::new(); items.len()];
        let mut crowded = Vec::with_capacity(groups.len());
        for (at, group) in groups.iter().enumerate() {
            let all = group
                .members
                .iter()
                .map(|(item, each)| i128::from(most[*item as usize]) * i128::from(*each));
            crowded.push(all.sum::<i128>() > i128::from(group.most.max(0)));
            if crowded[at] {
                for (item, each) in &group.members {
                    counted[*item as usize].push((at as u32, *each));
                }
            }
        }
        let requests = items.iter().flat_map(|item| item.request.iter().copied()).collect();
        let mut sack = Self {
            binding: Vec::new(),
            shares: Vec::new(),
            room,
            requests,
            most,
            groups,
            counted,
            conflicts: pairs,
            crowded,
        };
        sack.binding = sack.find_binding();
        let mut shares = Vec::with_capacity(sack.binding.len() * items.len());
        for resource in &sack.binding {
            let all = sack.room[*resource] as f64;
            let share = |item| sack.request(item)[*resource] as f64 / all;
            shares.extend((0..items.len()).map(share));
        }
        sack.shares = shares;
        sack
    }

    /// How many items there are.
    pub(super) fn len(&self) -> usize {
        self.most.len()
    }

    /// The most of an item that can be there.
    pub(super) fn most(&self, item: usize) -> i64 {
        self.most[item]
    }

    fn request(&self, item: usize) -> &[i64] {
        let width = self.room.len();
        &self.requests[item * width..(item + 1) * width]
    }

    fn share(&self, row: usize) -> &[f64] {
        &self.shares[row * self.len()..(row + 1) * self.len()]
    }

    /// The resources that can run out, less those that always run out after another.
    fn find_binding(&self) -> Vec<usize> {
        let items: Vec<usize> = (0..self.len()).filter(|item| self.most[*item] > 0).collect();
        let short = |resource: &usize| {
            let asked = items.iter().map(|item| {
                i128::from(self.request(*item)[*resource]) * i128::from(self.most[*item])
            });
            asked.sum::<i128>() > i128::from(self.room[*resource])
        };
        let mut binding: Vec<usize> = (0..self.room.len()).filter(short).collect();
        // Whether each item asks for a larger share of one than of the other.
        let before = |one: usize, other: usize| {
            items.iter().all(|item| {
                let request = self.request(*item);
                i128::from(request[one]) * i128::from(self.room[other])
                    >= i128::from(request[other]) * i128::from(self.room[one])
            })
        };
        let mut at = 0;
        while at < binding.len() {
            let this = binding[at];
            if binding.iter().any(|other| *other != this && before(*other, this)) {
                binding.remove(at);
            } else {
                at += 1;
            }
        }
        binding
    }

    /// An over-estimate of what a node can hold, whatever the prices: see [`Relaxed::prices`].
    pub(super) fn ceiling(&self, values: &[f64], prices: &[f64]) -> f64 {
        let mut gain = values.to_vec();
        gain.resize(self.len(), 0.0);
        let price = |at: usize| prices.get(at).map_or(0.0, |price| price.max(0.0));
        let mut sum = 0.0;
        for (row, resource) in self.binding.iter().enumerate() {
            let price = price(*resource);
            if price > 0.0 {
                sum += price;
                let gains = gain.iter_mut().zip(self.share(row));
                gains.for_each(|(gain, share)| *gain -= price * share);
            }
        }
        for (at, group) in self.groups.iter().enumerate().filter(|(at, _)| self.crowded[*at]) {
            let price = price(self.room.len() + at);
            if price > 0.0 {
                sum += price;
                let unit = price / group.most as f64;
                for (item, each) in &group.members {
                    gain[*item as usize] -= unit * *each as f64;
                }
            }
        }
        sum + gain
            .iter()
            .zip(&self.most)
            .map(|(gain, most)| gain.max(0.0) * *most as f64)
            .sum::<f64>()
    }

    /// The over-estimate of the linear relaxation. What was found for values much like these, if
    /// anything was, makes it quicker.
    pub(super) fn relax(&self, values: &[f64], last: Option<&Relaxed>) -> Relaxed {
        self.root(values, last).relaxed(self, values)
    }

    /// A good filling.
    pub(super) fn fill(&self, values: &[f64]) -> Filled {
        self.root(values, None).fill(self, values)
    }

    /// Both, for little more than one of them.
    pub(super) fn estimate(&self, values: &[f64], last: Option<&Relaxed>) -> (Relaxed, Filled) {
        let mut root = self.root(values, last);
        (root.relaxed(self, values), root.fill(self, values))
    }

    /// The best filling, as far as it is worth more than the floor and found within the steps.
    pub(super) fn best(&self, values: &[f64], floor: f64, steps: u32) -> Priced {
        let root = self.root(values, None);
        let Some(table) = table::Table::new(self, &root) else {
            return branch::best(self, root, values, floor, steps);
        };
        if !table.is_small() {
            let searched = branch::best(self, root.clone(), values, floor, steps.min(TRIAL));
            if searched.exact || table.is_large() {
                return searched;
            }
        }
        table.best(self, &root, values)
    }

    /// Whether counts, of each item once, fit together by all rules.
    pub(super) fn holds(&self, counts: &[(u32, u32)]) -> bool {
        let mut load = Load::new(self);
        counts.iter().all(|(item, count)| {
            let count = i64::from(*count);
            load.put(self, *item as usize, count) == count
        })
    }

    /// The linear relaxation, with those groups as rows that its solution would break otherwise.
    fn root(&self, values: &[f64], last: Option<&Relaxed>) -> Root {
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

impl Group {
    /// Its members once each, those that count.
    fn tidy(mut self, items: usize) -> Self {
        self.members.retain(|(item, each)| (*item as usize) < items && *each > 0);
        self.members.sort_unstable();
        self.members.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            same
        });
        self
    }
}

/// How many of an item have room.
fn limit(room: &[i64], item: &Item) -> i64 {
    let mut most = i64::from(item.most);
    for (room, asked) in room.iter().zip(&item.request) {
        if *room < 0 {
            return 0;
        }
        if *asked > 0 {
            most = most.min(room / asked);
        }
    }
    most
}

/// The relaxation of a sack for some values.
#[derive(Clone, Debug)]
struct Root {
    /// The item of each column: those worth something.
    items: Vec<usize>,
    linear: Linear,
    /// The group of each row beyond the resources.
    groups: Vec<usize>,
    solution: Vec<f64>,
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

    fn relaxed(&self, sack: &Sack, values: &[f64]) -> Relaxed {
        let mut prices = vec![0.0; sack.room.len() + sack.groups.len()];
        let groups = self.groups.iter().map(|group| sack.room.len() + group);
        let rows = sack.binding.iter().copied().chain(groups);
        rows.zip(&self.linear.prices).for_each(|(row, price)| prices[row] = *price);
        let ceiling = sack.ceiling(values, &prices);
        let basis = self.linear.basis().iter().map(|column| self.items[*column] as u32).collect();
        Relaxed { prices, ceiling, basis, groups: self.groups.clone() }
    }

    /// The solution rounded down, or with one broken count rounded up, topped up by what is worth
    /// most for the prices of what it takes.
    fn fill(&mut self, sack: &Sack, values: &[f64]) -> Filled {
        let linear = &self.linear;
        // What a column is worth beyond its price, in relation to that: never NaN, for both are finite.
        let excess = |column: usize| {
            let price = linear.value[column] - linear.gain[column];
            linear.gain[column] / price.max(1e-12 * linear.value[column])
        };
        let mut order: Vec<(f64, u32)> =
            (0..self.items.len()).map(|column| (excess(column), column as u32)).collect();
        order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let broken: Vec<usize> = (0..self.items.len())
            .filter(|column| {
                let count = self.solution[*column];
                count - count.floor() > 1e-6 && count.ceil() - count > 1e-6
            })
            .collect();
        let mut best = Filled::default();
        for up in std::iter::once(None).chain(broken.into_iter().map(Some)) {
            let mut load = Load::new(sack);
            if let Some(column) = up {
                load.put(sack, self.items[column], self.solution[column].ceil() as i64);
            }
            for (_, column) in &order {
                let count = (self.solution[*column as usize] + 1e-6).floor() as i64;
                if count > 0 && up != Some(*column as usize) {
                    load.put(sack, self.items[*column as usize], count);
                }
            }
            for (_, column) in &order {
                load.put(sack, self.items[*column as usize], i64::MAX);
            }
            let filled = load.finish(values);
            if filled.value > best.value {
                best = filled;
            }
        }
        best
    }
}

/// What a node holds while it is being filled, in integers.
#[derive(Clone, Debug)]
struct Load {
    free: Vec<i64>,
    /// What each group may still count.
    open: Vec<i64>,
    /// By item.
    counts: Vec<i64>,
    held: Vec<u32>,
}

impl Load {
    fn new(sack: &Sack) -> Self {
        Self {
            free: sack.room.clone(),
            open: sack.groups.iter().map(|group| group.most).collect(),
            counts: vec![0; sack.len()],
            held: Vec::new(),
        }
    }

    /// Adds as many of an item as the rules allow, up to `count`.
    fn put(&mut self, sack: &Sack, item: usize, count: i64) -> i64 {
        let mut count = count.min(sack.most[item] - self.counts[item]);
        let request = sack.request(item);
        for resource in &sack.binding {
            let (free, asked) = (self.free[*resource], request[*resource]);
            if asked > free {
                return 0;
            }
            if asked > 0 && count > 1 {
                count = count.min(free / asked);
            }
        }
        for (group, each) in &sack.counted[item] {
            count = count.min(self.open[*group as usize] / each);
        }
        if count <= 0 {
            return 0;
        }
        if self.counts[item] == 0 {
            let barred = |other: &u32| self.counts[*other as usize] > 0;
            if sack.conflicts[item].iter().any(barred) {
                return 0;
            }
            self.held.push(item as u32);
        }
        for resource in &sack.binding {
            self.free[*resource] -= count * request[*resource];
        }
        for (group, each) in &sack.counted[item] {
            self.open[*group as usize] -= count * each;
        }
        self.counts[item] += count;
        count
    }

    fn finish(mut self, values: &[f64]) -> Filled {
        self.held.sort_unstable();
        let counts: Vec<(u32, u32)> = self
            .held
            .iter()
            .map(|item| (*item, u32::try_from(self.counts[*item as usize]).unwrap_or(u32::MAX)))
            .collect();
        let worth = |(item, count): &(u32, u32)| values[*item as usize] * f64::from(*count);
        let value = counts.iter().map(worth).sum();
        Filled { counts, value }
    }
}
