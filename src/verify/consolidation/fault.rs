//! What a consolidation can do wrong, as data, with every operand.
//!
//! What a consolidation can do wrong, as data, with every operand.
//!
//! A consolidation that is refused has [`Violation`](crate::verify::Violation)s of two sorts: those
//! of launch plans, with the wave that they occur in, and these, each at a path of the
//! consolidation's document. `Display` says each in a line.

use crate::model::Price;
use crate::plan::consolidation::{DisruptionCost, DisruptionReason};
use std::fmt;
use std::sync::Arc;

/// A rule of consolidations that a plan breaks, at a path of its document.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum ConsolidationFault {
    /// Waves don't count from 1 upwards without a gap.
    ///
    /// Waves are carried out in the order of their numbers, so a gap or a step back has no meaning.
    WaveOutOfOrder {
        /// The action's wave.
        wave: u32,
        /// That of the action before it, or 0.
        former: u32,
    },
    /// An action that does nothing.
    ///
    /// Neither a node goes nor a pod gets a place.
    ActionEmpty,
    /// A lower bound is above what is proved.
    BoundUnproved {
        /// The stated bound.
        stated: Price,
        /// What is proved.
        proved: Price,
    },
    /// The problem has no node of this name.
    NodeUnknown {
        /// The name.
        node: Arc<str>,
    },
    /// A node is deleted for a second time.
    ///
    /// Once gone it can't go again; of two actions that name it the second is reported.
    NodeDeletedTwice {
        /// The node.
        node: Arc<str>,
    },
    /// A node that the plan launches is deleted, or is called like one that is there.
    ///
    /// Bindings of later actions call launches by name, so a name must mean one node, now and
    /// later.
    LaunchName {
        /// The name.
        node: Arc<str>,
    },
    /// The problem has no pod of this name.
    PodUnknown {
        /// The name.
        pod: Arc<str>,
    },
    /// A pod that goes with its node, of a daemon set or a mirror pod, is given a place.
    ///
    /// The daemon set's controller, or the kubelet, makes another one on another node; nobody moves
    /// these.
    PodGoesWithNode {
        /// The pod.
        pod: Arc<str>,
    },
    /// A pod is given a place for a second time.
    PodMovedTwice {
        /// The pod.
        pod: Arc<str>,
    },
    /// A pod is given the place that it has.
    PodStays {
        /// The pod.
        pod: Arc<str>,
        /// Its node.
        node: Arc<str>,
    },
    /// A pod of a node that goes is given no place by the action that deletes the node.
    ///
    /// Deleting a node evicts all pods that can be created anew, and each of them needs a place.
    PodLeftOut {
        /// The pod.
        pod: Arc<str>,
        /// Its node.
        node: Arc<str>,
    },
    /// A pod may not be moved.
    ///
    /// It leaves a node that stays, or is marked; the cause says by which rule.
    PodHeld {
        /// The pod.
        pod: Arc<str>,
        /// Why.
        cause: Ineligible,
    },
    /// A pod goes to a node that isn't there when its wave begins.
    ///
    /// Launches of the same wave take pods of their own action only; those of earlier waves stand.
    DestinationMissing {
        /// The pod.
        pod: Arc<str>,
        /// The node.
        node: Arc<str>,
    },
    /// A pod goes to a node that the plan deletes.
    ///
    /// A pod would move twice, which is a disruption that nobody counted.
    DestinationDeleted {
        /// The pod.
        pod: Arc<str>,
        /// The node.
        node: Arc<str>,
    },
    /// A pod that runs goes to a node that hasn't started, or that pods are about to be bound to.
    ///
    /// What hasn't started yet may never do so; a running pod isn't given up for that.
    DestinationUnsettled {
        /// The pod.
        pod: Arc<str>,
        /// The node.
        node: Arc<str>,
    },
    /// A pod that runs goes to a node that is itself to be replaced.
    DestinationOutdated {
        /// The pod.
        pod: Arc<str>,
        /// The node.
        node: Arc<str>,
    },
    /// A node may not be deleted for the stated reason.
    ///
    /// By Karpenter's rules at the moment when the wave begins
    /// (<https://karpenter.sh/docs/concepts/disruption/>).
    Ineligible {
        /// The node.
        node: Arc<str>,
        /// The reason for which it is deleted.
        reason: DisruptionReason,
        /// Why not.
        cause: Ineligible,
    },
    /// A wave disrupts more nodes of a pool than its budgets allow.
    ///
    /// `spec.disruption.budgets` of the pool that are active at the caller's instant and name the
    /// reason or none.
    NodeBudget {
        /// The wave.
        wave: u32,
        /// The pool.
        node_pool: Arc<str>,
        /// The reason whose budgets are exceeded.
        reason: DisruptionReason,
        /// How many nodes are disrupted, those going already among them.
        disrupted: u64,
        /// How many may be.
        allowed: u64,
    },
    /// A wave evicts more pods than a disruption budget allows, of more than one node.
    ///
    /// A drain of a single node evicts its pods round by round, as its budgets allow; so only
    /// evictions from several nodes are counted against `disruptionsAllowed`.
    PodBudget {
        /// The wave.
        wave: u32,
        /// "namespace/name" of the budget.
        budget: Arc<str>,
        /// How many pods are evicted.
        evicted: u64,
        /// How many may be.
        allowed: u64,
    },
    /// A wave launches more nodes than may be.
    ///
    /// [`max_surge`](crate::ConsolidationOptions::max_surge) of the caller.
    Surge {
        /// The wave.
        wave: u32,
        /// How many it launches.
        launched: u64,
        /// How many it may.
        most: u64,
    },
    /// A static pool doesn't get a node for each that it loses.
    StaticPool {
        /// The pool.
        node_pool: Arc<str>,
        /// How many of its nodes an action deletes.
        deleted: u64,
        /// How many it launches.
        launched: u64,
    },
    /// The stated savings aren't the prices of what goes less those of what comes; none may be
    /// stated where a price isn't known.
    SavingsWrong {
        /// The plan's savings.
        stated: Option<Price>,
        /// What they are.
        expected: Option<Price>,
    },
    /// Savings don't justify an action.
    ///
    /// The caller's minima, Karpenter's "cheaper", and the price of moves.
    SavingsTooLow {
        /// What it saves.
        savings: Price,
        /// What it must save at least.
        least: Price,
    },
    /// A node whose price isn't known is replaced although nothing asks for that.
    ///
    /// Deleting it without a replacement is always allowed.
    SavingsUnknown {
        /// The node.
        node: Arc<str>,
    },
    /// An action that is said to be for pods that wait moves others.
    NotForPending,
    /// The stated disruption cost isn't that of the pods that move.
    DisruptionCostWrong {
        /// The plan's.
        stated: DisruptionCost,
        /// What it is.
        expected: DisruptionCost,
    },
    /// The share of a pool's cost that an action saves is too small beside the share of its pods
    /// that it moves, for a pool whose policy is to balance these.
    ///
    /// The score is the share of the pool's cost that is saved over the share of its disruption,
    /// for nodes of one pool.
    Unbalanced {
        /// The pool.
        node_pool: Arc<str>,
        /// The score in millionths; half a million is wanted.
        score: u64,
    },
    /// A spot node is replaced by a spot node with fewer cheaper types to choose from than wanted.
    ///
    /// [`spot_flexibility`](crate::ConsolidationOptions::spot_flexibility): the launch must leave
    /// the cloud so many types that are cheaper than what it replaces.
    FewSpotTypes {
        /// How many there are.
        types: u64,
        /// How many there must be.
        least: u64,
    },
    /// The stated number of moved pods isn't right.
    MovedWrong {
        /// The plan's number.
        stated: u64,
        /// How many move.
        expected: u64,
    },
    /// More pods are moved than may be.
    ///
    /// [`max_moves`](crate::ConsolidationOptions::max_moves) of the caller.
    TooManyMoves {
        /// How many move.
        moved: u64,
        /// How many may.
        most: u64,
    },
    /// A sum of node prices isn't right.
    CostWrong {
        /// The plan's sum.
        stated: Price,
        /// The sum.
        expected: Price,
    },
    /// A lower bound is negative or above what it bounds.
    LowerBoundWrong {
        /// The bound.
        lower_bound: Price,
        /// What it bounds.
        cost: Price,
    },
    /// A node that the plan doesn't delete isn't among those kept, so nothing says why it stays.
    ///
    /// Every node of the problem is deleted or kept, with a reason, so that nothing is forgotten
    /// silently.
    NodeUnexplained {
        /// The node.
        node: Arc<str>,
    },
    /// A node is kept that the plan deletes, or is kept twice.
    KeptTwice {
        /// The node.
        node: Arc<str>,
    },
    /// A node is kept without a reason.
    ReasonMissing {
        /// The node.
        node: Arc<str>,
    },
}

