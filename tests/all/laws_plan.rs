//! Laws that every launch plan keeps, on small random problems.
//!
//! What a greedy packer doesn't promise is no law here: fewer pods, or more offerings, may cost it
//! more.

use crate::oracle::{Oracle, Place, nanos};
use crate::order;
use crate::random;
use crate::verified::{tree, verified};
use plimsoll::{Effort, LaunchPlan, Options, PreferencePolicy, Problem, provision};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The document of a plan that was verified.
/// The options of every law: random problems have taints that are merely to be avoided.
fn options() -> Options {
    let mut options = Options::default();
    options.preferences = PreferencePolicy::Ignore;
    options
}

fn planned_text(problem: &Value, options: &Options) -> Result<String, TestCaseError> {
    let (plan, verified) = verified(problem, options)?;
    let text = plan.to_json();
    let strict = "minValues were lowered, though they are strict";
    prop_assert_eq!(verified.lowered_min_values(), 0, "{}\n{}\n{}", strict, text, problem);
    Ok(text)
}

fn planned(problem: &Value, options: &Options) -> Result<Value, TestCaseError> {
    Ok(tree(&planned_text(problem, options)?))
}

fn greedy(problem: &Value) -> Result<Value, TestCaseError> {
    planned(problem, &options())
}

fn first_fit(problem: &Value) -> Result<Value, TestCaseError> {
    let mut options = options();
    options.effort = Effort::FirstFit;
    planned(problem, &options)
}

