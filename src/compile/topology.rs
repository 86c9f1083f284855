//! Rules between pods, made dense: spreads, affinity and anti-affinity over domains.
//!
//! A domain is a value of a node label (the *topology key*); over the host's name every node is a
//! domain of its own. Each rule counts the pods of a *selection*. What bound pods contribute is
//! fixed, so it is worked out here once: how many of a selection run on each node, and which sites
//! bound pods bar to a class, by its anti-affinity or by theirs. What pending pods contribute
//! depends on where they are put; the packer works that out.
//!
//! Nodes that are being deleted, and their pods, count for nothing: they are going away.
//!
//! Sources: <https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/>,
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/>.

use super::bits::Bits;
use super::fixed_rules::FixedRules;
use super::id::{ClassId, IdVec, KeyId, NodeId, SelectionId};
use super::label::LabelTable;
use super::rule::NodeRuleSets;
use super::selection::{Namespaces, Selection, Selections};
use super::taint::is_tolerated;
use crate::model::{
    Effect, NodeInclusionPolicy, Pod, PodAffinityTerm, Taint, WhenUnsatisfiable, well_known,
};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The rules between pods of a problem.
#[derive(Debug, Default)]
pub(crate) struct Topology {
    /// Label keys over which some rule counts, with their domains.
    pub(crate) keys: IdVec<KeyId, KeyDomains>,
    /// Sets of pods that some rule means.
    pub(crate) selections: IdVec<SelectionId, Selected>,
    /// For each class, its own rules.
    pub(crate) rules: IdVec<ClassId, TopologyRules>,
    /// For each class, the selections that its pods are in, sorted.
    pub(crate) selected_by: IdVec<ClassId, Vec<SelectionId>>,
    /// The label keys that decide whether and where a node counts, whatever runs there: the
    /// topology keys, and what pods with spreads ask of nodes.
    pub(crate) read: BTreeSet<Arc<str>>,
    /// The required anti-affinity of bound pods: what it selects, over what, and where they run.
    pub(crate) bound_anti_affinity: BTreeSet<(AffinityTerm, NodeId)>,
}

/// A topology key other than the host's name.
///
/// Hosts aren't listed like that: over the host's name a domain is a node, and new nodes are
/// endless.
#[derive(Debug)]
pub(crate) struct KeyDomains {
    /// The label key.
    pub(crate) name: Arc<str>,
    /// For each domain, the label's value.
    pub(crate) names: Vec<Arc<str>>,
    /// For each domain, its sites.
    pub(crate) domains: Vec<Bits>,
    /// For each site, its domain; [`NO_DOMAIN`] where the label is absent.
    pub(crate) of_site: Vec<u32>,
    /// The sites that have the label.
    pub(crate) labelled: Bits,
}

/// Where a label is absent there is no domain.
pub(crate) const NO_DOMAIN: u32 = u32::MAX;

/// The pods that a selection means.
///
/// Pods of nodes that are being deleted are none of these.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selected {
    /// Pending ones, by class, sorted.
    pub(crate) classes: Vec<ClassId>,
    /// Bound ones: how many run on which node, by node.
    pub(crate) bound: Vec<(NodeId, u32)>,
    /// Whether there are any at all, those on nodes that take no pods among them.
    is_met: bool,
}

/// Over what a rule counts.
///
/// The two are treated apart everywhere: a launch makes a new host and never a new zone.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum TopologyKey {
    /// Single nodes.
    Hostname,
    /// The values of a label.
    Label(KeyId),
}

/// The rules between pods that one class of pod has.
///
/// Rules that can't be broken by anything (anti-affinity to pods that don't exist) are left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct TopologyRules {
    /// Topology spread constraints, required and preferred.
    pub(crate) spreads: Vec<TopologySpread>,
    /// Required affinity: where one of the selected runs.
    pub(crate) affinity: Option<RequiredAffinity>,
    /// Required anti-affinity: where none of the selected runs.
    pub(crate) anti_affinity: Vec<AffinityTerm>,
    /// Preferred affinity, with weights.
    pub(crate) preferred_affinity: Vec<(u8, AffinityTerm)>,
    /// Preferred anti-affinity, with weights.
    pub(crate) preferred_anti_affinity: Vec<(u8, AffinityTerm)>,
}

