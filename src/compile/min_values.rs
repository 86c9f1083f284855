//! `minValues`: how many different values of a label a launch must keep open.
//!
//! The types and offerings that could hold a node's pods must, together, have at least so many
//! different values of the key; each pod put on a node can take some away. The rule is Karpenter's,
//! but what counts is what the launch can still be, not what its types list.
//!
//! The more a node holds, the fewer offers can stand in for its choice. So a node keeps the set of
//! those that go with the items that it holds, and what is left of it that is large enough
//! ([`OpenAlternatives`]). How many more pods of an item it takes is found in one look at what is
//! left, those that differ in their sites alone together: each value can be kept with as many pods
//! as the largest offer holds that has it, and so many values as are asked for stay with as many
//! pods as the last of the best of them allows.

use super::alternatives::AlternativeGroup;
use super::open_alternatives::{OpenAlternatives, nth_largest};
use super::{Agreement, Bits, Compiled, FixedLabel, Id, ItemId, MinValues, OfferId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is left of a launch's alternatives, once that was asked: a part of the node, and goes with
/// it.
#[allow(clippy::disallowed_types, reason = "it is no state beside the node")]
type Open = std::sync::OnceLock<Arc<OpenAlternatives>>;

/// A launch whose pool may ask for `minValues`.
///
/// With Karpenter's policy `BestEffort` a pod that alone can't keep the minimum is launched for all
/// the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct MinValuesChoice {
    /// The first offer of its bin type.
    pub(crate) offer: OfferId,
    /// Whether minimums give way where a pod alone can't meet them.
    pub(crate) best_effort: bool,
}

/// The minimums of one launch.
///
/// It grows with the node: [`join`](Self::join) for an item that is new there, [`grow`](Self::grow)
/// for more of one that is there.
#[derive(Clone, Debug)]
pub(crate) struct LaunchMinValues {
    choice: MinValuesChoice,
    /// For each of the pool's keys, the least number of values.
    least: Vec<usize>,
    /// The sites of offers that go with what a launch of the choice holds; `None`: with what any
    /// launch of it holds.
    listed: Option<Arc<Bits>>,
    /// For each of these keys, how many of the values the pool doesn't leave open by itself.
    missing: Vec<usize>,
    /// What is left of the alternatives beside what the launch holds.
    open: Open,
    /// As it was known last, before some of that came.
    before: Option<Arc<OpenAlternatives>>,
}

impl LaunchMinValues {
    /// What its pool asks of a launch of an offer that holds these already.
    pub(crate) fn of(compiled: &Compiled, choice: MinValuesChoice, held: &[(ItemId, u32)]) -> Self {
        let keys = &compiled.pools[compiled.offers[choice.offer].pool].min_values;
        let least: Vec<usize> = keys.iter().map(|asked| asked.least as usize).collect();
        let missing = missing(compiled, choice.offer, &least);
        let mut minimums =
            Self { choice, least, listed: None, missing, open: Open::new(), before: None };
        held.iter().for_each(|(item, _)| minimums.fix_alternatives(compiled, *item));
        minimums
    }

    /// Pods of an item join those that are held, for the first time.
    pub(crate) fn join(&mut self, compiled: &Compiled, item: ItemId) {
        self.fix_alternatives(compiled, item);
        if let Some(fewer) = self.beside(compiled, item) {
            self.listed = Some(Arc::new(fewer));
        }
        self.grow();
    }

    /// More pods are held.
    ///
    /// What was left before bounds what is left now, so it is kept to begin from.
    pub(crate) fn grow(&mut self) {
        self.before = self.open.take().or(self.before.take());
    }

    /// How many of `count` more pods of an item leave enough values open beside what was added
    /// before.
    pub(crate) fn admit(&self, compiled: &Compiled, load: &[i64], item: ItemId, count: u32) -> u32 {
        let left = || Arc::new(self.left(compiled, load));
        let open = self.open.get_or_init(left);
        if open.is_of(load) {
            return self.admit_beside(compiled, open, load, item, count);
        }
        self.admit_beside(compiled, &left(), load, item, count)
    }

