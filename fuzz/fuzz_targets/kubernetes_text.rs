//! Any text of Kubernetes' objects comes to a problem, notes and refusals; each object is accounted
//! for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll::k8s::{ConvertOptions, Dump, Outcome};

fuzz_target!(|text: &str| {
    let mut dump = Dump::new();
    dump.add_text("input", text);
    let (_requests, _refusals) = dump.requests();
    for lenient in [false, true] {
        let mut options = ConvertOptions::default();
        options.lenient = lenient;
        let conversion = dump.convert(&options);
        assert_eq!(conversion.outcomes().len(), dump.len());
        for (object, outcome) in conversion.outcomes() {
            let is_said = match outcome {
                Outcome::Refused => conversion.refusals().iter().any(|one| one.object == *object),
                Outcome::Noted => conversion.notes().iter().any(|one| one.object == *object),
                Outcome::Converted => true,
            };
            assert!(is_said, "{object}: {outcome:?}");
        }
        if let Err(error) = conversion.problem() {
            assert!(!error.is_internal(), "{error}");
        }
    }
});
