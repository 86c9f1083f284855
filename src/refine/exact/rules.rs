//! Rules between pods over domains, as statements about the end: how many pods of which items are
//! in each domain.
//!
//! A rule is judged once all pods are somewhere, whatever the order in which they were bound. That
//! asks less than kube-scheduler, which judges each pod when it is bound, so a division that is
//! refused here is legal in no order, and a bound over what is left holds:
//!
//! - a spread whose owners are all counted ends at most `skew` above its lowest domain if each of
//!   its pods was legal when it came, since the last pod of the fullest domain was;
//! - each owner of an affinity has company in its domain that isn't itself, but for the first of
//!   all, which may be alone where it selects its own kind and nobody is bound;
//! - a domain with an owner of an anti-affinity has nobody else that it means.
//!
//! Spreads of several classes that count the same pods on the same nodes with the same skew are one
//! rule, over the domains open to all of them. A spread that doesn't count its own pods is left
//! out: in which order they come would matter.

use super::places::{ExactCells, ExactItem};
use crate::compile::{
    Bits, ClassId, Compiled, Id, ItemId, KeyId, NO_DOMAIN, SelectionId, TopologyKey,
};
use crate::pack::Context;
use std::collections::{BTreeMap, BTreeSet};

/// How many pods of each item are in each cell: by item, then by cell.
pub(super) type ExactItemsByCell = Vec<Vec<u32>>;

/// A rule over the domains of one key.
#[derive(Debug)]
pub(super) struct ExactConstraint {
    /// The place of the key among those of the cells.
    key: usize,
    /// Items that have the rule.
    owners: Vec<usize>,
    /// Items that it counts.
    counted: Vec<usize>,
    /// Bound pods that it counts, by domain.
    bound: BTreeMap<u32, i64>,
    /// What is asked of the counts.
    what: ExactKind,
}

/// What a rule asks of the counts in each domain.
#[derive(Debug)]
enum ExactKind {
    /// No domain of an owner exceeds the lowest of these by more than so much; of those that don't
    /// stand where nothing is launched, `standing`, they count where there is any pod.
    Spread { skew: i64, open: BTreeSet<u32>, standing: Option<BTreeSet<u32>> },
    /// An owner's domain has some that is counted and no owner, but for one domain at most where
    /// there are none that are bound.
    Affinity,
    /// An owner's domain has nobody else that is counted.
    AntiAffinity,
}

impl ExactConstraint {
    /// The items that it is about.
    pub(super) fn items(&self) -> impl Iterator<Item = usize> {
        self.owners.iter().chain(&self.counted).copied()
    }

    /// The last of them.
    pub(super) fn last(&self) -> Option<usize> {
        self.items().max()
    }

    /// Whether it holds of these numbers.
    pub(super) fn holds(&self, cells: &[Vec<u32>], by_cells: &ExactItemsByCell) -> bool {
        self.holds_beside(cells, by_cells, false)
    }

    /// Whether it holds beside all domains that launches could add.
    pub(super) fn is_kept(&self, cells: &[Vec<u32>], by_cells: &ExactItemsByCell) -> bool {
        self.holds_beside(cells, by_cells, true)
    }

    /// Whether it holds; with `launches` every domain in which a node could be launched counts,
    /// even if it has no pod.
    fn holds_beside(
        &self,
        cells: &[Vec<u32>],
        by_cells: &ExactItemsByCell,
        launches: bool,
    ) -> bool {
        let mut owners: BTreeMap<u32, i64> = BTreeMap::new();
        let mut counted = self.bound.clone();
        let mut helpers: BTreeMap<u32, i64> = self.bound.clone();
        for (cell, domains) in cells.iter().enumerate() {
            let domain = domains[self.key];
            if domain == NO_DOMAIN {
                continue;
            }
            let sum = |items: &[usize]| -> i64 {
                items.iter().map(|item| i64::from(by_cells[*item][cell])).sum()
            };
            *owners.entry(domain).or_insert(0) += sum(&self.owners);
            *counted.entry(domain).or_insert(0) += sum(&self.counted);
            let others = self.counted.iter().filter(|item| !self.owners.contains(item));
            *helpers.entry(domain).or_insert(0) +=
                others.map(|item| i64::from(by_cells[*item][cell])).sum::<i64>();
        }
        let mut used = owners.iter().filter(|(_, count)| **count > 0);
        let at =
            |counts: &BTreeMap<u32, i64>, domain: &u32| counts.get(domain).copied().unwrap_or(0);
        match &self.what {
            ExactKind::Spread { skew, open, standing } => {
                let standing = standing.as_ref().filter(|_| !launches);
                let stands = |domain: &&u32| {
                    standing.is_none_or(|standing| standing.contains(*domain))
                        || at(&counted, domain) > 0
                        || at(&owners, domain) > 0
                };
                let stand = open.iter().filter(stands);
                let lowest = stand.map(|domain| at(&counted, domain)).min();
                let none = if standing.is_some() { i64::from(u32::MAX) } else { 0 };
                let lowest = lowest.unwrap_or(none);
                used.all(|(domain, count)| at(&self.bound, domain) + count <= lowest + skew)
            }
            ExactKind::Affinity => {
                let own = self.owners.iter().any(|item| self.counted.contains(item));
                let first = i64::from(own && self.bound.values().all(|count| *count == 0));
                used.filter(|(domain, _)| at(&helpers, domain) == 0).count() as i64 <= first
            }
            ExactKind::AntiAffinity => used.all(|(domain, _)| {
                let own = i64::from(self.owners.iter().any(|item| self.counted.contains(item)));
                at(&counted, domain) <= own
            }),
        }
    }
}

