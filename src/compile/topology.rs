//! Rules between pods, made dense: spreads, affinity and anti-affinity over domains.
//!
//! A domain is a value of a node label (the *topology key*); over the host's name every node is a
//! domain of its own. Each rule counts the pods of a *selection*. What bound pods contribute is fixed,
//! so it is worked out here once: how many of a selection run on each node, and which sites bound pods
//! bar to a class, by its anti-affinity or by theirs. What pending pods contribute depends on where
//! they are put; the packer works that out.
//!
//! Nodes that are being deleted, and their pods, count for nothing: they are going away.
//!
//! Sources: <https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/>,
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/>.

use super::bits::Bits;
use super::id::{IdVec, KeyId, KindId, NodeId, SelectionId};
use super::label::LabelTable;
use super::rule::Rules;
use super::selection::{Namespaces, Selection, Selections};
use crate::model::{NodeInclusionPolicy, Pod, PodAffinityTerm, WhenUnsatisfiable, well_known};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The rules between pods of a problem.
#[derive(Debug, Default)]
pub(crate) struct Topology {
    pub(crate) keys: IdVec<KeyId, TopologyKey>,
    pub(crate) selections: IdVec<SelectionId, Selected>,
    pub(crate) rules: IdVec<KindId, TopologyRules>,
    /// For each kind, the selections that its pods are in, sorted.
    pub(crate) selected_by: IdVec<KindId, Vec<SelectionId>>,
    /// The label keys that decide whether and where a node counts, whatever runs there: the topology keys,
    /// and what pods with spreads ask of nodes.
    pub(crate) read: BTreeSet<Arc<str>>,
    /// The required anti-affinity of bound pods: what it selects, over what, and where they run.
    pub(crate) bound_far: BTreeSet<(Term, NodeId)>,
}

/// A topology key other than the host's name.
#[derive(Debug)]
pub(crate) struct TopologyKey {
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
#[derive(Clone, Debug, Default)]
pub(crate) struct Selected {
    /// Pending ones, by kind, sorted.
    pub(crate) kinds: Vec<KindId>,
    /// Bound ones: how many run on which node, by node.
    pub(crate) bound: Vec<(NodeId, u32)>,
}

/// Over what a rule counts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Over {
    /// Single nodes.
    Host,
    /// The values of a label.
    Key(KeyId),
}

/// The rules between pods that one kind of pod has.
#[derive(Clone, Debug, Default)]
pub(crate) struct TopologyRules {
    pub(crate) spreads: Vec<Spread>,
    /// Required affinity: where one of the selected runs.
    pub(crate) near: Option<Near>,
    /// Required anti-affinity: where none of the selected runs.
    pub(crate) far: Vec<Term>,
    /// Preferred affinity, with weights.
    pub(crate) wish_near: Vec<(u8, Term)>,
    /// Preferred anti-affinity, with weights.
    pub(crate) wish_far: Vec<(u8, Term)>,
}

impl TopologyRules {
    /// The keys that the rules are over, some of them several times; preferences among them where they
    /// take part.
    pub(crate) fn keys(&self, wishful: bool) -> impl Iterator<Item = KeyId> {
        let spreads = self.spreads.iter().filter(move |spread| spread.hard || wishful);
        let near = self.near.iter().flat_map(|near| near.over.iter().copied());
        let wishes = self.wish_near.iter().chain(&self.wish_far);
        let wishes = wishes.filter(move |_| wishful).map(|(_, term)| term.over);
        let far = self.far.iter().map(|term| term.over);
        let over = spreads.map(|spread| spread.over).chain(near).chain(far).chain(wishes);
        over.filter_map(|over| match over {
            Over::Host => None,
            Over::Key(key) => Some(key),
        })
    }
}

/// A term of affinity or anti-affinity.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Term {
    pub(crate) over: Over,
    pub(crate) selection: SelectionId,
}

/// The required affinity of a class: every term counts the pods that all terms select.
#[derive(Clone, Debug)]
pub(crate) struct Near {
    pub(crate) over: Vec<Over>,
    /// What all terms select together.
    pub(crate) selection: SelectionId,
}

