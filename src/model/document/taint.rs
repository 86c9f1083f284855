//! Taints and tolerations in documents.
//!
//! As Kubernetes writes them; `Equal` is left out of a toleration, being the default.

use super::read::{Cursor, choice, text, whole};
use super::value::Value;
use super::write::{Object, word};
use crate::model::{Effect, Taint, Toleration, TolerationOperator};

const OPERATORS: [(&str, TolerationOperator); 4] = [
    ("Equal", TolerationOperator::Equal),
    ("Exists", TolerationOperator::Exists),
    ("Gt", TolerationOperator::Gt),
    ("Lt", TolerationOperator::Lt),
];

pub(crate) fn read_taint(cursor: Cursor<'_>) -> Option<Taint> {
    let mut fields = cursor.object(&["key", "value", "effect", "timeAdded"]);
    // When a taint was put there plays no part in placement.
    let _time = fields.optional("timeAdded", text);
    Some(Taint {
        key: fields.required("key", text).unwrap_or_default(),
        value: fields.optional("value", text).unwrap_or_default(),
        effect: fields
            .required("effect", |cursor| choice(cursor, Effect::WORDS))
            .unwrap_or(Effect::NoSchedule),
    })
}

pub(crate) fn write_taint(taint: &Taint) -> Value<'_> {
    Object::new()
        .field("key", &taint.key)
        .unless("value", "", &taint.value)
        .field("effect", taint.effect.as_str())
        .into()
}

pub(crate) fn read_toleration(cursor: Cursor<'_>) -> Option<Toleration> {
    let mut fields = cursor.object(&["key", "operator", "value", "effect", "tolerationSeconds"]);
    let key = fields.optional("key", text).unwrap_or_default();
    let value = fields.optional("value", text).unwrap_or_default();
    // As in Kubernetes, an empty operator or effect is none.
    let operator = fields.optional("operator", |cursor| or_empty(cursor, &OPERATORS));
    let effect = fields.optional("effect", |cursor| or_empty(cursor, Effect::WORDS));
    let toleration_seconds = fields.optional("tolerationSeconds", whole);
    // Nothing can be wrong with a value or seconds whose operator or effect isn't known.
    if fields.has("operator") && operator.is_none() || fields.has("effect") && effect.is_none() {
        return Some(Toleration::exists(key));
    }
    let operator = operator.flatten().unwrap_or_default();
    let effect = effect.flatten();
    Some(Toleration { key, operator, value, effect, toleration_seconds })
}

/// One of a list of words, or an empty text, which is none.
fn or_empty<T: Copy>(cursor: Cursor<'_>, words: &[(&'static str, T)]) -> Option<Option<T>> {
    match cursor.value {
        Value::Text(text) if text.is_empty() => Some(None),
        _ => Some(Some(choice(cursor, words)?)),
    }
}

pub(super) fn write_toleration(toleration: &Toleration) -> Value<'_> {
    let operator = toleration.operator;
    Object::new()
        .unless("key", "", &toleration.key)
        .option(
            "operator",
            (operator != TolerationOperator::Equal).then(|| word(&operator, &OPERATORS)),
        )
        .unless("value", "", &toleration.value)
        .option("effect", toleration.effect.map(Effect::as_str))
        .option("tolerationSeconds", toleration.toleration_seconds)
        .into()
}
