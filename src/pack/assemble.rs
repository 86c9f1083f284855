//! From packed groups to a plan: names for counts, a choice and its alternatives for columns.

use super::choose::Packed;
use super::flexible::{Minimums, Pins, is_free, listable};
use super::honour;
use super::reasons::reasons;
use super::state::{Context, Group, Place, State};
use crate::bound::{Demand, Relaxation};
use crate::compile::{Bits, ClassId, Compiled, Id, IdVec, KindId, NodeId, OfferId, PoolId};
use crate::model::{
    Labels, Operator, Price, Requirement, Requirements, Resources, ValueSet, amount, well_known,
};
use crate::plan::{Binding, Choice, Cost, Launch, LaunchPlan, LaunchSpec, Proof, Unschedulable};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most alternatives that are listed for a launch, unless `minValues` asks for more.
const ALTERNATIVES: usize = 60;

/// Makes the plan of a packing.
pub(crate) fn assemble<'p>(whole: &Context<'_, 'p>, packed: &Packed<'p>) -> LaunchPlan {
    let context = &Context { compiled: packed.compiled(whole.compiled), ..*whole };
    let (compiled, state) = (context.compiled, &packed.state);
    let market = ByPrice::of(compiled);
    let mut names: IdVec<KindId, Names<'_>> =
        compiled.kinds.ids().map(|kind| Names::of(compiled, kind)).collect();
    let mut bindings = Vec::new();
    let mut launched: Vec<(Arc<LaunchSpec>, &Group)> = Vec::new();
    let mut chosen: Vec<Option<OfferId>> = Vec::with_capacity(state.groups.len());
    for group in &state.groups {
        match &group.place {
            Place::Launch(column) => {
                let (choice, spec) = specify(context, &market, *column, group);
                launched.push((Arc::new(spec), group));
                chosen.push(Some(choice));
            }
            Place::Running(nodes) => {
                chosen.push(None);
                for node in nodes {
                    let node = &compiled.problem.nodes[compiled.nodes[*node].index].name;
                    let pods = take(compiled, &mut names, &group.items).into_iter();
                    bindings.extend(pods.map(|pod| Binding { pod, node: node.clone() }));
                }
            }
        }
    }
    launched.sort_by(|(one, of_one), (other, of_other)| {
        order(one).cmp(&order(other)).then_with(|| of_one.items.cmp(&of_other.items))
    });
    let mut launches = Vec::new();
    for (spec, group) in &launched {
        for _ in 0..group.times {
            let mut pods = take(compiled, &mut names, &group.items);
            pods.sort_unstable();
            launches.push(Launch { spec: spec.clone(), pods });
        }
    }
    launches.sort_by(|one, other| {
        order(&one.spec)
            .cmp(&order(&other.spec))
            .then_with(|| one.pods.first().cmp(&other.pods.first()))
    });
    bindings.sort_unstable();
    let cost = cost(whole, compiled, state, &launches);
    LaunchPlan {
        bindings,
        unschedulable: unschedulable(whole, packed, &mut names),
        cost,
        stats: stats(context, state, &chosen, &launches),
        launches,
    }
}

fn order(spec: &LaunchSpec) -> impl Ord + '_ {
    let choice = &spec.offering;
    (
        &spec.node_pool,
        &choice.instance_type,
        &choice.zone,
        &choice.capacity_type,
        &choice.reservation,
        choice.price,
    )
}

/// The names of the pods that a node holds.
fn take(
    compiled: &Compiled<'_>,
    names: &mut IdVec<KindId, Names<'_>>,
    items: &[(ClassId, u32)],
) -> Vec<Arc<str>> {
    let mut pods = Vec::new();
    for (class, count) in items {
        for (kind, each) in &compiled.classes[*class].parts {
            pods.extend(names[*kind].take(each * count));
        }
    }
    pods
}

/// Hands out the names of a kind's pods, in order.
struct Names<'c> {
    compiled: &'c Compiled<'c>,
    entries: &'c [u32],
    next_replica: u32,
}

impl<'c> Names<'c> {
    fn of(compiled: &'c Compiled<'_>, kind: KindId) -> Self {
        Self { compiled, entries: &compiled.kinds[kind].entries, next_replica: 0 }
    }

    fn take(&mut self, count: u32) -> Vec<Arc<str>> {
        let mut names = Vec::with_capacity(count as usize);
        while names.len() < count as usize {
            let [entry, others @ ..] = self.entries else { break };
            let pod = &self.compiled.problem.pods[*entry as usize];
            let mut name = String::with_capacity(pod.namespace.len() + pod.name.len() + 8);
            name.push_str(&pod.namespace);
            name.push('/');
            name.push_str(&pod.name);
            if pod.replicas > 1 {
                name.push('-');
                name.push_str(&self.next_replica.to_string());
            }
            names.push(name.into());
            self.next_replica += 1;
            if self.next_replica >= pod.replicas {
                self.entries = others;
                self.next_replica = 0;
            }
        }
        names
    }
}

