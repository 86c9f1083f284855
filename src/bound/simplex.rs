//! A small linear programme in fixed-point numbers: `max b·y` subject to `A y ≤ c`, `y ≥ 0`, `c ≥ 0`.
//!
//! Because `c ≥ 0`, `y = 0` is feasible and the primal simplex method needs no first phase. The
//! tableau is dense and condensed (non-basic columns only), entering columns are chosen by largest
//! coefficient and, after a stall, by Bland's rule, which can't cycle; leaving rows by the ratio test
//! with ties to the lowest index. Numbers are fixed-point with 40 bits behind the point, so the
//! result is the same on every machine. It needs no trust: whatever comes out is rounded and checked
//! in integers by `bound::relaxation`.
//!
//! Cost: one pivot is rows × columns multiplications; pivots are at most [`MAX_PIVOTS`].

/// Bits behind the point.
pub(super) const POINT: u32 = 40;
/// One.
pub(super) const ONE: i128 = 1 << POINT;
/// Numbers closer to zero than this count as zero where a sign decides.
const TINY: i128 = 1 << 12;
const MAX_PIVOTS: usize = 400;
/// Pivots without gain after which Bland's rule takes over.
const STALL: usize = 24;

/// A dense matrix by rows, fixed-point.
#[derive(Clone, Debug)]
pub(super) struct Matrix {
    pub(super) width: usize,
    pub(super) entries: Vec<i128>,
}

impl Matrix {
    fn row(&self, row: usize) -> &[i128] {
        &self.entries[row * self.width..(row + 1) * self.width]
    }
}

fn times(a: i128, b: i128) -> i128 {
    a.saturating_mul(b) >> POINT
}

fn over(a: i128, b: i128) -> i128 {
    a.saturating_mul(ONE) / b
}

/// A solution `y` that is feasible up to rounding, and optimal unless the pivots ran out.
pub(super) fn maximize(b: &[i128], matrix: Matrix, c: &[i128]) -> Vec<i128> {
    let width = matrix.width;
    let height = c.len();
    let mut tableau = matrix;
    let mut right = c.to_vec();
    let mut gain = b.to_vec();
    // Variables are 0..width (of the programme) and width.. (slack of each row).
    let mut outside: Vec<usize> = (0..width).collect();
    let mut basis: Vec<usize> = (width..width + height).collect();
    let mut stalled = 0;
    for _ in 0..MAX_PIVOTS {
        let entering = if stalled < STALL {
            (0..width).filter(|at| gain[*at] > TINY).max_by_key(|at| (gain[*at], width - at))
        } else {
            (0..width).filter(|at| gain[*at] > TINY).min_by_key(|at| outside[*at])
        };
        let Some(column) = entering else { break };
        let candidates = (0..height).filter(|row| tableau.row(*row)[column] > TINY);
        let ratio = |row: &usize| (over(right[*row], tableau.row(*row)[column]), basis[*row]);
        let Some(row) = candidates.min_by_key(ratio) else { break };
        stalled = if right[row] > TINY { 0 } else { stalled + 1 };
        pivot(&mut tableau, &mut right, &mut gain, row, column);
        std::mem::swap(&mut basis[row], &mut outside[column]);
    }
    let mut y = vec![0; width];
    for (variable, value) in basis.iter().zip(&right) {
        if let Some(slot) = y.get_mut(*variable) {
            *slot = (*value).max(0);
        }
    }
    y
}

/// Swaps the variable of a row with that of a column.
fn pivot(tableau: &mut Matrix, right: &mut [i128], gain: &mut [i128], row: usize, column: usize) {
    let width = tableau.width;
    let lead = tableau.entries[row * width + column];
    let inverse = over(ONE, lead);
    let mut pivot_row: Vec<i128> =
        tableau.row(row).iter().map(|entry| over(*entry, lead)).collect();
    pivot_row[column] = inverse;
    let pivot_right = over(right[row], lead).max(0);
    for (at, value) in right.iter_mut().enumerate() {
        if at == row {
            continue;
        }
        let line = &mut tableau.entries[at * width..(at + 1) * width];
        let factor = line[column];
        if factor == 0 {
            continue;
        }
        line[column] = 0;
        for (entry, lead) in line.iter_mut().zip(&pivot_row) {
            *entry -= times(factor, *lead);
        }
        *value = (*value - times(factor, pivot_right)).max(0);
    }
    let factor = gain[column];
    gain[column] = 0;
    for (entry, lead) in gain.iter_mut().zip(&pivot_row) {
        *entry -= times(factor, *lead);
    }
    tableau.entries[row * width..(row + 1) * width].copy_from_slice(&pivot_row);
    right[row] = pivot_right;
}

#[cfg(test)]
mod tests {
    use super::{Matrix, ONE, maximize};

    #[test]
    fn a_textbook_programme() {
        // max 3x + 5y, x <= 4, 2y <= 12, 3x + 2y <= 18: (2, 6) with 36.
        let entries = [1, 0, 0, 2, 3, 2].map(|entry| entry * ONE).to_vec();
        let y = maximize(
            &[3 * ONE, 5 * ONE],
            Matrix { width: 2, entries },
            &[4, 12, 18].map(|bound| bound * ONE),
        );
        assert!((y[0] - 2 * ONE).abs() < 64 && (y[1] - 6 * ONE).abs() < 64, "{y:?}");
    }

    #[test]
    fn a_row_without_room_stops_its_column() {
        let entries = [1, 1, 0, 1].map(|entry| entry * ONE).to_vec();
        let y = maximize(&[ONE, ONE], Matrix { width: 2, entries }, &[0, ONE]);
        assert_eq!(y, [0, 0]);
    }
}
