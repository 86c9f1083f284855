//! Pods and workloads: each rule by the smallest object that shows it.

use super::{convert_with, noted, pod, problem, refused};
use plimsoll::k8s::{ConvertOptions, Dump, PodSource, Timestamp};
use plimsoll::model::{HostPort, Protocol, TolerationOperator};

/// A node that is called `n`, and a text after it.
fn with_node(text: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Node, metadata: {{name: n1}}, \
         status: {{allocatable: {{cpu: 4, memory: 8Gi, pods: 110}}}}}}\n---\n{text}"
    )
}

/// A workload with a template of this `spec`.
fn workload(kind: &str, spec: &str, template: &str) -> String {
    let group = if kind == "Job" { "batch/v1" } else { "apps/v1" };
    format!(
        "{{apiVersion: {group}, kind: {kind}, metadata: {{name: w}}, spec: {{{spec} template: \
         {{metadata: {{labels: {{app: w}}}}, spec: {{containers: [{{name: c}}], {template}}}}}}}}}"
    )
}

#[test]
fn rules_come_over_in_their_own_words() {
    let text = pod("nodeSelector: {disk: fast}, \
         tolerations: [{operator: Exists}, {key: a, operator: Equal, value: b, effect: NoExecute, tolerationSeconds: 300}], \
         topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: w}}}], \
         affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {}}]}}");
    let problem = problem(&text);
    let pod = &problem.pods()[0];
    assert_eq!(pod.node_selector().get("disk").map(|value| &**value), Some("fast"));
    assert_eq!(pod.tolerations().len(), 2);
    assert!(pod.tolerations().iter().all(|one| one.toleration_seconds.is_none()));
    assert_eq!(pod.tolerations()[0].operator, TolerationOperator::Exists);
    assert_eq!(pod.topology_spread_constraints()[0].max_skew, 1);
    assert_eq!(pod.affinity().unwrap().pod_anti_affinity.required.len(), 1);
}

#[test]
fn unknown_fields_are_refused_with_their_paths() {
    for (spec, refusal) in [
        (
            "nodeselector: {a: b}",
            "Pod p spec.nodeselector: an unknown field; expected nodeSelector?",
        ),
        (
            "affinity: {nodeAffinity: {required: []}}",
            "Pod p spec.affinity.nodeAffinity.required: an unknown field; expected \
             requiredDuringSchedulingIgnoredDuringExecution, \
             preferredDuringSchedulingIgnoredDuringExecution",
        ),
        (
            "initContainers: [{name: i, resource: {}}]",
            "Pod p spec.initContainers[0].resource: an unknown field; expected resources?",
        ),
        (
            "volumes: [{name: v, disk: {}}]",
            "Pod p spec.volumes[0].disk: an unknown field; expected name, persistentVolumeClaim, \
             ephemeral, awsElasticBlockStore, azureDisk, gcePersistentDisk",
        ),
    ] {
        assert_eq!(refused(&pod(spec)), [refusal]);
    }
    let text = workload("Deployment", "paused: true, replica: 3,", "hostname: x");
    assert_eq!(refused(&text), ["Deployment w spec.replica: an unknown field; expected replicas?"]);
}

#[test]
fn what_has_ended_or_waits_is_left_out() {
    for (status, spec, said) in [
        ("{phase: Succeeded}", "", "Pod p status.phase: it has ended and holds nothing"),
        ("{phase: Failed}", "nodeName: n1", "Pod p status.phase: it has ended and holds nothing"),
        (
            "{phase: Pending}",
            "schedulingGates: [{name: quota}]",
            "Pod p spec.schedulingGates: held back by quota: not planned yet",
        ),
    ] {
        let text = with_node(&pod(spec).replace("spec:", &format!("status: {status}, spec:")));
        assert_eq!(noted(&text), [said]);
        assert_eq!(problem(&text).pods(), []);
    }
    // A pod that is bound to no node of the problem is never pending.
    let bound = pod("nodeName: m");
    assert_eq!(
        noted(&bound),
        ["Pod p spec.nodeName: bound to \"m\", and there are no nodes here: left out"]
    );
    assert_eq!(
        refused(&with_node(&bound)),
        ["Pod p spec.nodeName: bound to \"m\", which isn't a node of the problem; expected its \
          node, or no pod that is bound to it"]
    );
}

#[test]
fn pending_and_bound_is_bound() {
    let text = with_node(&pod("nodeName: n1").replace("spec:", "status: {phase: Pending}, spec:"));
    assert_eq!(problem(&text).pods()[0].node_name(), Some("n1"));
}

