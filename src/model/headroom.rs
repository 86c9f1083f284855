//! Room that is to stay free: how many placeholder pods stand for it.
//!
//! Two questions come to the same thing, pods that aren't there: how much room an operator wants to
//! keep ([`Headroom`], as Cluster Autoscaler's and Karpenter's `CapacityBuffer` sizes it), and how
//! many pods will soon come ([`Forecast`], a distribution of which a quantile is prepared for).
//!
//! Neither is a rule of its own to the solver: both come down to pods with the annotation
//! [`Placeholder::ANNOTATION`], of the lowest priority there is, so that a pod that really waits
//! always comes first and takes the room that was kept for it.
//!
//! Source of the sizing: the API `CapacityBuffer` of Cluster Autoscaler,
//! <https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/proposals/buffers.md>.

use super::{PODS, Placeholder, Pod, Quantity, Resources};
use std::collections::BTreeMap;

/// The priority of pods that stand for room: lower than that of any pod that runs.
const PRIORITY: i32 = i32::MIN;

/// How many pods of a kind room is kept for.
///
/// The larger of a number and of a percentage of a workload's pods; at most what limits allow, and
/// all that they allow where neither is said.
///
/// Source: the design document and the code of Cluster Autoscaler's capacity buffers. (The API's
/// text calls `replicas` a minimum of both; both autoscalers take the larger.)
///
/// # Examples
/// ```
/// use plimsoll::model::Headroom;
/// use plimsoll::{Pod, Resources};
///
/// let web = Pod::new("web-room").with_requests(Resources::parse([("cpu", "1500m")])?);
/// // A tenth of 42 pods, at least two, but no more than eight CPUs.
/// let headroom = Headroom::default()
///     .with_replicas(2)
///     .with_percentage(10, 42)
///     .with_limits(Resources::parse([("cpu", "8")])?);
/// assert_eq!(headroom.pods(web.requests()), 5);
/// assert_eq!(headroom.placeholder(&web).map(|pod| pod.replicas()), Some(5));
/// # Ok::<(), plimsoll::model::ParseResourcesError>(())
/// ```
///
/// With nothing set ([`Headroom::default`]) no room is kept. Setters replace what was set before.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Headroom {
    replicas: Option<u32>,
    /// Percentage, and of how many pods.
    percentage: Option<(u32, u32)>,
    limits: Resources,
}

impl Headroom {
    /// Room for so many pods.
    ///
    /// A controller has it from `spec.replicas` of a `CapacityBuffer`, or from its own settings.
    #[must_use]
    pub fn with_replicas(mut self, replicas: u32) -> Self {
        self.replicas = Some(replicas);
        self
    }

    /// Room for this percentage of so many pods, rounded up; of none no room.
    ///
    /// A controller has them from `spec.percentage` of a `CapacityBuffer` and `spec.replicas` of
    /// the workload that it refers to.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Resources;
    /// use plimsoll::model::Headroom;
    ///
    /// let room = |percent, of| Headroom::default().with_percentage(percent, of);
    /// let pods = |percent, of| room(percent, of).pods(&Resources::new());
    /// assert_eq!((pods(10, 42), pods(10, 0), pods(150, 4)), (5, 0, 6));
    /// ```
    #[must_use]
    pub fn with_percentage(mut self, percent: u32, of: u32) -> Self {
        self.percentage = Some((percent, of));
        self
    }

    /// Room for no more pods than what all of them request together: `spec.limits` of a
    /// `CapacityBuffer`. A resource that a pod doesn't request limits nothing.
    ///
    /// Limits on `pods` count pods themselves. Alone, without a number or a percentage, limits are
    /// the size of the headroom.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Resources;
    /// use plimsoll::model::Headroom;
    ///
    /// let limits = Resources::parse([("cpu", "4"), ("pods", "9")])?;
    /// let room = Headroom::default().with_limits(limits);
    /// let half_cpu = Resources::parse([("cpu", "500m")])?;
    /// assert_eq!(room.pods(&half_cpu), 8);
    /// assert_eq!(room.pods(&Resources::new()), 9);
    /// # Ok::<(), plimsoll::model::ParseResourcesError>(())
    /// ```
    #[must_use]
    pub fn with_limits(mut self, limits: Resources) -> Self {
        self.limits = limits;
        self
    }

    /// For how many pods with these requests room is kept.
    ///
    /// The larger of number and percentage, cut to the smallest of the limits; 0 where nothing is
    /// set.
    #[must_use]
    pub fn pods(&self, requests: &Resources) -> u32 {
        let share = self.percentage.map(|(percent, of)| {
            let share = u64::from(percent).saturating_mul(of.into()).div_ceil(100);
            u32::try_from(share).unwrap_or(u32::MAX)
        });
        let asked = self.replicas.max(share);
        let fit = |(name, limit): (_, Quantity)| {
            let each = match name {
                PODS => Quantity::from_units(1),
                _ => requests.get(name).filter(|each| each.nanos() > 0)?,
            };
            Some(u32::try_from((limit.nanos() / each.nanos()).max(0)).unwrap_or(u32::MAX))
        };
        let limit = self.limits.iter().filter_map(|(name, limit)| fit((&**name, limit))).min();
        match (asked, limit) {
            (Some(asked), Some(limit)) => asked.min(limit),
            (asked, limit) => asked.or(limit).unwrap_or(0),
        }
    }

