//! The inequalities that every plan for a demand satisfies, and which of them are worth a price.
//!
//! See `bound::relaxation` for what they say and why. Most of those that are found here are dropped
//! again, so their coefficients are looked up only where they are used.
//!
//! *Which of them.* There are as many as sets of bin types times resources, and items. What each
//! proves by itself, its bound times the best price for a unit, says how much is at stake: the
//! [`MAX_PRICES`] with the most get a price. The linear programme then finds which of them bind.

use super::catalog::{BinCatalog, MostSlots, SlotTable};
use super::relaxation::Demand;
use crate::compile::{Bits, CardinalityConstraint, Compiled, Id, ItemId, NodeId, ReservationId};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most prices that are worked out: the sets and slots with the most at stake come first.
const MAX_PRICES: usize = 48;
/// The most sets of bin types for which room is asked.
const MAX_SETS: usize = 48;

/// One inequality `Σ_t a_t y_t ≥ b` that every plan satisfies.
#[derive(Clone, Debug)]
pub(super) struct Inequality {
    pub(super) kind: InequalityKind,
    pub(super) bound: i128,
    /// The largest coefficient.
    pub(super) largest: i64,
    /// Of the bin types without a reservation the one that gives most for its cost.
    pub(super) cheapest: Option<usize>,
    /// What it alone proves, in billionths.
    single_bound: u128,
    /// Of slots and cardinality constraints alone: the coefficient of each bin type.
    slots: Arc<Vec<i64>>,
    /// Of a cardinality constraint alone, as long as its slots aren't written down: the bin types
    /// that take any.
    within: Bits,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum InequalityKind {
    /// Of a resource, on a set of bin types.
    Room { set: usize, dim: usize },
    /// Of nodes for a demand, by its place.
    Slots { demand: usize },
    /// Of nodes for items of which each holds few together.
    Cardinality { place: usize },
    /// Of a reservation.
    Reservation { id: ReservationId },
}

/// What can be bought, and for which of it room is asked.
#[derive(Debug)]
pub(super) struct RelaxationColumns {
    pub(super) catalog: Arc<BinCatalog>,
    /// The sets of bin types for which room is asked.
    pub(super) families: Vec<Bits>,
}

/// Demands by the set of bin types that can take them.
///
/// Thousands of classes have a few dozen different sets, since sets follow from selectors, taints
/// and sizes.
#[derive(Debug)]
pub(super) struct DemandGroups {
    /// The distinct sets.
    pub(super) sets: Vec<DemandGroup>,
    /// For each demand, the place of its set.
    pub(super) set_of: Vec<usize>,
}

/// A set of bin types, and what is asked of nodes that can't be found elsewhere.
#[derive(Debug)]
pub(super) struct DemandGroup {
    pub(super) bin_types: Bits,
    /// Of each resource.
    needed: Vec<i128>,
    /// The rows of the items.
    eligibilities: Bits,
}

impl DemandGroups {
    /// Brings demands with the same bin types together.
    pub(super) fn new(compiled: &Compiled, demands: &[Demand]) -> Self {
        let mut of_weight: BTreeMap<i32, Bits> = BTreeMap::new();
        for weight in demands.iter().filter_map(|demand| demand.weight) {
            let _known = of_weight.entry(weight).or_insert_with(|| {
                let mut bin_types = Bits::none(compiled.bin_types.len());
                let all = compiled.bin_types.iter().enumerate();
                all.filter(|(_, c)| c.weight == weight).for_each(|(at, _)| bin_types.insert(at));
                bin_types
            });
        }
        let mut places: BTreeMap<Cow<'_, Bits>, usize> = BTreeMap::new();
        let mut sets: Vec<DemandGroup> = Vec::new();
        let mut set_of = Vec::with_capacity(demands.len());
        for demand in demands {
            let item = &compiled.items[demand.item];
            let mut bin_types = Cow::Borrowed(&compiled.compatibles[demand.item]);
            if let Some(mask) = demand.weight.and_then(|weight| of_weight.get(&weight)) {
                bin_types.to_mut().and(mask);
            }
            let place = *places.entry(bin_types).or_insert_with_key(|bin_types| {
                sets.push(DemandGroup {
                    bin_types: bin_types.clone().into_owned(),
                    needed: vec![0; compiled.dims.len()],
                    eligibilities: Bits::none(compiled.eligible.len()),
                });
                sets.len() - 1
            });
            let set = &mut sets[place];
            set.eligibilities.insert(item.eligibility.index());
            for (sum, each) in set.needed.iter_mut().zip(&item.request) {
                *sum += i128::from(*each) * i128::from(demand.count);
            }
            set_of.push(place);
        }
        Self { sets, set_of }
    }

    /// The bin types that can take a demand.
    pub(super) fn bin_types(&self, demand: usize) -> &Bits {
        &self.sets[self.set_of[demand]].bin_types
    }

