//! Conditions on labels: which operators and values a place allows.
//!
//! One requirement has four places to stand in, and each allows something else
//! ([`RequirementContext`]). Kubernetes checks what a pod requires and hardly what it prefers, so a
//! preference that nothing can meet is accepted here too.

use super::name;
use crate::model::fault::{Faults, Path, quoted};
use crate::model::well_known;
use crate::model::{LabelSelector, Labels, Operator, Requirement, SelectorOperator};

/// Where a requirement stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum RequirementContext {
    /// In a pod's node affinity, with Kubernetes' six operators.
    Pod,
    /// In a preference of it, of which Kubernetes doesn't check the values.
    Preference,
    /// In a node pool, the one place for `minValues`.
    Pool,
    /// In an instance type or a price overlay.
    Type,
}

/// Checks one requirement on a label of the node.
pub(super) fn requirement(
    requirement: &Requirement,
    place: RequirementContext,
    path: &Path<'_>,
    faults: &mut Faults,
) {
    name::label_key(&requirement.key, &path.field("key"), faults);
    let of_pod = matches!(place, RequirementContext::Pod | RequirementContext::Preference);
    if of_pod && matches!(requirement.operator, Operator::Gte | Operator::Lte) {
        faults.add(
            &path.field("operator"),
            "an operator that pods don't have",
            "In, NotIn, Exists, DoesNotExist, Gt or Lt",
        );
    }
    let values_path = path.field("values");
    let lists = matches!(requirement.operator, Operator::In | Operator::NotIn);
    if lists && place != RequirementContext::Preference {
        for (i, value) in requirement.values.iter().enumerate() {
            name::label_value(value, &values_path.item(i), faults);
        }
    }
    let min_values_path = path.field("minValues");
    match requirement.min_values {
        // What isn't an integer is greater and less than none: such a pod can run nowhere.
        None if of_pod && requirement.bounds_nothing() => {}
        None => fault(requirement, &values_path, faults),
        Some(_) if place != RequirementContext::Pool => {
            faults.add(&min_values_path, "a minimum outside a node pool", "none here");
        }
        Some(_) => {
            let without = Requirement { min_values: None, ..requirement.clone() };
            if without.fault().is_some() {
                fault(&without, &values_path, faults);
            } else {
                fault(requirement, &min_values_path, faults);
            }
        }
    }
}

fn fault(requirement: &Requirement, path: &Path<'_>, faults: &mut Faults) {
    if let Some((problem, expected)) = requirement.fault() {
        faults.add(path, problem, expected);
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
        let lists = matches!(expression.operator, SelectorOperator::In | SelectorOperator::NotIn);
        if lists && count == 0 {
            faults.add(&at.field("values"), "empty", "at least one value with In and NotIn");
        } else if !lists && count > 0 {
            faults.add(
                &at.field("values"),
                format!("{count} given"),
                "none with Exists and DoesNotExist",
            );
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
///
/// A type labelled with another type's name, say.
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
