//! Kubernetes' `TopologySpreadConstraint`: how evenly pods spread over domains.

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
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct TopologySpreadConstraint {
    /// How far a domain's count may exceed the lowest; at least 1.
    pub max_skew: u32,
    /// The node label whose values are the domains.
    pub topology_key: Arc<str>,
    /// Whether the rule is hard.
    pub when_unsatisfiable: WhenUnsatisfiable,
    /// Which pods count; `None` matches no pod.
    pub label_selector: Option<LabelSelector>,
    /// With fewer domains than this, the lowest count is taken as 0.
    pub min_domains: Option<u32>,
    /// Whether nodes outside the pod's node affinity count as domains.
    pub node_affinity_policy: NodeInclusionPolicy,
    /// Whether nodes with taints that the pod doesn't tolerate count as domains.
    pub node_taints_policy: NodeInclusionPolicy,
    /// Pod label keys whose value must equal the incoming pod's.
    pub match_label_keys: Vec<Arc<str>>,
}

/// What happens when a spread can't be kept.
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
    #[must_use]
    pub fn with_label_selector(mut self, selector: LabelSelector) -> Self {
        self.label_selector = Some(selector);
        self
    }
}
