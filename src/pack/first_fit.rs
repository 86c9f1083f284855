//! First fit decreasing, blind to prices until the end: the baseline that the packer is compared with.
//!
//! Classes come largest first (cpu, then memory), as in Karpenter's queue. Each goes onto running
//! nodes in the order of their names, then onto open launches in the order in which they were opened,
//! then onto new ones of the first pool that takes it. An open launch keeps every column that still
//! holds it and grows while any does; only at the end does it get the cheapest. Launches that hold the
//! same are one group, so a class costs what its groups cost, not what its pods cost.
//!
//! Limits are charged with the largest column a launch may still become; reservations aren't used.

use super::fill::Style;
use super::flexible::meets_minimums;
use super::greedy::{self, Tier};
use super::state::{Context, Group, Place, State};
use super::{of_weight, running, static_pool};
use crate::compile::{Bits, ClassId, Compiled, IdVec, NodeId, PoolId, fits};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Launches that hold the same and can become the same.
#[derive(Clone, Debug)]
struct Open {
    place: Spot,
    /// The most room of any column, by resource, before the load.
    ceiling: Vec<i64>,
    ports: Bits,
    items: Vec<(ClassId, u32)>,
    load: Vec<i64>,
    times: u32,
}

#[derive(Clone, Debug)]
enum Spot {
    /// Of one of these columns, the cheapest first.
    Launch {
        pool: PoolId,
        columns: Vec<usize>,
    },
    Running(NodeId),
}

/// Packs everything that fits: onto running nodes, then onto launches, weight by weight.
pub(crate) fn pack(context: &Context<'_>) -> State {
    let compiled = context.compiled;
    let queue = queue(compiled);
    let nodes = compiled.nodes.ids().map(|node| open_node(context, node)).collect();
    let mut state = Packer::new(context, State::new(compiled), Vec::new(), nodes).run(&queue);
    static_pool::launch(context, &mut state, Style::Largest, &|_| true);
    static_pool::launch_rest(context, &mut state);
    let mut weights: Vec<i32> = compiled.pools.values().map(|pool| pool.weight).collect();
    weights.sort_unstable_by_key(|weight| Reverse(*weight));
    weights.dedup();
    for weight in weights {
        let pools: Vec<PoolId> = compiled
            .pools
            .iter()
            .filter(|(_, pool)| pool.weight == weight && pool.fixed.is_none())
            .map(|(id, _)| id)
            .collect();
        // Limits are charged with more than is used in the end: go on until that frees nothing. What
        // no launch of this kind could take (reservations hold it) is bought one by one.
        loop {
            let groups = state.groups.len();
            state = Packer::new(context, state, pools.clone(), Vec::new()).run(&queue);
            if state.groups.len() == groups {
                let columns = of_weight(compiled, weight);
                let tier = Tier { columns: &columns, style: Style::Largest, wanted: &|_| true };
                greedy::buy(context, &mut state, tier);
            }
            if state.groups.len() == groups {
                break;
            }
        }
    }
    state
}

/// Higher priority first, then more cpu, then more memory.
fn queue(compiled: &Compiled) -> Vec<ClassId> {
    let dim = |name: &str| compiled.dims.names().iter().position(|known| &**known == name);
    let (cpu, memory) = (dim("cpu"), dim("memory"));
    let mut queue: Vec<ClassId> = compiled.classes.ids().collect();
    queue.sort_by_key(|id| {
        let class = &compiled.classes[*id];
        let amount = |dim: Option<usize>| Reverse(dim.map_or(0, |dim| class.request[dim]));
        (Reverse(class.priority), amount(cpu), amount(memory), *id)
    });
    queue
}

fn open_node(context: &Context<'_>, node: NodeId) -> Open {
    let running = &context.compiled.nodes[node];
    Open {
        place: Spot::Running(node),
        ceiling: running.free.clone(),
        ports: running.ports.clone(),
        items: Vec::new(),
        load: vec![0; running.free.len()],
        times: 1,
    }
}

/// One pass over the queue.
struct Packer<'c> {
    context: &'c Context<'c>,
    state: State,
    /// The pools that may launch, by name.
    pools: Vec<PoolId>,
    limits: IdVec<PoolId, Vec<i128>>,
    open: Vec<Open>,
}

impl<'c> Packer<'c> {
    fn new(context: &'c Context<'c>, state: State, pools: Vec<PoolId>, open: Vec<Open>) -> Self {
        let pool_ids = context.compiled.pools.ids();
        let limits = pool_ids.map(|pool| state.limits_left(pool).to_vec()).collect();
        Self { context, state, pools, limits, open }
    }

    fn run(mut self, queue: &[ClassId]) -> State {
        for class in queue {
            let _left = self.place(*class, self.state.left[*class]);
        }
        self.close()
    }

