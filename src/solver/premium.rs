//! What preferences and weights cost: the same problem, planned without them.

use super::Solver;
use crate::error::Error;
use crate::model::{NodePool, Price, Problem};
use crate::options::{Options, PreferencePolicy};
use crate::plan::{LaunchPlan, Premiums};

impl Solver {
    /// What a plan with these options pays per hour for preferences, and for weights of pools: its
    /// cost, less that of a plan for the same problem without them.
    ///
    /// It takes up to three solves: one with both, one without preferences where they are respected
    /// and any pod has some, one without weights where pools differ in them. Both plans are as good
    /// as the effort makes them, so a premium is 0 where the plan without is no cheaper. With
    /// preferences that have a price ([`PreferencePolicy::Priced`]) the plan pays no more for them
    /// than that.
    ///
    /// # Errors
    /// As [`Solver::provision`] and [`Solver::new`].
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::TopologySpreadConstraint;
    /// use plimsoll::model::{LabelSelector, WhenUnsatisfiable};
    /// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, Solver};
    ///
    /// // One large node would do, but the pods would rather be in two zones.
    /// let capacity = Resources::parse([("cpu", "4"), ("pods", "29")])?;
    /// let xlarge = InstanceType::new("m7.xlarge", capacity)
    ///     .with_offering(Offering::new("eu-1a", "on-demand", "0.2".parse()?))
    ///     .with_offering(Offering::new("eu-1b", "on-demand", "0.2".parse()?));
    /// let spread = TopologySpreadConstraint::new(
    ///     1,
    ///     "topology.kubernetes.io/zone",
    ///     WhenUnsatisfiable::ScheduleAnyway,
    /// );
    /// let web = Pod::new("web")
    ///     .with_replicas(2)
    ///     .with_label("app", "web")
    ///     .with_requests(Resources::parse([("cpu", "2")])?)
    ///     .with_topology_spread_constraint(
    ///         spread.with_label_selector(LabelSelector::new().with_label("app", "web")),
    ///     );
    /// let pool = NodePool::new("default");
    /// let problem = Problem::builder().pod(web).instance_type(xlarge).node_pool(pool).build()?;
    /// let premiums = Solver::new(&problem)?.premiums(&Options::default())?;
    /// assert_eq!(premiums.cost.to_string(), "0.4");
    /// assert_eq!(premiums.preferences.map(|price| price.to_string()).as_deref(), Some("0.2"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn premiums(&self, options: &Options) -> Result<Premiums, Error> {
        let plan = self.provision(options)?;
        let none = Some(Price::ZERO);
        let mut premiums = Premiums { cost: plan.cost.total, preferences: none, weights: none };
        let counts = options.preferences != PreferencePolicy::Ignore;
        if counts && plan.preferences().iter().any(|share| share.honoured > 0) {
            let ignoring = options.clone().with_preferences(PreferencePolicy::Ignore);
            premiums.preferences = premium(&plan, &self.provision(&ignoring)?);
        }
        let problem = self.compiled.parts.given();
        let weights = || problem.node_pools().iter().map(NodePool::weight);
        if weights().max() != weights().min() {
            let unweighted = Self::new(&unweighted(problem)?)?;
            premiums.weights = premium(&plan, &unweighted.provision(options)?);
        }
        Ok(premiums)
    }
}

/// How much more one plan costs than another for as many pods.
fn premium(plan: &LaunchPlan, without: &LaunchPlan) -> Option<Price> {
    let comparable = plan.unschedulable.len() == without.unschedulable.len();
    let more = plan.cost.total.nanos().saturating_sub(without.cost.total.nanos());
    comparable.then(|| Price::from_nanos(more.max(0)))
}

/// The problem with all pools of one weight.
fn unweighted(problem: &Problem) -> Result<Problem, Error> {
    let mut builder = problem.to_builder();
    let pools = std::mem::take(&mut builder.node_pools);
    builder.node_pools.extend(pools.into_iter().map(|pool| pool.with_weight(0)));
    builder.build()
}
