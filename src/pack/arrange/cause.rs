//! Why pods of a kind have no cell.

use super::{Arranger, KindId};
use crate::compile::{KeyId, Near, Over};
use crate::explain::Cause;
use crate::model::well_known;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Arranger<'_> {
    /// The rest of a spread kind finds every domain full.
    pub(super) fn spread_cause(&self, kind: KindId) -> Cause {
        let rules = self.rules(kind);
        let Some(level) = rules.levels.iter().find(|level| level.hard) else {
            return self.apart_cause(kind);
        };
        let key = &self.topology.keys[level.key];
        let tally = self.tally(level);
        let whole = |count: i64| u32::try_from(count.max(0)).unwrap_or(u32::MAX);
        let cells = self.kinds[kind].cells.iter().filter_map(|cell| cell.domain(level.key));
        let domains: BTreeSet<usize> = cells.map(|domain| domain as usize).collect();
        let full = domains
            .into_iter()
            .map(|domain| (key.names[domain].clone(), whole(level.count(tally, domain))));
        let mut full: Vec<(Arc<str>, u32)> = full.collect();
        full.sort_unstable();
        Cause::TopologySpread {
            key: key.name.clone(),
            max_skew: whole(level.max_skew),
            least: whole(level.lowest(tally)),
            full,
        }
    }

    /// A kind finds every domain taken by pods that it may not be with.
    pub(super) fn apart_cause(&self, kind: KindId) -> Cause {
        let far = &self.topology.rules[kind].far;
        let own = far.iter().find_map(|term| match term.over {
            Over::Host => None,
            Over::Key(key) => Some(key),
        });
        let foe = || self.foes[kind].first().map(|(key, _)| *key);
        match own.or_else(foe) {
            Some(key) => Cause::PodAntiAffinity {
                key: self.topology.keys[key].name.clone(),
                domains: self.domains_of(kind, key),
            },
            None => Cause::AntiAffinity,
        }
    }

    /// A kind finds nobody whom it needs.
    pub(super) fn near_cause(&self, kind: KindId, near: &Near) -> Cause {
        let selected = &self.topology.selections[near.selection];
        // All whom it needs wait for somebody themselves, itself perhaps.
        let waits = |other: &KindId| self.topology.rules[*other].near.is_some();
        let others = selected.kinds.iter().filter(|other| **other != kind);
        if selected.bound.is_empty()
            && others.clone().next().is_some()
            && others.clone().all(|other| {
                waits(other) && !self.has_place(*other) && !self.kinds[*other].is_loose()
            })
        {
            return Cause::MutualAffinity;
        }
        let key = near.over.iter().find_map(|over| match over {
            Over::Host => None,
            Over::Key(key) => Some(*key),
        });
        let Some(key) = key else {
            return Cause::PodAffinity { key: well_known::HOSTNAME.into(), domains: Vec::new() };
        };
        let of_key = &self.topology.keys[key];
        let there = (0_u32..)
            .zip(&of_key.names)
            .filter(|(domain, _)| self.has_any(near.selection, key, Some(*domain)));
        let mut domains: Vec<Arc<str>> = there.map(|(_, name)| name.clone()).collect();
        domains.sort_unstable();
        Cause::PodAffinity { key: of_key.name.clone(), domains }
    }

    /// Nothing that a kind could use has a label that its rules count over.
    pub(super) fn key_cause(&self, kind: KindId) -> Option<Cause> {
        let usable = &self.compiled.usable;
        let keys = self.kinds[kind].keys.iter();
        let mut missing = keys.filter(|key| !self.topology.keys[**key].labelled.overlaps(usable));
        let name = |key: &KeyId| self.topology.keys[*key].name.clone();
        missing.next().map(|key| Cause::TopologyKey { key: name(key) })
    }

    /// Whether pods of a kind have a cell or share nodes.
    pub(super) fn has_place(&self, kind: KindId) -> bool {
        let progress = &self.kinds[kind];
        progress.pinned.iter().any(|count| *count > 0)
            || self.drafts.iter().any(|draft| draft.parts.iter().any(|(of, _)| *of == kind))
    }

    fn domains_of(&self, kind: KindId, key: KeyId) -> Vec<Arc<str>> {
        let cells = self.kinds[kind].cells.iter().filter_map(|cell| cell.domain(key));
        let domains: BTreeSet<Arc<str>> =
            cells.map(|domain| self.topology.keys[key].names[domain as usize].clone()).collect();
        domains.into_iter().collect()
    }
}
