//! Nodes that went and come back, because that is cheaper than to launch one.
//!
//! *Problem.* When room gets scarce, the pods of a node that is to go need a launch, and pools'
//! weights may allow a dear one only, while a cheap node went before.
//!
//! *Idea.* The cheapest node comes back that has room for what needs a place beside its own pods.
//! These come home from wherever they are, which leaves room there, too.
//!
//! *Cost.* A comparison for each node that went and costs less than may be spent, and a placing for
//! the few that pass.
//!
//! *Why it is right.* A node comes back with the pods that were at home on it, which takes room
//! away from nobody; its price counts again, and so does its charge against its pool's limits,
//! which are asked.

use super::greedy::Search;

/// So many nodes are tried for the same pods.
const MOST_TRIED: usize = 3;

impl Search<'_> {
    /// Has the cheapest node come back that has room for all pods without a place, for no more than
    /// so much and none of some; what that costs, with the fee. Where there is none, the state is
    /// as before.
    pub(super) fn reopen(&mut self, except: &[usize], most: i128) -> Option<i128> {
        let model = self.state.model;
        let fee = i128::from(model.context.fee);
        let lacking = self.state.lacking_in_order();
        let load = self.state.load(&lacking);
        let mut tried = 0;
        for at in 0..self.cheapest.len() {
            let node = self.cheapest[at];
            let running = &model.nodes[node];
            let price = running.weighed + fee;
            if price > most || tried >= MOST_TRIED {
                return None;
            }
            if self.state.stands(node) || except.contains(&node) {
                continue;
            }
            let open = |class: &usize| self.state.admits(node, *class);
            let fits =
                running.free.iter().zip(&load).all(|(have, want)| have >= want || *want == 0);
            if !fits || !lacking.iter().all(open) {
                continue;
            }
            tried += 1;
            let mark = self.state.mark();
            self.bring_back(node, 0);
            if self.state.keeps_limits() && self.state.place_standing(0) {
                return Some(price);
            }
            self.state.undo(mark);
        }
        None
    }

    /// Has a node come back that went, with its pods, from wherever pods of their classes are, the
    /// nodes from one on first.
    ///
    /// Any pods of its classes come home, not the very ones that left: within a move class they may
    /// take each other's places.
    pub(super) fn bring_back(&mut self, node: usize, first: usize) {
        let model = self.state.model;
        let nodes = self.state.nodes();
        for pods in &model.nodes[node].home {
            for step in 0..nodes {
                let missing = pods.count.saturating_sub(self.state.lacks(pods.class));
                if missing == 0 {
                    break;
                }
                let at = (first + step) % nodes;
                let own = self.state.arrived[at].iter().find(|(class, _)| *class == pods.class);
                if let Some((class, count)) = own.copied() {
                    self.state.take(at, class, count.min(missing));
                }
            }
        }
        self.state.come_back(node);
    }
}
