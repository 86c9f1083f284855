//! From documents to a dense problem: strings become numbers, pods become classes, pools × types ×
//! offerings become offers with every label fixed, and every rule about nodes becomes bits.
//!
//! Offers and running nodes are both *sites*: places of which every label and taint is known. A set
//! of node rules is a *row*, the bits of the sites that meet it; pods with the same rules share the
//! row. After this nothing is a string, and whether a pod may run at a site is one bit and a
//! comparison of short vectors.

mod anti_affinity;
mod bits;
mod class;
mod column;
mod id;
mod intern;
mod label;
mod node;
mod offer;
mod port;
mod resource;
mod rule;
mod taint;
mod unsupported;

pub(crate) use bits::Bits;
pub(crate) use column::Column;
pub(crate) use id::{ClassId, Id, IdVec, NodeId, OfferId, PoolId, ReservationId, RowId, ShapeId};
pub(crate) use node::Running;
pub(crate) use offer::{Flexible, Offer, Pool, Reserved};
pub(crate) use port::PortUse;
pub(crate) use resource::{Dims, charge, fits};
pub(crate) use rule::NODE_NAME;
pub(crate) use taint::untolerated;

use crate::error::{Error, InvalidInput};
use crate::model::{Pod, Problem, well_known};
use class::{ReadLabels, classes, shared_volumes};
use label::LabelTable;
use offer::Market;
use port::Ports;
use rule::Rules;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use taint::TaintedSites;

/// A problem made dense.
#[derive(Debug)]
pub(crate) struct Compiled<'p> {
    pub(crate) problem: &'p Problem,
    pub(crate) dims: Dims,
    pub(crate) classes: IdVec<ClassId, Class>,
    /// The sites at which each distinct set of node rules is met: offers first, then nodes.
    pub(crate) rows: IdVec<RowId, Bits>,
    pub(crate) pools: IdVec<PoolId, Pool>,
    pub(crate) offers: IdVec<OfferId, Offer>,
    pub(crate) shapes: IdVec<ShapeId, Shape>,
    pub(crate) nodes: IdVec<NodeId, Running>,
    pub(crate) reservations: IdVec<ReservationId, Reserved>,
    /// For each pool with `minValues`, for each of its keys, the label's state at each site.
    pub(crate) flexible: BTreeMap<Arc<str>, Vec<u32>>,
    /// What can be bought and no other offer dominates.
    pub(crate) columns: Vec<Column>,
    /// For each site, the rows that admit it.
    pub(crate) admits: Vec<Bits>,
    /// For each class, the columns that can take one of its pods.
    pub(crate) takers: IdVec<ClassId, Bits>,
    /// Label keys of which any type or offering says something.
    pub(crate) declared: BTreeSet<Arc<str>>,
    pub(crate) grounds: Grounds,
    /// Label keys that daemon sets read.
    daemon_keys: BTreeSet<Arc<str>>,
    /// Preferences that can only be ignored yet.
    pub(crate) wishes: Vec<InvalidInput>,
    /// For each pool and type that it can use, the first of its offers and how many they are.
    first_offers: BTreeMap<(PoolId, usize), (OfferId, usize)>,
}

/// What reasons are made from: which condition holds where.
#[derive(Debug)]
pub(crate) struct Grounds {
    pub(crate) rules: Rules,
    pub(crate) table: LabelTable,
    /// For each atom of the rules, the sites at which it holds.
    pub(crate) holds: Vec<Bits>,
    /// For each distinct list of tolerations, the sites that it tolerates.
    pub(crate) tolerated: Vec<Bits>,
}

/// Pods that no rule can tell apart.
#[derive(Clone, Debug)]
pub(crate) struct Class {
    /// Indices of the problem's entries, ascending: the first stands for all.
    pub(crate) entries: Vec<u32>,
    /// How many pods they are, replicas counted.
    pub(crate) count: u32,
    /// What one pod asks for.
    pub(crate) request: Vec<i64>,
    /// The number of its set of rules about nodes.
    pub(crate) rules: usize,
    /// Which sites meet its rules about nodes.
    pub(crate) row: RowId,
    pub(crate) priority: i32,
    /// How many of them a node can hold at most, whatever its size.
    pub(crate) per_node: u32,
    pub(crate) ports: PortUse,
    /// Classes that can't share a node with it, itself left out; sorted.
    pub(crate) conflicts: Vec<ClassId>,
    /// Volumes that other pods mount too, whose drivers some node limits.
    pub(crate) shared: Vec<SharedVolume>,
}

