//! How many pods can have a place at most, where limits, reservations and running nodes leave some
//! out.
//!
//! *Problem.* A number that no plan exceeds, to hold against what a plan places, with a proof.
//!
//! *Idea.* The programme of [`super::scarcity`] with the same reward for every pod and nodes that
//! cost nothing. Its prices of resources give each pod a value `v_j` such that no launch holds more
//! than what it takes of limits and reservations is worth. So the pods that a plan places are
//! worth at most `B`: what is left of all limits and reservations at their prices, and what running
//! nodes and launches of static pools can hold. The most pods of which the values sum up to no more
//! than `B` are the bound: those that are worth least, first.
//!
//! *Why it is right.* Weak duality, in integers, whatever the prices are: the certificate has the
//! same proofs for launches and nodes as one of a cost, and `verify` checks them. Rounding may have
//! left a launch that holds more than it takes; then the price of what it takes most of is raised,
//! and where it takes nothing its pods are worth nothing.
//!
//! What this proves no rule over domains plays a part in, which could only leave out more.
//!
//! *Cost.* One linear programme of a row for each bin type and class and a few dozen variables, and
//! the proofs.
//!
//! References: Farley 1990 (bounds from dual values); Dantzig 1957 (the knapsack's relaxation).
//!
//! *Example.* Nine pods of one core, nodes of two cores, a limit of seven cores. A limit counts in
//! whole nodes, so six of the seven can be used: the limit's price makes a node's two pods worth
//! two units, all that is left of the limit is worth six, and no plan places more than six.

use super::catalog::{BinCatalog, SlotTable};
use super::certificate::CertificateBuilder;
use super::inequality::InequalityKind;
use super::published::{BoundBuilder, BoundInput, EqualNodes};
use super::relaxation::{Demand, Dual, InequalityPrice, Relaxation, bits, given};
use super::scarcity::{LimitRow, RemainingCapacity, ScarceDual, divisor, limits, surpluses};
use super::simplex::ONE;
use crate::compile::{Bits, ClassId, Compiled, ItemId, NodeId, PoolId, SupplyLedger};
use crate::plan::certificate::PlacementBound;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most demands that may be worth more than their reward.
const MAX_SURPLUSES: usize = 96;
/// What a pod is worth at most, in units of 2^-40: so much that prices of single bytes are precise.
const REWARD: i128 = 1 << 30;
/// Nodes cost a part 2^-so-much of a pod, so that no pivot of the programme is without gain.
const COST: u32 = 20;
/// What pods are worth that no node can hold.
const NOWHERE: i128 = 1 << 100;

