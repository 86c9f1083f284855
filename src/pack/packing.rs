//! What a packing is made of, and what is left to pack and to pack into.
//!
//! A [`Packing`] is the solver's plan in the making, in numbers: groups of equal nodes with their
//! multiplicity, how many pods of each item are left, what is left of limits and reservations, and
//! which running nodes are untouched. Every step of the packer is a function from one to the next;
//! trials work on clones, which are cheap as groups are few.
//!
//! What is invariant, and checked by `pack/invariant.rs` where debug assertions are on: for each
//! item, what groups hold and what is left make up its count; for each limit and reservation, what
//! launches draw and what is left make up what there was; a running node is in one group or
//! untouched; a group's load is the sum of its pods' requests.
//!
//! Worth, the dual values of the pods that are left, is asked for again and again with the same
//! numbers, so the last answer is kept with its question.

use super::step::PackingStep;
use super::weight::Weights;
use crate::bound::{BinCatalog, Demand, DualValues, Relaxation, RemainingCapacity, SlotTable};
use crate::compile::{
    Base, BinType, Bits, Compiled, IdVec, Item, ItemId, LaunchMinValues, MinValuesChoice, NodeId,
    NodeRoom, NodeSource, NodesAtSite, OfferId, OpenNode, PoolId, SupplyLedger, meets_minimums,
};
use crate::progress::Watch;
use crate::stop::Stop;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Some nodes that hold the same.
#[derive(Clone, Debug)]
pub(crate) struct NodeGroup {
    /// Launches of a bin type, by its index, or a running node for each of the group's times.
    pub(crate) place: NodeSource<usize>,
    /// How many pods of which items each node holds, by item.
    pub(crate) items: Vec<(ItemId, u32)>,
    /// What those pods request together; volumes that several pods mount are no part of it.
    pub(crate) load: Vec<i64>,
    /// How many nodes they are.
    pub(crate) multiplicity: u32,
}

impl NodeGroup {
    /// What is launched; `None` where the nodes run.
    pub(crate) fn bin_type<'c>(&self, compiled: &'c Compiled) -> Option<&'c BinType> {
        Some(&compiled.bin_types[self.place.launched()?])
    }

    /// What is launched because pods ask for it, by its place: what static pools launch is there in
    /// any case.
    pub(crate) fn launched_for_pods(&self, compiled: &Compiled) -> Option<usize> {
        self.place.launched().filter(|at| !compiled.bin_types[*at].is_static(compiled))
    }

    /// Where its nodes are, launches at the offer that is chosen for them; nowhere where none is.
    pub(crate) fn at_sites(&self, base: &Base, chosen: Option<OfferId>) -> Vec<NodesAtSite> {
        let source = self.place.renamed(|_| chosen);
        source.map_or_else(Vec::new, |source| source.at_sites(base, self.multiplicity))
    }
}

