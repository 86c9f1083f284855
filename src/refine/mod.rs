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
//! ([`restricted`], [`backend`]). It goes in stages: first the pods with least at stake share rows
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
mod round;
mod rows;
mod ruin;
mod simplex;

use crate::bound::{BinCatalog, Proved, Relaxation, SlotTable};
use crate::compile::NodeId;
use crate::pack::{self, AssignedPacking, Context, Packing};
use crate::progress::{Improvement, Phase};
use backend::SolverEffort;
pub(crate) use budget::RefineBudget;
use cancel::Cancel;
pub(crate) use cluster::{ClusterSearch, entries, less_moves};
use convert::TierPacking;
use dive::Diver;
use exact::Exhaustion;
pub(crate) use few::try_everything;
use generate::{ColumnGeneration, RoundEnd, Tolerance};
use instance::{DualPrices, Instance};
use kept_class::KeptClasses;
pub(crate) use report::Report;
use round::IntegerPlan;
use ruin::Ruin;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many demands have rows of their own, stage by stage.
const STAGES: [usize; 6] = [16, 64, 160, 400, 1000, 2500];
/// Where demands × bins are no more, all demands have rows of their own from the start.
const FEW: usize = 3000;
/// So many demands are packed at the bound's prices: a relaxation of their own takes too long.
const MANY_DEMANDS: usize = 600;
/// Demands with rows of their own from which on the relaxation is solved closely.
const MANY: usize = 100;
/// Rounds in which a relaxation with shared rows has to improve by so much, in proportion.
const TAIL: u32 = 12;
const SLOW: f64 = 1e-4;
/// Shares of a pattern's fraction from which on it is rounded up; above one: never.
const ROUND_UP: [f64; 4] = [2.0, 0.9, 0.75, 0.5];
/// Plans that are made in each stage, with values corrected by the one before.
const CORRECTIONS: u32 = 24;
/// Attempts to improve a plan in each stage.
const ATTEMPTS: u32 = 12;
/// Corrections and attempts where demands are many and each takes long.
const FEWER: u32 = 10;
/// How far plans' values go beyond the bound's, or below.
const MOST_BEYOND: f64 = 4.0;
/// Attempts in a row that are no better before it ends.
const PATIENCE: u32 = 6;

/// Decisions of dives in each stage.
const DECISIONS: u32 = 200;
/// How often a plan is taken over that trying everything came upon.
const ENUMERATED: u32 = 3;
/// How often parts of a plan are put back another way once it was improved.
const REBUILT: u32 = 3;
/// Attempts to take parts of a plan out and to put them back another way: at most so many, and so
/// many where groups and offers, times classes of pods, are one.
const MOST_RECREATED: u64 = 2_000;
const RECREATED: usize = 40_000_000;
/// What a solver of integer programmes may do in each stage.
const SOLVED: SolverEffort = SolverEffort { size: 60_000, work: 30_000_000 };

/// Improves a packing; the bound that was proved meanwhile, if any.
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
            enumerate::better(context, packed, enumerate::MOST_STEPS, &budget.cancel)
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
    enumerate::cheaper(context, packed, is_least, enumerate::MOST_STEPS, &budget.cancel)
}

/// As [`improve`], as long as an order of binding is found for what comes out.
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
            if !pack::is_ordered(context, packed) && pack::is_ordered(context, &former) =>
        {
            *packed = former;
            Refined { least: None, ..refined }
        }
        _ => refined,
    }
}

/// Takes parts of the packing out and puts them back another way, whatever was decided about them;
/// whether that made it better.
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
}

