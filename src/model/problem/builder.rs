//! How a problem is made: its parts are collected, then checked and sorted at once.
//!
//! Adding never fails: a fault shows when the problem is built, with all others. Paths of faults
//! count parts in the order in which they were added, as a document's do.

use super::{Namespace, PodDisruptionBudget, Problem};
use crate::error::Error;
use crate::model::fault::Faults;
use crate::model::{InstanceType, Node, NodePool, Pod, normal, validate};

/// Collects the parts of a [`Problem`].
///
/// Lists of parts extend it, or make one; `pods` of a builder is a list of pods, not of daemon
/// sets.
///
/// # Examples
/// ```
/// use plimsoll::{InstanceType, NodePool, Offering, Pod, Problem, Resources};
///
/// let catalog = ["2", "4"].into_iter().map(|cpus| {
///     let capacity = Resources::parse([("cpu", cpus), ("pods", "29")])?;
///     let price = Offering::on_demand("eu-1a", "0.1".parse()?);
///     Ok(InstanceType::new(format!("m.{cpus}"), capacity).with_offering(price))
/// });
/// let catalog: Vec<_> = catalog.collect::<Result<_, Box<dyn std::error::Error>>>()?;
/// let problem = Problem::builder()
///     .pod(Pod::new("web").with_replicas(3))
///     .daemon_set(Pod::new("node-exporter").with_namespace("monitoring"))
///     .instance_types(catalog)
///     .node_pool(NodePool::new("default"))
///     .build()?;
/// assert!(problem.instance_type("m.4").is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A builder may hold anything; only [`build`](ProblemBuilder::build) says what is wrong with it.
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

impl ProblemBuilder {
    /// Adds a pod, pending or bound, or several identical ones.
    #[must_use]
    pub fn pod(mut self, pod: Pod) -> Self {
        self.pods.push(pod);
        self
    }

    /// Adds pods, in their order.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Pod, Problem};
    ///
    /// let pods = (0..3).map(|i| Pod::new(format!("job-{i}")));
    /// assert_eq!(Problem::builder().pods(pods).build()?.pods().len(), 3);
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    #[must_use]
    pub fn pods(mut self, pods: impl IntoIterator<Item = Pod>) -> Self {
        self.pods.extend(pods);
        self
    }

    /// Takes out the entries of pods of this name in this namespace.
    ///
    /// Both a single pod and a set of replicas of this name; nothing happens where there is
    /// neither.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Pod, Problem};
    ///
    /// let web = [Pod::new("web"), Pod::new("web").with_namespace("test")];
    /// let left = Problem::builder().pods(web).without_pod("test", "web").build()?;
    /// assert_eq!(left.pods(), [Pod::new("web")]);
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    #[must_use]
    pub fn without_pod(mut self, namespace: &str, name: &str) -> Self {
        self.pods.retain(|pod| &*pod.namespace != namespace || &*pod.name != name);
        self
    }

    /// Adds instance types, in their order.
    #[must_use]
    pub fn instance_types(mut self, types: impl IntoIterator<Item = InstanceType>) -> Self {
        self.instance_types.extend(types);
        self
    }

    /// Takes out the instance type of a name: to replace it, add another one then.
    #[must_use]
    pub fn without_instance_type(mut self, name: &str) -> Self {
        self.instance_types.retain(|one| &*one.name != name);
        self
    }

    /// Takes out the node pool of a name: to replace it, add another one then.
    #[must_use]
    pub fn without_node_pool(mut self, name: &str) -> Self {
        self.node_pools.retain(|one| &*one.name != name);
        self
    }

    /// Adds nodes, in their order.
    #[must_use]
    pub fn nodes(mut self, nodes: impl IntoIterator<Item = Node>) -> Self {
        self.nodes.extend(nodes);
        self
    }

