//! What-ifs: a problem that isn't quite the one that was compiled.
//!
//! *Problem.* A controller sees its cluster change by a few pods and nodes at a time, and asks
//! about things that haven't happened. Compiling ten thousand pods and a catalog of a thousand
//! types for each question costs more than answering it.
//!
//! *Idea.* A [`WhatIf`] is the compiled start and a list of what was changed. Asked for a plan it
//! compiles the changed parts and takes from the start what both have in common: pools, types,
//! offerings, eligibility. Where a change reaches into everything (a label that nobody asked for
//! before, say) it compiles the problem anew, and nobody notices but the clock.
//!
//! *Why it is right.* There is one law: the plan is that of the problem written out, byte for byte.
//! Tests draw changes at random and compare the two.
//!
//! *Cost.* About what the pods and nodes of the problem cost to be read once, and the plan.

use crate::error::Error;
use crate::history::OfferingHistory;
use crate::model::{CapacityType, Changed, Node, OfferingKey, Pod, Price, Problem, Quantity};
use crate::options::Options;
use crate::plan::LaunchPlan;
use crate::solver::{Solver, Start};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A problem with something changed in it, to be asked for a plan: what if this node weren't there,
/// what if that offering were sold out?
///
/// It is made by [`Solver::what_if`] and changed by its methods, one change on top of another. The
/// solver and its problem stay as they are. Clones are cheap and go their own ways, so that one
/// what-if can be the start of several; a change is undone by dropping the what-if that has it.
///
/// The plan of a what-if is, byte for byte, the plan of its problem written out anew:
/// `what_if.provision(options)` equals `provision(&what_if.problem(), options)`. A change that
/// makes no valid problem is an error, and the what-if that it was asked of is gone: keep a clone
/// where that matters.
///
/// # Examples
/// ```
/// use plimsoll::model::CapacityType;
/// use plimsoll::{InstanceType, Node, NodePool, Offering, Options, Pod, Problem, Resources};
/// use plimsoll::Solver;
///
/// let large = Resources::parse([("cpu", "4"), ("pods", "29")])?;
/// let web = |name: &str| -> Result<Pod, Box<dyn std::error::Error>> {
///     let requests = Resources::parse([("cpu", "1500m")])?;
///     Ok(Pod::new(name).with_owner_kind("ReplicaSet").with_requests(requests))
/// };
/// let problem = Problem::builder()
///     .instance_type(
///         InstanceType::new("m7.xlarge", large.clone())
///             .with_offering(Offering::on_demand("eu-1a", "0.2016".parse()?))
///             .with_offering(Offering::spot("eu-1a", "0.07".parse()?)),
///     )
///     .node_pool(NodePool::new("default"))
///     .node(Node::new("a", large.clone()))
///     .node(Node::new("b", large))
///     .pod(web("web-0")?.with_node_name("a"))
///     .pod(web("web-1")?.with_node_name("b"))
///     .build()?;
/// let solver = Solver::new(&problem)?;
/// let options = Options::default();
///
/// // Without node b its pod goes to node a, where there is room.
/// let emptied = solver.what_if().without_node("b")?;
/// let plan = emptied.provision(&options)?;
/// assert_eq!((plan.launches().len(), plan.bindings().len()), (0, 1));
///
/// // With a third pod there isn't, and with the spot offering sold out that costs more.
/// let busy = emptied.with_pod(web("web-2")?)?;
/// assert_eq!(busy.provision(&options)?.cost().total.to_string(), "0.07");
/// let scarce = busy.clone().without_offering("m7.xlarge", "eu-1a", CapacityType::Spot)?;
/// assert_eq!(scarce.provision(&options)?.cost().total.to_string(), "0.2016");
/// assert_eq!(scarce.problem().nodes().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct WhatIf {
    start: Arc<Start>,
    changed: Changed,
}

impl Solver {
    /// The solver's problem, to be changed.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Node, Options, Problem, Resources, Solver};
    ///
    /// let problem = Problem::builder().node(Node::new("a", Resources::new())).build()?;
    /// let solver = Solver::new(&problem)?;
    /// let what_if = solver.what_if();
    /// assert_eq!(what_if.problem(), problem);
    /// assert!(what_if.clone().without_node("b").is_err());
    /// assert!(what_if.without_node("a")?.problem().nodes().is_empty());
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    pub fn what_if(&self) -> WhatIf {
        let start = self.start();
        WhatIf { changed: Changed::new(start.origin.clone()), start }
    }
}

