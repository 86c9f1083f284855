//! The linear programme of the restricted master: few fixed rows, columns that keep coming.
//!
//! *Problem.* `min c·x` with `x ≥ 0`, where each row is a cover row `Σ a_ij x_j ≥ b_i` or a supply
//! row `Σ a_ij x_j ≤ b_i` (`c ≥ 0`, `b ≥ 0`). Between two solves columns are appended, bounds `b`
//! change or columns are forbidden, and each solve should cost in proportion to what changed. What
//! pricing asks for is the dual solution; rounding asks for the primal one.
//!
//! *Idea.* The revised simplex method with an explicit inverse of the basis. Every cover row has an
//! artificial column that leaves what it lacks uncovered at a penalty, so every programme has a
//! solution. New columns keep the last basis feasible, and the primal method goes on from there.
//! After bounds have changed, or a column of the basis was forbidden, the dual method makes the
//! basis feasible first, with costs raised where a column is already worth entering. Should numbers
//! fail it, all starts again from the artificial columns, which are feasible whatever the bounds.
//!
//! Both methods go along steepest edges: what a column gains is measured against the true length
//! of the edge that it enters along. On programmes of patterns this saves nine pivots of ten. The
//! primal method keeps the lengths for a working set of columns only, with those that gain most,
//! those that were added last and those that left the basis, and looks through all columns when the
//! set gives nothing more.
//!
//! Packing programmes are degenerate. The ratio tests allow a small infeasibility and take the
//! largest pivot within it. After a run of primal steps of no length, the basic variables are
//! lifted by small fixed amounts, which the end takes back, with a few dual pivots; the dual method
//! raises all costs by small fixed amounts from the start.
//!
//! *Why it is right.* At `Optimal` the values are feasible for the rows and no allowed column has a
//! negative reduced cost, both up to tolerances and both computed from the original numbers: the
//! basic values and the multipliers are refined by one step with the residual of `B x = b` and
//! `y B = c`, and the inverse is built afresh when that step is too long. Nobody needs to believe
//! it: bounds are proved elsewhere, in integers, from duals that are scaled to be valid.
//!
//! *Cost.* One pivot: `m²` multiplications each for the inverse and for the edges, in one way
//! through memory; and the entries of the working set (primal, some `2m` columns) or of all columns
//! (dual). One look through the columns: all their entries. Work is counted in pivots; there is no
//! clock.
//!
//! *References.* Dantzig 1963; Goldfarb and Reid 1977, Forrest and Goldfarb 1992 (steepest edges);
//! Harris 1973 (ratio test); Gill, Murray, Saunders and Wright 1989 (lifting bounds against
//! cycling).

use super::cancel::StepLimit;

mod columns;
mod dual;
mod inverse;
mod primal;

#[cfg(test)]
mod tests;

use columns::Columns;
use inverse::{Inverse, inner};

/// How far a basic variable may be below zero.
const FEASIBLE: f64 = 1e-8;
/// How negative a reduced cost must be for a column to be worth a pivot, per unit of the largest
/// cost.
const WORTHWHILE: f64 = 1e-9;
/// A coefficient this small takes no part in a ratio test.
const ZERO: f64 = 1e-9;
/// A pivot this small is taken only from an inverse that was just built.
const SMALL_PIVOT: f64 = 1e-6;
/// By how much a pivot may differ between its row and its column.
const AGREE: f64 = 1e-7;
/// How long a step of refinement may be, in proportion, before the inverse is built afresh.
const DRIFT: f64 = 1e-7;

/// Multiples of the golden section, without their whole part, are spread evenly and in no order.
const GOLDEN: f64 = 0.618_033_988_749_895;

/// What a row asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sense {
    /// At least the bound; what is lacking costs the penalty per unit.
    Cover { penalty: f64 },
    /// At most the bound.
    Supply,
}

/// A row of the programme.
#[derive(Clone, Copy, Debug)]
pub(super) struct MasterRow {
    /// Whether the sum of the row is at least or at most its bound.
    pub(super) sense: Sense,
    /// The right-hand side.
    pub(super) bound: f64,
}

impl MasterRow {
    fn scaled(self, scale: f64) -> Self {
        let sense = match self.sense {
            Sense::Cover { penalty } => Sense::Cover { penalty: penalty / scale },
            Sense::Supply => Sense::Supply,
        };
        Self { sense, bound: self.bound * scale }
    }
}

/// A power of two that brings a bound to about a thousand, if it is larger: tolerances are for
/// numbers of that size.
fn scale(bound: f64) -> f64 {
    // By halves, not by a logarithm, whose last bit differs between platforms.
    let mut scale = 1.0;
    while bound * scale > 1024.0 && scale > f64::MIN_POSITIVE {
        scale *= 0.5;
    }
    scale
}

