//! Which offers and bin types can hold certain pods on one node.
//!
//! A launch's alternatives are offers that hold the same pods. Which they are is decided in two
//! steps: sites where every pod's rules about nodes hold (an intersection of bits), then, one by
//! one and only for offers that somebody asks about, whether the amounts fit.

use super::bits::transpose;
use super::{
    Base, BinType, Bits, Compiled, Id, IdVec, Item, ItemId, NodeRoom, OfferId, PodsTogether, Shape,
    ShapeId,
};
use std::collections::BTreeMap;

/// The offers whose launches can hold certain pods.
///
/// `minValues`, limits and agreement over domains are for others to ask.
#[derive(Debug)]
pub(crate) struct Holders<'a> {
    base: &'a Base,
    sites: Bits,
    pods: PodsTogether<'a>,
}

impl Holders<'_> {
    /// Leaves out offers that aren't among these.
    pub(crate) fn narrow(&mut self, offers: &Bits) {
        self.sites.and(offers);
    }

    pub(crate) fn contains(&self, offer: OfferId) -> bool {
        let shape = &self.base.shapes[self.base.offers[offer].shape];
        self.sites.contains(offer.index())
            && self.pods.fit_there(&NodeRoom::of_shape(shape, &self.sites))
    }
}

impl Compiled {
    /// How many pods of an item an empty node of a bin type holds at most.
    pub(crate) fn slots(&self, bin_type: &BinType, item: ItemId) -> u32 {
        let item = &self.items[item];
        if bin_type.admits(item.eligibility) {
            room_for(item, &self.shapes[bin_type.shape])
        } else {
            0
        }
    }

    /// For each item, the bin types that hold one of it.
    pub(super) fn compatibles(&self) -> IdVec<ItemId, Bits> {
        let admitting =
            transpose(self.bin_types.iter().map(|one| &one.admits), self.eligible.len());
        // Many items ask for the same; what keeps them apart lies in eligibility sets and in rules
        // between pods.
        let mut roomy: BTreeMap<_, Bits> = BTreeMap::new();
        let compatibles = self.items.values().map(|item| {
            let key = (&item.request, &item.uses, item.per_node.min(1));
            let holding = roomy.entry(key).or_insert_with(|| {
                let holds = |shape: &Shape| room_for(item, shape) > 0;
                let holds: IdVec<ShapeId, bool> = self.shapes.values().map(holds).collect();
                let mut holding = Bits::none(self.bin_types.len());
                let bin_types = self.bin_types.iter().enumerate();
                let bin_types = bin_types.filter(|(_, bin_type)| holds[bin_type.shape]);
                bin_types.for_each(|(at, _)| holding.insert(at));
                holding
            });
            let mut compatibles = holding.clone();
            compatibles.and(&admitting[item.eligibility.index()]);
            compatibles
        });
        compatibles.collect()
    }

    /// What launches can hold pods of these items that ask for this much together.
    pub(crate) fn holders<'a>(&'a self, items: &[ItemId], load: &'a [i64]) -> Holders<'a> {
        let pods = self.together(items.iter().copied(), load);
        let mut sites = self.usable.clone();
        let eligibilities = pods.eligibilities.iter();
        eligibilities.for_each(|eligibility| sites.and(&self.eligible[*eligibility]));
        Holders { base: &self.base, sites, pods }
    }
}

/// How many pods of an item an empty node of a shape holds at most, should its labels and taints
/// suit; what they share is left out.
fn room_for(item: &Item, shape: &Shape) -> u32 {
    NodeRoom::of_shape(shape, &Bits::none(0)).could_take_there(item)
}
