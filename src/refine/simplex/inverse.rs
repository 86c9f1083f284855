//! The explicit inverse of a basis matrix.
//!
//! *Problem.* Hold `B⁻¹` for a square matrix `B` whose columns are replaced one at a time.
//!
//! *Idea.* Dense, one column of `B⁻¹` after the other. When column `p` of `B` becomes `a`, every
//! column of the inverse changes by a multiple of `w = B⁻¹a` (the product form), a loop over two
//! consecutive stretches of memory; columns with a zero in row `p` aren't touched at all.
//!
//! To build the inverse afresh, the columns are put in one by one, starting from the unit matrix.
//! The order makes it cheap. First come columns that have one entry outside the rows done so far;
//! last, rows that only one of the remaining columns has an entry in. Each of these changes a
//! single column of the inverse. What is left between the two is usually small; it goes in by
//! number of entries, with the row chosen among those with a large coefficient.
//!
//! *Why it is right.* With `w_p ≠ 0` the new matrix is `B E`, where `E` is the unit matrix with
//! column `p` replaced by `w`, and `E⁻¹` differs from the unit matrix in column `p` alone.
//!
//! *Cost.* One replacement: `m²` multiplications, less where there are zeros. Building: `m²` times
//! the number of columns between the two triangles, at most.
//!
//! *References.* Dantzig and Orchard-Hays 1954 (product form); Hellerman and Rarick 1971 and Suhl
//! and Suhl 1990 (triangles first).

use super::columns::Columns;

/// A coefficient smaller than this, in proportion to the column's largest, is no pivot.
const SINGULAR: f64 = 1e-9;
/// How much smaller than the largest coefficient a pivot may be that leaves more zeros.
const THRESHOLD: f64 = 0.1;

/// `B⁻¹`. Its columns belong to the rows of the programme, its rows to the positions in the basis.
#[derive(Debug)]
pub(super) struct Inverse {
    side: usize,
    cells: Vec<f64>,
}

/// Adds a multiple of one vector to another.
pub(super) fn accumulate(to: &mut [f64], factor: f64, from: &[f64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += factor * from;
    }
}

/// The inner product, in eight sums side by side, so that the compiler may use vectors.
pub(super) fn inner(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a_parts, b_parts) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a_parts.remainder().iter().zip(b_parts.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_parts.zip(b_parts) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    rest + sums.iter().sum::<f64>()
}

impl Inverse {
    /// The inverse of the unit matrix.
    pub(super) fn unit(side: usize) -> Self {
        let mut inverse = Self { side, cells: vec![0.0; side * side] };
        inverse.reset();
        inverse
    }

    fn reset(&mut self) {
        self.cells.fill(0.0);
        (0..self.side).for_each(|at| self.cells[at * self.side + at] = 1.0);
    }

    fn column(&self, row: usize) -> &[f64] {
        &self.cells[row * self.side..(row + 1) * self.side]
    }

    /// `B⁻¹a`, by position, for a sparse `a`.
    pub(super) fn times(&self, a: impl Iterator<Item = (usize, f64)>, product: &mut [f64]) {
        product.fill(0.0);
        a.filter(|(_, a)| *a != 0.0).for_each(|(row, a)| accumulate(product, a, self.column(row)));
    }

    /// `c B⁻¹`, by row, added to what is there.
    pub(super) fn add_weighted(&self, c: &[f64], sums: &mut [f64]) {
        let columns = self.cells.chunks_exact(self.side.max(1));
        columns.zip(sums).for_each(|(column, sum)| *sum += inner(c, column));
    }

    /// One row of `B⁻¹`.
    pub(super) fn row(&self, position: usize, row: &mut [f64]) {
        let cells = self.cells.iter().skip(position).step_by(self.side.max(1));
        row.iter_mut().zip(cells).for_each(|(to, cell)| *to = *cell);
    }

    /// The squared length of each row of `B⁻¹`.
    pub(super) fn lengths(&self) -> Vec<f64> {
        let mut lengths = vec![0.0; self.side];
        for column in self.cells.chunks_exact(self.side.max(1)) {
            lengths.iter_mut().zip(column).for_each(|(length, cell)| *length += cell * cell);
        }
        lengths
    }

