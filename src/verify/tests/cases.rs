//! What proofs by cases must look at, and what exhaustive searches may claim.

use super::certificates::{
    CPU, by_cpu, claim, offerings, pods, priced, spoilt, two, units, with_node, with_ports,
};
use super::*;
use crate::model::{LabelSelector, Node, TopologySpreadConstraint, WhenUnsatisfiable};
use crate::plan::Certificate;
use crate::plan::certificate::{NodeProof, PodValue, WorthProof};

#[test]
fn each_of_two_cases_is_proved() {
    let split = |count, fewer, more| {
        move |one: &mut Certificate| {
            one.proofs.push(WorthProof::Full { resource: 0 });
            one.proofs.push(WorthProof::Split { pod: 0, count, fewer, more });
            one.offerings[0].proof = 2;
        }
    };
    // There may well be a node without any.
    let unproved = Violation::WorthUnproved { place: "main small".into(), proof: 1 };
    spoilt(split(1, 1, 0), [unproved]);
    // No small node holds eight.
    let (problem, mut plan) = two();
    split(8, 0, 1)(Arc::make_mut(plan.certificate.as_mut().unwrap()));
    assert_eq!(accepted(&problem, &plan).lower_bound(), price("0.08"));
}

/// What is found of a plan that says that everything was tried, and whose prices prove nothing.
fn exhausted(problem: &Problem, mut plan: LaunchPlan, bound: &str) -> Vec<Violation> {
    let values = plan.certificate.take().unwrap().pods.clone();
    let values = values.into_iter().map(|pods| PodValue { value: 0, ..pods }).collect();
    let certificate =
        Certificate { exhausted: Some(price(bound)), proofs: vec![priced(0)], ..by_cpu(values) };
    let found = verify(problem, &claim(plan, bound, certificate));
    found.err().map_or_else(Vec::new, |found| found.iter().cloned().collect())
}

fn unproved(stated: &str) -> Violation {
    Violation::LowerBoundUnproved { stated: price(stated), proved: Price::ZERO }
}

#[test]
fn few_pods_and_no_static_pool_can_be_tried_exhaustively() {
    let nodes = |count: usize| {
        let all = u32::try_from(4 * count).unwrap();
        let problem = market().pod(pod("p").with_replicas(all)).build().unwrap();
        let one = template(&problem, "main", SPOT, [("cpu", "2"), ("pods", "4")]);
        let (template, requests) = (Arc::new(one.template), Arc::new(one.requests));
        let launch = |at: usize| Launch {
            template: template.clone(),
            pods: (0..4).map(|pod| format!("default/p-{}", 4 * at + pod).into()).collect(),
            requests: requests.clone(),
        };
        let plan = plan((0..count).map(launch).collect());
        (problem, claim(plan, "0", by_cpu(vec![pods("p-*", all, 0)])))
    };
    let (problem, plan) = nodes(16);
    assert_eq!(exhausted(&problem, plan, "0.64"), []);
    let (problem, plan) = nodes(17);
    assert_eq!(exhausted(&problem, plan, "0.68"), [unproved("0.68")]);

    let (problem, plan) = two();
    assert_eq!(exhausted(&problem, plan.clone(), "0.08"), []);
    let with_static = problem.to_builder().node_pool(NodePool::new("fixed").with_replicas(0));
    assert_eq!(exhausted(&with_static.build().unwrap(), plan, "0.08"), [unproved("0.08")]);
}

#[test]
fn pods_that_must_be_apart_are_tried_apart() {
    let each = |port| {
        let (problem, plan) = with_ports(port);
        let plan = claim(plan, "0", by_cpu(vec![pods("p", 1, 0), pods("q", 1, 0)]));
        exhausted(&problem, plan, "0.08")
    };
    assert_eq!(each(80), []);
    // Without a port in common they would be cheaper together.
    let cheaper = Violation::NotExhausted { stated: price("0.08"), found: price("0.04") };
    assert_eq!(each(81), [cheaper, unproved("0.08")]);
}

/// A node has two of what a spread counts that doesn't count its own pods: none of them may go
/// there, and as many as fit may go to a fresh one.
#[test]
fn spreads_over_hosts_that_count_others_bar_nodes_that_have_too_many() {
    let selector = LabelSelector::new().with_label("app", "x");
    let when = WhenUnsatisfiable::DoNotSchedule;
    let spread =
        TopologySpreadConstraint::new(1, well_known::HOSTNAME, when).with_label_selector(selector);
    let node = Node::new("n", amounts([("cpu", "8"), ("pods", "10")]));
    let bound = pod("b").with_replicas(2).with_label("app", "x").with_node_name("n");
    let problem = market()
        .node(node)
        .pod(bound)
        .pod(pod("p").with_replicas(2).with_topology_spread_constraint(spread))
        .build()
        .unwrap();
    let one = template(&problem, "main", SPOT, [("cpu", "1"), ("pods", "2")]);
    let plan = plan(vec![launch(one, ["p-0", "p-1"])]);
    let plan = claim(plan, "0", by_cpu(vec![pods("p-*", 2, 0)]));
    assert_eq!(exhausted(&problem, plan, "0.04"), []);
}

