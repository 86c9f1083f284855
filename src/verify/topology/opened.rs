//! What an alternative of a launch would change for spreads that must be kept.
//!
//! A plan is judged with every launch as its choice has it. A spread sees of a launch whether it
//! counts, in which domain it is, and how many pods of its selection it holds. With an alternative
//! in another domain (or one that counts where the choice doesn't, or the other way round), a
//! launch that holds such pods would change the counts; one that holds none could only add a domain
//! with nobody in it, which is as bad unless the domain stands anyway. A domain that goes does no
//! harm: it had nobody either.

use super::super::facts::Facts;
use super::super::node_affinity::PodNodeRules;
use super::super::offering;
use super::super::site::Sites;
use super::super::violation::{PlanPlace, Violation};
use super::final_state::FinalState;
use super::rules::{TopologyRuleSet, counts};
use crate::model::{NodeInclusionPolicy, NodePool, Pod, TopologySpreadConstraint, well_known};
use crate::plan::{LaunchPlan, LaunchTemplate, OfferingRef};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Spreads of placed pods over another label than the hostname that see the same nodes.
struct CheckedSpread<'s> {
    /// One of those that have one of them, and which.
    pod: &'s Pod,
    spread: &'s TopologySpreadConstraint,
    key: &'s str,
    /// The classes that any of them counts.
    classes: BTreeSet<usize>,
    /// The values of the label that counted nodes of the plan have.
    standing: BTreeSet<&'s str>,
}

impl CheckedSpread<'_> {
    /// Whether a spread of a pod sees the nodes that these see.
    fn is_of(&self, pod: &Pod, spread: &TopologySpreadConstraint) -> bool {
        let keys = |pod: &Pod, one: &TopologySpreadConstraint| -> BTreeSet<Arc<str>> {
            let all = pod.topology_spread_constraints.iter();
            let alike = all.filter(|other| other.when_unsatisfiable == one.when_unsatisfiable);
            alike.map(|other| Arc::from(well_known::normalized(&other.topology_key))).collect()
        };
        let node_rules = |pod| {
            let (selector, required, _) = PodNodeRules::of(pod).said();
            (selector, required)
        };
        let honoured = NodeInclusionPolicy::Honor;
        self.key == well_known::normalized(&spread.topology_key)
            && self.spread.node_affinity_policy == spread.node_affinity_policy
            && self.spread.node_taints_policy == spread.node_taints_policy
            && (spread.node_affinity_policy != honoured || node_rules(self.pod) == node_rules(pod))
            && (spread.node_taints_policy != honoured || self.pod.tolerations == pod.tolerations)
            && keys(self.pod, self.spread) == keys(pod, spread)
    }
}

/// For each view, the domain in which it sees a node, if that counts.
type DomainsSeen = Vec<Option<Arc<str>>>;

/// An alternative, and the views that see it elsewhere than the choice, and where.
type MovedAlternative = (usize, Vec<(usize, Option<Arc<str>>)>);

/// Reports alternatives that would break a spread.
///
/// An alternative may be harmful in two ways: to the launch's own pods, which a spread would count
/// in another domain than the plan says; and to others, by a domain that didn't exist and has a
/// count of nothing. Launches of one template have the same alternatives, so those are looked at
/// once.
pub(super) fn check<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    plan: &'a LaunchPlan,
    (state, rules): (&FinalState<'a>, &TopologyRuleSet),
    out: &mut Vec<Violation>,
) {
    let views = views(state, rules);
    if views.is_empty() {
        return;
    }
    let mut classes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for member in &state.placed {
        if let Some(PlanPlace::Launch(at)) = state.hosts.get(member.host).map(|host| &host.place) {
            classes.entry(*at).or_default().push(member.class);
        }
    }
    let mut of_sites = SiteViews {
        facts,
        sites,
        views: &views,
        of_site: BTreeMap::new(),
        numbers: BTreeMap::new(),
        distinct: Vec::new(),
    };
    let mut known: BTreeMap<*const LaunchTemplate, Vec<MovedAlternative>> = BTreeMap::new();
    for (launch, one) in plan.launches.iter().enumerate() {
        let moved = known
            .entry(Arc::as_ptr(&one.template))
            .or_insert_with(|| of_sites.moved(&one.template));
        let own = classes.get(&launch).map_or(&[][..], |classes| classes);
        for (alternative, elsewhere) in moved {
            for (at, seen) in elsewhere {
                let Some(view) = views.get(*at) else { continue };
                let (alternative, key) = (*alternative, Arc::from(view.key));
                if own.iter().any(|class| view.classes.contains(class)) {
                    out.push(Violation::AlternativeElsewhere { launch, alternative, key });
                } else if let Some(domain) = seen
                    && !view.standing.contains(&**domain)
                {
                    let domain = domain.clone();
                    out.push(Violation::AlternativeOpensDomain {
                        launch,
                        alternative,
                        key,
                        domain,
                    });
                }
            }
        }
    }
}

