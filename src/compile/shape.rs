//! What launches leave for pods, daemons counted, and what they are charged against limits.
//!
//! Daemon sets differ from node to node: one runs where its node selector, affinity and tolerations
//! let it. So what a type leaves for pods depends on the pool (its taints and labels) and on open
//! labels, and is worked out for each combination that differs in the daemons that run there.

use super::bits::Bits;
use super::id::{Id, IdVec, OfferId, PoolId, ShapeId};
use super::node_use::{NodeUse, UseVocabulary};
use super::offer::{Offer, Pool};
use super::resource::{Dims, charge};
use crate::model::{Node, Parts, well_known};
use std::collections::BTreeMap;

/// A pool's use of an instance type, with the daemons that such a node runs.
///
/// Below zero in some resource, the daemons themselves don't fit, and nothing can be launched of
/// it.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// What is left for pods.
    pub(crate) allocatable: Vec<i64>,
    /// What the daemons use.
    pub(crate) used: NodeUse,
    /// The daemons, as indices of the problem's daemon sets.
    pub(crate) daemons: Bits,
    /// What a node is charged against each of the pool's limits.
    pub(crate) charge: Vec<i64>,
}

/// What daemons take of each node.
///
/// The daemons' own requests, ports and volumes count, once on each node.
pub(crate) struct Daemons<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) dims: &'a Dims,
    pub(super) uses: &'a UseVocabulary,
}

impl Daemons<'_> {
    /// Gives each offer its shape, and says at which sites the daemons themselves fit.
    pub(crate) fn shapes(
        &self,
        offers: &mut IdVec<OfferId, Offer>,
        pools: &IdVec<PoolId, Pool>,
        sites: usize,
        runs: &impl Fn(usize, usize) -> bool,
    ) -> (IdVec<ShapeId, Shape>, Bits) {
        let mut shapes: IdVec<ShapeId, Shape> = IdVec::new();
        let mut numbers: BTreeMap<(PoolId, usize, Bits), ShapeId> = BTreeMap::new();
        let mut usable = Bits::all(sites);
        let ids: Vec<OfferId> = offers.ids().collect();
        for id in ids {
            let mut daemons = Bits::none(self.parts.daemon_sets().len());
            for daemon in 0..self.parts.daemon_sets().len() {
                if runs(id.index(), daemon) {
                    daemons.insert(daemon);
                }
            }
            let Offer { pool, instance, .. } = offers[id];
            let shape = *numbers.entry((pool, instance, daemons)).or_insert_with_key(|key| {
                shapes.push(self.shape(instance, key.2.clone(), &pools[pool]))
            });
            offers[id].shape = shape;
            if !offers[id].available || shapes[shape].allocatable.iter().any(|amount| *amount < 0) {
                usable.remove(id.index());
            }
        }
        (shapes, usable)
    }

    fn shape(&self, instance: usize, daemons: Bits, rules: &Pool) -> Shape {
        let instance_type = self.parts.instance_type(instance);
        let mut allocatable = self.dims.type_allocatable(instance_type);
        for daemon in daemons.iter().map(|at| &self.parts.daemon_sets()[at]) {
            let request = self.dims.requests(daemon);
            for (have, want) in allocatable.iter_mut().zip(&request) {
                *have = have.saturating_sub(*want);
            }
        }
        let own = daemons.iter().map(|at| &self.parts.daemon_sets()[at]);
        let mut used = self.uses.none();
        self.uses.add_daemons(&mut used, own, self.dims, &mut allocatable);
        let charge = charge(&rules.limits, &instance_type.capacity);
        Shape { allocatable, used, daemons, charge }
    }
}

/// Charges a node that runs already against the limits of its pool: so many times.
///
/// With -1 it is taken back, for a node that goes.
pub(crate) fn charge_running(
    parts: &Parts,
    pools: &mut IdVec<PoolId, Pool>,
    node: &Node,
    times: i128,
) {
    let Some((pool, charged)) = charge_of_running(parts, pools, node) else { return };
    for (limit, amount) in pools[pool].limits.iter_mut().zip(charged) {
        limit.used = limit.used.saturating_add(i128::from(amount).saturating_mul(times));
    }
}

/// The pool of a node that runs already and what it counts for against each of the pool's limits.
pub(crate) fn charge_of_running(
    parts: &Parts,
    pools: &IdVec<PoolId, Pool>,
    node: &Node,
) -> Option<(PoolId, Vec<i64>)> {
    let name = node.labels.get(well_known::NODE_POOL)?;
    let at = parts.given().node_pools.binary_search_by(|pool| pool.name.cmp(name)).ok()?;
    let id = PoolId::from_index(at);
    let pool = &pools[id];
    if pool.limits.is_empty() {
        return Some((id, Vec::new()));
    }
    let instance_type = node.labels.get(well_known::INSTANCE_TYPE).and_then(|type_name| {
        let types = &parts.given().instance_types;
        types.get(types.binary_search_by(|one| one.name.cmp(type_name)).ok()?)
    });
    let capacity = instance_type.map_or(&node.allocatable, |instance_type| &instance_type.capacity);
    Some((id, charge(&pool.limits, capacity)))
}
