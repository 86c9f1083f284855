//! Static pools: which nodes they launch.
//!
//! *Problem.* A static pool launches so many nodes whatever is pending. Of which type they are and in which
//! zone is open, and pods on them cost nothing more. So these choices decide which pods have a place, and
//! what has to be bought for the others.
//!
//! *Idea.* One node after another: each column of the pools is filled with what is left, and that one is
//! launched whose pods would cost most elsewhere, less what its node costs more than the pool's cheapest.
//! Pods that have no place elsewhere are looked at by themselves first; what is left of a node's room is
//! then the others'. What nobody needs is launched last, as cheaply as can be.
//!
//! What a pod costs elsewhere is its share of the launch that is cheapest for pods of its class alone. A
//! pod without a place elsewhere counts for its share of the static node that is cheapest for its class,
//! and a node with such a pod comes before any without. One style of filling has the node first that
//! places most of them; the styles compete, so that both the cheap and the large choice are tried.
//!
//! *Why it is right.* Any choice of columns is legal that limits, reservations and `minValues` admit, and
//! the pool launches no more nodes than it lacks.
//!
//! *Cost.* A filling of each column of a static pool for each distinct node that is launched; nothing
//! where no pool is static.

use super::fill::{Filling, Lanes, Style};
use super::flexible::meets_minimums;
use super::state::{Context, Group, Place, State};
use super::top_up;
use crate::compile::{ClassId, Column, Compiled, IdVec, PoolId};
use std::cmp::Reverse;

/// Parts of a billionth in which shares of a node's cost are counted.
const PARTS: i128 = 1 << 20;

/// Whether no pool that pods may ask for nodes can hold a class: static ones don't count.
pub(crate) fn is_homeless(compiled: &Compiled, class: ClassId) -> bool {
    compiled.takers[class].iter().all(|at| is_static(compiled, &compiled.columns[at]))
}

fn is_static(compiled: &Compiled, column: &Column) -> bool {
    compiled.pools[column.pool].fixed.is_some()
}

/// Whether a static pool has nodes to launch that aren't yet.
pub(crate) fn lacks_nodes(compiled: &Compiled, state: &State) -> bool {
    compiled.pools.values().any(|pool| pool.fixed.is_some_and(|nodes| nodes > 0))
        && !columns(compiled, state).is_empty()
}

/// Whether a column is of a static pool that could launch something cheaper.
pub(crate) fn has_cheaper(compiled: &Compiled, column: usize) -> bool {
    let own = &compiled.columns[column];
    let cheaper = |other: &Column| other.pool == own.pool && other.price < own.price;
    is_static(compiled, own) && compiled.columns.iter().any(cheaper)
}

/// Launches the nodes of static pools that can hold something of what is left, where `wanted` says so.
pub(crate) fn launch(
    context: &Context<'_>,
    state: &mut State,
    style: Style,
    wanted: &dyn Fn(ClassId) -> bool,
) {
    if !lacks_nodes(context.compiled, state) {
        return;
    }
    let homeless = |class: ClassId| wanted(class) && is_homeless(context.compiled, class);
    launch_for(context, state, style, &homeless);
    top_up::top_up(context, state, style, wanted);
    launch_for(context, state, style, wanted);
}

/// Launches what static pools still lack, empty and as cheaply as can be.
pub(crate) fn launch_rest(context: &Context<'_>, state: &mut State) {
    let compiled = context.compiled;
    if !lacks_nodes(compiled, state) {
        return;
    }
    let mut columns = columns(compiled, state);
    columns.sort_by_key(|at| (context.cost(*at), *at));
    for at in columns {
        let times = state.static_supply(compiled, &compiled.columns[at]);
        let load = vec![0; compiled.dims.len()];
        let choice = compiled.columns[at].offers.first();
        let suits = || choice.is_some_and(|choice| meets_minimums(context, *choice, &[], &load));
        if times > 0 && (context.lenient || suits()) {
            state.add(compiled, Group { place: Place::Launch(at), items: Vec::new(), load, times });
        }
    }
}

/// The columns of static pools of which nodes are still to be launched.
fn columns(compiled: &Compiled, state: &State) -> Vec<usize> {
    let columns = compiled.columns.iter().enumerate();
    let lacking = columns
        .filter(|(_, column)| is_static(compiled, column))
        .filter(|(_, column)| state.static_supply(compiled, column) > 0);
    lacking.map(|(at, _)| at).collect()
}

