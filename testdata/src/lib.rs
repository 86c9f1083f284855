//! Bundled test data: a catalog of instance types, a seeded workload generator and ready problems.
//!
//! Everything here is a pure function of its arguments: the same seed gives the same documents on
//! every platform, because no floating point and no foreign random generator is involved.

mod catalog;
mod cluster;
mod hostile;
mod pools;
mod problems;
mod random;
mod workload;

pub use catalog::{ZONES, catalog, label, synthetic_catalog};
pub use cluster::running_cluster;
pub use hostile::{HOSTILE, hostile};
pub use pools::{daemon_sets, pools};
pub use problems::{BENCH_PROBLEMS, problem};
pub use random::SplitMix64;
pub use workload::{WorkloadSpec, workload};
