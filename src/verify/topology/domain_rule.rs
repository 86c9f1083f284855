//! What rules over domains say about the end, whatever the order of binding: as far as any plan of
//! which a certificate speaks must keep it.
//!
//! - A spread: where its pods are, a domain's bound pods and they are at most `maxSkew` more than
//!   what the lowest domain has. When the last of them was bound there were all these, and lowest
//!   counts only rise. The domains are those of nodes that stand, and those in which a launch of
//!   such a pod could be: a plan that gets round a spread by not launching anything in a zone is
//!   none that a certificate speaks of.
//! - Affinity: where its pods are, there are others that it means, or bound ones. Only the very
//!   first pod may have come by itself, so of domains with neither there is one at most, and none
//!   where bound pods are meant.
//! - Anti-affinity: where its pods are, there is nobody else that it means.
//!
//! A rule that this plan doesn't keep in this sense, as a spread that is only preferred may be,
//! binds no other plan either.

use super::super::facts::Facts;
use super::super::label::{self, NodeLabels};
use super::super::node_affinity::PodNodeRules;
use super::super::offering::lists;
use super::super::resource::{self, Amounts};
use super::super::violation::PlanPlace;
use super::super::volume::{self, VolumeLimits};
use super::super::{host_port, taint};
use super::final_state::FinalState;
use super::rules::{PodCounter, TopologyRuleSet};
use crate::model::{NodeInclusionPolicy, NodePool, Pod, TopologySpreadConstraint, well_known};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Numbers of pods by the value of a label.
pub(in super::super) type CountByValue = BTreeMap<Arc<str>, u64>;

/// A rule over the values of a label; classes of pods are meant by their numbers.
#[derive(Clone, Debug)]
pub(in super::super) struct DomainRule {
    /// The label over whose values it counts.
    pub(in super::super) key: Arc<str>,
    /// The classes that have it.
    pub(in super::super) owners: BTreeSet<usize>,
    /// The classes that it means.
    pub(in super::super) meant: BTreeSet<usize>,
    /// Bound pods that it means.
    pub(in super::super) bound: CountByValue,
    /// What it asks of the counts.
    pub(in super::super) what: DomainRuleKind,
}

/// What it says.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in super::super) enum DomainRuleKind {
    /// A spread: its `maxSkew`, and the values that there are or could be.
    Spread(u64, BTreeSet<Arc<str>>),
    /// Required affinity.
    Affinity,
    /// Required anti-affinity.
    AntiAffinity,
}

/// A spread over hosts that must be kept: a fresh node has none of what it counts, and one can
/// always be launched, so a node never has more than this of it.
#[derive(Clone, Debug)]
pub(in super::super) struct HostSpreadRule {
    /// The class that has it.
    pub(in super::super) class: usize,
    /// Whether it counts itself.
    pub(in super::super) own: bool,
    /// How far a domain may be above the lowest.
    pub(in super::super) skew: u64,
    /// Bound pods that it counts, by the name of their node.
    pub(in super::super) bound: CountByValue,
}

impl DomainRule {
    /// Whether it holds where so many pods of owners, and of those that it means and aren't owners,
    /// are at each value.
    pub(in super::super) fn holds(&self, owners: &CountByValue, others: &CountByValue) -> bool {
        let at = |counts: &CountByValue, value: &Arc<str>| counts.get(value).copied().unwrap_or(0);
        let is_meant = !self.owners.is_disjoint(&self.meant);
        let mut used = owners.iter().filter(|(_, count)| **count > 0);
        match &self.what {
            DomainRuleKind::Spread(skew, values) => {
                let sum = |value: &Arc<str>| {
                    let pending = at(owners, value).saturating_add(at(others, value));
                    pending.saturating_add(at(&self.bound, value))
                };
                let lowest = values.iter().map(sum).min().unwrap_or(0);
                used.all(|(value, count)| {
                    at(&self.bound, value).saturating_add(*count) <= lowest.saturating_add(*skew)
                })
            }
            DomainRuleKind::Affinity => {
                let alone =
                    |value: &Arc<str>| at(others, value) == 0 && at(&self.bound, value) == 0;
                let first = is_meant && self.bound.values().all(|count| *count == 0);
                used.filter(|(value, _)| alone(value)).count() <= usize::from(first)
            }
            DomainRuleKind::AntiAffinity => {
                used.all(|(value, count)| at(others, value) == 0 && (!is_meant || *count <= 1))
            }
        }
    }
}