/// What spreads of several classes must have in common for each to look at the pods of all.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct ExactSpreadKey {
    /// The pods that they count.
    selection: SelectionId,
    key: KeyId,
    skew: i64,
    bound: BTreeMap<u32, i64>,
    counted: Vec<usize>,
}

/// The rules that these items have over keys, hard ones and those that are only preferred;
/// `launchable`: whether domains in which they could launch count where no node stands.
pub(super) fn rules(
    context: &Context<'_>,
    items: &[ExactItem],
    sites: &ExactCells,
    launchable: bool,
) -> Vec<ExactConstraint> {
    let whole = context.compiled;
    let topology = &whole.topology;
    let mut rules: Vec<ExactConstraint> = Vec::new();
    let mut evens: BTreeMap<ExactSpreadKey, (Vec<usize>, BTreeSet<u32>)> = BTreeMap::new();
    let of_selection = |selection: SelectionId| -> Vec<usize> {
        let places = (0..items.len()).filter(|at| topology.selects(selection, items[*at].class));
        places.collect()
    };
    let place = |key: KeyId| sites.keys.iter().position(|of| *of == key);
    let classes: BTreeSet<ClassId> = items.iter().map(|item| item.class).collect();
    for class in classes {
        let own: Vec<usize> = (0..items.len()).filter(|at| items[*at].class == class).collect();
        let of = &topology.rules[class];
        for spread in of.spreads.iter().filter(|spread| spread.hard || context.with_preferences) {
            let TopologyKey::Label(key) = spread.key else { continue };
            if !topology.selects(spread.selection, class) {
                continue;
            }
            let open = open(whole, class, key, &spread.counted);
            let bound = bound(whole, spread.selection, key, Some(&spread.counted));
            let alike = ExactSpreadKey {
                selection: spread.selection,
                key,
                skew: spread.max_skew,
                bound,
                counted: spread.counted.iter().collect(),
            };
            let (owners, all_open) = evens.entry(alike).or_insert_with(|| (vec![], open.clone()));
            owners.extend(&own);
            all_open.retain(|domain| open.contains(domain));
        }
        for topology_key in of.affinity.iter().flat_map(|affinity| &affinity.key) {
            let (TopologyKey::Label(key), Some(affinity)) = (topology_key, &of.affinity) else {
                continue;
            };
            rules.extend(place(*key).map(|at| ExactConstraint {
                key: at,
                owners: own.clone(),
                counted: of_selection(affinity.selection),
                bound: bound(whole, affinity.selection, *key, None),
                what: ExactKind::Affinity,
            }));
        }
        for term in &of.anti_affinity {
            let TopologyKey::Label(key) = term.key else { continue };
            rules.extend(place(key).map(|at| ExactConstraint {
                key: at,
                owners: own.clone(),
                counted: of_selection(term.selection),
                bound: BTreeMap::new(),
                what: ExactKind::AntiAffinity,
            }));
        }
    }
    for (ExactSpreadKey { selection, key, skew, bound, counted }, (owners, open)) in evens {
        let nodes = counted.iter().filter(|site| whole.node_at(**site).is_some());
        let standing = || nodes.map(|site| whole.topology.keys[key].of_site[*site]).collect();
        let standing = (!launchable).then(standing);
        rules.extend(place(key).map(|at| ExactConstraint {
            key: at,
            owners,
            counted: of_selection(selection),
            bound,
            what: ExactKind::Spread { skew, open, standing },
        }));
    }
    rules
}

/// The keys over which these items have rules.
pub(in super::super) fn keys(
    context: &Context<'_>,
    classes: impl Iterator<Item = ClassId>,
) -> Vec<KeyId> {
    let topology = &context.compiled.topology;
    let mut keys = BTreeSet::new();
    for class in classes {
        let of = &topology.rules[class];
        let spreads = of.spreads.iter().filter(|spread| spread.hard || context.with_preferences);
        let topology_key = spreads.map(|spread| spread.key);
        let affinity = of.affinity.iter().flat_map(|affinity| affinity.key.iter().copied());
        let topology_key =
            topology_key.chain(affinity).chain(of.anti_affinity.iter().map(|term| term.key));
        keys.extend(topology_key.filter_map(|topology_key| match topology_key {
            TopologyKey::Hostname => None,
            TopologyKey::Label(key) => Some(key),
        }));
    }
    keys.into_iter().collect()
}

/// How many bound pods of a selection run in each domain, on counted sites.
pub(in super::super) fn bound(
    whole: &Compiled,
    selection: SelectionId,
    key: KeyId,
    counted: Option<&Bits>,
) -> BTreeMap<u32, i64> {
    let mut counts = BTreeMap::new();
    for (node, count) in &whole.topology.selections[selection].bound {
        let site = whole.site_of_node(*node);
        if counted.is_none_or(|counted| counted.contains(site)) {
            let domain = whole.topology.keys[key].of_site[site];
            if domain != NO_DOMAIN {
                *counts.entry(domain).or_insert(0) += i64::from(*count);
            }
        }
    }
    counts
}

/// The domains that exist for a spread of a class, or would by a launch of it.
fn open(whole: &Compiled, class: ClassId, key: KeyId, counted: &Bits) -> BTreeSet<u32> {
    let item = &whole.items[ItemId::from_index(class.index())];
    let of_site = &whole.topology.keys[key].of_site;
    let mut open = BTreeSet::new();
    let eligible = &whole.eligible[item.eligibility];
    for site in counted.iter() {
        let could = match whole.node_at(site) {
            Some(_) => true,
            None => eligible.contains(site) && whole.room_at(site).takes_there(item, 1) > 0,
        };
        if could && of_site[site] != NO_DOMAIN {
            let _new = open.insert(of_site[site]);
        }
    }
    open
}
