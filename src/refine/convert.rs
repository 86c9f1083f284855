//! From a packing to an instance and patterns, and back.

use super::instance::{Instance, Pattern};
use super::round::IntegerPlan;
use crate::bound::Demand;
use crate::compile::{Compiled, ItemId, NodeId};
use crate::pack::{NodeGroup, Packing, place_placeholders, right_size};
use std::collections::{BTreeMap, BTreeSet};

/// A packing with what may be packed anew told apart from what stays.
///
/// Launches of one weight are packed anew at a time, so that no pod changes to a pool of another
/// weight. What is on running nodes stays there: it costs nothing.
#[derive(Debug)]
pub(super) struct TierPacking {
    /// What each placed pod asks for, by item.
    pub(super) demands: Vec<Demand>,
    weight: i32,
}

impl TierPacking {
    /// The weights of the pools that the packing launches from, static ones aside.
    pub(super) fn weights(compiled: &Compiled, packing: &Packing) -> BTreeSet<i32> {
        let launched = packing.groups.iter().filter_map(|group| group.launched_for_pods(compiled));
        launched.map(|at| compiled.bin_types[at].weight).collect()
    }

    /// The launches from pools of a weight.
    pub(super) fn of(compiled: &Compiled, packing: &Packing, weight: i32) -> Self {
        let mut tier = Self { demands: Vec::new(), weight };
        let mut counts: BTreeMap<ItemId, u32> = BTreeMap::new();
        for group in packing.groups.iter().filter(|group| tier.takes(compiled, group)) {
            for (item, count) in &group.items {
                if !compiled.items[*item].placeholder {
                    *counts.entry(*item).or_insert(0) += count * group.multiplicity;
                }
            }
        }
        let demands = counts.into_iter().map(|(item, count)| Demand {
            item,
            weight: Some(weight),
            count,
            beyond_running: 0,
        });
        tier.demands = demands.collect();
        tier
    }

    /// The packing without what is packed anew.
    pub(super) fn rest(&self, compiled: &Compiled, packing: &Packing) -> Packing {
        let mut rest = packing.clone();
        for at in (0..rest.groups.len()).rev() {
            if self.takes(compiled, &rest.groups[at]) {
                let _taken = rest.take_out(compiled, at);
            }
        }
        rest
    }

    /// Whether a group is packed anew.
    fn takes(&self, compiled: &Compiled, group: &NodeGroup) -> bool {
        let launched = group.launched_for_pods(compiled);
        launched.is_some_and(|at| compiled.bin_types[at].weight == self.weight)
    }
}

/// The groups of a packing that may be packed anew as patterns of an instance, with how often.
pub(super) fn patterns(
    instance: &Instance<'_>,
    tier: &TierPacking,
    packing: &Packing,
) -> Vec<(Pattern, u32)> {
    let compiled = instance.context.compiled;
    let mut launched: BTreeMap<usize, u32> = BTreeMap::new();
    let mut standing: BTreeMap<NodeId, u32> = BTreeMap::new();
    for (number, bin) in (0..).zip(&instance.bins) {
        launched.extend(bin.site.launched().map(|bin_type| (bin_type, number)));
        standing.extend(bin.site.nodes().iter().map(|node| (*node, number)));
    }
    let numbers: BTreeMap<ItemId, u32> =
        instance.demands.iter().map(|demand| demand.item).zip(0..).collect();
    let mut patterns: BTreeMap<Pattern, u32> = BTreeMap::new();
    for group in packing.groups.iter().filter(|group| tier.takes(compiled, group)) {
        let held = group.items.iter();
        let mut items: Vec<(u32, u32)> =
            held.filter_map(|(item, count)| Some((*numbers.get(item)?, *count))).collect();
        items.sort_unstable();
        let mut note = |bin: u32, times: u32| {
            *patterns.entry(Pattern { bin, items: items.clone() }).or_insert(0) += times;
        };
        let of_launch = group.place.launched().and_then(|bin_type| launched.get(&bin_type));
        of_launch.into_iter().for_each(|bin| note(*bin, group.multiplicity));
        let of_nodes = group.place.nodes().iter().filter_map(|node| standing.get(node));
        of_nodes.for_each(|bin| note(*bin, 1));
    }
    patterns.into_iter().filter(|(pattern, _)| !pattern.items.is_empty()).collect()
}

/// A plan as a packing, each launch on the cheapest bin type that holds it.
///
/// All other groups are those of the packing that it takes the place of.
pub(super) fn state(
    instance: &Instance<'_>,
    tier: &TierPacking,
    plan: &IntegerPlan,
    former: &Packing,
) -> Packing {
    let context = instance.context;
    let compiled = context.compiled;
    let mut packing = Packing::new(compiled);
    for group in former.groups.iter().filter(|group| !tier.takes(compiled, group)) {
        if let Some(nodes) = group.place.running() {
            packing.untouched_nodes.retain(|node| !nodes.contains(node));
        }
        let mut group = group.clone();
        group.items.retain(|(item, _)| !compiled.items[*item].placeholder);
        group.load = compiled.load(&group.items);
        packing.add(compiled, group);
    }
    let mut next: BTreeMap<u32, usize> = BTreeMap::new();
    for (pattern, times) in &plan.groups {
        let mut items: BTreeMap<ItemId, u32> = BTreeMap::new();
        for (demand, count) in &pattern.items {
            *items.entry(instance.demands[*demand as usize].item).or_insert(0) += count;
        }
        let items: Vec<(ItemId, u32)> = items.into_iter().collect();
        let load = compiled.load(&items);
        let from = next.entry(pattern.bin).or_insert(0);
        let place = instance.bins[pattern.bin as usize].site.some(*from, *times as usize);
        *from += *times as usize;
        packing.untouched_nodes.retain(|node| !place.nodes().contains(node));
        packing.add(compiled, NodeGroup { place, items, load, multiplicity: *times });
    }
    right_size(context, &mut packing);
    place_placeholders(context, &mut packing);
    packing
}
