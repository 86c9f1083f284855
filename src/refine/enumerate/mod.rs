//! Plans of small problems, found by trying everything.
//!
//! *Problem.* The packer arranges pods over domains before it packs them, and refinement keeps to that
//! arrangement. Where something is scarce (a limit, a reservation, room that runs) the arrangement may
//! have been the wrong one: pods stay out that had a place, or a plan costs more than it need.
//!
//! *Idea.* Pods are told apart by item alone, so that there are few vectors of numbers of pods. What each
//! vector costs on the nodes of one *cell* (a combination of domains) is worked out once, smaller
//! vectors before larger ones, as a Pareto front of costs and of uses of what is scarce ([`cells`]). The
//! items that rules between pods are about are then divided over the cells and over those that stay out,
//! in every way that keeps what the rules say of the end ([`ties`], [`company`]); the others go where
//! they cost least ([`divide`]). Of what comes out an order of binding must exist ([`order`]), and pools
//! of higher weights must have come first ([`weights`]); else the search goes on with the next best.
//!
//! Most pods by priority come before costs. Domains in which nothing stands but a launch of the pods
//! could count at first, as for the packer; where pods stay out all the same, only those count that
//! stand in the plan ([`Task::launchable`]), and every node may be asked to hold some of what a spread
//! over nodes counts, so that others may hold more ([`Task::levels`]).
//!
//! *Why it is right.* Every table entry is made of nodes that can be launched and hold what they are
//! given; what a rule says of the end is true of every plan that can be bound, and no plan is returned
//! that can't. The plan is handed to the packer as an arrangement of its own ([`rebuild`]): one class
//! for each item and cell.
//!
//! *Cost.* Pairs of a vector and a part of it, for each cell, and ways to divide the items of rules:
//! [`MOST_STEPS`] at most, or nothing comes of it.

mod cells;
mod company;
mod divide;
mod front;
mod hosts;
mod order;
mod places;
mod rebuild;
mod ties;
mod weights;

use super::claim::{Claim, Claims};
use super::exact::Grid;
use super::wish::Wish;
use crate::compile::{ClassId, Id, KindId, NodeId, Spread};
use crate::pack::{self, Context, Packed, Place as PackedPlace};
use cells::Ground;
use company::Company;
use divide::{Divider, Found, Score};
use front::Budget;
use order::{Host, Member, Scene};
use places::{Item, Places};
use std::collections::{BTreeMap, BTreeSet};
use ties::{Reach, Spots};

/// The most pods that are looked at.
const MOST_PODS: u32 = 64;
/// The most vectors of numbers of pods.
const MOST_WAYS: usize = 1 << 16;
/// The most fronts that are kept.
const MOST_FRONTS: usize = 1 << 20;
/// The most steps of all searches for one plan.
pub(super) const MOST_STEPS: u64 = 1 << 24;
/// What an unmet preference weighs that is honoured whatever it costs.
const WHATEVER_IT_COSTS: i128 = 1 << 80;

/// What a plan is sought for.
struct Task<'a> {
    context: &'a Context<'a>,
    claims: &'a Claims,
    /// Whether pods may stay out.
    optional: bool,
    /// Whether domains count in which pods of a spread could launch, beside those that stand.
    launchable: bool,
    /// Whether spreads count that need not be kept.
    soft: bool,
    /// How many pods every node has to hold that a spread over nodes counts.
    levels: hosts::Levels,
    /// Whether rules between pods are left out, so that what comes of it is a bound for all others.
    relaxed: bool,
}

