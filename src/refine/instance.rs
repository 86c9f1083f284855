//! The packing problem as numbers: demands, bins to fill, and what bins use up together.
//!
//! A *demand* is a class of pods, how many of them there are, and where they may go. A *bin* is one
//! kind of node: a bin type to launch, or running nodes that are alike. What only so many bins may
//! use (limits of pools, reservations, running nodes, what static pools launch) is a *supply*.
//!
//! Everything that concerns one node alone is in its [`Knapsack`], but for `minValues` and volumes
//! that several pods mount: a filling is held against these when it is made ([`Instance::legal`]),
//! and a bound that forgets them is a bound all the same.
//!
//! *Cost.* A knapsack for each kind of node: demands × bins, made side by side.

pub(super) use super::dual_prices::DualPrices;
use super::knapsack::{Knapsack, KnapsackGroup, KnapsackItem};
use super::node_rules::{DemandCap, PackingRules};
use crate::bound::certificate::divisor;
use crate::bound::{CandidateNode, Candidates, Demand, EqualNodes};
use crate::compile::{CapacitySource, ClassId, Id, ItemId, NodeId, NodeSource, PoolId};
use crate::pack::{Context, Packing, alike};
use crate::parallel;
use std::collections::{BTreeMap, BTreeSet};

/// Pods to place, bins to place them in.
#[derive(Debug)]
pub(super) struct Instance<'c> {
    pub(super) context: &'c Context<'c>,
    pub(super) demands: Vec<Demand>,
    pub(super) bins: Vec<Bin>,
    pub(super) supplies: Vec<SharedCapacity>,
    /// Demands of which a node holds only so much together.
    pub(super) groups: Vec<DemandCap>,
    /// All bins' costs are multiples of this.
    pub(super) step: i64,
    /// For each demand, its part: see [`Instance::parts`].
    pub(super) part_of: Vec<u32>,
    /// Whether running nodes may go, and have a price.
    pub(super) has_candidates: bool,
}

/// One kind of node.
#[derive(Debug)]
pub(super) struct Bin {
    pub(super) site: NodeSource<usize>,
    /// What one costs per hour, fees included, in billionths; nothing where it is paid in any case.
    pub(super) cost: i64,
    pub(super) knapsack: Knapsack,
    /// For each item of the knapsack, its demand; ascending.
    pub(super) items: Vec<u32>,
    /// For each group of the knapsack, its number among [`Instance::groups`].
    pub(super) groups: Vec<u32>,
    /// How much of which supplies one uses.
    pub(super) uses: Vec<(u32, i64)>,
    /// Pods that are there in any case, beside which the knapsack has room: demands with counts.
    pub(super) own: Vec<(u32, u32)>,
    /// What a pod costs that comes there, in billionths.
    pub(super) move_price: f64,
}

/// Something of which there is only so much.
#[derive(Clone, Copy, Debug)]
pub(super) struct SharedCapacity {
    pub(super) source: CapacitySource,
    pub(super) left: i128,
}

/// So many bins with these demands in each.
///
/// Patterns of one bin and equal items are equal whoever found them, so that a set tells the known
/// ones.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Pattern {
    pub(super) bin: u32,
    /// Demands with their counts, by demand.
    pub(super) items: Vec<(u32, u32)>,
}

impl Pattern {
    /// What its pods are worth together, of what one pod of each demand is.
    pub(super) fn worth(&self, values: &[f64]) -> f64 {
        let items = self.items.iter();
        items.map(|(demand, count)| values[*demand as usize] * f64::from(*count)).sum()
    }
}

impl Bin {
    /// What the items are worth, of what the demands are.
    pub(super) fn worth(&self, values: &[f64]) -> Vec<f64> {
        let worth = |demand: &u32| (values[*demand as usize] - self.move_price).max(0.0);
        self.items.iter().map(worth).collect()
    }

