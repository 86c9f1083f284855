//! What stands in the way of a pod on the nodes of a pool: on a further launch, or on one of the
//! plan.

use super::super::order;
use super::super::rules::item_of;
use super::between::Barrier;
use super::{KeyDomain, LeftOut, MOST_LOOKS, ReasonFinder};
use crate::compile::{IdVec, KeyId, NodeUse, OfferId, PoolId, Shape, ShapeId, untolerated};
use crate::explain::Cause;
use crate::model::{Quantity, amount};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What an owner would rather change ranks higher.
mod rank {
    pub(super) const TAINT: u8 = 1;
    pub(super) const LABELS: u8 = 2;
    pub(super) const UNLABELLED: u8 = 3;
    pub(super) const UNAVAILABLE: u8 = 4;
    pub(super) const SIZE: u8 = 5;
    pub(super) const SLOTS: u8 = 6;
    pub(super) const PORT: u8 = 7;
    pub(super) const STATIC: u8 = 8;
    pub(super) const NEAR: u8 = 9;
    pub(super) const FAR: u8 = 10;
    pub(super) const OPENS: u8 = 11;
    pub(super) const SCARCE: u8 = 12;
    pub(super) const SPREAD: u8 = 13;
}

/// How many choices are asked whether they keep the values open that the pool asks for.
const MOST_CHOICES: usize = 4;
/// How many candidates at most turn out to open a domain that they may not.
const MOST_TURNS: usize = 8;

/// How far a candidate is: how many obstacles it has, the least of their ranks, by how much it
/// falls short.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct CandidateScore {
    count: u32,
    rank: u8,
    miss: i128,
}

impl CandidateScore {
    const NONE: Self = Self { count: 0, rank: u8::MAX, miss: 0 };

    fn and(self, count: u32, rank: u8) -> Self {
        if count == 0 {
            return self;
        }
        Self { count: self.count.saturating_add(count), rank: self.rank.min(rank), ..self }
    }

    fn join(self, other: Self) -> Self {
        let joined = self.and(other.count, other.rank);
        Self { miss: joined.miss.saturating_add(other.miss), ..joined }
    }

    fn key(self) -> (u32, Reverse<u8>, i128) {
        (self.count, Reverse(self.rank), self.miss)
    }
}

/// What is worked out once for a class.
struct ClassTables {
    shapes: IdVec<ShapeId, Option<CandidateScore>>,
    cells: Vec<Option<CandidateScore>>,
    ways: Vec<Vec<usize>>,
    /// Whether labels are looked at: no offer of the pool has all that the pod asks for.
    labels: bool,
    taints: u32,
    /// Cells in which a node would open a domain that others' spreads don't allow.
    closed: BTreeSet<usize>,
}

