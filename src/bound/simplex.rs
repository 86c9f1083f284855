//! A small linear programme in fixed-point numbers: `max b·y` subject to `A y ≤ c`, `y ≥ 0`, `c ≥ 0`.
//!
//! *Problem.* The programme has few variables and many rows, of which few ever matter.
//!
//! *Idea.* Solve it with a few rows only, look for rows that the solution breaks, add the worst of
//! these, and go on from there. Because `c ≥ 0`, `y = 0` is feasible and the primal simplex method
//! needs no first phase; a row that is added is repaired by the dual method, which works on the same
//! tableau. The tableau is dense and condensed (non-basic columns only). Entering columns of the
//! primal method are chosen by largest coefficient and, after a stall, by Bland's rule, which can't
//! cycle; all ties go to the lowest index.
//!
//! Numbers are fixed-point with 40 bits behind the point, so the result is the same on every machine.
//! It needs no trust: whatever comes out is rounded and checked in integers by `bound::relaxation`.
//!
//! *Cost.* One pivot is rows in use × columns multiplications; pivots are at most [`MAX_PIVOTS`]. One
//! search for broken rows is rows × variables that aren't zero.
//!
//! References: Dantzig 1951 and Lemke 1954 for the two methods; Dantzig, Fulkerson and Johnson 1954
//! for rows that are added when they are broken.

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
pub(super) trait Rows {
    /// How many there are.
    fn height(&self) -> usize;
    /// The coefficient of a variable, fixed-point.
    fn entry(&self, row: usize, variable: usize) -> i128;
    /// What the sum may be at most, fixed-point, not negative.
    fn bound(&self, row: usize) -> i128;
}

/// A product, rounded down.
fn times(a: i128, b: i128) -> i128 {
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

/// A solution `y` that is feasible up to rounding, and optimal unless the pivots ran out. It is first
/// sought with the rows of `start`, which had better keep every variable of which `b` is positive
/// from growing without end.
pub(super) fn maximize<R: Rows>(
    b: &[i128],
    rows: &R,
    start: impl Iterator<Item = usize>,
) -> Vec<i128> {
    let mut tableau = Tableau::new(b, rows, start);
    loop {
        if !tableau.primal() {
            // The rows are too few to stop a variable; if even all of them are, so be it.
            tableau = Tableau::new(b, rows, 0..rows.height());
            let _stopped = tableau.primal();
            break;
        }
        let broken = tableau.broken();
        if broken.is_empty() {
            break;
        }
        broken.into_iter().for_each(|row| tableau.add(row));
        if !tableau.dual() || tableau.pivots == 0 {
            break;
        }
    }
    tableau.solution()
}

impl<'r, R: Rows> Tableau<'r, R> {
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

    /// Pivots until nothing can be gained; `false` where a variable can grow without end.
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
        true
    }

    /// Pivots until no basic variable is negative; `false` where that can't be had.
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
        true
    }

    /// Swaps the variable of a row with that of a column.
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
    fn broken(&self) -> Vec<usize> {
        let y = self.solution();
        let y: Vec<(usize, i128)> =
            y.into_iter().enumerate().filter(|(_, value)| *value != 0).collect();
        let mut broken: Vec<(i128, usize)> = Vec::new();
        for row in (0..self.used.len()).filter(|row| !self.used[*row]) {
            let sum = y.iter().fold(0, |sum: i128, (variable, value)| {
                sum + times(self.rows.entry(row, *variable), *value)
            });
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
    use super::{ONE, Rows, maximize};

    struct Dense<const W: usize>(Vec<([i128; W], i128)>);

    impl<const W: usize> Rows for Dense<W> {
        fn height(&self) -> usize {
            self.0.len()
        }

        fn entry(&self, row: usize, variable: usize) -> i128 {
            self.0[row].0[variable] * ONE
        }

        fn bound(&self, row: usize) -> i128 {
            self.0[row].1 * ONE
        }
    }

    #[test]
    fn a_textbook_programme() {
        // max 3x + 5y, x <= 4, 2y <= 12, 3x + 2y <= 18: (2, 6) with 36, whatever it starts with.
        let rows = Dense(vec![([1, 0], 4), ([0, 2], 12), ([3, 2], 18)]);
        for start in [vec![], vec![0], vec![0, 1], vec![2], vec![0, 1, 2]] {
            let y = maximize(&[3 * ONE, 5 * ONE], &rows, start.iter().copied());
            assert!((y[0] - 2 * ONE).abs() < 64 && (y[1] - 6 * ONE).abs() < 64, "{start:?} {y:?}");
        }
    }

    #[test]
    fn a_row_without_room_stops_its_column() {
        let rows = Dense(vec![([1, 1], 0), ([0, 1], 1)]);
        for start in [vec![0, 1], vec![1], vec![]] {
            assert_eq!(maximize(&[ONE, ONE], &rows, start.into_iter()), [0, 0]);
        }
    }

    #[test]
    fn rows_that_are_added_are_kept() {
        // Many rows that cut off each other's corners.
        let cuts: Vec<([i128; 2], i128)> =
            (0..=90).map(|i| ([i, 90 - i], 90 + i * (90 - i) / 45)).collect();
        let rows = Dense(cuts.clone());
        let y = maximize(&[ONE, ONE], &rows, [0, 90].into_iter());
        for ([a, b], most) in cuts {
            assert!(a * y[0] + b * y[1] <= most * ONE + ONE / 1000, "{a} {b} {y:?}");
        }
        let all = maximize(&[ONE, ONE], &rows, 0..=90);
        assert!((y[0] + y[1] - all[0] - all[1]).abs() < ONE / 1000, "{y:?} {all:?}");
    }
}
