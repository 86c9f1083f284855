//! Pods, pending, bound and of daemon sets.

use super::{Affinity, Labels, Resources, Toleration, TopologySpreadConstraint};
use std::sync::Arc;

/// A pod, or `replicas` identical ones.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Pod {
    pub(crate) name: Arc<str>,
    pub(crate) namespace: Arc<str>,
    pub(crate) replicas: u32,
    pub(crate) labels: Labels,
    pub(crate) annotations: Labels,
    pub(crate) requests: Resources,
    pub(crate) node_selector: Labels,
    pub(crate) affinity: Option<Box<Affinity>>,
    pub(crate) tolerations: Vec<Toleration>,
    pub(crate) topology_spread_constraints: Vec<TopologySpreadConstraint>,
    pub(crate) host_ports: Vec<HostPort>,
    pub(crate) volumes: Vec<Volume>,
    pub(crate) priority: i32,
    pub(crate) node_name: Option<Arc<str>>,
    pub(crate) owner_kind: Option<Arc<str>>,
    pub(crate) do_not_disrupt: bool,
    pub(crate) deletion_cost: i32,
}

/// A port of the node that a pod takes.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct HostPort {
    /// 1 to 65535.
    pub port: u16,
    /// "TCP", "UDP" or "SCTP".
    pub protocol: Arc<str>,
    /// The address; "0.0.0.0" and "::" mean all of the node's.
    pub host_ip: Arc<str>,
}

/// A volume that a pod mounts.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Volume {
    /// The storage driver, by which nodes limit attachments.
    pub driver: Arc<str>,
    /// Which volume: pods that name the same one share it.
    pub id: Arc<str>,
    /// The zones from which it can be reached; empty means all.
    pub zones: Vec<Arc<str>>,
}
