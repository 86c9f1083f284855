//! The risk of interruptions as part of what is minimised: offerings are compared with it, and a
//! plan's cost is what is paid.

use crate::oracle::{Oracle, nanos};
use crate::random;
use crate::verified::tree;
use plimsoll::{
    Effort, LaunchPlan, Limits, Options, PreferencePolicy, Price, Problem, provision, verify,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

fn options(interruption: Price, effort: Effort) -> Options {
    let mut options = Options::default();
    options.objective.interruption = interruption;
    options.preferences = PreferencePolicy::Ignore;
    options.effort = effort;
    options
}

fn refine() -> Effort {
    let mut limits = Limits::default();
    (limits.rounds, limits.attempts) = (60, 20);
    Effort::Refine(limits)
}

fn read(problem: &Value) -> Problem {
    Problem::from_json(&problem.to_string()).unwrap()
}

/// A verified plan, whose bound its certificate proves.
fn planned(problem: &Value, interruption: Price, effort: Effort) -> LaunchPlan {
    let problem = read(problem);
    let plan = provision(&problem, &options(interruption, effort)).unwrap();
    let verified = verify(&problem, &plan).unwrap_or_else(|faults| panic!("{faults}\n{problem:?}"));
    assert!(verified.lower_bound() >= plan.cost().lower_bound, "{problem:?}");
    plan
}

/// A pod, and nodes for it on demand and spot in two zones.
fn choices() -> Value {
    let offering = |zone: &str, capacity_type: &str, price: f64, rate: f64| json!({ "zone": zone, "capacityType": capacity_type, "price": price, "interruptionRate": rate });
    json!({
        "pods": [{ "name": "web", "replicas": 3, "requests": { "cpu": "1" } }],
        "instanceTypes": [{
            "name": "t",
            "capacity": { "cpu": "1", "pods": "10" },
            "offerings": [
                offering("a", "spot", 0.03, 0.2),
                offering("b", "spot", 0.05, 0.01),
                offering("a", "on-demand", 0.1, 0.0),
            ],
        }],
        "nodePools": [{ "name": "main" }],
    })
}

#[test]
fn the_cheaper_loses_to_the_safer() {
    for effort in [Effort::Greedy, Effort::FirstFit, refine()] {
        for (interruption, each) in [("0", "0.03"), ("0.1", "0.03"), ("1", "0.05"), ("10", "0.1")] {
            let plan = planned(&choices(), price(interruption), effort);
            let total = price(each).checked_mul(3).unwrap();
            assert_eq!(plan.cost().total, total, "{interruption} with {effort:?}");
            // What is paid at least, however risky.
            assert_eq!(plan.cost().lower_bound, price("0.09"), "{interruption} with {effort:?}");
            let alternatives = &plan.launches()[0].template().alternatives;
            assert!(alternatives.is_sorted(), "{alternatives:?}");
        }
    }
}

#[test]
fn the_fee_is_paid_and_the_risk_is_not() {
    let mut options = options(price("1"), Effort::Greedy);
    options.objective.node_fee = price("0.01");
    let cost = provision(&read(&choices()), &options).unwrap().cost();
    assert_eq!((cost.total, cost.fees), (price("0.18"), price("0.03")));
}

#[test]
fn what_an_interruption_counts_for_is_checked() {
    for wrong in [Price::from_nanos(-1), price("100000.000000001")] {
        let error = provision(&read(&choices()), &options(wrong, Effort::Greedy)).unwrap_err();
        assert!(error.to_string().contains("options.objective.interruption"), "{error}");
    }
    let dearest = options(Price::MAX_UNIT, refine());
    assert_eq!(provision(&read(&choices()), &dearest).unwrap().cost().total, price("0.3"));
}

/// Spot offerings are interrupted so many hundredths of times an hour.
fn risky(mut problem: Value, rates: &[u32]) -> Value {
    let types = problem["instanceTypes"].as_array_mut().unwrap().iter_mut();
    let offerings = types.flat_map(|kind| kind["offerings"].as_array_mut().unwrap());
    for (offering, rate) in offerings.zip(rates.iter().cycle()) {
        if offering["capacityType"] == "spot" {
            offering["interruptionRate"] = json!(f64::from(*rate) / 100.0);
        }
    }
    problem
}

/// The problem with the risk in its prices.
fn weighed(mut problem: Value, interruption: Price) -> Value {
    let types = problem["instanceTypes"].as_array_mut().unwrap().iter_mut();
    for offering in types.flat_map(|kind| kind["offerings"].as_array_mut().unwrap()) {
        if let Some(rate) = offering.as_object_mut().unwrap().remove("interruptionRate") {
            let risk = interruption.nanos() * nanos(&rate) / 1_000_000_000;
            let price = Price::from_nanos(nanos(&offering["price"]) + risk);
            offering["price"] = serde_json::from_str(&price.to_string()).unwrap();
        }
    }
    problem
}

/// What the plan's launches cost at the prices of a problem.
fn cost_at(problem: &Value, plan: &LaunchPlan) -> i128 {
    let of_launch = |launch: &plimsoll::plan::Launch| {
        let choice = &launch.template().offering;
        let types = problem["instanceTypes"].as_array().unwrap().iter();
        let own = types.filter(|kind| kind["name"] == *choice.instance_type);
        let mut offerings = own.flat_map(|kind| kind["offerings"].as_array().unwrap());
        let found = offerings.find(|one| {
            one["zone"] == *choice.zone
                && one["capacityType"] == choice.capacity_type.as_str()
                && one["reservation"]["id"].as_str() == choice.reservation.as_deref()
        });
        nanos(&found.unwrap()["price"])
    };
    plan.launches().iter().map(of_launch).sum()
}

proptest! {
    #![proptest_config(random::config())]

    #[test]
    fn without_rates_or_without_weight_nothing_changes(
        problem in random::company::problem(),
        rates in prop::collection::vec(0..6_u32, 1..5),
    ) {
        let risky = risky(problem.clone(), &rates);
        for effort in [Effort::Greedy, refine()] {
            let text = |problem: &Value, interruption: Price| {
                provision(&read(problem), &options(interruption, effort)).unwrap().to_json()
            };
            let plain = text(&problem, Price::ZERO);
            prop_assert_eq!(&plain, &text(&risky, Price::ZERO));
            prop_assert_eq!(&plain, &text(&problem, price("0.5")));
        }
    }

    /// What is minimised: at least what is possible, refined no more than before; and the bound is
    /// one of what is paid.
    #[test]
    fn the_risk_is_part_of_what_is_minimised(
        problem in random::problem(),
        rates in prop::collection::vec(0..6_u32, 1..5),
    ) {
        let interruption = price("0.5");
        let risky = risky(problem, &rates);
        let weighed = weighed(risky.clone(), interruption);
        let plans = [Effort::Greedy, refine()].map(|effort| planned(&risky, interruption, effort));
        let [greedy, refined] = &plans;
        for plan in &plans {
            let document = tree(&plan.to_json());
            let (paid, compared) = (Oracle::new(&risky, 0, true), Oracle::new(&weighed, 0, true));
            let places = paid.places(&document);
            let least = paid.cheapest_like(&places).unwrap();
            prop_assert!(plan.cost().lower_bound.nanos() <= least, "{}", risky);
            let least = compared.cheapest_like(&places).unwrap();
            prop_assert!(least <= cost_at(&weighed, plan), "{}", risky);
        }
        if greedy.unschedulable().len() == refined.unschedulable().len() {
            prop_assert!(cost_at(&weighed, refined) <= cost_at(&weighed, greedy), "{}", risky);
        }
    }
}
