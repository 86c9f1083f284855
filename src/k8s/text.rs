//! JSON and YAML text, to the objects that are in it.
//!
//! A text may hold several documents, and a document one object, a list of objects, or a `List` as
//! `kubectl get -o json` prints it, whose items may leave their kind to the list. What comes out
//! are trees, in the order of the text; null documents are nothing.
//!
//! YAML can say much with little: an alias stands for a whole tree, and a text of a few lines for
//! more than any memory holds. What a text may say is bounded by its own length: as many nodes as
//! it has bytes, and [`MOST_REPLAYED`] nodes more by aliases.

use crate::error::InvalidInput;
use crate::model::document::value::Value;
use serde::{Deserialize, Deserializer};
use serde_saphyr::options;

/// How many events of the parser aliases may repeat in one text.
const MOST_REPLAYED: usize = 1_000_000;

/// A tree that borrows nothing from its text.
struct Document(Value<'static>);

impl<'d> Deserialize<'d> for Document {
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Value::deserialize(deserializer)?.into_owned()))
    }
}

/// The documents of a text, in its order.
///
/// # Errors
/// Where and why the text can't be read, in the words of the reader that got furthest.
pub(super) fn documents(text: &str) -> Result<Vec<Value<'static>>, InvalidInput> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Most of what is in JSON is YAML too, but the reader of JSON is by far the faster one.
    if text.trim_start().starts_with(['{', '[']) {
        let documents: Result<Vec<Document>, _> =
            serde_json::Deserializer::from_str(text).into_iter().collect();
        match documents {
            Ok(documents) => return Ok(documents.into_iter().map(|Document(tree)| tree).collect()),
            Err(error) => {
                return yaml(text).map_err(|_| {
                    let place = format!("line {} column {}", error.line(), error.column());
                    InvalidInput::new(place, error.to_string(), "a JSON document")
                });
            }
        }
    }
    yaml(text)
}

/// The budget is linear in the length of the text; nothing that `kubectl` prints comes near it.
fn yaml(text: &str) -> Result<Vec<Value<'static>>, InvalidInput> {
    let most = text.len().saturating_add(1_000);
    let options = options! {
        budget: serde_saphyr::budget! {
            max_reader_input_bytes: None,
            max_events: most.saturating_mul(2),
            max_nodes: most,
            max_documents: most,
            max_total_scalar_bytes: most,
            max_recorded_anchor_events: MOST_REPLAYED,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MOST_REPLAYED,
        },
    };
    let documents: Vec<Document> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| {
            let place = error.location().map_or_else(
                || "text".into(),
                |at| format!("line {} column {}", at.line(), at.column()),
            );
            let text = error.without_snippet().to_string();
            let problem = text.lines().next().unwrap_or_default().to_owned();
            InvalidInput::new(place, problem, "YAML or JSON, within bounds")
        })?;
    Ok(documents.into_iter().map(|Document(tree)| tree).collect())
}

/// Hands out the objects of a document: itself, or the items of the lists in it.
pub(super) fn objects(document: Value<'static>, take: &mut impl FnMut(Value<'static>)) {
    match document {
        Value::Null => {}
        Value::List(items) => items.into_iter().for_each(|item| objects(item, take)),
        Value::Map(mut entries) if is_list(&entries) => {
            let of_items = |name: &str| {
                let (_, value) = entries.iter().find(|(key, _)| key == name)?;
                Some(value.as_text()?.to_owned())
            };
            let version = of_items("apiVersion");
            let kind =
                of_items("kind").and_then(|kind| Some(kind.strip_suffix("List")?.to_owned()));
            let at = entries.iter().position(|(key, _)| key == "items");
            let Some((_, Value::List(items))) = at.map(|at| entries.swap_remove(at)) else {
                return;
            };
            for mut item in items {
                if let Value::Map(fields) = &mut item {
                    for (name, value) in [("kind", &kind), ("apiVersion", &version)] {
                        if let Some(value) = value.clone().filter(|value| !value.is_empty())
                            && !fields.iter().any(|(key, _)| key == name)
                        {
                            fields.push((name.into(), Value::Text(value.into())));
                        }
                    }
                }
                objects(item, take);
            }
        }
        object => take(object),
    }
}

/// Whether a map is a list of objects: it has items, and its kind is a list's or not said.
fn is_list(entries: &[(std::borrow::Cow<'_, str>, Value<'_>)]) -> bool {
    let field = |name: &str| entries.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    matches!(field("items"), Some(Value::List(_)))
        && field("kind")
            .is_none_or(|kind| kind.as_text().is_some_and(|kind| kind.ends_with("List")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let mut names = Vec::new();
        for document in documents(text).unwrap_or_default() {
            objects(document, &mut |object| {
                let kind = object.get("kind").and_then(Value::as_text).unwrap_or("?");
                let name = object.find(&["metadata", "name"]).and_then(Value::as_text);
                names.push(format!("{kind} {}", name.unwrap_or("?")));
            });
        }
        names
    }

    #[test]
    fn documents_lists_and_lists_of_a_kind_are_taken_apart() {
        let yaml = "kind: Pod\nmetadata: {name: a}\n---\n---\nkind: List\nitems:\n\
                    - {kind: Node, metadata: {name: m}}\n";
        assert_eq!(names(yaml), ["Pod a", "Node m"]);
        let json = r#"{"kind": "PodList", "apiVersion": "v1", "items": [{"metadata": {"name": "a"}}]}
                      [{"kind": "Node", "metadata": {"name": "m"}}]"#;
        assert_eq!(names(json), ["Pod a", "Node m"]);
        // JSON with what only YAML allows.
        assert_eq!(names("{kind: Pod, metadata: {name: a}} # YAML"), ["Pod a"]);
    }

    #[test]
    fn a_text_cannot_say_more_than_its_length_allows() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for i in 1..12 {
            let former = vec![format!("*a{}", i - 1); 9].join(", ");
            bomb.push_str(&format!("a{i}: &a{i} [{former}]\n"));
        }
        assert!(documents(&bomb).is_err());
        assert!(documents(&"[".repeat(100_000)).is_err());
        assert!(documents("a: 1\na: 2\n").is_err(), "a repeated key");
    }
}
