//! `minValues`: how many different values of a label a launch must keep open.
//!
//! The types and offerings that could hold a node's pods must, together, have at least so many
//! different values of the key; each pod put on a node can take some away. The rule is Karpenter's,
//! but what counts is what the launch can still be, not what its types list.
//!
//! The more a node holds, the fewer offers can stand in for its choice. So a node keeps the set of
//! those that go with the items that it holds. How many more pods of an item it takes is found in
//! one look at what alternatives there are, those that differ in their sites alone together: each
//! value can be kept with as many pods as the largest offer holds that has it, and so many values
//! as are asked for stay with as many pods as the last of the best of them allows.
//!
//! Where limits leave a choice few alternatives, most looks at a node that is nearly full end with
//! no pod. So once minimums bind, the *ceiling* is worked out: the last of the best values by each
//! resource alone is the most of it that the node's pods may use together, whoever they are.

use super::alternatives::AlternativeGroup;
use super::{Agreement, Bits, Compiled, FixedLabel, Id, ItemId, MinValues, OfferId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How much of each resource a node's pods may use, once that was worked out: a part of the node,
/// and goes with it.
#[allow(clippy::disallowed_types, reason = "it is no state beside the node")]
type Ceiling = std::sync::OnceLock<Arc<[i64]>>;

/// A launch whose pool may ask for `minValues`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct MinValuesChoice {
    /// The first offer of its bin type.
    pub(crate) offer: OfferId,
    /// Whether minimums give way where a pod alone can't meet them.
    pub(crate) best_effort: bool,
}

/// The minimums of one launch.
#[derive(Clone, Debug)]
pub(crate) struct LaunchMinValues {
    choice: MinValuesChoice,
    /// For each of the pool's keys, the least number of values.
    least: Vec<usize>,
    /// The sites of offers that go with what a launch of the choice holds; `None`: with what any
    /// launch of it holds.
    listed: Option<Arc<Bits>>,
    /// How much of each resource its pods may use at most, once that was worked out: of offers that
    /// were listed then, so it is never too little. Never where minimums may give way.
    ceiling: Ceiling,
}

impl LaunchMinValues {
    /// What its pool asks of a launch of an offer that holds these already.
    pub(crate) fn of(compiled: &Compiled, choice: MinValuesChoice, held: &[(ItemId, u32)]) -> Self {
        let keys = &compiled.pools[compiled.offers[choice.offer].pool].min_values;
        let least = keys.iter().map(|asked| asked.least as usize).collect();
        let mut minimums = Self { choice, least, listed: None, ceiling: Ceiling::new() };
        held.iter().for_each(|(item, _)| minimums.fix_alternatives(compiled, *item));
        minimums
    }

    /// Pods of an item join those that are held.
    pub(crate) fn join(&mut self, compiled: &Compiled, item: ItemId) {
        self.fix_alternatives(compiled, item);
        self.listed = Some(Arc::new(self.beside(compiled, item)));
    }

    /// How many of `count` more pods of an item leave enough values open beside what was added
    /// before.
    pub(crate) fn admit(&self, compiled: &Compiled, load: &[i64], item: ItemId, count: u32) -> u32 {
        let request = &compiled.items[item].request;
        let count = match self.ceiling.get() {
            None => count,
            Some(ceiling) => room_beside(ceiling, load, request, count).unwrap_or(0),
        };
        if count == 0 {
            return 0;
        }
        let admitted = self.admit_beside(compiled, load, item, count);
        if admitted < count && !self.choice.best_effort {
            let _known = self.ceiling.get_or_init(|| self.ceiling_of(compiled));
        }
        admitted
    }