/// What spreads of several classes must have in common for each to look at the pods of all:
/// wherever one of them counts a pod the others do.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct SharedSpreadKey {
    counter: usize,
    skew: u64,
    /// For each offer, whether its launches count, where that is certain.
    looked_at: Vec<Option<bool>>,
    /// The class, where that isn't certain of all.
    alone: Option<usize>,
}

/// The classes that share a spread, and the values that each of their pods could have.
struct SharedSpread {
    owners: BTreeSet<usize>,
    values: BTreeSet<Arc<str>>,
}

/// The rules that pending pods have and this plan keeps; `of_entry`: the classes of the entries
/// placed.
pub(super) fn domain_rules(
    facts: &Facts<'_>,
    state: &FinalState<'_>,
    rules: &TopologyRuleSet,
    of_entry: &BTreeMap<usize, usize>,
) -> Vec<DomainRule> {
    let classes: BTreeSet<usize> = state.placed.iter().map(|member| member.class).collect();
    let offers = LaunchableOffers::of(facts);
    let mut spreads: BTreeMap<SharedSpreadKey, SharedSpread> = BTreeMap::new();
    // Pods of one class may still ask for different amounts.
    for (entry, class) in of_entry {
        let (Some(own), Some(pod)) = (rules.of_class.get(*class), facts.problem.pods.get(*entry))
        else {
            continue;
        };
        let constraints = &pod.topology_spread_constraints;
        for (spread, one) in own.spreads.iter().zip(constraints).filter(|(spread, _)| spread.own) {
            let Some(counter) = rules.counters.get(spread.counter) else { continue };
            let key = key_of(rules, counter);
            if &*key == well_known::HOSTNAME {
                continue;
            }
            let looked_at = offers.counted(pod, one);
            let mut values = offers.values(pod, &key, &looked_at);
            values.extend(standing(state, rules, counter));
            let alone = looked_at.contains(&None).then_some(*class);
            let (counter, skew) = (spread.counter, spread.max_skew);
            let alike = SharedSpreadKey { counter, skew, looked_at, alone };
            let shared = spreads.entry(alike).or_insert_with(|| SharedSpread {
                owners: BTreeSet::new(),
                values: values.clone(),
            });
            let _new = shared.owners.insert(*class);
            shared.values.retain(|value| values.contains(value));
        }
    }
    let mut domain_rules = Vec::new();
    for (SharedSpreadKey { counter, skew, .. }, SharedSpread { owners, values }) in spreads {
        let Some(counter) = rules.counters.get(counter) else { continue };
        domain_rules.push(rule(rules, counter, owners, DomainRuleKind::Spread(skew, values)));
    }
    for class in classes {
        let Some(own) = rules.of_class.get(class) else { continue };
        let affinity = own.affinity.iter().map(|at| (at, DomainRuleKind::Affinity));
        let anti_affinity = own.anti_affinity.iter().map(|at| (at, DomainRuleKind::AntiAffinity));
        for (at, what) in affinity.chain(anti_affinity) {
            let Some(counter) = rules.counters.get(*at) else { continue };
            domain_rules.push(rule(rules, counter, BTreeSet::from([class]), what));
        }
    }
    domain_rules.retain(|rule| !offers.open.contains(&*rule.key) && is_kept(state, rules, rule));
    domain_rules
}

