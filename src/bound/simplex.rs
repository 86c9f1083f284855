//! A small linear programme in fixed-point numbers: `max b·y` subject to `A y ≤ c`, `y ≥ 0`,
//! `c ≥ 0`.
//!
//! *Problem.* The programme has few variables and many rows, of which few ever matter.
//!
//! *Idea.* Solve it with a few rows only, look for rows that the solution breaks, add the worst of
//! these, and go on from there. Because `c ≥ 0`, `y = 0` is feasible and the primal simplex method
//! needs no first phase; a row that is added is repaired by the dual method, which works on the
//! same tableau. The tableau is dense and condensed (non-basic columns only). Entering columns of
//! the primal method are chosen by largest coefficient and, after a stall, by Bland's rule, which
//! can't cycle; all ties go to the lowest index.
//!
//! Numbers are fixed-point with 40 bits behind the point, so the result is the same on every
//! machine. It needs no trust: whatever comes out is rounded and checked in integers by
//! `bound::relaxation`.
//!
//! *Cost.* One pivot is rows in use × columns multiplications; pivots are at most [`MAX_PIVOTS`].
//! One search for broken rows is rows × variables that aren't zero.
//!
//! References: Dantzig 1951 and Lemke 1954 for the two methods; Dantzig, Fulkerson and Johnson 1954
//! for rows that are added when they are broken.
//!
//! *Example.* `max 3 y₁ + 2 y₂` with the rows `y₁ ≤ 4`, `y₂ ≤ 2` and `2 y₁ + y₂ ≤ 8`. Started with
//! the first two it comes to (4, 2), which breaks the third; that is added, and one dual pivot
//! leads to (3, 2), which breaks nothing.
//!
//! *What can go wrong, and doesn't matter.* Rounding may leave a solution a little infeasible, and
//! pivots may run out before the optimum: then the prices are a little off, the bound a little
//! lower, and the repair in integers makes it true.

/// Bits behind the point.
pub(super) const POINT: u32 = 40;
/// One.
pub(super) const ONE: i128 = 1 << POINT;
/// Numbers closer to zero than this count as zero where a sign decides.
const TINY: i128 = 1 << 12;
const MAX_PIVOTS: usize = 600;
/// Pivots without gain after which Bland's rule takes over.
const STALL: usize = 24;
/// The most rows that are added at a time.
const BATCH: usize = 8;

/// The rows of a programme, worked out when they are asked for.
///
/// Rows are never stored as a matrix: there may be thousands, of which a few dozen are ever in use.
pub(super) trait TableauRows {
    /// How many there are.
    fn height(&self) -> usize;
    /// The coefficient of a variable, fixed-point.
    fn entry(&self, row: usize, variable: usize) -> i128;
    /// Adds a value's part to the sum of each row: coefficient × value, fixed-point.
    fn weigh(&self, variable: usize, value: i128, sums: &mut [i128]);
    /// What the sum may be at most, fixed-point, not negative.
    fn bound(&self, row: usize) -> i128;
}

/// A product, rounded down.
pub(super) fn times(a: i128, b: i128) -> i128 {
    // Nearly all numbers fit 64 bits, and then one multiplication does.
    match (i64::try_from(a), i64::try_from(b)) {
        (Ok(a), Ok(b)) => (i128::from(a) * i128::from(b)) >> POINT,
        _ => a.saturating_mul(b) >> POINT,
    }
}

fn over(a: i128, b: i128) -> i128 {
    a.saturating_mul(ONE) / b
}

/// Whether `a.0 / a.1 < b.0 / b.1`, and so on, for divisors above zero.
fn compare(a: (i128, i128), b: (i128, i128)) -> std::cmp::Ordering {
    a.0.saturating_mul(b.1).cmp(&b.0.saturating_mul(a.1))
}

