use super::columns::Columns;
use super::inverse::Inverse;
use super::{Master, MasterRow, Sense, SolveEnd};
use proptest::prelude::*;

const PENALTY: f64 = 1000.0;
const ENOUGH: u32 = 100_000;

fn cover(bound: f64) -> MasterRow {
    MasterRow { sense: Sense::Cover { penalty: PENALTY }, bound }
}

fn supply(bound: f64) -> MasterRow {
    MasterRow { sense: Sense::Supply, bound }
}

type TestColumn = (f64, Vec<(u32, f64)>);

/// A programme beside its numbers, to check what it says.
struct Checked {
    master: Master,
    rows: Vec<MasterRow>,
    columns: Vec<TestColumn>,
    allowed: Vec<bool>,
}

impl Checked {
    fn new(rows: Vec<MasterRow>) -> Self {
        Self { master: Master::new(&rows), rows, columns: Vec::new(), allowed: Vec::new() }
    }

    fn add(&mut self, column: TestColumn) {
        let number = self.master.add(column.0, column.1.clone());
        assert_eq!(number, self.columns.len());
        self.columns.push(column);
        self.allowed.push(true);
    }

    fn set_bound(&mut self, row: usize, bound: f64) {
        self.rows[row].bound = bound;
        self.master.set_bound(row, bound);
    }

    fn set_allowed(&mut self, column: usize, allowed: bool) {
        self.allowed[column] = allowed;
        self.master.set_allowed(column, allowed);
    }

    /// Solves, and proves by duality that the answer is the optimum.
    fn solve(&mut self) -> f64 {
        assert_eq!(self.master.solve(ENOUGH.into()), SolveEnd::Optimal);
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-6 * (1.0 + a.abs().max(b.abs()));

        let mut sums = vec![0.0; self.rows.len()];
        let mut cost = 0.0;
        for (column, value) in self.master.values() {
            assert!(value > 0.0 && self.allowed[column], "{column} {value}");
            cost += self.columns[column].0 * value;
            self.columns[column].1.iter().for_each(|(row, a)| sums[*row as usize] += a * value);
        }
        for (at, (row, sum)) in self.rows.iter().zip(&sums).enumerate() {
            match row.sense {
                Sense::Cover { penalty } => {
                    let lacking = (row.bound - sum).max(0.0);
                    let near = 1e-6 * (1.0 + row.bound);
                    assert!((lacking - self.master.uncovered(at)).abs() < near, "row {at}");
                    cost += penalty * lacking;
                }
                Sense::Supply => {
                    assert!(*sum <= row.bound + 1e-7 * (1.0 + row.bound), "row {at}: {sum}");
                }
            }
        }
        assert!(near(cost, self.master.objective()), "{cost} {}", self.master.objective());

        let mut worth = 0.0;
        for (row, dual) in self.rows.iter().zip(self.master.duals()) {
            assert!(*dual >= 0.0);
            match row.sense {
                Sense::Cover { penalty } => {
                    assert!(*dual <= penalty * (1.0 + 1e-9));
                    worth += dual * row.bound;
                }
                Sense::Supply => worth -= dual * row.bound,
            }
        }
        for column in (0..self.columns.len()).filter(|column| self.allowed[*column]) {
            assert!(self.master.reduced_cost(column) >= -1e-6, "column {column}");
        }
        assert!(near(cost, worth), "primal {cost} dual {worth}");
        cost
    }
}

#[test]
fn nothing_to_cover_with_costs_the_penalty() {
    let mut programme = Checked::new(vec![cover(2.0), supply(3.0), cover(0.5)]);
    assert_eq!(programme.solve(), 2.5 * PENALTY);
    assert_eq!(programme.master.values(), []);
}

#[test]
fn no_rows_no_cost() {
    let mut programme = Checked::new(Vec::new());
    programme.add((1.0, Vec::new()));
    assert_eq!(programme.solve(), 0.0);
}

#[test]
fn a_supply_row_has_a_price() {
    // Cheap columns for one unit each, of which there are two; dear ones without end.
    let mut programme = Checked::new(vec![cover(5.0), supply(2.0)]);
    programme.add((1.0, vec![(0, 1.0), (1, 1.0)]));
    programme.add((4.0, vec![(0, 1.0)]));
    assert_eq!(programme.solve(), 2.0 + 12.0);
    assert_eq!(programme.master.duals(), [4.0, 3.0]);
    assert_eq!(programme.master.values(), [(0, 2.0), (1, 3.0)]);
    programme.set_bound(1, 0.0);
    assert_eq!(programme.solve(), 20.0);
    programme.set_bound(1, 7.0);
    assert_eq!(programme.solve(), 5.0);
}

