//! Each wave at the moment in which its pods are bound, and what a wave may take at once.

use super::*;
use crate::model::{
    Affinity, BudgetReason, CapacityType, HostPort, NodeInclusionPolicy, Operator, PodAffinityTerm,
    Protocol, Requirement, Taint, TimeSpan, TopologySpreadConstraint, Volume, WhenUnsatisfiable,
};
use crate::verify::{BindingRule, PlanPlace};

fn on(node: &str) -> PlanPlace {
    PlanPlace::Node(node.into())
}

#[test]
fn resources_of_destinations() {
    let overfull = |place, requested| Violation::Overfull {
        place,
        resource: "cpu".into(),
        requested,
        allocatable: 2000,
    };
    refused(
        |parts, _| parts.pod("two").requests = amounts([("cpu", "1600m")]),
        &[in_wave(1, overfull(on("n2"), 2100))],
    );
    // What a pod asks for once it is created anew.
    refused(
        |parts, _| parts.pod("one").recreated_requests = Some(amounts([("cpu", "1600m")])),
        &[in_wave(1, overfull(on("n2"), 2100))],
    );
    accepted(|parts, _| {
        parts.pod("one").requests = amounts([("cpu", "1600m")]);
        parts.pod("one").recreated_requests = Some(amounts([("cpu", "1")]));
    });
    // Daemons of the destination that aren't there yet.
    refused(
        |parts, plan| {
            parts.daemons.push(Pod::new("agent").with_requests(amounts([("cpu", "1600m")])));
            plan.actions.truncate(2);
            plan.keep.extend([keep("n3"), keep("n4")]);
            plan.moved = 1;
            plan.cost.after = price("0.80");
        },
        &[in_wave(1, overfull(on("n2"), 2600))],
    );
}

#[test]
fn what_leaves_a_node_that_stays_takes_its_room_until_the_wave_is_over() {
    let swap = |parts: &mut ClusterParts, plan: &mut ConsolidationPlan, wave: u32| {
        parts.pod("two").requests = amounts([("cpu", "1600m")]);
        let mut room = action(1, "n2", DisruptionReason::Underutilized, "0");
        room.delete.clear();
        room.bindings.push(binding("two", "n7"));
        room.disruption_cost = DisruptionCost::from_billionths(PLAIN);
        parts.nodes.push(node("n7", &small()));
        plan.keep.push(keep("n7"));
        plan.actions.insert(0, room);
        for action in plan.actions.iter_mut().skip(1) {
            action.wave += wave - 1;
        }
        plan.moved = 4;
        (plan.cost.before, plan.cost.after) = (price("1.10"), price("0.50"));
    };
    let overfull = Violation::Overfull {
        place: on("n2"),
        resource: "cpu".into(),
        requested: 2100,
        allocatable: 2000,
    };
    refused(|parts, plan| swap(parts, plan, 1), &[in_wave(1, overfull)]);
    accepted(|parts, plan| swap(parts, plan, 2));
}

#[test]
fn ports_and_volumes_of_destinations() {
    refused(
        |parts, _| {
            for name in ["one", "two"] {
                parts.pod(name).host_ports.to_mut().push(HostPort::new(80));
            }
        },
        &[in_wave(
            1,
            Violation::HostPort {
                pod: full("one"),
                other: full("two"),
                place: on("n2"),
                port: 80,
                protocol: Protocol::Tcp,
            },
        )],
    );
    let mount = |parts: &mut ClusterParts, pod: &str, ids: &[&str]| {
        let volumes = ids.iter().map(|id| Volume::new("ebs", *id));
        parts.pod(pod).volumes.to_mut().extend(volumes);
    };
    refused(
        |parts, _| {
            mount(parts, "one", &["v1"]);
            mount(parts, "two", &["v2", "v3"]);
        },
        &[in_wave(
            1,
            Violation::VolumeLimit { place: on("n2"), driver: "ebs".into(), volumes: 3, limit: 2 },
        )],
    );
    accepted(|parts, _| {
        mount(parts, "one", &["v1"]);
        mount(parts, "two", &["v2"]);
    });
    refused(
        |parts, _| parts.pod("one").volumes.to_mut().push(Volume::new("ebs", "v1").with_zone("b")),
        &[in_wave(
            1,
            Violation::VolumeZone { pod: full("one"), place: on("n2"), volume: "v1".into() },
        )],
    );
}