/// The offers of each pool, cheapest first.
struct ByPrice {
    pools: IdVec<PoolId, Vec<OfferId>>,
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
        Self { pools }
    }
}

/// What a launch of a group is like.
fn specify(
    context: &Context<'_, '_>,
    market: &ByPrice,
    column: usize,
    group: &Group,
) -> (OfferId, LaunchSpec) {
    let compiled = context.compiled;
    let column = &compiled.columns[column];
    let pool = &compiled.problem.node_pools[compiled.pools[column.pool].index];
    let (chosen, options) = options(context, market, column.offers[0], group);
    let classes: Vec<ClassId> = group.items.iter().map(|(class, _)| *class).collect();
    let pins = compiled.pins(chosen, &classes);
    let offer = &compiled.offers[chosen];
    let alternatives: Vec<Choice> =
        options.iter().map(|option| choice(compiled, *option)).collect();
    let spec = LaunchSpec {
        node_pool: pool.name.clone(),
        offering: choice(compiled, chosen),
        alternatives,
        labels: labels(compiled, chosen, &pins),
        taints: pool.taints.clone(),
        requirements: requirements(context, chosen, &options, &pins),
        requests: requests(compiled, &compiled.shapes[offer.shape].daemons, group),
    };
    (chosen, spec)
}

/// For each group, the offer that its launches take.
pub(crate) fn chosen(context: &Context<'_, '_>, state: &State) -> Vec<Option<OfferId>> {
    let market = ByPrice::of(context.compiled);
    let chosen = state.groups.iter().map(|group| match group.place {
        Place::Launch(column) => {
            let first = context.compiled.columns[column].offers[0];
            Some(options(context, &market, first, group).0)
        }
        Place::Running(_) => None,
    });
    chosen.collect()
}

