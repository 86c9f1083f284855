//! Refinement: a plan and a bound that come to meet each other.
//!
//! *Problem.* The greedy plan is good and its bound is cheap, but between them lie some percent, and
//! nobody knows in which of the two.
//!
//! *Idea.* Column generation ([`generate`]) solves the linear relaxation over all fillings of all nodes.
//! Its dual prices are a sharp bound, and they are what a good plan is made from: whole numbers of the
//! patterns that the relaxation uses, completed by the best bargains at these prices ([`round`]), and
//! repaired where it wastes most ([`ruin`]); where demands are few also by fixing one pattern after the
//! other ([`dive`]), and by an integer programme over the patterns ([`restricted`], [`backend`]). It
//! goes in stages: first the pods with least at stake share rows ([`rows`]), so that prices settle in a
//! second whatever the size; then more and more of them have their own, until the gap is closed or the
//! caller stops. Where pods are few everything is tried in the end: what the cheapest costs is the bound
//! ([`exact`]), and a plan that places more pods, or costs as little, is taken over ([`enumerate`]).
//!
//! The plan is sought within the arrangement that the packer chose (what goes to which zone), one weight
//! of pools at a time; the bound speaks of the pods as they are, whatever they are arranged to
//! ([`claim`]).
//!
//! *Why it is right.* No plan is returned that costs more or places less than the greedy one, keeps fewer
//! rules of weight, or honours less. The bound is proved anew in integers ([`certify`]) from prices that
//! nobody needs to trust.
//!
//! *Anytime.* Work is counted in rounds and attempts; between any two of them the caller may stop it. The
//! same limits give the same plan, with any number of threads.
//!
//! References: Gilmore and Gomory 1961; Lübbecke and Desrosiers 2005; Shaw 1998.

mod backend;
mod certify;
mod claim;
mod convert;
mod dive;
mod enumerate;
mod exact;
mod few;
mod generate;
mod instance;
mod knapsack;
mod prove;
mod restricted;
mod round;
mod rows;
mod ruin;
mod several;
mod simplex;
mod wish;

use crate::bound::{Goods, Known, Proved, Relaxation};
use crate::compile::NodeId;
use crate::pack::{self, Context, Packed, State};
use crate::plan::Ended;
use backend::Effort;
use claim::Claims;
use convert::Movable;
use dive::Diver;
use exact::Exhaustion;
pub(crate) use few::try_everything;
use generate::{Care, Generator, Round};
use instance::{Instance, Prices};
use round::Draft;
use ruin::Ruin;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use wish::Wish;

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
/// Attempts to take parts of a plan out and to put them back another way: at most so many, and so many
/// where groups and offers, times classes of pods, are one.
const MOST_RECREATED: u64 = 2_000;
const RECREATED: usize = 40_000_000;
/// What a solver of integer programmes may do in each stage.
const SOLVED: Effort = Effort { size: 60_000, work: 30_000_000 };

/// How much work to spend, and what put an end to it.
pub(crate) struct Work<'a> {
    /// Rounds of column generation that are left.
    rounds: u64,
    /// Attempts to improve a plan that are left.
    attempts: u64,
    /// The caller's wish to stop.
    wish: Wish<'a>,
    /// What was refused first.
    ended: Cell<Option<Ended>>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(rounds: u64, attempts: u64, stop: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self { rounds, attempts, wish: Wish::new(stop), ended: Cell::new(None) }
    }

    /// Why the search ended.
    pub(crate) fn ended(&self) -> Ended {
        let ended = self.ended.get().unwrap_or(Ended::Done);
        if self.wish.said() { Ended::Stopped } else { ended }
    }

    fn round(&mut self) -> bool {
        let more = !self.stopped() && self.grants(self.rounds, Ended::Rounds);
        self.rounds -= u64::from(more);
        more
    }

    fn attempt(&mut self) -> bool {
        let more = !self.stopped() && self.grants(self.attempts, Ended::Attempts);
        self.attempts -= u64::from(more);
        more
    }

    /// Whether the caller wishes to stop; once so, always so.
    fn stopped(&self) -> bool {
        self.wish.now()
    }

    fn grants(&self, left: u64, limit: Ended) -> bool {
        if left == 0 && self.ended.get().is_none() {
            self.ended.set(Some(limit));
        }
        left > 0
    }
}