/// A programme restricted to some rows, solved so far.
///
/// Only the columns of variables outside the basis are kept; a pivot swaps a row's variable with a
/// column's in place.
struct Tableau<'r, R> {
    rows: &'r R,
    width: usize,
    /// By rows in use: what their basic variable loses per unit of each column's variable.
    entries: Vec<i128>,
    /// The value of each row's basic variable.
    right: Vec<i128>,
    /// What the sum gains per unit of each column's variable.
    gain: Vec<i128>,
    /// The variable of each row and of each column: 0..width are the programme's, then slacks.
    basis: Vec<usize>,
    outside: Vec<usize>,
    used: Vec<bool>,
    pivots: usize,
}

/// A solution `y` that is feasible up to rounding, and optimal unless the pivots ran out. It is
/// first sought with the rows of `start`, which had better keep every variable of which `b` is
/// positive from growing without end.
///
/// First with few rows, and rows added as they are broken. If the method gets stuck that way (a
/// variable that no row in use bounds, or no pivots left) all rows are taken and the primal method
/// alone ends it: each of its steps is feasible.
pub(super) fn maximize<R: TableauRows>(
    b: &[i128],
    rows: &R,
    start: impl Iterator<Item = usize>,
) -> Vec<i128> {
    let mut tableau = Tableau::new(b, rows, start);
    while tableau.primal() {
        let broken = tableau.broken();
        if broken.is_empty() {
            return tableau.solution();
        }
        broken.into_iter().for_each(|row| tableau.add(row));
        if !tableau.dual() {
            break;
        }
    }
    // The rows are too few to stop a variable, or the pivots ran out: with all rows and the primal
    // method alone every step is feasible.
    let mut tableau = Tableau::new(b, rows, 0..rows.height());
    let _optimal = tableau.primal();
    tableau.solution()
}

impl<'r, R: TableauRows> Tableau<'r, R> {
    fn new(b: &[i128], rows: &'r R, start: impl Iterator<Item = usize>) -> Self {
        let mut tableau = Self {
            rows,
            width: b.len(),
            entries: Vec::new(),
            right: Vec::new(),
            gain: b.to_vec(),
            basis: Vec::new(),
            outside: (0..b.len()).collect(),
            used: vec![false; rows.height()],
            pivots: MAX_PIVOTS,
        };
        start.for_each(|row| tableau.add(row));
        tableau
    }

    fn row(&self, row: usize) -> &[i128] {
        &self.entries[row * self.width..(row + 1) * self.width]
    }

    /// Takes a row into use, if it isn't yet, expressed by the variables that are outside now.
    fn add(&mut self, row: usize) {
        if std::mem::replace(&mut self.used[row], true) {
            return;
        }
        let width = self.width;
        let mut line = vec![0; width];
        let mut right = self.rows.bound(row);
        for (at, variable) in self.outside.iter().enumerate().filter(|(_, v)| **v < width) {
            line[at] = self.rows.entry(row, *variable);
        }
        for (at, variable) in self.basis.iter().enumerate().filter(|(_, v)| **v < width) {
            let entry = self.rows.entry(row, *variable);
            if entry != 0 {
                for (mine, theirs) in line.iter_mut().zip(self.row(at)) {
                    *mine -= times(entry, *theirs);
                }
                right -= times(entry, self.right[at]);
            }
        }
        self.entries.extend(line);
        self.right.push(right);
        self.basis.push(width + row);
    }

    /// Pivots until nothing can be gained; `false` where a variable can grow without end or the
    /// pivots run out.
    ///
    /// Largest coefficient first, which is fast; Bland's rule after [`STALL`] pivots without gain,
    /// which can't cycle.
    fn primal(&mut self) -> bool {
        let mut stalled = 0;
        while self.pivots > 0 {
            let gains = (0..self.width).filter(|at| self.gain[*at] > TINY);
            let entering = if stalled < STALL {
                gains.max_by_key(|at| (self.gain[*at], self.width - at))
            } else {
                gains.min_by_key(|at| self.outside[*at])
            };
            let Some(column) = entering else { return true };
            let candidates = (0..self.right.len()).filter(|row| self.row(*row)[column] > TINY);
            let ratio = |row: usize| (self.right[row], self.row(row)[column]);
            let leaving = candidates.min_by(|a, b| {
                compare(ratio(*a), ratio(*b)).then(self.basis[*a].cmp(&self.basis[*b]))
            });
            let Some(row) = leaving else { return false };
            stalled = if self.right[row] > TINY { 0 } else { stalled + 1 };
            self.pivot(row, column);
        }
        false
    }

