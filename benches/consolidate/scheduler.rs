//! Karpenter's scheduling simulation: pods without their nodes, onto other nodes by name, then onto
//! claims of new nodes.
//!
//! A claim is the set of offers that would still do. Preferences are hard until a pod finds no
//! place at all; then the next is given up.

use super::model::{Amounts, Between, HOSTNAME, Labels, Model, Pod, ZONE, fits, take};
use std::collections::{BTreeMap, BTreeSet};

/// A new node that isn't decided yet.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) pool: usize,
    pub(crate) offers: Vec<usize>,
    pub(crate) requests: Amounts,
    pub(crate) pods: Vec<usize>,
}

/// Where pods went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Simulation {
    pub(crate) bound: Vec<(usize, usize)>,
    pub(crate) claims: Vec<Claim>,
}

/// What of its preferences a pod still insists on.
#[derive(Clone, Debug)]
struct Wishes {
    preferred: usize,
    soft_spreads: usize,
}

struct Scheduler<'m> {
    model: &'m Model,
    removed: &'m BTreeSet<usize>,
    /// Nodes in the order in which they are tried.
    order: Vec<usize>,
    free: Vec<Amounts>,
    /// The node or claim of each pod; claims are numbered after nodes.
    place: Vec<Option<usize>>,
    /// Zones of claims that are fixed by a spread.
    claims: Vec<Claim>,
}

/// Simulates a cluster without some nodes; nothing if some of their pods find no place.
pub(crate) fn simulate(model: &Model, removed: &BTreeSet<usize>) -> Option<Simulation> {
    let moving: Vec<usize> = removed
        .iter()
        .flat_map(|node| model.on(*node))
        .filter(|(_, pod)| pod.moves)
        .map(|(at, _)| at)
        .collect();
    let mut order: Vec<usize> = (0..model.nodes.len())
        .filter(|at| !removed.contains(at) && !model.nodes[*at].gone)
        .collect();
    order.sort_by_key(|at| (!model.nodes[*at].initialized, &model.nodes[*at].name));
    let mut place: Vec<Option<usize>> = model.pods.iter().map(|pod| pod.node).collect();
    for (at, pod) in model.pods.iter().enumerate() {
        if pod.node.is_some_and(|node| removed.contains(&node)) {
            place[at] = None;
        }
    }
    let mut scheduler =
        Scheduler { model, removed, order, free: model.free(), place, claims: Vec::new() };
    let mut queue = moving;
    queue.sort_by(|a, b| {
        let key = |at: usize| {
            let pod = &model.pods[at];
            let of = |name: &str| -pod.requests.get(name).copied().unwrap_or(0);
            (of("cpu"), of("memory"), &pod.name)
        };
        key(*a).cmp(&key(*b))
    });
    let mut wishes: BTreeMap<usize, Wishes> = queue
        .iter()
        .map(|at| {
            let pod = &model.pods[*at];
            let all = Wishes { preferred: 0, soft_spreads: pod.soft_spreads.len() };
            (*at, all)
        })
        .collect();
    let mut bound = Vec::new();
    while !queue.is_empty() {
        let before = queue.len();
        let mut rest = Vec::new();
        let mut relaxed = false;
        for at in queue {
            match scheduler.add(at, &wishes[&at]) {
                Some(Some(node)) => bound.push((at, node)),
                Some(None) => {}
                None => {
                    let own = wishes.get_mut(&at)?;
                    if own.preferred < model.pods[at].preferred.len() {
                        own.preferred += 1;
                        relaxed = true;
                    } else if own.soft_spreads > 0 {
                        own.soft_spreads -= 1;
                        relaxed = true;
                    }
                    rest.push(at);
                }
            }
        }
        if rest.len() == before && !relaxed {
            return None;
        }
        queue = rest;
    }
    Some(Simulation { bound, claims: scheduler.claims })
}

