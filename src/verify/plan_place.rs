//! Where in a plan something is wrong, and which rule keeps a pod from being bound there.

use std::sync::Arc;

/// Where in a plan something is.
///
/// # Examples
/// ```
/// use plimsoll::verify::PlanPlace;
///
/// let second_choice = PlanPlace::Alternative { launch: 3, alternative: 1 };
/// assert_eq!(PlanPlace::Node("n1".into()).to_string(), "node n1");
/// assert_ne!(second_choice, PlanPlace::Launch(3));
/// ```
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum PlanPlace {
    /// A launch with its choice, by its index in the plan.
    Launch(usize),
    /// A launch with one of its alternatives, each by its index.
    Alternative {
        /// The launch.
        launch: usize,
        /// The alternative.
        alternative: usize,
    },
    /// A node of the problem, by name.
    Node(Arc<str>),
    /// The list of pods with no place.
    Unschedulable,
}

/// The rule that keeps a pod from being bound in any order.
///
/// Both are filters of kube-scheduler (`PodTopologySpread`, `InterPodAffinity`), asked when a pod
/// is bound.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum BindingRule {
    /// A topology spread constraint.
    Spread {
        /// The label whose values are the domains.
        key: Arc<str>,
        /// The pod's domain; `None` if its node lacks the label.
        domain: Option<Arc<str>>,
        /// How many selected pods are in the domain when nothing more can be bound.
        count: u64,
        /// The lowest count of any domain then.
        least: u64,
        /// How far the first may exceed the second.
        max_skew: u64,
    },
    /// Required pod affinity: no pod that it needs can be bound in the domain before.
    Affinity {
        /// The label whose values are the domains.
        key: Arc<str>,
    },
}
