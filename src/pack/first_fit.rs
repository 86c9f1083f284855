//! First fit decreasing, blind to prices until the end: the baseline that the packer is compared
//! with.
//!
//! Items come largest first (cpu, then memory), as in Karpenter's queue. Each goes onto running
//! nodes in the order of their names, then onto open launches in the order in which they were
//! opened, then onto new ones of the first pool that takes it. An open launch keeps every bin type
//! that still holds it and grows while any does; only at the end does it get the cheapest. Launches
//! that hold the same are one group, so an item costs what its groups cost, not what its pods cost.
//!
//! Limits are charged with the largest bin type a launch may still become; reservations aren't
//! used.
//!
//! *What it is for.* It is the price-blind answer that schedulers give, so that savings can be
//! stated against something; and a candidate among the packer's ways, since it fills tightly where
//! prices say little.
//!
//! *Cost.* Items × blocks of groups, and the groups of blocks that may have room. Blocks keep the
//! most that any of their groups has free of each resource, so that ten thousand open launches that
//! are full are passed over a block at a time.

use super::fill::FillRule;
use super::greedy::{self, WeightTier};
use super::packing::{Context, NodeGroup, Packing};
use super::step::PackingStep;
use super::{of_weight, static_pool};
use crate::compile::{
    AlternativesKey, Compiled, Draw, ItemId, NodeId, NodeRoom, NodeSource, PoolId, SupplyLedger,
    fits,
};
use crate::progress::MethodKind;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Launches that hold the same and can become the same.
///
/// A launch that could be several types keeps them all; `max_room` bounds what the largest has, so
/// that most groups that are too full are refused without looking at types.
#[derive(Clone, Debug)]
struct OpenLaunches {
    /// What they can become, or which node it is.
    place: FirstFitPlace,
    /// The most room of any bin type, by resource, before the load.
    max_room: Vec<i64>,
    items: Vec<(ItemId, u32)>,
    /// What that requests together.
    load: Vec<i64>,
    /// How many launches they are.
    multiplicity: u32,
}

impl OpenLaunches {
    /// Whether some bin type has room for a pod, by resources alone.
    fn could_hold(&self, request: &[i64]) -> bool {
        let free = self.max_room.iter().zip(&self.load).map(|(all, load)| all - load);
        free.zip(request).all(|(free, asked)| *asked <= 0 || free >= *asked)
    }
}

/// Where such pods go.
#[derive(Clone, Debug)]
enum FirstFitPlace {
    /// Of one of these bin types, the cheapest first.
    Launch { pool: PoolId, bin_types: Vec<usize> },
    /// A running node.
    Running(NodeId),
}

/// How many groups a block has at most.
const MOST_IN_BLOCK: usize = 64;

/// Groups that follow each other, with a bound on what they have free.
///
/// The bound is of each resource by itself: some block may pass the test and hold no group with
/// room.
#[derive(Clone, Debug)]
struct OpenBlock {
    groups: Vec<OpenLaunches>,
    /// By resource, the most that any of them has free.
    most_free: Vec<i64>,
}

impl OpenBlock {
    /// Blocks of these groups, in their order.
    fn all(mut groups: Vec<OpenLaunches>) -> Vec<Self> {
        let mut blocks = Vec::with_capacity(groups.len() / MOST_IN_BLOCK + 1);
        while !groups.is_empty() {
            let rest = groups.split_off(groups.len().min(MOST_IN_BLOCK));
            let mut block = Self { groups, most_free: Vec::new() };
            block.bound();
            blocks.push(block);
            groups = rest;
        }
        blocks
    }

    /// Works the bound out anew.
    fn bound(&mut self) {
        self.most_free.clear();
        for group in &self.groups {
            let free = group.max_room.iter().zip(&group.load).map(|(all, load)| all - load);
            if self.most_free.is_empty() {
                self.most_free.extend(free);
            } else {
                self.most_free
                    .iter_mut()
                    .zip(free)
                    .for_each(|(most, free)| *most = free.max(*most));
            }
        }
    }

