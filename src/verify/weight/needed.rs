//! Whether a launch of a lower weight would be there without the pods that a higher pool takes.
//!
//! It must hold some that no higher pool takes. With these alone it could be no cheaper on another
//! offering of a pool of its weight, and they couldn't share a node with those that another launch
//! of this weight is needed for. Pods that other rules could have drawn to the node (ties to
//! others, ports, volumes, preferences) say nothing against it.
//!
//! *Why this question.* Karpenter tries pools by weight, pod by pod. A launch of a lower weight is
//! there for pods that no higher pool takes; others may use the room that it has in any case. So
//! what is wrong isn't that a pod is on a pool of a lower weight, but that a node is there, or is
//! larger, for its sake.
//!
//! *Only what is sure.* Where anything else could have drawn the pods together nothing is reported.

use super::super::facts::{EntryPods, Facts};
use super::super::node_affinity::PodNodeRules;
use super::super::offering;
use super::super::resource::{self, Amounts};
use super::super::site::Sites;
use super::super::topology::DomainLabels;
use super::super::violation::PlanPlace;
use super::super::{anti_affinity, min_values, taint, volume};
use super::{LaunchCandidate, is_drawn};
use crate::model::{Effect, NodePool, Placeholder, Pod};
use crate::plan::{Launch, LaunchTemplate};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is on a launch.
pub(super) struct NeededLoad<'l, 'a> {
    pub(super) launch: usize,
    /// The weight of its pool.
    pub(super) weight: i32,
    /// Those that no higher pool takes without doubt; placeholders that only ride along left out.
    pub(super) needs: Vec<&'l EntryPods<'a>>,
    /// The others, with a pool that takes them.
    pub(super) others: Vec<(&'l EntryPods<'a>, Arc<str>)>,
}

/// Launches of which each stands for those that are specified alike and needed for the same.
///
/// Launches of one template that are needed for the same pods get one answer; a plan of ten
/// thousand launches has a few hundred questions.
pub(super) struct EqualLaunches {
    /// By load, the number of what it is like.
    pub(super) of: Vec<usize>,
    /// By that number, the first load and how many there are.
    pub(super) list: Vec<(usize, u64)>,
}

impl EqualLaunches {
    pub(super) fn of(loads: &[NeededLoad<'_, '_>], launches: &[Launch]) -> Self {
        type Key = (*const LaunchTemplate, Vec<(usize, u64)>);
        let mut numbers: BTreeMap<Key, usize> = BTreeMap::new();
        let mut alike = Self { of: Vec::with_capacity(loads.len()), list: Vec::new() };
        for (place, load) in loads.iter().enumerate() {
            let template = launches
                .get(load.launch)
                .map_or(std::ptr::null(), |one| Arc::as_ptr(&one.template));
            let needs = load.needs.iter().map(|group| (group.entry, group.count)).collect();
            let next = alike.list.len();
            let number = *numbers.entry((template, needs)).or_insert(next);
            match alike.list.get_mut(number) {
                Some((_, times)) => *times = times.saturating_add(1),
                None => alike.list.push((place, 1)),
            }
            alike.of.push(number);
        }
        alike
    }
}

/// Whether a pod rides along wherever there is room.
pub(super) fn rides(pod: &Pod) -> bool {
    pod.placeholder() == Some(Placeholder::Free)
}

/// Whether nothing but labels, taints and room decides where all these pods may be.
pub(super) fn are_plain<'a>(
    facts: &Facts<'a>,
    domain_labels: &mut DomainLabels<'a>,
    groups: &[&EntryPods<'a>],
) -> bool {
    groups.iter().all(|group| {
        let pod = group.pod;
        let bound = pod.host_ports.is_empty() && pod.volumes.is_empty();
        let apart = anti_affinity::terms(pod).is_empty();
        bound && apart && !is_drawn(pod) && !domain_labels.is_tied(facts, group)
    })
}

/// Whether an offering of these, of a pool that asks for nothing more, holds what a launch is
/// needed for at a lower price, and isn't taken away more often.
///
/// More interruptions are a reason to pay more, so a cheaper offering that is taken away more often
/// proves nothing.
pub(super) fn is_cheaper<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    (pool, candidates): (&NodePool, &[LaunchCandidate<'a>]),
    launch: &Launch,
    needs: &[&EntryPods<'a>],
) -> bool {
    if !min_values::asked(pool).is_empty() || !tolerate(pool, needs) {
        return false;
    }
    let choice = &launch.template.offering;
    let instance_type = facts.instance_type(&choice.instance_type);
    let own = instance_type.and_then(|(_, instance_type)| {
        instance_type.offerings.iter().find(|one| {
            one.zone == choice.zone
                && one.capacity_type == choice.capacity_type
                && one.price == choice.price
        })
    });
    let rate = own.and_then(|one| one.interruption_rate).unwrap_or(0);
    candidates.iter().any(|candidate| {
        let Some(site) = sites.get(candidate.site) else { return false };
        candidate.offering.price < choice.price
            && candidate.offering.interruption_rate.unwrap_or(0) <= rate
            && needs.iter().all(|group| PodNodeRules::of(group.pod).surely_hold(&site.labels))
            && needs
                .iter()
                .all(|group| PodNodeRules::of(group.pod).unreachable(&site.labels).next().is_none())
            && volume::attaches_daemons(site.volume_limits, candidate.daemons.iter().copied())
            && has_room(&site.allocatable, &candidate.daemon_requests, needs)
    })
}

/// Whether a launch could hold what another is needed for beside what it is needed for itself.
pub(super) fn could_share<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    launch: &'a Launch,
    needs: &[&EntryPods<'a>],
) -> bool {
    let Some(pool) = facts.pool(&launch.template.node_pool) else { return false };
    if !min_values::asked(pool.1).is_empty() || !tolerate(pool.1, needs) {
        return false;
    }
    let choice = (&launch.template.offering, &*launch.template);
    // What is wrong with it has been said.
    let mut said = Vec::new();
    let id = offering::check(facts, sites, pool, choice, &PlanPlace::Launch(0), &mut said);
    let Some(site) = id.and_then(|id| sites.get(id)) else { return false };
    site.undecided.is_empty()
        && needs.iter().all(|group| PodNodeRules::of(group.pod).surely_hold(&site.labels))
        && volume::attaches_daemons(
            site.volume_limits,
            site.daemons.iter().map(|(_, daemon)| *daemon),
        )
        && has_room(&site.allocatable, &site.daemon_requests, needs)
}

/// Whether pods tolerate all taints of a pool, those that are merely to be avoided too.
fn tolerate(pool: &NodePool, groups: &[&EntryPods<'_>]) -> bool {
    let soft = |taint: &&crate::model::Taint| taint.effect == Effect::PreferNoSchedule;
    groups.iter().all(|group| {
        let mut avoided = pool.taints.iter().filter(soft);
        taint::untolerated(group.pod, pool.taints.iter()).is_none()
            && avoided.all(|one| taint::is_tolerated(group.pod, one))
    })
}

fn has_room(allocatable: &Amounts<'_>, daemons: &Amounts<'_>, groups: &[&EntryPods<'_>]) -> bool {
    let mut requests = daemons.clone();
    for group in groups {
        resource::add(&mut requests, group.pod, group.count);
    }
    resource::lacking(&requests, allocatable).next().is_none()
}