/// How a solve ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum SolveEnd {
    Optimal,
    /// They ran out, the caller wished to stop, or numbers failed. What is reported is that of the
    /// last basis, feasible or not.
    PivotsOut,
}

/// What part of a solve came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum PhaseEnd {
    Done,
    PivotsOut,
    /// The numbers don't allow a next step.
    Stuck,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ColumnState {
    Outside,
    /// Outside, and in the working set.
    Candidate,
    Basic,
}

/// A column of the working set.
#[derive(Clone, Copy, Debug)]
struct PricedColumn {
    /// Which column.
    column: usize,
    /// Its reduced cost.
    reduced: f64,
    /// The squared length of the edge along which the column would enter; zero: not known yet.
    length: f64,
}

/// The programme, with its last basis.
#[derive(Debug)]
pub(super) struct Master {
    /// In the units in which it is solved, like all that follows but the duals.
    rows: Vec<MasterRow>,
    /// How many such units one of the caller's is, by row.
    scales: Vec<f64>,
    /// Slack of every row, artificial columns of the cover rows, then the caller's columns.
    columns: Columns,
    /// By row, its artificial column.
    artificial: Vec<Option<usize>>,
    /// The caller's first column.
    first: usize,
    /// For each column, whether it is in the basis.
    places: Vec<ColumnState>,
    /// For each column, whether it may not enter.
    forbidden: Vec<bool>,
    /// The inverse of the basis.
    inverse: Inverse,
    /// Replacements since the inverse was built.
    age: u32,
    /// By position, the basic column and its value.
    basis: Vec<usize>,
    /// The values of the basic columns, by row.
    values: Vec<f64>,
    /// The bounds that `values` are for: those of the rows, or lifted ones.
    right: Vec<f64>,
    /// Whether bounds are moved a little, against cycling.
    lifted: bool,
    /// `y = c B⁻¹`, by row: reduced costs are `c_j − y·a_j`.
    multipliers: Vec<f64>,
    /// The dual values, by row.
    duals: Vec<f64>,
    /// Columns that priced out negative when all were last looked at.
    candidates: Vec<PricedColumn>,
    /// The largest cost of any column, to which tolerances are relative.
    largest_cost: f64,
    /// How many pivots were made.
    pivots: u64,
}

impl Master {
    /// A programme without columns: everything is uncovered.
    pub(super) fn new(rows: &[MasterRow]) -> Self {
        let scales: Vec<f64> = rows.iter().map(|row| scale(row.bound)).collect();
        let rows: Vec<MasterRow> =
            rows.iter().zip(&scales).map(|(row, scale)| row.scaled(*scale)).collect();
        let mut columns = Columns::default();
        let mut largest_cost = 0.0_f64;
        for (at, row) in (0_u32..).zip(&rows) {
            let sign = if matches!(row.sense, Sense::Supply) { 1.0 } else { -1.0 };
            columns.push(0.0, [(at, sign)]);
        }
        let mut artificial = vec![None; rows.len()];
        for (at, row) in (0_u32..).zip(&rows) {
            if let Sense::Cover { penalty } = row.sense {
                artificial[at as usize] = Some(columns.len());
                columns.push(penalty, [(at, 1.0)]);
                largest_cost = largest_cost.max(penalty * 1e-6);
            }
        }
        let first = columns.len();
        let mut master = Self {
            columns,
            artificial,
            first,
            places: vec![ColumnState::Outside; first],
            forbidden: vec![false; first],
            inverse: Inverse::unit(rows.len()),
            age: 0,
            basis: Vec::new(),
            values: vec![0.0; rows.len()],
            right: rows.iter().map(|row| row.bound).collect(),
            lifted: false,
            multipliers: vec![0.0; rows.len()],
            duals: vec![0.0; rows.len()],
            rows,
            scales,
            candidates: Vec::new(),
            largest_cost,
            pivots: 0,
        };
        master.restart();
        master.undo_perturbation();
        master
    }

    /// Appends a column (rows ascending or not, each once). Returns its number, counted from zero.
    pub(super) fn add(
        &mut self,
        cost: f64,
        entries: impl IntoIterator<Item = (u32, f64)>,
    ) -> usize {
        let column = self.columns.len();
        let scales = &self.scales;
        let scaled = entries.into_iter().map(|(row, entry)| (row, entry * scales[row as usize]));
        self.columns.push(cost, scaled);
        self.places.push(ColumnState::Candidate);
        self.forbidden.push(false);
        self.largest_cost = self.largest_cost.max(cost);
        self.candidates.push(PricedColumn { column, reduced: 0.0, length: 0.0 });
        column - self.first
    }

