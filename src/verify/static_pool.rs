//! Static pools and placeholders: launches that no pod asked for, and pods that may ask for none.
//!
//! A static pool has a fixed number of nodes, launched whether pods need them or not, as
//! Karpenter's `replicas` has it; nodes on the way out no longer count for it, but still for its
//! limit of nodes. A placeholder that may only use free room rides along with others, or on a
//! static pool's node.

use super::facts::{EntryPods, Facts};
use super::offering;
use super::violation::Violation;
use crate::model::{InstanceType, NodePool, Placeholder, well_known};
use crate::plan::Launch;

/// Reports static pools with a wrong number of launches, and launches that placeholders caused.
pub(super) fn check(
    facts: &Facts<'_>,
    launches: &[Launch],
    loads: &[Vec<EntryPods<'_>>],
    out: &mut Vec<Violation>,
) {
    for pool in &facts.problem.node_pools {
        let Some(replicas) = pool.replicas else { continue };
        let own = launches.iter().filter(|launch| launch.template.node_pool == pool.name);
        let launched = count(own.count());
        let expected = missing(facts, pool, replicas);
        if launched > expected || launched < expected && can_launch(facts, pool) {
            let node_pool = pool.name.clone();
            out.push(Violation::StaticLaunches { node_pool, launches: launched, expected });
        }
    }
    for (at, (launch, groups)) in launches.iter().zip(loads).enumerate() {
        let is_static =
            facts.pool(&launch.template.node_pool).is_some_and(|(_, pool)| pool.replicas.is_some());
        let free = |group: &EntryPods<'_>| group.pod.placeholder() == Some(Placeholder::Free);
        if !is_static && !groups.is_empty() && groups.iter().all(free) {
            out.push(Violation::OnlyPlaceholders { launch: at });
        }
    }
}

/// How many nodes a static pool lacks.
pub(super) fn missing(facts: &Facts<'_>, pool: &NodePool, replicas: u32) -> u64 {
    let own = facts
        .problem
        .nodes
        .iter()
        .filter(|node| node.labels.get(well_known::NODE_POOL) == Some(&pool.name));
    let standing = count(own.clone().filter(|node| !node.deleting).count());
    let all = count(own.count());
    let most = pool
        .limits
        .get(crate::model::NODES)
        .map_or(u64::MAX, |limit| u64::try_from(limit.floor(1)).unwrap_or(0).saturating_sub(all));
    u64::from(replicas).saturating_sub(standing).min(most)
}

/// Whether the pool could launch another node without doubt: some type that it lists is on sale,
/// without a reservation, in a pool that asks for nothing.
fn can_launch(facts: &Facts<'_>, pool: &NodePool) -> bool {
    let on_sale = |instance_type: &InstanceType| {
        offering::lists(pool, &instance_type.name)
            && instance_type.offerings.iter().any(|one| one.available && one.reservation.is_none())
    };
    pool.requirements.is_empty()
        && pool.labels.is_empty()
        && facts.problem.daemon_sets.is_empty()
        && facts.problem.instance_types.iter().any(on_sale)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
