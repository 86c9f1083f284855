//! Ready problems by name.

use crate::catalog::{ZONES, catalog, synthetic_catalog};
use crate::hostile::hostile;
use crate::pools::{DEDICATED, GPU, daemon_sets, one_of, pools, resources};
use crate::workload::{WorkloadSpec, workload};
use plimsoll::model::{
    Affinity, Effect, HostPort, LabelSelector, NodeSelectorTerm, PodAffinityTerm, Taint,
    Toleration, Volume, well_known,
};
use plimsoll::{InstanceType, Node, NodePool, Pod, Problem, Quantity, Resources};

/// The names of the problems that the benches measure; [`problem`] knows their pattern.
pub const BENCH_PROBLEMS: [&str; 16] = [
    "1k-10-100",
    "1k-300-1345",
    "1k-300-1345-company",
    "10k-10-100",
    "10k-300-1345",
    "10k-300-1345-company",
    "10k-3000-1345",
    "10k-distinct-400",
    "100k-300-100",
    "100k-300-1345",
    "100k-3000-1345",
    "100k-3000-1345-company",
    "1m-10-100",
    "1m-300-1345",
    "1m-300-1345-individual",
    "1m-3000-1345",
];

/// A problem by name, `None` where the name means nothing.
///
/// - `web-small`: some hundred pods of a small web company, to read and to show;
/// - PODS-CLASSES-TYPES, such as `10k-300-1345` ("k" and "m" are thousands and millions): a
///   generated workload in the four pools of [`pools`] on a catalog of so many types; CLASSES may
///   be `distinct` for as many as there are pods; with `-individual` behind it each pod is an entry
///   of its own instead of one of `replicas`;
/// - `hostile-SHAPE-SIZE`, such as `hostile-affinity-ring-1k`: see [`hostile`].
///
/// # Panics
/// Where the parts don't make a valid problem, which would be a fault of this crate.
#[must_use]
pub fn problem(name: &str) -> Option<Problem> {
    if name == "web-small" {
        return Some(web_small());
    }
    if let Some((shape, size)) =
        name.strip_prefix("hostile-").and_then(|name| name.rsplit_once('-'))
    {
        return hostile(shape, count(size)? as usize);
    }
    let (size, individual) = match name.strip_suffix("-individual") {
        Some(size) => (size, true),
        None => (name, false),
    };
    let (size, company) = match size.strip_suffix("-company") {
        Some(size) => (size, true),
        None => (size, false),
    };
    let mut parts = size.split('-');
    let pods = count(parts.next()?)?;
    let classes = match parts.next()? {
        "distinct" => pods,
        classes => count(classes)?,
    };
    let types = count(parts.next()?)?;
    if parts.next().is_some() || classes > pods || classes > 100_000 || types > 100_000 {
        return None;
    }
    let spec = WorkloadSpec::new(SEED, pods, classes);
    let spec = if company { spec.with_company() } else { spec };
    let spec = if individual { spec.individual() } else { spec };
    Some(assemble(workload(&spec), synthetic_catalog(types as usize, SEED), pools(), Vec::new()))
}

const SEED: u64 = 1;

fn count(text: &str) -> Option<u32> {
    let (digits, unit) = match text.strip_suffix('k') {
        Some(digits) => (digits, 1000),
        None => text.strip_suffix('m').map_or((text, 1), |digits| (digits, 1_000_000)),
    };
    digits.parse::<u32>().ok()?.checked_mul(unit)
}

fn assemble(
    pods: Vec<Pod>,
    types: Vec<InstanceType>,
    pools: Vec<NodePool>,
    nodes: Vec<Node>,
) -> Problem {
    let mut problem = Problem::builder();
    problem = pods.into_iter().fold(problem, |p, pod| p.pod(pod));
    problem = types.into_iter().fold(problem, |p, instance_type| p.instance_type(instance_type));
    problem = pools.into_iter().fold(problem, |p, pool| p.node_pool(pool));
    problem = nodes.into_iter().fold(problem, |p, node| p.node(node));
    problem = daemon_sets().into_iter().fold(problem, |p, daemon| p.daemon_set(daemon));
    problem.build().expect("the bundled problems are valid")
}

