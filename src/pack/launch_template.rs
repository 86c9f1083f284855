//! What a launch of a group is like: the choice, its alternatives, and what the node is told.
//!
//! Many groups of a plan are launched alike, though they hold other pods: what they have in common
//! is written once and shared.
//!
//! *The choice.* A group has a bin type: offers that differ in nothing that matters to its pods.
//! Among these, and among all others of the pool that hold the pods and agree with the choice where
//! rules over domains, limits or reservations count it, the cheapest is taken, so a launch may end
//! in another zone than the packer had in mind if nobody minds.
//!
//! *Alternatives.* What may stand beside the choice is what *agrees* with it: the same domains of
//! keys that any rule counts, no more of what the pool's limits count, no reservation, no domain
//! opened in which a spread counts nobody yet. Of these the cheapest sixty that hold the pods, and
//! as many more as `minValues` need.
//!
//! *Cost.* Which offers agree depends on few things ([`AlternativeTerms`]), so it is looked up once
//! for all groups that share them; what is left for each group is whether they are large enough.

use super::combine::{RequiredLabels, closed, place, required};
use super::existing_domains::{ExistingDomains, OpeningOffers};
use super::offers_by_price::OffersByPrice;
use super::packing::{Context, NodeGroup, Packing};
use crate::compile::{
    Bits, Compiled, FixedLabel, FixedLabels, Id, IdVec, ItemId, KeyId, LaunchMinValues, OfferId,
    PoolId, is_alternative, may_become,
};
use crate::model::{
    CapacityType, Labels, Operator, Requirement, Requirements, Resources, ValueSet, amount,
    well_known,
};
use crate::parallel;
use crate::plan::{LaunchTemplate, OfferingRef};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most alternatives that are listed for a launch, unless `minValues` asks for more.
const ALTERNATIVES: usize = 60;

/// What a launch takes, may take instead, and fixes.
///
/// Groups with equal terms share one template, in memory and in the document.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct LaunchTerms {
    pub(super) chosen: OfferId,
    options: Vec<OfferId>,
    fixed_labels: Vec<FixedLabel>,
    required: RequiredLabels,
}

/// What launches of a group are.
pub(super) struct LaunchOfGroup {
    /// The offer that they take.
    pub(super) chosen: OfferId,
    pub(super) template: Arc<LaunchTemplate>,
    pub(super) requests: Arc<Resources>,
}

/// For each group what its launches are; `None` for running nodes.
pub(super) fn specify(context: &Context<'_>, packing: &Packing) -> Vec<Option<LaunchOfGroup>> {
    let compiled = context.compiled;
    let mut known: BTreeMap<LaunchTerms, Arc<LaunchTemplate>> = BTreeMap::new();
    let offered = offered(context, packing);
    let pools = compiled.pools.values();
    let asked = pools.map(|pool| compiled.parts.node_pool(pool.index).requirements.iter());
    let asked: IdVec<PoolId, Requirements> = asked.map(Iterator::collect).collect();
    let specified = packing.groups.iter().zip(offered).map(|(group, offered)| {
        let offered = offered?;
        let chosen = offered.chosen;
        let offer = &compiled.offers[chosen];
        let template = known
            .entry(offered)
            .or_insert_with_key(|offered| Arc::new(template(context, offered, &asked[offer.pool])));
        let requests = requests(compiled, &compiled.shapes[offer.shape].daemons, &group.load);
        Some(LaunchOfGroup { chosen, template: template.clone(), requests: Arc::new(requests) })
    });
    specified.collect()
}

pub(super) fn template(
    context: &Context<'_>,
    offered: &LaunchTerms,
    asked: &Requirements,
) -> LaunchTemplate {
    let compiled = context.compiled;
    let offer = &compiled.offers[offered.chosen];
    let pool = compiled.parts.node_pool(compiled.pools[offer.pool].index);
    let options = offered.options.iter();
    let mut alternatives: Vec<OfferingRef> =
        options.map(|option| offering_ref(compiled, *option)).collect();
    // By price alone, whatever interruptions count for.
    alternatives.sort_unstable();
    LaunchTemplate {
        node_pool: pool.name.clone(),
        offering: offering_ref(compiled, offered.chosen),
        alternatives: Arc::new(alternatives),
        labels: Arc::new(labels(compiled, offered.chosen, &offered.fixed_labels, asked)),
        taints: pool.taints.clone(),
        startup_taints: pool.startup_taints.clone(),
        capacity: compiled.parts.instance_type(offer.instance).capacity.clone(),
        requirements: Arc::new(requirements(context, offered, asked)),
    }
}

