//! Host ports, compared again: no two pods of a node take the same port.
//!
//! *The rule.* A pod with `hostPort` listens on the node itself, so kube-scheduler keeps it off
//! nodes where somebody does already (its `NodePorts` filter). Two ports clash where number and
//! protocol are equal, and the addresses are equal or one of them means every address: `0.0.0.0`,
//! also where none is given, and `::`. TCP 80 and UDP 80 don't clash, nor do `10.0.0.1:80` and
//! `10.0.0.2:80`.
//!
//! *What is compared.* What the plan puts on a node, with each other and with what is there: on a
//! running node the pods that are bound, on a launch the daemon sets that run there. Replicas of
//! one entry have the same ports, so two of them on one node clash with each other.
//!
//! *Cost.* By number and protocol it is kept who came first, who takes every address, and who takes
//! each address: one look for each port, not one for each pair of pods.
//!
//! Source: <https://kubernetes.io/docs/concepts/configuration/overview/> on host ports.

use super::facts::EntryPods;
use super::violation::{PlanPlace, Violation};
use crate::model::{HostPort, Pod, Protocol};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who takes a port of one number and protocol: the first of all, the first on every address, and
/// the first on each address.
#[derive(Debug, Default)]
struct Taken<'a> {
    first: Option<Arc<str>>,
    everywhere: Option<Arc<str>>,
    addresses: BTreeMap<&'a str, Arc<str>>,
}

/// Reports ports that pods of a plan take twice, or that others have taken.
pub(super) fn check<'a>(
    others: impl Iterator<Item = (Arc<str>, &'a Pod)>,
    groups: &[EntryPods<'a>],
    place: &PlanPlace,
    out: &mut Vec<Violation>,
) {
    if groups.iter().all(|group| group.pod.host_ports.is_empty()) {
        return;
    }
    let mut taken: BTreeMap<(u16, Protocol), Taken<'a>> = BTreeMap::new();
    for (name, pod) in others {
        take(&mut taken, &name, pod);
    }
    for group in groups {
        let mut report = |port: &HostPort, other: &Arc<str>| {
            out.push(Violation::HostPort {
                pod: group.first.clone(),
                other: other.clone(),
                place: place.clone(),
                port: port.port,
                protocol: port.protocol,
            });
        };
        for port in &group.pod.host_ports {
            if let Some(other) = clash(&taken, port) {
                report(port, other);
            }
            if group.count > 1 {
                report(port, &group.last);
            }
        }
        take(&mut taken, &group.first, group.pod);
    }
}

/// Whether two pods want the same port.
pub(super) fn clashes(one: &Pod, other: &Pod) -> bool {
    let same = |one: &HostPort, other: &HostPort| {
        one.port == other.port
            && one.protocol == other.protocol
            && (one.host_ip == other.host_ip || is_everywhere(one) || is_everywhere(other))
    };
    one.host_ports.iter().any(|port| other.host_ports.iter().any(|two| same(port, two)))
}

fn is_everywhere(port: &HostPort) -> bool {
    matches!(&*port.host_ip, "0.0.0.0" | "::")
}

fn clash<'t, 'a>(
    taken: &'t BTreeMap<(u16, Protocol), Taken<'a>>,
    port: &'a HostPort,
) -> Option<&'t Arc<str>> {
    let same = taken.get(&(port.port, port.protocol))?;
    if is_everywhere(port) {
        return same.first.as_ref();
    }
    same.everywhere.as_ref().or_else(|| same.addresses.get(&*port.host_ip))
}

fn take<'a>(taken: &mut BTreeMap<(u16, Protocol), Taken<'a>>, name: &Arc<str>, pod: &'a Pod) {
    for port in &pod.host_ports {
        let same = taken.entry((port.port, port.protocol)).or_default();
        let _first = same.first.get_or_insert_with(|| name.clone());
        if is_everywhere(port) {
            let _first = same.everywhere.get_or_insert_with(|| name.clone());
        }
        let _first = same.addresses.entry(&port.host_ip).or_insert_with(|| name.clone());
    }
}
