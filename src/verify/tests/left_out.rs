//! Pods without a place that surely have one: said, and no violation.

use super::*;
use crate::model::{LabelSelector, Node, TopologySpreadConstraint, WhenUnsatisfiable};

/// What is said of a plan that binds pods to a node of one core and leaves one out.
fn said<const N: usize>(
    pods: [Pod; N],
    bound: &[&str],
    left_out: &str,
) -> Vec<(String, PlanPlace, bool)> {
    let node = Node::new("n", amounts([("cpu", "1"), ("pods", "5")]));
    let problem = pods.into_iter().fold(market().node(node), ProblemBuilder::pod).build().unwrap();
    let binding = |pod: &&str| Binding { pod: format!("default/{pod}").into(), node: "n".into() };
    let plan = LaunchPlan {
        bindings: bound.iter().map(binding).collect(),
        unschedulable: vec![without_place(left_out)],
        ..plan(Vec::new())
    };
    let verified = accepted(&problem, &plan);
    let all = verified.oversights().iter();
    all.map(|one| (one.pod.to_string(), one.place.clone(), one.is_outranked)).collect()
}

fn on_the_node(pod: &str, is_outranked: bool) -> Vec<(String, PlanPlace, bool)> {
    vec![(format!("default/{pod}"), PlanPlace::Node("n".into()), is_outranked)]
}

#[test]
fn a_pod_with_room_is_said() {
    assert_eq!(said([pod("a"), pod("b")], &["a"], "b"), on_the_node("b", false));
    // Without room there is nothing to say.
    assert_eq!(said([pod("a"), pod("b"), pod("c")], &["a", "b"], "c"), []);
}

/// Room for one more of those that are there is none for a larger pod.
#[test]
fn a_pod_larger_than_those_with_room_is_not_said() {
    let large = pod("b").with_requests(amounts([("cpu", "600m")]));
    assert_eq!(said([pod("a"), large], &["a"], "b"), []);
}

#[test]
fn a_pod_whose_place_others_of_lower_priority_hold_is_said() {
    let urgent = || pod("c").with_priority(10);
    assert_eq!(said([pod("a"), pod("b"), urgent()], &["a", "b"], "c"), on_the_node("c", true));
    let equal = |name| pod(name).with_priority(10);
    assert_eq!(said([equal("a"), equal("b"), urgent()], &["a", "b"], "c"), []);
}

#[test]
fn a_pod_with_a_spread_is_passed_over() {
    let spread =
        TopologySpreadConstraint::new(1, well_known::HOSTNAME, WhenUnsatisfiable::DoNotSchedule)
            .with_label_selector(LabelSelector::new());
    let ruled = pod("b").with_topology_spread_constraint(spread);
    assert_eq!(said([pod("a"), ruled], &["a"], "b"), []);
}
