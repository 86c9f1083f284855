//! Exhaustion, done again: that no way to fill nodes with the pods of a certificate costs less than
//! it claims.
//!
//! *What is tried.* Every division of the pods over all nodes that run or can be launched, as far
//! as each node can hold what it gets: pods that it admits, within its room; none that keep each
//! other off; no more of a class than a spread over hosts allows; no pod without the company that
//! it needs on its node. Together they draw no more on a limit or a reservation than there is. And
//! the domains of labels over which rules count have pods as these rules want it in the end
//! ([`DomainRule`]).
//!
//! *Why it proves a bound.* Whatever a plan of which the certificate speaks does with these pods is
//! among what is tried, at no more than it costs. Of everything else, the same holds as of all that
//! is checked here: what isn't certain counts in favour of the other plan.
//!
//! *How.* What pods cost that are on nodes with the same labels depends on nothing elsewhere, so it
//! is worked out once for each number of pods of each item ([`search`]). What rules over domains
//! are about is divided over these *cells* in every way that keeps them; the rest then goes where
//! it costs least.
//!
//! *Cost.* It is a proof for few pods: the product of all items' numbers, and of ways to divide
//! them. Its steps are counted, and where they don't suffice nothing is said.

mod nodes;
mod search;

use super::super::facts::Facts;
use super::super::limit::Usage;
use super::super::reservation::Reservations;
use super::super::topology::{DomainRule, MOST_PODS, PlacedClasses};
use super::anti_affinity::Separation;
use super::pods::{CountedPods, PodProfile};
use crate::model::{Price, well_known};
use crate::plan::certificate::Certificate;
use nodes::ClaimNodes;
use search::ClaimSearch;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most steps of a search.
const MOST_STEPS: u64 = 1 << 27;

/// What became of a claim.
pub(super) enum ClaimOutcome {
    /// It is so.
    Proved,
    /// There may be something that costs no more than this.
    Cheaper(Price),
    /// It would take too long to say, or it isn't a claim of this class.
    Unknown,
}

/// Pods of an item of the certificate.
pub(super) struct ClaimItem<'c> {
    pods: &'c CountedPods,
    /// Their class as rules between pods have it; nothing where they are of several.
    class: Option<usize>,
    count: u32,
    /// The items before it with which none of them shares a node.
    separated: Vec<usize>,
    /// Those before it of the same entries, which share the number that a node may hold.
    companions: Vec<usize>,
}

/// Whether nothing that is tried costs less than this.
pub(super) fn check<'a>(
    facts: &Facts<'a>,
    certificate: &Certificate,
    (counted, profiles): (&[CountedPods], &[PodProfile<'a>]),
    classes: &PlacedClasses,
    scarce: (&Usage<'a>, &Reservations<'a>),
    claim: Price,
) -> ClaimOutcome {
    let total = counted.iter().fold(0_u64, |sum, pods| sum.saturating_add(pods.count.into()));
    let few = total <= MOST_PODS && u64::try_from(counted.len()).is_ok_and(|n| n <= MOST_PODS);
    let is_static = facts.problem.node_pools.iter().any(|pool| pool.replicas.is_some());
    let Ok(limit) = i64::try_from(claim.nanos()) else { return ClaimOutcome::Unknown };
    if !few || is_static || counted.iter().any(|pods| pods.beyond) {
        return ClaimOutcome::Unknown;
    }
    let rules = domain_rules(counted, profiles, classes);
    // Items that rules are about first.
    let mut order: Vec<usize> = (0..counted.len()).collect();
    let is_tied = |at: &usize| {
        let class = counted.get(*at).and_then(|pods| class(pods, profiles));
        let about = |rule: &DomainRule| {
            class.is_some_and(|class| rule.owners.contains(&class) || rule.meant.contains(&class))
        };
        ruled_over_labels(&rules).any(about)
    };
    order.sort_by_key(|at| !is_tied(at));
    let tied = order.iter().filter(|at| is_tied(at)).count();
    let mut separation = Separation::new(facts, profiles);
    let mut items: Vec<ClaimItem<'_>> = Vec::with_capacity(counted.len());
    for at in order {
        let Some(pods) = counted.get(at) else { continue };
        let before = || items.iter().enumerate();
        let entries =
            |pods: &CountedPods| certificate.pods.get(pods.position).map(|it| &it.entries);
        let companions = before().filter(|(_, item)| entries(item.pods) == entries(pods));
        let companions = companions.map(|(it, _)| it).collect();
        let separated = before().filter(|(_, item)| separation.are_separated(pods, item.pods));
        let separated = separated.map(|(it, _)| it).collect();
        items.push(ClaimItem {
            pods,
            class: class(pods, profiles),
            count: pods.count,
            separated,
            companions,
        });
    }
    let keys: BTreeSet<Arc<str>> = ruled_over_labels(&rules).map(|rule| rule.key.clone()).collect();
    let Some(nodes) =
        ClaimNodes::of(facts, certificate, (counted, profiles), classes, scarce, &keys)
    else {
        return ClaimOutcome::Unknown;
    };
    let mut search = ClaimSearch::new(&items, tied, &nodes, &rules, limit, MOST_STEPS);
    match search.run(&classes.host_spreads) {
        Some(None) => ClaimOutcome::Proved,
        Some(Some(cost)) => ClaimOutcome::Cheaper(Price::from_nanos(cost.into())),
        None => ClaimOutcome::Unknown,
    }
}

/// The class of an item's pods, if all are of one.
fn class(pods: &CountedPods, profiles: &[PodProfile<'_>]) -> Option<usize> {
    let mut classes = pods
        .profiles
        .iter()
        .filter_map(|profile| profiles.get(*profile))
        .map(|profile| profile.class);
    let first = classes.next()?;
    classes.all(|class| class == first).then_some(first)
}

/// The rules of which all pods that they mean are among those counted.
fn domain_rules(
    counted: &[CountedPods],
    profiles: &[PodProfile<'_>],
    classes: &PlacedClasses,
) -> Vec<DomainRule> {
    let mut there: BTreeMap<usize, u64> = BTreeMap::new();
    let mut mixed: BTreeSet<usize> = BTreeSet::new();
    for pods in counted {
        match class(pods, profiles) {
            Some(class) => {
                let sum = there.entry(class).or_insert(0);
                *sum = sum.saturating_add(pods.count.into());
            }
            None => {
                let several = pods.profiles.iter().filter_map(|profile| profiles.get(*profile));
                mixed.extend(several.map(|profile| profile.class));
            }
        }
    }
    let whole = |class: &usize| {
        let placed = classes.placed.get(class).copied().unwrap_or(0);
        !mixed.contains(class) && there.get(class).copied().unwrap_or(0) == placed
    };
    let rules =
        classes.rules.iter().filter(|rule| rule.owners.iter().chain(&rule.meant).all(whole));
    rules.cloned().collect()
}

/// Rules over other labels than the hostname.
fn ruled_over_labels(rules: &[DomainRule]) -> impl Iterator<Item = &DomainRule> {
    rules.iter().filter(|rule| &*rule.key != well_known::HOSTNAME)
}