    /// Whether one of its groups may have room for a pod.
    fn could_hold(&self, request: &[i64]) -> bool {
        fits(&self.most_free, request, 1) > 0
    }
}

/// Packs everything that fits: onto running nodes, then onto launches, weight by weight.
pub(crate) fn pack(context: &Context<'_>) -> Packing {
    let compiled = context.compiled;
    let queue = queue(compiled);
    let nodes = compiled.nodes.ids().map(|node| open_node(context, node)).collect();
    let mut start = Packing::new(compiled);
    start.note(context, || PackingStep::Method(MethodKind::FirstFit));
    let mut packing = Packer::new(context, start, Vec::new(), nodes).run(&queue);
    static_pool::launch(context, &mut packing, FillRule::Largest, &|_| true);
    static_pool::launch_rest(context, &mut packing);
    let mut weights: Vec<i32> = compiled.pools.values().map(|pool| pool.weight).collect();
    weights.sort_unstable_by_key(|weight| Reverse(*weight));
    weights.dedup();
    for weight in weights {
        let pools: Vec<PoolId> = compiled
            .pools
            .iter()
            .filter(|(_, pool)| pool.weight == weight && pool.static_replicas.is_none())
            .map(|(id, _)| id)
            .collect();
        // Limits are charged with more than is used in the end: go on until that frees nothing.
        // What no launch of this class could take (reservations hold it) is bought one by one.
        loop {
            let groups = packing.groups.len();
            packing = Packer::new(context, packing, pools.clone(), Vec::new()).run(&queue);
            if packing.groups.len() == groups {
                let bin_types = of_weight(compiled, weight);
                let tier = WeightTier {
                    bin_types: &bin_types,
                    fill_rule: FillRule::Largest,
                    wanted: &|_| true,
                };
                greedy::buy(context, &mut packing, tier);
            }
            if packing.groups.len() == groups {
                break;
            }
        }
    }
    packing
}

/// Higher priority first, then more cpu, then more memory.
fn queue(compiled: &Compiled) -> Vec<ItemId> {
    let dim = |name: &str| compiled.dims.names().iter().position(|known| &**known == name);
    let (cpu, memory) = (dim("cpu"), dim("memory"));
    let mut queue: Vec<ItemId> = compiled.items.ids().collect();
    queue.sort_by_key(|id| {
        let item = &compiled.items[*id];
        let amount = |dim: Option<usize>| Reverse(dim.map_or(0, |dim| item.request[dim]));
        (Reverse(item.priority), amount(cpu), amount(memory), *id)
    });
    queue
}

/// A running node as it is, with nothing put there.
fn open_node(context: &Context<'_>, node: NodeId) -> OpenLaunches {
    let running = &context.compiled.nodes[node];
    OpenLaunches {
        place: FirstFitPlace::Running(node),
        max_room: running.free.clone(),
        items: Vec::new(),
        load: vec![0; running.free.len()],
        multiplicity: 1,
    }
}

/// One pass over the queue.
struct Packer<'c> {
    context: &'c Context<'c>,
    packing: Packing,
    /// The pools that may launch, by name.
    pools: Vec<PoolId>,
    supplies: SupplyLedger,
    /// Running nodes, and then launches in the order in which they were opened.
    open: Vec<OpenBlock>,
}

impl<'c> Packer<'c> {
    fn new(
        context: &'c Context<'c>,
        packing: Packing,
        pools: Vec<PoolId>,
        open: Vec<OpenLaunches>,
    ) -> Self {
        let supplies = packing.supplies.clone();
        Self { context, packing, pools, supplies, open: OpenBlock::all(open) }
    }

    /// Packs the items in the order of the queue, and closes all launches.
    fn run(mut self, queue: &[ItemId]) -> Packing {
        for item in queue {
            let _left = self.place(*item, self.packing.left[*item]);
        }
        self.close()
    }

