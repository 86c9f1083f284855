//! What a spread counts, and whether a domain may take one more pod.
//!
//! The numbers are kept up to date as pods get their cells; whether a cell is legal is then a
//! comparison of a few of them, and which cell is the best is decided where cells are chosen.

use crate::compile::{Bits, KeyId, SelectionId};
use std::sync::Arc;

/// How many pending pods a spread counts by domain, of those that have a cell.
///
/// A cell may have sites on which the spread counts nobody (`nodeAffinityPolicy`,
/// `nodeTaintsPolicy`), and the packer decides later which of its sites a pod gets. So there are
/// two counts, and each is used where it makes the rule stricter.
///
/// `count` uses `most` and the lowest count `least`, so what is legal by these is legal whichever
/// site a pod gets.
#[derive(Debug)]
pub(super) struct DomainCounts {
    pub(super) counted: Arc<Bits>,
    /// Pods that count wherever in their cells they land.
    pub(super) least: Vec<i64>,
    /// Pods that count somewhere in their cells.
    pub(super) most: Vec<i64>,
}

impl DomainCounts {
    /// Adds pods that go to some of these sites, all of one domain.
    pub(super) fn add(&mut self, sites: &Bits, domain: usize, count: u32) {
        if self.counted.overlaps(sites) {
            self.most[domain] += i64::from(count);
        }
        if self.counted.includes(sites) {
            self.least[domain] += i64::from(count);
        }
    }
}

/// What company counts for in a spread: as in a [`DomainCounts`], at least and at most.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CompanionCounts {
    pub(super) least: i64,
    pub(super) most: i64,
}

/// A spread of a class over a key, as its pods are placed.
#[derive(Debug)]
pub(super) struct SpreadState {
    pub(super) key: KeyId,
    pub(super) selection: SelectionId,
    /// Which of the tallies of its selection and key it looks at.
    pub(super) domain_counts: usize,
    pub(super) max_skew: i64,
    pub(super) hard: bool,
    /// 1 where the class counts itself.
    pub(super) own: i64,
    /// What bound pods count for, by domain.
    pub(super) bound: Vec<i64>,
    /// The domains that there are or could be.
    pub(super) open: Vec<bool>,
    /// Fewer domains than the constraint asks for: the lowest count is taken as 0.
    pub(super) few: bool,
}

impl SpreadState {
    /// Whether a domain of its key is one that no node is expected to stand in.
    pub(super) fn is_closed(&self, key: KeyId, domain: u32) -> bool {
        self.key == key && self.hard && !self.open[domain as usize]
    }

    /// How many more pods a domain may take in a row, after their company.
    ///
    /// Zero where the domain lacks the label or is full; without an end where the spread doesn't
    /// count its own pods.
    pub(super) fn run(
        &self,
        domain_counts: &DomainCounts,
        domain: Option<u32>,
        companions: CompanionCounts,
    ) -> i64 {
        let Some(domain) = domain.map(|domain| domain as usize) else { return 0 };
        if !self.is_kept(domain_counts, domain, self.lowest(domain_counts), companions) {
            return 0;
        }
        if self.own == 0 {
            return i64::MAX;
        }
        // The domain itself may be the lowest: then the lowest rises with it, up to the next.
        self.lowest_but(domain_counts, Some(domain)).unwrap_or(i64::MAX / 4) + self.max_skew
            - self.count(domain_counts, domain)
            - companions.most
    }

    /// Whether a domain may take one more pod, after its company.
    ///
    /// Kube-scheduler's condition: count in the domain, with the pod if it counts itself, less the
    /// lowest count, is at most `maxSkew`.
    pub(super) fn is_kept(
        &self,
        domain_counts: &DomainCounts,
        domain: usize,
        lowest: i64,
        companions: CompanionCounts,
    ) -> bool {
        let lowest = match companions.least {
            0 => lowest,
            least => {
                let here = self.bound[domain] + domain_counts.least[domain] + least;
                self.lowest_but(domain_counts, Some(domain)).map_or(here, |others| others.min(here))
            }
        };
        self.count(domain_counts, domain) + companions.most + self.own - lowest <= self.max_skew
    }

    /// The lowest count that the domains are sure to have, but for one.
    ///
    /// With fewer domains than `minDomains` the lowest count is zero, whatever they hold.
    fn lowest_but(&self, domain_counts: &DomainCounts, domain: Option<usize>) -> Option<i64> {
        if self.few {
            return Some(0);
        }
        let others = (0..self.open.len()).filter(|at| Some(*at) != domain && self.open[*at]);
        others.map(|at| self.bound[at] + domain_counts.least[at]).min()
    }

    /// How many pods may count in a domain.
    pub(super) fn count(&self, domain_counts: &DomainCounts, domain: usize) -> i64 {
        self.bound[domain] + domain_counts.most[domain]
    }

    /// The lowest count that the domains are sure to have.
    pub(super) fn lowest(&self, domain_counts: &DomainCounts) -> i64 {
        self.lowest_but(domain_counts, None).unwrap_or(0)
    }
}
