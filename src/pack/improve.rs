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
use super::{buy_all, top_up};
use crate::bound::Worth;
use crate::compile::ClassId;

/// How many kinds of node are taken apart where they are few, where they are many, and where the
/// classes are many too.
const ATTEMPTS: u32 = 32;
const ATTEMPTS_OF_MANY: u32 = 6;
const ATTEMPTS_OF_MANY_CLASSES: u32 = 2;
/// More groups than this are many.
const MANY_GROUPS: usize = 96;

/// Repacks poor launches while that makes the whole cheaper.
pub(crate) fn improve(
    context: &Context<'_, '_>,
    state: State,
    worth: &Worth,
    style: Style,
) -> State {
    let mut best = state;
    let mut attempts = match (best.groups.len(), context.compiled.classes.len()) {
        (..=MANY_GROUPS, _) => ATTEMPTS,
        (_, ..=MANY) => ATTEMPTS_OF_MANY,
        _ => ATTEMPTS_OF_MANY_CLASSES,
    };
    let mut poorest = by_efficiency(context, &best, worth).into_iter();
    while attempts > 0
        && let Some(group) = poorest.next()
    {
        attempts -= 1;
        let mut other = best.clone();
        let _apart = other.take_out(context.compiled, group);
        let everyone = |_: ClassId| true;
        top_up::top_up(context, &mut other, style, &everyone);
        buy_all(context, &mut other, style, &everyone);
        // What is freed in a limited pool may have to be filled before a pool of a lower weight is.
        let better = other.cost(context) < best.cost(context)
            && other.unplaced(context.compiled) <= best.unplaced(context.compiled)
            && other.keeps_weights(context.compiled);
        if better {
            best = other;
            poorest = by_efficiency(context, &best, worth).into_iter();
        }
    }
    best
}

/// The launches by how much of their cost their pods are worth, the poorest first.
fn by_efficiency(context: &Context<'_, '_>, state: &State, worth: &Worth) -> Vec<usize> {
    let mut launches: Vec<(u128, usize)> = Vec::new();
    for (at, group) in state.groups.iter().enumerate() {
        if let Place::Launch(column) = group.place {
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
