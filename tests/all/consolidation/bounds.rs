//! Laws of lower bounds: their certificates prove them, and nothing costs less.

use super::laws::{least, options, prices, seeds};
use super::random::{Spec, cluster};
use super::verified;
use plimsoll::plan::{Certificate, ConsolidationPlan};
use plimsoll::{Effort, Limits, Options, Price, Problem, Stop, verify_consolidation};
use serde_json::Value;
use std::sync::atomic::{AtomicI64, Ordering};

/// With bounds that are searched for, and plans that aren't.
fn refined(mut options: Options) -> Options {
    let mut limits = Limits::default();
    (limits.rounds, limits.attempts) = (300, 0);
    options.effort = Effort::Refine(limits);
    options
}

/// The plan with its certificates as they are when they were written and read.
fn written(plan: ConsolidationPlan) -> ConsolidationPlan {
    let read = |one: Option<&Certificate>| {
        one.map(|one| {
            let again = Certificate::from_json(&one.to_json()).unwrap();
            assert_eq!(again, *one);
            again
        })
    };
    let (of_all, for_moves) = (read(plan.certificate()), read(plan.certificate_for_moves()));
    plan.with_certificates(of_all, for_moves)
}

/// A plan that states these bounds instead of its own.
fn stating(problem: &Problem, plan: &ConsolidationPlan, more: (i128, i128)) -> bool {
    let mut document: Value = serde_json::from_str(&plan.to_json()).unwrap();
    let cost = plan.cost();
    let raised = |bound: Price, more: i128| {
        let price = Price::from_nanos(bound.nanos() + more).to_string();
        Value::Number(serde_json::from_str(&price).unwrap())
    };
    document["cost"]["lowerBound"] = raised(cost.lower_bound, more.0);
    document["cost"]["lowerBoundForMoves"] = raised(cost.lower_bound_for_moves, more.1);
    let other = ConsolidationPlan::from_json(&document.to_string()).unwrap();
    let other =
        other.with_certificates(plan.certificate().cloned(), plan.certificate_for_moves().cloned());
    verify_consolidation(problem, &other, &options_of_all()).is_ok()
}

fn options_of_all() -> plimsoll::ConsolidationOptions {
    let mut options = plimsoll::ConsolidationOptions::default();
    options.minimum_saving = 0;
    options.spot_flexibility = 1;
    options.bare_pods_move = true;
    options
}

/// Both kinds of bounds are believed, also of certificates that were read from documents, and no
/// billionth more than they prove.
#[test]
fn bounds_are_proved_and_no_more() {
    let small = seeds(60).map(|seed| (seed, Spec::SMALL));
    let middle = seeds(4).map(|seed| (seed, Spec::MIDDLE));
    let (mut certified, mut charged, mut better) = (0, 0, 0);
    for (seed, spec) in small.chain(middle) {
        let document = cluster(seed, spec);
        let (cheap, _) = verified(&document, &options(seed)).unwrap_or_else(|e| panic!("{e}"));
        let refined = refined(options(seed));
        let (plan, found) =
            verified(&document, &refined).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let cost = plan.cost();
        assert!(cost.lower_bound <= cost.lower_bound_for_moves, "seed {seed}");
        assert!(cost.lower_bound_for_moves <= cost.after, "seed {seed}: {cost:?}");
        better += u32::from(cost.lower_bound > cheap.cost().lower_bound);
        let problem = Problem::from_json(&document.to_string()).unwrap();
        let again = verify_consolidation(&problem, &written(plan.clone()), &refined.consolidation);
        assert_eq!(again.unwrap(), found, "seed {seed}");
        certified += u32::from(plan.certificate().is_some());
        charged += u32::from(plan.certificate_for_moves().is_some());
    }
    println!(
        "{certified} certified, {charged} with a price of moves, {better} better than at once"
    );
    assert!(certified > 30 && charged > 3 && better > 15, "{certified}, {charged}, {better}");
}

#[test]
fn bounds_that_are_raised_are_refused() {
    let mut raised = 0;
    for seed in seeds(40) {
        let document = cluster(seed, Spec { plain: true, ..Spec::SMALL });
        let mut options = Options::default();
        options.consolidation = options_of_all();
        let (plan, found) =
            verified(&document, &refined(options)).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        if plan.certificate().is_none() {
            continue;
        }
        let problem = Problem::from_json(&document.to_string()).unwrap();
        let cost = plan.cost();
        let spare = (
            found.lower_bound().nanos() - cost.lower_bound.nanos(),
            found.lower_bound_for_moves().nanos() - cost.lower_bound_for_moves.nanos(),
        );
        assert!(stating(&problem, &plan, spare), "seed {seed}");
        assert!(!stating(&problem, &plan, (spare.0 + 1, spare.1)), "seed {seed}");
        assert!(!stating(&problem, &plan, (spare.0, spare.1 + 1)), "seed {seed}");
        raised += 1;
    }
    assert!(raised > 20, "{raised}");
}

/// No bound lies above what trying everything finds.
#[test]
fn refined_bounds_are_never_above_the_least() {
    let (mut compared, mut equal) = (0, 0);
    for seed in seeds(150) {
        let problem = cluster(seed, Spec::TINY);
        let Some(least) = least(&problem, &prices(&problem)) else { continue };
        let mut options = Options::default();
        options.consolidation = options_of_all();
        let (plan, _) =
            verified(&problem, &refined(options)).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let bound = plan.cost().lower_bound.nanos();
        assert!(bound <= least, "seed {seed}: the bound {bound} is above {least}");
        compared += 1;
        equal += u32::from(bound == least);
    }
    println!("{equal} of {compared} bounds are the least cost");
    assert!(compared > 50 && equal * 3 > compared, "{equal} of {compared}");
}

/// A search that is ended at any moment leaves a plan that stands and costs no more than at once,
/// and bounds that it had proved by then.
#[test]
fn what_is_stopped_stands_and_is_proved() {
    let mut raised = 0;
    for seed in seeds(12) {
        let document = cluster(seed, Spec { plain: true, ..Spec::MIDDLE });
        let mut at_once = Options::default();
        at_once.consolidation = options_of_all();
        let (cheap, _) = verified(&document, &at_once).unwrap_or_else(|e| panic!("{e}"));
        for questions in [0, 30, 1_000, 30_000] {
            let mut options = at_once.clone();
            let mut limits = Limits::default();
            (limits.rounds, limits.attempts) = (100, 600);
            options.effort = Effort::Refine(limits);
            let left = AtomicI64::new(questions);
            options.stop = Stop::when(move || left.fetch_sub(1, Ordering::Relaxed) <= 0);
            let (plan, _) =
                verified(&document, &options).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            if questions == 30_000 {
                assert!(plan.cost().after <= cheap.cost().after, "seed {seed}");
                raised += u32::from(plan.cost().lower_bound > cheap.cost().lower_bound);
            }
        }
    }
    assert!(raised > 6, "{raised} bounds are higher than at once");
}
