//! The primal method: columns enter that lower the cost, the values stay feasible.

use super::{Candidate, End, FEASIBLE, Master, Place, SMALL_PIVOT, WORTHWHILE, ZERO};

/// What a ratio test lets a value go below zero.
const HARRIS: f64 = 1e-9;
/// Steps without gain after which the basic variables are lifted.
const STALL: u32 = 30;
/// By how much, roughly.
const LIFT: f64 = 1e-6;
/// The longest list of candidates.
const CANDIDATES: usize = 200;
/// Pivots after which values and multipliers are computed anew.
const REFRESH: u32 = 100;

/// What a column gains per step along its edge, squared.
fn score(candidate: &Candidate) -> f64 {
    candidate.reduced * candidate.reduced / candidate.weight
}

impl Master {
    /// Pivots until no column is worth it.
    pub(super) fn primal(&mut self) -> End {
        let side = self.rows.len();
        let (mut image, mut line) = (vec![0.0; side], vec![0.0; side]);
        let (mut stalled, mut fresh) = (0, true);
        let mut since = 0;
        loop {
            if since >= REFRESH {
                self.refresh();
                (since, fresh) = (0, true);
            }
            let Some(entering) = self.best() else {
                if !fresh {
                    self.refresh();
                    (since, fresh) = (0, true);
                }
                if self.gather() { continue } else { return End::Done }
            };
            if self.left == 0 {
                return End::PivotsOut;
            }
            let Candidate { column, weight, .. } = self.candidates.swap_remove(entering);
            self.inverse.times(self.columns.entries(column), &mut image);
            let basics = self.basis.iter().zip(&image);
            let worth: f64 = basics.map(|(basic, image)| self.columns.cost(*basic) * image).sum();
            let reduced = self.columns.cost(column) - worth;
            if reduced > -self.worthwhile() {
                continue;
            }
            let Some(position) = self.leaving(&image) else { return End::Stuck };
            if image[position].abs() < SMALL_PIVOT && self.age > 0 {
                self.rebuild();
                self.refresh();
                self.candidates.push(Candidate { column, reduced: self.reduced(column), weight });
                continue;
            }
            let step = match self.forbidden[self.basis[position]] {
                true => 0.0,
                false => (self.values[position] / image[position]).max(0.0),
            };
            stalled = if step * -reduced > 0.0 { 0 } else { stalled + 1 };

            self.inverse.row(position, &mut line);
            self.reweigh(reduced / image[position], weight, image[position], &line);
            for (multiplier, entry) in self.multipliers.iter_mut().zip(&line) {
                *multiplier += reduced / image[position] * entry;
            }
            self.exchange(position, column, step, &image, &line);
            (since, fresh) = (since + 1, false);
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

    /// The best of the candidates. Those that aren't worth a pivot any more are dropped.
    fn best(&mut self) -> Option<usize> {
        let (places, forbidden, least) = (&self.places, &self.forbidden, self.worthwhile());
        self.candidates.retain(|candidate| {
            candidate.reduced < -least
                && places[candidate.column] == Place::Outside
                && !forbidden[candidate.column]
        });
        let numbered = self.candidates.iter().enumerate();
        let best = numbered
            .max_by(|(_, a), (_, b)| score(a).total_cmp(&score(b)).then(b.column.cmp(&a.column)));
        best.map(|(at, _)| at)
    }

    /// Looks through all columns for candidates; `false` if there are none.
    fn gather(&mut self) -> bool {
        let least = self.worthwhile();
        let mut found = Vec::new();
        for column in 0..self.columns.len() {
            if self.places[column] == Place::Outside && !self.forbidden[column] {
                let reduced = self.reduced(column);
                if reduced < -least {
                    found.push(Candidate { column, reduced, weight: 1.0 });
                }
            }
        }
        if found.len() > CANDIDATES {
            let order = |a: &Candidate, b: &Candidate| {
                score(b).total_cmp(&score(a)).then(a.column.cmp(&b.column))
            };
            found.select_nth_unstable_by(CANDIDATES, order);
            found.truncate(CANDIDATES);
            found.sort_unstable_by_key(|candidate| candidate.column);
        }
        self.candidates = found;
        !self.candidates.is_empty()
    }

    /// The candidates' reduced costs and weights after a pivot.
    fn reweigh(&mut self, change: f64, weight: f64, lead: f64, line: &[f64]) {
        for candidate in &mut self.candidates {
            let entry = self.columns.dot(candidate.column, line);
            candidate.reduced -= change * entry;
            let ratio = entry / lead;
            candidate.weight = candidate.weight.max(ratio * ratio * weight);
        }
    }

    /// The position whose variable leaves when a column with this image enters: of those that reach
    /// zero first, within a tolerance, the one with the largest pivot.
    fn leaving(&self, image: &[f64]) -> Option<usize> {
        // A forbidden column in the basis must stay at zero: it leaves, whichever way it would go.
        let pivot = |position: usize| match self.forbidden[self.basis[position]] {
            true => image[position].abs(),
            false => image[position],
        };
        let value = |position: usize| match self.forbidden[self.basis[position]] {
            true => 0.0,
            false => self.values[position].max(0.0),
        };
        let able = (0..image.len()).filter(|position| pivot(*position) > ZERO);
        let reach = able.clone().fold(f64::INFINITY, |least, position| {
            least.min((value(position) + HARRIS) / pivot(position))
        });
        let mut best: Option<usize> = None;
        for position in able.filter(|position| value(*position) <= reach * pivot(*position)) {
            if best.is_none_or(|best| pivot(position) > pivot(best)) {
                best = Some(position);
            }
        }
        best
    }

    /// Raises the basic variables that are about zero by small amounts, and the bounds with them.
    fn lift(&mut self) {
        self.lifted = true;
        for (position, column) in self.basis.iter().enumerate() {
            if self.values[position] <= FEASIBLE && !self.forbidden[*column] {
                // Multiples of the golden section are spread evenly, in no order.
                let spread = (self.pivots as f64 + position as f64 * 0.618_033_988_749_895).fract();
                let by = LIFT * (1.0 + spread) - self.values[position];
                self.values[position] += by;
                let entries = self.columns.entries(*column);
                entries.for_each(|(row, entry)| self.right[row] += entry * by);
            }
        }
    }
}
