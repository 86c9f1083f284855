//! What pods name and others say: priorities, runtime classes, and the requests that a namespace
//! gives to containers that have none.
//!
//! The API server's admission fills these in as a pod is created: a live pod has them, a template
//! doesn't. So they are looked up for templates (and for manifests of pods), in the way that
//! admission does it.
//!
//! Sources: <https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/>,
//! <https://kubernetes.io/docs/concepts/containers/runtime-class/> and
//! <https://kubernetes.io/docs/concepts/policy/limit-range/>.

use super::dump::Entry;
use super::kind::ObjectKind;
use super::metadata::Metadata;
use super::report::Findings;
use super::uses::Uses;
use crate::model::document::read::{Cursor, boolean, labels, resources, text, whole};
use crate::model::document::taint::read_toleration;
use crate::model::fault::Path;
use crate::model::{Labels, Quantity, Resources, Toleration};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The classes and limit ranges of a dump.
///
/// Each knows which of its objects were looked up, so that the others can be noted as playing no
/// part.
#[derive(Debug, Default)]
pub(super) struct Classes {
    priorities: BTreeMap<Arc<str>, i32>,
    /// The class of pods that name none.
    default_class: Option<Arc<str>>,
    runtimes: BTreeMap<Arc<str>, RuntimeClass>,
    limit_ranges: BTreeMap<Arc<str>, LimitRange>,
    pub(super) uses: Uses,
}

/// What a runtime adds to the pods that it runs.
///
/// All three are added to what the pod says itself.
#[derive(Debug, Default)]
pub(super) struct RuntimeClass {
    pub(super) overhead: Resources,
    pub(super) node_selector: Labels,
    pub(super) tolerations: Vec<Toleration>,
}

/// What containers of a namespace get where they say nothing.
///
/// Several ranges of a namespace are taken together; the first that names a resource counts.
#[derive(Debug, Default)]
pub(super) struct LimitRange {
    pub(super) limits: Resources,
    pub(super) requests: Resources,
}

impl Classes {
    /// Reads an object, if it is one that pods name.
    pub(super) fn read(&mut self, entry: &Entry, findings: &mut Findings) {
        match entry.kind {
            ObjectKind::PriorityClass => self.read_priority(entry, findings),
            ObjectKind::RuntimeClass => self.read_runtime(entry, findings),
            ObjectKind::LimitRange => self.read_limit_range(entry, findings),
            _ => {}
        }
    }

    fn read_priority(&mut self, entry: &Entry, findings: &mut Findings) {
        let ignored = &["apiVersion", "kind", "metadata", "description", "preemptionPolicy"];
        let mut fields =
            Cursor { value: &entry.tree, path: &Path::Root, faults: &mut findings.faults }
                .object_beside(&["value", "globalDefault"], ignored);
        let value = fields.required("value", whole).unwrap_or_default();
        if fields.optional("globalDefault", boolean) == Some(true) {
            self.default_class = Some(Arc::clone(&entry.id.name));
        }
        let _former = self.priorities.insert(Arc::clone(&entry.id.name), value);
    }

    fn read_runtime(&mut self, entry: &Entry, findings: &mut Findings) {
        // The first versions had a `spec`.
        let (value, path) = match entry.tree.get("spec") {
            Some(spec) => (spec, Path::Root.field("spec")),
            None => (&entry.tree, Path::Root),
        };
        let ignored = &["apiVersion", "kind", "metadata", "handler", "runtimeHandler"];
        let mut fields = Cursor { value, path: &path, faults: &mut findings.faults }
            .object_beside(&["overhead", "scheduling"], ignored);
        let overhead = fields.optional("overhead", |cursor| {
            cursor.object(&["podFixed"]).optional("podFixed", resources)
        });
        let scheduling = fields.optional("scheduling", |cursor| {
            let mut fields = cursor.object(&["nodeSelector", "tolerations"]);
            let selector = fields.optional("nodeSelector", labels).unwrap_or_default();
            Some((selector, fields.list("tolerations", read_toleration)))
        });
        let (node_selector, tolerations) = scheduling.unwrap_or_default();
        let overhead = overhead.unwrap_or_default();
        let class = RuntimeClass { overhead, node_selector, tolerations };
        let _former = self.runtimes.insert(Arc::clone(&entry.id.name), class);
    }