    /// What the pods are worth that are there in any case.
    pub(super) fn held(&self, values: &[f64]) -> f64 {
        self.own.iter().map(|(demand, count)| values[*demand as usize] * f64::from(*count)).sum()
    }

    /// What the pods of a pattern and those that are there are worth together, moves paid.
    pub(super) fn total(&self, pattern: &Pattern, values: &[f64]) -> f64 {
        self.held(values) + pattern.worth(values) - self.moves(pattern)
    }

    /// What the moves cost that a pattern takes.
    pub(super) fn moves(&self, pattern: &Pattern) -> f64 {
        let arriving: u64 = pattern.items.iter().map(|(_, count)| u64::from(*count)).sum();
        self.move_price * arriving as f64
    }

    /// A filling as a pattern of the bin with this number.
    pub(super) fn pattern(&self, number: usize, counts: &[(u32, u32)]) -> Pattern {
        let items = counts.iter().map(|(item, count)| (self.items[*item as usize], *count));
        Pattern { bin: number as u32, items: items.collect() }
    }

    /// What one costs at these prices of supplies.
    pub(super) fn net(&self, supplies: &[f64]) -> f64 {
        self.uses.iter().fold(self.cost as f64, |sum, (supply, each)| {
            sum + supplies[*supply as usize] * *each as f64
        })
    }
}

/// The candidate at a site, if there is one.
fn candidate_at<'a>(
    candidates: &'a Candidates,
    site: &NodeSource<usize>,
) -> Option<&'a CandidateNode> {
    candidates.nodes.get(site.nodes().first()?)
}

impl<'c> Instance<'c> {
    /// The bin types that can take some of the demands, and those of these running nodes that can,
    /// beside a packing that uses some of what is scarce. Static pools launch so many nodes,
    /// `static_replicas`, of whatever class.
    pub(super) fn new(
        context: &'c Context<'c>,
        demands: Vec<Demand>,
        running: &[NodeId],
        static_nodes: &BTreeMap<PoolId, u32>,
        rest: &Packing,
    ) -> Self {
        let compiled = context.compiled;
        let sold = (0..compiled.bin_types.len()).filter(|at| {
            let pool = compiled.bin_types[*at].pool;
            compiled.pools[pool].static_replicas.is_none() || static_nodes.contains_key(&pool)
        });
        let standing = alike(context, running).into_iter().map(NodeSource::Running);
        let left = |source: CapacitySource| match source {
            CapacitySource::Limit(pool, at) => rest.supplies.limits(pool)[at].max(0),
            CapacitySource::Reservation(id) => i128::from(rest.supplies.reserved(id)),
            CapacitySource::Nodes(_) => i128::MAX,
            CapacitySource::Static(pool) => static_nodes.get(&pool).copied().unwrap_or(0).into(),
        };
        let sites = sold.map(NodeSource::Launch).chain(standing).collect();
        Self::of(context, demands, sites, &left, &Candidates::default())
    }

    /// What can be launched, nodes that stay, and candidates, each by itself, with what is left of
    /// supplies once all candidates are gone.
    pub(super) fn of_cluster(
        context: &'c Context<'c>,
        demands: Vec<Demand>,
        staying: &BTreeSet<NodeId>,
        candidates: &Candidates,
        left: &dyn Fn(CapacitySource) -> i128,
    ) -> Self {
        let compiled = context.compiled;
        let mut standing = EqualNodes::of(compiled);
        standing.retain_mut(|equal| {
            equal.nodes.retain(|node| staying.contains(node));
            !equal.nodes.is_empty()
        });
        let standing = standing.into_iter().map(|equal| NodeSource::Running(equal.nodes));
        let going = candidates.nodes.keys().map(|node| NodeSource::Running(vec![*node]));
        let sold = (0..compiled.bin_types.len()).map(NodeSource::Launch);
        let sites = sold.chain(standing).chain(going).collect();
        Self::of(context, demands, sites, left, candidates)
    }

