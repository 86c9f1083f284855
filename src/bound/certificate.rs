//! From a bound's numbers to a certificate: names for numbers, a proof for each offering.
//!
//! Whoever proves a bound fills in a [`CertificateBuilder`] in terms of the dense problem: what
//! pods of which classes are worth, and for each offer and each running node that can have some of
//! them the proof that it isn't worth more. What follows from that is worked out here: the bound,
//! as a checker will find it, and the certificate, in which an offering whose labels are open, and
//! which is thus several offers, has one proof that tells these apart.

use crate::compile::{ClassId, Compiled, Id, NodeId, OfferId, PoolId, ReservationId};
use crate::model::{Operator, Price, Requirement};
use crate::plan::certificate::{
    Certificate, ConflictGroup, LimitPrice, NodeProof, OfferingProof, POINT, PodValue,
    ReservationPrice, WorthProof,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a certificate says, in the terms of a dense problem.
#[derive(Debug, Default)]
pub(crate) struct CertificateBuilder {
    /// The fee per node and hour, in billionths.
    pub(crate) fee: i64,
    /// The pods that are counted. What they count for in groups goes by their places here.
    pub(crate) pods: Vec<CertifiedPods>,
    /// Items of which few share a node, with what each such group is worth.
    pub(crate) groups: Vec<ConflictGroup>,
    /// A pool, the place of one of its limits, and the price of a unit.
    pub(crate) limits: Vec<(PoolId, usize, i128)>,
    pub(crate) reservations: Vec<(ReservationId, i128)>,
    /// For each offer that can have some of the pods, its proof.
    pub(crate) offers: Vec<(OfferId, u32)>,
    /// For each running node that can have some of the pods its proof, and what it is worth by
    /// that.
    pub(crate) nodes: Vec<(NodeId, u32, i128)>,
    /// Of running nodes to which nothing can come, what is to be taken off for their own pods.
    pub(crate) held: Vec<i128>,
    /// Launches of static pools: how many, and what each is worth at most by its proofs.
    pub(crate) static_nodes: Vec<(PoolId, u32, i128)>,
    /// Why no node holds more worth than it costs.
    pub(crate) proofs: Proofs,
}

/// Pods of a class, or of several that are alike, that a draft counts.
#[derive(Clone, Debug)]
pub(crate) struct CertifiedPods {
    /// Ascending.
    pub(crate) classes: Vec<ClassId>,
    /// As in [`PodValue`], like the others.
    pub(crate) weight: Option<i32>,
    /// Which terms of preferred node affinity its pods honour.
    pub(crate) honours: Vec<u32>,
    /// Whether its pods avoid taints that they would rather.
    pub(crate) untainted: bool,
    /// Whether these are pods that running nodes can't hold.
    pub(crate) beyond_running: bool,
    /// How many share a node at most, where a rule says so.
    pub(crate) per_node: Option<u32>,
    /// How many pods.
    pub(crate) count: u32,
    /// What each is worth, in 2^-40 billionths per hour.
    pub(crate) value: i128,
}

impl CertifiedPods {
    /// As a certificate has them, with the names of their entries.
    pub(crate) fn published(&self, entries: Vec<Arc<str>>) -> PodValue {
        PodValue {
            entries,
            weight: self.weight,
            honours: self.honours.clone(),
            untainted: self.untainted,
            beyond_running: self.beyond_running,
            per_node: self.per_node,
            count: self.count,
            value: self.value,
        }
    }
}

/// Proofs, each once.
#[derive(Debug, Default)]
pub(crate) struct Proofs {
    /// Each proof once, by number.
    list: Vec<WorthProof>,
    /// The number of each.
    numbers: BTreeMap<WorthProof, u32>,
}

impl Proofs {
    /// The number of a proof, which refers to none that isn't there yet.
    pub(crate) fn number(&mut self, proof: WorthProof) -> u32 {
        if let Some(known) = self.numbers.get(&proof) {
            return *known;
        }
        let number = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(proof.clone());
        let _new = self.numbers.insert(proof, number);
        number
    }

    /// Each proof once, by number.
    pub(super) fn list(&self) -> &[WorthProof] {
        &self.list
    }

    /// Has proofs speak of pods by other places.
    pub(super) fn renumber_pods(&mut self, place: impl Fn(&mut u32)) {
        for proof in &mut self.list {
            if let WorthProof::Split { pod, .. } = proof {
                place(pod);
            }
        }
        self.numbers = self.list.iter().cloned().zip(0..).collect();
    }
}

impl CertificateBuilder {
    /// The bound in billionths per hour, fees included; `None` where numbers are too large. `step`
    /// is the [`common_step`].
    pub(crate) fn bound(&self, compiled: &Compiled, step: i64) -> Option<i128> {
        let mut sum = 0_i128;
        for pods in &self.pods {
            sum = sum.checked_add(pods.value.checked_mul(pods.count.into())?)?;
        }
        for (pool, at, price) in &self.limits {
            let limit = compiled.pools[*pool].limits.get(*at)?;
            let left = limit.limit.checked_sub(limit.used)?.max(0);
            sum = sum.checked_sub(price.checked_mul(left)?)?;
        }
        for (id, price) in &self.reservations {
            let remaining = compiled.reservations[*id].remaining;
            sum = sum.checked_sub(price.checked_mul(remaining.into())?)?;
        }
        for (_, _, worth) in &self.nodes {
            sum = sum.checked_sub(*worth)?;
        }
        for (_, launches, worth) in &self.static_nodes {
            sum = sum.checked_sub(worth.checked_mul(i128::from(*launches))?)?;
        }
        let rest = i128::from(sum & ((1 << POINT) - 1) != 0);
        let mut bound = (sum >> POINT).checked_add(rest)?.max(0);
        for (pool, launches, _) in &self.static_nodes {
            let cost = cheapest(compiled, *pool).unwrap_or(0).checked_add(self.fee)?;
            bound = bound.checked_add(i128::from(cost).checked_mul((*launches).into())?)?;
        }
        // What all launches' costs are multiples of, any plan's cost is a multiple of.
        let step = i128::from(step);
        match bound.checked_rem(step) {
            None | Some(0) => Some(bound),
            Some(above) => bound.checked_add(step - above),
        }
    }

    /// The certificate. `entries` names those of a class ("namespace/name") of which the plan
    /// places any pod; it is asked once for each class.
    pub(crate) fn certificate(
        mut self,
        compiled: &Compiled,
        entries: &mut dyn FnMut(ClassId) -> Vec<Arc<str>>,
    ) -> Certificate {
        let parts = &compiled.parts;
        let mut uses: BTreeMap<ClassId, (usize, Vec<Arc<str>>)> = BTreeMap::new();
        for pods in &self.pods {
            for class in &pods.classes {
                uses.entry(*class).or_insert_with(|| (0, entries(*class))).0 += 1;
            }
        }
        // A class may have a million entries: who uses them last gets the list itself.
        let mut names = |class: &ClassId| match uses.get_mut(class) {
            Some((1, names)) => std::mem::take(names),
            Some((uses, names)) => {
                *uses -= 1;
                names.clone()
            }
            None => Vec::new(),
        };
        let pods = self.pods.iter().map(|pods| match &pods.classes[..] {
            [class] => pods.published(names(class)),
            classes => pods.published(classes.iter().flat_map(&mut names).collect()),
        });
        let pods = pods.collect();
        let limits = self.limits.iter().filter_map(|(pool, at, price)| {
            let pool = &compiled.pools[*pool];
            Some(LimitPrice {
                node_pool: parts.node_pool(pool.index).name.clone(),
                resource: pool.limits.get(*at)?.name.clone(),
                price: *price,
            })
        });
        let limits = limits.collect();
        let reservations = self.reservations.iter().map(|(id, price)| ReservationPrice {
            id: compiled.reservations[*id].id.clone(),
            price: *price,
        });
        let reservations = reservations.collect();
        let nodes = self.nodes.iter().map(|(node, proof, _)| NodeProof {
            node: parts.node(compiled.nodes[*node].index).name.clone(),
            proof: *proof,
        });
        let nodes = nodes.collect();
        let offerings = self.offerings(compiled);
        Certificate {
            node_fee: Price::from_nanos(self.fee.into()),
            resources: compiled.dims.names().to_vec(),
            drivers: compiled.dims.drivers().to_vec(),
            pods,
            groups: self.groups,
            limits,
            reservations,
            offerings,
            nodes,
            proofs: self.proofs.list,
            move_price: 0,
            exhausted: None,
        }
    }

    /// The proofs of offerings: one for each, whatever its labels become.
    fn offerings(&mut self, compiled: &Compiled) -> Vec<OfferingProof> {
        const NONE: u32 = u32::MAX;
        let parts = &compiled.parts;
        let asked = AskedValues::of(compiled);
        let mut of_offer = vec![NONE; compiled.offers.len()];
        self.offers.iter().for_each(|(offer, proof)| of_offer[offer.index()] = *proof);
        let mut found: Vec<OfferingProof> = Vec::new();
        // Offers of a pool, a type and an offering are neighbours; so are those of a pool and a
        // type.
        let mut former = None;
        let mut of_type = 0;
        let mut first = 0;
        while first < of_offer.len() {
            let offer = &compiled.offers[OfferId::from_index(first)];
            let same = |other: &usize| {
                let other = &compiled.offers[OfferId::from_index(*other)];
                (other.pool, other.instance, other.offering)
                    == (offer.pool, offer.instance, offer.offering)
            };
            let end = (first..of_offer.len()).find(|other| !same(other)).unwrap_or(of_offer.len());
            let variants = &of_offer[first..end];
            let proof = match variants {
                [proof] => *proof,
                _ if variants.iter().all(|proof| *proof == NONE) => NONE,
                _ => {
                    // What nothing can be on is worth nothing.
                    let nothing = self.nothing();
                    let proof = |proof: u32| if proof == NONE { nothing } else { proof };
                    let sites = (first..end).zip(variants.iter().map(|one| proof(*one)));
                    let sites: Vec<(usize, u32)> = sites.collect();
                    self.told_apart(compiled, &asked, &sites)
                }
            };
            first = end;
            if former.replace((offer.pool, offer.instance)) != Some((offer.pool, offer.instance)) {
                of_type = found.len();
            }
            if proof == NONE {
                continue;
            }
            let number = u32::try_from(offer.offering).unwrap_or(u32::MAX);
            match found[of_type..].iter_mut().find(|one| one.proof == proof) {
                Some(one) => one.offerings.push(number),
                None => found.push(OfferingProof {
                    node_pool: parts.node_pool(compiled.pools[offer.pool].index).name.clone(),
                    instance_type: parts.instance_type(offer.instance).name.clone(),
                    offerings: vec![number],
                    proof,
                }),
            }
        }
        found
    }

    fn nothing(&mut self) -> u32 {
        self.proofs.number(WorthProof::Priced { resources: Vec::new(), groups: Vec::new() })
    }

    /// The proof for offers that differ in labels that a launch leaves open: the labels are asked
    /// for as far as anything depends on them.
    fn told_apart(
        &mut self,
        compiled: &Compiled,
        asked: &AskedValues<'_>,
        variants: &[(usize, u32)],
    ) -> u32 {
        let Some((first, proof)) = variants.first().copied() else { return self.nothing() };
        let shape = |site: usize| compiled.offers[OfferId::from_index(site)].shape;
        let alike = |(site, other): &(usize, u32)| {
            *other == proof
                && shape(*site) == shape(first)
                && compiled.admits[*site] == compiled.admits[first]
        };
        if variants.iter().all(alike) {
            return proof;
        }
        if let Some((key, mut by_value)) = asked.by_value(compiled, variants) {
            let others = by_value.remove(&None).unwrap_or_default();
            let otherwise = self.told_apart(compiled, asked, &others);
            let (mut values, mut proofs) = (Vec::new(), Vec::new());
            for (value, variants) in by_value {
                values.extend(value);
                proofs.push(self.told_apart(compiled, asked, &variants));
            }
            return self.proofs.number(WorthProof::Values { key, values, proofs, otherwise });
        }
        let Some((requirements, inside)) = question(compiled, variants) else { return proof };
        let (meeting, failing): (Vec<_>, Vec<_>) =
            variants.iter().partition(|(site, _)| inside.contains(site));
        let fails = self.told_apart(compiled, asked, &failing);
        let mut meets = self.told_apart(compiled, asked, &meeting);
        for requirement in requirements.into_iter().rev() {
            meets = self.proofs.number(WorthProof::Label { requirement, meets, fails });
        }
        meets
    }
}

/// For each label key the values that some rule asks for alone: of pods that ask for different ones
/// no two share a node.
struct AskedValues<'c> {
    values: BTreeMap<&'c Arc<str>, BTreeSet<&'c Arc<str>>>,
}

