//! From prices in floats to a bound that is proved in integers.
//!
//! *Problem.* Column generation ends with values of pods such that no node holds more than it
//! costs, as far as floats and searches that gave up can tell.
//!
//! *Idea.* Prices of limits and reservations are rounded first. Then, for each part of the pods
//! that competes for nodes by itself, the values are scaled and rounded such that for every bin
//! there is a proof in integers that it holds no more than it costs (`prove`). Running nodes cost
//! nothing: prices of their resources say what they can hold, and that is subtracted; so is what
//! the launches of static pools can hold, and what these cost in any case is added. What results is
//! a certificate, which anyone can check against the problem.
//!
//! *Cost.* A few searches of each bin. The proofs of a launch plan's bound aren't hurried when the
//! caller wishes to stop: without them there is no bound. Those of a cluster's are given up then:
//! what was proved before is stated instead.
//!
//! *Why values are scaled by parts.* Pods that never compete for the same launches can have values
//! that are right by a different factor each; one factor for all would be that of the worst.

use super::cancel::{Cancel, StepLimit};
use super::instance::{Bin, DualPrices, Instance, SharedCapacity};
use super::kept_class::KeptClasses;
use super::prove::{BinProof, BinValues, certify, prove, scale};
use super::tuning::certify::{NODE_STEPS, PROOF_STEPS, STEPS};
use crate::bound::certificate::{
    CertificateBuilder, CertifiedPods, NodePrices, PricedPods, Proofs, common_step,
};
use crate::bound::{BoundedCluster, ClusterBound, EqualNodes, Proved};
use crate::compile::{CapacitySource, ClassId, Compiled, Id, ItemId};
use crate::parallel;
use crate::plan::certificate::{ConflictGroup, POINT, WorthProof};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A billionth, in the units of a certificate.
const ONE: f64 = (1_u64 << POINT) as f64;

/// An amount in the units of a certificate, rounded down.
fn whole(amount: f64) -> i128 {
    // Saturates, and what isn't a number becomes nothing.
    (amount.max(0.0) * ONE).floor() as i128
}

/// The bound that prices prove; `None` where they prove nothing.
///
/// `classes` is the problem with an item for each item.
pub(super) fn certified(
    by_class: &Compiled,
    kept_classes: &KeptClasses,
    instance: &Instance<'_>,
    prices: &DualPrices,
    cancel: &Cancel<'_>,
) -> Option<Proved> {
    let compiled = &kept_classes.compiled;
    let fee = instance.context.fee;
    let mut builder = CertificateBuilder { fee, ..CertificateBuilder::default() };
    let mut supplies = vec![0_i128; instance.supplies.len()];
    for ((supply, price), slot) in instance.supplies.iter().zip(&prices.supplies).zip(&mut supplies)
    {
        *slot = whole(*price);
        match supply.source {
            CapacitySource::Limit(pool, at) if *slot > 0 => builder.limits.push((pool, at, *slot)),
            CapacitySource::Reservation(id) if *slot > 0 => builder.reservations.push((id, *slot)),
            _ => {}
        }
    }
    // A launch of a static pool is worth at most what it takes to be one of them.
    for (pool, launches) in &kept_classes.static_nodes {
        let own = |supply: &SharedCapacity| supply.source == CapacitySource::Static(*pool);
        let at = instance.supplies.iter().position(own);
        builder.static_nodes.push((*pool, *launches, at.map_or(0, |at| supplies[at])));
    }
    let step = common_step(compiled, fee);
    let never = || false;
    let unhurried = Cancel::new(&never);
    let (values, proofs) = scaled(instance, prices, &supplies, step, (cancel, &unhurried))?;
    let mut places: Vec<Option<u32>> = vec![None; values.len()];
    for (at, value) in values.iter().enumerate().filter(|(_, value)| **value > 0) {
        places[at] = Some(u32::try_from(builder.pods.len()).ok()?);
        builder.pods.push(kept_classes.pods(at, *value));
    }
    let _published = publish(instance, &places, &proofs, &mut builder)?;
    nodes(by_class, kept_classes, instance, &values, &mut builder)?;
    let builder = builder.checkable(by_class)?;
    let bound = builder.bound(compiled, step)?;
    let mut entries = |class: ClassId| entries(compiled, class);
    (bound > 0)
        .then(|| Proved { bound, certificate: Some(builder.certificate(compiled, &mut entries)) })
}

