//! Static pools: which nodes they launch.
//!
//! *Problem.* A static pool launches so many nodes whatever is pending. Of which type they are and
//! in which zone is open, and pods on them cost nothing more. So these choices decide which pods
//! have a place, and what has to be bought for the others.
//!
//! *Idea.* One node after another: each bin type of the pools is filled with what is left, and that
//! one is launched whose pods would cost most elsewhere, less what its node costs more than the
//! pool's cheapest. Pods that have no place elsewhere are looked at by themselves first; what is
//! left of a node's room is then the others'. What nobody needs is launched last, as cheaply as can
//! be.
//!
//! What a pod costs elsewhere is its share of the launch that is cheapest for pods of its item
//! alone. A pod without a place elsewhere counts for its share of the static node that is cheapest
//! for its item, and a node with such a pod comes before any without. One fill rule of filling has
//! the node first that places most of them; the fill rules compete, so that both the cheap and the
//! large choice are tried.
//!
//! Static pools come first: what other pools launch for pods takes no reservation from which a
//! missing node could come. So pools that can launch from nothing but reservations have theirs
//! before others, static or not, may use these ([`launch_reserved`]).
//!
//! *Why it is right.* Any choice of bin types is legal that limits, reservations and `minValues`
//! admit, and the pool launches no more nodes than it lacks.
//!
//! *Cost.* A filling of each bin type of a static pool for each distinct node that is launched;
//! nothing where no pool is static.

use super::fill::{FillRule, Filling, ValueBuckets};
use super::fill_leftover;
use super::packing::{Context, NodeGroup, Packing};
use crate::compile::{BinType, Compiled, IdVec, ItemId, NodeSource, PoolId, ReservationId};
use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Parts of a billionth in which shares of a node's cost are counted.
const PARTS: i128 = 1 << 20;

/// Whether no pool that pods may ask for nodes can hold an item: static ones don't count.
pub(crate) fn is_node_only(compiled: &Compiled, item: ItemId) -> bool {
    compiled.compatibles[item].iter().all(|at| compiled.bin_types[at].is_static(compiled))
}

/// Whether a static pool has nodes to launch that aren't yet.
pub(crate) fn lacks_nodes(compiled: &Compiled, packing: &Packing) -> bool {
    compiled.pools.values().any(|pool| pool.static_replicas.is_some_and(|nodes| nodes > 0))
        && !bin_types(compiled, packing).is_empty()
}

/// Whether a bin type is of a static pool that could launch something cheaper.
pub(crate) fn has_cheaper(compiled: &Compiled, bin_type: usize) -> bool {
    let own = &compiled.bin_types[bin_type];
    let cheaper = |other: &BinType| other.pool == own.pool && other.price < own.price;
    own.is_static(compiled) && compiled.bin_types.iter().any(cheaper)
}

/// Launches the nodes of static pools that can hold something of what is left, where `wanted` says
/// so.
pub(crate) fn launch(
    context: &Context<'_>,
    packing: &mut Packing,
    fill_rule: FillRule,
    wanted: &dyn Fn(ItemId) -> bool,
) {
    if !lacks_nodes(context.compiled, packing) {
        return;
    }
    let node_only = |item: ItemId| wanted(item) && is_node_only(context.compiled, item);
    launch_for(context, packing, fill_rule, &node_only);
    fill_leftover::fill_leftover(context, packing, fill_rule, wanted);
    launch_for(context, packing, fill_rule, wanted);
}

/// Launches what static pools still lack, empty and as cheaply as can be.
pub(crate) fn launch_rest(context: &Context<'_>, packing: &mut Packing) {
    launch_reserved(context, packing);
    let bin_types = bin_types(context.compiled, packing);
    launch_empty(context, packing, bin_types);
}

/// Launches, empty and as cheaply as can be, what those static pools still lack that can launch
/// from nothing but reservations, before others use these.
pub(crate) fn launch_reserved(context: &Context<'_>, packing: &mut Packing) {
    let compiled = context.compiled;
    if !lacks_nodes(compiled, packing) {
        return;
    }
    let mut bin_types = bin_types(compiled, packing);
    let needy = needy(compiled, &bin_types);
    bin_types.retain(|at| needy.contains(&compiled.bin_types[*at].pool));
    launch_empty(context, packing, bin_types);
}