/// Sixteen workloads, one or two for each rule, four pools, a node that runs and one on its way.
fn web_small() -> Problem {
    let mut pods = vec![
        app("web", 90, "250m", "384Mi"),
        app("api", 60, "500m", "1Gi"),
        app("mail", 25, "100m", "192Mi"),
        app("thumbnails", 40, "1", "1536Mi").with_node_selector(well_known::CAPACITY_TYPE, "spot"),
        app("checkout", 12, "1", "2Gi")
            .with_node_selector(well_known::CAPACITY_TYPE, "on-demand")
            .with_priority(1000),
        app("build-arm", 10, "2", "4Gi").with_node_selector(well_known::ARCH, "arm64"),
        app("billing", 8, "750m", "3Gi")
            .with_node_selector(well_known::ARCH, "amd64")
            .with_affinity(in_zones(&ZONES[..2])),
        app("search", 6, "3", "20Gi").with_affinity(one_a_node("search")),
        app("ingress", 3, "500m", "512Mi").with_host_port(HostPort::new(443)),
        app("reports", 24, "2", "4Gi")
            .with_node_selector(DEDICATED, "batch")
            .with_toleration(Toleration::equal(DEDICATED, "batch").with_effect(Effect::NoSchedule)),
        on_gpu(app("inference", 6, "1500m", "6Gi"), 1),
        on_gpu(app("training", 1, "16", "64Gi"), 4),
        // No type is offered there: the plan says why this one has no place.
        app("migration", 1, "1", "2Gi").with_node_selector(well_known::ZONE, "us-east-1f"),
    ];
    for (at, zone) in ZONES.into_iter().enumerate() {
        let volume = Volume::new("ebs.csi.aws.com", format!("vol-db-{at}")).with_zone(zone);
        pods.push(app(&format!("db-{at}"), 1, "4", "32Gi").with_volume(volume).with_priority(1000));
    }
    for (name, cpu, memory) in [("web-old", "250m", "384Mi"), ("api-old", "500m", "1Gi")] {
        pods.push(app(name, 1, cpu, memory).with_node_name("running-0"));
    }

    let mut pools = pools();
    for pool in &mut pools {
        *pool = match pool.name() {
            "gpu" => pool.clone().with_limits(resources([(GPU, "16")])),
            "steady" => pool.clone().with_limits(resources([("cpu", "64"), ("nodes", "6")])),
            _ => continue,
        };
    }

    let types = catalog();
    let nodes = vec![
        node(
            "running-0",
            &types,
            "m7i.2xlarge",
            resources([("cpu", "7910m"), ("memory", "29317Mi")]),
        )
        .with_label(well_known::ZONE, ZONES[0])
        .with_label(well_known::CAPACITY_TYPE, "on-demand"),
        node(
            "starting-0",
            &types,
            "c7g.2xlarge",
            resources([("cpu", "7910m"), ("memory", "14103Mi")]),
        )
        .with_label(well_known::ZONE, ZONES[1])
        .with_label(well_known::CAPACITY_TYPE, "spot")
        .with_taint(Taint::new("node.kubernetes.io/not-ready", "", Effect::NoSchedule))
        .with_initialized(false),
    ];
    assemble(pods, types, pools, nodes)
}

fn app(name: &str, replicas: u32, cpu: &str, memory: &str) -> Pod {
    Pod::new(name)
        .with_namespace("shop")
        .with_replicas(replicas)
        .with_label("app", name)
        .with_owner_kind("ReplicaSet")
        .with_requests(resources([("cpu", cpu), ("memory", memory)]))
}

fn on_gpu(pod: Pod, gpus: u64) -> Pod {
    let mut requests = pod.requests().clone();
    let _ = requests.insert(GPU, Quantity::from_units(gpus));
    pod.with_requests(requests)
        .with_toleration(Toleration::exists(GPU).with_effect(Effect::NoSchedule))
}

