//! What a plan costs, what is proved of that, and what ended the search for a better one.

use crate::model::Price;

/// What the launches cost per hour, and how far that can be from the cheapest.
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
/// use plimsoll::Price;
///
/// let cost = plan.cost();
/// assert_eq!((cost.total.to_string(), cost.fees), ("0.06".into(), Price::ZERO));
/// assert!(cost.lower_bound <= cost.total);
/// // At most so much of it could be saved, in percent.
/// let gap = f64::from(cost.gap_millionths()) / 10_000.0;
/// assert!((0.0..=100.0).contains(&gap));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Cost {
    /// The sum of the launches' prices, plus fees.
    pub total: Price,
    /// The fee per node and hour times the number of launches.
    pub fees: Price,
    /// No plan that places the same pods, on pools of the same weights, costs less; fees included.
    pub lower_bound: Price,
    /// What is proved.
    pub proof: Proof,
}

/// What is proved of a plan's cost.
///
/// It is about the plan's own cost beside plans for the same pods; how many pods can be placed at
/// all is another question ([`PlacementBound`](super::PlacementBound)). Which one a plan has follows from its total and
/// its lower bound, and [`verify`](crate::verify()) refuses a plan that claims another.
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
/// use plimsoll::plan::Proof;
/// use plimsoll::Price;
///
/// let cost = plan.cost();
/// match cost.proof {
///     Proof::Optimal => assert_eq!(cost.total, cost.lower_bound),
///     Proof::Within => assert!(cost.lower_bound > Price::ZERO),
///     Proof::None => assert_eq!(cost.lower_bound, Price::ZERO),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Proof {
    /// The total equals the lower bound.
    Optimal,
    /// The lower bound is positive.
    Within,
    /// Nothing.
    None,
}

/// What put an end to refinement ([`Effort::Refine`](crate::Effort::Refine)).
///
/// It says nothing of the plan's cost; [`Proof`] does.
///
/// # Examples
/// ```
/// use plimsoll::plan::Termination;
/// use plimsoll::{Effort, InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
///
/// let large = InstanceType::new("m7.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
///     .with_offering(Offering::on_demand("eu-1a", "0.1008".parse()?));
/// let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1500m")])?);
/// let problem =
///     Problem::builder().pod(web).instance_type(large).node_pool(NodePool::new("default")).build()?;
/// let mut options = Options::default();
/// options.effort = Effort::Refine(Default::default());
/// assert_eq!(provision(&problem, &options)?.termination(), Some(Termination::Done));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Termination {
    /// Nothing was left to try: the plan is proved the cheapest, or all stages of refinement are
    /// done.
    Done,
    /// [`Limits::rounds`](crate::Limits::rounds) were the first to run out.
    Rounds,
    /// [`Limits::attempts`](crate::Limits::attempts) were the first to run out.
    Attempts,
    /// [`Options::stop`](crate::Options::stop) said so.
    Stopped,
}

impl Cost {
    /// How far the total may be from the cheapest: (total − lower bound) / total in millionths,
    /// rounded to the nearest; 0 for a total of 0.
    ///
    /// 10,000 millionths are one percent. A gap says how much could be saved at most, not how much
    /// can be.
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
    /// let cost = plan.cost();
    /// let above = cost.total.nanos() - cost.lower_bound.nanos();
    /// let exact = above as f64 / cost.total.nanos() as f64 * 1e6;
    /// assert!((f64::from(cost.gap_millionths()) - exact).abs() <= 0.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn gap_millionths(&self) -> u32 {
        let (total, bound) = (self.total.nanos(), self.lower_bound.nanos());
        if total <= 0 {
            return 0;
        }
        let above = total.saturating_sub(bound).clamp(0, total);
        let millionths = above.saturating_mul(1_000_000).saturating_add(total / 2) / total;
        u32::try_from(millionths).unwrap_or(1_000_000)
    }
}
