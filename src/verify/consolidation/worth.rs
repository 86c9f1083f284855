//! What actions are worth, added up again: savings, the cost of disruption, and what justifies one
//! by the other.
//!
//! A node costs what it states, or what the cheapest offering costs that its labels fit, on sale or
//! not. Where neither is known, nothing is ever claimed to be saved: such a node may go where its
//! pods find room, but nothing is launched for them unless the node has to go.
//!
//! Moving a pod costs what Karpenter counts for its eviction, 1 + deletion cost / 2^27 + priority /
//! 2^25, at most 10 and, unlike there, never less than 0.
//!
//! A pool that balances wants of each action that the share of the pool's cost that it saves is at
//! least half the share of the pool's disruption cost that it takes, a node counting 1 beside its
//! pods. Shares are of the pool as the problem has it.
//!
//! Sources: <https://karpenter.sh/docs/concepts/disruption/#consolidation>; Karpenter v1.13,
//! behaviour of `EvictionCost`; v1.14's policy `Balanced`.
//!
//! *Example.* A pool costs $10 and has 50 units of disruption (10 nodes, 40 plain pods). Deleting a
//! $1 node with four pods saves a tenth of the cost for a tenth of the disruption: a score of one
//! million millionths, twice what is wanted.

use super::super::facts::Facts;
use super::super::label;
use super::super::violation::Violation;
use super::eligibility::pool_of;
use super::fault::ConsolidationFault as Fault;
use super::script::{ActionScript, Destination, fault, is_reschedulable};
use crate::model::{
    CapacityType, ConsolidationOptions, ConsolidationPolicy, Node, NodePool, Offering, Pod, Price,
    well_known,
};
use crate::plan::consolidation::{DisruptionCost, DisruptionReason};
use std::collections::{BTreeMap, BTreeSet};

/// What moving one plain pod costs, and a node beside its pods where a pool balances.
const PLAIN: i128 = 1_000_000_000;
/// All of something, in the units of shares.
const WHOLE: i128 = 1_000_000_000;

/// What a node costs per hour, in billionths.
pub(super) fn price_of(facts: &Facts<'_>, node: &Node) -> Option<i128> {
    if let Some(price) = node.price {
        return Some(price.nanos());
    }
    let fitting = offerings_of(facts, node).into_iter().map(|offering| offering.price.nanos());
    fitting.min()
}

/// The offerings that the labels of a node fit.
pub(super) fn offerings_of<'p>(facts: &Facts<'p>, node: &Node) -> Vec<&'p Offering> {
    let labels = label::of_node(node).known;
    let instance_type =
        labels.get(well_known::INSTANCE_TYPE).and_then(|name| facts.instance_type(name));
    let is = |key: &str, value: &str| labels.get(key).copied() == Some(value);
    let fits = |offering: &&Offering| {
        is(well_known::ZONE, &offering.zone)
            && is(well_known::CAPACITY_TYPE, offering.capacity_type.as_str())
            && offering.labels.iter().all(|(key, value)| {
                labels.get(well_known::normalized(key)).is_none_or(|known| **known == **value)
            })
    };
    let offerings = instance_type.into_iter().flat_map(|(_, found)| &found.offerings);
    offerings.filter(fits).collect()
}

/// What moving a pod costs, in billionths of a plain pod's.
pub(super) fn eviction_cost(pod: &Pod) -> i128 {
    // In 2^-27: the divisor of the deletion cost, and a quarter of that of the priority.
    let above = i128::from(pod.deletion_cost) + 4 * i128::from(pod.priority);
    (PLAIN + (above * PLAIN).div_euclid(1 << 27)).clamp(0, 10 * PLAIN)
}

/// An action with what it deletes and moves.
pub(super) struct Weighed<'s, 'p> {
    pub(super) script: &'s ActionScript<'p>,
    /// The nodes that go.
    pub(super) deleted: Vec<&'s Node>,
    /// Running pods that move, of nodes that weren't going already.
    pub(super) moved: Vec<&'s Pod>,
    /// Whether a pod that wasn't running is launched for.
    pub(super) serves_pending: bool,
}

