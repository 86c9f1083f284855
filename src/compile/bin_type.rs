//! Bin types: offers that differ in nothing that matters, as one thing to buy.
//!
//! Two offers of a shape at one price that every eligibility set treats alike (the zones of a type,
//! say, where no pod asks for a zone) are one bin type. Of two bin types of pools of one weight,
//! one is *dominated* by the other when it is no cheaper, no larger in any resource, takes no item
//! that the other refuses, and the other is never scarce: whatever is put on the first can be put
//! on the second, so the packer needs to look at the second alone. Dominated bin types are kept for
//! `alternatives`.

use super::bits::{Bits, transpose};
use super::id::{EligibilityId, Id, OfferId, PoolId, ReservationId, ShapeId};
use super::{Base, Compiled, Shape};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::collections::BTreeMap;
use std::hash::BuildHasher;

/// Offers that differ in nothing that matters.
///
/// What is bought in the end is the first of its offers that the launch's template prefers; all of
/// them, and those that it dominates, can be alternatives.
#[derive(Clone, Debug)]
pub(crate) struct BinType {
    pub(crate) pool: PoolId,
    pub(crate) weight: i32,
    pub(crate) shape: ShapeId,
    /// Price per hour in billionths, without fees.
    pub(crate) price: i64,
    pub(crate) reservation: Option<ReservationId>,
    /// The eligibility sets that admit it, by eligibility set.
    pub(crate) admits: Bits,
    /// Its offers, in the order of their ids.
    pub(crate) offers: Vec<OfferId>,
    /// The offers of bin types that it dominates.
    pub(crate) dominated: Vec<OfferId>,
}

/// The bin types of a problem that no other dominates, in the order of their first offers; and for
/// each site the eligibility sets that admit it.
pub(crate) fn bin_types(compiled: &Compiled) -> (Vec<BinType>, Vec<Bits>) {
    let sites = compiled.offers.len() + compiled.nodes.len();
    // What nothing can hold asks for nothing, so that it can't make offers differ.
    let none = compiled.usable.emptied();
    let mut asked = vec![&none; compiled.eligible.len()];
    let placeable = compiled.items.iter().filter(|(id, _)| compiled.placeable[*id]);
    for (_, item) in placeable {
        asked[item.eligibility.index()] = &compiled.eligible[item.eligibility];
    }
    let admits = transpose(asked.into_iter(), sites);
    let mut bin_types: Vec<BinType> = Vec::new();
    // Only ever looked up in, never walked in hash order.
    let mut numbers: HashTable<usize> = HashTable::new();
    let hasher = FixedState::with_seed(0);
    for (id, offer) in compiled.offers.iter() {
        let eligibilities = &admits[id.index()];
        let fixed = compiled.pools[offer.pool].static_replicas.is_some();
        if eligibilities.is_empty() && !(fixed && compiled.usable.contains(id.index())) {
            continue;
        }
        let key = (offer.shape, offer.price, offer.reservation, eligibilities);
        let hash = hasher.hash_one(key);
        let equal = |at: &usize| bin_types[*at].key() == key;
        if let Some(known) = numbers.find(hash, equal).copied() {
            bin_types[known].offers.push(id);
            continue;
        }
        bin_types.push(BinType {
            pool: offer.pool,
            weight: compiled.pools[offer.pool].weight,
            shape: offer.shape,
            price: offer.price,
            reservation: offer.reservation,
            admits: eligibilities.clone(),
            offers: vec![id],
            dominated: Vec::new(),
        });
        let new = bin_types.len() - 1;
        let _slot = numbers.insert_unique(hash, new, |at| hasher.hash_one(bin_types[*at].key()));
    }
    (undominated(compiled, bin_types), admits)
}

/// Bin types that the same eligibility sets admit.
///
/// Kept side by side, so that the search for what dominates one more looks at numbers in one line.
struct EquallyEligible<'c> {
    admits: &'c Bits,
    bin_types: Vec<usize>,
    /// The resources of each in one line, which tell most of them apart.
    rooms: Vec<i64>,
    /// The most that any has of each resource.
    most: Vec<i64>,
}

