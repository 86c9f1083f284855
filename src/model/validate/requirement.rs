//! Conditions on labels: which operators and values a place allows.

use super::name;
use crate::model::fault::{Faults, Path, quoted};
use crate::model::well_known;
use crate::model::{LabelSelector, Labels, Operator, Requirement, SelectorOperator};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Where a requirement stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// In a pod's node affinity, with Kubernetes' six operators.
    Pod,
    /// In a node pool, the one place for `minValues`.
    Pool,
    /// In an instance type.
    Type,
}

/// The most that `minValues` may ask, as in Karpenter.
const MOST_MIN_VALUES: u32 = 50;

/// Checks one requirement on a label of the node.
pub(super) fn requirement(
    requirement: &Requirement,
    place: Place,
    path: &Path<'_>,
    faults: &mut Faults,
) {
    name::label_key(&requirement.key, &path.field("key"), faults);
    let count = requirement.values.len();
    match requirement.operator {
        Operator::In | Operator::NotIn => values_given(count, path, faults),
        Operator::Exists | Operator::DoesNotExist => no_values(count, path, faults),
        Operator::Gt | Operator::Lt => one_integer(&requirement.values, path, faults),
        Operator::Gte | Operator::Lte if place == Place::Pod => faults.add(
            &path.field("operator"),
            "an operator that pods don't have",
            "In, NotIn, Exists, DoesNotExist, Gt or Lt",
        ),
        Operator::Gte | Operator::Lte => one_integer(&requirement.values, path, faults),
    }
    let values_path = path.field("values");
    for (i, value) in requirement.values.iter().enumerate() {
        if matches!(requirement.operator, Operator::In | Operator::NotIn) {
            name::label_value(value, &values_path.item(i), faults);
        }
    }
    if let Some(least) = requirement.min_values {
        min_values(requirement, least, place, &path.field("minValues"), faults);
    }
}

fn min_values(
    requirement: &Requirement,
    least: u32,
    place: Place,
    path: &Path<'_>,
    faults: &mut Faults,
) {
    if place != Place::Pool {
        faults.add(path, "a minimum outside a node pool", "none here");
    } else if !(1..=MOST_MIN_VALUES).contains(&least) {
        faults.add(path, format!("{least}"), format!("1 to {MOST_MIN_VALUES}"));
    } else if requirement.operator == Operator::In {
        let distinct = requirement.values.iter().collect::<BTreeSet<_>>().len();
        if distinct < usize::try_from(least).unwrap_or(usize::MAX) {
            faults.add(
                path,
                format!("{least}, with {distinct} values to choose from"),
                "at most as many as there are values",
            );
        }
    }
}

fn values_given(count: usize, path: &Path<'_>, faults: &mut Faults) {
    if count == 0 {
        faults.add(&path.field("values"), "empty", "at least one value with In and NotIn");
    }
}

fn no_values(count: usize, path: &Path<'_>, faults: &mut Faults) {
    if count > 0 {
        faults.add(
            &path.field("values"),
            format!("{count} given"),
            "none with Exists and DoesNotExist",
        );
    }
}

fn one_integer(values: &[Arc<str>], path: &Path<'_>, faults: &mut Faults) {
    let expected = "exactly one integer with Gt, Lt, Gte and Lte";
    let at = path.field("values");
    match values {
        [value] if value.parse::<i64>().is_ok() => {}
        [value] => faults.add(&at.item(0), quoted(value), expected),
        _ => faults.add(&at, format!("{} given", values.len()), expected),
    }
}

/// Checks a query over the labels of pods or namespaces.
pub(super) fn selector(selector: &LabelSelector, path: &Path<'_>, faults: &mut Faults) {
    labels(&selector.match_labels, &path.field("matchLabels"), faults);
    let list = path.field("matchExpressions");
    for (i, expression) in selector.match_expressions.iter().enumerate() {
        let at = list.item(i);
        name::label_key(&expression.key, &at.field("key"), faults);
        let count = expression.values.len();
        match expression.operator {
            SelectorOperator::In | SelectorOperator::NotIn => values_given(count, &at, faults),
            SelectorOperator::Exists | SelectorOperator::DoesNotExist => {
                no_values(count, &at, faults);
            }
        }
        let values = at.field("values");
        for (j, value) in expression.values.iter().enumerate() {
            name::label_value(value, &values.item(j), faults);
        }
    }
}

/// Checks labels of pods or namespaces.
pub(super) fn labels(labels: &Labels, path: &Path<'_>, faults: &mut Faults) {
    for (key, value) in labels.iter() {
        name::label_key(key, &path.key(key), faults);
        name::label_value(value, &path.key(key), faults);
    }
}

/// Checks labels of nodes, of which some have outdated names.
pub(super) fn node_labels(node_labels: &Labels, path: &Path<'_>, faults: &mut Faults) {
    labels(node_labels, path, faults);
    for (key, value) in node_labels.iter() {
        let current = well_known::normalized(key);
        if current != &**key && node_labels.get(current).is_some_and(|other| other != value) {
            faults.add(
                &path.key(key),
                format!("{} contradicts the label {current}, which it stands for", quoted(value)),
                "the same value, or one of the two labels",
            );
        }
    }
}

/// Checks a label that something else fixes already.
pub(super) fn fixed_label(
    labels: &Labels,
    key: &str,
    fixed: &str,
    path: &Path<'_>,
    faults: &mut Faults,
) {
    for (written, value) in labels.iter() {
        if well_known::normalized(written) == key && &**value != fixed {
            faults.add(
                &path.key(written),
                format!("{} contradicts {}", quoted(value), quoted(fixed)),
                "no such label, or the same value",
            );
        }
    }
}

/// Refuses a label that only nodes have.
pub(super) fn no_label(labels: &Labels, key: &str, path: &Path<'_>, faults: &mut Faults) {
    if labels.get(key).is_some() {
        faults.add(&path.key(key), "a label that is given to nodes", "no such label here");
    }
}
