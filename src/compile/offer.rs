//! What can be bought, made dense: every pool × type × offering, with every label fixed.
//!
//! A label that a launch could still choose (a pool's `team In [a, b]`) is fixed here: the offer is
//! listed once for each state that some rule tells apart. After this an offer is as definite as a
//! running node, and whether a pod may run there is one bit.
//!
//! *Problem.* What a pool may buy of a type isn't one thing: offerings differ in zone, capacity
//! type and price, and labels may still be open. A packer that chose labels while it packs would
//! have to solve constraints for each pod that it tries.
//!
//! *Idea.* All combinations are listed before, so that a choice of an offer fixes everything.
//! Labels that no rule reads aren't told apart, which keeps the list short: without open labels it
//! has one entry for each offering.
//!
//! *Why it is right.* A label's states that every rule admits or refuses alike are one
//! ([`open`](super::open)), so what is left out differs in nothing from what is listed.
//!
//! *Cost.* Pools × types × offerings × variants, at most 2^20 in all; beyond, the problem is
//! refused with the error that says so. What offerings of one type have in common is worked out
//! once for the type.

use super::id::{IdVec, OfferId, PoolId, ReservationId, ShapeId};
use super::label::{LabelState, LabelTable};
use super::resource::{PoolLimit, limits};
use super::rule::NODE_NAME;
use crate::error::InvalidInput;
use crate::model::{
    InstanceType, Node, NodePool, Offering, Price, Problem, Requirement, Requirements, ValueSet,
    well_known,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One way to buy a node.
///
/// Its labels are a column of the label table, at the site of its id.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) pool: PoolId,
    /// The index of the instance type in the problem.
    pub(crate) instance: usize,
    /// The index of the offering in the type.
    pub(crate) offering: usize,
    /// Price per hour in billionths, expected interruptions counted.
    pub(crate) price: i64,
    /// The reservation that it draws on.
    pub(crate) reservation: Option<ReservationId>,
    /// Whether it can be bought now; those that can't are listed for reasons alone.
    pub(crate) available: bool,
    /// Labels that would be open if the launch didn't fix them itself.
    pub(crate) fixed_labels: Arc<[FixedLabel]>,
    /// Set once the daemons are known.
    pub(crate) shape: ShapeId,
}

/// A label that a launch fixes: its key and its value, or nothing where the node is to be without
/// it.
pub(crate) type FixedLabel = (Arc<str>, Option<Arc<str>>);

/// A node pool that launches can come from.
///
/// Static pools (`replicas`) have what they still lack in `static_replicas`.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    /// The index of the pool in the problem.
    pub(crate) index: usize,
    /// Pools of a higher weight are filled first.
    pub(crate) weight: i32,
    /// Its limits, with what running nodes use of them.
    pub(crate) limits: Vec<PoolLimit>,
    /// Of a static pool, how many nodes are to be launched, whatever is pending.
    pub(crate) static_replicas: Option<u32>,
    /// Keys of which launches must keep so many values open.
    pub(crate) min_values: Vec<MinValues>,
}

/// A label of which a pool's launches must keep several values open.
#[derive(Clone, Debug)]
pub(crate) struct MinValues {
    pub(crate) key: Arc<str>,
    /// At least so many values.
    pub(crate) least: u32,
    /// How many values the pool itself leaves open, where the label is its own and no rule reads
    /// it.
    pub(crate) open: usize,
}

/// A reservation and how many more nodes may use it.
#[derive(Clone, Debug)]
pub(crate) struct Reserved {
    /// What documents call it.
    pub(crate) id: Arc<str>,
    /// How many more nodes it holds.
    pub(crate) remaining: u32,
}

/// Everything that can be bought.
///
/// In the order of pools, then types, then offerings, then states of open labels.
#[derive(Debug)]
pub(crate) struct Offers {
    pub(crate) pools: IdVec<PoolId, Pool>,
    pub(crate) offers: IdVec<OfferId, Offer>,
    pub(crate) reservations: IdVec<ReservationId, Reserved>,
    /// Label keys of which any type or offering says something.
    pub(crate) declared: BTreeSet<Arc<str>>,
}

/// The most offers: pools × types × offerings × variants.
const MAX_OFFERS: usize = 1 << 20;

/// The state of a unique host name or node name: no rule can name it.
///
/// A control character, which no label's value and no name may contain.
const UNNAMED: &str = "\u{0}";

/// What the instance types and offerings say of labels.
///
/// A key that any type speaks of belongs to the catalog: a pool may choose among its values, not
/// invent others.
struct Declared {
    /// For each type, what it says of each key.
    types: Vec<BTreeMap<Arc<str>, ValueSet>>,
    /// Keys of which any type or offering says something.
    keys: BTreeSet<Arc<str>>,
}

