//! What launches have in common, said once.
//!
//! A plan of tens of thousands of launches has a few hundred kinds of them: pool, choice,
//! alternatives, labels and requirements are the same, only the pods differ. So launches share
//! their template in memory, and a document lists each template once.

use super::Launch;
use crate::model::{CapacityType, Labels, OfferingKey, Price, Requirement, Resources, Taint};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What a node to create is like, whatever pods it is for.
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
/// let template = plan.templates()[0];
/// assert_eq!(&*template.node_pool, "default");
/// // A request to a cloud names one capacity type: the choice's, say.
/// let wanted = template.offering.capacity_type;
/// let ways = template.alternatives.iter().filter(|way| way.capacity_type == wanted);
/// assert_eq!(ways.map(|way| &*way.zone).collect::<Vec<_>>(), ["eu-1b"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LaunchTemplate {
    /// The pool that buys it.
    pub node_pool: Arc<str>,
    /// The choice that the plan's cost counts.
    pub offering: OfferingRef,
    /// What holds the node's pods, the choice among them, cheapest first.
    pub alternatives: Arc<Vec<OfferingRef>>,
    /// The node's labels with the choice; its hostname isn't known yet.
    pub labels: Arc<Labels>,
    /// The pool's taints.
    pub taints: Vec<Taint>,
    /// The pool's startup taints: they are gone once the node is ready, and keep no pod away.
    pub startup_taints: Vec<Taint>,
    /// The capacity of the choice's instance type, overhead included.
    pub capacity: Resources,
    /// What the node must satisfy, for a cloud interface that chooses among the alternatives.
    pub requirements: Arc<Vec<Requirement>>,
}

/// One way to buy a node.
///
/// It is an offering as the plan saw it, with the price that it counted; [`OfferingRef::key`] is
/// what stays when prices change. References are ordered by price first, so the least of several is
/// the cheapest.
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
/// let choice = &plan.launches()[0].template().offering;
/// assert_eq!(choice.to_string(), "m7.large eu-1a on-demand 0.1");
/// assert_eq!(choice.reservation, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct OfferingRef {
    /// Its price per hour, fees not included.
    pub price: Price,
    /// The instance type's name.
    pub instance_type: Arc<str>,
    /// The zone.
    pub zone: Arc<str>,
    /// How it is paid for.
    pub capacity_type: CapacityType,
    /// The reservation it draws on.
    pub reservation: Option<Arc<str>>,
}

impl OfferingRef {
    /// What the offering is called, whatever it costs.
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
    /// use plimsoll::model::{CapacityType, OfferingKey};
    ///
    /// let key = plan.launches()[0].template().offering.key();
    /// assert_eq!(key, OfferingKey::new("m7.large", "eu-1a", CapacityType::OnDemand));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn key(&self) -> OfferingKey {
        let key =
            OfferingKey::new(self.instance_type.clone(), self.zone.clone(), self.capacity_type);
        OfferingKey { reservation: self.reservation.clone(), ..key }
    }
}

impl fmt::Display for OfferingRef {
    /// Instance type, zone, capacity type, reservation and price.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.instance_type, self.zone, self.capacity_type)?;
        if let Some(reservation) = &self.reservation {
            write!(f, " {reservation}")?;
        }
        write!(f, " {}", self.price)
    }
}

/// The templates of launches, each once.
///
/// Templates are told apart by where they are in memory: whoever builds a plan shares one `Arc`
/// among launches that are alike, so comparing pointers finds them all in one pass, without
/// comparing labels and alternatives. Launches with equal templates in different places are listed
/// twice, which is longer and not wrong.
#[derive(Debug, Default)]
pub(crate) struct TemplateList<'a> {
    pub(crate) templates: Vec<&'a LaunchTemplate>,
    numbers: BTreeMap<*const LaunchTemplate, usize>,
}

impl<'a> TemplateList<'a> {
    /// Numbers are given in the order of the first launch of each, so they depend on the plan
    /// alone.
    pub(crate) fn of(launches: impl IntoIterator<Item = &'a Launch>) -> Self {
        let mut list = Self::default();
        for launch in launches {
            let next = list.templates.len();
            let key = Arc::as_ptr(&launch.template);
            if *list.numbers.entry(key).or_insert(next) == next {
                list.templates.push(&launch.template);
            }
        }
        list
    }

    /// The place of a launch's template.
    #[cfg(feature = "serde")]
    pub(crate) fn number(&self, launch: &Launch) -> usize {
        self.numbers.get(&Arc::as_ptr(&launch.template)).copied().unwrap_or_default()
    }
}
