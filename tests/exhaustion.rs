//! Small problems are solved to the end, and who claims more than that is found out.

#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panics")]

use plimsoll::plan::{Certificate, Proof};
use plimsoll::verify::Violation;
use plimsoll::{Effort, LaunchPlan, Limits, Options, Price, Problem, provision, verify};
use serde_json::{Value, json};

const ZONE: &str = "topology.kubernetes.io/zone";

/// One type, sold in a cheap zone and in a dear one, and these pods.
fn problem(pods: &Value) -> Problem {
    let offering = |zone: &str, price: f64| json!({ "zone": zone, "capacityType": "on-demand", "price": price });
    let problem = json!({
        "pods": pods,
        "instanceTypes": [{
            "name": "t",
            "capacity": { "cpu": "4", "memory": "16Gi", "pods": "10" },
            "offerings": [offering("cheap", 0.1), offering("dear", 0.3)],
        }],
        "nodePools": [{ "name": "main" }],
    });
    Problem::from_json(&problem.to_string()).unwrap()
}

fn refined(problem: &Problem) -> LaunchPlan {
    let mut options = Options::default();
    options.effort = Effort::Refine(Limits::default());
    provision(problem, &options).unwrap()
}

fn spread(name: &str, replicas: u32) -> Value {
    json!({
        "name": name,
        "replicas": replicas,
        "labels": { "app": name },
        "requests": { "cpu": "1", "memory": "1Gi" },
        "topologySpreadConstraints": [{
            "maxSkew": 1,
            "topologyKey": ZONE,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": { "matchLabels": { "app": name } },
        }],
    })
}

#[test]
fn a_spread_over_zones_is_in_the_bound() {
    let problem = problem(&json!([spread("web", 4)]));
    let plan = refined(&problem);
    let certificate = plan.certificate().unwrap();
    // Two pods in each zone. Resources alone say 0.1: all four fit one node.
    assert_eq!(plan.cost().total, "0.4".parse().unwrap());
    assert_eq!(certificate.exhausted, Some("0.4".parse().unwrap()));
    assert_eq!(plan.cost().proof, Proof::Optimal);
    assert_eq!(verify(&problem, &plan).unwrap().lower_bound(), "0.4".parse().unwrap());
    assert_eq!(&Certificate::from_json(&certificate.to_json()).unwrap(), certificate);
}

#[test]
fn a_billionth_more_is_refused() {
    let problem = problem(&json!([spread("web", 3), spread("db", 2)]));
    let plan = refined(&problem);
    let mut certificate = plan.certificate().unwrap().clone();
    let stated = Price::from_nanos(certificate.exhausted.unwrap().nanos() + 1);
    certificate.exhausted = Some(stated);
    let violations = verify(&problem, &plan.with_certificate(certificate)).unwrap_err();
    let is_found_out = |violation: &Violation| {
        matches!(violation, Violation::NotExhausted { stated: claim, found }
            if *claim == stated && found < claim)
    };
    assert!(violations.iter().any(is_found_out), "{violations}");
}

/// A pod that needs company which only a bound pod is can be where that one is and nowhere else; who
/// checks that knows it, whatever kind of pod it is that is bound.
#[test]
fn company_of_bound_pods_is_in_the_bound() {
    let pod = |name: &str, cpu: &str| json!({ "name": name, "labels": { "app": name }, "requests": { "cpu": cpu } });
    let (mut bound, mut guest, mut other) = (pod("web", "0"), pod("web", "100m"), pod("db", "3"));
    (bound["name"], bound["nodeName"]) = (json!("bound"), json!("running"));
    (guest["name"], other["replicas"]) = (json!("guest"), json!(2));
    let near = json!({
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": { "matchLabels": { "app": "web" } },
    });
    guest["affinity"] =
        json!({ "podAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [near] } });
    let problem = json!({
        "pods": [bound, guest, other],
        "instanceTypes": [{
            "name": "t",
            "capacity": { "cpu": "4", "memory": "16Gi", "pods": "10" },
            "offerings": [{ "zone": "a", "capacityType": "on-demand", "price": 0.1 }],
        }],
        "nodePools": [{ "name": "main" }],
        "nodes": [{ "name": "running", "allocatable": { "cpu": "3", "memory": "16Gi", "pods": "10" } }],
    });
    let problem = Problem::from_json(&problem.to_string()).unwrap();
    let plan = refined(&problem);
    // One of the two could be on the running node but for the guest.
    assert_eq!(plan.cost().total, "0.2".parse().unwrap());
    assert_eq!(plan.cost().proof, Proof::Optimal);
    assert_eq!(verify(&problem, &plan).unwrap().lower_bound(), "0.2".parse().unwrap());
}