fn views<'s>(state: &'s FinalState<'_>, rules: &'s TopologyRuleSet) -> Vec<CheckedSpread<'s>> {
    let placed: BTreeSet<usize> = state.placed.iter().map(|member| member.class).collect();
    let mut views: Vec<CheckedSpread<'s>> = Vec::new();
    for class in placed {
        let (Some(own), Some(of_class)) = (rules.of_class.get(class), state.classes.get(class))
        else {
            continue;
        };
        let pod = of_class.pod;
        let spreads = own.spreads.iter().zip(&pod.topology_spread_constraints);
        for (at, spread) in spreads.filter(|(one, _)| one.hard).map(|(one, of)| (one.counter, of)) {
            let key = well_known::normalized(&spread.topology_key);
            let Some(counter) = rules.counters.get(at).filter(|_| key != well_known::HOSTNAME)
            else {
                continue;
            };
            let Some(domains) = rules.keys.get(counter.key) else { continue };
            if let Some(view) = views.iter_mut().find(|view| view.is_of(pod, spread)) {
                view.classes.extend(counter.classes.iter());
                continue;
            }
            let hosts = state.hosts.iter().zip(&domains.of_host);
            let counted =
                hosts.filter(|(host, _)| counter.profiles.get(host.profile) == Some(&true));
            let names = counted.filter_map(|(_, domain)| domains.names.get((*domain)?));
            let standing = names.map(|name| &**name).collect();
            let classes = counter.classes.iter().copied().collect();
            views.push(CheckedSpread { pod, spread, key, classes, standing });
        }
    }
    views
}

/// What spreads see of sites, each worked out once.
struct SiteViews<'v, 's, 'a> {
    facts: &'v Facts<'a>,
    sites: &'v mut Sites<'a>,
    views: &'v [CheckedSpread<'s>],
    of_site: BTreeMap<usize, usize>,
    numbers: BTreeMap<DomainsSeen, usize>,
    distinct: Vec<DomainsSeen>,
}

impl<'a> SiteViews<'_, '_, 'a> {
    /// The number of what the spreads see of a choice.
    fn of(
        &mut self,
        pool: (usize, &'a NodePool),
        template: &'a LaunchTemplate,
        choice: &OfferingRef,
    ) -> Option<usize> {
        // What is wrong with it has been said.
        let (place, mut said) = (PlanPlace::Launch(0), Vec::new());
        let id =
            offering::check(self.facts, self.sites, pool, (choice, template), &place, &mut said)?;
        if let Some(known) = self.of_site.get(&id) {
            return Some(*known);
        }
        let labels = &self.sites.get(id)?.labels;
        let seen = self.views.iter().map(|view| {
            let value = labels.known.get(view.key)?;
            let counts = counts(view.pod, view.spread, labels, pool.1.taints.iter());
            counts.then(|| Arc::from(*value))
        });
        let seen: DomainsSeen = seen.collect();
        let next = self.distinct.len();
        let number = *self.numbers.entry(seen).or_insert_with_key(|seen| {
            self.distinct.push(seen.clone());
            next
        });
        let _new = self.of_site.insert(id, number);
        Some(number)
    }

    /// The alternatives that some spread sees elsewhere than the choice.
    fn moved(&mut self, template: &'a LaunchTemplate) -> Vec<MovedAlternative> {
        let Some(pool) = self.facts.pool(&template.node_pool) else { return Vec::new() };
        let Some(of_choice) = self.of(pool, template, &template.offering) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for (alternative, other) in template.alternatives.iter().enumerate() {
            let of_other = self.of(pool, template, other).filter(|number| *number != of_choice);
            let seen = |number: usize| self.distinct.get(number);
            let (Some(one), Some(other)) = (seen(of_choice), of_other.and_then(seen)) else {
                continue;
            };
            let pairs = one.iter().zip(other).enumerate();
            let elsewhere = pairs.filter(|(_, (one, other))| one != other);
            found
                .push((alternative, elsewhere.map(|(at, (_, seen))| (at, seen.clone())).collect()));
        }
        found
    }
}
