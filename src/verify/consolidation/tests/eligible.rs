//! Which nodes may go: each rule stops a node that it is about, and no other.

use super::*;
use crate::model::{ConsolidationPolicy, Delay, TimeSpan, Toleration};

fn ineligible(at: usize, cause: Ineligible) -> Violation {
    let (node, reason) = [
        ("n5", DisruptionReason::Empty),
        ("n1", DisruptionReason::Underutilized),
        ("n3", DisruptionReason::Underutilized),
        ("n4", DisruptionReason::Drifted),
    ][at];
    let node = node.into();
    fault(&format!("actions[{at}].delete[0]"), Fault::Ineligible { node, reason, cause })
}

#[test]
fn the_state_of_a_node() {
    type Change = fn(&mut Node);
    let changes: [(Change, Ineligible); 4] = [
        (|node| node.initialized = false, Ineligible::NotInitialized),
        (|node| node.nominated = true, Ineligible::Nominated),
        (|node| node.do_not_disrupt = true, Ineligible::NodeDoNotDisrupt),
        (|node| node.consolidatable = false, Ineligible::NotConsolidatable),
    ];
    for (change, cause) in changes {
        refused(|parts, _| change(parts.node("n1")), &[ineligible(DELETE, cause.clone())]);
        if cause != Ineligible::NotConsolidatable {
            refused(|parts, _| change(parts.node("n4")), &[ineligible(DRIFT, cause)]);
        } else {
            accepted(|parts, _| change(parts.node("n4")));
        }
    }
    refused(
        |parts, plan| {
            parts.node("n1").deleting = true;
            // Its pods have no choice, and don't count.
            plan.actions[DELETE].disruption_cost = DisruptionCost::ZERO;
            plan.moved = 2;
        },
        &[ineligible(DELETE, Ineligible::Deleting)],
    );
    refused(
        |parts, _| parts.node("n4").drifted = false,
        &[ineligible(DRIFT, Ineligible::NotDrifted)],
    );
}

#[test]
fn the_pool_of_a_node() {
    refused(
        |parts, _| {
            let _ = parts.node("n1").labels.insert(well_known::NODE_POOL, "gone");
        },
        &[ineligible(DELETE, Ineligible::Unmanaged)],
    );
    refused(
        |parts, _| {
            let mut other = pool();
            other.name = "other".into();
            other.disruption.consolidate_after = Delay::Never;
            parts.pools.push(other);
            for name in ["n1", "n4"] {
                let _ = parts.node(name).labels.insert(well_known::NODE_POOL, "other");
            }
        },
        &[ineligible(DELETE, Ineligible::ConsolidateNever)],
    );
    refused(
        |parts, _| {
            parts.pool().disruption.consolidation_policy = ConsolidationPolicy::WhenEmpty;
        },
        &[ineligible(DELETE, Ineligible::WhenEmpty), ineligible(REPLACE, Ineligible::WhenEmpty)],
    );
}

#[test]
fn static_pools_get_a_node_for_each_that_drifts() {
    let with_static = |parts: &mut ClusterParts, name: &str| {
        let mut fixed = pool();
        (fixed.name, fixed.replicas) = ("fixed".into(), Some(1));
        parts.pools.push(fixed);
        let _ = parts.node(name).labels.insert(well_known::NODE_POOL, "fixed");
    };
    let lost = || Fault::StaticPool { node_pool: "fixed".into(), deleted: 1, launched: 0 };
    refused(
        |parts, _| with_static(parts, "n5"),
        &[ineligible(EMPTY, Ineligible::StaticPool), fault("actions[0]", lost())],
    );
    refused(|parts, _| with_static(parts, "n4"), &[fault("actions[3]", lost())]);
    accepted(|parts, plan| {
        with_static(parts, "n4");
        let launch = &mut plan.actions[DRIFT].launches[0].launch;
        let template = Arc::make_mut(&mut launch.template);
        template.node_pool = "fixed".into();
        let _ = Arc::make_mut(&mut template.labels).insert(well_known::NODE_POOL, "fixed");
    });
}