impl Declared {
    fn of(types: &[InstanceType]) -> Self {
        let mut keys = BTreeSet::new();
        let mut per_type = Vec::with_capacity(types.len());
        for instance in types {
            let mut said: BTreeMap<Arc<str>, ValueSet> = BTreeMap::new();
            let labels =
                instance.labels.iter().map(|(key, value)| (key, ValueSet::one(value.clone())));
            let requirements = instance.requirements.iter();
            let required =
                requirements.map(|entry| (&entry.key, ValueSet::from_requirement(entry)));
            for (key, states) in labels.chain(required) {
                let states = match said.get(key) {
                    Some(known) => known.intersect(&states),
                    None => states,
                };
                let _former = said.insert(key.clone(), states);
            }
            let name = ValueSet::one(instance.name.clone());
            let _former = said.insert(well_known::INSTANCE_TYPE.into(), name);
            keys.extend(said.keys().cloned());
            let offered = instance.offerings.iter().flat_map(|offering| offering.labels.iter());
            keys.extend(offered.map(|(key, _)| key.clone()));
            per_type.push(said);
        }
        keys.extend([well_known::ZONE.into(), well_known::CAPACITY_TYPE.into()]);
        Self { types: per_type, keys }
    }
}

impl Offers {
    /// Lists the offers of a problem and notes the labels of each in the table.
    ///
    /// # Errors
    /// More offers than there is memory for.
    pub(crate) fn of(
        problem: &Problem,
        interruption: Price,
        table: &mut LabelTable,
    ) -> Result<Self, Vec<InvalidInput>> {
        let declared = Declared::of(&problem.instance_types);
        let mut market = Self {
            pools: IdVec::new(),
            offers: IdVec::new(),
            reservations: IdVec::new(),
            declared: declared.keys.clone(),
        };
        market.reservations = reservations(problem.instance_types.iter());
        let numbers = market.reservations.iter().map(|(id, one)| (one.id.clone(), id));
        let numbers: BTreeMap<Arc<str>, ReservationId> = numbers.collect();
        for (index, pool) in problem.node_pools.iter().enumerate() {
            let requirements: Requirements = pool.requirements.iter().collect();
            let id = market.pools.push(Pool {
                index,
                weight: pool.weight,
                limits: limits(pool),
                static_replicas: static_replicas(pool, problem.nodes.iter()),
                min_values: min_values(pool, &requirements, &declared.keys, table),
            });
            for (at, instance) in problem.instance_types.iter().enumerate() {
                if pool.instance_types.as_ref().is_some_and(|names| !names.contains(&instance.name))
                {
                    continue;
                }
                let resolver = LabelResolver::new(pool, &requirements, &declared, instance, at);
                let mut alike = CommonLabels::default();
                let mut fixed_labels = FixedLabelLists::default();
                for (number, offering) in instance.offerings.iter().enumerate() {
                    let Some(choices) = resolver.states(offering, table, &mut alike) else {
                        continue;
                    };
                    let lengths = choices.iter().map(|choice| choice.states.len());
                    let variants = lengths.fold(1, usize::saturating_mul);
                    let offer = Offer {
                        pool: id,
                        instance: at,
                        offering: number,
                        price: i64::try_from(offering.weighed(interruption).nanos())
                            .unwrap_or(i64::MAX),
                        reservation: offering
                            .reservation
                            .as_ref()
                            .and_then(|reservation| numbers.get(&reservation.id).copied()),
                        available: offering.available,
                        fixed_labels: Arc::from([]),
                        shape: super::id::Id::from_index(0),
                    };
                    if market.offers.len().saturating_add(variants) > MAX_OFFERS {
                        return Err(vec![too_many()]);
                    }
                    market.list(&offer, &choices, table, &mut fixed_labels);
                }
            }
        }
        Ok(market)
    }

    /// Adds an offer once for each combination of the states that its labels can still be in.
    ///
    /// As an odometer counts: the last key turns fastest.
    fn list(
        &mut self,
        offer: &Offer,
        choices: &[LabelChoice],
        table: &mut LabelTable,
        label_lists: &mut FixedLabelLists,
    ) {
        let keys: Vec<Arc<str>> = table.keys().cloned().collect();
        let mut at = vec![0_usize; choices.len()];
        loop {
            let states: Vec<LabelState> =
                choices.iter().zip(&at).map(|(choice, at)| choice.states[*at]).collect();
            table.push(&states);
            let open = || keys.iter().zip(choices).zip(&states).filter(|((_, one), _)| one.open);
            let fixed: Vec<(&Arc<str>, LabelState)> =
                open().map(|((key, _), state)| (key, *state)).collect();
            let fixed_labels = label_lists.share(&fixed, table);
            let _id = self.offers.push(Offer { fixed_labels, ..offer.clone() });
            let Some(next) =
                (0..at.len()).rev().find(|key| at[*key] + 1 < choices[*key].states.len())
            else {
                return;
            };
            at[next] += 1;
            at[next + 1..].fill(0);
        }
    }
}

