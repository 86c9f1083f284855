//! A cluster that runs: nodes of the usual pools, and a workload bound to them.

use crate::SplitMix64;
use crate::catalog::{ZONES, label, synthetic_catalog};
use crate::pools::{DEDICATED, GPU, daemon_sets, pools};
use crate::workload::{WorkloadSpec, workload};
use plimsoll::model::{Effect, Taint, well_known};
use plimsoll::{InstanceType, Node, Pod, Problem, Quantity, Resources};
use std::collections::BTreeSet;

/// A running cluster of so many nodes, pods, classes of pods and instance types; nothing is
/// pending.
///
/// Nodes have 16 to 64 processors. Pods are bound, in random order, to the next node on which they
/// are legal and which they fill to nine tenths at most; one for which there is none is left out.
///
/// # Panics
/// Where the parts don't make a valid problem, which would be a fault of this crate.
#[must_use]
pub fn running_cluster(nodes: usize, pods: u32, classes: u32, types: usize, seed: u64) -> Problem {
    let types = synthetic_catalog(types, seed);
    let mut random = SplitMix64::new(seed ^ 0x5eed);
    let mut hosts: Vec<Host> = (0..nodes).map(|at| Host::new(at, &types, &mut random)).collect();
    let spec = WorkloadSpec { zone: 0, ..WorkloadSpec::new(seed, pods, classes) }.individual();
    let mut problem = Problem::builder();
    let mut next = 0;
    for pod in workload(&spec) {
        let found = (0..hosts.len()).map(|step| (next + step) % hosts.len());
        let Some(at) = found.into_iter().find(|at| hosts[*at].takes(&pod)) else { continue };
        next = at + 1;
        problem = problem.pod(hosts[at].bind(pod));
    }
    problem = types
        .into_iter()
        .fold(problem, |problem, instance_type| problem.instance_type(instance_type));
    problem = pools().into_iter().fold(problem, |problem, pool| problem.node_pool(pool));
    problem = daemon_sets().into_iter().fold(problem, |problem, daemon| problem.daemon_set(daemon));
    problem = hosts.into_iter().fold(problem, |problem, host| problem.node(host.node));
    problem.build().expect("the parts are valid")
}

/// A node being filled.
struct Host {
    node: Node,
    cpu: u64,
    memory: u64,
    gpus: u64,
    pods: u64,
    taint: Option<&'static str>,
    /// The apps of which it may have no further pod, and the host ports that are taken.
    apart: BTreeSet<String>,
    ports: BTreeSet<u16>,
}

fn units(resources: &Resources, name: &str, per_unit: i128) -> u64 {
    let nanos = resources.get(name).unwrap_or_default().nanos();
    u64::try_from(nanos * per_unit / 1_000_000_000).expect("amounts are small")
}

