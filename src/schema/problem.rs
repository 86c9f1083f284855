//! The form of the problem document and of its parts.
//!
//! One constant for each object, with its fields in the order in which they are written, and one
//! for each field that several objects share (`NAME`, `LABELS_OF`, `TOLERATIONS`), so that it is
//! described once. Descriptions are what the guide prints and what an editor shows beside a field.

use super::form::Kind::{Boolean, List, Map, Number, Of, Price, Quantity, Text, Whole, Word};
use super::form::{Form, FormField, Kind, form, may, must};

pub(super) const COUNT: Kind = Whole(0, 0xffff_ffff);
const INTEGER: Kind = Whole(-0x8000_0000, 0x7fff_ffff);
const TEXTS: Kind = List(&Text);
pub(super) const CAPACITY_TYPE: Kind = Word(&["on-demand", "spot", "reserved"]);
pub(super) const LABELS: Kind = Map(&Text);
pub(super) const AMOUNTS: Kind = Map(&Quantity);
const WEIGHT: Kind = Whole(1, 100);
const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

pub(super) const PROBLEM: Form = form(
    "Problem",
    "Everything that a decision rests on",
    &[
        must("pods", List(&Of(&POD)), "pending pods, and pods bound to `nodes`"),
        must("instanceTypes", List(&Of(&INSTANCE_TYPE)), "what can be bought"),
        must("nodePools", List(&Of(&NODE_POOL)), "who may buy it, with what labels and limits"),
        may("nodes", List(&Of(&NODE)), "none", "capacity that runs already, or is on its way"),
        may("daemonSets", List(&Of(&DAEMON_SET)), "none", "what runs on every node that admits it"),
        may(
            "podDisruptionBudgets",
            List(&Of(&POD_DISRUPTION_BUDGET)),
            "none",
            "how many pods may be down; a consolidation keeps to it",
        ),
        may("namespaces", List(&Of(&NAMESPACE)), "none", "labels that `namespaceSelector` reads"),
    ],
);

pub(super) const POD: Form = form(
    "Pod",
    "A pod, or several identical ones",
    &[
        NAME,
        NAMESPACE_OF,
        may(
            "replicas",
            Whole(1, 0xffff_ffff),
            "1",
            "so many identical pods, called `name-0` and so on; a single one is called `name`",
        ),
        LABELS_OF,
        may("annotations", LABELS, "none", "read for placeholders alone"),
        REQUESTS,
        NODE_SELECTOR,
        AFFINITY_OF,
        TOLERATIONS,
        SPREADS,
        HOST_PORTS,
        VOLUMES,
        may(
            "recreatedRequests",
            AMOUNTS,
            "`requests`",
            "what a bound pod asks for once it is evicted and created anew",
        ),
        PRIORITY,
        may("nodeName", Text, "none: it is pending", "the node of `nodes` to which it is bound"),
        may("ownerKind", Text, "none: a bare pod", "`ReplicaSet`, `DaemonSet`, `Node`, `Job`, …"),
        may("doNotDisrupt", Boolean, "false", "`karpenter.sh/do-not-disrupt`"),
        may("deletionCost", INTEGER, "0", "`controller.kubernetes.io/pod-deletion-cost`"),
    ],
);

pub(super) const DAEMON_SET: Form = form(
    "DaemonSet",
    "The pod that a daemon set runs on every node that admits it",
    &[
        NAME,
        NAMESPACE_OF,
        LABELS_OF,
        may("annotations", LABELS, "none", "nobody reads them"),
        REQUESTS,
        NODE_SELECTOR,
        AFFINITY_OF,
        TOLERATIONS,
        SPREADS,
        HOST_PORTS,
        VOLUMES,
        may("recreatedRequests", AMOUNTS, "`requests`", "nobody reads them"),
        PRIORITY,
        may("ownerKind", Text, "none", "nobody reads it"),
        may("doNotDisrupt", Boolean, "false", "nobody reads it"),
        may("deletionCost", INTEGER, "0", "nobody reads it"),
    ],
);

const NAME: FormField =
    must("name", Text, "unique among its kind, and in its namespace if it has one");
const NAMESPACE_OF: FormField = may("namespace", Text, "`default`", "where it is");
const LABELS_OF: FormField = may("labels", LABELS, "none", "its labels");
const REQUESTS: FormField =
    may("requests", AMOUNTS, "none", "the whole pod's effective request; one of `pods` is implied");
