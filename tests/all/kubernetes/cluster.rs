//! Nodes, budgets and namespaces.

use super::{convert_with, pod, problem, refused};
use plimsoll::k8s::ConvertOptions;
use plimsoll::model::{Effect, Node};

/// A node called `n` with these labels and this `spec`, and conditions.
fn node(labels: &str, spec: &str, conditions: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Node, metadata: {{name: n1, labels: {{{labels}}}}}, spec: {{{spec}}}, \
         status: {{conditions: [{conditions}], capacity: {{cpu: 4}}, \
         allocatable: {{cpu: 3500m, memory: 8Gi, pods: 110, attachable-volumes-aws-ebs: 25}}}}}}"
    )
}

fn only_node(text: &str) -> Node {
    let problem = problem(text);
    let [node] = problem.nodes() else { panic!("one node") };
    node.clone()
}

fn taints(node: &Node) -> Vec<(&str, Effect)> {
    node.taints().iter().map(|taint| (&*taint.key, taint.effect)).collect()
}

#[test]
fn a_node_has_what_is_allocatable() {
    let node = only_node(&node("", "podCIDR: 10.0.0.0/24", ""));
    assert_eq!(node.allocatable().get("cpu"), Some("3500m".parse().unwrap()));
    assert_eq!(node.allocatable().len(), 3);
    assert_eq!(node.volume_limits().get("ebs.csi.aws.com"), Some(&25));
    let bare = "{apiVersion: v1, kind: Node, metadata: {name: n1}}";
    assert_eq!(
        refused(bare),
        [
            "Node n1 status.allocatable: missing, and neither a claim nor a type of the catalog says \
          what the node has; expected what pods can have of the node"
        ]
    );
}

#[test]
fn limits_of_drivers() {
    let driver = "{apiVersion: storage.k8s.io/v1, kind: CSINode, metadata: {name: n1}, spec: {drivers: [\
                  {name: ebs.csi.aws.com, allocatable: {count: 26}}, {name: efs.csi.aws.com}]}}";
    let none = "{apiVersion: storage.k8s.io/v1, kind: CSINode, metadata: {name: m}, spec: {drivers: null}}";
    let node = only_node(&format!("{driver}\n---\n{none}\n---\n{}", node("", "", "")));
    assert_eq!(node.volume_limits().len(), 1);
    assert_eq!(node.volume_limits().get("ebs.csi.aws.com"), Some(&26));
}

#[test]
fn taints_that_a_state_stands_for() {
    let off = node("", "unschedulable: true", "");
    assert_eq!(
        taints(&only_node(&off)),
        [("node.kubernetes.io/unschedulable", Effect::NoSchedule)]
    );
    let beside = node("", "unschedulable: true, taints: [{key: a, effect: NoSchedule}]", "");
    assert_eq!(taints(&only_node(&beside)).len(), 2);
    let said = "{key: node.kubernetes.io/unschedulable, effect: NoSchedule}";
    let said = node("", &format!("unschedulable: true, taints: [{said}]"), "");
    assert_eq!(taints(&only_node(&said)).len(), 1);
    let down = node("", "", "{type: Ready, status: \"False\"}");
    assert_eq!(taints(&only_node(&down)), [("node.kubernetes.io/not-ready", Effect::NoSchedule)]);
    let known = node(
        "",
        "taints: [{key: node.kubernetes.io/not-ready, effect: NoExecute}]",
        "{type: Ready, status: \"False\"}",
    );
    assert_eq!(taints(&only_node(&known)), [("node.kubernetes.io/not-ready", Effect::NoExecute)]);
}

#[test]
fn capacity_types_of_the_clouds() {
    for (labels, expected) in [
        ("eks.amazonaws.com/capacityType: SPOT", Some("spot")),
        ("eks.amazonaws.com/capacityType: ON_DEMAND", Some("on-demand")),
        ("cloud.google.com/gke-nodepool: p", Some("on-demand")),
        ("cloud.google.com/gke-nodepool: p, cloud.google.com/gke-spot: \"true\"", Some("spot")),
        ("kubernetes.azure.com/scalesetpriority: spot", Some("spot")),
        (
            "karpenter.sh/capacity-type: reserved, eks.amazonaws.com/capacityType: SPOT",
            Some("reserved"),
        ),
        ("a: b", None),
    ] {
        let node = only_node(&node(labels, "", ""));
        let found = node.labels().get("karpenter.sh/capacity-type").map(|value| &**value);
        assert_eq!(found, expected, "{labels}");
    }
}

