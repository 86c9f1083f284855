//! The linear programme of one node: `max v·x` subject to `A x ≤ b`, `0 ≤ x ≤ m`.
//!
//! *Problem.* There are hundreds of columns and a handful of rows, all columns have an upper bound,
//! and the programme is solved again and again: with other values from the root of each search, and
//! with less room and fewer columns in the nodes below.
//!
//! *Idea.* The dual simplex method, which needs no first phase here: with all prices at zero and
//! each column at the bound that its sign asks for, the start is dual feasible, and it stays so
//! when room or bounds change. The ratio test is the long one: a step goes on past each column that
//! changes sign, flipping it to its other bound, until the row isn't broken any more. That makes of
//! a pivot what would be dozens: with one row it finds the answer in one step, with four in about
//! ten. The leaving row is the one that is broken most in relation to the length of its row of the
//! inverse (steepest edge), and the inverse, a matrix of rows × rows, is kept as it is.
//!
//! *Why it is right.* For any prices `u ≥ 0` every feasible `x` has
//! `v·x ≤ u·b + Σ m_j max(0, v_j − u·A_j)`, so [`BoundedProgramme::bound`] is an over-estimate
//! wherever the method stops; optimality only makes it sharp. No result of the inverse is trusted.
//!
//! *Cost.* A pivot is rows × columns multiplications and a selection in linear time.
//!
//! References: Lemke 1954 (dual simplex); Fourer 1994 and Maros 2003 (the long step); Forrest and
//! Goldfarb 1992 (steepest edge).

use ordered_float::OrderedFloat;
use std::cmp::Reverse;

/// Of a bound or a room, relative: less counts as nothing.
const TINY: f64 = 1e-9;
/// A step that changes a column's gain by less than this per unit of price can't be divided by.
const FLAT: f64 = 1e-9;
/// Pivots after which the inverse is made anew.
const WORN: u32 = 100;

/// What stands in a row of the basis.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum BasisMember {
    Column(usize),
    Slack(usize),
}

/// A programme, and how far it is solved.
#[derive(Clone, Debug, Default)]
pub(super) struct BoundedProgramme {
    /// How many rows (resources).
    height: usize,
    /// How many columns (items).
    width: usize,
    /// By row, then column.
    entries: Vec<f64>,
    /// By row, what there is.
    pub(super) room: Vec<f64>,
    /// By column, what one is worth.
    pub(super) value: Vec<f64>,
    /// By column, how many there may be.
    pub(super) most: Vec<f64>,
    /// By row, which column or slack is basic.
    basis: Vec<BasisMember>,
    /// The inverse of the basis, row by row.
    inverse: Vec<f64>,
    /// How many pivots the inverse has seen.
    pivots: u32,
    /// By column: whether it stands at its upper bound; not read while it is in the basis.
    at_top: Vec<bool>,
    /// By column, whether it is basic.
    in_basis: Vec<bool>,
    /// By row, whether its slack is basic.
    slack_in_basis: Vec<bool>,
    /// What the solve left: prices of rows, what columns gain beyond them, what the rows hold.
    pub(super) prices: Vec<f64>,
    pub(super) gain: Vec<f64>,
    /// By column, how many there are.
    held: Vec<f64>,
    slopes: Vec<f64>,
    breaks: Vec<(f64, u32, f64)>,
}

impl BoundedProgramme {
    /// A programme without rows yet.
    pub(super) fn new(value: Vec<f64>, most: Vec<f64>) -> Self {
        let width = value.len();
        Self {
            width,
            gain: value.clone(),
            value,
            most,
            at_top: vec![false; width],
            in_basis: vec![false; width],
            slopes: vec![0.0; width],
            ..Self::default()
        }
    }

    /// Adds a row; what is solved already stays dual feasible.
    pub(super) fn add_row(&mut self, entries: impl Iterator<Item = f64>, room: f64) {
        self.entries.extend(entries);
        self.entries.resize((self.height + 1) * self.width, 0.0);
        let old = self.height;
        self.height += 1;
        self.room.push(room);
        // The new row of the inverse of [B 0; a 1] is (−a B⁻¹, 1).
        let mut line = vec![0.0; old];
        for (at, member) in self.basis.iter().enumerate() {
            if let BasisMember::Column(column) = member {
                let entry = self.entries[old * self.width + column];
                for (mine, theirs) in line.iter_mut().zip(&self.inverse[at * old..]) {
                    *mine -= entry * theirs;
                }
            }
        }
        let mut inverse = Vec::with_capacity(self.height * self.height);
        for at in 0..old {
            inverse.extend_from_slice(&self.inverse[at * old..(at + 1) * old]);
            inverse.push(0.0);
        }
        inverse.extend(line);
        inverse.push(1.0);
        self.inverse = inverse;
        self.basis.push(BasisMember::Slack(old));
        self.slack_in_basis.push(true);
        self.prices.push(0.0);
    }

