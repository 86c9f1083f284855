//! Buckets: items of one eligibility set and one direction, largest worth first, laid out for a
//! quick walk.
//!
//! A step of a filling reads little of many items: what a pod needs, what its resources are worth.
//! Those numbers lie side by side in the order of the walk, four resources at a time; and in a long
//! bucket many items that are too large for what is left are passed at once.

use crate::compile::{EligibilityId, Id, IdVec, Item, ItemId, SharingRules};
use std::cmp::Reverse;

/// Items of one eligibility set and one direction, largest worth first.
#[derive(Clone, Debug)]
pub(super) struct ValueBucket {
    pub(super) eligibility: EligibilityId,
    /// What none of its items exceeds.
    pub(super) rank: Rank,
    pub(super) entries: Vec<BucketEntry>,
    /// For each item so many of them as its resources take, in the same order.
    chunks: Vec<ItemChunk>,
    /// The least that any item needs.
    least: Vec<Chunk4>,
    /// In a long bucket, the least that each [`STRIDE`] items need: most items of a bucket are too
    /// large for what is left of a node, and many are passed at once.
    strides: Vec<Chunk4>,
    /// How many items stand there yet are forgotten.
    forgotten: usize,
}

/// A score, and the item that scores so; of equal scores the first item is the best.
pub(super) type Rank = (i64, Reverse<ItemId>);

/// How many items of a long bucket are passed at once.
const STRIDE: usize = 16;

/// What a step reads of an item, beside its numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct BucketEntry {
    pub(super) item: ItemId,
    /// The part of its score that is no resource's.
    pub(super) base: i64,
    pub(super) rules: SharingRules,
}

impl BucketEntry {
    pub(super) fn new(id: ItemId, item: &Item, base: i64) -> Self {
        Self { item: id, base, rules: SharingRules::of(id, item) }
    }
}

/// Numbers for four resources: steps read them in fours, without loops over the resources.
pub(super) type Chunk4 = [i64; 4];

/// What an item needs of four resources, and the parts of its worth.
#[derive(Clone, Copy, Debug)]
pub(super) struct ItemChunk {
    /// What must be free for one of its pods; anything will do of what it doesn't ask for.
    needs: Chunk4,
    parts: Chunk4,
}

/// Numbers in fours, made up with zeros.
pub(super) fn in_chunks(numbers: &[i64]) -> impl Iterator<Item = Chunk4> {
    numbers.chunks(4).map(|some| std::array::from_fn(|at| some.get(at).copied().unwrap_or(0)))
}

/// More than any node has.
const NEVER: Chunk4 = [i64::MAX; 4];

/// Whether as much is free as is needed.
fn is_enough(free: &Chunk4, needs: &Chunk4) -> bool {
    let ([a, b, c, d], [e, f, g, h]) = (free, needs);
    a >= e && b >= f && c >= g && d >= h
}

impl ValueBucket {
    pub(super) fn new(eligibility: EligibilityId, width: usize) -> Self {
        let least = vec![NEVER; width.div_ceil(4)];
        Self {
            eligibility,
            rank: (0, Reverse(ItemId::from_index(0))),
            entries: Vec::new(),
            chunks: Vec::new(),
            least,
            strides: Vec::new(),
            forgotten: 0,
        }
    }

    pub(super) fn push(&mut self, entry: BucketEntry, request: &[i64], parts: &[i64]) {
        let chunks = in_chunks(request).zip(in_chunks(parts));
        for ((needs, parts), least) in chunks.zip(&mut self.least) {
            let needs = needs.map(|each| if each > 0 { each } else { i64::MIN });
            least.iter_mut().zip(needs).for_each(|(least, need)| *least = need.min(*least));
            self.chunks.push(ItemChunk { needs, parts });
        }
        self.entries.push(entry);
    }

