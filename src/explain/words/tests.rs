//! Each cause with its code and its sentence, word for word.

use super::*;
use crate::model::{Operator, Requirement, Resources};

fn set(operator: Operator, values: &[&str]) -> ValueSet {
    ValueSet::from_requirement(&Requirement::new("k", operator, values.iter().copied()))
}

fn amount(text: &str) -> Quantity {
    Resources::parse([("r", text)]).ok().and_then(|r| r.get("r")).unwrap_or_default()
}

#[test]
fn each_cause_has_its_code_and_sentence() {
    let pool: Arc<str> = "gpu".into();
    let p = || Arc::clone(&pool);
    let taint = Taint::new("nvidia.com/gpu", "true", Effect::NoSchedule);
    let conflict = |key, needed, offered| LabelConflict::new(key, needed, offered);
    let zone = "topology.kubernetes.io/zone";
    let linux = || conflict("os", ValueSet::one("linux"), ValueSet::any());
    let cases = [
        (Cause::NoNodePool, "no-node-pool", "there is no node pool to launch from"),
        (
            Cause::NoInstanceType { pool: p() },
            "no-instance-type",
            "node pool gpu has no instance type that meets its own requirements",
        ),
        (
            Cause::Labels {
                pool: p(),
                conflicts: vec![conflict(zone, ValueSet::one("a"), ValueSet::only(["b", "c"]))],
            },
            "labels",
            "the pod needs topology.kubernetes.io/zone to be a, on node pool gpu it is b or c",
        ),
        (
            Cause::Labels {
                pool: p(),
                conflicts: vec![conflict("x", set(Operator::Exists, &[]), ValueSet::absent())],
            },
            "labels",
            "the pod needs x to be set, on node pool gpu it is absent",
        ),
        (
            Cause::Labels {
                pool: p(),
                conflicts: vec![
                    linux(),
                    conflict("cpu", set(Operator::Gt, &["4"]), ValueSet::any()),
                ],
            },
            "labels",
            "node pool gpu has nothing with all of: os linux; cpu an integer of at least 5",
        ),
        (
            Cause::Labels { pool: p(), conflicts: vec![] },
            "labels",
            "node pool gpu can't give a node the labels that the pod needs",
        ),
        (
            Cause::Taint { pool: p(), taint },
            "taint",
            "node pool gpu has the taint nvidia.com/gpu=true:NoSchedule, which the pod doesn't \
             tolerate",
        ),
        (
            Cause::Zone {
                pool: p(),
                volume_zones: vec!["a".into()],
                pool_zones: vec!["b".into(), "c".into()],
            },
            "volume-zone",
            "the pod's volumes need zone a, node pool gpu allows b or c",
        ),
        (
            Cause::Zone { pool: p(), volume_zones: vec!["a".into()], pool_zones: vec![] },
            "volume-zone",
            "the pod's volumes need zone a, node pool gpu has no zone for the pod",
        ),
        (
            Cause::Resource {
                pool: p(),
                resource: "cpu".into(),
                requested: amount("4"),
                nearest: Some(("m7i.xlarge".into(), amount("3700m"))),
                daemons: None,
            },
            "resource",
            "the pod lacks 300m cpu on m7i.xlarge, the nearest of node pool gpu: it requests 4 \
             and finds 3700m",
        ),
        (
            Cause::Resource {
                pool: p(),
                resource: "example.com/fpga".into(),
                requested: amount("1"),
                nearest: None,
                daemons: None,
            },
            "resource",
            "the pod requests 1 example.com/fpga, no instance type of node pool gpu has any",
        ),
        (
            Cause::Unavailable { pool: p() },
            "unavailable",
            "no offering of node pool gpu that suits the pod is available",
        ),
        (
            Cause::Limit {
                pool: p(),
                resource: "cpu".into(),
                limit: amount("200"),
                used: amount("198"),
                needed: amount("4"),
            },
            "limit",
            "node pool gpu has used 198 of its limit of 200 cpu, one more node for the pod \
             needs 4",
        ),
        (Cause::Reservation { id: "cr-1".into() }, "reservation", "reservation cr-1 is used up"),
        (
            Cause::MinValues { pool: p(), key: "family".into(), needed: 3, possible: 1 },
            "min-values",
            "node pool gpu keeps at least 3 values of family open, the pod leaves 1",
        ),
        (
            Cause::HostPort { pool: p(), port: 9100, protocol: crate::model::Protocol::Tcp },
            "host-port",
            "a daemon set on node pool gpu holds host port 9100/TCP",
        ),
        (
            Cause::NodeName { node: "n1".into() },
            "node-name",
            "the pod must run on node n1, which can't take it",
        ),
        (
            Cause::AttachLimit { pool: p(), driver: "disk".into(), volumes: 3, most: 2 },
            "attach-limit",
            "the pod mounts 3 volumes of disk, a node of node pool gpu that is large enough attaches 2 at most",
        ),
        (
            Cause::VolumeLimit { driver: "ebs.csi.aws.com".into() },
            "volume-limit",
            "existing nodes can't attach another volume of ebs.csi.aws.com",
        ),
        (
            Cause::AntiAffinity,
            "anti-affinity",
            "existing nodes run pods that anti-affinity keeps apart from the pod",
        ),
    ];
    for (cause, code, sentence) in cases {
        let reason = Reason::new(&cause, 7);
        assert_eq!((reason.code(), reason.sentence()), (code, sentence));
        assert_eq!(reason.candidates(), 7);
    }
}

