//! Consolidations as documents and as tables.

use super::set;
use plimsoll::plan::ConsolidationPlan;
use serde_json::{Value, json};

/// Two actions in two waves; a later one binds a pod to what an earlier one launched.
fn consolidation() -> Value {
    let choice = json!({"instanceType": "m.large", "zone": "z1", "capacityType": "spot",
        "price": 0.05});
    json!({
        "templates": [
            {"nodePool": "default",
             "offering": {"instanceType": "m.large", "zone": "z1", "capacityType": "spot"},
             "price": 0.05,
             "alternatives": [choice],
             "labels": {"karpenter.sh/nodepool": "default"},
             "taints": [],
             "startupTaints": [],
             "capacity": {"cpu": "2", "pods": "29"},
             "requirements": []}],
        "actions": [
            {"wave": 1, "delete": ["n1", "n2"],
             "launches": [
                {"name": "launch-0", "template": 0, "pods": ["default/a"],
                 "requests": {"cpu": "1", "pods": "1"}}],
             "bindings": [{"pod": "default/b", "node": "n5"}],
             "reason": "underutilized", "savings": 0.142, "disruptionCost": 2},
            {"wave": 2, "delete": ["n3"], "launches": [],
             "bindings": [{"pod": "default/c", "node": "launch-0"}],
             "reason": "drifted", "savings": -0.01, "disruptionCost": 1.25},
            {"wave": 2, "delete": ["n4"], "launches": [], "bindings": [],
             "reason": "empty", "disruptionCost": 0}],
        "keep": [
            {"node": "n5",
             "reasons": [
                {"code": "not-worth-it", "sentence": "nothing cheaper holds it", "candidates": 1}],
             "best": {"savings": -0.02, "disruptionCost": 3, "moved": 3, "launches": [choice]}},
            {"node": "n6",
             "reasons": [{"code": "nominated", "sentence": "it is nominated", "candidates": 1}]}],
        "cost": {"before": 0.6, "after": 0.4, "lowerBound": 0.3, "lowerBoundForMoves": 0.35},
        "moved": 3,
        "warnings": [],
        "stats": {"heldBackNominated": 50_000_000}
    })
}

#[test]
fn consolidations_read_back() {
    let document = consolidation();
    let plan = ConsolidationPlan::from_json(&document.to_string()).unwrap();
    assert_eq!(serde_json::to_value(&plan).unwrap(), document);
    assert_eq!(ConsolidationPlan::from_json(&plan.to_json()).unwrap(), plan);
    assert_eq!((plan.waves(), plan.moved(), plan.templates().len()), (2, 3, 1));
    assert_eq!(plan.actions()[1].savings.unwrap().nanos(), -10_000_000);
    assert_eq!(plan.actions()[2].savings, None, "a price isn't known");
}

#[test]
fn faults_of_consolidations_have_paths() {
    let mut document = consolidation();
    for (path, value) in [
        ("actions[0].launches[0].template", json!(1)),
        ("actions[1].reason", json!("old")),
        ("actions[1].disruptionCost", json!(-1)),
        ("keep[0].best.savings", json!("much")),
        ("cost.after", Value::Null),
        ("moves", json!(3)),
    ] {
        set(&mut document, path, value);
    }
    let error = ConsolidationPlan::from_json(&document.to_string()).unwrap_err();
    let mut paths: Vec<&str> = error.findings().iter().map(|fault| fault.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "actions[0].launches[0].template",
            "actions[1].disruptionCost",
            "actions[1].reason",
            "cost.after",
            "keep[0].best.savings",
            "moves",
        ]
    );
}

#[test]
fn consolidations_print_as_tables() {
    let plan = ConsolidationPlan::from_json(&consolidation().to_string()).unwrap();
    let expected = "\
4 nodes to delete and 1 node to launch in 2 waves, 3 pods moved, 2 nodes kept

wave  reason         delete  launch           pods  saves/h  disruption
   1  underutilized  n1, n2  m.large/z1/spot     2   0.1420           2
   2  drifted        n3      -                   1  -0.0100        1.25
   2  empty          n4      -                   0        ?           0

cost per hour 0.6000 before, 0.4000 after; at least 0.3000, and at least 0.3500 with so many moves

why nodes stay
  it is nominated: n6
  nothing cheaper holds it: n5
";
    assert_eq!(plan.to_string(), expected);
}
