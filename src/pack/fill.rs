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

use super::min_values::LaunchMinValues;
use super::packing::{Context, NodeRoom};
use super::search::FillSearch;
use super::value_bucket::{
    BucketCursor, BucketEntry, Chunk4, ItemChunk, Rank, ValueBucket, fits_into, in_chunks, score,
};
use crate::bound::DualValues;
use crate::compile::{Bits, EligibilityId, Id, IdTable, IdVec, Item, ItemId, VolumeKey, fits};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// How the items left to pack are looked at.
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
    fill_rule: FillRule,
}

/// How an item is scored.
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
    pub(crate) fn may_fit(&self, room: &NodeRoom<'_>) -> bool {
        let free: Vec<Chunk4> = in_chunks(room.free).collect();
        self.buckets.iter().any(|bucket| room.admits(bucket.eligibility) && bucket.may_fit(&free))
    }

    /// What a room can hold of what is left, beside what it holds already.
    pub(crate) fn fill(
        &self,
        context: &Context<'_>,
        room: &NodeRoom<'_>,
        held: &[(ItemId, u32)],
        left: &IdVec<ItemId, u32>,
    ) -> Filling {
        let mut node = OpenNode::new(context, room, held, left);
        let mut view = FreeView::of(&node, self.fill_rule);
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
            let Some(at) = next else { return node.finish() };
            let cursor = &mut cursors[at as usize];
            while let Some((entry, chunks)) = node.first_in(cursor, &view) {
                let rank = (entry.base + score(chunks, &view.shares), Reverse(entry.item));
                let others = scored.peek().map(|(best, _)| *best);
                if others.max(fresh.peek().map(|bucket| bucket.rank)) > Some(rank) {
                    scored.push((rank, at));
                    break;
                }
                match self.portion(&node, entry.item, cursor.added) {
                    0 => cursor.pass(),
                    count => {
                        node.add(entry.item, count, self.worth[entry.item], cursor.added);
                        view.view(&node, self.fill_rule);
                        cursor.added += count;
                    }
                }
            }
        }
    }

    /// How many pods of an item, of which the node was given `added`, it is given in one step; none
    /// where `minValues` keep out what there is room for.
    fn portion(&self, node: &OpenNode<'_>, item: ItemId, added: u32) -> u32 {
        match node.takes_beside(item, added) {
            count if self.fill_rule == FillRule::Largest => count,
            count => count.div_ceil(2),
        }
    }

    /// What a room can hold at best, as far as the fill rule goes.
    pub(crate) fn best_fill(
        &self,
        context: &Context<'_>,
        room: &NodeRoom<'_>,
        held: &[(ItemId, u32)],
        left: &IdVec<ItemId, u32>,
    ) -> Filling {
        let filling = self.fill(context, room, held, left);
        let found = self.search(context, room, held, left);
        found.filter(|found| found.worth > filling.worth).unwrap_or(filling)
    }

    /// A better filling by search, where few items are left and the fill rule is to search.
    pub(crate) fn search(
        &self,
        context: &Context<'_>,
        room: &NodeRoom<'_>,
        held: &[(ItemId, u32)],
        left: &IdVec<ItemId, u32>,
    ) -> Option<Filling> {
        if self.fill_rule != FillRule::Searched {
            return None;
        }
        let admitted = self.buckets.iter().filter(|bucket| room.admits(bucket.eligibility));
        let mut items: Vec<ItemId> =
            admitted.flat_map(|bucket| bucket.entries.iter().map(|entry| entry.item)).collect();
        if items.len() > SEARCHED {
            return None;
        }
        items.sort_by_key(|item| (Reverse(self.worth[*item]), *item));
        let search = FillSearch { worth: &self.worth, parts: &self.parts };
        Some(search.fill(OpenNode::new(context, room, held, left), &items))
    }
}

/// What is free on a node and which share that is, in fours.
struct FreeView {
    free: Vec<Chunk4>,
    shares: Vec<Chunk4>,
}