impl Host {
    fn new(at: usize, types: &[InstanceType], random: &mut SplitMix64) -> Self {
        let pool = random.weighted(&[("general", 88), ("dedicated", 8), ("gpu", 4)]);
        let of_pool = |instance_type: &&InstanceType| {
            let has = |key| instance_type.labels().get(key).map_or("", |value| &**value);
            let vcpus = units(instance_type.capacity(), "cpu", 1);
            let of_category = match pool {
                "gpu" => has(label::CATEGORY) == "g" && has(well_known::ARCH) == "amd64",
                _ => ["c", "m", "r"].contains(&has(label::CATEGORY)),
            };
            of_category
                && (pool != "gpu" || instance_type.capacity().get(GPU).is_some())
                && (16..=64).contains(&vcpus)
                && has(label::GENERATION).parse::<u32>().is_ok_and(|number| number > 3)
        };
        let suited: Vec<&InstanceType> = types.iter().filter(of_pool).collect();
        let instance_type = suited[random.below(suited.len() as u64) as usize];
        let capacity_type = random.weighted(&[("on-demand", 2), ("spot", 3)]);
        let zone = ZONES[random.below(3) as usize];
        let left = |name: &str, per_unit| {
            units(instance_type.capacity(), name, per_unit)
                - units(instance_type.overhead(), name, per_unit)
        };
        let (cpu, memory) = (left("cpu", 1_000), left("memory", 1));
        let (gpus, pods) =
            (units(instance_type.capacity(), GPU, 1), units(instance_type.capacity(), "pods", 1));
        let mut allocatable = Resources::new();
        let _ = allocatable.insert("cpu", Quantity::from_millis(cpu));
        let _ = allocatable.insert("memory", Quantity::from_units(memory));
        let _ = allocatable.insert("pods", Quantity::from_units(pods));
        let _ = allocatable.insert("ephemeral-storage", Quantity::from_units(17 << 30));
        if gpus > 0 {
            let _ = allocatable.insert(GPU, Quantity::from_units(gpus));
        }
        let mut node = Node::new(format!("node-{at:05}"), allocatable)
            .with_label(well_known::INSTANCE_TYPE, instance_type.name())
            .with_label(well_known::NODE_POOL, pool)
            .with_label(well_known::ZONE, zone)
            .with_label(well_known::CAPACITY_TYPE, capacity_type);
        for (key, value) in instance_type.labels().iter() {
            node = node.with_label(key.clone(), value.clone());
        }
        let taint = match pool {
            "gpu" => {
                node = node.with_taint(Taint::new(GPU, "true", Effect::NoSchedule));
                Some(GPU)
            }
            "dedicated" => {
                node = node.with_label(DEDICATED, "batch").with_taint(Taint::new(
                    DEDICATED,
                    "batch",
                    Effect::NoSchedule,
                ));
                Some(DEDICATED)
            }
            _ => None,
        };
        Self {
            node,
            // Daemons have their share.
            cpu: cpu * 9 / 10 - 200,
            memory: memory * 9 / 10 - (400 << 20),
            gpus,
            pods: pods - 4,
            taint,
            apart: BTreeSet::new(),
            ports: BTreeSet::new(),
        }
    }

    fn takes(&self, pod: &Pod) -> bool {
        let tolerates = |key: &str| pod.tolerations().iter().any(|one| &*one.key == key);
        let labels = self.node.labels();
        self.cpu >= units(pod.requests(), "cpu", 1_000)
            && self.memory >= units(pod.requests(), "memory", 1)
            && self.gpus >= units(pod.requests(), GPU, 1)
            && self.pods > 0
            && self.taint.is_none_or(tolerates)
            && pod.node_selector().iter().all(|(key, value)| labels.get(key) == Some(value))
            && !self.apart.contains(pod.labels().get("app").map_or("", |app| &**app))
            && !pod.host_ports().iter().any(|port| self.ports.contains(&port.port))
    }

    fn bind(&mut self, pod: Pod) -> Pod {
        self.cpu -= units(pod.requests(), "cpu", 1_000);
        self.memory -= units(pod.requests(), "memory", 1);
        self.gpus -= units(pod.requests(), GPU, 1);
        self.pods -= 1;
        if pod.affinity().is_some() {
            let _new =
                self.apart.insert(pod.labels().get("app").expect("each has one").to_string());
        }
        self.ports.extend(pod.host_ports().iter().map(|port| port.port));
        pod.with_node_name(self.node.name())
    }
}

#[cfg(test)]
mod tests {
    use super::running_cluster;

    #[test]
    fn nearly_every_pod_finds_a_node() {
        let problem = running_cluster(100, 3_000, 100, 400, 1);
        assert_eq!(problem.nodes().len(), 100);
        assert!(problem.pods().len() > 2_900, "{}", problem.pods().len());
        assert!(problem.pods().iter().all(|pod| pod.node_name().is_some()));
        assert_eq!(problem, running_cluster(100, 3_000, 100, 400, 1));
    }
}
