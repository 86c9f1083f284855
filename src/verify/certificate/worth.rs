//! What the pods on a node are worth at most, by a proof.
//!
//! A proof is a tree, written down as a list in which one refers to others before it. It is walked
//! through case by case with the numbers of pods that each case leaves possible; the worst case
//! counts. The walk keeps its own stack, so a deep tree does no harm, and its steps are counted, so
//! a list in which many refer to the same does none either.
//!
//! *Example.* A node of 10 units, and pods of 6 worth 7 each. At a price of 7/6 for a unit the node
//! is worth 11⅔ at most. Split into none and at least one: without any it is worth nothing; with
//! one of them there four units are left, no further one fits, and at prices of zero the node is
//! worth 7. The worst case is 7, which is what it can really hold.
//!
//! *Why the worst leaf bounds the node.* The cases of an inner node are all there are: few or many
//! of an item, a label that meets a requirement or doesn't, its values or another. So any filling
//! of the node is in some leaf, and what that says holds of it.

use super::anti_affinity::Separation;
use super::place::{CertifiedNode, Narrowed, NodeJudge};
use super::pods::CountedPods;
use super::values::NodeByValue;
use crate::plan::certificate::{Certificate, WorthProof};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::rc::Rc;

/// How many steps all proofs together may take, beyond one look at each proof for each place: a
/// step is a product.
const MOST_STEPS: u64 = 1 << 33;

/// The most amounts of a resource that are tried.
const MOST_AMOUNTS: usize = 1 << 22;

/// How many gains of items are kept from one place to the next.
const MOST_KEPT: usize = 1 << 22;

/// A proof that proves nothing of a place, by its position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unproved {
    pub(super) proof: usize,
}

/// Finds what places are worth.
///
/// One for all places, since what a leaf's prices say of each item is the same everywhere.
pub(super) struct Evaluator<'c, 'a> {
    certificate: &'a Certificate,
    counted: &'c [CountedPods],
    /// For each item, the groups that it is in and what one of it counts for.
    groups: Vec<Vec<(usize, u32)>>,
    separation: Separation<'c, 'a>,
    /// For each item, whether it may keep others off.
    keeps_off: Vec<bool>,
    /// For each item, how many are there at least in the case at hand; those of which there are
    /// any.
    low: BTreeMap<usize, u32>,
    /// For each item, how many are there at most.
    high: Vec<u32>,
    /// What was worked out of leaves: many cases, and many places, end in the same.
    gains: BTreeMap<usize, Rc<[Gain]>>,
    /// How many more of these are kept.
    keeps_left: usize,
    /// How many steps the check may still take.
    steps_left: u64,
}

/// An item that is worth more than it costs at the prices of a leaf.
#[derive(Clone, Copy, Debug)]
struct Gain {
    pods: usize,
    /// What one of it is worth beyond that.
    beyond: i128,
}

/// What is to be done next.
enum Step<'p, 'a> {
    /// Look at a proof.
    Look(u32),
    /// From now on there are at least so many of an item.
    Low(usize, u32),
    /// From now on there are at most so many.
    High(usize, u32),
    /// From now on the place is this.
    Place(PlaceRef<'p, 'a>, Vec<u32>),
}

/// A place as it is, or as a case makes it.
#[derive(Clone)]
enum PlaceRef<'p, 'a> {
    Whole(&'p CertifiedNode<'a>),
    Case(Rc<CertifiedNode<'a>>),
}

impl<'a> Deref for PlaceRef<'_, 'a> {
    type Target = CertifiedNode<'a>;

    fn deref(&self) -> &CertifiedNode<'a> {
        match self {
            Self::Whole(place) => place,
            Self::Case(place) => place,
        }
    }
}

impl<'c, 'a> Evaluator<'c, 'a> {
    pub(super) fn new(
        certificate: &'a Certificate,
        counted: &'c [CountedPods],
        separation: Separation<'c, 'a>,
    ) -> Self {
        let mut groups: Vec<Vec<(usize, u32)>> = counted.iter().map(|_| Vec::new()).collect();
        for (at, group) in certificate.groups.iter().enumerate() {
            for (pod, each) in &group.pods {
                if let Some(list) = groups.get_mut(*pod as usize) {
                    list.push((at, *each));
                }
            }
        }
        Self {
            certificate,
            counted,
            groups,
            keeps_off: counted.iter().map(|pods| separation.may_keep_off(pods)).collect(),
            separation,
            low: BTreeMap::new(),
            high: counted.iter().map(|_| 0).collect(),
            gains: BTreeMap::new(),
            keeps_left: MOST_KEPT,
            steps_left: MOST_STEPS,
        }
    }

