//! What pods that move have of their preferences about other pods, and keep.
//!
//! *Problem.* Preferred affinity, preferred anti-affinity and spreads that may be broken bind
//! nobody, but a consolidation that breaks them makes things worse for what it saves: no pod that
//! moves is to honour less than it does where it is.
//!
//! *Idea.* What a pod honours at home it goes on honouring: of a pod that moves each such rule is
//! kept as a required one is, and what it doesn't honour at home asks nothing. So pods of one class
//! that honour different rules are of different [`MoveClass`]es. Counters say how many pods of a
//! selection are in each domain, nodes being domains of their own over the host's name; one more
//! counts who came and wants to be apart, so that others keep away from these, too.
//!
//! A preference binds nobody at the moment of binding: what counts is what a pod has once its wave
//! is over. So a node that drains is gone for these counters, with the domain of which it is the
//! last.
//!
//! *Why it is right.* Rules are asked when a pod is put, beside all that is there, and once more of
//! all pods of a wave ([`ClusterState::honours`]): who came last may have broken what others had.
//!
//! Of nodes, a pod honours no less by the sites of its class; where it could have more of what it
//! prefers without anything else changing, it is put there in the end ([`Search::prefer`]).
//!
//! *Cost.* A look at a few counters for each put of a class that is counted, and nothing where no
//! pod that may move has such a preference.

use super::greedy::Search;
use super::model::{ConsolidationModel, HomePods, ModelNode, MoveClass};
use super::state::ClusterState;
use super::wave::{WavePlanner, WaveStep};
use crate::compile::{Bits, ClassId, Compiled, Id, NO_DOMAIN, SelectionId, TopologyKey};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Over what a counter counts, and where.
#[derive(Debug)]
struct PreferenceCounter {
    key: TopologyKey,
    /// The nodes that it looks at; `None`: all.
    counted: Option<Arc<Bits>>,
}

/// A preference about other pods; numbers are of counters.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum PreferenceRule {
    /// Some of the selected are in the domain, or the pod is the first of them.
    Affinity { counter: usize, own: bool },
    /// None of the selected is there; `apart` counts those that came and keep the rule.
    AntiAffinity { counter: usize, own: bool, apart: usize },
    /// The domain has no more of the selected than the emptiest and the skew.
    Spread { counter: usize, own: bool, max_skew: i64, min_domains: usize },
}

/// The preferences of classes with pods that may move.
#[derive(Debug, Default)]
pub(super) struct PreferenceRules {
    counters: Vec<PreferenceCounter>,
    of_class: BTreeMap<ClassId, Vec<PreferenceRule>>,
    /// The counters that count a class, wherever its pods are.
    counted_by: BTreeMap<ClassId, Vec<usize>>,
    /// The counters of those that a class is to keep away from.
    apart_from: BTreeMap<ClassId, Vec<usize>>,
    /// Bound pods that never leave a running node: counter and number.
    bound: Vec<Vec<(usize, i64)>>,
}

/// What a counter is told by.
type PreferenceCounterKey = (SelectionId, TopologyKey, Option<Arc<Bits>>);

/// Numbers counters while preferences are read.
struct PreferenceBuilder<'a> {
    compiled: &'a Compiled,
    numbers: BTreeMap<PreferenceCounterKey, usize>,
    rules: PreferenceRules,
}