    /// How much of each resource the pods of a node may use: so much as offers of enough values of
    /// each key have.
    fn ceiling_of(&self, compiled: &Compiled) -> Arc<[i64]> {
        let open = self.counter(compiled).seen;
        let dims = compiled.dims.len();
        let mut ceiling = vec![i64::MAX; dims];
        for (key, least) in self.least.iter().enumerate() {
            let Some(last) = least.saturating_sub(open[key].len()).checked_sub(1) else {
                continue;
            };
            let mut by_value: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
            let own = self.choice_beside(compiled);
            for group in own.iter().chain(compiled.alternative_groups(self.choice.offer)) {
                let state = group.states[key];
                if state != 0 && self.lists_any(group) {
                    let have = &compiled.shapes[group.shape].allocatable;
                    let most = by_value.entry(state).or_insert_with(|| have.clone());
                    most.iter_mut().zip(have).for_each(|(most, have)| *most = *have.max(most));
                }
            }
            for (dim, ceiling) in ceiling.iter_mut().enumerate() {
                let mut of_dim: Vec<i64> = by_value.values().map(|most| most[dim]).collect();
                of_dim.sort_unstable_by(|one, other| other.cmp(one));
                // Fewer values than are asked for admit no pod, not even one that asks for nothing.
                *ceiling = (*ceiling).min(of_dim.get(last).copied().unwrap_or(-1));
            }
        }
        ceiling.into()
    }

    /// As [`Self::admit`], by a look at every offer that is listed.
    fn admit_beside(&self, compiled: &Compiled, load: &[i64], item: ItemId, count: u32) -> u32 {
        let request = &compiled.items[item].request;
        let least = match self.choice.best_effort {
            true => {
                let mut settled = Self { listed: None, ..self.clone() };
                settled.fix_alternatives(compiled, item);
                settled.least
            }
            false => self.least.clone(),
        };
        let counter = ValueCounter::new(compiled, self.choice.offer, least);
        let own = counter.least.iter().zip(&counter.seen);
        let missing: Vec<usize> = own.map(|(least, own)| least.saturating_sub(own.len())).collect();
        // Of each key for each value the most pods that any offer with it holds; and how many
        // values any holds all pods with.
        let mut most: Vec<Vec<u32>> = vec![Vec::new(); missing.len()];
        let mut whole = vec![0_usize; missing.len()];
        let beside = self.beside(compiled, item);
        let own = self.choice_beside(compiled);
        // Those with the most of the first resource come first: what follows holds none.
        let first = |of: &[i64]| of.first().copied().unwrap_or(0);
        let least_first = first(load).saturating_add(first(request));
        let groups = compiled.alternative_groups(self.choice.offer).iter();
        let groups = groups
            .take_while(|group| first(&compiled.shapes[group.shape].allocatable) >= least_first);
        for group in own.iter().chain(groups) {
            if whole.iter().zip(&missing).all(|(whole, missing)| whole >= missing) {
                return count;
            }
            let known =
                |key: usize| most[key].get(group.states[key] as usize).copied().unwrap_or(0);
            let is_useful = (0..missing.len()).any(|key| {
                group.states[key] != 0 && whole[key] < missing[key] && known(key) < count
            });
            if !is_useful {
                continue;
            }
            let room = &compiled.shapes[group.shape].allocatable;
            let Some(holds) = room_beside(room, load, request, count) else { continue };
            let is_more =
                (0..missing.len()).any(|key| group.states[key] != 0 && known(key) < holds);
            if !is_more || !group.offers.iter().any(|offer| beside.contains(offer.index())) {
                continue;
            }
            for key in 0..missing.len() {
                let place = group.states[key] as usize;
                if place != 0 {
                    if most[key].len() <= place {
                        most[key].resize(place + 1, 0);
                    }
                    let best = &mut most[key][place];
                    whole[key] += usize::from(holds >= count && *best < count);
                    *best = holds.max(*best);
                }
            }
        }
        let of_key = |(mut best, missing): (Vec<u32>, &usize)| {
            best.sort_unstable_by(|a, b| b.cmp(a));
            match missing.checked_sub(1) {
                None => count,
                Some(last) => best.get(last).copied().unwrap_or(0),
            }
        };
        most.into_iter().zip(&missing).map(of_key).min().unwrap_or(count)
    }

