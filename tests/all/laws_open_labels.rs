//! Laws of labels that pools leave open, on small random problems.

use crate::random;
use crate::random::REQUIRED;
use crate::random::open_labels::{self, PREFERRED};
use crate::verified::{tree, verified};
use plimsoll::{Effort, LaunchPlan, Limits, Options, PreferencePolicy, Price};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn planned(problem: &Value, options: &Options) -> Result<LaunchPlan, TestCaseError> {
    Ok(verified(problem, options)?.0)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The label keys that a pod's rules about its node read, wishes among them.
fn keys_of(pod: &Value) -> BTreeSet<&str> {
    let affinity = &pod["affinity"]["nodeAffinity"];
    let required = list(&affinity[REQUIRED]["nodeSelectorTerms"]);
    let preferred = list(&affinity[PREFERRED]);
    let terms = required.chain(preferred.map(|wish| &wish["preference"]));
    let expressions = terms.flat_map(|term| list(&term["matchExpressions"]));
    let selected = pod["nodeSelector"].as_object().into_iter().flatten().map(|(key, _)| &**key);
    expressions.filter_map(|one| one["key"].as_str()).chain(selected).collect()
}

/// The keys over which any pod counts others, and those of what pods with spreads ask of nodes.
fn topology_keys(problem: &Value) -> BTreeSet<&str> {
    let mut keys = BTreeSet::new();
    for pod in list(&problem["pods"]) {
        let spreads = list(&pod["topologySpreadConstraints"]);
        keys.extend(spreads.filter_map(|one| one["topologyKey"].as_str()));
        let mut spreads = list(&pod["topologySpreadConstraints"]);
        if spreads.any(|one| one["nodeAffinityPolicy"] != "Ignore") {
            let preferred = &pod["affinity"]["nodeAffinity"][PREFERRED];
            let wished =
                list(preferred).flat_map(|wish| list(&wish["preference"]["matchExpressions"]));
            let wished: BTreeSet<&str> = wished.filter_map(|one| one["key"].as_str()).collect();
            keys.extend(keys_of(pod).difference(&wished));
        }
        for path in ["podAffinity", "podAntiAffinity"] {
            let rules = &pod["affinity"][path];
            let wishes = list(&rules[PREFERRED]);
            let terms = list(&rules[REQUIRED]).chain(wishes.map(|wish| &wish["podAffinityTerm"]));
            keys.extend(terms.filter_map(|term| term["topologyKey"].as_str()));
        }
    }
    keys
}

/// Every label that pods of a launch read, or over which pods are counted, is stated, or the launch
/// can't have it.
fn is_fixed(problem: &Value, plan: &Value) -> Result<(), TestCaseError> {
    let named = |path: &str, name: &str| {
        list(&problem[path]).find(|one| one["name"] == name).cloned().unwrap_or_default()
    };
    let counted = topology_keys(problem);
    for launch in list(&plan["launches"]) {
        let pool = named("nodePools", launch["nodePool"].as_str().unwrap());
        let entry = |pod: &Value| {
            let name = pod.as_str().unwrap().strip_prefix("default/").unwrap().to_string();
            let stem = name.rsplit_once('-').map_or("", |(stem, _)| stem).to_string();
            let pods = list(&problem["pods"]);
            let mut pods = pods;
            pods.find(|one| one["name"] == name.as_str() || one["name"] == stem.as_str())
        };
        let pods: Vec<&Value> = list(&launch["pods"]).filter_map(entry).collect();
        let mut read = counted.clone();
        read.extend(pods.iter().flat_map(|pod| keys_of(pod)));
        for requirement in list(&pool["requirements"]) {
            let key = requirement["key"].as_str().unwrap();
            let stated = launch["labels"].get(key).is_some();
            let declares = |kind: &Value| {
                let mut offered = list(&kind["offerings"]);
                kind["labels"].get(key).is_some()
                    || list(&kind["requirements"]).any(|one| one["key"] == key)
                    || offered.any(|one| one["labels"].get(key).is_some())
            };
            let absent = list(&launch["requirements"])
                .any(|one| one["key"] == key && one["operator"] == "DoesNotExist");
            let of_types = list(&problem["instanceTypes"]).any(declares);
            let fixed = stated || absent || of_types || !read.contains(key);
            prop_assert!(fixed, "{key} is open: {launch}\n{problem}");
        }
    }
    Ok(())
}

fn options(preferences: PreferencePolicy, effort: Effort) -> Options {
    let mut options = Options::default();
    options.preferences = preferences;
    options.effort = effort;
    options
}

proptest! {
    #![proptest_config(random::config())]

    #[test]
    fn plans_are_verified_and_fix_what_is_read(problem in open_labels::problem()) {
        let price = PreferencePolicy::Priced(Price::from_nanos(1_000_000));
        for preferences in [PreferencePolicy::Respect, PreferencePolicy::Ignore, price] {
            let plan = planned(&problem, &options(preferences, Effort::Greedy))?;
            is_fixed(&problem, &tree(&plan.to_json()))?;
        }
    }

    #[test]
    fn refined_plans_are_verified_and_fix_what_is_read(problem in open_labels::problem()) {
        let mut limits = Limits::default();
        (limits.rounds, limits.attempts) = (60, 20);
        let plan = planned(&problem, &options(PreferencePolicy::Ignore, Effort::Refine(limits)))?;
        is_fixed(&problem, &tree(&plan.to_json()))?;
    }
}

/// A node for each of a thousand tenants, of whom none shares a node with another.
#[test]
fn a_thousand_tenants_are_no_trouble() {
    let tenants = 1_000_u32;
    let pod = |tenant: u32| {
        json!({
            "name": format!("p{tenant}"), "requests": { "cpu": 1 },
            "nodeSelector": { "tenant": format!("t{tenant}") },
        })
    };
    let values: Vec<String> = (0..tenants).map(|tenant| format!("t{tenant}")).collect();
    for requirement in [
        json!({ "key": "tenant", "operator": "Exists" }),
        json!({ "key": "tenant", "operator": "In", "values": values }),
    ] {
        let sale = json!({ "zone": "a", "capacityType": "on-demand", "price": 0.2 });
        let problem = json!({
            "pods": (0..tenants).map(pod).collect::<Vec<_>>(),
            "instanceTypes": [
                { "name": "c4", "capacity": { "cpu": 4, "pods": 110 }, "offerings": [sale] },
            ],
            "nodePools": [{ "name": "main", "requirements": [requirement] }],
        });
        let plan = planned(&problem, &Options::default()).unwrap();
        assert_eq!(plan.launches().len(), 1_000);
    }
}
