//! What a packing is made of, and what is left to pack and to pack into.

use super::weight::Weights;
use crate::bound::{Demand, Goods, Known, Relaxation, Supply, Worth};
use crate::compile::{
    Bits, CapId, Class, ClassId, Column, Compiled, Id, IdVec, NodeId, OfferId, PoolId,
    ReservationId, RowId, VolumeKey,
};
use crate::stop::Stop;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Some nodes that hold the same.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) place: Place,
    /// How many pods of which classes each node holds, by class.
    pub(crate) items: Vec<(ClassId, u32)>,
    /// What those pods request together; volumes that several pods mount are no part of it.
    pub(crate) load: Vec<i64>,
    /// How many nodes they are.
    pub(crate) times: u32,
}

/// Where a group's pods go.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// Onto launches of a column, by its index.
    Launch(usize),
    /// Onto these running nodes, one for each of the group's times.
    Running(Vec<NodeId>),
}

/// How pods are told apart and what they may cost: fixed during a solve.
#[derive(Debug)]
pub(crate) struct Context<'c> {
    pub(crate) compiled: &'c Compiled,
    /// The problem at the prices that are paid, whatever interruptions count for: bounds are of these.
    pub(crate) listed: &'c Compiled,
    /// The fee per node and hour, in billionths.
    pub(crate) fee: i64,
    /// Whether pools' `minValues` give way where a pod alone can't meet them.
    pub(crate) lenient: bool,
    /// Whether preferences count.
    pub(crate) wishful: bool,
    /// What a unit of weight of preferences costs per hour that isn't honoured, in billionths; `None`
    /// where they are honoured whatever it costs.
    pub(crate) wish_price: Option<i64>,
    /// Whether pods that a reservation could take are kept from other launches.
    pub(crate) strict: bool,
    /// How nodes are weighed where limits or reservations leave pods out; `None`: by cost alone.
    pub(crate) scarcity: Option<Scarcity>,
    /// The caller's wish to be given what there is.
    pub(crate) stop: &'c Stop,
}

/// How nodes are weighed where something is scarce.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scarcity {
    /// By cost, and by what they take of limits at the prices of these.
    Prices,
    /// By the pods that they hold for what they take of the limit of which they take most.
    Pods,
}

impl Context<'_> {
    /// What a node of a column costs, the fee included.
    pub(crate) fn cost(&self, column: usize) -> i64 {
        self.compiled.columns[column].price.saturating_add(self.fee)
    }

    /// Whether the caller wishes to be given what there is.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.now()
    }

    pub(crate) fn class(&self, class: ClassId) -> &Class {
        &self.compiled.classes[class]
    }

    /// How many more of a class the caps allow on a node whose pods have used so much of each.
    pub(crate) fn under_caps(
        &self,
        class: &Class,
        node: Option<NodeId>,
        used: impl Fn(CapId) -> u32,
    ) -> u32 {
        let under = class.caps.iter().map(|(id, each)| {
            let cap = &self.compiled.caps[*id];
            let bound = node.and_then(|node| {
                let at = cap.used.binary_search_by_key(&node, |(node, _)| *node).ok()?;
                Some(cap.used[at].1)
            });
            cap.most.saturating_sub(used(*id).saturating_add(bound.unwrap_or(0))) / each
        });
        under.min().unwrap_or(u32::MAX)
    }

    /// The room of an empty node of a column.
    pub(crate) fn room(&self, column: usize) -> Room<'_> {
        let column = &self.compiled.columns[column];
        let shape = &self.compiled.shapes[column.shape];
        Room {
            all: &shape.allocatable,
            free: &shape.allocatable,
            ports: &shape.ports,
            admits: &column.admits,
            attached: &shape.attached,
            flexible: column
                .offers
                .first()
                .copied()
                .filter(|_| !self.compiled.pools[column.pool].min_values.is_empty()),
            node: None,
        }
    }
}

