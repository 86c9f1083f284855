//! Which domains stand once a plan is carried out, as far as spreads that must be kept look at
//! them.
//!
//! A spread compares a domain with the lowest one, and a domain is there as soon as a node is,
//! whatever runs on it. So a launch whose pods have nothing to do with a spread can still break it:
//! by opening a domain that has none of the pods which the spread counts. Where a launch may be in
//! several domains, as one of its alternatives or by a label that nobody reads, it keeps to those
//! that stand anyway.
//!
//! That is enough: a plan is packed and judged with all the domains that stand in it, and a domain
//! that goes because a launch is elsewhere than planned had none of the counted pods (those stay
//! where they are), so that without it the lowest count is no lower.

use super::packing::NodeGroup;
use crate::compile::{Bits, ClassId, Compiled, Id, KeyId, OfferId, TopologyKey};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The domains that stand for each spread of placed pods.
#[derive(Clone, Debug)]
pub(super) struct ExistingDomains<'a> {
    compiled: &'a Compiled,
    views: Vec<SpreadView>,
    /// The nodes that spreads over hosts count of which some host holds more than is allowed beside
    /// an empty one.
    hosts: Vec<Arc<Bits>>,
}

/// What spreads over a key with the same counted sites see.
#[derive(Clone, Debug, Eq, PartialEq)]
struct SpreadView {
    key: KeyId,
    counted: Arc<Bits>,
    /// For each domain, whether a counted node stands there.
    exists: Vec<bool>,
}

impl<'a> ExistingDomains<'a> {
    /// What stands before anything is launched, for the spreads of the pods of some groups.
    pub(super) fn of(compiled: &'a Compiled, groups: &[NodeGroup]) -> Self {
        let mut existing = Self::none(compiled, groups);
        compiled.nodes.ids().for_each(|node| existing.note(compiled.site_of_node(node)));
        existing
    }

    /// Where nothing stands at all, for the spreads of the pods of some groups.
    pub(super) fn none(compiled: &'a Compiled, groups: &[NodeGroup]) -> Self {
        let mut existing = Self { compiled, views: Vec::new(), hosts: crowded(compiled, groups) };
        let ruled = |class: &ClassId| {
            let mut spreads = compiled.topology.rules[*class].spreads.iter();
            spreads.any(|spread| spread.hard && spread.key != TopologyKey::Hostname)
        };
        let all = compiled.topology.rules.ids().any(|class| ruled(&class));
        if !all {
            return existing;
        }
        let items = groups.iter().flat_map(|group| &group.items).map(|(item, _)| *item);
        let items: BTreeSet<_> = items.collect();
        let classes = items.iter().flat_map(|item| &compiled.items[*item].parts);
        let classes: BTreeSet<ClassId> = classes.map(|(class, _)| *class).collect();
        let mut seen: BTreeSet<(KeyId, Arc<Bits>)> = BTreeSet::new();
        for class in classes {
            for spread in compiled.topology.rules[class].spreads.iter().filter(|one| one.hard) {
                let TopologyKey::Label(key) = spread.key else { continue };
                if seen.insert((key, spread.counted.clone())) {
                    let exists = vec![false; compiled.topology.keys[key].domains.len()];
                    existing.views.push(SpreadView {
                        key,
                        counted: spread.counted.clone(),
                        exists,
                    });
                }
            }
        }
        existing
    }

    /// Whether no spread looks at anything.
    pub(super) fn is_empty(&self) -> bool {
        self.views.is_empty()
    }

    /// Notes a node, running or launched.
    pub(super) fn note(&mut self, site: usize) {
        for view in self.views.iter_mut().filter(|view| view.counted.contains(site)) {
            let domain = self.compiled.topology.keys[view.key].of_site[site] as usize;
            if let Some(exists) = view.exists.get_mut(domain) {
                *exists = true;
            }
        }
    }

