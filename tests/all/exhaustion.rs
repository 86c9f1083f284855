//! Small problems are solved to the end, and who claims more than that is found out.

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

/// A pod that needs company which only a bound pod is can be where that one is and nowhere else;
/// who checks that knows it, whatever kind of pod it is that is bound.
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

/// The problem with this document, and what refinement proves of it.
fn proved(problem: &Value) -> (LaunchPlan, Price) {
    let problem = Problem::from_json(&problem.to_string()).unwrap();
    let plan = refined(&problem);
    let bound =
        verify(&problem, &plan).unwrap_or_else(|found| panic!("{found}\n{plan}")).lower_bound();
    (plan, bound)
}

/// What a running node can't attach has to go to a launch, and who checks that knows it.
#[test]
fn volume_limits_are_in_the_bound() {
    let pod = |name: &str, volumes: &[&str]| {
        let volumes: Vec<Value> =
            volumes.iter().map(|id| json!({ "driver": "disk", "id": id })).collect();
        json!({ "name": name, "requests": { "cpu": "1" }, "volumes": volumes })
    };
    let mut bound = pod("bound", &["one", "two"]);
    bound["nodeName"] = json!("running");
    let document = |limit: u32, own: [&Value; 2]| {
        json!({
            "pods": [bound, own[0], own[1]],
            "instanceTypes": [{
                "name": "t",
                "capacity": { "cpu": "1", "pods": "10" },
                "offerings": [{ "zone": "a", "capacityType": "on-demand", "price": 0.1 }],
            }],
            "nodePools": [{ "name": "main" }],
            "nodes": [{
                "name": "running",
                "allocatable": { "cpu": "8", "pods": "10" },
                "volumeLimits": { "disk": limit },
            }],
        })
    };
    let (single, double, shared) =
        (pod("single", &["three"]), pod("double", &["four", "five"]), pod("shared", &["one"]));
    let least = |limit: u32, own: [&Value; 2]| {
        let (plan, bound) = proved(&document(limit, own));
        assert_eq!(plan.cost().total, bound, "{plan}");
        assert_eq!(
            plan.cost().proof,
            if bound == Price::ZERO { Proof::None } else { Proof::Optimal }
        );
        bound
    };
    let cost = |price: &str| price.parse::<Price>().unwrap();
    assert_eq!(least(2, [&single, &double]), cost("0.2"));
    assert_eq!(least(3, [&single, &double]), cost("0.1"));
    assert_eq!(least(4, [&single, &double]), cost("0.1"));
    // Neither takes a place of its own: one is attached already.
    assert_eq!(least(2, [&single, &shared]), cost("0.1"));
}

/// Bound pods use up what a spread over hosts allows, and leave the host ports to others.
#[test]
fn ports_beside_a_spread_over_hosts_are_in_the_bound() {
    let bound = |name: &str, node: &str| json!({ "name": name, "labels": { "app": "web" }, "nodeName": node });
    let mut web = spread("web", 3);
    web["topologySpreadConstraints"][0]["topologyKey"] = json!("kubernetes.io/hostname");
    web["hostPorts"] = json!([{ "port": 8080 }]);
    let node = |name: &str| json!({ "name": name, "allocatable": { "cpu": "4", "memory": "8Gi", "pods": "9" } });
    let document = |skew: u32| {
        let mut web = web.clone();
        web["topologySpreadConstraints"][0]["maxSkew"] = json!(skew);
        json!({
            "pods": [bound("first", "left"), bound("second", "right"), web],
            "instanceTypes": [{
                "name": "t",
                "capacity": { "cpu": "4", "memory": "16Gi", "pods": "10" },
                "offerings": [{ "zone": "a", "capacityType": "on-demand", "price": 0.1 }],
            }],
            "nodePools": [{ "name": "main" }],
            "nodes": [node("left"), node("right")],
        })
    };
    // With a skew of 2 each running node has room for one.
    for (skew, least) in [(1, "0.3"), (2, "0.1")] {
        let (plan, bound) = proved(&document(skew));
        assert_eq!((plan.cost().total, bound), (least.parse().unwrap(), least.parse().unwrap()));
        assert_eq!(plan.cost().proof, Proof::Optimal, "{plan}");
    }
}

/// Several ranges over one label: no integer between 3 and 5 is left beside 4, and who checks
/// agrees.
#[test]
fn several_ranges_over_one_label_are_in_the_bound() {
    let pod = |name: &str, operator: &str, value: &str| {
        let term = json!({ "matchExpressions": [{ "key": "size", "operator": operator, "values": [value] }] });
        json!({
            "name": name,
            "requests": { "cpu": "1" },
            "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution":
                { "nodeSelectorTerms": [term] } } },
        })
    };
    let document = |least: &str, most: &str, not: [&str; 2]| {
        json!({
            "pods": [pod("above", "Gt", least), pod("below", "Lt", most),
                pod("beside", "NotIn", not[0]), pod("next", "NotIn", not[1])],
            "instanceTypes": [{
                "name": "t",
                "capacity": { "cpu": "4", "pods": "10" },
                "offerings": [{ "zone": "a", "capacityType": "on-demand", "price": 0.2 }],
            }],
            "nodePools": [{ "name": "main", "requirements": [{ "key": "size", "operator": "Exists" }] }],
        })
    };
    for (ranges, least) in [
        (("3", "5", ["4", "4"]), "0.4"),
        (("3", "6", ["4", "5"]), "0.4"),
        // 6 is neither named nor beside a bound.
        (("3", "9", ["5", "7"]), "0.2"),
        (("4", "4", ["3", "5"]), "0.4"),
    ] {
        let (plan, bound) = proved(&document(ranges.0, ranges.1, ranges.2));
        assert_eq!((plan.cost().total, bound), (least.parse().unwrap(), least.parse().unwrap()));
        assert_eq!(plan.cost().proof, Proof::Optimal, "{ranges:?}: {plan}");
    }
}
