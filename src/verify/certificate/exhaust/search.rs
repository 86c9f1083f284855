//! The search itself: pods in a cell, and cells beside each other.

use super::super::super::topology::{ByValue, Crowd, Tie, What};
use super::Item;
use super::nodes::{Node, Nodes};
use crate::model::well_known;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// What some pods cost, and what they draw on.
#[derive(Clone, Debug)]
struct Way {
    cost: i64,
    draws: Vec<i128>,
}

/// Ways of which none beats another.
type Ways = Rc<Vec<Way>>;

/// How many pods of each item a node holds.
type Filling = Vec<u32>;

/// How many pods of an item a node may hold.
struct Cap {
    /// At least, if any.
    least: u32,
    most: u32,
    /// With those of the same entries.
    together: u64,
}

/// Nodes in one cell.
#[derive(Default)]
struct Cell {
    /// By the first item of which there is any: what one launch can hold, and what it takes for that.
    launches: Vec<Vec<(Filling, Vec<Way>)>>,
    /// For each running node what it can hold.
    running: Vec<Vec<Filling>>,
    /// For each item, whether anything here can hold one.
    reach: Vec<bool>,
}

/// Finds whether pods can be placed for less than a limit.
pub(super) struct Search<'c> {
    items: &'c [Item<'c>],
    /// How many of the items rules over labels are about; they are the first.
    tied: usize,
    nodes: &'c Nodes,
    ties: &'c [Tie],
    limit: i64,
    steps: u64,
    /// For each item, by how much a vector's number grows with one more.
    strides: Vec<u64>,
    cells: Vec<Cell>,
    /// The values of each cell's labels.
    values: Vec<Vec<Option<Arc<str>>>>,
    /// By cell, by how many of its running nodes are used already, and by pods.
    known: HashMap<(usize, usize, u64), Ways, FixedState>,
    /// Where the items are that rules are about, by item and cell.
    spots: Vec<Vec<u32>>,
}