/// *Cost.* Each bin type is held against those that are cheaper or as cheap and that all of its
/// eligibility sets admit; of these most are ruled out by the largest room of their group.
fn undominated(compiled: &Compiled, bin_types: Vec<BinType>) -> Vec<BinType> {
    let mut order: Vec<usize> = (0..bin_types.len()).collect();
    // Cheapest first; at one price the larger first, so that whatever dominates comes before.
    order.sort_by_cached_key(|at| {
        let bin_type = &bin_types[*at];
        let room: i128 =
            compiled.shapes[bin_type.shape].allocatable.iter().map(|have| i128::from(*have)).sum();
        (bin_type.price, std::cmp::Reverse(room), std::cmp::Reverse(bin_type.admits.count()), *at)
    });
    // What is kept, by the eligibility sets that admit it, since only what the same eligibility
    // sets and more admit can dominate.
    let width = compiled.dims.len();
    let mut kept: Vec<EquallyEligible<'_>> = Vec::new();
    let mut numbers: BTreeMap<&Bits, usize> = BTreeMap::new();
    // What dominates a bin type is admitted by each of its eligibility sets: for each eligibility
    // set, what is kept and it admits.
    let mut admitted: Vec<Vec<usize>> = vec![Vec::new(); compiled.eligible.len()];
    let mut all: Vec<usize> = Vec::new();
    let mut under: Vec<(usize, usize)> = Vec::new();
    for at in order {
        let worse = &bin_types[at];
        let small = &compiled.shapes[worse.shape].allocatable;
        let holds = |room: &[i64]| room.iter().zip(small).all(|(mine, theirs)| mine >= theirs);
        let of_eligibilities = worse.admits.iter().map(|eligibility| &admitted[eligibility]);
        let candidates = of_eligibilities.min_by_key(|kept| kept.len()).unwrap_or(&all);
        let dominating = candidates.iter().find_map(|alike| {
            let alike = &kept[*alike];
            if !holds(&alike.most) || !alike.admits.includes(&worse.admits) {
                return None;
            }
            let mut better = alike.bin_types.iter().zip(alike.rooms.chunks_exact(width));
            let found = better.find(|(better, room)| {
                holds(room) && dominates(compiled, &bin_types[**better], worse)
            });
            found.map(|(better, _)| *better)
        });
        if let Some(better) = dominating {
            under.push((better, at));
            continue;
        }
        match numbers.get(&worse.admits) {
            Some(alike) => {
                let alike = &mut kept[*alike];
                alike.bin_types.push(at);
                alike.rooms.extend(small);
                alike.most.iter_mut().zip(small).for_each(|(most, have)| *most = *have.max(most));
            }
            None => {
                let _new = numbers.insert(&worse.admits, kept.len());
                all.push(kept.len());
                worse.admits.iter().for_each(|eligibility| admitted[eligibility].push(kept.len()));
                kept.push(EquallyEligible {
                    admits: &worse.admits,
                    bin_types: vec![at],
                    rooms: small.clone(),
                    most: small.clone(),
                });
            }
        }
    }
    let mut kept: Vec<usize> = kept.into_iter().flat_map(|alike| alike.bin_types).collect();
    kept.sort_unstable();
    let mut bin_types = bin_types;
    for (better, worse) in under {
        let offers = std::mem::take(&mut bin_types[worse].offers);
        bin_types[better].dominated.extend(offers);
    }
    let mut keep = kept.into_iter().peekable();
    let chosen = bin_types.into_iter().enumerate().filter(|(at, _)| keep.next_if_eq(at).is_some());
    chosen.map(|(_, bin_type)| bin_type).collect()
}

/// Whether a bin type dominates another that is no larger and that no eligibility set admits which
/// doesn't admit the one.
fn dominates(compiled: &Compiled, better: &BinType, worse: &BinType) -> bool {
    let (large, small): (&Shape, &Shape) =
        (&compiled.shapes[better.shape], &compiled.shapes[worse.shape]);
    let pool = &compiled.pools[better.pool];
    // What a static pool launches is fixed, and so is what it costs.
    let is_static = pool.static_replicas.is_some();
    if better.pool != worse.pool
        && (is_static || compiled.pools[worse.pool].static_replicas.is_some())
    {
        return false;
    }
    // Its nodes stand also where they hold nothing: then it matters in which domains.
    if is_static && !are_seen_alike(compiled, better, worse) {
        return false;
    }
    let never_scarce = better.reservation.is_none()
        && (pool.limits.is_empty()
            || better.pool == worse.pool
                && large.charge.iter().zip(&small.charge).all(|(mine, theirs)| mine <= theirs));
    // With `minValues` a larger charge has a use: more alternatives stay within it.
    let as_free = pool.min_values.is_empty()
        || better.pool == worse.pool && (pool.limits.is_empty() || large.charge == small.charge);
    never_scarce
        && as_free
        && better.price <= worse.price
        && better.weight == worse.weight
        && large.used.leaves_as_much_as(&small.used)
}

/// Whether rules between pods see nodes of two bin types in the same domains.
///
/// The same domain for each topology key, and counted by the same spreads.
fn are_seen_alike(compiled: &Compiled, one: &BinType, other: &BinType) -> bool {
    let site =
        |bin_type: &BinType| bin_type.offers.first().map(|offer| compiled.site_of_offer(*offer));
    let (Some(one), Some(other)) = (site(one), site(other)) else { return false };
    let topology = &compiled.topology;
    let mut spreads = topology.rules.values().flat_map(|rules| &rules.spreads);
    topology.keys.values().all(|key| key.of_site[one] == key.of_site[other])
        && spreads.all(|spread| spread.counted.contains(one) == spread.counted.contains(other))
}

impl BinType {
    /// What its offers have in common.
    fn key(&self) -> (ShapeId, i64, Option<ReservationId>, &Bits) {
        (self.shape, self.price, self.reservation, &self.admits)
    }

    /// Whether its pool launches a fixed number of nodes, whatever pods ask for.
    pub(crate) fn is_static(&self, base: &Base) -> bool {
        base.pools[self.pool].static_replicas.is_some()
    }

    /// Whether an eligibility set admits the bin type.
    pub(crate) fn admits(&self, eligibility: EligibilityId) -> bool {
        self.admits.contains(eligibility.index())
    }
}
