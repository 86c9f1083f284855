//! Why a launch is what it is, and not another type, zone, capacity type or pool.
//!
//! *Idea.* The launch is replaced by one of the other kind that holds the same pods, and the plan
//! is given to [`verify`](crate::verify()): what it refuses is what forbids it. Where it refuses
//! nothing the difference of prices says why not. A third figure is about any plan: by the values
//! that the certificate gives to pods, what a node of the other kind can hold is worth so much, and
//! as long as it costs no less the plan's lower bound stands with it.
//!
//! *Cost.* A verification for each offering tried, of which there are few: whatever the question
//! leaves open stays as it is in the launch where that is possible.

use super::not_asked;
use crate::error::Error;
use crate::model::{CapacityType, Price, Problem};
use crate::options::Options;
use crate::pack::{Wanted, substitutes};
use crate::plan::{Launch, LaunchPlan, OfferingRef, Proof};
use crate::solver::Solver;
use crate::verify::{OfferingWorth, Violation, offering_worths, verify};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// What a launch might have been instead: what is `None` is left open.
///
/// Everything that is `None` stays as it is in the launch, where that can be bought.
///
/// # Examples
/// ```
/// use plimsoll::question::Substitute;
///
/// let zone = Substitute { zone: Some("eu-1b".into()), ..Substitute::default() };
/// assert_eq!(zone.to_string(), "zone eu-1b");
/// ```
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Substitute {
    /// The node pool.
    pub node_pool: Option<Arc<str>>,
    /// The instance type.
    pub instance_type: Option<Arc<str>>,
    /// The zone.
    pub zone: Option<Arc<str>>,
    /// How it is paid for.
    pub capacity_type: Option<CapacityType>,
}

/// Why a plan doesn't launch something else.
///
/// Its text has at most three lines.
///
/// Three answers are told apart: it can't be bought ([`WhyNot::instead`] is `None`), it may not be
/// there ([`WhyNot::forbidden`]), or it costs more ([`WhyNot::extra_cost`]). Where none of them
/// holds the search chose otherwise, and says so.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct WhyNot {
    /// What was asked for.
    pub asked: Substitute,
    /// The launch that it would take the place of, by its index in the plan; the same pods are on
    /// both.
    pub launch: usize,
    /// What is launched, and the node pool that buys it.
    pub is: (Arc<str>, OfferingRef),
    /// What would be, the nearest to what was asked, and the node pool that would buy it; `None`
    /// where no node pool can buy such a thing, whatever the pods, or nothing but what is launched.
    pub instead: Option<(Arc<str>, OfferingRef)>,
    /// The rules that forbid it, with the plan otherwise as it is; none where it may be.
    pub forbidden: Vec<Violation>,
    /// The price below which a node of what would be could lower the plan's lower bound: what the
    /// pods that it can hold are worth at most, fees and charges for limits and reservations taken
    /// off. `None` where the plan's certificate has no values of pods.
    pub pays_below: Option<Price>,
}

impl WhyNot {
    /// How much more the other launch costs per hour; below zero where it costs less. `None` where
    /// there is none.
    ///
    /// Prices as they are paid: fees are the same for both.
    #[must_use]
    pub fn extra_cost(&self) -> Option<Price> {
        let (_, instead) = self.instead.as_ref()?;
        Some(Price::from_nanos(instead.price.nanos().saturating_sub(self.is.1.price.nanos())))
    }
}

/// How many launches are looked at where none is named.
const MOST_LAUNCHES: usize = 12;

