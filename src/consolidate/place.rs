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
//! *Cost.* One look at the words of the nodes' bits for each class that moves, and a comparison for
//! each node that its rules admit.

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
    fn best_node(&self, class: usize, salt: u64) -> Option<(usize, u32)> {
        let model = self.model;
        let mut best = None;
        let nodes = &model.classes[class].nodes;
        for (word, (own, standing)) in nodes.iter().zip(&self.standing).enumerate() {
            let mut bits = own & standing;
            while bits != 0 {
                let node = word * 64 + bits.trailing_zeros() as usize;
                self.look(class, (node, u32::MAX), salt, &mut best);
                bits &= bits - 1;
            }
        }
        for node in model.nodes.len()..self.nodes() {
            if self.stands(node) && self.admits(node, class) {
                self.look(class, (node, u32::MAX), salt, &mut best);
            }
        }
        best.map(|(_, node, takes)| (node, takes))
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
            || !free.iter().zip(request).all(|(have, want)| have >= want || *want == 0)
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
    pub(super) fn place_standing(&mut self, salt: u64) -> bool {
        // What one puts may be what another needs.
        for _ in 0..2 {
            for class in self.lacking_in_order() {
                self.place_class(class, salt);
            }
            if self.lacking().is_empty() {
                return true;
            }
        }
        false
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
