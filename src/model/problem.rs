//! The problem: validated, sorted, frozen.

use super::fault::Faults;
use super::list::List;
use super::{InstanceType, LabelSelector, Labels, Node, NodePool, Pod, normal, validate};
use crate::error::Error;
use std::sync::Arc;

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

/// A limit on how many pods of a set may be down at a time.
///
/// # Examples
/// ```
/// use plimsoll::Problem;
/// use plimsoll::model::{LabelSelector, PodDisruptionBudget};
///
/// // One more pod of "db" may go down.
/// let selector = LabelSelector::new().with_label("app", "db");
/// let budget = PodDisruptionBudget::new("db", selector, 1).with_namespace("data");
/// let problem = Problem::builder().pod_disruption_budget(budget).build()?;
/// assert_eq!(problem.pod_disruption_budgets()[0].disruptions_allowed, 1);
/// # Ok::<(), plimsoll::Error>(())
/// ```
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

impl Problem {
    /// A problem with nothing in it yet.
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
    #[must_use]
    pub fn instance_type(&self, name: &str) -> Option<&InstanceType> {
        let at = self.instance_types.binary_search_by(|one| (*one.name).cmp(name)).ok()?;
        self.instance_types.get(at)
    }

    /// The node pool of a name.
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

    /// Takes out the entries of pods of this name.
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

impl PodDisruptionBudget {
    /// A budget for the selected pods of the namespace "default", with so many disruptions left.
    #[must_use]
    pub fn new(
        name: impl Into<Arc<str>>,
        selector: LabelSelector,
        disruptions_allowed: u32,
    ) -> Self {
        Self {
            name: name.into(),
            namespace: "default".into(),
            selector: Some(selector),
            disruptions_allowed,
        }
    }

    /// Puts the budget in a namespace.
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<Arc<str>>) -> Self {
        self.namespace = namespace.into();
        self
    }
}

impl Namespace {
    /// A namespace without labels of its own.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), labels: Labels::new() }
    }

    /// Sets a label.
    #[must_use]
    pub fn with_label(mut self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        let _former = self.labels.insert(key, value);
        self
    }
}
