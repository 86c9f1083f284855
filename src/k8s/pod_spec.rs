//! A pod's `spec`, of a pod or a template: what it says, before classes and claims are looked up.

use super::fields::{POD_SPEC, VOLUME};
use super::report::Findings;
use super::request::{Container, Demands};
use crate::model::document::affinity::{read_affinity, read_spread};
use crate::model::document::read::{Cursor, Fields, boolean, labels, text, whole};
use crate::model::document::taint::read_toleration;
use crate::model::document::value::Value;
use crate::model::fault::Path;
use crate::model::{Affinity, HostPort, Pod, TolerationOperator};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a pod's `spec` says.
#[derive(Debug)]
pub(super) struct PodSpec {
    /// The rules that are the problem's in the same words; name, labels and requests aren't set.
    pub(super) pod: Pod,
    pub(super) demands: Demands,
    pub(super) priority: Option<i32>,
    pub(super) priority_class: Option<Arc<str>>,
    pub(super) runtime_class: Option<Arc<str>>,
    /// The gates that keep it from being scheduled.
    pub(super) gates: Vec<Arc<str>>,
    pub(super) volumes: Vec<VolumeSource>,
    /// Whether it is bound and obeys a rule that isn't modelled, so that it has to stay where it
    /// is.
    pub(super) stays: bool,
}

/// A volume that may tie a pod to nodes or take one of their attachments.
#[derive(Debug)]
pub(super) struct VolumeSource {
    /// Its name in the pod.
    pub(super) name: Arc<str>,
    pub(super) from: VolumeFrom,
}