/// Launches what static pools still lack, empty, from these bin types, the cheapest first.
fn launch_empty(context: &Context<'_>, packing: &mut Packing, mut bin_types: Vec<usize>) {
    let compiled = context.compiled;
    bin_types.sort_by_key(|at| (context.cost(*at), *at));
    for at in bin_types {
        let times = packing.static_supply(compiled, &compiled.bin_types[at]);
        let load = vec![0; compiled.dims.len()];
        let choice = compiled.bin_types[at].offers.first();
        let suits = || choice.is_some_and(|choice| context.meets_minimums(*choice, &[], &load));
        if times > 0 && (context.best_effort_min_values || suits()) {
            packing.add(
                compiled,
                NodeGroup {
                    place: NodeSource::Launch(at),
                    items: Vec::new(),
                    load,
                    multiplicity: times,
                },
            );
        }
    }
}

/// Whether no static pool lacks a node that it could launch if launches of other pools drew on no
/// reservation.
pub(crate) fn are_first(compiled: &Compiled, packing: &Packing) -> bool {
    if compiled.pools.values().all(|pool| pool.static_replicas.is_none_or(|nodes| nodes == 0)) {
        return true;
    }
    let is_left = |bin_type: &BinType| {
        bin_type.reservation.is_none_or(|id| {
            let is_own =
                |other: &BinType| other.reservation == Some(id) && other.is_static(compiled);
            packing.launched(compiled, is_own) < compiled.reservations[id].remaining
        })
    };
    compiled.pools.iter().all(|(id, pool)| {
        let lacks = || {
            let nodes = pool.static_replicas.unwrap_or(0);
            nodes > 0 && packing.launched(compiled, |other| other.pool == id) < nodes
        };
        !pool.min_values.is_empty()
            || !lacks()
            || !compiled.bin_types.iter().any(|one| one.pool == id && is_left(one))
    })
}

/// The bin types of static pools of which nodes are still to be launched; without the reservations
/// of those that have nothing else, for all others.
///
/// A pool that has nothing but reservations comes first at them: what others, static or not, could
/// take of these is left out for the others as long as it lacks nodes.
fn bin_types(compiled: &Compiled, packing: &Packing) -> Vec<usize> {
    let bin_types = compiled.bin_types.iter().enumerate();
    let lacking = bin_types
        .filter(|(_, bin_type)| bin_type.is_static(compiled))
        .filter(|(_, bin_type)| packing.static_supply(compiled, bin_type) > 0);
    let mut lacking: Vec<usize> = lacking.map(|(at, _)| at).collect();
    let needy = needy(compiled, &lacking);
    if !needy.is_empty() {
        let own = lacking.iter().map(|at| &compiled.bin_types[*at]);
        let own = own.filter(|bin_type| needy.contains(&bin_type.pool));
        let held: BTreeSet<ReservationId> = own.filter_map(|one| one.reservation).collect();
        lacking.retain(|at| {
            let bin_type = &compiled.bin_types[*at];
            needy.contains(&bin_type.pool)
                || bin_type.reservation.is_none_or(|id| !held.contains(&id))
        });
    }
    lacking
}

/// The pools of which all of these bin types draw on reservations.
fn needy(compiled: &Compiled, bin_types: &[usize]) -> BTreeSet<PoolId> {
    let bin_types = || bin_types.iter().map(|at| &compiled.bin_types[*at]);
    let mut needy: BTreeSet<PoolId> = bin_types().map(|bin_type| bin_type.pool).collect();
    for bin_type in bin_types().filter(|bin_type| bin_type.reservation.is_none()) {
        let _has_others = needy.remove(&bin_type.pool);
    }
    needy
}

