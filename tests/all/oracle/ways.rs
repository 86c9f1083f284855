//! What can be bought: every pool, type and offering, with every set of labels the node can get.

use super::document::{Amounts, Document, Labels, Offering, Pod, Pool, Requirement, Type};
use super::rules::{admits, kept_apart, ports_clash, reaches, selects, tolerates};
use super::running;
use std::collections::{BTreeMap, BTreeSet};

/// A node that could be launched, by index into the document's lists, and its labels.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) pool: usize,
    pub(crate) ty: usize,
    pub(crate) offering: usize,
    pub(crate) labels: Labels,
}

impl Way {
    /// Every way to launch a node, whether any pod wants it or not.
    pub(crate) fn all(document: &Document) -> Vec<Self> {
        let mut ways = Vec::new();
        for (pool, p) in document.pools.iter().enumerate() {
            for (ty, t) in document.types.iter().enumerate() {
                if p.types.as_ref().is_some_and(|names| !names.contains(&t.name)) {
                    continue;
                }
                for (offering, o) in t.offerings.iter().enumerate().filter(|(_, o)| o.available) {
                    for labels in label_sets(document, p, t, o) {
                        ways.push(Self { pool, ty, offering, labels });
                    }
                }
            }
        }
        ways
    }

    /// Whether limits and reservations leave room for one such node, and pods may cause it.
    pub(crate) fn can_be_launched(&self, document: &Document) -> bool {
        let capacity = &document.types[self.ty].capacity;
        let takes =
            |name: &str| if name == "nodes" { 1 } else { *capacity.get(name).unwrap_or(&0) };
        let room = running::room(document, self.pool);
        let offering = &document.types[self.ty].offerings[self.offering];
        let left = offering.reservation.as_ref().map(|(id, _)| reservations(document)[id]);
        document.pools[self.pool].replicas.is_none()
            && room.iter().all(|(name, left)| takes(name).max(0) <= *left)
            && left.is_none_or(|left| left > 0)
    }

    fn admits(&self, document: &Document, pod: &Pod) -> bool {
        let taints = &document.pools[self.pool].taints;
        tolerates(pod, taints) && selects(pod, &self.labels, None)
    }

    /// What the daemons ask for that such a node attracts.
    pub(crate) fn daemon_requests(&self, document: &Document) -> Amounts {
        let mut sum = Amounts::new();
        for daemon in document.daemons.iter().filter(|daemon| self.admits(document, daemon)) {
            for (name, amount) in &daemon.requests {
                *sum.entry(name.clone()).or_insert(0) += amount;
            }
        }
        sum
    }

    /// Whether such a node can attach the volumes of these pods.
    pub(crate) fn attaches(&self, document: &Document, pods: &[&Pod]) -> bool {
        document.types[self.ty].volume_limits.iter().all(|(driver, most)| {
            let volumes = pods.iter().flat_map(|pod| &pod.volumes);
            let ids: BTreeSet<&String> =
                volumes.filter(|(own, _, _)| own == driver).map(|(_, id, _)| id).collect();
            ids.len() <= *most
        })
    }

    /// Whether such a node can run exactly these pods, with the daemons it attracts.
    pub(crate) fn holds(&self, document: &Document, pods: &[&Pod]) -> bool {
        let admits = |pod: &Pod| self.admits(document, pod);
        let daemons: Vec<&Pod> = document.daemons.iter().filter(|d| admits(d)).collect();
        let all = || pods.iter().chain(&daemons);
        let allocatable = &document.types[self.ty].allocatable;
        let fits = |name: &String| {
            let asked: i64 = all().filter_map(|p| p.requests.get(name)).sum();
            asked <= *allocatable.get(name).unwrap_or(&0)
        };
        pods.iter().all(|pod| admits(pod) && reaches(pod, &self.labels))
            && all().flat_map(|p| p.requests.keys()).all(fits)
            && self.attaches(document, pods)
            && pods.iter().enumerate().all(|(i, a)| {
                pods[..i].iter().all(|b| !ports_clash(a, b) && !kept_apart(document, a, b))
                    && daemons.iter().all(|d| !ports_clash(a, d))
            })
    }
}

/// The sets of labels that a node of this pool, type and offering can carry.
///
/// Labels that no pod or daemon set asks about, and no rule between pods is over, are left at the
/// first value possible.
fn label_sets(document: &Document, pool: &Pool, ty: &Type, offering: &Offering) -> Vec<Labels> {
    let asked: BTreeSet<&String> = rules_of_pods(document).map(|r| &r.key).collect();
    let selected = pods(document).flat_map(|p| p.selector.keys());
    let asked: BTreeSet<&String> =
        asked.into_iter().chain(selected).chain(document.topology_keys()).collect();
    let requirements = pool.requirements.iter().chain(&ty.requirements).map(|r| &r.key);
    let labels = [&pool.labels, &ty.labels, &offering.labels].into_iter().flat_map(Labels::keys);
    let built_in = BUILT_IN.map(String::from);
    let keys: BTreeSet<&String> =
        requirements.chain(labels).chain(asked.iter().copied()).chain(&built_in).collect();
    let mut sets = vec![Labels::new()];
    for key in keys {
        let mut states = states(document, pool, ty, offering, key);
        if !asked.contains(key) {
            states.truncate(1);
        }
        sets = sets
            .into_iter()
            .flat_map(|set| {
                states.iter().map(move |state| {
                    let mut set = set.clone();
                    if let Some(value) = state {
                        set.insert(key.clone(), value.clone());
                    }
                    set
                })
            })
            .collect();
    }
    sets
}