impl Scheduler<'_> {
    /// Places a pod: on a node, or on a claim. Nothing where there is no place.
    fn add(&mut self, at: usize, wishes: &Wishes) -> Option<Option<usize>> {
        let pod = &self.model.pods[at];
        let conditions = |labels: &Labels| {
            let wished = pod.preferred.get(wishes.preferred).map(|(_, wished)| wished);
            pod.required.iter().chain(wished.into_iter().flatten()).all(|one| one.holds(labels))
        };
        let spreads: Vec<&Between> =
            pod.spreads.iter().chain(pod.soft_spreads.iter().take(wishes.soft_spreads)).collect();
        let zones = self.zones(pod, &spreads, &conditions);
        for node in self.order.clone() {
            let of = &self.model.nodes[node];
            let in_zone = zones.as_ref().is_none_or(|zones| {
                of.labels.get(ZONE).is_some_and(|zone| zones.iter().any(|(one, _)| one == zone))
            });
            if in_zone
                && fits(&pod.requests, &self.free[node])
                && pod.tolerates(&of.taints)
                && conditions(&of.labels)
                && self.host_allows(pod, node, &spreads)
            {
                take(&mut self.free[node], &pod.requests);
                self.place[at] = Some(node);
                return Some(Some(node));
            }
        }
        let mut claims: Vec<usize> = (0..self.claims.len()).collect();
        claims.sort_by_key(|claim| self.claims[*claim].pods.len());
        for claim in claims {
            let number = self.model.nodes.len() + claim;
            if !self.host_allows(pod, number, &spreads)
                || !pod.tolerates(&self.model.pools[self.claims[claim].pool].taints)
            {
                continue;
            }
            let mut requests = self.claims[claim].requests.clone();
            add(&mut requests, &pod.requests);
            let left = self.narrow(&self.claims[claim].offers, &requests, &zones, &conditions);
            if !left.is_empty() {
                let of = &mut self.claims[claim];
                (of.offers, of.requests) = (left, requests);
                of.pods.push(at);
                self.place[at] = Some(number);
                return Some(None);
            }
        }
        let mut pools: Vec<usize> = (0..self.model.pools.len()).collect();
        pools.sort_by(|a, b| {
            let (a, b) = (&self.model.pools[*a], &self.model.pools[*b]);
            b.weight.cmp(&a.weight).then_with(|| b.name.cmp(&a.name))
        });
        for pool in pools {
            if !pod.tolerates(&self.model.pools[pool].taints) {
                continue;
            }
            let room = self.room(pool);
            let all: Vec<usize> = (0..self.model.offers.len())
                .filter(|offer| {
                    let offer = &self.model.offers[*offer];
                    offer.pool == pool
                        && room.iter().all(|(name, left)| {
                            let one = if name == "nodes" { 1_000_000 } else { 0 };
                            offer.capacity.get(name).copied().unwrap_or(one) <= *left
                        })
                })
                .collect();
            let left = self.narrow(&all, &pod.requests, &zones, &conditions);
            if !left.is_empty() {
                let requests = pod.requests.clone();
                let number = self.model.nodes.len() + self.claims.len();
                self.claims.push(Claim { pool, offers: left, requests, pods: vec![at] });
                self.place[at] = Some(number);
                return Some(None);
            }
        }
        None
    }

    /// The offers of a claim that still do: with a spread over zones, those of the zone of the
    /// lowest count that has any.
    fn narrow(
        &self,
        offers: &[usize],
        requests: &Amounts,
        zones: &Option<Vec<(String, i64)>>,
        conditions: &dyn Fn(&Labels) -> bool,
    ) -> Vec<usize> {
        let suits = |at: &&usize| {
            let offer = &self.model.offers[**at];
            fits(requests, &offer.free) && conditions(&offer.labels)
        };
        let left: Vec<usize> = offers.iter().filter(suits).copied().collect();
        let Some(zones) = zones else { return left };
        let of_zone = |zone: &String| -> Vec<usize> {
            let is = |at: &&usize| self.model.offers[**at].labels.get(ZONE) == Some(zone);
            left.iter().filter(is).copied().collect()
        };
        let mut by_count: Vec<&(String, i64)> = zones.iter().collect();
        by_count.sort_by_key(|(zone, count)| (*count, zone.clone()));
        by_count
            .iter()
            .map(|(zone, _)| of_zone(zone))
            .find(|own| !own.is_empty())
            .unwrap_or_default()
    }

    /// The zones that a pod's spreads over zones allow, with their counts; nothing without any.
    fn zones(
        &self,
        pod: &Pod,
        spreads: &[&Between],
        conditions: &dyn Fn(&Labels) -> bool,
    ) -> Option<Vec<(String, i64)>> {
        let over_zones: Vec<&&Between> = spreads.iter().filter(|one| one.key == ZONE).collect();
        let first = over_zones.first()?;
        let standing = self.order.iter().map(|node| &self.model.nodes[*node].labels);
        let offered = self.model.offers.iter().map(|offer| &offer.labels);
        let mut counts: BTreeMap<String, i64> = standing
            .chain(offered)
            .filter(|labels| conditions(labels))
            .filter_map(|labels| labels.get(ZONE))
            .map(|zone| (zone.clone(), 0))
            .collect();
        for (at, other) in self.model.pods.iter().enumerate() {
            if first.means(pod, other)
                && let Some(zone) = self.place[at].and_then(|place| self.zone_of(place))
                && let Some(count) = counts.get_mut(&zone)
            {
                *count += 1;
            }
        }
        let itself = i64::from(first.means(pod, pod));
        let least = counts.values().min().copied().unwrap_or(0);
        let skew = over_zones.iter().map(|one| one.max_skew).min().unwrap_or(1);
        Some(counts.into_iter().filter(|(_, count)| count + itself - least <= skew).collect())
    }

    fn zone_of(&self, place: usize) -> Option<String> {
        match place.checked_sub(self.model.nodes.len()) {
            None if self.removed.contains(&place) => None,
            None => self.model.nodes[place].labels.get(ZONE).cloned(),
            Some(claim) => {
                let mut zones =
                    self.claims[claim].offers.iter().map(|at| &self.model.offers[*at].labels[ZONE]);
                let first = zones.next()?;
                zones.all(|zone| zone == first).then(|| first.clone())
            }
        }
    }

    /// Whether rules over single nodes let a pod onto a node or a claim.
    fn host_allows(&self, pod: &Pod, place: usize, spreads: &[&Between]) -> bool {
        let here = |at: &usize| self.place[*at] == Some(place);
        let others: Vec<&Pod> =
            (0..self.model.pods.len()).filter(here).map(|at| &self.model.pods[at]).collect();
        let apart = |owner: &Pod, other: &Pod| {
            owner.apart.iter().any(|one| one.key == HOSTNAME && one.means(owner, other))
        };
        let even = spreads.iter().filter(|one| one.key == HOSTNAME).all(|one| {
            let count = others.iter().filter(|other| one.means(pod, other)).count() as i64;
            count + i64::from(one.means(pod, pod)) <= one.max_skew
        });
        even && others.iter().all(|other| !apart(pod, other) && !apart(other, pod))
    }

    /// What a pool's limits leave beside its surviving nodes and the claims so far.
    fn room(&self, pool: usize) -> Amounts {
        let mut room = self.model.pools[pool].limits.clone();
        let mut charge = |capacity: &Amounts| {
            for (name, left) in &mut room {
                let one = if name == "nodes" { 1_000_000 } else { 0 };
                *left -= capacity.get(name).copied().unwrap_or(one);
            }
        };
        for node in &self.order {
            let of = &self.model.nodes[*node];
            if of.pool == Some(pool) {
                let like = self.model.offers.iter().find(|offer| {
                    Some(&offer.instance_type) == of.labels.get("node.kubernetes.io/instance-type")
                });
                charge(like.map_or(&of.allocatable, |offer| &offer.capacity));
            }
        }
        for claim in self.claims.iter().filter(|claim| claim.pool == pool) {
            let mut most = Amounts::new();
            for offer in &claim.offers {
                for (name, amount) in &self.model.offers[*offer].capacity {
                    let known = most.entry(name.clone()).or_insert(0);
                    *known = (*known).max(*amount);
                }
            }
            charge(&most);
        }
        room
    }
}

fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        *sum.entry(name.clone()).or_insert(0) += amount;
    }
}
