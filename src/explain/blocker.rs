//! What keeps a running node where it is.
//!
//! A consolidation says of each node that stays why it does. Reasons are of three sorts, and they
//! are looked for in this order:
//!
//! 1. what forbids to disrupt the node or one of its pods, whatever could be saved: marks, budgets,
//!    pools that don't consolidate, nodes that start or go;
//! 2. what makes it not worth while: no cheaper place, too small a saving, too many moves;
//! 3. what the plan itself makes of the node: it takes the pods of others, or can't go in any
//!    order.
//!
//! Most rules of the first sort are Karpenter's (<https://karpenter.sh/docs/concepts/disruption/>),
//! the eviction API's, or the caller's [`ConsolidationOptions`](crate::ConsolidationOptions).

use crate::model::{BudgetReason, Price};
use std::fmt;
use std::sync::Arc;

/// What keeps a node from being deleted or replaced.
///
/// What holds a node whatever could be saved comes first: lift all that is named of it, and the
/// node goes or another reason is named, about money or places. Those are of the cluster as the
/// plan leaves it.
///
/// # Examples
/// ```
/// use plimsoll::explain::Blocker;
///
/// assert_eq!(Blocker::Nominated.code(), "nominated");
/// assert_eq!(Blocker::Nominated.to_string(), "pods are about to be bound to it");
/// ```
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Blocker {
    /// It is being deleted already.
    ///
    /// [`Node::deleting`](crate::Node): its pods are placed by the plan as pending ones are.
    Deleting,
    /// It hasn't finished starting.
    ///
    /// Karpenter's label `karpenter.sh/initialized` isn't there yet: what it will hold isn't known.
    NotInitialized,
    /// Pods are about to be bound to it.
    ///
    /// Another decision counts on the room there; deleting it would undo that.
    Nominated,
    /// It is marked as one not to disrupt.
    ///
    /// The annotation `karpenter.sh/do-not-disrupt` on the node.
    DoNotDisrupt,
    /// It is of no node pool of the problem, or of one that has no instance type.
    ///
    /// Nobody could launch a node in its place, or says by which rules it may go.
    Unmanaged,
    /// It hasn't settled yet.
    ///
    /// Karpenter's condition `Consolidatable` isn't true: pods came or went less than the pool's
    /// `consolidateAfter` ago.
    NotConsolidatable,
    /// Its pool's `consolidateAfter` is `Never`.
    ///
    /// Drifted and expired nodes of such a pool go all the same.
    ConsolidateNever {
        /// The node pool.
        pool: Arc<str>,
    },
    /// It is of a static pool.
    ///
    /// Its `replicas` are kept; its drifted and expired nodes are replaced one for one.
    StaticPool {
        /// The node pool.
        pool: Arc<str>,
    },
    /// Its pool consolidates empty nodes only, and it isn't empty.
    ///
    /// `consolidationPolicy: WhenEmpty`.
    WhenEmpty {
        /// The node pool.
        pool: Arc<str>,
    },
    /// A label that should say what it is says nothing that is known.
    ///
    /// Without its instance type, zone and capacity type nobody knows what it costs or what
    /// replaces it.
    UnknownLabel {
        /// The label.
        key: Arc<str>,
    },
    /// The budgets of its pool allow no disruption for this reason now.
    ///
    /// `spec.disruption.budgets` of the NodePool, at the caller's instant, with the nodes that are
    /// going already taken off.
    NodeBudget {
        /// The node pool.
        pool: Arc<str>,
        /// What it would be disrupted for, as budgets have it.
        reason: BudgetReason,
    },
    /// A pod on it is marked as one not to disrupt.
    ///
    /// The annotation `karpenter.sh/do-not-disrupt` on the pod.
    PodDoNotDisrupt {
        /// "namespace/name".
        pod: Arc<str>,
    },
    /// A pod on it may not be evicted now.
    ///
    /// `status.disruptionsAllowed` of the PodDisruptionBudget is 0. One that allows a few isn't a
    /// blocker: its pods go a few in each wave.
    PodDisruptionBudget {
        /// "namespace/name".
        pod: Arc<str>,
        /// "namespace/name" of the disruption budget, which allows none.
        budget: Arc<str>,
    },
    /// More than one disruption budget means a pod on it, which the eviction API refuses.
    ///
    /// The API server answers such an eviction with an error, whatever the budgets allow.
    SeveralDisruptionBudgets {
        /// "namespace/name".
        pod: Arc<str>,
    },
    /// A pod on it has no owner, so nothing would create it anew.
    ///
    /// Unless the caller says that such pods may move
    /// ([`bare_pods_move`](crate::ConsolidationOptions::bare_pods_move)).
    BarePod {
        /// "namespace/name".
        pod: Arc<str>,
    },
    /// A pod on it finds no other place, nor could one be launched that is cheaper.
    ///
    /// This is what most nodes of a cluster that is well packed say.
    NoOtherPlace {
        /// "namespace/name" of one such pod.
        pod: Arc<str>,
    },
    /// What it costs isn't known, and its pods find no place without a launch.
    ///
    /// Where all of its pods fit on other nodes it goes in spite of that: deleting never costs
    /// anything.
    UnknownPrice,
    /// Replacing it would save less than is asked for.
    ///
    /// The caller's minimum, of a share of the node's price, per action or for each pod that moves.
    SavesTooLittle {
        /// What it would save per hour.
        savings: Price,
        /// What is asked for.
        least: Price,
    },
    /// What moving its pods must save per hour is more than it would save.
    ///
    /// The caller's price of a move, times its pods.
    MoveCost {
        /// What it would save per hour.
        savings: Price,
        /// What moving its pods must save.
        cost: Price,
    },
    /// No more pods may be moved.
    ///
    /// Of all that would pay those moves are made that save the most.
    MoveLimit {
        /// How many may be moved in all.
        most: u64,
    },
    /// It is a spot node, and too few spot types are cheaper.
    ///
    /// Replacing spot by cheaper spot makes the next interruption likelier, so Karpenter asks for
    /// fifteen types to choose from; the caller may ask for another number.
    FewSpotTypes {
        /// How many are.
        types: u32,
        /// How many must be.
        least: u32,
    },
    /// Its pool balances, and it would save too little of the pool's cost for the share of the
    /// pool's disruption that it takes.
    ///
    /// `consolidationPolicy: Balanced` of the pool.
    Unbalanced {
        /// The node pool.
        pool: Arc<str>,
    },
    /// Pods that move, or that wait, come to it.
    ///
    /// It may be what makes the others' going possible.
    Needed,
    /// There is no order in which it could go beside all else that does.
    ///
    /// The final state without it would be legal and cheaper, but no sequence of legal waves that
    /// leads there was found: two full nodes that would have to swap their pods, say.
    NoOrder,
}

