//! Nodes that run already or are on their way.
//!
//! A node is said by what Kubernetes' object says of it (name, labels, taints, allocatable) and by
//! what a controller knows besides: what it costs, and in which state of its life it is.
//!
//! | state | takes pending pods | takes pods that move | may be consolidated |
//! |---|---|---|---|
//! | ready, quiet | yes | yes | yes |
//! | starting: [`with_initialized`](Node::with_initialized) `false` | yes | no, where it has a pool | no |
//! | not settled: [`with_consolidatable`](Node::with_consolidatable) `false` | yes | yes | for drift or expiry |
//! | [`with_nominated`](Node::with_nominated) | yes | no | no |
//! | [`with_drifted`](Node::with_drifted), or no lifetime left | yes | no | yes, even where it costs more |
//! | [`with_do_not_disrupt`](Node::with_do_not_disrupt) | yes | yes | no |
//! | [`with_deleting`](Node::with_deleting) | no | no | no: it is going already |

use super::{Labels, Price, Resources, Taint};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Capacity that already runs, or is on its way.
///
/// # Examples
/// ```
/// use plimsoll::model::{Effect, Taint};
/// use plimsoll::{Node, Resources};
///
/// // A launch of ours that hasn't registered yet.
/// let node = Node::new("n-1", Resources::parse([("cpu", "3920m"), ("pods", "58")])?)
///     .with_label("karpenter.sh/nodepool", "default")
///     .with_label("topology.kubernetes.io/zone", "us-east-1a")
///     .with_taint(Taint::new("dedicated", "batch", Effect::NoSchedule))
///     .with_initialized(false);
/// assert_eq!((node.taints().len(), node.initialized()), (1, false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What runs on it isn't stated here: each bound pod names its node
/// ([`Pod::with_node_name`](crate::Pod::with_node_name)). Daemon sets' pods that run already are
/// among those; what a daemon set still lacks on the node is kept free for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Node {
    pub(crate) name: Arc<str>,
    /// Under current keys in a built problem.
    pub(crate) labels: Labels,
    pub(crate) taints: Vec<Taint>,
    pub(crate) allocatable: Resources,
    /// `None`: the price of the offering that type, zone and capacity type name.
    pub(crate) price: Option<Price>,
    pub(crate) initialized: bool,
    pub(crate) consolidatable: bool,
    pub(crate) deleting: bool,
    pub(crate) nominated: bool,
    pub(crate) do_not_disrupt: bool,
    pub(crate) drifted: bool,
    /// Share of `expireAfter` still left, in billionths.
    pub(crate) lifetime_remaining: u32,
    /// By driver; of those that aren't named any number.
    pub(crate) volume_limits: BTreeMap<Arc<str>, u32>,
}

/// All of a node's lifetime, in billionths.
pub(crate) const WHOLE_LIFETIME: u32 = 1_000_000_000;

