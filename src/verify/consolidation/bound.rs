//! Lower bounds of a consolidation: what every outcome costs at least.
//!
//! Nodes that no action may ever delete are there in the end, and cost what they cost. What the
//! rest costs at least a certificate proves ([`super::super::certificate`]); where it charges
//! moves, of outcomes with at most as many moves as the plan makes.
//!
//! Of the bounds of a plan without certificates, such as one that was read from a document, nothing
//! is said.
//!
//! Certificates speak of outcomes in which pods leave nodes that are deleted, and those alone. Of a
//! plan that moves others no bound is believed but what must stay.
//!
//! *Which nodes count as candidates.* Those that some action could delete, for any reason and at
//! any moment, budgets that change aside: a bound must hold of every outcome that is legal, not
//! only of those that are legal today. The others' prices are added as they are.

use super::super::certificate::{Candidate, CandidateCluster, check_cluster};
use super::super::facts::{EntryPods, Facts, pod_name};
use super::super::label;
use super::super::violation::Violation;
use super::budget::allow_none;
use super::eligibility::{of_node, pool_of};
use super::fault::ConsolidationFault as Fault;
use super::replay::recreate;
use super::script::{Script, fault, is_reschedulable};
use super::worth::price_of;
use crate::model::{ConsolidationOptions, Node, Pod, Price, Problem, well_known};
use crate::plan::ConsolidationPlan;
use crate::plan::certificate::{Certificate, POINT};
use crate::plan::consolidation::DisruptionReason;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is proved to be the least.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProvedBounds {
    /// Of all outcomes.
    pub(super) of_all: Price,
    /// Of those with at most as many moves as the plan makes.
    pub(super) for_moves: Price,
}

/// Reports bounds that a plan states and that aren't proved, and says which are.
pub(super) fn check(
    facts: &Facts<'_>,
    plan: &ConsolidationPlan,
    script: &Script<'_>,
    options: &ConsolidationOptions,
    moved: u64,
    out: &mut Vec<Violation>,
) -> ProvedBounds {
    let candidates = candidates(facts, options);
    let closed = facts.problem.nodes.iter().enumerate();
    let closed = closed.filter(|(_, node)| !receives(facts, node)).map(|(at, _)| at).collect();
    let nodes = facts.problem.nodes.iter().enumerate();
    let staying = nodes.filter(|(at, _)| !candidates.contains_key(at));
    let fixed = staying.filter_map(|(_, node)| price_of(facts, node));
    let fixed = fixed.fold(0, i128::saturating_add);
    let (mut of_all, mut for_moves) = (fixed, fixed);
    let certificates = [&plan.certificate, &plan.certificate_for_moves];
    let is_certified = certificates.iter().any(|one| one.is_some());
    if is_certified && leave_deleted(facts, script) {
        let problem = loosened(facts.problem, &candidates);
        let loosened = Facts::new(&problem);
        let cluster = CandidateCluster { facts: &loosened, candidates, closed };
        if let Some(certificate) = &plan.certificate {
            if certificate.move_price != 0 {
                let part = "movePrice".into();
                out.push(Violation::CertificateMalformed { part });
            }
            let proved = check_cluster(&cluster, certificate, out);
            of_all = of_all.max(fixed.saturating_add(proved.unwrap_or(0)));
        }
        for_moves = of_all;
        if let Some(certificate) = &plan.certificate_for_moves {
            let proved = check_cluster(&cluster, certificate, out);
            let proved = proved.and_then(|proved| less_moves(proved, certificate, moved));
            for_moves = for_moves.max(fixed.saturating_add(proved.unwrap_or(0)));
        }
    }
    let proved =
        ProvedBounds { of_all: Price::from_nanos(of_all), for_moves: Price::from_nanos(for_moves) };
    for (path, stated, proved) in [
        ("cost.lowerBound", plan.cost.lower_bound, proved.of_all),
        ("cost.lowerBoundForMoves", plan.cost.lower_bound_for_moves, proved.for_moves),
    ] {
        if is_certified && stated > proved {
            out.push(fault(path, Fault::BoundUnproved { stated, proved }));
        }
    }
    proved
}

/// What is left of a bound when so many moves are paid.
///
/// Rounded up, against the bound.
fn less_moves(bound: i128, certificate: &Certificate, moves: u64) -> Option<i128> {
    let paid = certificate.move_price.checked_mul(moves.into())?;
    let rest = i128::from(paid & ((1 << POINT) - 1) != 0);
    bound.checked_sub((paid >> POINT).checked_add(rest)?)
}

