//! The decision core of a Kubernetes node autoscaler.
//!
//! Given pods, scheduling rules, running nodes and priced instance offerings, `plimsoll` says which
//! nodes to launch, what goes on them, what can't be placed and exactly why, and how far the answer
//! is from the cheapest one possible. It is a pure function: no I/O, no clock, no global state, and
//! the same input gives the same output, byte for byte.
//!
//! # Five minutes
//!
//! What is to run is a [`Pod`], with as many replicas as are alike. What can be bought is an
//! [`InstanceType`] with its priced [`Offering`]s, and a [`NodePool`] is who may buy it. A
//! [`Problem`] is all of that together, and valid once it is built:
//!
//! ```
//! use plimsoll::{Effort, InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
//!
//! let web = Pod::new("web")
//!     .with_replicas(3)
//!     .with_requests(Resources::parse([("cpu", "1500m"), ("memory", "3Gi")])?);
//! let capacity = Resources::parse([("cpu", "4"), ("memory", "16Gi"), ("pods", "58")])?;
//! let xlarge = InstanceType::new("m7i.xlarge", capacity)
//!     .with_offering(Offering::on_demand("us-east-1a", "0.2016".parse()?))
//!     .with_offering(Offering::spot("us-east-1a", "0.09475".parse()?));
//! let problem = Problem::builder()
//!     .pod(web)
//!     .instance_type(xlarge)
//!     .node_pool(NodePool::new("default"))
//!     .build()?;
//!
//! // What to launch, and at what price per hour.
//! let plan = plimsoll::provision(&problem, &Options::default())?;
//! assert_eq!(plan.launches().len(), 2);
//! assert_eq!(plan.launches()[0].template().offering.capacity_type.as_str(), "spot");
//! assert_eq!(plan.cost().total.to_string(), "0.1895");
//!
//! // More work proves that nothing costs less; who doubts it, or the plan, checks.
//! let options = Options::default().with_effort(Effort::Refine(Default::default()));
//! let proved = plimsoll::provision(&problem, &options)?;
//! assert_eq!(proved.cost().lower_bound, plan.cost().total);
//! assert!(plimsoll::verify(&problem, &proved).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A pod without a place isn't an error but a part of the plan, with the reason:
//!
//! ```
//! # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
//! # let xlarge = InstanceType::new("m7i.xlarge", Resources::parse([("cpu", "4"), ("pods", "58")])?)
//! #     .with_offering(Offering::spot("us-east-1a", "0.09475".parse()?));
//! let large = Pod::new("large").with_requests(Resources::parse([("cpu", "6")])?);
//! # let problem =
//! #     Problem::builder().pod(large).instance_type(xlarge).node_pool(NodePool::new("default")).build()?;
//! let plan = plimsoll::provision(&problem, &Options::default())?;
//! let reason = &plan.unschedulable()[0].reasons[0];
//! // "the pod lacks 2 cpu on m7i.xlarge, the nearest of node pool default: …"
//! println!("{reason}");
//! assert_eq!(reason.code(), "resource");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to go on
//!
//! | you want to | look at |
//! |---|---|
//! | launch nodes for pending pods | [`provision()`], [`Solver`], [`LaunchPlan`] |
//! | delete and replace running nodes | [`consolidate()`], [`ConsolidationPlan`](plan::ConsolidationPlan) |
//! | ask what if, and keep up with a cluster | [`WhatIf`], [`guide::embedding`] |
//! | have it cheaper, and know how cheap it can be | [`Effort::Refine`], [`Observer`], [`Stop`], [`guide::bounds`] |
//! | say why a pod waits or a node stays | [`explain`] |
//! | check a plan | [`verify()`], [`verify_consolidation`] |
#![cfg_attr(
    feature = "serde",
    doc = "| read and write JSON | [`Problem::from_json`], [`LaunchPlan::to_json`], [`guide::documents`] |"
)]
#![cfg_attr(
    feature = "k8s",
    doc = "| start from Kubernetes' objects | [`k8s::Dump`], [`guide::kubernetes`] |"
)]
//! | know what a rule means here, or what differs elsewhere | [`guide::semantics`], [`guide::differences`] |
//!
//! # Units
//!
//! | what | unit |
//! |---|---|
//! | [`Quantity`] | of a resource, exact to a billionth; CPU counts in whole millicores, all else in whole units (bytes) |
//! | [`Price`] | per hour, in whole billionths of one currency, whichever it is |
//! | rates, shares | whole billionths, as the names of parameters say |
//! | gaps | millionths of the total |
//! | instants, durations | seconds since 1970; durations as in Kubernetes (TimeSpan) |
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `serde` | yes | documents: `Serialize`, `Deserialize`, `from_json`, `to_json` |
//! | `parallel` | yes | rayon's threads inside a solve; plans are the same without |
//! | `refine` | yes | microlp for small integer programmes in refinement |
//! | `highs` | no | HiGHS in its place; building it takes a C++ compiler, cmake and libclang |
//! | `schemars` | no | JSON Schemas of the documents and their parts |
//! | `k8s` | no | Kubernetes' objects in, NodeClaims out; the version of `k8s-openapi` is yours |

pub mod contingency;
pub mod error;
pub mod explain;
pub mod guide;
pub mod history;
#[cfg(feature = "k8s")]
pub mod k8s;
pub mod model;
pub mod options;
pub mod plan;
pub mod progress;
pub mod question;
pub mod verify;

mod bound;
mod compile;
mod consolidate;
mod pack;
mod parallel;
mod refine;
#[cfg(feature = "schemars")]
mod schema;
mod solver;
mod stop;
mod what_if;

pub use error::Error;
pub use model::{
    ConsolidationOptions, InstanceType, Node, NodePool, Offering, Pod, Price, Problem, Quantity,
    Requirement, Resources,
};
pub use options::{Effort, Limits, Options, PreferencePolicy};
pub use plan::LaunchPlan;
pub use progress::Observer;
pub use solver::{Solver, consolidate, provision};
pub use stop::Stop;
pub use verify::{verify, verify_consolidation};
pub use what_if::WhatIf;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
