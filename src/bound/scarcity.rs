//! Prices of what is scarce.
//!
//! *Problem.* Where limits and reservations leave pods out, types can't be weighed by what they
//! cost alone: what they take of a limit is what other pods go without.
//!
//! *Idea.* The programme of [`super::relaxation`] gets an inequality for each limit,
//! `−Σ_t a_t y_t ≥ −L`, and its pods may stay out at a price: a *reward* is lost for each. In the
//! dual, a limit has a price `μ` that is added to what a node costs for each unit that it takes,
//! and no pod is worth more than its reward. Where a pod's worth at the prices of resources would
//! exceed that, it is one of those that take more of what is scarce than others; a *surplus*
//! variable for each such demand, bounded by its number of pods, keeps it from holding the prices
//! of resources down for the others. Rewards are far above what nodes cost, and those of a higher
//! priority far above those of a lower one, so the programme places the most pods first, the most
//! urgent of them, and what is left to choose is chosen by cost.
//!
//! A limit counts in whole nodes: it is rounded down to a multiple of the greatest common divisor
//! of what nodes are charged against it.
//!
//! *Cost.* One linear programme with a variable for each inequality, limit and surplus, and a row
//! for each bin type and demand; rows are taken up as they are broken.
//!
//! References: Dantzig and Wolfe 1960 (prices of shared limits); Bertsimas and Tsitsiklis 1997,
//! chapter 4 (shadow prices).

use super::catalog::{BinCatalog, SlotTable};
use super::relaxation::{Demand, Dual, DualValues, InequalityPrice, Relaxation, bits};
use super::simplex::{ONE, POINT, TableauRows, maximize, times};
use crate::compile::{Bits, Compiled, IdTable, ItemId, PoolId, SupplyLedger, fits};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What can still be bought.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RemainingCapacity<'a> {
    pub(crate) supplies: &'a SupplyLedger,
    /// The bin types of which a node can still be bought.
    pub(crate) open: &'a Bits,
}

/// The most demands that get a surplus variable.
const MAX_SURPLUSES: usize = 32;
/// The most limits that get a price.
const MAX_LIMITS: usize = 48;
/// How many times what the dearest bin type costs a pod of the lowest priority is worth at most.
const REWARD: i128 = 4;
/// A reward of one priority is so many bits above that of the next lower one.
const STEP: u32 = 4;
/// How many priorities are told apart, the highest first.
const LEVELS: usize = 4;
/// The bound of a row that bounds nothing.
const NEVER: i128 = 1 << 60;

/// A limit that some bin type is charged against.
#[derive(Clone, Debug)]
pub(super) struct LimitRow {
    /// The pool, and the place of the limit; nothing where it is what a static pool launches.
    pub(super) of: Option<(PoolId, usize)>,
    /// What a node of each bin type takes, 0 where it can't be bought.
    pub(super) charges: Vec<i64>,
    pub(super) left: i128,
    pub(super) shift: u32,
}

/// The dual programme with limits, rewards and surpluses: a row for each bin type, then one for
/// each demand.
pub(super) struct ScarceDual<'a> {
    pub(super) dual: Dual<'a>,
    pub(super) limits: Vec<LimitRow>,
    /// The demands that have a surplus variable.
    pub(super) surpluses: Vec<usize>,
    /// For each inequality, what a pod of each demand that it counts asks of it.
    pub(super) counted: Vec<Vec<(usize, i64)>>,
    /// What a pod of each demand is worth at most, fixed-point.
    pub(super) rewards: Vec<i128>,
}

impl ScarceDual<'_> {
    fn columns(&self) -> usize {
        self.dual.bounds.len()
    }

    /// What a variable is.
    fn variable(&self, variable: usize) -> Variable {
        let priced = self.counted.len();
        match variable.checked_sub(priced) {
            None => Variable::Price,
            Some(at) => match at.checked_sub(self.limits.len()) {
                None => Variable::Limit(at),
                Some(at) => Variable::Surplus(self.surpluses[at]),
            },
        }
    }
}

enum Variable {
    /// The price of an inequality.
    Price,
    Limit(usize),
    /// How much more pods of a demand would be worth at the prices of resources than their reward.
    Surplus(usize),
}

