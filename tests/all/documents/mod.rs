//! Documents both ways: what is read, what is refused and where, and that nothing is lost.

mod consolidations;
mod faults;
mod messages;
mod options;
mod parts;
mod plans;
#[cfg(feature = "schemars")]
mod schema;

use plimsoll::model::{
    Affinity, Budget, BudgetReason, Disruption, Effect, HostPort, LabelSelector,
    LabelSelectorRequirement, NodeSelectorTerm, Operator, Placeholder, PodAffinityTerm,
    PodDisruptionBudget, SelectorOperator, Taint, TimeSpan, Toleration, TopologySpreadConstraint,
    Volume, WhenUnsatisfiable,
};
use plimsoll::{
    InstanceType, Node, NodePool, Offering, Pod, Price, Problem, Requirement, Resources,
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

#[test]
fn the_valid_document_is_read_and_written() {
    let problem = Problem::from_json(&valid().to_string()).unwrap();
    assert_eq!(problem.pods().len(), 2);
    let web = &problem.pods()[1];
    assert_eq!((web.name(), web.namespace(), web.replicas()), ("web", "default", 3));
    let instance_type = &problem.instance_types()[0];
    assert_eq!(instance_type.offerings()[0].price().nanos(), 92_800_000);
    assert_eq!(instance_type.offerings()[1].interruption_rate(), Some(34_700));
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
    let instance_type = InstanceType::new(
        "m.large",
        Resources::parse([("cpu", "2000m"), ("memory", "8192Mi"), ("pods", "29")]).unwrap(),
    )
    .with_overhead(Resources::parse([("cpu", "80m")]).unwrap())
    .with_label("kubernetes.io/arch", "amd64")
    .with_requirement(Requirement::new("tenancy", Operator::In, ["a", "b"]))
    .with_offering(
        Offering::reserved("z1", Price::from_nanos(100_000))
            .with_reservation("cr-1", 2)
            .with_interruption_rate(34_700),
    )
    .with_offering(Offering::on_demand("z1", Price::from_nanos(92_800_000)));
    let night = Budget::of_nodes(0)
        .with_schedule("0 9 * * 1-5", TimeSpan::from_hours(8))
        .with_reasons([BudgetReason::Drifted]);
    let mut disruption = Disruption::default();
    disruption.consolidate_after = TimeSpan::from_seconds(5_400).into();
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
        .instance_type(instance_type)
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
fn placeholders_are_an_annotation() {
    for (word, placeholder) in [("free", Placeholder::Free), ("launch", Placeholder::Launch)] {
        let mut document = json!({"instanceTypes": [], "nodePools": []});
        document["pods"] = json!([{"name": "room", "replicas": 2, "priority": -1,
            "annotations": {"a": "b", "plimsoll.dev/placeholder": word}}]);
        let read = Problem::from_json(&document.to_string()).unwrap();
        assert_eq!(read.pods()[0].placeholder(), Some(placeholder));
        let pod = Pod::new("room").with_replicas(2).with_priority(-1).with_annotation("a", "b");
        assert_eq!(pod.placeholder(), None);
        let built = Problem::builder().pod(pod.with_placeholder(placeholder)).build().unwrap();
        assert_eq!(built, read);
        assert_round_trip(&built);
    }
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
        let instance_type = InstanceType::new("t", Resources::parse([("pods", "1")]).unwrap())
            .with_offering(Offering::spot("z", price)
                .with_interruption_rate(u64::try_from(nanos).unwrap()));
        let share = u32::try_from(nanos % 1_000_000_001).unwrap();
        let problem = Problem::builder()
            .instance_type(instance_type)
            .node(Node::new("n", Resources::new()).with_lifetime_remaining(share))
            .build()
            .unwrap();
        let text = problem.to_json();
        prop_assert!(!text.contains("\"price\":\""), "{}", text);
        prop_assert_eq!(Problem::from_json(&text).unwrap(), problem);
    }
}