    /// Places up to `count` pods of an item; returns how many are left.
    fn place(&mut self, item: ItemId, mut count: u32) -> u32 {
        let request = &self.context.item(item).request;
        let mut at = 0;
        while at < self.open.len() && count > 0 {
            let blocks = self.open.len();
            if self.open[at].could_hold(request) {
                count = self.place_in_block(at, item, count);
            }
            // What a block became has been looked through.
            at += 1 + self.open.len() - blocks;
        }
        while count > 0 {
            let Some(fresh) = self.fresh(item, count) else { break };
            let each = self.takes(&fresh, item, count);
            let times = (count / each).clamp(1, fresh.multiplicity);
            let each = each.min(count);
            self.charge(&fresh, times);
            let grown = self.with(&fresh, item, each, times);
            self.append(grown);
            count -= each * times;
        }
        count
    }

    /// Places up to `count` pods of an item on groups of a block; returns how many are left. A
    /// block that grows too large becomes several.
    ///
    /// A group of which some launches grow is cut in three: those that take as many as each can,
    /// one that takes the rest, and those that are untouched. Places in the order are kept, so it
    /// is still first fit.
    fn place_in_block(&mut self, block: usize, item: ItemId, mut count: u32) -> u32 {
        let mut groups = std::mem::take(&mut self.open[block].groups);
        let (mut at, before) = (0, count);
        while at < groups.len() && count > 0 {
            let each = self.takes(&groups[at], item, count);
            let Some(full) = count.checked_div(each) else {
                at += 1;
                continue;
            };
            let group = groups[at].clone();
            let full = full.min(group.multiplicity);
            let rest = if full < group.multiplicity { count - full * each } else { 0 };
            let mut parts = Vec::new();
            if full > 0 {
                parts.push(self.with(&group, item, each, full));
            }
            if rest > 0 {
                parts.push(self.with(&group, item, rest, 1));
            }
            let untouched = group.multiplicity - full - u32::from(rest > 0);
            if untouched > 0 {
                parts.push(OpenLaunches { multiplicity: untouched, ..group });
            }
            count -= full * each + rest;
            let added = parts.len();
            groups.splice(at..=at, parts).for_each(drop);
            at += added;
        }
        if count == before {
            self.open[block].groups = groups;
        } else {
            self.open.splice(block..=block, OpenBlock::all(groups)).for_each(drop);
        }
        count
    }

    /// Opens a group after all others.
    fn append(&mut self, group: OpenLaunches) {
        match self.open.last_mut().filter(|block| block.groups.len() < MOST_IN_BLOCK) {
            Some(block) => {
                block.groups.push(group);
                block.bound();
            }
            None => self.open.extend(OpenBlock::all(vec![group])),
        }
    }