impl PreferenceBuilder<'_> {
    fn counter(&mut self, key: PreferenceCounterKey) -> usize {
        let next = self.rules.counters.len();
        let number = *self.numbers.entry(key.clone()).or_insert(next);
        if number == next {
            let (selection, key, counted) = key;
            let selected = &self.compiled.topology.selections[selection];
            for class in &selected.classes {
                self.rules.counted_by.entry(*class).or_default().push(number);
            }
            for (node, count) in &selected.bound {
                self.rules.bound[node.index()].push((number, i64::from(*count)));
            }
            self.rules.counters.push(PreferenceCounter { key, counted });
        }
        number
    }

    /// Reads the preferences of a class.
    fn read(&mut self, class: ClassId) {
        let topology = &self.compiled.topology;
        let of_class = &topology.rules[class];
        let mut own_rules = Vec::new();
        for (_, term) in &of_class.preferred_affinity {
            let own = topology.selects(term.selection, class);
            let counter = self.counter((term.selection, term.key, None));
            own_rules.push(PreferenceRule::Affinity { counter, own });
        }
        for (_, term) in &of_class.preferred_anti_affinity {
            let own = topology.selects(term.selection, class);
            let counter = self.counter((term.selection, term.key, None));
            let apart = self.rules.counters.len();
            self.rules.counters.push(PreferenceCounter { key: term.key, counted: None });
            for other in &topology.selections[term.selection].classes {
                self.rules.apart_from.entry(*other).or_default().push(apart);
            }
            own_rules.push(PreferenceRule::AntiAffinity { counter, own, apart });
        }
        for spread in of_class.spreads.iter().filter(|spread| !spread.hard) {
            let own = topology.selects(spread.selection, class);
            let counted = Some(spread.counted.clone());
            let counter = self.counter((spread.selection, spread.key, counted));
            let (max_skew, min_domains) = (spread.max_skew, spread.min_domains);
            own_rules.push(PreferenceRule::Spread { counter, own, max_skew, min_domains });
        }
        if !own_rules.is_empty() {
            let _new = self.rules.of_class.insert(class, own_rules);
        }
    }
}

impl PreferenceRules {
    /// The preferences of classes.
    pub(super) fn of(compiled: &Compiled, classes: impl Iterator<Item = ClassId>) -> Self {
        let bound = vec![Vec::new(); compiled.nodes.len()];
        let rules = Self { bound, ..Self::default() };
        let mut builder = PreferenceBuilder { compiled, numbers: BTreeMap::new(), rules };
        classes.for_each(|class| builder.read(class));
        builder.rules
    }

    /// The preferences of a class that a pod at home on a node has.
    pub(super) fn honoured(
        &self,
        compiled: &Compiled,
        counts: &PreferenceCounts,
        class: ClassId,
        node: (usize, usize),
    ) -> Vec<PreferenceRule> {
        let own = self.of_class.get(&class).into_iter().flatten().copied();
        own.filter(|rule| counts.honours(compiled, self, *rule, node)).collect()
    }

    /// The counters of those that a class is to keep away from.
    pub(super) fn apart_from(&self, class: ClassId) -> Vec<usize> {
        self.apart_from.get(&class).cloned().unwrap_or_default()
    }

    /// The most pods of a class that rules over hosts allow on a node on which there are none.
    pub(super) fn most_per_node(&self, rules: &[PreferenceRule]) -> u32 {
        let over_hosts = |at: usize| self.counters[at].key == TopologyKey::Hostname;
        let most = rules.iter().filter_map(|rule| match *rule {
            PreferenceRule::AntiAffinity { counter, own: true, .. } if over_hosts(counter) => {
                Some(1)
            }
            PreferenceRule::Spread { counter, own: true, max_skew, .. } if over_hosts(counter) => {
                u32::try_from(max_skew).ok()
            }
            _ => None,
        });
        most.min().unwrap_or(u32::MAX)
    }

    /// The domain of a node as a counter sees it.
    fn domain(
        &self,
        compiled: &Compiled,
        at: usize,
        (node, site): (usize, usize),
    ) -> Option<usize> {
        match self.counters[at].key {
            TopologyKey::Hostname => Some(node),
            TopologyKey::Label(key) => match compiled.topology.keys[key].of_site[site] {
                NO_DOMAIN => None,
                domain => Some(domain as usize),
            },
        }
    }

    /// Whether a counter looks at a site.
    fn looks_at(&self, at: usize, site: usize) -> bool {
        self.counters[at].counted.as_ref().is_none_or(|counted| counted.contains(site))
    }
}

/// What a counter has found.
#[derive(Clone, Debug, Default)]
struct DomainTally {
    /// By domain, how many pods are there.
    pods: Vec<i64>,
    /// By domain, how many nodes stand there that the counter looks at.
    nodes: Vec<u32>,
    /// How many pods there are anywhere.
    all: i64,
}

