//! Names, order, and what is kept.

use super::*;

#[test]
fn waves_count_from_one_without_a_gap() {
    let order = |at: usize, wave, former| {
        fault(&format!("actions[{at}].wave"), Fault::WaveOutOfOrder { wave, former })
    };
    refused(|_, plan| plan.actions[EMPTY].wave = 0, &[order(0, 0, 0)]);
    refused(
        |_, plan| {
            plan.actions[REPLACE].wave = 3;
            plan.actions[DRIFT].wave = 3;
        },
        &[order(2, 3, 1)],
    );
    refused(|_, plan| plan.actions[DRIFT].wave = 1, &[order(3, 1, 2)]);
}

#[test]
fn an_action_does_something() {
    refused(
        |_, plan| {
            let mut nothing = action(2, "n6", DisruptionReason::Empty, "0");
            nothing.delete.clear();
            plan.actions.push(nothing);
        },
        &[fault("actions[4]", Fault::ActionEmpty)],
    );
}

#[test]
fn nodes_are_those_of_the_problem_and_go_once() {
    refused(
        |_, plan| plan.actions[EMPTY].delete.push("n9".into()),
        &[fault("actions[0].delete[1]", Fault::NodeUnknown { node: "n9".into() })],
    );
    refused(
        |_, plan| plan.actions[DELETE].delete.push("n5".into()),
        &[fault("actions[1].delete[1]", Fault::NodeDeletedTwice { node: "n5".into() })],
    );
}

#[test]
fn launches_have_names_of_their_own() {
    // So one node fewer stands at the end.
    let (stated, expected) = (price("0.40"), price("0.30"));
    for name in ["n6", "new-1"] {
        refused(
            |_, plan| plan.actions[DRIFT].launches[0].name = name.into(),
            &[
                fault("actions[3].launches[0].name", Fault::LaunchName { node: name.into() }),
                fault("cost.after", Fault::CostWrong { stated, expected }),
            ],
        );
    }
}

#[test]
fn what_is_launched_stays() {
    refused(
        |_, plan| plan.actions[DRIFT].delete.push("new-1".into()),
        &[fault("actions[3].delete[1]", Fault::NodeUnknown { node: "new-1".into() })],
    );
}

#[test]
fn pods_are_those_of_the_problem_and_move_once() {
    refused(
        |_, plan| plan.actions[DELETE].bindings.push(binding("nobody", "n2")),
        &[fault("actions[1].bindings[1]", Fault::PodUnknown { pod: full("nobody") })],
    );
    refused(
        |_, plan| plan.actions[DRIFT].bindings.push(binding("one", "n6")),
        &[fault("actions[3].bindings[0]", Fault::PodMovedTwice { pod: full("one") })],
    );
}

#[test]
fn daemons_and_mirror_pods_go_with_their_nodes() {
    for kind in ["DaemonSet", "Node"] {
        let with_daemon = |parts: &mut ClusterParts| {
            parts.pods.push(pod("daemon", "n5").with_owner_kind(kind));
        };
        accepted(|parts, _| with_daemon(parts));
        refused(
            |parts, plan| {
                with_daemon(parts);
                plan.actions[EMPTY].bindings.push(binding("daemon", "n6"));
            },
            &[fault("actions[0].bindings[0]", Fault::PodGoesWithNode { pod: full("daemon") })],
        );
    }
}

#[test]
fn every_other_node_is_kept_once_for_a_reason() {
    let node = || "n6".into();
    refused(
        |_, plan| drop(plan.keep.pop()),
        &[fault("keep", Fault::NodeUnexplained { node: node() })],
    );
    refused(
        |_, plan| plan.keep.push(keep("n6")),
        &[fault("keep[2]", Fault::KeptTwice { node: node() })],
    );
    refused(
        |_, plan| plan.keep.push(keep("n5")),
        &[fault("keep[2]", Fault::KeptTwice { node: "n5".into() })],
    );
    refused(
        |_, plan| plan.keep.push(keep("new-1")),
        &[fault("keep[2]", Fault::NodeUnknown { node: "new-1".into() })],
    );
    refused(
        |_, plan| plan.keep[1].reasons.clear(),
        &[fault("keep[1]", Fault::ReasonMissing { node: node() })],
    );
}