/// What the pods of a load and the daemons of a launch of an offer ask for.
pub(crate) fn requests_of(compiled: &Compiled, id: OfferId, load: &[i64]) -> Resources {
    let shape = &compiled.shapes[compiled.offers[id].shape];
    requests(compiled, &shape.daemons, load)
}

/// For each group, the offer that its launches take.
pub(crate) fn chosen(context: &Context<'_>, packing: &Packing) -> Vec<Option<OfferId>> {
    let offered = offered(context, packing).into_iter();
    offered.map(|offered| offered.map(|offered| offered.chosen)).collect()
}

/// Twice at most: what is launched decides in which domains nodes stand, and that decides which
/// alternatives would open one. If the choices leave a domain that was taken to stand, all is
/// decided again with that domain empty and the choices fixed as they are to begin with.
fn offered(context: &Context<'_>, packing: &Packing) -> Vec<Option<LaunchTerms>> {
    let compiled = context.compiled;
    if packing.groups.iter().all(|group| !group.place.is_launch()) {
        return packing.groups.iter().map(|_| None).collect();
    }
    let by_price = OffersByPrice::of(compiled);
    let mut existing = ExistingDomains::of(compiled, &packing.groups);
    let firsts = firsts(compiled, packing, &mut existing);
    let groups = &packing.groups[..];
    let offered = offered_in(context, groups, &by_price, &firsts, &existing.opening(), false);
    if existing.is_empty() {
        return offered;
    }
    // Where all that stood in a domain went to a cheaper one, it stands no more.
    let chosen: Vec<Option<OfferId>> =
        offered.iter().map(|offered| offered.as_ref().map(|offered| offered.chosen)).collect();
    let mut left = ExistingDomains::of(compiled, &packing.groups);
    chosen.iter().flatten().for_each(|id| left.note(compiled.site_of_offer(*id)));
    if left.is_as(&existing) {
        return offered;
    }
    offered_in(context, groups, &by_price, &chosen, &left.opening(), false)
}

/// For each group, an offer of its bin type to begin with, and the domains in which these stand.
///
/// Groups whose domains are decided are noted first; the others prefer an offer of their bin type
/// in a domain where something stands.
fn firsts(
    compiled: &Compiled,
    packing: &Packing,
    existing: &mut ExistingDomains<'_>,
) -> Vec<Option<OfferId>> {
    let bin_type = |group: &NodeGroup| group.place.launched();
    let is_anchored = |group: &&NodeGroup| compiled.is_anchored(&items(group));
    if !existing.is_empty() {
        // Where these go is decided.
        let bin_types = packing.groups.iter().filter(is_anchored).filter_map(bin_type);
        for bin_type in bin_types {
            let offers = &compiled.bin_types[bin_type].offers;
            existing.note(compiled.site_of_offer(offers[0]));
        }
    }
    let first = |group: &NodeGroup| {
        let offers = &compiled.bin_types[bin_type(group)?].offers;
        if existing.is_empty() || is_anchored(&group) {
            return Some(offers[0]);
        }
        let first = existing.pick(offers);
        existing.note(compiled.site_of_offer(first));
        Some(first)
    };
    packing.groups.iter().map(first).collect()
}

/// What launches take and may take, given an offer to begin with, but for offers that would open
/// domains; `fixed` says that the offer to begin with is the one to take, and nothing cheaper.
pub(super) fn offered_in(
    context: &Context<'_>,
    groups: &[NodeGroup],
    by_price: &OffersByPrice,
    firsts: &[Option<OfferId>],
    opening: &OpeningOffers,
    fixed: bool,
) -> Vec<Option<LaunchTerms>> {
    let compiled = context.compiled;
    // Many groups have the same terms: what these allow is looked up once.
    let mut numbers: BTreeMap<AlternativeTerms, usize> = BTreeMap::new();
    let mut distinct: Vec<(OfferId, &NodeGroup)> = Vec::new();
    let launches = groups.iter().zip(firsts).map(|(group, first)| {
        let first = (*first)?;
        let number = numbers.entry(AlternativeTerms::of(compiled, by_price, first, group, opening));
        let number = *number.or_insert_with(|| {
            distinct.push((first, group));
            distinct.len() - 1
        });
        Some((number, first, group))
    });
    let launches: Vec<Option<(usize, OfferId, &NodeGroup)>> = launches.collect();
    let allowed = parallel::map(&distinct, |(first, group)| {
        AllowedOffers::by(compiled, by_price, *first, group, opening)
    });
    parallel::map(&launches, |launch| {
        launch.map(|(number, first, group)| {
            options(context, by_price, &allowed[number], first, group, fixed)
        })
    })
}

