//! From nodes and what each holds to a packing: one item for each class and cell.
//!
//! The enumeration speaks of places and vectors of pods; the rest of the crate of bin types, items
//! and groups. Each class gets an item for every cell that it is in, with an eligibility set of
//! that cell's sites, as if the domain assignment had divided it so, and each node becomes a group
//! of one. So whatever is done to a packing (completion, naming of launches, reasons) is done to
//! this one too, and nothing later can tell where it came from.
//!
//! The nodes of static pools that no pod needs are added at the end, the cheapest of which
//! reservations have any left; placeholders that only use what is free come after everything.

use super::cells::SearchInput;
use super::divide::FoundPlan;
use crate::compile::{ClassId, Compiled, Id, ItemId, NodeSource, OfferId, PoolId, ReservationId};
use crate::pack::{
    AssignedPacking, ClassPart, Context, DomainAssignment, LeftOutPods, NodeGroup, NodeParts,
    Packing, are_first, launch_rest, place_placeholders,
};
use std::collections::BTreeMap;

/// Whether pods that only use room that is left are out of the way of all rules.
pub(super) fn is_simple(context: &Context<'_>) -> bool {
    let compiled = context.compiled;
    let topology = &compiled.topology;
    compiled.items.iter().filter(|(_, item)| item.placeholder).all(|(id, _)| {
        let class = ClassId::from_index(id.index());
        let rules = &topology.rules[class];
        topology.selected_by[class].is_empty()
            && rules.spreads.is_empty()
            && rules.affinity.is_none()
            && rules.anti_affinity.is_empty()
    })
}

/// The bin type of an offer, or the one that is taken in its place.
pub(super) fn bin_type(compiled: &Compiled, offer: OfferId) -> Option<usize> {
    let has = |offers: &[OfferId]| offers.contains(&offer);
    compiled.bin_types.iter().position(|bin_type| has(&bin_type.offers) || has(&bin_type.dominated))
}