/// Why a node may not be deleted, or a pod not be moved.
///
/// # Examples
/// ```
/// use plimsoll::verify::Ineligible;
///
/// let cause = Ineligible::DisruptionBudget { pod: "a/b".into(), budget: "a/min".into() };
/// assert_eq!(cause.to_string(), "disruption budget a/min doesn't let pod a/b go");
/// ```
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Ineligible {
    /// No node pool of the problem has the node, or the pool can't launch any type.
    Unmanaged,
    /// The node hasn't finished starting.
    NotInitialized,
    /// The node is going away already.
    Deleting,
    /// Pods are about to be bound to the node.
    Nominated,
    /// The node may not be disrupted.
    NodeDoNotDisrupt,
    /// A pod may not be disrupted.
    PodDoNotDisrupt {
        /// The pod.
        pod: Arc<str>,
    },
    /// A pod that nothing creates anew, and such pods stay.
    BarePod {
        /// The pod.
        pod: Arc<str>,
    },
    /// A disruption budget allows no eviction.
    DisruptionBudget {
        /// The pod.
        pod: Arc<str>,
        /// "namespace/name" of the budget.
        budget: Arc<str>,
    },
    /// Several disruption budgets mean the same pod, which can't be evicted then.
    SeveralDisruptionBudgets {
        /// The pod.
        pod: Arc<str>,
    },
    /// The node hasn't settled.
    NotConsolidatable,
    /// The pool never consolidates.
    ConsolidateNever,
    /// The pool consolidates empty nodes only.
    WhenEmpty,
    /// The node is one of a static pool.
    StaticPool,
    /// The node's labels don't say what it is.
    LabelUnknown {
        /// The label's key.
        key: Arc<str>,
    },
    /// The node isn't empty: a pod would have to move.
    NotEmpty {
        /// The pod.
        pod: Arc<str>,
    },
    /// The node is empty.
    IsEmpty,
    /// The node still matches its pool.
    NotDrifted,
    /// The node's lifetime isn't over.
    NotExpired,
    /// What is done for pods that wait deletes no node.
    ForPending,
}