/// The offer to take, and all to choose from, cheapest first.
fn options(
    context: &Context<'_, '_>,
    market: &ByPrice,
    first: OfferId,
    group: &Group,
) -> (OfferId, Vec<OfferId>) {
    let compiled = context.compiled;
    let pool = compiled.offers[first].pool;
    let classes: Vec<ClassId> = group.items.iter().map(|(class, _)| *class).collect();
    let (pins, sticky) = (compiled.pins(first, &classes), compiled.sticky(&classes));
    let suits = |id: OfferId| {
        listable(compiled, first, (&pins, &sticky), &classes, id)
            && compiled.holds(id, &classes, &group.load)
    };
    let agrees = |id: OfferId| compiled.agrees(id, &pins, &classes);
    let minimums = Minimums::of(context, first, &group.items);
    let mut open = minimums.counter(context);
    let mut options: Vec<OfferId> = Vec::new();
    let mut sold: BTreeSet<(usize, usize)> = BTreeSet::new();
    for id in market.pools[pool].iter().copied() {
        let enough = options.len() >= ALTERNATIVES;
        if enough && (open.is_met() || !open.gains(id)) || !suits(id) {
            continue;
        }
        // An offering stands in the market once for each state of its open labels.
        if !sold.insert((compiled.offers[id].instance, compiled.offers[id].offering)) {
            continue;
        }
        open.add(id);
        options.push(id);
        if options.len() >= ALTERNATIVES && open.is_met() {
            break;
        }
    }
    // The cheapest is the choice, unless what is chosen is counted: by a limit or a reservation.
    let chosen = match options.first() {
        Some(cheapest) if is_free(compiled, first) => *cheapest,
        _ => first,
    };
    let own = &compiled.offers[chosen];
    options.retain(|id| {
        let other = &compiled.offers[*id];
        *id == chosen || (other.instance, other.offering) != (own.instance, own.offering)
    });
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
    (chosen, options)
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
    let types: BTreeSet<usize> = options.iter().map(|id| compiled.offers[*id].instance).collect();
    let zones: BTreeSet<&Arc<str>> = options.iter().map(|id| place(compiled, *id).0).collect();
    let kinds: BTreeSet<&Arc<str>> = options.iter().map(|id| place(compiled, *id).1).collect();
    let Some(pool) = options.first().map(|id| compiled.offers[*id].pool) else { return true };
    types.into_iter().all(|instance| {
        compiled.offers_of(pool, instance).all(|id| {
            let offer = &compiled.offers[id];
            let (zone, kind) = place(compiled, id);
            !offer.available
                || offer.reservation.is_some()
                || !agrees(id)
                || !zones.contains(zone)
                || !kinds.contains(kind)
                || suits(id)
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
fn requirements(
    context: &Context<'_, '_>,
    chosen: OfferId,
    options: &[OfferId],
    pins: &Pins,
) -> Vec<Requirement> {
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

fn unschedulable<'p>(
    whole: &Context<'_, 'p>,
    packed: &Packed<'p>,
    names: &mut IdVec<KindId, Names<'_>>,
) -> Vec<Unschedulable> {
    let mut out = Vec::new();
    for (kind, left) in packed.left(whole.compiled).iter().filter(|(_, left)| **left > 0) {
        let reasons: Arc<[crate::explain::Reason]> = reasons(whole, packed, kind).into();
        let pods = names[kind].take(*left).into_iter();
        out.extend(pods.map(|pod| Unschedulable { pod, reasons: reasons.clone() }));
    }
    out.sort_by(|one, other| one.pod.cmp(&other.pod));
    out
}

/// What the launches cost, and the least that launches for the same pods could.
///
/// The bound is that of the kinds as they are: wherever an arrangement puts them is one of their places.
fn cost(
    whole: &Context<'_, '_>,
    packed: &Compiled<'_>,
    state: &State,
    launches: &[Launch],
) -> Cost {
    let (context, compiled) = (whole, whole.compiled);
    let prices: i128 = launches.iter().map(|launch| launch.spec.offering.price.nanos()).sum();
    let nodes = i128::try_from(launches.len()).unwrap_or(i128::MAX);
    let fees = i128::from(context.fee).saturating_mul(nodes);
    let total = prices.saturating_add(fees);
    let mut counts: BTreeMap<(ClassId, Option<i32>), u32> = BTreeMap::new();
    let placed = state.groups.iter().flat_map(|group| &group.items);
    let guests = placed.filter(|(class, _)| packed.classes[*class].guest);
    let guests: BTreeSet<ClassId> = guests.map(|(class, _)| *class).collect();
    for group in &state.groups {
        let weight = match group.place {
            Place::Launch(column) => Some(packed.columns[column].weight),
            Place::Running(_) => None,
        };
        for (class, count) in group.items.iter().filter(|(class, _)| !guests.contains(class)) {
            for (kind, each) in &packed.classes[*class].parts {
                let class = ClassId::from_index(kind.index());
                *counts.entry((class, weight)).or_insert(0) += each * count * group.times;
            }
        }
    }
    let running: Vec<NodeId> = compiled.nodes.ids().collect();
    let demands: Vec<Demand> = counts
        .into_iter()
        .map(|((class, weight), count)| {
            let free = running
                .iter()
                .map(|node| super::running::room(context, *node).takes(context.class(class)));
            let free = free.fold(0_u32, u32::saturating_add);
            Demand { class, weight, count, beyond_running: count.saturating_sub(free) }
        })
        .collect();
    // What static pools launch is launched by every plan, and may hold whatever it likes: beside it
    // nothing is claimed.
    let fixed = |pool: &PoolId| packed.pools[*pool].fixed.is_some_and(|count| count > 0);
    let bound = if launches.is_empty() {
        0
    } else if packed.pools.ids().any(|pool| fixed(&pool)) {
        let launched = state.groups.iter().filter_map(|group| match group.place {
            Place::Launch(column) if fixed(&packed.columns[column].pool) => Some(
                i128::from(context.fee.saturating_add(packed.columns[column].price))
                    * i128::from(group.times),
            ),
            _ => None,
        });
        launched.sum::<i128>().min(total)
    } else {
        Relaxation::new(compiled, &demands, &running, context.fee).lower_bound().min(total)
    };
    let proof = match bound {
        _ if bound == total => Proof::Optimal,
        0 => Proof::None,
        _ => Proof::Within,
    };
    Cost {
        total: Price::from_nanos(total),
        fees: Price::from_nanos(fees),
        lower_bound: Price::from_nanos(bound),
        proof,
    }
}

fn stats(
    context: &Context<'_, '_>,
    state: &State,
    chosen: &[Option<OfferId>],
    launches: &[Launch],
) -> BTreeMap<Arc<str>, u64> {
    let compiled = context.compiled;
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let mut stats: BTreeMap<Arc<str>, u64> = [
        ("pods", compiled.pending()),
        ("kinds", compiled.kinds.len()),
        ("classes", compiled.classes.len()),
        ("rows", compiled.rows.len()),
        ("offers", compiled.offers.len()),
        ("columns", compiled.columns.len()),
        ("groups", state.groups.len()),
        ("nodes", launches.len()),
    ]
    .into_iter()
    .map(|(name, number)| (name.into(), count(number)))
    .collect();
    if context.wishful {
        let spots = honour::spots(compiled, &state.groups, |at| chosen[at]);
        for share in honour::shares(compiled, &spots) {
            let (weight, honoured) = share.kind.stat_names();
            let _none = stats.insert(weight.into(), share.weight);
            let _none = stats.insert(honoured.into(), share.honoured);
        }
    }
    stats
}
