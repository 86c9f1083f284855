//! Every kind of fault, and the path at which it is reported.

use super::{set, valid};
use plimsoll::{Pod, Problem};
use serde_json::{Value, json};

/// The faults of the valid document with one change, as "path: problem; expected …".
fn faults(path: &str, value: Value) -> Vec<(String, String)> {
    let mut document = valid();
    set(&mut document, path, value);
    findings(&document.to_string())
}

fn findings(text: &str) -> Vec<(String, String)> {
    match Problem::from_json(text) {
        Ok(_) => Vec::new(),
        Err(error) => {
            assert!(error.is_invalid_input());
            error.findings().iter().map(|f| (f.path.clone(), f.to_string())).collect()
        }
    }
}

/// Asserts that a change of the valid document is exactly one fault, at this path.
#[track_caller]
fn refused(path: &str, value: Value, at: &str) {
    let found = faults(path, value);
    let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, [at], "{found:#?}");
}

#[track_caller]
fn refused_here(path: &str, value: Value) {
    refused(path, value, path);
}

#[track_caller]
fn accepted(path: &str, value: Value) {
    assert_eq!(faults(path, value), []);
}

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

#[test]
fn null_is_absent() {
    accepted("pods[0].affinity", Value::Null);
    accepted("pods[0].tolerations", Value::Null);
    refused_here("pods[0].name", Value::Null);
}

#[test]
fn wrong_kinds_are_refused() {
    for (path, value) in [
        ("pods", json!({})),
        ("pods[0]", json!(3)),
        ("pods[0].name", json!(3)),
        ("pods[0].replicas", json!("3")),
        ("pods[0].replicas", json!(1.5)),
        ("pods[0].replicas", json!(-1)),
        ("pods[0].replicas", json!(0)),
        ("pods[0].replicas", json!(10_000_001)),
        ("pods[0].labels", json!([])),
        ("pods[0].labels[app]", json!(3)),
        ("pods[0].requests[cpu]", json!("a lot")),
        ("pods[0].requests[cpu]", json!("-1")),
        ("pods[0].requests[cpu]", json!(true)),
        ("pods[0].affinity", json!("web")),
        ("pods[0].tolerations[0].effect", json!("NoRun")),
        ("pods[0].tolerations[0].operator", json!("exists")),
        ("pods[0].tolerations", json!({})),
        ("pods[0].topologySpreadConstraints[0].whenUnsatisfiable", json!("Never")),
        ("pods[0].topologySpreadConstraints[0].maxSkew", json!("1")),
        ("pods[0].hostPorts[0].port", json!(65536)),
        ("pods[0].priority", json!(2_147_483_648_u32)),
        ("pods[0].doNotDisrupt", json!("yes")),
        ("instanceTypes[0].offerings[0].price", json!("free")),
        ("instanceTypes[0].offerings[0].price", json!(-0.1)),
        ("instanceTypes[0].offerings[0].price", json!(100_000.1)),
        ("instanceTypes[0].offerings[0].price", json!(1e300)),
        ("instanceTypes[0].offerings[0].available", json!(1)),
        ("instanceTypes[0].offerings[1].interruptionRate", json!(-1)),
        ("instanceTypes[0].offerings[1].reservation.remaining", json!(-1)),
        ("nodePools[0].requirements[0].operator", json!("Has")),
        ("nodePools[0].disruption.consolidationPolicy", json!("Always")),
        ("nodePools[0].terminationGracePeriod", json!("Never")),
        ("nodePools[0].expireAfter", json!("30 days")),
        ("nodes[0].lifetimeRemaining", json!(1.1)),
        ("nodes[0].lifetimeRemaining", json!("1")),
        ("nodes[0].volumeLimits[ebs]", json!(-1)),
    ] {
        refused_here(path, value);
    }
}

