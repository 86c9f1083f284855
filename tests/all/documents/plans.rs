//! Plans as documents and as tables.

use super::set;
use plimsoll::LaunchPlan;
use proptest::prelude::*;
use serde_json::{Value, json};

proptest! {
    #[test]
    fn every_sum_reads_back(total in 0..1_i128 << 69, bound in 0..1_i128 << 69) {
        let plan = plan_of(&decimal(total), &decimal(bound));
        prop_assert_eq!(plan.cost().total.nanos(), total);
        prop_assert_eq!(plan.cost().lower_bound.nanos(), bound);
        let text = plan.to_json();
        prop_assert_eq!(LaunchPlan::from_json(&text).unwrap(), plan);
    }
}

fn decimal(nanos: i128) -> String {
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

fn plan_of(total: &str, lower_bound: &str) -> LaunchPlan {
    let document = json!({
        "launches": [], "bindings": [], "unschedulable": [],
        "cost": {"total": total, "fees": "0", "lowerBound": lower_bound, "proof": "within"},
        "stats": {}});
    LaunchPlan::from_json(&document.to_string()).unwrap()
}

/// A plan of three launches, two of them alike, as a document.
fn plan() -> Value {
    let template = |kind: &str, price: f64| {
        json!({"nodePool": "default",
            "offering": {"instanceType": kind, "zone": "z1", "capacityType": "on-demand"},
            "price": price,
            "alternatives": [
                {"instanceType": kind, "zone": "z1", "capacityType": "on-demand", "price": price},
                {"instanceType": "m.huge", "zone": "z2", "capacityType": "reserved", "price": 9,
                 "reservation": "cr-1"}],
            "labels": {"karpenter.sh/nodepool": "default"},
            "taints": [{"key": "gpu", "effect": "NoSchedule"}],
            "startupTaints": [{"key": "starting", "effect": "NoExecute"}],
            "capacity": {"cpu": "2", "memory": "8Gi", "pods": "29", "example.com/fpga": "1"},
            "requirements": [{"key": "zone", "operator": "In", "values": ["z1"], "minValues": 1}]})
    };
    let launch = |template: usize, pods: Value| {
        json!({"template": template,
            "pods": pods,
            "requests": {"cpu": "1500m", "memory": "2Gi", "pods": "2", "example.com/fpga": "1"}})
    };
    json!({
        "templates": [template("m.large", 0.0928), template("m.xlarge", 0.1856)],
        "launches": [
            launch(0, json!(["default/a", "default/b"])),
            launch(0, json!(["default/c", "default/d"])),
            launch(1, json!(["default/e"]))],
        "bindings": [{"pod": "default/f", "node": "node-1"}],
        "unschedulable": [
            {"pod": "default/g", "reasons": [
                {"code": "labels", "sentence": "no node pool allows zone z9", "candidates": 12}]},
            {"pod": "default/h", "reasons": [
                {"code": "labels", "sentence": "no node pool allows zone z9", "candidates": 12}]}],
        "cost": {"total": 0.3712, "fees": 0, "lowerBound": 0.3, "gap": 0.19181, "proof": "within"},
        "warnings": [{"path": "pods[default/a].nodeSelector[colour]", "message": "no node has it"}],
        "stats": {"classes": 4}
    })
}

#[test]
fn plans_read_back() {
    let document = plan();
    let plan = LaunchPlan::from_json(&document.to_string()).unwrap();
    assert_eq!(serde_json::to_value(&plan).unwrap(), document);
    assert_eq!(LaunchPlan::from_json(&plan.to_json()).unwrap(), plan);
    assert_eq!(serde_json::from_value::<LaunchPlan>(document).unwrap(), plan);
    let [first, second, third] = plan.launches() else { panic!("three launches") };
    assert!(
        std::ptr::eq(first.template(), second.template()),
        "launches alike share their description"
    );
    assert_ne!(first.template(), third.template());
    assert_eq!(plan_of("0", "0").cost().gap_millionths(), 0);
}

#[test]
fn times_in_the_stats_of_a_plan_are_left_out() {
    let mut document = plan();
    let before = LaunchPlan::from_json(&document.to_string()).unwrap();
    set(&mut document, "stats.solveSeconds", json!(0.012));
    assert_eq!(LaunchPlan::from_json(&document.to_string()).unwrap(), before);
}

#[test]
fn faults_of_plans_have_paths() {
    let mut document = plan();
    for (path, value) in [
        ("templates[1].offering.zone", Value::Null),
        ("launches[1].template", json!(2)),
        ("launches[0].pods", json!("default/a")),
        ("unschedulable[0].reasons[0].candidates", json!(-1)),
        ("cost.proof", json!("Optimal")),
        ("cost.gap", json!("wide")),
        ("bindings[0].pods", json!("x")),
    ] {
        set(&mut document, path, value);
    }
    let error = LaunchPlan::from_json(&document.to_string()).unwrap_err();
    let paths: Vec<&str> = error.findings().iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "cost.gap",
            "cost.proof",
            "templates[1].offering.zone",
            "launches[0].pods",
            "launches[1].template",
            "bindings[0].pods",
            "unschedulable[0].reasons[0].candidates",
        ]
    );
}

#[test]
fn plans_print_as_tables() {
    let plan = LaunchPlan::from_json(&plan().to_string()).unwrap();
    let expected = "\
3 nodes to launch for 5 pods, 1 pod on running nodes, 2 pods without a place

nodes  node pool  instance type  zone  capacity type  each/h   all/h  pods  cpu  example.com/fpga  memory
    2  default    m.large        z1    on-demand      0.0928  0.1856     4  3.0                 2   4.0Gi
    1  default    m.xlarge       z1    on-demand      0.1856  0.1856     1  1.5                 1   2.0Gi
    3                                                         0.3712     5  4.5                 3   6.0Gi

cost per hour 0.3712, at least 0.3000 with any plan (a gap of 19.18%)

without a place:
  2 pods: no node pool allows zone z9
    default/g, default/h
";
    assert_eq!(plan.to_string(), expected);
}
