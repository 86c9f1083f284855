//! The decision core of a Kubernetes node autoscaler.
//!
//! Given pods, scheduling rules, running nodes and priced instance offerings, `plimsoll` says which
//! nodes to launch, what goes on them, what can't be placed and exactly why, and how far the answer
//! is from the cheapest one possible. It is a pure function: no I/O, no clock, no global state, and
//! the same input gives the same output, byte for byte.

pub mod contingency;
pub mod error;
pub mod explain;
pub mod history;
#[cfg(feature = "k8s")]
pub mod k8s;
pub mod model;
pub mod options;
pub mod plan;
pub mod progress;
pub mod verify;

mod bound;
mod compile;
mod consolidate;
mod pack;
mod parallel;
mod refine;
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
