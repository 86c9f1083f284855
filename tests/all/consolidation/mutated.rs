//! Plans of random clusters with one thing changed: each is refused, and nothing panics on any.

use super::laws::{options, seeds};
use super::random::{Spec, cluster};
use super::verified;
use plimsoll::plan::ConsolidationPlan;
use plimsoll::{Problem, verify_consolidation};
use plimsoll_testdata::SplitMix64;
use serde_json::{Value, json};

/// Some number below another.
fn below(random: &mut SplitMix64, bound: usize) -> usize {
    usize::try_from(random.below(bound as u64)).unwrap()
}

/// One of the bindings of an action that deletes nodes, by the positions of both; nothing where
/// there is none.
fn some_binding(plan: &Value, random: &mut SplitMix64) -> Option<(usize, usize)> {
    let actions = plan["actions"].as_array().unwrap().iter().enumerate();
    let all: Vec<(usize, usize)> = actions
        .flat_map(|(at, action)| {
            let bindings = action["bindings"].as_array().map_or(0, Vec::len);
            let deletes = action["delete"].as_array().is_some_and(|nodes| !nodes.is_empty());
            (0..if deletes { bindings } else { 0 }).map(move |binding| (at, binding))
        })
        .collect();
    (!all.is_empty()).then(|| all[below(random, all.len())])
}

/// Changes a plan so that it breaks a rule; false where it has nothing of the kind.
type Mutation = fn(&mut Value, &mut SplitMix64) -> bool;

const MUTATIONS: [(&str, Mutation); 14] = [
    ("a binding is left out", |plan, random| {
        let Some((action, binding)) = some_binding(plan, random) else { return false };
        plan["actions"][action]["bindings"].as_array_mut().unwrap().remove(binding);
        true
    }),
    ("a pod is bound twice", |plan, random| {
        let Some((action, binding)) = some_binding(plan, random) else { return false };
        let bindings = plan["actions"][action]["bindings"].as_array_mut().unwrap();
        let again = bindings[binding].clone();
        bindings.push(again);
        true
    }),
    ("a pod goes to a node that is deleted", |plan, random| {
        let Some((action, binding)) = some_binding(plan, random) else { return false };
        let node = plan["actions"][action]["delete"][0].clone();
        plan["actions"][action]["bindings"][binding]["node"] = node;
        true
    }),
    ("a pod goes to a node that nobody knows", |plan, random| {
        let Some((action, binding)) = some_binding(plan, random) else { return false };
        plan["actions"][action]["bindings"][binding]["node"] = json!("nowhere");
        true
    }),
    ("a pod that nobody knows is bound", |plan, random| {
        let Some((action, binding)) = some_binding(plan, random) else { return false };
        plan["actions"][action]["bindings"][binding]["pod"] = json!("default/nobody");
        true
    }),
    ("a wave is skipped", |plan, _| {
        let actions = plan["actions"].as_array_mut().unwrap();
        let Some(last) = actions.last_mut() else { return false };
        last["wave"] = json!(last["wave"].as_u64().unwrap() + 2);
        true
    }),
    ("an action is done twice", |plan, _| {
        let actions = plan["actions"].as_array_mut().unwrap();
        let Some(last) = actions.last().cloned() else { return false };
        actions.push(last);
        true
    }),
    ("savings are claimed", |plan, random| {
        let actions = plan["actions"].as_array_mut().unwrap();
        if actions.is_empty() {
            return false;
        }
        let at = below(random, actions.len());
        actions[at]["savings"] = json!(123.5);
        true
    }),
    ("moving costs nothing", |plan, random| {
        let actions = plan["actions"].as_array_mut().unwrap();
        let dear: Vec<usize> = (0..actions.len())
            .filter(|at| actions[*at]["disruptionCost"].as_f64() != Some(0.0))
            .collect();
        if dear.is_empty() {
            return false;
        }
        actions[dear[below(random, dear.len())]]["disruptionCost"] = json!(0);
        true
    }),
    ("a kept node isn't mentioned", |plan, random| {
        let kept = plan["keep"].as_array_mut().unwrap();
        if kept.is_empty() {
            return false;
        }
        let at = below(random, kept.len());
        kept.remove(at);
        true
    }),
    ("a kept node goes for another reason than any", |plan, random| {
        let (kept, actions) = (plan["keep"].as_array().unwrap().len(), &plan["actions"]);
        if kept == 0 || actions.as_array().unwrap().is_empty() {
            return false;
        }
        // Whatever it holds, and whether or not it may go: its price isn't in the sums.
        let node = plan["keep"].as_array_mut().unwrap().remove(below(random, kept));
        plan["actions"][0]["delete"].as_array_mut().unwrap().push(node["node"].clone());
        plan["cost"]["after"] = json!(12_345);
        true
    }),
    ("more pods move than are said to", |plan, _| {
        plan["moved"] = json!(plan["moved"].as_u64().unwrap() + 1);
        true
    }),
    ("it costs less in the end than it does", |plan, _| {
        plan["cost"]["after"] = json!(plan["cost"]["after"].as_f64().unwrap() + 1.0);
        true
    }),
    ("a launch is called like a node", |plan, random| {
        let kept = plan["keep"].as_array().unwrap();
        if kept.is_empty() {
            return false;
        }
        let node = kept[below(random, kept.len())]["node"].clone();
        let launches = plan["actions"].as_array_mut().unwrap().iter_mut();
        let mut launches = launches.flat_map(|action| action["launches"].as_array_mut().unwrap());
        let Some(launch) = launches.next() else { return false };
        launch["name"] = node;
        true
    }),
];

