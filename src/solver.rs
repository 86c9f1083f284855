//! The calls: options in, plan out.

use crate::compile::{Cluster, Compiled};
use crate::consolidate::Eligibility;
use crate::error::{Error, InvalidInput};
use crate::model::{ConsolidationOptions, Origin, Price, Problem};
use crate::pack::{self, Context};
use crate::plan::{ConsolidationPlan, LaunchPlan, Proof, Termination};
use crate::refine;
use crate::stop::Stop;
use std::sync::Arc;

/// How a plan is to be made; the defaults are what most people want.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// How much work to spend.
    pub effort: Effort,
    /// What is minimised.
    pub objective: Objective,
    /// What preferences count for.
    pub preferences: PreferencePolicy,
    /// What to do when a pool's `minValues` can't be met.
    pub min_values: MinValuesPolicy,
    /// What to do when a reservation is used up.
    pub reserved: ReservedPolicy,
    /// When to end packing and refinement early; by default never. What is packed by then is the
    /// plan.
    pub stop: Stop,
    /// What a consolidation may move, and what that must save.
    pub consolidation: ConsolidationOptions,
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
    /// The price-aware packer, and then column generation: a bound and a plan that come to meet
    /// each other, until nothing is left to try, the limits are reached, or [`Options::stop`] says
    /// so.
    ///
    /// The plan is never dearer than that of [`Effort::Greedy`], by what is minimised;
    /// [`LaunchPlan::termination`] says what ended the search.
    Refine(Limits),
}

/// How much work refinement may take, counted in units of work, so that the same limits give the
/// same plan.
///
/// The defaults are for some ten thousand pods and some tens of seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Rounds of column generation, for the bound and for the plan together.
    pub rounds: u64,
    /// Attempts to take a part of the plan apart and to pack it better.
    pub attempts: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rounds: 4_000, attempts: 1_000 }
    }
}

/// What is minimised: the launches' prices, plus a fee for each node, plus the risk of
/// interruptions.
///
/// # Examples
/// ```
/// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
///
/// let large = InstanceType::new("m7.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
///     .with_offering(Offering::new("eu-1a", "on-demand", "0.1008".parse()?))
///     // One interruption in twenty hours.
///     .with_offering(Offering::new("eu-1a", "spot", "0.06".parse()?).with_interruption_rate(50_000_000));
/// let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
/// let problem =
///     Problem::builder().pod(web).instance_type(large).node_pool(NodePool::new("default")).build()?;
/// let mut options = Options::default();
/// assert_eq!(provision(&problem, &options)?.cost().total.to_string(), "0.06");
/// options.objective.interruption = "1".parse()?;
/// assert_eq!(provision(&problem, &options)?.cost().total.to_string(), "0.1008");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Objective {
    /// A fee per node and hour.
    pub node_fee: Price,
    /// What an expected interruption counts for. Offerings are compared by their price plus their
    /// interruption rate times this; one of which no rate is known isn't interrupted.
    ///
    /// A plan's cost is what is paid: prices and fees. Its lower bound is of these too, with the
    /// risk left out, and thus a bound for every plan, but not as close to a plan that pays for
    /// safety; refinement improves the plan then, and leaves the bound as it is.
    pub interruption: Price,
}

/// What preferences count for: preferred affinity of nodes and pods, spread constraints that may be
/// broken (`ScheduleAnyway`), taints that are to be avoided (`PreferNoSchedule`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum PreferencePolicy {
    /// They are honoured where possible, as weights say, whatever it costs; but no pod is left out
    /// for them.
    #[default]
    Respect,
    /// They count for nothing.
    Ignore,
    /// They are part of the objective: what isn't honoured costs this much per hour for each unit
    /// of weight and pod. A `ScheduleAnyway` spread and the avoiding of `PreferNoSchedule` taints
    /// weigh 1.
    Priced(Price),
}

/// What happens to pods that a reservation could take when it is used up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum ReservedPolicy {
    /// They go elsewhere.
    #[default]
    Fallback,
    /// They stay out, except for what fits onto running nodes.
    Strict,
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

