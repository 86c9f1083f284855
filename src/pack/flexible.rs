//! `minValues`: how many different values of a label a launch must keep open.
//!
//! The types and offerings that could hold a node's pods must, together, have at least so many
//! different values of the key; each pod put on a node can take some away. The rule is Karpenter's,
//! but what counts is what the launch can still be, not what its types list.

use super::state::Context;
use crate::compile::{ClassId, PoolId};
use std::collections::BTreeSet;

/// The minimums of one launch.
#[derive(Clone, Debug)]
pub(crate) struct Minimums {
    pool: PoolId,
    /// For each of the pool's keys, the least number of values.
    least: Vec<usize>,
}

impl Minimums {
    /// What the pool asks of a launch that holds these already.
    pub(crate) fn of(context: &Context<'_, '_>, pool: PoolId, held: &[(ClassId, u32)]) -> Self {
        let keys = &context.compiled.pools[pool].min_values;
        let mut minimums =
            Self { pool, least: keys.iter().map(|(_, least)| *least as usize).collect() };
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
            let alone = values(context, self.pool, &[class], &context.class(class).request, None);
            for (least, open) in self.least.iter_mut().zip(alone) {
                *least = (*least).min(open);
            }
        }
    }

    /// Whether launches that hold these classes and this load leave enough values open.
    fn met(&self, context: &Context<'_, '_>, classes: &[ClassId], load: &[i64]) -> bool {
        let open = values(context, self.pool, classes, load, Some(&self.least));
        open.iter().zip(&self.least).all(|(open, least)| open >= least)
    }
}

/// Whether launches of a pool that hold these classes and this load meet what the pool asks for.
pub(crate) fn meets_minimums(
    context: &Context<'_, '_>,
    pool: PoolId,
    items: &[(ClassId, u32)],
    load: &[i64],
) -> bool {
    let minimums = Minimums::of(context, pool, items);
    if minimums.least.is_empty() {
        return true;
    }
    let classes: Vec<ClassId> = items.iter().map(|(class, _)| *class).collect();
    minimums.met(context, &classes, load)
}

/// For each of a pool's keys, how many values the offers that hold the load have; counting stops
/// where `enough` is reached for all.
pub(crate) fn values(
    context: &Context<'_, '_>,
    pool: PoolId,
    classes: &[ClassId],
    load: &[i64],
    enough: Option<&[usize]>,
) -> Vec<usize> {
    let compiled = context.compiled;
    let keys = &compiled.pools[pool].min_values;
    let states: Vec<&[u32]> =
        keys.iter().map(|(key, _)| compiled.flexible.get(key).map_or(&[][..], |all| all)).collect();
    let mut seen: Vec<BTreeSet<u32>> = vec![BTreeSet::new(); keys.len()];
    for (id, offer) in compiled.offers.iter().filter(|(_, offer)| offer.pool == pool) {
        if offer.reservation.is_none() && compiled.holds(id, classes, load) {
            let site = compiled.site_of_offer(id);
            for (seen, states) in seen.iter_mut().zip(&states) {
                if let Some(state) = states.get(site).filter(|state| **state != 0) {
                    let _new = seen.insert(*state);
                }
            }
            let reached = enough.is_some_and(|enough| {
                seen.iter().zip(enough).all(|(seen, enough)| seen.len() >= *enough)
            });
            if reached {
                break;
            }
        }
    }
    seen.iter().map(BTreeSet::len).collect()
}
