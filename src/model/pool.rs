//! Node pools: who may buy which types, and with what labels, taints and limits.
//!
//! A pool answers three questions about the nodes that it launches: what may be bought
//! (requirements, instance types), what the nodes look like (labels, taints, startup taints), and
//! how many there may be (limits, replicas). Which pool launches for a pod is decided by weights
//! first and prices then.
//!
//! Source: <https://karpenter.sh/docs/concepts/nodepools/>. Cluster Autoscaler's node groups are
//! pools of one type with a limit on `nodes`.

use super::{Delay, Disruption, Labels, Requirement, Resources, Taint, TimeSpan};
use std::sync::Arc;

/// A template for nodes and the right to buy them, Karpenter's `NodePool`.
///
/// # Examples
/// ```
/// use plimsoll::model::{Operator, Taint, Effect};
/// use plimsoll::{NodePool, Requirement, Resources};
///
/// // Preferred to pools of a lower weight; spot only, for what tolerates it, up to 100 CPUs.
/// let pool = NodePool::new("batch")
///     .with_weight(10)
///     .with_requirement(Requirement::new("karpenter.sh/capacity-type", Operator::In, ["spot"]))
///     .with_taint(Taint::new("dedicated", "batch", Effect::NoSchedule))
///     .with_limits(Resources::parse([("cpu", "100")])?);
/// assert_eq!(pool.limits().get("cpu"), Some("100".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is checked
///
/// | field | what is allowed |
/// |---|---|
/// | name | a label value, not empty; unique among the pools |
/// | labels | Kubernetes' syntax; not the host's; the pool's own name only as it is |
/// | instance types | names of the problem's types, each once |
/// | requirements | as Karpenter validates them; `minValues` from 1 to 50 |
/// | static pools | no weight, and no limit but `nodes` |
/// | budgets | at most 100 %, a schedule of five fields or a name, whole minutes |
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodePool {
    pub(crate) name: Arc<str>,
    pub(crate) weight: i32,
    pub(crate) labels: Labels,
    pub(crate) taints: Vec<Taint>,
    pub(crate) startup_taints: Vec<Taint>,
    /// Sorted in a built problem; all hold together, on one key too.
    pub(crate) requirements: Vec<Requirement>,
    /// `None`: every type of the problem.
    pub(crate) instance_types: Option<Vec<Arc<str>>>,
    /// Of a resource that isn't named any amount.
    pub(crate) limits: Resources,
    /// `None`: the pods decide how many nodes there are.
    pub(crate) replicas: Option<u32>,
    pub(crate) disruption: Disruption,
    pub(crate) termination_grace_period: Option<TimeSpan>,
    pub(crate) expire_after: Option<Delay>,
}

