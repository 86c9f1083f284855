//! What every class of pods asks of the domains of label keys and of single nodes, as counters.
//!
//! A counter counts some pods over the domains of one key: those that a spread or an affinity selects,
//! those that an anti-affinity selects, and those that have an anti-affinity by which others keep away.

use crate::compile::{
    Bits, Compiled, Id, IdVec, KeyId, KindId, NO_DOMAIN, NodeId, Over, SelectionId, Term,
};
use crate::pack::union::Union;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The rules of all classes of pods.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) counters: Vec<Counter>,
    /// The counters of spreads: to these it matters where nodes stand.
    pub(super) spread_counters: Vec<usize>,
    pub(super) of_kind: IdVec<KindId, KindRules>,
    /// What affinity selects, wherever it is.
    pub(super) totals: Vec<SelectionId>,
    /// For each class of pods the first of those that are tied to it by spreads and affinity.
    pub(super) component: IdVec<KindId, KindId>,
    /// For each running node, how many bound pods of the selections are there that rules over single
    /// nodes count.
    pub(super) bound_on: BTreeMap<(NodeId, SelectionId), u32>,
}

/// Counts pods over the domains of a key.
#[derive(Debug)]
pub(super) struct Counter {
    pub(super) key: KeyId,
    /// The nodes that it looks at; `None`: all that have the key.
    pub(super) counted: Option<Arc<Bits>>,
    /// Bound pods by domain.
    pub(super) bound: Vec<i64>,
    /// The least `maxSkew` of a spread that reads it.
    pub(super) skew: i64,
    /// Classes of pods with a spread or an affinity that reads it.
    pub(super) owners: Vec<KindId>,
}

/// A spread over the domains of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpreadRule {
    pub(super) counter: usize,
    pub(super) max_skew: i64,
    pub(super) min_domains: usize,
    /// Whether it counts pods of its own class.
    pub(super) own: bool,
}

/// A spread over single nodes.
#[derive(Clone, Debug)]
pub(super) struct HostSpread {
    pub(super) selection: SelectionId,
    pub(super) counted: Arc<Bits>,
    pub(super) max_skew: i64,
    pub(super) own: bool,
}

/// The rules of one class of pods; numbers are of counters.
#[derive(Clone, Debug, Default)]
pub(super) struct KindRules {
    pub(super) spreads: Vec<SpreadRule>,
    pub(super) host_spreads: Vec<HostSpread>,
    /// Required affinity over keys.
    pub(super) near: Vec<usize>,
    /// Required affinity: what it selects, the number of that total, whether single nodes are among
    /// its topology keys, and whether it selects its own class.
    pub(super) affinity: Option<Affinity>,
    /// Anti-affinity over keys, its own and others': none of these may be there.
    pub(super) far: Vec<usize>,
    /// Whether pods of the class keep away from each other over some key.
    pub(super) far_self: bool,
    /// The counters that count the class.
    pub(super) counted_by: Vec<usize>,
    /// The totals that count it.
    pub(super) totals: Vec<usize>,
    /// Whether some spread over single nodes counts it.
    pub(super) is_on_hosts: bool,
}

/// The required affinity of a class of pods.
#[derive(Clone, Copy, Debug)]
pub(super) struct Affinity {
    pub(super) selection: SelectionId,
    pub(super) total: usize,
    pub(super) over_hosts: bool,
    pub(super) own: bool,
}

impl KindRules {
    /// Whether no pod that an affinity selects is in a domain of any of its keys: one on a node without the
    /// label isn't in any.
    pub(super) fn is_first(
        &self,
        affinity: &Affinity,
        totals: &[u64],
        counts: &[Vec<i64>],
    ) -> bool {
        match affinity.over_hosts {
            true => totals[affinity.total] == 0,
            false => self.near.iter().all(|at| counts[*at].iter().all(|count| *count == 0)),
        }
    }