/// What decides which offers may stand beside the choice of a launch, if they hold its pods.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct AlternativeTerms {
    pool: PoolId,
    charge: Vec<i64>,
    /// The choice's domains of the keys over which alternatives must agree.
    domains: Vec<(KeyId, u32)>,
    /// Whether the choice counts for spreads that count its pods.
    counts: Vec<(usize, bool)>,
    /// For each spread over hosts to which one more node matters, whether it counts the choice.
    is_host: Vec<bool>,
    fixed_labels: Vec<FixedLabel>,
    /// The keys that the pods read, where launches of the pool have labels to choose.
    read: Vec<Arc<str>>,
}

impl AlternativeTerms {
    fn of(
        compiled: &Compiled,
        by_price: &OffersByPrice,
        first: OfferId,
        group: &NodeGroup,
        opening: &OpeningOffers,
    ) -> Self {
        let offer = &compiled.offers[first];
        let agreement = compiled.agreement(first, &items(group));
        let read = match by_price.has_fixed_labels[offer.pool] {
            true => agreement.read.into_iter().cloned().collect(),
            false => Vec::new(),
        };
        Self {
            pool: offer.pool,
            charge: compiled.shapes[offer.shape].charge.clone(),
            domains: agreement.domains,
            counts: agreement.counts,
            is_host: opening.is_host(compiled, first),
            fixed_labels: agreement.fixed_labels,
            read,
        }
    }
}

/// What some terms allow.
struct AllowedOffers {
    /// The labels that the launch fixes.
    fixed_labels: Vec<FixedLabel>,
    /// Offers that have these, where the pool leaves any label open.
    agreeing: Option<Vec<OfferId>>,
    /// Offers that may stand beside the choice.
    alternatives: Bits,
    /// Their places in the market, cheapest first.
    ranked: Vec<usize>,
}

impl AllowedOffers {
    fn by(
        compiled: &Compiled,
        by_price: &OffersByPrice,
        first: OfferId,
        group: &NodeGroup,
        opening: &OpeningOffers,
    ) -> Self {
        let agreement = compiled.agreement(first, &items(group));
        let (mut agreeing, mut alternatives) = (Vec::new(), compiled.usable.emptied());
        let mut ranked = Vec::new();
        let pool = compiled.offers[first].pool;
        for place in by_price.places(compiled, pool, first, &agreement.fixed_labels) {
            let id = &by_price.pools[pool][place];
            if compiled.has_fixed_labels(*id, &agreement) {
                agreeing.extend(by_price.has_fixed_labels[pool].then_some(*id));
                if !opening.open(compiled, first, *id)
                    && is_alternative(compiled, first, &agreement, *id)
                {
                    alternatives.insert(id.index());
                    ranked.push(place);
                }
            }
        }
        let agreeing = by_price.has_fixed_labels[pool].then_some(agreeing);
        Self { fixed_labels: agreement.fixed_labels, agreeing, alternatives, ranked }
    }
}

fn items(group: &NodeGroup) -> Vec<ItemId> {
    group.items.iter().map(|(item, _)| *item).collect()
}

/// The offer to take, and all to choose from, cheapest first.
///
/// In order: what holds the pods, cheapest first; the choice; then whether every combination that
/// the requirements admit holds the pods, and if not, narrower requirements.
fn options(
    context: &Context<'_>,
    by_price: &OffersByPrice,
    allowed: &AllowedOffers,
    first: OfferId,
    group: &NodeGroup,
    fixed: bool,
) -> LaunchTerms {
    let compiled = context.compiled;
    let pool = compiled.offers[first].pool;
    let items = items(group);
    let mut listable = allowed.alternatives.clone();
    listable.insert(first.index());
    let mut holders = compiled.holders(&items, &group.load);
    holders.narrow(&listable);
    let suits = |id: OfferId| holders.contains(id);
    let agreeing = allowed.agreeing.as_deref();
    let minimums = LaunchMinValues::of(compiled, context.choice(first), &group.items);
    let mut open = minimums.counter(compiled);
    let mut options: Vec<OfferId> = Vec::new();
    let offering = |id: OfferId| (compiled.offers[id].instance, compiled.offers[id].offering);
    let place_of_first = by_price.place(compiled, first);
    for id in by_price.large_enough(pool, &allowed.ranked, place_of_first, &group.load) {
        let enough = options.len() >= ALTERNATIVES;
        if enough && (open.is_met() || !open.gains(id)) || !suits(id) {
            continue;
        }
        // An offering stands in the market once for each state of its open labels, one after
        // another.
        if options.last().is_some_and(|last| offering(*last) == offering(id)) {
            continue;
        }
        open.add(id);
        options.push(id);
        if options.len() >= ALTERNATIVES && open.is_met() {
            break;
        }
    }
    // The cheapest is the choice, unless what is chosen is counted, by a limit or a reservation,
    // and that would count for something else.
    let chosen = match options.first() {
        Some(cheapest) if !fixed && may_become(compiled, first, *cheapest) => *cheapest,
        _ => first,
    };
    if fixed {
        let price = compiled.offers[first].price;
        options.retain(|id| compiled.offers[*id].price >= price);
    }
    options.retain(|id| *id == chosen || offering(*id) != offering(chosen));
    if !options.contains(&chosen) {
        options.push(chosen);
        options.sort_by_key(|id| (compiled.offers[*id].price, *id));
    }
    // Whoever reads the requirements may combine any listed type, zone and capacity type. Where
    // some combination could not hold the pods, they say more.
    let keys = || compiled.keys_read(&items);
    let mut asked = RequiredLabels::new();
    if !closed(compiled, &options, &asked, agreeing, suits) {
        asked = required(compiled, &options, &keys());
        if !closed(compiled, &options, &asked, agreeing, suits) {
            let own = place(compiled, chosen);
            let mut narrow = minimums.counter(compiled);
            let narrowed: Vec<OfferId> =
                options.iter().copied().filter(|id| place(compiled, *id) == own).collect();
            narrowed.iter().for_each(|id| narrow.add(*id));
            if narrow.is_met() {
                options = narrowed;
                asked = required(compiled, &options, &keys());
            }
        }
    }
    LaunchTerms {
        chosen,
        options,
        fixed_labels: if chosen == first {
            allowed.fixed_labels.clone()
        } else {
            compiled.fixed_labels(chosen, &items)
        },
        required: asked,
    }
}