impl NodePool {
    /// A pool of weight 0 that may buy every type, without limits.
    ///
    /// Its nodes have the label `karpenter.sh/nodepool` with this name, and may be consolidated at
    /// any time, a tenth of them at once ([`Disruption::default`]).
    ///
    /// # Examples
    /// ```
    /// use plimsoll::NodePool;
    ///
    /// let pool = NodePool::new("default");
    /// assert_eq!((pool.weight(), pool.replicas()), (0, None));
    /// assert!(pool.instance_types().is_none() && pool.limits().is_empty());
    /// ```
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            weight: 0,
            labels: Labels::new(),
            taints: Vec::new(),
            startup_taints: Vec::new(),
            requirements: Vec::new(),
            instance_types: None,
            limits: Resources::new(),
            replicas: None,
            disruption: Disruption::default(),
            termination_grace_period: None,
            expire_after: None,
        }
    }

    /// Restricts the pool to the types of these names, each of which the problem must have.
    ///
    /// A cloud's node class does this in Karpenter: what a provider would list for the pool. An
    /// empty list buys nothing.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::NodePool;
    ///
    /// // A node group of Cluster Autoscaler: one type, so many nodes at most.
    /// let group = NodePool::new("workers")
    ///     .with_instance_types(["m7i.large"])
    ///     .with_limits([("nodes", plimsoll::Quantity::from_units(12))].into_iter().collect());
    /// assert_eq!(group.instance_types().map(<[_]>::len), Some(1));
    /// ```
    #[must_use]
    pub fn with_instance_types<T: Into<Arc<str>>>(
        mut self,
        names: impl IntoIterator<Item = T>,
    ) -> Self {
        self.instance_types = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the weight: higher is filled first.
    ///
    /// A node of a lower weight is launched only for pods that no pool of a higher one can take
    /// within its limits. Others may use the room that those leave on it.
    ///
    /// Equal weights compete on price. 0 by default; Karpenter allows 1 to 100, any number will do
    /// here.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
    ///
    /// let dear = InstanceType::new("dear", Resources::parse([("pods", "9")])?)
    ///     .with_offering(Offering::on_demand("a", "2".parse()?));
    /// let cheap = InstanceType::new("cheap", Resources::parse([("pods", "9")])?)
    ///     .with_offering(Offering::on_demand("a", "1".parse()?));
    /// let problem = Problem::builder()
    ///     .pod(Pod::new("web"))
    ///     .instance_types([dear, cheap])
    ///     .node_pool(NodePool::new("bought").with_weight(10).with_instance_types(["dear"]))
    ///     .node_pool(NodePool::new("spare").with_instance_types(["cheap"]))
    ///     .build()?;
    /// // A weight is a rule, not a price.
    /// let plan = plimsoll::provision(&problem, &Options::default())?;
    /// assert_eq!(plan.cost().total.to_string(), "2");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_weight(mut self, weight: i32) -> Self {
        self.weight = weight;
        self
    }

    /// Sets a label of every node, in the place of one with this key.
    ///
    /// A type or an offering with another value for the key can't be bought by this pool.
    #[must_use]
    pub fn with_label(mut self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        let _former = self.labels.insert(key, value);
        self
    }

    /// Adds a taint of every node: only pods that tolerate it can go there.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::NodePool;
    /// use plimsoll::model::{Effect, Taint};
    ///
    /// let pool = NodePool::new("gpu")
    ///     .with_taint(Taint::new("nvidia.com/gpu", "", Effect::NoSchedule))
    ///     .with_startup_taint(Taint::new("example.com/starting", "", Effect::NoExecute));
    /// assert_eq!((pool.taints().len(), pool.startup_taints().len()), (1, 1));
    /// ```
    #[must_use]
    pub fn with_taint(mut self, taint: Taint) -> Self {
        self.taints.push(taint);
        self
    }

    /// Adds a taint that nodes have only while they start; it keeps no pod away.
    ///
    /// It is handed on with each launch, for whatever takes it off again: an agent that sets up a
    /// network or a disk.
    #[must_use]
    pub fn with_startup_taint(mut self, taint: Taint) -> Self {
        self.startup_taints.push(taint);
        self
    }

    /// Adds a condition on the labels of what may be bought.
    ///
    /// On a key that types and offerings have (zone, architecture, capacity type, generation, …) it
    /// chooses among them. On a key that nobody else speaks of it leaves the label *open*: each
    /// launch gets a value of those that it allows, as its pods need it. With a minimum of values
    /// ([`Requirement::with_min_values`]) every launch keeps so many alternatives.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::Operator;
    /// use plimsoll::{NodePool, Requirement};
    ///
    /// let zones = ["us-east-1a", "us-east-1b"];
    /// let pool = NodePool::new("default")
    ///     .with_requirement(Requirement::new("topology.kubernetes.io/zone", Operator::In, zones))
    ///     .with_requirement(Requirement::new("example.com/generation", Operator::Gt, ["5"]))
    ///     // A label of the pool's own with a value for each team: left open.
    ///     .with_requirement(Requirement::new("example.com/team", Operator::Exists, [""; 0]));
    /// assert_eq!(pool.requirements().len(), 3);
    /// ```
    #[must_use]
    pub fn with_requirement(mut self, requirement: Requirement) -> Self {
        self.requirements.push(requirement);
        self
    }

    /// Limits the capacity of all nodes together; the resource `nodes` limits their number.
    ///
    /// Running nodes of the pool and those on their way out count, and each launch with the whole
    /// capacity of its type, overhead included. A pool that is over a limit already launches
    /// nothing. Of a static pool `nodes` alone can be limited.
    ///
    /// A limit on a resource that no type has limits nothing, and a
    /// [warning](crate::model::Warning) says so.
    #[must_use]
    pub fn with_limits(mut self, limits: Resources) -> Self {
        self.limits = limits;
        self
    }

    /// Makes it a static pool of this many nodes, whatever the pods ask for.
    ///
    /// What it lacks is launched first, of the types and zones that hold the pending pods best; no
    /// pod's need adds to it, and consolidation only replaces its nodes one for one when they have
    /// drifted or expired. It has no weight.
    ///
    /// Karpenter's static capacity (`spec.replicas` of a `NodePool`).
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{InstanceType, NodePool, Offering, Options, Problem, Resources};
    ///
    /// let small = InstanceType::new("small", Resources::parse([("pods", "9")])?)
    ///     .with_offering(Offering::on_demand("a", "0.1".parse()?));
    /// let parts = Problem::builder().instance_type(small);
    /// let problem = parts.node_pool(NodePool::new("base").with_replicas(2)).build()?;
    /// let plan = plimsoll::provision(&problem, &Options::default())?;
    /// assert_eq!(plan.launches().len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_replicas(mut self, replicas: u32) -> Self {
        self.replicas = Some(replicas);
        self
    }

    /// Sets when and how fast nodes may be disrupted: policy, delay and budgets, as Karpenter's
    /// `spec.disruption` has them.
    #[must_use]
    pub fn with_disruption(mut self, disruption: Disruption) -> Self {
        self.disruption = disruption;
        self
    }

    /// States how long a node may drain before its pods are ended.
    ///
    /// Pods that may not be disrupted, by their own word or by a disruption budget, hold up the
    /// replacement of a drifted node only where there is no such end.
    ///
    /// Karpenter's `spec.template.spec.terminationGracePeriod`. By default there is no such end.
    #[must_use]
    pub fn with_termination_grace_period(mut self, duration: TimeSpan) -> Self {
        self.termination_grace_period = Some(duration);
        self
    }

    /// States how long a node may live, as Karpenter's `expireAfter` does.
    ///
    /// How much of that is left of a node,
    /// [`Node::with_lifetime_remaining`](super::Node::with_lifetime_remaining) says: there is no
    /// clock in here. It is handed on with each launch.
    ///
    /// Karpenter's default is 720 hours; nothing is assumed here.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::NodePool;
    /// use plimsoll::model::{Delay, TimeSpan};
    ///
    /// let monthly = NodePool::new("default").with_expire_after(TimeSpan::from_hours(720));
    /// let never = NodePool::new("stable").with_expire_after(Delay::Never);
    /// assert!(monthly.expire_after() < never.expire_after());
    /// ```
    #[must_use]
    pub fn with_expire_after(mut self, lifetime: impl Into<Delay>) -> Self {
        self.expire_after = Some(lifetime.into());
        self
    }

    /// The name, and the value of the label `karpenter.sh/nodepool`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The weight: higher is filled first.
    #[must_use]
    pub fn weight(&self) -> i32 {
        self.weight
    }

    /// The labels of every node.
    #[must_use]
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The taints of every node.
    ///
    /// Without the startup taints.
    #[must_use]
    pub fn taints(&self) -> &[Taint] {
        &self.taints
    }

    /// The taints that nodes have only while they start.
    #[must_use]
    pub fn startup_taints(&self) -> &[Taint] {
        &self.startup_taints
    }

    /// The conditions on what may be bought.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// The types it may buy; `None`: every type.
    ///
    /// `None`: every type of the problem; an empty list: none.
    #[must_use]
    pub fn instance_types(&self) -> Option<&[Arc<str>]> {
        self.instance_types.as_deref()
    }

    /// The limits on the capacity of all nodes together, by resource.
    #[must_use]
    pub fn limits(&self) -> &Resources {
        &self.limits
    }

    /// How many nodes a static pool has; `None` for others.
    #[must_use]
    pub fn replicas(&self) -> Option<u32> {
        self.replicas
    }

    /// When and how fast nodes may be disrupted.
    #[must_use]
    pub fn disruption(&self) -> &Disruption {
        &self.disruption
    }

    /// How long a node may drain before its pods are ended; `None`: without an end.
    #[must_use]
    pub fn termination_grace_period(&self) -> Option<TimeSpan> {
        self.termination_grace_period
    }

    /// How long a node may live; `None` where nothing is said of it.
    #[must_use]
    pub fn expire_after(&self) -> Option<Delay> {
        self.expire_after
    }
}
