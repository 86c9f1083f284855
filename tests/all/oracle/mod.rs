//! The cheapest answer to a tiny problem, found by trying everything.
//!
//! The oracle reads the same document as the library and shares no line with it. Every way to split
//! the pods over running nodes, nodes of static pools and new nodes is tried, and for every split
//! every choice of offerings; limits, reservations, pool weights and rules between pods over
//! domains are checked on whole plans. What is left out is only what can't be better ([`exact`]).

mod between;
mod document;
mod exact;
mod kinds;
mod rules;
mod running;
mod search;
mod standing;
mod ways;

use between::Between;
#[allow(unused_imports, reason = "each test crate uses another part of the oracle")]
pub(crate) use between::Counting;
pub(crate) use document::nanos;
use document::{Document, Pod};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use ways::Way;

/// A set of pending pods, one bit each.
pub(crate) type Pods = u32;

/// An offering of a type, bought by a pool: indices into the document's lists.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Purchase {
    pub(crate) pool: usize,
    pub(crate) ty: usize,
    pub(crate) offering: usize,
}

/// What a plan does with one pod.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// On a launch of a pool of this weight.
    Launched(i64),
    /// On a running node.
    Bound,
    /// Nowhere.
    None,
}

/// The best that can be done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Best {
    /// How many pods have a place.
    pub(crate) placed: usize,
    /// How many pods of each priority have no place, highest priority first.
    pub(crate) missing: Vec<usize>,
    /// The cost in billionths, fees included, of the cheapest plan for so many that also keeps
    /// spreads over domains that launches could add; where it couldn't place as many, of the
    /// cheapest at all.
    pub(crate) cost: i128,
    /// The cost where pods that rules tie to others are launched for by the pools' weights as well,
    /// if so many have places then, and domains are given up alone that no launch could add beside
    /// the plan: what a plan may cost that puts weights and domains first.
    pub(crate) weighed: i128,
    /// The cost of the cheapest plan at all for so many.
    pub(crate) least: i128,
}

/// A problem, with what the exhaustive search asks of it again and again.
#[derive(Debug)]
pub(crate) struct Oracle {
    document: Document,
    /// What pods and daemon sets say, instance types too: the keys in it are read or declared.
    said: String,
    ways: Vec<Way>,
    fee: i128,
    strict: bool,
    purchases: RefCell<BTreeMap<Pods, Vec<Purchase>>>,
    taken: RefCell<BTreeMap<(usize, Pods), bool>>,
    between: Between,
}

/// How many pods of a problem are pending.
pub(crate) fn pending(problem: &Value) -> u64 {
    let pods = problem["pods"].as_array().into_iter().flatten();
    let pending = pods.filter(|pod| pod["nodeName"].is_null());
    pending.map(|pod| pod["replicas"].as_u64().unwrap_or(1)).sum()
}

impl Oracle {
    /// Reads a problem; `strict` tells whether `minValues` must be met.
    pub(crate) fn new(problem: &Value, fee: i128, strict: bool) -> Self {
        let document = Document::read(problem);
        let ways = Way::all(&document);
        let (purchases, taken) = Default::default();
        let parts = ["pods", "daemonSets", "instanceTypes"];
        let said = parts.map(|part| problem[part].to_string()).concat();
        let between = Between::of(&document, &ways);
        Self { document, said, ways, fee, strict, purchases, taken, between }
    }

    /// Whether any rule between pods could tell plans apart that are alike node by node.
    pub(crate) fn has_rules_between_pods(&self) -> bool {
        self.between.any
    }

    /// How many pods are pending.
    pub(crate) fn pending(&self) -> usize {
        self.document.pending.len()
    }

