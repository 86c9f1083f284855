//! The nodes that run or can be launched, by cell: a combination of the domains of all keys over
//! which rules between pods count, and of which spreads count its nodes.
//!
//! Launches that nothing tells apart are one place, the cheapest of them: the same cell, room,
//! ports, volumes, eligibility sets, draws on supplies, preferences met, and pool where weights or
//! `minValues` ask for it. A supply is anything of which there is only so much: a pool's limit of
//! one resource, a reservation, the nodes of a static pool.
//!
//! Nodes of static pools stand whatever they hold, at the price of the cheapest; what a place of
//! such a pool costs is how much dearer it is. Where the caller has chosen these nodes already
//! (`Task::static_nodes`), each is a place of its own that costs nothing and must stand.
//!
//! A launch that admits nobody here is left out as a place, but its supplies are not: what is left
//! of them decides whether a pool of a lower weight may launch.

use super::super::exact::rules::keys;
use super::Task;
use crate::compile::{
    Bits, CapacitySource, ClassId, Compiled, Id, ItemId, KeyId, NodeId, NodeUse, OfferId, PoolId,
    SupplyLedger,
};
use crate::pack::Context;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A node that runs or can be launched.
#[derive(Clone, Debug)]
pub(super) struct CellPlace {
    /// What it costs; of a static pool, how much more than the cheapest of its nodes.
    pub(super) cost: i128,
    pub(super) cell: usize,
    /// Of a running node which it is.
    pub(super) node: Option<NodeId>,
    /// Whether it is a node of a static pool that stands whatever it holds.
    pub(super) is_fixed: bool,
    /// Of launches that are alike, the first.
    pub(super) site: usize,
    /// How much it uses of each supply.
    pub(super) uses: Vec<i64>,
    pub(super) room: Vec<i64>,
    /// The weight of its pool; `None` where weights don't count.
    pub(super) weight: Option<i32>,
    /// Whether its pool asks for `minValues`.
    pub(super) min_values: bool,
}

/// Cells, and what is there.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    pub(super) keys: Vec<KeyId>,
    /// The nodes that count for spreads, each distinct set once.
    pub(super) counted: Vec<Arc<Bits>>,
    /// For each cell its domain of each key.
    pub(super) cells: Vec<Vec<u32>>,
    /// For each cell, whether its nodes are in each of the sets that count.
    pub(super) counts: Vec<Vec<bool>>,
    /// For each cell its sites, those included that can't be launched.
    pub(super) sites: Vec<Bits>,
    pub(super) list: Vec<CellPlace>,
    /// The supplies that launches draw on, by their places in the lists.
    supplies: BTreeMap<CapacitySource, usize>,
    /// How much there is of each supply.
    pub(super) left: Vec<i64>,
    /// For each supply, whether what is left of it decides what pools of lower weight may launch.
    pub(super) told: Vec<bool>,
}

/// What makes launches alike.
type LaunchKey<'a> = (
    usize,
    &'a [i64],
    &'a NodeUse,
    &'a Bits,
    Vec<(usize, i64)>,
    Vec<u64>,
    (Option<PoolId>, Option<i32>),
);

impl CellPlace {
    /// Whether there is one node of it, which costs nothing more.
    pub(super) fn stands(&self) -> bool {
        self.node.is_some() || self.is_fixed
    }
}

