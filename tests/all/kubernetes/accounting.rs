//! Nothing that came in is lost: each object is in the problem, in a note or in a refusal.

use super::{convert, convert_with, pod};
use plimsoll::k8s::{Conversion, ConvertOptions, Dump, ObjectId, Outcome};
use plimsoll::{Pod, Problem};
use std::collections::BTreeSet;

/// Whether the problem has what an object is; of those that others name it has no name.
fn is_in(problem: &Problem, object: &ObjectId) -> bool {
    let name = &*object.name;
    let pod = |pod: &Pod| pod.name() == name || pod.name().starts_with(&format!("{name}-"));
    match &*object.kind {
        "Pod" | "CapacityBuffer" => problem.pods().iter().any(|pod| pod.name() == name),
        "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet" | "Job" => {
            problem.pods().iter().any(pod)
        }
        "DaemonSet" => problem.daemon_sets().iter().any(|daemon| daemon.name() == name),
        "Node" => problem.nodes().iter().any(|node| node.name() == name),
        "NodePool" | "Provisioner" | "MachineSet" => {
            problem.node_pools().iter().any(|pool| pool.name() == name)
        }
        "Namespace" => problem.namespaces().iter().any(|one| &*one.name == name),
        "PodDisruptionBudget" => {
            problem.pod_disruption_budgets().iter().any(|one| &*one.name == name)
        }
        "PriorityClass"
        | "RuntimeClass"
        | "LimitRange"
        | "PersistentVolume"
        | "PersistentVolumeClaim"
        | "StorageClass"
        | "CSINode"
        | "NodeClaim"
        | "NodeOverlay" => true,
        _ => false,
    }
}

/// Each object of a dump has an outcome, and what isn't converted is said.
pub(super) fn is_accounted_for(dump: &Dump, conversion: &Conversion) {
    assert_eq!(conversion.outcomes().len(), dump.len());
    let noted: BTreeSet<_> = conversion.notes().iter().map(|note| &note.object).collect();
    let refused: BTreeSet<_> = conversion.refusals().iter().map(|one| &one.object).collect();
    let problem = conversion.problem().unwrap();
    for (object, outcome) in conversion.outcomes() {
        match outcome {
            Outcome::Converted => assert!(is_in(&problem, object), "{object}"),
            Outcome::Noted => assert!(noted.contains(object), "{object}"),
            Outcome::Refused => assert!(refused.contains(object), "{object}"),
        }
    }
}

#[test]
fn every_kind_ends_somewhere() {
    let kinds = [
        "v1 Service",
        "v1 ConfigMap",
        "apps/v1 ControllerRevision",
        "rbac.authorization.k8s.io/v1 Role",
        "batch/v1 CronJob",
        "ray.io/v1 RayCluster",
        "example.com/v1 Thing",
        "karpenter.k8s.aws/v1 EC2NodeClass",
        "resource.k8s.io/v1 ResourceClaim",
        "v1 ResourceQuota",
        "v1 Namespace",
        "autoscaling/v2 HorizontalPodAutoscaler",
    ];
    let text: Vec<_> = kinds
        .iter()
        .enumerate()
        .map(|(i, kind)| {
            let (version, kind) = kind.split_once(' ').unwrap();
            format!("{{apiVersion: {version}, kind: {kind}, metadata: {{name: n{i}}}}}")
        })
        .collect();
    let mut dump = Dump::new();
    dump.add_text("kinds", &text.join("\n---\n"));
    let conversion = dump.convert(&ConvertOptions::default());
    is_accounted_for(&dump, &conversion);
    let refused: Vec<_> = conversion.refusals().iter().map(|one| &*one.object.kind).collect();
    assert_eq!(refused, ["RayCluster"]);
}

/// What others name is in the problem by them, and what nobody names is said to be in none.
#[test]
fn what_nobody_looks_up_is_noted() {
    let class = |name: &str| {
        format!(
            "{{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {{name: {name}}}, value: 5}}"
        )
    };
    let range = "{apiVersion: v1, kind: LimitRange, metadata: {name: l, namespace: other}, spec: {limits: []}}";
    let claim = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c}, spec: {}}";
    let user = pod("priorityClassName: used");
    let text = [class("used"), class("unused"), range.into(), claim.into(), user];
    let conversion = convert(&text.join("\n---\n"));
    let noted: Vec<_> = conversion.notes().iter().map(|note| note.object.to_string()).collect();
    let unused = ["PriorityClass unused", "LimitRange other/l", "PersistentVolumeClaim c"];
    assert_eq!(noted, unused);
}

#[test]
fn a_kind_that_is_not_known_is_refused_where_pods_are_in_it() {
    let text = "{apiVersion: example.com/v1, kind: Fleet, metadata: {name: f}, \
                spec: {groups: [{template: {spec: {containers: []}}}]}}";
    assert_eq!(
        convert(text).refusals()[0].to_string(),
        "Fleet f: its pods are made by a controller that isn't here; expected the pods that it \
         makes, or their templates as a kind of Kubernetes' own"
    );
}

