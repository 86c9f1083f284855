//! The bound that a plan states, with its proof: the resource-price bound as a certificate.
//!
//! Each inequality of the relaxation (see `bound::relaxation`) has a price. A pod is worth what it
//! asks for at the prices of the inequalities that count it; what a node gives at these prices is
//! what it can be worth, which is what the prices were made to keep below its cost. So the
//! certificate has one leaf for each set of inequalities that count a bin type.
//!
//! Where few pods make a node necessary the dearest pod's cheapest node alone proves more.
//!
//! *Why three drafts.* By prices: the relaxation's. By the dearest pod: with a handful of pods
//! rounding matters, and one node that must be bought in any case costs more than the fractions of
//! nodes that the relaxation pays for. By nothing: where static pools launch, what those cost is a
//! bound by itself. The best of those that can be checked is stated.

use super::catalog::{BinCatalog, SlotTable};
use super::certificate::{CertificateBuilder, CertifiedPods, NodePrices, PricedPods, common_step};
use super::cluster::{BoundedCluster, ClusterBound};
use super::inequality::InequalityKind;
use super::relaxation::{Demand, Relaxation, given};
use crate::compile::{ClassId, Compiled, Id, ItemId, NodeId, NodeRoom, PoolId};
use crate::plan::certificate::{Certificate, ConflictGroup, POINT, WorthProof};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A lower bound and why it is one.
#[derive(Debug, Default)]
pub(crate) struct Proved {
    /// No plan for the same pods costs less, in billionths per hour, fees included.
    pub(crate) bound: i128,
    /// The proof; none where nothing is to be proved.
    pub(crate) certificate: Option<Certificate>,
}

/// What a bound is to be proved for.
#[derive(Debug)]
pub(crate) struct BoundInput<'a> {
    /// Pods by class, and by the weight of the pools that launch their nodes (`None`: bound to
    /// running nodes).
    pub(crate) counts: &'a BTreeMap<(ClassId, Option<i32>), u32>,
    /// How many nodes static pools launch.
    pub(crate) static_nodes: &'a BTreeMap<PoolId, u32>,
    /// The fee per node and hour, in billionths.
    pub(crate) fee: i64,
}

/// A lower bound on the cost of all plans that place the same pods, on pools of the same weights.
///
/// The problem's items are its classes as they are; `entries` names those of a class, and is asked
/// once for each.
pub(crate) fn prove(
    compiled: &Compiled,
    input: &BoundInput<'_>,
    entries: &mut dyn FnMut(ClassId) -> Vec<Arc<str>>,
) -> Proved {
    let equal_nodes = EqualNodes::of(compiled);
    let demand = |((class, weight), count): (&(ClassId, Option<i32>), &u32)| {
        let item = ItemId::from_index(class.index());
        let free = equal_nodes.iter().fold(0_u64, |sum, alike| {
            let nodes = u64::try_from(alike.nodes.len()).unwrap_or(u64::MAX);
            sum.saturating_add(nodes.saturating_mul(alike.takes(compiled, item).into()))
        });
        let beyond_running = count.saturating_sub(u32::try_from(free).unwrap_or(u32::MAX));
        Demand { item, weight: *weight, count: *count, beyond_running }
    };
    let demands: Vec<Demand> = input.counts.iter().map(demand).collect();
    let running: Vec<NodeId> = compiled.nodes.ids().collect();
    let catalog = Arc::new(BinCatalog::new(compiled, input.fee));
    let relaxation = Relaxation::new(compiled, &demands, &running, catalog, &mut SlotTable::new());
    let maker =
        BoundBuilder { compiled, input, demands: &demands, equal_nodes: &equal_nodes, relaxation };
    // Where nothing is counted static pools' launches alone have to be paid.
    let nothing = (!input.static_nodes.is_empty()).then(|| maker.start());
    let builders = [maker.by_prices(), maker.by_dearest(), nothing];
    let step = common_step(compiled, input.fee);
    let bounds = builders
        .into_iter()
        .flatten()
        .filter_map(|builder| builder.checkable(compiled))
        .filter_map(|builder| Some((builder.bound(compiled, step)?, builder)));
    // Of equal ones the first.
    let best = bounds.reduce(|best, other| if other.0 > best.0 { other } else { best });
    match best {
        Some((bound, builder)) if bound > 0 => {
            Proved { bound, certificate: Some(builder.certificate(compiled, entries)) }
        }
        _ => Proved::default(),
    }
}

