//! What each kind of pods asks of domains: which kinds it counts, over which key, on which nodes.

use super::super::anti_affinity::term_selects;
use super::super::facts::{Facts, selects};
use super::super::label::NodeLabels;
use super::super::node_affinity::{Answer, NodeRules};
use super::super::taint;
use super::scene::Scene;
use crate::model::{
    LabelSelector, NodeInclusionPolicy, Pod, PodAffinityTerm, SelectorOperator, Taint,
    TopologySpreadConstraint, WhenUnsatisfiable, well_known,
};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// The rules of every kind, with what they count.
#[derive(Clone)]
pub(super) struct Rules {
    /// Topology keys, with the domain of each host.
    pub(super) keys: Vec<Domains>,
    pub(super) counters: Vec<Counter>,
    /// For each kind, the counters that count it.
    pub(super) counted_by: Vec<Vec<usize>>,
    /// For each kind, its own rules.
    pub(super) of_kind: Vec<KindRules>,
}

/// The domains of a topology key.
#[derive(Clone)]
pub(super) struct Domains {
    pub(super) key: Arc<str>,
    /// For each host, its domain; nothing where it lacks the label.
    pub(super) of_host: Vec<Option<usize>>,
    pub(super) names: Vec<Arc<str>>,
}

/// How many pods of some kinds are in each domain.
#[derive(Clone)]
pub(super) struct Counter {
    pub(super) key: usize,
    pub(super) kinds: Rc<Vec<usize>>,
    /// For each look, whether its nodes count.
    pub(super) looks: Rc<Vec<bool>>,
    /// By domain; domains that aren't there have none.
    pub(super) counts: BTreeMap<usize, u64>,
    /// How many domains the counted nodes have.
    pub(super) domains: usize,
}

/// The rules of one kind; numbers are of counters and keys.
#[derive(Clone, Default)]
pub(super) struct KindRules {
    pub(super) spreads: Vec<Spread>,
    /// Required affinity: one counter for each key.
    pub(super) near: Vec<usize>,
    /// Whether a pod of the kind is what it needs itself.
    pub(super) near_self: bool,
    pub(super) far: Vec<usize>,
    pub(super) wish_near: Vec<(u64, usize)>,
    pub(super) wish_far: Vec<(u64, usize)>,
}

/// A spread constraint.
#[derive(Clone)]
pub(super) struct Spread {
    pub(super) counter: usize,
    pub(super) max_skew: u64,
    pub(super) min_domains: usize,
    pub(super) own: bool,
    pub(super) hard: bool,
}

impl Counter {
    /// The lowest count of any domain; of fewer domains than wanted, 0.
    pub(super) fn least(&self, min_domains: usize) -> u64 {
        if self.counts.len() < self.domains || self.domains < min_domains {
            return 0;
        }
        self.counts.values().min().copied().unwrap_or(0)
    }

    pub(super) fn count(&self, domain: usize) -> u64 {
        self.counts.get(&domain).copied().unwrap_or(0)
    }

