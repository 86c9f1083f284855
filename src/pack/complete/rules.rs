//! What every class of pods asks of the domains of label keys and of single nodes, as counters.
//!
//! A counter counts some pods over the domains of one key: those that a spread or an affinity
//! selects, those that an anti-affinity selects, and those that have an anti-affinity by which
//! others keep away.

use crate::compile::{
    AffinityTerm, Bits, ClassId, Compiled, Id, IdVec, KeyId, NO_DOMAIN, NodeId, SelectionId,
    TopologyKey,
};
use crate::pack::disjoint_sets::DisjointSets;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The rules of all classes of pods.
#[derive(Debug)]
pub(crate) struct PlacementRules {
    pub(crate) counters: Vec<DomainCounter>,
    /// The counters of spreads: to these it matters where nodes stand.
    pub(crate) spread_counters: Vec<usize>,
    pub(crate) of_class: IdVec<ClassId, PodClassRules>,
    /// What affinity selects, wherever it is.
    pub(crate) totals: Vec<SelectionId>,
    /// For each class of pods the first of those that are tied to it by spreads and affinity.
    pub(crate) component: IdVec<ClassId, ClassId>,
    /// For each running node, how many bound pods of the selections are there that rules over
    /// single nodes count.
    pub(crate) bound_on: BTreeMap<(NodeId, SelectionId), u32>,
}

/// Counts pods over the domains of a key.
#[derive(Debug)]
pub(crate) struct DomainCounter {
    pub(crate) key: KeyId,
    /// The nodes that it looks at; `None`: all that have the key.
    pub(crate) counted: Option<Arc<Bits>>,
    /// Bound pods by domain.
    pub(crate) bound: Vec<i64>,
    /// The least `maxSkew` of a spread that reads it.
    pub(crate) skew: i64,
    /// Classes of pods with a spread or an affinity that reads it.
    pub(crate) owners: Vec<ClassId>,
    /// Whom it counts; `None` where it counts those that have a term of anti-affinity.
    pub(crate) selection: Option<SelectionId>,
    /// Whether it looks at nodes that are being drained.
    pub(crate) counts_draining: bool,
}

/// A spread over the domains of a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpreadRule {
    pub(crate) counter: usize,
    pub(crate) max_skew: i64,
    pub(crate) min_domains: usize,
    /// Whether it counts pods of its own class.
    pub(crate) own: bool,
}

/// A spread over single nodes.
#[derive(Clone, Debug)]
pub(crate) struct HostSpread {
    pub(crate) selection: SelectionId,
    pub(crate) counted: Arc<Bits>,
    pub(crate) max_skew: i64,
    pub(crate) own: bool,
    /// Whether nodes that are being drained count.
    pub(crate) counts_draining: bool,
    pub(crate) min_domains: usize,
}

/// The rules of one class of pods; numbers are of counters.
#[derive(Clone, Debug, Default)]
pub(crate) struct PodClassRules {
    pub(crate) spreads: Vec<SpreadRule>,
    pub(crate) host_spreads: Vec<HostSpread>,
    /// Required affinity over keys.
    pub(crate) affinity_counters: Vec<usize>,
    /// Required affinity: what it selects, the number of that total, whether single nodes are among
    /// its topology keys, and whether it selects its own class.
    pub(crate) affinity: Option<AffinityRule>,
    /// Anti-affinity over keys, its own and others': none of these may be there.
    pub(crate) anti_affinity: Vec<usize>,
    /// Whether pods of the class keep away from each other over some key.
    pub(crate) anti_affinity_to_self: bool,
    /// The counters that count the class.
    pub(crate) counted_by: Vec<usize>,
    /// The totals that count it.
    pub(crate) totals: Vec<usize>,
    /// Whether some spread over single nodes counts it.
    pub(crate) is_on_hosts: bool,
    /// The nodes, sorted, that it may use only while no fresh node can be launched: bound pods
    /// alone exceed one of its spreads over single nodes beside one.
    pub(crate) over_skew: Vec<NodeId>,
}

/// The required affinity of a class of pods.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AffinityRule {
    pub(crate) selection: SelectionId,
    pub(crate) total: usize,
    pub(crate) over_hosts: bool,
    pub(crate) own: bool,
}

impl PodClassRules {
    /// Whether no pod that an affinity selects is in a domain of any of its keys: one on a node
    /// without the label isn't in any.
    pub(crate) fn is_first(
        &self,
        affinity: &AffinityRule,
        totals: &[u64],
        counts: &[Vec<i64>],
    ) -> bool {
        match affinity.over_hosts {
            true => totals[affinity.total] == 0,
            false => {
                self.affinity_counters.iter().all(|at| counts[*at].iter().all(|count| *count == 0))
            }
        }
    }