    /// What one of a column takes of a row.
    fn entry(&self, row: usize, column: usize) -> f64 {
        self.entries[row * self.width + column]
    }

    /// Whether a column is in the basis: it can't be left out even where its bound is zero.
    pub(super) fn is_basic(&self, column: usize) -> bool {
        self.in_basis[column]
    }

    /// The columns in the basis, ascending.
    pub(super) fn basis(&self) -> Vec<usize> {
        let column = |member: &BasisMember| match member {
            BasisMember::Column(column) => Some(*column),
            BasisMember::Slack(_) => None,
        };
        let mut columns: Vec<usize> = self.basis.iter().filter_map(column).collect();
        columns.sort_unstable();
        columns
    }

    /// Starts from a basis that has these columns, where there is one without a negative price.
    pub(super) fn start(&mut self, columns: &[usize]) {
        for column in columns {
            // A column that was brought in takes the place of the slack that it leaves most of.
            let height = self.height;
            let entry = |row: usize| -> f64 {
                let line = &self.inverse[row * height..(row + 1) * height];
                line.iter().enumerate().map(|(at, x)| x * self.entry(at, *column)).sum()
            };
            let slacks =
                (0..height).filter(|row| matches!(self.basis[*row], BasisMember::Slack(_)));
            let place = slacks
                .map(|row| (entry(row).abs(), row))
                .max_by_key(|(size, row)| (OrderedFloat(*size), Reverse(*row)));
            if let Some((size, row)) = place
                && size > 1e-6
            {
                if let BasisMember::Slack(slack) = self.basis[row] {
                    self.slack_in_basis[slack] = false;
                }
                self.pivot(row, *column);
            }
        }
        if self.raw_prices().iter().any(|price| *price < 0.0) {
            self.reset();
        }
    }

    /// The basis of slacks.
    fn reset(&mut self) {
        self.pivots = 0;
        self.in_basis.fill(false);
        self.slack_in_basis.fill(true);
        self.inverse.fill(0.0);
        for row in 0..self.height {
            self.basis[row] = BasisMember::Slack(row);
            self.inverse[row * self.height + row] = 1.0;
        }
    }

    /// The programme with some columns alone, which must include those in the basis, written into
    /// another that exists for its memory.
    pub(super) fn keep_into(&self, keep: &[u32], into: &mut Self) {
        into.height = self.height;
        into.width = keep.len();
        into.entries.clear();
        for row in self.entries.chunks_exact(self.width.max(1)).take(self.height) {
            into.entries.extend(keep.iter().map(|column| row[*column as usize]));
        }
        into.entries.resize(into.height * into.width, 0.0);
        pick(&self.value, keep, &mut into.value);
        pick(&self.most, keep, &mut into.most);
        pick(&self.at_top, keep, &mut into.at_top);
        pick(&self.in_basis, keep, &mut into.in_basis);
        pick(&self.gain, keep, &mut into.gain);
        into.room.clone_from(&self.room);
        into.prices.clone_from(&self.prices);
        into.inverse.clone_from(&self.inverse);
        into.pivots = self.pivots;
        into.slack_in_basis.clone_from(&self.slack_in_basis);
        into.slopes.clear();
        into.slopes.resize(keep.len(), 0.0);
        into.basis.clear();
        for member in &self.basis {
            into.basis.push(match member {
                BasisMember::Column(column) => {
                    let at = keep.binary_search(&(*column as u32)).unwrap_or(0);
                    BasisMember::Column(at)
                }
                slack @ BasisMember::Slack(_) => *slack,
            });
        }
    }

    /// Solves it, or stops as soon as the bound is at most `enough`, and gives the bound.
    pub(super) fn solve(&mut self, enough: f64) -> f64 {
        if self.pivots > WORN {
            let columns = self.basis();
            self.reset();
            self.start(&columns);
        }
        self.price();
        self.place_at_bounds();
        let mut bound = self.bound();
        let mut stale = false;
        for _ in 0..40 + 10 * self.height {
            if bound <= enough {
                break;
            }
            self.hold();
            let Some((row, above)) = self.leaving() else { break };
            if !self.step(row, above) {
                break;
            }
            stale = true;
            if enough > 0.0 {
                bound = self.bound();
            }
        }
        if stale {
            // The steps only add to what was there; this is free of their rounding.
            self.price();
            bound = self.bound();
        }
        bound
    }

    /// The over-estimate that the prices give.
    fn bound(&self) -> f64 {
        let rows: f64 = self.prices.iter().zip(&self.room).map(|(u, b)| u.max(0.0) * b).sum();
        rows + dot(&self.gain, &self.most, |gain, most| gain.max(0.0) * most)
    }