impl LimitRow {
    fn scaled(&self, column: usize) -> i128 {
        (i128::from(self.charges[column]) << POINT) >> self.shift
    }
}

impl TableauRows for ScarceDual<'_> {
    fn height(&self) -> usize {
        self.columns() + self.rewards.len()
    }

    fn entry(&self, row: usize, variable: usize) -> i128 {
        let demand = row.checked_sub(self.columns());
        match (self.variable(variable), demand) {
            (Variable::Price, None) => self.dual.entry(row, variable),
            (Variable::Price, Some(demand)) => {
                let counted = &self.counted[variable];
                let at = counted.binary_search_by_key(&demand, |(demand, _)| *demand);
                at.map_or(0, |at| self.dual.scaled(variable, counted[at].1))
            }
            (Variable::Limit(at), None) => -self.limits[at].scaled(row),
            (Variable::Surplus(of), Some(demand)) if of == demand => -ONE,
            (Variable::Limit(_), Some(_)) | (Variable::Surplus(_), _) => 0,
        }
    }

    fn weigh(&self, variable: usize, value: i128, sums: &mut [i128]) {
        let columns = self.columns();
        match self.variable(variable) {
            Variable::Price => {
                self.dual.weigh(variable, value, sums);
                for (demand, each) in &self.counted[variable] {
                    sums[columns + demand] += times(self.dual.scaled(variable, *each), value);
                }
            }
            Variable::Limit(at) => {
                for (column, sum) in sums.iter_mut().enumerate().take(columns) {
                    *sum -= times(self.limits[at].scaled(column), value);
                }
            }
            Variable::Surplus(demand) => sums[columns + demand] -= value,
        }
    }

    fn bound(&self, row: usize) -> i128 {
        match row.checked_sub(self.columns()) {
            None => self.dual.bounds[row],
            Some(demand) => self.rewards[demand],
        }
    }
}

impl DualValues {
    /// What pods are worth and nodes count for where something is scarce: what they cost, and what
    /// they take of limits at the prices of these.
    pub(crate) fn of_scarce(
        compiled: &Compiled,
        demands: &[Demand],
        supply: RemainingCapacity<'_>,
        catalog: Arc<BinCatalog>,
        known: &mut SlotTable,
    ) -> Self {
        let catalog_and_reserved = (catalog, Some(supply.supplies));
        let found = Relaxation::unpriced(compiled, demands, &[], catalog_and_reserved, known);
        let rewards = rewards(compiled, demands, found.highest);
        let highest = rewards.iter().copied().max().unwrap_or(1).max(1);
        let found = Relaxation { highest, ..found };
        let counted: Vec<Vec<(usize, i64)>> = found
            .inequalities
            .iter()
            .map(|inequality| found.counted(compiled, demands, inequality))
            .collect();
        let mut dual = Dual::new(&found.columns, &found.inequalities, highest);
        for (column, bound) in dual.bounds.iter_mut().enumerate() {
            if !supply.open.contains(column) {
                *bound = NEVER;
            }
        }
        let scarce = ScarceDual {
            limits: limits(compiled, supply),
            surpluses: surpluses(compiled, demands, MAX_SURPLUSES),
            counted,
            rewards: rewards.iter().map(|reward| (reward << POINT) / highest).collect(),
            dual,
        };
        let (shares, prices) = scarce.solve(demands);
        let charged: Vec<i64> = (0..compiled.bin_types.len())
            .map(|column| {
                let each = scarce.limits.iter().zip(&prices).map(|(limit, price)| {
                    let charge = i128::from(limit.charges[column]);
                    price.price(highest).saturating_mul(charge) >> POINT
                });
                let sum = each.fold(0_i128, i128::saturating_add).min(i128::from(i64::MAX / 2));
                i64::try_from(sum).unwrap_or(i64::MAX / 2)
            })
            .collect();
        let found = Relaxation { shares, ..found };
        let mut worth = found.worth(compiled, demands);
        worth.costs.iter_mut().zip(charged).for_each(|(cost, more)| *cost += more);
        for (demand, reward) in demands.iter().zip(rewards) {
            let most = i64::try_from(reward.saturating_mul(ONE) / highest).unwrap_or(i64::MAX);
            worth.cap(demand.item, most);
        }
        worth
    }

