//! Nodes that run already or are on their way.

use super::{Labels, Price, Resources, Taint};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Capacity that already runs, or is on its way.
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