/// Adds the groups of pods, of which `places` says where each demand stands, and the proofs of what
/// can be launched to a certificate.
fn publish<'p>(
    instance: &Instance<'_>,
    places: &'p [Option<u32>],
    proofs: &[(usize, BinProof)],
    builder: &mut CertificateBuilder,
) -> Option<ProofPublisher<'p>> {
    for group in &instance.groups {
        let members = group.members.iter();
        let pods = members.filter_map(|(demand, each)| Some((places[*demand as usize]?, *each)));
        builder.groups.push(ConflictGroup { pods: pods.collect(), most: group.most });
    }
    let publisher = ProofPublisher { places, groups: instance.groups.len() };
    for (number, proof) in proofs {
        let bin = &instance.bins[*number];
        let Some(bin_type) = bin.site.launched() else { continue };
        let proof = publisher.publish(bin, proof, &mut builder.proofs)?;
        let bin_type = &instance.context.compiled.bin_types[bin_type];
        let offers = bin_type.offers.iter().chain(&bin_type.dominated);
        builder.offers.extend(offers.map(|offer| (*offer, proof)));
    }
    Some(publisher)
}

/// The bound that prices prove of a cluster; `None` where they prove nothing, or the caller wishes
/// to stop before it is proved.
pub(super) fn certified_cluster(
    cluster: &BoundedCluster,
    instance: &Instance<'_>,
    prices: &DualPrices,
    cancel: &Cancel<'_>,
) -> Option<ClusterBound> {
    let compiled = instance.context.compiled;
    let mut builder = CertificateBuilder::default();
    let mut supplies = vec![0_i128; instance.supplies.len()];
    for ((supply, price), slot) in instance.supplies.iter().zip(&prices.supplies).zip(&mut supplies)
    {
        let price = whole(*price);
        match supply.source {
            CapacitySource::Limit(pool, at) if price > 0 => builder.limits.push((pool, at, price)),
            CapacitySource::Reservation(id) if price > 0 => builder.reservations.push((id, price)),
            _ => continue,
        }
        *slot = price;
    }
    let (mut values, proofs) = scaled(instance, prices, &supplies, 0, (cancel, cancel))?;
    let move_price = whole(instance.move_price());
    for (value, of_float) in values.iter_mut().zip(&prices.values) {
        // What is proved is worth beyond the price of a move.
        *value = match *value > 0 {
            true => value.checked_add(move_price)?,
            false => whole(*of_float).min(move_price),
        };
    }
    let mut places: Vec<Option<u32>> = vec![None; values.len()];
    for ((at, value), demand) in
        values.iter().enumerate().zip(&instance.demands).filter(|((_, value), _)| **value > 0)
    {
        places[at] = Some(u32::try_from(builder.pods.len()).ok()?);
        builder.pods.push(CertifiedPods {
            classes: vec![ClassId::from_index(demand.item.index())],
            weight: None,
            honours: Vec::new(),
            untainted: false,
            beyond_running: false,
            per_node: None,
            count: demand.count,
            value: *value,
        });
    }
    let publisher = publish(instance, &places, &proofs, &mut builder)?;
    let running: Vec<&Bin> = instance.bins.iter().filter(|bin| !bin.site.is_launch()).collect();
    let proved = parallel::map(&running, |bin| running_worth(bin, &values, move_price, cancel));
    for (bin, proved) in running.into_iter().zip(proved) {
        let Some(nodes) = bin.site.running() else { continue };
        match proved? {
            (worth, Some(proof)) => {
                let proof = publisher.publish(bin, &proof, &mut builder.proofs)?;
                builder.nodes.extend(nodes.iter().map(|node| (*node, proof, worth)));
            }
            (worth, None) => builder.held.push(worth),
        }
    }
    builder.nodes.sort_unstable();
    let mut entries = |class: ClassId| entries(compiled, class);
    cluster.bound(compiled, builder, move_price, &mut entries)
}

