//! The answer of a consolidation: which nodes go, what is launched for their pods, and when.
//!
//! | type | is |
//! |---|---|
//! | [`ConsolidationPlan`] | the whole: actions, kept nodes, cost |
//! | [`ConsolidationAction`] | nodes that go together, launches for them, and where their pods go |
//! | [`NodeToLaunch`] | a launch with the name by which bindings call it |
//! | [`DisruptionReason`], [`DisruptionCost`] | why a node goes, and what that takes |
//! | [`KeptNode`], [`RejectedAction`] | why a node stays, and the best that was found for it |
//! | [`ConsolidationCost`] | before, after, and the least that it could be |
//!
//! # Carrying one out
//!
//! Wave by wave: launch what the wave launches, wait until it is ready, cordon and drain the nodes
//! that it deletes, and let the pods come back. Then ask again, with the cluster as it is by then,
//! rather than go on: the next plan begins where this one left off. Bindings say where there is
//! room for each pod; kube-scheduler may choose otherwise, as long as it has a choice.

#[cfg(feature = "serde")]
mod document;
mod table;

use super::template::TemplateList;
use super::{Binding, Launch, LaunchTemplate, OfferingRef};
use crate::explain::Reason;
use crate::model::{Price, Warning};
use crate::plan::Certificate;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Which nodes to delete or replace, wave by wave, and why each other node stays.
///
/// Actions are in the order in which they are carried out; those of one wave may be carried out
/// side by side, and a wave begins when the one before it is done. Nodes that stay are sorted by
/// name. Plans are equal if their documents are: certificates, which aren't in these, don't count.
///
/// # Examples
/// ```
/// # use plimsoll::{
/// #     InstanceType, Node, NodePool, Offering, Options, Pod, Problem, Resources, consolidate,
/// # };
/// # let room = Resources::parse([("cpu", "4"), ("pods", "29")])?;
/// # let node = |name: &str| {
/// #     Node::new(name, room.clone())
/// #         .with_label("karpenter.sh/nodepool", "default")
/// #         .with_label("node.kubernetes.io/instance-type", "m.xlarge")
/// #         .with_label("topology.kubernetes.io/zone", "eu-1a")
/// #         .with_label("karpenter.sh/capacity-type", "on-demand")
/// # };
/// # let pod = |name: &str, node: &str| {
/// #     let requests = Resources::parse([("cpu", "1500m")])?;
/// #     Ok::<_, Box<dyn std::error::Error>>(
/// #         Pod::new(name).with_owner_kind("ReplicaSet").with_requests(requests).with_node_name(node),
/// #     )
/// # };
/// # let price = Offering::on_demand("eu-1a", "0.2".parse()?);
/// # let problem = Problem::builder()
/// #     .instance_type(InstanceType::new("m.xlarge", room.clone()).with_offering(price))
/// #     .node_pool(NodePool::new("default"))
/// #     .nodes([node("a"), node("b").with_do_not_disrupt(true)])
/// #     .pods([pod("web-0", "a")?, pod("web-1", "b")?])
/// #     .build()?;
/// # let plan = consolidate(&problem, &Options::default())?;
/// // Two nodes with room for both pods on either; node b is marked as one not to disrupt.
/// for action in plan.actions().iter().filter(|action| action.wave == 1) {
///     println!("delete {:?}, which saves {:?} an hour", action.delete, action.savings);
/// }
/// assert_eq!((plan.waves(), plan.moved()), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ConsolidationPlan {
    pub(crate) actions: Vec<ConsolidationAction>,
    pub(crate) keep: Vec<KeptNode>,
    pub(crate) cost: ConsolidationCost,
    pub(crate) moved: u64,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) stats: BTreeMap<Arc<str>, u64>,
    pub(crate) certificate: Option<Arc<Certificate>>,
    pub(crate) certificate_for_moves: Option<Arc<Certificate>>,
}