/// What the nodes of static pools cost at least.
pub(super) fn static_cost(context: &Context<'_>) -> i128 {
    let compiled = context.compiled;
    let mut sum = 0;
    for (id, pool) in compiled.pools.iter() {
        let Some(nodes) = pool.static_replicas else { continue };
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

/// The sites of the nodes of static pools that hold nothing: the cheapest of which reservations
/// have any left beside the nodes that hold pods.
pub(super) fn idle_static(input: &SearchInput<'_>, found: &FoundPlan) -> Vec<usize> {
    let compiled = input.task.context.compiled;
    if input.task.static_nodes.is_some() {
        let fixed = input.places.list.iter().enumerate().filter(|(_, place)| place.is_fixed);
        let idle = fixed.filter(|(at, _)| found.held.iter().all(|(used, _)| used != at));
        return idle.map(|(_, place)| place.site).collect();
    }
    let launched = found.held.iter().map(|(at, _)| &input.places.list[*at]);
    let launched = launched.filter(|place| place.node.is_none());
    let offers: Vec<OfferId> = launched.map(|place| OfferId::from_index(place.site)).collect();
    let mut taken: BTreeMap<ReservationId, u32> = BTreeMap::new();
    for offer in &offers {
        if let Some(reservation) = compiled.offers[*offer].reservation {
            *taken.entry(reservation).or_default() += 1;
        }
    }
    let mut idle = Vec::new();
    for (id, pool) in compiled.pools.iter() {
        let Some(nodes) = pool.static_replicas else { continue };
        let used = offers.iter().filter(|offer| compiled.offers[**offer].pool == id).count();
        let sites = sites(compiled, id);
        for _ in used..nodes as usize {
            let has_any = |reservation: ReservationId| {
                let gone = taken.get(&reservation).copied().unwrap_or(0);
                gone < compiled.reservations[reservation].remaining
            };
            let cheapest =
                sites.iter().find(|offer| compiled.offers[**offer].reservation.is_none_or(has_any));
            let Some(offer) = cheapest else { continue };
            if let Some(reservation) = compiled.offers[*offer].reservation {
                *taken.entry(reservation).or_default() += 1;
            }
            idle.push(compiled.site_of_offer(*offer));
        }
    }
    idle
}

/// The packing of a plan.
pub(super) fn packed(
    input: &SearchInput<'_>,
    former: &AssignedPacking,
    found: &FoundPlan,
) -> Option<AssignedPacking> {
    let (task, kept_classes) = (input.task, input.task.kept_classes);
    let whole = task.context.compiled;
    let mut parts: Vec<ClassPart> = Vec::new();
    let mut numbers: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    let mut held: Vec<NodeParts> = Vec::new();
    for (at, number) in &found.held {
        let place = &input.places.list[*at];
        let mut here = Vec::new();
        let vector = input.grid.vector(*number);
        for (item, count) in vector.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            let part = *numbers.entry((item, place.cell)).or_insert_with(|| {
                let of = &input.items[item];
                let mut sites = kept_classes.compiled.eligible
                    [kept_classes.compiled.items[of.item].eligibility]
                    .clone();
                // Of pools of all weights, so that it shows whether those of higher ones come
                // first.
                let kept_class = &kept_classes.list[of.item.index()];
                sites.or(&kept_class.sites_of_any_weight(whole));
                sites.and(&input.places.sites[place.cell]);
                let over_skew = whole.nodes.ids().filter(|node| task.is_over_skew(*node, of.class));
                let over_skew = over_skew.map(|node| whole.site_of_node(node));
                let here = over_skew.filter(|site| input.places.cell_of(*site) == place.cell);
                here.for_each(|site| sites.insert(site));
                parts.push(ClassPart { class: of.class, count: 0, sites });
                parts.len() - 1
            });
            parts[part].count += count;
            here.push((part, count));
        }
        here.sort_unstable();
        held.push((place.node, here));
    }
    let mut out: BTreeMap<ClassId, LeftOutPods> = BTreeMap::new();
    for (item, count) in input.items.iter().zip(&found.out).filter(|(_, count)| **count > 0) {
        out.entry(item.class).or_default().count += count;
    }
    if !task.optional {
        // The pods of kept classes are those that are placed.
        for (class, left) in former.left(whole).iter().filter(|(_, left)| **left > 0) {
            if !whole.items[ItemId::from_index(class.index())].placeholder {
                let _none = out.insert(class, LeftOutPods::of(*left));
            }
        }
    }
    for (id, compiled_item) in
        whole.items.iter().filter(|(_, compiled_item)| compiled_item.placeholder)
    {
        let (class, count) = (ClassId::from_index(id.index()), compiled_item.count);
        parts.push(ClassPart {
            class,
            count,
            sites: whole.eligible[compiled_item.eligibility].clone(),
        });
    }
    let arrangement = DomainAssignment::from_parts(task.context, &parts, out, &held);
    let packing = state(input, &arrangement, found, &held)?;
    // Static pools launch all that they can, whatever others would do with a reservation.
    let launched = |compiled: &Compiled, packing: &Packing| {
        packing.launched(compiled, |bin_type| bin_type.is_static(compiled))
    };
    let has_all = launched(&arrangement.compiled, &packing)
        >= launched(former.compiled(whole), &former.packing)
        && are_first(&arrangement.compiled, &packing);
    has_all.then_some(())?;
    Some(AssignedPacking { assignment: Some(arrangement), packing })
}

/// The groups of a plan's nodes, each class numbered as its part.
fn state(
    input: &SearchInput<'_>,
    arrangement: &DomainAssignment,
    found: &FoundPlan,
    held: &[NodeParts],
) -> Option<Packing> {
    let compiled = &arrangement.compiled;
    let context = Context { compiled, ..*input.task.context };
    let mut packing = Packing::new(compiled);
    type Alike = (usize, Vec<(ItemId, u32)>);
    let mut launches: BTreeMap<Alike, u32> = BTreeMap::new();
    for ((at, _), (node, parts)) in found.held.iter().zip(held) {
        let items: Vec<(ItemId, u32)> =
            parts.iter().map(|(part, count)| (ItemId::from_index(*part), *count)).collect();
        match node {
            Some(node) => {
                packing.untouched_nodes.retain(|idle| idle != node);
                let load = compiled.load(&items);
                let place = NodeSource::Running(vec![*node]);
                packing.add(compiled, NodeGroup { place, items, load, multiplicity: 1 });
            }
            None => {
                let offer = OfferId::from_index(input.places.list[*at].site);
                let bin_type = bin_type(compiled, offer)?;
                *launches.entry((bin_type, items)).or_insert(0) += 1;
            }
        }
    }
    if input.task.static_nodes.is_some() {
        for site in idle_static(input, found) {
            let bin_type = bin_type(compiled, OfferId::from_index(site))?;
            *launches.entry((bin_type, Vec::new())).or_insert(0) += 1;
        }
    }
    for ((bin_type, items), times) in launches {
        let (load, place) = (compiled.load(&items), NodeSource::Launch(bin_type));
        packing.add(compiled, NodeGroup { place, items, load, multiplicity: times });
    }
    launch_rest(&context, &mut packing);
    place_placeholders(&context, &mut packing);
    (!packing.overdraws(compiled)).then_some(packing)
}
