//! Why a class has no place: for each pool and for the running nodes, what rules out every candidate.
//!
//! The rules are tried in the order in which a cluster owner would fix them: taints, labels, what can
//! be bought at all, size, ports, `minValues`, limits and reservations. The first that leaves no
//! candidate is the reason, so a reason never blames a rule that something else had made idle. Worked
//! out once for a class, and only for those that have no place.

use super::choose::Packed;
use super::flexible::Minimums;
use super::running;
use super::state::{Context, State};
use crate::compile::{
    ClassId, Id, KindId, NODE_NAME, NodeId, OfferId, PoolId, VolumeKey, fits, untolerated,
};
use crate::explain::{Cause, LabelConflict, Miss, Reason};
use crate::model::{Requirements, ValueSet, amount, well_known};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The reasons why a kind has no place, sorted, at least one.
pub(crate) fn reasons(context: &Context<'_>, packed: &Packed, kind: KindId) -> Vec<Reason> {
    let compiled = context.compiled;
    let class = ClassId::from_index(kind.index());
    let asker = Asker { context, state: &packed.state, class, kind };
    if let Some((_, (_, Some(cause)))) = packed.out().find(|(out, _)| **out == kind) {
        return vec![Reason::new(cause, u32::try_from(compiled.sites()).unwrap_or(u32::MAX))];
    }
    if compiled.classes[class].guest {
        let count = u32::try_from(compiled.sites()).unwrap_or(u32::MAX);
        return vec![Reason::new(&Cause::Placeholder, count)];
    }
    let mut reasons: Vec<Reason> = Vec::new();
    for (id, pool) in compiled.pools.iter() {
        let offers: Vec<OfferId> =
            compiled.offers.iter().filter(|(_, o)| o.pool == id).map(|(offer, _)| offer).collect();
        let name = &compiled.problem.node_pools[pool.index].name;
        let cause = asker.of_pool(id, name, &offers);
        reasons.push(Reason::new(&cause, u32::try_from(offers.len()).unwrap_or(u32::MAX)));
    }
    if compiled.pools.len() == 0 {
        reasons.push(Reason::new(&Cause::NoNodePool, 0));
    }
    reasons.extend(asker.of_nodes());
    reasons.sort_unstable();
    reasons
}

struct Asker<'a> {
    context: &'a Context<'a>,
    state: &'a State,
    class: ClassId,
    kind: KindId,
}

