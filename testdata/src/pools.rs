//! Node pools and daemon sets of a usual cluster.

use crate::catalog::label;
use plimsoll::model::{
    Affinity, Effect, HostPort, NodeSelectorTerm, Operator, Requirement, Taint, Toleration,
    well_known,
};
use plimsoll::{NodePool, Pod, Resources};

/// The key of the label and taint of the `dedicated` pool.
pub(crate) const DEDICATED: &str = "example.com/dedicated";
/// The taint of the `gpu` pool, and the resource it has.
pub(crate) const GPU: &str = "nvidia.com/gpu";

/// Four pools.
///
/// - `general`: types of the categories c, m and r, on demand or as spot;
/// - `gpu`: types with Nvidia GPUs, tainted `nvidia.com/gpu=true:NoSchedule`;
/// - `dedicated`: labelled and tainted `example.com/dedicated=batch`;
/// - `steady`: on demand only, preferred (weight 50) until its limits of 200 cpu, 800Gi of memory
///   and 20 nodes are reached.
#[must_use]
pub fn pools() -> Vec<NodePool> {
    let general = ["c", "m", "r"];
    vec![
        of_categories("general", general).with_requirement(capacity_types(["on-demand", "spot"])),
        of_categories("gpu", ["g"])
            .with_requirement(capacity_types(["on-demand", "spot"]))
            .with_requirement(one_of(well_known::ARCH, ["amd64"]))
            .with_requirement(one_of(label::GPU_MANUFACTURER, ["nvidia"]))
            .with_taint(Taint::new(GPU, "true", Effect::NoSchedule)),
        of_categories("dedicated", general)
            .with_requirement(capacity_types(["on-demand", "spot"]))
            .with_label(DEDICATED, "batch")
            .with_taint(Taint::new(DEDICATED, "batch", Effect::NoSchedule)),
        of_categories("steady", general)
            .with_requirement(capacity_types(["on-demand"]))
            .with_weight(50)
            .with_limits(resources([("cpu", "200"), ("memory", "800Gi"), ("nodes", "20")])),
    ]
}

/// Four daemon sets: network, metrics (which takes a host port), logs, and GPU driver (on nodes
/// with Nvidia GPUs only).
#[must_use]
pub fn daemon_sets() -> Vec<Pod> {
    let daemon = |name: &str, cpu: &str, memory: &str| {
        Pod::new(name)
            .with_namespace("kube-system")
            .with_requests(resources([("cpu", cpu), ("memory", memory)]))
            .with_toleration(Toleration::exists(""))
    };
    let has_gpu = NodeSelectorTerm::new([one_of(label::GPU_MANUFACTURER, ["nvidia"])]);
    vec![
        daemon("network", "50m", "64Mi"),
        daemon("metrics", "30m", "48Mi").with_host_port(HostPort::new(9100)),
        daemon("logs", "100m", "200Mi"),
        daemon("gpu-driver", "10m", "64Mi")
            .with_affinity(Affinity::new().with_required_node_term(has_gpu)),
    ]
}

/// A linux pool of recent types of these categories.
fn of_categories<const N: usize>(name: &str, categories: [&str; N]) -> NodePool {
    NodePool::new(name)
        .with_requirement(one_of(well_known::OS, ["linux"]))
        .with_requirement(one_of(label::CATEGORY, categories))
        .with_requirement(Requirement::new(label::GENERATION, Operator::Gt, ["3"]))
}

fn capacity_types<const N: usize>(values: [&str; N]) -> Requirement {
    one_of(well_known::CAPACITY_TYPE, values)
}

pub(crate) fn one_of<const N: usize>(key: &str, values: [&str; N]) -> Requirement {
    Requirement::new(key, Operator::In, values)
}

pub(crate) fn resources<const N: usize>(amounts: [(&str, &str); N]) -> Resources {
    Resources::parse(amounts).expect("quantities written in this crate are valid")
}
