//! Filling one node by search, where few items are left.
//!
//! *Problem.* As in [`super::fill`]; one step at a time can miss what fits exactly (4 + 3 + 3 into
//! 10, where largest first takes 4 + 4).
//!
//! *Idea.* Depth first over the items, largest worth first, most pods first. A branch is cut when
//! what it holds and what the free room could be worth at best (for each resource, the best rate at
//! which any item pays for it) don't exceed the best filling known. The search ends after
//! [`STEPS`] nodes, with the best found.
//!
//! *Cost.* At most [`STEPS`] looks at a node.
//!
//! *Why the bound is right.* Whatever else goes onto the node takes some of a resource, and pays
//! for a unit of it at most the best rate of any item; worth that no resource accounts for is
//! counted with the first resource that the item asks for. So free room times rates, summed over
//! resources, bounds what the rest of the branch can add.
//!
//! *Example.* 10 units free, items worth 4, 3 and 3 per pod of 4, 3 and 3 units: after 4 + 4 the
//! rest is 2 units, at most 2 more worth, and 4 + 3 + 3 = 10 is found when the first item is taken
//! once.

use super::fill::{FilledNode, Filling};
use super::packing::Context;
use crate::compile::{IdTable, IdVec, ItemId};

/// The most branches that one search follows.
const STEPS: u32 = 600;

/// What each item pays.
pub(super) struct FillSearch<'s> {
    pub(super) context: &'s Context<'s>,
    /// How many pods of each item are left.
    pub(super) left: &'s IdVec<ItemId, u32>,
    pub(super) worth: &'s IdVec<ItemId, i64>,
    pub(super) parts: &'s IdTable<ItemId, i64>,
}

impl FillSearch<'_> {
    /// The best filling found of a node, from these items, largest worth first.
    pub(super) fn fill(&self, node: FilledNode<'_>, items: &[ItemId]) -> Filling {
        let efficiencies = self.efficiencies(&node, items);
        let mut best = node.clone();
        let mut steps = STEPS;
        self.branch(node, items, &efficiencies, &mut best, &mut steps);
        best.finish(self.context)
    }

    /// For each resource, the most that any item pays for 2^-20 of the unit.
    fn efficiencies(&self, node: &FilledNode<'_>, items: &[ItemId]) -> Vec<i128> {
        let mut efficiencies = vec![0_i128; node.node.free().len()];
        for item in items {
            let parts = &self.parts[*item];
            let of_item = parts.iter().zip(&self.context.item(*item).request);
            for (dim, (part, asked)) in of_item.enumerate().filter(|(_, (_, asked))| **asked > 0) {
                // What an item is worth beside its resources is counted with the first of them.
                let efficiency = (i128::from(*part) << 20) / i128::from(*asked) + 1;
                efficiencies[dim] = efficiencies[dim].max(efficiency);
            }
            let by_parts: i64 = parts.iter().fold(0, |sum: i64, part| sum.saturating_add(*part));
            let extra = self.worth[*item].saturating_sub(by_parts).max(0);
            let request = &self.context.item(*item).request;
            let first = request.iter().position(|asked| *asked > 0);
            if let Some((dim, asked)) = first.map(|dim| (dim, request[dim])) {
                let efficiency = (i128::from(self.parts[*item][dim].saturating_add(extra)) << 20)
                    / i128::from(asked)
                    + 1;
                efficiencies[dim] = efficiencies[dim].max(efficiency);
            }
        }
        efficiencies
    }

    /// Each level decides how many pods of one item, from the most to none.
    fn branch<'n>(
        &self,
        node: FilledNode<'n>,
        items: &[ItemId],
        efficiencies: &[i128],
        best: &mut FilledNode<'n>,
        steps: &mut u32,
    ) {
        if node.worth > best.worth {
            *best = node.clone();
        }
        let [item, others @ ..] = items else { return };
        let rest =
            node.node.free().iter().zip(efficiencies).fold(0_i128, |sum, (free, efficiency)| {
                sum.saturating_add(efficiency.saturating_mul(i128::from((*free).max(0))))
            });
        if node.worth.saturating_add(rest >> 20) <= best.worth || *steps == 0 {
            return;
        }
        *steps -= 1;
        let most = node.node.takes(*item, self.left[*item]);
        for count in (1..=most).rev() {
            let mut with = node.clone();
            with.give(*item, count, self.worth[*item]);
            self.branch(with, others, efficiencies, best, steps);
            if *steps == 0 {
                return;
            }
        }
        self.branch(node, others, efficiencies, best, steps);
    }
}
