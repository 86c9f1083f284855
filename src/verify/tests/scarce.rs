//! Limits, reservations, and pools of different weight.

use super::*;
use crate::model::{Node, Operator, Requirement, Toleration};

/// Three pods that each get a small node.
fn three(problem: &Problem, pool: &str) -> LaunchPlan {
    let one = || template(problem, pool, SMALL, [("cpu", "500m"), ("pods", "1")]);
    let launches = ["p-0", "p-1", "p-2"].map(|name| launch(one(), [name]));
    plan(launches.into())
}

fn three_pods(pool: NodePool) -> ProblemBuilder {
    let parts = Problem::builder().instance_type(small()).instance_type(large());
    parts.node_pool(pool).pod(pod("p").with_replicas(3))
}

fn over(resource: &str, running: i128, launched: i128, limit: i128) -> Violation {
    let (node_pool, resource) = ("main".into(), resource.into());
    Violation::Limit { node_pool, resource, running, launched, limit }
}

#[test]
fn limit() {
    let limited = |pairs| NodePool::new("main").with_limits(pairs);
    let cases = [
        (amounts([("cpu", "6"), ("nodes", "3"), ("gpu", "0")]), None),
        (amounts([("cpu", "5")]), Some(over("cpu", 0, 6000, 5000))),
        (amounts([("nodes", "2")]), Some(over("nodes", 0, 3, 2))),
        (amounts([("memory", "11")]), Some(over("memory", 0, 12, 11))),
    ];
    for (limits, expected) in cases {
        let problem = three_pods(limited(limits)).build().unwrap();
        match expected {
            None => _ = accepted(&problem, &three(&problem, "main")),
            Some(expected) => refused(&problem, &three(&problem, "main"), [expected]),
        }
    }
}

#[test]
fn limit_with_what_runs() {
    let node = |kind: &str| {
        Node::new("n", amounts([("cpu", "1500m"), ("pods", "5")]))
            .with_label(well_known::NODE_POOL, "main")
            .with_label("beta.kubernetes.io/instance-type", kind)
            .with_deleting(true)
    };
    let pool = |cpu: &str| NodePool::new("main").with_limits(amounts([("cpu", cpu)]));
    // A type that the problem knows counts with its capacity, another with what the node has.
    for (kind, running) in [("small", 2000), ("unheard-of", 1500)] {
        let exactly = format!("{}m", 6000 + running);
        let problem = three_pods(pool(&exactly)).node(node(kind)).build().unwrap();
        let _verified = accepted(&problem, &three(&problem, "main"));
        let less = format!("{}m", 5999 + running);
        let problem = three_pods(pool(&less)).node(node(kind)).build().unwrap();
        let expected = over("cpu", running, 6000, 5999 + running);
        refused(&problem, &three(&problem, "main"), [expected]);
    }
}

#[test]
fn reservation() {
    let kept = |name: &str, remaining| {
        InstanceType::new(name, amounts([("cpu", "2"), ("pods", "9")]))
            .with_label("family", "k")
            .with_offering(offering("a", "reserved", "0.2").with_reservation("r", remaining))
    };
    for least in [2, 1] {
        let problem = Problem::builder()
            .instance_type(kept("one", 2))
            .instance_type(kept("other", least))
            .node_pool(NodePool::new("main"))
            .pod(pod("p").with_replicas(2))
            .build()
            .unwrap();
        let on = |kind| {
            template(&problem, "main", (kind, "a", "reserved"), [("cpu", "500m"), ("pods", "1")])
        };
        let plan = plan(vec![launch(on("one"), ["p-0"]), launch(on("other"), ["p-1"])]);
        if least == 2 {
            let _verified = accepted(&problem, &plan);
        } else {
            let reservation = "r".into();
            let expected = Violation::Reservation { reservation, launches: 2, remaining: 1 };
            refused(&problem, &plan, [expected]);
        }
    }
}

