//! What a launch of a group is like: the choice, its alternatives, and what the node is told.
//!
//! Many groups of a plan are launched alike, though they hold other pods: what they have in common is
//! written once and shared.

use super::flexible::{Minimums, Pins, is_alternative, may_become};
use super::state::{Context, Group, Place, State};
use crate::compile::{Bits, ClassId, Compiled, Id, IdVec, KeyId, OfferId, PoolId};
use crate::model::{
    Labels, Operator, Requirement, Requirements, Resources, ValueSet, amount, well_known,
};
use crate::parallel;
use crate::plan::{Choice, LaunchSpec};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most alternatives that are listed for a launch, unless `minValues` asks for more.
const ALTERNATIVES: usize = 60;

/// What a launch takes, may take instead, and fixes.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Offered {
    chosen: OfferId,
    options: Vec<OfferId>,
    pins: Vec<(Arc<str>, Arc<str>)>,
}

/// What launches with the same options have in common.
struct Common {
    alternatives: Arc<Vec<Choice>>,
    labels: Arc<Labels>,
    requirements: Arc<Vec<Requirement>>,
}

/// For each group the offer that its launches take and what they are like; `None` for running nodes.
pub(super) fn specify(
    context: &Context<'_, '_>,
    state: &State,
) -> Vec<Option<(OfferId, Arc<LaunchSpec>)>> {
    let compiled = context.compiled;
    let mut known: BTreeMap<Offered, Common> = BTreeMap::new();
    let offered = offered(context, state);
    let specified = state.groups.iter().zip(offered).map(|(group, offered)| {
        let offered = offered?;
        let chosen = offered.chosen;
        let offer = &compiled.offers[chosen];
        let pool = &compiled.problem.node_pools[compiled.pools[offer.pool].index];
        let common = known.entry(offered).or_insert_with_key(|offered| {
            let options = offered.options.iter();
            let mut alternatives: Vec<Choice> =
                options.map(|option| choice(compiled, *option)).collect();
            // By price alone, whatever interruptions count for.
            alternatives.sort_unstable();
            Common {
                alternatives: Arc::new(alternatives),
                labels: Arc::new(labels(compiled, chosen, &offered.pins)),
                requirements: Arc::new(requirements(context, offered)),
            }
        });
        let spec = LaunchSpec {
            node_pool: pool.name.clone(),
            offering: choice(compiled, chosen),
            alternatives: common.alternatives.clone(),
            labels: common.labels.clone(),
            taints: pool.taints.clone(),
            requirements: common.requirements.clone(),
            requests: requests(compiled, &compiled.shapes[offer.shape].daemons, group),
        };
        Some((chosen, Arc::new(spec)))
    });
    specified.collect()
}

/// For each group, the offer that its launches take.
pub(crate) fn chosen(context: &Context<'_, '_>, state: &State) -> Vec<Option<OfferId>> {
    let offered = offered(context, state).into_iter();
    offered.map(|offered| offered.map(|offered| offered.chosen)).collect()
}

fn offered(context: &Context<'_, '_>, state: &State) -> Vec<Option<Offered>> {
    let compiled = context.compiled;
    let market = ByPrice::of(compiled);
    // Many groups have the same terms: what these allow is looked up once.
    let mut numbers: BTreeMap<Terms, usize> = BTreeMap::new();
    let mut distinct: Vec<(OfferId, &Group)> = Vec::new();
    let launches = state.groups.iter().map(|group| match group.place {
        Place::Launch(column) => {
            let first = compiled.columns[column].offers[0];
            let number = numbers.entry(Terms::of(compiled, &market, first, group));
            let number = *number.or_insert_with(|| {
                distinct.push((first, group));
                distinct.len() - 1
            });
            Some((number, first, group))
        }
        Place::Running(_) => None,
    });
    let launches: Vec<Option<(usize, OfferId, &Group)>> = launches.collect();
    let allowed =
        parallel::map(&distinct, |(first, group)| Allowed::by(compiled, &market, *first, group));
    parallel::map(&launches, |launch| {
        launch
            .map(|(number, first, group)| options(context, &market, &allowed[number], first, group))
    })
}

/// What decides which offers may stand beside the choice of a launch, if they hold its pods.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct Terms {
    pool: PoolId,
    charge: Vec<i64>,
    /// The choice's domains of the keys over which alternatives must agree.
    domains: Vec<(KeyId, u32)>,
    pins: Vec<(Arc<str>, Arc<str>)>,
    /// The keys that the pods read, where launches of the pool have labels to choose.
    read: Vec<Arc<str>>,
}

