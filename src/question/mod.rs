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
//!
//! # The law of answers
//!
//! An answer that names changes is right if the plan for the changed problem does what the answer
//! says: the pod has a place, the limit lets one more node in, the rule costs so much. That is how
//! answers are tested, on problems drawn at random; and how a caller can check one before anybody
//! edits a manifest.
//!
//! # Examples
//! From a pod that waits to what would help, and what that costs:
//! ```
//! # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
//! # use plimsoll::Solver;
//! # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
//! # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
//! # let large = InstanceType::new("m7.large", room).with_offering(price);
//! # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
//! # let pool = NodePool::new("default").with_limits(Resources::parse([("nodes", "4")])?);
//! # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
//! # let problem = problem.node_pool(pool).build()?;
//! # let (solver, options) = (Solver::new(&problem)?, Options::default());
//! let four_more = solver.what_if().with_replicas("default", "web", 9)?.problem();
//! let solver = Solver::new(&four_more)?;
//! let plan = solver.provision(&options)?;
//! let pod = plan.unschedulable()[0].pod.clone();
//!
//! let why = solver.why_unplaced(&plan, &pod, &options)?;
//! let nearest = why.nearest().ok_or("no candidate at all")?;
//! let changes = nearest.changes.clone().ok_or("nothing helps")?;
//! assert_eq!(changes[0].to_string(), "set the limit of node pool default to 5 nodes");
//!
//! let effect = solver.effect_of(&plan, &changes, &options)?;
//! assert_eq!((effect.before.unplaced, effect.after.unplaced), (1, 0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
