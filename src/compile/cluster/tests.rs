//! Each change to a small cluster takes the fast way, and those that can't are told; debug builds
//! compare what comes out with the problem written out.

use super::Cluster;
use crate::model::{
    Affinity, CapacityType, Changed, HostPort, LabelSelector, Node, NodePool, Offering, Origin,
    Pod, PodAffinityTerm, Price, Problem, Requirement, Resources, TopologySpreadConstraint, Volume,
    WhenUnsatisfiable, well_known,
};
use crate::model::{InstanceType, Operator};
use std::sync::Arc;

fn resources(pairs: &[(&str, &str)]) -> Resources {
    Resources::parse(pairs.iter().copied()).unwrap()
}

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

fn pod(name: &str) -> Pod {
    Pod::new(name)
        .with_label("app", "web")
        .with_owner_kind("ReplicaSet")
        .with_requests(resources(&[("cpu", "1")]))
}

fn node(name: &str, zone: &str) -> Node {
    Node::new(name, resources(&[("cpu", "4"), ("gpu", "1"), ("pods", "10")]))
        .with_label(well_known::ZONE, zone)
        .with_label(well_known::NODE_POOL, "default")
        .with_label(well_known::INSTANCE_TYPE, "m")
}

/// Three nodes, the last of them alone in its zone, with pods of every rule.
fn cluster() -> Problem {
    let own = || LabelSelector::new().with_label("app", "web");
    let apart = PodAffinityTerm::new(well_known::HOSTNAME, own());
    let apart = Affinity::new().with_required_pod_anti_affinity(apart);
    let spread =
        TopologySpreadConstraint::new(1, well_known::ZONE, WhenUnsatisfiable::DoNotSchedule);
    let spread = pod("spread").with_topology_spread_constraint(spread.with_label_selector(own()));
    let offered = |zone: &str| Offering::on_demand(zone, price("0.1"));
    let capacity = resources(&[("cpu", "4"), ("memory", "8Gi"), ("pods", "10")]);
    Problem::builder()
        .pod(pod("a").with_node_name("n1").with_affinity(apart))
        .pod(pod("b").with_node_name("n2").with_host_port(HostPort::new(80)))
        .pod(spread.with_node_name("n3"))
        .pod(pod("c").with_node_name("n3").with_node_selector(well_known::ZONE, "z3"))
        .pod(pod("d").with_node_name("n3").with_requests(resources(&[("gpu", "1")])))
        .pod(pod("agent").with_node_name("n3").with_owner_kind("DaemonSet"))
        .pod(pod("set").with_replicas(3))
        .pod(pod("e").with_node_name("n1").with_volume(Volume::new("ebs", "v")))
        .node(node("n1", "z1"))
        .node(node("n2", "z2"))
        .node(node("n3", "z3"))
        .instance_type(
            InstanceType::new("m", capacity)
                .with_volume_limit("ebs", 3)
                .with_offering(offered("z1").with_available(true))
                .with_offering(offered("z2"))
                .with_offering(Offering::reserved("z2", price("0.01")).with_reservation("r", 2)),
        )
        .node_pool(NodePool::new("default").with_limits(resources(&[("cpu", "40")])))
        .daemon_set(pod("agent").with_requests(resources(&[("cpu", "100m")])))
        .build()
        .unwrap()
}

/// Whether a what-if takes the fast way.
fn is_fast(change: impl Fn(&mut Changed)) -> bool {
    let origin = Arc::new(Origin::new(&cluster()));
    let cluster = Cluster::new(&origin).unwrap();
    let mut changed = Changed::new(origin);
    change(&mut changed);
    cluster.compile(&changed).is_some()
}

#[test]
fn what_the_cluster_knows_takes_the_fast_way() {
    let way = ("m", "z1", CapacityType::OnDemand);
    assert!(is_fast(|_| {}));
    for name in ["n1", "n2", "n3"] {
        assert!(is_fast(|changed| changed.remove_node(name).unwrap()), "{name}");
    }
    assert!(is_fast(|changed| {
        changed.remove_node("n3").unwrap();
        changed.remove_node("n1").unwrap();
        changed.add_pod(pod("new").with_node_name("n2")).unwrap();
    }));
    assert!(is_fast(|changed| changed.add_node(node("n0", "z9")).unwrap()));
    assert!(is_fast(|changed| {
        changed.remove_node("n2").unwrap();
        changed.add_node(node("n2", "z1")).unwrap();
    }));
    assert!(is_fast(|changed| changed.add_pod(pod("new").with_replicas(2)).unwrap()));
    assert!(is_fast(|changed| changed.remove_pod("default", "a").unwrap()));
    assert!(is_fast(|changed| changed.set_replicas("default", "set", 1).unwrap()));
    assert!(is_fast(|changed| changed.set_replicas("default", "b", 4).unwrap()));
    assert!(is_fast(|changed| changed.change_offerings(way, |one| one.available = false).unwrap()));
    assert!(is_fast(|changed| changed.set_price(way, price("7")).unwrap()));
    let limit = || Some("8".parse().unwrap());
    assert!(is_fast(|changed| changed.set_limit("default", "cpu", limit()).unwrap()));
    assert!(is_fast(|changed| changed.set_limit("default", "memory", limit()).unwrap()));
    assert!(is_fast(|changed| changed.set_limit("default", "cpu", None).unwrap()));
    assert!(is_fast(|changed| changed.set_reservation("r", 0).unwrap()));
}

#[test]
fn what_it_has_no_word_for_is_told() {
    let with = |pod: Pod| is_fast(|changed| changed.add_pod(pod.clone()).unwrap());
    assert!(with(pod("new")));
    assert!(!with(pod("new").with_requests(resources(&[("disk", "1")]))));
    assert!(!with(pod("new").with_node_selector("rack", "r1")));
    assert!(!with(pod("new").with_host_port(HostPort::new(81))));
    // Which namespaces there are counts where a rule selects them by their labels.
    assert!(with(pod("new").with_namespace("other")));
    let mut term = PodAffinityTerm::new(well_known::ZONE, LabelSelector::new());
    term.namespace_selector = Some(LabelSelector::new().with_label("team", "a"));
    assert!(!with(pod("new").with_affinity(Affinity::new().with_required_pod_affinity(term))));
    assert!(!with(pod("new").with_volume(Volume::new("ebs", "w"))));
    let tier = LabelSelector::new().with_label("tier", "x");
    let term = PodAffinityTerm::new(well_known::ZONE, tier);
    assert!(!with(pod("new").with_affinity(Affinity::new().with_required_pod_affinity(term))));
    // The last that takes a port, and the last that mounts a limited volume.
    assert!(!is_fast(|changed| changed.remove_pod("default", "b").unwrap()));
    assert!(!is_fast(|changed| changed.remove_pod("default", "e").unwrap()));
}

#[test]
fn a_label_that_launches_leave_open_is_read_anew() {
    let open = Requirement::new("team", Operator::Exists, [""; 0]);
    let capacity = resources(&[("cpu", "4"), ("pods", "10")]);
    let problem = |selector: &str| {
        Problem::builder()
            .pod(pod("a").with_node_selector(selector, "x"))
            .instance_type(
                InstanceType::new("m", capacity.clone())
                    .with_offering(Offering::spot("z", price("1"))),
            )
            .node_pool(NodePool::new("default").with_requirement(open.clone()))
            .build()
            .unwrap()
    };
    assert!(Cluster::new(&Origin::new(&problem("team"))).is_none());
    assert!(Cluster::new(&Origin::new(&problem(well_known::ZONE))).is_some());
}
