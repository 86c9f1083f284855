//! Problems of shapes that nobody means well with: one thing taken to its limit, as large as is
//! asked for.
//!
//! Each is valid, so it reaches the solver; what a plan is worth is of no matter here, only that it
//! comes soon, in bounded memory, and keeps the rules. `cargo run --release --example quality --
//! hostile-classes-100000` plans one of any size.

use plimsoll::model::{
    Affinity, Effect, HostPort, LabelSelector, NodeSelectorTerm, Operator, PodAffinityTerm, Taint,
    Toleration, TopologySpreadConstraint, Volume, WhenUnsatisfiable, well_known,
};
use plimsoll::{
    InstanceType, Node, NodePool, Offering, Pod, Price, Problem, Quantity, Requirement, Resources,
};

/// The shapes that [`hostile`] knows.
pub const HOSTILE: [&str; 17] = [
    "affinity-ring",
    "anti-affinity-all",
    "bound-pods",
    "classes",
    "daemons",
    "extremes",
    "labels",
    "limits",
    "ports",
    "priorities",
    "selector-terms",
    "spread-chain",
    "taints",
    "values",
    "volumes",
    "zero",
    "zones",
];

fn amounts(cpu: u64, mebibytes: u64) -> Resources {
    let mut amounts = Resources::new();
    let _former = amounts.insert("cpu", Quantity::from_millis(cpu));
    let _former = amounts.insert("memory", Quantity::from_units(mebibytes << 20));
    amounts
}

fn capacity(cpus: u64) -> Resources {
    let mut capacity = amounts(cpus * 1_000, cpus * 4_096);
    let _former = capacity.insert("pods", Quantity::from_units(110));
    capacity
}

/// A type of so many processors, in zones `zone-0`, `zone-1` and so on.
fn instance_type(cpus: u64, zones: usize) -> InstanceType {
    let price = |nanos: u64| Price::from_nanos(i128::from(cpus * nanos));
    (0..zones).fold(InstanceType::new(format!("cpu-{cpus}"), capacity(cpus)), |kind, zone| {
        let zone = format!("zone-{zone}");
        kind.with_offering(Offering::on_demand(zone.as_str(), price(50_000_000)))
            .with_offering(Offering::spot(zone, price(20_000_000)))
    })
}

fn app(name: &str) -> LabelSelector {
    LabelSelector::new().with_label("app", name)
}

fn pod(number: usize) -> Pod {
    let requests = amounts(100 + number as u64 % 7 * 50, 128);
    Pod::new(format!("pod-{number}"))
        .with_requests(requests)
        .with_label("app", format!("app-{number}"))
}

fn node(number: usize) -> Node {
    Node::new(format!("node-{number}"), capacity(4))
        .with_label(well_known::ZONE, format!("zone-{}", number % 3))
        .with_label(well_known::HOSTNAME, format!("node-{number}"))
}

