//! From documents to a dense problem: strings become numbers, pods become classes, pools × types ×
//! offerings become offers with every label fixed, and every rule about nodes becomes bits.
//!
//! Offers and running nodes are both *sites*: places of which every label and taint is known. A set
//! of node rules is an *eligibility set*, the bits of the sites that meet it; pods with the same
//! rules share the eligibility set. After this nothing is a string, and whether a pod may run at a
//! site is one bit and a comparison of short vectors.
//!
//! What no decision changes is the [`Base`]. A [`Compiled`] problem is a base with items to pack:
//! at first one for each class of pending pods; once the packer has chosen domains for those with
//! rules between pods, the parts that result ([`Compiled::with_items`]).
//!
//! # Who tells what apart
//!
//! | many | become few | because | in |
//! |---|---|---|---|
//! | pods | [`PodClass`]es | no rule reads what they differ in | `pod_class` |
//! | sets of rules about nodes | eligibility sets | they hold at the same sites | `rule`, `eligibility` |
//! | pools × types × offerings × open labels | [`Offer`]s | every label is fixed | `offer`, `open` |
//! | offers | [`BinType`]s | size, price and who may go there are equal | `bin_type` |
//! | selectors | selections | they mean the same pods | `selection` |
//! | lists of taints and tolerations | numbers | they are equal | `taint` |
//!
//! # Cost
//!
//! For `p` pods, `c` classes, `s` sites and `r` distinct conditions: classes take time linear in
//! `p`; labels `s` times the number of keys that are read; eligibility sets `c · s / 64` words. A
//! problem of ten thousand classes and a thousand sites is a megabyte of bits. A limit on `c · s`
//! is checked before anything of that size is made.
//!
//! # Order
//!
//! Ids follow the order of the problem, which is sorted: classes that of their first pods, offers
//! that of pools, types and offerings, nodes that of their names. So equal problems compile to
//! equal numbers, and what is decided by the lowest id is decided by names.

mod alternatives;
mod anchor;
mod bin_type;
mod bits;
mod cardinality;
mod cluster;
mod eligibility;
mod fixed_rules;
mod holders;
mod host_port;
mod id;
mod intern;
mod label;
mod min_values;
mod node;
mod node_room;
mod node_source;
mod node_use;
mod offer;
mod open;
mod open_alternatives;
mod open_node;
mod pod_class;
mod preference;
mod resource;
mod rule;
mod selection;
mod shape;
mod stages;
mod supply;
mod taint;
mod topology;
mod volume;

pub(crate) use alternatives::AlternativesKey;
pub(crate) use anchor::Agreement;
pub(crate) use bin_type::BinType;
pub(crate) use bits::Bits;
pub(crate) use cardinality::CardinalityConstraint;
pub(crate) use cluster::Cluster;
pub(crate) use eligibility::EligibilitySets;
pub(crate) use id::{
    CapId, ClassId, EligibilityId, Id, IdTable, IdVec, ItemId, KeyId, NodeId, OfferId, PoolId,
    ReservationId, SelectionId, ShapeId,
};
pub(crate) use min_values::{
    FixedLabels, LaunchMinValues, MinValuesChoice, is_alternative, may_become, meets_minimums,
};
pub(crate) use node::RunningNode;
pub(crate) use node_room::{NodeRoom, PodsTogether};
pub(crate) use node_source::{NodeSource, NodesAtSite};
pub(crate) use node_use::{NodeUse, PodUse};
pub(crate) use offer::{FixedLabel, MinValues, Offer, Pool, Reserved};
pub(crate) use open_node::{OpenNode, SharingRules};
pub(crate) use preference::NodePreferences;
pub(crate) use resource::{Dims, fits};
pub(crate) use rule::NODE_NAME;
pub(crate) use selection::selects as selects_pod;
pub(crate) use shape::{Shape, charge_of_running};
pub(crate) use supply::{CapacitySource, Draw, SupplyLedger};
pub(crate) use taint::{is_tolerated, of_node, untolerated};
pub(crate) use topology::{
    AffinityTerm, NO_DOMAIN, RequiredAffinity, Topology, TopologyKey, TopologySpread,
    disruption_taint,
};