impl<'c> ReasonFinder<'c> {
    /// What stands in the way at the nearest candidate of a pool; nothing where it has no
    /// candidates.
    pub(super) fn of_pool(
        &mut self,
        asked: &LeftOut<'c>,
        pool: PoolId,
        within: Option<KeyDomain>,
        plain: bool,
    ) -> Option<Vec<Cause>> {
        let compiled = self.placement.compiled();
        let offers: Vec<OfferId> = {
            let all = self.offers[pool].iter().copied();
            all.filter(|offer| self.is_within(compiled.site_of_offer(*offer), within)).collect()
        };
        let suits = |offer: &OfferId| asked.suits.contains(compiled.site_of_offer(*offer));
        let labels = !offers.iter().any(suits);
        let of_pool = compiled.parts.node_pool(compiled.pools[pool].index);
        let taints = self.taint_causes(asked, pool);
        let mut tables = ClassTables {
            shapes: compiled.shapes.iter().map(|_| None).collect(),
            cells: vec![None; self.cells],
            ways: if labels { self.ways(asked.set) } else { Vec::new() },
            labels,
            taints: u32::try_from(taints.len()).unwrap_or(u32::MAX),
            closed: BTreeSet::new(),
        };
        let standing = self.standing(asked, pool, within, &tables);
        let mut candidates: Vec<OfferId> =
            offers.iter().copied().filter(|offer| labels || suits(offer)).collect();
        if self.placement.context.strict_reservations {
            let reserved = |offer: &OfferId| compiled.offers[*offer].reservation.is_some();
            if candidates.iter().any(|offer| self.placement.is_reserved(asked.class, *offer)) {
                candidates.retain(reserved);
            }
        }
        let further = self.nearest(asked, &candidates, &mut tables);
        let name = &of_pool.name;
        let mut causes = taints;
        match (further, standing) {
            (Some((score, _)), Some((exists, at))) if exists.key() < score.key() => {
                let site = self.placement.groups[at].site;
                if labels {
                    causes.push(self.label_cause(asked, name, &offers, site));
                }
                let nodes = self.placement.groups[at].clone();
                if self.is_group_full(asked, at) {
                    causes.push(self.host_affinity(asked));
                }
                for barrier in self.barriers(asked, site, Some(&nodes)) {
                    causes.push(self.barrier_cause(asked, barrier, site, plain));
                }
            }
            (Some((_, offer)), _) => {
                let site = compiled.site_of_offer(offer);
                if labels {
                    causes.push(self.label_cause(asked, name, &offers, site));
                }
                causes.extend(self.offer_causes(asked, offer, name, &candidates));
                let mut barriers = self.barriers(asked, site, None);
                if tables.closed.contains(&self.cell_of_site[site])
                    && let Some(key) = self.opened_key(site)
                {
                    let _new = barriers.insert(Barrier::Opens(key));
                }
                for barrier in barriers {
                    causes.push(self.barrier_cause(asked, barrier, site, plain));
                }
            }
            (None, _) => return None,
        }
        Some(causes)
    }

    /// The taints of a pool's nodes that a class doesn't tolerate.
    pub(super) fn taint_causes(&self, asked: &LeftOut<'_>, pool: PoolId) -> Vec<Cause> {
        let compiled = self.placement.compiled();
        let of_pool = compiled.parts.node_pool(compiled.pools[pool].index);
        let tolerations = &compiled.site_conditions.rules.tolerations.lists()[asked.tolerations];
        let taints = untolerated(of_pool, tolerations).into_iter();
        taints.map(|taint| Cause::Taint { pool: of_pool.name.clone(), taint }).collect()
    }

    /// What is in the way on a pool that has no offers at all: that, and what else is known without
    /// them.
    pub(super) fn without_types(
        &self,
        asked: &LeftOut<'c>,
        pool: PoolId,
        name: &Arc<str>,
    ) -> Vec<Cause> {
        let compiled = self.placement.compiled();
        let mut causes = self.taint_causes(asked, pool);
        causes.push(Cause::NoInstanceType { pool: name.clone() });
        let request = &asked.item.request;
        let names = compiled.dims.names();
        let sized = compiled.parts.instance_types().map(|instance_type| {
            let whole = compiled.dims.type_allocatable(instance_type);
            let short: Vec<usize> =
                (0..names.len()).filter(|dim| whole[*dim] < request[*dim]).collect();
            (short.len(), &instance_type.name, short, whole)
        });
        if let Some((_, kind, short, whole)) = sized.min() {
            causes.extend(short.into_iter().map(|dim| Cause::Resource {
                pool: name.clone(),
                resource: names[dim].clone(),
                requested: amount(&names[dim], request[dim]),
                nearest: (whole[dim] > 0).then(|| (kind.clone(), amount(&names[dim], whole[dim]))),
                daemons: None,
            }));
        }
        causes
    }

    /// The nearest further launch among these, and how far it is.
    fn nearest(
        &mut self,
        asked: &LeftOut<'c>,
        offers: &[OfferId],
        tables: &mut ClassTables,
    ) -> Option<(CandidateScore, OfferId)> {
        let compiled = self.placement.compiled();
        for _ in 0..MOST_TURNS {
            let mut best: Option<(CandidateScore, OfferId)> = None;
            for offer in offers {
                let score = self.score(asked, *offer, tables);
                if best.is_none_or(|(least, _)| score.key() < least.key()) {
                    best = Some((score, *offer));
                }
            }
            let (score, offer) = best?;
            let cell = self.cell_of_site[compiled.site_of_offer(offer)];
            if !tables.closed.contains(&cell) && !self.leaves_order(asked, offer) {
                let _new = tables.closed.insert(cell);
                continue;
            }
            return Some(self.with_most_values(asked, offers, tables, (score, offer)));
        }
        let scored = offers.iter().map(|offer| (self.score(asked, *offer, tables), *offer));
        let scored: Vec<(CandidateScore, OfferId)> = scored.collect();
        scored.into_iter().min_by_key(|(score, offer)| (score.key(), *offer))
    }

