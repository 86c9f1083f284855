//! What the bound is a bound for: the pods that a plan places, and what others must keep of it.
//!
//! A plan's lower bound speaks of all plans that place the same pods, on pools of the same weights (or
//! on running nodes), and honour the preferences that this one honours. So pods of one kind are told
//! apart by the weight of the pool that they are on and by the preferences about nodes that they
//! honour there; each such *claim* is a class of its own, that may go to the sites which keep it.
//! Where no node of the plan holds more of a kind than a spread over hosts would have it, soft or not, that
//! is kept too: a cap for each node, since a fresh node always has none.
//!
//! All other rules between pods are left out: a bound without them is a bound all the same.

use crate::bound::Demand;
use crate::bound::certificate::Pods;
use crate::compile::{
    Bits, Class, ClassId, Compiled, Id, IdVec, KindId, NodeId, Over, PoolId, RowId, Rows, Spread,
};
use crate::pack::{Context, Packed, Place};
use std::collections::{BTreeMap, BTreeSet};

/// Pods of one kind of which other plans must keep the same.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Claim {
    pub(super) kind: KindId,
    /// The weight of the pools that they are on; `None`: on running nodes, so that they may be anywhere.
    pub(super) weight: Option<i32>,
    /// Which terms of their preferred node affinity are honoured.
    pub(super) terms: Vec<u32>,
    /// Whether no `PreferNoSchedule` taint of their node is untolerated.
    pub(super) untainted: bool,
}

/// The claims of a plan, each a class.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) list: Vec<Claim>,
    /// How many pods.
    pub(super) counts: Vec<u32>,
    /// By claim: how many of its pods a node may hold for the sake of spreads over hosts.
    pub(super) per_node: Vec<Option<u32>>,
    /// How many nodes static pools launch: in this plan, and so in all.
    pub(super) fixed: BTreeMap<PoolId, u32>,
    pub(super) compiled: Compiled,
}

impl Claims {
    pub(super) fn of(context: &Context<'_>, packed: &Packed) -> Self {
        Self::counted(context, packed, true)
    }

    /// As [`Claims::of`], where nodes may hold as many pods as spreads over hosts allow beside other
    /// nodes.
    pub(super) fn uncapped(context: &Context<'_>, packed: &Packed) -> Self {
        Self::counted(context, packed, false)
    }

    /// Whether no node holds more of any kind than its spreads over hosts allow beside a fresh node.
    pub(super) fn keeps_hosts(&self, context: &Context<'_>) -> bool {
        let topology = &context.compiled.topology;
        self.list.iter().zip(&self.per_node).all(|(claim, per_node)| {
            let mut own = topology.rules[claim.kind].spreads.iter().filter(|spread| {
                spread.hard
                    && spread.over == Over::Host
                    && topology.selects(spread.selection, claim.kind)
            });
            let mut is_within = |most: u32| own.all(|spread| i64::from(most) <= spread.max_skew);
            is_within(per_node.unwrap_or(u32::MAX))
        })
    }

    fn counted(context: &Context<'_>, packed: &Packed, capped: bool) -> Self {
        let whole = context.compiled;
        let mut counts: BTreeMap<Claim, u32> = BTreeMap::new();
        let mut fixed: BTreeMap<PoolId, u32> = BTreeMap::new();
        let mut nodes_of: BTreeMap<Claim, BTreeSet<NodeId>> = BTreeMap::new();
        let inner = Context { compiled: packed.compiled(whole), ..*context };
        for group in &packed.state.groups {
            let weight = match group.place {
                Place::Launch(column) => {
                    let column = &inner.compiled.columns[column];
                    if whole.pools[column.pool].fixed.is_some() {
                        *fixed.entry(column.pool).or_insert(0) += group.times;
                    }
                    Some(column.weight)
                }
                Place::Running(_) => None,
            };
            for (class, count) in &group.items {
                let class = &inner.compiled.classes[*class];
                if class.guest {
                    continue;
                }
                let sites = &inner.compiled.rows[class.row];
                for (kind, each) in &class.parts {
                    let claim = Claim::of(context, *kind, weight, sites);
                    if let Place::Running(nodes) = &group.place {
                        // Even where bound pods crowd a node for the sake of a spread.
                        nodes_of.entry(claim.clone()).or_default().extend(nodes);
                    }
                    *counts.entry(claim).or_insert(0) += each * count * group.times;
                }
            }
        }
        let most = crowds(inner.compiled);
        let (list, counts): (Vec<Claim>, Vec<u32>) = counts.into_iter().unzip();
        let per_node: Vec<Option<u32>> =
            list.iter().map(|claim| cap(context, claim.kind, &most).filter(|_| capped)).collect();
        let compiled = compiled(whole, &list, &counts, &per_node, &nodes_of);
        Self { list, counts, per_node, fixed, compiled }
    }