impl Task<'_> {
    /// The spreads of a kind that count.
    fn spreads(&self, kind: KindId) -> impl Iterator<Item = &Spread> {
        let all = self.context.compiled.topology.rules[kind].spreads.iter();
        all.filter(|spread| spread.hard || self.soft)
    }

    /// Whether a running node has more pods than a spread of a kind over nodes allows above none: whether
    /// one more is legal there depends on what the other nodes have.
    fn is_crowded(&self, node: NodeId, kind: KindId) -> bool {
        (!self.launchable || self.relaxed) && self.context.compiled.crowded.contains(&(node, kind))
    }

    /// Whether it has for any kind.
    fn crowds(&self, node: NodeId) -> bool {
        (!self.launchable || self.relaxed)
            && self.context.compiled.crowded.iter().any(|(of, _)| *of == node)
    }

    /// What it counts for that a pod of a kind is at a site where preferences aren't honoured: those of
    /// pods that may stay out; others keep what is honoured by the sites that they may use.
    fn unmet(&self, kind: KindId, site: usize) -> i128 {
        if !self.optional || !self.context.wishful {
            return 0;
        }
        match self.context.wish_price {
            Some(price) => {
                i128::from(places::unmet(self.context, kind, site, 1)) * i128::from(price)
            }
            None => {
                let weight = places::unmet(self.context, kind, site, pack::UNTAINTED.into());
                i128::from(weight) * WHATEVER_IT_COSTS
            }
        }
    }

    /// What each kind of pods finds unmet at a site, where that counts.
    fn unmet_at(&self, site: usize) -> Vec<u64> {
        if !self.optional || !self.context.wishful {
            return Vec::new();
        }
        let kinds = self.claims.list.iter().map(|claim| claim.kind);
        kinds.map(|kind| places::unmet(self.context, kind, site, 1)).collect()
    }
}

/// Whether there are few pods, and few ways to take some of them.
fn are_few(claims: &Claims) -> bool {
    let pods = claims.counts.iter().fold(0_u32, |sum, count| sum.saturating_add(*count));
    let ways = claims.counts.iter().map(|count| (*count as usize).saturating_add(1));
    pods <= MOST_PODS && ways.fold(1, usize::saturating_mul) <= MOST_WAYS
}

/// Whether any pod has preferences that count.
pub(super) fn has_preferences(context: &Context<'_>) -> bool {
    let base = context.compiled;
    context.wishful
        && (base.wishes.terms.values().any(|terms| !terms.is_empty())
            || base.wishes.disliked.contains(&true)
            || base.topology.rules.values().any(|rules| {
                !(rules.wish_near.is_empty() && rules.wish_far.is_empty())
                    || rules.spreads.iter().any(|spread| !spread.hard)
            }))
}

/// A packing that places more pods, the urgent first, or as many that cost less, where trying everything
/// finds one.
///
/// It is sought, in so many steps at most, where pods stay out, and where pools have weights: those of the same priority may be
/// others then, or on pools of other weights.
pub(super) fn better(
    context: &Context<'_>,
    packed: &Packed,
    most: u64,
    wish: &Wish<'_>,
) -> Option<Packed> {
    let whole = context.compiled;
    let left = packed.left(whole);
    let guest = |kind: KindId| whole.classes[ClassId::from_index(kind.index())].guest;
    let is_whole = left.iter().all(|(kind, left)| *left == 0 || guest(kind));
    let pools = whole.pools.values().filter(|pool| pool.fixed.is_none());
    let weights: BTreeSet<i32> = pools.map(|pool| pool.weight).collect();
    let preferences = has_preferences(context);
    let pods = whole.classes.values().map(|class| u64::from(class.count)).sum::<u64>();
    // Of many pods not even the claims are worth their time.
    let many = pods > 2 * u64::from(MOST_PODS);
    if many || is_whole && (preferences || weights.len() < 2) {
        return None;
    }
    let claims = Claims::of_all(context);
    let levels = levels(&claims);
    let mut missing = vec![0; levels.len()];
    for (at, _) in claims.list.iter().enumerate().filter(|(_, claim)| !guest(claim.kind)) {
        let priority = claims.compiled.classes[ClassId::from_index(at)].priority;
        let level = levels.iter().position(|level| *level == priority).unwrap_or(0);
        missing[level] += left[claims.list[at].kind];
    }
    let inner = Context { compiled: packed.compiled(whole), ..*context };
    let cost = packed.state.cost(&inner) - rebuild::fixed_cost(context);
    let mut attempts = Attempts {
        packed,
        steps: most,
        wish,
        score: (missing, if preferences { i128::MIN } else { cost }),
        best: None,
    };
    let mut task = Task {
        context,
        claims: &claims,
        optional: true,
        launchable: true,
        soft: false,
        levels: hosts::Levels::new(),
        relaxed: false,
    };
    // Mostly no plan at all is better: nobody need look for one that keeps all rules.
    task.relaxed = true;
    let mut steps = most / 2;
    let relaxed = solve(&task, packed, attempts.score.clone(), &mut steps, wish);
    task.relaxed = false;
    let fewest = match relaxed {
        Solved::Best(None, score) => Some(score.0),
        Solved::Best(..) | Solved::Unknown => None,
        Solved::Nothing => return None,
    };
    attempts.make(&task);
    if fewest.as_ref().is_some_and(|fewest| attempts.score.0 <= *fewest) {
        return attempts.best;
    }
    // Domains that could be opened are given up for pods, not for money.
    attempts.score.1 = i128::MIN;
    task.launchable = false;
    attempts.make(&task);
    // Where nodes hold more of a spread over them, fewer may do.
    for levels in hosts::levels(&task) {
        if fewest.as_ref().is_some_and(|fewest| attempts.score.0 <= *fewest) {
            break;
        }
        task.levels = levels;
        attempts.make(&task);
    }
    attempts.best
}

