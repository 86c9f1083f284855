//! Pods on launches: what they want of their node and of each other.

use super::*;
use crate::model::{
    Affinity, HostPort, LabelSelector, NodeSelectorTerm, Operator, PodAffinityTerm, Protocol,
    Requirement, Toleration, Volume,
};

const HERE: PlanPlace = PlanPlace::Launch(0);
const ONE: [(&str, &str); 2] = [("cpu", "500m"), ("pods", "1")];
const TWO: [(&str, &str); 2] = [("cpu", "1"), ("pods", "2")];

fn p() -> Arc<str> {
    "default/p".into()
}

/// The plan of one node for the pod `p`, with an alternative.
fn alone<const N: usize>(
    problem: &Problem,
    kinds: &[(&str, &str, &str)],
    requests: [(&str, &str); N],
) -> LaunchPlan {
    let mut one = template(problem, "main", kinds[0], requests);
    one.alternatives = Arc::new(kinds.iter().map(|kind| choice(problem, *kind)).collect());
    plan(vec![launch(one, ["p"])])
}

fn with_pod(pod: Pod) -> Problem {
    market().pod(pod).build().unwrap()
}

/// The plan of one small node for `p` and `q`.
fn together(problem: &Problem) -> LaunchPlan {
    plan(vec![launch(template(problem, "main", SMALL, TWO), ["p", "q"])])
}

fn overfull(place: PlanPlace, resource: &str, requested: i128, allocatable: i128) -> Violation {
    Violation::Overfull { place, resource: resource.into(), requested, allocatable }
}

#[test]
fn overfull_choice_and_alternative() {
    let big = Pod::new("p").with_requests(amounts([("cpu", "2001m")]));
    let problem = with_pod(big);
    let requests = [("cpu", "2001m"), ("pods", "1")];
    let _verified = accepted(&problem, &alone(&problem, &[LARGE], requests));
    let plan = alone(&problem, &[SMALL], requests);
    refused(&problem, &plan, [overfull(HERE, "cpu", 2001, 2000)]);

    let card = Pod::new("p").with_requests(amounts([("gpu", "1")]));
    let gpu = InstanceType::new("gpu", amounts([("cpu", "1"), ("gpu", "1"), ("pods", "2")]))
        .with_label("family", "g")
        .with_offering(offering("a", "spot", "0.05"));
    let problem = market().instance_type(gpu).pod(card).build().unwrap();
    let kinds = [("gpu", "a", "spot"), SMALL, LARGE];
    let plan = alone(&problem, &kinds, [("gpu", "1"), ("pods", "1")]);
    refused(&problem, &plan, [overfull(at_alternative(1), "gpu", 1, 0)]);
}

#[test]
fn overfull_by_rounding_overhead_and_huge_pages() {
    // 2000m less 100.5m of overhead leave 1899m; 4 less 1 and a huge page of 2 leave 1.
    let instance_type = InstanceType::new(
        "odd",
        amounts([("cpu", "2"), ("memory", "4"), ("hugepages-2Mi", "2"), ("pods", "2")]),
    )
    .with_label("family", "o")
    .with_overhead(amounts([("cpu", "100500u"), ("memory", "1"), ("disk", "5")]))
    .with_offering(offering("a", "spot", "0.05"));
    for (cpu, memory, expected) in [
        ("1899m", "1", None),
        ("1898001u", "1", None),
        ("1899001u", "1", Some(("cpu", 1900, 1899))),
        ("1", "2", Some(("memory", 2, 1))),
    ] {
        let pod = Pod::new("p").with_requests(amounts([("cpu", cpu), ("memory", memory)]));
        let problem = market().instance_type(instance_type.clone()).pod(pod).build().unwrap();
        let millis = problem.pods[0].requests.get("cpu").unwrap().ceil(1000);
        let cpu = format!("{millis}m");
        let requests = [("cpu", &*cpu), ("memory", memory), ("pods", "1")];
        let plan = alone(&problem, &[("odd", "a", "spot")], requests);
        match expected {
            None => _ = accepted(&problem, &plan),
            Some((name, asked, there)) => {
                refused(&problem, &plan, [overfull(HERE, name, asked, there)]);
            }
        }
    }
}