const NODE_SELECTOR: FormField =
    may("nodeSelector", LABELS, "none", "labels that its node must have");
const AFFINITY_OF: FormField = may("affinity", Of(&AFFINITY), "none", "as in Kubernetes");
const TOLERATIONS: FormField =
    may("tolerations", List(&Of(&TOLERATION)), "none", "as in Kubernetes");
const SPREADS: FormField =
    may("topologySpreadConstraints", List(&Of(&SPREAD)), "none", "as in Kubernetes");
const HOST_PORTS: FormField =
    may("hostPorts", List(&Of(&HOST_PORT)), "none", "ports of its node that it takes");
const VOLUMES: FormField = may("volumes", List(&Of(&VOLUME)), "none", "what it mounts");
const PRIORITY: FormField = may("priority", INTEGER, "0", "higher is placed first");

pub(super) const AFFINITY: Form = form(
    "Affinity",
    "Rules that tie a pod to nodes, or to and from other pods",
    &[
        may("nodeAffinity", Of(&NODE_AFFINITY), "none", "rules about labels of nodes"),
        may("podAffinity", Of(&POD_AFFINITY), "none", "where certain pods are"),
        may("podAntiAffinity", Of(&POD_AFFINITY), "none", "where certain pods aren't"),
    ],
);

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

pub(super) const NODE_AFFINITY: Form = form(
    "NodeAffinity",
    "Rules about the labels of nodes",
    &[
        may(REQUIRED, Of(&NODE_SELECTOR_FORM), "none", "what must hold"),
        may(PREFERRED, List(&Of(&PREFERRED_TERM)), "none", "what should hold"),
    ],
);

const NODE_SELECTOR_FORM: Form = form(
    "NodeSelector",
    "Alternatives",
    &[must("nodeSelectorTerms", List(&Of(&TERM)), "one of them must hold")],
);

const PREFERRED_TERM: Form = form(
    "PreferredSchedulingTerm",
    "A preference about nodes",
    &[
        must("weight", WEIGHT, "what it counts for"),
        must("preference", Of(&TERM), "what should hold"),
    ],
);

pub(super) const TERM: Form = form(
    "NodeSelectorTerm",
    "Conditions, all of which must hold; without any it matches no node",
    &[
        may("matchExpressions", List(&Of(&REQUIREMENT)), "none", "conditions on labels"),
        may("matchFields", List(&Of(&REQUIREMENT)), "none", "conditions on `metadata.name`"),
    ],
);

pub(super) const POD_AFFINITY: Form = form(
    "PodAffinity",
    "Rules about the pods of a domain",
    &[
        may(REQUIRED, List(&Of(&POD_AFFINITY_TERM)), "none", "what must hold, all of it"),
        may(PREFERRED, List(&Of(&WEIGHTED_TERM)), "none", "what should hold"),
    ],
);

const WEIGHTED_TERM: Form = form(
    "WeightedPodAffinityTerm",
    "A preference about pods",
    &[
        must("weight", WEIGHT, "what it counts for"),
        must("podAffinityTerm", Of(&POD_AFFINITY_TERM), "what should hold"),
    ],
);

pub(super) const POD_AFFINITY_TERM: Form = form(
    "PodAffinityTerm",
    "A set of pods, and the domains in which they count",
    &[
        may("labelSelector", Of(&SELECTOR), "none: no pod", "which pods"),
        must("topologyKey", Text, "the node label whose values are the domains"),
        may("namespaces", TEXTS, "the pod's own", "namespaces by name"),
        may("namespaceSelector", Of(&SELECTOR), "none", "namespaces by label"),
        may("matchLabelKeys", TEXTS, "none", "labels that must be the pod's own"),
        may("mismatchLabelKeys", TEXTS, "none", "labels that must not be the pod's own"),
    ],
);

pub(super) const SELECTOR: Form = form(
    "LabelSelector",
    "A query over labels; without conditions it matches everything",
    &[
        may("matchLabels", LABELS, "none", "labels with exactly these values"),
        may("matchExpressions", List(&Of(&EXPRESSION)), "none", "further conditions"),
    ],
);

pub(super) const EXPRESSION: Form = form(
    "LabelSelectorRequirement",
    "A condition on a label of a pod or namespace",
    &[
        must("key", Text, "the label"),
        must("operator", Word(&["In", "NotIn", "Exists", "DoesNotExist"]), "how it is tested"),
        may("values", TEXTS, "none", "of `In` and `NotIn`"),
    ],
);

