//! Small problems are enumerated for plans: most pods by priority, then the least cost.

use plimsoll::plan::Proof;
use plimsoll::{Effort, LaunchPlan, Limits, Options, Price, Problem, provision, verify};
use serde_json::{Value, json};

const HOST: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";

/// The refined plan of a problem, which must be legal and prove what it states.
fn refined(problem: &Value) -> LaunchPlan {
    let problem = Problem::from_json(&problem.to_string()).unwrap();
    let mut options = Options::default();
    options.effort = Effort::Refine(Limits::default());
    let plan = provision(&problem, &options).unwrap();
    let verified = verify(&problem, &plan).unwrap();
    assert!(verified.lower_bound() >= plan.cost().lower_bound);
    plan
}

fn out(plan: &LaunchPlan) -> Vec<&str> {
    plan.unschedulable().iter().map(|one| &*one.pod).collect()
}

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

/// A type of four CPUs that costs so many dollars in each of these zones.
fn machine(prices: &[(&str, f64)]) -> Value {
    let offerings: Vec<Value> = prices
        .iter()
        .map(|(zone, price)| json!({ "zone": zone, "capacityType": "on-demand", "price": price }))
        .collect();
    json!({
        "name": "four", "capacity": { "cpu": 4, "memory": "16Gi", "pods": 20 }, "offerings": offerings,
    })
}

fn pods(name: &str, replicas: u32, cpu: &str) -> Value {
    json!({
        "name": name, "replicas": replicas, "labels": { "app": name }, "requests": { "cpu": cpu },
    })
}

/// A node without room, so that its zone stands.
fn full(zone: &str) -> Value {
    json!({ "name": "full", "labels": { ZONE: zone }, "allocatable": { "cpu": 0, "pods": 0 } })
}

fn spread(key: &str, app: &str) -> Value {
    json!([{
        "maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": { "matchLabels": { "app": app } },
    }])
}

fn apart(key: &str, app: &str) -> Value {
    json!({ "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [{
        "topologyKey": key, "labelSelector": { "matchLabels": { "app": app } },
    }] } })
}

/// The nodes that a limit allows hold more than one each of a spread over nodes: no emptier node
/// can come.
#[test]
fn a_spread_over_nodes_fills_the_nodes_that_a_limit_allows() {
    let mut web = pods("web", 6, "1");
    web["topologySpreadConstraints"] = spread(HOST, "web");
    let plan = refined(&json!({
        "pods": [web],
        "instanceTypes": [machine(&[("a", 0.2)])],
        "nodePools": [{ "name": "main", "limits": { "nodes": 2 } }],
    }));
    assert_eq!(plan.unschedulable().len(), 0);
    assert_eq!(plan.cost().total, price("0.4"));
}

/// A limit of three nodes: the pods tied to one zone and those spread over all share it.
#[test]
fn classes_that_share_a_limit_are_decided_together() {
    let (mut web, mut db) = (pods("web", 3, "3"), pods("db", 1, "3"));
    web["topologySpreadConstraints"] = spread(ZONE, "web");
    db["nodeSelector"] = json!({ ZONE: "a" });
    db["priority"] = json!(10);
    let plan = refined(&json!({
        "pods": [web, db],
        "instanceTypes": [machine(&[("a", 0.2), ("b", 0.3)])],
        "nodePools": [{ "name": "main", "limits": { "nodes": 3 } }],
        "nodes": [full("b")],
    }));
    assert_eq!(out(&plan).len(), 1);
    assert!(out(&plan).iter().all(|pod| pod.starts_with("default/web")), "{:?}", out(&plan));
    assert_eq!(plan.cost().total, price("0.7"));
}

/// Two pods of little priority give way to one of more.
#[test]
fn priority_comes_before_numbers() {
    let (mut one, many) = (pods("one", 1, "4"), pods("many", 2, "2"));
    one["priority"] = json!(5);
    let plan = refined(&json!({
        "pods": [one, many],
        "instanceTypes": [machine(&[("a", 0.2)])],
        "nodePools": [{ "name": "main", "limits": { "cpu": 4 } }],
    }));
    assert_eq!(out(&plan), ["default/many-0", "default/many-1"]);
}