#[test]
fn labels_and_taints_of_destinations() {
    refused(
        |parts, _| {
            let _ = parts.pod("one").node_selector.insert(well_known::ZONE, "b");
        },
        &[in_wave(1, Violation::NodeSelector { pod: full("one"), place: on("n2") })],
    );
    let taint = || Taint::new("reserved", "", crate::model::Effect::NoSchedule);
    refused(
        |parts, _| parts.node("n2").taints.push(taint()),
        &[in_wave(1, Violation::Untolerated { pod: full("one"), place: on("n2"), taint: taint() })],
    );
    // A node that was launched is as the launch said.
    let untolerated = Violation::NodeSelector { pod: full("old"), place: on("new-1") };
    refused(
        |parts, plan| {
            let _ = parts.pod("old").node_selector.insert(well_known::ZONE, "b");
            plan.actions[DRIFT].launches.clear();
            plan.actions[DRIFT].savings = Some(price("0.10"));
            plan.actions[DRIFT].bindings.push(binding("old", "new-1"));
            plan.actions[DRIFT].wave = 3;
            plan.cost.after = price("0.30");
        },
        &[
            in_wave(3, untolerated),
            in_wave(2, Violation::NodeSelector { pod: full("old"), place: PlanPlace::Launch(0) }),
        ],
    );
}

#[test]
fn launches_hold_their_pods_and_what_comes_later() {
    let overfull = |requested| Violation::Overfull {
        place: PlanPlace::Launch(0),
        resource: "cpu".into(),
        requested,
        allocatable: 2000,
    };
    let wrong = |expected| Violation::RequestsWrong {
        launch: 0,
        resource: "cpu".into(),
        stated: 500,
        expected,
    };
    refused(
        |parts, _| parts.pod("big").requests = amounts([("cpu", "3")]),
        &[in_wave(2, overfull(3000)), in_wave(2, wrong(3000))],
    );
    let later = |parts: &mut ClusterParts, plan: &mut ConsolidationPlan, wave: u32| {
        parts.pod("old").requests = amounts([("cpu", "1600m")]);
        plan.actions[DRIFT].launches.clear();
        plan.actions[DRIFT].savings = Some(price("0.10"));
        plan.actions[DRIFT].bindings.push(binding("old", "new-1"));
        plan.actions[DRIFT].wave = wave;
        plan.cost.after = price("0.30");
    };
    refused(|parts, plan| later(parts, plan, 2), &[in_wave(2, overfull(2100))]);
    let at_node = Violation::Overfull {
        place: on("new-1"),
        resource: "cpu".into(),
        requested: 2100,
        allocatable: 2000,
    };
    refused(
        |parts, plan| later(parts, plan, 3),
        &[in_wave(2, overfull(2100)), in_wave(3, at_node)],
    );
    refused(
        |_, plan| {
            let _pod = Arc::new(plan.actions[DRIFT].launches[0].launch.pods.pop());
            plan.actions[DRIFT].bindings.push(binding("old", "n6"));
        },
        &[
            in_wave(2, Violation::LaunchEmpty { launch: 1 }),
            in_wave(
                2,
                Violation::RequestsWrong {
                    launch: 1,
                    resource: "cpu".into(),
                    stated: 500,
                    expected: 0,
                },
            ),
            in_wave(
                2,
                Violation::RequestsWrong {
                    launch: 1,
                    resource: "pods".into(),
                    stated: 1,
                    expected: 0,
                },
            ),
        ],
    );
}

