//! Right-sizing: every launch goes to the cheapest column that holds it.

use super::flexible::meets_minimums;
use super::state::{Context, Group, Place, State};
use crate::compile::Column;

/// Moves launches to cheaper columns of the same weight, as far as those can be bought.
pub(crate) fn right_size(context: &Context<'_, '_>, state: &mut State) {
    let compiled = context.compiled;
    let mut cheapest: Vec<usize> = (0..compiled.columns.len()).collect();
    cheapest.sort_by_key(|column| (context.cost(*column), *column));
    let mut at = 0;
    while at < state.groups.len() {
        let Place::Launch(now) = state.groups[at].place else {
            at += 1;
            continue;
        };
        if compiled.pools[compiled.columns[now].pool].fixed.is_some() {
            at += 1;
            continue;
        }
        let group = state.take_out(compiled, at);
        let better =
            cheapest.iter().copied().take_while(|to| context.cost(*to) < context.cost(now));
        let mut rest = group.times;
        for to in better {
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
                state.insert(compiled, at, moved);
                at += 1;
                rest -= times;
            }
        }
        if rest > 0 {
            state.insert(compiled, at, Group { times: rest, ..group });
            at += 1;
        }
    }
}

/// Whether a node of a column can hold a group's pods.
pub(crate) fn holds(context: &Context<'_, '_>, column: usize, group: &Group) -> bool {
    let room = context.room(column);
    let compiled = context.compiled;
    let fits = room.free.iter().zip(&group.load).all(|(have, want)| have >= want);
    fits && group.items.iter().all(|(class, _)| {
        let class = &compiled.classes[*class];
        room.admits(class.row) && !class.ports.blocks.overlaps(room.ports)
    }) && compiled.columns[column]
        .offers
        .first()
        .is_some_and(|choice| meets_minimums(context, *choice, &group.items, &group.load))
}

/// Whether a node of one column is charged no more against any limit than one of another.
fn charges_no_more(context: &Context<'_, '_>, to: usize, now: usize) -> bool {
    let compiled = context.compiled;
    let [to, now] = [to, now].map(|column| &compiled.columns[column]);
    let charge = |column: &Column| &compiled.shapes[column.shape].charge;
    to.pool != now.pool || charge(to).iter().zip(charge(now)).all(|(to, now)| to <= now)
}
