//! Taking apart what turned out badly, and putting its pods elsewhere.
//!
//! The packer buys the most efficient first, so what it buys last is poor: a large node for one
//! large pod, say, with room in it for small pods that have nodes of their own by then. So the
//! launches that use least of what they cost are taken apart one class at a time: their pods go
//! into the room that other nodes have left, then onto new launches, and if the whole is cheaper
//! that way, it stays.
//!
//! *Cost.* At most [`ATTEMPTS`] repackings of one kind of node each.
//!
//! References: ruin and recreate (Schrimpf et al. 2000), with the ruin chosen by efficiency.

use super::fill::FillRule;
use super::greedy::MANY;
use super::packing::{Context, Packing};
use super::step::PackingStep;
use super::{buy_all, fill_leftover, short, static_pool};
use crate::bound::DualValues;
use crate::compile::ItemId;
use crate::parallel;

/// How many kinds of node are taken apart where they are few, and where they are many.
const ATTEMPTS: usize = 32;
const ATTEMPTS_OF_MANY: usize = 6;
/// More groups than this are many.
const MANY_GROUPS: usize = 96;

/// How many pairs of kinds of node are taken apart together where there are few.
const PAIRS: usize = 64;
/// More groups than this are too many for pairs.
const FEW_GROUPS: usize = 12;

/// Repacks poor launches while that makes the whole cheaper.
pub(crate) fn improve(
    context: &Context<'_>,
    packing: Packing,
    worth: &DualValues,
    fill_rule: FillRule,
) -> Packing {
    let mut best = packing;
    let mut attempts = match (best.groups.len(), context.compiled.items.len()) {
        (..=MANY_GROUPS, _) if short(context, &best) => ATTEMPTS_OF_MANY,
        (..=MANY_GROUPS, _) => ATTEMPTS,
        (_, ..=MANY) => ATTEMPTS_OF_MANY,
        // Each launch holds others: taking one class apart changes nothing.
        _ => 0,
    };
    while attempts > 0 && !context.is_stopped() {
        let mut poorest = by_efficiency(context, &best, worth);
        poorest.truncate(attempts);
        let apart = |group: &usize| without(context, &best, &[*group], fill_rule);
        let Some((at, other)) = parallel::first(&poorest, apart) else { break };
        attempts -= at + 1;
        best = other;
    }
    if best.groups.len() <= FEW_GROUPS {
        return improve_pairs(context, best, worth, fill_rule);
    }
    // The poorest with the next: what is left of each may fill one node.
    match by_efficiency(context, &best, worth)[..] {
        [one, other, ..] => {
            let pair = [one.max(other), one.min(other)];
            without(context, &best, &pair, fill_rule).unwrap_or(best)
        }
        _ => best,
    }
}

/// Repacks pairs of launches, where what either holds would fit if the other weren't as it is.
fn improve_pairs(
    context: &Context<'_>,
    mut best: Packing,
    worth: &DualValues,
    fill_rule: FillRule,
) -> Packing {
    let mut attempts = PAIRS;
    while attempts > 0 && !context.is_stopped() {
        let launches = by_efficiency(context, &best, worth);
        let pairs = launches.iter().enumerate().flat_map(|(at, one)| {
            launches[..at].iter().map(move |other| [*one.max(other), *one.min(other)])
        });
        let pairs: Vec<[usize; 2]> = pairs.take(attempts).collect();
        let apart = |pair: &[usize; 2]| without(context, &best, pair, fill_rule);
        let Some((at, other)) = parallel::first(&pairs, apart) else { break };
        attempts -= at + 1;
        best = other;
    }
    best
}

/// What places more than a packing, or is cheaper, or as cheap with fewer nodes, once these groups,
/// the last first, are taken apart and packed anew.
fn without(
    context: &Context<'_>,
    best: &Packing,
    groups: &[usize],
    fill_rule: FillRule,
) -> Option<Packing> {
    let mut other = best.clone();
    if context.is_stopped() {
        return None;
    }
    for group in groups {
        let _taken = other.take_out(context.compiled, *group);
    }
    let everyone = |_: ItemId| true;
    static_pool::launch_rest(context, &mut other);
    fill_leftover::fill_leftover(context, &mut other, fill_rule, &everyone);
    buy_all(context, &mut other, fill_rule, &everyone);
    // What is freed in a limited pool may have to be filled before a pool of a lower weight is.
    let nodes = |packing: &Packing| {
        packing.groups.iter().map(|group| u64::from(group.multiplicity)).sum::<u64>()
    };
    let rank = |packing: &Packing| {
        (packing.unplaced(context.compiled), packing.cost(context), nodes(packing))
    };
    let better = rank(&other) < rank(best) && other.keeps_weights(context.compiled);
    if better && context.watch.wants_events() {
        let (from, to) = (best.figures(context), other.figures(context));
        other.steps.push(PackingStep::TakenApart { from, to });
    }
    better.then_some(other)
}

/// The launches by how much of their cost their pods are worth, the poorest first.
fn by_efficiency(context: &Context<'_>, packing: &Packing, worth: &DualValues) -> Vec<usize> {
    let mut launches: Vec<(u128, usize)> = Vec::new();
    for (at, group) in packing.groups.iter().enumerate() {
        if let Some(bin_type) = group.place.launched() {
            // What a static pool launches stays, or becomes the cheapest that it could launch.
            let compiled = context.compiled;
            let is_static = compiled.bin_types[bin_type].is_static(compiled);
            if is_static && !static_pool::has_cheaper(compiled, bin_type) {
                continue;
            }
            let held: i128 = group
                .items
                .iter()
                .map(|(item, count)| i128::from(worth.of(*item)) * i128::from(*count))
                .sum();
            launches.push((worth.efficiency(held, context.cost(bin_type)), at));
        }
    }
    launches.sort_unstable();
    launches.into_iter().map(|(_, at)| at).collect()
}
