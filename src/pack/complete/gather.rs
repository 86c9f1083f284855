//! Static nodes gathered in one place: where they hold nothing, they are domains all the same.
//!
//! *Problem.* A static pool launches its nodes whatever is pending, and pods that are spread count
//! the domains in which these stand, whether they can use them or not. An empty node in a domain of
//! its own holds down all others. To move it is one change, and none for the better while a second
//! such node, or the launch that has the pods, is elsewhere.
//!
//! *Idea.* For one cell after another, all that rules tie to pods with a spread is taken out (to
//! improve a plan), or to such pods that are left out (to place more), static nodes that hold
//! nothing are launched in that cell where their pool can, and the pods are put back there first.
//!
//! *Why it is right.* The number of nodes of each static pool stays, and so do limits and
//! reservations ([`Placement::replace_static`]); pods are put back as they are everywhere, bound
//! last, after an order of the rest is found.
//!
//! *Cost.* Nothing without nodes of static pools; else a fill for each cell, as far as
//! [`MOST_GATHERED`] allows.

use super::launch::{LaunchChoices, LaunchScoring};
use super::order;
use super::placement::Placement;
use super::{BY_SIZE, fill_by, fill_on_trial};
use crate::compile::{ClassId, OfferId, PoolId};
use std::collections::{BTreeMap, BTreeSet};

/// What this may take together: cells × the size of a fill.
const MOST_GATHERED: usize = 1_000_000;

impl Placement<'_> {
    /// What a static pool can launch in place of one of its nodes, the cheapest first: of what is
    /// alike to rules between pods, in room and in price, one.
    pub(super) fn static_offers(&self, choices: &LaunchChoices, pool: PoolId) -> Vec<OfferId> {
        let compiled = self.compiled();
        let mut known = BTreeSet::new();
        let own = compiled.offers.iter().filter(|(id, offer)| {
            let site = compiled.site_of_offer(*id);
            offer.pool == pool
                && offer.available
                && compiled.usable.contains(site)
                && known.insert((
                    choices.cell_of_site[site],
                    offer.shape,
                    offer.price,
                    offer.reservation,
                    &compiled.admits[site],
                ))
        });
        let mut own: Vec<OfferId> = own.map(|(id, _)| id).collect();
        own.sort_by_key(|id| (compiled.offers[*id].price, *id));
        own
    }
    /// Has a static pool launch another of its offers in place of a group, with the same pods;
    /// whether that was possible.
    pub(super) fn replace_static(&mut self, at: usize, offer: OfferId) -> bool {
        let former = self.groups[at].clone();
        if !self.meets_minimums_idle(offer) {
            return false;
        }
        self.close(&former);
        let before = self.groups.len();
        if self.buyable(offer) < former.count || !self.relaunch(offer, &former) {
            self.groups.truncate(before);
            self.reopen(&former);
            return false;
        }
        let moved = self.groups.pop();
        moved.into_iter().for_each(|moved| self.groups[at] = moved);
        true
    }

    /// Whether a launch of an offer that holds nothing keeps as many values open as its pool asks.
    fn meets_minimums_idle(&self, offer: OfferId) -> bool {
        let compiled = self.compiled();
        compiled.pools[compiled.offers[offer].pool].min_values.is_empty()
            || self.context.best_effort_min_values
            || self.context.meets_minimums(offer, &[], &vec![0; compiled.dims.len()])
    }

    /// Moves nodes of a static pool to the cheapest of its offers in their cell that hold their
    /// pods.
    pub(super) fn right_size_static(&mut self, choices: &LaunchChoices, at: usize) {
        let compiled = self.compiled();
        let Some(now) = self.groups[at].on.launched() else { return };
        let (pool, cell) = (compiled.offers[now].pool, choices.cell_of_site[self.groups[at].site]);
        // What it gives up would be another static pool's.
        if compiled.offers[now].reservation.is_some() && self.lacks_static_nodes() {
            return;
        }
        let room = &compiled.shapes[compiled.offers[now].shape].allocatable;
        let load = room.iter().zip(&self.groups[at].free).map(|(all, free)| all - free);
        let load: Vec<i64> = load.collect();
        let holds = |offer: OfferId| {
            let room = &compiled.shapes[compiled.offers[offer].shape].allocatable;
            room.iter().zip(&load).all(|(have, want)| have >= want)
        };
        for offer in self.static_offers(choices, pool) {
            if self.price(offer) >= self.price(now) {
                return;
            }
            let is_alike = choices.cell_of_site[compiled.site_of_offer(offer)] == cell;
            if is_alike && holds(offer) && self.replace_static(at, offer) {
                return;
            }
        }
    }
}

