//! How a plan is to be made.
//!
//! Options are what a caller decides: how much work to spend ([`Effort`], [`Limits`]), what to
//! minimise ([`Objective`]), how to take rules that may be bent ([`PreferencePolicy`],
//! [`MinValuesPolicy`], [`ReservedPolicy`]), when to end ([`Stop`], [`Observer`]), and what a
//! consolidation may do ([`ConsolidationOptions`]). What is a fact of the cluster isn't one of
//! them: that is in the problem.
//!
//! The same problem with the same options gives the same plan. Where a plan is to be reproduced
//! somewhere else, `Replay` (feature `serde`) keeps both in one document.
//!
//! ```
//! use plimsoll::{Effort, Limits, Options, PreferencePolicy};
//!
//! let options = Options::default()
//!     .with_effort(Effort::Refine(Limits::default().with_rounds(500)))
//!     .with_preferences(PreferencePolicy::Priced("0.001".parse()?));
//! assert_eq!(options.objective.node_fee, plimsoll::Price::ZERO);
//! # Ok::<(), plimsoll::model::ParsePriceError>(())
//! ```

#[cfg(feature = "serde")]
mod document;
#[cfg(feature = "serde")]
mod replay;

#[cfg(feature = "serde")]
pub use replay::Replay;

use crate::model::{ConsolidationOptions, Price};
use crate::progress::Observer;
use crate::stop::Stop;

/// How a plan is to be made; the defaults are what most people want.
///
/// # Examples
/// ```
/// use plimsoll::{Effort, Options, PreferencePolicy};
///
/// let options = Options::default()
///     .with_effort(Effort::Refine(Default::default()))
///     .with_preferences(PreferencePolicy::Ignore)
///     .with_node_fee("0.005".parse()?);
/// assert_eq!(options.objective.node_fee.to_string(), "0.005");
/// # Ok::<(), plimsoll::model::ParsePriceError>(())
/// ```
///
/// | field | default |
/// |---|---|
/// | effort | [`Effort::Greedy`] |
/// | objective | prices alone: no fee, interruptions count for nothing |
/// | preferences | [`PreferencePolicy::Respect`] |
/// | min_values | [`MinValuesPolicy::Strict`] |
/// | reserved | [`ReservedPolicy::Fallback`] |
/// | stop, observer | none |
/// | consolidation | [`ConsolidationOptions::default`] |
///
/// They are equal where all fields are; of stop and observer, where they are the same function.
#[derive(Clone, Debug, Default, PartialEq)]
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
    /// Who looks on while a plan is refined, and may end that; by default nobody.
    pub observer: Observer,
    /// What a consolidation may move, and what that must save.
    pub consolidation: ConsolidationOptions,
}

impl Options {
    /// Sets how much work to spend.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Effort, Limits, Options};
    ///
    /// let baseline = Options::default().with_effort(Effort::FirstFit);
    /// let thorough = Options::default().with_effort(Effort::Refine(Limits::NONE));
    /// assert_ne!(baseline, thorough);
    /// ```
    #[must_use]
    pub fn with_effort(mut self, effort: Effort) -> Self {
        self.effort = effort;
        self
    }

    /// Sets the fee per node and hour.
    ///
    /// It is added to the price of each launch and is part of
    /// [`Cost::total`](crate::plan::Cost::total). A fee stands for what a node costs beside its
    /// price (licences, agents) or for a wish for fewer, larger nodes.
    #[must_use]
    pub fn with_node_fee(mut self, fee: Price) -> Self {
        self.objective.node_fee = fee;
        self
    }

    /// Sets what an expected interruption counts for.
    ///
    /// Money for one interruption; an offering whose
    /// [rate](crate::Offering::with_interruption_rate) is a hundredth per hour then counts as
    /// dearer by a hundredth of it. It steers the choice, and is no part of what a plan says it
    /// costs.
    #[must_use]
    pub fn with_interruption(mut self, price: Price) -> Self {
        self.objective.interruption = price;
        self
    }

    /// Sets what preferences count for.
    #[must_use]
    pub fn with_preferences(mut self, preferences: PreferencePolicy) -> Self {
        self.preferences = preferences;
        self
    }