/// A lower bound on what a cluster of which nodes may go costs beside those that stay; nothing
/// where that is nothing. `entries` as for [`prove`].
pub(crate) fn prove_cluster(
    compiled: &Compiled,
    cluster: &BoundedCluster,
    entries: &mut dyn FnMut(ClassId) -> Vec<Arc<str>>,
) -> Option<ClusterBound> {
    let demands = cluster.demands();
    let equal_nodes = EqualNodes::of(compiled);
    let catalog = Arc::new(BinCatalog::new(compiled, 0));
    let relaxation = Relaxation::new(compiled, &demands, &[], catalog, &mut SlotTable::new());
    let (counts, static_nodes) = (BTreeMap::new(), BTreeMap::new());
    let input = BoundInput { counts: &counts, static_nodes: &static_nodes, fee: 0 };
    let maker = BoundBuilder {
        compiled,
        input: &input,
        demands: &demands,
        equal_nodes: &equal_nodes,
        relaxation,
    };
    let (mut builder, pricing, values, in_groups) = maker.priced_at(&maker.relaxation.prices())?;
    let valued = |item: ItemId| {
        let at = demands.binary_search_by_key(&item, |demand| demand.item);
        at.map_or(0, |at| values[at])
    };
    for equal in &equal_nodes {
        let held = maker.held(&builder, &pricing, (&values, &in_groups), equal)?;
        for node in equal.nodes.iter().filter(|node| cluster.staying.contains(node)) {
            if let Some((proof, worth)) = &held {
                let proof = builder.proofs.number(proof.clone());
                builder.nodes.push((*node, proof, *worth));
            }
        }
        for node in &equal.nodes {
            let Some(candidate) = cluster.candidates.nodes.get(node) else { continue };
            let beside = EqualNodes {
                nodes: Vec::new(),
                room: NodeRoom { free: &candidate.free, ..equal.room },
                over_skew: equal.over_skew.clone(),
            };
            let held = match candidate.receives {
                true => maker.held(&builder, &pricing, (&values, &in_groups), &beside)?,
                false => None,
            };
            let arriving = held.as_ref().map_or(0, |(_, worth)| *worth);
            let worth = candidate.beyond(arriving, valued)?;
            match held {
                Some((proof, _)) => {
                    let proof = builder.proofs.number(proof);
                    builder.nodes.push((*node, proof, worth));
                }
                None => builder.held.push(worth),
            }
        }
    }
    builder.nodes.sort_unstable();
    cluster.bound(compiled, builder, 0, entries)
}

/// Running nodes that are alike.
pub(crate) struct EqualNodes<'c> {
    pub(crate) nodes: Vec<NodeId>,
    /// What each has beside its pods: daemons' host ports aside; of volumes, which have no price in
    /// a certificate, it says how many pods fit.
    pub(crate) room: NodeRoom<'c>,
    /// Classes that might be legal there although bound pods exceed what their spread allows.
    over_skew: Vec<ClassId>,
}

