//! Kubernetes' `TopologySpreadConstraint`: how evenly pods spread over domains.
//!
//! The rule, for a pod that comes to a domain *d*: the selected pods in *d*, itself included where
//! it is selected, may exceed those of the domain that has the fewest by at most `maxSkew`. Counted
//! are domains of nodes that the inclusion policies admit; with fewer such domains than
//! `minDomains` the fewest is taken to be none. Only pods of the pod's own namespace count.
//!
//! kube-scheduler asks this as each pod is bound, so the order matters. A plan promises that there
//! is an order in which every pod passes, and [`verify`](crate::verify()) finds one anew.
//!
//! Source: <https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/>.

use super::LabelSelector;
use std::sync::Arc;

/// How evenly the selected pods spread over the values of a node label.
///
/// # Examples
/// ```
/// use plimsoll::Pod;
/// use plimsoll::model::{LabelSelector, TopologySpreadConstraint, WhenUnsatisfiable};
///
/// // In at least three zones, and no zone more than one ahead of another.
/// let mut spread = TopologySpreadConstraint::new(
///     1,
///     "topology.kubernetes.io/zone",
///     WhenUnsatisfiable::DoNotSchedule,
/// )
/// .with_label_selector(LabelSelector::new().with_label("app", "db"));
/// spread.min_domains = Some(3);
/// let pod = Pod::new("db").with_label("app", "db").with_topology_spread_constraint(spread);
/// assert_eq!(pod.topology_spread_constraints()[0].max_skew, 1);
/// ```
///
/// A pod may have several constraints, one for each key and [`WhenUnsatisfiable`]; all of the hard
/// ones hold together.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct TopologySpreadConstraint {
    /// How far a domain's count may exceed the lowest; at least 1.
    ///
    /// With `DoNotSchedule` it is a bound, with `ScheduleAnyway` what is aimed at.
    pub max_skew: u32,
    /// The node label whose values are the domains.
    ///
    /// Nodes without the label are no domain, and hard constraints keep the pod away from them.
    pub topology_key: Arc<str>,
    /// Whether the rule is hard.
    ///
    /// `DoNotSchedule` is hard.
    pub when_unsatisfiable: WhenUnsatisfiable,
    /// Which pods count; `None` matches no pod.
    ///
    /// Usually the pod's own labels. Without one nothing is spread, of which a
    /// [warning](super::Warning) tells.
    pub label_selector: Option<LabelSelector>,
    /// With fewer domains than this, the lowest count is taken as 0.
    ///
    /// At least 1, and with `DoNotSchedule` alone. Unset it is 1.
    pub min_domains: Option<u32>,
    /// Whether nodes outside the pod's node affinity count as domains.
    ///
    /// Default: [`Honor`](NodeInclusionPolicy::Honor). The node selector counts too.
    pub node_affinity_policy: NodeInclusionPolicy,
    /// Whether nodes with taints that the pod doesn't tolerate count as domains.
    ///
    /// Default: [`Ignore`](NodeInclusionPolicy::Ignore).
    pub node_taints_policy: NodeInclusionPolicy,
    /// Pod label keys whose value must equal the incoming pod's.
    ///
    /// Needs a label selector. Keys that the pod hasn't itself are passed over.
    pub match_label_keys: Vec<Arc<str>>,
}

/// What happens when a spread can't be kept.
///
/// A hard constraint that can't be kept leaves the pod in
/// [`LaunchPlan::unschedulable`](crate::LaunchPlan::unschedulable), with a reason that names it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum WhenUnsatisfiable {
    /// The pod stays pending.
    DoNotSchedule,
    /// The spread is a preference.
    ScheduleAnyway,
}

/// Whether a node policy is honoured when domains are counted.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum NodeInclusionPolicy {
    /// Only nodes that the pod's own rule admits count.
    Honor,
    /// All nodes count.
    Ignore,
}

impl TopologySpreadConstraint {
    /// A constraint with Kubernetes' defaults: node affinity honoured, taints ignored.
    ///
    /// It selects no pods yet: [`with_label_selector`](Self::with_label_selector) says which count.
    #[must_use]
    pub fn new(
        max_skew: u32,
        topology_key: impl Into<Arc<str>>,
        when_unsatisfiable: WhenUnsatisfiable,
    ) -> Self {
        Self {
            max_skew,
            topology_key: topology_key.into(),
            when_unsatisfiable,
            label_selector: None,
            min_domains: None,
            node_affinity_policy: NodeInclusionPolicy::Honor,
            node_taints_policy: NodeInclusionPolicy::Ignore,
            match_label_keys: Vec::new(),
        }
    }

    /// Says which pods count.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::{LabelSelector, TopologySpreadConstraint, WhenUnsatisfiable};
    /// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
    ///
    /// // Three pods, three zones, one each.
    /// let zone = "topology.kubernetes.io/zone";
    /// let spread = TopologySpreadConstraint::new(1, zone, WhenUnsatisfiable::DoNotSchedule)
    ///     .with_label_selector(LabelSelector::new().with_label("app", "web"));
    /// let web = Pod::new("web")
    ///     .with_replicas(3)
    ///     .with_label("app", "web")
    ///     .with_topology_spread_constraint(spread);
    /// let mut small = InstanceType::new("small", Resources::parse([("pods", "10")])?);
    /// for zone in ["a", "b", "c"] {
    ///     small = small.with_offering(Offering::on_demand(zone, "0.1".parse()?));
    /// }
    /// let parts = Problem::builder().pod(web).instance_type(small).node_pool(NodePool::new("p"));
    /// let plan = plimsoll::provision(&parts.build()?, &Options::default())?;
    /// assert_eq!(plan.launches().len(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_label_selector(mut self, selector: LabelSelector) -> Self {
        self.label_selector = Some(selector);
        self
    }
}