/// The reservations by id; of one that is stated more than once the smallest figure counts.
pub(crate) fn reservations<'a>(
    types: impl Iterator<Item = &'a InstanceType>,
) -> IdVec<ReservationId, Reserved> {
    let mut remaining: BTreeMap<&Arc<str>, u32> = BTreeMap::new();
    let offerings = types.flat_map(|instance| &instance.offerings);
    for reservation in offerings.filter_map(|offering| offering.reservation.as_ref()) {
        let least = remaining.entry(&reservation.id).or_insert(reservation.remaining);
        *least = (*least).min(reservation.remaining);
    }
    remaining.into_iter().map(|(id, remaining)| Reserved { id: id.clone(), remaining }).collect()
}

/// Lists of fixed labels, each once: thousands of offers have the same.
#[derive(Default)]
struct FixedLabelLists(BTreeMap<LabelStates, Arc<[FixedLabel]>>);

/// Labels, each with its state.
type LabelStates = Vec<(Arc<str>, LabelState)>;

impl FixedLabelLists {
    fn share(
        &mut self,
        fixed: &[(&Arc<str>, LabelState)],
        table: &LabelTable,
    ) -> Arc<[FixedLabel]> {
        let key = fixed.iter().map(|(key, state)| ((*key).clone(), *state)).collect();
        let fixed_labels = self.0.entry(key).or_insert_with_key(|fixed| {
            let fixed_label = |(key, state): &(Arc<str>, LabelState)| {
                (key.clone(), table.value(key, *state).cloned())
            };
            fixed.iter().map(fixed_label).collect()
        });
        fixed_labels.clone()
    }
}

/// What a label of a launch can be.
///
/// Shared between the offerings that have it.
#[derive(Clone)]
struct LabelChoice {
    /// States that stand for all that it can be in.
    states: Arc<[LabelState]>,
    /// Whether it can be in more than one.
    open: bool,
}

impl LabelChoice {
    fn only(state: LabelState) -> Self {
        Self { states: Arc::from([state]), open: false }
    }
}

/// Works out what labels a pool's launch of one type can have.
///
/// One for each pool and type.
struct LabelResolver<'a> {
    pool: &'a NodePool,
    requirements: &'a Requirements,
    declared: &'a Declared,
    at: usize,
    /// The keys of which some offering of the type says something.
    offered: BTreeSet<&'a str>,
}

/// What the offerings of a type have in common.
///
/// Filled by the first offering that asks.
#[derive(Default)]
struct CommonLabels {
    /// Whether the pool can use them, as far as that goes.
    usable: Option<bool>,
    /// For each key of the table, the states that their launches can be in, where that is the same.
    choices: Option<Vec<Option<LabelChoice>>>,
}

impl<'a> LabelResolver<'a> {
    fn new(
        pool: &'a NodePool,
        requirements: &'a Requirements,
        declared: &'a Declared,
        instance: &'a InstanceType,
        at: usize,
    ) -> Self {
        let labels = instance.offerings.iter().flat_map(|offering| offering.labels.iter());
        let offered = labels.map(|(key, _)| &**key);
        let offered = offered.chain([well_known::ZONE, well_known::CAPACITY_TYPE]).collect();
        Self { pool, requirements, declared, at, offered }
    }

