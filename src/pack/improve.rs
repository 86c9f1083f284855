//! Taking apart what turned out badly, and putting its pods elsewhere.
//!
//! The packer buys the best bargains first, so what it buys last is poor: a large node for one large
//! pod, say, with room in it for small pods that have nodes of their own by then. So the launches that
//! use least of what they cost are taken apart one kind at a time: their pods go into the room that
//! other nodes have left, then onto new launches, and if the whole is cheaper that way, it stays.
//!
//! *Cost.* At most [`ATTEMPTS`] repackings of one kind of node each.
//!
//! References: ruin and recreate (Schrimpf et al. 2000), with the ruin chosen by efficiency.

use super::fill::Style;
use super::greedy::MANY;
use super::state::{Context, Place, State};
use super::{buy_all, short, static_pool, top_up};
use crate::bound::Worth;
use crate::compile::ClassId;
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
pub(crate) fn improve(context: &Context<'_>, state: State, worth: &Worth, style: Style) -> State {
    let mut best = state;
    let mut attempts = match (best.groups.len(), context.compiled.classes.len()) {
        (..=MANY_GROUPS, _) if short(context, &best) => ATTEMPTS_OF_MANY,
        (..=MANY_GROUPS, _) => ATTEMPTS,
        (_, ..=MANY) => ATTEMPTS_OF_MANY,
        // Each launch holds others: taking one kind apart changes nothing.
        _ => 0,
    };
    while attempts > 0 && !context.is_stopped() {
        let mut poorest = by_efficiency(context, &best, worth);
        poorest.truncate(attempts);
        let apart = |group: &usize| without(context, &best, &[*group], style);
        let Some((at, other)) = parallel::first(&poorest, apart) else { break };
        attempts -= at + 1;
        best = other;
    }
    if best.groups.len() <= FEW_GROUPS {
        return improve_pairs(context, best, worth, style);
    }
    // The poorest with the next: what is left of each may fill one node.
    match by_efficiency(context, &best, worth)[..] {
        [one, other, ..] => {
            let pair = [one.max(other), one.min(other)];
            without(context, &best, &pair, style).unwrap_or(best)
        }
        _ => best,
    }
}

/// Repacks pairs of launches, where what either holds would fit if the other weren't as it is.
fn improve_pairs(context: &Context<'_>, mut best: State, worth: &Worth, style: Style) -> State {
    let mut attempts = PAIRS;
    while attempts > 0 && !context.is_stopped() {
        let launches = by_efficiency(context, &best, worth);
        let pairs = launches.iter().enumerate().flat_map(|(at, one)| {
            launches[..at].iter().map(move |other| [*one.max(other), *one.min(other)])
        });
        let pairs: Vec<[usize; 2]> = pairs.take(attempts).collect();
        let apart = |pair: &[usize; 2]| without(context, &best, pair, style);
        let Some((at, other)) = parallel::first(&pairs, apart) else { break };
        attempts -= at + 1;
        best = other;
    }
    best
}

/// What places more than a packing, or is cheaper, or as cheap with fewer nodes, once these groups, the
/// last first, are taken apart and packed anew.
fn without(context: &Context<'_>, best: &State, groups: &[usize], style: Style) -> Option<State> {
    let mut other = best.clone();
    if context.is_stopped() {
        return None;
    }
    for group in groups {
        let _apart = other.take_out(context.compiled, *group);
    }
    let everyone = |_: ClassId| true;
    static_pool::launch_rest(context, &mut other);
    top_up::top_up(context, &mut other, style, &everyone);
    buy_all(context, &mut other, style, &everyone);
    // What is freed in a limited pool may have to be filled before a pool of a lower weight is.
    let nodes =
        |state: &State| state.groups.iter().map(|group| u64::from(group.times)).sum::<u64>();
    let rank =
        |state: &State| (state.unplaced(context.compiled), state.cost(context), nodes(state));
    let better = rank(&other) < rank(best) && other.keeps_weights(context.compiled);
    better.then_some(other)
}

/// The launches by how much of their cost their pods are worth, the poorest first.
fn by_efficiency(context: &Context<'_>, state: &State, worth: &Worth) -> Vec<usize> {
    let mut launches: Vec<(u128, usize)> = Vec::new();
    for (at, group) in state.groups.iter().enumerate() {
        if let Place::Launch(column) = group.place {
            // What a static pool launches stays, or becomes the cheapest that it could launch.
            let compiled = context.compiled;
            let is_fixed = compiled.pools[compiled.columns[column].pool].fixed.is_some();
            if is_fixed && !static_pool::has_cheaper(compiled, column) {
                continue;
            }
            let held: i128 = group
                .items
                .iter()
                .map(|(class, count)| i128::from(worth.of(*class)) * i128::from(*count))
                .sum();
            launches.push((worth.rate(held, context.cost(column)), at));
        }
    }
    launches.sort_unstable();
    launches.into_iter().map(|(_, at)| at).collect()
}