fn in_zones(zones: &[&str]) -> Affinity {
    zones.iter().fold(Affinity::new(), |affinity, zone| {
        let term = NodeSelectorTerm::new([one_of(well_known::ZONE, [zone])]);
        affinity.with_required_node_term(term)
    })
}

fn one_a_node(app: &str) -> Affinity {
    let own = LabelSelector::new().with_label("app", app);
    Affinity::new().with_required_pod_anti_affinity(PodAffinityTerm::new(well_known::HOSTNAME, own))
}

/// A node of the pool `general`, of a type of the catalog, with room for 58 pods.
fn node(name: &str, types: &[InstanceType], of: &str, mut allocatable: Resources) -> Node {
    let found = types.iter().find(|t| t.name() == of).expect("the type is in the catalog");
    let _ = allocatable.insert("pods", Quantity::from_units(58));
    let node = Node::new(name, allocatable)
        .with_label(well_known::INSTANCE_TYPE, of)
        .with_label(well_known::NODE_POOL, "general");
    let labels = found.labels().iter();
    labels.fold(node, |node, (key, value)| node.with_label(key.clone(), value.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::label;
    use plimsoll::model::CapacityType;

    /// FNV-1a of a problem's document.
    fn checksum(problem: &Problem) -> u64 {
        problem.to_json().bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    #[test]
    fn documents_never_change_under_us() {
        // A new sum means that figures measured before can't be compared with those after.
        let sums = ["web-small", "1k-10-100", "1k-300-1345", "1k-distinct-400-individual"]
            .map(|name| checksum(&problem(name).unwrap()));
        let known = [
            0x8756_7da1_3317_3dbe,
            0xaab3_1adc_c5c7_45de,
            0xdc37_59b3_91b5_1377,
            0x0f41_8624_2e30_fcc1,
        ];
        assert_eq!(sums, known, "{sums:#x?}");
    }

    #[test]
    fn names_have_a_pattern() {
        for name in BENCH_PROBLEMS.iter().filter(|name| !name.starts_with("1m")) {
            assert!(problem(name).is_some(), "{name}");
        }
        for name in ["", "web", "1k", "1k-10", "1k-2k-10", "x-1-1", "1k-1-1-1", "9999m-1-1"] {
            assert!(problem(name).is_none(), "{name}");
        }
    }

    #[test]
    fn the_largest_pod_fits_every_catalog() {
        let (cpu, memory) = (Quantity::from_units(12), Quantity::from_units(96 << 30));
        for types in [100, 400, 1345] {
            for (arch, gpus) in [("amd64", 0), ("arm64", 0), ("amd64", 4)] {
                let fits = |t: &&InstanceType| {
                    let capacity = t.capacity();
                    t.labels().get(well_known::ARCH).map(AsRef::as_ref) == Some(arch)
                        && t.offerings()
                            .iter()
                            .any(|offering| offering.capacity_type() == CapacityType::Spot)
                        && capacity.get("cpu") >= Some(cpu)
                        && capacity.get("memory") >= Some(memory)
                        && (gpus == 0 || capacity.get(GPU) >= Some(Quantity::from_units(gpus)))
                };
                let catalog = synthetic_catalog(types, SEED);
                assert!(catalog.iter().any(|t| fits(&t)), "{types} {arch} {gpus}");
            }
        }
    }

    #[test]
    fn documents_survive_a_round_trip() {
        let problem = problem("web-small").unwrap();
        assert_eq!(Problem::from_json(&problem.to_json()), Ok(problem));
    }

    #[test]
    fn the_small_problem_has_one_of_each() {
        let problem = problem("web-small").unwrap();
        let pods: u32 = problem.pods().iter().map(Pod::replicas).sum();
        assert!((250..350).contains(&pods), "{pods}");
        assert_eq!(problem.nodes().len(), 2);
        assert!(problem.instance_types().iter().any(|t| t.labels().get(label::GPU_NAME).is_some()));
    }
}
