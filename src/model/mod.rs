//! The problem: pods, rules, what runs and what can be bought.
//!
//! Everything a decision rests on is a value of this module, and nothing in it decides anything. A
//! [`Problem`] is built from its parts ([`Problem::builder`]) or read from a document
//! ([`Problem::from_json`], feature `serde`); either way it has passed every check and is in one
//! form, so what works on it need not check again.
//!
//! | part | what it is |
//! |---|---|
//! | [`Pod`] | what is to run, runs, or runs everywhere (daemon sets) |
//! | [`InstanceType`], [`Offering`], [`Reservation`] | what can be bought, where and at what price |
//! | [`NodePool`] | who may buy it, with which labels, taints, limits and weight |
//! | [`Node`] | what runs already or is on its way |
//! | [`Disruption`], [`Budget`], [`PodDisruptionBudget`] | when and how fast it may be taken away |
//! | [`Affinity`], [`TopologySpreadConstraint`], [`Toleration`], [`Taint`] | Kubernetes' scheduling rules |
//! | [`LabelSelector`], [`Requirement`], [`Labels`], [`Namespace`] | which pods, nodes and namespaces a rule means |
//! | [`Quantity`], [`Resources`], [`Price`], [`TimeSpan`] | amounts, exact and in integers |
//! | [`Requirements`], [`ValueSet`] | conditions on labels as sets, to reason with |
//! | [`Headroom`], [`Forecast`], [`Placeholder`] | room for pods that aren't there yet |
//! | [`PriceOverlay`], [`PriceChange`] | prices other than the catalog's |
//! | [`ConsolidationOptions`] | what a caller asks of a consolidation |
//! | [`Warning`] | what is accepted but hardly meant |
//!
//! Types are built in one style: `new` takes what has no default, `with_…` methods add the rest one
//! by one, and getters of the same name without `with_` read it back. Structs with public fields
//! are `#[non_exhaustive]`: they are made by their constructors and changed field by field. Words
//! and numbers of documents are read by [`FromStr`](std::str::FromStr) and written by
//! [`Display`](std::fmt::Display), and what is written reads back as the same value.
//!
//! ```
//! use plimsoll::model::{CapacityType, Effect, Operator, TimeSpan};
//! use plimsoll::{Price, Quantity};
//!
//! assert_eq!("1500m".parse::<Quantity>()?.to_string(), "1500m");
//! assert_eq!("0.0960".parse::<Price>()?.to_string(), "0.096");
//! assert_eq!("90m".parse::<TimeSpan>()?.to_string(), "1h30m");
//! assert_eq!("spot".parse::<CapacityType>()?, CapacityType::Spot);
//! assert_eq!("NoExecute".parse::<Effect>()?, Effect::NoExecute);
//! assert_eq!("NotIn".parse::<Operator>()?, Operator::NotIn);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
