//! What rules between pods fix about single classes, whatever is decided: the sites that bound pods
//! or missing labels bar, who can't share a node with whom, and the keys over which a pod's domain
//! must be known.
//!
//! Bound pods don't move while pods are placed, so what they forbid is known before: it becomes
//! bits of eligibility, and the packer never meets it as a rule. What is left for the packer is
//! what depends on its own decisions.

use super::bits::Bits;
use super::id::{ClassId, IdVec, KeyId, NodeId, SelectionId};
use super::topology::{Topology, TopologyInput, TopologyKey, TopologySpread};
use std::collections::BTreeSet;

/// What the rules between pods fix about single classes.
///
/// All four are read once, when items are made of classes.
#[derive(Debug)]
pub(crate) struct FixedRules {
    /// For each class, the sites that bound pods or missing labels bar; `None` where nothing does.
    pub(crate) barred: IdVec<ClassId, Option<Bits>>,
    /// For each class, the running nodes on which bound pods alone exceed a spread over hosts. One
    /// more may be legal there if every other node has as many, which isn't looked into.
    pub(crate) over_skew: IdVec<ClassId, Vec<NodeId>>,
    /// For each class, the classes of which no pod may share a node with one of its own, sorted; a
    /// class in its own list is alone of its class on a node.
    pub(crate) host_conflicts: IdVec<ClassId, Vec<ClassId>>,
    /// For each class, the keys over which its domain must be known.
    pub(crate) domain_keys: IdVec<ClassId, Vec<KeyId>>,
}

impl FixedRules {
    /// What rules between pods, of pending pods and of bound ones, fix about single classes.
    pub(super) fn of(input: &TopologyInput<'_>, topology: &Topology) -> Self {
        let mut bars = Bars {
            barred: input.exemplars.iter().map(|_| None).collect(),
            over_skew: input.exemplars.iter().map(|_| Vec::new()).collect(),
            sites: input.sites,
            first_node: input.first_node,
            topology,
        };
        let mut host_conflicts: IdVec<ClassId, Vec<ClassId>> =
            input.exemplars.iter().map(|_| Vec::new()).collect();
        let mut domain_keys: IdVec<ClassId, Vec<KeyId>> =
            input.exemplars.iter().map(|_| Vec::new()).collect();
        let early = early(topology);
        // Many classes count the same: what ties those that are counted is gone through once.
        let mut tied: BTreeSet<(SelectionId, KeyId, bool)> = BTreeSet::new();
        let mut bind_domain =
            |domain_keys: &mut IdVec<ClassId, Vec<KeyId>>, selection, topology_key, all| {
                let Some(key) =
                    key_of(topology_key).filter(|key| tied.insert((selection, *key, all)))
                else {
                    return;
                };
                let counted = topology.selections[selection].classes.iter();
                counted
                    .filter(|other| all || early[**other])
                    .for_each(|other| domain_keys[*other].push(key));
            };
        for (class, rules) in topology.rules.iter() {
            for term in &rules.anti_affinity {
                let selected = &topology.selections[term.selection];
                selected.bound.iter().for_each(|(node, _)| bars.domain(class, *node, term.key));
                match term.key {
                    TopologyKey::Hostname => {
                        for other in &selected.classes {
                            host_conflicts[class].push(*other);
                            host_conflicts[*other].push(class);
                        }
                    }
                    TopologyKey::Label(key) => {
                        domain_keys[class].push(key);
                        bind_domain(&mut domain_keys, term.selection, term.key, true);
                    }
                }
            }
            for spread in rules.spreads.iter().filter(|spread| spread.hard) {
                bars.unlabelled(class, spread.key);
                bars.over_skew(class, spread);
                domain_keys[class].extend(key_of(spread.key));
                bind_domain(&mut domain_keys, spread.selection, spread.key, false);
            }
            if let Some(affinity) = &rules.affinity {
                for topology_key in &affinity.key {
                    bars.unlabelled(class, *topology_key);
                    domain_keys[class].extend(key_of(*topology_key));
                    bind_domain(&mut domain_keys, affinity.selection, *topology_key, true);
                }
            }
        }
        for (term, node) in &topology.bound_anti_affinity {
            for class in &topology.selections[term.selection].classes {
                bars.domain(*class, *node, term.key);
                domain_keys[*class].extend(key_of(term.key));
            }
        }
        bars.one_host(input.one_host);
        for lists in host_conflicts.values_mut() {
            lists.sort_unstable();
            lists.dedup();
        }
        for keys in domain_keys.values_mut() {
            keys.sort_unstable();
            keys.dedup();
        }
        Self { barred: bars.barred, over_skew: bars.over_skew, host_conflicts, domain_keys }
    }
}

