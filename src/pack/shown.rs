//! What a packing shows of the assignment that it is of: what had no room, and where nodes stand.
//!
//! An assignment is a guess made before purchases; a packing is what came of it. The differences
//! that matter are few, and each is one of the functions here:
//!
//! - a part of a class that others count on has no room in its cell ([`shortfalls`]);
//! - pods that are to share a node don't fit on any ([`too_heavy`]);
//! - others launched where a spread counts the domain and its own pods can't go ([`intrusions`]);
//! - a domain that a spread counts as empty could be left without a node ([`empty_domains`]).

use super::assign::{DomainAssignment, SpreadDomain};
use super::packing::{Context, Packing};
use crate::compile::ClassId;
use std::collections::{BTreeMap, BTreeSet};

/// Domains that a class with a spread can't use itself and where launches of others would count for
/// it.
///
/// A node in such a domain counts as a domain with none of the pods, and so holds the lowest count
/// at zero.
pub(super) fn intrusions(
    context: &Context<'_>,
    assignment: &DomainAssignment,
    packing: &Packing,
) -> Vec<SpreadDomain> {
    if assignment.spread_domains.is_empty() {
        return Vec::new();
    }
    let chosen = super::launch_template::chosen(context, packing).into_iter().flatten();
    let sites: Vec<usize> = chosen.map(|offer| assignment.compiled.site_of_offer(offer)).collect();
    let mut placed: BTreeSet<ClassId> = BTreeSet::new();
    for group in &packing.groups {
        let items = group.items.iter().map(|(item, _)| &assignment.compiled.items[*item]);
        placed.extend(items.flat_map(|item| &item.parts).map(|(class, _)| *class));
    }
    let intruded = assignment.spread_domains.iter().filter(|((class, _, _), offers)| {
        placed.contains(class) && sites.iter().any(|site| offers.contains(*site))
    });
    intruded.map(|(foreign, _)| *foreign).collect()
}

/// Classes of which pods that share a node have no room, with how many share it.
pub(super) fn too_heavy(
    assignment: &DomainAssignment,
    packing: &Packing,
) -> BTreeMap<ClassId, u32> {
    let items = assignment.compiled.items.iter();
    let left = items.filter(|(item, _)| packing.left[*item] > 0);
    let heavy = left.filter_map(|(_, item)| match item.parts[..] {
        [(class, count)] => (count > 1).then_some((class, count)),
        // Of several classes the one with most pods gives way.
        _ => item.parts.iter().copied().max_by_key(|(class, count)| (*count, *class)),
    });
    heavy.collect()
}

/// What a cell lacks that others count on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shortfall {
    /// How many pods of the class it holds.
    pub(super) held: u32,
    /// How many have no room.
    pub(super) left: u32,
    /// Whether launches could hold them, had limits or reservations not been used up.
    pub(super) shared: bool,
}

/// The classes of pods without room that others count on or that share a node.
pub(super) fn unsettled(assignment: &DomainAssignment, packing: &Packing) -> BTreeSet<ClassId> {
    let items = assignment.compiled.items.iter().filter(|(item, of_item)| {
        let several = of_item.parts.len() > 1 || of_item.parts.iter().any(|part| part.1 > 1);
        packing.left[*item] > 0 && (several || !assignment.committed[*item].is_empty())
    });
    items.flat_map(|(_, item)| item.parts.iter().map(|(class, _)| *class)).collect()
}

/// The cells that hold fewer pods of a class than others count on.
pub(super) fn shortfalls(
    assignment: &DomainAssignment,
    packing: &Packing,
) -> BTreeMap<(ClassId, usize), Shortfall> {
    let mut short = held(assignment, packing);
    short.retain(|_, short| short.left > 0);
    short
}

/// What the cells hold that others count on.
pub(super) fn held(
    assignment: &DomainAssignment,
    packing: &Packing,
) -> BTreeMap<(ClassId, usize), Shortfall> {
    let mut short: BTreeMap<(ClassId, usize), Shortfall> = BTreeMap::new();
    for (item, firm) in assignment.committed.iter() {
        for place in firm {
            let of_item = &assignment.compiled.items[item];
            let each = of_item.parts.iter().find(|(class, _)| *class == place.0);
            let each = each.map_or(0, |(_, count)| *count);
            let entry = short.entry(*place).or_default();
            entry.held += each * (of_item.count - packing.left[item]);
            entry.left += each * packing.left[item];
            entry.shared |= !assignment.compiled.compatibles[item].is_empty();
        }
    }
    short
}

/// Domains that a class's spread counts as empty although nodes could stand there, where pods of
/// the class stay out and no node stands: without them its lowest count may be higher.
pub(super) fn empty_domains(
    context: &Context<'_>,
    assignment: &DomainAssignment,
    packing: &Packing,
    out: impl Fn(ClassId) -> bool,
) -> Vec<SpreadDomain> {
    let chosen = super::launch_template::chosen(context, packing).into_iter().flatten();
    let sites: Vec<usize> = chosen.map(|offer| assignment.compiled.site_of_offer(offer)).collect();
    let empty = assignment.launchable.iter().filter(|((class, _, _), offers)| {
        out(*class) && !sites.iter().any(|site| offers.contains(*site))
    });
    empty.map(|(foreign, _)| *foreign).collect()
}
