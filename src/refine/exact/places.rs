//! What can be where: pods by item, and the nodes that could hold them.

use super::front::Budget;
use super::grid::Grid;
use crate::compile::{
    Bits, ClassId, Compiled, Id, KeyId, KindId, NodeId, Over, PoolId, PortUse, ReservationId,
    VolumeKey, fits,
};
use crate::pack::{Context, State};
use crate::refine::claim::Claims;
use std::collections::{BTreeMap, BTreeSet};

/// The pods of one claim.
#[derive(Debug)]
pub(super) struct Item {
    /// The claim's place in the list.
    pub(super) claim: usize,
    pub(super) kind: KindId,
    pub(super) count: u32,
    request: Vec<i64>,
    /// How many of its kind a node may hold.
    per_node: u32,
    /// How many of its kind running nodes may still take where bound pods count for a spread over hosts.
    left_by_bound: BTreeMap<NodeId, u32>,
    /// The items before it of the same kind.
    fellows: Vec<usize>,
    /// Those before it with which it can't share a node.
    apart: Vec<usize>,
    company: Company,
    /// For each place, whether it admits such a pod.
    admitted: Vec<bool>,
    /// For each cell, whether any of its places does.
    reach: Vec<bool>,
}

/// Which pods one needs on its node.
#[derive(Debug, Eq, PartialEq)]
enum Company {
    /// None of which anything is known.
    Any,
    /// All others of the item.
    All,
    /// Bound ones, which these nodes have.
    Bound(Vec<NodeId>),
}

/// A node that runs or can be launched.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) cost: i64,
    pub(super) cell: usize,
    /// Of a running node which it is.
    pub(super) node: Option<NodeId>,
    /// Of launches that are alike, the first.
    pub(super) site: usize,
    /// How much it uses of each supply.
    pub(super) uses: Vec<i64>,
    number: usize,
    room: Vec<i64>,
}

/// Something of which there is only so much.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Supply {
    Limit(PoolId, usize),
    Reservation(ReservationId),
}

/// Combinations of domains, and what is there.
#[derive(Debug, Default)]
pub(super) struct Sites {
    /// The keys that tell cells apart.
    pub(super) keys: Vec<KeyId>,
    /// For each cell its domain of each key.
    pub(super) cells: Vec<Vec<u32>>,
    pub(super) places: Vec<Place>,
    /// How much there is of each supply.
    pub(super) left: Vec<i64>,
}