pub(super) const REQUIREMENT: Form = form(
    "Requirement",
    "A condition on a label of a node",
    &[
        must("key", Text, "the label"),
        must(
            "operator",
            Word(&["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Gte", "Lte"]),
            "how it is tested; the last four compare integers",
        ),
        may("values", TEXTS, "none", "what it is tested against"),
        may("minValues", COUNT, "none", "of pools: so many values stay open on every launch"),
    ],
);

pub(super) const TOLERATION: Form = form(
    "Toleration",
    "Leave to run on nodes with certain taints",
    &[
        may("key", Text, "every key", "the taint's key"),
        may(
            "operator",
            Word(&["", "Equal", "Exists", "Gt", "Lt"]),
            "`Equal`",
            "how the value is compared",
        ),
        may("value", Text, "empty", "the value to compare with"),
        may(
            "effect",
            Word(&["", "NoSchedule", "PreferNoSchedule", "NoExecute"]),
            "every effect",
            "the taint's effect",
        ),
        may(
            "tolerationSeconds",
            Whole(i64::MIN, i64::MAX),
            "for ever",
            "plays no part in placement",
        ),
    ],
);

pub(super) const TAINT: Form = form(
    "Taint",
    "A mark on a node that keeps pods away unless they tolerate it",
    &[
        must("key", Text, "the key"),
        may("value", Text, "empty", "the value"),
        must("effect", Word(EFFECTS), "what it does"),
        may("timeAdded", Text, "none", "plays no part"),
    ],
);

pub(super) const SPREAD: Form = form(
    "TopologySpreadConstraint",
    "How evenly pods spread over the values of a node label",
    &[
        must("maxSkew", Whole(1, 0xffff_ffff), "how far a domain may exceed the lowest count"),
        must("topologyKey", Text, "the node label whose values are the domains"),
        must(
            "whenUnsatisfiable",
            Word(&["DoNotSchedule", "ScheduleAnyway"]),
            "whether it is a rule or a preference",
        ),
        may("labelSelector", Of(&SELECTOR), "none: no pod", "which pods count"),
        may("minDomains", COUNT, "none", "with fewer domains the lowest count is 0"),
        may(
            "nodeAffinityPolicy",
            Word(&["Honor", "Ignore"]),
            "`Honor`",
            "whether only nodes that the pod's node affinity admits count",
        ),
        may(
            "nodeTaintsPolicy",
            Word(&["Honor", "Ignore"]),
            "`Ignore`",
            "whether only nodes whose taints it tolerates count",
        ),
        may("matchLabelKeys", TEXTS, "none", "labels that must be the pod's own"),
    ],
);

pub(super) const HOST_PORT: Form = form(
    "HostPort",
    "A port of the node",
    &[
        must("port", Whole(1, 65_535), "the port"),
        may("protocol", Word(&["TCP", "UDP", "SCTP", ""]), "`TCP`", "what is spoken on it"),
        may("hostIP", Text, "`0.0.0.0`: all", "the address"),
    ],
);

pub(super) const VOLUME: Form = form(
    "Volume",
    "What a pod mounts",
    &[
        must("driver", Text, "the storage driver, by which nodes limit attachments"),
        must("id", Text, "pods that name the same one share it"),
        may("zones", TEXTS, "all", "from where it can be reached"),
        may("nodeSelectorTerms", List(&Of(&TERM)), "all nodes", "alternatives, as of a volume"),
    ],
);

pub(super) const INSTANCE_TYPE: Form = form(
    "InstanceType",
    "A kind of machine that can be bought",
    &[
        must("name", Text, "the label `node.kubernetes.io/instance-type`"),
        may("labels", LABELS, "none", "one value each: architecture, family, …"),
        may("requirements", List(&Of(&REQUIREMENT)), "none", "labels of more than one value"),
        must("capacity", AMOUNTS, "what it has, `pods` included"),
        may("overhead", AMOUNTS, "none", "what the system keeps; the rest is allocatable"),
        must("offerings", List(&Of(&OFFERING)), "the ways to buy it"),
        may("volumeLimits", Map(&COUNT), "none", "by driver, how many volumes a node attaches"),
    ],
);

