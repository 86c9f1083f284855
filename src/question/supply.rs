//! What a plan takes of limits and reservations, and what more of them would be worth.
//!
//! A certificate charges launches for limits and reservations; these shadow prices say by how much
//! its bound falls with one more unit. They are of the relaxation: as far as bound and cost are
//! apart the plan's cost may fall by more or by less. What a step really brings is what a plan for
//! the problem with that step costs ([`SupplyUse::next`]).

use super::{RuleChange, not_asked};
use crate::error::Error;
use crate::model::{CPU, Price, Quantity};
use crate::options::Options;
use crate::pack::supplies;
use crate::plan::LaunchPlan;
use crate::plan::certificate::{Certificate, POINT};
use crate::solver::Solver;
use std::fmt;
use std::sync::Arc;

/// Something that there is only so much of, whatever it costs.
///
/// # Examples
/// ```
/// use plimsoll::question::Supply;
///
/// let nodes = Supply::Limit { node_pool: "default".into(), resource: "nodes".into() };
/// assert_ne!(nodes, Supply::Reservation { id: "cr-1".into() });
/// ```
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Supply {
    /// A node pool's limit.
    Limit {
        /// The node pool.
        node_pool: Arc<str>,
        /// The limited resource, or `nodes`.
        resource: Arc<str>,
    },
    /// A reservation: so many more nodes may use it.
    Reservation {
        /// The reservation.
        id: Arc<str>,
    },
}

/// What a plan takes of a limit or a reservation.
///
/// Its text is one line.
///
/// Of a limit all nodes of the pool count, running and launched; of a reservation only launches,
/// since what runs on it is taken off by the cloud already.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SupplyUse {
    /// Of what.
    pub supply: Supply,
    /// What there is: the limit, or how many more nodes the reservation holds.
    pub most: Quantity,
    /// What running nodes and launches take; of a reservation the launches alone. It may be more
    /// than there is where nodes run already.
    pub used: Quantity,
    /// The smallest step that lets one more node be launched of those that there is no room for;
    /// `None` where there is room for each.
    pub next: Option<RuleChange>,
    /// What a unit is worth (a millicore of cpu, one of anything else), in the certificate's units.
    price: Option<i128>,
}

impl SupplyUse {
    /// By how much the plan's lower bound falls with so much more, by the certificate's shadow
    /// price; `None` where the certificate has no values of pods: of a plan without one, or one
    /// that was proved by trying everything. Refinement ([`Effort::Refine`](crate::Effort::Refine))
    /// prices limits; the greedy packer's bounds leave them out.
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
    /// let plan = solver.provision(&options)?;
    /// let limit = &solver.supplies(&plan, &options)?[0];
    /// assert_eq!(limit.to_string(), "node pool default uses 2 of 4 nodes");
    /// // Two more nodes could be had: another one is worth nothing.
    /// assert!(limit.value_of("1".parse()?).is_none_or(|value| value == plimsoll::Price::ZERO));
    /// assert!(!limit.is_binding());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn value_of(&self, more: Quantity) -> Option<Price> {
        const NANO: i128 = 1_000_000_000;
        let millis = matches!(&self.supply, Supply::Limit { resource, .. } if **resource == *CPU);
        let units = more.nanos() / if millis { NANO / 1000 } else { NANO };
        let value = self.price?.checked_mul(units)? >> POINT;
        Some(Price::from_nanos(value))
    }

    /// Whether there is a node that it leaves no room for.
    ///
    /// A limit that leaves room for small nodes and none for large ones is binding.
    #[must_use]
    pub fn is_binding(&self) -> bool {
        self.next.is_some()
    }
}