impl PartialEq for ConsolidationPlan {
    fn eq(&self, other: &Self) -> bool {
        let Self { actions, keep, cost, moved, warnings, stats, .. } = self;
        *actions == other.actions
            && *keep == other.keep
            && *cost == other.cost
            && *moved == other.moved
            && *warnings == other.warnings
            && *stats == other.stats
    }
}

impl Eq for ConsolidationPlan {}

/// Nodes that are deleted together, with what is launched first and where their pods go.
///
/// # Examples
/// ```
/// # use plimsoll::{
/// #     InstanceType, Node, NodePool, Offering, Options, Pod, Problem, Resources, consolidate,
/// # };
/// # let room = Resources::parse([("cpu", "4"), ("pods", "29")])?;
/// # let node = |name: &str| {
/// #     Node::new(name, room.clone())
/// #         .with_label("karpenter.sh/nodepool", "default")
/// #         .with_label("node.kubernetes.io/instance-type", "m.xlarge")
/// #         .with_label("topology.kubernetes.io/zone", "eu-1a")
/// #         .with_label("karpenter.sh/capacity-type", "on-demand")
/// # };
/// # let pod = |name: &str, node: &str| {
/// #     let requests = Resources::parse([("cpu", "1500m")])?;
/// #     Ok::<_, Box<dyn std::error::Error>>(
/// #         Pod::new(name).with_owner_kind("ReplicaSet").with_requests(requests).with_node_name(node),
/// #     )
/// # };
/// # let price = Offering::on_demand("eu-1a", "0.2".parse()?);
/// # let problem = Problem::builder()
/// #     .instance_type(InstanceType::new("m.xlarge", room.clone()).with_offering(price))
/// #     .node_pool(NodePool::new("default"))
/// #     .nodes([node("a"), node("b").with_do_not_disrupt(true)])
/// #     .pods([pod("web-0", "a")?, pod("web-1", "b")?])
/// #     .build()?;
/// # let plan = consolidate(&problem, &Options::default())?;
/// use plimsoll::plan::consolidation::DisruptionReason;
///
/// let action = &plan.actions()[0];
/// assert_eq!(action.reason, DisruptionReason::Underutilized);
/// // Nothing is launched: the pod finds room on the other node.
/// assert!(action.launches.is_empty());
/// assert_eq!(&*action.bindings[0].node, "b");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ConsolidationAction {
    /// The wave in which it is carried out, from 1.
    pub wave: u32,
    /// The nodes that are deleted, by name, sorted.
    pub delete: Vec<Arc<str>>,
    /// The nodes that are launched before the others are deleted.
    pub launches: Vec<NodeToLaunch>,
    /// Where other pods go than those that the launches name, sorted by pod: to nodes of the
    /// problem, or to launches of this or an earlier action by their names.
    pub bindings: Vec<Binding>,
    /// Why the nodes are deleted; that none is, where pods that wait get their places.
    pub reason: DisruptionReason,
    /// What it saves per hour: the prices of what is deleted less those of what is launched.
    /// Negative where what replaces a drifted or expired node is dearer, or pods that wait are
    /// launched for; `None` where a price isn't known.
    pub savings: Option<Price>,
    /// What it takes to move the pods.
    pub disruption_cost: DisruptionCost,
}

/// A node to launch, with a name by which bindings of this and later actions can call it.
///
/// The name is the plan's own: the cloud gives the node another one.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct NodeToLaunch {
    /// Unique among the nodes of the problem and of the plan.
    pub name: Arc<str>,
    /// What it is like, and the pods that it is launched for: they go there by this action.
    pub launch: Launch,
}

/// Why a node is disrupted; pools have budgets for each.
///
/// It decides which of a pool's disruption budgets count, and whether anything must be saved:
/// outdated nodes are replaced whatever it costs.
///
/// # Examples
/// ```
/// use plimsoll::plan::consolidation::DisruptionReason;
///
/// let words: Vec<&str> = DisruptionReason::ALL.map(DisruptionReason::word).to_vec();
/// assert_eq!(words, ["empty", "drifted", "expired", "underutilized", "pending"]);
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum DisruptionReason {
    /// No pod of the node needs another one.
    Empty,
    /// The node's pods fit elsewhere for less.
    Underutilized,
    /// The node isn't what its pool asks for any more.
    Drifted,
    /// The node is past its pool's `expireAfter`.
    Expired,
    /// No node is deleted: pods that have none, or whose node is going already, get their places.
    Pending,
}

