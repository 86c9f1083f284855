//! What must stay as it is when a launch turns out to be of another offer than planned.
//!
//! A launch lists alternatives, and a cloud may take any of them. Pods with rules over domains were
//! placed with a certain domain in mind, and so were the pods that such rules count: these are
//! *anchored* to their domains, and to whether their node counts at all. And a label that the
//! launch leaves open would be the cloud's to choose: those that anything reads are *fixed*.

use super::id::{ClassId, IdVec, ItemId, KeyId, OfferId};
use super::topology::{Topology, TopologyKey};
use super::{Bits, Compiled, FixedLabel, Id};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What classes of pods are anchored to.
///
/// Worked out once from the rules; what a launch is anchored to follows from the items that it
/// holds.
#[derive(Debug, Default)]
pub(crate) struct Anchors {
    /// For each class, the keys over which alternatives of its launch must agree with the choice.
    keys: IdVec<ClassId, Vec<KeyId>>,
    /// Sites that count for some spread that must be kept, where not all do.
    counted: Vec<Arc<Bits>>,
    /// For each class, those of the spreads that count it.
    watched: IdVec<ClassId, Vec<usize>>,
    /// Whether any offer has labels that its launches must fix.
    open: bool,
}

impl Anchors {
    /// `sticky`: for each class the keys over which its own domain must be known; `open`: whether
    /// any offer has labels that its launches must fix.
    pub(super) fn of(
        topology: &Topology,
        domain_keys: &IdVec<ClassId, Vec<KeyId>>,
        sites: usize,
        open: bool,
    ) -> Self {
        let mut keys = domain_keys.clone();
        let mut watched: IdVec<ClassId, Vec<usize>> =
            domain_keys.iter().map(|_| Vec::new()).collect();
        let mut counted: Vec<Arc<Bits>> = Vec::new();
        // Many classes count the same: those that are counted are gone through once.
        let mut known = BTreeSet::new();
        for rules in topology.rules.values() {
            for spread in rules.spreads.iter().filter(|spread| spread.hard) {
                let TopologyKey::Label(key) = spread.key else { continue };
                let classes = &topology.selections[spread.selection].classes;
                if known.insert((spread.selection, key, None)) {
                    classes.iter().for_each(|class| keys[*class].push(key));
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
                    classes.iter().for_each(|class| watched[*class].push(place));
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
///
/// An offer that has all of it in common can be listed beside the choice, and the cloud may deliver
/// it, without any pod's rule noticing.
#[derive(Clone, Debug)]
pub(crate) struct Agreement<'a> {
    /// The labels that the launch fixes: those that would be open otherwise and that are read.
    pub(crate) fixed_labels: Vec<FixedLabel>,
    /// The label keys that its pods read, or that decide whether and where a node counts; nothing
    /// where no offer leaves a label open.
    pub(crate) read: BTreeSet<&'a Arc<str>>,
    /// The domains to which its pods are anchored.
    pub(crate) domains: Vec<(KeyId, u32)>,
    /// Whether it counts for the spreads that count its pods.
    pub(crate) counts: Vec<(usize, bool)>,
}

impl Compiled {
    /// What a launch of an offer with pods of these items has in common with its alternatives.
    pub(crate) fn agreement(&self, offer: OfferId, items: &[ItemId]) -> Agreement<'_> {
        let site = self.site_of_offer(offer);
        let keys: BTreeSet<KeyId> =
            self.classes_of(items).flat_map(|class| &self.anchors.keys[class]).copied().collect();
        let watched: BTreeSet<usize> = self
            .classes_of(items)
            .flat_map(|class| &self.anchors.watched[class])
            .copied()
            .collect();
        let domain = |key| (key, self.topology.keys[key].of_site[site]);
        let counts = |at: usize| (at, self.anchors.counted[at].contains(site));
        Agreement {
            fixed_labels: self.fixed_labels(offer, items),
            read: if self.anchors.open { self.keys_read(items) } else { BTreeSet::new() },
            domains: keys.into_iter().map(domain).collect(),
            counts: watched.into_iter().map(counts).collect(),
        }
    }

    /// Whether pods of these items are anchored to domains.
    pub(crate) fn is_anchored(&self, items: &[ItemId]) -> bool {
        self.classes_of(items).any(|class| !self.anchors.keys[class].is_empty())
    }

    /// Whether pods of an item have alternatives agree with the choice in anything but their rules
    /// about nodes.
    pub(crate) fn asks_agreement(&self, item: ItemId) -> bool {
        let is_anchored = |class: ClassId| {
            !self.anchors.keys[class].is_empty() || !self.anchors.watched[class].is_empty()
        };
        self.anchors.open || self.classes_of(&[item]).any(is_anchored)
    }

    /// The labels that a launch of an offer must fix for pods of these items: those that are read,
    /// as far as the launch could still choose.
    pub(crate) fn fixed_labels(&self, offer: OfferId, items: &[ItemId]) -> Vec<FixedLabel> {
        let fixed_labels = &self.offers[offer].fixed_labels;
        if fixed_labels.is_empty() {
            return Vec::new();
        }
        let read = self.keys_read(items);
        fixed_labels.iter().filter(|(key, _)| read.contains(key)).cloned().collect()
    }

    /// The label keys that pods of these items or daemons read, and those that decide whether and
    /// where a node counts, whatever runs there.
    ///
    /// A label that nobody on the node reads may be whatever the cloud makes it.
    pub(crate) fn keys_read(&self, items: &[ItemId]) -> BTreeSet<&Arc<str>> {
        let rules = &self.site_conditions.rules;
        let mut read: BTreeSet<&Arc<str>> = self.daemon_keys.iter().collect();
        read.extend(&self.topology.read);
        for class in self.classes_of(items) {
            read.extend(rules.keys(self.classes[class].rules));
            read.extend(self.preferences.keys(class, rules));
        }
        read
    }

    /// Whether the labels that a launch fixes are those of an offer too.
    pub(crate) fn has_fixed_labels(&self, offer: OfferId, agreement: &Agreement<'_>) -> bool {
        let Agreement { fixed_labels, read, .. } = agreement;
        if fixed_labels.is_empty() && self.offers[offer].fixed_labels.is_empty() {
            return true;
        }
        let table = &self.site_conditions.table;
        let site = self.site_of_offer(offer);
        let has = |(key, value): &FixedLabel| {
            let state = table.states(key).get(site).copied().unwrap_or(0);
            table.value(key, state) == value.as_ref()
        };
        let mut own = self.offers[offer].fixed_labels.iter().filter(|(key, _)| read.contains(key));
        fixed_labels.iter().all(has) && own.all(|fixed_label| fixed_labels.contains(fixed_label))
    }

    /// Whether a launch of an offer would be in the domains of an agreement, and count as it does.
    pub(crate) fn is_in_place(&self, offer: OfferId, agreement: &Agreement<'_>) -> bool {
        let site = self.site_of_offer(offer);
        let mut domains = agreement.domains.iter();
        let mut counts = agreement.counts.iter();
        domains.all(|(key, domain)| self.topology.keys[*key].of_site[site] == *domain)
            && counts.all(|(at, counts)| self.anchors.counted[*at].contains(site) == *counts)
    }

    /// Leaves of some sites those whose offers a launch of a choice could list beside it by an
    /// agreement.
    pub(crate) fn keep_agreed(&self, choice: OfferId, agreement: &Agreement<'_>, sites: &mut Bits) {
        for (key, domain) in &agreement.domains {
            let key = &self.topology.keys[*key];
            match key.domains.get(*domain as usize) {
                Some(domain) => sites.and(domain),
                None => sites.and_not(&key.labelled),
            }
        }
        for (at, counts) in &agreement.counts {
            match counts {
                true => sites.and(&self.anchors.counted[*at]),
                false => sites.and_not(&self.anchors.counted[*at]),
            }
        }
        if self.anchors.open {
            let offers: Vec<OfferId> = sites
                .iter()
                .take_while(|site| *site < self.offers.len())
                .map(Id::from_index)
                .collect();
            let differ = offers
                .into_iter()
                .filter(|offer| *offer != choice && !self.has_fixed_labels(*offer, agreement));
            differ.for_each(|offer| sites.remove(self.site_of_offer(offer)));
        }
    }

    /// The classes of pods in these items.
    fn classes_of(&self, items: &[ItemId]) -> impl Iterator<Item = ClassId> {
        let parts = items.iter().flat_map(|item| &self.items[*item].parts);
        parts.map(|(class, _)| *class)
    }
}
