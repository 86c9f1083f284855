//! Greedy plans of few pods: everything is tried within a few steps.
//!
//! *Problem.* Of a dozen pods the packer's plan may cost several times what the best one does: one node
//! more is much, and what one pod needs decides where all others go.
//!
//! *Idea.* Where pods are that few, trying everything ([`mod@super::enumerate`]) takes less time than all
//! the packer's ways. It gets so many steps that a plan stays a matter of milliseconds; what is found
//! before they run out is taken over, else the plan stays.
//!
//! *Cost.* [`STEPS`] steps for each of two searches, nothing where there are more pods than [`PODS`].

use super::enumerate;
use super::wish::Wish;
use crate::compile::{ClassId, Compiled, Id, KindId};
use crate::pack::{Context, Packed, Place};

/// The most pods.
const PODS: u64 = 16;
/// Steps of a search.
const STEPS: u64 = 1 << 17;

/// Takes over a better packing of few pods, if a search of a few steps finds any.
pub(crate) fn try_everything(
    context: &Context<'_>,
    packed: &mut Packed,
    stop: &(dyn Fn() -> bool + Sync),
) {
    // Preferences at no price are none.
    let free = Context { wishful: false, wish_price: None, ..*context };
    let context = if context.wish_price == Some(0) { &free } else { context };
    let whole = context.compiled;
    let pods = whole.classes.values().map(|class| u64::from(class.count)).sum::<u64>();
    if pods > PODS || stop() || is_free(whole, packed) {
        return;
    }
    let wish = Wish::new(stop);
    if let Some(better) = enumerate::better(context, packed, STEPS, &wish) {
        *packed = better;
    }
    // What is preferred, and where static pools stand, is as the packer has it: a search for what is cheap
    // counts domains alone in which nodes stand.
    let fixed = whole.pools.values().any(|pool| pool.fixed.is_some());
    if fixed || enumerate::has_preferences(context) {
        return;
    }
    if let Some(better) = enumerate::cheaper(context, packed, false, STEPS, &wish) {
        *packed = better;
    }
}

/// Whether every pod has a place and nothing is launched: nothing places more, or costs less.
fn is_free(whole: &Compiled, packed: &Packed) -> bool {
    let left = packed.left(whole);
    let mut left = left.iter().filter(|(_, left)| **left > 0);
    let guest = |kind: KindId| whole.classes[ClassId::from_index(kind.index())].guest;
    left.all(|(kind, _)| guest(kind))
        && packed.state.groups.iter().all(|group| matches!(group.place, Place::Running(_)))
}