    /// All pending pods, of which nothing is kept but what they ask for: a claim for each kind.
    pub(super) fn of_all(context: &Context<'_>) -> Self {
        let whole = context.compiled;
        let claim = |kind| Claim { kind, weight: None, terms: Vec::new(), untainted: false };
        let list: Vec<Claim> = whole.kinds.ids().map(claim).collect();
        // Pods that only use room that is left have no claim to a place.
        let count = |class: &Class| if class.guest { 0 } else { class.count };
        let counts: Vec<u32> = whole.classes.values().map(count).collect();
        let per_node = vec![None; list.len()];
        let compiled = compiled(whole, &list, &counts, &per_node, &BTreeMap::new());
        Self { list, counts, per_node, fixed: BTreeMap::new(), compiled }
    }

    /// One demand for each claim.
    pub(super) fn demands(&self) -> Vec<Demand> {
        let demands = self.counts.iter().enumerate().map(|(at, count)| Demand {
            class: ClassId::from_index(at),
            weight: None,
            count: *count,
            beyond_running: 0,
        });
        demands.collect()
    }

    /// The pods of a claim as a certificate counts them, each worth so much.
    pub(super) fn pods(&self, at: usize, value: i128) -> Pods {
        let claim = &self.list[at];
        Pods {
            kind: claim.kind,
            weight: claim.weight,
            honours: claim.terms.clone(),
            untainted: claim.untainted,
            beyond_running: false,
            per_node: self.per_node[at],
            count: self.counts[at],
            value,
        }
    }

    /// What pods of these demands are worth where those of the claims are worth so much: for each kind
    /// and weight the mean of its claims.
    pub(super) fn values(
        &self,
        of_claims: &[f64],
        compiled: &Compiled,
        demands: &[Demand],
    ) -> Vec<f64> {
        let mut sums: BTreeMap<(KindId, Option<i32>), (f64, f64)> = BTreeMap::new();
        for ((claim, count), value) in self.list.iter().zip(&self.counts).zip(of_claims) {
            let sum = sums.entry((claim.kind, claim.weight)).or_default();
            sum.0 += f64::from(*count) * value;
            sum.1 += f64::from(*count);
        }
        let mean = |kind: KindId, weight: Option<i32>| {
            sums.get(&(kind, weight)).map_or(0.0, |(value, count)| value / count.max(1.0))
        };
        let of_demand = |demand: &Demand| {
            let parts = compiled.classes[demand.class].parts.iter();
            parts.map(|(kind, each)| f64::from(*each) * mean(*kind, demand.weight)).sum()
        };
        demands.iter().map(of_demand).collect()
    }
}

impl Claim {
    /// What a pod of a kind keeps wherever it is among the sites that its class may go to.
    pub(super) fn of(
        context: &Context<'_>,
        kind: KindId,
        weight: Option<i32>,
        sites: &Bits,
    ) -> Self {
        let base = context.compiled;
        let mut claim = Self { kind, weight, terms: Vec::new(), untainted: false };
        let list = tolerations(base, kind);
        let disliked = base.wishes.disliked.get(list).copied().unwrap_or(false);
        if !context.wishful || base.wishes.terms[kind].is_empty() && !disliked {
            return claim;
        }
        let mut sites = sites.clone();
        sites.and(&base.usable);
        sites.and(&of_weight(base, weight));
        for (at, (_, term)) in (0..).zip(&base.wishes.terms[kind]) {
            let holds = |atom: &usize| base.grounds.holds[*atom].includes(&sites);
            if !term.is_empty() && term.iter().all(holds) {
                claim.terms.push(at);
            }
        }
        claim.untainted = disliked && base.wishes.untainted[list].includes(&sites);
        claim
    }

    /// The sites that keep it.
    fn sites(&self, base: &Compiled) -> Bits {
        let mut sites = Bits::all(base.sites());
        for term in &self.terms {
            if let Some((_, term)) = base.wishes.terms[self.kind].get(*term as usize) {
                term.iter().for_each(|atom| sites.and(&base.grounds.holds[*atom]));
            }
        }
        if self.untainted {
            sites.and(&base.wishes.untainted[tolerations(base, self.kind)]);
        }
        sites.and(&of_weight(base, self.weight));
        sites
    }
}

