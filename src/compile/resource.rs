//! Resources as fixed-width vectors of counts.
//!
//! Amounts of documents are exact and by name; inside they are whole counting units in a vector, so
//! that whether something fits is a comparison of short lists of integers. Requests are rounded up
//! and capacity down, once, here. A resource that no pending pod and no daemon asks for has no
//! place in the vectors: it can't decide anything.

use crate::model::{NodePool, Pod, Quantity, Resources, per_unit};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The resources that pending pods or daemons ask for, by name; `pods` is always among them.
///
/// After them come the storage drivers whose volumes some place limits: see
/// [`volume`](super::volume).
///
/// Sorted by name, so vectors of equal problems are equal.
#[derive(Clone, Debug)]
pub(crate) struct Dims {
    names: Vec<Arc<str>>,
    drivers: Vec<Arc<str>>,
}

/// Volume slots on a node without a limit: more than any limit, and than the volumes there can be.
pub(crate) const UNLIMITED: i64 = crate::model::UNLIMITED_ATTACHMENTS;

impl Dims {
    pub(crate) fn of<'a>(pods: impl Iterator<Item = &'a Pod>, drivers: BTreeSet<Arc<str>>) -> Self {
        let mut names: BTreeSet<Arc<str>> = BTreeSet::from([crate::model::PODS.into()]);
        for pod in pods {
            for (name, amount) in pod.requests.iter() {
                if amount > Quantity::ZERO && !names.contains(name) {
                    let _new = names.insert(name.clone());
                }
            }
        }
        Self { names: names.into_iter().collect(), drivers: drivers.into_iter().collect() }
    }

    /// How many numbers a vector has.
    pub(crate) fn len(&self) -> usize {
        self.names.len() + self.drivers.len()
    }

    /// Where each number of these vectors is in vectors of others; `None` where one isn't there.
    pub(crate) fn places_in(&self, others: &Self) -> Option<Vec<usize>> {
        let names = self.names.iter().map(|name| others.names.binary_search(name).ok());
        let drivers = self.drivers.iter().map(|driver| others.driver(driver));
        names.chain(drivers).collect()
    }

    /// The resources, in the order of the vectors; the drivers come after them.
    pub(crate) fn names(&self) -> &[Arc<str>] {
        &self.names
    }

    /// The drivers whose volumes some place limits, in the order of the vectors.
    pub(crate) fn drivers(&self) -> &[Arc<str>] {
        &self.drivers
    }

    /// The place of a driver's slots in the vectors, if some place limits them.
    pub(crate) fn driver(&self, name: &str) -> Option<usize> {
        let at = self.drivers.binary_search_by(|driver| (**driver).cmp(name)).ok()?;
        Some(self.names.len() + at)
    }

    /// Whether so much of something on a node is as good as any amount.
    ///
    /// Only slots of volumes can be.
    pub(crate) fn is_unlimited(&self, dim: usize, amount: i64) -> bool {
        dim >= self.names.len() && amount > UNLIMITED / 2
    }

    /// A pod's requests, rounded up; one of `pods`, no volume slots.
    pub(crate) fn requests(&self, pod: &Pod) -> Vec<i64> {
        let mut vector = self.vector(&pod.requests, Quantity::ceil, 0);
        if let Ok(at) = self.names.binary_search_by(|name| (**name).cmp(crate::model::PODS)) {
            vector[at] = 1;
        }
        vector
    }

    /// A running node's capacity for pods, rounded down, with its volume limits.
    pub(crate) fn allocatable(&self, node: &crate::model::Node) -> Vec<i64> {
        let mut vector = self.vector(&node.allocatable, Quantity::floor, UNLIMITED);
        self.limit_slots(&mut vector, &node.volume_limits);
        vector
    }

    /// A type's capacity for pods, with its volume limits: capacity less overhead, less the memory
    /// set aside as huge pages.
    ///
    /// Source: Kubernetes subtracts huge pages from allocatable memory
    /// (<https://kubernetes.io/docs/tasks/manage-hugepages/scheduling-hugepages/>).
    pub(crate) fn type_allocatable(&self, instance: &crate::model::InstanceType) -> Vec<i64> {
        let mut vector = self.vector(&instance.capacity, Quantity::floor, UNLIMITED);
        let overhead = self.vector(&instance.overhead, Quantity::ceil, 0);
        vector.iter_mut().zip(&overhead).for_each(|(have, less)| *have = (*have - less).max(0));
        if let Ok(memory) = self.names.binary_search_by(|name| (**name).cmp("memory")) {
            let huge = instance.capacity.iter().filter(|(name, _)| name.starts_with("hugepages-"));
            let huge: i64 = huge.map(|(_, amount)| amount.floor(1)).fold(0, i64::saturating_add);
            vector[memory] = (vector[memory] - huge).max(0);
        }
        self.limit_slots(&mut vector, &instance.volume_limits);
        vector
    }

    fn limit_slots(&self, vector: &mut [i64], limits: &BTreeMap<Arc<str>, u32>) {
        for (driver, limit) in limits {
            if let Some(at) = self.driver(driver) {
                vector[at] = i64::from(*limit);
            }
        }
    }

    fn vector(&self, amounts: &Resources, round: fn(Quantity, i64) -> i64, slots: i64) -> Vec<i64> {
        let counts = self
            .names
            .iter()
            .map(|name| amounts.get(name).map_or(0, |amount| round(amount, per_unit(name))));
        counts.chain(self.drivers.iter().map(|_| slots)).collect()
    }
}

/// A pool's limit on one resource, with what its running nodes use of it.
///
/// In counting units, as 128-bit integers: sums over ten million nodes stay far below.
#[derive(Clone, Debug)]
pub(crate) struct PoolLimit {
    pub(crate) name: Arc<str>,
    pub(crate) limit: i128,
    pub(crate) used: i128,
}

/// A pool's limits, in the order in which shapes list what they are charged.
pub(crate) fn limits(pool: &NodePool) -> Vec<PoolLimit> {
    let counted = |(name, amount): (&Arc<str>, Quantity)| PoolLimit {
        name: name.clone(),
        limit: i128::from(amount.floor(per_unit(name))),
        used: 0,
    };
    pool.limits.iter().map(counted).collect()
}

/// What a node of so much capacity is charged against each of a pool's limits.
///
/// `nodes` counts one for each node, whatever its size.
pub(crate) fn charge(limits: &[PoolLimit], capacity: &Resources) -> Vec<i64> {
    let charged = |limit: &PoolLimit| {
        if &*limit.name == crate::model::NODES {
            return 1;
        }
        capacity.get(&limit.name).map_or(0, |amount| amount.floor(per_unit(&limit.name)))
    };
    limits.iter().map(charged).collect()
}

/// How many pods of a request fit into what is free; `most` where nothing is asked for.
///
/// The innermost loop of packing: it leaves at the first resource that doesn't fit.
pub(crate) fn fits(free: &[i64], request: &[i64], most: u32) -> u32 {
    let mut count = i64::from(most);
    for (have, want) in free.iter().zip(request) {
        if *want > 0 {
            if have < want {
                return 0;
            }
            if *have < want.saturating_mul(count) {
                count = have / want;
            }
        }
    }
    u32::try_from(count).unwrap_or(0)
}