    /// The choice itself, where it isn't among its alternatives.
    fn choice_beside(&self, compiled: &Compiled) -> Option<AlternativeGroup> {
        compiled.choice_beside(self.choice.offer).map(|offer| AlternativeGroup {
            states: compiled.min_values_states(offer),
            shape: compiled.offers[offer].shape,
            offers: vec![offer],
        })
    }

    /// Whether any offer of a group goes with what is held.
    fn lists_any(&self, group: &AlternativeGroup) -> bool {
        let mut offers = group.offers.iter();
        let listed = self.listed.as_ref();
        listed.is_none_or(|listed| offers.any(|offer| listed.contains(offer.index())))
    }

    /// The sites of offers that go with what is held and with an item.
    fn beside(&self, compiled: &Compiled, item: ItemId) -> Bits {
        let (choice, of_item) = (self.choice.offer, &compiled.items[item]);
        let mut sites = self.listed.as_deref().unwrap_or(&compiled.usable).clone();
        sites.and(&compiled.eligible[of_item.eligibility]);
        compiled.keep_agreed(choice, &compiled.agreement(choice, &[item]), &mut sites);
        if of_item.ports.any() {
            let offers = compiled.alternatives(choice).iter().copied().chain([choice]);
            let taken = offers.filter(|offer| {
                let shape = &compiled.shapes[compiled.offers[*offer].shape];
                of_item.ports.blocks.overlaps(&shape.ports)
            });
            taken.for_each(|offer| sites.remove(offer.index()));
        }
        sites
    }

    /// Where minimums give way: lowers them to what one pod of the item could meet on its own.
    fn fix_alternatives(&mut self, compiled: &Compiled, item: ItemId) {
        if self.choice.best_effort {
            let request = &compiled.items[item].request;
            let alone = open(compiled, self.choice.offer, &[item], request, self.least.clone());
            for (least, open) in self.least.iter_mut().zip(alone.counts()) {
                *least = (*least).min(open);
            }
        }
    }

    /// Whether launches that hold these items and this load leave enough values open.
    fn met(&self, compiled: &Compiled, items: &[ItemId], load: &[i64]) -> bool {
        open(compiled, self.choice.offer, items, load, self.least.clone()).is_met()
    }

    /// A counter for the offers that a launch may list.
    pub(crate) fn counter<'a>(&self, compiled: &'a Compiled) -> ValueCounter<'a> {
        ValueCounter::new(compiled, self.choice.offer, self.least.clone())
    }

    /// For each of the pool's keys, how many values it asks for and how many an item alone leaves.
    pub(crate) fn alone(
        compiled: &Compiled,
        choice: MinValuesChoice,
        item: ItemId,
    ) -> Vec<(usize, usize)> {
        let asked = Self::of(compiled, choice, &[]);
        let request = &compiled.items[item].request;
        let counter = open(compiled, choice.offer, &[item], request, asked.least.clone());
        asked.least.into_iter().zip(counter.counts()).collect()
    }
}

/// How many pods, `most` at most, a node has room for beside a load; `None` where the load is too
/// much.
fn room_beside(room: &[i64], load: &[i64], request: &[i64], most: u32) -> Option<u32> {
    let mut holds = most;
    for ((have, used), asked) in room.iter().zip(load).zip(request) {
        let free = have - used;
        if free < 0 {
            return None;
        }
        // Mostly there is room for all, and a division takes long.
        if asked.saturating_mul(holds.into()) > free
            && let Some(times) = free.checked_div(*asked)
        {
            holds = u32::try_from(times).unwrap_or(u32::MAX).min(holds);
        }
    }
    Some(holds)
}

/// Counts the values that a list of offers keeps open.
#[derive(Debug)]
pub(crate) struct ValueCounter<'a> {
    least: Vec<usize>,
    states: Vec<&'a [u32]>,
    seen: Vec<BTreeSet<u32>>,
}