    pub(super) fn total(&self) -> u64 {
        self.counts.values().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

impl Rules {
    /// Works out the rules, and counts the bound pods.
    pub(super) fn of(facts: &Facts<'_>, scene: &Scene<'_>) -> Self {
        let rules = Self {
            keys: Vec::new(),
            counters: Vec::new(),
            counted_by: vec![Vec::new(); scene.kinds.len()],
            of_kind: Vec::new(),
        };
        let mut maker = Maker {
            facts,
            scene,
            rules,
            by_key: BTreeMap::new(),
            by_label: BTreeMap::new(),
            known: BTreeMap::new(),
            lists: BTreeMap::new(),
            looks: BTreeMap::new(),
        };
        maker.index();
        for kind in 0..scene.kinds.len() {
            let rules = maker.kind(kind);
            maker.rules.of_kind.push(rules);
        }
        let mut rules = maker.rules;
        for (at, counter) in rules.counters.iter().enumerate() {
            for kind in counter.kinds.iter() {
                if let Some(list) = rules.counted_by.get_mut(*kind) {
                    list.push(at);
                }
            }
        }
        for member in &scene.bound {
            rules.count(scene, member.kind, member.host, member.count);
        }
        rules
    }

    /// Counts pods of a kind on a host.
    pub(super) fn count(&mut self, scene: &Scene<'_>, kind: usize, host: usize, count: u64) {
        let Self { keys, counters, counted_by, .. } = self;
        let Some(look) = scene.hosts.get(host).map(|host| host.look) else { return };
        for at in counted_by.get(kind).into_iter().flatten() {
            let Some(counter) = counters.get_mut(*at) else { continue };
            let domain = keys.get(counter.key).and_then(|key| key.of_host.get(host).copied()?);
            if let (Some(domain), Some(true)) = (domain, counter.looks.get(look)) {
                let sum = counter.counts.entry(domain).or_insert(0);
                *sum = sum.saturating_add(count);
            }
        }
    }

    /// The domain of a host for a counter.
    pub(super) fn domain(&self, counter: &Counter, host: usize) -> Option<usize> {
        self.keys.get(counter.key)?.of_host.get(host).copied()?
    }
}

/// Works out rules, with what several kinds share kept.
struct Maker<'s, 'a> {
    facts: &'s Facts<'a>,
    scene: &'s Scene<'a>,
    rules: Rules,
    by_key: BTreeMap<Arc<str>, usize>,
    /// Kinds by a label that they have.
    by_label: BTreeMap<(&'a str, &'a str), Vec<usize>>,
    /// Counters by key, kinds and looks.
    known: BTreeMap<(usize, usize, usize), usize>,
    lists: BTreeMap<Vec<usize>, (usize, Rc<Vec<usize>>)>,
    looks: BTreeMap<Vec<bool>, (usize, Rc<Vec<bool>>)>,
}

impl Maker<'_, '_> {
    fn index(&mut self) {
        for (at, kind) in self.scene.kinds.iter().enumerate() {
            for (key, value) in kind.pod.labels.iter() {
                self.by_label.entry((key, value)).or_default().push(at);
            }
        }
    }

    fn kind(&mut self, kind: usize) -> KindRules {
        let mut rules = KindRules::default();
        let Some(pod) = self.scene.kinds.get(kind).map(|kind| kind.pod) else { return rules };
        // A bound pod was accepted long ago: only its anti-affinity still binds others.
        for one in &pod.topology_spread_constraints {
            let kinds =
                self.selected(one.label_selector.as_ref(), |other| spread_selects(pod, one, other));
            let own = kinds.binary_search(&kind).is_ok();
            let looks = self.counted(pod, one);
            rules.spreads.push(Spread {
                counter: self.counter(&one.topology_key, kinds, looks),
                max_skew: u64::from(one.max_skew),
                min_domains: one.min_domains.map_or(0, |least| least as usize),
                own,
                hard: one.when_unsatisfiable == WhenUnsatisfiable::DoNotSchedule,
            });
        }
        let Some(affinity) = pod.affinity.as_deref() else { return rules };
        let required = &affinity.pod_affinity.required;
        if let Some((first, others)) = required.split_first() {
            // A pod counts for any term only if it meets them all.
            let kinds = self.selected(first.label_selector.as_ref(), |other| {
                std::iter::once(first)
                    .chain(others)
                    .all(|term| term_selects(self.facts, pod, term, other))
            });
            rules.near_self = kinds.binary_search(&kind).is_ok();
            let names: BTreeSet<&Arc<str>> =
                required.iter().map(|term| &term.topology_key).collect();
            for key in names {
                let looks = vec![true; self.scene.looks.len()];
                rules.near.push(self.counter(key, kinds.clone(), looks));
            }
        }
        for term in &affinity.pod_anti_affinity.required {
            rules.far.push(self.term(pod, term));
        }
        for wish in &affinity.pod_affinity.preferred {
            rules.wish_near.push((wish.weight.into(), self.term(pod, &wish.term)));
        }
        for wish in &affinity.pod_anti_affinity.preferred {
            rules.wish_far.push((wish.weight.into(), self.term(pod, &wish.term)));
        }
        rules
    }

    fn term(&mut self, pod: &Pod, term: &PodAffinityTerm) -> usize {
        let kinds = self.selected(term.label_selector.as_ref(), |other| {
            term_selects(self.facts, pod, term, other)
        });
        let looks = vec![true; self.scene.looks.len()];
        self.counter(&term.topology_key, kinds, looks)
    }

    /// The kinds that a selector could mean and that pass, ascending.
    fn selected(
        &self,
        selector: Option<&LabelSelector>,
        passes: impl Fn(&Pod) -> bool,
    ) -> Vec<usize> {
        let Some(selector) = selector else { return Vec::new() };
        let equal = selector.match_labels.iter().next().map(|(key, value)| (&**key, &**value));
        let listed = || {
            selector.match_expressions.iter().find_map(|one| match &one.values[..] {
                [value] if one.operator == SelectorOperator::In => Some((&*one.key, &**value)),
                _ => None,
            })
        };
        let pod = |at: &usize| self.scene.kinds.get(*at).is_some_and(|kind| passes(kind.pod));
        match equal.or_else(listed) {
            Some(label) => {
                self.by_label.get(&label).into_iter().flatten().copied().filter(pod).collect()
            }
            None => (0..self.scene.kinds.len()).filter(pod).collect(),
        }
    }

    /// The looks of nodes that count for a spread.
    fn counted(&self, pod: &Pod, one: &TopologySpreadConstraint) -> Vec<bool> {
        let looks = self.scene.looks.iter();
        looks.map(|look| counts(pod, one, &look.labels, look.taints.iter().copied())).collect()
    }

    fn counter(&mut self, key: &Arc<str>, kinds: Vec<usize>, looks: Vec<bool>) -> usize {
        let key = self.key(key);
        let next = self.lists.len();
        let (list, kinds) = self
            .lists
            .entry(kinds)
            .or_insert_with_key(|kinds| (next, Rc::new(kinds.clone())))
            .clone();
        let next = self.looks.len();
        let (number, looks) = self
            .looks
            .entry(looks)
            .or_insert_with_key(|looks| (next, Rc::new(looks.clone())))
            .clone();
        if let Some(known) = self.known.get(&(key, list, number)) {
            return *known;
        }
        let of_host = self.rules.keys.get(key).map_or(&[][..], |key| &key.of_host);
        let counted = self
            .scene
            .hosts
            .iter()
            .zip(of_host)
            .filter(|(host, _)| looks.get(host.look).copied().unwrap_or(false));
        let domains: BTreeSet<usize> = counted.filter_map(|(_, domain)| *domain).collect();
        let domains = domains.len();
        self.rules.counters.push(Counter { key, kinds, looks, counts: BTreeMap::new(), domains });
        let at = self.rules.counters.len().saturating_sub(1);
        let _new = self.known.insert((key, list, number), at);
        at
    }

    fn key(&mut self, key: &Arc<str>) -> usize {
        if let Some(known) = self.by_key.get(key) {
            return *known;
        }
        let normalized = well_known::normalized(key);
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let mut of_host = Vec::with_capacity(self.scene.hosts.len());
        for (at, host) in self.scene.hosts.iter().enumerate() {
            let labels = self.scene.looks.get(host.look).map(|look| &look.labels);
            let value = labels.and_then(|labels| labels.known.get(normalized).copied());
            of_host.push(match value {
                Some(value) => Some(*numbers.entry(value).or_insert_with(|| {
                    names.push(value.into());
                    names.len().saturating_sub(1)
                })),
                // A launch is a host of its own.
                None if normalized == well_known::HOSTNAME => {
                    names.push(format!("launch {at}").into());
                    Some(names.len().saturating_sub(1))
                }
                None => None,
            });
        }
        self.rules.keys.push(Domains { key: key.clone(), of_host, names });
        let at = self.rules.keys.len().saturating_sub(1);
        let _new = self.by_key.insert(key.clone(), at);
        at
    }
}

/// Whether a node counts for a spread of a pod: it has all keys of the spreads of its kind, and passes the
/// inclusion policies.
pub(super) fn counts<'t>(
    pod: &Pod,
    one: &TopologySpreadConstraint,
    labels: &NodeLabels<'_>,
    taints: impl Iterator<Item = &'t Taint>,
) -> bool {
    let mut alike = pod
        .topology_spread_constraints
        .iter()
        .filter(|other| other.when_unsatisfiable == one.when_unsatisfiable)
        .map(|other| well_known::normalized(&other.topology_key));
    alike.all(|key| key == well_known::HOSTNAME || labels.known.contains_key(key))
        && (one.node_affinity_policy == NodeInclusionPolicy::Ignore
            || NodeRules::of(pod).answer(labels) == Answer::Yes)
        && (one.node_taints_policy == NodeInclusionPolicy::Ignore
            || taint::untolerated(pod, taints).is_none())
}

/// Whether a spread of a pod counts another.
fn spread_selects(owner: &Pod, one: &TopologySpreadConstraint, other: &Pod) -> bool {
    let label = |key: &str| other.labels.get(key).map(|value| &**value);
    owner.namespace == other.namespace
        && one.label_selector.as_ref().is_some_and(|selector| selects(selector, label))
        && one
            .match_label_keys
            .iter()
            .all(|key| owner.labels.get(key).is_none_or(|value| label(key) == Some(&**value)))
}
