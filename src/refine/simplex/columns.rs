//! Sparse columns that are only ever appended.

/// Columns of a matrix with their costs, each a list of rows and coefficients.
#[derive(Debug, Default)]
pub(super) struct Columns {
    costs: Vec<f64>,
    /// Where each column's entries end.
    ends: Vec<usize>,
    rows: Vec<u32>,
    entries: Vec<f64>,
}

impl Columns {
    pub(super) fn len(&self) -> usize {
        self.costs.len()
    }

    pub(super) fn push(&mut self, cost: f64, entries: impl IntoIterator<Item = (u32, f64)>) {
        for (row, entry) in entries.into_iter().filter(|(_, entry)| *entry != 0.0) {
            self.rows.push(row);
            self.entries.push(entry);
        }
        self.ends.push(self.rows.len());
        self.costs.push(cost);
    }

    pub(super) fn cost(&self, column: usize) -> f64 {
        self.costs[column]
    }

    /// The entries of a column that aren't zero.
    pub(super) fn entries(&self, column: usize) -> impl Iterator<Item = (usize, f64)> + Clone {
        let start = if column == 0 { 0 } else { self.ends[column - 1] };
        let range = start..self.ends[column];
        let rows = self.rows[range.clone()].iter();
        rows.zip(&self.entries[range]).map(|(row, entry)| (*row as usize, *entry))
    }

    /// The sum of a column's entries, each times the weight of its row.
    pub(super) fn dot(&self, column: usize, weights: &[f64]) -> f64 {
        self.entries(column).map(|(row, entry)| entry * weights[row]).sum()
    }
}
