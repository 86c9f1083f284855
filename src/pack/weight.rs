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

use super::packing::{GroupPlace, NodeGroup, Packing};
use crate::compile::{BinType, Bits, Compiled, ItemId, SharedVolumes};
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

    /// The bin types of higher weights than that of a place that may keep pods from it.
    pub(crate) fn above(&self, compiled: &Compiled, place: &GroupPlace) -> Option<&Bits> {
        let bin_type = launched(compiled, place)?;
        self.above.get(&bin_type.weight).filter(|bin_types| !bin_types.is_empty())
    }

    /// Whether a group holds only what may be there.
    pub(crate) fn are_kept(&self, compiled: &Compiled, groups: &[NodeGroup], at: usize) -> bool {
        let Some(above) = self.above(compiled, &groups[at].place) else { return true };
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
        let Some(own) = launched(compiled, &group.place) else { return true };
        let Some(needs) = self.needs(compiled, group) else { return false };
        let cheaper = compiled.bin_types.iter().enumerate().any(|(at, other)| {
            let is_sold =
                self.open.contains(at) || other.pool == own.pool && other.reservation.is_none();
            other.weight == own.weight
                && other.price < own.price
                && is_sold
                && compiled.pools[other.pool].static_replicas.is_none()
                && needs.fit(compiled, other)
        });
        let shares = |(other, of): (usize, &NodeGroup)| {
            let Some(bin_type) = launched(compiled, &of.place) else { return false };
            if bin_type.weight != own.weight || other == at && of.multiplicity < 2 {
                return false;
            }
            let Some(both) = self.needs(compiled, of).map(|theirs| needs.beside(&theirs)) else {
                return false;
            };
            both.fit(compiled, own) || both.fit(compiled, bin_type)
        };
        !cheaper && !groups.iter().enumerate().any(shares)
    }

    /// The pods that need a group's nodes; nothing where there are none.
    fn needs(&self, compiled: &Compiled, group: &NodeGroup) -> Option<NodeNeeds> {
        let above = self.above(compiled, &group.place);
        let need = |item: ItemId| {
            !compiled.items[item].placeholder
                && above.is_none_or(|above| !compiled.compatibles[item].overlaps(above))
        };
        let mut needs = NodeNeeds { items: Vec::new(), load: vec![0; compiled.dims.len()] };
        for (item, count) in group.items.iter().filter(|(item, _)| need(*item)) {
            needs.items.push(*item);
            let request = compiled.items[*item].request.iter();
            for (load, each) in needs.load.iter_mut().zip(request) {
                *load = each.saturating_mul(i64::from(*count)).saturating_add(*load);
            }
        }
        (!needs.items.is_empty()).then_some(needs)
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

    /// Whether a node of a bin type has room for them and admits each.
    fn fit(&self, compiled: &Compiled, bin_type: &BinType) -> bool {
        let room = &compiled.shapes[bin_type.shape].allocatable;
        let fits = room.iter().zip(&self.load).all(|(have, want)| *want <= 0 || have >= want);
        let items = || self.items.iter().map(|item| &compiled.items[*item]);
        let attached = &compiled.shapes[bin_type.shape].attached;
        fits && items().all(|item| bin_type.admits(item.eligibility))
            && SharedVolumes::of(items()).fit(room, &self.load, attached)
    }
}

/// The bin type of a launch that pods asked for.
fn launched<'c>(compiled: &'c Compiled, place: &GroupPlace) -> Option<&'c BinType> {
    let GroupPlace::Launch(bin_type) = place else { return None };
    let bin_type = &compiled.bin_types[*bin_type];
    compiled.pools[bin_type.pool].static_replicas.is_none().then_some(bin_type)
}
