//! Certificates that prove a bound, and ones that don't.

use super::*;
use crate::model::{Affinity, LabelSelector, Node, PodAffinityTerm, Requirement};
use crate::plan::Certificate;
use crate::plan::certificate::{
    ConflictGroup, LimitPrice, NodeProof, OfferingProof, POINT, PlacementBound, PodValue,
    ReservationPrice, WorthProof,
};
use crate::verify::verify_placement_bound;

/// So many billionths, in a certificate's units.
pub(super) fn units(nanos: i128) -> i128 {
    nanos << POINT
}

pub(super) fn pods(entry: &str, count: u32, value: i128) -> PodValue {
    let entries = vec![format!("default/{entry}").into()];
    PodValue { entries, weight: Some(0), count, value, ..PodValue::default() }
}

pub(super) fn offerings(pool: &str, kind: &str, offerings: &[u32], proof: u32) -> OfferingProof {
    OfferingProof {
        node_pool: pool.into(),
        instance_type: kind.into(),
        offerings: offerings.to_vec(),
        proof,
    }
}

pub(super) fn priced(cpu: i128) -> WorthProof {
    WorthProof::Priced { resources: vec![cpu], groups: Vec::new() }
}

/// A plan with a lower bound and a certificate for it.
pub(super) fn claim(mut plan: LaunchPlan, bound: &str, certificate: Certificate) -> LaunchPlan {
    plan.cost.lower_bound = price(bound);
    plan.cost.proof =
        if plan.cost.lower_bound == plan.cost.total { Proof::Optimal } else { Proof::Within };
    plan.with_certificate(certificate)
}

/// A spot node's price for each of its millicores.
pub(super) const CPU: i128 = 20_000 << POINT;

/// What it is worth that every node of the market costs so much or more.
pub(super) fn by_cpu(pods: Vec<PodValue>) -> Certificate {
    Certificate {
        resources: vec!["cpu".into()],
        pods,
        offerings: vec![
            offerings("main", "small", &[0, 1, 2], 0),
            offerings("main", "large", &[0], 0),
        ],
        proofs: vec![priced(CPU)],
        ..Certificate::default()
    }
}

/// Eight pods on two spot nodes, 0.08 in all, and the proof that it can't be less.
pub(super) fn two() -> (Problem, LaunchPlan) {
    let problem = market().pod(pod("p").with_replicas(8)).build().unwrap();
    let one = || template(&problem, "main", SPOT, [("cpu", "2"), ("pods", "4")]);
    let launches = vec![
        launch(one(), ["p-0", "p-1", "p-2", "p-3"]),
        launch(one(), ["p-4", "p-5", "p-6", "p-7"]),
    ];
    let plan = claim(plan(launches), "0.08", by_cpu(vec![pods("p-*", 8, 500 * CPU)]));
    (problem, plan)
}

#[test]
fn a_bound_that_is_proved() {
    let (problem, plan) = two();
    assert_eq!(accepted(&problem, &plan).lower_bound(), price("0.08"));
}

#[test]
fn a_plan_without_a_certificate_proves_nothing() {
    let (problem, mut plan) = two();
    plan.certificate = None;
    assert_eq!(accepted(&problem, &plan).lower_bound(), Price::ZERO);
}

/// What is refused when the certificate of [`two`] is changed.
#[track_caller]
pub(super) fn spoilt<const N: usize>(
    spoil: impl FnOnce(&mut Certificate),
    expected: [Violation; N],
) {
    let (problem, mut plan) = two();
    spoil(Arc::make_mut(plan.certificate.as_mut().unwrap()));
    refused(&problem, &plan, expected);
}

fn worth(kind: &str, offering: usize, worth: i128, cost: i128) -> Violation {
    Violation::OfferingWorth {
        node_pool: "main".into(),
        instance_type: kind.into(),
        offering,
        worth,
        cost,
    }
}

