//! What bound pods fix about classes of pods, whatever a plan does: domains that anti-affinity
//! keeps them from, and labels that their nodes need.

use super::super::facts::Facts;
use super::domain_rule::{self, DomainRule, HostSpreadRule};
use super::final_state::FinalState;
use super::rules::TopologyRuleSet;
use crate::model::{Pod, WhenUnsatisfiable, well_known};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most pods for which it is worked out what rules say about the end.
pub(in super::super) const MOST_PODS: u64 = 64;

/// A label key, and values of it.
type Barred = (Arc<str>, Vec<Arc<str>>);

/// Placed pods by class, and what is fixed about each.
#[derive(Default)]
pub(in super::super) struct PlacedClasses {
    /// The classes of entries of which the plan places pods.
    pub(in super::super) of_entry: BTreeMap<usize, usize>,
    /// For each class, label keys other than the hostname with the values that its nodes can't
    /// have.
    pub(in super::super) barred: Vec<Vec<Barred>>,
    /// How many pods of each class the plan places.
    pub(in super::super) placed: BTreeMap<usize, u64>,
    /// What rules say about the end, where a certificate needs it.
    pub(in super::super) rules: Vec<DomainRule>,
    pub(in super::super) host_spreads: Vec<HostSpreadRule>,
}

impl PlacedClasses {
    pub(super) fn of(state: &mut FinalState<'_>, rules: &TopologyRuleSet) -> Self {
        let mut barred: Vec<BTreeMap<&str, BTreeSet<Arc<str>>>> =
            state.classes.iter().map(|_| BTreeMap::new()).collect();
        let mut bar = |class: usize, key: usize, domain: usize| {
            let Some(key) = rules.keys.get(key) else { return };
            let name = well_known::normalized(&key.key);
            // Single nodes are judged with the nodes.
            if name == well_known::HOSTNAME {
                return;
            }
            if let (Some(of_class), Some(value)) = (barred.get_mut(class), key.names.get(domain)) {
                let _new = of_class.entry(name).or_default().insert(value.clone());
            }
        };
        // Nothing but bound pods is counted here.
        for (class, own) in rules.of_class.iter().enumerate() {
            for counter in own.anti_affinity.iter().filter_map(|at| rules.counters.get(*at)) {
                counter.counts.keys().for_each(|domain| bar(class, counter.key, *domain));
            }
        }
        let mut seen = BTreeSet::new();
        for owner in &state.bound {
            let anti_affinity =
                rules.of_class.get(owner.class).into_iter().flat_map(|own| &own.anti_affinity);
            for at in anti_affinity {
                let Some(counter) = rules.counters.get(*at) else { continue };
                let Some(domain) = rules.domain(counter, owner.host) else { continue };
                if seen.insert((*at, domain)) {
                    counter.classes.iter().for_each(|class| bar(*class, counter.key, domain));
                }
            }
        }
        let listed = barred.into_iter().map(|of_class| {
            let values = |(key, values): (&str, BTreeSet<Arc<str>>)| {
                (Arc::from(key), values.into_iter().collect())
            };
            of_class.into_iter().map(values).collect()
        });
        Self {
            barred: listed.collect(),
            of_entry: std::mem::take(&mut state.of_entry),
            ..Self::default()
        }
    }

    /// Works out what rules say about the end.
    pub(super) fn note_rule(
        &mut self,
        facts: &Facts<'_>,
        state: &FinalState<'_>,
        rules: &TopologyRuleSet,
    ) {
        for member in &state.placed {
            let sum = self.placed.entry(member.class).or_insert(0);
            *sum = sum.saturating_add(member.count);
        }
        let pods = self.placed.values().fold(0, |sum: u64, count| sum.saturating_add(*count));
        if pods <= MOST_PODS {
            self.rules = domain_rule::domain_rules(facts, state, rules, &self.of_entry);
            self.host_spreads = domain_rule::host_spreads(state, rules);
        }
    }
}

/// The label keys, other than the hostname, without which a node can't have a pod: those of its
/// spreads that must be kept and of its required affinity.
pub(in super::super) fn needed_keys(pod: &Pod) -> impl Iterator<Item = &str> {
    let spreads = pod.topology_spread_constraints.iter();
    let hard = spreads.filter(|one| one.when_unsatisfiable == WhenUnsatisfiable::DoNotSchedule);
    let affinity = pod.affinity.as_deref().map_or(&[][..], |all| &all.pod_affinity.required);
    let keys =
        hard.map(|one| &one.topology_key).chain(affinity.iter().map(|one| &one.topology_key));
    keys.map(|key| well_known::normalized(key)).filter(|key| *key != well_known::HOSTNAME)
}