#[test]
fn static_pools_come_first() {
    let kept = InstanceType::new("kept", amounts([("cpu", "2"), ("pods", "9")]))
        .with_label("family", "k")
        .with_offering(offering("a", "reserved", "0.01").with_reservation("r", 1));
    let standing = |types: &[&str]| {
        let pool = NodePool::new("standing").with_replicas(1);
        pool.with_taint(taint("team", Effect::NoSchedule)).with_instance_types(types.to_vec())
    };
    let problem = |types| {
        let parts = Problem::builder().instance_type(kept.clone()).instance_type(small());
        parts.node_pool(NodePool::new("main")).node_pool(standing(types)).pod(pod("p"))
    };
    let empty = |problem: &Problem, at| {
        let mut template = template(problem, "standing", at, [("cpu", "0")]);
        template.requests = Resources::new();
        launch(template, [])
    };
    let kept_at = ("kept", "a", "reserved");
    let held = |problem: &Problem, at| {
        launch(template(problem, "main", at, [("cpu", "500m"), ("pods", "1")]), ["p"])
    };
    let only = problem(&["kept"]).build().unwrap();
    let short = |expected| Violation::StaticLaunches {
        node_pool: "standing".into(),
        launches: 0,
        expected,
    };
    // The reservation is the static pool's, whether a pod takes it or nobody does.
    refused(&only, &plan(vec![held(&only, kept_at)]), [short(1)]);
    refused(&only, &plan(vec![held(&only, SMALL)]), [short(1)]);
    let _verified = accepted(&only, &plan(vec![held(&only, SMALL), empty(&only, kept_at)]));
    // With something else to launch it is whose it may be.
    let either = problem(&["kept", "small"]).build().unwrap();
    let _verified = accepted(&either, &plan(vec![held(&either, kept_at), empty(&either, SMALL)]));
    refused(&either, &plan(vec![held(&either, kept_at)]), [short(1)]);
}

/// A heavier pool beside `main`, on which the plan puts three pods.
fn passed_over(heavy: NodePool, pods: Pod, others: ProblemBuilder) -> Problem {
    let main = NodePool::new("main").with_weight(1);
    others
        .node_pool(main)
        .node_pool(heavy.with_weight(2))
        .pod(pods.with_replicas(3))
        .build()
        .unwrap()
}

fn types() -> ProblemBuilder {
    Problem::builder().instance_type(small()).instance_type(large())
}

#[test]
fn weight() {
    let problem = passed_over(NodePool::new("heavy"), pod("p"), types());
    let expected = [0, 1, 2].map(|launch| Violation::Weight {
        pod: format!("default/p-{launch}").into(),
        launch,
        node_pool: "heavy".into(),
    });
    refused(&problem, &three(&problem, "main"), expected);
    let _verified = accepted(&problem, &three(&problem, "heavy"));
}

#[test]
fn a_heavier_pool_that_cannot_take_the_pod_is_passed_over() {
    let heavy = || NodePool::new("heavy");
    let zone_c = Requirement::new(well_known::ZONE, Operator::In, ["c"]);
    let families = Requirement::new("family", Operator::Exists, [""; 0]).with_min_values(2);
    let teams = Requirement::new("team", Operator::In, ["x", "y"]);
    let not_z = || {
        use crate::model::{Affinity, NodeSelectorTerm};
        let term = Requirement::new("team", Operator::NotIn, ["x", "y"]);
        Affinity::new().with_required_node_term(NodeSelectorTerm::new([term]))
    };
    let agent = Pod::new("agent")
        .with_requests(amounts([("cpu", "7501m")]))
        .with_toleration(Toleration::exists("hard"))
        .with_node_selector(well_known::NODE_POOL, "heavy");
    let cases = [
        (heavy().with_taint(taint("hard", Effect::NoSchedule)), pod("p"), types()),
        (heavy().with_requirement(zone_c), pod("p"), types()),
        (heavy().with_limits(amounts([("nodes", "0")])), pod("p"), types()),
        (heavy().with_limits(amounts([("cpu", "1")])), pod("p"), types()),
        (heavy().with_instance_types(["small"]).with_requirement(families), pod("p"), types()),
        (heavy().with_requirement(teams), pod("p").with_affinity(not_z()), types()),
        (
            heavy().with_taint(taint("hard", Effect::NoSchedule)),
            pod("p").with_toleration(Toleration::exists("hard")),
            types().daemon_set(agent),
        ),
    ];
    for (heavy, pods, others) in cases {
        let problem = passed_over(heavy, pods, others);
        let plan = three(&problem, "main");
        let found = verify(&problem, &plan);
        assert!(found.is_ok(), "{found:#?}");
    }
}

