//! Conditions on labels that a place doesn't meet.

use super::{Asked, Teller};
use crate::compile::{Bits, NODE_NAME, OfferId};
use crate::explain::{Cause, LabelConflict};
use crate::model::{Operator, Requirement, Requirements, ValueSet, well_known};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The state of a name that isn't known yet: nobody wrote it.
const UNNAMED: char = '\0';

impl Teller<'_> {
    /// The sites whose labels meet a set of rules.
    pub(super) fn suiting(&self, set: usize) -> Bits {
        let compiled = self.placement.compiled();
        let rules = &compiled.grounds.rules;
        let mut suits = Bits::all(compiled.sites());
        let of_set = &rules.sets()[set];
        of_set.all.iter().for_each(|atom| suits.and(&compiled.grounds.holds[*atom]));
        for terms in of_set.terms.iter().chain(&of_set.volumes) {
            suits.and(&compiled.any_term(terms));
        }
        suits
    }

    /// The conditions that a site doesn't meet, by the way to choose alternatives that leaves fewest; and
    /// all conditions of that way.
    fn unmet(&self, ways: &[Vec<usize>], site: usize) -> (usize, usize) {
        let holds = &self.placement.compiled().grounds.holds;
        let unmet = ways.iter().enumerate().map(|(number, way)| {
            (way.iter().filter(|atom| !holds[**atom].contains(site)).count(), number)
        });
        unmet.min().unwrap_or((0, 0))
    }

    /// All conditions of a set of rules, for each way to choose alternatives.
    pub(super) fn ways(&self, set: usize) -> Vec<Vec<usize>> {
        let rules = &self.placement.compiled().grounds.rules;
        let all = &rules.sets()[set].all;
        let ways = rules.ways(set).into_iter().map(|way| {
            let atoms: BTreeSet<usize> = all.iter().chain(&way).copied().collect();
            atoms.into_iter().collect()
        });
        ways.collect()
    }

    /// How many conditions a site doesn't meet, at least one.
    pub(super) fn unmet_count(&self, ways: &[Vec<usize>], site: usize) -> u32 {
        u32::try_from(self.unmet(ways, site).0.max(1)).unwrap_or(u32::MAX)
    }

    /// What a pod asks of labels that an offer of a pool doesn't have; no offer of it has everything.
    pub(super) fn label_cause(
        &self,
        asked: &Asked<'_>,
        pool: &Arc<str>,
        offers: &[OfferId],
        nearest: usize,
    ) -> Cause {
        let compiled = self.placement.compiled();
        let holds = &compiled.grounds.holds;
        let ways = self.ways(asked.set);
        let (_, number) = self.unmet(&ways, nearest);
        let way = ways.get(number).map_or(&[][..], Vec::as_slice);
        let mut conflicts: BTreeSet<usize> =
            way.iter().copied().filter(|atom| !holds[*atom].contains(nearest)).collect();
        // What some offer has by itself conflicts with something else.
        let met = |atom: &usize| {
            offers.iter().any(|offer| holds[*atom].contains(compiled.site_of_offer(*offer)))
        };
        if conflicts.iter().any(met) {
            conflicts.extend(self.smallest(way, offers));
        }
        let atoms = compiled.grounds.rules.atoms();
        let conflicts: Vec<usize> = conflicts.into_iter().collect();
        if let [only] = conflicts[..] {
            let (key, needed) = &atoms[only];
            if matches!(&**key, NODE_NAME | well_known::HOSTNAME)
                && let Some(node) = needed.single()
            {
                return Cause::NodeName { node: node.clone() };
            }
            if &**key == well_known::ZONE
                && !self.is_own(asked, only)
                && let Some(zones) = needed.finite_values()
            {
                let offered = self.offered(key, offers).finite_values().cloned();
                return Cause::Zone {
                    pool: pool.clone(),
                    volume_zones: zones.iter().cloned().collect(),
                    pool_zones: offered.unwrap_or_default().into_iter().collect(),
                };
            }
        }
        let conflicts = conflicts.iter().map(|atom| {
            let (key, needed) = &atoms[*atom];
            LabelConflict::new(key.clone(), needed.clone(), self.offered(key, offers))
        });
        Cause::Labels { pool: pool.clone(), conflicts: conflicts.collect() }
    }

    /// One condition that no offer meets, else two that none meets together, else all.
    fn smallest(&self, atoms: &[usize], offers: &[OfferId]) -> Vec<usize> {
        let compiled = self.placement.compiled();
        let holds = &compiled.grounds.holds;
        let met = |some: &[usize]| {
            offers.iter().any(|offer| {
                some.iter().all(|atom| holds[*atom].contains(compiled.site_of_offer(*offer)))
            })
        };
        if let Some(alone) = atoms.iter().find(|atom| !met(&[**atom])) {
            return vec![*alone];
        }
        for (at, one) in atoms.iter().enumerate() {
            if let Some(other) = atoms[at + 1..].iter().find(|other| !met(&[*one, **other])) {
                return vec![*one, *other];
            }
        }
        atoms.to_vec()
    }

    /// What a label can be on the offers of a pool.
    fn offered(&self, key: &Arc<str>, offers: &[OfferId]) -> ValueSet {
        let compiled = self.placement.compiled();
        let states = compiled.grounds.table.states(key);
        let mut values: BTreeSet<Arc<str>> = BTreeSet::new();
        for offer in offers {
            let of = &compiled.offers[*offer];
            // Of a label that a launch may choose a few values stand for all, some of them nobody's words.
            if of.pinned.iter().any(|(pinned, _)| pinned == key) {
                let pool = compiled.parts.node_pool(compiled.pools[of.pool].index);
                let kind = compiled.parts.instance_type(of.instance);
                let both: Requirements =
                    pool.requirements.iter().chain(&kind.requirements).collect();
                match both.get(key).finite_values() {
                    Some(named) => values.extend(named.iter().cloned()),
                    None => return both.get(key).clone(),
                }
                continue;
            }
            let state = states.get(compiled.site_of_offer(*offer)).copied();
            values
                .extend(state.and_then(|state| compiled.grounds.table.value(key, state)).cloned());
        }
        if values.iter().any(|value| value.starts_with(UNNAMED)) {
            return ValueSet::from_requirement(&Requirement::new(
                key.clone(),
                Operator::Exists,
                std::iter::empty::<Arc<str>>(),
            ));
        }
        if values.is_empty() { ValueSet::absent() } else { ValueSet::only(values) }
    }

    /// Whether the pod itself asks for a condition.
    pub(super) fn is_own(&self, asked: &Asked<'_>, atom: usize) -> bool {
        let set = &self.placement.compiled().grounds.rules.sets()[asked.set];
        let in_terms = set.terms.iter().flatten().flatten().any(|one| *one == atom);
        set.selector.contains(&atom) || in_terms
    }

    /// Whether its volumes do.
    pub(super) fn is_of_volumes(&self, asked: &Asked<'_>, atom: usize) -> bool {
        let compiled = self.placement.compiled();
        let states = &compiled.grounds.rules.atoms()[atom].1;
        let pod = compiled.exemplar(asked.kind);
        let mut volumes = pod.into_iter().flat_map(|pod| &pod.volumes);
        !self.is_own(asked, atom)
            || volumes.any(|volume| {
                let zones = volume.zones.iter().cloned();
                !volume.zones.is_empty() && *states == ValueSet::only(zones)
            })
    }
}