/// How pods are told apart and what they may cost: fixed during a solve.
///
/// One for a solve, passed by reference; variants of it (without preferences, with prices on what
/// is scarce) are made by struct update for the time of a call.
#[derive(Debug)]
pub(crate) struct Context<'c> {
    /// The problem in ids, at the prices that choices go by.
    pub(crate) compiled: &'c Compiled,
    /// The problem at the prices that are paid, whatever interruptions count for: bounds are of
    /// these.
    pub(crate) listed: &'c Compiled,
    /// The fee per node and hour, in billionths.
    pub(crate) fee: i64,
    /// Whether pools' `minValues` give way where a pod alone can't meet them.
    pub(crate) best_effort_min_values: bool,
    /// Whether preferences count.
    pub(crate) with_preferences: bool,
    /// What a unit of weight of preferences costs per hour that isn't honoured, in billionths;
    /// `None` where they are honoured whatever it costs.
    pub(crate) preference_price: Option<i64>,
    /// Whether pods that a reservation could take are kept from other launches.
    pub(crate) strict_reservations: bool,
    /// How nodes are weighed where limits or reservations leave pods out; `None`: by cost alone.
    pub(crate) scarcity: Option<Scarcity>,
    /// The caller's wish to be given what there is.
    pub(crate) stop: &'c Stop,
    /// Who looks on.
    pub(crate) watch: &'c Watch,
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
    /// What a node of a bin type costs, the fee included.
    ///
    /// What the search minimises; with a price of interruptions that is more than what is paid.
    pub(crate) fn cost(&self, bin_type: usize) -> i64 {
        self.compiled.bin_types[bin_type].price.saturating_add(self.fee)
    }

    /// Whether the caller wishes to be given what there is.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.now()
    }

    /// An item by its id.
    pub(crate) fn item(&self, item: ItemId) -> &Item {
        &self.compiled.items[item]
    }

    /// The room of an empty node of a bin type.
    pub(crate) fn room(&self, bin_type: usize) -> NodeRoom<'_> {
        self.compiled.room_of_bin_type(bin_type)
    }

    /// A node of this room that holds none of the problem's pods yet.
    pub(crate) fn open<'a>(&'a self, room: NodeRoom<'a>) -> OpenNode<'a> {
        OpenNode::new(self.compiled, room, self.best_effort_min_values)
    }

    /// A launch of an offer, as `minValues` see it.
    pub(crate) fn choice(&self, offer: OfferId) -> MinValuesChoice {
        MinValuesChoice { offer, best_effort: self.best_effort_min_values }
    }

    /// For each key of `minValues` of a launch's pool, how many values it asks for and how many a
    /// pod of an item alone leaves.
    pub(crate) fn min_values_alone(&self, offer: OfferId, item: ItemId) -> Vec<(usize, usize)> {
        LaunchMinValues::alone(self.compiled, self.choice(offer), item)
    }

    /// Whether launches of an offer that hold these items and this load leave its pool the
    /// `minValues` that it asks for.
    pub(crate) fn meets_minimums(
        &self,
        offer: OfferId,
        items: &[(ItemId, u32)],
        load: &[i64],
    ) -> bool {
        meets_minimums(self.compiled, self.choice(offer), items, load)
    }
}

/// What is left to pack, what may still be bought, and what is packed.
///
/// Fields that are private keep each other in step: whoever changes groups does it by `add`,
/// `take_out` and `give_back`, which account for limits and reservations.
#[derive(Clone, Debug)]
pub(crate) struct Packing {
    /// Pods of each item that have no place yet.
    pub(crate) left: IdVec<ItemId, u32>,
    /// For each item, whether anything holds it: what nothing holds is not waited with.
    placeable: IdVec<ItemId, bool>,
    /// What is left of limits and reservations.
    pub(crate) supplies: SupplyLedger,
    /// Running nodes that have taken nothing yet.
    pub(crate) untouched_nodes: Vec<NodeId>,
    /// What is packed, in the order in which it came.
    pub(crate) groups: Vec<NodeGroup>,
    /// How it came about, where that is wanted.
    pub(super) steps: Vec<PackingStep>,
    /// What pods are worth that were left when that was last asked: it's often asked again.
    worth: Option<(DualRequest, Arc<DualValues>)>,
    /// What can be bought, once worth was asked, and how many pods of which items nodes hold.
    catalog: Option<Arc<BinCatalog>>,
    /// What the catalog was asked of single items.
    slots: SlotTable,
}

/// The pods that are left, where everything has to be bought.
fn demands(left: &IdVec<ItemId, u32>) -> Vec<Demand> {
    let waiting = left.iter().filter(|(_, left)| **left > 0);
    waiting
        .map(|(item, left)| Demand { item, weight: None, count: *left, beyond_running: *left })
        .collect()
}

/// What was asked when worth was computed.
///
/// Prices, the fee and the catalog don't change during a solve, so these numbers are all that an
/// answer depends on.
#[derive(Clone, Debug, Eq, PartialEq)]
struct DualRequest {
    /// How many pods of each item.
    left: Vec<u32>,
    /// How many nodes of each reservation.
    reservations: Vec<i64>,
    /// Where something is scarce, how nodes are weighed and what is left of limits.
    scarce: Option<(Scarcity, Vec<i128>)>,
}

