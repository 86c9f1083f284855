//! Choices, looked up again: whether the problem sells what a launch names, to this pool, at this
//! price.
//!
//! A launch names a type, a zone, a capacity type and perhaps a reservation. There must be such an
//! offering; it must be on sale (an offering that failed is still listed, as unavailable); its
//! price must be the one that the plan counts with; the pool must list the type, or list none; and
//! what pool, type and offering say of labels must not contradict. Of several offerings that differ
//! by further labels alone the one is meant that is on sale, has the stated price, and has the
//! labels of the launch, in this order. The same is asked of each alternative.

use super::facts::Facts;
use super::site::Sites;
use super::violation::{PlanPlace, Violation};
use crate::model::{Labels, NodePool, Offering};
use crate::plan::{LaunchTemplate, OfferingRef};

/// Reports what is wrong with a choice, and finds its site if it has one.
///
/// Returned is the site of what was found, even where something is wrong with it, so that other
/// rules can be judged as well.
pub(super) fn check<'a>(
    facts: &Facts<'a>,
    sites: &mut Sites<'a>,
    pool: (usize, &'a NodePool),
    (choice, template): (&OfferingRef, &'a LaunchTemplate),
    place: &PlanPlace,
    out: &mut Vec<Violation>,
) -> Option<usize> {
    let found = facts.instance_type(&choice.instance_type).and_then(|instance_type| {
        // Offerings that differ by further labels alone: the one that the launch is like.
        let same =
            instance_type.1.offerings.iter().enumerate().filter(|(_, one)| matches(one, choice));
        let best = same.min_by_key(|(_, one)| {
            (!one.available, one.price != choice.price, differences(one, &template.labels))
        })?;
        Some((instance_type, best))
    });
    let Some((instance_type, offering)) = found else {
        out.push(Violation::OfferingUnknown { place: place.clone(), choice: choice.clone() });
        return None;
    };
    if !offering.1.available {
        out.push(Violation::OfferingUnavailable { place: place.clone(), choice: choice.clone() });
    }
    if offering.1.price != choice.price {
        out.push(Violation::PriceWrong {
            place: place.clone(),
            stated: choice.price,
            expected: offering.1.price,
        });
    }
    if !lists(pool.1, &instance_type.1.name) {
        out.push(Violation::InstanceTypeForbidden {
            place: place.clone(),
            node_pool: pool.1.name.clone(),
            instance_type: instance_type.1.name.clone(),
        });
    }
    let id = sites.find(facts, pool, instance_type, offering, Some(template));
    if let Some(site) = sites.get(id) {
        out.extend(site.contradictions.iter().map(|key| Violation::OfferingForbidden {
            place: place.clone(),
            node_pool: pool.1.name.clone(),
            key: (*key).into(),
        }));
    }
    Some(id)
}

/// Whether a pool lists a type; a pool without a list takes every type.
pub(super) fn lists(pool: &NodePool, instance_type: &str) -> bool {
    pool.instance_types
        .as_ref()
        .is_none_or(|names| names.iter().any(|name| **name == *instance_type))
}

/// Whether an offering is the one that a choice names.
fn matches(offering: &Offering, choice: &OfferingRef) -> bool {
    offering.zone == choice.zone
        && offering.capacity_type == choice.capacity_type
        && offering.reservation.as_ref().map(|one| &one.id) == choice.reservation.as_ref()
}

/// How many of an offering's further labels a launch doesn't have.
fn differences(offering: &Offering, labels: &Labels) -> usize {
    offering.labels.iter().filter(|(key, value)| labels.get(key) != Some(value)).count()
}
