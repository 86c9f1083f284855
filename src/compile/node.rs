//! Running nodes, made dense: what is free on each, and which classes its pods keep away.
//!
//! What is free on a node is its allocatable less what its bound pods request, less what daemon
//! sets that will run there still lack. The latter is a matter of sums, not of pods: daemons that
//! are bound are counted by amounts, and where they ask for as much as the sets do nothing more is
//! held back.

use super::id::{IdVec, NodeId};
use super::label::LabelTable;
use super::node_use::{BoundUse, NodeUse, UseVocabulary};
use super::resource::Dims;
use super::rule::NODE_NAME;
use crate::model::{Node, NodePool, Parts, Pod, well_known};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A running node that can take pods.
///
/// Nodes that are being deleted aren't among these: they take nothing.
#[derive(Clone, Debug)]
pub(crate) struct RunningNode {
    /// The place of the node in the problem.
    pub(crate) index: usize,
    /// What is free; below zero where the node is over-full.
    pub(crate) free: Vec<i64>,
    /// What its pods use, and daemons, those still to come among them.
    pub(crate) used: NodeUse,
    /// The same, but that daemons still to come bar nobody.
    pub(crate) bound_use: NodeUse,
    /// Whether pods run there that no daemon set owns.
    pub(crate) occupied: bool,
}

impl RunningNode {
    /// The same with what it has counted in these resources, which are at these places of the
    /// vectors that it was counted in before.
    pub(crate) fn counted_in(&self, dims: &Dims, places: &[usize]) -> Self {
        Self {
            index: self.index,
            free: places.iter().map(|at| self.free[*at]).collect(),
            used: self.used.counted_in(dims),
            bound_use: self.bound_use.counted_in(dims),
            occupied: self.occupied,
        }
    }
}

/// What a node's capacity is counted in.
///
/// Both come from the pods of the problem, so what nobody asks for isn't counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counting<'a> {
    pub(super) dims: &'a Dims,
    pub(super) uses: &'a UseVocabulary,
}

impl Counting<'_> {
    /// A node with the pods that are bound to it; what its daemons will ask for and don't yet is
    /// held back.
    pub(crate) fn running<'p>(
        &self,
        place: usize,
        node: &Node,
        daemons: impl Iterator<Item = &'p Pod> + Clone,
        bound: impl Iterator<Item = &'p Pod>,
    ) -> RunningNode {
        let Self { dims, uses } = *self;
        let (mut free, mut occupied) = (dims.allocatable(node), false);
        let mut wanted = vec![0_i64; dims.len()];
        daemons.clone().for_each(|daemon| take(&mut wanted, &dims.requests(daemon), -1));
        let mut bound_use = BoundUse::new(uses);
        for pod in bound {
            let (request, replicas) = (dims.requests(pod), i64::from(pod.replicas));
            take(&mut free, &request, replicas);
            bound_use.add(pod, dims, &mut free);
            match owned_by_daemon_set(pod) {
                true => take(&mut wanted, &request, replicas),
                false => occupied = true,
            }
        }
        wanted.iter_mut().for_each(|amount| *amount = (*amount).max(0));
        take(&mut free, &wanted, 1);
        let bound_use = bound_use.used();
        let mut used = bound_use.clone();
        uses.add_daemons(&mut used, daemons, dims, &mut free);
        let bound_use = used.barring_as(&bound_use);
        RunningNode { index: place, free, used, bound_use, occupied }
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
///
/// They take no pods and count towards limits; what would be free tells reasons why a pod waits.
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
///
/// The host's name is the node's own where no label says it.
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
///
/// Anti-affinity over hosts then keeps pods off all but the first of them, and spreads count them
/// as one.
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
