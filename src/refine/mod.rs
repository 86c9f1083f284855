//! Refinement: a plan and a bound that come to meet each other.
//!
//! *Problem.* The greedy plan is good and its bound is cheap, but between them lie some percent,
//! and nobody knows in which of the two.
//!
//! *Idea.* Column generation ([`generate`]) solves the linear relaxation over all fillings of all
//! nodes. Its dual prices are a sharp bound, and they are what a good plan is made from: whole
//! numbers of the patterns that the relaxation uses, completed by the best bargains at these prices
//! ([`round`]), and repaired where it wastes most ([`ruin`]); where demands are few also by fixing
//! one pattern after the other ([`dive`]), and by an integer programme over the patterns
//! ([`restricted`], [`backend`]): each is a way to a better plan of a tier ([`tier`]). It goes in
//! stages ([`stages`]): first the pods with least at stake share rows
//! ([`rows`]), so that prices settle in a second whatever the size; then more and more of them have
//! their own, until the gap is closed or the caller stops. Where pods are few everything is tried
//! in the end: what the cheapest costs is the bound ([`exact`]), and a plan that places more pods,
//! or costs as little, is taken over ([`enumerate`]).
//!
//! The plan is sought within the assignment that the packer chose (what goes to which zone), one
//! weight of pools at a time; the bound speaks of the pods as they are, whatever they are assigned
//! to ([`kept_class`]).
//!
//! *Why it is right.* No plan is returned that costs more or places less than the greedy one, keeps
//! fewer rules of weight, or honours less. The bound is proved anew in integers ([`certify`]) from
//! prices that nobody needs to trust.
//!
//! *Anytime.* Work is counted in rounds and attempts; between any two of them the caller may stop
//! it. The same limits give the same plan, with any number of threads.
//!
//! References: Gilmore and Gomory 1961; Lübbecke and Desrosiers 2005; Shaw 1998.
//!
//! # The pipeline
//!
//! ```text
//! greedy packing
//!   │ recreate          parts out and back, whatever was decided (domains, pools)
//!   ▼
//! KeptClasses ── Instance ── ColumnGeneration ── prices ── certify ── bound
//!   │                            │ stages: rows split, patterns added
//!   ▼ one tier of weight each    ▼
//! TierSearch: rounded, corrected, dives, restricted, repaired ── IntegerPlan ── Packing
//!   │ few pods: enumerate, exact
//!   ▼
//! the better plan, with an order of binding
//! ```
//!
//! Two instances are worked on side by side: one of the pods as they are, for the bound, and one
//! for each tier of weights, within the assignment, for the plan. They share prices.

mod backend;
mod budget;
mod cancel;
mod certify;
mod cluster;
mod complementary;
mod convert;
mod dive;
mod dual_prices;
mod enumerate;
mod exact;
mod few;
mod generate;
mod instance;
mod kept_class;
mod knapsack;
mod node_rules;
mod prove;
mod report;
mod restricted;
mod restricted_master;
mod round;
mod rows;
mod ruin;
mod simplex;
mod stages;
mod tier;
mod tuning;

use crate::bound::Proved;
use crate::compile::NodeId;
use crate::pack::{self, AssignedPacking, Context, Packing};
use crate::progress::{Improvement, Phase};
pub(crate) use budget::RefineBudget;
use cancel::Cancel;
pub(crate) use cluster::{ClusterSearch, entries, less_moves};
use convert::TierPacking;
use exact::Exhaustion;
pub(crate) use few::try_everything;
use instance::{DualPrices, Instance};
use kept_class::KeptClasses;
pub(crate) use report::Report;
use stages::{Told, stage, started};
use std::collections::BTreeMap;
use tier::{TierPlan, TierSearch};
use tuning::enumerate::MOST_STEPS;
use tuning::pipeline::{ENUMERATED, MOST_RECREATED, REBUILT, RECREATED};
use tuning::stages::STAGES;

