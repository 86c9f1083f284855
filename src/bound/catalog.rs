//! What can be bought, whatever is asked.
//!
//! The same bin types are looked at again and again for what is left to pack: which of them gives
//! most for its cost. So they are put in order once, and of a set the first that it contains is the
//! best.
//!
//! *Why orders.* Each inequality wants to know which bin type of a set gives most for its cost, and
//! which gives most at all. Sorted once by resource, the answer is the first of the order that is
//! in the set; sets are large, so that is found after a few looks.
//!
//! *Cost.* Two sorts for each resource. Slots of an item are counted when they are first asked for
//! and kept.

use crate::compile::{Bits, Compiled, ItemId, ReservationId};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What can be bought, by bin type.
#[derive(Debug)]
pub(crate) struct BinCatalog {
    /// What a node costs, fees included, in billionths per hour.
    pub(super) costs: Vec<i64>,
    pub(super) reservations: Vec<Option<ReservationId>>,
    /// The bin types, the cheapest first.
    pub(super) cheapest_first: Vec<usize>,
    pub(super) rooms: Vec<CapacityOrder>,
}

/// What bin types have of a resource.
#[derive(Debug)]
pub(super) struct CapacityOrder {
    /// By bin type, what an empty node has.
    pub(super) of: Vec<i64>,
    /// The bin types that have any: those first that give most for their cost, and those that have
    /// most.
    best_first: Vec<usize>,
    largest_first: Vec<usize>,
}

/// How many pods of an item a node holds, by bin type, and who gives most.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    pub(super) of: Arc<Vec<i64>>,
    pub(super) most_slots: MostSlots,
}

/// The slots of items that were asked for, on all bin types that take any.
pub(crate) type SlotTable = BTreeMap<ItemId, Slots>;

/// Of some bin types those that give most.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MostSlots {
    /// The most that any gives.
    pub(super) largest: i64,
    /// The bin type that gives most for its cost, and what.
    pub(super) best: Option<(usize, i64)>,
    /// The same among those without a reservation.
    pub(super) unreserved: Option<usize>,
}

impl BinCatalog {
    pub(crate) fn new(compiled: &Compiled, fee: i64) -> Self {
        let bin_types = &compiled.bin_types;
        let costs: Vec<i64> =
            bin_types.iter().map(|bin_type| bin_type.price.saturating_add(fee)).collect();
        let mut cheapest_first: Vec<usize> = (0..bin_types.len()).collect();
        cheapest_first.sort_by_key(|at| (costs[*at], *at));
        let room = |dim: usize| {
            let shapes = bin_types.iter().map(|bin_type| &compiled.shapes[bin_type.shape]);
            CapacityOrder::new(shapes.map(|shape| shape.allocatable[dim].max(0)).collect(), &costs)
        };
        Self {
            rooms: (0..compiled.dims.len()).map(room).collect(),
            reservations: bin_types.iter().map(|bin_type| bin_type.reservation).collect(),
            cheapest_first,
            costs,
        }
    }

    /// Those of a set of bin types that give most of a resource.
    pub(super) fn of_room(&self, dim: usize, set: &Bits) -> MostSlots {
        let room = &self.rooms[dim];
        let largest = room.largest_first.iter().find(|at| set.contains(**at));
        let largest = largest.map_or(0, |at| room.of[*at]);
        MostSlots { largest, ..self.first_of(&room.best_first, set, |at| room.of[at]) }
    }

    /// Those of a set of bin types that give most where each gives the same.
    pub(super) fn of_all(&self, set: &Bits, amount: i64) -> MostSlots {
        if amount <= 0 {
            return MostSlots::default();
        }
        MostSlots { largest: amount, ..self.first_of(&self.cheapest_first, set, |_| amount) }
    }

    fn first_of(&self, order: &[usize], set: &Bits, amount: impl Fn(usize) -> i64) -> MostSlots {
        let mut inside = order.iter().copied().filter(|at| set.contains(*at));
        let best = inside.next();
        let unreserved = best.into_iter().chain(inside).find(|at| self.reservations[*at].is_none());
        MostSlots { largest: 0, best: best.map(|at| (at, amount(at))), unreserved }
    }

    /// How many pods of an item nodes hold, of some bin types that take any.
    ///
    /// Bin types of one shape lie together and give the same, so each shape is asked once.
    pub(super) fn slots_in(&self, compiled: &Compiled, item: ItemId, set: &Bits) -> Slots {
        let mut slots = vec![0; self.costs.len()];
        // One each: nothing is to be counted, and the cheapest gives most.
        if compiled.items[item].per_node == 1 {
            set.iter().for_each(|at| slots[at] = 1);
            return Slots { of: Arc::new(slots), most_slots: self.of_all(set, 1) };
        }
        let mut most_slots = MostSlots::default();
        // All of them take the item, so how often depends on the shape alone; bin types of a shape
        // lie together.
        let mut known = None;
        for at in set.iter() {
            let bin_type = &compiled.bin_types[at];
            let amount = match known {
                Some((shape, slots)) if shape == bin_type.shape => slots,
                _ => i64::from(compiled.slots(bin_type, item)),
            };
            known = Some((bin_type.shape, amount));
            if amount == 0 {
                continue;
            }
            slots[at] = amount;
            most_slots.largest = most_slots.largest.max(amount);
            let beats = |other: usize| {
                gives_more((amount, self.costs[at]), (slots[other], self.costs[other]))
            };
            if most_slots.best.is_none_or(|(other, _)| beats(other)) {
                most_slots.best = Some((at, amount));
            }
            if self.reservations[at].is_none() && most_slots.unreserved.is_none_or(beats) {
                most_slots.unreserved = Some(at);
            }
        }
        Slots { of: Arc::new(slots), most_slots }
    }
}

impl CapacityOrder {
    fn new(of: Vec<i64>, costs: &[i64]) -> Self {
        let some = of.iter().enumerate().filter(|(_, has)| **has > 0);
        let mut order: Vec<(i64, i64, usize)> =
            some.map(|(at, has)| (costs[at], *has, at)).collect();
        order.sort_unstable_by(|(cost, has, at), (other, others, place)| {
            let one = i128::from(*cost) * i128::from(*others);
            one.cmp(&(i128::from(*other) * i128::from(*has))).then(at.cmp(place))
        });
        let best_first = order.iter().map(|(_, _, at)| *at).collect();
        order.sort_unstable_by_key(|(_, has, at)| (Reverse(*has), *at));
        let largest_first = order.into_iter().map(|(_, _, at)| at).collect();
        Self { of, best_first, largest_first }
    }
}

/// Whether one amount at its cost is more for the money than another.
///
/// Products in 128 bits, so that no price is too large to be compared.
fn gives_more((amount, cost): (i64, i64), (other, others): (i64, i64)) -> bool {
    // cost ÷ amount, compared without a division.
    i128::from(cost) * i128::from(other) < i128::from(others) * i128::from(amount)
}
