//! A cluster of which nodes may go, as bounds see it.
//!
//! A *candidate* is a node that may go. If it stays its own pods are all there, beside which others
//! may come; if it goes they are placed elsewhere. What a cluster costs at least is counted beside
//! the nodes that stay: see [`crate::plan::certificate`].
//!
//! *Why a node may go at no gain.* If a candidate stays, its own pods are there, worth `own_c`, and
//! others may come beside them, worth at most `f_c`; it costs `p_c`. If it goes it counts for
//! nothing. So in any outcome it contributes at least `min(0, p_c − own_c − f_c)` beyond the worth
//! of the pods that are counted, whichever of the two happens, and the bound needn't know.

use super::certificate::CertificateBuilder;
use super::relaxation::Demand;
use crate::compile::{ClassId, Compiled, ItemId, NodeId, PoolId, ReservationId};
use crate::plan::certificate::{Certificate, POINT};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A running node that may go.
#[derive(Clone, Debug)]
pub(crate) struct CandidateNode {
    /// What it costs per hour, in billionths; nothing where that isn't known.
    pub(crate) price: i64,
    /// What is free beside all of its pods.
    pub(crate) free: Vec<i64>,
    /// The pods that leave it if it goes.
    pub(crate) own: Vec<(ItemId, u32)>,
    /// Whether pods may come to it.
    pub(crate) receives: bool,
}

/// The running nodes that may go, and what a pod that moves costs, in billionths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidates {
    pub(crate) nodes: BTreeMap<NodeId, CandidateNode>,
    pub(crate) move_price: f64,
}

/// A cluster whose cost is to be bounded.
#[derive(Debug)]
pub(crate) struct BoundedCluster {
    pub(crate) candidates: Candidates,
    /// Nodes that stay, and may take pods.
    pub(crate) staying: BTreeSet<NodeId>,
    /// What of a pool's limits is taken by nodes that go, or may go.
    pub(crate) released: BTreeMap<(PoolId, usize), i128>,
    /// Reserved nodes that may go.
    pub(crate) reserved: u32,
}

/// A bound on what a cluster costs beside the nodes that stay, with its proof.
#[derive(Debug)]
pub(crate) struct ClusterBound {
    /// In billionths per hour, moves that are paid taken off.
    pub(crate) bound: i128,
    pub(crate) certificate: Certificate,
}

impl BoundedCluster {
    /// How many pods of each item candidates hold.
    pub(crate) fn demands(&self) -> Vec<Demand> {
        let mut counts: BTreeMap<ItemId, u32> = BTreeMap::new();
        for (item, count) in self.candidates.nodes.values().flat_map(|node| &node.own) {
            let sum = counts.entry(*item).or_default();
            *sum = sum.saturating_add(*count);
        }
        let demand = |(item, count)| Demand { item, weight: None, count, beyond_running: 0 };
        counts.into_iter().map(demand).collect()
    }

    /// What is left of a pool's limit once all candidates are gone.
    ///
    /// As if all candidates were gone: a bound may grant more than there is, and never less.
    pub(crate) fn limit_left(&self, compiled: &Compiled, pool: PoolId, at: usize) -> i128 {
        let limit = &compiled.pools[pool].limits[at];
        let released = self.released.get(&(pool, at)).copied().unwrap_or(0);
        limit.limit.saturating_sub(limit.used).saturating_add(released).max(0)
    }

    /// How many nodes a reservation has left once all candidates are gone.
    pub(crate) fn reservation_left(&self, compiled: &Compiled, id: ReservationId) -> i128 {
        i128::from(compiled.reservations[id].remaining) + i128::from(self.reserved)
    }

    /// What a draft proves, whose nodes have what they are worth beyond what they cost; nothing
    /// where that is nothing.
    pub(crate) fn bound(
        &self,
        compiled: &Compiled,
        builder: CertificateBuilder,
        move_price: i128,
        entries: &mut dyn FnMut(ClassId) -> Vec<Arc<str>>,
    ) -> Option<ClusterBound> {
        let mut sum = 0_i128;
        for pods in &builder.pods {
            sum = sum.checked_add(pods.value.checked_mul(pods.count.into())?)?;
        }
        for (pool, at, price) in &builder.limits {
            let left = self.limit_left(compiled, *pool, *at);
            sum = sum.checked_sub(price.checked_mul(left)?)?;
        }
        for (id, price) in &builder.reservations {
            let left = self.reservation_left(compiled, *id);
            sum = sum.checked_sub(price.checked_mul(left)?)?;
        }
        for (_, _, worth) in &builder.nodes {
            sum = sum.checked_sub(*worth)?;
        }
        for worth in &builder.held {
            sum = sum.checked_sub(*worth)?;
        }
        let rest = i128::from(sum & ((1 << POINT) - 1) != 0);
        let bound = (sum >> POINT).checked_add(rest)?;
        let mut certificate = builder.certificate(compiled, entries);
        certificate.move_price = move_price;
        (bound > 0).then_some(ClusterBound { bound, certificate })
    }
}

impl CandidateNode {
    /// What the candidate is worth beyond what it costs, in a certificate's units, if what comes to
    /// it is worth so much; `value` says what one of its own pods is.
    ///
    /// Never below zero: a node that is worth less than it costs would better go.
    pub(crate) fn beyond(&self, arriving: i128, value: impl Fn(ItemId) -> i128) -> Option<i128> {
        let mut worth = arriving.checked_sub(i128::from(self.price).checked_mul(1 << POINT)?)?;
        for (item, count) in &self.own {
            worth = worth.checked_add(value(*item).checked_mul((*count).into())?)?;
        }
        Some(worth.max(0))
    }
}