#[test]
fn what_is_said_to_be_exhausted_is_tried_again() {
    let (problem, mut plan) = two();
    let exhausted = |certificate: &mut Certificate, most: &str| {
        certificate.exhausted = Some(price(most));
        certificate.pods[0].value = 0;
    };
    exhausted(Arc::make_mut(plan.certificate.as_mut().unwrap()), "0.08");
    assert_eq!(accepted(&problem, &plan).lower_bound(), price("0.08"));
    spoilt(
        |certificate| certificate.exhausted = Some(price("0.080000001")),
        [Violation::NotExhausted { stated: price("0.080000001"), found: price("0.08") }],
    );
}

#[test]
fn changed_certificates_are_refused() {
    let malformed = |part: &str| Violation::CertificateMalformed { part: part.into() };
    let proved = |nanos| Violation::LowerBoundUnproved {
        stated: price("0.08"),
        proved: Price::from_nanos(nanos),
    };
    // A little more for each pod: what four of them are worth isn't paid for any more.
    spoilt(
        |certificate| certificate.pods[0].value += 1,
        [worth("small", 2, units(40_000_000) + 4, units(40_000_000))],
    );
    // Less for each: the sum falls below the bound, and is rounded up to the next multiple of 0.02.
    spoilt(|certificate| certificate.pods[0].value /= 2, [proved(40_000_000)]);
    spoilt(|certificate| certificate.pods[0].value = -1, [malformed("pods[0].value")]);
    spoilt(
        |certificate| certificate.pods[0].count += 1,
        [Violation::CertificatePods { pods: 0, counted: 9, found: 8 }],
    );
    spoilt(|certificate| certificate.pods[0].count -= 4, [proved(40_000_000)]);
    spoilt(
        |certificate| certificate.pods.push(pods("p-*", 1, 0)),
        [Violation::CertificatePods { pods: 1, counted: 1, found: 0 }],
    );
    spoilt(
        |certificate| certificate.pods[0].weight = Some(1),
        [Violation::CertificatePods { pods: 0, counted: 8, found: 0 }],
    );
    spoilt(
        |certificate| certificate.pods[0].weight = None,
        [Violation::CertificatePods { pods: 0, counted: 8, found: 0 }],
    );
    spoilt(
        |certificate| certificate.pods[0].honours = vec![0],
        [Violation::CertificatePods { pods: 0, counted: 8, found: 0 }],
    );
    spoilt(
        |certificate| certificate.pods[0].entries = vec!["default/q".into()],
        [
            malformed("pods[0].entries"),
            Violation::CertificatePods { pods: 0, counted: 8, found: 0 },
        ],
    );
    spoilt(
        |certificate| certificate.node_fee = Price::from_nanos(1),
        [Violation::CertificateFee {
            stated: Price::from_nanos(1),
            fees: Price::ZERO,
            launches: 2,
        }],
    );
    // With another resource's prices nothing stands for the processors of a spot node.
    spoilt(
        |certificate| certificate.resources[0] = "gpu".into(),
        [worth("small", 2, units(80_000_000), units(40_000_000))],
    );
    spoilt(
        |certificate| certificate.proofs[0] = priced(CPU + 1),
        [worth("small", 2, units(40_000_000) + 2000, units(40_000_000))],
    );
}