impl fmt::Display for Ineligible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unmanaged => f.write_str("no node pool that can launch has it"),
            Self::NotInitialized => f.write_str("it hasn't finished starting"),
            Self::Deleting => f.write_str("it is being deleted already"),
            Self::Nominated => f.write_str("pods are about to be bound to it"),
            Self::NodeDoNotDisrupt => f.write_str("it may not be disrupted"),
            Self::PodDoNotDisrupt { pod } => write!(f, "pod {pod} may not be disrupted"),
            Self::BarePod { pod } => write!(f, "nothing would create pod {pod} anew"),
            Self::DisruptionBudget { pod, budget } => {
                write!(f, "disruption budget {budget} doesn't let pod {pod} go")
            }
            Self::SeveralDisruptionBudgets { pod } => {
                write!(f, "several disruption budgets mean pod {pod}, so it can't be evicted")
            }
            Self::NotConsolidatable => f.write_str("it hasn't settled"),
            Self::ConsolidateNever => f.write_str("its pool never consolidates"),
            Self::WhenEmpty => f.write_str("its pool consolidates empty nodes only"),
            Self::StaticPool => f.write_str("its pool is static"),
            Self::LabelUnknown { key } => write!(f, "its label {key} says nothing known"),
            Self::NotEmpty { pod } => write!(f, "it isn't empty: pod {pod} would have to move"),
            Self::IsEmpty => f.write_str("it is empty"),
            Self::NotDrifted => f.write_str("it still matches its pool"),
            Self::NotExpired => f.write_str("its lifetime isn't over"),
            Self::ForPending => f.write_str("for pods that wait no node is deleted"),
        }
    }
}

