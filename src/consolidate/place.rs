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
//! *Cost.* For each class that moves, one look at each sixty-four nodes ([`super::free_bound`]),
//! and a comparison for each node that its rules admit of those among which one may have room.

use super::free_bound::NODES;
use super::model::HomePods;
use super::state::ClusterState;
use crate::compile::{Id, ItemId, NodeRoom, OpenNode, fits};
use std::cmp::Reverse;

/// The best node so far: whether it could go itself, what would be free, which it is, and how many
/// pods it takes.
type BestNode = ((bool, i64), usize, u32);

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
    /// Whole words of 64 nodes are passed over by what is free there at most; a class for which
    /// nothing had room is remembered as full until something is freed.
    fn best_node(&mut self, class: usize, salt: u64) -> Option<(usize, u32)> {
        let model = self.model;
        let of_class = &model.classes[class];
        let running = model.nodes.len();
        if let Some(raised) = self.free_bound.raised_since_full(class, self.nodes() / 4) {
            let mut raised = raised.iter().filter(|node| self.holds_one(**node, class));
            if !raised.any(|node| self.takes_pods(*node) && self.admits(*node, class)) {
                self.free_bound.note_full(class);
                return None;
            }
        }
        let mut best = None;
        let mut is_full = true;
        for word in 0..self.nodes().div_ceil(NODES) {
            if !self.free_bound.may_hold(word, &of_class.request) {
                continue;
            }
            let mut any = false;
            let own = of_class.nodes.get(word).copied().unwrap_or_default();
            let of_word = |words: &[u64]| words.get(word).copied().unwrap_or_default();
            let mut bits = own & of_word(&self.standing) & !of_word(&self.leaving);
            while bits != 0 {
                let node = word * NODES + bits.trailing_zeros() as usize;
                if self.holds_one(node, class) {
                    any = true;
                    self.look(class, (node, u32::MAX), salt, &mut best);
                }
                bits &= bits - 1;
            }
            let last = self.nodes().min((word + 1) * NODES);
            for node in running.max(word * NODES)..last {
                if self.holds_one(node, class) && self.stands(node) && self.admits(node, class) {
                    any = true;
                    self.look(class, (node, u32::MAX), salt, &mut best);
                }
            }
            if !any {
                self.tighten(word);
            }
            is_full &= !any;
        }
        if is_full {
            self.free_bound.note_full(class);
        }
        best.map(|(_, node, takes)| (node, takes))
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
        for (node, most) in slots {
            if self.stands(node) && self.admits(node, class) {
                self.look(class, (node, most), 0, &mut best);
            }
        }
        best.map(|(_, node, takes)| (node, takes))
    }

    /// Looks at a node that a class may come to: is it better than the best so far?
    ///
    /// Best fit: least left over. Nodes that may go themselves come last, so that they empty. With
    /// `salt` the left-over is jittered, for searches that try other places.
    fn look(
        &self,
        class: usize,
        (node, most): (usize, u32),
        salt: u64,
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
        let may_go = model.nodes.get(node).is_some_and(|running| running.may_go);
        let slack = self.slack(node);
        let rest = if salt == 0 { slack } else { jittered(slack, salt, node) };
        let rank = (may_go, rest);
        if best.as_ref().is_some_and(|(known, ..)| rank >= *known) {
            return;
        }
        let takes = self.takes(node, class, open);
        if takes > 0 {
            *best = Some((rank, node, takes));
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

/// A number times a factor between a quarter and one and a quarter that looks drawn at random.
fn jittered(slack: i64, salt: u64, node: usize) -> i64 {
    let number = u64::try_from(node).unwrap_or(u64::MAX);
    let mut word = salt ^ number.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = word.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    word ^= word >> 29;
    word = word.wrapping_mul(0x94D0_49BB_1331_11EB);
    let factor = 256 + i64::try_from(word >> 54).unwrap_or(0);
    (slack >> 10).saturating_mul(factor)
}