    /// Of candidates that are as far one that keeps the values open that its pool asks for, if
    /// possible.
    fn with_most_values(
        &mut self,
        asked: &LeftOut<'c>,
        offers: &[OfferId],
        tables: &mut ClassTables,
        (score, first): (CandidateScore, OfferId),
    ) -> (CandidateScore, OfferId) {
        let compiled = self.placement.compiled();
        let of_pool = &compiled.pools[compiled.offers[first].pool];
        if of_pool.min_values.is_empty() || self.placement.context.best_effort_min_values {
            return (score, first);
        }
        let mut alike: Vec<(Reverse<usize>, OfferId)> = Vec::new();
        for offer in offers {
            let of = self.score(asked, *offer, tables);
            if (of.count, of.rank) == (score.count, score.rank) {
                alike.push((Reverse(compiled.alternatives(*offer).len()), *offer));
            }
        }
        alike.sort_unstable();
        let lacking = |offer: OfferId| {
            let open = self.placement.context.min_values_alone(offer, item_of(asked.class));
            let lacking = open.iter().filter(|(least, possible)| possible < least).count();
            (lacking, offer)
        };
        let few = alike.iter().take(MOST_CHOICES).map(|(_, offer)| lacking(*offer));
        let chosen = few.chain([lacking(first)]).min_by_key(|(lacking, _)| *lacking);
        let (lacking, offer) = chosen.unwrap_or((0, first));
        let lacking = u32::try_from(lacking).unwrap_or(u32::MAX);
        (score.and(lacking, rank::SCARCE), offer)
    }

    fn score(
        &self,
        asked: &LeftOut<'c>,
        offer: OfferId,
        tables: &mut ClassTables,
    ) -> CandidateScore {
        let compiled = self.placement.compiled();
        let of = &compiled.offers[offer];
        let (site, is_static) =
            (compiled.site_of_offer(offer), compiled.pools[of.pool].static_replicas.is_some());
        let shape = *tables.shapes[of.shape]
            .get_or_insert_with(|| self.shape_score(asked, of.pool, of.shape));
        let cell = self.cell_of_site[site];
        let between = *tables.cells[cell].get_or_insert_with(|| {
            let barriers = self.barriers(asked, site, None);
            barriers
                .iter()
                .fold(CandidateScore::NONE, |score, barrier| score.and(1, rank_of(*barrier)))
        });
        let spent = self.placement.supplies.is_spent(of.reservation) && !is_static;
        let unmet = if tables.labels { self.unmet_count(&tables.ways, site) } else { 0 };
        shape
            .join(between)
            .and(tables.taints, rank::TAINT)
            .and(unmet, rank::LABELS)
            .and(u32::from(!of.available), rank::UNAVAILABLE)
            .and(u32::from(spent), rank::SCARCE)
            .and(u32::from(is_static), rank::STATIC)
            .and(u32::from(tables.closed.contains(&cell)), rank::OPENS)
    }

