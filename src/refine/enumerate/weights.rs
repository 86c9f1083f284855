//! Pools of higher weights first: a node of a lower weight is launched only for pods that no pool
//! of a higher one can take within its limits.

use super::Task;
use super::cells::{SearchInput, is_packable};
use super::divide::FoundPlan;
use super::places::{CellItem, CellPlace, Places};
use crate::compile::{Bits, ClassId, Id, ItemId, SelectionId, TopologyKey};
use crate::pack::Context;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

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

/// The sites without a `PreferNoSchedule` taint that pods of a class don't tolerate; `None`: all.
fn untainted<'c>(context: &Context<'c>, class: ClassId) -> Option<&'c Bits> {
    let compiled = context.compiled;
    let rules = &compiled.site_conditions.rules.sets()[compiled.classes[class].rules];
    compiled.preferences.untainted.get(rules.tolerations)
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
    let untainted = untainted(task.context, item.class);
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

/// A launch that takes a pod of a class.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct TakingLaunch {
    weight: i32,
    /// Its domain of each key of the cells.
    domains: Vec<u32>,
    /// How much it draws of which supplies.
    draws: Vec<(usize, i64)>,
}

/// What could take pods before pools of lower weights do, whatever the pods of a plan keep: found
/// class by class, when it is first asked for.
pub(super) struct HigherPools<'a> {
    input: &'a SearchInput<'a>,
    lowest: Option<i32>,
    of_class: RefCell<BTreeMap<ClassId, Rc<BTreeSet<TakingLaunch>>>>,
}

impl<'a> HigherPools<'a> {
    pub(super) fn new(input: &'a SearchInput<'a>) -> Self {
        let pools = input.task.context.compiled.pools.values();
        let dynamic = pools.filter(|pool| pool.static_replicas.is_none());
        let lowest = dynamic.map(|pool| pool.weight).min();
        Self { input, lowest, of_class: RefCell::default() }
    }

    /// The launches of any but the lowest weight that take a pod of a class alone.
    fn taking(&self, class: ClassId) -> Rc<BTreeSet<TakingLaunch>> {
        if let Some(known) = self.of_class.borrow().get(&class) {
            return known.clone();
        }
        let (context, places) = (self.input.task.context, self.input.places);
        let compiled = context.compiled;
        let id = ItemId::from_index(class.index());
        let item = &compiled.items[id];
        let untainted = untainted(context, class);
        let mut taking = BTreeSet::new();
        for (offer, of) in compiled.offers.iter() {
            let (pool, site) = (&compiled.pools[of.pool], compiled.site_of_offer(offer));
            let shape = &compiled.shapes[of.shape];
            let suits = pool.static_replicas.is_none()
                && Some(pool.weight) != self.lowest
                && compiled.eligible[item.eligibility].contains(site)
                && compiled.is_sold(offer)
                && compiled.is_within_limits(offer)
                && untainted.is_none_or(|sites| sites.contains(site))
                && !item.ports.blocks.overlaps(&shape.ports)
                && shape.takes(item, 1) > 0;
            if !suits {
                continue;
            }
            let launch = TakingLaunch {
                weight: pool.weight,
                domains: places.cells[places.cell_of(site)].clone(),
                draws: places.draws(compiled, offer),
            };
            let meets_minimums = || {
                let place = (None, site);
                pool.min_values.is_empty() || is_packable(context, compiled, place, &[(id, 1)])
            };
            if !taking.contains(&launch) && meets_minimums() {
                let _new = taking.insert(launch);
            }
        }
        let taking = Rc::new(taking);
        let _none = self.of_class.borrow_mut().insert(class, taking.clone());
        taking
    }

    /// Whether a plan launches nothing of a lower weight for pods that a pool of a higher one still
    /// takes.
    pub(super) fn are_first(&self, found: &FoundPlan) -> bool {
        let (task, list) = (self.input.task, &self.input.places.list);
        let mut left = self.input.places.left.clone();
        for (at, _) in &found.held {
            left.iter_mut().zip(&list[*at].uses).for_each(|(left, uses)| *left -= uses);
        }
        found.held.iter().all(|(at, number)| {
            let place = &list[*at];
            let Some(weight) = place.weight else { return true };
            let vector = self.input.grid.vector(*number);
            let items = self.input.items.iter().zip(vector).filter(|(_, count)| *count > 0);
            let classes: BTreeSet<ClassId> = items.map(|(item, _)| item.class).collect();
            classes.into_iter().filter(|class| !is_drawn(task.context, *class)).all(|class| {
                let is_tied = is_tied(task.context, class);
                !self.taking(class).iter().any(|launch| {
                    launch.weight > weight
                        && (!is_tied || launch.domains == self.input.places.cells[place.cell])
                        && launch.draws.iter().all(|(at, each)| *each <= left[*at])
                })
            })
        })
    }
}