/// Improves a packing; the bound that was proved meanwhile, if any.
pub(crate) fn refine(
    context: &Context<'_>,
    packed: &mut Packed,
    work: &mut Work<'_>,
) -> Option<Proved> {
    let _better = recreate(context, packed, work);
    let mut refined = improve_in_order(context, packed, Seek::Cheaper, work);
    for _ in 0..REBUILT {
        let former = packed.clone();
        if work.stopped() || !recreate(context, packed, work) {
            break;
        }
        // Other domains, pools or running room: the bound is another.
        let again = improve_in_order(context, packed, Seek::Cheaper, work);
        let bound = |refined: &Refined| refined.proved.as_ref().map(|proved| proved.bound);
        if work.stopped() && bound(&again) < bound(&refined) {
            // There was no time to prove as much of the other plan.
            *packed = former;
            break;
        }
        refined = again;
    }
    // Of a plan that was enumerated an order of binding is known as its nodes are: it isn't packed anew.
    let mut seek = Seek::Cheaper;
    for round in 0..ENUMERATED {
        if work.stopped() {
            break;
        }
        let better = if round == 0 {
            enumerate::better(context, packed, enumerate::MOST_STEPS, &work.wish)
        } else {
            None
        };
        let cheaper = || cheaper(context, packed, &refined, work);
        let Some(better) = better.or_else(cheaper) else { break };
        (*packed, seek) = (better, Seek::Nothing);
        refined = improve(context, packed, seek, work);
    }
    // Another plan may have room for what was left out of the one before. What an enumerated plan leaves
    // out has none: one more node may break the order of binding of the others.
    if seek == Seek::Cheaper && pack::complete(context, packed) {
        refined = improve_in_order(context, packed, seek, work);
    }
    refined.proved
}

/// A cheaper packing of the same pods, unless it is known that there is none.
fn cheaper(
    context: &Context<'_>,
    packed: &Packed,
    refined: &Refined,
    work: &Work<'_>,
) -> Option<Packed> {
    let inner = Context { compiled: packed.compiled(context.compiled), ..*context };
    let cost = packed.state.cost(&inner);
    if cost == 0 {
        return None;
    }
    let is_least = refined.least.is_some_and(|least| i128::from(least) >= cost);
    enumerate::cheaper(context, packed, is_least, enumerate::MOST_STEPS, &work.wish)
}