impl Solver {
    /// What a plan for the solver's problem takes of each limit, by node pool, and of each
    /// reservation, and what more would be worth.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, Solver};
    ///
    /// let large = InstanceType::new("m7.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
    ///     .with_offering(Offering::on_demand("eu-1a", "0.1008".parse()?));
    /// let web = Pod::new("web").with_replicas(3).with_requests(Resources::parse([("cpu", "1500m")])?);
    /// let pool = NodePool::new("default").with_limits(Resources::parse([("cpu", "5")])?);
    /// let problem = Problem::builder().pod(web).instance_type(large).node_pool(pool).build()?;
    /// let (solver, options) = (Solver::new(&problem)?, Options::default());
    /// let plan = solver.provision(&options)?;
    /// let limit = &solver.supplies(&plan, &options)?[0];
    /// assert_eq!(limit.to_string(), "node pool default uses 4 of 5 cpu; one more node needs 6");
    /// let next = limit.next.clone().unwrap();
    /// assert_eq!(solver.effect_of(&plan, &[next], &options)?.after.unplaced, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The plan isn't one of the solver's problem ([`Error::is_invalid_input`]); or the options are
    /// refused as by [`Solver::provision`].
    pub fn supplies(&self, plan: &LaunchPlan, options: &Options) -> Result<Vec<SupplyUse>, Error> {
        let found = self.ask(options, |context| supplies(context, plan))?;
        let found = found.ok_or_else(|| {
            not_asked("plan", "it isn't one of the problem".into(), "a plan for it")
        })?;
        let is_priced = |one: &&Certificate| !one.pods.is_empty() && one.exhausted.is_none();
        let certificate = plan.certificate().filter(is_priced);
        let uses = found.into_iter().filter_map(|one| {
            let (supply, next) = match (one.limit, one.reservation) {
                (Some((node_pool, resource)), _) => {
                    let next = one.next.map(|to| RuleChange::Limit {
                        node_pool: node_pool.clone(),
                        resource: resource.clone(),
                        to: Some(to),
                    });
                    (Supply::Limit { node_pool, resource }, next)
                }
                (None, Some(id)) => {
                    let next = one.next.map(|to| RuleChange::Reservation {
                        id: id.clone(),
                        to: u32::try_from(to.nanos() / 1_000_000_000).unwrap_or(u32::MAX),
                    });
                    (Supply::Reservation { id }, next)
                }
                (None, None) => return None,
            };
            let price = certificate.map(|certificate| price_of(certificate, &supply));
            Some(SupplyUse { supply, most: one.most, used: one.used, next, price })
        });
        Ok(uses.collect())
    }
}

/// What a certificate charges for a unit.
fn price_of(certificate: &Certificate, supply: &Supply) -> i128 {
    let prices: Vec<i128> = match supply {
        Supply::Limit { node_pool, resource } => certificate
            .limits
            .iter()
            .filter(|one| one.node_pool == *node_pool && one.resource == *resource)
            .map(|one| one.price)
            .collect(),
        Supply::Reservation { id } => certificate
            .reservations
            .iter()
            .filter(|one| one.id == *id)
            .map(|one| one.price)
            .collect(),
    };
    prices.into_iter().fold(0, i128::saturating_add)
}

/// A usual amount of what a supply is of, and what it is called.
fn usual(supply: &Supply) -> (Quantity, String) {
    match supply {
        Supply::Reservation { .. } => (Quantity::from_units(1), "node".into()),
        Supply::Limit { resource, .. } => match &**resource {
            "memory" | "ephemeral-storage" => {
                (Quantity::from_units(1 << 30), format!("1Gi of {resource}"))
            }
            "nodes" => (Quantity::from_units(1), "node".into()),
            "pods" => (Quantity::from_units(1), "pod".into()),
            other => (Quantity::from_units(1), other.into()),
        },
    }
}

impl fmt::Display for SupplyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (used, most) = (self.used, self.most);
        match &self.supply {
            Supply::Limit { node_pool, resource } => {
                write!(f, "node pool {node_pool} uses {used} of {most} {resource}")?;
            }
            Supply::Reservation { id } => write!(f, "reservation {id}: {used} of {most} nodes")?,
        }
        match &self.next {
            Some(RuleChange::Limit { to: Some(to), .. }) => {
                write!(f, "; one more node needs {to}")?;
            }
            Some(_) => f.write_str("; it is used up")?,
            None => {}
        }
        let (amount, name) = usual(&self.supply);
        match self.value_of(amount) {
            Some(value) if value > Price::ZERO => {
                write!(f, "; one more {name} lowers the bound by {value} an hour")
            }
            _ => Ok(()),
        }
    }
}
