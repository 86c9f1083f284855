//! Objects as they come in, and the requests of the pods among them.

use super::kind::{ObjectKind, group_of, kind_of};
use super::metadata::Metadata;
use super::report::{ObjectId, Refusal};
use super::{request, text};
use crate::error::{Error, InvalidInput};
use crate::model::Resources;
use crate::model::document::read::Cursor;
use crate::model::document::value::Value;
use crate::model::fault::{Faults, Path};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Kubernetes' and Karpenter's objects of a cluster, or of a folder of manifests.
///
/// Objects come as text ([`Dump::add_text`]) or one by one in types of `k8s-openapi` and `kube`
/// ([`Dump::add`]); their order doesn't matter.
///
/// # Examples
/// ```
/// use plimsoll::k8s::{ConvertOptions, Dump};
///
/// let mut dump = Dump::new();
/// dump.add_text("pods.yaml", "
/// apiVersion: v1
/// kind: Pod
/// metadata: {name: web}
/// spec: {containers: [{name: web, resources: {requests: {cpu: 1}}}]}
/// ");
/// let problem = dump.convert(&ConvertOptions::default()).problem()?;
/// assert_eq!(problem.pods()[0].requests().get("cpu"), Some("1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It keeps trees, not the texts, in which keys that occur again and again are kept once.
#[derive(Clone, Debug, Default)]
pub struct Dump {
    pub(super) entries: Vec<Entry>,
    /// Texts that can't be read, and what in them is no object.
    pub(super) unread: Vec<Refusal>,
}

/// One object.
///
/// Owned throughout, so the texts can go.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: ObjectId,
    pub(super) kind: ObjectKind,
    /// The version alone, such as "v1beta1".
    pub(super) version: Arc<str>,
    pub(super) tree: Value<'static>,
}

/// The effective request of one pod, or of the pods of one template.
///
/// It is what [`Pod::with_requests`](crate::Pod::with_requests) takes.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PodRequests {
    /// The pod, or the workload whose template it is.
    pub object: ObjectId,
    /// What each pod asks for in all; one of the resource `pods` is implied.
    pub requests: Resources,
}

impl Dump {
    /// No objects yet.
    ///
    /// # Examples
    /// ```
    /// assert!(plimsoll::k8s::Dump::new().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the objects of a text in JSON or YAML: any number of documents, each an object or a
    /// list.
    ///
    /// `source` is what the text is called in a refusal, such as the name of its file. What can't
    /// be read is no error here: it is refused when the objects are converted.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::k8s::{ConvertOptions, Dump};
    ///
    /// let mut dump = Dump::new();
    /// dump.add_text("a.json", r#"[{"kind": "Pod", "metadata": {"name": "a"}}]"#);
    /// dump.add_text("b.yaml", "
    /// kind: List
    /// items:
    /// - {kind: Pod, metadata: {name: b}}
    /// - {kind: Pod, metadata: {name: c}}
    /// ");
    /// dump.add_text("broken.yaml", "kind: [Pod");
    /// assert_eq!(dump.len(), 3);
    /// let conversion = dump.convert(&ConvertOptions::default());
    /// assert_eq!(&*conversion.refusals()[0].object.name, "broken.yaml");
    /// ```
    pub fn add_text(&mut self, source: &str, text: &str) {
        match text::documents(text) {
            Ok(documents) => {
                for document in documents {
                    text::objects(document, &mut |object| self.add_tree(source, object));
                }
            }
            Err(fault) => self.unread.push(unread(source, fault)),
        }
    }

    /// Adds an object, or a list of objects, in types such as those of `k8s-openapi`.
    ///
    /// Such types leave out the fields that their version doesn't know, without a word; text loses
    /// nothing.
    ///
    /// # Errors
    /// That the object can't be serialised.
    ///
    /// # Examples
    /// ```
    /// use k8s_openapi::api::core::v1::Namespace;
    /// use plimsoll::k8s::Dump;
    ///
    /// let mut dump = Dump::new();
    /// dump.add(&Namespace::default())?;
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    pub fn add<T: Serialize>(&mut self, object: &T) -> Result<(), Error> {
        let fault = |error: serde_json::Error| {
            Error::invalid(vec![InvalidInput::new("object", error.to_string(), "an object")])
        };
        let tree = serde_json::to_value(object).map_err(fault)?;
        let tree = Value::deserialize(tree).map_err(fault)?.into_owned();
        text::objects(tree, &mut |object| self.add_tree("object", object));
        Ok(())
    }

