//! HiGHS, on one thread of its own and without a start.

use super::model::{Model, model};
use super::{Claim, Known, Programme};
use good_lp::{Solution, SolverModel};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::Builder;
use std::time::Duration;

/// Between two looks at the caller's wish to stop.
const LOOK: Duration = Duration::from_millis(5);
/// Where it takes so many looks, twenty seconds, there is no answer.
const BRAKE: u32 = 4_000;
/// When it ends by itself, in seconds: long after the brake was pulled.
const END: f64 = 40.0;

/// The best that HiGHS finds.
///
/// Never with a start: see the pitfalls of [`super`]. It can't be interrupted without unsafe code, so
/// once the caller wishes to stop or the brake is pulled it is left to itself: it ends by its own limit
/// of time, and nobody hears what it says. A process that ends meanwhile ends it, too.
pub(super) fn solve(
    programme: &Programme,
    known: &Known,
    nodes: u32,
    stop: &dyn Fn() -> bool,
) -> Option<Claim> {
    let Model { problem, variables, rows } = model(programme);
    let mut problem = problem
        .using(good_lp::highs)
        .set_threads(1)
        .set_time_limit(END)
        .set_option("parallel", "off")
        .set_option("mip_max_nodes", i32::try_from(nodes).unwrap_or(i32::MAX))
        .set_option("mip_rel_gap", Programme::gap(known));
    for row in rows {
        let _reference = problem.add_constraint(row);
    }
    let (say, hear) = channel();
    let search = move || {
        let found = problem.solve().ok();
        let values = found.map(|found| variables.iter().map(|each| found.value(*each)).collect());
        // Nobody may be listening any more.
        let _heard = say.send(values);
    };
    let _left = Builder::new().name("highs".into()).spawn(search).ok()?;
    for _ in 0..BRAKE {
        match hear.recv_timeout(LOOK) {
            Ok(values) => return values.map(|values| Claim { values, objective: None }),
            Err(RecvTimeoutError::Timeout) if !stop() => {}
            Err(_) => return None,
        }
    }
    None
}
