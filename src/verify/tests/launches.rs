//! What a launch states about itself, and its alternatives.

use super::*;
use crate::model::{Operator, Requirement, Volume};

/// One pod, and its node in a pool made by the test.
fn with_pool(pool: NodePool) -> Problem {
    with_pool_and_pod(pool, pod("p"))
}

fn with_pool_and_pod(pool: NodePool, pod: Pod) -> Problem {
    let parts = Problem::builder().instance_type(small()).instance_type(large());
    parts.node_pool(pool).pod(pod).build().unwrap()
}

fn one_pod(problem: &Problem, kind: (&str, &str, &str)) -> LaunchDraft {
    template(problem, "main", kind, [("cpu", "500m"), ("pods", "1")])
}

fn plan_of(template: LaunchDraft) -> LaunchPlan {
    plan(vec![launch(template, ["p"])])
}

fn main_pool() -> NodePool {
    NodePool::new("main")
}

const HERE: PlanPlace = PlanPlace::Launch(0);

#[test]
fn a_launch_with_alternatives_is_accepted() {
    let problem = with_pool(
        main_pool().with_label("team", "x").with_taint(taint("soft", Effect::PreferNoSchedule)),
    );
    let mut one = one_pod(&problem, SPOT);
    Arc::make_mut(&mut one.alternatives).push(choice(&problem, SMALL));
    Arc::make_mut(&mut one.alternatives).push(choice(&problem, SMALL_B));
    Arc::make_mut(&mut one.alternatives).push(choice(&problem, LARGE));
    let _verified = accepted(&problem, &plan_of(one));
}

#[test]
fn volume_limit() {
    let with_limits = |of_small, of_large| {
        let two = pod("p").with_volume(Volume::new("disk", "v"));
        let two = two.with_volume(Volume::new("disk", "w"));
        let small = small().with_volume_limit("disk", of_small);
        let large = large().with_volume_limit("disk", of_large);
        let parts = Problem::builder().instance_type(small).instance_type(large);
        parts.node_pool(main_pool()).pod(two).build().unwrap()
    };
    let problem = with_limits(2, 1);
    let mut one = one_pod(&problem, SMALL);
    let _verified = accepted(&problem, &plan_of(one.clone()));
    Arc::make_mut(&mut one.alternatives).push(choice(&problem, LARGE));
    let found =
        |place, limit| Violation::VolumeLimit { place, driver: "disk".into(), volumes: 2, limit };
    let place = PlanPlace::Alternative { launch: 0, alternative: 1 };
    refused(&problem, &plan_of(one), [found(place, 1)]);
    let problem = with_limits(1, 2);
    refused(&problem, &plan_of(one_pod(&problem, SMALL)), [found(HERE, 1)]);
}

#[test]
fn node_pool_unknown() {
    let problem = with_pool(main_pool());
    let mut one = one_pod(&problem, SMALL);
    one.node_pool = "other".into();
    let node_pool = "other".into();
    refused(&problem, &plan_of(one), [Violation::NodePoolUnknown { launch: 0, node_pool }]);
}

#[test]
fn static_launches() {
    let problem = with_pool(main_pool().with_replicas(3));
    let found =
        |launches| Violation::StaticLaunches { node_pool: "main".into(), launches, expected: 3 };
    let one = || one_pod(&problem, SMALL);
    refused(&problem, &plan_of(one()), [found(1)]);
    let empty = || {
        let mut template = one();
        template.requests = Resources::new();
        launch(template, [])
    };
    let held = launch(one(), ["p"]);
    let _verified = accepted(&problem, &plan(vec![held.clone(), empty(), empty()]));
    refused(&problem, &plan(vec![held, empty(), empty(), empty()]), [found(4)]);
}

#[test]
fn only_placeholders() {
    let free = pod("p").with_placeholder(crate::model::Placeholder::Free);
    let problem = market().pod(free).build().unwrap();
    let plan = plan_of(one_pod(&problem, SMALL));
    refused(&problem, &plan, [Violation::OnlyPlaceholders { launch: 0 }]);
    let causes = pod("p").with_placeholder(crate::model::Placeholder::Launch);
    let problem = market().pod(causes).build().unwrap();
    let _verified = accepted(&problem, &plan_of(one_pod(&problem, SMALL)));
}

