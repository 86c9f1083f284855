//! Plans of documents, each of them verified.

use plimsoll::{LaunchPlan, Options, Problem, Verified, provision, verify};
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
