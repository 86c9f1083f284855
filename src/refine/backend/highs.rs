//! HiGHS, on one thread and without a start, for small programmes.

use super::model::{Model, model};
use super::{Programme, ProgrammeBounds, SolverAnswer};
use good_lp::{Solution, SolverModel};

/// The most rows × columns, and the most nodes: it can't be asked to stop.
const SIZE: usize = 16_000;
const NODES: u32 = 100;

/// The best that HiGHS finds.
///
/// Never with a start: see the pitfalls of [`super`].
pub(super) fn solve(
    programme: &Programme,
    known: &ProgrammeBounds,
    nodes: u32,
    _stop: &dyn Fn() -> bool,
) -> Option<SolverAnswer> {
    let _size = programme.size().filter(|size| *size <= SIZE)?;
    let nodes = i32::try_from(nodes.min(NODES)).unwrap_or(i32::MAX);
    let Model { problem, variables, rows } = model(programme);
    let mut problem = problem
        .using(good_lp::highs)
        .set_threads(1)
        .set_option("parallel", "off")
        .set_option("mip_max_nodes", nodes)
        .set_option("mip_rel_gap", Programme::gap(known));
    for row in rows {
        let _reference = problem.add_constraint(row);
    }
    let solution = problem.solve().ok()?;
    let values = variables.into_iter().map(|variable| solution.value(variable)).collect();
    Some(SolverAnswer { values, objective: None })
}
