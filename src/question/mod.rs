//! Why, why not, and what if: answers about a plan, as data and as a few lines of text.
//!
//! | asked | answered by |
//! |---|---|
//! | why has this pod no place, and what would give it one? | [`Solver::why_unplaced`](crate::Solver::why_unplaced) |
//! | why this launch, and not that type, zone, capacity type or pool? | [`Solver::why_not`](crate::Solver::why_not) |
//! | what of limits and reservations is taken, and what is more of them worth? | [`Solver::supplies`](crate::Solver::supplies) |
//! | what does a rule cost, or what comes of a change? | [`Solver::effect_of`](crate::Solver::effect_of) |
//!
//! *Idea.* An answer names [`RuleChange`]s: changes of the problem that loosen or lift one rule. It
//! can be checked by doing as it says: [`RuleChange::apply_all`] makes the changed problem, and a
//! plan for that shows the effect.
//!
//! *Cost.* A question about a plan as it stands reads it once and looks at what can be bought; an
//! effect is a solve of the changed problem.

mod apply;
mod change;
mod effect;
mod remedy;
mod substitute;
mod supply;
mod unplaced;

pub use change::RuleChange;
pub use effect::{ChangeEffect, PlanOutcome};
pub use substitute::{Substitute, WhyNot};
pub use supply::{Supply, SupplyUse};
pub use unplaced::{ExcludedCandidates, WhyUnplaced};

use crate::error::{Error, InvalidInput};

/// The error for a question that isn't one of the plan.
fn not_asked(path: &str, problem: String, expected: &str) -> Error {
    Error::invalid(vec![InvalidInput::new(path, problem, expected)])
}
