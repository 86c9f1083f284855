//! What can be where: pods by item, and the nodes that could hold them.
//!
//! An item is the pods of one kept class; a place is a running node, or all launches that nothing
//! here tells apart: the same cell, room, ports, volumes, eligibility sets and draws on supplies,
//! of which the cheapest stands for the others. Places of one cell have the same domain of every
//! key that a rule counts over, so rules need to know cells only.
//!
//! All of this errs on the side of more plans: what isn't modelled of a node (`minValues`, the
//! slots that volumes share) is left out, so that a bound from it stays a bound. Nodes of static
//! pools aren't there, as they are launched in any case.
//!
//! [`ExactPlace::fillings`] lists what one node can hold: by depth-first search over items, each
//! with as many pods as resources, caps, conflicts and company allow beside those before it.

use super::front::ExactBudget;
use super::grid::CountIndex;
use crate::compile::{
    Bits, CapacitySource, ClassId, Compiled, Id, ItemId, KeyId, NodeId, NodeUse, SupplyLedger,
    TopologyKey, fits,
};
use crate::pack::Context;
use crate::refine::kept_class::KeptClasses;
use std::collections::BTreeMap;

/// The pods of one kept class.
#[derive(Debug)]
pub(super) struct ExactItem {
    /// The kept class's place in the list.
    pub(super) kept: usize,
    /// The class of its pods, as rules between pods have it.
    pub(super) class: ClassId,
    /// How many pods there are.
    pub(super) count: u32,
    /// What each takes of a node, by the problem's dimensions.
    request: Vec<i64>,
    /// How many of its class a node may hold.
    per_node: u32,
    /// How many of its class running nodes may still take where bound pods count for a spread over
    /// hosts.
    left_by_bound: BTreeMap<NodeId, u32>,
    /// The items before it of the same class.
    companions: Vec<usize>,
    /// Those before it with which it can't share a node.
    conflicts: Vec<usize>,
    /// Who must be on the same node.
    company: ExactCompanions,
    /// For each place, whether it admits such a pod.
    admitted: Vec<bool>,
    /// For each cell, whether any of its places does.
    reach: Vec<bool>,
}

/// Which pods one needs on its node.
#[derive(Debug, Eq, PartialEq)]
enum ExactCompanions {
    /// None of which anything is known.
    Any,
    /// All others of the item.
    All,
    /// Bound ones, which these nodes have.
    Bound(Vec<NodeId>),
}

/// A node that runs or can be launched.
#[derive(Debug)]
pub(super) struct ExactPlace {
    /// Per hour, fee included, in billionths; a running node costs nothing.
    pub(super) cost: i64,
    /// The cell that it is in.
    pub(super) cell: usize,
    /// Of a running node which it is.
    pub(super) node: Option<NodeId>,
    /// Of launches that are alike, the first.
    pub(super) site: usize,
    /// How much it uses of each supply.
    pub(super) uses: Vec<i64>,
    /// Its place in the list of places.
    number: usize,
    /// What it has for pods.
    room: Vec<i64>,
}

/// Combinations of domains, and what is there.
#[derive(Debug, Default)]
pub(super) struct ExactCells {
    /// The keys that tell cells apart.
    pub(super) keys: Vec<KeyId>,
    /// For each cell its domain of each key.
    pub(super) cells: Vec<Vec<u32>>,
    /// Launches first, then running nodes.
    pub(super) places: Vec<ExactPlace>,
    /// How much there is of each supply.
    pub(super) left: Vec<i64>,
}

impl ExactCells {
    /// The nodes that run or can be launched; of launches that are alike the cheapest.
    pub(super) fn new(context: &Context<'_>, kept_classes: &KeptClasses, keys: Vec<KeyId>) -> Self {
        let compiled = &kept_classes.compiled;
        let mut sites = Self { keys, ..Self::default() };
        let mut numbers: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
        let ledger = SupplyLedger::new(compiled);
        let mut supplies: BTreeMap<CapacitySource, usize> = BTreeMap::new();
        type Taken<'a> = &'a NodeUse;
        type Alike<'a> = (usize, &'a [i64], Taken<'a>, &'a Bits, Vec<(usize, i64)>);
        let mut launches: BTreeMap<Alike<'_>, (i64, usize)> = BTreeMap::new();
        for (id, offer) in compiled.offers.iter() {
            let site = compiled.site_of_offer(id);
            let shape = &compiled.shapes[offer.shape];
            let usable = compiled.usable.contains(site) && !compiled.admits[site].is_empty();
            if !usable || compiled.pools[offer.pool].static_replicas.is_some() {
                continue;
            }
            if !ledger.is_within_limits(offer.pool) {
                continue;
            }
            let mut uses = Vec::new();
            for (supply, each) in compiled.draw(id).parts() {
                let at = *supplies.entry(supply).or_insert_with(|| {
                    sites.left.push(ledger.left(supply));
                    sites.left.len() - 1
                });
                uses.push((at, each));
            }
            let cell = sites.cell(&mut numbers, compiled, site);
            let cost = offer.price.saturating_add(context.fee);
            let (room, admits) = (&shape.allocatable[..], &compiled.admits[site]);
            let cheapest =
                launches.entry((cell, room, &shape.used, admits, uses)).or_insert((cost, site));
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

    /// Adds a place at the end of the list.
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
        self.places.push(ExactPlace { cost, cell, node, site, uses, number, room: room.to_vec() });
    }

    /// The number of the cell of a site, which is made where there is none.
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

    /// The items of a plan's kept classes, in this order of kept classes.
    pub(super) fn items(&self, kept_classes: &KeptClasses, order: &[usize]) -> Vec<ExactItem> {
        let mut items: Vec<ExactItem> = Vec::new();
        for kept in order {
            let item = self.item(kept_classes, *kept, &items);
            items.push(item);
        }
        items
    }