    /// Sets what to do when a pool's `minValues` can't be met.
    ///
    /// Karpenter's setting `--min-values-policy`.
    #[must_use]
    pub fn with_min_values(mut self, policy: MinValuesPolicy) -> Self {
        self.min_values = policy;
        self
    }

    /// Sets what to do when a reservation is used up.
    ///
    /// Karpenter's `ReservedOfferingMode`.
    #[must_use]
    pub fn with_reserved(mut self, policy: ReservedPolicy) -> Self {
        self.reserved = policy;
        self
    }

    /// Sets when to end early.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Effort, Options, Pod, Problem, Stop};
    ///
    /// // Ten seconds by the caller's own clock: none is read here.
    /// let start = std::time::Instant::now();
    /// let options = Options::default()
    ///     .with_effort(Effort::Refine(Default::default()))
    ///     .with_stop(Stop::when(move || start.elapsed().as_secs() >= 10));
    /// let problem = Problem::builder().pod(Pod::new("web")).build()?;
    /// assert_eq!(plimsoll::provision(&problem, &options)?.unschedulable().len(), 1);
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    #[must_use]
    pub fn with_stop(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// Sets who looks on.
    #[must_use]
    pub fn with_observer(mut self, observer: Observer) -> Self {
        self.observer = observer;
        self
    }

    /// Sets what a consolidation may move, and what that must save.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{ConsolidationOptions, Options};
    ///
    /// let mut wishes = ConsolidationOptions::default();
    /// wishes.max_moves = Some(100);
    /// let options = Options::default().with_consolidation(wishes);
    /// assert_eq!(options.consolidation.max_moves, Some(100));
    /// ```
    #[must_use]
    pub fn with_consolidation(mut self, consolidation: ConsolidationOptions) -> Self {
        self.consolidation = consolidation;
        self
    }
}

/// How much work to spend on a plan.
///
/// # Examples
/// ```
/// use plimsoll::{Effort, Limits, Options};
///
/// // As many rounds as a small cluster needs, and the same plan on every machine.
/// let few = Limits::default().with_rounds(200).with_attempts(50);
/// let options = Options::default().with_effort(Effort::Refine(few));
/// assert_ne!(options.effort, Effort::Greedy);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Effort {
    /// First fit decreasing, blind to prices until the end: a baseline to compare with.
    ///
    /// It keeps every rule, and says no bound. What it costs against the others is what looking at
    /// prices saves.
    FirstFit,
    /// The price-aware packer.
    ///
    /// Milliseconds for ten thousand pods; it says a lower bound on the cost with every plan.
    #[default]
    Greedy,
    /// The price-aware packer, and then column generation: a bound and a plan that come to meet
    /// each other, until nothing is left to try, the limits are reached, or [`Options::stop`] says
    /// so.
    ///
    /// The plan is never dearer than that of [`Effort::Greedy`], by what is minimised;
    /// [`LaunchPlan::termination`](crate::LaunchPlan::termination) says what ended the search.
    Refine(Limits),
}