impl TopologyRules {
    /// The keys that the rules are over, some of them several times; preferences among them where
    /// they take part.
    pub(crate) fn keys(&self, preferring: bool) -> impl Iterator<Item = KeyId> {
        let spreads = self.spreads.iter().filter(move |spread| spread.hard || preferring);
        let affinity = self.affinity.iter().flat_map(|affinity| affinity.key.iter().copied());
        let preferred_terms = self.preferred_affinity.iter().chain(&self.preferred_anti_affinity);
        let preferred_terms = preferred_terms.filter(move |_| preferring).map(|(_, term)| term.key);
        let anti_affinity = self.anti_affinity.iter().map(|term| term.key);
        let topology_key = spreads
            .map(|spread| spread.key)
            .chain(affinity)
            .chain(anti_affinity)
            .chain(preferred_terms);
        topology_key.filter_map(|topology_key| match topology_key {
            TopologyKey::Hostname => None,
            TopologyKey::Label(key) => Some(key),
        })
    }
}

/// A term of affinity or anti-affinity.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct AffinityTerm {
    pub(crate) key: TopologyKey,
    pub(crate) selection: SelectionId,
}

/// The required affinity of a class: every term counts the pods that all terms select.
#[derive(Clone, Debug)]
pub(crate) struct RequiredAffinity {
    pub(crate) key: Vec<TopologyKey>,
    /// What all terms select together.
    pub(crate) selection: SelectionId,
}

/// A topology spread constraint.
///
/// `selection` may leave its own class out: then its pods count nothing for it, and the rule asks
/// only where others are few enough.
#[derive(Clone, Debug)]
pub(crate) struct TopologySpread {
    pub(crate) key: TopologyKey,
    pub(crate) selection: SelectionId,
    /// How far a domain may be above the lowest.
    pub(crate) max_skew: i64,
    /// With fewer domains the lowest counts as empty; 1 where nothing is said.
    pub(crate) min_domains: usize,
    /// Whether it must be kept (`DoNotSchedule`).
    pub(crate) hard: bool,
    /// The sites that count as domains: those that have the keys and pass the inclusion policies.
    pub(crate) counted: Arc<Bits>,
    /// Whether a node that is being drained still counts: its taint says nothing to the spread.
    pub(crate) counts_draining: bool,
}

/// The key of the taint of a node that is being drained, Karpenter's.
const DISRUPTED: &str = "karpenter.sh/disrupted";

/// The taint of a node that is being drained.
pub(crate) fn disruption_taint() -> Taint {
    Taint::new(DISRUPTED, "", Effect::NoSchedule)
}

/// The topology keys of the rules of a pending pod.
pub(crate) fn keys_of_pending(pod: &Pod) -> impl Iterator<Item = &Arc<str>> {
    let spreads = pod.topology_spread_constraints.iter().map(|one| &one.topology_key);
    let terms = pod.affinity.iter().flat_map(|rules| {
        let affinity = &rules.pod_affinity;
        let preferred_terms = affinity.preferred.iter().chain(&rules.pod_anti_affinity.preferred);
        let terms = affinity
            .required
            .iter()
            .chain(preferred_terms.map(|preferred_term| &preferred_term.term));
        terms.map(|term| &term.topology_key)
    });
    spreads.chain(terms).chain(keys_of_bound(pod))
}

/// The topology keys of the rules of a bound pod: those of required anti-affinity.
pub(crate) fn keys_of_bound(pod: &Pod) -> impl Iterator<Item = &Arc<str>> {
    required_anti_affinity(pod).map(|term| &term.topology_key)
}

/// Terms of a pod that keep others off, and it off them, whatever it costs.
fn required_anti_affinity(pod: &Pod) -> impl Iterator<Item = &PodAffinityTerm> {
    pod.affinity.iter().flat_map(|rules| &rules.pod_anti_affinity.required)
}

/// The topology keys, other than the host's name, of pending pods and bound ones.
pub(crate) fn keys<'a>(
    pending: impl Iterator<Item = &'a Pod>,
    bound: impl Iterator<Item = &'a Arc<str>>,
) -> BTreeSet<Arc<str>> {
    let mut keys = BTreeSet::new();
    for key in pending.flat_map(keys_of_pending).chain(bound) {
        if !keys.contains(key) {
            let _new = keys.insert(key.clone());
        }
    }
    let _host = keys.remove(well_known::HOSTNAME);
    keys
}