    /// The sets of bin types for which room is asked: the distinct sets of the demands, or where
    /// they are many the [`MAX_SETS`] of which most is asked, and the set of all bin types that any
    /// demand can use.
    ///
    /// The set of all bin types comes first: it is the inequality that counts every pod.
    fn families(&self, compiled: &Compiled) -> Vec<Bits> {
        let mut totals = vec![1_i128; compiled.dims.len()];
        let mut union = Bits::none(compiled.bin_types.len());
        for set in &self.sets {
            totals.iter_mut().zip(&set.needed).for_each(|(total, more)| *total += more);
            union.or(&set.bin_types);
        }
        let share = |set: &DemandGroup| {
            set.needed.iter().zip(&totals).map(|(more, total)| (more << 20) / total).sum::<i128>()
        };
        let mut ranked: Vec<(Reverse<i128>, &Bits)> = self
            .sets
            .iter()
            .filter(|set| set.bin_types != union)
            .map(|set| (Reverse(share(set)), &set.bin_types))
            .collect();
        ranked.push((Reverse(i128::MAX), &union));
        ranked.sort_unstable();
        ranked.truncate(MAX_SETS);
        ranked.into_iter().map(|(_, set)| set).filter(|set| !set.is_empty()).cloned().collect()
    }
}

impl RelaxationColumns {
    pub(super) fn new(compiled: &Compiled, asked: &DemandGroups, catalog: Arc<BinCatalog>) -> Self {
        Self { catalog, families: asked.families(compiled) }
    }

    /// What a node of a bin type gives to an inequality.
    pub(super) fn amount(&self, inequality: &Inequality, bin_type: usize) -> i64 {
        match inequality.kind {
            InequalityKind::Room { set, dim } if self.families[set].contains(bin_type) => {
                self.catalog.rooms[dim].of[bin_type]
            }
            InequalityKind::Room { .. } => 0,
            InequalityKind::Slots { .. } | InequalityKind::Cardinality { .. } => {
                inequality.slots[bin_type]
            }
            InequalityKind::Reservation { id } => {
                -i64::from(self.catalog.reservations[bin_type] == Some(id))
            }
        }
    }

    /// Calls `each` with every bin type and what a node of it gives to an inequality, where that
    /// isn't nothing.
    pub(super) fn for_each_amount(
        &self,
        inequality: &Inequality,
        mut each: impl FnMut(usize, i64),
    ) {
        match inequality.kind {
            InequalityKind::Room { set, dim } => {
                let (room, family) = (&self.catalog.rooms[dim].of, &self.families[set]);
                // Most sets are dense, so each bin type is looked at.
                let inside = room.iter().enumerate().filter(|(at, _)| family.contains(*at));
                inside.for_each(|(at, room)| each(at, *room));
            }
            InequalityKind::Slots { .. } | InequalityKind::Cardinality { .. } => {
                inequality.slots.iter().enumerate().for_each(|(at, slots)| each(at, *slots));
            }
            InequalityKind::Reservation { .. } => {
                (0..self.catalog.costs.len()).for_each(|at| each(at, self.amount(inequality, at)));
            }
        }
    }

    /// An inequality to which bin types give so much.
    fn inequality(&self, kind: InequalityKind, bound: i128, most_slots: MostSlots) -> Inequality {
        let single_bound = most_slots.best.map_or(0, |(at, amount)| {
            let cost = u128::from(self.catalog.costs[at].unsigned_abs());
            bound.unsigned_abs().saturating_mul(cost) / u128::from(amount.unsigned_abs())
        });
        let MostSlots { largest, unreserved: cheapest, .. } = most_slots;
        let (slots, within) = (Arc::default(), Bits::default());
        Inequality { kind, bound, largest, cheapest, single_bound, slots, within }
    }

    /// The inequalities with the most at stake, and those of the reservations.
    ///
    /// Those of reservations are added to the list in any case: their price makes the others'
    /// higher.
    pub(super) fn inequalities(
        &self,
        compiled: &Compiled,
        demands: &[Demand],
        asked: &DemandGroups,
        running: &[NodeId],
        known: &mut SlotTable,
    ) -> Vec<Inequality> {
        let mut found = self.rooms(compiled, asked, running);
        found.extend(self.slots(compiled, demands, asked, known));
        found.extend(self.quotas(compiled, demands, asked, running));
        // The most at stake first; ties in a fixed order.
        found.sort_by_key(|inequality| (Reverse(inequality.single_bound), inequality.kind));
        found.truncate(MAX_PRICES);
        // Most are dropped, so what nodes give to a cardinality constraint is written down for
        // those that stay alone.
        for inequality in &mut found {
            if let InequalityKind::Cardinality { place } = inequality.kind {
                let most = i64::from(compiled.cardinality_constraints[place].most);
                let bin_types = std::mem::take(&mut inequality.within);
                let slots = |at| if bin_types.contains(at) { most } else { 0 };
                inequality.slots = Arc::new((0..compiled.bin_types.len()).map(slots).collect());
            }
        }
        for (id, reserved) in compiled.reservations.iter() {
            if self.catalog.reservations.contains(&Some(id)) {
                let bound = -i128::from(reserved.remaining);
                let most_slots = MostSlots { largest: 1, ..MostSlots::default() };
                found.push(self.inequality(InequalityKind::Reservation { id }, bound, most_slots));
            }
        }
        found
    }