/// By reservation, how many nodes of it are kept for those that static pools lack and that could
/// come from reservations alone: as many of these as can have one at once do.
///
/// A flow, raised along the shortest path, time after time, from a node without a reservation to a
/// reservation with room (Edmonds and Karp 1972).
pub(crate) fn kept_reservations(compiled: &Compiled) -> IdVec<ReservationId, u32> {
    let mut kept: IdVec<ReservationId, u32> = compiled.reservations.values().map(|_| 0).collect();
    let lacking = bin_types(compiled, &Packing::new(compiled));
    let needy: Vec<PoolId> = needy(compiled, &lacking).into_iter().collect();
    let usable = |pool: PoolId| -> BTreeSet<ReservationId> {
        let own = lacking.iter().map(|at| &compiled.bin_types[*at]);
        own.filter(|one| one.pool == pool).filter_map(|one| one.reservation).collect()
    };
    let usable: Vec<BTreeSet<ReservationId>> = needy.iter().map(|pool| usable(*pool)).collect();
    let mut assigned: BTreeMap<(ReservationId, usize), u32> = BTreeMap::new();
    for (first, pool) in needy.iter().enumerate() {
        let mut wanted = compiled.pools[*pool].static_replicas.unwrap_or(0);
        while wanted > 0 {
            // By reservation, the pool that would have it, and the one that this gives up for it.
            let mut reached: BTreeMap<ReservationId, (usize, Option<ReservationId>)> =
                BTreeMap::new();
            let mut next = VecDeque::from([(first, None)]);
            let has_room = |id: &ReservationId| kept[*id] < compiled.reservations[*id].remaining;
            let mut end = None;
            while let Some((pool, given_up)) = next.pop_front().filter(|_| end.is_none()) {
                for id in &usable[pool] {
                    if let Entry::Vacant(vacant) = reached.entry(*id) {
                        let _way = vacant.insert((pool, given_up));
                        end = end.or(Some(*id).filter(has_room));
                        let holders = assigned.range((*id, 0)..=(*id, usize::MAX));
                        let holders = holders.filter(|(_, nodes)| **nodes > 0);
                        next.extend(holders.map(|((id, pool), _)| (*pool, Some(*id))));
                    }
                }
            }
            let Some(end) = end else { break };
            let path = std::iter::successors(Some(end), |id| reached.get(id).and_then(|way| way.1));
            let path = path.filter_map(|id| reached.get(&id).map(|way| (id, way.0, way.1)));
            let path: Vec<(ReservationId, usize, Option<ReservationId>)> = path.collect();
            let nodes_given =
                path.iter().filter_map(|(_, pool, from)| assigned.get(&((*from)?, *pool)));
            let room = compiled.reservations[end].remaining - kept[end];
            let nodes = nodes_given.copied().fold(wanted.min(room), u32::min);
            for (id, pool, given_up) in path {
                *assigned.entry((id, pool)).or_default() += nodes;
                if let Some(given) = given_up.and_then(|id| assigned.get_mut(&(id, pool))) {
                    *given -= nodes;
                }
            }
            kept[end] += nodes;
            wanted -= nodes;
        }
    }
    kept
}

