//! Further launches for what no standing node takes.
//!
//! *Idea.* An empty node of each way to launch one is filled on trial; the one whose pods are worth
//! most for what it takes of what is scarce (or costs) is launched, and so on. What a trial was
//! worth before is mostly the most that it can be worth now, so only those are tried again that
//! come first.
//!
//! *Why it is right.* A node in a domain where others stand changes no lowest count, so its pods
//! are bound last. One that opens a domain holds others down from the start: it is launched only
//! where an order of binding is found for all that count there.
//!
//! *Cost.* A trial for each way to launch, and a few for each launch; ways that differ in nothing
//! that matters here are one ([`LaunchChoices`]).

use super::order;
use super::placement::{PlacedNodes, Placement};
use super::rules::item_of;
use crate::compile::{Bits, ClassId, Id, IdVec, OfferId, PoolId, ReservationId, ShapeId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// What pods count for, and what launches do.
#[derive(Clone, Copy)]
pub(super) struct LaunchScoring<'a> {
    /// For each class, what one pod is worth; `None`: all the same.
    pub(super) worth: Option<&'a IdVec<ClassId, i64>>,
    /// Whether launches are weighed by what they take of limits, before what they cost.
    pub(super) scarce: bool,
    /// Whether small pods come first.
    pub(super) small_first: bool,
    /// Changes the order of what is otherwise alike; 0: not at all.
    pub(super) seed: u64,
    /// Whether it changes that of nodes that stand as well. That is for pods without a place: for
    /// those that have one the first of alike nodes is as good, and a change costs attempts.
    pub(super) draws_nodes: bool,
    /// Whether the caller's wish to stop ends it: what it came to is thrown away then.
    pub(super) on_trial: bool,
}

impl LaunchScoring<'_> {
    /// What changes the order of alike nodes that stand; 0: nothing.
    pub(super) fn seed_of_nodes(self) -> u64 {
        if self.draws_nodes { self.seed } else { 0 }
    }
}

/// The different ways to launch a node.
#[derive(Debug)]
pub(super) struct LaunchChoices {
    /// One offer for each, with the number of its cell.
    pub(super) offers: Vec<(OfferId, usize)>,
    /// For each site, the number of its cell: those of one are in the same domains and counted
    /// alike.
    pub(super) cell_of_site: Vec<usize>,
}

impl LaunchChoices {
    pub(super) fn of(placement: &Placement<'_>) -> Self {
        let compiled = placement.compiled();
        let mut cells: BTreeMap<(Vec<u32>, Vec<bool>), usize> = BTreeMap::new();
        let cell = |site: usize| {
            let keys = compiled.topology.keys.values();
            let domains: Vec<u32> = keys.map(|key| key.of_site[site]).collect();
            let counted = placement.rules.spread_counters.iter().map(|at| {
                let counted = &placement.rules.counters[*at].counted;
                counted.as_ref().is_none_or(|counted| counted.contains(site))
            });
            let next = cells.len();
            *cells.entry((domains, counted.collect())).or_insert(next)
        };
        let cell_of_site: Vec<usize> = (0..compiled.sites()).map(cell).collect();
        let mut offers = Vec::new();
        if compiled.topology.keys.len() == 0 {
            // Nothing tells sites apart but eligibility sets: what dominates others will do.
            offers.extend(compiled.bin_types.iter().filter_map(|bin_type| bin_type.offers.first()));
        } else {
            type Alike<'a> = (usize, PoolId, ShapeId, i64, Option<ReservationId>, &'a Bits);
            let mut known: BTreeSet<Alike<'_>> = BTreeSet::new();
            for (id, offer) in compiled.offers.iter() {
                let site = compiled.site_of_offer(id);
                let admits = &compiled.admits[site];
                if admits.is_empty() || !compiled.usable.contains(site) {
                    continue;
                }
                let cell = cell_of_site[site];
                let like = (cell, offer.pool, offer.shape, offer.price, offer.reservation, admits);
                if known.insert(like) {
                    offers.push(id);
                }
            }
        }
        let listed = offers.into_iter().map(|id| (id, cell_of_site[compiled.site_of_offer(id)]));
        let offers = listed.collect();
        Self { offers, cell_of_site }
    }
}

