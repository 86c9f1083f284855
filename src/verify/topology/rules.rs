//! What each class of pods asks of domains: which classes it counts, over which key, on which
//! nodes.
//!
//! A rule of Kubernetes names pods by a selector and namespaces, and domains by a label's key. Here
//! it becomes numbers: a *counter* is a set of classes, a key, and for each look of a node whether
//! it counts (a spread leaves nodes out that its pods couldn't use, by `nodeAffinityPolicy` and
//! `nodeTaintsPolicy`). Rules that agree in all three share a counter, so that placing a pod
//! updates each count once, however many rules read it.
//!
//! Sources: Kubernetes' documentation of topology spread constraints and of inter-pod affinity; the
//! corpus has a case for every sentence of them that matters here.

use super::super::anti_affinity::term_selects;
use super::super::facts::{Facts, selects};
use super::super::label::NodeLabels;
use super::super::node_affinity::{Answer, NodeRulesKey, PodNodeRules};
use super::super::taint;
use super::final_state::FinalState;
use crate::model::{
    LabelSelector, NodeInclusionPolicy, Pod, PodAffinityTerm, SelectorOperator, Taint, Toleration,
    TopologySpreadConstraint, WhenUnsatisfiable, well_known,
};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// The rules of every class, with what they count.
#[derive(Clone)]
pub(super) struct TopologyRuleSet {
    /// Topology keys, with the domain of each host.
    pub(super) keys: Vec<Domains>,
    /// Everything that some rule counts, each once.
    pub(super) counters: Vec<PodCounter>,
    /// For each class, the counters that count it.
    pub(super) counted_by: Vec<Vec<usize>>,
    /// For each class, its own rules.
    pub(super) of_class: Vec<TopologyClassRules>,
}

/// The domains of a topology key.
#[derive(Clone)]
pub(super) struct Domains {
    pub(super) key: Arc<str>,
    /// For each host, its domain; nothing where it lacks the label.
    pub(super) of_host: Vec<Option<usize>>,
    /// The label's values, by number of the domain.
    pub(super) names: Vec<Arc<str>>,
}

/// How many pods of some classes are in each domain.
#[derive(Clone)]
pub(super) struct PodCounter {
    pub(super) key: usize,
    /// The classes that it counts, ascending.
    pub(super) classes: Rc<Vec<usize>>,
    /// For each look, whether its nodes count.
    pub(super) profiles: Rc<Vec<bool>>,
    /// By domain; domains that aren't there have none.
    pub(super) counts: BTreeMap<usize, u64>,
    /// How many domains the counted nodes have.
    pub(super) domains: usize,
}

/// The rules of one class; numbers are of counters and keys.
#[derive(Clone, Default)]
pub(super) struct TopologyClassRules {
    /// Its topology spread constraints, required and preferred.
    pub(super) spreads: Vec<SpreadConstraint>,
    /// Required affinity: one counter for each key.
    pub(super) affinity: Vec<usize>,
    /// Whether a pod of the class is what it needs itself.
    pub(super) affinity_to_self: bool,
    /// Required anti-affinity: the counter of whom each term keeps away.
    pub(super) anti_affinity: Vec<usize>,
    /// Preferred affinity: weight and counter of each term.
    pub(super) preferred_affinity: Vec<(u64, usize)>,
    /// Preferred anti-affinity: weight and counter of each term.
    pub(super) preferred_anti_affinity: Vec<(u64, usize)>,
}

/// A spread constraint.
#[derive(Clone)]
pub(super) struct SpreadConstraint {
    /// What it counts.
    pub(super) counter: usize,
    /// How far a domain may be above the lowest.
    pub(super) max_skew: u64,
    /// With fewer domains the lowest counts as empty; 1 where nothing is said.
    pub(super) min_domains: usize,
    /// Whether it counts pods of its own class.
    pub(super) own: bool,
    /// Whether it must be kept (`DoNotSchedule`).
    pub(super) hard: bool,
}