impl fmt::Display for ConsolidationFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let money = |price: &Option<Price>| match price {
            Some(price) => price.to_string(),
            None => "unknown".into(),
        };
        match self {
            Self::WaveOutOfOrder { wave, former } => {
                write!(f, "wave {wave} can't follow wave {former}")
            }
            Self::BoundUnproved { stated, proved } => {
                write!(f, "the bound is {stated}, only {proved} is proved")
            }
            Self::ActionEmpty => f.write_str("the action does nothing"),
            Self::NodeUnknown { node } => write!(f, "the problem has no node {node}"),
            Self::NodeDeletedTwice { node } => write!(f, "node {node} is deleted twice"),
            Self::LaunchName { node } => {
                write!(f, "the name {node} belongs to another node, or what it names is deleted")
            }
            Self::PodUnknown { pod } => write!(f, "the problem has no pod {pod}"),
            Self::PodGoesWithNode { pod } => {
                write!(f, "pod {pod} goes with its node and is given no place")
            }
            Self::PodMovedTwice { pod } => write!(f, "pod {pod} is given a place twice"),
            Self::PodStays { pod, node } => write!(f, "pod {pod} is on {node} already"),
            Self::PodLeftOut { pod, node } => {
                write!(f, "the action deletes node {node} and gives its pod {pod} no place")
            }
            Self::PodHeld { pod, cause } => write!(f, "pod {pod} can't be moved: {cause}"),
            Self::DestinationMissing { pod, node } => {
                write!(f, "pod {pod} goes to {node}, which isn't there when the wave begins")
            }
            Self::DestinationDeleted { pod, node } => {
                write!(f, "pod {pod} goes to {node}, which the plan deletes")
            }
            Self::DestinationUnsettled { pod, node } => {
                write!(f, "pod {pod} goes to {node}, which is starting or promised to others")
            }
            Self::DestinationOutdated { pod, node } => {
                write!(f, "pod {pod} goes to {node}, which is to be replaced itself")
            }
            Self::Ineligible { node, reason, cause } => {
                write!(f, "node {node} can't be deleted as {}: {cause}", reason.word())
            }
            Self::NodeBudget { wave, node_pool, reason, disrupted, allowed } => write!(
                f,
                "wave {wave} disrupts {disrupted} nodes of pool {node_pool}, its budgets allow \
                 {allowed} that are {}",
                reason.word()
            ),
            Self::PodBudget { wave, budget, evicted, allowed } => write!(
                f,
                "wave {wave} evicts {evicted} pods of disruption budget {budget}, which allows \
                 {allowed}"
            ),
            Self::Surge { wave, launched, most } => {
                write!(f, "wave {wave} launches {launched} nodes, {most} may be")
            }
            Self::StaticPool { node_pool, deleted, launched } => {
                write!(f, "static pool {node_pool} loses {deleted} nodes and gets {launched}")
            }
            Self::SavingsWrong { stated, expected } => {
                write!(f, "the savings are {}, not {}", money(expected), money(stated))
            }
            Self::SavingsTooLow { savings, least } => {
                write!(f, "it saves {savings}, which must be at least {least}")
            }
            Self::SavingsUnknown { node } => {
                write!(f, "node {node} has no known price, so replacing it saves nothing known")
            }
            Self::NotForPending => {
                f.write_str("it moves running pods, but is said to be for pods that wait")
            }
            Self::DisruptionCostWrong { stated, expected } => {
                write!(
                    f,
                    "the disruption cost is {}, not {}",
                    expected.billionths(),
                    stated.billionths()
                )
            }
            Self::Unbalanced { node_pool, score } => {
                write!(f, "pool {node_pool} wants a score of 500000 millionths, this has {score}")
            }
            Self::FewSpotTypes { types, least } => {
                write!(f, "spot is replaced by spot of {types} cheaper types, {least} are wanted")
            }
            Self::MovedWrong { stated, expected } => {
                write!(f, "{expected} pods move, not {stated}")
            }
            Self::TooManyMoves { moved, most } => write!(f, "{moved} pods move, {most} may"),
            Self::CostWrong { stated, expected } => {
                write!(f, "the sum of prices is {expected}, not {stated}")
            }
            Self::LowerBoundWrong { lower_bound, cost } => {
                write!(f, "the lower bound {lower_bound} isn't between 0 and {cost}")
            }
            Self::NodeUnexplained { node } => {
                write!(f, "node {node} stays and nothing says why")
            }
            Self::KeptTwice { node } => write!(f, "node {node} is deleted, or kept already"),
            Self::ReasonMissing { node } => write!(f, "node {node} is kept without a reason"),
        }
    }
}