    /// Replaces column `position` of `B` by `a`, where `image` is `B⁻¹a` and `row` is the row
    /// `position` of `B⁻¹`. Shows each column of `B⁻¹` with its number before it changes: who needs
    /// a sum over all of them gets it with no second way through memory.
    pub(super) fn replace(
        &mut self,
        position: usize,
        image: &[f64],
        row: &[f64],
        mut show: impl FnMut(usize, &[f64]),
    ) {
        let lead = image[position];
        let columns = self.cells.chunks_exact_mut(self.side.max(1));
        for (at, (column, entry)) in columns.zip(row).enumerate() {
            show(at, column);
            if *entry != 0.0 {
                let share = entry / lead;
                accumulate(column, -share, image);
                column[position] = share;
            }
        }
    }

    /// Builds the inverse of the matrix with these columns. Returns by row the column whose
    /// position this is now; `None` where the columns are linearly dependent: a unit column stands
    /// in.
    pub(super) fn build(&mut self, columns: &Columns, basis: &[usize]) -> Vec<Option<usize>> {
        let order = PivotOrder::of(columns, basis, self.side);
        self.reset();
        let mut seats = vec![None; self.side];
        let (mut image, mut line) = (vec![0.0; self.side], vec![0.0; self.side]);
        for (column, row) in order.steps {
            self.times(columns.entries(column), &mut image);
            let largest = image.iter().fold(0.0_f64, |most, entry| most.max(entry.abs()));
            let open = (0..self.side).filter(|row| seats[*row].is_none());
            let row = match row {
                Some(row) if seats[row].is_none() => Some(row),
                _ => {
                    let best = open.clone().fold(0.0_f64, |most, row| most.max(image[row].abs()));
                    open.filter(|row| image[*row].abs() >= best * THRESHOLD)
                        .min_by_key(|row| order.counts[*row])
                }
            };
            let Some(row) = row.filter(|row| image[*row].abs() > SINGULAR * largest) else {
                continue;
            };
            self.row(row, &mut line);
            self.replace(row, &image, &line, |_, _| ());
            seats[row] = Some(column);
        }
        seats
    }
}

/// The order in which columns are put in.
struct PivotOrder {
    /// Columns, and their row where it is clear.
    steps: Vec<(usize, Option<usize>)>,
    /// By row: how many columns between the triangles have an entry there.
    counts: Vec<usize>,
}

impl PivotOrder {
    fn of(columns: &Columns, basis: &[usize], side: usize) -> Self {
        let mut holders: Vec<Vec<usize>> = vec![Vec::new(); side];
        let mut open: Vec<usize> = Vec::with_capacity(basis.len());
        for (at, column) in basis.iter().enumerate() {
            columns.entries(*column).for_each(|(row, _)| holders[row].push(at));
            open.push(columns.entries(*column).count());
        }
        let mut counts: Vec<usize> = holders.iter().map(Vec::len).collect();
        let (mut done, mut taken) = (vec![false; side], vec![false; basis.len()]);

        // Columns with a single open row.
        let mut first = Vec::new();
        let mut queue: Vec<usize> = (0..basis.len()).rev().filter(|at| open[*at] == 1).collect();
        while let Some(at) = queue.pop() {
            let row = columns.entries(basis[at]).map(|(row, _)| row).find(|row| !done[*row]);
            let Some(row) = row else { continue };
            first.push((basis[at], Some(row)));
            (done[row], taken[at]) = (true, true);
            columns.entries(basis[at]).for_each(|(row, _)| counts[row] -= 1);
            for other in holders[row].iter().filter(|other| !taken[**other]) {
                open[*other] -= 1;
                if open[*other] == 1 {
                    queue.push(*other);
                }
            }
        }

        // Rows with a single column left.
        let mut last = Vec::new();
        let single = |counts: &[usize], done: &[bool], row: usize| counts[row] == 1 && !done[row];
        let mut queue: Vec<usize> =
            (0..side).rev().filter(|row| single(&counts, &done, *row)).collect();
        while let Some(row) = queue.pop() {
            let holder = holders[row].iter().find(|at| !taken[**at]);
            let Some(at) = holder.copied().filter(|_| !done[row]) else { continue };
            last.push((basis[at], Some(row)));
            (done[row], taken[at]) = (true, true);
            for (other, _) in columns.entries(basis[at]) {
                counts[other] -= 1;
                if single(&counts, &done, other) {
                    queue.push(other);
                }
            }
        }

        let mut between: Vec<usize> = (0..basis.len()).filter(|at| !taken[*at]).collect();
        between.sort_by_key(|at| (open[*at], basis[*at]));
        let mut steps = first;
        steps.extend(between.into_iter().map(|at| (basis[at], None)));
        steps.extend(last.into_iter().rev());
        Self { steps, counts }
    }
}