impl Domains {
    /// Whether any two hosts are in one domain.
    pub(super) fn has_shared(&self) -> bool {
        let mut seen = BTreeSet::new();
        !self.of_host.iter().flatten().all(|domain| seen.insert(*domain))
    }
}

impl PodCounter {
    /// The lowest count of any domain; of fewer domains than wanted, 0.
    pub(super) fn least(&self, min_domains: usize) -> u64 {
        if self.counts.len() < self.domains || self.domains < min_domains {
            return 0;
        }
        self.counts.values().min().copied().unwrap_or(0)
    }

    /// How many pods it counts in a domain.
    pub(super) fn count(&self, domain: usize) -> u64 {
        self.counts.get(&domain).copied().unwrap_or(0)
    }

    /// How many pods it counts in all domains.
    pub(super) fn total(&self) -> u64 {
        self.counts.values().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

impl TopologyRuleSet {
    /// Works out the rules, and counts the bound pods.
    pub(super) fn of(facts: &Facts<'_>, state: &FinalState<'_>) -> Self {
        let rules = Self {
            keys: Vec::new(),
            counters: Vec::new(),
            counted_by: vec![Vec::new(); state.classes.len()],
            of_class: Vec::new(),
        };
        let mut reader = RuleReader {
            facts,
            state,
            rules,
            by_key: BTreeMap::new(),
            by_label: BTreeMap::new(),
            known: BTreeMap::new(),
            lists: BTreeMap::new(),
            profiles: BTreeMap::new(),
            of_spreads: HashMap::default(),
            all: None,
            domains: BTreeMap::new(),
        };
        reader.index();
        for class in 0..state.classes.len() {
            let rules = reader.class(class);
            reader.rules.of_class.push(rules);
        }
        let mut rules = reader.rules;
        for (at, counter) in rules.counters.iter().enumerate() {
            for class in counter.classes.iter() {
                if let Some(list) = rules.counted_by.get_mut(*class) {
                    list.push(at);
                }
            }
        }
        for member in &state.bound {
            rules.count(state, member.class, member.host, member.count);
        }
        rules
    }

    /// Counts pods of a class on a host.
    pub(super) fn count(&mut self, state: &FinalState<'_>, class: usize, host: usize, count: u64) {
        let Self { keys, counters, counted_by, .. } = self;
        let Some(profile) = state.hosts.get(host).map(|host| host.profile) else { return };
        for at in counted_by.get(class).into_iter().flatten() {
            let Some(counter) = counters.get_mut(*at) else { continue };
            let domain = keys.get(counter.key).and_then(|key| key.of_host.get(host).copied()?);
            if let (Some(domain), Some(true)) = (domain, counter.profiles.get(profile)) {
                let sum = counter.counts.entry(domain).or_insert(0);
                *sum = sum.saturating_add(count);
            }
        }
    }

    /// The domain of a host for a counter.
    pub(super) fn domain(&self, counter: &PodCounter, host: usize) -> Option<usize> {
        self.keys.get(counter.key)?.of_host.get(host).copied()?
    }
}

/// Works out rules, with what several classes share kept.
struct RuleReader<'s, 'a> {
    facts: &'s Facts<'a>,
    state: &'s FinalState<'a>,
    rules: TopologyRuleSet,
    by_key: BTreeMap<Arc<str>, usize>,
    /// Classes by a label that they have.
    by_label: BTreeMap<(&'a str, &'a str), Vec<usize>>,
    /// Counters by key, classes and looks.
    known: BTreeMap<(usize, usize, usize), usize>,
    lists: BTreeMap<Vec<usize>, (usize, Rc<Vec<usize>>)>,
    profiles: BTreeMap<Vec<bool>, LookSet>,
    /// The looks that count for spreads: thousands of classes ask for the same few nodes.
    of_spreads: HashMap<SpreadNodes<'a>, LookSet, FixedState>,
    /// The looks of all nodes, once that was asked.
    all: Option<LookSet>,
    /// By key and looks, how many domains there are.
    domains: BTreeMap<(usize, usize), usize>,
}

/// For each look whether its nodes count, with the number of that set.
type LookSet = (usize, Rc<Vec<bool>>);

/// What says which nodes count for a spread: the keys that they must have, and as far as the
/// inclusion policies ask for them the pod's rules about labels and its tolerations.
type SpreadNodes<'a> = (Vec<&'a str>, Option<NodeRulesKey<'a>>, Option<&'a [Toleration]>);

impl<'a> RuleReader<'_, 'a> {
    fn index(&mut self) {
        for (at, class) in self.state.classes.iter().enumerate() {
            for (key, value) in class.pod.labels.iter() {
                self.by_label.entry((key, value)).or_default().push(at);
            }
        }
    }