/// Room for pods: an empty launch, or what is free on a running node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room<'a> {
    /// What the place has for pods when it is empty.
    pub(crate) all: &'a [i64],
    pub(crate) free: &'a [i64],
    /// Host ports that are taken.
    pub(crate) ports: &'a Bits,
    /// The rows that admit the place.
    pub(crate) admits: &'a Bits,
    /// Volumes that several pods mount and that are attached.
    pub(crate) attached: &'a BTreeSet<VolumeKey>,
    /// The first offer of its column, where the pool asks for `minValues`.
    pub(crate) flexible: Option<OfferId>,
    /// The running node that it is, where bound pods count for caps.
    pub(crate) node: Option<NodeId>,
}

impl Room<'_> {
    pub(crate) fn admits(&self, row: RowId) -> bool {
        self.admits.contains(row.index())
    }

    /// How many pods of a class the room takes when it is used for nothing else.
    pub(crate) fn takes(&self, class: &Class) -> u32 {
        if self.admits(class.row) { self.takes_there(class) } else { 0 }
    }

    /// As [`Room::takes`], for a class that is known to be admitted.
    pub(crate) fn takes_there(&self, class: &Class) -> u32 {
        if class.ports.blocks.overlaps(self.ports) {
            return 0;
        }
        class.fits(self.free, self.attached, class.per_node)
    }

    /// As [`Room::takes_there`], as if what pods of the class share took no slots where one fits.
    pub(crate) fn could_take_there(&self, class: &Class) -> u32 {
        match class.ports.blocks.overlaps(self.ports) {
            true => 0,
            false => class.could_fit(self.free, self.attached, class.per_node),
        }
    }
}

/// What is left to pack, what may still be bought, and what is packed.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// Pods of each class that have no place yet.
    pub(crate) left: IdVec<ClassId, u32>,
    /// For each class, whether anything holds it: what nothing holds is not waited with.
    hopeful: IdVec<ClassId, bool>,
    /// For each pool, what is left of each limit.
    limits: IdVec<PoolId, Vec<i128>>,
    reservations: IdVec<ReservationId, u32>,
    /// Running nodes that have taken nothing yet.
    pub(crate) idle: Vec<NodeId>,
    pub(crate) groups: Vec<Group>,
    /// What pods are worth that were left when that was last asked: it's often asked again.
    worth: Option<(Asked, Arc<Worth>)>,
    /// What can be bought, once worth was asked, and how many pods of which classes nodes hold.
    goods: Option<Arc<Goods>>,
    slots: Known,
}

/// The pods that are left, where everything has to be bought.
fn demands(left: &IdVec<ClassId, u32>) -> Vec<Demand> {
    let waiting = left.iter().filter(|(_, left)| **left > 0);
    waiting
        .map(|(class, left)| Demand { class, weight: None, count: *left, beyond_running: *left })
        .collect()
}

/// What was asked when worth was computed.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Asked {
    left: Vec<u32>,
    reservations: Vec<u32>,
    /// Where something is scarce, how nodes are weighed and what is left of limits.
    scarce: Option<(Scarcity, Vec<Vec<i128>>)>,
}

impl State {
    /// Everything left to pack but guests, who come last, and nothing launched yet.
    pub(crate) fn new(compiled: &Compiled) -> Self {
        let left = |pool: &crate::compile::Pool| {
            pool.limits.iter().map(|limit| limit.limit - limit.used).collect()
        };
        let count = |class: &Class| if class.guest { 0 } else { class.count };
        Self {
            left: compiled.classes.values().map(count).collect(),
            hopeful: compiled.hopeful.clone(),
            limits: compiled.pools.values().map(left).collect(),
            reservations: compiled.reservations.values().map(|entry| entry.remaining).collect(),
            idle: compiled.nodes.ids().collect(),
            groups: Vec::new(),
            worth: None,
            goods: None,
            slots: Known::new(),
        }
    }

