//! The spreads that the scheduler gives pods that have none of their own.
//!
//! A scheduler's configuration may list constraints for all pods; built in are two, over hosts and
//! zones. They have no selector: each pod is counted with those that its services and its owner
//! select, and a pod that nobody selects gets none.
//!
//! Source:
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/#cluster-level-default-constraints>.

use super::dump::Entry;
use super::kind::ObjectKind;
use super::metadata::Owner;
use super::pod::namespace;
use super::workload::WorkloadKey;
use crate::model::document::read::{Cursor, labels};
use crate::model::document::selector::read_selector;
use crate::model::fault::{Faults, Path};
use crate::model::{
    LabelSelector, Labels, Pod, TopologySpreadConstraint, WhenUnsatisfiable, well_known,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The constraints that are built into the scheduler: at most 3 more on a host than on another, and
/// 5 in a zone, as preferences.
///
/// # Examples
/// ```
/// use plimsoll::k8s::{ConvertOptions, system_default_spreads};
///
/// let mut options = ConvertOptions::default();
/// options.default_spreads = system_default_spreads();
/// assert_eq!(options.default_spreads[1].max_skew, 5);
/// ```
///
/// They are given to live pods and to templates alike, and not to pods of daemon sets; a pod that
/// has a spread of its own keeps that alone.
#[must_use]
pub fn system_default_spreads() -> Vec<TopologySpreadConstraint> {
    let of = |max_skew, key: &str| {
        TopologySpreadConstraint::new(max_skew, key, WhenUnsatisfiable::ScheduleAnyway)
    };
    vec![of(3, well_known::HOSTNAME), of(5, well_known::ZONE)]
}

/// The constraints for pods without their own, and who selects pods.
///
/// Without constraints nothing is read or kept.
#[derive(Debug, Default)]
pub(super) struct DefaultSpreads {
    constraints: Vec<TopologySpreadConstraint>,
    /// The selectors of services, by namespace.
    services: BTreeMap<Arc<str>, Vec<Labels>>,
    /// The selectors of workloads.
    owners: BTreeMap<WorkloadKey, LabelSelector>,
}

impl DefaultSpreads {
    pub(super) fn new(constraints: &[TopologySpreadConstraint]) -> Self {
        Self { constraints: constraints.to_vec(), ..Self::default() }
    }

    /// Reads whom an object selects; what can't be read there is the object's own fault.
    pub(super) fn read(&mut self, entry: &Entry) {
        let Some(value) = entry.tree.find(&["spec", "selector"]) else { return };
        if self.constraints.is_empty() {
            return;
        }
        let mut faults = Faults::default();
        let cursor = Cursor { value, path: &Path::Root, faults: &mut faults };
        let of_labels =
            matches!(entry.kind, ObjectKind::Service | ObjectKind::ReplicationController);
        let selector = if of_labels {
            labels(cursor).map(|match_labels| LabelSelector { match_labels, ..Default::default() })
        } else {
            read_selector(cursor)
        };
        let Some(selector) = selector.filter(|_| faults.is_empty()) else { return };
        if entry.kind == ObjectKind::Service {
            if !selector.match_labels.is_empty() {
                self.services.entry(namespace(entry)).or_default().push(selector.match_labels);
            }
        } else {
            let key = (namespace(entry), Arc::clone(&entry.id.kind), Arc::clone(&entry.id.name));
            let _former = self.owners.insert(key, selector);
        }
    }

    /// Gives a pod the constraints, if it has none and somebody selects it.
    ///
    /// The selector is the owner's and those of all services that find the pod, together, as the
    /// scheduler makes it (`DefaultSelector`).
    pub(super) fn apply(&self, pod: &mut Pod, owner: Option<&Owner>) {
        if self.constraints.is_empty() || !pod.topology_spread_constraints.is_empty() {
            return;
        }
        let key = |owner: &Owner| {
            (Arc::clone(&pod.namespace), Arc::clone(&owner.kind), Arc::clone(&owner.name))
        };
        let of_owner = owner.and_then(|owner| self.owners.get(&key(owner)));
        let mut selector = of_owner.cloned().unwrap_or_default();
        let has = |labels: &Labels| {
            labels.iter().all(|(key, value)| pod.labels.get(key).is_some_and(|own| own == value))
        };
        let services = self.services.get(&pod.namespace).into_iter().flatten();
        for labels in services.filter(|labels| has(labels)) {
            for (key, value) in labels.iter() {
                let _same = selector.match_labels.insert(Arc::clone(key), Arc::clone(value));
            }
        }
        if selector.match_labels.is_empty() && selector.match_expressions.is_empty() {
            return;
        }
        let constraints = self.constraints.iter().cloned();
        let selected = constraints.map(|one| one.with_label_selector(selector.clone()));
        pod.topology_spread_constraints = selected.collect::<Vec<_>>().into();
    }
}
