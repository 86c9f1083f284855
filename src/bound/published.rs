//! The bound that a plan states, with its proof: the resource-price bound as a certificate.
//!
//! Each inequality of the relaxation (see `bound::relaxation`) has a price. A pod is worth what it asks
//! for at the prices of the inequalities that count it; what a node gives at these prices is what it can
//! be worth, which is what the prices were made to keep below its cost. So the certificate has one leaf for
//! each set of inequalities that count a column.
//!
//! Where few pods make a node necessary the dearest pod's cheapest node alone proves more.

use super::certificate::{Draft, Pods, common_step};
use super::goods::{Goods, Known};
use super::inequality::Kind;
use super::relaxation::{Demand, Relaxation, given};
use crate::compile::{Bits, ClassId, Compiled, Id, KindId, NodeId, PoolId, VolumeKey};
use crate::plan::certificate::{Certificate, Group, POINT, WorthProof};
use std::collections::{BTreeMap, BTreeSet};
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
pub(crate) struct Claim<'a> {
    /// Pods by kind, and by the weight of the pools that launch their nodes (`None`: bound to running
    /// nodes).
    pub(crate) counts: &'a BTreeMap<(KindId, Option<i32>), u32>,
    /// How many nodes static pools launch.
    pub(crate) fixed: &'a BTreeMap<PoolId, u32>,
    /// The fee per node and hour, in billionths.
    pub(crate) fee: i64,
}

/// A lower bound on the cost of all plans that place the same pods, on pools of the same weights.
///
/// The problem's classes are its kinds as they are; `entries` names those of a kind, and is asked once for
/// each.
pub(crate) fn prove(
    compiled: &Compiled,
    claim: &Claim<'_>,
    entries: &mut dyn FnMut(KindId) -> Vec<Arc<str>>,
) -> Proved {
    let standing = Standing::of(compiled);
    let demand = |((kind, weight), count): (&(KindId, Option<i32>), &u32)| {
        let class = ClassId::from_index(kind.index());
        let free = standing.iter().fold(0_u64, |sum, alike| {
            let nodes = u64::try_from(alike.nodes.len()).unwrap_or(u64::MAX);
            sum.saturating_add(nodes.saturating_mul(alike.takes(compiled, class).into()))
        });
        let beyond_running = count.saturating_sub(u32::try_from(free).unwrap_or(u32::MAX));
        Demand { class, weight: *weight, count: *count, beyond_running }
    };
    let demands: Vec<Demand> = claim.counts.iter().map(demand).collect();
    let running: Vec<NodeId> = compiled.nodes.ids().collect();
    let goods = Arc::new(Goods::new(compiled, claim.fee));
    let relaxation = Relaxation::new(compiled, &demands, &running, goods, &mut Known::new());
    let maker = Maker { compiled, claim, demands: &demands, standing: &standing, relaxation };
    // Where nothing is counted static pools' launches alone have to be paid.
    let nothing = (!claim.fixed.is_empty()).then(|| maker.start());
    let drafts = [maker.by_prices(), maker.by_dearest(), nothing];
    let step = common_step(compiled, claim.fee);
    let bounds = drafts
        .into_iter()
        .flatten()
        .filter_map(|draft| Some((draft.bound(compiled, step)?, draft)));
    // Of equal ones the first.
    let best = bounds.reduce(|best, other| if other.0 > best.0 { other } else { best });
    match best {
        Some((bound, draft)) if bound > 0 => {
            Proved { bound, certificate: Some(draft.certificate(compiled, entries)) }
        }
        _ => Proved::default(),
    }
}

/// Running nodes that are alike.
pub(crate) struct Standing<'c> {
    pub(crate) nodes: Vec<NodeId>,
    /// By resource, what is free on each; of volumes, which have no price in a certificate, it says how
    /// many pods fit.
    pub(crate) free: &'c [i64],
    /// The host ports of its pods.
    ports: &'c Bits,
    /// The volumes that several pods mount and that are attached.
    attached: &'c BTreeSet<VolumeKey>,
    admits: &'c Bits,
    /// Kinds that might be legal there although bound pods exceed what their spread allows.
    crowded: Vec<KindId>,
}

impl<'c> Standing<'c> {
    /// The running nodes of a problem whose classes are its kinds.
    pub(crate) fn of(compiled: &'c Compiled) -> Vec<Self> {
        let mut crowded: BTreeMap<NodeId, Vec<KindId>> = BTreeMap::new();
        for (node, kind) in &compiled.crowded {
            crowded.entry(*node).or_default().push(*kind);
        }
        let mut alike: BTreeMap<_, Vec<NodeId>> = BTreeMap::new();
        for (id, node) in compiled.nodes.iter() {
            let free = &node.free[..];
            let admits = &compiled.admits[compiled.site_of_node(id)];
            let taken = (&node.bound_ports, &node.attached);
            let key = (free, taken, admits, crowded.remove(&id).unwrap_or_default());
            alike.entry(key).or_default().push(id);
        }
        let standing =
            alike.into_iter().map(|((free, (ports, attached), admits, crowded), nodes)| Self {
                nodes,
                free,
                ports,
                attached,
                admits,
                crowded,
            });
        standing.collect()
    }