impl Asker<'_> {
    /// What rules out every offer of a pool.
    fn of_pool(&self, id: PoolId, name: &Arc<str>, offers: &[OfferId]) -> Cause {
        let compiled = self.context.compiled;
        let pool = || name.clone();
        if offers.is_empty() {
            return Cause::NoInstanceType { pool: pool() };
        }
        let class = self.context.class(self.class);
        let set = &compiled.grounds.rules.sets()[compiled.kinds[self.kind].rules];
        let tolerated = &compiled.grounds.tolerated[set.tolerations];
        if !offers.iter().any(|offer| tolerated.contains(compiled.site_of_offer(*offer))) {
            let pool_of = &compiled.problem.node_pools[compiled.pools[id].index];
            let list = &compiled.grounds.rules.tolerations.lists()[set.tolerations];
            if let Some(taint) = untolerated(pool_of, list) {
                return Cause::Taint { pool: pool(), taint };
            }
        }
        let labelled: Vec<OfferId> =
            offers.iter().copied().filter(|offer| self.labels_suit(*offer)).collect();
        if labelled.is_empty() {
            return self.labels(name, offers);
        }
        let open: Vec<OfferId> =
            labelled.iter().copied().filter(|offer| compiled.offers[*offer].available).collect();
        if open.is_empty() {
            return Cause::Unavailable { pool: pool() };
        }
        let room = |offer: &OfferId| {
            let shape = &compiled.shapes[compiled.offers[*offer].shape];
            shape.takes(class, 1) > 0 && shape.allocatable.iter().all(|have| *have >= 0)
        };
        let large: Vec<OfferId> = open.iter().copied().filter(room).collect();
        if large.is_empty() {
            let slots = self.attach_limit(name, &open);
            return slots.unwrap_or_else(|| self.resource(name, &open));
        }
        let ports = |offer: &&OfferId| {
            let shape = &compiled.shapes[compiled.offers[**offer].shape];
            !class.ports.blocks.overlaps(&shape.ports)
        };
        if large.iter().find(ports).is_none() {
            return self.port(name);
        }
        if compiled.pools[id].fixed.is_some() {
            return Cause::StaticPool { pool: pool() };
        }
        let reserved = |offer: &&OfferId| compiled.offers[**offer].reservation.is_some();
        if self.context.strict && large.iter().any(|offer| reserved(&offer)) {
            let reserved: Vec<OfferId> = large.iter().filter(reserved).copied().collect();
            return self.scarcity(id, name, &reserved);
        }
        let keys = compiled.pools[id].min_values.iter();
        if !self.context.lenient {
            // The choice that leaves the most open.
            let open =
                large.iter().map(|choice| Minimums::alone(self.context, *choice, self.class));
            let open = open.max_by_key(|open| {
                open.iter().filter(|(least, possible)| possible >= least).count()
            });
            if let Some((asked, (_, possible))) =
                keys.zip(open.unwrap_or_default()).find(|(_, (least, possible))| possible < least)
            {
                let possible = u32::try_from(possible).unwrap_or(u32::MAX);
                return Cause::MinValues {
                    pool: pool(),
                    key: asked.key.clone(),
                    needed: asked.least,
                    possible,
                };
            }
        }
        self.scarcity(id, name, &large)
    }

    /// Whether the class's labels and tolerations suit an offer.
    fn labels_suit(&self, offer: OfferId) -> bool {
        let compiled = self.context.compiled;
        let grounds = &compiled.grounds;
        let set = &grounds.rules.sets()[compiled.kinds[self.kind].rules];
        let site = compiled.site_of_offer(offer);
        let holds = |atom: &usize| grounds.holds[*atom].contains(site);
        let rules = compiled.kinds[self.kind].rules;
        set.all.iter().all(holds) && grounds.rules.alternatives_hold(rules, |atom| holds(&atom))
    }

    /// The smallest set of conditions on labels that no offer of a pool meets together.
    fn labels(&self, name: &Arc<str>, offers: &[OfferId]) -> Cause {
        let compiled = self.context.compiled;
        let set = &compiled.grounds.rules.sets()[compiled.kinds[self.kind].rules];
        let smallest = compiled
            .grounds
            .rules
            .ways(compiled.kinds[self.kind].rules)
            .iter()
            .map(|term| {
                let atoms: BTreeSet<usize> = set.all.iter().chain(term).copied().collect();
                self.smallest(&atoms.into_iter().collect::<Vec<_>>(), offers)
            })
            .min_by_key(Vec::len)
            .unwrap_or_default();
        let atoms = compiled.grounds.rules.atoms();
        if let [only] = smallest[..] {
            let (key, needed) = &atoms[only];
            if &**key == NODE_NAME
                && let Some(node) = needed.single()
            {
                return Cause::NodeName { node: node.clone() };
            }
            if &**key == well_known::ZONE
                && self.is_of_volumes(only)
                && let Some(zones) = needed.finite_values()
            {
                let offered = self.offered(key, offers).finite_values().cloned();
                return Cause::Zone {
                    pool: name.clone(),
                    volume_zones: zones.iter().cloned().collect(),
                    pool_zones: offered.unwrap_or_default().into_iter().collect(),
                };
            }
        }
        let conflicts = smallest.iter().map(|atom| {
            let (key, needed) = &atoms[*atom];
            LabelConflict::new(key.clone(), needed.clone(), self.offered(key, offers))
        });
        Cause::Labels { pool: name.clone(), conflicts: conflicts.collect() }
    }

    /// One condition that no offer meets, else two that none meets together, else all.
    fn smallest(&self, atoms: &[usize], offers: &[OfferId]) -> Vec<usize> {
        let compiled = self.context.compiled;
        let holds = &compiled.grounds.holds;
        let met = |some: &[usize]| {
            offers.iter().any(|offer| {
                some.iter().all(|atom| holds[*atom].contains(compiled.site_of_offer(*offer)))
            })
        };
        if let Some(alone) = atoms.iter().find(|atom| !met(&[**atom])) {
            return vec![*alone];
        }
        for (at, one) in atoms.iter().enumerate() {
            if let Some(other) = atoms[at + 1..].iter().find(|other| !met(&[*one, **other])) {
                return vec![*one, *other];
            }
        }
        atoms.to_vec()
    }

    /// What a label can be on the offers of a pool.
    fn offered(&self, key: &Arc<str>, offers: &[OfferId]) -> ValueSet {
        let compiled = self.context.compiled;
        // Values that stand for others are nobody's words: of an open label the pool says what it can be.
        let is_open = |offer: &&OfferId| {
            compiled.offers[**offer].pinned.iter().any(|(pinned, _)| pinned == key)
        };
        if let Some(offer) = offers.iter().find(is_open) {
            let pool = &compiled.pools[compiled.offers[*offer].pool];
            let required = compiled.problem.node_pools[pool.index].requirements.iter();
            let required: Requirements = required.collect();
            if !required.get(key).is_any() {
                return required.get(key).clone();
            }
        }
        let states = compiled.grounds.table.states(key);
        let of_pool: BTreeSet<u32> = offers
            .iter()
            .filter_map(|offer| states.get(compiled.site_of_offer(*offer)).copied())
            .collect();
        let values = of_pool.iter().filter_map(|state| compiled.grounds.table.value(key, *state));
        match values.cloned().collect::<BTreeSet<Arc<str>>>() {
            values if values.is_empty() => ValueSet::absent(),
            values => ValueSet::only(values),
        }
    }

    /// Whether it is the pod's volumes that ask for a condition.
    fn is_of_volumes(&self, atom: usize) -> bool {
        let rules = &self.context.compiled.grounds.rules;
        let set = &rules.sets()[self.context.compiled.kinds[self.kind].rules];
        let in_terms = set.terms.iter().flatten().flatten().any(|one| *one == atom);
        let own = set.selector.contains(&atom) || in_terms;
        let states = &rules.atoms()[atom].1;
        let pod = self.context.compiled.exemplar(self.kind);
        let mut volumes = pod.into_iter().flat_map(|pod| &pod.volumes);
        !own || volumes.any(|volume| {
            let zones = volume.zones.iter().cloned();
            !volume.zones.is_empty() && *states == ValueSet::only(zones)
        })
    }

    /// Which resource is short, and the offer that comes nearest.
    fn resource(&self, name: &Arc<str>, open: &[OfferId]) -> Cause {
        let compiled = self.context.compiled;
        let request = &self.context.class(self.class).request;
        let names = compiled.dims.names();
        let room = |offer: &OfferId| &compiled.shapes[compiled.offers[*offer].shape].allocatable;
        // The resource that fewest offers have enough of.
        let short = (0..names.len()).filter(|dim| request[*dim] > 0).min_by_key(|dim| {
            (open.iter().filter(|offer| room(offer)[*dim] >= request[*dim]).count(), *dim)
        });
        let dim = short.unwrap_or(0);
        let nearest = open.iter().max_by_key(|offer| {
            let enough = |dim: usize| room(offer)[dim] >= request[dim];
            let others = (0..names.len()).filter(|other| enough(*other)).count();
            (room(offer)[dim].min(request[dim]), others, std::cmp::Reverse(**offer))
        });
        let resource = names[dim].clone();
        let nearest = nearest.filter(|offer| room(offer)[dim] > 0).map(|offer| {
            // Where this resource would do, another is short on the same offer.
            let instance = &compiled.problem.instance_types[compiled.offers[*offer].instance];
            (*offer, instance.name.clone())
        });
        let (dim, resource) = match nearest {
            Some((offer, _)) if room(&offer)[dim] >= request[dim] => {
                let lacking = (0..names.len()).find(|dim| room(&offer)[*dim] < request[*dim]);
                lacking.map_or((dim, resource), |dim| (dim, names[dim].clone()))
            }
            _ => (dim, resource),
        };
        Cause::Resource {
            pool: name.clone(),
            requested: amount(&resource, request[dim]),
            nearest: nearest
                .map(|(offer, kind)| (kind, amount(&resource, room(&offer)[dim].max(0)))),
            resource,
        }
    }

    fn port(&self, name: &Arc<str>) -> Cause {
        let pod = self.context.compiled.exemplar(self.kind);
        let port = pod.and_then(|pod| pod.host_ports.first());
        Cause::HostPort {
            pool: name.clone(),
            port: port.map_or(0, |port| port.port),
            protocol: port.map_or_else(|| "TCP".into(), |port| port.protocol.clone()),
        }
    }

    /// The limit or reservation that keeps the last suitable offers from being bought.
    fn scarcity(&self, id: PoolId, name: &Arc<str>, offers: &[OfferId]) -> Cause {
        let compiled = self.context.compiled;
        let unreserved = offers.iter().find(|offer| compiled.offers[**offer].reservation.is_none());
        if unreserved.is_none()
            && let Some(reservation) =
                offers.iter().find_map(|offer| compiled.offers[*offer].reservation)
        {
            return Cause::Reservation { id: compiled.reservations[reservation].id.clone() };
        }
        let limits = &compiled.pools[id].limits;
        let left = self.state.limits_left(id);
        let needed = |at: usize| {
            let charges = offers
                .iter()
                .map(|offer| compiled.shapes[compiled.offers[*offer].shape].charge[at]);
            charges.min().unwrap_or(0)
        };
        let at = (0..limits.len())
            .find(|at| left[*at] < 0 || i128::from(needed(*at)) > left[*at])
            .or_else(|| (0..limits.len()).max_by_key(|at| i128::from(needed(*at)) - left[*at]));
        let Some(at) = at else { return Cause::Unavailable { pool: name.clone() } };
        let limit = &limits[at];
        let whole =
            |count: i128| amount(&limit.name, i64::try_from(count.max(0)).unwrap_or(i64::MAX));
        Cause::Limit {
            pool: name.clone(),
            resource: limit.name.clone(),
            limit: whole(limit.limit),
            used: whole(limit.limit - left[at]),
            needed: whole(i128::from(needed(at))),
        }
    }

    /// What rules out the running nodes, each kind of miss with how many nodes it is.
    fn of_nodes(&self) -> Vec<Reason> {
        let compiled = self.context.compiled;
        let mut causes: BTreeMap<Cause, u32> = BTreeMap::new();
        let deleting = compiled.problem.nodes.iter().filter(|node| node.deleting).count();
        if deleting > 0 {
            let count = u32::try_from(deleting).unwrap_or(u32::MAX);
            let _none = causes.insert(Cause::Existing { miss: Miss::Deleting }, count);
        }
        for node in compiled.nodes.ids() {
            *causes.entry(self.of_node(node)).or_insert(0) += 1;
        }
        causes.into_iter().map(|(cause, count)| Reason::new(&cause, count)).collect()
    }

    fn of_node(&self, node: NodeId) -> Cause {
        let compiled = self.context.compiled;
        let grounds = &compiled.grounds;
        let class = self.context.class(self.class);
        let set = &grounds.rules.sets()[compiled.kinds[self.kind].rules];
        let site = compiled.site_of_node(node);
        let room = running::room(self.context, node);
        let holds = |atom: &usize| grounds.holds[*atom].contains(site);
        let rules = compiled.kinds[self.kind].rules;
        let all = |atoms: &dyn Fn(&usize) -> bool| {
            set.all.iter().all(atoms) && grounds.rules.alternatives_hold(rules, |atom| atoms(&atom))
        };
        let is_zone = |atom: &usize| &*grounds.rules.atoms()[*atom].0 == well_known::ZONE;
        let miss = |miss: Miss| Cause::Existing { miss };
        if !grounds.tolerated[set.tolerations].contains(site) {
            miss(Miss::Taints)
        } else if !all(&holds) {
            // Zones that volumes ask for, all else suiting.
            let elsewhere = |atom: &usize| is_zone(atom) && self.is_of_volumes(*atom);
            let zone = all(&|atom| holds(atom) || elsewhere(atom));
            miss(if zone { Miss::Zone } else { Miss::Labels })
        } else if !compiled.rows[class.row].contains(site) {
            Cause::AntiAffinity
        } else if class.ports.blocks.overlaps(room.ports) {
            miss(Miss::HostPorts)
        } else {
            match self.full_driver(room.free, room.attached) {
                Some((driver, _)) => Cause::VolumeLimit { driver },
                None => miss(Miss::Resources),
            }
        }
    }

    /// How many slots of a driver a pod of the class asks for on a node where these volumes are attached.
    fn slots(&self, dim: usize, attached: &BTreeSet<VolumeKey>) -> i64 {
        let class = self.context.class(self.class);
        let new =
            class.shared.iter().filter(|(at, volume)| *at == dim && !attached.contains(volume));
        class.request[dim].saturating_add(i64::try_from(new.count()).unwrap_or(i64::MAX))
    }

    /// The driver of the class's volumes of which an empty node has too few slots, where some of these
    /// offers have enough of everything else.
    fn attach_limit(&self, name: &Arc<str>, open: &[OfferId]) -> Option<Cause> {
        let compiled = self.context.compiled;
        let limits = open.iter().filter_map(|offer| {
            let shape = &compiled.shapes[compiled.offers[*offer].shape];
            let (driver, dim) = self.full_driver(&shape.allocatable, &shape.attached)?;
            Some((shape.allocatable[dim], driver, dim))
        });
        // The roomiest comes nearest.
        let (most, driver, dim) = limits.max()?;
        let count = |slots: i64| u32::try_from(slots.max(0)).unwrap_or(u32::MAX);
        let volumes = count(self.slots(dim, &BTreeSet::new()));
        Some(Cause::AttachLimit { pool: name.clone(), driver, volumes, most: count(most) })
    }

    /// Whether what is free is enough of all resources, volumes aside.
    fn has_resources(&self, free: &[i64]) -> bool {
        let resources = self.context.compiled.dims.names().len();
        let request = &self.context.class(self.class).request;
        fits(&free[..resources], &request[..resources], 1) > 0
    }

    /// The driver of the class's volumes of which a node has too few slots left, all else fitting.
    fn full_driver(
        &self,
        free: &[i64],
        attached: &BTreeSet<VolumeKey>,
    ) -> Option<(Arc<str>, usize)> {
        let dims = &self.context.compiled.dims;
        let mut drivers = dims.drivers().iter().zip(dims.names().len()..);
        let full = drivers.find(|(_, at)| {
            let slots = self.slots(*at, attached);
            slots > 0 && free[*at] < slots
        });
        let (driver, at) = full.filter(|_| self.has_resources(free))?;
        Some((driver.clone(), at))
    }
}
