//! From documents to a dense problem: strings become numbers, pods become classes, pools × types ×
//! offerings become offers with every label fixed, and every rule about nodes becomes bits.
//!
//! Offers and running nodes are both *sites*: places of which every label and taint is known. A set
//! of node rules is a *row*, the bits of the sites that meet it; pods with the same rules share the
//! row. After this nothing is a string, and whether a pod may run at a site is one bit and a
//! comparison of short vectors.
//!
//! What no decision changes is the [`Base`]. A [`Compiled`] problem is a base with classes to pack: at
//! first one for each kind of pending pods; once the packer has chosen domains for those with rules
//! between pods, the parts that result ([`Compiled::with_classes`]).

mod alternatives;
mod anchor;
mod bits;
mod column;
mod holders;
mod id;
mod intern;
mod kind;
mod label;
mod node;
mod offer;
mod open;
mod port;
mod quota;
mod resource;
mod row;
mod rule;
mod selection;
mod shape;
mod taint;
mod topology;
mod volume;
mod wish;

pub(crate) use anchor::Agreement;
pub(crate) use bits::Bits;
pub(crate) use column::Column;
pub(crate) use id::{
    CapId, ClassId, Id, IdTable, IdVec, KeyId, KindId, NodeId, OfferId, PoolId, ReservationId,
    RowId, SelectionId, ShapeId,
};
pub(crate) use node::Running;
pub(crate) use offer::{Flexible, Offer, Pin, Pool, Reserved};
pub(crate) use port::PortUse;
pub(crate) use quota::Quota;
pub(crate) use resource::{Dims, fits};
pub(crate) use row::Rows;
pub(crate) use rule::NODE_NAME;
pub(crate) use shape::Shape;
pub(crate) use taint::{is_tolerated, of_node, untolerated};
pub(crate) use topology::{NO_DOMAIN, Near, Over, Spread, Term, Topology};
pub(crate) use volume::{SharedVolumes, VolumeKey};
pub(crate) use wish::Wishes;

use crate::error::Error;
use crate::model::{Operator, Placeholder, Pod, Price, Problem};
use alternatives::Alternatives;
use anchor::Anchors;
use kind::{ReadLabels, kinds};
use label::LabelTable;
use offer::Market;
use port::Ports;
use rule::Rules;
use shape::{Daemons, charge_running};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;
use taint::TaintedSites;
use volume::{SharedVolume, limited_drivers, shared_volumes, volume_slots};
use wish::SoftTaints;

/// What no decision of a solve changes: sites, offers, nodes, rules.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) problem: Problem,
    pub(crate) dims: Dims,
    pub(crate) pools: IdVec<PoolId, Pool>,
    pub(crate) offers: IdVec<OfferId, Offer>,
    pub(crate) shapes: IdVec<ShapeId, Shape>,
    pub(crate) nodes: IdVec<NodeId, Running>,
    pub(crate) reservations: IdVec<ReservationId, Reserved>,
    /// For each pool with `minValues`, for each of its keys, the label's state at each site.
    pub(crate) flexible: BTreeMap<Arc<str>, Vec<u32>>,
    /// Label keys of which any type or offering says something.
    pub(crate) declared: BTreeSet<Arc<str>>,
    pub(crate) grounds: Grounds,
    pub(crate) topology: Topology,
    pub(crate) wishes: Wishes,
    pub(crate) kinds: IdVec<KindId, Kind>,
    /// The sites that can be used at all: running, or on sale with room for the daemons.
    pub(crate) usable: Bits,
    /// Running nodes that would admit a kind, had they not more pods already than its spread over hosts
    /// allows above none.
    pub(crate) crowded: BTreeSet<(NodeId, KindId)>,
    anchors: Anchors,
    /// Label keys that daemon sets read.
    daemon_keys: BTreeSet<Arc<str>>,
    alternatives: Alternatives,
    /// For each pool and type that it can use, the first of its offers and how many they are.
    first_offers: BTreeMap<(PoolId, usize), (OfferId, usize)>,
}

/// A problem made dense: a base, and classes of pods to pack.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    base: Arc<Base>,
    pub(crate) classes: IdVec<ClassId, Class>,
    /// The sites at which each distinct set of node rules is met: offers first, then nodes.
    pub(crate) rows: IdVec<RowId, Bits>,
    /// How many pods of some kinds a node may hold.
    pub(crate) caps: IdVec<CapId, Cap>,
    /// Classes of which a node holds few together.
    pub(crate) quotas: Vec<Quota>,
    /// What can be bought and no other offer dominates.
    pub(crate) columns: Vec<Column>,
    /// For each site, the rows that admit it.
    pub(crate) admits: Vec<Bits>,
    /// For each class, the columns that can take one of its pods.
    pub(crate) takers: IdVec<ClassId, Bits>,
    /// For each class, whether any site holds one of it.
    pub(crate) hopeful: IdVec<ClassId, bool>,
}