/// How many pods can have a place at most, placeholders aside; nothing where numbers are too large.
/// `entries` names those of a class, and is asked once for each.
pub(crate) fn most_placed(
    compiled: &Compiled,
    entries: &mut dyn FnMut(ClassId) -> Vec<Arc<str>>,
) -> Option<PlacementBound> {
    let equal_nodes = EqualNodes::of(compiled);
    let demands = demands(compiled, &equal_nodes);
    let all: u64 = demands.iter().map(|demand| u64::from(demand.count)).sum();
    let static_nodes: BTreeMap<PoolId, u32> =
        compiled.pools.iter().filter_map(|(id, pool)| Some((id, pool.static_replicas?))).collect();
    let running: Vec<NodeId> = compiled.nodes.ids().collect();
    let catalog = Arc::new(BinCatalog::new(compiled, 0));
    let mut known = SlotTable::new();
    let relaxation =
        Relaxation::unpriced(compiled, &demands, &running, (catalog, None), &mut known);
    let counts = BTreeMap::new();
    let input = BoundInput { counts: &counts, static_nodes: &static_nodes, fee: 0 };
    let limits = every_limit(compiled, &static_nodes);
    let (mut prices, mut of_limits) = solved(compiled, &relaxation, &demands, &limits);
    repair(&relaxation, &limits, &mut prices, &mut of_limits)?;
    let maker = BoundBuilder {
        compiled,
        input: &input,
        demands: &demands,
        equal_nodes: &equal_nodes,
        relaxation,
    };
    let (mut builder, pricing, values, in_groups) = maker.priced_at(&prices)?;
    maker.prove_nodes(&mut builder, &pricing, &values, &in_groups)?;
    maker.value_static_nodes(&mut builder, &prices);
    let mut left = 0_i128;
    for (limit, price) in limits.iter().zip(&of_limits).filter(|(_, price)| **price > 0) {
        if let Some((pool, at)) = limit.of {
            builder.limits.push((pool, at, *price));
            left = left.checked_add(price.checked_mul(limit.left)?)?;
        }
    }
    for (id, price) in &builder.reservations {
        let remaining = compiled.reservations[*id].remaining;
        left = left.checked_add(price.checked_mul(remaining.into())?)?;
    }
    for (_, _, worth) in &builder.nodes {
        left = left.checked_add(*worth)?;
    }
    for (_, launches, worth) in &builder.static_nodes {
        left = left.checked_add(worth.checked_mul((*launches).into())?)?;
    }
    maker.rule_out(&mut builder);
    let counted: u64 = builder.pods.iter().map(|pods| u64::from(pods.count)).sum();
    let mut most = all.checked_sub(counted)?;
    let mut by_value: Vec<(i128, u32)> =
        builder.pods.iter().map(|pods| (pods.value, pods.count)).collect();
    by_value.sort_unstable();
    for (value, count) in by_value {
        let placed =
            left.checked_div(value).map_or(i128::from(count), |most| most.min(count.into()));
        left = left.checked_sub(placed.checked_mul(value)?)?;
        most = most.checked_add(u64::try_from(placed).ok()?)?;
    }
    let certificate = builder.certificate(compiled, entries);
    Some(PlacementBound { most_placed: most, certificate })
}

/// What is bounded where nothing is proved: every pod could have a place.
pub(crate) fn all_placed(compiled: &Compiled) -> PlacementBound {
    let demands = demands(compiled, &[]);
    let most_placed = demands.iter().map(|demand| u64::from(demand.count)).sum();
    let certificate = CertificateBuilder::default().certificate(compiled, &mut |_| Vec::new());
    PlacementBound { most_placed, certificate }
}

