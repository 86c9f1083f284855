//! Pods, pending, bound and of daemon sets.
//!
//! A [`Pod`] is what a plan has to place. The same type serves three lists of a problem, which
//! differ in what a pod means there:
//!
//! | list | the pod | [`node_name`](Pod::node_name) |
//! |---|---|---|
//! | `pods`, pending | is placed by the plan, or left out with reasons | none |
//! | `pods`, bound | runs already: it takes its room, and its rules bind newcomers | the node |
//! | `daemonSets` | is the pod that runs once on every node that admits it | none, and one replica |
//!
//! Fields are Kubernetes' own, flattened: what stands under `metadata` and `spec` of an object
//! stands in one place here. Only what bears on a placement is kept. What a scheduler doesn't read
//! (images, probes, environment, service accounts) has no field, so pods that differ in nothing
//! else are equal here, and a plan treats them as one class.
//!
//! Lists are shared between clones ([`List`]), so a million pods of one
//! deployment hold their labels, tolerations and spreads once.

mod fields;
mod host_port;
mod volume;

use super::list::List;
use super::{Affinity, Labels, Placeholder, Resources, Toleration, TopologySpreadConstraint};
pub use host_port::{HostPort, Protocol};
use std::sync::Arc;
pub use volume::Volume;

/// A pod, or `replicas` identical ones.
///
/// With more than one replica the pods are named `name-0` to `name-(n-1)`.
///
/// # Examples
/// ```
/// use plimsoll::{Pod, Resources};
///
/// let web = Pod::new("web")
///     .with_replicas(3)
///     .with_label("app", "web")
///     .with_requests(Resources::parse([("cpu", "250m"), ("memory", "1Gi")])?);
/// assert_eq!(web.namespace(), "default");
/// # Ok::<(), plimsoll::model::ParseResourcesError>(())
/// ```
///
/// A pod is built from [`Pod::new`] and `with_…` methods, each of which says one more thing about
/// it. Nothing is checked until [`build`](crate::model::ProblemBuilder::build), which reports every
/// fault of every part at once. In a built problem lists are sorted and outdated label keys are
/// replaced by current ones, so what [`Problem::pods`](crate::Problem::pods) shows may differ in
/// form from what was given, never in meaning.
///
/// # What is checked
///
/// | field | what is allowed |
/// |---|---|
/// | name, namespace | 1 to 253 characters without `/`, white space and control characters; unique, replicas' names included |
/// | replicas | 1 to 10,000,000, and no more in a problem altogether; of daemon sets 1 |
/// | labels, selectors | Kubernetes' syntax of keys and values |
/// | requests | names of resources in the syntax of label keys; of `pods` none or 1; none of `nodes` |
/// | affinity, spreads, tolerations | as the API server validates them |
/// | host ports | 1 to 65535, an IP address or none, each port once |
/// | volumes | a driver and an id |
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Pod {
    pub(crate) name: Arc<str>,
    pub(crate) namespace: Arc<str>,
    pub(crate) replicas: u32,
    pub(crate) labels: Labels,
    pub(crate) annotations: Labels,
    /// What one pod requests; of the resource `pods` it takes one besides.
    ///
    /// Kept as given; what is compared is rounded up in whole counting units (`cpu` in millicores).
    pub(crate) requests: Resources,
    pub(crate) node_selector: Labels,
    /// `None` rather than an affinity without rules, once the problem is built.
    pub(crate) affinity: Option<Arc<Affinity>>,
    /// Sorted in a built problem: their order has no meaning.
    pub(crate) tolerations: List<Toleration>,
    /// In the order given, which numbers them in reasons.
    pub(crate) topology_spread_constraints: List<TopologySpreadConstraint>,
    /// Sorted and without repetition in a built problem.
    pub(crate) host_ports: List<HostPort>,
    /// Sorted in a built problem.
    pub(crate) volumes: List<Volume>,
    /// `None`: what it requests now.
    pub(crate) recreated_requests: Option<Resources>,
    /// Higher is placed first where not all can be.
    pub(crate) priority: i32,
    /// The node that it is bound to.
    pub(crate) node_name: Option<Arc<str>>,
    /// The kind of its controller; `None` of a bare pod.
    pub(crate) owner_kind: Option<Arc<str>>,
    /// Whether consolidation leaves its node alone.
    pub(crate) do_not_disrupt: bool,
    /// Which of equal pods is rather moved: the one with the lower cost.
    pub(crate) deletion_cost: i32,
}