/// Improves a packing; the bound that was proved meanwhile, if any.
///
/// Loops over three ways until none helps: within the assignment, taking it apart, and trying
/// everything. Each is kept only where the plan gets better, and an order of binding is looked for
/// whenever nodes changed.
pub(crate) fn refine(
    context: &Context<'_>,
    packed: &mut AssignedPacking,
    budget: &mut RefineBudget<'_>,
) -> Option<Proved> {
    let _better =
        packed.told(context, Improvement::Recreated, |packed| recreate(context, packed, budget));
    let mut refined = improve_in_order(context, packed, Goal::Cheaper, budget);
    for _ in 0..REBUILT {
        let former = packed.clone();
        if budget.stopped() {
            break;
        }
        let again = |packed: &mut AssignedPacking| recreate(context, packed, budget);
        if !packed.told(context, Improvement::Recreated, again) {
            break;
        }
        // Other domains, pools or running room: the bound is another.
        let again = improve_in_order(context, packed, Goal::Cheaper, budget);
        let bound = |refined: &Refined| refined.proved.as_ref().map(|proved| proved.bound);
        if budget.stopped() && bound(&again) < bound(&refined) {
            // There was no time to prove as much of the other plan.
            *packed = former;
            break;
        }
        refined = again;
    }
    // Of a plan that was enumerated an order of binding is known as its nodes are: it isn't packed
    // anew.
    let mut seek = Goal::Cheaper;
    for round in 0..ENUMERATED {
        if budget.stopped() {
            break;
        }
        let better = if round == 0 {
            enumerate::better(context, packed, MOST_STEPS, &budget.cancel)
        } else {
            None
        };
        let cheaper = || cheaper(context, packed, &refined, budget);
        let Some(better) = better.or_else(cheaper) else { break };
        packed.told(context, Improvement::Enumerated, |packed| *packed = better);
        seek = Goal::Nothing;
        refined = improve(context, packed, seek, budget);
    }
    // Another plan may have room for what was left out of the one before. What an enumerated plan
    // leaves out has none: one more node may break the order of binding of the others.
    let complete = |packed: &mut AssignedPacking| pack::complete(context, packed);
    if seek == Goal::Cheaper && packed.told(context, Improvement::Completed, complete) {
        refined = improve_in_order(context, packed, seek, budget);
    }
    refined.proved
}

/// A cheaper packing of the same pods, unless it is known that there is none.
///
/// Where the bound says that nothing is cheaper, only plans as cheap in another order of nodes
/// could be found, and none is looked for.
fn cheaper(
    context: &Context<'_>,
    packed: &AssignedPacking,
    refined: &Refined,
    budget: &RefineBudget<'_>,
) -> Option<AssignedPacking> {
    let inner = Context { compiled: packed.compiled(context.compiled), ..*context };
    let cost = packed.packing.cost(&inner);
    if cost == 0 {
        return None;
    }
    let is_least = refined.least.is_some_and(|least| i128::from(least) >= cost);
    enumerate::cheaper(context, packed, is_least, MOST_STEPS, &budget.cancel)
}

/// As [`improve`], as long as an order of binding is found for what comes out.
///
/// An assignment is legal with its nodes in any order; a packing that moved pods between offers may
/// not be, so it is asked.
fn improve_in_order(
    context: &Context<'_>,
    packed: &mut AssignedPacking,
    seek: Goal,
    budget: &mut RefineBudget<'_>,
) -> Refined {
    let former = packed.assignment.is_some().then(|| packed.clone());
    let refined = improve(context, packed, seek, budget);
    match former {
        Some(former)
            if refined.is_new
                && !pack::is_ordered(context, packed)
                && pack::is_ordered(context, &former) =>
        {
            *packed = former;
            Refined { least: None, is_new: false, ..refined }
        }
        _ => refined,
    }
}

/// Takes parts of the packing out and puts them back another way, whatever was decided about them;
/// whether that made it better.
///
/// Attempts are fewer the larger the plan, since each looks at all of it.
fn recreate(
    context: &Context<'_>,
    packed: &mut AssignedPacking,
    budget: &RefineBudget<'_>,
) -> bool {
    let compiled = context.compiled;
    let scarce = compiled.reservations.len() > 0
        || compiled.nodes.len() > 0
        || compiled.pools.values().any(|pool| !pool.limits.is_empty() || pool.weight != 0);
    if !scarce && packed.assignment.is_none() {
        // The packer's decisions leave nothing out.
        return false;
    }
    let groups = packed.packing.groups.len() + compiled.offers.len();
    let open = compiled.pools.values().any(|pool| !pool.min_values.is_empty());
    let each = if open { 1 + compiled.offers.len() / 16 } else { 1 };
    let size = groups.saturating_mul(compiled.classes.len()).saturating_mul(each).max(1);
    let attempts = u64::try_from(RECREATED / size).unwrap_or(u64::MAX);
    let mut attempts = attempts.min(MOST_RECREATED).min(budget.attempts);
    let mut granted = || {
        let granted = attempts > 0 && !budget.stopped();
        attempts = attempts.saturating_sub(1);
        granted
    };
    let (improved, better) = pack::recreate(context, packed.clone(), &mut granted);
    if better {
        *packed = improved;
    }
    better
}

/// What is sought beside a bound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Goal {
    /// A cheaper packing within the assignment.
    Cheaper,
    Nothing,
}

/// What comes of looking for a better plan.
struct Refined {
    proved: Option<Proved>,
    /// What the plan's pods cost at least, where everything was tried and that isn't more than they
    /// cost.
    least: Option<i64>,
    /// Whether the packing is another one than before.
    is_new: bool,
}

