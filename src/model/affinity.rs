//! Kubernetes' `Affinity`: rules that tie a pod to nodes, or to and from other pods.
//!
//! Source: <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/>.
//!
//! Six lists of rules, of three subjects and two strengths:
//!
//! | subject | required | preferred |
//! |---|---|---|
//! | the node's labels | [`NodeAffinity::required`]: terms, one of which must hold | weighted terms |
//! | pods to be near to | [`PodAffinity::required`] of `pod_affinity`: all must hold | weighted terms |
//! | pods to be away from | [`PodAffinity::required`] of `pod_anti_affinity`: all must hold | weighted terms |
//!
//! What is required is kept in every plan. What is preferred is honoured, priced or ignored as
//! [`Options::preferences`](crate::Options) says. All of it is `…DuringExecution: Ignored`: a bound
//! pod whose rule no longer holds stays where it is.
//!
//! "Near" and "away" are measured in *domains*, the values of a node label (`topologyKey`): with
//! `kubernetes.io/hostname` a domain is a node, with `topology.kubernetes.io/zone` a zone; any
//! label will do. A node without the label belongs to no domain: affinity can't be met there, and
//! anti-affinity can't be broken.

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
///
/// An affinity is checked when the problem is built, as the API server validates it: weights from 1
/// to 100, no empty list of required node terms, a topology key in every term.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Affinity {
    /// Rules about the labels of nodes.
    ///
    /// Kubernetes' `spec.affinity.nodeAffinity`; the pod's node selector must hold besides.
    pub node_affinity: NodeAffinity,
    /// Rules that draw the pod to where other pods run.
    ///
    /// Kubernetes' `spec.affinity.podAffinity`. A required term is met by a pod in the same domain
    /// that it selects, or by the pod itself where it selects itself and no pod anywhere is
    /// selected.
    pub pod_affinity: PodAffinity,
    /// Rules that keep the pod away from where other pods run.
    ///
    /// Kubernetes' `spec.affinity.podAntiAffinity`. It holds both ways: a pod is kept away from
    /// pods whose own required terms select it, too.
    pub pod_anti_affinity: PodAffinity,
}

/// Rules about the labels of the node, Kubernetes' `NodeAffinity`.
///
/// # Examples
/// ```
/// use plimsoll::Requirement;
/// use plimsoll::model::{Affinity, NodeSelectorTerm, Operator};
///
/// // Zone a with any processor, or arm64 anywhere; newer machines rather than older ones.
/// let one = |key, operator, value| {
///     NodeSelectorTerm::new([Requirement::new(key, operator, [value])])
/// };
/// let affinity = Affinity::new()
///     .with_required_node_term(one("topology.kubernetes.io/zone", Operator::In, "a"))
///     .with_required_node_term(one("kubernetes.io/arch", Operator::In, "arm64"))
///     .with_preferred_node_term(10, one("example.com/generation", Operator::Gt, "6"));
/// assert_eq!(affinity.node_affinity.required.map(|terms| terms.len()), Some(2));
/// assert_eq!(affinity.node_affinity.preferred[0].weight, 10);
/// ```
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct NodeAffinity {
    /// Alternatives, one of which the node must meet; `None` asks for nothing.
    ///
    /// `Some` of an empty list is refused when the problem is built, as Kubernetes refuses it.
    pub required: Option<Vec<NodeSelectorTerm>>,
    /// Weighted preferences.
    ///
    /// Weights of all that a node meets are added up.
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
///
/// A term that is empty altogether is Kubernetes' own corner: it is allowed, and matches nothing,
/// so an affinity whose only term is empty leaves the pod without a place.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct NodeSelectorTerm {
    /// What must hold of the node's labels.
    ///
    /// Pods' six operators: `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt`, `Lt`.
    pub match_expressions: Vec<Requirement>,
    /// What must hold of the node's fields (`metadata.name` alone is possible).
    ///
    /// `In` or `NotIn` with exactly one node's name. A node to be launched has no name yet: `In`
    /// never holds of it, `NotIn` always does.
    pub match_fields: Vec<Requirement>,
}

/// A weighted preference about the node's labels.
///
/// It counts with its weight where the node meets the term; where it doesn't it counts nothing.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct PreferredSchedulingTerm {
    /// 1 to 100.
    pub weight: u8,
    /// What the node should meet.
    pub preference: NodeSelectorTerm,
}

