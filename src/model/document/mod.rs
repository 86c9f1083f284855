//! The problem document, both ways: a tree of values on one side, the model on the other.
//!
//! Each file has a part's reader and writer side by side, so a field's name has one home. The
//! reader notes every fault and goes on with stand-ins; then the checks of
//! [`ProblemBuilder::build`] run on what was read, and all faults come out together. The writer
//! leaves defaults out.

mod affinity;
mod overlay;
mod pod;
mod pool;
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
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use supply::{read_instance_type, read_node, write_instance_type, write_node};
use value::Value;
use write::Object;

impl Problem {
    /// Reads a problem document in JSON.
    ///
    /// # Errors
    /// Every fault of the document, each with the path of its field; for text that isn't JSON, the
    /// line and the column.
    ///
    /// # Examples
    /// ```
    /// let text = r#"{"pods": [{"name": "web", "replica": 3}], "instanceTypes": [], "nodePools": []}"#;
    /// let error = plimsoll::Problem::from_json(text).unwrap_err();
    /// assert_eq!(error.findings()[0].path, "pods[0].replica");
    /// assert_eq!(error.findings()[0].expected, "replicas?");
    /// ```
    pub fn from_json(text: &str) -> Result<Self, Error> {
        read_problem(&parse(text)?)
    }

    /// The problem as a JSON document, defaults left out; it reads back as an equal problem.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_text(&write_problem(self))
    }
}

/// The tree of a JSON text.
pub(crate) fn parse(text: &str) -> Result<Value<'_>, Error> {
    serde_json::from_str(text).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        let message = error.to_string();
        let message = message.strip_suffix(&format!(" at {place}")).unwrap_or(&message);
        Error::invalid(vec![InvalidInput::new(place, message, "a JSON document")])
    })
}

/// The JSON text of a tree.
pub(crate) fn to_text(value: &Value<'_>) -> String {
    // The keys are texts and the floats finite, so a tree of ours always has a JSON text.
    serde_json::to_string(value).unwrap_or_default()
}

impl<'d> Deserialize<'d> for Problem {
    /// Reads a problem document in any self-describing format; the error lists every fault.
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        read_problem(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Problem {
    /// Writes the problem document, defaults left out.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_problem(self).serialize(serializer)
    }
}

fn read_problem(document: &Value<'_>) -> Result<Problem, Error> {
    let mut faults = Faults::default();
    let root = Cursor { value: document, path: &Path::Root, faults: &mut faults };
    let mut fields = root.object(&super::validate::LISTS);
    let parts = ProblemBuilder {
        pods: fields.required("pods", |cursor| list(cursor, read_pod)).unwrap_or_default(),
        instance_types: fields
            .required("instanceTypes", |cursor| list(cursor, read_instance_type))
            .unwrap_or_default(),
        node_pools: fields
            .required("nodePools", |cursor| list(cursor, read_node_pool))
            .unwrap_or_default(),
        nodes: fields.list("nodes", read_node),
        daemon_sets: fields.list("daemonSets", read_daemon_set),
        pod_disruption_budgets: fields.list("podDisruptionBudgets", read_disruption_budget),
        namespaces: fields.list("namespaces", read_namespace),
    };
    faults.end_of_reading();
    parts.build_after(faults)
}

fn write_problem(problem: &Problem) -> Value<'_> {
    Object::new()
        .field("pods", write::list(&problem.pods, write_pod))
        .field("instanceTypes", write::list(&problem.instance_types, write_instance_type))
        .field("nodePools", write::list(&problem.node_pools, write_node_pool))
        .unless_empty("nodes", write::list(&problem.nodes, write_node))
        .unless_empty("daemonSets", write::list(&problem.daemon_sets, write_pod))
        .unless_empty(
            "podDisruptionBudgets",
            write::list(&problem.pod_disruption_budgets, write_disruption_budget),
        )
        .unless_empty("namespaces", write::list(&problem.namespaces, write_namespace))
        .into()
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
