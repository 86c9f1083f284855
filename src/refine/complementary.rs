//! More than one pattern of a bin at the same prices.
//!
//! *Problem.* Where few bins are for sale, a round of column generation that adds the best filling
//! of each adds few patterns, and the prices settle in hundreds of rounds.
//!
//! *Idea.* The pods of the filling that was found are taken away, and the bin is filled again with
//! the rest, as long as what comes out is worth more than the bin. Such patterns have no pods in
//! common, so they go into one plan together.
//!
//! *Cost.* A filling, or a search, for each pattern.
//!
//! References: Lübbecke and Desrosiers 2005, section 5, on complementary columns.

use super::cancel::StepLimit;
use super::instance::{Instance, Pattern};

/// How patterns are looked for.
#[derive(Clone, Copy)]
pub(super) struct ComplementarySearch<'a> {
    /// The most patterns.
    pub(super) patterns: usize,
    /// For each demand, what a pod is worth.
    pub(super) values: &'a [f64],
    /// What a pattern must be worth more than.
    pub(super) net: f64,
    /// To search exactly for, with at most so many steps each.
    pub(super) step_limit: Option<StepLimit<'a>>,
}

impl ComplementarySearch<'_> {
    /// Adds patterns of a bin with what those that are there already leave of these pods.
    pub(super) fn complement(
        &self,
        instance: &Instance<'_>,
        left: &[u32],
        found: &mut Vec<Pattern>,
    ) {
        let Some(number) = found.first().map(|first| first.bin as usize) else { return };
        let bin = &instance.bins[number];
        let mut most: Vec<i64> =
            bin.items.iter().map(|demand| i64::from(left[*demand as usize])).collect();
        let mut taken = 0;
        while found.len() < self.patterns {
            for (demand, count) in found[taken..].iter().flat_map(|pattern| &pattern.items) {
                if let Ok(item) = bin.items.binary_search(demand) {
                    most[item] = (most[item] - i64::from(*count)).max(0);
                }
            }
            taken = found.len();
            let knapsack = bin.knapsack.within(&most);
            let worth = bin.worth(self.values);
            let (counts, value) = match self.step_limit {
                None => {
                    let filled = knapsack.fill(&worth, None);
                    (filled.counts, filled.value)
                }
                Some(step_limit) => {
                    let priced = knapsack.best(&worth, self.net, step_limit);
                    (priced.counts, priced.value)
                }
            };
            if value <= self.net * (1.0 + 1e-9) {
                break;
            }
            found.push(bin.pattern(number, &counts));
        }
    }
}
