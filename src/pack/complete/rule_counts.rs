//! What rules over domains count, as pods and nodes come and go: how many pods of a selection are
//! in a domain, in which domains nodes stand, and how many more pods that allows where.
//!
//! *Problem.* Every attempt to place a pod asks how many more a site may take, thousands of times a
//! search; counting pods anew each time would cost the size of the plan.
//!
//! *Idea.* Rules are reduced to counters: a selection of pods over the domains of one key. Pods
//! that share a selector and a key share a counter. What placing or taking a pod changes is the
//! counters that count its class, in one domain each.
//!
//! *Right.* The numbers are at all times those that kube-scheduler would compute from the pods that
//! stand: bound ones from the start, the plan's as they are counted in and out. Nodes matter beside
//! pods, since a spread's lowest count is over domains with nodes.
//!
//! *Cost.* A change costs the counters of one class; a question the rules of one class and the
//! domains of its spreads.

use super::rules::PlacementRules;
use crate::compile::{ClassId, Compiled, NO_DOMAIN};

/// Counts of pods and of nodes, by domain.
///
/// Indices are those of `PlacementRules`: its counters and totals, by number.
#[derive(Clone, Debug)]
pub(crate) struct RuleCounts {
    /// For each counter and domain, how many pods are there.
    ///
    /// Signed, as sums with the allowed skew are; never below zero while changes are taken back in
    /// pairs.
    pub(crate) counts: Vec<Vec<i64>>,
    /// For each counter of a spread and each domain, how many nodes stand there.
    ///
    /// Kept for counters of spreads alone; only nodes count that the spread's policies for affinity
    /// and taints let in.
    pub(crate) exists: Vec<Vec<u32>>,
    /// For each total, how many pods it counts anywhere.
    ///
    /// For the exception that lets the first pod of an affinity be placed where nobody is.
    pub(crate) totals: Vec<u64>,
}

impl RuleCounts {
    /// The counts of bound pods, before any node stands.
    ///
    /// Nodes are counted afterwards, by `stand`, as the placement is made up.
    pub(crate) fn of(compiled: &Compiled, rules: &PlacementRules) -> Self {
        let totals = rules.totals.iter().map(|selection| {
            let bound = &compiled.topology.selections[*selection].bound;
            bound.iter().map(|(_, count)| u64::from(*count)).sum()
        });
        Self {
            counts: rules.counters.iter().map(|counter| counter.bound.clone()).collect(),
            exists: rules.counters.iter().map(|counter| vec![0; counter.bound.len()]).collect(),
            totals: totals.collect(),
        }
    }

    /// Counts pods at a site.
    ///
    /// `count` is below zero where pods are taken out. A site without the counter's label has no
    /// domain: pods there count for no domain, but for totals.
    pub(crate) fn count(
        &mut self,
        compiled: &Compiled,
        rules: &PlacementRules,
        class: ClassId,
        site: usize,
        count: i64,
    ) {
        for at in &rules.of_class[class].counted_by {
            if let Some(domain) = rules.domain(compiled, *at, site) {
                self.counts[*at][domain] += count;
            }
        }
        for total in &rules.of_class[class].totals {
            self.totals[*total] = self.totals[*total].saturating_add_signed(count);
        }
    }

    /// Notes that nodes stand at a site, or no longer.
    ///
    /// `count` is the number of nodes, below zero where they go.
    pub(crate) fn stand(
        &mut self,
        compiled: &Compiled,
        rules: &PlacementRules,
        site: usize,
        count: i64,
    ) {
        for at in &rules.spread_counters {
            if let Some(domain) = rules.domain(compiled, *at, site) {
                let exists = i64::from(self.exists[*at][domain]) + count;
                self.exists[*at][domain] = u32::try_from(exists.max(0)).unwrap_or(u32::MAX);
            }
        }
    }

    /// The lowest count of a spread's domains; none where these are fewer than it asks for.
    ///
    /// As in kube-scheduler: with fewer domains than `minDomains` the global minimum counts as
    /// zero.
    pub(crate) fn least(&self, counter: usize, min_domains: usize) -> i64 {
        let domains = self.counts[counter].iter().zip(&self.exists[counter]);
        let (mut least, mut number) = (i64::MAX, 0);
        for (count, _) in domains.filter(|(_, exists)| **exists > 0) {
            least = least.min(*count);
            number += 1;
        }
        if number < min_domains || number == 0 { 0 } else { least }
    }

    /// How many more pods of a class rules over domains allow at a site, when bound after all
    /// others.
    ///
    /// For a class with anti-affinity to itself at most one, for the first of an affinity at most
    /// one, as the next one finds a partner and other bounds. Rules over single nodes are not
    /// looked at here: the placement's own record of each node answers for them.
    pub(crate) fn room(
        &self,
        compiled: &Compiled,
        all: &PlacementRules,
        class: ClassId,
        site: usize,
    ) -> u32 {
        let rules = &all.of_class[class];
        let mut most = u32::MAX;
        let domain = |at: usize| all.domain(compiled, at, site);
        for at in &rules.anti_affinity {
            if domain(*at).is_some_and(|domain| self.counts[*at][domain] > 0) {
                return 0;
            }
        }
        if rules.anti_affinity_to_self {
            let labelled = rules.anti_affinity.iter().any(|at| domain(*at).is_some());
            most = if labelled { 1 } else { most };
        }
        if let Some(affinity) = rules.affinity {
            let labelled = |at: &usize| {
                compiled.topology.keys[all.counters[*at].key].of_site[site] != NO_DOMAIN
            };
            if !rules.affinity_counters.iter().all(labelled) {
                return 0;
            }
            let met = rules
                .affinity_counters
                .iter()
                .all(|at| domain(*at).is_some_and(|domain| self.counts[*at][domain] > 0));
            if !met || affinity.over_hosts && self.totals[affinity.total] == 0 {
                let is_first =
                    affinity.own && rules.is_first(&affinity, &self.totals, &self.counts);
                if !is_first {
                    return 0;
                }
                most = most.min(1);
            }
        }
        for spread in &rules.spreads {
            let Some(domain) = domain(spread.counter) else { return 0 };
            let reach = spread.max_skew + self.least(spread.counter, spread.min_domains);
            let room = reach - self.counts[spread.counter][domain];
            most = match spread.own {
                true => most.min(u32::try_from(room.max(0)).unwrap_or(u32::MAX)),
                false if room >= 0 => most,
                false => return 0,
            };
        }
        most
    }
}
