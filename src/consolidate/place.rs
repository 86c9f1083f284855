//! Where pods without a place go: one function for all that a search and its waves ask.
//!
//! *Idea.* A pod goes to the node that takes it and on which the least is left then: nodes that
//! stay in any case first, then those that could go themselves. Rules about nodes and preferences
//! are bits, room is a comparison of short vectors, and both are looked at before the rules between
//! pods, which are asked of a node only where it would be better than the best so far.
//!
//! *Why it is right.* A pod is put where it is accepted beside all that is there, so an order of
//! binding is the order in which pods are put. Nothing is asked of pods that are at home.
//!
//! *Cost.* For each class that moves a few operations for each sixty-four nodes, and a comparison
//! for each of the few nodes that have room, or, where they are many, for each up to the first that
//! takes it ([`super::nodes_by_room`]).

use super::model::HomePods;
use super::nodes_by_room::Bucket;
use super::state::ClusterState;
use crate::compile::{Id, ItemId, NodeRoom, OpenNode, fits};
use std::cmp::Reverse;

/// The best node so far: whether it could go itself, what would be free, its place among those
/// looked at, and which it is; and how many pods it takes.
type BestNode = ((bool, i64, usize, usize), u32);

impl ClusterState<'_> {
    /// How many more pods of a class a node takes, that stands and has room by the bits of the
    /// class.
    ///
    /// Cheap questions first: room, then domains, hosts, preferences, and only for what has ports,
    /// volumes, caps or `minValues` the node as a whole.
    pub(super) fn takes(&self, node: usize, class: usize, most: u32) -> u32 {
        let model = self.model;
        let of_class = &model.classes[class];
        let mut count = fits(self.free(node), &of_class.request, most);
        if count == 0 {
            return 0;
        }
        if of_class.tied {
            count = count.min(self.domain_room(class, self.site(node)));
            if count > 0 {
                count = count.min(self.host_spread_room(node, class));
            }
            if count > 0 {
                count = count.min(self.host_affinity_room(node, class));
            }
        }
        if count > 0 && of_class.heeds_preferences() {
            count = count.min(self.preference_room(node, class));
        }
        if count > 0 && (!of_class.plain || self.has_min_values(node)) {
            count = self.open(node).takes(of_class.item, count);
        }
        count
    }

    /// What rules over domains allow of a class at a site.
    pub(super) fn domain_room(&self, class: usize, site: usize) -> u32 {
        let model = self.model;
        let class = model.classes[class].class;
        self.counts.room(model.compiled(), &model.rules, class, site)
    }

    /// How many more pods of a class spreads over hosts allow on a node.
    pub(super) fn host_spread_room(&self, node: usize, class: usize) -> u32 {
        let model = self.model;
        let site = self.site(node);
        let mut most = u32::MAX;
        for rule in &model.classes[class].host_rules {
            if !model.hosts[rule.counter].counted.contains(site) {
                continue;
            }
            let counts = &self.hosts[rule.counter];
            let reach = rule.max_skew + counts.least(rule.min_domains);
            let room = reach - i64::from(counts.on[node]);
            most = match rule.own {
                true => most.min(u32::try_from(room.max(0)).unwrap_or(u32::MAX)),
                false if room >= 0 => most,
                false => 0,
            };
        }
        most
    }

    fn has_min_values(&self, node: usize) -> bool {
        node >= self.model.nodes.len() && self.room(node).min_values.is_some()
    }

    /// What a node has for pods that may go, and for those that come.
    fn room(&self, node: usize) -> NodeRoom<'_> {
        self.model.compiled().room_at(self.site(node))
    }

    /// A node with what it holds.
    pub(super) fn open(&self, node: usize) -> OpenNode<'_> {
        let empty = self.model.context.open(self.room(node));
        // Pods at home may have other requests than those that will be created in their place.
        empty.holding(self.held(node)).with_free(self.free(node))
    }

    /// What a node holds of which item, sorted.
    pub(super) fn held(&self, node: usize) -> Vec<(ItemId, u32)> {
        let model = self.model;
        let running = model.nodes.get(node);
        let home = running.into_iter().flat_map(|node| &node.home);
        let home = home.map(|HomePods { class, count, .. }| (*class, *count));
        let mut held: Vec<(ItemId, u32)> = home
            .chain(self.arrived[node].iter().copied())
            .map(|(class, count)| (model.classes[class].item, count))
            .collect();
        held.sort_unstable();
        held.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                first.1 += later.1;
            }
            same
        });
        held
    }

    /// How many more pods of a class a required affinity over hosts allows on a node.
    fn host_affinity_room(&self, node: usize, class: usize) -> u32 {
        let model = self.model;
        let compiled = model.compiled();
        let rules = &model.rules.of_class[model.classes[class].class];
        let Some(affinity) = rules.affinity.filter(|affinity| affinity.over_hosts) else {
            return u32::MAX;
        };
        let selects = |item: ItemId| {
            compiled.topology.selects(affinity.selection, Id::from_index(item.index()))
        };
        let bound = model.nodes.get(node).is_some_and(|running| {
            let bound = compiled.node_at(running.site);
            let bound = bound.and_then(|id| model.rules.bound_on.get(&(id, affinity.selection)));
            bound.is_some_and(|count| *count > 0)
        });
        let first = affinity.own && self.total(affinity.total) == 0;
        match bound || self.held(node).iter().any(|(item, _)| selects(*item)) || first {
            true => u32::MAX,
            false => 0,
        }
    }

    /// Whether pods of a class need each other on their node, and none of them has a place: the
    /// first goes where all have room.
    pub(super) fn is_first_together(&self, class: usize) -> bool {
        self.model.classes[class].together.is_some_and(|total| self.total(total) == 0)
    }

    /// Whether a site may take pods of a class, as far as its bits go.
    pub(super) fn admits(&self, node: usize, class: usize) -> bool {
        self.model.classes[class].sites.contains(self.site(node))
    }

    /// The node that a pod of a class goes to, and how many it takes.
    ///
    /// Where few nodes have room these are compared; where many have, they are looked at by what is
    /// free on them, up to the first that takes it.
    fn best_node(&mut self, class: usize, salt: u64) -> Option<(usize, u32)> {
        let model = self.model;
        let mut roomy = std::mem::take(&mut self.roomy);
        let own = &model.classes[class].nodes;
        let count = self.by_room.roomy(&model.levels, class, (own, model.nodes.len()), &mut roomy);
        let best = match count * FEW <= self.nodes() {
            true => self.best_of(class, salt, &roomy),
            false => self.first_by_room(class, salt),
        };
        self.roomy = roomy;
        best.map(|((.., node), takes)| (node, takes))
    }

    /// The best of the nodes whose bits are set, in words of 64.
    fn best_of(&self, class: usize, salt: u64, words: &[u64]) -> Option<BestNode> {
        let mut best = None;
        for (word, bits) in words.iter().enumerate() {
            let mut bits = *bits;
            while bits != 0 {
                let node = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                if self.may_take(node, class) {
                    self.look(class, (node, u32::MAX), (salt, node), &mut best);
                }
            }
        }
        best
    }

    /// The best of all nodes, as they come by what is free on them.
    fn first_by_room(&self, class: usize, salt: u64) -> Option<BestNode> {
        let weight = self.model.classes[class].weight;
        let mut best = None;
        for may_go in [false, true] {
            let mut bucket = self.by_room.first_bucket(weight, may_go);
            while let Some(at) = bucket.filter(|at| !is_before(&best, *at, may_go, salt)) {
                let mut listed = self.by_room.first_of(at);
                while let Some(node) = listed {
                    listed = self.by_room.next_of(node);
                    if self.may_take(node, class) {
                        self.look(class, (node, u32::MAX), (salt, node), &mut best);
                    }
                }
                bucket = self.by_room.bucket_after(at, weight, may_go);
            }
        }
        best
    }

    /// Whether a node that takes pods may have one of a class, as far as its bits go.
    fn may_take(&self, node: usize, class: usize) -> bool {
        match self.model.nodes.len() > node {
            true => self.model.classes[class].nodes[node / 64] >> (node % 64) & 1 == 1,
            false => self.admits(node, class),
        }
    }

    /// Notes what is free on a node, and whether it takes pods.
    pub(super) fn note_free(&mut self, node: usize) {
        let bucket = self.takes_pods(node).then(|| self.bucket(node));
        let width = self.model.width;
        let free = &self.free[node * width..(node + 1) * width];
        self.by_room.list(&self.model.levels, node, bucket.map(|bucket| (bucket, free)));
    }

    /// The bucket of a node, by what is free on it.
    fn bucket(&self, node: usize) -> Bucket {
        let may_go = self.may_go(node);
        match self.free(node).iter().any(|free| *free < 0) {
            true => Bucket::overused(may_go),
            false => Bucket::of(self.slack(node), may_go),
        }
    }

    /// Whether a node could go itself.
    fn may_go(&self, node: usize) -> bool {
        self.model.nodes.get(node).is_some_and(|running| running.may_go)
    }

    /// Lists all nodes that take pods.
    pub(super) fn list_nodes(&mut self) {
        (0..self.nodes()).for_each(|node| self.note_free(node));
    }

    /// Whether there is as much free on a node, if there is such a node, as a pod of a class asks
    /// for.
    fn holds_one(&self, node: usize, class: usize) -> bool {
        let (request, width) = (&self.model.classes[class].request, self.model.width);
        let free = self.free.get(node * width..(node + 1) * width);
        free.is_some_and(|free| {
            free.iter().zip(request).all(|(have, want)| have >= want || *want == 0)
        })
    }

    /// As [`Self::best_node`], of nodes that may each take so many pods.
    pub(super) fn best_slot(
        &self,
        class: usize,
        slots: impl Iterator<Item = (usize, u32)>,
    ) -> Option<(usize, u32)> {
        let mut best = None;
        for (place, (node, most)) in slots.enumerate() {
            if self.stands(node) && self.admits(node, class) {
                self.look(class, (node, most), (0, place), &mut best);
            }
        }
        best.map(|((.., node), takes)| (node, takes))
    }

    /// Looks at a node that a class may come to: is it better than the best so far? Of equal ones
    /// the first is, by their places.
    ///
    /// Best fit: least left over. Nodes that may go themselves come last, so that they empty. With
    /// `salt` the left-over is jittered, for searches that try other places.
    fn look(
        &self,
        class: usize,
        (node, most): (usize, u32),
        (salt, place): (u64, usize),
        best: &mut Option<BestNode>,
    ) {
        let model = self.model;
        let request = &model.classes[class].request;
        let lacks = self.lacks(class);
        let least = if self.is_first_together(class) { lacks } else { 1 };
        let open = most.min(lacks);
        let free = self.free(node);
        if open < least
            || least > 1 && fits(free, request, least) < least
            || !self.holds_one(node, class)
        {
            return;
        }
        let slack = self.slack(node);
        let rest = if salt == 0 { slack } else { jittered(slack, salt, node) };
        let rank = (self.may_go(node), rest, place, node);
        if best.as_ref().is_some_and(|(known, _)| rank >= *known) {
            return;
        }
        let takes = self.takes(node, class, open);
        if takes > 0 {
            *best = Some((rank, takes));
        }
    }

    /// Puts pods without a place of a class on nodes that stand, as many as find one.
    fn place_class(&mut self, class: usize, salt: u64) {
        while self.lacks(class) > 0 {
            let Some((node, takes)) = self.best_node(class, salt) else { return };
            self.put(node, class, takes);
        }
    }

    /// The classes of which pods need a place: those that move before those that wait, the most
    /// urgent first, and the largest.
    pub(super) fn lacking_in_order(&self) -> Vec<usize> {
        let model = self.model;
        let mut classes: Vec<usize> = self.lacking().to_vec();
        classes.sort_by(|one, other| {
            let (a, b) = (&model.classes[*one], &model.classes[*other]);
            (a.pending, Reverse(a.priority), Reverse(a.tied))
                .cmp(&(b.pending, Reverse(b.priority), Reverse(b.tied)))
                .then(b.size.cmp(&a.size))
                .then(one.cmp(other))
        });
        classes
    }

    /// Puts pods that need a place on nodes that stand; whether all found one.
    ///
    /// Twice for pods with rules: what one puts may be what another needs.
    pub(super) fn place_standing(&mut self, salt: u64) -> bool {
        for class in self.lacking_in_order() {
            self.place_class(class, salt);
        }
        // What one puts may be what another needs; where only room is asked for there is less now.
        for class in self.lacking_in_order() {
            if !self.model.classes[class].asks_room_alone() {
                self.place_class(class, salt);
            }
        }
        self.lacking().is_empty()
    }
}

/// Nodes with room are few if they are no more than one in so many.
const FEW: usize = 16;

/// Whether a node that was found comes before all nodes of a bucket.
fn is_before(best: &Option<BestNode>, bucket: Bucket, may_go: bool, salt: u64) -> bool {
    best.as_ref().is_some_and(|((could_go, rest, ..), _)| {
        let least = bucket.least();
        let least = if salt == 0 { least } else { (least >> 10).saturating_mul(LEAST_FACTOR) };
        (*could_go, *rest) < (may_go, least)
    })
}

/// The least factor by which what is free is changed at random, in 1,024ths.
const LEAST_FACTOR: i64 = 256;

/// A number times a factor between a quarter and one and a quarter that looks drawn at random.
fn jittered(slack: i64, salt: u64, node: usize) -> i64 {
    let number = u64::try_from(node).unwrap_or(u64::MAX);
    let mut word = salt ^ number.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = word.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    word ^= word >> 29;
    word = word.wrapping_mul(0x94D0_49BB_1331_11EB);
    let factor = LEAST_FACTOR + i64::try_from(word >> 54).unwrap_or(0);
    (slack >> 10).saturating_mul(factor)
}