#[test]
fn overfull_by_daemons() {
    let agent = Pod::new("agent").with_requests(amounts([("cpu", "1501m")]));
    let elsewhere = agent.clone().with_node_selector("family", "l");
    let parts = market().pod(pod("p"));
    let problem = parts.clone().daemon_set(elsewhere).build().unwrap();
    let _verified = accepted(&problem, &alone(&problem, &[SMALL], ONE));
    let problem = parts.daemon_set(agent).build().unwrap();
    let plan = alone(&problem, &[SMALL], [("cpu", "2001m"), ("pods", "2")]);
    refused(&problem, &plan, [overfull(HERE, "cpu", 2001, 2000)]);
}

#[test]
fn node_selector() {
    let problem =
        with_pod(pod("p").with_node_selector("failure-domain.beta.kubernetes.io/zone", "b"));
    let _verified = accepted(&problem, &alone(&problem, &[SMALL_B], ONE));
    let expected = |place| Violation::NodeSelector { pod: p(), place };
    refused(&problem, &alone(&problem, &[SMALL], ONE), [expected(HERE)]);
    let plan = alone(&problem, &[SPOT, SMALL, SMALL_B], ONE);
    refused(&problem, &plan, [expected(at_alternative(1))]);
}

#[test]
fn node_affinity() {
    let is = |key: &str, operator, values: &[&str]| {
        Requirement::new(key, operator, values.iter().copied())
    };
    let zone = well_known::ZONE;
    let hostname = well_known::HOSTNAME;
    let cases = [
        (
            vec![vec![is(zone, Operator::In, &["b"])], vec![is("family", Operator::In, &["s"])]],
            true,
        ),
        (vec![vec![is(zone, Operator::In, &["b"]), is("family", Operator::In, &["s"])]], false),
        (vec![vec![is("absent", Operator::Exists, &[])]], false),
        (vec![vec![is("absent", Operator::NotIn, &["x"])]], true),
        (vec![vec![is("absent", Operator::DoesNotExist, &[])]], true),
        (vec![vec![is("family", Operator::DoesNotExist, &[])]], false),
        (vec![vec![is("family", Operator::Gt, &["1"])]], false),
        (vec![vec![is("size", Operator::Gt, &["1"])]], true),
        (vec![vec![is("size", Operator::Gt, &["2"])]], false),
        (vec![vec![is("size", Operator::Lt, &["3"])]], true),
        (vec![vec![is(hostname, Operator::In, &["h"])]], false),
        (vec![vec![is(hostname, Operator::Exists, &[])]], true),
        // A term that says nothing matches nothing.
        (vec![vec![]], false),
        (vec![vec![], vec![is(zone, Operator::In, &["a"])]], true),
    ];
    for (terms, admitted) in cases {
        let affinity = terms.into_iter().fold(Affinity::new(), |affinity, term| {
            affinity.with_required_node_term(NodeSelectorTerm::new(term))
        });
        let instance_type = small().with_label("size", "2");
        let problem = Problem::builder()
            .instance_type(instance_type)
            .node_pool(NodePool::new("main"))
            .pod(pod("p").with_affinity(affinity))
            .build()
            .unwrap();
        let plan = alone(&problem, &[SMALL], ONE);
        if admitted {
            let _verified = accepted(&problem, &plan);
        } else {
            refused(&problem, &plan, [Violation::NodeAffinity { pod: p(), place: HERE }]);
        }
    }
}

#[test]
fn node_affinity_by_name() {
    for (operator, admitted) in [(Operator::In, false), (Operator::NotIn, true)] {
        let field = Requirement::new("metadata.name", operator, ["n"]);
        let term = NodeSelectorTerm::new([]).with_match_field(field);
        let affinity = Affinity::new().with_required_node_term(term);
        let problem = with_pod(pod("p").with_affinity(affinity));
        let plan = alone(&problem, &[SMALL], ONE);
        if admitted {
            let _verified = accepted(&problem, &plan);
        } else {
            refused(&problem, &plan, [Violation::NodeAffinity { pod: p(), place: HERE }]);
        }
    }
}