impl Packing {
    /// Everything left to pack but placeholders, who come last, and nothing launched yet.
    pub(crate) fn new(compiled: &Compiled) -> Self {
        let count = |item: &Item| if item.placeholder { 0 } else { item.count };
        Self {
            left: compiled.items.values().map(count).collect(),
            placeable: compiled.placeable.clone(),
            supplies: SupplyLedger::new(compiled),
            untouched_nodes: compiled.nodes.ids().collect(),
            groups: Vec::new(),
            steps: Vec::new(),
            worth: None,
            catalog: None,
            slots: SlotTable::new(),
        }
    }

    /// Lets the placeholders in that have no place yet: they may use what room is left.
    pub(crate) fn admit_placeholders(&mut self, compiled: &Compiled) {
        for (id, item) in compiled.items.iter().filter(|(_, item)| item.placeholder) {
            let held = self.groups.iter().map(|group| {
                let of_item = group.items.iter().filter(|(held, _)| *held == id);
                of_item.map(|(_, count)| count * group.multiplicity).sum::<u32>()
            });
            self.left[id] = item.count - held.sum::<u32>();
        }
    }

    /// How many pods of each item that is wanted have no place yet.
    pub(crate) fn waiting(&self, wanted: &dyn Fn(ItemId) -> bool) -> IdVec<ItemId, u32> {
        let left = self.left.iter();
        left.map(|(item, left)| if self.placeable[item] && wanted(item) { *left } else { 0 })
            .collect()
    }

    /// What each item of which so many are left is worth where everything has to be bought. Where
    /// something is scarce, all others that are left count too.
    pub(crate) fn worth(
        &mut self,
        context: &Context<'_>,
        left: &IdVec<ItemId, u32>,
    ) -> Arc<DualValues> {
        let everyone = context.scarcity.map(|_| self.waiting(&|_| true));
        let left = everyone.as_ref().unwrap_or(left);
        let asked = DualRequest {
            left: left.values().copied().collect(),
            reservations: self.supplies.all_reserved(),
            scarce: context.scarcity.map(|scarcity| (scarcity, self.supplies.all_limits())),
        };
        if let Some((known, worth)) = &self.worth
            && *known == asked
        {
            return worth.clone();
        }
        let demands = demands(left);
        let catalog = self.catalog(context);
        let compiled = context.compiled;
        let worth = match context.scarcity {
            None => {
                let supplied = (catalog, &self.supplies);
                Relaxation::of_rest(compiled, &demands, supplied, &mut self.slots)
                    .worth(compiled, &demands)
            }
            Some(scarcity) => {
                let mut open = Bits::none(compiled.bin_types.len());
                (0..compiled.bin_types.len())
                    .filter(|at| self.is_open(compiled, &compiled.bin_types[*at]))
                    .for_each(|at| open.insert(at));
                let supply = RemainingCapacity { supplies: &self.supplies, open: &open };
                match scarcity {
                    Scarcity::Prices => {
                        DualValues::of_scarce(compiled, &demands, supply, catalog, &mut self.slots)
                    }
                    Scarcity::Pods => DualValues::of_pods(compiled, &demands, supply, &catalog),
                }
            }
        };
        let worth = Arc::new(worth);
        self.worth = Some((asked, worth.clone()));
        worth
    }

    /// What each item of which so many are left would cost on the cheapest of some bin types,
    /// alone.
    pub(crate) fn reservation_prices(
        &mut self,
        context: &Context<'_>,
        left: &IdVec<ItemId, u32>,
        bin_types: &[usize],
    ) -> DualValues {
        let compiled = context.compiled;
        let mut open = Bits::none(compiled.bin_types.len());
        let bin_types = bin_types.iter().copied();
        bin_types
            .filter(|at| self.is_open(compiled, &compiled.bin_types[*at]))
            .for_each(|at| open.insert(at));
        DualValues::of_reservation_prices(compiled, &demands(left), &open, &self.catalog(context))
    }

