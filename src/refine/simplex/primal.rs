//! The primal method: columns enter that lower the cost, the values stay feasible.

use super::super::cancel::StepLimit;
use super::inverse::inner;
use super::{
    AGREE, ColumnState, FEASIBLE, GOLDEN, Master, PhaseEnd, PricedColumn, SMALL_PIVOT, WORTHWHILE,
    ZERO,
};
use ordered_float::OrderedFloat;

/// What a ratio test lets a value go below zero.
const HARRIS: f64 = 1e-9;
/// Steps of no length after which the basic variables are lifted.
const STALL: u32 = 30;
/// By how much, roughly.
const LIFT: f64 = 1e-6;
/// The size of the working set, per row and beside that.
const SET: (usize, usize) = (2, 100);
/// How many columns join the set at a time.
const JOIN: usize = 100;
/// Pivots after which values and multipliers are computed anew.
const REFRESH: u32 = 100;

/// What a column gains per length of its edge, squared.
fn score(candidate: &PricedColumn) -> f64 {
    candidate.reduced * candidate.reduced / candidate.length
}

impl Master {
    /// Pivots until no column is worth it.
    pub(super) fn primal(&mut self, step_limit: &mut StepLimit<'_>) -> PhaseEnd {
        let side = self.rows.len();
        let (mut image, mut line, mut turned) = (vec![0.0; side], vec![0.0; side], vec![0.0; side]);
        let (mut stalled, mut since) = (0, 0);
        loop {
            if since >= REFRESH {
                self.refresh();
                since = 0;
            }
            let Some(at) = self.best() else {
                if since > 0 {
                    self.refresh();
                    since = 0;
                }
                if self.gather() { continue } else { return PhaseEnd::Done }
            };
            if step_limit.steps == 0 {
                return PhaseEnd::PivotsOut;
            }
            let column = self.candidates[at].column;
            let length = self.length(column, &mut image);
            let Some(position) = self.leaving(&image) else { return PhaseEnd::Stuck };
            self.inverse.row(position, &mut line);
            let lead = image[position];
            let differs =
                (lead - self.columns.dot(column, &line)).abs() > AGREE * (1.0 + lead.abs());
            if (differs || lead.abs() < SMALL_PIVOT) && self.age > 0 {
                self.rebuild();
                self.refresh();
                since = 0;
                continue;
            }
            let reduced = self.reduced(column);
            self.candidates[at].reduced = reduced;
            if reduced >= -self.worthwhile() {
                continue;
            }
            let left = self.basis[position];
            let step = match self.forbidden[left] {
                true => 0.0,
                false => (self.values[position] / lead).max(0.0),
            };
            stalled = if step > FEASIBLE { 0 } else { stalled + 1 };

            step_limit.step();
            self.exchange(position, column, step, (&image, &line), |row, cells| {
                turned[row] = inner(&image, cells);
            });
            for (multiplier, entry) in self.multipliers.iter_mut().zip(&line) {
                *multiplier += reduced / lead * entry;
            }
            self.candidates.swap_remove(at);
            self.turn(reduced / lead, lead, length, (&line, &turned));
            if !self.forbidden[left] {
                let length = (length / (lead * lead)).max(1.0);
                self.candidates.push(PricedColumn {
                    column: left,
                    reduced: -reduced / lead,
                    length,
                });
                self.places[left] = ColumnState::Candidate;
            }
            since += 1;
            if stalled > STALL {
                self.lift();
                stalled = 0;
            }
        }
    }

    /// How far below zero a reduced cost must be.
    fn worthwhile(&self) -> f64 {
        WORTHWHILE * self.largest_cost
    }

    /// Where in the working set the column is that gains most.
    fn best(&self) -> Option<usize> {
        let least = self.worthwhile();
        let mut best: Option<(usize, f64)> = None;
        for (at, candidate) in self.candidates.iter().enumerate() {
            if candidate.reduced < -least && !self.forbidden[candidate.column] {
                let score = score(candidate);
                if best.is_none_or(|best| score > best.1) {
                    best = Some((at, score));
                }
            }
        }
        best.map(|(at, _)| at)
    }

    /// Looks through all columns for such as gain something, and takes the best of them into the
    /// working set; `false` if there are none.
    fn gather(&mut self) -> bool {
        let least = self.worthwhile();
        let mut found = Vec::new();
        for column in 0..self.columns.len() {
            if self.places[column] == ColumnState::Outside && !self.forbidden[column] {
                let reduced = self.reduced(column);
                if reduced < -least {
                    found.push(PricedColumn { column, reduced, length: 0.0 });
                }
            }
        }
        let order = |priced: &PricedColumn| (OrderedFloat(priced.reduced), priced.column);
        found.sort_unstable_by_key(order);
        found.truncate(JOIN);
        let room = SET.0 * self.rows.len() + SET.1 - found.len();
        if self.candidates.len() > room {
            self.candidates.sort_unstable_by_key(order);
            for candidate in self.candidates.drain(room..) {
                self.places[candidate.column] = ColumnState::Outside;
            }
        }
        let mut image = vec![0.0; self.rows.len()];
        for candidate in &mut found {
            candidate.length = self.length(candidate.column, &mut image);
            self.places[candidate.column] = ColumnState::Candidate;
        }
        self.candidates.extend(&found);
        !found.is_empty()
    }

    /// What a pivot does to reduced costs and edges of the working set.
    fn turn(&mut self, change: f64, lead: f64, length: f64, (line, turned): (&[f64], &[f64])) {
        for candidate in &mut self.candidates {
            let (entry, cross) = self.columns.dots(candidate.column, line, turned);
            candidate.reduced -= change * entry;
            let ratio = entry / lead;
            let longer = candidate.length - ratio * (2.0 * cross - ratio * length);
            candidate.length = longer.max(1.0 + ratio * ratio);
        }
    }

    /// The position whose variable leaves when a column with this image enters: of those that reach
    /// zero first, within a tolerance, the one with the largest pivot.
    fn leaving(&self, image: &[f64]) -> Option<usize> {
        // A forbidden column in the basis must stay at zero: it leaves, whichever way it would go.
        let part = |position: usize| match self.forbidden[self.basis[position]] {
            true => (0.0, image[position].abs()),
            false => (self.values[position].max(0.0), image[position]),
        };
        let able = (0..image.len()).map(|position| (position, part(position)));
        let able = able.filter(|(_, (_, pivot))| *pivot > ZERO);
        let reach = able
            .clone()
            .fold(f64::INFINITY, |least, (_, (value, pivot))| least.min((value + HARRIS) / pivot));
        let mut best: Option<(usize, f64)> = None;
        for (position, (_, pivot)) in able.filter(|(_, (value, pivot))| *value <= reach * pivot) {
            if best.is_none_or(|best| pivot > best.1) {
                best = Some((position, pivot));
            }
        }
        best.map(|(position, _)| position)
    }

    /// Raises the basic variables that are about zero by small amounts, and the bounds with them.
    fn lift(&mut self) {
        self.lifted = true;
        for (position, column) in self.basis.iter().enumerate() {
            if self.values[position] <= FEASIBLE && !self.forbidden[*column] {
                let spread = ((self.pivots + position as u64) as f64 * GOLDEN).fract();
                let by = LIFT * (1.0 + spread) - self.values[position];
                self.values[position] += by;
                let entries = self.columns.entries(*column);
                entries.for_each(|(row, entry)| self.right[row] += entry * by);
            }
        }
    }
}