    /// The rules of a class, with counters for what they count.
    fn class(&mut self, class: usize) -> TopologyClassRules {
        let mut rules = TopologyClassRules::default();
        let Some(pod) = self.state.classes.get(class).map(|class| class.pod) else { return rules };
        // A bound pod was accepted long ago: only its anti-affinity still binds others.
        for one in &pod.topology_spread_constraints {
            let classes =
                self.selected(one.label_selector.as_ref(), |other| spread_selects(pod, one, other));
            let own = classes.binary_search(&class).is_ok();
            let looks = self.counted(pod, one);
            rules.spreads.push(SpreadConstraint {
                counter: self.counter(&one.topology_key, classes, looks),
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
            let classes = self.selected(first.label_selector.as_ref(), |other| {
                std::iter::once(first)
                    .chain(others)
                    .all(|term| term_selects(self.facts, pod, term, other))
            });
            rules.affinity_to_self = classes.binary_search(&class).is_ok();
            let names: BTreeSet<&Arc<str>> =
                required.iter().map(|term| &term.topology_key).collect();
            for key in names {
                let looks = self.everywhere();
                rules.affinity.push(self.counter(key, classes.clone(), looks));
            }
        }
        for term in &affinity.pod_anti_affinity.required {
            rules.anti_affinity.push(self.term(pod, term));
        }
        for preferred_term in &affinity.pod_affinity.preferred {
            rules
                .preferred_affinity
                .push((preferred_term.weight.into(), self.term(pod, &preferred_term.term)));
        }
        for preferred_term in &affinity.pod_anti_affinity.preferred {
            rules
                .preferred_anti_affinity
                .push((preferred_term.weight.into(), self.term(pod, &preferred_term.term)));
        }
        rules
    }

    /// The counter of an affinity term: nodes of every look count for it.
    fn term(&mut self, pod: &Pod, term: &PodAffinityTerm) -> usize {
        let classes = self.selected(term.label_selector.as_ref(), |other| {
            term_selects(self.facts, pod, term, other)
        });
        let looks = self.everywhere();
        self.counter(&term.topology_key, classes, looks)
    }

    /// The classes that a selector could mean and that pass, ascending.
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
        let pod = |at: &usize| self.state.classes.get(*at).is_some_and(|class| passes(class.pod));
        match equal.or_else(listed) {
            Some(label) => {
                self.by_label.get(&label).into_iter().flatten().copied().filter(pod).collect()
            }
            None => (0..self.state.classes.len()).filter(pod).collect(),
        }
    }

    /// The looks of nodes that count for a spread.
    fn counted(&mut self, pod: &'a Pod, one: &TopologySpreadConstraint) -> LookSet {
        let honoured = |policy| policy == NodeInclusionPolicy::Honor;
        let nodes: SpreadNodes<'a> = (
            keys_needed(pod, one).collect(),
            honoured(one.node_affinity_policy).then(|| PodNodeRules::of(pod).said()),
            honoured(one.node_taints_policy).then_some(&pod.tolerations[..]),
        );
        if let Some(known) = self.of_spreads.get(&nodes) {
            return known.clone();
        }
        let looks = self
            .state
            .profiles
            .iter()
            .map(|profile| counts(pod, one, &profile.labels, profile.taints.iter().copied()));
        let looks = self.numbered(looks.collect());
        let _new = self.of_spreads.insert(nodes, looks.clone());
        looks
    }