    /// Places up to `count` pods of a class; returns how many are left.
    fn place(&mut self, class: ClassId, mut count: u32) -> u32 {
        let mut at = 0;
        while at < self.open.len() && count > 0 {
            let each = self.takes(&self.open[at], class, count);
            let Some(full) = count.checked_div(each) else {
                at += 1;
                continue;
            };
            let group = self.open[at].clone();
            let full = full.min(group.times);
            let rest = if full < group.times { count - full * each } else { 0 };
            let mut parts = Vec::new();
            if full > 0 {
                parts.push(self.with(&group, class, each, full));
            }
            if rest > 0 {
                parts.push(self.with(&group, class, rest, 1));
            }
            let untouched = group.times - full - u32::from(rest > 0);
            if untouched > 0 {
                parts.push(Open { times: untouched, ..group });
            }
            count -= full * each + rest;
            let added = parts.len();
            self.open.splice(at..=at, parts).for_each(drop);
            at += added;
        }
        while count > 0 {
            let Some(fresh) = self.fresh(class, count) else { break };
            let each = self.takes(&fresh, class, count);
            let times = (count / each).clamp(1, fresh.times);
            let each = each.min(count);
            self.charge(&fresh, times);
            let grown = self.with(&fresh, class, each, times);
            self.open.push(grown);
            count -= each * times;
        }
        count
    }

