//! The packing problem as numbers: demands, bins to fill, and what bins use up together.
//!
//! A *demand* is a class of pods, how many of them there are, and where they may go. A *bin* is one
//! kind of node: a column to launch, or running nodes that are alike. What only so many bins may use
//! (limits of pools, reservations, running nodes, what static pools launch) is a *supply*.
//!
//! Everything that concerns one node alone is in its [`Sack`], but for `minValues` and volumes that
//! several pods mount: a filling is held against these when it is made ([`Instance::legal`]), and a
//! bound that forgets them is a bound all the same.

use super::knapsack::{Group, Item, Sack, divisor};
use super::prove::{Kind, scale};
use super::wish::Pace;
use crate::bound::Demand;
use crate::compile::{CapId, ClassId, Compiled, Id, IdVec, NodeId, PoolId, ReservationId};
use crate::pack::{Context, Node, Room, State, alike, room_of};
use crate::parallel;
use std::collections::BTreeMap;

/// Pods to place, bins to place them in.
#[derive(Debug)]
pub(super) struct Instance<'c> {
    pub(super) context: &'c Context<'c>,
    pub(super) demands: Vec<Demand>,
    pub(super) bins: Vec<Bin>,
    pub(super) supplies: Vec<Supply>,
    /// Demands of which a node holds only so much together.
    pub(super) groups: Vec<Together>,
    /// All bins' costs are multiples of this.
    pub(super) step: i64,
    /// For each demand, its part: see [`Instance::parts`].
    pub(super) part_of: Vec<u32>,
}

/// One kind of node.
#[derive(Debug)]
pub(super) struct Bin {
    pub(super) site: Site,
    /// What one costs per hour, fees included, in billionths; nothing where it is paid in any case.
    pub(super) cost: i64,
    pub(super) sack: Sack,
    /// For each item of the sack, its demand; ascending.
    pub(super) items: Vec<u32>,
    /// For each group of the sack, its number among [`Instance::groups`].
    pub(super) groups: Vec<u32>,
    /// How much of which supplies one uses.
    pub(super) uses: Vec<(u32, i64)>,
}

/// Where a bin is.
#[derive(Clone, Debug)]
pub(super) enum Site {
    /// A launch of a column, by its index.
    Launch(usize),
    /// These running nodes.
    Running(Vec<NodeId>),
}

/// Something of which there is only so much.
#[derive(Clone, Copy, Debug)]
pub(super) struct Supply {
    pub(super) source: Source,
    pub(super) left: i128,
}

/// What a supply is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Source {
    /// A limit of a pool, by its place.
    Limit(PoolId, usize),
    Reservation(ReservationId),
    /// The running nodes of which this is the first.
    Nodes(NodeId),
    /// The launches of a static pool, which are paid in any case.
    Fixed(PoolId),
}

impl Source {
    /// Whether its price pays for the bins that draw on it, whatever they cost.
    fn is_own(self) -> bool {
        match self {
            Self::Limit(..) => false,
            Self::Reservation(_) | Self::Nodes(_) | Self::Fixed(_) => true,
        }
    }
}

/// So many bins with these demands in each.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Pattern {
    pub(super) bin: u32,
    /// Demands with their counts, by demand.
    pub(super) items: Vec<(u32, u32)>,
}

/// Prices, and the bound that they prove as far as floats can tell.
#[derive(Clone, Debug)]
pub(super) struct Prices {
    /// For each demand, what one of its pods is worth, in billionths.
    pub(super) values: Vec<f64>,
    /// For each supply, what a unit costs.
    pub(super) supplies: Vec<f64>,
    /// No plan costs less.
    pub(super) bound: f64,
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
        self.items.iter().map(|demand| values[*demand as usize]).collect()
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

impl<'c> Instance<'c> {
    /// The columns that can take some of the demands, and those of these running nodes that can, beside a
    /// packing that uses some of what is scarce. Static pools launch so many nodes, `fixed`, of whatever kind.
    pub(super) fn new(
        context: &'c Context<'c>,
        demands: Vec<Demand>,
        running: &[NodeId],
        fixed: &BTreeMap<PoolId, u32>,
        rest: &State,
    ) -> Self {
        let compiled = context.compiled;
        let sold = (0..compiled.columns.len()).filter(|at| {
            let pool = compiled.columns[*at].pool;
            compiled.pools[pool].fixed.is_none() || fixed.contains_key(&pool)
        });
        let standing = alike(context, running).into_iter().map(Site::Running);
        let left = |source: Source| match source {
            Source::Limit(pool, at) => rest.limits_left(pool)[at].max(0),
            Source::Reservation(id) => i128::from(rest.reserved_left(id)),
            Source::Nodes(_) => i128::MAX,
            Source::Fixed(pool) => fixed.get(&pool).copied().unwrap_or(0).into(),
        };
        Self::of(context, demands, sold.map(Site::Launch).chain(standing).collect(), &left)
    }