/// Running nodes, and what pools of a weight launch.
fn of_weight(base: &Compiled, weight: Option<i32>) -> Bits {
    let mut sites = Bits::all(base.sites());
    if let Some(weight) = weight {
        for (offer, of) in base.offers.iter() {
            if base.pools[of.pool].weight != weight {
                sites.remove(base.site_of_offer(offer));
            }
        }
    }
    sites
}

fn tolerations(base: &Compiled, kind: KindId) -> usize {
    base.grounds.rules.sets()[base.kinds[kind].rules].tolerations
}

/// For each kind, how many of its pods a node may hold as the packer sees it.
fn crowds(compiled: &Compiled) -> BTreeMap<KindId, u32> {
    let mut most = BTreeMap::new();
    for class in compiled.classes.values() {
        let caps = class.caps.iter().map(|(cap, each)| compiled.caps[*cap].most / (*each).max(1));
        let of_class = caps.min().unwrap_or(u32::MAX).min(class.per_node);
        for (kind, each) in &class.parts {
            let slot = most.entry(*kind).or_insert(0);
            // Classes of a kind that count for one cap share it; others could meet on a node.
            *slot = of_class.saturating_mul(*each).max(*slot);
        }
    }
    most
}

/// How many pods of a kind a node may hold for the sake of its spreads over hosts that the plan keeps.
fn cap(context: &Context<'_>, kind: KindId, most: &BTreeMap<KindId, u32>) -> Option<u32> {
    let topology = &context.compiled.topology;
    let kept = |spread: &&Spread| {
        spread.over == Over::Host
            && topology.selects(spread.selection, kind)
            && (spread.hard || context.wishful)
    };
    let skews = topology.rules[kind].spreads.iter().filter(kept);
    let caps = skews.map(|spread| u32::try_from(spread.max_skew.max(1)).unwrap_or(u32::MAX));
    let held = most.get(&kind).copied().unwrap_or(u32::MAX);
    caps.filter(|cap| held <= *cap).min()
}

/// What tells the sites of claims apart: the kind's rules, the weight, and the preferences kept.
type Key<'a> = (RowId, Option<i32>, KindId, &'a [u32], bool);

/// A problem of which each claim is a class.
fn compiled(
    whole: &Compiled,
    list: &[Claim],
    counts: &[u32],
    per_node: &[Option<u32>],
    nodes: &BTreeMap<Claim, BTreeSet<NodeId>>,
) -> Compiled {
    let mut of_kind: BTreeMap<KindId, BTreeSet<ClassId>> = BTreeMap::new();
    for (at, claim) in list.iter().enumerate() {
        of_kind.entry(claim.kind).or_default().insert(ClassId::from_index(at));
    }
    let mut rows = Rows::default();
    let mut known: BTreeMap<Key<'_>, RowId> = BTreeMap::new();
    let mut classes: IdVec<ClassId, Class> = IdVec::new();
    for ((claim, count), per_node) in list.iter().zip(counts).zip(per_node) {
        let class = &whole.classes[ClassId::from_index(claim.kind.index())];
        // The kind matters only where it has preferences that are kept.
        let plain = claim.terms.is_empty() && !claim.untainted;
        let of = if plain { KindId::from_index(0) } else { claim.kind };
        let key = (class.row, claim.weight, of, &claim.terms[..], claim.untainted);
        let row = *known.entry(key).or_insert_with(|| {
            let mut row = claim.sites(whole);
            row.and(&whole.rows[class.row]);
            rows.number(&row)
        });
        let mut row = row;
        let used = nodes.get(claim).into_iter().flatten();
        let used = used.map(|node| whole.site_of_node(*node));
        let beyond: Vec<usize> = used.filter(|site| !rows.rows[row].contains(*site)).collect();
        if !beyond.is_empty() {
            let mut all = rows.rows[row].clone();
            beyond.into_iter().for_each(|site| all.insert(site));
            row = rows.number(&all);
        }
        let id = ClassId::from_index(classes.len());
        let of_kinds = |other: &ClassId| {
            of_kind.get(&KindId::from_index(other.index())).into_iter().flatten().copied()
        };
        let alone = class.per_node == 1;
        let mut conflicts: Vec<ClassId> = class.conflicts.iter().flat_map(of_kinds).collect();
        if alone {
            conflicts.extend(of_kind.get(&claim.kind).into_iter().flatten());
        }
        conflicts.retain(|other| *other != id);
        conflicts.sort_unstable();
        conflicts.dedup();
        let _id = classes.push(Class {
            count: *count,
            row,
            per_node: class.per_node.min(per_node.unwrap_or(u32::MAX)),
            conflicts,
            ..class.clone()
        });
    }
    whole.with_classes(classes, rows.rows, IdVec::new())
}
