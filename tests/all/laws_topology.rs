//! Laws of plans for pods with rules between them, preferences and placeholders, on small random
//! problems: every plan is verified, whatever the options.

use crate::order;
use crate::random;
use crate::random::company;
use crate::verified::verified;
use plimsoll::{Effort, LaunchPlan, Options, PreferencePolicy, Price};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn options(preferences: PreferencePolicy) -> Options {
    let mut options = Options::default();
    options.preferences = preferences;
    options
}

fn planned(problem: &Value, options: &Options) -> Result<LaunchPlan, TestCaseError> {
    let (plan, verified) = verified(problem, options)?;
    if options.preferences != PreferencePolicy::Ignore {
        let shares = plan.preferences();
        prop_assert_eq!(verified.preferences(), shares, "other shares are stated\n{}", problem);
    }
    Ok(plan)
}

/// How many pods are left out by priority, the highest first; placeholders that may only use free
/// room don't count.
fn left_out(problem: &Value, plan: &LaunchPlan) -> Vec<usize> {
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    for pod in problem["pods"].as_array().unwrap() {
        let free = pod["annotations"]["plimsoll.dev/placeholder"] == "free";
        let name = format!("default/{}", pod["name"].as_str().unwrap());
        let own =
            |out: &str| out == name || out.rsplit_once('-').is_some_and(|(entry, _)| entry == name);
        let out = plan.unschedulable().iter().filter(|one| own(&one.pod)).count();
        let sum = counts.entry(-pod["priority"].as_i64().unwrap_or(0)).or_insert(0);
        *sum += if free { 0 } else { out };
    }
    counts.into_values().collect()
}

proptest! {
    #![proptest_config(random::config())]

    #[test]
    fn every_plan_keeps_every_rule(problem in company::problem()) {
        for preferences in [
            PreferencePolicy::Respect,
            PreferencePolicy::Ignore,
            PreferencePolicy::Priced("0.01".parse().unwrap()),
        ] {
            for effort in [Effort::Greedy, Effort::FirstFit] {
                let mut options = options(preferences);
                options.effort = effort;
                let _plan = planned(&problem, &options)?;
            }
        }
    }

    #[test]
    fn a_plan_is_the_same_whatever_the_order(problem in company::problem(), turn in 0..3_usize) {
        let respect = options(PreferencePolicy::Respect);
        let plan = planned(&problem, &respect)?.to_json();
        let other = planned(&order::reordered(&problem, turn), &respect)?.to_json();
        prop_assert_eq!(plan, other, "{}", problem);
    }

    #[test]
    fn no_pod_is_left_out_for_preferences(problem in company::problem()) {
        let respected = planned(&problem, &options(PreferencePolicy::Respect))?;
        let ignored = planned(&problem, &options(PreferencePolicy::Ignore))?;
        let (with, without) = (left_out(&problem, &respected), left_out(&problem, &ignored));
        prop_assert!(
            with.iter().sum::<usize>() <= without.iter().sum::<usize>(),
            "{:?} and {:?}: {}", with, without, problem
        );
    }

    #[test]
    fn preferences_at_no_price_cost_nothing(problem in company::problem()) {
        let free = planned(&problem, &options(PreferencePolicy::Priced(Price::ZERO)))?;
        let ignored = planned(&problem, &options(PreferencePolicy::Ignore))?;
        if left_out(&problem, &free) == left_out(&problem, &ignored) {
            prop_assert!(free.cost().total <= ignored.cost().total, "{}", problem);
        }
    }

    #[test]
    fn a_pod_that_fits_nowhere_changes_nothing(problem in company::problem()) {
        let respect = options(PreferencePolicy::Respect);
        let before = planned(&problem, &respect)?;
        let mut more = problem.clone();
        let giant = json!({ "name": "zz", "requests": { "cpu": "100000" }, "priority": 1000 });
        more["pods"].as_array_mut().unwrap().push(giant);
        let after = planned(&more, &respect)?;
        prop_assert_eq!(before.launches(), after.launches(), "{}", problem);
        prop_assert_eq!(before.bindings(), after.bindings());
    }
}
