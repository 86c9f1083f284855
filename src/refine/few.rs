//! Greedy plans of few pods: everything is tried within a few steps.
//!
//! *Problem.* Of a dozen pods the packer's plan may cost several times what the best one does: one
//! node more is much, and what one pod needs decides where all others go.
//!
//! *Idea.* Where pods are that few, trying everything ([`mod@super::enumerate`]) takes less time
//! than all the packer's ways. It gets so many steps that a plan stays a matter of milliseconds;
//! what is found before they run out is taken over, else the plan stays.
//!
//! *Cost.* [`STEPS`] steps for each of two searches, nothing where there are more pods than
//! [`PODS`].

use super::cancel::Cancel;
use super::enumerate;
use super::tuning::few::{PODS, STEPS};
use crate::pack::{self, AssignedPacking, Context};

/// Takes over a better packing of few pods, if a search of a few steps finds any.
pub(crate) fn try_everything(
    context: &Context<'_>,
    packed: &mut AssignedPacking,
    stop: &(dyn Fn() -> bool + Sync),
) {
    // Preferences at no price are none.
    let free = Context { with_preferences: false, preference_price: None, ..*context };
    let context = if context.preference_price == Some(0) { &free } else { context };
    let whole = context.compiled;
    let pods = whole.items.values().map(|item| u64::from(item.count)).sum::<u64>();
    if pods > PODS || stop() || packed.is_free(whole) {
        return;
    }
    let cancel = Cancel::new(stop);
    if let Some(better) = enumerate::better(context, packed, STEPS, &cancel) {
        *packed = better;
    }
    // What is preferred is as the packer has it.
    if enumerate::has_preferences(context) {
        return;
    }
    if let Some(better) = enumerate::cheaper(context, packed, false, STEPS, &cancel)
        && pack::keeps_static_domains(context, packed, &better)
    {
        *packed = better;
    }
}
