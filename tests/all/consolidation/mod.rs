//! Consolidations: cases with their right decisions, and laws of random clusters, each plan
//! replayed by `verify_consolidation`.

mod beside;
mod bounds;
mod corpus;
mod exhaustive;
mod facts;
mod large;
mod laws;
mod laws_again;
mod mutated;
mod outcome;
mod preferences;
mod random;
mod reasons;

use plimsoll::plan::ConsolidationPlan;
use plimsoll::verify::VerifiedConsolidation;
use plimsoll::{Options, Problem, consolidate, verify_consolidation};
use serde_json::Value;

/// The consolidation of a problem's document, and what its replay finds it to be; what is wrong
/// otherwise.
fn verified(
    problem: &Value,
    options: &Options,
) -> Result<(ConsolidationPlan, VerifiedConsolidation), String> {
    let read = Problem::from_json(&problem.to_string()).map_err(|e| e.to_string())?;
    let plan = consolidate(&read, options).map_err(|e| e.to_string())?;
    let text = plan.to_json();
    let verified = verify_consolidation(&read, &plan, &options.consolidation)
        .map_err(|found| found.to_string())?;
    let again = ConsolidationPlan::from_json(&text).map_err(|e| e.to_string())?;
    if again.to_json() != text {
        return Err("reading and writing a plan changes it".into());
    }
    Ok((plan, verified))
}
