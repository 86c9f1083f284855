//! Bounds on placed pods: each is accepted by `verify`, none is below what can be placed, and a
//! limit that leaves out whole pods is met.

use crate::oracle::Oracle;
use crate::random::scarce;
use crate::statistics::asked;
use plimsoll::verify::verify_placement_bound;
use plimsoll::{Options, Problem, Solver, provision, verify};
use serde_json::{Value, json};

/// The bound of a problem, as far as it is proved: that may be less than what is stated, since the
/// check leaves out what holds no counted pods.
fn bounded(problem: &Problem) -> u64 {
    let bound = Solver::new(problem).unwrap().placement_bound();
    let proved = verify_placement_bound(problem, &bound).unwrap();
    assert!(proved <= bound.most_placed);
    proved
}

#[test]
fn no_plan_places_more_than_the_bound() {
    let (problems, seed) = (asked("STATISTICS_PROBLEMS", 150), asked("STATISTICS_SEED", 1));
    let (mut met, mut short, mut judged) = (0, 0, 0);
    for number in 0..problems {
        let number = seed.wrapping_mul(1_000_003).wrapping_add(number);
        let problem = scarce::made_from(number, 10);
        let read = Problem::from_json(&problem.to_string()).unwrap();
        let most = bounded(&read);
        let Ok(best) = Oracle::new(&problem, 0, true).try_best() else { continue };
        let placed = u64::try_from(best.placed).unwrap();
        assert!(most >= placed, "{number}: {placed} placed, {most} at most");
        judged += 1;
        let missing: usize = best.missing.iter().sum();
        short += u64::from(missing > 0);
        met += u64::from(missing > 0 && most == placed);
    }
    println!("{judged} judged; pods stay out in {short}, of which the bound is met in {met}");
}

/// Ten pods of one cpu, and what may be launched and what runs.
fn ten(pools: Value, nodes: Value) -> Problem {
    let offering = json!({ "zone": "z1", "capacityType": "on-demand", "price": 0.1 });
    let problem = json!({
        "pods": [{ "name": "web", "replicas": 10, "requests": { "cpu": "1" } }],
        "instanceTypes": [{
            "name": "t", "capacity": { "cpu": "4", "pods": 29 }, "offerings": [offering],
        }],
        "nodePools": pools,
        "nodes": nodes,
    });
    Problem::from_json(&problem.to_string()).unwrap()
}

#[test]
fn what_is_scarce_is_counted_up() {
    let plain = json!([{ "name": "p" }]);
    assert_eq!(bounded(&ten(plain, json!([]))), 10);
    // A limit counts in whole nodes.
    let limited = json!([{ "name": "p", "limits": { "cpu": 7 } }]);
    assert_eq!(bounded(&ten(limited.clone(), json!([]))), 4);
    // Running nodes hold what they have room for.
    let node = json!([{ "name": "n", "allocatable": { "cpu": "2500m", "pods": 29 } }]);
    assert_eq!(bounded(&ten(limited, node.clone())), 6);
    let fixed = json!([{ "name": "p", "replicas": 1 }]);
    assert_eq!(bounded(&ten(fixed, node.clone())), 6);
    assert_eq!(bounded(&ten(json!([]), node)), 2);
}

#[test]
fn a_lower_number_is_refused() {
    let limited = json!([{ "name": "p", "limits": { "nodes": 2 } }]);
    let problem = ten(limited, json!([]));
    let bound = Solver::new(&problem).unwrap().placement_bound();
    assert_eq!(bound.most_placed, 8);
    let mut lower = bound.clone();
    lower.most_placed = 7;
    assert!(verify_placement_bound(&problem, &lower).is_err());
    // A pod that is worth more than what its node is charged for proves nothing.
    let mut dearer = bound.clone();
    dearer.certificate.pods[0].value *= 2;
    assert!(verify_placement_bound(&problem, &dearer).is_err());
    let mut cheaper = bound;
    cheaper.certificate.limits[0].price /= 2;
    assert!(verify_placement_bound(&problem, &cheaper).is_err());
}

#[test]
fn plans_of_the_shared_documents_stay_below() {
    for name in ["repro-company-limit", "scale-cpu-limit-1000", "gpu-limit64"] {
        let path = format!("{}/../shared/data/faults/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let problem = Problem::from_json(&text).unwrap();
        let most = bounded(&problem);
        let greedy = provision(&problem, &Options::default()).unwrap();
        let verified = verify(&problem, &greedy).unwrap();
        let placed = verified.pods_launched() + verified.pods_bound();
        println!("{name}: {placed} placed, {most} at most");
        assert!(placed <= most);
    }
}
