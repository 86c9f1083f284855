//! The form of a document as data: objects, their fields, and what a field may hold.
//!
//! A JSON Schema and the tables of the guide are both made of it, so they can't say different
//! things. That it is also what is read and written is tested: see the tests of this module.
//!
//! ```text
//! form("Pod", "A pod, or …", &[must("name", Text, …), may("replicas", Whole(1, …), "1", …)])
//!         |                                                     |
//!         v                                                     v
//! JSON Schema: required ["name"], no other properties     the guide's table of fields
//! ```

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

/// An object of a document.
///
/// Constants, so a form costs nothing until a schema is asked for.
#[derive(Debug)]
pub(super) struct Form {
    /// What it is called.
    pub(super) name: &'static str,
    /// What it is, in a sentence.
    pub(super) about: &'static str,
    /// Its fields, in the order in which they are written.
    pub(super) fields: &'static [FormField],
    /// Whether it may have fields that aren't listed.
    pub(super) is_open: bool,
}

/// A field of an object.
///
/// The default is a text for people: what the reader takes where the field is missing.
#[derive(Debug)]
pub(super) struct FormField {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// What holds where it is left out; `None` where it may not be.
    pub(super) default: Option<&'static str>,
    /// What it means.
    pub(super) about: &'static str,
}

/// What a field may hold.
///
/// Kinds nest by reference, since constants can.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Text,
    Boolean,
    /// A whole number from the first to the second.
    Whole(i64, i64),
    /// An amount of a resource: a quantity text or a number.
    Quantity,
    /// Money per hour, not below zero: a number, or a text with a decimal number.
    Price,
    /// A difference of money.
    SignedPrice,
    /// A number from 0, at most the second where there is one.
    Number(Option<u32>),
    /// One of these texts.
    Word(&'static [&'static str]),
    /// An object of a form.
    Of(&'static Form),
    List(&'static Kind),
    /// A map from names to what is said.
    Map(&'static Kind),
}

/// A field that must be there.
pub(super) const fn must(name: &'static str, kind: Kind, about: &'static str) -> FormField {
    FormField { name, kind, default: None, about }
}

/// A field that may be left out.
pub(super) const fn may(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    about: &'static str,
) -> FormField {
    FormField { name, kind, default: Some(default), about }
}

/// An object that has these fields and no others.
pub(super) const fn form(
    name: &'static str,
    about: &'static str,
    fields: &'static [FormField],
) -> Form {
    Form { name, about, fields, is_open: false }
}

/// The schema of a form; those that it refers to are among the generator's definitions.
///
/// Forms that it refers to are added to the definitions once each, by their names.
pub(super) fn schema(form: &'static Form, generator: &mut SchemaGenerator) -> Schema {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in form.fields {
        let mut of = kind_schema(field.kind, generator);
        if let Value::Object(keywords) = &mut of {
            let about = match field.default {
                Some(default) => format!("{}. Default: {default}", field.about),
                None => {
                    required.push(field.name);
                    field.about.to_owned()
                }
            };
            keywords.insert("description".into(), about.into());
        }
        properties.insert(field.name.into(), of);
    }
    json_schema!({
        "type": "object",
        "description": form.about,
        "properties": properties,
        "required": required,
        "additionalProperties": form.is_open,
    })
}

fn kind_schema(kind: Kind, generator: &mut SchemaGenerator) -> Value {
    // As `Price` and `Quantity` are read: digits, perhaps with a point among them.
    const DECIMAL: &str = r"^\+?([0-9]+\.?[0-9]*|\.[0-9]+)$";
    const SIGNED: &str = r"^-?\+?([0-9]+\.?[0-9]*|\.[0-9]+)$";
    const QUANTITY: &str =
        r"^\+?([0-9]+\.?[0-9]*|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$";
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Whole(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Kind::Quantity => {
            json!({ "type": ["number", "string"], "minimum": 0, "pattern": QUANTITY })
        }
        Kind::Price => json!({ "type": ["number", "string"], "minimum": 0, "pattern": DECIMAL }),
        Kind::SignedPrice => json!({ "type": ["number", "string"], "pattern": SIGNED }),
        Kind::Number(None) => json!({ "type": "number", "minimum": 0 }),
        Kind::Number(Some(most)) => json!({ "type": "number", "minimum": 0, "maximum": most }),
        Kind::Word(words) => json!({ "type": "string", "enum": words }),
        Kind::List(item) => json!({ "type": "array", "items": kind_schema(*item, generator) }),
        Kind::Map(value) => {
            json!({ "type": "object", "additionalProperties": kind_schema(*value, generator) })
        }
        Kind::Of(form) => {
            if !generator.definitions().contains_key(form.name) {
                let schema = schema(form, generator);
                generator.definitions_mut().insert(form.name.into(), schema.into());
            }
            let path = generator.settings().definitions_path.clone();
            json!({ "$ref": format!("#{path}/{}", form.name) })
        }
    }
}