/// The classes that a rule ties to some with a spread among these, by the first of each component;
/// nothing where no pool is static.
pub(super) fn concerned(
    placement: &Placement<'_>,
    classes: impl Iterator<Item = ClassId>,
) -> BTreeSet<ClassId> {
    let compiled = placement.compiled();
    if compiled.pools.values().all(|pool| pool.static_replicas.is_none()) {
        return BTreeSet::new();
    }
    let is_spread = |class: &ClassId| !placement.rules.of_class[*class].spreads.is_empty();
    classes.filter(is_spread).map(|class| placement.rules.component[class]).collect()
}

/// The cells that are worth a look, those with the cheapest offers first, as far as that may take.
pub(super) fn cells(placement: &Placement<'_>, choices: &LaunchChoices) -> Vec<usize> {
    let size = placement.size_of_fill(choices).max(1);
    let mut least: BTreeMap<usize, i128> = BTreeMap::new();
    for (offer, cell) in &choices.offers {
        let price = placement.price(*offer);
        let least = least.entry(*cell).or_insert(price);
        *least = price.min(*least);
    }
    let mut cells: Vec<(i128, usize)> =
        least.into_iter().map(|(cell, price)| (price, cell)).collect();
    cells.sort_unstable();
    cells.into_iter().take(MOST_GATHERED / size).map(|(_, cell)| cell).collect()
}

/// Looks for room for more pods with the empty nodes of static pools in one cell.
pub(super) fn place_more(placement: &mut Placement<'_>, choices: &LaunchChoices) {
    let concerned = concerned(placement, placement.waiting(|_| ()).into_iter());
    if concerned.is_empty() {
        return;
    }
    let start = placement.clone();
    for cell in cells(placement, choices) {
        if placement.context.is_stopped() {
            return;
        }
        let Some(other) = gathered(&start, choices, &concerned, cell) else { continue };
        if other.rank() < placement.rank() && (other.keeps_weights() || !placement.keeps_weights())
        {
            *placement = other;
        }
    }
}

/// A placement with the static nodes that hold nothing but pods of these components in one cell,
/// where their pools can launch there, and these pods put back there first.
pub(super) fn gathered<'c>(
    placement: &Placement<'c>,
    choices: &LaunchChoices,
    concerned: &BTreeSet<ClassId>,
    cell: usize,
) -> Option<Placement<'c>> {
    let compiled = placement.compiled();
    let mut other = placement.clone();
    let mut changed = BTreeSet::new();
    other.take_all(&mut changed, |placement, class| {
        concerned.contains(&placement.rules.component[class])
    });
    let cell_of = |offer: OfferId| choices.cell_of_site[compiled.site_of_offer(offer)];
    for at in 0..other.groups.len() {
        let nodes = &other.groups[at];
        let Some(now) = nodes.on.launched().filter(|_| nodes.pods.is_empty()) else { continue };
        let pool = compiled.offers[now].pool;
        if compiled.pools[pool].static_replicas.is_none() || cell_of(now) == cell {
            continue;
        }
        let mut offers = other.static_offers(choices, pool).into_iter();
        let _moved = offers
            .any(|offer| cell_of(offer) == cell && other.change_static_to(at, offer, &mut changed));
    }
    if !changed.is_empty() && !order::exists_on_trial(&other, &changed) {
        return None;
    }
    let offers = choices.offers.iter().copied().filter(|(_, of)| *of == cell).collect();
    let narrowed = LaunchChoices { offers, cell_of_site: choices.cell_of_site.clone() };
    fill_by(&mut other, &narrowed, LaunchScoring { on_trial: true, ..BY_SIZE });
    if !fill_on_trial(&mut other, choices) {
        return None;
    }
    for at in 0..other.groups.len() {
        other.right_size(choices, at);
    }
    Some(other)
}
