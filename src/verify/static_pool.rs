//! Static pools and placeholders: launches that no pod asked for, and pods that may ask for none.
//!
//! A static pool has a fixed number of nodes, launched whether pods need them or not, as
//! Karpenter's `replicas` has it; nodes on the way out no longer count for it, but still for its
//! limit of nodes. It doesn't wait for what pods need: another pool's launch takes no reservation
//! from which a missing node of a static pool could come. Of which types and offerings its nodes
//! are is open, and so is which static pool has a reservation that several could use. A placeholder
//! that may only use free room rides along with others, or on a static pool's node.
//!
//! A consolidation launches nodes of static pools only in place of others: what is missing is
//! launched beside it. So what a wave launches for other pools leaves as many of these nodes a
//! reservation as had one without them, where nothing else is on offer for them.
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
use crate::model::{Node, NodePool, Offering, Placeholder, well_known};
use crate::plan::{Launch, LaunchPlan};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

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
    let mut of_static: Option<Reservations<'a>> = None;
    for (at, pool) in facts.problem.node_pools.iter().enumerate() {
        let Some(replicas) = pool.replicas else { continue };
        let own = launches.iter().filter(|launch| launch.template.node_pool == pool.name);
        let launched = count(own.count());
        let expected = missing(facts, pool, replicas);
        let can_launch = launched < expected && {
            let of_static = of_static.get_or_insert_with(|| drawn_by_static(facts, launches));
            let mut offered = offered(facts, sites, (at, pool));
            offered.any(|offering| of_static.leave_room(offering))
        };
        if launched > expected || can_launch {
            let node_pool = pool.name.clone();
            out.push(Violation::StaticLaunches { node_pool, launches: launched, expected });
        }
    }
    for (at, (launch, groups)) in launches.iter().zip(loads).enumerate() {
        let free = |group: &EntryPods<'_>| group.pod.placeholder() == Some(Placeholder::Free);
        if !is_static(facts, launch) && !groups.is_empty() && groups.iter().all(free) {
            out.push(Violation::OnlyPlaceholders { launch: at });
        }
    }
}

/// Reports launches of a wave for other pools that take the reservations from which alone nodes
/// could come that static pools lack; and what the wave leaves of reservations for other pools.
pub(super) fn check_wave<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    plan: &LaunchPlan,
    out: &mut Vec<Violation>,
) -> Reservations<'a> {
    let mut lacking: Vec<Lacking<'a>> = Vec::new();
    for (at, pool) in facts.problem.node_pools.iter().enumerate() {
        let Some(replicas) = pool.replicas else { continue };
        // What the wave launches for the pool takes the place of nodes that still stand.
        let own = plan.launches.iter().filter(|launch| launch.template.node_pool == pool.name);
        let within = nodes_within_limit(facts, pool).saturating_sub(count(own.count()));
        let nodes = missing(facts, pool, replicas).min(within);
        let ids = (nodes > 0).then(|| reserved_only(offered(facts, sites, (at, pool)))).flatten();
        lacking.extend(ids.map(|reservations| Lacking { nodes, reservations }));
    }
    let mut reservations = Reservations::of(facts.problem, plan);
    let missing = most_launched(&lacking, &drawn_by_static(facts, &plan.launches));
    let left = most_launched(&lacking, &reservations);
    if left < missing {
        out.push(Violation::StaticReservations { missing, left });
    }
    let ids: BTreeSet<&str> = lacking.iter().flat_map(|one| one.reservations.clone()).collect();
    let needed = ids.into_iter().filter(|id| {
        let mut with_one_more = reservations.clone();
        with_one_more.draw(id, 1);
        most_launched(&lacking, &with_one_more) < left
    });
    for id in needed.collect::<Vec<&str>>() {
        reservations.draw(id, reservations.left(id));
    }
    reservations
}

/// Nodes that a static pool lacks, and the reservations from which alone they could come.
struct Lacking<'a> {
    nodes: u64,
    reservations: BTreeSet<&'a str>,
}

/// The reservations of some offerings, unless one needs none.
fn reserved_only<'a>(offered: impl Iterator<Item = &'a Offering>) -> Option<BTreeSet<&'a str>> {
    offered.map(|one| one.reservation.as_ref().map(|reservation| &*reservation.id)).collect()
}

