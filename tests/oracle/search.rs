//! What the best plan comes to, and what a plan document does.

use super::between::Counting;
use super::document::Amounts;
use super::exact::TooHard;
use super::kinds::Kinds;
use super::{Best, Oracle, Place, Pods, Purchase, running, ways};
use serde_json::Value;
use std::collections::BTreeMap;

impl Oracle {
    /// The most pods by priority, and the least cost at which they can be placed: with the domains
    /// counted that launches could add, if so many have places then, else without.
    pub(crate) fn best(&self) -> Best {
        self.try_best().expect("an easy problem")
    }

    /// The same, unless the problem is too hard.
    pub(crate) fn try_best(&self) -> Result<Best, TooHard> {
        let kinds = self.kinds();
        let most = kinds.best(Counting::Standing)?.expect("leaving every pod out is a plan");
        let aim = if self.between.any { kinds.best(Counting::Launchable)? } else { None };
        let aim = aim.filter(|aim| aim.missing == most.missing).map(|aim| aim.cost);
        let placed = self.pending() - most.missing.iter().sum::<usize>();
        Ok(Best { placed, missing: most.missing, cost: aim.unwrap_or(most.cost), least: most.cost })
    }

    /// How many pods of each priority have no place, highest priority first.
    pub(crate) fn missing(&self, places: &[Place]) -> Vec<usize> {
        let mut missing = BTreeMap::new();
        for (pod, place) in self.document.pending.iter().zip(places) {
            let count = missing.entry(std::cmp::Reverse(pod.priority)).or_insert(0);
            *count += usize::from(*place == Place::None);
        }
        missing.into_values().collect()
    }

    /// The least cost of a plan that places the same pods, each launched one in a pool of the same
    /// weight as before, and keeps spreads over domains that launches could add; where none does, of a
    /// legal one. `None` if there is no such plan.
    pub(crate) fn cheapest_like(&self, places: &[Place]) -> Option<i128> {
        let [aim, legal] = [Counting::Launchable, Counting::Standing]
            .map(|counting| self.try_cheapest_like(places, counting).expect("an easy problem"));
        aim.or(legal)
    }

    /// The least cost of such a plan, unless the problem is too hard, by which domains spreads count.
    pub(crate) fn try_cheapest_like(
        &self,
        places: &[Place],
        counting: Counting,
    ) -> Result<Option<i128>, TooHard> {
        Kinds::of(self, Some(places)).of_all(counting)
    }

    /// What a plan document does with each pending pod, in the order of the problem.
    pub(crate) fn places(&self, plan: &Value) -> Vec<Place> {
        let place = |id: &str| {
            let launched = launches(plan).find(|l| has(&l["pods"], id));
            if let Some(launch) = launched {
                let pool = self.document.pools.iter().find(|p| launch["nodePool"] == p.name);
                return Place::Launched(pool.expect("a pool of the problem").weight);
            }
            let bound = plan["bindings"].as_array().unwrap().iter().any(|b| b["pod"] == id);
            if bound { Place::Bound } else { Place::None }
        };
        self.document.pending.iter().map(|pod| place(&pod.id)).collect()
    }

    /// An unplaced pod that could be added to a plan without moving any other, and where.
    pub(crate) fn addable(&self, plan: &Value) -> Option<String> {
        let index = |id: &str| self.document.pending.iter().position(|pod| pod.id == id);
        let set = |pods: &mut dyn Iterator<Item = &str>| -> Pods {
            pods.map(|id| 1 << index(id).expect("a pending pod")).sum()
        };
        let mut room: Vec<Amounts> =
            (0..self.document.pools.len()).map(|p| running::room(&self.document, p)).collect();
        let mut reservations = ways::reservations(&self.document);
        let mut launched = Vec::new();
        for launch in launches(plan) {
            let purchase = self.purchase(launch).expect("an offering of the problem");
            self.take(purchase, &mut room, &mut reservations);
            let ids = launch["pods"].as_array().unwrap().iter();
            launched.push((purchase, set(&mut ids.filter_map(Value::as_str))));
        }
        let missing = plan["unschedulable"].as_array().unwrap();
        for id in missing.iter().filter_map(|u| u["pod"].as_str()) {
            let pod: Pods = 1 << index(id).expect("a pending pod");
            for (at, node) in self.document.nodes.iter().enumerate() {
                let bindings = plan["bindings"].as_array().unwrap().iter();
                let here = bindings.filter(|b| b["node"] == node.name);
                let there = set(&mut here.filter_map(|b| b["pod"].as_str()));
                if self.node_takes(at, there | pod) {
                    return Some(format!("{id} on node {}", node.name));
                }
            }
            let caused = |p: &Purchase| !self.is_fixed(*p) && self.is_plain(*p);
            for purchase in self.purchases(pod).into_iter().filter(caused) {
                let (mut room, mut reservations) = (room.clone(), reservations.clone());
                if self.take(purchase, &mut room, &mut reservations) {
                    return Some(format!("{id} on a new node, {}", self.words(purchase)));
                }
            }
            for (purchase, pods) in &launched {
                if self.purchases(pods | pod).contains(purchase) {
                    return Some(format!("{id} on a launch, {}", self.words(*purchase)));
                }
            }
        }
        None
    }

    /// Whether a purchase is free of a corner that packers may leave alone: a reservation that is
    /// itself one of the values that `minValues` counts.
    fn is_plain(&self, purchase: Purchase) -> bool {
        let asks = &self.document.pools[purchase.pool].requirements;
        self.reservation(purchase).is_none() || asks.iter().all(|r| r.min_values == 0)
    }

    fn words(&self, purchase: Purchase) -> String {
        let ty = &self.document.types[purchase.ty];
        let offering = &ty.offerings[purchase.offering];
        let pool = &self.document.pools[purchase.pool].name;
        format!("{pool}: {} {} {}", ty.name, offering.zone, offering.capacity_type)
    }

    /// The purchase that a launch of a plan document states.
    fn purchase(&self, launch: &Value) -> Option<Purchase> {
        let choice = &launch["offering"];
        let pool = self.document.pools.iter().position(|p| launch["nodePool"] == p.name)?;
        let ty = self.document.types.iter().position(|t| choice["instanceType"] == t.name)?;
        let offering = self.document.types[ty].offerings.iter().position(|o| {
            let reservation = o.reservation.as_ref().map(|(id, _)| id.as_str());
            choice["zone"] == o.zone
                && choice["capacityType"] == o.capacity_type
                && choice["reservation"].as_str() == reservation
                && super::nanos(&launch["price"]) == o.price
        })?;
        Some(Purchase { pool, ty, offering })
    }

    /// Takes a purchase from limits and reservations; false if there wasn't enough of either.
    fn take(
        &self,
        purchase: Purchase,
        room: &mut [Amounts],
        reservations: &mut BTreeMap<String, i64>,
    ) -> bool {
        let mut enough = true;
        for (name, left) in &mut room[purchase.pool] {
            *left -= self.takes_of_limit(purchase, name);
            // A limit that's broken already forbids more of what it counts, and only of that.
            enough &= *left >= 0 || self.takes_of_limit(purchase, name) == 0;
        }
        if let Some(left) = self.reservation(purchase).and_then(|id| reservations.get_mut(id)) {
            *left -= 1;
            enough &= *left >= 0;
        }
        enough
    }
}

fn launches(plan: &Value) -> impl Iterator<Item = &Value> {
    plan["launches"].as_array().unwrap().iter()
}

fn has(ids: &Value, id: &str) -> bool {
    ids.as_array().unwrap().iter().any(|i| i == id)
}