impl Weighed<'_, '_> {
    /// Reports what is wrong with what an action is said to be worth.
    pub(super) fn check(
        &self,
        facts: &Facts<'_>,
        totals: &PoolTotals<'_>,
        options: &ConsolidationOptions,
        out: &mut Vec<Violation>,
    ) {
        let (at, action) = (self.script.at, self.script.action);
        let path = |field: &str| format!("actions[{at}].{field}");
        let cost =
            self.moved.iter().fold(0, |sum: i128, pod| sum.saturating_add(eviction_cost(pod)));
        let expected = DisruptionCost::from_billionths(u128::try_from(cost).unwrap_or(0));
        let stated = action.disruption_cost;
        if stated != expected {
            let wrong = Fault::DisruptionCostWrong { stated, expected };
            out.push(fault(path("disruptionCost"), wrong));
        }
        let prices: Option<Vec<i128>> =
            self.deleted.iter().map(|node| price_of(facts, node)).collect();
        let replaced = prices.map(sum);
        let launched =
            sum(action.launches.iter().map(|one| one.launch.template.offering.price.nanos()));
        let savings = replaced.map(|replaced| replaced.saturating_sub(launched));
        let expected = savings.map(Price::from_nanos);
        let stated = action.savings;
        if stated != expected {
            out.push(fault(path("savings"), Fault::SavingsWrong { stated, expected }));
        }
        if action.reason == DisruptionReason::Pending && !self.moved.is_empty() {
            out.push(fault(format!("actions[{at}]"), Fault::NotForPending));
        }
        if action.reason == DisruptionReason::Underutilized {
            self.check_worth(facts, savings, replaced.unwrap_or(0), options, out);
            self.check_spot(facts, options, out);
            for pool in self.pools(facts) {
                self.check_balance(facts, totals, pool, savings, out);
            }
        }
    }

    /// Reports savings that don't justify an action that nothing else asks for.
    ///
    /// A deletion saves what its nodes cost, be it nothing; a replacement must save something, and
    /// of what it replaces the share that the caller asks for. A node whose price nobody knows may
    /// go, but nothing may be bought in its place. What serves pods that wait needs no saving.
    fn check_worth(
        &self,
        facts: &Facts<'_>,
        savings: Option<i128>,
        replaced: i128,
        options: &ConsolidationOptions,
        out: &mut Vec<Violation>,
    ) {
        let (at, action) = (self.script.at, self.script.action);
        if action.delete.is_empty() && action.launches.is_empty() || self.serves_pending {
            return;
        }
        let launches = !action.launches.is_empty();
        let Some(savings) = savings else {
            let unknown = self.deleted.iter().find(|node| price_of(facts, node).is_none());
            if let Some(node) = unknown.filter(|_| launches) {
                let node = node.name.clone();
                out.push(fault(format!("actions[{at}]"), Fault::SavingsUnknown { node }));
            }
            return;
        };
        let moved = i128::try_from(self.moved.len()).unwrap_or(i128::MAX);
        let per_move = options.minimum_saving_per_move.nanos().saturating_mul(moved);
        let share = replaced.saturating_mul(options.minimum_saving.into());
        let of_replaced = share.div_euclid(WHOLE) + i128::from(share.rem_euclid(WHOLE) > 0);
        let least = [
            options.minimum_saving_per_action.nanos().max(per_move),
            if launches { of_replaced.max(1) } else { 0 },
        ];
        let least = least.into_iter().max().unwrap_or(0);
        if savings < least {
            let (savings, least) = (Price::from_nanos(savings), Price::from_nanos(least));
            let low = Fault::SavingsTooLow { savings, least };
            out.push(fault(format!("actions[{at}].savings"), low));
        }
    }

    /// Reports a single spot node that is replaced by spot of too few cheaper types.
    fn check_spot(
        &self,
        facts: &Facts<'_>,
        options: &ConsolidationOptions,
        out: &mut Vec<Violation>,
    ) {
        let [node] = self.deleted[..] else { return };
        let labels = label::of_node(node).known;
        let Some(price) = price_of(facts, node) else { return };
        if labels.get(well_known::CAPACITY_TYPE).copied() != Some("spot") || self.serves_pending {
            return;
        }
        for (i, launch) in self.script.action.launches.iter().enumerate() {
            let template = &launch.launch.template;
            if template.offering.capacity_type != CapacityType::Spot {
                continue;
            }
            let cheaper = template
                .alternatives
                .iter()
                .filter(|one| one.capacity_type == CapacityType::Spot && one.price.nanos() < price);
            let types: BTreeSet<&str> = cheaper.map(|one| &*one.instance_type).collect();
            let (types, least) = (count(types.len()), u64::from(options.spot_flexibility));
            if types < least {
                let path = format!("actions[{}].launches[{i}]", self.script.at);
                out.push(fault(path, Fault::FewSpotTypes { types, least }));
            }
        }
    }

