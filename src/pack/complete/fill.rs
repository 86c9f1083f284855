//! Placing what has no place: on nodes that stand, class by class, the lowest domain first.
//!
//! *Why it is right.* Each pod is put where kube-scheduler would accept it after all others that the plan
//! binds, so an order of binding of the plan before, followed by these, is one of the plan after.
//!
//! *Cost.* Classes × groups for a look, and a step for each pod that a rule over domains holds down; a
//! class that no group takes isn't tried again before something changes.

use super::placement::{On, Placement};
use super::rules::class_of;
use crate::compile::KindId;
use std::cmp::Reverse;
use std::collections::BTreeMap;

impl Placement<'_> {
    /// The classes of which any pods have no place, the most urgent first, guests last; within a priority
    /// as `less` says.
    pub(super) fn waiting<K: Ord>(&self, key: impl Fn(KindId) -> K) -> Vec<KindId> {
        let compiled = self.compiled();
        let mut waiting: Vec<KindId> = self
            .left
            .iter()
            .filter(|(kind, left)| **left > 0 && compiled.hopeful[class_of(*kind)])
            .map(|(kind, _)| kind)
            .collect();
        waiting.sort_by_cached_key(|kind| {
            let class = &compiled.classes[class_of(*kind)];
            (class.guest, Reverse(class.priority), key(*kind), *kind)
        });
        waiting
    }

    /// Puts pods of a class on nodes that stand, as many as find a place; whether there were any.
    pub(super) fn fill_standing(&mut self, kind: KindId) -> bool {
        let tied =
            self.rules.of_kind[kind].is_ordered() || !self.rules.of_kind[kind].far.is_empty();
        let open = self.open_weights(&[kind]).get(&kind).copied().unwrap_or(i32::MIN);
        let mut candidates: Vec<usize> = (0..self.groups.len())
            .filter(|at| self.may_use(*at, kind, open) && self.takes(&self.groups[*at], kind) > 0)
            .collect();
        let mut any = false;
        while self.left[kind] > 0 {
            let best = candidates
                .iter()
                .filter_map(|at| {
                    let nodes = &self.groups[*at];
                    let room = if tied { self.domain_room(kind, nodes.site) } else { u32::MAX };
                    let room = room.min(self.host_room(nodes, kind).saturating_mul(nodes.count));
                    // What is quick to say comes first.
                    let each = if room > 0 { self.takes(nodes, kind) } else { 0 };
                    let each = each.min(room).min(self.host_room(nodes, kind));
                    let level = if tied { self.level(kind, nodes.site) } else { 0 };
                    let launched = matches!(nodes.on, On::Launch(_));
                    (each > 0).then_some((level, launched, *at, each, room))
                })
                .min();
            let Some((_, _, at, each, room)) = best else { break };
            let wanted = self.left[kind].min(room);
            let each = each.min(wanted);
            let nodes = (wanted / each).clamp(1, self.groups[at].count);
            let changed = self.put(at, kind, each, nodes);
            any = true;
            if changed != at {
                candidates.push(changed);
            }
            candidates.retain(|at| self.takes(&self.groups[*at], kind) > 0);
        }
        any
    }

    /// How many pods the spreads of a class count at a site: the lowest comes first.
    fn level(&self, kind: KindId, site: usize) -> i64 {
        let compiled = self.compiled();
        let spreads = self.rules.of_kind[kind].spreads.iter();
        let counts = spreads.filter_map(|spread| {
            let domain = self.rules.domain(compiled, spread.counter, site)?;
            Some(self.counts[spread.counter][domain])
        });
        counts.sum()
    }

    /// Whether a group's nodes are open to a class, of which launches can come from pools of this weight at
    /// most: a launch may not draw a pod for which a pool of higher weight is still open.
    fn may_use(&self, at: usize, kind: KindId, open: i32) -> bool {
        let compiled = self.compiled();
        let On::Launch(offer) = self.groups[at].on else { return true };
        let pool = &compiled.pools[compiled.offers[offer].pool];
        pool.fixed.is_some()
            || compiled.classes[class_of(kind)].guest
            || open <= pool.weight && !self.is_reserved(kind, offer)
    }

    /// The highest weight of a pool that can launch a node for a class; the lowest number where none can.
    pub(super) fn open_weight(&self, kind: KindId) -> i32 {
        let compiled = self.compiled();
        let class = &compiled.classes[class_of(kind)];
        let row = &compiled.rows[class.row];
        let mut open = i32::MIN;
        for (id, offer) in compiled.offers.iter() {
            let weight = compiled.pools[offer.pool].weight;
            if weight > open
                && row.contains(compiled.site_of_offer(id))
                && compiled.shapes[offer.shape].takes(class, 1) > 0
                && self.supply(id) > 0
            {
                open = weight;
            }
        }
        open
    }

    /// As [`Self::open_weight`], where pools differ in weight.
    pub(super) fn open_weights(&self, kinds: &[KindId]) -> BTreeMap<KindId, i32> {
        let mut weights = self.compiled().pools.values().map(|pool| pool.weight);
        let first = weights.next();
        if weights.all(|weight| Some(weight) == first) {
            return BTreeMap::new();
        }
        kinds.iter().map(|kind| (*kind, self.open_weight(*kind))).collect()
    }
}
