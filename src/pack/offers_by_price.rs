//! What each pool offers, by price: a market that is made once for all launches of a plan.
//!
//! *Why.* Each launch looks for the cheapest offers that hold it among thousands. Sorted once by
//! price, with the resources of each in one array, most are passed over by a comparison of a few
//! integers; and where labels are open, only the offers in the right state are looked at.

use crate::compile::{Compiled, FixedLabel, IdVec, OfferId, PoolId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The offers of each pool, cheapest first.
pub(super) struct OffersByPrice {
    pub(super) pools: IdVec<PoolId, Vec<OfferId>>,
    /// In the same order the resources of each, in one line: most offers that are looked at are too
    /// small.
    rooms: IdVec<PoolId, Vec<i64>>,
    width: usize,
    /// Whether a launch of any of them has labels to choose.
    pub(super) has_fixed_labels: IdVec<PoolId, bool>,
    /// For each such label, the places of the offers that have it in a state.
    by_state: BTreeMap<(PoolId, Arc<str>), BTreeMap<u32, Vec<usize>>>,
}

impl OffersByPrice {
    pub(super) fn of(compiled: &Compiled) -> Self {
        let mut pools: IdVec<PoolId, Vec<OfferId>> =
            compiled.pools.iter().map(|_| Vec::new()).collect();
        compiled.offers.iter().for_each(|(id, offer)| pools[offer.pool].push(id));
        let ids: Vec<PoolId> = pools.ids().collect();
        for pool in ids {
            pools[pool].sort_by_key(|id| (compiled.offers[*id].price, *id));
        }
        let room = |id: &OfferId| compiled.shapes[compiled.offers[*id].shape].allocatable.iter();
        let rooms = pools.values().map(|offers| offers.iter().flat_map(room).copied().collect());
        let open = |id: &OfferId| !compiled.offers[*id].fixed_labels.is_empty();
        let has_fixed_labels = pools.values().map(|offers| offers.iter().any(open)).collect();
        let mut by_state: BTreeMap<(PoolId, Arc<str>), BTreeMap<u32, Vec<usize>>> = BTreeMap::new();
        for (pool, offers) in pools.iter() {
            let keys = offers.iter().flat_map(|id| compiled.offers[*id].fixed_labels.iter());
            let keys: BTreeSet<&Arc<str>> = keys.map(|(key, _)| key).collect();
            for key in keys {
                let states = compiled.site_conditions.table.states(key);
                let of_key = by_state.entry((pool, key.clone())).or_default();
                for (place, id) in offers.iter().enumerate() {
                    let state = states.get(compiled.site_of_offer(*id)).copied().unwrap_or(0);
                    of_key.entry(state).or_default().push(place);
                }
            }
        }
        Self {
            rooms: rooms.collect(),
            width: compiled.dims.len(),
            has_fixed_labels,
            by_state,
            pools,
        }
    }

    /// The places in a pool of offers among which are all that have fixed labels as an offer has
    /// them.
    ///
    /// Of several labels the one with the fewest offers is used; the caller tests the rest.
    pub(super) fn places(
        &self,
        compiled: &Compiled,
        pool: PoolId,
        of: OfferId,
        fixed_labels: &[FixedLabel],
    ) -> Box<dyn Iterator<Item = usize> + '_> {
        let site = compiled.site_of_offer(of);
        let with = |(key, _): &FixedLabel| {
            let state = compiled.site_conditions.table.states(key).get(site)?;
            self.by_state.get(&(pool, key.clone()))?.get(state)
        };
        match fixed_labels.iter().filter_map(with).min_by_key(|places| places.len()) {
            Some(places) => Box::new(places.iter().copied()),
            None => Box::new(0..self.pools[pool].len()),
        }
    }

    /// The offers at some places of a pool, and one offer more, that are large enough for a load,
    /// cheapest first.
    ///
    /// The offer that is given beside the list has its place by price among them, so that what
    /// comes out is sorted.
    pub(super) fn large_enough(
        &self,
        pool: PoolId,
        ranked: &[usize],
        more: usize,
        load: &[i64],
    ) -> impl Iterator<Item = OfferId> {
        let (before, after) = ranked.split_at(ranked.partition_point(|place| *place < more));
        let after = after.iter().copied().filter(move |place| *place != more);
        let places = before.iter().copied().chain([more]).chain(after);
        let is_large = move |place: &usize| {
            let room = &self.rooms[pool][place * self.width..(place + 1) * self.width];
            room.iter().zip(load).all(|(have, want)| have >= want)
        };
        places.filter(is_large).map(move |place| self.pools[pool][place])
    }

    /// The place of an offer.
    pub(super) fn place(&self, compiled: &Compiled, id: OfferId) -> usize {
        let offers = &self.pools[compiled.offers[id].pool];
        offers.partition_point(|other| {
            (compiled.offers[*other].price, *other) < (compiled.offers[id].price, id)
        })
    }
}
