//! The search itself: pods in a cell, and cells beside each other.
//!
//! *Problem.* A certificate claims that everything was tried, and that no plan with these pods
//! costs less than its bound. The checker tries again.
//!
//! *Idea.* Top down and with a memory, where the solver goes bottom up: the cheapest way to hold
//! some pods in a cell is one node's filling, which has a pod of the first item that there is any
//! of, beside the cheapest way for the rest; running nodes are asked in turn. The items that rules
//! over labels are about are divided over cells first, item by item, and each rule is judged once
//! its last item is divided.
//!
//! Where limits or reservations are drawn on, a way is a point of cost and draws, and a front keeps
//! those that no other beats in all of them.
//!
//! *What isn't claimed.* Steps are bounded and sums are checked: a search that runs out of either
//! answers nothing, and the certificate is refused as unproved, never the plan as wrong.

use super::super::super::topology::{CountByValue, DomainRule, DomainRuleKind, HostSpreadRule};
use super::ClaimItem;
use super::nodes::{ClaimNode, ClaimNodes};
use crate::model::well_known;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// What some pods cost, and what they draw on.
#[derive(Clone, Debug)]
struct CostPoint {
    /// In billionths per hour.
    cost: i64,
    /// By supply, in its unit.
    draws: Vec<i128>,
}

/// Ways of which none beats another.
type CostFront = Rc<Vec<CostPoint>>;

/// How many pods of each item a node holds.
type ItemCounts = Vec<u32>;

/// How many pods of an item a node may hold.
struct NodeCap {
    /// At least, if any.
    least: u32,
    most: u32,
    /// With those of the same entries.
    together: u64,
}

/// Nodes in one cell.
#[derive(Default)]
struct CellNodes {
    /// By the first item of which there is any: what one launch can hold, and what it takes for
    /// that.
    launches: Vec<Vec<(ItemCounts, Vec<CostPoint>)>>,
    /// For each running node what it can hold.
    running: Vec<Vec<ItemCounts>>,
    /// For each item, whether anything here can hold one.
    reach: Vec<bool>,
}

/// Finds whether pods can be placed for less than a limit.
pub(super) struct ClaimSearch<'c> {
    items: &'c [ClaimItem<'c>],
    /// How many of the items rules over labels are about; they are the first.
    tied: usize,
    /// What could hold them.
    nodes: &'c ClaimNodes,
    /// Rules over labels, as statements about the end.
    rules: &'c [DomainRule],
    /// What a way must cost less than, in billionths per hour.
    limit: i64,
    /// How many steps are left.
    steps: u64,
    /// For each item, by how much a vector's number grows with one more.
    strides: Vec<u64>,
    /// The nodes by what rules over labels can tell apart.
    cells: Vec<CellNodes>,
    /// The values of each cell's labels.
    values: Vec<Vec<Option<Arc<str>>>>,
    /// By cell, by how many of its running nodes are used already, and by pods.
    known: HashMap<(usize, usize, u64), CostFront, FixedState>,
    /// Where the items are that rules are about, by item and cell.
    by_cell: Vec<Vec<u32>>,
}