impl Sites {
    /// The nodes that run or can be launched; of launches that are alike the cheapest.
    pub(super) fn new(context: &Context<'_>, claims: &Claims, keys: Vec<KeyId>) -> Self {
        let compiled = &claims.compiled;
        let mut sites = Self { keys, ..Self::default() };
        let mut numbers: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
        let state = State::new(compiled);
        let mut supplies: BTreeMap<Supply, usize> = BTreeMap::new();
        type Taken<'a> = (&'a Bits, &'a BTreeSet<VolumeKey>);
        type Alike<'a> = (usize, &'a [i64], Taken<'a>, &'a Bits, Vec<(usize, i64)>);
        let mut launches: BTreeMap<Alike<'_>, (i64, usize)> = BTreeMap::new();
        for (id, offer) in compiled.offers.iter() {
            let site = compiled.site_of_offer(id);
            let shape = &compiled.shapes[offer.shape];
            let usable = compiled.usable.contains(site) && !compiled.admits[site].is_empty();
            if !usable || compiled.pools[offer.pool].fixed.is_some() {
                continue;
            }
            let limits = state.limits_left(offer.pool).iter().zip(&shape.charge).enumerate();
            let limits = limits
                .filter(|(_, (_, each))| **each > 0)
                .map(|(at, (left, each))| (Supply::Limit(offer.pool, at), *left, *each));
            let reserved = offer
                .reservation
                .map(|id| (Supply::Reservation(id), i128::from(state.reserved_left(id)), 1));
            let mut uses = Vec::new();
            for (supply, left, each) in limits.chain(reserved) {
                let at = *supplies.entry(supply).or_insert_with(|| {
                    // What is overrun already still admits what it isn't charged for.
                    sites.left.push(i64::try_from(left.max(0)).unwrap_or(i64::MAX));
                    sites.left.len() - 1
                });
                uses.push((at, each));
            }
            let cell = sites.cell(&mut numbers, compiled, site);
            let cost = offer.price.saturating_add(context.fee);
            let (room, admits) = (&shape.allocatable[..], &compiled.admits[site]);
            let cheapest = launches
                .entry((cell, room, (&shape.ports, &shape.attached), admits, uses))
                .or_insert((cost, site));
            *cheapest = (*cheapest).min((cost, site));
        }
        for ((cell, room, _, _, uses), (cost, site)) in launches {
            let mut all = vec![0; sites.left.len()];
            uses.into_iter().for_each(|(at, each)| all[at] = each);
            sites.add(cost, cell, None, site, all, room);
        }
        for (node, running) in compiled.nodes.iter() {
            let site = compiled.site_of_node(node);
            if !compiled.admits[site].is_empty() {
                let cell = sites.cell(&mut numbers, compiled, site);
                let uses = vec![0; sites.left.len()];
                sites.add(0, cell, Some(node), site, uses, &running.free);
            }
        }
        sites
    }

    fn add(
        &mut self,
        cost: i64,
        cell: usize,
        node: Option<NodeId>,
        site: usize,
        uses: Vec<i64>,
        room: &[i64],
    ) {
        let number = self.places.len();
        self.places.push(Place { cost, cell, node, site, uses, number, room: room.to_vec() });
    }

    fn cell(
        &mut self,
        numbers: &mut BTreeMap<Vec<u32>, usize>,
        compiled: &Compiled,
        site: usize,
    ) -> usize {
        let domains = self.keys.iter().map(|key| compiled.topology.keys[*key].of_site[site]);
        *numbers.entry(domains.collect()).or_insert_with_key(|domains| {
            self.cells.push(domains.clone());
            self.cells.len() - 1
        })
    }

    /// The cell of a site.
    pub(super) fn cell_of(&self, compiled: &Compiled, site: usize) -> Option<usize> {
        let of_site = |key: &KeyId| compiled.topology.keys[*key].of_site[site];
        self.cells
            .iter()
            .position(|domains| self.keys.iter().map(of_site).eq(domains.iter().copied()))
    }

    /// The items of a plan's claims, in this order of claims.
    pub(super) fn items(&self, claims: &Claims, order: &[usize]) -> Vec<Item> {
        let mut items: Vec<Item> = Vec::new();
        for claim in order {
            let item = self.item(claims, *claim, &items);
            items.push(item);
        }
        items
    }

    fn item(&self, claims: &Claims, claim: usize, before: &[Item]) -> Item {
        let compiled = &claims.compiled;
        let kind = claims.list[claim].kind;
        let id = ClassId::from_index(claim);
        let class = &compiled.classes[id];
        let clash = |at: &usize| {
            let other = ClassId::from_index(before[*at].claim);
            class.conflicts.contains(&other) || block(&class.ports, &compiled.classes[other].ports)
        };
        let admits = |place: &Place| {
            let (ports, attached) = match place.node {
                Some(node) => (&compiled.nodes[node].ports, &compiled.nodes[node].attached),
                None => {
                    let shape = compiled.offers[Id::from_index(place.site)].shape;
                    (&compiled.shapes[shape].ports, &compiled.shapes[shape].attached)
                }
            };
            compiled.admits[place.site].contains(class.row.index())
                && !class.ports.blocks.overlaps(ports)
                && class.fits(&place.room, attached, 1) > 0
        };
        let admitted: Vec<bool> = self.places.iter().map(admits).collect();
        let mut reach = vec![false; self.cells.len()];
        for (place, _) in self.places.iter().zip(&admitted).filter(|(_, admitted)| **admitted) {
            reach[place.cell] = true;
        }
        Item {
            claim,
            kind,
            count: claims.counts[claim],
            request: class.request.clone(),
            per_node: class.per_node,
            left_by_bound: left_by_bound(claims, claim),
            fellows: (0..before.len()).filter(|at| before[*at].kind == kind).collect(),
            apart: (0..before.len()).filter(clash).collect(),
            company: company(claims, kind),
            admitted,
            reach,
        }
    }
}

fn block(one: &PortUse, other: &PortUse) -> bool {
    one.blocks.overlaps(&other.takes) || other.blocks.overlaps(&one.takes)
}