/// A problem compiled once, to be asked often. It owns what it needs, and clones share it.
///
/// # Examples
/// ```
/// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, Solver};
///
/// let web = Pod::new("web").with_replicas(3).with_requests(Resources::parse([("cpu", "1500m")])?);
/// let large = InstanceType::new("m7.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
///     .with_offering(Offering::new("eu-1a", "on-demand", "0.1008".parse()?));
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

    /// A plan for the pending pods.
    ///
    /// The same problem, with its parts given in any order, and the same options give the same
    /// plan.
    ///
    /// # Errors
    /// A fee, or a price of interruptions or preferences, that is below zero or more than
    /// [`Price::MAX_UNIT`] ([`Error::is_invalid_input`]), or a fault of the library itself
    /// ([`Error::is_internal`]).
    pub fn provision(&self, options: &Options) -> Result<LaunchPlan, Error> {
        let preference_price = checked_prices(options)?;
        let fee = options.objective.node_fee;
        let interruption = options.objective.interruption;
        let types = self.compiled.parts.instance_types();
        let mut offerings = types.flat_map(|instance_type| &instance_type.offerings);
        // What interruptions count for is in what offers cost, so these are compiled anew.
        let counts = interruption != Price::ZERO
            && offerings.any(|one| one.weighed(interruption) != one.price);
        let weighed = match counts {
            true => Some(Compiled::new(self.compiled.parts.given(), interruption)?),
            false => None,
        };
        let stop = options.stop.kept();
        let context = Context {
            compiled: weighed.as_ref().unwrap_or(&self.compiled),
            listed: &self.compiled,
            fee: i64::try_from(fee.nanos()).unwrap_or(i64::MAX),
            best_effort_min_values: options.min_values == MinValuesPolicy::BestEffort,
            with_preferences: options.preferences != PreferencePolicy::Ignore,
            preference_price: preference_price
                .map(|price| i64::try_from(price.nanos()).unwrap_or(i64::MAX)),
            strict_reservations: options.reserved == ReservedPolicy::Strict,
            scarcity: None,
            stop: &stop,
        };
        let plan = match options.effort {
            Effort::FirstFit => pack::plan_first_fit(&context),
            Effort::Greedy => {
                let mut packed = pack::packed(&context);
                refine::try_everything(&context, &mut packed, &|| stop.now());
                pack::build_plan(&context, &packed, None)
            }
            Effort::Refine(limits) => {
                let mut packed = pack::packed(&context);
                let stop = || stop.now();
                let mut greedy = packed.clone();
                refine::try_everything(&context, &mut greedy, &stop);
                let mut budget = refine::RefineBudget::new(limits.rounds, limits.attempts, &stop);
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

/// The price of preferences, if they have one, once all prices of the options are in range.
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
pub fn provision(problem: &Problem, options: &Options) -> Result<LaunchPlan, Error> {
    Solver::new(problem)?.provision(options)
}

impl Solver {
    /// What to do about the running nodes, so that the same pods cost less: which go, what is
    /// launched for their pods, wave by wave, and why each other node stays.
    ///
    /// With [`Effort::Refine`] parts of what was found are taken back and done otherwise, so many
    /// times as its limits say. Reservations are kept to, but pods aren't kept for them
    /// ([`Options::reserved`]), and what interruptions count for isn't looked at.
    ///
    /// # Errors
    /// A fee or another price that is below zero or more than [`Price::MAX_UNIT`]
    /// ([`Error::is_invalid_input`]), a problem beyond a stated limit of this version
    /// ([`Error::is_unsupported`]), or a fault of the library itself ([`Error::is_internal`]).
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
///             .with_offering(Offering::new("eu-1a", "on-demand", "0.2016".parse()?)),
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
    let preference_price = checked_prices(options)?;
    let eligibility = Eligibility::of(problem, &options.consolidation);
    let compiled = Compiled::new(&eligibility.loosened(problem), Price::ZERO)?;
    let stop = options.stop.kept();
    let context = Context {
        compiled: &compiled,
        listed: &compiled,
        fee: i64::try_from(options.objective.node_fee.nanos()).unwrap_or(i64::MAX),
        best_effort_min_values: options.min_values == MinValuesPolicy::BestEffort,
        with_preferences: options.preferences != PreferencePolicy::Ignore,
        preference_price: preference_price
            .map(|price| i64::try_from(price.nanos()).unwrap_or(i64::MAX)),
        strict_reservations: false,
        scarcity: None,
        stop: &stop,
    };
    let attempts = match options.effort {
        Effort::FirstFit | Effort::Greedy => 0,
        Effort::Refine(limits) => limits.attempts,
    };
    let consolidation = &options.consolidation;
    crate::consolidate::consolidate(problem, &eligibility, &context, consolidation, attempts)
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
