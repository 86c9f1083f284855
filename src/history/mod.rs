//! What became of launches and nodes, folded into what the next plan should know of offerings.
//!
//! A cloud says what it sells and at what price; whether it has any left, it says when it is asked.
//! An [`OfferingHistory`] takes what a controller hears (nodes launched, launches that failed,
//! nodes that ran and were interrupted), each with the controller's own timestamp, and answers with
//! three things of each offering ([`OfferingOutlook`]):
//!
//! - **whether it may be asked for.** One that had no capacity isn't for a while: a backoff that
//!   doubles with each failure in a row and ends early with a success, for the offering alone, or
//!   for all zones of its type (a quota), or all types of its zone (an outage), as the failure was.
//! - **how likely a launch succeeds**: successes among attempts, where each counts for less the
//!   older it is, beside a prior of so many imagined attempts.
//! - **how often its nodes are interrupted**, in the same way: interruptions among hours that nodes
//!   ran, beside the rate that the catalog states.
//!
//! Both estimates are correlated: what was seen of the same type in other zones, and of other types
//! in the same zone, shifts the prior, with the percentages that the policy says. So a type that
//! fails wherever it is asked for is doubted where nobody asked yet, and evidence of an offering's
//! own outweighs what is said of its neighbours.
//!
//! [`OfferingHistory::applied`] writes this into a problem, [`WhatIf::with_history`] into a what-if:
//! offerings that may not be asked for aren't available, and the others have the estimated
//! `interruptionRate`, which [`Objective::interruption`] prices; a launch that fails counts as an
//! interruption once in the expected life of a node. Nothing else of a problem changes, and what no
//! event speaks of doesn't either.
//!
//! It is a pure function of the events that were told and of the instant that is asked about: their
//! order doesn't matter, all numbers are integers, and no clock is read. Events older than 16
//! half-lives are forgotten. Memory: at most 273 counts and 16 instants for each offering that was
//! ever asked for in that time. Time of [`OfferingHistory::applied`]: those counts, and a look-up
//! for each offering of the problem.
//!
//! The estimates are those of Beta and Gamma priors (A. Gelman et al., *Bayesian Data Analysis*,
//! section 2); the backoffs are those of Karpenter's cache of unavailable offerings (three minutes)
//! and of Cluster Autoscaler's node groups (doubled, up to half an hour).
//!
//! [`WhatIf::with_history`]: crate::WhatIf::with_history
//! [`Objective::interruption`]: crate::options::Objective::interruption

mod backoff;
mod evidence;
mod policy;

pub use policy::HistoryPolicy;

use crate::model::{
    CapacityType, Changed, InstanceType, Offering, OfferingKey, Origin, Price, Problem,
};
use crate::plan::{LaunchTemplate, OfferingRef};
use backoff::Failures;
use evidence::{Counts, Evidence, LIFE, ONE, WeighedCounts, span};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A whole in the estimates: one attempt of one, or one interruption an hour.
const BILLION: u128 = 1_000_000_000;

/// What became of launches and nodes of each offering.
///
/// Timestamps are seconds of any one clock, such as Unix time; nothing but their differences
/// counts. Histories are equal if the same events are in them, told in whatever order.
///
/// # Examples
/// ```
/// use plimsoll::history::{FailureScope, OfferingHistory};
/// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
///
/// let large = InstanceType::new("m7.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
///     .with_offering(Offering::spot("eu-1a", "0.03".parse()?))
///     .with_offering(Offering::spot("eu-1b", "0.04".parse()?));
/// let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1500m")])?);
/// let problem =
///     Problem::builder().pod(web).instance_type(large).node_pool(NodePool::new("default")).build()?;
/// let plan = provision(&problem, &Options::default())?;
/// let asked = plan.launches()[0].template().offering.key();
/// assert_eq!(&*asked.zone, "eu-1a");
///
/// // The cloud has none left at 10:00 (36,000 seconds): a minute later the other zone is asked.
/// let mut history = OfferingHistory::default();
/// history.failed(&asked, 1, FailureScope::Offering, 36_000);
/// let next = provision(&history.applied(&problem, 36_060), &Options::default())?;
/// assert_eq!(&*next.launches()[0].template().offering.zone, "eu-1b");
///
/// // After three minutes it is worth another try.
/// let later = provision(&history.applied(&problem, 36_180), &Options::default())?;
/// assert_eq!(later.launches()[0].template().offering.key(), asked);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OfferingHistory {
    policy: HistoryPolicy,
    evidence: BTreeMap<OfferingKey, Evidence>,
    failures: BTreeMap<FailingUnit, Failures>,
    /// The latest instant that an event was told of.
    latest: Option<i64>,
}

