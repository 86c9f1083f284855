//! Which nodes may be deleted, and which pods moved, judged again by Karpenter's rules.
//!
//! Whatever the reason, a node must have started, be one of a pool that can launch something, and
//! not be going away already; but for expiry it must be neither promised to pods nor marked as one
//! not to disrupt. Consolidation also wants it settled, its pool's policy, no static pool, and, for
//! a node with pods, labels that say what it is. Its pods must let it go: none may be marked as one
//! not to disrupt, daemons and mirror pods among them, and each that would be evicted is meant by
//! one disruption budget at most, which allows an eviction. (How many it allows is judged wave by
//! wave.) A drifted or expired node of a pool with a grace period for terminating goes all the
//! same: its pods are ended then.
//!
//! A pod without an owner isn't created anew, so it stays unless the caller says otherwise.
//!
//! Sources: <https://karpenter.sh/docs/concepts/disruption/>; Karpenter v1.13, behaviour of
//! `NewCandidate`, `ValidatePodsDisruptable` and the methods' `ShouldDisrupt`.

use super::super::facts::{Facts, selects};
use super::super::{label, offering, taint};
use super::fault::Ineligible;
use super::script::is_reschedulable;
use crate::model::{
    ConsolidationPolicy, Delay, Effect, Node, NodePool, Pod, PodDisruptionBudget, Problem, Taint,
    well_known,
};
use crate::plan::consolidation::DisruptionReason;
use std::sync::Arc;

/// The taint of a node that is being drained.
pub(super) fn disruption_taint() -> Taint {
    Taint::new("karpenter.sh/disrupted", "", Effect::NoSchedule)
}

/// The pool of a node.
pub(super) fn pool_of<'p>(facts: &Facts<'p>, node: &Node) -> Option<&'p NodePool> {
    let labels = label::of_node(node).known;
    facts.pool(labels.get(well_known::NODE_POOL)?).map(|(_, pool)| pool)
}

/// Why a node with these pods can't be deleted for a reason.
///
/// Every cause is given, not the first alone.
pub(super) fn of_node(
    facts: &Facts<'_>,
    node: &Node,
    pods: &[(Arc<str>, &Pod)],
    reason: DisruptionReason,
    bare_pods_move: bool,
) -> Vec<Ineligible> {
    use DisruptionReason::{Drifted, Empty, Expired, Pending, Underutilized};
    let mut causes = Vec::new();
    let Some(pool) = pool_of(facts, node).filter(|pool| can_launch(facts.problem, pool)) else {
        return vec![Ineligible::Unmanaged];
    };
    let mut unless = |holds: bool, cause: Ineligible| {
        if !holds {
            causes.push(cause);
        }
    };
    unless(node.initialized, Ineligible::NotInitialized);
    unless(!node.deleting, Ineligible::Deleting);
    unless(reason == Expired || !node.nominated, Ineligible::Nominated);
    unless(reason == Expired || !node.do_not_disrupt, Ineligible::NodeDoNotDisrupt);
    let first = pods.iter().find(|(_, pod)| is_reschedulable(pod)).map(|(name, _)| name.clone());
    match reason {
        Empty | Underutilized => {
            unless(node.consolidatable, Ineligible::NotConsolidatable);
            let never = pool.disruption.consolidate_after == Delay::Never;
            unless(!never, Ineligible::ConsolidateNever);
            unless(pool.replicas.is_none(), Ineligible::StaticPool);
        }
        Drifted => unless(node.drifted, Ineligible::NotDrifted),
        Expired => unless(node.lifetime_remaining == 0, Ineligible::NotExpired),
        Pending => unless(false, Ineligible::ForPending),
    }
    match (reason, first) {
        (Empty, Some(pod)) => unless(false, Ineligible::NotEmpty { pod }),
        (Underutilized, first) => {
            unless(first.is_some(), Ineligible::IsEmpty);
            let policy = pool.disruption.consolidation_policy;
            unless(policy != ConsolidationPolicy::WhenEmpty, Ineligible::WhenEmpty);
            if let Some(key) = unknown_label(facts, node) {
                unless(false, Ineligible::LabelUnknown { key: key.into() });
            }
        }
        _ => {}
    }
    for (name, pod) in pods.iter().filter(|_| !are_ended(pool, reason)) {
        causes.extend(of_pod(facts.problem, name, pod, bare_pods_move));
    }
    causes
}

/// Whether the pods of a node that goes for a reason are ended if they don't go.
pub(super) fn are_ended(pool: &NodePool, reason: DisruptionReason) -> bool {
    matches!(reason, DisruptionReason::Drifted | DisruptionReason::Expired)
        && pool.termination_grace_period.is_some()
}

/// Why a pod can't be made to go.
pub(super) fn of_pod(
    problem: &Problem,
    name: &Arc<str>,
    pod: &Pod,
    bare_pods_move: bool,
) -> Vec<Ineligible> {
    let mut causes = Vec::new();
    if pod.do_not_disrupt {
        causes.push(Ineligible::PodDoNotDisrupt { pod: name.clone() });
    }
    if pod.owner_kind.is_none() && !bare_pods_move {
        causes.push(Ineligible::BarePod { pod: name.clone() });
    }
    let mut budgets = budgets_of(problem, pod);
    match (budgets.next(), budgets.next()) {
        (Some(_), Some(_)) => {
            causes.push(Ineligible::SeveralDisruptionBudgets { pod: name.clone() });
        }
        (Some(one), None) if one.disruptions_allowed == 0 => {
            let budget = budget_name(one);
            causes.push(Ineligible::DisruptionBudget { pod: name.clone(), budget });
        }
        _ => {}
    }
    causes
}

/// The disruption budgets that a pod's eviction counts against: none for pods that aren't evicted,
/// because they are mirror pods, may not be disrupted, or tolerate that their node is drained.
pub(super) fn budgets_of<'p>(
    problem: &'p Problem,
    pod: &Pod,
) -> impl Iterator<Item = &'p PodDisruptionBudget> {
    let is_evicted = pod.owner_kind.as_deref() != Some("Node")
        && !pod.do_not_disrupt
        && !taint::is_tolerated(pod, &disruption_taint());
    problem.pod_disruption_budgets.iter().filter(move |budget| {
        is_evicted
            && budget.namespace == pod.namespace
            && budget.selector.as_ref().is_some_and(|selector| {
                selects(selector, |key| pod.labels.get(key).map(|value| &**value))
            })
    })
}

/// "namespace/name" of a disruption budget.
pub(super) fn budget_name(budget: &PodDisruptionBudget) -> Arc<str> {
    format!("{}/{}", budget.namespace, budget.name).into()
}

/// Whether a pool has a type to launch.
fn can_launch(problem: &Problem, pool: &NodePool) -> bool {
    problem.instance_types.iter().any(|one| offering::lists(pool, &one.name))
}

/// A label that should say what a node is and says nothing known.
fn unknown_label(facts: &Facts<'_>, node: &Node) -> Option<&'static str> {
    let labels = label::of_node(node).known;
    let known_type = labels
        .get(well_known::INSTANCE_TYPE)
        .is_some_and(|name| facts.instance_type(name).is_some());
    if !known_type {
        return Some(well_known::INSTANCE_TYPE);
    }
    [well_known::CAPACITY_TYPE, well_known::ZONE].into_iter().find(|key| !labels.contains_key(key))
}
