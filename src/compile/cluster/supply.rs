//! Nodes that come, go or change in a what-if, and what can be bought in it.
//!
//! A compiled what-if must equal the compilation of the problem written out, and cost what the
//! change costs. So all that the cluster's own compilation knows of a node (its labels as numbers,
//! its free room, taints, volumes, what it is charged for limits) is taken over for nodes that are
//! as given, and worked out for those that aren't. Pools' limits are counted by difference: what
//! goes is taken off, what comes is added.
//!
//! Where that can't be done (a rule of a new pod reads a label that was left open, so that offers
//! would have to be listed anew), the functions here say `None`, and the caller compiles anew.

use super::pods::Edits;
use super::{Cluster, Counted, MOST_KNOWN};
use crate::compile::alternatives::Alternatives;
use crate::compile::bits::Bits;
use crate::compile::id::{Id, IdVec, NodeId, OfferId, PoolId, ShapeId};
use crate::compile::label::{LabelSource, LabelTable};
use crate::compile::node::{self, Counting, RunningNode};
use crate::compile::offer::{Offer, min_values, reservations, static_replicas};
use crate::compile::resource::{Dims, charge, limits};
use crate::compile::shape::{Shape, charge_running};
use crate::compile::stages::{FittedShapes, LabelledSites, PodClasses, Vocabulary, flexible_keys};
use crate::compile::taint::{self, TaintedSites};
use crate::model::{Changed, LabelKeys, Offering, Parts, Pod, Requirements, well_known};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

impl Cluster {
    /// All nodes by their places, in the order of their names, and those that can take pods.
    ///
    /// A merge of the given nodes and the changed ones, both sorted by name.
    pub(super) fn standing(&self, parts: &Parts, changed: &Changed) -> (Vec<usize>, Vec<usize>) {
        let given = &parts.given().nodes;
        let mut standing: Vec<usize> = Vec::with_capacity(given.len() + 1);
        let mut from = 0;
        let mut new = given.len();
        for (name, node) in &changed.changes.nodes {
            let to = given.partition_point(|one| one.name < *name);
            standing.extend(from..to);
            if node.is_some() {
                standing.push(new);
                new += 1;
            }
            from = to + usize::from(given.get(to).is_some_and(|one| one.name == *name));
        }
        standing.extend(from..given.len());
        let is_open = |place: &usize| match self.nodes.get(*place) {
            Some(known) => known.is_some(),
            None => !parts.node(*place).deleting,
        };
        let open = standing.iter().copied().filter(is_open).collect();
        (standing, open)
    }

    /// The sites, with labels as far as pending pods read them; `None` where that asks for offers
    /// that aren't listed here.
    pub(super) fn sites(
        &self,
        parts: &Parts,
        changed: &Changed,
        asked: &PodClasses<'_>,
        standing: &[usize],
        open: &[usize],
    ) -> Option<LabelledSites> {
        let labels = open.iter().map(|place| match self.nodes.get(*place) {
            Some(Some(known)) => LabelSource::Known(known.entry),
            _ => LabelSource::New(parts.node(*place)),
        });
        let labels: Vec<LabelSource<'_>> = labels.collect();
        let min_values_keys = flexible_keys(parts.given());
        let table = LabelTable::taken_from(
            (&self.sites.table, &self.offered, self.sites.offers.len()),
            &asked.rules,
            min_values_keys,
            &asked.topology_keys,
            &labels,
        )?;
        let mut pools = self.sites.pools.clone();
        let nodes = || standing.iter().map(|place| parts.node(*place));
        let given = parts.given();
        for (at, pool) in &changed.changes.node_pools {
            pools[PoolId::from_index(*at)].limits = limits(pool);
        }
        for node in changed.changes.nodes.keys().filter_map(|name| changed.origin.node_place(name))
        {
            charge_running(parts, &mut pools, &given.nodes[node], -1);
        }
        for node in changed.changes.nodes.values().flatten() {
            charge_running(parts, &mut pools, node, 1);
        }
        for at in changed.changes.node_pools.keys() {
            // Limits that are new count from nothing.
            let id = PoolId::from_index(*at);
            pools[id].limits.iter_mut().for_each(|limit| limit.used = 0);
            let name = &given.node_pools[*at].name;
            let own = nodes().filter(|node| node.labels.get(well_known::NODE_POOL) == Some(name));
            own.for_each(|node| charge_running(parts, &mut pools, node, 1));
        }
        for pool in pools.values_mut() {
            let of = parts.node_pool(pool.index);
            pool.static_replicas = static_replicas(of, nodes());
            if !pool.min_values.is_empty() {
                let requirements: Requirements = of.requirements.iter().collect();
                pool.min_values = min_values(of, &requirements, &self.sites.declared, &table);
            }
        }
        let types = &changed.changes.instance_types;
        let (offers, reservations) = match types.is_empty() {
            true => (self.sites.offers.clone(), self.sites.reservations.clone()),
            false => (self.repriced(parts, changed)?, reservations(parts.instance_types())),
        };
        Some(LabelledSites {
            table,
            pools,
            offers,
            reservations,
            declared: self.sites.declared.clone(),
            first_offers: self.sites.first_offers.clone(),
        })
    }