    /// What is left of the alternatives beside a load.
    fn left(&self, compiled: &Compiled, load: &[i64]) -> OpenAlternatives {
        let list = compiled.alternative_groups(self.choice.offer);
        OpenAlternatives::of(compiled, list, self.sites(compiled), load, self.before.as_deref())
    }

    /// The sites of offers that go with what is held.
    fn sites<'s>(&'s self, compiled: &'s Compiled) -> &'s Bits {
        self.listed.as_deref().unwrap_or(&compiled.usable)
    }

    /// As [`Self::admit`], where this is what is left of the alternatives.
    ///
    /// *Idea.* What any offer could hold at most is a first bound (`known_ceiling`); then each
    /// group of offers is asked for how many pods it has room, and the values with the most room
    /// are counted.
    fn admit_beside(
        &self,
        compiled: &Compiled,
        open: &OpenAlternatives,
        load: &[i64],
        item: ItemId,
        count: u32,
    ) -> u32 {
        let request = &compiled.items[item].request;
        let ceiling = open.known_ceiling();
        let count =
            ceiling.map_or(count, |most| room_beside(most, load, request, count).unwrap_or(0));
        if count == 0 {
            return 0;
        }
        let list = compiled.alternative_groups(self.choice.offer);
        let own = self.choice_beside(compiled);
        let most_beside = |missing: &[usize]| {
            let keys = 0..missing.len();
            let most = keys.map(|key| vec![0; open.values_of(own.as_ref(), key)]).collect();
            let groups = own.iter().chain(open.groups(list));
            self.most_beside(compiled, groups, (missing, most), (load, item, count))
        };
        let admitted = match self.choice.best_effort {
            true => {
                let mut settled = self.clone();
                settled.fix_alternatives(compiled, item);
                most_beside(&settled.missing)
            }
            false => most_beside(&self.missing),
        };
        if admitted < count && !self.choice.best_effort {
            let _known = open.ceiling(compiled, list, own.as_ref(), &self.missing);
        }
        admitted
    }

