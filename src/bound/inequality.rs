//! The inequalities that every plan for a demand satisfies, and which of them are worth a price.
//!
//! See `bound::relaxation` for what they say and why. Most of those that are found here are dropped
//! again, so their coefficients are looked up only where they are used.

use super::goods::{Givers, Goods, Known};
use super::relaxation::Demand;
use crate::compile::{Bits, ClassId, Compiled, Id, NodeId, Quota, ReservationId};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most prices that are worked out: the sets and slots with the most at stake come first.
const MAX_PRICES: usize = 48;
/// The most sets of columns for which room is asked.
const MAX_SETS: usize = 48;

/// One inequality `Σ_t a_t y_t ≥ b` that every plan satisfies.
#[derive(Clone, Debug)]
pub(super) struct Inequality {
    pub(super) kind: Kind,
    pub(super) bound: i128,
    /// The largest coefficient.
    pub(super) largest: i64,
    /// Of the columns without a reservation the one that gives most for its cost.
    pub(super) cheapest: Option<usize>,
    /// What it alone proves, in billionths.
    stake: u128,
    /// Of slots and quotas alone: the coefficient of each column.
    slots: Arc<Vec<i64>>,
    /// Of a quota alone, as long as its slots aren't written down: the columns that take any.
    within: Bits,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Kind {
    /// Of a resource, on a set of columns.
    Room { set: usize, dim: usize },
    /// Of nodes for a demand, by its place.
    Slots { demand: usize },
    /// Of nodes for classes of which each holds few together.
    Quota { place: usize },
    /// Of a reservation.
    Reservation { id: ReservationId },
}

/// What can be bought, and for which of it room is asked.
#[derive(Debug)]
pub(super) struct Market {
    pub(super) goods: Arc<Goods>,
    /// The sets of columns for which room is asked.
    pub(super) families: Vec<Bits>,
}

/// Demands by the set of columns that can take them.
#[derive(Debug)]
pub(super) struct Asked {
    /// The distinct sets.
    pub(super) sets: Vec<Set>,
    /// For each demand, the place of its set.
    pub(super) set_of: Vec<usize>,
}

/// A set of columns, and what is asked of nodes that can't be found elsewhere.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) columns: Bits,
    /// Of each resource.
    needed: Vec<i128>,
    /// The rows of the classes.
    rows: Bits,
}

impl Asked {
    /// Brings demands with the same columns together.
    pub(super) fn new(compiled: &Compiled, demands: &[Demand]) -> Self {
        let mut of_weight: BTreeMap<i32, Bits> = BTreeMap::new();
        for weight in demands.iter().filter_map(|demand| demand.weight) {
            let _known = of_weight.entry(weight).or_insert_with(|| {
                let mut columns = Bits::none(compiled.columns.len());
                let all = compiled.columns.iter().enumerate();
                all.filter(|(_, c)| c.weight == weight).for_each(|(at, _)| columns.insert(at));
                columns
            });
        }
        let mut places: BTreeMap<Cow<'_, Bits>, usize> = BTreeMap::new();
        let mut sets: Vec<Set> = Vec::new();
        let mut set_of = Vec::with_capacity(demands.len());
        for demand in demands {
            let class = &compiled.classes[demand.class];
            let mut columns = Cow::Borrowed(&compiled.takers[demand.class]);
            if let Some(mask) = demand.weight.and_then(|weight| of_weight.get(&weight)) {
                columns.to_mut().and(mask);
            }
            let place = *places.entry(columns).or_insert_with_key(|columns| {
                sets.push(Set {
                    columns: columns.clone().into_owned(),
                    needed: vec![0; compiled.dims.len()],
                    rows: Bits::none(compiled.rows.len()),
                });
                sets.len() - 1
            });
            let set = &mut sets[place];
            set.rows.insert(class.row.index());
            for (sum, each) in set.needed.iter_mut().zip(&class.request) {
                *sum += i128::from(*each) * i128::from(demand.count);
            }
            set_of.push(place);
        }
        Self { sets, set_of }
    }

    /// The columns that can take a demand.
    pub(super) fn columns(&self, demand: usize) -> &Bits {
        &self.sets[self.set_of[demand]].columns
    }

