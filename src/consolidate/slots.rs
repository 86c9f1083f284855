//! Slots of the final state that are left, and which of its launches are made.
//!
//! A final state says how many pods of each class every node gets; which pod takes which of these
//! slots is left open until it moves. That freedom is what lets waves find an order: a pod goes to
//! whichever slot of its class accepts it today.

use super::wave::WavePlanner;
use std::collections::BTreeMap;

/// Slots that are left, by node and by class; nodes as the target numbers them, and launches stand
/// once they are made.
///
/// Looked up both ways, by node and by class, and kept in step; launches that aren't made yet are
/// listed apart, as their slots can't be used.
#[derive(Clone, Debug)]
pub(super) struct TargetSlots {
    /// By node: class and how many are left.
    of_node: Vec<Vec<(usize, u32)>>,
    /// By node: how many are left in all.
    left: Vec<u64>,
    stands: Vec<bool>,
    /// By class: the nodes that stand where some are left, and how many.
    standing: Vec<BTreeMap<usize, u32>>,
    /// By class: how many that is in all.
    in_all: Vec<u64>,
    /// By class: how many of these are on launches that take no more pods in this wave.
    closed: Vec<u64>,
    /// The same of launches that aren't made.
    unmade: Vec<BTreeMap<usize, u32>>,
}

impl TargetSlots {
    /// All slots of a final state, of so many running nodes before launches, and so many classes.
    pub(super) fn new(of_node: Vec<Vec<(usize, u32)>>, running: usize, classes: usize) -> Self {
        let stands: Vec<bool> = (0..of_node.len()).map(|node| node < running).collect();
        let none = vec![BTreeMap::new(); classes];
        let sum = |of_node: &Vec<(usize, u32)>| of_node.iter().map(|one| u64::from(one.1)).sum();
        let left = of_node.iter().map(sum).collect();
        let (standing, in_all, closed) = (none.clone(), vec![0; classes], vec![0; classes]);
        let mut slots = Self { of_node, left, stands, standing, in_all, closed, unmade: none };
        for node in 0..slots.of_node.len() {
            slots.file(node);
        }
        slots
    }

    /// The slots that are left on a node: class and how many.
    pub(super) fn of_node(&self, node: usize) -> impl Iterator<Item = (usize, u32)> {
        let own = self.of_node.get(node).into_iter().flatten().copied();
        own.filter(|(_, left)| *left > 0)
    }

    /// How many slots of a class are left on a node.
    pub(super) fn left_of(&self, node: usize, class: usize) -> u32 {
        self.of_node(node).find(|(of, _)| *of == class).map_or(0, |(_, left)| left)
    }

    /// How many slots of all classes are left on a node.
    pub(super) fn left_on(&self, node: usize) -> u64 {
        self.left.get(node).copied().unwrap_or(0)
    }

    /// The nodes that stand where slots of a class are left, and how many.
    pub(super) fn standing(&self, class: usize) -> impl Iterator<Item = (usize, u32)> {
        self.standing[class].iter().map(|(node, left)| (*node, *left))
    }

    /// How many slots of a class are left on nodes that stand, but for launches that are closed.
    pub(super) fn open_in_all(&self, class: usize) -> u64 {
        self.in_all[class].saturating_sub(self.closed[class])
    }

    /// A launch that stands takes no more pods in this wave.
    pub(super) fn close(&mut self, node: usize) {
        for (class, left) in &self.of_node[node] {
            self.closed[*class] += u64::from(*left);
        }
    }

    /// All that stands takes pods again.
    pub(super) fn open_all(&mut self) {
        self.closed.fill(0);
    }

    /// The launches that aren't made, as the target numbers nodes, that have slots of a class.
    pub(super) fn unmade(&self, class: usize) -> impl Iterator<Item = (usize, u32)> {
        self.unmade[class].iter().map(|(node, left)| (*node, *left))
    }

    /// Takes pods off the slots that are left, or with a negative count gives slots back; nothing
    /// where a node has none of the class.
    pub(super) fn take(&mut self, node: usize, class: usize, count: i64) {
        let own = self.of_node.get_mut(node).into_iter().flatten();
        let Some((_, left)) = own.into_iter().find(|(of, _)| *of == class) else { return };
        let before = *left;
        *left = left.saturating_add_signed(i32::try_from(-count).unwrap_or(0));
        let more = |sum: u64| (sum + u64::from(*left)).saturating_sub(before.into());
        self.left[node] = more(self.left[node]);
        if self.stands[node] {
            self.in_all[class] = more(self.in_all[class]);
        }
        let of_class = if self.stands[node] { &mut self.standing } else { &mut self.unmade };
        let _old = match *left {
            0 => of_class[class].remove(&node),
            left => of_class[class].insert(node, left),
        };
    }