impl WhatIf {
    /// Takes a node away.
    ///
    /// Its pods become pending, with what they request once they are created anew
    /// ([`Pod::recreated_requests`]). Those of daemon sets and static pods (owners of the kinds
    /// `DaemonSet` and `Node`) go with the node.
    ///
    /// # Errors
    /// No node has this name.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Node, Pod, Problem, Resources, Solver};
    ///
    /// let room = Resources::parse([("cpu", "4"), ("pods", "29")])?;
    /// let web = Pod::new("web").with_owner_kind("ReplicaSet").with_node_name("n1");
    /// let problem = Problem::builder().node(Node::new("n1", room)).pod(web).build()?;
    /// let gone = Solver::new(&problem)?.what_if().without_node("n1")?.problem();
    /// // Its pod waits for a place.
    /// assert_eq!(gone.pods()[0].node_name(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn without_node(mut self, name: &str) -> Result<Self, Error> {
        self.changed.remove_node(name)?;
        Ok(self)
    }

    /// Adds a node that runs or is on its way.
    ///
    /// A launch that is under way is such a node: [`Node::with_initialized`] says that it hasn't
    /// started, and pending pods may be bound to it.
    ///
    /// # Errors
    /// A node has its name already, or the node is invalid.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Node, Problem, Resources, Solver};
    ///
    /// let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// let solver = Solver::new(&Problem::builder().build()?)?;
    /// let coming = solver.what_if().with_node(Node::new("n", room).with_initialized(false))?;
    /// assert_eq!(coming.problem().nodes().len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_node(mut self, node: Node) -> Result<Self, Error> {
        self.changed.add_node(node)?;
        Ok(self)
    }

    /// Adds a pod or a set of replicas, pending or bound to a node that is there.
    ///
    /// # Errors
    /// A pod has its name already, the pod is invalid, or there are too many pods.
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
    /// # use plimsoll::Solver;
    /// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
    /// # let large = InstanceType::new("m7.large", room).with_offering(price);
    /// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
    /// # let pool = NodePool::new("default").with_limits(Resources::parse([("nodes", "4")])?);
    /// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
    /// # let problem = problem.node_pool(pool).build()?;
    /// # let (solver, options) = (Solver::new(&problem)?, Options::default());
    /// let more = Pod::new("api").with_requests(Resources::parse([("cpu", "2")])?);
    /// let busier = solver.what_if().with_pod(more)?;
    /// assert_eq!(busier.provision(&options)?.launches().len(), 3);
    /// // A name is taken once.
    /// assert!(busier.with_pod(Pod::new("api")).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_pod(mut self, pod: Pod) -> Result<Self, Error> {
        self.changed.add_pod(pod)?;
        Ok(self)
    }

    /// Takes away a pod or a set of replicas, pending or bound; the name is that of the problem's
    /// entry, and not of one replica of a set.
    ///
    /// # Errors
    /// No pod has this name.
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
    /// # use plimsoll::Solver;
    /// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
    /// # let large = InstanceType::new("m7.large", room).with_offering(price);
    /// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
    /// # let pool = NodePool::new("default").with_limits(Resources::parse([("nodes", "4")])?);
    /// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
    /// # let problem = problem.node_pool(pool).build()?;
    /// # let (solver, options) = (Solver::new(&problem)?, Options::default());
    /// let nothing = solver.what_if().without_pod("default", "web")?;
    /// assert!(nothing.provision(&options)?.launches().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn without_pod(mut self, namespace: &str, name: &str) -> Result<Self, Error> {
        self.changed.remove_pod(namespace, name)?;
        Ok(self)
    }

    /// Has a pod or a set of replicas be so many identical pods, at least one.
    ///
    /// As in the problem itself a single pod has the name as it is, and replicas a number behind
    /// it.
    ///
    /// # Errors
    /// No pod has this name; a number of replicas that no pod may have; or a replica would have the
    /// name of another pod.
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
    /// # use plimsoll::Solver;
    /// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
    /// # let large = InstanceType::new("m7.large", room).with_offering(price);
    /// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
    /// # let pool = NodePool::new("default").with_limits(Resources::parse([("nodes", "4")])?);
    /// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
    /// # let problem = problem.node_pool(pool).build()?;
    /// # let (solver, options) = (Solver::new(&problem)?, Options::default());
    /// // What would twice as many cost?
    /// let twice = solver.what_if().with_replicas("default", "web", 6)?;
    /// assert_eq!(twice.provision(&options)?.cost().total.to_string(), "0.3");
    /// assert!(solver.what_if().with_replicas("default", "web", 0).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_replicas(
        mut self,
        namespace: &str,
        name: &str,
        replicas: u32,
    ) -> Result<Self, Error> {
        self.changed.set_replicas(namespace, name, replicas)?;
        Ok(self)
    }

    /// Has what a type offers in a zone for a capacity type be sold out.
    ///
    /// All offerings of this name are meant, whatever their further labels and reservations. They
    /// stay in the problem, marked as unavailable.
    ///
    /// # Errors
    /// There is no such offering.
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
    /// # use plimsoll::Solver;
    /// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
    /// # let large = InstanceType::new("m7.large", room).with_offering(price);
    /// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
    /// # let pool = NodePool::new("default").with_limits(Resources::parse([("nodes", "4")])?);
    /// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
    /// # let problem = problem.node_pool(pool).build()?;
    /// # let (solver, options) = (Solver::new(&problem)?, Options::default());
    /// use plimsoll::model::CapacityType;
    ///
    /// let way = ("m7.large", "eu-1a", CapacityType::OnDemand);
    /// let sold_out = solver.what_if().without_offering(way.0, way.1, way.2)?;
    /// let plan = sold_out.provision(&options)?;
    /// assert_eq!(plan.unschedulable()[0].reasons[0].code(), "unavailable");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn without_offering(
        mut self,
        instance_type: &str,
        zone: &str,
        capacity_type: CapacityType,
    ) -> Result<Self, Error> {
        let way = (instance_type, zone, capacity_type);
        self.changed.change_offerings(way, |offering| offering.available = false)?;
        Ok(self)
    }

    /// Has offerings be as a history lets expect at an instant: those that may not be asked for are
    /// sold out, and the others are interrupted as often as is expected
    /// ([`OfferingHistory::applied`]). It is to be asked once, after changes of offerings.
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
    /// # use plimsoll::Solver;
    /// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
    /// # let large = InstanceType::new("m7.large", room).with_offering(price);
    /// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
    /// # let pool = NodePool::new("default").with_limits(Resources::parse([("nodes", "4")])?);
    /// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
    /// # let problem = problem.node_pool(pool).build()?;
    /// # let (solver, options) = (Solver::new(&problem)?, Options::default());
    /// use plimsoll::history::{FailureScope, OfferingHistory};
    /// use plimsoll::model::{CapacityType, OfferingKey};
    ///
    /// let mut history = OfferingHistory::default();
    /// let key = OfferingKey::new("m7.large", "eu-1a", CapacityType::OnDemand);
    /// history.failed(&key, 1, FailureScope::Offering, 1_000);
    /// // A second after the failure it isn't asked for again.
    /// let plan = solver.what_if().with_history(&history, 1_001).provision(&options)?;
    /// assert_eq!(plan.unschedulable().len(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_history(mut self, history: &OfferingHistory, now: i64) -> Self {
        history.apply(&mut self.changed, now);
        self
    }

    /// Has what a type offers in a zone for a capacity type cost so much per hour.
    ///
    /// # Errors
    /// There is no such offering, or the price is out of range.
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
    /// # use plimsoll::Solver;
    /// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
    /// # let large = InstanceType::new("m7.large", room).with_offering(price);
    /// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
    /// # let pool = NodePool::new("default").with_limits(Resources::parse([("nodes", "4")])?);
    /// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
    /// # let problem = problem.node_pool(pool).build()?;
    /// # let (solver, options) = (Solver::new(&problem)?, Options::default());
    /// use plimsoll::model::CapacityType;
    ///
    /// let (zone, way) = ("eu-1a", CapacityType::OnDemand);
    /// let dearer = solver.what_if().with_price("m7.large", zone, way, "0.30".parse()?)?;
    /// assert_eq!(dearer.provision(&options)?.cost().total.to_string(), "0.6");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_price(
        mut self,
        instance_type: &str,
        zone: &str,
        capacity_type: CapacityType,
        price: Price,
    ) -> Result<Self, Error> {
        self.changed.set_price((instance_type, zone, capacity_type), price)?;
        Ok(self)
    }

    /// Has a node pool be limited to so much of a resource, or to so many `nodes`.
    ///
    /// The whole of what the pool may have is meant, running nodes included.
    ///
    /// # Errors
    /// No pool has this name, the resource's name is invalid, or the pool may not have the limit.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{NodePool, Problem, Solver};
    ///
    /// let problem = Problem::builder().node_pool(NodePool::new("default")).build()?;
    /// let wider = Solver::new(&problem)?.what_if().with_limit("default", "nodes", "3".parse()?)?;
    /// let limits = wider.problem().node_pool("default").map(|pool| pool.limits().clone());
    /// assert_eq!(limits.and_then(|limits| limits.get("nodes")), Some("3".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_limit(
        mut self,
        node_pool: &str,
        resource: &str,
        most: Quantity,
    ) -> Result<Self, Error> {
        self.changed.set_limit(node_pool, resource, Some(most))?;
        Ok(self)
    }

    /// Has a node pool not be limited in a resource.
    ///
    /// A limit that isn't there is none to take away, and no error.
    ///
    /// # Errors
    /// No pool has this name.
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
    /// # use plimsoll::Solver;
    /// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
    /// # let large = InstanceType::new("m7.large", room).with_offering(price);
    /// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
    /// # let pool = NodePool::new("default").with_limits(Resources::parse([("nodes", "4")])?);
    /// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
    /// # let problem = problem.node_pool(pool).build()?;
    /// # let (solver, options) = (Solver::new(&problem)?, Options::default());
    /// let free = solver.what_if().without_limit("default", "nodes")?.problem();
    /// assert!(free.node_pools()[0].limits().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn without_limit(mut self, node_pool: &str, resource: &str) -> Result<Self, Error> {
        self.changed.set_limit(node_pool, resource, None)?;
        Ok(self)
    }

    /// Has a reservation hold so many more nodes.
    ///
    /// Every offering that draws on it says the same number then. It counts nodes that can still be
    /// launched, not those that run on it.
    ///
    /// # Errors
    /// No offering draws on a reservation of this id.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{InstanceType, Offering, Problem, Resources, Solver};
    ///
    /// let offering = Offering::reserved("eu-1a", "0".parse()?).with_reservation("cr-1", 0);
    /// let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// let large = InstanceType::new("m7.large", room);
    /// let problem = Problem::builder().instance_type(large.with_offering(offering)).build()?;
    /// let solver = Solver::new(&problem)?;
    /// assert_ne!(solver.what_if().with_reservation("cr-1", 5)?.problem(), problem);
    /// assert!(solver.what_if().with_reservation("cr-2", 5).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_reservation(mut self, id: &str, remaining: u32) -> Result<Self, Error> {
        self.changed.set_reservation(id, remaining)?;
        Ok(self)
    }

    /// Has reservations hold so many nodes less.
    ///
    /// It is how a contingency accounts for what succeeded: these nodes stand, and what they drew
    /// is gone.
    pub(crate) fn with_draws(mut self, drawn: &BTreeMap<&Arc<str>, u32>) -> Self {
        self.changed.change_each_offering(|_, offering| {
            if let Some(own) = &mut offering.reservation
                && let Some(drawn) = drawn.get(&own.id)
            {
                own.remaining = own.remaining.saturating_sub(*drawn);
            }
        });
        self
    }

    /// Has what is called so be sold out.
    ///
    /// Unlike [`WhatIf::without_offering`] it means one offering, with its reservation, and is no
    /// error where there is none.
    pub(crate) fn without(mut self, key: &OfferingKey) -> Self {
        self.changed.change_each_offering(|of_type, offering| {
            offering.available &= OfferingKey::of(&of_type.name, offering) != *key;
        });
        self
    }

    /// A plan for the pods that are pending now: that of [`WhatIf::problem`], byte for byte.
    ///
    /// Options may differ from call to call. With a price of interruptions everything is compiled
    /// anew, because these change what offerings cost to the search.
    ///
    /// # Errors
    /// As [`Solver::new`] and [`Solver::provision`].
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
    /// # use plimsoll::Solver;
    /// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
    /// # let large = InstanceType::new("m7.large", room).with_offering(price);
    /// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
    /// # let pool = NodePool::new("default").with_limits(Resources::parse([("nodes", "4")])?);
    /// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
    /// # let problem = problem.node_pool(pool).build()?;
    /// # let (solver, options) = (Solver::new(&problem)?, Options::default());
    /// let what_if = solver.what_if().with_replicas("default", "web", 5)?;
    /// let plan = what_if.provision(&options)?;
    /// assert_eq!(plan, plimsoll::provision(&what_if.problem(), &options)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn provision(&self, options: &Options) -> Result<LaunchPlan, Error> {
        // What interruptions count for is in what offers cost, so these are compiled anew.
        let cluster = self.start.cluster.as_ref();
        let cluster = cluster.filter(|_| options.objective.interruption == Price::ZERO);
        match cluster.and_then(|cluster| cluster.compile(&self.changed)) {
            Some(compiled) => Solver::of(Arc::new(compiled)).provision(options),
            None => Solver::new(&self.problem())?.provision(options),
        }
    }

    /// The problem written out, with all changes in it.
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
    /// # use plimsoll::Solver;
    /// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
    /// # let large = InstanceType::new("m7.large", room).with_offering(price);
    /// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
    /// # let pool = NodePool::new("default").with_limits(Resources::parse([("nodes", "4")])?);
    /// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
    /// # let problem = problem.node_pool(pool).build()?;
    /// # let (solver, options) = (Solver::new(&problem)?, Options::default());
    /// assert_eq!(solver.what_if().problem(), problem);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn problem(&self) -> Problem {
        self.changed.problem()
    }
}

#[cfg(test)]
mod tests {
    use super::WhatIf;

    #[test]
    fn a_what_if_is_owned_shared_and_sent() {
        fn check<T: Clone + Send + Sync + 'static>() {}
        check::<WhatIf>();
    }
}
