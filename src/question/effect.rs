//! What comes of changing rules: the same problem with the change, solved with the same options.
//!
//! What a rule costs is what its absence saves, so it is asked in the same way. Searches aren't
//! exact: where the plan is legal in the changed problem and cheaper than what the search finds
//! there, the plan is what there is.
//!
//! *Why the plan itself is tried.* A change that loosens a rule can't make the cheapest plan
//! dearer, but a search may find a worse one in the larger space. So where the plan at hand is
//! legal in the changed problem and better than the new one, it is the answer; otherwise "saves"
//! could be negative for no reason but the search's.
//!
//! *Cost.* One solve with the same options, and a check.

use super::RuleChange;
use crate::error::Error;
use crate::model::{Price, Problem};
use crate::options::Options;
use crate::plan::{LaunchPlan, Proof};
use crate::solver::Solver;
use crate::verify::verify;
use std::fmt;

/// What a plan comes to.
///
/// # Examples
/// ```
/// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
/// # use plimsoll::Solver;
/// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
/// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
/// # let large = InstanceType::new("m7.large", room).with_offering(price);
/// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
/// # let pool = NodePool::new("default").with_limits(Resources::parse([("nodes", "4")])?);
/// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
/// # let problem = problem.node_pool(pool).build()?;
/// # let (solver, options) = (Solver::new(&problem)?, Options::default());
/// use plimsoll::question::RuleChange;
///
/// let plan = solver.provision(&options)?;
/// let (node_pool, resource) = ("default".into(), "nodes".into());
/// let tighter = RuleChange::Limit { node_pool, resource, to: Some("1".parse()?) };
/// let after = solver.effect_of(&plan, &[tighter], &options)?.after;
/// assert_eq!((after.launches, after.unplaced), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PlanOutcome {
    /// What its launches cost per hour, fees included.
    pub cost: Price,
    /// The plan's lower bound.
    pub lower_bound: Price,
    /// How many nodes are launched.
    pub launches: u64,
    /// How many pods have no place.
    pub unplaced: u64,
}

/// What comes of changes: a plan as it is, and one for the changed problem.
///
/// Its text has at most two lines.
///
/// `before` is the plan that was given; `after` has no plan with it, only what it comes to: make
/// one with [`RuleChange::apply_all`] and [`provision`](crate::provision()).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ChangeEffect {
    /// The changes.
    pub changes: Vec<RuleChange>,
    /// The plan for the problem as it is.
    pub before: PlanOutcome,
    /// The plan for the changed problem.
    pub after: PlanOutcome,
}

impl PlanOutcome {
    fn of(plan: &LaunchPlan) -> Self {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Self {
            cost: plan.cost.total,
            lower_bound: plan.cost.lower_bound,
            launches: count(plan.launches.len()),
            unplaced: count(plan.unschedulable.len()),
        }
    }
}

impl ChangeEffect {
    /// How much less the changed problem's plan costs per hour; below zero where it costs more, for
    /// pods that had no place before, say.
    ///
    /// It compares two plans as they are. A change that places more pods may cost more and be
    /// better.
    #[must_use]
    pub fn savings(&self) -> Price {
        Price::from_nanos(self.before.cost.nanos().saturating_sub(self.after.cost.nanos()))
    }

    /// Whether the changed problem's plan costs less and leaves no more pods without a place.
    ///
    /// What to look for when many changes are tried and those are to be named that pay.
    #[must_use]
    pub fn saves_without_loss(&self) -> bool {
        self.after.unplaced <= self.before.unplaced && self.savings() > Price::ZERO
    }

    /// How much the changes can save at most per hour against the plan, by the changed problem's
    /// lower bound: that of plans which place what its plan places, on node pools of the same
    /// weights.
    ///
    /// A small number says that the change isn't worth while, however long one searches.
    #[must_use]
    pub fn most_savings(&self) -> Price {
        Price::from_nanos(self.before.cost.nanos().saturating_sub(self.after.lower_bound.nanos()))
    }
}

