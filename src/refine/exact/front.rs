//! What pods cost at least, where something is scarce: a choice of costs and uses.
//!
//! *Why fronts.* Two ways to have the same pods may differ in what they use of a limit, and which
//! is better depends on what the rest needs. A way that costs no less and uses no less of anything
//! than another can be forgotten, and few are left: with one limit the front is a staircase.
//!
//! *Cost.* Adding looks at the front once; combining two fronts is a step for each pair.

use super::super::cancel::Cancel;

/// Steps between two questions whether the caller wishes to stop.
const BETWEEN: u64 = 1 << 14;

/// One way to have some pods on nodes.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct ExactPoint {
    /// What it costs per hour, in billionths.
    pub(super) cost: i64,
    /// How much of each supply it uses.
    pub(super) uses: Vec<i64>,
}

/// Ways of which none is at least as good as another in everything, the cheapest first.
pub(super) type ExactFront = Vec<ExactPoint>;

/// What a way may cost and use to be of interest.
///
/// What can't beat the plan at hand, or uses more than there is, never enters a front.
pub(super) struct ExactBudget<'a> {
    /// It must cost less.
    pub(super) limit: i64,
    /// How much there is of each supply.
    pub(super) left: Vec<i64>,
    /// How many more steps may be made.
    pub(super) steps: u64,
    pub(super) cancel: &'a Cancel<'a>,
}

impl ExactBudget<'_> {
    /// Makes so many steps; `None` where that is too many, or the caller wishes to stop.
    pub(super) fn spend(&mut self, steps: u64) -> Option<()> {
        let before = self.steps / BETWEEN;
        self.steps = self.steps.checked_sub(steps)?;
        let asks = self.steps / BETWEEN < before;
        (!asks || !self.cancel.now()).then_some(())
    }

    /// Adds a way to a front if it is of interest.
    ///
    /// Of equal ways the first stays; the front is sorted by cost, then by uses.
    pub(super) fn add(&self, front: &mut ExactFront, cost: i64, uses: impl Fn(usize) -> i64) {
        let supplies = 0..self.left.len();
        if cost >= self.limit || supplies.clone().any(|at| uses(at) > self.left[at]) {
            return;
        }
        let worse = |one: &ExactPoint| {
            one.cost <= cost && supplies.clone().all(|at| one.uses[at] <= uses(at))
        };
        if front.iter().any(worse) {
            return;
        }
        front.retain(|one| one.cost < cost || supplies.clone().any(|at| one.uses[at] < uses(at)));
        let label = ExactPoint { cost, uses: supplies.clone().map(&uses).collect() };
        let at = front.partition_point(|one| *one < label);
        front.insert(at, label);
    }

    /// Adds to a front every way of one beside every way of another.
    pub(super) fn combine(
        &mut self,
        front: &mut ExactFront,
        one: &[ExactPoint],
        other: &[ExactPoint],
    ) -> Option<()> {
        for a in one {
            for b in other {
                self.spend(1)?;
                self.add(front, a.cost.saturating_add(b.cost), |at| {
                    a.uses[at].saturating_add(b.uses[at])
                });
            }
        }
        Some(())
    }
}