impl Pod {
    /// One pending pod of the namespace "default" that asks for nothing but its place.
    ///
    /// It requests nothing but one of the resource `pods`, has no rules, priority 0 and no owner.
    /// Such a pod can go to any node without taints that still takes a pod.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Pod;
    ///
    /// let pod = Pod::new("web");
    /// assert_eq!((pod.namespace(), pod.replicas(), pod.priority()), ("default", 1, 0));
    /// assert!(pod.requests().is_empty() && pod.node_name().is_none());
    /// ```
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            namespace: "default".into(),
            replicas: 1,
            labels: Labels::new(),
            annotations: Labels::new(),
            requests: Resources::new(),
            node_selector: Labels::new(),
            affinity: None,
            tolerations: List::new(),
            topology_spread_constraints: List::new(),
            host_ports: List::new(),
            volumes: List::new(),
            recreated_requests: None,
            priority: 0,
            node_name: None,
            owner_kind: None,
            do_not_disrupt: false,
            deletion_cost: 0,
        }
    }

    /// What certificates call the entry: "namespace/name" of a single pod, "namespace/name-*" of
    /// replicas, of which no single pod can have the name.
    ///
    /// `*` can't occur in a Kubernetes name, so the name of a set never meets that of a pod.
    pub(crate) fn entry_name(&self) -> Arc<str> {
        let star = if self.replicas > 1 { "-*" } else { "" };
        format!("{}/{}{star}", self.namespace, self.name).into()
    }

    /// Shares with another pod the memory of what both have in common.
    ///
    /// Equality isn't changed, only who owns the bytes. Called for neighbours in a list, where pods
    /// of one deployment stand; cost is one comparison of each field.
    pub(crate) fn share(&mut self, other: &Self) {
        let Self { namespace, labels, annotations, requests, node_selector, affinity, .. } = self;
        share_text(namespace, &other.namespace);
        labels.share(&other.labels);
        annotations.share(&other.annotations);
        node_selector.share(&other.node_selector);
        requests.share(&other.requests);
        if *affinity == other.affinity {
            affinity.clone_from(&other.affinity);
        }
        self.tolerations.share(&other.tolerations);
        self.topology_spread_constraints.share(&other.topology_spread_constraints);
        self.host_ports.share(&other.host_ports);
        self.volumes.share(&other.volumes);
        let texts =
            [(&mut self.owner_kind, &other.owner_kind), (&mut self.node_name, &other.node_name)];
        for (own, other) in texts {
            if let (Some(own), Some(other)) = (own, other) {
                share_text(own, other);
            }
        }
    }

    /// The same pod under another name.
    ///
    /// In a problem no two pods of one namespace have one name; those of replicas count.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Pod;
    ///
    /// // One description, three pods that can be told apart.
    /// let pods: Vec<Pod> = ["a", "b", "c"].map(|name| Pod::new("web").with_name(name)).into();
    /// assert_eq!(pods[2].name(), "c");
    /// ```
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Puts the pod in a namespace, `default` unless this says otherwise.
    ///
    /// Rules between pods mean those of their own namespace unless they name others.
    ///
    /// A namespace need not be listed in the problem; it has to be, with its labels, where a
    /// `namespaceSelector` is to find it ([`Namespace`](crate::model::Namespace)).
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<Arc<str>>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Makes it so many identical pods, `name-0` to `name-(n-1)`, at most 10,000,000.
    ///
    /// One entry of a thousand replicas takes as much room and time as one of a single pod.
    ///
    /// Replicas are told apart in the plan only by their numbers: which of them goes where is
    /// decided in the order of those. In a plan's bindings and reasons a set of `n` replicas called
    /// `web` appears as `web-0` to `web-(n-1)`, and no other pod of the namespace may have one of
    /// these names.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Pod, Problem};
    ///
    /// let clash = Problem::builder().pod(Pod::new("web").with_replicas(3)).pod(Pod::new("web-1"));
    /// assert!(clash.build().unwrap_err().to_string().contains("a replica of \"web\""));
    /// ```
    #[must_use]
    pub fn with_replicas(mut self, replicas: u32) -> Self {
        self.replicas = replicas;
        self
    }

    /// Sets a label, in the place of one with this key.
    ///
    /// Only selectors read it: those of spreads, affinity and anti-affinity, and of disruption
    /// budgets.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Pod;
    ///
    /// let web = Pod::new("web").with_label("app", "web").with_label("app", "shop");
    /// assert_eq!(web.labels().get("app").map(|value| &**value), Some("shop"));
    /// assert_eq!(web.labels().len(), 1);
    /// ```
    #[must_use]
    pub fn with_label(mut self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        let _former = self.labels.insert(key, value);
        self
    }

    /// Sets an annotation, in the place of one with this key; none but [`Placeholder::ANNOTATION`]
    /// means anything here.
    ///
    /// Others are carried along unread; a controller may keep there what it wants to find again.
    #[must_use]
    pub fn with_annotation(mut self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        let _former = self.annotations.insert(key, value);
        self
    }

    /// Makes it a placeholder, a pod that only keeps room free: sets the annotation
    /// [`Placeholder::ANNOTATION`].
    ///
    /// A placeholder is pending: a bound one or one of a daemon set is refused when the problem is
    /// built. How many placeholders to state is worked out by [`Headroom`](crate::model::Headroom)
    /// and [`Forecast`](crate::model::Forecast).
    #[must_use]
    pub fn with_placeholder(self, placeholder: Placeholder) -> Self {
        self.with_annotation(Placeholder::ANNOTATION, placeholder.as_str())
    }

    /// States the whole pod's effective request; one of the resource `pods` is implied.
    ///
    /// That isn't the sum over its containers: init containers, sidecars, the pod's own resources
    /// and its overhead bear on it; what the feature `k8s` reads from Kubernetes' objects is worked
    /// out as kube-scheduler does it. Amounts are rounded up to whole millicores of `cpu` and to
    /// whole units of everything else.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Pod, Resources};
    ///
    /// let gpu = Resources::parse([("cpu", "4"), ("memory", "16Gi"), ("nvidia.com/gpu", "1")])?;
    /// let pod = Pod::new("training").with_requests(gpu);
    /// assert_eq!(pod.requests().get("memory"), Some("16Gi".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_requests(mut self, requests: Resources) -> Self {
        self.requests = requests;
        self
    }

    /// Asks for a node with exactly this label; each further one must hold as well.
    ///
    /// Kubernetes' `spec.nodeSelector`. A second value for a key replaces the first. A node without
    /// the label doesn't match, so a label that no type, pool or node states leaves the pod without
    /// a place, and the plan's reason says so.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Pod;
    ///
    /// let pod = Pod::new("web").with_node_selector("kubernetes.io/arch", "arm64");
    /// assert_eq!(pod.node_selector().len(), 1);
    /// ```
    #[must_use]
    pub fn with_node_selector(
        mut self,
        key: impl Into<Arc<str>>,
        value: impl Into<Arc<str>>,
    ) -> Self {
        let _former = self.node_selector.insert(key, value);
        self
    }

    /// Sets the affinity rules, in the place of those that were set before.
    ///
    /// Required ones are kept in every plan, and what is preferred as far as
    /// [`Options::preferences`](crate::Options) says.
    #[must_use]
    pub fn with_affinity(mut self, affinity: Affinity) -> Self {
        self.affinity = Some(Arc::new(affinity));
        self
    }

    /// Adds a toleration: one of them must speak of each taint that keeps pods away.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Pod;
    /// use plimsoll::model::{Effect, Toleration};
    ///
    /// let job = Pod::new("job")
    ///     .with_toleration(Toleration::equal("team", "batch").with_effect(Effect::NoSchedule))
    ///     .with_toleration(Toleration::exists("node.kubernetes.io/disk-pressure"));
    /// assert_eq!(job.tolerations().len(), 2);
    /// ```
    #[must_use]
    pub fn with_toleration(mut self, toleration: Toleration) -> Self {
        self.tolerations.to_mut().push(toleration);
        self
    }

    /// Adds a topology spread constraint; one for each pair of key and `whenUnsatisfiable`.
    ///
    /// With `DoNotSchedule` no plan breaks it, and each plan can be bound in an order in which
    /// kube-scheduler accepts every pod; with `ScheduleAnyway` it is a preference.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Pod;
    /// use plimsoll::model::{LabelSelector, TopologySpreadConstraint, WhenUnsatisfiable};
    ///
    /// // Hard over zones, a wish over hosts.
    /// let of_app = LabelSelector::new().with_label("app", "web");
    /// let over = |key, when| {
    ///     TopologySpreadConstraint::new(1, key, when).with_label_selector(of_app.clone())
    /// };
    /// let web = Pod::new("web")
    ///     .with_label("app", "web")
    ///     .with_topology_spread_constraint(over(
    ///         "topology.kubernetes.io/zone",
    ///         WhenUnsatisfiable::DoNotSchedule,
    ///     ))
    ///     .with_topology_spread_constraint(over(
    ///         "kubernetes.io/hostname",
    ///         WhenUnsatisfiable::ScheduleAnyway,
    ///     ));
    /// assert_eq!(web.topology_spread_constraints().len(), 2);
    /// ```
    #[must_use]
    pub fn with_topology_spread_constraint(mut self, constraint: TopologySpreadConstraint) -> Self {
        self.topology_spread_constraints.to_mut().push(constraint);
        self
    }

    /// Takes a port of the node: no other pod there can take the same one.
    ///
    /// Two pods conflict where port and protocol are the same and the addresses are, or one of them
    /// means all addresses. Replicas that take a port therefore need a node each.
    #[must_use]
    pub fn with_host_port(mut self, port: HostPort) -> Self {
        self.host_ports.to_mut().push(port);
        self
    }

    /// Mounts a volume: the pod goes only where that can be reached, and takes one of the node's
    /// attachments of its driver unless a pod there shares it.
    ///
    /// Volumes on which several pods agree (same driver and id) are attached once per node.
    #[must_use]
    pub fn with_volume(mut self, volume: Volume) -> Self {
        self.volumes.to_mut().push(volume);
        self
    }

    /// States what it will request once it is evicted and created anew, where that is something
    /// else, such as the target of a vertical autoscaler.
    ///
    /// A running pod takes its requests where it is; moved, it needs room for these.
    ///
    /// The field is this library's: Kubernetes has the target in a VerticalPodAutoscaler's
    /// `status.recommendation`, and applies it to pods as they are created.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Pod, Resources};
    ///
    /// let pod = Pod::new("db")
    ///     .with_node_name("n-1")
    ///     .with_requests(Resources::parse([("cpu", "2")])?)
    ///     .with_recreated_requests(Resources::parse([("cpu", "500m")])?);
    /// assert_eq!(pod.recreated_requests().get("cpu"), Some("500m".parse()?));
    /// // Without a word about it, a pod asks for the same again.
    /// let same = Pod::new("web").with_requests(Resources::parse([("cpu", "2")])?);
    /// assert_eq!(same.recreated_requests(), same.requests());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_recreated_requests(mut self, requests: Resources) -> Self {
        self.recreated_requests = Some(requests);
        self
    }

    /// Sets the priority: higher is placed first, and none stays out whose place pods of a lower
    /// priority hold. Running pods aren't preempted.
    ///
    /// The number of the pod's `PriorityClass`, 0 where it has none. Daemon sets' pods need none:
    /// their room is kept on every node that they run on.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Node, Options, Pod, Problem, Resources};
    ///
    /// // Room for one of two.
    /// let node = Node::new("n-1", Resources::parse([("cpu", "1"), ("pods", "9")])?);
    /// let one_cpu = Resources::parse([("cpu", "1")])?;
    /// let problem = Problem::builder()
    ///     .node(node)
    ///     .pod(Pod::new("batch").with_requests(one_cpu.clone()))
    ///     .pod(Pod::new("web").with_requests(one_cpu).with_priority(1000))
    ///     .build()?;
    /// let plan = plimsoll::provision(&problem, &Options::default())?;
    /// assert_eq!(&*plan.unschedulable()[0].pod, "default/batch");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Binds the pod to a node of the problem, where it runs already: it isn't placed again, takes
    /// its room, and its rules bind those that come. Consolidation may move it.
    ///
    /// Kubernetes' `spec.nodeName`, which the scheduler sets. The node has to be one of the
    /// problem. That the pods bound to a node fit there isn't asked: what runs, runs, and a node
    /// that is too full already takes nothing more.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Pod, Problem};
    ///
    /// let lost = Problem::builder().pod(Pod::new("web").with_node_name("n-9")).build();
    /// assert!(lost.unwrap_err().to_string().contains("\"n-9\" isn't a node of the problem"));
    /// ```
    #[must_use]
    pub fn with_node_name(mut self, node: impl Into<Arc<str>>) -> Self {
        self.node_name = Some(node.into());
        self
    }

    /// Names the kind of the pod's owner, such as "ReplicaSet" or "DaemonSet".
    ///
    /// Of bound pods it says what becomes of them when their node goes: a `DaemonSet`'s and a
    /// static pod (owned by its `Node`) go with it, any other owner's are created anew elsewhere,
    /// and a pod without an owner holds its node, unless
    /// [`bare_pods_move`](crate::ConsolidationOptions::bare_pods_move) says otherwise.
    ///
    /// Of pending pods it says nothing. The kind is `metadata.ownerReferences[].kind` of the
    /// reference that is the controller.
    #[must_use]
    pub fn with_owner_kind(mut self, kind: impl Into<Arc<str>>) -> Self {
        self.owner_kind = Some(kind.into());
        self
    }

    /// Says whether the pod may not be disrupted (`karpenter.sh/do-not-disrupt`): a running one
    /// holds its node, unless that has drifted or expired and its pool gives pods a time to end.
    ///
    /// Only consolidation reads it. It binds Karpenter's voluntary disruption, not the cloud's: a
    /// spot node that is taken back takes the pod with it.
    #[must_use]
    pub fn with_do_not_disrupt(mut self, yes: bool) -> Self {
        self.do_not_disrupt = yes;
        self
    }

    /// Sets the cost of deleting it (`controller.kubernetes.io/pod-deletion-cost`), 0 unless
    /// stated.
    ///
    /// With the priority it decides what moving the pod counts for, as in Karpenter: a cost of 2^27
    /// counts for one plain pod more. Consolidation weighs it where moves have a price or a pool
    /// balances.
    #[must_use]
    pub fn with_deletion_cost(mut self, cost: i32) -> Self {
        self.deletion_cost = cost;
        self
    }
}

/// Takes another text's memory where both say the same.
fn share_text(own: &mut Arc<str>, other: &Arc<str>) {
    if own == other {
        own.clone_from(other);
    }
}