#[test]
fn offering_unknown() {
    let problem = with_pool(main_pool());
    let strange = [
        OfferingRef { instance_type: "medium".into(), ..choice(&problem, SMALL) },
        OfferingRef { zone: "c".into(), ..choice(&problem, SMALL) },
        OfferingRef { reservation: Some("r".into()), ..choice(&problem, SMALL) },
    ];
    for strange in strange {
        let mut one = one_pod(&problem, SMALL);
        one.offering = strange.clone();
        one.alternatives = Arc::new(vec![strange.clone()]);
        let expected = Violation::OfferingUnknown { place: HERE, choice: strange.clone() };
        refused(&problem, &plan_of(one), [expected]);
        if strange.reservation.is_none() {
            let mut one = one_pod(&problem, SPOT);
            Arc::make_mut(&mut one.alternatives).push(strange.clone());
            let place = at_alternative(1);
            let expected = Violation::OfferingUnknown { place, choice: strange };
            refused(&problem, &plan_of(one), [expected]);
        }
    }
}

#[test]
fn offering_unavailable() {
    let instance_type = InstanceType::new("old", amounts([("cpu", "2"), ("pods", "9")]))
        .with_label("family", "o")
        .with_offering(offering("a", "on-demand", "0.11").with_available(false));
    let problem = market().instance_type(instance_type).pod(pod("p")).build().unwrap();
    let old = choice(&problem, ("old", "a", "on-demand"));
    let expected = |place| Violation::OfferingUnavailable { place, choice: old.clone() };
    let one = one_pod(&problem, ("old", "a", "on-demand"));
    refused(&problem, &plan_of(one), [expected(HERE)]);
    let mut one = one_pod(&problem, SMALL);
    Arc::make_mut(&mut one.alternatives).push(old.clone());
    refused(&problem, &plan_of(one), [expected(at_alternative(1))]);
}

#[test]
fn price_wrong() {
    let problem = with_pool(main_pool());
    let stated = price("0.09");
    let mut one = one_pod(&problem, SMALL);
    one.offering.price = stated;
    one.alternatives = Arc::new(vec![one.offering.clone()]);
    let expected = Violation::PriceWrong { place: HERE, stated, expected: price("0.10") };
    refused(&problem, &plan_of(one), [expected]);
}

#[test]
fn instance_type_forbidden() {
    let problem = with_pool(main_pool().with_instance_types(["small"]));
    let one = one_pod(&problem, LARGE);
    let (node_pool, instance_type) = ("main".into(), "large".into());
    let expected = Violation::InstanceTypeForbidden { place: HERE, node_pool, instance_type };
    refused(&problem, &plan_of(one), [expected]);
}

#[test]
fn offering_forbidden() {
    let zone_b = Requirement::new(well_known::ZONE, Operator::In, ["b"]);
    let racked = Requirement::new("family", Operator::NotIn, ["s"]);
    for (requirement, key) in [(zone_b, well_known::ZONE), (racked, "family")] {
        let problem = with_pool(main_pool().with_requirement(requirement));
        let one = one_pod(&problem, SMALL);
        let (node_pool, key) = ("main".into(), key.into());
        let expected = Violation::OfferingForbidden { place: HERE, node_pool, key };
        refused(&problem, &plan_of(one), [expected]);
    }
}

#[test]
fn a_type_lacks_a_label_that_only_others_declare() {
    let racked = InstanceType::new("racked", amounts([("cpu", "2"), ("pods", "9")]))
        .with_label("rack", "r")
        .with_offering(offering("a", "on-demand", "0.11"));
    let exists = Requirement::new("rack", Operator::Exists, [""; 0]);
    let problem = Problem::builder()
        .instance_type(small())
        .instance_type(racked)
        .node_pool(main_pool().with_requirement(exists))
        .pod(pod("p"))
        .build()
        .unwrap();
    let _verified = accepted(&problem, &plan_of(one_pod(&problem, ("racked", "a", "on-demand"))));
    let (node_pool, key) = ("main".into(), "rack".into());
    let expected = Violation::OfferingForbidden { place: HERE, node_pool, key };
    refused(&problem, &plan_of(one_pod(&problem, SMALL)), [expected]);
}

