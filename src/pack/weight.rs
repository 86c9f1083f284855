//! Weights: who may be on a launch of a pool while a pool of a higher weight has room.
//!
//! *Rule.* A node of a lower weight is launched only for pods that no bin type of a higher weight
//! can take any more: they *need* it. Others may use the room that is left beside these, as
//! kube-scheduler lets them once the node is there, but the node may not be there, or larger, or
//! dearer, for their sake.
//!
//! *Test.* Those that need a launch have to be there; no cheaper bin type of the same weight that
//! can be bought may hold them; and no other launch of the weight may hold them beside those that
//! need that one, or its pods here. What keeps pods off each other's nodes isn't looked at, so that
//! others are kept off rather too often.
//!
//! *Cost.* Nothing where all weights are the same; else bin types and groups for each group with
//! such pods.

use super::packing::{NodeGroup, Packing};
use crate::compile::{Bits, Compiled, ItemId, PodsTogether};
use std::collections::BTreeMap;

/// What can still be bought, by weight.
#[derive(Debug)]
pub(crate) struct Weights {
    /// For each weight, the bin types of higher weights.
    above: BTreeMap<i32, Bits>,
    /// All bin types.
    open: Bits,
}

impl Weights {
    pub(crate) fn of(compiled: &Compiled, packing: &Packing) -> Self {
        let mut open = Bits::none(compiled.bin_types.len());
        let above = packing.open_above(compiled);
        if above.values().any(|bin_types| !bin_types.is_empty()) {
            let bin_types = compiled.bin_types.iter().enumerate();
            let sold = bin_types.filter(|(_, bin_type)| packing.is_open(compiled, bin_type));
            sold.for_each(|(at, _)| open.insert(at));
        }
        Self { above, open }
    }

    /// The bin types of higher weights than that of a group that may keep pods from it.
    pub(crate) fn above(&self, compiled: &Compiled, group: &NodeGroup) -> Option<&Bits> {
        let weight = compiled.bin_types[group.launched_for_pods(compiled)?].weight;
        self.above.get(&weight).filter(|bin_types| !bin_types.is_empty())
    }

    /// Whether a group holds only what may be there.
    pub(crate) fn are_kept(&self, compiled: &Compiled, groups: &[NodeGroup], at: usize) -> bool {
        let Some(above) = self.above(compiled, &groups[at]) else { return true };
        let is_other = |item: ItemId| {
            !compiled.items[item].placeholder && compiled.compatibles[item].overlaps(above)
        };
        let others = groups[at].items.iter().any(|(item, _)| is_other(*item));
        !others || self.admit_others(compiled, groups, at)
    }

    /// Whether a group's nodes are what those need that need them, so that others may use their
    /// room.
    pub(crate) fn admit_others(
        &self,
        compiled: &Compiled,
        groups: &[NodeGroup],
        at: usize,
    ) -> bool {
        let group = &groups[at];
        let Some(launched_as) = group.launched_for_pods(compiled) else { return true };
        let Some(needs) = self.needs(compiled, group) else { return false };
        let own = &compiled.bin_types[launched_as];
        let pods = needs.together(compiled);
        let cheaper = compiled.bin_types.iter().enumerate().any(|(at, other)| {
            let is_sold =
                self.open.contains(at) || other.pool == own.pool && other.reservation.is_none();
            other.weight == own.weight
                && other.price < own.price
                && is_sold
                && !other.is_static(compiled)
                && pods.fit(&compiled.room_of_bin_type(at))
        });
        let shares = |(other, of): (usize, &NodeGroup)| {
            let Some(bin_type) = of.launched_for_pods(compiled) else { return false };
            if compiled.bin_types[bin_type].weight != own.weight
                || other == at && of.multiplicity < 2
            {
                return false;
            }
            let Some(both) = self.needs(compiled, of).map(|theirs| needs.beside(&theirs)) else {
                return false;
            };
            let both = both.together(compiled);
            [launched_as, bin_type].iter().any(|at| both.fit(&compiled.room_of_bin_type(*at)))
        };
        !cheaper && !groups.iter().enumerate().any(shares)
    }

    /// The pods that need a group's nodes; nothing where there are none.
    fn needs(&self, compiled: &Compiled, group: &NodeGroup) -> Option<NodeNeeds> {
        let above = self.above(compiled, group);
        let need = |item: ItemId| {
            !compiled.items[item].placeholder
                && above.is_none_or(|above| !compiled.compatibles[item].overlaps(above))
        };
        let items: Vec<(ItemId, u32)> =
            group.items.iter().filter(|(item, _)| need(*item)).copied().collect();
        let load = compiled.load(&items);
        let items: Vec<ItemId> = items.into_iter().map(|(item, _)| item).collect();
        (!items.is_empty()).then_some(NodeNeeds { items, load })
    }
}

/// Pods that need a node, and what they ask for together.
struct NodeNeeds {
    items: Vec<ItemId>,
    load: Vec<i64>,
}

impl NodeNeeds {
    fn beside(&self, other: &Self) -> Self {
        let load = self.load.iter().zip(&other.load);
        Self {
            items: self.items.iter().chain(&other.items).copied().collect(),
            load: load.map(|(one, other)| one.saturating_add(*other)).collect(),
        }
    }

    fn together<'c>(&'c self, compiled: &'c Compiled) -> PodsTogether<'c> {
        compiled.together(self.items.iter().copied(), &self.load)
    }
}
