//! Pods on nodes of the problem.

use super::*;
use crate::model::{
    Affinity, HostPort, LabelSelector, Node, NodeSelectorTerm, Operator, PodAffinityTerm, Protocol,
    Requirement, Volume,
};

fn here() -> PlanPlace {
    PlanPlace::Node("n".into())
}

fn p() -> Arc<str> {
    "default/p".into()
}

/// 2 cpu and 10 pods in zone a.
fn node() -> Node {
    Node::new("n", amounts([("cpu", "2"), ("pods", "10")])).with_label(well_known::ZONE, "a")
}

fn with(node: Node, pod: Pod) -> ProblemBuilder {
    market().node(node).pod(pod)
}

fn onto_n() -> LaunchPlan {
    bindings([("p", "n")])
}

#[test]
fn a_pod_that_fits_is_accepted() {
    let problem = with(node(), pod("p")).build().unwrap();
    assert_eq!(accepted(&problem, &onto_n()).pods_bound(), 1);
}

#[test]
fn node_deleting() {
    let problem = with(node().with_deleting(true), pod("p")).build().unwrap();
    refused(&problem, &onto_n(), [Violation::NodeDeleting { pod: p(), node: "n".into() }]);
}

#[test]
fn overfull_with_what_runs() {
    let bound = |cpu| Pod::new("b").with_requests(amounts([("cpu", cpu)])).with_node_name("n");
    let problem = with(node(), pod("p")).pod(bound("1500m")).build().unwrap();
    let _verified = accepted(&problem, &onto_n());
    let problem = with(node(), pod("p")).pod(bound("1501m")).build().unwrap();
    let (resource, requested, allocatable) = ("cpu".into(), 2001, 2000);
    let expected = Violation::Overfull { place: here(), resource, requested, allocatable };
    refused(&problem, &onto_n(), [expected]);
    // A pod that wants none of what is short may come.
    let problem = with(node(), Pod::new("p")).pod(bound("3")).build().unwrap();
    let _verified = accepted(&problem, &onto_n());
}

#[test]
fn overfull_with_daemons_still_to_come() {
    let agent = Pod::new("agent").with_requests(amounts([("cpu", "1501m")]));
    let parts = with(node(), pod("p")).daemon_set(agent.clone());
    let (resource, requested, allocatable) = ("cpu".into(), 2001, 2000);
    let expected = Violation::Overfull { place: here(), resource, requested, allocatable };
    refused(&parts.clone().build().unwrap(), &onto_n(), [expected]);
    // Its pod runs there already, and has become smaller since: nothing is held back twice.
    let running = Pod::new("agent-x")
        .with_requests(amounts([("cpu", "1500m")]))
        .with_owner_kind("DaemonSet")
        .with_node_name("n");
    let (resource, requested, allocatable) = ("cpu".into(), 2001, 2000);
    let expected = Violation::Overfull { place: here(), resource, requested, allocatable };
    refused(&parts.pod(running.clone()).build().unwrap(), &onto_n(), [expected]);
    let agent = agent.with_requests(amounts([("cpu", "1500m")]));
    let problem = with(node(), pod("p")).daemon_set(agent).pod(running).build().unwrap();
    let _verified = accepted(&problem, &onto_n());
    // One that the node doesn't admit isn't expected.
    let agent = Pod::new("agent")
        .with_requests(amounts([("cpu", "2")]))
        .with_node_selector(well_known::ZONE, "b");
    let problem = with(node(), pod("p")).daemon_set(agent).build().unwrap();
    let _verified = accepted(&problem, &onto_n());
}

#[test]
fn node_selector() {
    let hostname = pod("p").with_node_selector(well_known::HOSTNAME, "n");
    let problem = with(node(), hostname).build().unwrap();
    let _verified = accepted(&problem, &onto_n());
    let outdated = "failure-domain.beta.kubernetes.io/zone";
    let problem = with(node(), pod("p").with_node_selector(outdated, "b")).build().unwrap();
    refused(&problem, &onto_n(), [Violation::NodeSelector { pod: p(), place: here() }]);
}

#[test]
fn node_affinity_by_name() {
    for (operator, admitted) in [(Operator::In, true), (Operator::NotIn, false)] {
        let field = Requirement::new("metadata.name", operator, ["n"]);
        let term = NodeSelectorTerm::new([]).with_match_field(field);
        let affinity = Affinity::new().with_required_node_term(term);
        let problem = with(node(), pod("p").with_affinity(affinity)).build().unwrap();
        if admitted {
            let _verified = accepted(&problem, &onto_n());
        } else {
            refused(&problem, &onto_n(), [Violation::NodeAffinity { pod: p(), place: here() }]);
        }
    }
}