    pub(super) fn forget(&mut self, item: ItemId, worth: &IdVec<ItemId, i64>) {
        let place = |item: ItemId| (Reverse(worth[item]), item);
        let at = self.entries.binary_search_by_key(&place(item), |entry| place(entry.item));
        let Ok(at) = at else { return };
        let chunk_count = self.least.len();
        // It stays where it is, too large for any node, until many have to go.
        self.chunks[at * chunk_count..(at + 1) * chunk_count]
            .iter_mut()
            .for_each(|chunk| chunk.needs = NEVER);
        self.forgotten += 1;
        if self.forgotten < STRIDE && self.forgotten < self.entries.len() {
            return;
        }
        let mut stays = self.chunks.chunks(chunk_count).map(|chunks| chunks[0].needs != NEVER);
        self.entries.retain(|_| stays.next().unwrap_or(false));
        self.chunks.retain(|chunk| chunk.needs != NEVER);
        self.forgotten = 0;
        self.measure();
    }

    /// Works out what each stride needs.
    pub(super) fn measure(&mut self) {
        let chunk_count = self.least.len();
        self.strides.clear();
        if self.entries.len() <= STRIDE {
            return;
        }
        for chunks in self.chunks.chunks(STRIDE * chunk_count) {
            let before = self.strides.len();
            self.strides.extend(chunks[..chunk_count].iter().map(|chunk| chunk.needs));
            for of_item in chunks.chunks(chunk_count) {
                for (least, chunk) in self.strides[before..].iter_mut().zip(of_item) {
                    least.iter_mut().zip(chunk.needs).for_each(|(least, need)| {
                        *least = need.min(*least);
                    });
                }
            }
        }
    }

    /// Sets the rank, where so much is the share of each resource that is free at most.
    pub(super) fn set_rank(&mut self, share: i64) {
        let shares = vec![[share; 4]; self.least.len()];
        let scores = self.entries.iter().zip(self.chunks.chunks(self.least.len()));
        let most = scores.map(|(entry, chunks)| entry.base + score(chunks, &shares)).max();
        if let (Some(most), Some(first)) = (most, self.entries.first()) {
            self.rank = (most, Reverse(first.item));
        }
    }

    /// Whether a stride begins at a place of which every item needs more than is free.
    pub(super) fn is_too_large(&self, at: usize, free: &[Chunk4]) -> bool {
        if !at.is_multiple_of(STRIDE) {
            return false;
        }
        let chunk_count = self.least.len();
        let stride = self.strides.get(at / STRIDE * chunk_count..(at / STRIDE + 1) * chunk_count);
        stride.is_some_and(|stride| {
            !free.iter().zip(stride).all(|(free, need)| is_enough(free, need))
        })
    }

    /// Whether any item may find enough free.
    pub(super) fn may_fit(&self, free: &[Chunk4]) -> bool {
        free.iter().zip(&self.least).all(|(free, least)| is_enough(free, least))
    }

    /// The numbers of the item at a place.
    pub(super) fn chunks(&self, at: usize) -> &[ItemChunk] {
        let chunk_count = self.least.len();
        &self.chunks[at * chunk_count..(at + 1) * chunk_count]
    }
}

/// Whether as much is free as an item needs.
pub(super) fn fits_into(chunks: &[ItemChunk], free: &[Chunk4]) -> bool {
    chunks.iter().zip(free).all(|(chunk, free)| is_enough(free, &chunk.needs))
}

/// What an item scores with its resources.
pub(super) fn score(chunks: &[ItemChunk], shares: &[Chunk4]) -> i64 {
    let scores = chunks.iter().zip(shares).map(|(ItemChunk { parts, .. }, shares)| {
        let ([a, b, c, d], [e, f, g, h]) = (parts, shares);
        a * e + b * f + c * g + d * h
    });
    scores.sum()
}

/// How far a bucket has been walked.
#[derive(Clone, Copy, Debug)]
pub(super) struct BucketCursor<'a> {
    pub(super) bucket: &'a ValueBucket,
    /// The place of the first item that may still fit.
    pub(super) at: usize,
    /// How many pods of that item the node was given.
    pub(super) added: u32,
}

impl<'a> BucketCursor<'a> {
    pub(super) fn new(bucket: &'a ValueBucket) -> Self {
        Self { bucket, at: 0, added: 0 }
    }
}

impl BucketCursor<'_> {
    /// Goes on to the next item.
    pub(super) fn pass(&mut self) {
        self.at += 1;
        self.added = 0;
    }

    /// Goes on to the next stride.
    pub(super) fn pass_stride(&mut self) {
        self.at += STRIDE;
        self.added = 0;
    }
}