    /// These demands on these sites, with what is left of supplies; running nodes are as many as the
    /// site has, or fewer.
    fn of(
        context: &'c Context<'c>,
        demands: Vec<Demand>,
        sites: Vec<Site>,
        left: &dyn Fn(Source) -> i128,
    ) -> Self {
        let mut instance = Self {
            context,
            part_of: (0..demands.len() as u32).collect(),
            demands,
            bins: Vec::new(),
            supplies: Vec::new(),
            groups: Vec::new(),
            step: 1,
        };
        let rules = Rules::of(context.compiled, &instance.demands);
        let filled = parallel::map(&sites, |site| instance.sack(&rules, site));
        let mut numbers: BTreeMap<Source, u32> = BTreeMap::new();
        for (site, filled) in sites.into_iter().zip(filled) {
            let Some((sack, items, groups)) = filled else { continue };
            let mut uses = Vec::new();
            for (source, each) in instance.uses(&site) {
                let at = *numbers.entry(source).or_insert_with(|| {
                    instance.supplies.push(Supply { source, left: left(source) });
                    (instance.supplies.len() - 1) as u32
                });
                if let Site::Running(nodes) = &site {
                    let left = &mut instance.supplies[at as usize].left;
                    *left = (*left).min(nodes.len() as i128);
                }
                uses.push((at, each));
            }
            let cost = match site {
                Site::Launch(column) if instance.static_pool(column).is_none() => {
                    context.cost(column)
                }
                Site::Launch(_) | Site::Running(_) => 0,
            };
            instance.bins.push(Bin { site, cost, sack, items, groups, uses });
        }
        instance.part_of = instance.parts();
        instance.step = instance.bins.iter().map(|bin| bin.cost).fold(0, divisor).max(1);
        instance.groups = rules.groups;
        instance
    }

    /// The same with so many pods of some demands, on these bins, with what is left of supplies: by
    /// the numbers of this instance.
    pub(super) fn part(&self, counts: &BTreeMap<u32, u32>, bins: &[u32], left: &[i128]) -> Self {
        let demands = counts
            .iter()
            .map(|(demand, count)| Demand { count: *count, ..self.demands[*demand as usize] });
        let sites = bins.iter().map(|bin| self.bins[*bin as usize].site.clone());
        let supplies: BTreeMap<Source, i128> =
            self.supplies.iter().zip(left).map(|(supply, left)| (supply.source, *left)).collect();
        let left = |source: Source| supplies.get(&source).copied().unwrap_or(0).max(0);
        Self::of(self.context, demands.collect(), sites.collect(), &left)
    }

    /// For each demand a number that it shares with those that compete with it, directly or through
    /// others, for what can be launched.
    fn parts(&self) -> Vec<u32> {
        let mut part: Vec<u32> = (0..self.demands.len() as u32).collect();
        fn root(part: &mut [u32], mut at: u32) -> u32 {
            while part[at as usize] != at {
                part[at as usize] = part[part[at as usize] as usize];
                at = part[at as usize];
            }
            at
        }
        for bin in self.bins.iter().filter(|bin| matches!(bin.site, Site::Launch(_))) {
            let Some(first) = bin.items.first() else { continue };
            for other in &bin.items {
                let (one, other) = (root(&mut part, *first), root(&mut part, *other));
                part[one.max(other) as usize] = one.min(other);
            }
        }
        (0..self.demands.len() as u32).map(|at| root(&mut part, at)).collect()
    }