    /// How many pods of an item each launch of a group can still take, `most` at most.
    ///
    /// With `minValues` more pods leave fewer types, so the most that still leaves enough is found
    /// by bisection.
    fn takes(&self, group: &OpenLaunches, id: ItemId, most: u32) -> u32 {
        let item = self.context.item(id);
        if !group.could_hold(&item.request) {
            return 0;
        }
        // The rules between pods, on a node with as much room as any bin type has.
        let unbarred;
        let room = match &group.place {
            FirstFitPlace::Running(node) => self.context.compiled.room_of_node(*node),
            FirstFitPlace::Launch { bin_types, .. } => {
                let Some(first) = bin_types.first() else { return 0 };
                let room = self.context.room(*first);
                unbarred = room.used.without_bars();
                NodeRoom { free: &group.max_room, used: &unbarred, min_values: None, ..room }
            }
        };
        let node = self.context.open(room).holding(group.items.iter().copied());
        let most = node.takes(id, most);
        if most == 0 {
            return 0;
        }
        // What pods share counts once for all pods of the item; to stay simple the baseline takes
        // such items only onto nodes that hold nothing new.
        if item.uses.is_shared() && !group.items.is_empty() {
            return 0;
        }
        match &group.place {
            FirstFitPlace::Running(_) if room.admits(item.eligibility) => most,
            FirstFitPlace::Running(_) => 0,
            FirstFitPlace::Launch { pool, bin_types } => {
                let of_bin_type = |bin_type: &usize| {
                    let room = self.context.room(*bin_type);
                    let free = free_of(room.free, &group.load);
                    NodeRoom { free: &free, ..room }.takes(item, most)
                };
                let most = bin_types.iter().map(of_bin_type).max().unwrap_or(0);
                let meets = |count: u32| {
                    let grown = self.with(group, id, count, 1);
                    self.cheapest(&grown).is_some()
                };
                let asks = !self.context.compiled.pools[*pool].min_values.is_empty();
                if most == 0 || !asks || meets(most) {
                    return most;
                }
                let (mut good, mut bad) = (0, most);
                while bad - good > 1 {
                    let middle = good + (bad - good) / 2;
                    *(if meets(middle) { &mut good } else { &mut bad }) = middle;
                }
                good
            }
        }
    }

    /// The group with `each` more pods of an item on each of `multiplicity` launches.
    ///
    /// Types that no longer hold what the group holds are dropped.
    fn with(&self, group: &OpenLaunches, id: ItemId, each: u32, times: u32) -> OpenLaunches {
        let item = self.context.item(id);
        let mut grown = OpenLaunches { multiplicity: times, ..group.clone() };
        for (load, asked) in grown.load.iter_mut().zip(&item.request) {
            *load += asked * i64::from(each);
        }
        if !group.items.iter().any(|(held, _)| *held == id) {
            let running = match grown.place {
                FirstFitPlace::Running(node) => Some(&self.context.compiled.nodes[node].used),
                FirstFitPlace::Launch { .. } => None,
            };
            item.uses.slots(running).for_each(|at| grown.load[at] += 1);
        }
        match grown.items.iter_mut().find(|(held, _)| *held == id) {
            Some((_, held)) => *held += each,
            None => grown.items.push((id, each)),
        }
        if let FirstFitPlace::Launch { bin_types, .. } = &mut grown.place {
            bin_types.retain(|bin_type| {
                let room = self.context.room(*bin_type);
                room.takes(item, 1) > 0
                    && room.free.iter().zip(&grown.load).all(|(have, want)| have >= want)
            });
            grown.max_room = max_room(self.context, bin_types);
        }
        grown
    }

    /// An empty launch of the first pool that takes the item, as often as its limits allow.
    ///
    /// As Karpenter does, the first pool that takes the pod is used, by name within a weight.
    fn fresh(&self, id: ItemId, count: u32) -> Option<OpenLaunches> {
        let compiled = self.context.compiled;
        self.pools.iter().copied().find_map(|pool| {
            let mut bin_types: Vec<usize> = compiled.compatibles[id]
                .iter()
                .filter(|at| {
                    let bin_type = &compiled.bin_types[*at];
                    bin_type.pool == pool
                        && bin_type.reservation.is_none()
                        && self.affords(pool, &compiled.shapes[bin_type.shape].charge)
                })
                .collect();
            if bin_types.is_empty() {
                return None;
            }
            bin_types.sort_by_key(|bin_type| (self.context.cost(*bin_type), *bin_type));
            let times = self.supply(pool, &self.largest(pool, &bin_types));
            let fresh = OpenLaunches {
                max_room: max_room(self.context, &bin_types),
                place: FirstFitPlace::Launch { pool, bin_types },
                items: Vec::new(),
                load: vec![0; compiled.dims.len()],
                multiplicity: times,
            };
            (times > 0 && self.takes(&fresh, id, count) > 0).then_some(fresh)
        })
    }

