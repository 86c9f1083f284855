//! The greedy packer: classes onto groups of identical nodes.
//!
//! Running nodes are filled first, since what fits there costs nothing, and then the nodes that static
//! pools launch in any case ([`static_pool`]). Then the node pools are used
//! weight by weight: a pool of a lower weight is touched only for pods that no pool of a higher one
//! can take within its limits, and what room these leave may be used by others ([`weight`]). Within a weight the packer buys the best bargain first
//! ([`greedy`]), then moves every launch to the cheapest column that holds it ([`mod@right_size`]). A few
//! styles of filling a node are tried, and two other ways as well: the price-blind baseline
//! ([`first_fit`]), and reservation prices ([`mod@reserve`]). The cheapest packing of those that place the most is kept, and its poorest launches are taken apart
//! once more ([`improve`]).
//!
//! Priorities matter only where something is scarce. So all pods are packed together first; only
//! when some stay out that a launch or a running node could have taken is the packing done anew,
//! priority by priority, with prices on what is scarce ([`scarce`]).
//!
//! What is packed is completed ([`mod@complete`]), and parts of a small plan are taken out and put back
//! better ([`improve_few`]).

mod arrange;
mod assemble;
mod choose;
mod combine;
mod complete;
mod fill;
mod first_fit;
mod flexible;
mod greedy;
mod honour;
mod improve;
mod invariant;
mod lane;
mod repair;
mod reserve;
mod right_size;
mod running;
mod scarce;
mod search;
mod shown;
mod specify;
mod standing;
mod state;
mod static_pool;
mod top_up;
mod union;
mod weight;

pub(crate) use arrange::{Arrangement, Held, Out, Part, UNTAINTED};
pub(crate) use assemble::assemble;
pub(crate) use choose::Packed;
use choose::Ways;
pub(crate) use complete::{complete, is_ordered, recreate};
pub(crate) use fill::Node;
pub(crate) use honour::honours_no_less;
pub(crate) use right_size::right_size;
pub(crate) use running::{alike, room as room_of};
pub(crate) use specify::chosen;
pub(crate) use state::{Context, Group, Place, Room, State};
pub(crate) use static_pool::launch_rest;

use crate::compile::{ClassId, Compiled};
use crate::parallel;
use crate::plan::LaunchPlan;
use fill::{FEW, SEARCHED, Style};
use greedy::{MANY, Tier};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Packs the pending pods, cheaply.
pub(crate) fn packed(context: &Context<'_>) -> Packed {
    let mut packed = choose::choose(context, Ways { thorough: pack, brief: pack_briefly });
    let _more = complete(context, &mut packed);
    improve_few(context, packed)
}

/// What putting parts of a plan back another way may take: attempts × nodes and offers × classes of pods.
const MOST_RECREATED: usize = 200_000;
/// The most attempts.
const MOST_ATTEMPTS: usize = 60;

/// Takes parts of a small plan out and puts them back better, where there is anything to decide but what
/// goes on which node.
fn improve_few(context: &Context<'_>, packed: Packed) -> Packed {
    // Preferences at no price are none.
    let free = Context { wishful: false, wish_price: None, ..*context };
    let context = if context.wish_price == Some(0) { &free } else { context };
    let compiled = context.compiled;
    let scarce = may_be_scarce(compiled)
        || compiled.nodes.len() > 0
        || compiled.pools.values().any(|pool| pool.weight != 0);
    // Spreads that are only wished for are kept over the domains that could be launched in; what is put
    // back counts those alone that stand.
    let mut rules = compiled.topology.rules.values();
    let soft = context.wishful && rules.any(|rules| rules.spreads.iter().any(|one| !one.hard));
    if soft || !scarce && packed.arrangement.is_none() {
        return packed;
    }
    let groups = packed.state.groups.len() + compiled.offers.len();
    let open = compiled.pools.values().any(|pool| !pool.min_values.is_empty());
    let each = if open { 1 + compiled.offers.len() / 16 } else { 1 };
    let size = groups.saturating_mul(compiled.kinds.len()).saturating_mul(each).max(1);
    let mut attempts = (MOST_RECREATED / size).min(MOST_ATTEMPTS);
    if attempts == 0 {
        return packed;
    }
    let mut granted = || {
        let granted = attempts > 0 && !context.is_stopped();
        attempts = attempts.saturating_sub(1);
        granted
    };
    recreate(context, packed, &mut granted).0
}

/// Plans without looking at prices until the end: the baseline to compare with.
pub(crate) fn plan_first_fit(context: &Context<'_>) -> LaunchPlan {
    let mut packed =
        choose::choose(context, Ways { thorough: first_fit::pack, brief: first_fit::pack });
    let _more = complete(context, &mut packed);
    assemble(context, &packed, None)
}

/// With more classes than this, searching is no style of its own: too few nodes would be searched.
const SEARCHED_AMONG: usize = 2 * SEARCHED;

/// Packs every pod that can be placed, cheaply.
///
/// Once the caller wishes to be given what there is, no further way is tried.
pub(crate) fn pack(context: &Context<'_>) -> State {
    pack_with(context, true)
}

/// As [`pack`], with little effort where something is scarce.
fn pack_briefly(context: &Context<'_>) -> State {
    pack_with(context, false)
}

