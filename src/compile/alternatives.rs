//! Which offers a launch may list beside its choice, as far as limits and reservations go.
//!
//! What is charged against limits is the choice, so no alternative may be charged more, and only
//! the choice itself may draw on a reservation. Neither depends on the pods, so the lists are made
//! once, when they are first asked for: one for all offers of a pool that are charged the same.
//! Offers of a list that are as large and have the same values of what the pool asks `minValues` of
//! differ in their sites alone: these are looked at together.

use super::id::{IdVec, ItemId, KeyId, OfferId, PoolId, ShapeId};
use super::{Bits, Compiled, FixedLabel, Id, MinValues, Offer, Shape};
use std::collections::BTreeMap;

/// A list that is made when it is first asked for: it is part of the compiled problem, and goes
/// with it.
#[allow(clippy::disallowed_types, reason = "it is no state beside the problem")]
type Lazy<T> = std::sync::OnceLock<Vec<T>>;

/// As [`Lazy`], of the sites of a list's offers.
#[allow(clippy::disallowed_types, reason = "it is no state beside the problem")]
type LazySites = std::sync::OnceLock<Bits>;

/// Offers that are as large and have the same values of what their pool asks `minValues` of.
///
/// By far fewer than offers: zones and capacity types of a type are mostly one group.
#[derive(Debug)]
pub(crate) struct AlternativeGroup {
    /// For each key that the pool asks values of, theirs; 0: none, or one that the pool leaves open
    /// anyway.
    pub(crate) states: Vec<u32>,
    /// The shape of the first: the others have as much of every resource.
    pub(crate) shape: ShapeId,
    pub(crate) offers: Vec<OfferId>,
}

impl AlternativeGroup {
    /// Whether any of its offers is at one of these sites.
    pub(crate) fn overlaps(&self, sites: &Bits) -> bool {
        self.offers.iter().any(|offer| sites.contains(offer.index()))
    }
}

/// What decides which offers a launch may list: choices that have it in common have the same
/// alternatives.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct AlternativesKey {
    list: usize,
    domains: Vec<(KeyId, u32)>,
    counts: Vec<(usize, bool)>,
    fixed_labels: Vec<FixedLabel>,
    /// The choice, where it isn't among its alternatives.
    beside: Option<OfferId>,
}

/// The lists, by what is charged.
///
/// Shared by all views of a problem, and by what-ifs that change no offer.
#[derive(Debug)]
pub(crate) struct Alternatives {
    of_shape: IdVec<ShapeId, usize>,
    lists: Vec<Lazy<OfferId>>,
}

impl Alternatives {
    /// Numbers only: a list itself is made when it is first asked for.
    pub(super) fn new(shapes: &IdVec<ShapeId, Shape>, offers: &IdVec<OfferId, Offer>) -> Self {
        let mut pools: IdVec<ShapeId, Option<PoolId>> = shapes.iter().map(|_| None).collect();
        offers.values().for_each(|offer| pools[offer.shape] = Some(offer.pool));
        let mut lists: BTreeMap<(Option<PoolId>, &[i64]), usize> = BTreeMap::new();
        let of_shape = shapes.iter().map(|(id, shape)| {
            let number = lists.len();
            *lists.entry((pools[id], &shape.charge)).or_insert(number)
        });
        let of_shape = of_shape.collect();
        Self { of_shape, lists: lists.iter().map(|_| Lazy::new()).collect() }
    }
}

/// The groups of each list: values depend on what pools ask for, which may differ where lists are
/// the same.
#[derive(Debug)]
pub(crate) struct AlternativeGroups {
    lists: Vec<Lazy<AlternativeGroup>>,
    /// The sites of all offers in a list's groups.
    sites: Vec<LazySites>,
}

impl AlternativeGroups {
    pub(super) fn new(alternatives: &Alternatives) -> Self {
        Self {
            lists: alternatives.lists.iter().map(|_| Lazy::new()).collect(),
            sites: alternatives.lists.iter().map(|_| LazySites::new()).collect(),
        }
    }
}

impl Compiled {
    /// The offers that draw on no reservation and are charged no more than another offer of their
    /// pool, those with the largest nodes first.
    ///
    /// Whether a launch may really list one of them depends on its pods: see
    /// [`is_alternative`](super::is_alternative).
    pub(crate) fn alternatives(&self, choice: OfferId) -> &[OfferId] {
        let chosen = &self.offers[choice];
        let most = &self.shapes[chosen.shape].charge;
        let list = &self.alternatives.lists[self.alternatives.of_shape[chosen.shape]];
        list.get_or_init(|| {
            let listed = self.offers.iter().filter(|(_, offer)| {
                let charge = self.shapes[offer.shape].charge.iter();
                offer.pool == chosen.pool
                    && offer.reservation.is_none()
                    && charge.zip(most).all(|(each, most)| each <= most)
            });
            let mut listed: Vec<OfferId> = listed.map(|(id, _)| id).collect();
            let room = |id: &OfferId| &self.shapes[self.offers[*id].shape].allocatable;
            listed.sort_by(|one, other| room(other).cmp(room(one)).then(one.cmp(other)));
            listed
        })
    }

