//! Static pools and placeholders: launches that no pod asked for, and pods that may ask for none.
//!
//! A static pool has a fixed number of nodes, launched whether pods need them or not, as
//! Karpenter's `replicas` has it; nodes on the way out no longer count for it, but still for its
//! limit of nodes. It doesn't wait for what pods need: another pool's launch takes no reservation
//! from which a missing node of a static pool could come. Of which types and offerings its nodes
//! are is open, and so is which static pool has a reservation that several could use. A placeholder
//! that may only use free room rides along with others, or on a static pool's node.
//!
//! Whether a pool can launch what it lacks is said only where that is beyond doubt: its minima of
//! different values say nothing, and daemons with ports or volumes neither.
//!
//! Source: <https://karpenter.sh/docs/concepts/nodepools/#specreplicas>; Karpenter's controller of
//! static capacity, which launches without looking at pods.

use super::facts::{EntryPods, Facts};
use super::reservation::Reservations;
use super::resource::Amounts;
use super::site::Sites;
use super::violation::Violation;
use super::{min_values, offering};
use crate::model::{NodePool, Placeholder, well_known};
use crate::plan::{Launch, LaunchPlan};

/// Reports static pools with a wrong number of launches, and launches that placeholders caused.
///
/// More launches than are missing are always wrong; fewer only where another could surely have been
/// launched.
pub(super) fn check<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    plan: &LaunchPlan,
    loads: &[Vec<EntryPods<'a>>],
    out: &mut Vec<Violation>,
) {
    let launches = &plan.launches;
    let is_static = |launch: &Launch| {
        facts.pool(&launch.template.node_pool).is_some_and(|(_, pool)| pool.replicas.is_some())
    };
    let mut of_static: Option<Reservations<'a>> = None;
    for (at, pool) in facts.problem.node_pools.iter().enumerate() {
        let Some(replicas) = pool.replicas else { continue };
        let own = launches.iter().filter(|launch| launch.template.node_pool == pool.name);
        let launched = count(own.count());
        let expected = missing(facts, pool, replicas);
        let can_launch = launched < expected && {
            let others = launches.iter().filter(|launch| is_static(launch));
            let of_static =
                of_static.get_or_insert_with(|| Reservations::drawn_by(facts.problem, others));
            can_launch(facts, sites, (at, pool), of_static)
        };
        if launched > expected || can_launch {
            let node_pool = pool.name.clone();
            out.push(Violation::StaticLaunches { node_pool, launches: launched, expected });
        }
    }
    for (at, (launch, groups)) in launches.iter().zip(loads).enumerate() {
        let free = |group: &EntryPods<'_>| group.pod.placeholder() == Some(Placeholder::Free);
        if !is_static(launch) && !groups.is_empty() && groups.iter().all(free) {
            out.push(Violation::OnlyPlaceholders { launch: at });
        }
    }
}

/// How many nodes a static pool lacks.
///
/// A limit of `nodes` counts what is going as well, so it may hold a pool below its replicas.
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

/// Whether the pool could launch another node without doubt: some type that it lists is on sale and
/// holds its daemons, without a reservation or on one of which static pools leave any.
fn can_launch<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    pool: (usize, &'a NodePool),
    of_static: &Reservations<'a>,
) -> bool {
    if !min_values::asked(pool.1).is_empty() {
        return false;
    }
    for instance_type in facts.problem.instance_types.iter().enumerate() {
        if !offering::lists(pool.1, &instance_type.1.name) {
            continue;
        }
        for offering in instance_type.1.offerings.iter().enumerate() {
            if !offering.1.available || !of_static.leave_room(offering.1) {
                continue;
            }
            let id = sites.find(facts, pool, instance_type, offering, None);
            let Some(site) = sites.get(id) else { continue };
            let is_plain = |(_, daemon): &(usize, &crate::model::Pod)| {
                daemon.host_ports.is_empty() && daemon.volumes.is_empty()
            };
            if site.contradictions.is_empty()
                && site.undecided.is_empty()
                && site.daemons.iter().all(is_plain)
                && site.fits(&Amounts::new())
            {
                return true;
            }
        }
    }
    false
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
