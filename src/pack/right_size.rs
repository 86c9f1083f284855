//! Right-sizing: every launch goes to the cheapest column that holds it.

use super::flexible::meets_minimums;
use super::state::{Context, Group, Place, State};
use crate::compile::{Column, SharedVolumes};

/// Moves launches to cheaper columns of the same weight, as far as those can be bought.
pub(crate) fn right_size(context: &Context<'_>, state: &mut State) {
    let compiled = context.compiled;
    let costs = state.costs(context);
    let mut cheapest: Vec<usize> = (0..compiled.columns.len()).collect();
    cheapest.sort_by_key(|column| (costs[*column], *column));
    // The resources of each in one row: most columns that are looked at are too small.
    let rooms: Vec<i64> = cheapest.iter().flat_map(|at| context.room(*at).free).copied().collect();
    for group in std::mem::take(&mut state.groups) {
        let now = match group.place {
            Place::Launch(now) if compiled.pools[compiled.columns[now].pool].fixed.is_none() => now,
            _ => {
                state.groups.push(group);
                continue;
            }
        };
        state.give_back(compiled, &group);
        let cost = costs[now];
        let rooms = rooms.chunks_exact(compiled.dims.len());
        let better = cheapest.iter().copied().zip(rooms).take_while(|(to, _)| costs[*to] < cost);
        let large = better
            .filter(|(_, room)| room.iter().zip(&group.load).all(|(have, want)| have >= want));
        let mut rest = group.times;
        for (to, _) in large {
            if rest == 0 {
                break;
            }
            let column = &compiled.columns[to];
            if column.weight != compiled.columns[now].weight || !holds(context, to, &group) {
                continue;
            }
            let mut times = rest.min(state.supply(compiled, column));
            // Where some stay behind, those that move may not use up what those need.
            if times < rest && !charges_no_more(context, to, now) {
                times = 0;
            }
            if times > 0 {
                let moved = Group { place: Place::Launch(to), times, ..group.clone() };
                state.add(compiled, moved);
                rest -= times;
            }
        }
        if rest > 0 {
            state.add(compiled, Group { times: rest, ..group });
        }
    }
}

/// Whether a node of a column can hold a group's pods.
pub(crate) fn holds(context: &Context<'_>, column: usize, group: &Group) -> bool {
    let room = context.room(column);
    let compiled = context.compiled;
    let fits = room.free.iter().zip(&group.load).all(|(have, want)| have >= want);
    let held = group.items.iter().map(|(class, _)| &compiled.classes[*class]);
    let attaches = || SharedVolumes::of(held).fit(room.free, &group.load, room.attached);
    fits && attaches()
        && group.items.iter().all(|(class, _)| {
            let class = &compiled.classes[*class];
            room.admits(class.row) && !class.ports.blocks.overlaps(room.ports)
        })
        && compiled.columns[column]
            .offers
            .first()
            .is_some_and(|choice| meets_minimums(context, *choice, &group.items, &group.load))
}

/// Whether a node of one column is charged no more against any limit than one of another.
fn charges_no_more(context: &Context<'_>, to: usize, now: usize) -> bool {
    let compiled = context.compiled;
    let [to, now] = [to, now].map(|column| &compiled.columns[column]);
    let charge = |column: &Column| &compiled.shapes[column.shape].charge;
    to.pool != now.pool || charge(to).iter().zip(charge(now)).all(|(to, now)| to <= now)
}
