//! How little the outcome of a consolidation could cost: what bounds rest on, from eligibility and
//! the model of the cluster, and the bounds as a plan states them.
//!
//! Which nodes may ever go is asked for every reason and every moment, so it may be more than the
//! search lets go: nodes that a budget holds now, say. Where there are such nodes nothing is proved
//! but that the others stay.
//!
//! *Why it may be withheld.* A bound speaks of all outcomes that the rules allow some day. Where a
//! node may not go now and may tomorrow (a budget, a nomination) counting it as staying would be
//! wrong, and counting it as free would need its pods in the model, which holds only those that may
//! move now. Then what is known is stated: that the others stay.

use super::eligibility::{NodeVerdict, is_reschedulable};
use super::model::ConsolidationModel;
use super::node_budget;
use crate::bound::{BoundedCluster, CandidateNode, Candidates, prove_cluster};
use crate::compile::{ItemId, NodeId, PoolId, selects_pod};
use crate::explain::Blocker;
use crate::model::{ConsolidationOptions, Node, Pod, PodAffinityTerm, Price, Problem, well_known};
use crate::pack::Context;
use crate::plan::ConsolidationPlan;
use crate::refine::{ClusterSearch, RefineBudget, entries, less_moves};
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What bounds of a consolidation rest on.
pub(super) struct ConsolidationBounds<'c> {
    context: &'c Context<'c>,
    /// What the nodes cost that stay in any case, in billionths.
    fixed: i128,
    /// The rest; nothing where it isn't sure which nodes may go.
    cluster: Option<BoundedCluster>,
}

impl<'c> ConsolidationBounds<'c> {
    pub(super) fn new(
        problem: &Problem,
        model: &ConsolidationModel<'c>,
        verdicts: &[NodeVerdict],
        options: &ConsolidationOptions,
    ) -> Self {
        let mut fixed = 0_i128;
        let mut is_settled = true;
        for (node, verdict) in problem.nodes.iter().zip(verdicts).filter(|(_, one)| !one.may_go()) {
            match may_go_later(problem, node, verdict, options) {
                true => is_settled = false,
                false => fixed = fixed.saturating_add(verdict.price.unwrap_or(0)),
            }
        }
        let is_settled = is_settled && !bars_while_it_stays(problem, verdicts);
        let cluster = is_settled.then(|| cluster(problem, model, verdicts));
        Self { context: model.context, fixed, cluster }
    }

    /// What the nodes cost that stay in any case, which the bounds of a search leave out.
    pub(super) fn of_what_stays(&self) -> i128 {
        self.fixed
    }

    /// The search for better bounds than prices of resources prove, where that is wanted and there
    /// is anything to search.
    pub(super) fn search(&self, wanted: bool) -> Option<ClusterSearch<'_>> {
        let cluster = self.cluster.as_ref().filter(|_| wanted)?;
        ClusterSearch::new(self.context, cluster)
    }

    /// States lower bounds of a plan, with certificates.
    ///
    /// The bound of all outcomes comes from the search, or from prices of resources where that
    /// found nothing; that for as few moves from the same search with a price of moves.
    pub(super) fn state(
        &self,
        search: Option<ClusterSearch<'_>>,
        budget: &mut RefineBudget<'_>,
        plan: &mut ConsolidationPlan,
    ) {
        let compiled = self.context.compiled;
        let searched = search.map(|mut search| {
            search.prove(Some(plan.moved), budget);
            search.proved(plan.moved)
        });
        let (of_all, for_moves) = searched.unwrap_or_default();
        let by_resources = || {
            let cluster = self.cluster.as_ref()?;
            prove_cluster(compiled, cluster, &mut |class| entries(compiled, class))
        };
        let of_all = of_all.or_else(by_resources);
        let mut bound = self.fixed;
        if let Some(found) = of_all {
            bound = self.fixed.saturating_add(found.bound);
            plan.certificate = Some(Arc::new(found.certificate));
        }
        plan.cost.lower_bound = Price::from_nanos(bound);
        if let Some(found) = for_moves {
            let left = less_moves(found.bound, found.certificate.move_price, plan.moved);
            let few = self.fixed.saturating_add(left.unwrap_or(0));
            if few > bound {
                bound = few;
                plan.certificate_for_moves = Some(Arc::new(found.certificate));
            }
        }
        plan.cost.lower_bound_for_moves = Price::from_nanos(bound);
    }
}