#[test]
fn causes_of_topology_have_their_sentences() {
    let zone: Arc<str> = "topology.kubernetes.io/zone".into();
    let key = || Arc::clone(&zone);
    let domains = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect::<Vec<_>>();
    let spread = |full: &[&str]| Cause::TopologySpread {
        key: key(),
        max_skew: 1,
        least: 2,
        full: domains(full).into_iter().map(|domain| (domain, 3)).collect(),
        lowest: None,
    };
    let cases = [
        (
            spread(&["a", "b"]),
            "topology-spread",
            "the pods spread over topology.kubernetes.io/zone with a skew of at most 1: the lowest \
             count is 2, a has 3, b has 3",
        ),
        (
            spread(&[]),
            "topology-spread",
            "the pods spread over topology.kubernetes.io/zone with a skew of at most 1: the lowest \
             count is 2, and nodes with room have as many as that allows",
        ),
        (
            spread(&["", "b", "c", "d", "e", "f", "g"]),
            "topology-spread",
            "the pods spread over topology.kubernetes.io/zone with a skew of at most 1: the lowest \
             count is 2, \"\" has 3, b has 3, c has 3, d has 3, e has 3, 2 more",
        ),
        (
            Cause::PodAffinity { key: key(), domains: domains(&["a", "b"]) },
            "pod-affinity",
            "the pod must share topology.kubernetes.io/zone with pods in a or b",
        ),
        (
            Cause::PodAffinity { key: key(), domains: vec![] },
            "pod-affinity",
            "the pod must share topology.kubernetes.io/zone with pods of which none has a place",
        ),
        (
            Cause::PodAntiAffinity { key: key(), domains: domains(&["a", "b", "c"]) },
            "pod-anti-affinity",
            "anti-affinity keeps the pod out of topology.kubernetes.io/zone a, b or c",
        ),
        (
            Cause::PodAntiAffinity { key: key(), domains: vec![] },
            "pod-anti-affinity",
            "anti-affinity over topology.kubernetes.io/zone keeps the pod apart from other pods",
        ),
        (
            Cause::MutualAffinity,
            "pod-affinity-cycle",
            "the pod and others need each other, so that none can be first",
        ),
        (
            Cause::TopologyKey { key: "rack".into() },
            "topology-key",
            "the pod's topology rules need the label rack, which no node that it could use has",
        ),
        (
            Cause::Placeholder,
            "placeholder",
            "the pod is a placeholder for free room, and no room is free",
        ),
        (
            Cause::StaticPool { pool: "gpu".into() },
            "static-pool",
            "node pool gpu has a fixed number of nodes, none of them with room for the pod",
        ),
    ];
    for (cause, code, sentence) in cases {
        assert_eq!((cause.code(), cause.to_string().as_str()), (code, sentence));
    }
}