    /// How many pods of a class one of the nodes can take, whatever else is planned.
    pub(crate) fn takes(&self, compiled: &Compiled, id: ClassId) -> u32 {
        let class = &compiled.classes[id];
        let crowded = || self.crowded.binary_search(&KindId::from_index(id.index())).is_ok();
        let admitted = self.admits.contains(class.row.index()) || crowded();
        if !admitted || class.ports.blocks.overlaps(self.ports) {
            return 0;
        }
        class.could_fit(self.free, self.attached, class.per_node)
    }
}

/// Makes drafts.
struct Maker<'m> {
    compiled: &'m Compiled,
    claim: &'m Claim<'m>,
    demands: &'m [Demand],
    standing: &'m [Standing<'m>],
    relaxation: Relaxation,
}

/// The inequalities about resources and groups that have a price; with these a proof prices a node.
struct Pricing {
    used: Vec<Used>,
    /// How many groups there are.
    groups: usize,
    /// For each demand, which of them count it, as bits.
    counting: Vec<u64>,
}

struct Used {
    /// The place of the inequality.
    at: usize,
    price: i128,
    of: Of,
}

/// What an inequality is about: a resource or a group, by its place in the certificate.
enum Of {
    Resource(usize),
    Group(usize),
}

impl Maker<'_> {
    /// A draft that counts nothing.
    fn start(&self) -> Draft {
        let fixed = self.claim.fixed.iter().map(|(pool, launches)| (*pool, *launches, 0));
        Draft { fee: self.claim.fee, fixed: fixed.collect(), ..Draft::default() }
    }

    fn pods(demand: &Demand, value: i128) -> Pods {
        Pods {
            kind: KindId::from_index(demand.class.index()),
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
    fn by_prices(&self) -> Option<Draft> {
        let (compiled, relaxation) = (self.compiled, &self.relaxation);
        let mut draft = self.start();
        let prices = relaxation.prices();
        let mut values = vec![0_i128; self.demands.len()];
        let mut in_groups: Vec<Vec<(usize, u32)>> = vec![Vec::new(); self.demands.len()];
        let counting = vec![0; self.demands.len()];
        let mut pricing = Pricing { used: Vec::new(), groups: 0, counting };
        for (at, inequality) in relaxation.inequalities.iter().enumerate() {
            let price = prices[at];
            if price <= 0 {
                continue;
            }
            let of = match inequality.kind {
                Kind::Reservation { id } => {
                    draft.reservations.push((id, price));
                    continue;
                }
                Kind::Slots { .. } => None,
                Kind::Room { dim, .. } => Some(Of::Resource(dim)),
                Kind::Quota { place } => {
                    let most = compiled.quotas[place].most;
                    draft.groups.push(Group { pods: Vec::new(), most });
                    Some(Of::Group(draft.groups.len() - 1))
                }
            };
            let bit = if of.is_some() { 1_u64.checked_shl(pricing.used.len() as u32)? } else { 0 };
            for (demand, each) in relaxation.counted(compiled, self.demands, inequality) {
                values[demand] = values[demand].checked_add(price.checked_mul(each.into())?)?;
                pricing.counting[demand] |= bit;
                if let Some(Of::Group(group)) = of {
                    in_groups[demand].push((group, u32::try_from(each).ok()?));
                }
            }
            if let Some(of) = of {
                pricing.used.push(Used { at, price, of });
            }
        }
        pricing.groups = draft.groups.len();
        for (at, demand) in self.demands.iter().enumerate().filter(|(at, _)| values[*at] > 0) {
            let place = u32::try_from(draft.pods.len()).ok()?;
            draft.pods.push(Self::pods(demand, values[at]));
            for (group, each) in &in_groups[at] {
                draft.groups[*group].pods.push((place, *each));
            }
        }
        self.prove_columns(&mut draft, &pricing);
        self.prove_nodes(&mut draft, &pricing, &values, &in_groups)?;
        for (pool, _, worth) in &mut draft.fixed {
            let own = compiled.columns.iter().enumerate().filter(|(_, one)| one.pool == *pool);
            let held = own.map(|(column, _)| {
                let asked = relaxation.inequalities.iter().zip(&prices);
                let asked = asked.filter(|(one, _)| !matches!(one.kind, Kind::Reservation { .. }));
                given(&relaxation.market, asked, column)
            });
            *worth = held.max().unwrap_or(0).max(0);
        }
        Some(draft)
    }

    /// Gives each column's offers, and those that it dominates, the prices of what counts the column.
    fn prove_columns(&self, draft: &mut Draft, pricing: &Pricing) {
        let (market, mut known) = (&self.relaxation.market, BTreeMap::new());
        for (at, column) in self.compiled.columns.iter().enumerate() {
            let mut which = 0_u64;
            for (bit, used) in pricing.used.iter().enumerate() {
                let inequality = &self.relaxation.inequalities[used.at];
                which |= u64::from(market.amount(inequality, at) != 0) << bit;
            }
            let proof = *known.entry(which).or_insert_with(|| {
                let (resources, groups) = pricing.prices(self.compiled, which);
                draft.proofs.number(trimmed(resources, groups))
            });
            let offers = column.offers.iter().chain(&column.dominated);
            draft.offers.extend(offers.map(|offer| (*offer, proof)));
        }
    }

    /// Gives each running node the prices of what counts any of the pods that it can take.
    fn prove_nodes(
        &self,
        draft: &mut Draft,
        pricing: &Pricing,
        values: &[i128],
        in_groups: &[Vec<(usize, u32)>],
    ) -> Option<()> {
        for alike in self.standing {
            let mut present: Vec<(usize, u32)> = Vec::new();
            let mut which = 0;
            for (at, demand) in self.demands.iter().enumerate().filter(|(at, _)| values[*at] > 0) {
                let most = alike.takes(self.compiled, demand.class).min(demand.count);
                if most > 0 {
                    present.push((at, most));
                    which |= pricing.counting[at];
                }
            }
            if present.is_empty() {
                continue;
            }
            let (resources, groups) = pricing.prices(self.compiled, which);
            let mut worth = 0_i128;
            for (price, free) in resources.iter().zip(alike.free) {
                worth = worth.checked_add(price.checked_mul(i128::from((*free).max(0)))?)?;
            }
            for (price, group) in groups.iter().zip(&draft.groups) {
                worth = worth.checked_add(price.checked_mul(group.most.into())?)?;
            }
            for (at, most) in present {
                let request = &self.compiled.classes[self.demands[at].class].request;
                let mut beyond = values[at];
                for (price, each) in resources.iter().zip(request) {
                    beyond = beyond.checked_sub(price.checked_mul(i128::from(*each))?)?;
                }
                for (group, each) in &in_groups[at] {
                    beyond = beyond.checked_sub(groups[*group].checked_mul(i128::from(*each))?)?;
                }
                worth = worth.checked_add(beyond.max(0).checked_mul(most.into())?)?;
            }
            let proof = draft.proofs.number(trimmed(resources, groups));
            draft.nodes.extend(alike.nodes.iter().map(|node| (*node, proof, worth)));
        }
        draft.nodes.sort_unstable();
        Some(())
    }

    /// What the dearest pod's cheapest node proves, of pods for which running nodes have no room.
    fn by_dearest(&self) -> Option<Draft> {
        let (asked, costs) = (&self.relaxation.asked, &self.relaxation.market.goods.costs);
        let cheapest = |at: usize| asked.columns(at).iter().map(|column| costs[column]).min();
        let launching = (0..self.demands.len()).filter(|at| self.demands[*at].beyond_running > 0);
        let priced = launching.filter_map(|at| Some((cheapest(at)?, at)));
        // Of equally dear ones the first.
        let (cost, at) = priced.reduce(|best, one| if one.0 > best.0 { one } else { best })?;
        let mut draft = self.start();
        let value = i128::from(cost).checked_mul(1 << POINT)?;
        let pods = Self::pods(&self.demands[at], value);
        draft.pods.push(Pods { count: 1, beyond_running: true, ..pods });
        let proof = draft.proofs.number(trimmed(Vec::new(), Vec::new()));
        for column in asked.columns(at).iter().map(|column| &self.compiled.columns[column]) {
            let offers = column.offers.iter().chain(&column.dominated);
            draft.offers.extend(offers.map(|offer| (*offer, proof)));
        }
        draft.fixed.iter_mut().for_each(|(.., worth)| *worth = value);
        Some(draft)
    }
}

impl Pricing {
    /// The prices of resources and groups that these inequalities have.
    fn prices(&self, compiled: &Compiled, which: u64) -> (Vec<i128>, Vec<i128>) {
        let mut resources = vec![0_i128; compiled.dims.len()];
        let mut groups = vec![0_i128; self.groups];
        let used = self.used.iter().enumerate().filter(|(bit, _)| which >> bit & 1 == 1);
        for (_, used) in used {
            let slot = match used.of {
                Of::Resource(dim) => &mut resources[dim],
                Of::Group(group) => &mut groups[group],
            };
            *slot = slot.saturating_add(used.price);
        }
        (resources, groups)
    }
}

/// A leaf with these prices, zeros at the end left out.
fn trimmed(mut resources: Vec<i128>, mut groups: Vec<i128>) -> WorthProof {
    for prices in [&mut resources, &mut groups] {
        while prices.last() == Some(&0) {
            let _zero = prices.pop();
        }
    }
    WorthProof::Priced { resources, groups }
}
