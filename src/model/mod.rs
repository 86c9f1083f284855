//! The problem: pods, rules, what runs and what can be bought.

mod affinity;
mod capacity_type;
mod changed;
mod consolidation_options;
mod decimal;
mod disruption;
#[cfg(feature = "serde")]
pub(crate) mod document;
pub(crate) mod fault;
mod headroom;
mod instance;
mod label;
mod list;
mod node;
mod normal;
mod offering_key;
mod overlay;
mod parts;
mod placeholder;
mod pod;
mod pool;
mod price;
mod price_change;
mod problem;
mod quantity;
mod requirement;
mod resource;
mod selector;
mod spread;
mod taint;
mod time_span;
mod validate;
mod value_set;
mod warning;
mod word;

pub use affinity::{
    Affinity, NodeAffinity, NodeSelectorTerm, PodAffinity, PodAffinityTerm,
    PreferredSchedulingTerm, WeightedPodAffinityTerm,
};
pub use capacity_type::CapacityType;
pub(crate) use changed::{Changed, Origin};
pub use consolidation_options::ConsolidationOptions;
pub use disruption::{
    Budget, BudgetNodes, BudgetReason, BudgetWindow, ConsolidationPolicy, Delay, Disruption,
    ParseBudgetNodesError,
};
pub use headroom::{Forecast, Headroom};
pub(crate) use instance::UNLIMITED_ATTACHMENTS;
pub use instance::{InstanceType, Offering, Reservation};
pub use label::{LabelIter, Labels, well_known};
pub use node::Node;
pub(crate) use normal::order as order_of_pods;
pub use offering_key::OfferingKey;
pub use overlay::PriceOverlay;
#[cfg(feature = "k8s")]
pub(crate) use overlay::{labels_of, matches};
pub(crate) use parts::Parts;
pub use placeholder::Placeholder;
pub use pod::{HostPort, Pod, Protocol, Volume};
pub use pool::NodePool;
pub use price::{ParsePriceError, Price};
pub use price_change::{ParsePriceChangeError, PriceChange};
pub use problem::{Namespace, PodDisruptionBudget, Problem, ProblemBuilder};
pub use quantity::{ParseQuantityError, Quantity};
pub use requirement::{Operator, Requirement, Requirements};
pub(crate) use resource::{CPU, NODES, PODS, amount, per_unit};
pub use resource::{ParseResourcesError, ResourceIter, Resources};
pub use selector::{LabelSelector, LabelSelectorRequirement, SelectorOperator};
pub use spread::{NodeInclusionPolicy, TopologySpreadConstraint, WhenUnsatisfiable};
pub use taint::{Effect, Taint, Toleration, TolerationOperator};
pub use time_span::{ParseTimeSpanError, TimeSpan};
#[cfg(feature = "k8s")]
pub(crate) use validate::{
    MOST_PODS, node as check_node, node_pool as check_node_pool, pod as check_pod,
};
pub use value_set::ValueSet;
pub use warning::Warning;
pub(crate) use warning::{LabelKeys, warnings};
pub use word::ParseWordError;
