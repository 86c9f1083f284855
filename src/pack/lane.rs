//! Lanes: classes of one row and one direction, largest worth first, laid out for a quick walk.
//!
//! A step of a filling reads little of many classes: what a pod needs, what its resources are worth.
//! Those numbers lie side by side in the order of the walk, four resources at a time; and in a long
//! lane many classes that are too large for what is left are passed at once.

use crate::compile::{Class, ClassId, Id, IdVec, RowId};
use std::cmp::Reverse;

/// Classes of one row and one direction, largest worth first.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) row: RowId,
    /// What none of its classes exceeds.
    pub(super) rank: Rank,
    pub(super) entries: Vec<Entry>,
    /// For each class so many of them as its resources take, in the same order.
    quads: Vec<Quad>,
    /// The least that any class needs.
    least: Vec<Four>,
    /// In a long lane, the least that each [`STRIDE`] classes need: most classes of a lane are too
    /// large for what is left of a node, and many are passed at once.
    strides: Vec<Four>,
    /// How many classes stand there yet are forgotten.
    forgotten: usize,
}

/// A score, and the class that scores so; of equal scores the first class is the best.
pub(super) type Rank = (i64, Reverse<ClassId>);

/// How many classes of a long lane are passed at once.
const STRIDE: usize = 16;

/// What a step reads of a class, beside its numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) class: ClassId,
    /// The part of its score that is no resource's.
    pub(super) base: i64,
    /// Whether its pods go wherever there is room: no rule between pods counts.
    pub(super) plain: bool,
    /// Whether more is to be looked at than who may not share its node and how many it takes.
    pub(super) ruled: bool,
    /// How many a node holds at most, whatever its size.
    pub(super) per_node: u32,
}

impl Entry {
    pub(super) fn new(id: ClassId, class: &Class, base: i64) -> Self {
        Self {
            class: id,
            base,
            plain: class.goes_anywhere(),
            ruled: !class.caps.is_empty() || class.ports.any() || !class.shared.is_empty(),
            per_node: class.per_node,
        }
    }
}

/// Numbers for four resources: steps read them in fours, without loops over the resources.
pub(super) type Four = [i64; 4];

/// What a class needs of four resources, and the parts of its worth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quad {
    /// What must be free for one of its pods; anything will do of what it doesn't ask for.
    needs: Four,
    parts: Four,
}

/// Numbers in fours, made up with zeros.
pub(super) fn in_fours(numbers: &[i64]) -> impl Iterator<Item = Four> {
    numbers.chunks(4).map(|some| std::array::from_fn(|at| some.get(at).copied().unwrap_or(0)))
}

/// More than any node has.
const NEVER: Four = [i64::MAX; 4];

/// Whether as much is free as is needed.
fn is_enough(free: &Four, needs: &Four) -> bool {
    let ([a, b, c, d], [e, f, g, h]) = (free, needs);
    a >= e && b >= f && c >= g && d >= h
}

impl Lane {
    pub(super) fn new(row: RowId, width: usize) -> Self {
        let least = vec![NEVER; width.div_ceil(4)];
        Self {
            row,
            rank: (0, Reverse(ClassId::from_index(0))),
            entries: Vec::new(),
            quads: Vec::new(),
            least,
            strides: Vec::new(),
            forgotten: 0,
        }
    }

    pub(super) fn push(&mut self, entry: Entry, request: &[i64], parts: &[i64]) {
        let fours = in_fours(request).zip(in_fours(parts));
        for ((needs, parts), least) in fours.zip(&mut self.least) {
            let needs = needs.map(|each| if each > 0 { each } else { i64::MIN });
            least.iter_mut().zip(needs).for_each(|(least, need)| *least = need.min(*least));
            self.quads.push(Quad { needs, parts });
        }
        self.entries.push(entry);
    }