use crate::model::{LabelKeys, Operator, Parts, Pod, Problem};
use alternatives::{AlternativeGroups, Alternatives};
use anchor::Anchors;
use label::LabelTable;
use rule::NodeRuleSets;
use stages::FirstOffers;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;
use taint::TaintedSites;

/// What no decision of a solve changes: sites, offers, nodes, rules.
///
/// Shared by everything that is made of one problem, so nothing in it may change once it is made.
#[derive(Debug)]
pub(crate) struct Base {
    /// The problem itself, part by part, for what ids stand for.
    pub(crate) parts: Parts,
    /// The label keys that nodes have.
    pub(crate) label_keys: Arc<LabelKeys>,
    /// All nodes, those that are being deleted among them, by their places in the problem.
    pub(crate) standing: Vec<usize>,
    /// The nodes that are being deleted, by their places, each with what would be free beside the
    /// pods there and the daemons.
    pub(crate) deleting: Vec<(usize, Vec<i64>)>,
    /// The resources that vectors have, in order, with their units.
    pub(crate) dims: Dims,
    /// Node pools with what is used of their limits.
    pub(crate) pools: IdVec<PoolId, Pool>,
    /// Every way to buy a node; sites begin with these.
    pub(crate) offers: Arc<IdVec<OfferId, Offer>>,
    /// For each pool and type, the room that is left beside daemons.
    pub(crate) shapes: Arc<IdVec<ShapeId, Shape>>,
    /// Running nodes that can take pods; sites end with these.
    pub(crate) nodes: IdVec<NodeId, Arc<RunningNode>>,
    /// Reservations with what is left of each.
    pub(crate) reservations: IdVec<ReservationId, Reserved>,
    /// For each pool with `minValues`, for each of its keys, the label's state at each site.
    pub(crate) min_values: BTreeMap<Arc<str>, Vec<u32>>,
    /// Label keys of which any type or offering says something.
    pub(crate) declared: Arc<BTreeSet<Arc<str>>>,
    /// For each condition of a rule, the sites that meet it.
    pub(crate) site_conditions: SiteConditions,
    /// Rules between pods: keys with their domains, selections, and who has which rule.
    pub(crate) topology: Topology,
    /// What pods would rather have of nodes.
    pub(crate) preferences: NodePreferences,
    /// The pods, those alike as one.
    pub(crate) classes: IdVec<ClassId, PodClass>,
    /// The sites that can be used at all: running, or on sale with room for the daemons.
    pub(crate) usable: Bits,
    /// Running nodes that would admit a class, had they not more pods already than its spread over
    /// hosts allows above none.
    pub(crate) over_skew: BTreeSet<(NodeId, ClassId)>,
    /// Labels that are left open where a launch needn't fix them.
    anchors: Anchors,
    /// Label keys that daemon sets read.
    daemon_keys: BTreeSet<Arc<str>>,
    /// What may be launched in place of what.
    alternatives: Arc<Alternatives>,
    /// The same by size and by what pools ask `minValues` of.
    alternative_groups: AlternativeGroups,
    /// Where the offers of each type of a pool begin.
    first_offers: Arc<FirstOffers>,
}

/// A problem made dense: a base, and classes of pods to pack.
///
/// It derefs to its base. Views of one problem (the classes as they are, and the items of an
/// assignment) differ in the fields below `base` only.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    /// What doesn't depend on what is packed; shared by all views of the problem.
    base: Arc<Base>,
    /// What is packed: the classes, or the parts that an assignment made of them.
    pub(crate) items: IdVec<ItemId, Item>,
    /// The sites at which each distinct set of node rules is met: offers first, then nodes.
    pub(crate) eligible: IdVec<EligibilityId, Bits>,
    /// How many pods of some classes a node may hold.
    pub(crate) caps: IdVec<CapId, HostSpreadCap>,
    /// Items of which a node holds few together.
    pub(crate) cardinality_constraints: Vec<CardinalityConstraint>,
    /// What can be bought and no other offer dominates.
    pub(crate) bin_types: Vec<BinType>,
    /// For each site, the eligibility sets that admit it.
    pub(crate) admits: Vec<Bits>,
    /// For each item, the bin types that can take one of its pods.
    pub(crate) compatibles: IdVec<ItemId, Bits>,
    /// For each item, whether any site holds one of it.
    pub(crate) placeable: IdVec<ItemId, bool>,
}

