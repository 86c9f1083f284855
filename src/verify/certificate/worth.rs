//! What the pods on a node are worth at most, by a proof.
//!
//! A proof is a tree, written down as a list in which one refers to others before it. It is walked through
//! case by case with the numbers of pods that each case leaves possible; the worst case counts. The walk
//! keeps its own stack, so a deep tree does no harm, and its steps are counted, so a list in which many
//! refer to the same does none either.

use super::place::{Judge, Narrowed, Place};
use super::pods::Counted;
use crate::plan::certificate::{Certificate, WorthProof};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::rc::Rc;

/// How many steps all proofs together may take, beyond one look at each proof for each place: a step is a
/// product.
const MOST_STEPS: u64 = 1 << 33;

/// A proof that proves nothing of a place, by its position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unproved {
    pub(super) proof: usize,
}

/// Finds what places are worth.
pub(super) struct Evaluator<'c, 'a> {
    certificate: &'a Certificate,
    counted: &'c [Counted],
    /// For each item, the groups that it is in and what one of it counts for.
    groups: Vec<Vec<(usize, u32)>>,
    /// For each item, how many are there at least in the case at hand; those of which there are any.
    low: BTreeMap<usize, u32>,
    /// For each item, how many are there at most.
    high: Vec<u32>,
    steps_left: u64,
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
    Whole(&'p Place<'a>),
    Case(Rc<Place<'a>>),
}

impl<'a> Deref for PlaceRef<'_, 'a> {
    type Target = Place<'a>;

    fn deref(&self) -> &Place<'a> {
        match self {
            Self::Whole(place) => place,
            Self::Case(place) => place,
        }
    }
}

impl<'c, 'a> Evaluator<'c, 'a> {
    pub(super) fn new(certificate: &'a Certificate, counted: &'c [Counted]) -> Self {
        let mut groups: Vec<Vec<(usize, u32)>> = counted.iter().map(|_| Vec::new()).collect();
        for (at, group) in certificate.groups.iter().enumerate() {
            for (pod, each) in &group.pods {
                if let Some(list) = groups.get_mut(*pod as usize) {
                    list.push((at, *each));
                }
            }
        }
        let high = counted.iter().map(|_| 0).collect();
        Self { certificate, counted, groups, low: BTreeMap::new(), high, steps_left: MOST_STEPS }
    }

    /// What the pods that can be at a place are worth together at most.
    pub(super) fn worth(
        &mut self,
        proof: u32,
        place: &Place<'a>,
        judge: &Judge<'_, 'a>,
    ) -> Result<i128, Unproved> {
        self.low.clear();
        for (pods, most) in &place.present {
            self.set_high(*pods, *most);
        }
        // One look at every kind of pods is what any proof is granted.
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
    fn price_of_a_look(&self, place: &Place<'a>) -> u64 {
        let kinds = u64::try_from(place.present.len()).unwrap_or(u64::MAX);
        let each = u64::try_from(self.certificate.resources.len()).unwrap_or(u64::MAX);
        kinds.saturating_add(1).saturating_mul(each.saturating_add(2))
    }

    fn walk(
        &mut self,
        proof: u32,
        place: &Place<'a>,
        judge: &Judge<'_, 'a>,
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
                    self.spend(self.price_of_a_look(&place)).ok_or(unproved)?;
                    if !self.is_impossible(&place) {
                        let worth = self.priced(&place, resources, groups).ok_or(unproved)?;
                        worst = worst.max(worth);
                    }
                }
                WorthProof::Full { resource } => {
                    let full = self.is_contradiction() || self.is_full(&place, *resource as usize);
                    if !full {
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
                WorthProof::Apart { pod, other, without_pod, without_other } => {
                    for (pods, without) in [(*pod, *without_pod), (*other, *without_other)] {
                        let pods = pods as usize;
                        steps.push(Step::High(pods, self.high(pods)));
                        if self.low(pods) == 0 {
                            steps.push(Step::Look(without));
                            steps.push(Step::High(pods, 0));
                        }
                    }
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
    fn within<'p>(&self, whole: &Place<'a>, mut other: Place<'a>) -> (PlaceRef<'p, 'a>, Vec<u32>) {
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

    fn spend(&mut self, steps: u64) -> Option<()> {
        self.steps_left = self.steps_left.checked_sub(steps)?;
        Some(())
    }

    /// Whether there are to be more of some item than there can be.
    fn is_contradiction(&self) -> bool {
        self.low.iter().any(|(pods, low)| *low > self.high(*pods))
    }

    /// Whether the pods that are there at least ask for more of a resource than there is.
    fn is_full(&self, place: &Place<'a>, resource: usize) -> bool {
        let there = place.room.get(resource).copied().unwrap_or(0).max(0);
        let asked = self.low.iter().try_fold(0_i128, |sum, (pods, low)| {
            let request = self.counted.get(*pods)?.request.get(resource)?;
            sum.checked_add(request.checked_mul(i128::from(*low))?)
        });
        asked.is_some_and(|asked| asked > there)
    }

    fn is_impossible(&self, place: &Place<'a>) -> bool {
        !self.low.is_empty()
            && (self.is_contradiction()
                || (0..place.room.len()).any(|resource| self.is_full(place, resource)))
    }

    /// What a place is worth at these prices; nothing where a number is too large.
    fn priced(&self, place: &Place<'a>, resources: &[i128], groups: &[i128]) -> Option<i128> {
        let mut worth = 0_i128;
        for (price, there) in resources.iter().zip(&place.room) {
            worth = worth.checked_add(price.checked_mul((*there).max(0))?)?;
        }
        for (price, group) in groups.iter().zip(&self.certificate.groups) {
            worth = worth.checked_add(price.checked_mul(group.most.into())?)?;
        }
        for (pods, _) in &place.present {
            let counted = self.counted.get(*pods)?;
            let mut left = counted.value;
            for (price, request) in resources.iter().zip(&counted.request) {
                left = left.checked_sub(price.checked_mul(*request)?)?;
            }
            if !groups.is_empty() {
                for (group, each) in self.groups.get(*pods)? {
                    let price = groups.get(*group)?;
                    left = left.checked_sub(price.checked_mul(i128::from(*each))?)?;
                }
            }
            let times = if left > 0 { self.high(*pods) } else { self.low(*pods) };
            worth = worth.checked_add(left.checked_mul(times.into())?)?;
        }
        Some(worth)
    }
}
