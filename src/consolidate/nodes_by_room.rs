//! Nodes by what is free on them: which have room for a pod, and in which order pods look for it.
//!
//! *Problem.* A pod goes to the node on which the least is left then, of those that have room and
//! that accept it. With thousands of nodes a look at all of them is what a trial takes: while the
//! cluster is half empty nearly all have room, and once it is packed well nearly none has, each
//! being short of something else.
//!
//! *Idea.* Amounts that pods ask for, some of each resource, are *levels*, and for each of them the
//! nodes with as much free are bits: a few operations on words leave the nodes that may have room
//! for a pod. Where these are many the first one in order is found instead: nodes are kept in
//! buckets by how much is free on them in all resources together, those that stay in any case apart
//! from those that could go; a search begins with the bucket of as much as the pod asks for and
//! ends with the first in which a node takes it.
//!
//! *Why it is right.* The level of a pod is the highest that is no more than what it asks for, so
//! that no node with room is missed. A node that has room for a pod has in all resources together
//! as much free as the pod asks for, unless more is used of a resource than there is: such nodes
//! have a bucket of their own, which comes first.
//!
//! *Cost.* A change of what is free on a node moves it from one list to another, and changes bits
//! of the levels between. A search takes an operation for each resource that is asked for and each
//! sixty-four nodes, and a look at the nodes that are left.

use smallvec::SmallVec;

/// So many levels of each resource at most.
const MOST_LEVELS: usize = 48;

/// Buckets for each doubling of what is free, as a power of two.
const STEPS: u32 = 5;

/// Buckets of nodes that stay in any case, and of those that could go.
const BUCKETS: usize = 64 << STEPS;

/// No node.
const NONE: u32 = u32::MAX;

/// Where a node is in its list.
#[derive(Clone, Copy, Debug)]
struct Link {
    /// The bucket, [`NONE`] of a node that takes no pods.
    bucket: u32,
    before: u32,
    next: u32,
}

const UNLISTED: Link = Link { bucket: NONE, before: NONE, next: NONE };

/// Amounts of resources by which nodes with room for a pod are told.
#[derive(Debug, Default)]
pub(super) struct RoomLevels {
    /// By resource, amounts that some pod asks for, ascending.
    amounts: Vec<Vec<i64>>,
    /// By resource, the number of its first level.
    first: Vec<usize>,
    /// How many levels there are.
    count: usize,
    /// By class, the level of each resource that a pod asks for.
    of_class: Vec<SmallVec<[usize; 4]>>,
}

/// Nodes that take pods, by what is free on them.
#[derive(Clone, Debug)]
pub(super) struct NodesByRoom {
    /// The first node of each bucket.
    first: Vec<u32>,
    /// Which buckets have nodes, in words of 64.
    filled: Vec<u64>,
    links: Vec<Link>,
    /// By node, how many levels of each resource it has as much free as.
    reached: Vec<u8>,
    /// For each sixty-four nodes, whether they take pods, and then whether they have as much free
    /// as each level.
    words: Vec<u64>,
}

impl Default for NodesByRoom {
    /// No nodes.
    fn default() -> Self {
        Self {
            first: vec![NONE; 2 * BUCKETS],
            filled: vec![0; (2 * BUCKETS).div_ceil(64)],
            links: Vec::new(),
            reached: Vec::new(),
            words: Vec::new(),
        }
    }
}

impl RoomLevels {
    /// Of classes of which a pod asks for so much of each of some resources.
    pub(super) fn of<'r>(width: usize, requests: impl Iterator<Item = &'r [i64]> + Clone) -> Self {
        let mut levels = Self::default();
        for resource in 0..width {
            let asked = requests.clone().filter_map(|request| request.get(resource).copied());
            let mut amounts: Vec<i64> = asked.filter(|asked| *asked > 0).collect();
            amounts.sort_unstable();
            amounts.dedup();
            let apart = amounts.len().div_ceil(MOST_LEVELS).max(1);
            let amounts: Vec<i64> = amounts.into_iter().step_by(apart).collect();
            levels.first.push(levels.count);
            levels.count += amounts.len();
            levels.amounts.push(amounts);
        }
        let level = |(resource, asked): (usize, &i64)| {
            let below = levels.amounts[resource].partition_point(|amount| amount <= asked);
            (*asked > 0 && below > 0).then(|| levels.first[resource] + below - 1)
        };
        let of = |request: &[i64]| request.iter().enumerate().filter_map(level).collect();
        levels.of_class = requests.map(of).collect();
        levels
    }

    /// How many words there are for each sixty-four nodes.
    fn stride(&self) -> usize {
        self.count + 1
    }
}