impl Places {
    /// The nodes that run or can be launched; of launches that are alike the cheapest.
    pub(super) fn new(task: &Task<'_>) -> Self {
        let (context, compiled) = (task.context, &task.kept_classes.compiled);
        let classes = || task.kept_classes.list.iter().map(|kept_class| kept_class.class);
        let mut places = Self { keys: keys(context, classes()), ..Self::default() };
        for class in classes() {
            for spread in task.spreads(class) {
                if !places.counted.contains(&spread.counted) {
                    places.counted.push(spread.counted.clone());
                }
            }
        }
        places.cut(compiled);
        let mut launches: BTreeMap<LaunchKey<'_>, (i128, usize)> = BTreeMap::new();
        let ledger = SupplyLedger::new(compiled);
        let cheapest = cheapest_static(compiled);
        let lowest = compiled.pools.values().filter(|pool| pool.static_replicas.is_none());
        let lowest = lowest.map(|pool| pool.weight).min();
        for (id, offer) in compiled.offers.iter() {
            let site = compiled.site_of_offer(id);
            let (shape, pool) = (&compiled.shapes[offer.shape], &compiled.pools[offer.pool]);
            if task.static_nodes.is_some() && pool.static_replicas.is_some() {
                continue;
            }
            let usable = compiled.usable.contains(site)
                && compiled.is_sold(id)
                && ledger.is_within_limits(offer.pool);
            if !usable {
                continue;
            }
            let told = pool.static_replicas.is_none() && Some(pool.weight) != lowest;
            let static_pool = pool
                .static_replicas
                .map(|nodes| ((CapacitySource::Static(offer.pool), 1), i64::from(nodes)));
            let drawn = compiled.draw(id).parts().map(|part| (part, ledger.left(part.0)));
            let mut uses = Vec::new();
            for ((supply, each), left) in drawn.chain(static_pool) {
                let at = *places.supplies.entry(supply).or_insert_with(|| {
                    places.left.push(left);
                    places.told.push(false);
                    places.left.len() - 1
                });
                places.told[at] |= told;
                uses.push((at, each));
            }
            // What holds nobody here may still take pods before pools of lower weights.
            if compiled.admits[site].is_empty() {
                continue;
            }
            let cost = match cheapest.get(&offer.pool) {
                Some(cheapest) => i128::from(offer.price) - i128::from(*cheapest),
                None => i128::from(offer.price) + i128::from(context.fee),
            };
            let cell = places.cell_of(site);
            let profile = task.unmet_at(site);
            let min_values = (!pool.min_values.is_empty()).then_some(offer.pool);
            let (room, admits) = (&shape.allocatable[..], &compiled.admits[site]);
            let weight = pool.static_replicas.is_none().then_some(pool.weight);
            let pool = (min_values, weight);
            let alike = (cell, room, &shape.used, admits, uses, profile, pool);
            let best = launches.entry(alike).or_insert((cost, site));
            *best = (*best).min((cost, site));
        }
        for ((cell, room, _, _, uses, _, (min_values, weight)), (cost, site)) in launches {
            let mut all = vec![0; places.left.len()];
            uses.into_iter().for_each(|(at, each)| all[at] = each);
            let (room, min_values) = (room.to_vec(), min_values.is_some());
            let (node, is_fixed) = (None, false);
            let place =
                CellPlace { cost, cell, node, is_fixed, site, uses: all, room, weight, min_values };
            places.list.push(place);
        }
        places.drop_dominated(compiled);
        for id in task.static_nodes.iter().flat_map(|nodes| &nodes.offers) {
            for (supply, each) in places.draws(compiled, *id) {
                places.left[supply] = places.left[supply].saturating_sub(each);
            }
            let site = compiled.site_of_offer(*id);
            places.list.push(CellPlace {
                cost: 0,
                cell: places.cell_of(site),
                node: None,
                is_fixed: true,
                site,
                uses: vec![0; places.left.len()],
                room: compiled.shapes[compiled.offers[*id].shape].allocatable.to_vec(),
                weight: None,
                min_values: false,
            });
        }
        for (node, running) in compiled.nodes.iter() {
            let site = compiled.site_of_node(node);
            if compiled.admits[site].is_empty() && !task.is_over_skew_of_any(node) {
                continue;
            }
            let uses = vec![0; places.left.len()];
            places.list.push(CellPlace {
                cost: 0,
                cell: places.cell_of(site),
                node: Some(node),
                is_fixed: false,
                site,
                uses,
                room: running.free.clone(),
                weight: None,
                min_values: false,
            });
        }
        places
    }

    /// Cuts the sites into cells.
    fn cut(&mut self, compiled: &Compiled) {
        let mut numbers: BTreeMap<(Vec<u32>, Vec<bool>), usize> = BTreeMap::new();
        for site in 0..compiled.sites() {
            let of_site = |key: &KeyId| compiled.topology.keys[*key].of_site[site];
            let domains: Vec<u32> = self.keys.iter().map(of_site).collect();
            let counts: Vec<bool> = self.counted.iter().map(|set| set.contains(site)).collect();
            let next = self.cells.len();
            let cell = *numbers.entry((domains.clone(), counts.clone())).or_insert(next);
            if cell == next {
                self.cells.push(domains);
                self.counts.push(counts);
                self.sites.push(Bits::none(compiled.sites()));
            }
            self.sites[cell].insert(site);
        }
    }

    /// The cell of a site.
    pub(super) fn cell_of(&self, site: usize) -> usize {
        self.sites.iter().position(|sites| sites.contains(site)).unwrap_or(0)
    }

    /// What a launch of an offer draws on each supply; of those that draw on any.
    pub(super) fn draws(&self, compiled: &Compiled, id: OfferId) -> Vec<(usize, i64)> {
        let draws = compiled.draw(id).parts();
        draws.filter_map(|(supply, each)| Some((*self.supplies.get(&supply)?, each))).collect()
    }

