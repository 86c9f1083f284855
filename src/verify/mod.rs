//! An independent check of a plan against the problem's documents; of a consolidation by replay
//! ([`verify_consolidation`]).
//!
//! # What it is
//!
//! A second implementation of every rule, written to be read rather than to be fast. It takes the
//! problem as it was stated and the plan as it is, and trusts nothing else: it imports neither the
//! compiled form of a problem nor anything that packs, prices or proves, and it doesn't use the
//! model's own judgement either (sets of values, their intersections). A requirement is an operator
//! tested against one label of one node; a fit is a sum compared with a capacity. Each rule has a
//! file of its own, named as the rule is in the other modules.
//!
//! # What is claimed
//!
//! [`verify`] accepts a plan if and only if all of this holds.
//!
//! - *Accounting.* Every pending pod is launched, bound or unschedulable, exactly once, and a pod
//!   without a place has a reason. No other pod is mentioned; bound pods stay where they are.
//! - *Offerings.* Every choice and every alternative is offered by the problem at the stated price,
//!   is available, and is of a type that the pool lists; pool, type and offering agree on labels.
//! - *What a launch states.* Its labels are the ones its node will have, labels that a pod or
//!   daemon set asks for among them; its taints are the pool's; its requests are the sum of its
//!   pods and its daemons; its requirements hold of the choice and of each alternative.
//! - *Alternatives.* From cheap to dear, the choice among them. Each holds the
//!   node's pods beside its own daemons, has no more of a resource that the pool limits than the
//!   choice has, and draws on no reservation.
//! - *Pods on launches and nodes.* Resources with daemons, node selectors, required node affinity,
//!   taints, host ports, zones and number of volumes, and required anti-affinity over the hostname
//!   in both directions. Nodes that are being deleted take nothing.
//! - *Pods over domains.* There is an order of binding in which kube-scheduler's filters accept
//!   every placed pod: its topology spread and its required affinity, over any label, bound pods
//!   counted; no two pods are in one domain against the required anti-affinity of either; and no
//!   alternative moves a pod with such a rule, or one that such a rule means, into another domain,
//!   or opens a domain that a spread would count. Labels over which pods are counted are fixed on
//!   every launch.
//! - *Preferences.* What the plan states of their weight, and of what it honours, is so.
//! - *Static pools and placeholders.* Static pools launch what they lack, also on reservations that
//!   other pools could use, and no launch holds nothing but placeholders that may only use free
//!   room.
//! - *Scarce things.* Limits of pools (with what runs), reservations, minima of different values as
//!   the launch states them.
//! - *Weights.* No node is launched, or is larger than need be, for pods that a pool of a higher
//!   weight has room for.
//! - *Cost.* The total is the sum of prices and fees, fees are equal per launch, the lower bound is
//!   not above the total, and what is said to be proved follows from the two.
//!
//! # What isn't
//!
//! - That the lower bound *is* one: nothing here can tell a true bound from an invented one.
//! - That a pod without a place has none, that its reasons are right, or that scarce room went to
//!   the pods of the highest priority; what is surely otherwise is said beside the verdict
//!   ([`Verified::oversights`]).
//! - That a spread is as even as users may wish: it is judged over the domains that stand at the
//!   end, as kube-scheduler does, not over those that a launch could add.
//! - That an order of binding found is the one that a cluster will take.
//! - That anti-affinity between pods and the pods of daemon sets is kept, or that host ports of
//!   daemons not yet running on a node of the problem stay free.
//! - That the lists of a plan are in order, alternatives excepted: order is part of determinism,
//!   not of a rule.
//! - What bound pods do to their nodes already: an overfull node is reported only if the plan adds
//!   pods that ask for more of what is short.
//!
//! # Cost
//!
//! Pods of one entry of the problem are the same in every rule and are judged together; so are
//! launches that share a template and hold the same pods; so is each combination of pool,
//! type and offering. The work is at most proportional to the plan's distinct launches times their
//! alternatives times their entries, and to the square of the entries of one node where they have
//! anti-affinity. It ends on any plan, and nothing panics: plans come from documents too.