#[test]
fn missing_and_unknown_fields_are_refused() {
    for path in [
        "pods",
        "instanceTypes",
        "nodePools",
        "pods[0].name",
        "instanceTypes[0].name",
        "instanceTypes[0].capacity",
        "instanceTypes[0].offerings",
        "instanceTypes[0].offerings[0].zone",
        "instanceTypes[0].offerings[0].capacityType",
        "instanceTypes[0].offerings[0].price",
        "nodes[0].allocatable",
        "podDisruptionBudgets[0].disruptionsAllowed",
        "pods[0].topologySpreadConstraints[0].topologyKey",
        "pods[0].volumes[0].driver",
    ] {
        refused_here(path, Value::Null);
    }
    refused_here("pod", json!([]));
    refused_here("pods[0].affinty", json!({}));
    refused_here("pods[0].hostPorts[0].hostIp", json!("0.0.0.0"));
    refused_here("nodes[0].annotations", json!({}));
    let found = faults("pods[0].affinty", json!({}));
    assert_eq!(
        found[0].1,
        "pods[0].affinty (default/web, line 1): an unknown field; expected affinity?"
    );
    let found = faults("namespaces[0].zzzzzzzzzzzz", json!({}));
    assert!(found[0].1.ends_with("expected name, labels"), "{found:?}");
}

#[test]
fn repeated_fields_and_keys_are_refused() {
    let text = r#"{"pods": [{"name": "a", "name": "b", "labels": {"x": "1", "x": "1"}}],
        "instanceTypes": [], "nodePools": [], "pods": []}"#;
    let paths: Vec<String> = findings(text).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["pods", "pods[0].name", "pods[0].labels[x]"]);
}

#[test]
fn names_are_checked() {
    refused_here("pods[0].name", json!(""));
    refused_here("pods[0].name", json!("a/b"));
    refused_here("pods[0].name", json!("a b"));
    refused_here("pods[0].name", json!("a".repeat(254)));
    refused_here("pods[0].namespace", json!(""));
    refused("pods[2]", json!({"name": "bound"}), "pods[2].name");
    refused("pods[2]", json!({"name": "web", "replicas": 2}), "pods[2].name");
    refused("pods[2]", json!({"name": "web-0"}), "pods[2].name");
    refused("pods[2]", json!({"name": "web-2"}), "pods[2].name");
    accepted("pods[2]", json!({"name": "web-3"}));
    accepted("pods[2]", json!({"name": "web-02"}));
    accepted("pods[2]", json!({"name": "web"}));
    accepted("pods[2]", json!({"name": "web-1", "replicas": 2}));
    accepted("pods[2]", json!({"name": "web-1", "namespace": "other"}));
    refused("pods[2]", json!({"name": "more", "replicas": 9_999_998}), "pods");
    refused("daemonSets[1]", valid()["daemonSets"][0].clone(), "daemonSets[1].name");
    refused("namespaces[1]", json!({"name": "default"}), "namespaces[1].name");
    let budget = valid()["podDisruptionBudgets"][0].clone();
    refused("podDisruptionBudgets[1]", budget, "podDisruptionBudgets[1].name");
    for list in ["instanceTypes", "nodePools", "nodes"] {
        let item = valid()[list][0].clone();
        refused(&format!("{list}[1]"), item, &format!("{list}[1].name"));
    }
}

#[test]
fn references_are_checked() {
    refused_here("pods[1].nodeName", json!("node-2"));
    refused_here("nodePools[0].instanceTypes[0]", json!("m.huge"));
    refused("nodePools[0].instanceTypes[1]", json!("m.large"), "nodePools[0].instanceTypes[1]");
    accepted("nodes[0].labels", json!({"karpenter.sh/nodepool": "gone"}));
    accepted("nodes[0].labels", json!({"node.kubernetes.io/instance-type": "gone"}));
    // Where a list can't be read, nothing is said of what it might have held.
    refused_here("instanceTypes", json!(3));
    refused("nodes[0]", json!([]), "nodes[0]");
    refused_here("nodes[0].name", json!(7));
}

