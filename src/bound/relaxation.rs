//! The resource-price bound.
//!
//! *Problem.* A lower bound on the price of the nodes that any plan must launch, cheap to compute and
//! easy to check.
//!
//! *Idea.* Every legal plan satisfies a few linear inequalities over the number `y_t` of nodes bought
//! of each column `t` (see [`crate::compile::Column`]):
//!
//! - **Room.** Let `F` be a set of columns, and take the classes that can run on no column outside
//!   `F`. What they ask for of a resource `d` must be bought on columns of `F`, or be free on running
//!   nodes that can take one of them: `Σ_{t∈F} C_td y_t ≥ Σ n_i r_id − Σ free_ed`.
//! - **Slots.** No node of column `t` holds more than `m_it` pods of class `i`:
//!   `Σ_t m_it y_t ≥ n_i − Σ_e m_ie`.
//! - **Reservations.** At most so many nodes use one: `−Σ_t y_t ≥ −U`.
//!
//! Multiply each by a price `λ ≥ 0` and add up. If for each column the prices of what a node gives add
//! up to at most what it costs (`Σ_k λ_k A_kt ≤ c_t`), then every plan costs at least `Σ_k λ_k b_k`.
//! The best prices are the dual of a small linear programme; which prices are used plays no part in
//! why the bound is right.
//!
//! *Certificate.* The prices are rounded to integers (units of 2^-[`SCALE`] billionths), scaled down
//! where a column's sum exceeds its cost, and the bound is computed from them in integers alone.
//! Dominated columns need no check: what dominates them lies in the same sets, gives as much and costs
//! no more.
//!
//! *Cost.* One linear programme with a row for each column and at most [`MAX_PRICES`] variables.
//!
//! References: Farley 1990 (bounds from any dual prices); the "L0" and "L1" bounds of vector bin
//! packing with variable bin sizes; Dantzig and Wolfe 1960.

use super::simplex::{ONE, POINT, Rows, maximize};
use crate::compile::{Bits, ClassId, Column, Compiled, Id, IdVec, NodeId};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Prices are integers in units of 2^-SCALE billionths per unit of resource.
const SCALE: u32 = POINT;
/// The most prices that are worked out: the sets and slots with the most at stake come first.
const MAX_PRICES: usize = 48;
/// The most sets of columns for which room is asked.
const MAX_SETS: usize = 48;

/// How many pods of a class must be placed, and on columns of which weight.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Demand {
    pub(crate) class: ClassId,
    /// Columns of this weight alone; `None`: of any.
    pub(crate) weight: Option<i32>,
    pub(crate) count: u32,
    /// How many of these no running node can take: at least so many need a launch.
    pub(crate) beyond_running: u32,
}

/// One inequality `Σ_t a_t y_t ≥ b` that every plan satisfies.
#[derive(Clone, Debug)]
struct Inequality {
    kind: Kind,
    /// The coefficient of each column.
    columns: Vec<i64>,
    bound: i128,
    /// Of the columns without a reservation the one that gives most for its cost.
    cheapest: Option<usize>,
}

/// An inequality before all of its coefficients are listed: most are never used.
struct Found {
    kind: Kind,
    bound: i128,
    /// What it alone proves.
    stake: u128,
    cheapest: Option<usize>,
    /// The coefficient of each column, where they had to be worked out anyway.
    columns: Vec<i64>,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Kind {
    /// Of a resource, on a set of columns.
    Room { set: usize, dim: usize },
    /// Of nodes for a class.
    Slots { class: ClassId },
    /// Of a reservation.
    Reservation,
}

/// Inequalities that every plan for a demand satisfies, and prices for them.
#[derive(Debug)]
pub(crate) struct Relaxation {
    inequalities: Vec<Inequality>,
    /// What the linear programme says each is worth.
    shares: Vec<Share>,
    /// What each column costs, in billionths.
    costs: Vec<i64>,
    /// The cost of the dearest column.
    highest: i128,
    /// For each demand, the set of columns that can take it.
    sets: Vec<Bits>,
    /// The sets of columns for which room is asked.
    families: Vec<Bits>,
    /// A lower bound that needs no prices.
    plain: i128,
}

/// The price of an inequality as the linear programme has it: `share` for `scale` units, in parts
/// 2^-[`SCALE`] of what the dearest column costs.
#[derive(Clone, Copy, Debug)]
struct Share {
    share: i128,
    scale: i128,
}

/// What one pod of each class is worth: what the bound counts for it, in parts 2^-40 of what the
/// dearest column costs, so that the unit of prices plays no part.
#[derive(Clone, Debug)]
pub(crate) struct Worth {
    highest: i128,
    /// For each class, by resource.
    pub(crate) by_dim: IdVec<ClassId, Vec<i64>>,
    /// For each class, what is no resource's.
    pub(crate) slot: IdVec<ClassId, i64>,
    /// For each column, what its node can be worth at most.
    ceilings: Vec<i128>,
}

impl Worth {
    /// How efficiently a node that costs so much is used by pods worth so much, in parts 2^-24; what
    /// costs nothing is used best.
    pub(crate) fn rate(&self, worth: i128, cost: i64) -> u128 {
        let worth = u128::try_from(worth.max(0)).unwrap_or(0);
        let share = i128::from(cost.max(0)).saturating_mul(ONE) / self.highest;
        match u128::try_from(share).unwrap_or(0) {
            0 => u128::MAX,
            share => ((worth << 24) / share).max(1),
        }
    }