/// Where a volume comes from.
#[derive(Debug)]
pub(super) enum VolumeFrom {
    /// A claim of the pod's namespace, by name.
    Claim(Arc<str>),
    /// A claim that is made with the pod, of this storage class.
    Ephemeral(Option<Arc<str>>),
    /// A disk of a cloud, named in the pod itself: the driver and the disk.
    Disk(&'static str, Arc<str>),
}

/// Reads a `spec` at `path`; what the problem can't hold is noted or refused.
///
/// Reading goes on after each fault, so one call finds all of them. What can't be held (devices,
/// groups that start as a whole, another scheduler) is refused where it would let a pod be placed
/// wrongly, and noted where it can't.
pub(super) fn read_pod_spec(
    spec: Option<&Value<'_>>,
    path: &Path<'_>,
    findings: &mut Findings,
) -> PodSpec {
    let missing = Value::Map(Vec::new());
    if spec.is_none() {
        findings.faults.add(path, "missing", "the spec of a pod");
    }
    let at = |field: &str| format!("{path}.{field}");
    let value = spec.unwrap_or(&missing);
    let mut fields =
        Cursor { value, path, faults: &mut findings.faults }.object_beside(POD_SPEC.0, POD_SPEC.1);
    let mut pod = Pod::new("");
    pod.node_selector = fields.optional("nodeSelector", labels).unwrap_or_default();
    pod.affinity = fields.optional("affinity", read_affinity).map(Arc::new);
    let mut tolerations = fields.list("tolerations", read_toleration);
    pod.topology_spread_constraints = fields.list("topologySpreadConstraints", read_spread).into();
    pod.node_name = fields.optional("nodeName", text).filter(|name| !name.is_empty());
    let demands = Demands::read(&mut fields);
    let on_host = fields.optional("hostNetwork", boolean).unwrap_or_default();
    let priority = fields.optional("priority", whole);
    let priority_class = class(&mut fields, "priorityClassName");
    let runtime_class = class(&mut fields, "runtimeClassName");
    let volumes = fields.list("volumes", read_volume).into_iter().flatten().collect();
    let gates =
        fields.list("schedulingGates", |cursor| cursor.object(&["name"]).optional("name", text));
    let claims = fields
        .list("resourceClaims", |cursor| {
            let named = &["name", "resourceClaimName", "resourceClaimTemplateName"];
            cursor.object(named).optional("name", text)
        })
        .len();
    let group = ["schedulingGroup", "workloadRef"].into_iter().find(|field| fields.has(field));
    let scheduler = class(&mut fields, "schedulerName");

    for toleration in &mut tolerations {
        // They say when a pod is evicted, not where it may go.
        toleration.toleration_seconds = None;
        if matches!(toleration.operator, TolerationOperator::Gt | TolerationOperator::Lt) {
            findings.note(at("tolerations"), "Gt and Lt count as if the cluster had enabled them");
        }
    }
    pod.tolerations = tolerations.into();
    let containers = || {
        let init = demands.init_containers.iter().map(|init| &init.container);
        demands.containers.iter().chain(init)
    };
    let claims_devices = containers().any(|container| container.uses_claims);
    let stays = claims_devices && pod.node_name.is_some();
    if stays {
        let message = "devices aren't modelled: as a bound pod it stays where it is";
        findings.note(at("resourceClaims"), message);
    } else if claims_devices {
        findings.refuse(
            &at("resourceClaims"),
            "devices of dynamic resource allocation, of which no node's number is known",
            "an extended resource, or the pod bound to its node",
        );
    } else if claims > 0 {
        findings.note(at("resourceClaims"), "no container uses them, so they play no part");
    }
    if let Some(field) = group {
        findings.note(at(field), "planned pod by pod: a group isn't asked to start as a whole");
    }
    if let Some(name) = scheduler.filter(|name| &**name != "default-scheduler") {
        let message = format!("{name} may place the pod otherwise than Kubernetes' own scheduler");
        findings.note(at("schedulerName"), message);
    }
    for name in demands.misspelt() {
        let message = format!("{name} is no resource of Kubernetes, so no node may have it");
        findings.note(at("containers"), message);
    }
    for (name, amount) in demands.fractions() {
        let message = format!("a request of {amount} {name} is a fraction, and rounded up");
        findings.note(at("containers"), message);
    }
    let sidecars = demands.init_containers.iter().filter(|init| init.sidecar);
    let running = demands.containers.iter().chain(sidecars.map(|init| &init.container));
    pod.host_ports = host_ports(running, on_host).into();
    PodSpec { pod, demands, priority, priority_class, runtime_class, gates, volumes, stays }
}

/// The name of a class, none where it is empty.
fn class(fields: &mut Fields<'_>, name: &'static str) -> Option<Arc<str>> {
    fields.optional(name, text).filter(|name| !name.is_empty())
}

/// The ports of the node that containers take, each once. On the network of the host every port of
/// a container is one of the node.
///
/// Ports of init containers that end aren't counted, those of sidecars are: kube-scheduler reads
/// the running ones.
fn host_ports<'a>(containers: impl Iterator<Item = &'a Container>, on_host: bool) -> Vec<HostPort> {
    let ports = containers.flat_map(|container| &container.ports).filter_map(|port| {
        let of_host = on_host.then_some(port.container_port).flatten();
        let mut taken = HostPort::new(port.host_port.or(of_host)?);
        taken.protocol = port.protocol;
        if let Some(address) = &port.host_ip {
            taken.host_ip = Arc::clone(address);
        }
        Some(taken)
    });
    ports.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Reads a volume; `None` within for one that plays no part.
///
/// Three clouds' old inline disks are the volumes of the drivers that took over from them.
fn read_volume(cursor: Cursor<'_>) -> Option<Option<VolumeSource>> {
    let mut fields = cursor.object_beside(VOLUME.0, VOLUME.1);
    let name = fields.optional("name", text).unwrap_or_default();
    let claim = fields.optional("persistentVolumeClaim", |cursor| {
        let mut fields = cursor.object_beside(&["claimName"], &["readOnly"]);
        fields.required("claimName", text).map(VolumeFrom::Claim)
    });
    let ephemeral = fields.optional("ephemeral", |cursor| {
        let path = &["volumeClaimTemplate", "spec", "storageClassName"];
        let class = cursor.value.find(path).and_then(Value::as_text).map(Arc::from);
        Some(VolumeFrom::Ephemeral(class))
    });
    let mut disk = |source: &'static str, driver: &'static str, id: &str| {
        fields.optional(source, |cursor| {
            let id = cursor.value.get(id).and_then(Value::as_text).map(Arc::from);
            Some(VolumeFrom::Disk(driver, id.unwrap_or_default()))
        })
    };
    let disks = [
        disk("awsElasticBlockStore", "ebs.csi.aws.com", "volumeID"),
        disk("gcePersistentDisk", "pd.csi.storage.gke.io", "pdName"),
        disk("azureDisk", "disk.csi.azure.com", "diskName"),
    ];
    let from = claim.or(ephemeral).or(disks.into_iter().flatten().next());
    Some(from.map(|from| VolumeSource { name, from }))
}

/// Takes away what the controller of a daemon set puts into the node affinity of each of its pods:
/// the name of the node.
///
/// A term that says nothing else admitted every node by that name alone, so the whole affinity then
/// asks for nothing.
pub(super) fn without_node_name(affinity: &mut Affinity) {
    let required = &mut affinity.node_affinity.required;
    let mut admits_all = false;
    for term in required.iter_mut().flatten() {
        let before = term.match_fields.len();
        term.match_fields.retain(|field| &*field.key != "metadata.name");
        let bare = term.match_expressions.is_empty() && term.match_fields.is_empty();
        admits_all |= bare && before > 0;
    }
    if admits_all {
        *required = None;
    }
}
