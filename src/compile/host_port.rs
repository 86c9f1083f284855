//! Host ports, made dense: which port a pod takes, and which it thereby keeps others from.
//!
//! Two pods clash when they want the same port and protocol on the same address, or either wants it
//! on all addresses (<https://kubernetes.io/docs/concepts/services-networking/>; kube-scheduler's
//! `NodePorts` filter).

use super::bits::Bits;
use crate::model::{HostPort, Pod};
use std::collections::{BTreeMap, BTreeSet};

/// The distinct host ports of a problem.
///
/// Two ports that are equal have one number; those that clash (an address and all addresses) have
/// each other's bit in what they bar.
#[derive(Debug)]
pub(super) struct Ports {
    entries: Vec<HostPort>,
}

/// The ports that a pod takes, and those that others may not take beside it.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct PortUse {
    pub(super) takes: Bits,
    pub(super) blocks: Bits,
}

/// By how many pods each host port is taken.
#[derive(Debug)]
pub(super) struct PortUsers(BTreeMap<HostPort, u64>);

impl PortUsers {
    pub(super) fn of<'a>(pods: impl Iterator<Item = &'a Pod>) -> Self {
        let mut users = BTreeMap::new();
        for port in pods.flat_map(|pod| &pod.host_ports) {
            *users.entry(port.clone()).or_insert(0) += 1;
        }
        Self(users)
    }

    /// Whether, once some pods have gone and others have come, the ports that are taken are the
    /// same.
    pub(super) fn stay(&self, gone: &[&Pod], new: &[&Pod]) -> bool {
        let (gone, new) = (Self::of(gone.iter().copied()).0, Self::of(new.iter().copied()).0);
        let left = |port: &HostPort, users: u64| {
            let gone = gone.get(port).copied().unwrap_or(0);
            users + new.get(port).copied().unwrap_or(0) > gone
        };
        gone.keys()
            .chain(new.keys())
            .all(|port| self.0.get(port).is_some_and(|users| left(port, *users)))
    }
}

impl Ports {
    pub(super) fn of<'a>(pods: impl Iterator<Item = &'a Pod>) -> Self {
        let entries: BTreeSet<&HostPort> = pods.flat_map(|pod| &pod.host_ports).collect();
        Self { entries: entries.into_iter().cloned().collect() }
    }

    /// No port taken.
    pub(super) fn none(&self) -> Bits {
        Bits::none(self.entries.len())
    }

    pub(super) fn used_by(&self, pod: &Pod) -> PortUse {
        let mut used = PortUse { takes: self.none(), blocks: self.none() };
        for wanted in &pod.host_ports {
            for (at, entry) in self.entries.iter().enumerate() {
                let same = entry.port == wanted.port && entry.protocol == wanted.protocol;
                if same && entry.host_ip == wanted.host_ip {
                    used.takes.insert(at);
                }
                let everywhere = |port: &HostPort| matches!(&*port.host_ip, "0.0.0.0" | "::" | "");
                if same
                    && (entry.host_ip == wanted.host_ip || everywhere(entry) || everywhere(wanted))
                {
                    used.blocks.insert(at);
                }
            }
        }
        used
    }
}

impl PortUse {
    /// Whether the pod takes any port, so that a node can hold one such pod at most.
    pub(super) fn any(&self) -> bool {
        !self.takes.is_empty()
    }
}
