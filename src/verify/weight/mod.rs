//! Weights of node pools, checked again: a node of a pool of lower weight is launched only for pods
//! that no pool of a higher weight takes.
//!
//! A pool takes a pod if one of its available offerings admits a node with this pod alone and the
//! pool's daemons, the pool's limits and the reservation leave room for one more such node after
//! everything that the plan launches, and the pool's minima of different values can be met. Where a
//! label is open, any value that suits the pod will do, and every daemon that some value admits is
//! counted: a pool is only held against a plan if it takes the pod without doubt. Where the node is
//! what others of its pods need by themselves, a pod that a higher pool takes may use room on it
//! all the same ([`needed`]).
//!
//! Pods tied to others over domains (a spread or affinity of their own, or a required affinity or
//! anti-affinity that means them) may have to be where only the lower pool can launch; and a
//! preference that their node honours may be what drew them there. Of these nothing is claimed.
//! Static pools have no weight: what they hold and what they could hold says nothing.

mod needed;

use super::facts::{EntryPods, Facts, pod_name};
use super::limit::Usage;
use super::node_affinity::PodNodeRules;
use super::reservation::Reservations;
use super::resource::{self, Amounts};
use super::site::Sites;
use super::topology::DomainLabels;
use super::violation::{PlanPlace, Violation};
use super::{host_port, min_values, offering, taint, volume};
use crate::model::{Effect, NodePool, Offering, Pod};
use crate::plan::Launch;
use needed::{EqualLaunches, NeededLoad, are_plain, could_share, is_cheaper, rides};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many classes of other launches are looked at for each.
const MOST_KINDS: usize = 256;

/// A way to launch one more node.
struct LaunchCandidate<'a> {
    site: usize,
    /// The type's position, which orders as its name does.
    at_type: usize,
    offering: &'a Offering,
    daemons: Vec<&'a Pod>,
    daemon_requests: Amounts<'a>,
    /// By number of rules: whether they could hold.
    verdicts: BTreeMap<usize, bool>,
}

