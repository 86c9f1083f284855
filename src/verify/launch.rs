//! One launch, judged again: what it states about itself, and whether its pods may be there, with
//! its choice and with every alternative.
//!
//! Many launches share one template, and many of those hold pods of the same entries. What a
//! template says is judged once, and so are the same pods on it; a launch that breaks a rule
//! is judged on its own, so that each is named.
//!
//! *Cost.* Each distinct template once, with all its alternatives; each distinct set of pods on it
//! once. What is remembered is only what was found right, so that a wrong launch is reported under
//! its own index.

use super::facts::{EntryPods, Facts};
use super::label;
use super::node_affinity::PodNodeRules;
use super::resource::{self, Amounts};
use super::site::{Site, Sites};
use super::topology::DomainLabels;
use super::violation::{PlanPlace, Violation};
use super::{anti_affinity, host_port, min_values, offering, taint, volume};
use crate::model::{NodePool, Pod, Resources, Taint};
use crate::plan::{Launch, LaunchTemplate};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A template whose names are known.
#[derive(Debug)]
struct ResolvedTemplate<'a> {
    pool: &'a NodePool,
    /// The choice's site.
    choice: usize,
    /// The other alternatives by index, with their sites.
    alternatives: Vec<(usize, usize)>,
}

/// What is remembered of a template that breaks no rule.
#[derive(Debug)]
struct CheckedTemplate<'a> {
    resolved: ResolvedTemplate<'a>,
    lowered: bool,
    /// Entries and counts of pods that break no rule there, with the requests that are right.
    loads: BTreeMap<Vec<(usize, u64)>, &'a Resources>,
}

/// Reports what is wrong with launches, and counts those with a lowered minimum of values.
pub(super) fn check<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    launches: &'a [Launch],
    loads: &[Vec<EntryPods<'a>>],
    out: &mut Vec<Violation>,
) -> u64 {
    let mut domain_labels = DomainLabels::of(facts);
    let mut known: BTreeMap<*const LaunchTemplate, CheckedTemplate<'a>> = BTreeMap::new();
    let mut lowered = 0_u64;
    for (at, (launch, groups)) in launches.iter().zip(loads).enumerate() {
        let key = Arc::as_ptr(&launch.template);
        let before = out.len();
        if let Some(clean) = known.get_mut(&key) {
            lowered = lowered.saturating_add(u64::from(clean.lowered));
            let load: Vec<(usize, u64)> = groups.iter().map(|one| (one.entry, one.count)).collect();
            if clean.loads.get(&load).is_none_or(|right| **right != *launch.requests) {
                check_load(
                    facts,
                    sites,
                    &mut domain_labels,
                    (at, launch),
                    &clean.resolved,
                    groups,
                    out,
                );
                if out.len() == before {
                    let _new = clean.loads.insert(load, &launch.requests);
                }
            }
            continue;
        }
        let template = (at, &*launch.template);
        let Some((resolved, is_lowered)) =
            check_template(facts, sites, &domain_labels, template, out)
        else {
            continue;
        };
        lowered = lowered.saturating_add(u64::from(is_lowered));
        let template_is_clean = out.len() == before;
        check_load(facts, sites, &mut domain_labels, (at, launch), &resolved, groups, out);
        if template_is_clean {
            let clean = CheckedTemplate { resolved, lowered: is_lowered, loads: BTreeMap::new() };
            let _new = known.insert(key, clean);
        }
    }
    lowered
}

/// Reports what is wrong with a template, whatever pods are there.
///
/// Pool, taints, order, choice, labels, capacity, alternatives, minima: in this order, each
/// reported by itself; without a known pool or choice nothing more can be said.
fn check_template<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    domain_labels: &DomainLabels<'a>,
    (launch, template): (usize, &'a LaunchTemplate),
    out: &mut Vec<Violation>,
) -> Option<(ResolvedTemplate<'a>, bool)> {
    let Some(pool) = facts.pool(&template.node_pool) else {
        out.push(Violation::NodePoolUnknown { launch, node_pool: template.node_pool.clone() });
        return None;
    };
    let node_pool = || pool.1.name.clone();
    if !same_taints(&template.taints, &pool.1.taints) {
        out.push(Violation::TaintsWrong { launch, node_pool: node_pool() });
    }
    if !same_taints(&template.startup_taints, &pool.1.startup_taints) {
        out.push(Violation::StartupTaintsWrong { launch, node_pool: node_pool() });
    }
    check_order(launch, template, out);
    let place = PlanPlace::Launch(launch);
    let choice = offering::check(facts, sites, pool, (&template.offering, template), &place, out)?;
    let capacity = {
        let site = sites.get(choice)?;
        label::check(facts, launch, &site.labels, &template.labels, out);
        check_site(site, template, domain_labels, &place, out);
        check_capacity(launch, template, &site.capacity, out);
        site.capacity.clone()
    };
    let mut alternatives = Vec::new();
    for (alternative, other) in template.alternatives.iter().enumerate() {
        if *other == template.offering {
            continue;
        }
        let place = PlanPlace::Alternative { launch, alternative };
        let Some(id) = offering::check(facts, sites, pool, (other, template), &place, out) else {
            continue;
        };
        let Some(site) = sites.get(id) else { continue };
        check_site(site, template, domain_labels, &place, out);
        for (resource, _) in pool.1.limits.iter() {
            if site.capacity.get(&**resource).unwrap_or(&0)
                > capacity.get(&**resource).unwrap_or(&0)
            {
                out.push(Violation::AlternativeAboveChoice {
                    launch,
                    alternative,
                    resource: resource.clone(),
                });
            }
        }
        if let Some(reservation) = other.reservation.clone() {
            out.push(Violation::AlternativeReserved { launch, alternative, reservation });
        }
        alternatives.push((alternative, id));
    }
    let resolved = ResolvedTemplate { pool: pool.1, choice, alternatives };
    let ids = std::iter::once(choice).chain(resolved.alternatives.iter().map(|(_, id)| *id));
    let lowered = min_values::check(launch, template, pool.1, ids, sites, out);
    Some((resolved, lowered))
}