/// What it takes to move pods, in billionths of what it takes to move one plain pod.
///
/// A pod's eviction cost is Karpenter's, 1 + deletion cost / 2^27 + priority / 2^25, kept between
/// 0 and 10: Karpenter's own may be negative, and then counts an eviction as a gain.
///
/// # Examples
/// ```
/// use plimsoll::plan::consolidation::DisruptionCost;
///
/// let plain = DisruptionCost::from_billionths(1_000_000_000);
/// let two = plain.saturating_add(plain);
/// assert_eq!(two.to_string(), "2");
/// assert!(DisruptionCost::ZERO < plain);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DisruptionCost(u128);

/// A node that stays, and why.
///
/// # Examples
/// ```
/// # use plimsoll::{
/// #     InstanceType, Node, NodePool, Offering, Options, Pod, Problem, Resources, consolidate,
/// # };
/// # let room = Resources::parse([("cpu", "4"), ("pods", "29")])?;
/// # let node = |name: &str| {
/// #     Node::new(name, room.clone())
/// #         .with_label("karpenter.sh/nodepool", "default")
/// #         .with_label("node.kubernetes.io/instance-type", "m.xlarge")
/// #         .with_label("topology.kubernetes.io/zone", "eu-1a")
/// #         .with_label("karpenter.sh/capacity-type", "on-demand")
/// # };
/// # let pod = |name: &str, node: &str| {
/// #     let requests = Resources::parse([("cpu", "1500m")])?;
/// #     Ok::<_, Box<dyn std::error::Error>>(
/// #         Pod::new(name).with_owner_kind("ReplicaSet").with_requests(requests).with_node_name(node),
/// #     )
/// # };
/// # let price = Offering::on_demand("eu-1a", "0.2".parse()?);
/// # let problem = Problem::builder()
/// #     .instance_type(InstanceType::new("m.xlarge", room.clone()).with_offering(price))
/// #     .node_pool(NodePool::new("default"))
/// #     .nodes([node("a"), node("b").with_do_not_disrupt(true)])
/// #     .pods([pod("web-0", "a")?, pod("web-1", "b")?])
/// #     .build()?;
/// # let plan = consolidate(&problem, &Options::default())?;
/// use plimsoll::explain::{Blocker, Cause};
///
/// let kept = &plan.keep()[0];
/// let cause = kept.reasons[0].cause();
/// assert_eq!(cause, Some(&Cause::Blocked { blocker: Blocker::DoNotDisrupt }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct KeptNode {
    /// The node's name.
    pub node: Arc<str>,
    /// Why it stays, never empty.
    pub reasons: Vec<Reason>,
    /// The best way to do without it that was found and rejected, if any.
    pub best: Option<RejectedAction>,
}

/// A way to do without a node that wasn't taken.
///
/// It is what would have happened had the reason not been in the way: enough to see whether the
/// reason is worth lifting.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RejectedAction {
    /// What it would save per hour; negative where it costs more.
    pub savings: Price,
    /// What it would take to move the pods.
    pub disruption_cost: DisruptionCost,
    /// How many pods it would move.
    pub moved: u64,
    /// What it would launch.
    pub launches: Vec<OfferingRef>,
}