#[test]
fn labels_are_checked() {
    for (map, values) in [
        ("pods[0].labels", true),
        ("pods[0].nodeSelector", true),
        ("nodePools[0].labels", true),
        ("instanceTypes[0].labels", true),
        ("instanceTypes[0].offerings[0].labels", true),
        ("nodes[0].labels", true),
        ("namespaces[0].labels", true),
        ("pods[0].topologySpreadConstraints[0].labelSelector.matchLabels", true),
    ] {
        for key in ["-a", "a/b/c", "A.com/b", "", "a b", &"a".repeat(64)] {
            refused(map, json!({key: "x"}), &format!("{map}[{key}]"));
        }
        if values {
            refused(map, json!({"key": "no!"}), &format!("{map}[key]"));
            refused(map, json!({"key": "a".repeat(64)}), &format!("{map}[key]"));
        }
        accepted(map, json!({"example.com/key_1": "v.1_x-Y", "b": ""}));
    }
    let map = "pods[0].annotations";
    for key in ["-a", "a/b/c", "", "a b", &"a".repeat(64)] {
        refused(map, json!({key: "x"}), &format!("{map}[{key}]"));
    }
    accepted(map, json!({"A.com/b": "anything!"}));
}

#[test]
fn placeholders_are_checked() {
    let with = |value: &str| json!({"plimsoll.dev/placeholder": value});
    accepted("pods[0].annotations", with("free"));
    accepted("pods[0].annotations", with("launch"));
    for value in ["", "Free", "true"] {
        let at = "pods[0].annotations[plimsoll.dev/placeholder]";
        refused("pods[0].annotations", with(value), at);
    }
    let at = "pods[1].annotations[plimsoll.dev/placeholder]";
    refused("pods[1].annotations", with("free"), at);
    let at = "daemonSets[0].annotations[plimsoll.dev/placeholder]";
    refused("daemonSets[0].annotations", with("launch"), at);
}

#[test]
fn labels_that_contradict_each_other_are_refused() {
    let both = |old: &str| json!({"beta.kubernetes.io/os": old, "kubernetes.io/os": "linux"});
    refused("nodePools[0].labels", both("windows"), "nodePools[0].labels[beta.kubernetes.io/os]");
    // Kubernetes accepts such nodes and such pods.
    accepted("nodes[0].labels", both("windows"));
    accepted("pods[0].nodeSelector", both("windows"));
    accepted("nodes[0].labels", both("linux"));
    for (map, key) in [
        ("instanceTypes[0].labels", "node.kubernetes.io/instance-type"),
        ("instanceTypes[0].labels", "topology.kubernetes.io/zone"),
        ("instanceTypes[0].labels", "karpenter.sh/capacity-type"),
        ("instanceTypes[0].labels", "karpenter.sh/nodepool"),
        ("instanceTypes[0].labels", "kubernetes.io/hostname"),
        ("instanceTypes[0].offerings[0].labels", "topology.kubernetes.io/zone"),
        ("instanceTypes[0].offerings[0].labels", "failure-domain.beta.kubernetes.io/zone"),
        ("instanceTypes[0].offerings[0].labels", "karpenter.sh/capacity-type"),
        ("instanceTypes[0].offerings[0].labels", "kubernetes.io/hostname"),
        ("nodePools[0].labels", "karpenter.sh/nodepool"),
        ("nodePools[0].labels", "kubernetes.io/hostname"),
    ] {
        refused(map, json!({key: "other"}), &format!("{map}[{key}]"));
    }
    accepted("instanceTypes[0].labels", json!({"node.kubernetes.io/instance-type": "m.large"}));
    accepted("nodePools[0].labels", json!({"karpenter.sh/nodepool": "default"}));
}