    /// For each key of the table, the states that a launch of this offering can be in; `None` where
    /// the pool can't use it.
    fn states(
        &self,
        offering: &Offering,
        table: &mut LabelTable,
        alike: &mut CommonLabels,
    ) -> Option<Vec<LabelChoice>> {
        let stated = || {
            let required = self.requirements.iter().map(|(key, _)| key);
            required.chain(self.pool.labels.iter().map(|(key, _)| key))
        };
        let may_be = |key: &Arc<str>| self.may_be(key, offering).can_be_given();
        let of_type = |key: &Arc<str>| !self.offered.contains(&**key);
        let usable =
            alike.usable.get_or_insert_with(|| stated().filter(|key| of_type(key)).all(may_be));
        let mut own =
            stated().filter(|key| !of_type(key)).chain(offering.labels.iter().map(|(key, _)| key));
        if !*usable || !own.all(may_be) {
            return None;
        }
        let keys: Vec<Arc<str>> = table.keys().cloned().collect();
        let known = alike.choices.get_or_insert_with(|| vec![None; keys.len()]);
        let mut choices = Vec::with_capacity(keys.len());
        for (key, known) in keys.iter().zip(known) {
            if let Some(choice) = known {
                choices.push(choice.clone());
                continue;
            }
            let choice = match &**key {
                well_known::HOSTNAME | NODE_NAME => {
                    LabelChoice::only(table.state(key, &UNNAMED.into()))
                }
                _ => {
                    let may_be = self.may_be(key, offering);
                    match may_be.single() {
                        Some(value) => LabelChoice::only(table.state(key, value)),
                        None if may_be == ValueSet::absent() => LabelChoice::only(0),
                        None => {
                            let states = table.representatives(key, &may_be).into();
                            LabelChoice { states, open: true }
                        }
                    }
                }
            };
            if choice.states.is_empty() {
                return None;
            }
            if of_type(key) {
                *known = Some(choice.clone());
            }
            choices.push(choice);
        }
        Some(choices)
    }

    /// The states that a label of such a launch can be in.
    ///
    /// The labels of pool, type and offering are put on the node, so they must agree. A key that
    /// types or offerings speak of at all is theirs: where this one is silent the label is absent.
    /// A key that only the pool speaks of is the pool's to choose.
    fn may_be(&self, key: &Arc<str>, offering: &Offering) -> ValueSet {
        let of_offering = match &**key {
            well_known::ZONE => Some(ValueSet::one(offering.zone.clone())),
            well_known::CAPACITY_TYPE => Some(ValueSet::one(offering.capacity_type)),
            well_known::NODE_POOL => Some(ValueSet::one(self.pool.name.clone())),
            _ => offering.labels.get(key).map(|value| ValueSet::one(value.clone())),
        };
        let of_type = self.declared.types[self.at].get(key).cloned();
        let of_pool = self.pool.labels.get(key).map(|value| ValueSet::one(value.clone()));
        let said = [of_offering, of_type, of_pool].into_iter().flatten();
        let said = said.reduce(|one, other| one.intersect(&other));
        let required = self.requirements.get(key);
        match said {
            Some(said) => said.intersect(required),
            None if self.declared.keys.contains(key) => ValueSet::absent().intersect(required),
            None if required.is_any() => ValueSet::absent(),
            None => required.clone(),
        }
    }
}

/// How many nodes of a static pool are missing: its nodes on the way out no longer count for it,
/// but still for its limit.
pub(crate) fn static_replicas<'a>(
    pool: &NodePool,
    nodes: impl Iterator<Item = &'a Node> + Clone,
) -> Option<u32> {
    let replicas = u64::from(pool.replicas?);
    let own = nodes.filter(|node| node.labels.get(well_known::NODE_POOL) == Some(&pool.name));
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let (all, standing) =
        (count(own.clone().count()), count(own.filter(|node| !node.deleting).count()));
    let most = pool
        .limits
        .get(crate::model::NODES)
        .map_or(u64::MAX, |limit| u64::try_from(limit.floor(1)).unwrap_or(0).saturating_sub(all));
    u32::try_from(replicas.saturating_sub(standing).min(most)).ok()
}

/// The largest `minValues` that a pool states for each key.
pub(crate) fn min_values(
    pool: &NodePool,
    requirements: &Requirements,
    declared: &BTreeSet<Arc<str>>,
    table: &LabelTable,
) -> Vec<MinValues> {
    let mut least: BTreeMap<Arc<str>, u32> = BTreeMap::new();
    for Requirement { key, min_values, .. } in &pool.requirements {
        if let Some(min) = min_values {
            let entry = least.entry(key.clone()).or_insert(*min);
            *entry = (*entry).max(*min);
        }
    }
    let min_values_keys = least.into_iter().map(|(key, least)| {
        let own =
            !declared.contains(&key) && pool.labels.get(&key).is_none() && !table.is_read(&key);
        let values = requirements.get(&key).finite_values().filter(|_| own);
        MinValues { open: values.map_or(0, BTreeSet::len), key, least }
    });
    min_values_keys.collect()
}

/// The fault of a problem whose offers are beyond the limit.
fn too_many() -> InvalidInput {
    InvalidInput::new(
        "nodePools",
        format!("make more than {MAX_OFFERS} offers of the instance types' offerings"),
        "fewer pools, shorter lists of instanceTypes, or fewer values of labels that pools leave open",
    )
}
