//! Contingencies: what is bought if an offering of a plan fails is a valid plan for what the
//! failure leaves, and buys nothing of the offering.

use crate::random;
use plimsoll::{Options, Problem, Solver, verify};
use proptest::prelude::*;
use serde_json::json;

proptest! {
    #![proptest_config(random::config())]

    #[test]
    fn a_contingency_is_a_plan_for_what_a_failure_leaves(
        problem in prop_oneof![random::problem(), random::company::problem(), random::scarce::problem(6)],
        fee in prop_oneof![Just("0"), Just("0.01")],
    ) {
        let given = Problem::from_json(&problem.to_string()).unwrap();
        let solver = Solver::new(&given).unwrap();
        let options = Options::default().with_node_fee(fee.parse().unwrap());
        let plan = solver.provision(&options).unwrap();
        for (failed, count) in plan.offerings() {
            let contingency = solver.contingency(&plan, &failed, &options).unwrap();
            let left = contingency.what_if().problem();
            let instead = contingency.plan();
            let _verified = verify(&left, instead).unwrap_or_else(|faults| panic!("{faults}\n{}", left.to_json()));
            prop_assert_eq!(contingency.lost(), count);
            prop_assert_eq!(contingency.nodes().len() + count as usize, plan.launches().len());
            prop_assert!(!instead.offerings().contains_key(&failed));
            let pending = plan.launches().iter().map(|launch| launch.pods().len()).sum::<usize>()
                + plan.bindings().len()
                + plan.unschedulable().len();
            let placed = instead.launches().iter().map(|launch| launch.pods().len()).sum::<usize>()
                + instead.bindings().len()
                + instead.unschedulable().len();
            prop_assert_eq!(placed, pending);
            prop_assert_eq!(
                contingency.total().nanos() - contingency.extra().nanos(),
                plan.cost().total.nanos()
            );
        }
    }
}

/// Two pods on a reservation of two, and a third that it doesn't hold: what the launches that
/// succeed draw of it isn't there a second time.
#[test]
fn reservations_are_drawn_once() {
    let document = json!({
        "pods": [{ "name": "web", "replicas": 3, "requests": { "cpu": "1" } }],
        "instanceTypes": [{ "name": "m", "capacity": { "cpu": "1", "pods": "9" }, "offerings": [
            { "zone": "a", "capacityType": "reserved", "price": 0, "reservation": { "id": "r", "remaining": 2 } },
            { "zone": "a", "capacityType": "spot", "price": 0.03 },
            { "zone": "b", "capacityType": "on-demand", "price": 0.1 },
        ] }],
        "nodePools": [{ "name": "main" }],
        "nodes": [{ "name": "launch-0", "allocatable": {} }],
    });
    let problem = Problem::from_json(&document.to_string()).unwrap();
    let solver = Solver::new(&problem).unwrap();
    let plan = solver.provision(&Options::default()).unwrap();
    let counts: Vec<(String, u32)> =
        plan.offerings().iter().map(|(key, count)| (key.to_string(), *count)).collect();
    assert_eq!(counts, [("m a reserved r".to_owned(), 2), ("m a spot".to_owned(), 1)]);
    let [reserved, spot] = &plan.offerings().into_keys().collect::<Vec<_>>()[..] else { panic!() };

    let contingency = solver.contingency(&plan, spot, &Options::default()).unwrap();
    assert_eq!(contingency.plan().offerings().into_values().collect::<Vec<_>>(), [1]);
    assert_eq!(contingency.extra().to_string(), "0.07");
    // The node of the problem that is called so isn't taken for a launch.
    assert!(contingency.nodes().keys().all(|name| name.starts_with("launch-x-")));

    let contingency = solver.contingency(&plan, reserved, &Options::default()).unwrap();
    assert_eq!((contingency.lost(), contingency.total().to_string()), (2, "0.09".into()));
}
