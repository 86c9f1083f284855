//! Rules that this version of the verifier doesn't know: a plan that places a pod with one of them
//! is refused rather than believed.

use super::anti_affinity::{is_per_node, term_selects, terms};
use super::facts::{Facts, Group};
use super::violation::{UncheckedRule, Violation};
use crate::model::WhenUnsatisfiable;
use std::collections::BTreeMap;

/// Reports placed pods with rules that can't be checked.
pub(super) fn check<'g, 'a: 'g>(
    facts: &Facts<'a>,
    placed: impl Iterator<Item = &'g Group<'a>>,
    out: &mut Vec<Violation>,
) {
    // One group of each entry is enough: its other pods have the same rules.
    let mut entries: BTreeMap<usize, &'g Group<'a>> = BTreeMap::new();
    for group in placed {
        let _first = entries.entry(group.entry).or_insert(group);
    }
    let far_rules: Vec<_> = facts
        .problem
        .pods
        .iter()
        .filter(|pod| pod.node_name.is_some())
        .flat_map(|pod| terms(pod).iter().map(move |term| (pod, term)))
        .filter(|(_, term)| !is_per_node(term))
        .collect();
    for group in entries.into_values() {
        let mut report = |rule| out.push(Violation::Unchecked { pod: group.first.clone(), rule });
        let spread = &group.pod.topology_spread_constraints;
        if spread.iter().any(|one| one.when_unsatisfiable == WhenUnsatisfiable::DoNotSchedule) {
            report(UncheckedRule::TopologySpread);
        }
        let affinity = group.pod.affinity.as_deref();
        if affinity.is_some_and(|affinity| !affinity.pod_affinity.required.is_empty()) {
            report(UncheckedRule::PodAffinity);
        }
        if terms(group.pod).iter().any(|term| !is_per_node(term)) {
            report(UncheckedRule::PodAntiAffinity);
        }
        if far_rules.iter().any(|(owner, term)| term_selects(facts, owner, term, group.pod)) {
            report(UncheckedRule::PodAntiAffinityOfBoundPod);
        }
    }
}