/// A topology spread constraint.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    pub(crate) over: Over,
    pub(crate) selection: SelectionId,
    pub(crate) max_skew: i64,
    pub(crate) min_domains: usize,
    /// Whether it must be kept (`DoNotSchedule`).
    pub(crate) hard: bool,
    /// The sites that count as domains: those that have the keys and pass the inclusion policies.
    pub(crate) counted: Arc<Bits>,
}

/// What the rules between pods fix about single classes.
#[derive(Debug)]
pub(crate) struct Fixed {
    /// For each kind, the sites that bound pods or missing labels bar; `None` where nothing does.
    pub(crate) barred: IdVec<KindId, Option<Bits>>,
    /// For each kind, the running nodes on which bound pods alone exceed a spread over hosts. One more may
    /// be legal there if every other node has as many, which isn't looked into.
    pub(crate) crowded: IdVec<KindId, Vec<NodeId>>,
    /// For each kind, the kinds of which no pod may share a node with one of its own, sorted; a
    /// class in its own list is alone of its kind on a node.
    pub(crate) apart: IdVec<KindId, Vec<KindId>>,
    /// For each kind, the keys over which its domain must be known.
    pub(crate) sticky: IdVec<KindId, Vec<KeyId>>,
}

/// The topology keys of the rules of a pending pod.
pub(crate) fn keys_of_pending(pod: &Pod) -> impl Iterator<Item = &Arc<str>> {
    let spreads = pod.topology_spread_constraints.iter().map(|one| &one.topology_key);
    let terms = pod.affinity.iter().flat_map(|rules| {
        let near = &rules.pod_affinity;
        let wishes = near.preferred.iter().chain(&rules.pod_anti_affinity.preferred);
        let terms = near.required.iter().chain(wishes.map(|wish| &wish.term));
        terms.map(|term| &term.topology_key)
    });
    spreads.chain(terms).chain(keys_of_bound(pod))
}

/// The topology keys of the rules of a bound pod: those of required anti-affinity.
pub(crate) fn keys_of_bound(pod: &Pod) -> impl Iterator<Item = &Arc<str>> {
    required_anti_affinity(pod).map(|term| &term.topology_key)
}

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
pub(crate) struct Bound<'a> {
    /// The first of them, which stands for all.
    pub(crate) exemplar: &'a Pod,
    /// How many are bound to which node, by its place.
    pub(crate) nodes: Cow<'a, [(u32, u32)]>,
}

/// What is known of sites before rules between pods are looked at.
pub(crate) struct Ground<'a> {
    pub(crate) namespaces: &'a Namespaces,
    pub(crate) exemplars: &'a IdVec<KindId, &'a Pod>,
    /// The bound pods; those with required anti-affinity in the order of their first.
    pub(crate) bound: &'a [Bound<'a>],
    /// For each place of a node, the node, if it can take pods.
    pub(crate) node_at: &'a [Option<NodeId>],
    pub(crate) first_node: usize,
    pub(crate) sites: usize,
    pub(crate) table: &'a LabelTable,
    pub(crate) rules: &'a Rules,
    /// For each kind, the number of its set of rules about nodes.
    pub(crate) of_kind: &'a [usize],
    /// For each atom, the sites at which it holds.
    pub(crate) holds: &'a [Bits],
    /// For each list of tolerations, the sites that it tolerates.
    pub(crate) tolerated: &'a [Bits],
}