impl Solver {
    /// Why a plan for the solver's problem doesn't launch another type, or in another zone, of
    /// another capacity type or from another node pool.
    ///
    /// With a launch named by its index in the plan it is about that one; without one it is about
    /// that which the other would replace at the least cost, of those where it may, if there are
    /// any among the first kinds of launches.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::question::Substitute;
    /// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, Solver};
    ///
    /// let offered = |name: &str, cpu: &str, price: &str| -> Result<_, Box<dyn std::error::Error>> {
    ///     let capacity = Resources::parse([("cpu", cpu), ("pods", "29")])?;
    ///     let offering = Offering::on_demand("eu-1a", price.parse()?);
    ///     Ok(InstanceType::new(name, capacity).with_offering(offering))
    /// };
    /// let problem = Problem::builder()
    ///     .pod(Pod::new("web").with_requests(Resources::parse([("cpu", "1500m")])?))
    ///     .instance_type(offered("m7.medium", "1", "0.05")?)
    ///     .instance_type(offered("m7.large", "2", "0.10")?)
    ///     .instance_type(offered("m7.xlarge", "4", "0.20")?)
    ///     .node_pool(NodePool::new("default"))
    ///     .build()?;
    /// let (solver, options) = (Solver::new(&problem)?, Options::default());
    /// let plan = solver.provision(&options)?;
    /// let of_type = |name: &str| Substitute { instance_type: Some(name.into()), ..Default::default() };
    /// let dearer = solver.why_not(&plan, Some(0), &of_type("m7.xlarge"), &options)?;
    /// assert_eq!(dearer.extra_cost(), Some("0.10".parse()?));
    /// let smaller = solver.why_not(&plan, None, &of_type("m7.medium"), &options)?;
    /// assert_eq!(smaller.forbidden.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The plan has no such launch, launches nothing, or isn't one of the solver's problem; or the
    /// problem has no such node pool, type or zone ([`Error::is_invalid_input`]); or the options
    /// are refused as by [`Solver::provision`].
    pub fn why_not(
        &self,
        plan: &LaunchPlan,
        launch: Option<usize>,
        asked: &Substitute,
        options: &Options,
    ) -> Result<WhyNot, Error> {
        let problem = self.problem();
        check_names(problem, asked)?;
        let launches = match launch {
            Some(launch) if launch < plan.launches.len() => vec![launch],
            Some(launch) => {
                let problem = format!("there is no launch {launch}");
                return Err(not_asked("launch", problem, "the index of a launch of the plan"));
            }
            None => kinds(problem, plan, asked),
        };
        let wanted = Wanted {
            node_pool: asked.node_pool.clone(),
            instance_type: asked.instance_type.clone(),
            zone: asked.zone.clone(),
            capacity_type: asked.capacity_type,
        };
        let worths = offering_worths(problem, plan);
        let mut best: Option<WhyNot> = None;
        for launch in launches {
            let made = self.ask(options, |context| substitutes(context, plan, launch, &wanted))?;
            let made = made.ok_or_else(|| {
                not_asked("plan", "it isn't one of the problem".into(), "a plan for it")
            })?;
            let template = &plan.launches[launch].template;
            let is = (template.node_pool.clone(), template.offering.clone());
            let mut found: Vec<WhyNot> = made
                .into_iter()
                .map(|other| {
                    let instead =
                        (other.template.node_pool.clone(), other.template.offering.clone());
                    WhyNot {
                        asked: asked.clone(),
                        launch,
                        is: is.clone(),
                        pays_below: pays_below(problem, &worths, &instead),
                        instead: Some(instead),
                        forbidden: forbidden(problem, plan, launch, other),
                    }
                })
                .collect();
            if found.is_empty() {
                let asked = asked.clone();
                let (instead, forbidden, pays_below) = (None, Vec::new(), None);
                found.push(WhyNot { asked, launch, is, instead, forbidden, pays_below });
            }
            let rank =
                |one: &WhyNot| (one.instead.is_none(), one.forbidden.len(), one.extra_cost());
            let nearest = best.into_iter().chain(found);
            best = nearest.reduce(|best, one| if rank(&one) < rank(&best) { one } else { best });
        }
        best.ok_or_else(|| {
            not_asked("plan", "it launches nothing".into(), "a plan that launches a node")
        })
    }
}

/// Faults of names that the problem doesn't have.
fn check_names(problem: &Problem, asked: &Substitute) -> Result<(), Error> {
    let offerings = || problem.instance_types.iter().flat_map(|one| &one.offerings);
    let known = |path: &str, name: &Option<Arc<str>>, is_known: &dyn Fn(&str) -> bool| match name {
        Some(name) if !is_known(name) => {
            Err(not_asked(path, format!("the problem has no {name}"), "a name of the problem"))
        }
        _ => Ok(()),
    };
    known("nodePool", &asked.node_pool, &|name| problem.node_pool(name).is_some())?;
    known("instanceType", &asked.instance_type, &|name| problem.instance_type(name).is_some())?;
    known("zone", &asked.zone, &|name| offerings().any(|one| *one.zone == *name))?;
    match asked.capacity_type {
        Some(wanted) if !offerings().any(|one| one.capacity_type == wanted) => {
            Err(not_asked("capacityType", format!("nothing is {wanted}"), "one that is offered"))
        }
        _ => Ok(()),
    }
}

impl Substitute {
    /// Whether a launch is what is asked for.
    fn is_met(&self, (node_pool, offering): (&Arc<str>, &OfferingRef)) -> bool {
        let asked = [&self.node_pool, &self.instance_type, &self.zone];
        let is = [node_pool, &offering.instance_type, &offering.zone];
        self.capacity_type.is_none_or(|asked| asked == offering.capacity_type)
            && asked.iter().zip(is).all(|(asked, is)| asked.as_ref().is_none_or(|one| one == is))
    }
}

