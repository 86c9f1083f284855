//! Workloads: how many pods their templates stand for.
//!
//! A template is one entry with as many replicas as the workload asks for, which takes no more room
//! than a single pod: deployments of a hundred thousand replicas are one line of a problem. Only
//! pods that differ are spelt out one by one: those of stateful sets with claims, and those with
//! ephemeral volumes.
//!
//! | kind | how many |
//! |---|---|
//! | Deployment, ReplicaSet, ReplicationController, StatefulSet | `spec.replicas`, else an autoscaler's `minReplicas`, else 1 |
//! | Job | `parallelism`, but no more than `completions` that are still missing; none of a finished or suspended one |
//! | DaemonSet | one on each node that admits it |

use super::dump::Entry;
use super::fields::{DAEMON_SET, DEPLOYMENT, FieldsOf, JOB, REPLICA_SET, STATEFUL_SET};
use super::kind::ObjectKind;
use super::pod::Surroundings;
use super::report::Findings;
use crate::model::document::read::{Cursor, boolean, text, whole};
use crate::model::document::value::Value;
use crate::model::fault::Path;
use crate::model::{MOST_PODS, Pod};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A workload: its namespace, kind and name.
pub(super) type WorkloadKey = (Arc<str>, Arc<str>, Arc<str>);

/// The replicas that an autoscaler keeps at least, by workload.
///
/// From `HorizontalPodAutoscaler`s; manifests under one leave `replicas` out on purpose.
pub(super) type LeastReplicas = BTreeMap<WorkloadKey, u32>;

/// How many pods may be spelt out one by one, all workloads together: those that have claims of
/// their own.
///
/// More is refused rather than tried: each takes memory of its own.
pub(super) const MOST_SINGLE: u32 = 1_000_000;

const TEMPLATE: &[&str] = &["spec", "template"];

/// What the `spec` of a workload says.
///
/// The union of what the kinds have; a field that a kind doesn't have is refused before it gets
/// here.
#[derive(Debug, Default)]
struct WorkloadSpec {
    replicas: Option<u32>,
    first: u32,
    parallelism: Option<u32>,
    completions: Option<u32>,
    suspended: bool,
    managed_by: Option<Arc<str>>,
    grouped: bool,
    /// The claims that each pod of a stateful set has of its own: their names and classes.
    claims: Vec<(Arc<str>, Option<Arc<str>>)>,
}

/// Reads the autoscaler of a workload's replicas.
///
/// One that names no workload says nothing.
pub(super) fn read_autoscaler(entry: &Entry, least: &mut LeastReplicas) {
    let text = |path: &[&str]| entry.tree.find(path).and_then(Value::as_text).map(Arc::from);
    let namespace = super::pod::namespace(entry);
    let target =
        (text(&["spec", "scaleTargetRef", "kind"]), text(&["spec", "scaleTargetRef", "name"]));
    if let (Some(kind), Some(name)) = target {
        let replicas = match entry.tree.find(&["spec", "minReplicas"]) {
            Some(Value::Integer(number)) => u32::try_from(*number).unwrap_or(1),
            _ => 1,
        };
        let _former = least.insert((namespace, kind, name), replicas);
    }
}

/// The pods that a workload asks for.
///
/// A stateful set's pods are numbered from `ordinals.start`.
pub(super) fn pods(
    entry: &Entry,
    surroundings: &Surroundings,
    least: &LeastReplicas,
    singles_left: &mut u32,
    findings: &mut Findings,
) -> Vec<Pod> {
    let (known, owner) = match entry.kind {
        ObjectKind::Deployment => (DEPLOYMENT, "ReplicaSet"),
        ObjectKind::StatefulSet => (STATEFUL_SET, "StatefulSet"),
        ObjectKind::Job => (JOB, "Job"),
        _ => (REPLICA_SET, &*entry.id.kind),
    };
    let spec = read_spec(entry, known, findings);
    let key =
        (super::pod::namespace(entry), Arc::clone(&entry.id.kind), Arc::clone(&entry.id.name));
    let count = match entry.kind {
        ObjectKind::Job => job_pods(&spec, &entry.tree),
        _ => spec.replicas.or_else(|| least.get(&key).copied()).unwrap_or(1),
    };
    if spec.grouped {
        findings
            .note("spec.scheduling", "planned pod by pod: a group isn't asked to start as a whole");
    }
    if let Some(by) = &spec.managed_by {
        let message = format!("{by} makes its pods, maybe others than Kubernetes' own controller");
        findings.note("spec.managedBy", message);
    }
    let (mut pod, own_claims) = surroundings.of_template(entry, TEMPLATE, owner, findings);
    if count == 0 {
        findings.note("spec", "it asks for no pods now");
        return Vec::new();
    }
    if count > MOST_PODS {
        findings.refuse("spec.replicas", count.to_string(), format!("at most {MOST_PODS}"));
        return Vec::new();
    }
    let singly = own_claims || !spec.claims.is_empty() || spec.first > 0;
    if !singly || count == 1 && spec.first == 0 && spec.claims.is_empty() {
        pod.replicas = count;
        return vec![pod];
    }
    let Some(left) = singles_left.checked_sub(count) else {
        let why = format!("{count} pods with claims of their own");
        findings.refuse("spec.replicas", why, format!("at most {MOST_SINGLE} of them in all"));
        return Vec::new();
    };
    *singles_left = left;
    (0..count).map(|i| one_of(&pod, entry, &spec, i, surroundings, findings)).collect()
}