fn spread(policy: NodeInclusionPolicy) -> TopologySpreadConstraint {
    let mut spread =
        TopologySpreadConstraint::new(1, well_known::HOSTNAME, WhenUnsatisfiable::DoNotSchedule);
    spread.label_selector = Some(selecting("web"));
    spread.node_taints_policy = policy;
    spread
}

#[test]
fn a_draining_node_counts_for_spreads_that_count_it() {
    // Two nodes with one of the spread's pods each; one of them goes.
    let web =
        |parts: &mut ClusterParts, plan: &mut ConsolidationPlan, policy: NodeInclusionPolicy| {
            for name in ["one", "two"] {
                let _ = parts.pod(name).labels.insert("app", "web");
                parts.pod(name).topology_spread_constraints.to_mut().push(spread(policy));
            }
            let gone = ["n3", "n4", "n5", "n6"];
            parts.nodes.retain(|node| !gone.contains(&&*node.name));
            parts.pods.retain(|pod| !gone.contains(&pod.node_name().unwrap_or_default()));
            let mut delete = plan.actions.remove(DELETE);
            delete.wave = 1;
            plan.actions = vec![delete];
            plan.keep.truncate(1);
            (plan.moved, plan.cost.before, plan.cost.after) = (1, price("0.20"), price("0.10"));
        };
    let rule = BindingRule::Spread {
        key: well_known::HOSTNAME.into(),
        domain: Some("n2".into()),
        count: 1,
        least: 0,
        max_skew: 1,
    };
    let stuck =
        Violation::NoBindingOrder { pod: full("one"), place: on("n2"), rule, certain: true };
    refused(|parts, plan| web(parts, plan, NodeInclusionPolicy::Ignore), &[in_wave(1, stuck)]);
    accepted(|parts, plan| web(parts, plan, NodeInclusionPolicy::Honor));
}

#[test]
fn anti_affinity_binds_arrivals_and_not_those_who_stay() {
    let apart = || {
        let term = PodAffinityTerm::new(well_known::ZONE, selecting("web"));
        Some(Arc::new(Affinity::new().with_required_pod_anti_affinity(term)))
    };
    let mark = |parts: &mut ClusterParts, names: &[&str]| {
        for name in names {
            let _ = parts.pod(name).labels.insert("app", "web");
        }
    };
    accepted(|parts, _| {
        mark(parts, &["two", "kept"]);
        parts.pod("kept").affinity = apart();
    });
    refused(
        |parts, _| {
            mark(parts, &["one", "kept"]);
            parts.pod("kept").affinity = apart();
        },
        &[in_wave(
            1,
            Violation::DomainAntiAffinity {
                pod: full("kept"),
                other: full("one"),
                key: well_known::ZONE.into(),
                domain: "a".into(),
            },
        )],
    );
}

#[test]
fn launches_overlap_with_what_they_replace() {
    let over = |limit| Violation::Limit {
        node_pool: "main".into(),
        resource: "nodes".into(),
        running: 4,
        launched: 2,
        limit,
    };
    refused(|parts, _| parts.pool().limits = amounts([("nodes", "5")]), &[in_wave(2, over(5))]);
    accepted(|parts, _| parts.pool().limits = amounts([("nodes", "6")]));
    // One after the other there is room.
    accepted(|parts, plan| {
        parts.pool().limits = amounts([("nodes", "5")]);
        plan.actions[DRIFT].wave = 3;
    });
}

