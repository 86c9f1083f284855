//! Documents both ways: what is read, what is refused and where, and that nothing is lost.

use plimsoll::model::{
    Affinity, Budget, Disruption, Effect, HostPort, LabelSelector, LabelSelectorRequirement,
    NodeSelectorTerm, Operator, PodAffinityTerm, PodDisruptionBudget, SelectorOperator, Taint,
    Toleration, TopologySpreadConstraint, Volume, WhenUnsatisfiable,
};
use plimsoll::{
    InstanceType, LaunchPlan, Node, NodePool, Offering, Pod, Price, Problem, Requirement, Resources,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::PathBuf;

/// A document that uses every list, with nothing wrong in it.
fn valid() -> Value {
    json!({
        "pods": [
            {"name": "web", "replicas": 3, "labels": {"app": "web"}, "requests": {"cpu": "250m"},
             "nodeSelector": {"kubernetes.io/arch": "amd64"},
             "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}],
                         "matchFields": [
                            {"key": "metadata.name", "operator": "In", "values": ["n"]}]}]},
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {"weight": 1, "preference": {"matchExpressions": [
                            {"key": "a", "operator": "Exists"}]}}]},
                "podAntiAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": [
                        {"labelSelector": {"matchLabels": {"app": "web"}},
                         "topologyKey": "kubernetes.io/hostname"}],
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {"weight": 2, "podAffinityTerm": {"topologyKey": "zone",
                         "labelSelector": {"matchExpressions": [
                            {"key": "app", "operator": "In", "values": ["web"]}]}}}]}},
             "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
             "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone",
                "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}],
             "hostPorts": [{"port": 80}],
             "volumes": [{"driver": "ebs", "id": "v"}]},
            {"name": "bound", "nodeName": "node-1"}],
        "instanceTypes": [
            {"name": "m.large", "labels": {"kubernetes.io/arch": "amd64"},
             "requirements": [{"key": "tenancy", "operator": "In", "values": ["a", "b"]}],
             "capacity": {"cpu": 2, "memory": "8Gi", "pods": 29},
             "overhead": {"cpu": "80m"},
             "offerings": [
                {"zone": "z1", "capacityType": "on-demand", "price": 0.0928},
                {"zone": "z1", "capacityType": "reserved", "price": 0.0001,
                 "reservation": {"id": "cr-1", "remaining": 2}, "interruptionRate": 3.47e-05}]}],
        "nodePools": [
            {"name": "default", "requirements": [
                {"key": "tenancy", "operator": "Exists", "minValues": 2}],
             "taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}],
             "startupTaints": [{"key": "boot", "effect": "NoExecute"}],
             "instanceTypes": ["m.large"], "limits": {"nodes": 3, "cpu": "6"},
             "disruption": {"consolidateAfter": "1h30m", "budgets": [
                {"nodes": "10%"},
                {"nodes": "0", "schedule": "0 9 * * 1-5", "duration": "8h",
                 "reasons": ["Drifted"]}]}}],
        "nodes": [
            {"name": "node-1", "allocatable": {"cpu": "1", "pods": "9"}, "price": 0.5,
             "taints": [{"key": "t", "effect": "NoSchedule"}], "lifetimeRemaining": 0.25,
             "volumeLimits": {"ebs": 27}}],
        "daemonSets": [{"name": "logs", "namespace": "kube-system",
                        "tolerations": [{"operator": "Exists"}]}],
        "podDisruptionBudgets": [{"name": "web", "namespace": "default",
            "selector": {"matchLabels": {"app": "web"}}, "disruptionsAllowed": 1}],
        "namespaces": [{"name": "default", "labels": {"team": "a"}}]
    })
}

/// Sets the value at a path such as `pods[0].labels[app]`; null removes a field.
fn set(document: &mut Value, path: &str, value: Value) {
    let mut at = document;
    let steps: Vec<&str> = path.split(['.', '[']).collect();
    for step in &steps[..steps.len() - 1] {
        at = match step.trim_end_matches(']').parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[*step],
        };
    }
    let last = steps[steps.len() - 1].trim_end_matches(']');
    match last.parse::<usize>() {
        Ok(index) if index == at.as_array().map_or(0, Vec::len) => {
            at.as_array_mut().unwrap().push(value);
        }
        Ok(index) => at[index] = value,
        Err(_) => at[last] = value,
    }
}

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
fn the_valid_document_is_read_and_written() {
    let problem = Problem::from_json(&valid().to_string()).unwrap();
    assert_eq!(problem.pods().len(), 2);
    let web = &problem.pods()[1];
    assert_eq!((web.name(), web.namespace(), web.replicas()), ("web", "default", 3));
    let kind = &problem.instance_types()[0];
    assert_eq!(kind.offerings()[0].price().nanos(), 92_800_000);
    assert_eq!(kind.offerings()[1].interruption_rate(), Some(34_700));
    assert_eq!(problem.nodes()[0].lifetime_remaining(), 250_000_000);
    assert_round_trip(&problem);
}

