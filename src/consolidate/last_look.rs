//! What is looked at once more when a search finds no node to go any more.
//!
//! Launches that were made early may be needed no longer, or hold less than they were made for:
//! each is given up for a trial, its pods placed on what stands or launched for anew, and stays
//! given up where that costs less. So consolidating the outcome doesn't begin with what was just
//! launched. A launch that was kept is looked at again when its pods are others; and all are in the
//! end, when nothing else is found ([`Search::relaunch`]).
//!
//! And why nodes stay is asked of the cluster as a plan leaves it: what waves can't carry out, or a
//! later decision, may have changed what was found when a node was last tried.

use super::greedy::{Search, Stay};
use crate::explain::Blocker;

impl Search<'_> {
    /// Gives launches up that can be done without, or cheaper, of those that hold other pods than
    /// when they were last looked at; whether there were any.
    pub(super) fn replace_launches(&mut self) -> bool {
        let first = self.state.model.nodes.len();
        let fee = i128::from(self.state.model.context.fee);
        let mut any = false;
        for node in first..self.state.nodes() {
            if !self.state.stands(node) || self.state.replaces[node - first].is_some() {
                continue;
            }
            let mut held = (self.state.launched[node - first], self.state.arrived[node].clone());
            held.1.sort_unstable();
            if self.looked_at.get(&node) == Some(&held) {
                continue;
            }
            self.trials += 1;
            let mark = self.state.mark();
            let (before, nodes) = (self.state.cost, self.state.nodes());
            for (class, count) in self.state.arrived[node].clone() {
                self.state.take(node, class, count);
            }
            self.state.abandon(node);
            let left = before - self.state.cost + fee;
            let housed = self.state.place_standing(0)
                || left > 1 && self.state.launch_for(self.choices, left - 1);
            let more = i128::try_from(self.state.nodes() - nodes).unwrap_or(i128::MAX);
            // The launch that is given up is there no longer, and its fee is saved.
            let saved = before - self.state.cost + fee - fee.saturating_mul(more);
            if housed && saved > 0 {
                self.state.settle();
                any = true;
            } else {
                self.state.undo(mark);
                let _old = self.looked_at.insert(node, held);
            }
        }
        any
    }

    /// Why each node that may go stays, as the cluster is now; nothing of those that could go. Of
    /// nodes that have to go it is what was found before.
    pub(super) fn why_each_stays(mut self, before: &[Option<Stay>]) -> Vec<Option<Stay>> {
        let model = self.state.model;
        for (node, running) in model.nodes.iter().enumerate() {
            if running.must_go {
                self.stays[node] = before.get(node).cloned().flatten();
                continue;
            }
            if !running.may_go || !self.state.stands(node) {
                continue;
            }
            let mark = self.state.mark();
            let mut stay = self.attempt(&[node]).err();
            self.state.undo(mark);
            let is_of_places = matches!(
                stay.as_ref().map(|stay| &stay.blocker),
                Some(Blocker::NoOtherPlace { .. } | Blocker::Needed)
            );
            if is_of_places && self.terms.least(running.price.unwrap_or(0), running.moves, true) > 1
            {
                // What could be launched may just save too little.
                self.explains = true;
                stay = self.attempt(&[node]).err().or(stay);
                self.state.undo(mark);
                self.explains = false;
            }
            self.stays[node] = stay;
        }
        self.stays
    }
}
