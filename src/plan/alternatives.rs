//! Alternatives of a launch as a cloud's interface takes them.
//!
//! A launch lists what else could hold its pods, so that a cloud can choose by what it has at the
//! moment. But a request of EC2 Fleet, or a managed instance group, names one way of payment and at
//! most one reservation. So the alternatives are taken apart by these two, in the order in which
//! requests are to be made.

use super::{LaunchTemplate, OfferingRef};
use crate::model::CapacityType;
use std::sync::Arc;

/// Alternatives of a launch that one request to a cloud can name together: they are paid for in the
/// same way, out of the same reservation if any.
///
/// # Examples
/// ```
/// use plimsoll::model::CapacityType;
/// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
///
/// let large = InstanceType::new("m7.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
///     .with_offering(Offering::on_demand("eu-1a", "0.1".parse()?))
///     .with_offering(Offering::spot("eu-1a", "0.03".parse()?))
///     .with_offering(Offering::spot("eu-1b", "0.04".parse()?));
/// let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
/// let problem =
///     Problem::builder().pod(web).instance_type(large).node_pool(NodePool::new("default")).build()?;
/// let plan = provision(&problem, &Options::default())?;
/// let sets = plan.launches()[0].template().alternative_sets();
/// // First the request that names the choice, then what to try if it fails.
/// assert_eq!(sets[0].capacity_type, CapacityType::Spot);
/// let zones: Vec<&str> = sets[0].offerings.iter().map(|offering| &*offering.zone).collect();
/// assert_eq!(zones, ["eu-1a", "eu-1b"]);
/// assert_eq!(sets[1].capacity_type, CapacityType::OnDemand);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AlternativeSet<'a> {
    /// How all of them are paid for.
    pub capacity_type: CapacityType,
    /// The reservation that all of them draw on.
    pub reservation: Option<&'a Arc<str>>,
    /// The offerings, cheapest first.
    pub offerings: Vec<&'a OfferingRef>,
}

impl LaunchTemplate {
    /// The alternatives, apart by capacity type and reservation: first those with the choice, then
    /// the others by their cheapest.
    ///
    /// Every alternative is in one set. Within a set offerings are sorted by price; the sets after
    /// the first are tried in turn, and their order is by their cheapest offering.
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
    /// let sets = plan.launches()[0].template().alternative_sets();
    /// assert_eq!(sets.len(), 1);
    /// assert_eq!(sets[0].offerings, [&plan.launches()[0].template().offering]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn alternative_sets(&self) -> Vec<AlternativeSet<'_>> {
        let mut sets: Vec<AlternativeSet<'_>> = Vec::new();
        // The choice is one of the alternatives; of the same price others may come before it.
        let choice = std::iter::once(&self.offering);
        let others = self.alternatives.iter().filter(|one| **one != self.offering);
        for offering in choice.chain(others) {
            let capacity_type = offering.capacity_type;
            let reservation = offering.reservation.as_ref();
            let known = sets
                .iter_mut()
                .find(|set| set.capacity_type == capacity_type && set.reservation == reservation);
            match known {
                Some(set) => set.offerings.push(offering),
                None => {
                    let offerings = vec![offering];
                    sets.push(AlternativeSet { capacity_type, reservation, offerings });
                }
            }
        }
        for set in &mut sets {
            set.offerings.sort_by_key(|offering| offering.price);
        }
        sets
    }
}