/// Of two sets of as many pods the cheaper one is placed.
#[test]
fn as_many_pods_are_placed_as_cheaply_as_can_be() {
    let (mut here, mut there) = (pods("here", 1, "3"), pods("there", 1, "3"));
    here["nodeSelector"] = json!({ ZONE: "a" });
    there["nodeSelector"] = json!({ ZONE: "b" });
    let plan = refined(&json!({
        "pods": [here, there],
        "instanceTypes": [machine(&[("a", 0.3), ("b", 0.2)])],
        "nodePools": [{ "name": "main", "limits": { "nodes": 1 } }],
    }));
    assert_eq!(out(&plan), ["default/here"]);
    assert_eq!(plan.cost().total, price("0.2"));
}

/// One that may be the first of its kind in a domain comes before those that keep it out later: on
/// one node together, as there is an order of binding.
#[test]
fn pods_share_a_node_where_some_order_lets_them() {
    let (mut picky, mut calm) = (pods("picky", 1, "1"), pods("calm", 2, "1"));
    picky["topologySpreadConstraints"] = spread(HOST, "calm");
    picky["topologySpreadConstraints"][0]["labelSelector"] = json!({});
    calm["affinity"] = json!({ "podAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [{
        "topologyKey": HOST, "labelSelector": { "matchLabels": { "app": "picky" } },
    }] } });
    let plan = refined(&json!({
        "pods": [picky, calm],
        "instanceTypes": [machine(&[("a", 0.2)])],
        "nodePools": [{ "name": "main" }],
    }));
    assert_eq!(plan.unschedulable().len(), 0);
    assert_eq!(plan.cost().total, price("0.2"));
}

/// The nodes of a static pool go to the zones in which pods need them.
#[test]
fn a_static_pool_is_where_its_pods_can_be() {
    let (mut here, mut there) = (pods("here", 2, "2"), pods("there", 2, "2"));
    here["nodeSelector"] = json!({ ZONE: "a" });
    there["nodeSelector"] = json!({ ZONE: "b" });
    let plan = refined(&json!({
        "pods": [here, there],
        "instanceTypes": [machine(&[("a", 0.2), ("b", 0.25)])],
        "nodePools": [{ "name": "standing", "replicas": 2 }],
    }));
    assert_eq!(plan.unschedulable().len(), 0);
    assert_eq!(plan.cost().total, price("0.45"));
}

/// All three fit on one node, but there is no order for that: the cheapest that has one takes two.
#[test]
fn a_cheaper_division_without_an_order_of_binding_is_passed_over() {
    let (mut even, mut picky) = (pods("even", 2, "500m"), pods("picky", 1, "500m"));
    let all = |key: &str, skew: u32| {
        let mut spread = spread(key, "");
        (spread[0]["labelSelector"], spread[0]["maxSkew"]) = (json!({}), json!(skew));
        spread
    };
    even["topologySpreadConstraints"] = all(ZONE, 2);
    picky["topologySpreadConstraints"] = all(HOST, 1);
    let plan = refined(&json!({
        "pods": [even, picky],
        "instanceTypes": [machine(&[("a", 0.2), ("b", 0.9)])],
        "nodePools": [{ "name": "main" }],
        "nodes": [full("b")],
    }));
    assert_eq!(plan.unschedulable().len(), 0);
    assert_eq!(plan.cost().total, price("0.4"));
}

/// Anti-affinity over zones: the plan costs what is proved to be the least.
#[test]
fn what_is_proved_is_what_the_plan_costs() {
    let (mut one, two) = (pods("one", 1, "500m"), pods("two", 3, "1"));
    one["affinity"] = apart(ZONE, "two");
    let plan = refined(&json!({
        "pods": [one, two],
        "instanceTypes": [machine(&[("a", 0.2), ("b", 0.3)])],
        "nodePools": [{ "name": "main" }],
    }));
    assert_eq!(plan.cost().total, price("0.5"));
    assert_eq!(plan.cost().proof, Proof::Optimal);
}
