//! Fields of objects that are kept as JSON.

use plimsoll::k8s::Timestamp;
use serde_json::Value;

/// The object's name.
#[must_use]
pub fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// The namespace, empty where there is none.
#[must_use]
pub fn namespace(object: &Value) -> &str {
    object["metadata"]["namespace"].as_str().unwrap_or_default()
}

/// A label's value.
#[must_use]
pub fn label<'o>(object: &'o Value, key: &str) -> Option<&'o str> {
    object["metadata"]["labels"][key].as_str()
}

/// A condition of the object's status.
#[must_use]
pub fn condition<'o>(object: &'o Value, kind: &str) -> Option<&'o Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == kind)
}

/// Whether a condition is true.
#[must_use]
pub fn is_true(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| condition["status"] == "True")
}

/// When a condition came to be as it is, in seconds.
#[must_use]
pub fn since(condition: &Value) -> Option<i64> {
    let instant: Timestamp = condition["lastTransitionTime"].as_str()?.parse().ok()?;
    Some(instant.seconds())
}

/// Whether a pod waits for a node: it isn't bound, hasn't ended, and isn't being deleted.
#[must_use]
pub fn is_pending(pod: &Value) -> bool {
    pod["spec"]["nodeName"].as_str().is_none_or(str::is_empty)
        && pod["metadata"]["deletionTimestamp"].is_null()
        && !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}