impl Ground<'_> {
    /// Works out the rules between pods, and what they fix.
    pub(crate) fn topology(&self, keys: BTreeSet<Arc<str>>) -> (Topology, Fixed) {
        let keys: IdVec<KeyId, TopologyKey> =
            keys.into_iter().map(|name| self.topology_key(name)).collect();
        let numbers: BTreeMap<Arc<str>, KeyId> =
            keys.iter().map(|(id, key)| (key.name.clone(), id)).collect();
        let over = |name: &Arc<str>| numbers.get(name).map_or(Over::Host, |key| Over::Key(*key));
        let namespaces = self.namespaces;
        let mut selections = Selections::default();
        let mut drafts: Vec<(TopologyRules, Vec<Term>)> = Vec::new();
        let mut counted = Counted::default();
        for (kind, pod) in self.exemplars.iter() {
            let mut rules = TopologyRules::default();
            let mut near = Vec::new();
            let mut term = |term: &PodAffinityTerm| Term {
                over: over(&term.topology_key),
                selection: selections.number(Selection::of(term, pod, namespaces)),
            };
            if let Some(affinity) = &pod.affinity {
                near.extend(affinity.pod_affinity.required.iter().map(&mut term));
                rules.far.extend(affinity.pod_anti_affinity.required.iter().map(&mut term));
                for wish in &affinity.pod_affinity.preferred {
                    rules.wish_near.push((wish.weight, term(&wish.term)));
                }
                for wish in &affinity.pod_anti_affinity.preferred {
                    rules.wish_far.push((wish.weight, term(&wish.term)));
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
                rules.spreads.push(Spread {
                    over: over(&one.topology_key),
                    selection: selections.number(Selection::of_spread(one, pod)),
                    max_skew: i64::from(one.max_skew),
                    min_domains: one.min_domains.map_or(0, |least| least as usize),
                    hard: one.when_unsatisfiable == WhenUnsatisfiable::DoNotSchedule,
                    counted: counted.sites(self, &keys, kind, policies, labelled),
                });
            }
            drafts.push((rules, near));
        }
        let bound_far = self.bound_far(&mut selections, &over, namespaces);
        let mut selected = self.selected(&selections);
        let rules = drafts.into_iter().map(|(mut rules, near)| {
            rules.near = self.together(&selections, &mut selected, &near);
            rules
        });
        let rules: IdVec<KindId, TopologyRules> = rules.collect();
        let mut selected_by: IdVec<KindId, Vec<SelectionId>> =
            self.exemplars.iter().map(|_| Vec::new()).collect();
        for (id, selection) in selected.iter() {
            selection.kinds.iter().for_each(|class| selected_by[*class].push(id));
        }
        let mut read: BTreeSet<Arc<str>> = keys.values().map(|key| key.name.clone()).collect();
        for (kind, pod) in self.exemplars.iter() {
            let mut spreads = pod.topology_spread_constraints.iter();
            if spreads.any(|one| one.node_affinity_policy == NodeInclusionPolicy::Honor) {
                read.extend(self.rules.keys(self.of_kind[super::Id::index(kind)]).cloned());
            }
        }
        let topology = Topology { keys, selections: selected, rules, selected_by, read, bound_far };
        let fixed = self.fixed(&topology);
        (topology, fixed)
    }

    fn topology_key(&self, name: Arc<str>) -> TopologyKey {
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
        TopologyKey { name, names, domains, of_site, labelled }
    }

    /// The required anti-affinity of bound pods: what it selects, over what, and on which nodes they run.
    fn bound_far(
        &self,
        selections: &mut Selections,
        over: &impl Fn(&Arc<str>) -> Over,
        namespaces: &Namespaces,
    ) -> BTreeSet<(Term, NodeId)> {
        let mut owners = BTreeSet::new();
        for bound in self.bound {
            for term in required_anti_affinity(bound.exemplar) {
                let selection = Selection::of(term, bound.exemplar, namespaces);
                let selection = selections.number(selection);
                let term = Term { over: over(&term.topology_key), selection };
                owners.extend(self.nodes_of(bound).map(|(node, _)| (term, node)));
            }
        }
        owners
    }

    /// The nodes that can take pods and to which some are bound, and how many.
    fn nodes_of<'b>(&'b self, bound: &'b Bound<'_>) -> impl Iterator<Item = (NodeId, u32)> + 'b {
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
        for (kind, pod) in self.exemplars.iter() {
            index.selecting(pod).for_each(|id| selected[id].kinds.push(kind));
        }
        let mut bound: BTreeMap<(SelectionId, NodeId), u32> = BTreeMap::new();
        for pods in self.bound {
            for id in index.selecting(pods.exemplar) {
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
        near: &[Term],
    ) -> Option<Near> {
        let (first, others) = near.split_first()?;
        let mut over: Vec<Over> = near.iter().map(|term| term.over).collect();
        over.sort_unstable();
        over.dedup();
        if others.iter().all(|term| term.selection == first.selection) {
            return Some(Near { over, selection: first.selection });
        }
        let mut kinds = selected[first.selection].kinds.clone();
        for term in others {
            kinds.retain(|kind| selected[term.selection].kinds.binary_search(kind).is_ok());
        }
        let mut bound: BTreeMap<NodeId, u32> = BTreeMap::new();
        for pods in self.bound {
            if near.iter().all(|term| selections.selects(term.selection, pods.exemplar)) {
                for (node, count) in self.nodes_of(pods) {
                    let sum = bound.entry(node).or_insert(0);
                    *sum = sum.saturating_add(count);
                }
            }
        }
        let bound = bound.into_iter().collect();
        Some(Near { over, selection: selected.push(Selected { kinds, bound }) })
    }

    fn fixed(&self, topology: &Topology) -> Fixed {
        let mut bars = Bars {
            barred: self.exemplars.iter().map(|_| None).collect(),
            crowded: self.exemplars.iter().map(|_| Vec::new()).collect(),
            sites: self.sites,
            first_node: self.first_node,
            topology,
        };
        let mut apart: IdVec<KindId, Vec<KindId>> =
            self.exemplars.iter().map(|_| Vec::new()).collect();
        let mut sticky: IdVec<KindId, Vec<KeyId>> =
            self.exemplars.iter().map(|_| Vec::new()).collect();
        let early = early(topology);
        // Many kinds count the same: what ties those that are counted is gone through once.
        let mut tied: BTreeSet<(SelectionId, KeyId, bool)> = BTreeSet::new();
        let mut tie = |sticky: &mut IdVec<KindId, Vec<KeyId>>, selection, over, all| {
            let Some(key) = key_of(over).filter(|key| tied.insert((selection, *key, all))) else {
                return;
            };
            let counted = topology.selections[selection].kinds.iter();
            counted
                .filter(|other| all || early[**other])
                .for_each(|other| sticky[*other].push(key));
        };
        for (class, rules) in topology.rules.iter() {
            for term in &rules.far {
                let selected = &topology.selections[term.selection];
                selected.bound.iter().for_each(|(node, _)| bars.domain(class, *node, term.over));
                match term.over {
                    Over::Host => {
                        for other in &selected.kinds {
                            apart[class].push(*other);
                            apart[*other].push(class);
                        }
                    }
                    Over::Key(key) => {
                        sticky[class].push(key);
                        tie(&mut sticky, term.selection, term.over, true);
                    }
                }
            }
            for spread in rules.spreads.iter().filter(|spread| spread.hard) {
                bars.unlabelled(class, spread.over);
                bars.crowded(class, spread);
                sticky[class].extend(key_of(spread.over));
                tie(&mut sticky, spread.selection, spread.over, false);
            }
            if let Some(near) = &rules.near {
                for over in &near.over {
                    bars.unlabelled(class, *over);
                    sticky[class].extend(key_of(*over));
                    tie(&mut sticky, near.selection, *over, true);
                }
            }
        }
        for (term, node) in &topology.bound_far {
            for class in &topology.selections[term.selection].kinds {
                bars.domain(*class, *node, term.over);
                sticky[*class].extend(key_of(term.over));
            }
        }
        for lists in apart.values_mut() {
            lists.sort_unstable();
            lists.dedup();
        }
        for keys in sticky.values_mut() {
            keys.sort_unstable();
            keys.dedup();
        }
        Fixed { barred: bars.barred, crowded: bars.crowded, apart, sticky }
    }
}

