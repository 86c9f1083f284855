//! Which nodes may go, and for what: Karpenter's rules, with every reason that holds a node.
//!
//! Whatever for, a node must have started, be of a pool that could launch something, and not be
//! going already; it may neither be promised to pods nor be marked as one not to disrupt. Where
//! nothing but money speaks for it, it must also have settled, and its pool must allow that: by its
//! policy, by `consolidateAfter`, and by not being static. A drifted or expired node goes whatever
//! it costs; one of a static pool is replaced one for one, unless the pool has too many.
//!
//! The pods on it must let it go: none may be marked as one not to disrupt, daemons and mirror pods
//! among them, and each that would be evicted may be meant by one disruption budget at most, which
//! must allow an eviction. (How many it allows at a time is a matter of waves.) Pods of a drifted
//! or expired node of a pool with a `terminationGracePeriod` are ended in any case. A pod without
//! an owner isn't created anew, and holds its node unless the caller says otherwise.
//!
//! Sources: <https://karpenter.sh/docs/concepts/disruption/>; Karpenter v1.13, behaviour of
//! `NewCandidate`, `ValidatePodsDisruptable` and the methods' `ShouldDisrupt`.
//!
//! | asked of | rule |
//! |---|---|
//! | every node | started, managed, not going, not promised, not marked |
//! | nodes that go to save money | settled, policy of the pool, no static pool, known labels |
//! | outdated nodes | whatever it costs; of a static pool one for one |
//! | pods | not marked, owned (unless the caller says otherwise), at most one budget, which allows one |
//! | pools | a node budget for this reason that allows one more now |
//!
//! All that holds a node is listed, so that whoever lifts one thing sees the next.

use super::node_budget;
use super::price::{price_of, risk_of};
use crate::compile::{disruption_taint, is_tolerated, selects_pod};
use crate::explain::Blocker;
use crate::model::{
    ConsolidationOptions, ConsolidationPolicy, Delay, Node, NodePool, Pod, PodDisruptionBudget,
    Price, Problem, Taint, well_known,
};
use crate::plan::consolidation::DisruptionReason;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is known of a node before anything is decided.
#[derive(Clone, Debug)]
pub(super) struct NodeVerdict {
    /// What it costs per hour, in billionths, if that is known.
    pub(super) price: Option<i128>,
    /// What interruptions of it are expected to cost per hour.
    pub(super) risk: i128,
    /// Its pool, by its place.
    pub(super) pool: Option<usize>,
    /// What it would go for.
    pub(super) reason: DisruptionReason,
    /// What holds it; it may go if nothing does.
    pub(super) blockers: Vec<Blocker>,
    /// Whether pods that move may come to it.
    pub(super) receives: bool,
    /// The pods on it that would need another node, by their places.
    pub(super) movable: Vec<usize>,
    /// How many evictions each disruption budget, by its place, would have to allow.
    pub(super) evictions: Vec<(usize, u32)>,
}

impl NodeVerdict {
    /// Whether it may go.
    pub(super) fn may_go(&self) -> bool {
        self.blockers.is_empty()
    }

    /// Whether it is to go whatever that costs.
    pub(super) fn must_go(&self) -> bool {
        matches!(self.reason, DisruptionReason::Drifted | DisruptionReason::Expired)
            && self.may_go()
    }
}

/// Whether a pod is created anew elsewhere when its node goes.
pub(super) fn is_reschedulable(pod: &Pod) -> bool {
    !matches!(pod.owner_kind.as_deref(), Some("DaemonSet" | "Node"))
}

/// "namespace/name" of a pod; with replicas, of the first.
pub(super) fn name_of(pod: &Pod) -> Arc<str> {
    match pod.replicas {
        0 | 1 => format!("{}/{}", pod.namespace, pod.name).into(),
        _ => format!("{}/{}-0", pod.namespace, pod.name).into(),
    }
}

/// The pool of a node, by its place in the problem's list.
pub(super) fn pool_of(problem: &Problem, node: &Node) -> Option<usize> {
    let name = node.labels.get(well_known::NODE_POOL)?;
    problem.node_pools.binary_search_by(|pool| pool.name.cmp(name)).ok()
}

