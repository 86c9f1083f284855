//! Lower bounds and their certificates.
//!
//! By cpu a launch gives 2000 millicores for 0.10 at best, so at 50,000 billionths a millicore each
//! pod is worth 0.025, and no node holds more than it costs.

use super::*;
use crate::plan::Certificate;
use crate::plan::certificate::{NodeProof, OfferingProof, POINT, PodValue, WorthProof};

/// A billionth.
const ONE: i128 = 1 << POINT;
/// The price of a millicore.
const CPU: i128 = 50_000 * ONE;

fn certificate() -> Certificate {
    let pods = |name: &str| PodValue {
        entries: vec![full(name)],
        count: 1,
        value: 500 * CPU,
        ..PodValue::default()
    };
    let offerings = |name: &str, offerings: &[u32]| OfferingProof {
        node_pool: "main".into(),
        instance_type: name.into(),
        offerings: offerings.to_vec(),
        proof: 0,
    };
    let node = |name: &str| NodeProof { node: name.into(), proof: 0 };
    Certificate {
        resources: vec!["cpu".into()],
        pods: ["one", "two", "big", "old", "kept"].map(pods).to_vec(),
        offerings: vec![offerings("large", &[0]), offerings("small", &[0, 1])],
        nodes: ["n1", "n2", "n3", "n5", "n6"].map(node).to_vec(),
        proofs: vec![WorthProof::Priced { resources: vec![CPU], groups: Vec::new() }],
        ..Certificate::default()
    }
}

/// As `certificate`, where a move costs 0.005 and a pod is worth as much more.
fn charged() -> Certificate {
    let mut charged = certificate();
    charged.move_price = 5_000_000 * ONE;
    charged.pods.iter_mut().for_each(|pods| pods.value += 5_000_000 * ONE);
    charged
}

fn certified(plan: &mut ConsolidationPlan, certificate: Certificate, bound: &str) {
    plan.certificate = Some(Arc::new(certificate));
    (plan.cost.lower_bound, plan.cost.lower_bound_for_moves) = (price(bound), price(bound));
}

/// What is found where a bound is stated that isn't proved.
fn unproved(path: &str, stated: &str, proved: &str) -> Violation {
    fault(path, Fault::BoundUnproved { stated: price(stated), proved: price(proved) })
}

#[test]
fn a_certificate_proves_its_bound_and_no_more() {
    accepted(|_, plan| certified(plan, certificate(), "0.125"));
    let (parts, mut plan) = (ClusterParts::new(), plan());
    certified(&mut plan, certificate(), "0.125");
    let verified = verify_consolidation(&parts.problem(), &plan, &parts.options).unwrap();
    assert_eq!(verified.lower_bound(), price("0.125"));
    assert_eq!(verified.lower_bound_for_moves(), price("0.125"));
    refused(
        |_, plan| certified(plan, certificate(), "0.126"),
        &[
            unproved("cost.lowerBound", "0.126", "0.125"),
            unproved("cost.lowerBoundForMoves", "0.126", "0.125"),
        ],
    );
}

/// 0.15 for the pods, less 0.005 for each of the three nodes that hold more than they cost, less
/// 0.005 for each of three moves.
#[test]
fn what_moves_cost_is_taken_off() {
    let stated = |plan: &mut ConsolidationPlan, bound: &str| {
        plan.certificate_for_moves = Some(Arc::new(charged()));
        plan.cost.lower_bound_for_moves = price(bound);
    };
    accepted(|_, plan| stated(plan, "0.12"));
    refused(
        |_, plan| stated(plan, "0.121"),
        &[unproved("cost.lowerBoundForMoves", "0.121", "0.12")],
    );
    // It says nothing of outcomes with any number of moves.
    refused(
        |_, plan| certified(plan, charged(), "0"),
        &[Violation::CertificateMalformed { part: "movePrice".into() }],
    );
}

/// A certificate speaks of pods whose nodes go. Where one leaves a node that stays, its node is
/// paid for in any case, and nothing is proved.
#[test]
fn moves_off_nodes_that_stay_are_beyond_a_certificate() {
    let make_room_within = |plan: &mut ConsolidationPlan, bound: &str| {
        make_room(plan);
        certified(plan, certificate(), bound);
    };
    accepted(|_, plan| make_room_within(plan, "0"));
    refused(
        |_, plan| make_room_within(plan, "0.125"),
        &[
            unproved("cost.lowerBound", "0.125", "0"),
            unproved("cost.lowerBoundForMoves", "0.125", "0"),
        ],
    );
}

/// Nodes that may not go cost what they cost, whatever a certificate says.
#[test]
fn what_must_stay_is_paid_for() {
    accepted(|parts, plan| {
        let node = parts.node("n6");
        *node = node.clone().with_do_not_disrupt(true);
        let mut certificate = certificate();
        certificate.pods.pop();
        // 0.1 for four pods and 0.1 for the node, less 0.075 for what it could take.
        certified(plan, certificate, "0.125");
    });
    refused(
        |parts, plan| {
            let node = parts.node("n6");
            *node = node.clone().with_do_not_disrupt(true);
            certified(plan, certificate(), "0.1");
        },
        // Its pod stays, so it is none that moves.
        &[
            Violation::CertificateMalformed { part: "pods[4].entries".into() },
            Violation::CertificatePods { pods: 4, counted: 1, found: 0 },
        ],
    );
}

#[test]
fn what_a_certificate_leaves_open_or_overstates_is_said() {
    let mutated = |change: fn(&mut Certificate), expected: &[Violation]| {
        refused(
            |_, plan| {
                let mut certificate = certificate();
                change(&mut certificate);
                certified(plan, certificate, "0");
            },
            expected,
        );
    };
    mutated(|one| one.nodes.truncate(4), &[Violation::NodeUnproved { node: "n6".into() }]);
    mutated(
        |one| one.offerings.truncate(1),
        &[0, 1].map(|offering| Violation::OfferingUnproved {
            node_pool: "main".into(),
            instance_type: "small".into(),
            offering,
        }),
    );
    mutated(
        |one| one.pods[0].value += 1,
        &[0, 1].map(|offering| Violation::OfferingWorth {
            node_pool: "main".into(),
            instance_type: "small".into(),
            offering,
            worth: 2000 * CPU + 1,
            cost: 2000 * CPU,
        }),
    );
    mutated(
        |one| one.pods[0].count = 2,
        &[Violation::CertificatePods { pods: 0, counted: 2, found: 1 }],
    );
    for (change, part) in [
        ((|one| one.pods[1].weight = Some(0)) as fn(&mut Certificate), "pods[1]"),
        (|one| one.pods[1].beyond_running = true, "pods[1]"),
        (|one| one.node_fee = price("0.1"), "nodeFee"),
        (|one| one.exhausted = Some(price("1")), "exhausted"),
    ] {
        let (parts, mut plan) = (ClusterParts::new(), plan());
        let mut certificate = certificate();
        change(&mut certificate);
        certified(&mut plan, certificate, "0");
        let malformed = Violation::CertificateMalformed { part: part.into() };
        assert!(found(&parts, &plan).contains(&malformed), "{part}");
    }
}

/// A document has no certificates, and nothing is said of bounds without.
#[test]
fn bounds_without_a_certificate_are_left_alone() {
    accepted(|_, plan| {
        (plan.cost.lower_bound, plan.cost.lower_bound_for_moves) = (price("0.4"), price("0.4"));
    });
}