impl Node {
    /// An initialized, quiet node whose price is that of its labels' offering.
    ///
    /// `allocatable` is what its pods can have in all, those that run there and the daemon sets'
    /// among them: `status.allocatable` of the Kubernetes object. A resource that isn't named there
    /// is none of. Kubernetes counts `pods` as one, so without it nothing fits.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Node, Resources};
    ///
    /// let node = Node::new("n-1", Resources::parse([("cpu", "1930m"), ("pods", "29")])?);
    /// assert!(node.initialized() && node.consolidatable() && !node.deleting());
    /// assert_eq!(node.lifetime_remaining(), 1_000_000_000);
    /// # Ok::<(), plimsoll::model::ParseResourcesError>(())
    /// ```
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, allocatable: Resources) -> Self {
        Self {
            name: name.into(),
            labels: Labels::new(),
            taints: Vec::new(),
            allocatable,
            price: None,
            initialized: true,
            consolidatable: true,
            deleting: false,
            nominated: false,
            do_not_disrupt: false,
            drifted: false,
            lifetime_remaining: WHOLE_LIFETIME,
            volume_limits: BTreeMap::new(),
        }
    }

    /// Sets a label, in the place of one with this key.
    ///
    /// Four of them say what the node is: `karpenter.sh/nodepool` whose it is, so that its capacity
    /// counts towards that pool's limits and the pool's disruption rules hold; with
    /// `node.kubernetes.io/instance-type`, `topology.kubernetes.io/zone` and
    /// `karpenter.sh/capacity-type` the offering is known, and with it the price. A node without a
    /// pool takes pods, and is never deleted.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::{CapacityType, well_known};
    /// use plimsoll::{Node, Resources};
    ///
    /// let node = Node::new("n-1", Resources::parse([("cpu", "1930m"), ("pods", "29")])?)
    ///     .with_label(well_known::NODE_POOL, "default")
    ///     .with_label(well_known::INSTANCE_TYPE, "m7i.large")
    ///     .with_label(well_known::ZONE, "us-east-1a")
    ///     .with_label(well_known::CAPACITY_TYPE, CapacityType::OnDemand);
    /// assert_eq!(node.labels().len(), 4);
    /// # Ok::<(), plimsoll::model::ParseResourcesError>(())
    /// ```
    #[must_use]
    pub fn with_label(mut self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        let _former = self.labels.insert(key, value);
        self
    }

    /// Adds a taint.
    ///
    /// While the node starts ([`Node::with_initialized`] of `false`), startup taints of its pool
    /// and those that every new node has (`node.kubernetes.io/not-ready` among them) keep nobody
    /// away.
    ///
    /// `node.kubernetes.io/unschedulable` is among the taints where the node is cordoned.
    #[must_use]
    pub fn with_taint(mut self, taint: Taint) -> Self {
        self.taints.push(taint);
        self
    }

    /// States what it costs per hour, where that isn't the price of the offering that its labels
    /// name.
    ///
    /// Only consolidation reads it: what a node that is deleted saves. Of a node whose price nobody
    /// knows nothing is known to be saved, so it is deleted when it is empty or its pods fit
    /// elsewhere, and never replaced for money.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Node, Resources};
    ///
    /// // Bought when the market was dearer.
    /// let room = Resources::parse([("pods", "29")])?;
    /// let node = Node::new("n-1", room).with_price("0.05".parse()?);
    /// assert_eq!(node.price().map(|price| price.to_string()).as_deref(), Some("0.05"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_price(mut self, price: Price) -> Self {
        self.price = Some(price);
        self
    }

    /// Says whether it has finished starting; it has unless this says otherwise.
    ///
    /// A node on its way takes pending pods like any other, so that nothing is launched twice. It
    /// isn't deleted, and no running pod is moved to it. A controller takes it from the NodeClaim's
    /// condition `Initialized`, or says `false` of what it has launched and not seen yet.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{InstanceType, Node, NodePool, Offering, Options, Pod, Problem, Resources};
    ///
    /// // Launched a moment ago for this pod: nothing is launched for it again.
    /// let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// let offering = Offering::on_demand("a", "0.1".parse()?);
    /// let problem = Problem::builder()
    ///     .pod(Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?))
    ///     .node(Node::new("n-1", room.clone()).with_initialized(false))
    ///     .instance_type(InstanceType::new("m", room).with_offering(offering))
    ///     .node_pool(NodePool::new("default"))
    ///     .build()?;
    /// assert!(plimsoll::provision(&problem, &Options::default())?.launches().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_initialized(mut self, yes: bool) -> Self {
        self.initialized = yes;
        self
    }

    /// Says whether it has settled, so that it may be consolidated; it has unless this says
    /// otherwise.
    ///
    /// Karpenter's condition `Consolidatable`: no pod came or went for the pool's
    /// `consolidateAfter`. It holds up deletions for money and of empty nodes, and not those of
    /// drifted and expired ones.
    #[must_use]
    pub fn with_consolidatable(mut self, yes: bool) -> Self {
        self.consolidatable = yes;
        self
    }

    /// Says whether it is going away: it takes no pods, and its own are left where they are.
    ///
    /// It counts towards its pool's limits until it is gone, and among the nodes that a disruption
    /// budget allows to be disrupted at once.
    ///
    /// A controller has it from `metadata.deletionTimestamp` of the node or its NodeClaim.
    #[must_use]
    pub fn with_deleting(mut self, yes: bool) -> Self {
        self.deleting = yes;
        self
    }

    /// Says whether pods are about to be bound to it, as a scheduler or an earlier plan decided.
    ///
    /// It isn't deleted and no running pod is moved to it, since its room may be spoken for. Pods
    /// that are pending still go there: those that it was nominated for may be among them.
    #[must_use]
    pub fn with_nominated(mut self, yes: bool) -> Self {
        self.nominated = yes;
        self
    }

    /// Says whether it may not be disrupted (`karpenter.sh/do-not-disrupt`): it stays, for any
    /// reason.
    #[must_use]
    pub fn with_do_not_disrupt(mut self, yes: bool) -> Self {
        self.do_not_disrupt = yes;
        self
    }

    /// Says whether it no longer matches its pool.
    ///
    /// Such a node is replaced even where that costs more, as fast as the pool's budgets for
    /// `Drifted` allow, and no running pod is moved to it. Comparing a node with its pool and its
    /// image is the caller's part.
    ///
    /// A controller has it from the NodeClaim's condition `Drifted`.
    #[must_use]
    pub fn with_drifted(mut self, yes: bool) -> Self {
        self.drifted = yes;
        self
    }

    /// States the share of its pool's `expireAfter` that is left, in billionths, at most
    /// 1,000,000,000.
    ///
    /// At 0 it has expired: it goes for that reason, and no running pod is moved to it. What lies
    /// between changes nothing.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Node, Resources};
    ///
    /// // 540 of 720 hours are over.
    /// let left = 1_000_000_000 / 720 * (720 - 540);
    /// let node = Node::new("n-1", Resources::new()).with_lifetime_remaining(left);
    /// assert_eq!(node.lifetime_remaining(), 249_999_840);
    /// ```
    #[must_use]
    pub fn with_lifetime_remaining(mut self, billionths: u32) -> Self {
        self.lifetime_remaining = billionths;
        self
    }

    /// Limits how many volumes of a CSI driver it can attach: `spec.drivers[].allocatable.count` of
    /// its `CSINode`. A driver without a limit attaches any number.
    #[must_use]
    pub fn with_volume_limit(mut self, driver: impl Into<Arc<str>>, limit: u32) -> Self {
        let _former = self.volume_limits.insert(driver.into(), limit);
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The labels.
    #[must_use]
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The taints.
    #[must_use]
    pub fn taints(&self) -> &[Taint] {
        &self.taints
    }

    /// What its pods can have in all, bound pods included.
    #[must_use]
    pub fn allocatable(&self) -> &Resources {
        &self.allocatable
    }

    /// What it is stated to cost per hour; `None`: the price of its labels' offering.
    ///
    /// `None` says nothing of whether that offering is known.
    #[must_use]
    pub fn price(&self) -> Option<Price> {
        self.price
    }

    /// Whether it has finished starting.
    #[must_use]
    pub fn initialized(&self) -> bool {
        self.initialized
    }

    /// Whether it has settled, so that it may be consolidated.
    #[must_use]
    pub fn consolidatable(&self) -> bool {
        self.consolidatable
    }

    /// Whether it is going away: it takes no pods.
    #[must_use]
    pub fn deleting(&self) -> bool {
        self.deleting
    }

    /// Whether pods are about to be bound to it.
    #[must_use]
    pub fn nominated(&self) -> bool {
        self.nominated
    }

    /// Whether it may not be disrupted.
    #[must_use]
    pub fn do_not_disrupt(&self) -> bool {
        self.do_not_disrupt
    }

    /// Whether it no longer matches its pool.
    #[must_use]
    pub fn drifted(&self) -> bool {
        self.drifted
    }

    /// The share of `expireAfter` still left, in billionths.
    #[must_use]
    pub fn lifetime_remaining(&self) -> u32 {
        self.lifetime_remaining
    }

    /// How many volumes it can attach, by driver; a driver not named is unlimited.
    #[must_use]
    pub fn volume_limits(&self) -> &BTreeMap<Arc<str>, u32> {
        &self.volume_limits
    }
}