impl Terms {
    fn of(compiled: &Compiled<'_>, market: &ByPrice, first: OfferId, group: &Group) -> Self {
        let offer = &compiled.offers[first];
        let classes = classes(group);
        let site = compiled.site_of_offer(first);
        let domain = |key| (key, compiled.topology.keys[key].of_site[site]);
        let read = match market.pinned[offer.pool] {
            true => compiled.keys_read(&classes).into_iter().cloned().collect(),
            false => Vec::new(),
        };
        Self {
            pool: offer.pool,
            charge: compiled.shapes[offer.shape].charge.clone(),
            domains: compiled.sticky(&classes).into_iter().map(domain).collect(),
            pins: compiled.pins(first, &classes),
            read,
        }
    }
}

/// What some terms allow.
struct Allowed {
    /// The labels that the launch fixes.
    pins: Vec<(Arc<str>, Arc<str>)>,
    /// Offers that have these.
    agreeing: Bits,
    /// Offers that may stand beside the choice.
    alternatives: Bits,
    /// Their places in the market, cheapest first.
    ranked: Vec<usize>,
}

impl Allowed {
    fn by(compiled: &Compiled<'_>, market: &ByPrice, first: OfferId, group: &Group) -> Self {
        let classes = classes(group);
        let (pins, sticky) = (compiled.pins(first, &classes), compiled.sticky(&classes));
        let (mut agreeing, mut alternatives) =
            (compiled.usable.emptied(), compiled.usable.emptied());
        let mut ranked = Vec::new();
        for (place, id) in market.pools[compiled.offers[first].pool].iter().enumerate() {
            if compiled.agrees(*id, &pins, &classes) {
                agreeing.insert(id.index());
                if is_alternative(compiled, first, (&pins, &sticky), &classes, *id) {
                    alternatives.insert(id.index());
                    ranked.push(place);
                }
            }
        }
        Self { pins, agreeing, alternatives, ranked }
    }
}

fn classes(group: &Group) -> Vec<ClassId> {
    group.items.iter().map(|(class, _)| *class).collect()
}

/// The offers of each pool, cheapest first.
struct ByPrice {
    pools: IdVec<PoolId, Vec<OfferId>>,
    /// In the same order the resources of each, in one row: most offers that are looked at are too small.
    rooms: IdVec<PoolId, Vec<i64>>,
    width: usize,
    /// Whether a launch of any of them has labels to choose.
    pinned: IdVec<PoolId, bool>,
}

impl ByPrice {
    fn of(compiled: &Compiled<'_>) -> Self {
        let mut pools: IdVec<PoolId, Vec<OfferId>> =
            compiled.pools.iter().map(|_| Vec::new()).collect();
        compiled.offers.iter().for_each(|(id, offer)| pools[offer.pool].push(id));
        let ids: Vec<PoolId> = pools.ids().collect();
        for pool in ids {
            pools[pool].sort_by_key(|id| (compiled.offers[*id].price, *id));
        }
        let room = |id: &OfferId| compiled.shapes[compiled.offers[*id].shape].allocatable.iter();
        let rooms = pools.values().map(|offers| offers.iter().flat_map(room).copied().collect());
        let open = |id: &OfferId| !compiled.offers[*id].pinned.is_empty();
        let pinned = pools.values().map(|offers| offers.iter().any(open)).collect();
        Self { rooms: rooms.collect(), width: compiled.dims.len(), pinned, pools }
    }

    /// The offers at some places of a pool, and one offer more, that are large enough for a load, cheapest
    /// first.
    fn large_enough(
        &self,
        pool: PoolId,
        ranked: &[usize],
        more: usize,
        load: &[i64],
    ) -> impl Iterator<Item = OfferId> {
        let (before, after) = ranked.split_at(ranked.partition_point(|place| *place < more));
        let after = after.iter().copied().filter(move |place| *place != more);
        let places = before.iter().copied().chain([more]).chain(after);
        let is_large = move |place: &usize| {
            let room = &self.rooms[pool][place * self.width..(place + 1) * self.width];
            room.iter().zip(load).all(|(have, want)| have >= want)
        };
        places.filter(is_large).map(move |place| self.pools[pool][place])
    }

    /// The place of an offer.
    fn place(&self, compiled: &Compiled<'_>, id: OfferId) -> usize {
        let offers = &self.pools[compiled.offers[id].pool];
        offers.partition_point(|other| {
            (compiled.offers[*other].price, *other) < (compiled.offers[id].price, id)
        })
    }
}