    /// What the pods that can be at a place are worth together at most.
    ///
    /// Each place is granted one look at its pods beyond the budget that all share, so that a
    /// certificate of many places with a plain proof each can always be checked.
    pub(super) fn worth(
        &mut self,
        proof: u32,
        place: &CertifiedNode<'a>,
        judge: &NodeJudge<'_, 'a>,
    ) -> Result<i128, Unproved> {
        self.low.clear();
        for (pods, most) in &place.present {
            self.set_high(*pods, *most);
        }
        // One look at every class of pods is what any proof is granted.
        self.steps_left = self.steps_left.saturating_add(self.price_of_a_look(place));
        let worth = self.walk(proof, place, judge);
        for (pods, _) in &place.present {
            self.set_high(*pods, 0);
        }
        worth
    }

    fn set_high(&mut self, pods: usize, most: u32) {
        if let Some(high) = self.high.get_mut(pods) {
            *high = most;
        }
    }

    fn high(&self, pods: usize) -> u32 {
        self.high.get(pods).copied().unwrap_or(0)
    }

    fn low(&self, pods: usize) -> u32 {
        self.low.get(&pods).copied().unwrap_or(0)
    }

    /// Products in one look at a place.
    fn price_of_a_look(&self, place: &CertifiedNode<'a>) -> u64 {
        self.price_of(place.present.len().saturating_add(1))
    }

    /// Products in one look at so many items.
    fn price_of(&self, items: usize) -> u64 {
        let items = u64::try_from(items).unwrap_or(u64::MAX);
        let (resources, drivers) = (&self.certificate.resources, &self.certificate.drivers);
        let each = resources.len().saturating_add(drivers.len());
        let each = u64::try_from(each).unwrap_or(u64::MAX);
        items.saturating_mul(each.saturating_add(2))
    }