/// Has the drifted node be replaced on a reservation that a node of the first wave gives back.
fn reserve(parts: &mut ClusterParts, plan: &mut ConsolidationPlan, remaining: u32) {
    let held = Offering::reserved("a", price("0.01")).with_reservation("r", remaining);
    parts.types[0] = small().with_offering(held);
    let _ = parts.node("n1").labels.insert(well_known::CAPACITY_TYPE, "reserved");
    plan.actions[DELETE].savings = Some(price("0.01"));
    let template = Arc::make_mut(&mut plan.actions[DRIFT].launches[0].launch.template);
    template.offering.capacity_type = CapacityType::Reserved;
    template.offering.reservation = Some("r".into());
    template.offering.price = price("0.01");
    template.alternatives = Arc::new(vec![template.offering.clone()]);
    let labels = Arc::make_mut(&mut template.labels);
    let _ = labels.insert(well_known::CAPACITY_TYPE, "reserved");
    plan.actions[DRIFT].savings = Some(price("0.09"));
    (plan.cost.before, plan.cost.after) = (price("0.91"), price("0.31"));
}

#[test]
fn a_reserved_place_is_free_when_its_node_is_gone() {
    accepted(|parts, plan| reserve(parts, plan, 0));
    accepted(|parts, plan| {
        reserve(parts, plan, 1);
        plan.actions[DRIFT].wave = 1;
        plan.actions.swap(REPLACE, DRIFT);
    });
    refused(
        |parts, plan| {
            reserve(parts, plan, 0);
            plan.actions[DRIFT].wave = 1;
            plan.actions.swap(REPLACE, DRIFT);
        },
        &[in_wave(
            1,
            Violation::Reservation { reservation: "r".into(), launches: 1, remaining: 0 },
        )],
    );
}

/// A static pool that lacks a node.
fn static_pool(capacity_types: &[&str]) -> NodePool {
    let values = capacity_types.iter().copied();
    let mut fixed = NodePool::new("fixed").with_requirement(Requirement::new(
        well_known::CAPACITY_TYPE,
        Operator::In,
        values,
    ));
    fixed.replicas = Some(1);
    fixed
}

#[test]
fn reservations_that_static_pools_need_are_theirs() {
    let short = || in_wave(2, Violation::StaticReservations { missing: 1, left: 0 });
    refused(
        |parts, plan| {
            reserve(parts, plan, 0);
            parts.pools.push(static_pool(&["reserved"]));
        },
        &[short()],
    );
    accepted(|parts, plan| {
        reserve(parts, plan, 1);
        parts.pools.push(static_pool(&["reserved"]));
    });
    // Something else is on offer for its node.
    accepted(|parts, plan| {
        reserve(parts, plan, 0);
        parts.pools.push(static_pool(&["reserved", "on-demand"]));
    });
    // What is theirs isn't open to a pool of a higher weight either.
    let heavy = |parts: &mut ClusterParts| {
        let held = Offering::reserved("a", price("0.01")).with_reservation("r", 1);
        parts.types[0] = small().with_offering(held);
        let mut heavy = static_pool(&["reserved"]);
        (heavy.name, heavy.replicas, heavy.weight) = ("heavy".into(), None, 10);
        parts.pools.push(heavy);
    };
    let takes = |launch, pod: &str| {
        in_wave(2, Violation::Weight { pod: full(pod), launch, node_pool: "heavy".into() })
    };
    refused(|parts, _| heavy(parts), &[takes(0, "big"), takes(1, "old")]);
    accepted(|parts, _| {
        heavy(parts);
        parts.pools.push(static_pool(&["reserved"]));
    });
}

#[test]
fn heavier_pools_launch_first() {
    refused(
        |parts, _| parts.pools.push(NodePool::new("heavy").with_weight(10)),
        &[
            in_wave(
                2,
                Violation::Weight { pod: full("big"), launch: 0, node_pool: "heavy".into() },
            ),
            in_wave(
                2,
                Violation::Weight { pod: full("old"), launch: 1, node_pool: "heavy".into() },
            ),
        ],
    );
}

