//! Laws of random clusters.
//!
//! `CONSOLIDATION_SEED` in the environment asks for other clusters, `CONSOLIDATION_CLUSTERS` for
//! more.

use super::random::{Spec, cluster};
use super::verified;
use crate::oracle::{Oracle, nanos};
use crate::order;
use plimsoll::{Options, PreferencePolicy};
use serde_json::{Value, json};

/// Seeds of so many clusters, unless the environment says otherwise.
pub(super) fn seeds(count: u64) -> std::ops::Range<u64> {
    let of = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = of("CONSOLIDATION_SEED").unwrap_or(1);
    first..first + of("CONSOLIDATION_CLUSTERS").unwrap_or(count)
}

/// What is asked of the solver for a cluster: something else for each.
pub(super) fn options(seed: u64) -> Options {
    let mut options = Options::default();
    let terms = &mut options.consolidation;
    terms.spot_flexibility = if seed.is_multiple_of(2) { 1 } else { 2 };
    terms.bare_pods_move = seed.is_multiple_of(3);
    terms.max_moves = (seed % 5 == 1).then_some(3);
    terms.max_surge = (seed % 7 == 1).then_some(1);
    // A Wednesday in January 2026, 10:00 or 20:00.
    terms.now = [None, Some(1_768_384_800), Some(1_768_420_800)][(seed % 3) as usize];
    terms.minimum_saving = if seed % 4 == 3 { 0 } else { 100_000_000 };
    if seed.is_multiple_of(2) {
        options.preferences = PreferencePolicy::Ignore;
    }
    options
}

/// Every plan can be carried out, says nothing untrue, and no consolidation of it loses money.
#[test]
fn plans_of_random_clusters_can_be_carried_out() {
    let small = seeds(300).map(|seed| (seed, Spec::SMALL));
    let middle = seeds(20).map(|seed| (seed, Spec::MIDDLE));
    let mut wrong = Vec::new();
    let (mut deleted, mut launched, mut moved) = (0, 0, 0);
    for (seed, spec) in small.chain(middle) {
        let problem = cluster(seed, spec);
        match verified(&problem, &options(seed)) {
            Ok((plan, found)) => {
                deleted += found.deleted();
                launched += found.launched();
                moved += found.moved();
                let loses = |action: &&plimsoll::plan::consolidation::ConsolidationAction| {
                    let forced = matches!(action.reason.word(), "drifted" | "expired" | "pending");
                    !forced && action.savings.is_some_and(|saved| saved.nanos() < 0)
                };
                if let Some(action) = plan.actions().iter().find(loses) {
                    wrong.push(format!("seed {seed}: {action:?}"));
                }
            }
            Err(what) => wrong.push(format!("seed {seed} of {spec:?}: {what}")),
        }
    }
    println!("{deleted} nodes deleted, {launched} launched, {moved} pods moved");
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(deleted > 300 && launched > 30 && moved > 200, "{deleted}, {launched}, {moved}");
}

/// The order of a problem's lists changes nothing.
#[test]
fn plans_of_random_clusters_are_the_same_in_any_order() {
    for seed in seeds(40) {
        let problem = cluster(seed, Spec::SMALL);
        let text = |problem: &Value| {
            let (plan, _) = verified(problem, &options(seed)).unwrap_or_else(|e| panic!("{e}"));
            plan.to_json()
        };
        let plan = text(&problem);
        assert_eq!(text(&order::reordered(&problem, 1)), plan, "seed {seed}");
    }
}

/// Nodes whose pods an action may move, of a plain cluster.
fn movable(problem: &Value) -> Vec<String> {
    let nodes = problem["nodes"].as_array().unwrap().iter();
    let free = nodes.filter(|node| node["doNotDisrupt"].is_null());
    free.map(|node| node["name"].as_str().unwrap().to_string()).collect()
}