/// What a running node can be worth at most beyond what it costs, by the proof of what comes to it;
/// no proof where nothing can.
///
/// Limits are tried from the best that a search finds upwards; the first that a proof is found for
/// is what the node is worth. A proof with a high limit is short, so one is found in the end,
/// unless the caller stops it.
fn running_worth(
    bin: &Bin,
    values: &[i128],
    move_price: i128,
    cancel: &Cancel<'_>,
) -> Option<(i128, Option<BinProof>)> {
    if cancel.now() {
        return None;
    }
    let mut held = 0_i128;
    for (demand, count) in &bin.own {
        held = held.checked_add(values[*demand as usize].checked_mul((*count).into())?)?;
    }
    let beyond = held.checked_sub(i128::from(bin.cost).checked_mul(1 << POINT)?)?;
    let arriving = |demand: &u32| (values[*demand as usize] - move_price).max(0);
    let whole_values: Vec<i128> = bin.items.iter().map(arriving).collect();
    if whole_values.iter().all(|value| *value == 0) {
        return Some((beyond.max(0), None));
    }
    let floats: Vec<f64> = whole_values.iter().map(|value| *value as f64).collect();
    let relaxed = bin.knapsack.relax(&floats, None).upper_bound;
    let mut limits = Vec::new();
    if relaxed + beyond as f64 > 0.0 {
        let steps = StepLimit { steps: STEPS, cancel };
        let best = bin.knapsack.best(&floats, 0.0, steps).upper_bound;
        limits.extend([1e-9, 0.1, 0.3, 0.6].map(|part| best + (relaxed - best).max(0.0) * part));
    }
    limits.extend([1e-9, 1e-6, 1e-3, 1.0].map(|more| relaxed * (1.0 + more)));
    let spare = -beyond;
    for limit in limits {
        let limit = (limit.ceil() as i128).saturating_add(1).max(spare);
        if let Some(proof) = prove(&bin.knapsack, &whole_values, limit, NODE_STEPS) {
            return Some((beyond.checked_add(limit)?.max(0), Some(proof)));
        }
    }
    None
}

/// What certificates call a class's entries.
pub(crate) fn entries(compiled: &Compiled, class: ClassId) -> Vec<Arc<str>> {
    let pods = compiled.classes[class].entries.iter();
    let pods = pods.map(|entry| compiled.parts.pod(*entry as usize));
    pods.map(|pod| pod.entry_name()).collect()
}

/// Values by demand, and proofs by the numbers of their bins.
type ScaledValues = (Vec<i128>, Vec<(usize, BinProof)>);

/// Values in whole numbers, and for each bin that can be launched the proof that it holds no more
/// than it costs. `cancel` has searches end early, `given_up` has all end with nothing.
fn scaled(
    instance: &Instance<'_>,
    prices: &DualPrices,
    supplies: &[i128],
    step: i64,
    (cancel, given_up): (&Cancel<'_>, &Cancel<'_>),
) -> Option<ScaledValues> {
    let enough = enough(instance, prices, step);
    // Beyond the price of a move.
    let move_price = instance.move_price();
    let mut values: Vec<i128> =
        prices.values.iter().map(|value| whole(*value - move_price)).collect();
    let mut of_part: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (number, bin) in instance.bins.iter().enumerate() {
        if let Some(first) = bin.items.first().filter(|_| bin.site.is_launch()) {
            of_part.entry(instance.part_of[*first as usize]).or_default().push(number);
        }
    }
    let parts: Vec<Vec<usize>> = of_part.into_values().collect();
    let certified = parallel::map(&parts, |bins| {
        let worths: Vec<Vec<f64>> =
            bins.iter().map(|at| instance.bins[*at].worth(&prices.values)).collect();
        let kinds: Vec<BinValues<'_>> = bins
            .iter()
            .zip(&worths)
            .map(|(at, values)| {
                let bin = &instance.bins[*at];
                let paid = bin.uses.iter().fold(0_i128, |sum, (supply, each)| {
                    sum.saturating_add(supplies[*supply as usize].saturating_mul((*each).into()))
                });
                // A little less than exact, for the sake of rounding.
                let limit = (bin.cost as f64 + paid as f64 / ONE) * (1.0 - 1e-12);
                BinValues { knapsack: &bin.knapsack, values, limit }
            })
            .collect();
        // The prices keep to what bins cost, as far as floats can tell; in a hurry that will do.
        let factor =
            if cancel.now() { 1.0 } else { scale(&kinds, StepLimit { steps: STEPS, cancel }) };
        let factor = if cancel.now() { 1.0 } else { factor.min(1.0) };
        certify(&kinds, factor.min(enough), PROOF_STEPS, given_up)
    });
    let mut proofs = Vec::with_capacity(instance.bins.len());
    for (bins, certified) in parts.into_iter().zip(certified) {
        let certified = certified?;
        for ((at, of_items), proof) in bins.into_iter().zip(certified.values).zip(certified.proofs)
        {
            for (demand, value) in instance.bins[at].items.iter().zip(of_items) {
                values[*demand as usize] = value;
            }
            proofs.push((at, proof));
        }
    }
    Some((values, proofs))
}