fn launch_for(
    context: &Context<'_>,
    state: &mut State,
    style: Style,
    wanted: &dyn Fn(ClassId) -> bool,
) {
    let compiled = context.compiled;
    let left = state.waiting(wanted);
    if left.values().all(|left| *left == 0) {
        return;
    }
    let worth = state.worth(context, &left);
    let mut lanes = Lanes::new(context, &worth, &left, style);
    let shares = shares(context, state, &left);
    loop {
        let columns = columns(compiled, state);
        let mut cheapest: IdVec<PoolId, Option<i64>> =
            compiled.pools.iter().map(|_| None).collect();
        for at in &columns {
            let (pool, cost) = (compiled.columns[*at].pool, cost(context, *at));
            cheapest[pool] = Some(cheapest[pool].map_or(cost, |least| least.min(cost)));
        }
        let candidates = columns.into_iter().filter_map(|at| {
            let filling = lanes.best_fill(context, &context.room(at), &[], &state.left);
            let empty = cheapest[compiled.columns[at].pool].unwrap_or(0);
            let extra = i128::from(cost(context, at)) - i128::from(empty);
            let merit = Merit::of(&filling, &shares, extra);
            let is_of_use = !filling.items.is_empty() && (merit.homeless > 0 || merit.gain >= 0);
            is_of_use.then(|| (merit.key(style), Reverse(at), filling))
        });
        let best = candidates.max_by_key(|(key, at, _)| (*key, *at));
        let Some((_, Reverse(at), filling)) = best else { return };
        let supply = state.static_supply(compiled, &compiled.columns[at]);
        let times = filling.items.iter().map(|(class, count)| state.left[*class] / count).min();
        let times = times.unwrap_or(0).min(supply).max(1);
        let used: Vec<ClassId> = filling.items.iter().map(|(class, _)| *class).collect();
        let place = Place::Launch(at);
        state.add(compiled, Group { place, items: filling.items, load: filling.load, times });
        let gone = used.into_iter().filter(|class| state.left[*class] == 0);
        gone.for_each(|class| lanes.forget(class));
    }
}

/// What a node costs, whatever takes the place of prices elsewhere.
fn cost(context: &Context<'_>, column: usize) -> i64 {
    context.compiled.columns[column].price.saturating_add(context.fee)
}

/// What placing one pod of a class on a static node is worth.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    /// Whether it has no place elsewhere.
    homeless: bool,
    /// What it costs elsewhere, or on a static node if it has no place elsewhere.
    cost: i128,
}

/// The shares of the classes of which any are left.
fn shares(
    context: &Context<'_>,
    state: &State,
    left: &IdVec<ClassId, u32>,
) -> IdVec<ClassId, Share> {
    let compiled = context.compiled;
    let of_class = |class: ClassId| {
        if left[class] == 0 {
            return Share::default();
        }
        let least = |fixed: bool| {
            let takers = compiled.takers[class].iter().filter(|at| {
                let column = &compiled.columns[*at];
                is_static(compiled, column) == fixed && (fixed || state.is_open(compiled, column))
            });
            let share = |at: usize| {
                let takes = context.room(at).takes(context.class(class)).min(left[class]).max(1);
                i128::from(cost(context, at)).saturating_mul(PARTS) / i128::from(takes)
            };
            takers.map(share).min()
        };
        match least(false) {
            Some(cost) => Share { homeless: false, cost },
            None => Share { homeless: true, cost: least(true).unwrap_or(0) },
        }
    };
    compiled.classes.ids().map(of_class).collect()
}

/// What speaks for a filled node.
#[derive(Clone, Copy, Debug)]
struct Merit {
    /// How many of its pods have no place elsewhere.
    homeless: u64,
    /// What its pods would cost elsewhere, less what it costs more than an empty node.
    gain: i128,
}

impl Merit {
    fn of(filling: &Filling, shares: &IdVec<ClassId, Share>, extra: i128) -> Self {
        let mut merit = Self { homeless: 0, gain: extra.saturating_mul(-PARTS) };
        for (class, count) in &filling.items {
            let share = shares[*class];
            merit.homeless += if share.homeless { u64::from(*count) } else { 0 };
            merit.gain = merit.gain.saturating_add(share.cost.saturating_mul(i128::from(*count)));
        }
        merit
    }

    /// The greater, the better.
    fn key(self, style: Style) -> (u64, i128) {
        match style {
            Style::Largest => (self.homeless, self.gain),
            _ => (self.homeless.min(1), self.gain),
        }
    }
}
