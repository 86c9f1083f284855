//! What the `metadata` of an object says that matters: labels, owner, some annotations.

use super::report::Findings;
use super::time::{Timestamp, duration_seconds};
use crate::model::document::read::{Cursor, labels};
use crate::model::document::value::Value;
use crate::model::fault::Path;
use crate::model::{Labels, Placeholder, Pod};
use std::sync::Arc;

/// An object's `metadata`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metadata<'v>(pub(super) Option<&'v Value<'v>>);

/// The object that made another and looks after it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Owner {
    pub(super) kind: Arc<str>,
    pub(super) name: Arc<str>,
}

impl<'v> Metadata<'v> {
    /// The metadata of an object, or of a template.
    pub(super) fn of(object: &'v Value<'v>) -> Self {
        Self(object.get("metadata"))
    }

    fn text(self, name: &str) -> Option<&'v str> {
        self.0?.get(name)?.as_text().filter(|text| !text.is_empty())
    }

    /// The name, or what names are made from.
    pub(super) fn name(self) -> Option<&'v str> {
        self.text("name").or_else(|| self.text("generateName"))
    }

    /// The namespace; none where it isn't said.
    pub(super) fn namespace(self) -> Option<&'v str> {
        self.text("namespace")
    }

    /// Whether the object is on its way out.
    pub(super) fn is_deleting(self) -> bool {
        self.text("deletionTimestamp").is_some()
    }

    /// The labels; what isn't a label is a fault of `path`.
    pub(super) fn labels(self, path: &Path<'_>, findings: &mut Findings) -> Labels {
        let Some(value) = self.0.and_then(|metadata| metadata.get("labels")) else {
            return Labels::new();
        };
        let path = path.field("labels");
        labels(Cursor { value, path: &path, faults: &mut findings.faults }).unwrap_or_default()
    }

    /// The text of an annotation.
    pub(super) fn annotation(self, key: &str) -> Option<&'v str> {
        self.0?.get("annotations")?.get(key)?.as_text()
    }

    /// The owner that looks after the object.
    pub(super) fn owner(self) -> Option<Owner> {
        let references = self.0?.get("ownerReferences")?.items();
        let controls = |one: &&Value<'_>| matches!(one.get("controller"), Some(Value::Bool(true)));
        let owner = references.iter().find(controls)?;
        let text = |name: &str| Some(Arc::from(owner.get(name)?.as_text()?));
        Some(Owner { kind: text("kind")?, name: text("name")? })
    }

    /// The kind of the owner as the problem has it: a pod that a node's own files describe is its
    /// node's.
    ///
    /// Such pods (the kubelet's static ones) go with their node and are never moved.
    pub(super) fn owner_kind(self) -> Option<Arc<str>> {
        let mirror = self.annotation("kubernetes.io/config.mirror").is_some()
            || self.annotation("kubernetes.io/config.source").is_some_and(|source| source != "api");
        if mirror { Some("Node".into()) } else { Some(self.owner()?.kind) }
    }
}

/// What annotations say of a pod's being disrupted, and of its being a placeholder.
///
/// Both autoscalers' annotations count, whichever runs in the cluster.
pub(super) fn annotate(
    pod: &mut Pod,
    metadata: Metadata<'_>,
    start: Option<Timestamp>,
    now: Option<Timestamp>,
    findings: &mut Findings,
) {
    pod.do_not_disrupt |= ["karpenter.sh/do-not-disrupt", "karpenter.sh/do-not-evict"]
        .into_iter()
        .any(|key| metadata.annotation(key).is_some_and(|word| stays(word, start, now)))
        || metadata.annotation("cluster-autoscaler.kubernetes.io/safe-to-evict") == Some("false");
    let cost = "controller.kubernetes.io/pod-deletion-cost";
    if let Some(text) = metadata.annotation(cost) {
        match text.parse() {
            Ok(number) => pod.deletion_cost = number,
            Err(_) => findings.note(
                format!("metadata.annotations[{cost}]"),
                "not a whole number, so 0 counts, as in Kubernetes",
            ),
        }
    }
    if let Some(word) = metadata.annotation(Placeholder::ANNOTATION) {
        let _former = pod.annotations.insert(Placeholder::ANNOTATION, word);
    }
}

/// Whether a pod is still kept from being disrupted: always, or for so long after its start.
fn stays(word: &str, start: Option<Timestamp>, now: Option<Timestamp>) -> bool {
    match duration_seconds(word) {
        None => word == "true",
        // Without an instant the pod is kept, which is the safe side.
        Some(seconds) => match (start, now) {
            (Some(start), Some(now)) => now.seconds() < start.seconds().saturating_add(seconds),
            _ => true,
        },
    }
}
