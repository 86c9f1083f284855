//! How full the nodes of a plan are.
//!
//! Requests are compared with *allocatable* resources, the capacity of the instance type less its
//! overhead, as kube-scheduler does. Daemons that come with the node are among the requests. The
//! share of the scarcest resource says how well a node is used: one with cpu 97 % and memory 20 %
//! is full, of a type with too much memory for its pods.

use super::{Launch, LaunchPlan};
use crate::model::{Problem, Quantity};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// How much of a resource is asked for, and how much there is.
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
/// let cpu = &plan.fullness(&problem)[0];
/// assert_eq!((&*cpu.resource, cpu.millionths()), ("cpu", 750_000));
/// assert_eq!((cpu.requested, cpu.allocatable), ("3".parse()?, "4".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Fullness {
    /// The resource.
    pub resource: Arc<str>,
    /// What pods and daemons request together.
    pub requested: Quantity,
    /// What the nodes have for them: capacity less overhead.
    pub allocatable: Quantity,
}

impl Fullness {
    /// The share that is asked for, in millionths, rounded down; 0 where there is nothing.
    ///
    /// It is above 1,000,000 only for a plan that breaks the rule of resources.
    #[must_use]
    pub fn millionths(&self) -> u32 {
        let (requested, all) = (self.requested.nanos(), self.allocatable.nanos());
        let share = requested.saturating_mul(1_000_000).checked_div(all).unwrap_or(0);
        u32::try_from(share).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for Fullness {
    /// The resource and the share: `cpu 93 %`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} %", self.resource, self.millionths() / 10_000)
    }
}

impl Launch {
    /// How full the node is, by resource that its instance type has; nothing where the problem
    /// doesn't know the type.
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
    /// let fullest = plan.launches().iter().flat_map(|launch| launch.fullness(&problem));
    /// assert_eq!(fullest.map(|one| one.millionths()).max(), Some(1_000_000));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn fullness(&self, problem: &Problem) -> Vec<Fullness> {
        let kind = problem.instance_type(&self.template.offering.instance_type);
        let Some(allocatable) = kind.map(|kind| kind.allocatable()) else { return Vec::new() };
        let of = |(resource, amount): (&Arc<str>, Quantity)| Fullness {
            resource: resource.clone(),
            requested: self.requests.get(resource).unwrap_or(Quantity::ZERO),
            allocatable: amount,
        };
        allocatable.iter().map(of).collect()
    }
}

impl LaunchPlan {
    /// How full the nodes to launch are together, by resource that any of them has.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
    ///
    /// let large = InstanceType::new("m7.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
    ///     .with_offering(Offering::on_demand("eu-1a", "0.1008".parse()?));
    /// let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1500m")])?);
    /// let problem =
    ///     Problem::builder().pod(web).instance_type(large).node_pool(NodePool::new("default")).build()?;
    /// let plan = provision(&problem, &Options::default())?;
    /// let texts: Vec<String> = plan.fullness(&problem).iter().map(|one| one.to_string()).collect();
    /// assert_eq!(texts, ["cpu 75 %", "pods 3 %"]);
    /// assert_eq!(plan.launches()[0].fullness(&problem), plan.fullness(&problem));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn fullness(&self, problem: &Problem) -> Vec<Fullness> {
        let mut sums: BTreeMap<Arc<str>, (i128, i128)> = BTreeMap::new();
        for one in self.launches.iter().flat_map(|launch| launch.fullness(problem)) {
            let (requested, all) = sums.entry(one.resource).or_default();
            *requested = requested.saturating_add(one.requested.nanos());
            *all = all.saturating_add(one.allocatable.nanos());
        }
        let sums = sums.into_iter().map(|(resource, (requested, all))| Fullness {
            resource,
            requested: Quantity::from_nanos(requested),
            allocatable: Quantity::from_nanos(all),
        });
        sums.collect()
    }
}