#[test]
fn nodes_that_start_or_go() {
    let managed = "karpenter.sh/nodepool: p";
    assert!(!only_node(&node(managed, "", "")).initialized());
    let labels = format!("{managed}, karpenter.sh/initialized: \"true\"");
    assert!(only_node(&node(&labels, "", "")).initialized());
    let fresh = "taints: [{key: karpenter.sh/unregistered, effect: NoExecute}]";
    let node_ = only_node(&node(&labels, fresh, ""));
    assert!(!node_.initialized() && node_.taints().is_empty());
    assert!(only_node(&node("", "", "")).initialized());
    for taint in ["karpenter.sh/disrupted", "ToBeDeletedByClusterAutoscaler"] {
        let spec = format!("taints: [{{key: {taint}, effect: NoSchedule}}]");
        assert!(only_node(&node("", &spec, "")).deleting(), "{taint}");
    }
    let candidate =
        "taints: [{key: DeletionCandidateOfClusterAutoscaler, effect: PreferNoSchedule}]";
    let node = only_node(&node("", candidate, ""));
    assert!(!node.deleting() && node.taints().is_empty());
}

#[test]
fn claims_say_what_nodes_do_not() {
    let claim = "{apiVersion: karpenter.sh/v1, kind: NodeClaim, metadata: {name: c, creationTimestamp: \
                 \"2026-11-01T00:00:00Z\"}, spec: {expireAfter: 240h}, status: {nodeName: n1, \
                 conditions: [{type: Drifted, status: \"True\"}, {type: Consolidatable, status: \"False\"}]}}";
    let text = format!("{claim}\n---\n{}", node("", "", ""));
    let mut options = ConvertOptions::default();
    options.now = Some("2026-11-06T00:00:00Z".parse().unwrap());
    let problem_ = convert_with(&text, &options).problem().unwrap();
    let node = &problem_.nodes()[0];
    assert!(node.drifted() && !node.consolidatable());
    assert_eq!(node.lifetime_remaining(), 500_000_000);
    // A claim without a node is a node on its way, unless its launch has failed.
    let waiting = "{apiVersion: karpenter.sh/v1, kind: NodeClaim, metadata: {name: c}, spec: {requirements: [\
                   {key: topology.kubernetes.io/zone, operator: In, values: [a]}]}, \
                   status: {allocatable: {cpu: 2, pods: 10}}}";
    let node = only_node(waiting);
    assert!(!node.initialized());
    assert_eq!(node.labels().get("topology.kubernetes.io/zone").map(|zone| &**zone), Some("a"));
    let failed = waiting.replace(
        "status: {",
        "status: {conditions: [{type: Launched, status: \"False\", reason: InsufficientCapacity}], ",
    );
    assert_eq!(problem(&failed).nodes(), []);
}

#[test]
fn budgets_of_a_cluster_and_of_manifests() {
    let pods = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: w}, spec: {replicas: 7, template: \
                {metadata: {labels: {app: w}}, spec: {containers: [{name: c}]}}}}";
    let budget = |version: &str, spec: &str, status: &str| {
        let text = format!(
            "{pods}\n---\n{{apiVersion: policy/{version}, kind: PodDisruptionBudget, \
             metadata: {{name: b}}, spec: {{{spec}}}, status: {{{status}}}}}"
        );
        problem(&text).pod_disruption_budgets()[0].clone()
    };
    let selector = "selector: {matchLabels: {app: w}}";
    for (amount, status, expected) in [
        ("minAvailable: 5", "disruptionsAllowed: 1", 1),
        ("minAvailable: 5", "", 2),
        ("minAvailable: 50%", "", 3),
        ("maxUnavailable: 2", "", 2),
        ("maxUnavailable: 20%", "", 2),
        ("maxUnavailable: 0", "", 0),
        ("minAvailable: 9", "", 0),
    ] {
        let found = budget("v1", &format!("{amount}, {selector}"), status);
        assert_eq!(found.disruptions_allowed, expected, "{amount}");
    }
    // An empty selector finds all pods, and in the first version none.
    assert_eq!(budget("v1", "maxUnavailable: 1, selector: {}", "").disruptions_allowed, 1);
    let first = budget("v1beta1", "maxUnavailable: 1, selector: {}", "");
    assert_eq!((first.selector, first.disruptions_allowed), (None, 0));
}

#[test]
fn namespaces_keep_their_labels() {
    let text = "{apiVersion: v1, kind: Namespace, metadata: {name: x, labels: {team: a}}}";
    let problem = problem(text);
    assert_eq!(problem.namespaces()[0].labels.get("team").map(|team| &**team), Some("a"));
}

/// Domains of hosts are told apart by their labels; nodes that share one would be one domain.
#[test]
fn a_hostname_is_one_nodes() {
    let first = node("kubernetes.io/hostname: h", "", "");
    let second = first.replace("name: n1", "name: n2");
    assert_eq!(
        refused(&format!("{first}\n---\n{second}")),
        [
            "Node n2 metadata.labels[kubernetes.io/hostname]: another node has this hostname, so the \
          two would count as one host; expected a hostname of its own"
        ]
    );
}

#[test]
fn objects_are_given_once() {
    let twice = format!("{}\n---\n{}", pod(""), pod(""));
    assert_eq!(problem(&twice).pods().len(), 1);
    let other = format!("{}\n---\n{}", pod(""), pod("priority: 3"));
    assert_eq!(
        refused(&other),
        [
            "Pod p: another object of this kind and name, with other content; expected each object once: what belongs to one cluster or release at a time"
        ]
    );
}