    fn add_tree(&mut self, source: &str, tree: Value<'static>) {
        let metadata = Metadata::of(&tree);
        let kind = tree.get("kind").and_then(Value::as_text);
        let (Some(kind), Some(name)) = (kind, metadata.name()) else {
            let missing = if kind.is_none() { "kind" } else { "metadata.name" };
            let of_kind = kind.map_or_else(String::new, |kind| format!(" of a {kind}"));
            let fault = InvalidInput::new(missing, format!("missing{of_kind}"), "an object");
            self.unread.push(unread(source, fault));
            return;
        };
        let api_version = tree.get("apiVersion").and_then(Value::as_text);
        let version = api_version.map_or("", |text| text.rsplit('/').next().unwrap_or(text));
        let entry = Entry {
            id: ObjectId {
                group: api_version.map_or("", group_of).into(),
                kind: kind.into(),
                namespace: metadata.namespace().map(Arc::from),
                name: name.into(),
            },
            kind: kind_of(api_version, kind),
            version: version.into(),
            tree: Value::Null,
        };
        self.entries.push(Entry { tree, ..entry });
    }

    /// How many objects there are.
    ///
    /// Items of lists count one by one; texts that can't be read don't.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no objects, nor texts that can't be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.unread.is_empty()
    }

    /// The effective request of every pod and of every template of a workload, in the order in
    /// which they were added, and what can't be read of them.
    ///
    /// It is that of the `spec` (and, of a pod, its `status`) alone: what limit ranges and runtime
    /// classes would add to a template is no part of it.
    ///
    /// # Examples
    /// ```
    /// let mut dump = plimsoll::k8s::Dump::new();
    /// dump.add_text("web.yaml", "
    /// apiVersion: v1
    /// kind: Pod
    /// metadata: {name: web}
    /// spec:
    ///   initContainers:
    ///   - {name: proxy, restartPolicy: Always, resources: {requests: {cpu: 100m}}}
    ///   containers:
    ///   - {name: web, resources: {limits: {cpu: 500m}}}
    /// ");
    /// let (requests, refusals) = dump.requests();
    /// assert!(refusals.is_empty());
    /// assert_eq!(requests[0].requests.get("cpu"), Some("600m".parse()?));
    /// # Ok::<(), plimsoll::model::ParseQuantityError>(())
    /// ```
    #[must_use]
    pub fn requests(&self) -> (Vec<PodRequests>, Vec<Refusal>) {
        let mut requests = Vec::new();
        let mut refusals = self.unread.clone();
        for entry in &self.entries {
            let (Some(path), status) = (template_path(entry.kind), entry.tree.get("status")) else {
                continue;
            };
            let status = status.filter(|_| entry.kind == ObjectKind::Pod);
            let mut faults = Faults::default();
            let at = path.join(".");
            let null = Value::Null;
            let read = request::read_total(
                Cursor {
                    value: entry.tree.find(path).unwrap_or(&null),
                    path: &Path::Text(&at),
                    faults: &mut faults,
                },
                status,
            );
            match (faults.into_result(&[]), read) {
                (Ok(()), Some(total)) => {
                    requests.push(PodRequests { object: entry.id.clone(), requests: total });
                }
                (Err(error), _) => refusals.extend(error.findings().iter().cloned().map(|fault| {
                    let InvalidInput { path, problem, expected, .. } = fault;
                    Refusal { object: entry.id.clone(), path, why: problem, instead: expected }
                })),
                (Ok(()), None) => {}
            }
        }
        (requests, refusals)
    }
}

fn unread(source: &str, fault: InvalidInput) -> Refusal {
    let object =
        ObjectId { group: "".into(), kind: "text".into(), namespace: None, name: source.into() };
    Refusal { object, path: fault.path, why: fault.problem, instead: fault.expected }
}

/// Where objects of a kind have the `spec` of a pod.
fn template_path(kind: ObjectKind) -> Option<&'static [&'static str]> {
    match kind {
        ObjectKind::Pod => Some(&["spec"]),
        ObjectKind::Deployment
        | ObjectKind::ReplicaSet
        | ObjectKind::ReplicationController
        | ObjectKind::StatefulSet
        | ObjectKind::DaemonSet
        | ObjectKind::Job => Some(&["spec", "template", "spec"]),
        ObjectKind::CronJob => Some(&["spec", "jobTemplate", "spec", "template", "spec"]),
        _ => None,
    }
}