    /// These demands on these sites, with what is left of supplies; running nodes are as many as
    /// the site has, or fewer.
    fn of(
        context: &'c Context<'c>,
        demands: Vec<Demand>,
        sites: Vec<NodeSource<usize>>,
        left: &dyn Fn(CapacitySource) -> i128,
        candidates: &Candidates,
    ) -> Self {
        let mut instance = Self {
            context,
            part_of: (0..demands.len() as u32).collect(),
            demands,
            bins: Vec::new(),
            supplies: Vec::new(),
            groups: Vec::new(),
            step: 1,
            has_candidates: !candidates.nodes.is_empty(),
        };
        let rules = PackingRules::of(context.compiled, &instance.demands);
        let filled = parallel::map(&sites, |site| {
            instance.knapsack(&rules, site, candidate_at(candidates, site))
        });
        let number: BTreeMap<ItemId, u32> =
            instance.demands.iter().map(|demand| demand.item).zip(0..).collect();
        let mut numbers: BTreeMap<CapacitySource, u32> = BTreeMap::new();
        for (site, filled) in sites.into_iter().zip(filled) {
            let Some((knapsack, items, groups)) = filled else { continue };
            let mut uses = Vec::new();
            for (source, each) in instance.uses(&site) {
                let at = *numbers.entry(source).or_insert_with(|| {
                    instance.supplies.push(SharedCapacity { source, left: left(source) });
                    (instance.supplies.len() - 1) as u32
                });
                if let Some(nodes) = site.running() {
                    let left = &mut instance.supplies[at as usize].left;
                    *left = (*left).min(nodes.len() as i128);
                }
                uses.push((at, each));
            }
            let bought =
                site.launched().filter(|bin_type| instance.static_pool(*bin_type).is_none());
            let cost = bought.map_or(0, |bin_type| context.cost(bin_type));
            let candidate = candidate_at(candidates, &site);
            let own = candidate.map_or_else(Vec::new, |node| {
                let own = node.own.iter();
                own.filter_map(|(item, count)| Some((*number.get(item)?, *count))).collect()
            });
            let cost = candidate.map_or(cost, |node| node.price);
            let move_price = candidates.move_price;
            instance.bins.push(Bin { site, cost, knapsack, items, groups, uses, own, move_price });
        }
        instance.part_of = instance.parts();
        instance.step = instance.bins.iter().map(|bin| bin.cost).fold(0, divisor).max(1);
        instance.groups = rules.groups;
        instance
    }

    /// The same with so many pods of some demands, on these bins, with what is left of supplies: by
    /// the numbers of this instance.
    ///
    /// For repairs: a small instance of the pods that were taken out, on a few bins.
    pub(super) fn part(&self, counts: &BTreeMap<u32, u32>, bins: &[u32], left: &[i128]) -> Self {
        let demands = counts
            .iter()
            .map(|(demand, count)| Demand { count: *count, ..self.demands[*demand as usize] });
        let sites = bins.iter().map(|bin| self.bins[*bin as usize].site.clone());
        let supplies: BTreeMap<CapacitySource, i128> =
            self.supplies.iter().zip(left).map(|(supply, left)| (supply.source, *left)).collect();
        let left = |source: CapacitySource| supplies.get(&source).copied().unwrap_or(0).max(0);
        let none = Candidates::default();
        Self::of(self.context, demands.collect(), sites.collect(), &left, &none)
    }

