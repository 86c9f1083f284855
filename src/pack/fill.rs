//! Filling one node.
//!
//! *Problem.* Given room for pods and the classes that are left, choose how many of each to put there
//! so that they are worth as much as possible: a knapsack with several dimensions.
//!
//! *Idea.* Step by step take the class whose request lies best along what is free: the score of a
//! class is the sum over resources of what its request is worth times the share of the resource that
//! is still free, so that large pods come first and a resource that runs short is left to those who
//! need it least. Of the best class about half of what fits is taken at a time, so that classes mix
//! and the room is used up evenly; the steps grow with the logarithm of the counts.
//!
//! Classes of one row and one direction (how their worth divides over the resources) are a *lane*,
//! largest first; in each lane only the first class that still fits is scored. Within a fill what
//! doesn't fit once never fits again, so each lane is walked once. Scores fall while the node fills up,
//! so what a lane scored before is the most it can score now (within a lane, nearly), and on an empty
//! node every lane scores the same whatever the node is: lanes lie in that order, and only those are
//! scored again that come first by what they scored.
//!
//! *Cost.* One look at each class of the admitted lanes, and lanes × steps scores at most; mostly a few
//! for each step.
//!
//! References: Panigrahy et al. 2011, "Heuristics for vector bin packing" (dot product, bin-centric).

use super::flexible::Minimums;
use super::lane::{Cursor, Entry, Four, Lane, Quad, Rank, fits_into, in_fours, score};
use super::search::Search;
use super::state::{Context, Room};
use crate::bound::Worth;
use crate::compile::{Bits, Class, ClassId, Id, IdTable, IdVec, RowId, VolumeKey, fits};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// How the classes left to pack are looked at.
#[derive(Clone, Debug)]
pub(crate) struct Lanes {
    /// The one that scores most on an empty node first.
    lanes: Vec<Lane>,
    /// For each class of which any are left, the parts of its worth by resource; at least one where it
    /// asks for any.
    parts: IdTable<ClassId, i64>,
    /// For each class, its worth.
    worth: IdVec<ClassId, i64>,
    /// For each class, its lane.
    lane: IdVec<ClassId, usize>,
    style: Style,
}

/// How a class is scored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Style {
    /// By worth along what is free, about half of what fits at a time.
    Balanced,
    /// By worth alone, all that fits at a time: first fit decreasing in one node.
    Largest,
    /// As balanced, but resources that run short count much less.
    Careful,
    /// By search, where few classes are left; else as balanced.
    Searched,
}

/// What one node is to hold more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filling {
    /// By class.
    pub(crate) items: Vec<(ClassId, u32)>,
    /// What these items ask for together.
    pub(crate) load: Vec<i64>,
    /// What they are worth together, in the units of [`Worth`].
    pub(crate) worth: i128,
}

/// The share of a resource of which all is free.
const WHOLE: i64 = 4096;
/// With more classes than this, a lane holds the classes of one direction; with fewer, one class.
pub(super) const FEW: usize = 192;
/// With more classes than this a node isn't filled by search.
pub(super) const SEARCHED: usize = 32;