#[test]
fn proofs_that_are_missing_or_malformed() {
    let malformed = |part: &str| Violation::CertificateMalformed { part: part.into() };
    let unproved = |kind: &str, offering| Violation::OfferingUnproved {
        node_pool: "main".into(),
        instance_type: kind.into(),
        offering,
    };
    spoilt(|one| _ = one.offerings.pop(), [unproved("large", 0)]);
    spoilt(|one| _ = one.offerings[0].offerings.remove(1), [unproved("small", 1)]);
    spoilt(|one| one.offerings[0].proof = 1, [malformed("offerings[0]")]);
    spoilt(|one| one.offerings[1].node_pool = "other".into(), [malformed("offerings[1]")]);
    spoilt(|one| one.offerings[0].offerings.push(0), [malformed("offerings[0].offerings")]);
    for proof in [
        WorthProof::Priced { resources: vec![CPU, 0], groups: Vec::new() },
        WorthProof::Priced { resources: vec![-1], groups: Vec::new() },
        WorthProof::Priced { resources: vec![CPU], groups: vec![0] },
        WorthProof::Full { resource: 1 },
        // A proof that refers to itself.
        WorthProof::Split { pod: 0, count: 1, fewer: 0, more: 0 },
    ] {
        spoilt(|one| one.proofs[0] = proof, [malformed("proofs[0]")]);
    }
    // Nothing is said of how many there are, so a node may well exist.
    let place = "main small".into();
    spoilt(
        |one| {
            one.proofs.push(WorthProof::Full { resource: 0 });
            one.offerings[0].proof = 1;
        },
        [Violation::WorthUnproved { place, proof: 1 }],
    );
    let group = ConflictGroup { pods: vec![(1, 1)], most: 1 };
    spoilt(|one| one.groups.push(group), [malformed("groups[0]")]);
    let limit = LimitPrice { node_pool: "main".into(), resource: "cpu".into(), price: 1 };
    spoilt(|one| one.limits.push(limit), [malformed("limits[0]")]);
    let reservation = ReservationPrice { id: "r".into(), price: 1 };
    spoilt(|one| one.reservations.push(reservation), [malformed("reservations[0]")]);
    let node = NodeProof { node: "n".into(), proof: 0 };
    spoilt(|one| one.nodes.push(node), [malformed("nodes[0]")]);
    // Numbers too large to count with.
    spoilt(
        |one| {
            one.pods[0].value = i128::MAX;
            one.proofs[0] = priced(i128::MAX);
        },
        [
            Violation::WorthUnproved { place: "main large".into(), proof: 0 },
            Violation::WorthUnproved { place: "main small".into(), proof: 0 },
        ],
    );
}

#[test]
fn many_proofs_that_refer_to_the_same_end() {
    let (problem, mut plan) = two();
    let certificate = Arc::make_mut(plan.certificate.as_mut().unwrap());
    // Each doubles the cases of the one before it.
    for at in 0..200 {
        certificate.proofs.push(WorthProof::Split {
            pod: 0,
            count: 1 + at % 4,
            fewer: at,
            more: at,
        });
    }
    certificate.proofs.push(WorthProof::Label {
        requirement: Requirement::new("team", crate::model::Operator::Exists, [""; 0]),
        meets: 200,
        fails: 200,
    });
    certificate.offerings[0].proof = 201;
    // Cases that contradict each other are left out, so this one is short.
    assert_eq!(accepted(&problem, &plan).lower_bound(), price("0.08"));
    // A deep one does no harm.
    let certificate = Arc::make_mut(plan.certificate.as_mut().unwrap());
    for at in 201..100_000 {
        certificate.proofs.push(WorthProof::Split { pod: 0, count: 9, fewer: at, more: 0 });
    }
    certificate.offerings[0].proof = 100_000;
    assert_eq!(accepted(&problem, &plan).lower_bound(), price("0.08"));
}

/// A pod of 1200 millicores: of a small node's 2000 it leaves what no other can use.
#[test]
fn cases_prove_more_than_prices() {
    let big = Pod::new("p").with_requests(amounts([("cpu", "1200m")])).with_replicas(2);
    let problem = market().pod(big).build().unwrap();
    let one = || template(&problem, "main", SPOT, [("cpu", "1200m"), ("pods", "1")]);
    let launches = vec![launch(one(), ["p-0"]), launch(one(), ["p-1"])];
    let each = units(40_000_000);
    let certificate = |proofs: Vec<WorthProof>, proof| Certificate {
        resources: vec!["cpu".into()],
        pods: vec![pods("p-*", 2, each)],
        offerings: vec![
            offerings("main", "small", &[0, 1, 2], proof),
            offerings("main", "large", &[0], proof),
        ],
        proofs,
        ..Certificate::default()
    };
    let full = WorthProof::Full { resource: 0 };
    let split = WorthProof::Split { pod: 0, count: 2, fewer: 0, more: 1 };
    let plan = plan(launches);
    // A large node holds two, so nothing is full there: another price does, since it costs more.
    let cases = certificate(vec![priced(0), full, split], 2);
    let large = Violation::WorthUnproved { place: "main large".into(), proof: 1 };
    refused(&problem, &claim(plan.clone(), "0.08", cases.clone()), [large]);
    let mut cases = cases;
    cases.offerings[1].proof = 0;
    assert_eq!(
        accepted(&problem, &claim(plan.clone(), "0.08", cases)).lower_bound(),
        price("0.08")
    );
    // That only one fits is seen without a case.
    let plain = certificate(vec![priced(0)], 0);
    assert_eq!(accepted(&problem, &claim(plan, "0.08", plain)).lower_bound(), price("0.08"));
}

