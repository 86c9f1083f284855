//! What nodes cost, and what moving pods does.
//!
//! Three prices of a node are told apart: what is *paid* for it, which plans state; what it is
//! *weighed* at, with what interruptions are expected to cost; and nothing, where neither the node
//! nor its labels say what it is. Eviction costs are Karpenter's, in billionths of a plain pod's.

use super::state::ClusterState;
use crate::compile::OfferId;
use crate::model::{Node, Offering, Pod, Price, Problem, well_known};

/// What moving one plain pod costs, in the units of eviction costs.
pub(super) const PLAIN: i128 = 1_000_000_000;

/// What a node costs per hour, in billionths: what it states, or the cheapest offering that its
/// labels fit, on sale or not.
pub(super) fn price_of(problem: &Problem, node: &Node) -> Option<i128> {
    if let Some(price) = node.price {
        return Some(price.nanos());
    }
    offerings_of(problem, node).map(|offering| offering.price.nanos()).min()
}

/// What interruptions of a node are expected to cost per hour, in billionths: those of the cheapest
/// offering that its labels fit.
pub(super) fn risk_of(problem: &Problem, node: &Node, interruption: Price) -> i128 {
    if interruption == Price::ZERO {
        return 0;
    }
    let risk = |one: &Offering| one.weighed(interruption).nanos().saturating_sub(one.price.nanos());
    let cheapest = offerings_of(problem, node).min_by_key(|one| (one.price, risk(one)));
    cheapest.map_or(0, risk)
}

/// The offerings that the labels of a node fit.
///
/// By type, zone and capacity type; further labels of an offering only where the node has them too.
pub(super) fn offerings_of<'p>(
    problem: &'p Problem,
    node: &'p Node,
) -> impl Iterator<Item = &'p Offering> {
    let types = &problem.instance_types;
    let name = node.labels.get(well_known::INSTANCE_TYPE);
    let found = name.and_then(|name| types.binary_search_by(|one| one.name.cmp(name)).ok());
    let offerings = found.and_then(|at| types.get(at)).into_iter().flat_map(|one| &one.offerings);
    offerings.filter(|offering| {
        let is = |key: &str, value: &str| node.labels.get(key).is_some_and(|own| **own == *value);
        is(well_known::ZONE, &offering.zone)
            && is(well_known::CAPACITY_TYPE, offering.capacity_type.as_str())
            && offering
                .labels
                .iter()
                .all(|(key, value)| node.labels.get(key).is_none_or(|own| own == value))
    })
}

/// What moving a pod costs: Karpenter's eviction cost, 1 + deletion cost / 2^27 + priority / 2^25,
/// at most 10, and never less than 0, so that no eviction is a gain.
pub(super) fn eviction_cost(pod: &Pod) -> i128 {
    // In 2^-27: the divisor of the deletion cost, and a quarter of that of the priority.
    let above = i128::from(pod.deletion_cost) + 4 * i128::from(pod.priority);
    (PLAIN + (above * PLAIN).div_euclid(1 << 27)).clamp(0, 10 * PLAIN)
}

impl ClusterState<'_> {
    /// The fees for all that stands.
    pub(super) fn fees(&self) -> i128 {
        let running = self.standing.iter().map(|word| i128::from(word.count_ones())).sum::<i128>();
        let launched = i128::try_from(self.launches()).unwrap_or(0);
        i128::from(self.model.context.fee).saturating_mul(running + launched)
    }

    /// What is paid for a node of an offer.
    pub(super) fn paid_for(&self, offer: OfferId) -> i128 {
        i128::from(self.model.context.listed.offers[offer].price)
    }

    /// What a node of an offer costs, expected interruptions counted.
    pub(super) fn price(&self, offer: OfferId) -> i128 {
        i128::from(self.model.compiled().offers[offer].price)
    }
}

#[cfg(test)]
mod tests {
    use super::{PLAIN, eviction_cost};
    use crate::model::Pod;

    /// The table of Karpenter's `EvictionCost`, kept at 0 and above.
    #[test]
    fn evictions_cost_what_karpenter_says() {
        let cost = |deletion, priority| {
            eviction_cost(&Pod::new("a").with_deletion_cost(deletion).with_priority(priority))
        };
        assert_eq!(cost(0, 0), PLAIN);
        assert_eq!(cost(1 << 27, 0), 2 * PLAIN);
        assert_eq!(cost(i32::MAX, 0), 10 * PLAIN);
        assert_eq!(cost(-(1 << 27), 0), 0);
        assert_eq!(cost(-i32::MAX, 0), 0);
        assert_eq!(cost(0, 1_000_000), 1_029_802_322);
        assert_eq!(cost(0, 1_000_000_000), 10 * PLAIN);
        assert_eq!(cost(0, -33_554_432), 0);
    }
}
