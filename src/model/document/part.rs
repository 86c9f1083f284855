//! Single parts in documents: a pod, a node pool or a quantity alone, in the form that it has
//! within a problem document.
//!
//! Catalogs, pods and pools come from different places, and whoever stores one of them needs no
//! whole problem for that. A part is checked for its form only; what it must be like beside others
//! is checked when a problem is built of it.
//!
//! ```
//! use plimsoll::{NodePool, Pod, Resources};
//!
//! let pod: Pod = serde_json::from_str(r#"{"name": "web", "requests": {"cpu": "250m"}}"#)?;
//! assert_eq!(pod.requests(), &Resources::parse([("cpu", "250m")])?);
//! assert_eq!(serde_json::to_string(&pod)?, r#"{"name":"web","requests":{"cpu":"250m"}}"#);
//! let pool: NodePool = serde_json::from_str(r#"{"name": "spot", "weight": 10}"#)?;
//! assert_eq!(pool.weight(), 10);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::affinity::{
    read_affinity, read_node_affinity, read_pod_affinity, read_pod_term, read_spread, read_term,
    write_affinity, write_node_affinity, write_pod_affinity, write_pod_term, write_spread,
    write_term,
};
use super::pod::{read_host_port, read_pod, read_volume, write_host_port, write_pod, write_volume};
use super::pool::{
    read_budget, read_disruption, read_node_pool, write_budget, write_disruption, write_node_pool,
};
use super::read::{Cursor, labels, price, quantity, resources};
use super::selector::{
    read_expression, read_requirement, read_selector, write_expression, write_requirement,
    write_selector,
};
use super::supply::{
    read_instance_type, read_node, read_offering, read_reservation, write_instance_type,
    write_node, write_offering, write_reservation,
};
use super::taint::{read_taint, read_toleration, write_taint, write_toleration};
use super::value::Value;
use super::{read_disruption_budget, read_namespace, write_disruption_budget, write_namespace};
use crate::error::Error;
use crate::model::fault::{Faults, Path};
use crate::model::{
    Affinity, Budget, Disruption, HostPort, InstanceType, LabelSelector, LabelSelectorRequirement,
    Labels, Namespace, Node, NodeAffinity, NodePool, NodeSelectorTerm, Offering, Pod, PodAffinity,
    PodAffinityTerm, PodDisruptionBudget, Price, Quantity, Requirement, Reservation, Resources,
    Taint, Toleration, TopologySpreadConstraint, Volume,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What `read` reads of a tree, or all its faults.
///
/// # Errors
/// Every fault of the tree, with paths that begin at the part.
pub(crate) fn read_part<T>(
    document: &Value<'_>,
    read: impl FnOnce(Cursor<'_>) -> Option<T>,
) -> Result<T, Error> {
    let mut faults = Faults::default();
    let part = read(Cursor { value: document, path: &Path::Root, faults: &mut faults });
    faults.into_result(&[])?;
    part.ok_or_else(|| Error::internal("a part without faults can't be read"))
}

macro_rules! parts {
    ($($part:ty: $read:ident, $write:expr;)*) => {$(
        impl<'d> Deserialize<'d> for $part {
            /// Reads the part in any self-describing format; the error lists every fault of form.
            fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
                let document = Value::deserialize(deserializer)?;
                read_part(&document, $read).map_err(serde::de::Error::custom)
            }
        }

        impl Serialize for $part {
            /// Writes the part as it is written within a document, defaults left out.
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                ($write)(self).serialize(serializer)
            }
        }
    )*};
}

parts! {
    Affinity: read_affinity, write_affinity;
    Budget: read_budget, write_budget;
    Disruption: read_disruption, write_disruption;
    HostPort: read_host_port, write_host_port;
    InstanceType: read_instance_type, write_instance_type;
    LabelSelector: read_selector, write_selector;
    LabelSelectorRequirement: read_expression, write_expression;
    Labels: labels, Value::from;
    Namespace: read_namespace, write_namespace;
    Node: read_node, write_node;
    NodeAffinity: read_node_affinity, write_node_affinity;
    NodePool: read_node_pool, write_node_pool;
    NodeSelectorTerm: read_term, write_term;
    Offering: read_offering, write_offering;
    Pod: read_pod, write_pod;
    PodAffinity: read_pod_affinity, write_pod_affinity;
    PodAffinityTerm: read_pod_term, write_pod_term;
    PodDisruptionBudget: read_disruption_budget, write_disruption_budget;
    Price: price, |price: &Price| Value::from(*price);
    Quantity: quantity, |amount: &Quantity| Value::Text(amount.to_string().into());
    Requirement: read_requirement, write_requirement;
    Reservation: read_reservation, write_reservation;
    Resources: resources, Value::from;
    Taint: read_taint, write_taint;
    Toleration: read_toleration, write_toleration;
    TopologySpreadConstraint: read_spread, write_spread;
    Volume: read_volume, write_volume;
}
