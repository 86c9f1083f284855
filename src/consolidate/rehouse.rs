//! Nodes that are to go and whose pods their slots refuse: the final state is chosen anew for them.
//!
//! *Problem.* Slots were legal when the search came to them, in its own order. In the order of
//! waves a spread may refuse all slots that are left for a class, as things are by then, though
//! others would do.
//!
//! *Idea.* Only when no node goes any more by its slots, and of nodes that need no launch which
//! isn't made yet: a pod goes to a slot of its class that accepts it, or else to any running node
//! that stays and takes it.
//!
//! *Why it is right.* A pod is put where it is accepted, beside all that is there; what stays isn't
//! deleted later. The room that it takes may be that of a slot: whoever that was for finds another
//! place in the same way, or stays at home.
//!
//! *Cost.* A look at all nodes that stay for each class that finds no slot.

use super::wave::{WavePlanner, WaveStep};
use super::wave_budget::Spent;
use std::collections::BTreeSet;

impl WavePlanner<'_, '_> {
    /// Has nodes go of which pods find other places than their slots, in at most so many steps.
    pub(super) fn rehouse(&mut self, spent: &mut Spent, most: usize) -> Vec<WaveStep> {
        let gone: BTreeSet<usize> = self.target.gone.iter().copied().collect();
        let lasting: Vec<usize> =
            (0..self.model.nodes.len()).filter(|node| !gone.contains(node)).collect();
        let mut steps = Vec::new();
        for node in self.to_go.clone() {
            if steps.len() >= most {
                break;
            }
            let has_way = self.is_replaced(node) || self.awaits_launch(node);
            if has_way || !self.may_go(spent, node) || !self.goes_alone(node) {
                continue;
            }
            if let Some(puts) = self.try_elsewhere(node, &lasting) {
                self.spend(spent, node);
                steps.push(WaveStep { nodes: vec![node], puts, ..WaveStep::default() });
            }
        }
        steps
    }

    /// Whether a launch that isn't made has slots for pods of a node.
    fn awaits_launch(&self, node: usize) -> bool {
        let mut home = self.model.nodes[node].home.iter();
        home.any(|pods| self.slots.unmade(pods.class).next().is_some())
    }

    /// Has a node go, its pods into slots or to some nodes; nothing is changed where some find no
    /// place.
    fn try_elsewhere(
        &mut self,
        node: usize,
        lasting: &[usize],
    ) -> Option<Vec<(usize, usize, u32)>> {
        let (mark, slots) = (self.state.mark(), self.slots.clone());
        self.state.drain(node);
        let mut puts: Vec<(usize, usize, u32)> = Vec::new();
        // What one puts may be what another needs.
        for _ in 0..2 {
            for class in self.model.nodes[node].home.iter().map(|pods| pods.class) {
                while self.state.lacks(class) > 0 {
                    let slot =
                        self.state.best_slot(class, self.open_slots(class, &BTreeSet::new()));
                    let others = || lasting.iter().map(|node| (*node, u32::MAX));
                    let found = slot.or_else(|| self.state.best_slot(class, others()));
                    let Some((at, count)) = found else { break };
                    self.state.put(at, class, count);
                    let to = self.in_target(at);
                    if slot.is_some() {
                        self.slots.take(to, class, i64::from(count));
                    }
                    puts.push((to, class, count));
                }
            }
        }
        if self.state.lacking().is_empty() {
            return Some(puts);
        }
        self.state.undo(mark);
        self.slots = slots;
        None
    }
}
