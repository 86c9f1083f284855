//! What is asked of launches again and again while a plan is completed, looked up once.
//!
//! *Problem.* Each filling asks for each class which pool of the highest weight can still launch a
//! node for it, and for each offer which classes an empty node of it holds at all. Both go through
//! classes × offers, and through all alternatives of an offer where a pool asks for `minValues`.
//!
//! *Idea.* What changes while pods are placed is what is left of limits and reservations, nothing
//! else. So for each class the *needs* of launches are kept, what they take of their pool's limits
//! and which reservation they draw on, without those that need more than another of the same pool;
//! and for each offer and class whether an empty node holds one pod, once that was asked.
//!
//! *Cost.* One look at the offers for each class that is asked for; a few comparisons from then on.

use super::placement::Placement;
use super::rules::item_of;
use crate::compile::{Bits, ClassId, Compiled, Draw, Id, IdVec, OfferId, PoolId, ReservationId};
use crate::pack::packing::Context;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The needs of a class, once they were looked up: the table goes with the plan.
#[allow(clippy::disallowed_types, reason = "it is no state beside the plan")]
type Needs = std::cell::OnceCell<Vec<LaunchNeed>>;

/// What a launch takes that pods of a class could have.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct LaunchNeed {
    weight: Reverse<i32>,
    pool: PoolId,
    reservation: Option<ReservationId>,
    /// Of each limit of the pool.
    charge: Vec<i64>,
}

impl LaunchNeed {
    /// Whether it takes no more than another of the same pool and reservation.
    fn is_within(&self, other: &Self) -> bool {
        self.charge.iter().zip(&other.charge).all(|(mine, other)| mine <= other)
    }
}

/// The classes that were asked about, and those of them of which an empty node holds a pod.
#[derive(Debug)]
struct HeldAlone {
    asked: Bits,
    held: Bits,
}

/// What was looked up of launches.
#[derive(Debug)]
pub(super) struct LaunchTable {
    /// For each class the needs of launches for it, those of pools of higher weights first.
    needs: IdVec<ClassId, Needs>,
    /// For each offer what an empty node holds.
    alone: RefCell<IdVec<OfferId, Option<HeldAlone>>>,
    /// Of each resource, the most that any launch has: at least 1, at most 2^50.
    pub(super) largest: Vec<i64>,
}

impl LaunchTable {
    pub(super) fn of(compiled: &Compiled) -> Self {
        let needs = compiled.classes.iter().map(|_| Needs::new()).collect();
        let mut largest = vec![1_i64; compiled.dims.len()];
        for shape in compiled.shapes.values() {
            for (most, have) in largest.iter_mut().zip(&shape.allocatable) {
                *most = (*most).max((*have).min(1 << 50));
            }
        }
        let alone = RefCell::new(compiled.offers.iter().map(|_| None).collect());
        Self { needs, alone, largest }
    }

    /// Whether an empty launch of an offer holds a pod of a class: node rules, resources, ports,
    /// volumes and `minValues`.
    pub(super) fn holds_alone(
        &self,
        context: &Context<'_>,
        offer: OfferId,
        class: ClassId,
    ) -> bool {
        let compiled = context.compiled;
        let mut alone = self.alone.borrow_mut();
        let known = alone[offer].get_or_insert_with(|| {
            let none = Bits::none(compiled.classes.len());
            HeldAlone { asked: none.clone(), held: none }
        });
        if !known.asked.contains(class.index()) {
            known.asked.insert(class.index());
            let item = &compiled.items[item_of(class)];
            let room = compiled.room_of_offer(offer);
            if compiled.eligible[item.eligibility].contains(compiled.site_of_offer(offer))
                && room.takes_there(item, 1) > 0
                && (room.min_values.is_none() || context.open(room).takes(item_of(class), 1) > 0)
            {
                known.held.insert(class.index());
            }
        }
        known.held.contains(class.index())
    }

    fn needs(&self, compiled: &Compiled, class: ClassId) -> &[LaunchNeed] {
        self.needs[class].get_or_init(|| {
            let item = &compiled.items[item_of(class)];
            let eligible = &compiled.eligible[item.eligibility];
            let mut needs: Vec<LaunchNeed> = Vec::new();
            for (id, offer) in compiled.offers.iter() {
                let pool = &compiled.pools[offer.pool];
                if !offer.available
                    || pool.static_replicas.is_some()
                    || !eligible.contains(compiled.site_of_offer(id))
                {
                    continue;
                }
                let charge = &compiled.shapes[offer.shape].charge;
                let need = LaunchNeed {
                    weight: Reverse(pool.weight),
                    pool: offer.pool,
                    reservation: offer.reservation,
                    charge: pool.limits.iter().zip(charge).map(|(_, each)| *each.max(&0)).collect(),
                };
                let is_like = |other: &LaunchNeed| {
                    (other.pool, other.reservation) == (need.pool, need.reservation)
                };
                if needs.iter().any(|other| is_like(other) && other.is_within(&need))
                    || compiled.room_of_offer(id).takes_there(item, 1) == 0
                {
                    continue;
                }
                needs.retain(|other| !(is_like(other) && need.is_within(other)));
                needs.push(need);
            }
            needs.sort_unstable();
            needs
        })
    }
}

impl Placement<'_> {
    /// The highest weight of a pool that can launch a node for a class; the lowest number where
    /// none can.
    pub(super) fn open_weight(&self, class: ClassId) -> i32 {
        let mut needs = self.table.needs(self.compiled(), class).iter();
        needs.find(|need| self.is_left(need)).map_or(i32::MIN, |need| need.weight.0)
    }

    /// As [`Self::open_weight`], where pools differ in weight.
    pub(super) fn open_weights(&self, classes: &[ClassId]) -> BTreeMap<ClassId, i32> {
        let mut weights = self.compiled().pools.values().map(|pool| pool.weight);
        let first = weights.next();
        if weights.all(|weight| Some(weight) == first) {
            return BTreeMap::new();
        }
        classes.iter().map(|class| (*class, self.open_weight(*class))).collect()
    }

    /// Whether what a launch needs is left.
    fn is_left(&self, need: &LaunchNeed) -> bool {
        let LaunchNeed { pool, reservation, charge, .. } = need;
        self.supplies.allows(Draw { pool: *pool, charge, reservation: *reservation })
    }
}
