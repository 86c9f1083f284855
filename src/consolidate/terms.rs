//! On which terms a node goes: what must be saved, what moves must be worth, and of how many types
//! a spot launch must be.
//!
//! *In one place.* What an action must save is asked in the search, in waves, and for reasons; here
//! are the formulas, in integers, rounded against the action. `verify/consolidation/worth.rs` has
//! them again, by a code of its own.
//!
//! | term | asks |
//! |---|---|
//! | `minimum_saving` | a share of the price of what is replaced; at least a billionth where anything is launched |
//! | `minimum_saving_per_action`, `…_per_move` | so much for the action, for each pod that moves |
//! | `move_price` | a price of disruption, off what is saved |
//! | `max_moves` | so many pods at most in all |
//! | `Balanced` | the share of the pool's cost saved is at least half the share of its disruption |
//! | `spot_flexibility` | so many cheaper spot types where spot replaces a single spot node |

use super::eligibility::NodeVerdict;
use super::launch::LaunchOptions;
use super::model::{ConsolidationModel, ModelNode, disruption_of};
use super::price::{PLAIN, eviction_cost};
use super::state::ClusterState;
use super::wave_budget::WaveBudgets;
use crate::compile::{Compiled, OfferId, PoolId};
use crate::model::{CapacityType, ConsolidationOptions, ConsolidationPolicy, Problem, well_known};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// All of something, in billionths.
const WHOLE: i128 = 1_000_000_000;

/// What a pool costs, and what disrupting all of it would take.
#[derive(Clone, Copy, Debug, Default)]
struct PoolWhole {
    cost: i128,
    disruption: i128,
}

/// On which terms nodes go.
pub(super) struct Terms<'p> {
    pub(super) problem: &'p Problem,
    pub(super) options: &'p ConsolidationOptions,
    /// For each pool of the problem.
    pools: Vec<PoolWhole>,
    /// What a wave may disrupt.
    pub(super) budgets: WaveBudgets<'p>,
}

impl<'p> Terms<'p> {
    pub(super) fn new(
        problem: &'p Problem,
        options: &'p ConsolidationOptions,
        verdicts: &[NodeVerdict],
    ) -> Self {
        let mut pools = vec![PoolWhole::default(); problem.node_pools.len()];
        for verdict in verdicts {
            let Some(whole) = verdict.pool.and_then(|pool| pools.get_mut(pool)) else { continue };
            whole.cost = whole.cost.saturating_add(verdict.price.unwrap_or(0));
            whole.disruption = whole.disruption.saturating_add(PLAIN);
            for place in &verdict.movable {
                let pod = &problem.pods[*place];
                let all = eviction_cost(pod).saturating_mul(i128::from(pod.replicas.max(1)));
                whole.disruption = whole.disruption.saturating_add(all);
            }
        }
        Self { problem, options, pools, budgets: WaveBudgets::new(problem, options, verdicts) }
    }

    /// Whether so many pods may be moved in all.
    pub(super) fn allows_moves(&self, moves: u64) -> bool {
        self.options.max_moves.is_none_or(|most| moves <= most)
    }

    /// What moves of so much disruption must save.
    pub(super) fn price_of_moves(&self, disruption: i128) -> i128 {
        self.options.move_price.nanos().saturating_mul(disruption) / PLAIN
    }

    /// What nodes of such a price and so many moves must save together by going, where something
    /// is launched for them or nothing is.
    pub(super) fn least(&self, price: i128, moves: u64, launches: bool) -> i128 {
        let per_move =
            self.options.minimum_saving_per_move.nanos().saturating_mul(i128::from(moves));
        let share = price.saturating_mul(self.options.minimum_saving.into());
        let share = share.div_euclid(WHOLE) + i128::from(share.rem_euclid(WHOLE) > 0);
        let of_replaced = if launches { share.max(1) } else { 0 };
        self.options.minimum_saving_per_action.nanos().max(per_move).max(of_replaced).max(0)
    }

    /// Whether a pool weighs what nodes that go together save against the disruption.
    pub(super) fn balances(&self, pool: usize) -> bool {
        let policy = self.problem.node_pools[pool].disruption.consolidation_policy;
        policy == ConsolidationPolicy::Balanced
    }

