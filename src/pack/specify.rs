//! What a launch of a group is like: the choice, its alternatives, and what the node is told.
//!
//! Many groups of a plan are launched alike, though they hold other pods: what they have in common is
//! written once and shared.

use super::combine::{Required, closed, place, required};
use super::flexible::{Minimums, Pins, is_alternative, may_become};
use super::standing::Standing;
use super::state::{Context, Group, Place, State};
use crate::compile::{Bits, ClassId, Compiled, Id, IdVec, KeyId, OfferId, Pin, PoolId};
use crate::model::{
    Labels, Operator, Requirement, Requirements, Resources, ValueSet, amount, well_known,
};
use crate::parallel;
use crate::plan::{Choice, LaunchSpec};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most alternatives that are listed for a launch, unless `minValues` asks for more.
const ALTERNATIVES: usize = 60;

/// What a launch takes, may take instead, and fixes.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Offered {
    chosen: OfferId,
    options: Vec<OfferId>,
    pins: Vec<Pin>,
    required: Required,
}

/// What launches with the same options have in common.
struct Common {
    alternatives: Arc<Vec<Choice>>,
    labels: Arc<Labels>,
    requirements: Arc<Vec<Requirement>>,
}

/// For each group the offer that its launches take and what they are like; `None` for running nodes.
pub(super) fn specify(
    context: &Context<'_>,
    state: &State,
) -> Vec<Option<(OfferId, Arc<LaunchSpec>)>> {
    let compiled = context.compiled;
    let mut known: BTreeMap<Offered, Common> = BTreeMap::new();
    let offered = offered(context, state);
    let pools = compiled.pools.values();
    let asked = pools.map(|pool| compiled.parts.node_pool(pool.index).requirements.iter());
    let asked: IdVec<PoolId, Requirements> = asked.map(Iterator::collect).collect();
    let specified = state.groups.iter().zip(offered).map(|(group, offered)| {
        let offered = offered?;
        let chosen = offered.chosen;
        let offer = &compiled.offers[chosen];
        let pool = compiled.parts.node_pool(compiled.pools[offer.pool].index);
        let common = known.entry(offered).or_insert_with_key(|offered| {
            let options = offered.options.iter();
            let mut alternatives: Vec<Choice> =
                options.map(|option| choice(compiled, *option)).collect();
            // By price alone, whatever interruptions count for.
            alternatives.sort_unstable();
            Common {
                alternatives: Arc::new(alternatives),
                labels: Arc::new(labels(compiled, chosen, &offered.pins, &asked[offer.pool])),
                requirements: Arc::new(requirements(context, offered, &asked[offer.pool])),
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
pub(crate) fn chosen(context: &Context<'_>, state: &State) -> Vec<Option<OfferId>> {
    let offered = offered(context, state).into_iter();
    offered.map(|offered| offered.map(|offered| offered.chosen)).collect()
}

fn offered(context: &Context<'_>, state: &State) -> Vec<Option<Offered>> {
    let compiled = context.compiled;
    if state.groups.iter().all(|group| matches!(group.place, Place::Running(_))) {
        return state.groups.iter().map(|_| None).collect();
    }
    let market = ByPrice::of(compiled);
    let mut standing = Standing::of(compiled, &state.groups);
    let firsts = firsts(compiled, state, &mut standing);
    let offered = offered_in(context, state, &market, &firsts, &standing.opening());
    if standing.is_empty() {
        return offered;
    }
    // Where all that stood in a domain went to a cheaper one, it stands no more.
    let chosen: Vec<Option<OfferId>> =
        offered.iter().map(|offered| offered.as_ref().map(|offered| offered.chosen)).collect();
    let mut left = Standing::of(compiled, &state.groups);
    chosen.iter().flatten().for_each(|id| left.note(compiled.site_of_offer(*id)));
    if left.is_as(&standing) {
        return offered;
    }
    offered_in(context, state, &market, &chosen, &left.opening())
}

/// For each group, an offer of its column to begin with, and the domains in which these stand.
fn firsts(compiled: &Compiled, state: &State, standing: &mut Standing<'_>) -> Vec<Option<OfferId>> {
    let column = |group: &Group| match group.place {
        Place::Launch(column) => Some(column),
        Place::Running(_) => None,
    };
    let is_anchored = |group: &&Group| compiled.is_anchored(&classes(group));
    if !standing.is_empty() {
        // Where these go is decided.
        let columns = state.groups.iter().filter(is_anchored).filter_map(column);
        for column in columns {
            let offers = &compiled.columns[column].offers;
            standing.note(compiled.site_of_offer(offers[0]));
        }
    }
    let first = |group: &Group| {
        let offers = &compiled.columns[column(group)?].offers;
        if standing.is_empty() || is_anchored(&group) {
            return Some(offers[0]);
        }
        let first = standing.pick(offers);
        standing.note(compiled.site_of_offer(first));
        Some(first)
    };
    state.groups.iter().map(first).collect()
}

/// What launches take and may take, given an offer to begin with, but for offers that would open domains.
fn offered_in(
    context: &Context<'_>,
    state: &State,
    market: &ByPrice,
    firsts: &[Option<OfferId>],
    opening: &Bits,
) -> Vec<Option<Offered>> {
    let compiled = context.compiled;
    // Many groups have the same terms: what these allow is looked up once.
    let mut numbers: BTreeMap<Terms, usize> = BTreeMap::new();
    let mut distinct: Vec<(OfferId, &Group)> = Vec::new();
    let launches = state.groups.iter().zip(firsts).map(|(group, first)| {
        let first = (*first)?;
        let number = numbers.entry(Terms::of(compiled, market, first, group));
        let number = *number.or_insert_with(|| {
            distinct.push((first, group));
            distinct.len() - 1
        });
        Some((number, first, group))
    });
    let launches: Vec<Option<(usize, OfferId, &Group)>> = launches.collect();
    let allowed = parallel::map(&distinct, |(first, group)| {
        Allowed::by(compiled, market, *first, group, opening)
    });
    parallel::map(&launches, |launch| {
        launch
            .map(|(number, first, group)| options(context, market, &allowed[number], first, group))
    })
}

/// What decides which offers may stand beside the choice of a launch, if they hold its pods.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct Terms {
    pool: PoolId,
    charge: Vec<i64>,
    /// The choice's domains of the keys over which alternatives must agree.
    domains: Vec<(KeyId, u32)>,
    /// Whether the choice counts for spreads that count its pods.
    counts: Vec<(usize, bool)>,
    pins: Vec<Pin>,
    /// The keys that the pods read, where launches of the pool have labels to choose.
    read: Vec<Arc<str>>,
}

impl Terms {
    fn of(compiled: &Compiled, market: &ByPrice, first: OfferId, group: &Group) -> Self {
        let offer = &compiled.offers[first];
        let agreement = compiled.agreement(first, &classes(group));
        let read = match market.pinned[offer.pool] {
            true => agreement.read.into_iter().cloned().collect(),
            false => Vec::new(),
        };
        Self {
            pool: offer.pool,
            charge: compiled.shapes[offer.shape].charge.clone(),
            domains: agreement.domains,
            counts: agreement.counts,
            pins: agreement.pins,
            read,
        }
    }
}

/// What some terms allow.
struct Allowed {
    /// The labels that the launch fixes.
    pins: Vec<Pin>,
    /// Offers that have these, where the pool leaves any label open.
    agreeing: Option<Vec<OfferId>>,
    /// Offers that may stand beside the choice.
    alternatives: Bits,
    /// Their places in the market, cheapest first.
    ranked: Vec<usize>,
}

impl Allowed {
    fn by(
        compiled: &Compiled,
        market: &ByPrice,
        first: OfferId,
        group: &Group,
        opening: &Bits,
    ) -> Self {
        let agreement = compiled.agreement(first, &classes(group));
        let (mut agreeing, mut alternatives) = (Vec::new(), compiled.usable.emptied());
        let mut ranked = Vec::new();
        let pool = compiled.offers[first].pool;
        for place in market.places(compiled, pool, first, &agreement.pins) {
            let id = &market.pools[pool][place];
            if compiled.has_pins(*id, &agreement) {
                agreeing.extend(market.pinned[pool].then_some(*id));
                if !opening.contains(id.index()) && is_alternative(compiled, first, &agreement, *id)
                {
                    alternatives.insert(id.index());
                    ranked.push(place);
                }
            }
        }
        let agreeing = market.pinned[pool].then_some(agreeing);
        Self { pins: agreement.pins, agreeing, alternatives, ranked }
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
    /// For each such label, the places of the offers that have it in a state.
    by_state: BTreeMap<(PoolId, Arc<str>), BTreeMap<u32, Vec<usize>>>,
}

impl ByPrice {
    fn of(compiled: &Compiled) -> Self {
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
        let mut by_state: BTreeMap<(PoolId, Arc<str>), BTreeMap<u32, Vec<usize>>> = BTreeMap::new();
        for (pool, offers) in pools.iter() {
            let keys = offers.iter().flat_map(|id| compiled.offers[*id].pinned.iter());
            let keys: BTreeSet<&Arc<str>> = keys.map(|(key, _)| key).collect();
            for key in keys {
                let states = compiled.grounds.table.states(key);
                let of_key = by_state.entry((pool, key.clone())).or_default();
                for (place, id) in offers.iter().enumerate() {
                    let state = states.get(compiled.site_of_offer(*id)).copied().unwrap_or(0);
                    of_key.entry(state).or_default().push(place);
                }
            }
        }
        Self { rooms: rooms.collect(), width: compiled.dims.len(), pinned, by_state, pools }
    }

    /// The places in a pool of offers among which are all that have fixed labels as an offer has them.
    fn places(
        &self,
        compiled: &Compiled,
        pool: PoolId,
        of: OfferId,
        pins: &[Pin],
    ) -> Box<dyn Iterator<Item = usize> + '_> {
        let site = compiled.site_of_offer(of);
        let with = |(key, _): &Pin| {
            let state = compiled.grounds.table.states(key).get(site)?;
            self.by_state.get(&(pool, key.clone()))?.get(state)
        };
        match pins.iter().filter_map(with).min_by_key(|places| places.len()) {
            Some(places) => Box::new(places.iter().copied()),
            None => Box::new(0..self.pools[pool].len()),
        }
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
    fn place(&self, compiled: &Compiled, id: OfferId) -> usize {
        let offers = &self.pools[compiled.offers[id].pool];
        offers.partition_point(|other| {
            (compiled.offers[*other].price, *other) < (compiled.offers[id].price, id)
        })
    }
}

/// The offer to take, and all to choose from, cheapest first.
fn options(
    context: &Context<'_>,
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
    let agreeing = allowed.agreeing.as_deref();
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
    // combination could not hold the pods, they say more.
    let keys = || compiled.keys_read(&classes);
    let mut asked = Required::new();
    if !closed(compiled, &options, &asked, agreeing, suits) {
        asked = required(compiled, &options, &keys());
        if !closed(compiled, &options, &asked, agreeing, suits) {
            let own = place(compiled, chosen);
            let mut narrow = minimums.counter(context);
            let narrowed: Vec<OfferId> =
                options.iter().copied().filter(|id| place(compiled, *id) == own).collect();
            narrowed.iter().for_each(|id| narrow.add(*id));
            if narrow.is_met() {
                options = narrowed;
                asked = required(compiled, &options, &keys());
            }
        }
    }
    Offered {
        chosen,
        options,
        pins: if chosen == first { allowed.pins.clone() } else { compiled.pins(chosen, &classes) },
        required: asked,
    }
}

fn choice(compiled: &Compiled, id: OfferId) -> Choice {
    let offer = &compiled.offers[id];
    let instance = compiled.parts.instance_type(offer.instance);
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
fn labels(compiled: &Compiled, id: OfferId, pins: &Pins, required: &Requirements) -> Labels {
    let offer = &compiled.offers[id];
    let pool = compiled.parts.node_pool(compiled.pools[offer.pool].index);
    let instance = compiled.parts.instance_type(offer.instance);
    let offering = &instance.offerings[offer.offering];
    let mut labels = Labels::new();
    let mut put = |key: &Arc<str>, value: &Arc<str>| {
        let _former = labels.insert(key.clone(), value.clone());
    };
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
    let fixed = pins.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
    fixed.for_each(|(key, value)| put(key, value));
    labels
}

/// The pool's requirements, narrowed to the options and to what the launch fixes.
fn requirements(
    context: &Context<'_>,
    offered: &Offered,
    of_pool: &Requirements,
) -> Vec<Requirement> {
    let Offered { chosen, options, pins, required: asked } = offered;
    let chosen = *chosen;
    let compiled = context.compiled;
    let offer = &compiled.offers[chosen];
    let mut narrowed = Requirements::default();
    let types = options.iter().map(|id| &compiled.offers[*id].instance);
    let types = types.map(|at| compiled.parts.instance_type(*at).name.clone());
    narrowed.restrict(well_known::INSTANCE_TYPE, &ValueSet::only(types));
    let zones = options.iter().map(|id| place(compiled, *id).0.clone());
    narrowed.restrict(well_known::ZONE, &ValueSet::only(zones));
    let kinds = options.iter().map(|id| place(compiled, *id).1.clone());
    narrowed.restrict(well_known::CAPACITY_TYPE, &ValueSet::only(kinds));
    for (key, values) in asked {
        let absent = values.is_empty();
        let values = if absent { ValueSet::absent() } else { ValueSet::only(values.clone()) };
        narrowed.restrict(key, &values);
    }
    for (key, value) in pins {
        let value = value.as_ref().map_or_else(ValueSet::absent, |one| ValueSet::one(one.clone()));
        narrowed.restrict(key, &value);
    }
    // A pool may list thousands of values of which a launch has one: its lists aren't copied.
    let keys = of_pool.iter().chain(narrowed.iter()).map(|(key, _)| key);
    let keys: BTreeSet<&Arc<str>> = keys.collect();
    let required = keys.into_iter().map(|key| match narrowed.get(key) {
        own if own.is_any() => (key, Cow::Borrowed(of_pool.get(key))),
        own => (key, Cow::Owned(own.intersect(of_pool.get(key)))),
    });
    let mut open = Minimums::of(context, chosen, &[]).counter(context);
    options.iter().for_each(|id| open.add(*id));
    let minimums: BTreeMap<&Arc<str>, u32> = compiled.pools[offer.pool]
        .min_values
        .iter()
        .zip(open.counts())
        .map(|(asked, open)| (&asked.key, asked.least.min(u32::try_from(open).unwrap_or(u32::MAX))))
        .collect();
    let mut written = Vec::new();
    for (key, states) in required {
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
fn requests(compiled: &Compiled, daemons: &Bits, group: &Group) -> Resources {
    let mut sum = group.load.clone();
    for daemon in daemons.iter() {
        let request = compiled.dims.requests(&compiled.parts.daemon_sets()[daemon]);
        sum.iter_mut().zip(&request).for_each(|(sum, more)| *sum = sum.saturating_add(*more));
    }
    let mut requests = Resources::new();
    for (name, count) in compiled.dims.names().iter().zip(&sum).filter(|(_, count)| **count > 0) {
        let _former = requests.insert(name.clone(), amount(name, *count));
    }
    requests
}