    /// Whether it depends on the order of binding where its pods may go.
    pub(crate) fn is_ordered(&self) -> bool {
        !self.spreads.is_empty() || self.affinity.is_some()
    }

    /// Whether any rule over domains reads or counts it.
    pub(crate) fn is_domain_tied(&self) -> bool {
        self.is_ordered() || !self.anti_affinity.is_empty() || !self.counted_by.is_empty()
    }
}

/// What a counter is told by.
type CounterKey = (bool, SelectionId, KeyId, Option<Arc<Bits>>, bool);

/// Numbers counters while rules are read.
struct RuleBuilder<'a> {
    compiled: &'a Compiled,
    counters: Vec<DomainCounter>,
    numbers: BTreeMap<CounterKey, usize>,
    /// By counter, whom it counts.
    classes: Vec<Vec<ClassId>>,
    totals: Vec<SelectionId>,
    /// By selection, the number of its total.
    total_numbers: BTreeMap<SelectionId, usize>,
}

impl RuleBuilder<'_> {
    /// The counter of the pods that a selection means.
    fn selected(
        &mut self,
        selection: SelectionId,
        key: KeyId,
        counted: Option<Arc<Bits>>,
        counts_draining: bool,
    ) -> usize {
        let compiled = self.compiled;
        let number = self.counters.len();
        let entry = self.numbers.entry((false, selection, key, counted.clone(), counts_draining));
        let at = *entry.or_insert(number);
        if at == number {
            let selected = &compiled.topology.selections[selection];
            let of_key = &compiled.topology.keys[key];
            let mut bound = vec![0; of_key.domains.len()];
            for (node, count) in &selected.bound {
                let site = compiled.site_of_node(*node);
                let counts = counted.as_ref().is_none_or(|counted| counted.contains(site));
                if let Some(sum) = bound.get_mut(of_key.of_site[site] as usize).filter(|_| counts) {
                    *sum += i64::from(*count);
                }
            }
            self.counters.push(DomainCounter {
                key,
                counted,
                bound,
                skew: i64::MAX,
                owners: Vec::new(),
                selection: Some(selection),
                counts_draining,
            });
            self.classes.push(selected.classes.clone());
        }
        at
    }

    /// The counter of the pods that have a term of anti-affinity; bound ones bar sites already.
    fn having(&mut self, selection: SelectionId, key: KeyId, owner: ClassId) -> usize {
        let number = self.counters.len();
        let at = *self.numbers.entry((true, selection, key, None, true)).or_insert(number);
        if at == number {
            let domains = self.compiled.topology.keys[key].domains.len();
            let bound = vec![0; domains];
            let counter = DomainCounter {
                key,
                counted: None,
                bound,
                skew: i64::MAX,
                owners: Vec::new(),
                selection: None,
                counts_draining: true,
            };
            self.counters.push(counter);
            self.classes.push(Vec::new());
        }
        if self.classes[at].last() != Some(&owner) {
            self.classes[at].push(owner);
        }
        at
    }

    fn total(&mut self, selection: SelectionId) -> usize {
        let next = self.totals.len();
        let at = *self.total_numbers.entry(selection).or_insert(next);
        if at == next {
            self.totals.push(selection);
        }
        at
    }
}

impl PlacementRules {
    /// Whether any site may hold a pod of a class.
    pub(crate) fn may_be_placed(&self, compiled: &Compiled, class: ClassId) -> bool {
        compiled.placeable[item_of(class)] || !self.of_class[class].over_skew.is_empty()
    }

