//! The calls: options in, plan out.
//!
//! *What is here.* [`Solver`] compiles a problem once and answers questions about it; [`provision`]
//! and [`consolidate`] are the same for callers that ask once. This module chooses what runs for an
//! [`Effort`] and puts the parts together; every decision is made elsewhere: `pack` plans, `refine`
//! improves and proves, `consolidate` looks at running nodes.
//!
//! *How a launch is planned.*
//!
//! ```text
//! FirstFit   first fit decreasing                                         (a baseline)
//! Greedy     pack ─ try everything where pods are few ─ plan
//! Refine     pack ┬ greedy plan, kept as a fallback
//!                 └ refine: bound and plan by turns ─ the better of the two ─ plan, proof
//! ```
//!
//! *Two compilations.* Expected interruptions are a part of what offerings cost to the search and
//! none of what is paid. Where they make any offering dearer the problem is compiled a second time
//! at these prices; bounds that are stated are always of the first.
//!
//! *Invariant.* Each pending pod has a verdict in the plan, exactly one; it is counted before the
//! plan is handed out, and an error of the library itself says if that isn't so.

mod held_back;
mod placed;

use crate::compile::{Cluster, Compiled};
use crate::consolidate::Eligibility;
use crate::error::{Error, InvalidInput};
use crate::model::{Origin, Price, Problem};
use crate::options::{Effort, MinValuesPolicy, Options, PreferencePolicy, ReservedPolicy};
use crate::pack::{self, Context};
use crate::plan::{ConsolidationPlan, LaunchPlan, Proof, Termination};
use crate::progress::{Improvement, Watch};
use crate::refine;
use crate::stop::Stop;
use std::sync::Arc;

/// A problem compiled once, to be asked often. It owns what it needs, and clones share it.
///
/// A caller that asks for several efforts, or for what-ifs, keeps the solver, and compiles once.
/// Solvers can be asked from several threads at once, each call for itself.
///
/// # Examples
/// ```
/// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, Solver};
///
/// let web = Pod::new("web").with_replicas(3).with_requests(Resources::parse([("cpu", "1500m")])?);
/// let large = InstanceType::new("m7.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
///     .with_offering(Offering::on_demand("eu-1a", "0.1008".parse()?));
/// let problem =
///     Problem::builder().pod(web).instance_type(large).node_pool(NodePool::new("default")).build()?;
/// let solver = Solver::new(&problem)?;
/// let plan = solver.provision(&Options::default())?;
/// assert_eq!(plan.launches().len(), 3);
/// assert_eq!(plan.cost().total.to_string(), "0.3024");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Solver {
    compiled: Arc<Compiled>,
    start: Arc<LazyStart>,
}

/// What what-ifs start from: the problem, ready to be changed, and what they have in common, unless
/// each has to be read by itself.
///
/// What-ifs that change pods and nodes only take the compiled catalog from here; a cluster of which
/// some part has to be read as a whole has none, and each of its what-ifs is compiled anew.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) origin: Arc<Origin>,
    pub(crate) cluster: Option<Cluster>,
}

/// What what-ifs start from, made when the first is asked for.
#[allow(clippy::disallowed_types, reason = "it is no state beside the problem")]
type LazyStart = std::sync::OnceLock<Arc<Start>>;