impl Blocker {
    /// The blocker's code: kebab-case, and the same between versions.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::explain::{Blocker, Cause};
    ///
    /// let blocker = Blocker::BarePod { pod: "default/debug".into() };
    /// assert_eq!(blocker.code(), "bare-pod");
    /// // A cause of this kind has the blocker's code and words.
    /// assert_eq!(Cause::Blocked { blocker }.code(), "bare-pod");
    /// ```
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Deleting => "deleting",
            Self::NotInitialized => "not-initialized",
            Self::Nominated => "nominated",
            Self::DoNotDisrupt => "do-not-disrupt",
            Self::Unmanaged => "unmanaged",
            Self::NotConsolidatable => "not-consolidatable",
            Self::ConsolidateNever { .. } => "consolidate-never",
            Self::StaticPool { .. } => "node-of-static-pool",
            Self::WhenEmpty { .. } => "when-empty",
            Self::UnknownLabel { .. } => "unknown-label",
            Self::NodeBudget { .. } => "node-budget",
            Self::PodDoNotDisrupt { .. } => "pod-do-not-disrupt",
            Self::PodDisruptionBudget { .. } => "disruption-budget",
            Self::SeveralDisruptionBudgets { .. } => "several-disruption-budgets",
            Self::BarePod { .. } => "bare-pod",
            Self::NoOtherPlace { .. } => "no-other-place",
            Self::UnknownPrice => "unknown-price",
            Self::SavesTooLittle { .. } => "saves-too-little",
            Self::MoveCost { .. } => "move-cost",
            Self::MoveLimit { .. } => "move-limit",
            Self::FewSpotTypes { .. } => "few-spot-types",
            Self::Unbalanced { .. } => "unbalanced",
            Self::Needed => "needed",
            Self::NoOrder => "no-order",
        }
    }
}

/// The blocker as a sentence, without a full stop.
impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deleting => f.write_str("it is being deleted already"),
            Self::NotInitialized => f.write_str("it hasn't finished starting"),
            Self::Nominated => f.write_str("pods are about to be bound to it"),
            Self::DoNotDisrupt => f.write_str("it is marked as one not to disrupt"),
            Self::Unmanaged => f.write_str("it is of no node pool that could launch a node"),
            Self::NotConsolidatable => f.write_str("it hasn't settled yet"),
            Self::ConsolidateNever { pool } => {
                write!(f, "node pool {pool} is never consolidated")
            }
            Self::StaticPool { pool } => write!(f, "node pool {pool} is static"),
            Self::WhenEmpty { pool } => {
                write!(f, "node pool {pool} is consolidated where nodes are empty, and it isn't")
            }
            Self::UnknownLabel { key } => write!(f, "its label {key} says nothing that is known"),
            Self::NodeBudget { pool, reason } => {
                write!(f, "the budgets of node pool {pool} allow no disruption for {reason} now")
            }
            Self::PodDoNotDisrupt { pod } => {
                write!(f, "pod {pod} is marked as one not to disrupt")
            }
            Self::PodDisruptionBudget { pod, budget } => {
                write!(f, "disruption budget {budget} doesn't allow that pod {pod} is evicted now")
            }
            Self::SeveralDisruptionBudgets { pod } => {
                write!(f, "several disruption budgets mean pod {pod}, so it can't be evicted")
            }
            Self::BarePod { pod } => {
                write!(f, "pod {pod} has no owner, so nothing would create it anew")
            }
            Self::NoOtherPlace { pod } => {
                write!(f, "pod {pod} finds no other place, nor a launch that is cheaper")
            }
            Self::UnknownPrice => {
                f.write_str("what it costs isn't known, and its pods need a launch")
            }
            Self::SavesTooLittle { savings, least } => {
                write!(f, "replacing it would save {savings}, and {least} is asked for")
            }
            Self::MoveCost { savings, cost } => {
                write!(f, "it would save {savings}, and moving its pods must save {cost}")
            }
            Self::MoveLimit { most } => write!(f, "no more than {most} pods may be moved"),
            Self::FewSpotTypes { types, least } => {
                write!(f, "{types} cheaper spot types would do, and {least} are asked for")
            }
            Self::Unbalanced { pool } => {
                write!(f, "it would save too little for what it disrupts of node pool {pool}")
            }
            Self::Needed => f.write_str("pods that move come to it"),
            Self::NoOrder => f.write_str("no order is found in which it could go as well"),
        }
    }
}
