//! Refinement: a plan and a bound that come to meet each other.
//!
//! *Problem.* The greedy plan is good and its bound is cheap, but between them lie some percent, and
//! nobody knows in which of the two.
//!
//! *Idea.* Column generation ([`generate`]) solves the linear relaxation over all fillings of all nodes.
//! Its dual prices are a sharp bound, and they are what a good plan is made from: whole numbers of the
//! patterns that the relaxation uses, completed by the best bargains at these prices ([`round`]), and
//! repaired where it wastes most ([`ruin`]). It goes in stages: first the pods with least at stake share
//! rows ([`rows`]), so that prices settle in a second whatever the size; then more and more of them have
//! their own, until the gap is closed or the caller stops.
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

mod certify;
mod claim;
mod convert;
mod exact;
mod generate;
mod instance;
mod knapsack;
mod prove;
mod round;
mod rows;
mod ruin;
mod simplex;

use crate::bound::{Proved, Relaxation};
use crate::compile::NodeId;
use crate::pack::{Context, Packed, State};
use claim::Claims;
use convert::Movable;
use generate::{Care, Generator, Round};
use instance::Instance;
use round::Draft;
use ruin::Ruin;

/// How many demands have rows of their own, stage by stage.
const STAGES: [usize; 6] = [16, 64, 160, 400, 1000, 2500];
/// Demands with rows of their own from which on the relaxation is solved closely.
const MANY: usize = 100;
/// Shares of a pattern's fraction from which on it is rounded up; above one: never.
const ROUND_UP: [f64; 4] = [2.0, 0.9, 0.75, 0.5];
/// Attempts to improve a plan in each stage.
const ATTEMPTS: u32 = 40;

/// How much work to spend.
pub(crate) struct Work<'a> {
    /// Rounds of column generation that are left.
    pub(crate) rounds: u64,
    /// Attempts to improve a plan that are left.
    pub(crate) attempts: u64,
    /// The caller's wish to stop.
    pub(crate) stop: &'a (dyn Fn() -> bool + Sync),
}

impl Work<'_> {
    fn round(&mut self) -> bool {
        let more = self.rounds > 0 && !(self.stop)();
        self.rounds -= u64::from(more);
        more
    }

    fn attempt(&mut self) -> bool {
        let more = self.attempts > 0 && !(self.stop)();
        self.attempts -= u64::from(more);
        more
    }
}

/// Improves a packing; the bound that was proved meanwhile, if any.
pub(crate) fn refine(
    context: &Context<'_, '_>,
    packed: &mut Packed<'_>,
    work: &mut Work<'_>,
) -> Option<Proved> {
    let claims = Claims::of(context, packed);
    let outer = Context { compiled: &claims.compiled, ..*context };
    let running: Vec<NodeId> = outer.compiled.nodes.ids().collect();
    let whole = Instance::new(&outer, claims.demands(), &running, &State::new(outer.compiled));
    let mut bound = started(&whole, &running, []);
    let compiled = packed.compiled(context.compiled);
    let inner = Context { compiled, ..*context };
    let weights = Movable::weights(compiled, &packed.state);
    let mut plans: Vec<Plan<'_, '_>> = Vec::new();
    for weight in weights.into_iter().rev() {
        let movable = Movable::of(compiled, &packed.state, weight);
        let rest = movable.rest(compiled, &packed.state);
        let instance = Instance::new(&inner, movable.demands.clone(), &[], &rest);
        let known = convert::patterns(&instance, &movable, &packed.state);
        plans.push(Plan { movable, instance, known });
    }
    let mut seekers: Vec<Seeker<'_, '_, '_>> = plans.iter().map(Seeker::new).collect();
    for (number, own) in STAGES.into_iter().enumerate() {
        if number > 0 && (work.stop)() {
            break;
        }
        stage(&mut bound, number, own, work);
        for seeker in &mut seekers {
            seeker.stage(number, own, work);
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
    // Beside what static pools launch, which may hold anything, nothing more is claimed.
    let fixed = context.compiled.pools.values().any(|pool| pool.fixed.is_some_and(|n| n > 0));
    let proved = if fixed {
        None
    } else {
        certify::certified(context.compiled, &claims, &whole, &bound.best)
    };
    packed.state = state;
    if fixed || (work.stop)() {
        return proved;
    }
    exact::exhausted(context, &claims, packed, proved)
}

/// A generator with the prices of the cheap bound.
fn started<'i, 'c, 'p>(
    instance: &'i Instance<'c, 'p>,
    running: &[NodeId],
    patterns: impl IntoIterator<Item = instance::Pattern>,
) -> Generator<'i, 'c, 'p> {
    let compiled = instance.context.compiled;
    let fee = instance.context.fee;
    let relaxation = Relaxation::new(compiled, &instance.demands, running, fee);
    let values = relaxation.values(compiled, &instance.demands);
    let values = values.into_iter().map(|value| value as f64).collect();
    Generator::new(instance, patterns, values, STAGES[0], Care { close: 1e-3, steps: 2_000 })
}

/// Solves the relaxation with so many rows; whether there was anything to do.
fn stage(
    generator: &mut Generator<'_, '_, '_>,
    number: usize,
    own: usize,
    work: &mut Work<'_>,
) -> bool {
    if number > 0 {
        if generator.is_whole() && generator.care.close < 1e-4 {
            return false;
        }
        if own >= MANY || generator.is_whole() {
            generator.care = Care { close: 1e-5, steps: 50_000 };
        }
        generator.deepen(own);
    }
    while work.round() {
        if generator.round() != Round::Improved {
            break;
        }
    }
    generator.sharpen(generator.care.steps);
    true
}

/// The launches of one weight, to be packed anew.
struct Plan<'c, 'p> {
    movable: Movable,
    instance: Instance<'c, 'p>,
    /// What the packing has.
    known: Vec<(instance::Pattern, u32)>,
}

/// The search for a better plan.
struct Seeker<'i, 'c, 'p> {
    generator: Generator<'i, 'c, 'p>,
    ruin: Option<Ruin>,
    best: Draft,
}

impl<'i, 'c, 'p> Seeker<'i, 'c, 'p> {
    fn new(plan: &'i Plan<'c, 'p>) -> Self {
        let mut best = Draft::new(&plan.instance);
        for (pattern, times) in &plan.known {
            let _bought = best.buy(&plan.instance, pattern, *times);
        }
        let patterns = plan.known.iter().map(|(pattern, _)| pattern.clone());
        let generator = started(&plan.instance, &[], patterns);
        Self { generator, ruin: None, best }
    }

    fn stage(&mut self, number: usize, own: usize, work: &mut Work<'_>) {
        let instance = self.generator.instance;
        if stage(&mut self.generator, number, own, work) {
            let fractions = self.generator.solution();
            let fractions: Vec<_> = fractions
                .iter()
                .map(|(column, times)| (&self.generator.patterns[*column], *times))
                .collect();
            for up in ROUND_UP {
                if (work.stop)() {
                    return;
                }
                let draft = round::rounded(instance, &fractions, &self.generator.best.values, up);
                if draft.rank() < self.best.rank() {
                    self.best = draft;
                }
            }
            self.ruin = Some(Ruin::new(instance, &self.generator.efficient()));
        }
        let Some(ruin) = &mut self.ruin else { return };
        for _ in 0..ATTEMPTS {
            if !work.attempt() {
                return;
            }
            let _better = ruin.improve(instance, &mut self.best, &self.generator.best.values);
        }
    }
}