    /// A pool that balances and of which nodes that go together save too little, if any: the share
    /// of the pool's cost that is saved must be at least half the share of its disruption.
    ///
    /// Nodes of several pools that go together share the saving by their prices.
    pub(super) fn unbalanced(
        &self,
        going: &[(&NodeVerdict, &ModelNode)],
        saving: i128,
    ) -> Option<Arc<str>> {
        let all: i128 = going.iter().map(|(verdict, _)| verdict.price.unwrap_or(0)).sum();
        for (at, pool) in self.problem.node_pools.iter().enumerate() {
            if !self.balances(at) {
                continue;
            }
            let own: Vec<_> =
                going.iter().filter(|(verdict, _)| verdict.pool == Some(at)).collect();
            if own.is_empty() {
                continue;
            }
            let cost: i128 = own.iter().map(|(verdict, _)| verdict.price.unwrap_or(0)).sum();
            let disruption: i128 = own.iter().map(|(_, running)| disruption_of(running)).sum();
            let whole = self.pools[at];
            // saving × cost / all / whole.cost >= disruption / whole.disruption / 2, in floats
            // first: whoever is near the edge by less than these tell is refused.
            let product = |factors: &[i128]| factors.iter().map(|one| *one as f64).product::<f64>();
            let saved = product(&[saving, cost, whole.disruption, 2]);
            let taken = product(&[all, whole.cost, disruption]);
            let exact = |factors: &[i128]| {
                factors.iter().try_fold(1_i128, |product, one| product.checked_mul(*one))
            };
            let balanced = match (
                exact(&[saving, cost, whole.disruption, 2]),
                exact(&[all, whole.cost, disruption]),
            ) {
                (Some(saved), Some(taken)) => saved >= taken,
                _ => saved >= taken * (1.0 + 1e-9),
            };
            if saving <= 0 || whole.cost <= 0 || !balanced {
                return Some(pool.name.clone());
            }
        }
        None
    }

    /// Whether a node of the problem is a spot node.
    pub(super) fn is_spot(&self, place: usize) -> bool {
        let node = &self.problem.nodes[place];
        node.labels.get(well_known::CAPACITY_TYPE).is_some_and(|one| &**one == "spot")
    }

    /// How many spot types are cheaper than such a price and hold what a launched node holds, if
    /// these are too few; nothing where it is no spot launch.
    ///
    /// Only types that hold what the launch holds count, and it stops counting as soon as there are
    /// enough.
    pub(super) fn few_spot_types(
        &self,
        state: &ClusterState<'_>,
        choices: &LaunchOptions,
        (node, offer): (usize, OfferId),
        price: i128,
    ) -> Option<u32> {
        let model: &ConsolidationModel<'_> = state.model;
        let compiled = model.compiled();
        if !is_spot_offer(compiled, offer) {
            return None;
        }
        let enough = usize::try_from(self.options.spot_flexibility).unwrap_or(usize::MAX);
        let room = &compiled.shapes[compiled.offers[offer].shape].allocatable;
        let load: Vec<i64> =
            room.iter().zip(state.free(node)).map(|(all, free)| all - free).collect();
        let mut types: BTreeSet<usize> = BTreeSet::new();
        for id in choices.spot_offers(compiled.offers[offer].pool) {
            if types.len() >= enough {
                return None;
            }
            let (other, site) = (&compiled.offers[*id], compiled.site_of_offer(*id));
            let suits = state.paid_for(*id) < price
                && compiled.shapes[other.shape]
                    .allocatable
                    .iter()
                    .zip(&load)
                    .all(|(have, want)| have >= want)
                && state.arrived[node]
                    .iter()
                    .all(|(class, _)| model.classes[*class].sites.contains(site));
            if suits {
                let _new = types.insert(other.instance);
            }
        }
        u32::try_from(types.len()).ok().filter(|_| types.len() < enough)
    }
}

/// For each pool, its spot offers that can be bought.
pub(super) fn spot_offers(compiled: &Compiled) -> BTreeMap<PoolId, Vec<OfferId>> {
    let mut spot: BTreeMap<PoolId, Vec<OfferId>> = BTreeMap::new();
    for (id, offer) in compiled.offers.iter() {
        let is_usable = compiled.usable.contains(compiled.site_of_offer(id));
        if is_usable && offer.available && is_spot_offer(compiled, id) {
            spot.entry(offer.pool).or_default().push(id);
        }
    }
    spot
}

/// Whether what an offer launches is a spot node.
fn is_spot_offer(compiled: &Compiled, id: OfferId) -> bool {
    let offer = &compiled.offers[id];
    let of_type = compiled.parts.instance_type(offer.instance);
    of_type.offerings[offer.offering].capacity_type == CapacityType::Spot
}
