//! The problem document, both ways: a tree of values on one side, the model on the other.
//!
//! Each file has a part's reader and writer side by side, so a field's name has one home. The
//! reader notes every fault and goes on with stand-ins; then the checks of
//! [`ProblemBuilder::build`] run on what was read, and all faults come out together. The writer
//! leaves defaults out. Both go item by item through the long lists, so that no tree of a whole
//! document is ever in memory.
//!
//! # From text to problem
//!
//! ```text
//! text --serde--> lists, item by item --Cursor--> parts --build--> checked, sorted Problem
//!                         |                          |
//!                         +--------- Faults <--------+    paths, then names, then lines
//! ```
//!
//! An item of a list of pods is a small tree ([`value::Value`]) for as long as it is read, and a
//! [`Pod`](crate::Pod) afterwards; so a document of a million pods takes the memory of a million
//! pods and of one tree. Faults carry the path of the field, get the name of the item at the end,
//! and the line where the text is JSON ([`lines`]).

pub(crate) mod affinity;
pub(crate) mod consolidation_options;
pub(crate) mod lines;
mod overlay;
pub(crate) mod part;
pub(crate) mod pod;
pub(crate) mod pool;
pub(crate) mod read;
pub(crate) mod selector;
mod supply;
pub(crate) mod taint;
pub(crate) mod value;
pub(crate) mod write;

use super::fault::{Faults, Path};
use super::{Namespace, PodDisruptionBudget, Problem, ProblemBuilder};
use crate::error::{Error, InvalidInput};
use pod::{read_daemon_set, read_pod, write_pod};
use pool::{read_node_pool, write_node_pool};
use read::{Cursor, labels, list, text, whole};
use selector::{read_selector, write_selector};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::de::StrRead;
use std::cell::RefCell;
use supply::{read_instance_type, read_node, write_instance_type, write_node};
use value::Value;
use write::{Items, Object};

impl Problem {
    /// Reads a problem document in JSON.
    ///
    /// # Errors
    /// Every fault of the document, each with the path of its field; for text that isn't JSON, the
    /// line and the column.
    ///
    /// # Examples
    /// ```
    /// let pods = r#""pods": [{"name": "web", "replica": 3}]"#;
    /// let text = format!(r#"{{{pods}, "instanceTypes": [], "nodePools": []}}"#);
    /// let error = plimsoll::Problem::from_json(&text).unwrap_err();
    /// assert_eq!(error.findings()[0].path, "pods[0].replica");
    /// assert_eq!(error.findings()[0].expected, "replicas?");
    /// ```
    ///
    /// A `null` is a field left out; a field that isn't known, or stands twice, is a fault.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        from_text(text, |deserializer| read_problem(deserializer))?
            .map_err(|error| lines::with_lines(error, text))
    }

    /// The problem as a JSON document, defaults left out; it reads back as an equal problem.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Pod, Problem};
    ///
    /// let problem = Problem::builder().pod(Pod::new("web").with_replicas(2)).build()?;
    /// let text = problem.to_json();
    /// assert_eq!(
    ///     text,
    ///     r#"{"pods":[{"name":"web","replicas":2}],"instanceTypes":[],"nodePools":[]}"#
    /// );
    /// assert_eq!(Problem::from_json(&text)?, problem);
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        to_text(self)
    }
}

/// Reads a JSON text by `read`, all of it.
pub(crate) fn from_text<'d, T>(
    text: &'d str,
    read: impl FnOnce(&mut serde_json::Deserializer<StrRead<'d>>) -> Result<T, serde_json::Error>,
) -> Result<T, Error> {
    // A byte order mark says nothing of a text that is UTF-8 anyway.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = read(&mut deserializer).and_then(|read| deserializer.end().map(|()| read));
    read.map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        let message = error.to_string();
        let message = message.strip_suffix(&format!(" at {place}")).unwrap_or(&message);
        let inside = text.trim_start();
        let (message, expected) = if inside.is_empty() {
            ("an empty text", "a JSON document, from { to }")
        } else if error.is_eof() {
            ("the text ends here, within the document", "the rest of it")
        } else if inside.starts_with(['{', '[']) {
            (message, "a JSON document")
        } else {
            let expected = "a JSON document, from { to }: not YAML, and without comments; other \
                            formats are read by their serde readers";
            ("no JSON", expected)
        };
        Error::invalid(vec![InvalidInput::new(place, message, expected)])
    })
}

/// The tree of a JSON text.
pub(crate) fn parse(text: &str) -> Result<Value<'_>, Error> {
    from_text(text, |deserializer| Value::deserialize(deserializer))
}

/// The JSON text of a document.
pub(crate) fn to_text(document: &impl Serialize) -> String {
    // The keys are texts and the floats finite, so a document of ours always has a JSON text.
    serde_json::to_string(document).unwrap_or_default()
}