    /// What an empty node of a shape lacks, and what its pool's limits lack for one.
    fn shape_score(&self, asked: &LeftOut<'_>, pool: PoolId, shape: ShapeId) -> CandidateScore {
        let compiled = self.placement.compiled();
        let shape = &compiled.shapes[shape];
        let mut score = CandidateScore::NONE;
        let names = compiled.dims.names().len();
        for (have, want) in shape.allocatable.iter().zip(&asked.item.request).take(names) {
            if have < want || *have < 0 {
                let lacks = i128::from(*want).saturating_sub(i128::from(*have));
                score.miss += lacks.saturating_mul(1_000_000) / i128::from((*want).max(1));
                score = score.and(1, rank::SIZE);
            }
        }
        for dim in names..compiled.dims.len() {
            let lacks = self.lacks_slots(asked, dim, &shape.allocatable, &shape.used);
            score = score.and(u32::from(lacks), rank::SLOTS);
        }
        if shape.used.bars(&asked.item.uses) {
            score = score.and(1, rank::PORT);
        }
        if compiled.pools[pool].static_replicas.is_none() {
            for ((left, charge), limit) in self
                .placement
                .supplies
                .limits(pool)
                .iter()
                .zip(&shape.charge)
                .zip(&compiled.pools[pool].limits)
            {
                if *left < 0 || i128::from(*charge) > *left {
                    score.miss +=
                        i128::from(*charge).saturating_mul(1_000_000) / limit.limit.max(1);
                    score = score.and(1, rank::SCARCE);
                }
            }
        }
        score
    }

    /// Whether a node has too few slots of a driver left for a pod's volumes.
    pub(super) fn lacks_slots(
        &self,
        asked: &LeftOut<'_>,
        dim: usize,
        free: &[i64],
        used: &NodeUse,
    ) -> bool {
        let slots = slots(asked, dim, Some(used));
        free[dim] < slots || free[dim] < 0
    }

    /// The obstacles on a further launch of an offer, labels, taints and rules between pods aside.
    pub(super) fn offer_causes(
        &self,
        asked: &LeftOut<'_>,
        offer: OfferId,
        pool: &Arc<str>,
        candidates: &[OfferId],
    ) -> Vec<Cause> {
        let compiled = self.placement.compiled();
        let of = &compiled.offers[offer];
        let shape = &compiled.shapes[of.shape];
        let mut causes = Vec::new();
        if !of.available {
            causes.push(Cause::Unavailable { pool: pool.clone() });
        }
        causes.extend(self.size_causes(asked, offer, pool, candidates));
        for (driver, dim) in compiled.dims.drivers().iter().zip(compiled.dims.names().len()..) {
            if self.lacks_slots(asked, dim, &shape.allocatable, &shape.used) {
                let count = |slots: i64| u32::try_from(slots.max(0)).unwrap_or(u32::MAX);
                causes.push(Cause::AttachLimit {
                    pool: pool.clone(),
                    driver: driver.clone(),
                    volumes: count(slots(asked, dim, None)),
                    most: count(shape.allocatable[dim]),
                });
            }
        }
        if shape.used.bars(&asked.item.uses) {
            causes.extend(self.port_causes(asked, shape, pool));
        }
        if compiled.pools[of.pool].static_replicas.is_some() {
            causes.push(Cause::StaticPool { pool: pool.clone() });
            return causes;
        }
        if let Some(id) = of.reservation.filter(|id| self.placement.supplies.is_spent(Some(*id))) {
            causes.push(Cause::Reservation { id: compiled.reservations[id].id.clone() });
        }
        let limits =
            compiled.pools[of.pool].limits.iter().zip(self.placement.supplies.limits(of.pool));
        for ((limit, left), charge) in limits.zip(&shape.charge) {
            if *left < 0 || i128::from(*charge) > *left {
                let whole = |count: i128| -> Quantity {
                    amount(&limit.name, i64::try_from(count.max(0)).unwrap_or(i64::MAX))
                };
                causes.push(Cause::Limit {
                    pool: pool.clone(),
                    resource: limit.name.clone(),
                    limit: whole(limit.limit),
                    used: whole(limit.limit - left),
                    needed: whole(i128::from(*charge)),
                });
            }
        }
        let asks = &compiled.pools[of.pool].min_values;
        if !asks.is_empty() && !self.placement.context.best_effort_min_values {
            let open = self.placement.context.min_values_alone(offer, item_of(asked.class));
            let short = asks.iter().zip(open).filter(|(_, (least, possible))| possible < least);
            causes.extend(short.map(|(asks, (_, possible))| Cause::MinValues {
                pool: pool.clone(),
                key: asks.key.clone(),
                needed: asks.least,
                possible: u32::try_from(possible).unwrap_or(u32::MAX),
            }));
        }
        causes
    }

