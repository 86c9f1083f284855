//! The resource-price bound.
//!
//! *Problem.* A lower bound on the price of the nodes that any plan must launch, cheap to compute
//! and easy to check.
//!
//! *Idea.* Every legal plan satisfies a few linear inequalities over the number `y_t` of nodes
//! bought of each bin type `t` (see [`crate::compile::BinType`]):
//!
//! - **Room.** Let `F` be a set of bin types, and take the items that can run on no bin type
//!   outside `F`. What they ask for of a resource `d` must be bought on bin types of `F`, or be
//!   free on running nodes that can take one of them: `Σ_{t∈F} C_td y_t ≥ Σ n_i r_id − Σ free_ed`.
//! - **Slots.** No node of bin type `t` holds more than `m_it` pods of item `i`:
//!   `Σ_t m_it y_t ≥ n_i − Σ_e m_ie`.
//! - **Quotas.** Where a node holds at most `q` of some items together (those that keep each other
//!   off their nodes: one), `Σ_t q y_t ≥ Σ n_i − Σ_e q`, over the bin types and nodes that take
//!   any.
//! - **Reservations.** At most so many nodes use one: `−Σ_t y_t ≥ −U`.
//!
//! Multiply each by a price `λ ≥ 0` and add up. If for each bin type the prices of what a node
//! gives add up to at most what it costs (`Σ_k λ_k A_kt ≤ c_t`), then every plan costs at least
//! `Σ_k λ_k b_k`. The best prices are the dual of a small linear programme; which prices are used
//! plays no part in why the bound is right.
//!
//! *Proof.* The prices are rounded to integers (units of 2^-[`SCALE`] billionths), and scaled down
//! where a bin type's sum exceeds its cost. Dominated bin types need no check: what dominates them
//! lies in the same sets, gives as much and costs no more. What they prove is worked out in
//! `bound::published`, in integers alone.
//!
//! *Cost.* One linear programme with a row for each bin type and at most as many variables as
//! inequalities are kept (see `bound::inequality`), solved with the few rows that matter.
//!
//! References: Farley 1990 (bounds from any dual prices); the "L0" and "L1" bounds of vector bin
//! packing with variable bin sizes; Dantzig and Wolfe 1960.
//!
//! *Example.* Ten pods of 1.5 cores, nodes of 4 cores for $0.20. Room says 15 cores ≤ 4 y, so y ≥
//! 3.75; slots say 10 ≤ 2 y, so y ≥ 5: two pods fit on a node, whatever the room. The slot
//! inequality gets the price, each pod is worth $0.10, and the bound is $1.00.

use super::catalog::{BinCatalog, SlotTable};
use super::inequality::{DemandGroups, Inequality, InequalityKind, RelaxationColumns};
use super::simplex::{ONE, POINT, TableauRows, maximize, times};
use crate::compile::{Compiled, IdTable, IdVec, ItemId, NodeId, SupplyLedger};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Prices are integers in units of 2^-SCALE billionths per unit of resource.
const SCALE: u32 = POINT;
/// How many pods of an item must be placed, and on bin types of which weight.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Demand {
    pub(crate) item: ItemId,
    /// Bin types of this weight alone; `None`: of any.
    pub(crate) weight: Option<i32>,
    pub(crate) count: u32,
    /// How many of these no running node can take: at least so many need a launch.
    pub(crate) beyond_running: u32,
}

/// Inequalities that every plan for a demand satisfies, and prices for them.
#[derive(Debug)]
pub(crate) struct Relaxation {
    pub(super) inequalities: Vec<Inequality>,
    /// What the linear programme says each is worth.
    pub(super) shares: Vec<InequalityPrice>,
    pub(super) columns: RelaxationColumns,
    pub(super) asked: DemandGroups,
    /// The cost of the dearest bin type, or the highest reward: what shares are parts of.
    pub(super) highest: i128,
}

/// The price of an inequality as the linear programme has it: `share` for `scale` units, in parts
/// 2^-[`SCALE`] of what the dearest bin type costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct InequalityPrice {
    pub(super) share: i128,
    pub(super) scale: i128,
}

impl InequalityPrice {
    /// The price of one unit in units of 2^-[`SCALE`] billionths, where a share of one is so much.
    pub(super) fn price(&self, highest: i128) -> i128 {
        self.share.saturating_mul(highest) / self.scale
    }
}