    /// The prices of the basis, not cleared of signs.
    fn raw_prices(&self) -> Vec<f64> {
        let mut prices = vec![0.0; self.height];
        for (at, member) in self.basis.iter().enumerate() {
            if let BasisMember::Column(column) = member {
                let value = self.value[*column];
                let line = &self.inverse[at * self.height..(at + 1) * self.height];
                prices.iter_mut().zip(line).for_each(|(price, inverse)| *price += value * inverse);
            }
        }
        prices
    }

    /// Prices of the basis, and what each column gains beyond them.
    fn price(&mut self) {
        self.prices = self.raw_prices();
        self.prices.iter_mut().for_each(|price| *price = price.max(0.0));
        self.gain.copy_from_slice(&self.value);
        for (row, price) in self.prices.iter().enumerate().filter(|(_, price)| **price > 0.0) {
            let entries = &self.entries[row * self.width..(row + 1) * self.width];
            self.gain.iter_mut().zip(entries).for_each(|(gain, entry)| *gain -= price * entry);
        }
    }

    /// Puts each column outside the basis at the bound that its gain asks for.
    fn place_at_bounds(&mut self) {
        for column in 0..self.width {
            if self.gain[column] > 0.0 && !self.in_basis[column] {
                self.at_top[column] = true;
            } else if self.gain[column] < 0.0 {
                self.at_top[column] = false;
            }
        }
    }

    /// How much of each member of the basis there is.
    fn hold(&mut self) {
        self.slopes.clear();
        self.slopes.extend((0..self.width).map(|column| {
            let at_top = self.at_top[column] && !self.in_basis[column];
            if at_top { self.most[column] } else { 0.0 }
        }));
        let mut left = self.room.clone();
        for (left, entries) in left.iter_mut().zip(self.entries.chunks_exact(self.width.max(1))) {
            *left -=
                entries.iter().zip(&self.slopes).map(|(entry, count)| entry * count).sum::<f64>();
        }
        self.held.clear();
        for line in self.inverse.chunks_exact(self.height.max(1)).take(self.height) {
            self.held.push(line.iter().zip(&left).map(|(inverse, left)| inverse * left).sum());
        }
    }

    /// The row whose member is furthest outside its bounds, and whether it is above.
    fn leaving(&self) -> Option<(usize, bool)> {
        let mut best: Option<(f64, usize, bool)> = None;
        for (at, member) in self.basis.iter().enumerate() {
            let most = match member {
                BasisMember::Column(column) => self.most[*column],
                BasisMember::Slack(_) => f64::INFINITY,
            };
            let held = self.held[at];
            let (outside, above) =
                if held - most > -held { (held - most, true) } else { (-held, false) };
            let scale = if most.is_finite() { most.max(1.0) } else { 1.0 };
            if outside > TINY * scale {
                let line = &self.inverse[at * self.height..(at + 1) * self.height];
                let length: f64 = line.iter().map(|x| x * x).sum();
                let weight = outside * outside / length.max(f64::MIN_POSITIVE);
                if best.is_none_or(|(most, _, _)| weight > most) {
                    best = Some((weight, at, above));
                }
            }
        }
        best.map(|(_, row, above)| (row, above))
    }

    /// One long step of the dual method; `false` where nothing ends it.
    fn step(&mut self, row: usize, above: bool) -> bool {
        let height = self.height;
        let sign = if above { 1.0 } else { -1.0 };
        let line: Vec<f64> =
            self.inverse[row * height..(row + 1) * height].iter().map(|x| x * sign).collect();
        self.slopes.fill(0.0);
        for (at, factor) in line.iter().enumerate().filter(|(_, factor)| **factor != 0.0) {
            let entries = &self.entries[at * self.width..(at + 1) * self.width];
            self.slopes.iter_mut().zip(entries).for_each(|(slope, entry)| *slope += factor * entry);
        }
        self.breaks.clear();
        for column in 0..self.width {
            let slope = self.slopes[column];
            let toward_zero = if self.at_top[column] { slope < -FLAT } else { slope > FLAT };
            if toward_zero && !self.in_basis[column] && self.most[column] > 0.0 {
                let at = (self.gain[column] / -slope).max(0.0);
                self.breaks.push((at, column as u32, slope.abs() * self.most[column]));
            }
        }
        for (slack, factor) in line.iter().enumerate() {
            if !self.slack_in_basis[slack] && *factor > FLAT {
                let at = self.prices[slack] / factor;
                self.breaks.push((at, (self.width + slack) as u32, f64::INFINITY));
            }
        }
        let member = self.basis[row];
        let outside = match member {
            BasisMember::Column(column) if above => self.held[row] - self.most[column],
            _ => -self.held[row],
        };
        let Some(passed) = split(&mut self.breaks, outside) else { return false };
        let entering = self.breaks[passed].1 as usize;
        // What the step makes of the prices and gains.
        let length = self.breaks[passed].0;
        for (price, factor) in self.prices.iter_mut().zip(&line) {
            *price = (*price - length * factor).max(0.0);
        }
        self.gain.iter_mut().zip(&self.slopes).for_each(|(gain, slope)| *gain += length * slope);
        for (_, column, _) in &self.breaks[..passed] {
            // Slacks have no upper bound, so none is passed.
            let at_top = &mut self.at_top[*column as usize];
            *at_top = !*at_top;
        }
        match member {
            BasisMember::Column(column) => {
                self.in_basis[column] = false;
                self.at_top[column] = above;
            }
            BasisMember::Slack(slack) => self.slack_in_basis[slack] = false,
        }
        self.pivot(row, entering);
        true
    }