/// All pending pods but placeholders, by class.
fn demands(compiled: &Compiled, equal_nodes: &[EqualNodes<'_>]) -> Vec<Demand> {
    let pending = compiled.items.iter().filter(|(_, item)| !item.placeholder && item.count > 0);
    let demand = |(item, of): (ItemId, &crate::compile::Item)| {
        let free = equal_nodes.iter().fold(0_u64, |sum, alike| {
            let nodes = u64::try_from(alike.nodes.len()).unwrap_or(u64::MAX);
            sum.saturating_add(nodes.saturating_mul(alike.takes(compiled, item).into()))
        });
        let beyond_running = of.count.saturating_sub(u32::try_from(free).unwrap_or(u32::MAX));
        Demand { item, weight: None, count: of.count, beyond_running }
    };
    pending.map(demand).collect()
}

/// The limits of pools, and the numbers of nodes of static ones.
///
/// Dominated offers are charged too and may be smaller, so limits are rounded down by what *all*
/// offers are charged.
fn every_limit(compiled: &Compiled, static_nodes: &BTreeMap<PoolId, u32>) -> Vec<LimitRow> {
    let supplies = SupplyLedger::new(compiled);
    let mut open = Bits::none(compiled.bin_types.len());
    (0..compiled.bin_types.len()).for_each(|at| open.insert(at));
    let supply = RemainingCapacity { supplies: &supplies, open: &open };
    let mut found = limits(compiled, supply);
    // What dominated offers are charged counts as well.
    for row in &mut found {
        let Some((pool, at)) = row.of else { continue };
        let offers = compiled.offers.values().filter(|offer| offer.pool == pool);
        let step = divisor(offers.map(|offer| compiled.shapes[offer.shape].charge[at].max(0)));
        let left = supplies.limits(pool)[at].max(0);
        row.left = left - left % i128::from(step.max(1));
    }
    for (id, nodes) in static_nodes {
        let of_pool = compiled.bin_types.iter().map(|bin_type| i64::from(bin_type.pool == *id));
        found.push(LimitRow {
            of: None,
            charges: of_pool.collect(),
            left: (*nodes).into(),
            shift: bits(1),
        });
    }
    found
}

/// The prices of inequalities and of limits that the programme finds, a pod being worth 2^40 times
/// [`REWARD`].
fn solved(
    compiled: &Compiled,
    relaxation: &Relaxation,
    demands: &[Demand],
    limits: &[LimitRow],
) -> (Vec<i128>, Vec<i128>) {
    let counted = relaxation
        .inequalities
        .iter()
        .map(|inequality| relaxation.counted(compiled, demands, inequality));
    let mut dual = Dual::new(&relaxation.columns, &relaxation.inequalities, relaxation.highest);
    dual.bounds.iter_mut().for_each(|cost| *cost = (*cost >> COST).max(1));
    let scarce = ScarceDual {
        dual,
        limits: limits.to_vec(),
        surpluses: surpluses(compiled, demands, MAX_SURPLUSES),
        counted: counted.collect(),
        rewards: vec![ONE; demands.len()],
    };
    let (shares, of_limits) = scarce.solve(demands);
    let price = |share: &InequalityPrice| share.price(REWARD).max(0);
    (shares.iter().map(price).collect(), of_limits.iter().map(price).collect())
}

/// Raises prices of limits and reservations, or lowers those of what counts pods to nothing, until
/// no launch gives more than it takes.
///
/// Raising the price of what is scarce makes the bound weaker and true; that is the only direction.
fn repair(
    relaxation: &Relaxation,
    limits: &[LimitRow],
    prices: &mut [i128],
    of_limits: &mut [i128],
) -> Option<()> {
    let (columns, rows) = (&relaxation.columns, &relaxation.inequalities);
    let is_scarce = |column: usize| {
        columns.catalog.reservations[column].is_some()
            || limits.iter().any(|limit| limit.charges[column] > 0)
    };
    let bin_types = columns.catalog.costs.len();
    for column in (0..bin_types).filter(|column| !is_scarce(*column)) {
        // Any number of these can be launched: what they give is worth nothing.
        for (row, price) in rows.iter().zip(prices.iter_mut()) {
            if columns.amount(row, column) > 0 {
                *price = 0;
            }
        }
    }
    for column in 0..bin_types {
        let gives = given(columns, rows.iter().zip(prices.iter()), column);
        let mut missing = gives;
        for (limit, price) in limits.iter().zip(of_limits.iter()) {
            missing = missing.checked_sub(price.checked_mul(limit.charges[column].into())?)?;
        }
        if missing <= 0 {
            continue;
        }
        // The limit of which a node takes the largest part is the cheapest to raise.
        let part = |limit: &LimitRow| (i128::from(limit.charges[column]) << 40) / limit.left.max(1);
        let charged = limits.iter().enumerate().filter(|(_, limit)| limit.charges[column] > 0);
        let largest = charged.max_by_key(|(at, limit)| (part(limit), std::cmp::Reverse(*at)));
        match largest {
            Some((at, limit)) => {
                let charge = i128::from(limit.charges[column]);
                let more = missing.checked_add(charge - 1)? / charge;
                of_limits[at] = of_limits[at].checked_add(more)?;
            }
            None => {
                let id = columns.catalog.reservations[column]?;
                let own =
                    rows.iter().position(|row| row.kind == InequalityKind::Reservation { id });
                match own {
                    Some(row) => prices[row] = prices[row].checked_add(missing)?,
                    None => {
                        for (row, price) in rows.iter().zip(prices.iter_mut()) {
                            if columns.amount(row, column) > 0 {
                                *price = 0;
                            }
                        }
                    }
                }
            }
        }
    }
    Some(())
}

impl BoundBuilder<'_> {
    /// Counts pods that no launch can hold and for which running nodes have no room: as worth more
    /// than all that there is.
    fn rule_out(&self, builder: &mut CertificateBuilder) {
        for (at, demand) in self.demands.iter().enumerate() {
            if demand.beyond_running > 0 && self.relaxation.asked.bin_types(at).is_empty() {
                let pods = Self::pods(demand, NOWHERE);
                builder.pods.push(super::certificate::CertifiedPods {
                    count: demand.beyond_running,
                    beyond_running: true,
                    ..pods
                });
            }
        }
    }
}
