//! Exhaustion, done again: that no way to fill nodes with the pods of a certificate costs less than it
//! claims.
//!
//! *What is tried.* Every division of the pods over all nodes that run or can be launched, as far as each
//! node can hold what it gets: pods that it admits, within its room; none that keep each other off; no
//! more of a kind than a spread over hosts allows; no pod without the company that it needs on its node.
//! Together they draw no more on a limit or a reservation than there is. And the domains of labels over
//! which rules count have pods as these rules want it in the end ([`Tie`]).
//!
//! *Why it proves a bound.* Whatever a plan of which the certificate speaks does with these pods is among
//! what is tried, at no more than it costs. Of everything else, the same holds as of all that is checked
//! here: what isn't certain counts in favour of the other plan.
//!
//! *How.* What pods cost that are on nodes with the same labels depends on nothing elsewhere, so it is
//! worked out once for each number of pods of each item ([`search`]). What rules over domains are about is
//! divided over these *cells* in every way that keeps them; the rest then goes where it costs least.
//!
//! *Cost.* It is a proof for few pods: the product of all items' numbers, and of ways to divide them. Its
//! steps are counted, and where they don't suffice nothing is said.

mod nodes;
mod search;

use super::super::facts::Facts;
use super::super::limit::Usage;
use super::super::reservation::Reservations;
use super::super::topology::{Kinds, MOST_PODS, Tie};
use super::apart::Apart;
use super::pods::{Ask, Counted};
use crate::model::{Price, well_known};
use crate::plan::certificate::Certificate;
use nodes::Nodes;
use search::Search;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most steps of a search.
const MOST_STEPS: u64 = 1 << 27;

/// What became of a claim.
pub(super) enum Outcome {
    /// It is so.
    Proved,
    /// There may be something that costs no more than this.
    Cheaper(Price),
    /// It would take too long to say, or it isn't a claim of this kind.
    Unknown,
}

/// Pods of an item of the certificate.
pub(super) struct Item<'c> {
    pods: &'c Counted,
    /// Their kind as rules between pods have it; nothing where they are of several.
    kind: Option<usize>,
    count: u32,
    /// The items before it with which none of them shares a node.
    apart: Vec<usize>,
    /// Those before it of the same entries, which share the number that a node may hold.
    fellows: Vec<usize>,
}

/// Whether nothing that is tried costs less than this.
pub(super) fn check<'a>(
    facts: &Facts<'a>,
    certificate: &Certificate,
    (counted, asks): (&[Counted], &[Ask<'a>]),
    kinds: &Kinds,
    scarce: (&Usage<'a>, &Reservations<'a>),
    claim: Price,
) -> Outcome {
    let total = counted.iter().fold(0_u64, |sum, pods| sum.saturating_add(pods.count.into()));
    let few = total <= MOST_PODS && u64::try_from(counted.len()).is_ok_and(|n| n <= MOST_PODS);
    let fixed = facts.problem.node_pools.iter().any(|pool| pool.replicas.is_some());
    let Ok(limit) = i64::try_from(claim.nanos()) else { return Outcome::Unknown };
    if !few || fixed || counted.iter().any(|pods| pods.beyond) {
        return Outcome::Unknown;
    }
    let ties = ties(counted, asks, kinds);
    // Items that rules are about first.
    let mut order: Vec<usize> = (0..counted.len()).collect();
    let is_tied = |at: &usize| {
        let kind = counted.get(*at).and_then(|pods| kind(pods, asks));
        let about = |tie: &Tie| {
            kind.is_some_and(|kind| tie.owners.contains(&kind) || tie.meant.contains(&kind))
        };
        tied_over_labels(&ties).any(about)
    };
    order.sort_by_key(|at| !is_tied(at));
    let tied = order.iter().filter(|at| is_tied(at)).count();
    let mut apart = Apart::new(facts, asks);
    let mut items: Vec<Item<'_>> = Vec::with_capacity(counted.len());
    for at in order {
        let Some(pods) = counted.get(at) else { continue };
        let before = || items.iter().enumerate();
        let entries = |pods: &Counted| certificate.pods.get(pods.position).map(|it| &it.entries);
        let fellows = before().filter(|(_, item)| entries(item.pods) == entries(pods));
        let fellows = fellows.map(|(it, _)| it).collect();
        let apart = before().filter(|(_, item)| apart.are_apart(pods, item.pods));
        let apart = apart.map(|(it, _)| it).collect();
        items.push(Item { pods, kind: kind(pods, asks), count: pods.count, apart, fellows });
    }
    let keys: BTreeSet<Arc<str>> = tied_over_labels(&ties).map(|tie| tie.key.clone()).collect();
    let Some(nodes) = Nodes::of(facts, certificate, (counted, asks), kinds, scarce, &keys) else {
        return Outcome::Unknown;
    };
    let mut search = Search::new(&items, tied, &nodes, &ties, limit, MOST_STEPS);
    match search.run(&kinds.crowds) {
        Some(None) => Outcome::Proved,
        Some(Some(cost)) => Outcome::Cheaper(Price::from_nanos(cost.into())),
        None => Outcome::Unknown,
    }
}

/// The kind of an item's pods, if all are of one.
fn kind(pods: &Counted, asks: &[Ask<'_>]) -> Option<usize> {
    let mut kinds = pods.asks.iter().filter_map(|ask| asks.get(*ask)).map(|ask| ask.kind);
    let first = kinds.next()?;
    kinds.all(|kind| kind == first).then_some(first)
}

/// The rules of which all pods that they mean are among those counted.
fn ties(counted: &[Counted], asks: &[Ask<'_>], kinds: &Kinds) -> Vec<Tie> {
    let mut there: BTreeMap<usize, u64> = BTreeMap::new();
    let mut mixed: BTreeSet<usize> = BTreeSet::new();
    for pods in counted {
        match kind(pods, asks) {
            Some(kind) => {
                let sum = there.entry(kind).or_insert(0);
                *sum = sum.saturating_add(pods.count.into());
            }
            None => {
                let several = pods.asks.iter().filter_map(|ask| asks.get(*ask));
                mixed.extend(several.map(|ask| ask.kind));
            }
        }
    }
    let whole = |kind: &usize| {
        let placed = kinds.placed.get(kind).copied().unwrap_or(0);
        !mixed.contains(kind) && there.get(kind).copied().unwrap_or(0) == placed
    };
    let ties = kinds.ties.iter().filter(|tie| tie.owners.iter().chain(&tie.meant).all(whole));
    ties.cloned().collect()
}

/// Rules over other labels than the hostname.
fn tied_over_labels(ties: &[Tie]) -> impl Iterator<Item = &Tie> {
    ties.iter().filter(|tie| &*tie.key != well_known::HOSTNAME)
}
