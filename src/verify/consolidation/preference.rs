//! What pods that move honour of their preferences, before and after.
//!
//! A pod honours the weight of the preferences that it has where it is: preferred affinity of nodes
//! and pods, preferred anti-affinity, spreads that may be broken (each weighs 1), and taints that
//! are to be avoided (1). Before is the cluster as the problem has it; after is the moment in which
//! the wave that moves the pod is over. Pods of nodes that were going already have no choice.

use super::super::facts::{Facts, pod_name};
use super::super::topology;
use super::replay::ReplayState;
use super::script::{ActionScript, PodKey};
use crate::model::{Effect, Pod, Problem, WhenUnsatisfiable};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What pods honour before anything is done, and who honoured less later.
pub(super) struct HonouredBefore {
    /// By entry; nothing where no pod has a preference.
    by_name: Option<BTreeMap<Arc<str>, u64>>,
    /// How many pods that were moved honour less than before.
    pub(super) less: u64,
}

impl HonouredBefore {
    pub(super) fn of(facts: &Facts<'_>) -> Self {
        let preferring = prefers(facts.problem);
        Self { by_name: preferring.then(|| topology::honoured_by_bound(facts)), less: 0 }
    }

    /// Counts pods that a wave moved, and that honour less now that it is over.
    pub(super) fn count(
        &mut self,
        facts: &Facts<'_>,
        before: &[PodKey],
        state: &ReplayState<'_, '_>,
    ) {
        let Some(by_name) = self.by_name.as_ref().filter(|_| !before.is_empty()) else { return };
        let problem = state.now();
        let after = topology::honoured_by_bound(&Facts::new(&problem));
        for (entry, replica) in before {
            let Some(pod) = facts.problem.pods.get(*entry) else { continue };
            let had = by_name.get(&pod_name(pod, 0)).copied().unwrap_or(0);
            let has = after.get(&pod_name(pod, *replica)).copied().unwrap_or(0);
            self.less = self.less.saturating_add(u64::from(has < had));
        }
    }
}

/// The running pods that a wave moves, without those of nodes that are going already.
pub(super) fn moved(state: &ReplayState<'_, '_>, wave: &[ActionScript<'_>]) -> Vec<PodKey> {
    let stays = |key: PodKey| {
        let home = state.node_of(key).and_then(|name| state.nodes.get(name));
        home.is_some_and(|node| !node.deleting)
    };
    let moves = wave.iter().flat_map(|action| &action.moves);
    moves.map(|one| one.key).filter(|key| stays(*key)).collect()
}

/// Whether any pod prefers anything, or any taint is to be avoided.
fn prefers(problem: &Problem) -> bool {
    let of_pod = |pod: &Pod| {
        let affinity = pod.affinity.as_deref();
        let any_term = affinity.is_some_and(|rules| {
            !rules.node_affinity.preferred.is_empty()
                || !rules.pod_affinity.preferred.is_empty()
                || !rules.pod_anti_affinity.preferred.is_empty()
        });
        let mut spreads = pod.topology_spread_constraints.iter();
        any_term || spreads.any(|one| one.when_unsatisfiable == WhenUnsatisfiable::ScheduleAnyway)
    };
    let taints = problem.nodes.iter().flat_map(|node| &node.taints);
    let taints = taints.chain(problem.node_pools.iter().flat_map(|pool| &pool.taints));
    let mut taints = taints.filter(|taint| taint.effect == Effect::PreferNoSchedule);
    taints.next().is_some() || problem.pods.iter().any(of_pod)
}
