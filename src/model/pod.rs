//! Pods, pending, bound and of daemon sets.

use super::list::List;
use super::{
    Affinity, Labels, NodeSelectorTerm, Placeholder, Resources, Toleration,
    TopologySpreadConstraint,
};
use std::sync::Arc;

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
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Pod {
    pub(crate) name: Arc<str>,
    pub(crate) namespace: Arc<str>,
    pub(crate) replicas: u32,
    pub(crate) labels: Labels,
    pub(crate) annotations: Labels,
    /// What one pod requests; of the resource `pods` it takes one besides.
    pub(crate) requests: Resources,
    pub(crate) node_selector: Labels,
    pub(crate) affinity: Option<Arc<Affinity>>,
    pub(crate) tolerations: List<Toleration>,
    pub(crate) topology_spread_constraints: List<TopologySpreadConstraint>,
    pub(crate) host_ports: List<HostPort>,
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

/// A port of the node that a pod takes.
///
/// # Examples
/// ```
/// use plimsoll::Pod;
/// use plimsoll::model::{HostPort, Protocol};
///
/// let dns = HostPort::new(53).with_protocol(Protocol::Udp);
/// assert_eq!(&*Pod::new("dns").with_host_port(dns).host_ports()[0].host_ip, "0.0.0.0");
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct HostPort {
    /// 1 to 65535.
    pub port: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// The address; "0.0.0.0" and "::" mean all of the node's, and so does an empty one.
    pub host_ip: Arc<str>,
}

/// The protocol of a port.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Protocol {
    /// The stream control transmission protocol.
    Sctp,
    /// The transmission control protocol.
    #[default]
    Tcp,
    /// The user datagram protocol.
    Udp,
}

/// A volume that a pod mounts.
///
/// # Examples
/// ```
/// use plimsoll::Pod;
/// use plimsoll::model::Volume;
///
/// // The pod can only run where its disk is.
/// let disk = Volume::new("ebs.csi.aws.com", "vol-1").with_zone("us-east-1a");
/// assert_eq!(Pod::new("db-0").with_volume(disk).volumes().len(), 1);
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Volume {
    /// The storage driver, by which nodes limit attachments.
    pub driver: Arc<str>,
    /// Which volume: pods that name the same one share it.
    pub id: Arc<str>,
    /// The zones from which it can be reached; empty means all.
    pub zones: Vec<Arc<str>>,
    /// The nodes from which it can be reached, as a persistent volume's node affinity has them: one
    /// of these terms must hold; none means all nodes.
    pub node_selector_terms: Vec<NodeSelectorTerm>,
}

impl Pod {
    /// One pending pod of the namespace "default" that asks for nothing but its place.
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
    pub(crate) fn entry_name(&self) -> Arc<str> {
        let star = if self.replicas > 1 { "-*" } else { "" };
        format!("{}/{}{star}", self.namespace, self.name).into()
    }

    /// Shares with another pod the memory of what both have in common.
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
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Puts the pod in a namespace, `default` unless this says otherwise.
    ///
    /// Rules between pods mean those of their own namespace unless they name others.
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<Arc<str>>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Makes it so many identical pods, `name-0` to `name-(n-1)`, at most 10,000,000.
    ///
    /// One entry of a thousand replicas takes as much room and time as one of a single pod.
    #[must_use]
    pub fn with_replicas(mut self, replicas: u32) -> Self {
        self.replicas = replicas;
        self
    }

    /// Sets a label, in the place of one with this key.
    ///
    /// Only selectors read it: those of spreads, affinity and anti-affinity, and of disruption
    /// budgets.
    #[must_use]
    pub fn with_label(mut self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        let _former = self.labels.insert(key, value);
        self
    }

    /// Sets an annotation, in the place of one with this key; none but [`Placeholder::ANNOTATION`]
    /// means anything here.
    #[must_use]
    pub fn with_annotation(mut self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        let _former = self.annotations.insert(key, value);
        self
    }

    /// Makes it a placeholder, a pod that only keeps room free: sets the annotation
    /// [`Placeholder::ANNOTATION`].
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
    #[must_use]
    pub fn with_requests(mut self, requests: Resources) -> Self {
        self.requests = requests;
        self
    }

    /// Asks for a node with exactly this label; each further one must hold as well.
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
    #[must_use]
    pub fn with_toleration(mut self, toleration: Toleration) -> Self {
        self.tolerations.to_mut().push(toleration);
        self
    }

    /// Adds a topology spread constraint; one for each pair of key and `whenUnsatisfiable`.
    ///
    /// With `DoNotSchedule` no plan breaks it, and each plan can be bound in an order in which
    /// kube-scheduler accepts every pod; with `ScheduleAnyway` it is a preference.
    #[must_use]
    pub fn with_topology_spread_constraint(mut self, constraint: TopologySpreadConstraint) -> Self {
        self.topology_spread_constraints.to_mut().push(constraint);
        self
    }

    /// Takes a port of the node: no other pod there can take the same one.
    #[must_use]
    pub fn with_host_port(mut self, port: HostPort) -> Self {
        self.host_ports.to_mut().push(port);
        self
    }

    /// Mounts a volume: the pod goes only where that can be reached, and takes one of the node's
    /// attachments of its driver unless a pod there shares it.
    #[must_use]
    pub fn with_volume(mut self, volume: Volume) -> Self {
        self.volumes.to_mut().push(volume);
        self
    }

