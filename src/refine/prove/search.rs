//! The search for a proof.
//!
//! *Problem.* Find a small tree of cuts whose leaves all show that no filling is worth more than
//! the limit, or notice that there is a filling worth more.
//!
//! *Idea.* At each place the linear relaxation of what the cuts leave is solved, from where it was
//! left at the place before, until its prices show enough; rounded to integers they make a leaf,
//! which is evaluated exactly before it is believed. Where that doesn't show enough the cut is made
//! on a count that is broken in the solution, the one worth most; where none is broken, on one that
//! is more than the least allowed. At the end of this a place has a single filling, whose worth
//! needs no prices, so the search ends with a proof or with a filling that can't be beaten down.
//!
//! *Cost.* A few pivots and one evaluation for each step.

use super::super::knapsack::{Knapsack, RootRelaxation};
use super::super::tuning::prove_search::DEPTH;
use super::{BinProof, Ranges, Remaining, leaf, margins};

/// Reduced costs are asked again where what is shown in excess of the limit has fallen to this
/// share.
const LESS: i128 = 2;
/// A count this close to a whole number is one.
const WHOLE: f64 = 1e-7;

struct ProofSearch<'a> {
    knapsack: &'a Knapsack,
    values: &'a [i128],
    limit: i128,
    root: RootRelaxation,
    ranges: Ranges,
    steps: u32,
    /// The one resource that can bind, where there is one, and whether there is no other rule.
    table: Option<(usize, bool)>,
}

/// A proof that no filling is worth more than the limit; `None` where some filling is, or none was
/// found within the steps.
pub(in super::super) fn prove(
    knapsack: &Knapsack,
    values: &[i128],
    limit: i128,
    steps: u32,
) -> Option<BinProof> {
    let floats: Vec<f64> = values.iter().map(|value| *value as f64).collect();
    let ranges = Ranges::all(knapsack);
    let root = knapsack.root(&floats, None);
    let table = knapsack.lone_resource();
    ProofSearch { knapsack, values, limit, root, ranges, steps, table }.place(0, i128::MAX)
}

/// How many there are of an item at least and at most in all fillings that aren't beaten by prices.
struct CountRange {
    item: usize,
    low: i64,
    high: i64,
}

