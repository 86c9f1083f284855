//! `minValues`: how many different values of a label a launch must keep open.
//!
//! The types and offerings that could hold a node's pods must, together, have at least so many
//! different values of the key; each pod put on a node can take some away. The rule is Karpenter's,
//! but what counts is what the launch can still be, not what its types list.

use super::state::Context;
use crate::compile::{ClassId, Compiled, Flexible, Id, KeyId, OfferId};
use std::collections::BTreeSet;

/// The minimums of one launch.
#[derive(Clone, Debug)]
pub(crate) struct Minimums {
    /// The first offer of the launch's column.
    choice: OfferId,
    /// For each of the pool's keys, the least number of values.
    least: Vec<usize>,
}

impl Minimums {
    /// What its pool asks of a launch of an offer that holds these already.
    pub(crate) fn of(context: &Context<'_, '_>, choice: OfferId, held: &[(ClassId, u32)]) -> Self {
        let compiled = context.compiled;
        let keys = &compiled.pools[compiled.offers[choice].pool].min_values;
        let mut minimums =
            Self { choice, least: keys.iter().map(|asked| asked.least as usize).collect() };
        held.iter().for_each(|(class, _)| minimums.settle(context, *class));
        minimums
    }

    /// How many of `count` more pods of a class leave enough values open.
    pub(crate) fn admit(
        &self,
        context: &Context<'_, '_>,
        held: &[ClassId],
        load: &[i64],
        class: ClassId,
        count: u32,
    ) -> u32 {
        let mut minimums = self.clone();
        minimums.settle(context, class);
        let classes: Vec<ClassId> = held.iter().copied().chain([class]).collect();
        let holds = |more: u32| {
            let asked = &context.class(class).request;
            let load: Vec<i64> =
                load.iter().zip(asked).map(|(have, each)| have + each * i64::from(more)).collect();
            minimums.met(context, &classes, &load)
        };
        if holds(count) {
            return count;
        }
        // Fewer pods leave no fewer values open: the most that do, by halving.
        let (mut good, mut bad) = (0, count);
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            if holds(middle) {
                good = middle;
            } else {
                bad = middle;
            }
        }
        good
    }

    /// Where minimums give way: lowers them to what one pod of the class could meet on its own.
    pub(crate) fn settle(&mut self, context: &Context<'_, '_>, class: ClassId) {
        if context.lenient {
            let request = &context.class(class).request;
            let alone = open(context, self.choice, &[class], request, self.least.clone());
            for (least, open) in self.least.iter_mut().zip(alone.counts()) {
                *least = (*least).min(open);
            }
        }
    }

    /// Whether launches that hold these classes and this load leave enough values open.
    fn met(&self, context: &Context<'_, '_>, classes: &[ClassId], load: &[i64]) -> bool {
        open(context, self.choice, classes, load, self.least.clone()).is_met()
    }

    /// A counter for the offers that a launch may list.
    pub(crate) fn counter<'a>(&self, context: &'a Context<'_, '_>) -> Counter<'a> {
        Counter::new(context.compiled, self.choice, self.least.clone())
    }

    /// For each of the pool's keys, how many values it asks for and how many a class alone leaves.
    pub(crate) fn alone(
        context: &Context<'_, '_>,
        choice: OfferId,
        class: ClassId,
    ) -> Vec<(usize, usize)> {
        let asked = Self::of(context, choice, &[]);
        let request = &context.class(class).request;
        let counter = open(context, choice, &[class], request, asked.least.clone());
        asked.least.into_iter().zip(counter.counts()).collect()
    }
}

/// Counts the values that a list of offers keeps open.
#[derive(Debug)]
pub(crate) struct Counter<'a> {
    least: Vec<usize>,
    states: Vec<&'a [u32]>,
    seen: Vec<BTreeSet<u32>>,
}

impl<'a> Counter<'a> {
    fn new(compiled: &'a Compiled<'_>, choice: OfferId, least: Vec<usize>) -> Self {
        let pool = compiled.offers[choice].pool;
        let asked = &compiled.pools[pool].min_values;
        // What the pool leaves open by itself is there from the start, and offers add nothing to it.
        let states = asked.iter().map(|asked| match compiled.flexible.get(&asked.key) {
            Some(states) if asked.open == 0 => &states[..],
            _ => &[],
        });
        let states = states.collect();
        let own = |asked: &Flexible| (1..).take(asked.open).collect();
        let seen = asked.iter().map(own).collect();
        Self { least, states, seen }
    }