impl FreeView {
    fn of(node: &OpenNode<'_>, fill_rule: FillRule) -> Self {
        let free: Vec<Chunk4> = in_chunks(&node.free).collect();
        let mut view = Self { shares: free.clone(), free };
        view.view(node, fill_rule);
        view
    }

    fn view(&mut self, node: &OpenNode<'_>, fill_rule: FillRule) {
        for (at, (free, all)) in node.free.iter().zip(node.room.all).enumerate() {
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
pub(crate) struct OpenNode<'a> {
    context: &'a Context<'a>,
    room: &'a NodeRoom<'a>,
    held: &'a [(ItemId, u32)],
    left: &'a IdVec<ItemId, u32>,
    free: Vec<i64>,
    ports: Bits,
    /// The items that may not join what the node holds.
    barred: Bits,
    /// How much of each cap is used up, but for pods that are bound already.
    used: Vec<u32>,
    attached: BTreeSet<VolumeKey>,
    items: Vec<(ItemId, u32)>,
    worth: i128,
    minimums: Option<LaunchMinValues>,
}

impl<'a> OpenNode<'a> {
    pub(crate) fn new(
        context: &'a Context<'a>,
        room: &'a NodeRoom<'a>,
        held: &'a [(ItemId, u32)],
        left: &'a IdVec<ItemId, u32>,
    ) -> Self {
        let minimums =
            room.min_values.map(|choice| LaunchMinValues::to_fill(context, choice, held));
        let mut barred = Bits::none(context.compiled.items.len());
        held.iter().for_each(|(item, _)| bar(&mut barred, context.item(*item)));
        let mut used = vec![0; context.compiled.caps.len()];
        for (item, count) in held {
            use_up(context, &mut used, &mut barred, context.item(*item), *count);
        }
        Self {
            context,
            room,
            held,
            left,
            free: room.free.to_vec(),
            ports: room.ports.clone(),
            barred,
            used,
            attached: room.attached.clone(),
            items: Vec::new(),
            worth: 0,
            minimums,
        }
    }

    pub(super) fn free(&self) -> &[i64] {
        &self.free
    }

    pub(super) fn request(&self, item: ItemId) -> &[i64] {
        &self.context.item(item).request
    }

    pub(super) fn worth(&self) -> i128 {
        self.worth
    }

    /// The first item of a bucket, from a cursor on, of which the node can take one more pod.
    fn first_in<'l>(
        &self,
        cursor: &mut BucketCursor<'l>,
        view: &FreeView,
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
            if self.can_take(entry, chunks, cursor.added, view) {
                return Some((entry, chunks));
            }
            cursor.pass();
        }
        None
    }

    /// Whether the node can take one more pod of an item of which it was given `added`: all rules
    /// but `minValues`.
    fn can_take(
        &self,
        entry: &BucketEntry,
        chunks: &[ItemChunk],
        added: u32,
        view: &FreeView,
    ) -> bool {
        fits_into(chunks, &view.free)
            && added < self.left[entry.item]
            && (entry.plain || self.may_take(entry, added))
    }

    /// Whether the rules between pods let the node have one more of an item for which it has room
    /// and of which it was given `added`.
    fn may_take(&self, entry: &BucketEntry, added: u32) -> bool {
        let id = entry.item;
        if self.barred.contains(id.index()) {
            return false;
        }
        let most = entry.per_node;
        if most != u32::MAX && added + count_of(self.held, id) >= most {
            return false;
        }
        if !entry.ruled {
            return true;
        }
        let item = self.context.item(id);
        let under = item.caps.iter().all(|(cap, each)| {
            let used = self.used[cap.index()].saturating_add(*each);
            used <= self.context.compiled.caps[*cap].most
        });
        if !under || self.room.node.is_some() && self.under_caps(item) == 0 {
            return false;
        }
        !item.ports.any() && item.shared.is_empty() || self.takes_by_rules(id, added) > 0
    }

    /// How many more pods of an item the node can take, of those that are left.
    pub(crate) fn takes(&self, id: ItemId) -> u32 {
        self.takes_beside(id, count_of(&self.items, id))
    }