impl Solver {
    /// What comes of changes: how a plan for the solver's problem compares with one for the changed
    /// problem. What a rule costs is what leaving it out saves.
    ///
    /// The plan should be of the same options, which make the other one.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::{LabelSelector, TopologySpreadConstraint, WhenUnsatisfiable};
    /// use plimsoll::question::RuleChange;
    /// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, Solver};
    ///
    /// let large = InstanceType::new("m7.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
    ///     .with_offering(Offering::on_demand("eu-1a", "0.10".parse()?))
    ///     .with_offering(Offering::on_demand("eu-1b", "0.12".parse()?));
    /// let (zone, strictly) = ("topology.kubernetes.io/zone", WhenUnsatisfiable::DoNotSchedule);
    /// let spread = TopologySpreadConstraint::new(1, zone, strictly)
    ///     .with_label_selector(LabelSelector::new().with_label("app", "web"));
    /// let web = Pod::new("web")
    ///     .with_replicas(2)
    ///     .with_label("app", "web")
    ///     .with_requests(Resources::parse([("cpu", "500m")])?)
    ///     .with_topology_spread_constraint(spread);
    /// let problem =
    ///     Problem::builder().pod(web).instance_type(large).node_pool(NodePool::new("default")).build()?;
    /// let (solver, options) = (Solver::new(&problem)?, Options::default());
    /// let plan = solver.provision(&options)?;
    /// let without = RuleChange::WithoutSpread { pod: Some("default/web".into()), key: None };
    /// let effect = solver.effect_of(&plan, &[without], &options)?;
    /// assert_eq!(effect.savings(), "0.12".parse()?);
    /// assert_eq!(
    ///     effect.to_string(),
    ///     "leave out the spread of default/web: saves 0.12 an hour, 0.1 instead of 0.22
    /// launches 1 node instead of 2; no plan saves more than 0.12 an hour",
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The problem has nothing to be changed so ([`Error::is_invalid_input`]); or as
    /// [`Solver::new`] and [`Solver::provision`].
    pub fn effect_of(
        &self,
        plan: &LaunchPlan,
        changes: &[RuleChange],
        options: &Options,
    ) -> Result<ChangeEffect, Error> {
        let changed = RuleChange::apply_all(changes, self.problem())?;
        let other = Solver::new(&changed)?.provision(options)?;
        let before = PlanOutcome::of(plan);
        let mut after = PlanOutcome::of(&other);
        let rank = |outcome: &PlanOutcome| (outcome.unplaced, outcome.cost);
        if rank(&before) < rank(&after) && is_legal(&changed, plan) {
            let same = before.unplaced == after.unplaced;
            let lower_bound = if same { after.lower_bound } else { Price::ZERO };
            after = PlanOutcome { lower_bound: lower_bound.min(before.cost), ..before };
        }
        Ok(ChangeEffect { changes: changes.to_vec(), before, after })
    }
}

/// Whether a plan breaks no rule of another problem, what it claims of costs and preferences aside.
fn is_legal(problem: &Problem, plan: &LaunchPlan) -> bool {
    let mut bare = plan.clone();
    bare.cost.lower_bound = Price::ZERO;
    bare.cost.proof = Proof::None;
    bare.certificate = None;
    bare.stats.clear();
    verify(problem, &bare).is_ok()
}

impl fmt::Display for ChangeEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes: Vec<String> = self.changes.iter().map(RuleChange::to_string).collect();
        write!(f, "{}: ", changes.join(", and "))?;
        let (before, after) = (&self.before, &self.after);
        let savings = self.savings();
        match (before.unplaced, after.unplaced) {
            (same, other) if same == other => {}
            (more, fewer) if more > fewer => write!(f, "places {} more pods, ", more - fewer)?,
            (fewer, more) => write!(f, "places {} fewer pods, ", more - fewer)?,
        }
        match savings {
            Price::ZERO => write!(f, "costs the same, {} an hour", after.cost)?,
            less if less > Price::ZERO => {
                write!(f, "saves {less} an hour, {} instead of {}", after.cost, before.cost)?;
            }
            more => {
                let more = Price::from_nanos(more.nanos().saturating_neg());
                write!(f, "costs {more} more an hour, {} instead of {}", after.cost, before.cost)?;
            }
        }
        let nodes = if after.launches == 1 { "node" } else { "nodes" };
        write!(f, "\nlaunches {} {nodes} instead of {}", after.launches, before.launches)?;
        if before.unplaced == after.unplaced && after.lower_bound > Price::ZERO {
            let most = self.most_savings().max(Price::ZERO);
            write!(f, "; no plan saves more than {most} an hour")?;
        }
        Ok(())
    }
}
