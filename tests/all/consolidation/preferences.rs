//! No pod that moves honours less of what it prefers than where it was.

use super::laws::{options, seeds};
use super::random::{Spec, cluster};
use super::verified;
use plimsoll::{Options, PreferencePolicy};
use plimsoll_testdata::SplitMix64;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const ZONE: &str = "topology.kubernetes.io/zone";
const HOSTNAME: &str = "kubernetes.io/hostname";

/// The cluster with preferences of all kinds: the same ones for the pods of one app.
fn preferring(seed: u64, spec: Spec) -> Value {
    let mut problem = cluster(seed, spec);
    let mut random = SplitMix64::new(seed ^ 0x5EED);
    let mut of_app: BTreeMap<String, Value> = BTreeMap::new();
    for pod in problem["pods"].as_array_mut().unwrap() {
        let Some(app) = pod["labels"]["app"].as_str().map(str::to_string) else { continue };
        let rules = of_app.entry(app.clone()).or_insert_with(|| preferences(&mut random, &app));
        for (list, added) in rules.as_object().unwrap() {
            match list.as_str() {
                "topologySpreadConstraints" => {
                    let own = &mut pod[list];
                    let mut all = own.as_array().cloned().unwrap_or_default();
                    // Kubernetes allows one of a key and kind.
                    let same = |one: &Value| {
                        ["topologyKey", "whenUnsatisfiable"]
                            .iter()
                            .all(|key| one[key] == added[key])
                    };
                    if !all.iter().any(same) {
                        all.push(added.clone());
                    }
                    *own = json!(all);
                }
                kind => pod["affinity"][kind][PREFERRED] = added.clone(),
            }
        }
    }
    problem
}

/// What pods of an app prefer of others.
fn preferences(random: &mut SplitMix64, app: &str) -> Value {
    let mut rules = json!({});
    let key = if random.below(2) == 0 { ZONE } else { HOSTNAME };
    let other = format!("app{}", random.below(4));
    let whom = if random.below(2) == 0 { app } else { &other };
    let selector = json!({ "matchLabels": { "app": whom } });
    let term = json!([{
        "weight": 1 + random.below(100),
        "podAffinityTerm": { "topologyKey": key, "labelSelector": selector },
    }]);
    match random.below(5) {
        0 => rules["podAffinity"] = term,
        1 => rules["podAntiAffinity"] = term,
        2 => {
            rules["topologySpreadConstraints"] = json!({
                "maxSkew": 1 + random.below(2), "topologyKey": key, "labelSelector": selector,
                "whenUnsatisfiable": "ScheduleAnyway",
            });
        }
        _ => {}
    }
    rules
}

#[test]
fn no_moved_pod_honours_less_than_before() {
    let small = seeds(300).map(|seed| (seed, Spec::SMALL));
    let middle = seeds(15).map(|seed| (seed, Spec::MIDDLE));
    let (mut moved, mut ignoring, mut wrong) = (0, 0, Vec::new());
    for (seed, spec) in small.chain(middle) {
        let problem = preferring(seed, spec);
        let mut options = options(seed);
        options.preferences = PreferencePolicy::Respect;
        match verified(&problem, &options) {
            Ok((_, found)) => {
                moved += found.moved();
                if found.honouring_less() > 0 {
                    wrong.push(format!("seed {seed} of {spec:?}: {}", found.honouring_less()));
                }
            }
            Err(what) => wrong.push(format!("seed {seed} of {spec:?}: {what}")),
        }
        options.preferences = PreferencePolicy::Ignore;
        let (_, found) = verified(&problem, &options).unwrap_or_else(|e| panic!("{e}"));
        ignoring += found.honouring_less();
    }
    println!("{moved} moved; {ignoring} honour less where preferences are ignored");
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(moved > 150 && ignoring > 20, "{moved}, {ignoring}");
}

/// A cluster of three small nodes, each with a pod of one app that would rather be spread evenly
/// over the zones, and at most so many nodes at a time.
fn one_in_each_zone(nodes_at_a_time: &str) -> Value {
    let zones = ["a", "b", "c"];
    let node = |zone: &&str| {
        json!({
            "name": format!("n-{zone}"),
            "labels": {
                ZONE: zone, HOSTNAME: format!("n-{zone}"), "karpenter.sh/nodepool": "main",
                "node.kubernetes.io/instance-type": "small", "karpenter.sh/capacity-type": "on-demand",
            },
            "allocatable": { "cpu": "4", "memory": "8Gi", "pods": "20" },
        })
    };
    let pod = |zone: &&str| {
        json!({
            "name": format!("p-{zone}"), "labels": { "app": "p" }, "ownerKind": "ReplicaSet",
            "nodeName": format!("n-{zone}"), "requests": { "cpu": "1", "memory": "1Gi" },
            "topologySpreadConstraints": [{
                "maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": { "matchLabels": { "app": "p" } },
            }],
        })
    };
    let offering = |zone: &&str| json!({ "zone": zone, "capacityType": "on-demand", "price": 0.2 });
    json!({
        "pods": zones.iter().map(pod).collect::<Vec<_>>(),
        "nodes": zones.iter().map(node).collect::<Vec<_>>(),
        "instanceTypes": [{
            "name": "small",
            "capacity": { "cpu": "4", "memory": "8Gi", "pods": "20" },
            "labels": { "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux" },
            "offerings": zones.iter().map(offering).collect::<Vec<_>>(),
        }],
        "nodePools": [{
            "name": "main",
            "disruption": {
                "consolidationPolicy": "WhenEmptyOrUnderutilized", "consolidateAfter": "0s",
                "budgets": [{ "nodes": nodes_at_a_time }],
            },
        }],
    })
}

/// A zone that is left altogether is no domain any more: what is even over those that remain is as
/// good as before.
#[test]
fn a_zone_may_be_left_by_all_that_would_be_spread_over_it() {
    for nodes_at_a_time in ["100%", "1"] {
        let problem = one_in_each_zone(nodes_at_a_time);
        let (plan, found) = verified(&problem, &Options::default()).unwrap();
        let plan: Value = serde_json::from_str(&plan.to_json()).unwrap();
        let deleted = plan["actions"].as_array().unwrap().iter();
        let deleted: usize = deleted.map(|action| action["delete"].as_array().unwrap().len()).sum();
        assert_eq!((deleted, found.honouring_less()), (2, 0), "{plan:#}");
    }
}