#[test]
fn a_label_that_a_heavier_pool_can_choose_counts() {
    let teams = Requirement::new("team", Operator::In, ["x", "y"]);
    let heavy = NodePool::new("heavy").with_requirement(teams);
    let main = NodePool::new("main").with_weight(1).with_label("team", "y");
    let problem = types()
        .node_pool(main)
        .node_pool(heavy.with_weight(2))
        .pod(pod("p").with_replicas(3).with_node_selector("team", "y"))
        .build()
        .unwrap();
    let expected = [0, 1, 2].map(|launch| Violation::Weight {
        pod: format!("default/p-{launch}").into(),
        launch,
        node_pool: "heavy".into(),
    });
    refused(&problem, &three(&problem, "main"), expected);
}

/// Two launches that pods need by themselves are two where no node could be in both their zones.
#[test]
fn launches_that_could_not_be_one_are_needed_each() {
    let in_zone = |name: &str, zone: &str| pod(name).with_node_selector(well_known::ZONE, zone);
    let tainted = NodePool::new("heavy").with_taint(taint("hard", Effect::NoSchedule));
    let rider = pod("rider").with_toleration(Toleration::exists("hard"));
    let problem = |zones: [&str; 2]| {
        let [first, second] = [in_zone("first", zones[0]), in_zone("second", zones[1])];
        types()
            .node_pool(NodePool::new("main").with_weight(1))
            .node_pool(tainted.clone().with_weight(2))
            .pods([first, second, rider.clone()])
            .build()
            .unwrap()
    };
    let two = |problem: &Problem, of_second| {
        let one = template(problem, "main", SMALL, [("cpu", "1"), ("pods", "2")]);
        let other = template(problem, "main", of_second, [("cpu", "500m"), ("pods", "1")]);
        plan(vec![launch(one, ["first", "rider"]), launch(other, ["second"])])
    };
    let apart = problem(["a", "b"]);
    let _verified = accepted(&apart, &two(&apart, SMALL_B));
    // In one zone both go onto one node, and the room that the rider takes is bought for it.
    let together = problem(["a", "a"]);
    let (pod, node_pool) = ("default/rider".into(), "heavy".into());
    let passed_over = Violation::Weight { pod, launch: 0, node_pool };
    refused(&together, &two(&together, SMALL), [passed_over]);
}

/// An interruption is a cost of its own: what is cheaper and taken away as seldom is cheaper.
#[test]
fn a_launch_is_needed_unless_what_is_cheaper_is_taken_away_no_more_often() {
    let passed_over = |rate| {
        let spot = |zone, cost, rate| offering(zone, "spot", cost).with_interruption_rate(rate);
        let capacity = amounts([("cpu", "2"), ("memory", "4"), ("pods", "10")]);
        let small = InstanceType::new("small", capacity)
            .with_offering(spot("a", "0.10", 10))
            .with_offering(spot("b", "0.05", rate));
        let heavy = NodePool::new("heavy").with_taint(taint("hard", Effect::NoSchedule));
        let problem = Problem::builder()
            .instance_type(small)
            .node_pool(NodePool::new("main").with_weight(1))
            .node_pool(heavy.with_weight(2))
            .pods([pod("own"), pod("rider").with_toleration(Toleration::exists("hard"))])
            .build()
            .unwrap();
        let at = ("small", "a", "spot");
        let one = template(&problem, "main", at, [("cpu", "1"), ("pods", "2")]);
        verify(&problem, &plan(vec![launch(one, ["own", "rider"])])).is_err()
    };
    assert_eq!([5, 10, 11].map(passed_over), [true, true, false]);
}

/// An affinity to its own group over single nodes ties a pod to others, and nothing is claimed.
#[test]
fn of_pods_with_an_affinity_over_nodes_no_weight_is_claimed() {
    use crate::model::{Affinity, LabelSelector, PodAffinityTerm};
    let group = LabelSelector::new().with_label("app", "web");
    let term = PodAffinityTerm::new(well_known::HOSTNAME, group);
    let web = pod("web").with_label("app", "web");
    let tied = web.clone().with_affinity(Affinity::new().with_required_pod_affinity(term));
    for (web, claimed) in [(web, true), (tied, false)] {
        let problem = types()
            .node_pool(NodePool::new("main").with_weight(1))
            .node_pool(NodePool::new("heavy").with_weight(2))
            .pod(web)
            .build()
            .unwrap();
        let one = template(&problem, "main", SMALL, [("cpu", "500m"), ("pods", "1")]);
        assert_eq!(verify(&problem, &plan(vec![launch(one, ["web"])])).is_err(), claimed);
    }
}
