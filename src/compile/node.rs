//! Running nodes, made dense: what is free on each, and which classes its pods keep away.

use super::bits::Bits;
use super::host_port::Ports;
use super::id::{IdVec, NodeId};
use super::label::LabelTable;
use super::resource::Dims;
use super::rule::NODE_NAME;
use super::volume::{VolumeKey, attach_daemons};
use crate::model::{Node, NodePool, Parts, Pod, well_known};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A running node that can take pods.
#[derive(Clone, Debug)]
pub(crate) struct RunningNode {
    /// The place of the node in the problem.
    pub(crate) index: usize,
    /// What is free; below zero where the node is over-full.
    pub(crate) free: Vec<i64>,
    /// The host ports that its pods and daemons take.
    pub(crate) ports: Bits,
    /// Those of the pods that are there alone, not of daemons still to come.
    pub(crate) bound_ports: Bits,
    /// Shared volumes that are attached, and those of daemons still to come.
    pub(crate) attached: BTreeSet<VolumeKey>,
    /// Whether pods run there that no daemon set owns.
    pub(crate) occupied: bool,
}

impl RunningNode {
    /// The same with what it has counted in these resources, which are at these places of the
    /// vectors that it was counted in before.
    pub(crate) fn counted_in(&self, dims: &Dims, places: &[usize]) -> Self {
        let attached = match dims.drivers() {
            [] => BTreeSet::new(),
            _ => {
                let limited = |volume: &&VolumeKey| dims.driver(&volume.0).is_some();
                self.attached.iter().filter(limited).cloned().collect()
            }
        };
        Self {
            index: self.index,
            free: places.iter().map(|at| self.free[*at]).collect(),
            ports: self.ports.clone(),
            bound_ports: self.bound_ports.clone(),
            attached,
            occupied: self.occupied,
        }
    }
}

/// What a node's capacity is counted in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counting<'a> {
    pub(crate) dims: &'a Dims,
    pub(crate) ports: &'a Ports,
    pub(crate) shared: &'a BTreeSet<VolumeKey>,
}

impl Counting<'_> {
    /// A node with the pods that are bound to it, before daemons are held back.
    pub(crate) fn running<'p>(
        &self,
        place: usize,
        node: &Node,
        bound: impl Iterator<Item = &'p Pod>,
    ) -> RunningNode {
        let Self { dims, ports, shared } = *self;
        let mut running = RunningNode {
            index: place,
            free: dims.allocatable(node),
            ports: ports.none(),
            bound_ports: ports.none(),
            attached: BTreeSet::new(),
            occupied: false,
        };
        let mut slots: BTreeSet<(&Arc<str>, &Arc<str>)> = BTreeSet::new();
        for pod in bound {
            take(&mut running.free, &dims.requests(pod), i64::from(pod.replicas));
            running.ports.or(&ports.used_by(pod).takes);
            running.occupied |= !owned_by_daemon_set(pod);
            for volume in &pod.volumes {
                let Some(at) = dims.driver(&volume.driver) else { continue };
                if slots.insert((&volume.driver, &volume.id)) {
                    running.free[at] -= 1;
                }
                let of_one = (volume.driver.clone(), volume.id.clone());
                if shared.contains(&of_one) {
                    let _new = running.attached.insert(of_one);
                }
            }
        }
        running.bound_ports = running.ports.clone();
        running
    }

    /// Holds back, on a node, what its daemons will ask for and don't yet.
    pub(crate) fn hold_back<'p>(
        &self,
        running: &mut RunningNode,
        daemons: impl Iterator<Item = &'p Pod> + Clone,
        bound: impl Iterator<Item = &'p Pod>,
    ) {
        let Self { dims, ports, .. } = *self;
        let mut wanted = vec![0_i64; dims.len()];
        for daemon in daemons.clone() {
            take(&mut wanted, &dims.requests(daemon), -1);
            running.ports.or(&ports.used_by(daemon).takes);
        }
        for pod in bound.filter(|pod| owned_by_daemon_set(pod)) {
            take(&mut wanted, &dims.requests(pod), i64::from(pod.replicas));
        }
        wanted.iter_mut().for_each(|amount| *amount = (*amount).max(0));
        take(&mut running.free, &wanted, 1);
        attach_daemons(daemons, dims, &mut running.free, &mut running.attached);
    }
}