/// For each kind, whether its pods may have to be bound before others that count them: where others
/// need them, and where its own spreads count others. All else can come last, and count for nobody.
fn early(topology: &Topology) -> IdVec<KindId, bool> {
    let mut early: IdVec<KindId, bool> = topology.rules.values().map(|_| false).collect();
    for (kind, rules) in topology.rules.iter() {
        let counts_others = |spread: &Spread| {
            let kinds = &topology.selections[spread.selection].kinds;
            spread.hard && kinds.iter().any(|other| *other != kind)
        };
        early[kind] |= rules.spreads.iter().any(counts_others);
        let near = rules.near.iter().flat_map(|near| &topology.selections[near.selection].kinds);
        near.filter(|other| **other != kind).for_each(|other| early[*other] = true);
    }
    early
}

fn key_of(over: Over) -> Option<KeyId> {
    match over {
        Over::Host => None,
        Over::Key(key) => Some(key),
    }
}

/// A set of rules, the policies that honour its affinity and its tolerations, and the labels needed.
type Inclusion = (usize, (bool, bool), BTreeSet<KeyId>);

/// The sites that count as domains, shared by the classes for which they are the same.
#[derive(Default)]
struct Counted {
    known: BTreeMap<Inclusion, Arc<Bits>>,
}

impl Counted {
    fn sites(
        &mut self,
        ground: &Ground<'_>,
        keys: &IdVec<KeyId, TopologyKey>,
        class: KindId,
        (affinity, taints): (NodeInclusionPolicy, NodeInclusionPolicy),
        labelled: BTreeSet<KeyId>,
    ) -> Arc<Bits> {
        let set = ground.of_kind[super::Id::index(class)];
        let honoured =
            (affinity == NodeInclusionPolicy::Honor, taints == NodeInclusionPolicy::Honor);
        let entry = self.known.entry((set, honoured, labelled));
        let sites = entry.or_insert_with_key(|(set, (affinity, taints), labelled)| {
            let rules = &ground.rules.sets()[*set];
            let mut sites = Bits::all(ground.sites);
            labelled.iter().for_each(|key| sites.and(&keys[*key].labelled));
            if *taints {
                sites.and(&ground.tolerated[rules.tolerations]);
            }
            if *affinity {
                rules.selector.iter().for_each(|atom| sites.and(&ground.holds[*atom]));
                if let Some(terms) = &rules.terms {
                    sites.and(&super::any_term(terms, ground.holds, ground.sites));
                }
            }
            Arc::new(sites)
        });
        sites.clone()
    }
}

