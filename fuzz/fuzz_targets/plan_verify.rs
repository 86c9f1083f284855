//! Every plan for a problem passes the verifier, and no problem is the library's own fault.
//!
//! An input that begins with `{` is a problem document; all others are decisions of a generator.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll::{Options, Problem, provision, verify};
use plimsoll_fuzz::{Bytes, options, problem};

/// More pods than this make a run slow without making it different.
const MOST_PODS: u64 = 2_000;

fn check(problem: &Problem, options: &Options) {
    match provision(problem, options) {
        Ok(plan) => {
            if let Err(violations) = verify(problem, &plan) {
                panic!("{violations}\n{}", problem.to_json());
            }
        }
        Err(error) => assert!(error.is_unsupported(), "{error}\n{}", problem.to_json()),
    }
}

fuzz_target!(|data: &[u8]| {
    if data.starts_with(b"{") {
        let text = std::str::from_utf8(data).unwrap_or_default();
        let Ok(problem) = Problem::from_json(text) else { return };
        let pods = problem.pods().iter().map(|pod| u64::from(pod.replicas())).sum::<u64>();
        if pods <= MOST_PODS {
            check(&problem, &Options::default());
        }
        return;
    }
    let mut bytes = Bytes::new(data);
    let (Ok(Some(problem)), Ok(options)) = (problem(&mut bytes), options(&mut bytes)) else {
        return;
    };
    check(&problem, &options);
});
