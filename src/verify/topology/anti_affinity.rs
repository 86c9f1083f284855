//! Required anti-affinity over labels, the hostname among them where nodes share its value, and
//! alternatives that would move a pod into another domain.

use super::super::anti_affinity::term_selects;
use super::super::facts::{EntryPods, Facts};
use super::super::node_affinity::PodNodeRules;
use super::super::violation::Violation;
use super::final_state::{FinalState, PodsOnNode};
use super::rules::{Domains, TopologyRuleSet};
use super::selected_pods::SelectedPods;
use crate::model::{NodeInclusionPolicy, Pod, PodAffinityTerm, WhenUnsatisfiable, well_known};
use std::collections::{BTreeMap, BTreeSet};

/// Reports pods that are in one domain although the anti-affinity of either forbids it.
pub(super) fn check(state: &FinalState<'_>, rules: &TopologyRuleSet, out: &mut Vec<Violation>) {
    // By class: where its pods are, and whether the plan put any there.
    let mut where_is: BTreeMap<usize, Vec<(&PodsOnNode, bool)>> = BTreeMap::new();
    for (members, pending) in [(&state.bound, false), (&state.placed, true)] {
        for member in members {
            where_is.entry(member.class).or_default().push((member, pending));
        }
    }
    let over_hosts = |key: &Domains| well_known::normalized(&key.key) == well_known::HOSTNAME;
    // Single nodes are judged with the nodes; kube-scheduler counts by value, which several may
    // have in common.
    let apart: Vec<bool> =
        rules.keys.iter().map(|key| over_hosts(key) && !key.has_shared()).collect();
    for (class, own) in rules.of_class.iter().enumerate() {
        for at in &own.anti_affinity {
            let Some(counter) = rules.counters.get(*at) else { continue };
            let Some(key) = rules.keys.get(counter.key) else { continue };
            if apart.get(counter.key) == Some(&true) {
                continue;
            }
            let over_hosts = over_hosts(key);
            let mut owners: BTreeMap<usize, Vec<(&PodsOnNode, bool)>> = BTreeMap::new();
            for (member, pending) in where_is.get(&class).into_iter().flatten() {
                if let Some(domain) = rules.domain(counter, member.host) {
                    owners.entry(domain).or_default().push((member, *pending));
                }
            }
            for other in counter.classes.iter() {
                for (member, pending) in where_is.get(other).into_iter().flatten() {
                    let domain = rules.domain(counter, member.host);
                    let Some(owners) = domain.and_then(|domain| owners.get(&domain)) else {
                        continue;
                    };
                    let clash = owners.iter().find(|(owner, of_plan)| {
                        let same = std::ptr::eq(*owner, *member);
                        (*of_plan || *pending)
                            && (!same || member.count > 1)
                            && !(over_hosts && owner.host == member.host)
                    });
                    if let Some((owner, _)) = clash {
                        out.push(Violation::DomainAntiAffinity {
                            pod: owner.first.clone(),
                            other: member.first.clone(),
                            key: key.key.clone(),
                            domain: domain
                                .and_then(|domain| key.names.get(domain).cloned())
                                .unwrap_or_else(|| "".into()),
                        });
                    }
                }
            }
        }
    }
}

/// For pods of an entry, the labels in which alternatives of their launch must agree with its
/// choice: the domains of rules that they have, or of affinity and anti-affinity that mean them.
pub(in super::super) struct DomainLabels<'a> {
    /// Terms that mean a pod together, with their owners: an affinity with all its terms, an
    /// anti-affinity term by itself where it is over another label than the hostname and selects
    /// any pod at all.
    rules: Vec<(&'a Pod, &'a [PodAffinityTerm])>,
    /// The label keys that decide whether and where a node counts for any rule between pods,
    /// required or preferred.
    counted: BTreeSet<&'a str>,
    known: BTreeMap<usize, BTreeSet<&'a str>>,
}