impl Solver {
    /// Compiles the problem.
    ///
    /// # Errors
    /// A problem beyond a stated limit of this version: more offers, open labels or kinds of rules
    /// than there is memory for ([`Error::is_unsupported`]).
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Options, Problem, Solver};
    ///
    /// // An empty problem is one too: nothing to place, nothing to buy.
    /// let solver = Solver::new(&Problem::builder().build()?)?;
    /// let plan = solver.provision(&Options::default())?;
    /// assert!(plan.launches().is_empty());
    /// assert_eq!(plan.cost().total, plimsoll::Price::ZERO);
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    pub fn new(problem: &Problem) -> Result<Self, Error> {
        let compiled = Arc::new(Compiled::new(problem, Price::ZERO)?);
        Ok(Self::of(compiled))
    }

    /// A solver of a problem that is compiled.
    pub(crate) fn of(compiled: Arc<Compiled>) -> Self {
        Self { compiled, start: Arc::default() }
    }

    /// What what-ifs start from.
    pub(crate) fn start(&self) -> Arc<Start> {
        let start = || {
            let origin = Arc::new(Origin::new(self.compiled.parts.given()));
            let cluster = Cluster::new(&origin);
            Arc::new(Start { origin, cluster })
        };
        self.start.get_or_init(start).clone()
    }

    /// The problem as it was given.
    pub(crate) fn problem(&self) -> &Problem {
        self.compiled.parts.given()
    }

    /// Asks something of the problem as these options have it, at the prices that are paid.
    ///
    /// Questions read a plan, so strict reservations are heeded and preferences are as the options
    /// have them; scarcity and progress play no part.
    pub(crate) fn ask<T>(
        &self,
        options: &Options,
        question: impl FnOnce(&Context<'_>) -> T,
    ) -> Result<T, Error> {
        let preference_price = checked_prices(options)?;
        let stop = options.stop.kept();
        let compiled = (&*self.compiled, &*self.compiled);
        Ok(question(&Context {
            strict_reservations: options.reserved == ReservedPolicy::Strict,
            ..context(compiled, options, preference_price, (&stop, &Watch::default()))
        }))
    }

    /// A plan for the pending pods.
    ///
    /// The same problem, with its parts given in any order, and the same options give the same
    /// plan.
    ///
    /// The work depends on the [`Effort`]: greedy plans of ten thousand pods take some tens of
    /// milliseconds, refinement as long as it is given.
    ///
    /// # Errors
    /// A fee, or a price of interruptions or preferences, that is below zero or more than
    /// [`Price::MAX_UNIT`] ([`Error::is_invalid_input`]), or a fault of the library itself
    /// ([`Error::is_internal`]).
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
    /// use plimsoll::{Effort, Limits};
    ///
    /// let greedy = solver.provision(&options)?;
    /// let refine = options.with_effort(Effort::Refine(Limits::default()));
    /// let refined = solver.provision(&refine)?;
    /// // Refinement never makes a plan dearer, nor a bound lower.
    /// assert!(refined.cost().total <= greedy.cost().total);
    /// assert!(refined.cost().lower_bound >= greedy.cost().lower_bound);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn provision(&self, options: &Options) -> Result<LaunchPlan, Error> {
        let preference_price = checked_prices(options)?;
        let interruption = options.objective.interruption;
        // What interruptions count for is in what offers cost, so these are compiled anew.
        let weighed = match weighs(self.compiled.parts.given(), interruption) {
            true => Some(Compiled::new(self.compiled.parts.given(), interruption)?),
            false => None,
        };
        let watch = Watch::of(&options.observer);
        let stop = options.stop.kept();
        let stop = if watch.looks_on() { stop.or(watch.enough()) } else { stop };
        let context = Context {
            strict_reservations: options.reserved == ReservedPolicy::Strict,
            ..context(
                (weighed.as_ref().unwrap_or(&self.compiled), &self.compiled),
                options,
                preference_price,
                (&stop, &watch),
            )
        };
        let stop = || context.is_stopped();
        let plan = match options.effort {
            Effort::FirstFit => pack::plan_first_fit(&context),
            Effort::Greedy => {
                let mut packed = pack::packed(&context);
                packed.told(&context, Improvement::Enumerated, |packed| {
                    refine::try_everything(&context, packed, &stop);
                });
                pack::build_plan(&context, &packed, None)
            }
            Effort::Refine(limits) => {
                let mut packed = pack::packed(&context);
                let mut greedy = packed.clone();
                refine::try_everything(&context, &mut greedy, &stop);
                let report = refine::Report::new(&watch);
                let mut budget =
                    refine::RefineBudget::new((limits.rounds, limits.attempts), &stop, report);
                let mut proved = refine::refine(&context, &mut packed, &mut budget);
                // A search that was stopped may not have come as far as the greedy plan does.
                if budget.termination() == Termination::Stopped
                    && greedy.rank(&context) < packed.rank(&context)
                {
                    (packed, proved) = (greedy, None);
                }
                // A bound with the risk in it is none of what is paid.
                let proved = proved.filter(|_| weighed.is_none());
                let plan = pack::build_plan(&context, &packed, proved);
                // Of a plan that is proved the cheapest nothing was left to try, whatever ended it.
                let termination = match plan.cost().proof {
                    Proof::Optimal => Termination::Done,
                    Proof::Within | Proof::None => budget.termination(),
                };
                LaunchPlan { termination: Some(termination), ..plan }
            }
        };
        let launched: usize = plan.launches().iter().map(|launch| launch.pods().len()).sum();
        let named = launched + plan.bindings().len() + plan.unschedulable().len();
        if named != self.compiled.pending() {
            return Err(Error::internal("a pending pod has no verdict, or more than one"));
        }
        Ok(plan)
    }
}

/// Whether what an interruption counts for makes any offering dearer.
///
/// Rates of zero, and prices of which the risk is less than a billionth, change nothing: then one
/// compilation does.
fn weighs(problem: &Problem, interruption: Price) -> bool {
    let mut offerings = problem.instance_types.iter().flat_map(|one| &one.offerings);
    interruption != Price::ZERO && offerings.any(|one| one.weighed(interruption) != one.price)
}