impl Deref for Compiled {
    type Target = Base;

    fn deref(&self) -> &Base {
        &self.base
    }
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

/// What is packed: at first a kind of pods; once domains are chosen a part of one, or pods of several
/// kinds that must share a node.
#[derive(Clone, Debug)]
pub(crate) struct Class {
    /// What one of these is: how many pods of which kinds.
    pub(crate) parts: Vec<(KindId, u32)>,
    /// How many there are, replicas counted.
    pub(crate) count: u32,
    /// What one asks for.
    pub(crate) request: Vec<i64>,
    /// Which sites meet its rules about nodes.
    pub(crate) row: RowId,
    pub(crate) priority: i32,
    /// How many of them a node can hold at most, whatever its size.
    pub(crate) per_node: u32,
    pub(crate) ports: PortUse,
    /// Classes that can't share a node with it, itself left out; sorted.
    pub(crate) conflicts: Vec<ClassId>,
    /// What one counts for under caps, by cap.
    pub(crate) caps: Vec<(CapId, u32)>,
    /// Volumes that other pods mount too, whose drivers some place limits.
    pub(crate) shared: Vec<SharedVolume>,
    /// Whether it may only use room that is there anyway.
    pub(crate) guest: bool,
}

impl Class {
    /// Whether no rule keeps its pods from others or from one another on a node.
    pub(crate) fn goes_anywhere(&self) -> bool {
        self.per_node == u32::MAX
            && self.conflicts.is_empty()
            && self.caps.is_empty()
            && self.shared.is_empty()
            && !self.ports.any()
    }
}

/// Pods that no rule can tell apart, as the documents have them.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    /// Indices of the problem's entries, ascending: the first stands for all.
    pub(crate) entries: Vec<u32>,
    /// The number of its set of rules about nodes.
    pub(crate) rules: usize,
    /// The keys over which its domain must be known.
    pub(crate) sticky: Vec<KeyId>,
    /// Kinds of which no pod may share a node with one of its own, sorted; itself among them where
    /// they are alone of their kind.
    pub(crate) apart: Vec<KindId>,
}

/// A rule that lets a node hold so many pods of a selection and no more.
#[derive(Clone, Debug)]
pub(crate) struct Cap {
    pub(crate) most: u32,
    /// The classes that it counts.
    pub(crate) counted: Bits,
    /// What bound pods count for, by node.
    pub(crate) used: Vec<(NodeId, u32)>,
}

/// Whether the pool or the type of an offer lists a value of a label.
fn is_listed(
    problem: &Problem,
    pool: &Pool,
    offer: &Offer,
    key: &Arc<str>,
    value: &Option<Arc<str>>,
) -> bool {
    let pool = problem.node_pools[pool.index].requirements.iter();
    let mut both = pool.chain(&problem.instance_types[offer.instance].requirements);
    value.as_ref().is_some_and(|value| {
        both.any(|one| {
            one.key == *key && one.operator == Operator::In && one.values.contains(value)
        })
    })
}

/// The most pairs of a set of rules and a site, so that memory stays bounded (one bit each).
const MAX_BITS: usize = 1 << 33;