impl<'c> EqualNodes<'c> {
    /// The running nodes of a problem whose items are its classes.
    pub(crate) fn of(compiled: &'c Compiled) -> Vec<Self> {
        let mut over_skew: BTreeMap<NodeId, Vec<ClassId>> = BTreeMap::new();
        for (node, class) in &compiled.over_skew {
            over_skew.entry(*node).or_default().push(*class);
        }
        let mut alike: BTreeMap<_, (NodeRoom<'_>, Vec<NodeId>)> = BTreeMap::new();
        for (id, node) in compiled.nodes.iter() {
            let room = NodeRoom { used: &node.bound_use, ..compiled.room_of_node(id) };
            let key = (room.likeness(), over_skew.remove(&id).unwrap_or_default());
            alike.entry(key).or_insert_with(|| (room, Vec::new())).1.push(id);
        }
        let equal_nodes = alike.into_iter();
        let equal_nodes =
            equal_nodes.map(|((_, over_skew), (room, nodes))| Self { nodes, room, over_skew });
        equal_nodes.collect()
    }

    /// How many pods of an item one of the nodes can take, whatever else is planned.
    pub(crate) fn takes(&self, compiled: &Compiled, id: ItemId) -> u32 {
        let item = &compiled.items[id];
        let over_skew = || self.over_skew.binary_search(&ClassId::from_index(id.index())).is_ok();
        let admitted = self.room.admits(item.eligibility) || over_skew();
        if admitted { self.room.could_take_there(item) } else { 0 }
    }
}

/// Makes drafts.
pub(super) struct BoundBuilder<'m> {
    pub(super) compiled: &'m Compiled,
    pub(super) input: &'m BoundInput<'m>,
    pub(super) demands: &'m [Demand],
    pub(super) equal_nodes: &'m [EqualNodes<'m>],
    pub(super) relaxation: Relaxation,
}

/// The inequalities about resources and groups that have a price; with these a proof prices a node.
pub(super) struct ProofPrices {
    used: Vec<PricedInequality>,
    /// How many groups there are.
    groups: usize,
    /// For each demand, which of them count it, as bits.
    counting: Vec<u64>,
}

struct PricedInequality {
    /// The place of the inequality.
    at: usize,
    price: i128,
    of: PricedBy,
}

/// The groups that a demand is in, by their places, and what one of its pods counts for in each.
pub(super) type InGroups = Vec<(usize, u32)>;

/// A draft, what prices nodes, and of each demand what it is worth and the groups that it is in.
pub(super) type Priced = (CertificateBuilder, ProofPrices, Vec<i128>, Vec<InGroups>);

/// What an inequality is about: a resource or a group, by its place in the certificate.
enum PricedBy {
    Resource(usize),
    Group(usize),
}

