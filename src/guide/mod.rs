//! The guide: what isn't said of one item alone. It has no code of its own; its examples are
//! tested.
//!
//! | page | answers |
//! |---|---|
//! | [`semantics`] | what each rule means here, to the last unit |
//! | [`objective`] | which of two plans is the better one |
//! | [`bounds`] | how far a plan is from the cheapest, who proves it, and when to stop |
//! | [`consolidation`] | what becomes of running nodes, in which order, and why others stay |
//! | [`explaining`] | why a pod has no place, why not another launch, what a rule costs |
//! | [`embedding`] | how a controller keeps a problem, asks, shows reasons and stays responsive |
//! | [`differences`] | where Karpenter and Cluster Autoscaler would answer otherwise |
//! | [`performance`] | what it takes, by size, and what costs time |
//! | [`limits`] | what is refused, what is bounded, and what isn't modelled |
#![cfg_attr(
    feature = "serde",
    doc = "| [`documents`] | the JSON of problems and plans, field by field |"
)]
#![cfg_attr(feature = "k8s", doc = "| [`kubernetes`] | objects of a cluster in, NodeClaims out |")]
//!
//! Names in `code` such as `price-remainder` are cases of the repository's corpus
//! (`testdata/cases`, `testdata/consolidation`): small problems with the answer worked out by hand.

#[doc = include_str!("semantics.md")]
pub mod semantics {}

#[doc = include_str!("objective.md")]
pub mod objective {}

#[doc = include_str!("bounds.md")]
pub mod bounds {}

#[doc = include_str!("consolidation.md")]
pub mod consolidation {}

#[doc = include_str!("explaining.md")]
pub mod explaining {}

#[doc = include_str!("embedding.md")]
pub mod embedding {}

#[doc = include_str!("differences.md")]
pub mod differences {}

#[doc = include_str!("performance.md")]
pub mod performance {}

#[doc = include_str!("limits.md")]
pub mod limits {}

#[cfg(feature = "k8s")]
#[doc = include_str!("kubernetes.md")]
pub mod kubernetes {}

#[cfg(feature = "serde")]
#[doc = include_str!("documents.md")]
pub mod documents {}
