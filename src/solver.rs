//! The calls: options in, plan out.

use crate::error::Error;
use crate::model::{Price, Problem};
use crate::plan::LaunchPlan;

/// How a plan is to be made; the defaults are what most people want.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// How much work to spend.
    pub effort: Effort,
    /// What is minimised.
    pub objective: Objective,
    /// What to do when a pool's `minValues` can't be met.
    pub min_values: MinValuesPolicy,
}

/// How much work to spend on a plan.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Effort {
    /// First fit decreasing, blind to prices until the end: a baseline to compare with.
    FirstFit,
    /// The price-aware packer.
    #[default]
    Greedy,
}

/// What is minimised: the launches' prices, plus a fee for each node.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Objective {
    /// A fee per node and hour.
    pub node_fee: Price,
}

/// What to do when a launch can't keep as many values open as its pool's `minValues` ask.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum MinValuesPolicy {
    /// Don't launch it.
    #[default]
    Strict,
    /// Lower the minimum to what is possible.
    BestEffort,
}

/// A problem compiled once, to be asked often.
#[derive(Debug)]
pub struct Solver;

impl Solver {
    /// Compiles the problem.
    ///
    /// # Errors
    /// A rule that the solver can't honour yet.
    pub fn new(_problem: &Problem) -> Result<Self, Error> {
        Err(Error::internal("being written"))
    }

    /// A plan for the pending pods.
    ///
    /// # Errors
    /// A broken invariant of the library.
    pub fn provision(&self, _options: &Options) -> Result<LaunchPlan, Error> {
        Err(Error::internal("being written"))
    }
}

/// Says what to launch for the pending pods.
///
/// # Errors
/// A rule that the solver can't honour yet, or a broken invariant of the library.
pub fn provision(problem: &Problem, options: &Options) -> Result<LaunchPlan, Error> {
    Solver::new(problem)?.provision(options)
}
