//! Running nodes, made dense: what is free on each, and which classes its pods keep away.

use super::bits::Bits;
use super::id::{IdVec, NodeId};
use super::label::LabelTable;
use super::port::Ports;
use super::resource::Dims;
use super::rule::NODE_NAME;
use super::volume::{VolumeKey, attach_daemons};
use crate::model::{Node, Pod, Problem, well_known};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A running node that can take pods.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    /// The index of the node in the problem.
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

/// The nodes that can take pods, in the order of their names, before daemons are held back.
pub(crate) fn running(
    problem: &Problem,
    dims: &Dims,
    ports: &Ports,
    shared: &BTreeSet<VolumeKey>,
) -> IdVec<NodeId, Running> {
    let bound = bound_pods(problem);
    let open = problem.nodes.iter().enumerate().filter(|(_, node)| !node.deleting);
    let described = open.map(|(index, node)| {
        let mut running = Running {
            index,
            free: dims.allocatable(node),
            ports: ports.none(),
            bound_ports: ports.none(),
            attached: BTreeSet::new(),
            occupied: false,
        };
        let mut slots: BTreeSet<(&Arc<str>, &Arc<str>)> = BTreeSet::new();
        for pod in bound.get(&node.name).into_iter().flatten() {
            take(&mut running.free, &dims.requests(pod), i64::from(pod.replicas));
            running.ports.or(&ports.used_by(pod).takes);
            running.occupied |= !owned_by_daemon_set(pod);
            for volume in &pod.volumes {
                let new = slots.insert((&volume.driver, &volume.id));
                if let Some(at) = dims.driver(&volume.driver).filter(|_| new) {
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
    });
    described.collect()
}

/// Holds back, on each node, what its daemons will ask for and don't yet.
pub(crate) fn hold_back_daemons(
    problem: &Problem,
    nodes: &mut IdVec<NodeId, Running>,
    daemons: &[Pod],
    runs: impl Fn(NodeId, usize) -> bool,
    dims: &Dims,
    ports: &Ports,
) {
    let bound = bound_pods(problem);
    let ids: Vec<NodeId> = nodes.ids().collect();
    for id in ids {
        let name = &problem.nodes[nodes[id].index].name;
        let mut wanted = vec![0_i64; dims.len()];
        let own = daemons.iter().enumerate().filter(|(number, _)| runs(id, *number));
        let own: Vec<&Pod> = own.map(|(_, daemon)| daemon).collect();
        for daemon in own.iter().copied() {
            take(&mut wanted, &dims.requests(daemon), -1);
            nodes[id].ports.or(&ports.used_by(daemon).takes);
        }
        for pod in bound.get(name).into_iter().flatten().filter(|pod| owned_by_daemon_set(pod)) {
            take(&mut wanted, &dims.requests(pod), i64::from(pod.replicas));
        }
        wanted.iter_mut().for_each(|amount| *amount = (*amount).max(0));
        take(&mut nodes[id].free, &wanted, 1);
        let running = &mut nodes[id];
        attach_daemons(own.into_iter(), dims, &mut running.free, &mut running.attached);
    }
}

fn bound_pods(problem: &Problem) -> BTreeMap<&Arc<str>, Vec<&Pod>> {
    let mut bound: BTreeMap<&Arc<str>, Vec<&Pod>> = BTreeMap::new();
    for pod in &problem.pods {
        if let Some(name) = &pod.node_name {
            bound.entry(name).or_default().push(pod);
        }
    }
    bound
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
pub(crate) fn pool_of<'p>(problem: &'p Problem, node: &Node) -> Option<&'p crate::model::NodePool> {
    let name = node.labels.get(well_known::NODE_POOL)?;
    let at = problem.node_pools.binary_search_by(|pool| pool.name.cmp(name)).ok()?;
    problem.node_pools.get(at)
}

/// Notes the labels of a running node in the table.
pub(crate) fn push_labels(table: &mut LabelTable, problem: &Problem, running: &Running) {
    let node = &problem.nodes[running.index];
    let keys: Vec<Arc<str>> = table.keys().cloned().collect();
    let states: Vec<u32> = keys
        .iter()
        .map(|key| {
            let value = match &**key {
                NODE_NAME => Some(&node.name),
                well_known::HOSTNAME => node.labels.get(key).or(Some(&node.name)),
                _ => node.labels.get(key),
            };
            value.map_or(0, |value| table.state(key, value))
        })
        .collect();
    table.push(&states);
}