mod account;
mod anti_affinity;
mod certificate;
mod consolidation;
mod cost;
mod facts;
mod host_port;
mod label;
mod launch;
mod left_out;
mod limit;
mod min_values;
mod node;
mod node_affinity;
mod offering;
mod plan_place;
mod requirement;
mod reservation;
mod resource;
mod site;
mod static_pool;
mod taint;
mod topology;
mod violation;
mod violations;
mod volume;
mod weight;
mod words;

#[cfg(test)]
mod tests;

pub(crate) use certificate::OfferingWorth;
pub use consolidation::{
    ConsolidationFault, Ineligible, VerifiedConsolidation, verify_consolidation,
};
pub use left_out::Oversight;
pub use violation::{BindingRule, PlanPlace, Violation};
pub use violations::Violations;

use crate::model::{Price, Problem};
use crate::plan::certificate::PlacementBound;
use crate::plan::{Certificate, LaunchPlan, PreferenceKind, PreferenceShare};
use facts::Facts;
use limit::Usage;
use reservation::Reservations;
use site::Sites;

/// What an accepted plan was found to be; only [`verify`] makes one.
///
/// It can't be made by anybody else, so a function that takes one has been handed a plan that was
/// checked.
///
/// # Examples
/// ```
/// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
/// # let small = InstanceType::new("m.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
/// #     .with_offering(Offering::on_demand("eu-1a", "0.1".parse()?))
/// #     .with_offering(Offering::spot("eu-1b", "0.03".parse()?));
/// # let pods = Pod::new("web").with_replicas(3).with_requests(Resources::parse([("cpu", "900m")])?);
/// # let huge = Pod::new("huge").with_requests(Resources::parse([("cpu", "64")])?);
/// # let problem = Problem::builder()
/// #     .pods([pods, huge])
/// #     .instance_type(small)
/// #     .node_pool(NodePool::new("default"))
/// #     .build()?;
/// # let plan = provision(&problem, &Options::default())?;
/// use plimsoll::verify;
///
/// let verified = verify(&problem, &plan)?;
/// assert_eq!((verified.pods_launched(), verified.pods_unschedulable()), (3, 1));
/// // No pod was left out that surely has a place.
/// assert!(verified.oversights().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub struct Verified {
    total_cost: Price,
    lower_bound: Price,
    launches: u64,
    pods_launched: u64,
    pods_bound: u64,
    pods_unschedulable: u64,
    lowered_min_values: u64,
    preferences: Vec<PreferenceShare>,
    oversights: Vec<Oversight>,
}

impl Certificate {
    /// The lower bound that the certificate proves for a plan: no plan that places the same pods
    /// costs less per hour, fees included.
    ///
    /// # Errors
    /// Every rule that the plan breaks, and what the certificate doesn't prove.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
    ///
    /// let large = InstanceType::new("m7.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
    ///     .with_offering(Offering::on_demand("eu-1a", "0.1008".parse()?));
    /// let web = Pod::new("web").with_requests(Resources::parse([("cpu", "2")])?);
    /// let problem =
    ///     Problem::builder().pod(web).instance_type(large).node_pool(NodePool::new("default")).build()?;
    /// let plan = provision(&problem, &Options::default())?;
    /// let certificate = plan.certificate().unwrap();
    /// assert_eq!(certificate.bound(&problem, &plan)?.to_string(), "0.1008");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bound(&self, problem: &Problem, plan: &LaunchPlan) -> Result<Price, Violations> {
        verify(problem, &plan.clone().with_certificate(self.clone()))
            .map(|verified| verified.lower_bound())
    }
}

impl Verified {
    /// How much of the placed pods' preferences is honoured, by kind; kinds that none has are left
    /// out.
    ///
    /// These are worked out anew from the problem, not read from the plan.
    #[must_use]
    pub fn preferences(&self) -> &[PreferenceShare] {
        &self.preferences
    }