fn pack_with(context: &Context<'_>, thorough: bool) -> State {
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
    let mut ways: Vec<Way> = styles.iter().map(|style| Way::Bargains(*style)).collect();
    if classes <= MANY {
        ways.push(Way::FirstFit);
    }
    if classes <= FEW {
        ways.push(Way::ReservationPrices);
    }
    let go = |way: &Way| match way {
        Way::Bargains(style) => pack_once(context, start.clone(), *style, &together),
        Way::FirstFit => first_fit::pack(context),
        Way::ReservationPrices => reserve::pack(context),
    };
    let go_on = |way: &Way| (!context.is_stopped()).then(|| go(way));
    // Where something may be scarce, one way says whether it is; then the others look at that.
    let first = if may_be_scarce(context.compiled) || context.is_stopped() { 1 } else { 0 };
    let mut packings: Vec<State> = ways.drain(..first).map(|way| go(&way)).collect();
    let scarce = packings.iter().any(|state| short(context, state));
    if !scarce {
        packings.extend(parallel::map(&ways, go_on).into_iter().flatten());
    }
    let mut best = best(context, packings);
    if short(context, &best) && !context.is_stopped() {
        best = match thorough {
            true => scarce::pack(context, best, styles),
            false => scarce::pack_quickly(context, best, styles[0]),
        };
    }
    let improved = improve::improve(context, best, &worth, styles[0]);
    improved.assert_consistent(context);
    improved
}

/// Whether limits or reservations may leave out what could be bought otherwise.
fn may_be_scarce(compiled: &Compiled) -> bool {
    compiled.pools.values().any(|pool| !pool.limits.is_empty())
        || compiled.columns.iter().any(|column| column.reservation.is_some())
}

/// A way to pack.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// The best bargain first, nodes filled in a style.
    Bargains(Style),
    FirstFit,
    /// The dearest column first, as long as its pods pay for it.
    ReservationPrices,
}

/// Whether pods stay out that a launch or a running node could have taken.
fn short(context: &Context<'_>, state: &State) -> bool {
    let mut classes = context.compiled.classes.ids();
    classes.any(|class| state.left[class] > 0 && placeable(context, class))
}

/// Packs every pod that can be placed, in few ways that differ much, to compare arrangements.
pub(crate) fn pack_quickly(context: &Context<'_>) -> State {
    let few = context.compiled.classes.len() <= SEARCHED_AMONG;
    let style = if few { Style::Searched } else { Style::Balanced };
    let greedy = pack_once(context, State::new(context.compiled), style, &|_| 0);
    if may_be_scarce(context.compiled) && short(context, &greedy) {
        return scarce::pack_quickly(context, greedy, style);
    }
    greedy.assert_consistent(context);
    if few { best(context, vec![greedy, first_fit::pack(context)]) } else { greedy }
}

/// The packing that leaves the fewest pods out, the most urgent first; of those the cheapest; of
/// those the one with the fewest nodes; of those the first.
fn best(context: &Context<'_>, packings: Vec<State>) -> State {
    let best = packings.into_iter().min_by_key(|state| {
        let nodes: u64 = state.groups.iter().map(|group| u64::from(group.times)).sum();
        let illegal = !state.keeps_weights(context.compiled);
        (illegal, state.unplaced(context.compiled), state.cost(context), nodes)
    });
    best.unwrap_or_else(|| State::new(context.compiled))
}

/// Whether any column or running node takes a pod of a class.
fn placeable(context: &Context<'_>, id: ClassId) -> bool {
    let compiled = context.compiled;
    let class = &compiled.classes[id];
    compiled.nodes.ids().any(|node| running::room(context, node).takes(class) > 0)
        || !compiled.takers[id].is_empty()
}

/// Seats the guests: pods that may only use the room that is left.
pub(crate) fn seat_guests(context: &Context<'_>, state: &mut State) {
    let guest = |class: ClassId| context.class(class).guest;
    if context.compiled.classes.ids().any(guest) {
        state.admit_guests(context.compiled);
        top_up::top_up(context, state, Style::Largest, &guest);
        running::fill(context, state, Style::Largest, &guest);
    }
    state.assert_consistent(context);
}

/// The columns of a weight.
fn of_weight(compiled: &Compiled, weight: i32) -> Vec<usize> {
    (0..compiled.columns.len()).filter(|at| compiled.columns[*at].weight == weight).collect()
}

/// Packs in one style, the classes of each rank together, the lowest rank first; where pools are static,
/// with the nodes that suit what is packed, and with the cheapest ones, whichever comes out better.
fn pack_once(
    context: &Context<'_>,
    state: State,
    style: Style,
    rank: &dyn Fn(ClassId) -> i64,
) -> State {
    if !static_pool::lacks_nodes(context.compiled, &state) {
        return pack_from(context, state, style, rank);
    }
    let mut cheap = state.clone();
    launch_rest(context, &mut cheap);
    let starts = [state, cheap].into_iter();
    best(context, starts.map(|start| pack_from(context, start, style, rank)).collect())
}

/// Packs in one style what a packing leaves.
fn pack_from(
    context: &Context<'_>,
    mut state: State,
    style: Style,
    rank: &dyn Fn(ClassId) -> i64,
) -> State {
    let compiled = context.compiled;
    let ranks: BTreeSet<i64> = compiled.classes.ids().map(rank).collect();
    let Some(last) = ranks.last().copied() else {
        launch_rest(context, &mut state);
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
            launch_rest(context, &mut state);
        }
        buy_all(context, &mut state, style, &wanted);
    }
    state
}

/// Buys launches for what is left, pools of a higher weight first.
fn buy_all(
    context: &Context<'_>,
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