    /// The resources of which an empty node has too little.
    fn size_causes(
        &self,
        asked: &LeftOut<'_>,
        offer: OfferId,
        pool: &Arc<str>,
        candidates: &[OfferId],
    ) -> Vec<Cause> {
        let compiled = self.placement.compiled();
        let of = &compiled.offers[offer];
        let shape = &compiled.shapes[of.shape];
        let instance_type = compiled.parts.instance_type(of.instance);
        let whole = compiled.dims.type_allocatable(instance_type);
        let mut causes = Vec::new();
        for (dim, resource) in compiled.dims.names().iter().enumerate() {
            let (have, want) = (shape.allocatable[dim], asked.item.request[dim]);
            let count = |count: i64| amount(resource, count.max(0));
            if have >= want && have >= 0 {
                continue;
            }
            let daemons = || -> Vec<Arc<str>> {
                let own = shape.daemons.iter().map(|at| &compiled.parts.daemon_sets()[at]);
                let own = own.filter(|daemon| compiled.dims.requests(daemon)[dim] > 0);
                own.map(|daemon| daemon.name.clone()).collect()
            };
            let taken = whole[dim].saturating_sub(have);
            if have < 0 {
                causes.push(Cause::Daemon {
                    pool: pool.clone(),
                    instance_type: instance_type.name.clone(),
                    daemons: daemons(),
                    resource: resource.clone(),
                    requested: count(taken),
                    available: count(whole[dim]),
                });
                if whole[dim] >= want {
                    continue;
                }
            }
            let has_any = |offer: &OfferId| {
                compiled.shapes[compiled.offers[*offer].shape].allocatable[dim] > 0
            };
            let would_fit = whole[dim] >= want && taken > 0;
            let nearest = (would_fit || have > 0 || candidates.iter().any(has_any))
                .then(|| (instance_type.name.clone(), count(have)));
            causes.push(Cause::Resource {
                pool: pool.clone(),
                resource: resource.clone(),
                requested: count(want),
                nearest,
                daemons: would_fit.then(|| (daemons(), count(taken))),
            });
        }
        causes
    }

    /// The pod's host ports that the daemons of a node hold.
    fn port_causes(&self, asked: &LeftOut<'_>, shape: &Shape, pool: &Arc<str>) -> Vec<Cause> {
        let compiled = self.placement.compiled();
        let own = shape.daemons.iter().flat_map(|at| &compiled.parts.daemon_sets()[at].host_ports);
        let any = |ip: &str| matches!(ip, "" | "0.0.0.0" | "::");
        let held: Vec<_> = own.collect();
        let ports = compiled.exemplar(asked.class).into_iter().flat_map(|pod| &pod.host_ports);
        let clashing = ports.filter(|port| {
            held.iter().any(|other| {
                (other.port, &other.protocol) == (port.port, &port.protocol)
                    && (any(&other.host_ip) || any(&port.host_ip) || other.host_ip == port.host_ip)
            })
        });
        let causes: BTreeSet<Cause> = clashing
            .map(|port| Cause::HostPort {
                pool: pool.clone(),
                port: port.port,
                protocol: port.protocol,
            })
            .collect();
        causes.into_iter().collect()
    }

