//! Lower bounds on what any plan must pay, and the worth of each item that follows from them.

mod catalog;
pub(crate) mod certificate;
mod checkable;
mod cluster;
mod inequality;
mod placed;
mod published;
mod relaxation;
mod reserve;
mod scarcity;
mod simplex;

pub(crate) use catalog::{BinCatalog, SlotTable};
pub(crate) use cluster::{BoundedCluster, CandidateNode, Candidates, ClusterBound};
pub(crate) use placed::{all_placed, most_placed};
pub(crate) use published::{BoundInput, EqualNodes, Proved, prove, prove_cluster};
pub(crate) use relaxation::{Demand, DualValues, Relaxation};
pub(crate) use scarcity::RemainingCapacity;
