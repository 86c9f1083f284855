//! Running nodes first: what fits there costs nothing.
//!
//! *Why this order.* Pods on running nodes cost nothing, so which of them go there matters only for
//! what has to be bought for the others: the worth of pods decides, as in a purchase. Nodes that
//! run pods come before empty ones, since an empty one may be deleted; small rooms before large,
//! since a large pod has few places.
//!
//! *Cost.* Nodes that are alike (equal free room, labels that anybody reads, ports, volumes) are
//! filled once, however many they are; those without room for anything that waits are passed over
//! by a cheap test.

use super::fill::{FillRule, ValueBuckets};
use super::packing::{Context, NodeGroup, Packing};
use crate::compile::{ItemId, NodeId, NodeSource};

/// Places what is left onto the idle running nodes, where `wanted` says so.
///
/// Nodes that are alike are filled alike. Nodes that run pods already come before empty ones, so
/// that empty ones stay removable, and small room comes before large, so that large pods find large
/// room.
pub(crate) fn fill(
    context: &Context<'_>,
    packing: &mut Packing,
    fill_rule: FillRule,
    wanted: &dyn Fn(ItemId) -> bool,
) {
    let left = packing.waiting(wanted);
    if packing.untouched_nodes.is_empty() || left.values().all(|left| *left == 0) {
        return;
    }
    let worth = packing.worth(context, &left);
    let mut buckets = ValueBuckets::new(context, &worth, &left, fill_rule);
    let room = |node: NodeId| context.compiled.room_of_node(node);
    // What has no room for anything now won't have any later.
    let roomy = packing
        .untouched_nodes
        .iter()
        .copied()
        .filter(|node| buckets.may_fit(&room(*node), room(*node).free));
    let roomy: Vec<NodeId> = roomy.collect();
    for mut nodes in alike(context, &roomy) {
        let Some(first) = nodes.first() else { continue };
        if !buckets.may_fit(&room(*first), room(*first).free) {
            continue;
        }
        while let Some(first) = nodes.first() {
            let node = context.open(room(*first));
            let filling = buckets.best_fill(context, node, &packing.left);
            let times = filling.items.iter().map(|(item, count)| packing.left[*item] / count).min();
            let Some(times) = times.filter(|times| *times > 0) else { break };
            let times = (times as usize).min(nodes.len());
            let chosen: Vec<NodeId> = nodes.drain(..times).collect();
            packing.untouched_nodes.retain(|node| !chosen.contains(node));
            let group = NodeGroup {
                multiplicity: u32::try_from(chosen.len()).unwrap_or(u32::MAX),
                place: NodeSource::Running(chosen),
                items: filling.items,
                load: filling.load,
            };
            let used: Vec<ItemId> = group.items.iter().map(|(item, _)| *item).collect();
            packing.add(context.compiled, group);
            used.into_iter()
                .filter(|item| packing.left[*item] == 0)
                .for_each(|item| buckets.forget(item));
        }
    }
}

/// The nodes in the order in which they are filled, those that are alike together.
///
/// `likeness` holds all that decides what a node may take.
pub(crate) fn alike(context: &Context<'_>, nodes: &[NodeId]) -> Vec<Vec<NodeId>> {
    let key = |node: NodeId| context.compiled.room_of_node(node).likeness();
    let sorted = nodes.iter().map(|node| {
        let running = &context.compiled.nodes[*node];
        let room: i128 = running.free.iter().map(|free| i128::from((*free).max(0))).sum();
        (!running.occupied, room, *node)
    });
    let mut sorted: Vec<(bool, i128, NodeId)> = sorted.collect();
    // Few have the same room in all, so that the rest is seldom looked at.
    sorted.sort_by(|(empty, room, one), (other_empty, other_room, other)| {
        let known = (empty, room).cmp(&(other_empty, other_room));
        known.then_with(|| key(*one).cmp(&key(*other)))
    });
    let alike = sorted.chunk_by(|(empty, room, one), (other_empty, other_room, other)| {
        (empty, room) == (other_empty, other_room) && key(*one) == key(*other)
    });
    alike.map(|nodes| nodes.iter().map(|(_, _, node)| *node).collect()).collect()
}