/// Whether two lists of taints are the same but for their order.
fn same_taints(one: &[Taint], other: &[Taint]) -> bool {
    let sorted = |taints: &[Taint]| {
        let mut taints = taints.to_vec();
        taints.sort_unstable();
        taints
    };
    sorted(one) == sorted(other)
}

/// Reports a stated capacity that isn't that of the instance type.
fn check_capacity(
    launch: usize,
    template: &LaunchTemplate,
    capacity: &Amounts<'_>,
    out: &mut Vec<Violation>,
) {
    let stated = resource::rounded_down(&template.capacity);
    let names: BTreeSet<&str> = stated.keys().chain(capacity.keys()).copied().collect();
    for name in names {
        let amount = |of: &Amounts<'_>| of.get(name).copied().unwrap_or(0);
        let (stated, expected) = (amount(&stated), amount(capacity));
        if stated != expected {
            out.push(Violation::CapacityWrong { launch, resource: name.into(), stated, expected });
        }
    }
}

/// Reports alternatives that aren't sorted, or don't include the choice.
///
/// The order is by price, then by name, so equal alternatives are neighbours and show as repeated.
fn check_order(launch: usize, template: &LaunchTemplate, out: &mut Vec<Violation>) {
    if !template.alternatives.contains(&template.offering) {
        out.push(Violation::ChoiceNotListed { launch });
    }
    let pairs = template.alternatives.iter().zip(template.alternatives.iter().skip(1));
    if let Some(at) = pairs.into_iter().position(|(one, next)| one >= next) {
        let alternative = at.saturating_add(1);
        out.push(Violation::AlternativesUnsorted { launch, alternative });
    }
}

/// Reports requirements that don't hold of a site, and labels that daemon sets and rules over
/// domains need fixed.
fn check_site(
    site: &Site<'_>,
    template: &LaunchTemplate,
    domain_labels: &DomainLabels<'_>,
    place: &PlanPlace,
    out: &mut Vec<Violation>,
) {
    for one in template.requirements.iter() {
        // What an open label will be is still to be chosen: some value must do.
        let holds = site.labels.could_meet(&one.key, one.into());
        if !holds {
            let key = one.key.clone();
            out.push(Violation::RequirementBroken { place: place.clone(), key });
        }
    }
    let domains = site.labels.open.keys().filter(|key| domain_labels.depends_on(key));
    out.extend(
        site.undecided
            .iter()
            .chain(domains)
            .map(|key| Violation::LabelOpen { place: place.clone(), key: (*key).into() }),
    );
}

/// The pods of one launch.
///
/// Sums and answers are kept by what they depend on: requests once, fits by room, rules about
/// labels by set of rules.
struct LaunchLoad<'g, 'a> {
    groups: &'g [EntryPods<'a>],
    requests: Amounts<'a>,
    /// One group for each set of rules about nodes.
    representatives: Vec<&'g EntryPods<'a>>,
    /// By number of room: whether the requests fit.
    fits: Vec<Option<bool>>,
}