    /// Every pod is worth the same, but for the part of a node that it takes and the nodes that its
    /// item needs; nodes count for the share that they take of what is left of the limit of which
    /// they take most.
    pub(crate) fn of_pods(
        compiled: &Compiled,
        demands: &[Demand],
        supply: RemainingCapacity<'_>,
        catalog: &BinCatalog,
    ) -> Self {
        let dims = compiled.dims.len();
        let mut worth = Self {
            by_dim: IdTable::filled(compiled.items.len(), dims, 0),
            slot: compiled.items.iter().map(|_| 0).collect(),
            most_values: vec![i128::MAX; compiled.bin_types.len()],
            costs: catalog.costs.clone(),
            highest: 1 << 30,
        };
        let mut most = vec![1_i64; dims];
        for column in supply.open.iter() {
            let room = &compiled.shapes[compiled.bin_types[column].shape].allocatable;
            most.iter_mut().zip(room).for_each(|(most, have)| *most = *have.max(most));
        }
        // How many nodes' worth of room an item fills by itself: where few of its pods may share a
        // node, as many as it has pods.
        let nodes = |demand: &Demand| {
            let item = &compiled.items[demand.item];
            let each = fits(&most, &item.request, item.per_node).max(1);
            i64::from(demand.count.div_ceil(each))
        };
        let widest = demands.iter().map(nodes).max().unwrap_or(1).max(1);
        for demand in demands {
            let parts = compiled.items[demand.item].request.iter().zip(&most);
            let part = parts.map(|(asked, most)| (i128::from(*asked) << 16) / i128::from(*most));
            let part = i64::try_from(part.max().unwrap_or(0).clamp(0, 1 << 16)).unwrap_or(0);
            // Small pods before large ones; of like ones those that need the most nodes.
            let spread = (nodes(demand) << 14) / widest;
            worth.slot[demand.item] = (1 << 20) - part + spread;
        }
        let dearest = catalog.costs.iter().copied().max().unwrap_or(0).max(1);
        for (at, bin_type) in compiled.bin_types.iter().enumerate() {
            let share = supply.supplies.limit_share(compiled.draw_of(bin_type), 1 << 40);
            let share = share.min(1 << 42);
            // Of those that take the same of a limit the cheaper counts for less.
            let cost = (i128::from(catalog.costs[at]) << 20) / i128::from(dearest);
            worth.costs[at] = i64::try_from(share + cost).unwrap_or(i64::MAX).max(1);
        }
        worth
    }

    /// Lowers what a pod of an item is worth, all parts alike, to so much.
    fn cap(&mut self, item: ItemId, most: i64) {
        let worth = self.of(item);
        if worth <= most {
            return;
        }
        let part = |part: i64| {
            let less = i128::from(part).saturating_mul(most.into()) / i128::from(worth.max(1));
            i64::try_from(less).unwrap_or(i64::MAX)
        };
        self.by_dim[item].iter_mut().for_each(|of_dim| *of_dim = part(*of_dim));
        self.slot[item] = part(self.slot[item]);
    }
}

impl ScarceDual<'_> {
    /// The prices of the inequalities, and those of the limits.
    pub(super) fn solve(&self, demands: &[Demand]) -> (Vec<InequalityPrice>, Vec<InequalityPrice>) {
        let most = self.limits.iter().map(|limit| limit.left >> limit.shift);
        let most = most.max().unwrap_or(0).max(self.dual.most()) + 1;
        let of_limits = self
            .limits
            .iter()
            .map(|limit| -(limit.left.saturating_mul(ONE) / (most << limit.shift)));
        let of_surpluses = self
            .surpluses
            .iter()
            .map(|demand| -(i128::from(demands[*demand].count).saturating_mul(ONE) / most));
        let mut gains = self.dual.gains(most);
        gains.extend(of_limits);
        gains.extend(of_surpluses);
        // What a demand may be worth stops the prices of all that it asks for: without a surplus by
        // itself, with one together with all others that ask for the same.
        let with = self.surpluses.iter().copied();
        let without = self.counted.iter().filter_map(|counted| {
            let hard = counted.iter().filter(|(demand, _)| !self.surpluses.contains(demand));
            hard.max_by_key(|(demand, each)| (*each, Reverse(*demand))).map(|(demand, _)| *demand)
        });
        let rewards: BTreeSet<usize> =
            with.chain(without).map(|demand| self.columns() + demand).collect();
        let columns: BTreeSet<usize> =
            self.dual.start().filter(|at| self.dual.bounds[*at] < NEVER).collect();
        let solution = maximize(&gains, self, columns.into_iter().chain(rewards));
        let shifts = self.dual.shifts.iter().copied();
        let shifts = shifts.chain(self.limits.iter().map(|limit| limit.shift));
        let mut shares: Vec<InequalityPrice> = solution
            .into_iter()
            .zip(shifts)
            .map(|(share, shift)| InequalityPrice { share, scale: 1 << shift })
            .collect();
        let limits = shares.split_off(self.counted.len());
        (shares, limits)
    }
}