#[test]
fn a_plan_with_one_thing_changed_is_refused() {
    let mut tried = [0; MUTATIONS.len()];
    for seed in seeds(120) {
        let problem = cluster(seed, Spec::SMALL);
        let options = options(seed);
        let (plan, _) = verified(&problem, &options).unwrap_or_else(|e| panic!("{e}"));
        let plan: Value = serde_json::from_str(&plan.to_json()).unwrap();
        let read = Problem::from_json(&problem.to_string()).unwrap();
        let mut random = SplitMix64::new(seed);
        for (at, (what, mutate)) in MUTATIONS.iter().enumerate() {
            let mut mutated = plan.clone();
            if !mutate(&mut mutated, &mut random) {
                continue;
            }
            let mutated = ConsolidationPlan::from_json(&mutated.to_string()).unwrap();
            let found = verify_consolidation(&read, &mutated, &options.consolidation);
            assert!(found.is_err(), "seed {seed}: {what}, and it is accepted");
            tried[at] += 1;
        }
    }
    for ((what, _), tried) in MUTATIONS.iter().zip(tried) {
        assert!(tried >= 10, "{what}: only {tried} plans have it");
    }
}

/// A text, a number or a list of a document, changed at random.
fn scramble(value: &mut Value, random: &mut SplitMix64, names: &[Value]) {
    match value {
        Value::Array(list) if !list.is_empty() => {
            let at = below(random, list.len());
            match random.below(6) {
                0 => drop(list.remove(at)),
                1 => {
                    let again = list[at].clone();
                    list.push(again);
                }
                2 => list.reverse(),
                _ => scramble(&mut list[at], random, names),
            }
        }
        Value::Object(map) if !map.is_empty() => {
            let at = below(random, map.len());
            let field = map.values_mut().nth(at).unwrap();
            scramble(field, random, names);
        }
        Value::String(_) if !names.is_empty() => *value = names[below(random, names.len())].clone(),
        Value::Number(_) => *value = json!(random.below(4)),
        _ => {}
    }
}

#[test]
fn nothing_panics_on_any_plan() {
    let (mut read_back, mut refused) = (0, 0);
    for seed in seeds(60) {
        let problem = cluster(seed, Spec::SMALL);
        let options = options(seed);
        let (plan, _) = verified(&problem, &options).unwrap_or_else(|e| panic!("{e}"));
        let plan: Value = serde_json::from_str(&plan.to_json()).unwrap();
        let read = Problem::from_json(&problem.to_string()).unwrap();
        let mut names: Vec<Value> = Vec::new();
        for key in ["nodes", "pods", "nodePools", "instanceTypes"] {
            let prefix = if key == "pods" { "default/" } else { "" };
            let list = problem[key].as_array().unwrap().iter();
            names.extend(
                list.map(|one| json!(format!("{prefix}{}", one["name"].as_str().unwrap()))),
            );
        }
        let mut random = SplitMix64::new(seed);
        for _ in 0..30 {
            let mut mutated = plan.clone();
            for _ in 0..=random.below(3) {
                scramble(&mut mutated, &mut random, &names);
            }
            let Ok(mutated) = ConsolidationPlan::from_json(&mutated.to_string()) else { continue };
            read_back += 1;
            let found = verify_consolidation(&read, &mutated, &options.consolidation);
            refused += u32::from(found.is_err());
        }
    }
    println!("{refused} of {read_back} scrambled plans are refused");
    assert!(read_back > 300, "only {read_back} can be read");
}
