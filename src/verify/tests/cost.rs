//! Sums of prices, and what is claimed about them.

use super::*;

/// Two small nodes for two pods, 0.20 in all.
fn two() -> (Problem, LaunchPlan) {
    let problem = market().pod(pod("p").with_replicas(2)).build().unwrap();
    let one = || template(&problem, "main", SMALL, [("cpu", "500m"), ("pods", "1")]);
    let launches = vec![launch(one(), ["p-0"]), launch(one(), ["p-1"])];
    let plan = plan(launches);
    (problem, plan)
}

#[test]
fn fees_and_proofs_that_agree_are_accepted() {
    let (problem, mut plan) = two();
    plan.cost.fees = price("0.02");
    plan.cost.total = price("0.22");
    assert_eq!(accepted(&problem, &plan).total_cost(), price("0.22"));
    plan.cost.lower_bound = price("0.21");
    plan.cost.proof = Proof::Within;
    let _verified = accepted(&problem, &plan);
    plan.cost.lower_bound = price("0.22");
    plan.cost.proof = Proof::Optimal;
    let _verified = accepted(&problem, &plan);
}

#[test]
fn total_wrong() {
    let (problem, mut plan) = two();
    plan.cost.total = price("0.19");
    let (stated, expected) = (price("0.19"), price("0.20"));
    refused(&problem, &plan, [Violation::TotalWrong { stated, expected }]);
}

#[test]
fn fees_uneven() {
    for fees in [3, -2] {
        let (problem, mut plan) = two();
        let fees = Price::from_nanos(fees);
        plan.cost.fees = fees;
        plan.cost.total = Price::from_nanos(200_000_000 + fees.nanos());
        refused(&problem, &plan, [Violation::FeesUneven { fees, launches: 2 }]);
    }
}

#[test]
fn lower_bound_wrong() {
    for bound in [200_000_001, -1] {
        let (problem, mut plan) = two();
        let lower_bound = Price::from_nanos(bound);
        plan.cost.lower_bound = lower_bound;
        plan.cost.proof = Proof::Within;
        let total = plan.cost.total;
        refused(&problem, &plan, [Violation::LowerBoundWrong { lower_bound, total }]);
    }
}

#[test]
fn proof_wrong() {
    let cases = [
        ("0", Proof::Optimal, Proof::None),
        ("0", Proof::Within, Proof::None),
        ("0.1", Proof::None, Proof::Within),
        ("0.2", Proof::Within, Proof::Optimal),
    ];
    for (bound, stated, expected) in cases {
        let (problem, mut plan) = two();
        plan.cost.lower_bound = price(bound);
        plan.cost.proof = stated;
        refused(&problem, &plan, [Violation::ProofWrong { stated, expected }]);
    }
}
