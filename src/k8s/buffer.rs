//! Capacity buffers of Cluster Autoscaler and Karpenter: room for more pods of a template, as
//! placeholder pods.
//!
//! A buffer refers to a `PodTemplate`, or to a workload by its kind and name; how many pods it
//! keeps room for is [`Headroom`]'s to say. As in both autoscalers these pods have the template's
//! labels and rules and no volumes. They have the lowest priority there is, so that no pod waits
//! for them.
//!
//! Sources: <https://github.com/kubernetes-sigs/cluster-autoscaler>, pkg/proposals/buffers.md, and
//! the API's `autoscaling.x-k8s.io/v1beta1`.

use super::dump::Entry;
use super::fields::CAPACITY_BUFFER;
use super::kind::ObjectKind;
use super::pod::{Surroundings, namespace};
use super::report::Findings;
use super::workload::LeastReplicas;
use crate::model::document::read::{Cursor, resources, text, whole};
use crate::model::document::value::Value;
use crate::model::fault::{Path, quoted};
use crate::model::{Headroom, Pod, Resources};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The strategy that has room launched, and is meant where none is named.
const ACTIVE: &str = "buffer.x-k8s.io/active-capacity";

/// What buffers can refer to, by namespace, kind and name.
///
/// A buffer in one namespace can't refer to what is in another.
pub(super) type Shapes<'a> = BTreeMap<(Arc<str>, &'a str, &'a str), &'a Entry>;

/// The templates and workloads that buffers can refer to.
pub(super) fn shapes(entries: &[Entry]) -> Shapes<'_> {
    let is_shape = |entry: &&Entry| {
        matches!(
            entry.kind,
            ObjectKind::PodTemplate
                | ObjectKind::Deployment
                | ObjectKind::ReplicaSet
                | ObjectKind::ReplicationController
                | ObjectKind::StatefulSet
        )
    };
    let shapes = entries.iter().filter(is_shape);
    shapes.map(|entry| ((namespace(entry), &*entry.id.kind, &*entry.id.name), entry)).collect()
}

/// What the `spec` of a buffer says.
#[derive(Debug, Default)]
struct BufferSpec {
    strategy: Option<Arc<str>>,
    template: Option<Arc<str>>,
    scalable: Option<(Arc<str>, Arc<str>)>,
    replicas: Option<u32>,
    percentage: Option<u32>,
    limits: Option<Resources>,
}

/// The placeholder pods of a buffer.
pub(super) fn placeholder(
    entry: &Entry,
    shapes: &Shapes<'_>,
    surroundings: &Surroundings,
    least: &LeastReplicas,
    findings: &mut Findings,
) -> Option<Pod> {
    let spec = read_spec(entry, findings);
    if findings.is_refused() {
        return None;
    }
    if let Some(strategy) = spec.strategy.as_deref().filter(|strategy| *strategy != ACTIVE) {
        findings.refuse("spec.provisioningStrategy", quoted(strategy), quoted(ACTIVE));
        return None;
    }
    let (at, kind, name) = match (&spec.template, &spec.scalable) {
        (Some(name), None) => ("spec.podTemplateRef", "PodTemplate", &**name),
        (None, Some((kind, name))) => ("spec.scalableRef", &**kind, &**name),
        _ => {
            findings.refuse("spec", "not one of podTemplateRef and scalableRef", "one of them");
            return None;
        }
    };
    let Some(shape) = shapes.get(&(namespace(entry), kind, name)) else {
        let why = format!("there is no {kind} {}", quoted(name));
        let known = "a PodTemplate, Deployment, ReplicaSet, ReplicationController or StatefulSet";
        findings.refuse(at, why, format!("{known} of this namespace, among the objects"));
        return None;
    };
    let mut pod = shape_of(shape, at, surroundings, findings)?;
    let mut headroom = Headroom::default().with_limits(spec.limits.unwrap_or_default());
    if let Some(replicas) = spec.replicas {
        headroom = headroom.with_replicas(replicas);
    }
    match (spec.percentage, shape.kind) {
        (Some(_), ObjectKind::PodTemplate) => {
            findings.note("spec.percentage", "of a workload only: a template has no pods");
        }
        (Some(percent), _) => {
            headroom = headroom.with_percentage(percent, replicas_of(shape, least));
        }
        (None, _) => {}
    }
    pod.name = Arc::clone(&entry.id.name);
    let room = headroom.placeholder(&pod);
    if room.is_none() {
        findings.note("spec", "it asks for no room now");
    }
    room
}

/// One pod of what a buffer refers to, without its volumes.
fn shape_of(
    shape: &Entry,
    at: &str,
    surroundings: &Surroundings,
    findings: &mut Findings,
) -> Option<Pod> {
    let path: &[&str] = match shape.kind {
        ObjectKind::PodTemplate => &["template"],
        _ => &["spec", "template"],
    };
    let mut bare = shape.clone();
    without(&mut bare.tree, path, &["spec", "volumes"]);
    let mut of_shape = Findings::default();
    let (pod, _) = surroundings.of_template(&bare, path, &shape.id.kind, &mut of_shape);
    let (faults, _) = of_shape.into_parts();
    if let Some(fault) = faults.first() {
        let why = format!("{} {}: {}: {}", shape.id.kind, shape.id.name, fault.path, fault.problem);
        findings.refuse(at, why, fault.expected.clone());
        return None;
    }
    Some(pod)
}

/// Takes a field out of a tree.
fn without(tree: &mut Value<'static>, path: &[&str], field: &[&str]) {
    let Value::Map(entries) = tree else { return };
    let (key, path, field) = match (path, field) {
        ([key, path @ ..], field) => (key, path, field),
        ([], [last]) => return entries.retain(|(key, _)| &**key != *last),
        ([], [key, field @ ..]) => (key, path, field),
        ([], []) => return,
    };
    let inner = entries.iter_mut().filter(|(own, _)| &**own == *key);
    inner.for_each(|(_, value)| without(value, path, field));
}

/// How many pods a workload asks for.
fn replicas_of(shape: &Entry, least: &LeastReplicas) -> u32 {
    match shape.tree.find(&["spec", "replicas"]) {
        Some(Value::Integer(number)) => u32::try_from(*number).unwrap_or(0),
        _ => {
            let key = (namespace(shape), Arc::clone(&shape.id.kind), Arc::clone(&shape.id.name));
            least.get(&key).copied().unwrap_or(1)
        }
    }
}

fn read_spec(entry: &Entry, findings: &mut Findings) -> BufferSpec {
    let Some(value) = entry.tree.get("spec") else {
        findings.refuse("spec", "missing", "the spec of a capacity buffer");
        return BufferSpec::default();
    };
    let path = Path::Text("spec");
    let mut fields = Cursor { value, path: &path, faults: &mut findings.faults }
        .object_beside(CAPACITY_BUFFER.0, CAPACITY_BUFFER.1);
    BufferSpec {
        strategy: fields.optional("provisioningStrategy", text),
        template: fields
            .optional("podTemplateRef", |cursor| cursor.object(&["name"]).required("name", text)),
        scalable: fields.optional("scalableRef", |cursor| {
            let mut fields = cursor.object(&["apiGroup", "kind", "name"]);
            let _group = fields.optional("apiGroup", text);
            Some((fields.required("kind", text)?, fields.required("name", text)?))
        }),
        replicas: fields.optional("replicas", whole),
        percentage: fields.optional("percentage", whole),
        limits: fields.optional("limits", resources),
    }
}