    /// The names of the pending pods, in the order of the problem.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.document.pending.iter().map(|pod| pod.id.as_str())
    }

    /// Whether a pod has a place in an otherwise empty cluster of the same nodes.
    pub(crate) fn has_place_alone(&self, pod: usize) -> bool {
        self.purchases(1 << pod).into_iter().any(|purchase| !self.is_fixed(purchase))
            || self.node_for(1 << pod)
    }

    /// Whether a pod can always be launched alone: by a pool without limits, without a reservation.
    pub(crate) fn can_always_be_launched(&self, pod: usize) -> bool {
        self.purchases(1 << pod).into_iter().any(|purchase| {
            let unlimited = self.document.pools[purchase.pool].limits.is_empty();
            unlimited && !self.is_fixed(purchase) && self.reservation(purchase).is_none()
        })
    }

    /// Whether a purchase is of a static pool, which launches whatever pods need.
    fn is_fixed(&self, purchase: Purchase) -> bool {
        self.document.pools[purchase.pool].replicas.is_some()
    }

    /// Whether what runs of a pool exceeds a limit of it: it launches nothing then.
    fn is_overrun(&self, pool: usize) -> bool {
        running::room(&self.document, pool).values().any(|left| *left < 0)
    }

    fn node_for(&self, pods: Pods) -> bool {
        (0..self.document.nodes.len()).any(|node| self.node_takes(node, pods))
    }

    /// The numbers of the pods of a set.
    fn numbers(&self, pods: Pods) -> Vec<usize> {
        (0..self.pending()).filter(|i| pods & (1 << i) != 0).collect()
    }

    /// The pods of a set.
    fn members(&self, pods: Pods) -> Vec<&Pod> {
        self.numbers(pods).into_iter().map(|i| &self.document.pending[i]).collect()
    }

    fn price(&self, purchase: Purchase) -> i128 {
        self.document.types[purchase.ty].offerings[purchase.offering].price + self.fee
    }

    fn reservation(&self, purchase: Purchase) -> Option<&String> {
        let offering = &self.document.types[purchase.ty].offerings[purchase.offering];
        offering.reservation.as_ref().map(|(id, _)| id)
    }

    /// The reservation that a way to launch takes from.
    fn reserved(&self, way: usize) -> Option<&String> {
        let way = &self.ways[way];
        self.reservation(Purchase { pool: way.pool, ty: way.ty, offering: way.offering })
    }

    /// What a purchase takes of a limited resource of its pool.
    fn takes_of_limit(&self, purchase: Purchase, resource: &str) -> i64 {
        match resource {
            "nodes" => 1,
            _ => *self.document.types[purchase.ty].capacity.get(resource).unwrap_or(&0),
        }
    }

    /// Whether a running node can take a set of pods.
    fn node_takes(&self, node: usize, pods: Pods) -> bool {
        if let Some(known) = self.taken.borrow().get(&(node, pods)) {
            return *known;
        }
        let (running, members) = (&self.document.nodes[node], self.members(pods));
        let takes = running::takes(&self.document, running, &members)
            && (pods == 0 || self.between.could_share(&self.numbers(pods), Ok(node)));
        self.taken.borrow_mut().insert((node, pods), takes);
        takes
    }

    /// The purchases that hold a set of pods on one node, cheapest first.
    fn purchases(&self, pods: Pods) -> Vec<Purchase> {
        if let Some(known) = self.purchases.borrow().get(&pods) {
            return known.clone();
        }
        let members = self.members(pods);
        let holding: Vec<&Way> =
            self.ways.iter().filter(|w| w.holds(&self.document, &members)).collect();
        let all: BTreeSet<Purchase> = holding
            .iter()
            .map(|w| Purchase { pool: w.pool, ty: w.ty, offering: w.offering })
            .filter(|purchase| self.is_fixed(*purchase) || !self.is_overrun(purchase.pool))
            .filter(|purchase| !self.strict || self.offers_enough(*purchase, &holding))
            .collect();
        let mut all: Vec<Purchase> = all.into_iter().collect();
        all.sort_by_key(|purchase| (self.price(*purchase), *purchase));
        self.purchases.borrow_mut().insert(pods, all.clone());
        all
    }

    /// Whether a purchase keeps as many values open as its pool's `minValues` ask.
    fn offers_enough(&self, choice: Purchase, holding: &[&Way]) -> bool {
        let pool = &self.document.pools[choice.pool];
        let alternatives: Vec<&&Way> = holding
            .iter()
            .filter(|w| {
                let other = Purchase { pool: w.pool, ty: w.ty, offering: w.offering };
                let within = |name: &String| {
                    self.takes_of_limit(other, name) <= self.takes_of_limit(choice, name)
                };
                other.pool == choice.pool
                    && (other == choice || self.reservation(other).is_none())
                    && pool.limits.keys().all(within)
            })
            .collect();
        pool.requirements.iter().all(|r| {
            let values: BTreeSet<_> =
                alternatives.iter().filter_map(|w| w.labels.get(&r.key)).collect();
            // A label of the pool's own that nothing reads stays open: all that is named may be.
            let own = r.operator == "In" && !self.said.contains(&format!("\"{}\"", r.key));
            let open = if own && !pool.labels.contains_key(&r.key) { r.values.len() } else { 0 };
            values.len().max(open) >= r.min_values
        })
    }
}