/// The share of the prices that proves as much as they do.
///
/// Plans cost whole steps, so a bound need only be above the last step before what it comes to when
/// it is rounded up; and the less the values are, the shorter is the proof.
fn enough(instance: &Instance<'_>, prices: &DualPrices, step: i64) -> f64 {
    // Not where something is taken off for supplies, which isn't scaled.
    if !instance.supplies.is_empty() || step <= 0 || prices.bound <= 0.0 {
        return 1.0;
    }
    let step = step as f64;
    let before = ((prices.bound * (1.0 - 1e-9) / step).ceil() - 1.0) * step;
    ((before + step / 1000.0) / prices.bound).clamp(0.0, 1.0)
}

/// Makes public what was proved of bins.
struct ProofPublisher<'a> {
    /// For each demand its place among the certificate's pods, if it is worth anything.
    places: &'a [Option<u32>],
    groups: usize,
}

impl ProofPublisher<'_> {
    fn publish(&self, bin: &Bin, proof: &BinProof, proofs: &mut Proofs) -> Option<u32> {
        let published = match proof {
            BinProof::Priced { resources, groups } => {
                self.leaf(resources.clone(), &bin.groups, groups)
            }
            BinProof::Table { resource } => {
                WorthProof::Table { resource: u32::try_from(*resource).ok()? }
            }
            BinProof::ResourceInfeasible { resource } => {
                WorthProof::Full { resource: u32::try_from(*resource).ok()? }
            }
            BinProof::GroupInfeasible { group } => {
                WorthProof::Crowded { group: bin.groups[*group] }
            }
            BinProof::Branch { item, count, fewer, more } => WorthProof::Split {
                pod: self.places[bin.items[*item] as usize]?,
                count: u32::try_from(*count).ok()?.checked_add(1)?,
                fewer: self.publish(bin, fewer, proofs)?,
                more: self.publish(bin, more, proofs)?,
            },
        };
        Some(proofs.number(published))
    }

    /// Prices of resources, and of the groups with these numbers.
    fn leaf(&self, resources: Vec<i128>, numbers: &[u32], prices: &[i128]) -> WorthProof {
        let mut groups = vec![0; self.groups];
        for (group, price) in numbers.iter().zip(prices) {
            groups[*group as usize] = *price;
        }
        NodePrices { resources, groups }.proof()
    }
}

/// What running nodes can hold at most, by prices of their resources.
fn nodes(
    by_class: &Compiled,
    kept_classes: &KeptClasses,
    instance: &Instance<'_>,
    values: &[i128],
    builder: &mut CertificateBuilder,
) -> Option<()> {
    let compiled = &kept_classes.compiled;
    let mut bin_of = BTreeMap::new();
    for bin in &instance.bins {
        if let Some(nodes) = bin.site.running() {
            bin_of.extend(nodes.iter().map(|node| (*node, bin)));
        }
    }
    let floats: Vec<f64> = values.iter().map(|value| *value as f64 / ONE).collect();
    for alike in EqualNodes::of(by_class) {
        let mut held: Vec<(usize, u32)> = Vec::new();
        for (at, kept_class) in
            kept_classes.list.iter().enumerate().filter(|(at, _)| values[*at] > 0)
        {
            let item = ItemId::from_index(kept_class.class.index());
            let together = kept_classes.per_node[at].unwrap_or(u32::MAX);
            let most = alike.takes(by_class, item).min(kept_classes.counts[at]).min(together);
            if most > 0 {
                held.push((at, most));
            }
        }
        let Some(first) = alike.nodes.first().filter(|_| !held.is_empty()) else { continue };
        let width = compiled.dims.len();
        let mut resources = vec![0_i128; width];
        if let Some(bin) = bin_of.get(first) {
            let relaxed = bin.knapsack.relax(&bin.worth(&floats), None);
            for ((slot, price), free) in
                resources.iter_mut().zip(&relaxed.prices).zip(alike.room.free)
            {
                *slot = if *free > 0 { whole(price / *free as f64) } else { 0 };
            }
        }
        let prices = NodePrices { resources, groups: Vec::new() };
        let held = held.into_iter().map(|(at, most)| PricedPods {
            value: values[at],
            request: &compiled.items[instance.demands[at].item].request,
            in_groups: &[],
            most,
        });
        let worth = prices.worth(alike.room.free, &[], held)?;
        let proof = builder.proofs.number(prices.proof());
        builder.nodes.extend(alike.nodes.iter().map(|node| (*node, proof, worth)));
    }
    builder.nodes.sort_unstable();
    Some(())
}