fn total(plan: &Value) -> i128 {
    nanos(&plan["cost"]["total"])
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// Which pods share which node, whatever it costs.
fn placements(plan: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let launched = list(plan, "launches")
        .iter()
        .map(|l| format!("{} {} {}", l["nodePool"], l["offering"], l["pods"]));
    let bound = list(plan, "bindings").iter().map(Value::to_string);
    (launched.collect(), bound.collect())
}

proptest! {
    #![proptest_config(random::config())]

    #[test]
    fn a_plan_is_the_same_whatever_the_order(problem in random::problem(), turn in 0..3_usize) {
        let plan = planned_text(&problem, &options())?;
        prop_assert_eq!(&plan, &planned_text(&problem, &options())?);
        let other = order::reordered(&problem, turn);
        prop_assert_eq!(plan, planned_text(&other, &options())?);
    }

    #[test]
    fn a_plan_survives_its_document(problem in random::problem()) {
        let text = planned_text(&problem, &options())?;
        prop_assert_eq!(LaunchPlan::from_json(&text).unwrap().to_json(), text);
    }

    #[test]
    fn every_pod_has_one_verdict(problem in random::problem()) {
        let plan = greedy(&problem)?;
        let launched = list(&plan, "launches").iter().flat_map(|l| list(l, "pods"));
        let named = ["bindings", "unschedulable"].into_iter().flat_map(|k| list(&plan, k));
        let mut verdicts: Vec<&str> =
            launched.chain(named.map(|v| &v["pod"])).map(|v| v.as_str().unwrap()).collect();
        verdicts.sort_unstable();
        let oracle = Oracle::new(&problem, 0, true);
        let mut pods: Vec<&str> = oracle.names().collect();
        pods.sort_unstable();
        prop_assert_eq!(verdicts, pods);
        for pod in list(&plan, "unschedulable") {
            prop_assert!(!list(pod, "reasons").is_empty(), "{} without a reason", pod["pod"]);
        }
    }

    #[test]
    fn the_bound_is_below_the_optimum_and_that_below_the_plan(problem in random::problem()) {
        let oracle = Oracle::new(&problem, 0, true);
        let plan = greedy(&problem)?;
        let optimum = oracle.cheapest_like(&oracle.places(&plan));
        let bound = nanos(&plan["cost"]["lowerBound"]);
        let optimum = optimum.expect("the plan itself is one");
        prop_assert!(bound <= optimum, "bound {bound} above the optimum {optimum}: {plan}");
        prop_assert!(optimum <= total(&plan), "cheaper than the optimum {optimum}: {plan}");
        if plan["cost"]["proof"] == "optimal" {
            prop_assert_eq!(optimum, total(&plan));
        }
    }

    #[test]
    fn a_pod_that_fits_nowhere_is_left_out_and_one_that_always_fits_is_not(
        problem in random::problem(),
    ) {
        let oracle = Oracle::new(&problem, 0, true);
        for (pod, place) in oracle.places(&greedy(&problem)?).into_iter().enumerate() {
            let (alone, sure) = (oracle.has_place_alone(pod), oracle.can_always_be_launched(pod));
            prop_assert!(alone || place == Place::None, "pod {pod} fits nowhere, yet has a place");
            prop_assert!(!sure || place != Place::None, "pod {pod} was left out without need");
        }
    }

    #[test]
    fn no_more_pods_of_the_highest_priority_are_placed_than_can_be(problem in random::problem()) {
        let oracle = Oracle::new(&problem, 0, true);
        let missing = oracle.missing(&oracle.places(&greedy(&problem)?));
        prop_assert!(missing >= oracle.best().missing, "more are placed than can be");
    }

    #[test]
    fn no_pod_that_is_left_out_could_be_added(problem in random::problem()) {
        let oracle = Oracle::new(&problem, 0, true);
        let plan = greedy(&problem)?;
        prop_assert_eq!(oracle.addable(&plan), None, "{}", plan);
    }

    #[test]
    fn greedy_is_no_dearer_than_first_fit(problem in random::problem()) {
        let oracle = Oracle::new(&problem, 0, true);
        let (ours, plain) = (greedy(&problem)?, first_fit(&problem)?);
        if oracle.places(&ours) == oracle.places(&plain) {
            prop_assert!(total(&ours) <= total(&plain), "{ours}\nfirst fit: {plain}");
        }
    }

    #[test]
    fn prices_in_another_unit_cost_as_much(problem in random::problem(), times in 2..=7_i64) {
        let mut dearer = problem.clone();
        for offering in offerings(&mut dearer) {
            let price = nanos(&offering["price"]) * i128::from(times);
            let text = format!("{}.{:09}", price / 1_000_000_000, price % 1_000_000_000);
            offering["price"] = serde_json::from_str(&text).unwrap();
        }
        let (before, after) = (greedy(&problem)?, greedy(&dearer)?);
        prop_assert_eq!(total(&before) * i128::from(times), total(&after));
        prop_assert_eq!(placements(&before), placements(&after));
    }

    #[test]
    fn a_type_that_no_pool_can_use_changes_nothing(problem in random::problem()) {
        let mut more = problem.clone();
        let names: Vec<Value> = list(&problem, "instanceTypes").iter().map(|t| t["name"].clone()).collect();
        for pool in more["nodePools"].as_array_mut().unwrap() {
            if pool.get("instanceTypes").is_none() {
                pool["instanceTypes"] = json!(names);
            }
        }
        let before = planned_text(&more, &options())?;
        let mut unused = list(&more, "instanceTypes")[0].clone();
        unused["name"] = json!("unused");
        more["instanceTypes"].as_array_mut().unwrap().push(unused);
        let without_counts = |text: &str| -> Value {
            let mut plan: Value = serde_json::from_str(text).unwrap();
            plan["stats"] = Value::Null;
            plan
        };
        let after = planned_text(&more, &options())?;
        prop_assert_eq!(without_counts(&before), without_counts(&after));
    }

    #[test]
    fn a_twin_that_is_sold_out_changes_nothing(problem in random::problem()) {
        let mut twins = problem.clone();
        for offering in offerings(&mut twins) {
            offering["available"] = json!(false);
        }
        let mut twins = twins["instanceTypes"].as_array().unwrap().clone();
        for twin in &mut twins {
            twin["name"] = json!(format!("{}-twin", twin["name"].as_str().unwrap()));
        }
        let mut more = problem.clone();
        more["instanceTypes"].as_array_mut().unwrap().extend(twins);
        let (before, after) = (greedy(&problem)?, greedy(&more)?);
        prop_assert_eq!(total(&before), total(&after));
        prop_assert_eq!(placements(&before), placements(&after));
    }
}

fn offerings(problem: &mut Value) -> impl Iterator<Item = &mut Value> {
    let types = problem["instanceTypes"].as_array_mut().unwrap().iter_mut();
    types.flat_map(|t| t["offerings"].as_array_mut().unwrap())
}

/// A generator that never makes what a law is about proves nothing.
#[test]
fn random_problems_reach_every_rule_and_every_outcome() {
    const SAMPLES: usize = 600;
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..SAMPLES {
        let problem = random::problem().new_tree(&mut runner).unwrap().current();
        for kind in kinds(&problem).into_iter().chain(outcomes(&problem)) {
            *seen.entry(kind).or_default() += 1;
        }
    }
    let rare: Vec<_> = ALL_KINDS
        .iter()
        .map(|kind| (kind, seen.get(kind).copied().unwrap_or(0)))
        .filter(|(_, times)| times * 20 < SAMPLES)
        .collect();
    assert!(rare.is_empty(), "of {SAMPLES} samples, too few have {rare:?}");
}

const ALL_KINDS: [&str; 29] = [
    "anti-affinity",
    "bound to a node",
    "bound pods",
    "daemon sets",
    "deleting node",
    "different weights",
    "everything placed",
    "existing nodes",
    "extended resource",
    "host ports",
    "in-flight node",
    "joined launch",
    "left out although it fits alone",
    "limits",
    "minimum of values",
    "more than one pool bought",
    "node affinity",
    "node selector",
    "old label key",
    "pool label",
    "pool requirement",
    "priorities",
    "reservation used",
    "reservations",
    "several launches",
    "tainted pool",
    "type list",
    "unplaced",
    "volumes",
];

/// The kinds of rules in a problem.
fn kinds(problem: &Value) -> Vec<&'static str> {
    let (pods, pools, nodes) =
        (list(problem, "pods"), list(problem, "nodePools"), list(problem, "nodes"));
    let offers = || list(problem, "instanceTypes").iter().flat_map(|t| list(t, "offerings"));
    let weights: BTreeSet<i64> = pools.iter().map(|p| p["weight"].as_i64().unwrap_or(0)).collect();
    let pod = |key: &str| pods.iter().any(|p| p.get(key).is_some());
    let pool = |key: &str| pools.iter().any(|p| p.get(key).is_some());
    let text = problem.to_string();
    let facts = [
        ("anti-affinity", text.contains("podAntiAffinity")),
        ("bound pods", pod("nodeName")),
        ("daemon sets", !list(problem, "daemonSets").is_empty()),
        ("deleting node", nodes.iter().any(|n| n["deleting"] == true)),
        ("different weights", weights.len() > 1),
        ("existing nodes", !nodes.is_empty()),
        ("extended resource", pods.iter().any(|p| p["requests"].get("nvidia.com/gpu").is_some())),
        ("host ports", pod("hostPorts")),
        ("in-flight node", nodes.iter().any(|n| n["initialized"] == false)),
        ("limits", pool("limits")),
        ("minimum of values", text.contains("minValues")),
        ("node affinity", text.contains("nodeAffinity")),
        ("node selector", pod("nodeSelector")),
        ("old label key", text.contains("failure-domain.beta")),
        ("pool label", pools.iter().any(|p| p["labels"].get("team").is_some())),
        ("pool requirement", pool("requirements")),
        ("priorities", pod("priority")),
        ("reservations", offers().any(|o| o.get("reservation").is_some())),
        ("tainted pool", pool("taints")),
        ("type list", pool("instanceTypes")),
        ("volumes", pod("volumes")),
    ];
    facts.into_iter().filter(|(_, is)| *is).map(|(kind, _)| kind).collect()
}