#[test]
fn labels_say_what_a_node_with_pods_is() {
    for key in [well_known::INSTANCE_TYPE, well_known::ZONE, well_known::CAPACITY_TYPE] {
        refused(
            |parts, _| {
                for name in ["n1", "n5", "n4"] {
                    let node = parts.node(name);
                    node.price = Some(price("0.10"));
                    let others = node.labels.iter().filter(|(one, _)| &***one != key);
                    node.labels = others.map(|(key, value)| (key.clone(), value.clone())).collect();
                }
            },
            &[ineligible(DELETE, Ineligible::LabelUnknown { key: key.into() })],
        );
    }
}

#[test]
fn a_node_is_empty_or_it_isn_t() {
    refused(
        |_, plan| plan.actions[DELETE].reason = DisruptionReason::Empty,
        &[fault(
            "actions[1].delete[0]",
            Fault::Ineligible {
                node: "n1".into(),
                reason: DisruptionReason::Empty,
                cause: Ineligible::NotEmpty { pod: full("one") },
            },
        )],
    );
    refused(
        |_, plan| plan.actions[EMPTY].reason = DisruptionReason::Underutilized,
        &[fault(
            "actions[0].delete[0]",
            Fault::Ineligible {
                node: "n5".into(),
                reason: DisruptionReason::Underutilized,
                cause: Ineligible::IsEmpty,
            },
        )],
    );
}

#[test]
fn expiry_waits_for_less() {
    let expire = |plan: &mut ConsolidationPlan| {
        plan.actions[DRIFT].reason = DisruptionReason::Expired;
    };
    accepted(|parts, plan| {
        expire(plan);
        let node = parts.node("n4");
        (node.lifetime_remaining, node.nominated, node.do_not_disrupt) = (0, true, true);
    });
    refused(
        |_, plan| expire(plan),
        &[fault(
            "actions[3].delete[0]",
            Fault::Ineligible {
                node: "n4".into(),
                reason: DisruptionReason::Expired,
                cause: Ineligible::NotExpired,
            },
        )],
    );
}

#[test]
fn pods_hold_their_nodes() {
    type Change = fn(&mut Pod);
    type ToCause = fn(Arc<str>) -> Ineligible;
    let held: [(Change, ToCause); 2] = [
        (|pod| pod.do_not_disrupt = true, |pod| Ineligible::PodDoNotDisrupt { pod }),
        (|pod| pod.owner_kind = None, |pod| Ineligible::BarePod { pod }),
    ];
    for (change, cause) in held {
        refused(|parts, _| change(parts.pod("one")), &[ineligible(DELETE, cause(full("one")))]);
        refused(|parts, _| change(parts.pod("old")), &[ineligible(DRIFT, cause(full("old")))]);
        // Where pods are ended after a while, they hold up no replacement of what drifted.
        accepted(|parts, _| {
            change(parts.pod("old"));
            parts.pool().termination_grace_period = Some(TimeSpan::from_hours(1));
        });
        refused(
            |parts, _| {
                change(parts.pod("one"));
                parts.pool().termination_grace_period = Some(TimeSpan::from_hours(1));
            },
            &[ineligible(DELETE, cause(full("one")))],
        );
    }
    accepted(|parts, _| {
        parts.pod("one").owner_kind = None;
        parts.options.bare_pods_move = true;
    });
    refused(
        |parts, _| {
            let daemon = pod("daemon", "n5").with_owner_kind("DaemonSet").with_do_not_disrupt(true);
            parts.pods.push(daemon);
        },
        &[ineligible(EMPTY, Ineligible::PodDoNotDisrupt { pod: full("daemon") })],
    );
}

#[test]
fn disruption_budgets_hold_pods() {
    let (pod, budget) = (|| full("one"), || full("b"));
    refused(
        |parts, _| parts.budgets.push(("b", "one", 0)),
        &[ineligible(DELETE, Ineligible::DisruptionBudget { pod: pod(), budget: budget() })],
    );
    refused(
        |parts, _| parts.budgets.extend([("b", "one", 5), ("c", "one", 5)]),
        &[ineligible(DELETE, Ineligible::SeveralDisruptionBudgets { pod: pod() })],
    );
    accepted(|parts, _| parts.budgets.push(("b", "one", 1)));
    accepted(|parts, _| {
        parts.budgets.push(("b", "one", 0));
        let tolerates = Toleration::exists("karpenter.sh/disrupted");
        parts.pod("one").tolerations.to_mut().push(tolerates);
    });
}