/// What the nodes cost per hour, before and after, and the least that they could.
///
/// Nodes without a known price count for nothing in all of them.
///
/// # Examples
/// ```
/// # use plimsoll::{
/// #     InstanceType, Node, NodePool, Offering, Options, Pod, Problem, Resources, consolidate,
/// # };
/// # let room = Resources::parse([("cpu", "4"), ("pods", "29")])?;
/// # let node = |name: &str| {
/// #     Node::new(name, room.clone())
/// #         .with_label("karpenter.sh/nodepool", "default")
/// #         .with_label("node.kubernetes.io/instance-type", "m.xlarge")
/// #         .with_label("topology.kubernetes.io/zone", "eu-1a")
/// #         .with_label("karpenter.sh/capacity-type", "on-demand")
/// # };
/// # let pod = |name: &str, node: &str| {
/// #     let requests = Resources::parse([("cpu", "1500m")])?;
/// #     Ok::<_, Box<dyn std::error::Error>>(
/// #         Pod::new(name).with_owner_kind("ReplicaSet").with_requests(requests).with_node_name(node),
/// #     )
/// # };
/// # let price = Offering::on_demand("eu-1a", "0.2".parse()?);
/// # let problem = Problem::builder()
/// #     .instance_type(InstanceType::new("m.xlarge", room.clone()).with_offering(price))
/// #     .node_pool(NodePool::new("default"))
/// #     .nodes([node("a"), node("b").with_do_not_disrupt(true)])
/// #     .pods([pod("web-0", "a")?, pod("web-1", "b")?])
/// #     .build()?;
/// # let plan = consolidate(&problem, &Options::default())?;
/// let cost = plan.cost();
/// assert_eq!((cost.before.to_string(), cost.after.to_string()), ("0.4".into(), "0.2".into()));
/// assert!(cost.lower_bound <= cost.lower_bound_for_moves && cost.lower_bound <= cost.after);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ConsolidationCost {
    /// The nodes of the problem.
    pub before: Price,
    /// The nodes that are there when the plan is carried out.
    pub after: Price,
    /// No cluster that could be reached by moving pods off nodes that are deleted, however many
    /// they are, costs less.
    pub lower_bound: Price,
    /// No cluster that could be reached so by moving as many pods as this plan does costs less.
    pub lower_bound_for_moves: Price,
}

impl DisruptionCost {
    /// Of nothing.
    pub const ZERO: Self = Self(0);

    /// So many billionths of the cost of moving one plain pod.
    #[must_use]
    pub const fn from_billionths(billionths: u128) -> Self {
        Self(billionths)
    }

    /// In billionths of the cost of moving one plain pod.
    #[must_use]
    pub const fn billionths(self) -> u128 {
        self.0
    }