/// Sites and their proofs by the value that they have; nothing stands for all others.
type Variants = BTreeMap<Option<Arc<str>>, Vec<(usize, u32)>>;

impl<'c> AskedValues<'c> {
    fn of(compiled: &'c Compiled) -> Self {
        let mut values: BTreeMap<&Arc<str>, BTreeSet<&Arc<str>>> = BTreeMap::new();
        for (key, states) in compiled.site_conditions.rules.conditions() {
            if let Some(value) = states.single() {
                let _new = values.entry(key).or_default().insert(value);
            }
        }
        values.retain(|_, values| values.len() > 1);
        Self { values }
    }

    /// The first label by whose values these sites differ, as far as rules ask for single ones.
    fn by_value(
        &self,
        compiled: &Compiled,
        variants: &[(usize, u32)],
    ) -> Option<(Arc<str>, Variants)> {
        let table = &compiled.site_conditions.table;
        self.values.iter().find_map(|(key, asked)| {
            let states = table.states(key);
            let mut by_value = Variants::new();
            for (site, proof) in variants {
                let value = table.value(key, states.get(*site).copied()?);
                let value = value.filter(|value| asked.contains(value)).cloned();
                by_value.entry(value).or_default().push((*site, *proof));
            }
            // Two or three are told apart by what they meet.
            (by_value.len() > 3).then(|| ((*key).clone(), by_value))
        })
    }
}