    /// As [`Instance::scaled`], with over-estimates that are searched for where they matter.
    pub(super) fn sharpened(&self, values: Vec<f64>, supplies: Vec<f64>, pace: Pace<'_>) -> Prices {
        let numbers: Vec<usize> = (0..self.bins.len()).collect();
        // What costs nothing is never scaled, so its over-estimates add up.
        let ceilings = parallel::map(&numbers, |number| {
            let bin = &self.bins[*number];
            if self.is_free(bin) { bin.sack.relax(&bin.worth(&values), None).ceiling } else { 0.0 }
        });
        let mut prices = self.scaled(values, supplies, &ceilings);
        let mut of_part: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (number, bin) in self.bins.iter().enumerate() {
            if matches!(bin.site, Site::Launch(_))
                && let Some(first) = bin.items.first()
            {
                of_part.entry(self.part_of[*first as usize]).or_default().push(number);
            }
        }
        let parts: Vec<(u32, Vec<usize>)> = of_part.into_iter().collect();
        let factors = parallel::map(&parts, |(_, bins)| {
            let worths: Vec<Vec<f64>> =
                bins.iter().map(|at| self.bins[*at].worth(&prices.values)).collect();
            let kinds: Vec<Kind<'_>> = bins
                .iter()
                .zip(&worths)
                .map(|(at, values)| Kind {
                    sack: &self.bins[*at].sack,
                    values,
                    limit: self.bins[*at].net(&prices.supplies),
                })
                .collect();
            scale(&kinds, pace)
        });
        let factors: BTreeMap<u32, f64> =
            parts.iter().map(|(part, _)| *part).zip(factors).collect();
        for (value, part) in prices.values.iter_mut().zip(&self.part_of) {
            *value *= factors.get(part).copied().unwrap_or(1.0).min(1.0);
        }
        prices.bound = self.bound(&prices);
        prices
    }

    /// Whether a bin is paid for by the price of a supply of its own.
    fn is_free(&self, bin: &Bin) -> bool {
        bin.uses.iter().any(|(supply, _)| self.supplies[*supply as usize].source.is_own())
    }

    /// The pool of a column, if that is static.
    fn static_pool(&self, column: usize) -> Option<PoolId> {
        let compiled = self.context.compiled;
        let pool = compiled.columns[column].pool;
        compiled.pools[pool].fixed.map(|_| pool)
    }

    /// What prices prove, if no bin can hold more than it costs.
    fn bound(&self, prices: &Prices) -> f64 {
        let worth = self.demands.iter().zip(&prices.values);
        let worth: f64 = worth.map(|(demand, value)| f64::from(demand.count) * value).sum();
        let paid = self.supplies.iter().zip(&prices.supplies);
        worth - paid.map(|(supply, price)| supply.left as f64 * price).sum::<f64>()
    }

    /// Prices made into a solution of the dual by what each bin can hold at most, and their bound.
    ///
    /// Each part of the demands is scaled by itself. What costs nothing is paid for by the price of the
    /// supply that it draws on, since that can't be had by scaling.
    pub(super) fn scaled(
        &self,
        mut values: Vec<f64>,
        mut supplies: Vec<f64>,
        ceilings: &[f64],
    ) -> Prices {
        let own = |supply: u32| self.supplies[supply as usize].source.is_own();
        let mut needed = vec![0.0_f64; supplies.len()];
        for (bin, ceiling) in self.bins.iter().zip(ceilings) {
            for (supply, _) in bin.uses.iter().filter(|(supply, _)| own(*supply)) {
                let slot = &mut needed[*supply as usize];
                *slot = slot.max(ceiling - bin.cost as f64);
            }
        }
        for (number, price) in (0..).zip(&mut supplies) {
            if own(number) {
                *price = needed[number as usize];
            }
        }
        let mut factors = vec![1.0_f64; self.demands.len()];
        for (bin, ceiling) in self.bins.iter().zip(ceilings) {
            let (net, Some(first)) = (bin.net(&supplies), bin.items.first()) else { continue };
            if *ceiling > net {
                let factor = &mut factors[self.part_of[*first as usize] as usize];
                *factor = factor.min(if net > 0.0 { net / ceiling } else { 0.0 });
            }
        }
        for (value, part) in values.iter_mut().zip(&self.part_of) {
            *value *= factors[*part as usize];
        }
        let mut prices = Prices { values, supplies, bound: 0.0 };
        prices.bound = self.bound(&prices);
        prices
    }