impl ProofSearch<'_> {
    /// A proof for the fillings in the ranges at hand; `excess`: what was shown beyond the limit
    /// when reduced costs were asked last.
    fn place(&mut self, depth: usize, excess: i128) -> Option<BinProof> {
        if self.steps == 0 || depth > DEPTH {
            return None;
        }
        self.steps -= 1;
        let left = Remaining::of(self.knapsack, &self.ranges);
        if let Some(resource) = left.free.iter().position(|free| *free < 0) {
            return Some(BinProof::ResourceInfeasible { resource });
        }
        if let Some(group) = left.open.iter().position(|open| *open < 0) {
            return Some(BinProof::GroupInfeasible { group });
        }
        self.root.narrow(self.knapsack, &left.free, &left.open, &left.more);
        let there = self.there()?;
        let enough = self.limit.checked_sub(there)? as f64;
        let mut priced = None;
        for enough in [enough - enough.abs() * 1e-12, f64::NEG_INFINITY] {
            let bound = self.root.solve(enough);
            let proof = self.prices();
            match self.shown(&proof, &left) {
                Some(shown) if shown <= self.limit => return Some(proof),
                shown => priced = shown.map(|shown| (proof, shown - self.limit)),
            }
            if bound > enough {
                // It was solved to the end already.
                break;
            }
        }
        if let Some((resource, alone)) = self.table {
            let proof = BinProof::Table { resource };
            match self.shown(&proof, &left) {
                Some(shown) if shown <= self.limit => return Some(proof),
                // The table is exact.
                Some(_) if alone => return None,
                _ => {}
            }
        }
        if let Some((proof, beyond)) = priced.filter(|(_, beyond)| *beyond <= excess / LESS) {
            let ranges = self.narrowed(&proof, beyond, &left);
            if !ranges.is_empty() && depth + ranges.len() <= DEPTH {
                return self.within(ranges, &proof, depth, beyond);
            }
        }
        let (item, count) = self.cut(&left)?;
        let (low, high) = (self.ranges.low[item], self.ranges.high[item]);
        self.ranges.low[item] = count + 1;
        let more = self.place(depth + 1, excess)?;
        self.ranges.low[item] = low;
        self.ranges.high[item] = count;
        let fewer = self.place(depth + 1, excess)?;
        self.ranges.high[item] = high;
        Some(BinProof::Branch { item, count, fewer: Box::new(fewer), more: Box::new(more) })
    }

    /// The items of which fewer or more than some number are beaten by prices that show this much
    /// more than the limit.
    fn narrowed(&self, prices: &BinProof, beyond: i128, left: &Remaining) -> Vec<CountRange> {
        let Some(margins) = margins(self.knapsack, self.values, prices) else { return Vec::new() };
        let mut narrowed = Vec::new();
        // Those worth nothing aren't in a certificate, and are never taken. Where two must be there
        // that keep each other off there is no filling, but no proof says so: such items are left
        // to cuts.
        let matters = |(item, margin): &(usize, &i128)| {
            let kept_off = !self.knapsack.conflicts(*item).is_empty();
            self.values[*item] > 0 && (**margin < 0 || **margin > 0 && !kept_off)
        };
        for (item, margin) in margins.iter().enumerate().filter(matters) {
            let more = left.more[item];
            // Each one too many, or too few, costs its margin.
            let spare = (beyond - 1) / margin.abs();
            if let Ok(spare) = i64::try_from(spare)
                && spare < more
            {
                let low = self.ranges.low[item];
                let (low, high) = if *margin < 0 {
                    (low, low + spare)
                } else {
                    (low + more - spare, self.ranges.high[item])
                };
                narrowed.push(CountRange { item, low, high });
            }
        }
        narrowed
    }

    /// A proof for what is in these ranges, and by the prices for the rest.
    fn within(
        &mut self,
        mut ranges: Vec<CountRange>,
        prices: &BinProof,
        depth: usize,
        beyond: i128,
    ) -> Option<BinProof> {
        for range in &mut ranges {
            std::mem::swap(&mut self.ranges.low[range.item], &mut range.low);
            std::mem::swap(&mut self.ranges.high[range.item], &mut range.high);
        }
        let mut proof = self.place(depth + ranges.len(), beyond)?;
        for CountRange { item, low, high } in ranges.into_iter().rev() {
            let rest = Box::new(prices.clone());
            let narrow = Box::new(proof);
            let (least, most) = (self.ranges.low[item], self.ranges.high[item]);
            proof = if most < high {
                BinProof::Branch { item, count: most, fewer: narrow, more: rest }
            } else {
                BinProof::Branch { item, count: least - 1, fewer: rest, more: narrow }
            };
            (self.ranges.low[item], self.ranges.high[item]) = (low, high);
        }
        Some(proof)
    }

    /// What must be there is worth.
    fn there(&self) -> Option<i128> {
        let counted = self.values.iter().zip(&self.ranges.low).filter(|(_, low)| **low > 0);
        let mut worth = counted.map(|(value, low)| value.checked_mul(i128::from(*low)));
        worth.try_fold(0_i128, |sum, worth| sum.checked_add(worth?))
    }

    fn shown(&self, proof: &BinProof, left: &Remaining) -> Option<i128> {
        leaf(self.knapsack, self.values, proof, &self.ranges, left)
    }

    /// The prices of the relaxation, rounded.
    fn prices(&self) -> BinProof {
        let whole = |prices: Vec<f64>| {
            let mut whole: Vec<i128> =
                prices.into_iter().map(|price| price.round() as i128).collect();
            while whole.last() == Some(&0) {
                whole.pop();
            }
            whole
        };
        let (resources, groups) = self.root.unit_prices(self.knapsack);
        BinProof::Priced { resources: whole(resources), groups: whole(groups) }
    }

    /// Where to cut: the item, and how many of it there are at most on one side. `None` where what
    /// must be there is all that can be.
    fn cut(&self, left: &Remaining) -> Option<(usize, i64)> {
        let worth = |item: usize| self.values[item];
        let open = |(item, _): &(usize, f64)| left.more[*item] > 0;
        let broken = self
            .root
            .solution()
            .filter(open)
            .filter(|(_, count)| (count - count.round()).abs() > WHOLE);
        let best = broken.max_by_key(|(item, _)| (worth(*item), std::cmp::Reverse(*item)));
        if let Some((item, count)) = best {
            return Some((item, self.ranges.low[item] + count.floor() as i64));
        }
        let taken = self.root.solution().filter(open).filter(|(_, count)| *count > WHOLE);
        let best = taken.max_by_key(|(item, _)| (worth(*item), std::cmp::Reverse(*item)));
        if let Some((item, count)) = best {
            let count = (count.round() as i64).min(left.more[item]);
            return Some((item, self.ranges.low[item] + count - 1));
        }
        let rest = self.root.solution().find(open);
        rest.map(|(item, _)| (item, self.ranges.low[item]))
    }
}