/// How many nodes of these can have a reservation at once: a flow, raised along the shortest
/// path, time after time, from a node without a reservation to a reservation with room.
fn most_launched(lacking: &[Lacking<'_>], reservations: &Reservations<'_>) -> u64 {
    let ids: BTreeSet<&str> = lacking.iter().flat_map(|one| one.reservations.clone()).collect();
    let mut room: BTreeMap<&str, u64> =
        ids.into_iter().map(|id| (id, reservations.left(id))).collect();
    // By reservation and pool, how many nodes have it.
    let mut taken: BTreeMap<(&str, usize), u64> = BTreeMap::new();
    let mut sum = 0_u64;
    for first in 0..lacking.len() {
        let mut wanted = lacking[first].nodes;
        while wanted > 0 {
            // By reservation, the pool that would take it, and the reservation that this one gives
            // up for it.
            let mut reached: BTreeMap<&str, (usize, Option<&str>)> = BTreeMap::new();
            let mut next: VecDeque<(usize, Option<&str>)> = VecDeque::from([(first, None)]);
            let mut end = None;
            while let Some((pool, from)) = next.pop_front() {
                for id in &lacking[pool].reservations {
                    if reached.contains_key(id) {
                        continue;
                    }
                    let _new = reached.insert(id, (pool, from));
                    if room.get(id).is_some_and(|room| *room > 0) {
                        end = Some(*id);
                        break;
                    }
                    let holders = taken.range((*id, 0)..=(*id, usize::MAX));
                    let holders = holders.filter(|(_, nodes)| **nodes > 0);
                    next.extend(holders.map(|((id, pool), _)| (*pool, Some(*id))));
                }
                if end.is_some() {
                    break;
                }
            }
            let Some(end) = end else { break };
            let mut path = Vec::new();
            let mut at = Some(end);
            while let Some(id) = at
                && let Some((pool, from)) = reached.get(id)
            {
                path.push((id, *pool, *from));
                at = *from;
            }
            let given_up = path.iter().filter_map(|(_, pool, from)| taken.get(&((*from)?, *pool)));
            let most = given_up.copied().chain(room.get(end).copied()).fold(wanted, u64::min);
            for (id, pool, from) in path {
                *taken.entry((id, pool)).or_default() += most;
                if let Some(given) = from.and_then(|from| taken.get_mut(&(from, pool))) {
                    *given -= most;
                }
            }
            room.entry(end).and_modify(|room| *room -= most);
            (wanted, sum) = (wanted - most, sum.saturating_add(most));
        }
    }
    sum
}

fn is_static(facts: &Facts<'_>, launch: &Launch) -> bool {
    facts.pool(&launch.template.node_pool).is_some_and(|(_, pool)| pool.replicas.is_some())
}

/// What the launches of static pools alone draw on reservations.
fn drawn_by_static<'a>(facts: &Facts<'a>, launches: &[Launch]) -> Reservations<'a> {
    let of_static = launches.iter().filter(|launch| is_static(facts, launch));
    Reservations::drawn_by(facts.problem, of_static)
}

/// How many nodes a static pool lacks.
///
/// A limit of `nodes` counts what is going as well, so it may hold a pool below its replicas.
pub(super) fn missing(facts: &Facts<'_>, pool: &NodePool, replicas: u32) -> u64 {
    let own = own_nodes(facts, pool);
    let own = count(own.filter(|node| !node.deleting).count());
    u64::from(replicas).saturating_sub(own).min(nodes_within_limit(facts, pool))
}

/// How many nodes more the limit of a pool allows.
fn nodes_within_limit(facts: &Facts<'_>, pool: &NodePool) -> u64 {
    let all = count(own_nodes(facts, pool).count());
    pool.limits
        .get(crate::model::NODES)
        .map_or(u64::MAX, |limit| u64::try_from(limit.floor(1)).unwrap_or(0).saturating_sub(all))
}

fn own_nodes<'a>(facts: &Facts<'a>, pool: &NodePool) -> impl Iterator<Item = &'a Node> {
    let nodes = facts.problem.nodes.iter();
    nodes.filter(|node| node.labels.get(well_known::NODE_POOL) == Some(&pool.name))
}

/// The offerings of which a pool could launch a node without doubt, reservations aside: those on
/// sale of types that it lists and that hold its daemons.
fn offered<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    pool: (usize, &'a NodePool),
) -> impl Iterator<Item = &'a Offering> {
    let mut offered = Vec::new();
    let types = facts.problem.instance_types.iter().enumerate();
    let is_said = min_values::asked(pool.1).is_empty();
    for instance_type in types.filter(|one| is_said && offering::lists(pool.1, &one.1.name)) {
        for offering in instance_type.1.offerings.iter().enumerate() {
            if !offering.1.available {
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
                offered.push(offering.1);
            }
        }
    }
    offered.into_iter()
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
