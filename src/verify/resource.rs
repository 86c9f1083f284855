//! Resources, added again: what pods request, and what types and nodes offer.
//!
//! *The rule.* The requests of the pods on a node, added up, exceed what the node has of no
//! resource. A resource that a node doesn't name it has none of; one that nobody asks for may be
//! overdrawn by what runs there. Every pod takes one of `pods`, whatever it requests of that name.
//!
//! *Rounding.* Kubernetes counts processors in thousandths and everything else in whole units, and
//! rounds what is asked up and what is offered down, each pod by itself: three pods of 0.5 bytes
//! take three. Sums are taken in 128 bits and saturate, so that no document overflows them.
//!
//! *What a type offers* is its capacity less its overhead; huge pages are taken from memory, as the
//! kubelet does it.
//!
//! Source: <https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/>.
//!
//! *Example.* A pod asks for 250m cpu and 100.5 memory, a node offers 1999.9m and 201: cpu counts
//! 250 of 1999, memory 101 of 201, so one such pod fits and two don't, although 2 × 100.5 is 201.

use crate::model::{InstanceType, Pod, Resources};
use std::collections::BTreeMap;

const PODS: &str = "pods";

/// Whole counting units (millicores of cpu, else units) by resource.
pub(super) type Amounts<'a> = BTreeMap<&'a str, i128>;

fn per_unit(name: &str) -> i64 {
    if name == "cpu" { 1000 } else { 1 }
}

/// Amounts that are asked for: fractions count as a whole unit.
pub(super) fn rounded_up(resources: &Resources) -> Amounts<'_> {
    resources
        .iter()
        .map(|(name, amount)| (&**name, i128::from(amount.ceil(per_unit(name)))))
        .collect()
}

/// Amounts that are offered: fractions don't count.
pub(super) fn rounded_down(resources: &Resources) -> Amounts<'_> {
    resources
        .iter()
        .map(|(name, amount)| (&**name, i128::from(amount.floor(per_unit(name)))))
        .collect()
}

/// Adds the requests of so many pods, of which each takes one of `pods`.
pub(super) fn add<'a>(amounts: &mut Amounts<'a>, pod: &'a Pod, count: u64) {
    let count = i128::from(count);
    for (name, amount) in rounded_up(&pod.requests) {
        if name != PODS {
            let sum = amounts.entry(name).or_default();
            *sum = sum.saturating_add(amount.saturating_mul(count));
        }
    }
    let pods = amounts.entry(PODS).or_default();
    *pods = pods.saturating_add(count);
}

/// Adds amounts to amounts.
pub(super) fn add_all<'a>(amounts: &mut Amounts<'a>, more: &Amounts<'a>) {
    for (name, amount) in more {
        let sum = amounts.entry(name).or_default();
        *sum = sum.saturating_add(*amount);
    }
}

/// What a type leaves to pods: its capacity less its overhead, and less the memory that huge pages
/// take.
pub(super) fn allocatable(instance_type: &InstanceType) -> Amounts<'_> {
    let overhead = rounded_up(&instance_type.overhead);
    let capacity = rounded_down(&instance_type.capacity);
    let huge: i128 = capacity
        .iter()
        .filter(|(name, _)| name.starts_with("hugepages-"))
        .fold(0, |sum, (_, amount)| sum.saturating_add(*amount));
    capacity
        .into_iter()
        .map(|(name, amount)| {
            let kept = overhead.get(name).copied().unwrap_or(0);
            let paged = if name == "memory" { huge } else { 0 };
            (name, amount.saturating_sub(kept).saturating_sub(paged).max(0))
        })
        .collect()
}

/// Every resource of which more is asked than there is: its name, what is asked, what there is.
pub(super) fn lacking<'a>(
    asked: &Amounts<'a>,
    offered: &Amounts<'_>,
) -> impl Iterator<Item = (&'a str, i128, i128)> {
    asked.iter().filter_map(|(name, amount)| {
        let there = offered.get(name).copied().unwrap_or(0);
        (*amount > 0 && *amount > there).then_some((*name, *amount, there))
    })
}
