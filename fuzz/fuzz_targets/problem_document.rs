//! Any text is an error or a problem (or a plan) that is written and read again unchanged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll::{LaunchPlan, Problem};

fuzz_target!(|text: &str| {
    if let Ok(problem) = Problem::from_json(text) {
        assert_eq!(Problem::from_json(&problem.to_json()).as_ref(), Ok(&problem));
    }
    if let Ok(plan) = LaunchPlan::from_json(text) {
        assert!(!plan.to_string().is_empty());
        assert_eq!(LaunchPlan::from_json(&plan.to_json()).as_ref(), Ok(&plan));
    }
});
