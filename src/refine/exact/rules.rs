//! Rules between pods over domains, as statements about the end: how many pods of which items are in
//! each domain.

use super::places::{Item, Sites};
use crate::compile::{
    Bits, ClassId, Compiled, Id, KeyId, KindId, NO_DOMAIN, OfferId, Over, SelectionId,
};
use crate::pack::Context;
use std::collections::{BTreeMap, BTreeSet};

/// How many pods of each item are in each cell: by item, then by cell.
pub(super) type Spots = Vec<Vec<u32>>;

/// A rule over the domains of one key.
#[derive(Debug)]
pub(super) struct Rule {
    /// The place of the key among those of the cells.
    key: usize,
    /// Items that have the rule.
    owners: Vec<usize>,
    /// Items that it counts.
    counted: Vec<usize>,
    /// Bound pods that it counts, by domain.
    bound: BTreeMap<u32, i64>,
    what: What,
}

#[derive(Debug)]
enum What {
    /// No domain of an owner exceeds the lowest of these by more than so much.
    Even { skew: i64, open: BTreeSet<u32> },
    /// An owner's domain has some that is counted and no owner, but for one domain at most where there
    /// are none that are bound.
    Near,
    /// An owner's domain has nobody else that is counted.
    Far,
}

impl Rule {
    /// The items that it is about.
    pub(super) fn items(&self) -> impl Iterator<Item = usize> {
        self.owners.iter().chain(&self.counted).copied()
    }

    /// The last of them.
    pub(super) fn last(&self) -> Option<usize> {
        self.items().max()
    }

    /// Whether it holds of these numbers.
    pub(super) fn holds(&self, cells: &[Vec<u32>], spots: &Spots) -> bool {
        let mut owners: BTreeMap<u32, i64> = BTreeMap::new();
        let mut counted = self.bound.clone();
        let mut helpers: BTreeMap<u32, i64> = self.bound.clone();
        for (cell, domains) in cells.iter().enumerate() {
            let domain = domains[self.key];
            if domain == NO_DOMAIN {
                continue;
            }
            let sum = |items: &[usize]| -> i64 {
                items.iter().map(|item| i64::from(spots[*item][cell])).sum()
            };
            *owners.entry(domain).or_insert(0) += sum(&self.owners);
            *counted.entry(domain).or_insert(0) += sum(&self.counted);
            let others = self.counted.iter().filter(|item| !self.owners.contains(item));
            *helpers.entry(domain).or_insert(0) +=
                others.map(|item| i64::from(spots[*item][cell])).sum::<i64>();
        }
        let mut used = owners.iter().filter(|(_, count)| **count > 0);
        let at =
            |counts: &BTreeMap<u32, i64>, domain: &u32| counts.get(domain).copied().unwrap_or(0);
        match &self.what {
            What::Even { skew, open } => {
                let lowest = open.iter().map(|domain| at(&counted, domain)).min().unwrap_or(0);
                used.all(|(domain, count)| at(&self.bound, domain) + count <= lowest + skew)
            }
            What::Near => {
                let own = self.owners.iter().any(|item| self.counted.contains(item));
                let first = i64::from(own && self.bound.values().all(|count| *count == 0));
                used.filter(|(domain, _)| at(&helpers, domain) == 0).count() as i64 <= first
            }
            What::Far => used.all(|(domain, _)| {
                let own = i64::from(self.owners.iter().any(|item| self.counted.contains(item)));
                at(&counted, domain) <= own
            }),
        }
    }
}

/// What spreads of several kinds must have in common for each to look at the pods of all.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct Alike {
    selection: SelectionId,
    key: KeyId,
    skew: i64,
    bound: BTreeMap<u32, i64>,
    counted: Vec<usize>,
}

/// The rules that these items have over keys, hard ones and those that are only wished for.
pub(super) fn rules(context: &Context<'_>, items: &[Item], sites: &Sites) -> Vec<Rule> {
    let whole = context.compiled;
    let topology = &whole.topology;
    let mut rules: Vec<Rule> = Vec::new();
    let mut evens: BTreeMap<Alike, (Vec<usize>, BTreeSet<u32>)> = BTreeMap::new();
    let of_selection = |selection: SelectionId| -> Vec<usize> {
        let places = (0..items.len()).filter(|at| topology.selects(selection, items[*at].kind));
        places.collect()
    };
    let place = |key: KeyId| sites.keys.iter().position(|of| *of == key);
    let kinds: BTreeSet<KindId> = items.iter().map(|item| item.kind).collect();
    for kind in kinds {
        let own: Vec<usize> = (0..items.len()).filter(|at| items[*at].kind == kind).collect();
        let of = &topology.rules[kind];
        for spread in of.spreads.iter().filter(|spread| spread.hard || context.wishful) {
            let Over::Key(key) = spread.over else { continue };
            if !topology.selects(spread.selection, kind) {
                continue;
            }
            let open = open(whole, kind, key, &spread.counted);
            let bound = bound(whole, spread.selection, key, Some(&spread.counted));
            let alike = Alike {
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
        for over in of.near.iter().flat_map(|near| &near.over) {
            let (Over::Key(key), Some(near)) = (over, &of.near) else { continue };
            rules.extend(place(*key).map(|at| Rule {
                key: at,
                owners: own.clone(),
                counted: of_selection(near.selection),
                bound: bound(whole, near.selection, *key, None),
                what: What::Near,
            }));
        }
        for term in &of.far {
            let Over::Key(key) = term.over else { continue };
            rules.extend(place(key).map(|at| Rule {
                key: at,
                owners: own.clone(),
                counted: of_selection(term.selection),
                bound: BTreeMap::new(),
                what: What::Far,
            }));
        }
    }
    for (Alike { selection, key, skew, bound, .. }, (owners, open)) in evens {
        rules.extend(place(key).map(|at| Rule {
            key: at,
            owners,
            counted: of_selection(selection),
            bound,
            what: What::Even { skew, open },
        }));
    }
    rules
}

/// The keys over which these items have rules.
pub(in super::super) fn keys(
    context: &Context<'_>,
    kinds: impl Iterator<Item = KindId>,
) -> Vec<KeyId> {
    let topology = &context.compiled.topology;
    let mut keys = BTreeSet::new();
    for kind in kinds {
        let of = &topology.rules[kind];
        let spreads = of.spreads.iter().filter(|spread| spread.hard || context.wishful);
        let over = spreads.map(|spread| spread.over);
        let near = of.near.iter().flat_map(|near| near.over.iter().copied());
        let over = over.chain(near).chain(of.far.iter().map(|term| term.over));
        keys.extend(over.filter_map(|over| match over {
            Over::Host => None,
            Over::Key(key) => Some(key),
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

/// The domains that exist for a spread of a kind, or would by a launch of it.
fn open(whole: &Compiled, kind: KindId, key: KeyId, counted: &Bits) -> BTreeSet<u32> {
    let class = &whole.classes[ClassId::from_index(kind.index())];
    let of_site = &whole.topology.keys[key].of_site;
    let mut open = BTreeSet::new();
    let row = &whole.rows[class.row];
    for site in counted.iter() {
        let could = match site.checked_sub(whole.offers.len()) {
            Some(_) => true,
            None => {
                let shape = &whole.shapes[whole.offers[OfferId::from_index(site)].shape];
                row.contains(site)
                    && !class.ports.blocks.overlaps(&shape.ports)
                    && shape.takes(class, 1) > 0
            }
        };
        if could && of_site[site] != NO_DOMAIN {
            let _new = open.insert(of_site[site]);
        }
    }
    open
}