impl BoundBuilder<'_> {
    /// A draft that counts nothing.
    fn start(&self) -> CertificateBuilder {
        let fixed = self.input.static_nodes.iter().map(|(pool, launches)| (*pool, *launches, 0));
        CertificateBuilder {
            fee: self.input.fee,
            static_nodes: fixed.collect(),
            ..CertificateBuilder::default()
        }
    }

    pub(super) fn pods(demand: &Demand, value: i128) -> CertifiedPods {
        CertifiedPods {
            classes: vec![ClassId::from_index(demand.item.index())],
            weight: demand.weight,
            honours: Vec::new(),
            untainted: false,
            beyond_running: false,
            per_node: None,
            count: demand.count,
            value,
        }
    }

    /// What the prices of inequalities prove.
    fn by_prices(&self) -> Option<CertificateBuilder> {
        let prices = self.relaxation.prices();
        let (mut builder, pricing, values, in_groups) = self.priced_at(&prices)?;
        self.prove_nodes(&mut builder, &pricing, &values, &in_groups)?;
        self.value_static_nodes(&mut builder, &prices);
        Some(builder)
    }

    /// Says what launches of static pools can hold at the prices of inequalities.
    pub(super) fn value_static_nodes(&self, builder: &mut CertificateBuilder, prices: &[i128]) {
        let relaxation = &self.relaxation;
        for (pool, _, worth) in &mut builder.static_nodes {
            let bin_types = self.compiled.bin_types.iter().enumerate();
            let own = bin_types.filter(|(_, one)| one.pool == *pool);
            let held = own.map(|(bin_type, _)| {
                let asked = relaxation.inequalities.iter().zip(prices);
                let asked = asked
                    .filter(|(one, _)| !matches!(one.kind, InequalityKind::Reservation { .. }));
                given(&relaxation.columns, asked, bin_type)
            });
            *worth = held.max().unwrap_or(0).max(0);
        }
    }

    /// A draft with the pods at these prices of inequalities, and proofs for launches; what prices
    /// nodes, and of each demand what it is worth and the groups that it is in.
    ///
    /// A bit for each inequality that is about a resource or a group says which of them count a
    /// demand; bin types and nodes with the same bits share a proof.
    pub(super) fn priced_at(&self, prices: &[i128]) -> Option<Priced> {
        let (compiled, relaxation) = (self.compiled, &self.relaxation);
        let mut builder = self.start();
        let mut values = vec![0_i128; self.demands.len()];
        let mut in_groups: Vec<InGroups> = vec![Vec::new(); self.demands.len()];
        let counting = vec![0; self.demands.len()];
        let mut pricing = ProofPrices { used: Vec::new(), groups: 0, counting };
        for (at, inequality) in relaxation.inequalities.iter().enumerate() {
            let price = prices[at];
            if price <= 0 {
                continue;
            }
            let of = match inequality.kind {
                InequalityKind::Reservation { id } => {
                    builder.reservations.push((id, price));
                    continue;
                }
                InequalityKind::Slots { .. } => None,
                InequalityKind::Room { dim, .. } => Some(PricedBy::Resource(dim)),
                InequalityKind::Cardinality { place } => {
                    let most = compiled.cardinality_constraints[place].most;
                    builder.groups.push(ConflictGroup { pods: Vec::new(), most });
                    Some(PricedBy::Group(builder.groups.len() - 1))
                }
            };
            let bit = if of.is_some() { 1_u64.checked_shl(pricing.used.len() as u32)? } else { 0 };
            for (demand, each) in relaxation.counted(compiled, self.demands, inequality) {
                values[demand] = values[demand].checked_add(price.checked_mul(each.into())?)?;
                pricing.counting[demand] |= bit;
                if let Some(PricedBy::Group(group)) = of {
                    in_groups[demand].push((group, u32::try_from(each).ok()?));
                }
            }
            if let Some(of) = of {
                pricing.used.push(PricedInequality { at, price, of });
            }
        }
        pricing.groups = builder.groups.len();
        for (at, demand) in self.demands.iter().enumerate().filter(|(at, _)| values[*at] > 0) {
            let place = u32::try_from(builder.pods.len()).ok()?;
            builder.pods.push(Self::pods(demand, values[at]));
            for (group, each) in &in_groups[at] {
                builder.groups[*group].pods.push((place, *each));
            }
        }
        self.prove_bin_types(&mut builder, &pricing);
        Some((builder, pricing, values, in_groups))
    }

    /// Gives each bin type's offers, and those that it dominates, the prices of what counts the bin
    /// type.
    fn prove_bin_types(&self, builder: &mut CertificateBuilder, pricing: &ProofPrices) {
        let (columns, mut known) = (&self.relaxation.columns, BTreeMap::new());
        for (at, bin_type) in self.compiled.bin_types.iter().enumerate() {
            let mut which = 0_u64;
            for (bit, used) in pricing.used.iter().enumerate() {
                let inequality = &self.relaxation.inequalities[used.at];
                which |= u64::from(columns.amount(inequality, at) != 0) << bit;
            }
            let proof = *known.entry(which).or_insert_with(|| {
                let (resources, groups) = pricing.prices(self.compiled, which);
                builder.proofs.number(NodePrices { resources, groups }.proof())
            });
            let offers = bin_type.offers.iter().chain(&bin_type.dominated);
            builder.offers.extend(offers.map(|offer| (*offer, proof)));
        }
    }

    /// Gives each running node the prices of what counts any of the pods that it can take.
    pub(super) fn prove_nodes(
        &self,
        builder: &mut CertificateBuilder,
        pricing: &ProofPrices,
        values: &[i128],
        in_groups: &[InGroups],
    ) -> Option<()> {
        for alike in self.equal_nodes {
            if let Some((proof, worth)) = self.held(builder, pricing, (values, in_groups), alike)? {
                let proof = builder.proofs.number(proof);
                builder.nodes.extend(alike.nodes.iter().map(|node| (*node, proof, worth)));
            }
        }
        builder.nodes.sort_unstable();
        Some(())
    }

    /// What the pods that one of these nodes can take are worth at most, with the proof; nothing
    /// where it can take none.
    ///
    /// A running node's proof has the prices of whatever counts any pod that it can take; its worth
    /// is what that comes to, and is subtracted from the bound.
    fn held(
        &self,
        builder: &CertificateBuilder,
        pricing: &ProofPrices,
        (values, in_groups): (&[i128], &[InGroups]),
        alike: &EqualNodes<'_>,
    ) -> Option<Option<(WorthProof, i128)>> {
        let mut present: Vec<(usize, u32)> = Vec::new();
        let mut which = 0;
        for (at, demand) in self.demands.iter().enumerate().filter(|(at, _)| values[*at] > 0) {
            let most = alike.takes(self.compiled, demand.item).min(demand.count);
            if most > 0 {
                present.push((at, most));
                which |= pricing.counting[at];
            }
        }
        if present.is_empty() {
            return Some(None);
        }
        let (resources, groups) = pricing.prices(self.compiled, which);
        let prices = NodePrices { resources, groups };
        let present = present.into_iter().map(|(at, most)| PricedPods {
            value: values[at],
            request: &self.compiled.items[self.demands[at].item].request,
            in_groups: &in_groups[at],
            most,
        });
        let worth = prices.worth(alike.room.free, &builder.groups, present)?;
        Some(Some((prices.proof(), worth)))
    }

    /// What the dearest pod's cheapest node proves, of pods for which running nodes have no room.
    fn by_dearest(&self) -> Option<CertificateBuilder> {
        let (asked, costs) = (&self.relaxation.asked, &self.relaxation.columns.catalog.costs);
        let cheapest = |at: usize| asked.bin_types(at).iter().map(|bin_type| costs[bin_type]).min();
        let launching = (0..self.demands.len()).filter(|at| self.demands[*at].beyond_running > 0);
        let priced = launching.filter_map(|at| Some((cheapest(at)?, at)));
        // Of equally dear ones the first.
        let (cost, at) = priced.reduce(|best, one| if one.0 > best.0 { one } else { best })?;
        let mut builder = self.start();
        let value = i128::from(cost).checked_mul(1 << POINT)?;
        let pods = Self::pods(&self.demands[at], value);
        builder.pods.push(CertifiedPods { count: 1, beyond_running: true, ..pods });
        let proof = builder.proofs.number(NodePrices::default().proof());
        for bin_type in
            asked.bin_types(at).iter().map(|bin_type| &self.compiled.bin_types[bin_type])
        {
            let offers = bin_type.offers.iter().chain(&bin_type.dominated);
            builder.offers.extend(offers.map(|offer| (*offer, proof)));
        }
        builder.static_nodes.iter_mut().for_each(|(.., worth)| *worth = value);
        Some(builder)
    }
}

impl ProofPrices {
    /// The prices of resources and groups that these inequalities have.
    fn prices(&self, compiled: &Compiled, which: u64) -> (Vec<i128>, Vec<i128>) {
        let mut resources = vec![0_i128; compiled.dims.len()];
        let mut groups = vec![0_i128; self.groups];
        let used = self.used.iter().enumerate().filter(|(bit, _)| which >> bit & 1 == 1);
        for (_, used) in used {
            let slot = match used.of {
                PricedBy::Resource(dim) => &mut resources[dim],
                PricedBy::Group(group) => &mut groups[group],
            };
            *slot = slot.saturating_add(used.price);
        }
        (resources, groups)
    }
}
