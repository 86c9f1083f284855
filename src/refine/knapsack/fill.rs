//! A good filling of a node, quickly.
//!
//! *Problem.* The solution of the linear relaxation isn't whole: a few counts, at most one for each row, are
//! broken.
//!
//! *Idea.* Round it down, which fits, and top it up with what is worth most in relation to its price,
//! where prices are those of the relaxation; and do the same once for each broken count with that one
//! rounded up instead, since what is lost by rounding is mostly lost on these. The best is kept.
//!
//! *Cost.* Items × rows for each try, and one sort.
//!
//! References: Pirkul 1987, "A heuristic solution procedure for the multiconstraint zero-one knapsack
//! problem".

use super::{Filled, Root, Sack};

impl Root {
    /// The solution rounded down, or with one broken count rounded up, topped up by what is worth
    /// most for the prices of what it takes.
    pub(super) fn fill(&mut self, sack: &Sack, values: &[f64]) -> Filled {
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
pub(super) struct Load {
    free: Vec<i64>,
    /// What each group may still count.
    open: Vec<i64>,
    /// By item.
    counts: Vec<i64>,
    held: Vec<u32>,
}

impl Load {
    pub(super) fn new(sack: &Sack) -> Self {
        Self {
            free: sack.room.clone(),
            open: sack.groups.iter().map(|group| group.most).collect(),
            counts: vec![0; sack.len()],
            held: Vec::new(),
        }
    }

    /// Adds as many of an item as the rules allow, up to `count`.
    pub(super) fn put(&mut self, sack: &Sack, item: usize, count: i64) -> i64 {
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
