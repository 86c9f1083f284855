//! Plans of documents, each of them verified.

use plimsoll::verify::Verified;
use plimsoll::{LaunchPlan, Options, Problem, provision, verify};
use proptest::prelude::TestCaseError;
use serde_json::Value;

/// The plan of a problem's document, and what `verify` finds it to be; a law fails where the
/// problem, the plan or its certificate is refused.
pub(crate) fn verified(
    problem: &Value,
    options: &Options,
) -> Result<(LaunchPlan, Verified), TestCaseError> {
    let fail = |what: String| TestCaseError::fail(format!("{what}\n{problem}"));
    let read = Problem::from_json(&problem.to_string()).map_err(|e| fail(e.to_string()))?;
    let plan = provision(&read, options).map_err(|e| fail(e.to_string()))?;
    let verified = verify(&read, &plan).map_err(|v| fail(format!("{v}\n{}", plan.to_json())))?;
    if verified.lower_bound() < plan.cost().lower_bound {
        let proved = verified.lower_bound();
        return Err(fail(format!("{proved} is all that is proved\n{}", plan.to_json())));
    }
    Ok((plan, verified))
}

/// A plan's document, each launch with what its template says.
pub(crate) fn tree(text: &str) -> Value {
    let mut document: Value = serde_json::from_str(text).unwrap();
    let templates = document["templates"].take();
    for launch in document["launches"].as_array_mut().unwrap() {
        let number = usize::try_from(launch["template"].as_u64().unwrap()).unwrap();
        let template = templates[number].as_object().unwrap().clone();
        launch.as_object_mut().unwrap().extend(template);
    }
    document
}