    /// For each demand a number that it shares with those that compete with it, directly or through
    /// others, for what can be launched.
    ///
    /// Union-find over bins: demands that share a bin which can be launched are in one part.
    fn parts(&self) -> Vec<u32> {
        let mut part: Vec<u32> = (0..self.demands.len() as u32).collect();
        fn root(part: &mut [u32], mut at: u32) -> u32 {
            while part[at as usize] != at {
                part[at as usize] = part[part[at as usize] as usize];
                at = part[at as usize];
            }
            at
        }
        for bin in self.bins.iter().filter(|bin| bin.site.is_launch()) {
            let Some(first) = bin.items.first() else { continue };
            for other in &bin.items {
                let (one, other) = (root(&mut part, *first), root(&mut part, *other));
                part[one.max(other) as usize] = one.min(other);
            }
        }
        (0..self.demands.len() as u32).map(|at| root(&mut part, at)).collect()
    }

    /// The pool of a bin type, if that is static.
    ///
    /// Beside nodes that may go, what it launches is paid for like all else.
    fn static_pool(&self, bin_type: usize) -> Option<PoolId> {
        if self.has_candidates {
            return None;
        }
        let compiled = self.context.compiled;
        let pool = compiled.bin_types[bin_type].pool;
        compiled.pools[pool].static_replicas.map(|_| pool)
    }

    /// What one node of a site uses of what is scarce.
    ///
    /// A limit that is exceeded already counts with a charge of one at least, so that its supply of
    /// nothing keeps the pool from launching.
    fn uses(&self, site: &NodeSource<usize>) -> Vec<(CapacitySource, i64)> {
        let compiled = self.context.compiled;
        let Some(bin_type) = site.launched() else {
            let first = site.nodes().first();
            return first.map(|first| (CapacitySource::Nodes(*first), 1)).into_iter().collect();
        };
        if let Some(pool) = self.static_pool(bin_type) {
            return vec![(CapacitySource::Static(pool), 1)];
        }
        let bin_type = &compiled.bin_types[bin_type];
        let limits = compiled.pools[bin_type.pool].limits.iter();
        let charge = &compiled.shapes[bin_type.shape].charge;
        let limits = limits.zip(charge).enumerate().filter_map(|(at, (limit, each))| {
            // What is overrun already admits nothing, whatever a node would be charged.
            let counts = *each > 0 || limit.used > limit.limit;
            counts.then(|| (CapacitySource::Limit(bin_type.pool, at), (*each).max(1)))
        });
        let reserved = bin_type.reservation.map(|id| (CapacitySource::Reservation(id), 1));
        limits.chain(reserved).collect()
    }

    /// The demands that a site takes as a knapsack, with the numbers of its items' demands and of
    /// its groups; `None` where it takes none.
    fn knapsack(
        &self,
        rules: &PackingRules,
        site: &NodeSource<usize>,
        candidate: Option<&CandidateNode>,
    ) -> Option<(Knapsack, Vec<u32>, Vec<u32>)> {
        let compiled = self.context.compiled;
        let mut room = site.room(compiled)?;
        if let Some(candidate) = candidate {
            room.free = &candidate.free;
        }
        // What a spread's bound pods exceed may come down again once some of them go.
        let over_skew = |item: ItemId| {
            let class = ClassId::from_index(item.index());
            let Some(nodes) = site.running() else { return false };
            let mut nodes = nodes.iter();
            self.has_candidates && nodes.any(|node| compiled.over_skew.contains(&(*node, class)))
        };
        let mut items = Vec::new();
        let mut kept = Vec::new();
        for (number, demand) in (0..).zip(&self.demands) {
            let item = &compiled.items[demand.item];
            let is_admitted = match site.launched() {
                Some(bin_type) => {
                    let of_weight = compiled.bin_types[bin_type].weight;
                    demand.weight.is_none_or(|weight| weight == of_weight)
                        && compiled.compatibles[demand.item].contains(bin_type)
                }
                None => room.admits(item.eligibility) || over_skew(demand.item),
            };
            let most = if is_admitted { room.could_take_there(item) } else { 0 };
            let is_open = candidate.is_none_or(|node| node.receives);
            let most = if is_open { most.min(demand.count) } else { 0 };
            if most > 0 {
                items.push(KnapsackItem { request: item.request.clone(), most });
                kept.push(number);
            }
        }
        // A candidate may be worth keeping for its own pods.
        if kept.is_empty() && candidate.is_none_or(|node| node.own.is_empty()) {
            return None;
        }
        let place: BTreeMap<u32, u32> = kept.iter().copied().zip(0..).collect();
        let conflicts: Vec<Vec<u32>> = if rules.conflicts.is_empty() {
            Vec::new()
        } else {
            let there = |other: &u32| place.get(other).copied();
            let of_item = |demand: &u32| {
                rules.conflicts.get(demand).into_iter().flatten().filter_map(there).collect()
            };
            kept.iter().map(of_item).collect()
        };
        let groups = (0..).zip(&rules.groups).filter_map(|(number, group)| {
            let there =
                |(demand, each): &(u32, u32)| place.get(demand).map(|at| (*at, i64::from(*each)));
            let members: Vec<(u32, i64)> = group.members.iter().filter_map(there).collect();
            let used = group.cap.zip(room.node);
            let used = used.map_or(0, |(cap, node)| compiled.caps[cap].used_by_bound(node));
            let most = i64::from(group.most.saturating_sub(used));
            // What bound pods use up of a group is no part of what a certificate says of it.
            (!members.is_empty() && (used == 0 || !self.has_candidates))
                .then_some((number, KnapsackGroup { most, members }))
        });
        let (numbers, groups): (Vec<u32>, Vec<KnapsackGroup>) = groups.unzip();
        Some((Knapsack::new(room.free.to_vec(), &items, groups, &conflicts), kept, numbers))
    }