    /// Steps that restore a former case lie below those of the case on the stack, so that leaving
    /// it needs no recursion.
    fn walk(
        &mut self,
        proof: u32,
        place: &CertifiedNode<'a>,
        judge: &NodeJudge<'_, 'a>,
    ) -> Result<i128, Unproved> {
        let mut place = PlaceRef::Whole(place);
        let mut worst = 0_i128;
        let mut steps = vec![Step::Look(proof)];
        while let Some(step) = steps.pop() {
            let at = match step {
                Step::Low(pods, 0) => {
                    let _former = self.low.remove(&pods);
                    continue;
                }
                Step::Low(pods, least) => {
                    let _former = self.low.insert(pods, least);
                    continue;
                }
                Step::High(pods, most) => {
                    self.set_high(pods, most);
                    continue;
                }
                Step::Place(other, most) => {
                    for ((pods, _), most) in other.present.iter().zip(most) {
                        self.set_high(*pods, most);
                    }
                    place = other;
                    continue;
                }
                Step::Look(at) => at as usize,
            };
            let unproved = Unproved { proof: at };
            let proof = self.certificate.proofs.get(at).ok_or(unproved)?;
            self.spend(1).ok_or(unproved)?;
            match proof {
                WorthProof::Priced { resources, groups } => {
                    self.spend(self.price_of(self.low.len())).ok_or(unproved)?;
                    let left = self.left(&place).ok_or(unproved)?;
                    if !left.is_impossible() {
                        let gains = self.gains(at, resources, groups).ok_or(unproved)?;
                        let worth = self.priced(&place, &left, (resources, groups), &gains);
                        worst = worst.max(worth.ok_or(unproved)?);
                    }
                }
                WorthProof::Table { resource } => {
                    self.spend(self.price_of_a_look(&place)).ok_or(unproved)?;
                    let left = self.left(&place).ok_or(unproved)?;
                    if !left.is_impossible() {
                        let worth = self.table(&place, &left, *resource as usize);
                        worst = worst.max(worth.ok_or(unproved)?);
                    }
                }
                WorthProof::Full { resource } => {
                    let left = self.left(&place).ok_or(unproved)?;
                    let free = left.free.get(*resource as usize);
                    if !left.contradiction && free.is_none_or(|free| *free >= 0) {
                        return Err(unproved);
                    }
                }
                WorthProof::Crowded { group } => {
                    let left = self.left(&place).ok_or(unproved)?;
                    let open = left.open.get(*group as usize);
                    if !left.contradiction && open.is_none_or(|open| *open >= 0) {
                        return Err(unproved);
                    }
                }
                WorthProof::Split { pod, count, fewer, more } => {
                    let pods = *pod as usize;
                    let (low, high) = (self.low(pods), self.high(pods));
                    let below = count.saturating_sub(1);
                    steps.push(Step::Low(pods, low));
                    if high >= *count {
                        steps.push(Step::Look(*more));
                        steps.push(Step::Low(pods, low.max(*count)));
                    }
                    steps.push(Step::High(pods, high));
                    if low <= below {
                        steps.push(Step::Look(*fewer));
                        steps.push(Step::High(pods, high.min(below)));
                    }
                }
                WorthProof::Values { key, values, proofs, otherwise } => {
                    let now: Vec<u32> =
                        place.present.iter().map(|(pods, _)| self.high(*pods)).collect();
                    let number: BTreeMap<&str, u32> =
                        values.iter().map(|one| &**one).zip(proofs.iter().copied()).collect();
                    let next = |value: Option<&str>| {
                        value.and_then(|one| number.get(one)).copied().unwrap_or(*otherwise)
                    };
                    let cases = match judge.by_value(self.counted, &place, key, values) {
                        NodeByValue::Known(value) => {
                            steps.push(Step::Look(next(value)));
                            continue;
                        }
                        NodeByValue::Cases(cases) => cases,
                    };
                    // Of what a case doesn't have there is nothing: to begin with, and again after
                    // each.
                    let mut none = Vec::with_capacity(place.present.len());
                    none.extend(place.present.iter().map(|(pods, _)| Step::High(*pods, 0)));
                    steps.push(Step::Place(place.clone(), now));
                    for (value, mut case) in cases {
                        // Working out what is there then costs more than a look.
                        let price = self.price_of_a_look(&case).saturating_mul(64);
                        self.spend(price).ok_or(unproved)?;
                        for (pods, most) in &mut case.present {
                            *most = self.high(*pods).min(*most);
                        }
                        let most = case.present.iter().map(|(_, most)| *most).collect();
                        steps.extend(case.present.iter().map(|(pods, _)| Step::High(*pods, 0)));
                        steps.push(Step::Look(next(value.as_deref())));
                        steps.push(Step::Place(PlaceRef::Case(Rc::new(case)), most));
                    }
                    steps.append(&mut none);
                }
                WorthProof::Label { requirement, meets, fails } => {
                    let now: Vec<u32> =
                        place.present.iter().map(|(pods, _)| self.high(*pods)).collect();
                    for (holds, next) in [(true, *meets), (false, *fails)] {
                        // Working out what is there then costs more than a look.
                        let price = self.price_of_a_look(&place).saturating_mul(64);
                        self.spend(price).ok_or(unproved)?;
                        match judge.narrowed(&place, requirement, holds) {
                            Narrowed::Nowhere => {}
                            Narrowed::Same => steps.push(Step::Look(next)),
                            Narrowed::Other(other) => {
                                let (case, most) = self.within(&place, other);
                                steps.push(Step::Place(place.clone(), now.clone()));
                                steps.push(Step::Look(next));
                                steps.push(Step::Place(case, most));
                            }
                        }
                    }
                }
            }
        }
        Ok(worst)
    }

