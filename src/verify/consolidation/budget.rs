//! Budgets of node pools, counted again: how many nodes of a pool may be disrupted at a time.
//!
//! A budget that applies to a reason and is in force allows a number of nodes, or a share of the
//! pool's nodes that have started, rounded up; the lowest counts. What a budget says that can't be
//! read allows nothing, whatever the reason. Nodes that are going away already use budgets up,
//! whatever they go away for. Expiry waits for no budget.
//!
//! The deletions of a wave come one after another in some order, each with a reason of its own. An
//! order that keeps every budget exists if and only if that keeps them in which reasons that allow
//! less come first.
//!
//! Where no instant is given, a budget with a schedule counts as in force: nobody can say it isn't.
//!
//! Source: <https://karpenter.sh/docs/concepts/disruption/#nodepool-disruption-budgets>.

use super::schedule::Schedule;
use crate::model::{Budget, BudgetNodes, BudgetReason, NodePool};
use crate::plan::consolidation::DisruptionReason;
use std::collections::BTreeMap;

/// The nodes of a pool when a wave begins.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PoolNodes {
    /// Those that have started.
    pub(super) total: u64,
    /// Those of them that are going away already.
    pub(super) going: u64,
}

/// A reason for which a wave deletes more nodes than a pool's budgets allow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Excess {
    pub(super) reason: DisruptionReason,
    /// How many nodes go, those of reasons that allow less and those already going among them.
    pub(super) disrupted: u64,
    pub(super) allowed: u64,
}

/// The first reason for which a pool's budgets don't allow what a wave deletes, if any.
pub(super) fn excess(
    pool: &NodePool,
    nodes: PoolNodes,
    deleted: &BTreeMap<DisruptionReason, u64>,
    now: Option<i64>,
) -> Option<Excess> {
    let mut reasons: Vec<(u64, DisruptionReason, u64)> = deleted
        .iter()
        .filter_map(|(reason, count)| {
            Some((allowed(pool, *reason, nodes.total, now)?, *reason, *count))
        })
        .collect();
    reasons.sort_unstable();
    let mut disrupted = nodes.going;
    reasons.into_iter().find_map(|(allowed, reason, count)| {
        disrupted = disrupted.saturating_add(count);
        (count > 0 && disrupted > allowed).then_some(Excess { reason, disrupted, allowed })
    })
}

/// Whether a pool's budgets allow no node to be disrupted for a reason, whatever else happens.
pub(super) fn allow_none(pool: &NodePool, reason: DisruptionReason, now: Option<i64>) -> bool {
    // A share of any number of nodes is rounded up.
    allowed(pool, reason, u64::MAX, now) == Some(0)
}

/// How many nodes may be disrupted for a reason; nothing where there is no limit.
fn allowed(pool: &NodePool, reason: DisruptionReason, total: u64, now: Option<i64>) -> Option<u64> {
    let name = match reason {
        DisruptionReason::Empty => BudgetReason::Empty,
        DisruptionReason::Underutilized => BudgetReason::Underutilized,
        DisruptionReason::Drifted => BudgetReason::Drifted,
        // For pods that wait no node is deleted, which is judged elsewhere.
        DisruptionReason::Expired | DisruptionReason::Pending => return None,
    };
    let mut least: Option<u64> = None;
    for budget in &pool.disruption.budgets {
        let Some(value) = value(budget, total, now) else { return Some(0) };
        if budget.reasons.is_empty() || budget.reasons.contains(&name) {
            least = least.into_iter().chain(value.limit()).min();
        }
    }
    least
}

/// What one budget allows.
enum BudgetValue {
    /// It isn't in force.
    Unlimited,
    AtMost(u64),
}

impl BudgetValue {
    fn limit(self) -> Option<u64> {
        match self {
            Self::Unlimited => None,
            Self::AtMost(most) => Some(most),
        }
    }
}