    fn pivot(&mut self, row: usize, entering: usize) {
        self.pivots += 1;
        let height = self.height;
        let mut column = vec![0.0; height];
        for (at, slot) in column.iter_mut().enumerate() {
            let line = &self.inverse[at * height..(at + 1) * height];
            *slot = if entering < self.width {
                line.iter().enumerate().map(|(i, x)| x * self.entry(i, entering)).sum()
            } else {
                line[entering - self.width]
            };
        }
        if entering < self.width {
            self.basis[row] = BasisMember::Column(entering);
            self.in_basis[entering] = true;
        } else {
            self.basis[row] = BasisMember::Slack(entering - self.width);
            self.slack_in_basis[entering - self.width] = true;
        }
        let lead: Vec<f64> = self.inverse[row * height..(row + 1) * height]
            .iter()
            .map(|x| x / column[row])
            .collect();
        for (at, factor) in column.iter().enumerate() {
            let line = &mut self.inverse[at * height..(at + 1) * height];
            if at == row {
                line.copy_from_slice(&lead);
            } else {
                line.iter_mut().zip(&lead).for_each(|(x, lead)| *x -= factor * lead);
            }
        }
    }

    /// How much of each column the solution takes, cleared of rounding.
    pub(super) fn solution(&mut self, into: &mut Vec<f64>) {
        self.hold();
        into.clear();
        for column in 0..self.width {
            let at_top = self.at_top[column] && !self.in_basis[column];
            into.push(if at_top { self.most[column] } else { 0.0 });
        }
        for (member, held) in self.basis.iter().zip(&self.held) {
            if let BasisMember::Column(column) = member {
                into[*column] = held.clamp(0.0, self.most[*column]);
            }
        }
    }
}

/// A sum over two lists, in four sums side by side.
fn dot(a: &[f64], b: &[f64], term: impl Fn(f64, f64) -> f64) -> f64 {
    let (mut fours, others) = (a.chunks_exact(4).zip(b.chunks_exact(4)), a.len() / 4 * 4);
    let sums = fours.by_ref().fold([0.0; 4], |mut sums, (a, b)| {
        for at in 0..4 {
            sums[at] += term(a[at], b[at]);
        }
        sums
    });
    let rest: f64 = a[others..].iter().zip(&b[others..]).map(|(a, b)| term(*a, *b)).sum();
    sums.iter().sum::<f64>() + rest
}

fn pick<T: Copy>(from: &[T], keep: &[u32], into: &mut Vec<T>) {
    into.clear();
    into.extend(keep.iter().map(|column| from[*column as usize]));
}

fn order((at, column, _): &(f64, u32, f64)) -> (OrderedFloat<f64>, u32) {
    (OrderedFloat(*at), *column)
}

/// Orders the breaks up to the first at which those before it and itself sum to at least `target`,
/// and gives its place.
fn split(breaks: &mut [(f64, u32, f64)], target: f64) -> Option<usize> {
    let (mut low, mut high, mut left) = (0, breaks.len(), target);
    while high - low > 12 {
        let middle = low + (high - low) / 2;
        let part = &mut breaks[low..high];
        let (before, _, _) = part.select_nth_unstable_by_key(middle - low, order);
        let sum: f64 = before.iter().map(|(_, _, weight)| weight).sum();
        if sum < left {
            left -= sum;
            low = middle;
        } else {
            high = middle;
        }
    }
    breaks[low..high].sort_unstable_by_key(order);
    for (at, (_, _, weight)) in breaks.iter().enumerate().take(high).skip(low) {
        left -= weight;
        if left <= 0.0 {
            return Some(at);
        }
    }
    // Sums in another order differ in their last digits.
    (high < breaks.len()).then(|| high.saturating_sub(1))
}