    /// The sum of two, at most what 128 bits hold.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl ConsolidationPlan {
    /// What to do, in the order in which it is done.
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, Node, NodePool, Options, Problem, Resources, consolidate};
    /// # let room = Resources::parse([("cpu", "4"), ("pods", "29")])?;
    /// # let (pool, price) = ("karpenter.sh/nodepool", "0.2".parse()?);
    /// # let node = |name: &str| Node::new(name, room.clone()).with_price(price);
    /// # let node = |name: &str| node(name).with_label(pool, "default");
    /// # let problem = Problem::builder()
    /// #     .instance_type(InstanceType::new("m.xlarge", room.clone()))
    /// #     .node_pool(NodePool::new("default"))
    /// #     .nodes([node("idle"), node("held").with_do_not_disrupt(true)])
    /// #     .build()?;
    /// # let plan = consolidate(&problem, &Options::default())?;
    /// let first_wave = plan.actions().iter().take_while(|action| action.wave == 1);
    /// let names: Vec<&str> = first_wave.flat_map(|one| &one.delete).map(|name| &**name).collect();
    /// assert_eq!(names, ["idle"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn actions(&self) -> &[ConsolidationAction] {
        &self.actions
    }

    /// How many waves the actions take.
    ///
    /// Zero where there is nothing to do.
    #[must_use]
    pub fn waves(&self) -> u32 {
        self.actions.last().map_or(0, |last| last.wave)
    }

    /// Why each other node of the problem stays, by name.
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, Node, NodePool, Options, Problem, Resources, consolidate};
    /// # let room = Resources::parse([("cpu", "4"), ("pods", "29")])?;
    /// # let (pool, price) = ("karpenter.sh/nodepool", "0.2".parse()?);
    /// # let node = |name: &str| Node::new(name, room.clone()).with_price(price);
    /// # let node = |name: &str| node(name).with_label(pool, "default");
    /// # let problem = Problem::builder()
    /// #     .instance_type(InstanceType::new("m.xlarge", room.clone()))
    /// #     .node_pool(NodePool::new("default"))
    /// #     .nodes([node("idle"), node("held").with_do_not_disrupt(true)])
    /// #     .build()?;
    /// # let plan = consolidate(&problem, &Options::default())?;
    /// let kept = &plan.keep()[0];
    /// assert_eq!((&*kept.node, kept.reasons[0].code()), ("held", "do-not-disrupt"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn keep(&self) -> &[KeptNode] {
        &self.keep
    }

    /// What the nodes cost per hour, before and after.
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, Node, NodePool, Options, Problem, Resources, consolidate};
    /// # let room = Resources::parse([("cpu", "4"), ("pods", "29")])?;
    /// # let (pool, price) = ("karpenter.sh/nodepool", "0.2".parse()?);
    /// # let node = |name: &str| Node::new(name, room.clone()).with_price(price);
    /// # let node = |name: &str| node(name).with_label(pool, "default");
    /// # let problem = Problem::builder()
    /// #     .instance_type(InstanceType::new("m.xlarge", room.clone()))
    /// #     .node_pool(NodePool::new("default"))
    /// #     .nodes([node("idle"), node("held").with_do_not_disrupt(true)])
    /// #     .build()?;
    /// # let plan = consolidate(&problem, &Options::default())?;
    /// let cost = plan.cost();
    /// let saved = cost.before.nanos() - cost.after.nanos();
    /// assert_eq!(plimsoll::Price::from_nanos(saved).to_string(), "0.2");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn cost(&self) -> ConsolidationCost {
        self.cost
    }

    /// The proof of [`ConsolidationCost::lower_bound`]; none where nothing is proved but that some
    /// nodes must stay, and none of a plan that was read from a document.
    #[must_use]
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_deref()
    }

    /// The proof of [`ConsolidationCost::lower_bound_for_moves`], with a price of moves; none where
    /// it is no better than [`ConsolidationPlan::certificate`].
    #[must_use]
    pub fn certificate_for_moves(&self) -> Option<&Certificate> {
        self.certificate_for_moves.as_deref()
    }

    /// The same plan with these certificates, of all outcomes and of those with as few moves, to be
    /// checked by [`verify_consolidation`](crate::verify_consolidation()): ones that were read from
    /// their documents, say.
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, Node, NodePool, Options, Problem, Resources, consolidate};
    /// # let room = Resources::parse([("cpu", "4"), ("pods", "29")])?;
    /// # let (pool, price) = ("karpenter.sh/nodepool", "0.2".parse()?);
    /// # let node = |name: &str| Node::new(name, room.clone()).with_price(price);
    /// # let node = |name: &str| node(name).with_label(pool, "default");
    /// # let problem = Problem::builder()
    /// #     .instance_type(InstanceType::new("m.xlarge", room.clone()))
    /// #     .node_pool(NodePool::new("default"))
    /// #     .nodes([node("idle"), node("held").with_do_not_disrupt(true)])
    /// #     .build()?;
    /// # let plan = consolidate(&problem, &Options::default())?;
    /// use plimsoll::{ConsolidationOptions, verify_consolidation};
    ///
    /// // Without certificates the plan's bounds have to stand by themselves.
    /// let bare = plan.with_certificates(None, None);
    /// assert!(bare.certificate().is_none());
    /// let options = ConsolidationOptions::default();
    /// assert!(verify_consolidation(&problem, &bare, &options).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_certificates(
        self,
        of_all: Option<Certificate>,
        for_moves: Option<Certificate>,
    ) -> Self {
        Self {
            certificate: of_all.map(Arc::new),
            certificate_for_moves: for_moves.map(Arc::new),
            ..self
        }
    }

    /// How many bound pods end on another node than they are on; those of nodes that are going
    /// already aren't counted.
    ///
    /// Each pod moves at most once in a plan.
    #[must_use]
    pub fn moved(&self) -> u64 {
        self.moved
    }

    /// What the problem says that is accepted but hardly meant, by path; it changes nothing.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Counts that describe the search, by name.
    ///
    /// `heldBack…`, where the options ask for it
    /// ([`held_back`](crate::ConsolidationOptions::held_back)), is what a greedy plan would cost
    /// less if nothing were held by a kind of blocker, in billionths of the price per hour:
    /// `heldBackDisruptionBudget` and others, called by the codes of reasons; `heldBackWeights`
    /// where no pool had a weight, and `heldBackPreferences` where preferences were ignored. Kinds
    /// of which that is nothing aren't there.
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, Node, NodePool, Options, Problem, Resources, consolidate};
    /// # let room = Resources::parse([("cpu", "4"), ("pods", "29")])?;
    /// # let (pool, price) = ("karpenter.sh/nodepool", "0.2".parse()?);
    /// # let node = |name: &str| Node::new(name, room.clone()).with_price(price);
    /// # let node = |name: &str| node(name).with_label(pool, "default");
    /// # let problem = Problem::builder()
    /// #     .instance_type(InstanceType::new("m.xlarge", room.clone()))
    /// #     .node_pool(NodePool::new("default"))
    /// #     .nodes([node("idle"), node("held").with_do_not_disrupt(true)])
    /// #     .build()?;
    /// # let plan = consolidate(&problem, &Options::default())?;
    /// assert_eq!(plan.stats().get("eligibleNodes"), Some(&1));
    /// assert!(plan.stats().contains_key("trials"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> &BTreeMap<Arc<str>, u64> {
        &self.stats
    }

    /// What the launches are like, each template once, in the order of the first launch of each.
    #[must_use]
    pub fn templates(&self) -> Vec<&LaunchTemplate> {
        self.template_list().templates
    }

    fn template_list(&self) -> TemplateList<'_> {
        let launches = self.actions.iter().flat_map(|action| &action.launches);
        TemplateList::of(launches.map(|node| &node.launch))
    }
}