/// Pods that have a node without taints to be avoided count nothing on one that has such a taint.
#[test]
fn pods_that_avoid_a_taint_are_worth_nothing_on_nodes_that_have_it() {
    let (problem, plan) = with_node("1");
    let problem = |avoid: bool| {
        let mut builder = problem.to_builder();
        if avoid {
            let taint = taint("soft", Effect::PreferNoSchedule);
            builder.nodes =
                builder.nodes.into_iter().map(|one| one.with_taint(taint.clone())).collect();
        }
        builder.build().unwrap()
    };
    let untainted = PodValue { untainted: true, ..pods("p-*", 8, 500 * CPU) };
    let bound = |untainted| PodValue { weight: None, untainted, ..pods("p-*", 1, 0) };
    let certificate = |avoid: bool| Certificate {
        nodes: vec![NodeProof { node: "n".into(), proof: 1 }],
        proofs: vec![priced(CPU), priced(0)],
        ..by_cpu(vec![untainted.clone(), bound(!avoid)])
    };
    let claimed = claim(plan.clone(), "0.08", certificate(true));
    assert_eq!(accepted(&problem(true), &claimed).lower_bound(), price("0.08"));
    // On any other it could be one of those whom the bound counts.
    let found = verify(&problem(false), &claim(plan, "0.08", certificate(false))).unwrap_err();
    assert!(
        matches!(found.iter().next(), Some(Violation::LowerBoundUnproved { .. })),
        "{found:#?}"
    );
}

/// What asks for nothing of the resource is there in any case, and counts once.
#[test]
fn pods_without_the_resource_count_once_beside_its_amounts() {
    let large = Pod::new("p").with_requests(amounts([("cpu", "5")])).with_replicas(2);
    let idle = Pod::new("q").with_requests(Resources::new()).with_replicas(2);
    let problem = Problem::builder()
        .instance_type(super::large())
        .node_pool(NodePool::new("main"))
        .pods([large, idle])
        .build()
        .unwrap();
    let one = |pods| template(&problem, "main", LARGE, [("cpu", "5"), ("pods", pods)]);
    let launches = vec![launch(one("3"), ["p-0", "q-0", "q-1"]), launch(one("1"), ["p-1"])];
    let certificate = |idle: i128| Certificate {
        resources: vec!["cpu".into()],
        pods: vec![pods("p-*", 2, units(500_000_000 - 2 * idle)), pods("q-*", 2, units(idle))],
        offerings: vec![offerings("main", "large", &[0], 0)],
        proofs: vec![WorthProof::Table { resource: 0 }],
        ..Certificate::default()
    };
    // A large node holds one large pod and both idle ones, for 0.5; two of them are bought.
    let proved = claim(plan(launches), "1", certificate(50_000_000));
    assert_eq!(accepted(&problem, &proved).lower_bound(), price("1"));
}

/// A node without room is a domain of a spread all the same, and holds its counts down.
#[test]
fn domains_of_running_nodes_count_where_all_is_tried() {
    let selector = LabelSelector::new().with_label("app", "x");
    let when = WhenUnsatisfiable::DoNotSchedule;
    let spread = TopologySpreadConstraint::new(2, well_known::ZONE, when);
    let web = Pod::new("p").with_requests(amounts([("cpu", "2")])).with_label("app", "x");
    let web = web.with_topology_spread_constraint(spread.with_label_selector(selector));
    let full = Node::new("n", Resources::new()).with_label(well_known::ZONE, "c");
    let found = |parts: ProblemBuilder| {
        let problem = parts.pod(web.clone().with_replicas(4)).build().unwrap();
        let on =
            |at, pod| launch(template(&problem, "main", at, [("cpu", "2"), ("pods", "1")]), [pod]);
        let (first, second) =
            ([on(SMALL, "p-0"), on(SMALL, "p-1")], [on(SPOT, "p-2"), on(SPOT, "p-3")]);
        let plan = plan([first, second].concat());
        exhausted(&problem, claim(plan, "0", by_cpu(vec![pods("p-*", 4, 0)])), "0.28")
    };
    assert_eq!(found(market().node(full)), []);
    // Without it a zone may have three where the other has one.
    let cheaper = Violation::NotExhausted { stated: price("0.28"), found: price("0.22") };
    assert_eq!(found(market()), [cheaper, unproved("0.28")]);
}

/// A proof by the values of a label says of each value once what holds there.
#[test]
fn a_value_that_two_proofs_speak_of_is_refused() {
    let values = |values: [&str; 2]| {
        let values = values.map(Into::into).into();
        move |one: &mut Certificate| {
            let (key, proofs) = (well_known::ZONE.into(), vec![0, 0]);
            one.proofs.push(WorthProof::Values { key, values, proofs, otherwise: 0 });
        }
    };
    let (problem, mut plan) = two();
    values(["a", "b"])(Arc::make_mut(plan.certificate.as_mut().unwrap()));
    let _verified = accepted(&problem, &plan);
    spoilt(values(["a", "a"]), [Violation::CertificateMalformed { part: "proofs[1]".into() }]);
}
