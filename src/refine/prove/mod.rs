//! An integer proof that no filling of a node is worth more than a limit.
//!
//! *Problem.* A lower bound on the cost of any plan follows from values of pods where no node can
//! hold more value than it costs. The values come from floats; that they keep to every node's price
//! has to be shown without them.
//!
//! *Idea.* With integer prices of resources and groups, what a filling can be worth is
//! over-estimated by a sum that is easy to check. Where one such sum isn't low enough the fillings
//! are cut in two: those with at most so many of an item, and those with more. A [`BinProof`] is
//! the tree of cuts with prices at its leaves; for most nodes it is a single leaf. Where one
//! resource alone binds and its numbers are small, a leaf may instead say that a table over all
//! amounts is to be made, which is exact.
//!
//! *Why it is right.* A leaf speaks of the fillings with a count between `low` and `high` for each
//! item, as the cuts above it say. What must be there leaves so much room, and how many more of
//! each item fit into that, alone, is a division ([`Remaining`]). For prices that aren't negative
//! each such filling is worth at most
//!
//! ```text
//! Σ_d p_d C_d + Σ_g p_g most_g + Σ_j max over its range of (v_j − Σ_d p_d r_jd − Σ_g p_g e_jg) a_j
//! ```
//!
//! All of it is computed in checked integers by `proved`, whose judgement of a leaf the search
//! (`search`) relies on; floats only suggest prices and cuts.
//!
//! *Cost.* Items × resources for each leaf.
//!
//! References: Land and Doig 1960; Baldacci et al. 2023 and da Silva and Schouery 2023 on proofs
//! from floats that were wrong; Applegate, Cook, Dash and Espinoza 2007 for exact checks of bounds.

mod scale;
mod search;
#[cfg(test)]
mod tests;

use super::knapsack::Knapsack;
use super::tuning::prove::CELLS;
use crate::bound::certificate::divisor;
pub(super) use scale::{BinValues, certify, scale};
pub(super) use search::prove;

/// Why no filling is worth more than some limit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum BinProof {
    /// What a node with these prices of one of each resource and group can be worth. Prices that
    /// are left out at the end are zero.
    Priced { resources: Vec<i128>, groups: Vec<i128> },
    /// What the best filling is worth where this resource alone is looked at.
    Table { resource: usize },
    /// The items that must be there ask for more of this resource than there is.
    ResourceInfeasible { resource: usize },
    /// The items that must be there count for more in this group than it allows.
    GroupInfeasible { group: usize },
    /// Either at most `count` of an item, or more.
    Branch { item: usize, count: i64, fewer: Box<BinProof>, more: Box<BinProof> },
}

/// Which fillings are spoken of: by item how many there are at least and at most.
#[derive(Clone, Debug)]
struct Ranges {
    low: Vec<i64>,
    high: Vec<i64>,
}

/// What the items that must be there leave, alone for each item.
#[derive(Clone, Debug)]
struct Remaining {
    /// By resource and by group; negative where they ask for too much.
    free: Vec<i64>,
    open: Vec<i64>,
    /// By item: how many more can be there.
    more: Vec<i64>,
}

impl Ranges {
    fn all(knapsack: &Knapsack) -> Self {
        let high = (0..knapsack.len()).map(|item| knapsack.most(item)).collect();
        Self { low: vec![0; knapsack.len()], high }
    }
}

impl Remaining {
    fn of(knapsack: &Knapsack, ranges: &Ranges) -> Self {
        let mut free = knapsack.room().to_vec();
        let mut open: Vec<i64> = knapsack.groups().iter().map(|group| group.most).collect();
        let mut barred = vec![false; knapsack.len()];
        for (item, low) in ranges.low.iter().enumerate().filter(|(_, low)| **low > 0) {
            for (free, asked) in free.iter_mut().zip(knapsack.request(item)) {
                *free = free.saturating_sub(asked.saturating_mul(*low));
            }
            for (group, each) in knapsack.counted(item) {
                let open = &mut open[*group as usize];
                *open = open.saturating_sub(each.saturating_mul(*low));
            }
            knapsack.conflicts(item).iter().for_each(|other| barred[*other as usize] = true);
        }
        let more = (0..knapsack.len()).map(|item| {
            let mut more = ranges.high[item] - ranges.low[item];
            if more <= 0 || barred[item] {
                return 0;
            }
            let counted =
                knapsack.counted(item).iter().map(|(group, each)| (open[*group as usize], *each));
            let asked = free.iter().copied().zip(knapsack.request(item).iter().copied());
            for (free, asked) in asked.chain(counted).filter(|(_, asked)| *asked > 0) {
                // A division only where it matters.
                if asked.saturating_mul(more) > free {
                    more = free.max(0) / asked;
                }
            }
            more
        });
        let more = more.collect();
        Self { free, open, more }
    }
}

/// The most that a filling can be worth as far as the proof shows; `None` where it shows nothing,
/// or numbers are too large.
#[cfg(test)]
pub(super) fn proved(knapsack: &Knapsack, values: &[i128], proof: &BinProof) -> Option<i128> {
    below(knapsack, values, proof, &mut Ranges::all(knapsack))
}

#[cfg(test)]
fn below(
    knapsack: &Knapsack,
    values: &[i128],
    proof: &BinProof,
    ranges: &mut Ranges,
) -> Option<i128> {
    let BinProof::Branch { item, count, fewer, more } = proof else {
        return leaf(knapsack, values, proof, ranges, &Remaining::of(knapsack, ranges));
    };
    let (low, high) = (*ranges.low.get(*item)?, *ranges.high.get(*item)?);
    ranges.high[*item] = high.min(*count);
    let without = below(knapsack, values, fewer, ranges)?;
    ranges.high[*item] = high;
    ranges.low[*item] = low.max(count.checked_add(1)?);
    let with = below(knapsack, values, more, ranges)?;
    ranges.low[*item] = low;
    Some(without.max(with))
}