    /// What a node of a column can be worth at most: what is paid for all that it has.
    pub(crate) fn ceiling(&self, column: usize) -> i128 {
        self.ceilings[column]
    }

    /// The worth of one pod.
    pub(crate) fn of(&self, class: ClassId) -> i64 {
        self.by_dim[class].iter().fold(self.slot[class], |sum, part| sum.saturating_add(*part))
    }
}

/// The most that one part of a pod's worth may be, so that sums of them can't overflow.
const MAX_WORTH: i128 = 1 << 48;

impl Relaxation {
    /// Finds prices for a demand that these running nodes can help to meet. `fee` is added to the
    /// price of every launch.
    pub(crate) fn new(
        compiled: &Compiled<'_>,
        demands: &[Demand],
        running: &[NodeId],
        fee: i64,
    ) -> Self {
        let costs: Vec<i64> =
            compiled.columns.iter().map(|column| column.price.saturating_add(fee)).collect();
        let sets: Vec<Bits> = demands.iter().map(|demand| takers(compiled, demand)).collect();
        let plain = demands.iter().zip(&sets).filter(|(demand, _)| demand.beyond_running > 0);
        let plain = plain.filter_map(|(_, set)| set.iter().map(|column| costs[column]).min()).max();
        let families = families(compiled, demands, &sets);
        let mut found = rooms(compiled, demands, running, &sets, &families, &costs);
        found.extend(slot_rows(compiled, demands, &sets, &costs));
        let inequalities = chosen(compiled, &families, found);
        let highest = i128::from(costs.iter().copied().max().unwrap_or(0).max(1));
        let shares = shares(&inequalities, &costs, highest);
        Self {
            inequalities,
            shares,
            costs,
            highest,
            sets,
            families,
            plain: plain.map_or(0, i128::from),
        }
    }

    /// No plan for the demand costs less, in billionths per hour, fees included.
    pub(crate) fn lower_bound(&self) -> i128 {
        let prices = self.prices();
        let priced = self.inequalities.iter().zip(&prices);
        let sum = priced.fold(0_i128, |sum, (inequality, price)| {
            sum.saturating_add(price.saturating_mul(inequality.bound))
        });
        // The least whole number that is not below the sum: prices are whole.
        let whole = (sum >> SCALE) + i128::from(sum & ((1 << SCALE) - 1) != 0);
        whole.max(self.plain)
    }

    /// The price of each inequality in units of 2^-[`SCALE`] billionths, such that no column gives
    /// more than it costs.
    fn prices(&self) -> Vec<i128> {
        let exact = |price: &Share| price.share.saturating_mul(self.highest) / price.scale;
        let mut prices: Vec<i128> = self.shares.iter().map(exact).collect();
        repair(&self.inequalities, &self.costs, &mut prices);
        prices
    }