    fn catalog(&mut self, context: &Context<'_>) -> Arc<BinCatalog> {
        let catalog = || Arc::new(BinCatalog::new(context.compiled, context.fee));
        self.catalog.get_or_insert_with(catalog).clone()
    }

    /// By what bin types are compared: what they cost, or where something is scarce what they
    /// counted for when that was last asked.
    pub(crate) fn costs(&self, context: &Context<'_>) -> Vec<i64> {
        let bin_types = 0..context.compiled.bin_types.len();
        match (context.scarcity, &self.worth) {
            (Some(_), Some((_, worth))) => bin_types.map(|at| worth.cost(at)).collect(),
            _ => bin_types.map(|at| context.cost(at)).collect(),
        }
    }

    /// How many nodes of a bin type may still be bought for pods.
    pub(crate) fn supply(&self, compiled: &Compiled, bin_type: &BinType) -> u32 {
        if bin_type.is_static(compiled) { 0 } else { self.buyable(compiled, bin_type) }
    }

    /// How many nodes of a bin type its pool, which is static, may still launch.
    pub(crate) fn static_supply(&self, compiled: &Compiled, bin_type: &BinType) -> u32 {
        let launched = self.launched(compiled, |other| other.pool == bin_type.pool);
        let lacking =
            compiled.pools[bin_type.pool].static_replicas.unwrap_or(0).saturating_sub(launched);
        if lacking == 0 { 0 } else { lacking.min(self.buyable(compiled, bin_type)) }
    }

    /// How many nodes are launched of certain bin types.
    pub(crate) fn launched(&self, compiled: &Compiled, of: impl Fn(&BinType) -> bool) -> u32 {
        let launched = self.groups.iter().filter(|group| group.bin_type(compiled).is_some_and(&of));
        launched.fold(0, |sum, group| sum.saturating_add(group.multiplicity))
    }

    /// How many nodes static pools launch, each that launches any.
    pub(crate) fn static_nodes(&self, compiled: &Compiled) -> BTreeMap<PoolId, u32> {
        let mut nodes: BTreeMap<PoolId, u32> = BTreeMap::new();
        for group in &self.groups {
            let bin_type = group.bin_type(compiled);
            if let Some(of) = bin_type.filter(|of| of.is_static(compiled)) {
                let count = nodes.entry(of.pool).or_insert(0);
                *count = count.saturating_add(group.multiplicity);
            }
        }
        nodes
    }

    /// Whether any node of a bin type may still be bought for pods.
    pub(crate) fn is_open(&self, compiled: &Compiled, bin_type: &BinType) -> bool {
        !bin_type.is_static(compiled) && self.supplies.allows(compiled.draw_of(bin_type))
    }

    fn buyable(&self, compiled: &Compiled, bin_type: &BinType) -> u32 {
        self.supplies.nodes(compiled.draw_of(bin_type))
    }

    /// Whether more is bought than limits and reservations allow.
    pub(crate) fn overdraws(&self, compiled: &Compiled) -> bool {
        let launched = self.groups.iter().filter_map(|group| group.bin_type(compiled));
        launched.map(|of| compiled.draw_of(of)).any(|draw| self.supplies.is_overdrawn(draw))
    }

    /// Adds a group, and takes what it uses from what is left.
    pub(crate) fn add(&mut self, compiled: &Compiled, group: NodeGroup) {
        for (item, count) in &group.items {
            let used = count.saturating_mul(group.multiplicity);
            self.left[*item] = self.left[*item].saturating_sub(used);
        }
        self.charge(compiled, &group, 1);
        self.groups.push(group);
    }