/// The pod of a daemon set.
pub(super) fn daemon_set(
    entry: &Entry,
    surroundings: &Surroundings,
    findings: &mut Findings,
) -> Pod {
    let _spec = read_spec(entry, DAEMON_SET, findings);
    surroundings.daemon_set(entry, TEMPLATE, findings)
}

/// One pod of several that aren't alike: each has claims of its own.
///
/// Its volumes are those of the template with the pod's own name in the ids, and one for each
/// `volumeClaimTemplate`: the claim that is there, or what its storage class would make.
fn one_of(
    pod: &Pod,
    entry: &Entry,
    spec: &WorkloadSpec,
    number: u32,
    surroundings: &Surroundings,
    findings: &mut Findings,
) -> Pod {
    let ordinal = spec.first.saturating_add(number);
    let name = format!("{}-{ordinal}", entry.id.name);
    let mut one = pod.clone().with_name(name.as_str());
    // What is made for each pod was looked up for the first; the others' differ in the name alone.
    let stem = format!("{}/{}-", pod.namespace, entry.id.name);
    for volume in one.volumes.items_mut() {
        if let Some(rest) = volume.id.strip_prefix(&stem) {
            volume.id = format!("{}/{name}-{rest}", pod.namespace).into();
        }
    }
    for (claim, class) in &spec.claims {
        match surroundings.storage.of_set(&pod.namespace, claim, &name, class.as_deref()) {
            Ok(volume) => one.volumes.to_mut().extend(volume),
            Err(why) => {
                let at = format!("spec.volumeClaimTemplates[{claim}]");
                findings.refuse(&at, why, "a claim that can be met, with its volume or its class");
            }
        }
    }
    one.volumes.to_mut().sort();
    one.volumes.to_mut().dedup();
    one
}

/// The pods that a job still asks for at a time.
///
/// Pods that failed don't count towards completions, as in Kubernetes.
fn job_pods(spec: &WorkloadSpec, tree: &Value<'_>) -> u32 {
    let finished = tree.find(&["status", "conditions"]).map_or(&[][..], Value::items);
    let ended = finished.iter().any(|condition| {
        let is = |name: &str, words: &[&str]| {
            condition.get(name).and_then(Value::as_text).is_some_and(|word| words.contains(&word))
        };
        is("type", &["Complete", "Failed"]) && is("status", &["True"])
    });
    if spec.suspended || ended {
        return 0;
    }
    let succeeded = match tree.find(&["status", "succeeded"]) {
        Some(Value::Integer(number)) => u32::try_from(*number).unwrap_or(0),
        _ => 0,
    };
    let parallelism = spec.parallelism.unwrap_or(1);
    match spec.completions {
        Some(completions) => parallelism.min(completions.saturating_sub(succeeded)),
        None => parallelism,
    }
}

fn read_spec(entry: &Entry, known: FieldsOf, findings: &mut Findings) -> WorkloadSpec {
    let Some(value) = entry.tree.get("spec") else {
        findings.refuse("spec", "missing", "the spec of a workload");
        return WorkloadSpec::default();
    };
    let path = Path::Text("spec");
    let mut fields =
        Cursor { value, path: &path, faults: &mut findings.faults }.object_beside(known.0, known.1);
    let first =
        fields.optional("ordinals", |cursor| cursor.object(&["start"]).optional("start", whole));
    WorkloadSpec {
        replicas: fields.optional("replicas", whole),
        first: first.unwrap_or(0),
        parallelism: fields.optional("parallelism", whole),
        completions: fields.optional("completions", whole),
        suspended: fields.optional("suspend", boolean).unwrap_or_default(),
        managed_by: fields
            .optional("managedBy", text)
            .filter(|by| &**by != "kubernetes.io/job-controller"),
        grouped: fields.has("scheduling"),
        claims: fields.list("volumeClaimTemplates", |cursor| {
            let text =
                |path: &[&str]| cursor.value.find(path).and_then(Value::as_text).map(Arc::from);
            Some((text(&["metadata", "name"])?, text(&["spec", "storageClassName"])))
        }),
    }
}