/// What the cheapest cluster costs that could be reached with everything tried: which nodes go, and
/// what is bought for their pods. Nothing where there are too many pods to try everything, or where
/// pods have rules between each other or pools have weights: what these allow depends on what went
/// before.
pub(super) fn least(problem: &Value, prices: &[(String, i128)]) -> Option<i128> {
    let mut pools = problem["nodePools"].as_array().unwrap().iter();
    if pools.any(|pool| pool["weight"].as_u64().is_some_and(|weight| weight > 0)) {
        return None;
    }
    let movable = movable(problem);
    let mut least: Option<i128> = None;
    for set in 0_u32..1 << movable.len() {
        let gone: Vec<&String> =
            (0..movable.len()).filter(|at| set & (1 << at) != 0).map(|at| &movable[at]).collect();
        let is_gone = |name: &Value| gone.iter().any(|node| *name == ***node);
        let mut rest = problem.clone();
        let nodes = rest["nodes"].as_array_mut().unwrap();
        nodes.retain(|node| !is_gone(&node["name"]));
        let mut pods = Vec::new();
        for pod in problem["pods"].as_array().unwrap() {
            let mut pod = pod.clone();
            if is_gone(&pod["nodeName"]) {
                if pod["ownerKind"] == "DaemonSet" {
                    continue;
                }
                let map = pod.as_object_mut().unwrap();
                map.remove("nodeName");
                if let Some(requests) = map.remove("recreatedRequests") {
                    map.insert("requests".into(), requests);
                }
            }
            pods.push(pod);
        }
        rest["pods"] = json!(pods);
        if crate::oracle::pending(&rest) > 8 {
            return None;
        }
        let oracle = Oracle::new(&rest, 0, true);
        if oracle.has_rules_between_pods() {
            return None;
        }
        let best = oracle.try_best().ok()?;
        if best.placed < oracle.pending() {
            continue;
        }
        let kept = prices.iter().filter(|(name, _)| !gone.contains(&name));
        let cost = kept.map(|(_, price)| price).sum::<i128>() + best.least;
        least = Some(least.map_or(cost, |least| least.min(cost)));
    }
    least
}

/// Node prices of a plain cluster.
pub(super) fn prices(problem: &Value) -> Vec<(String, i128)> {
    let types = problem["instanceTypes"].as_array().unwrap();
    let price = |node: &Value| {
        let labels = &node["labels"];
        let of_type = |ty: &&Value| ty["name"] == labels["node.kubernetes.io/instance-type"];
        let offerings = types.iter().find(of_type).unwrap()["offerings"].as_array().unwrap();
        let fits = |offering: &&Value| {
            offering["zone"] == labels["topology.kubernetes.io/zone"]
                && offering["capacityType"] == labels["karpenter.sh/capacity-type"]
        };
        nanos(&offerings.iter().find(fits).unwrap()["price"])
    };
    let nodes = problem["nodes"].as_array().unwrap().iter();
    nodes.map(|node| (node["name"].as_str().unwrap().to_string(), price(node))).collect()
}

/// No plan costs less than what trying everything finds, nor does any bound lie above that; most
/// come to the same.
#[test]
fn plain_clusters_end_no_cheaper_than_trying_everything() {
    let (mut compared, mut equal) = (0, 0);
    let (mut ours, mut best, mut before) = (0, 0, 0);
    for seed in seeds(300) {
        let problem = cluster(seed, Spec::TINY);
        let prices = prices(&problem);
        let Some(least) = least(&problem, &prices) else { continue };
        let mut options = Options::default();
        options.consolidation.minimum_saving = 0;
        options.consolidation.spot_flexibility = 1;
        let (plan, found) = verified(&problem, &options).unwrap_or_else(|e| panic!("{e}"));
        let after = found.cost_after().nanos();
        assert!(after >= least, "seed {seed}: {after} is below {least}");
        let bound = plan.cost().lower_bound.nanos();
        assert!(bound <= least, "seed {seed}: the bound {bound} is above {least}");
        compared += 1;
        equal += usize::from(after == least);
        ours += after;
        best += least;
        before += found.cost_before().nanos();
    }
    println!("{equal} of {compared} are the cheapest; {before} -> {ours}, at best {best}");
    assert!(compared >= 100, "only {compared} are small enough");
}