/// Searches one after the other, each of which has to beat those before it.
struct Attempts<'a> {
    packed: &'a Packed,
    steps: u64,
    wish: &'a Wish<'a>,
    score: Score,
    best: Option<Packed>,
}

impl Attempts<'_> {
    fn make(&mut self, task: &Task<'_>) {
        let found = solve(task, self.packed, self.score.clone(), &mut self.steps, self.wish);
        if let Solved::Best(Some(packed), score) = found {
            (self.best, self.score) = (Some(*packed), score);
        }
    }
}

/// A cheaper packing of the same pods on pools of the same weights, that honours no less, where trying
/// everything finds one; `is_least`: none is that keeps the spreads over nodes which this one keeps.
pub(super) fn cheaper(
    context: &Context<'_>,
    packed: &Packed,
    is_least: bool,
    most: u64,
    wish: &Wish<'_>,
) -> Option<Packed> {
    let pods = packed.state.groups.iter().flat_map(|group| {
        group.items.iter().map(|(_, count)| u64::from(*count) * u64::from(group.times))
    });
    if pods.sum::<u64>() > u64::from(MOST_PODS) {
        return None;
    }
    let claims = Claims::of(context, packed);
    if !are_few(&claims) {
        return None;
    }
    let inner = Context { compiled: packed.compiled(context.compiled), ..*context };
    let cost = packed.state.cost(&inner) - rebuild::fixed_cost(context);
    let mut task = Task {
        context,
        claims: &claims,
        optional: false,
        launchable: true,
        soft: context.wishful,
        levels: hosts::Levels::new(),
        relaxed: false,
    };
    task.launchable = keeps_launchable(&task, packed);
    let missing = vec![0; levels(&claims).len()];
    let mut attempts = Attempts { packed, steps: most, wish, score: (missing, cost), best: None };
    if !is_least {
        attempts.make(&task);
    }
    if !task.launchable || !claims.keeps_hosts(context) {
        // Domains that could be launched had to be given up, so fresh nodes needn't count either.
        let claims = Claims::uncapped(context, packed);
        let mut task = Task { claims: &claims, ..task };
        for levels in hosts::levels(&task) {
            task.levels = levels;
            attempts.make(&task);
        }
    }
    let better = attempts.best?;
    let outer = Context { compiled: better.compiled(context.compiled), ..*context };
    let is_better = better.state.cost(&outer) < packed.state.cost(&inner)
        && pack::honours_no_less((&outer, &better.state), (&inner, &packed.state));
    is_better.then_some(better)
}