    /// What one pod of each class is worth.
    pub(crate) fn worth(&self, compiled: &Compiled<'_>, demands: &[Demand]) -> Worth {
        let dims = compiled.dims.len();
        let of_unit = |price: &Share| price.share.saturating_mul(ONE) / price.scale;
        let of_units: Vec<i128> = self.shares.iter().map(of_unit).collect();
        let mut ceilings = vec![0_i128; compiled.columns.len()];
        for (inequality, price) in self.inequalities.iter().zip(&of_units) {
            for (ceiling, amount) in ceilings.iter_mut().zip(&inequality.columns) {
                let exact = price.saturating_mul(i128::from((*amount).max(0))) >> POINT;
                *ceiling = ceiling.saturating_add(exact.min(MAX_WORTH) + 1);
            }
        }
        let mut worth = Worth {
            ceilings,
            by_dim: compiled.classes.iter().map(|_| vec![0; dims]).collect(),
            slot: compiled.classes.iter().map(|_| 0).collect(),
            highest: self.highest,
        };
        for (demand, set) in demands.iter().zip(&self.sets) {
            let request = &compiled.classes[demand.class].request;
            for (inequality, price) in self.inequalities.iter().zip(&of_units) {
                if *price == 0 {
                    continue;
                }
                let part = |amount: i64| {
                    let exact = price.saturating_mul(i128::from(amount)) >> POINT;
                    i64::try_from(exact.min(MAX_WORTH)).unwrap_or(i64::MAX)
                };
                match inequality.kind {
                    Kind::Room { set: of, dim } => {
                        if set.is_empty() || self.families[of].includes(set) {
                            worth.by_dim[demand.class][dim] += part(request[dim]);
                        }
                    }
                    Kind::Slots { class } if class == demand.class => {
                        worth.slot[class] += part(1);
                    }
                    Kind::Slots { .. } | Kind::Reservation => {}
                }
            }
        }
        worth
    }
}

/// The columns that can take one pod of a demand.
fn takers(compiled: &Compiled<'_>, demand: &Demand) -> Bits {
    let mut takers = compiled.takers[demand.class].clone();
    if let Some(weight) = demand.weight {
        for (at, column) in compiled.columns.iter().enumerate() {
            if column.weight != weight {
                takers.remove(at);
            }
        }
    }
    takers
}

/// The sets of columns for which room is asked: the distinct sets of the demands, or where they are
/// many the [`MAX_SETS`] of which most is asked, and the set of all columns that any demand can use.
fn families(compiled: &Compiled<'_>, demands: &[Demand], sets: &[Bits]) -> Vec<Bits> {
    let mut totals = vec![1_i128; compiled.dims.len()];
    let asked = |demand: &Demand| {
        let count = i128::from(demand.count);
        compiled.classes[demand.class].request.iter().map(move |each| i128::from(*each) * count)
    };
    for demand in demands {
        totals.iter_mut().zip(asked(demand)).for_each(|(total, more)| *total += more);
    }
    let mut shares: BTreeMap<&Bits, i128> = BTreeMap::new();
    let mut union = Bits::none(compiled.columns.len());
    for (demand, set) in demands.iter().zip(sets).filter(|(_, set)| !set.is_empty()) {
        union.or(set);
        let share = asked(demand).zip(&totals).map(|(more, total)| (more << 20) / total);
        *shares.entry(set).or_insert(0) += share.sum::<i128>();
    }
    let _all = shares.entry(&union).or_insert(i128::MAX);
    let mut ranked: Vec<(Reverse<i128>, &Bits)> =
        shares.into_iter().map(|(set, share)| (Reverse(share), set)).collect();
    ranked.sort_unstable();
    ranked.truncate(MAX_SETS);
    ranked.into_iter().map(|(_, set)| set).filter(|set| !set.is_empty()).cloned().collect()
}

/// The inequalities with the most at stake, and those of the reservations.
fn chosen(compiled: &Compiled<'_>, families: &[Bits], mut found: Vec<Found>) -> Vec<Inequality> {
    // The most at stake first; ties in a fixed order.
    found.sort_by_key(|found| (Reverse(found.stake), found.kind));
    found.truncate(MAX_PRICES);
    let complete = |found: Found| {
        let Found { kind, bound, cheapest, mut columns, .. } = found;
        if let Kind::Room { set, dim } = kind {
            columns = vec![0; compiled.columns.len()];
            for at in families[set].iter() {
                columns[at] = room(compiled, at, dim);
            }
        }
        Inequality { kind, columns, bound, cheapest }
    };
    let mut inequalities: Vec<Inequality> = found.into_iter().map(complete).collect();
    for (id, reserved) in compiled.reservations.iter() {
        let uses = |column: &Column| -i64::from(column.reservation == Some(id));
        let columns: Vec<i64> = compiled.columns.iter().map(uses).collect();
        if columns.iter().any(|uses| *uses != 0) {
            let bound = -i128::from(reserved.remaining);
            let kind = Kind::Reservation;
            inequalities.push(Inequality { kind, columns, bound, cheapest: None });
        }
    }
    inequalities
}

/// What an empty node of a column has of a resource.
fn room(compiled: &Compiled<'_>, column: usize, dim: usize) -> i64 {
    compiled.shapes[compiled.columns[column].shape].allocatable[dim].max(0)
}

/// For each distinct set of columns and each resource, what must be bought there.
fn rooms(
    compiled: &Compiled<'_>,
    demands: &[Demand],
    running: &[NodeId],
    sets: &[Bits],
    families: &[Bits],
    costs: &[i64],
) -> Vec<Found> {
    let dims = compiled.dims.len();
    // What is asked for of each resource, and by which rows, for each distinct set.
    let mut asked: BTreeMap<&Bits, (Vec<i128>, Bits)> = BTreeMap::new();
    for (demand, set) in demands.iter().zip(sets).filter(|(_, set)| !set.is_empty()) {
        let class = &compiled.classes[demand.class];
        let (needed, rows) =
            asked.entry(set).or_insert_with(|| (vec![0; dims], Bits::none(compiled.rows.len())));
        rows.insert(class.row.index());
        for (sum, amount) in needed.iter_mut().zip(&class.request) {
            *sum += i128::from(*amount) * i128::from(demand.count);
        }
    }
    let mut found = Vec::new();
    for (number, set) in families.iter().enumerate() {
        let mut needed = vec![0_i128; dims];
        let mut rows = Bits::none(compiled.rows.len());
        for (_, (amounts, theirs)) in asked.iter().filter(|(other, _)| set.includes(other)) {
            needed.iter_mut().zip(amounts).for_each(|(sum, amount)| *sum += amount);
            rows.or(theirs);
        }
        for id in running {
            if compiled.admits[compiled.site_of_node(*id)].overlaps(&rows) {
                for (sum, free) in needed.iter_mut().zip(&compiled.nodes[*id].free) {
                    *sum -= i128::from((*free).max(0));
                }
            }
        }
        for (dim, bound) in needed.iter().enumerate().filter(|(_, bound)| **bound > 0) {
            let amounts = set.iter().map(|at| (at, room(compiled, at, dim)));
            let cheapest = cheapest(compiled, amounts, costs);
            let kind = Kind::Room { set: number, dim };
            found.push(Found::new(kind, *bound, cheapest, Vec::new(), costs));
        }
    }
    found
}

/// For each class, the nodes that its number alone asks for.
fn slot_rows(
    compiled: &Compiled<'_>,
    demands: &[Demand],
    sets: &[Bits],
    costs: &[i64],
) -> Vec<Found> {
    let few = demands.len() <= MAX_PRICES / 2;
    let mut counted: Vec<(&Demand, &Bits)> = demands
        .iter()
        .zip(sets)
        .filter(|(demand, set)| {
            let capped = compiled.classes[demand.class].per_node != u32::MAX;
            !set.is_empty() && demand.beyond_running > 0 && (capped || few)
        })
        .collect();
    counted.sort_by_key(|(demand, _)| (Reverse(demand.beyond_running), **demand));
    let of_class = |(demand, set): (&Demand, &Bits)| {
        let mut columns = vec![0; compiled.columns.len()];
        for at in set.iter() {
            columns[at] = i64::from(compiled.slots(&compiled.columns[at], demand.class));
        }
        let amounts = set.iter().map(|at| (at, columns[at]));
        let cheapest = cheapest(compiled, amounts, costs);
        let kind = Kind::Slots { class: demand.class };
        Found::new(kind, demand.beyond_running.into(), cheapest, columns, costs)
    };
    counted.into_iter().take(MAX_PRICES).map(of_class).collect()
}

/// The columns that give most for what they cost: of all, and of those without a reservation.
fn cheapest(
    compiled: &Compiled<'_>,
    amounts: impl Iterator<Item = (usize, i64)>,
    costs: &[i64],
) -> [Option<(usize, i64)>; 2] {
    let mut best: [Option<(usize, i64)>; 2] = [None; 2];
    for (at, amount) in amounts.filter(|(_, amount)| *amount > 0) {
        // cost ÷ amount, compared without a division.
        let better = |(other, most): (usize, i64)| {
            i128::from(costs[at]) * i128::from(most) < i128::from(costs[other]) * i128::from(amount)
        };
        let unreserved = compiled.columns[at].reservation.is_none();
        for slot in best.iter_mut().take(1 + usize::from(unreserved)) {
            if slot.is_none_or(better) {
                *slot = Some((at, amount));
            }
        }
    }
    best
}

impl Found {
    /// An inequality alone proves the cost of its bound at the best rate, in billionths.
    fn new(
        kind: Kind,
        bound: i128,
        [best, unreserved]: [Option<(usize, i64)>; 2],
        columns: Vec<i64>,
        costs: &[i64],
    ) -> Self {
        let stake = best.map_or(0, |(at, amount)| {
            bound.unsigned_abs().saturating_mul(u128::from(costs[at].unsigned_abs()))
                / u128::from(amount.unsigned_abs())
        });
        Self { kind, bound, stake, cheapest: unreserved.map(|(at, _)| at), columns }
    }
}

/// The dual programme: a row for each column, what its node gives at the prices and what it costs.
struct Dual<'a> {
    inequalities: &'a [Inequality],
    costs: &'a [i64],
    /// For each inequality the power of two by which it is divided, so that its largest coefficient
    /// is between a half and one.
    shifts: Vec<u32>,
    highest: i128,
}