    /// The offers of changed types with their prices, and whether they are on sale; `None` where
    /// the order of a type's offerings isn't what it was.
    ///
    /// Their shapes stay: a price changes no room.
    fn repriced(&self, parts: &Parts, changed: &Changed) -> Option<Arc<IdVec<OfferId, Offer>>> {
        let mut offers = (*self.sites.offers).clone();
        for (at, instance_type) in &changed.changes.instance_types {
            let given = &parts.given().instance_types[*at];
            let same = given.offerings.iter().zip(&instance_type.offerings).all(|(one, other)| {
                let id = |one: &Offering| {
                    one.reservation.as_ref().map(|reservation| reservation.id.clone())
                };
                (&one.zone, &one.capacity_type, &one.labels)
                    == (&other.zone, &other.capacity_type, &other.labels)
                    && id(one) == id(other)
            });
            if !same {
                return None;
            }
            for pool in self.sites.pools.ids() {
                let (first, count) = self
                    .sites
                    .first_offers
                    .get(&(pool, *at))
                    .copied()
                    .unwrap_or((OfferId::from_index(0), 0));
                for id in (first.index()..first.index() + count).map(OfferId::from_index) {
                    let offer = &mut offers[id];
                    let offering = &instance_type.offerings[offer.offering];
                    offer.price = i64::try_from(offering.price.nanos()).unwrap_or(i64::MAX);
                    offer.available = offering.available;
                }
            }
        }
        Some(Arc::new(offers))
    }

    /// The hard taints of these nodes.
    ///
    /// Taken from the lists of the cluster for nodes that are as given.
    pub(super) fn tainted(&self, parts: &Parts, open: &[usize]) -> TaintedSites {
        let first_node = self.sites.offers.len();
        let mut hard = TaintedSites::default();
        for (at, place) in open.iter().enumerate() {
            let site = first_node + at;
            match self.nodes.get(*place) {
                Some(Some(known)) => hard.note(&self.taints[known.taints as usize], site..site + 1),
                _ => {
                    let node = parts.node(*place);
                    hard.note(&taint::of_node(node, node::pool_of(parts, node)), site..site + 1);
                }
            }
        }
        hard
    }