    pub(crate) fn of(compiled: &Compiled) -> Self {
        let topology = &compiled.topology;
        let mut builder = RuleBuilder {
            compiled,
            counters: Vec::new(),
            numbers: BTreeMap::new(),
            classes: Vec::new(),
            totals: Vec::new(),
            total_numbers: BTreeMap::new(),
        };
        let mut of_class: IdVec<ClassId, PodClassRules> =
            compiled.classes.iter().map(|_| PodClassRules::default()).collect();
        let mut spread_counters: BTreeSet<usize> = BTreeSet::new();
        let mut over_hosts: BTreeSet<SelectionId> = BTreeSet::new();
        let mut anti_affinity_terms: BTreeMap<AffinityTerm, usize> = BTreeMap::new();
        for (class, rules) in topology.rules.iter() {
            let own = &mut of_class[class];
            for spread in rules.spreads.iter().filter(|spread| spread.hard) {
                let counts_own = topology.selects(spread.selection, class);
                match spread.key {
                    TopologyKey::Hostname => {
                        let _new = over_hosts.insert(spread.selection);
                        own.host_spreads.push(HostSpread {
                            selection: spread.selection,
                            counted: spread.counted.clone(),
                            max_skew: spread.max_skew,
                            own: counts_own,
                            counts_draining: spread.counts_draining,
                            min_domains: spread.min_domains,
                        });
                    }
                    TopologyKey::Label(key) => {
                        let counter = builder.selected(
                            spread.selection,
                            key,
                            Some(spread.counted.clone()),
                            spread.counts_draining,
                        );
                        let _new = spread_counters.insert(counter);
                        let of_counter = &mut builder.counters[counter];
                        of_counter.skew = of_counter.skew.min(spread.max_skew);
                        of_counter.owners.push(class);
                        own.spreads.push(SpreadRule {
                            counter,
                            max_skew: spread.max_skew,
                            min_domains: spread.min_domains,
                            own: counts_own,
                        });
                    }
                }
            }
            if let Some(required) = &rules.affinity {
                let mut affinity = AffinityRule {
                    selection: required.selection,
                    total: builder.total(required.selection),
                    over_hosts: false,
                    own: topology.selects(required.selection, class),
                };
                for topology_key in &required.key {
                    match topology_key {
                        TopologyKey::Hostname => affinity.over_hosts = true,
                        TopologyKey::Label(key) => {
                            let counter = builder.selected(required.selection, *key, None, true);
                            builder.counters[counter].owners.push(class);
                            own.affinity_counters.push(counter);
                        }
                    }
                }
                if affinity.over_hosts {
                    let _new = over_hosts.insert(required.selection);
                }
                own.affinity = Some(affinity);
            }
            for term in &rules.anti_affinity {
                let TopologyKey::Label(key) = term.key else { continue };
                own.anti_affinity.push(builder.selected(term.selection, key, None, true));
                own.anti_affinity_to_self |= topology.selects(term.selection, class);
                let having = builder.having(term.selection, key, class);
                let _same = anti_affinity_terms.insert(*term, having);
            }
        }
        for (term, having) in anti_affinity_terms {
            for class in &topology.selections[term.selection].classes {
                of_class[*class].anti_affinity.push(having);
            }
        }
        for (counter, classes) in builder.classes.iter().enumerate() {
            classes.iter().for_each(|class| of_class[*class].counted_by.push(counter));
        }
        for (total, selection) in builder.totals.iter().enumerate() {
            for class in &topology.selections[*selection].classes {
                of_class[*class].totals.push(total);
            }
        }
        let mut bound_on = BTreeMap::new();
        for selection in over_hosts {
            for class in &topology.selections[selection].classes {
                of_class[*class].is_on_hosts = true;
            }
            for (node, count) in &topology.selections[selection].bound {
                let _new = bound_on.insert((*node, selection), *count);
            }
        }
        for (node, class) in &compiled.over_skew {
            of_class[*class].over_skew.push(*node);
        }
        let component =
            components(compiled, &builder.counters, &builder.classes, &builder.totals, &of_class);
        Self {
            counters: builder.counters,
            spread_counters: spread_counters.into_iter().collect(),
            of_class,
            totals: builder.totals,
            component,
            bound_on,
        }
    }

    /// The domain of a site as a counter sees it, if it looks there.
    pub(crate) fn domain(&self, compiled: &Compiled, at: usize, site: usize) -> Option<usize> {
        let counter = &self.counters[at];
        let domain = compiled.topology.keys[counter.key].of_site[site];
        let counts = counter.counted.as_ref().is_none_or(|counted| counted.contains(site));
        (counts && domain != NO_DOMAIN).then_some(domain as usize)
    }
}

/// For each class of pods, the first of those that spreads and affinity tie together with it.
fn components(
    compiled: &Compiled,
    counters: &[DomainCounter],
    counted: &[Vec<ClassId>],
    totals: &[SelectionId],
    of_class: &IdVec<ClassId, PodClassRules>,
) -> IdVec<ClassId, ClassId> {
    let mut sets = DisjointSets::new(compiled.classes.len());
    let mut join = |one: ClassId, other: ClassId| sets.join(one.index(), other.index());
    for (counter, classes) in counters.iter().zip(counted) {
        let Some(owner) = counter.owners.first() else { continue };
        counter.owners.iter().chain(classes).for_each(|class| join(*owner, *class));
    }
    for (class, rules) in of_class.iter() {
        for spread in &rules.host_spreads {
            let selected = &compiled.topology.selections[spread.selection].classes;
            selected.iter().for_each(|other| join(class, *other));
        }
        if let Some(affinity) = &rules.affinity {
            let selected = &compiled.topology.selections[totals[affinity.total]].classes;
            selected.iter().for_each(|other| join(class, *other));
        }
    }
    compiled.classes.ids().map(|class| ClassId::from_index(sets.root(class.index()))).collect()
}

/// The class of the problem as a whole that stands for a class of pods.
pub(crate) fn item_of(class: ClassId) -> crate::compile::ItemId {
    crate::compile::ItemId::from_index(class.index())
}
