//! Right-sizing: every launch goes to the cheapest bin type that holds it.
//!
//! *Problem.* The packer buys a bin type for what it can hold when full. The last launches of a
//! kind are less full, and a smaller type would do; and of types that hold the same a cheaper one
//! may have become free.
//!
//! *Idea.* Bin types sorted by cost are walked from the cheapest; the first of the same weight that
//! has the room, meets `minValues`, and is within limits and reservations takes the launch. Groups
//! are split where supply ends.
//!
//! *Why it is right.* Pods stay together, so rules between them hold as before; eligibility, ports
//! and volumes are asked of the new type. Charges against limits may rise only where the whole
//! group moves, so that no node that stays behind finds its limit used up.
//!
//! *Cost.* Groups × cheaper bin types, nearly all of which are refused by their room. Static pools'
//! nodes are left alone: what they are is decided where they are launched.

use super::packing::{Context, NodeGroup, Packing};
use super::step::PackingStep;
use crate::compile::{BinType, NodeSource};

/// Moves launches to cheaper bin types of the same weight, as far as those can be bought.
pub(crate) fn right_size(context: &Context<'_>, packing: &mut Packing) {
    let compiled = context.compiled;
    let costs = packing.costs(context);
    let mut cheapest: Vec<usize> = (0..compiled.bin_types.len()).collect();
    cheapest.sort_by_key(|bin_type| (costs[*bin_type], *bin_type));
    // The resources of each in one line: most bin types that are looked at are too small.
    let rooms: Vec<i64> = cheapest.iter().flat_map(|at| context.room(*at).free).copied().collect();
    for group in std::mem::take(&mut packing.groups) {
        let Some(now) = group.launched_for_pods(compiled) else {
            packing.groups.push(group);
            continue;
        };
        packing.give_back(compiled, &group);
        let cost = costs[now];
        let rooms = rooms.chunks_exact(compiled.dims.len());
        let better = cheapest.iter().copied().zip(rooms).take_while(|(to, _)| costs[*to] < cost);
        let large = better
            .filter(|(_, room)| room.iter().zip(&group.load).all(|(have, want)| have >= want));
        let mut rest = group.multiplicity;
        for (to, _) in large {
            if rest == 0 {
                break;
            }
            let bin_type = &compiled.bin_types[to];
            if bin_type.weight != compiled.bin_types[now].weight || !holds(context, to, &group) {
                continue;
            }
            let mut times = rest.min(packing.supply(compiled, bin_type));
            // Where some stay behind, those that move may not use up what those need.
            if times < rest && !charges_no_more(context, to, now) {
                times = 0;
            }
            if times > 0 {
                packing.note(context, || PackingStep::RightSized { from: now, to, times });
                let moved = NodeGroup {
                    place: NodeSource::Launch(to),
                    multiplicity: times,
                    ..group.clone()
                };
                packing.add(compiled, moved);
                rest -= times;
            }
        }
        if rest > 0 {
            packing.add(compiled, NodeGroup { multiplicity: rest, ..group });
        }
    }
}

/// Whether a node of a bin type can hold a group's pods.
pub(crate) fn holds(context: &Context<'_>, bin_type: usize, group: &NodeGroup) -> bool {
    let compiled = context.compiled;
    let items = group.items.iter().map(|(item, _)| *item);
    compiled.together(items, &group.load).fit(&context.room(bin_type))
        && compiled.bin_types[bin_type]
            .offers
            .first()
            .is_some_and(|choice| context.meets_minimums(*choice, &group.items, &group.load))
}

/// Whether a node of one bin type is charged no more against any limit than one of another.
fn charges_no_more(context: &Context<'_>, to: usize, now: usize) -> bool {
    let compiled = context.compiled;
    let [to, now] = [to, now].map(|bin_type| &compiled.bin_types[bin_type]);
    let charge = |bin_type: &BinType| &compiled.shapes[bin_type.shape].charge;
    to.pool != now.pool || charge(to).iter().zip(charge(now)).all(|(to, now)| to <= now)
}