    /// Takes out the node of a name; pods bound to it have to go too, or be bound elsewhere.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Node, Pod, Problem, Resources};
    ///
    /// let problem = Problem::builder()
    ///     .node(Node::new("n-1", Resources::parse([("pods", "9")])?))
    ///     .pod(Pod::new("web").with_node_name("n-1"))
    ///     .build()?;
    /// // The pod would be bound to nothing.
    /// assert!(problem.to_builder().without_node("n-1").build().is_err());
    /// let moved = problem.to_builder().without_node("n-1").replace_pod(Pod::new("web")).build()?;
    /// assert!(moved.nodes().is_empty() && moved.pods()[0].node_name().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn without_node(mut self, name: &str) -> Self {
        self.nodes.retain(|one| &*one.name != name);
        self
    }

    /// Adds node pools, in their order.
    #[must_use]
    pub fn node_pools(mut self, pools: impl IntoIterator<Item = NodePool>) -> Self {
        self.node_pools.extend(pools);
        self
    }

    /// Adds daemon sets, in their order.
    #[must_use]
    pub fn daemon_sets(mut self, daemon_sets: impl IntoIterator<Item = Pod>) -> Self {
        self.daemon_sets.extend(daemon_sets);
        self
    }

    /// Takes out the entries of pods of this pod's name, and adds it.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Pod, Problem};
    ///
    /// let problem = Problem::builder().pod(Pod::new("web")).build()?;
    /// let scaled = problem.to_builder().replace_pod(Pod::new("web").with_replicas(3)).build()?;
    /// assert_eq!(scaled.pods()[0].replicas(), 3);
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    #[must_use]
    pub fn replace_pod(self, pod: Pod) -> Self {
        let (namespace, name) = (pod.namespace.clone(), pod.name.clone());
        self.without_pod(&namespace, &name).pod(pod)
    }

    /// Takes out the instance type of this one's name, if there is one, and adds it.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{InstanceType, Offering, Problem, Resources};
    ///
    /// let capacity = Resources::parse([("pods", "9")])?;
    /// let at = |price: &str| -> Result<InstanceType, plimsoll::model::ParsePriceError> {
    ///     let offering = Offering::spot("a", price.parse()?);
    ///     Ok(InstanceType::new("m", capacity.clone()).with_offering(offering))
    /// };
    /// let problem = Problem::builder().instance_type(at("0.03")?).build()?;
    /// let later = problem.to_builder().replace_instance_type(at("0.04")?).build()?;
    /// assert_eq!(later.instance_types()[0].offerings()[0].price(), "0.04".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn replace_instance_type(self, instance_type: InstanceType) -> Self {
        let name = instance_type.name.clone();
        self.without_instance_type(&name).instance_type(instance_type)
    }

    /// Takes out the node pool of this one's name, if there is one, and adds it.
    #[must_use]
    pub fn replace_node_pool(self, node_pool: NodePool) -> Self {
        let name = node_pool.name.clone();
        self.without_node_pool(&name).node_pool(node_pool)
    }

    /// Takes out the node of this one's name, if there is one, and adds it: a node that has become
    /// ready, say.
    #[must_use]
    pub fn replace_node(self, node: Node) -> Self {
        let name = node.name.clone();
        self.without_node(&name).node(node)
    }

    /// Adds an instance type.
    #[must_use]
    pub fn instance_type(mut self, instance_type: InstanceType) -> Self {
        self.instance_types.push(instance_type);
        self
    }

    /// Adds a node pool.
    #[must_use]
    pub fn node_pool(mut self, node_pool: NodePool) -> Self {
        self.node_pools.push(node_pool);
        self
    }

    /// Adds a node.
    #[must_use]
    pub fn node(mut self, node: Node) -> Self {
        self.nodes.push(node);
        self
    }

    /// Adds a daemon set: the pod that it runs on every node that admits it.
    ///
    /// Its room is kept free on every node that it runs on, new or running.
    #[must_use]
    pub fn daemon_set(mut self, daemon_set: Pod) -> Self {
        self.daemon_sets.push(daemon_set);
        self
    }

    /// Adds a disruption budget.
    #[must_use]
    pub fn pod_disruption_budget(mut self, pod_disruption_budget: PodDisruptionBudget) -> Self {
        self.pod_disruption_budgets.push(pod_disruption_budget);
        self
    }

    /// Adds a namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.namespaces.push(namespace);
        self
    }

    /// The problem, validated and sorted.
    ///
    /// # Errors
    /// Every fault of the input, each with the path of its field, counted in the order in which the
    /// parts were added.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Pod, Problem};
    ///
    /// // Two faults, told together.
    /// let error = Problem::builder()
    ///     .pod(Pod::new("web").with_replicas(0))
    ///     .pod(Pod::new("a b"))
    ///     .build()
    ///     .unwrap_err();
    /// let paths: Vec<&str> = error.findings().iter().map(|one| one.path.as_str()).collect();
    /// assert_eq!(paths, ["pods[0].replicas", "pods[1].name"]);
    /// ```
    pub fn build(self) -> Result<Problem, Error> {
        self.build_after(Faults::default())
    }

    /// The problem, unless the document that the parts were read from had faults already.
    pub(crate) fn build_after(self, mut faults: Faults) -> Result<Problem, Error> {
        let pods_by_name = normal::pods_by_name(&self.pods);
        validate::check(&self, &pods_by_name, &mut faults);
        faults.name_items(|list, index| self.name_of(list, index));
        faults.into_result(&validate::LISTS)?;
        Ok(normal::problem(self, &pods_by_name))
    }

    /// What an item of a list of the document is called.
    fn name_of(&self, list: &str, index: usize) -> Option<String> {
        let pod = |pod: &Pod| match &*pod.name {
            "" => String::new(),
            name => format!("{}/{name}", pod.namespace),
        };
        match list {
            "pods" => self.pods.get(index).map(pod),
            "daemonSets" => self.daemon_sets.get(index).map(pod),
            "instanceTypes" => self.instance_types.get(index).map(|one| one.name.to_string()),
            "nodePools" => self.node_pools.get(index).map(|one| one.name.to_string()),
            "nodes" => self.nodes.get(index).map(|one| one.name.to_string()),
            "podDisruptionBudgets" => {
                let budget = self.pod_disruption_budgets.get(index)?;
                Some(format!("{}/{}", budget.namespace, budget.name))
            }
            "namespaces" => self.namespaces.get(index).map(|one| one.name.to_string()),
            _ => None,
        }
    }
}

/// Parts of one kind are added in their order; a builder can collect them.
macro_rules! extend {
    ($($part:ty: $list:ident),*) => {$(
        impl Extend<$part> for ProblemBuilder {
            fn extend<T: IntoIterator<Item = $part>>(&mut self, parts: T) {
                self.$list.extend(parts);
            }
        }

        impl FromIterator<$part> for ProblemBuilder {
            fn from_iter<T: IntoIterator<Item = $part>>(parts: T) -> Self {
                Self { $list: parts.into_iter().collect(), ..Self::default() }
            }
        }
    )*};
}

extend!(
    Pod: pods,
    InstanceType: instance_types,
    NodePool: node_pools,
    Node: nodes,
    PodDisruptionBudget: pod_disruption_budgets,
    Namespace: namespaces
);