/// Improves a packing in one go, and proves a bound.
fn improve(
    context: &Context<'_>,
    packed: &mut AssignedPacking,
    seek: Goal,
    budget: &mut RefineBudget<'_>,
) -> Refined {
    let kept_classes = KeptClasses::of(context, packed);
    let outer = Context { compiled: &kept_classes.compiled, ..*context };
    let running: Vec<NodeId> = outer.compiled.nodes.ids().collect();
    let start = Packing::new(outer.compiled);
    let whole =
        Instance::new(&outer, kept_classes.demands(), &running, &kept_classes.static_nodes, &start);
    let mut bound = started(&whole, &running, []);
    let compiled = packed.compiled(context.compiled);
    let inner = Context { compiled, ..*context };
    let mut weights = TierPacking::weights(compiled, &packed.packing);
    if seek == Goal::Nothing {
        weights.clear();
    }
    let mut plans: Vec<TierPlan<'_>> = Vec::new();
    for weight in weights.into_iter().rev() {
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
        let now: i128 = tier_searches.iter().map(|search| search.best.cost).sum();
        total.saturating_sub(of_tiers).saturating_add(now)
    };
    budget.report.begin(total);
    budget.report.phase(Phase::Searching);
    for tier_search in
        tier_searches.iter_mut().filter(|tier_search| tier_search.generation.is_whole())
    {
        // A relaxation of few demands is solved in one go, and may take all the time.
        let values = tier_search.generation.best.values.clone();
        tier_search.correct(&values, CORRECTIONS, budget);
    }
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
            let demands = &tier_search.generation.instance.demands;
            let values = kept_classes.values(&bound.best.values, compiled, demands);
            if news {
                tier_search.generation.learn(&bound, &values);
            }
            tier_search.stage(number, own, values, budget);
            budget.report.cost(cost_of(&tier_searches));
        }
    }
    let mut packing = packed.packing.clone();
    for (tier_search, plan) in tier_searches.iter().zip(&plans) {
        let better = convert::state(&plan.instance, &plan.tier, &tier_search.best, &packing);
        let kept = better.keeps_weights(compiled)
            && !better.overdraws(compiled)
            && better.unplaced(compiled) <= packing.unplaced(compiled)
            && better.cost(&inner) < packing.cost(&inner);
        if kept {
            packing = better;
        }
    }
    budget.report.phase(Phase::Proving);
    let proved = proved.unwrap_or_else(|| certified(&bound.best, &budget.cancel));
    packed.packing = packing;
    if budget.stopped() {
        return Refined { proved, least: None };
    }
    let exhaustion = Exhaustion::of(context, &kept_classes, packed, &budget.cancel);
    Refined { proved: exhaustion.proved(context, &kept_classes, proved), least: exhaustion.least }
}

/// A generator with the prices of the cheap bound.
fn started<'i, 'c>(
    instance: &'i Instance<'c>,
    running: &[NodeId],
    patterns: impl IntoIterator<Item = instance::Pattern>,
) -> ColumnGeneration<'i, 'c> {
    let compiled = instance.context.compiled;
    let catalog = Arc::new(BinCatalog::new(compiled, instance.context.fee));
    let relaxation =
        Relaxation::new(compiled, &instance.demands, running, catalog, &mut SlotTable::new());
    let values = relaxation.values(compiled, &instance.demands);
    let values = values.into_iter().map(|value| value as f64).collect();
    let demands = instance.demands.len();
    if demands * instance.bins.len() <= FEW {
        ColumnGeneration::new(
            instance,
            patterns,
            values,
            demands,
            Tolerance { close: 1e-5, steps: 50_000 },
        )
    } else {
        let tolerance = Tolerance { close: 1e-3, steps: steps(demands, 0) };
        ColumnGeneration::new(instance, patterns, values, STAGES[0], tolerance)
    }
}

/// The most steps of an exact search in a stage: over many demands each is dear, and says little
/// more the longer it is.
fn steps(demands: usize, stage: usize) -> u32 {
    match (demands > MANY_DEMANDS, stage) {
        (false, 0) => 2_000,
        (false, _) => 50_000,
        (true, 0) => 200,
        (true, _) => 1_000,
    }
}

/// Whether rounds are told of: those for the lower bound are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Told {
    Yes,
    No,
}

/// Solves the relaxation with so many rows; whether there was anything to do.
fn stage(
    generation: &mut ColumnGeneration<'_, '_>,
    number: usize,
    own: usize,
    budget: &mut RefineBudget<'_>,
    told: Told,
) -> bool {
    if number > 0 {
        if generation.is_final() {
            return false;
        }
        generation.deepen(own);
        let close = if own >= MANY || generation.is_whole() { 1e-5 } else { 1e-3 };
        generation.tolerance =
            Tolerance { close, steps: steps(generation.instance.demands.len(), number) };
    }
    let mut before = f64::INFINITY;
    for round in 0_u32.. {
        // The last digits of a relaxation with shared rows aren't worth their rounds.
        if round.is_multiple_of(TAIL) && !generation.is_whole() {
            let now = generation.objective();
            if now > before * (1.0 - SLOW) {
                break;
            }
            before = now;
        }
        if !budget.round() {
            break;
        }
        let end = generation.round(&budget.cancel);
        if told == Told::Yes {
            budget.report.round(generation.objective(), generation.best.bound);
        }
        if end != RoundEnd::Improved {
            break;
        }
    }
    generation.sharpen(generation.tolerance.steps, &budget.cancel);
    true
}

/// The launches of one weight, to be packed anew.
struct TierPlan<'c> {
    tier: TierPacking,
    instance: Instance<'c>,
    /// What the packing has.
    known: Vec<(instance::Pattern, u32)>,
}

impl TierPlan<'_> {
    /// What the packing costs, in billionths.
    fn cost(&self) -> i128 {
        let cost = |bin: u32| i128::from(self.instance.bins[bin as usize].cost);
        self.known.iter().map(|(pattern, times)| cost(pattern.bin) * i128::from(*times)).sum()
    }
}

