//! Required anti-affinity over the hostname, checked again, in both directions: no pod of a node
//! selects another one there, be it bound or placed by the plan.
//!
//! *The rule.* A term means pods of its namespaces (those that it lists, those that its namespace
//! selector selects, and where it says neither the pod's own) that its label selector selects;
//! without a selector it means nobody, an empty one means everybody. `matchLabelKeys` narrows it to
//! pods that agree with its owner in those labels, `mismatchLabelKeys` to those that don't; a key
//! that the owner lacks says nothing. kube-scheduler keeps a pod off where a term of its own means
//! somebody, and also where the term of somebody there means it.
//!
//! Terms over other labels are judged in [`topology`](super::topology), where domains are.
//!
//! Source: <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/>.

use super::facts::{EntryPods, Facts, selects};
use super::violation::{PlanPlace, Violation};
use crate::model::{Pod, PodAffinityTerm, well_known};

/// Whether a term's domains are single nodes.
///
/// A deprecated label that means the hostname counts as it
/// ([`well_known::normalized`](crate::model::well_known)).
pub(super) fn is_per_node(term: &PodAffinityTerm) -> bool {
    well_known::normalized(&term.topology_key) == well_known::HOSTNAME
}

/// The required anti-affinity terms of a pod.
pub(super) fn terms(pod: &Pod) -> &[PodAffinityTerm] {
    pod.affinity.as_deref().map_or(&[], |affinity| &affinity.pod_anti_affinity.required)
}

/// Whether a term of a pod selects another pod.
///
/// Every part must hold: namespace, label keys in both directions, selector.
pub(super) fn term_selects(
    facts: &Facts<'_>,
    owner: &Pod,
    term: &PodAffinityTerm,
    other: &Pod,
) -> bool {
    let Some(selector) = &term.label_selector else { return false };
    let in_namespaces = if term.namespaces.is_empty() && term.namespace_selector.is_none() {
        other.namespace == owner.namespace
    } else {
        term.namespaces.contains(&other.namespace)
            || term
                .namespace_selector
                .as_ref()
                .is_some_and(|selector| facts.namespace_matches(selector, &other.namespace))
    };
    // A key that the owner lacks says nothing.
    let equal = term
        .match_label_keys
        .iter()
        .all(|key| owner.labels.get(key).is_none_or(|value| other.labels.get(key) == Some(value)));
    let different = term
        .mismatch_label_keys
        .iter()
        .all(|key| owner.labels.get(key).is_none_or(|value| other.labels.get(key) != Some(value)));
    in_namespaces
        && equal
        && different
        && selects(selector, |key| other.labels.get(key).map(|value| &**value))
}

/// Whether the anti-affinity of a pod keeps another off its node.
pub(super) fn forbids(facts: &Facts<'_>, owner: &Pod, other: &Pod) -> bool {
    terms(owner).iter().any(|term| is_per_node(term) && term_selects(facts, owner, term, other))
}

/// Reports pods that the plan puts where another pod's anti-affinity, or their own, forbids it.
///
/// Bound pods among each other aren't the plan's doing; a bound pod's rule against a placed one is,
/// and so is the other way round. Several pods of one entry are each other's neighbours.
pub(super) fn check(
    facts: &Facts<'_>,
    bound: &[EntryPods<'_>],
    groups: &[EntryPods<'_>],
    place: &PlanPlace,
    out: &mut Vec<Violation>,
) {
    let has_rule = |group: &&EntryPods<'_>| terms(group.pod).iter().any(is_per_node);
    let mut report = |owner: &EntryPods<'_>, other: &EntryPods<'_>| {
        let same = owner.entry == other.entry;
        if (!same || owner.count > 1) && forbids(facts, owner.pod, other.pod) {
            out.push(Violation::AntiAffinity {
                pod: owner.first.clone(),
                other: if same { other.last.clone() } else { other.first.clone() },
                place: place.clone(),
            });
        }
    };
    for owner in groups.iter().filter(has_rule) {
        bound.iter().chain(groups).for_each(|other| report(owner, other));
    }
    for owner in bound.iter().filter(has_rule) {
        groups.iter().for_each(|other| report(owner, other));
    }
}