/// Whether all pods that move are of nodes that the plan deletes, or that are going already.
fn leave_deleted(facts: &Facts<'_>, script: &Script<'_>) -> bool {
    let moves = script.actions.iter().flat_map(|action| &action.moves);
    let mut homes = moves.filter_map(|one| facts.problem.pods.get(one.key.0)?.node_name.as_ref());
    homes.all(|name| {
        let going = facts.node(name).is_none_or(|(_, node)| node.deleting);
        going || script.deleted.contains(&**name)
    })
}

/// The nodes that some action could delete, by position.
fn candidates<'p>(
    facts: &Facts<'p>,
    options: &ConsolidationOptions,
) -> BTreeMap<usize, Candidate<'p>> {
    let mut pods_on: BTreeMap<usize, Vec<(usize, &'p Pod)>> = BTreeMap::new();
    for (entry, pod) in facts.problem.pods.iter().enumerate() {
        let node = pod.node_name.as_ref().and_then(|name| facts.node(name));
        if let Some((at, _)) = node {
            pods_on.entry(at).or_default().push((entry, pod));
        }
    }
    let mut candidates = BTreeMap::new();
    for (at, node) in facts.problem.nodes.iter().enumerate() {
        let pods = pods_on.get(&at).map_or(&[][..], |pods| pods);
        if !could_go(facts, node, pods, options) {
            continue;
        }
        let group = |(entry, pod): &(usize, &'p Pod)| {
            let replicas = pod.replicas.max(1);
            EntryPods {
                pod,
                entry: *entry,
                count: replicas.into(),
                first: pod_name(pod, 0),
                last: pod_name(pod, replicas.saturating_sub(1)),
            }
        };
        let (own, fixed): (Vec<_>, Vec<_>) =
            pods.iter().map(group).partition(|group| is_reschedulable(group.pod));
        let capacity_type = label::of_node(node).known.get(well_known::CAPACITY_TYPE).copied();
        let candidate = Candidate {
            price: price_of(facts, node).unwrap_or(0).max(0),
            own,
            fixed,
            is_reserved: capacity_type == Some("reserved"),
        };
        let _new = candidates.insert(at, candidate);
    }
    candidates
}

/// Whether an action may delete a node for some reason.
fn could_go(
    facts: &Facts<'_>,
    node: &Node,
    pods: &[(usize, &Pod)],
    options: &ConsolidationOptions,
) -> bool {
    let named: Vec<(Arc<str>, &Pod)> =
        pods.iter().map(|(_, pod)| (pod_name(pod, 0), *pod)).collect();
    let Some(pool) = pool_of(facts, node) else { return false };
    DisruptionReason::ALL.into_iter().any(|reason| {
        !allow_none(pool, reason, options.now)
            && of_node(facts, node, &named, reason, options.bare_pods_move).is_empty()
    })
}

/// Whether running pods may be moved to a node.
fn receives(facts: &Facts<'_>, node: &Node) -> bool {
    let starting = pool_of(facts, node).is_some() && !node.initialized;
    !starting && !node.nominated && !node.drifted && node.lifetime_remaining != 0
}

/// The problem with all pods of candidates, and of nodes that are going, pending: where they are no
/// rule counts them, since they may be gone.
fn loosened(problem: &Problem, candidates: &BTreeMap<usize, Candidate<'_>>) -> Problem {
    let nodes = problem.nodes.iter().enumerate();
    let going = nodes.filter(|(at, node)| node.deleting || candidates.contains_key(at));
    let going: BTreeSet<&str> = going.map(|(_, node)| &*node.name).collect();
    let mut loosened = problem.clone();
    for pod in loosened.pods.to_mut() {
        let home = pod.node_name.as_deref();
        if home.is_some_and(|name| going.contains(name)) {
            pod.node_name = None;
            recreate(pod);
        }
    }
    loosened
}

#[cfg(test)]
mod tests {
    use super::less_moves;
    use crate::plan::certificate::{Certificate, POINT};

    /// What moves cost is rounded up to whole billionths.
    #[test]
    fn a_part_of_a_billionth_is_taken_off_as_a_whole_one() {
        let left = |move_price, moves| {
            let certificate = Certificate { move_price, ..Certificate::default() };
            less_moves(10, &certificate, moves)
        };
        let one = 1_i128 << POINT;
        assert_eq!(left(0, 3), Some(10));
        assert_eq!(left(one, 3), Some(7));
        for part in [1, 2, one / 2, one - 1] {
            assert_eq!(left(part, 1), Some(9), "{part}");
            assert_eq!(left(one + part, 1), Some(8), "{part}");
        }
        assert_eq!(left(one / 2, 2), Some(9));
        assert_eq!(left(i128::MAX, 2), None);
    }
}