    /// How many of `count` more pods of an item these groups hold so that so many values of each
    /// key are left. `most`: of each key for each value the most pods that any offer with it holds,
    /// none yet.
    fn most_beside<'l>(
        &self,
        compiled: &Compiled,
        groups: impl Iterator<Item = &'l AlternativeGroup>,
        (missing, mut most): (&[usize], Vec<Vec<u32>>),
        (load, item, count): (&[i64], ItemId, u32),
    ) -> u32 {
        let request = &compiled.items[item].request;
        // Of each key how many values any offer holds all pods with.
        let mut whole = vec![0_usize; missing.len()];
        let beside = self.beside(compiled, item);
        for group in groups {
            if whole.iter().zip(missing).all(|(whole, missing)| whole >= missing) {
                return count;
            }
            let known = |key: usize| most[key][group.states[key] as usize];
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
            if !is_more || beside.as_ref().is_some_and(|sites| !group.overlaps(sites)) {
                continue;
            }
            for key in 0..missing.len() {
                let place = group.states[key] as usize;
                if place != 0 {
                    let best = &mut most[key][place];
                    whole[key] += usize::from(holds >= count && *best < count);
                    *best = holds.max(*best);
                }
            }
        }
        let of_key = |(mut best, missing): (Vec<u32>, &usize)| match missing.checked_sub(1) {
            None => count,
            Some(last) => nth_largest(&mut best, last).unwrap_or(0),
        };
        most.into_iter().zip(missing).map(of_key).min().unwrap_or(count)
    }

    /// The choice itself, where it isn't among its alternatives.
    fn choice_beside(&self, compiled: &Compiled) -> Option<AlternativeGroup> {
        compiled.choice_beside(self.choice.offer).map(|offer| AlternativeGroup {
            states: compiled.min_values_states(offer),
            shape: compiled.offers[offer].shape,
            offers: vec![offer],
        })
    }

    /// The sites of offers that go with what is held and with an item; `None`: all that go with
    /// what is held.
    ///
    /// `None` spares a copy in the common case: an item whose rules admit all that is listed
    /// anyway.
    fn beside(&self, compiled: &Compiled, item: ItemId) -> Option<Bits> {
        let (choice, of_item) = (self.choice.offer, &compiled.items[item]);
        let (sites, eligible) = (self.sites(compiled), &compiled.eligible[of_item.eligibility]);
        let listed = compiled.alternative_sites(choice);
        if !of_item.uses.bars_any()
            && !compiled.asks_agreement(item)
            && compiled.choice_beside(choice).is_none()
            && eligible.includes_common(sites, listed)
        {
            return None;
        }
        let mut sites = sites.clone();
        sites.and(eligible);
        compiled.keep_agreed(choice, &compiled.agreement(choice, &[item]), &mut sites);
        if of_item.uses.bars_any() {
            let offers = compiled.alternatives(choice).iter().copied().chain([choice]);
            let taken = offers.filter(|offer| {
                let shape = &compiled.shapes[compiled.offers[*offer].shape];
                shape.used.bars(&of_item.uses)
            });
            taken.for_each(|offer| sites.remove(offer.index()));
        }
        Some(sites)
    }

    /// Where minimums give way: lowers them to what one pod of the item could meet on its own.
    ///
    /// Only with `BestEffort`; with `Strict` minimums are as the pool states them.
    fn fix_alternatives(&mut self, compiled: &Compiled, item: ItemId) {
        if self.choice.best_effort {
            let request = &compiled.items[item].request;
            let alone = open(compiled, self.choice.offer, &[item], request, self.least.clone());
            for (least, open) in self.least.iter_mut().zip(alone.counts()) {
                *least = (*least).min(open);
            }
            self.missing = missing(compiled, self.choice.offer, &self.least);
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

/// For each key that a choice's pool asks so many values of, how many of these it doesn't leave
/// open by itself.
fn missing(compiled: &Compiled, choice: OfferId, least: &[usize]) -> Vec<usize> {
    let asked = &compiled.pools[compiled.offers[choice].pool].min_values;
    asked.iter().zip(least).map(|(asked, least)| least.saturating_sub(asked.open)).collect()
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
///
/// Offers are added one by one; it says which of them bring a value that is new.
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
    use crate::compile::{AlternativesKey, Compiled, IdVec, ItemId};
    use crate::model::{
        InstanceType, NodePool, Offering, Operator, Pod, Price, Problem, Requirement, Resources,
    };
    use std::collections::BTreeMap;

    /// Nine types of three families in two zones, under a limit and two minimums.
    fn compiled() -> Compiled {
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
        Compiled::new(&problem, Price::ZERO).unwrap()
    }

    /// As many pods are admitted at once as can be added one by one with the minimums met.
    #[test]
    fn as_many_are_admitted_as_leave_enough_values_open() {
        let compiled = compiled();
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

    /// Who asks for one choice knows the answer for others with the same key.
    #[test]
    fn choices_that_may_list_the_same_offers_meet_the_same_minimums() {
        let compiled = compiled();
        let mut answers: BTreeMap<(AlternativesKey, ItemId, u32), bool> = BTreeMap::new();
        let mut shared = 0;
        for offer in compiled.offers.ids() {
            let choice = MinValuesChoice { offer, best_effort: false };
            for item in compiled.items.ids() {
                let key = compiled.alternatives_key(offer, &[item]);
                for count in 1..=compiled.room_of_offer(offer).takes(&compiled.items[item], 6) {
                    let items = [(item, count)];
                    let meets = meets_minimums(&compiled, choice, &items, &compiled.load(&items));
                    let known = answers.insert((key.clone(), item, count), meets);
                    shared += u32::from(known.is_some());
                    assert!(known.is_none_or(|known| known == meets), "{offer:?} {items:?}");
                }
            }
        }
        assert!(shared > 0 && answers.values().any(|met| *met) && answers.values().any(|met| !met));
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
