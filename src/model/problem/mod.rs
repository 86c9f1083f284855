//! The problem: validated, sorted, frozen.
//!
//! Everything that plans a problem relies on its being checked and in one form, so there is no way
//! to make one but by [`ProblemBuilder::build`] and the readers, which end in it.

mod builder;
mod disruption_budget;
mod namespace;

use super::list::List;
use super::{InstanceType, Node, NodePool, Pod};
pub use builder::ProblemBuilder;
pub use disruption_budget::PodDisruptionBudget;
pub use namespace::Namespace;

/// Everything a decision rests on, validated, each list sorted by name.
///
/// A problem is made by [`Problem::builder`] or read from a document; either way every fault is
/// found at once. Two problems with the same content in another order are equal.
///
/// # Examples
/// ```
/// use plimsoll::{Node, Pod, Problem, Resources};
///
/// let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
/// let problem = Problem::builder()
///     .node(Node::new("n-1", room))
///     .pod(Pod::new("web-0").with_node_name("n-1"))
///     .pod(Pod::new("web-1"))
///     .build()?;
/// let pending = problem.pods().iter().filter(|pod| pod.node_name().is_none());
/// assert_eq!(pending.count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Sorted by namespace, then name, a single pod before a set of replicas that is called the
    /// same.
    pub(crate) pods: List<Pod>,
    pub(crate) instance_types: List<InstanceType>,
    pub(crate) node_pools: List<NodePool>,
    pub(crate) nodes: List<Node>,
    /// Sorted by namespace, then name.
    pub(crate) daemon_sets: List<Pod>,
    pub(crate) pod_disruption_budgets: List<PodDisruptionBudget>,
    pub(crate) namespaces: List<Namespace>,
}

impl Problem {
    /// A problem with nothing in it yet.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Problem;
    ///
    /// assert!(Problem::builder().build()?.pods().is_empty());
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    #[must_use]
    pub fn builder() -> ProblemBuilder {
        ProblemBuilder::default()
    }

    /// A copy of the parts of the problem, to be changed and built again.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Pod, Problem};
    ///
    /// let problem = Problem::builder().pod(Pod::new("web")).pod(Pod::new("db")).build()?;
    /// let grown =
    ///     problem.to_builder().without_pod("default", "web").pod(Pod::new("cache")).build()?;
    /// let names: Vec<&str> = grown.pods().iter().map(Pod::name).collect();
    /// assert_eq!(names, ["cache", "db"]);
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    ///
    /// To ask what would be if, [`WhatIf`](crate::WhatIf) is the shorter and the faster way.
    #[must_use]
    pub fn to_builder(&self) -> ProblemBuilder {
        ProblemBuilder {
            pods: self.pods.to_vec(),
            instance_types: self.instance_types.to_vec(),
            node_pools: self.node_pools.to_vec(),
            nodes: self.nodes.to_vec(),
            daemon_sets: self.daemon_sets.to_vec(),
            pod_disruption_budgets: self.pod_disruption_budgets.to_vec(),
            namespaces: self.namespaces.to_vec(),
        }
    }

    /// The entry of a pod: a single one of this name, or the set of replicas that is called so.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Pod, Problem};
    ///
    /// let problem = Problem::builder().pod(Pod::new("web").with_replicas(3)).build()?;
    /// assert_eq!(problem.pod("default", "web").map(Pod::replicas), Some(3));
    /// assert!(problem.pod("default", "db").is_none());
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    #[must_use]
    pub fn pod(&self, namespace: &str, name: &str) -> Option<&Pod> {
        let of = |pod: &Pod| (&*pod.namespace, &*pod.name).cmp(&(namespace, name));
        self.pods.binary_search_by(of).ok().map(|at| &self.pods[at])
    }

    /// The instance type of a name.
    ///
    /// By binary search, as the other look-ups.
    #[must_use]
    pub fn instance_type(&self, name: &str) -> Option<&InstanceType> {
        let at = self.instance_types.binary_search_by(|one| (*one.name).cmp(name)).ok()?;
        self.instance_types.get(at)
    }

    /// The node pool of a name.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{NodePool, Problem};
    ///
    /// let problem = Problem::builder().node_pool(NodePool::new("spot").with_weight(10)).build()?;
    /// assert_eq!(problem.node_pool("spot").map(NodePool::weight), Some(10));
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    #[must_use]
    pub fn node_pool(&self, name: &str) -> Option<&NodePool> {
        let at = self.node_pools.binary_search_by(|one| (*one.name).cmp(name)).ok()?;
        self.node_pools.get(at)
    }

    /// The node of a name.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Node, Problem, Resources};
    ///
    /// let node = Node::new("n-1", Resources::parse([("cpu", "2"), ("pods", "29")])?);
    /// let problem = Problem::builder().node(node).build()?;
    /// assert!(problem.node("n-1").is_some() && problem.node("n-2").is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&Node> {
        let at = self.nodes.binary_search_by(|one| (*one.name).cmp(name)).ok()?;
        self.nodes.get(at)
    }

    /// Pending pods and pods bound to nodes, by namespace and name.
    ///
    /// Of one name a single pod comes before a set of replicas.
    #[must_use]
    pub fn pods(&self) -> &[Pod] {
        &self.pods
    }

    /// What can be bought, by name.
    #[must_use]
    pub fn instance_types(&self) -> &[InstanceType] {
        &self.instance_types
    }

    /// Who may buy it, by name.
    #[must_use]
    pub fn node_pools(&self) -> &[NodePool] {
        &self.node_pools
    }

    /// What runs already or is on its way, by name.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The pods that run on every node that admits them, by namespace and name.
    #[must_use]
    pub fn daemon_sets(&self) -> &[Pod] {
        &self.daemon_sets
    }

    /// The disruption budgets, by namespace and name.
    #[must_use]
    pub fn pod_disruption_budgets(&self) -> &[PodDisruptionBudget] {
        &self.pod_disruption_budgets
    }

    /// The namespaces with their labels, by name.
    #[must_use]
    pub fn namespaces(&self) -> &[Namespace] {
        &self.namespaces
    }
}