/// How much work refinement may take, counted in units of work, so that the same limits give the
/// same plan.
///
/// The defaults are for some ten thousand pods and some tens of seconds.
///
/// Work is counted, not timed: a machine that is twice as slow takes twice as long and ends with
/// the same plan. Only [`Options::stop`] makes plans depend on time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Rounds of column generation, for the bound and for the plan together.
    ///
    /// 4,000 by default.
    pub rounds: u64,
    /// Attempts to take a part of the plan apart and to pack it better.
    ///
    /// 1,000 by default.
    pub attempts: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Limits {
    /// What limits are by default.
    pub(crate) const DEFAULT: Self = Self { rounds: 4_000, attempts: 1_000 };

    /// No limits: refinement goes on until nothing is left to try or [`Options::stop`] says so.
    pub const NONE: Self = Self { rounds: u64::MAX, attempts: u64::MAX };

    /// Sets the rounds of column generation.
    #[must_use]
    pub fn with_rounds(mut self, rounds: u64) -> Self {
        self.rounds = rounds;
        self
    }

    /// Sets the attempts to pack a part better.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u64) -> Self {
        self.attempts = attempts;
        self
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
///     .with_offering(Offering::on_demand("eu-1a", "0.1008".parse()?))
///     // One interruption in twenty hours.
///     .with_offering(Offering::spot("eu-1a", "0.06".parse()?).with_interruption_rate(50_000_000));
/// let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
/// let parts = Problem::builder().pod(web).instance_type(large);
/// let problem = parts.node_pool(NodePool::new("default")).build()?;
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
    ///
    /// Default: 0.
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
///
/// # Examples
/// ```
/// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
/// # let small = InstanceType::new("m.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
/// #     .with_offering(Offering::on_demand("eu-1a", "0.1".parse()?))
/// #     .with_offering(Offering::spot("eu-1b", "0.03".parse()?));
/// # use plimsoll::model::{Affinity, NodeSelectorTerm, Operator};
/// # use plimsoll::Requirement;
/// # use plimsoll::PreferencePolicy;
/// let zone = Requirement::new("topology.kubernetes.io/zone", Operator::In, ["eu-1a"]);
/// let rather_there = Affinity::new().with_preferred_node_term(10, NodeSelectorTerm::new([zone]));
/// let pod = Pod::new("web").with_affinity(rather_there);
/// // On demand in that zone costs 0.1, spot elsewhere 0.03.
/// # let parts = Problem::builder().pod(pod).instance_type(small);
/// # let problem = parts.node_pool(NodePool::new("default")).build()?;
/// let cost = |policy| {
///     let options = Options::default().with_preferences(policy);
///     provision(&problem, &options).map(|plan| plan.cost().total.to_string())
/// };
/// assert_eq!(cost(PreferencePolicy::Respect)?, "0.1");
/// assert_eq!(cost(PreferencePolicy::Ignore)?, "0.03");
/// // Ten of weight at 0.005 are worth 0.05 an hour, less than the difference.
/// assert_eq!(cost(PreferencePolicy::Priced("0.005".parse()?))?, "0.03");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// # Examples
/// ```
/// use plimsoll::options::ReservedPolicy;
/// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
///
/// // One reserved node left, and two pods that need a node each.
/// let one = Resources::parse([("cpu", "1"), ("pods", "9")])?;
/// let reserved = Offering::reserved("a", "0".parse()?).with_reservation("cr-1", 1);
/// let machine = InstanceType::new("m", one)
///     .with_offering(reserved)
///     .with_offering(Offering::on_demand("a", "0.1".parse()?));
/// let pods = Pod::new("web").with_replicas(2).with_requests(Resources::parse([("cpu", "1")])?);
/// let parts = Problem::builder().pod(pods).instance_type(machine);
/// let problem = parts.node_pool(NodePool::new("default")).build()?;
/// let left_out = |policy| -> Result<usize, plimsoll::Error> {
///     Ok(provision(&problem, &Options::default().with_reserved(policy))?.unschedulable().len())
/// };
/// assert_eq!(left_out(ReservedPolicy::Fallback)?, 0);
/// assert_eq!(left_out(ReservedPolicy::Strict)?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// # Examples
/// ```
/// use plimsoll::model::{Operator, well_known};
/// use plimsoll::options::MinValuesPolicy;
/// use plimsoll::{
///     InstanceType, NodePool, Offering, Options, Pod, Problem, Requirement, Resources, provision,
/// };
///
/// // Two types are asked for, and there is one.
/// let only = InstanceType::new("m", Resources::parse([("pods", "9")])?)
///     .with_offering(Offering::on_demand("a", "0.1".parse()?));
/// let two = Requirement::new(well_known::INSTANCE_TYPE, Operator::Exists, [""; 0]);
/// let pool = NodePool::new("default").with_requirement(two.with_min_values(2));
/// let parts = Problem::builder().pod(Pod::new("web")).instance_type(only).node_pool(pool);
/// let problem = parts.build()?;
/// let launches = |policy| -> Result<usize, plimsoll::Error> {
///     Ok(provision(&problem, &Options::default().with_min_values(policy))?.launches().len())
/// };
/// assert_eq!(launches(MinValuesPolicy::Strict)?, 0);
/// assert_eq!(launches(MinValuesPolicy::BestEffort)?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum MinValuesPolicy {
    /// Don't launch it.
    #[default]
    Strict,
    /// Lower the minimum to what is possible.
    BestEffort,
}