#[test]
fn a_forbidden_column_leaves_the_basis_and_may_return() {
    let mut programme = Checked::new(vec![cover(3.0), cover(3.0)]);
    programme.add((1.0, vec![(0, 1.0), (1, 1.0)]));
    programme.add((2.0, vec![(0, 1.0)]));
    assert_eq!(programme.solve(), 3.0);
    programme.set_allowed(0, false);
    assert_eq!(programme.solve(), 6.0 + 3.0 * PENALTY);
    programme.set_allowed(0, true);
    assert_eq!(programme.solve(), 3.0);
}

#[test]
fn rows_in_small_units() {
    // Billions of bytes and thousandths of processors, where only so many of the first are
    // supplied.
    let mut programme = Checked::new(vec![cover(3e12), supply(250_000.0), cover(9000.0)]);
    programme.add((1.0, vec![(0, 64e9), (1, 16_000.0)]));
    programme.add((3.0, vec![(0, 64e9), (2, 100.0)]));
    programme.add((5.0, vec![(2, 1000.0)]));
    let value = programme.solve();
    assert!((value - (15.625 + 31.25 * 3.0 + 5.875 * 5.0)).abs() < 1e-6, "{value}");
    programme.set_bound(1, 100_000.0);
    programme.solve();
    programme.set_bound(0, 0.0);
    assert!((programme.solve() - 45.0).abs() < 1e-6);
}

#[test]
fn pivots_run_out() {
    let mut programme = Checked::new((1..=20).map(|row| cover(f64::from(row))).collect());
    (0..20).for_each(|row| programme.add((1.0, vec![(row, 1.0)])));
    assert_eq!(programme.master.solve(5.into()), SolveEnd::PivotsOut);
    assert_eq!(programme.master.pivots(), 5);
    assert_eq!(programme.solve(), 210.0);
    assert_eq!(programme.master.pivots(), 20);
}

/// Sizes and demands of a one-dimensional cutting-stock programme, solved by column generation with
/// exact pricing.
fn cutting_stock(width: usize, items: &[(usize, f64)]) -> Checked {
    let mut programme = Checked::new(items.iter().map(|(_, demand)| cover(*demand)).collect());
    loop {
        programme.solve();
        let duals = programme.master.duals();
        // By room, the best worth and the item put in last.
        let mut best = vec![(0.0, None); width + 1];
        for room in 1..=width {
            best[room] = (best[room - 1].0, None);
            for (at, (size, _)) in items.iter().enumerate().filter(|(_, (size, _))| *size <= room) {
                let worth = best[room - size].0 + duals[at];
                if worth > best[room].0 + 1e-12 {
                    best[room] = (worth, Some(at));
                }
            }
        }
        if best[width].0 < 1.0 + 1e-8 {
            return programme;
        }
        let (mut counts, mut room) = (vec![0.0; items.len()], width);
        while room > 0 {
            match best[room].1 {
                Some(at) => {
                    counts[at] += 1.0;
                    room -= items[at].0;
                }
                None => room -= 1,
            }
        }
        let entries = (0..).zip(counts).filter(|(_, count)| *count > 0.0).collect();
        programme.add((1.0, entries));
    }
}

#[test]
fn cutting_stock_reaches_the_known_value() {
    // Chvátal's example: rolls of 100 (here of 1000, to keep sizes whole) at 48.5, 211/4, ...
    // pieces.
    let mut programme =
        cutting_stock(1000, &[(450, 97.0), (360, 610.0), (310, 395.0), (140, 211.0)]);
    assert!((programme.solve() - 452.25).abs() < 1e-6);
}

#[test]
fn larger_cutting_stock_is_solved_to_the_area_bound() {
    // With many small items the bound by area is reached or nearly so.
    let items: Vec<(usize, f64)> =
        (0..60).map(|at| (17 + at * 37 % 101, (1 + at * 13 % 29) as f64)).collect();
    let area: f64 = items.iter().map(|(size, demand)| *size as f64 * demand).sum();
    let mut programme = cutting_stock(400, &items);
    let value = programme.solve();
    assert!(value >= area / 400.0 - 1e-6 && value <= area / 400.0 * 1.02, "{value} {area}");
}

#[test]
fn an_inverse_built_afresh_changes_nothing() {
    let items: Vec<(usize, f64)> =
        (0..40).map(|at| (19 + at * 41 % 97, (1 + at * 11 % 7) as f64)).collect();
    let mut programme = cutting_stock(300, &items);
    let (value, pivots) = (programme.solve(), programme.master.pivots());
    programme.master.rebuild();
    assert!((programme.solve() - value).abs() < 1e-9);
    assert_eq!(programme.master.pivots(), pivots);
}

#[test]
fn the_same_calls_give_the_same_bits() {
    let items: Vec<(usize, f64)> = (0..30).map(|at| (23 + at * 29 % 83, 1.0)).collect();
    let run = || {
        let programme = cutting_stock(250, &items);
        let bits = |value: &f64| value.to_bits();
        let duals: Vec<u64> = programme.master.duals().iter().map(bits).collect();
        (programme.master.pivots(), programme.master.values(), duals)
    };
    assert_eq!(run(), run());
}

