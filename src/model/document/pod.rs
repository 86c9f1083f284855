//! Pods and daemon sets in documents.
//!
//! A daemon set is a pod without the fields that it can't have.

use super::affinity::{
    read_affinity, read_spread, read_term, write_affinity, write_spread, write_term,
};
use super::read::{Cursor, boolean, choice, labels, resources, text, texts, whole};
use super::taint::{read_toleration, write_toleration};
use super::value::Value;
use super::write::{Object, list};
use crate::model::{HostPort, Pod, Protocol, Volume};
use std::sync::Arc;

const POD: &[&str] = &[
    "name",
    "namespace",
    "replicas",
    "labels",
    "annotations",
    "requests",
    "nodeSelector",
    "affinity",
    "tolerations",
    "topologySpreadConstraints",
    "hostPorts",
    "volumes",
    "recreatedRequests",
    "priority",
    "nodeName",
    "ownerKind",
    "doNotDisrupt",
    "deletionCost",
];

/// A daemon set has all fields of a pod but these.
const NOT_IN_DAEMON_SETS: [&str; 2] = ["replicas", "nodeName"];

pub(super) fn read_daemon_set(cursor: Cursor<'_>) -> Option<Pod> {
    if let Value::Map(entries) = cursor.value {
        for (name, _) in entries.iter().filter(|(name, _)| NOT_IN_DAEMON_SETS.contains(&&**name)) {
            cursor.faults.add(
                &cursor.path.field(name),
                "a field that daemon sets don't have",
                "no such field: a daemon set runs once on every node that admits it",
            );
        }
    }
    read_pod(cursor)
}

pub(super) fn read_pod(cursor: Cursor<'_>) -> Option<Pod> {
    let mut fields = cursor.object(POD);
    let mut pod = Pod::new(fields.required("name", text).unwrap_or_default());
    if let Some(namespace) = fields.optional("namespace", text) {
        pod.namespace = namespace;
    }
    pod.replicas = fields.optional("replicas", whole).unwrap_or(1);
    pod.labels = fields.optional("labels", labels).unwrap_or_default();
    pod.annotations = fields.optional("annotations", labels).unwrap_or_default();
    pod.requests = fields.optional("requests", resources).unwrap_or_default();
    pod.node_selector = fields.optional("nodeSelector", labels).unwrap_or_default();
    pod.affinity = fields.optional("affinity", read_affinity).map(Arc::new);
    pod.tolerations = fields.list("tolerations", read_toleration).into();
    pod.topology_spread_constraints = fields.list("topologySpreadConstraints", read_spread).into();
    pod.host_ports = fields.list("hostPorts", read_host_port).into();
    pod.volumes = fields.list("volumes", read_volume).into();
    pod.recreated_requests = fields.optional("recreatedRequests", resources);
    pod.priority = fields.optional("priority", whole).unwrap_or_default();
    pod.node_name = fields.optional("nodeName", text);
    pod.owner_kind = fields.optional("ownerKind", text);
    pod.do_not_disrupt = fields.optional("doNotDisrupt", boolean).unwrap_or_default();
    pod.deletion_cost = fields.optional("deletionCost", whole).unwrap_or_default();
    Some(pod)
}

pub(super) fn write_pod(pod: &Pod) -> Value<'_> {
    Object::new()
        .field("name", &pod.name)
        .unless("namespace", "default", &pod.namespace)
        .unless("replicas", 1, pod.replicas)
        .unless_empty("labels", &pod.labels)
        .unless_empty("annotations", &pod.annotations)
        .unless_empty("requests", &pod.requests)
        .unless_empty("nodeSelector", &pod.node_selector)
        .option("affinity", pod.affinity.as_deref().map(write_affinity))
        .unless_empty("tolerations", list(&pod.tolerations, write_toleration))
        .unless_empty(
            "topologySpreadConstraints",
            list(&pod.topology_spread_constraints, write_spread),
        )
        .unless_empty("hostPorts", list(&pod.host_ports, write_host_port))
        .unless_empty("volumes", list(&pod.volumes, write_volume))
        .option("recreatedRequests", pod.recreated_requests.as_ref())
        .unless("priority", 0, pod.priority)
        .option("nodeName", pod.node_name.as_ref())
        .option("ownerKind", pod.owner_kind.as_ref())
        .unless("doNotDisrupt", false, pod.do_not_disrupt)
        .unless("deletionCost", 0, pod.deletion_cost)
        .into()
}

pub(super) fn read_host_port(cursor: Cursor<'_>) -> Option<HostPort> {
    let mut fields = cursor.object(&["port", "protocol", "hostIP"]);
    let mut port = HostPort::new(fields.required("port", whole).unwrap_or_default());
    if let Some(protocol) = fields.optional("protocol", read_protocol) {
        port.protocol = protocol;
    }
    if let Some(host_ip) = fields.optional("hostIP", text) {
        port.host_ip = host_ip;
    }
    Some(port)
}

/// A protocol; an empty text is the usual one, as in Kubernetes.
pub(crate) fn read_protocol(cursor: Cursor<'_>) -> Option<Protocol> {
    match cursor.value {
        Value::Text(text) if text.is_empty() => Some(Protocol::default()),
        _ => choice(cursor, Protocol::WORDS),
    }
}

pub(super) fn write_host_port(port: &HostPort) -> Value<'_> {
    Object::new()
        .field("port", port.port)
        .unless("protocol", "TCP", port.protocol.as_str())
        .unless("hostIP", "0.0.0.0", &port.host_ip)
        .into()
}

pub(super) fn read_volume(cursor: Cursor<'_>) -> Option<Volume> {
    let mut fields = cursor.object(&["driver", "id", "zones", "nodeSelectorTerms"]);
    Some(Volume {
        driver: fields.required("driver", text).unwrap_or_default(),
        id: fields.required("id", text).unwrap_or_default(),
        zones: fields.optional("zones", texts).unwrap_or_default(),
        node_selector_terms: fields.list("nodeSelectorTerms", read_term),
    })
}

pub(super) fn write_volume(volume: &Volume) -> Value<'_> {
    Object::new()
        .field("driver", &volume.driver)
        .field("id", &volume.id)
        .unless_empty("zones", &volume.zones)
        .unless_empty("nodeSelectorTerms", list(&volume.node_selector_terms, write_term))
        .into()
}
