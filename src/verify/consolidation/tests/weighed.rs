//! What actions are worth, and sums.

use super::super::worth::{Total, eviction_cost, score};
use super::*;
use crate::model::{CapacityType, ConsolidationPolicy};

#[test]
fn savings_are_prices_of_what_goes_less_what_comes() {
    let wrong = |stated, expected| Fault::SavingsWrong { stated, expected };
    refused(
        |_, plan| plan.actions[REPLACE].savings = Some(price("0.50")),
        &[fault("actions[2].savings", wrong(Some(price("0.50")), Some(price("0.40"))))],
    );
    refused(
        |_, plan| plan.actions[DRIFT].savings = None,
        &[fault("actions[3].savings", wrong(None, Some(Price::ZERO)))],
    );
    // Nothing is saved by a price that nobody knows.
    refused(
        |parts, plan| {
            let _ = parts.node("n5").labels.insert(well_known::ZONE, "c");
            (plan.cost.before, plan.cost.after) = (price("0.90"), price("0.40"));
        },
        &[fault("actions[0].savings", wrong(Some(price("0.10")), None))],
    );
    accepted(|parts, plan| {
        let _ = parts.node("n5").labels.insert(well_known::ZONE, "c");
        plan.actions[EMPTY].savings = None;
        (plan.cost.before, plan.cost.after) = (price("0.90"), price("0.40"));
    });
}

#[test]
fn nothing_is_launched_for_an_unknown_price() {
    let unknown =
        |parts: &mut ClusterParts, plan: &mut ConsolidationPlan, node: &str, at: usize| {
            let _ = parts.node(node).labels.insert(well_known::ZONE, "c");
            plan.actions[at].savings = None;
        };
    refused(
        |parts, plan| {
            unknown(parts, plan, "n3", REPLACE);
            plan.cost.before = price("0.50");
        },
        &[fault("actions[2]", Fault::SavingsUnknown { node: "n3".into() })],
    );
    // Unless the node has to go.
    accepted(|parts, plan| {
        unknown(parts, plan, "n4", DRIFT);
        plan.cost.before = price("0.90");
    });
}

#[test]
fn replacements_save_their_share_and_more_than_nothing() {
    let low = |savings: &str, least: &str| {
        let (savings, least) = (price(savings), price(least));
        fault("actions[2].savings", Fault::SavingsTooLow { savings, least })
    };
    let cost = |parts: &mut ClusterParts, plan: &mut ConsolidationPlan, before: &str| {
        parts.node("n3").price = Some(price(before));
        let saved = price(before).nanos() - price("0.10").nanos();
        plan.actions[REPLACE].savings = Some(Price::from_nanos(saved));
        plan.cost.before = Price::from_nanos(price("0.50").nanos() + price(before).nanos());
    };
    refused(|parts, plan| cost(parts, plan, "0.11"), &[low("0.01", "0.011")]);
    accepted(|parts, plan| {
        cost(parts, plan, "0.11");
        parts.options.minimum_saving = 90_000_000;
    });
    refused(
        |parts, plan| {
            cost(parts, plan, "0.10");
            parts.options.minimum_saving = 0;
        },
        &[low("0", "0.000000001")],
    );
    // What has to go is replaced whatever that costs.
    accepted(|parts, plan| {
        parts.node("n4").price = Some(price("0.01"));
        plan.actions[DRIFT].savings = Some(Price::from_nanos(-90_000_000));
        plan.cost.before = price("0.91");
    });
}

#[test]
fn every_action_saves_what_the_caller_asks() {
    let low = |at: usize, savings: &str, least: &str| {
        let (savings, least) = (price(savings), price(least));
        fault(&format!("actions[{at}].savings"), Fault::SavingsTooLow { savings, least })
    };
    refused(
        |parts, _| parts.options.minimum_saving_per_action = price("0.20"),
        &[low(DELETE, "0.10", "0.20")],
    );
    refused(
        |parts, _| parts.options.minimum_saving_per_move = price("0.20"),
        &[low(DELETE, "0.10", "0.20")],
    );
    accepted(|parts, _| parts.options.minimum_saving_per_action = price("0.10"));
}

