//! Which domains stand once a plan is carried out, as far as spreads that must be kept look at them.
//!
//! A spread compares a domain with the lowest one, and a domain is there as soon as a node is, whatever
//! runs on it. So a launch whose pods have nothing to do with a spread can still break it: by opening a
//! domain that has none of the pods which the spread counts. Where a launch may be in several domains,
//! as one of its alternatives or by a label that nobody reads, it keeps to those that stand anyway.
//!
//! That is enough: a plan is packed and judged with all the domains that stand in it, and a domain that
//! goes because a launch is elsewhere than planned had none of the counted pods (those stay where they
//! are), so that without it the lowest count is no lower.

use super::state::Group;
use crate::compile::{Bits, Compiled, Id, KeyId, KindId, OfferId, Over};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The domains that stand for each spread of placed pods.
#[derive(Debug)]
pub(super) struct Standing<'a> {
    compiled: &'a Compiled,
    looks: Vec<Look>,
}

/// What spreads over a key with the same counted sites see.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Look {
    key: KeyId,
    counted: Arc<Bits>,
    /// For each domain, whether a counted node stands there.
    stands: Vec<bool>,
}

impl<'a> Standing<'a> {
    /// What stands before anything is launched, for the spreads of the pods of some groups.
    pub(super) fn of(compiled: &'a Compiled, groups: &[Group]) -> Self {
        let mut standing = Self { compiled, looks: Vec::new() };
        let ruled = |kind: &KindId| {
            let mut spreads = compiled.topology.rules[*kind].spreads.iter();
            spreads.any(|spread| spread.hard && spread.over != Over::Host)
        };
        let all = compiled.topology.rules.ids().any(|kind| ruled(&kind));
        if !all {
            return standing;
        }
        let classes = groups.iter().flat_map(|group| &group.items).map(|(class, _)| *class);
        let classes: BTreeSet<_> = classes.collect();
        let kinds = classes.iter().flat_map(|class| &compiled.classes[*class].parts);
        let kinds: BTreeSet<KindId> = kinds.map(|(kind, _)| *kind).collect();
        let mut seen: BTreeSet<(KeyId, Arc<Bits>)> = BTreeSet::new();
        for kind in kinds {
            for spread in compiled.topology.rules[kind].spreads.iter().filter(|one| one.hard) {
                let Over::Key(key) = spread.over else { continue };
                if seen.insert((key, spread.counted.clone())) {
                    let stands = vec![false; compiled.topology.keys[key].domains.len()];
                    standing.looks.push(Look { key, counted: spread.counted.clone(), stands });
                }
            }
        }
        compiled.nodes.ids().for_each(|node| standing.note(compiled.site_of_node(node)));
        standing
    }

    /// Whether no spread looks at anything.
    pub(super) fn is_empty(&self) -> bool {
        self.looks.is_empty()
    }

    /// Notes a node, running or launched.
    pub(super) fn note(&mut self, site: usize) {
        for look in self.looks.iter_mut().filter(|look| look.counted.contains(site)) {
            let domain = self.compiled.topology.keys[look.key].of_site[site] as usize;
            if let Some(stands) = look.stands.get_mut(domain) {
                *stands = true;
            }
        }
    }

    /// Whether a node at a site would open a domain.
    fn opens(&self, site: usize) -> bool {
        self.looks.iter().any(|look| {
            let domain = self.compiled.topology.keys[look.key].of_site[site] as usize;
            look.counted.contains(site) && look.stands.get(domain) == Some(&false)
        })
    }

    /// The offer of some that are as good as each other to launch: the first that opens no domain.
    pub(super) fn pick(&self, offers: &[OfferId]) -> OfferId {
        let mut keeping = offers.iter().filter(|id| !self.opens(self.compiled.site_of_offer(**id)));
        keeping.next().copied().unwrap_or(offers[0])
    }

    /// The offers that would open a domain.
    pub(super) fn opening(&self) -> Bits {
        let mut opening = self.compiled.usable.emptied();
        if !self.looks.is_empty() {
            let ids = self.compiled.offers.ids();
            ids.filter(|id| self.opens(self.compiled.site_of_offer(*id)))
                .for_each(|id| opening.insert(id.index()));
        }
        opening
    }

    /// Whether the same domains stand.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.looks == other.looks
    }
}