/// What one pod of each item is worth: what the bound counts for it, in parts 2^-40 of what the
/// dearest bin type costs, so that the unit of prices plays no part.
///
/// Sums of parts fit 64 bits: each is at most [`MAX_WORTH`]. The unit is a part of the dearest
/// node, so that prices of a cent and of a thousand dollars are treated alike.
#[derive(Clone, Debug)]
pub(crate) struct DualValues {
    pub(super) highest: i128,
    /// For each item, by resource.
    pub(crate) by_dim: IdTable<ItemId, i64>,
    /// For each item, what is no resource's.
    pub(crate) slot: IdVec<ItemId, i64>,
    /// For each bin type, what its node can be worth at most.
    pub(super) most_values: Vec<i128>,
    /// For each bin type, what its node counts for, in billionths: what it costs, and what it takes
    /// of limits at their prices.
    pub(super) costs: Vec<i64>,
}

impl DualValues {
    /// How efficiently a node that costs so much is used by pods worth so much, in parts 2^-40;
    /// what costs nothing is used best.
    ///
    /// One (2^40) is a node that is worth all that it costs. It is never zero for a node that costs
    /// anything, so that worthless pods find a place too.
    pub(crate) fn efficiency(&self, worth: i128, cost: i64) -> u128 {
        let worth = u128::try_from(worth.max(0)).unwrap_or(0);
        let share = i128::from(cost.max(0)).saturating_mul(ONE) / self.highest;
        match u128::try_from(share).unwrap_or(0) {
            0 => u128::MAX,
            share => (worth.saturating_mul(1 << 40) / share).max(1),
        }
    }

    /// What so much worth is in billionths, to the nearest.
    pub(crate) fn amount(&self, worth: i128) -> i128 {
        worth.saturating_mul(self.highest).saturating_add(ONE / 2) / ONE
    }

    /// What a node of a bin type counts for: its cost, and what it takes of limits at their prices.
    pub(crate) fn cost(&self, column: usize) -> i64 {
        self.costs[column]
    }

    /// What a node of a bin type can be worth at most: what is paid for all that it has.
    pub(crate) fn most_value(&self, column: usize) -> i128 {
        self.most_values[column]
    }

    /// The worth of one pod.
    pub(crate) fn of(&self, item: ItemId) -> i64 {
        self.by_dim[item].iter().fold(self.slot[item], |sum, part| sum.saturating_add(*part))
    }
}

/// The most that one part of a pod's worth may be, so that sums of them can't overflow.
const MAX_WORTH: i128 = 1 << 48;

impl Relaxation {
    /// Finds prices for a demand that these running nodes can help to meet. What is known of slots
    /// is used, and what is found is added to it.
    ///
    /// Running nodes are given as those that can help: what is free there needn't be bought.
    pub(crate) fn new(
        compiled: &Compiled,
        demands: &[Demand],
        running: &[NodeId],
        catalog: Arc<BinCatalog>,
        known: &mut SlotTable,
    ) -> Self {
        let found = Self::unpriced(compiled, demands, running, (catalog, None), known);
        Self { shares: shares(&found.columns, &found.inequalities, found.highest), ..found }
    }

    /// As [`Relaxation::new`] without running nodes, where reservations take so many nodes each.
    pub(crate) fn of_rest(
        compiled: &Compiled,
        demands: &[Demand],
        (catalog, supplies): (Arc<BinCatalog>, &SupplyLedger),
        known: &mut SlotTable,
    ) -> Self {
        let found = Self::unpriced(compiled, demands, &[], (catalog, Some(supplies)), known);
        Self { shares: shares(&found.columns, &found.inequalities, found.highest), ..found }
    }

    /// The inequalities, without prices; reservations as they are where nothing else is said of
    /// them.
    pub(super) fn unpriced(
        compiled: &Compiled,
        demands: &[Demand],
        running: &[NodeId],
        (catalog, supplies): (Arc<BinCatalog>, Option<&SupplyLedger>),
        known: &mut SlotTable,
    ) -> Self {
        let asked = DemandGroups::new(compiled, demands);
        let columns = RelaxationColumns::new(compiled, &asked, catalog);
        let mut inequalities = columns.inequalities(compiled, demands, &asked, running, known);
        for inequality in &mut inequalities {
            if let (InequalityKind::Reservation { id }, Some(supplies)) =
                (inequality.kind, supplies)
            {
                inequality.bound = -i128::from(supplies.reserved(id));
            }
        }
        let highest = i128::from(columns.catalog.costs.iter().copied().max().unwrap_or(0).max(1));
        Self { inequalities, shares: Vec::new(), columns, asked, highest }
    }

    /// The price of each inequality in units of 2^-[`SCALE`] billionths, such that no bin type
    /// gives more than it costs.
    pub(super) fn prices(&self) -> Vec<i128> {
        let mut prices: Vec<i128> =
            self.shares.iter().map(|share| share.price(self.highest)).collect();
        repair(&self.columns, &self.inequalities, &mut prices);
        prices
    }