/// As [`improve`], as long as an order of binding is found for what comes out.
fn improve_in_order(
    context: &Context<'_>,
    packed: &mut Packed,
    seek: Seek,
    work: &mut Work<'_>,
) -> Refined {
    let former = packed.arrangement.is_some().then(|| packed.clone());
    let refined = improve(context, packed, seek, work);
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

/// Takes parts of the packing out and puts them back another way, whatever was decided about them; whether
/// that made it better.
fn recreate(context: &Context<'_>, packed: &mut Packed, work: &Work<'_>) -> bool {
    let compiled = context.compiled;
    let scarce = compiled.reservations.len() > 0
        || compiled.nodes.len() > 0
        || compiled.pools.values().any(|pool| !pool.limits.is_empty() || pool.weight != 0);
    if !scarce && packed.arrangement.is_none() {
        // The packer's decisions leave nothing out.
        return false;
    }
    let groups = packed.state.groups.len() + compiled.offers.len();
    let open = compiled.pools.values().any(|pool| !pool.min_values.is_empty());
    let each = if open { 1 + compiled.offers.len() / 16 } else { 1 };
    let size = groups.saturating_mul(compiled.kinds.len()).saturating_mul(each).max(1);
    let attempts = u64::try_from(RECREATED / size).unwrap_or(u64::MAX);
    let mut attempts = attempts.min(MOST_RECREATED).min(work.attempts);
    let mut granted = || {
        let granted = attempts > 0 && !work.stopped();
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
enum Seek {
    /// A cheaper packing within the arrangement.
    Cheaper,
    Nothing,
}

/// What comes of looking for a better plan.
struct Refined {
    proved: Option<Proved>,
    /// What the plan's pods cost at least, where everything was tried and that isn't more than they cost.
    least: Option<i64>,
}

/// Improves a packing in one go, and proves a bound.
fn improve(context: &Context<'_>, packed: &mut Packed, seek: Seek, work: &mut Work<'_>) -> Refined {
    let claims = Claims::of(context, packed);
    let outer = Context { compiled: &claims.compiled, ..*context };
    let running: Vec<NodeId> = outer.compiled.nodes.ids().collect();
    let start = State::new(outer.compiled);
    let whole = Instance::new(&outer, claims.demands(), &running, &claims.fixed, &start);
    let mut bound = started(&whole, &running, []);
    let compiled = packed.compiled(context.compiled);
    let inner = Context { compiled, ..*context };
    let mut weights = Movable::weights(compiled, &packed.state);
    if seek == Seek::Nothing {
        weights.clear();
    }
    let mut plans: Vec<Plan<'_>> = Vec::new();
    for weight in weights.into_iter().rev() {
        let movable = Movable::of(compiled, &packed.state, weight);
        let rest = movable.rest(compiled, &packed.state);
        let instance = Instance::new(&inner, movable.demands.clone(), &[], &BTreeMap::new(), &rest);
        let known = convert::patterns(&instance, &movable, &packed.state);
        plans.push(Plan { movable, instance, known });
    }
    // What costs most can save most, if time is short.
    plans.sort_by_key(|plan| std::cmp::Reverse(plan.cost()));
    let mut seekers: Vec<Seeker<'_, '_>> = plans.iter().map(Seeker::new).collect();
    for seeker in seekers.iter_mut().filter(|seeker| seeker.generator.is_whole()) {
        // A relaxation of few demands is solved in one go, and may take all the time.
        let values = seeker.generator.best.values.clone();
        seeker.correct(&values, CORRECTIONS, work);
    }
    let certified = |best: &Prices, wish: &Wish<'_>| {
        certify::certified(context.compiled, &claims, &whole, best, wish)
    };
    let mut proved = None;
    for (number, own) in STAGES.into_iter().enumerate() {
        if number > 0 && work.stopped() {
            break;
        }
        let news = stage(&mut bound, number, own, work);
        if proved.is_none() && bound.is_final() {
            // While there is time for it.
            proved = Some(certified(&bound.best, &work.wish));
        }
        for seeker in &mut seekers {
            let demands = &seeker.generator.instance.demands;
            let values = claims.values(&bound.best.values, compiled, demands);
            if news {
                seeker.generator.learn(&bound, &values);
            }
            seeker.stage(number, own, values, work);
        }
    }
    let mut state = packed.state.clone();
    for (seeker, plan) in seekers.iter().zip(&plans) {
        let better = convert::state(&plan.instance, &plan.movable, &seeker.best, &state);
        let kept = better.keeps_weights(compiled)
            && !better.overdraws(compiled)
            && better.unplaced(compiled) <= state.unplaced(compiled)
            && better.cost(&inner) < state.cost(&inner);
        if kept {
            state = better;
        }
    }
    let proved = proved.unwrap_or_else(|| certified(&bound.best, &work.wish));
    packed.state = state;
    if work.stopped() {
        return Refined { proved, least: None };
    }
    let exhaustion = Exhaustion::of(context, &claims, packed, &work.wish);
    Refined { proved: exhaustion.proved(context, &claims, proved), least: exhaustion.least }
}

/// A generator with the prices of the cheap bound.
fn started<'i, 'c>(
    instance: &'i Instance<'c>,
    running: &[NodeId],
    patterns: impl IntoIterator<Item = instance::Pattern>,
) -> Generator<'i, 'c> {
    let compiled = instance.context.compiled;
    let goods = Arc::new(Goods::new(compiled, instance.context.fee));
    let relaxation =
        Relaxation::new(compiled, &instance.demands, running, goods, &mut Known::new());
    let values = relaxation.values(compiled, &instance.demands);
    let values = values.into_iter().map(|value| value as f64).collect();
    let demands = instance.demands.len();
    if demands * instance.bins.len() <= FEW {
        Generator::new(instance, patterns, values, demands, Care { close: 1e-5, steps: 50_000 })
    } else {
        let care = Care { close: 1e-3, steps: steps(demands, 0) };
        Generator::new(instance, patterns, values, STAGES[0], care)
    }
}

/// The most steps of an exact search in a stage: over many demands each is dear, and says little more the
/// longer it is.
fn steps(demands: usize, stage: usize) -> u32 {
    match (demands > MANY_DEMANDS, stage) {
        (false, 0) => 2_000,
        (false, _) => 50_000,
        (true, 0) => 200,
        (true, _) => 1_000,
    }
}

/// Solves the relaxation with so many rows; whether there was anything to do.
fn stage(
    generator: &mut Generator<'_, '_>,
    number: usize,
    own: usize,
    work: &mut Work<'_>,
) -> bool {
    if number > 0 {
        if generator.is_final() {
            return false;
        }
        generator.deepen(own);
        let close = if own >= MANY || generator.is_whole() { 1e-5 } else { 1e-3 };
        generator.care = Care { close, steps: steps(generator.instance.demands.len(), number) };
    }
    let mut before = f64::INFINITY;
    for round in 0_u32.. {
        // The last digits of a relaxation with shared rows aren't worth their rounds.
        if round.is_multiple_of(TAIL) && !generator.is_whole() {
            let now = generator.objective();
            if now > before * (1.0 - SLOW) {
                break;
            }
            before = now;
        }
        if !work.round() || generator.round(&work.wish) != Round::Improved {
            break;
        }
    }
    generator.sharpen(generator.care.steps, &work.wish);
    true
}

/// The launches of one weight, to be packed anew.
struct Plan<'c> {
    movable: Movable,
    instance: Instance<'c>,
    /// What the packing has.
    known: Vec<(instance::Pattern, u32)>,
}

impl Plan<'_> {
    /// What the packing costs, in billionths.
    fn cost(&self) -> i128 {
        let cost = |bin: u32| i128::from(self.instance.bins[bin as usize].cost);
        self.known.iter().map(|(pattern, times)| cost(pattern.bin) * i128::from(*times)).sum()
    }
}