impl Deref for Compiled {
    type Target = Base;

    fn deref(&self) -> &Base {
        &self.base
    }
}

/// What reasons are made from: which condition holds where.
///
/// A class whose pods have no place is explained condition by condition: which of them alone rules
/// out how many sites.
#[derive(Debug)]
pub(crate) struct SiteConditions {
    pub(crate) rules: NodeRuleSets,
    pub(crate) table: LabelTable,
    /// For each label condition of the rules, the sites at which it holds.
    pub(crate) holds: Vec<Bits>,
    /// For each distinct list of tolerations, the sites that it tolerates.
    pub(crate) tolerated: Vec<Bits>,
}

/// What is packed: at first a class of pods; once domains are chosen a part of one, or pods of
/// several classes that must share a node.
///
/// Packing, bounds and refinement know items only; classes come back when a plan is written.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// What one of these is: how many pods of which classes.
    pub(crate) parts: Vec<(ClassId, u32)>,
    /// How many there are, replicas counted.
    pub(crate) count: u32,
    /// What one asks for.
    pub(crate) request: Vec<i64>,
    /// Which sites meet its rules about nodes.
    pub(crate) eligibility: EligibilityId,
    /// The pods' priority: of a higher one nobody is left out for the sake of a lower one.
    pub(crate) priority: i32,
    /// How many of them a node can hold at most, whatever its size.
    pub(crate) per_node: u32,
    /// What a pod uses of its node beside amounts.
    pub(crate) uses: PodUse,
    /// Items that can't share a node with it, itself left out; sorted.
    pub(crate) conflicts: Vec<ItemId>,
    /// What one counts for under caps, by cap.
    pub(crate) caps: Vec<(CapId, u32)>,
    /// Whether it may only use room that is there anyway.
    pub(crate) placeholder: bool,
}

/// Most items of most problems are such ones, and take the shortest way through every check.
impl Item {
    /// Whether no rule keeps its pods from others or from one another on a node.
    pub(crate) fn goes_anywhere(&self) -> bool {
        self.per_node == u32::MAX
            && self.conflicts.is_empty()
            && self.caps.is_empty()
            && self.uses.is_none()
    }
}

/// Pods that no rule can tell apart, as the documents have them.
///
/// Its pods differ in names, and in labels and annotations that nobody reads.
#[derive(Clone, Debug)]
pub(crate) struct PodClass {
    /// Indices of the problem's entries, ascending: the first stands for all.
    pub(crate) entries: Vec<u32>,
    /// The number of its set of rules about nodes.
    pub(crate) rules: usize,
    /// The keys over which its domain must be known.
    pub(crate) domain_keys: Vec<KeyId>,
    /// Classes of which no pod may share a node with one of its own, sorted; itself among them
    /// where they are alone of their class.
    pub(crate) host_conflicts: Vec<ClassId>,
}

/// A rule that lets a node hold so many pods of a selection and no more.
///
/// A hard spread over hosts comes down to this where some node must stand empty of the selection:
/// the lowest count is none, so no node may hold more than `maxSkew`.
#[derive(Clone, Debug)]
pub(crate) struct HostSpreadCap {
    pub(crate) most: u32,
    /// The items that it counts.
    pub(crate) counted: Bits,
    /// What bound pods count for, by node.
    pub(crate) used: Vec<(NodeId, u32)>,
}

impl HostSpreadCap {
    /// What bound pods use of it on a node.
    ///
    /// By binary search: few nodes have any.
    pub(crate) fn used_by_bound(&self, node: NodeId) -> u32 {
        self.used.binary_search_by_key(&node, |(of, _)| *of).map_or(0, |at| self.used[at].1)
    }
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

impl Compiled {
    /// The same base with other items to pack.
    ///
    /// Bin types, cardinality constraints and who fits where are worked out anew for the items.
    pub(crate) fn with_items(
        &self,
        items: IdVec<ItemId, Item>,
        eligibility_sets: IdVec<EligibilityId, Bits>,
        caps: IdVec<CapId, HostSpreadCap>,
    ) -> Self {
        Self::of(self.base.clone(), items, eligibility_sets, caps)
    }

