//! A node autoscaler around `plimsoll`: what it takes beside the decisions.
//!
//! All that decides is a function of what was observed and of the present instant
//! ([`controller::Controller`]); all that talks to the cluster is in [`api`], and [`run`] joins the
//! two. So a test runs the whole of it against a fake of the API, with a clock of its own, and only
//! the client has to be swapped for a real cluster.
//!
//! | module | what is in it |
//! |---|---|
//! | [`window`] | when a batch of pods is complete |
//! | [`cluster`] | the objects that were observed, and the problem that they come to |
//! | [`planner`] | a solver kept from batch to batch, asked through what-ifs |
//! | [`claims`] | what became of the claims that were created |
//! | [`disruption`] | nodes that are to go: replaced, drained, deleted |
//! | [`controller`] | what to do now |
//! | [`api`] | watches and calls |
//! | [`run`] | the loop |

pub mod api;
pub mod claims;
pub mod cluster;
pub mod controller;
pub mod disruption;
pub mod object;
pub mod planner;
pub mod run;
pub mod window;