/// A volume by its driver and id.
pub(crate) type VolumeKey = (Arc<str>, Arc<str>);

/// The place of a driver's slots in the vectors, and one of its volumes that several pods mount.
pub(crate) type SharedVolume = (usize, VolumeKey);

/// A pool's use of an instance type, with the daemons that such a node runs.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// What is left for pods.
    pub(crate) allocatable: Vec<i64>,
    /// The host ports that the daemons take.
    pub(crate) ports: Bits,
    /// The daemons, as indices of the problem's daemon sets.
    pub(crate) daemons: Bits,
    /// What a node is charged against each of the pool's limits.
    pub(crate) charge: Vec<i64>,
}

/// The most pairs of a set of rules and a site, so that memory stays bounded (one bit each).
const MAX_BITS: usize = 1 << 33;

impl<'p> Compiled<'p> {
    /// Makes a problem dense.
    ///
    /// # Errors
    /// The rules that the solver can't honour yet.
    pub(crate) fn new(problem: &'p Problem) -> Result<Self, Error> {
        let unsupported = unsupported::rules(problem);
        if !unsupported.is_empty() {
            return Err(Error::unsupported(unsupported));
        }
        let daemons = &problem.daemon_sets;
        let pending = problem.pods.iter().filter(|pod| pod.node_name.is_none());
        let drivers = problem.nodes.iter().flat_map(|node| node.volume_limits.keys().cloned());
        let dims = Dims::of(pending.chain(daemons), drivers);
        let ports = Ports::of(problem.pods.iter().chain(daemons));
        let shared = shared_volumes(&problem.pods);
        let members = classes(problem, &dims, &ReadLabels::of(problem), &shared);
        let exemplars: IdVec<ClassId, &Pod> = members
            .values()
            .filter_map(|class| problem.pods.get(*class.entries.first()? as usize))
            .collect();

        let mut rules = Rules::default();
        let of_class: Vec<usize> = exemplars.values().map(|pod| rules.of(pod)).collect();
        let of_daemon: Vec<usize> = daemons.iter().map(|pod| rules.of(pod)).collect();

        let flexible_keys: BTreeSet<Arc<str>> = problem
            .node_pools
            .iter()
            .flat_map(|pool| &pool.requirements)
            .filter(|requirement| requirement.min_values.is_some())
            .map(|requirement| requirement.key.clone())
            .collect();
        let mut table = LabelTable::new(&rules, flexible_keys.iter().cloned());
        let Market { mut pools, mut offers, reservations, declared } =
            Market::of(problem, &mut table).map_err(Error::unsupported)?;
        let mut nodes = node::running(problem, &dims, &ports, &shared);
        nodes.values().for_each(|node| push_labels(&mut table, problem, node));
        let sites = offers.len() + nodes.len();
        let bits = sites.saturating_mul(rules.sets().len() + rules.atoms().len());
        if bits > MAX_BITS {
            return Err(Error::unsupported(vec![InvalidInput::new(
                "pods",
                format!("have too many kinds of rules ({}) for {sites} places", rules.sets().len()),
                format!("no more than {MAX_BITS} pairs of a rule and a place"),
            )]));
        }

        let mut tainted = TaintedSites::default();
        for (offer, Offer { pool, .. }) in offers.iter() {
            let taints = taint::of_pool(&problem.node_pools[pools[*pool].index]);
            tainted.note(taints, offer.index());
        }
        for (id, running) in nodes.iter() {
            let node = &problem.nodes[running.index];
            let taints = taint::of_node(node, node::pool_of(problem, node));
            tainted.note(taints, offers.len() + id.index());
        }
        let grounds = Grounds::of(rules, table, &tainted, sites);
        let met = grounds.met(sites);

        let runs = |site: usize, daemon: usize| met[of_daemon[daemon]].contains(site);
        let daemon_uses = Daemons { problem, dims: &dims, ports: &ports };
        let (shapes, usable) = daemon_uses.shapes(&mut offers, &pools, sites, &runs);
        let first_node = offers.len();
        node::hold_back_daemons(
            problem,
            &mut nodes,
            daemons,
            |id, daemon| runs(first_node + id.index(), daemon),
            &dims,
            &ports,
        );
        charge_running(problem, &mut pools);

        let away = node::keeps_away(problem, &nodes, &exemplars);
        let mut rows = Rows { rows: IdVec::new(), numbers: BTreeMap::new() };
        let conflicts = anti_affinity::conflicts(&exemplars, problem);
        let mut dense: IdVec<ClassId, Class> = IdVec::new();
        for ((id, pod), members) in exemplars.iter().zip(members.values()) {
            let mut row = met[of_class[id.index()]].clone();
            row.and(&usable);
            let from = away.partition_point(|(class, _)| *class < id);
            for (_, node) in away[from..].iter().take_while(|(class, _)| *class == id) {
                row.remove(first_node + node.index());
            }
            let ports = ports.used_by(pod);
            let alone = ports.any() || conflicts[id].binary_search(&id).is_ok();
            let mut request = dims.requests(pod);
            let shared = volume_slots(pod, &dims, &shared, &mut request);
            let _id = dense.push(Class {
                entries: members.entries.clone(),
                count: members.count,
                request,
                rules: of_class[id.index()],
                row: rows.number(row),
                priority: pod.priority,
                per_node: if alone { 1 } else { u32::MAX },
                ports,
                conflicts: conflicts[id].iter().copied().filter(|other| *other != id).collect(),
                shared,
            });
        }
        let flexible =
            flexible_keys.into_iter().map(|key| (key.clone(), grounds.table.states(&key).to_vec()));
        let flexible = flexible.collect();
        let daemon_keys =
            of_daemon.iter().flat_map(|set| grounds.rules.keys(*set)).cloned().collect();
        let mut first_offers: BTreeMap<(PoolId, usize), (OfferId, usize)> = BTreeMap::new();
        for (id, offer) in offers.iter() {
            first_offers.entry((offer.pool, offer.instance)).or_insert((id, 0)).1 += 1;
        }
        let mut compiled = Self {
            problem,
            dims,
            classes: dense,
            rows: rows.rows,
            pools,
            offers,
            shapes,
            nodes,
            reservations,
            flexible,
            columns: Vec::new(),
            admits: Vec::new(),
            takers: IdVec::new(),
            declared,
            grounds,
            daemon_keys,
            wishes: unsupported::wishes(problem),
            first_offers,
        };
        (compiled.columns, compiled.admits) = column::columns(&compiled);
        compiled.takers = compiled.classes.ids().map(|class| compiled.takers(class)).collect();
        Ok(compiled)
    }