    /// Has some nodes of a group hold these items, which are more than they held; they come before
    /// those that stay as they are.
    pub(crate) fn refill(
        &mut self,
        at: usize,
        times: u32,
        items: Vec<(ItemId, u32)>,
        load: Vec<i64>,
    ) {
        let group = &mut self.groups[at];
        for (sign, items) in [(1, &group.items), (-1, &items)] {
            for (item, count) in items {
                let moved = i64::from(*count) * i64::from(times) * sign;
                let left = i64::from(self.left[*item]).saturating_add(moved);
                self.left[*item] = u32::try_from(left.max(0)).unwrap_or(u32::MAX);
            }
        }
        let mut rest = NodeGroup { multiplicity: group.multiplicity - times, ..group.clone() };
        (group.items, group.load, group.multiplicity) = (items, load, times);
        if rest.multiplicity == 0 {
            return;
        }
        rest.place = group.place.split_off(times as usize);
        self.groups.insert(at + 1, rest);
    }

    /// For each weight, the bin types of higher weights that can still be bought.
    pub(crate) fn open_above(&self, compiled: &Compiled) -> BTreeMap<i32, Bits> {
        let bin_types = &compiled.bin_types;
        let mut open: Vec<(i32, usize)> = (0..bin_types.len())
            .filter(|at| self.is_open(compiled, &bin_types[*at]))
            .map(|at| (bin_types[at].weight, at))
            .collect();
        open.sort_unstable();
        let weights: BTreeSet<i32> = bin_types.iter().map(|bin_type| bin_type.weight).collect();
        let mut above = BTreeMap::new();
        let mut bits = Bits::none(bin_types.len());
        for weight in weights.into_iter().rev() {
            let _none = above.insert(weight, bits.clone());
            let of_weight = open.iter().filter(|(of, _)| *of == weight);
            of_weight.for_each(|(_, at)| bits.insert(*at));
        }
        above
    }

    /// Whether every launch of a lower weight is there for what no pool of a higher one takes any
    /// more, and holds others only beside these.
    pub(crate) fn keeps_weights(&self, compiled: &Compiled) -> bool {
        let weights = Weights::of(compiled, self);
        (0..self.groups.len()).all(|at| weights.are_kept(compiled, &self.groups, at))
    }

    /// Takes a group out, and gives back what it used.
    pub(crate) fn take_out(&mut self, compiled: &Compiled, at: usize) -> NodeGroup {
        let group = self.groups.remove(at);
        self.give_back(compiled, &group);
        group
    }

    /// Gives back what a group used that was taken out of the list.
    pub(crate) fn give_back(&mut self, compiled: &Compiled, group: &NodeGroup) {
        for (item, count) in &group.items {
            self.left[*item] =
                self.left[*item].saturating_add(count.saturating_mul(group.multiplicity));
        }
        self.charge(compiled, group, -1);
    }

    pub(super) fn charge(&mut self, compiled: &Compiled, group: &NodeGroup, sign: i128) {
        let Some(bin_type) = group.bin_type(compiled) else { return };
        self.supplies.draw(compiled.draw_of(bin_type), sign * i128::from(group.multiplicity));
    }

    /// What the launches cost per hour, fees included.
    pub(crate) fn cost(&self, context: &Context<'_>) -> i128 {
        let costs = self.groups.iter().filter_map(|group| {
            let cost = context.cost(group.place.launched()?);
            Some(i128::from(cost) * i128::from(group.multiplicity))
        });
        costs.sum()
    }

    /// Whether all that holds anything runs already.
    pub(crate) fn launches_nothing(&self) -> bool {
        self.groups.iter().all(|group| !group.place.is_launch())
    }

    /// For each priority, highest first, how many pods have no place.
    pub(crate) fn unplaced(&self, compiled: &Compiled) -> Vec<u64> {
        let mut counts: BTreeMap<Reverse<i32>, u64> = BTreeMap::new();
        for (item, left) in self.left.iter() {
            let priority = Reverse(compiled.items[item].priority);
            *counts.entry(priority).or_insert(0) += u64::from(*left);
        }
        counts.into_values().collect()
    }
}