    /// The sets of columns for which room is asked: the distinct sets of the demands, or where they
    /// are many the [`MAX_SETS`] of which most is asked, and the set of all columns that any demand
    /// can use.
    fn families(&self, compiled: &Compiled) -> Vec<Bits> {
        let mut totals = vec![1_i128; compiled.dims.len()];
        let mut union = Bits::none(compiled.columns.len());
        for set in &self.sets {
            totals.iter_mut().zip(&set.needed).for_each(|(total, more)| *total += more);
            union.or(&set.columns);
        }
        let share = |set: &Set| {
            set.needed.iter().zip(&totals).map(|(more, total)| (more << 20) / total).sum::<i128>()
        };
        let mut ranked: Vec<(Reverse<i128>, &Bits)> = self
            .sets
            .iter()
            .filter(|set| set.columns != union)
            .map(|set| (Reverse(share(set)), &set.columns))
            .collect();
        ranked.push((Reverse(i128::MAX), &union));
        ranked.sort_unstable();
        ranked.truncate(MAX_SETS);
        ranked.into_iter().map(|(_, set)| set).filter(|set| !set.is_empty()).cloned().collect()
    }
}

impl Market {
    pub(super) fn new(compiled: &Compiled, asked: &Asked, goods: Arc<Goods>) -> Self {
        Self { goods, families: asked.families(compiled) }
    }

    /// What a node of a column gives to an inequality.
    pub(super) fn amount(&self, inequality: &Inequality, column: usize) -> i64 {
        match inequality.kind {
            Kind::Room { set, dim } if self.families[set].contains(column) => {
                self.goods.rooms[dim].of[column]
            }
            Kind::Room { .. } => 0,
            Kind::Slots { .. } | Kind::Quota { .. } => inequality.slots[column],
            Kind::Reservation { id } => -i64::from(self.goods.reservations[column] == Some(id)),
        }
    }

    /// Calls `each` with every column and what a node of it gives to an inequality, where that isn't
    /// nothing.
    pub(super) fn for_each_amount(
        &self,
        inequality: &Inequality,
        mut each: impl FnMut(usize, i64),
    ) {
        match inequality.kind {
            Kind::Room { set, dim } => {
                let (room, family) = (&self.goods.rooms[dim].of, &self.families[set]);
                // Most sets are dense, so each column is looked at.
                let inside = room.iter().enumerate().filter(|(at, _)| family.contains(*at));
                inside.for_each(|(at, room)| each(at, *room));
            }
            Kind::Slots { .. } | Kind::Quota { .. } => {
                inequality.slots.iter().enumerate().for_each(|(at, slots)| each(at, *slots));
            }
            Kind::Reservation { .. } => {
                (0..self.goods.costs.len()).for_each(|at| each(at, self.amount(inequality, at)));
            }
        }
    }

    /// An inequality to which columns give so much.
    fn inequality(&self, kind: Kind, bound: i128, givers: Givers) -> Inequality {
        let stake = givers.best.map_or(0, |(at, amount)| {
            let cost = u128::from(self.goods.costs[at].unsigned_abs());
            bound.unsigned_abs().saturating_mul(cost) / u128::from(amount.unsigned_abs())
        });
        let Givers { largest, unreserved: cheapest, .. } = givers;
        let (slots, within) = (Arc::default(), Bits::default());
        Inequality { kind, bound, largest, cheapest, stake, slots, within }
    }

    /// The inequalities with the most at stake, and those of the reservations.
    pub(super) fn inequalities(
        &self,
        compiled: &Compiled,
        demands: &[Demand],
        asked: &Asked,
        running: &[NodeId],
        known: &mut Known,
    ) -> Vec<Inequality> {
        let mut found = self.rooms(compiled, asked, running);
        found.extend(self.slots(compiled, demands, asked, known));
        found.extend(self.quotas(compiled, demands, asked, running));
        // The most at stake first; ties in a fixed order.
        found.sort_by_key(|inequality| (Reverse(inequality.stake), inequality.kind));
        found.truncate(MAX_PRICES);
        // Most are dropped, so what nodes give to a quota is written down for those that stay alone.
        for inequality in &mut found {
            if let Kind::Quota { place } = inequality.kind {
                let most = i64::from(compiled.quotas[place].most);
                let columns = std::mem::take(&mut inequality.within);
                let slots = |at| if columns.contains(at) { most } else { 0 };
                inequality.slots = Arc::new((0..compiled.columns.len()).map(slots).collect());
            }
        }
        for (id, reserved) in compiled.reservations.iter() {
            if self.goods.reservations.contains(&Some(id)) {
                let bound = -i128::from(reserved.remaining);
                let givers = Givers { largest: 1, ..Givers::default() };
                found.push(self.inequality(Kind::Reservation { id }, bound, givers));
            }
        }
        found
    }