/// Pods of 3 and of 5 cpu, one of each on a large node.
#[test]
fn one_resource_tried_in_all_amounts() {
    let of = |name: &str, cpu: &str| {
        Pod::new(name).with_requests(amounts([("cpu", cpu)])).with_replicas(2)
    };
    let problem = market().pod(of("p", "3")).pod(of("q", "5")).build().unwrap();
    let one = || template(&problem, "main", LARGE, [("cpu", "8"), ("pods", "2")]);
    let plan = plan(vec![launch(one(), ["p-0", "q-0"]), launch(one(), ["p-1", "q-1"])]);
    let certificate = |proof| Certificate {
        resources: vec!["cpu".into()],
        pods: vec![pods("p-*", 2, units(200_000_000)), pods("q-*", 2, units(300_000_000))],
        offerings: vec![offerings("main", "large", &[0], 0)],
        proofs: vec![proof],
        ..Certificate::default()
    };
    let proved = claim(plan.clone(), "1", certificate(WorthProof::Table { resource: 0 }));
    assert_eq!(accepted(&problem, &proved).lower_bound(), price("1"));
    let unproved = claim(plan, "1", certificate(priced(0)));
    refused(&problem, &unproved, [worth("large", 0, units(700_000_000), units(500_000_000))]);
}

/// Pods of two classes with a host port in common: a node for each.
pub(super) fn with_ports(port: u16) -> (Problem, LaunchPlan) {
    let on = |name: &str, port| pod(name).with_host_port(crate::model::HostPort::new(port));
    let problem = market().pod(on("p", 80)).pod(on("q", port)).build().unwrap();
    let one = || template(&problem, "main", SPOT, [("cpu", "500m"), ("pods", "1")]);
    let plan = plan(vec![launch(one(), ["p"]), launch(one(), ["q"])]);
    (problem, plan)
}

#[test]
fn pods_that_keep_each_other_off() {
    let each = units(40_000_000);
    let certificate = |groups: Vec<ConflictGroup>, proofs: Vec<WorthProof>, proof| Certificate {
        resources: vec!["cpu".into()],
        pods: vec![pods("p", 1, each), pods("q", 1, each)],
        groups,
        offerings: vec![
            offerings("main", "small", &[0, 1, 2], proof),
            offerings("main", "large", &[0], proof),
        ],
        proofs,
        ..Certificate::default()
    };
    let group = |most| ConflictGroup { pods: vec![(0, 1), (1, 1)], most };
    let by_group = |most| {
        let proof = WorthProof::Priced { resources: vec![0], groups: vec![each] };
        certificate(vec![group(most)], vec![proof], 0)
    };
    // Where one is, there is no room for the other.
    let by_presence = || {
        let split = WorthProof::Split { pod: 0, count: 1, fewer: 0, more: 0 };
        certificate(Vec::new(), vec![priced(0), split], 1)
    };
    let crowded = || {
        let split = |pod, more| WorthProof::Split { pod, count: 1, fewer: 0, more };
        let crowded = WorthProof::Crowded { group: 0 };
        certificate(vec![group(1)], vec![priced(0), crowded, split(1, 1), split(0, 2)], 3)
    };
    let (problem, plan) = with_ports(80);
    for certificate in [by_group(1), by_presence(), crowded()] {
        let plan = claim(plan.clone(), "0.08", certificate);
        assert_eq!(accepted(&problem, &plan).lower_bound(), price("0.08"));
    }
    // Both together are worth more than a spot node costs.
    let together = worth("small", 2, 2 * each, each);
    let plain = certificate(Vec::new(), vec![priced(0)], 0);
    refused(&problem, &claim(plan.clone(), "0.08", plain), [together.clone()]);
    refused(&problem, &claim(plan.clone(), "0.08", by_group(2)), [together]);
    let malformed = Violation::CertificateMalformed { part: "groups[0]".into() };
    refused(&problem, &claim(plan, "0.08", by_group(0)), [malformed]);
    // Other ports keep nobody off.
    let (problem, plan) = with_ports(81);
    let plan = claim(plan, "0.08", by_group(1));
    refused(&problem, &plan, [Violation::NotApart { pod: 0, other: 1 }]);
}

