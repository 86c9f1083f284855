//! What rules over domains count, as pods and nodes come and go: how many pods of a selection are
//! in a domain, in which domains nodes stand, and how many more pods that allows where.

use super::rules::PlacementRules;
use crate::compile::{ClassId, Compiled, NO_DOMAIN};

/// Counts of pods and of nodes, by domain.
#[derive(Clone, Debug)]
pub(crate) struct RuleCounts {
    /// For each counter and domain, how many pods are there.
    pub(crate) counts: Vec<Vec<i64>>,
    /// For each counter of a spread and each domain, how many nodes stand there.
    pub(crate) exists: Vec<Vec<u32>>,
    /// For each total, how many pods it counts anywhere.
    pub(crate) totals: Vec<u64>,
}

impl RuleCounts {
    /// The counts of bound pods, before any node stands.
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