    /// What one pod of each demand is worth, in billionths per hour.
    pub(crate) fn values(&self, compiled: &Compiled, demands: &[Demand]) -> Vec<i128> {
        let mut values = vec![0_i128; demands.len()];
        for (inequality, price) in self.inequalities.iter().zip(&self.shares) {
            let price = price.price(self.highest);
            if price == 0 {
                continue;
            }
            for (demand, each) in self.counted(compiled, demands, inequality) {
                let worth = price.saturating_mul(each.into()) >> POINT;
                values[demand] = values[demand].saturating_add(worth);
            }
        }
        values
    }

    /// What one pod of each item is worth.
    ///
    /// An inequality's price goes to what it counts: of a resource in proportion to what each pod
    /// asks, of slots and cardinality constraints by the pod.
    pub(crate) fn worth(&self, compiled: &Compiled, demands: &[Demand]) -> DualValues {
        let dims = compiled.dims.len();
        let mut worth = DualValues {
            by_dim: IdTable::filled(compiled.items.len(), dims, 0),
            slot: compiled.items.iter().map(|_| 0).collect(),
            most_values: vec![0; compiled.bin_types.len()],
            costs: self.columns.catalog.costs.clone(),
            highest: self.highest,
        };
        for (inequality, price) in self.inequalities.iter().zip(&self.shares) {
            let price = price.share.saturating_mul(ONE) / price.scale;
            if price == 0 {
                continue;
            }
            let part = |amount: i64| {
                let exact = price.saturating_mul(i128::from(amount)) >> POINT;
                i64::try_from(exact.min(MAX_WORTH)).unwrap_or(i64::MAX)
            };
            for (column, most_value) in worth.most_values.iter_mut().enumerate() {
                let given = self.columns.amount(inequality, column).max(0);
                *most_value = most_value.saturating_add(i128::from(part(given)) + 1);
            }
            match inequality.kind {
                InequalityKind::Room { set, dim } => {
                    let inside = self.inside(set);
                    for (demand, place) in demands.iter().zip(&self.asked.set_of) {
                        if inside[*place] {
                            let request = compiled.items[demand.item].request[dim];
                            worth.by_dim[demand.item][dim] += part(request);
                        }
                    }
                }
                InequalityKind::Slots { demand } => worth.slot[demands[demand].item] += part(1),
                InequalityKind::Cardinality { place } => {
                    for (item, each) in &compiled.cardinality_constraints[place].items {
                        worth.slot[*item] += part(i64::from(*each));
                    }
                }
                InequalityKind::Reservation { .. } => {}
            }
        }
        worth
    }

    /// For each set of bin types, whether a family has them all.
    fn inside(&self, family: usize) -> Vec<bool> {
        let family = &self.columns.families[family];
        self.asked.sets.iter().map(|set| family.includes(&set.bin_types)).collect()
    }

    /// The demands that an inequality counts, and what one pod of each counts for. What no bin type
    /// can take isn't bought and counts for nothing.
    pub(super) fn counted(
        &self,
        compiled: &Compiled,
        demands: &[Demand],
        inequality: &Inequality,
    ) -> Vec<(usize, i64)> {
        let bought = |at: &usize| !self.asked.bin_types(*at).is_empty();
        match inequality.kind {
            InequalityKind::Room { set, dim } => {
                let inside = self.inside(set);
                let asked = (0..demands.len())
                    .filter(|at| inside[self.asked.set_of[*at]] && bought(at))
                    .map(|at| (at, compiled.items[demands[at].item].request[dim]));
                asked.filter(|(_, each)| *each > 0).collect()
            }
            InequalityKind::Slots { demand } => vec![(demand, 1)],
            InequalityKind::Cardinality { place } => {
                let items: BTreeMap<ItemId, u32> =
                    compiled.cardinality_constraints[place].items.iter().copied().collect();
                let of_item = |at: usize| Some((at, i64::from(*items.get(&demands[at].item)?)));
                (0..demands.len()).filter(bought).filter_map(of_item).collect()
            }
            InequalityKind::Reservation { .. } => Vec::new(),
        }
    }
}

/// The dual programme: a row for each bin type, what its node gives at the prices and what it
/// costs.
///
/// Coefficients are divided by powers of two until the largest is about one, so that bytes and
/// cores meet in one programme without losing digits.
pub(super) struct Dual<'a> {
    pub(super) columns: &'a RelaxationColumns,
    pub(super) inequalities: &'a [Inequality],
    /// For each inequality the power of two by which it is divided, so that its largest coefficient
    /// is between a half and one.
    pub(super) shifts: Vec<u32>,
    /// What each bin type costs, in parts of what the dearest does.
    pub(super) bounds: Vec<i128>,
}

/// The bits that a number takes.
pub(super) fn bits(number: u64) -> u32 {
    u64::BITS - number.leading_zeros()
}