    /// A case of a place, and how many of each item can be there: no more than in the place itself.
    fn within<'p>(
        &self,
        whole: &CertifiedNode<'a>,
        mut other: CertifiedNode<'a>,
    ) -> (PlaceRef<'p, 'a>, Vec<u32>) {
        let there: BTreeMap<usize, u32> = other.present.iter().copied().collect();
        let present: Vec<(usize, u32)> = whole
            .present
            .iter()
            .map(|(pods, _)| (*pods, there.get(pods).copied().unwrap_or(0).min(self.high(*pods))))
            .collect();
        let most = present.iter().map(|(_, most)| *most).collect();
        other.present = present;
        (PlaceRef::Case(Rc::new(other)), most)
    }

    /// Takes steps off what is left; `None` where there are too few.
    fn spend(&mut self, steps: u64) -> Option<()> {
        self.steps_left = self.steps_left.checked_sub(steps)?;
        Some(())
    }

    /// What the pods that must be there leave; nothing where a number is too large.
    fn left(&self, place: &CertifiedNode<'a>) -> Option<RemainingRoom> {
        let mut left = RemainingRoom {
            contradiction: self.low.iter().any(|(pods, low)| *low > self.high(*pods)),
            free: place.room.iter().map(|there| (*there).max(0)).collect(),
            open: self.certificate.groups.iter().map(|group| group.most.into()).collect(),
        };
        for (pods, low) in &self.low {
            let (counted, low) = (self.counted.get(*pods)?, i128::from(*low));
            for (free, request) in left.free.iter_mut().zip(&counted.request) {
                *free = free.checked_sub(request.checked_mul(low)?)?;
            }
            for (group, each) in self.groups.get(*pods)? {
                let open = left.open.get_mut(*group)?;
                *open = open.checked_sub(low.checked_mul(i128::from(*each))?)?;
            }
        }
        Some(left)
    }

    /// How many more pods of an item there can be than must be; nothing where a number is too
    /// large.
    ///
    /// By what is left of every resource and of every group, and none where a pod that must be
    /// there keeps it off.
    fn more(&mut self, pods: usize, left: &RemainingRoom) -> Option<u32> {
        let most = self.high(pods).saturating_sub(self.low(pods));
        if most == 0 || self.is_kept_off(pods) {
            return Some(0);
        }
        let counted = self.counted.get(pods)?;
        let asked = left.free.iter().zip(&counted.request).map(|(free, each)| (*free, *each));
        let in_groups = self.groups.get(pods)?.iter();
        let in_groups =
            in_groups.map(|(group, each)| Some((*left.open.get(*group)?, i128::from(*each))));
        let mut more = i128::from(most);
        for pair in asked.map(Some).chain(in_groups) {
            let (left, each) = pair?;
            if each > 0 {
                more = more.min(left.checked_div(each)?);
            }
        }
        u32::try_from(more.max(0)).ok()
    }

    /// Whether pods of an item are kept off by others that must be there, or by pods of their own.
    fn is_kept_off(&mut self, pods: usize) -> bool {
        let (counted, keeps_off) = (self.counted, &self.keeps_off);
        let Some(one) = counted.get(pods) else { return false };
        let keeps_off = |pods: usize| keeps_off.get(pods) == Some(&true);
        let may = keeps_off(pods);
        let mut others = self.low.keys().filter(|other| may || keeps_off(**other));
        others.any(|other| {
            counted.get(*other).is_some_and(|other| self.separation.are_separated(one, other))
        })
    }

    /// The items that are worth more than they cost at the prices of the leaf with this number;
    /// nothing where a number is too large.
    ///
    /// Kept by leaf while there is room: many places end in the same leaf.
    fn gains(&mut self, leaf: usize, resources: &[i128], groups: &[i128]) -> Option<Rc<[Gain]>> {
        if let Some(gains) = self.gains.get(&leaf) {
            return Some(gains.clone());
        }
        self.spend(self.price_of(self.counted.len()))?;
        let mut gains = Vec::new();
        for pods in 0..self.counted.len() {
            let beyond = self.beyond(pods, resources, groups)?;
            if beyond > 0 {
                gains.push(Gain { pods, beyond });
            }
        }
        let gains: Rc<[Gain]> = gains.into();
        if let Some(left) = self.keeps_left.checked_sub(gains.len().saturating_add(1)) {
            self.keeps_left = left;
            let _new = self.gains.insert(leaf, gains.clone());
        }
        Some(gains)
    }

    /// What one of an item is worth beyond what it costs at these prices, or less than nothing.
    fn beyond(&self, pods: usize, resources: &[i128], groups: &[i128]) -> Option<i128> {
        let counted = self.counted.get(pods)?;
        let mut beyond = counted.value;
        for (price, request) in resources.iter().zip(&counted.request) {
            beyond = beyond.checked_sub(price.checked_mul(*request)?)?;
        }
        for (group, each) in self.groups.get(pods)? {
            let price = groups.get(*group).copied().unwrap_or(0);
            beyond = beyond.checked_sub(price.checked_mul(i128::from(*each))?)?;
        }
        Some(beyond)
    }

    /// What a place is worth at these prices; nothing where a number is too large.
    ///
    /// The formula of [`WorthProof::Priced`], term by
    /// term, with checked arithmetic.
    fn priced(
        &mut self,
        place: &CertifiedNode<'a>,
        left: &RemainingRoom,
        (resources, groups): (&[i128], &[i128]),
        gains: &[Gain],
    ) -> Option<i128> {
        let mut worth = 0_i128;
        for (price, there) in resources.iter().zip(&place.room) {
            worth = worth.checked_add(price.checked_mul((*there).max(0))?)?;
        }
        for (price, group) in groups.iter().zip(&self.certificate.groups) {
            worth = worth.checked_add(price.checked_mul(group.most.into())?)?;
        }
        for (pods, low) in &self.low {
            let beyond = self.beyond(*pods, resources, groups)?;
            worth = worth.checked_add(beyond.checked_mul(i128::from(*low))?)?;
        }
        self.spend(self.price_of(gains.len()))?;
        for Gain { pods, beyond } in gains {
            let more = self.more(*pods, left)?;
            worth = worth.checked_add(beyond.checked_mul(more.into())?)?;
        }
        Some(worth)
    }

    /// The best that can be made of one resource; nothing where a number is too large, or there is
    /// too much of it to try all amounts.
    ///
    /// A knapsack over one resource, in steps of the greatest common divisor of the requests;
    /// counts are split into powers of two, so that many pods of a kind cost a logarithm.
    fn table(
        &mut self,
        place: &CertifiedNode<'a>,
        left: &RemainingRoom,
        resource: usize,
    ) -> Option<i128> {
        let free = *left.free.get(resource)?;
        // What is there in any case, and what costs nothing of it.
        let mut worth = 0_i128;
        let mut choices: Vec<(i128, i128, u32)> = Vec::new();
        let mut unit = 0_i128;
        for (pods, _) in &place.present {
            let (low, more) = (self.low(*pods), self.more(*pods, left)?);
            let counted = self.counted.get(*pods)?;
            let request = *counted.request.get(resource)?;
            let sure = if request > 0 { low } else { low.saturating_add(more) };
            worth = worth.checked_add(counted.value.checked_mul(sure.into())?)?;
            if request > 0 && more > 0 {
                choices.push((request, counted.value, more));
                let (mut one, mut other) = (unit, request);
                while other != 0 {
                    (one, other) = (other, one.checked_rem(other)?);
                }
                unit = one;
            }
        }
        if choices.is_empty() {
            return Some(worth);
        }
        let amounts = usize::try_from(free.checked_div(unit)?).ok()?;
        if amounts >= MOST_AMOUNTS {
            return None;
        }
        // By amount, the best of the choices so far that takes no more.
        let mut best = vec![0_i128; amounts.saturating_add(1)];
        for (request, value, more) in choices {
            let each = usize::try_from(request.checked_div(unit)?).ok()?;
            // So many as 1, 2, 4, … and a rest make up each number.
            let (mut lot, mut rest) = (1_u32, more);
            while rest > 0 {
                let times = lot.min(rest);
                rest = rest.saturating_sub(times);
                lot = lot.saturating_mul(2);
                self.spend(u64::try_from(best.len()).ok()?)?;
                let gain = value.checked_mul(times.into())?;
                let Some(taken) = each.checked_mul(times as usize) else { continue };
                for amount in (taken..best.len()).rev() {
                    let before = best.get(amount.saturating_sub(taken)).copied()?;
                    let with = before.checked_add(gain)?;
                    if let Some(now) = best.get_mut(amount) {
                        *now = with.max(*now);
                    }
                }
            }
        }
        worth.checked_add(best.last().copied()?)
    }
}

/// What the pods that must be there leave.
struct RemainingRoom {
    /// Whether there are to be more of some item than there can be.
    contradiction: bool,
    /// By resource; below zero where they ask for more than there is.
    free: Vec<i128>,
    /// By group; below zero where they count for more than it allows.
    open: Vec<i128>,
}

impl RemainingRoom {
    fn is_impossible(&self) -> bool {
        self.contradiction || self.free.iter().chain(&self.open).any(|left| *left < 0)
    }
}