/// Whether a packing keeps its spreads over the domains in which pods could launch, beside those that
/// stand.
fn keeps_launchable(task: &Task<'_>, packed: &Packed) -> bool {
    let places = Places::new(task);
    let order: Vec<usize> = (0..task.claims.list.len()).collect();
    let items = places::items(task, &places, &levels(task.claims), &order);
    let Some(spots) = spots(task, packed, &items, &places) else { return true };
    let ties = ties::ties(task, &items, &places);
    let mut hard = ties.iter().filter(|tie| !tie.soft);
    hard.all(|tie| tie.holds(&places.cells, &spots, Reach::Partial))
}

/// The priorities of all pods, the highest first.
fn levels(claims: &Claims) -> Vec<i32> {
    let all: BTreeSet<i32> = claims.compiled.classes.values().map(|class| class.priority).collect();
    all.into_iter().rev().collect()
}

/// What comes of a search.
enum Solved {
    /// The best score, and the packing, unless rules were left out.
    Best(Option<Box<Packed>>, Score),
    /// Nothing beats the score.
    Nothing,
    /// Not everything was tried.
    Unknown,
}

/// The best packing that beats a score.
fn solve(
    task: &Task<'_>,
    packed: &Packed,
    best: Score,
    steps: &mut u64,
    wish: &Wish<'_>,
) -> Solved {
    try_solve(task, packed, best, steps, wish).unwrap_or(Solved::Unknown)
}

fn try_solve(
    task: &Task<'_>,
    packed: &Packed,
    best: Score,
    steps: &mut u64,
    wish: &Wish<'_>,
) -> Option<Solved> {
    let (context, claims) = (task.context, task.claims);
    if !are_few(claims) || context.strict || !rebuild::is_simple(context) {
        return None;
    }
    let mut places = Places::new(task);
    let levels = levels(claims);
    let mut order: Vec<usize> =
        (0..claims.list.len()).filter(|at| claims.counts[*at] > 0).collect();
    let draft = places::items(task, &places, &levels, &order);
    let kept = |items: &[Item], places: &Places| {
        if task.relaxed {
            return Vec::new();
        }
        let mut ties = ties::ties(task, items, places);
        if task.soft {
            let spots = spots(task, packed, items, places);
            ties.retain(|tie| {
                let holds = |spots| tie.holds(&places.cells, spots, Reach::Partial);
                !tie.soft || spots.as_ref().is_some_and(holds)
            });
        }
        ties
    };
    let mut ruled: BTreeSet<usize> =
        kept(&draft, &places).iter().flat_map(ties::Tie::items).collect();
    ruled.extend(Company::new(task, &draft, &mut places.clone()).items());
    let ruled: BTreeSet<usize> = ruled.into_iter().map(|at| order[at]).collect();
    order.sort_by_key(|at| !ruled.contains(at));
    let mut items = places::items(task, &places, &levels, &order);
    let company = Company::new(task, &items, &mut places);
    if !task.relaxed {
        weights::prune(task, &mut items, &places);
    }
    let counts: Vec<u32> = items.iter().map(|item| item.count).collect();
    let grid = Grid::new(&counts, MOST_WAYS)?;
    let nodes = places.list.iter().filter(|place| place.node.is_some()).count();
    if (nodes + places.cells.len()).saturating_mul(grid.len()) > MOST_FRONTS {
        return None;
    }
    let ties = kept(&items, &places);
    let limit = match best.0.iter().all(|missing| *missing == 0) {
        true => best.1,
        false => i128::MAX,
    };
    let (left, told) = (places.left.clone(), places.told.clone());
    let mut budget = Budget { limit, left, told, steps: *steps, wish };
    let ground = Ground { task, items: &items, places: &places, company: &company, grid: &grid };
    let found = search(&ground, &ties, ruled.len(), best, &mut budget);
    *steps = budget.steps;
    let (found, is_whole) = found?;
    Some(match found {
        Some(found) if task.relaxed && is_whole => Solved::Best(None, found.score),
        Some(found) if !task.relaxed => {
            Solved::Best(Some(Box::new(rebuild::packed(&ground, packed, &found)?)), found.score)
        }
        None if is_whole => Solved::Nothing,
        Some(_) | None => Solved::Unknown,
    })
}

