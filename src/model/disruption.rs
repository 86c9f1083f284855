//! When and how fast nodes of a pool may be disrupted, Karpenter's `disruption`.
//!
//! A pool says three things about how its nodes may be taken away: *which*
//! ([`ConsolidationPolicy`]), *after what rest* ([`Disruption::consolidate_after`]) and *how many
//! at once* ([`Budget`]s). Only consolidation reads any of it; launches are planned without.
//!
//! Budgets count nodes that are disrupted at the same time, those that are going already included.
//! Of all budgets of a pool that speak of a reason and are in force, the smallest counts. So a pool
//! with the default of a tenth and one more budget of `0` during the day disrupts nothing during
//! the day, and a tenth at a time otherwise.
//!
//! Source: <https://karpenter.sh/docs/concepts/disruption/>.

use super::{ParseTimeSpanError, TimeSpan};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// When and how fast nodes of a pool may be disrupted.
///
/// # Examples
/// ```
/// use plimsoll::NodePool;
/// use plimsoll::model::{Budget, Disruption, TimeSpan};
///
/// // Quiet for ten minutes, and one node at a time during the day.
/// let day = Budget::of_nodes(1).with_schedule("0 8 * * mon-fri", TimeSpan::from_hours(10));
/// let mut disruption = Disruption::default();
/// disruption.consolidate_after = "10m".parse()?;
/// disruption.budgets.push(day);
/// let pool = NodePool::new("default").with_disruption(disruption);
/// assert_eq!(pool.disruption().budgets.len(), 2);
/// # Ok::<(), plimsoll::model::ParseTimeSpanError>(())
/// ```
///
/// By default every node may be consolidated at once, a tenth of the pool at a time, as Karpenter's
/// `spec.disruption` has it when it is left out.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Disruption {
    /// Which nodes may be consolidated.
    pub consolidation_policy: ConsolidationPolicy,
    /// How long a node must have been quiet; `Never`: none is consolidated.
    ///
    /// A node with [`consolidatable`](crate::Node::with_consolidatable) of `false` hasn't been; who
    /// counts the time is the caller. Only `Never` means anything by itself here. Default: `0s`.
    pub consolidate_after: Delay,
    /// How many nodes may be disrupted at a time; the smallest that applies counts.
    ///
    /// With an empty list nothing is limited; the default is one budget of 10 %.
    pub budgets: Vec<Budget>,
}

/// Which nodes of a pool may be consolidated.
///
/// Nodes that have drifted or expired go whatever it says. Its words in documents are the variants'
/// names.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ConsolidationPolicy {
    /// Empty nodes only.
    ///
    /// A node is empty when only pods of daemon sets and static pods are on it.
    WhenEmpty,
    /// Every node.
    #[default]
    WhenEmptyOrUnderutilized,
    /// Every node, where the share of the pool's cost that is saved is at least half the share of
    /// its disruption that this takes.
    ///
    /// A pool's cost and disruption are those of all its nodes: of a pool of ten equal nodes that
    /// are equally full, deleting one saves a tenth and disrupts a tenth, and is worth it.
    Balanced,
}

/// How long until something is done: so long, or `Never`.
///
/// # Examples
/// ```
/// use plimsoll::model::{Delay, TimeSpan};
///
/// assert_eq!("1h30m".parse(), Ok(Delay::After(TimeSpan::from_seconds(5_400))));
/// assert_eq!("Never".parse(), Ok(Delay::Never));
/// assert_eq!(Delay::from(TimeSpan::from_hours(720)).to_string(), "720h");
/// ```
///
/// `Never` is later than any time: delays are ordered, the shortest first.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Delay {
    /// After so long.
    After(TimeSpan),
    /// Not at all.
    Never,
}