    /// Leaves out launches beside which there is one that can do all that they can, at no more.
    fn drop_dominated(&mut self, compiled: &Compiled) {
        let dominated = |one: &CellPlace, other: &CellPlace| {
            let shape = |place: &CellPlace| {
                &compiled.shapes[compiled.offers[Id::from_index(place.site)].shape]
            };
            let admits = |place: &CellPlace| &compiled.admits[place.site];
            let same = other.cost == one.cost
                && other.room == one.room
                && other.uses == one.uses
                && admits(one) == admits(other)
                && shape(one).used == shape(other).used;
            one.cell == other.cell
                && !one.min_values
                && !other.min_values
                && one.weight == other.weight
                && other.cost <= one.cost
                && other
                    .uses
                    .iter()
                    .zip(&one.uses)
                    .zip(&self.told)
                    .all(|((other, one), told)| if *told { other == one } else { other <= one })
                && other.room.iter().zip(&one.room).all(|(other, one)| other >= one)
                && admits(other).includes(admits(one))
                && shape(other).used.leaves_as_much_as(&shape(one).used)
                && (!same || other.site < one.site)
        };
        let kept: Vec<CellPlace> = self
            .list
            .iter()
            .filter(|one| !self.list.iter().any(|other| dominated(one, other)))
            .cloned()
            .collect();
        self.list = kept;
    }
}

/// What the cheapest node of each static pool costs.
fn cheapest_static(compiled: &Compiled) -> BTreeMap<PoolId, i64> {
    let mut cheapest: BTreeMap<PoolId, i64> = BTreeMap::new();
    for (id, offer) in compiled.offers.iter() {
        let usable = compiled.usable.contains(compiled.site_of_offer(id)) && compiled.is_sold(id);
        if usable && compiled.pools[offer.pool].static_replicas.is_some() {
            let price = cheapest.entry(offer.pool).or_insert(offer.price);
            *price = (*price).min(offer.price);
        }
    }
    cheapest
}

/// The pods of one kept class.
#[derive(Debug)]
pub(super) struct CellItem {
    pub(super) item: ItemId,
    pub(super) class: ClassId,
    pub(super) count: u32,
    /// The place of its priority among all of them, the highest first.
    pub(super) level: usize,
    pub(super) request: Vec<i64>,
    pub(super) per_node: u32,
    /// The items before it of the same class.
    pub(super) companions: Vec<usize>,
    /// Those before it with which it can't share a node.
    pub(super) conflicts: Vec<usize>,
    /// For each place, whether it admits such a pod.
    pub(super) admitted: Vec<bool>,
    /// For each place, whether beside it there is one of a higher weight that is never used up:
    /// only room on it that others leave may be used.
    pub(super) is_higher_open: Vec<bool>,
    /// For each cell, whether any of its places does.
    pub(super) reach: Vec<bool>,
}

/// The items of these kept classes, in this order.
pub(super) fn items(
    task: &Task<'_>,
    places: &Places,
    levels: &[i32],
    order: &[usize],
) -> Vec<CellItem> {
    let (kept_classes, compiled) = (task.kept_classes, &task.kept_classes.compiled);
    let mut items: Vec<CellItem> = Vec::new();
    for claim in order {
        let id = ItemId::from_index(*claim);
        let item = &compiled.items[id];
        let class = kept_classes.list[*claim].class;
        let clash = |other: &CellItem| compiled.keep_apart(id, other.item);
        let admits = |place: &CellPlace| {
            let over_skew = place.node.is_some_and(|node| task.is_over_skew(node, class));
            (compiled.eligible[item.eligibility].contains(place.site) || over_skew)
                && compiled.room_at(place.site).takes_there(item, 1) > 0
        };
        let admitted: Vec<bool> = places.list.iter().map(admits).collect();
        let mut reach = vec![false; places.cells.len()];
        for (place, _) in places.list.iter().zip(&admitted).filter(|(_, admitted)| **admitted) {
            reach[place.cell] = true;
        }
        let where_any = |test: &dyn Fn(&CellItem) -> bool| -> Vec<usize> {
            (0..items.len()).filter(|at| test(&items[*at])).collect()
        };
        let (companions, conflicts) = (
            where_any(&|other: &CellItem| other.class == class),
            where_any(&|other: &CellItem| clash(other)),
        );
        items.push(CellItem {
            item: id,
            class,
            count: kept_classes.counts[*claim],
            level: levels.iter().position(|level| *level == item.priority).unwrap_or(0),
            request: item.request.clone(),
            per_node: item.per_node,
            companions,
            conflicts,
            is_higher_open: vec![false; admitted.len()],
            admitted,
            reach,
        });
    }
    items
}

/// The weight of what pods of a class don't find honoured at a site.
pub(super) fn unmet(context: &Context<'_>, class: ClassId, site: usize, untainted: u64) -> u64 {
    let base = context.compiled;
    let terms = base.preferences.terms[class].iter().filter(|(_, term)| {
        term.is_empty()
            || !term.iter().all(|condition| base.site_conditions.holds[*condition].contains(site))
    });
    let list = base.site_conditions.rules.sets()[base.classes[class].rules].tolerations;
    let disliked = base.preferences.untainted.get(list).is_some_and(|sites| !sites.contains(site));
    terms.map(|(weight, _)| u64::from(*weight)).sum::<u64>() + u64::from(disliked) * untainted
}