    /// The placeholder pods that keep the room: pods like this one, in all but that they have no
    /// volumes, aren't bound, and are the least important. `None` where no room is kept.
    ///
    /// They may cause launches ([`Placeholder::Launch`]); with
    /// [`with_placeholder`](Pod::with_placeholder) they don't. Where room is kept and a pod comes,
    /// the next plan gives it the room, and buys new room if the headroom still asks for it.
    ///
    /// The name stays that of `pod`, so it needs one of its own beside pods that run under that
    /// name.
    #[must_use]
    pub fn placeholder(&self, pod: &Pod) -> Option<Pod> {
        placeholders(pod, self.pods(pod.requests()))
    }
}

/// How many pods of a class there may be at a time to come: a distribution, of which a quantile is
/// prepared for.
///
/// A controller makes one for each workload whose demand it can tell: from what it counted at this
/// hour of the last days, each count a sample, or from a predictor's quantiles, each with the
/// weight between it and the one before. Its instant lies as far ahead as a node takes to start.
///
/// # Examples
/// ```
/// use plimsoll::model::Forecast;
/// use plimsoll::{Pod, Resources};
///
/// let web = Pod::new("web-soon").with_requests(Resources::parse([("cpu", "500m")])?);
/// // Ten days at nine o'clock.
/// let counts = [40, 42, 38, 45, 41, 60, 39, 43, 44, 41];
/// let add = |sum: Forecast, count| sum.with_sample(count, 1);
/// let forecast = counts.into_iter().fold(Forecast::default(), add);
/// assert_eq!((forecast.quantile(500_000), forecast.quantile(900_000)), (Some(41), Some(45)));
/// // 30 are there already: room for 15 more is enough on nine days of ten.
/// assert_eq!(forecast.placeholder(&web, 30, 900_000).map(|pod| pod.replicas()), Some(15));
/// # Ok::<(), plimsoll::model::ParseResourcesError>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Forecast {
    /// Weights by count.
    weights: BTreeMap<u32, u64>,
}

impl Forecast {
    /// Adds that there may be so many pods, with a weight beside the other samples.
    ///
    /// A weight of 0 adds nothing; samples of the same count are added up.
    #[must_use]
    pub fn with_sample(mut self, pods: u32, weight: u64) -> Self {
        if weight > 0 {
            let own = self.weights.entry(pods).or_default();
            *own = own.saturating_add(weight);
        }
        self
    }

    /// The least count that at least this share of the samples, in millionths, doesn't exceed;
    /// `None` without samples.
    ///
    /// Where a pod that waits costs `a` per hour and room that is idle costs `b`, the quantile
    /// `a / (a + b)` is the one that costs the least (the newsvendor's).
    ///
    /// More than a million is taken as a million: the largest count.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::Forecast;
    ///
    /// // A predictor's quantiles: half of the time at most 10, nine times of ten at most 25.
    /// let forecast =
    ///     Forecast::default().with_sample(10, 50).with_sample(25, 40).with_sample(60, 10);
    /// assert_eq!(forecast.quantile(500_000), Some(10));
    /// assert_eq!(forecast.quantile(900_000), Some(25));
    /// // A waiting pod costs nine times as much as idle room: the quantile 9 / (9 + 1).
    /// assert_eq!(forecast.quantile(1_000_000 * 9 / (9 + 1)), Some(25));
    /// assert_eq!(Forecast::default().quantile(500_000), None);
    /// ```
    #[must_use]
    pub fn quantile(&self, millionths: u32) -> Option<u32> {
        let sum: u128 = self.weights.values().map(|weight| u128::from(*weight)).sum();
        let least = sum.saturating_mul(millionths.min(1_000_000).into());
        let mut below: u128 = 0;
        let enough = |weight: &u64| {
            below = below.saturating_add(u128::from(*weight));
            below.saturating_mul(1_000_000) >= least
        };
        let mut enough = enough;
        self.weights.iter().find(|(_, weight)| enough(weight)).map(|(count, _)| *count)
    }

    /// The placeholder pods for what this share of the samples, in millionths, may bring beyond the
    /// pods that are there; otherwise as [`Headroom::placeholder`].
    ///
    /// `there` is how many pods of the kind run or wait already. `None` where they are enough.
    #[must_use]
    pub fn placeholder(&self, pod: &Pod, there: u32, millionths: u32) -> Option<Pod> {
        placeholders(pod, self.quantile(millionths)?.saturating_sub(there))
    }
}

/// So many pods that stand for room.
fn placeholders(pod: &Pod, replicas: u32) -> Option<Pod> {
    let mut room = pod.clone().with_replicas(replicas).with_priority(PRIORITY);
    room = room.with_placeholder(Placeholder::Launch);
    room.node_name = None;
    room.volumes = super::list::List::new();
    (replicas > 0).then_some(room)
}