    /// The most that any of these bin types is charged, by limit.
    fn largest(&self, pool: PoolId, bin_types: &[usize]) -> Vec<i64> {
        let compiled = self.context.compiled;
        let mut largest = vec![0; compiled.pools[pool].limits.len()];
        for bin_type in bin_types {
            let charge = &compiled.shapes[compiled.bin_types[*bin_type].shape].charge;
            largest.iter_mut().zip(charge).for_each(|(most, each)| *most = (*most).max(*each));
        }
        largest
    }

    /// Whether a pool's limits leave room for one more node.
    fn affords(&self, pool: PoolId, charge: &[i64]) -> bool {
        self.supplies.allows(Draw::on_limits(pool, charge))
    }

    /// How many launches of such a charge a pool's limits allow.
    fn supply(&self, pool: PoolId, charge: &[i64]) -> u32 {
        self.supplies.nodes(Draw::on_limits(pool, charge))
    }

    fn charge(&mut self, group: &OpenLaunches, times: u32) {
        let FirstFitPlace::Launch { pool, bin_types } = &group.place else { return };
        let largest = self.largest(*pool, bin_types);
        self.supplies.draw(Draw::on_limits(*pool, &largest), times.into());
    }

    /// The cheapest bin type that a group can become.
    fn cheapest(&self, group: &OpenLaunches) -> Option<usize> {
        let FirstFitPlace::Launch { pool, bin_types } = &group.place else { return None };
        let compiled = self.context.compiled;
        if compiled.pools[*pool].min_values.is_empty() {
            return bin_types.first().copied();
        }
        let items: Vec<ItemId> = group.items.iter().map(|(item, _)| *item).collect();
        // Those that may list the same offers are asked once.
        let mut refused: BTreeSet<AlternativesKey> = BTreeSet::new();
        let meets = |bin_type: &&usize| {
            let Some(choice) = compiled.bin_types[**bin_type].offers.first() else { return false };
            let key = compiled.alternatives_key(*choice, &items);
            let meets = !refused.contains(&key)
                && self.context.meets_minimums(*choice, &group.items, &group.load);
            if !meets {
                let _new = refused.insert(key);
            }
            meets
        };
        bin_types.iter().find(meets).copied()
    }

    /// Gives each launch its cheapest bin type.
    ///
    /// What has no type left that meets `minValues` isn't launched, and its pods stay out.
    fn close(mut self) -> Packing {
        let compiled = self.context.compiled;
        let mut used: BTreeSet<NodeId> = BTreeSet::new();
        let open = std::mem::take(&mut self.open);
        let groups = open.into_iter().flat_map(|block| block.groups);
        for group in groups.filter(|group| !group.items.is_empty()) {
            let place = match &group.place {
                FirstFitPlace::Running(node) => {
                    let _new = used.insert(*node);
                    Some(NodeSource::Running(vec![*node]))
                }
                FirstFitPlace::Launch { .. } => self.cheapest(&group).map(NodeSource::Launch),
            };
            let Some(place) = place else { continue };
            let mut items = group.items;
            items.sort_unstable();
            // The slots of shared volumes, which are counted while it grows, are no part of a load.
            let load = compiled.load(&items);
            self.packing
                .add(compiled, NodeGroup { place, items, load, multiplicity: group.multiplicity });
        }
        self.packing.untouched_nodes.retain(|node| !used.contains(node));
        self.packing
    }
}

/// What a load leaves of room.
fn free_of(all: &[i64], load: &[i64]) -> Vec<i64> {
    all.iter().zip(load).map(|(all, load)| all - load).collect()
}

/// By resource, the most room of any of these bin types.
fn max_room(context: &Context<'_>, bin_types: &[usize]) -> Vec<i64> {
    let mut max_room = vec![0; context.compiled.dims.len()];
    for bin_type in bin_types {
        let free = context.room(*bin_type).free;
        max_room.iter_mut().zip(free).for_each(|(most, have)| *most = (*most).max(*have));
    }
    max_room
}