    /// The looks of all nodes.
    fn everywhere(&mut self) -> LookSet {
        if let Some(all) = &self.all {
            return all.clone();
        }
        let all = self.numbered(vec![true; self.state.profiles.len()]);
        self.all = Some(all.clone());
        all
    }

    fn numbered(&mut self, looks: Vec<bool>) -> LookSet {
        let next = self.profiles.len();
        self.profiles
            .entry(looks)
            .or_insert_with_key(|looks| (next, Rc::new(looks.clone())))
            .clone()
    }

    /// The counter of these classes over a key on nodes of these looks, which is made where there
    /// is none.
    fn counter(
        &mut self,
        key: &Arc<str>,
        classes: Vec<usize>,
        (number, profiles): LookSet,
    ) -> usize {
        let key = self.key(key);
        let next = self.lists.len();
        let (list, classes) = self
            .lists
            .entry(classes)
            .or_insert_with_key(|classes| (next, Rc::new(classes.clone())))
            .clone();
        if let Some(known) = self.known.get(&(key, list, number)) {
            return *known;
        }
        let domains = *self.domains.entry((key, number)).or_insert_with(|| {
            let of_host = self.rules.keys.get(key).map_or(&[][..], |key| &key.of_host);
            let hosts = self.state.hosts.iter().zip(of_host);
            let counted = hosts
                .filter(|(host, _)| profiles.get(host.profile).copied().unwrap_or(false))
                .filter_map(|(_, domain)| *domain);
            counted.collect::<BTreeSet<usize>>().len()
        });
        self.rules.counters.push(PodCounter {
            key,
            classes,
            profiles,
            counts: BTreeMap::new(),
            domains,
        });
        let at = self.rules.counters.len().saturating_sub(1);
        let _new = self.known.insert((key, list, number), at);
        at
    }

    /// The number of a topology key, whose domains are listed where it is new.
    fn key(&mut self, key: &Arc<str>) -> usize {
        if let Some(known) = self.by_key.get(key) {
            return *known;
        }
        let normalized = well_known::normalized(key);
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let mut of_host = Vec::with_capacity(self.state.hosts.len());
        for (at, host) in self.state.hosts.iter().enumerate() {
            let labels = self.state.profiles.get(host.profile).map(|profile| &profile.labels);
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

/// Whether a node counts for a spread of a pod: it has all keys of the spreads of its class, and
/// passes the inclusion policies.
pub(super) fn counts<'t>(
    pod: &Pod,
    one: &TopologySpreadConstraint,
    labels: &NodeLabels<'_>,
    taints: impl Iterator<Item = &'t Taint>,
) -> bool {
    keys_needed(pod, one).all(|key| labels.known.contains_key(key))
        && (one.node_affinity_policy == NodeInclusionPolicy::Ignore
            || PodNodeRules::of(pod).answer(labels) == Answer::Yes)
        && (one.node_taints_policy == NodeInclusionPolicy::Ignore
            || taint::untolerated(pod, taints).is_none())
}

/// The keys that a node has to have that counts for a spread of a pod; every node has a host name.
fn keys_needed<'a>(pod: &'a Pod, one: &TopologySpreadConstraint) -> impl Iterator<Item = &'a str> {
    let hard = one.when_unsatisfiable;
    let alike = pod.topology_spread_constraints.iter();
    alike
        .filter(move |other| other.when_unsatisfiable == hard)
        .map(|other| well_known::normalized(&other.topology_key))
        .filter(|key| *key != well_known::HOSTNAME)
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
