//! Placing what has no place: on nodes that stand, class by class, the lowest domain first.
//!
//! *Why it is right.* Each pod is put where kube-scheduler would accept it after all others that
//! the plan binds, so an order of binding of the plan before, followed by these, is one of the plan
//! after. What is accepted only before others is put where such an order is found.
//!
//! *Cost.* Classes × groups for a look, and a step for each pod that a rule over domains holds
//! down; a class that no group takes isn't tried again before something changes. [`MOST_ORDERS`]
//! orders of binding at the end.

use super::launch::mix;
use super::order;
use super::placement::Placement;
use super::rules::{HostSpread, item_of};
use crate::compile::ClassId;
use std::cmp::Reverse;

/// The most orders of binding that are looked for to bind pods before others.
const MOST_ORDERS: usize = 64;
/// So many times groups of nodes, times classes of pods.
const MOST_ORDERED: usize = 200_000;

impl Placement<'_> {
    /// The classes of which any pods have no place, the most urgent first, placeholders last;
    /// within a priority as `less` says.
    pub(super) fn waiting<K: Ord>(&self, key: impl Fn(ClassId) -> K) -> Vec<ClassId> {
        let compiled = self.compiled();
        let mut waiting: Vec<ClassId> = self
            .left
            .iter()
            .filter(|(class, left)| **left > 0 && self.rules.may_be_placed(compiled, *class))
            .map(|(class, _)| class)
            .collect();
        waiting.sort_by_cached_key(|class| {
            let item = &compiled.items[item_of(*class)];
            (item.placeholder, Reverse(item.priority), key(*class), *class)
        });
        waiting
    }

    /// Puts pods of a class on nodes that stand, as many as find a place, of alike ones on the first
    /// as `seed` draws them (0: as they are listed); whether there were any.
    pub(super) fn fill_standing(&mut self, class: ClassId, seed: u64) -> bool {
        let tied = self.rules.of_class[class].is_ordered()
            || !self.rules.of_class[class].anti_affinity.is_empty();
        let open = self.open_weights(&[class]).get(&class).copied().unwrap_or(i32::MIN);
        let mut candidates: Vec<usize> = (0..self.groups.len())
            .filter(|at| self.may_use(*at, class, open) && self.takes(&self.groups[*at], class) > 0)
            .collect();
        let mut any = false;
        while self.left[class] > 0 {
            let best = candidates
                .iter()
                .filter_map(|at| {
                    let nodes = &self.groups[*at];
                    let room = if tied { self.domain_room(class, nodes.site) } else { u32::MAX };
                    let room = room.min(self.host_room(nodes, class).saturating_mul(nodes.count));
                    // What is quick to say comes first.
                    let each = if room > 0 { self.takes(nodes, class) } else { 0 };
                    let each = each.min(room).min(self.host_room(nodes, class));
                    let level = if tied { self.level(class, nodes.site) } else { 0 };
                    let launched = nodes.on.is_launch();
                    (each > 0).then_some((level, launched, mix(seed, *at), *at, each, room))
                })
                .min();
            let Some((_, _, _, at, each, room)) = best else { break };
            let wanted = self.left[class].min(room);
            let each = each.min(wanted);
            let nodes = (wanted / each).clamp(1, self.groups[at].count);
            let changed = self.put(at, class, each, nodes);
            any = true;
            if changed != at {
                candidates.push(changed);
            }
            candidates.retain(|at| self.takes(&self.groups[*at], class) > 0);
        }
        any
    }

    /// Puts pods on nodes that stand of which spreads over single nodes count every one, the most
    /// urgent first: what these allow beside a fresh node has been used up, and none is launched
    /// any more.
    pub(super) fn fill_beside_hosts(&mut self) {
        loop {
            let mut progress = false;
            for class in self.waiting(|_| ()) {
                if !self.rules.of_class[class].host_spreads.is_empty() {
                    self.lowest_on_hosts = self.lowest_on_hosts_of(class);
                    let more = self.fill_standing(class, 0);
                    self.lowest_on_hosts.clear();
                    self.beside_hosts |= more;
                    progress |= more;
                }
            }
            if !progress {
                return;
            }
        }
    }

    /// Puts pods on nodes that stand where a spread allows them only before others are bound, the
    /// most urgent first, wherever an order of binding is found.
    pub(super) fn fill_before_others(&mut self) {
        let size = self.groups.len().saturating_mul(self.left.len()).max(1);
        let mut tries = (MOST_ORDERED / size).min(MOST_ORDERS);
        for class in self.waiting(|_| ()) {
            let rules = &self.rules.of_class[class];
            if rules.spreads.is_empty() && rules.host_spreads.is_empty() {
                continue;
            }
            let open = self.open_weights(&[class]).get(&class).copied().unwrap_or(i32::MIN);
            let mut at = 0;
            while at < self.groups.len() && self.left[class] > 0 {
                let nodes = &self.groups[at];
                let takes = self.may_use(at, class, open)
                    && self.takes(nodes, class) > 0
                    && self.is_apart(class, nodes.site);
                if !takes {
                    at += 1;
                    continue;
                }
                if tries == 0 || self.context.is_stopped() {
                    return;
                }
                tries -= 1;
                let mut other = self.clone();
                let _where = other.put(at, class, 1, 1);
                other.beside_hosts |= !rules.host_spreads.is_empty();
                match order::exists(&other, None) {
                    true => *self = other,
                    false => at += 1,
                }
            }
        }
    }

    /// Whether nobody is in the domains of a site whom anti-affinity keeps apart from a class.
    fn is_apart(&self, class: ClassId, site: usize) -> bool {
        self.rules.of_class[class].anti_affinity.iter().all(|at| {
            let domain = self.rules.domain(self.compiled(), *at, site);
            domain.is_none_or(|domain| self.domains.counts[*at][domain] == 0)
        })
    }

    /// For each spread of a class over single nodes, the lowest count of any that stands.
    fn lowest_on_hosts_of(&self, class: ClassId) -> Vec<i64> {
        let lowest = |spread: &HostSpread| {
            let counted = self.groups.iter().filter(|nodes| spread.counted.contains(nodes.site));
            let hosts = counted.clone().fold(0, |sum: u32, nodes| sum.saturating_add(nodes.count));
            let least = counted.map(|nodes| self.on_node(nodes, spread.selection)).min();
            let is_few = usize::try_from(hosts).is_ok_and(|hosts| hosts < spread.min_domains);
            if is_few { 0 } else { i64::from(least.unwrap_or(0)) }
        };
        self.rules.of_class[class].host_spreads.iter().map(lowest).collect()
    }

    /// How many pods the spreads of a class count at a site: the lowest comes first.
    fn level(&self, class: ClassId, site: usize) -> i64 {
        let compiled = self.compiled();
        let spreads = self.rules.of_class[class].spreads.iter();
        let counts = spreads.filter_map(|spread| {
            let domain = self.rules.domain(compiled, spread.counter, site)?;
            Some(self.domains.counts[spread.counter][domain])
        });
        counts.sum()
    }

    /// Whether a group's nodes are open to a class, of which launches can come from pools of this
    /// weight at most: a launch may not draw a pod for which a pool of higher weight is still open.
    fn may_use(&self, at: usize, class: ClassId, open: i32) -> bool {
        let compiled = self.compiled();
        let Some(offer) = self.groups[at].on.launched() else { return true };
        let pool = &compiled.pools[compiled.offers[offer].pool];
        pool.static_replicas.is_some()
            || compiled.items[item_of(class)].placeholder
            || open <= pool.weight && !self.is_reserved(class, offer)
    }
}
