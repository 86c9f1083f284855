//! Every consolidation can be carried out, wave by wave, and its document says all of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll::plan::ConsolidationPlan;
use plimsoll::{consolidate, verify_consolidation};
use plimsoll_fuzz::{Bytes, options, problem};

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes::new(data);
    let (Ok(Some(problem)), Ok(mut options)) = (problem(&mut bytes), options(&mut bytes)) else {
        return;
    };
    options.consolidation.bare_pods_move = bytes.arbitrary().unwrap_or_default();
    options.consolidation.spot_flexibility = 1;
    match consolidate(&problem, &options) {
        Ok(plan) => {
            if let Err(violations) = verify_consolidation(&problem, &plan, &options.consolidation) {
                panic!("{violations}\n{}", problem.to_json());
            }
            assert_eq!(ConsolidationPlan::from_json(&plan.to_json()).as_ref(), Ok(&plan));
        }
        Err(error) => assert!(error.is_unsupported(), "{error}\n{}", problem.to_json()),
    }
});