    /// Lets the guests in that have no place yet: they may use what room is left.
    pub(crate) fn admit_guests(&mut self, compiled: &Compiled) {
        for (id, class) in compiled.classes.iter().filter(|(_, class)| class.guest) {
            let held = self.groups.iter().map(|group| {
                let of_class = group.items.iter().filter(|(held, _)| *held == id);
                of_class.map(|(_, count)| count * group.times).sum::<u32>()
            });
            self.left[id] = class.count - held.sum::<u32>();
        }
    }

    /// How many pods of each class that is wanted have no place yet.
    pub(crate) fn waiting(&self, wanted: &dyn Fn(ClassId) -> bool) -> IdVec<ClassId, u32> {
        let left = self.left.iter();
        left.map(|(class, left)| if self.hopeful[class] && wanted(class) { *left } else { 0 })
            .collect()
    }

    /// What each class of which so many are left is worth where everything has to be bought. Where
    /// something is scarce, all others that are left count too.
    pub(crate) fn worth(
        &mut self,
        context: &Context<'_>,
        left: &IdVec<ClassId, u32>,
    ) -> Arc<Worth> {
        let everyone = context.scarcity.map(|_| self.waiting(&|_| true));
        let left = everyone.as_ref().unwrap_or(left);
        let limits = || self.limits.values().cloned().collect();
        let asked = Asked {
            left: left.values().copied().collect(),
            reservations: self.reservations.values().copied().collect(),
            scarce: context.scarcity.map(|scarcity| (scarcity, limits())),
        };
        if let Some((known, worth)) = &self.worth
            && *known == asked
        {
            return worth.clone();
        }
        let demands = demands(left);
        let goods = self.goods(context);
        let compiled = context.compiled;
        let worth = match context.scarcity {
            None => {
                let supplied = (goods, &self.reservations);
                Relaxation::of_rest(compiled, &demands, supplied, &mut self.slots)
                    .worth(compiled, &demands)
            }
            Some(scarcity) => {
                let mut open = Bits::none(compiled.columns.len());
                (0..compiled.columns.len())
                    .filter(|at| self.is_open(compiled, &compiled.columns[*at]))
                    .for_each(|at| open.insert(at));
                let (limits, reservations) = (&self.limits, &self.reservations);
                let supply = Supply { limits, reservations, open: &open };
                match scarcity {
                    Scarcity::Prices => {
                        Worth::of_scarce(compiled, &demands, supply, goods, &mut self.slots)
                    }
                    Scarcity::Pods => Worth::of_pods(compiled, &demands, supply, &goods),
                }
            }
        };
        let worth = Arc::new(worth);
        self.worth = Some((asked, worth.clone()));
        worth
    }

    /// What each class of which so many are left would cost on the cheapest of some columns, alone.
    pub(crate) fn reservation_prices(
        &mut self,
        context: &Context<'_>,
        left: &IdVec<ClassId, u32>,
        columns: &[usize],
    ) -> Worth {
        let compiled = context.compiled;
        let mut open = Bits::none(compiled.columns.len());
        let columns = columns.iter().copied();
        columns
            .filter(|at| self.is_open(compiled, &compiled.columns[*at]))
            .for_each(|at| open.insert(at));
        Worth::of_reservation_prices(compiled, &demands(left), &open, &self.goods(context))
    }

    fn goods(&mut self, context: &Context<'_>) -> Arc<Goods> {
        let goods = || Arc::new(Goods::new(context.compiled, context.fee));
        self.goods.get_or_insert_with(goods).clone()
    }

    /// By what columns are compared: what they cost, or where something is scarce what they counted
    /// for when that was last asked.
    pub(crate) fn costs(&self, context: &Context<'_>) -> Vec<i64> {
        let columns = 0..context.compiled.columns.len();
        match (context.scarcity, &self.worth) {
            (Some(_), Some((_, worth))) => columns.map(|at| worth.cost(at)).collect(),
            _ => columns.map(|at| context.cost(at)).collect(),
        }
    }