    /// A default limit becomes a request where none is stated, a maximum a limit: the order
    /// matters, and is admission's.
    fn read_limit_range(&mut self, entry: &Entry, findings: &mut Findings) {
        let namespace = entry.id.namespace.clone().unwrap_or_else(|| "default".into());
        let range = self.limit_ranges.entry(namespace).or_default();
        let mut restricts = false;
        let mut fields =
            Cursor { value: &entry.tree, path: &Path::Root, faults: &mut findings.faults }
                .object_beside(&["spec"], &["apiVersion", "kind", "metadata", "status"]);
        let _read = fields.optional("spec", |cursor| {
            let mut fields = cursor.object(&["limits"]);
            let _items = fields.list("limits", |cursor| {
                let mut fields = cursor.object_beside(
                    &["type", "default", "defaultRequest", "max", "min"],
                    &["maxLimitRequestRatio"],
                );
                let kind = fields.optional("type", text);
                let mut of =
                    |name: &'static str| fields.optional(name, resources).unwrap_or_default();
                let (default, request) = (of("default"), of("defaultRequest"));
                let (most, least) = (of("max"), of("min"));
                restricts |= !most.is_empty() || !least.is_empty();
                if kind.as_deref() == Some("Container") {
                    // In the order in which Kubernetes fills in what isn't said.
                    let limits = filled(default, [&most]);
                    let requests = filled(request, [&limits, &least]);
                    range.limits = filled(std::mem::take(&mut range.limits), [&limits]);
                    range.requests = filled(std::mem::take(&mut range.requests), [&requests]);
                }
                Some(())
            });
            Some(())
        });
        if restricts {
            findings.note("spec.limits", "min and max turn no pod away here; the defaults count");
        }
    }

    /// The priority that a class stands for; that of pods without a class, where none is named.
    ///
    /// `None` where the class isn't among the objects. The two classes of the system are built in.
    pub(super) fn priority(&self, class: Option<&str>) -> Option<i32> {
        match class {
            None if self.default_class.is_some() => self.priority(self.default_class.as_deref()),
            None => Some(0),
            Some("system-node-critical") => Some(2_000_001_000),
            Some("system-cluster-critical") => Some(2_000_000_000),
            Some(name) => {
                self.uses.add(ObjectKind::PriorityClass, "", name);
                self.priorities.get(name).copied()
            }
        }
    }

    /// The runtime class of a name.
    pub(super) fn runtime(&self, class: &str) -> Option<&RuntimeClass> {
        self.uses.add(ObjectKind::RuntimeClass, "", class);
        self.runtimes.get(class)
    }

    /// The limit ranges of a namespace, taken together.
    pub(super) fn limit_range(&self, namespace: &str) -> Option<&LimitRange> {
        self.uses.add(ObjectKind::LimitRange, namespace, "");
        self.limit_ranges.get(namespace)
    }
}

/// The amounts, with those of the others for resources that aren't named.
///
/// The first that names a resource counts.
pub(super) fn filled<'a>(
    mut amounts: Resources,
    others: impl IntoIterator<Item = &'a Resources>,
) -> Resources {
    for (name, amount) in others.into_iter().flat_map(Resources::iter) {
        if amounts.get(name).is_none() {
            let _none: Option<Quantity> = amounts.insert(Arc::clone(name), amount);
        }
    }
    amounts
}

/// Whether an object says by annotation that it is the one that counts where none is named.
pub(super) fn is_default(metadata: Metadata<'_>) -> bool {
    [
        "storageclass.kubernetes.io/is-default-class",
        "storageclass.beta.kubernetes.io/is-default-class",
    ]
    .into_iter()
    .any(|key| metadata.annotation(key) == Some("true"))
}