/// The offer to take, and all to choose from, cheapest first.
fn options(
    context: &Context<'_, '_>,
    market: &ByPrice,
    allowed: &Allowed,
    first: OfferId,
    group: &Group,
) -> Offered {
    let compiled = context.compiled;
    let pool = compiled.offers[first].pool;
    let classes = classes(group);
    let mut listable = allowed.alternatives.clone();
    listable.insert(first.index());
    let mut holders = compiled.holders(&classes, &group.load);
    holders.narrow(&listable);
    let suits = |id: OfferId| holders.contains(id);
    let agrees = |id: OfferId| allowed.agreeing.contains(id.index());
    let minimums = Minimums::of(context, first, &group.items);
    let mut open = minimums.counter(context);
    let mut options: Vec<OfferId> = Vec::new();
    let offering = |id: OfferId| (compiled.offers[id].instance, compiled.offers[id].offering);
    let place_of_first = market.place(compiled, first);
    for id in market.large_enough(pool, &allowed.ranked, place_of_first, &group.load) {
        let enough = options.len() >= ALTERNATIVES;
        if enough && (open.is_met() || !open.gains(id)) || !suits(id) {
            continue;
        }
        // An offering stands in the market once for each state of its open labels, one after another.
        if options.last().is_some_and(|last| offering(*last) == offering(id)) {
            continue;
        }
        open.add(id);
        options.push(id);
        if options.len() >= ALTERNATIVES && open.is_met() {
            break;
        }
    }
    // The cheapest is the choice, unless what is chosen is counted, by a limit or a reservation, and that
    // would count for something else.
    let chosen = match options.first() {
        Some(cheapest) if may_become(compiled, first, *cheapest) => *cheapest,
        _ => first,
    };
    options.retain(|id| *id == chosen || offering(*id) != offering(chosen));
    if !options.contains(&chosen) {
        options.push(chosen);
        options.sort_by_key(|id| (compiled.offers[*id].price, *id));
    }
    // Whoever reads the requirements may combine any listed type, zone and capacity type. Where some
    // combination could not hold the pods, only the choice's own zone and capacity type stay.
    if !closed(compiled, &options, agrees, suits) {
        let own = place(compiled, chosen);
        let mut narrow = minimums.counter(context);
        let narrowed: Vec<OfferId> =
            options.iter().copied().filter(|id| place(compiled, *id) == own).collect();
        narrowed.iter().for_each(|id| narrow.add(*id));
        if narrow.is_met() {
            options = narrowed;
        }
    }
    Offered {
        chosen,
        options,
        pins: if chosen == first { allowed.pins.clone() } else { compiled.pins(chosen, &classes) },
    }
}

/// An offer's zone and capacity type.
fn place<'p>(compiled: &Compiled<'p>, id: OfferId) -> (&'p Arc<str>, &'p Arc<str>) {
    let offer = &compiled.offers[id];
    let offering = &compiled.problem.instance_types[offer.instance].offerings[offer.offering];
    (&offering.zone, &offering.capacity_type)
}