/// A limit on nodes disrupted at a time, Karpenter's `Budget`.
///
/// # Examples
/// ```
/// use plimsoll::model::{Budget, BudgetNodes, BudgetReason, TimeSpan};
///
/// let night = Budget::of_share(20)
///     .with_reasons([BudgetReason::Empty, BudgetReason::Drifted])
///     .with_schedule("0 22 * * *", TimeSpan::from_hours(8));
/// assert_eq!(night.nodes, BudgetNodes::Percent(20));
/// assert_eq!(night.window.unwrap().duration.to_string(), "8h");
/// ```
///
/// # Examples
/// ```
/// use plimsoll::model::{Budget, Disruption, TimeSpan};
///
/// // Nothing on working days from eight to six, UTC; otherwise two nodes at a time.
/// let mut disruption = Disruption::default();
/// disruption.budgets = vec![
///     Budget::of_nodes(0).with_schedule("0 8 * * mon-fri", TimeSpan::from_hours(10)),
///     Budget::of_nodes(2),
/// ];
/// assert!(disruption.budgets[1].window.is_none());
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Budget {
    /// At most so many.
    ///
    /// 0 allows nothing while the budget is in force.
    pub nodes: BudgetNodes,
    /// The reasons it applies to; empty means all.
    ///
    /// A node that goes for another reason isn't counted against the budget.
    pub reasons: Vec<BudgetReason>,
    /// When it is in force; `None` means always.
    ///
    /// Whether it is in force now depends on
    /// [`ConsolidationOptions::now`](crate::ConsolidationOptions).
    pub window: Option<BudgetWindow>,
}

/// How many nodes a budget lets go at a time.
///
/// # Examples
/// ```
/// use plimsoll::model::BudgetNodes;
///
/// assert_eq!("5".parse(), Ok(BudgetNodes::Count(5)));
/// assert_eq!("10%".parse::<BudgetNodes>().map(|nodes| nodes.to_string()), Ok("10%".into()));
/// assert!("110%".parse::<BudgetNodes>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum BudgetNodes {
    /// So many.
    ///
    /// Written as a number, `5`.
    Count(u32),
    /// Such a share of the pool's nodes, in percent up to 100; it is rounded up.
    ///
    /// Written `10%`. Of a pool of three nodes a tenth is one node, since it is rounded up; of none
    /// it is none.
    Percent(u8),
}

/// Why a text doesn't say how many nodes a budget lets go.
///
/// Neither a sign, a fraction nor white space is read, and no share above `100%`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ParseBudgetNodesError {
    /// The text.
    pub text: String,
}

/// What nodes may be disrupted for, as budgets have it; Karpenter's `DisruptionReason`.
///
/// # Examples
/// ```
/// use plimsoll::model::BudgetReason;
///
/// assert_eq!("Drifted".parse(), Ok(BudgetReason::Drifted));
/// assert_eq!(BudgetReason::Underutilized.to_string(), "Underutilized");
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum BudgetReason {
    /// The node is no longer what its pool asks for.
    ///
    /// Said of a node by [`Node::with_drifted`](crate::Node::with_drifted). Nodes that have expired
    /// wait for no budget.
    Drifted,
    /// No pod is on it that would have to move.
    Empty,
    /// Its pods could do with less.
    Underutilized,
}

/// When a budget is in force: from each instant of a schedule for so long.
///
/// # Examples
/// ```
/// use plimsoll::model::{Budget, TimeSpan};
///
/// let nightly = Budget::of_share(50).with_schedule("@daily", TimeSpan::from_hours(6));
/// let window = nightly.window.unwrap();
/// assert_eq!((&*window.schedule, window.duration.seconds()), ("@daily", 21_600));
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct BudgetWindow {
    /// Five cron fields or a name such as `@daily`, in UTC. It is a text: which of them say
    /// nothing that can be read is decided where they are read, and such a budget allows no
    /// disruption, as in Karpenter.
    pub schedule: Arc<str>,
    /// How long it lasts from then, in whole minutes.
    ///
    /// Anything else is a fault when the problem is built.
    pub duration: TimeSpan,
}

impl Default for Disruption {
    fn default() -> Self {
        Self {
            consolidation_policy: ConsolidationPolicy::default(),
            consolidate_after: Delay::After(TimeSpan::default()),
            budgets: vec![Budget::of_share(10)],
        }
    }
}

