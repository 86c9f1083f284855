//! What bound pods fix about kinds of pods, whatever a plan does: domains that anti-affinity keeps them
//! from, and labels that their nodes need.

use super::super::facts::Facts;
use super::rules::Rules;
use super::scene::Scene;
use super::ties::{self, Crowd, Tie};
use crate::model::{Pod, WhenUnsatisfiable, well_known};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most pods for which it is worked out what rules say about the end.
pub(in super::super) const MOST_PODS: u64 = 64;

/// A label key, and values of it.
type Barred = (Arc<str>, Vec<Arc<str>>);

/// Placed pods by kind, and what is fixed about each.
#[derive(Default)]
pub(in super::super) struct Kinds {
    /// The kinds of entries of which the plan places pods.
    pub(in super::super) of_entry: BTreeMap<usize, usize>,
    /// For each kind, label keys other than the hostname with the values that its nodes can't have.
    pub(in super::super) barred: Vec<Vec<Barred>>,
    /// How many pods of each kind the plan places.
    pub(in super::super) placed: BTreeMap<usize, u64>,
    /// What rules say about the end, where a certificate needs it.
    pub(in super::super) ties: Vec<Tie>,
    pub(in super::super) crowds: Vec<Crowd>,
}

impl Kinds {
    pub(super) fn of(scene: &mut Scene<'_>, rules: &Rules) -> Self {
        let mut barred: Vec<BTreeMap<&str, BTreeSet<Arc<str>>>> =
            scene.kinds.iter().map(|_| BTreeMap::new()).collect();
        let mut bar = |kind: usize, key: usize, domain: usize| {
            let Some(key) = rules.keys.get(key) else { return };
            let name = well_known::normalized(&key.key);
            // Single nodes are judged with the nodes.
            if name == well_known::HOSTNAME {
                return;
            }
            if let (Some(of_kind), Some(value)) = (barred.get_mut(kind), key.names.get(domain)) {
                let _new = of_kind.entry(name).or_default().insert(value.clone());
            }
        };
        // Nothing but bound pods is counted here.
        for (kind, own) in rules.of_kind.iter().enumerate() {
            for counter in own.far.iter().filter_map(|at| rules.counters.get(*at)) {
                counter.counts.keys().for_each(|domain| bar(kind, counter.key, *domain));
            }
        }
        let mut seen = BTreeSet::new();
        for owner in &scene.bound {
            let far = rules.of_kind.get(owner.kind).into_iter().flat_map(|own| &own.far);
            for at in far {
                let Some(counter) = rules.counters.get(*at) else { continue };
                let Some(domain) = rules.domain(counter, owner.host) else { continue };
                if seen.insert((*at, domain)) {
                    counter.kinds.iter().for_each(|kind| bar(*kind, counter.key, domain));
                }
            }
        }
        let listed = barred.into_iter().map(|of_kind| {
            let values = |(key, values): (&str, BTreeSet<Arc<str>>)| {
                (Arc::from(key), values.into_iter().collect())
            };
            of_kind.into_iter().map(values).collect()
        });
        Self {
            barred: listed.collect(),
            of_entry: std::mem::take(&mut scene.of_entry),
            ..Self::default()
        }
    }

    /// Works out what rules say about the end.
    pub(super) fn tie(&mut self, facts: &Facts<'_>, scene: &Scene<'_>, rules: &Rules) {
        for member in &scene.placed {
            let sum = self.placed.entry(member.kind).or_insert(0);
            *sum = sum.saturating_add(member.count);
        }
        let pods = self.placed.values().fold(0, |sum: u64, count| sum.saturating_add(*count));
        if pods <= MOST_PODS {
            self.ties = ties::ties(facts, scene, rules, &self.of_entry);
            self.crowds = ties::crowds(scene, rules);
        }
    }
}

/// The label keys, other than the hostname, without which a node can't have a pod: those of its spreads
/// that must be kept and of its required affinity.
pub(in super::super) fn needed_keys(pod: &Pod) -> impl Iterator<Item = &str> {
    let spreads = pod.topology_spread_constraints.iter();
    let hard = spreads.filter(|one| one.when_unsatisfiable == WhenUnsatisfiable::DoNotSchedule);
    let near = pod.affinity.as_deref().map_or(&[][..], |all| &all.pod_affinity.required);
    let keys = hard.map(|one| &one.topology_key).chain(near.iter().map(|one| &one.topology_key));
    keys.map(|key| well_known::normalized(key)).filter(|key| *key != well_known::HOSTNAME)
}