    /// Pods without a place that surely have one in the plan as it stands, of each entry of the
    /// problem one: a node has room for them, or would have if pods of a lower priority weren't
    /// there.
    ///
    /// Each is a fault of who made the plan, and none of the plan's rules: what it does is legal.
    /// Only pods are looked at that no rule between pods concerns, and in large problems not all,
    /// so that nothing here says little.
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
    /// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
    /// # let large = InstanceType::new("m7.large", room).with_offering(price);
    /// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
    /// # let pool = NodePool::new("default");
    /// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
    /// # let problem = problem.node_pool(pool).build()?;
    /// # let plan = plimsoll::provision(&problem, &Options::default())?;
    /// use plimsoll::verify;
    ///
    /// assert!(verify(&problem, &plan)?.oversights().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn oversights(&self) -> &[Oversight] {
        &self.oversights
    }

    /// The launches' prices per hour as the problem states them, plus the plan's fees.
    ///
    /// Equal to [`Cost::total`](crate::plan::Cost::total) of an accepted plan.
    #[must_use]
    pub fn total_cost(&self) -> Price {
        self.total_cost
    }

    /// The lower bound that the plan's certificate proves, fees included; nothing for a plan
    /// without one, such as one that was read from its document.
    ///
    /// It is at least the lower bound that the plan states.
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
    /// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
    /// # let large = InstanceType::new("m7.large", room).with_offering(price);
    /// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
    /// # let pool = NodePool::new("default");
    /// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
    /// # let problem = problem.node_pool(pool).build()?;
    /// # let plan = plimsoll::provision(&problem, &Options::default())?;
    /// use plimsoll::{Price, verify};
    ///
    /// assert_eq!(verify(&problem, &plan)?.lower_bound(), plan.cost().lower_bound);
    /// // A document doesn't hold the certificate, so nothing is proved of what it says.
    /// let read = plimsoll::LaunchPlan::from_json(&plan.to_json())?;
    /// assert_eq!(verify(&problem, &read)?.lower_bound(), Price::ZERO);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn lower_bound(&self) -> Price {
        self.lower_bound
    }

    /// How many nodes are launched.
    #[must_use]
    pub fn launches(&self) -> u64 {
        self.launches
    }

    /// How many pods are placed on launches.
    #[must_use]
    pub fn pods_launched(&self) -> u64 {
        self.pods_launched
    }

    /// How many pods are placed on nodes of the problem.
    #[must_use]
    pub fn pods_bound(&self) -> u64 {
        self.pods_bound
    }

    /// How many pods have no place.
    #[must_use]
    pub fn pods_unschedulable(&self) -> u64 {
        self.pods_unschedulable
    }

    /// How many launches state a lower minimum of different values than their pool asks for.
    ///
    /// Only callers that ask for best effort
    /// ([`MinValuesPolicy::BestEffort`](crate::options::MinValuesPolicy)) expect any.
    #[must_use]
    pub fn lowered_min_values(&self) -> u64 {
        self.lowered_min_values
    }
}