    /// How many nodes of a column may still be bought for pods.
    pub(crate) fn supply(&self, compiled: &Compiled, column: &Column) -> u32 {
        let fixed = compiled.pools[column.pool].fixed.is_some();
        if fixed { 0 } else { self.buyable(compiled, column) }
    }

    /// How many nodes of a column its pool, which is static, may still launch.
    pub(crate) fn static_supply(&self, compiled: &Compiled, column: &Column) -> u32 {
        let own = self.groups.iter().filter(|group| match group.place {
            Place::Launch(at) => compiled.columns[at].pool == column.pool,
            Place::Running(_) => false,
        });
        let launched = own.fold(0_u32, |sum, group| sum.saturating_add(group.times));
        let lacking = compiled.pools[column.pool].fixed.unwrap_or(0).saturating_sub(launched);
        if lacking == 0 { 0 } else { lacking.min(self.buyable(compiled, column)) }
    }

    /// Whether any node of a column may still be bought for pods.
    pub(crate) fn is_open(&self, compiled: &Compiled, column: &Column) -> bool {
        let charge = &compiled.shapes[column.shape].charge;
        // A node that is charged nothing still needs limits that aren't overrun.
        let within = |(left, each): (&i128, &i64)| *left >= i128::from(*each).max(0);
        compiled.pools[column.pool].fixed.is_none()
            && column.reservation.is_none_or(|id| self.reservations[id] > 0)
            && self.limits[column.pool].iter().zip(charge).all(within)
    }

    fn buyable(&self, compiled: &Compiled, column: &Column) -> u32 {
        let reserved = column.reservation.map_or(u32::MAX, |id| self.reservations[id]);
        let charge = &compiled.shapes[column.shape].charge;
        let limited = self.limits[column.pool].iter().zip(charge).filter(|(_, each)| **each > 0);
        let limited = limited.map(|(left, each)| (*left).max(0) / i128::from(*each)).min();
        // A limit that is overrun already admits nothing, whatever a node would be charged.
        let overrun = self.limits[column.pool].iter().any(|left| *left < 0);
        let limited = if overrun { Some(0) } else { limited };
        limited.map_or(reserved, |nodes| u32::try_from(nodes).unwrap_or(u32::MAX).min(reserved))
    }

    /// What is left of each limit of a pool.
    pub(crate) fn limits_left(&self, pool: PoolId) -> &[i128] {
        &self.limits[pool]
    }

    /// How many more nodes a reservation takes.
    pub(crate) fn reserved_left(&self, id: ReservationId) -> u32 {
        self.reservations[id]
    }

    /// Whether more is bought than limits and reservations allow.
    pub(crate) fn overdraws(&self, compiled: &Compiled) -> bool {
        let mut drawn: BTreeMap<ReservationId, u64> = BTreeMap::new();
        let mut pools: BTreeSet<PoolId> = BTreeSet::new();
        for group in &self.groups {
            let Place::Launch(column) = group.place else { continue };
            let column = &compiled.columns[column];
            let _known = pools.insert(column.pool);
            if let Some(id) = column.reservation {
                *drawn.entry(id).or_insert(0) += u64::from(group.times);
            }
        }
        drawn.iter().any(|(id, drawn)| *drawn > compiled.reservations[*id].remaining.into())
            || pools.iter().any(|pool| self.limits[*pool].iter().any(|left| *left < 0))
    }

    /// Adds a group, and takes what it uses from what is left.
    pub(crate) fn add(&mut self, compiled: &Compiled, group: Group) {
        for (class, count) in &group.items {
            let used = count.saturating_mul(group.times);
            self.left[*class] = self.left[*class].saturating_sub(used);
        }
        self.charge(compiled, &group, 1);
        self.groups.push(group);
    }