#[test]
fn label_missing() {
    let problem = with_pool(main_pool().with_label("team", "x"));
    let mut one = one_pod(&problem, SMALL);
    let others = one.labels.iter().filter(|(key, _)| &***key != "team");
    one.labels = Arc::new(others.map(|(key, value)| (key.clone(), value.clone())).collect());
    let (key, expected) = ("team".into(), "x".into());
    refused(&problem, &plan_of(one), [Violation::LabelMissing { launch: 0, key, expected }]);
}

#[test]
fn label_wrong() {
    let problem = with_pool(main_pool());
    for (key, value) in [("family", "z"), ("strange", "v"), (well_known::HOSTNAME, "h")] {
        let mut one = one_pod(&problem, SMALL);
        let _former = Arc::make_mut(&mut one.labels).insert(key, value);
        let (key, value) = (key.into(), value.into());
        refused(&problem, &plan_of(one), [Violation::LabelWrong { launch: 0, key, value }]);
    }
}

#[test]
fn label_open() {
    let teams = Requirement::new("team", Operator::In, ["x", "y"]);
    let pod = pod("p").with_node_selector("team", "x");
    let problem = with_pool_and_pod(main_pool().with_requirement(teams), pod);
    let mut fixed = one_pod(&problem, SMALL);
    let _former = Arc::make_mut(&mut fixed.labels).insert("team", "x");
    let _verified = accepted(&problem, &plan_of(fixed));

    let open = one_pod(&problem, SMALL);
    let expected = Violation::LabelOpen { place: HERE, key: "team".into() };
    refused(&problem, &plan_of(open), [expected]);

    let mut outside = one_pod(&problem, SMALL);
    let _former = Arc::make_mut(&mut outside.labels).insert("team", "z");
    let (key, value): (Arc<str>, _) = ("team".into(), "z".into());
    let wrong = Violation::LabelWrong { launch: 0, key: key.clone(), value };
    let open = Violation::LabelOpen { place: HERE, key };
    refused(&problem, &plan_of(outside), [wrong, open]);
}

/// Whether a node counts for a spread may depend on a label that its own pods never ask for.
#[test]
fn label_open_for_a_spread_of_others() {
    use crate::model::{Affinity, LabelSelector, NodeSelectorTerm, TopologySpreadConstraint};
    use crate::model::{NodeInclusionPolicy, WhenUnsatisfiable};
    let in_x = NodeSelectorTerm::new([Requirement::new("team", Operator::In, ["x"])]);
    let of_team = pod("q").with_affinity(Affinity::new().with_required_node_term(in_x));
    let when = WhenUnsatisfiable::DoNotSchedule;
    for (policy, open) in [(NodeInclusionPolicy::Honor, true), (NodeInclusionPolicy::Ignore, false)]
    {
        let mut spread = TopologySpreadConstraint::new(1, well_known::ZONE, when)
            .with_label_selector(LabelSelector::new().with_label("app", "q"));
        spread.node_affinity_policy = policy;
        let teams = Requirement::new("team", Operator::In, ["x", "y"]);
        let problem = Problem::builder()
            .instance_type(small())
            .node_pool(main_pool().with_requirement(teams))
            .pods([pod("p"), of_team.clone().with_topology_spread_constraint(spread)])
            .build()
            .unwrap();
        let mut of_x = one_pod(&problem, SMALL);
        let _former = Arc::make_mut(&mut of_x.labels).insert("team", "x");
        let plan = plan(vec![launch(one_pod(&problem, SMALL), ["p"]), launch(of_x, ["q"])]);
        match open {
            true => {
                let expected = Violation::LabelOpen { place: HERE, key: "team".into() };
                refused(&problem, &plan, [expected]);
            }
            false => _ = accepted(&problem, &plan),
        }
    }
}

