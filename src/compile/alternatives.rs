//! Which offers a launch may list beside its choice, as far as limits and reservations go.
//!
//! What is charged against limits is the choice, so no alternative may be charged more, and only
//! the choice itself may draw on a reservation. Neither depends on the pods, so the lists are made
//! once, when they are first asked for: one for all offers of a pool that are charged the same.

use super::id::{IdVec, OfferId, PoolId, ShapeId};
use super::{Compiled, Offer, Shape};
use std::collections::BTreeMap;

/// A list that is made when it is first asked for: it is part of the compiled problem, and goes
/// with it.
#[allow(clippy::disallowed_types, reason = "it is no state beside the problem")]
type Lazy = std::sync::OnceLock<Vec<OfferId>>;

/// The lists, by what is charged.
#[derive(Debug)]
pub(crate) struct Alternatives {
    of_shape: IdVec<ShapeId, usize>,
    lists: Vec<Lazy>,
}

impl Alternatives {
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

impl Compiled {
    /// The offers that draw on no reservation and are charged no more than another offer of their
    /// pool, those with the largest nodes first.
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