/// Checks a plan against the problem that it answers; the module says what is claimed.
///
/// It never panics, whatever the plan says.
///
/// # Errors
/// Every violation found, sorted.
///
/// # Examples
///
/// ```
/// use plimsoll::model::Resources;
/// use plimsoll::{
///     InstanceType, NodePool, Offering, Options, Pod, Problem, provision, verify,
/// };
///
/// let capacity = Resources::parse([("cpu", "4"), ("memory", "16Gi"), ("pods", "58")])?;
/// let problem = Problem::builder()
///     .pod(Pod::new("web").with_replicas(3).with_requests(Resources::parse([("cpu", "1")])?))
///     .instance_type(
///         InstanceType::new("m.xlarge", capacity)
///             .with_offering(Offering::on_demand("a", "0.2".parse()?)),
///     )
///     .node_pool(NodePool::new("default"))
///     .build()?;
/// let plan = provision(&problem, &Options::default())?;
///
/// let verified = verify(&problem, &plan)?;
/// assert_eq!((verified.launches(), verified.pods_launched()), (1, 3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn verify(problem: &Problem, plan: &LaunchPlan) -> Result<Verified, Violations> {
    let facts = Facts::new(problem);
    let mut sites = Sites::default();
    let mut found = Vec::new();
    let placement = account::check(&facts, plan, &mut found);
    let (launches, loads) = (&plan.launches, &placement.launches);
    let lowered_min_values = launch::check(&facts, &mut sites, launches, loads, &mut found);
    node::check(&facts, &placement, &mut found);
    let judged = topology::check(&facts, &mut sites, (plan, &placement), &mut found);
    check_stats(plan, &judged.shares, &mut found);
    static_pool::check(&facts, &mut sites, plan, loads, &mut found);
    let usage = Usage::of(&facts, plan);
    usage.check(&facts, &mut found);
    let reservations = Reservations::of(problem, plan);
    reservations.check(&mut found);
    weight::check(&facts, &mut sites, launches, loads, (&usage, &reservations), &mut found);
    cost::check(plan, &mut found);
    let (placed, scarce) = ((plan, &placement), (&usage, &reservations));
    let lower_bound =
        certificate::check(&facts, &mut sites, placed, &judged.classes, scarce, &mut found);
    match Violations::of(found) {
        Some(violations) => Err(violations),
        None => Ok(Verified {
            oversights: left_out::oversights(&facts, &mut sites, (plan, &placement)),
            // No violation: the plan's total is the sum of the problem's prices.
            total_cost: plan.cost.total,
            lower_bound,
            launches: u64::try_from(launches.len()).unwrap_or(u64::MAX),
            pods_launched: placement.launched,
            pods_bound: placement.bound,
            pods_unschedulable: placement.unschedulable,
            lowered_min_values,
            preferences: judged.shares,
        }),
    }
}

/// Checks a bound on placed pods against the problem alone; the number that its certificate proves,
/// which is no higher than the stated one.
///
/// # Errors
/// What is wrong with the certificate, or that it proves a higher number only.
///
/// # Examples
/// See [`Solver::placement_bound`](crate::Solver::placement_bound).
pub fn verify_placement_bound(
    problem: &Problem,
    bound: &PlacementBound,
) -> Result<u64, Violations> {
    let facts = Facts::new(problem);
    let mut found = Vec::new();
    let proved = certificate::check_placement(&facts, bound, &mut found);
    match Violations::of(found) {
        Some(violations) => Err(violations),
        None => Ok(proved.unwrap_or(bound.most_placed)),
    }
}

/// What the pods on each launch that could be bought are worth at most, by the plan's certificate;
/// nothing where it has no values of pods or doesn't hold.
pub(crate) fn offering_worths(problem: &Problem, plan: &LaunchPlan) -> Vec<OfferingWorth> {
    let facts = Facts::new(problem);
    let mut sites = Sites::default();
    let (mut found, mut worths) = (Vec::new(), Vec::new());
    let is_priced = plan
        .certificate
        .as_deref()
        .is_some_and(|certificate| !certificate.pods.is_empty() && certificate.exhausted.is_none());
    if !is_priced {
        return worths;
    }
    let placement = account::check(&facts, plan, &mut found);
    let judged = topology::check(&facts, &mut sites, (plan, &placement), &mut found);
    let (usage, reservations) = (Usage::of(&facts, plan), Reservations::of(problem, plan));
    let (placed, scarce) = ((plan, &placement), (&usage, &reservations));
    found.clear();
    let out = (&mut found, &mut worths);
    let _bound =
        certificate::check_and_value(&facts, &mut sites, placed, &judged.classes, scarce, out);
    if found.is_empty() { worths } else { Vec::new() }
}

/// Reports shares of preferences that a plan states wrongly; one that ignores them states none.
fn check_stats(plan: &LaunchPlan, preferences: &[PreferenceShare], out: &mut Vec<Violation>) {
    for kind in PreferenceKind::ALL {
        let share = preferences.iter().find(|share| share.kind == kind);
        let (weight, honoured) = kind.stat_names();
        let found = share.map_or((0, 0), |share| (share.weight, share.honoured));
        for (stat, expected) in [(weight, found.0), (honoured, found.1)] {
            if let Some(stated) = plan.stats.get(stat).copied().filter(|one| *one != expected) {
                out.push(Violation::PreferencesWrong { stat: stat.into(), stated, expected });
            }
        }
    }
}
