//! Kubernetes' `Affinity`: rules that tie a pod to nodes, or to and from other pods.
//!
//! Source: <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/>.

use super::{LabelSelector, Requirement};
use std::sync::Arc;

/// A pod's affinity rules, Kubernetes' `Affinity`.
///
/// # Examples
/// ```
/// use plimsoll::model::{Affinity, LabelSelector, NodeSelectorTerm, Operator, PodAffinityTerm};
/// use plimsoll::{Pod, Requirement};
///
/// let arm = Requirement::new("kubernetes.io/arch", Operator::In, ["arm64"]);
/// let web = LabelSelector::new().with_label("app", "web");
/// // On arm64, no two of them on one node, and near the cache if that can be had.
/// let affinity = Affinity::new()
///     .with_required_node_term(NodeSelectorTerm::new([arm]))
///     .with_required_pod_anti_affinity(PodAffinityTerm::new("kubernetes.io/hostname", web))
///     .with_preferred_pod_affinity(
///         50,
///         PodAffinityTerm::new(
///             "topology.kubernetes.io/zone",
///             LabelSelector::new().with_label("app", "cache"),
///         ),
///     );
/// let pod = Pod::new("web").with_label("app", "web").with_affinity(affinity);
/// assert_eq!(pod.affinity().map(|rules| rules.pod_anti_affinity.required.len()), Some(1));
/// ```
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Affinity {
    /// Rules about the labels of nodes.
    pub node_affinity: NodeAffinity,
    /// Rules that draw the pod to where other pods run.
    pub pod_affinity: PodAffinity,
    /// Rules that keep the pod away from where other pods run.
    pub pod_anti_affinity: PodAffinity,
}

/// Rules about the labels of the node, Kubernetes' `NodeAffinity`.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct NodeAffinity {
    /// Alternatives, one of which the node must meet; `None` asks for nothing.
    pub required: Option<Vec<NodeSelectorTerm>>,
    /// Weighted preferences.
    pub preferred: Vec<PreferredSchedulingTerm>,
}

/// One alternative: every expression must hold. A term with none matches no node.
///
/// # Examples
/// ```
/// use plimsoll::Requirement;
/// use plimsoll::model::{NodeSelectorTerm, Operator};
///
/// let recent = Requirement::new("example.com/generation", Operator::Gt, ["5"]);
/// let not_gpu = Requirement::new("example.com/gpu", Operator::DoesNotExist, [""; 0]);
/// assert_eq!(NodeSelectorTerm::new([recent, not_gpu]).match_expressions.len(), 2);
/// ```
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct NodeSelectorTerm {
    /// What must hold of the node's labels.
    pub match_expressions: Vec<Requirement>,
    /// What must hold of the node's fields (`metadata.name` alone is possible).
    pub match_fields: Vec<Requirement>,
}

/// A weighted preference about the node's labels.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct PreferredSchedulingTerm {
    /// 1 to 100.
    pub weight: u8,
    /// What the node should meet.
    pub preference: NodeSelectorTerm,
}

/// Rules about other pods, Kubernetes' `PodAffinity` and `PodAntiAffinity`.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct PodAffinity {
    /// Terms that must hold, all of them.
    pub required: Vec<PodAffinityTerm>,
    /// Weighted preferences.
    pub preferred: Vec<WeightedPodAffinityTerm>,
}

/// A set of pods and the kind of domain in which they count.
///
/// # Examples
/// ```
/// use plimsoll::model::{LabelSelector, PodAffinityTerm};
///
/// let database = LabelSelector::new().with_label("app", "db");
/// let mut term = PodAffinityTerm::new("topology.kubernetes.io/zone", database);
/// term.namespaces = vec!["data".into()];
/// assert_eq!(&*term.topology_key, "topology.kubernetes.io/zone");
/// ```
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct PodAffinityTerm {
    /// Which pods; `None` matches no pod.
    pub label_selector: Option<LabelSelector>,
    /// The node label whose values are the domains.
    pub topology_key: Arc<str>,
    /// Namespaces by name; with no selector either, the pod's own.
    pub namespaces: Vec<Arc<str>>,
    /// Namespaces by label; an empty selector means all.
    pub namespace_selector: Option<LabelSelector>,
    /// Pod label keys whose value must equal the incoming pod's.
    pub match_label_keys: Vec<Arc<str>>,
    /// Pod label keys whose value must differ from the incoming pod's.
    pub mismatch_label_keys: Vec<Arc<str>>,
}

/// A weighted preference about other pods.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct WeightedPodAffinityTerm {
    /// 1 to 100.
    pub weight: u8,
    /// The preference.
    pub term: PodAffinityTerm,
}

impl Affinity {
    /// No rules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an alternative to the required node affinity: one of them must hold.
    #[must_use]
    pub fn with_required_node_term(mut self, term: NodeSelectorTerm) -> Self {
        self.node_affinity.required.get_or_insert_default().push(term);
        self
    }

    /// Adds a preference about the node, of weight 1 to 100.
    #[must_use]
    pub fn with_preferred_node_term(mut self, weight: u8, preference: NodeSelectorTerm) -> Self {
        self.node_affinity.preferred.push(PreferredSchedulingTerm { weight, preference });
        self
    }

    /// Adds a term of required pod affinity.
    #[must_use]
    pub fn with_required_pod_affinity(mut self, term: PodAffinityTerm) -> Self {
        self.pod_affinity.required.push(term);
        self
    }

    /// Adds a preference for pod affinity, of weight 1 to 100.
    #[must_use]
    pub fn with_preferred_pod_affinity(mut self, weight: u8, term: PodAffinityTerm) -> Self {
        self.pod_affinity.preferred.push(WeightedPodAffinityTerm { weight, term });
        self
    }

    /// Adds a term of required pod anti-affinity.
    #[must_use]
    pub fn with_required_pod_anti_affinity(mut self, term: PodAffinityTerm) -> Self {
        self.pod_anti_affinity.required.push(term);
        self
    }

    /// Adds a preference for pod anti-affinity, of weight 1 to 100.
    #[must_use]
    pub fn with_preferred_pod_anti_affinity(mut self, weight: u8, term: PodAffinityTerm) -> Self {
        self.pod_anti_affinity.preferred.push(WeightedPodAffinityTerm { weight, term });
        self
    }
}

impl NodeSelectorTerm {
    /// A term of these expressions, all of which must hold.
    #[must_use]
    pub fn new(match_expressions: impl IntoIterator<Item = Requirement>) -> Self {
        Self {
            match_expressions: match_expressions.into_iter().collect(),
            match_fields: Vec::new(),
        }
    }

    /// Adds a condition on a field of the node.
    #[must_use]
    pub fn with_match_field(mut self, field: Requirement) -> Self {
        self.match_fields.push(field);
        self
    }
}

impl PodAffinityTerm {
    /// The selected pods of the pod's own namespace, by the values of a node label.
    #[must_use]
    pub fn new(topology_key: impl Into<Arc<str>>, selector: LabelSelector) -> Self {
        Self {
            label_selector: Some(selector),
            topology_key: topology_key.into(),
            ..Self::default()
        }
    }
}
