//! The search over whole plans.

use super::document::Amounts;
use super::{Best, Choice, Oracle, Place, Pods, Purchase, running, ways};
use serde_json::Value;
use std::collections::BTreeMap;

/// A partial plan: sets of pods on running nodes and on new nodes.
#[derive(Clone, Debug, Default)]
struct Split {
    nodes: Vec<Pods>,
    launches: Vec<Pods>,
    /// Pods left out, by priority, highest first.
    missing: BTreeMap<std::cmp::Reverse<i64>, usize>,
}

/// What must be beaten: fewest missing pods of the highest priority, then of the next, then cost.
type Score = (Vec<usize>, i128);

struct Search<'a> {
    oracle: &'a Oracle,
    /// What each pod must keep; `None` in the whole means that pods are free.
    places: Option<&'a [Place]>,
    room: Vec<Amounts>,
    reservations: BTreeMap<String, i64>,
    best: Option<Score>,
    /// The options of sets of pods that were asked for.
    known: BTreeMap<Pods, Vec<Choice>>,
}

impl Oracle {
    /// The most pods by priority, and the least cost at which they can be placed.
    pub(crate) fn best(&self) -> Best {
        let (missing, cost) = self.search(None).expect("leaving every pod out is a plan");
        Best { placed: self.pending() - missing.iter().sum::<usize>(), missing, cost }
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
    /// weight as before; `None` if there is no such plan.
    pub(crate) fn cheapest_like(&self, places: &[Place]) -> Option<i128> {
        self.search(Some(places)).map(|(_, cost)| cost)
    }

    fn search(&self, places: Option<&[Place]>) -> Option<Score> {
        assert!(self.pending() < 32, "too many pods for the oracle");
        let room = (0..self.document.pools.len()).map(|p| running::room(&self.document, p));
        let mut search = Search {
            oracle: self,
            places,
            room: room.collect(),
            reservations: ways::reservations(&self.document),
            best: None,
            known: BTreeMap::new(),
        };
        let mut split = Split { nodes: vec![0; self.document.nodes.len()], ..Split::default() };
        for pod in &self.document.pending {
            split.missing.insert(std::cmp::Reverse(pod.priority), 0);
        }
        search.place(0, 0, &mut split);
        search.best
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
            for purchase in self.purchases(pod).into_iter().filter(|p| self.is_plain(*p)) {
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

impl Search<'_> {
    /// Tries every place for the pods from `pod` on. A pod like the one before it isn't put in an
    /// earlier slot than that one (slots: running nodes, launches, a new launch, nowhere).
    fn place(&mut self, pod: usize, least: usize, split: &mut Split) {
        let oracle = self.oracle;
        let Some(cost) = self.least_cost(&split.launches) else { return };
        let missing = split.missing.values().copied().collect();
        if self.best.as_ref().is_some_and(|best| (missing, cost) >= *best) {
            return;
        }
        if pod == oracle.pending() {
            self.buy(split);
            return;
        }
        let place = self.places.map(|places| places[pod]);
        if place == Some(Place::None) {
            self.place(pod + 1, 0, split);
            return;
        }
        let (bit, nodes): (Pods, usize) = (1 << pod, split.nodes.len());
        let known = nodes + split.launches.len();
        let next = |slot: usize| if self.like_next(pod) { slot } else { 0 };
        let (next_known, next_new, next_none) = (next(usize::MAX), next(known), next(known + 1));
        for slot in least..known {
            let after = slot.min(next_known);
            if let Some(node) = split.nodes.get(slot).copied() {
                if oracle.node_takes(slot, node | bit) {
                    split.nodes[slot] |= bit;
                    self.place(pod + 1, after, split);
                    split.nodes[slot] ^= bit;
                }
            } else {
                split.launches[slot - nodes] |= bit;
                self.place(pod + 1, after, split);
                split.launches[slot - nodes] ^= bit;
            }
        }
        if least <= known {
            split.launches.push(bit);
            self.place(pod + 1, next_new, split);
            split.launches.pop();
        }
        if place.is_none() {
            let priority = std::cmp::Reverse(oracle.document.pending[pod].priority);
            *split.missing.get_mut(&priority).unwrap() += 1;
            // "Nowhere" stays the last slot, however many launches there are.
            let after = if next_none == 0 { 0 } else { usize::MAX };
            self.place(pod + 1, after, split);
            *split.missing.get_mut(&priority).unwrap() -= 1;
        }
    }

    /// Whether the next pod is like this one in everything but its name, and must keep the same.
    fn like_next(&self, pod: usize) -> bool {
        let pending = &self.oracle.document.pending;
        let same_place = self.places.is_none_or(|p| p.get(pod) == p.get(pod + 1));
        same_place
            && pending.get(pod + 1).is_some_and(|next| {
                super::Pod { id: pending[pod].id.clone(), ..next.clone() } == pending[pod]
            })
    }

    /// The ways that hold a launch's pods at the weights they must keep, cheapest first, the cheapest
    /// alone of those that no limit, reservation, weight or rule between pods tells apart.
    fn options(&mut self, launch: Pods) -> Vec<Choice> {
        if let Some(known) = self.known.get(&launch) {
            return known.clone();
        }
        let oracle = self.oracle;
        let kept = |choice: &Choice| {
            self.places.is_none_or(|places| {
                let mut members = places.iter().enumerate().filter(|(i, _)| launch & (1 << i) != 0);
                members.all(|(_, place)| match place {
                    Place::Launched(weight) => *weight == oracle.weight(choice.purchase),
                    Place::Bound | Place::None => true,
                })
            })
        };
        let mut seen = Vec::new();
        let options: Vec<Choice> = oracle
            .choices(launch)
            .into_iter()
            .filter(kept)
            .filter(|Choice { purchase, way }| {
                let limits = self.room[purchase.pool].keys();
                let takes: Vec<i64> =
                    limits.map(|name| oracle.takes_of_limit(*purchase, name)).collect();
                let look = oracle.between.any.then(|| &oracle.between.looks[*way]);
                let key = (purchase.pool, oracle.reservation(*purchase).cloned(), takes, look);
                let new = !seen.contains(&key);
                seen.push(key);
                new
            })
            .collect();
        self.known.insert(launch, options.clone());
        options
    }

    /// The sum of the cheapest purchases; `None` if some launch has none.
    fn least_cost(&mut self, launches: &[Pods]) -> Option<i128> {
        let least = |l: &Pods| Some(self.oracle.price(self.options(*l).first()?.purchase));
        launches.iter().map(least).sum()
    }

    fn buy(&mut self, split: &Split) {
        let options: Vec<Vec<Choice>> = split.launches.iter().map(|l| self.options(*l)).collect();
        let (room, reservations) = (self.room.clone(), self.reservations.clone());
        self.choose(split, &options, &mut Vec::new(), 0, &room, &reservations);
    }

    fn choose(
        &mut self,
        split: &Split,
        options: &[Vec<Choice>],
        chosen: &mut Vec<Choice>,
        cost: i128,
        room: &[Amounts],
        reservations: &BTreeMap<String, i64>,
    ) {
        let price = |choice: &Choice| self.oracle.price(choice.purchase);
        let rest: i128 = options[chosen.len()..].iter().map(|o| price(&o[0])).sum();
        let missing: Vec<usize> = split.missing.values().copied().collect();
        let beaten = |best: &Score| (&missing[..], cost + rest) >= (&best.0[..], best.1);
        if self.best.as_ref().is_some_and(beaten) {
            return;
        }
        let Some(here) = options.get(chosen.len()) else {
            if self.keeps_weights(&split.launches, chosen, room, reservations)
                && self.keeps_rules_between_pods(split, chosen)
            {
                self.best = Some((missing, cost));
            }
            return;
        };
        for choice in here {
            let (mut room, mut reservations) = (room.to_vec(), reservations.clone());
            if self.oracle.take(choice.purchase, &mut room, &mut reservations) {
                let cost = cost + self.oracle.price(choice.purchase);
                chosen.push(*choice);
                self.choose(split, options, chosen, cost, &room, &reservations);
                chosen.pop();
            }
        }
    }

    fn keeps_rules_between_pods(&self, split: &Split, chosen: &[Choice]) -> bool {
        let (oracle, between) = (self.oracle, &self.oracle.between);
        let numbers = |pods: &Pods| oracle.numbers(*pods);
        let ways = chosen.iter().map(|choice| choice.way);
        !between.any
            || between.can_be_bound(
                &split.nodes.iter().map(numbers).collect::<Vec<_>>(),
                &split.launches.iter().map(numbers).zip(ways).collect::<Vec<_>>(),
            )
    }

    /// Whether no launched pod could have had one more node of a pool of higher weight; those that
    /// rules between pods tie to others may have had to go where no such pool launches.
    fn keeps_weights(
        &self,
        launches: &[Pods],
        chosen: &[Choice],
        room: &[Amounts],
        reservations: &BTreeMap<String, i64>,
    ) -> bool {
        let oracle = self.oracle;
        launches.iter().zip(chosen).all(|(pods, Choice { purchase, .. })| {
            let numbers = oracle.numbers(*pods).into_iter();
            let mut free = numbers.filter(|pod| !oracle.between.tied[*pod]);
            free.all(|pod| {
                let better = |other: &Purchase| {
                    oracle.weight(*other) > oracle.weight(*purchase)
                        && oracle.take(*other, &mut room.to_vec(), &mut reservations.clone())
                };
                !oracle.purchases(1 << pod).iter().any(better)
            })
        })
    }
}