/// A problem of a shape; `None` where there is no such shape.
///
/// # Panics
/// Where the parts don't make a valid problem, which would be a fault of this crate.
#[must_use]
pub fn hostile(shape: &str, size: usize) -> Option<Problem> {
    let mut types = vec![instance_type(4, 3), instance_type(16, 3)];
    let mut pools = vec![NodePool::new("default")];
    let mut nodes = Vec::new();
    let mut daemons = Vec::new();
    let pods: Vec<Pod> = match shape {
        // No pod is like another.
        "classes" => (0..size)
            .map(|i| pod(i).with_requests(amounts(100 + i as u64 % 1_000, 64 + i as u64 / 1_000)))
            .collect(),
        // Each pod needs the next on its node, the last one the first, and none itself: none can be
        // first.
        "affinity-ring" => (0..size)
            .map(|i| {
                let next = app(&format!("app-{}", (i + 1) % size));
                let term = PodAffinityTerm::new(well_known::HOSTNAME, next);
                pod(i).with_affinity(Affinity::new().with_required_pod_affinity(term))
            })
            .collect(),
        // Each pod bears none of the others in its zone, by as many terms as there are pods.
        "anti-affinity-all" => (0..size)
            .map(|i| {
                let others = (0..size).filter(|other| *other != i);
                let affinity = others.fold(Affinity::new(), |affinity, other| {
                    let term = PodAffinityTerm::new(well_known::ZONE, app(&format!("app-{other}")));
                    affinity.with_required_pod_anti_affinity(term)
                });
                pod(i).with_affinity(affinity)
            })
            .collect(),
        // Each pod counts itself and the next, over three keys.
        "spread-chain" => (0..size)
            .map(|i| {
                let keys = [well_known::ZONE, well_known::HOSTNAME, well_known::CAPACITY_TYPE];
                keys.into_iter().fold(
                    pod(i).with_label("next", format!("{}", i / 2)).with_replicas(3),
                    |pod, key| {
                        let selector =
                            LabelSelector::new().with_label("next", format!("{}", i / 2));
                        let spread =
                            TopologySpreadConstraint::new(1, key, WhenUnsatisfiable::DoNotSchedule);
                        pod.with_topology_spread_constraint(spread.with_label_selector(selector))
                    },
                )
            })
            .collect(),
        // One pod with very many labels, and a pool that offers as many.
        "labels" => {
            let key = |i: usize| format!("example.com/label-{i}");
            pools = vec![(0..size).fold(NodePool::new("default"), |pool, i| {
                pool.with_label(key(i), format!("value-{i}"))
            })];
            let labelled = (0..size).fold(pod(0), |pod, i| {
                pod.with_label(key(i), "pod").with_node_selector(key(i), format!("value-{i}"))
            });
            vec![labelled, pod(1)]
        }
        // Terms of which only the last can be met.
        "selector-terms" => (0..3)
            .map(|i| {
                let affinity = (0..size).fold(Affinity::new(), |affinity, term| {
                    let zone = match term + 1 == size {
                        true => "zone-1".to_owned(),
                        false => format!("nowhere-{term}"),
                    };
                    let zone = Requirement::new(well_known::ZONE, Operator::In, [zone.as_str()]);
                    let other =
                        Requirement::new(format!("key-{term}"), Operator::DoesNotExist, [""; 0]);
                    affinity.with_required_node_term(NodeSelectorTerm::new([zone, other]))
                });
                pod(i).with_affinity(affinity)
            })
            .collect(),
        // A requirement of very many values, each of which is a label to be chosen.
        "values" => {
            let values: Vec<String> = (0..size).map(|i| format!("value-{i}")).collect();
            let open = Requirement::new("example.com/open", Operator::In, values);
            pools = vec![NodePool::new("default").with_requirement(open)];
            (0..8)
                .map(|i| pod(i).with_node_selector("example.com/open", format!("value-{i}")))
                .collect()
        }
        // As many zones as pods that are spread over them.
        "zones" => {
            types = vec![instance_type(4, size)];
            let spread = TopologySpreadConstraint::new(
                1,
                well_known::ZONE,
                WhenUnsatisfiable::DoNotSchedule,
            );
            let replicas = u32::try_from(size).unwrap_or(u32::MAX);
            let spread = spread.with_label_selector(app("app-0"));
            vec![pod(0).with_replicas(replicas).with_topology_spread_constraint(spread)]
        }
        // As many pools as pods, each with a limit for one.
        "limits" => {
            pools = (0..size)
                .map(|i| NodePool::new(format!("pool-{i}")).with_limits(amounts(4_000, 1 << 20)))
                .collect();
            (0..size).map(|i| pod(i).with_requests(amounts(3_000, 128))).collect()
        }
        // Every pod tolerates one of very many taints.
        "taints" => {
            let key = |i: usize| format!("taint-{i}");
            nodes = (0..size.min(1_000))
                .map(|i| node(i).with_taint(Taint::new(key(i), "", Effect::NoSchedule)))
                .collect();
            let pod = |i: usize| pod(i).with_toleration(Toleration::equal(key(i), ""));
            (0..size).map(pod).collect()
        }
        // Every daemon goes to every node.
        "daemons" => {
            daemons = (0..size.min(100))
                .map(|i| Pod::new(format!("daemon-{i}")).with_requests(amounts(10, 8)))
                .collect();
            (0..size).map(pod).collect()
        }
        // Ports and disks that two pods in three share.
        "ports" => (0..size)
            .map(|i| {
                pod(i)
                    .with_host_port(HostPort::new(80 + u16::try_from(i / 3 % 60_000).unwrap_or(0)))
            })
            .collect(),
        "volumes" => (0..size)
            .map(|i| {
                let volume = Volume::new("disk.example.com", format!("disk-{}", i / 3));
                pod(i).with_volume(volume.with_zone(format!("zone-{}", i / 3 % 3)))
            })
            .collect(),
        // As many priorities as pods, for the room of a few.
        "priorities" => {
            pools = vec![NodePool::new("default").with_limits(amounts(64_000, 1 << 20))];
            let priority = |i: usize| i32::try_from(i).unwrap_or(0) - 1_000;
            (0..size).map(|i| pod(i).with_priority(priority(i))).collect()
        }
        // A cluster that is full of what can't move.
        "bound-pods" => {
            nodes = (0..size).map(|i| node(i).with_price(Price::from_nanos(1))).collect();
            let bound = |i: usize| {
                pod(i).with_name(format!("bound-{i}")).with_node_name(format!("node-{}", i / 2))
            };
            (0..2 * size).map(bound).chain((0..size).map(pod)).collect()
        }
        // Nothing asked for, nothing had.
        "zero" => {
            let mut no_pods = Resources::new();
            let _former = no_pods.insert("pods", Quantity::ZERO);
            types = vec![
                InstanceType::new("nothing", no_pods)
                    .with_offering(Offering::spot("zone-0", Price::ZERO)),
                InstanceType::new("room", capacity(0))
                    .with_overhead(capacity(1))
                    .with_offering(Offering::on_demand("zone-0", Price::ZERO)),
                instance_type(1, 1),
            ];
            (0..size).map(|i| Pod::new(format!("pod-{i}"))).collect()
        }
        // The largest and least of every number.
        "extremes" => {
            let most = || {
                let names = ["cpu", "memory", "example.com/gpu"];
                names.into_iter().fold(Resources::new(), |mut all, name| {
                    let _former = all.insert(name, Quantity::MAX);
                    all
                })
            };
            let room = || {
                let mut room = most();
                let _former = room.insert("pods", Quantity::MAX);
                room
            };
            types = vec![
                InstanceType::new("most", room())
                    .with_volume_limit("disk.example.com", u32::MAX)
                    .with_offering(
                        Offering::spot("zone-0", Price::MAX_UNIT)
                            .with_interruption_rate(100_000_000_000_000),
                    )
                    .with_offering(Offering::on_demand("zone-0", Price::ZERO))
                    .with_offering(
                        Offering::reserved("zone-1", Price::from_nanos(1))
                            .with_reservation("r", u32::MAX),
                    ),
                InstanceType::new("less", room())
                    .with_overhead(room())
                    .with_offering(Offering::spot("zone-0", Price::from_nanos(1))),
            ];
            pools = vec![
                NodePool::new("most").with_limits(most()).with_weight(i32::MAX),
                NodePool::new("least").with_limits(Resources::new()).with_weight(i32::MIN),
            ];
            let spread = |skew: u32| {
                TopologySpreadConstraint::new(
                    skew,
                    well_known::ZONE,
                    WhenUnsatisfiable::ScheduleAnyway,
                )
                .with_label_selector(LabelSelector::new())
            };
            nodes = vec![Node::new("full", room()).with_price(Price::MAX_UNIT)];
            vec![
                Pod::new("all").with_requests(most()).with_priority(i32::MAX).with_replicas(3),
                Pod::new("many")
                    .with_replicas(u32::try_from(size).unwrap_or(u32::MAX))
                    .with_priority(i32::MIN)
                    .with_topology_spread_constraint(spread(i32::MAX.unsigned_abs())),
                Pod::new("bound")
                    .with_node_name("full")
                    .with_requests(most())
                    .with_deletion_cost(i32::MIN),
            ]
        }
        _ => return None,
    };
    let problem = Problem::builder()
        .pods(pods)
        .daemon_sets(daemons)
        .instance_types(types)
        .node_pools(pools)
        .nodes(nodes);
    Some(problem.build().expect("the parts are valid"))
}
