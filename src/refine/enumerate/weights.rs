//! Pools of higher weights first: a node of a lower weight is launched only for pods that no pool of a
//! higher one can take within its limits.

use super::Task;
use super::cells::Ground;
use super::divide::Found;
use super::places::{Item, Place, Places};
use crate::compile::{ClassId, Id, KindId, Over, SelectionId};
use crate::pack::Context;

/// Whether rules between pods over domains may have drawn pods of a kind to where only a pool of lower
/// weight launches. What concerns nobody else draws nobody, and a fresh node is always legal for a spread
/// over nodes.
fn is_tied(context: &Context<'_>, kind: KindId) -> bool {
    let compiled = context.compiled;
    let topology = &compiled.topology;
    let rules = &topology.rules[kind];
    let others = |selection: SelectionId| {
        let selected = &topology.selections[selection];
        let count = |of: &KindId| compiled.classes[ClassId::from_index(of.index())].count;
        !selected.bound.is_empty() || selected.kinds.iter().any(|of| *of != kind || count(of) > 1)
    };
    rules.spreads.iter().any(|spread| spread.over != Over::Host)
        || rules.near.as_ref().is_some_and(|near| others(near.selection))
        || rules.far.iter().any(|term| term.over != Over::Host && others(term.selection))
        || !compiled.kinds[kind].sticky.is_empty()
        || topology.rules.iter().any(|(other, rules)| {
            let near = rules.near.as_ref().filter(|_| other != kind);
            near.is_some_and(|near| topology.selects(near.selection, kind))
        })
}

/// Whether preferences may have drawn pods of a kind to a pool.
fn is_drawn(context: &Context<'_>, kind: KindId) -> bool {
    let rules = &context.compiled.topology.rules[kind];
    let wishes = &context.compiled.wishes.terms[kind];
    context.wishful
        && !(wishes.is_empty() && rules.wish_near.is_empty() && rules.wish_far.is_empty())
}

/// Whether a place is one where pods of an item should be rather than at another: of a higher weight, and,
/// where rules tie them to domains, in the same ones.
fn is_before(
    (task, places): (&Task<'_>, &Places),
    item: &Item,
    place: &Place,
    other: &Place,
) -> bool {
    let (Some(higher), Some(lower)) = (place.weight, other.weight) else { return false };
    let list = task.context.compiled.kinds[item.kind].rules;
    let list = task.context.compiled.grounds.rules.sets()[list].tolerations;
    let untainted = task.context.compiled.wishes.untainted.get(list);
    higher > lower
        && (places.cells[place.cell] == places.cells[other.cell]
            || !is_tied(task.context, item.kind))
        && untainted.is_none_or(|sites| sites.contains(place.site))
}

/// Keeps pods off pools beside which one of a higher weight is never used up.
pub(super) fn prune(task: &Task<'_>, items: &mut [Item], places: &Places) {
    let unlimited = |place: &Place| !place.flexible && place.uses.iter().all(|uses| *uses == 0);
    for item in items.iter_mut().filter(|item| !is_drawn(task.context, item.kind)) {
        let open: Vec<usize> = (0..places.list.len())
            .filter(|at| item.admitted[*at] && unlimited(&places.list[*at]))
            .collect();
        for (at, place) in places.list.iter().enumerate() {
            item.admitted[at] &= !open
                .iter()
                .any(|other| is_before((task, places), item, &places.list[*other], place));
        }
    }
}

/// Whether a plan launches nothing of a lower weight for pods that a pool of a higher one still takes.
pub(super) fn keeps(ground: &Ground<'_>, found: &Found) -> bool {
    let (task, list) = (ground.task, &ground.places.list);
    let mut left = ground.places.left.clone();
    for (at, _) in &found.held {
        left.iter_mut().zip(&list[*at].uses).for_each(|(left, uses)| *left -= uses);
    }
    let open: Vec<usize> = (0..list.len())
        .filter(|at| list[*at].weight.is_some())
        .filter(|at| list[*at].uses.iter().zip(&left).all(|(uses, left)| uses <= left))
        .collect();
    found.held.iter().all(|(at, number)| {
        let vector = ground.grid.vector(*number);
        let held = (0..ground.items.len()).filter(|item| vector[*item] > 0);
        held.filter(|item| !is_drawn(task.context, ground.items[*item].kind)).all(|item| {
            !open.iter().any(|other| {
                is_before((task, ground.places), &ground.items[item], &list[*other], &list[*at])
                    && ground.takes_one(*other, item)
            })
        })
    })
}