#[test]
fn requirements_are_checked() {
    let term = format!("pods[0].affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms[0]");
    for (path, on_pods) in [
        (format!("{term}.matchExpressions[0]"), true),
        (
            format!("pods[0].affinity.nodeAffinity.{PREFERRED}[0].preference.matchExpressions[0]"),
            true,
        ),
        ("nodePools[0].requirements[0]".to_owned(), false),
        ("instanceTypes[0].requirements[0]".to_owned(), false),
    ] {
        let made = |operator: &str, values: Value| json!({"key": "a", "operator": operator, "values": values});
        let values = format!("{path}.values");
        refused(&path, made("In", json!([])), &values);
        refused(&path, made("NotIn", json!([])), &values);
        refused(&path, made("Exists", json!(["a"])), &values);
        refused(&path, made("DoesNotExist", json!(["a"])), &values);
        if on_pods {
            // It can run nowhere, that's all.
            accepted(&path, made("Gt", json!(["a"])));
        } else {
            refused(&path, made("Gt", json!(["a"])), &values);
        }
        refused(&path, made("Lt", json!(["1", "2"])), &values);
        if path.contains(PREFERRED) {
            accepted(&path, made("In", json!(["a", "b!"])));
        } else {
            refused(&path, made("In", json!(["a", "b!"])), &format!("{values}[1]"));
        }
        refused(&path, made("In", json!(["a", 3])), &format!("{values}[1]"));
        refused(&path, made("Has", json!(["a"])), &format!("{path}.operator"));
        refused(&path, json!({"key": "-", "operator": "Exists"}), &format!("{path}.key"));
        accepted(&path, made("Lt", json!(["-3"])));
        let at_least = made("Gte", json!(["3"]));
        if on_pods {
            refused(&path, at_least, &format!("{path}.operator"));
        } else {
            accepted(&path, at_least);
        }
    }
    refused_here(&format!("{term}.matchFields[0].key"), json!("metadata.uid"));
    refused_here(&format!("{term}.matchFields[0].values"), json!(["a", "b"]));
    refused_here(&format!("{term}.matchExpressions[0].minValues"), json!(1));
    refused_here("instanceTypes[0].requirements[0].minValues", json!(1));
    refused_here("nodePools[0].requirements[0].minValues", json!(0));
    refused_here("nodePools[0].requirements[0].minValues", json!(51));
    let three = json!({"key": "a", "operator": "In", "values": ["a", "a"], "minValues": 2});
    refused("nodePools[0].requirements[0]", three, "nodePools[0].requirements[0].minValues");
}

#[test]
fn affinity_is_checked() {
    let node = "pods[0].affinity.nodeAffinity";
    refused_here(&format!("{node}.{REQUIRED}.nodeSelectorTerms"), json!([]));
    refused(
        &format!("{node}.{REQUIRED}"),
        json!({}),
        &format!("{node}.{REQUIRED}.nodeSelectorTerms"),
    );
    refused_here(&format!("{node}.{PREFERRED}[0].weight"), json!(0));
    refused_here(&format!("{node}.{PREFERRED}[0].weight"), json!(101));
    let anti = "pods[0].affinity.podAntiAffinity";
    refused_here(&format!("{anti}.{REQUIRED}[0].topologyKey"), json!(""));
    refused_here(&format!("{anti}.{REQUIRED}[0].namespaces"), json!("a"));
    refused(
        &format!("{anti}.{REQUIRED}[0].namespaces"),
        json!(["a", ""]),
        &format!("{anti}.{REQUIRED}[0].namespaces[1]"),
    );
    let weighted = format!("{anti}.{PREFERRED}[0]");
    refused_here(&format!("{weighted}.weight"), json!(101));
    let expressions = format!("{weighted}.podAffinityTerm.labelSelector.matchExpressions");
    refused_here(&format!("{expressions}[0].values"), json!([]));
    refused_here(&format!("{expressions}[0].operator"), json!("Gt"));
    let keys = json!({"topologyKey": "zone", "labelSelector": {}, "matchLabelKeys": ["a"],
        "mismatchLabelKeys": ["b", "a"]});
    refused(
        &format!("{anti}.{REQUIRED}[0]"),
        keys,
        &format!("{anti}.{REQUIRED}[0].mismatchLabelKeys[1]"),
    );
    let keys = json!({"topologyKey": "zone", "matchLabelKeys": ["a"]});
    let at = format!("{anti}.{REQUIRED}[0].matchLabelKeys");
    refused(&format!("{anti}.{REQUIRED}[0]"), keys, &at);
}

