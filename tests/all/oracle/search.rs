//! What the best plan comes to, and what a plan document does.

use super::between::Counting;
use super::document::Amounts;
use super::exact::TooHard;
use super::kinds::Kinds;
use super::{Best, Oracle, Place, Purchase};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

impl Oracle {
    /// The most pods by priority, and the least cost at which they can be placed: with the domains
    /// counted that launches could add, if so many have places then, else without.
    pub(crate) fn best(&self) -> Best {
        self.try_best().expect("an easy problem")
    }

    /// The same, unless the problem is too hard.
    pub(crate) fn try_best(&self) -> Result<Best, TooHard> {
        let kinds = self.kinds();
        let most = kinds.best(Counting::Standing, None)?.expect("leaving every pod out is a plan");
        let asked = Some(&most.missing[..]);
        let any = self.between.any;
        let aim = if any { kinds.best(Counting::Launchable, asked)? } else { None };
        let placed = self.pending() - most.missing.iter().sum::<usize>();
        let cost = aim.as_ref().map_or(most.cost, |aim| aim.cost);
        let beside = match aim {
            None if any => kinds.best(Counting::Remaining, asked)?,
            aim => aim,
        };
        let beside = beside.map_or(cost, |beside| beside.cost);
        let weighed = self.cost_by_weight(&most.missing)?.unwrap_or(beside).max(beside);
        Ok(Best { placed, missing: most.missing, cost, weighed, least: most.cost })
    }

    /// The least cost for so many pods where those that rules tie to others go by the pools'
    /// weights as well; nothing where they can't, or it makes no difference.
    fn cost_by_weight(&self, missing: &[usize]) -> Result<Option<i128>, TooHard> {
        let pools = self.document.pools.iter().filter(|pool| pool.replicas.is_none());
        let weights: BTreeSet<i64> = pools.map(|pool| pool.weight).collect();
        if weights.len() < 2 || !self.between.tied.contains(&true) {
            return Ok(None);
        }
        let mut kinds = self.kinds();
        kinds.tied_are_free = false;
        for counting in [Counting::Launchable, Counting::Remaining, Counting::Standing] {
            if let Some(best) = kinds.best(counting, Some(missing))? {
                return Ok(Some(best.cost));
            }
        }
        Ok(None)
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
    /// weight as before, and keeps spreads over domains that launches could add; where none does,
    /// of a legal one. `None` if there is no such plan.
    pub(crate) fn cheapest_like(&self, places: &[Place]) -> Option<i128> {
        [Counting::Launchable, Counting::Standing]
            .into_iter()
            .find_map(|counting| self.try_cheapest_like(places, counting).expect("an easy problem"))
    }

    /// The least cost of such a plan, unless the problem is too hard, by which domains spreads
    /// count.
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

    /// Whether a purchase is free of a corner that packers may leave alone: a reservation that is
    /// itself one of the values that `minValues` counts.
    pub(super) fn is_plain(&self, purchase: Purchase) -> bool {
        let asks = &self.document.pools[purchase.pool].requirements;
        self.reservation(purchase).is_none() || asks.iter().all(|r| r.min_values == 0)
    }

    pub(super) fn words(&self, purchase: Purchase) -> String {
        let ty = &self.document.types[purchase.ty];
        let offering = &ty.offerings[purchase.offering];
        let pool = &self.document.pools[purchase.pool].name;
        format!("{pool}: {} {} {}", ty.name, offering.zone, offering.capacity_type)
    }

    /// The purchase that a launch of a plan document states.
    pub(super) fn purchase(&self, launch: &Value) -> Option<Purchase> {
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
    pub(super) fn take(
        &self,
        purchase: Purchase,
        room: &mut [Amounts],
        reservations: &mut BTreeMap<String, i64>,
    ) -> bool {
        let mut enough = true;
        for (name, left) in &mut room[purchase.pool] {
            *left -= self.takes_of_limit(purchase, name);
            // A limit that's broken already forbids everything.
            enough &= *left >= 0;
        }
        if let Some(left) = self.reservation(purchase).and_then(|id| reservations.get_mut(id)) {
            *left -= 1;
            enough &= *left >= 0;
        }
        enough
    }
}

pub(super) fn launches(plan: &Value) -> impl Iterator<Item = &Value> {
    plan["launches"].as_array().unwrap().iter()
}

fn has(ids: &Value, id: &str) -> bool {
    ids.as_array().unwrap().iter().any(|i| i == id)
}
