//! Refinement places no fewer pods and costs no more, and its bound is checked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll::{Effort, LaunchPlan, Limits, PreferencePolicy, provision, verify};
use plimsoll_fuzz::{Bytes, options, problem};

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes::new(data);
    let (Ok(Some(problem)), Ok(mut options)) = (problem(&mut bytes), options(&mut bytes)) else {
        return;
    };
    // What else is minimised isn't part of the cost.
    options.preferences = PreferencePolicy::Ignore;
    let Ok(greedy) = provision(&problem, &options) else { return };
    let few = Limits::default().with_rounds(20).with_attempts(5);
    options.effort = Effort::Refine(few);
    let Ok(refined) = provision(&problem, &options) else { return };
    match verify(&problem, &refined) {
        Ok(verified) => assert_eq!(verified.lower_bound(), refined.cost().lower_bound),
        Err(violations) => panic!("{violations}\n{}", problem.to_json()),
    }
    let left_out = |plan: &LaunchPlan| plan.unschedulable().len();
    let document = || problem.to_json();
    assert!(left_out(&refined) <= left_out(&greedy), "{}", document());
    if left_out(&refined) == left_out(&greedy) {
        let same = greedy.unschedulable().iter().zip(refined.unschedulable());
        // With other pods left out, or another pool's weight met, a plan may well cost more.
        let weights = problem.node_pools().iter().map(|pool| pool.weight());
        let one_weight = weights.clone().min() == weights.max();
        if one_weight && same.clone().all(|(one, other)| one.pod == other.pod) {
            assert!(refined.cost().total <= greedy.cost().total, "{}", document());
        }
    }
});