impl Rows for Dual<'_> {
    fn height(&self) -> usize {
        self.costs.len()
    }

    fn entry(&self, row: usize, variable: usize) -> i128 {
        let amount = i128::from(self.inequalities[variable].columns[row]);
        (amount << POINT) >> self.shifts[variable]
    }

    fn bound(&self, row: usize) -> i128 {
        (i128::from(self.costs[row]) << POINT) / self.highest
    }
}

/// The prices for the inequalities that the linear programme finds.
fn shares(inequalities: &[Inequality], costs: &[i64], highest: i128) -> Vec<Share> {
    let largest = |row: &Inequality| row.columns.iter().map(|a| a.unsigned_abs()).max();
    let shifts: Vec<u32> = inequalities
        .iter()
        .map(|row| u64::BITS - largest(row).unwrap_or(0).leading_zeros())
        .collect();
    // Gains too are scaled so that the largest is about one.
    let most = inequalities.iter().zip(&shifts).map(|(row, shift)| row.bound.abs() >> shift).max();
    let most = most.unwrap_or(0) + 1;
    let gain: Vec<i128> = inequalities
        .iter()
        .zip(&shifts)
        .map(|(row, shift)| row.bound.saturating_mul(ONE) / (most << shift))
        .collect();
    // To begin with, each price is stopped by the column that gives most for its cost.
    let start = inequalities.iter().filter_map(|row| row.cheapest);
    let dual = Dual { inequalities, costs, shifts, highest };
    let solution = maximize(&gain, &dual, start);
    let scale = dual.shifts.iter().map(|shift| 1 << shift);
    solution.into_iter().zip(scale).map(|(share, scale)| Share { share, scale }).collect()
}