impl<'a> DomainLabels<'a> {
    pub(in super::super) fn of(facts: &Facts<'a>) -> Self {
        let mut rules: Vec<(&'a Pod, &'a [PodAffinityTerm])> = Vec::new();
        let wide = |term: &PodAffinityTerm| {
            well_known::normalized(&term.topology_key) != well_known::HOSTNAME
        };
        let mut counted: BTreeSet<&'a str> = BTreeSet::new();
        let mut selected = SelectedPods::of(facts);
        for pod in &facts.problem.pods {
            let is_pending = pod.node_name.is_none();
            if is_pending {
                let spreads = pod.topology_spread_constraints.iter();
                counted.extend(spreads.map(|one| well_known::normalized(&one.topology_key)));
                // Whether a node counts depends on what the pods ask of it.
                let mut spreads = pod.topology_spread_constraints.iter();
                if spreads.any(|one| one.node_affinity_policy == NodeInclusionPolicy::Honor) {
                    let keys = PodNodeRules::of(pod).keys();
                    counted.extend(keys.map(well_known::normalized));
                }
            }
            let Some(affinity) = pod.affinity.as_deref() else { continue };
            let node = pod.node_name.as_ref().and_then(|name| facts.node(name));
            if node.is_some_and(|(_, node)| node.deleting) {
                continue;
            }
            // What a bound pod needed doesn't matter any more; whom it keeps away does.
            let required = &affinity.pod_affinity.required;
            if pod.node_name.is_none() && !required.is_empty() {
                rules.push((pod, required));
            }
            let (affinity_rules, anti_affinity_rules) =
                (&affinity.pod_affinity, &affinity.pod_anti_affinity);
            let preferred_terms =
                affinity_rules.preferred.iter().chain(&anti_affinity_rules.preferred);
            let preferred_terms = preferred_terms
                .map(|preferred_term| &preferred_term.term)
                .chain(&affinity_rules.required);
            let mut apart = anti_affinity_rules.required.chunks(1).collect::<Vec<_>>();
            apart.retain(|terms| terms.iter().any(|term| selected.are_any(pod, term)));
            let terms =
                preferred_terms.filter(|_| is_pending).chain(apart.iter().copied().flatten());
            counted.extend(terms.map(|term| well_known::normalized(&term.topology_key)));
            let apart = apart.into_iter().filter(|terms| terms.iter().any(wide));
            rules.extend(apart.map(|terms| (pod, terms)));
        }
        Self { rules, counted, known: BTreeMap::new() }
    }

    /// Whether it depends on a label whether or where a node counts for any rule between pods,
    /// whatever runs there.
    pub(in super::super) fn depends_on(&self, key: &str) -> bool {
        self.counted.contains(key)
    }

    /// Whether pods of an entry are tied to others over domains: by rules of their own, over single
    /// nodes too, or by those of others.
    pub(in super::super) fn is_tied(&mut self, facts: &Facts<'a>, group: &EntryPods<'a>) -> bool {
        let affinity = group.pod.affinity.as_deref();
        let own = affinity.is_some_and(|rules| !rules.pod_affinity.required.is_empty());
        own || !self.keys(facts, group).is_empty()
    }

    /// The labels of one entry; the hostname among them where an affinity over it means the pod.
    pub(in super::super) fn keys(
        &mut self,
        facts: &Facts<'a>,
        group: &EntryPods<'a>,
    ) -> &BTreeSet<&'a str> {
        let rules = &self.rules;
        self.known.entry(group.entry).or_insert_with(|| {
            let mut keys: BTreeSet<&'a str> = group
                .pod
                .topology_spread_constraints
                .iter()
                .filter(|one| one.when_unsatisfiable == WhenUnsatisfiable::DoNotSchedule)
                .map(|one| well_known::normalized(&one.topology_key))
                .filter(|key| *key != well_known::HOSTNAME)
                .collect();
            for (owner, terms) in rules {
                let means = |term: &PodAffinityTerm| term_selects(facts, owner, term, group.pod);
                if std::ptr::eq(*owner, group.pod) || terms.iter().all(means) {
                    keys.extend(terms.iter().map(|one| well_known::normalized(&one.topology_key)));
                }
            }
            keys
        })
    }
}