#[test]
fn budgets_of_pools_hold_in_each_wave() {
    let over = |wave: u32, at: usize, reason, disrupted, allowed| {
        let node_pool = "main".into();
        let over = Fault::NodeBudget { wave, node_pool, reason, disrupted, allowed };
        fault(&format!("actions[{at}].wave"), over)
    };
    let budgets = |list: &[&str]| {
        list.iter().map(|nodes| Budget::new(nodes.parse().unwrap())).collect::<Vec<_>>()
    };
    accepted(|parts, _| parts.pool().disruption.budgets = budgets(&["2"]));
    accepted(|parts, _| parts.pool().disruption.budgets = budgets(&["34%"]));
    refused(
        |parts, _| parts.pool().disruption.budgets = budgets(&["3", "1"]),
        &[
            over(1, 0, DisruptionReason::Underutilized, 2, 1),
            over(2, 2, DisruptionReason::Drifted, 2, 1),
        ],
    );
    refused(
        |parts, plan| {
            parts.pool().disruption.budgets = budgets(&["2"]);
            parts.nodes.push(node("n7", &small()).with_deleting(true));
            plan.keep.push(keep("n7"));
            (plan.cost.before, plan.cost.after) = (price("1.10"), price("0.50"));
        },
        &[
            over(1, 0, DisruptionReason::Underutilized, 3, 2),
            over(2, 2, DisruptionReason::Drifted, 3, 2),
        ],
    );
    let drifted = Budget::of_nodes(0).with_reasons([BudgetReason::Drifted]);
    refused(
        |parts, _| parts.pool().disruption.budgets = vec![drifted.clone()],
        &[over(2, 2, DisruptionReason::Drifted, 1, 0)],
    );
    let closed = Budget::of_nodes(0).with_schedule("0 9 * * *", TimeSpan::from_hours(8));
    accepted(|parts, _| {
        parts.pool().disruption.budgets = vec![closed.clone()];
        parts.options.now = Some(20_467 * 86_400 + 17 * 3600);
    });
    refused(
        |parts, _| {
            parts.pool().disruption.budgets = vec![closed.clone()];
            parts.options.now = Some(20_467 * 86_400 + 9 * 3600);
        },
        &[
            over(1, 0, DisruptionReason::Empty, 1, 0),
            over(2, 2, DisruptionReason::Underutilized, 1, 0),
        ],
    );
}

#[test]
fn disruption_budgets_hold_in_each_wave() {
    let web = |parts: &mut ClusterParts| {
        for name in ["big", "old"] {
            let _ = parts.pod(name).labels.insert("app", "web");
        }
    };
    refused(
        |parts, _| {
            web(parts);
            parts.budgets.push(("b", "web", 1));
        },
        &[fault(
            "actions[2].wave",
            Fault::PodBudget { wave: 2, budget: full("b"), evicted: 2, allowed: 1 },
        )],
    );
    accepted(|parts, _| {
        web(parts);
        parts.budgets.push(("b", "web", 2));
    });
    // Pods that are ended in any case don't count: those of a drifted node whose pool gives them a
    // time, and of no other.
    accepted(|parts, _| {
        web(parts);
        parts.budgets.push(("b", "web", 1));
        parts.pool().termination_grace_period = Some(TimeSpan::from_hours(1));
    });
    // It is there again in the next wave.
    accepted(|parts, plan| {
        web(parts);
        parts.budgets.push(("b", "web", 1));
        plan.actions[DRIFT].wave = 3;
    });
    // A node by itself takes several rounds.
    accepted(|parts, plan| {
        parts.pods.push(pod("one-more", "n1"));
        for name in ["one", "one-more"] {
            let _ = parts.pod(name).labels.insert("app", "web");
        }
        parts.budgets.push(("b", "web", 1));
        plan.actions[DELETE].bindings.push(binding("one-more", "n2"));
        plan.actions[DELETE].disruption_cost = DisruptionCost::from_billionths(2 * PLAIN);
        plan.moved = 4;
    });
}

#[test]
fn a_wave_launches_no_more_than_the_caller_allows() {
    refused(
        |parts, _| parts.options.max_surge = Some(1),
        &[fault("actions[2].wave", Fault::Surge { wave: 2, launched: 2, most: 1 })],
    );
    accepted(|parts, _| parts.options.max_surge = Some(2));
}