#[track_caller]
fn assert_round_trip(problem: &Problem) {
    let text = problem.to_json();
    let again = Problem::from_json(&text).unwrap();
    assert_eq!(*problem, again);
    assert_eq!(again.to_json(), text);
    // Through serde's own traits, by way of another tree.
    let tree = serde_json::to_value(problem).unwrap();
    assert_eq!(serde_json::from_value::<Problem>(tree).unwrap(), *problem);
}

#[test]
fn builders_and_documents_make_the_same_problem() {
    let web = Pod::new("web")
        .with_replicas(3)
        .with_label("app", "web")
        .with_requests(Resources::parse([("cpu", "0.25")]).unwrap())
        .with_node_selector("beta.kubernetes.io/arch", "amd64")
        .with_affinity(
            Affinity::new()
                .with_required_node_term(
                    NodeSelectorTerm::new([Requirement::new("a", Operator::In, ["b"])])
                        .with_match_field(Requirement::new("metadata.name", Operator::In, ["n"])),
                )
                .with_preferred_node_term(
                    1,
                    NodeSelectorTerm::new([Requirement::new("a", Operator::Exists, [""; 0])]),
                )
                .with_required_pod_anti_affinity(PodAffinityTerm::new(
                    "kubernetes.io/hostname",
                    LabelSelector::new().with_label("app", "web"),
                ))
                .with_preferred_pod_anti_affinity(
                    2,
                    PodAffinityTerm::new(
                        "zone",
                        LabelSelector::new().with_expression(LabelSelectorRequirement::new(
                            "app",
                            SelectorOperator::In,
                            ["web"],
                        )),
                    ),
                ),
        )
        .with_toleration(Toleration::exists("gpu").with_effect(Effect::NoSchedule))
        .with_topology_spread_constraint(
            TopologySpreadConstraint::new(1, "zone", WhenUnsatisfiable::DoNotSchedule)
                .with_label_selector(LabelSelector::new()),
        )
        .with_host_port(HostPort::new(80))
        .with_volume(Volume::new("ebs", "v"));
    let kind = InstanceType::new(
        "m.large",
        Resources::parse([("cpu", "2000m"), ("memory", "8192Mi"), ("pods", "29")]).unwrap(),
    )
    .with_overhead(Resources::parse([("cpu", "80m")]).unwrap())
    .with_label("kubernetes.io/arch", "amd64")
    .with_requirement(Requirement::new("tenancy", Operator::In, ["a", "b"]))
    .with_offering(
        Offering::new("z1", "reserved", Price::from_nanos(100_000))
            .with_reservation("cr-1", 2)
            .with_interruption_rate(34_700),
    )
    .with_offering(Offering::new("z1", "on-demand", Price::from_nanos(92_800_000)));
    let mut night = Budget::new("0");
    night.schedule = Some("0 9 * * 1-5".into());
    night.duration = Some("8h".into());
    night.reasons = vec!["Drifted".into()];
    let mut disruption = Disruption::default();
    disruption.consolidate_after = "1h30m".into();
    disruption.budgets.push(night);
    let pool = NodePool::new("default")
        .with_requirement(Requirement::new("tenancy", Operator::Exists, [""; 0]).with_min_values(2))
        .with_taint(Taint::new("gpu", "yes", Effect::NoSchedule))
        .with_startup_taint(Taint::new("boot", "", Effect::NoExecute))
        .with_instance_types(["m.large"])
        .with_limits(Resources::parse([("nodes", "3"), ("cpu", "6")]).unwrap())
        .with_disruption(disruption);
    let node = Node::new("node-1", Resources::parse([("cpu", "1"), ("pods", "9")]).unwrap())
        .with_price(Price::from_nanos(500_000_000))
        .with_taint(Taint::new("t", "", Effect::NoSchedule))
        .with_lifetime_remaining(250_000_000)
        .with_volume_limit("ebs", 27);
    let built = Problem::builder()
        .pod(web)
        .pod(Pod::new("bound").with_node_name("node-1"))
        .instance_type(kind)
        .node_pool(pool)
        .node(node)
        .daemon_set(
            Pod::new("logs").with_namespace("kube-system").with_toleration(Toleration::exists("")),
        )
        .pod_disruption_budget(PodDisruptionBudget::new(
            "web",
            LabelSelector::new().with_label("app", "web"),
            1,
        ))
        .namespace(plimsoll::model::Namespace::new("default").with_label("team", "a"))
        .build()
        .unwrap();
    assert_eq!(built, Problem::from_json(&valid().to_string()).unwrap());
}