/// The search for a better plan.
struct TierSearch<'i, 'c> {
    generation: ColumnGeneration<'i, 'c>,
    ruin: Option<Ruin>,
    diver: Option<Diver<'i, 'c>>,
    best: IntegerPlan,
    /// For each demand, how many times what the bound says that its pods are worth plans paid for
    /// them.
    beyond: Vec<f64>,
}

impl<'i, 'c> TierSearch<'i, 'c> {
    fn new(plan: &'i TierPlan<'c>) -> Self {
        let mut best = IntegerPlan::new(&plan.instance);
        for (pattern, times) in &plan.known {
            let _bought = best.buy(&plan.instance, pattern, *times);
        }
        let patterns = plan.known.iter().map(|(pattern, _)| pattern.clone());
        let generation = started(&plan.instance, &[], patterns);
        let beyond = vec![1.0; plan.instance.demands.len()];
        Self { generation, ruin: None, diver: None, best, beyond }
    }

    /// Dives, and asks a solver for whole numbers of the patterns known, where that is not too
    /// much.
    fn integers(&mut self, budget: &mut RefineBudget<'_>) {
        let instance = self.generation.instance;
        if !self.generation.is_whole() || instance.demands.len() > dive::DEMANDS {
            return;
        }
        let diver = self.diver.get_or_insert_with(|| Diver::new(&self.generation));
        let prices = &self.generation.best;
        self.best.groups.iter().for_each(|(pattern, _)| diver.add(pattern.clone()));
        let done =
            |best: &IntegerPlan| best.missing() == 0 && best.cost <= instance.up(prices.bound);
        if done(&self.best) {
            return;
        }
        if let Some(better) =
            diver.dive(&self.best, prices.bound, &prices.values, DECISIONS, budget)
        {
            self.best = better;
        }
        if done(&self.best) {
            return;
        }
        let (patterns, screens) = (&diver.patterns, &self.generation.screens);
        let stop = &|| budget.stopped();
        if let Some(better) =
            restricted::better(instance, patterns, prices, screens, &self.best, SOLVED, stop)
        {
            self.best = better;
        }
    }

    /// Looks for better plans; `values`: what the bound says that pods are worth.
    fn stage(
        &mut self,
        number: usize,
        own: usize,
        values: Vec<f64>,
        budget: &mut RefineBudget<'_>,
    ) {
        let instance = self.generation.instance;
        if instance.demands.len() > MANY_DEMANDS {
            let corrections = if number == 0 { FEWER } else { CORRECTIONS };
            self.correct(&values, corrections, budget);
            if number > 0 {
                self.ruin = Some(Ruin::new(instance, &self.generation.efficient()));
                self.repair(&values, FEWER, budget);
            }
            return;
        }
        if stage(&mut self.generation, number, own, budget, Told::No) {
            let fractions = self.generation.solution();
            let values = self.generation.best.values.clone();
            for up in ROUND_UP {
                if budget.stopped() {
                    return;
                }
                let screens = &self.generation.screens;
                self.best.take(round::rounded(instance, &fractions, &values, screens, up));
            }
            self.correct(&values, CORRECTIONS, budget);
            self.ruin = Some(Ruin::new(instance, &self.generation.efficient()));
        }
        self.integers(budget);
        let values = self.generation.best.values.clone();
        self.repair(&values, ATTEMPTS, budget);
    }

    /// Takes parts of the plan apart, as long as that is worth it.
    fn repair(&mut self, values: &[f64], attempts: u32, budget: &mut RefineBudget<'_>) {
        let Some(ruin) = &mut self.ruin else { return };
        let mut patience = PATIENCE;
        for _ in 0..attempts {
            if patience == 0 || !budget.attempt() {
                return;
            }
            let instance = self.generation.instance;
            let better = ruin.improve(instance, &mut self.best, values, &budget.cancel);
            patience = if better { PATIENCE } else { patience - 1 };
        }
    }

    /// Plans at these values, corrected by what each plan pays, and by what former ones paid beyond
    /// theirs.
    fn correct(&mut self, values: &[f64], corrections: u32, budget: &mut RefineBudget<'_>) {
        let instance = self.generation.instance;
        let mut corrected: Vec<f64> =
            values.iter().zip(&self.beyond).map(|(value, beyond)| value * beyond).collect();
        let screens = &self.generation.screens;
        let granted = &mut || budget.attempt();
        let plan = round::corrected(instance, &mut corrected, screens, corrections, granted);
        plan.into_iter().for_each(|plan| self.best.take(plan));
        let pairs = self.beyond.iter_mut().zip(corrected.iter().zip(values));
        for (beyond, (corrected, value)) in pairs.filter(|(_, (_, value))| **value > 0.0) {
            *beyond = (corrected / value).clamp(1.0 / MOST_BEYOND, MOST_BEYOND);
        }
    }
}