impl<'g, 'a> LaunchLoad<'g, 'a> {
    fn of(facts: &Facts<'a>, groups: &'g [EntryPods<'a>]) -> Self {
        let mut requests = Amounts::new();
        let mut representatives = BTreeMap::new();
        for group in groups {
            resource::add(&mut requests, group.pod, group.count);
            let _first = representatives.entry(facts.rules_of(group.entry)).or_insert(group);
        }
        let representatives = representatives.into_values().collect();
        Self { groups, requests, representatives, fits: Vec::new() }
    }

    fn fit(&mut self, site: &Site<'a>) -> bool {
        if self.fits.len() <= site.room {
            self.fits.resize(site.room.saturating_add(1), None);
        }
        let judge = || site.fits(&self.requests);
        self.fits.get_mut(site.room).map_or_else(judge, |fits| *fits.get_or_insert_with(judge))
    }

    /// Reports what the pods want of a site and don't get there.
    fn check(
        &mut self,
        facts: &Facts<'a>,
        site: &mut Site<'a>,
        place: &PlanPlace,
        out: &mut Vec<Violation>,
    ) {
        if !self.fit(site) {
            let mut all = self.requests.clone();
            resource::add_all(&mut all, &site.daemon_requests);
            let lacking = resource::lacking(&all, &site.allocatable);
            out.extend(lacking.map(|(resource, requested, allocatable)| Violation::Overfull {
                place: place.clone(),
                resource: resource.into(),
                requested,
                allocatable,
            }));
        }
        let daemons = site.daemons.iter().map(|(_, daemon)| *daemon);
        volume::check(site.volume_limits, daemons, self.groups, place, out);
        if self.representatives.iter().all(|group| site.admits(facts, group)) {
            return;
        }
        for group in self.groups {
            if !site.admits(facts, group) {
                PodNodeRules::of(group.pod).check(&site.labels, &group.first, place, out);
            }
        }
    }
}

/// Reports what is wrong with pods on a template.
///
/// The choice is judged in full; an alternative beside that for what differs: its domains, its
/// room, its daemons.
fn check_load<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    domain_labels: &mut DomainLabels<'a>,
    (launch, of): (usize, &Launch),
    resolved: &ResolvedTemplate<'a>,
    groups: &[EntryPods<'a>],
    out: &mut Vec<Violation>,
) {
    let place = PlanPlace::Launch(launch);
    anti_affinity::check(facts, &[], groups, &place, out);
    for group in groups {
        taint::check(group.pod, &group.first, &place, resolved.pool.taints.iter(), out);
    }
    let mut load = LaunchLoad::of(facts, groups);
    let Some(site) = sites.get(resolved.choice) else { return };
    check_requests(launch, &of.requests, &load.requests, &site.daemon_requests, out);
    let daemons = site.daemons.clone();
    let mut keys: BTreeSet<&str> = BTreeSet::new();
    for group in groups {
        keys.extend(domain_labels.keys(facts, group));
    }
    let domains: Vec<(&str, Option<&str>)> =
        keys.into_iter().map(|key| (key, site.labels.known.get(key).copied())).collect();
    load.check(facts, site, &place, out);
    check_ports(&daemons, groups, &place, out);
    for (alternative, id) in &resolved.alternatives {
        let Some(site) = sites.get(*id) else { continue };
        for (key, domain) in &domains {
            if site.labels.known.get(key) != domain.as_ref() {
                let (alternative, key) = (*alternative, (*key).into());
                out.push(Violation::AlternativeElsewhere { launch, alternative, key });
            }
        }
        let place = PlanPlace::Alternative { launch, alternative: *alternative };
        load.check(facts, site, &place, out);
        if !site.daemons.iter().map(|(at, _)| at).eq(daemons.iter().map(|(at, _)| at)) {
            check_ports(&site.daemons, groups, &place, out);
        }
    }
}

/// Reports host ports that clash among the pods or with daemons.
fn check_ports<'a>(
    daemons: &[(usize, &'a Pod)],
    groups: &[EntryPods<'a>],
    place: &PlanPlace,
    out: &mut Vec<Violation>,
) {
    let names = daemons.iter().map(|(_, one)| (super::facts::pod_name(one, 0), *one));
    host_port::check(names, groups, place, out);
}

/// Reports requests that aren't the sum of pods and daemons.
///
/// A sum that has fractions is wrong, whichever way it would be rounded: requests of a launch are
/// in counting units.
fn check_requests(
    launch: usize,
    stated: &Resources,
    pods: &Amounts<'_>,
    daemons: &Amounts<'_>,
    out: &mut Vec<Violation>,
) {
    let mut expected = pods.clone();
    resource::add_all(&mut expected, daemons);
    let (low, high) = (resource::rounded_down(stated), resource::rounded_up(stated));
    let names: BTreeSet<&str> = expected.keys().chain(high.keys()).copied().collect();
    for name in names {
        let amount = |of: &Amounts<'_>| of.get(name).copied().unwrap_or(0);
        let expected = amount(&expected);
        if [amount(&low), amount(&high)] != [expected; 2] {
            out.push(Violation::RequestsWrong {
                launch,
                resource: name.into(),
                stated: amount(&high),
                expected,
            });
        }
    }
}
