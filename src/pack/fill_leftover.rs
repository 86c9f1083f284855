//! Topping up: what is left goes where room was left over, before more is bought.
//!
//! A node is filled as full as what was left then allowed, so there is nothing to top up as long as
//! everything is packed together. When it is packed in steps, the pods of a later step may fit
//! beside those of an earlier one.
//!
//! *Why weights matter here.* Topping up a launch of a low-weight pool with a pod that a pool of
//! higher weight would take is what the order of weights forbids, unless the launch is there for
//! its own pods anyway: then the room costs nothing, and a scheduler would use it.
//!
//! *Cost.* A filling for each group that may have room, again for each split; most are refused by
//! the cheap test.

use super::fill::{FillRule, ValueBuckets};
use super::packing::{Context, NodeGroup, Packing};
use super::weight::Weights;
use crate::compile::{IdVec, ItemId};

/// Places what is left, where `wanted` says so, into the room that the groups leave.
///
/// A group of which only some nodes are topped up is split; the part that was topped up is looked
/// at again, since it may take more.
pub(crate) fn fill_leftover(
    context: &Context<'_>,
    packing: &mut Packing,
    fill_rule: FillRule,
    wanted: &dyn Fn(ItemId) -> bool,
) {
    let left = packing.waiting(wanted);
    if packing.groups.is_empty() || left.values().all(|left| *left == 0) {
        return;
    }
    let worth = packing.worth(context, &left);
    let buckets = ValueBuckets::new(context, &worth, &left, fill_rule);
    // Topping up buys nothing, so what can be bought stays the same meanwhile.
    let weights = Weights::of(context.compiled, packing);
    let mut at = 0;
    while at < packing.groups.len() {
        let more = fill(context, &packing.left, &buckets, &weights, (&packing.groups, at));
        match more {
            Some((times, (items, load))) => packing.refill(at, times, items, load),
            None => at += 1,
        }
    }
}

/// The items and load of a group's node.
type GroupFilling = (Vec<(ItemId, u32)>, Vec<i64>);

/// What the nodes of a group can hold with what is left, and how many of them.
///
/// How many nodes can be topped up alike is bounded by what is left of each item.
fn fill(
    context: &Context<'_>,
    left: &IdVec<ItemId, u32>,
    buckets: &ValueBuckets,
    weights: &Weights,
    (groups, at): (&[NodeGroup], usize),
) -> Option<(u32, GroupFilling)> {
    let group = &groups[at];
    let room = group.place.room(context.compiled)?;
    // Most nodes are full.
    let free: Vec<i64> =
        room.free.iter().zip(&group.load).map(|(free, load)| free - load).collect();
    if !buckets.may_fit(&room, &free) {
        return None;
    }
    let node = context.open(room).holding(group.items.iter().copied());
    // A launch may not draw a pod that a pool of higher weight still takes, unless it is there
    // anyway.
    let open = weights
        .above(context.compiled, group)
        .filter(|_| !weights.admit_others(context.compiled, groups, at));
    let filling = match open {
        None => buckets.best_fill(context, node, left),
        Some(open) => {
            let compatibles = &context.compiled.compatibles;
            let here = left.iter().map(|(item, left)| {
                let placeholder = context.item(item).placeholder;
                let kept = *left > 0 && !placeholder && compatibles[item].overlaps(open);
                if kept { 0 } else { *left }
            });
            buckets.best_fill(context, node, &here.collect())
        }
    };
    let times = filling.items.iter().map(|(item, count)| left[*item] / count).min()?;
    let mut items = group.items.clone();
    for (item, count) in filling.items {
        match items.iter_mut().find(|(held, _)| *held == item) {
            Some((_, held)) => *held += count,
            None => items.push((item, count)),
        }
    }
    items.sort_unstable();
    let load = group.load.iter().zip(&filling.load).map(|(have, more)| have + more).collect();
    Some((times.min(group.multiplicity), (items, load)))
}