impl Compiled {
    /// Makes a problem dense; each expected interruption of a node adds so much to what offers cost.
    ///
    /// # Errors
    /// A problem with more kinds of things than there is memory for.
    pub(crate) fn new(problem: &Problem, interruption: Price) -> Result<Self, Error> {
        let daemons = &problem.daemon_sets;
        let pending = problem.pods.iter().filter(|pod| pod.node_name.is_none());
        let dims = Dims::of(pending.chain(daemons), limited_drivers(problem));
        let ports = Ports::of(problem.pods.iter().chain(daemons));
        let shared = shared_volumes(problem, &dims);
        let members = kinds(problem, &dims, &ReadLabels::of(problem), &shared);
        let exemplars: IdVec<KindId, &Pod> = members
            .values()
            .filter_map(|kind| problem.pods.get(*kind.entries.first()? as usize))
            .collect();

        let mut rules = Rules::default();
        let of_kind: Vec<usize> = exemplars.values().map(|pod| rules.of(pod)).collect();
        let of_daemon: Vec<usize> = daemons.iter().map(|pod| rules.of(pod)).collect();
        let terms = exemplars.values().map(|pod| Wishes::of(&mut rules, pod)).collect();

        let flexible_keys: BTreeSet<Arc<str>> = problem
            .node_pools
            .iter()
            .flat_map(|pool| &pool.requirements)
            .filter(|requirement| requirement.min_values.is_some())
            .map(|requirement| requirement.key.clone())
            .collect();
        let topology_keys = topology::keys(problem);
        let domains = open::domains(problem, &topology_keys);
        let mut table = LabelTable::new(&rules, flexible_keys.iter().cloned(), domains);
        let Market { mut pools, mut offers, reservations, declared } =
            Market::of(problem, interruption, &mut table).map_err(Error::unsupported)?;
        let mut nodes = node::running(problem, &dims, &ports, &shared);
        nodes.values().for_each(|node| node::push_labels(&mut table, problem, node));
        let sites = offers.len() + nodes.len();
        let bits = sites.saturating_mul(rules.sets().len() + rules.atoms().len());
        if bits > MAX_BITS {
            return Err(Error::unsupported(vec![rule::too_many(
                rules.sets().len(),
                sites,
                MAX_BITS,
            )]));
        }

        let mut tainted = TaintedSites::default();
        let mut soft = SoftTaints { all: Vec::new(), sites: Vec::new(), len: sites };
        soft.all.extend(problem.node_pools.iter().map(|pool| &pool.taints[..]));
        let standing = nodes.values().map(|running| &problem.nodes[running.index].taints[..]);
        soft.all.extend(standing);
        for (offer, Offer { pool, .. }) in offers.iter() {
            let pool = &problem.node_pools[pools[*pool].index];
            tainted.note(taint::of_pool(pool), offer.index());
            soft.sites.push((&pool.taints, offer.index()));
        }
        for (id, running) in nodes.iter() {
            let node = &problem.nodes[running.index];
            let taints = of_node(node, node::pool_of(problem, node));
            tainted.note(taints, offers.len() + id.index());
            soft.sites.push((&node.taints, offers.len() + id.index()));
        }
        let wishes = Wishes {
            terms,
            untainted: soft.untainted(&rules.tolerations),
            disliked: soft.disliked(&rules.tolerations),
        };
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

        let ground = topology::Ground {
            problem,
            exemplars: &exemplars,
            nodes: &nodes,
            first_node,
            sites,
            table: &grounds.table,
            rules: &grounds.rules,
            of_kind: &of_kind,
            holds: &grounds.holds,
            tolerated: &grounds.tolerated,
        };
        let (topology, fixed) = ground.topology(topology_keys);
        let anchors = {
            let open = offers.values().any(|offer| !offer.pinned.is_empty());
            Anchors::of(&topology, &fixed.sticky, sites, open)
        };
        let mut rows = Rows::default();
        let mut crowded: BTreeSet<(NodeId, KindId)> = BTreeSet::new();
        let mut classes: IdVec<ClassId, Class> = IdVec::new();
        for ((id, pod), members) in exemplars.iter().zip(members.values()) {
            let mut row = met[of_kind[id.index()]].clone();
            row.and(&usable);
            fixed.barred[id].iter().for_each(|barred| row.and_not(barred));
            for node in &fixed.crowded[id] {
                let site = first_node + node.index();
                if row.contains(site) {
                    row.remove(site);
                    let _new = crowded.insert((*node, id));
                }
            }
            let ports = ports.used_by(pod);
            let apart = &fixed.apart[id];
            let alone = ports.any() || apart.binary_search(&id).is_ok();
            let mut request = dims.requests(pod);
            let shared = volume_slots(pod, &dims, &shared, &mut request);
            let others = apart.iter().filter(|other| **other != id);
            let _id = classes.push(Class {
                parts: vec![(id, 1)],
                count: members.count,
                request,
                row: rows.number(&row),
                priority: pod.priority,
                per_node: if alone { 1 } else { u32::MAX },
                ports,
                conflicts: others.map(|other| ClassId::from_index(other.index())).collect(),
                caps: Vec::new(),
                shared,
                guest: pod.placeholder() == Some(Placeholder::Free),
            });
        }
        let flexible = flexible_keys.into_iter().map(|key| {
            let mut states = grounds.table.states(&key).to_vec();
            // A value that nobody lists is one that a launch may be given, not one that it keeps open.
            for (id, offer) in offers.iter() {
                let mut pins = offer.pinned.iter().filter(|(pinned, _)| *pinned == key);
                if pins
                    .any(|(_, value)| !is_listed(problem, &pools[offer.pool], offer, &key, value))
                    && let Some(state) = states.get_mut(id.index())
                {
                    *state = 0;
                }
            }
            (key, states)
        });
        let flexible = flexible.collect();
        let alternatives = Alternatives::new(&shapes, &offers);
        let daemon_keys =
            of_daemon.iter().flat_map(|set| grounds.rules.keys(*set)).cloned().collect();
        let mut first_offers: BTreeMap<(PoolId, usize), (OfferId, usize)> = BTreeMap::new();
        for (id, offer) in offers.iter() {
            first_offers.entry((offer.pool, offer.instance)).or_insert((id, 0)).1 += 1;
        }
        let kinds = members.iter().map(|(id, members)| Kind {
            entries: members.entries.clone(),
            rules: of_kind[id.index()],
            sticky: fixed.sticky[id].clone(),
            apart: fixed.apart[id].clone(),
        });
        let kinds = kinds.collect();
        let base = Base {
            problem: problem.clone(),
            dims,
            pools,
            offers,
            shapes,
            nodes,
            reservations,
            alternatives,
            flexible,
            declared,
            grounds,
            topology,
            wishes,
            kinds,
            usable,
            crowded,
            anchors,
            daemon_keys,
            first_offers,
        };
        Ok(Self::of(Arc::new(base), classes, rows.rows, IdVec::new()))
    }