/// How much is free on nodes of a bucket at least.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Bucket(usize);

impl Bucket {
    /// That of so much, of nodes that could go or of those that stay.
    pub(super) fn of(slack: i64, may_go: bool) -> Self {
        let Some(above) = u64::try_from(slack).ok().and_then(|slack| slack.checked_add(1)) else {
            return Self::overused(may_go);
        };
        // The leading digit and those after it.
        let digits = above.ilog2();
        let rest = match digits.checked_sub(STEPS) {
            Some(shift) => above >> shift,
            None => above << (STEPS - digits),
        } & ((1 << STEPS) - 1);
        let number = (digits << STEPS) as usize + usize::try_from(rest).unwrap_or(0) + 1;
        Self(number.min(BUCKETS - 1) + if may_go { BUCKETS } else { 0 })
    }

    /// That of nodes on which more is used of a resource than there is.
    pub(super) fn overused(may_go: bool) -> Self {
        Self(if may_go { BUCKETS } else { 0 })
    }

    /// The least that may be free on its nodes.
    pub(super) fn least(self) -> i64 {
        let Some(number) = (self.0 % BUCKETS).checked_sub(1) else { return i64::MIN };
        let (digits, rest) = (number >> STEPS, (number & ((1 << STEPS) - 1)) as u64);
        let digits = u32::try_from(digits).unwrap_or(0);
        let lead = (1_u64 << STEPS) | rest;
        let above = match digits.checked_sub(STEPS) {
            Some(shift) => lead << shift,
            None => lead >> (STEPS - digits),
        };
        i64::try_from(above.saturating_sub(1)).unwrap_or(i64::MAX)
    }
}

impl NodesByRoom {
    /// Has a node be in a bucket, with so much free, or in none where it takes no pods.
    pub(super) fn list(
        &mut self,
        levels: &RoomLevels,
        node: usize,
        listed: Option<(Bucket, &[i64])>,
    ) {
        if self.links.len() <= node {
            self.links.resize(node + 1, UNLISTED);
            self.reached.resize((node + 1) * levels.amounts.len(), 0);
            self.words.resize((node / 64 + 1) * levels.stride(), 0);
        }
        self.reach(levels, node, listed.map(|(_, free)| free));
        self.link(node, listed.map(|(bucket, _)| bucket));
    }

    /// Sets the bits of a node.
    fn reach(&mut self, levels: &RoomLevels, node: usize, free: Option<&[i64]>) {
        let bit = 1_u64 << (node % 64);
        let stride = levels.stride();
        let words = &mut self.words[node / 64 * stride..(node / 64 + 1) * stride];
        match free {
            Some(_) => words[0] |= bit,
            None => words[0] &= !bit,
        }
        for (resource, amounts) in levels.amounts.iter().enumerate() {
            let known = &mut self.reached[node * levels.amounts.len() + resource];
            let before = usize::from(*known);
            let free = free.and_then(|free| free.get(resource));
            let now = free.map_or(0, |free| amounts.partition_point(|amount| amount <= free));
            if now == before {
                continue;
            }
            *known = u8::try_from(now).unwrap_or(u8::MAX);
            let first = levels.first[resource] + 1;
            for level in before..now {
                words[first + level] |= bit;
            }
            for level in now..before {
                words[first + level] &= !bit;
            }
        }
    }

