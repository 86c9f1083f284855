//! Label selectors and requirements in documents.
//!
//! An absent selector and an empty one are different things, so an empty one is written as `{}`.

use super::read::{Cursor, choice, labels, text, texts, whole};
use super::value::Value;
use super::write::{Object, list, word};
use crate::model::{
    LabelSelector, LabelSelectorRequirement, Operator, Requirement, SelectorOperator,
};

const SELECTOR_OPERATORS: [(&str, SelectorOperator); 4] = [
    ("In", SelectorOperator::In),
    ("NotIn", SelectorOperator::NotIn),
    ("Exists", SelectorOperator::Exists),
    ("DoesNotExist", SelectorOperator::DoesNotExist),
];

pub(crate) fn read_requirement(cursor: Cursor<'_>) -> Option<Requirement> {
    let mut fields = cursor.object(&["key", "operator", "values", "minValues"]);
    let key = fields.required("key", text).unwrap_or_default();
    let operator = fields.required("operator", |cursor| choice(cursor, Operator::WORDS));
    let values = fields.optional("values", texts).unwrap_or_default();
    let min_values = fields.optional("minValues", whole);
    Some(match operator {
        Some(operator) => Requirement { min_values, ..Requirement::new(key, operator, values) },
        // Nothing can be wrong with the values of an operator that isn't known.
        None => Requirement::new(key, Operator::Exists, [""; 0]),
    })
}

pub(crate) fn write_requirement(requirement: &Requirement) -> Value<'_> {
    Object::new()
        .field("key", &requirement.key)
        .field("operator", requirement.operator.as_str())
        .unless_empty("values", &requirement.values)
        .option("minValues", requirement.min_values)
        .into()
}

pub(crate) fn read_selector(cursor: Cursor<'_>) -> Option<LabelSelector> {
    let mut fields = cursor.object(&["matchLabels", "matchExpressions"]);
    Some(LabelSelector {
        match_labels: fields.optional("matchLabels", labels).unwrap_or_default(),
        match_expressions: fields.list("matchExpressions", read_expression),
    })
}

pub(super) fn read_expression(cursor: Cursor<'_>) -> Option<LabelSelectorRequirement> {
    let mut fields = cursor.object(&["key", "operator", "values"]);
    let key = fields.required("key", text).unwrap_or_default();
    let operator = fields.required("operator", |cursor| choice(cursor, &SELECTOR_OPERATORS));
    let values = fields.optional("values", texts).unwrap_or_default();
    Some(match operator {
        Some(operator) => LabelSelectorRequirement { key, operator, values },
        None => LabelSelectorRequirement::new(key, SelectorOperator::Exists, [""; 0]),
    })
}

pub(super) fn write_selector(selector: &LabelSelector) -> Value<'_> {
    Object::new()
        .unless_empty("matchLabels", &selector.match_labels)
        .unless_empty("matchExpressions", list(&selector.match_expressions, write_expression))
        .into()
}

pub(super) fn write_expression(expression: &LabelSelectorRequirement) -> Value<'_> {
    Object::new()
        .field("key", &expression.key)
        .field("operator", word(&expression.operator, &SELECTOR_OPERATORS))
        .unless_empty("values", &expression.values)
        .into()
}