    /// The [`Compiled::alternatives`] by what they are like, those that have any value of what the
    /// pool asks for.
    pub(crate) fn alternative_groups(&self, choice: OfferId) -> &[AlternativeGroup] {
        let list = self.alternatives.of_shape[self.offers[choice].shape];
        self.alternative_groups.lists[list].get_or_init(|| {
            let mut numbers: BTreeMap<(Vec<u32>, &[i64]), usize> = BTreeMap::new();
            let mut groups: Vec<AlternativeGroup> = Vec::new();
            for offer in self.alternatives(choice) {
                let states = self.min_values_states(*offer);
                if states.iter().all(|state| *state == 0) {
                    continue;
                }
                let shape = self.offers[*offer].shape;
                let room = &self.shapes[shape].allocatable[..];
                let number = *numbers.entry((states.clone(), room)).or_insert(groups.len());
                if number == groups.len() {
                    groups.push(AlternativeGroup { states, shape, offers: Vec::new() });
                }
                groups[number].offers.push(*offer);
            }
            groups
        })
    }

    /// The sites of the [`Compiled::alternative_groups`].
    pub(crate) fn alternative_sites(&self, choice: OfferId) -> &Bits {
        let list = self.alternatives.of_shape[self.offers[choice].shape];
        self.alternative_groups.sites[list].get_or_init(|| {
            let mut sites = Bits::none(self.sites());
            let groups = self.alternative_groups(choice).iter();
            let offers = groups.flat_map(|group| &group.offers);
            offers.for_each(|offer| sites.insert(self.site_of_offer(*offer)));
            sites
        })
    }

    /// What decides which offers a launch of a choice with pods of these items may list.
    ///
    /// Two choices with one key and the same pods list the same offers, so the answer is worked out
    /// once.
    pub(crate) fn alternatives_key(&self, choice: OfferId, items: &[ItemId]) -> AlternativesKey {
        let agreement = self.agreement(choice, items);
        AlternativesKey {
            list: self.alternatives.of_shape[self.offers[choice].shape],
            domains: agreement.domains,
            counts: agreement.counts,
            fixed_labels: agreement.fixed_labels,
            beside: self.choice_beside(choice),
        }
    }

    /// An offer's value of each key that its pool asks values of; 0: none, or one that the pool
    /// leaves open anyway.
    pub(crate) fn min_values_states(&self, offer: OfferId) -> Vec<u32> {
        let asked = self.pools[self.offers[offer].pool].min_values.iter();
        let state = |asked: &MinValues| {
            let states = self.min_values.get(&asked.key).filter(|_| asked.open == 0);
            states.and_then(|states| states.get(offer.index())).copied().unwrap_or(0)
        };
        asked.map(state).collect()
    }

    /// The choice itself, where it isn't among its [`Compiled::alternatives`].
    pub(crate) fn choice_beside(&self, choice: OfferId) -> Option<OfferId> {
        self.offers[choice].reservation.map(|_| choice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InstanceType, NodePool, Offering, Pod, Price, Problem, Resources};

    #[test]
    fn no_alternative_is_charged_more_or_draws_on_a_reservation() {
        let of_size = |name: &str, cpu: &str| {
            let capacity = Resources::parse([("cpu", cpu), ("pods", "10")]).unwrap();
            InstanceType::new(name, capacity)
                .with_offering(Offering::on_demand("a", "0.1".parse::<Price>().unwrap()))
        };
        let limits = Resources::parse([("cpu", "20")]).unwrap();
        let problem = Problem::builder()
            .pod(Pod::new("p").with_requests(Resources::parse([("cpu", "1")]).unwrap()))
            .instance_type(of_size("small", "2"))
            .instance_type(of_size("large", "8"))
            .node_pool(NodePool::new("default").with_limits(limits))
            .build()
            .unwrap();
        let compiled = Compiled::new(&problem, Price::ZERO).unwrap();
        let cpu = |id: &OfferId| compiled.shapes[compiled.offers[*id].shape].charge[0];
        for (choice, _) in compiled.offers.iter() {
            let listed = compiled.alternatives(choice);
            assert!(listed.contains(&choice));
            assert_eq!(listed.len(), if cpu(&choice) > 2_000 { 2 } else { 1 });
            assert!(listed.iter().all(|id| cpu(id) <= cpu(&choice)));
        }
    }
}
