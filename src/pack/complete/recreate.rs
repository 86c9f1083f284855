//! Taking parts of a plan out and putting them back better: a neighbourhood search over every
//! decision.
//!
//! *Problem.* What was decided first (which domain, which pool, which reservation, what goes on
//! running nodes) is kept by everything that packs within these decisions.
//!
//! *Idea.* Ruin and recreate: the pods of a few nodes, of one class, or of all classes that rules
//! tie together are taken out; where an order of binding is left for the rest they are put back in
//! another order and on another scale, and the launches are right-sized. What leaves fewer pods
//! out, the most urgent first, or as many at less cost, is the plan from which the search goes on.
//!
//! *Why it is right.* What is put back is bound last, and accepted. A plan that honours less of any
//! kind of preference, or launches from a lower pool what a higher one takes, isn't taken.
//!
//! *Cost.* An attempt costs what it costs to put the pods back. The attempts are drawn by number,
//! so that the same problem gives the same plan.
//!
//! References: Schrimpf et al. 2000 (ruin and recreate); Shaw 1998 (large neighbourhood search).

use super::super::assigned_packing::AssignedPacking;
use super::super::packing::{Context, Packing};
use super::super::preference;
use super::launch::{LaunchChoices, LaunchScoring, mix};
use super::placement::Placement;
use super::rules::{PlacementRules, item_of};
use super::{BY_SIZE, fill_by, fill_on_trial};
use super::{gather, order};
use crate::compile::{ClassId, IdVec, ItemId, OfferId};
use crate::plan::PreferenceShare;
use std::collections::{BTreeMap, BTreeSet};

/// The most attempts to place more pods where some are left out.
const MOST_ATTEMPTS: u64 = 240;
/// What those may take together: attempts × ways to launch a node × the size of a fill.
const MOST_WORK: usize = 12_000_000;
/// What trades may take together: tries × the size of a fill.
const MOST_TRADED: usize = 4_000_000;
/// Attempts in a row that are no better before it ends.
const PATIENCE: u64 = 400;
/// So many pods are taken out all at once.
const FEW_PODS: u64 = 40;

/// How good a placement is.
struct PlacementScore {
    unplaced: Vec<u64>,
    cost: i128,
    shares: Vec<PreferenceShare>,
}

/// Looks for room for more pods where some are left out of a small problem.
pub(super) fn place_more(placement: &mut Placement<'_>, choices: &LaunchChoices) {
    let compiled = placement.compiled();
    let waits = |placement: &Placement<'_>| {
        let waiting = placement.waiting(|_| ());
        waiting.iter().any(|class| !compiled.items[item_of(*class)].placeholder)
    };
    if !waits(placement) || placement.context.is_stopped() {
        return;
    }
    if !may_be_placed(placement, choices) {
        return;
    }
    let size = placement.size_of_fill(choices).saturating_mul(choices.offers.len().max(1));
    let attempts = u64::try_from(MOST_WORK / size.max(1)).unwrap_or(u64::MAX).min(MOST_ATTEMPTS);
    trade(placement, choices);
    gather::place_more(placement, choices);
    let worth = worth(placement);
    for attempt in 1..=attempts {
        if !waits(placement) || placement.context.is_stopped() {
            return;
        }
        let Some(other) = recreated(placement, choices, &worth, attempt) else { continue };
        if other.rank() < placement.rank() && (other.keeps_weights() || !placement.keeps_weights())
        {
            *placement = other;
        }
    }
}

/// Takes out all pods of one class, the largest first, where smaller ones that are left out may be
/// more.
fn trade(placement: &mut Placement<'_>, choices: &LaunchChoices) {
    let compiled = placement.compiled();
    let scale = LaunchScoring { small_first: false, ..BY_SIZE };
    let size = placement.size_of_fill(choices);
    let mut classes: Vec<ClassId> = placement
        .left
        .iter()
        .filter(|(class, left)| **left < compiled.items[item_of(*class)].count)
        .map(|(class, _)| class)
        .collect();
    classes.sort_by_cached_key(|class| (placement.size(*class, scale), *class));
    let tries = MOST_TRADED / size.max(1);
    for class in classes.into_iter().take(tries) {
        if placement.context.is_stopped() {
            return;
        }
        let mut other = placement.clone();
        let mut changed = BTreeSet::new();
        other.take_all(&mut changed, |_, held| held == class);
        if !order::exists_on_trial(&other, &changed) {
            continue;
        }
        if fill_on_trial(&mut other, choices)
            && other.rank().0 < placement.rank().0
            && (other.keeps_weights() || !placement.keeps_weights())
        {
            *placement = other;
        }
    }
}