/// Reports pods on a pool of lower weight than one that takes them.
pub(super) fn check<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    launches: &'a [Launch],
    loads: &[Vec<EntryPods<'a>>],
    (usage, reservations): (&Usage<'a>, &Reservations<'a>),
    out: &mut Vec<Violation>,
) {
    let mut domain_labels = DomainLabels::of(facts);
    let mut pools: Vec<(usize, &NodePool)> = facts
        .problem
        .node_pools
        .iter()
        .enumerate()
        .filter(|(_, pool)| pool.replicas.is_none())
        .collect();
    pools.sort_by(|(_, a), (_, b)| b.weight.cmp(&a.weight).then_with(|| a.name.cmp(&b.name)));
    let mut candidates: BTreeMap<usize, Vec<LaunchCandidate<'a>>> = BTreeMap::new();
    // By entry: pools known not to take it.
    let mut refused: BTreeSet<(usize, usize)> = BTreeSet::new();
    let mut taken: BTreeMap<usize, usize> = BTreeMap::new();
    let mut found: Vec<NeededLoad<'_, 'a>> = Vec::new();
    for (at, (launch, groups)) in launches.iter().zip(loads).enumerate() {
        let Some((_, own)) = facts.pool(&launch.template.node_pool) else { continue };
        if own.replicas.is_some() {
            continue;
        }
        let mut load = NeededLoad { launch: at, weight: own.weight, needs: vec![], others: vec![] };
        for group in groups.iter().filter(|group| !rides(group.pod)) {
            let mut higher = None;
            let is_free = !is_drawn(group.pod) && !domain_labels.is_tied(facts, group);
            let above = pools.iter().take_while(|(_, pool)| is_free && pool.weight > own.weight);
            for (at_pool, pool) in above {
                if refused.contains(&(group.entry, *at_pool)) {
                    continue;
                }
                let takes = taken.get(&group.entry) == Some(at_pool) || {
                    let candidates = candidates.entry(*at_pool).or_insert_with(|| {
                        list(facts, sites, (*at_pool, pool), usage, reservations)
                    });
                    takes(facts, sites, pool, candidates, group)
                };
                if takes {
                    let _same = taken.insert(group.entry, *at_pool);
                    higher = Some(pool.name.clone());
                    break;
                }
                let _new = refused.insert((group.entry, *at_pool));
            }
            match higher {
                Some(pool) => load.others.push((group, pool)),
                None => load.needs.push(group),
            }
        }
        found.push(load);
    }
    let alike = EqualLaunches::of(&found, launches);
    let mut known: BTreeMap<usize, bool> = BTreeMap::new();
    for (load, number) in found.iter().zip(&alike.of).filter(|(load, _)| !load.others.is_empty()) {
        let is_needed = *known.entry(*number).or_insert_with(|| {
            let own = pools.iter().filter(|(_, pool)| pool.weight == load.weight);
            let lists: Vec<(usize, &NodePool, Vec<LaunchCandidate<'a>>)> = own
                .map(|(at, pool)| {
                    let list = candidates
                        .remove(at)
                        .unwrap_or_else(|| list(facts, sites, (*at, pool), usage, reservations));
                    (*at, *pool, list)
                })
                .collect();
            let plan = (launches, &found[..], &alike);
            let is_needed = is_needed(facts, sites, &mut domain_labels, plan, *number, &lists);
            candidates.extend(lists.into_iter().map(|(at, _, list)| (at, list)));
            is_needed
        });
        if !is_needed {
            out.extend(load.others.iter().map(|(group, pool)| Violation::Weight {
                pod: group.first.clone(),
                launch: load.launch,
                node_pool: pool.clone(),
            }));
        }
    }
}

/// Whether launches of a number are what those of their pods need by themselves that no higher pool
/// takes, as far as can be told; `lists`: what pools of their weight could launch.
fn is_needed<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    domain_labels: &mut DomainLabels<'a>,
    (launches, loads, alike): (&'a [Launch], &[NeededLoad<'_, 'a>], &EqualLaunches),
    number: usize,
    lists: &[(usize, &'a NodePool, Vec<LaunchCandidate<'a>>)],
) -> bool {
    let first = |number: usize| {
        let (place, times) = *alike.list.get(number)?;
        let load = loads.get(place)?;
        Some((load, launches.get(load.launch)?, times))
    };
    let Some((load, launch, _)) = first(number) else { return true };
    if load.needs.is_empty() {
        return false;
    }
    if !are_plain(facts, domain_labels, &load.needs) {
        return true;
    }
    let mut lists = lists.iter();
    if lists.any(|(_, pool, list)| is_cheaper(facts, sites, (pool, list), launch, &load.needs)) {
        return false;
    }
    !(0..alike.list.len()).take(MOST_KINDS).filter_map(|other| Some((other, first(other)?))).any(
        |(at, (other, of_other, times))| {
            let there = other.weight == load.weight && !other.needs.is_empty();
            if !there || at == number && times < 2 || !are_plain(facts, domain_labels, &other.needs)
            {
                return false;
            }
            let both: Vec<&EntryPods<'a>> =
                load.needs.iter().chain(&other.needs).copied().collect();
            could_share(facts, sites, launch, &both) || could_share(facts, sites, of_other, &both)
        },
    )
}

/// Whether a pod has preferences of its own, so that one may have drawn it to its pool.
fn is_drawn(pod: &Pod) -> bool {
    let affinity = pod.affinity.as_deref();
    let preferred = affinity.is_some_and(|rules| {
        !rules.node_affinity.preferred.is_empty()
            || !rules.pod_affinity.preferred.is_empty()
            || !rules.pod_anti_affinity.preferred.is_empty()
    });
    preferred || !pod.topology_spread_constraints.is_empty()
}

/// The offerings with which a pool could launch one more node, cheapest first.
///
/// Daemon sets that could run on such a node are taken to run there, whatever labels that are open
/// become: what is found to fit beside them surely fits. The order is total, by price, then by the
/// type's position, zone, capacity type and reservation, so that the first that fits is the same in
/// every run.
fn list<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    (at_pool, pool): (usize, &'a NodePool),
    usage: &Usage<'a>,
    reservations: &Reservations<'a>,
) -> Vec<LaunchCandidate<'a>> {
    let mut list = Vec::new();
    let types = facts.problem.instance_types.iter().enumerate();
    for (at_type, instance_type) in types {
        if !offering::lists(pool, &instance_type.name) || !usage.leaves_room(pool, instance_type) {
            continue;
        }
        for (at_offering, offering) in instance_type.offerings.iter().enumerate() {
            if !offering.available || !reservations.leave_room(offering) {
                continue;
            }
            let site = sites.find(
                facts,
                (at_pool, pool),
                (at_type, instance_type),
                (at_offering, offering),
                None,
            );
            let Some(found) = sites.get(site).filter(|one| one.contradictions.is_empty()) else {
                continue;
            };
            let daemons: Vec<&Pod> = facts
                .problem
                .daemon_sets
                .iter()
                .filter(|daemon| {
                    taint::untolerated(daemon, pool.taints.iter()).is_none()
                        && PodNodeRules::of(daemon).could_hold(&found.labels)
                        && PodNodeRules::of(daemon).could_reach(&found.labels)
                })
                .collect();
            let mut daemon_requests = Amounts::new();
            for daemon in &daemons {
                resource::add(&mut daemon_requests, daemon, 1);
            }
            list.push(LaunchCandidate {
                site,
                at_type,
                offering,
                daemons,
                daemon_requests,
                verdicts: BTreeMap::new(),
            });
        }
    }
    list.sort_by(|a, b| {
        let key = |one: &LaunchCandidate<'a>| (one.offering.price, one.at_type);
        let reserved = |one: &LaunchCandidate<'a>| one.offering.reservation.clone();
        key(a)
            .cmp(&key(b))
            .then_with(|| a.offering.zone.cmp(&b.offering.zone))
            .then_with(|| a.offering.capacity_type.cmp(&b.offering.capacity_type))
            .then_with(|| reserved(a).cmp(&reserved(b)))
    });
    list
}

