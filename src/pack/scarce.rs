//! Packing where limits or reservations leave pods out.
//!
//! *Problem.* Place the most pods, the most urgent first, and of the ways to do so choose the
//! cheapest. By cost alone, a type may be bought that uses up a limit for little, and pods may be
//! placed that take the room of many.
//!
//! *Idea.* The pods are packed priority by priority, each step filling first what the steps before
//! it left over ([`mod@fill_leftover`]). Nodes are weighed by their cost and by what they take of
//! limits at the prices of these, pods by what the programme of [`crate::bound::RemainingCapacity`]
//! says they are worth, and both are worked out anew as limits are used up. Prices are those of
//! fractions of nodes, so where a limit admits few nodes two other ways are tried as well: to hold
//! the most pods for what a node takes of the limits, and to place those first that stayed out
//! before. The packing that places the most is kept ([`super::best`]). What is bought is then
//! brought down in price as far as the limits allow.
//!
//! *Cost.* A few packings.

use super::fill::FillRule;
use super::packing::{Context, Packing, Scarcity};
use super::{SEARCHED_AMONG, best, buy_all, fill_leftover, pack_once, placeable, right_size};
use crate::compile::ItemId;
use crate::parallel;

/// Packs again with an eye to what is scarce, and keeps what is best.
///
/// Up to five ways: by prices of what is scarce, by pods per scarce unit, and with those first that
/// stayed out before, each with one or two fill rules. The packing that was made without looking at
/// scarcity competes as well, so nothing is lost.
pub(super) fn pack(context: &Context<'_>, before: Packing, fill_rules: &[FillRule]) -> Packing {
    let out = |item: ItemId| before.left[item] > 0 && placeable(context, item);
    let by_priority = |item: ItemId| i64::from(context.item(item).priority).saturating_neg();
    let left_out_first = |item: ItemId| 2 * by_priority(item) + i64::from(!out(item));
    let prices = Context { scarcity: Some(Scarcity::Prices), ..*context };
    let pods = Context { scarcity: Some(Scarcity::Pods), ..*context };
    let (Some(first), Some(last)) = (fill_rules.first(), fill_rules.last()) else { return before };
    let mut methods: Vec<(&Context<'_>, FillRule, bool)> =
        vec![(&prices, *first, false), (&pods, *last, false), (context, *first, true)];
    // Of many items each way takes long, and completion evens out what they differ in.
    if first != last && context.compiled.items.len() <= SEARCHED_AMONG {
        methods.extend([(&prices, *last, false), (context, *last, true)]);
    }
    let start = start(&prices);
    let packings = parallel::map(&methods, |(weighed, fill_rule, left_out)| {
        let rank: &(dyn Fn(ItemId) -> i64 + Sync) =
            if *left_out { &left_out_first } else { &by_priority };
        (!context.is_stopped()).then(|| pack_by(context, weighed, start.clone(), *fill_rule, rank))
    });
    best(context, packings.into_iter().flatten().chain([before]).collect())
}

/// Packs again with prices on what is scarce, once, and keeps what is better.
pub(super) fn pack_quickly(context: &Context<'_>, before: Packing, fill_rule: FillRule) -> Packing {
    let by_priority = |item: ItemId| i64::from(context.item(item).priority).saturating_neg();
    let prices = Context { scarcity: Some(Scarcity::Prices), ..*context };
    let priced = pack_by(context, &prices, Packing::new(context.compiled), fill_rule, &by_priority);
    best(context, vec![priced, before])
}

/// Nothing packed yet, with what all ways begin with looked up and priced.
fn start(prices: &Context<'_>) -> Packing {
    let mut start = Packing::new(prices.compiled);
    let waiting = start.waiting(&|_| true);
    let _worth = start.worth(prices, &waiting);
    start
}

/// Packs rank by rank as nodes are weighed, and then goes by cost as far as limits allow.
///
/// Weighed nodes may be dearer than need be; right-sizing by cost and a last look at what is left
/// follow.
fn pack_by(
    context: &Context<'_>,
    weighed: &Context<'_>,
    start: Packing,
    fill_rule: FillRule,
    rank: &dyn Fn(ItemId) -> i64,
) -> Packing {
    let mut packing = pack_once(weighed, start, fill_rule, rank);
    if weighed.scarcity.is_some() {
        right_size(context, &mut packing);
        let everyone = |_: ItemId| true;
        fill_leftover::fill_leftover(context, &mut packing, fill_rule, &everyone);
        buy_all(context, &mut packing, fill_rule, &everyone);
    }
    packing
}