/// Whether any of what is left out finds a place where nothing else is placed.
fn may_be_placed(placement: &Placement<'_>, choices: &LaunchChoices) -> bool {
    if placement.compiled().pools.values().any(|pool| pool.static_replicas.is_some()) {
        // It may launch something else.
        return true;
    }
    let waiting = placement.left.clone();
    let mut empty = placement.clone();
    empty.take_all(&mut BTreeSet::new(), |_, _| true);
    for (class, left) in waiting.iter() {
        empty.left[class] = *left;
    }
    let is_whole = fill_on_trial(&mut empty, choices);
    is_whole
        && empty.left.iter().any(|(class, left)| {
            *left < waiting[class] && !empty.compiled().items[item_of(class)].placeholder
        })
}

/// Improves a packing in every respect, as long as `granted` says so; whether it was.
pub(crate) fn improve(
    context: &Context<'_>,
    packed: AssignedPacking,
    granted: &mut dyn FnMut() -> bool,
) -> (AssignedPacking, bool) {
    if context.preference_price.is_none() && packed.is_free(context.compiled) {
        return (packed, false);
    }
    let rules = PlacementRules::of(context.compiled);
    let mut start = Placement::of(context, &rules, &packed);
    start.keep_domains();
    let choices = LaunchChoices::of(&start);
    let worth = worth(&start);
    let mut best = start.clone();
    let mut score = PlacementScore::of(&best);
    let concerned = gather::concerned(&start, context.compiled.classes.ids());
    let cells = if concerned.is_empty() { Vec::new() } else { gather::cells(&start, &choices) };
    for cell in cells {
        if !granted() {
            break;
        }
        if let Some(other) = gather::gathered(&start, &choices, &concerned, cell)
            && let Some(of_other) = PlacementScore::of_better(&other, &best, &score)
        {
            (best, score) = (other, of_other);
        }
    }
    let mut idle = 0;
    for attempt in 1.. {
        if idle >= PATIENCE || !granted() {
            break;
        }
        idle += 1;
        let Some(other) = recreated(&best, &choices, &worth, attempt) else { continue };
        if let Some(of_other) = PlacementScore::of_better(&other, &best, &score) {
            (best, score, idle) = (other, of_other, 0);
        }
    }
    let first = PlacementScore::of(&start);
    if !score.is_better(&first, false) {
        return (packed, false);
    }
    match best.finish(&packed) {
        Some(improved) => (improved, true),
        None => (packed, false),
    }
}

impl PlacementScore {
    fn of(placement: &Placement<'_>) -> Self {
        let (unplaced, mut cost) = placement.rank();
        let shares = match placement.context.with_preferences
            || placement.context.preference_price.is_some()
        {
            true => placement.shares(),
            false => Vec::new(),
        };
        if let Some(price) = placement.context.preference_price {
            let unmet = shares.iter().map(|share| i128::from(share.weight - share.honoured));
            cost = cost.saturating_add(unmet.sum::<i128>().saturating_mul(i128::from(price)));
        }
        Self { unplaced, cost, shares }
    }

    /// That of a placement, if it is better than the best so far, whose score is given, and no less
    /// legal.
    fn of_better(placement: &Placement<'_>, best: &Placement<'_>, score: &Self) -> Option<Self> {
        let context = placement.context;
        if placement.rank() > (score.unplaced.clone(), score.cost)
            && context.preference_price.is_none()
        {
            return None;
        }
        let own = Self::of(placement);
        let honours = context.with_preferences && context.preference_price.is_none();
        let is_better =
            own.is_better(score, honours) && (placement.keeps_weights() || !best.keeps_weights());
        is_better.then_some(own)
    }

