//! The greedy packer: classes onto groups of identical nodes.
//!
//! Running nodes are filled first, since what fits there costs nothing, and then the nodes that static
//! pools launch in any case ([`static_pool`]). Then the node pools are used
//! weight by weight: a pool of a lower weight is touched only for pods that no pool of a higher one
//! can take within its limits, and what room these leave may be used by others ([`weight`]). Within a weight the packer buys the best bargain first
//! ([`greedy`]), then moves every launch to the cheapest column that holds it ([`mod@right_size`]). A few
//! styles of filling a node are tried, and the price-blind baseline ([`first_fit`]) as well; the
//! cheapest packing of those that place the most is kept, and its poorest launches are taken apart
//! once more ([`improve`]).
//!
//! Priorities matter only where something is scarce. So all pods are packed together first; only
//! when some stay out that a launch or a running node could have taken is the packing done anew,
//! priority by priority (and within one, those that stayed out before the others), each step filling
//! first what the steps before it left over ([`top_up`]).

mod arrange;
mod assemble;
mod choose;
mod fill;
mod first_fit;
mod flexible;
mod greedy;
mod honour;
mod improve;
mod lane;
mod reasons;
mod repair;
mod right_size;
mod running;
mod search;
mod specify;
mod state;
mod static_pool;
mod top_up;
mod weight;

#[allow(unused_imports, reason = "what decides domains in other ways is to come")]
pub(crate) use arrange::{Arrangement, Held, Part};
pub(crate) use assemble::assemble;
pub(crate) use choose::Packed;
pub(crate) use fill::Node;
pub(crate) use honour::honours_no_less;
pub(crate) use right_size::right_size;
pub(crate) use running::{alike, room as room_of};
pub(crate) use specify::chosen;
pub(crate) use state::{Context, Group, Place, Room, State};

use crate::compile::{ClassId, Compiled};
use crate::parallel;
use crate::plan::LaunchPlan;
use fill::{SEARCHED, Style};
use greedy::{MANY, Tier};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Plans for the pending pods, cheaply.
pub(crate) fn plan(context: &Context<'_, '_>) -> LaunchPlan {
    assemble(context, &packed(context), None)
}

/// Packs the pending pods, cheaply.
pub(crate) fn packed<'p>(context: &Context<'_, 'p>) -> Packed<'p> {
    choose::choose(context, pack)
}

/// Plans without looking at prices until the end: the baseline to compare with.
pub(crate) fn plan_first_fit(context: &Context<'_, '_>) -> LaunchPlan {
    assemble(context, &choose::choose(context, first_fit::pack), None)
}

/// With more classes than this, searching is no style of its own: too few nodes would be searched.
const SEARCHED_AMONG: usize = 2 * SEARCHED;

/// Packs every pod that can be placed, cheaply.
pub(crate) fn pack(context: &Context<'_, '_>) -> State {
    let classes = context.compiled.classes.len();
    let styles: &[Style] = if classes <= SEARCHED_AMONG {
        &[Style::Balanced, Style::Careful, Style::Largest, Style::Searched]
    } else if classes <= MANY {
        &[Style::Balanced, Style::Careful, Style::Largest]
    } else {
        &[Style::Balanced]
    };
    let together = |_: ClassId| 0;
    let mut start = State::new(context.compiled);
    // All styles begin with the same worth.
    let worth = start.worth(context, &start.waiting(&|_| true));
    let ways: Vec<Option<Style>> =
        styles.iter().map(|style| Some(*style)).chain((classes <= MANY).then_some(None)).collect();
    let packings = parallel::map(&ways, |way| match way {
        Some(style) => pack_once(context, start.clone(), *style, &together),
        None => first_fit::pack(context),
    });
    let best = best(context, packings);
    let out = |class: ClassId| best.left[class] > 0 && placeable(context, class);
    if !context.compiled.classes.ids().any(out) {
        return improve::improve(context, best, &worth, styles[0]);
    }
    // Something is scarce: the urgent come first, and of one priority those that were left out.
    let by_priority = |class: ClassId| i64::from(context.class(class).priority).saturating_neg();
    let left_out_first = |class: ClassId| 2 * by_priority(class) + i64::from(!out(class));
    let ranks: [&(dyn Fn(ClassId) -> i64 + Sync); 2] = [&by_priority, &left_out_first];
    let toll = toll(context);
    let frugal = Context { toll: Some(&toll), ..*context };
    let contexts = [context, &frugal];
    let limited = context.compiled.pools.values().any(|pool| !pool.limits.is_empty());
    let ways: Vec<_> = contexts
        .iter()
        .take(1 + usize::from(limited))
        .flat_map(|context| ranks.iter().map(move |rank| (context, rank)))
        .flat_map(|(context, rank)| styles.iter().map(move |style| (*context, *rank, *style)))
        .collect();
    let mut packings = parallel::map(&ways, |(context, rank, style)| {
        pack_once(context, State::new(context.compiled), *style, *rank)
    });
    packings.push(best);
    self::best(context, packings)
}