#[test]
fn causes_of_a_finished_plan_have_their_sentences() {
    let key: Arc<str> = "zone".into();
    let limit = || Cause::Limit {
        pool: "gpu".into(),
        resource: "nodes".into(),
        limit: amount("2"),
        used: amount("2"),
        needed: amount("1"),
    };
    let used_up =
        "node pool gpu has used 2 of its limit of 2 nodes, one more node for the pod needs 1";
    let node = |nodes: &[&str], launches, full| Cause::PodAffinityNode {
        nodes: nodes.iter().map(|name| Arc::from(*name)).collect(),
        launches,
        full,
    };
    let taint = Taint::new("team", "", Effect::NoSchedule);
    let cases = [
        (
            Cause::TopologySpread {
                key: key.clone(),
                max_skew: 1,
                least: 2,
                full: vec![("a".into(), 3)],
                lowest: Some(("b".into(), Box::new(limit()))),
            },
            "topology-spread",
            format!(
                "the pods spread over zone with a skew of at most 1: the lowest count is 2, a has 3; \
                 in b, the lowest, {used_up}"
            ),
        ),
        (
            Cause::MinDomains {
                key: key.clone(),
                max_skew: 1,
                needed: 3,
                domains: vec![("a".into(), 1), ("b".into(), 1)],
            },
            "min-domains",
            "the pods spread over zone with a skew of at most 1 and minDomains 3: there are 2 \
             domains, a has 1, b has 1, and while they are too few the lowest count is taken as 0"
                .into(),
        ),
        (
            Cause::EmptyDomain { key, domain: "c".into() },
            "empty-domain",
            "a node for the pod would be the first in zone c, and the spread of other pods doesn't \
             allow what they have elsewhere"
                .into(),
        ),
        (
            node(&["n1", "n2"], 0, true),
            "pod-affinity-node-full",
            "the pod must share a node with certain pods, and node n1 or n2, where they are, is full"
                .into(),
        ),
        (
            node(&[], 1, false),
            "pod-affinity",
            "the pod must share a node with certain pods, and the node to launch where they are \
             can't take it"
                .into(),
        ),
        (
            Cause::Daemon {
                pool: "gpu".into(),
                instance_type: "c4".into(),
                daemons: vec!["agent".into()],
                resource: "cpu".into(),
                requested: amount("5"),
                available: amount("4"),
            },
            "daemon",
            "daemon set agent on node pool gpu requests 5 cpu, and c4, the nearest, has 4, so no \
             node for the pod can be launched"
                .into(),
        ),
        (
            Cause::Resource {
                pool: "gpu".into(),
                resource: "cpu".into(),
                requested: amount("4"),
                nearest: Some(("c4".into(), amount("3"))),
                daemons: Some((vec!["agent".into(), "logs".into()], amount("1"))),
            },
            "resource",
            "the pod lacks 1 cpu on c4, the nearest of node pool gpu: it requests 4 and finds 3 \
             beside 1 of daemon sets agent, logs"
                .into(),
        ),
        (
            Cause::Several { causes: vec![Cause::Taint { pool: "gpu".into(), taint }, limit()] },
            "several",
            format!(
                "several at once: node pool gpu has the taint team:NoSchedule, which the pod \
                 doesn't tolerate, and {used_up}"
            ),
        ),
        (
            Cause::NotFound { pool: Some("gpu".into()) },
            "not-found",
            "node pool gpu could take the pod, but no plan in which it does was found".into(),
        ),
    ];
    for (cause, code, sentence) in cases {
        assert_eq!((cause.code(), cause.to_string()), (code, sentence));
    }
}

#[test]
fn existing_nodes_have_their_own_sentences() {
    for (miss, code, sentence) in [
        (Miss::Deleting, "existing-deleting", "existing nodes are being deleted"),
        (
            Miss::Labels,
            "existing-labels",
            "existing nodes don't have the labels that the pod needs",
        ),
        (
            Miss::Taints,
            "existing-taints",
            "existing nodes have taints that the pod doesn't tolerate",
        ),
        (
            Miss::Zone,
            "existing-volume-zone",
            "existing nodes aren't in a zone of the pod's volumes",
        ),
        (
            Miss::Resources,
            "existing-resources",
            "existing nodes have too little left for the pod's requests",
        ),
        (
            Miss::HostPorts,
            "existing-host-ports",
            "existing nodes have no free host port for the pod",
        ),
        (
            Miss::Topology,
            "existing-topology",
            "existing nodes are where the pod's topology rules don't let it",
        ),
    ] {
        let cause = Cause::Existing { miss };
        assert_eq!((cause.code(), cause.to_string().as_str()), (code, sentence));
    }
}

#[test]
fn sets_of_label_states_read_well() {
    let with = |operator, values: &[&str], excluded: &[&str]| {
        states(&set(operator, values).intersect(&set(Operator::NotIn, excluded)))
    };
    assert_eq!(states(&ValueSet::none()), "contradictory");
    assert_eq!(states(&ValueSet::any()), "anything");
    assert_eq!(states(&ValueSet::one("")), "\"\"");
    assert_eq!(with(Operator::In, &["a", "b", "c"], &[]), "a, b or c");
    assert_eq!(
        with(Operator::In, &["1", "2", "3", "4", "5", "6", "7"], &[]),
        "1, 2, 3, 4, 5 or 2 more"
    );
    assert_eq!(with(Operator::NotIn, &["a"], &["b"]), "absent or anything but a or b");
    assert_eq!(with(Operator::Exists, &[], &["a"]), "anything but a");
    assert_eq!(with(Operator::Gte, &["2"], &["3"]), "an integer of at least 2 but 3");
    assert_eq!(with(Operator::Lt, &["2"], &[]), "an integer of at most 1");
    assert_eq!(
        states(&set(Operator::Gt, &["2"]).intersect(&set(Operator::Lte, &["9"]))),
        "an integer from 3 to 9"
    );
}

#[test]
fn reasons_that_ruled_out_more_come_first() {
    let mut reasons = [
        Reason::new(&Cause::NoNodePool, 1),
        Reason::new(&Cause::AntiAffinity, 1),
        Reason::new(&Cause::Reservation { id: "cr-1".into() }, 5),
    ];
    reasons.sort();
    let codes: Vec<_> = reasons.iter().map(Reason::code).collect();
    assert_eq!(codes, ["reservation", "anti-affinity", "no-node-pool"]);
}