impl Lanes {
    /// Sorts the classes of which any are left into lanes.
    pub(crate) fn new(
        context: &Context<'_>,
        worth: &Worth,
        left: &IdVec<ClassId, u32>,
        style: Style,
    ) -> Self {
        let compiled = context.compiled;
        let total: IdVec<ClassId, i64> =
            compiled.classes.ids().map(|class| worth.of(class).max(1)).collect();
        let waiting: Vec<ClassId> =
            left.iter().filter(|(_, left)| **left > 0).map(|(class, _)| class).collect();
        let width = compiled.dims.len();
        // So small that no score overflows; worth comes nowhere near it.
        let most = i64::MAX / (4 * WHOLE) / i64::try_from(width + 1).unwrap_or(i64::MAX);
        let mut parts = IdTable::filled(compiled.classes.len(), width, 0);
        for class in &waiting {
            let worths = worth.by_dim[*class].iter().zip(&compiled.classes[*class].request);
            for (part, (worth, asked)) in parts[*class].iter_mut().zip(worths) {
                *part = if *asked > 0 { (*worth).clamp(1, most) } else { 0 };
            }
        }
        let mut by_kind: BTreeMap<(RowId, u64), Vec<ClassId>> = BTreeMap::new();
        for (number, class) in (0_u64..).zip(&waiting) {
            let kind = if waiting.len() <= FEW { number } else { direction(&parts[*class]) };
            by_kind.entry((compiled.classes[*class].row, kind)).or_default().push(*class);
        }
        let mut lanes = Vec::with_capacity(by_kind.len());
        for ((row, _), mut classes) in by_kind {
            classes.sort_by_key(|class| (Reverse(total[*class]), *class));
            let mut of_kind = Lane::new(row, width);
            for class in classes {
                let base = match style {
                    Style::Largest => total[class].min(most),
                    // What is no resource's is as free on every node; one style leaves it out.
                    Style::Careful => 0,
                    Style::Balanced | Style::Searched => worth.slot[class].clamp(0, most) * WHOLE,
                };
                let of_class = &compiled.classes[class];
                let entry = Entry::new(class, of_class, base);
                of_kind.push(entry, &of_class.request, &parts[class]);
            }
            of_kind.measure();
            of_kind.set_rank(style.share(1, 1));
            lanes.push(of_kind);
        }
        lanes.sort_by_key(|lane| Reverse(lane.rank));
        let mut lane: IdVec<ClassId, usize> = compiled.classes.iter().map(|_| usize::MAX).collect();
        for (at, of_kind) in lanes.iter().enumerate() {
            of_kind.entries.iter().for_each(|entry| lane[entry.class] = at);
        }
        Self { lanes, parts, worth: total, lane, style }
    }

    /// Forgets a class of which none are left.
    pub(crate) fn forget(&mut self, class: ClassId) {
        if let Some(lane) = self.lanes.get_mut(self.lane[class]) {
            lane.forget(class, &self.worth);
        }
    }

    /// Whether anything that is left may find room.
    pub(crate) fn may_fit(&self, room: &Room<'_>) -> bool {
        let free: Vec<Four> = in_fours(room.free).collect();
        self.lanes.iter().any(|lane| room.admits(lane.row) && lane.may_fit(&free))
    }

    /// What a room can hold of what is left, beside what it holds already.
    pub(crate) fn fill(
        &self,
        context: &Context<'_>,
        room: &Room<'_>,
        held: &[(ClassId, u32)],
        left: &IdVec<ClassId, u32>,
    ) -> Filling {
        let mut node = Node::new(context, room, held, left);
        let mut view = View::of(&node, self.style);
        // Lanes that weren't looked at yet, by what they score at most, and those that were, by what they
        // scored and how far they were walked.
        let mut fresh = self.lanes.iter().filter(|lane| room.admits(lane.row)).peekable();
        let mut scored: BinaryHeap<(Rank, u32)> = BinaryHeap::new();
        let mut cursors: Vec<Cursor<'_>> = Vec::new();
        loop {
            let next = match (fresh.peek(), scored.peek()) {
                (Some(lane), best) if best.is_none_or(|(best, _)| *best < lane.rank) => {
                    cursors.push(Cursor::new(lane));
                    let _lane = fresh.next();
                    Some(cursors.len() as u32 - 1)
                }
                _ => scored.pop().map(|(_, at)| at),
            };
            let Some(at) = next else { return node.finish() };
            let cursor = &mut cursors[at as usize];
            while let Some((entry, quads)) = node.first_in(cursor, &view) {
                let rank = (entry.base + score(quads, &view.shares), Reverse(entry.class));
                let others = scored.peek().map(|(best, _)| *best);
                if others.max(fresh.peek().map(|lane| lane.rank)) > Some(rank) {
                    scored.push((rank, at));
                    break;
                }
                match self.portion(&node, entry.class, cursor.added) {
                    0 => cursor.pass(),
                    count => {
                        node.add(entry.class, count, self.worth[entry.class], cursor.added);
                        view.look(&node, self.style);
                        cursor.added += count;
                    }
                }
            }
        }
    }

    /// How many pods of a class, of which the node was given `added`, it is given in one step; none where
    /// `minValues` keep out what there is room for.
    fn portion(&self, node: &Node<'_>, class: ClassId, added: u32) -> u32 {
        match node.takes_beside(class, added) {
            count if self.style == Style::Largest => count,
            count => count.div_ceil(2),
        }
    }