/// Notes which sites are barred to which class.
struct Bars<'a> {
    barred: IdVec<KindId, Option<Bits>>,
    crowded: IdVec<KindId, Vec<NodeId>>,
    sites: usize,
    first_node: usize,
    topology: &'a Topology,
}

impl Bars<'_> {
    fn of(&mut self, class: KindId) -> &mut Bits {
        let sites = self.sites;
        self.barred[class].get_or_insert_with(|| Bits::none(sites))
    }

    fn node(&mut self, class: KindId, node: NodeId) {
        let site = self.first_node + super::Id::index(node);
        self.of(class).insert(site);
    }

    /// Bars the domain in which a node lies.
    fn domain(&mut self, class: KindId, node: NodeId, over: Over) {
        let Over::Key(key) = over else { return self.node(class, node) };
        let key = &self.topology.keys[key];
        let domain = key.of_site[self.first_node + super::Id::index(node)];
        if let Some(sites) = key.domains.get(domain as usize) {
            self.of(class).or(sites);
        }
    }

    /// Bars the sites that lack a label.
    fn unlabelled(&mut self, class: KindId, over: Over) {
        let Over::Key(key) = over else { return };
        let labelled = &self.topology.keys[key].labelled;
        let mut lacking = Bits::all(self.sites);
        lacking.and_not(labelled);
        if !lacking.is_empty() {
            self.of(class).or(&lacking);
        }
    }

    /// Notes the nodes on which bound pods alone exceed a spread over hosts.
    fn crowded(&mut self, class: KindId, spread: &Spread) {
        if spread.over != Over::Host {
            return;
        }
        let selected = &self.topology.selections[spread.selection];
        let own = i64::from(selected.kinds.binary_search(&class).is_ok());
        let crowded = selected.bound.iter().filter(|(node, count)| {
            let counted = spread.counted.contains(self.first_node + super::Id::index(*node));
            counted && i64::from(*count) + own > spread.max_skew
        });
        self.crowded[class].extend(crowded.map(|(node, _)| *node));
    }
}

impl Topology {
    /// Whether a class is in a selection.
    pub(crate) fn selects(&self, selection: SelectionId, class: KindId) -> bool {
        self.selections[selection].kinds.binary_search(&class).is_ok()
    }
}
