//! Filling one node.
//!
//! *Problem.* Given room for pods and the items that are left, choose how many of each to put there
//! so that they are worth as much as possible: a knapsack with several dimensions.
//!
//! *Idea.* Step by step take the item whose request lies best along what is free: the score of a
//! item is the sum over resources of what its request is worth times the share of the resource that
//! is still free, so that large pods come first and a resource that runs short is left to those who
//! need it least. Of the best item about half of what fits is taken at a time, so that items mix
//! and the room is used up evenly; the steps grow with the logarithm of the counts.
//!
//! Items of one eligibility set and one direction (how their worth divides over the resources) are
//! a *bucket*, largest first; in each bucket only the first item that still fits is scored. Within
//! a fill what doesn't fit once never fits again, so each bucket is walked once. Scores fall while
//! the node fills up, so what a bucket scored before is the most it can score now (within a bucket,
//! nearly), and on an empty node every bucket scores the same whatever the node is: buckets lie in
//! that order, and only those are scored again that come first by what they scored.
//!
//! *Cost.* One look at each item of the admitted buckets, and buckets × steps scores at most;
//! mostly a few for each step.
//!
//! References: Panigrahy et al. 2011, "Heuristics for vector bin packing" (dot product,
//! bin-centric).
//!
//! *Example.* A node has 8 cores and 32 GiB free. Item A asks 2 cores and 2 GiB, B 1 core and 8
//! GiB, each worth its share of the price. On the empty node both lie along what is free; after two
//! A's memory is relatively more free, so B scores higher, and so on: the node ends with cores and
//! memory used up together, where the largest first would leave one of them.

use super::packing::Context;
use super::search::FillSearch;
use super::value_bucket::{
    BucketCursor, BucketEntry, Chunk4, ItemChunk, Rank, ValueBucket, fits_into, in_chunks, score,
};
use crate::bound::DualValues;
use crate::compile::{EligibilityId, IdTable, IdVec, ItemId, NodeRoom, OpenNode};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// How the items left to pack are looked at.
///
/// Made once for a set of worths and used for many fillings; items of which none are left are
/// forgotten as they go ([`ValueBuckets::forget`]).
#[derive(Clone, Debug)]
pub(crate) struct ValueBuckets {
    /// The one that scores most on an empty node first.
    buckets: Vec<ValueBucket>,
    /// For each item of which any are left, the parts of its worth by resource; at least one where
    /// it asks for any.
    parts: IdTable<ItemId, i64>,
    /// For each item, its worth.
    worth: IdVec<ItemId, i64>,
    /// For each item, its bucket.
    bucket: IdVec<ItemId, usize>,
    /// By which rule the next item is chosen.
    fill_rule: FillRule,
}

/// How an item is scored.
///
/// No rule is best for all problems: they are tried beside each other where pods are few.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FillRule {
    /// By worth along what is free, about half of what fits at a time.
    Balanced,
    /// By worth alone, all that fits at a time: first fit decreasing in one node.
    Largest,
    /// As balanced, but resources that run short count much less.
    Careful,
    /// By search, where few items are left; else as balanced.
    Searched,
}

/// What one node is to hold more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filling {
    /// By item.
    pub(crate) items: Vec<(ItemId, u32)>,
    /// What these items ask for together.
    pub(crate) load: Vec<i64>,
    /// What they are worth together, in the units of [`DualValues`].
    pub(crate) worth: i128,
}

/// The share of a resource of which all is free.
const WHOLE: i64 = 4096;
/// With more items than this, a bucket holds the items of one direction; with fewer, one item.
pub(super) const FEW: usize = 192;
/// With more items than this a node isn't filled by search.
pub(super) const SEARCHED: usize = 32;