    /// What a room can hold at best, as far as the style goes.
    pub(crate) fn best_fill(
        &self,
        context: &Context<'_>,
        room: &Room<'_>,
        held: &[(ClassId, u32)],
        left: &IdVec<ClassId, u32>,
    ) -> Filling {
        let filling = self.fill(context, room, held, left);
        let found = self.search(context, room, held, left);
        found.filter(|found| found.worth > filling.worth).unwrap_or(filling)
    }

    /// A better filling by search, where few classes are left and the style is to search.
    pub(crate) fn search(
        &self,
        context: &Context<'_>,
        room: &Room<'_>,
        held: &[(ClassId, u32)],
        left: &IdVec<ClassId, u32>,
    ) -> Option<Filling> {
        if self.style != Style::Searched {
            return None;
        }
        let admitted = self.lanes.iter().filter(|lane| room.admits(lane.row));
        let mut classes: Vec<ClassId> =
            admitted.flat_map(|lane| lane.entries.iter().map(|entry| entry.class)).collect();
        if classes.len() > SEARCHED {
            return None;
        }
        classes.sort_by_key(|class| (Reverse(self.worth[*class]), *class));
        let search = Search { worth: &self.worth, parts: &self.parts };
        Some(search.fill(Node::new(context, room, held, left), &classes))
    }
}

/// What is free on a node and which share that is, in fours.
struct View {
    free: Vec<Four>,
    shares: Vec<Four>,
}

impl View {
    fn of(node: &Node<'_>, style: Style) -> Self {
        let free: Vec<Four> = in_fours(&node.free).collect();
        let mut view = Self { shares: free.clone(), free };
        view.look(node, style);
        view
    }

    fn look(&mut self, node: &Node<'_>, style: Style) {
        for (at, (free, all)) in node.free.iter().zip(node.room.all).enumerate() {
            self.free[at / 4][at % 4] = *free;
            self.shares[at / 4][at % 4] = style.share(*free, *all);
        }
    }
}

impl Style {
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

/// How a class's worth divides over the resources, in steps of an octave's half or so.
fn direction(parts: &[i64]) -> u64 {
    let total: i128 = parts.iter().map(|part| i128::from(*part)).sum();
    parts.iter().fold(0, |key: u64, part| {
        let share = if total == 0 { 0 } else { i128::from(*part) * 12 / total };
        key.wrapping_mul(13).wrapping_add(u64::try_from(share).unwrap_or(0))
    })
}

/// A node while it is being filled.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    context: &'a Context<'a>,
    room: &'a Room<'a>,
    held: &'a [(ClassId, u32)],
    left: &'a IdVec<ClassId, u32>,
    free: Vec<i64>,
    ports: Bits,
    /// The classes that may not join what the node holds.
    barred: Bits,
    /// How much of each cap is used up, but for pods that are bound already.
    used: Vec<u32>,
    attached: BTreeSet<VolumeKey>,
    items: Vec<(ClassId, u32)>,
    worth: i128,
    minimums: Option<Minimums>,
}