/// Bound pods that no rule between pods can tell apart.
#[derive(Clone, Debug)]
pub(crate) struct BoundPods<'a> {
    /// The first of them, which stands for all.
    pub(crate) exemplar: &'a Pod,
    /// How many are bound to which node, by its place.
    pub(crate) nodes: Cow<'a, [(u32, u32)]>,
}

/// What is known of sites before rules between pods are looked at.
///
/// For a whole problem and for a what-if alike.
pub(crate) struct TopologyInput<'a> {
    pub(crate) namespaces: &'a Namespaces,
    pub(crate) exemplars: &'a IdVec<ClassId, &'a Pod>,
    /// The bound pods; those with required anti-affinity in the order of their first.
    pub(crate) bound: &'a [BoundPods<'a>],
    /// For each place of a node, the node, if it can take pods.
    pub(crate) node_at: &'a [Option<NodeId>],
    pub(crate) first_node: usize,
    /// Running nodes that have their `kubernetes.io/hostname` in common, by what they have in
    /// common: the others of each with the first of them.
    pub(crate) one_host: &'a [(NodeId, NodeId)],
    pub(crate) sites: usize,
    pub(crate) table: &'a LabelTable,
    pub(crate) rules: &'a NodeRuleSets,
    /// For each class, the number of its set of rules about nodes.
    pub(crate) of_class: &'a [usize],
    /// For each label condition, the sites at which it holds.
    pub(crate) holds: &'a [Bits],
    /// For each list of tolerations, the sites that it tolerates.
    pub(crate) tolerated: &'a [Bits],
}