impl<'a> ValueCounter<'a> {
    fn new(compiled: &'a Compiled, choice: OfferId, least: Vec<usize>) -> Self {
        let pool = compiled.offers[choice].pool;
        let asked = &compiled.pools[pool].min_values;
        // What the pool leaves open by itself is there from the start, and offers add nothing to
        // it.
        let states = asked.iter().map(|asked| match compiled.min_values.get(&asked.key) {
            Some(states) if asked.open == 0 => &states[..],
            _ => &[],
        });
        let states = states.collect();
        let own = |asked: &MinValues| (1..).take(asked.open).collect();
        let seen = asked.iter().map(own).collect();
        Self { least, states, seen }
    }

    pub(crate) fn add(&mut self, offer: OfferId) {
        for (seen, states) in self.seen.iter_mut().zip(&self.states) {
            if let Some(state) = states.get(offer.index()).filter(|state| **state != 0) {
                let _new = seen.insert(*state);
            }
        }
    }

    /// Whether an offer has a value that is new, for a key that needs more.
    pub(crate) fn gains(&self, offer: OfferId) -> bool {
        self.seen.iter().zip(&self.states).zip(&self.least).any(|((seen, states), least)| {
            let state = states.get(offer.index()).filter(|state| **state != 0);
            seen.len() < *least && state.is_some_and(|state| !seen.contains(state))
        })
    }

    /// Whether every key has as many values as it needs.
    pub(crate) fn is_met(&self) -> bool {
        self.seen.iter().zip(&self.least).all(|(seen, least)| seen.len() >= *least)
    }

    /// How many values each key has.
    pub(crate) fn counts(&self) -> Vec<usize> {
        self.seen.iter().map(BTreeSet::len).collect()
    }
}

/// Whether launches of an offer that hold these items and this load meet what the pool asks for.
pub(crate) fn meets_minimums(
    compiled: &Compiled,
    choice: MinValuesChoice,
    items: &[(ItemId, u32)],
    load: &[i64],
) -> bool {
    if compiled.pools[compiled.offers[choice.offer].pool].min_values.is_empty() {
        return true;
    }
    let minimums = LaunchMinValues::of(compiled, choice, items);
    let compiled_items: Vec<ItemId> = items.iter().map(|(item, _)| *item).collect();
    minimums.met(compiled, &compiled_items, load)
}

/// Counts the values that offers keep open which hold these items and this load, until there are
/// enough.
fn open<'a>(
    compiled: &'a Compiled,
    choice: OfferId,
    items: &[ItemId],
    load: &[i64],
    least: Vec<usize>,
) -> ValueCounter<'a> {
    let mut counter = ValueCounter::new(compiled, choice, least);
    let agreement = compiled.agreement(choice, items);
    let holders = compiled.holders(items, load);
    let own = compiled.choice_beside(choice);
    for id in own.into_iter().chain(compiled.alternatives(choice).iter().copied()) {
        if counter.is_met() {
            break;
        }
        if counter.gains(id)
            && holders.contains(id)
            && (id == choice
                || compiled.is_in_place(id, &agreement)
                    && compiled.has_fixed_labels(id, &agreement))
        {
            counter.add(id);
        }
    }
    counter
}

/// The labels that a launch fixes, with their values.
pub(crate) type FixedLabels = [FixedLabel];

/// Whether an offer may stand among the alternatives of a launch whose choice is another, or what
/// it would be if it weren't the choice itself.
///
/// Only the choice itself may draw on a reservation. What is charged against limits is the choice,
/// so no alternative may be charged more.
pub(crate) fn is_alternative(
    compiled: &Compiled,
    choice: OfferId,
    agreement: &Agreement<'_>,
    other: OfferId,
) -> bool {
    let (mine, theirs) = (&compiled.offers[choice], &compiled.offers[other]);
    let (most, charged) =
        (&compiled.shapes[mine.shape].charge, &compiled.shapes[theirs.shape].charge);
    theirs.reservation.is_none()
        && compiled.is_in_place(other, agreement)
        && charged.iter().zip(most).all(|(charged, most)| charged <= most)
        && compiled.has_fixed_labels(other, agreement)
}