impl DomainTally {
    fn least(&self, min_domains: usize) -> i64 {
        let (mut least, mut domains) = (i64::MAX, 0);
        for (pods, _) in self.pods.iter().zip(&self.nodes).filter(|(_, nodes)| **nodes > 0) {
            least = least.min(*pods);
            domains += 1;
            if least == 0 && domains >= min_domains {
                return 0;
            }
        }
        if domains == 0 || domains < min_domains { 0 } else { least }
    }
}

/// What all counters of preferences have found.
#[derive(Clone, Debug, Default)]
pub(super) struct PreferenceCounts {
    tallies: Vec<DomainTally>,
}

impl PreferenceCounts {
    /// The counts of a cluster as it is, of so many classes at home on its nodes.
    pub(super) fn of(
        compiled: &Compiled,
        rules: &PreferenceRules,
        nodes: &[ModelNode],
        home: &[Vec<(ClassId, u32)>],
    ) -> Self {
        let domains = |counter: &PreferenceCounter| match counter.key {
            TopologyKey::Hostname => nodes.len(),
            TopologyKey::Label(key) => compiled.topology.keys[key].domains.len(),
        };
        let tallies = rules.counters.iter().map(|counter| {
            let domains = domains(counter);
            DomainTally { pods: vec![0; domains], nodes: vec![0; domains], all: 0 }
        });
        let mut counts = Self { tallies: tallies.collect() };
        if rules.counters.is_empty() {
            return counts;
        }
        for (at, (node, home)) in nodes.iter().zip(home).enumerate() {
            let place = (at, node.site);
            counts.stand(compiled, rules, place, 1);
            for (class, count) in home {
                counts.pods(compiled, rules, place, *class, i64::from(*count));
            }
        }
        counts
    }

    /// Counts pods at a node more, or less, as one counter sees them.
    fn add(
        &mut self,
        compiled: &Compiled,
        rules: &PreferenceRules,
        node: (usize, usize),
        (at, count): (usize, i64),
    ) {
        let domain = rules.domain(compiled, at, node).filter(|_| rules.looks_at(at, node.1));
        let tally = &mut self.tallies[at];
        tally.all += count;
        if let Some(pods) = domain.and_then(|domain| tally.pods.get_mut(domain)) {
            *pods += count;
        }
    }

    /// Counts pods of a class on a node.
    pub(super) fn pods(
        &mut self,
        compiled: &Compiled,
        rules: &PreferenceRules,
        node: (usize, usize),
        class: ClassId,
        count: i64,
    ) {
        for at in rules.counted_by.get(&class).into_iter().flatten() {
            self.add(compiled, rules, node, (*at, count));
        }
    }

    /// Counts pods that came to a node and keep some rules.
    pub(super) fn keepers(
        &mut self,
        compiled: &Compiled,
        rules: &PreferenceRules,
        node: (usize, usize),
        (kept, count): (&[PreferenceRule], i64),
    ) {
        for rule in kept {
            if let PreferenceRule::AntiAffinity { apart, .. } = *rule {
                self.add(compiled, rules, node, (apart, count));
            }
        }
    }

    /// Has counters see a node stand, or no longer, with what never leaves it.
    pub(super) fn stand(
        &mut self,
        compiled: &Compiled,
        rules: &PreferenceRules,
        node: (usize, usize),
        sign: i32,
    ) {
        for (at, count) in rules.bound.get(node.0).into_iter().flatten() {
            self.add(compiled, rules, node, (*at, i64::from(sign) * count));
        }
        for at in 0..rules.counters.len() {
            if rules.looks_at(at, node.1)
                && let Some(domain) = rules.domain(compiled, at, node)
                && let Some(nodes) = self.tallies[at].nodes.get_mut(domain)
            {
                *nodes = nodes.saturating_add_signed(sign);
            }
        }
    }

    /// There is one node more, or the last is there no longer.
    pub(super) fn resize(&mut self, rules: &PreferenceRules, nodes: usize) {
        for (counter, tally) in rules.counters.iter().zip(&mut self.tallies) {
            if counter.key == TopologyKey::Hostname {
                tally.pods.resize(nodes, 0);
                tally.nodes.resize(nodes, 0);
            }
        }
    }