    /// An item, beside those before it.
    fn item(&self, kept_classes: &KeptClasses, kept: usize, before: &[ExactItem]) -> ExactItem {
        let compiled = &kept_classes.compiled;
        let class = kept_classes.list[kept].class;
        let id = ItemId::from_index(kept);
        let compiled_item = &compiled.items[id];
        let clash = |at: &usize| compiled.keep_apart(id, ItemId::from_index(before[*at].kept));
        let admits = |place: &ExactPlace| compiled.room_at(place.site).takes(compiled_item, 1) > 0;
        let admitted: Vec<bool> = self.places.iter().map(admits).collect();
        let mut reach = vec![false; self.cells.len()];
        for (place, _) in self.places.iter().zip(&admitted).filter(|(_, admitted)| **admitted) {
            reach[place.cell] = true;
        }
        ExactItem {
            kept,
            class,
            count: kept_classes.counts[kept],
            request: compiled_item.request.clone(),
            per_node: compiled_item.per_node,
            left_by_bound: left_by_bound(kept_classes, kept),
            companions: (0..before.len()).filter(|at| before[*at].class == class).collect(),
            conflicts: (0..before.len()).filter(clash).collect(),
            company: company(kept_classes, class),
            admitted,
            reach,
        }
    }
}

/// By running node, what bound pods leave of the number that spreads over hosts let it hold.
///
/// Bound pods use up what a spread allows and nothing else: a pod with a host port shares its node
/// with any number of bound pods that have none.
fn left_by_bound(kept_classes: &KeptClasses, kept: usize) -> BTreeMap<NodeId, u32> {
    let topology = &kept_classes.compiled.topology;
    let class = kept_classes.list[kept].class;
    let mut left = BTreeMap::new();
    let Some(most) = kept_classes.per_node[kept] else { return left };
    for spread in topology.rules[class].spreads.iter().filter(|spread| spread.hard) {
        let binds = spread.key == TopologyKey::Hostname && spread.max_skew <= i64::from(most);
        for (node, count) in &topology.selections[spread.selection].bound {
            let site = kept_classes.compiled.site_of_node(*node);
            if binds && topology.selects(spread.selection, class) && spread.counted.contains(site) {
                let skew = u32::try_from(spread.max_skew).unwrap_or(u32::MAX);
                let slot = left.entry(*node).or_insert(u32::MAX);
                *slot = skew.saturating_sub(*count).min(*slot);
            }
        }
    }
    left
}

/// Which pods a class needs on its node, where nobody but pods of its own can be what it needs.
fn company(kept_classes: &KeptClasses, class: ClassId) -> ExactCompanions {
    let topology = &kept_classes.compiled.topology;
    let Some(affinity) = &topology.rules[class].affinity else { return ExactCompanions::Any };
    let selected = &topology.selections[affinity.selection];
    let alone = selected.classes.iter().all(|other| *other == class)
        && kept_classes.list.iter().filter(|kept| kept.class == class).count() == 1;
    if !alone || !affinity.key.contains(&TopologyKey::Hostname) {
        return ExactCompanions::Any;
    }
    if selected.bound.is_empty() {
        return ExactCompanions::All;
    }
    ExactCompanions::Bound(selected.bound.iter().map(|(node, _)| *node).collect())
}

impl ExactItem {
    /// Whether anything in a cell admits one of its pods.
    pub(super) fn reaches(&self, cell: usize) -> bool {
        self.reach[cell]
    }

    /// How many of its pods a place may hold beside such numbers of the items before it, at least
    /// where it holds any, and at most.
    fn bounds(&self, place: &ExactPlace, free: &[i64], held: &[u32]) -> (u32, u32) {
        let kept_off = self.conflicts.iter().any(|other| held[*other] > 0);
        if kept_off || !self.admitted[place.number] {
            return (1, 0);
        }
        let left = place.node.and_then(|node| self.left_by_bound.get(&node)).copied();
        let companions: u32 = self.companions.iter().map(|other| held[*other]).sum();
        let open = self.per_node.min(left.unwrap_or(u32::MAX)).saturating_sub(companions);
        let most = fits(free, &self.request, open.min(self.count));
        match &self.company {
            ExactCompanions::Any => (1, most),
            ExactCompanions::All => (self.count, most),
            ExactCompanions::Bound(nodes) => match place.node {
                Some(node) if nodes.contains(&node) => (1, most),
                _ => (1, 0),
            },
        }
    }
}

impl ExactPlace {
    /// Whether it is there already.
    pub(super) fn runs(&self) -> bool {
        self.node.is_some()
    }

    /// The numbers of all vectors of pods that it can hold, that of none among them.
    pub(super) fn fillings(
        &self,
        items: &[ExactItem],
        grid: &CountIndex,
        budget: &mut ExactBudget<'_>,
    ) -> Option<Vec<usize>> {
        let mut filler = ExactFiller {
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

/// The fillings of one place in the making.
struct ExactFiller<'a, 'b, 'w> {
    place: &'a ExactPlace,
    items: &'a [ExactItem],
    grid: &'a CountIndex,
    budget: &'b mut ExactBudget<'w>,
    /// What is free beside the pods so far.
    free: Vec<i64>,
    /// How many pods of each item are there so far.
    held: Vec<u32>,
    /// The numbers of the vectors that fit.
    found: Vec<usize>,
}

impl ExactFiller<'_, '_, '_> {
    /// Tries all numbers of pods of the items from this one on; `number` is that of the vector so
    /// far.
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