    /// The site of an offer, as a bit of the rows.
    pub(crate) fn site_of_offer(&self, offer: OfferId) -> usize {
        offer.index()
    }

    /// The site of a running node, as a bit of the rows.
    pub(crate) fn site_of_node(&self, node: NodeId) -> usize {
        self.offers.len() + node.index()
    }

    /// How many pods of a class an empty node of a column holds at most.
    pub(crate) fn slots(&self, column: &Column, class: ClassId) -> u32 {
        let (shape, class) = (&self.shapes[column.shape], &self.classes[class]);
        if !column.admits(class.row) || class.ports.blocks.overlaps(&shape.ports) {
            return 0;
        }
        fits(&shape.allocatable, &class.request, class.per_node)
    }

    fn takers(&self, class: ClassId) -> Bits {
        let mut takers = Bits::none(self.columns.len());
        for (at, column) in self.columns.iter().enumerate() {
            if self.slots(column, class) > 0 {
                takers.insert(at);
            }
        }
        takers
    }

    /// Whether a launch of an offer can hold pods of these classes that ask for this much together.
    pub(crate) fn holds(&self, offer: OfferId, classes: &[ClassId], load: &[i64]) -> bool {
        let rows = &self.admits[offer.index()];
        let shape = &self.shapes[self.offers[offer].shape];
        shape.allocatable.iter().zip(load).all(|(have, want)| have >= want)
            && classes.iter().all(|class| {
                let class = &self.classes[*class];
                rows.contains(class.row.index()) && !class.ports.blocks.overlaps(&shape.ports)
            })
    }

