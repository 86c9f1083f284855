//! microlp, in slices of few nodes.

use super::model::{Model, model};
use super::{Programme, ProgrammeBounds, SolverAnswer};
use good_lp::SolverModel;
use microlp::{SolveOptions, SolveOutcome, TerminationReason};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Nodes between two looks at the caller's wish to stop.
const SLICE: u32 = 20;
/// Where a slice takes this long, it goes in circles.
const BRAKE: Duration = Duration::from_secs(20);

/// The best that microlp finds.
pub(super) fn solve(
    programme: &Programme,
    known: &ProgrammeBounds,
    nodes: u32,
    stop: &dyn Fn() -> bool,
) -> Option<SolverAnswer> {
    // It asserts that its edges have a length, which numbers may deny it; nothing of it is used
    // after.
    let search = AssertUnwindSafe(|| search(programme, known, nodes, stop));
    catch_unwind(search).ok().flatten()
}

fn search(
    programme: &Programme,
    known: &ProgrammeBounds,
    nodes: u32,
    stop: &dyn Fn() -> bool,
) -> Option<SolverAnswer> {
    let Model { problem, rows, .. } = model(programme);
    let mut problem = problem.using(good_lp::microlp);
    for row in rows {
        let _reference = problem.add_constraint(row);
    }
    let mut options = SolveOptions::default();
    options.node_limit = Some(u64::from(SLICE.min(nodes)));
    options.time_limit = Some(BRAKE);
    options.mip_gap = Programme::gap(known);
    let mut outcome = problem.as_inner().solve_with(options).ok()?;
    let mut left = nodes.saturating_sub(SLICE);
    while outcome.termination_reason() == TerminationReason::NodeLimit && left > 0 && !stop() {
        outcome = outcome.resume().ok()?;
        left = left.saturating_sub(SLICE);
    }
    if outcome.termination_reason() == TerminationReason::TimeLimit {
        return None;
    }
    let SolveOutcome::Solution(solution) = outcome else { return None };
    let values = solution.iter().map(|(_, value)| value).collect();
    Some(SolverAnswer { values, objective: Some(solution.objective() * programme.unit()) })
}
