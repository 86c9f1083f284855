//! What one node has for pods before any pod of the problem is put there: a launch with its
//! daemons, or a running node with what is bound to it.
//!
//! Whether it can be bought or runs already makes no difference from here on: whoever asks what
//! fits asks the room, or an [`OpenNode`](super::OpenNode) that holds pods already.

use super::bits::Bits;
use super::node_use::UseTogether;
use super::{
    Compiled, EligibilityId, Id, Item, ItemId, NodeId, NodeUse, OfferId, RunningNode, Shape,
};

/// Room for pods: an empty launch, or what is free on a running node.
///
/// Borrowed from the compiled problem: it costs nothing to ask for one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeRoom<'a> {
    pub(crate) free: &'a [i64],
    /// What is in use beside amounts.
    pub(crate) used: &'a NodeUse,
    /// The eligibility sets that admit the place.
    pub(crate) admits: &'a Bits,
    /// The offer that is launched, where its pool asks for `minValues`.
    pub(crate) min_values: Option<OfferId>,
    /// The running node that it is, where bound pods count for caps.
    pub(crate) node: Option<NodeId>,
}

impl<'a> NodeRoom<'a> {
    /// The room of a launch that these eligibility sets admit.
    pub(crate) fn of_shape(shape: &'a Shape, admits: &'a Bits) -> Self {
        Self { free: &shape.allocatable, used: &shape.used, admits, min_values: None, node: None }
    }

    /// The room of a running node that these eligibility sets admit.
    fn of_running(id: NodeId, node: &'a RunningNode, admits: &'a Bits) -> Self {
        Self { free: &node.free, used: &node.used, admits, min_values: None, node: Some(id) }
    }

    /// Two rooms of which this is the same take the same pods, caps and `minValues` aside.
    pub(crate) fn likeness(&self) -> (&'a [i64], &'a NodeUse, &'a Bits) {
        (self.free, self.used, self.admits)
    }

    pub(crate) fn admits(&self, eligibility: EligibilityId) -> bool {
        self.admits.contains(eligibility.index())
    }

    /// How many pods of an item the room takes when it is used for nothing else, up to `most`.
    pub(crate) fn takes(&self, item: &Item, most: u32) -> u32 {
        if self.admits(item.eligibility) { self.takes_there(item, most) } else { 0 }
    }

    /// As [`NodeRoom::takes`], for an item that is known to be admitted.
    pub(crate) fn takes_there(&self, item: &Item, most: u32) -> u32 {
        self.used.takes(item, self.free, most.min(item.per_node))
    }

    /// As [`NodeRoom::takes_there`], as if what pods of the item share took no slots where one
    /// fits: a bound may be this generous.
    pub(crate) fn could_take_there(&self, item: &Item) -> u32 {
        self.used.could_take(item, self.free, item.per_node)
    }
}

impl Compiled {
    /// The room of an empty launch of a bin type.
    pub(crate) fn room_of_bin_type(&self, bin_type: usize) -> NodeRoom<'_> {
        let bin_type = &self.bin_types[bin_type];
        let room = NodeRoom::of_shape(&self.shapes[bin_type.shape], &bin_type.admits);
        let asks = !self.pools[bin_type.pool].min_values.is_empty();
        NodeRoom { min_values: bin_type.offers.first().copied().filter(|_| asks), ..room }
    }

    /// The room of an empty launch of an offer.
    pub(crate) fn room_of_offer(&self, id: OfferId) -> NodeRoom<'_> {
        let offer = &self.offers[id];
        let asks = !self.pools[offer.pool].min_values.is_empty();
        let admits = &self.admits[self.site_of_offer(id)];
        let room = NodeRoom::of_shape(&self.shapes[offer.shape], admits);
        NodeRoom { min_values: Some(id).filter(|_| asks), ..room }
    }

    /// The room of a running node.
    pub(crate) fn room_of_node(&self, id: NodeId) -> NodeRoom<'_> {
        NodeRoom::of_running(id, &self.nodes[id], &self.admits[self.site_of_node(id)])
    }

    /// The room at a site.
    pub(crate) fn room_at(&self, site: usize) -> NodeRoom<'_> {
        match self.node_at(site) {
            Some(node) => self.room_of_node(node),
            None => self.room_of_offer(OfferId::from_index(site)),
        }
    }

    /// Whether any of these sites, empty but for what runs there, holds one of an item that all of
    /// them admit.
    pub(super) fn holds_any(&self, sites: &Bits, item: &Item) -> bool {
        let admits = Bits::none(0);
        sites.iter().any(|site| {
            let room = match self.node_at(site) {
                Some(id) => NodeRoom::of_running(id, &self.nodes[id], &admits),
                None => {
                    let offer = &self.offers[OfferId::from_index(site)];
                    NodeRoom::of_shape(&self.shapes[offer.shape], &admits)
                }
            };
            room.takes_there(item, 1) > 0
        })
    }

    /// What pods request together; volumes that several pods mount are no part of it.
    pub(crate) fn load(&self, items: &[(ItemId, u32)]) -> Vec<i64> {
        let mut load = vec![0_i64; self.dims.len()];
        for (item, count) in items {
            for (sum, each) in load.iter_mut().zip(&self.items[*item].request) {
                *sum = sum.saturating_add(each.saturating_mul(i64::from(*count)));
            }
        }
        load
    }

    /// Whether no node may hold pods of both of two items, which aren't the same: what they use
    /// clashes, or a rule keeps them apart.
    pub(crate) fn keep_apart(&self, one: ItemId, other: ItemId) -> bool {
        let (a, b) = (&self.items[one], &self.items[other]);
        a.conflicts.binary_search(&other).is_ok() || a.uses.clashes(&b.uses)
    }

    /// Pods of these items that share a node, and ask for so much together.
    pub(crate) fn together<'c>(
        &'c self,
        items: impl Iterator<Item = ItemId> + Clone,
        load: &'c [i64],
    ) -> PodsTogether<'c> {
        let mut eligibilities: Vec<EligibilityId> =
            items.clone().map(|item| self.items[item].eligibility).collect();
        eligibilities.sort_unstable();
        eligibilities.dedup();
        PodsTogether {
            eligibilities,
            load,
            uses: UseTogether::of(items.map(|item| &self.items[item].uses)),
        }
    }
}

/// Pods that may share a node, and what they ask of it.
///
/// Made once for a set of pods, and held against many rooms.
#[derive(Debug)]
pub(crate) struct PodsTogether<'c> {
    /// The distinct eligibility sets of their items.
    pub(crate) eligibilities: Vec<EligibilityId>,
    load: &'c [i64],
    uses: UseTogether<'c>,
}

impl PodsTogether<'_> {
    /// Whether a room has all that they ask for, `minValues` aside.
    pub(crate) fn fit(&self, room: &NodeRoom<'_>) -> bool {
        self.fit_there(room)
            && self.eligibilities.iter().all(|eligibility| room.admits(*eligibility))
    }

    /// As [`PodsTogether::fit`], where each is known to be admitted.
    pub(crate) fn fit_there(&self, room: &NodeRoom<'_>) -> bool {
        room.free.iter().zip(self.load).all(|(have, want)| have >= want || *want <= 0)
            && self.uses.fit(room.used, room.free, self.load)
    }
}
