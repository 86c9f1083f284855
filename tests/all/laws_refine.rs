//! Laws of refinement, on small random problems with all rules: the bound never above the optimum,
//! the refined plan never dearer than the greedy one, every plan and certificate verified.

use crate::oracle::{Oracle, nanos};
use crate::order;
use crate::random;
use crate::random::{company, tiny};
use crate::scaled;
use crate::verified::{tree, verified};
use plimsoll::plan::{Proof, Termination};
use plimsoll::{
    Effort, LaunchPlan, Limits, Options, PreferencePolicy, Price, Problem, Stop, verify,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};

/// Little work, so that a law has many cases.
fn refining(preferences: PreferencePolicy) -> Options {
    let mut limits = Limits::default();
    (limits.rounds, limits.attempts) = (60, 20);
    let mut options = Options::default();
    options.effort = Effort::Refine(limits);
    options.preferences = preferences;
    options
}

fn greedy(preferences: PreferencePolicy) -> Options {
    let mut options = Options::default();
    options.preferences = preferences;
    options
}

/// A verified plan, whose bound its certificate proves.
fn planned(problem: &Value, options: &Options) -> Result<LaunchPlan, TestCaseError> {
    Ok(verified(problem, options)?.0)
}

/// How many pods are left out, what the launches cost, and how much preference is honoured.
fn outcome(plan: &LaunchPlan) -> (usize, i128, u64) {
    let honoured = plan.preferences().iter().map(|share| share.honoured).sum();
    (plan.unschedulable().len(), plan.cost().total.nanos(), honoured)
}

/// The names of the pods that are left out.
fn left_out(plan: &LaunchPlan) -> Vec<String> {
    plan.unschedulable().iter().map(|one| one.pod.to_string()).collect()
}