/// The limits that bin types which can be bought are charged against.
pub(super) fn limits(compiled: &Compiled, supply: RemainingCapacity<'_>) -> Vec<LimitRow> {
    let mut limits = Vec::new();
    for (pool, of_pool) in compiled.pools.iter() {
        for at in 0..of_pool.limits.len() {
            let charge = |column: usize| {
                let of_bin_type = &compiled.bin_types[column];
                let charged = of_bin_type.pool == pool && supply.open.contains(column);
                if charged { compiled.shapes[of_bin_type.shape].charge[at].max(0) } else { 0 }
            };
            let charges: Vec<i64> = (0..compiled.bin_types.len()).map(charge).collect();
            let divisor = divisor(charges.iter().copied());
            let Some(largest) = charges.iter().copied().max().filter(|most| *most > 0) else {
                continue;
            };
            let left = supply.supplies.limits(pool)[at].max(0);
            let left = left - left % i128::from(divisor.max(1));
            let shift = bits(largest.unsigned_abs());
            limits.push(LimitRow { of: Some((pool, at)), charges, left, shift });
        }
    }
    // Those that admit the fewest of the largest nodes first.
    limits.sort_by_key(|limit| limit.left >> limit.shift);
    limits.truncate(MAX_LIMITS);
    limits
}

/// The greatest common divisor of some numbers; 0 where all are.
pub(super) fn divisor(numbers: impl Iterator<Item = i64>) -> i64 {
    numbers.fold(0, gcd)
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// What placing a pod of each demand is worth at most, in billionths.
fn rewards(compiled: &Compiled, demands: &[Demand], dearest: i128) -> Vec<i128> {
    let priority = |demand: &Demand| compiled.items[demand.item].priority;
    let priorities: BTreeSet<i32> = demands.iter().map(priority).collect();
    let levels = priorities.len().min(LEVELS);
    let reward = |demand: &Demand| {
        // The highest are told apart; all others count as the lowest of them.
        let above = priorities.range(priority(demand)..).count();
        let level = levels.saturating_sub(above);
        let bits = STEP * u32::try_from(level).unwrap_or(0);
        // An item of several pods that must share a node is worth as much as they are.
        let pods: u32 = compiled.items[demand.item].parts.iter().map(|(_, each)| each).sum();
        dearest.saturating_mul(REWARD).saturating_mul(i128::from(pods.max(1))) << bits
    };
    demands.iter().map(reward).collect()
}

/// The demands whose pods may be worth more at the prices of resources than their reward: those of
/// which one pod takes most of what all ask for, `most` at most.
pub(super) fn surpluses(compiled: &Compiled, demands: &[Demand], most: usize) -> Vec<usize> {
    let mut totals = vec![1_i128; compiled.dims.len()];
    for demand in demands {
        let request = &compiled.items[demand.item].request;
        for (total, asked) in totals.iter_mut().zip(request) {
            *total += i128::from((*asked).max(0)) * i128::from(demand.count);
        }
    }
    let share = |at: &usize| {
        let request = compiled.items[demands[*at].item].request.iter();
        let shares = request.zip(&totals).map(|(asked, total)| (i128::from(*asked) << 40) / total);
        (Reverse(shares.max()), *at)
    };
    let mut order: Vec<usize> = (0..demands.len()).collect();
    order.sort_by_cached_key(share);
    order.truncate(most);
    order
}