    /// Whether it depends on the order of binding where its pods may go.
    pub(super) fn is_ordered(&self) -> bool {
        !self.spreads.is_empty() || self.affinity.is_some()
    }

    /// Whether any rule over domains reads or counts it.
    pub(super) fn is_domain_tied(&self) -> bool {
        self.is_ordered() || !self.far.is_empty() || !self.counted_by.is_empty()
    }
}

/// What a counter is told by.
type Key = (bool, SelectionId, KeyId, Option<Arc<Bits>>);

/// Numbers counters while rules are read.
struct Maker<'a> {
    compiled: &'a Compiled,
    counters: Vec<Counter>,
    numbers: BTreeMap<Key, usize>,
    /// By counter, whom it counts.
    kinds: Vec<Vec<KindId>>,
    totals: Vec<SelectionId>,
}

impl Maker<'_> {
    /// The counter of the pods that a selection means.
    fn selected(
        &mut self,
        selection: SelectionId,
        key: KeyId,
        counted: Option<Arc<Bits>>,
    ) -> usize {
        let compiled = self.compiled;
        let number = self.counters.len();
        let entry = self.numbers.entry((false, selection, key, counted.clone()));
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
            self.counters.push(Counter { key, counted, bound, skew: i64::MAX, owners: Vec::new() });
            self.kinds.push(selected.kinds.clone());
        }
        at
    }

    /// The counter of the pods that have a term of anti-affinity; bound ones bar sites already.
    fn having(&mut self, selection: SelectionId, key: KeyId, owner: KindId) -> usize {
        let number = self.counters.len();
        let at = *self.numbers.entry((true, selection, key, None)).or_insert(number);
        if at == number {
            let domains = self.compiled.topology.keys[key].domains.len();
            let bound = vec![0; domains];
            let counter = Counter { key, counted: None, bound, skew: i64::MAX, owners: Vec::new() };
            self.counters.push(counter);
            self.kinds.push(Vec::new());
        }
        if self.kinds[at].last() != Some(&owner) {
            self.kinds[at].push(owner);
        }
        at
    }

    fn total(&mut self, selection: SelectionId) -> usize {
        match self.totals.iter().position(|known| *known == selection) {
            Some(at) => at,
            None => {
                self.totals.push(selection);
                self.totals.len() - 1
            }
        }
    }
}

