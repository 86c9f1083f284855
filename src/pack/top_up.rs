//! Topping up: what is left goes where room was left over, before more is bought.
//!
//! A node is filled as full as what was left then allowed, so there is nothing to top up as long as
//! everything is packed together. When it is packed in steps, the pods of a later step may fit beside
//! those of an earlier one.

use super::fill::{Lanes, Style};
use super::running;
use super::state::{Context, Group, Place, Room, State};
use super::weight::Weights;
use crate::compile::{ClassId, IdVec, SharedVolumes};

/// Places what is left, where `wanted` says so, into the room that the groups leave.
pub(crate) fn top_up(
    context: &Context<'_>,
    state: &mut State,
    style: Style,
    wanted: &dyn Fn(ClassId) -> bool,
) {
    let left = state.waiting(wanted);
    if state.groups.is_empty() || left.values().all(|left| *left == 0) {
        return;
    }
    let worth = state.worth(context, &left);
    let lanes = Lanes::new(context, &worth, &left, style);
    // Topping up buys nothing, so what can be bought stays the same meanwhile.
    let weights = Weights::of(context.compiled, state);
    let mut at = 0;
    while at < state.groups.len() {
        let more = fill(context, &state.left, &lanes, &weights, (&state.groups, at));
        match more {
            Some((times, (items, load))) => state.refill(at, times, items, load),
            None => at += 1,
        }
    }
}

/// The items and load of a group's node.
type Filled = (Vec<(ClassId, u32)>, Vec<i64>);

/// What the nodes of a group can hold with what is left, and how many of them.
fn fill(
    context: &Context<'_>,
    left: &IdVec<ClassId, u32>,
    lanes: &Lanes,
    weights: &Weights,
    (groups, at): (&[Group], usize),
) -> Option<(u32, Filled)> {
    let group = &groups[at];
    let empty = match &group.place {
        Place::Launch(column) => context.room(*column),
        Place::Running(nodes) => running::room(context, *nodes.first()?),
    };
    let mut free: Vec<i64> =
        empty.free.iter().zip(&group.load).map(|(free, load)| free - load).collect();
    let held = group.items.iter().map(|(class, _)| context.class(*class));
    let mut attached = empty.attached.clone();
    SharedVolumes::of(held).attach(&mut free, &mut attached);
    // Most nodes are full.
    if !lanes.may_fit(&Room { free: &free, ..empty }) {
        return None;
    }
    let mut ports = empty.ports.clone();
    for (class, _) in &group.items {
        ports.or(&context.class(*class).ports.takes);
    }
    let room = Room { free: &free, ports: &ports, attached: &attached, ..empty };
    // A launch may not draw a pod that a pool of higher weight still takes, unless it is there anyway.
    let open = weights
        .above(context.compiled, &group.place)
        .filter(|_| !weights.admit_others(context.compiled, groups, at));
    let filling = match open {
        None => lanes.best_fill(context, &room, &group.items, left),
        Some(open) => {
            let takers = &context.compiled.takers;
            let here = left.iter().map(|(class, left)| {
                let guest = context.class(class).guest;
                let kept = *left > 0 && !guest && takers[class].overlaps(open);
                if kept { 0 } else { *left }
            });
            lanes.best_fill(context, &room, &group.items, &here.collect())
        }
    };
    let times = filling.items.iter().map(|(class, count)| left[*class] / count).min()?;
    let mut items = group.items.clone();
    for (class, count) in filling.items {
        match items.iter_mut().find(|(held, _)| *held == class) {
            Some((_, held)) => *held += count,
            None => items.push((class, count)),
        }
    }
    items.sort_unstable();
    let load = group.load.iter().zip(&filling.load).map(|(have, more)| have + more).collect();
    Some((times.min(group.times), (items, load)))
}