impl ValueBuckets {
    /// Sorts the items of which any are left into buckets.
    ///
    /// Scores are sums of products of a part of a worth and a share of at most [`WHOLE`]; parts are
    /// cut so that no sum overflows, far above what occurs.
    pub(crate) fn new(
        context: &Context<'_>,
        worth: &DualValues,
        left: &IdVec<ItemId, u32>,
        fill_rule: FillRule,
    ) -> Self {
        let compiled = context.compiled;
        let total: IdVec<ItemId, i64> =
            compiled.items.ids().map(|item| worth.of(item).max(1)).collect();
        let waiting: Vec<ItemId> =
            left.iter().filter(|(_, left)| **left > 0).map(|(item, _)| item).collect();
        let width = compiled.dims.len();
        // So small that no score overflows; worth comes nowhere near it.
        let most = i64::MAX / (4 * WHOLE) / i64::try_from(width + 1).unwrap_or(i64::MAX);
        let mut parts = IdTable::filled(compiled.items.len(), width, 0);
        for item in &waiting {
            let worths = worth.by_dim[*item].iter().zip(&compiled.items[*item].request);
            for (part, (worth, asked)) in parts[*item].iter_mut().zip(worths) {
                *part = if *asked > 0 { (*worth).clamp(1, most) } else { 0 };
            }
        }
        let mut by_class: BTreeMap<(EligibilityId, u64), Vec<ItemId>> = BTreeMap::new();
        for (number, item) in (0_u64..).zip(&waiting) {
            let profile = if waiting.len() <= FEW { number } else { direction(&parts[*item]) };
            by_class.entry((compiled.items[*item].eligibility, profile)).or_default().push(*item);
        }
        let mut buckets = Vec::with_capacity(by_class.len());
        for ((eligibility, _), mut items) in by_class {
            items.sort_by_key(|item| (Reverse(total[*item]), *item));
            let mut of_class = ValueBucket::new(eligibility, width);
            for item in items {
                let base = match fill_rule {
                    FillRule::Largest => total[item].min(most),
                    // What is no resource's is as free on every node; one fill rule leaves it out.
                    FillRule::Careful => 0,
                    FillRule::Balanced | FillRule::Searched => {
                        worth.slot[item].clamp(0, most) * WHOLE
                    }
                };
                let of_item = &compiled.items[item];
                let entry = BucketEntry::new(item, of_item, base);
                of_class.push(entry, &of_item.request, &parts[item]);
            }
            of_class.measure();
            of_class.set_rank(fill_rule.share(1, 1));
            buckets.push(of_class);
        }
        buckets.sort_by_key(|bucket| Reverse(bucket.rank));
        let mut bucket: IdVec<ItemId, usize> = compiled.items.iter().map(|_| usize::MAX).collect();
        for (at, of_class) in buckets.iter().enumerate() {
            of_class.entries.iter().for_each(|entry| bucket[entry.item] = at);
        }
        Self { buckets, parts, worth: total, bucket, fill_rule }
    }

    /// Forgets an item of which none are left.
    pub(crate) fn forget(&mut self, item: ItemId) {
        if let Some(bucket) = self.buckets.get_mut(self.bucket[item]) {
            bucket.forget(item, &self.worth);
        }
    }

    /// Whether anything that is left may find room.
    ///
    /// A cheap test before a fill: for each bucket that the node admits whether the least that any
    /// of its items asks of each resource is free. It errs on the side of yes.
    pub(crate) fn may_fit(&self, room: &NodeRoom<'_>, free: &[i64]) -> bool {
        let free: Vec<Chunk4> = in_chunks(free).collect();
        self.buckets.iter().any(|bucket| room.admits(bucket.eligibility) && bucket.may_fit(&free))
    }

    /// What a node can take of what is left.
    ///
    /// Two sources compete for the next item: buckets not looked at yet, in the order of what they
    /// score on an empty node, and a heap of those that were, by their last score. Scores only
    /// fall, so when the best of both beats the rest it is the best of all.
    pub(crate) fn fill(
        &self,
        context: &Context<'_>,
        node: OpenNode<'_>,
        left: &IdVec<ItemId, u32>,
    ) -> Filling {
        let room = *node.room();
        let mut node = FilledNode::new(node);
        let mut view = FreeView::of(&node.node, self.fill_rule);
        // Buckets that weren't looked at yet, by what they score at most, and those that were, by
        // what they scored and how far they were walked.
        let mut fresh =
            self.buckets.iter().filter(|bucket| room.admits(bucket.eligibility)).peekable();
        let mut scored: BinaryHeap<(Rank, u32)> = BinaryHeap::new();
        let mut cursors: Vec<BucketCursor<'_>> = Vec::new();
        loop {
            let next = match (fresh.peek(), scored.peek()) {
                (Some(bucket), best) if best.is_none_or(|(best, _)| *best < bucket.rank) => {
                    cursors.push(BucketCursor::new(bucket));
                    let _bucket = fresh.next();
                    Some(cursors.len() as u32 - 1)
                }
                _ => scored.pop().map(|(_, at)| at),
            };
            let Some(at) = next else { return node.finish(context) };
            let cursor = &mut cursors[at as usize];
            while let Some((entry, chunks)) = node.first_in(cursor, &view, left) {
                let rank = (entry.base + score(chunks, &view.shares), Reverse(entry.item));
                let others = scored.peek().map(|(best, _)| *best);
                if others.max(fresh.peek().map(|bucket| bucket.rank)) > Some(rank) {
                    scored.push((rank, at));
                    break;
                }
                // None where `minValues` keep out what there is room for.
                let most = left[entry.item].saturating_sub(cursor.added);
                match self.portion(node.node.takes(entry.item, most)) {
                    0 => cursor.pass(),
                    count => {
                        node.give(entry.item, count, self.worth[entry.item]);
                        view.view(&node.node, self.fill_rule);
                        cursor.added += count;
                    }
                }
            }
        }
    }

    /// How many of so many pods a node is given in one step.
    ///
    /// Halves, so that a step never commits the room of a node to one kind where others would mix;
    /// `Largest` is the rule that does.
    fn portion(&self, takes: u32) -> u32 {
        if self.fill_rule == FillRule::Largest { takes } else { takes.div_ceil(2) }
    }

