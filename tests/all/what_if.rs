//! The law of what-ifs: the plan of a what-if is that of the problem written out anew, byte for
//! byte, and the problem written out is the one that the document says with the same changes made
//! by hand.

use crate::random::{self, company, open_labels, scarce, tiny};
use plimsoll::model::CapacityType;
use plimsoll::{
    Effort, Limits, Node, Options, Pod, PreferencePolicy, Price, Problem, Quantity, Solver, WhatIf,
    provision, verify,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const INSTANCE_TYPE: &str = random::INSTANCE_TYPE;

/// Draws, one after another, from one number.
struct Draw(u64);

impl Draw {
    fn below(&mut self, most: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most.max(1)
    }

    fn of<'v>(&mut self, list: &'v [Value]) -> Option<&'v Value> {
        list.get(self.below(list.len()))
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn namespace(pod: &Value) -> &str {
    pod["namespace"].as_str().unwrap_or("default")
}

fn entries<'a>(document: &'a mut Value, key: &str) -> &'a mut Vec<Value> {
    if document[key].is_null() {
        document[key] = json!([]);
    }
    document[key].as_array_mut().unwrap()
}

/// The pod of a document, read by itself.
fn read_pod(pod: &Value) -> Pod {
    let node = pod["nodeName"].as_str();
    let nodes: Vec<Value> =
        node.map(|name| json!({ "name": name, "allocatable": {} })).into_iter().collect();
    let document = json!({ "pods": [pod], "instanceTypes": [], "nodePools": [], "nodes": nodes });
    Problem::from_json(&document.to_string()).unwrap().pods()[0].clone()
}

fn read_node(node: &Value) -> Node {
    let document = json!({ "pods": [], "instanceTypes": [], "nodePools": [], "nodes": [node] });
    Problem::from_json(&document.to_string()).unwrap().nodes()[0].clone()
}

