//! What rules between pods hold against a place, as the finished plan counts.
//!
//! *Problem.* A pod that no place takes by spreads and affinities was judged while pods were placed
//! one by one. What its owner sees is the end: the counts in the finished plan are what must be
//! told.
//!
//! *Idea.* Each rule is asked by itself about one more pod at a place, with the final counts. The
//! answer is a set of [`Barrier`]s, small and ordered, which can be compared and counted over many
//! places; only those that are told become causes, with names and numbers.
//!
//! *Right.* The conditions are those of kube-scheduler's filters for the pod bound last: required
//! anti-affinity in both directions, affinity with its exception for the first of a group, skew
//! against the lowest domain that counts.
//!
//! *Cost.* The number of the class's rules for each place; causes look at all domains of a key.

use super::super::placement::PlacedNodes;
use super::super::rules::HostSpread;
use super::{LeftOut, ReasonFinder};
use crate::compile::{KeyId, NO_DOMAIN, NodeId, SelectionId, TopologyKey};
use crate::explain::Cause;
use crate::model::well_known;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A rule between pods that keeps a pod from a place.
///
/// The order is the one in which an owner would rather hear of them; each is judged as if the
/// others weren't there.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Barrier {
    /// The place lacks a label that the pod's rules count over.
    Unlabelled(KeyId),
    /// Anti-affinity, the pod's own or others', with pods that are there.
    AntiAffinity(TopologyKey),
    /// Whom the pod must be with isn't there.
    Affinity(TopologyKey),
    /// The pod's spread of this number over a label finds the domain full.
    Spread(usize),
    /// The pod's spread of this number over nodes finds the node full.
    HostSpread(usize),
    /// The node would be the first in a domain, which others' spreads don't allow.
    Opens(KeyId),
}

impl<'c> ReasonFinder<'c> {
    /// What keeps a pod from a site: from an empty node there, or from those of a group.
    ///
    /// Counts are those of the finished plan, bound pods among them. A pod that nobody's rule reads
    /// has none of these.
    ///
    /// `nodes` is `None` for a node yet to be launched: rules over single nodes can't bar it but
    /// for an affinity over hosts, which an empty node never meets unless the pod may be the first.
    pub(super) fn barriers(
        &self,
        asked: &LeftOut<'_>,
        site: usize,
        nodes: Option<&PlacedNodes<'_>>,
    ) -> BTreeSet<Barrier> {
        let mut found = BTreeSet::new();
        if !asked.tied {
            return found;
        }
        let (placement, rules) = (&self.placement, &self.placement.rules.of_class[asked.class]);
        let (compiled, counters) = (placement.compiled(), &placement.rules.counters);
        let of_site = |key: KeyId| compiled.topology.keys[key].of_site[site];
        let domain = |at: usize| placement.rules.domain(compiled, at, site);
        let is_there =
            |at: usize| domain(at).is_some_and(|there| placement.domains.counts[at][there] > 0);
        for at in rules.anti_affinity.iter().filter(|at| is_there(**at)) {
            let _new = found.insert(Barrier::AntiAffinity(TopologyKey::Label(counters[*at].key)));
        }
        for (key, domain) in &asked.kept_away {
            if *domain == of_site(*key) {
                let _new = found.insert(Barrier::AntiAffinity(TopologyKey::Label(*key)));
            }
        }
        if nodes.is_some_and(|nodes| self.is_apart(asked, nodes)) {
            let _new = found.insert(Barrier::AntiAffinity(TopologyKey::Hostname));
        }
        if let Some(affinity) = rules.affinity {
            let first = affinity.own && placement.domains.totals[affinity.total] == 0;
            for at in &rules.affinity_counters {
                let key = counters[*at].key;
                if of_site(key) == NO_DOMAIN {
                    let _new = found.insert(Barrier::Unlabelled(key));
                } else if !first && !is_there(*at) {
                    let _new = found.insert(Barrier::Affinity(TopologyKey::Label(key)));
                }
            }
            let here = nodes.map_or(0, |nodes| placement.on_node(nodes, affinity.selection));
            if affinity.over_hosts && !first && here == 0 {
                let _new = found.insert(Barrier::Affinity(TopologyKey::Hostname));
            }
        }
        for (number, spread) in rules.spreads.iter().enumerate() {
            let key = counters[spread.counter].key;
            if of_site(key) == NO_DOMAIN {
                let _new = found.insert(Barrier::Unlabelled(key));
                continue;
            }
            // A node that isn't counted now, for its labels or taints, is once these let the pod be
            // there; and an empty node counts itself.
            let there = of_site(key) as usize;
            let exists = placement.domains.exists[spread.counter][there] > 0;
            let count = placement.domains.counts[spread.counter][there];
            let least = placement.domains.least(spread.counter, spread.min_domains);
            let least = if exists { least } else { least.min(count) };
            if is_full(spread.max_skew + least - count, spread.own) {
                let _new = found.insert(Barrier::Spread(number));
            }
        }
        for (number, spread) in rules.host_spreads.iter().enumerate() {
            let Some(nodes) = nodes.filter(|_| spread.counted.contains(site)) else { continue };
            let here = i64::from(placement.on_node(nodes, spread.selection));
            if is_full(spread.max_skew - here, spread.own) {
                let _new = found.insert(Barrier::HostSpread(number));
            }
        }
        found
    }