    /// Numbers nodes anew: those that are kept, in this order.
    pub(super) fn renumber(&mut self, rules: &PreferenceRules, kept: &[usize]) {
        for (counter, tally) in rules.counters.iter().zip(&mut self.tallies) {
            if counter.key == TopologyKey::Hostname {
                tally.pods = kept.iter().map(|node| tally.pods[*node]).collect();
                tally.nodes = kept.iter().map(|node| tally.nodes[*node]).collect();
            }
        }
    }

    /// How many pods a counter has in the domain of a node; nothing where that is of none.
    fn there(
        &self,
        compiled: &Compiled,
        rules: &PreferenceRules,
        at: usize,
        node: (usize, usize),
    ) -> Option<i64> {
        let domain = rules.domain(compiled, at, node)?;
        self.tallies[at].pods.get(domain).copied()
    }

    /// Whether a pod on a node, which is counted there, honours a rule.
    fn honours(
        &self,
        compiled: &Compiled,
        rules: &PreferenceRules,
        rule: PreferenceRule,
        node: (usize, usize),
    ) -> bool {
        let there = |at: usize| self.there(compiled, rules, at, node);
        match rule {
            PreferenceRule::Affinity { counter, own } => there(counter)
                .is_some_and(|pods| pods > i64::from(own) || own && self.tallies[counter].all <= 1),
            PreferenceRule::AntiAffinity { counter, own, .. } => {
                there(counter).is_none_or(|pods| pods <= i64::from(own))
            }
            PreferenceRule::Spread { counter, max_skew, min_domains, .. } => there(counter)
                .is_some_and(|pods| pods - self.tallies[counter].least(min_domains) <= max_skew),
        }
    }

    /// How many more pods that keep a rule may come to a node.
    fn room(
        &self,
        compiled: &Compiled,
        rules: &PreferenceRules,
        rule: PreferenceRule,
        node: (usize, usize),
    ) -> u32 {
        let there = |at: usize| self.there(compiled, rules, at, node);
        match rule {
            PreferenceRule::Affinity { counter, own } => match there(counter) {
                None => 0,
                Some(pods) if pods > 0 => u32::MAX,
                Some(_) => u32::from(own && self.tallies[counter].all == 0),
            },
            PreferenceRule::AntiAffinity { counter, own, .. } => match there(counter) {
                Some(pods) if pods > 0 => 0,
                Some(_) if own => 1,
                _ => u32::MAX,
            },
            PreferenceRule::Spread { counter, own, max_skew, min_domains } => {
                let Some(pods) = there(counter) else { return 0 };
                let room = max_skew + self.tallies[counter].least(min_domains) - pods;
                match own && rules.looks_at(counter, node.1) {
                    true => u32::try_from(room.max(0)).unwrap_or(u32::MAX),
                    false if room >= 0 => u32::MAX,
                    false => 0,
                }
            }
        }
    }
}

impl MoveClass {
    /// Whether preferences about other pods say anything of where its pods may go.
    pub(super) fn heeds_preferences(&self) -> bool {
        !self.kept.is_empty() || !self.apart_from.is_empty()
    }
}