#[test]
fn label_open_for_a_daemon() {
    let tenancy = Requirement::new("tenancy", Operator::In, ["shared", "own"]);
    let daemon = Pod::new("agent").with_node_selector("tenancy", "own");
    let parts = Problem::builder()
        .instance_type(small().with_requirement(tenancy))
        .node_pool(main_pool())
        .pod(pod("p"));
    let problem = parts.clone().build().unwrap();
    let _verified = accepted(&problem, &plan_of(one_pod(&problem, SMALL)));
    let problem = parts.daemon_set(daemon).build().unwrap();
    let expected = Violation::LabelOpen { place: HERE, key: "tenancy".into() };
    refused(&problem, &plan_of(one_pod(&problem, SMALL)), [expected]);
    for (value, pods) in [("shared", "1"), ("own", "2")] {
        let mut one = template(&problem, "main", SMALL, [("cpu", "500m"), ("pods", pods)]);
        let _former = Arc::make_mut(&mut one.labels).insert("tenancy", value);
        let _verified = accepted(&problem, &plan_of(one));
    }
}

#[test]
fn an_open_label_whose_value_makes_no_difference_may_stay_open() {
    let newer = |bound: &str| Requirement::new("generation", Operator::Gt, [bound]);
    let term = |bound| crate::model::NodeSelectorTerm::new([newer(bound)]);
    for (bound, pods) in [("3", Some("2")), ("4", Some("2")), ("5", None)] {
        let affinity = crate::model::Affinity::new().with_required_node_term(term(bound));
        let problem = Problem::builder()
            .instance_type(small())
            .node_pool(main_pool().with_requirement(newer("4")))
            .daemon_set(Pod::new("agent").with_affinity(affinity))
            .pod(pod("p"))
            .build()
            .unwrap();
        let of = |pods| template(&problem, "main", SMALL, [("cpu", "500m"), ("pods", pods)]);
        match pods {
            Some(pods) => _ = accepted(&problem, &plan_of(of(pods))),
            None => {
                let expected = Violation::LabelOpen { place: HERE, key: "generation".into() };
                refused(&problem, &plan_of(of("1")), [expected]);
            }
        }
    }
}

#[test]
fn taints_wrong() {
    let problem = with_pool(main_pool().with_taint(taint("soft", Effect::PreferNoSchedule)));
    let mut one = one_pod(&problem, SMALL);
    one.taints.clear();
    let node_pool = "main".into();
    refused(&problem, &plan_of(one), [Violation::TaintsWrong { launch: 0, node_pool }]);
}

#[test]
fn startup_taints_and_capacity_wrong() {
    let problem = with_pool(main_pool().with_startup_taint(taint("new", Effect::NoExecute)));
    let mut one = one_pod(&problem, SMALL);
    one.startup_taints.clear();
    let node_pool = "main".into();
    refused(&problem, &plan_of(one), [Violation::StartupTaintsWrong { launch: 0, node_pool }]);
    let mut one = one_pod(&problem, SMALL);
    one.capacity = amounts([("cpu", "64")]);
    let found = verify(&problem, &plan_of(one)).unwrap_err();
    assert!(found.iter().all(|one| matches!(one, Violation::CapacityWrong { .. })), "{found}");
    assert!(found.iter().count() > 1, "memory and pods are missing too: {found}");
}

#[test]
fn requests_wrong() {
    let problem = with_pool(main_pool());
    let one = template(&problem, "main", SMALL, [("cpu", "400m"), ("pods", "1")]);
    let (resource, stated, expected) = ("cpu".into(), 400, 500);
    let expected = Violation::RequestsWrong { launch: 0, resource, stated, expected };
    refused(&problem, &plan_of(one), [expected]);
}