    pub(crate) fn add(&mut self, offer: OfferId) {
        for (seen, states) in self.seen.iter_mut().zip(&self.states) {
            if let Some(state) = states.get(offer.index()).filter(|state| **state != 0) {
                let _new = seen.insert(*state);
            }
        }
    }

    /// Whether an offer has a value that is new, for a key that needs more.
    pub(crate) fn gains(&self, offer: OfferId) -> bool {
        self.seen.iter().zip(&self.states).zip(&self.least).any(|((seen, states), least)| {
            let state = states.get(offer.index()).filter(|state| **state != 0);
            seen.len() < *least && state.is_some_and(|state| !seen.contains(state))
        })
    }

    /// Whether every key has as many values as it needs.
    pub(crate) fn is_met(&self) -> bool {
        self.seen.iter().zip(&self.least).all(|(seen, least)| seen.len() >= *least)
    }

    /// How many values each key has.
    pub(crate) fn counts(&self) -> Vec<usize> {
        self.seen.iter().map(BTreeSet::len).collect()
    }
}

/// Whether launches of an offer that hold these classes and this load meet what the pool asks for.
pub(crate) fn meets_minimums(
    context: &Context<'_, '_>,
    choice: OfferId,
    items: &[(ClassId, u32)],
    load: &[i64],
) -> bool {
    let compiled = context.compiled;
    if compiled.pools[compiled.offers[choice].pool].min_values.is_empty() {
        return true;
    }
    let minimums = Minimums::of(context, choice, items);
    let classes: Vec<ClassId> = items.iter().map(|(class, _)| *class).collect();
    minimums.met(context, &classes, load)
}

/// Counts the values that offers keep open which hold these classes and this load, until there are
/// enough.
fn open<'a>(
    context: &'a Context<'_, '_>,
    choice: OfferId,
    classes: &[ClassId],
    load: &[i64],
    least: Vec<usize>,
) -> Counter<'a> {
    let compiled = context.compiled;
    let pool = compiled.offers[choice].pool;
    let mut counter = Counter::new(compiled, choice, least);
    let (pins, sticky) = (compiled.pins(choice, classes), compiled.sticky(classes));
    let holders = compiled.holders(classes, load);
    for (id, _) in compiled.offers.iter().filter(|(_, offer)| offer.pool == pool) {
        if counter.is_met() {
            break;
        }
        if counter.gains(id)
            && listable(compiled, choice, (&pins, &sticky), classes, id)
            && holders.contains(id)
        {
            counter.add(id);
        }
    }
    counter
}

/// The labels that a launch fixes, with their values.
pub(crate) type Pins = [(std::sync::Arc<str>, std::sync::Arc<str>)];

/// Whether an offer may stand among the alternatives of a launch whose choice is another.
///
/// Only the choice itself may draw on a reservation. What is charged against limits is the choice, so
/// no alternative may be charged more.
pub(crate) fn listable(
    compiled: &Compiled<'_>,
    choice: OfferId,
    (pins, sticky): (&Pins, &BTreeSet<KeyId>),
    classes: &[ClassId],
    other: OfferId,
) -> bool {
    other == choice || is_alternative(compiled, choice, (pins, sticky), classes, other)
}

/// As [`listable`], of an offer as if it weren't the choice itself.
pub(crate) fn is_alternative(
    compiled: &Compiled<'_>,
    choice: OfferId,
    (pins, sticky): (&Pins, &BTreeSet<KeyId>),
    classes: &[ClassId],
    other: OfferId,
) -> bool {
    let (mine, theirs) = (&compiled.offers[choice], &compiled.offers[other]);
    let (most, charged) =
        (&compiled.shapes[mine.shape].charge, &compiled.shapes[theirs.shape].charge);
    theirs.reservation.is_none()
        && compiled.same_domains(choice, other, sticky)
        && charged.iter().zip(most).all(|(charged, most)| charged <= most)
        && compiled.agrees(other, pins, classes)
}

/// Whether a launch's choice may change to one of its alternatives: it draws on no reservation, and limits
/// are charged the same.
pub(crate) fn may_become(compiled: &Compiled<'_>, choice: OfferId, other: OfferId) -> bool {
    let (mine, theirs) = (&compiled.offers[choice], &compiled.offers[other]);
    let charge = |shape| &compiled.shapes[shape].charge;
    // Both are of one pool: without limits, neither is charged anything.
    mine.reservation.is_none() && charge(mine.shape) == charge(theirs.shape)
}
