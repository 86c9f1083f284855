//! Why nodes stay: with what is blamed out of the way, it is blamed no more.

use super::laws::{options, seeds};
use super::random::{Spec, cluster};
use super::verified;
use plimsoll::Options;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The entries of a list that are about a name.
fn each<'v>(
    problem: &'v mut Value,
    list: &str,
    key: &'v str,
    name: &'v Value,
) -> impl Iterator<Item = &'v mut Value> {
    let list = problem[list].as_array_mut().unwrap().iter_mut();
    list.filter(move |one| one[key] == *name)
}

/// Lifts what a reason blames; false where that can't be lifted.
fn lift(problem: &mut Value, options: &mut Options, node: &Value, reason: &Value) -> bool {
    let mut set = |key: &str, value: Value| {
        each(problem, "nodes", "name", node).for_each(|node| node[key] = value.clone());
        true
    };
    let terms = &mut options.consolidation;
    match reason["code"].as_str().unwrap() {
        "do-not-disrupt" => set("doNotDisrupt", json!(false)),
        "nominated" => set("nominated", json!(false)),
        "not-initialized" => set("initialized", json!(true)),
        "not-consolidatable" => set("consolidatable", json!(true)),
        "deleting" => set("deleting", json!(false)),
        "bare-pod" => {
            terms.bare_pods_move = true;
            true
        }
        "move-limit" => {
            terms.max_moves = None;
            true
        }
        "few-spot-types" => {
            terms.spot_flexibility = 1;
            true
        }
        "saves-too-little" => {
            terms.minimum_saving = 0;
            reason["savings"].as_f64().unwrap() > 0.0
        }
        "pod-do-not-disrupt" => {
            let pods = each(problem, "pods", "nodeName", node);
            pods.for_each(|pod| pod["doNotDisrupt"] = json!(false));
            true
        }
        "disruption-budget" => {
            let budgets = problem["podDisruptionBudgets"].as_array_mut().unwrap();
            budgets.iter_mut().for_each(|budget| budget["disruptionsAllowed"] = json!(100));
            true
        }
        "consolidate-never" | "when-empty" | "node-budget" | "unbalanced" => {
            let free = json!({ "budgets": [{ "nodes": "100%" }] });
            let pools = problem["nodePools"].as_array_mut().unwrap();
            pools.iter_mut().for_each(|pool| pool["disruption"] = free.clone());
            true
        }
        _ => false,
    }
}

/// What holds a node holds it no more when it is lifted: the node goes, or stays for something else.
#[test]
fn what_is_lifted_is_blamed_no_more() {
    let mut counts: BTreeMap<String, (u32, u32, u32)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for seed in seeds(150) {
        let problem = cluster(seed, Spec::SMALL);
        let options = options(seed);
        let (plan, _) = verified(&problem, &options).unwrap_or_else(|e| panic!("{e}"));
        let plan: Value = serde_json::from_str(&plan.to_json()).unwrap();
        for kept in plan["keep"].as_array().unwrap() {
            let [reason] = &kept["reasons"].as_array().unwrap()[..] else { continue };
            let (mut lifted, mut terms) = (problem.clone(), options.clone());
            if !lift(&mut lifted, &mut terms, &kept["node"], reason) {
                continue;
            }
            let (again, _) = verified(&lifted, &terms).unwrap_or_else(|e| panic!("{e}"));
            let again: Value = serde_json::from_str(&again.to_json()).unwrap();
            let code = reason["code"].as_str().unwrap();
            let count = counts.entry(code.into()).or_default();
            count.0 += 1;
            let stays = again["keep"].as_array().unwrap().iter();
            let stays = stays.into_iter().find(|one| one["node"] == kept["node"]);
            let Some(stays) = stays else {
                count.1 += 1;
                continue;
            };
            let mut reasons = stays["reasons"].as_array().unwrap().iter();
            if reasons.any(|one| one["code"] == code) {
                count.2 += 1;
                wrong.push(format!(
                    "seed {seed}: {} is held by {reason}, then by {stays}",
                    kept["node"]
                ));
            }
        }
    }
    println!("by code: lifted, gone then, still blamed: {counts:#?}");
    assert!(wrong.is_empty(), "{} are blamed again:\n{}", wrong.len(), wrong.join("\n"));
    let (all, gone) = counts.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert!(all > 100 && gone > 30, "{gone} of {all} go");
}
