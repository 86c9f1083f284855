//! Random rules between pods, preferences and placeholders, put on the pods of a random problem.

use super::{CAPACITY_TYPE, HOSTNAME, REQUIRED, ZONE};
use proptest::prelude::*;
use serde_json::{Value, json};

const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const APPS: [&str; 3] = ["x", "y", "z"];
const KEYS: [&str; 6] = [ZONE, ZONE, HOSTNAME, HOSTNAME, CAPACITY_TYPE, "example.com/family"];

/// A rule as numbers, each taken modulo what there is to choose from.
type Rule = (u32, usize, usize, u32, u32);

/// A random problem whose pods have rules about each other.
pub(crate) fn problem() -> impl Strategy<Value = Value> {
    let rule = (0..15_u32, 0..KEYS.len(), 0..5_usize, 0..3_u32, 0..100_u32);
    let rules = prop::collection::vec(prop::collection::vec(rule, 0..=2), 6);
    (super::problem(), rules, 0..12_u32).prop_map(|(mut problem, rules, soft)| {
        let pods = problem["pods"].as_array_mut().unwrap();
        for (pod, rules) in pods.iter_mut().zip(rules) {
            rules.into_iter().for_each(|rule| add(pod, rule));
        }
        if soft == 0 {
            let taint = json!({ "key": "crowded", "effect": "PreferNoSchedule" });
            let pool = &mut problem["nodePools"][0];
            if pool["taints"].is_null() {
                pool["taints"] = json!([]);
            }
            pool["taints"].as_array_mut().unwrap().push(taint);
        }
        if soft == 1 {
            let pool = problem["nodePools"].as_array_mut().unwrap().last_mut().unwrap();
            let dynamic = pool["limits"].is_null() && pool["weight"].is_null();
            if dynamic {
                pool["replicas"] = json!(2);
            }
        }
        problem
    })
}

fn add(pod: &mut Value, (kind, key, whom, number, policy): Rule) {
    let bound = !pod["nodeName"].is_null();
    let own = pod["labels"]["app"].as_str().unwrap().to_string();
    let app = APPS.get(whom).map_or(own, ToString::to_string);
    let selector = json!({ "matchLabels": { "app": app } });
    let term = json!({ "topologyKey": KEYS[key], "labelSelector": selector });
    let weighted =
        json!({ "weight": ([1, 10, 100][number as usize]), "podAffinityTerm": term.clone() });
    let mut push = |path: [&str; 2], value: Value| {
        if pod["affinity"].is_null() {
            pod["affinity"] = json!({});
        }
        let rules = &mut pod["affinity"][path[0]];
        if rules.is_null() {
            *rules = json!({});
        }
        if rules[path[1]].is_null() {
            rules[path[1]] = json!([]);
        }
        rules[path[1]].as_array_mut().unwrap().push(value);
    };
    match kind {
        0..=3 | 13 => {
            if bound {
                return;
            }
            let when = if kind < 3 { "DoNotSchedule" } else { "ScheduleAnyway" };
            let mut spread = json!({
                "topologyKey": KEYS[key],
                "maxSkew": 1 + number % 2,
                "whenUnsatisfiable": when,
                "labelSelector": selector,
            });
            if policy < 10 && kind < 3 {
                spread["minDomains"] = json!(2);
            }
            if (10..30).contains(&policy) {
                spread["nodeTaintsPolicy"] = json!("Honor");
            }
            if (30..45).contains(&policy) {
                spread["nodeAffinityPolicy"] = json!("Ignore");
            }
            let all = &mut pod["topologySpreadConstraints"];
            if all.is_null() {
                *all = json!([]);
            }
            // Kubernetes allows one constraint for each key and kind.
            let same = |one: &Value| {
                one["topologyKey"] == spread["topologyKey"]
                    && one["whenUnsatisfiable"] == spread["whenUnsatisfiable"]
            };
            if !all.as_array().unwrap().iter().any(same) {
                all.as_array_mut().unwrap().push(spread);
            }
        }
        4..=6 if !bound => push(["podAffinity", REQUIRED], term),
        7..=8 => push(["podAntiAffinity", REQUIRED], term),
        9 if !bound => push(["podAffinity", PREFERRED], weighted),
        10 if !bound => push(["podAntiAffinity", PREFERRED], weighted),
        11 | 12 if !bound => {
            let values = [["a"], ["b"], ["c"]][number as usize];
            let wanted = json!({ "key": ZONE, "operator": "In", "values": values });
            let preference = json!({ "matchExpressions": [wanted] });
            push(
                ["nodeAffinity", PREFERRED],
                json!({ "weight": 1 + policy, "preference": preference }),
            );
        }
        14 if !bound && policy < 50 => {
            let word = if policy < 30 { "free" } else { "launch" };
            pod["annotations"] = json!({ "plimsoll.dev/placeholder": word });
        }
        _ => {}
    }
}