    /// Launches and running nodes in the resources that are asked for.
    ///
    /// Worked out once for each combination of resources, of which what-ifs ask for few.
    pub(super) fn counted(&self, sites: &LabelledSites, dims: &Dims, places: &[usize]) -> Counted {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counted) = known.get(places) {
            return counted.clone();
        }
        let shapes = self.shapes.values().map(|shape| Shape {
            allocatable: places.iter().map(|at| shape.allocatable[*at]).collect(),
            used: shape.used.counted_in(dims),
            daemons: shape.daemons.clone(),
            charge: shape.charge.clone(),
        });
        let shapes: IdVec<ShapeId, Shape> = shapes.collect();
        let alternatives = Arc::new(Alternatives::new(&shapes, &sites.offers));
        let nodes = self.nodes.iter().map(|known| {
            known.as_ref().map(|known| Arc::new(known.running.counted_in(dims, places)))
        });
        let nodes = Arc::new(nodes.collect());
        let counted =
            Counted { fitted: FittedShapes { shapes: Arc::new(shapes), alternatives }, nodes };
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        let _new = known.insert(places.to_vec(), counted.clone());
        counted
    }

    /// What launches have room for and are charged.
    pub(super) fn fitted(
        &self,
        parts: &Parts,
        changed: &Changed,
        sites: &LabelledSites,
        counted: &Counted,
    ) -> FittedShapes {
        let pools = &changed.changes.node_pools;
        if pools.is_empty() {
            return counted.fitted.clone();
        }
        let mut shapes = (*counted.fitted.shapes).clone();
        for (shape, (pool, instance)) in shapes.values_mut().zip(self.of_shape.values()) {
            if pools.contains_key(&pool.index()) {
                let capacity = &parts.instance_type(*instance).capacity;
                shape.charge = charge(&sites.pools[*pool].limits, capacity);
            }
        }
        let alternatives = Arc::new(Alternatives::new(&shapes, &sites.offers));
        FittedShapes { shapes: Arc::new(shapes), alternatives }
    }

    /// The running nodes: those on which nothing changes as they are known.
    pub(super) fn running(
        &self,
        edits: &Edits<'_>,
        open: &[usize],
        vocabulary: &Vocabulary,
        counted: &Counted,
        runs: &dyn Fn(usize, usize) -> bool,
    ) -> IdVec<NodeId, Arc<RunningNode>> {
        let (parts, changed) = (edits.parts, edits.changed);
        let pods = edits.former.iter().chain(&edits.new);
        let touched: BTreeSet<&str> =
            pods.filter_map(|(_, pod)| pod.node_name.as_deref()).collect();
        let Vocabulary { dims, uses, .. } = vocabulary;
        let counting = Counting { dims, uses };
        let daemon_sets = &changed.origin.problem.daemon_sets;
        let running = open.iter().enumerate().map(|(at, place)| {
            let node = parts.node(*place);
            if let Some(Some(known)) = counted.nodes.get(*place)
                && !touched.contains(&*node.name)
            {
                return known.clone();
            }
            let bound = || changed.bound_to(&node.name);
            let own = |daemon: &(usize, &Pod)| runs(at, daemon.0);
            let own = daemon_sets.iter().enumerate().filter(own).map(|(_, pod)| pod);
            Arc::new(counting.running(*place, node, own, bound()))
        });
        running.collect()
    }

    /// The sites that can be used at all.
    ///
    /// Offers on sale with room for their daemons, and every running node.
    pub(super) fn usable_sites(&self, sites: &LabelledSites, nodes: usize) -> Bits {
        let mut usable = self.usable.resized(sites.offers.len() + nodes);
        for (id, _) in sites.offers.iter().filter(|(_, offer)| !offer.available) {
            usable.remove(id.index());
        }
        (0..nodes).for_each(|at| usable.insert(sites.offers.len() + at));
        usable
    }

    /// The label keys that nodes have.
    pub(super) fn label_keys(
        &self,
        parts: &Parts,
        edits: &Edits<'_>,
        standing: &[usize],
    ) -> Arc<LabelKeys> {
        let mut lost: BTreeMap<&Arc<str>, u32> = BTreeMap::new();
        let former = edits.former_nodes.iter().flat_map(|(_, node)| node.labels.iter());
        former.for_each(|(key, _)| *lost.entry(key).or_insert(0) += 1);
        let some_lost = lost.iter().any(|(key, lost)| self.node_keys.get(*key) == Some(lost));
        let mut new = edits.new_nodes.iter().flat_map(|(_, node)| node.labels.iter());
        match some_lost || new.any(|(key, _)| !self.node_keys.contains_key(key)) {
            true => Arc::new(LabelKeys::of(parts, standing.iter().copied())),
            false => self.label_keys.clone(),
        }
    }
}