#[test]
fn the_order_of_a_document_means_nothing() {
    let straight = valid();
    let mut reversed = straight.clone();
    for list in reversed.as_object_mut().unwrap().values_mut() {
        list.as_array_mut().unwrap().reverse();
    }
    reversed["instanceTypes"][0]["offerings"].as_array_mut().unwrap().reverse();
    let read = |document: &Value| Problem::from_json(&document.to_string()).unwrap();
    assert_eq!(read(&straight), read(&reversed));
    assert_eq!(read(&straight).to_json(), read(&reversed).to_json());
}

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
        ("pods[0].requests[cpu]", json!("2Ei")),
        ("pods[0].requests[cpu]", json!("1e999999999")),
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
    assert_eq!(found[0].1, "pods[0].affinty: an unknown field; expected affinity?");
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
        ("pods[0].annotations", false),
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
}

#[test]
fn labels_that_contradict_each_other_are_refused() {
    let both = |old: &str| json!({"beta.kubernetes.io/os": old, "kubernetes.io/os": "linux"});
    refused("nodes[0].labels", both("windows"), "nodes[0].labels[beta.kubernetes.io/os]");
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
        refused(&path, made("Gt", json!(["a"])), &values);
        refused(&path, made("Lt", json!(["1", "2"])), &values);
        refused(&path, made("In", json!(["a", "b!"])), &format!("{values}[1]"));
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

/// Data beside the project, where there is any.
fn shared_documents() -> Vec<(String, String)> {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let mut texts = Vec::new();
    for directory in [data.clone(), data.join("cases")] {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let whole = name.ends_with(".json");
            if !(whole || name.ends_with(".jsonl")) {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            // Parts of problems and results lie beside problems; only whole problems count here.
            let documents = if whole { vec![text.as_str()] } else { text.lines().collect() };
            for (i, document) in documents.into_iter().enumerate() {
                let keys = ["\"pods\"", "\"instanceTypes\"", "\"nodePools\""];
                if keys.iter().all(|key| document.contains(key)) {
                    texts.push((format!("{name}:{i}"), document.to_owned()));
                }
            }
        }
    }
    texts
}

#[test]
fn the_shared_documents_are_read_and_lose_nothing() {
    let documents = shared_documents();
    if documents.is_empty() {
        eprintln!("skipped: no shared data beside the project");
        return;
    }
    for (name, text) in documents {
        let problem = Problem::from_json(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let written = problem.to_json();
        let again = Problem::from_json(&written).unwrap();
        assert!(problem == again, "{name} changes in a round trip");
    }
}

proptest! {
    #[test]
    fn every_price_reads_back(nanos in 0..=100_000_000_000_000_i128, digits in 0_u32..14) {
        let nanos = nanos / 10_i128.pow(digits);
        let price = Price::from_nanos(nanos);
        let kind = InstanceType::new("t", Resources::parse([("pods", "1")]).unwrap())
            .with_offering(Offering::new("z", "spot", price)
                .with_interruption_rate(u64::try_from(nanos).unwrap()));
        let share = u32::try_from(nanos % 1_000_000_001).unwrap();
        let problem = Problem::builder()
            .instance_type(kind)
            .node(Node::new("n", Resources::new()).with_lifetime_remaining(share))
            .build()
            .unwrap();
        let text = problem.to_json();
        prop_assert!(!text.contains("\"price\":\""), "{}", text);
        prop_assert_eq!(Problem::from_json(&text).unwrap(), problem);
    }

    #[test]
    fn every_sum_reads_back(total in 0..1_i128 << 69, bound in 0..1_i128 << 69) {
        let plan = plan_of(&decimal(total), &decimal(bound));
        prop_assert_eq!(plan.cost().total.nanos(), total);
        prop_assert_eq!(plan.cost().lower_bound.nanos(), bound);
        let text = plan.to_json();
        prop_assert_eq!(LaunchPlan::from_json(&text).unwrap(), plan);
    }
}

fn decimal(nanos: i128) -> String {
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

fn plan_of(total: &str, lower_bound: &str) -> LaunchPlan {
    let document = json!({
        "launches": [], "bindings": [], "unschedulable": [],
        "cost": {"total": total, "fees": "0", "lowerBound": lower_bound, "proof": "within"},
        "stats": {}});
    LaunchPlan::from_json(&document.to_string()).unwrap()
}

/// A plan of three launches, two of them alike, as a document.
fn plan() -> Value {
    let launch = |kind: &str, price: f64, pods: Value| {
        json!({"nodePool": "default",
            "offering": {"instanceType": kind, "zone": "z1", "capacityType": "on-demand"},
            "price": price,
            "alternatives": [
                {"instanceType": kind, "zone": "z1", "capacityType": "on-demand", "price": price},
                {"instanceType": "m.huge", "zone": "z2", "capacityType": "reserved", "price": 9,
                 "reservation": "cr-1"}],
            "labels": {"karpenter.sh/nodepool": "default"},
            "taints": [{"key": "gpu", "effect": "NoSchedule"}],
            "requirements": [{"key": "zone", "operator": "In", "values": ["z1"], "minValues": 1}],
            "requests": {"cpu": "1500m", "memory": "2Gi", "pods": "2", "example.com/fpga": "1"},
            "pods": pods})
    };
    json!({
        "launches": [
            launch("m.large", 0.0928, json!(["default/a", "default/b"])),
            launch("m.large", 0.0928, json!(["default/c", "default/d"])),
            launch("m.xlarge", 0.1856, json!(["default/e"]))],
        "bindings": [{"pod": "default/f", "node": "node-1"}],
        "unschedulable": [
            {"pod": "default/g", "reasons": [
                {"code": "labels", "sentence": "no node pool allows zone z9", "candidates": 12}]},
            {"pod": "default/h", "reasons": [
                {"code": "labels", "sentence": "no node pool allows zone z9", "candidates": 12}]}],
        "cost": {"total": 0.3712, "fees": 0, "lowerBound": 0.3, "gap": 0.19181, "proof": "within"},
        "stats": {"classes": 4}
    })
}

#[test]
fn plans_read_back() {
    let document = plan();
    let plan = LaunchPlan::from_json(&document.to_string()).unwrap();
    assert_eq!(serde_json::to_value(&plan).unwrap(), document);
    assert_eq!(LaunchPlan::from_json(&plan.to_json()).unwrap(), plan);
    assert_eq!(serde_json::from_value::<LaunchPlan>(document).unwrap(), plan);
    let [first, second, third] = plan.launches() else { panic!("three launches") };
    assert!(std::ptr::eq(first.spec(), second.spec()), "launches alike share their description");
    assert_ne!(first.spec(), third.spec());
    assert_eq!(plan_of("0", "0").cost().gap_millionths(), 0);
}

#[test]
fn times_in_the_stats_of_a_plan_are_left_out() {
    let mut document = plan();
    let before = LaunchPlan::from_json(&document.to_string()).unwrap();
    set(&mut document, "stats.solveSeconds", json!(0.012));
    assert_eq!(LaunchPlan::from_json(&document.to_string()).unwrap(), before);
}

#[test]
fn faults_of_plans_have_paths() {
    let mut document = plan();
    for (path, value) in [
        ("launches[2].offering.zone", Value::Null),
        ("launches[0].pods", json!("default/a")),
        ("unschedulable[0].reasons[0].candidates", json!(-1)),
        ("cost.proof", json!("Optimal")),
        ("cost.gap", json!("wide")),
        ("bindings[0].pods", json!("x")),
    ] {
        set(&mut document, path, value);
    }
    let error = LaunchPlan::from_json(&document.to_string()).unwrap_err();
    let paths: Vec<&str> = error.findings().iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "cost.gap",
            "cost.proof",
            "launches[0].pods",
            "launches[2].offering.zone",
            "bindings[0].pods",
            "unschedulable[0].reasons[0].candidates",
        ]
    );
}

#[test]
fn plans_print_as_tables() {
    let plan = LaunchPlan::from_json(&plan().to_string()).unwrap();
    let expected = "\
3 nodes to launch for 5 pods, 1 pod on running nodes, 2 pods without a place

nodes  node pool  instance type  zone  capacity type  each/h   all/h  pods  cpu  example.com/fpga  memory
    2  default    m.large        z1    on-demand      0.0928  0.1856     4  3.0                 2   4.0Gi
    1  default    m.xlarge       z1    on-demand      0.1856  0.1856     1  1.5                 1   2.0Gi
    3                                                         0.3712     5  4.5                 3   6.0Gi

cost per hour 0.3712, at least 0.3000 with any plan (a gap of 19.18%)

without a place:
  2 pods: no node pool allows zone z9
    default/g, default/h
";
    assert_eq!(plan.to_string(), expected);
}