/// How the parts of a solve see these options; `listed` is the problem at the prices that are paid.
fn context<'c>(
    (compiled, listed): (&'c Compiled, &'c Compiled),
    options: &Options,
    preference_price: Option<Price>,
    (stop, watch): (&'c Stop, &'c Watch),
) -> Context<'c> {
    let nanos = |price: Price| i64::try_from(price.nanos()).unwrap_or(i64::MAX);
    Context {
        compiled,
        listed,
        fee: nanos(options.objective.node_fee),
        best_effort_min_values: options.min_values == MinValuesPolicy::BestEffort,
        with_preferences: options.preferences != PreferencePolicy::Ignore,
        preference_price: preference_price.map(nanos),
        strict_reservations: false,
        scarcity: None,
        stop,
        watch,
    }
}

/// The price of preferences, if they have one, once all prices of the options are in range.
///
/// All of them are checked whatever is asked, so that options are either valid or not.
fn checked_prices(options: &Options) -> Result<Option<Price>, Error> {
    let preference_price = match options.preferences {
        PreferencePolicy::Priced(price) => Some(price),
        PreferencePolicy::Respect | PreferencePolicy::Ignore => None,
    };
    let consolidation = &options.consolidation;
    let prices = [
        ("options.objective.nodeFee", options.objective.node_fee),
        ("options.objective.interruption", options.objective.interruption),
        ("options.preferences.priced", preference_price.unwrap_or(Price::ZERO)),
        ("options.consolidation.movePrice", consolidation.move_price),
        ("options.consolidation.minimumSavingPerAction", consolidation.minimum_saving_per_action),
        ("options.consolidation.minimumSavingPerMove", consolidation.minimum_saving_per_move),
    ];
    let faults: Vec<InvalidInput> = prices
        .into_iter()
        .filter(|(_, price)| *price < Price::ZERO || *price > Price::MAX_UNIT)
        .map(|(path, price)| {
            let problem = format!("{price} is out of range");
            InvalidInput::new(path, problem, format!("0 to {}", Price::MAX_UNIT))
        })
        .collect();
    match faults.is_empty() {
        true => Ok(preference_price),
        false => Err(Error::invalid(faults)),
    }
}

/// Says what to launch for the pending pods.
///
/// Every pending pod is in the plan: on a launch, on a node of the problem, or unschedulable with
/// reasons. See [`Solver`] for an example, and for asking more than once.
///
/// # Errors
/// As [`Solver::new`] and [`Solver::provision`].
///
/// # Examples
/// ```
/// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
/// # let small = InstanceType::new("m.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
/// #     .with_offering(Offering::on_demand("eu-1a", "0.1".parse()?))
/// #     .with_offering(Offering::spot("eu-1b", "0.03".parse()?));
/// // Neither of the two can share a node with the other.
/// let large = Resources::parse([("cpu", "1500m")])?;
/// let pods = Pod::new("web").with_replicas(2).with_requests(large);
/// # let problem =
/// #     Problem::builder().pod(pods).instance_type(small).node_pool(NodePool::new("default")).build()?;
/// let plan = provision(&problem, &Options::default())?;
/// assert_eq!(*plan.launches()[0].pods(), ["default/web-0".into()]);
/// assert_eq!(plan.cost().total.to_string(), "0.06");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn provision(problem: &Problem, options: &Options) -> Result<LaunchPlan, Error> {
    Solver::new(problem)?.provision(options)
}

impl Solver {
    /// What to do about the running nodes, so that the same pods cost less: which go, what is
    /// launched for their pods, wave by wave, and why each other node stays.
    ///
    /// Pods without a node, and those of nodes that are going already, get their places first, on
    /// launches too: in actions of the reason
    /// [`Pending`](crate::plan::consolidation::DisruptionReason::Pending). What is launched for them
    /// is in the cost after, and nobody's saving; their preferences aren't looked at, and those
    /// that fit nowhere hinder nothing.
    ///
    /// With [`Effort::Refine`] parts of what was found are taken back and done otherwise, so many
    /// times as its limits say. Reservations are kept to, but pods aren't kept for them
    /// ([`Options::reserved`]).
    ///
    /// Expected interruptions count as in launches
    /// ([`Objective::interruption`](crate::options::Objective::interruption)), of running nodes at
    /// the rate of the offering that their labels fit: what is done must save both by what is paid
    /// and with them, so nothing is replaced by what costs more because it is interrupted less.
    /// Costs, savings and bounds are of what is paid.
    ///
    /// # Errors
    /// A fee or another price that is below zero or more than [`Price::MAX_UNIT`]
    /// ([`Error::is_invalid_input`]), a problem beyond a stated limit of this version
    /// ([`Error::is_unsupported`]), or a fault of the library itself ([`Error::is_internal`]).
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, Node, NodePool, Options, Problem, Resources, consolidate};
    /// # let room = Resources::parse([("cpu", "4"), ("pods", "29")])?;
    /// # let (pool, price) = ("karpenter.sh/nodepool", "0.2".parse()?);
    /// # let node = |name: &str| Node::new(name, room.clone()).with_price(price);
    /// # let node = |name: &str| node(name).with_label(pool, "default");
    /// # let problem = Problem::builder()
    /// #     .instance_type(InstanceType::new("m.xlarge", room.clone()))
    /// #     .node_pool(NodePool::new("default"))
    /// #     .nodes([node("idle"), node("held").with_do_not_disrupt(true)])
    /// #     .build()?;
    /// # let plan = consolidate(&problem, &Options::default())?;
    /// use plimsoll::Solver;
    ///
    /// let again = Solver::new(&problem)?.consolidate(&Options::default())?;
    /// assert_eq!(again, plan);
    /// assert_eq!(again.actions()[0].delete, ["idle".into()]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn consolidate(&self, options: &Options) -> Result<ConsolidationPlan, Error> {
        consolidate(self.compiled.parts.given(), options)
    }
}

