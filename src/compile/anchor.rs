//! What must stay as it is when a launch turns out to be of another offer than planned.
//!
//! A launch lists alternatives, and a cloud may take any of them. Pods with rules over domains were placed
//! with a certain domain in mind, and so were the pods that such rules count: these are *anchored* to their
//! domains, and to whether their node counts at all. And a label that the launch leaves open would be the
//! cloud's to choose: those that anything reads are *pinned*.

use super::id::{ClassId, IdVec, KeyId, KindId, OfferId};
use super::topology::{Over, Topology};
use super::{Bits, Compiled, Pin};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What kinds of pods are anchored to.
#[derive(Debug, Default)]
pub(crate) struct Anchors {
    /// For each kind, the keys over which alternatives of its launch must agree with the choice.
    keys: IdVec<KindId, Vec<KeyId>>,
    /// Sites that count for some spread that must be kept, where not all do.
    counted: Vec<Arc<Bits>>,
    /// For each kind, those of the spreads that count it.
    watched: IdVec<KindId, Vec<usize>>,
    /// Whether any offer has labels that its launches must fix.
    open: bool,
}

impl Anchors {
    /// `sticky`: for each kind the keys over which its own domain must be known; `open`: whether any offer
    /// has labels that its launches must fix.
    pub(super) fn of(
        topology: &Topology,
        sticky: &IdVec<KindId, Vec<KeyId>>,
        sites: usize,
        open: bool,
    ) -> Self {
        let mut keys = sticky.clone();
        let mut watched: IdVec<KindId, Vec<usize>> = sticky.iter().map(|_| Vec::new()).collect();
        let mut counted: Vec<Arc<Bits>> = Vec::new();
        // Many kinds count the same: those that are counted are gone through once.
        let mut known = BTreeSet::new();
        for rules in topology.rules.values() {
            for spread in rules.spreads.iter().filter(|spread| spread.hard) {
                let Over::Key(key) = spread.over else { continue };
                let kinds = &topology.selections[spread.selection].kinds;
                if known.insert((spread.selection, key, None)) {
                    kinds.iter().for_each(|kind| keys[*kind].push(key));
                }
                if spread.counted.count() == sites {
                    continue;
                }
                let place = counted.iter().position(|known| *known == spread.counted);
                let place = place.unwrap_or_else(|| {
                    counted.push(spread.counted.clone());
                    counted.len() - 1
                });
                if known.insert((spread.selection, key, Some(place))) {
                    kinds.iter().for_each(|kind| watched[*kind].push(place));
                }
            }
        }
        for keys in keys.values_mut() {
            keys.sort_unstable();
            keys.dedup();
        }
        for watched in watched.values_mut() {
            watched.sort_unstable();
            watched.dedup();
        }
        Self { keys, counted, watched, open }
    }
}

/// What a launch with certain pods has in common with each of its alternatives.
#[derive(Clone, Debug)]
pub(crate) struct Agreement<'a> {
    /// The labels that the launch fixes: those that would be open otherwise and that are read.
    pub(crate) pins: Vec<Pin>,
    /// The label keys that its pods read, or that decide whether and where a node counts; nothing where no
    /// offer leaves a label open.
    pub(crate) read: BTreeSet<&'a Arc<str>>,
    /// The domains to which its pods are anchored.
    pub(crate) domains: Vec<(KeyId, u32)>,
    /// Whether it counts for the spreads that count its pods.
    pub(crate) counts: Vec<(usize, bool)>,
}

impl Compiled {
    /// What a launch of an offer with pods of these classes has in common with its alternatives.
    pub(crate) fn agreement(&self, offer: OfferId, classes: &[ClassId]) -> Agreement<'_> {
        let site = self.site_of_offer(offer);
        let keys: BTreeSet<KeyId> =
            self.kinds_of(classes).flat_map(|kind| &self.anchors.keys[kind]).copied().collect();
        let watched: BTreeSet<usize> =
            self.kinds_of(classes).flat_map(|kind| &self.anchors.watched[kind]).copied().collect();
        let domain = |key| (key, self.topology.keys[key].of_site[site]);
        let counts = |at: usize| (at, self.anchors.counted[at].contains(site));
        Agreement {
            pins: self.pins(offer, classes),
            read: if self.anchors.open { self.keys_read(classes) } else { BTreeSet::new() },
            domains: keys.into_iter().map(domain).collect(),
            counts: watched.into_iter().map(counts).collect(),
        }
    }

    /// Whether pods of these classes are anchored to domains.
    pub(crate) fn is_anchored(&self, classes: &[ClassId]) -> bool {
        self.kinds_of(classes).any(|kind| !self.anchors.keys[kind].is_empty())
    }

    /// The labels that a launch of an offer must fix for pods of these classes: those that are read, as far
    /// as the launch could still choose.
    pub(crate) fn pins(&self, offer: OfferId, classes: &[ClassId]) -> Vec<Pin> {
        let pinned = &self.offers[offer].pinned;
        if pinned.is_empty() {
            return Vec::new();
        }
        let read = self.keys_read(classes);
        pinned.iter().filter(|(key, _)| read.contains(key)).cloned().collect()
    }

    /// The label keys that pods of these classes or daemons read, and those that decide whether and where
    /// a node counts, whatever runs there.
    pub(crate) fn keys_read(&self, classes: &[ClassId]) -> BTreeSet<&Arc<str>> {
        let rules = &self.grounds.rules;
        let mut read: BTreeSet<&Arc<str>> = self.daemon_keys.iter().collect();
        read.extend(&self.topology.read);
        for kind in self.kinds_of(classes) {
            read.extend(rules.keys(self.kinds[kind].rules));
            read.extend(self.wishes.keys(kind, rules));
        }
        read
    }

    /// Whether the labels that a launch fixes are those of an offer too.
    pub(crate) fn has_pins(&self, offer: OfferId, agreement: &Agreement<'_>) -> bool {
        let Agreement { pins, read, .. } = agreement;
        if pins.is_empty() && self.offers[offer].pinned.is_empty() {
            return true;
        }
        let table = &self.grounds.table;
        let site = self.site_of_offer(offer);
        let has = |(key, value): &Pin| {
            let state = table.states(key).get(site).copied().unwrap_or(0);
            table.value(key, state) == value.as_ref()
        };
        let mut own = self.offers[offer].pinned.iter().filter(|(key, _)| read.contains(key));
        pins.iter().all(has) && own.all(|pin| pins.contains(pin))
    }

    /// Whether a launch of an offer would be in the domains of an agreement, and count as it does.
    pub(crate) fn is_in_place(&self, offer: OfferId, agreement: &Agreement<'_>) -> bool {
        let site = self.site_of_offer(offer);
        let mut domains = agreement.domains.iter();
        let mut counts = agreement.counts.iter();
        domains.all(|(key, domain)| self.topology.keys[*key].of_site[site] == *domain)
            && counts.all(|(at, counts)| self.anchors.counted[*at].contains(site) == *counts)
    }

    /// The kinds of pods in these classes.
    fn kinds_of(&self, classes: &[ClassId]) -> impl Iterator<Item = KindId> {
        let parts = classes.iter().flat_map(|class| &self.classes[*class].parts);
        parts.map(|(kind, _)| *kind)
    }
}