    /// States what it will request once it is evicted and created anew, where that is something
    /// else, such as the target of a vertical autoscaler.
    ///
    /// A running pod takes its requests where it is; moved, it needs room for these.
    #[must_use]
    pub fn with_recreated_requests(mut self, requests: Resources) -> Self {
        self.recreated_requests = Some(requests);
        self
    }

    /// Sets the priority: higher is placed first, and none stays out whose place pods of a lower
    /// priority hold. Running pods aren't preempted.
    #[must_use]
    pub fn with_priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Binds the pod to a node of the problem, where it runs already: it isn't placed again, takes
    /// its room, and its rules bind those that come. Consolidation may move it.
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
    #[must_use]
    pub fn with_owner_kind(mut self, kind: impl Into<Arc<str>>) -> Self {
        self.owner_kind = Some(kind.into());
        self
    }

    /// Says whether the pod may not be disrupted (`karpenter.sh/do-not-disrupt`): a running one
    /// holds its node, unless that has drifted or expired and its pool gives pods a time to end.
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

    /// The name, or with replicas the stem of their names.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// How many identical pods it stands for.
    #[must_use]
    pub fn replicas(&self) -> u32 {
        self.replicas
    }

    /// The labels.
    #[must_use]
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The annotations.
    #[must_use]
    pub fn annotations(&self) -> &Labels {
        &self.annotations
    }

    /// What it may use, if it is a placeholder; `None` for a pod that is meant to run.
    #[must_use]
    pub fn placeholder(&self) -> Option<Placeholder> {
        // The annotation is the only place where this is kept, so that nothing can contradict it.
        Placeholder::from_word(self.annotations.get(Placeholder::ANNOTATION)?)
    }

    /// The whole pod's effective request, without the implied one of `pods`.
    #[must_use]
    pub fn requests(&self) -> &Resources {
        &self.requests
    }

    /// The labels that its node must have.
    #[must_use]
    pub fn node_selector(&self) -> &Labels {
        &self.node_selector
    }

    /// The affinity rules.
    #[must_use]
    pub fn affinity(&self) -> Option<&Affinity> {
        self.affinity.as_deref()
    }

    /// The tolerations.
    #[must_use]
    pub fn tolerations(&self) -> &[Toleration] {
        &self.tolerations
    }

    /// The topology spread constraints.
    #[must_use]
    pub fn topology_spread_constraints(&self) -> &[TopologySpreadConstraint] {
        &self.topology_spread_constraints
    }

    /// The ports of the node that it takes.
    #[must_use]
    pub fn host_ports(&self) -> &[HostPort] {
        &self.host_ports
    }

    /// The volumes it mounts.
    #[must_use]
    pub fn volumes(&self) -> &[Volume] {
        &self.volumes
    }

    /// What it will request once it is evicted and created anew.
    #[must_use]
    pub fn recreated_requests(&self) -> &Resources {
        self.recreated_requests.as_ref().unwrap_or(&self.requests)
    }

    /// The priority: higher is placed first.
    #[must_use]
    pub fn priority(&self) -> i32 {
        self.priority
    }

    /// The node it is bound to; `None` while it is pending.
    #[must_use]
    pub fn node_name(&self) -> Option<&str> {
        self.node_name.as_deref()
    }

    /// The kind of its owner; `None` for a bare pod.
    #[must_use]
    pub fn owner_kind(&self) -> Option<&str> {
        self.owner_kind.as_deref()
    }

    /// Whether it may not be disrupted.
    #[must_use]
    pub fn do_not_disrupt(&self) -> bool {
        self.do_not_disrupt
    }

    /// The cost of deleting it, compared among pods.
    #[must_use]
    pub fn deletion_cost(&self) -> i32 {
        self.deletion_cost
    }
}

impl Protocol {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sctp => "SCTP",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

impl HostPort {
    /// A TCP port on all of the node's addresses.
    #[must_use]
    pub fn new(port: u16) -> Self {
        Self { port, protocol: Protocol::Tcp, host_ip: "0.0.0.0".into() }
    }

    /// Sets the protocol.
    #[must_use]
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Takes the port on one address only.
    #[must_use]
    pub fn with_host_ip(mut self, host_ip: impl Into<Arc<str>>) -> Self {
        self.host_ip = host_ip.into();
        self
    }
}

impl Volume {
    /// A volume that can be reached from every zone.
    #[must_use]
    pub fn new(driver: impl Into<Arc<str>>, id: impl Into<Arc<str>>) -> Self {
        Self {
            driver: driver.into(),
            id: id.into(),
            zones: Vec::new(),
            node_selector_terms: Vec::new(),
        }
    }

    /// Adds a zone from which it can be reached.
    #[must_use]
    pub fn with_zone(mut self, zone: impl Into<Arc<str>>) -> Self {
        self.zones.push(zone.into());
        self
    }

    /// Adds an alternative of the nodes from which it can be reached.
    #[must_use]
    pub fn with_node_selector_term(mut self, term: NodeSelectorTerm) -> Self {
        self.node_selector_terms.push(term);
        self
    }
}

/// Takes another text's memory where both say the same.
fn share_text(own: &mut Arc<str>, other: &Arc<str>) {
    if own == other {
        own.clone_from(other);
    }
}
