//! Every pod once.

use super::*;
use crate::model::Node;

/// Three replicas and a bound pod.
fn problem() -> Problem {
    let node = Node::new("n", amounts([("cpu", "4"), ("pods", "10")]));
    market()
        .node(node)
        .pod(pod("web").with_replicas(3))
        .pod(pod("here").with_node_name("n"))
        .build()
        .unwrap()
}

fn two_launched(problem: &Problem) -> Launch {
    launch(template(problem, "main", SMALL, [("cpu", "1"), ("pods", "2")]), ["web-0", "web-1"])
}

#[test]
fn each_pod_once_is_accepted() {
    let problem = problem();
    let mut plan = plan(vec![two_launched(&problem)]);
    plan.bindings = bindings([("web-2", "n")]).bindings;
    let verified = accepted(&problem, &plan);
    assert_eq!(verified.total_cost(), price("0.10"));
    assert_eq!(verified.launches(), 1);
    assert_eq!((verified.pods_launched(), verified.pods_bound()), (2, 1));
    plan.bindings.clear();
    plan.unschedulable = vec![without_place("web-2")];
    assert_eq!(accepted(&problem, &plan).pods_unschedulable(), 1);
}

#[test]
fn pod_unknown() {
    let problem = problem();
    for name in ["web", "web-3", "web-00", "web-+2", "other"] {
        let mut plan = plan(vec![two_launched(&problem)]);
        plan.unschedulable = vec![without_place("web-2"), without_place(name)];
        let pod = format!("default/{name}").into();
        refused(&problem, &plan, [Violation::PodUnknown { pod, place: PlanPlace::Unschedulable }]);
    }
}

#[test]
fn pod_bound() {
    let problem = problem();
    let mut plan = plan(vec![two_launched(&problem)]);
    plan.bindings = bindings([("web-2", "n"), ("here", "n")]).bindings;
    let pod = "default/here".into();
    refused(&problem, &plan, [Violation::PodBound { pod, place: PlanPlace::Node("n".into()) }]);
}

#[test]
fn pod_repeated() {
    let problem = problem();
    let mut plan = plan(vec![two_launched(&problem)]);
    plan.bindings = bindings([("web-2", "n"), ("web-1", "n")]).bindings;
    let pod = "default/web-1".into();
    refused(&problem, &plan, [Violation::PodRepeated { pod, times: 2 }]);
}

#[test]
fn pod_missing() {
    let problem = problem();
    let one = template(&problem, "main", SMALL, [("cpu", "500m"), ("pods", "1")]);
    let plan = plan(vec![launch(one, ["web-1"])]);
    let pod = "default/web-0".into();
    refused(&problem, &plan, [Violation::PodMissing { pod, count: 2 }]);
}

#[test]
fn reason_missing() {
    let problem = problem();
    let mut plan = plan(vec![two_launched(&problem)]);
    let pod: Arc<str> = "default/web-2".into();
    plan.unschedulable = vec![Unschedulable { pod: pod.clone(), reasons: Arc::new([]) }];
    refused(&problem, &plan, [Violation::ReasonMissing { pod }]);
}

#[test]
fn node_unknown() {
    let problem = problem();
    let mut plan = plan(vec![two_launched(&problem)]);
    plan.bindings = bindings([("web-2", "m")]).bindings;
    let (pod, node) = ("default/web-2".into(), "m".into());
    refused(&problem, &plan, [Violation::NodeUnknown { pod, node }]);
}

#[test]
fn launch_empty() {
    let problem = problem();
    let empty = launch(template(&problem, "main", SMALL, []), []);
    let mut plan = plan(vec![two_launched(&problem), empty]);
    plan.unschedulable = vec![without_place("web-2")];
    refused(&problem, &plan, [Violation::LaunchEmpty { launch: 1 }]);
}