    /// The same base with other classes to pack.
    pub(crate) fn with_classes(
        &self,
        classes: IdVec<ClassId, Class>,
        rows: IdVec<RowId, Bits>,
        caps: IdVec<CapId, Cap>,
    ) -> Self {
        Self::of(self.base.clone(), classes, rows, caps)
    }

    fn of(
        base: Arc<Base>,
        classes: IdVec<ClassId, Class>,
        rows: IdVec<RowId, Bits>,
        caps: IdVec<CapId, Cap>,
    ) -> Self {
        let mut compiled = Self {
            base,
            classes,
            rows,
            caps,
            quotas: Vec::new(),
            columns: Vec::new(),
            admits: Vec::new(),
            takers: IdVec::new(),
            hopeful: IdVec::new(),
        };
        let classes = compiled.classes.values();
        let hopeful = classes.map(|class| compiled.holds_any(&compiled.rows[class.row], class));
        compiled.hopeful = hopeful.collect();
        (compiled.columns, compiled.admits) = column::columns(&compiled);
        compiled.takers = compiled.takers();
        compiled.quotas = compiled.quotas();
        compiled
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

    /// How many pods are pending.
    pub(crate) fn pending(&self) -> usize {
        self.classes
            .values()
            .map(|class| {
                let each: u32 = class.parts.iter().map(|(_, count)| count).sum();
                class.count as usize * each as usize
            })
            .sum()
    }
}

impl Base {
    /// The sites at which some of these terms holds.
    pub(crate) fn any_term(&self, terms: &[Vec<usize>]) -> Bits {
        any_term(terms, &self.grounds.holds, self.offers.len() + self.nodes.len())
    }

    /// How many sites there are: offers, then running nodes.
    pub(crate) fn sites(&self) -> usize {
        self.offers.len() + self.nodes.len()
    }

    /// Whether a launch can take an offer: it is for sale, and of its reservation there is some left.
    pub(crate) fn is_sold(&self, offer: OfferId) -> bool {
        let offer = &self.offers[offer];
        offer.available && offer.reservation.is_none_or(|id| self.reservations[id].remaining > 0)
    }

    /// Whether the limits of its pool leave room for a node of an offer, beside what runs already.
    pub(crate) fn is_within_limits(&self, offer: OfferId) -> bool {
        let offer = &self.offers[offer];
        let limits = self.pools[offer.pool].limits.iter().zip(&self.shapes[offer.shape].charge);
        limits
            .into_iter()
            .all(|(limit, charge)| limit.used.saturating_add(i128::from(*charge)) <= limit.limit)
    }

    /// The site of an offer, as a bit of the rows.
    pub(crate) fn site_of_offer(&self, offer: OfferId) -> usize {
        offer.index()
    }

    /// The site of a running node, as a bit of the rows.
    pub(crate) fn site_of_node(&self, node: NodeId) -> usize {
        self.offers.len() + node.index()
    }

    /// The first pod of a kind.
    pub(crate) fn exemplar(&self, kind: KindId) -> Option<&Pod> {
        self.problem.pods.get(*self.kinds[kind].entries.first()? as usize)
    }
}

/// The sites at which some term holds wholly; an empty term never does.
pub(crate) fn any_term(terms: &[Vec<usize>], holds: &[Bits], sites: usize) -> Bits {
    let mut any = Bits::none(sites);
    for term in terms.iter().filter(|term| !term.is_empty()) {
        let mut whole = Bits::all(sites);
        term.iter().for_each(|atom| whole.and(&holds[*atom]));
        any.or(&whole);
    }
    any
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
            for terms in set.terms.iter().chain(&set.volumes) {
                met.and(&any_term(terms, &self.holds, sites));
            }
            met
        });
        met.collect()
    }
}
