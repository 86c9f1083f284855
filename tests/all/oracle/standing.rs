//! A plan as it stands: who could be added to it, and who is kept out by pods of lower priority.

use super::between::{Counting, Partial};
use super::document::Amounts;
use super::search::launches;
use super::{Oracle, Pods, Purchase, running, ways};
use serde_json::Value;
use std::collections::BTreeMap;

/// A plan document, with what it leaves of limits and reservations.
#[derive(Clone)]
struct Standing {
    nodes: Vec<Pods>,
    launches: Vec<Launch>,
    room: Vec<Amounts>,
    reservations: BTreeMap<String, i64>,
}

#[derive(Clone)]
struct Launch {
    purchase: Purchase,
    way: usize,
    pods: Pods,
}

impl Oracle {
    /// A pod without a place that could be added to a plan without moving any other, and where.
    pub(crate) fn addable(&self, plan: &Value) -> Option<String> {
        let standing = self.standing(plan);
        self.left_out(plan).find_map(|pod| self.place_for(&standing, pod))
    }

    /// Whether each launch of a plan is a way to launch that the search knows: values of labels
    /// that no pod or pool names aren't.
    pub(crate) fn knows(&self, plan: &Value) -> bool {
        launches(plan).all(|launch| {
            let purchase = self.purchase(launch);
            purchase.is_some_and(|purchase| self.stated_ways(purchase, launch).next().is_some())
        })
    }

    /// Where a pod that a plan leaves out could be added, if anywhere.
    pub(crate) fn room_for(&self, plan: &Value, id: &str) -> Option<String> {
        self.place_for(&self.standing(plan), self.index(id))
    }

    /// A pod without a place that would have one if pods of lower priority had none, and where.
    pub(crate) fn outranked(&self, plan: &Value) -> Option<String> {
        let standing = self.standing(plan);
        self.left_out(plan).find_map(|pod| {
            let rank = |other: usize| self.document.pending[other].priority;
            let lower: Pods = (0..self.pending())
                .filter(|other| rank(*other) < rank(pod))
                .map(|other| 1 << other)
                .sum();
            let mut rest = standing.clone();
            rest.nodes.iter_mut().for_each(|pods| *pods &= !lower);
            rest.launches.iter_mut().for_each(|launch| launch.pods &= !lower);
            let (kept, emptied): (Vec<Launch>, Vec<Launch>) = rest
                .launches
                .into_iter()
                .partition(|launch| launch.pods != 0 || self.is_fixed(launch.purchase));
            rest.launches = kept;
            for launch in emptied {
                self.give_back(launch.purchase, &mut rest);
            }
            let changed = lower != 0 && self.is_legal(&rest);
            changed.then(|| self.place_for(&rest, pod)).flatten()
        })
    }

    fn index(&self, id: &str) -> usize {
        self.document.pending.iter().position(|pod| pod.id == id).expect("a pending pod")
    }

    fn left_out<'a>(&'a self, plan: &'a Value) -> impl Iterator<Item = usize> + 'a {
        let missing = plan["unschedulable"].as_array().unwrap().iter();
        missing.filter_map(|one| one["pod"].as_str()).map(|id| self.index(id))
    }

    fn standing(&self, plan: &Value) -> Standing {
        let set = |pods: &mut dyn Iterator<Item = &str>| -> Pods {
            pods.map(|id| 1 << self.index(id)).sum()
        };
        let bindings = || plan["bindings"].as_array().unwrap().iter();
        let node = |name: &str| {
            let here = bindings().filter(|one| one["node"] == name);
            set(&mut here.filter_map(|one| one["pod"].as_str()))
        };
        let pools = 0..self.document.pools.len();
        let mut standing = Standing {
            nodes: self.document.nodes.iter().map(|one| node(&one.name)).collect(),
            launches: Vec::new(),
            room: pools.map(|pool| running::room(&self.document, pool)).collect(),
            reservations: ways::reservations(&self.document),
        };
        for launch in launches(plan) {
            let purchase = self.purchase(launch).expect("an offering of the problem");
            let _within = self.take(purchase, &mut standing.room, &mut standing.reservations);
            let ids = launch["pods"].as_array().unwrap().iter();
            let pods = set(&mut ids.filter_map(Value::as_str));
            let way = self.stated(purchase, launch, pods);
            standing.launches.push(Launch { purchase, way, pods });
        }
        standing
    }