pub(super) const OFFERING: Form = form(
    "Offering",
    "One way to buy an instance type",
    &[
        must("zone", Text, "the label `topology.kubernetes.io/zone`"),
        must("capacityType", CAPACITY_TYPE, "the label `karpenter.sh/capacity-type`"),
        must("price", Price, "per hour"),
        may("available", Boolean, "true", "false: sold out"),
        may("labels", LABELS, "none", "any further labels of such a node"),
        may("reservation", Of(&RESERVATION), "none", "the capacity that it draws on"),
        may("interruptionRate", Number(None), "none", "expected interruptions per hour"),
    ],
);

pub(super) const RESERVATION: Form = form(
    "Reservation",
    "Capacity that is paid for in advance",
    &[
        must("id", Text, "offerings of one id draw on one reservation"),
        must("remaining", COUNT, "how many more nodes it holds"),
    ],
);

pub(super) const NODE_POOL: Form = form(
    "NodePool",
    "Who may buy which types, with what labels, taints and limits",
    &[
        must("name", Text, "the label `karpenter.sh/nodepool`"),
        may("weight", INTEGER, "0", "a pool of a higher weight takes what it can first"),
        may("labels", LABELS, "none", "put on every node"),
        may("taints", List(&Of(&TAINT)), "none", "put on every node"),
        may("startupTaints", List(&Of(&TAINT)), "none", "gone once a node is ready"),
        may("requirements", List(&Of(&REQUIREMENT)), "none", "what every node meets"),
        may("instanceTypes", TEXTS, "all", "the types that it may buy"),
        may("limits", AMOUNTS, "none", "of the capacity of all its nodes; `nodes` counts them"),
        may("replicas", COUNT, "none", "a static pool of so many nodes"),
        may("disruption", Of(&DISRUPTION), "Karpenter's", "what consolidation may do"),
        may("terminationGracePeriod", Text, "none", "as in Karpenter, such as `30m`"),
        may("expireAfter", Text, "none", "as in Karpenter, such as `720h`"),
    ],
);

pub(super) const DISRUPTION: Form = form(
    "Disruption",
    "When and how fast nodes of a pool may be disrupted",
    &[
        may(
            "consolidationPolicy",
            Word(&["WhenEmpty", "WhenEmptyOrUnderutilized", "Balanced"]),
            "`WhenEmptyOrUnderutilized`",
            "which nodes may be consolidated",
        ),
        may("consolidateAfter", Text, "`0s`", "how long a node must be quiet; `Never`: for ever"),
        may("budgets", List(&Of(&BUDGET)), "one of `10%`", "how many at a time"),
    ],
);

pub(super) const BUDGET: Form = form(
    "Budget",
    "How many nodes of a pool may be disrupted at a time",
    &[
        must("nodes", Text, "a number or a percentage"),
        may(
            "reasons",
            List(&Word(&["Empty", "Underutilized", "Drifted"])),
            "all",
            "what it applies to",
        ),
        may("schedule", Text, "always", "when it begins, as in cron"),
        may("duration", Text, "always", "how long it lasts"),
    ],
);

pub(super) const NODE: Form = form(
    "Node",
    "Capacity that runs already, or is on its way",
    &[
        must("name", Text, "unique; also the hostname, unless a label says otherwise"),
        may("labels", LABELS, "none", "type, zone, capacity type and pool among them"),
        may("taints", List(&Of(&TAINT)), "none", "what keeps pods away"),
        must("allocatable", AMOUNTS, "what it has for pods, `pods` included"),
        may("price", Price, "that of its labels' offering", "per hour"),
        may("initialized", Boolean, "true", "false: still starting"),
        may("consolidatable", Boolean, "true", "false: not yet settled"),
        may("deleting", Boolean, "false", "it goes and takes no pods"),
        may("nominated", Boolean, "false", "pods are about to be bound to it"),
        may("doNotDisrupt", Boolean, "false", "`karpenter.sh/do-not-disrupt`"),
        may("drifted", Boolean, "false", "it no longer matches its pool"),
        may("lifetimeRemaining", Number(Some(1)), "1", "the share of `expireAfter` that is left"),
        may("volumeLimits", Map(&COUNT), "none", "by driver, how many volumes it attaches"),
    ],
);

pub(super) const POD_DISRUPTION_BUDGET: Form = form(
    "PodDisruptionBudget",
    "How many pods of a set may be down at a time",
    &[
        NAME,
        NAMESPACE_OF,
        may("selector", Of(&SELECTOR), "none: no pod", "which pods"),
        must("disruptionsAllowed", COUNT, "how many more may go down now"),
    ],
);

pub(super) const NAMESPACE: Form =
    form("Namespace", "A namespace and its labels", &[NAME, LABELS_OF]);
