//! The dual method: makes a basis feasible after the bounds have changed.

use super::super::cancel::StepLimit;
use super::inverse::accumulate;
use super::{AGREE, ColumnState, Master, PhaseEnd, ZERO};

/// Pivots per row, and beside them, after which starting again is the better way.
const PATIENCE: (u64, u64) = (20, 1000);
/// By how much costs are raised, roughly, per unit of the largest.
const RAISE: f64 = 1e-6;
/// What a ratio test lets a reduced cost go below zero, per unit of the largest cost.
const HARRIS: f64 = 1e-9;
/// No edge is shorter, whatever rounding says.
const SHORTEST: f64 = 1e-4;

impl Master {
    /// Pivots until no basic variable is where it may not be. Reduced costs below zero count as
    /// zero: the primal method sees to them afterwards.
    pub(super) fn dual(&mut self, step_limit: &mut StepLimit<'_>) -> PhaseEnd {
        // Their edges change, and nobody keeps account.
        self.drop_candidates();
        let side = self.rows.len();
        let (mut image, mut line, mut turned) = (vec![0.0; side], vec![0.0; side], vec![0.0; side]);
        let mut reduced = self.raised_costs();
        let mut entries = vec![0.0; self.columns.len()];
        let mut lengths = self.inverse.lengths();
        let until = self.pivots + PATIENCE.0 * side as u64 + PATIENCE.1;
        loop {
            let gain = |(position, value): (usize, f64)| value * value / lengths[position];
            let worst = self
                .breaches()
                .reduce(|worst, breach| if gain(breach) > gain(worst) { breach } else { worst });
            let Some((position, value)) = worst else {
                self.refresh();
                if self.is_feasible() { return PhaseEnd::Done } else { continue }
            };
            if step_limit.steps == 0 {
                return PhaseEnd::PivotsOut;
            }
            if self.pivots >= until {
                return PhaseEnd::Stuck;
            }
            self.inverse.row(position, &mut line);
            let sign = if value < 0.0 { 1.0 } else { -1.0 };
            for (column, entry) in entries.iter_mut().enumerate() {
                *entry = match self.is_open(column) {
                    true => sign * self.columns.dot(column, &line),
                    false => 0.0,
                };
            }
            let Some(column) = self.entering(&reduced, &entries) else { return PhaseEnd::Stuck };
            self.inverse.times(self.columns.entries(column), &mut image);
            let (lead, other) = (image[position], sign * entries[column]);
            if (lead - other).abs() > AGREE * (1.0 + lead.abs()) || lead.abs() < ZERO {
                if self.age == 0 {
                    return PhaseEnd::Stuck;
                }
                self.rebuild();
                self.refresh();
                lengths = self.inverse.lengths();
                continue;
            }
            let change = reduced[column] / entries[column];
            for (reduced, entry) in reduced.iter_mut().zip(&entries) {
                *reduced = (*reduced - change * entry).max(0.0);
            }
            reduced[self.basis[position]] = -change;

            turned.fill(0.0);
            step_limit.step();
            self.exchange(position, column, value / lead, (&image, &line), |row, cells| {
                if line[row] != 0.0 {
                    accumulate(&mut turned, line[row], cells);
                }
            });
            let length = lengths[position];
            for ((size, image), turned) in lengths.iter_mut().zip(&image).zip(&turned) {
                let ratio = image / lead;
                let least = SHORTEST * (1.0 + ratio * ratio);
                *size = (*size - ratio * (2.0 * turned - ratio * length)).max(least);
            }
            lengths[position] = (length / (lead * lead)).max(SHORTEST);
        }
    }

    /// Reduced costs of the columns that may enter, none below zero, and no two alike by chance.
    fn raised_costs(&self) -> Vec<f64> {
        let raised = |column: usize| {
            let spread = (column as f64 * super::GOLDEN).fract();
            self.reduced(column).max(0.0) + RAISE * self.largest_cost * (1.0 + spread)
        };
        let columns = 0..self.columns.len();
        columns.map(|column| if self.is_open(column) { raised(column) } else { 0.0 }).collect()
    }

    /// Whether a column may enter the basis.
    fn is_open(&self, column: usize) -> bool {
        self.places[column] != ColumnState::Basic && !self.forbidden[column]
    }

    /// The column that enters: of those whose reduced cost reaches zero first, within a tolerance,
    /// the one with the largest pivot.
    fn entering(&self, reduced: &[f64], entries: &[f64]) -> Option<usize> {
        let able = (0..entries.len()).filter(|column| entries[*column] < -ZERO);
        let slip = HARRIS * self.largest_cost;
        let reach = able.clone().fold(f64::INFINITY, |least, column| {
            least.min((reduced[column] + slip) / -entries[column])
        });
        let mut best: Option<usize> = None;
        for column in able.filter(|column| reduced[*column] <= reach * -entries[*column]) {
            if best.is_none_or(|best| entries[column] < entries[best]) {
                best = Some(column);
            }
        }
        best
    }
}