    /// Has some nodes of a group hold these items, which are more than they held; they come before those
    /// that stay as they are.
    pub(crate) fn refill(
        &mut self,
        at: usize,
        times: u32,
        items: Vec<(ClassId, u32)>,
        load: Vec<i64>,
    ) {
        let group = &mut self.groups[at];
        for (sign, items) in [(1, &group.items), (-1, &items)] {
            for (class, count) in items {
                let moved = i64::from(*count) * i64::from(times) * sign;
                let left = i64::from(self.left[*class]).saturating_add(moved);
                self.left[*class] = u32::try_from(left.max(0)).unwrap_or(u32::MAX);
            }
        }
        let mut rest = Group { times: group.times - times, ..group.clone() };
        (group.items, group.load, group.times) = (items, load, times);
        if rest.times == 0 {
            return;
        }
        if let (Place::Running(nodes), Place::Running(others)) = (&mut group.place, &mut rest.place)
        {
            *others = nodes.split_off(times as usize);
        }
        self.groups.insert(at + 1, rest);
    }

    /// For each weight, the columns of higher weights that can still be bought.
    pub(crate) fn open_above(&self, compiled: &Compiled) -> BTreeMap<i32, Bits> {
        let columns = &compiled.columns;
        let mut open: Vec<(i32, usize)> = (0..columns.len())
            .filter(|at| self.is_open(compiled, &columns[*at]))
            .map(|at| (columns[at].weight, at))
            .collect();
        open.sort_unstable();
        let weights: BTreeSet<i32> = columns.iter().map(|column| column.weight).collect();
        let mut above = BTreeMap::new();
        let mut bits = Bits::none(columns.len());
        for weight in weights.into_iter().rev() {
            let _none = above.insert(weight, bits.clone());
            let of_weight = open.iter().filter(|(of, _)| *of == weight);
            of_weight.for_each(|(_, at)| bits.insert(*at));
        }
        above
    }

    /// Whether every launch of a lower weight is there for what no pool of a higher one takes any more,
    /// and holds others only beside these.
    pub(crate) fn keeps_weights(&self, compiled: &Compiled) -> bool {
        let weights = Weights::of(compiled, self);
        (0..self.groups.len()).all(|at| weights.are_kept(compiled, &self.groups, at))
    }

    /// Takes a group out, and gives back what it used.
    pub(crate) fn take_out(&mut self, compiled: &Compiled, at: usize) -> Group {
        let group = self.groups.remove(at);
        self.give_back(compiled, &group);
        group
    }

    /// Gives back what a group used that was taken out of the list.
    pub(crate) fn give_back(&mut self, compiled: &Compiled, group: &Group) {
        for (class, count) in &group.items {
            self.left[*class] = self.left[*class].saturating_add(count.saturating_mul(group.times));
        }
        self.charge(compiled, group, -1);
    }

    pub(super) fn charge(&mut self, compiled: &Compiled, group: &Group, sign: i128) {
        let Place::Launch(column) = group.place else { return };
        let column = &compiled.columns[column];
        let nodes = sign * i128::from(group.times);
        let charge = &compiled.shapes[column.shape].charge;
        for (left, each) in self.limits[column.pool].iter_mut().zip(charge) {
            *left -= nodes * i128::from(*each);
        }
        if let Some(id) = column.reservation {
            let left = i128::from(self.reservations[id]) - nodes;
            self.reservations[id] = u32::try_from(left.max(0)).unwrap_or(u32::MAX);
        }
    }

    /// What the launches cost per hour, fees included.
    pub(crate) fn cost(&self, context: &Context<'_>) -> i128 {
        let costs = self.groups.iter().map(|group| match group.place {
            Place::Launch(column) => i128::from(context.cost(column)) * i128::from(group.times),
            Place::Running(_) => 0,
        });
        costs.sum()
    }

    /// For each priority, highest first, how many pods have no place.
    pub(crate) fn unplaced(&self, compiled: &Compiled) -> Vec<u64> {
        let mut counts: BTreeMap<Reverse<i32>, u64> = BTreeMap::new();
        for (class, left) in self.left.iter() {
            let priority = Reverse(compiled.classes[class].priority);
            *counts.entry(priority).or_insert(0) += u64::from(*left);
        }
        counts.into_values().collect()
    }
}