#[test]
fn devices_that_are_claimed_are_refused_unless_the_pod_is_bound() {
    let claim = "resourceClaims: [{name: gpu, resourceClaimName: gpu}], \
                 initContainers: [{name: i, resources: {claims: [{name: gpu}]}}]";
    assert_eq!(
        refused(&pod(claim)),
        ["Pod p spec.resourceClaims: devices of dynamic resource allocation, of which no node's \
          number is known; expected an extended resource, or the pod bound to its node"]
    );
    let bound = with_node(&pod(&format!("nodeName: n1, {claim}")));
    assert!(problem(&bound).pods()[0].do_not_disrupt());
    // A claim that nothing uses plays no part.
    assert_eq!(problem(&pod("resourceClaims: [{name: gpu}]")).pods().len(), 1);
}

#[test]
fn ports_of_the_host() {
    let ports = "initContainers: [{name: s, restartPolicy: Always, ports: [{containerPort: 80}]}, \
                 {name: i, ports: [{containerPort: 81, hostPort: 81}]}], \
                 hostNetwork: true";
    assert_eq!(problem(&pod(ports)).pods()[0].host_ports(), [HostPort::new(80)]);
    let ports = "initContainers: [{name: s, restartPolicy: Always, ports: [{containerPort: 80}, \
                 {containerPort: 53, hostPort: 5353, protocol: UDP, hostIP: 10.0.0.1}]}]";
    let taken = HostPort::new(5353).with_protocol(Protocol::Udp).with_host_ip("10.0.0.1");
    assert_eq!(problem(&pod(ports)).pods()[0].host_ports(), [taken]);
}

#[test]
fn priorities_of_classes() {
    let class =
        "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: low}, value: -5}";
    let default = "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: usual}, value: 7, globalDefault: true}";
    for (spec, priority) in [
        ("priorityClassName: low", -5),
        ("", 7),
        ("priorityClassName: system-node-critical", 2_000_001_000),
        ("priorityClassName: system-cluster-critical", 2_000_000_000),
    ] {
        let text = format!("{class}\n---\n{default}\n---\n{}", pod(spec));
        assert_eq!(problem(&text).pods()[0].priority(), priority, "{spec}");
    }
    assert_eq!(
        refused(&pod("priorityClassName: high")),
        ["Pod p spec.priorityClassName: the priority class \"high\" isn't here; expected the \
          class, or the priority beside its name"]
    );
    // A live pod has its priority, whatever became of the class.
    let live = "priorityClassName: high, priority: 3";
    let live = with_node(&pod(&format!("{live}, nodeName: n1")));
    assert_eq!(problem(&live).pods()[0].priority(), 3);
}

#[test]
fn runtime_classes_add_to_templates_alone() {
    let class = "{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: kata}, handler: kata, \
                 overhead: {podFixed: {cpu: 250m}}, \
                 scheduling: {nodeSelector: {kata: \"true\"}, tolerations: [{key: kata, operator: Exists}]}}";
    let text = format!("{class}\n---\n{}", workload("Deployment", "", "runtimeClassName: kata"));
    let problem_ = problem(&text);
    let pod = &problem_.pods()[0];
    assert_eq!(pod.requests().get("cpu"), Some("250m".parse().unwrap()));
    assert_eq!(pod.node_selector().get("kata").map(|value| &**value), Some("true"));
    assert_eq!(pod.tolerations().len(), 1);
    let clash = format!(
        "{class}\n---\n{}",
        workload("Deployment", "", "runtimeClassName: kata, nodeSelector: {kata: \"false\"}")
    );
    assert_eq!(refused(&clash).len(), 1);
    let live = with_node(&super::pod("runtimeClassName: kata, nodeName: n1"));
    assert!(problem(&live).pods()[0].requests().is_empty());
}

#[test]
fn limit_ranges_fill_templates() {
    let range = "{apiVersion: v1, kind: LimitRange, metadata: {name: l}, spec: {limits: [\
                 {type: Container, default: {cpu: 1, memory: 1Gi}, defaultRequest: {cpu: 100m}}]}}";
    let text = format!("{range}\n---\n{}", pod(""));
    let problem = problem(&text);
    let requests = problem.pods()[0].requests();
    assert_eq!(requests.get("cpu"), Some("100m".parse().unwrap()));
    assert_eq!(requests.get("memory"), Some("1Gi".parse().unwrap()));
}