    /// Lowers what the pods of a pattern are worth to what it costs.
    pub(super) fn respect(&self, prices: &mut Prices, pattern: &Pattern) {
        let bin = &self.bins[pattern.bin as usize];
        let (worth, net) = (pattern.worth(&prices.values), bin.net(&prices.supplies));
        if worth <= net || net <= 0.0 {
            return;
        }
        for (demand, _) in &pattern.items {
            let value = &mut prices.values[*demand as usize];
            let less = *value * (1.0 - net / worth);
            *value -= less;
            prices.bound -= less * f64::from(self.demands[*demand as usize].count);
        }
    }

    /// What one node of a site uses of what is scarce.
    fn uses(&self, site: &Site) -> Vec<(Source, i64)> {
        let compiled = self.context.compiled;
        match site {
            Site::Running(nodes) => {
                nodes.first().map(|first| (Source::Nodes(*first), 1)).into_iter().collect()
            }
            Site::Launch(column) => {
                if let Some(pool) = self.static_pool(*column) {
                    return vec![(Source::Fixed(pool), 1)];
                }
                let column = &compiled.columns[*column];
                let limits = compiled.pools[column.pool].limits.iter();
                let charge = &compiled.shapes[column.shape].charge;
                let limits = limits.zip(charge).enumerate().filter_map(|(at, (limit, each))| {
                    // What is overrun already admits nothing, whatever a node would be charged.
                    let counts = *each > 0 || limit.used > limit.limit;
                    counts.then(|| (Source::Limit(column.pool, at), (*each).max(1)))
                });
                let reserved = column.reservation.map(|id| (Source::Reservation(id), 1));
                limits.chain(reserved).collect()
            }
        }
    }

    /// The room of a bin's node.
    fn room(&self, site: &Site) -> Option<Room<'_>> {
        match site {
            Site::Launch(column) => Some(self.context.room(*column)),
            Site::Running(nodes) => Some(room_of(self.context, *nodes.first()?)),
        }
    }

    /// The demands that a site takes as a knapsack, with the numbers of its items' demands and of its
    /// groups; `None` where it takes none.
    fn sack(&self, rules: &Rules, site: &Site) -> Option<(Sack, Vec<u32>, Vec<u32>)> {
        let compiled = self.context.compiled;
        let room = self.room(site)?;
        let mut items = Vec::new();
        let mut kept = Vec::new();
        for (number, demand) in (0..).zip(&self.demands) {
            let class = &compiled.classes[demand.class];
            let most = match site {
                Site::Launch(column) => {
                    let of_weight = compiled.columns[*column].weight;
                    if demand.weight.is_some_and(|weight| weight != of_weight)
                        || !compiled.takers[demand.class].contains(*column)
                    {
                        continue;
                    }
                    room.could_take_there(class)
                }
                Site::Running(_) if room.admits(class.row) => room.could_take_there(class),
                Site::Running(_) => 0,
            };
            let most = most.min(demand.count);
            if most > 0 {
                items.push(Item { request: class.request.clone(), most });
                kept.push(number);
            }
        }
        if kept.is_empty() {
            return None;
        }
        let place: BTreeMap<u32, u32> = kept.iter().copied().zip(0..).collect();
        let conflicts: Vec<Vec<u32>> = if rules.apart.is_empty() {
            Vec::new()
        } else {
            let there = |other: &u32| place.get(other).copied();
            let of_item = |demand: &u32| {
                rules.apart.get(demand).into_iter().flatten().filter_map(there).collect()
            };
            kept.iter().map(of_item).collect()
        };
        let groups = (0..).zip(&rules.groups).filter_map(|(number, group)| {
            let there =
                |(demand, each): &(u32, u32)| place.get(demand).map(|at| (*at, i64::from(*each)));
            let members: Vec<(u32, i64)> = group.members.iter().filter_map(there).collect();
            let used = group.cap.zip(room.node).map_or(0, |(cap, node)| {
                let used = &compiled.caps[cap].used;
                used.binary_search_by_key(&node, |(of, _)| *of).map_or(0, |at| used[at].1)
            });
            let most = i64::from(group.most.saturating_sub(used));
            (!members.is_empty()).then_some((number, Group { most, members }))
        });
        let (numbers, groups): (Vec<u32>, Vec<Group>) = groups.unzip();
        Some((Sack::new(room.free.to_vec(), &items, groups, &conflicts), kept, numbers))
    }

