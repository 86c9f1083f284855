//! From nodes and what each holds to a packing: one class for each item and cell.

use super::cells::Ground;
use super::divide::Found;
use crate::compile::{ClassId, Compiled, Id, KindId, OfferId, PoolId};
use crate::pack::{
    Arrangement, Context, Group, Held, Out, Packed, Part, Place, State, launch_rest, seat_guests,
};
use std::collections::BTreeMap;

/// Whether pods that only use room that is left are out of the way of all rules.
pub(super) fn is_simple(context: &Context<'_>) -> bool {
    let compiled = context.compiled;
    let topology = &compiled.topology;
    compiled.classes.iter().filter(|(_, class)| class.guest).all(|(id, _)| {
        let kind = KindId::from_index(id.index());
        let rules = &topology.rules[kind];
        topology.selected_by[kind].is_empty()
            && rules.spreads.is_empty()
            && rules.near.is_none()
            && rules.far.is_empty()
    })
}

/// The column of an offer, or the one that is taken in its place.
pub(super) fn column(compiled: &Compiled, offer: OfferId) -> Option<usize> {
    let has = |offers: &[OfferId]| offers.contains(&offer);
    compiled.columns.iter().position(|column| has(&column.offers) || has(&column.dominated))
}

/// What the nodes of static pools cost at least.
pub(super) fn fixed_cost(context: &Context<'_>) -> i128 {
    let compiled = context.compiled;
    let mut sum = 0;
    for (id, pool) in compiled.pools.iter() {
        let Some(nodes) = pool.fixed else { continue };
        let cheapest = sites(compiled, id).first().copied();
        let price = cheapest.map_or(0, |offer| compiled.offers[offer].price);
        sum += (i128::from(price) + i128::from(context.fee)) * i128::from(nodes);
    }
    sum
}

/// What a pool can launch, cheapest first.
fn sites(compiled: &Compiled, pool: PoolId) -> Vec<OfferId> {
    let offers = compiled.offers.iter().filter(|(id, offer)| {
        offer.pool == pool
            && compiled.usable.contains(compiled.site_of_offer(*id))
            && compiled.is_sold(*id)
    });
    let mut offers: Vec<OfferId> = offers.map(|(id, _)| id).collect();
    offers.sort_by_key(|id| (compiled.offers[*id].price, *id));
    offers
}

/// The sites of the nodes of static pools that hold nothing.
pub(super) fn idle_static(ground: &Ground<'_>, found: &Found) -> Vec<usize> {
    let compiled = ground.task.context.compiled;
    let mut idle = Vec::new();
    for (id, pool) in compiled.pools.iter() {
        let Some(nodes) = pool.fixed else { continue };
        let used = found.held.iter().filter(|(at, _)| {
            let place = &ground.places.list[*at];
            place.node.is_none() && compiled.offers[OfferId::from_index(place.site)].pool == id
        });
        let rest = (nodes as usize).saturating_sub(used.count());
        if let Some(cheapest) = sites(compiled, id).first() {
            idle.extend(vec![compiled.site_of_offer(*cheapest); rest]);
        }
    }
    idle
}

/// The packing of a plan.
pub(super) fn packed(ground: &Ground<'_>, former: &Packed, found: &Found) -> Option<Packed> {
    let (task, claims) = (ground.task, ground.task.claims);
    let whole = task.context.compiled;
    let mut parts: Vec<Part> = Vec::new();
    let mut numbers: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    let mut held: Vec<Held> = Vec::new();
    for (at, number) in &found.held {
        let place = &ground.places.list[*at];
        let mut here = Vec::new();
        let vector = ground.grid.vector(*number);
        for (item, count) in vector.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            let part = *numbers.entry((item, place.cell)).or_insert_with(|| {
                let of = &ground.items[item];
                let mut sites = claims.compiled.rows[claims.compiled.classes[of.class].row].clone();
                sites.and(&ground.places.sites[place.cell]);
                let crowded = whole.nodes.ids().filter(|node| task.is_crowded(*node, of.kind));
                let crowded = crowded.map(|node| whole.site_of_node(node));
                let here = crowded.filter(|site| ground.places.cell_of(*site) == place.cell);
                here.for_each(|site| sites.insert(site));
                parts.push(Part { kind: of.kind, count: 0, sites });
                parts.len() - 1
            });
            parts[part].count += count;
            here.push((part, count));
        }
        here.sort_unstable();
        held.push((place.node, here));
    }
    let mut out: BTreeMap<KindId, Out> = BTreeMap::new();
    for (item, count) in ground.items.iter().zip(&found.out).filter(|(_, count)| **count > 0) {
        out.entry(item.kind).or_default().count += count;
    }
    if !task.optional {
        // The pods of claims are those that are placed.
        for (kind, left) in former.left(whole).iter().filter(|(_, left)| **left > 0) {
            if !whole.classes[ClassId::from_index(kind.index())].guest {
                let _none = out.insert(kind, Out::of(*left));
            }
        }
    }
    for (id, class) in whole.classes.iter().filter(|(_, class)| class.guest) {
        let (kind, count) = (KindId::from_index(id.index()), class.count);
        parts.push(Part { kind, count, sites: whole.rows[class.row].clone() });
    }
    let arrangement = Arrangement::from_parts(task.context, &parts, out, &held);
    let state = state(ground, &arrangement, found, &held)?;
    Some(Packed { arrangement: Some(arrangement), state })
}

/// The groups of a plan's nodes, each class numbered as its part.
fn state(
    ground: &Ground<'_>,
    arrangement: &Arrangement,
    found: &Found,
    held: &[Held],
) -> Option<State> {
    let compiled = &arrangement.compiled;
    let context = Context { compiled, ..*ground.task.context };
    let mut state = State::new(compiled);
    type Alike = (usize, Vec<(ClassId, u32)>);
    let mut launches: BTreeMap<Alike, u32> = BTreeMap::new();
    for ((at, _), (node, parts)) in found.held.iter().zip(held) {
        let items: Vec<(ClassId, u32)> =
            parts.iter().map(|(part, count)| (ClassId::from_index(*part), *count)).collect();
        match node {
            Some(node) => {
                state.idle.retain(|idle| idle != node);
                let load = load(compiled, &items);
                let place = Place::Running(vec![*node]);
                state.add(compiled, Group { place, items, load, times: 1 });
            }
            None => {
                let offer = OfferId::from_index(ground.places.list[*at].site);
                let column = column(compiled, offer)?;
                *launches.entry((column, items)).or_insert(0) += 1;
            }
        }
    }
    for ((column, items), times) in launches {
        let (load, place) = (load(compiled, &items), Place::Launch(column));
        state.add(compiled, Group { place, items, load, times });
    }
    launch_rest(&context, &mut state);
    seat_guests(&context, &mut state);
    (!state.overdraws(compiled)).then_some(state)
}

fn load(compiled: &Compiled, items: &[(ClassId, u32)]) -> Vec<i64> {
    let mut load = vec![0_i64; compiled.dims.len()];
    for (class, count) in items {
        for (sum, asked) in load.iter_mut().zip(&compiled.classes[*class].request) {
            *sum = sum.saturating_add(asked.saturating_mul(i64::from(*count)));
        }
    }
    load
}