#[test]
fn bounds_of_limit_ranges_and_hints_are_noted() {
    let range = |bound: &str| {
        format!(
            "{{apiVersion: v1, kind: LimitRange, metadata: {{name: l}}, spec: {{limits: [\
             {{type: Container, {bound}}}]}}}}\n---\n{}",
            pod("")
        )
    };
    let turns_nobody_away = "LimitRange l spec.limits: min and max turn no pod away here; the \
                             defaults count"
        .to_owned();
    for (bound, is_noted) in
        [("min: {cpu: 10m}", true), ("max: {cpu: 2}", true), ("default: {cpu: 1}", false)]
    {
        assert_eq!(noted(&range(bound)).contains(&turns_nobody_away), is_noted, "{bound}");
    }
    let nominated = |spec: &str, node: &str| {
        let status = format!("status: {{nominatedNodeName: {node}}}}}");
        let text = pod(spec);
        let text = format!("{}, {status}", text.strip_suffix('}').unwrap());
        noted(&with_node(&text)).iter().any(|note| note.contains("status.nominatedNodeName"))
    };
    assert!(nominated("", "n1"));
    assert!(!nominated("", "''"));
    assert!(!nominated("nodeName: n1", "n1"));
}

#[test]
fn replicas_of_workloads() {
    for (kind, spec, expected) in [
        ("Deployment", "", 1),
        ("Deployment", "replicas: 4,", 4),
        ("ReplicaSet", "replicas: 2,", 2),
        ("StatefulSet", "replicas: 3,", 3),
        ("Job", "", 1),
        ("Job", "parallelism: 5, completions: 3,", 3),
        ("Job", "parallelism: 2, completions: 8,", 2),
        ("Job", "parallelism: 2, suspend: true,", 0),
        ("Deployment", "replicas: 0,", 0),
    ] {
        let problem = problem(&workload(kind, spec, ""));
        let pods: u32 = problem.pods().iter().map(plimsoll::Pod::replicas).sum();
        assert_eq!(pods, expected, "{kind} {spec}");
    }
    let scaled = "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h}, \
                  spec: {minReplicas: 6, scaleTargetRef: {kind: Deployment, name: w}}}";
    let text = format!("{scaled}\n---\n{}", workload("Deployment", "", ""));
    assert_eq!(problem(&text).pods()[0].replicas(), 6);
}

#[test]
fn the_pods_of_a_stateful_set_have_claims_of_their_own() {
    let class = "{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: fast, annotations: \
                 {storageclass.kubernetes.io/is-default-class: \"true\"}}, provisioner: ebs.csi.aws.com, \
                 volumeBindingMode: WaitForFirstConsumer, allowedTopologies: [{matchLabelExpressions: [\
                 {key: topology.ebs.csi.aws.com/zone, values: [a, b]}]}]}";
    let set = workload(
        "StatefulSet",
        "replicas: 2, volumeClaimTemplates: [{metadata: {name: data}, spec: {}}],",
        "",
    );
    let problem = problem(&format!("{class}\n---\n{set}"));
    let ids: Vec<_> = problem
        .pods()
        .iter()
        .map(|pod| (pod.name(), &*pod.volumes()[0].id, pod.volumes()[0].zones.len()))
        .collect();
    assert_eq!(ids, [("w-0", "default/data-w-0", 2), ("w-1", "default/data-w-1", 2)]);
    let without = refused(&set);
    assert_eq!(without.len(), 1, "{without:?}");
}

#[test]
fn the_pods_of_a_stateful_set_are_numbered_from_their_start() {
    let names = |replicas: u32| -> Vec<String> {
        let spec = format!("replicas: {replicas}, ordinals: {{start: 5}},");
        let problem = problem(&workload("StatefulSet", &spec, ""));
        problem.pods().iter().map(|pod| pod.name().into()).collect()
    };
    assert_eq!(names(1), ["w-5"]);
    assert_eq!(names(2), ["w-5", "w-6"]);
}

/// What a few bytes ask for is bounded.
#[test]
fn numbers_of_pods_are_bounded() {
    let many = workload("Deployment", "replicas: 20000000,", "");
    assert_eq!(refused(&many), ["Deployment w spec.replicas: 20000000; expected at most 10000000"]);
    let claims = "replicas: 2000000, volumeClaimTemplates: [{metadata: {name: d}, spec: {}}],";
    let many = workload("StatefulSet", claims, "");
    assert_eq!(
        refused(&many),
        ["StatefulSet w spec.replicas: 2000000 pods with claims of their own; expected at most \
          1000000 of them in all"]
    );
}

