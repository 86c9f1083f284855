//! A launch of a plan with another offer in its place: the same pods, bought otherwise.
//!
//! *Problem.* "Why not that type instead?" needs launches for exactly the same pods, with all that
//! a real launch has: labels, requirements, alternatives in the order of price.
//!
//! *Idea.* Every offer that is as wanted is taken as decided, and the naming of launches runs on it
//! with the rest of the plan around it, as it would have had the solver chosen that offer.
//!
//! *Cost.* As many templates as [`MOST_MADE`]. Whether the pods fit there, or may be there, is not
//! judged here: what is made is handed to the plan's verification.

use super::of_plan::{ClassNames, offer_of};
use super::rules::item_of;
use crate::compile::{Compiled, ItemId, NodeSource, OfferId};
use crate::model::CapacityType;
use crate::pack::packing::{Context, NodeGroup};
use crate::pack::{DecidedLaunches, requests_of};
use crate::plan::{Launch, LaunchPlan};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a launch should be like instead; what is `None` may be anything, and is what it was where
/// that is possible.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// The node pool's name.
    pub(crate) node_pool: Option<Arc<str>>,
    /// The instance type's name.
    pub(crate) instance_type: Option<Arc<str>>,
    /// The zone's name, as offerings have it.
    pub(crate) zone: Option<Arc<str>>,
    /// Whether on demand, spot or reserved.
    pub(crate) capacity_type: Option<CapacityType>,
}

/// The most launches that are made.
///
/// Each is told to a reader, who compares a handful.
const MOST_MADE: usize = 6;

/// Launches for the pods of one of a plan's that are as wanted, the cheapest first, those that
/// can't be bought now last; none where nothing such is offered. `None` where the plan isn't one of
/// the problem.
///
/// All other launches and running nodes count as standing, so that requirements of a template keep
/// to domains that others' spreads allow; the pods of the whole plan count for whom rules select.
pub(crate) fn substitutes(
    context: &Context<'_>,
    plan: &LaunchPlan,
    launch: usize,
    wanted: &Wanted,
) -> Option<Vec<Launch>> {
    let compiled = context.compiled;
    let names = ClassNames::of(compiled);
    let former = plan.launches.get(launch)?;
    let own = offer_of(compiled, &former.template)?;
    let classes = names.counted(former.pods.iter().map(|pod| &**pod))?;
    let items: Vec<(ItemId, u32)> =
        classes.iter().map(|(class, each)| (item_of(*class), *each)).collect();
    let load = compiled.load(&items);
    let mut standing: Vec<usize> =
        compiled.nodes.ids().map(|node| compiled.site_of_node(node)).collect();
    let mut offers: BTreeMap<_, OfferId> = BTreeMap::new();
    for (at, other) in plan.launches.iter().enumerate().filter(|(at, _)| *at != launch) {
        let key = Arc::as_ptr(&other.template);
        let offer = match offers.get(&key) {
            Some(known) => *known,
            None => offer_of(compiled, &plan.launches[at].template)?,
        };
        let _same = offers.insert(key, offer);
        standing.push(compiled.site_of_offer(offer));
    }
    let placed = plan.launches.iter().flat_map(|launch| &launch.pods);
    let placed = placed.chain(plan.bindings.iter().map(|binding| &binding.pod));
    let placed = names.counted(placed.map(|pod| &**pod))?;
    // Where either stands is told by `standing`: what counts of it is whose spreads look.
    let others = NodeGroup {
        place: NodeSource::Running(Vec::new()),
        items: placed.into_iter().map(|(class, count)| (item_of(class), count)).collect(),
        load: Vec::new(),
        multiplicity: 1,
    };
    let offers = candidates(compiled, own, wanted);
    // The offers are decided: no bin type is asked for.
    let group = NodeGroup { place: NodeSource::Launch(0), items, load, multiplicity: 1 };
    let groups = vec![group.clone(); offers.len()];
    let mut decided =
        DecidedLaunches::new(context, groups, &offers, vec![others], standing.into_iter());
    let made = offers.iter().enumerate().filter_map(|(at, offer)| {
        let template = decided.templates(&[at], &[at]).pop()?;
        let requests = Arc::new(requests_of(compiled, *offer, &group.load));
        Some(Launch { template, pods: former.pods.clone(), requests })
    });
    let made = made.collect();
    Some(made)
}

/// The offers that are as wanted, as like to another as can be.
///
/// What isn't asked for stays as it was where any such offer is left: first pool, then type, zone
/// and capacity type, then the labels that the launch chose. The launch's own offer is never among
/// them.
fn candidates(compiled: &Compiled, own: OfferId, wanted: &Wanted) -> Vec<OfferId> {
    let named = |id: OfferId| {
        let offer = &compiled.offers[id];
        let pool = &compiled.parts.node_pool(compiled.pools[offer.pool].index).name;
        let instance = compiled.parts.instance_type(offer.instance);
        let offering = &instance.offerings[offer.offering];
        [&**pool, &*instance.name, &*offering.zone, offering.capacity_type.as_str()]
    };
    let capacity_type = wanted.capacity_type.map(CapacityType::as_str);
    let asked = [&wanted.node_pool, &wanted.instance_type, &wanted.zone].map(Option::as_deref);
    let asked: Vec<Option<&str>> = asked.into_iter().chain([capacity_type]).collect();
    let mut found: Vec<OfferId> = compiled
        .offers
        .ids()
        .filter(|id| {
            let parts = named(*id);
            asked.iter().zip(parts).all(|(asked, is)| asked.is_none_or(|one| one == is))
        })
        .collect();
    for (at, former) in named(own).into_iter().enumerate() {
        if found.iter().any(|id| named(*id)[at] == former) {
            found.retain(|id| named(*id)[at] == former);
        }
    }
    let labels = &compiled.offers[own].fixed_labels;
    if found.iter().any(|id| compiled.offers[*id].fixed_labels == *labels) {
        found.retain(|id| compiled.offers[*id].fixed_labels == *labels);
    }
    found.retain(|id| *id != own);
    found.sort_by_key(|id| (!compiled.is_sold(*id), compiled.offers[*id].price, *id));
    found.truncate(MOST_MADE);
    found
}