/// Nodes that go save what they cost, be it nothing; what is launched for pods that wait needs no
/// reason besides.
#[test]
fn who_needs_not_save_anything() {
    accepted(|parts, plan| {
        parts.node("n1").price = Some(Price::ZERO);
        plan.actions[DELETE].savings = Some(Price::ZERO);
        plan.cost.before = price("0.90");
    });
    let for_as_much = |parts: &mut ClusterParts, plan: &mut ConsolidationPlan, pods: &[&str]| {
        parts.node("n3").price = Some(price("0.10"));
        plan.actions[REPLACE].savings = Some(Price::ZERO);
        plan.actions[REPLACE].launches = vec![launch("new-1", pods)];
        plan.cost.before = price("0.60");
    };
    let (savings, least) = (Price::ZERO, price("0.010"));
    refused(
        |parts, plan| for_as_much(parts, plan, &["big"]),
        &[fault("actions[2].savings", Fault::SavingsTooLow { savings, least })],
    );
    accepted(|parts, plan| {
        let mut late = pod("late", "n3");
        late.node_name = None;
        parts.pods.push(late);
        for_as_much(parts, plan, &["big", "late"]);
    });
}

#[test]
fn moving_costs_what_karpenter_counts_but_never_less_than_nothing() {
    let cost = |deletion_cost, priority| {
        eviction_cost(&Pod::new("p").with_deletion_cost(deletion_cost).with_priority(priority))
    };
    assert_eq!(cost(0, 0), 1_000_000_000);
    assert_eq!(cost(100, 0), 1_000_000_745);
    assert_eq!(cost(134_217_728, 0), 2_000_000_000);
    assert_eq!(cost(i32::MAX, 0), 10_000_000_000);
    assert_eq!(cost(-134_217_728, 0), 0);
    assert_eq!(cost(i32::MIN, 0), 0);
    assert_eq!(cost(0, 1_000_000), 1_029_802_322);
    assert_eq!(cost(0, 1_000_000_000), 10_000_000_000);
    assert_eq!(cost(0, -33_554_432), 0);
    refused(
        |parts, _| parts.pod("one").deletion_cost = 134_217_728,
        &[fault(
            "actions[1].disruptionCost",
            Fault::DisruptionCostWrong {
                stated: DisruptionCost::from_billionths(PLAIN),
                expected: DisruptionCost::from_billionths(2 * PLAIN),
            },
        )],
    );
}

/// Source: Karpenter's design of balanced consolidation, a node counting 1.
#[test]
fn balanced_scores() {
    let vectors = [
        (726, 4, 5808, 90, 2_812_500),
        (484, 5, 5808, 90, 1_500_000),
        (242, 9, 5808, 90, 416_666),
        (242, 9, 4840, 90, 500_000),
        (484, 32, 5808, 117, 304_687),
        (484, 4, 4840, 90, 2_250_000),
        // Ten times the fleet, ten times the shares of each.
        (726, 4, 58_080, 900, 2_812_500),
    ];
    for (saved, disruption, cost, pool, expected) in vectors {
        let plain = 1_000_000_000;
        let total = Total { cost: cost * 10_000_000, disruption: pool * plain };
        let found = score((saved * 10_000_000, 1, 1), disruption * plain, total);
        assert_eq!(found, expected, "{saved} of {cost}");
    }
    let total = Total { cost: 100, disruption: 100 };
    assert_eq!(score((0, 1, 1), 5, total), 0);
    assert_eq!(score((5, 1, 1), 5, Total::default()), 0);
    assert_eq!(score((5, 1, 1), 0, total), u64::MAX);
    // Half of what is saved is this pool's.
    assert_eq!(score((10, 30, 60), 5, total), 1_000_000);
    let astronomic = Total { cost: i128::MAX / 3, disruption: i128::MAX / 5 };
    let most = score((i128::MAX / 3, i128::MAX / 7, i128::MAX / 7), i128::MAX / 5, astronomic);
    assert!((990_000..=1_010_000).contains(&most), "{most}");
}

