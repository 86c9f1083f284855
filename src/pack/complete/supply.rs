//! What a plan takes of limits and reservations.

use super::of_plan::ClassNames;
use super::placement::Placement;
use super::rules::PlacementRules;
use crate::model::{Quantity, amount};
use crate::pack::packing::Context;
use crate::plan::LaunchPlan;
use std::sync::Arc;

/// What a plan takes of a limit or a reservation.
#[derive(Debug)]
pub(crate) struct PlanSupply {
    /// The pool and the limited resource; `None` of a reservation.
    pub(crate) limit: Option<(Arc<str>, Arc<str>)>,
    /// The reservation; `None` of a limit.
    pub(crate) reservation: Option<Arc<str>>,
    pub(crate) most: Quantity,
    /// By running nodes and launches.
    pub(crate) used: Quantity,
    /// The least that a further node takes of which there is too little left: with so much in
    /// all one more node can be launched. `None` where there is room for each.
    pub(crate) next: Option<Quantity>,
}

/// What a plan takes of each limit, by pool, and of each reservation; `None` where it isn't a plan
/// of the problem.
pub(crate) fn supplies(context: &Context<'_>, plan: &LaunchPlan) -> Option<Vec<PlanSupply>> {
    let compiled = context.compiled;
    let rules = PlacementRules::of(compiled);
    let placement = Placement::of_plan(context, &rules, plan, &ClassNames::of(compiled))?;
    let mut found = Vec::new();
    for (id, pool) in compiled.pools.iter() {
        let name = &compiled.parts.node_pool(pool.index).name;
        for (at, limit) in pool.limits.iter().enumerate() {
            let left = placement.supplies.limits(id)[at];
            let sold = compiled.offers.values().filter(|offer| offer.pool == id && offer.available);
            let charges = sold.map(|offer| i128::from(compiled.shapes[offer.shape].charge[at]));
            let next = charges.filter(|charge| *charge > left.max(0)).min();
            let of = |count: i128| -> Quantity {
                amount(&limit.name, i64::try_from(count.max(0)).unwrap_or(i64::MAX))
            };
            let used = limit.limit.saturating_sub(left);
            found.push(PlanSupply {
                limit: Some((name.clone(), limit.name.clone())),
                reservation: None,
                most: of(limit.limit),
                used: of(used),
                next: next.map(|charge| of(used.saturating_add(charge))),
            });
        }
    }
    for (id, reserved) in compiled.reservations.iter() {
        let (left, most) = (placement.supplies.reserved(id), reserved.remaining);
        let of = |count: u32| Quantity::from_units(count.into());
        found.push(PlanSupply {
            limit: None,
            reservation: Some(reserved.id.clone()),
            most: of(most),
            used: of(most.saturating_sub(left)),
            next: (left == 0).then(|| of(most.saturating_add(1))),
        });
    }
    Some(found)
}