impl<'a> Dual<'a> {
    /// The programme of some inequalities, in parts of `highest`.
    pub(super) fn new(
        columns: &'a RelaxationColumns,
        inequalities: &'a [Inequality],
        highest: i128,
    ) -> Self {
        let shifts = inequalities.iter().map(|row| bits(row.largest.unsigned_abs())).collect();
        let part = |cost: &i64| (i128::from((*cost).max(0)) << POINT) / highest;
        let bounds = columns.catalog.costs.iter().map(part).collect();
        Self { columns, inequalities, shifts, bounds }
    }

    /// What a unit of each price gains, `most` for one.
    pub(super) fn gains(&self, most: i128) -> Vec<i128> {
        let rows = self.inequalities.iter().zip(&self.shifts);
        rows.map(|(row, shift)| row.bound.saturating_mul(ONE) / (most << shift)).collect()
    }

    /// What the largest gain is before it is scaled, or a little more.
    pub(super) fn most(&self) -> i128 {
        let rows = self.inequalities.iter().zip(&self.shifts);
        rows.map(|(row, shift)| row.bound.abs() >> shift).max().unwrap_or(0) + 1
    }

    /// To begin with, each price is stopped by the bin type that gives most for its cost.
    pub(super) fn start(&self) -> impl Iterator<Item = usize> + use<'a> {
        self.inequalities.iter().filter_map(|row| row.cheapest)
    }

    /// A coefficient of an inequality, fixed-point.
    pub(super) fn scaled(&self, variable: usize, amount: i64) -> i128 {
        (i128::from(amount) << POINT) >> self.shifts[variable]
    }
}

impl TableauRows for Dual<'_> {
    fn height(&self) -> usize {
        self.columns.catalog.costs.len()
    }

    fn entry(&self, row: usize, variable: usize) -> i128 {
        self.scaled(variable, self.columns.amount(&self.inequalities[variable], row))
    }

    fn weigh(&self, variable: usize, value: i128, sums: &mut [i128]) {
        self.columns.for_each_amount(&self.inequalities[variable], |row, amount| {
            sums[row] += times(self.scaled(variable, amount), value);
        });
    }

    fn bound(&self, row: usize) -> i128 {
        self.bounds[row]
    }
}

/// The prices for the inequalities that the linear programme finds.
fn shares(
    columns: &RelaxationColumns,
    inequalities: &[Inequality],
    highest: i128,
) -> Vec<InequalityPrice> {
    let dual = Dual::new(columns, inequalities, highest);
    // Gains too are scaled so that the largest is about one.
    let solution = maximize(&dual.gains(dual.most()), &dual, dual.start());
    let scales = dual.shifts.iter().map(|shift| 1 << shift);
    solution
        .into_iter()
        .zip(scales)
        .map(|(share, scale)| InequalityPrice { share, scale })
        .collect()
}

/// What a node of a bin type gives to inequalities at their prices.
pub(super) fn given<'i>(
    columns: &RelaxationColumns,
    priced: impl Iterator<Item = (&'i Inequality, &'i i128)>,
    column: usize,
) -> i128 {
    priced.filter(|(_, price)| **price != 0).fold(0_i128, |sum, (row, price)| {
        let amount = i128::from(columns.amount(row, column));
        sum.saturating_add(price.saturating_mul(amount))
    })
}

/// Lowers prices until no bin type gives more than it costs: exact, in integers.
///
/// First what is free must give nothing, or no factor would help; then one factor for all prices,
/// the least that is needed. Prices of reservations are kept: they are subtracted from what a bin
/// type gives, so they never break a row.
fn repair(columns: &RelaxationColumns, inequalities: &[Inequality], prices: &mut [i128]) {
    let given = |column, prices: &[i128]| given(columns, inequalities.iter().zip(prices), column);
    // What a free node gives must be worth nothing.
    for (column, cost) in columns.catalog.costs.iter().enumerate() {
        if *cost == 0 && given(column, prices) > 0 {
            for (row, price) in inequalities.iter().zip(prices.iter_mut()) {
                if columns.amount(row, column) > 0 {
                    *price = 0;
                }
            }
        }
    }
    // One factor for all prices keeps their proportions: Farley's scaling.
    const FACTOR: u32 = 30;
    let mut factor = 1_i128 << FACTOR;
    for (column, cost) in columns.catalog.costs.iter().enumerate() {
        let (given, cost) = (given(column, prices), i128::from(*cost) << SCALE);
        if given > cost {
            factor = factor.min(cost.saturating_mul(1 << FACTOR) / given);
        }
    }
    if factor < 1 << FACTOR {
        // Prices of reservations stay: they only make the sums smaller.
        for (row, price) in inequalities.iter().zip(prices.iter_mut()) {
            if !matches!(row.kind, InequalityKind::Reservation { .. }) {
                *price = price.saturating_mul(factor) >> FACTOR;
            }
        }
    }
}
