//! Pods and daemon sets.
//!
//! A pod of a daemon set is checked like any other, and for what only such a pod may not have.

use super::requirement::RequirementContext;
use super::{affinity, name, requirement, resource, taint};
use crate::model::fault::{Faults, Path, quoted};
use crate::model::{PODS, Placeholder, Pod, Quantity, Resources};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The most pods that a problem may have, replicas counted.
///
/// Far above any cluster; counts of pods fit 32 bits.
pub(crate) const MOST_PODS: u32 = 10_000_000;

/// Checks a pod, but for its name's being unique and its node's being known.
pub(crate) fn pod(pod: &Pod, path: &Path<'_>, faults: &mut Faults) {
    name::object_name(&pod.name, &path.field("name"), faults);
    name::object_name(&pod.namespace, &path.field("namespace"), faults);
    if !(1..=MOST_PODS).contains(&pod.replicas) {
        faults.add(&path.field("replicas"), pod.replicas.to_string(), format!("1 to {MOST_PODS}"));
    }
    requirement::labels(&pod.labels, &path.field("labels"), faults);
    for (key, _) in pod.annotations.iter() {
        // Unlike that of a label, an annotation's prefix may have capital letters.
        name::label_key(&key.to_lowercase(), &path.field("annotations").key(key), faults);
    }
    placeholder(pod, path, faults);
    requests(&pod.requests, &path.field("requests"), faults);
    if let Some(recreated) = &pod.recreated_requests {
        requests(recreated, &path.field("recreatedRequests"), faults);
    }
    requirement::labels(&pod.node_selector, &path.field("nodeSelector"), faults);
    if let Some(rules) = &pod.affinity {
        affinity::affinity(rules, &path.field("affinity"), faults);
    }
    taint::tolerations(&pod.tolerations, &path.field("tolerations"), faults);
    let list = path.field("topologySpreadConstraints");
    affinity::spread(&pod.topology_spread_constraints, &list, faults);
    host_ports(pod, &path.field("hostPorts"), faults);
    let list = path.field("volumes");
    for (i, volume) in pod.volumes.iter().enumerate() {
        let at = list.item(i);
        name::not_empty(&volume.driver, &at.field("driver"), faults);
        name::not_empty(&volume.id, &at.field("id"), faults);
        for (j, zone) in volume.zones.iter().enumerate() {
            name::label_name(zone, &at.field("zones").item(j), faults);
        }
        let terms = at.field("nodeSelectorTerms");
        for (j, term) in volume.node_selector_terms.iter().enumerate() {
            affinity::node_selector_term(term, RequirementContext::Pod, &terms.item(j), faults);
        }
    }
    if let Some(type_name) = &pod.owner_kind {
        name::not_empty(type_name, &path.field("ownerKind"), faults);
    }
}

/// Checks what only pods of daemon sets may not have.
pub(super) fn daemon_set(daemon: &Pod, path: &Path<'_>, faults: &mut Faults) {
    pod(daemon, path, faults);
    let expected = "no such field: a daemon set runs once on every node that admits it";
    if daemon.replicas != 1 {
        faults.add(&path.field("replicas"), daemon.replicas.to_string(), expected);
    }
    if let Some(node) = &daemon.node_name {
        faults.add(&path.field("nodeName"), quoted(node), expected);
    }
    if daemon.annotations.get(Placeholder::ANNOTATION).is_some() {
        let annotations = path.field("annotations");
        let at = annotations.key(Placeholder::ANNOTATION);
        faults.add(&at, "a daemon set that is a placeholder", "a pending pod");
    }
}

/// Checks the annotation of placeholders; a bound pod holds its room already.
fn placeholder(pod: &Pod, path: &Path<'_>, faults: &mut Faults) {
    let Some(word) = pod.annotations.get(Placeholder::ANNOTATION) else { return };
    let annotations = path.field("annotations");
    let at = annotations.key(Placeholder::ANNOTATION);
    if pod.placeholder().is_none() {
        faults.add(&at, quoted(word), "free or launch");
    }
    if pod.node_name.is_some() {
        faults.add(&at, "a placeholder that is bound to a node", "a pending pod");
    }
}

fn requests(requests: &Resources, path: &Path<'_>, faults: &mut Faults) {
    resource::amounts(requests, path, faults);
    if requests.get(PODS).is_some_and(|pods| pods != Quantity::from_units(1)) {
        faults.add(
            &path.key(PODS),
            "an amount other than the implied one",
            "1, or no request of pods",
        );
    }
}

/// An empty address is allowed and means all.
fn host_ports(pod: &Pod, path: &Path<'_>, faults: &mut Faults) {
    let mut seen = BTreeSet::new();
    for (i, port) in pod.host_ports.iter().enumerate() {
        let at = path.item(i);
        if port.port == 0 {
            faults.add(&at.field("port"), "0", "1 to 65535");
        }
        if !port.host_ip.is_empty() && port.host_ip.parse::<IpAddr>().is_err() {
            faults.add(&at.field("hostIP"), quoted(&port.host_ip), "an IP address");
        }
        if !seen.insert(port) {
            faults.add(&at, "a port that the pod takes already", "each port once");
        }
    }
}