/// Launches to ask about, one of each kind: those that aren't as is asked, if there are any; of
/// these first those whose pods fit on the type that is asked for, if
/// any do, and those first that cost nearest to what it costs.
///
/// Launches of one template with pods that fit alike give the same answer.
fn kinds(problem: &Problem, plan: &LaunchPlan, asked: &Substitute) -> Vec<usize> {
    let wanted = asked.instance_type.as_ref().and_then(|name| problem.instance_type(name));
    let room = wanted.map(crate::model::InstanceType::allocatable);
    let fits = |launch: &Launch| {
        let of = |name: &str| room.as_ref().map(|room| room.get(name).unwrap_or_default());
        launch.requests().iter().all(|(name, asked)| of(name).is_none_or(|room| room >= asked))
    };
    let prices = wanted.into_iter().flat_map(|one| &one.offerings).map(|one| one.price);
    let least = prices.min().unwrap_or(Price::ZERO);
    let mut seen = BTreeSet::new();
    let mut kinds: Vec<(bool, bool, i128, usize)> = Vec::new();
    for (at, launch) in plan.launches.iter().enumerate() {
        let fits = fits(launch);
        let is_so = asked.is_met((&launch.template.node_pool, &launch.template.offering));
        if seen.insert((Arc::as_ptr(&launch.template), fits)) {
            let price = launch.template.offering.price.nanos();
            kinds.push((is_so, !fits, (least.nanos() - price).abs(), at));
        }
    }
    kinds.sort_unstable();
    let others = kinds.iter().filter(|(is_so, ..)| !is_so).count();
    if others > 0 {
        kinds.truncate(others);
    }
    kinds.into_iter().take(MOST_LAUNCHES).map(|(.., at)| at).collect()
}

/// The rules that a plan breaks with another launch in the place of one of its own.
///
/// The claims that the replacement makes untrue (cost, bound, shares of preferences) are taken off
/// the plan first, so what is refused is a rule.
fn forbidden(problem: &Problem, plan: &LaunchPlan, launch: usize, other: Launch) -> Vec<Violation> {
    let mut changed = plan.clone();
    let former = plan
        .cost
        .total
        .nanos()
        .saturating_sub(plan.launches[launch].template.offering.price.nanos());
    changed.cost.total =
        Price::from_nanos(former.saturating_add(other.template.offering.price.nanos()));
    changed.cost.lower_bound = Price::ZERO;
    changed.cost.proof = Proof::None;
    changed.certificate = None;
    changed.stats.clear();
    changed.launches[launch] = other;
    match verify(problem, &changed) {
        Ok(_) => Vec::new(),
        Err(violations) => violations.iter().cloned().collect(),
    }
}

/// The price below which an offering of a pool pays.
fn pays_below(
    problem: &Problem,
    worths: &[OfferingWorth],
    (node_pool, offering): &(Arc<str>, OfferingRef),
) -> Option<Price> {
    let of_type = problem.instance_type(&offering.instance_type)?;
    let at = of_type.offerings.iter().position(|one| {
        let reservation = one.reservation.as_ref().map(|own| &own.id);
        one.zone == offering.zone
            && one.capacity_type == offering.capacity_type
            && one.price == offering.price
            && reservation == offering.reservation.as_ref()
    })?;
    let own = worths.iter().find(|one| {
        one.node_pool == *node_pool && one.instance_type == of_type.name && one.offering == at
    });
    own.map(|own| Price::from_nanos(own.pays_below.max(0)))
}

impl fmt::Display for Substitute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("node pool", self.node_pool.as_deref()),
            ("type", self.instance_type.as_deref()),
            ("zone", self.zone.as_deref()),
            ("capacity type", self.capacity_type.map(CapacityType::as_str)),
        ];
        let named = parts.into_iter().filter_map(|(what, name)| Some((what, name?)));
        let words: Vec<String> = named.map(|(what, name)| format!("{what} {name}")).collect();
        f.write_str(if words.is_empty() { "anything else" } else { "" })?;
        f.write_str(&words.join(", "))
    }
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = |one: &OfferingRef| {
            format!("{} in {} ({})", one.instance_type, one.zone, one.capacity_type)
        };
        let (own_pool, is) = &self.is;
        write!(f, "launch {} is {} at {}", self.launch, way(is), is.price)?;
        let Some((node_pool, instead)) = &self.instead else {
            if self.asked.is_met((own_pool, is)) {
                return write!(f, "\nthat is {}, and nothing else is offered so", self.asked);
            }
            return write!(f, "\nno node pool can buy another with {}", self.asked);
        };
        let other = format!("{} of node pool {node_pool} at {}", way(instead), instead.price);
        match (self.forbidden.as_slice(), self.extra_cost().unwrap_or(Price::ZERO)) {
            ([], Price::ZERO) => write!(f, "\n{other} would do as well")?,
            ([], more) if more > Price::ZERO => {
                write!(f, "\n{other} holds the same pods for {more} more an hour")?;
            }
            ([], less) => {
                let less = Price::from_nanos(less.nanos().saturating_neg());
                write!(f, "\n{other} would save {less} an hour: the search chose otherwise")?;
            }
            ([first, others @ ..], _) => {
                write!(f, "\n{other} may not: {first}")?;
                match others.len() {
                    0 => {}
                    more => write!(f, " (and {more} more)")?,
                }
            }
        }
        match self.pays_below {
            Some(price) if price < instead.price => {
                write!(f, "\nwhat it could hold in any plan is worth {price} an hour at most")
            }
            _ => Ok(()),
        }
    }
}