/// The nodes of a cluster that are being deleted, by their places, and what would be free on each
/// beside the pods bound to it and all daemons.
pub(crate) fn deleting<'p, I: Iterator<Item = &'p Pod>>(
    parts: &Parts,
    dims: &Dims,
    standing: &[usize],
    bound: impl Fn(usize) -> I,
) -> Vec<(usize, Vec<i64>)> {
    let deleting = standing.iter().filter(|place| parts.node(**place).deleting);
    let daemons = parts.daemon_sets();
    let free = |place: usize| free_beside_all(dims, parts.node(place), daemons, bound(place));
    deleting.map(|place| (*place, free(*place))).collect()
}

/// What would be free on a node that is being deleted, beside its pods and all daemons.
fn free_beside_all<'p>(
    dims: &Dims,
    node: &Node,
    daemons: &[Pod],
    bound: impl Iterator<Item = &'p Pod>,
) -> Vec<i64> {
    let mut free = dims.allocatable(node);
    let mut wanted = vec![0_i64; dims.len()];
    daemons.iter().for_each(|daemon| take(&mut wanted, &dims.requests(daemon), -1));
    for pod in bound {
        let (request, replicas) = (dims.requests(pod), i64::from(pod.replicas));
        take(&mut free, &request, replicas);
        if owned_by_daemon_set(pod) {
            take(&mut wanted, &request, replicas);
        }
    }
    wanted.iter_mut().for_each(|amount| *amount = (*amount).max(0));
    take(&mut free, &wanted, 1);
    free
}

fn owned_by_daemon_set(pod: &Pod) -> bool {
    pod.owner_kind.as_deref() == Some("DaemonSet")
}

fn take(from: &mut [i64], amounts: &[i64], times: i64) {
    for (have, amount) in from.iter_mut().zip(amounts) {
        *have = have.saturating_sub(amount.saturating_mul(times));
    }
}

/// The pool of a running node, by its label.
pub(crate) fn pool_of<'p>(parts: &'p Parts, node: &Node) -> Option<&'p NodePool> {
    let name = node.labels.get(well_known::NODE_POOL)?;
    let pools = &parts.given().node_pools;
    let at = pools.binary_search_by(|pool| pool.name.cmp(name)).ok()?;
    Some(parts.node_pool(at))
}

/// A running node's value of a label.
pub(crate) fn label<'n>(node: &'n Node, key: &str) -> Option<&'n Arc<str>> {
    match key {
        NODE_NAME => Some(&node.name),
        well_known::HOSTNAME => node.labels.get(key).or(Some(&node.name)),
        _ => node.labels.get(key),
    }
}

/// Notes the labels of a running node in the table.
pub(crate) fn push_labels(table: &mut LabelTable, node: &Node) {
    let keys: Vec<Arc<str>> = table.keys().cloned().collect();
    let states: Vec<u32> = keys
        .iter()
        .map(|key| label(node, key).map_or(0, |value| table.state(key, value)))
        .collect();
    table.push(&states);
}

/// Of running nodes that have the value of `kubernetes.io/hostname` in common, each with the first
/// of them: kube-scheduler counts by the value, so they are one domain.
pub(super) fn of_one_host(
    parts: &Parts,
    nodes: &IdVec<NodeId, Arc<RunningNode>>,
) -> Vec<(NodeId, NodeId)> {
    let host = |of: &RunningNode| label(parts.node(of.index), well_known::HOSTNAME);
    // Names are each node's own, and mostly the value.
    let is_named =
        |of: &RunningNode| host(of).is_none_or(|host| *host == parts.node(of.index).name);
    if nodes.values().all(|of| is_named(of)) {
        return Vec::new();
    }
    let mut firsts = BTreeMap::new();
    let others = nodes.iter().filter_map(|(id, of)| {
        let first = *firsts.entry(host(of)?).or_insert(id);
        (first != id).then_some((id, first))
    });
    others.collect()
}