/// What a budget allows of so many nodes; nothing if it can't be read.
fn value(budget: &Budget, total: u64, now: Option<i64>) -> Option<BudgetValue> {
    let most = match budget.nodes {
        BudgetNodes::Percent(share) => {
            let parts = u128::from(share).checked_mul(total.into())?.div_ceil(100);
            u64::try_from(parts).unwrap_or(u64::MAX)
        }
        BudgetNodes::Count(nodes) => nodes.into(),
    };
    let is_active = match &budget.window {
        None => true,
        Some(window) => {
            let duration = i64::try_from(window.duration.seconds()).ok()?;
            let schedule = Schedule::read(&window.schedule)?;
            now.is_none_or(|now| schedule.is_active(duration, now))
        }
    };
    Some(if is_active { BudgetValue::AtMost(most) } else { BudgetValue::Unlimited })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::DisruptionReason::{Drifted, Empty, Expired, Underutilized};
    use super::*;
    use crate::model::TimeSpan;

    fn budget(nodes: &str, reasons: &[BudgetReason]) -> Budget {
        Budget::new(nodes.parse().unwrap()).with_reasons(reasons.iter().copied())
    }

    fn pool(budgets: impl IntoIterator<Item = Budget>) -> NodePool {
        let mut pool = NodePool::new("default");
        pool.disruption.budgets = budgets.into_iter().collect();
        pool
    }

    /// Source: Karpenter's own examples of budgets.
    #[test]
    fn shares_round_up_and_the_lowest_budget_counts() {
        let share = pool([budget("5%", &[])]);
        assert_eq!(allowed(&share, Empty, 10, None), Some(1));
        let share = pool([budget("10%", &[])]);
        assert_eq!(allowed(&share, Drifted, 11, None), Some(2));
        let both = pool([budget("10%", &[]), budget("3", &[BudgetReason::Drifted])]);
        assert_eq!(allowed(&both, Drifted, 100, None), Some(3));
        assert_eq!(allowed(&both, Empty, 100, None), Some(10));
        let split = pool([
            budget("100%", &[BudgetReason::Empty]),
            budget("0", &[BudgetReason::Underutilized, BudgetReason::Drifted]),
        ]);
        assert_eq!(allowed(&split, Empty, 50, None), Some(50));
        assert_eq!(allowed(&split, Underutilized, 50, None), Some(0));
        assert_eq!(allowed(&pool([]), Empty, 50, None), None);
        assert_eq!(allowed(&both, Expired, 100, None), None);
        let unread = budget("9", &[]).with_schedule("x * * * *", TimeSpan::from_hours(1));
        assert_eq!(allowed(&pool([unread]), Empty, 8, None), Some(0));
    }

    #[test]
    fn a_schedule_is_in_force_in_its_windows_and_where_nobody_knows() {
        let closed = budget("0", &[]).with_schedule("0 9 * * mon-fri", TimeSpan::from_hours(8));
        let pool = pool([closed, budget("10", &[])]);
        let wednesday = 20_467 * 86_400;
        assert_eq!(allowed(&pool, Empty, 20, Some(wednesday + 10 * 3600)), Some(0));
        assert_eq!(allowed(&pool, Empty, 20, Some(wednesday + 17 * 3600)), Some(10));
        assert_eq!(allowed(&pool, Empty, 20, None), Some(0));
    }

    #[test]
    fn reasons_share_what_is_going_already() {
        let pool = pool([budget("6", &[]), budget("2", &[BudgetReason::Drifted])]);
        let nodes = |going| PoolNodes { total: 20, going };
        let deleted = |pairs: &[(DisruptionReason, u64)]| pairs.iter().copied().collect();
        let both = deleted(&[(Empty, 4), (Drifted, 2)]);
        assert_eq!(excess(&pool, nodes(0), &both, None), None);
        let found = excess(&pool, nodes(1), &both, None);
        assert_eq!(found, Some(Excess { reason: Drifted, disrupted: 3, allowed: 2 }));
        let found = excess(&pool, nodes(0), &deleted(&[(Empty, 5), (Drifted, 2)]), None);
        assert_eq!(found, Some(Excess { reason: Empty, disrupted: 7, allowed: 6 }));
        let expired = deleted(&[(Expired, 9), (Drifted, 2)]);
        assert_eq!(excess(&pool, nodes(0), &expired, None), None);
    }
}