/// The spreads over hosts that placed pods must keep, as far as no node of this plan has more:
/// where no fresh node can be launched, the lowest count isn't 0.
pub(super) fn host_spreads(state: &FinalState<'_>, rules: &TopologyRuleSet) -> Vec<HostSpreadRule> {
    let classes: BTreeSet<usize> = state.placed.iter().map(|member| member.class).collect();
    let mut host_spreads = Vec::new();
    for class in classes {
        let spreads = rules.of_class.get(class).into_iter().flat_map(|own| &own.spreads);
        for spread in spreads.filter(|spread| spread.hard) {
            let Some(counter) = rules.counters.get(spread.counter) else { continue };
            if &*key_of(rules, counter) == well_known::HOSTNAME {
                let mut held: BTreeMap<usize, u64> = BTreeMap::new();
                for member in state.placed.iter().filter(|member| member.class == class) {
                    let sum = held.entry(member.host).or_insert(0);
                    *sum = sum.saturating_add(member.count);
                }
                let is_kept = held.into_iter().all(|(host, count)| {
                    let bound = rules.domain(counter, host).map_or(0, |at| counter.count(at));
                    bound.saturating_add(if spread.own { count } else { 0 }) <= spread.max_skew
                });
                let rule = rule(rules, counter, BTreeSet::new(), DomainRuleKind::Affinity);
                let (own, skew, bound) = (spread.own, spread.max_skew, rule.bound);
                host_spreads.extend(is_kept.then_some(HostSpreadRule { class, own, skew, bound }));
            }
        }
    }
    host_spreads
}

fn key_of(rules: &TopologyRuleSet, counter: &PodCounter) -> Arc<str> {
    let key = rules.keys.get(counter.key).map_or("", |key| &*key.key);
    well_known::normalized(key).into()
}

fn rule(
    rules: &TopologyRuleSet,
    counter: &PodCounter,
    owners: BTreeSet<usize>,
    what: DomainRuleKind,
) -> DomainRule {
    let name = |domain: &usize| rules.keys.get(counter.key)?.names.get(*domain).cloned();
    let bound = counter.counts.iter();
    DomainRule {
        key: key_of(rules, counter),
        owners,
        meant: counter.classes.iter().copied().collect(),
        bound: bound.filter_map(|(domain, count)| Some((name(domain)?, *count))).collect(),
        what,
    }
}

/// The values that running nodes have which count.
fn standing(
    state: &FinalState<'_>,
    rules: &TopologyRuleSet,
    counter: &PodCounter,
) -> BTreeSet<Arc<str>> {
    let mut values = BTreeSet::new();
    let Some(key) = rules.keys.get(counter.key) else { return values };
    for (host, domain) in state.hosts.iter().zip(&key.of_host) {
        let counts = counter.profiles.get(host.profile) == Some(&true);
        if let (PlanPlace::Node(_), true, Some(domain)) = (&host.place, counts, domain) {
            values.extend(key.names.get(*domain).cloned());
        }
    }
    values
}

/// Whether the plan keeps a rule.
fn is_kept(state: &FinalState<'_>, rules: &TopologyRuleSet, rule: &DomainRule) -> bool {
    let Some(key) = rules.keys.iter().find(|key| well_known::normalized(&key.key) == &*rule.key)
    else {
        return false;
    };
    let (mut owners, mut others) = (CountByValue::new(), CountByValue::new());
    for member in &state.placed {
        let domain = key.of_host.get(member.host).copied().flatten();
        let Some(value) = domain.and_then(|domain| key.names.get(domain)) else { continue };
        let counts = if rule.owners.contains(&member.class) {
            &mut owners
        } else if rule.meant.contains(&member.class) {
            &mut others
        } else {
            continue;
        };
        let sum = counts.entry(value.clone()).or_insert(0);
        *sum = sum.saturating_add(member.count);
    }
    rule.holds(&owners, &others)
}

/// What could be launched.
struct LaunchableOffers<'a> {
    facts: &'a Facts<'a>,
    offers: Vec<LaunchableOffer<'a>>,
    /// Labels that some launches leave open.
    open: BTreeSet<&'a str>,
}

