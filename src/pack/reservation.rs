//! A start in the manner of reservation prices.
//!
//! *Problem.* The worth that the bound gives pods is right on the average of many nodes; with few
//! pods a node that it finds efficient may leave a rest that fills no other.
//!
//! *Idea.* A pod's reservation price is what the cheapest node costs that takes it alone. Bin types
//! are taken dearest first, each filled with pods of the highest reservation prices, and bought as
//! long as these pay for it. Nothing is thereby bought that costs more than its pods would on nodes
//! of their own; and large nodes come first, while there are pods to fill them.
//!
//! *Cost.* One filling of each bin type, and one for each purchase.
//!
//! Reference: Eva (Chang and Venkataraman 2025), full reconfiguration, without interference between
//! tasks.
//!
//! *Why it ends and is legal.* Each purchase places pods, and what is bought is charged like any
//! other; the greedy packer finishes what reservation prices leave.

use super::fill::{FillRule, ValueBuckets};
use super::greedy::{self, WeightTier};
use super::packing::{Context, NodeGroup, Packing};
use super::step::PackingStep;
use super::{fill_leftover, of_weight, right_size, running, static_pool};
use crate::compile::{ItemId, NodeSource};
use crate::progress::MethodKind;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Packs everything that fits: onto running nodes, then onto launches, weight by weight.
pub(super) fn pack(context: &Context<'_>) -> Packing {
    let compiled = context.compiled;
    let mut packing = Packing::new(compiled);
    packing.note(context, || PackingStep::Method(MethodKind::ReservationPrices));
    let everyone = |_: ItemId| true;
    let node_only = |item: ItemId| static_pool::is_node_only(compiled, item);
    running::fill(context, &mut packing, FillRule::Balanced, &node_only);
    fill_leftover::fill_leftover(context, &mut packing, FillRule::Balanced, &everyone);
    running::fill(context, &mut packing, FillRule::Balanced, &everyone);
    static_pool::launch(context, &mut packing, FillRule::Balanced, &everyone);
    static_pool::launch_rest(context, &mut packing);
    let weights: BTreeSet<Reverse<i32>> =
        compiled.bin_types.iter().map(|bin_type| Reverse(bin_type.weight)).collect();
    for Reverse(weight) in weights {
        let mut bin_types = of_weight(compiled, weight);
        bin_types.sort_by_key(|at| (Reverse(context.cost(*at)), *at));
        buy(context, &mut packing, &bin_types);
        right_size(context, &mut packing);
        // What reservations or limits kept from its own cheapest place.
        let tier =
            WeightTier { bin_types: &bin_types, fill_rule: FillRule::Balanced, wanted: &everyone };
        greedy::buy(context, &mut packing, tier);
        right_size(context, &mut packing);
    }
    packing
}

/// Buys from these bin types, in their order, what its pods' reservation prices pay for.
///
/// A bin type is left for good as soon as its best filling no longer pays: what is left only
/// shrinks.
fn buy(context: &Context<'_>, packing: &mut Packing, bin_types: &[usize]) {
    let compiled = context.compiled;
    let left = packing.waiting(&|_| true);
    let worth = packing.reservation_prices(context, &left, bin_types);
    let mut buckets = ValueBuckets::new(context, &worth, &left, FillRule::Balanced);
    for bin_type in bin_types {
        let supply = |packing: &Packing| packing.supply(compiled, &compiled.bin_types[*bin_type]);
        while supply(packing) > 0 {
            let room = context.room(*bin_type);
            if !buckets.may_fit(&room, room.free) {
                break;
            }
            let filling = buckets.fill(context, context.open(room), &packing.left);
            let times = filling.items.iter().map(|(item, count)| packing.left[*item] / count).min();
            let times = times.unwrap_or(0).min(supply(packing));
            if times == 0 || !worth.pays_for(filling.worth, *bin_type) {
                break;
            }
            let place = NodeSource::Launch(*bin_type);
            let group =
                NodeGroup { place, items: filling.items, load: filling.load, multiplicity: times };
            let used: Vec<ItemId> = group.items.iter().map(|(item, _)| *item).collect();
            packing.note(context, || PackingStep::Bought {
                bin_type: *bin_type,
                times,
                items: group.items.clone(),
                efficiency: 0,
            });
            packing.add(compiled, group);
            let emptied = used.into_iter().filter(|item| packing.left[*item] == 0);
            emptied.for_each(|item| buckets.forget(item));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::pack;
    use crate::compile::Compiled;
    use crate::model::{InstanceType, NodePool, Offering, Pod, Price, Problem, Resources};
    use crate::pack::Context;
    use crate::progress::Watch;
    use crate::stop::Stop;

    /// What is packed of pods of these cpus costs, in billionths, with types of 4 and 16 cpu.
    fn cost(cpus: &[&str]) -> i128 {
        let instance = |name: &str, cpu: &str, price: &str| {
            InstanceType::new(name, Resources::parse([("cpu", cpu), ("pods", "110")]).unwrap())
                .with_offering(Offering::on_demand("a", price.parse().unwrap()))
        };
        let mut builder = Problem::builder()
            .instance_type(instance("c4", "4", "0.2"))
            .instance_type(instance("c16", "16", "0.7"))
            .node_pool(NodePool::new("default"));
        for (number, cpu) in cpus.iter().enumerate() {
            let requests = Resources::parse([("cpu", *cpu)]).unwrap();
            builder = builder.pod(Pod::new(format!("p{number}")).with_requests(requests));
        }
        let problem = builder.build().unwrap();
        let compiled = Compiled::new(&problem, Price::ZERO).unwrap();
        let context = Context {
            compiled: &compiled,
            listed: &compiled,
            fee: 0,
            best_effort_min_values: false,
            with_preferences: false,
            preference_price: None,
            strict_reservations: false,
            scarcity: None,
            stop: &Stop::default(),
            watch: &Watch::default(),
        };
        let packing = pack(&context);
        assert!(packing.left.values().all(|left| *left == 0));
        packing.cost(&context)
    }

    #[test]
    fn a_node_is_bought_when_its_pods_would_cost_more_apart() {
        // Four of 4 cpu would cost 0.8 apart, and 0.7 on one large node.
        assert_eq!(cost(&["4", "4", "4", "4"]), 700_000_000);
        // Three would cost 0.6.
        assert_eq!(cost(&["4", "4", "4"]), 600_000_000);
        // Small ones fill what large ones leave.
        assert_eq!(cost(&["3", "3", "3", "3", "2", "1", "1"]), 700_000_000);
    }
}