#[test]
fn untolerated() {
    let marked = Taint::new("k", "v", Effect::NoSchedule);
    let right = [
        Toleration::exists("k"),
        Toleration::exists(""),
        Toleration::equal("k", "v"),
        Toleration::equal("k", "v").with_effect(Effect::NoSchedule),
    ];
    let wrong = [
        Toleration::equal("k", "w"),
        Toleration::equal("l", "v"),
        Toleration::exists("k").with_effect(Effect::NoExecute),
    ];
    let problem = |toleration: &Toleration, pool: NodePool| {
        let parts = Problem::builder().instance_type(small()).node_pool(pool);
        parts.pod(pod("p").with_toleration(toleration.clone())).build().unwrap()
    };
    let pool = NodePool::new("main").with_taint(marked.clone());
    for toleration in &right {
        let problem = problem(toleration, pool.clone());
        let _verified = accepted(&problem, &alone(&problem, &[SMALL], ONE));
    }
    for toleration in &wrong {
        let problem = problem(toleration, pool.clone());
        let expected = Violation::Untolerated { pod: p(), place: HERE, taint: marked.clone() };
        refused(&problem, &alone(&problem, &[SMALL], ONE), [expected]);
    }
    let startup = NodePool::new("main").with_startup_taint(marked);
    let problem = problem(&wrong[0], startup);
    let _verified = accepted(&problem, &alone(&problem, &[SMALL], ONE));
}

#[test]
fn host_port() {
    let port = || HostPort::new(80);
    let cases = [
        (port(), port(), true),
        (port(), HostPort::new(81), false),
        (port(), port().with_protocol(Protocol::Udp), false),
        (port(), port().with_host_ip("10.0.0.1"), true),
        (port().with_host_ip("10.0.0.1"), port().with_host_ip("::"), true),
        (port().with_host_ip("10.0.0.1"), port().with_host_ip("10.0.0.1"), true),
        (port().with_host_ip("10.0.0.1"), port().with_host_ip("10.0.0.2"), false),
    ];
    for (one, other, clash) in cases {
        let problem = market()
            .pod(pod("p").with_host_port(one))
            .pod(pod("q").with_host_port(other))
            .build()
            .unwrap();
        if clash {
            let expected = Violation::HostPort {
                pod: "default/q".into(),
                other: p(),
                place: HERE,
                port: 80,
                protocol: Protocol::Tcp,
            };
            refused(&problem, &together(&problem), [expected]);
        } else {
            let _verified = accepted(&problem, &together(&problem));
        }
    }
}

#[test]
fn host_port_of_replicas_and_daemons() {
    let port = HostPort::new(80);
    let expected = |pod: &str, other: &str| Violation::HostPort {
        pod: pod.into(),
        other: other.into(),
        place: HERE,
        port: 80,
        protocol: Protocol::Tcp,
    };
    let web = pod("web").with_replicas(2).with_host_port(port.clone());
    let problem = market().pod(web).build().unwrap();
    let both = plan(vec![launch(template(&problem, "main", SMALL, TWO), ["web-0", "web-1"])]);
    refused(&problem, &both, [expected("default/web-0", "default/web-1")]);

    let agent = Pod::new("agent").with_namespace("system").with_host_port(port.clone());
    let problem = market().daemon_set(agent).pod(pod("p").with_host_port(port)).build().unwrap();
    let plan = alone(&problem, &[SMALL], [("cpu", "500m"), ("pods", "2")]);
    refused(&problem, &plan, [expected("default/p", "system/agent")]);
}

#[test]
fn volume_zone() {
    let problem = with_pod(pod("p").with_volume(Volume::new("disk", "v").with_zone("b")));
    let _verified = accepted(&problem, &alone(&problem, &[SMALL_B], ONE));
    let expected = |place| Violation::VolumeZone { pod: p(), place, volume: "v".into() };
    refused(&problem, &alone(&problem, &[SMALL], ONE), [expected(HERE)]);
    let plan = alone(&problem, &[SPOT, LARGE], ONE);
    refused(&problem, &plan, [expected(at_alternative(1))]);
}

fn apart(selector: LabelSelector) -> PodAffinityTerm {
    PodAffinityTerm::new(well_known::HOSTNAME, selector)
}

fn app(name: &str) -> LabelSelector {
    LabelSelector::new().with_label("app", name)
}