    /// As much of a pattern as one node may really hold.
    pub(super) fn legal(&self, pattern: Pattern) -> Pattern {
        let bin = &self.bins[pattern.bin as usize];
        let compiled = self.context.compiled;
        let Some(room) = bin.site.room(compiled) else { return pattern };
        let shares = |(demand, _): &(u32, u32)| {
            let item = &compiled.items[self.demands[*demand as usize].item];
            item.uses.is_shared()
        };
        let plain = room.min_values.is_none() && !pattern.items.iter().any(shares);
        if plain {
            return pattern;
        }
        let mut node = self.context.open(room);
        let mut items = Vec::with_capacity(pattern.items.len());
        for (demand, count) in pattern.items {
            let item = self.demands[demand as usize].item;
            let taken = node.takes(item, count);
            if taken > 0 {
                node.put(item, taken);
                items.push((demand, taken));
            }
        }
        Pattern { bin: pattern.bin, items }
    }

    /// For each demand, as many of its pods as fit into the bin that holds one of them for least.
    pub(super) fn singles(&self) -> Vec<Option<Pattern>> {
        let mut best: Vec<Option<(f64, Pattern)>> = vec![None; self.demands.len()];
        for (number, bin) in self.bins.iter().enumerate() {
            for (item, demand) in (0..).zip(&bin.items) {
                let most = u32::try_from(bin.knapsack.most(item as usize)).unwrap_or(0);
                if most == 0 {
                    continue;
                }
                let each = bin.cost as f64 / f64::from(most);
                let slot = &mut best[*demand as usize];
                if slot.as_ref().is_none_or(|(least, _)| each < *least) {
                    *slot = Some((each, bin.pattern(number, &[(item, most)])));
                }
            }
        }
        best.into_iter().map(|single| Some(single?.1)).collect()
    }

    /// An amount rounded up to one that a plan can cost: what all bins' costs are multiples of.
    pub(super) fn up(&self, amount: f64) -> i128 {
        let amount = (amount * (1.0 - 1e-9)).ceil() as i128;
        let step = i128::from(self.step);
        amount.saturating_add((step - amount.rem_euclid(step)) % step)
    }

    /// How many pods there are.
    pub(super) fn counts(&self) -> Vec<u32> {
        self.demands.iter().map(|demand| demand.count).collect()
    }
}