    /// The nodes that may have room for a pod of a class, in words of 64, and how many: of so many
    /// running nodes some, of those after them all.
    pub(super) fn roomy(
        &self,
        levels: &RoomLevels,
        class: usize,
        (own, running): (&[u64], usize),
        found: &mut Vec<u64>,
    ) -> usize {
        found.clear();
        let mut count = 0;
        for (at, words) in self.words.chunks_exact(levels.stride()).enumerate() {
            let launched = match running.saturating_sub(at * 64) {
                before @ 0..64 => u64::MAX << before,
                _ => 0,
            };
            let mut bits = words[0] & (own.get(at).copied().unwrap_or(0) | launched);
            for level in &levels.of_class[class] {
                bits &= words[level + 1];
            }
            count += bits.count_ones() as usize;
            found.push(bits);
        }
        count
    }

    fn link(&mut self, node: usize, bucket: Option<Bucket>) {
        let own = self.links[node];
        let bucket = bucket.map_or(NONE, |bucket| bucket.0 as u32);
        if own.bucket == bucket {
            return;
        }
        if own.bucket != NONE {
            if own.next != NONE {
                self.links[own.next as usize].before = own.before;
            }
            if own.before != NONE {
                self.links[own.before as usize].next = own.next;
            } else {
                let at = own.bucket as usize;
                self.first[at] = own.next;
                if own.next == NONE {
                    self.filled[at / 64] &= !(1 << (at % 64));
                }
            }
        }
        self.links[node] = Link { bucket, ..UNLISTED };
        if bucket != NONE {
            let at = bucket as usize;
            let next = std::mem::replace(&mut self.first[at], node as u32);
            self.links[node].next = next;
            if next != NONE {
                self.links[next as usize].before = node as u32;
            }
            self.filled[at / 64] |= 1 << (at % 64);
        }
    }

    /// The first bucket of nodes that may have so much free, of those that could go or not.
    pub(super) fn first_bucket(&self, weight: i64, may_go: bool) -> Option<Bucket> {
        let overused = Bucket::overused(may_go);
        match self.first_of(overused) {
            Some(_) => Some(overused),
            None => self.next_bucket(Bucket::of(weight.max(0), may_go)),
        }
    }

    /// The bucket after one of those.
    pub(super) fn bucket_after(&self, bucket: Bucket, weight: i64, may_go: bool) -> Option<Bucket> {
        if bucket == Bucket::overused(may_go) {
            return self.next_bucket(Bucket::of(weight.max(0), may_go));
        }
        let next = bucket.0 + 1;
        if next.is_multiple_of(BUCKETS) { None } else { self.next_bucket(Bucket(next)) }
    }

    /// The first bucket with nodes from one on, of those of nodes that could go or not as it is.
    fn next_bucket(&self, from: Bucket) -> Option<Bucket> {
        let last = (from.0 / BUCKETS + 1) * BUCKETS;
        let mut word = from.0 / 64;
        let mut bits = self.filled[word] & (u64::MAX << (from.0 % 64));
        while bits == 0 {
            word += 1;
            if word * 64 >= last {
                return None;
            }
            bits = self.filled[word];
        }
        Some(Bucket(word * 64 + bits.trailing_zeros() as usize))
    }

    /// The first node of a bucket.
    pub(super) fn first_of(&self, bucket: Bucket) -> Option<usize> {
        self.first.get(bucket.0).filter(|node| **node != NONE).map(|node| *node as usize)
    }