/// Says what to do about the running nodes, so that the same pods cost less.
///
/// # Examples
/// ```
/// use plimsoll::{
///     InstanceType, Node, NodePool, Offering, Options, Pod, Problem, Resources, consolidate,
/// };
///
/// let large = Resources::parse([("cpu", "4"), ("pods", "29")])?;
/// let node = |name: &str| {
///     Node::new(name, large.clone())
///         .with_label("karpenter.sh/nodepool", "default")
///         .with_label("node.kubernetes.io/instance-type", "m7.xlarge")
///         .with_label("topology.kubernetes.io/zone", "eu-1a")
///         .with_label("karpenter.sh/capacity-type", "on-demand")
/// };
/// let web = |name: &str, node: &str| -> Result<Pod, Box<dyn std::error::Error>> {
///     let requests = Resources::parse([("cpu", "1500m")])?;
///     Ok(Pod::new(name).with_owner_kind("ReplicaSet").with_requests(requests).with_node_name(node))
/// };
/// let problem = Problem::builder()
///     .instance_type(
///         InstanceType::new("m7.xlarge", large.clone())
///             .with_offering(Offering::on_demand("eu-1a", "0.2016".parse()?)),
///     )
///     .node_pool(NodePool::new("default"))
///     .node(node("a"))
///     .node(node("b"))
///     .pod(web("web-0", "a")?)
///     .pod(web("web-1", "b")?)
///     .build()?;
/// // Either node has room for both pods.
/// let plan = consolidate(&problem, &Options::default())?;
/// assert_eq!(plan.actions()[0].delete, ["a".into()]);
/// assert_eq!((&*plan.actions()[0].bindings[0].node, plan.moved()), ("b", 1));
/// assert_eq!(plan.cost().after.to_string(), "0.2016");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`Solver::consolidate`].
pub fn consolidate(problem: &Problem, options: &Options) -> Result<ConsolidationPlan, Error> {
    let mut plan = consolidated(problem, options)?;
    if options.consolidation.held_back {
        held_back::note(problem, options, &mut plan)?;
    }
    Ok(plan)
}

/// What is compiled is the problem in which pods of nodes that may go are free to go elsewhere.
fn consolidated(problem: &Problem, options: &Options) -> Result<ConsolidationPlan, Error> {
    let preference_price = checked_prices(options)?;
    let interruption = options.objective.interruption;
    let eligibility = Eligibility::of(problem, &options.consolidation, interruption);
    let loosened = eligibility.loosened(problem);
    let compiled = Compiled::new(&loosened, Price::ZERO)?;
    let weighed = match weighs(problem, interruption) {
        true => Some(Compiled::new(&loosened, interruption)?),
        false => None,
    };
    let watch = Watch::of(&options.observer);
    let stop = options.stop.kept();
    let stop = if watch.looks_on() { stop.or(watch.enough()) } else { stop };
    let compiled = (weighed.as_ref().unwrap_or(&compiled), &compiled);
    let context = context(compiled, options, preference_price, (&stop, &watch));
    let effort = match options.effort {
        Effort::FirstFit | Effort::Greedy => (0, 0),
        Effort::Refine(limits) => (limits.attempts, limits.rounds),
    };
    let consolidation = &options.consolidation;
    crate::consolidate::consolidate(problem, &eligibility, &context, consolidation, effort)
}

#[cfg(test)]
mod tests {
    use super::Solver;

    /// A controller keeps a solver beside what it made it of, and asks it from any thread.
    #[test]
    fn a_solver_is_owned_shared_and_sent() {
        fn check<T: Clone + Send + Sync + 'static>() {}
        check::<Solver>();
    }
}
