//! Every plan for a problem passes the verifier, and no problem is the library's own fault.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll::{Options, Problem, provision, verify};

/// More pods than this make a run slow without making it different.
const MOST_PODS: u64 = 2_000;

fuzz_target!(|text: &str| {
    let Ok(problem) = Problem::from_json(text) else { return };
    let pods = problem.pods().iter().map(|pod| u64::from(pod.replicas())).sum::<u64>();
    if pods > MOST_PODS {
        return;
    }
    match provision(&problem, &Options::default()) {
        Ok(plan) => {
            if let Err(violations) = verify(&problem, &plan) {
                panic!("{violations:?}\n{}", problem.to_json());
            }
        }
        Err(error) => assert!(error.is_unsupported(), "{error}\n{}", problem.to_json()),
    }
});
