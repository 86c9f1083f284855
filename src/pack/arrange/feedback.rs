//! What packing answers to an arrangement, and what the next one is held to by it.

use crate::compile::{Compiled, IdVec, KeyId, KindId};
use std::collections::{BTreeMap, BTreeSet};

/// A kind with a spread over a key, and one of its domains.
pub(crate) type Foreign = (KindId, KeyId, u32);

/// What packing an arrangement showed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Feedback {
    /// A cell holds so many pods of a kind and no more.
    CellFull { kind: KindId, cell: usize, held: u32 },
    /// In all cells of a kind together, which draw on the same limits, there is room for so many pods.
    KindFull { kind: KindId, held: u32 },
    /// Of pods of a kind that were to share a node with others so many find one at most.
    BundleTooHeavy { kind: KindId, most: u32 },
    /// No node stands in a domain that a spread counts as empty.
    DomainEmpty(Foreign),
    /// Others launched in a domain that a spread can't use: they are to keep out if they can.
    DomainBarred(Foreign),
    /// Others need such a domain, so that it counts for the spread.
    DomainOpened(Foreign),
    /// A kind found no cell: it is to be arranged before the others of its level.
    NoCell(KindId),
    /// Pods of a kind stay out, which could be due to its preferences.
    PreferencesInTheWay(KindId),
    /// No arrangement of a kind was found that can be packed.
    NoRoom(KindId),
}

/// What an arrangement is held to.
#[derive(Clone, Debug)]
pub(crate) struct Restrictions {
    /// For each kind, whether its preferences take part.
    pub(crate) wishful: IdVec<KindId, bool>,
    /// Kinds that are to try one of their cells before the others.
    pub(crate) hints: BTreeMap<KindId, usize>,
    /// Kinds that are to be arranged before the others of their level.
    pub(super) early: Vec<KindId>,
    /// How many pods of a kind one of its cells holds at most.
    pub(super) ceilings: BTreeMap<(KindId, usize), u32>,
    /// How many pods of a kind all of its cells hold together.
    pub(super) totals: BTreeMap<KindId, u32>,
    /// How many pods of a kind are to share one node at most.
    pub(super) bundles: BTreeMap<KindId, u32>,
    /// Domains that a kind could use and that are given up.
    pub(super) closed: BTreeSet<Foreign>,
    /// Domains that a kind can't use and others are to keep out of.
    pub(super) banned: BTreeSet<Foreign>,
    /// Domains that a kind can't use and others need.
    pub(super) opened: BTreeSet<Foreign>,
    /// Kinds that stay out.
    pub(super) given_up: BTreeSet<KindId>,
}

impl Restrictions {
    pub(crate) fn new(compiled: &Compiled, wishful: bool) -> Self {
        Self {
            wishful: compiled.kinds.iter().map(|_| wishful).collect(),
            hints: BTreeMap::new(),
            early: Vec::new(),
            ceilings: BTreeMap::new(),
            totals: BTreeMap::new(),
            bundles: BTreeMap::new(),
            closed: BTreeSet::new(),
            banned: BTreeSet::new(),
            opened: BTreeSet::new(),
            given_up: BTreeSet::new(),
        }
    }

    /// Takes an answer into account; whether it says anything new.
    pub(crate) fn learn(&mut self, feedback: Feedback) -> bool {
        match feedback {
            Feedback::CellFull { kind, cell, held } => {
                self.ceilings.insert((kind, cell), held) != Some(held)
            }
            Feedback::KindFull { kind, held } => self.totals.insert(kind, held) != Some(held),
            Feedback::BundleTooHeavy { kind, most } => {
                self.bundles.insert(kind, most) != Some(most)
            }
            Feedback::DomainEmpty(domain) => self.closed.insert(domain),
            Feedback::DomainBarred(domain) => self.banned.insert(domain),
            Feedback::DomainOpened(domain) => {
                self.banned.remove(&domain) | self.opened.insert(domain)
            }
            Feedback::NoCell(kind) => {
                let new = !self.early.contains(&kind);
                if new {
                    self.early.push(kind);
                }
                new
            }
            Feedback::PreferencesInTheWay(kind) => {
                std::mem::replace(&mut self.wishful[kind], false)
            }
            Feedback::NoRoom(kind) => self.given_up.insert(kind),
        }
    }

    /// How many pods of a kind have room in all of its cells, of so many.
    pub(crate) fn total(&self, kind: KindId, count: u32) -> u32 {
        self.totals.get(&kind).map_or(count, |total| count.min(*total))
    }
}
