//! Packing where limits or reservations leave pods out.
//!
//! *Problem.* Place the most pods, the most urgent first, and of the ways to do so choose the cheapest.
//! By cost alone, a type may be bought that uses up a limit for little, and pods may be placed that take
//! the room of many.
//!
//! *Idea.* The pods are packed priority by priority, each step filling first what the steps before it
//! left over ([`mod@top_up`]). Nodes are weighed by their cost and by what they take of limits at the
//! prices of these, pods by what the programme of [`crate::bound::Supply`] says they are worth, and both
//! are worked out anew as limits are used up. Prices are those of fractions of nodes, so where a limit
//! admits few nodes two other ways are tried as well: to hold the most pods for what a node takes of
//! the limits, and to place those first that stayed out before. The packing that places the most is
//! kept ([`super::best`]). What is bought is then brought down in price as far as the limits allow.
//!
//! *Cost.* A few packings.

use super::fill::Style;
use super::state::{Context, Scarcity, State};
use super::{best, buy_all, pack_once, placeable, right_size, top_up};
use crate::compile::ClassId;
use crate::parallel;

/// Packs again with an eye to what is scarce, and keeps what is best.
pub(super) fn pack(context: &Context<'_>, before: State, styles: &[Style]) -> State {
    let out = |class: ClassId| before.left[class] > 0 && placeable(context, class);
    let by_priority = |class: ClassId| i64::from(context.class(class).priority).saturating_neg();
    let left_out_first = |class: ClassId| 2 * by_priority(class) + i64::from(!out(class));
    let prices = Context { scarcity: Some(Scarcity::Prices), ..*context };
    let pods = Context { scarcity: Some(Scarcity::Pods), ..*context };
    let (Some(first), Some(last)) = (styles.first(), styles.last()) else { return before };
    let mut ways: Vec<(&Context<'_>, Style, bool)> =
        vec![(&prices, *first, false), (&pods, *last, false), (context, *first, true)];
    if first != last {
        ways.extend([(&prices, *last, false), (context, *last, true)]);
    }
    let start = start(&prices);
    let packings = parallel::map(&ways, |(weighed, style, left_out)| {
        let rank: &(dyn Fn(ClassId) -> i64 + Sync) =
            if *left_out { &left_out_first } else { &by_priority };
        (!context.is_stopped()).then(|| pack_by(context, weighed, start.clone(), *style, rank))
    });
    best(context, packings.into_iter().flatten().chain([before]).collect())
}

/// Packs again with prices on what is scarce, once, and keeps what is better.
pub(super) fn pack_quickly(context: &Context<'_>, before: State, style: Style) -> State {
    let by_priority = |class: ClassId| i64::from(context.class(class).priority).saturating_neg();
    let prices = Context { scarcity: Some(Scarcity::Prices), ..*context };
    let priced = pack_by(context, &prices, State::new(context.compiled), style, &by_priority);
    best(context, vec![priced, before])
}

/// Nothing packed yet, with what all ways begin with looked up and priced.
fn start(prices: &Context<'_>) -> State {
    let mut start = State::new(prices.compiled);
    let waiting = start.waiting(&|_| true);
    let _worth = start.worth(prices, &waiting);
    start
}

/// Packs rank by rank as nodes are weighed, and then goes by cost as far as limits allow.
fn pack_by(
    context: &Context<'_>,
    weighed: &Context<'_>,
    start: State,
    style: Style,
    rank: &dyn Fn(ClassId) -> i64,
) -> State {
    let mut state = pack_once(weighed, start, style, rank);
    if weighed.scarcity.is_some() {
        right_size(context, &mut state);
        let everyone = |_: ClassId| true;
        top_up::top_up(context, &mut state, style, &everyone);
        buy_all(context, &mut state, style, &everyone);
    }
    state
}
