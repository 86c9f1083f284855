//! What packing answers to an assignment, and what the next one is held to by it.

use crate::compile::{ClassId, Compiled, IdVec, KeyId};
use std::collections::{BTreeMap, BTreeSet};

/// A class with a spread over a key, and one of its domains.
pub(crate) type SpreadDomain = (ClassId, KeyId, u32);

/// What packing an assignment showed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Feedback {
    /// A cell holds so many pods of a class and no more.
    CellFull { class: ClassId, cell: usize, held: u32 },
    /// In all cells of a class together, which draw on the same limits, there is room for so many
    /// pods.
    ClassFull { class: ClassId, held: u32 },
    /// Of pods of a class that were to share a node with others so many find one at most.
    BundleTooHeavy { class: ClassId, most: u32 },
    /// No node stands in a domain that a spread counts as empty.
    DomainEmpty(SpreadDomain),
    /// Others launched in a domain that a spread can't use: they are to keep out if they can.
    DomainBarred(SpreadDomain),
    /// Others need such a domain, so that it counts for the spread.
    DomainOpened(SpreadDomain),
    /// A class found no cell: it is to be assigned before the others of its level.
    NoCell(ClassId),
    /// Pods of a class stay out, which could be due to its preferences.
    PreferencesInTheWay(ClassId),
    /// No assignment of a class was found that can be packed.
    NoRoom(ClassId),
}

/// What an assignment is held to.
#[derive(Clone, Debug)]
pub(crate) struct Restrictions {
    /// For each class, whether its preferences take part.
    pub(crate) preferring: IdVec<ClassId, bool>,
    /// Classes that are to try one of their cells before the others.
    pub(crate) hints: BTreeMap<ClassId, usize>,
    /// Classes that are to be assigned before the others of their level.
    pub(super) early: Vec<ClassId>,
    /// How many pods of a class one of its cells holds at most.
    pub(super) learnt_capacities: BTreeMap<(ClassId, usize), u32>,
    /// How many pods of a class all of its cells hold together.
    pub(super) totals: BTreeMap<ClassId, u32>,
    /// How many pods of a class are to share one node at most.
    pub(super) bundles: BTreeMap<ClassId, u32>,
    /// Domains that a class could use and that are given up.
    pub(super) closed: BTreeSet<SpreadDomain>,
    /// Domains that a class can't use and others are to keep out of.
    pub(super) banned: BTreeSet<SpreadDomain>,
    /// Domains that a class can't use and others need.
    pub(super) opened: BTreeSet<SpreadDomain>,
    /// Classes that stay out.
    pub(super) given_up: BTreeSet<ClassId>,
}

impl Restrictions {
    pub(crate) fn new(compiled: &Compiled, preferring: bool) -> Self {
        Self {
            preferring: compiled.classes.iter().map(|_| preferring).collect(),
            hints: BTreeMap::new(),
            early: Vec::new(),
            learnt_capacities: BTreeMap::new(),
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
            Feedback::CellFull { class, cell, held } => {
                self.learnt_capacities.insert((class, cell), held) != Some(held)
            }
            Feedback::ClassFull { class, held } => self.totals.insert(class, held) != Some(held),
            Feedback::BundleTooHeavy { class, most } => {
                self.bundles.insert(class, most) != Some(most)
            }
            Feedback::DomainEmpty(domain) => self.closed.insert(domain),
            Feedback::DomainBarred(domain) => self.banned.insert(domain),
            Feedback::DomainOpened(domain) => {
                self.banned.remove(&domain) | self.opened.insert(domain)
            }
            Feedback::NoCell(class) => {
                let new = !self.early.contains(&class);
                if new {
                    self.early.push(class);
                }
                new
            }
            Feedback::PreferencesInTheWay(class) => {
                std::mem::replace(&mut self.preferring[class], false)
            }
            Feedback::NoRoom(class) => self.given_up.insert(class),
        }
    }

    /// How many pods of a class have room in all of its cells, of so many.
    pub(crate) fn total(&self, class: ClassId, count: u32) -> u32 {
        self.totals.get(&class).map_or(count, |total| count.min(*total))
    }
}
