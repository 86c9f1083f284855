//! Which objects are read, and which play no part in where pods go.
//!
//! What an object is follows from its kind and the group of its `apiVersion`; the version hardly
//! matters, since fields are read by name and those that a version doesn't have aren't there. There
//! are five answers:
//!
//! | answer | what becomes of the object |
//! |---|---|
//! | a kind that is read | it is converted, with notes or refusals about its fields |
//! | irrelevant | a note: nothing of it bears on where pods go |
//! | a cloud's node class | a note, and a refusal where it changes what nodes have |
//! | another, which makes pods | a refusal: its pods would be missing |
//! | another | a note |
//!
//! A group that nobody here knows could hold anything, so it is asked for containers: what has
//! those makes pods.

use crate::model::document::value::Value;

/// What an object is, as far as it matters here.
///
/// A kind of several groups (`Deployment` of `apps` and of `extensions`) is one of these; kinds of
/// one name and other groups (`Service` of Knative) aren't.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum ObjectKind {
    Pod,
    Node,
    Deployment,
    ReplicaSet,
    ReplicationController,
    StatefulSet,
    DaemonSet,
    Job,
    CronJob,
    DisruptionBudget,
    Namespace,
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
    CsiNode,
    PriorityClass,
    RuntimeClass,
    LimitRange,
    HorizontalPodAutoscaler,
    PodTemplate,
    CapacityBuffer,
    Service,
    NodePool,
    NodeClaim,
    NodeOverlay,
    Provisioner,
    /// A cloud's part of a node pool, such as `EC2NodeClass`.
    NodeClass,
    /// A group of machines of one type that Cluster Autoscaler can scale.
    MachineGroup,
    /// Known, and without a part in where pods go.
    Irrelevant,
    /// Nothing is known of it.
    Other,
}

/// Kinds that are read, with their groups; a group ends before the version.
///
/// The readers of each stand in the file called by it; [`kind_of`] is the only one who asks here.
const READ: [(&str, &str, ObjectKind); 32] = [
    ("", "Pod", ObjectKind::Pod),
    ("", "Node", ObjectKind::Node),
    ("", "ReplicationController", ObjectKind::ReplicationController),
    ("", "Namespace", ObjectKind::Namespace),
    ("", "PersistentVolume", ObjectKind::PersistentVolume),
    ("", "PersistentVolumeClaim", ObjectKind::PersistentVolumeClaim),
    ("", "PodTemplate", ObjectKind::PodTemplate),
    ("", "LimitRange", ObjectKind::LimitRange),
    ("", "Service", ObjectKind::Service),
    ("apps", "Deployment", ObjectKind::Deployment),
    ("apps", "ReplicaSet", ObjectKind::ReplicaSet),
    ("apps", "StatefulSet", ObjectKind::StatefulSet),
    ("apps", "DaemonSet", ObjectKind::DaemonSet),
    ("extensions", "Deployment", ObjectKind::Deployment),
    ("extensions", "ReplicaSet", ObjectKind::ReplicaSet),
    ("extensions", "DaemonSet", ObjectKind::DaemonSet),
    ("batch", "Job", ObjectKind::Job),
    ("batch", "CronJob", ObjectKind::CronJob),
    ("policy", "PodDisruptionBudget", ObjectKind::DisruptionBudget),
    ("storage.k8s.io", "StorageClass", ObjectKind::StorageClass),
    ("storage.k8s.io", "CSINode", ObjectKind::CsiNode),
    ("scheduling.k8s.io", "PriorityClass", ObjectKind::PriorityClass),
    ("node.k8s.io", "RuntimeClass", ObjectKind::RuntimeClass),
    ("autoscaling", "HorizontalPodAutoscaler", ObjectKind::HorizontalPodAutoscaler),
    ("autoscaling.x-k8s.io", "CapacityBuffer", ObjectKind::CapacityBuffer),
    ("karpenter.sh", "NodePool", ObjectKind::NodePool),
    ("karpenter.sh", "NodeClaim", ObjectKind::NodeClaim),
    ("karpenter.sh", "NodeOverlay", ObjectKind::NodeOverlay),
    ("karpenter.sh", "Provisioner", ObjectKind::Provisioner),
    ("machine.openshift.io", "MachineSet", ObjectKind::MachineGroup),
    ("cluster.x-k8s.io", "MachineSet", ObjectKind::MachineGroup),
    ("cluster.x-k8s.io", "MachineDeployment", ObjectKind::MachineGroup),
];