/// Makes a random change in a what-if and in the document; `None` where there is nothing to change.
fn change(draw: &mut Draw, what_if: WhatIf, document: &mut Value) -> Option<WhatIf> {
    let before = document.clone();
    let kind = draw.below(12);
    let changed = match kind {
        0 | 1 => {
            let name = draw.of(list(&before, "nodes"))?["name"].clone();
            entries(document, "nodes").retain(|node| node["name"] != name);
            let pods = entries(document, "pods");
            pods.retain(|pod| {
                pod["nodeName"] != name || !matches!(text(pod, "ownerKind"), "DaemonSet" | "Node")
            });
            for pod in pods.iter_mut().filter(|pod| pod["nodeName"] == name) {
                let pod = pod.as_object_mut().unwrap();
                pod.remove("nodeName");
                if let Some(requests) = pod.remove("recreatedRequests") {
                    pod.insert("requests".into(), requests);
                }
            }
            what_if.without_node(name.as_str().unwrap())
        }
        2 => {
            let node = match draw.of(list(&before, "nodes")) {
                Some(node) => node.clone(),
                None => {
                    let kind = draw.of(list(&before, "instanceTypes"))?;
                    json!({ "labels": { INSTANCE_TYPE: kind["name"] }, "allocatable": kind["capacity"] })
                }
            };
            let mut node = node;
            node["name"] = json!(["a", "n9", "n0", "z"][draw.below(4)]);
            entries(document, "nodes").push(node.clone());
            what_if.with_node(read_node(&node))
        }
        3..6 => {
            let mut pod = draw.of(list(&before, "pods"))?.clone();
            pod["name"] = json!(["a9", "p0", "b9", "a0-1", "zz"][draw.below(5)]);
            pod["replicas"] = json!(1 + draw.below(2));
            match draw.of(list(&before, "nodes")) {
                Some(node) if draw.below(3) == 0 => {
                    pod["nodeName"] = node["name"].clone();
                    pod.as_object_mut().unwrap().remove("annotations");
                    if draw.below(2) == 0 {
                        pod["recreatedRequests"] = json!({ "cpu": "1100m" });
                    }
                    if draw.below(5) == 0 {
                        pod["ownerKind"] = json!("DaemonSet");
                    }
                }
                _ => {
                    pod.as_object_mut().unwrap().remove("nodeName");
                }
            }
            entries(document, "pods").push(pod.clone());
            what_if.with_pod(read_pod(&pod))
        }
        6 => {
            let pod = draw.of(list(&before, "pods"))?.clone();
            let called =
                |one: &Value| one["name"] == pod["name"] && namespace(one) == namespace(&pod);
            entries(document, "pods").retain(|one| !called(one));
            what_if.without_pod(namespace(&pod), text(&pod, "name"))
        }
        7 => {
            let pod = draw.of(list(&before, "pods"))?.clone();
            let called =
                |one: &Value| one["name"] == pod["name"] && namespace(one) == namespace(&pod);
            let replicas = 1 + draw.below(3);
            for one in entries(document, "pods").iter_mut().filter(|one| called(one)) {
                one["replicas"] = json!(replicas);
            }
            let replicas = u32::try_from(replicas).unwrap();
            what_if.with_replicas(namespace(&pod), text(&pod, "name"), replicas)
        }
        8 | 9 => {
            let types = list(&before, "instanceTypes").len();
            let at = draw.below(types);
            let name = text(&list(&before, "instanceTypes")[at], "name").to_owned();
            let offering = draw.of(list(&before["instanceTypes"][at], "offerings"))?.clone();
            let (zone, way) = (text(&offering, "zone"), text(&offering, "capacityType"));
            let price = ["0.01", "0.5", "3"][draw.below(3)];
            for one in document["instanceTypes"][at]["offerings"].as_array_mut().unwrap() {
                if text(one, "zone") == zone && text(one, "capacityType") == way {
                    match kind {
                        8 => one["available"] = json!(false),
                        _ => one["price"] = price.parse().unwrap(),
                    }
                }
            }
            let way = way.parse().unwrap();
            match kind {
                8 => what_if.without_offering(&name, zone, way),
                _ => what_if.with_price(&name, zone, way, price.parse::<Price>().unwrap()),
            }
        }
        10 => {
            let at = draw.below(list(&before, "nodePools").len());
            let name = text(&list(&before, "nodePools")[at], "name").to_owned();
            let (resource, most) = [("nodes", "1"), ("nodes", "3"), ("cpu", "8")][draw.below(3)];
            let pool = &mut document["nodePools"][at];
            if pool["limits"].is_null() {
                pool["limits"] = json!({});
            }
            if draw.below(3) == 0 {
                pool["limits"].as_object_mut().unwrap().remove(resource);
                what_if.without_limit(&name, resource)
            } else {
                pool["limits"][resource] = json!(most);
                what_if.with_limit(&name, resource, most.parse::<Quantity>().unwrap())
            }
        }
        _ => {
            let types = list(&before, "instanceTypes").iter();
            let mut offerings = types.flat_map(|kind| list(kind, "offerings"));
            let id = offerings.find_map(|one| one["reservation"]["id"].as_str())?.to_owned();
            let remaining = u32::try_from(draw.below(3)).unwrap();
            for kind in document["instanceTypes"].as_array_mut().unwrap() {
                for one in kind["offerings"].as_array_mut().unwrap() {
                    if one["reservation"]["id"] == json!(id) {
                        one["reservation"]["remaining"] = json!(remaining);
                    }
                }
            }
            what_if.with_reservation(&id, remaining)
        }
    };
    match changed {
        Ok(changed) => Some(changed),
        // What a what-if refuses is no valid problem.
        Err(error) => {
            assert!(error.is_invalid_input() && !error.findings().is_empty());
            assert!(Problem::from_json(&document.to_string()).is_err(), "{error}\n{document}");
            *document = before;
            None
        }
    }
}