    /// Whether it is better than another; `honours`: only if it honours no less of any kind of
    /// preference.
    fn is_better(&self, other: &Self, honours: bool) -> bool {
        if self.unplaced != other.unplaced {
            return self.unplaced < other.unplaced;
        }
        let less = |share: &PreferenceShare| {
            let mine = self.shares.iter().find(|mine| mine.kind == share.kind);
            mine.is_none_or(|mine| mine.honoured < share.honoured)
        };
        self.cost < other.cost && !(honours && other.shares.iter().any(less))
    }
}

/// What pods are worth where all has to be bought.
fn worth(placement: &Placement<'_>) -> IdVec<ClassId, i64> {
    let compiled = placement.compiled();
    let mut counts: IdVec<ItemId, u32> = compiled
        .items
        .iter()
        .map(|(id, item)| if compiled.placeable[id] && !item.placeholder { item.count } else { 0 })
        .collect();
    for (id, compatibles) in compiled.compatibles.iter() {
        if compatibles.is_empty() {
            counts[id] = 0;
        }
    }
    let worth = Packing::new(compiled).worth(placement.context, &counts);
    compiled.items.ids().map(|item| worth.of(item)).collect()
}

/// A placement with something taken out and put back another way; `None` where that can't be, or
/// the caller wishes to stop meanwhile.
fn recreated<'c>(
    placement: &Placement<'c>,
    choices: &LaunchChoices,
    worth: &IdVec<ClassId, i64>,
    attempt: u64,
) -> Option<Placement<'c>> {
    let mut other = placement.clone();
    let draw = |number: usize| mix(attempt, number);
    if !other.ruin(choices, attempt) {
        return None;
    }
    let limited = placement.compiled().pools.values().any(|pool| !pool.limits.is_empty());
    let scale = LaunchScoring {
        worth: draw(1).is_multiple_of(4).then_some(worth).or(None),
        scarce: limited && draw(2).is_multiple_of(2),
        small_first: draw(3).is_multiple_of(3),
        seed: attempt,
        draws_nodes: !placement.waiting(|_| ()).is_empty(),
        on_trial: true,
    };
    let scale = if draw(4).is_multiple_of(2) {
        LaunchScoring { worth: Some(worth), ..scale }
    } else {
        scale
    };
    // Now and then one of the cells is left out of the first launches, so that others are tried.
    let cells = choices.offers.iter().map(|(_, cell)| *cell);
    let cells: Vec<usize> = cells.collect::<BTreeSet<usize>>().into_iter().collect();
    let touched = other.groups.len();
    if cells.len() > 1 && draw(5).is_multiple_of(2) {
        let kept = pick(draw(6), cells.len());
        let only = draw(7).is_multiple_of(2);
        let offers = choices.offers.iter().copied();
        let offers = offers.filter(|(_, cell)| (*cell == cells[kept]) == only).collect();
        let narrowed = LaunchChoices { offers, cell_of_site: choices.cell_of_site.clone() };
        fill_by(&mut other, &narrowed, scale);
    }
    fill_by(&mut other, choices, scale);
    if placement.context.is_stopped() {
        return None;
    }
    // What nothing takes on this scale another may.
    if (scale.worth.is_some() || !scale.scarce) && !fill_on_trial(&mut other, choices) {
        return None;
    }
    other.fill_beside_hosts();
    let from = if other.groups.len() <= 64 { 0 } else { touched.min(other.groups.len()) };
    for at in from..other.groups.len() {
        other.right_size(choices, at);
    }
    Some(other)
}

/// One of so many.
fn pick(drawn: u64, of: usize) -> usize {
    usize::try_from(drawn % u64::try_from(of.max(1)).unwrap_or(1)).unwrap_or(0)
}

