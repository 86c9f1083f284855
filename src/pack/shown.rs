//! What a packing shows of the arrangement that it is of: what had no room, and where nodes stand.

use super::arrange::{Arrangement, Foreign};
use super::state::{Context, State};
use crate::compile::KindId;
use std::collections::{BTreeMap, BTreeSet};

/// Domains that a kind with a spread can't use itself and where launches of others would count for it.
pub(super) fn intrusions(
    context: &Context<'_>,
    arrangement: &Arrangement,
    state: &State,
) -> Vec<Foreign> {
    if arrangement.foreign.is_empty() {
        return Vec::new();
    }
    let chosen = super::specify::chosen(context, state).into_iter().flatten();
    let sites: Vec<usize> = chosen.map(|offer| arrangement.compiled.site_of_offer(offer)).collect();
    let mut placed: BTreeSet<KindId> = BTreeSet::new();
    for group in &state.groups {
        let classes = group.items.iter().map(|(class, _)| &arrangement.compiled.classes[*class]);
        placed.extend(classes.flat_map(|class| &class.parts).map(|(kind, _)| *kind));
    }
    let intruded = arrangement.foreign.iter().filter(|((kind, _, _), offers)| {
        placed.contains(kind) && sites.iter().any(|site| offers.contains(*site))
    });
    intruded.map(|(foreign, _)| *foreign).collect()
}

/// Kinds of which pods that share a node have no room, with how many share it.
pub(super) fn too_heavy(arrangement: &Arrangement, state: &State) -> BTreeMap<KindId, u32> {
    let classes = arrangement.compiled.classes.iter();
    let left = classes.filter(|(class, _)| state.left[*class] > 0);
    let heavy = left.filter_map(|(_, class)| match class.parts[..] {
        [(kind, count)] => (count > 1).then_some((kind, count)),
        // Of several kinds the one with most pods gives way.
        _ => class.parts.iter().copied().max_by_key(|(kind, count)| (*count, *kind)),
    });
    heavy.collect()
}

/// What a cell lacks that others count on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shortfall {
    /// How many pods of the kind it holds.
    pub(super) held: u32,
    /// How many have no room.
    pub(super) left: u32,
    /// Whether launches could hold them, had limits or reservations not been used up.
    pub(super) shared: bool,
}

/// The kinds of pods without room that others count on or that share a node.
pub(super) fn unsettled(arrangement: &Arrangement, state: &State) -> BTreeSet<KindId> {
    let classes = arrangement.compiled.classes.iter().filter(|(class, of_class)| {
        let several = of_class.parts.len() > 1 || of_class.parts.iter().any(|part| part.1 > 1);
        state.left[*class] > 0 && (several || !arrangement.firm[*class].is_empty())
    });
    classes.flat_map(|(_, class)| class.parts.iter().map(|(kind, _)| *kind)).collect()
}

/// The cells that hold fewer pods of a kind than others count on.
pub(super) fn shortfalls(
    arrangement: &Arrangement,
    state: &State,
) -> BTreeMap<(KindId, usize), Shortfall> {
    let mut short = held(arrangement, state);
    short.retain(|_, short| short.left > 0);
    short
}

/// What the cells hold that others count on.
pub(super) fn held(
    arrangement: &Arrangement,
    state: &State,
) -> BTreeMap<(KindId, usize), Shortfall> {
    let mut short: BTreeMap<(KindId, usize), Shortfall> = BTreeMap::new();
    for (class, firm) in arrangement.firm.iter() {
        for place in firm {
            let of_class = &arrangement.compiled.classes[class];
            let each = of_class.parts.iter().find(|(kind, _)| *kind == place.0);
            let each = each.map_or(0, |(_, count)| *count);
            let entry = short.entry(*place).or_default();
            entry.held += each * (of_class.count - state.left[class]);
            entry.left += each * state.left[class];
            entry.shared |= !arrangement.compiled.takers[class].is_empty();
        }
    }
    short
}

/// Domains that a kind's spread counts as empty although nodes could stand there, where pods of the kind
/// stay out and no node stands: without them its lowest count may be higher.
pub(super) fn empty_domains(
    context: &Context<'_>,
    arrangement: &Arrangement,
    state: &State,
    out: impl Fn(KindId) -> bool,
) -> Vec<Foreign> {
    let chosen = super::specify::chosen(context, state).into_iter().flatten();
    let sites: Vec<usize> = chosen.map(|offer| arrangement.compiled.site_of_offer(offer)).collect();
    let empty = arrangement.launchable.iter().filter(|((kind, _, _), offers)| {
        out(*kind) && !sites.iter().any(|site| offers.contains(*site))
    });
    empty.map(|(foreign, _)| *foreign).collect()
}