    /// What a node can take at best, as far as the fill rule goes.
    pub(crate) fn best_fill(
        &self,
        context: &Context<'_>,
        node: OpenNode<'_>,
        left: &IdVec<ItemId, u32>,
    ) -> Filling {
        let found = self.search(context, &node, left);
        let filling = self.fill(context, node, left);
        found.filter(|found| found.worth > filling.worth).unwrap_or(filling)
    }

    /// A better filling by search, where few items are left and the fill rule is to search.
    pub(crate) fn search(
        &self,
        context: &Context<'_>,
        node: &OpenNode<'_>,
        left: &IdVec<ItemId, u32>,
    ) -> Option<Filling> {
        if self.fill_rule != FillRule::Searched {
            return None;
        }
        let room = node.room();
        let admitted = self.buckets.iter().filter(|bucket| room.admits(bucket.eligibility));
        let mut items: Vec<ItemId> =
            admitted.flat_map(|bucket| bucket.entries.iter().map(|entry| entry.item)).collect();
        if items.len() > SEARCHED {
            return None;
        }
        items.sort_by_key(|item| (Reverse(self.worth[*item]), *item));
        let search = FillSearch { context, left, worth: &self.worth, parts: &self.parts };
        Some(search.fill(FilledNode::new(node.clone()), &items))
    }
}

/// What is free on a node and which share that is, in fours.
struct FreeView {
    free: Vec<Chunk4>,
    shares: Vec<Chunk4>,
}

impl FreeView {
    fn of(node: &OpenNode<'_>, fill_rule: FillRule) -> Self {
        let free: Vec<Chunk4> = in_chunks(node.free()).collect();
        let mut view = Self { shares: free.clone(), free };
        view.view(node, fill_rule);
        view
    }

    fn view(&mut self, node: &OpenNode<'_>, fill_rule: FillRule) {
        for (at, (free, all)) in node.free().iter().zip(node.room().free).enumerate() {
            self.free[at / 4][at % 4] = *free;
            self.shares[at / 4][at % 4] = fill_rule.share(*free, *all);
        }
    }
}

impl FillRule {
    /// The weight of a resource of which so much is still free, up to 4096 or a little more.
    fn share(self, free: i64, all: i64) -> i64 {
        if all <= 0 || free <= 0 || self == Self::Largest {
            return 0;
        }
        // Exact where it fits; amounts too large for that are coarse enough already.
        let share = match free.checked_mul(WHOLE) {
            Some(product) => product / all,
            None => free / (all / WHOLE).max(1),
        };
        // No more is free than all, but for rounding.
        let share = share.min(2 * WHOLE);
        match self {
            Self::Balanced | Self::Largest | Self::Searched => share.max(1),
            Self::Careful => (share * share / WHOLE).max(1),
        }
    }
}

/// How an item's worth divides over the resources, in steps of an octave's half or so.
fn direction(parts: &[i64]) -> u64 {
    let total: i128 = parts.iter().map(|part| i128::from(*part)).sum();
    parts.iter().fold(0, |key: u64, part| {
        let share = if total == 0 { 0 } else { i128::from(*part) * 12 / total };
        key.wrapping_mul(13).wrapping_add(u64::try_from(share).unwrap_or(0))
    })
}

/// A node while it is being filled.
#[derive(Clone, Debug)]
pub(super) struct FilledNode<'a> {
    pub(super) node: OpenNode<'a>,
    /// What it was given.
    items: Vec<(ItemId, u32)>,
    pub(super) worth: i128,
}

impl<'a> FilledNode<'a> {
    pub(super) fn new(node: OpenNode<'a>) -> Self {
        Self { node, items: Vec::new(), worth: 0 }
    }

    /// The first item of a bucket, from a cursor on, of which the node can take one more pod: all
    /// rules but `minValues`.
    fn first_in<'l>(
        &self,
        cursor: &mut BucketCursor<'l>,
        view: &FreeView,
        left: &IdVec<ItemId, u32>,
    ) -> Option<(&'l BucketEntry, &'l [ItemChunk])> {
        let bucket = cursor.bucket;
        if !bucket.may_fit(&view.free) {
            return None;
        }
        while let Some(entry) = bucket.entries.get(cursor.at) {
            if bucket.is_too_large(cursor.at, &view.free) {
                cursor.pass_stride();
                continue;
            }
            let chunks = bucket.chunks(cursor.at);
            if fits_into(chunks, &view.free)
                && cursor.added < left[entry.item]
                && self.node.may_take(&entry.rules)
            {
                return Some((entry, chunks));
            }
            cursor.pass();
        }
        None
    }

    /// Gives the node more pods of an item that are worth so much each.
    pub(super) fn give(&mut self, id: ItemId, count: u32, worth: i64) {
        self.node.put(id, count);
        // Most often it's what was given last.
        match self.items.iter_mut().rev().find(|(held, _)| *held == id) {
            Some((_, held)) => *held += count,
            None => self.items.push((id, count)),
        }
        self.worth += i128::from(worth) * i128::from(count);
    }

    pub(super) fn finish(mut self, context: &Context<'_>) -> Filling {
        self.items.sort_unstable();
        let load = context.compiled.load(&self.items);
        Filling { items: self.items, load, worth: self.worth }
    }
}