/// Lowers prices until no column gives more than it costs: exact, in integers.
fn repair(inequalities: &[Inequality], costs: &[i64], prices: &mut [i128]) {
    let given = |column: usize, prices: &[i128]| {
        let priced = inequalities.iter().zip(prices).filter(|(_, price)| **price != 0);
        priced.fold(0_i128, |sum, (row, price)| {
            sum.saturating_add(price.saturating_mul(i128::from(row.columns[column])))
        })
    };
    // What a free node gives must be worth nothing.
    for (column, cost) in costs.iter().enumerate() {
        if *cost == 0 && given(column, prices) > 0 {
            for (row, price) in inequalities.iter().zip(prices.iter_mut()) {
                if row.columns[column] > 0 {
                    *price = 0;
                }
            }
        }
    }
    // One factor for all prices keeps their proportions: Farley's scaling.
    const FACTOR: u32 = 30;
    let mut factor = 1_i128 << FACTOR;
    for (column, cost) in costs.iter().enumerate() {
        let (given, cost) = (given(column, prices), i128::from(*cost) << SCALE);
        if given > cost {
            factor = factor.min(cost.saturating_mul(1 << FACTOR) / given);
        }
    }
    if factor < 1 << FACTOR {
        // Prices of reservations stay: they only make the sums smaller.
        for (row, price) in inequalities.iter().zip(prices.iter_mut()) {
            if row.kind != Kind::Reservation {
                *price = price.saturating_mul(factor) >> FACTOR;
            }
        }
    }
}