impl ConsolidationAction {
    /// How many pods it gives a node: those of its launches and those that it binds elsewhere.
    ///
    /// Pods that move and pods that waited alike.
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, Node, NodePool, Options, Problem, Resources, consolidate};
    /// # let room = Resources::parse([("cpu", "4"), ("pods", "29")])?;
    /// # let (pool, price) = ("karpenter.sh/nodepool", "0.2".parse()?);
    /// # let node = |name: &str| Node::new(name, room.clone()).with_price(price);
    /// # let node = |name: &str| node(name).with_label(pool, "default");
    /// # let problem = Problem::builder()
    /// #     .instance_type(InstanceType::new("m.xlarge", room.clone()))
    /// #     .node_pool(NodePool::new("default"))
    /// #     .nodes([node("idle"), node("held").with_do_not_disrupt(true)])
    /// #     .build()?;
    /// # let plan = consolidate(&problem, &Options::default())?;
    /// assert_eq!(plan.actions()[0].pods(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn pods(&self) -> usize {
        let launched = self.launches.iter().map(|node| node.launch.pods.len());
        launched.sum::<usize>().saturating_add(self.bindings.len())
    }
}

impl NodeToLaunch {
    /// A launch under a name.
    ///
    /// For plans that are made by hand, to be checked or shown.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, launch: Launch) -> Self {
        Self { name: name.into(), launch }
    }
}

impl DisruptionReason {
    /// All that nodes are deleted for, in the order in which Karpenter looks for them, and
    /// [`DisruptionReason::Pending`].
    pub const ALL: [Self; 5] =
        [Self::Empty, Self::Drifted, Self::Expired, Self::Underutilized, Self::Pending];

    /// The word of documents: `empty`, `underutilized`, `drifted`, `expired`, `pending`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Underutilized => "underutilized",
            Self::Drifted => "drifted",
            Self::Expired => "expired",
            Self::Pending => "pending",
        }
    }
}