#[test]
fn pods_that_are_alone_of_their_class() {
    let alone = |selected: &str| {
        let selector = LabelSelector::new().with_label("app", selected);
        let term = PodAffinityTerm::new(well_known::HOSTNAME, selector);
        let affinity = Affinity::new().with_required_pod_anti_affinity(term);
        pod("p").with_replicas(2).with_label("app", "db").with_affinity(affinity)
    };
    for (selected, bound) in [("db", Some("0.08")), ("web", None)] {
        let problem = market().pod(alone(selected)).build().unwrap();
        let one = || template(&problem, "main", SPOT, [("cpu", "500m"), ("pods", "1")]);
        let launches = vec![launch(one(), ["p-0"]), launch(one(), ["p-1"])];
        let certificate = Certificate {
            resources: vec!["cpu".into()],
            proofs: vec![priced(0)],
            ..by_cpu(vec![pods("p-*", 2, units(40_000_000))])
        };
        let plan = claim(plan(launches), "0.08", certificate);
        match bound {
            Some(bound) => assert_eq!(accepted(&problem, &plan).lower_bound(), price(bound)),
            None => {
                let each = units(40_000_000);
                refused(&problem, &plan, [worth("small", 2, 2 * each, each)]);
            }
        }
    }
}

/// One of eight pods fits on a node that runs.
pub(super) fn with_node(cpu: &str) -> (Problem, LaunchPlan) {
    let node = Node::new("n", amounts([("cpu", cpu), ("pods", "10")]));
    let problem = market().pod(pod("p").with_replicas(9)).node(node).build().unwrap();
    let one = || template(&problem, "main", SPOT, [("cpu", "2"), ("pods", "4")]);
    let launches = vec![
        launch(one(), ["p-0", "p-1", "p-2", "p-3"]),
        launch(one(), ["p-4", "p-5", "p-6", "p-7"]),
    ];
    let mut plan = plan(launches);
    plan.bindings = bindings([("p-8", "n")]).bindings;
    (problem, plan)
}

#[test]
fn running_nodes_take_pods_for_nothing() {
    let bound = PodValue { weight: None, ..pods("p-*", 1, 500 * CPU) };
    let certificate = Certificate {
        nodes: vec![NodeProof { node: "n".into(), proof: 0 }],
        ..by_cpu(vec![pods("p-*", 8, 500 * CPU), bound])
    };
    let (problem, plan) = with_node("500m");
    let plan = claim(plan, "0.08", certificate.clone());
    assert_eq!(accepted(&problem, &plan).lower_bound(), price("0.08"));
    let mut without = plan.clone();
    Arc::make_mut(without.certificate.as_mut().unwrap()).nodes.clear();
    refused(&problem, &without, [Violation::NodeUnproved { node: "n".into() }]);
    // A node has one proof, and it is one of the certificate's.
    let malformed =
        |at: usize| Violation::CertificateMalformed { part: format!("nodes[{at}]").into() };
    let mut spoilt = plan.clone();
    Arc::make_mut(spoilt.certificate.as_mut().unwrap()).nodes[0].proof = 1;
    refused(&problem, &spoilt, [malformed(0)]);
    let mut spoilt = plan.clone();
    let nodes = &mut Arc::make_mut(spoilt.certificate.as_mut().unwrap()).nodes;
    nodes.push(nodes[0].clone());
    refused(&problem, &spoilt, [malformed(1)]);
    // Where more is free, less needs to be launched.
    let (problem, plan) = with_node("1");
    let proved = price("0.08");
    assert_eq!(accepted(&problem, &claim(plan, "0.08", certificate.clone())).lower_bound(), proved);
    let (problem, plan) = with_node("4500m");
    let (stated, proved) = (price("0.08"), Price::ZERO);
    let plan = claim(plan, "0.08", certificate);
    refused(&problem, &plan, [Violation::LowerBoundUnproved { stated, proved }]);
}