    /// The node after one in its bucket.
    pub(super) fn next_of(&self, node: usize) -> Option<usize> {
        let next = self.links[node].next;
        (next != NONE).then_some(next as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS, Bucket, NodesByRoom, RoomLevels};

    #[test]
    fn buckets_rise_with_what_is_free() {
        let mut before = Bucket::overused(false);
        let amounts = (0..200).chain((8..63).flat_map(|digit| {
            let one = 1_i64 << digit;
            [one - 2, one - 1, one, one + one / 3, one + one / 2]
        }));
        for amount in amounts.chain([i64::MAX]) {
            let bucket = Bucket::of(amount, false);
            assert!(bucket.0 >= before.0, "{amount}");
            assert!(bucket.least() <= amount, "{amount}");
            assert_eq!(Bucket::of(bucket.least(), false), bucket, "{amount}");
            assert_eq!(Bucket::of(amount, true).0, bucket.0 + BUCKETS);
            before = bucket;
        }
        assert_eq!(Bucket::of(-1, true), Bucket::overused(true));
    }

    #[test]
    fn nodes_are_listed_by_what_is_free() {
        let levels = RoomLevels::default();
        let mut nodes = NodesByRoom::default();
        let slacks = [5, 1_000_000, 5, 7];
        for (node, slack) in slacks.into_iter().enumerate() {
            nodes.list(&levels, node, Some((Bucket::of(slack, false), &[])));
        }
        nodes.list(&levels, 4, Some((Bucket::of(6, true), &[])));
        let listed = |nodes: &NodesByRoom, weight: i64, may_go: bool| {
            let mut found = Vec::new();
            let mut bucket = nodes.first_bucket(weight, may_go);
            while let Some(at) = bucket {
                let mut node = nodes.first_of(at);
                while let Some(one) = node {
                    found.push(one);
                    node = nodes.next_of(one);
                }
                bucket = nodes.bucket_after(at, weight, may_go);
            }
            found
        };
        assert_eq!(listed(&nodes, 0, false), [2, 0, 3, 1]);
        assert_eq!(listed(&nodes, 6, false), [3, 1]);
        assert_eq!(listed(&nodes, 0, true), [4]);
        nodes.list(&levels, 0, None);
        nodes.list(&levels, 3, Some((Bucket::overused(false), &[])));
        assert_eq!(listed(&nodes, 5, false), [3, 2, 1]);
        nodes.list(&levels, 2, Some((Bucket::of(i64::MAX, false), &[])));
        assert_eq!(listed(&nodes, 5, false), [3, 1, 2]);
        [1, 2, 3].into_iter().for_each(|node| nodes.list(&levels, node, None));
        assert_eq!(nodes.first_bucket(0, false), None);
        assert_eq!(listed(&nodes, 0, true), [4]);
    }

    /// Against a look at each node: none with room is missed, and with few amounts none is found
    /// that has none.
    #[test]
    fn nodes_with_room_are_told_by_levels() {
        for amounts in [3, 500] {
            let mut dice = 1_u64;
            let mut roll = |below: u64| {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                i64::try_from((dice >> 33) % below).unwrap()
            };
            let requests: Vec<[i64; 2]> =
                (0..200).map(|_| [roll(amounts), 7 * roll(amounts)]).collect();
            let levels = RoomLevels::of(2, requests.iter().map(|request| &request[..]));
            let mut nodes = NodesByRoom::default();
            let mut free: Vec<Option<[i64; 2]>> = vec![None; 150];
            let (running, own) = (100, [0x5555_5555_5555_5555; 2]);
            let mut found = Vec::new();
            for _ in 0..2_000 {
                let node = usize::try_from(roll(150)).unwrap();
                free[node] = (roll(4) > 0).then(|| [roll(amounts) - 1, 7 * roll(amounts)]);
                let listed = free[node].as_ref().map(|free| (Bucket::of(1, false), &free[..]));
                nodes.list(&levels, node, listed);
                let class = usize::try_from(roll(200)).unwrap();
                let count = nodes.roomy(&levels, class, (&own, running), &mut found);
                let bits = |node: usize| found.get(node / 64).copied().unwrap_or(0);
                let is_found = |node: usize| bits(node) >> (node % 64) & 1 == 1;
                assert_eq!((0..150).filter(|node| is_found(*node)).count(), count);
                for (node, free) in free.iter().enumerate() {
                    let has_room = free.is_some_and(|free| {
                        free.iter().zip(&requests[class]).all(|(a, b)| a >= b || *b == 0)
                    });
                    let expected = has_room && (node >= running || node % 2 == 0);
                    assert!(is_found(node) || !expected, "{node} is missed");
                    assert!(!is_found(node) || expected || amounts > 3, "{node} has no room");
                }
            }
        }
    }
}
