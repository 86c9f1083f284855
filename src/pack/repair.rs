//! What an arrangement had no room for, taken out of its packing.
//!
//! *Problem.* An arrangement gives pods their domains, and the packer may find no room for some of them.
//! Others were judged with those in place: a spread's lowest count is lower without them.
//!
//! *Idea.* How many pods each cell holds is a fact by now. With these numbers as ceilings pods are arranged
//! once more; each pod that has a cell then had a place in that cell before, on the very nodes that are
//! launched. So the packing is kept, with the pods that aren't in the new arrangement taken off.
//!
//! Where that leaves a launch of a lower weight without the pods that needed it, the others there are packed
//! anew.
//!
//! *Why it is right.* A node holds some of what it held, and the new arrangement is legal by itself.

use super::arrange::Arrangement;
use super::fill::{Node, Style};
use super::state::{Context, Group, Place, State};
use super::weight::Weights;
use super::{buy_all, static_pool, top_up};
use crate::compile::{Bits, ClassId, Compiled, IdVec, KindId};
use std::collections::BTreeMap;

/// The packing of an arrangement, without what another has no more; on the same nodes.
pub(super) fn transfer(
    context: &Context<'_>,
    (from, former): (&Compiled, &State),
    to: &Arrangement,
) -> State {
    let inner = Context { compiled: &to.compiled, ..*context };
    let mut state = State::new(&to.compiled);
    let known = counterparts(from, &to.compiled);
    let columns = columns(from, &to.compiled);
    for group in &former.groups {
        let place = match &group.place {
            Place::Launch(column) => match columns.get(*column).copied().flatten() {
                Some(column) => Place::Launch(column),
                None => continue,
            },
            Place::Running(nodes) => Place::Running(nodes.clone()),
        };
        let items: Vec<(ClassId, u32)> =
            group.items.iter().filter_map(|(class, each)| Some((known[*class]?, *each))).collect();
        for (first, times) in segments(&state.left, &items, group.times) {
            let place = match &place {
                Place::Launch(column) => Place::Launch(*column),
                Place::Running(nodes) => {
                    Place::Running(nodes[first as usize..(first + times) as usize].to_vec())
                }
            };
            put(&inner, &mut state, place, &items, times);
        }
    }
    static_pool::launch_rest(&inner, &mut state);
    keep_weights(&inner, &mut state);
    state
}

/// Packs anew what is on launches of a lower weight that those who needed them are gone from.
fn keep_weights(context: &Context<'_>, state: &mut State) {
    let compiled = context.compiled;
    let weights = Weights::of(compiled, state);
    let groups = (0..state.groups.len()).rev();
    let idle: Vec<usize> =
        groups.filter(|at| !weights.are_kept(compiled, &state.groups, *at)).collect();
    if idle.is_empty() {
        return;
    }
    for at in idle {
        let _apart = state.take_out(compiled, at);
    }
    top_up::top_up(context, state, Style::Largest, &|_| true);
    buy_all(context, state, Style::Largest, &|_| true);
}

/// Adds equal nodes that hold as many pods of these classes as are left, at most so many.
fn put(
    context: &Context<'_>,
    state: &mut State,
    place: Place,
    items: &[(ClassId, u32)],
    times: u32,
) {
    let compiled = context.compiled;
    let left: IdVec<ClassId, u32> = state.left.iter().map(|(_, left)| left / times).collect();
    let (room, fixed) = match &place {
        Place::Launch(column) => {
            let pool = compiled.columns[*column].pool;
            (context.room(*column), compiled.pools[pool].fixed.is_some())
        }
        Place::Running(nodes) => match nodes.first() {
            Some(node) => (super::room_of(context, *node), false),
            None => return,
        },
    };
    let mut node = Node::new(context, &room, &[], &left);
    for (class, each) in items {
        let taken = if room.admits(compiled.classes[*class].row) { node.takes(*class) } else { 0 };
        if taken.min(*each) > 0 {
            node.put(*class, taken.min(*each), 0);
        }
    }
    let filling = node.finish();
    if filling.items.is_empty() && !fixed {
        return;
    }
    if let Place::Running(nodes) = &place {
        state.idle.retain(|idle| !nodes.contains(idle));
    }
    state.add(compiled, Group { place, items: filling.items, load: filling.load, times });
}

/// Equal nodes cut where one of their classes runs out: the first node of each part, and how many.
fn segments(left: &IdVec<ClassId, u32>, items: &[(ClassId, u32)], times: u32) -> Vec<(u32, u32)> {
    let mut cuts = vec![0, times];
    for (class, each) in items.iter().filter(|(_, each)| *each > 0) {
        let whole = left[*class] / each;
        cuts.extend([whole, whole.saturating_add(1)].into_iter().filter(|cut| *cut < times));
    }
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2).map(|pair| (pair[0], pair[1] - pair[0])).collect()
}

/// What a class is: its parts, and the sites that they may use.
type Pods<'a> = (&'a [(KindId, u32)], &'a Bits);

/// For each class of one arrangement, the same pods at the same sites in another.
fn counterparts(from: &Compiled, to: &Compiled) -> IdVec<ClassId, Option<ClassId>> {
    let mut known: BTreeMap<Pods<'_>, ClassId> = BTreeMap::new();
    for (id, class) in to.classes.iter() {
        let _first = known.entry((&class.parts[..], &to.rows[class.row])).or_insert(id);
    }
    let classes = from.classes.values();
    classes.map(|class| known.get(&(&class.parts[..], &from.rows[class.row])).copied()).collect()
}

/// For each column of one arrangement, the one of another that has its first offer.
fn columns(from: &Compiled, to: &Compiled) -> Vec<Option<usize>> {
    let mut of_offer = BTreeMap::new();
    for (at, column) in to.columns.iter().enumerate() {
        for offer in column.offers.iter().chain(&column.dominated) {
            let _first = of_offer.entry(*offer).or_insert(at);
        }
    }
    let first = from.columns.iter().map(|column| column.offers.first());
    first.map(|offer| of_offer.get(offer?).copied()).collect()
}
