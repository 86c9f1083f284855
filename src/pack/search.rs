//! Filling one node by search, where few classes are left.
//!
//! *Problem.* As in [`super::fill`]; one step at a time can miss what fits exactly (4 + 3 + 3 into 10,
//! where largest first takes 4 + 4).
//!
//! *Idea.* Depth first over the classes, largest worth first, most pods first. A branch is cut when
//! what it holds and what the free room could be worth at best (for each resource, the best rate at
//! which any class pays for it) don't exceed the best filling known. The search ends after
//! [`STEPS`] nodes, with the best found.
//!
//! *Cost.* At most [`STEPS`] looks at a node.

use super::fill::{Filling, Node};
use crate::compile::{ClassId, IdTable, IdVec};

/// The most branches that one search follows.
const STEPS: u32 = 600;

/// What each class pays.
pub(super) struct Search<'s> {
    pub(super) worth: &'s IdVec<ClassId, i64>,
    pub(super) parts: &'s IdTable<ClassId, i64>,
}

impl Search<'_> {
    /// The best filling found of a node, from these classes, largest worth first.
    pub(super) fn fill(&self, node: Node<'_>, classes: &[ClassId]) -> Filling {
        let rates = self.rates(&node, classes);
        let mut best = node.clone();
        let mut steps = STEPS;
        self.branch(node, classes, &rates, &mut best, &mut steps);
        best.finish()
    }

    /// For each resource, the most that any class pays for 2^-20 of the unit.
    fn rates(&self, node: &Node<'_>, classes: &[ClassId]) -> Vec<i128> {
        let mut rates = vec![0_i128; node.free().len()];
        for class in classes {
            let parts = &self.parts[*class];
            let of_class = parts.iter().zip(node.request(*class));
            for (dim, (part, asked)) in of_class.enumerate().filter(|(_, (_, asked))| **asked > 0) {
                // What a class is worth beside its resources is counted with the first of them.
                let rate = (i128::from(*part) << 20) / i128::from(*asked) + 1;
                rates[dim] = rates[dim].max(rate);
            }
            let by_parts: i64 = parts.iter().fold(0, |sum: i64, part| sum.saturating_add(*part));
            let extra = self.worth[*class].saturating_sub(by_parts).max(0);
            let first = node.request(*class).iter().position(|asked| *asked > 0);
            if let Some((dim, asked)) = first.map(|dim| (dim, node.request(*class)[dim])) {
                let rate = (i128::from(self.parts[*class][dim].saturating_add(extra)) << 20)
                    / i128::from(asked)
                    + 1;
                rates[dim] = rates[dim].max(rate);
            }
        }
        rates
    }

    fn branch<'n>(
        &self,
        node: Node<'n>,
        classes: &[ClassId],
        rates: &[i128],
        best: &mut Node<'n>,
        steps: &mut u32,
    ) {
        if node.worth() > best.worth() {
            *best = node.clone();
        }
        let [class, others @ ..] = classes else { return };
        let rest = node.free().iter().zip(rates).fold(0_i128, |sum, (free, rate)| {
            sum.saturating_add(rate.saturating_mul(i128::from((*free).max(0))))
        });
        if node.worth().saturating_add(rest >> 20) <= best.worth() || *steps == 0 {
            return;
        }
        *steps -= 1;
        let most = node.takes(*class);
        for count in (1..=most).rev() {
            let mut with = node.clone();
            with.put(*class, count, self.worth[*class]);
            self.branch(with, others, rates, best, steps);
            if *steps == 0 {
                return;
            }
        }
        self.branch(node, others, rates, best, steps);
    }
}