    fn of(
        base: Arc<Base>,
        items: IdVec<ItemId, Item>,
        eligibility_sets: IdVec<EligibilityId, Bits>,
        caps: IdVec<CapId, HostSpreadCap>,
    ) -> Self {
        let mut compiled = Self {
            base,
            items,
            eligible: eligibility_sets,
            caps,
            cardinality_constraints: Vec::new(),
            bin_types: Vec::new(),
            admits: Vec::new(),
            compatibles: IdVec::new(),
            placeable: IdVec::new(),
        };
        let items = compiled.items.values();
        let placeable =
            items.map(|item| compiled.holds_any(&compiled.eligible[item.eligibility], item));
        compiled.placeable = placeable.collect();
        (compiled.bin_types, compiled.admits) = bin_type::bin_types(&compiled);
        compiled.compatibles = compiled.compatibles();
        compiled.cardinality_constraints = compiled.cardinality_constraints();
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
    ///
    /// Pods of items that hold several count each.
    pub(crate) fn pending(&self) -> usize {
        self.items
            .values()
            .map(|item| {
                let each: u32 = item.parts.iter().map(|(_, count)| count).sum();
                item.count as usize * each as usize
            })
            .sum()
    }
}

impl Base {
    /// The sites at which some of these terms holds.
    pub(crate) fn any_term(&self, terms: &[Vec<usize>]) -> Bits {
        any_term(terms, &self.site_conditions.holds, self.offers.len() + self.nodes.len())
    }

    /// How many sites there are: offers, then running nodes.
    pub(crate) fn sites(&self) -> usize {
        self.offers.len() + self.nodes.len()
    }

    /// Whether a launch can take an offer: it is for sale, and of its reservation there is some
    /// left.
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

    /// The site of an offer, as a bit of the eligibility sets.
    pub(crate) fn site_of_offer(&self, offer: OfferId) -> usize {
        offer.index()
    }

    /// The site of a running node, as a bit of the eligibility sets.
    pub(crate) fn site_of_node(&self, node: NodeId) -> usize {
        self.offers.len() + node.index()
    }

    /// The running node at a site; `None` where that is an offer.
    pub(crate) fn node_at(&self, site: usize) -> Option<NodeId> {
        site.checked_sub(self.offers.len()).map(NodeId::from_index)
    }

    /// The first pod of a class.
    pub(crate) fn exemplar(&self, class: ClassId) -> Option<&Pod> {
        Some(self.parts.pod(*self.classes[class].entries.first()? as usize))
    }
}

/// The sites at which some term holds wholly; an empty term never does.
///
/// As in Kubernetes: terms are alternatives, and a term that says nothing matches no node.
pub(crate) fn any_term(terms: &[Vec<usize>], holds: &[Bits], sites: usize) -> Bits {
    let mut any = Bits::none(sites);
    for term in terms.iter().filter(|term| !term.is_empty()) {
        let mut whole = Bits::all(sites);
        term.iter().for_each(|condition| whole.and(&holds[*condition]));
        any.or(&whole);
    }
    any
}

impl SiteConditions {
    fn of(rules: NodeRuleSets, table: LabelTable, tainted: &TaintedSites, sites: usize) -> Self {
        let holds = table.holds(&rules, sites);
        let lists = rules.tolerations.lists();
        let tolerated = lists.iter().map(|list| tainted.tolerated(list, sites)).collect();
        Self { rules, table, holds, tolerated }
    }

    /// For each set of rules, the sites that meet it.
    fn met(&self, sites: usize) -> Vec<Bits> {
        let met = self.rules.sets().iter().map(|set| {
            let mut met = self.tolerated[set.tolerations].clone();
            set.all.iter().for_each(|condition| met.and(&self.holds[*condition]));
            for terms in set.terms.iter().chain(&set.volumes) {
                met.and(&any_term(terms, &self.holds, sites));
            }
            met
        });
        met.collect()
    }
}
