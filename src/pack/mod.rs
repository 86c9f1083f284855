//! The greedy packer: classes onto groups of identical nodes.
//!
//! Running nodes are filled first, since what fits there costs nothing. Then the node pools are used
//! weight by weight: a pool of a lower weight is touched only for pods that no pool of a higher one
//! can take within its limits. Within a weight the packer buys the best bargain first
//! ([`greedy`]), then moves every launch to the cheapest column that holds it ([`right_size`]). A few
//! styles of filling a node are tried, and the price-blind baseline ([`first_fit`]) as well; the
//! cheapest packing of those that place the most is kept.
//!
//! Priorities matter only where something is scarce. So all pods are packed together first; only
//! when some stay out that a launch or a running node could have taken is the packing done anew,
//! priority by priority, and the more urgent pods kept.

mod assemble;
mod fill;
mod first_fit;
mod flexible;
mod greedy;
mod reasons;
mod right_size;
mod running;
mod search;
mod state;

pub(crate) use state::Context;

use crate::compile::ClassId;
use crate::plan::LaunchPlan;
use fill::{SEARCHED, Style};
use greedy::{MANY, Tier};
use state::State;
use std::collections::BTreeSet;

/// Plans for the pending pods, cheaply.
pub(crate) fn plan(context: &Context<'_, '_>) -> LaunchPlan {
    assemble::assemble(context, &pack(context))
}

/// Plans without looking at prices until the end: the baseline to compare with.
pub(crate) fn plan_first_fit(context: &Context<'_, '_>) -> LaunchPlan {
    assemble::assemble(context, &first_fit::pack(context))
}

/// With more classes than this, searching is no style of its own: too few nodes would be searched.
const SEARCHED_AMONG: usize = 2 * SEARCHED;

/// Packs every pod that can be placed, cheaply.
fn pack(context: &Context<'_, '_>) -> State {
    let levels = priorities(context);
    let styles: &[Style] = match context.compiled.classes.len() {
        0..=SEARCHED_AMONG => {
            &[Style::Balanced, Style::Careful, Style::Largest, Style::Searched]
        }
        ..=MANY => &[Style::Balanced, Style::Careful, Style::Largest],
        _ => &[Style::Balanced],
    };
    let mut packings: Vec<State> =
        styles.iter().map(|style| pack_once(context, *style, &[None])).collect();
    packings.push(first_fit::pack(context));
    let best = best(context, packings);
    let scarce = best.as_ref().is_some_and(|state| {
        state.left.iter().any(|(class, left)| *left > 0 && placeable(context, class))
    });
    if !scarce || levels.len() < 2 {
        return best.unwrap_or_else(|| State::new(context.compiled));
    }
    let in_order: Vec<Option<i32>> = levels.into_iter().map(Some).collect();
    let urgent = styles.iter().map(|style| pack_once(context, *style, &in_order));
    let all: Vec<State> = best.into_iter().chain(urgent).collect();
    self::best(context, all).unwrap_or_else(|| State::new(context.compiled))
}

/// The packing that leaves the fewest pods out, the most urgent first; of those the cheapest; of
/// those the one with the fewest nodes; of those the first.
fn best(context: &Context<'_, '_>, packings: Vec<State>) -> Option<State> {
    packings.into_iter().min_by_key(|state| {
        let nodes: u64 = state.groups.iter().map(|group| u64::from(group.times)).sum();
        (state.unplaced(context.compiled), state.cost(context), nodes)
    })
}

/// Whether any column or running node takes a pod of a class.
fn placeable(context: &Context<'_, '_>, id: ClassId) -> bool {
    let compiled = context.compiled;
    let class = &compiled.classes[id];
    compiled.nodes.ids().any(|node| running::room(context, node).takes(class) > 0)
        || !compiled.takers[id].is_empty()
}

fn buyable<'a>(context: &'a Context<'_, '_>) -> impl Iterator<Item = usize> + 'a {
    0..context.compiled.columns.len()
}

/// Packs in one style, the priorities of each step together (`None`: all).
fn pack_once(context: &Context<'_, '_>, style: Style, steps: &[Option<i32>]) -> State {
    let compiled = context.compiled;
    let mut state = State::new(compiled);
    let weights: BTreeSet<std::cmp::Reverse<i32>> =
        compiled.columns.iter().map(|column| std::cmp::Reverse(column.weight)).collect();
    for priority in steps {
        let wanted =
            |class: ClassId| priority.is_none_or(|level| context.class(class).priority == level);
        // Those that nothing can be bought for have no other place.
        let homeless = |class: ClassId| compiled.takers[class].is_empty();
        running::fill(context, &mut state, style, |class| wanted(class) && homeless(class));
        running::fill(context, &mut state, style, wanted);
        for std::cmp::Reverse(weight) in &weights {
            let columns: Vec<usize> =
                buyable(context).filter(|at| compiled.columns[*at].weight == *weight).collect();
            let tier = Tier { columns: &columns, style, priority: *priority };
            // Right-sizing may free what a limit holds: go on until it frees nothing.
            loop {
                let before = state.groups.len();
                greedy::buy(context, &mut state, tier);
                if state.groups.len() == before {
                    break;
                }
                right_size::right_size(context, &mut state);
            }
        }
    }
    state
}

fn priorities(context: &Context<'_, '_>) -> Vec<i32> {
    let levels: BTreeSet<std::cmp::Reverse<i32>> =
        context.compiled.classes.values().map(|class| std::cmp::Reverse(class.priority)).collect();
    levels.into_iter().map(|level| level.0).collect()
}