    /// Whether pods on a group's nodes may not share one with the pod.
    ///
    /// Pods placed by the plan are looked up by class, pods bound before by what each selection
    /// counts on the node, and terms of bound pods that select this one are known ahead as
    /// `kept_off`.
    fn is_apart(&self, asked: &LeftOut<'_>, nodes: &PlacedNodes<'_>) -> bool {
        let compiled = self.placement.compiled();
        let apart = &compiled.classes[asked.class].host_conflicts;
        if nodes.pods.iter().any(|(held, _)| apart.binary_search(held).is_ok()) {
            return true;
        }
        let Some(list) = nodes.on.running() else { return false };
        let Some(node) = list.first() else { return false };
        let topology = &compiled.topology;
        let holds = |selection: SelectionId| {
            let bound = &topology.selections[selection].bound;
            bound.binary_search_by_key(node, |(of, _)| *of).is_ok()
        };
        let mut own = topology.rules[asked.class].anti_affinity.iter();
        own.any(|term| term.key == TopologyKey::Hostname && holds(term.selection))
            || asked.kept_off.binary_search(node).is_ok()
    }

    /// A barrier as a cause; `plain`: without what stops the pod in the lowest domain of a spread.
    pub(super) fn barrier_cause(
        &mut self,
        asked: &LeftOut<'c>,
        barrier: Barrier,
        site: usize,
        plain: bool,
    ) -> Cause {
        let placement = &self.placement;
        let topology = &placement.compiled().topology;
        let name = |key: KeyId| topology.keys[key].name.clone();
        match barrier {
            Barrier::Unlabelled(key) => Cause::TopologyKey { key: name(key) },
            Barrier::AntiAffinity(TopologyKey::Hostname) => {
                Cause::PodAntiAffinity { key: well_known::HOSTNAME.into(), domains: Vec::new() }
            }
            Barrier::AntiAffinity(TopologyKey::Label(key)) => Cause::PodAntiAffinity {
                key: name(key),
                domains: self.anti_affinity_domains(asked, key),
            },
            Barrier::Affinity(TopologyKey::Hostname) => self.host_affinity(asked),
            Barrier::Affinity(TopologyKey::Label(key)) => self.affinity(asked, key),
            Barrier::Spread(number) => self.spread(asked, number, site, plain),
            Barrier::HostSpread(number) => {
                let spread = &placement.rules.of_class[asked.class].host_spreads[number];
                Cause::TopologySpread {
                    key: well_known::HOSTNAME.into(),
                    max_skew: whole(spread.max_skew),
                    least: 0,
                    full: self.full_nodes(spread),
                    lowest: None,
                }
            }
            Barrier::Opens(key) => {
                let of_key = &topology.keys[key];
                let domain = of_key.names.get(of_key.of_site[site] as usize);
                let domain = domain.cloned().unwrap_or_else(|| "".into());
                Cause::EmptyDomain { key: name(key), domain }
            }
        }
    }

