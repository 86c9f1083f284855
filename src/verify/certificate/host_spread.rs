//! Spreads over hosts in a certificate: how many of some pods share a node.
//!
//! A fresh node has none of a selection, and one can always be launched; so a spread over hosts
//! that is kept lets no node hold more than `maxSkew` of what it selects. Of a spread that must be
//! kept every plan keeps it. Of one that is only preferred those plans do that honour what this one
//! honours, if this one does.

use super::super::account::PodPlaces;
use super::super::facts::{Facts, selects};
use crate::model::{Pod, TopologySpreadConstraint, well_known};
use crate::plan::certificate::PodValue;
use std::collections::BTreeMap;

/// Whether every plan that the certificate speaks of has at most `most` pods of these entries on a
/// node.
pub(super) fn is_kept(
    facts: &Facts<'_>,
    pods: &PodValue,
    entries: &[usize],
    most: u32,
    placement: &PodPlaces<'_>,
) -> bool {
    let list: Vec<&Pod> =
        entries.iter().filter_map(|entry| facts.problem.pods.get(*entry)).collect();
    let Some(first) = list.first().filter(|_| list.len() == pods.entries.len()) else {
        return false;
    };
    let kept = first.topology_spread_constraints.iter().any(|one| {
        well_known::normalized(&one.topology_key) == well_known::HOSTNAME
            && one.max_skew <= most
            && list.iter().all(|pod| is_under(first, one, pod))
    });
    kept && most_on_a_node(entries, placement) <= u64::from(most)
}

/// Whether a pod has the same constraint and is selected by it.
fn is_under(owner: &Pod, one: &TopologySpreadConstraint, pod: &Pod) -> bool {
    let Some(selector) = &one.label_selector else { return false };
    let same = |key: &str| owner.labels.get(key) == pod.labels.get(key);
    pod.namespace == owner.namespace
        && pod.topology_spread_constraints.contains(one)
        && selects(selector, |key| pod.labels.get(key).map(|value| &**value))
        && one.match_label_keys.iter().all(|key| same(key))
}

/// The most pods of these entries that any node of the plan holds, bound ones aside.
fn most_on_a_node(entries: &[usize], placement: &PodPlaces<'_>) -> u64 {
    let of_groups = |groups: &Vec<super::super::facts::EntryPods<'_>>| -> u64 {
        let own = groups.iter().filter(|group| entries.binary_search(&group.entry).is_ok());
        own.fold(0, |sum, group| sum.saturating_add(group.count))
    };
    let launched = placement.launches.iter().map(of_groups);
    let mut on_node: BTreeMap<usize, u64> = BTreeMap::new();
    for (node, groups) in &placement.nodes {
        let sum = on_node.entry(*node).or_insert(0);
        *sum = sum.saturating_add(of_groups(groups));
    }
    launched.chain(on_node.into_values()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::is_under;
    use crate::model::{LabelSelector, Pod, TopologySpreadConstraint, WhenUnsatisfiable};

    /// A constraint covers a pod of its owner's namespace that has it too, is selected by it, and
    /// agrees in the labels that it tells revisions by.
    #[test]
    fn whom_a_constraint_covers() {
        let when = WhenUnsatisfiable::DoNotSchedule;
        let mut one = TopologySpreadConstraint::new(1, "kubernetes.io/hostname", when)
            .with_label_selector(LabelSelector::new().with_label("app", "web"));
        one.match_label_keys.push("revision".into());
        let without = || Pod::new("p").with_label("app", "web").with_label("revision", "1");
        let pod = || without().with_topology_spread_constraint(one.clone());
        assert!(is_under(&pod(), &one, &pod()));
        let others = [
            pod().with_namespace("other"),
            without(),
            pod().with_label("app", "batch"),
            pod().with_label("revision", "2"),
        ];
        for other in others {
            assert!(!is_under(&pod(), &one, &other), "{other:?}");
        }
        let mut of_nobody = one.clone();
        of_nobody.label_selector = None;
        assert!(!is_under(&pod(), &of_nobody, &pod()));
    }
}