impl<'d> Deserialize<'d> for Problem {
    /// Reads a problem document in any self-describing format; the error lists every fault.
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        read_problem(deserializer)?.map_err(serde::de::Error::custom)
    }
}

impl Serialize for Problem {
    /// Writes the problem document, defaults left out.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_problem(self, serializer)
    }
}

pub(crate) fn read_problem<'d, D: Deserializer<'d>>(
    deserializer: D,
) -> Result<Result<Problem, Error>, D::Error> {
    let mut faults = Faults::default();
    let mut parts = ProblemBuilder::default();
    let read = |list: &'static str, index: usize, value: &Value<'_>| {
        let path = Path::Root.field(list);
        let cursor = Cursor { value, path: &path.item(index), faults: &mut faults };
        match list {
            "pods" => {
                let pod = read_pod(cursor).map(|mut pod| {
                    parts.pods.last().iter().for_each(|former| pod.share(former));
                    pod
                });
                parts.pods.extend(pod);
            }
            "instanceTypes" => parts.instance_types.extend(read_instance_type(cursor)),
            "nodePools" => parts.node_pools.extend(read_node_pool(cursor)),
            "nodes" => parts.nodes.extend(read_node(cursor)),
            "daemonSets" => parts.daemon_sets.extend(read_daemon_set(cursor)),
            "podDisruptionBudgets" => {
                parts.pod_disruption_budgets.extend(read_disruption_budget(cursor));
            }
            _ => parts.namespaces.extend(read_namespace(cursor)),
        }
    };
    let rest = value::read_items(deserializer, &super::validate::LISTS, &RefCell::new(read))?;
    let root = Cursor { value: &rest, path: &Path::Root, faults: &mut faults };
    let mut fields = root.object(&super::validate::LISTS);
    for list in super::validate::LISTS {
        let _read = match list {
            "pods" | "instanceTypes" | "nodePools" => fields.required(list, already_read),
            _ => fields.optional(list, already_read),
        };
    }
    faults.end_of_reading();
    Ok(parts.build_after(faults))
}

/// Finds fault with what isn't a list; the items of lists are read by now.
pub(crate) fn already_read(cursor: Cursor<'_>) -> Option<()> {
    list(cursor, |_| None::<()>).map(drop)
}

fn write_problem<S: Serializer>(problem: &Problem, serializer: S) -> Result<S::Ok, S::Error> {
    let mut document = serializer.serialize_map(None)?;
    document.serialize_entry("pods", &Items::new(&problem.pods, write_pod))?;
    document.serialize_entry(
        "instanceTypes",
        &Items::new(&problem.instance_types, write_instance_type),
    )?;
    document.serialize_entry("nodePools", &Items::new(&problem.node_pools, write_node_pool))?;
    if !problem.nodes.is_empty() {
        document.serialize_entry("nodes", &Items::new(&problem.nodes, write_node))?;
    }
    if !problem.daemon_sets.is_empty() {
        document.serialize_entry("daemonSets", &Items::new(&problem.daemon_sets, write_pod))?;
    }
    if !problem.pod_disruption_budgets.is_empty() {
        let budgets = &*problem.pod_disruption_budgets;
        document.serialize_entry(
            "podDisruptionBudgets",
            &Items::new(budgets, write_disruption_budget),
        )?;
    }
    if !problem.namespaces.is_empty() {
        document
            .serialize_entry("namespaces", &Items::new(&problem.namespaces, write_namespace))?;
    }
    document.end()
}

fn read_disruption_budget(cursor: Cursor<'_>) -> Option<PodDisruptionBudget> {
    let mut fields = cursor.object(&["name", "namespace", "selector", "disruptionsAllowed"]);
    Some(PodDisruptionBudget {
        name: fields.required("name", text).unwrap_or_default(),
        namespace: fields.optional("namespace", text).unwrap_or_else(|| "default".into()),
        selector: fields.optional("selector", read_selector),
        disruptions_allowed: fields.required("disruptionsAllowed", whole).unwrap_or_default(),
    })
}

fn write_disruption_budget(budget: &PodDisruptionBudget) -> Value<'_> {
    Object::new()
        .field("name", &budget.name)
        .unless("namespace", "default", &budget.namespace)
        .option("selector", budget.selector.as_ref().map(write_selector))
        .field("disruptionsAllowed", budget.disruptions_allowed)
        .into()
}

fn read_namespace(cursor: Cursor<'_>) -> Option<Namespace> {
    let mut fields = cursor.object(&["name", "labels"]);
    Some(Namespace {
        name: fields.required("name", text).unwrap_or_default(),
        labels: fields.optional("labels", labels).unwrap_or_default(),
    })
}

fn write_namespace(namespace: &Namespace) -> Value<'_> {
    Object::new().field("name", &namespace.name).unless_empty("labels", &namespace.labels).into()
}