    /// Changes the bound of a row, from the next solve on. Below zero counts as zero.
    pub(super) fn set_bound(&mut self, row: usize, bound: f64) {
        self.rows[row].bound = bound.max(0.0) * self.scales[row];
    }

    /// Allows a column to be used, or not, from the next solve on.
    #[cfg(test)]
    pub(super) fn set_allowed(&mut self, column: usize, allowed: bool) {
        self.forbidden[self.first + column] = !allowed;
    }

    /// Goes on from the last basis until it is optimal or so many pivots were made; a pivot is a
    /// step.
    pub(super) fn solve(&mut self, mut step_limit: StepLimit<'_>) -> SolveEnd {
        self.undo_perturbation();
        let mut restarted = false;
        loop {
            let mut end =
                if self.is_feasible() { PhaseEnd::Done } else { self.dual(&mut step_limit) };
            if end == PhaseEnd::Done {
                end = self.primal(&mut step_limit);
            }
            match end {
                PhaseEnd::Stuck if !restarted => {
                    restarted = true;
                    self.restart();
                    self.undo_perturbation();
                }
                PhaseEnd::PivotsOut | PhaseEnd::Stuck => break,
                PhaseEnd::Done if self.lifted => self.undo_perturbation(),
                PhaseEnd::Done if !self.is_feasible() => {}
                PhaseEnd::Done => {
                    self.report();
                    return SolveEnd::Optimal;
                }
            }
        }
        self.undo_perturbation();
        self.report();
        SolveEnd::PivotsOut
    }

    /// The dual solution: by how much the optimum grows per unit of a cover row's bound, and by how
    /// much it falls per unit of a supply row's. None is negative. The reduced cost of a column is
    /// its cost, minus its entries in cover rows and plus those in supply rows times these.
    pub(super) fn duals(&self) -> &[f64] {
        &self.duals
    }

    /// The columns in use, ascending, with their values.
    pub(super) fn values(&self) -> Vec<(usize, f64)> {
        let basics = self.basis.iter().zip(&self.values);
        let mut values: Vec<(usize, f64)> = basics
            .filter(|(column, value)| **column >= self.first && **value > FEASIBLE)
            .map(|(column, value)| (column - self.first, *value))
            .collect();
        values.sort_by_key(|(column, _)| *column);
        values
    }

    /// The sum of costs and penalties.
    pub(super) fn objective(&self) -> f64 {
        let basics = self.basis.iter().zip(&self.values);
        basics.map(|(column, value)| self.columns.cost(*column) * value.max(0.0)).sum()
    }

    /// How much of a cover row's bound isn't covered.
    #[cfg(test)]
    pub(super) fn uncovered(&self, row: usize) -> f64 {
        let Some(artificial) = self.artificial[row] else { return 0.0 };
        let position = self.basis.iter().position(|column| *column == artificial);
        position.map_or(0.0, |position| self.values[position].max(0.0) / self.scales[row])
    }

    /// What a column's cost is above what the duals say it is worth.
    #[cfg(test)]
    pub(super) fn reduced_cost(&self, column: usize) -> f64 {
        let column = self.first + column;
        let worth = self.columns.entries(column).map(|(row, entry)| match self.rows[row].sense {
            Sense::Cover { .. } => entry / self.scales[row] * self.duals[row],
            Sense::Supply => -entry / self.scales[row] * self.duals[row],
        });
        self.columns.cost(column) - worth.sum::<f64>()
    }

    /// Pivots made so far.
    #[cfg(test)]
    pub(super) fn pivots(&self) -> u64 {
        self.pivots
    }

    /// Takes the basis of artificial columns and of slacks where there is none.
    fn restart(&mut self) {
        self.drop_candidates();
        let seats = (0..self.rows.len()).map(|row| self.artificial[row].unwrap_or(row)).collect();
        self.seat(seats);
        self.rebuild();
    }

    fn seat(&mut self, basis: Vec<usize>) {
        self.basis.iter().for_each(|column| self.places[*column] = ColumnState::Outside);
        self.basis = basis;
        self.basis.iter().for_each(|column| self.places[*column] = ColumnState::Basic);
    }

    fn drop_candidates(&mut self) {
        for candidate in self.candidates.drain(..) {
            if self.places[candidate.column] == ColumnState::Candidate {
                self.places[candidate.column] = ColumnState::Outside;
            }
        }
    }

