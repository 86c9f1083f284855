//! What an assignment had no room for, taken out of its packing.
//!
//! *Problem.* An assignment gives pods their domains, and the packer may find no room for some of
//! them. Others were judged with those in place: a spread's lowest count is lower without them.
//!
//! *Idea.* How many pods each cell holds is a fact by now. With these numbers as learnt capacities
//! pods are assigned once more; each pod that has a cell then had a place in that cell before, on
//! the very nodes that are launched. So the packing is kept, with the pods that aren't in the new
//! assignment taken off.
//!
//! Where that leaves a launch of a lower weight without the pods that needed it, the others there
//! are packed anew.
//!
//! *Why it is right.* A node holds some of what it held, and the new assignment is legal by itself.
//!
//! *Cost.* One pass over the groups; a group is cut where one of its items runs out.

use super::assign::DomainAssignment;
use super::fill::{FillRule, FilledNode};
use super::packing::{Context, NodeGroup, Packing};
use super::weight::Weights;
use super::{buy_all, fill_leftover, static_pool};
use crate::compile::{Bits, ClassId, Compiled, IdVec, ItemId, NodeSource};
use std::collections::BTreeMap;

/// The packing of an assignment, without what another has no more; on the same nodes.
///
/// Items of both assignments are matched by what they are: the same pods at the same sites.
pub(super) fn transfer(
    context: &Context<'_>,
    (from, former): (&Compiled, &Packing),
    to: &DomainAssignment,
) -> Packing {
    let inner = Context { compiled: &to.compiled, ..*context };
    let mut packing = Packing::new(&to.compiled);
    let known = counterparts(from, &to.compiled);
    let bin_types = bin_types(from, &to.compiled);
    for group in &former.groups {
        let Some(place) =
            group.place.renamed(|bin_type| bin_types.get(bin_type).copied().flatten())
        else {
            continue;
        };
        let items: Vec<(ItemId, u32)> =
            group.items.iter().filter_map(|(item, each)| Some((known[*item]?, *each))).collect();
        for (first, times) in segments(&packing.left, &items, group.multiplicity) {
            let place = place.some(first as usize, times as usize);
            put(&inner, &mut packing, place, &items, times);
        }
    }
    static_pool::launch_rest(&inner, &mut packing);
    keep_weights(&inner, &mut packing);
    packing
}

/// Packs anew what is on launches of a lower weight that those who needed them are gone from.
fn keep_weights(context: &Context<'_>, packing: &mut Packing) {
    let compiled = context.compiled;
    let weights = Weights::of(compiled, packing);
    let groups = (0..packing.groups.len()).rev();
    let idle: Vec<usize> =
        groups.filter(|at| !weights.are_kept(compiled, &packing.groups, *at)).collect();
    if idle.is_empty() {
        return;
    }
    for at in idle {
        let _taken = packing.take_out(compiled, at);
    }
    fill_leftover::fill_leftover(context, packing, FillRule::Largest, &|_| true);
    buy_all(context, packing, FillRule::Largest, &|_| true);
}

/// Adds equal nodes that hold as many pods of these items as are left, at most so many.
fn put(
    context: &Context<'_>,
    packing: &mut Packing,
    place: NodeSource<usize>,
    items: &[(ItemId, u32)],
    times: u32,
) {
    let compiled = context.compiled;
    let left: IdVec<ItemId, u32> = packing.left.iter().map(|(_, left)| left / times).collect();
    let Some(room) = place.room(compiled) else { return };
    let pool = place.launched().map(|bin_type| compiled.bin_types[bin_type].pool);
    let is_static = pool.is_some_and(|pool| compiled.pools[pool].static_replicas.is_some());
    let mut node = FilledNode::new(context.open(room));
    for (item, each) in items {
        let is_admitted = room.admits(compiled.items[*item].eligibility);
        // Two items of the former assignment may be one of this.
        let left = left[*item].saturating_sub(node.node.count(*item));
        let most = if is_admitted { left.min(*each) } else { 0 };
        let taken = node.node.takes(*item, most);
        if taken > 0 {
            node.give(*item, taken, 0);
        }
    }
    let filling = node.finish(context);
    if filling.items.is_empty() && !is_static {
        return;
    }
    if let Some(nodes) = place.running() {
        packing.untouched_nodes.retain(|untouched| !nodes.contains(untouched));
    }
    packing.add(
        compiled,
        NodeGroup { place, items: filling.items, load: filling.load, multiplicity: times },
    );
}

/// Equal nodes cut where one of their items runs out: the first node of each part, and how many.
///
/// `times` nodes that hold 3 of an item of which 8 are left are cut into 2, 1 and the rest: two
/// full ones, one with 2, and those without.
fn segments(left: &IdVec<ItemId, u32>, items: &[(ItemId, u32)], times: u32) -> Vec<(u32, u32)> {
    let mut cuts = vec![0, times];
    for (item, each) in items.iter().filter(|(_, each)| *each > 0) {
        let whole = left[*item] / each;
        cuts.extend([whole, whole.saturating_add(1)].into_iter().filter(|cut| *cut < times));
    }
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2).map(|pair| (pair[0], pair[1] - pair[0])).collect()
}

/// What an item is: its parts, and the sites that they may use.
type ItemPods<'a> = (&'a [(ClassId, u32)], &'a Bits);

/// For each item of one assignment, the same pods at the same sites in another.
fn counterparts(from: &Compiled, to: &Compiled) -> IdVec<ItemId, Option<ItemId>> {
    let mut known: BTreeMap<ItemPods<'_>, ItemId> = BTreeMap::new();
    for (id, item) in to.items.iter() {
        let _first = known.entry((&item.parts[..], &to.eligible[item.eligibility])).or_insert(id);
    }
    let items = from.items.values();
    items
        .map(|item| known.get(&(&item.parts[..], &from.eligible[item.eligibility])).copied())
        .collect()
}

/// For each bin type of one assignment, the one of another that has its first offer.
fn bin_types(from: &Compiled, to: &Compiled) -> Vec<Option<usize>> {
    let mut of_offer = BTreeMap::new();
    for (at, bin_type) in to.bin_types.iter().enumerate() {
        for offer in bin_type.offers.iter().chain(&bin_type.dominated) {
            let _first = of_offer.entry(*offer).or_insert(at);
        }
    }
    let first = from.bin_types.iter().map(|bin_type| bin_type.offers.first());
    first.map(|offer| of_offer.get(offer?).copied()).collect()
}