/// Requirements on a label which some of these sites meet together and others don't, and those that
/// do.
fn question(
    compiled: &Compiled,
    variants: &[(usize, u32)],
) -> Option<(Vec<Requirement>, Vec<usize>)> {
    let sites = || variants.iter().map(|(site, _)| *site);
    let conditions =
        compiled.site_conditions.rules.conditions().iter().zip(&compiled.site_conditions.holds);
    for ((key, states), holds) in conditions {
        let inside: Vec<usize> = sites().filter(|site| holds.contains(*site)).collect();
        if !inside.is_empty() && inside.len() < variants.len() {
            return Some((states.to_requirements(key), inside));
        }
    }
    // No rule about nodes tells them apart: a domain of a rule between pods does.
    let table = &compiled.site_conditions.table;
    table.keys().find_map(|key| {
        let states = table.states(key);
        let state = states.get(sites().next()?)?;
        let inside: Vec<usize> = sites().filter(|site| states.get(*site) == Some(state)).collect();
        let requirement = match table.value(key, *state) {
            Some(value) => Requirement::new(key.clone(), Operator::In, [value.clone()]),
            None => Requirement::new(key.clone(), Operator::DoesNotExist, [""; 0]),
        };
        (inside.len() < variants.len()).then(|| (vec![requirement], inside))
    })
}