fn keeping_apart(pod: Pod, term: PodAffinityTerm) -> Pod {
    pod.with_affinity(Affinity::new().with_required_pod_anti_affinity(term))
}

fn forbidden(pod: &str, other: &str) -> Violation {
    let name = |name| format!("default/{name}").into();
    Violation::AntiAffinity { pod: name(pod), other: name(other), place: HERE }
}

#[test]
fn anti_affinity_in_both_directions() {
    for owner in ["p", "q"] {
        let other = if owner == "p" { "q" } else { "p" };
        let problem = market()
            .pod(keeping_apart(pod(owner), apart(app("x"))))
            .pod(pod(other).with_label("app", "x"))
            .build()
            .unwrap();
        refused(&problem, &together(&problem), [forbidden(owner, other)]);
    }
}

#[test]
fn anti_affinity_to_itself() {
    let web = keeping_apart(pod("web").with_label("app", "x").with_replicas(2), apart(app("x")));
    let problem = market().pod(web).build().unwrap();
    let both = plan(vec![launch(template(&problem, "main", SMALL, TWO), ["web-0", "web-1"])]);
    refused(&problem, &both, [forbidden("web-0", "web-1")]);
    let one = || template(&problem, "main", SMALL, ONE);
    let each = plan(vec![launch(one(), ["web-0"]), launch(one(), ["web-1"])]);
    let _verified = accepted(&problem, &each);
}

#[test]
fn anti_affinity_by_namespace_and_label_keys() {
    let no_selector = PodAffinityTerm { label_selector: None, ..apart(app("x")) };
    let elsewhere = PodAffinityTerm { namespaces: vec!["other".into()], ..apart(app("x")) };
    let everywhere =
        PodAffinityTerm { namespace_selector: Some(LabelSelector::new()), ..apart(app("x")) };
    let by_name = LabelSelector::new().with_label("kubernetes.io/metadata.name", "default");
    let by_name = PodAffinityTerm { namespace_selector: Some(by_name), ..apart(app("x")) };
    let keys = |key: &str| vec![Arc::from(key)];
    let same = |key| PodAffinityTerm { match_label_keys: keys(key), ..apart(app("x")) };
    let unlike = |key| PodAffinityTerm { mismatch_label_keys: keys(key), ..apart(app("x")) };
    let cases = [
        (apart(app("y")), false),
        (apart(LabelSelector::new()), true),
        (no_selector, false),
        (elsewhere, false),
        (everywhere, true),
        (by_name, true),
        (same("tier"), false),
        (unlike("tier"), true),
        (same("unit"), true),
        (unlike("unit"), false),
        (same("absent"), true),
        (unlike("absent"), true),
    ];
    for (term, forbids) in cases {
        let owner = pod("p").with_label("tier", "1").with_label("unit", "u");
        let other = pod("q").with_label("app", "x").with_label("tier", "2").with_label("unit", "u");
        let problem = market().pod(keeping_apart(owner, term.clone())).pod(other).build().unwrap();
        if forbids {
            refused(&problem, &together(&problem), [forbidden("p", "q")]);
        } else {
            let _verified = accepted(&problem, &together(&problem));
        }
    }
}

/// A daemon that runs on an alternative alone takes its ports there.
#[test]
fn host_port_of_a_daemon_of_an_alternative() {
    let port = || HostPort::new(80);
    let agent = Pod::new("agent").with_host_port(port());
    let problem = |family: &str| {
        let agent = agent.clone().with_node_selector("family", family);
        market().daemon_set(agent).pod(pod("p").with_host_port(port())).build().unwrap()
    };
    let either = |problem: &Problem| {
        let mut one = template(problem, "main", SMALL, [("cpu", "500m"), ("pods", "1")]);
        one.alternatives = Arc::new(vec![choice(problem, SMALL), choice(problem, LARGE)]);
        plan(vec![launch(one, ["p"])])
    };
    let nowhere = problem("none");
    let _verified = accepted(&nowhere, &either(&nowhere));
    let there = problem("l");
    let clash = Violation::HostPort {
        pod: p(),
        other: "default/agent".into(),
        place: at_alternative(1),
        port: 80,
        protocol: Protocol::Tcp,
    };
    refused(&there, &either(&there), [clash]);
}