/// What a launch failed for, and so what isn't asked for again at once.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum FailureScope {
    /// This offering alone: the cloud has no capacity of the type in the zone
    /// (`InsufficientInstanceCapacity`, `ZONE_RESOURCE_POOL_EXHAUSTED`, `ZonalAllocationFailed`),
    /// or the reservation is used up.
    Offering,
    /// The type in every zone, with this capacity type: a quota of the region is used up
    /// (`VcpuLimitExceeded`, `QUOTA_EXCEEDED`), or the type isn't sold to this account.
    InstanceType,
    /// Every type in the zone, with this capacity type: the zone is out (a zonal shift, no
    /// addresses left in its subnet).
    Zone,
}

/// What fails as one.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum FailingUnit {
    Offering(OfferingKey),
    /// By type and capacity type.
    InstanceType(Arc<str>, CapacityType),
    /// By zone and capacity type.
    Zone(Arc<str>, CapacityType),
}

/// What is to be expected of an offering.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct OfferingOutlook {
    /// Whether it may be asked for: no backoff holds, and a launch succeeds at least as often as
    /// [`HistoryPolicy::least_success`] says.
    pub available: bool,
    /// When the backoff ends that holds now.
    pub backoff_until: Option<i64>,
    /// How likely a launch succeeds, in millionths.
    pub success: u32,
    /// Expected interruptions per hour, in billionths, launches that fail counted; `None` where
    /// none is stated and none was seen.
    pub interruption_rate: Option<u64>,
}

impl OfferingHistory {
    /// No events yet.
    #[must_use]
    pub fn new(policy: HistoryPolicy) -> Self {
        Self { policy, ..Self::default() }
    }

    /// How events are weighed.
    #[must_use]
    pub fn policy(&self) -> &HistoryPolicy {
        &self.policy
    }

    /// So many launches of an offering succeeded: backoffs that it is subject to end, and it is the
    /// likelier to succeed again.
    ///
    /// A controller hears it when a `NodeClaim`'s condition `Launched` becomes true, with the
    /// condition's `lastTransitionTime`, or when the cloud's call returns instances.
    pub fn launched(&mut self, offering: &OfferingKey, nodes: u32, at: i64) {
        if nodes > 0 && self.count(offering, Counts { launched: nodes, ..Counts::default() }, at) {
            for unit in FailingUnit::all(offering) {
                self.failures.entry(unit).or_default().succeed(at);
            }
        }
    }

    /// So many launches of an offering failed.
    ///
    /// A controller hears it when a `NodeClaim` is deleted with the reason
    /// `InsufficientCapacityError`, or its condition `Launched` becomes false, or as the error of
    /// the cloud's call, whose code says the scope. What an image or a role that is wrong makes
    /// fail says nothing of an offering, and isn't told here.
    pub fn failed(&mut self, offering: &OfferingKey, nodes: u32, scope: FailureScope, at: i64) {
        if nodes > 0 && self.count(offering, Counts { failed: nodes, ..Counts::default() }, at) {
            let unit = FailingUnit::of(offering, scope);
            self.failures.entry(unit).or_default().fail(at);
        }
    }

    /// So many nodes of an offering were interrupted: taken back by the cloud, or warned that they
    /// will be.
    ///
    /// A controller hears it from the cloud's queue of events (EC2's spot interruption warnings,
    /// Compute Engine's preemption, Azure's scheduled events), or sees a spot node go that nobody
    /// deleted.
    pub fn interrupted(&mut self, offering: &OfferingKey, nodes: u32, at: i64) {
        let _kept = self.count(offering, Counts { interrupted: nodes, ..Counts::default() }, at);
    }

    /// Nodes of an offering ran for so many seconds in all, up to this instant.
    ///
    /// A controller tells it at every look at the cluster: for each offering the number of its
    /// nodes times the seconds since the look before. Without it interruptions are counted against
    /// the prior's hours alone.
    pub fn ran(&mut self, offering: &OfferingKey, node_seconds: u64, at: i64) {
        let _kept = self.count(offering, Counts { seconds: node_seconds, ..Counts::default() }, at);
    }