/// Prices at which what a node gives is what it can be worth at most.
#[derive(Debug, Default)]
pub(crate) struct NodePrices {
    /// By resource.
    pub(crate) resources: Vec<i128>,
    /// By the groups of the certificate.
    pub(crate) groups: Vec<i128>,
}

/// Pods that a node could take.
pub(crate) struct PricedPods<'p> {
    /// What one is worth.
    pub(crate) value: i128,
    pub(crate) request: &'p [i64],
    /// The groups that one is in, by their places, and what it counts for in each.
    pub(crate) in_groups: &'p [(usize, u32)],
    /// How many of them the node could take.
    pub(crate) most: u32,
}

impl NodePrices {
    /// What a node with so much free can be worth at most: what it gives at these prices, and what
    /// its pods are worth beyond what they pay for.
    pub(crate) fn worth<'p>(
        &self,
        free: &[i64],
        groups: &[ConflictGroup],
        pods: impl Iterator<Item = PricedPods<'p>>,
    ) -> Option<i128> {
        let mut worth = 0_i128;
        for (price, free) in self.resources.iter().zip(free) {
            worth = worth.checked_add(price.checked_mul(i128::from((*free).max(0)))?)?;
        }
        for (price, group) in self.groups.iter().zip(groups) {
            worth = worth.checked_add(price.checked_mul(group.most.into())?)?;
        }
        for pods in pods {
            let mut beyond = pods.value;
            for (price, each) in self.resources.iter().zip(pods.request) {
                beyond = beyond.checked_sub(price.checked_mul(i128::from(*each))?)?;
            }
            for (group, each) in pods.in_groups {
                beyond = beyond.checked_sub(self.groups[*group].checked_mul(i128::from(*each))?)?;
            }
            worth = worth.checked_add(beyond.max(0).checked_mul(pods.most.into())?)?;
        }
        Some(worth)
    }

    /// The proof by these prices, zeros at the end left out.
    pub(crate) fn proof(self) -> WorthProof {
        let Self { mut resources, mut groups } = self;
        for prices in [&mut resources, &mut groups] {
            while prices.last() == Some(&0) {
                let _zero = prices.pop();
            }
        }
        WorthProof::Priced { resources, groups }
    }
}

/// What a pool's cheapest offer costs, without fees.
fn cheapest(compiled: &Compiled, pool: PoolId) -> Option<i64> {
    let own = compiled.offers.values().filter(|offer| offer.pool == pool && offer.available);
    own.map(|offer| offer.price).min()
}

/// What the costs of all nodes that could be launched are multiples of, in billionths; 0 where they
/// are nothing.
pub(crate) fn common_step(compiled: &Compiled, fee: i64) -> i64 {
    let parts = &compiled.parts;
    let every = parts.node_pools().any(|pool| pool.instance_types.is_none());
    let mut step = 0_i64;
    for instance_type in parts.instance_types() {
        let mut lists = parts.node_pools().filter_map(|pool| pool.instance_types.as_ref());
        if !every && !lists.any(|names| names.contains(&instance_type.name)) {
            continue;
        }
        for offering in instance_type.offerings.iter().filter(|offering| offering.available) {
            let price = i64::try_from(offering.price.nanos()).unwrap_or(1);
            step = divisor(step, price.saturating_add(fee));
        }
    }
    step
}

/// The greatest common divisor of two numbers that aren't negative; of zero and another, the other.
pub(crate) fn divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { divisor(b, a.checked_rem(b).unwrap_or(0)) }
}