    /// Pivots until no basic variable is negative; `false` where that can't be had, or not with the
    /// pivots that are left.
    ///
    /// It repairs rows that were added broken and keeps the gains' signs, so that the solution
    /// stays optimal for the rows in use.
    fn dual(&mut self) -> bool {
        while self.pivots > 0 {
            let negative = (0..self.right.len()).filter(|row| self.right[*row] < -TINY);
            let Some(row) = negative.min_by_key(|row| (self.right[*row], *row)) else {
                return true;
            };
            let line = self.row(row);
            let candidates = (0..self.width).filter(|at| line[*at] < -TINY);
            let ratio = |at: usize| (-self.gain[at].min(0), -line[at]);
            let entering = candidates.min_by(|a, b| {
                compare(ratio(*a), ratio(*b)).then(self.outside[*a].cmp(&self.outside[*b]))
            });
            let Some(column) = entering else { return false };
            self.pivot(row, column);
        }
        false
    }

    /// Swaps the variable of a row with that of a column.
    ///
    /// The right side is kept from falling below zero by rounding, which would look like a broken
    /// row for ever.
    fn pivot(&mut self, row: usize, column: usize) {
        self.pivots -= 1;
        let width = self.width;
        let lead = self.entries[row * width + column];
        let mut pivot_row: Vec<i128> =
            self.row(row).iter().map(|entry| over(*entry, lead)).collect();
        pivot_row[column] = over(ONE, lead);
        let pivot_right = over(self.right[row], lead).max(0);
        let lines = self.entries.chunks_exact_mut(width.max(1)).zip(&mut self.right).enumerate();
        for (_, (line, value)) in lines.filter(|(at, _)| *at != row) {
            let factor = line[column];
            if factor == 0 {
                continue;
            }
            line[column] = 0;
            for (entry, lead) in line.iter_mut().zip(&pivot_row) {
                *entry -= times(factor, *lead);
            }
            *value -= times(factor, pivot_right);
        }
        let factor = self.gain[column];
        self.gain[column] = 0;
        for (entry, lead) in self.gain.iter_mut().zip(&pivot_row) {
            *entry -= times(factor, *lead);
        }
        self.entries[row * width..(row + 1) * width].copy_from_slice(&pivot_row);
        self.right[row] = pivot_right;
        std::mem::swap(&mut self.basis[row], &mut self.outside[column]);
    }

    fn solution(&self) -> Vec<i128> {
        let mut y = vec![0; self.width];
        for (variable, value) in self.basis.iter().zip(&self.right) {
            if let Some(slot) = y.get_mut(*variable) {
                *slot = (*value).max(0);
            }
        }
        y
    }