/// Rules about other pods, Kubernetes' `PodAffinity` and `PodAntiAffinity`.
///
/// The same shape serves both: what differs is whether the domain must hold a selected pod or must
/// hold none.
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
///
/// Which pods a term means, at one pod *P* that has it:
///
/// - their labels match [`label_selector`](Self::label_selector);
/// - they have the value that *P* has for each of [`match_label_keys`](Self::match_label_keys), and
///   another or none for each of [`mismatch_label_keys`](Self::mismatch_label_keys); keys that *P*
///   hasn't itself are passed over;
/// - their namespace is one of [`namespaces`](Self::namespaces), or has labels that
///   [`namespace_selector`](Self::namespace_selector) matches; where neither is stated, it is
///   *P*'s.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct PodAffinityTerm {
    /// Which pods; `None` matches no pod.
    ///
    /// An empty selector matches every pod of the namespaces: that is not the same as `None`.
    pub label_selector: Option<LabelSelector>,
    /// The node label whose values are the domains.
    ///
    /// May not be empty.
    pub topology_key: Arc<str>,
    /// Namespaces by name; with no selector either, the pod's own.
    ///
    /// They need not be listed among the problem's namespaces.
    pub namespaces: Vec<Arc<str>>,
    /// Namespaces by label; an empty selector means all.
    ///
    /// It reads the labels of [`Namespace`](crate::model::Namespace)s that the problem lists; every
    /// namespace has `kubernetes.io/metadata.name` besides.
    pub namespace_selector: Option<LabelSelector>,
    /// Pod label keys whose value must equal the incoming pod's.
    ///
    /// Needs a label selector. Typically `pod-template-hash`: pods of one revision alone.
    pub match_label_keys: Vec<Arc<str>>,
    /// Pod label keys whose value must differ from the incoming pod's.
    ///
    /// Needs a label selector, and no key may be in both lists. Typically a tenant: keep away from
    /// every other one's pods.
    pub mismatch_label_keys: Vec<Arc<str>>,
}

/// A weighted preference about other pods.
///
/// In `pod_affinity` the weight counts for domains that hold a selected pod, in `pod_anti_affinity`
/// against them.
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
    ///
    /// The same as none at all: a problem keeps `None` of such a pod.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an alternative to the required node affinity: one of them must hold.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Requirement;
    /// use plimsoll::model::{Affinity, NodeSelectorTerm, Operator};
    ///
    /// let zone = Requirement::new("topology.kubernetes.io/zone", Operator::NotIn, ["us-east-1e"]);
    /// let rules = Affinity::new().with_required_node_term(NodeSelectorTerm::new([zone]));
    /// assert!(rules.node_affinity.required.is_some());
    /// ```
    #[must_use]
    pub fn with_required_node_term(mut self, term: NodeSelectorTerm) -> Self {
        self.node_affinity.required.get_or_insert_default().push(term);
        self
    }

    /// Adds a preference about the node, of weight 1 to 100.
    ///
    /// A weight of 0 or above 100 is a fault when the problem is built.
    #[must_use]
    pub fn with_preferred_node_term(mut self, weight: u8, preference: NodeSelectorTerm) -> Self {
        self.node_affinity.preferred.push(PreferredSchedulingTerm { weight, preference });
        self
    }

    /// Adds a term of required pod affinity.
    ///
    /// Pods that need each other are placed together or not at all: a group of replicas with such a
    /// term over zones goes to one zone, whichever is cheapest for all of them.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::{Affinity, LabelSelector, PodAffinityTerm};
    ///
    /// let cache = LabelSelector::new().with_label("app", "cache");
    /// let near = PodAffinityTerm::new("topology.kubernetes.io/zone", cache);
    /// let rules = Affinity::new().with_required_pod_affinity(near);
    /// assert_eq!(rules.pod_affinity.required.len(), 1);
    /// ```
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
    ///
    /// Over `kubernetes.io/hostname`, with the pod's own labels, it means one replica per node.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::{Affinity, LabelSelector, PodAffinityTerm};
    /// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
    ///
    /// let alone = PodAffinityTerm::new(
    ///     "kubernetes.io/hostname",
    ///     LabelSelector::new().with_label("app", "db"),
    /// );
    /// let db = Pod::new("db")
    ///     .with_replicas(3)
    ///     .with_label("app", "db")
    ///     .with_affinity(Affinity::new().with_required_pod_anti_affinity(alone));
    /// let small = InstanceType::new("small", Resources::parse([("pods", "10")])?)
    ///     .with_offering(Offering::on_demand("a", "0.1".parse()?));
    /// let parts = Problem::builder().pod(db).instance_type(small).node_pool(NodePool::new("p"));
    /// let plan = plimsoll::provision(&parts.build()?, &Options::default())?;
    /// assert_eq!(plan.launches().len(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    ///
    /// Of no expressions it is the term that matches no node.
    #[must_use]
    pub fn new(match_expressions: impl IntoIterator<Item = Requirement>) -> Self {
        Self {
            match_expressions: match_expressions.into_iter().collect(),
            match_fields: Vec::new(),
        }
    }

    /// Adds a condition on a field of the node.
    ///
    /// The one field that Kubernetes knows is `metadata.name`.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Requirement;
    /// use plimsoll::model::{NodeSelectorTerm, Operator};
    ///
    /// // As the daemon set controller writes it into each of its pods.
    /// let name = Requirement::new("metadata.name", Operator::In, ["n-1"]);
    /// let term = NodeSelectorTerm::default().with_match_field(name);
    /// assert_eq!((term.match_expressions.len(), term.match_fields.len()), (0, 1));
    /// ```
    #[must_use]
    pub fn with_match_field(mut self, field: Requirement) -> Self {
        self.match_fields.push(field);
        self
    }
}

impl PodAffinityTerm {
    /// The selected pods of the pod's own namespace, by the values of a node label.
    ///
    /// Namespaces and label keys are set on the fields.
    #[must_use]
    pub fn new(topology_key: impl Into<Arc<str>>, selector: LabelSelector) -> Self {
        Self {
            label_selector: Some(selector),
            topology_key: topology_key.into(),
            ..Self::default()
        }
    }
}
