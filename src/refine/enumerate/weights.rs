//! Pools of higher weights first: a node of a lower weight is launched only for pods that no pool
//! of a higher one can take within its limits.
//!
//! *Problem.* The rule looks at a whole plan: whether a higher pool could take a pod depends on
//! what the plan leaves of its limits and reservations. A search that costs nodes one by one can't
//! see that.
//!
//! *Idea.* Two steps. Where the higher pool draws on nothing that ends, the rule is about the place
//! alone: such a pod is never what a lower place is launched for ([`note_higher`]), and a filling
//! of only such pods is refused. Where it does draw on a supply, a complete plan is judged with
//! what it leaves.
//!
//! *What isn't claimed.* Rules between pods over domains may have drawn a pod to where only the
//! lower pool launches ([`is_tied`]), and so may preferences ([`is_drawn`]); `verify` claims
//! nothing of these either.
//!
//! A pod that a higher pool takes may use room on a lower node that others need as it is.

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

/// Whether any number of launches at a place may be made.
fn is_unlimited(place: &CellPlace) -> bool {
    !place.min_values && place.uses.iter().all(|uses| *uses == 0)
}

/// Notes of pods beside which places one of a higher weight is never used up, and keeps them off
/// places that no others could need.
pub(super) fn note_higher(task: &Task<'_>, items: &mut [CellItem], places: &Places) {
    for item in items.iter_mut().filter(|item| !is_drawn(task.context, item.class)) {
        let open: Vec<usize> = (0..places.list.len())
            .filter(|at| item.admitted[*at] && is_unlimited(&places.list[*at]))
            .collect();
        for (at, place) in places.list.iter().enumerate() {
            item.is_higher_open[at] = open
                .iter()
                .any(|other| is_before((task, places), item, &places.list[*other], place));
        }
    }
    // Without pods that need a node there is no room on it for others. What preferences alone draw
    // there doesn't need it.
    for at in 0..places.list.len() {
        let needs = |item: &CellItem| {
            item.admitted[at] && !item.is_higher_open[at] && !is_drawn(task.context, item.class)
        };
        if !items.iter().any(needs) {
            items.iter_mut().for_each(|item| item.admitted[at] &= !item.is_higher_open[at]);
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
            let suits = pool.static_replicas.is_none()
                && Some(pool.weight) != self.lowest
                && compiled.eligible[item.eligibility].contains(site)
                && compiled.is_sold(offer)
                && compiled.is_within_limits(offer)
                && untainted.is_none_or(|sites| sites.contains(site))
                && compiled.room_of_offer(offer).takes_there(item, 1) > 0;
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
    /// takes: these may use room on a node that is what others need by themselves.
    pub(super) fn are_first(&self, found: &FoundPlan) -> bool {
        let (task, list) = (self.input.task, &self.input.places.list);
        let mut left = self.input.places.left.clone();
        for (at, _) in &found.held {
            left.iter_mut().zip(&list[*at].uses).for_each(|(left, uses)| *left -= uses);
        }
        let launched = found.held.iter().filter_map(|(at, number)| {
            let (place, weight) = (&list[*at], list[*at].weight?);
            let vector = self.input.grid.vector(*number);
            let held = vector.into_iter().enumerate().filter(|(_, count)| *count > 0);
            let is_other = |item: usize| {
                let class = self.input.items[item].class;
                let is_tied = is_tied(task.context, class);
                !is_drawn(task.context, class)
                    && self.taking(class).iter().any(|launch| {
                        launch.weight > weight
                            && (!is_tied || launch.domains == self.input.places.cells[place.cell])
                            && launch.draws.iter().all(|(at, each)| *each <= left[*at])
                    })
            };
            let (others, needs): (HeldItems, HeldItems) = held.partition(|(at, _)| is_other(*at));
            Some(NeededNode { at: *at, weight, needs, has_others: !others.is_empty() })
        });
        let launched: Vec<NeededNode> = launched.collect();
        (0..launched.len())
            .all(|at| !launched[at].has_others || self.is_needed(&launched, at, &left))
    }

    /// Whether a node would be there, as it is, for those that need it alone: some do, no cheaper
    /// launch holds them, and none holds them beside those that another node is needed for.
    fn is_needed(&self, launched: &[NeededNode], at: usize, left: &[i64]) -> bool {
        let (node, list) = (&launched[at], &self.input.places.list);
        let own = &list[node.at];
        let is_cheaper = |other: &usize| {
            let place = &list[*other];
            let supplies = place.uses.iter().zip(&own.uses).zip(left);
            let mut supplies =
                supplies.map(|((uses, own), left)| *uses <= left.saturating_add(*own));
            place.weight == Some(node.weight)
                && place.cost < own.cost
                && supplies.all(|is_enough| is_enough)
                && self.input.fits(*other, &[&node.needs])
        };
        let shares = |(other, of): (usize, &NeededNode)| {
            other != at
                && of.weight == node.weight
                && !of.needs.is_empty()
                && [node.at, of.at]
                    .iter()
                    .any(|place| self.input.fits(*place, &[&node.needs, &of.needs]))
        };
        !node.needs.is_empty()
            && !(0..list.len()).any(|other| is_cheaper(&other))
            && !launched.iter().enumerate().any(shares)
    }
}

impl SearchInput<'_> {
    /// Whether a launch at a place holds pods that pools of higher weights take in any plan, and
    /// isn't needed as it is for the others: there are none, or a cheaper launch of the same weight
    /// that draws on nothing holds these.
    pub(super) fn is_never_needed(&self, at: usize, held: &[u32]) -> bool {
        let own = &self.places.list[at];
        let held = self.items.iter().zip(held).enumerate().filter(|(_, (_, count))| **count > 0);
        let (others, needs): (Vec<_>, Vec<_>) =
            held.partition(|(_, (item, _))| item.is_higher_open[at]);
        let needs: HeldItems = needs.into_iter().map(|(item, (_, count))| (item, *count)).collect();
        let is_cheaper = |(other, place): (usize, &CellPlace)| {
            place.weight == own.weight
                && place.cost < own.cost
                && is_unlimited(place)
                && self.fits(other, &[&needs])
        };
        !others.is_empty()
            && (needs.is_empty() || self.places.list.iter().enumerate().any(is_cheaper))
    }

    /// Whether a place has room for pods and admits each, beside each other.
    fn fits(&self, place: usize, held: &[&HeldItems]) -> bool {
        let mut free = self.places.list[place].room.clone();
        let all = || held.iter().flat_map(|held| held.iter());
        for (at, count) in all() {
            let item = &self.items[*at];
            let of_class = all().filter(|(other, _)| self.items[*other].class == item.class);
            let of_class = of_class.fold(0_u32, |sum, (_, count)| sum.saturating_add(*count));
            if !item.admitted[place]
                || of_class > item.per_node
                || all().any(|(other, _)| item.conflicts.contains(other))
            {
                return false;
            }
            for (free, each) in free.iter_mut().zip(&item.request) {
                *free = free.saturating_sub(each.saturating_mul(i64::from(*count)));
            }
        }
        let is_asked = |dim: &usize| all().any(|(item, _)| self.items[*item].request[*dim] > 0);
        let mut asked = (0..free.len()).filter(is_asked);
        asked.all(|dim| free[dim] >= 0)
    }
}

/// How many pods of which items a node holds.
type HeldItems = Vec<(usize, u32)>;

/// A launch of a plan.
struct NeededNode {
    /// Its place.
    at: usize,
    weight: i32,
    /// The pods that no pool of a higher weight takes.
    needs: HeldItems,
    /// Whether it holds any that one takes.
    has_others: bool,
}
