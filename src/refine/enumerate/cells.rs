//! What each vector of pods costs on the nodes of one cell.
//!
//! The dynamic programme of [`exact`](super::super::exact) again, with two differences: it keeps
//! all rules of a node, since what it finds becomes a plan, and it remembers where each point came
//! from. A vector's front is a node's filling beside the front of the rest; running nodes are taken
//! in one by one, a layer each. [`CellTable::trace`] goes back from a point to the nodes that it
//! stands for: through the layers from the last, then from launch to launch.
//!
//! What a filling may be is asked in the order of cost of asking: resources, conflicts and caps
//! while it grows; then pools of higher weights ([`weights`](super::weights)), rules over hosts
//! ([`host_rules`](super::host_rules)), and only for volumes that pods share and `minValues` the
//! packer's own [`OpenNode`](crate::compile::OpenNode).
//!
//! [`CellTable::floor`] is the same without "exactly": the least for these pods and any others.
//! The search over cells stops at it, since pods may be in more cells than were decided yet.

use super::super::exact::CountIndex;
use super::Task;
use super::host_rules::HostRules;
use super::pareto::{NOWHERE, ParetoFront, ParetoPoint, PointOrigin, SearchBudget};
use super::places::{CellItem, CellPlace, Places};
use crate::compile::{Compiled, Id, ItemId, NodeId, fits};
use crate::pack::Context;

/// What is searched.
pub(super) struct SearchInput<'a> {
    /// What is asked for.
    pub(super) task: &'a Task<'a>,
    /// Those that rules are about first.
    pub(super) items: &'a [CellItem],
    /// The nodes that run or could.
    pub(super) places: &'a Places,
    /// What rules over hosts say of one node.
    pub(super) host_rules: &'a HostRules,
    /// The numbers of vectors of pods.
    pub(super) grid: &'a CountIndex,
}

/// What pods in one cell cost, by the number of the vector of pods.
#[derive(Debug)]
pub(super) struct CellTable {
    /// On launches alone, and then with one running node after the other.
    pub(super) layers: Vec<Vec<ParetoFront>>,
    /// The running nodes, in this order.
    nodes: Vec<usize>,
    /// The least that these pods and any others cost.
    pub(super) floor: Vec<i128>,
}

/// A node with the number of the vector of pods that it holds.
pub(super) type NodeFill = (usize, usize);

/// A vector of pods that a place can hold, by its number, and what it uses beside the place.
#[derive(Debug)]
struct CellFilling {
    /// The number of the vector.
    number: usize,
    first: Vec<usize>,
    /// What the preferences cost that its pods give up there, in billionths per hour.
    unmet: i128,
}

impl CellTable {
    /// On all that the cell has.
    pub(super) fn least(&self) -> &[ParetoFront] {
        self.layers.last().map_or(&[], |last| last)
    }

    /// The nodes that a point is made of.
    pub(super) fn trace(&self, mut number: usize, mut index: usize, held: &mut Vec<NodeFill>) {
        for (layer, node) in self.layers.iter().skip(1).zip(&self.nodes).rev() {
            let Some(point) = layer[number].get(index) else { return };
            let origin = point.origin;
            if origin.part > 0 {
                held.push((*node, origin.part as usize));
            }
            (number, index) = (number - origin.part as usize, origin.rest as usize);
        }
        while number > 0 {
            let point = self.layers.first().and_then(|layer| layer[number].get(index));
            let Some(origin) = point.map(|point| point.origin).filter(|of| of.part > 0) else {
                return;
            };
            held.push((origin.at as usize, origin.part as usize));
            (number, index) = (number - origin.part as usize, origin.rest as usize);
        }
    }
}