/// For each column, the share of its pool's limits that a node takes, the largest of them counted, in
/// billionths.
fn toll(context: &Context<'_, '_>) -> Vec<i64> {
    let compiled = context.compiled;
    let state = State::new(compiled);
    let of_column = |column: &crate::compile::Column| {
        let charge = &compiled.shapes[column.shape].charge;
        let shares = charge
            .iter()
            .zip(state.limits_left(column.pool))
            .map(|(each, left)| i128::from(*each).saturating_mul(1_000_000_000) / (*left).max(1));
        let share = shares.max().unwrap_or(0).clamp(0, 1_000_000_000_000);
        // What takes nothing of a limit is compared by price.
        i64::try_from(share).unwrap_or(i64::MAX).saturating_add(column.price >> 20).max(1)
    };
    compiled.columns.iter().map(of_column).collect()
}

/// Packs every pod that can be placed, in two ways that differ much, to compare arrangements.
pub(crate) fn pack_quickly(context: &Context<'_, '_>) -> State {
    let few = context.compiled.classes.len() <= SEARCHED_AMONG;
    let style = if few { Style::Searched } else { Style::Balanced };
    let greedy = pack_once(context, State::new(context.compiled), style, &|_| 0);
    if few { best(context, vec![greedy, first_fit::pack(context)]) } else { greedy }
}

/// The packing that leaves the fewest pods out, the most urgent first; of those the cheapest; of
/// those the one with the fewest nodes; of those the first.
fn best(context: &Context<'_, '_>, packings: Vec<State>) -> State {
    let best = packings.into_iter().min_by_key(|state| {
        let nodes: u64 = state.groups.iter().map(|group| u64::from(group.times)).sum();
        let illegal = !state.keeps_weights(context.compiled);
        (illegal, state.unplaced(context.compiled), state.cost(context), nodes)
    });
    best.unwrap_or_else(|| State::new(context.compiled))
}

/// Whether any column or running node takes a pod of a class.
fn placeable(context: &Context<'_, '_>, id: ClassId) -> bool {
    let compiled = context.compiled;
    let class = &compiled.classes[id];
    compiled.nodes.ids().any(|node| running::room(context, node).takes(class) > 0)
        || !compiled.takers[id].is_empty()
}

/// Seats the guests: pods that may only use the room that is left.
pub(crate) fn seat_guests(context: &Context<'_, '_>, state: &mut State) {
    let guest = |class: ClassId| context.class(class).guest;
    if context.compiled.classes.ids().any(guest) {
        state.admit_guests(context.compiled);
        top_up::top_up(context, state, Style::Largest, &guest);
        running::fill(context, state, Style::Largest, &guest);
    }
}

/// The columns of a weight.
fn of_weight(compiled: &Compiled<'_>, weight: i32) -> Vec<usize> {
    (0..compiled.columns.len()).filter(|at| compiled.columns[*at].weight == weight).collect()
}

/// Packs in one style, the classes of each rank together, the lowest rank first; where pools are static,
/// with the nodes that suit what is packed, and with the cheapest ones, whichever comes out better.
fn pack_once(
    context: &Context<'_, '_>,
    state: State,
    style: Style,
    rank: &dyn Fn(ClassId) -> i64,
) -> State {
    if !static_pool::lacks_nodes(context.compiled, &state) {
        return pack_from(context, state, style, rank);
    }
    let mut cheap = state.clone();
    static_pool::launch_rest(context, &mut cheap);
    let starts = [state, cheap].into_iter();
    best(context, starts.map(|start| pack_from(context, start, style, rank)).collect())
}

/// Packs in one style what a packing leaves.
fn pack_from(
    context: &Context<'_, '_>,
    mut state: State,
    style: Style,
    rank: &dyn Fn(ClassId) -> i64,
) -> State {
    let compiled = context.compiled;
    let ranks: BTreeSet<i64> = compiled.classes.ids().map(rank).collect();
    let Some(last) = ranks.last().copied() else {
        static_pool::launch_rest(context, &mut state);
        return state;
    };
    for step in ranks {
        let wanted = |class: ClassId| rank(class) == step;
        // Those that nothing can be bought for have no other place.
        let homeless = |class: ClassId| wanted(class) && static_pool::is_homeless(compiled, class);
        top_up::top_up(context, &mut state, style, &homeless);
        running::fill(context, &mut state, style, &homeless);
        top_up::top_up(context, &mut state, style, &wanted);
        running::fill(context, &mut state, style, &wanted);
        static_pool::launch(context, &mut state, style, &wanted);
        if step == last {
            static_pool::launch_rest(context, &mut state);
        }
        buy_all(context, &mut state, style, &wanted);
    }
    state
}

/// Buys launches for what is left, pools of a higher weight first.
fn buy_all(
    context: &Context<'_, '_>,
    state: &mut State,
    style: Style,
    wanted: &dyn Fn(ClassId) -> bool,
) {
    let columns = context.compiled.columns.iter();
    let weights: BTreeSet<Reverse<i32>> = columns.map(|column| Reverse(column.weight)).collect();
    for Reverse(weight) in weights {
        let columns = of_weight(context.compiled, weight);
        let tier = Tier { columns: &columns, style, wanted };
        // Right-sizing may free what a limit holds: go on until it frees nothing.
        loop {
            let before = state.groups.len();
            greedy::buy(context, state, tier);
            if state.groups.len() == before {
                break;
            }
            right_size(context, state);
        }
    }
}
