//! Conditions on labels that a place doesn't meet.
//!
//! *Problem.* "No instance type matches" helps nobody: the owner of a pod wants the one requirement
//! that no offer meets, or the two that no offer meets together.
//!
//! *Idea.* Conditions are compared with the sites of a pool's offers as sets of bits. Of the ways
//! to choose one alternative of each list of terms that one is explained which the nearest offer
//! misses least. Conditions that it misses are named; where another offer meets one of them, a
//! smallest set is added that no offer meets as a whole, so that the message doesn't name something
//! that is for sale.
//!
//! *Cost.* A way has few conditions; pairs of them are tried against all offers of one pool.

use super::{LeftOut, ReasonFinder};
use crate::compile::{Bits, NODE_NAME, OfferId};
use crate::explain::{Cause, LabelConflict};
use crate::model::{Operator, Requirement, Requirements, ValueSet, well_known};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The state of a name that isn't known yet: nobody wrote it.
const UNNAMED: char = '\0';

impl ReasonFinder<'_> {
    /// The sites whose labels meet a set of rules.
    ///
    /// What must hold in every case narrows the sites one by one; of alternatives (the terms of
    /// node affinity, the zones of each volume) one has to hold.
    pub(super) fn suiting(&self, set: usize) -> Bits {
        let compiled = self.placement.compiled();
        let rules = &compiled.site_conditions.rules;
        let mut suits = Bits::all(compiled.sites());
        let of_set = &rules.sets()[set];
        of_set
            .all
            .iter()
            .for_each(|condition| suits.and(&compiled.site_conditions.holds[*condition]));
        for terms in of_set.terms.iter().chain(&of_set.volumes) {
            suits.and(&compiled.any_term(terms));
        }
        suits
    }

    /// The conditions that a site doesn't meet, by the way to choose alternatives that leaves
    /// fewest; and all conditions of that way.
    ///
    /// The answer is the number of conditions that are missed, and the place of that way in the
    /// list; equal ways go by their order, which is that of the pod's terms.
    fn unmet(&self, ways: &[Vec<usize>], site: usize) -> (usize, usize) {
        let holds = &self.placement.compiled().site_conditions.holds;
        let unmet = ways.iter().enumerate().map(|(number, way)| {
            (way.iter().filter(|condition| !holds[**condition].contains(site)).count(), number)
        });
        unmet.min().unwrap_or((0, 0))
    }

    /// All conditions of a set of rules, for each way to choose alternatives.
    ///
    /// A condition that occurs both among those that always hold and in a term is counted once.
    pub(super) fn ways(&self, set: usize) -> Vec<Vec<usize>> {
        let rules = &self.placement.compiled().site_conditions.rules;
        let all = &rules.sets()[set].all;
        let ways = rules.alternatives(set).into_iter().map(|way| {
            let conditions: BTreeSet<usize> = all.iter().chain(&way).copied().collect();
            conditions.into_iter().collect()
        });
        ways.collect()
    }

    /// How many conditions a site doesn't meet, at least one.
    pub(super) fn unmet_count(&self, ways: &[Vec<usize>], site: usize) -> u32 {
        u32::try_from(self.unmet(ways, site).0.max(1)).unwrap_or(u32::MAX)
    }

    /// What a pod asks of labels that an offer of a pool doesn't have; no offer of it has
    /// everything.
    ///
    /// A single conflict with a node's name becomes the cause that says so, and one with the zones
    /// of volumes the cause about volumes: the remedy is another than for a selector.
    pub(super) fn label_cause(
        &self,
        asked: &LeftOut<'_>,
        pool: &Arc<str>,
        offers: &[OfferId],
        nearest: usize,
    ) -> Cause {
        let compiled = self.placement.compiled();
        let holds = &compiled.site_conditions.holds;
        let ways = self.ways(asked.set);
        let (_, number) = self.unmet(&ways, nearest);
        let way = ways.get(number).map_or(&[][..], Vec::as_slice);
        let mut conflicts: BTreeSet<usize> =
            way.iter().copied().filter(|condition| !holds[*condition].contains(nearest)).collect();
        // What some offer has by itself conflicts with something else.
        let met = |condition: &usize| {
            offers.iter().any(|offer| holds[*condition].contains(compiled.site_of_offer(*offer)))
        };
        if conflicts.iter().any(met) {
            conflicts.extend(self.smallest(way, offers));
        }
        let conditions = compiled.site_conditions.rules.conditions();
        let conflicts: Vec<usize> = conflicts.into_iter().collect();
        if let [only] = conflicts[..] {
            let (key, needed) = &conditions[only];
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
        let conflicts = conflicts.iter().map(|condition| {
            let (key, needed) = &conditions[*condition];
            LabelConflict::new(key.clone(), needed.clone(), self.offered(key, offers))
        });
        Cause::Labels { pool: pool.clone(), conflicts: conflicts.collect() }
    }

    /// One condition that no offer meets, else two that none meets together, else all.
    ///
    /// Sets of three and more are not searched: they are rare, and all conditions together are true
    /// of them.
    fn smallest(&self, conditions: &[usize], offers: &[OfferId]) -> Vec<usize> {
        let compiled = self.placement.compiled();
        let holds = &compiled.site_conditions.holds;
        let met = |some: &[usize]| {
            offers.iter().any(|offer| {
                some.iter()
                    .all(|condition| holds[*condition].contains(compiled.site_of_offer(*offer)))
            })
        };
        if let Some(alone) = conditions.iter().find(|condition| !met(&[**condition])) {
            return vec![*alone];
        }
        for (at, one) in conditions.iter().enumerate() {
            if let Some(other) = conditions[at + 1..].iter().find(|other| !met(&[*one, **other])) {
                return vec![*one, *other];
            }
        }
        conditions.to_vec()
    }

    /// What a label can be on the offers of a pool.
    ///
    /// Labels that a launch may choose are told by the requirements of the pool and the type rather
    /// than by the few values that stand for them in the compiled problem, of which some are
    /// nobody's words. A label that nothing has is told as absent.
    pub(super) fn offered(&self, key: &Arc<str>, offers: &[OfferId]) -> ValueSet {
        let compiled = self.placement.compiled();
        let states = compiled.site_conditions.table.states(key);
        let mut values: BTreeSet<Arc<str>> = BTreeSet::new();
        for offer in offers {
            let of = &compiled.offers[*offer];
            // Of a label that a launch may choose a few values stand for all, some of them nobody's
            // words.
            if of.fixed_labels.iter().any(|(pinned, _)| pinned == key) {
                let pool = compiled.parts.node_pool(compiled.pools[of.pool].index);
                let instance_type = compiled.parts.instance_type(of.instance);
                let both: Requirements =
                    pool.requirements.iter().chain(&instance_type.requirements).collect();
                match both.get(key).finite_values() {
                    Some(named) => values.extend(named.iter().cloned()),
                    None => return both.get(key).clone(),
                }
                continue;
            }
            let state = states.get(compiled.site_of_offer(*offer)).copied();
            values.extend(
                state.and_then(|state| compiled.site_conditions.table.value(key, state)).cloned(),
            );
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
    pub(super) fn is_own(&self, asked: &LeftOut<'_>, condition: usize) -> bool {
        let set = &self.placement.compiled().site_conditions.rules.sets()[asked.set];
        let in_terms = set.terms.iter().flatten().flatten().any(|one| *one == condition);
        set.selector.contains(&condition) || in_terms
    }

    /// Whether its volumes do.
    ///
    /// Volumes and selectors are compiled to the same conditions, so a condition on zones is told
    /// to be a volume's by its set of zones.
    pub(super) fn is_of_volumes(&self, asked: &LeftOut<'_>, condition: usize) -> bool {
        let compiled = self.placement.compiled();
        let states = &compiled.site_conditions.rules.conditions()[condition].1;
        let pod = compiled.exemplar(asked.class);
        let mut volumes = pod.into_iter().flat_map(|pod| &pod.volumes);
        !self.is_own(asked, condition)
            || volumes.any(|volume| {
                let zones = volume.zones.iter().cloned();
                !volume.zones.is_empty() && *states == ValueSet::only(zones)
            })
    }
}