impl From<TimeSpan> for Delay {
    fn from(span: TimeSpan) -> Self {
        Self::After(span)
    }
}

/// The word for no time at all.
const NEVER: &str = "Never";

impl FromStr for Delay {
    type Err = ParseTimeSpanError;

    /// Reads a duration, or `Never`.
    fn from_str(text: &str) -> Result<Self, ParseTimeSpanError> {
        match text {
            NEVER => Ok(Self::Never),
            text => text.parse().map(Self::After),
        }
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(span) => span.fmt(f),
            Self::Never => f.write_str(NEVER),
        }
    }
}

/// The most that a share can be.
const WHOLE_PERCENT: u8 = 100;

impl Budget {
    /// At most so many nodes at a time, always.
    ///
    /// It applies to every reason unless [`with_reasons`](Budget::with_reasons) says otherwise.
    #[must_use]
    pub fn of_nodes(nodes: u32) -> Self {
        Self::new(BudgetNodes::Count(nodes))
    }

    /// At most such a share of the pool's nodes at a time, in percent up to 100, always; it is
    /// rounded up.
    ///
    /// More than 100 is taken as 100.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::{Budget, BudgetNodes};
    ///
    /// assert_eq!(Budget::of_share(25).nodes, BudgetNodes::Percent(25));
    /// assert_eq!(Budget::of_share(200).nodes, BudgetNodes::Percent(100));
    /// ```
    #[must_use]
    pub fn of_share(percent: u8) -> Self {
        Self::new(BudgetNodes::Percent(percent.min(WHOLE_PERCENT)))
    }

    /// At most so many nodes at a time, always.
    #[must_use]
    pub fn new(nodes: BudgetNodes) -> Self {
        Self { nodes, reasons: Vec::new(), window: None }
    }

    /// Restricts it to disruptions for these reasons.
    ///
    /// An empty list is the same as every reason.
    #[must_use]
    pub fn with_reasons(mut self, reasons: impl IntoIterator<Item = BudgetReason>) -> Self {
        self.reasons = reasons.into_iter().collect();
        self
    }

    /// Has it in force from each instant of a cron schedule, in UTC, for so long.
    ///
    /// The text is checked when the problem is built: five fields, or one of `@hourly`, `@daily`,
    /// `@midnight`, `@weekly`, `@monthly`, `@yearly` and `@annually`.
    #[must_use]
    pub fn with_schedule(mut self, schedule: impl Into<Arc<str>>, duration: TimeSpan) -> Self {
        self.window = Some(BudgetWindow { schedule: schedule.into(), duration });
        self
    }
}

impl BudgetNodes {
    /// Whether it is no share of more than all.
    pub(crate) fn is_valid(self) -> bool {
        match self {
            Self::Count(_) => true,
            Self::Percent(share) => share <= WHOLE_PERCENT,
        }
    }
}

impl FromStr for BudgetNodes {
    type Err = ParseBudgetNodesError;

    /// Reads a number, or a share with `%`.
    fn from_str(text: &str) -> Result<Self, ParseBudgetNodesError> {
        let digits = text.strip_suffix('%').unwrap_or(text);
        // A sign is no digit.
        let number = digits.parse::<u32>().ok();
        let number = number.filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let nodes = match digits.len() < text.len() {
            true => number.and_then(|share| share.try_into().ok()).map(Self::Percent),
            false => number.map(Self::Count),
        };
        let valid = nodes.filter(|nodes| nodes.is_valid());
        valid.ok_or_else(|| ParseBudgetNodesError { text: text.into() })
    }
}

impl fmt::Display for BudgetNodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(nodes) => write!(f, "{nodes}"),
            Self::Percent(share) => write!(f, "{share}%"),
        }
    }
}

impl fmt::Display for ParseBudgetNodesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is neither a number of nodes such as 5 nor a share such as 10%", self.text)
    }
}

impl std::error::Error for ParseBudgetNodesError {}

impl BudgetReason {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drifted => "Drifted",
            Self::Empty => "Empty",
            Self::Underutilized => "Underutilized",
        }
    }
}
