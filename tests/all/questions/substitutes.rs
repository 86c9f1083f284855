//! Why not another launch: what is said to be dearer is so by just that much, and is bought once it
//! costs less; what is said to be forbidden is refused; and no plan gains from a node that costs
//! more than what it can hold is said to be worth.

use super::Draw;
use crate::random::scarce;
use crate::statistics::asked;
use plimsoll::question::{RuleChange, Substitute};
use plimsoll::{Effort, Options, PreferencePolicy, Price, Problem, Solver, provision, verify};
use std::collections::BTreeMap;

#[test]
fn what_is_dearer_is_bought_once_it_costs_less() {
    let wanted = asked("QUESTIONS_SUBSTITUTES", 300);
    let mut options = Options::default();
    options.preferences = PreferencePolicy::Ignore;
    let (mut drawn, mut right, mut number) = (0, 0, asked("STATISTICS_SEED", 1) * 13_000_003);
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    while drawn < wanted {
        number += 1;
        let problem = Problem::from_json(&scarce::made_from(number, 10).to_string()).unwrap();
        let solver = Solver::new(&problem).unwrap();
        let plan = solver.provision(&options).unwrap();
        if plan.launches().is_empty() {
            continue;
        }
        let mut draw = Draw(number);
        let types = problem.instance_types();
        let offered = types[draw.below(types.len())].clone();
        let zone = offered.offerings()[draw.below(offered.offerings().len())].zone().to_owned();
        let pools = problem.node_pools();
        let asked = match draw.below(3) {
            0 => Substitute { instance_type: Some(offered.name().into()), ..Default::default() },
            1 => Substitute { zone: Some(zone.into()), ..Default::default() },
            _ => {
                let pool = pools[draw.below(pools.len())].name();
                Substitute { node_pool: Some(pool.into()), ..Default::default() }
            }
        };
        let launch = (draw.below(2) == 0).then(|| draw.below(plan.launches().len()));
        let answer = solver.why_not(&plan, launch, &asked, &options);
        let answer = answer.unwrap_or_else(|error| panic!("{number}: {error}"));
        assert!(answer.to_string().lines().count() <= 3, "{answer}");
        // What is offered in no other way teaches nothing.
        let Some((_, instead)) = &answer.instead else { continue };
        drawn += 1;
        let extra = answer.extra_cost().unwrap();
        if !answer.forbidden.is_empty() {
            *kinds.entry("forbidden").or_default() += 1;
            right += 1;
            continue;
        }
        let below = Price::from_nanos(answer.is.1.price.nanos() - 10_000);
        if below < Price::ZERO {
            *kinds.entry("for nothing").or_default() += 1;
            right += 1;
            continue;
        }
        // With it a little cheaper than what is launched the plan costs less.
        let change = RuleChange::OfferingPrice {
            instance_type: instead.instance_type.clone(),
            zone: instead.zone.clone(),
            capacity_type: instead.capacity_type,
            to: below,
        };
        let changed = change.apply(&problem).unwrap();
        let rank = |plan: &plimsoll::LaunchPlan| (plan.unschedulable().len(), plan.cost().total);
        let is_found = |effort: Effort| {
            let options = options.clone().with_effort(effort);
            let after = provision(&changed, &options).unwrap();
            let _verified = verify(&changed, &after).unwrap();
            rank(&after) < rank(&plan)
        };
        // What would be cheaper `verify` accepted: it is the search that passed it over.
        let is_true = extra < Price::ZERO
            || is_found(Effort::Greedy)
            || is_found(Effort::Refine(plimsoll::Limits::default()));
        let word = match extra {
            Price::ZERO => "as dear",
            more if more > Price::ZERO => "dearer",
            _ => "cheaper",
        };
        *kinds.entry(word).or_default() += 1;
        right += u64::from(is_true);
        if !is_true || word == "cheaper" {
            println!("{number}: {asked}: {answer}");
        }
    }
    println!("{right} of {drawn} answers are true: {kinds:?}");
    assert!(right * 100 >= drawn * 98, "{right} of {drawn} answers are true");
    assert!(kinds.get("cheaper").copied().unwrap_or(0) * 100 <= drawn * 3, "{kinds:?}");
}

/// As long as a launch costs what its pods are worth no plan comes out below the bound.
#[test]
fn a_bound_stands_at_the_prices_at_which_launches_pay() {
    let options = Options::default();
    let (mut drawn, mut number) = (0, asked("STATISTICS_SEED", 1) * 17_000_003);
    while drawn < asked("QUESTIONS_WORTHS", 20) {
        number += 1;
        let problem = Problem::from_json(&scarce::made_from(number, 24).to_string()).unwrap();
        let solver = Solver::new(&problem).unwrap();
        let plan = solver.provision(&options).unwrap();
        let weighted = problem.node_pools().iter().any(|pool| pool.weight() != 0);
        if !plan.unschedulable().is_empty() || weighted {
            continue;
        }
        let bound = plan.cost().lower_bound.nanos();
        for of_type in problem.instance_types() {
            let asked =
                Substitute { instance_type: Some(of_type.name().into()), ..Default::default() };
            let Ok(answer) = solver.why_not(&plan, None, &asked, &options) else { continue };
            let (Some(price), Some((pool, instead))) = (answer.pays_below, &answer.instead) else {
                continue;
            };
            // Of several pools each has its own answer.
            if price >= instead.price || problem.node_pools().len() > 1 {
                continue;
            }
            drawn += 1;
            let change = RuleChange::OfferingPrice {
                instance_type: instead.instance_type.clone(),
                zone: instead.zone.clone(),
                capacity_type: instead.capacity_type,
                to: price,
            };
            let changed = change.apply(&problem).unwrap();
            let after = provision(&changed, &options).unwrap();
            // Bounds are rounded up to what all costs are multiples of, which is less now.
            let offerings = problem.instance_types().iter().flat_map(|one| one.offerings());
            let step = offerings.fold(0, |step, one| gcd(step, one.price().nanos()));
            let least = bound - step;
            assert!(after.cost().total.nanos() >= least, "{number}, {pool}: {answer}");
        }
    }
}

fn gcd(one: i128, other: i128) -> i128 {
    if other == 0 { one } else { gcd(other, one % other) }
}