/// For each class, whether its pods may have to be bound before others that count them: where
/// others need them, and where its own spreads count others. All else can come last, and count for
/// nobody.
///
/// A pod that nobody needs and that counts nobody can be bound after all others: whatever the order
/// of those, it sees the final counts.
fn early(topology: &Topology) -> IdVec<ClassId, bool> {
    let mut early: IdVec<ClassId, bool> = topology.rules.values().map(|_| false).collect();
    for (class, rules) in topology.rules.iter() {
        let counts_others = |spread: &TopologySpread| {
            let classes = &topology.selections[spread.selection].classes;
            spread.hard && classes.iter().any(|other| *other != class)
        };
        early[class] |= rules.spreads.iter().any(counts_others);
        let affinity = rules
            .affinity
            .iter()
            .flat_map(|affinity| &topology.selections[affinity.selection].classes);
        affinity.filter(|other| **other != class).for_each(|other| early[*other] = true);
    }
    early
}

fn key_of(topology_key: TopologyKey) -> Option<KeyId> {
    match topology_key {
        TopologyKey::Hostname => None,
        TopologyKey::Label(key) => Some(key),
    }
}

/// Notes which sites are barred to which class.
///
/// Filled rule by rule.
struct Bars<'a> {
    barred: IdVec<ClassId, Option<Bits>>,
    over_skew: IdVec<ClassId, Vec<NodeId>>,
    sites: usize,
    first_node: usize,
    topology: &'a Topology,
}

impl Bars<'_> {
    fn of(&mut self, class: ClassId) -> &mut Bits {
        let sites = self.sites;
        self.barred[class].get_or_insert_with(|| Bits::none(sites))
    }

    fn node(&mut self, class: ClassId, node: NodeId) {
        let site = self.first_node + super::Id::index(node);
        self.of(class).insert(site);
    }

    /// Bars the domain in which a node lies.
    ///
    /// The node alone, or every site with its value of the label.
    fn domain(&mut self, class: ClassId, node: NodeId, topology_key: TopologyKey) {
        let TopologyKey::Label(key) = topology_key else { return self.node(class, node) };
        let key = &self.topology.keys[key];
        let domain = key.of_site[self.first_node + super::Id::index(node)];
        if let Some(sites) = key.domains.get(domain as usize) {
            self.of(class).or(sites);
        }
    }

    /// Leaves of running nodes with one hostname the first to pods that a rule over hosts concerns,
    /// and not even that where others have pods that it counts: they are one domain, but nodes of
    /// their own for everything that is worked out by node.
    fn one_host(&mut self, one_host: &[(NodeId, NodeId)]) {
        if one_host.is_empty() {
            return;
        }
        let topology = self.topology;
        let over_hosts = |key: &TopologyKey| *key == TopologyKey::Hostname;
        let mut ruled: BTreeSet<(ClassId, SelectionId)> = BTreeSet::new();
        let mut selections: BTreeSet<SelectionId> = BTreeSet::new();
        for (class, rules) in topology.rules.iter() {
            let spreads = rules.spreads.iter().filter(|one| one.hard && over_hosts(&one.key));
            let terms = rules.anti_affinity.iter().filter(|term| over_hosts(&term.key));
            let affinity = rules.affinity.iter().filter(|one| one.key.iter().any(over_hosts));
            let own = spreads.map(|one| one.selection).chain(terms.map(|term| term.selection));
            let own: Vec<SelectionId> = own.chain(affinity.map(|one| one.selection)).collect();
            ruled.extend(own.iter().map(|selection| (class, *selection)));
            selections.extend(own);
        }
        for (term, _) in topology.bound_anti_affinity.iter().filter(|(one, _)| over_hosts(&one.key))
        {
            let _new = selections.insert(term.selection);
        }
        for selection in selections {
            let counted = topology.selections[selection].classes.iter();
            ruled.extend(counted.map(|class| (*class, selection)));
        }
        for (class, selection) in ruled {
            for (other, first) in one_host {
                self.node(class, *other);
                let bound = topology.selections[selection].bound.iter();
                let mut bound = bound.map(|(node, _)| *node);
                let kept_away = topology.bound_anti_affinity.iter().any(|(term, node)| {
                    term.selection == selection && over_hosts(&term.key) && node == other
                });
                if kept_away || bound.any(|node| node == *other) {
                    self.node(class, *first);
                }
            }
        }
    }

    /// Bars the sites that lack a label.
    ///
    /// kube-scheduler filters nodes without a topology key out, whatever is counted.
    fn unlabelled(&mut self, class: ClassId, topology_key: TopologyKey) {
        let TopologyKey::Label(key) = topology_key else { return };
        let labelled = &self.topology.keys[key].labelled;
        let mut lacking = Bits::all(self.sites);
        lacking.and_not(labelled);
        if !lacking.is_empty() {
            self.of(class).or(&lacking);
        }
    }

    /// Notes the nodes on which bound pods alone exceed a spread over hosts.
    fn over_skew(&mut self, class: ClassId, spread: &TopologySpread) {
        if spread.key != TopologyKey::Hostname {
            return;
        }
        let selected = &self.topology.selections[spread.selection];
        let own = i64::from(selected.classes.binary_search(&class).is_ok());
        let over_skew = selected.bound.iter().filter(|(node, count)| {
            let counted = spread.counted.contains(self.first_node + super::Id::index(*node));
            counted && i64::from(*count) + own > spread.max_skew
        });
        self.over_skew[class].extend(over_skew.map(|(node, _)| *node));
    }
}