/// Beyond 128 bits a rounded quotient will do.
#[test]
fn scores_of_astronomic_prices() {
    let large = 10_i128.pow(37);
    let total = |cost, disruption| Total { cost, disruption };
    let half = score((large + 1, large + 3, large + 7), large + 9, total(large + 21, large / 2));
    assert!((499_990..=500_010).contains(&half), "{half}");
    let all = score((large + 1, large + 3, large + 7), 1, total(large + 21, large / 3));
    assert_eq!(all, u64::MAX);
    // What saves nothing, or is no part of the pool, has no share.
    for nothing in [(0, 1, 1), (1, 0, 1), (1, 1, 0), (-1, 1, 1)] {
        assert_eq!(score(nothing, 1, total(1, 1)), 0);
    }
    assert_eq!(score((1, 1, 1), 1, total(0, 1)), 0);
    assert_eq!(score((1, 1, 1), 1, total(1, 0)), 0);
    assert_eq!(score((1, 1, 1), 0, total(1, 1)), u64::MAX);
}

#[test]
fn pools_that_balance_want_their_share() {
    // The pool costs 1.00 and disrupting all of it 11: six nodes, five pods.
    let balanced = |parts: &mut ClusterParts| {
        parts.pool().disruption.consolidation_policy = ConsolidationPolicy::Balanced;
    };
    accepted(|parts, _| balanced(parts));
    refused(
        |parts, plan| {
            balanced(parts);
            parts.pod("one").deletion_cost = i32::MAX;
            plan.actions[DELETE].disruption_cost = DisruptionCost::from_billionths(10 * PLAIN);
        },
        // 0.10 of 1.00, beside 11 of 20.
        &[fault("actions[1]", Fault::Unbalanced { node_pool: "main".into(), score: 181_818 })],
    );
}

#[test]
fn spot_becomes_spot_with_types_to_choose_from() {
    let spot = |parts: &mut ClusterParts, plan: &mut ConsolidationPlan| {
        parts.types[0] = small().with_offering(Offering::spot("a", price("0.04")));
        parts.types[1] = large().with_offering(Offering::spot("a", price("0.20")));
        let _ = parts.node("n3").labels.insert(well_known::CAPACITY_TYPE, "spot");
        let template = Arc::make_mut(&mut plan.actions[REPLACE].launches[0].launch.template);
        template.offering.capacity_type = CapacityType::Spot;
        template.offering.price = price("0.04");
        template.alternatives = Arc::new(vec![template.offering.clone()]);
        let labels = Arc::make_mut(&mut template.labels);
        let _ = labels.insert(well_known::CAPACITY_TYPE, "spot");
        plan.actions[REPLACE].savings = Some(price("0.16"));
        (plan.cost.before, plan.cost.after) = (price("0.70"), price("0.34"));
    };
    refused(spot, &[fault("actions[2].launches[0]", Fault::FewSpotTypes { types: 1, least: 15 })]);
    accepted(|parts, plan| {
        spot(parts, plan);
        parts.options.spot_flexibility = 1;
    });
}

#[test]
fn sums_of_prices_are_right() {
    let wrong = |stated: &str, expected: &str| {
        let (stated, expected) = (price(stated), price(expected));
        Fault::CostWrong { stated, expected }
    };
    refused(|_, plan| plan.cost.before = price("2"), &[fault("cost.before", wrong("2", "1"))]);
    refused(|_, plan| plan.cost.after = price("0.5"), &[fault("cost.after", wrong("0.5", "0.4"))]);
}

#[test]
fn bounds_are_below_what_they_bound() {
    let wrong = |path: &str, lower_bound: &str, cost: &str| {
        let (lower_bound, cost) = (price(lower_bound), price(cost));
        fault(path, Fault::LowerBoundWrong { lower_bound, cost })
    };
    accepted(|_, plan| {
        (plan.cost.lower_bound, plan.cost.lower_bound_for_moves) = (price("0.3"), price("0.4"));
    });
    refused(
        |_, plan| plan.cost.lower_bound_for_moves = price("0.5"),
        &[wrong("cost.lowerBoundForMoves", "0.5", "0.4")],
    );
    refused(
        |_, plan| plan.cost.lower_bound = price("0.1"),
        &[wrong("cost.lowerBound", "0.1", "0")],
    );
}