impl<'a> Node<'a> {
    pub(crate) fn new(
        context: &'a Context<'a>,
        room: &'a Room<'a>,
        held: &'a [(ClassId, u32)],
        left: &'a IdVec<ClassId, u32>,
    ) -> Self {
        let minimums = room.flexible.map(|choice| Minimums::to_fill(context, choice, held));
        let mut barred = Bits::none(context.compiled.classes.len());
        held.iter().for_each(|(class, _)| bar(&mut barred, context.class(*class)));
        let mut used = vec![0; context.compiled.caps.len()];
        for (class, count) in held {
            use_up(context, &mut used, &mut barred, context.class(*class), *count);
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

    pub(super) fn request(&self, class: ClassId) -> &[i64] {
        &self.context.class(class).request
    }

    pub(super) fn worth(&self) -> i128 {
        self.worth
    }

    /// The first class of a lane, from a cursor on, of which the node can take one more pod.
    fn first_in<'l>(
        &self,
        cursor: &mut Cursor<'l>,
        view: &View,
    ) -> Option<(&'l Entry, &'l [Quad])> {
        let lane = cursor.lane;
        if !lane.may_fit(&view.free) {
            return None;
        }
        while let Some(entry) = lane.entries.get(cursor.at) {
            if lane.is_too_large(cursor.at, &view.free) {
                cursor.pass_stride();
                continue;
            }
            let quads = lane.quads(cursor.at);
            if self.can_take(entry, quads, cursor.added, view) {
                return Some((entry, quads));
            }
            cursor.pass();
        }
        None
    }

    /// Whether the node can take one more pod of a class of which it was given `added`: all rules but
    /// `minValues`.
    fn can_take(&self, entry: &Entry, quads: &[Quad], added: u32, view: &View) -> bool {
        fits_into(quads, &view.free)
            && added < self.left[entry.class]
            && (entry.plain || self.may_take(entry, added))
    }

    /// Whether the rules between pods let the node have one more of a class for which it has room and
    /// of which it was given `added`.
    fn may_take(&self, entry: &Entry, added: u32) -> bool {
        let id = entry.class;
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
        let class = self.context.class(id);
        let under = class.caps.iter().all(|(cap, each)| {
            let used = self.used[cap.index()].saturating_add(*each);
            used <= self.context.compiled.caps[*cap].most
        });
        if !under || self.room.node.is_some() && self.under_caps(class) == 0 {
            return false;
        }
        !class.ports.any() && class.shared.is_empty() || self.takes_by_rules(id, added) > 0
    }

    /// How many more pods of a class the node can take, of those that are left.
    pub(crate) fn takes(&self, id: ClassId) -> u32 {
        self.takes_beside(id, count_of(&self.items, id))
    }

    /// As [`Node::takes`], of a class of which it was given `added`.
    fn takes_beside(&self, id: ClassId, added: u32) -> u32 {
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

    /// As [`Node::takes_beside`], `minValues` aside.
    fn takes_by_rules(&self, id: ClassId, added: u32) -> u32 {
        let class = self.context.class(id);
        let held = added + count_of(self.held, id);
        let most = self.left[id].saturating_sub(added).min(class.per_node.saturating_sub(held));
        let count = fits(&self.free, &class.request, most);
        if count == 0 || class.ports.any() && class.ports.blocks.overlaps(&self.ports) {
            return 0;
        }
        if self.barred.contains(id.index()) {
            return 0;
        }
        let count = count.min(self.under_caps(class));
        // What pods of the class that are there share is attached.
        if count > 0 && added == 0 { class.fits(&self.free, &self.attached, count) } else { count }
    }

    /// How many more of a class the caps allow.
    fn under_caps(&self, class: &Class) -> u32 {
        if class.caps.is_empty() {
            return u32::MAX;
        }
        self.context.under_caps(class, self.room.node, |cap| self.used[cap.index()])
    }

    pub(crate) fn put(&mut self, id: ClassId, count: u32, worth: i64) {
        self.add(id, count, worth, count_of(&self.items, id));
    }

    /// Gives the node more pods of a class of which it was given `added`.
    fn add(&mut self, id: ClassId, count: u32, worth: i64, added: u32) {
        let class = self.context.class(id);
        for (free, asked) in self.free.iter_mut().zip(&class.request) {
            *free -= asked * i64::from(count);
        }
        use_up(self.context, &mut self.used, &mut self.barred, class, count);
        self.ports.or(&class.ports.takes);
        for (at, volume) in &class.shared {
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
                bar(&mut self.barred, class);
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

/// Bars those that may not share a node with a class; conflicts are mutual.
fn bar(barred: &mut Bits, class: &Class) {
    class.conflicts.iter().for_each(|other| barred.insert(other.index()));
}

/// Counts pods for the caps of their class, and bars all classes of a cap that is used up.
fn use_up(context: &Context<'_>, used: &mut [u32], barred: &mut Bits, class: &Class, count: u32) {
    for (id, each) in &class.caps {
        let (cap, used) = (&context.compiled.caps[*id], &mut used[id.index()]);
        *used = used.saturating_add(each.saturating_mul(count));
        if *used >= cap.most {
            barred.or(&cap.counted);
        }
    }
}

fn count_of(items: &[(ClassId, u32)], class: ClassId) -> u32 {
    items.iter().find(|(held, _)| *held == class).map_or(0, |(_, count)| *count)
}
