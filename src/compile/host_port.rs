//! Host ports, made dense: which port a pod takes, and which it thereby keeps others from.
//!
//! Two pods clash when they want the same port and protocol on the same address, or either wants it
//! on all addresses (<https://kubernetes.io/docs/concepts/services-networking/>; kube-scheduler's
//! `NodePorts` filter).

use super::bits::Bits;
use crate::model::{HostPort, Pod};
use std::collections::BTreeSet;

/// The distinct host ports of a problem.
#[derive(Debug)]
pub(crate) struct Ports {
    entries: Vec<HostPort>,
}

/// The ports that a pod takes, and those that others may not take beside it.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct PortUse {
    pub(crate) takes: Bits,
    pub(crate) blocks: Bits,
}

impl Ports {
    pub(crate) fn of<'a>(pods: impl Iterator<Item = &'a Pod>) -> Self {
        let entries: BTreeSet<&HostPort> = pods.flat_map(|pod| &pod.host_ports).collect();
        Self { entries: entries.into_iter().cloned().collect() }
    }

    /// No port taken.
    pub(crate) fn none(&self) -> Bits {
        Bits::none(self.entries.len())
    }

    pub(crate) fn used_by(&self, pod: &Pod) -> PortUse {
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
    pub(crate) fn any(&self) -> bool {
        !self.takes.is_empty()
    }
}