    /// The offers of a pool's use of a type: they stand together.
    pub(crate) fn offers_of(
        &self,
        pool: PoolId,
        instance: usize,
    ) -> impl Iterator<Item = OfferId> + use<> {
        let (first, count) =
            self.first_offers.get(&(pool, instance)).copied().unwrap_or((Id::from_index(0), 0));
        (first.index()..first.index() + count).map(OfferId::from_index)
    }

    /// The labels that a launch of an offer must fix for pods of these classes: those that they or
    /// daemons read and that the launch could still choose.
    pub(crate) fn pins(&self, offer: OfferId, classes: &[ClassId]) -> Vec<(Arc<str>, Arc<str>)> {
        let pinned = &self.offers[offer].pinned;
        if pinned.is_empty() {
            return Vec::new();
        }
        let sets = classes.iter().map(|class| self.classes[*class].rules);
        let read: BTreeSet<&Arc<str>> =
            sets.flat_map(|set| self.grounds.rules.keys(set)).chain(&self.daemon_keys).collect();
        pinned.iter().filter(|(key, _)| read.contains(key)).cloned().collect()
    }

    /// Whether a launch that fixes these labels for pods of these classes can as well be of an offer.
    pub(crate) fn agrees(
        &self,
        offer: OfferId,
        pins: &[(Arc<str>, Arc<str>)],
        classes: &[ClassId],
    ) -> bool {
        let table = &self.grounds.table;
        let site = self.site_of_offer(offer);
        let has = |(key, value): &(Arc<str>, Arc<str>)| {
            let state = table.states(key).get(site).copied().unwrap_or(0);
            table.value(key, state) == Some(value)
        };
        pins.iter().all(has) && self.pins(offer, classes).iter().all(|pin| pins.contains(pin))
    }

    /// How many pods are pending.
    pub(crate) fn pending(&self) -> usize {
        self.classes.values().map(|class| class.count as usize).sum()
    }

    /// The first pod of a class.
    pub(crate) fn exemplar(&self, class: ClassId) -> Option<&'p Pod> {
        self.problem.pods.get(*self.classes[class].entries.first()? as usize)
    }
}

/// Notes the labels of a running node in the table.
fn push_labels(table: &mut LabelTable, problem: &Problem, running: &Running) {
    let node = &problem.nodes[running.index];
    let keys: Vec<Arc<str>> = table.keys().cloned().collect();
    let states: Vec<u32> = keys
        .iter()
        .map(|key| {
            let value = match &**key {
                NODE_NAME => Some(&node.name),
                well_known::HOSTNAME => node.labels.get(key).or(Some(&node.name)),
                _ => node.labels.get(key),
            };
            value.map_or(0, |value| table.state(key, value))
        })
        .collect();
    table.push(&states);
}

impl Grounds {
    fn of(rules: Rules, table: LabelTable, tainted: &TaintedSites, sites: usize) -> Self {
        let holds = table.holds(&rules, sites);
        let lists = rules.tolerations.lists();
        let tolerated = lists.iter().map(|list| tainted.tolerated(list, sites)).collect();
        Self { rules, table, holds, tolerated }
    }

    /// For each set of rules, the sites that meet it.
    fn met(&self, sites: usize) -> Vec<Bits> {
        let met = self.rules.sets().iter().map(|set| {
            let mut met = self.tolerated[set.tolerations].clone();
            set.all.iter().for_each(|atom| met.and(&self.holds[*atom]));
            if let Some(terms) = &set.terms {
                let mut any = Bits::none(sites);
                for term in terms.iter().filter(|term| !term.is_empty()) {
                    let mut whole = Bits::all(sites);
                    term.iter().for_each(|atom| whole.and(&self.holds[*atom]));
                    any.or(&whole);
                }
                met.and(&any);
            }
            met
        });
        met.collect()
    }
}

/// What daemons take of each node.
struct Daemons<'a> {
    problem: &'a Problem,
    dims: &'a Dims,
    ports: &'a Ports,
}

