//! Node pools: who may buy which types, and with what labels, taints and limits.

use super::{Labels, Requirement, Resources, Taint};
use std::sync::Arc;

/// A template for nodes and the right to buy them, Karpenter's `NodePool`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodePool {
    pub(crate) name: Arc<str>,
    pub(crate) weight: i32,
    pub(crate) labels: Labels,
    pub(crate) taints: Vec<Taint>,
    pub(crate) startup_taints: Vec<Taint>,
    pub(crate) requirements: Vec<Requirement>,
    /// `None`: every type of the problem.
    pub(crate) instance_types: Option<Vec<Arc<str>>>,
    pub(crate) limits: Resources,
    pub(crate) replicas: Option<u32>,
    pub(crate) disruption: Disruption,
}

/// When and how fast nodes of a pool may be disrupted.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Disruption {
    /// Which nodes may be consolidated.
    pub consolidation_policy: ConsolidationPolicy,
    /// How long a node must have been quiet, as in the document ("30s", "1h30m", "Never").
    pub consolidate_after: Arc<str>,
    /// How many nodes may be disrupted at a time; the smallest that applies counts.
    pub budgets: Vec<Budget>,
}

/// Which nodes of a pool may be consolidated.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ConsolidationPolicy {
    /// Empty nodes only.
    WhenEmpty,
    /// Every node.
    #[default]
    WhenEmptyOrUnderutilized,
}

/// A limit on nodes disrupted at a time, Karpenter's `Budget`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Budget {
    /// A number or a percentage, as in the document ("10%", "5").
    pub nodes: Arc<str>,
    /// The reasons it applies to; empty means all.
    pub reasons: Vec<Arc<str>>,
    /// A cron schedule that says when it begins; `None` means always.
    pub schedule: Option<Arc<str>>,
    /// How long it lasts from then, as in the document.
    pub duration: Option<Arc<str>>,
}

impl Default for Disruption {
    fn default() -> Self {
        Self {
            consolidation_policy: ConsolidationPolicy::default(),
            consolidate_after: "0s".into(),
            budgets: vec![Budget {
                nodes: "10%".into(),
                reasons: Vec::new(),
                schedule: None,
                duration: None,
            }],
        }
    }
}