#[test]
fn a_dependent_column_is_left_out_of_an_inverse() {
    let mut columns = Columns::default();
    columns.push(0.0, [(0, 1.0), (1, 2.0)]);
    columns.push(0.0, [(0, 2.0), (1, 4.0)]);
    columns.push(0.0, [(1, 1.0), (2, 1.0)]);
    let seats = Inverse::unit(3).build(&columns, &[0, 1, 2]);
    assert_eq!(seats.iter().flatten().count(), 2);
    assert!(!(seats.contains(&Some(0)) && seats.contains(&Some(1))), "{seats:?}");
}

/// Square matrices with few entries and large ones on the diagonal, so that they have an inverse.
fn matrices() -> impl Strategy<Value = Vec<Vec<(u32, f64)>>> {
    (1..14_u32).prop_flat_map(|side| {
        let entries = prop::collection::btree_map(0..side, -3..4_i8, 0..4);
        let column = entries.prop_map(|entries| {
            entries.into_iter().map(|(row, entry)| (row, f64::from(entry))).collect::<Vec<_>>()
        });
        prop::collection::vec(column, side as usize).prop_map(|mut columns| {
            for (at, column) in (0..).zip(&mut columns) {
                column.retain(|(row, _)| *row != at);
                column.push((at, 13.0));
            }
            columns
        })
    })
}

/// Rows of both kinds with small bounds, many of them equal, and columns of few kinds of numbers:
/// degenerate more often than not.
fn programmes() -> impl Strategy<Value = (Vec<MasterRow>, Vec<TestColumn>)> {
    let row = (0..4_u8, prop::bool::weighted(0.8)).prop_map(|(bound, is_cover)| {
        if is_cover { cover(f64::from(bound)) } else { supply(f64::from(bound)) }
    });
    prop::collection::vec(row, 1..12).prop_flat_map(|rows| {
        let height = rows.len();
        let column =
            (0..6_u8, prop::collection::vec(0..4_u8, height)).prop_map(|(cost, entries)| {
                let entries =
                    (0..).zip(entries).map(|(row, a)| (row, f64::from(a.saturating_sub(1))));
                (f64::from(cost), entries.collect())
            });
        (Just(rows), prop::collection::vec(column, 0..40))
    })
}

proptest! {
    /// `B⁻¹B` is the unit matrix, up to the order of positions.
    #[test]
    fn an_inverse_inverts(matrix in matrices().prop_shuffle()) {
        let side = matrix.len();
        let mut columns = Columns::default();
        matrix.iter().for_each(|column| columns.push(0.0, column.iter().copied()));
        let mut inverse = Inverse::unit(side);
        let seats = inverse.build(&columns, &(0..side).collect::<Vec<_>>());
        let mut image = vec![0.0; side];
        for column in 0..side {
            inverse.times(columns.entries(column), &mut image);
            for (position, seat) in seats.iter().enumerate() {
                let one = if *seat == Some(column) { 1.0 } else { 0.0 };
                prop_assert!((image[position] - one).abs() < 1e-9, "{seats:?} {image:?}");
            }
        }
    }

    /// Whatever the order of changes, each answer is proved optimal by its duals.
    #[test]
    fn every_answer_is_optimal(
        (rows, columns) in programmes(),
        changes in prop::collection::vec((0..4_u8, any::<u8>(), 0..5_u8), 0..20),
    ) {
        let mut programme = Checked::new(rows);
        let mut columns = columns.into_iter();
        columns.by_ref().take(10).for_each(|column| programme.add(column));
        programme.solve();
        for (change, at, bound) in changes {
            match change {
                0 => columns.by_ref().take(3).for_each(|column| programme.add(column)),
                1 if !programme.columns.is_empty() => {
                    let column = usize::from(at) % programme.columns.len();
                    programme.set_allowed(column, bound > 2);
                }
                _ => {
                    let row = usize::from(at) % programme.rows.len();
                    programme.set_bound(row, f64::from(bound));
                }
            }
            programme.solve();
        }
        // The same programme from the start.
        let value = programme.master.objective();
        let mut again = Checked::new(programme.rows.clone());
        for (at, column) in programme.columns.iter().enumerate() {
            again.add(column.clone());
            again.set_allowed(at, programme.allowed[at]);
        }
        let other = again.solve();
        prop_assert!((value - other).abs() < 1e-6 * (1.0 + value.abs()), "{value} {other}");
    }

    /// Set covering by ones: every vertex is degenerate.
    #[test]
    fn set_covering(sets in prop::collection::vec((1..4_u8, any::<u32>()), 1..80)) {
        let mut programme = Checked::new(vec![cover(1.0); 24]);
        for (cost, set) in sets {
            let entries = (0..24).filter(|row| set >> row & 1 == 1).map(|row| (row, 1.0));
            programme.add((f64::from(cost), entries.collect()));
            programme.solve();
        }
    }
}
