//! Bounds beside what static pools launch: these nodes are paid in any case, and pods may stand on
//! them.

use plimsoll::plan::Proof;
use plimsoll::{Effort, LaunchPlan, Limits, Options, Problem, provision, verify};
use serde_json::json;

/// Pods of which two of the larger, or one and two of the smaller, fill a node; with so many static
/// nodes.
fn problem(replicas: u32) -> Problem {
    let pod = |name: &str, cpu: &str, replicas: u32| json!({ "name": name, "replicas": replicas, "requests": { "cpu": cpu } });
    let kind = |name: &str, cpu: &str, price: f64| {
        let offering = json!({ "zone": "a", "capacityType": "on-demand", "price": price });
        json!({ "name": name, "capacity": { "cpu": cpu, "pods": "10" }, "offerings": [offering] })
    };
    let problem = json!({
        "pods": [pod("large", "4", 60), pod("small", "3", 20)],
        "instanceTypes": [kind("bought", "10", 0.2), kind("standing", "10", 0.3)],
        "nodePools": [
            { "name": "main", "instanceTypes": ["bought"] },
            { "name": "static", "instanceTypes": ["standing"], "replicas": replicas },
        ],
    });
    Problem::from_json(&problem.to_string()).unwrap()
}

fn planned(problem: &Problem, effort: Effort) -> LaunchPlan {
    let mut options = Options::default();
    options.effort = effort;
    provision(problem, &options).unwrap()
}

#[test]
fn a_refined_bound_holds_beside_static_pools() {
    // 10 nodes with a larger and two smaller ones, 25 with two larger ones.
    for replicas in [0, 1, 4, 30] {
        let problem = problem(replicas);
        let least = f64::from(35 - replicas) * 0.2 + f64::from(replicas) * 0.3;
        let refined = planned(&problem, Effort::Refine(Limits::default()));
        assert_eq!(refined.cost().lower_bound, format!("{least:.6}").parse().unwrap());
        assert_eq!(verify(&problem, &refined).unwrap().lower_bound(), refined.cost().lower_bound);
        // What is on static nodes stays as the packer put it.
        let is_optimal = refined.cost().proof == Proof::Optimal;
        assert!(is_optimal || replicas == 30, "{replicas} static nodes\n{refined}");
        // Prices of resources don't see how few fit.
        let greedy = planned(&problem, Effort::Greedy);
        assert!(greedy.cost().lower_bound < refined.cost().lower_bound, "{replicas} static nodes");
    }
}

#[test]
fn who_claims_more_is_found_out() {
    let problem = problem(4);
    let refined = planned(&problem, Effort::Refine(Limits::default()));
    let certificate = refined.certificate().unwrap();
    for at in 0..certificate.pods.len() {
        let mut dearer = certificate.clone();
        dearer.pods[at].value += dearer.pods[at].value / 1_000 + 1;
        assert!(verify(&problem, &refined.clone().with_certificate(dearer)).is_err());
    }
    // Nodes of the static pool without a proof could be worth anything.
    let mut unproved = certificate.clone();
    unproved.offerings.retain(|one| &*one.node_pool != "static");
    assert!(unproved.offerings.len() < certificate.offerings.len());
    assert!(verify(&problem, &refined.with_certificate(unproved)).is_err());
}