    /// For each family and each resource, what must be bought there.
    fn rooms(&self, compiled: &Compiled, asked: &Asked, running: &[NodeId]) -> Vec<Inequality> {
        let mut found = Vec::new();
        for (number, family) in self.families.iter().enumerate() {
            let mut needed = vec![0_i128; compiled.dims.len()];
            let mut rows = Bits::none(compiled.rows.len());
            for set in asked.sets.iter().filter(|set| family.includes(&set.columns)) {
                // What no column can take isn't bought.
                if !set.columns.is_empty() {
                    needed.iter_mut().zip(&set.needed).for_each(|(sum, more)| *sum += more);
                    rows.or(&set.rows);
                }
            }
            for id in running {
                if compiled.admits[compiled.site_of_node(*id)].overlaps(&rows) {
                    for (sum, free) in needed.iter_mut().zip(&compiled.nodes[*id].free) {
                        *sum -= i128::from((*free).max(0));
                    }
                }
            }
            for (dim, bound) in needed.iter().enumerate().filter(|(_, bound)| **bound > 0) {
                let givers = self.goods.of_room(dim, family);
                // What a node has any number of asks for no node.
                if !compiled.dims.is_unlimited(dim, givers.largest) {
                    found.push(self.inequality(Kind::Room { set: number, dim }, *bound, givers));
                }
            }
        }
        found
    }

    /// For each class, the nodes that its number alone asks for.
    fn slots(
        &self,
        compiled: &Compiled,
        demands: &[Demand],
        asked: &Asked,
        known: &mut Known,
    ) -> Vec<Inequality> {
        let few = demands.len() <= MAX_PRICES / 2;
        let mut counted: Vec<usize> = (0..demands.len())
            .filter(|at| {
                let demand = &demands[*at];
                let capped = compiled.classes[demand.class].per_node != u32::MAX;
                demand.beyond_running > 0 && (capped || few) && !asked.columns(*at).is_empty()
            })
            .collect();
        counted.sort_by_key(|at| (Reverse(demands[*at].beyond_running), demands[*at]));
        let of_demand = |at: usize| {
            let demand = &demands[at];
            let count = || self.goods.slots_in(compiled, demand.class, asked.columns(at));
            let slots = match demand.weight {
                None => known.entry(demand.class).or_insert_with(count).clone(),
                Some(_) => count(),
            };
            let kind = Kind::Slots { demand: at };
            let found = self.inequality(kind, demand.beyond_running.into(), slots.givers);
            Inequality { slots: slots.of, ..found }
        };
        counted.into_iter().take(MAX_PRICES).map(of_demand).collect()
    }

    /// For classes of which a node holds few together, the nodes that their number asks for. A running
    /// node is taken to hold as many of them as an empty one.
    fn quotas(
        &self,
        compiled: &Compiled,
        demands: &[Demand],
        asked: &Asked,
        running: &[NodeId],
    ) -> Vec<Inequality> {
        let mut of_class: BTreeMap<ClassId, Vec<usize>> = BTreeMap::new();
        for (at, demand) in demands.iter().enumerate() {
            of_class.entry(demand.class).or_default().push(at);
        }
        let quota = |(place, quota): (usize, &Quota)| {
            let mut columns = Bits::none(compiled.columns.len());
            let mut rows = Bits::none(compiled.rows.len());
            let mut bound = 0_i128;
            for (class, each) in &quota.classes {
                for at in of_class.get(class).into_iter().flatten() {
                    // What no column can take isn't bought.
                    if !asked.columns(*at).is_empty() {
                        columns.or(asked.columns(*at));
                        rows.insert(compiled.classes[*class].row.index());
                        bound += i128::from(demands[*at].count) * i128::from(*each);
                    }
                }
            }
            let helpful = running
                .iter()
                .filter(|node| compiled.admits[compiled.site_of_node(**node)].overlaps(&rows));
            bound -= i128::try_from(helpful.count()).unwrap_or(i128::MAX) * i128::from(quota.most);
            let givers = self.goods.of_all(&columns, i64::from(quota.most));
            let found = self.inequality(Kind::Quota { place }, bound, givers);
            (bound > 0).then_some(Inequality { within: columns, ..found })
        };
        compiled.quotas.iter().enumerate().filter_map(quota).collect()
    }
}