    /// Takes back what was lifted and computes values and multipliers from the rows' bounds.
    fn undo_perturbation(&mut self) {
        self.lifted = false;
        for (right, row) in self.right.iter_mut().zip(&self.rows) {
            *right = row.bound;
        }
        self.refresh();
    }

    /// Computes values and multipliers anew, with an inverse that is good enough for it.
    fn refresh(&mut self) {
        if self.compute() > DRIFT && self.age > 0 {
            self.rebuild();
            self.compute();
        }
        let mut image = vec![0.0; self.rows.len()];
        for at in 0..self.candidates.len() {
            let PricedColumn { column, length, .. } = self.candidates[at];
            self.candidates[at].reduced = self.reduced(column);
            if length == 0.0 {
                self.candidates[at].length = self.length(column, &mut image);
            }
        }
    }

    /// The squared length of the edge along which a column would enter; leaves `B⁻¹a` in `image`.
    fn length(&self, column: usize, image: &mut [f64]) -> f64 {
        self.inverse.times(self.columns.entries(column), image);
        1.0 + inner(image, image)
    }

    fn rebuild(&mut self) {
        let seats = self.inverse.build(&self.columns, &self.basis);
        let seats = seats.into_iter().enumerate();
        let stand_in = |row: usize| self.artificial[row].unwrap_or(row);
        let basis = seats.map(|(row, seat)| seat.unwrap_or_else(|| stand_in(row))).collect();
        self.seat(basis);
        self.age = 0;
    }

    /// Computes values and multipliers; the result is how far they were off before refinement, in
    /// proportion.
    fn compute(&mut self) -> f64 {
        let side = self.rows.len();
        let mut drift = 0.0_f64;
        let (mut step, mut rest) = (vec![0.0; side], self.right.clone());
        self.inverse.times(rest.iter().copied().enumerate(), &mut self.values);
        for (column, value) in self.basis.iter().zip(&self.values) {
            self.columns.entries(*column).for_each(|(row, entry)| rest[row] -= entry * value);
        }
        self.inverse.times(rest.iter().copied().enumerate(), &mut step);
        let most = self.values.iter().fold(1.0_f64, |most, value| most.max(value.abs()));
        for (value, step) in self.values.iter_mut().zip(&step) {
            *value += step;
            drift = drift.max(step.abs() / most);
        }

        let costs: Vec<f64> = self.basis.iter().map(|column| self.columns.cost(*column)).collect();
        self.multipliers.fill(0.0);
        self.inverse.add_weighted(&costs, &mut self.multipliers);
        let rests: Vec<f64> = self.basis.iter().map(|column| self.reduced(*column)).collect();
        step.fill(0.0);
        self.inverse.add_weighted(&rests, &mut step);
        let most = self.multipliers.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        for (multiplier, step) in self.multipliers.iter_mut().zip(&step) {
            *multiplier += step;
            drift = drift.max(step.abs() / most.max(f64::MIN_POSITIVE));
        }
        drift
    }

    /// The cost of a column above what the multipliers say it is worth.
    fn reduced(&self, column: usize) -> f64 {
        self.columns.cost(column) - self.columns.dot(column, &self.multipliers)
    }

    fn is_feasible(&self) -> bool {
        self.breaches().next().is_none()
    }

    /// Positions whose variable isn't where it may be, with how far it is beyond. Signed: below
    /// zero, or forbidden and above.
    fn breaches(&self) -> impl Iterator<Item = (usize, f64)> {
        let basics = self.basis.iter().zip(&self.values).enumerate();
        basics
            .filter(|(_, (column, value))| {
                **value < -FEASIBLE || **value > FEASIBLE && self.forbidden[**column]
            })
            .map(|(position, (_, value))| (position, *value))
    }

    /// Exchanges the basic column of a position, moving along by `step`. Shows the columns of the
    /// inverse before they change.
    fn exchange(
        &mut self,
        position: usize,
        column: usize,
        step: f64,
        (image, row): (&[f64], &[f64]),
        show: impl FnMut(usize, &[f64]),
    ) {
        for (value, image) in self.values.iter_mut().zip(image) {
            *value -= step * image;
        }
        self.values[position] = step;
        self.inverse.replace(position, image, row, show);
        self.places[self.basis[position]] = ColumnState::Outside;
        self.places[column] = ColumnState::Basic;
        self.basis[position] = column;
        self.age += 1;
        self.pivots += 1;
    }

    fn report(&mut self) {
        for (row, dual) in self.duals.iter_mut().enumerate() {
            let multiplier = self.multipliers[row] * self.scales[row];
            *dual = match self.rows[row].sense {
                Sense::Cover { .. } => multiplier.max(0.0),
                Sense::Supply => (-multiplier).max(0.0),
            };
        }
    }
}