    /// For each family and each resource, what must be bought there.
    ///
    /// Running nodes take part where they admit any item of the family: what is free there is
    /// subtracted whole, which makes the bound lower and true.
    fn rooms(
        &self,
        compiled: &Compiled,
        asked: &DemandGroups,
        running: &[NodeId],
    ) -> Vec<Inequality> {
        let mut found = Vec::new();
        for (number, family) in self.families.iter().enumerate() {
            let mut needed = vec![0_i128; compiled.dims.len()];
            let mut eligibilities = Bits::none(compiled.eligible.len());
            for set in asked.sets.iter().filter(|set| family.includes(&set.bin_types)) {
                // What no bin type can take isn't bought.
                if !set.bin_types.is_empty() {
                    needed.iter_mut().zip(&set.needed).for_each(|(sum, more)| *sum += more);
                    eligibilities.or(&set.eligibilities);
                }
            }
            for id in running {
                if compiled.admits[compiled.site_of_node(*id)].overlaps(&eligibilities) {
                    for (sum, free) in needed.iter_mut().zip(&compiled.nodes[*id].free) {
                        *sum -= i128::from((*free).max(0));
                    }
                }
            }
            for (dim, bound) in needed.iter().enumerate().filter(|(_, bound)| **bound > 0) {
                let most_slots = self.catalog.of_room(dim, family);
                // What a node has any number of asks for no node.
                if !compiled.dims.is_unlimited(dim, most_slots.largest) {
                    found.push(self.inequality(
                        InequalityKind::Room { set: number, dim },
                        *bound,
                        most_slots,
                    ));
                }
            }
        }
        found
    }

    /// For each item, the nodes that its number alone asks for.
    ///
    /// Counted are the pods that no running node could take, however they are placed there.
    fn slots(
        &self,
        compiled: &Compiled,
        demands: &[Demand],
        asked: &DemandGroups,
        known: &mut SlotTable,
    ) -> Vec<Inequality> {
        let few = demands.len() <= MAX_PRICES / 2;
        let mut counted: Vec<usize> = (0..demands.len())
            .filter(|at| {
                let demand = &demands[*at];
                let capped = compiled.items[demand.item].per_node != u32::MAX;
                demand.beyond_running > 0 && (capped || few) && !asked.bin_types(*at).is_empty()
            })
            .collect();
        counted.sort_by_key(|at| (Reverse(demands[*at].beyond_running), demands[*at]));
        let of_demand = |at: usize| {
            let demand = &demands[at];
            let count = || self.catalog.slots_in(compiled, demand.item, asked.bin_types(at));
            let slots = match demand.weight {
                None => known.entry(demand.item).or_insert_with(count).clone(),
                Some(_) => count(),
            };
            let kind = InequalityKind::Slots { demand: at };
            let found = self.inequality(kind, demand.beyond_running.into(), slots.most_slots);
            Inequality { slots: slots.of, ..found }
        };
        counted.into_iter().take(MAX_PRICES).map(of_demand).collect()
    }

    /// For items of which a node holds few together, the nodes that their number asks for. A
    /// running node is taken to hold as many of them as an empty one.
    fn quotas(
        &self,
        compiled: &Compiled,
        demands: &[Demand],
        asked: &DemandGroups,
        running: &[NodeId],
    ) -> Vec<Inequality> {
        let mut of_item: BTreeMap<ItemId, Vec<usize>> = BTreeMap::new();
        for (at, demand) in demands.iter().enumerate() {
            of_item.entry(demand.item).or_default().push(at);
        }
        let constraint = |(place, constraint): (usize, &CardinalityConstraint)| {
            let mut bin_types = Bits::none(compiled.bin_types.len());
            let mut eligibilities = Bits::none(compiled.eligible.len());
            let mut bound = 0_i128;
            for (item, each) in &constraint.items {
                for at in of_item.get(item).into_iter().flatten() {
                    // What no bin type can take isn't bought.
                    if !asked.bin_types(*at).is_empty() {
                        bin_types.or(asked.bin_types(*at));
                        eligibilities.insert(compiled.items[*item].eligibility.index());
                        bound += i128::from(demands[*at].count) * i128::from(*each);
                    }
                }
            }
            let helpful = running.iter().filter(|node| {
                compiled.admits[compiled.site_of_node(**node)].overlaps(&eligibilities)
            });
            bound -=
                i128::try_from(helpful.count()).unwrap_or(i128::MAX) * i128::from(constraint.most);
            let most_slots = self.catalog.of_all(&bin_types, i64::from(constraint.most));
            let found = self.inequality(InequalityKind::Cardinality { place }, bound, most_slots);
            (bound > 0).then_some(Inequality { within: bin_types, ..found })
        };
        compiled.cardinality_constraints.iter().enumerate().filter_map(constraint).collect()
    }
}