/// Options that take the different ways through a solve.
fn options(draw: &mut Draw) -> Options {
    let mut options = Options::default();
    match draw.below(8) {
        0 => options.effort = Effort::FirstFit,
        1 => {
            let mut limits = Limits::default();
            (limits.rounds, limits.attempts) = (20, 5);
            options.effort = Effort::Refine(limits);
        }
        2 => options.preferences = PreferencePolicy::Ignore,
        3 => options.preferences = PreferencePolicy::Priced("0.01".parse().unwrap()),
        4 => options.objective.interruption = "1".parse().unwrap(),
        _ => {}
    }
    options
}

/// Makes changes, one on top of another, and holds the law after each.
fn hold(problem: &Value, seed: u64) -> Result<(), TestCaseError> {
    let fail = |what: String| TestCaseError::fail(what);
    let mut draw = Draw(seed);
    let mut document = problem.clone();
    let read = |document: &Value| {
        Problem::from_json(&document.to_string())
            .map_err(|error| fail(format!("{error}\n{document}")))
    };
    let given = read(&document)?;
    let solver = Solver::new(&given).map_err(|error| fail(error.to_string()))?;
    let mut what_if = solver.what_if();
    for _ in 0..1 + draw.below(4) {
        let Some(changed) = change(&mut draw, what_if.clone(), &mut document) else { continue };
        what_if = changed;
        let anew = read(&document)?;
        prop_assert_eq!(&what_if.problem(), &anew, "{}", document);
        let options = options(&mut draw);
        let fast = what_if.provision(&options).map_err(|error| fail(error.to_string()))?;
        let slow = provision(&anew, &options).map_err(|error| fail(error.to_string()))?;
        prop_assert_eq!(fast.to_json(), slow.to_json(), "{}\n{}", problem, document);
    }
    // The solver and its problem are as they were.
    prop_assert_eq!(solver.what_if().problem(), given);
    Ok(())
}

proptest! {
    #![proptest_config(random::config())]

    #[test]
    fn every_rule(problem in random::problem(), seed in any::<u64>()) {
        hold(&problem, seed)?;
    }

    #[test]
    fn rules_between_pods(problem in company::problem(), seed in any::<u64>()) {
        hold(&problem, seed)?;
    }

    #[test]
    fn open_labels(problem in open_labels::problem(), seed in any::<u64>()) {
        hold(&problem, seed)?;
    }

    #[test]
    fn what_is_scarce(problem in scarce::problem(12), seed in any::<u64>()) {
        hold(&problem, seed)?;
    }

    #[test]
    fn few_pods(problem in tiny::problem(), seed in any::<u64>()) {
        hold(&problem, seed)?;
    }
}

/// A small cluster: one node with a web pod, a pod of a daemon set and a static pod.
fn cluster() -> Problem {
    let document = json!({
        "pods": [
            { "name": "web", "nodeName": "a", "ownerKind": "ReplicaSet",
              "requests": { "cpu": "1" }, "recreatedRequests": { "cpu": "2" } },
            { "name": "agent", "nodeName": "a", "ownerKind": "DaemonSet" },
            { "name": "proxy", "nodeName": "a", "ownerKind": "Node" },
            { "name": "job", "replicas": 2, "requests": { "cpu": "1" } },
        ],
        "instanceTypes": [{
            "name": "m", "capacity": { "cpu": "4", "pods": 10 },
            "offerings": [{ "zone": "z", "capacityType": "on-demand", "price": 1 }],
        }],
        "nodePools": [{ "name": "default" }],
        "nodes": [{ "name": "a", "allocatable": { "cpu": "4", "pods": 10 } }],
    });
    Problem::from_json(&document.to_string()).unwrap()
}

#[test]
fn a_node_takes_its_own_pods_along_and_leaves_the_others_pending() {
    let what_if = Solver::new(&cluster()).unwrap().what_if().without_node("a").unwrap();
    let problem = what_if.problem();
    let pods: Vec<(&str, Option<&str>)> =
        problem.pods().iter().map(|pod| (pod.name(), pod.node_name())).collect();
    assert_eq!(pods, [("job", None), ("web", None)]);
    assert_eq!(problem.pods()[1].requests().get("cpu"), Some("2".parse().unwrap()));
    let plan = what_if.provision(&Options::default()).unwrap();
    assert_eq!(plan.launches().len(), 1);
}

