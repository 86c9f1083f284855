//! Volumes that pods mount.
//!
//! A volume bears on a placement in two ways. It may be reachable from some nodes only: a zonal
//! disk from its zone, a local disk from one node. And a node attaches no more volumes of a CSI
//! driver than `spec.drivers[].allocatable.count` of its `CSINode` says. Everything else about
//! claims, classes and binding modes is settled before: a claim that is bound has a persistent
//! volume, whose driver, handle and node affinity stand here; one that waits for its first consumer
//! (`volumeBindingMode: WaitForFirstConsumer`) has the topologies that its storage class allows.
//!
//! Source: <https://kubernetes.io/docs/concepts/storage/storage-limits/> and
//! <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#node-affinity>.

use crate::model::NodeSelectorTerm;
use std::sync::Arc;

/// A volume that a pod mounts.
///
/// # Examples
/// ```
/// use plimsoll::Pod;
/// use plimsoll::model::Volume;
///
/// // The pod can only run where its disk is.
/// let disk = Volume::new("ebs.csi.aws.com", "vol-1").with_zone("us-east-1a");
/// assert_eq!(Pod::new("db-0").with_volume(disk).volumes().len(), 1);
/// ```
///
/// Zones and terms must both hold. A volume that names neither can be reached from everywhere, and
/// still takes an attachment.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Volume {
    /// The storage driver, by which nodes limit attachments.
    ///
    /// The CSI driver's name, such as `ebs.csi.aws.com`. What isn't attached (an `emptyDir`, a
    /// config map, a secret) isn't a volume here.
    pub driver: Arc<str>,
    /// Which volume: pods that name the same one share it.
    ///
    /// Of a persistent volume its `volumeHandle`. The driver counts it once on a node, however many
    /// pods there mount it.
    pub id: Arc<str>,
    /// The zones from which it can be reached; empty means all.
    ///
    /// Values of `topology.kubernetes.io/zone`.
    pub zones: Vec<Arc<str>>,
    /// The nodes from which it can be reached, as a persistent volume's node affinity has them: one
    /// of these terms must hold; none means all nodes.
    pub node_selector_terms: Vec<NodeSelectorTerm>,
}

impl Volume {
    /// A volume that can be reached from every zone.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::Volume;
    ///
    /// let shared = Volume::new("efs.csi.aws.com", "fs-1");
    /// assert!(shared.zones.is_empty() && shared.node_selector_terms.is_empty());
    /// ```
    #[must_use]
    pub fn new(driver: impl Into<Arc<str>>, id: impl Into<Arc<str>>) -> Self {
        Self {
            driver: driver.into(),
            id: id.into(),
            zones: Vec::new(),
            node_selector_terms: Vec::new(),
        }
    }

    /// Adds a zone from which it can be reached.
    ///
    /// With several zones, any of them will do: a disk that is replicated in two, say.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::Volume;
    ///
    /// let regional = Volume::new("pd.csi.storage.gke.io", "r-1").with_zone("a").with_zone("b");
    /// assert_eq!(regional.zones.len(), 2);
    /// ```
    #[must_use]
    pub fn with_zone(mut self, zone: impl Into<Arc<str>>) -> Self {
        self.zones.push(zone.into());
        self
    }

    /// Adds an alternative of the nodes from which it can be reached.
    ///
    /// `spec.nodeAffinity.required.nodeSelectorTerms` of a persistent volume; within a term all
    /// expressions must hold.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Requirement;
    /// use plimsoll::model::{NodeSelectorTerm, Operator, Volume};
    ///
    /// // A disk inside one machine.
    /// let here = Requirement::new("kubernetes.io/hostname", Operator::In, ["n-1"]);
    /// let local = Volume::new("local.csi.example.com", "d-1")
    ///     .with_node_selector_term(NodeSelectorTerm::new([here]));
    /// assert_eq!(local.node_selector_terms.len(), 1);
    /// ```
    #[must_use]
    pub fn with_node_selector_term(mut self, term: NodeSelectorTerm) -> Self {
        self.node_selector_terms.push(term);
        self
    }
}