    /// A launch, as the target numbers nodes, stands from now on, or no longer.
    pub(super) fn stand(&mut self, node: usize, stands: bool) {
        let of_class = if self.stands[node] { &mut self.standing } else { &mut self.unmade };
        for (class, left) in &self.of_node[node] {
            let _left = of_class[*class].remove(&node);
            if self.stands[node] {
                self.in_all[*class] = self.in_all[*class].saturating_sub((*left).into());
            }
        }
        self.stands[node] = stands;
        self.file(node);
    }

    /// Enters the slots of a node by class.
    fn file(&mut self, node: usize) {
        let of_class = if self.stands[node] { &mut self.standing } else { &mut self.unmade };
        for (class, left) in self.of_node[node].iter().filter(|(_, left)| *left > 0) {
            let _none = of_class[*class].insert(node, *left);
            if self.stands[node] {
                self.in_all[*class] += u64::from(*left);
            }
        }
    }
}

/// Launches that are made, by their places in the target's list, in the order in which the state
/// numbers them.
#[derive(Clone, Debug)]
pub(super) struct MadeLaunches {
    order: Vec<usize>,
    /// For each launch of the target, its place in that order.
    place: Vec<Option<usize>>,
}

impl MadeLaunches {
    /// None of so many.
    pub(super) fn none(launches: usize) -> Self {
        Self { order: Vec::new(), place: vec![None; launches] }
    }

    pub(super) fn push(&mut self, launch: usize) {
        self.place[launch] = Some(self.order.len());
        self.order.push(launch);
    }

    /// Forgets the last.
    pub(super) fn pop(&mut self) -> Option<usize> {
        let last = self.order.pop()?;
        self.place[last] = None;
        Some(last)
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn contains(&self, launch: usize) -> bool {
        self.place(launch).is_some()
    }

    /// The place of a launch in the order of those that are made.
    pub(super) fn place(&self, launch: usize) -> Option<usize> {
        self.place.get(launch).copied().flatten()
    }

    /// In their order.
    pub(super) fn all(&self) -> &[usize] {
        &self.order
    }
}

impl WavePlanner<'_, '_> {
    /// Notes that a launch is made.
    pub(super) fn note_made(&mut self, launch: usize) {
        self.built.push(launch);
        self.slots.stand(self.model.nodes.len() + launch, true);
    }

    /// Notes that only the first so many launches are made.
    pub(super) fn unmake(&mut self, count: usize) {
        while self.built.len() > count
            && let Some(launch) = self.built.pop()
        {
            self.slots.stand(self.model.nodes.len() + launch, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TargetSlots;

    #[test]
    fn slots_are_taken_given_back_and_stand() {
        let mut slots = TargetSlots::new(vec![vec![(0, 2)], vec![(0, 1), (1, 3)]], 1, 2);
        let listed = |of: &TargetSlots| -> Vec<Vec<(usize, u32)>> {
            for class in 0..2 {
                let sum: u64 = of.standing(class).map(|(_, left)| u64::from(left)).sum();
                assert_eq!(of.open_in_all(class), sum, "{class}");
            }
            let standing = (0..2).map(|class| of.standing(class).collect());
            standing.chain((0..2).map(|class| of.unmade(class).collect())).collect()
        };
        let first = [vec![(0, 2)], vec![], vec![(1, 1)], vec![(1, 3)]];
        assert_eq!(listed(&slots), first);
        slots.stand(1, true);
        assert_eq!(listed(&slots), [vec![(0, 2), (1, 1)], vec![(1, 3)], vec![], vec![]]);
        slots.take(1, 0, 1);
        slots.take(0, 1, 1);
        assert_eq!(listed(&slots), [vec![(0, 2)], vec![(1, 3)], vec![], vec![]]);
        assert_eq!(slots.of_node(1).collect::<Vec<_>>(), [(1, 3)]);
        slots.close(1);
        assert_eq!((slots.open_in_all(0), slots.open_in_all(1)), (2, 0));
        slots.open_all();
        slots.stand(1, false);
        slots.take(1, 0, -1);
        assert_eq!(listed(&slots), first);
    }
}