/// What a trial came to: how good it is, and what the node holds.
struct Trial {
    score: u128,
    pods: Vec<(ClassId, u32)>,
}

impl Placement<'_> {
    /// Launches nodes for pods of these classes, the most urgent first, as long as any find a
    /// place; whether there were any.
    pub(super) fn launch_for(
        &mut self,
        choices: &LaunchChoices,
        classes: &[ClassId],
        scale: LaunchScoring<'_>,
    ) -> bool {
        let mut any = false;
        let context = self.context;
        let ends = || scale.on_trial && context.is_stopped();
        loop {
            let mut open = self.open_weights(classes);
            let mut best: BinaryHeap<(u128, Reverse<u64>, usize)> = BinaryHeap::new();
            for (at, (offer, _)) in choices.offers.iter().enumerate() {
                if ends() {
                    return any;
                }
                if let Some(trial) = self.trial(*offer, classes, &open, scale) {
                    best.push((trial.score, Reverse(mix(scale.seed, at)), at));
                }
            }
            let mut launched = false;
            while let Some((_, tie, at)) = best.pop().filter(|_| !ends()) {
                let (offer, _) = choices.offers[at];
                let Some(trial) = self.trial(offer, classes, &open, scale) else { continue };
                if best.peek().is_some_and(|(next, _, _)| *next > trial.score) {
                    best.push((trial.score, tie, at));
                    continue;
                }
                self.buy(offer, &trial);
                open = self.open_weights(classes);
                launched = true;
                if classes.iter().all(|class| self.left[*class] == 0) {
                    return true;
                }
                best.push((trial.score, tie, at));
            }
            if !launched {
                return any;
            }
            any = true;
            // What is launched may have raised counts that held others down.
            for class in classes {
                if self.left[*class] > 0 {
                    let _more = self.fill_standing(*class, scale.seed_of_nodes());
                }
            }
        }
    }

    /// Several at once where nothing depends on where they stand; one by one where each changes
    /// what the next may do.
    fn buy(&mut self, offer: OfferId, trial: &Trial) {
        let free = |class: ClassId| !self.rules.of_class[class].is_domain_tied();
        let mut times = 1;
        if trial.pods.iter().all(|(class, _)| free(*class)) && !self.opens(offer) {
            let often = trial.pods.iter().map(|(class, each)| self.left[*class] / each).min();
            times = often.unwrap_or(1).min(self.supply(offer)).max(1);
        }
        self.launch(offer, times);
        let at = self.groups.len() - 1;
        for (class, each) in &trial.pods {
            let _same = self.put(at, *class, *each, times);
        }
    }

    /// Whether a node of an offer would be the first in a domain of some spread.
    fn opens(&self, offer: OfferId) -> bool {
        let compiled = self.compiled();
        let site = compiled.site_of_offer(offer);
        self.rules.spread_counters.iter().any(|at| {
            let domain = self.rules.domain(compiled, *at, site);
            domain.is_some_and(|domain| self.domains.exists[*at][domain] == 0)
        })
    }

    /// The components of classes with a spread for which a node of an offer would open a domain:
    /// one over single nodes too where some hold more than a fresh one allows.
    pub(super) fn opened(&self, offer: OfferId) -> BTreeSet<ClassId> {
        let compiled = self.compiled();
        let site = compiled.site_of_offer(offer);
        let opened = self.rules.spread_counters.iter().filter(|at| {
            let domain = self.rules.domain(compiled, **at, site);
            domain.is_some_and(|domain| self.domains.exists[**at][domain] == 0)
        });
        let owners = opened.filter_map(|at| self.rules.counters[*at].owners.first());
        let mut opened: BTreeSet<ClassId> =
            owners.map(|class| self.rules.component[*class]).collect();
        if self.beside_hosts {
            let rules = self.rules.of_class.iter();
            let counting = rules
                .filter(|(_, of)| of.host_spreads.iter().any(|one| one.counted.contains(site)));
            opened.extend(counting.map(|(class, _)| self.rules.component[class]));
        }
        opened
    }

    /// What a node of an offer would hold of these classes, of which launches can come from pools
    /// of these weights at most; nothing is changed.
    ///
    /// A node is launched, filled with what fits in passes over the classes, judged and taken back.
    /// Pods of classes with spreads go one by one where the node opens a domain, since each changes
    /// the counts.
    fn trial(
        &mut self,
        offer: OfferId,
        classes: &[ClassId],
        open: &BTreeMap<ClassId, i32>,
        scale: LaunchScoring<'_>,
    ) -> Option<Trial> {
        let compiled = self.compiled();
        let site = compiled.site_of_offer(offer);
        let of = &compiled.offers[offer];
        let room = &compiled.shapes[of.shape].allocatable;
        let weight = compiled.pools[of.pool].weight;
        let suits = |class: &ClassId| {
            self.left[*class] > 0
                && self.table.holds_alone(self.context, offer, *class)
                && open.get(class).is_none_or(|open| *open <= weight)
                && !self.is_reserved(*class, offer)
        };
        if self.supply(offer) == 0 {
            return None;
        }
        let mut fitting: Vec<ClassId> =
            classes.iter().filter(|class| suits(class)).copied().collect();
        if fitting.is_empty() {
            return None;
        }
        let opened = self.opened(offer);
        if opened.is_empty() {
            // Whom a pod needs may come onto the same node.
            fitting.retain(|class| {
                self.rules.of_class[*class].affinity.is_some() || self.domain_room(*class, site) > 0
            });
            if fitting.is_empty() {
                return None;
            }
        }
        if scale.worth.is_none() || scale.seed != 0 {
            fitting.sort_by_cached_key(|class| {
                let item = &compiled.items[item_of(*class)];
                let size = share(&item.request, room);
                let size = if scale.small_first { size } else { -size };
                (Reverse(item.priority), size, mix(scale.seed, class.index()))
            });
        }
        self.launch(offer, 1);
        let at = self.groups.len() - 1;
        let most = if opened.is_empty() { u32::MAX } else { 1 };
        // What a node has no room for it has none for later.
        let mut full = vec![false; fitting.len()];
        loop {
            let mut progress = false;
            for (class, full) in fitting.iter().zip(&mut full).filter(|(_, full)| !**full) {
                let nodes = &self.groups[at];
                let room = self.domain_room(*class, nodes.site).min(most);
                let room = room.min(self.left[*class]).min(self.host_room(nodes, *class));
                // What is quick to say comes first.
                let takes = if room > 0 { self.takes(nodes, *class) } else { 0 };
                *full = room > 0 && takes == 0;
                let each = takes.min(room);
                if each > 0 {
                    let _same = self.put(at, *class, each, 1);
                    progress = true;
                }
            }
            if !progress {
                break;
            }
        }
        let pods = self.groups[at].pods.clone();
        let has_order = || match scale.on_trial {
            true => order::exists_on_trial(self, &opened),
            false => order::exists(self, Some(&opened)),
        };
        let legal = !pods.is_empty() && (opened.is_empty() || has_order());
        self.take_back();
        if !legal {
            return None;
        }
        let worth = |class: ClassId| scale.worth.map_or(1, |worth| worth[class].max(1));
        let value: i128 =
            pods.iter().map(|(class, each)| i128::from(worth(*class)) * i128::from(*each)).sum();
        let cost = self.weighed(offer, scale.scarce);
        let score = u128::try_from(value).unwrap_or(0).saturating_mul(1 << 40);
        Some(Trial { score: score / u128::try_from(cost.max(1)).unwrap_or(1), pods })
    }

    /// What a launch counts for: what it takes of the scarcest limit, in billionths, and a little
    /// for its price; or its price.
    fn weighed(&self, offer: OfferId, scarce: bool) -> i128 {
        let compiled = self.compiled();
        if !scarce {
            return self.price(offer);
        }
        let share = self.supplies.limit_share(compiled.draw(offer), 1_000_000_000);
        share.saturating_add(self.price(offer) >> 20)
    }

    /// Whether a reservation that is kept to strictly could take a class that an offer would take
    /// without one.
    pub(super) fn is_reserved(&self, class: ClassId, offer: OfferId) -> bool {
        let compiled = self.compiled();
        if !self.context.strict_reservations || compiled.offers[offer].reservation.is_some() {
            return false;
        }
        let item = &compiled.items[item_of(class)];
        compiled.offers.iter().any(|(id, of)| {
            of.reservation.is_some_and(|id| compiled.reservations[id].remaining > 0)
                && compiled.usable.contains(compiled.site_of_offer(id))
                && compiled.eligible[item.eligibility].contains(compiled.site_of_offer(id))
                && compiled.room_of_offer(id).takes_there(item, 1) > 0
        })
    }

    /// Moves a group of launches to the cheapest offers of its cell that hold its pods.
    pub(super) fn right_size(&mut self, choices: &LaunchChoices, at: usize) {
        let compiled = self.compiled();
        let Some(now) = self.groups[at].on.launched() else { return };
        let of_now = &compiled.offers[now];
        if compiled.pools[of_now.pool].static_replicas.is_some() {
            self.right_size_static(choices, at);
            return;
        }
        let weight = compiled.pools[of_now.pool].weight;
        let cell = choices.cell_of_site[self.groups[at].site];
        let load: Vec<i64> = compiled.shapes[of_now.shape]
            .allocatable
            .iter()
            .zip(&self.groups[at].free)
            .map(|(all, free)| all - free)
            .collect();
        let mut cheaper: Vec<(i128, OfferId)> = choices
            .offers
            .iter()
            .filter(|(offer, of_cell)| {
                let offer = &compiled.offers[*offer];
                *of_cell == cell
                    && compiled.pools[offer.pool].weight == weight
                    && compiled.shapes[offer.shape]
                        .allocatable
                        .iter()
                        .zip(&load)
                        .all(|(have, want)| have >= want)
            })
            .map(|(offer, _)| (self.price(*offer), *offer))
            .filter(|(price, _)| *price < self.price(now))
            .collect();
        cheaper.sort_unstable();
        for (_, offer) in cheaper {
            let former = self.groups[at].clone();
            self.close(&former);
            let before = self.groups.len();
            if self.supply(offer) >= former.count && self.relaunch(offer, &former) {
                let moved = self.groups.pop();
                moved.into_iter().for_each(|moved| self.groups[at] = moved);
                return;
            }
            self.groups.truncate(before);
            self.reopen(&former);
        }
    }

    /// Launches an offer with the pods of a group that was closed; whether it holds them.
    pub(super) fn relaunch(&mut self, offer: OfferId, former: &PlacedNodes<'_>) -> bool {
        self.launch(offer, former.count);
        let at = self.groups.len() - 1;
        for (class, each) in &former.pods {
            if self.is_reserved(*class, offer) || self.takes(&self.groups[at], *class) < *each {
                self.take_back();
                return false;
            }
            let _same = self.put(at, *class, *each, former.count);
        }
        true
    }

    /// Undoes the closing of a group that still stands in the list.
    pub(super) fn reopen(&mut self, nodes: &PlacedNodes<'_>) {
        let Some(offer) = nodes.on.launched() else { return };
        self.launch(offer, nodes.count);
        let _empty = self.groups.pop();
        for (class, each) in &nodes.pods {
            let count = each * nodes.count;
            self.left[*class] = self.left[*class].saturating_sub(count);
            self.count(*class, nodes.site, i64::from(count));
        }
    }
}

/// The largest share of a room that a request takes, in millionths.
fn share(request: &[i64], room: &[i64]) -> i128 {
    let shares = request.iter().zip(room).filter(|(asked, _)| **asked > 0);
    let shares =
        shares.map(|(asked, all)| i128::from(*asked) * 1_000_000 / i128::from(*all).max(1));
    shares.max().unwrap_or(0)
}

/// A number that looks drawn at random; 0 with a seed of 0.
pub(super) fn mix(seed: u64, number: usize) -> u64 {
    if seed == 0 {
        return 0;
    }
    let number = u64::try_from(number).unwrap_or(u64::MAX);
    let mut word =
        seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word ^= word >> 29;
    word = word.wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 32)
}