/// Something that could be launched.
struct LaunchableOffer<'a> {
    pool: &'a NodePool,
    labels: NodeLabels<'a>,
    allocatable: Amounts<'a>,
    volume_limits: &'a VolumeLimits,
}

impl<'a> LaunchableOffers<'a> {
    fn of(facts: &'a Facts<'a>) -> Self {
        let mut offers = Self { facts, offers: Vec::new(), open: BTreeSet::new() };
        for pool in facts.problem.node_pools.iter().filter(|pool| pool.replicas.is_none()) {
            for instance_type in facts
                .problem
                .instance_types
                .iter()
                .filter(|instance_type| lists(pool, &instance_type.name))
            {
                for offering in instance_type.offerings.iter().filter(|offering| offering.available)
                {
                    let (labels, contradictions) =
                        label::of_launch(facts, pool, instance_type, offering);
                    if contradictions.is_empty() {
                        offers.open.extend(labels.open.keys());
                        let allocatable = resource::allocatable(instance_type);
                        let volume_limits = &instance_type.volume_limits;
                        let offer = LaunchableOffer { pool, labels, allocatable, volume_limits };
                        offers.offers.push(offer);
                    }
                }
            }
        }
        offers
    }

    /// For each offer, whether its launches count for a spread; nothing where that isn't certain.
    fn counted(&self, pod: &Pod, one: &TopologySpreadConstraint) -> Vec<Option<bool>> {
        let alike = pod
            .topology_spread_constraints
            .iter()
            .filter(|other| other.when_unsatisfiable == one.when_unsatisfiable);
        let keys: Vec<&str> = alike
            .map(|other| well_known::normalized(&other.topology_key))
            .filter(|key| *key != well_known::HOSTNAME)
            .collect();
        let rules = PodNodeRules::of(pod);
        let of_offer = |offer: &LaunchableOffer<'a>| {
            let labels = &offer.labels;
            let tolerated = one.node_taints_policy == NodeInclusionPolicy::Ignore
                || taint::untolerated(pod, offer.pool.taints.iter()).is_none();
            if !tolerated {
                return Some(false);
            }
            if keys.iter().any(|key| labels.open.contains_key(key)) {
                return None;
            }
            let labelled = keys.iter().all(|key| labels.known.contains_key(key));
            if one.node_affinity_policy == NodeInclusionPolicy::Ignore || rules.surely_hold(labels)
            {
                return Some(labelled);
            }
            if rules.could_hold(labels) { None } else { Some(false) }
        };
        self.offers.iter().map(of_offer).collect()
    }

    /// The values of a label with which such a pod could be launched alone on offers that count.
    fn values(&self, pod: &Pod, key: &str, counted: &[Option<bool>]) -> BTreeSet<Arc<str>> {
        let mut values = BTreeSet::new();
        for (offer, counts) in self.offers.iter().zip(counted) {
            let Some(value) = offer.labels.known.get(key) else { continue };
            if !values.contains(*value) && *counts == Some(true) && self.takes(offer, pod) {
                let _new = values.insert(Arc::from(*value));
            }
        }
        values
    }

    /// Whether a launch of it could hold the pod alone.
    fn takes(&self, offer: &LaunchableOffer<'a>, pod: &Pod) -> bool {
        let rules = PodNodeRules::of(pod);
        let suits = taint::untolerated(pod, offer.pool.taints.iter()).is_none()
            && rules.surely_hold(&offer.labels)
            && rules.unreachable(&offer.labels).next().is_none();
        if !suits {
            return false;
        }
        let daemons = self.facts.problem.daemon_sets.iter().filter(|daemon| {
            taint::untolerated(daemon, offer.pool.taints.iter()).is_none()
                && PodNodeRules::of(daemon).could_hold(&offer.labels)
                && PodNodeRules::of(daemon).could_reach(&offer.labels)
        });
        let daemons: Vec<&Pod> = daemons.collect();
        let present = daemons.iter().copied();
        let limits = offer.volume_limits;
        let attaches_daemons = volume::attaches_daemons(limits, present.clone());
        if !attaches_daemons || !volume::attaches(limits, present, pod) {
            return false;
        }
        let mut requests = Amounts::new();
        for daemon in daemons {
            if host_port::clashes(pod, daemon) {
                return false;
            }
            resource::add(&mut requests, daemon, 1);
        }
        resource::add(&mut requests, pod, 1);
        resource::lacking(&requests, &offer.allocatable).next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::{CountByValue, DomainRule, DomainRuleKind};
    use std::collections::BTreeSet;

    /// Class 0 owns the rule; it means class 1, and class 0 too where `is_meant`.
    fn rule(what: DomainRuleKind, is_meant: bool, bound: &[(&str, u64)]) -> DomainRule {
        let meant = if is_meant { BTreeSet::from([0, 1]) } else { BTreeSet::from([1]) };
        let (key, owners) = ("zone".into(), BTreeSet::from([0]));
        DomainRule { key, owners, meant, bound: counts(bound), what }
    }

    fn counts(pairs: &[(&str, u64)]) -> CountByValue {
        pairs.iter().map(|(value, count)| ((*value).into(), *count)).collect()
    }

    #[track_caller]
    fn holds(rule: &DomainRule, owners: &[(&str, u64)], others: &[(&str, u64)], expected: bool) {
        assert_eq!(rule.holds(&counts(owners), &counts(others)), expected);
    }

    #[test]
    fn a_spread_is_above_the_lowest_by_its_skew_at_most() {
        let values = || BTreeSet::from(["a".into(), "b".into()]);
        let plain = rule(DomainRuleKind::Spread(1, values()), true, &[]);
        holds(&plain, &[("a", 1)], &[], true);
        holds(&plain, &[("a", 2)], &[], false);
        holds(&plain, &[("a", 2), ("b", 1)], &[], true);
        // Others that it counts fill the lowest domain, and bound pods both.
        holds(&plain, &[("a", 2)], &[("b", 1)], true);
        let bound = rule(DomainRuleKind::Spread(1, values()), true, &[("a", 1), ("b", 1)]);
        holds(&bound, &[("a", 1)], &[], true);
        holds(&bound, &[("a", 2)], &[], false);
        // Where it has no pods it asks nothing.
        holds(&bound, &[("a", 0)], &[("a", 9)], true);
    }

    #[test]
    fn affinity_lets_the_first_come_by_itself() {
        let to_itself = rule(DomainRuleKind::Affinity, true, &[]);
        holds(&to_itself, &[("a", 3)], &[], true);
        holds(&to_itself, &[("a", 3), ("b", 1)], &[], false);
        holds(&to_itself, &[("a", 3), ("b", 1)], &[("b", 1)], true);
        let to_others = rule(DomainRuleKind::Affinity, false, &[]);
        holds(&to_others, &[("a", 1)], &[], false);
        holds(&to_others, &[("a", 1)], &[("a", 1)], true);
        // Once somebody is bound whom it means, nobody is the first.
        let bound = rule(DomainRuleKind::Affinity, true, &[("b", 1)]);
        holds(&bound, &[("a", 1)], &[], false);
        holds(&bound, &[("b", 1)], &[], true);
    }

    #[test]
    fn anti_affinity_is_alone_in_its_domains() {
        let to_itself = rule(DomainRuleKind::AntiAffinity, true, &[]);
        holds(&to_itself, &[("a", 1), ("b", 1)], &[], true);
        holds(&to_itself, &[("a", 2)], &[], false);
        holds(&to_itself, &[("a", 1)], &[("a", 1)], false);
        let to_others = rule(DomainRuleKind::AntiAffinity, false, &[]);
        holds(&to_others, &[("a", 2)], &[("b", 1)], true);
        holds(&to_others, &[("a", 2)], &[("a", 1)], false);
        holds(&to_others, &[("a", 0)], &[("a", 1)], true);
    }
}