/// Whether a pool takes one more pod of an entry, alone on a new node.
fn takes<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    pool: &'a NodePool,
    candidates: &mut [LaunchCandidate<'a>],
    group: &EntryPods<'a>,
) -> bool {
    // A soft taint may be what keeps the pod off.
    let soft = |taint: &&crate::model::Taint| taint.effect == Effect::PreferNoSchedule;
    let disliked = pool.taints.iter().filter(soft).any(|one| !taint::is_tolerated(group.pod, one));
    if disliked || taint::untolerated(group.pod, pool.taints.iter()).is_some() {
        return false;
    }
    let alone = [EntryPods { count: 1, last: group.first.clone(), ..group.clone() }];
    let minima = min_values::asked(pool);
    let mut admitted = Vec::new();
    for candidate in candidates {
        if admits(facts, sites, candidate, &alone) {
            if minima.is_empty() {
                return true;
            }
            admitted.push((candidate.site, candidate.offering));
        }
    }
    (0..admitted.len())
        .any(|choice| meets(sites, pool, &minima, admitted.get(choice..).unwrap_or(&[])))
}

/// Whether a candidate admits one pod alone.
fn admits<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    candidate: &mut LaunchCandidate<'a>,
    alone: &[EntryPods<'a>; 1],
) -> bool {
    let [group] = alone;
    let Some(site) = sites.get(candidate.site) else { return false };
    let rules = PodNodeRules::of(group.pod);
    let could = || rules.could_hold(&site.labels) && rules.could_reach(&site.labels);
    let could = match facts.rules_of(group.entry) {
        Some(number) => *candidate.verdicts.entry(number).or_insert_with(could),
        None => could(),
    };
    if !could {
        return false;
    }
    let mut requests = candidate.daemon_requests.clone();
    resource::add(&mut requests, group.pod, 1);
    if resource::lacking(&requests, &site.allocatable).next().is_some() {
        return false;
    }
    let daemons = || candidate.daemons.iter().copied();
    if !volume::attaches_daemons(site.volume_limits, daemons())
        || !volume::attaches(site.volume_limits, daemons(), group.pod)
    {
        return false;
    }
    let daemons: Vec<(Arc<str>, &Pod)> =
        candidate.daemons.iter().map(|one| (pod_name(one, 0), *one)).collect();
    let mut clashes = Vec::new();
    host_port::check(daemons.into_iter(), alone, &PlanPlace::Unschedulable, &mut clashes);
    clashes.is_empty()
}

/// Whether minima of different values are met if the first of these is chosen and the others, as
/// far as they may be, are its alternatives.
fn meets<'a>(
    sites: &mut Sites<'a>,
    pool: &NodePool,
    minima: &BTreeMap<&str, u32>,
    admitted: &[(usize, &'a Offering)],
) -> bool {
    let Some((choice, _)) = admitted.first() else { return false };
    let Some(site) = sites.get(*choice) else { return false };
    let most = site.capacity.clone();
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (at, (id, offering)) in admitted.iter().enumerate() {
        let Some(site) = sites.get(*id) else { continue };
        let within = pool.limits.iter().all(|(name, _)| {
            site.capacity.get(&**name).unwrap_or(&0) <= most.get(&**name).unwrap_or(&0)
        });
        if at == 0 || (within && offering.reservation.is_none()) {
            for key in minima.keys() {
                values.entry(key).or_default().extend(site.values(key));
            }
        }
    }
    minima.iter().all(|(key, minimum)| {
        let found = values.get(key).map_or(0, BTreeSet::len);
        u64::try_from(found).unwrap_or(u64::MAX) >= u64::from(*minimum)
    })
}
