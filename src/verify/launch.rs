//! One launch, judged again: what it states about itself, and whether its pods may be there, with
//! its choice and with every alternative.
//!
//! Many launches share one specification, and many of those hold pods of the same entries. What a
//! specification says is judged once, and so are the same pods on it; a launch that breaks a rule
//! is judged on its own, so that each is named.

use super::facts::{EntryPods, Facts};
use super::label;
use super::node_affinity::PodNodeRules;
use super::resource::{self, Amounts};
use super::site::{Site, Sites};
use super::topology::DomainLabels;
use super::violation::{PlanPlace, Violation};
use super::{anti_affinity, host_port, min_values, offering, taint, volume};
use crate::model::{NodePool, Pod};
use crate::plan::{Launch, LaunchSpec};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A specification whose names are known.
#[derive(Debug)]
struct ResolvedSpec<'a> {
    pool: &'a NodePool,
    /// The choice's site.
    choice: usize,
    /// The other alternatives by index, with their sites.
    alternatives: Vec<(usize, usize)>,
}

/// What is remembered of a specification that breaks no rule.
#[derive(Debug)]
struct CheckedSpec<'a> {
    resolved: ResolvedSpec<'a>,
    lowered: bool,
    /// Entries and counts of pods that break no rule there.
    loads: BTreeSet<Vec<(usize, u64)>>,
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
    let mut known: BTreeMap<*const LaunchSpec, CheckedSpec<'a>> = BTreeMap::new();
    let mut lowered = 0_u64;
    for (at, (launch, groups)) in launches.iter().zip(loads).enumerate() {
        let key = Arc::as_ptr(&launch.spec);
        let before = out.len();
        if let Some(clean) = known.get_mut(&key) {
            lowered = lowered.saturating_add(u64::from(clean.lowered));
            let load: Vec<(usize, u64)> = groups.iter().map(|one| (one.entry, one.count)).collect();
            if !clean.loads.contains(&load) {
                check_load(
                    facts,
                    sites,
                    &mut domain_labels,
                    (at, &launch.spec),
                    &clean.resolved,
                    groups,
                    out,
                );
                if out.len() == before {
                    let _new = clean.loads.insert(load);
                }
            }
            continue;
        }
        let spec = (at, &*launch.spec);
        let Some((resolved, is_lowered)) = check_spec(facts, sites, &domain_labels, spec, out)
        else {
            continue;
        };
        lowered = lowered.saturating_add(u64::from(is_lowered));
        let spec_is_clean = out.len() == before;
        check_load(facts, sites, &mut domain_labels, (at, &launch.spec), &resolved, groups, out);
        if spec_is_clean {
            let clean = CheckedSpec { resolved, lowered: is_lowered, loads: BTreeSet::new() };
            let _new = known.insert(key, clean);
        }
    }
    lowered
}

/// Reports what is wrong with a specification, whatever pods are there.
fn check_spec<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    domain_labels: &DomainLabels<'a>,
    (launch, spec): (usize, &'a LaunchSpec),
    out: &mut Vec<Violation>,
) -> Option<(ResolvedSpec<'a>, bool)> {
    let Some(pool) = facts.pool(&spec.node_pool) else {
        out.push(Violation::NodePoolUnknown { launch, node_pool: spec.node_pool.clone() });
        return None;
    };
    let (mut stated, mut asked) = (spec.taints.clone(), pool.1.taints.clone());
    stated.sort_unstable();
    asked.sort_unstable();
    if stated != asked {
        out.push(Violation::TaintsWrong { launch, node_pool: pool.1.name.clone() });
    }
    check_order(launch, spec, out);
    let place = PlanPlace::Launch(launch);
    let choice = offering::check(facts, sites, pool, (&spec.offering, spec), &place, out)?;
    let capacity = {
        let site = sites.get(choice)?;
        label::check(facts, launch, &site.labels, &spec.labels, out);
        check_site(site, spec, domain_labels, &place, out);
        site.capacity.clone()
    };
    let mut alternatives = Vec::new();
    for (alternative, other) in spec.alternatives.iter().enumerate() {
        if *other == spec.offering {
            continue;
        }
        let place = PlanPlace::Alternative { launch, alternative };
        let Some(id) = offering::check(facts, sites, pool, (other, spec), &place, out) else {
            continue;
        };
        let Some(site) = sites.get(id) else { continue };
        check_site(site, spec, domain_labels, &place, out);
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
    let resolved = ResolvedSpec { pool: pool.1, choice, alternatives };
    let ids = std::iter::once(choice).chain(resolved.alternatives.iter().map(|(_, id)| *id));
    let lowered = min_values::check(launch, spec, pool.1, ids, sites, out);
    Some((resolved, lowered))
}

/// Reports alternatives that aren't sorted, or don't include the choice.
fn check_order(launch: usize, spec: &LaunchSpec, out: &mut Vec<Violation>) {
    if !spec.alternatives.contains(&spec.offering) {
        out.push(Violation::ChoiceNotListed { launch });
    }
    let pairs = spec.alternatives.iter().zip(spec.alternatives.iter().skip(1));
    if let Some(at) = pairs.into_iter().position(|(one, next)| one >= next) {
        let alternative = at.saturating_add(1);
        out.push(Violation::AlternativesUnsorted { launch, alternative });
    }
}

/// Reports requirements that don't hold of a site, and labels that daemon sets and rules over
/// domains need fixed.
fn check_site(
    site: &Site<'_>,
    spec: &LaunchSpec,
    domain_labels: &DomainLabels<'_>,
    place: &PlanPlace,
    out: &mut Vec<Violation>,
) {
    for one in spec.requirements.iter() {
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

/// Reports what is wrong with pods on a specification.
fn check_load<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    domain_labels: &mut DomainLabels<'a>,
    (launch, spec): (usize, &LaunchSpec),
    resolved: &ResolvedSpec<'a>,
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
    check_requests(launch, spec, &load.requests, &site.daemon_requests, out);
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
fn check_requests(
    launch: usize,
    spec: &LaunchSpec,
    pods: &Amounts<'_>,
    daemons: &Amounts<'_>,
    out: &mut Vec<Violation>,
) {
    let mut expected = pods.clone();
    resource::add_all(&mut expected, daemons);
    let (low, high) =
        (resource::rounded_down(&spec.requests), resource::rounded_up(&spec.requests));
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