/// Whether a node that may not go now might at another moment, or for another reason.
fn may_go_later(
    problem: &Problem,
    node: &Node,
    verdict: &NodeVerdict,
    options: &ConsolidationOptions,
) -> bool {
    let expired = node.lifetime_remaining == 0;
    let forced = node.drifted || expired;
    let pool = verdict.pool.and_then(|at| problem.node_pools.get(at));
    // A share of any number of nodes is rounded up.
    let never = pool
        .is_some_and(|pool| node_budget::allowed(pool, verdict.reason, u64::MAX, options.now) == 0);
    verdict.blockers.iter().all(|blocker| match blocker {
        // What can't be replaced for being outdated may go for less.
        Blocker::NodeBudget { .. } => forced || !never,
        Blocker::StaticPool { .. } => forced,
        Blocker::Nominated | Blocker::DoNotDisrupt => expired,
        _ => false,
    })
}

/// The pods that one is apart from, whatever the domain.
fn apart_from(pod: &Pod) -> &[PodAffinityTerm] {
    pod.affinity.as_deref().map_or(&[], |rules| &rules.pod_anti_affinity.required)
}

/// Whether a pod that goes with a node that may go is apart from others while it is there: where
/// these may be then depends on whether the node goes.
///
/// Such a pod stays exactly as long as its node, and what it bars others from depends on that: no
/// set of places is right for both cases.
fn bars_while_it_stays(problem: &Problem, verdicts: &[NodeVerdict]) -> bool {
    let mut terms: HashSet<&PodAffinityTerm, FixedState> = HashSet::default();
    terms.extend(problem.pods.iter().flat_map(apart_from));
    if terms.is_empty() {
        return false;
    }
    let nodes = problem.nodes.iter().zip(verdicts);
    let nodes = nodes.filter(|(node, verdict)| verdict.may_go() || node.deleting);
    let names: BTreeSet<&str> = nodes.map(|(node, _)| &*node.name).collect();
    problem.pods.iter().any(|pod| {
        let is_meant = |term: &PodAffinityTerm| {
            term.label_selector.as_ref().is_some_and(|one| selects_pod(one, &pod.labels))
        };
        !is_reschedulable(pod)
            && pod.node_name.as_deref().is_some_and(|name| names.contains(name))
            && (!apart_from(pod).is_empty() || terms.iter().any(|term| is_meant(term)))
    })
}

/// The cluster as bounds see it.
fn cluster(
    problem: &Problem,
    model: &ConsolidationModel<'_>,
    verdicts: &[NodeVerdict],
) -> BoundedCluster {
    let compiled = model.compiled();
    let mut nodes: BTreeMap<NodeId, CandidateNode> = BTreeMap::new();
    let mut staying: BTreeSet<NodeId> = BTreeSet::new();
    let mut released: BTreeMap<(PoolId, usize), i128> = BTreeMap::new();
    let mut reserved = 0_u32;
    for node in &model.nodes {
        let Some(id) = compiled.node_at(node.site) else { continue };
        let verdict = &verdicts[node.place];
        if !verdict.may_go() {
            if verdict.receives {
                let _new = staying.insert(id);
            }
            continue;
        }
        if let Some((pool, charge)) = &node.charge {
            for (at, each) in charge.iter().enumerate() {
                let sum = released.entry((*pool, at)).or_default();
                *sum = sum.saturating_add(i128::from(*each));
            }
        }
        let mut own: BTreeMap<ItemId, u32> = BTreeMap::new();
        for pods in &node.home {
            let sum = own.entry(model.classes[pods.class].item).or_default();
            *sum = sum.saturating_add(pods.count);
        }
        let labels = &problem.nodes[node.place].labels;
        let capacity_type = labels.get(well_known::CAPACITY_TYPE);
        let is_reserved = capacity_type.is_some_and(|one| &**one == "reserved");
        reserved = reserved.saturating_add(u32::from(is_reserved));
        let candidate = CandidateNode {
            price: i64::try_from(node.price.unwrap_or(0)).unwrap_or(0).max(0),
            free: node.free.clone(),
            own: own.into_iter().collect(),
            receives: verdict.receives,
        };
        let _new = nodes.insert(id, candidate);
    }
    BoundedCluster {
        candidates: Candidates { nodes, move_price: 0.0 },
        staying,
        released,
        reserved,
    }
}
