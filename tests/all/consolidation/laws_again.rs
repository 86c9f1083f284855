//! Laws of planning again: from what a plan leaves behind, from its first wave, from other prices,
//! and from a cluster that was launched just now.

use super::laws::{options, seeds};
use super::outcome::outcome;
use super::random::{Spec, cluster};
use super::verified;
use plimsoll::{Options, Problem, provision};
use plimsoll_testdata::SplitMix64;
use serde_json::{Value, json};

/// Clusters without preferences, pending pods and what holds pods and nodes for a while.
const PLAIN: Spec = Spec { plain: true, ..Spec::SMALL };

fn planned(problem: &Value, options: &Options) -> Value {
    let (plan, _) = verified(problem, options).unwrap_or_else(|e| panic!("{e}"));
    serde_json::from_str(&plan.to_json()).unwrap()
}

fn has_actions(plan: &Value) -> bool {
    !plan["actions"].as_array().unwrap().is_empty()
}

/// Consolidating what a consolidation leaves behind finds nothing.
#[test]
fn most_outcomes_stay_as_they_are() {
    let (mut settled, mut all) = (0, 0);
    for seed in seeds(150) {
        let problem = cluster(seed, PLAIN);
        let plan = planned(&problem, &Options::default());
        let again = planned(&outcome(&problem, &plan), &Options::default());
        all += 1;
        settled += u32::from(!has_actions(&again));
        if has_actions(&again) {
            println!("seed {seed}: {} stuck: {}", plan["stats"]["stuckNodes"], again["actions"]);
        }
    }
    println!("{settled} of {all} outcomes stay");
    assert!(settled * 100 >= all * 97, "{settled} of {all}");
}

/// Prices that move by a fiftieth up or down move nothing where a saving must be larger than before
/// by twice as much.
#[test]
fn most_outcomes_stay_when_prices_move_a_little() {
    let (mut settled, mut all) = (0, 0);
    for seed in seeds(150) {
        let problem = cluster(seed, PLAIN);
        let plan = planned(&problem, &Options::default());
        let mut after = outcome(&problem, &plan);
        let mut random = SplitMix64::new(seed);
        for ty in after["instanceTypes"].as_array_mut().unwrap() {
            for offering in ty["offerings"].as_array_mut().unwrap() {
                let price = offering["price"].as_f64().unwrap();
                #[allow(clippy::cast_precision_loss, reason = "a number of permilles")]
                let factor = 0.98 + 0.001 * random.below(41) as f64;
                offering["price"] = json!((price * factor * 1e6).round() / 1e6);
            }
        }
        let mut stricter = Options::default();
        stricter.consolidation.minimum_saving += 40_000_000;
        let again = planned(&after, &stricter);
        all += 1;
        settled += u32::from(!has_actions(&again));
    }
    println!("{settled} of {all} outcomes stay at other prices");
    assert!(settled * 100 >= all * 97, "{settled} of {all}");
}

/// What is left to do after the first wave leads no less far than the whole plan.
#[test]
fn the_first_wave_can_be_carried_out_alone() {
    let (mut worse, mut all) = (0, 0);
    for seed in seeds(200) {
        let problem = cluster(seed, Spec { plain: seed % 2 == 0, ..Spec::MIDDLE });
        let mut options = options(seed);
        options.consolidation.max_moves = None;
        let (plan, found) = verified(&problem, &options).unwrap_or_else(|e| panic!("{e}"));
        if found.waves() < 2 {
            continue;
        }
        let mut first: Value = serde_json::from_str(&plan.to_json()).unwrap();
        first["actions"].as_array_mut().unwrap().retain(|action| action["wave"] == 1);
        let (_, again) =
            verified(&outcome(&problem, &first), &options).unwrap_or_else(|e| panic!("{e}"));
        all += 1;
        if again.cost_after() > found.cost_after() {
            worse += 1;
            println!("seed {seed}: {} instead of {}", again.cost_after(), found.cost_after());
        }
    }
    println!("{worse} of {all} end dearer when planned anew after the first wave");
    assert!(all > 20, "only {all} plans have several waves");
    assert!(worse * 7 <= all, "{worse} of {all}");
}

/// A cluster that was launched just now needs no consolidation.
#[test]
fn most_fresh_launches_stay_as_they_are() {
    let (mut settled, mut all) = (0, 0);
    for seed in seeds(150) {
        let mut problem = cluster(seed, PLAIN);
        problem["nodes"] = json!([]);
        let pods = problem["pods"].as_array_mut().unwrap();
        pods.retain(|pod| pod["ownerKind"] != "DaemonSet");
        for pod in pods {
            let pod = pod.as_object_mut().unwrap();
            pod.remove("nodeName");
            pod.remove("recreatedRequests");
        }
        let read = Problem::from_json(&problem.to_string()).unwrap();
        let plan = provision(&read, &Options::default()).unwrap();
        let mut plan: Value = serde_json::from_str(&plan.to_json()).unwrap();
        let launches = plan["launches"].take();
        let named = launches.as_array().unwrap().iter().enumerate().map(|(at, launch)| {
            let mut launch = launch.clone();
            launch["name"] = json!(format!("fresh-{at}"));
            launch
        });
        let launches: Vec<Value> = named.collect();
        plan["actions"] = json!([{ "wave": 1, "launches": launches, "delete": [] }]);
        let again = planned(&outcome(&problem, &plan), &Options::default());
        all += 1;
        settled += u32::from(!has_actions(&again));
        if has_actions(&again) {
            println!("seed {seed} goes on: {}", again["actions"]);
        }
    }
    println!("{settled} of {all} fresh clusters stay");
    assert!(settled * 100 >= all * 97, "{settled} of {all}");
}