#[test]
fn anti_affinity_is_a_rule_once_it_selects_a_pod() {
    let document = json!({
        "pods": [
            { "name": "aloof", "replicas": 3, "requests": { "cpu": "1" }, "affinity": {
                "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [{
                    "topologyKey": "topology.kubernetes.io/zone",
                    "labelSelector": { "matchLabels": { "app": "web" } } }] } } },
            { "name": "job", "replicas": 2, "requests": { "cpu": "3" } },
        ],
        "instanceTypes": [{
            "name": "m", "capacity": { "cpu": "4", "pods": 10 },
            "offerings": [
                { "zone": "y", "capacityType": "on-demand", "price": 1 },
                { "zone": "z", "capacityType": "on-demand", "price": 2 },
            ],
        }],
        "nodePools": [{ "name": "default" }],
        "nodes": [{ "name": "a", "allocatable": { "cpu": "1", "pods": 10 },
            "labels": { "topology.kubernetes.io/zone": "y" } }],
    });
    let given = Problem::from_json(&document.to_string()).unwrap();
    let what_if = || Solver::new(&given).unwrap().what_if();
    let web = || Pod::new("web").with_label("app", "web");
    let nobody = what_if();
    let pending = what_if().with_pod(web()).unwrap();
    let bound = what_if().with_pod(web().with_node_name("a")).unwrap();
    let again = bound.clone().without_pod("default", "web").unwrap();
    let plans = [&nobody, &pending, &bound, &again].map(|what_if| {
        let fast = what_if.provision(&Options::default()).unwrap();
        let anew = what_if.problem();
        assert_eq!(fast.to_json(), provision(&anew, &Options::default()).unwrap().to_json());
        let _verified = verify(&anew, &fast).unwrap();
        fast
    });
    let costs = plans.each_ref().map(|plan| plan.cost().total.to_string());
    // Two nodes hold all; where a web pod is in y the aloof ones need z.
    assert_eq!(costs, ["2", "4", "4", "2"]);
}

#[test]
fn what_is_unknown_or_invalid_is_refused_with_its_name() {
    let solver = Solver::new(&cluster()).unwrap();
    let what_if = || solver.what_if();
    let said = |result: Result<WhatIf, plimsoll::Error>| {
        let error = result.unwrap_err();
        assert!(error.is_invalid_input());
        error.findings()[0].to_string()
    };
    let cases = [
        (
            said(what_if().without_node("b")),
            "nodes: \"b\" isn't one of the problem; expected a name of nodes",
        ),
        (
            said(what_if().without_pod("default", "job-0")),
            "pods: \"default/job-0\" isn't one of the problem; expected a name of pods",
        ),
        (
            said(what_if().with_pod(Pod::new("job-1"))),
            "pods[default/job-1].name: \"job-1\" is the name of a replica of \"job\"; expected a name of its own",
        ),
        (
            said(what_if().with_pod(Pod::new("x").with_node_name("b"))),
            "pods[default/x].nodeName: \"b\" isn't a node of the problem; expected a name of nodes",
        ),
        (
            said(what_if().with_pod(Pod::new("web"))),
            "pods[default/web].name: \"web\" is taken already; expected a name of its own",
        ),
        (
            said(what_if().without_offering("m", "y", CapacityType::Spot)),
            "instanceTypes[m].offerings: \"y spot\" isn't one of the problem; expected a zone and a capacityType in which it is offered",
        ),
        (
            said(what_if().with_reservation("r", 1)),
            "instanceTypes.offerings.reservation: \"r\" isn't one of the problem; expected the id of a reservation",
        ),
        (
            said(what_if().with_replicas("default", "job", 0)),
            "pods[default/job].replicas: 0; expected 1 to 10000000",
        ),
        (
            said(what_if().with_limit("none", "cpu", Quantity::ZERO)),
            "nodePools: \"none\" isn't one of the problem; expected a name of nodePools",
        ),
    ];
    for (said, expected) in cases {
        assert_eq!(said, expected);
    }
}
