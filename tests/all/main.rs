//! All integration tests, in one binary: the oracle, the generators and the crate are compiled and
//! linked once.
//!
//! Laws (`laws_*`) hold on random problems of [`random`]; facts are in [`corpus`]; [`oracle`]
//! searches small problems exhaustively and shares no line with the crate. Every plan is verified.

#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panics")]
#![allow(clippy::disallowed_methods, reason = "tests read files")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures, and what was skipped, are said"
)]

mod blame;
mod case_file;
mod certificates;
mod consolidated;
mod consolidation;
mod contingency;
mod corpus;
mod coverage;
mod documents;
mod ended;
mod enumeration;
mod exhaustion;
mod gaps;
mod guide;
mod headroom;
mod history;
mod hostile;
mod interruptions;
mod karpenter;
#[cfg(feature = "k8s")]
mod kubernetes;
mod laws_domains;
mod laws_model;
mod laws_open_labels;
mod laws_places;
mod laws_plan;
mod laws_refine;
mod laws_topology;
mod layering;
mod observer;
mod oracle;
mod order;
mod overlays;
mod packing;
mod page;
mod placement_bounds;
mod public_items;
mod questions;
mod random;
mod recorded;
mod requirement_cases;
mod robustness;
mod scaled;
mod scarcity;
mod static_pools;
mod statistics;
mod trace;
mod verified;
mod what_if;
