//! An independent check of a plan against the problem's documents.

use crate::model::Problem;
use crate::plan::LaunchPlan;

/// What `verify` found a plan to be.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
#[non_exhaustive]
pub struct Verified {}

/// Every rule that a plan breaks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violations {}

/// Checks a plan.
///
/// # Errors
/// Every violation found.
pub fn verify(_problem: &Problem, _plan: &LaunchPlan) -> Result<Verified, Violations> {
    Ok(Verified {})
}