impl<'c> Search<'c> {
    pub(super) fn new(
        items: &'c [Item<'c>],
        tied: usize,
        nodes: &'c Nodes,
        ties: &'c [Tie],
        limit: i64,
        steps: u64,
    ) -> Self {
        Self {
            items,
            tied,
            nodes,
            ties,
            limit,
            steps,
            strides: Vec::new(),
            cells: Vec::new(),
            values: Vec::new(),
            known: HashMap::default(),
            spots: Vec::new(),
        }
    }

    /// The cost of a way to place all pods for less than the limit, if there is one; nothing where that
    /// takes too many steps, or a number is too large.
    pub(super) fn run(&mut self, crowds: &[Crowd]) -> Option<Option<i64>> {
        let mut stride = 1_u64;
        for item in self.items.iter().rev() {
            self.strides.push(stride);
            stride = stride.checked_mul(u64::from(item.count).checked_add(1)?)?;
        }
        self.strides.reverse();
        let mut numbers: BTreeMap<&[Option<Arc<str>>], Vec<&Node>> = BTreeMap::new();
        for node in &self.nodes.list {
            numbers.entry(&node.cell).or_default().push(node);
        }
        for (values, nodes) in numbers {
            let cell = self.cell(&nodes, crowds)?;
            self.cells.push(cell);
            self.values.push(values.to_vec());
        }
        self.spots = self.items.iter().map(|_| vec![0; self.cells.len()]).collect();
        let mut there: Vec<Vec<u32>> = vec![vec![0; self.items.len()]; self.cells.len()];
        self.divide(0, &mut there)
    }

    fn spend(&mut self, steps: usize) -> Option<()> {
        self.steps = self.steps.checked_sub(u64::try_from(steps).ok()?)?;
        Some(())
    }

    fn number(&self, counts: &[u32]) -> u64 {
        let each = self.strides.iter().zip(counts);
        each.fold(0, |sum, (stride, count)| {
            sum.saturating_add(stride.saturating_mul(u64::from(*count)))
        })
    }

    /// What the nodes of a cell can hold.
    fn cell(&mut self, nodes: &[&Node], crowds: &[Crowd]) -> Option<Cell> {
        let mut cell = Cell { reach: vec![false; self.items.len()], ..Cell::default() };
        let mut launches: BTreeMap<Vec<u32>, Vec<Way>> = BTreeMap::new();
        for node in nodes {
            let caps = self.caps(node, crowds);
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
            let way = Way { cost: node.cost, draws: node.draws.clone() };
            for counts in found.into_iter().filter(|counts| counts.iter().any(|one| *one > 0)) {
                self.keep(launches.entry(counts).or_default(), way.clone());
            }
        }
        cell.launches.resize_with(self.items.len(), Vec::new);
        for (counts, ways) in launches {
            let first = counts.iter().position(|count| *count > 0)?;
            cell.launches.get_mut(first)?.push((counts, ways));
        }
        Some(cell)
    }

    /// How many pods of each item a node may hold, whatever else is there.
    fn caps(&self, node: &Node, crowds: &[Crowd]) -> Vec<Cap> {
        let present: BTreeMap<usize, u32> = node.present.iter().copied().collect();
        let at_node = |bound: &ByValue| {
            let count = node.name.as_ref().and_then(|name| bound.get(name));
            count.copied().unwrap_or(0)
        };
        let of_item = |item: &Item<'_>| {
            let most = present.get(&item.pods.position).copied().unwrap_or(0);
            let mut cap = Cap { least: 1, most, together: item.pods.together() };
            let Some(kind) = item.kind else { return cap };
            for crowd in crowds.iter().filter(|crowd| crowd.kind == kind) {
                let bound = at_node(&crowd.bound);
                if crowd.own {
                    cap.together = cap.together.min(crowd.skew.saturating_sub(bound));
                } else if bound > crowd.skew {
                    cap.most = 0;
                }
            }
            let over_hosts = self.ties.iter().filter(|tie| {
                &*tie.key == well_known::HOSTNAME
                    && tie.what == What::Affinity
                    && tie.owners.contains(&kind)
            });
            for tie in over_hosts {
                // Kinds of bound pods are meant as well, but those aren't to be placed.
                let about = |of: usize| of == kind || tie.meant.contains(&of);
                let about = self.items.iter().filter(|other| other.kind.is_some_and(about));
                if about.count() != 1 {
                    continue;
                }
                if tie.bound.values().any(|count| *count > 0) {
                    cap.most = if at_node(&tie.bound) > 0 { cap.most } else { 0 };
                } else if tie.meant.contains(&kind) {
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

    /// Finds what a node can hold of the items from this one on beside what it holds of those before.
    fn fill(
        &mut self,
        caps: &[Cap],
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
        if item.apart.iter().any(is_held) {
            return Some(());
        }
        let fellows = item.fellows.iter().filter_map(|other| held.get(*other));
        let fellows = fellows.fold(0_u64, |sum, count| sum.saturating_add((*count).into()));
        let together = cap.together.saturating_sub(fellows);
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
    fn keep(&self, ways: &mut Vec<Way>, way: Way) {
        let drawn =
            |one: &Way, other: &Way| one.draws.iter().zip(&other.draws).all(|(a, b)| a <= b);
        let overdrawn =
            way.draws.iter().zip(&self.nodes.left).any(|(drawn, left)| *drawn > 0 && drawn > left);
        let beats = |one: &Way, other: &Way| one.cost <= other.cost && drawn(one, other);
        if way.cost >= self.limit || overdrawn || ways.iter().any(|one| beats(one, &way)) {
            return;
        }
        ways.retain(|one| !beats(&way, one));
        ways.push(way);
    }

    /// Adds to some ways each of these beside each of those.
    fn keep_both(&mut self, ways: &mut Vec<Way>, these: &[Way], those: &[Way]) -> Option<()> {
        self.spend(these.len().checked_mul(those.len())?)?;
        for one in these {
            for other in those {
                let draws = one.draws.iter().zip(&other.draws);
                let draws: Option<Vec<i128>> = draws.map(|(a, b)| a.checked_add(*b)).collect();
                let cost = one.cost.checked_add(other.cost)?;
                self.keep(ways, Way { cost, draws: draws? });
            }
        }
        Some(())
    }

    /// What pods cost in a cell of which so many running nodes are used already.
    fn ways(&mut self, cell: usize, used: usize, pods: &[u32]) -> Option<Ways> {
        let number = self.number(pods);
        let key = (cell, used, number);
        if let Some(known) = self.known.get(&key) {
            return Some(known.clone());
        }
        // Taken out while they are looked through, since what follows looks at others.
        let mut ways = Vec::new();
        let mut next = Vec::new();
        let of_cell = self.cells.get(cell)?;
        let fits = |filling: &Filling| filling.iter().zip(pods).all(|(a, b)| a <= b);
        let less = |filling: &Filling| -> Vec<u32> {
            pods.iter().zip(filling).map(|(all, some)| all.saturating_sub(*some)).collect()
        };
        let mut looked_at = 1;
        match (of_cell.running.get(used), pods.iter().position(|count| *count > 0)) {
            (_, None) => ways.push(Way { cost: 0, draws: vec![0; self.nodes.left.len()] }),
            (Some(fillings), _) => {
                looked_at = fillings.len();
                let free = Way { cost: 0, draws: vec![0; self.nodes.left.len()] };
                let fitting = fillings.iter().filter(|filling| fits(filling));
                next.extend(fitting.map(|filling| (vec![free.clone()], less(filling))));
            }
            (None, Some(first)) => {
                let fillings = of_cell.launches.get(first)?;
                looked_at = fillings.len();
                let fitting = fillings.iter().filter(|(filling, _)| fits(filling));
                next.extend(fitting.map(|(filling, ways)| (ways.clone(), less(filling))));
            }
        }
        let runs = used < of_cell.running.len();
        let then = if runs { used.checked_add(1)? } else { used };
        self.spend(looked_at)?;
        for (these, rest) in next {
            let those = self.ways(cell, then, &rest)?;
            self.keep_both(&mut ways, &these, &those)?;
        }
        let ways = Rc::new(ways);
        let _new = self.known.insert(key, ways.clone());
        Some(ways)
    }

    /// Divides the items from this one on over cells that have those before it.
    fn divide(&mut self, at: usize, there: &mut Vec<Vec<u32>>) -> Option<Option<i64>> {
        // Fewer pods cost no more.
        let mut least = 0_i64;
        for (cell, pods) in there.iter().enumerate() {
            let ways = self.ways(cell, 0, pods)?;
            let Some(cheapest) = ways.iter().map(|way| way.cost).min() else {
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
        let ways = self.beside(0, &rest, there, &mut known)?;
        Some(ways.iter().map(|way| way.cost).min())
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
            *self.spots.get_mut(at)?.get_mut(cell)? = count;
            let found = self.place(at, cell.checked_add(1)?, left.saturating_sub(count), there)?;
            if found.is_some() {
                return Some(found);
            }
        }
        *there.get_mut(cell)?.get_mut(at)? = 0;
        *self.spots.get_mut(at)?.get_mut(cell)? = 0;
        Some(None)
    }

    /// What these pods cost in the cells from this one on, beside those that are there.
    fn beside(
        &mut self,
        cell: usize,
        rest: &[u32],
        there: &[Vec<u32>],
        known: &mut HashMap<(usize, u64), Ways, FixedState>,
    ) -> Option<Ways> {
        let key = (cell, self.number(rest));
        if let Some(known) = known.get(&key) {
            return Some(known.clone());
        }
        let mut ways = Vec::new();
        let here = there.get(cell);
        let next = cell.checked_add(1)?;
        match here {
            None => {
                if rest.iter().all(|count| *count == 0) {
                    ways.push(Way { cost: 0, draws: vec![0; self.nodes.left.len()] });
                }
            }
            Some(here) => {
                let is_last = next == there.len();
                let mut part = if is_last { rest.to_vec() } else { vec![0; rest.len()] };
                loop {
                    self.spend(1)?;
                    let all: Vec<u32> =
                        here.iter().zip(&part).map(|(a, b)| a.saturating_add(*b)).collect();
                    let these = self.ways(cell, 0, &all)?;
                    if !these.is_empty() {
                        let others: Vec<u32> =
                            rest.iter().zip(&part).map(|(a, b)| a.saturating_sub(*b)).collect();
                        let those = self.beside(next, &others, there, known)?;
                        self.keep_both(&mut ways, &these, &those)?;
                    }
                    if is_last || !step(&mut part, rest) {
                        break;
                    }
                }
            }
        }
        let ways = Rc::new(ways);
        let _new = known.insert(key, ways.clone());
        Some(ways)
    }

    /// Whether the rules hold that are about items before this one alone, the last of them among these.
    fn keeps_rules(&self, at: usize) -> bool {
        let is_about = |tie: &Tie, item: &Item<'_>| {
            item.kind.is_some_and(|kind| tie.owners.contains(&kind) || tie.meant.contains(&kind))
        };
        self.ties.iter().filter(|tie| &*tie.key != well_known::HOSTNAME).all(|tie| {
            let last = self.items.iter().rposition(|item| is_about(tie, item));
            if last.and_then(|last| last.checked_add(1)) != Some(at) {
                return true;
            }
            let Some(place) = self.nodes.keys.iter().position(|key| *key == tie.key) else {
                return true;
            };
            let (mut owners, mut others) = (ByValue::new(), ByValue::new());
            for (item, counts) in self.items.iter().zip(&self.spots) {
                let Some(kind) = item.kind else { continue };
                let sums = if tie.owners.contains(&kind) {
                    &mut owners
                } else if tie.meant.contains(&kind) {
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
            tie.holds(&owners, &others)
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