#[test]
fn pods_for_which_running_nodes_have_no_room() {
    // Eight are left, whichever: they are worth a spot node.
    let beyond = |count| PodValue {
        weight: Some(0),
        beyond_running: true,
        ..pods("p-*", count, units(40_000_000) / 8)
    };
    let certificate =
        |count| Certificate { proofs: vec![priced(0)], ..by_cpu(vec![beyond(count)]) };
    let (problem, plan) = with_node("500m");
    let plan = |count| claim(plan.clone(), "0.04", certificate(count));
    refused(&problem, &plan(8), [Violation::CertificatePods { pods: 0, counted: 8, found: 7 }]);
    let mut seven = plan(7);
    seven.cost.lower_bound = price("0.04");
    assert_eq!(accepted(&problem, &seven).lower_bound(), price("0.04"));
}

#[test]
fn limits_and_reservations_have_prices() {
    let problem = |nodes: &str| {
        let pool = NodePool::new("main").with_limits(amounts([("nodes", nodes)]));
        let parts = Problem::builder().instance_type(small()).instance_type(large());
        parts.node_pool(pool).pod(pod("p").with_replicas(8)).build().unwrap()
    };
    // Two nodes at most: each pod is worth an eighth of a large one, and a node's charge makes up
    // for it.
    let certificate = Certificate {
        limits: vec![LimitPrice {
            node_pool: "main".into(),
            resource: "nodes".into(),
            price: units(10_000_000),
        }],
        ..by_cpu(vec![pods("p-*", 8, 500 * (CPU + CPU / 4))])
    };
    let certificate = Certificate { proofs: vec![priced(CPU + CPU / 4)], ..certificate };
    let plan_of = |problem: &Problem| {
        let one = || template(problem, "main", SPOT, [("cpu", "2"), ("pods", "4")]);
        plan(vec![
            launch(one(), ["p-0", "p-1", "p-2", "p-3"]),
            launch(one(), ["p-4", "p-5", "p-6", "p-7"]),
        ])
    };
    let two = problem("2");
    let plan = claim(plan_of(&two), "0.08", certificate.clone());
    assert_eq!(accepted(&two, &plan).lower_bound(), price("0.08"));
    // What is limited is never paid for by being used.
    let mut negative = plan.clone();
    Arc::make_mut(negative.certificate.as_mut().unwrap()).limits[0].price = -1;
    let malformed = |part: &str| Violation::CertificateMalformed { part: part.into() };
    refused(&two, &negative, [malformed("limits[0]")]);
    let four = problem("4");
    let plan = claim(plan_of(&four), "0.08", certificate);
    let (stated, proved) = (price("0.08"), price("0.06"));
    refused(&four, &plan, [Violation::LowerBoundUnproved { stated, proved }]);
}