impl ClusterState<'_> {
    /// How many more pods of a class may come to a node and honour what they do at home, with none
    /// of those that came before honouring less.
    pub(super) fn preference_room(&self, node: usize, class: usize) -> u32 {
        let (model, place) = (self.model, (node, self.site(node)));
        let (compiled, rules) = (model.compiled(), &model.preferences);
        let of_class = &model.classes[class];
        let there = |at: usize| self.preferences.there(compiled, rules, at, place);
        if of_class.apart_from.iter().any(|at| there(*at).is_some_and(|pods| pods > 0)) {
            return 0;
        }
        let kept = of_class.kept.iter();
        let rooms = kept.map(|rule| self.preferences.room(compiled, rules, *rule, place));
        rooms.min().unwrap_or(u32::MAX)
    }

    /// Whether pods of a class that came to a node honour what they did at home.
    pub(super) fn honours(&self, node: usize, class: usize) -> bool {
        let (model, place) = (self.model, (node, self.site(node)));
        let (compiled, rules) = (model.compiled(), &model.preferences);
        let mut kept = model.classes[class].kept.iter();
        kept.all(|rule| self.preferences.honours(compiled, rules, *rule, place))
    }

    /// Counts pods that came to a node, or left it.
    pub(super) fn count_arrived(&mut self, node: usize, class: usize, count: i64) {
        let (model, place) = (self.model, (node, self.site(node)));
        let (compiled, rules) = (model.compiled(), &model.preferences);
        let of_class = &model.classes[class];
        self.preferences.pods(compiled, rules, place, of_class.class, count);
        self.preferences.keepers(compiled, rules, place, (&of_class.kept, count));
    }

    /// Counts pods at home on a node less, or (with -1) again.
    pub(super) fn count_home(&mut self, node: usize, sign: i64) {
        let (model, place) = (self.model, (node, self.site(node)));
        for HomePods { class, count, .. } in &model.nodes[node].home {
            let (class, less) = (model.classes[*class].class, -sign * i64::from(*count));
            let (compiled, rules) = (model.compiled(), &model.preferences);
            self.preferences.pods(compiled, rules, place, class, less);
        }
    }
}

impl ConsolidationModel<'_> {
    /// Whether no rule between pods, nor a preference, reads or counts pods of a class.
    fn is_unruled(&self, of_class: &MoveClass) -> bool {
        let rules = &self.rules.of_class[of_class.class];
        !rules.is_domain_tied()
            && rules.totals.is_empty()
            && rules.host_spreads.is_empty()
            && of_class.on_hosts.is_empty()
            && !of_class.heeds_preferences()
            && !self.preferences.counted_by.contains_key(&of_class.class)
    }
}

impl Search<'_> {
    /// Has pods that came to a node where they honour less than they would on another that has room
    /// go to that one; those alone of which no rule between pods says anything.
    pub(super) fn prefer(&mut self) {
        let model = self.state.model;
        for node in
            (0..self.state.nodes()).filter(|node| self.state.stands(*node)).collect::<Vec<_>>()
        {
            for (class, count) in self.state.arrived[node].clone() {
                let of_class = &model.classes[class];
                if !of_class.prefers || !model.is_unruled(of_class) {
                    continue;
                }
                let honoured = |at: usize| model.honoured(of_class.class, self.state.site(at));
                let here = honoured(node);
                let mut better: Vec<(Reverse<u32>, i64, usize)> = (0..self.state.nodes())
                    .filter(|at| self.state.stands(*at) && self.state.admits(*at, class))
                    .map(|at| (Reverse(honoured(at)), self.state.slack(at), at))
                    .filter(|(Reverse(there), ..)| *there > here)
                    .collect();
                better.sort_unstable();
                let mut left = count;
                for (_, _, at) in better {
                    let takes = self.state.takes(at, class, left);
                    if takes > 0 {
                        self.state.take(node, class, takes);
                        self.state.put(at, class, takes);
                        left -= takes;
                    }
                }
            }
        }
        self.state.settle();
    }
}

impl WavePlanner<'_, '_> {
    /// Whether the pods of a wave honour what they did at home when its nodes are gone.
    pub(super) fn keeps_preferences(&self, steps: &[WaveStep]) -> bool {
        let mut puts = steps.iter().flat_map(|step| &step.puts);
        puts.all(|(node, class, _)| {
            self.in_state(*node).is_some_and(|at| self.state.honours(at, *class))
        })
    }

    /// The number of a node of the target in the state, if it stands there.
    pub(super) fn in_state(&self, node: usize) -> Option<usize> {
        let running = self.model.nodes.len();
        match node.checked_sub(running) {
            None => Some(node),
            Some(launch) => Some(running + self.built.place(launch)?),
        }
    }
}

/// The pods of nodes by class, as preferences count them.
pub(super) fn homes_by_class(
    nodes: usize,
    home: impl Iterator<Item = (usize, ClassId, u32)>,
) -> Vec<Vec<(ClassId, u32)>> {
    let mut homes = vec![Vec::new(); nodes];
    home.for_each(|(node, class, count)| homes[node].push((class, count)));
    homes
}
