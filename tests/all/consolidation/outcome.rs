//! What a plan leaves behind: the problem's document when all waves are done.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_string()
}

/// The document of the cluster that a plan's document leads to. Pods of daemon sets start on what
/// was launched.
pub(super) fn outcome(problem: &Value, plan: &Value) -> Value {
    let actions = list(plan, "actions");
    let deleted: BTreeSet<String> =
        actions.iter().flat_map(|action| list(action, "delete")).map(text).collect();
    let mut places: BTreeMap<String, String> = BTreeMap::new();
    let mut nodes: Vec<Value> = list(problem, "nodes").to_vec();
    nodes.retain(|node| !deleted.contains(node["name"].as_str().unwrap()));
    for action in actions {
        for binding in list(action, "bindings") {
            places.insert(text(&binding["pod"]), text(&binding["node"]));
        }
        for launch in list(action, "launches") {
            places
                .extend(list(launch, "pods").iter().map(|pod| (text(pod), text(&launch["name"]))));
            let number = usize::try_from(launch["template"].as_u64().unwrap()).unwrap();
            nodes.push(launched(problem, &launch["name"], &plan["templates"][number]));
        }
    }
    let mut pods: Vec<Value> = Vec::new();
    for pod in list(problem, "pods") {
        let mut pod = pod.clone();
        let was_on = pod["nodeName"].as_str().map(str::to_string);
        if let Some(node) = places.get(&format!("default/{}", pod["name"].as_str().unwrap())) {
            pod["nodeName"] = json!(node);
            if was_on.is_some()
                && let Some(requests) = pod.as_object_mut().unwrap().remove("recreatedRequests")
            {
                pod["requests"] = requests;
            }
        } else if was_on.is_some_and(|node| deleted.contains(&node)) {
            continue;
        }
        pods.push(pod);
    }
    let mut after = problem.clone();
    after["instanceTypes"] = types(problem, plan, &deleted);
    after["pods"] = json!(pods);
    after["nodes"] = json!(nodes);
    after
}

fn launched(problem: &Value, name: &Value, template: &Value) -> Value {
    let of_type = |ty: &&Value| ty["name"] == template["offering"]["instanceType"];
    let ty = list(problem, "instanceTypes").iter().find(of_type).unwrap();
    let cpu = ty["capacity"]["cpu"].as_u64().unwrap() * 1000
        - if ty["overhead"].is_null() { 0 } else { 100 };
    let mut node = json!({
        "name": name, "labels": template["labels"],
        "allocatable": {
            "cpu": format!("{cpu}m"), "memory": ty["capacity"]["memory"],
            "pods": ty["capacity"]["pods"],
        },
    });
    for (key, from) in [("taints", template), ("volumeLimits", ty)] {
        if !from[key].is_null() {
            node[key] = from[key].clone();
        }
    }
    node
}

/// The types, with what the only reservation holds then.
fn types(problem: &Value, plan: &Value, deleted: &BTreeSet<String>) -> Value {
    let given_back = list(problem, "nodes").iter().filter(|node| {
        node["labels"]["karpenter.sh/capacity-type"] == "reserved"
            && node["labels"]["node.kubernetes.io/instance-type"] != "retired"
            && deleted.contains(node["name"].as_str().unwrap())
    });
    let templates = list(plan, "templates");
    let launches = list(plan, "actions").iter().flat_map(|action| list(action, "launches"));
    let taken = launches.filter(|launch| {
        let number = usize::try_from(launch["template"].as_u64().unwrap()).unwrap();
        !templates[number]["offering"]["reservation"].is_null()
    });
    let (back, taken) = (given_back.count() as u64, taken.count() as u64);
    let mut types = problem["instanceTypes"].clone();
    for ty in types.as_array_mut().unwrap() {
        for offering in ty["offerings"].as_array_mut().unwrap() {
            if let Some(remaining) = offering["reservation"]["remaining"].as_u64() {
                offering["reservation"]["remaining"] = json!(remaining + back - taken);
            }
        }
    }
    types
}
