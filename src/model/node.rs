//! Nodes that run already or are on their way.

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
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Node {
    pub(crate) name: Arc<str>,
    pub(crate) labels: Labels,
    pub(crate) taints: Vec<Taint>,
    pub(crate) allocatable: Resources,
    pub(crate) price: Option<Price>,
    pub(crate) initialized: bool,
    pub(crate) consolidatable: bool,
    pub(crate) deleting: bool,
    pub(crate) nominated: bool,
    pub(crate) do_not_disrupt: bool,
    pub(crate) drifted: bool,
    /// Share of `expireAfter` still left, in billionths.
    pub(crate) lifetime_remaining: u32,
    pub(crate) volume_limits: BTreeMap<Arc<str>, u32>,
}

/// All of a node's lifetime, in billionths.
pub(crate) const WHOLE_LIFETIME: u32 = 1_000_000_000;

impl Node {
    /// An initialized, quiet node whose price is that of its labels' offering.
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

    /// Sets a label.
    #[must_use]
    pub fn with_label(mut self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        let _former = self.labels.insert(key, value);
        self
    }

    /// Adds a taint.
    #[must_use]
    pub fn with_taint(mut self, taint: Taint) -> Self {
        self.taints.push(taint);
        self
    }

    /// States what it costs per hour.
    #[must_use]
    pub fn with_price(mut self, price: Price) -> Self {
        self.price = Some(price);
        self
    }

    /// Says whether it has finished starting.
    #[must_use]
    pub fn with_initialized(mut self, yes: bool) -> Self {
        self.initialized = yes;
        self
    }

    /// Says whether it has settled, so that it may be consolidated.
    #[must_use]
    pub fn with_consolidatable(mut self, yes: bool) -> Self {
        self.consolidatable = yes;
        self
    }

    /// Says whether it is going away: it takes no pods.
    #[must_use]
    pub fn with_deleting(mut self, yes: bool) -> Self {
        self.deleting = yes;
        self
    }

    /// Says whether pods are about to be bound to it.
    #[must_use]
    pub fn with_nominated(mut self, yes: bool) -> Self {
        self.nominated = yes;
        self
    }

    /// Says whether it may not be disrupted (`karpenter.sh/do-not-disrupt`).
    #[must_use]
    pub fn with_do_not_disrupt(mut self, yes: bool) -> Self {
        self.do_not_disrupt = yes;
        self
    }

    /// Says whether it no longer matches its pool.
    #[must_use]
    pub fn with_drifted(mut self, yes: bool) -> Self {
        self.drifted = yes;
        self
    }

    /// States the share of `expireAfter` still left, in billionths.
    #[must_use]
    pub fn with_lifetime_remaining(mut self, billionths: u32) -> Self {
        self.lifetime_remaining = billionths;
        self
    }

    /// Limits how many volumes of a driver it can attach.
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
