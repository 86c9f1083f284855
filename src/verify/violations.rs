//! All that is wrong with a plan.
//!
//! It is an error type, so `verify(…)?` works in a function that returns a boxed error; and a list,
//! so that a tool can show each violation where it belongs. Sorting is by kind of violation and its
//! operands, which is deterministic and says nothing of how grave they are.

use super::violation::Violation;
use std::fmt;

/// Every rule that a plan breaks; never empty, sorted, each violation once.
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
/// // A plan for another problem: pods of it aren't there.
/// let other = problem.to_builder().without_pod("default", "web").build()?;
/// let violations = verify(&other, &plan).unwrap_err();
/// assert!(violations.iter().len() > 0);
/// println!("{violations}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violations {
    list: Vec<Violation>,
}

impl Violations {
    /// The violations, if there are any.
    pub(super) fn of(mut list: Vec<Violation>) -> Option<Self> {
        list.sort_unstable();
        list.dedup();
        (!list.is_empty()).then_some(Self { list })
    }

    /// The violations, sorted.
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
    /// use plimsoll::verify::Violation;
    ///
    /// // The same plan beside a lower limit: two launches are one too many.
    /// let one = NodePool::new("default").with_limits(Resources::parse([("nodes", "1")])?);
    /// let tighter = problem.to_builder().without_node_pool("default").node_pool(one).build()?;
    /// let violations = plimsoll::verify(&tighter, &plan).unwrap_err();
    /// let first = violations.iter().next().ok_or("none")?;
    /// assert!(matches!(first, Violation::Limit { launched: 2, limit: 1, .. }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Violation> {
        self.list.iter()
    }
}

impl<'a> IntoIterator for &'a Violations {
    type Item = &'a Violation;
    type IntoIter = std::slice::Iter<'a, Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl IntoIterator for Violations {
    type Item = Violation;
    type IntoIter = std::vec::IntoIter<Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the plan breaks rules ({} found)", self.list.len())?;
        self.list.iter().try_for_each(|violation| write!(f, "\n  {violation}"))
    }
}

impl std::error::Error for Violations {}