    /// The pools of the nodes that go.
    fn pools<'f>(&self, facts: &Facts<'f>) -> Vec<&'f NodePool> {
        let pools = self.deleted.iter().filter_map(|node| pool_of(facts, node));
        let by_name: BTreeMap<&str, &'f NodePool> = pools.map(|pool| (&*pool.name, pool)).collect();
        by_name.into_values().collect()
    }

    /// Reports a pool that balances and of which an action saves too little for what it disrupts.
    fn check_balance(
        &self,
        facts: &Facts<'_>,
        totals: &PoolTotals<'_>,
        pool: &NodePool,
        savings: Option<i128>,
        out: &mut Vec<Violation>,
    ) {
        if pool.disruption.consolidation_policy != ConsolidationPolicy::Balanced {
            return;
        }
        let price = |node: &&&Node| price_of(facts, node).unwrap_or(0);
        let is_own = |node: &&&Node| pool_of(facts, node).is_some_and(|one| one.name == pool.name);
        let all = sum(self.deleted.iter().map(|node| price(&node)));
        let own = sum(self.deleted.iter().filter(is_own).map(|node| price(&node)));
        let nodes = i128::try_from(self.deleted.iter().filter(is_own).count()).unwrap_or(i128::MAX);
        let pods = self.moved.iter().filter(|pod| {
            let home = pod.node_name.as_deref();
            self.deleted.iter().filter(is_own).any(|node| home == Some(&*node.name))
        });
        let disruption =
            sum(pods.map(|pod| eviction_cost(pod))).saturating_add(nodes.saturating_mul(PLAIN));
        let total = totals.by_pool.get(&*pool.name).copied().unwrap_or_default();
        // What an action saves over several pools is shared by what their nodes cost.
        let saved = savings.unwrap_or(0).max(0);
        let score = score((saved, own, all), disruption, total);
        if score < 500_000 {
            let unbalanced = Fault::Unbalanced { node_pool: pool.name.clone(), score };
            out.push(fault(format!("actions[{}]", self.script.at), unbalanced));
        }
    }
}

/// The share of a pool's cost that is saved divided by the share of its disruption cost, in
/// millionths, rounded down; `saved` over all pools, of whose nodes that go those of this pool make
/// up `own` of `all`.
///
/// Exact in 128 bits once common factors are taken out; only prices beyond all measure are rounded.
pub(super) fn score((saved, own, all): (i128, i128, i128), disruption: i128, total: Total) -> u64 {
    if saved <= 0 || own <= 0 || all <= 0 || total.cost <= 0 || total.disruption <= 0 {
        return 0;
    }
    if disruption <= 0 {
        return u64::MAX;
    }
    let mut above = [saved, own, total.disruption, 1_000_000];
    let mut below = [total.cost, all, disruption];
    for one in &mut above {
        for other in &mut below {
            let common = common_divisor(*one, *other);
            (*one, *other) = (*one / common, *other / common);
        }
    }
    loop {
        let product = |factors: &[i128]| factors.iter().try_fold(1, |a: i128, b| a.checked_mul(*b));
        if let (Some(above), Some(below)) = (product(&above), product(&below)) {
            return u64::try_from(above / below.max(1)).unwrap_or(u64::MAX);
        }
        // Beyond 128 bits only astronomic prices are: a rounded quotient will do for them.
        for factors in [&mut above[..], &mut below[..]] {
            if let Some(most) = factors.iter_mut().max() {
                *most = (*most / 2).max(1);
            }
        }
    }
}

/// The greatest common divisor of two positive numbers.
fn common_divisor(one: i128, other: i128) -> i128 {
    let (mut large, mut small) = (one, other);
    while small != 0 {
        (large, small) = (small, large.rem_euclid(small));
    }
    large.max(1)
}

/// What a pool's nodes cost, and what disrupting all of them would.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Total {
    pub(super) cost: i128,
    pub(super) disruption: i128,
}

/// The totals of each pool as the problem has them.
pub(super) struct PoolTotals<'p> {
    by_pool: BTreeMap<&'p str, Total>,
}

impl<'p> PoolTotals<'p> {
    pub(super) fn of(facts: &Facts<'p>) -> Self {
        let mut by_pool: BTreeMap<&str, Total> = BTreeMap::new();
        let mut pool_of_node: BTreeMap<&str, &str> = BTreeMap::new();
        for node in &facts.problem.nodes {
            let Some(pool) = pool_of(facts, node) else { continue };
            let _new = pool_of_node.insert(&node.name, &pool.name);
            let total = by_pool.entry(&pool.name).or_default();
            total.cost = total.cost.saturating_add(price_of(facts, node).unwrap_or(0));
            total.disruption = total.disruption.saturating_add(PLAIN);
        }
        for pod in facts.problem.pods.iter().filter(|pod| is_reschedulable(pod)) {
            let pool = pod.node_name.as_deref().and_then(|node| pool_of_node.get(node));
            if let Some(total) = pool.and_then(|pool| by_pool.get_mut(pool)) {
                let pods = eviction_cost(pod).saturating_mul(pod.replicas.max(1).into());
                total.disruption = total.disruption.saturating_add(pods);
            }
        }
        Self { by_pool }
    }
}

/// Whether some of the pods that an action launches for weren't running.
pub(super) fn serves_pending(facts: &Facts<'_>, script: &ActionScript<'_>) -> bool {
    let is_pending =
        |entry: usize| facts.problem.pods.get(entry).is_some_and(|pod| pod.node_name.is_none());
    script.moves.iter().any(|one| matches!(one.to, Destination::Launch(_)) && is_pending(one.key.0))
}

pub(super) fn sum(amounts: impl IntoIterator<Item = i128>) -> i128 {
    amounts.into_iter().fold(0, i128::saturating_add)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