impl TopologyInput<'_> {
    /// Works out the rules between pods, and what they fix.
    ///
    /// Rules of classes, then what bound pods fix of them. Linear in the rules, and in the bound
    /// pods for each kind of selector that asks for a label that they have.
    pub(crate) fn topology(&self, keys: BTreeSet<Arc<str>>) -> (Topology, FixedRules) {
        let keys: IdVec<KeyId, KeyDomains> =
            keys.into_iter().map(|name| self.topology_key(name)).collect();
        let numbers: BTreeMap<Arc<str>, KeyId> =
            keys.iter().map(|(id, key)| (key.name.clone(), id)).collect();
        let topology_key = |name: &Arc<str>| {
            numbers.get(name).map_or(TopologyKey::Hostname, |key| TopologyKey::Label(*key))
        };
        let namespaces = self.namespaces;
        let mut selections = Selections::default();
        let mut drafts: Vec<(TopologyRules, Vec<AffinityTerm>)> = Vec::new();
        let mut counted = CountedSites::default();
        for (pod_class, pod) in self.exemplars.iter() {
            let mut rules = TopologyRules::default();
            let mut required = Vec::new();
            let mut term = |term: &PodAffinityTerm| AffinityTerm {
                key: topology_key(&term.topology_key),
                selection: selections.number(Selection::of(term, pod, namespaces)),
            };
            if let Some(affinity) = &pod.affinity {
                required.extend(affinity.pod_affinity.required.iter().map(&mut term));
                rules
                    .anti_affinity
                    .extend(affinity.pod_anti_affinity.required.iter().map(&mut term));
                for preferred_term in &affinity.pod_affinity.preferred {
                    rules
                        .preferred_affinity
                        .push((preferred_term.weight, term(&preferred_term.term)));
                }
                for preferred_term in &affinity.pod_anti_affinity.preferred {
                    rules
                        .preferred_anti_affinity
                        .push((preferred_term.weight, term(&preferred_term.term)));
                }
            }
            for one in &pod.topology_spread_constraints {
                let labelled: BTreeSet<KeyId> = pod
                    .topology_spread_constraints
                    .iter()
                    .filter(|other| other.when_unsatisfiable == one.when_unsatisfiable)
                    .filter_map(|other| numbers.get(&other.topology_key).copied())
                    .collect();
                let policies = (one.node_affinity_policy, one.node_taints_policy);
                let mut counted = counted.sites(self, &keys, pod_class, policies, labelled);
                let key = topology_key(&one.topology_key);
                if key == TopologyKey::Hostname && !self.one_host.is_empty() {
                    let sites = Arc::make_mut(&mut counted);
                    let others = self.one_host.iter().map(|(other, _)| super::Id::index(*other));
                    others.for_each(|other| sites.remove(self.first_node + other));
                }
                rules.spreads.push(TopologySpread {
                    key,
                    selection: selections.number(Selection::of_spread(one, pod)),
                    max_skew: i64::from(one.max_skew),
                    min_domains: one.min_domains.map_or(0, |least| least as usize),
                    hard: one.when_unsatisfiable == WhenUnsatisfiable::DoNotSchedule,
                    counted,
                    counts_draining: one.node_taints_policy != NodeInclusionPolicy::Honor
                        || is_tolerated(&disruption_taint(), &pod.tolerations),
                });
            }
            drafts.push((rules, required));
        }
        let bound_anti_affinity =
            self.bound_anti_affinity(&mut selections, &topology_key, namespaces);
        let mut selected = self.selected(&selections);
        let rules = drafts.into_iter().map(|(mut rules, required)| {
            // Keeping away from nobody is no rule; a spread that counts nobody, or an affinity that
            // selects nobody, is one.
            rules.anti_affinity.retain(|term| selected[term.selection].is_met);
            rules.affinity = self.together(&selections, &mut selected, &required);
            rules
        });
        let rules: IdVec<ClassId, TopologyRules> = rules.collect();
        let mut selected_by: IdVec<ClassId, Vec<SelectionId>> =
            self.exemplars.iter().map(|_| Vec::new()).collect();
        for (id, selection) in selected.iter() {
            selection.classes.iter().for_each(|class| selected_by[*class].push(id));
        }
        let mut read: BTreeSet<Arc<str>> = keys.values().map(|key| key.name.clone()).collect();
        for (pod_class, pod) in self.exemplars.iter() {
            let mut spreads = pod.topology_spread_constraints.iter();
            if spreads.any(|one| one.node_affinity_policy == NodeInclusionPolicy::Honor) {
                read.extend(self.rules.keys(self.of_class[super::Id::index(pod_class)]).cloned());
            }
        }
        let topology =
            Topology { keys, selections: selected, rules, selected_by, read, bound_anti_affinity };
        let fixed = FixedRules::of(self, &topology);
        (topology, fixed)
    }

    /// The domains of a label key: the values that sites have, by number.
    fn topology_key(&self, name: Arc<str>) -> KeyDomains {
        let mut domains: Vec<Bits> = Vec::new();
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut labelled = Bits::none(self.sites);
        let states = self.table.states(&name);
        // States are numbered without gaps, so their domains are found by their number.
        let mut numbers = vec![NO_DOMAIN; states.iter().max().map_or(1, |most| *most as usize + 1)];
        let of_site = (0..self.sites).map(|site| {
            let state = states.get(site).copied().unwrap_or(0);
            if state == 0 {
                return NO_DOMAIN;
            }
            if numbers[state as usize] == NO_DOMAIN {
                numbers[state as usize] = u32::try_from(domains.len()).unwrap_or(NO_DOMAIN);
                domains.push(Bits::none(self.sites));
                names.push(self.table.value(&name, state).cloned().unwrap_or_else(|| "".into()));
            }
            let domain = numbers[state as usize];
            domains[domain as usize].insert(site);
            labelled.insert(site);
            domain
        });
        let of_site = of_site.collect();
        KeyDomains { name, names, domains, of_site, labelled }
    }

    /// The required anti-affinity of bound pods: what it selects, over what, and on which nodes
    /// they run.
    fn bound_anti_affinity(
        &self,
        selections: &mut Selections,
        key: &impl Fn(&Arc<str>) -> TopologyKey,
        namespaces: &Namespaces,
    ) -> BTreeSet<(AffinityTerm, NodeId)> {
        let mut owners = BTreeSet::new();
        for bound in self.bound {
            for term in required_anti_affinity(bound.exemplar) {
                let selection = Selection::of(term, bound.exemplar, namespaces);
                let selection = selections.number(selection);
                let term = AffinityTerm { key: key(&term.topology_key), selection };
                owners.extend(self.nodes_of(bound).map(|(node, _)| (term, node)));
            }
        }
        owners
    }

    /// The nodes that can take pods and to which some are bound, and how many.
    fn nodes_of<'b>(
        &'b self,
        bound: &'b BoundPods<'_>,
    ) -> impl Iterator<Item = (NodeId, u32)> + 'b {
        let nodes = bound.nodes.iter();
        nodes.filter_map(|(place, count)| Some(((*self.node_at.get(*place as usize)?)?, *count)))
    }

    /// The pods of each selection.
    fn selected(&self, selections: &Selections) -> IdVec<SelectionId, Selected> {
        let mut selected: IdVec<SelectionId, Selected> =
            (0..selections.len()).map(|_| Selected::default()).collect();
        if selections.len() == 0 {
            return selected;
        }
        let index = selections.index();
        for (class, pod) in self.exemplars.iter() {
            for id in index.selecting(pod) {
                selected[id].classes.push(class);
                selected[id].is_met = true;
            }
        }
        let mut bound: BTreeMap<(SelectionId, NodeId), u32> = BTreeMap::new();
        for pods in self.bound {
            for id in index.selecting(pods.exemplar) {
                selected[id].is_met = true;
                for (node, count) in self.nodes_of(pods) {
                    let sum = bound.entry((id, node)).or_insert(0);
                    *sum = sum.saturating_add(count);
                }
            }
        }
        for ((id, node), count) in bound {
            selected[id].bound.push((node, count));
        }
        selected
    }

    /// The pods that all of these terms select, as a selection of its own.
    fn together(
        &self,
        selections: &Selections,
        selected: &mut IdVec<SelectionId, Selected>,
        affinity: &[AffinityTerm],
    ) -> Option<RequiredAffinity> {
        let (first, others) = affinity.split_first()?;
        let mut key: Vec<TopologyKey> = affinity.iter().map(|term| term.key).collect();
        key.sort_unstable();
        key.dedup();
        if others.iter().all(|term| term.selection == first.selection) {
            return Some(RequiredAffinity { key, selection: first.selection });
        }
        let mut classes = selected[first.selection].classes.clone();
        for term in others {
            classes.retain(|class| selected[term.selection].classes.binary_search(class).is_ok());
        }
        let mut bound: BTreeMap<NodeId, u32> = BTreeMap::new();
        for pods in self.bound {
            if affinity.iter().all(|term| selections.selects(term.selection, pods.exemplar)) {
                for (node, count) in self.nodes_of(pods) {
                    let sum = bound.entry(node).or_insert(0);
                    *sum = sum.saturating_add(count);
                }
            }
        }
        let bound: Vec<(NodeId, u32)> = bound.into_iter().collect();
        let is_met = !classes.is_empty() || !bound.is_empty();
        let selection = Selected { classes, bound, is_met };
        Some(RequiredAffinity { key, selection: selected.push(selection) })
    }
}

