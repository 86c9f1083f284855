//! Small random problem documents over every rule that a launch plan honours.
//!
//! Each part is drawn by itself and names other parts by a number taken modulo how many there are,
//! so that a problem stays valid, and small, while proptest shrinks it.

pub(crate) mod company;
pub(crate) mod open_labels;
mod pods;
pub(crate) mod scarce;
mod supply;
pub(crate) mod tiny;

use pods::{Daemon, PendingPod, RunningPod};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use serde_json::{Map, Value, json};
use supply::{Machine, Pool, Running};

/// At most so many pods are pending: the oracle tries everything.
const PENDING: usize = 7;

pub(crate) const ZONE: &str = "topology.kubernetes.io/zone";
pub(crate) const CAPACITY_TYPE: &str = "karpenter.sh/capacity-type";
pub(crate) const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";
pub(crate) const NODE_POOL: &str = "karpenter.sh/nodepool";
pub(crate) const HOSTNAME: &str = "kubernetes.io/hostname";
pub(crate) const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// The same cases every time, so that a change alone can make a law fail. `PROPTEST_RNG_SEED` in
/// the environment asks for others, `PROPTEST_CASES` for more.
pub(crate) fn config() -> Config {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

/// A problem document.
pub(crate) fn problem() -> impl Strategy<Value = Value> {
    let supply = (
        prop::collection::vec(supply::machine(), 1..=4),
        prop::collection::vec(supply::pool(), 1..=3),
        prop_oneof![2 => Just(Vec::new()), 3 => prop::collection::vec(supply::running(), 1..=2)],
    );
    let demand = (
        prop::collection::vec(pods::pending(), 1..=4),
        prop::collection::vec(pods::running(), 0..=2),
        prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(pods::daemon(), 1..=2)],
    );
    (supply, demand).prop_map(|((machines, pools, nodes), (pending, bound, daemons))| {
        document(&machines, &pools, &nodes, &pending, &bound, &daemons)
    })
}

fn document(
    machines: &[Machine],
    pools: &[Pool],
    nodes: &[Running],
    pending: &[PendingPod],
    bound: &[RunningPod],
    daemons: &[Daemon],
) -> Value {
    let mut left = PENDING;
    let mut pods = Vec::new();
    for (i, pod) in pending.iter().enumerate() {
        let replicas = usize::from(pod.replicas).min(left);
        if replicas > 0 {
            pods.push(pod.document(i, replicas, machines.len(), pools.len(), nodes.len()));
            left -= replicas;
        }
    }
    if !nodes.is_empty() {
        pods.extend(bound.iter().enumerate().map(|(i, pod)| pod.document(i, nodes.len())));
    }
    let types: Vec<Value> = machines.iter().enumerate().map(|(i, m)| m.document(i)).collect();
    let pools: Vec<Value> =
        pools.iter().enumerate().map(|(i, p)| p.document(i, machines.len())).collect();
    let shape = (machines.len(), pools.len());
    let running: Vec<Value> = nodes.iter().enumerate().map(|(i, n)| n.document(i, shape)).collect();
    // Whether a daemon that hasn't started yet holds its ports on a running node, no document says.
    let ports = nodes.is_empty();
    let daemons: Vec<Value> =
        daemons.iter().enumerate().map(|(i, d)| d.document(i, ports)).collect();
    json!({
        "pods": pods,
        "instanceTypes": types,
        "nodePools": pools,
        "nodes": running,
        "daemonSets": daemons,
    })
}

/// `Some` about so many times in a hundred.
fn sometimes<T: Clone + std::fmt::Debug>(
    percent: u32,
    strategy: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Option<T>> {
    prop_oneof![100 - percent => Just(None), percent => strategy.prop_map(Some)]
}

/// One of these.
fn pick<T: Clone + std::fmt::Debug + 'static>(values: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(values)
}

/// Adds a field if there is something to say.
fn put(object: &mut Value, key: &str, value: Option<Value>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(key.to_string(), value);
    }
}

fn labels(pairs: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Value {
    let pairs = pairs.into_iter().filter_map(|(k, v)| Some((k.to_string(), Value::String(v?))));
    Value::Object(pairs.collect::<Map<_, _>>())
}