/// What is known of each node of a problem, in its order.
///
/// An interruption counts for so much.
pub(super) fn verdicts(
    problem: &Problem,
    options: &ConsolidationOptions,
    interruption: Price,
) -> Vec<NodeVerdict> {
    let mut on_node: Vec<Vec<usize>> = vec![Vec::new(); problem.nodes.len()];
    for (place, pod) in problem.pods.iter().enumerate() {
        let Some(name) = &pod.node_name else { continue };
        if let Ok(node) = problem.nodes.binary_search_by(|node| node.name.cmp(name)) {
            on_node[node].push(place);
        }
    }
    let pools: Vec<Option<usize>> =
        problem.nodes.iter().map(|node| pool_of(problem, node)).collect();
    let mut started: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    for (node, pool) in problem.nodes.iter().zip(&pools) {
        if let Some(pool) = pool.filter(|_| node.initialized) {
            let (all, going) = started.entry(pool).or_default();
            *all += 1;
            *going += u64::from(node.deleting);
        }
    }
    let mut judge = PodJudge::new(problem, options, interruption);
    let nodes = problem.nodes.iter().zip(&pools).zip(&on_node);
    nodes
        .map(|((node, pool), pods)| {
            let counts = pool.and_then(|pool| started.get(&pool).copied()).unwrap_or_default();
            verdict(&mut judge, node, *pool, pods, counts)
        })
        .collect()
}

/// A node that is drifted and expired is drifted; one whose pods all go with it is empty.
fn verdict(
    judge: &mut PodJudge<'_>,
    node: &Node,
    pool: Option<usize>,
    pods: &[usize],
    (started, going): (u64, u64),
) -> NodeVerdict {
    let problem = judge.problem;
    let movable: Vec<usize> =
        pods.iter().copied().filter(|place| is_reschedulable(&problem.pods[*place])).collect();
    let expired = node.lifetime_remaining == 0;
    let reason = match () {
        () if node.drifted => DisruptionReason::Drifted,
        () if expired => DisruptionReason::Expired,
        () if movable.is_empty() => DisruptionReason::Empty,
        () => DisruptionReason::Underutilized,
    };
    let by_name = pool.map(|at| &problem.node_pools[at]);
    let managed = by_name.filter(|pool| can_launch(problem, pool));
    let mut blockers = match managed {
        None => vec![Blocker::Unmanaged],
        Some(pool) => of_node(node, pool, reason),
    };
    if let Some(pool) = managed {
        if let (DisruptionReason::Underutilized, Some(key)) = (reason, unknown_label(problem, node))
        {
            blockers.push(Blocker::UnknownLabel { key: key.into() });
        }
        let allowed = node_budget::allowed(pool, reason, started, judge.options.now);
        if let Some(reason) = node_budget::budget_reason(reason).filter(|_| allowed <= going) {
            blockers.push(Blocker::NodeBudget { pool: pool.name.clone(), reason });
        }
    }
    let forced = matches!(reason, DisruptionReason::Drifted | DisruptionReason::Expired);
    let standing = started.saturating_sub(going);
    let is_over = |pool: &&NodePool| pool.replicas.is_some_and(|most| standing > u64::from(most));
    if let Some(pool) = managed.filter(is_over).filter(|_| forced) {
        // One of them goes for good, which isn't decided here.
        blockers.push(Blocker::StaticPool { pool: pool.name.clone() });
    }
    let ended = forced && managed.is_some_and(|pool| pool.termination_grace_period.is_some());
    let mut evictions: BTreeMap<usize, u32> = BTreeMap::new();
    for place in pods {
        let pod = &problem.pods[*place];
        let (held, budget) = judge.judge(pod);
        if !ended {
            blockers.extend(held);
        }
        // Pods that are ended in any case wait for no budget.
        if let Some(budget) = budget.filter(|_| !ended) {
            let count = evictions.entry(budget).or_default();
            *count = count.saturating_add(pod.replicas.max(1));
        }
    }
    NodeVerdict {
        price: price_of(problem, node),
        risk: risk_of(problem, node, judge.interruption),
        pool,
        reason,
        blockers,
        receives: !node.deleting
            && (node.initialized || by_name.is_none())
            && !node.nominated
            && !node.drifted
            && !expired,
        movable,
        evictions: evictions.into_iter().collect(),
    }
}