    /// As much of a pattern as one node may really hold.
    pub(super) fn legal(&self, pattern: Pattern) -> Pattern {
        let bin = &self.bins[pattern.bin as usize];
        let compiled = self.context.compiled;
        let Some(room) = self.room(&bin.site) else { return pattern };
        let shares = |(demand, _): &(u32, u32)| {
            let class = &compiled.classes[self.demands[*demand as usize].class];
            !class.shared.is_empty()
        };
        let plain = room.flexible.is_none() && !pattern.items.iter().any(shares);
        if plain {
            return pattern;
        }
        let mut left: IdVec<ClassId, u32> = compiled.classes.iter().map(|_| 0).collect();
        for (demand, count) in &pattern.items {
            left[self.demands[*demand as usize].class] += count;
        }
        let mut node = Node::new(self.context, &room, &[], &left);
        let mut items = Vec::with_capacity(pattern.items.len());
        for (demand, count) in pattern.items {
            let class = self.demands[demand as usize].class;
            let taken = node.takes(class).min(count);
            if taken > 0 {
                node.put(class, taken, 0);
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
                let most = u32::try_from(bin.sack.most(item as usize)).unwrap_or(0);
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

/// Rules about what shares a node, by demand.
struct Rules {
    /// For each demand that has any, the others that can't share a node with it.
    apart: BTreeMap<u32, Vec<u32>>,
    groups: Vec<Together>,
}

/// Demands of which a node holds only so much together.
#[derive(Debug)]
pub(super) struct Together {
    /// Demands, and what a pod of each counts for.
    pub(super) members: Vec<(u32, u32)>,
    pub(super) most: u32,
    /// The cap that it comes from, against which bound pods count.
    cap: Option<CapId>,
}

impl Rules {
    fn of(compiled: &Compiled, demands: &[Demand]) -> Self {
        let mut of_class: BTreeMap<ClassId, Vec<u32>> = BTreeMap::new();
        for (number, demand) in (0..).zip(demands) {
            of_class.entry(demand.class).or_default().push(number);
        }
        let mut apart: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        let with_ports: Vec<ClassId> =
            of_class.keys().copied().filter(|class| compiled.classes[*class].ports.any()).collect();
        for (class, numbers) in &of_class {
            let of = &compiled.classes[*class];
            let clash = |other: &ClassId| {
                other != class && of.ports.blocks.overlaps(&compiled.classes[*other].ports.takes)
            };
            let ports: Vec<ClassId> = if of.ports.any() {
                with_ports.iter().copied().filter(clash).collect()
            } else {
                Vec::new()
            };
            let mut others: Vec<u32> = of
                .conflicts
                .iter()
                .chain(&ports)
                .flat_map(|other| of_class.get(other).into_iter().flatten().copied())
                .collect();
            // Demands of one class that is alone on its node keep each other away too.
            if of.per_node == 1 && numbers.len() > 1 {
                others.extend(numbers);
            }
            if others.is_empty() {
                continue;
            }
            others.sort_unstable();
            others.dedup();
            for number in numbers {
                let others = others.iter().copied().filter(|other| other != number).collect();
                let _none = apart.insert(*number, others);
            }
        }
        let of_members = |classes: &[(ClassId, u32)]| -> Vec<(u32, u32)> {
            let numbers = classes.iter().flat_map(|(class, each)| {
                let numbers = of_class.get(class).into_iter().flatten();
                numbers.map(move |number| (*number, *each))
            });
            numbers.collect()
        };
        let mut groups: Vec<Together> = compiled
            .quotas
            .iter()
            .map(|quota| Together {
                members: of_members(&quota.classes),
                most: quota.most,
                cap: None,
            })
            .collect();
        let mut capped: Vec<Vec<(ClassId, u32)>> = vec![Vec::new(); compiled.caps.len()];
        for class in of_class.keys() {
            for (cap, each) in &compiled.classes[*class].caps {
                capped[cap.index()].push((*class, *each));
            }
        }
        for ((id, cap), classes) in compiled.caps.iter().zip(capped) {
            let members = of_members(&classes);
            groups.push(Together { members, most: cap.most, cap: Some(id) });
        }
        groups.retain(|group| !group.members.is_empty());
        Self { apart, groups }
    }
}
