//! Which nodes static pools launch: every choice.
//!
//! *Problem.* A static pool launches so many nodes whatever is pending, also such as hold nothing.
//! Where they stand matters all the same: a node that holds nothing is a domain that spreads count,
//! takes from a reservation, or could have been the one that a pod needs.
//!
//! *Idea.* There are mostly few choices, so each is a search of its own, in which the nodes stand
//! like running ones.
//!
//! *Why it is right.* Every plan launches some choice of nodes of its static pools, and each choice
//! is one that limits and reservations admit.
//!
//! *Cost.* Nothing without static pools; else a search for each choice, [`MOST_CHOICES`] at most,
//! or none.

use super::super::tuning::static_nodes::{MOST_CHOICES, MOST_NODES};
use super::rebuild::static_cost;
use crate::compile::{NodeSource, OfferId, PoolId};
use crate::pack::{Context, NodeGroup, Packing};

/// The nodes that static pools launch.
#[derive(Clone, Debug)]
pub(super) struct StaticNodes {
    /// The offer of each.
    pub(super) offers: Vec<OfferId>,
    /// What they cost more than the cheapest of each pool.
    pub(super) extra: i128,
}

/// All choices, the cheapest first; none where there are too many, or where `minValues` have a say
/// in them.
pub(super) fn choices(context: &Context<'_>) -> Vec<StaticNodes> {
    let compiled = context.compiled;
    // For each choice, the bin types of its nodes.
    let mut all: Vec<Vec<usize>> = vec![Vec::new()];
    for (id, pool) in compiled.pools.iter() {
        let Some(nodes) = pool.static_replicas.filter(|nodes| *nodes > 0) else { continue };
        if !pool.min_values.is_empty() {
            return Vec::new();
        }
        let of_pool = of_pool(context, id, nodes);
        if of_pool.is_empty() || all.len().saturating_mul(of_pool.len()) > MOST_CHOICES {
            return Vec::new();
        }
        let joined = all.iter().flat_map(|before| {
            of_pool.iter().map(|own| before.iter().chain(own).copied().collect())
        });
        all = joined.collect();
    }
    let least = static_cost(context);
    let choice = |bin_types: &Vec<usize>| {
        let mut packing = Packing::new(compiled);
        let mut cost = 0;
        for at in bin_types {
            cost += i128::from(compiled.bin_types[*at].price) + i128::from(context.fee);
            let (place, load) = (NodeSource::Launch(*at), vec![0; compiled.dims.len()]);
            let items = Vec::new();
            packing.add(compiled, NodeGroup { place, items, load, multiplicity: 1 });
        }
        let offers = bin_types.iter().filter_map(|at| compiled.bin_types[*at].offers.first());
        let nodes = StaticNodes { offers: offers.copied().collect(), extra: cost - least };
        (!packing.overdraws(compiled) && !bin_types.is_empty()).then_some(nodes)
    };
    let mut choices: Vec<StaticNodes> = all.iter().filter_map(choice).collect();
    choices.sort_by(|one, other| (one.extra, &one.offers).cmp(&(other.extra, &other.offers)));
    choices
}

/// The ways to launch so many nodes of a pool, each as its bin types, ascending; none where there
/// are too many.
fn of_pool(context: &Context<'_>, pool: PoolId, nodes: u32) -> Vec<Vec<usize>> {
    let bin_types = context.compiled.bin_types.iter().enumerate();
    let own: Vec<usize> =
        bin_types.filter(|(_, bin_type)| bin_type.pool == pool).map(|(at, _)| at).collect();
    if nodes > MOST_NODES {
        return Vec::new();
    }
    let mut ways: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..nodes {
        let with = |way: &Vec<usize>| {
            let from = way.last().copied().unwrap_or(0);
            let more = |at: &usize| way.iter().copied().chain([*at]).collect();
            own.iter().filter(|at| **at >= from).map(more).collect::<Vec<Vec<usize>>>()
        };
        ways = ways.iter().flat_map(with).collect();
        if ways.len() > MOST_CHOICES {
            return Vec::new();
        }
    }
    ways
}