    /// The running nodes that have as many pods as a spread over nodes allows, with their counts.
    ///
    /// Launches aren't listed: they have no names yet, and one more launch would be empty.
    fn full_nodes(&self, spread: &HostSpread) -> Vec<(Arc<str>, u32)> {
        let compiled = self.placement.compiled();
        let mut full = Vec::new();
        for at in &self.running {
            let nodes = &self.placement.groups[*at];
            let here = self.placement.on_node(nodes, spread.selection);
            if spread.counted.contains(nodes.site)
                && is_full(spread.max_skew - i64::from(here), spread.own)
                && let Some(list) = nodes.on.running()
            {
                let name =
                    |node: &NodeId| compiled.parts.node(compiled.nodes[*node].index).name.clone();
                full.extend(list.iter().map(|node| (name(node), here)));
            }
        }
        full.sort_unstable();
        full
    }

    /// The domains of a key that anti-affinity keeps a pod out of.
    ///
    /// Domains with pods that the class's own terms select, and those where others' terms select
    /// it.
    fn anti_affinity_domains(&self, asked: &LeftOut<'_>, key: KeyId) -> Vec<Arc<str>> {
        let placement = &self.placement;
        let rules = &placement.rules;
        let of_key = &placement.compiled().topology.keys[key];
        let mut domains: BTreeSet<usize> = BTreeSet::new();
        let of_class = &rules.of_class[asked.class];
        for at in of_class.anti_affinity.iter().filter(|at| rules.counters[**at].key == key) {
            let counts = placement.domains.counts[*at].iter().enumerate();
            domains.extend(counts.filter(|(_, count)| **count > 0).map(|(domain, _)| domain));
        }
        let away = asked.kept_away.iter().filter(|(of, _)| *of == key);
        domains.extend(away.map(|(_, domain)| *domain as usize));
        let mut names: Vec<Arc<str>> =
            domains.iter().filter_map(|domain| of_key.names.get(*domain).cloned()).collect();
        names.sort_unstable();
        names
    }

    /// The pod must share a domain of a key with others.
    ///
    /// Where domains are listed, the pod could go there as far as this rule is concerned; an empty
    /// list means that none of those whom it needs has a place.
    fn affinity(&self, asked: &LeftOut<'_>, key: KeyId) -> Cause {
        let placement = &self.placement;
        let rules = &placement.rules;
        let topology = &placement.compiled().topology;
        let of_class = &rules.of_class[asked.class];
        if self.is_circle(asked) {
            return Cause::MutualAffinity;
        }
        let of_key = &topology.keys[key];
        let mut domains: Vec<Arc<str>> = Vec::new();
        for at in of_class.affinity_counters.iter().filter(|at| rules.counters[**at].key == key) {
            let counts = placement.domains.counts[*at].iter().zip(&of_key.names);
            domains.extend(counts.filter(|(count, _)| **count > 0).map(|(_, name)| name.clone()));
        }
        domains.sort_unstable();
        domains.dedup();
        Cause::PodAffinity { key: of_key.name.clone(), domains }
    }

    /// Whether none of those whom the pod needs has a place, and all wait for others themselves.
    ///
    /// Then no order of binding starts: each waits for the next. The pod itself doesn't count,
    /// since one that its own term selects may be the first.
    fn is_circle(&self, asked: &LeftOut<'_>) -> bool {
        let placement = &self.placement;
        let Some(affinity) = placement.rules.of_class[asked.class].affinity else { return false };
        let selected = &placement.compiled().topology.selections[affinity.selection].classes;
        let mut others = selected.iter().filter(|other| **other != asked.class).peekable();
        placement.domains.totals[affinity.total] == 0
            && others.peek().is_some()
            && others.all(|other| placement.rules.of_class[*other].affinity.is_some())
    }

    /// The pod must share a node with others.
    ///
    /// `full` says that at least one of the nodes with such pods lacks nothing but room, so that
    /// more room there is the remedy.
    pub(super) fn host_affinity(&self, asked: &LeftOut<'_>) -> Cause {
        let placement = &self.placement;
        let compiled = placement.compiled();
        let key: Arc<str> = well_known::HOSTNAME.into();
        let Some(affinity) = placement.rules.of_class[asked.class].affinity else {
            return Cause::PodAffinity { key, domains: Vec::new() };
        };
        if self.is_circle(asked) {
            return Cause::MutualAffinity;
        }
        let (mut nodes, mut launches, mut full) = (Vec::new(), 0_u32, false);
        for group in &placement.groups {
            if placement.on_node(group, affinity.selection) == 0 {
                continue;
            }
            full |= self.lacks_room_alone(asked, group);
            let count = if group.on.is_launch() { group.count } else { 0 };
            launches = launches.saturating_add(count);
            let name =
                |node: &NodeId| compiled.parts.node(compiled.nodes[*node].index).name.clone();
            nodes.extend(group.on.nodes().iter().map(name));
        }
        if nodes.is_empty() && launches == 0 {
            return Cause::PodAffinity { key, domains: Vec::new() };
        }
        nodes.sort_unstable();
        Cause::PodAffinityNode { nodes, launches, full }
    }