/// What a leaf shows for the fillings in some ranges; the least number where there is none.
fn leaf(
    knapsack: &Knapsack,
    values: &[i128],
    proof: &BinProof,
    ranges: &Ranges,
    left: &Remaining,
) -> Option<i128> {
    if ranges.low.iter().zip(&ranges.high).any(|(low, high)| low > high) {
        return Some(i128::MIN);
    }
    match proof {
        BinProof::ResourceInfeasible { resource } => {
            (*left.free.get(*resource)? < 0).then_some(i128::MIN)
        }
        BinProof::GroupInfeasible { group } => (*left.open.get(*group)? < 0).then_some(i128::MIN),
        BinProof::Priced { resources, groups } => {
            priced(knapsack, values, (resources, groups), ranges, left)
        }
        BinProof::Table { resource } => table(knapsack, values, *resource, ranges, left),
        BinProof::Branch { .. } => None,
    }
}

fn priced(
    knapsack: &Knapsack,
    values: &[i128],
    (resources, groups): (&[i128], &[i128]),
    ranges: &Ranges,
    left: &Remaining,
) -> Option<i128> {
    if resources.iter().chain(groups).any(|price| *price < 0) {
        return None;
    }
    let mut sum = 0_i128;
    for (price, room) in resources.iter().zip(knapsack.room()) {
        sum = sum.checked_add(price.checked_mul(i128::from(*room))?)?;
    }
    for (price, group) in groups.iter().zip(knapsack.groups()) {
        sum = sum.checked_add(price.checked_mul(i128::from(group.most))?)?;
    }
    for (item, value) in beyond_groups(knapsack, values, groups)?.into_iter().enumerate() {
        let (low, more) = (ranges.low[item], left.more[item]);
        if low == 0 && (more == 0 || value <= 0) {
            continue;
        }
        let beyond = beyond_resources(knapsack, item, value, resources)?;
        let count = if beyond > 0 { low.checked_add(more)? } else { low };
        sum = sum.checked_add(beyond.checked_mul(i128::from(count))?)?;
    }
    Some(sum)
}

/// What one of each item is worth beyond its price; `None` where numbers are too large.
fn margins(knapsack: &Knapsack, values: &[i128], prices: &BinProof) -> Option<Vec<i128>> {
    let BinProof::Priced { resources, groups } = prices else { return None };
    let values = beyond_groups(knapsack, values, groups)?.into_iter().enumerate();
    values.map(|(item, value)| beyond_resources(knapsack, item, value, resources)).collect()
}

/// What one of each item is worth beyond the prices of its groups.
fn beyond_groups(knapsack: &Knapsack, values: &[i128], prices: &[i128]) -> Option<Vec<i128>> {
    let mut beyond = values.to_vec();
    beyond.resize(knapsack.len(), 0);
    for (price, group) in prices.iter().zip(knapsack.groups()).filter(|(price, _)| **price > 0) {
        for (item, each) in &group.members {
            let slot = &mut beyond[*item as usize];
            *slot = slot.checked_sub(price.checked_mul(i128::from(*each))?)?;
        }
    }
    Some(beyond)
}

/// What is left of a value beyond the prices of what one of an item asks for.
fn beyond_resources(
    knapsack: &Knapsack,
    item: usize,
    value: i128,
    prices: &[i128],
) -> Option<i128> {
    let mut asked = prices.iter().zip(knapsack.request(item));
    asked.try_fold(value, |beyond, (price, each)| {
        beyond.checked_sub(price.checked_mul(i128::from(*each))?)
    })
}

/// The best that can be had from a resource alone.
fn table(
    knapsack: &Knapsack,
    values: &[i128],
    resource: usize,
    ranges: &Ranges,
    left: &Remaining,
) -> Option<i128> {
    let free = *left.free.get(resource)?;
    if free < 0 {
        return Some(i128::MIN);
    }
    let mut base = 0_i128;
    let mut unit = 0;
    for (item, value) in values.iter().enumerate().take(knapsack.len()) {
        base = base.checked_add(value.checked_mul(i128::from(ranges.low[item]))?)?;
        if *value > 0 && left.more[item] > 0 {
            unit = divisor(unit, *knapsack.request(item).get(resource)?);
        }
    }
    // Where nothing more can be there that asks for any, one amount is all there is to try.
    let most = free.checked_div(unit).unwrap_or(0);
    let unit = unit.max(1);
    let amounts = usize::try_from(most).ok()?.checked_add(1).filter(|amounts| *amounts <= CELLS)?;
    let mut worth = vec![0_i128; amounts];
    let mut cells = CELLS;
    for (item, value) in
        values.iter().enumerate().take(knapsack.len()).filter(|(_, value)| **value > 0)
    {
        let asked = *knapsack.request(item).get(resource)? / unit;
        let mut more = left.more[item];
        if asked == 0 {
            base = base.checked_add(value.checked_mul(i128::from(more))?)?;
            continue;
        }
        // Lots of 1, 2, 4, … and a rest add up to each count.
        let mut lot = 1;
        while more > 0 {
            let count = more.min(lot);
            cells = cells.checked_sub(amounts)?;
            let value = value.checked_mul(i128::from(count))?;
            let asked = usize::try_from(asked.checked_mul(count)?).ok()?;
            for amount in (asked..amounts).rev() {
                worth[amount] = worth[amount].max(worth[amount - asked].checked_add(value)?);
            }
            more -= count;
            lot *= 2;
        }
    }
    base.checked_add(*worth.last()?)
}
