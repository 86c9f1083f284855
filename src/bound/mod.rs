//! Lower bounds on what any plan must pay, and the worth of each item that follows from them.
//!
//! *Two uses of one programme.* A small linear programme gives every resource, every scarce thing
//! and every item a price. Added up over the pods that must be placed these prices are a lower
//! bound on cost; taken one pod at a time they are what the packer goes by, since a plan whose
//! nodes are all worth what they cost is optimal.
//!
//! *Trust.* The programme is solved in fixed-point numbers, and nobody relies on how well: what
//! comes out is rounded, repaired until it is a solution of the dual in integers, and written down
//! as a certificate that `verify` checks from the documents.
//!
//! | file | what it does |
//! |---|---|
//! | [`relaxation`], [`inequality`] | the inequalities that every plan satisfies, and prices for them |
//! | [`simplex`] | the programme, solved with the rows that matter |
//! | [`scarcity`] | the same where limits and reservations leave pods out |
//! | [`reserve`] | another worth: what a pod would cost on a node of its own |
//! | [`catalog`] | what can be bought, in the orders in which it is asked for |
//! | [`published`], [`certificate`], [`checkable`] | from prices to a certificate that can be checked in bounded time |
//! | [`placed`] | how many pods can be placed at most |
//! | [`cluster`] | a running cluster of which nodes may go |

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