impl Daemons<'_> {
    /// Gives each offer its shape, and says at which sites the daemons themselves fit.
    fn shapes(
        &self,
        offers: &mut IdVec<OfferId, Offer>,
        pools: &IdVec<PoolId, Pool>,
        sites: usize,
        runs: &impl Fn(usize, usize) -> bool,
    ) -> (IdVec<ShapeId, Shape>, Bits) {
        let mut shapes: IdVec<ShapeId, Shape> = IdVec::new();
        let mut numbers: BTreeMap<(PoolId, usize, Bits), ShapeId> = BTreeMap::new();
        let mut usable = Bits::all(sites);
        let ids: Vec<OfferId> = offers.ids().collect();
        for id in ids {
            let mut daemons = Bits::none(self.problem.daemon_sets.len());
            for daemon in 0..self.problem.daemon_sets.len() {
                if runs(id.index(), daemon) {
                    daemons.insert(daemon);
                }
            }
            let Offer { pool, instance, .. } = offers[id];
            let shape = *numbers.entry((pool, instance, daemons)).or_insert_with_key(|key| {
                shapes.push(self.shape(instance, key.2.clone(), &pools[pool]))
            });
            offers[id].shape = shape;
            if !offers[id].available || shapes[shape].allocatable.iter().any(|amount| *amount < 0) {
                usable.remove(id.index());
            }
        }
        (shapes, usable)
    }

    fn shape(&self, instance: usize, daemons: Bits, rules: &Pool) -> Shape {
        let kind = &self.problem.instance_types[instance];
        let mut allocatable = self.dims.type_allocatable(kind);
        let mut ports = self.ports.none();
        for daemon in daemons.iter().map(|at| &self.problem.daemon_sets[at]) {
            let request = self.dims.requests(daemon);
            for (have, want) in allocatable.iter_mut().zip(&request) {
                *have = have.saturating_sub(*want);
            }
            ports.or(&self.ports.used_by(daemon).takes);
        }
        let charge = charge(&rules.limits, &kind.capacity);
        Shape { allocatable, ports, daemons, charge }
    }
}

/// Charges what runs already against the limits of its pool.
fn charge_running(problem: &Problem, pools: &mut IdVec<PoolId, Pool>) {
    let ids: Vec<PoolId> = pools.ids().collect();
    for id in ids {
        let name = &problem.node_pools[pools[id].index].name;
        let of_pool = |label: Option<&Arc<str>>| label == Some(name);
        for node in &problem.nodes {
            if !of_pool(node.labels.get(well_known::NODE_POOL)) {
                continue;
            }
            let kind = node.labels.get(well_known::INSTANCE_TYPE).and_then(|kind| {
                let types = &problem.instance_types;
                types.get(types.binary_search_by(|one| one.name.cmp(kind)).ok()?)
            });
            let capacity = kind.map_or(&node.allocatable, |kind| &kind.capacity);
            let charged = charge(&pools[id].limits, capacity);
            for (limit, amount) in pools[id].limits.iter_mut().zip(charged) {
                limit.used = limit.used.saturating_add(i128::from(amount));
            }
        }
    }
}

/// Adds the slots that a pod's own volumes take, and lists the volumes it shares.
fn volume_slots(
    pod: &Pod,
    dims: &Dims,
    shared: &BTreeSet<VolumeKey>,
    request: &mut [i64],
) -> Vec<SharedVolume> {
    let mut together = BTreeSet::new();
    let mut own = BTreeSet::new();
    for volume in &pod.volumes {
        let Some(at) = dims.driver(&volume.driver) else { continue };
        let of_one = (volume.driver.clone(), volume.id.clone());
        if shared.contains(&of_one) {
            let _new = together.insert((at, of_one));
        } else if own.insert(of_one) {
            request[at] += 1;
        }
    }
    together.into_iter().collect()
}

/// Rows by number, each distinct one once.
struct Rows {
    rows: IdVec<RowId, Bits>,
    numbers: BTreeMap<Bits, RowId>,
}

impl Rows {
    fn number(&mut self, row: Bits) -> RowId {
        if let Some(known) = self.numbers.get(&row) {
            return *known;
        }
        let id = self.rows.push(row.clone());
        let _new = self.numbers.insert(row, id);
        id
    }
}