#[test]
fn requirement_broken() {
    let problem = with_pool(main_pool());
    let mut one = one_pod(&problem, SPOT);
    Arc::make_mut(&mut one.alternatives).push(choice(&problem, SMALL));
    one.requirements = Arc::new(vec![Requirement::new("family", Operator::In, ["s"])]);
    let _verified = accepted(&problem, &plan_of(one.clone()));
    Arc::make_mut(&mut one.requirements).push(Requirement::new(
        well_known::ZONE,
        Operator::In,
        ["b"],
    ));
    let (place, key) = (at_alternative(1), well_known::ZONE.into());
    refused(&problem, &plan_of(one), [Violation::RequirementBroken { place, key }]);
}

fn two_families() -> NodePool {
    let minimum = Requirement::new("family", Operator::Exists, [""; 0]).with_min_values(2);
    main_pool().with_requirement(minimum)
}

#[test]
fn min_values_missing() {
    let problem = with_pool(two_families());
    let mut one = one_pod(&problem, SMALL);
    Arc::make_mut(&mut one.alternatives).push(choice(&problem, LARGE));
    let _verified = accepted(&problem, &plan_of(one.clone()));
    Arc::make_mut(&mut one.requirements).clear();
    let key = "family".into();
    let expected = Violation::MinValuesMissing { launch: 0, key, asked: 2 };
    refused(&problem, &plan_of(one), [expected]);
}

#[test]
fn min_values_unmet() {
    let problem = with_pool(two_families());
    let mut one = one_pod(&problem, SMALL);
    Arc::make_mut(&mut one.alternatives).push(choice(&problem, SMALL_B));
    let key = "family".into();
    let expected = Violation::MinValuesUnmet { launch: 0, key, stated: 2, found: 1 };
    refused(&problem, &plan_of(one.clone()), [expected]);
    one.requirements =
        Arc::new(vec![Requirement::new("family", Operator::Exists, [""; 0]).with_min_values(1)]);
    assert_eq!(accepted(&problem, &plan_of(one)).lowered_min_values(), 1);
}

#[test]
fn alternatives_unsorted() {
    let problem = with_pool(main_pool());
    let orders: [&[(&str, &str, &str)]; 2] = [&[LARGE, SMALL], &[SMALL, SMALL]];
    for order in orders {
        let mut one = one_pod(&problem, SPOT);
        Arc::make_mut(&mut one.alternatives)
            .extend(order.iter().map(|kind| choice(&problem, *kind)));
        let expected = Violation::AlternativesUnsorted { launch: 0, alternative: 2 };
        refused(&problem, &plan_of(one), [expected]);
    }
}

#[test]
fn choice_not_first() {
    let problem = with_pool(main_pool());
    for alternatives in [vec![], vec![choice(&problem, SPOT)]] {
        let mut one = one_pod(&problem, SMALL);
        one.alternatives = Arc::new(alternatives);
        refused(&problem, &plan_of(one), [Violation::ChoiceNotListed { launch: 0 }]);
    }
}

#[test]
fn alternative_above_choice() {
    let problem = with_pool(main_pool().with_limits(amounts([("memory", "100")])));
    let mut one = one_pod(&problem, SMALL);
    Arc::make_mut(&mut one.alternatives).push(choice(&problem, LARGE));
    let resource = "memory".into();
    let expected = Violation::AlternativeAboveChoice { launch: 0, alternative: 1, resource };
    refused(&problem, &plan_of(one), [expected]);
}

#[test]
fn alternative_reserved() {
    let instance_type = InstanceType::new("kept", amounts([("cpu", "2"), ("pods", "9")]))
        .with_label("family", "k")
        .with_offering(offering("a", "reserved", "0.2").with_reservation("r", 1));
    let problem = market().instance_type(instance_type).pod(pod("p")).build().unwrap();
    let kept = ("kept", "a", "reserved");
    let _verified = accepted(&problem, &plan_of(one_pod(&problem, kept)));
    let mut one = one_pod(&problem, SMALL);
    Arc::make_mut(&mut one.alternatives).push(choice(&problem, kept));
    let reservation = "r".into();
    let expected = Violation::AlternativeReserved { launch: 0, alternative: 1, reservation };
    refused(&problem, &plan_of(one), [expected]);
}
