//! Certificates that can be checked in bounded time.
//!
//! *Problem.* Who checks a certificate looks at every item of pods on every place that could be
//! launched, and again for each value of a label that the launch leaves open. With thousands of
//! classes of pods, each with a spread of its own, and hundreds of values, that is more than
//! [`verify`](crate::verify()) grants.
//!
//! *Idea.* Most classes differ in labels and in rules between pods alone, of which a resource-price
//! proof knows nothing: what asks for the same, may be on the same nodes and is worth the same is
//! counted as one item. What is left then is counted, and where it is too much there is no
//! certificate: whoever asks for one states a weaker bound.
//!
//! *Why it is right.* A proof takes it that each pod of an item can be wherever one of them can and
//! asks for the least that any does, which is true of what is alike. A node holds no more of the
//! item than of its parts together, so that it is worth no more.
//!
//! *Cost.* A look at each item of pods and at each offer.

use super::certificate::{CertificateBuilder, CertifiedPods};
use crate::compile::{Bits, Compiled, EligibilityId, Id, ItemId, OfferId, PoolId};
use crate::plan::certificate::WorthProof;
use std::collections::{BTreeMap, BTreeSet};

/// The most products that a check of all cases of open labels may take, by our count; `verify`
/// grants twice as many.
const MOST_PRODUCTS: u64 = 1 << 32;

/// What a check may take without anybody asking whether it could be shorter.
const FEW_PRODUCTS: u64 = 1 << 26;

/// What a case of an open label takes, in looks at its place, by `verify`'s count.
const LOOKS_FOR_A_CASE: u64 = 64;

/// What pods are told by that are under no rule about what shares a node with them: where they may
/// be, what they ask for, their pools' weight, whether they avoid taints, and what they are worth.
type Likeness<'c> = (EligibilityId, &'c [i64], Option<i32>, bool, i128);

impl CertificateBuilder {
    /// The same in a form that can be checked in bounded time: where there are many cases, pods
    /// that no proof tells apart are counted together; `None` where it would take too long even
    /// so. `by_class` is the problem with an item for each class.
    pub(crate) fn checkable(mut self, by_class: &Compiled) -> Option<Self> {
        if self.products(by_class, false) <= FEW_PRODUCTS {
            return Some(self);
        }
        self.merge_alike(by_class);
        (self.products(by_class, false) <= MOST_PRODUCTS
            || self.products(by_class, true) <= MOST_PRODUCTS)
            .then_some(self)
    }

    /// Of pods that some proof or group names by position none is merged: these are told apart for
    /// a reason.
    fn merge_alike(&mut self, compiled: &Compiled) {
        let named = self.named();
        let mut known: BTreeMap<_, usize> = BTreeMap::new();
        let mut kept: Vec<CertifiedPods> = Vec::with_capacity(self.pods.len());
        let mut places: Vec<u32> = Vec::with_capacity(self.pods.len());
        for (at, pods) in std::mem::take(&mut self.pods).into_iter().enumerate() {
            let next = kept.len();
            let place = match Self::likeness(compiled, &pods).filter(|_| !named.contains(&at)) {
                Some(likeness) => *known.entry(likeness).or_insert(next),
                None => next,
            };
            places.push(u32::try_from(place).unwrap_or(u32::MAX));
            match kept.get_mut(place) {
                Some(one) => {
                    one.count = one.count.saturating_add(pods.count);
                    one.classes.extend(pods.classes);
                }
                None => kept.push(pods),
            }
        }
        for pods in &mut kept {
            pods.classes.sort_unstable();
            pods.classes.dedup();
        }
        self.pods = kept;
        let moved = |pods: &mut u32| {
            if let Some(place) = places.get(*pods as usize) {
                *pods = *place;
            }
        };
        self.groups.iter_mut().flat_map(|group| &mut group.pods).for_each(|(pods, _)| moved(pods));
        self.proofs.renumber_pods(moved);
    }

    /// The places of pods of which some proof or group speaks.
    fn named(&self) -> BTreeSet<usize> {
        let split = self.proofs.list().iter().filter_map(|proof| match proof {
            WorthProof::Split { pod, .. } => Some(*pod),
            _ => None,
        });
        let grouped = self.groups.iter().flat_map(|group| &group.pods).map(|(pods, _)| *pods);
        split.chain(grouped).map(|pods| pods as usize).collect()
    }

    fn likeness<'c>(compiled: &'c Compiled, pods: &CertifiedPods) -> Option<Likeness<'c>> {
        let item = &compiled.items[ItemId::from_index(pods.classes.first()?.index())];
        let plain = item.goes_anywhere()
            && pods.honours.is_empty()
            && !pods.beyond_running
            && pods.per_node.is_none();
        plain.then_some((
            item.eligibility,
            &item.request[..],
            pods.weight,
            pods.untainted,
            pods.value,
        ))
    }

    /// How many products it takes to look at all cases of open labels. With `once`, places that
    /// nothing tells apart are looked at once, as `verify` does; else this is quick to say.
    ///
    /// It errs towards too many, so that a certificate which is thought checkable is.
    fn products(&self, compiled: &Compiled, once: bool) -> u64 {
        let mut items = vec![0_u64; compiled.eligible.len()];
        for class in self.pods.iter().filter_map(|pods| pods.classes.first()) {
            items[compiled.items[ItemId::from_index(class.index())].eligibility.index()] += 1;
        }
        let each = compiled.dims.len().saturating_add(compiled.dims.drivers().len() + 2);
        let each = u64::try_from(each).unwrap_or(u64::MAX).saturating_mul(LOOKS_FOR_A_CASE);
        let mut seen: BTreeSet<(PoolId, usize, &Bits)> = BTreeSet::new();
        let mut former = None;
        let mut first = None;
        let mut products = 0_u64;
        for (id, offer) in compiled.offers.iter() {
            let site = compiled.site_of_offer(id);
            let admits = &compiled.admits[site];
            let offering = (offer.pool, offer.instance, offer.offering);
            let alone = former.replace(offering) != Some(offering);
            let mut count = |id: OfferId| {
                let admits = &compiled.admits[compiled.site_of_offer(id)];
                if !once || seen.insert((offer.pool, offer.instance, admits)) {
                    let there = admits.iter().fold(1_u64, |sum, at| sum.saturating_add(items[at]));
                    products = products.saturating_add(there.saturating_mul(each));
                }
            };
            // An offering that is one offer has no cases.
            match alone {
                true => first = Some(id).filter(|_| !admits.is_empty()),
                false => {
                    first.take().into_iter().for_each(&mut count);
                    count(id);
                }
            }
        }
        products
    }
}