/// Each turn launches the node of the greatest merit, as often as its pods are there, and ends when
/// no node would hold anything that gains.
fn launch_for(
    context: &Context<'_>,
    packing: &mut Packing,
    fill_rule: FillRule,
    wanted: &dyn Fn(ItemId) -> bool,
) {
    let compiled = context.compiled;
    let left = packing.waiting(wanted);
    if left.values().all(|left| *left == 0) {
        return;
    }
    let worth = packing.worth(context, &left);
    let mut buckets = ValueBuckets::new(context, &worth, &left, fill_rule);
    let shares = shares(context, packing, &left);
    loop {
        let bin_types = bin_types(compiled, packing);
        let mut cheapest: IdVec<PoolId, Option<i64>> =
            compiled.pools.iter().map(|_| None).collect();
        for at in &bin_types {
            let (pool, cost) = (compiled.bin_types[*at].pool, cost(context, *at));
            cheapest[pool] = Some(cheapest[pool].map_or(cost, |least| least.min(cost)));
        }
        let candidates = bin_types.into_iter().filter_map(|at| {
            let filling = buckets.best_fill(context, context.open(context.room(at)), &packing.left);
            let empty = cheapest[compiled.bin_types[at].pool].unwrap_or(0);
            let extra = i128::from(cost(context, at)) - i128::from(empty);
            let merit = NodeMerit::of(&filling, &shares, extra);
            let is_of_use = !filling.items.is_empty() && (merit.node_only > 0 || merit.gain >= 0);
            is_of_use.then(|| (merit.key(fill_rule), Reverse(at), filling))
        });
        let best = candidates.max_by_key(|(key, at, _)| (*key, *at));
        let Some((_, Reverse(at), filling)) = best else { return };
        let supply = packing.static_supply(compiled, &compiled.bin_types[at]);
        let times = filling.items.iter().map(|(item, count)| packing.left[*item] / count).min();
        let times = times.unwrap_or(0).min(supply).max(1);
        let used: Vec<ItemId> = filling.items.iter().map(|(item, _)| *item).collect();
        let place = NodeSource::Launch(at);
        packing.add(
            compiled,
            NodeGroup { place, items: filling.items, load: filling.load, multiplicity: times },
        );
        let gone = used.into_iter().filter(|item| packing.left[*item] == 0);
        gone.for_each(|item| buckets.forget(item));
    }
}

/// What a node costs, whatever takes the place of prices elsewhere.
fn cost(context: &Context<'_>, bin_type: usize) -> i64 {
    context.compiled.bin_types[bin_type].price.saturating_add(context.fee)
}

/// What placing one pod of an item on a static node is worth.
#[derive(Clone, Copy, Debug, Default)]
struct PlacementGain {
    /// Whether it has no place elsewhere.
    node_only: bool,
    /// What it costs elsewhere, or on a static node if it has no place elsewhere.
    cost: i128,
}

/// The shares of the items of which any are left.
fn shares(
    context: &Context<'_>,
    packing: &Packing,
    left: &IdVec<ItemId, u32>,
) -> IdVec<ItemId, PlacementGain> {
    let compiled = context.compiled;
    let of_item = |item: ItemId| {
        if left[item] == 0 {
            return PlacementGain::default();
        }
        let least = |of_static_pool: bool| {
            let compatibles = compiled.compatibles[item].iter().filter(|at| {
                let bin_type = &compiled.bin_types[*at];
                bin_type.is_static(compiled) == of_static_pool
                    && (of_static_pool || packing.is_open(compiled, bin_type))
            });
            let share = |at: usize| {
                let takes = context.room(at).takes(context.item(item), left[item]).max(1);
                i128::from(cost(context, at)).saturating_mul(PARTS) / i128::from(takes)
            };
            compatibles.map(share).min()
        };
        match least(false) {
            Some(cost) => PlacementGain { node_only: false, cost },
            None => PlacementGain { node_only: true, cost: least(true).unwrap_or(0) },
        }
    };
    compiled.items.ids().map(of_item).collect()
}

/// What speaks for a filled node.
///
/// Compared are first the pods that have no other place, then what is saved elsewhere.
#[derive(Clone, Copy, Debug)]
struct NodeMerit {
    /// How many of its pods have no place elsewhere.
    node_only: u64,
    /// What its pods would cost elsewhere, less what it costs more than an empty node.
    gain: i128,
}

impl NodeMerit {
    fn of(filling: &Filling, shares: &IdVec<ItemId, PlacementGain>, extra: i128) -> Self {
        let mut merit = Self { node_only: 0, gain: extra.saturating_mul(-PARTS) };
        for (item, count) in &filling.items {
            let share = shares[*item];
            merit.node_only += if share.node_only { u64::from(*count) } else { 0 };
            merit.gain = merit.gain.saturating_add(share.cost.saturating_mul(i128::from(*count)));
        }
        merit
    }

    /// The greater, the better.
    fn key(self, fill_rule: FillRule) -> (u64, i128) {
        match fill_rule {
            FillRule::Largest => (self.node_only, self.gain),
            _ => (self.node_only.min(1), self.gain),
        }
    }
}
