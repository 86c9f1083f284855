//! What is scarce beside money, and how much of it is left: limits of pools, and reservations.
//!
//! Launches *draw* on supplies ([`Draw`]); a [`SupplyLedger`] says what is left while a plan grows
//! and shrinks. Packings, placements, consolidations and bounds all keep such a ledger. It counts
//! below zero where more is drawn than there is, so that what is given back is what was taken.

use super::id::{IdVec, NodeId, OfferId, PoolId, ReservationId};
use super::{Base, BinType};

/// Something of which there is only so much.
///
/// What isn't its own (limits) has a price that is added to a bin's cost; what is (a reservation,
/// running nodes, a static pool's launches) has one that pays for what the bins hold.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum CapacitySource {
    /// A limit of a pool, by its place.
    Limit(PoolId, usize),
    Reservation(ReservationId),
    /// The running nodes of which this is the first.
    Nodes(NodeId),
    /// The launches of a static pool, which are paid in any case.
    Static(PoolId),
}

impl CapacitySource {
    /// Whether its price pays for the bins that draw on it, whatever they cost.
    pub(crate) fn is_own(self) -> bool {
        match self {
            Self::Limit(..) => false,
            Self::Reservation(_) | Self::Nodes(_) | Self::Static(_) => true,
        }
    }
}

/// What one node draws on supplies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw<'c> {
    pub(crate) pool: PoolId,
    /// How much of each of the pool's limits.
    pub(crate) charge: &'c [i64],
    pub(crate) reservation: Option<ReservationId>,
}

impl<'c> Draw<'c> {
    /// A draw on limits alone.
    pub(crate) fn on_limits(pool: PoolId, charge: &'c [i64]) -> Self {
        Self { pool, charge, reservation: None }
    }

    /// The supplies that it takes something of, with how much.
    pub(crate) fn parts(self) -> impl Iterator<Item = (CapacitySource, i64)> {
        let limits = self.charge.iter().enumerate().filter(|(_, each)| **each > 0);
        let limits = limits.map(move |(at, each)| (CapacitySource::Limit(self.pool, at), *each));
        limits.chain(self.reservation.map(|id| (CapacitySource::Reservation(id), 1)))
    }
}

impl Base {
    /// What a launch of an offer draws on.
    pub(crate) fn draw(&self, offer: OfferId) -> Draw<'_> {
        let offer = &self.offers[offer];
        let charge = &self.shapes[offer.shape].charge;
        Draw { pool: offer.pool, charge, reservation: offer.reservation }
    }

    /// What a launch of a bin type draws on.
    pub(crate) fn draw_of(&self, bin_type: &BinType) -> Draw<'_> {
        let charge = &self.shapes[bin_type.shape].charge;
        Draw { pool: bin_type.pool, charge, reservation: bin_type.reservation }
    }
}

/// What is left of all supplies; less than nothing where more is drawn.
#[derive(Clone, Debug)]
pub(crate) struct SupplyLedger {
    /// For each pool, of each limit.
    limits: IdVec<PoolId, Vec<i128>>,
    /// Of each reservation, in nodes.
    reservations: IdVec<ReservationId, i64>,
}

impl SupplyLedger {
    /// What running nodes leave.
    pub(crate) fn new(base: &Base) -> Self {
        let limits = base.pools.values().map(|pool| {
            let limits = pool.limits.iter();
            limits.map(|limit| limit.limit.saturating_sub(limit.used)).collect()
        });
        let reservations = base.reservations.values().map(|one| i64::from(one.remaining));
        Self { limits: limits.collect(), reservations: reservations.collect() }
    }

    /// What is left of each limit of a pool.
    pub(crate) fn limits(&self, pool: PoolId) -> &[i128] {
        &self.limits[pool]
    }

    /// How many more nodes a reservation takes.
    pub(crate) fn reserved(&self, id: ReservationId) -> u32 {
        u32::try_from(self.reservations[id].max(0)).unwrap_or(u32::MAX)
    }

    /// What is left of a limit or a reservation, at most what fits into 64 bits; nothing of what is
    /// neither.
    pub(crate) fn left(&self, source: CapacitySource) -> i64 {
        match source {
            CapacitySource::Limit(pool, at) => {
                i64::try_from(self.limits[pool][at]).unwrap_or(i64::MAX)
            }
            CapacitySource::Reservation(id) => self.reservations[id],
            CapacitySource::Nodes(_) | CapacitySource::Static(_) => 0,
        }
    }

    /// Whether there is a reservation of which nothing is left.
    pub(crate) fn is_spent(&self, reservation: Option<ReservationId>) -> bool {
        reservation.is_some_and(|id| self.reservations[id] <= 0)
    }

    /// What is left of all limits, in one list.
    pub(crate) fn all_limits(&self) -> Vec<i128> {
        self.limits.values().flatten().copied().collect()
    }

    /// What is left of all reservations.
    pub(crate) fn all_reserved(&self) -> Vec<i64> {
        self.reservations.values().copied().collect()
    }

    /// Whether no limit of a pool is overrun.
    pub(crate) fn is_within_limits(&self, pool: PoolId) -> bool {
        self.limits[pool].iter().all(|left| *left >= 0)
    }

    /// Whether more is drawn of what a node draws on than there is.
    pub(crate) fn is_overdrawn(&self, draw: Draw<'_>) -> bool {
        !self.is_within_limits(draw.pool)
            || draw.reservation.is_some_and(|id| self.reservations[id] < 0)
    }

    /// Whether one more node may draw so much. One that is charged nothing still needs limits that
    /// aren't overrun.
    pub(crate) fn allows(&self, draw: Draw<'_>) -> bool {
        let mut limits = self.limits[draw.pool].iter().zip(draw.charge);
        !self.is_spent(draw.reservation)
            && limits.all(|(left, each)| *left >= i128::from(*each).max(0))
    }

    /// How many more nodes may draw so much each.
    pub(crate) fn nodes(&self, draw: Draw<'_>) -> u32 {
        if !self.is_within_limits(draw.pool) {
            return 0;
        }
        let limits = self.limits[draw.pool].iter().zip(draw.charge);
        let limited = limits.filter(|(_, each)| **each > 0);
        let nodes = limited.map(|(left, each)| *left / i128::from(*each)).min();
        let nodes = nodes.map_or(u32::MAX, |nodes| u32::try_from(nodes).unwrap_or(u32::MAX));
        draw.reservation.map_or(nodes, |id| nodes.min(self.reserved(id)))
    }

    /// Has so many nodes draw so much each; negative numbers give back.
    pub(crate) fn draw(&mut self, draw: Draw<'_>, nodes: i128) {
        for (left, each) in self.limits[draw.pool].iter_mut().zip(draw.charge) {
            *left = left.saturating_sub(nodes.saturating_mul(i128::from(*each)));
        }
        if let Some(id) = draw.reservation {
            let nodes = i64::try_from(nodes).unwrap_or(0);
            self.reservations[id] = self.reservations[id].saturating_sub(nodes);
        }
    }

    /// The largest part of what is left of a limit that a node takes, `unit` for all of it.
    pub(crate) fn limit_share(&self, draw: Draw<'_>, unit: i128) -> i128 {
        let limits = self.limits[draw.pool].iter().zip(draw.charge);
        let share = |(left, each): (&i128, &i64)| {
            i128::from(*each).max(0).saturating_mul(unit) / (*left).max(1)
        };
        limits.map(share).max().unwrap_or(0)
    }
}