    /// The way to launch that a launch states: one of its labels, where it states any, that holds
    /// its pods.
    fn stated(&self, purchase: Purchase, launch: &Value, pods: Pods) -> usize {
        let ways = || self.stated_ways(purchase, launch);
        let holding = ways().find(|at| self.ways[*at].holds(&self.document, &self.members(pods)));
        holding.or_else(|| ways().next()).expect("a way of the problem")
    }

    /// The ways to launch that agree with what a launch states.
    fn stated_ways<'a>(
        &'a self,
        purchase: Purchase,
        launch: &'a Value,
    ) -> impl Iterator<Item = usize> + 'a {
        (0..self.ways.len()).filter(move |at| {
            let way = &self.ways[*at];
            let labels = &launch["labels"];
            // A value that isn't tried is no absence.
            let mut counted = self.document.topology_keys().into_iter();
            counted.all(|key| labels[key].is_null() || way.labels.contains_key(key))
                && (way.pool, way.ty, way.offering)
                    == (purchase.pool, purchase.ty, purchase.offering)
                && way
                    .labels
                    .iter()
                    .all(|(key, value)| labels[key].is_null() || labels[key] == *value)
        })
    }

    fn give_back(&self, purchase: Purchase, standing: &mut Standing) {
        for (name, left) in &mut standing.room[purchase.pool] {
            *left += self.takes_of_limit(purchase, name);
        }
        let id = self.reservation(purchase);
        if let Some(left) = id.and_then(|id| standing.reservations.get_mut(id)) {
            *left += 1;
        }
    }

    fn is_legal(&self, standing: &Standing) -> bool {
        let plan = Partial {
            nodes: standing.nodes.iter().map(|pods| self.numbers(*pods)).collect(),
            launches: standing.launches.iter().map(|l| (self.numbers(l.pods), l.way)).collect(),
        };
        !self.between.any || self.between.can_be_bound(&plan, Counting::Standing, None)
    }

    fn place_for(&self, standing: &Standing, pod: usize) -> Option<String> {
        let (id, pod): (&str, Pods) = (&self.document.pending[pod].id, 1 << pod);
        for (at, node) in self.document.nodes.iter().enumerate() {
            let mut more = standing.clone();
            more.nodes[at] |= pod;
            if self.node_takes(at, more.nodes[at]) && self.is_legal(&more) {
                return Some(format!("{id} on node {}", node.name));
            }
        }
        for (at, launch) in standing.launches.iter().enumerate() {
            let mut more = standing.clone();
            more.launches[at].pods |= pod;
            let (way, pods) = (&self.ways[launch.way], more.launches[at].pods);
            if way.holds(&self.document, &self.members(pods))
                && self.purchases(pods).contains(&launch.purchase)
                && self.is_legal(&more)
            {
                return Some(format!("{id} on a launch, {}", self.words(launch.purchase)));
            }
        }
        for (at, way) in self.ways.iter().enumerate() {
            let purchase = Purchase { pool: way.pool, ty: way.ty, offering: way.offering };
            if self.is_fixed(purchase) || !self.is_plain(purchase) {
                continue;
            }
            let mut more = standing.clone();
            more.launches.push(Launch { purchase, way: at, pods: pod });
            if way.holds(&self.document, &self.members(pod))
                && self.purchases(pod).contains(&purchase)
                && self.take(purchase, &mut more.room, &mut more.reservations)
                && self.is_legal(&more)
            {
                return Some(format!("{id} on a new node, {}", self.words(purchase)));
            }
        }
        None
    }
}