impl<'c> ClaimSearch<'c> {
    pub(super) fn new(
        items: &'c [ClaimItem<'c>],
        tied: usize,
        nodes: &'c ClaimNodes,
        rules: &'c [DomainRule],
        limit: i64,
        steps: u64,
    ) -> Self {
        Self {
            items,
            tied,
            nodes,
            rules,
            limit,
            steps,
            strides: Vec::new(),
            cells: Vec::new(),
            values: Vec::new(),
            known: HashMap::default(),
            by_cell: Vec::new(),
        }
    }

    /// The cost of a way to place all pods for less than the limit, if there is one; nothing where
    /// that takes too many steps, or a number is too large.
    pub(super) fn run(&mut self, host_spreads: &[HostSpreadRule]) -> Option<Option<i64>> {
        let mut stride = 1_u64;
        for item in self.items.iter().rev() {
            self.strides.push(stride);
            stride = stride.checked_mul(u64::from(item.count).checked_add(1)?)?;
        }
        self.strides.reverse();
        let mut numbers: BTreeMap<&[Option<Arc<str>>], Vec<&ClaimNode>> = BTreeMap::new();
        for node in &self.nodes.list {
            numbers.entry(&node.cell).or_default().push(node);
        }
        for (values, nodes) in numbers {
            let cell = self.cell(&nodes, host_spreads)?;
            self.cells.push(cell);
            self.values.push(values.to_vec());
        }
        self.by_cell = self.items.iter().map(|_| vec![0; self.cells.len()]).collect();
        let mut there: Vec<Vec<u32>> = vec![vec![0; self.items.len()]; self.cells.len()];
        self.divide(0, &mut there)
    }

    /// Takes steps off what is left; `None` where there are too few.
    fn spend(&mut self, steps: usize) -> Option<()> {
        self.steps = self.steps.checked_sub(u64::try_from(steps).ok()?)?;
        Some(())
    }

    /// The number of a vector of counts.
    fn number(&self, counts: &[u32]) -> u64 {
        let each = self.strides.iter().zip(counts);
        each.fold(0, |sum, (stride, count)| {
            sum.saturating_add(stride.saturating_mul(u64::from(*count)))
        })
    }

    /// What the nodes of a cell can hold.
    fn cell(&mut self, nodes: &[&ClaimNode], host_spreads: &[HostSpreadRule]) -> Option<CellNodes> {
        let mut cell = CellNodes { reach: vec![false; self.items.len()], ..CellNodes::default() };
        let mut launches: BTreeMap<Vec<u32>, Vec<CostPoint>> = BTreeMap::new();
        for node in nodes {
            let caps = self.caps(node, host_spreads);
            let mut found = Vec::new();
            let mut held = vec![0; self.items.len()];
            self.fill(&caps, 0, &mut node.room.clone(), &mut held, &mut found)?;
            for counts in &found {
                for (reach, count) in cell.reach.iter_mut().zip(counts) {
                    *reach |= *count > 0;
                }
            }
            if node.name.is_some() {
                cell.running.push(found);
                continue;
            }
            let point = CostPoint { cost: node.cost, draws: node.draws.clone() };
            for counts in found.into_iter().filter(|counts| counts.iter().any(|one| *one > 0)) {
                self.keep(launches.entry(counts).or_default(), point.clone());
            }
        }
        cell.launches.resize_with(self.items.len(), Vec::new);
        for (counts, points) in launches {
            let first = counts.iter().position(|count| *count > 0)?;
            cell.launches.get_mut(first)?.push((counts, points));
        }
        Some(cell)
    }

    /// How many pods of each item a node may hold, whatever else is there.
    fn caps(&self, node: &ClaimNode, host_spreads: &[HostSpreadRule]) -> Vec<NodeCap> {
        let present: BTreeMap<usize, u32> = node.present.iter().copied().collect();
        let at_node = |bound: &CountByValue| {
            let count = node.name.as_ref().and_then(|name| bound.get(name));
            count.copied().unwrap_or(0)
        };
        let of_item = |item: &ClaimItem<'_>| {
            let most = present.get(&item.pods.position).copied().unwrap_or(0);
            let mut cap = NodeCap { least: 1, most, together: item.pods.together() };
            let Some(class) = item.class else { return cap };
            for host_spread in host_spreads.iter().filter(|host_spread| host_spread.class == class)
            {
                let bound = at_node(&host_spread.bound);
                if host_spread.own {
                    cap.together = cap.together.min(host_spread.skew.saturating_sub(bound));
                } else if bound > host_spread.skew {
                    cap.most = 0;
                }
            }
            let over_hosts = self.rules.iter().filter(|rule| {
                &*rule.key == well_known::HOSTNAME
                    && rule.what == DomainRuleKind::Affinity
                    && rule.owners.contains(&class)
            });
            for rule in over_hosts {
                // Classes of bound pods are meant as well, but those aren't to be placed.
                let about = |of: usize| of == class || rule.meant.contains(&of);
                let about = self.items.iter().filter(|other| other.class.is_some_and(about));
                if about.count() != 1 {
                    continue;
                }
                if rule.bound.values().any(|count| *count > 0) {
                    cap.most = if at_node(&rule.bound) > 0 { cap.most } else { 0 };
                } else if rule.meant.contains(&class) {
                    // All of them are where the first is.
                    cap.least = item.count;
                } else {
                    cap.most = 0;
                }
            }
            cap
        };
        self.items.iter().map(of_item).collect()
    }

    /// Finds what a node can hold of the items from this one on beside what it holds of those
    /// before.
    fn fill(
        &mut self,
        caps: &[NodeCap],
        at: usize,
        room: &mut Vec<i128>,
        held: &mut Vec<u32>,
        found: &mut Vec<Vec<u32>>,
    ) -> Option<()> {
        self.spend(1)?;
        let (Some(item), Some(cap)) = (self.items.get(at), caps.get(at)) else {
            found.push(held.clone());
            return Some(());
        };
        let next = at.checked_add(1)?;
        self.fill(caps, next, room, held, found)?;
        let is_held = |other: &usize| held.get(*other).is_some_and(|count| *count > 0);
        if item.separated.iter().any(is_held) {
            return Some(());
        }
        let companions = item.companions.iter().filter_map(|other| held.get(*other));
        let companions = companions.fold(0_u64, |sum, count| sum.saturating_add((*count).into()));
        let together = cap.together.saturating_sub(companions);
        let before = room.clone();
        for count in 1..=cap.most.min(item.count) {
            for (room, request) in room.iter_mut().zip(&item.pods.request) {
                *room = room.checked_sub(*request)?;
            }
            let asked = room.iter().zip(&item.pods.request);
            let lacks = asked.into_iter().any(|(room, request)| *request > 0 && *room < 0);
            if lacks || u64::from(count) > together {
                break;
            }
            if count >= cap.least {
                *held.get_mut(at)? = count;
                self.fill(caps, next, room, held, found)?;
            }
        }
        *room = before;
        *held.get_mut(at)? = 0;
        Some(())
    }

    /// Adds a way to others, unless it is of no use.
    fn keep(&self, points: &mut Vec<CostPoint>, point: CostPoint) {
        let drawn = |one: &CostPoint, other: &CostPoint| {
            one.draws.iter().zip(&other.draws).all(|(a, b)| a <= b)
        };
        let overdrawn = point
            .draws
            .iter()
            .zip(&self.nodes.left)
            .any(|(drawn, left)| *drawn > 0 && drawn > left);
        let beats =
            |one: &CostPoint, other: &CostPoint| one.cost <= other.cost && drawn(one, other);
        if point.cost >= self.limit || overdrawn || points.iter().any(|one| beats(one, &point)) {
            return;
        }
        points.retain(|one| !beats(&point, one));
        points.push(point);
    }

    /// Adds to some ways each of these beside each of those.
    fn keep_both(
        &mut self,
        points: &mut Vec<CostPoint>,
        these: &[CostPoint],
        those: &[CostPoint],
    ) -> Option<()> {
        self.spend(these.len().checked_mul(those.len())?)?;
        for one in these {
            for other in those {
                let draws = one.draws.iter().zip(&other.draws);
                let draws: Option<Vec<i128>> = draws.map(|(a, b)| a.checked_add(*b)).collect();
                let cost = one.cost.checked_add(other.cost)?;
                self.keep(points, CostPoint { cost, draws: draws? });
            }
        }
        Some(())
    }

    /// What pods cost in a cell of which so many running nodes are used already.
    fn points(&mut self, cell: usize, used: usize, pods: &[u32]) -> Option<CostFront> {
        let number = self.number(pods);
        let key = (cell, used, number);
        if let Some(known) = self.known.get(&key) {
            return Some(known.clone());
        }
        // Taken out while they are looked through, since what follows looks at others.
        let mut points = Vec::new();
        let mut next = Vec::new();
        let of_cell = self.cells.get(cell)?;
        let fits = |filling: &ItemCounts| filling.iter().zip(pods).all(|(a, b)| a <= b);
        let less = |filling: &ItemCounts| -> Vec<u32> {
            pods.iter().zip(filling).map(|(all, some)| all.saturating_sub(*some)).collect()
        };
        let mut looked_at = 1;
        match (of_cell.running.get(used), pods.iter().position(|count| *count > 0)) {
            (_, None) => points.push(CostPoint { cost: 0, draws: vec![0; self.nodes.left.len()] }),
            (Some(fillings), _) => {
                looked_at = fillings.len();
                let free = CostPoint { cost: 0, draws: vec![0; self.nodes.left.len()] };
                let fitting = fillings.iter().filter(|filling| fits(filling));
                next.extend(fitting.map(|filling| (vec![free.clone()], less(filling))));
            }
            (None, Some(first)) => {
                let fillings = of_cell.launches.get(first)?;
                looked_at = fillings.len();
                let fitting = fillings.iter().filter(|(filling, _)| fits(filling));
                next.extend(fitting.map(|(filling, points)| (points.clone(), less(filling))));
            }
        }
        let runs = used < of_cell.running.len();
        let then = if runs { used.checked_add(1)? } else { used };
        self.spend(looked_at)?;
        for (these, rest) in next {
            let those = self.points(cell, then, &rest)?;
            self.keep_both(&mut points, &these, &those)?;
        }
        let points = Rc::new(points);
        let _new = self.known.insert(key, points.clone());
        Some(points)
    }

    /// Divides the items from this one on over cells that have those before it.
    fn divide(&mut self, at: usize, there: &mut Vec<Vec<u32>>) -> Option<Option<i64>> {
        // Fewer pods cost no more.
        let mut least = 0_i64;
        for (cell, pods) in there.iter().enumerate() {
            let points = self.points(cell, 0, pods)?;
            let Some(cheapest) = points.iter().map(|point| point.cost).min() else {
                return Some(None);
            };
            least = least.checked_add(cheapest)?;
        }
        if least >= self.limit || !self.keeps_rules(at) {
            return Some(None);
        }
        if at < self.tied {
            let count = self.items.get(at)?.count;
            return self.place(at, 0, count, there);
        }
        let rest: Vec<u32> =
            (0..).zip(self.items).map(|(it, item)| if it < at { 0 } else { item.count }).collect();
        let mut known = HashMap::default();
        let points = self.beside(0, &rest, there, &mut known)?;
        Some(points.iter().map(|point| point.cost).min())
    }

    /// Places so many pods of an item in the cells from this one on.
    fn place(
        &mut self,
        at: usize,
        cell: usize,
        left: u32,
        there: &mut Vec<Vec<u32>>,
    ) -> Option<Option<i64>> {
        let Some(of_cell) = self.cells.get(cell) else {
            return if left == 0 { self.divide(at.checked_add(1)?, there) } else { Some(None) };
        };
        let most = if of_cell.reach.get(at) == Some(&true) { left } else { 0 };
        for count in 0..=most {
            *there.get_mut(cell)?.get_mut(at)? = count;
            *self.by_cell.get_mut(at)?.get_mut(cell)? = count;
            let found = self.place(at, cell.checked_add(1)?, left.saturating_sub(count), there)?;
            if found.is_some() {
                return Some(found);
            }
        }
        *there.get_mut(cell)?.get_mut(at)? = 0;
        *self.by_cell.get_mut(at)?.get_mut(cell)? = 0;
        Some(None)
    }

    /// What these pods cost in the cells from this one on, beside those that are there.
    ///
    /// Dynamic programming over the cells: the rest that isn't tied to cells is divided between
    /// this cell and those after it in every way, and of what either costs only the points are kept
    /// that no other beats, in price and in what they draw on what is scarce. Rests are told by
    /// their counts, so each is divided once.
    fn beside(
        &mut self,
        cell: usize,
        rest: &[u32],
        there: &[Vec<u32>],
        known: &mut HashMap<(usize, u64), CostFront, FixedState>,
    ) -> Option<CostFront> {
        let key = (cell, self.number(rest));
        if let Some(known) = known.get(&key) {
            return Some(known.clone());
        }
        let mut points = Vec::new();
        let here = there.get(cell);
        let next = cell.checked_add(1)?;
        match here {
            None => {
                if rest.iter().all(|count| *count == 0) {
                    points.push(CostPoint { cost: 0, draws: vec![0; self.nodes.left.len()] });
                }
            }
            Some(here) => {
                let is_last = next == there.len();
                let mut part = if is_last { rest.to_vec() } else { vec![0; rest.len()] };
                loop {
                    self.spend(1)?;
                    let all: Vec<u32> =
                        here.iter().zip(&part).map(|(a, b)| a.saturating_add(*b)).collect();
                    let these = self.points(cell, 0, &all)?;
                    if !these.is_empty() {
                        let others: Vec<u32> =
                            rest.iter().zip(&part).map(|(a, b)| a.saturating_sub(*b)).collect();
                        let those = self.beside(next, &others, there, known)?;
                        self.keep_both(&mut points, &these, &those)?;
                    }
                    if is_last || !step(&mut part, rest) {
                        break;
                    }
                }
            }
        }
        let points = Rc::new(points);
        let _new = known.insert(key, points.clone());
        Some(points)
    }

    /// Whether the rules hold that are about items before this one alone, the last of them among
    /// these.
    fn keeps_rules(&self, at: usize) -> bool {
        let is_about = |rule: &DomainRule, item: &ClaimItem<'_>| {
            item.class
                .is_some_and(|class| rule.owners.contains(&class) || rule.meant.contains(&class))
        };
        self.rules.iter().filter(|rule| &*rule.key != well_known::HOSTNAME).all(|rule| {
            let last = self.items.iter().rposition(|item| is_about(rule, item));
            if last.and_then(|last| last.checked_add(1)) != Some(at) {
                return true;
            }
            let Some(place) = self.nodes.keys.iter().position(|key| *key == rule.key) else {
                return true;
            };
            let (mut owners, mut others) = (CountByValue::new(), CountByValue::new());
            for (item, counts) in self.items.iter().zip(&self.by_cell) {
                let Some(class) = item.class else { continue };
                let sums = if rule.owners.contains(&class) {
                    &mut owners
                } else if rule.meant.contains(&class) {
                    &mut others
                } else {
                    continue;
                };
                for (values, count) in self.values.iter().zip(counts) {
                    if let Some(Some(value)) = values.get(place) {
                        let sum = sums.entry(value.clone()).or_insert(0);
                        *sum = sum.saturating_add((*count).into());
                    }
                }
            }
            rule.holds(&owners, &others)
        })
    }
}

/// The next vector up to another; whether there was one.
fn step(vector: &mut [u32], most: &[u32]) -> bool {
    for (count, most) in vector.iter_mut().zip(most).rev() {
        if *count < *most {
            *count = count.saturating_add(1);
            return true;
        }
        *count = 0;
    }
    false
}