proptest! {
    #![proptest_config(random::config())]

    #[test]
    fn refined_plans_are_legal_and_no_dearer(problem in company::problem()) {
        for preferences in [PreferencePolicy::Respect, PreferencePolicy::Ignore] {
            let greedy = planned(&problem, &greedy(preferences))?;
            let refined = planned(&problem, &refining(preferences))?;
            let ((out, cost, _), (more_out, refined_cost, _)) =
                (outcome(&greedy), outcome(&refined));
            prop_assert!(more_out <= out, "fewer pods are placed\n{}", problem);
            // Of as many pods others may be more urgent.
            if left_out(&refined) == left_out(&greedy) {
                prop_assert!(refined_cost <= cost, "dearer: {} than {}\n{}", refined_cost, cost, problem);
            }
            // A bound is one for the pods of its own plan, which a better plan may have changed.
            if (more_out, refined_cost) == (out, cost) {
                prop_assert!(refined.cost().lower_bound >= greedy.cost().lower_bound, "{}", problem);
            }
        }
    }

    #[test]
    fn the_bound_is_no_higher_than_the_optimum(problem in random::problem()) {
        let refined = planned(&problem, &refining(PreferencePolicy::Ignore))?;
        let document = tree(&refined.to_json());
        let oracle = Oracle::new(&problem, 0, true);
        let Some(optimum) = oracle.cheapest_like(&oracle.places(&document)) else {
            return Err(TestCaseError::fail(format!("no plan is legal\n{problem}")));
        };
        let (bound, cost) =
            (nanos(&document["cost"]["lowerBound"]), nanos(&document["cost"]["total"]));
        prop_assert!(bound <= optimum, "{} above {}\n{}", bound, optimum, problem);
        prop_assert!(optimum <= cost, "{} below {}\n{}", cost, optimum, problem);
    }

    /// The same where rules between pods decide; and a claim to have found that nothing costs so
    /// little is refused.
    #[test]
    fn nothing_is_exhausted_beyond_the_optimum(problem in tiny::problem(), more in 1..3_i128) {
        let refined = planned(&problem, &refining(PreferencePolicy::Ignore))?;
        let mut document: Value = serde_json::from_str(&refined.to_json()).unwrap();
        let oracle = Oracle::new(&problem, 0, true);
        let places = oracle.places(&tree(&refined.to_json()));
        let Some(optimum) = oracle.cheapest_like(&places) else {
            return Err(TestCaseError::fail(format!("no plan is legal\n{problem}")));
        };
        let bound = refined.cost().lower_bound.nanos();
        prop_assert!(bound <= optimum, "{} above {}\n{}", bound, optimum, problem);
        let Some(certificate) = refined.certificate() else { return Ok(()) };
        let mut certificate = certificate.clone();
        certificate.exhausted = Some(Price::from_nanos(optimum + more));
        // The same plan, of which nothing is stated: what is proved need not reach a bound.
        document["cost"]["lowerBound"] = json!(0);
        document["cost"]["proof"] = json!("none");
        let plan = LaunchPlan::from_json(&document.to_string()).unwrap();
        let read = Problem::from_json(&problem.to_string()).unwrap();
        if let Ok(verified) = verify(&read, &plan.with_certificate(certificate)) {
            let proved = verified.lower_bound().nanos();
            prop_assert!(proved <= optimum, "{} proved, {} possible\n{}", proved, optimum, problem);
        }
    }

    #[test]
    fn the_same_limits_give_the_same_plan(problem in company::problem(), turn in 0..3_usize) {
        let options = refining(PreferencePolicy::Respect);
        let plan = planned(&problem, &options)?;
        let other = planned(&order::reordered(&problem, turn), &options)?;
        prop_assert_eq!(plan.to_json(), other.to_json(), "{}", problem);
        prop_assert_eq!(plan.termination(), other.termination(), "{}", problem);
        prop_assert!(plan.termination().is_some());
    }

    /// Whatever runs of static pools, the bound is proved and no lower than the cheap one.
    #[test]
    fn static_pools_have_bounds(problem in random::problem(), replicas in 1..=3_u32, fee in 0..2_i128) {
        let mut problem = problem;
        let pool = json!({ "name": "standing", "replicas": replicas });
        problem["nodePools"].as_array_mut().unwrap().push(pool);
        let plans = [greedy, refining].map(|of| {
            let mut options = of(PreferencePolicy::Respect);
            options.objective.node_fee = Price::from_nanos(fee * 1_000_000);
            planned(&problem, &options)
        });
        let [greedy, refined] = plans;
        let (greedy, refined) = (greedy?, refined?);
        let ((out, cost, _), (more_out, refined_cost, _)) = (outcome(&greedy), outcome(&refined));
        prop_assert!(more_out <= out, "fewer pods are placed\n{}", problem);
        if left_out(&refined) == left_out(&greedy) {
            prop_assert!(refined_cost <= cost, "dearer\n{}", problem);
        }
        // A bound is one for the pods of its own plan, which a better plan may have changed.
        if (more_out, refined_cost) == (out, cost) {
            prop_assert!(greedy.cost().lower_bound <= refined.cost().lower_bound, "{}", problem);
        }
    }

    /// A copy of a type, under another name, is worth nothing.
    #[test]
    fn a_type_twice_changes_neither_cost_nor_bound(
        problem in company::problem(),
        which in 0..4_usize,
        first in any::<bool>(),
    ) {
        let problem = scaled::without_min_values(&problem);
        let more = scaled::with_copy(&problem, which, if first { "copy" } else { "zcopy" });
        for preferences in [PreferencePolicy::Respect, PreferencePolicy::Ignore] {
            for options in [greedy(preferences), refining(preferences)] {
                let (one, other) = (planned(&problem, &options)?, planned(&more, &options)?);
                prop_assert_eq!(outcome(&one), outcome(&other), "{}", &problem);
                prop_assert_eq!(one.cost(), other.cost(), "{}", &problem);
            }
        }
    }

    /// The unit of prices means nothing.
    #[test]
    fn prices_in_another_unit_are_all_that_changes(problem in company::problem(), times in 2..=7_u32) {
        let dearer = scaled::prices(&problem, times);
        let options = refining(PreferencePolicy::Ignore);
        let (one, other) = (planned(&problem, &options)?, planned(&dearer, &options)?);
        let in_unit = |price: Price| price.nanos() * i128::from(times);
        prop_assert_eq!(in_unit(one.cost().total), other.cost().total.nanos(), "{}", &problem);
        prop_assert_eq!(in_unit(one.cost().lower_bound), other.cost().lower_bound.nanos(), "{}", &problem);
    }

    /// Nor does the unit of resources. What pods are worth is rounded, so of packings that cost the
    /// same another may be found, and a bound may be a step of prices off.
    #[test]
    fn resources_in_another_unit_cost_as_much(problem in company::problem(), times in 2..=7_u64) {
        let finer = scaled::resources(&problem, times);
        for preferences in [PreferencePolicy::Respect, PreferencePolicy::Ignore] {
            for options in [greedy(preferences), refining(preferences)] {
                let (one, other) = (planned(&problem, &options)?, planned(&finer, &options)?);
                prop_assert_eq!(outcome(&one), outcome(&other), "{}", &problem);
                let bounds = [one, other].map(|plan| plan.cost().lower_bound.nanos());
                let off = (bounds[0] - bounds[1]).abs();
                prop_assert!(off <= scaled::step(&problem), "{:?}\n{}", bounds, &problem);
            }
        }
    }

    #[test]
    fn a_stop_at_any_time_leaves_a_plan(problem in random::problem(), asked in 0..400_u32) {
        let mut options = refining(PreferencePolicy::Ignore);
        let left = AtomicU32::new(asked);
        // It says so once, to whichever part of the search asks then.
        options.stop = Stop::when(move || left.fetch_sub(1, Ordering::Relaxed) == 0);
        let stopped = outcome(&planned(&problem, &options)?);
        // Packing hears the same stop.
        let mut same = greedy(PreferencePolicy::Ignore);
        same.stop = Stop::when(|| true);
        let greedy = outcome(&planned(&problem, &same)?);
        prop_assert!(stopped <= greedy, "{:?} after {:?}\n{}", stopped, greedy, problem);
    }

    #[test]
    fn a_stop_at_once_leaves_a_plan(problem in random::problem()) {
        let mut options = refining(PreferencePolicy::Ignore);
        options.stop = Stop::when(|| true);
        let plan = planned(&problem, &options)?;
        let termination =
            if plan.cost().proof == Proof::Optimal { Termination::Done } else { Termination::Stopped };
        prop_assert_eq!(plan.termination(), Some(termination), "{}", problem);
        let stopped = outcome(&plan);
        // Packing hears the same stop.
        let mut same = greedy(PreferencePolicy::Ignore);
        same.stop = Stop::when(|| true);
        let greedy = outcome(&planned(&problem, &same)?);
        prop_assert!(stopped <= greedy, "{:?} after {:?}\n{}", stopped, greedy, problem);
    }
}