/// The search for a better plan.
struct Seeker<'i, 'c> {
    generator: Generator<'i, 'c>,
    ruin: Option<Ruin>,
    diver: Option<Diver<'i, 'c>>,
    best: Draft,
    /// For each demand, how many times what the bound says that its pods are worth plans paid for them.
    beyond: Vec<f64>,
}

impl<'i, 'c> Seeker<'i, 'c> {
    fn new(plan: &'i Plan<'c>) -> Self {
        let mut best = Draft::new(&plan.instance);
        for (pattern, times) in &plan.known {
            let _bought = best.buy(&plan.instance, pattern, *times);
        }
        let patterns = plan.known.iter().map(|(pattern, _)| pattern.clone());
        let generator = started(&plan.instance, &[], patterns);
        let beyond = vec![1.0; plan.instance.demands.len()];
        Self { generator, ruin: None, diver: None, best, beyond }
    }

    /// Dives, and asks a solver for whole numbers of the patterns known, where that is not too much.
    fn integers(&mut self, work: &mut Work<'_>) {
        let instance = self.generator.instance;
        if !self.generator.is_whole() || instance.demands.len() > dive::DEMANDS {
            return;
        }
        let diver = self.diver.get_or_insert_with(|| Diver::new(&self.generator));
        let prices = &self.generator.best;
        self.best.groups.iter().for_each(|(pattern, _)| diver.add(pattern.clone()));
        let done = |best: &Draft| best.missing() == 0 && best.cost <= instance.up(prices.bound);
        if done(&self.best) {
            return;
        }
        if let Some(better) = diver.dive(&self.best, prices.bound, &prices.values, DECISIONS, work)
        {
            self.best = better;
        }
        if done(&self.best) {
            return;
        }
        let (patterns, screens) = (&diver.patterns, &self.generator.screens);
        let stop = &|| work.stopped();
        if let Some(better) =
            restricted::better(instance, patterns, prices, screens, &self.best, SOLVED, stop)
        {
            self.best = better;
        }
    }

    /// Looks for better plans; `values`: what the bound says that pods are worth.
    fn stage(&mut self, number: usize, own: usize, values: Vec<f64>, work: &mut Work<'_>) {
        let instance = self.generator.instance;
        if instance.demands.len() > MANY_DEMANDS {
            let corrections = if number == 0 { FEWER } else { CORRECTIONS };
            self.correct(&values, corrections, work);
            if number > 0 {
                self.ruin = Some(Ruin::new(instance, &self.generator.efficient()));
                self.repair(&values, FEWER, work);
            }
            return;
        }
        if stage(&mut self.generator, number, own, work) {
            let fractions = self.generator.solution();
            let values = self.generator.best.values.clone();
            for up in ROUND_UP {
                if work.stopped() {
                    return;
                }
                let screens = &self.generator.screens;
                self.best.take(round::rounded(instance, &fractions, &values, screens, up));
            }
            self.correct(&values, CORRECTIONS, work);
            self.ruin = Some(Ruin::new(instance, &self.generator.efficient()));
        }
        self.integers(work);
        let values = self.generator.best.values.clone();
        self.repair(&values, ATTEMPTS, work);
    }

    /// Takes parts of the plan apart, as long as that is worth it.
    fn repair(&mut self, values: &[f64], attempts: u32, work: &mut Work<'_>) {
        let Some(ruin) = &mut self.ruin else { return };
        let mut patience = PATIENCE;
        for _ in 0..attempts {
            if patience == 0 || !work.attempt() {
                return;
            }
            let instance = self.generator.instance;
            let better = ruin.improve(instance, &mut self.best, values, &work.wish);
            patience = if better { PATIENCE } else { patience - 1 };
        }
    }

    /// Plans at these values, corrected by what each plan pays, and by what former ones paid beyond theirs.
    fn correct(&mut self, values: &[f64], corrections: u32, work: &mut Work<'_>) {
        let instance = self.generator.instance;
        let mut corrected: Vec<f64> =
            values.iter().zip(&self.beyond).map(|(value, beyond)| value * beyond).collect();
        let screens = &self.generator.screens;
        let granted = &mut || work.attempt();
        let plan = round::corrected(instance, &mut corrected, screens, corrections, granted);
        plan.into_iter().for_each(|plan| self.best.take(plan));
        let pairs = self.beyond.iter_mut().zip(corrected.iter().zip(values));
        for (beyond, (corrected, value)) in pairs.filter(|(_, (_, value))| **value > 0.0) {
            *beyond = (corrected / value).clamp(1.0 / MOST_BEYOND, MOST_BEYOND);
        }
    }
}
