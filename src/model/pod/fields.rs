//! What a pod says of itself: every field by its name, as it was stated or by its default.

use super::{HostPort, Pod, Volume};
use crate::model::{
    Affinity, Labels, Placeholder, Resources, Toleration, TopologySpreadConstraint,
};

impl Pod {
    /// The name, or with replicas the stem of their names.
    ///
    /// Pod `i` of a set is called `name-i`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// How many identical pods it stands for.
    ///
    /// 1 for a single pod; sums over a list of pods count these.
    #[must_use]
    pub fn replicas(&self) -> u32 {
        self.replicas
    }

    /// The labels.
    ///
    /// Those of the pod itself: rules of other pods select by them.
    #[must_use]
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The annotations.
    ///
    /// Sorted by key, as labels are.
    #[must_use]
    pub fn annotations(&self) -> &Labels {
        &self.annotations
    }

    /// What it may use, if it is a placeholder; `None` for a pod that is meant to run.
    #[must_use]
    pub fn placeholder(&self) -> Option<Placeholder> {
        // The annotation is the only place where this is kept, so that nothing can contradict it.
        Placeholder::from_word(self.annotations.get(Placeholder::ANNOTATION)?)
    }

    /// The whole pod's effective request, without the implied one of `pods`.
    ///
    /// As stated, before amounts are rounded up.
    #[must_use]
    pub fn requests(&self) -> &Resources {
        &self.requests
    }

    /// The labels that its node must have.
    ///
    /// In a built problem under their current keys (`beta.kubernetes.io/arch` is
    /// `kubernetes.io/arch`).
    #[must_use]
    pub fn node_selector(&self) -> &Labels {
        &self.node_selector
    }

    /// The affinity rules.
    ///
    /// `None` where there are none; in a built problem an affinity that says nothing is `None` too.
    #[must_use]
    pub fn affinity(&self) -> Option<&Affinity> {
        self.affinity.as_deref()
    }

    /// The tolerations.
    #[must_use]
    pub fn tolerations(&self) -> &[Toleration] {
        &self.tolerations
    }

    /// The topology spread constraints.
    #[must_use]
    pub fn topology_spread_constraints(&self) -> &[TopologySpreadConstraint] {
        &self.topology_spread_constraints
    }

    /// The ports of the node that it takes.
    #[must_use]
    pub fn host_ports(&self) -> &[HostPort] {
        &self.host_ports
    }

    /// The volumes it mounts.
    #[must_use]
    pub fn volumes(&self) -> &[Volume] {
        &self.volumes
    }

    /// What it will request once it is evicted and created anew.
    ///
    /// What [`with_recreated_requests`](Pod::with_recreated_requests) stated, or else its requests.
    #[must_use]
    pub fn recreated_requests(&self) -> &Resources {
        self.recreated_requests.as_ref().unwrap_or(&self.requests)
    }

    /// The priority: higher is placed first.
    #[must_use]
    pub fn priority(&self) -> i32 {
        self.priority
    }

    /// The node it is bound to; `None` while it is pending.
    #[must_use]
    pub fn node_name(&self) -> Option<&str> {
        self.node_name.as_deref()
    }

    /// The kind of its owner; `None` for a bare pod.
    ///
    /// See [`with_owner_kind`](Pod::with_owner_kind) for what it decides.
    #[must_use]
    pub fn owner_kind(&self) -> Option<&str> {
        self.owner_kind.as_deref()
    }

    /// Whether it may not be disrupted.
    #[must_use]
    pub fn do_not_disrupt(&self) -> bool {
        self.do_not_disrupt
    }

    /// The cost of deleting it, compared among pods.
    ///
    /// Lower goes first; 0 unless stated.
    #[must_use]
    pub fn deletion_cost(&self) -> i32 {
        self.deletion_cost
    }
}
