//! Rules between pods over domains, as statements about the end: how many pods of which items are
//! in each domain. What holds in every order of binding is all that they say; whether there is an
//! order is found out for whole plans ([`order`](super::order)).
//!
//! *When they are asked.* As soon as all items are decided that a rule is about: what is decided
//! later can't mend it.

use super::super::exact::rules::bound;
use super::Task;
use super::places::{CellItem, Places};
use crate::compile::{
    Bits, ClassId, Id, ItemId, KeyId, NO_DOMAIN, OfferId, SelectionId, TopologyKey,
};
use crate::pack::Context;
use std::collections::{BTreeMap, BTreeSet};

/// How many pods of each item are in each cell: by item, then by cell.
pub(super) type ItemsByCell = Vec<Vec<u32>>;

/// A rule over the domains of one key.
#[derive(Debug)]
pub(super) struct DomainConstraint {
    /// The place of the key among those of the cells.
    key: usize,
    /// Items that have the rule.
    owners: Vec<usize>,
    /// Items that it counts.
    selected: Vec<usize>,
    /// For each cell, whether pods there count.
    counts: Vec<bool>,
    /// Bound pods that it counts, by domain.
    bound: BTreeMap<u32, i64>,
    what: ConstraintKind,
    /// Whether it need not be kept.
    pub(super) soft: bool,
}

#[derive(Debug)]
enum ConstraintKind {
    /// A spread, with the domains that count whatever else is launched.
    Spread { skew: i64, min_domains: usize, open: BTreeSet<u32> },
    /// An owner's domain has some that is selected and no owner, but for one domain at most where
    /// there are none that are bound.
    Affinity,
    /// An owner's domain has nobody else that is selected.
    AntiAffinity,
}

/// Which domains count, beside those in which the items of a rule are.
pub(super) enum DomainsReached<'a> {
    /// Nothing is known yet of other items.
    Partial,
    /// All items that any rule is about have their cells: these hold some.
    Whole { used: &'a [bool], closed: &'a mut [bool] },
}

impl DomainConstraint {
    /// The items that it is about.
    pub(super) fn items(&self) -> impl Iterator<Item = usize> {
        self.owners.iter().chain(&self.selected).copied()
    }

    /// The last of them.
    pub(super) fn last(&self) -> Option<usize> {
        self.items().max()
    }

    /// Whether it holds of these numbers; the cells are closed in which nothing more may be
    /// launched.
    pub(super) fn holds(
        &self,
        cells: &[Vec<u32>],
        by_cells: &ItemsByCell,
        reach: DomainsReached<'_>,
    ) -> bool {
        let mut owners: BTreeMap<u32, i64> = BTreeMap::new();
        let mut selected = self.bound.clone();
        let mut helpers: BTreeMap<u32, i64> = self.bound.clone();
        for (cell, domains) in cells.iter().enumerate() {
            let domain = domains[self.key];
            if domain == NO_DOMAIN || !self.counts[cell] {
                continue;
            }
            let sum = |items: &[usize]| -> i64 {
                items.iter().map(|item| i64::from(by_cells[*item][cell])).sum()
            };
            *owners.entry(domain).or_insert(0) += sum(&self.owners);
            *selected.entry(domain).or_insert(0) += sum(&self.selected);
            let others = self.selected.iter().filter(|item| !self.owners.contains(item));
            *helpers.entry(domain).or_insert(0) +=
                others.map(|item| i64::from(by_cells[*item][cell])).sum::<i64>();
        }
        let at =
            |counts: &BTreeMap<u32, i64>, domain: u32| counts.get(&domain).copied().unwrap_or(0);
        let own = self.owners.iter().any(|item| self.selected.contains(item));
        let mut used = owners.iter().filter(|(_, count)| **count > 0);
        match &self.what {
            ConstraintKind::Spread { skew, min_domains, open } => {
                let highest = used
                    .map(|(domain, count)| at(&self.bound, *domain) + if own { *count } else { 0 });
                let highest = highest.max();
                let Some(highest) = highest else { return true };
                let mut domains = open.clone();
                let any = owners.iter().chain(&selected).filter(|(_, count)| **count > 0);
                domains.extend(any.map(|(domain, _)| *domain));
                let mut closing = None;
                if let DomainsReached::Whole { used, closed } = reach {
                    for (cell, _) in used.iter().enumerate().filter(|(_, used)| **used) {
                        if self.counts[cell] && cells[cell][self.key] != NO_DOMAIN {
                            let _new = domains.insert(cells[cell][self.key]);
                        }
                    }
                    closing = Some(closed);
                }
                let lowest = domains.iter().map(|domain| at(&selected, *domain)).min();
                let few = domains.len() < *min_domains && closing.is_some();
                let lowest = if few { 0 } else { lowest.unwrap_or(0) };
                if highest > lowest + skew {
                    return false;
                }
                if let Some(closed) = closing.filter(|_| highest > *skew) {
                    for (cell, slot) in closed.iter_mut().enumerate() {
                        let domain = cells[cell][self.key];
                        *slot |=
                            self.counts[cell] && domain != NO_DOMAIN && !domains.contains(&domain);
                    }
                }
                true
            }
            ConstraintKind::Affinity => {
                let first = usize::from(own && self.bound.values().all(|count| *count == 0));
                used.filter(|(domain, _)| at(&helpers, **domain) == 0).count() <= first
            }
            ConstraintKind::AntiAffinity => {
                used.all(|(domain, _)| at(&selected, *domain) <= i64::from(own))
            }
        }
    }
}