impl SearchInput<'_> {
    /// What pods cost in each cell.
    pub(super) fn tables(&self, budget: &mut SearchBudget<'_>) -> Option<Vec<CellTable>> {
        (0..self.places.cells.len()).map(|cell| self.table(cell, budget)).collect()
    }

    /// What every vector costs on the nodes of a cell, layer by layer.
    fn table(&self, cell: usize, budget: &mut SearchBudget<'_>) -> Option<CellTable> {
        let of_cell = self.places.list.iter().enumerate().filter(|(_, place)| place.cell == cell);
        let (launches, nodes): (Vec<_>, Vec<_>) = of_cell.partition(|(_, place)| !place.stands());
        let mut launch: Vec<ParetoFront> = vec![Vec::new(); self.grid.len()];
        for (at, place) in launches {
            for filling in self.fillings(place, budget)? {
                if filling.number > 0 {
                    let cost = place.cost + filling.unmet;
                    let origin = PointOrigin::new(at, filling.number, 0);
                    let uses = |at: usize| uses_of(place, &filling, at);
                    budget.add(&mut launch[filling.number], cost, uses, origin);
                }
            }
        }
        let zero =
            || ParetoPoint { cost: 0, uses: vec![0; budget.left.len()], origin: PointOrigin::NONE };
        let mut least: Vec<ParetoFront> = vec![Vec::new(); self.grid.len()];
        least[0] = vec![zero()];
        for number in 1..self.grid.len() {
            let most = self.grid.vector(number);
            // Of all nodes that hold the pods, one holds one of the first item that there are any
            // of.
            let mut from = vec![0; most.len()];
            if let Some(first) = most.iter().position(|count| *count > 0) {
                from[first] = 1;
            }
            budget.spend(self.grid.between(&from, &most))?;
            let mut front = Vec::new();
            for part in self.grid.range(&from, &most).filter(|part| !launch[*part].is_empty()) {
                let others = &least[number - part];
                budget.spend(launch[part].len() as u64 * others.len() as u64)?;
                for one in &launch[part] {
                    for (rest, other) in others.iter().enumerate() {
                        let origin = PointOrigin { rest: narrow(rest), ..one.origin };
                        let uses = |at: usize| one.uses[at].saturating_add(other.uses[at]);
                        budget.add(&mut front, one.cost + other.cost, uses, origin);
                    }
                }
            }
            least[number] = front;
        }
        let mut layers = vec![least];
        let order = nodes.iter().map(|(at, _)| *at).collect();
        for (at, place) in nodes {
            let before = layers.last()?;
            let mut after: Vec<ParetoFront> = vec![Vec::new(); self.grid.len()];
            for filling in self.fillings(place, budget)? {
                let rest = self.grid.rest(filling.number);
                let none = vec![0; rest.len()];
                budget.spend(self.grid.between(&none, &rest))?;
                for other in self.grid.range(&none, &rest) {
                    budget.spend(before[other].len() as u64)?;
                    for (index, point) in before[other].iter().enumerate() {
                        let uses =
                            |at: usize| point.uses[at].saturating_add(uses_of(place, &filling, at));
                        let origin = PointOrigin::new(at, filling.number, index);
                        let cost = point.cost + filling.unmet;
                        budget.add(&mut after[other + filling.number], cost, uses, origin);
                    }
                }
            }
            layers.push(after);
        }
        let floor = self.floor(layers.last()?);
        Some(CellTable { layers, nodes: order, floor })
    }

    /// For each vector, the least that it and any others cost.
    fn floor(&self, least: &[ParetoFront]) -> Vec<i128> {
        let cost = |front: &ParetoFront| front.first().map_or(i128::MAX, |point| point.cost);
        let mut floor: Vec<i128> = least.iter().map(cost).collect();
        for item in 0..self.items.len() {
            let stride = self.grid.stride(item);
            for number in (0..floor.len()).rev() {
                let more = number + stride;
                if more < floor.len() && self.grid.vector(number)[item] < self.items[item].count {
                    floor[number] = floor[number].min(floor[more]);
                }
            }
        }
        floor
    }

    /// The vectors of pods that a place can hold; that of none is among them, unless the place
    /// can't be without.
    fn fillings(
        &self,
        place: &CellPlace,
        budget: &mut SearchBudget<'_>,
    ) -> Option<Vec<CellFilling>> {
        let at = self.places.list.iter().position(|one| std::ptr::eq(one, place))?;
        let mut filler = CellFiller {
            input: self,
            place,
            at,
            budget,
            free: place.room.clone(),
            held: vec![0; self.items.len()],
            found: Vec::new(),
        };
        filler.fill(0, 0)?;
        Some(filler.found)
    }
}