    /// As [`OpenNode::takes`], of an item of which it was given `added`.
    fn takes_beside(&self, id: ItemId, added: u32) -> u32 {
        let count = self.takes_by_rules(id, added);
        match &self.minimums {
            Some(minimums) if count > 0 => {
                let load: Vec<i64> =
                    self.room.all.iter().zip(&self.free).map(|(all, free)| all - free).collect();
                minimums.admit(self.context, &load, id, count)
            }
            _ => count,
        }
    }

    /// As [`OpenNode::takes_beside`], `minValues` aside.
    fn takes_by_rules(&self, id: ItemId, added: u32) -> u32 {
        let item = self.context.item(id);
        let held = added + count_of(self.held, id);
        let most = self.left[id].saturating_sub(added).min(item.per_node.saturating_sub(held));
        let count = fits(&self.free, &item.request, most);
        if count == 0 || item.ports.any() && item.ports.blocks.overlaps(&self.ports) {
            return 0;
        }
        if self.barred.contains(id.index()) {
            return 0;
        }
        let count = count.min(self.under_caps(item));
        // What pods of the item that are there share is attached.
        if count > 0 && added == 0 { item.fits(&self.free, &self.attached, count) } else { count }
    }

    /// How many more of an item the caps allow.
    fn under_caps(&self, item: &Item) -> u32 {
        if item.caps.is_empty() {
            return u32::MAX;
        }
        self.context.under_caps(item, self.room.node, |cap| self.used[cap.index()])
    }

    pub(crate) fn put(&mut self, id: ItemId, count: u32, worth: i64) {
        self.add(id, count, worth, count_of(&self.items, id));
    }

    /// Gives the node more pods of an item of which it was given `added`.
    fn add(&mut self, id: ItemId, count: u32, worth: i64, added: u32) {
        let item = self.context.item(id);
        for (free, asked) in self.free.iter_mut().zip(&item.request) {
            *free -= asked * i64::from(count);
        }
        use_up(self.context, &mut self.used, &mut self.barred, item, count);
        self.ports.or(&item.ports.takes);
        for (at, volume) in &item.shared {
            if self.attached.insert(volume.clone()) {
                self.free[*at] -= 1;
            }
        }
        if added == 0
            && let Some(minimums) = &mut self.minimums
        {
            minimums.join(self.context, id);
        }
        // Most often it's what was given last.
        let mut before = self.items.iter_mut().rev().filter(|_| added > 0);
        match before.find(|(held, _)| *held == id) {
            Some((_, held)) => *held += count,
            None => {
                bar(&mut self.barred, item);
                self.items.push((id, count));
            }
        }
        self.worth += i128::from(worth) * i128::from(count);
    }

    pub(crate) fn finish(mut self) -> Filling {
        self.items.sort_unstable();
        let mut load: Vec<i64> =
            self.room.free.iter().zip(&self.free).map(|(all, free)| all - free).collect();
        // The slots of shared volumes that these pods attach are no part of it.
        let dims = &self.context.compiled.dims;
        for (driver, _) in self.attached.difference(self.room.attached) {
            if let Some(at) = dims.driver(driver) {
                load[at] -= 1;
            }
        }
        Filling { items: self.items, load, worth: self.worth }
    }
}

/// Bars those that may not share a node with an item; conflicts are mutual.
fn bar(barred: &mut Bits, item: &Item) {
    item.conflicts.iter().for_each(|other| barred.insert(other.index()));
}

/// Counts pods for the caps of their item, and bars all items of a cap that is used up.
fn use_up(context: &Context<'_>, used: &mut [u32], barred: &mut Bits, item: &Item, count: u32) {
    for (id, each) in &item.caps {
        let (cap, used) = (&context.compiled.caps[*id], &mut used[id.index()]);
        *used = used.saturating_add(each.saturating_mul(count));
        if *used >= cap.most {
            barred.or(&cap.counted);
        }
    }
}

fn count_of(items: &[(ItemId, u32)], item: ItemId) -> u32 {
    items.iter().find(|(held, _)| *held == item).map_or(0, |(_, count)| *count)
}