    /// Whether nothing but room keeps a pod from a group's nodes.
    ///
    /// Tests in the order of what they cost: bits first, rules between pods last.
    pub(super) fn lacks_room_alone(&self, asked: &LeftOut<'_>, nodes: &PlacedNodes<'c>) -> bool {
        let site_conditions = &self.placement.compiled().site_conditions;
        asked.suits.contains(nodes.site)
            && site_conditions.tolerated[asked.tolerations].contains(nodes.site)
            && !self.has_room(asked, nodes)
            && self.barriers(asked, nodes.site, Some(nodes)).is_empty()
    }

    /// A spread finds the domain of a site full.
    ///
    /// Three things can be told: that fewer domains stand than `minDomains` asks for, where the pod
    /// would fit otherwise; which domains are full; and, unless `plain`, what stops the pod in the
    /// first by name of the lowest domains, where a pod would restore the balance.
    fn spread(&mut self, asked: &LeftOut<'c>, number: usize, site: usize, plain: bool) -> Cause {
        let placement = &self.placement;
        let compiled = placement.compiled();
        let spread = placement.rules.of_class[asked.class].spreads[number];
        let key = placement.rules.counters[spread.counter].key;
        let of_key = &compiled.topology.keys[key];
        let counts = &placement.domains.counts[spread.counter];
        let (name, max_skew) = (of_key.name.clone(), whole(spread.max_skew));
        let domains = counts.iter().zip(&placement.domains.exists[spread.counter]);
        let standing: Vec<(usize, i64)> = domains
            .enumerate()
            .filter(|(_, (_, exists))| **exists > 0)
            .map(|(domain, (count, _))| (domain, *count))
            .collect();
        let listed = |keep: &dyn Fn(i64) -> bool| {
            let kept = standing.iter().filter(|(_, count)| keep(*count));
            let mut named: Vec<(Arc<str>, u32)> = kept
                .map(|(domain, count)| (of_key.names[*domain].clone(), whole(*count)))
                .collect();
            named.sort_unstable();
            named
        };
        let lowest = standing.iter().map(|(_, count)| *count).min().unwrap_or(0);
        let least = placement.domains.least(spread.counter, spread.min_domains);
        let here = placement.rules.domain(compiled, spread.counter, site);
        let count = here.map_or(0, |domain| counts[domain]);
        let too_few = standing.len() < spread.min_domains;
        if too_few && !is_full(spread.max_skew + lowest - count, spread.own) {
            let needed = u32::try_from(spread.min_domains).unwrap_or(u32::MAX);
            return Cause::MinDomains { key: name, max_skew, needed, domains: listed(&|_| true) };
        }
        let full = listed(&|count| is_full(spread.max_skew + least - count, spread.own));
        let mut low: Vec<usize> = standing
            .iter()
            .filter(|(_, count)| *count == lowest && !too_few)
            .map(|(domain, _)| *domain)
            .collect();
        low.sort_by_key(|domain| of_key.names[*domain].clone());
        let lowest = low.first().filter(|_| !plain).and_then(|domain| {
            let name = of_key.names[*domain].clone();
            let domain = u32::try_from(*domain).unwrap_or(NO_DOMAIN);
            Some((name, Box::new(self.stops(asked, key, domain)?)))
        });
        Cause::TopologySpread { key: name, max_skew, least: whole(least), full, lowest }
    }
}

/// Whether a domain with so much room takes no more; pods that a spread doesn't count themselves
/// need none.
///
/// Such a pod only needs that the domain isn't beyond the skew already.
fn is_full(room: i64, own: bool) -> bool {
    if own { room <= 0 } else { room < 0 }
}

/// Counts can be below zero only where a rule was relaxed; nobody is told of negative pods.
fn whole(count: i64) -> u32 {
    u32::try_from(count.max(0)).unwrap_or(u32::MAX)
}