#[test]
fn claims_tie_pods_to_their_volumes() {
    let claim =
        "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c}, spec: {volumeName: v}}";
    let volume = "{apiVersion: v1, kind: PersistentVolume, metadata: {name: v}, spec: {\
                  csi: {driver: ebs.csi.aws.com, volumeHandle: vol-1}, nodeAffinity: {required: {\
                  nodeSelectorTerms: [{matchExpressions: [{key: topology.ebs.csi.aws.com/zone, operator: In, values: [a]}]}]}}}}";
    let local = "{apiVersion: v1, kind: PersistentVolume, metadata: {name: v}, spec: {\
                 local: {path: /x}, nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [\
                 {key: kubernetes.io/hostname, operator: In, values: [n1]}]}]}}}}";
    let user =
        pod("volumes: [{name: d, persistentVolumeClaim: {claimName: c}}, {name: e, emptyDir: {}}]");
    let of = |volume: &str| {
        let problem = problem(&format!("{claim}\n---\n{volume}\n---\n{user}"));
        problem.pods()[0].volumes().to_vec()
    };
    let [attached] = &*of(volume) else { panic!("one volume") };
    assert_eq!((&*attached.driver, &*attached.id), ("ebs.csi.aws.com", "vol-1"));
    assert_eq!(attached.zones.iter().map(|zone| &**zone).collect::<Vec<_>>(), ["a"]);
    assert_eq!(of(local)[0].node_selector_terms.len(), 1);
    for (claims, why) in [
        ("", "the claim \"c\" isn't here"),
        (claim, "the volume \"v\" isn't here"),
        (
            "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c}, spec: {storageClassName: \"\"}}",
            "a claim of no class, which nothing will bind",
        ),
        (
            "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c}, spec: {accessModes: [ReadWriteOncePod]}}",
            "the claim \"c\" is for one pod alone",
        ),
    ] {
        let said = refused(&format!("{claims}\n---\n{user}"));
        assert!(said[0].contains(why), "{said:?}");
    }
    // A bound pod is where it is, whatever is known of its claim.
    let bound = with_node(&user.replace("volumes:", "nodeName: n1, volumes:"));
    assert!(problem(&bound).pods()[0].do_not_disrupt());
}

#[test]
fn live_pods_or_templates_but_never_both() {
    let live = "{apiVersion: v1, kind: Pod, metadata: {name: w-x, labels: {app: w}}, status: {phase: Running}, \
                spec: {nodeName: n1, containers: [{name: c}]}}";
    let selector = "replicas: 3, selector: {matchLabels: {app: w}},";
    let text = with_node(&format!("{live}\n---\n{}", workload("Deployment", selector, "")));
    let names = |source: PodSource| -> Vec<String> {
        let mut options = ConvertOptions::default();
        options.pods = source;
        let problem = convert_with(&text, &options).problem().unwrap();
        problem.pods().iter().map(|pod| pod.name().to_owned()).collect()
    };
    assert_eq!(names(PodSource::Auto), ["w-x"]);
    assert_eq!(names(PodSource::Live), ["w-x"]);
    // Though the set between them isn't here, the pod is one of the deployment's.
    let owner = "name: w-x, ownerReferences: [{kind: ReplicaSet, name: w-1, controller: true}],";
    let owned = text.replace("name: w-x,", owner);
    let mut options = ConvertOptions::default();
    options.pods = PodSource::Templates;
    let problem_ = convert_with(&owned, &options).problem().unwrap();
    assert_eq!(problem_.pods().iter().map(plimsoll::Pod::replicas).collect::<Vec<_>>(), [3]);
    // Another workload than those of which there are pods is planned from its template.
    let other = text.replace("matchLabels: {app: w}", "matchLabels: {app: other}");
    assert_eq!(problem(&other).pods().len(), 2);
}

#[test]
fn daemon_sets_come_with_the_tolerations_of_their_controller() {
    let text = workload("DaemonSet", "", "hostNetwork: true");
    let problem_ = problem(&text);
    assert_eq!(problem_.daemon_sets()[0].tolerations().len(), 7);
    // Where only its pods are here, one of them stands for it, without the node that it is bound
    // to.
    let pods = with_node(
        "{apiVersion: v1, kind: Pod, metadata: {name: d-x, ownerReferences: [{kind: DaemonSet, name: d, controller: true}]}, \
         status: {phase: Running}, spec: {nodeName: n1, containers: [{name: c}], affinity: {nodeAffinity: {\
         requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [\
         {key: metadata.name, operator: In, values: [n1]}]}]}}}}}",
    );
    let problem = problem(&pods);
    let daemon = &problem.daemon_sets()[0];
    assert_eq!((daemon.name(), daemon.node_name()), ("d", None));
    assert_eq!(daemon.affinity().and_then(|one| one.node_affinity.required.as_ref()), None);
    assert_eq!(problem.pods()[0].owner_kind(), Some("DaemonSet"));
}

