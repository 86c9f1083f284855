//! What one wave may disrupt: as many nodes as budgets of pools allow, and as many pods as their
//! disruption budgets do.
//!
//! Nodes of one pool may go for different reasons side by side; each reason's budget counts those
//! that go for a reason of which no more are allowed. What a disruption budget allows is spent once
//! per wave over all nodes; one node alone may take more, in several rounds.
//!
//! *Example.* A pool of ten nodes allows two disruptions for any reason, and one for underutilised
//! nodes. In one wave an empty node and an underutilised one may go; a second underutilised one may
//! not, though two of two in all would be kept: the stricter budget counts those that go for the
//! reason that it names and those for stricter ones.

use super::eligibility::NodeVerdict;
use super::node_budget;
use crate::model::{ConsolidationOptions, Problem};
use crate::plan::consolidation::DisruptionReason;
use std::collections::BTreeMap;

/// How many nodes of each pool have started, and how many of them were going already.
#[derive(Clone, Debug)]
pub(super) struct WaveBudgets<'p> {
    problem: &'p Problem,
    options: &'p ConsolidationOptions,
    started: Vec<(u64, u64)>,
}

/// What a wave has used up so far.
///
/// A copy is a trial: what a step would use is noted in a copy that is thrown away if the step
/// fails.
#[derive(Clone, Debug, Default)]
pub(super) struct Spent {
    /// By pool and reason, how many nodes go.
    nodes: BTreeMap<usize, BTreeMap<DisruptionReason, u64>>,
    /// By disruption budget, how many pods are evicted.
    evictions: BTreeMap<usize, u32>,
    pub(super) launches: u32,
}

impl<'p> WaveBudgets<'p> {
    pub(super) fn new(
        problem: &'p Problem,
        options: &'p ConsolidationOptions,
        verdicts: &[NodeVerdict],
    ) -> Self {
        let mut started = vec![(0, 0); problem.node_pools.len()];
        for (node, verdict) in problem.nodes.iter().zip(verdicts) {
            if let Some(pool) = verdict.pool.filter(|_| node.initialized) {
                started[pool].0 += 1;
                started[pool].1 += u64::from(node.deleting);
            }
        }
        Self { problem, options, started }
    }

    /// A node of a pool is gone.
    pub(super) fn lose(&mut self, pool: usize) {
        self.started[pool].0 = self.started[pool].0.saturating_sub(1);
    }

    /// A launched node of a pool has started.
    pub(super) fn gain(&mut self, pool: usize) {
        self.started[pool].0 = self.started[pool].0.saturating_add(1);
    }

    /// Whether a wave that has used up so much may have a node go as well.
    ///
    /// Reasons are looked at from the strictest to the most generous, and each must leave room for
    /// all up to it.
    pub(super) fn allow(&self, spent: &Spent, verdict: &NodeVerdict) -> bool {
        let free = |(budget, count): &(usize, u32)| {
            let so_far = spent.evictions.get(budget).copied().unwrap_or(0);
            let allowed = self.problem.pod_disruption_budgets[*budget].disruptions_allowed;
            // More than it allows of one node alone take several rounds.
            so_far == 0 || so_far.saturating_add(*count) <= allowed
        };
        if !verdict.evictions.iter().all(free) {
            return false;
        }
        let Some(pool) = verdict.pool else { return true };
        let (started, going) = self.started[pool];
        let of_pool = &self.problem.node_pools[pool];
        let allowed = |reason| node_budget::allowed(of_pool, reason, started, self.options.now);
        let so_far = spent.nodes.get(&pool);
        let others = so_far.into_iter().flatten().filter(|(reason, _)| **reason != verdict.reason);
        let own = so_far.and_then(|reasons| reasons.get(&verdict.reason)).copied().unwrap_or(0);
        let mut reasons: Vec<(u64, u64)> =
            others.map(|(reason, count)| (allowed(*reason), *count)).collect();
        reasons.push((allowed(verdict.reason), own.saturating_add(1)));
        reasons.sort_unstable();
        let mut disrupted = going;
        reasons.into_iter().all(|(allowed, count)| {
            disrupted = disrupted.saturating_add(count);
            disrupted <= allowed || allowed == u64::MAX
        })
    }

    /// Whether some nodes may go in one wave.
    pub(super) fn allow_all<'v>(&self, verdicts: impl Iterator<Item = &'v NodeVerdict>) -> bool {
        let mut spent = Spent::default();
        for verdict in verdicts {
            if !self.allow(&spent, verdict) {
                return false;
            }
            spent.note(verdict);
        }
        true
    }
}

impl Spent {
    /// A node goes.
    pub(super) fn note(&mut self, verdict: &NodeVerdict) {
        if let Some(pool) = verdict.pool {
            *self.nodes.entry(pool).or_default().entry(verdict.reason).or_default() += 1;
        }
        for (budget, count) in &verdict.evictions {
            let evicted = self.evictions.entry(*budget).or_default();
            *evicted = evicted.saturating_add(*count);
        }
    }
}