/// An offer as plans name it.
pub(crate) fn offering_ref(compiled: &Compiled, id: OfferId) -> OfferingRef {
    let offer = &compiled.offers[id];
    let instance = compiled.parts.instance_type(offer.instance);
    let offering = &instance.offerings[offer.offering];
    OfferingRef {
        price: offering.price,
        instance_type: instance.name.clone(),
        zone: offering.zone.clone(),
        capacity_type: offering.capacity_type,
        reservation: offering.reservation.as_ref().map(|reservation| reservation.id.clone()),
    }
}

/// The labels of a launch: those of pool, type and offering, those that requirements leave one
/// value for, and those that the launch itself fixes.
///
/// Later parts win where they agree on a key: what requirements leave one value for, then the
/// labels of pool, type and offering, then what every node has, then what the launch fixes.
fn labels(
    compiled: &Compiled,
    id: OfferId,
    fixed_labels: &FixedLabels,
    required: &Requirements,
) -> Labels {
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
    put(&well_known::CAPACITY_TYPE.into(), &offering.capacity_type.into());
    let fixed = fixed_labels.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
    fixed.for_each(|(key, value)| put(key, value));
    labels
}

/// The pool's requirements, narrowed to the options and to what the launch fixes.
///
/// A cloud's interface chooses within these. They repeat the pool's and say which types, zones and
/// capacity types the alternatives have; `minValues` are lowered to what is there, where the caller
/// allows best effort.
fn requirements(
    context: &Context<'_>,
    offered: &LaunchTerms,
    of_pool: &Requirements,
) -> Vec<Requirement> {
    let LaunchTerms { chosen, options, fixed_labels, required: asked } = offered;
    let chosen = *chosen;
    let compiled = context.compiled;
    let offer = &compiled.offers[chosen];
    let mut narrowed = Requirements::default();
    let types = options.iter().map(|id| &compiled.offers[*id].instance);
    let types = types.map(|at| compiled.parts.instance_type(*at).name.clone());
    narrowed.restrict(well_known::INSTANCE_TYPE, &ValueSet::only(types));
    let zones = options.iter().map(|id| place(compiled, *id).0.clone());
    narrowed.restrict(well_known::ZONE, &ValueSet::only(zones));
    let capacity_types: BTreeSet<CapacityType> =
        options.iter().map(|id| place(compiled, *id).1).collect();
    let capacity_types = capacity_types.into_iter().map(Arc::from);
    narrowed.restrict(well_known::CAPACITY_TYPE, &ValueSet::only(capacity_types));
    for (key, values) in asked {
        let absent = values.is_empty();
        let values = if absent { ValueSet::absent() } else { ValueSet::only(values.clone()) };
        narrowed.restrict(key, &values);
    }
    for (key, value) in fixed_labels {
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
    let mut open = LaunchMinValues::of(compiled, context.choice(chosen), &[]).counter(compiled);
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
fn requests(compiled: &Compiled, daemons: &Bits, load: &[i64]) -> Resources {
    let mut sum = load.to_vec();
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