    /// The rows not in use that the solution breaks most, in proportion to what they allow.
    ///
    /// In proportion to what each allows, so that rows of large and small numbers are compared
    /// alike; a few at a time, since the first often mend the others.
    fn broken(&self) -> Vec<usize> {
        let mut sums = vec![0; self.used.len()];
        let y = self.solution().into_iter().enumerate();
        y.filter(|(_, value)| *value != 0)
            .for_each(|(variable, value)| self.rows.weigh(variable, value, &mut sums));
        let mut broken: Vec<(i128, usize)> = Vec::new();
        for (row, sum) in sums.into_iter().enumerate().filter(|(row, _)| !self.used[*row]) {
            let bound = self.rows.bound(row);
            if sum - bound > TINY {
                broken.push((-over(sum, bound.max(1)), row));
            }
        }
        broken.sort_unstable();
        broken.truncate(BATCH);
        broken.into_iter().map(|(_, row)| row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{ONE, TableauRows, maximize, times};
    use proptest::prelude::*;

    /// Rows of whole numbers.
    struct Whole(Vec<(Vec<i128>, i128)>);

    impl TableauRows for Whole {
        fn height(&self) -> usize {
            self.0.len()
        }

        fn entry(&self, row: usize, variable: usize) -> i128 {
            self.0[row].0[variable] * ONE
        }

        fn weigh(&self, variable: usize, value: i128, sums: &mut [i128]) {
            for (row, sum) in sums.iter_mut().enumerate() {
                *sum += times(self.entry(row, variable), value);
            }
        }

        fn bound(&self, row: usize) -> i128 {
            self.0[row].1 * ONE
        }
    }

    #[test]
    fn a_textbook_programme() {
        // max 3x + 5y, x <= 4, 2y <= 12, 3x + 2y <= 18: (2, 6) with 36, whatever it starts with.
        let rows = Whole(vec![(vec![1, 0], 4), (vec![0, 2], 12), (vec![3, 2], 18)]);
        for start in [vec![], vec![0], vec![0, 1], vec![2], vec![0, 1, 2]] {
            let y = maximize(&[3 * ONE, 5 * ONE], &rows, start.iter().copied());
            assert!((y[0] - 2 * ONE).abs() < 64 && (y[1] - 6 * ONE).abs() < 64, "{start:?} {y:?}");
        }
    }

    #[test]
    fn a_row_without_room_stops_its_column() {
        let rows = Whole(vec![(vec![1, 1], 0), (vec![0, 1], 1)]);
        for start in [vec![0, 1], vec![1], vec![]] {
            assert_eq!(maximize(&[ONE, ONE], &rows, start.into_iter()), [0, 0]);
        }
    }

    #[test]
    fn rows_that_are_added_are_kept() {
        // Many rows that cut off each other's corners.
        let cuts = (0..=90).map(|i| (vec![i, 90 - i], 90 + i * (90 - i) / 45));
        let rows = Whole(cuts.collect());
        let y = maximize(&[ONE, ONE], &rows, [0, 90].into_iter());
        for (cut, most) in &rows.0 {
            assert!(cut[0] * y[0] + cut[1] * y[1] <= most * ONE + ONE / 1000, "{cut:?} {y:?}");
        }
        let all = maximize(&[ONE, ONE], &rows, 0..=90);
        assert!((y[0] + y[1] - all[0] - all[1]).abs() < ONE / 1000, "{y:?} {all:?}");
    }

    type Programme = (Vec<i128>, Vec<(Vec<i128>, i128)>);

    /// Gains of both signs, and rows of which some have a negative coefficient.
    fn programmes() -> impl Strategy<Value = Programme> {
        let row = (prop::collection::vec(-1..9_i128, 5), 0..50_i128);
        (prop::collection::vec(-3..20_i128, 5), prop::collection::vec(row, 1..40))
    }

    proptest! {
        /// The rows that it starts with make no difference to what is reached.
        #[test]
        fn few_rows_and_all_rows_reach_the_same((gain, mut rows) in programmes(), few in 0..5_usize) {
            // One row that stops everything.
            rows.push((vec![1; 5], 30));
            let rows = Whole(rows);
            let gain: Vec<i128> = gain.into_iter().map(|gain| gain * ONE).collect();
            let reached = |y: &[i128]| gain.iter().zip(y).map(|(b, y)| times(*b, *y)).sum::<i128>();
            let all = maximize(&gain, &rows, 0..rows.height());
            let lazy = maximize(&gain, &rows, 0..few.min(rows.height()));
            prop_assert!((reached(&all) - reached(&lazy)).abs() < ONE / 1000, "{all:?} {lazy:?}");
            for (row, most) in &rows.0 {
                let sum: i128 = row.iter().zip(&lazy).map(|(a, y)| a * y).sum();
                prop_assert!(sum <= most * ONE + ONE / 1000, "{row:?} {lazy:?}");
            }
        }
    }
}