/// What becomes of a problem.
fn outcomes(problem: &Value) -> Vec<&'static str> {
    let read = Problem::from_json(&problem.to_string()).unwrap();
    let plan = provision(&read, &options()).unwrap().to_json();
    let plan = tree(&plan);
    let oracle = Oracle::new(problem, 0, true);
    let launches = list(&plan, "launches");
    let bought: BTreeSet<_> = launches.iter().map(|l| l["nodePool"].as_str()).collect();
    let scarce = oracle
        .places(&plan)
        .into_iter()
        .enumerate()
        .any(|(pod, place)| place == Place::None && oracle.has_place_alone(pod));
    let facts = [
        ("bound to a node", !list(&plan, "bindings").is_empty()),
        ("everything placed", list(&plan, "unschedulable").is_empty()),
        ("joined launch", launches.iter().any(|l| list(l, "pods").len() > 1)),
        ("left out although it fits alone", scarce),
        ("more than one pool bought", bought.len() > 1),
        ("reservation used", launches.iter().any(|l| l["offering"]["reservation"].is_string())),
        ("several launches", launches.len() > 1),
        ("unplaced", !list(&plan, "unschedulable").is_empty()),
    ];
    facts.into_iter().filter(|(_, is)| *is).map(|(kind, _)| kind).collect()
}