/// The best plan that beats a score, and whether everything was tried; what was found before the steps
/// ran out is a plan as well.
fn search(
    ground: &Ground<'_>,
    ties: &[ties::Tie],
    ruled: usize,
    best: Score,
    budget: &mut Budget<'_>,
) -> Option<(Option<Found>, bool)> {
    let is_legal = |found: &Found| {
        ground.task.relaxed || weights::keeps(ground, found) && is_bindable(ground, found)
    };
    let tables = ground.tables(budget)?;
    let mut divider = Divider {
        ground,
        tables: &tables,
        ties,
        ruled,
        budget,
        best,
        found: None,
        is_legal: &is_legal,
        spots: ground.items.iter().map(|_| vec![0; tables.len()]).collect(),
        numbers: vec![0; tables.len()],
        out: vec![0; ground.items.len()],
    };
    let is_whole = divider.item(0).is_some();
    Some((divider.found, is_whole))
}

/// Whether the pods of a plan can be bound one after another.
fn is_bindable(ground: &Ground<'_>, found: &Found) -> bool {
    let (task, compiled) = (ground.task, ground.task.context.compiled);
    let running = compiled
        .nodes
        .ids()
        .map(|node| Host { site: compiled.site_of_node(node), node: Some(node) });
    let mut hosts: Vec<Host> = running.collect();
    let mut members: BTreeMap<(KindId, usize), u32> = BTreeMap::new();
    for (at, number) in &found.held {
        let place = &ground.places.list[*at];
        let host = match place.node {
            Some(node) => node.index(),
            None => {
                hosts.push(Host { site: place.site, node: None });
                hosts.len() - 1
            }
        };
        let vector = ground.grid.vector(*number);
        for (item, count) in ground.items.iter().zip(vector).filter(|(_, count)| *count > 0) {
            *members.entry((item.kind, host)).or_insert(0) += count;
        }
    }
    let idle = rebuild::idle_static(ground, found);
    hosts.extend(idle.into_iter().map(|site| Host { site, node: None }));
    let members = members.into_iter().map(|((kind, host), count)| Member { kind, host, count });
    let scene = Scene::new(task, &hosts, members.collect());
    scene.is_apart(&hosts) && scene.has_order()
}

/// How many pods of each item the packing has in each cell; `None` where that can't be told.
fn spots(task: &Task<'_>, packed: &Packed, items: &[Item], places: &Places) -> Option<Spots> {
    let whole = task.context.compiled;
    let compiled = packed.compiled(whole);
    let inner = Context { compiled, ..*task.context };
    let mut spots: Spots = items.iter().map(|_| vec![0; places.cells.len()]).collect();
    let chosen = pack::chosen(&inner, &packed.state);
    for (group, chosen) in packed.state.groups.iter().zip(chosen) {
        let (weight, at): (Option<i32>, Vec<usize>) = match &group.place {
            PackedPlace::Launch(column) => {
                let weight = compiled.columns[*column].weight;
                (Some(weight), vec![whole.site_of_offer(chosen?); group.times as usize])
            }
            PackedPlace::Running(nodes) => {
                (None, nodes.iter().map(|node| whole.site_of_node(*node)).collect())
            }
        };
        let classes = group.items.iter().map(|(class, count)| (&compiled.classes[*class], count));
        for (class, count) in classes.filter(|(class, _)| !class.guest) {
            for (kind, each) in &class.parts {
                let claim = Claim::of(task.context, *kind, weight, &compiled.rows[class.row]);
                let same = |item: &Item| task.claims.list[item.class.index()] == claim;
                let item = items.iter().position(same)?;
                for site in &at {
                    spots[item][places.cell_of(*site)] += each * count;
                }
            }
        }
    }
    Some(spots)
}