    /// How many pods of a class each launch of a group can still take, `most` at most.
    fn takes(&self, group: &Open, id: ClassId, most: u32) -> u32 {
        let class = self.context.class(id);
        let free = free_of(&group.ceiling, &group.load);
        if fits(&free, &class.request, 1) == 0 || class.ports.blocks.overlaps(&group.ports) {
            return 0;
        }
        let clash = |(other, _): &(ClassId, u32)| class.conflicts.binary_search(other).is_ok();
        if group.items.iter().any(clash) {
            return 0;
        }
        let held = group.items.iter().find(|(held, _)| *held == id).map_or(0, |(_, count)| *count);
        let most = most.min(class.per_node.saturating_sub(held));
        let node = match &group.place {
            Spot::Running(node) => Some(*node),
            Spot::Launch { .. } => None,
        };
        let used = |cap| {
            let held = group.items.iter().map(|(other, count)| {
                let caps = &self.context.class(*other).caps;
                let counts = caps.iter().find(|(of, _)| *of == cap);
                counts.map_or(0, |(_, each)| each.saturating_mul(*count))
            });
            held.fold(0, u32::saturating_add)
        };
        let most = most.min(self.context.under_caps(class, node, used));
        if most == 0 {
            return 0;
        }
        // A shared volume counts once for all pods of the class; to stay simple the baseline takes such
        // classes only onto nodes that hold nothing new.
        if !class.shared.is_empty() && !group.items.is_empty() {
            return 0;
        }
        match &group.place {
            Spot::Running(node) => {
                let room = running::room(self.context, *node);
                let alone = room.takes(class).saturating_sub(held).min(most);
                fits(&free, &class.request, alone)
            }
            Spot::Launch { pool, columns } => {
                let of_column = |column: &usize| {
                    let room = self.context.room(*column);
                    let free = free_of(room.free, &group.load);
                    let ports = class.ports.blocks.overlaps(room.ports);
                    if !room.admits(class.row) || ports {
                        return 0;
                    }
                    class.fits(&free, room.attached, most)
                };
                let most = columns.iter().map(of_column).max().unwrap_or(0);
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

    /// The group with `each` more pods of a class on each of `times` launches.
    fn with(&self, group: &Open, id: ClassId, each: u32, times: u32) -> Open {
        let class = self.context.class(id);
        let mut grown = Open { times, ..group.clone() };
        for (load, asked) in grown.load.iter_mut().zip(&class.request) {
            *load += asked * i64::from(each);
        }
        if !group.items.iter().any(|(held, _)| *held == id) {
            let running = match grown.place {
                Spot::Running(node) => Some(&self.context.compiled.nodes[node].attached),
                Spot::Launch { .. } => None,
            };
            let new = |volume| running.is_none_or(|attached| !attached.contains(volume));
            for (at, _) in class.shared.iter().filter(|(_, volume)| new(volume)) {
                grown.load[*at] += 1;
            }
        }
        grown.ports.or(&class.ports.takes);
        match grown.items.iter_mut().find(|(held, _)| *held == id) {
            Some((_, held)) => *held += each,
            None => grown.items.push((id, each)),
        }
        if let Spot::Launch { columns, .. } = &mut grown.place {
            columns.retain(|column| {
                let room = self.context.room(*column);
                room.admits(class.row)
                    && !class.ports.blocks.overlaps(room.ports)
                    && room.free.iter().zip(&grown.load).all(|(have, want)| have >= want)
            });
            grown.ceiling = ceiling(self.context, columns);
        }
        grown
    }

    /// An empty launch of the first pool that takes the class, as often as its limits allow.
    fn fresh(&self, id: ClassId, count: u32) -> Option<Open> {
        let compiled = self.context.compiled;
        self.pools.iter().copied().find_map(|pool| {
            let mut columns: Vec<usize> = compiled.takers[id]
                .iter()
                .filter(|at| {
                    let column = &compiled.columns[*at];
                    column.pool == pool
                        && column.reservation.is_none()
                        && self.affords(pool, &compiled.shapes[column.shape].charge)
                })
                .collect();
            if columns.is_empty() {
                return None;
            }
            columns.sort_by_key(|column| (self.context.cost(*column), *column));
            let times = self.supply(pool, &self.largest(pool, &columns));
            let fresh = Open {
                ceiling: ceiling(self.context, &columns),
                place: Spot::Launch { pool, columns },
                ports: self.context.class(id).ports.takes.emptied(),
                items: Vec::new(),
                load: vec![0; compiled.dims.len()],
                times,
            };
            (times > 0 && self.takes(&fresh, id, count) > 0).then_some(fresh)
        })
    }

    /// The most that any of these columns is charged, by limit.
    fn largest(&self, pool: PoolId, columns: &[usize]) -> Vec<i64> {
        let compiled = self.context.compiled;
        let mut largest = vec![0; compiled.pools[pool].limits.len()];
        for column in columns {
            let charge = &compiled.shapes[compiled.columns[*column].shape].charge;
            largest.iter_mut().zip(charge).for_each(|(most, each)| *most = (*most).max(*each));
        }
        largest
    }

    /// Whether a pool's limits leave room for one more node.
    fn affords(&self, pool: PoolId, charge: &[i64]) -> bool {
        let mut limits = self.limits[pool].iter().zip(charge);
        limits.all(|(left, each)| *left >= i128::from(*each))
    }

    fn supply(&self, pool: PoolId, charge: &[i64]) -> u32 {
        if self.limits[pool].iter().any(|left| *left < 0) {
            return 0;
        }
        let limited = self.limits[pool].iter().zip(charge).filter(|(_, each)| **each > 0);
        let nodes = limited.map(|(left, each)| left / i128::from(*each)).min();
        nodes.map_or(u32::MAX, |nodes| u32::try_from(nodes).unwrap_or(u32::MAX))
    }

    fn charge(&mut self, group: &Open, times: u32) {
        let Spot::Launch { pool, columns } = &group.place else { return };
        let largest = self.largest(*pool, columns);
        for (left, each) in self.limits[*pool].iter_mut().zip(largest) {
            *left -= i128::from(each) * i128::from(times);
        }
    }

    /// The cheapest column that a group can become.
    fn cheapest(&self, group: &Open) -> Option<usize> {
        let Spot::Launch { columns, .. } = &group.place else { return None };
        let meets = |column: &&usize| {
            let choice = self.context.compiled.columns[**column].offers.first();
            choice.is_some_and(|choice| {
                meets_minimums(self.context, *choice, &group.items, &group.load)
            })
        };
        columns.iter().find(meets).copied()
    }

    /// Gives each launch its cheapest column.
    fn close(mut self) -> State {
        let compiled = self.context.compiled;
        let mut used: BTreeSet<NodeId> = BTreeSet::new();
        let open = std::mem::take(&mut self.open);
        for group in open.into_iter().filter(|group| !group.items.is_empty()) {
            let place = match &group.place {
                Spot::Running(node) => {
                    let _new = used.insert(*node);
                    Some(Place::Running(vec![*node]))
                }
                Spot::Launch { .. } => self.cheapest(&group).map(Place::Launch),
            };
            let Some(place) = place else { continue };
            let mut items = group.items;
            items.sort_unstable();
            // The slots of shared volumes, which are counted while it grows, are no part of a load.
            let mut load = vec![0; compiled.dims.len()];
            for (class, count) in &items {
                let each = &compiled.classes[*class].request;
                load.iter_mut().zip(each).for_each(|(sum, each)| *sum += each * i64::from(*count));
            }
            self.state.add(compiled, Group { place, items, load, times: group.times });
        }
        self.state.idle.retain(|node| !used.contains(node));
        self.state
    }
}

fn free_of(all: &[i64], load: &[i64]) -> Vec<i64> {
    all.iter().zip(load).map(|(all, load)| all - load).collect()
}

fn ceiling(context: &Context<'_>, columns: &[usize]) -> Vec<i64> {
    let mut ceiling = vec![0; context.compiled.dims.len()];
    for column in columns {
        let free = context.room(*column).free;
        ceiling.iter_mut().zip(free).for_each(|(most, have)| *most = (*most).max(*have));
    }
    ceiling
}
