//! Budgets of node pools: how many nodes may be disrupted side by side.
//!
//! Of the budgets that are in force and apply to a reason the lowest counts; a share is one of the
//! pool's nodes that have started, rounded up. What can't be read allows nothing. Nodes that are
//! going away already use budgets up, whatever they go for; expiry waits for none.
//!
//! Source: <https://karpenter.sh/docs/concepts/disruption/#nodepool-disruption-budgets>.

use super::schedule::CronSchedule;
use crate::model::{Budget, BudgetNodes, BudgetReason, BudgetWindow, NodePool};
use crate::plan::consolidation::DisruptionReason;

/// What a budget calls a reason; `None` for one that waits for no budget, or that ends no node.
pub(super) fn budget_reason(reason: DisruptionReason) -> Option<BudgetReason> {
    match reason {
        DisruptionReason::Empty => Some(BudgetReason::Empty),
        DisruptionReason::Underutilized => Some(BudgetReason::Underutilized),
        DisruptionReason::Drifted => Some(BudgetReason::Drifted),
        DisruptionReason::Expired | DisruptionReason::Pending => None,
    }
}

/// How many nodes of a pool, of which so many have started, may be disrupted for a reason.
pub(super) fn allowed(
    pool: &NodePool,
    reason: DisruptionReason,
    started: u64,
    now: Option<i64>,
) -> u64 {
    let Some(reason) = budget_reason(reason) else { return u64::MAX };
    let mut most = u64::MAX;
    for budget in &pool.disruption.budgets {
        let Some(limit) = limit(budget, started, now) else { return 0 };
        if budget.reasons.is_empty() || budget.reasons.contains(&reason) {
            most = most.min(limit);
        }
    }
    most
}

/// What a budget allows, whatever the reason; `None` where it can't be read.
fn limit(budget: &Budget, started: u64, now: Option<i64>) -> Option<u64> {
    if let Some(BudgetWindow { schedule, duration }) = &budget.window {
        let schedule = CronSchedule::read(schedule)?;
        let duration = i64::try_from(duration.seconds()).unwrap_or(i64::MAX);
        // Without an instant nobody can say that it isn't in force.
        if now.is_some_and(|now| !schedule.has_hit(now, duration)) {
            return Some(u64::MAX);
        }
    }
    Some(match budget.nodes {
        BudgetNodes::Percent(share) => started.saturating_mul(share.into()).div_ceil(100),
        BudgetNodes::Count(nodes) => nodes.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::allowed;
    use crate::model::BudgetReason as Reason;
    use crate::model::{Budget, Disruption, NodePool, TimeSpan};
    use crate::plan::consolidation::DisruptionReason::{Drifted, Empty, Expired, Underutilized};

    fn pool(budgets: impl IntoIterator<Item = Budget>) -> NodePool {
        let budgets = budgets.into_iter().collect();
        let disruption = Disruption { budgets, ..Disruption::default() };
        NodePool::new("default").with_disruption(disruption)
    }

    #[test]
    fn shares_round_up_and_the_lowest_counts() {
        assert_eq!(allowed(&pool([Budget::of_share(5)]), Empty, 10, None), 1);
        assert_eq!(allowed(&pool([Budget::of_share(10)]), Empty, 11, None), 2);
        assert_eq!(allowed(&pool([]), Empty, 11, None), u64::MAX);
        let unread = Budget::of_nodes(9).with_schedule("x * * * *", TimeSpan::from_hours(1));
        assert_eq!(allowed(&pool([unread]), Empty, 8, None), 0);
        let both =
            pool([Budget::of_share(10), Budget::of_nodes(3).with_reasons([Reason::Drifted])]);
        assert_eq!(allowed(&both, Drifted, 100, None), 3);
        assert_eq!(allowed(&both, Empty, 100, None), 10);
        assert_eq!(allowed(&both, Expired, 100, None), u64::MAX);
        let empty = pool([
            Budget::of_share(100).with_reasons([Reason::Empty]),
            Budget::of_nodes(0).with_reasons([Reason::Underutilized, Reason::Drifted]),
        ]);
        assert_eq!(allowed(&empty, Empty, 50, None), 50);
        assert_eq!(allowed(&empty, Underutilized, 50, None), 0);
    }

    #[test]
    fn a_schedule_is_in_force_in_its_windows() {
        let office = Budget::of_nodes(0).with_schedule("0 9 * * mon-fri", TimeSpan::from_hours(8));
        let pool = pool([office, Budget::of_nodes(10)]);
        let wednesday = 20_684 * 86_400;
        assert_eq!(allowed(&pool, Empty, 20, Some(wednesday + 10 * 3_600)), 0);
        assert_eq!(allowed(&pool, Empty, 20, Some(wednesday + 17 * 3_600)), 10);
        assert_eq!(allowed(&pool, Empty, 20, None), 0);
    }
}