#[test]
fn the_rest_of_a_pod_is_checked() {
    let spread = "pods[0].topologySpreadConstraints";
    refused_here(&format!("{spread}[0].maxSkew"), json!(0));
    refused_here(&format!("{spread}[0].minDomains"), json!(0));
    refused_here(&format!("{spread}[0].topologyKey"), json!("a b"));
    let soft = json!({"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway",
        "minDomains": 2});
    refused(&format!("{spread}[1]"), soft, &format!("{spread}[1].minDomains"));
    let twice = valid()["pods"][0]["topologySpreadConstraints"][0].clone();
    refused(&format!("{spread}[1]"), twice, &format!("{spread}[1]"));

    refused_here("pods[0].tolerations[0].value", json!("x"));
    refused("pods[0].tolerations[0]", json!({"value": "x"}), "pods[0].tolerations[0].operator");
    refused(
        "pods[0].tolerations[0]",
        json!({"key": "a", "operator": "Gt", "value": "x"}),
        "pods[0].tolerations[0].value",
    );
    refused_here("pods[0].tolerations[0].tolerationSeconds", json!(3));
    refused_here("pods[0].hostPorts[0].port", json!(0));
    refused_here("pods[0].hostPorts[0].protocol", json!("HTTP"));
    refused_here("pods[0].hostPorts[0].hostIP", json!("localhost"));
    accepted("pods[0].hostPorts[0].hostIP", json!("::"));
    accepted("pods[0].hostPorts[0].hostIP", json!(""));
    for value in ["007", "+7", "-0"] {
        let toleration = json!({"key": "a", "operator": "Gt", "value": value});
        refused("pods[0].tolerations[0]", toleration, "pods[0].tolerations[0].value");
    }
    accepted("pods[0].tolerations[0]", json!({"key": "a", "operator": "", "effect": ""}));
    let taint = json!({"key": "a", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"});
    accepted("nodes[0].taints[0]", taint);
    for amount in ["2Ei", "9223372036854775807", "1e999999999"] {
        accepted("pods[0].requests[cpu]", json!(amount));
        accepted("nodePools[0].limits[cpu]", json!(amount));
    }
    refused("pods[0].hostPorts[1]", json!({"port": 80}), "pods[0].hostPorts[1]");
    refused_here("pods[0].volumes[0].id", json!(""));
    refused("pods[0].volumes[0].zones", json!(["a", ""]), "pods[0].volumes[0].zones[1]");
    refused("pods[0].requests", json!({"pods": 2}), "pods[0].requests[pods]");
    accepted("pods[0].requests", json!({"pods": 1}));
    refused("pods[0].requests", json!({"nodes": 1}), "pods[0].requests[nodes]");
    refused_here("daemonSets[0].replicas", json!(1));
    refused_here("daemonSets[0].replicas", json!(2));
    refused_here("daemonSets[0].nodeName", json!("node-1"));
    let error = Problem::builder()
        .daemon_set(Pod::new("a").with_replicas(2).with_node_name("b"))
        .build()
        .unwrap_err();
    let paths: Vec<&str> = error.findings().iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, ["daemonSets[0].replicas", "daemonSets[0].nodeName"]);
}

#[test]
fn what_can_be_bought_is_checked() {
    let kind = "instanceTypes[0]";
    refused(&format!("{kind}.capacity"), json!({"cpu": 1}), &format!("{kind}.capacity[pods]"));
    refused_here(&format!("{kind}.offerings[0].capacityType"), json!("on_demand"));
    refused_here(&format!("{kind}.offerings[0].zone"), json!(""));
    refused_here(&format!("{kind}.offerings[0].reservation"), json!({"id": "a", "remaining": 1}));
    refused_here(&format!("{kind}.offerings[1].reservation.id"), json!(""));
    let twice = json!({"zone": "z1", "capacityType": "on-demand", "price": 5});
    refused(&format!("{kind}.offerings[2]"), twice, &format!("{kind}.offerings[2]"));
    let other = json!({"zone": "z1", "capacityType": "on-demand", "price": 5,
        "labels": {"tenancy": "a"}});
    accepted(&format!("{kind}.offerings[2]"), other);
    accepted(&format!("{kind}.offerings"), json!([]));

    let pool = "nodePools[0]";
    refused_here(&format!("{pool}.taints[0].effect"), json!("Never"));
    refused_here(&format!("{pool}.taints[0].key"), json!(""));
    let twice = json!({"key": "gpu", "value": "no", "effect": "NoSchedule"});
    refused(&format!("{pool}.taints[1]"), twice, &format!("{pool}.taints[1]"));
    refused(&format!("{pool}.limits"), json!({"a b": 1}), &format!("{pool}.limits[a b]"));
    refused(&format!("{pool}.replicas"), json!(2), &format!("{pool}.limits[cpu]"));
    for after in ["", "30", "-30s", "1d", "never", "30s ", "99999999999h"] {
        refused_here(&format!("{pool}.disruption.consolidateAfter"), json!(after));
    }
    accepted(&format!("{pool}.disruption.consolidateAfter"), json!("Never"));
    let budgets = format!("{pool}.disruption.budgets");
    for nodes in ["", "101%", "-1", "ten", "1.5", "+1"] {
        refused_here(&format!("{budgets}[0].nodes"), json!(nodes));
    }
    refused(&format!("{budgets}[0].duration"), json!("8h"), &format!("{budgets}[0]"));
    refused_here(&format!("{budgets}[1].duration"), json!("30s"));
    refused_here(&format!("{budgets}[1].schedule"), json!("every day"));
    accepted(&format!("{budgets}[1].schedule"), json!("@daily"));
    refused(
        &format!("{budgets}[1].reasons"),
        json!(["Bored"]),
        &format!("{budgets}[1].reasons[0]"),
    );
}

#[test]
fn all_faults_are_found_at_once_in_the_order_of_the_document() {
    let mut document = valid();
    for (path, value) in [
        ("pods[0].replicas", json!(0)),
        ("pods[0].priority", json!("high")),
        ("pods[1].nodeName", json!("gone")),
        ("instanceTypes[0].capacity", json!({})),
        ("nodePools[0].weight", json!(1.5)),
        ("nodes[0].price", json!(-1)),
        ("namespaces[0].name", json!("")),
        ("extra", json!(1)),
    ] {
        set(&mut document, path, value);
    }
    let paths: Vec<String> =
        findings(&document.to_string()).into_iter().map(|(path, _)| path).collect();
    assert_eq!(
        paths,
        [
            "extra",
            "pods[0].priority",
            "pods[0].replicas",
            "pods[1].nodeName",
            "instanceTypes[0].capacity[pods]",
            "nodePools[0].weight",
            "nodes[0].price",
            "namespaces[0].name",
        ]
    );
}

#[test]
fn a_text_that_is_no_json_is_refused_with_its_place() {
    assert_eq!(findings("{\"pods\": [\n  oops]}")[0].0, "line 2 column 3");
    assert_eq!(findings("")[0].0, "line 1 column 0");
    assert_eq!(findings("[]")[0].0, "document");
}