const BUILT_IN: [&str; 5] = [
    "karpenter.sh/capacity-type",
    "karpenter.sh/nodepool",
    "kubernetes.io/hostname",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/zone",
];

/// The states that a label of the node can be in.
fn states(
    document: &Document,
    pool: &Pool,
    ty: &Type,
    offering: &Offering,
    key: &String,
) -> Vec<Option<String>> {
    let built_in = match key.as_str() {
        "karpenter.sh/capacity-type" => Some(offering.capacity_type.clone()),
        "karpenter.sh/nodepool" => Some(pool.name.clone()),
        "kubernetes.io/hostname" => Some("a name that nobody knows yet".to_string()),
        "node.kubernetes.io/instance-type" => Some(ty.name.clone()),
        "topology.kubernetes.io/zone" => Some(offering.zone.clone()),
        _ => None,
    };
    let of_type: Vec<&Requirement> = ty.requirements.iter().filter(|r| r.key == *key).collect();
    let given = [&pool.labels, &ty.labels, &offering.labels].map(|labels| labels.get(key));
    let given: Vec<&String> = given.into_iter().flatten().chain(&built_in).collect();
    let wanted: Vec<&Requirement> = pool.requirements.iter().filter(|r| r.key == *key).collect();
    let declared = document.types.iter().any(|t| {
        t.labels.contains_key(key)
            || t.requirements.iter().any(|r| r.key == *key)
            || t.offerings.iter().any(|o| o.labels.contains_key(key))
    });
    let possible = |state: &Option<String>| {
        let state = state.as_deref();
        let met = given.iter().all(|v| state == Some(v.as_str()))
            && of_type.iter().chain(&wanted).all(|r| admits(r, state));
        // What some type declares, a type that doesn't declare it lacks; what none declares, a
        // pool that asks for it supplies.
        let sourced = !given.is_empty() || !of_type.is_empty();
        met && (sourced || state.is_none() || (!declared && !wanted.is_empty()))
    };
    let mut states = mentioned(document, key);
    states.extend(given.iter().map(|v| Some((*v).clone())));
    states.into_iter().filter(possible).collect()
}

/// Absence, every value that the document names for a key, the integers next to it, and another;
/// where pods keep away from each other over the key, one for each of them.
fn mentioned(document: &Document, key: &String) -> BTreeSet<Option<String>> {
    let pools = document.pools.iter().flat_map(|p| &p.requirements);
    let types = document.types.iter().flat_map(|t| &t.requirements);
    let requirements = rules_of_pods(document).chain(pools).chain(types);
    let values = requirements.filter(|r| r.key == *key).flat_map(|r| &r.values);
    let selected = pods(document).filter_map(|p| p.selector.get(key));
    let of_nodes = document.nodes.iter().filter_map(|node| node.labels.get(key));
    let of_pools = document.pools.iter().filter_map(|pool| pool.labels.get(key));
    let mut states = BTreeSet::from([None, Some("some other value".to_string())]);
    let alone = document.pending.iter().filter(|p| p.apart.iter().any(|term| term.key == *key));
    states.extend((0..alone.count()).map(|n| Some(format!("some other value {n}"))));
    for value in values.chain(selected).chain(of_nodes).chain(of_pools) {
        states.insert(Some(value.clone()));
        if let Ok(number) = value.parse::<i64>() {
            states.extend([number - 1, number + 1].map(|n| Some(n.to_string())));
        }
    }
    states
}

fn pods(document: &Document) -> impl Iterator<Item = &Pod> {
    document.pending.iter().chain(&document.daemons)
}

fn rules_of_pods(document: &Document) -> impl Iterator<Item = &Requirement> {
    pods(document).filter_map(|p| p.terms.as_ref()).flatten().flat_map(|t| &t.expressions)
}

/// How many more nodes each reservation holds: the smallest figure stated for its id.
pub(crate) fn reservations(document: &Document) -> BTreeMap<String, i64> {
    let mut left = BTreeMap::new();
    let offerings = document.types.iter().flat_map(|t| &t.offerings);
    for (id, remaining) in offerings.filter_map(|o| o.reservation.clone()) {
        let least = left.entry(id).or_insert(remaining);
        *least = remaining.min(*least);
    }
    left
}