    /// The nearest of the nodes that a pool launches in the plan and that have room, and how far it
    /// is: what these need is no limit. One that is full is a candidate where the pod must be with
    /// those there.
    fn standing(
        &self,
        asked: &LeftOut<'c>,
        pool: PoolId,
        within: Option<KeyDomain>,
        tables: &ClassTables,
    ) -> Option<(CandidateScore, usize)> {
        let short = |free: &[i64]| free.iter().zip(&asked.item.request).any(|(f, want)| f < want);
        let rules = &self.placement.rules.of_class[asked.class];
        let bound_to_hosts = rules.affinity.is_some_and(|affinity| affinity.over_hosts);
        if short(&self.roomiest[pool]) && !bound_to_hosts {
            return None;
        }
        let mut best: Option<(CandidateScore, usize)> = None;
        for at in &self.launched[pool] {
            let nodes = &self.placement.groups[*at];
            let full = self.is_group_full(asked, *at);
            if short(&nodes.free) && !full || !self.is_within(nodes.site, within) {
                continue;
            }
            let Some(offer) = nodes.on.launched() else { continue };
            if !tables.labels && !asked.suits.contains(nodes.site)
                || self.placement.is_reserved(asked.class, offer)
                || !full && !self.has_room(asked, nodes)
            {
                continue;
            }
            let unmet = if tables.labels { self.unmet_count(&tables.ways, nodes.site) } else { 0 };
            let score = self
                .barriers(asked, nodes.site, Some(nodes))
                .into_iter()
                .fold(CandidateScore::NONE, |score, barrier| score.and(1, rank_of(barrier)))
                .and(tables.taints, rank::TAINT)
                .and(unmet, rank::LABELS)
                .and(u32::from(full), rank::SPREAD);
            if best.is_none_or(|(least, _)| score.key() < least.key()) {
                best = Some((score, *at));
            }
        }
        best
    }

    /// Whether the nodes of a group hold those with whom a pod must share a node, and only lack
    /// room for it.
    fn is_group_full(&self, asked: &LeftOut<'_>, at: usize) -> bool {
        let nodes = &self.placement.groups[at];
        let affinity = self.placement.rules.of_class[asked.class].affinity;
        affinity.is_some_and(|affinity| {
            affinity.over_hosts
                && self.placement.on_node(nodes, affinity.selection) > 0
                && self.lacks_room_alone(asked, nodes)
        })
    }

    /// The key of the first domain that a node at a site would open.
    pub(super) fn opened_key(&self, site: usize) -> Option<KeyId> {
        let (placement, compiled) = (&self.placement, self.placement.compiled());
        let opened = placement.rules.spread_counters.iter().find(|at| {
            let domain = placement.rules.domain(compiled, **at, site);
            domain.is_some_and(|domain| placement.domains.exists[**at][domain] == 0)
        });
        opened.map(|at| placement.rules.counters[*at].key)
    }

    /// Whether a launch of an offer for a pod leaves an order of binding to those that count where
    /// nothing stands yet.
    pub(super) fn leaves_order(&mut self, asked: &LeftOut<'c>, offer: OfferId) -> bool {
        let opened = self.placement.opened(offer);
        if opened.is_empty() {
            return true;
        }
        let cell = self.cell_of_site[self.placement.compiled().site_of_offer(offer)];
        let component = self.placement.rules.component[asked.class];
        let counts = opened.contains(&component);
        if !counts && let Some(known) = self.orders.get(&cell) {
            return *known;
        }
        if self.looks >= MOST_LOOKS {
            return true;
        }
        self.looks += 1;
        self.placement.launch(offer, 1);
        let mut legal = order::exists(&self.placement, Some(&opened));
        if !legal && counts {
            // The pod itself may be whom others wait for.
            let at = self.placement.groups.len() - 1;
            let _same = self.placement.put(at, asked.class, 1, 1);
            legal = order::exists(&self.placement, Some(&opened));
        }
        self.placement.take_back();
        if !counts {
            let _none = self.orders.insert(cell, legal);
        }
        legal
    }
}

fn rank_of(barrier: Barrier) -> u8 {
    match barrier {
        Barrier::Unlabelled(_) => rank::UNLABELLED,
        Barrier::AntiAffinity(_) => rank::FAR,
        Barrier::Affinity(_) => rank::NEAR,
        Barrier::Spread(_) | Barrier::HostSpread(_) => rank::SPREAD,
        Barrier::Opens(_) => rank::OPENS,
    }
}

/// How many slots of a driver a pod asks for on a node, beside what is in use there.
pub(super) fn slots(asked: &LeftOut<'_>, dim: usize, beside: Option<&NodeUse>) -> i64 {
    let new = asked.item.uses.slots(beside).filter(|at| *at == dim).count();
    asked.item.request[dim].saturating_add(i64::try_from(new).unwrap_or(i64::MAX))
}