/// A set of rules, the policies that honour its affinity and its tolerations, and the labels
/// needed.
type Inclusion = (usize, (bool, bool), BTreeSet<KeyId>);

/// The sites that count as domains, shared by the classes for which they are the same.
#[derive(Default)]
struct CountedSites {
    known: BTreeMap<Inclusion, Arc<Bits>>,
}

impl CountedSites {
    fn sites(
        &mut self,
        input: &TopologyInput<'_>,
        keys: &IdVec<KeyId, KeyDomains>,
        class: ClassId,
        (affinity, taints): (NodeInclusionPolicy, NodeInclusionPolicy),
        labelled: BTreeSet<KeyId>,
    ) -> Arc<Bits> {
        let set = input.of_class[super::Id::index(class)];
        let honoured =
            (affinity == NodeInclusionPolicy::Honor, taints == NodeInclusionPolicy::Honor);
        let entry = self.known.entry((set, honoured, labelled));
        let sites = entry.or_insert_with_key(|(set, (affinity, taints), labelled)| {
            let rules = &input.rules.sets()[*set];
            let mut sites = Bits::all(input.sites);
            labelled.iter().for_each(|key| sites.and(&keys[*key].labelled));
            if *taints {
                sites.and(&input.tolerated[rules.tolerations]);
            }
            if *affinity {
                rules.selector.iter().for_each(|condition| sites.and(&input.holds[*condition]));
                if let Some(terms) = &rules.terms {
                    sites.and(&super::any_term(terms, input.holds, input.sites));
                }
            }
            Arc::new(sites)
        });
        sites.clone()
    }
}

impl Topology {
    /// Whether a class is in a selection.
    pub(crate) fn selects(&self, selection: SelectionId, class: ClassId) -> bool {
        self.selections[selection].classes.binary_search(&class).is_ok()
    }
}