/// What spreads of several classes must have in common to be one.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct SpreadKey {
    selection: SelectionId,
    key: KeyId,
    skew: i64,
    min_domains: usize,
    counted: usize,
    soft: bool,
    /// Whether they count themselves.
    own: bool,
}

/// The rules that these items have over keys.
///
/// Spreads of several classes that count the same over the same key are one constraint, with all of
/// them as owners.
pub(super) fn constraints(
    task: &Task<'_>,
    items: &[CellItem],
    places: &Places,
) -> Vec<DomainConstraint> {
    let whole = task.context.compiled;
    let topology = &whole.topology;
    let place = |key: KeyId| places.keys.iter().position(|of| *of == key).unwrap_or(0);
    let all = vec![true; places.cells.len()];
    let of_selection = |selection: SelectionId| -> Vec<usize> {
        (0..items.len()).filter(|at| topology.selects(selection, items[*at].class)).collect()
    };
    let mut spreads: BTreeMap<SpreadKey, (Vec<usize>, BTreeSet<u32>)> = BTreeMap::new();
    let mut affinities: BTreeMap<(SelectionId, KeyId), Vec<usize>> = BTreeMap::new();
    let mut constraints: Vec<DomainConstraint> = Vec::new();
    let classes: BTreeSet<ClassId> = items.iter().map(|item| item.class).collect();
    for class in classes {
        let own: Vec<usize> = (0..items.len()).filter(|at| items[*at].class == class).collect();
        for spread in task.spreads(class) {
            let TopologyKey::Label(key) = spread.key else { continue };
            let counted = places.counted.iter().position(|set| *set == spread.counted);
            let alike = SpreadKey {
                selection: spread.selection,
                key,
                skew: spread.max_skew,
                min_domains: spread.min_domains,
                counted: counted.unwrap_or(0),
                soft: !spread.hard,
                own: topology.selects(spread.selection, class),
            };
            let open = open(task.context, task.launchable, class, key, &spread.counted);
            let (owners, all_open) =
                spreads.entry(alike).or_insert_with(|| (Vec::new(), open.clone()));
            owners.extend(&own);
            all_open.retain(|domain| open.contains(domain));
        }
        let of = &topology.rules[class];
        for topology_key in of.affinity.iter().flat_map(|affinity| &affinity.key) {
            if let (TopologyKey::Label(key), Some(affinity)) = (topology_key, &of.affinity) {
                affinities.entry((affinity.selection, *key)).or_default().extend(&own);
            }
        }
        for term in &of.anti_affinity {
            let TopologyKey::Label(key) = term.key else { continue };
            constraints.push(DomainConstraint {
                key: place(key),
                owners: own.clone(),
                selected: of_selection(term.selection),
                counts: all.clone(),
                bound: BTreeMap::new(),
                what: ConstraintKind::AntiAffinity,
                soft: false,
            });
        }
    }
    for ((selection, key), owners) in affinities {
        constraints.push(DomainConstraint {
            key: place(key),
            owners,
            selected: of_selection(selection),
            counts: all.clone(),
            bound: bound(whole, selection, key, None),
            what: ConstraintKind::Affinity,
            soft: false,
        });
    }
    for (SpreadKey { selection, key, skew, min_domains, counted, soft, .. }, (owners, open)) in
        spreads
    {
        constraints.push(DomainConstraint {
            key: place(key),
            owners,
            selected: of_selection(selection),
            counts: places.counts.iter().map(|of_cell| of_cell[counted]).collect(),
            bound: bound(whole, selection, key, Some(&places.counted[counted])),
            what: ConstraintKind::Spread { skew, min_domains, open },
            soft,
        });
    }
    constraints
}

/// The domains that count for a spread of a class whatever is launched: those of running nodes, and
/// where domains that could be opened count, those in which a launch could hold a pod of the class.
pub(super) fn open(
    context: &Context<'_>,
    launchable: bool,
    class: ClassId,
    key: KeyId,
    counted: &Bits,
) -> BTreeSet<u32> {
    let whole = context.compiled;
    let item = &whole.items[ItemId::from_index(class.index())];
    let of_site = &whole.topology.keys[key].of_site;
    let eligible = &whole.eligible[item.eligibility];
    let could = |site: &usize| match whole.node_at(*site) {
        Some(_) => true,
        None => {
            let id = OfferId::from_index(*site);
            let offer = &whole.offers[id];
            let pool = &whole.pools[offer.pool];
            // Nobody launches a node of a static pool for a pod.
            launchable
                && pool.static_replicas.is_none()
                && eligible.contains(*site)
                && whole.is_sold(id)
                && whole.is_within_limits(id)
                && whole.room_of_offer(id).takes_there(item, 1) > 0
        }
    };
    let domains = counted.iter().filter(could).map(|site| of_site[site]);
    domains.filter(|domain| *domain != NO_DOMAIN).collect()
}