/// By running node, what bound pods leave of the number that spreads over hosts let it hold.
///
/// Bound pods use up what a spread allows and nothing else: a pod with a host port shares its node with
/// any number of bound pods that have none.
fn left_by_bound(claims: &Claims, claim: usize) -> BTreeMap<NodeId, u32> {
    let topology = &claims.compiled.topology;
    let kind = claims.list[claim].kind;
    let mut left = BTreeMap::new();
    let Some(most) = claims.per_node[claim] else { return left };
    for spread in topology.rules[kind].spreads.iter().filter(|spread| spread.hard) {
        let binds = spread.over == Over::Host && spread.max_skew <= i64::from(most);
        for (node, count) in &topology.selections[spread.selection].bound {
            let site = claims.compiled.site_of_node(*node);
            if binds && topology.selects(spread.selection, kind) && spread.counted.contains(site) {
                let skew = u32::try_from(spread.max_skew).unwrap_or(u32::MAX);
                let slot = left.entry(*node).or_insert(u32::MAX);
                *slot = skew.saturating_sub(*count).min(*slot);
            }
        }
    }
    left
}

/// Which pods a kind needs on its node, where nobody but pods of its own can be what it needs.
fn company(claims: &Claims, kind: KindId) -> Company {
    let topology = &claims.compiled.topology;
    let Some(near) = &topology.rules[kind].near else { return Company::Any };
    let selected = &topology.selections[near.selection];
    let alone = selected.kinds.iter().all(|other| *other == kind)
        && claims.list.iter().filter(|claim| claim.kind == kind).count() == 1;
    if !alone || !near.over.contains(&Over::Host) {
        return Company::Any;
    }
    if selected.bound.is_empty() {
        return Company::All;
    }
    Company::Bound(selected.bound.iter().map(|(node, _)| *node).collect())
}

impl Item {
    /// Whether anything in a cell admits one of its pods.
    pub(super) fn reaches(&self, cell: usize) -> bool {
        self.reach[cell]
    }

    /// How many of its pods a place may hold beside such numbers of the items before it, at least where
    /// it holds any, and at most.
    fn bounds(&self, place: &Place, free: &[i64], held: &[u32]) -> (u32, u32) {
        let kept_off = self.apart.iter().any(|other| held[*other] > 0);
        if kept_off || !self.admitted[place.number] {
            return (1, 0);
        }
        let left = place.node.and_then(|node| self.left_by_bound.get(&node)).copied();
        let fellows: u32 = self.fellows.iter().map(|other| held[*other]).sum();
        let open = self.per_node.min(left.unwrap_or(u32::MAX)).saturating_sub(fellows);
        let most = fits(free, &self.request, open.min(self.count));
        match &self.company {
            Company::Any => (1, most),
            Company::All => (self.count, most),
            Company::Bound(nodes) => match place.node {
                Some(node) if nodes.contains(&node) => (1, most),
                _ => (1, 0),
            },
        }
    }
}

impl Place {
    /// Whether it is there already.
    pub(super) fn runs(&self) -> bool {
        self.node.is_some()
    }

    /// The numbers of all vectors of pods that it can hold, that of none among them.
    pub(super) fn fillings(
        &self,
        items: &[Item],
        grid: &Grid,
        budget: &mut Budget<'_>,
    ) -> Option<Vec<usize>> {
        let mut filler = Filler {
            place: self,
            items,
            grid,
            budget,
            free: self.room.clone(),
            held: vec![0; items.len()],
            found: Vec::new(),
        };
        filler.fill(0, 0)?;
        Some(filler.found)
    }
}

struct Filler<'a, 'b, 'w> {
    place: &'a Place,
    items: &'a [Item],
    grid: &'a Grid,
    budget: &'b mut Budget<'w>,
    free: Vec<i64>,
    held: Vec<u32>,
    found: Vec<usize>,
}

impl Filler<'_, '_, '_> {
    fn fill(&mut self, at: usize, number: usize) -> Option<()> {
        self.budget.spend(1)?;
        let Some(item) = self.items.get(at) else {
            self.found.push(number);
            return Some(());
        };
        self.fill(at + 1, number)?;
        let (least, most) = item.bounds(self.place, &self.free, &self.held);
        for count in least..=most {
            let more = if count == least { least } else { 1 };
            for (free, request) in self.free.iter_mut().zip(&item.request) {
                *free -= request * i64::from(more);
            }
            self.held[at] = count;
            self.fill(at + 1, number + self.grid.stride(at) * count as usize)?;
        }
        if most >= least {
            for (free, request) in self.free.iter_mut().zip(&item.request) {
                *free += request * i64::from(most);
            }
        }
        self.held[at] = 0;
        Some(())
    }
}