/// What holds a node of a pool, its pods and budgets aside.
fn of_node(node: &Node, pool: &NodePool, reason: DisruptionReason) -> Vec<Blocker> {
    let pool_name = || pool.name.clone();
    let forced = matches!(reason, DisruptionReason::Drifted | DisruptionReason::Expired);
    let when_empty = pool.disruption.consolidation_policy == ConsolidationPolicy::WhenEmpty;
    let all = [
        (node.deleting, Blocker::Deleting),
        (!node.initialized, Blocker::NotInitialized),
        (node.nominated, Blocker::Nominated),
        (node.do_not_disrupt, Blocker::DoNotDisrupt),
        // Outdated ones are replaced one for one.
        (!forced && pool.replicas.is_some(), Blocker::StaticPool { pool: pool_name() }),
        (!forced && !node.consolidatable, Blocker::NotConsolidatable),
        (
            !forced && pool.disruption.consolidate_after == Delay::Never,
            Blocker::ConsolidateNever { pool: pool_name() },
        ),
        (
            reason == DisruptionReason::Underutilized && when_empty,
            Blocker::WhenEmpty { pool: pool_name() },
        ),
    ];
    all.into_iter().filter(|(holds, _)| *holds).map(|(_, blocker)| blocker).collect()
}

/// Whether a pool has a type to launch.
fn can_launch(problem: &Problem, pool: &NodePool) -> bool {
    match &pool.instance_types {
        None => !problem.instance_types.is_empty(),
        Some(names) => !names.is_empty(),
    }
}

/// A label that should say what a node is and says nothing known.
fn unknown_label(problem: &Problem, node: &Node) -> Option<&'static str> {
    let known = node.labels.get(well_known::INSTANCE_TYPE).is_some_and(|name| {
        problem.instance_types.binary_search_by(|one| one.name.cmp(name)).is_ok()
    });
    if !known {
        return Some(well_known::INSTANCE_TYPE);
    }
    let keys = [well_known::CAPACITY_TYPE, well_known::ZONE];
    keys.into_iter().find(|key| node.labels.get(key).is_none())
}

/// What holds pods, and which disruption budget their eviction counts against.
struct PodJudge<'p> {
    problem: &'p Problem,
    options: &'p ConsolidationOptions,
    /// What an interruption counts for.
    interruption: Price,
    taint: Taint,
    /// The disruption budgets of each namespace, by their places.
    budgets: BTreeMap<&'p str, Vec<usize>>,
}

impl<'p> PodJudge<'p> {
    fn new(problem: &'p Problem, options: &'p ConsolidationOptions, interruption: Price) -> Self {
        let mut budgets: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, budget) in problem.pod_disruption_budgets.iter().enumerate() {
            budgets.entry(&budget.namespace).or_default().push(place);
        }
        Self { problem, options, interruption, taint: disruption_taint(), budgets }
    }

    /// Pods that aren't evicted (mirror pods, those that are marked, those that tolerate the taint
    /// of a drain) count against no budget.
    fn judge(&mut self, pod: &Pod) -> (Vec<Blocker>, Option<usize>) {
        let mut held = Vec::new();
        if pod.do_not_disrupt {
            held.push(Blocker::PodDoNotDisrupt { pod: name_of(pod) });
        }
        if pod.owner_kind.is_none() && !self.options.bare_pods_move {
            held.push(Blocker::BarePod { pod: name_of(pod) });
        }
        let is_evicted = pod.owner_kind.as_deref() != Some("Node")
            && !pod.do_not_disrupt
            && !is_tolerated(&self.taint, &pod.tolerations);
        if !is_evicted {
            return (held, None);
        }
        let all = &self.problem.pod_disruption_budgets;
        let own = self.budgets.get(&*pod.namespace).into_iter().flatten().copied();
        let mut own = own.filter(|place| means(&all[*place], pod));
        let budget = match (own.next(), own.next()) {
            (Some(_), Some(_)) => {
                held.push(Blocker::SeveralDisruptionBudgets { pod: name_of(pod) });
                None
            }
            (Some(one), None) => {
                let found = &all[one];
                if found.disruptions_allowed == 0 {
                    let budget = format!("{}/{}", found.namespace, found.name).into();
                    held.push(Blocker::PodDisruptionBudget { pod: name_of(pod), budget });
                }
                Some(one)
            }
            _ => None,
        };
        (held, budget)
    }
}

fn means(budget: &PodDisruptionBudget, pod: &Pod) -> bool {
    budget.selector.as_ref().is_some_and(|selector| selects_pod(selector, &pod.labels))
}