    /// Counts an event; whether it isn't forgotten already.
    fn count(&mut self, offering: &OfferingKey, counts: Counts, at: i64) -> bool {
        if counts == Counts::default() {
            return false;
        }
        let former = self.latest.map(|latest| self.horizon(latest));
        let latest = self.latest.map_or(at, |latest| latest.max(at));
        self.latest = Some(latest);
        let horizon = self.horizon(latest);
        if former.is_some_and(|former| former < horizon) {
            self.evidence.retain(|_, evidence| evidence.forget(horizon));
            self.failures.retain(|_, failures| failures.forget(horizon));
        }
        let span = span(at, self.policy.seconds_of_half_life());
        let kept = span >= horizon;
        if kept {
            match self.evidence.get_mut(offering) {
                Some(evidence) => evidence.add(span, counts),
                None => self.evidence.entry(offering.clone()).or_default().add(span, counts),
            }
        }
        kept
    }

    /// What began before is forgotten, when the latest event is this: it weighs nothing, and no
    /// backoff of it holds.
    fn horizon(&self, latest: i64) -> i64 {
        let half_life = self.policy.seconds_of_half_life();
        let longest = i64::from(self.policy.longest_backoff);
        let age = half_life.saturating_mul(LIFE).saturating_add(longest);
        span(latest.saturating_sub(age), half_life)
    }

    /// What is to be expected of an offering of which the catalog states an interruption rate (in
    /// billionths per hour), at an instant; one before the latest event is taken as that of it.
    #[must_use]
    pub fn outlook(
        &self,
        offering: &OfferingKey,
        stated_rate: Option<u64>,
        now: i64,
    ) -> OfferingOutlook {
        self.at(now).outlook(offering, stated_rate)
    }

    /// The alternatives of a launch that may be asked for at an instant, cheapest first: what to
    /// ask for next, without another solve, when the choice has failed.
    ///
    /// Each holds the pods of every launch of the template, counts for no more of any limit than
    /// the choice does, and draws on no reservation that the choice doesn't.
    #[must_use]
    pub fn alternatives<'t>(&self, template: &'t LaunchTemplate, now: i64) -> Vec<&'t OfferingRef> {
        let view = self.at(now);
        let alternatives = template.alternatives.iter();
        alternatives.filter(|one| view.outlook(&one.key(), None).available).collect()
    }

    /// A problem with what is to be expected of its offerings at an instant: those that may not be
    /// asked for aren't available, the others have the interruption rate that is expected.
    ///
    /// It is to be asked of the problem with the catalog's own rates, not of one to which a history
    /// was applied before.
    #[must_use]
    pub fn applied(&self, problem: &Problem, now: i64) -> Problem {
        let mut changed = Changed::new(Arc::new(Origin::new(problem)));
        self.apply(&mut changed, now);
        changed.problem()
    }

    /// Changes the offerings of a problem that events speak of.
    pub(crate) fn apply(&self, changed: &mut Changed, now: i64) {
        let view = self.at(now);
        changed.change_each_offering(|of_type: &InstanceType, offering: &mut Offering| {
            let key = OfferingKey::of(&of_type.name, offering);
            let outlook = view.outlook(&key, offering.interruption_rate);
            offering.available &= outlook.available;
            offering.interruption_rate = outlook.interruption_rate;
        });
    }

    fn at(&self, now: i64) -> View<'_> {
        let now = self.latest.map_or(now, |latest| latest.max(now));
        let mut view = View {
            history: self,
            now,
            own: BTreeMap::new(),
            of_type: BTreeMap::new(),
            of_zone: BTreeMap::new(),
        };
        for (key, evidence) in &self.evidence {
            let weighed = evidence.weighed(now, self.policy.seconds_of_half_life());
            let _new = view.own.insert(key, weighed);
            let of_type = view.of_type.entry((&*key.instance_type, key.capacity_type));
            of_type.or_default().add(weighed);
            view.of_zone.entry((&*key.zone, key.capacity_type)).or_default().add(weighed);
        }
        view
    }
}

impl FailingUnit {
    fn of(offering: &OfferingKey, scope: FailureScope) -> Self {
        let OfferingKey { instance_type, zone, capacity_type, .. } = offering;
        match scope {
            FailureScope::Offering => Self::Offering(offering.clone()),
            FailureScope::InstanceType => Self::InstanceType(instance_type.clone(), *capacity_type),
            FailureScope::Zone => Self::Zone(zone.clone(), *capacity_type),
        }
    }