    pub(super) fn forget(&mut self, class: ClassId, worth: &IdVec<ClassId, i64>) {
        let place = |class: ClassId| (Reverse(worth[class]), class);
        let at = self.entries.binary_search_by_key(&place(class), |entry| place(entry.class));
        let Ok(at) = at else { return };
        let fours = self.least.len();
        // It stays where it is, too large for any node, until many have to go.
        self.quads[at * fours..(at + 1) * fours].iter_mut().for_each(|quad| quad.needs = NEVER);
        self.forgotten += 1;
        if self.forgotten < STRIDE && self.forgotten < self.entries.len() {
            return;
        }
        let mut stays = self.quads.chunks(fours).map(|quads| quads[0].needs != NEVER);
        self.entries.retain(|_| stays.next().unwrap_or(false));
        self.quads.retain(|quad| quad.needs != NEVER);
        self.forgotten = 0;
        self.measure();
    }

    /// Works out what each stride needs.
    pub(super) fn measure(&mut self) {
        let fours = self.least.len();
        self.strides.clear();
        if self.entries.len() <= STRIDE {
            return;
        }
        for quads in self.quads.chunks(STRIDE * fours) {
            let before = self.strides.len();
            self.strides.extend(quads[..fours].iter().map(|quad| quad.needs));
            for of_class in quads.chunks(fours) {
                for (least, quad) in self.strides[before..].iter_mut().zip(of_class) {
                    least.iter_mut().zip(quad.needs).for_each(|(least, need)| {
                        *least = need.min(*least);
                    });
                }
            }
        }
    }

    /// Sets the rank, where so much is the share of each resource that is free at most.
    pub(super) fn set_rank(&mut self, share: i64) {
        let shares = vec![[share; 4]; self.least.len()];
        let scores = self.entries.iter().zip(self.quads.chunks(self.least.len()));
        let most = scores.map(|(entry, quads)| entry.base + score(quads, &shares)).max();
        if let (Some(most), Some(first)) = (most, self.entries.first()) {
            self.rank = (most, Reverse(first.class));
        }
    }

    /// Whether a stride begins at a place of which every class needs more than is free.
    pub(super) fn is_too_large(&self, at: usize, free: &[Four]) -> bool {
        if !at.is_multiple_of(STRIDE) {
            return false;
        }
        let fours = self.least.len();
        let stride = self.strides.get(at / STRIDE * fours..(at / STRIDE + 1) * fours);
        stride.is_some_and(|stride| {
            !free.iter().zip(stride).all(|(free, need)| is_enough(free, need))
        })
    }

    /// Whether any class may find enough free.
    pub(super) fn may_fit(&self, free: &[Four]) -> bool {
        free.iter().zip(&self.least).all(|(free, least)| is_enough(free, least))
    }

    /// The numbers of the class at a place.
    pub(super) fn quads(&self, at: usize) -> &[Quad] {
        let fours = self.least.len();
        &self.quads[at * fours..(at + 1) * fours]
    }
}

/// Whether as much is free as a class needs.
pub(super) fn fits_into(quads: &[Quad], free: &[Four]) -> bool {
    quads.iter().zip(free).all(|(quad, free)| is_enough(free, &quad.needs))
}

/// What a class scores with its resources.
pub(super) fn score(quads: &[Quad], shares: &[Four]) -> i64 {
    let scores = quads.iter().zip(shares).map(|(Quad { parts, .. }, shares)| {
        let ([a, b, c, d], [e, f, g, h]) = (parts, shares);
        a * e + b * f + c * g + d * h
    });
    scores.sum()
}

/// How far a lane has been walked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pub(super) lane: &'a Lane,
    /// The place of the first class that may still fit.
    pub(super) at: usize,
    /// How many pods of that class the node was given.
    pub(super) added: u32,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(lane: &'a Lane) -> Self {
        Self { lane, at: 0, added: 0 }
    }
}

impl Cursor<'_> {
    /// Goes on to the next class.
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
