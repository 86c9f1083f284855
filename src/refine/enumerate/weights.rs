//! Pools of higher weights first: a node of a lower weight is launched only for pods that no pool
//! of a higher one can take within its limits.

use super::Task;
use super::cells::SearchInput;
use super::divide::FoundPlan;
use super::places::{CellItem, CellPlace, Places};
use crate::compile::{ClassId, Id, ItemId, SelectionId, TopologyKey};
use crate::pack::Context;

/// Whether rules between pods over domains may have drawn pods of a class to where only a pool of
/// lower weight launches. What concerns nobody else draws nobody, and a fresh node is always legal
/// for a spread over nodes.
fn is_tied(context: &Context<'_>, class: ClassId) -> bool {
    let compiled = context.compiled;
    let topology = &compiled.topology;
    let rules = &topology.rules[class];
    let others = |selection: SelectionId| {
        let selected = &topology.selections[selection];
        let count = |of: &ClassId| compiled.items[ItemId::from_index(of.index())].count;
        !selected.bound.is_empty()
            || selected.classes.iter().any(|of| *of != class || count(of) > 1)
    };
    rules.spreads.iter().any(|spread| spread.key != TopologyKey::Hostname)
        || rules.affinity.as_ref().is_some_and(|affinity| others(affinity.selection))
        || rules
            .anti_affinity
            .iter()
            .any(|term| term.key != TopologyKey::Hostname && others(term.selection))
        || !compiled.classes[class].domain_keys.is_empty()
        || topology.rules.iter().any(|(other, rules)| {
            let affinity = rules.affinity.as_ref().filter(|_| other != class);
            affinity.is_some_and(|affinity| topology.selects(affinity.selection, class))
        })
}

/// Whether preferences may have drawn pods of a class to a pool.
fn is_drawn(context: &Context<'_>, class: ClassId) -> bool {
    let rules = &context.compiled.topology.rules[class];
    let preferred_terms = &context.compiled.preferences.terms[class];
    context.with_preferences
        && !(preferred_terms.is_empty()
            && rules.preferred_affinity.is_empty()
            && rules.preferred_anti_affinity.is_empty())
}

/// Whether a place is one where pods of an item should be rather than at another: of a higher
/// weight, and, where rules tie them to domains, in the same ones.
fn is_before(
    (task, places): (&Task<'_>, &Places),
    item: &CellItem,
    place: &CellPlace,
    other: &CellPlace,
) -> bool {
    let (Some(higher), Some(lower)) = (place.weight, other.weight) else { return false };
    let list = task.context.compiled.classes[item.class].rules;
    let list = task.context.compiled.site_conditions.rules.sets()[list].tolerations;
    let untainted = task.context.compiled.preferences.untainted.get(list);
    higher > lower
        && (places.cells[place.cell] == places.cells[other.cell]
            || !is_tied(task.context, item.class))
        && untainted.is_none_or(|sites| sites.contains(place.site))
}

/// Keeps pods off pools beside which one of a higher weight is never used up.
pub(super) fn prune(task: &Task<'_>, items: &mut [CellItem], places: &Places) {
    let unlimited =
        |place: &CellPlace| !place.min_values && place.uses.iter().all(|uses| *uses == 0);
    for item in items.iter_mut().filter(|item| !is_drawn(task.context, item.class)) {
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

/// Whether a plan launches nothing of a lower weight for pods that a pool of a higher one still
/// takes.
pub(super) fn keeps(input: &SearchInput<'_>, found: &FoundPlan) -> bool {
    let (task, list) = (input.task, &input.places.list);
    let mut left = input.places.left.clone();
    for (at, _) in &found.held {
        left.iter_mut().zip(&list[*at].uses).for_each(|(left, uses)| *left -= uses);
    }
    let open: Vec<usize> = (0..list.len())
        .filter(|at| list[*at].weight.is_some())
        .filter(|at| list[*at].uses.iter().zip(&left).all(|(uses, left)| uses <= left))
        .collect();
    found.held.iter().all(|(at, number)| {
        let vector = input.grid.vector(*number);
        let held = (0..input.items.len()).filter(|item| vector[*item] > 0);
        held.filter(|item| !is_drawn(task.context, input.items[*item].class)).all(|item| {
            !open.iter().any(|other| {
                is_before((task, input.places), &input.items[item], &list[*other], &list[*at])
                    && input.takes_one(*other, item)
            })
        })
    })
}