    /// All that an offering is part of.
    fn all(offering: &OfferingKey) -> [Self; 3] {
        [FailureScope::Offering, FailureScope::InstanceType, FailureScope::Zone]
            .map(|scope| Self::of(offering, scope))
    }
}

/// A history at an instant, its events weighed and summed.
struct View<'h> {
    history: &'h OfferingHistory,
    now: i64,
    own: BTreeMap<&'h OfferingKey, WeighedCounts>,
    /// By type and capacity type.
    of_type: BTreeMap<(&'h str, CapacityType), WeighedCounts>,
    /// By zone and capacity type.
    of_zone: BTreeMap<(&'h str, CapacityType), WeighedCounts>,
}

impl View<'_> {
    fn outlook(&self, offering: &OfferingKey, stated: Option<u64>) -> OfferingOutlook {
        let policy = &self.history.policy;
        let own = self.own.get(offering).copied().unwrap_or_default();
        let capacity_type = offering.capacity_type;
        let of = |sums: &BTreeMap<(&str, CapacityType), WeighedCounts>, name: &str| {
            sums.get(&(name, capacity_type)).copied().unwrap_or_default().without(own)
        };
        let mut others = of(&self.of_type, &offering.instance_type).percent(policy.same_type);
        others.add(of(&self.of_zone, &offering.zone).percent(policy.same_zone));
        let backoff_until = self.backoff_until(offering);
        if own == WeighedCounts::default() && others == WeighedCounts::default() {
            return OfferingOutlook {
                available: backoff_until.is_none(),
                backoff_until,
                success: policy.prior_success,
                interruption_rate: stated,
            };
        }
        let prior = u128::from(policy.prior_success) * 1000;
        let success = estimate(prior, policy.prior_attempts, [others, own].map(attempts));
        let rate = u128::from(stated.unwrap_or(0));
        let rate = estimate(rate, policy.prior_hours, [others, own].map(interruptions));
        let risk = odds_of_failure(success).saturating_sub(odds_of_failure(prior));
        let risk = risk * 3600 / u128::from(policy.node_life.max(1));
        let rate = rate.saturating_add(risk).min(Price::MAX_UNIT.nanos().unsigned_abs());
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        let success = u32::try_from(success / 1000).unwrap_or(u32::MAX);
        OfferingOutlook {
            available: backoff_until.is_none() && success >= policy.least_success,
            backoff_until,
            success,
            interruption_rate: (stated.is_some() || rate > 0).then_some(rate),
        }
    }

    /// The end of the backoff that holds now: of those that an offering is subject to the last.
    fn backoff_until(&self, offering: &OfferingKey) -> Option<i64> {
        let policy = &self.history.policy;
        let until = |unit: FailingUnit| {
            let window = policy.seconds_of_half_life();
            let failures = self.history.failures.get(&unit)?;
            failures.until(policy.first_backoff, policy.longest_backoff, window)
        };
        let until = FailingUnit::all(offering).into_iter().filter_map(until).max();
        until.filter(|until| *until > self.now)
    }
}

/// Successes among attempts.
fn attempts(seen: WeighedCounts) -> (u128, u128) {
    (seen.launched, seen.launched.saturating_add(seen.failed))
}

/// Interruptions among hours.
fn interruptions(seen: WeighedCounts) -> (u128, u128) {
    (seen.interrupted, seen.hours)
}

/// How many there are of one, in billionths: the prior counts for `strength`, first beside what was
/// seen of others, then beside what was seen of one's own.
fn estimate(prior: u128, strength: u32, seen: [(u128, u128); 2]) -> u128 {
    let strength = u128::from(strength.max(1)) * ONE;
    seen.into_iter().fold(prior, |prior, (count, of)| {
        let sum = prior.saturating_mul(strength).saturating_add(count.saturating_mul(BILLION));
        sum / strength.saturating_add(of)
    })
}

/// Failures for each success, in billionths, at a probability of success in billionths.
fn odds_of_failure(success: u128) -> u128 {
    // A probability of a millionth and less makes no difference any more.
    let success = success.clamp(1000, BILLION);
    (BILLION - success) * BILLION / success
}