/// Whether a launch's choice may change to one of its alternatives: it draws on no reservation, and
/// limits are charged the same.
pub(crate) fn may_become(compiled: &Compiled, choice: OfferId, other: OfferId) -> bool {
    let (mine, theirs) = (&compiled.offers[choice], &compiled.offers[other]);
    let charge = |shape| &compiled.shapes[shape].charge;
    // Both are of one pool: without limits, neither is charged anything.
    mine.reservation.is_none() && charge(mine.shape) == charge(theirs.shape)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::{LaunchMinValues, MinValuesChoice, meets_minimums};
    use crate::compile::{Compiled, IdVec, ItemId};
    use crate::model::{
        InstanceType, NodePool, Offering, Operator, Pod, Price, Problem, Requirement, Resources,
    };

    /// As many pods are admitted at once as can be added one by one with the minimums met.
    #[test]
    fn as_many_are_admitted_as_leave_enough_values_open() {
        let mut builder = Problem::builder();
        for (family, memory) in [("c", 2), ("m", 4), ("r", 8)] {
            for cpu in [2, 4, 8] {
                let amounts = [format!("{cpu}"), format!("{}Gi", cpu * memory)];
                let [cpu, memory] = amounts.each_ref().map(String::as_str);
                let capacity = [("cpu", cpu), ("memory", memory), ("pods", "7")];
                let instance = InstanceType::new(
                    format!("{family}{cpu}"),
                    Resources::parse(capacity).unwrap(),
                )
                .with_label("family", family)
                .with_offering(Offering::spot("a", "0.1".parse().unwrap()))
                .with_offering(Offering::on_demand("b", "0.3".parse().unwrap()));
                builder = builder.instance_type(instance);
            }
        }
        let asked = |key: &str, least: u32| {
            Requirement::new::<&str>(key, Operator::Exists, []).with_min_values(least)
        };
        let pool = NodePool::new("default")
            .with_requirement(asked("family", 2))
            .with_requirement(asked("node.kubernetes.io/instance-type", 3))
            .with_limits(Resources::parse([("cpu", "100")]).unwrap());
        for (name, cpu, memory) in [("a", "300m", "1Gi"), ("b", "1", "2500Mi"), ("c", "0", "3Gi")] {
            let requests = Resources::parse([("cpu", cpu), ("memory", memory)]).unwrap();
            builder = builder.pod(Pod::new(name).with_replicas(9).with_requests(requests));
        }
        let problem = builder.node_pool(pool).build().unwrap();
        let compiled = Compiled::new(&problem, Price::ZERO).unwrap();
        for best_effort in [false, true] {
            for offer in compiled.offers.ids() {
                let choice = MinValuesChoice { offer, best_effort };
                for first in compiled.items.ids() {
                    for held in 0..3 {
                        let items = if held > 0 { vec![(first, held)] } else { Vec::new() };
                        check(&compiled, choice, &items);
                    }
                }
            }
        }
    }

    fn check(compiled: &Compiled, choice: MinValuesChoice, held: &[(ItemId, u32)]) {
        let load_of = |items: &[(ItemId, u32)]| {
            let mut load = vec![0; compiled.dims.len()];
            for (item, count) in items {
                let asked = compiled.items[*item].request.iter();
                load.iter_mut()
                    .zip(asked)
                    .for_each(|(load, each)| *load += each * i64::from(*count));
            }
            load
        };
        let compiled_items: IdVec<ItemId, ()> = compiled.items.iter().map(|_| ()).collect();
        for item in compiled_items.ids() {
            let mut minimums = LaunchMinValues::of(compiled, choice, &[]);
            held.iter().for_each(|(item, _)| minimums.join(compiled, *item));
            let admitted = minimums.admit(compiled, &load_of(held), item, 6);
            let with = |count: u32| {
                let mut items = held.to_vec();
                match items.iter_mut().find(|(of, _)| *of == item) {
                    Some((_, held)) => *held += count,
                    None => items.push((item, count)),
                }
                meets_minimums(compiled, choice, &items, &load_of(&items))
            };
            let one_by_one = (1..=6).take_while(|count| with(*count)).count();
            assert_eq!(admitted as usize, one_by_one, "{choice:?} {held:?} {item:?}");
        }
    }
}
