//! The best filling where one resource alone binds, read off a table.
//!
//! *Problem.* In one dimension the search can take long where many items are alike, and the numbers
//! are often small once their common divisor is taken out.
//!
//! *Idea.* For each amount of the resource the most that the items so far can be worth in it; an
//! item of which there are many is cut into lots of 1, 2, 4, … and a rest, so that each count is a
//! sum of lots. A bit for each lot and amount says whether the lot was taken, which is enough to
//! walk back.
//!
//! *Cost.* Lots × amounts additions and as many bits.
//!
//! References: Bellman 1957; Martello and Toth 1990, "Knapsack Problems", section 3.

use super::super::tuning::table::{LARGE, SMALL};
use super::{Knapsack, KnapsackFilling, PricingResult, RootRelaxation};
use crate::bound::certificate::divisor;

/// The lots of a problem that can be solved by a table.
#[derive(Debug)]
pub(super) struct KnapsackTable {
    amounts: usize,
    /// Column of the relaxation, how many, and what they ask for.
    lots: Vec<(usize, i64, usize)>,
    cells: usize,
}

impl KnapsackTable {
    /// `None` where more than one resource, or a rule between items, can bind.
    pub(super) fn new(knapsack: &Knapsack, root: &RootRelaxation) -> Option<Self> {
        let [resource] = knapsack.binding[..] else { return None };
        let free = |item: &usize| {
            knapsack.counted[*item].is_empty() && knapsack.conflicts[*item].is_empty()
        };
        if !root.items.iter().all(free) {
            return None;
        }
        let request = |item: usize| knapsack.request(item)[resource];
        let unit = root.items.iter().fold(0, |unit, item| divisor(unit, request(*item)));
        // Where nothing asks for any, none is all there is to try.
        let amounts =
            usize::try_from(knapsack.room[resource].checked_div(unit).unwrap_or(0)).ok()?;
        let unit = unit.max(1);
        let mut lots = Vec::new();
        for (column, item) in root.items.iter().enumerate() {
            let asked = usize::try_from(request(*item) / unit).ok()?;
            let mut left = knapsack.most[*item];
            let mut lot = 1;
            while left > 0 && asked > 0 {
                let count = left.min(lot);
                lots.push((column, count, asked * usize::try_from(count).ok()?));
                left -= count;
                lot *= 2;
            }
        }
        let cells = lots.len().checked_mul(amounts.checked_add(1)?)?;
        Some(Self { amounts, lots, cells })
    }

    pub(super) fn is_small(&self) -> bool {
        self.cells <= SMALL
    }

    pub(super) fn is_large(&self) -> bool {
        self.cells > LARGE
    }

    pub(super) fn best(
        &self,
        knapsack: &Knapsack,
        root: &RootRelaxation,
        values: &[f64],
    ) -> PricingResult {
        let mut worth = vec![0.0; self.amounts + 1];
        let words = self.amounts / 64 + 1;
        let mut taken = vec![0_u64; words * self.lots.len()];
        for ((column, count, asked), bits) in self.lots.iter().zip(taken.chunks_exact_mut(words)) {
            let value = root.linear.value[*column] * *count as f64;
            for amount in (*asked..=self.amounts).rev() {
                let with = worth[amount - asked] + value;
                if with > worth[amount] {
                    worth[amount] = with;
                    bits[amount / 64] |= 1 << (amount % 64);
                }
            }
        }
        let mut counts = vec![0; root.items.len()];
        let mut amount = self.amounts;
        for ((column, count, asked), bits) in self.lots.iter().zip(taken.chunks_exact(words)).rev()
        {
            if bits[amount / 64] >> (amount % 64) & 1 == 1 {
                counts[*column] += count;
                amount -= asked;
            }
        }
        let mut filled = KnapsackFilling::default();
        let resource = knapsack.binding.first().copied().unwrap_or(0);
        for (item, count) in root.items.iter().zip(counts) {
            let free = knapsack.request(*item)[resource] == 0;
            let count = if free { knapsack.most[*item] } else { count };
            if count > 0 {
                filled.counts.push((*item as u32, u32::try_from(count).unwrap_or(u32::MAX)));
                filled.value += values[*item] * count as f64;
            }
        }
        // The sums of the table were made in another order.
        let upper_bound = filled.value * (1.0 + 1e-12);
        PricingResult { counts: filled.counts, value: filled.value, upper_bound, exact: true }
    }
}
