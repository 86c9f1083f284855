//! The parts of a problem by their places in its lists, those that a what-if has changed among
//! them.
//!
//! Compilation reads a problem through this type alone. For a fresh problem it is the problem; for
//! a what-if it is the problem as it was given with some parts exchanged, so that what was compiled
//! of the others stays valid: their places are the same. A changed pod or node isn't put in the
//! place of the former one but behind the end of the list, and the caller of a compile says which
//! places count.

use super::changed::Changed;
use super::{InstanceType, Node, NodePool, Pod, Problem};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The parts of a problem. A place is that in a list of the problem as it was given; places behind
/// the end of a list are those of pods and nodes that are other than given, or new.
///
/// Types and pools can only be exchanged, never added or removed, so their places are always those
/// of the given problem.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    given: Problem,
    pods: Vec<Arc<Pod>>,
    nodes: Vec<Arc<Node>>,
    instance_types: BTreeMap<usize, Arc<InstanceType>>,
    node_pools: BTreeMap<usize, Arc<NodePool>>,
}

impl Parts {
    /// A problem as it is.
    pub(crate) fn of(problem: &Problem) -> Self {
        Self {
            given: problem.clone(),
            pods: Vec::new(),
            nodes: Vec::new(),
            instance_types: BTreeMap::new(),
            node_pools: BTreeMap::new(),
        }
    }

    /// A problem with changes: new pods and nodes are in the order of their names.
    ///
    /// A part that is gone simply has no place any more.
    pub(crate) fn changed(changed: &Changed) -> Self {
        let changes = &changed.changes;
        Self {
            given: changed.origin.problem.clone(),
            pods: changes.pods.values().flatten().cloned().collect(),
            nodes: changes.nodes.values().flatten().cloned().collect(),
            instance_types: changes.instance_types.clone(),
            node_pools: changes.node_pools.clone(),
        }
    }

    /// The problem as it was given.
    pub(crate) fn given(&self) -> &Problem {
        &self.given
    }

    /// The pod or set of replicas at a place.
    pub(crate) fn pod(&self, place: usize) -> &Pod {
        match place.checked_sub(self.given.pods.len()) {
            None => &self.given.pods[place],
            Some(new) => &self.pods[new],
        }
    }

    /// The node at a place.
    pub(crate) fn node(&self, place: usize) -> &Node {
        match place.checked_sub(self.given.nodes.len()) {
            None => &self.given.nodes[place],
            Some(new) => &self.nodes[new],
        }
    }

    /// The instance type at a place.
    pub(crate) fn instance_type(&self, place: usize) -> &InstanceType {
        match self.instance_types.is_empty() {
            true => &self.given.instance_types[place],
            false => {
                let changed = self.instance_types.get(&place);
                changed.map_or(&self.given.instance_types[place], |of_type| of_type)
            }
        }
    }

    /// The instance types, in their order.
    pub(crate) fn instance_types(&self) -> impl Iterator<Item = &InstanceType> + Clone {
        (0..self.given.instance_types.len()).map(|place| self.instance_type(place))
    }

    /// The node pool at a place.
    pub(crate) fn node_pool(&self, place: usize) -> &NodePool {
        self.node_pools.get(&place).map_or(&self.given.node_pools[place], |pool| pool)
    }

    /// The node pools, in their order.
    pub(crate) fn node_pools(&self) -> impl Iterator<Item = &NodePool> + Clone {
        (0..self.given.node_pools.len()).map(|place| self.node_pool(place))
    }

    /// The daemon sets, none of which changes.
    pub(crate) fn daemon_sets(&self) -> &[Pod] {
        &self.given.daemon_sets
    }
}