#[test]
fn untolerated_unless_the_node_starts() {
    let startup = taint("starting", Effect::NoSchedule);
    let of_pool = |node: Node| node.with_label(well_known::NODE_POOL, "main");
    let cases = [
        (taint("dedicated", Effect::NoExecute), node().with_initialized(false), false),
        (taint("dedicated", Effect::PreferNoSchedule), node(), true),
        (startup.clone(), of_pool(node()).with_initialized(false), true),
        (startup.clone(), of_pool(node()), false),
        (startup.clone(), node().with_initialized(false), false),
        (taint("node.kubernetes.io/not-ready", Effect::NoExecute), node(), false),
        (
            taint("node.kubernetes.io/not-ready", Effect::NoExecute),
            node().with_initialized(false),
            true,
        ),
        (
            taint("node.kubernetes.io/unreachable", Effect::NoExecute),
            node().with_initialized(false),
            false,
        ),
        (taint("readiness.k8s.io/net", Effect::NoSchedule), node().with_initialized(false), true),
    ];
    for (taint, node, admitted) in cases {
        let problem = Problem::builder()
            .instance_type(small())
            .node_pool(NodePool::new("main").with_startup_taint(startup.clone()))
            .node(node.with_taint(taint.clone()))
            .pod(pod("p"))
            .build()
            .unwrap();
        if admitted {
            let _verified = accepted(&problem, &onto_n());
        } else {
            let expected = Violation::Untolerated { pod: p(), place: here(), taint };
            refused(&problem, &onto_n(), [expected]);
        }
    }
}

#[test]
fn host_port_of_a_bound_pod() {
    let port = HostPort::new(80);
    let bound = pod("b").with_host_port(port.clone()).with_node_name("n");
    let problem = with(node(), pod("p").with_host_port(port)).pod(bound).build().unwrap();
    let expected = Violation::HostPort {
        pod: p(),
        other: "default/b".into(),
        place: here(),
        port: 80,
        protocol: Protocol::Tcp,
    };
    refused(&problem, &onto_n(), [expected]);
}

#[test]
fn volume_zone() {
    for zone in ["a", "b"] {
        let volume = Volume::new("disk", "v").with_zone(zone);
        let problem = with(node(), pod("p").with_volume(volume)).build().unwrap();
        if zone == "a" {
            let _verified = accepted(&problem, &onto_n());
        } else {
            let expected = Violation::VolumeZone { pod: p(), place: here(), volume: "v".into() };
            refused(&problem, &onto_n(), [expected]);
        }
    }
}

#[test]
fn volume_limit() {
    let node = node().with_volume_limit("disk", 1);
    let bound = pod("b").with_volume(Volume::new("disk", "v")).with_node_name("n");
    for (volume, admitted) in [
        (Volume::new("disk", "v"), true),
        (Volume::new("file", "w"), true),
        (Volume::new("disk", "w"), false),
    ] {
        let parts = with(node.clone(), pod("p").with_volume(volume)).pod(bound.clone());
        let problem = parts.build().unwrap();
        if admitted {
            let _verified = accepted(&problem, &onto_n());
        } else {
            let (node, driver) = ("n".into(), "disk".into());
            let expected = Violation::VolumeLimit {
                place: PlanPlace::Node(node),
                driver,
                volumes: 2,
                limit: 1,
            };
            refused(&problem, &onto_n(), [expected]);
        }
    }
}

#[test]
fn anti_affinity_with_bound_pods() {
    let selector = LabelSelector::new().with_label("app", "x");
    let apart = PodAffinityTerm::new(well_known::HOSTNAME, selector);
    let affinity = Affinity::new().with_required_pod_anti_affinity(apart);
    for owner in ["p", "b"] {
        let (mut placed, mut bound) = (pod("p"), pod("b").with_node_name("n"));
        let other = if owner == "p" {
            placed = placed.with_affinity(affinity.clone());
            bound = bound.with_label("app", "x");
            "b"
        } else {
            bound = bound.with_affinity(affinity.clone());
            placed = placed.with_label("app", "x");
            "p"
        };
        let problem = with(node(), placed).pod(bound).build().unwrap();
        let name = |name| format!("default/{name}").into();
        let (pod, other) = (name(owner), name(other));
        refused(&problem, &onto_n(), [Violation::AntiAffinity { pod, other, place: here() }]);
    }
}