#[test]
fn annotations_that_keep_pods_where_they_are() {
    let annotated = |key: &str, value: &str| {
        let text = with_node(
            &pod("nodeName: n1")
                .replace("name: p", &format!("name: p, annotations: {{{key}: \"{value}\"}}")),
        );
        let text = text.replace("spec:", "status: {startTime: \"2026-11-30T08:00:00Z\"}, spec:");
        let mut options = ConvertOptions::default();
        options.now = Some("2026-11-30T08:20:00Z".parse::<Timestamp>().unwrap());
        convert_with(&text, &options).problem().unwrap().pods()[0].do_not_disrupt()
    };
    assert!(annotated("karpenter.sh/do-not-disrupt", "true"));
    assert!(!annotated("karpenter.sh/do-not-disrupt", "false"));
    assert!(annotated("karpenter.sh/do-not-disrupt", "30m"));
    assert!(!annotated("karpenter.sh/do-not-disrupt", "10m"));
    // The last instant is not one of them any more.
    assert!(annotated("karpenter.sh/do-not-disrupt", "20m1s"));
    assert!(!annotated("karpenter.sh/do-not-disrupt", "20m"));
    assert!(annotated("karpenter.sh/do-not-evict", "true"));
    assert!(annotated("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"));
    assert!(!annotated("cluster-autoscaler.kubernetes.io/safe-to-evict", "true"));
}

#[test]
fn workloads_of_one_name_get_names_of_their_own() {
    let set = workload("StatefulSet", "replicas: 2,", "");
    let other = workload("Deployment", "replicas: 2,", "");
    let problem = problem(&format!("{set}\n---\n{other}"));
    let names: Vec<_> = problem.pods().iter().map(plimsoll::Pod::name).collect();
    assert_eq!(names, ["w", "w-deployment"]);
}

#[test]
fn default_spreads_are_selected_by_services_and_owners() {
    let service =
        "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: w}}}";
    let selected = workload("Deployment", "selector: {matchLabels: {app: w, x: z}},", "");
    let text = format!("{service}\n---\n{selected}\n---\n{}", pod("hostname: alone"));
    let mut options = ConvertOptions::default();
    options.default_spreads = plimsoll::k8s::system_default_spreads();
    let conversion = convert_with(&text, &options);
    let problem_ = conversion.problem().unwrap();
    let of = |name: &str| {
        let pod = problem_.pods().iter().find(|pod| pod.name() == name).unwrap();
        pod.topology_spread_constraints().to_vec()
    };
    assert_eq!(of("p"), []);
    let spreads = of("w");
    assert_eq!(spreads.iter().map(|one| one.max_skew).collect::<Vec<_>>(), [3, 5]);
    let selector = |at: usize| spreads[at].label_selector.as_ref().unwrap();
    assert_eq!(selector(0).match_labels.len(), 2);
    // By default there are none.
    assert!(problem(&text).pods().iter().all(|pod| pod.topology_spread_constraints().is_empty()));
}

#[test]
fn what_is_hardly_meant_is_noted() {
    let text =
        pod("").replace("name: c}", "name: c, resources: {requests: {mem: 1Gi, memory: 512m}}}");
    assert_eq!(
        noted(&text),
        [
            "Pod p spec.containers: mem is no resource of Kubernetes, so no node may have it",
            "Pod p spec.containers: a request of 512m memory is a fraction, and rounded up",
        ]
    );
}

#[test]
fn labels_are_told_where_the_object_has_them() {
    let text = pod("").replace("name: p", "name: p, labels: {a: b c}");
    assert!(refused(&text)[0].starts_with("Pod p metadata.labels[a]: "), "{:?}", refused(&text));
    let text = pod("").replace("name: c}", "name: c, resources: {requests: {a b: 1}}}");
    assert!(refused(&text)[0].starts_with("Pod p spec.containers[a b]: "), "{:?}", refused(&text));
}

#[test]
fn typed_objects_convert_as_text_does() {
    let text = r#"{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "w"}}, "template": {
        "metadata": {"labels": {"app": "w"}}, "spec": {"containers": [{"name": "c",
        "resources": {"requests": {"cpu": "250m"}}}]}}}}"#;
    let typed: k8s_openapi::api::apps::v1::Deployment = serde_json::from_str(text).unwrap();
    let mut dump = Dump::new();
    dump.add(&typed).unwrap();
    let conversion = dump.convert(&ConvertOptions::default());
    assert_eq!(conversion.refusals(), []);
    assert_eq!(conversion.problem().unwrap(), problem(text));
}