/// Nor does a reservation pay for being used up.
#[test]
fn a_reservation_has_no_negative_price() {
    let reserved = Offering::reserved("a", price("0.04")).with_reservation("r", 1);
    let problem = Problem::builder()
        .instance_type(small().with_offering(reserved))
        .instance_type(large())
        .node_pool(NodePool::new("main"))
        .pod(pod("p").with_replicas(8))
        .build()
        .unwrap();
    let one = || template(&problem, "main", SPOT, [("cpu", "2"), ("pods", "4")]);
    let launches = vec![
        launch(one(), ["p-0", "p-1", "p-2", "p-3"]),
        launch(one(), ["p-4", "p-5", "p-6", "p-7"]),
    ];
    let with = |price| {
        let mut certificate = by_cpu(vec![pods("p-*", 8, 500 * CPU)]);
        certificate.offerings[0].offerings.push(3);
        certificate.reservations = vec![ReservationPrice { id: "r".into(), price }];
        claim(plan(launches.clone()), "0.08", certificate)
    };
    assert_eq!(accepted(&problem, &with(0)).lower_bound(), price("0.08"));
    let malformed = Violation::CertificateMalformed { part: "reservations[0]".into() };
    refused(&problem, &with(-1), [malformed]);
}

#[test]
fn static_pools_launch_what_they_launch() {
    let fixed = NodePool::new("main").with_replicas(1);
    let problem = Problem::builder()
        .instance_type(small())
        .instance_type(large())
        .node_pool(fixed)
        .pod(pod("p").with_replicas(4))
        .build()
        .unwrap();
    let one = || template(&problem, "main", SPOT, [("cpu", "2"), ("pods", "4")]);
    let launches = vec![launch(one(), ["p-0", "p-1", "p-2", "p-3"])];
    let plan = claim(plan(launches), "0.04", Certificate::default());
    assert_eq!(accepted(&problem, &plan).lower_bound(), price("0.04"));
    // What the launch may hold is taken off.
    let mut counted = plan.clone();
    counted.certificate = Some(Arc::new(by_cpu(vec![pods("p-*", 4, 500 * CPU)])));
    assert_eq!(accepted(&problem, &counted).lower_bound(), price("0.04"));
}

#[test]
fn no_more_pods_are_placed_than_their_values_allow() {
    let limited = NodePool::new("main").with_limits(Resources::parse([("nodes", "2")]).unwrap());
    let problem = Problem::builder()
        .instance_type(small())
        .instance_type(large())
        .node_pool(limited)
        .pod(pod("p").with_replicas(50))
        .build()
        .unwrap();
    // A large node is charged for what 16 of them are worth, and a small one too.
    let pods = PodValue { weight: None, ..pods("p-*", 50, 500) };
    let limit = |price| LimitPrice { node_pool: "main".into(), resource: "nodes".into(), price };
    let dear = Certificate { limits: vec![limit(8_000)], ..by_cpu(vec![pods]) };
    let dear = Certificate { proofs: vec![priced(1)], ..dear };
    let claim = |most_placed, certificate| PlacementBound { most_placed, certificate };
    assert_eq!(verify_placement_bound(&problem, &claim(32, dear.clone())), Ok(32));
    assert_eq!(verify_placement_bound(&problem, &claim(50, dear.clone())), Ok(32));
    let lower = verify_placement_bound(&problem, &claim(31, dear.clone())).unwrap_err();
    let unproved = Violation::PlacementBoundUnproved { stated: 31, proved: 32 };
    assert_eq!(lower.iter().collect::<Vec<_>>(), [&unproved]);
    // Pods that are worth nothing could all be placed.
    let mut worthless = dear.clone();
    worthless.pods[0].value = 0;
    assert_eq!(verify_placement_bound(&problem, &claim(50, worthless)), Ok(50));
    // What is malformed is said, and nothing is concluded from it.
    let mut stray = dear.clone();
    stray.offerings[0].proof = 9;
    let found = verify_placement_bound(&problem, &claim(50, stray)).unwrap_err();
    let malformed = Violation::CertificateMalformed { part: "offerings[0]".into() };
    assert_eq!(found.iter().collect::<Vec<_>>(), [&malformed]);
    // The pods of a node are worth more than it is charged.
    let cheap = Certificate { limits: vec![limit(500)], ..dear };
    assert!(verify_placement_bound(&problem, &claim(50, cheap)).is_err());
}