impl Placement<'_> {
    /// Takes something out; whether there was anything and an order of binding is left for the
    /// rest.
    fn ruin(&mut self, choices: &LaunchChoices, attempt: u64) -> bool {
        let draw = |number: usize| mix(attempt, 100 + number);
        let movable: Vec<usize> = (0..self.groups.len())
            .filter(|at| !self.groups[*at].pods.is_empty() || self.is_launch(*at))
            .collect();
        if movable.is_empty() {
            return self.left.values().any(|left| *left > 0);
        }
        let pods: u64 = movable
            .iter()
            .map(|at| &self.groups[*at])
            .flat_map(|nodes| nodes.pods.iter().map(|(_, each)| u64::from(each * nodes.count)))
            .sum();
        let mut changed: BTreeSet<ClassId> = BTreeSet::new();
        match draw(0) % 8 {
            0 if pods <= FEW_PODS => self.take_all(&mut changed, |_, _| true),
            1 => {
                // All that rules tie to one class.
                let held = &self.groups[movable[pick(draw(1), movable.len())]].pods;
                let Some((class, _)) = held.get(pick(draw(2), held.len())) else { return false };
                let component = self.rules.component[*class];
                self.take_all(&mut changed, |placement, class| {
                    placement.rules.component[class] == component
                });
            }
            2 => {
                let held = &self.groups[movable[pick(draw(1), movable.len())]].pods;
                let Some((class, _)) = held.get(pick(draw(2), held.len())).copied() else {
                    return false;
                };
                self.take_all(&mut changed, |_, other| other == class);
            }
            more => {
                let mut chosen: BTreeSet<usize> = BTreeSet::new();
                for number in 0..=usize::try_from(more % 4).unwrap_or(0) {
                    let at = movable[pick(draw(10 + number), movable.len())];
                    let _new = chosen.insert(self.split(at, 1));
                }
                for at in chosen.iter().rev() {
                    self.empty(*at, &mut changed);
                    self.change_static(choices, *at, draw(20), &mut changed);
                }
                let groups: Vec<usize> = chosen.into_iter().collect();
                self.close_empty(&groups, &mut changed);
            }
        }
        changed.is_empty() || order::exists_on_trial(self, &changed)
    }

    /// Has a static pool launch something else in place of an empty group, now and then.
    fn change_static(
        &mut self,
        choices: &LaunchChoices,
        at: usize,
        drawn: u64,
        changed: &mut BTreeSet<ClassId>,
    ) {
        let compiled = self.compiled();
        let Some(now) = self.groups[at].on.launched() else { return };
        let pool = compiled.offers[now].pool;
        if compiled.pools[pool].static_replicas.is_none() || drawn.is_multiple_of(3) {
            return;
        }
        let mut others = self.static_offers(choices, pool);
        others.retain(|offer| *offer != now);
        if let Some(offer) = others.get(pick(drawn >> 8, others.len())) {
            let _moved = self.change_static_to(at, *offer, changed);
        }
    }

    /// Has a static pool launch this in place of an empty group; whether that was possible.
    pub(super) fn change_static_to(
        &mut self,
        at: usize,
        offer: OfferId,
        changed: &mut BTreeSet<ClassId>,
    ) -> bool {
        let compiled = self.compiled();
        // What it gives up would be another static pool's.
        let now = self.groups[at].on.launched().and_then(|now| compiled.offers[now].reservation);
        if now.is_some() && self.lacks_static_nodes() {
            return false;
        }
        let opened = self.opened(offer);
        let moved = self.replace_static(at, offer);
        if moved {
            changed.extend(opened);
        }
        moved
    }

    /// Whether a static pool launches fewer nodes than it lacks.
    pub(super) fn lacks_static_nodes(&self) -> bool {
        let compiled = self.compiled();
        compiled.pools.iter().any(|(id, pool)| {
            let own = self.groups.iter().filter(|nodes| {
                nodes.on.launched().is_some_and(|offer| compiled.offers[offer].pool == id)
            });
            let launched = own.fold(0_u32, |sum, nodes| sum.saturating_add(nodes.count));
            pool.static_replicas.is_some_and(|nodes| launched < nodes)
        })
    }

    fn is_launch(&self, at: usize) -> bool {
        self.groups[at].on.is_launch()
    }

    /// Takes all pods of some classes out of the whole plan.
    pub(super) fn take_all(
        &mut self,
        changed: &mut BTreeSet<ClassId>,
        which: impl Fn(&Self, ClassId) -> bool,
    ) {
        for at in 0..self.groups.len() {
            for (class, each) in self.groups[at].pods.clone() {
                if which(self, class) {
                    self.take(at, class, each);
                    let _new = changed.insert(self.rules.component[class]);
                }
            }
        }
        let groups: Vec<usize> = (0..self.groups.len()).collect();
        self.close_empty(&groups, changed);
    }

    /// Takes all pods off the nodes of a group.
    fn empty(&mut self, at: usize, changed: &mut BTreeSet<ClassId>) {
        for (class, each) in self.groups[at].pods.clone() {
            self.take(at, class, each);
            let _new = changed.insert(self.rules.component[class]);
        }
    }

    /// Closes those of some groups, in ascending order, that are launches and hold nothing, static
    /// pools' aside.
    pub(super) fn close_empty(&mut self, groups: &[usize], changed: &mut BTreeSet<ClassId>) {
        let compiled = self.compiled();
        for at in groups.iter().rev() {
            let Some(offer) = self.groups[*at].on.launched() else { continue };
            let is_static = compiled.pools[compiled.offers[offer].pool].static_replicas.is_some();
            if is_static || !self.groups[*at].pods.is_empty() {
                continue;
            }
            let nodes = self.groups.remove(*at);
            self.close(&nodes);
            // Fewer domains may be fewer than some spread asks for.
            for counter in &self.rules.spread_counters {
                let domain = self.rules.domain(compiled, *counter, nodes.site);
                if domain.is_some_and(|domain| self.domains.exists[*counter][domain] == 0) {
                    let owners = self.rules.counters[*counter].owners.iter();
                    let picky = owners.filter(|class| {
                        let spreads = &self.rules.of_class[**class].spreads;
                        spreads.iter().any(|spread| spread.min_domains > 1)
                    });
                    changed.extend(picky.map(|class| self.rules.component[*class]));
                }
            }
        }
    }

    /// Whether every launch of a lower weight holds only what no pool of a higher one takes any
    /// more.
    pub(super) fn keeps_weights(&self) -> bool {
        let compiled = self.compiled();
        let classes: Vec<ClassId> = self.left.ids().collect();
        let open = self.open_weights(&classes);
        self.groups.iter().all(|nodes| {
            let Some(offer) = nodes.on.launched() else { return true };
            let pool = &compiled.pools[compiled.offers[offer].pool];
            let may_hold = |class: ClassId| {
                let placeholder = compiled.items[item_of(class)].placeholder;
                placeholder || open.get(&class).is_none_or(|open| *open <= pool.weight)
            };
            pool.static_replicas.is_some() || nodes.pods.iter().all(|(class, _)| may_hold(*class))
        })
    }

    /// What it takes to put pods back: groups of nodes and ways to launch one, times classes of
    /// pods. Where launches must keep values open, each look at one goes through all of them.
    pub(super) fn size_of_fill(&self, choices: &LaunchChoices) -> usize {
        let open = self.compiled().pools.values().any(|pool| !pool.min_values.is_empty());
        let each = if open { 1 + choices.offers.len() / 16 } else { 1 };
        let ways = self.groups.len() + choices.offers.len();
        ways.saturating_mul(self.left.len()).saturating_mul(each)
    }

    /// How large a class is: what comes first is put first.
    pub(super) fn size(&self, class: ClassId, scale: LaunchScoring<'_>) -> i128 {
        let compiled = self.compiled();
        let request = &compiled.items[item_of(class)].request;
        let shares = request.iter().zip(&self.table.largest);
        let share = shares.map(|(asked, most)| i128::from(*asked) * 1_000_000 / i128::from(*most));
        let share = share.max().unwrap_or(0);
        let factor = match scale.seed {
            0 => 16,
            seed => 8 + i128::from(mix(seed, 1000 + crate::compile::Id::index(class)) % 16),
        };
        if scale.small_first { share * factor } else { -share * factor }
    }

    /// What is honoured of preferences.
    fn shares(&self) -> Vec<PreferenceShare> {
        let mut placed_groups = Vec::new();
        for nodes in &self.groups {
            let classes = nodes.pods.iter().map(|(class, each)| (*class, u64::from(*each)));
            let classes: BTreeMap<ClassId, u64> = classes.collect();
            let at_sites = nodes.on.at_sites(self.compiled(), nodes.count).into_iter();
            placed_groups
                .extend(at_sites.map(|nodes| preference::PlacedGroup::new(nodes, classes.clone())));
        }
        preference::shares(self.compiled(), &placed_groups)
    }
}
