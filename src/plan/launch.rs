//! Where a plan puts pods: on nodes to create, on nodes of the problem, or nowhere.

use super::LaunchTemplate;
use crate::explain::Reason;
use crate::model::Resources;
use std::sync::Arc;

/// One node to create. Launches alike but for their pods share one [`LaunchTemplate`].
///
/// # Examples
/// ```
/// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
/// # let small = InstanceType::new("m.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
/// #     .with_offering(Offering::on_demand("eu-1a", "0.1".parse()?))
/// #     .with_offering(Offering::spot("eu-1b", "0.03".parse()?));
/// # let pods = Pod::new("web").with_replicas(3).with_requests(Resources::parse([("cpu", "900m")])?);
/// # let huge = Pod::new("huge").with_requests(Resources::parse([("cpu", "64")])?);
/// # let problem = Problem::builder()
/// #     .pods([pods, huge])
/// #     .instance_type(small)
/// #     .node_pool(NodePool::new("default"))
/// #     .build()?;
/// # let plan = provision(&problem, &Options::default())?;
/// // One node holds two of the three pods.
/// let launch = plan.launches().iter().find(|launch| launch.pods().len() == 2).ok_or("none")?;
/// assert_eq!(launch.requests().get("cpu"), Some("1800m".parse()?));
/// // How full the node will be.
/// let has = launch.template().capacity.get("cpu");
/// assert_eq!(has, Some("2".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Launch {
    pub(crate) template: Arc<LaunchTemplate>,
    /// "namespace/name" of the pods that go there, sorted.
    pub(crate) pods: Vec<Arc<str>>,
    pub(crate) requests: Arc<Resources>,
}

/// A pod placed on a node of the problem.
///
/// The node may still be starting: a controller that binds pods itself waits until it is ready, and
/// one that leaves that to kube-scheduler does nothing.
///
/// # Examples
/// ```
/// use plimsoll::{Node, NodePool, Options, Pod, Problem, Resources, provision};
///
/// let room = Resources::parse([("cpu", "4"), ("pods", "29")])?;
/// let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
/// let problem = Problem::builder().pod(web).node(Node::new("n1", room)).build()?;
/// let plan = provision(&problem, &Options::default())?;
/// // Room that is paid for already comes first.
/// assert!(plan.launches().is_empty());
/// assert_eq!((&*plan.bindings()[0].pod, &*plan.bindings()[0].node), ("default/web", "n1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Binding {
    /// "namespace/name".
    pub pod: Arc<str>,
    /// The node's name.
    pub node: Arc<str>,
}

/// A pod with no place, and why.
///
/// # Examples
/// ```
/// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
/// # let small = InstanceType::new("m.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
/// #     .with_offering(Offering::on_demand("eu-1a", "0.1".parse()?))
/// #     .with_offering(Offering::spot("eu-1b", "0.03".parse()?));
/// # let pods = Pod::new("web").with_replicas(3).with_requests(Resources::parse([("cpu", "900m")])?);
/// # let huge = Pod::new("huge").with_requests(Resources::parse([("cpu", "64")])?);
/// # let problem = Problem::builder()
/// #     .pods([pods, huge])
/// #     .instance_type(small)
/// #     .node_pool(NodePool::new("default"))
/// #     .build()?;
/// # let plan = provision(&problem, &Options::default())?;
/// use plimsoll::explain::Cause;
///
/// for waiting in plan.unschedulable() {
///     let reason = &waiting.reasons[0];
///     assert_eq!(reason.code(), "resource");
///     assert!(matches!(reason.cause(), Some(Cause::Resource { .. })));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Unschedulable {
    /// "namespace/name".
    pub pod: Arc<str>,
    /// Why, shared by all pods of the same kind; never empty.
    pub reasons: Arc<[Reason]>,
}

impl Launch {
    /// What the node is like.
    ///
    /// Launches that share it are equal but for their pods; comparing the references of two
    /// launches is cheap, comparing what they refer to is exact.
    #[must_use]
    pub fn template(&self) -> &LaunchTemplate {
        &self.template
    }

    /// The sum of the requests of its pods and of the daemons it runs, `pods` included.
    ///
    /// Requests only: what pods may use beyond them, up to their limits, plays no part, as in
    /// kube-scheduler. Beside [`LaunchTemplate::capacity`] it says how full the node will be;
    /// [`Launch::fullness`] takes the overhead off.
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
    /// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
    /// # let large = InstanceType::new("m7.large", room).with_offering(price);
    /// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
    /// # let pool = NodePool::new("default");
    /// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
    /// # let problem = problem.node_pool(pool).build()?;
    /// # let plan = plimsoll::provision(&problem, &Options::default())?;
    /// let full = plan.launches().iter().find(|launch| launch.pods().len() == 2).ok_or("none")?;
    /// assert_eq!(full.requests().get("cpu"), Some("2".parse()?));
    /// assert_eq!(full.requests().get("pods"), Some("2".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn requests(&self) -> &Resources {
        &self.requests
    }

    /// "namespace/name" of the pods that go there, sorted.
    ///
    /// Pods of daemon sets aren't named: they come with the node. [`Launch::pod_refs`] takes the
    /// names apart.
    #[must_use]
    pub fn pods(&self) -> &[Arc<str>] {
        &self.pods
    }
}
