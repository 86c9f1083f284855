//! Where pods go.

use super::*;

#[test]
fn an_action_places_all_pods_of_its_nodes() {
    let left_out = |at: usize, pod: &str, node: &str| {
        let (pod, node) = (full(pod), node.into());
        fault(&format!("actions[{at}].delete[0]"), Fault::PodLeftOut { pod, node })
    };
    refused(
        |_, plan| {
            plan.actions[DELETE].bindings.clear();
            plan.actions[DELETE].disruption_cost = DisruptionCost::ZERO;
            plan.moved = 2;
        },
        &[left_out(1, "one", "n1")],
    );
    // Placed by another action of the wave it isn't placed by its own.
    refused(
        |_, plan| {
            let moved = plan.actions[DELETE].bindings.remove(0);
            plan.actions[EMPTY].bindings.push(moved);
            let cost = std::mem::take(&mut plan.actions[DELETE].disruption_cost);
            plan.actions[EMPTY].disruption_cost = cost;
        },
        &[left_out(1, "one", "n1")],
    );
}

#[test]
fn pods_go_to_nodes_that_are_there_when_the_wave_begins() {
    let to = |node: &'static str| {
        move |_: &mut ClusterParts, plan: &mut ConsolidationPlan| {
            plan.actions[DELETE].bindings[0].node = node.into();
        }
    };
    let (pod, node) = (full("one"), |name: &str| -> Arc<str> { name.into() });
    let (pod, path) = (|| pod.clone(), "actions[1].bindings[0]");
    refused(to("n9"), &[fault(path, Fault::DestinationMissing { pod: pod(), node: node("n9") })]);
    // Launched by a later wave.
    refused(
        to("new-1"),
        &[fault(path, Fault::DestinationMissing { pod: pod(), node: node("new-1") })],
    );
    refused(
        to("n3"),
        &[
            fault(path, Fault::DestinationDeleted { pod: pod(), node: node("n3") }),
            fault("actions[2].delete[0]", Fault::PodLeftOut { pod: pod(), node: node("n3") }),
        ],
    );
    refused(
        |_, plan| {
            let mut move_only = action(2, "n6", DisruptionReason::Underutilized, "0");
            move_only.delete.clear();
            move_only.bindings.push(binding("kept", "n6"));
            move_only.disruption_cost = DisruptionCost::from_billionths(PLAIN);
            plan.actions.push(move_only);
            plan.moved = 4;
        },
        &[fault("actions[4].bindings[0]", Fault::PodStays { pod: full("kept"), node: node("n6") })],
    );
}

#[test]
fn running_pods_go_to_nodes_that_have_settled() {
    let unsettled = || {
        let (pod, node) = (full("one"), "n2".into());
        fault("actions[1].bindings[0]", Fault::DestinationUnsettled { pod, node })
    };
    refused(|parts, _| parts.node("n2").initialized = false, &[unsettled()]);
    refused(|parts, _| parts.node("n2").nominated = true, &[unsettled()]);
    let outdated = || {
        let (pod, node) = (full("one"), "n2".into());
        fault("actions[1].bindings[0]", Fault::DestinationOutdated { pod, node })
    };
    refused(|parts, _| parts.node("n2").drifted = true, &[outdated()]);
    refused(|parts, _| parts.node("n2").lifetime_remaining = 0, &[outdated()]);
    // Pods of a node that goes anyway have no choice.
    accepted(|parts, plan| {
        parts.nodes.push(node("n7", &small()).with_deleting(true));
        parts.pods.push(pod("going", "n7"));
        parts.nodes.push(node("n8", &small()).with_nominated(true));
        plan.actions[EMPTY].bindings.push(binding("going", "n8"));
        plan.keep.extend([keep("n7"), keep("n8")]);
        (plan.cost.before, plan.cost.after) = (price("1.20"), price("0.60"));
    });
}

#[test]
fn pods_that_wait_are_served_by_actions_for_themselves() {
    fn serve(parts: &mut ClusterParts, plan: &mut ConsolidationPlan) {
        for name in ["late", "later"] {
            let mut waiting = pod(name, "n2");
            waiting.node_name = None;
            parts.pods.push(waiting);
        }
        let mut serving = action(1, "n2", DisruptionReason::Pending, "0");
        serving.savings = Some(Price::from_nanos(-100_000_000));
        serving.delete.clear();
        serving.launches.push(launch("new-0", &["late"]));
        serving.bindings.push(binding("later", "n6"));
        plan.actions.insert(0, serving);
        plan.cost.after = price("0.50");
    }
    accepted(serve);
    refused(
        |parts, plan| {
            serve(parts, plan);
            plan.actions[1].reason = DisruptionReason::Pending;
        },
        &[fault(
            "actions[1].delete[0]",
            Fault::Ineligible {
                node: "n5".into(),
                reason: DisruptionReason::Pending,
                cause: Ineligible::ForPending,
            },
        )],
    );
    refused(
        |parts, plan| {
            serve(parts, plan);
            plan.actions[0].bindings.push(binding("kept", "n2"));
            plan.actions[0].disruption_cost = DisruptionCost::from_billionths(PLAIN);
            plan.moved = 4;
        },
        &[fault("actions[0]", Fault::NotForPending)],
    );
}

#[test]
fn pods_leave_nodes_that_stay_only_if_they_may() {
    let held = |cause| fault("actions[2].bindings[0]", Fault::PodHeld { pod: full("kept"), cause });
    let pod = || full("kept");
    accepted(|_, plan| make_room(plan));
    refused(
        |parts, plan| {
            make_room(plan);
            parts.pod("kept").do_not_disrupt = true;
        },
        &[held(Ineligible::PodDoNotDisrupt { pod: pod() })],
    );
    refused(
        |parts, plan| {
            make_room(plan);
            parts.pod("kept").owner_kind = None;
        },
        &[held(Ineligible::BarePod { pod: pod() })],
    );
}

#[test]
fn the_number_of_moves_is_right_and_allowed() {
    refused(
        |_, plan| plan.moved = 2,
        &[fault("moved", Fault::MovedWrong { stated: 2, expected: 3 })],
    );
    refused(
        |parts, _| parts.options.max_moves = Some(2),
        &[fault("moved", Fault::TooManyMoves { moved: 3, most: 2 })],
    );
    accepted(|parts, _| parts.options.max_moves = Some(3));
}

#[test]
fn pending_pods_are_no_moves() {
    accepted(|parts, plan| {
        parts.pods.push(Pod::new("new").with_requests(amounts([("cpu", "500m")])));
        plan.actions[DELETE].bindings.push(binding("new", "n2"));
    });
}

#[test]
fn a_launch_takes_pods_by_its_name_as_soon_as_it_is_there() {
    // In its own action, and in a later wave.
    accepted(|_, plan| {
        plan.actions[DRIFT].launches.clear();
        plan.actions[DRIFT].savings = Some(price("0.10"));
        plan.actions[DRIFT].bindings.push(binding("old", "new-1"));
        plan.cost.after = price("0.30");
    });
    accepted(|_, plan| {
        plan.actions[DRIFT].launches.clear();
        plan.actions[DRIFT].savings = Some(price("0.10"));
        plan.actions[DRIFT].bindings.push(binding("old", "new-1"));
        plan.actions[DRIFT].wave = 3;
        plan.cost.after = price("0.30");
    });
}