    /// Whether a node at a site would open a domain.
    fn opens(&self, site: usize) -> bool {
        self.views.iter().any(|view| {
            let domain = self.compiled.topology.keys[view.key].of_site[site] as usize;
            view.counted.contains(site) && view.exists.get(domain) == Some(&false)
        })
    }

    /// The offer of some that are as good as each other to launch: the first that opens no domain.
    pub(super) fn pick(&self, offers: &[OfferId]) -> OfferId {
        let mut keeping = offers.iter().filter(|id| !self.opens(self.compiled.site_of_offer(**id)));
        keeping.next().copied().unwrap_or(offers[0])
    }

    /// The offers that would open a domain, or a host.
    pub(super) fn opening(&self) -> OpeningOffers {
        let mut domains = self.compiled.usable.emptied();
        if !self.views.is_empty() {
            let ids = self.compiled.offers.ids();
            ids.filter(|id| self.opens(self.compiled.site_of_offer(*id)))
                .for_each(|id| domains.insert(id.index()));
        }
        OpeningOffers { domains, hosts: self.hosts.clone() }
    }

    /// Whether the same domains stand.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.views == other.views
    }
}

/// The offers with which a launch would open a domain that nobody is in.
pub(super) struct OpeningOffers {
    /// Those that open a value of a label, by their numbers.
    domains: Bits,
    /// The nodes that spreads over hosts count of which some host holds more than is allowed beside
    /// an empty one.
    hosts: Vec<Arc<Bits>>,
}

impl OpeningOffers {
    /// Whether an offer opens any in place of the choice of a launch.
    pub(super) fn open(&self, compiled: &Compiled, choice: OfferId, offer: OfferId) -> bool {
        let site = compiled.site_of_offer(offer);
        let mut hosts = self.hosts.iter();
        self.domains.contains(offer.index())
            || hosts.any(|counted| {
                counted.contains(site) && !counted.contains(compiled.site_of_offer(choice))
            })
    }

    /// For each of the spreads over hosts, whether it counts a launch of an offer.
    pub(super) fn is_host(&self, compiled: &Compiled, offer: OfferId) -> Vec<bool> {
        let site = compiled.site_of_offer(offer);
        self.hosts.iter().map(|counted| counted.contains(site)).collect()
    }
}

/// The nodes that spreads over hosts count of which some host holds more than is allowed beside an
/// empty one.
fn crowded(compiled: &Compiled, groups: &[NodeGroup]) -> Vec<Arc<Bits>> {
    let topology = &compiled.topology;
    let over_hosts = |class: ClassId| {
        let spreads = topology.rules[class].spreads.iter();
        spreads.filter(|spread| spread.hard && spread.key == TopologyKey::Hostname)
    };
    let mut crowded: BTreeSet<Arc<Bits>> = BTreeSet::new();
    if topology.rules.ids().all(|class| over_hosts(class).next().is_none()) {
        return Vec::new();
    }
    for group in groups {
        let parts = group.items.iter().flat_map(|(item, count)| {
            let parts = compiled.items[*item].parts.iter();
            parts.map(|(class, each)| (*class, i64::from(*each) * i64::from(*count)))
        });
        let parts: Vec<(ClassId, i64)> = parts.collect();
        let nodes = group.place.nodes();
        for spread in parts.iter().flat_map(|(class, _)| over_hosts(*class)) {
            let placed =
                parts.iter().filter(|(class, _)| topology.selects(spread.selection, *class));
            let placed: i64 = placed.map(|(_, count)| count).sum();
            let bound = topology.selections[spread.selection].bound.iter();
            let bound = bound.filter(|(node, _)| nodes.contains(node));
            let bound = bound.map(|(_, count)| i64::from(*count)).max().unwrap_or(0);
            if placed.saturating_add(bound) > spread.max_skew {
                let _new = crowded.insert(spread.counted.clone());
            }
        }
    }
    crowded.into_iter().collect()
}
