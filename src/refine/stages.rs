//! Column generation stage by stage: how a relaxation is begun, and how it goes on with more rows.
//!
//! *Why stages.* With a row for each of thousands of demands the master takes long to solve, and
//! its first prices are worthless. With rows shared by the demands with least at stake it settles
//! in a second; split later, it starts from prices that are nearly right.

use super::budget::RefineBudget;
use super::generate::{ColumnGeneration, RoundEnd, Tolerance};
use super::instance::{Instance, Pattern};
use super::tuning::stages::{FEW, MANY, MANY_DEMANDS, SLOW, STAGES, TAIL};
use crate::bound::{BinCatalog, Relaxation, SlotTable};
use crate::compile::NodeId;
use std::sync::Arc;

/// A generator with the prices of the cheap bound.
///
/// Few demands on few bins get rows of their own at once, and are solved to the end in the first
/// stage.
pub(super) fn started<'i, 'c>(
    instance: &'i Instance<'c>,
    running: &[NodeId],
    patterns: impl IntoIterator<Item = Pattern>,
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
pub(super) fn steps(demands: usize, stage: usize) -> u32 {
    match (demands > MANY_DEMANDS, stage) {
        (false, 0) => 2_000,
        (false, _) => 50_000,
        (true, 0) => 200,
        (true, _) => 1_000,
    }
}

/// Whether rounds are told of: those for the lower bound are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Told {
    Yes,
    No,
}

/// Solves the relaxation with so many rows; whether there was anything to do.
///
/// It ends when nothing improves, when improvements become slow, or when the budget grants no more;
/// then over-estimates that decide the bound are sharpened by search.
pub(super) fn stage(
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