/// Groups of the API of which nothing bears on where the pods go that are made already; policies
/// may change those that are to be made.
///
/// An object of one of these is noted, whatever its kind.
const IRRELEVANT_GROUPS: [&str; 19] = [
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "certificates.k8s.io",
    "constraints.gatekeeper.sh",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "gateway.networking.k8s.io",
    "internal.apiserver.k8s.io",
    "kyverno.io",
    "metrics.k8s.io",
    "networking.k8s.io",
    "rbac.authorization.k8s.io",
    "snapshot.storage.k8s.io",
    "templates.gatekeeper.sh",
];

/// Kinds of the groups that are read, without a part in where pods go.
const IRRELEVANT: [(&str, &str); 14] = [
    ("", "Binding"),
    ("", "ComponentStatus"),
    ("", "ConfigMap"),
    ("", "Endpoints"),
    ("", "Event"),
    ("", "Secret"),
    ("", "ServiceAccount"),
    ("apps", "ControllerRevision"),
    ("policy", "PodSecurityPolicy"),
    ("extensions", "Ingress"),
    ("extensions", "NetworkPolicy"),
    ("storage.k8s.io", "CSIDriver"),
    ("storage.k8s.io", "VolumeAttachment"),
    // It repeats the pods of a job that is there as well.
    ("kueue.x-k8s.io", "Workload"),
];

/// Kinds of which a controller that isn't Kubernetes' own makes pods.
///
/// Their pods don't show in the object as containers, so their names are kept.
const OPERATED: [&str; 22] = [
    "Alertmanager",
    "ApmServer",
    "Beat",
    "Elasticsearch",
    "EnterpriseSearch",
    "Kafka",
    "KafkaBridge",
    "KafkaConnect",
    "KafkaMirrorMaker",
    "KafkaMirrorMaker2",
    "KafkaNodePool",
    "Kibana",
    "Logstash",
    "Prometheus",
    "PrometheusAgent",
    "RayCluster",
    "RayJob",
    "RayService",
    "ScheduledSparkApplication",
    "SparkApplication",
    "StrimziPodSet",
    "ThanosRuler",
];

/// Clouds' groups with the node classes of Karpenter's providers.
const NODE_CLASSES: [&str; 6] = [
    "EC2NodeClass",
    "AWSNodeTemplate",
    "GCENodeClass",
    "AKSNodeClass",
    "KWOKNodeClass",
    "NodeClass",
];

/// The group of an `apiVersion`: what is before the slash, nothing for the core's.
///
/// `apps/v1` is of `apps`, `v1` of the core.
pub(super) fn group_of(api_version: &str) -> &str {
    api_version.rsplit_once('/').map_or("", |(group, _)| group)
}

/// What an object is; one that doesn't say its version is of the group that its kind is known in.
///
/// The lists are looked through from the front: a few dozen comparisons of short texts for each
/// object.
pub(super) fn kind_of(api_version: Option<&str>, kind: &str) -> ObjectKind {
    let group = api_version.map(group_of);
    let is = |of: &str, named: &str| named == kind && group.is_none_or(|group| group == of);
    if let Some((.., found)) = READ.iter().find(|(of, named, _)| is(of, named)) {
        return *found;
    }
    if IRRELEVANT.iter().any(|(of, named)| is(of, named)) {
        return ObjectKind::Irrelevant;
    }
    match group {
        Some(group) if IRRELEVANT_GROUPS.contains(&group) => ObjectKind::Irrelevant,
        Some(group) if group.contains("karpenter") || group.starts_with("eks.amazonaws.com") => {
            if NODE_CLASSES.contains(&kind) {
                ObjectKind::NodeClass
            } else {
                ObjectKind::Other
            }
        }
        _ => ObjectKind::Other,
    }
}

/// Whether a controller that isn't here makes pods of an object: its kind is known for that, or
/// there are containers in it.
pub(super) fn makes_pods(kind: &str, tree: &Value<'_>) -> bool {
    OPERATED.contains(&kind) || tree.get("spec").is_some_and(has_containers)
}

/// Whether a list called `containers` is in a tree, which is no deeper than documents may be.
fn has_containers(tree: &Value<'_>) -> bool {
    match tree {
        Value::List(items) => items.iter().any(has_containers),
        Value::Map(entries) => entries.iter().any(|(key, value)| {
            key == "containers" && matches!(value, Value::List(_)) || has_containers(value)
        }),
        _ => false,
    }
}