impl Rules {
    pub(super) fn of(compiled: &Compiled) -> Self {
        let topology = &compiled.topology;
        let mut maker = Maker {
            compiled,
            counters: Vec::new(),
            numbers: BTreeMap::new(),
            kinds: Vec::new(),
            totals: Vec::new(),
        };
        let mut of_kind: IdVec<KindId, KindRules> =
            compiled.kinds.iter().map(|_| KindRules::default()).collect();
        let mut spread_counters: BTreeSet<usize> = BTreeSet::new();
        let mut over_hosts: BTreeSet<SelectionId> = BTreeSet::new();
        let mut far_terms: BTreeMap<Term, usize> = BTreeMap::new();
        for (kind, rules) in topology.rules.iter() {
            let own = &mut of_kind[kind];
            for spread in rules.spreads.iter().filter(|spread| spread.hard) {
                let counts_own = topology.selects(spread.selection, kind);
                match spread.over {
                    Over::Host => {
                        let _new = over_hosts.insert(spread.selection);
                        own.host_spreads.push(HostSpread {
                            selection: spread.selection,
                            counted: spread.counted.clone(),
                            max_skew: spread.max_skew,
                            own: counts_own,
                        });
                    }
                    Over::Key(key) => {
                        let counter =
                            maker.selected(spread.selection, key, Some(spread.counted.clone()));
                        let _new = spread_counters.insert(counter);
                        let of_counter = &mut maker.counters[counter];
                        of_counter.skew = of_counter.skew.min(spread.max_skew);
                        of_counter.owners.push(kind);
                        own.spreads.push(SpreadRule {
                            counter,
                            max_skew: spread.max_skew,
                            min_domains: spread.min_domains,
                            own: counts_own,
                        });
                    }
                }
            }
            if let Some(near) = &rules.near {
                let mut affinity = Affinity {
                    selection: near.selection,
                    total: maker.total(near.selection),
                    over_hosts: false,
                    own: topology.selects(near.selection, kind),
                };
                for over in &near.over {
                    match over {
                        Over::Host => affinity.over_hosts = true,
                        Over::Key(key) => {
                            let counter = maker.selected(near.selection, *key, None);
                            maker.counters[counter].owners.push(kind);
                            own.near.push(counter);
                        }
                    }
                }
                if affinity.over_hosts {
                    let _new = over_hosts.insert(near.selection);
                }
                own.affinity = Some(affinity);
            }
            for term in &rules.far {
                let Over::Key(key) = term.over else { continue };
                own.far.push(maker.selected(term.selection, key, None));
                own.far_self |= topology.selects(term.selection, kind);
                let having = maker.having(term.selection, key, kind);
                let _same = far_terms.insert(*term, having);
            }
        }
        for (term, having) in far_terms {
            for kind in &topology.selections[term.selection].kinds {
                of_kind[*kind].far.push(having);
            }
        }
        for (counter, kinds) in maker.kinds.iter().enumerate() {
            kinds.iter().for_each(|kind| of_kind[*kind].counted_by.push(counter));
        }
        for (total, selection) in maker.totals.iter().enumerate() {
            for kind in &topology.selections[*selection].kinds {
                of_kind[*kind].totals.push(total);
            }
        }
        let mut bound_on = BTreeMap::new();
        for selection in over_hosts {
            for (node, count) in &topology.selections[selection].bound {
                let _new = bound_on.insert((*node, selection), *count);
            }
        }
        let component =
            components(compiled, &maker.counters, &maker.kinds, &maker.totals, &of_kind);
        Self {
            counters: maker.counters,
            spread_counters: spread_counters.into_iter().collect(),
            of_kind,
            totals: maker.totals,
            component,
            bound_on,
        }
    }

    /// The domain of a site as a counter sees it, if it looks there.
    pub(super) fn domain(&self, compiled: &Compiled, at: usize, site: usize) -> Option<usize> {
        let counter = &self.counters[at];
        let domain = compiled.topology.keys[counter.key].of_site[site];
        let counts = counter.counted.as_ref().is_none_or(|counted| counted.contains(site));
        (counts && domain != NO_DOMAIN).then_some(domain as usize)
    }
}

/// For each class of pods, the first of those that spreads and affinity tie together with it.
fn components(
    compiled: &Compiled,
    counters: &[Counter],
    counted: &[Vec<KindId>],
    totals: &[SelectionId],
    of_kind: &IdVec<KindId, KindRules>,
) -> IdVec<KindId, KindId> {
    let mut union = Union::new(compiled.kinds.len());
    let mut join = |one: KindId, other: KindId| union.join(one.index(), other.index());
    for (counter, kinds) in counters.iter().zip(counted) {
        let Some(owner) = counter.owners.first() else { continue };
        counter.owners.iter().chain(kinds).for_each(|kind| join(*owner, *kind));
    }
    for (kind, rules) in of_kind.iter() {
        for spread in &rules.host_spreads {
            let selected = &compiled.topology.selections[spread.selection].kinds;
            selected.iter().for_each(|other| join(kind, *other));
        }
        if let Some(affinity) = &rules.affinity {
            let selected = &compiled.topology.selections[totals[affinity.total]].kinds;
            selected.iter().for_each(|other| join(kind, *other));
        }
    }
    compiled.kinds.ids().map(|kind| KindId::from_index(union.root(kind.index()))).collect()
}

/// The class of the problem as a whole that stands for a class of pods.
pub(super) fn class_of(kind: KindId) -> crate::compile::ClassId {
    crate::compile::ClassId::from_index(kind.index())
}
