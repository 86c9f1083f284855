//! Affinity and topology spread: Kubernetes' own validation of these rules.
//!
//! What the API server refuses is refused here, with the path of the field: a required list of
//! terms that is empty, a weight outside 1 to 100, a term of pods without a topology key, an
//! operator with a number of values that it can't have, `matchFields` of anything but
//! `metadata.name`, two spreads over one key with the same `whenUnsatisfiable`, `minDomains` of a
//! spread that is only a wish. So a problem that is read means what its cluster would make of it;
//! nothing is guessed at later.

use super::name;
use super::requirement::{self, RequirementContext};
use crate::model::fault::{Faults, Path};
use crate::model::{
    Affinity, NodeSelectorTerm, Operator, PodAffinity, PodAffinityTerm, TopologySpreadConstraint,
    WhenUnsatisfiable,
};
use std::collections::BTreeSet;
use std::sync::Arc;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// Checks a pod's affinity.
pub(super) fn affinity(affinity: &Affinity, path: &Path<'_>, faults: &mut Faults) {
    let node = path.field("nodeAffinity");
    let required = node.field(REQUIRED);
    if let Some(terms) = &affinity.node_affinity.required {
        let list = required.field("nodeSelectorTerms");
        if terms.is_empty() {
            faults.add(&list, "empty", "at least one term");
        }
        for (i, term) in terms.iter().enumerate() {
            node_selector_term(term, RequirementContext::Pod, &list.item(i), faults);
        }
    }
    let list = node.field(PREFERRED);
    for (i, preferred_term) in affinity.node_affinity.preferred.iter().enumerate() {
        let at = list.item(i);
        weight(preferred_term.weight, &at, faults);
        node_selector_term(
            &preferred_term.preference,
            RequirementContext::Preference,
            &at.field("preference"),
            faults,
        );
    }
    pod_affinity(&affinity.pod_affinity, &path.field("podAffinity"), faults);
    pod_affinity(&affinity.pod_anti_affinity, &path.field("podAntiAffinity"), faults);
}

pub(super) fn node_selector_term(
    term: &NodeSelectorTerm,
    place: RequirementContext,
    path: &Path<'_>,
    faults: &mut Faults,
) {
    let list = path.field("matchExpressions");
    for (i, expression) in term.match_expressions.iter().enumerate() {
        requirement::requirement(expression, place, &list.item(i), faults);
    }
    let list = path.field("matchFields");
    for (i, field) in term.match_fields.iter().enumerate() {
        let at = list.item(i);
        if &*field.key != "metadata.name" {
            faults.add(&at.field("key"), "an unknown field of nodes", "metadata.name");
        }
        if !matches!(field.operator, Operator::In | Operator::NotIn) {
            faults.add(&at.field("operator"), "an operator for labels", "In or NotIn");
        }
        match field.values.as_slice() {
            [value] => name::object_name(value, &at.field("values").item(0), faults),
            values => faults.add(
                &at.field("values"),
                format!("{} given", values.len()),
                "exactly one node name",
            ),
        }
        if field.min_values.is_some() {
            faults.add(&at.field("minValues"), "a minimum outside a node pool", "none here");
        }
    }
}

fn pod_affinity(rules: &PodAffinity, path: &Path<'_>, faults: &mut Faults) {
    let list = path.field(REQUIRED);
    for (i, term) in rules.required.iter().enumerate() {
        pod_affinity_term(term, &list.item(i), faults);
    }
    let list = path.field(PREFERRED);
    for (i, preferred_term) in rules.preferred.iter().enumerate() {
        let at = list.item(i);
        weight(preferred_term.weight, &at, faults);
        pod_affinity_term(&preferred_term.term, &at.field("podAffinityTerm"), faults);
    }
}

fn pod_affinity_term(term: &PodAffinityTerm, path: &Path<'_>, faults: &mut Faults) {
    name::label_key(&term.topology_key, &path.field("topologyKey"), faults);
    if let Some(selector) = &term.label_selector {
        requirement::selector(selector, &path.field("labelSelector"), faults);
    }
    if let Some(selector) = &term.namespace_selector {
        requirement::selector(selector, &path.field("namespaceSelector"), faults);
    }
    let list = path.field("namespaces");
    for (i, namespace) in term.namespaces.iter().enumerate() {
        name::object_name(namespace, &list.item(i), faults);
    }
    let selects = term.label_selector.is_some();
    label_keys(&term.match_label_keys, selects, &path.field("matchLabelKeys"), faults);
    let list = path.field("mismatchLabelKeys");
    label_keys(&term.mismatch_label_keys, selects, &list, faults);
    let matched: BTreeSet<_> = term.match_label_keys.iter().collect();
    for (i, key) in term.mismatch_label_keys.iter().enumerate() {
        if matched.contains(key) {
            faults.add(&list.item(i), "a key of matchLabelKeys too", "a key in one of the lists");
        }
    }
}

/// Checks keys that are read from the incoming pod.
fn label_keys(keys: &[Arc<str>], selects: bool, path: &Path<'_>, faults: &mut Faults) {
    if !keys.is_empty() && !selects {
        faults.add(path, "keys without a labelSelector", "a labelSelector with them");
    }
    for (i, key) in keys.iter().enumerate() {
        name::label_key(key, &path.item(i), faults);
    }
}

fn weight(weight: u8, path: &Path<'_>, faults: &mut Faults) {
    if !(1..=100).contains(&weight) {
        faults.add(&path.field("weight"), weight.to_string(), "1 to 100");
    }
}

/// Checks a pod's topology spread constraints.
pub(super) fn spread(
    constraints: &[TopologySpreadConstraint],
    path: &Path<'_>,
    faults: &mut Faults,
) {
    let mut seen = BTreeSet::new();
    for (i, constraint) in constraints.iter().enumerate() {
        let at = path.item(i);
        if constraint.max_skew == 0 {
            faults.add(&at.field("maxSkew"), "0", "at least 1");
        }
        name::label_key(&constraint.topology_key, &at.field("topologyKey"), faults);
        if let Some(selector) = &constraint.label_selector {
            requirement::selector(selector, &at.field("labelSelector"), faults);
        }
        let hard = constraint.when_unsatisfiable == WhenUnsatisfiable::DoNotSchedule;
        match constraint.min_domains {
            Some(0) => faults.add(&at.field("minDomains"), "0", "at least 1"),
            Some(_) if !hard => faults.add(
                &at.field("minDomains"),
                "a minimum with ScheduleAnyway",
                "minDomains with DoNotSchedule only",
            ),
            _ => {}
        }
        let selects = constraint.label_selector.is_some();
        label_keys(&constraint.match_label_keys, selects, &at.field("matchLabelKeys"), faults);
        if !seen.insert((&constraint.topology_key, constraint.when_unsatisfiable)) {
            faults.add(
                &at,
                "a second constraint of this topologyKey and whenUnsatisfiable",
                "one for each pair",
            );
        }
    }
}
