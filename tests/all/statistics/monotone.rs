//! The law that more never places fewer: with a limit lifted, a node, an offering or a reserved
//! machine more, no plan leaves more pods out, those of the highest priority counted first.
//!
//! A new domain may hold pods back, as kube-scheduler has it: where the best plan leaves more out
//! as well, nothing is held against ours.

use super::{EFFORTS, asked, planned};
use crate::oracle::Oracle;
use crate::random::scarce;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ZONE: &str = "topology.kubernetes.io/zone";
const CAPACITY_TYPE: &str = "karpenter.sh/capacity-type";

/// The problem with more of something, by what that is.
fn with_more(problem: &Value) -> Vec<(&'static str, Value)> {
    let pools = |problem: &mut Value, change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
        let pools = problem["nodePools"].as_array_mut().unwrap();
        pools.iter_mut().for_each(|pool| change(pool.as_object_mut().unwrap()));
    };
    let mut unlimited = problem.clone();
    pools(&mut unlimited, &|pool| {
        let _limits = pool.remove("limits");
    });
    let mut higher = problem.clone();
    pools(&mut higher, &|pool| {
        let nodes = pool.get_mut("limits").and_then(|limits| limits.get_mut("nodes"));
        if let Some(nodes) = nodes {
            *nodes = json!(nodes.as_u64().unwrap() + 1);
        }
    });
    let offered = &problem["instanceTypes"][0];
    let zone = &offered["offerings"][0]["zone"];
    let mut node = problem.clone();
    node["nodes"].as_array_mut().unwrap().push(json!({
        "name": "more", "labels": { ZONE: zone, CAPACITY_TYPE: "on-demand" },
        "allocatable": offered["capacity"],
    }));
    let mut offering = problem.clone();
    for one in offering["instanceTypes"].as_array_mut().unwrap() {
        let more = json!({ "zone": zone, "capacityType": "spot", "price": 0.00001 });
        let offerings = one["offerings"].as_array_mut().unwrap();
        let known = |of: &Value| of["zone"] == *zone && of["capacityType"] == "spot";
        if !offerings.iter().any(known) {
            offerings.push(more);
        }
    }
    let mut reserved = problem.clone();
    for one in reserved["instanceTypes"].as_array_mut().unwrap() {
        for offering in one["offerings"].as_array_mut().unwrap() {
            if let Some(remaining) = offering["reservation"]["remaining"].as_u64() {
                offering["reservation"]["remaining"] = json!(remaining + 1);
            } else {
                let _null = offering.as_object_mut().unwrap().remove("reservation");
            }
        }
    }
    let all = [unlimited, higher, node, offering, reserved];
    let names = ["unlimited", "a node higher", "a node", "an offering", "reserved"];
    names.into_iter().zip(all).filter(|(_, more)| more != problem).collect()
}

/// How many pods of each priority a plan leaves out; nothing where it isn't legal.
fn missing(problem: &Value, refine: bool) -> Option<Vec<usize>> {
    let plan = planned(problem, refine).ok()?;
    let oracle = Oracle::new(problem, 0, true);
    Some(oracle.missing(&oracle.places(&plan)))
}

#[test]
fn more_never_places_fewer() {
    let (problems, seed) = (asked("STATISTICS_PROBLEMS", 150), asked("STATISTICS_SEED", 1));
    let pods = u32::try_from(asked("STATISTICS_PODS", 8)).unwrap();
    let directory = std::env::var("STATISTICS_KEEP").ok();
    let mut broken: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let mut compared = 0_u32;
    for number in 0..problems {
        let number = seed.wrapping_mul(1_000_003).wrapping_add(number);
        let problem = scarce::made_from(number, pods);
        for (at, effort) in EFFORTS.into_iter().enumerate() {
            let before = missing(&problem, at == 1).unwrap();
            for (what, more) in with_more(&problem) {
                let after = missing(&more, at == 1).unwrap();
                compared += 1;
                if after <= before {
                    continue;
                }
                let best = Oracle::new(&more, 0, true).try_best();
                if best.is_ok_and(|best| best.missing >= after) {
                    continue;
                }
                println!("{number}, {what}, {effort}: {before:?} and with more {after:?}");
                *broken.entry((what, effort)).or_insert(0) += 1;
                if let Some(directory) = &directory {
                    let path = format!("{directory}/more-{effort}-{number}.json");
                    std::fs::write(path, more.to_string()).unwrap();
                }
            }
        }
    }
    println!("{compared} compared, broken: {broken:?}");
    let broken: u32 = broken.values().sum();
    assert!(broken * 1_000 <= compared, "{broken} of {compared}");
}
