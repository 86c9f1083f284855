//! What more of a limit or a reservation is worth: with so much more the plan's certificate proves
//! a bound that is lower by just that, and no plan comes out below it.

use super::Draw;
use crate::statistics::asked;
use plimsoll::question::{RuleChange, Supply};
use plimsoll::{Effort, Limits, Options, Problem, Quantity, Solver, provision, verify};
use serde_json::json;

/// Cheap nodes of which a pool may have few, and dear ones.
fn problem(draw: &mut Draw) -> Problem {
    let mut pods = Vec::new();
    for at in 0..draw.below(2) + 2 {
        pods.push(json!({
            "name": format!("a{at}"), "replicas": draw.below(12) + 6,
            "requests": {
                "cpu": format!("{}m", 300 + 100 * draw.below(20)),
                "memory": format!("{}Mi", 256 * (1 + draw.below(24))),
            },
        }));
    }
    let offering = |price: f64, reserved: Option<usize>| {
        let mut offering = json!({ "zone": "z1", "capacityType": "on-demand", "price": price });
        if let Some(remaining) = reserved {
            offering["capacityType"] = json!("reserved");
            offering["reservation"] = json!({ "id": "cr-1", "remaining": remaining });
        }
        offering
    };
    let mut cheap = vec![offering(0.10, None)];
    if draw.below(2) == 0 {
        cheap.push(offering(0.04, Some(draw.below(4) + 1)));
    }
    let mut limits = json!({ "cpu": 4 + 4 * draw.below(3) });
    if draw.below(3) == 0 {
        limits = json!({ "nodes": draw.below(3) + 1 });
    }
    let kind = |name: &str, cpu: usize, gib: usize, offerings: Vec<serde_json::Value>| {
        json!({
            "name": name, "offerings": offerings,
            "capacity": { "cpu": cpu, "memory": format!("{gib}Gi"), "pods": 58 },
        })
    };
    let document = json!({
        "pods": pods,
        "instanceTypes": [
            kind("small", 4, 16, cheap),
            kind("large", 8, 64, vec![offering(0.45, None)]),
            kind("dear", 4, 8, vec![offering(0.22, None)]),
        ],
        "nodePools": [
            { "name": "cheap", "limits": limits, "instanceTypes": ["small"] },
            { "name": "dear", "instanceTypes": ["large", "dear"] },
        ],
    });
    Problem::from_json(&document.to_string()).unwrap()
}

#[test]
fn a_bound_falls_by_what_more_of_a_limit_is_worth() {
    let wanted = asked("QUESTIONS_SUPPLIES", 8);
    let effort = Effort::Refine(Limits::default().with_rounds(12).with_attempts(0));
    let options = Options::default().with_effort(effort);
    let mut draw = Draw(asked("STATISTICS_SEED", 1));
    let (mut drawn, mut priced, mut helped) = (0, 0, 0);
    while drawn < wanted {
        let problem = problem(&mut draw);
        let solver = Solver::new(&problem).unwrap();
        let plan = solver.provision(&options).unwrap();
        let bound = verify(&problem, &plan).unwrap().lower_bound().nanos();
        for one in solver.supplies(&plan, &options).unwrap() {
            assert!(one.used <= one.most, "{one}");
            assert_eq!(one.to_string().lines().count(), 1, "{one}");
            let more = Quantity::from_units(draw.below(6) as u64 + 1);
            let Some(value) = one.value_of(more) else { continue };
            let to = one.most.saturating_add(more);
            let change = match &one.supply {
                Supply::Limit { node_pool, resource } => RuleChange::Limit {
                    node_pool: node_pool.clone(),
                    resource: resource.clone(),
                    to: Some(to),
                },
                Supply::Reservation { id } => RuleChange::Reservation {
                    id: id.clone(),
                    to: u32::try_from(to.nanos() / 1_000_000_000).unwrap(),
                },
                other => panic!("{other:?}"),
            };
            drawn += 1;
            let changed = change.apply(&problem).unwrap();
            // The same certificate, claimed of nothing: what it proves now.
            let mut bare = serde_json::from_str::<serde_json::Value>(&plan.to_json()).unwrap();
            bare["cost"]["lowerBound"] = json!("0");
            bare["cost"]["proof"] = json!("none");
            let certificate = plan.certificate().unwrap().clone();
            let bare = plimsoll::LaunchPlan::from_json(&bare.to_string());
            let bare = bare.unwrap().with_certificate(certificate);
            let lower = verify(&changed, &bare).unwrap().lower_bound().nanos();
            // Bounds are rounded up to what all costs are multiples of, here a cent.
            let fallen = bound - lower;
            let step = 10_000_000;
            assert!((fallen - value.nanos()).abs() <= step, "{one}: {fallen} is not {value}");
            let after = provision(&changed, &options).unwrap();
            assert!(after.cost().total.nanos() >= bound - value.nanos() - step, "{one}");
            priced += u64::from(value.nanos() > 0);
            if let Some(next) = &one.next {
                let effect = solver.effect_of(&plan, std::slice::from_ref(next), &options).unwrap();
                assert!(effect.savings().nanos() >= 0, "{effect}");
                helped += u64::from(effect.savings().nanos() > 0);
            }
        }
    }
    println!("{priced} of {drawn} limits and reservations have a price; {helped} next steps save");
    assert!(priced * 2 > drawn, "{priced} of {drawn}");
}