/// An index as points keep it; one that is too large leads nowhere.
fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(NOWHERE)
}

/// How much of a supply a filling of a place takes.
fn uses_of(place: &CellPlace, filling: &CellFilling, at: usize) -> i64 {
    place.uses[at] + i64::from(filling.first.contains(&at))
}

/// The fillings of one place in the making.
struct CellFiller<'a, 'b, 'w> {
    input: &'a SearchInput<'a>,
    place: &'a CellPlace,
    at: usize,
    budget: &'b mut SearchBudget<'w>,
    free: Vec<i64>,
    held: Vec<u32>,
    found: Vec<CellFilling>,
}

impl CellFiller<'_, '_, '_> {
    fn fill(&mut self, at: usize, number: usize) -> Option<()> {
        self.budget.spend(1)?;
        let Some(item) = self.input.items.get(at) else {
            self.emit(number);
            return Some(());
        };
        self.fill(at + 1, number)?;
        let most = self.most(item);
        for count in 1..=most {
            for (free, request) in self.free.iter_mut().zip(&item.request) {
                *free -= request;
            }
            self.held[at] = count;
            self.fill(at + 1, number + self.input.grid.stride(at) * count as usize)?;
        }
        for (free, request) in self.free.iter_mut().zip(&item.request) {
            *free += request * i64::from(most);
        }
        self.held[at] = 0;
        Some(())
    }

    /// How many pods of an item there may be beside those of the items before it.
    fn most(&self, item: &CellItem) -> u32 {
        let kept_off = item.conflicts.iter().any(|other| self.held[*other] > 0);
        if kept_off || !item.admitted[self.at] {
            return 0;
        }
        let companions: u32 = item.companions.iter().map(|other| self.held[*other]).sum();
        let open = item.per_node.saturating_sub(companions);
        fits(&self.free, &item.request, open.min(item.count))
    }

    /// Keeps the vector of pods that is held, where the node may hold it.
    fn emit(&mut self, number: usize) {
        if number > 0 && self.input.is_never_needed(self.at, &self.held) {
            return;
        }
        let Some(first) = self.input.host_rules.admits(self.place, &self.held) else { return };
        let (task, items) = (self.input.task, self.input.items);
        let compiled = &task.kept_classes.compiled;
        let held: Vec<(ItemId, u32)> = items
            .iter()
            .zip(&self.held)
            .filter(|(_, count)| **count > 0)
            .map(|(item, count)| (item.item, *count))
            .collect();
        let shares =
            held.iter().any(|(compiled_item, _)| compiled.items[*compiled_item].uses.is_shared());
        if (shares || self.place.min_values)
            && number > 0
            && !is_packable(task.context, compiled, (self.place.node, self.place.site), &held)
        {
            return;
        }
        let unmet = items
            .iter()
            .zip(&self.held)
            .filter(|(_, count)| **count > 0)
            .map(|(item, count)| task.unmet(item.class, self.place.site) * i128::from(*count));
        self.found.push(CellFilling { number, first, unmet: unmet.sum() });
    }
}

/// Whether the packer finds that a node holds these pods: what isn't worked out here are
/// `minValues` and what several pods use together.
pub(super) fn is_packable(
    context: &Context<'_>,
    compiled: &Compiled,
    (node, site): (Option<NodeId>, usize),
    held: &[(ItemId, u32)],
) -> bool {
    let context = Context { compiled, ..*context };
    let room = match node {
        Some(node) => compiled.room_of_node(node),
        None => match super::rebuild::bin_type(compiled, Id::from_index(site)) {
            Some(bin_type) => compiled.room_of_bin_type(bin_type),
            None => return false,
        },
    };
    let mut node = context.open(room);
    held.iter().all(|(item, count)| {
        let fits =
            room.admits(compiled.items[*item].eligibility) && node.takes(*item, *count) >= *count;
        if fits {
            node.put(*item, *count);
        }
        fits
    })
}
