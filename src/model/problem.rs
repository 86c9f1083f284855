//! The problem: validated, sorted, frozen.

use super::{InstanceType, LabelSelector, Labels, Node, NodePool, Pod};
use std::sync::Arc;

/// Everything a decision rests on, validated, each list sorted by name.
///
/// A problem is made by [`Problem::builder`] or read from a document; either way every fault is
/// found at once. Two problems with the same content in another order are equal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Sorted by namespace, then name.
    pub(crate) pods: Vec<Pod>,
    pub(crate) instance_types: Vec<InstanceType>,
    pub(crate) node_pools: Vec<NodePool>,
    pub(crate) nodes: Vec<Node>,
    /// Sorted by namespace, then name.
    pub(crate) daemon_sets: Vec<Pod>,
    pub(crate) pod_disruption_budgets: Vec<PodDisruptionBudget>,
    pub(crate) namespaces: Vec<Namespace>,
}

/// A limit on how many pods of a set may be down at a time.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PodDisruptionBudget {
    /// The budget's name, unique in its namespace.
    pub name: Arc<str>,
    /// Whose pods it guards.
    pub namespace: Arc<str>,
    /// Which pods; `None` matches none.
    pub selector: Option<LabelSelector>,
    /// How many more may go down now.
    pub disruptions_allowed: u32,
}

/// A namespace and its labels, which `namespaceSelector` reads.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Namespace {
    /// The namespace's name.
    pub name: Arc<str>,
    /// Its labels; `kubernetes.io/metadata.name` is implied.
    pub labels: Labels,
}

/// Collects the parts of a [`Problem`].
#[derive(Clone, Debug, Default)]
pub struct ProblemBuilder {
    pub(crate) pods: Vec<Pod>,
    pub(crate) instance_types: Vec<InstanceType>,
    pub(crate) node_pools: Vec<NodePool>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) daemon_sets: Vec<Pod>,
    pub(crate) pod_disruption_budgets: Vec<PodDisruptionBudget>,
    pub(crate) namespaces: Vec<Namespace>,
}