/// Whether every offer made of the listed types, zones and capacity types suits.
fn closed(
    compiled: &Compiled<'_>,
    options: &[OfferId],
    agrees: impl Fn(OfferId) -> bool,
    suits: impl Fn(OfferId) -> bool,
) -> bool {
    let Some(pool) = options.first().map(|id| compiled.offers[*id].pool) else { return true };
    let mut listed = compiled.usable.emptied();
    options.iter().for_each(|id| listed.insert(id.index()));
    let mut types: Vec<usize> = options.iter().map(|id| compiled.offers[*id].instance).collect();
    types.sort_unstable();
    types.dedup();
    // Few of each, so that looking through them is quickest.
    let (mut zones, mut kinds): (Vec<&Arc<str>>, Vec<&Arc<str>>) = (Vec::new(), Vec::new());
    for (zone, kind) in options.iter().map(|id| place(compiled, *id)) {
        if !zones.contains(&zone) {
            zones.push(zone);
        }
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let made = |id: OfferId| {
        let (zone, kind) = place(compiled, id);
        zones.contains(&zone) && kinds.contains(&kind)
    };
    types.into_iter().all(|instance| {
        compiled.offers_of(pool, instance).all(|id| {
            let offer = &compiled.offers[id];
            // Nearly all are listed or suit, so that is asked first.
            listed.contains(id.index())
                || !offer.available
                || offer.reservation.is_some()
                || suits(id)
                || !made(id)
                || !agrees(id)
        })
    })
}

fn choice(compiled: &Compiled<'_>, id: OfferId) -> Choice {
    let offer = &compiled.offers[id];
    let instance = &compiled.problem.instance_types[offer.instance];
    let offering = &instance.offerings[offer.offering];
    Choice {
        price: offering.price,
        instance_type: instance.name.clone(),
        zone: offering.zone.clone(),
        capacity_type: offering.capacity_type.clone(),
        reservation: offering.reservation.as_ref().map(|reservation| reservation.id.clone()),
    }
}

/// The labels of a launch: those of pool, type and offering, those that requirements leave one value
/// for, and those that the launch itself fixes.
fn labels(compiled: &Compiled<'_>, id: OfferId, pins: &Pins) -> Labels {
    let offer = &compiled.offers[id];
    let pool = &compiled.problem.node_pools[compiled.pools[offer.pool].index];
    let instance = &compiled.problem.instance_types[offer.instance];
    let offering = &instance.offerings[offer.offering];
    let mut labels = Labels::new();
    let mut put = |key: &Arc<str>, value: &Arc<str>| {
        let _former = labels.insert(key.clone(), value.clone());
    };
    let required: Requirements = pool.requirements.iter().collect();
    for (key, states) in required.iter() {
        if let Some(value) = states.single()
            && !compiled.declared.contains(key)
        {
            put(key, value);
        }
    }
    let of_type: Requirements = instance.requirements.iter().collect();
    for (key, states) in of_type.iter() {
        if let Some(value) = states.intersect(required.get(key)).single() {
            put(key, value);
        }
    }
    for part in [&pool.labels, &instance.labels, &offering.labels] {
        part.iter().for_each(|(key, value)| put(key, value));
    }
    put(&well_known::NODE_POOL.into(), &pool.name);
    put(&well_known::INSTANCE_TYPE.into(), &instance.name);
    put(&well_known::ZONE.into(), &offering.zone);
    put(&well_known::CAPACITY_TYPE.into(), &offering.capacity_type);
    pins.iter().for_each(|(key, value)| put(key, value));
    labels
}

/// The pool's requirements, narrowed to the options and to what the launch fixes.
fn requirements(context: &Context<'_, '_>, offered: &Offered) -> Vec<Requirement> {
    let Offered { chosen, options, pins } = offered;
    let chosen = *chosen;
    let compiled = context.compiled;
    let offer = &compiled.offers[chosen];
    let pool = &compiled.problem.node_pools[compiled.pools[offer.pool].index];
    let mut required: Requirements = pool.requirements.iter().collect();
    let types = options.iter().map(|id| &compiled.offers[*id].instance);
    let types = types.map(|at| compiled.problem.instance_types[*at].name.clone());
    required.restrict(well_known::INSTANCE_TYPE, &ValueSet::only(types));
    let zones = options.iter().map(|id| place(compiled, *id).0.clone());
    required.restrict(well_known::ZONE, &ValueSet::only(zones));
    let kinds = options.iter().map(|id| place(compiled, *id).1.clone());
    required.restrict(well_known::CAPACITY_TYPE, &ValueSet::only(kinds));
    for (key, value) in pins {
        required.restrict(key, &ValueSet::one(value.clone()));
    }
    let mut open = Minimums::of(context, chosen, &[]).counter(context);
    options.iter().for_each(|id| open.add(*id));
    let minimums: BTreeMap<&Arc<str>, u32> = compiled.pools[offer.pool]
        .min_values
        .iter()
        .zip(open.counts())
        .map(|(asked, open)| (&asked.key, asked.least.min(u32::try_from(open).unwrap_or(u32::MAX))))
        .collect();
    let mut written = Vec::new();
    for (key, states) in required.iter() {
        let mut entries = states.to_requirements(key);
        if let (Some(least), Some(first)) = (minimums.get(key), entries.first_mut()) {
            // A minimum of none asks for nothing, and the document has no way to write it.
            first.min_values = (*least > 0).then_some(*least);
        }
        written.append(&mut entries);
    }
    for (key, least) in minimums {
        let unwritten = !written.iter().any(|entry| entry.key == *key);
        if unwritten && least > 0 {
            let exists = Requirement::new(key.clone(), Operator::Exists, Vec::<Arc<str>>::new());
            written.push(exists.with_min_values(least));
        }
    }
    written
}

/// The sum of what the pods and daemons of a launch ask for.
fn requests(compiled: &Compiled<'_>, daemons: &Bits, group: &Group) -> Resources {
    let mut sum = group.load.clone();
    for daemon in daemons.iter() {
        let request = compiled.dims.requests(&compiled.problem.daemon_sets[daemon]);
        sum.iter_mut().zip(&request).for_each(|(sum, more)| *sum = sum.saturating_add(*more));
    }
    let mut requests = Resources::new();
    for (name, count) in compiled.dims.names().iter().zip(&sum).filter(|(_, count)| **count > 0) {
        let _former = requests.insert(name.clone(), amount(name, *count));
    }
    requests
}