impl Refined {
    /// Nothing was looked for.
    const NOTHING: Self = Self { proved: None, least: None, is_new: false };
}

/// Improves a packing in one go, and proves a bound.
///
/// The bound's relaxation goes first in each stage: its prices are what the tiers plan with. Where
/// everything was tried in the end, what the cheapest costs is a bound as well, and the better of
/// the two is stated.
fn improve(
    context: &Context<'_>,
    packed: &mut AssignedPacking,
    seek: Goal,
    budget: &mut RefineBudget<'_>,
) -> Refined {
    if budget.stopped() {
        return Refined::NOTHING;
    }
    let kept_classes = KeptClasses::of(context, packed);
    let outer = Context { compiled: &kept_classes.compiled, ..*context };
    let running: Vec<NodeId> = outer.compiled.nodes.ids().collect();
    let start = Packing::new(outer.compiled);
    let whole =
        Instance::new(&outer, kept_classes.demands(), &running, &kept_classes.static_nodes, &start);
    if budget.stopped() {
        return Refined::NOTHING;
    }
    let mut bound = started(&whole, &running, []);
    let compiled = packed.compiled(context.compiled);
    let inner = Context { compiled, ..*context };
    let mut weights = TierPacking::weights(compiled, &packed.packing);
    if seek == Goal::Nothing {
        weights.clear();
    }
    let mut plans: Vec<TierPlan<'_>> = Vec::new();
    for weight in weights.into_iter().rev().take_while(|_| !budget.stopped()) {
        let tier = TierPacking::of(compiled, &packed.packing, weight);
        let rest = tier.rest(compiled, &packed.packing);
        let instance = Instance::new(&inner, tier.demands.clone(), &[], &BTreeMap::new(), &rest);
        let known = convert::patterns(&instance, &tier, &packed.packing);
        plans.push(TierPlan { tier, instance, known });
    }
    // What costs most can save most, if time is short.
    plans.sort_by_key(|plan| std::cmp::Reverse(plan.cost()));
    let mut tier_searches: Vec<TierSearch<'_, '_>> = plans.iter().map(TierSearch::new).collect();
    let total = packed.packing.cost(&inner);
    let of_tiers: i128 = plans.iter().map(TierPlan::cost).sum();
    let cost_of = |tier_searches: &[TierSearch<'_, '_>]| {
        let now: i128 = tier_searches.iter().map(|search| search.state.best.cost).sum();
        total.saturating_sub(of_tiers).saturating_add(now)
    };
    budget.report.begin(total);
    budget.report.phase(Phase::Searching);
    // A relaxation of few demands is solved in one go, and may take all the time.
    tier_searches.iter_mut().for_each(|tier_search| tier_search.begin(budget));
    let certified = |best: &DualPrices, cancel: &Cancel<'_>| {
        certify::certified(context.compiled, &kept_classes, &whole, best, cancel)
    };
    let mut proved = None;
    for (number, own) in STAGES.into_iter().enumerate() {
        if number > 0 && budget.stopped() {
            break;
        }
        let news = stage(&mut bound, number, own, budget, Told::Yes);
        budget.report.bound(bound.best.bound);
        if proved.is_none() && bound.is_final() {
            // While there is time for it.
            proved = Some(certified(&bound.best, &budget.cancel));
        }
        for at in 0..tier_searches.len() {
            let tier_search = &mut tier_searches[at];
            let demands = &tier_search.state.generation.instance.demands;
            let values = kept_classes.values(&bound.best.values, compiled, demands);
            if news {
                tier_search.state.generation.learn(&bound, &values);
            }
            tier_search.stage(number, own, values, budget);
            budget.report.cost(cost_of(&tier_searches));
        }
    }
    let mut packing = packed.packing.clone();
    let mut is_new = false;
    for (tier_search, plan) in tier_searches.iter().zip(&plans) {
        let better = convert::state(&plan.instance, &plan.tier, &tier_search.state.best, &packing);
        let kept = better.keeps_weights(compiled)
            && !better.overdraws(compiled)
            && better.unplaced(compiled) <= packing.unplaced(compiled)
            && better.cost(&inner) < packing.cost(&inner);
        if kept {
            (packing, is_new) = (better, true);
        }
    }
    budget.report.phase(Phase::Proving);
    let proved = proved.unwrap_or_else(|| certified(&bound.best, &budget.cancel));
    packed.packing = packing;
    if budget.stopped() {
        return Refined { proved, least: None, is_new };
    }
    let exhaustion = Exhaustion::of(context, &kept_classes, packed, &budget.cancel);
    let proved = exhaustion.proved(context, &kept_classes, proved);
    Refined { proved, least: exhaustion.least, is_new }
}