#[test]
fn lenient_makes_notes_of_refusals_and_leaves_out_the_same() {
    let text = format!("{}\n---\n{}", pod("unknown: 1"), pod("").replace("name: p", "name: q"));
    let strict = convert(&text);
    let mut options = ConvertOptions::default();
    options.lenient = true;
    let lenient = convert_with(&text, &options);
    assert_eq!((strict.refusals().len(), lenient.refusals().len()), (1, 0));
    assert_eq!(strict.problem(), lenient.problem());
    assert_eq!(
        lenient.notes()[0].to_string(),
        "Pod p spec.unknown: left out: an unknown field; expected affinity, containers, \
         hostNetwork, initContainers, nodeName, nodeSelector, overhead, priority, \
         priorityClassName, resourceClaims, resources, runtimeClassName, schedulerName, \
         schedulingGates, schedulingGroup, tolerations, topologySpreadConstraints, volumes, \
         workloadRef"
    );
}

/// A bound pod that can't be honoured holds its room all the same, and stays there.
#[test]
fn lenient_keeps_the_room_of_bound_pods() {
    let node = "{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {allocatable: {cpu: 4, pods: 9}}}";
    let bound = pod("nodeName: n1, unknown: 1")
        .replace("name: c}", "name: c, resources: {limits: {cpu: 2}}}");
    let mut options = ConvertOptions::default();
    options.lenient = true;
    let conversion = convert_with(&format!("{node}\n---\n{bound}"), &options);
    let problem = conversion.problem().unwrap();
    let kept = &problem.pods()[0];
    assert_eq!(kept.requests().get("cpu"), Some("2".parse().unwrap()));
    assert!(kept.do_not_disrupt());
    let said = conversion.notes()[0].to_string();
    assert!(said.starts_with("Pod p spec.unknown: only its room is kept"), "{said}");
}

#[test]
fn texts_that_cannot_be_read_are_refused() {
    for (text, refusal) in [
        ("{{ if .Values }}", "text test"),
        ("kind: Pod", "text test metadata.name: missing of a Pod; expected an object"),
        ("metadata: {name: x}", "text test kind: missing; expected an object"),
        ("just words", "text test kind: missing; expected an object"),
        ("{\"kind\": \"Pod\", \"metadata\": {\"name\"", "text test line 1 column"),
    ] {
        let conversion = convert(text);
        assert_eq!(conversion.refusals().len(), 1, "{text}");
        let said = conversion.refusals()[0].to_string();
        assert!(said.starts_with(refusal), "{said}");
    }
}

/// Odd values at every place of an object are refused or noted, never a panic, and the rest counts.
#[test]
fn odd_values_are_refused() {
    let odd = [
        "null",
        "[]",
        "{}",
        "-1",
        "1.5",
        "\"\"",
        "\"x\"",
        "true",
        "[null]",
        "{a: [b]}",
        "99999999999999999999",
    ];
    let fields = [
        "affinity",
        "containers",
        "hostNetwork",
        "initContainers",
        "nodeName",
        "nodeSelector",
        "overhead",
        "priority",
        "priorityClassName",
        "resourceClaims",
        "resources",
        "runtimeClassName",
        "schedulerName",
        "schedulingGates",
        "schedulingGroup",
        "tolerations",
        "topologySpreadConstraints",
        "volumes",
        "nodeclass",
    ];
    for field in fields {
        for value in odd {
            let text = format!(
                "{{apiVersion: v1, kind: Pod, metadata: {{name: p, labels: {value}}}, \
                 spec: {{{field}: {value}}}, status: {value}}}"
            );
            let mut dump = Dump::new();
            dump.add_text("odd", &text);
            let conversion = dump.convert(&ConvertOptions::default());
            is_accounted_for(&dump, &conversion);
            conversion.problem().unwrap();
        }
    }
    let kinds = [
        "v1 Node",
        "apps/v1 Deployment",
        "apps/v1 StatefulSet",
        "batch/v1 Job",
        "policy/v1 PodDisruptionBudget",
        "karpenter.sh/v1 NodePool",
        "karpenter.sh/v1alpha5 Provisioner",
        "karpenter.sh/v1 NodeClaim",
        "karpenter.sh/v1alpha1 NodeOverlay",
        "v1 PersistentVolume",
        "v1 PersistentVolumeClaim",
        "v1 LimitRange",
        "storage.k8s.io/v1 CSINode",
        "machine.openshift.io/v1 MachineSet",
        "node.k8s.io/v1 RuntimeClass",
    ];
    for kind in kinds {
        let (version, kind) = kind.split_once(' ').unwrap();
        for value in odd {
            let text = format!(
                "{{apiVersion: {version}, kind: {kind}, metadata: {{name: o}}, spec: {value}, \
                 status: {value}, value: {value}, overhead: {value}}}"
            );
            let mut dump = Dump::new();
            dump.add_text("odd", &text);
            let conversion = dump.convert(&ConvertOptions::default());
            is_accounted_for(&dump, &conversion);
            conversion.problem().unwrap();
        }
    }
}
