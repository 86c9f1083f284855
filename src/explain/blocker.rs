//! What keeps a running node where it is.

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
    Deleting,
    /// It hasn't finished starting.
    NotInitialized,
    /// Pods are about to be bound to it.
    Nominated,
    /// It is marked as one not to disrupt.
    DoNotDisrupt,
    /// It is of no node pool of the problem, or of one that has no instance type.
    Unmanaged,
    /// It hasn't settled yet.
    NotConsolidatable,
    /// Its pool's `consolidateAfter` is `Never`.
    ConsolidateNever {
        /// The node pool.
        pool: Arc<str>,
    },
    /// It is of a static pool.
    StaticPool {
        /// The node pool.
        pool: Arc<str>,
    },
    /// Its pool consolidates empty nodes only, and it isn't empty.
    WhenEmpty {
        /// The node pool.
        pool: Arc<str>,
    },
    /// A label that should say what it is says nothing that is known.
    UnknownLabel {
        /// The label.
        key: Arc<str>,
    },
    /// The budgets of its pool allow no disruption for this reason now.
    NodeBudget {
        /// The node pool.
        pool: Arc<str>,
        /// What it would be disrupted for, as budgets have it.
        reason: BudgetReason,
    },
    /// A pod on it is marked as one not to disrupt.
    PodDoNotDisrupt {
        /// "namespace/name".
        pod: Arc<str>,
    },
    /// A pod on it may not be evicted now.
    PodDisruptionBudget {
        /// "namespace/name".
        pod: Arc<str>,
        /// "namespace/name" of the disruption budget, which allows none.
        budget: Arc<str>,
    },
    /// More than one disruption budget means a pod on it, which the eviction API refuses.
    SeveralDisruptionBudgets {
        /// "namespace/name".
        pod: Arc<str>,
    },
    /// A pod on it has no owner, so nothing would create it anew.
    BarePod {
        /// "namespace/name".
        pod: Arc<str>,
    },
    /// A pod on it finds no other place, nor could one be launched that is cheaper.
    NoOtherPlace {
        /// "namespace/name" of one such pod.
        pod: Arc<str>,
    },
    /// What it costs isn't known, and its pods find no place without a launch.
    UnknownPrice,
    /// Replacing it would save less than is asked for.
    SavesTooLittle {
        /// What it would save per hour.
        savings: Price,
        /// What is asked for.
        least: Price,
    },
    /// What moving its pods must save per hour is more than it would save.
    MoveCost {
        /// What it would save per hour.
        savings: Price,
        /// What moving its pods must save.
        cost: Price,
    },
    /// No more pods may be moved.
    MoveLimit {
        /// How many may be moved in all.
        most: u64,
    },
    /// It is a spot node, and too few spot types are cheaper.
    FewSpotTypes {
        /// How many are.
        types: u32,
        /// How many must be.
        least: u32,
    },
    /// Its pool balances, and it would save too little of the pool's cost for the share of the
    /// pool's disruption that it takes.
    Unbalanced {
        /// The node pool.
        pool: Arc<str>,
    },
    /// Pods that move, or that wait, come to it.
    Needed,
    /// There is no order in which it could go beside all else that does.
    NoOrder,
}

impl Blocker {
    /// The blocker's code: kebab-case, and the same between versions.
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
