//! Launched nodes of a cluster as it would be: they come, hold pods, are given up and come again,
//! each change with its inverse; and a state forgets those that were given up.

use super::model::weight;
use super::nodes_by_room::NodesByRoom;
use super::state::{Change, ClusterState};
use crate::compile::OfferId;
use std::cmp::Reverse;

impl ClusterState<'_> {
    /// Launches a node of an offer; its number.
    ///
    /// Limits and reservations are charged; whether they allow it is the caller's to ask
    /// ([`ClusterState::is_buyable`]).
    pub(super) fn launch(&mut self, offer: OfferId) -> usize {
        let compiled = self.model.compiled();
        let of = &compiled.offers[offer];
        let room = &compiled.shapes[of.shape].allocatable;
        self.free.extend(room);
        self.slack.push(weight(room, &self.model.scale));
        self.arrived.push(Vec::new());
        self.launched.push(offer);
        self.replaces.push(None);
        self.abandoned.push(false);
        let node = self.nodes() - 1;
        self.note(Change::Launch { node });
        self.hosts.iter_mut().for_each(|counts| counts.on.push(0));
        self.preferences.resize(&self.model.preferences, node + 1);
        self.stand(node, 1, false);
        self.stand(node, 1, true);
        self.note_free(node);
        self.charge(offer, 1);
        node
    }

    /// Takes the last launch back; nothing may be on it.
    pub(super) fn unlaunch(&mut self) {
        let Some(offer) = self.launched.last().copied() else { return };
        self.note(Change::Unlaunch { offer });
        let node = self.nodes() - 1;
        self.by_room.list(&self.model.levels, node, None);
        self.stand(node, -1, false);
        self.stand(node, -1, true);
        self.hosts.iter_mut().for_each(|counts| {
            let _none = counts.on.pop();
        });
        self.preferences.resize(&self.model.preferences, node);
        self.charge(offer, -1);
        let _offer = self.launched.pop();
        let _node = self.replaces.pop();
        let _flag = self.abandoned.pop();
        let _empty = self.arrived.pop();
        self.free.truncate(node * self.model.width);
        self.slack.truncate(node);
    }

    /// Gives a launched node up, and has its pods be without a place.
    pub(super) fn give_up(&mut self, node: usize) {
        for (class, count) in self.arrived[node].clone() {
            self.take(node, class, count);
        }
        self.abandon(node);
    }

    /// Gives a launched node up on which nothing is.
    ///
    /// Its number stays taken, so that the log's numbers mean what they meant;
    /// [`ClusterState::compact`] makes them tight again.
    pub(super) fn abandon(&mut self, node: usize) {
        self.note(Change::Abandon { node });
        let at = node - self.model.nodes.len();
        self.stand(node, -1, false);
        self.stand(node, -1, true);
        self.abandoned[at] = true;
        self.note_free(node);
        self.charge(self.launched[at], -1);
    }

    /// Has a launched node that was given up stand again.
    pub(super) fn restore(&mut self, node: usize) {
        self.note(Change::Restore { node });
        let at = node - self.model.nodes.len();
        self.abandoned[at] = false;
        self.note_free(node);
        self.stand(node, 1, false);
        self.stand(node, 1, true);
        self.charge(self.launched[at], 1);
    }

    /// Forgets launched nodes that were given up, and how to undo what was done; those of pools of
    /// the highest weight come first.
    pub(super) fn compact(&mut self) {
        self.settle();
        let (running, width) = (self.model.nodes.len(), self.model.width);
        let mut kept: Vec<usize> = (0..self.nodes())
            .filter(|node| *node < running || !self.abandoned[node - running])
            .collect();
        let compiled = self.model.compiled();
        let weight = |node: &usize| {
            let launched = node.checked_sub(running).map(|at| self.launched[at]);
            launched.map(|offer| Reverse(compiled.pools[compiled.offers[offer].pool].weight))
        };
        kept.sort_by_key(weight);
        self.slack = kept.iter().map(|node| self.slack[*node]).collect();
        self.free = kept.iter().flat_map(|node| self.free(*node).to_vec()).collect();
        self.arrived = kept.iter().map(|node| std::mem::take(&mut self.arrived[*node])).collect();
        for counts in &mut self.hosts {
            counts.on = kept.iter().map(|node| counts.on[*node]).collect();
        }
        self.preferences.renumber(&self.model.preferences, &kept);
        let launched = kept.iter().filter_map(|node| node.checked_sub(running));
        let launched: Vec<usize> = launched.collect();
        self.replaces = launched.iter().map(|at| self.replaces[*at]).collect();
        self.launched = launched.iter().map(|at| self.launched[*at]).collect();
        self.abandoned = vec![false; self.launched.len()];
        debug_assert_eq!(self.free.len(), self.arrived.len() * width, "a vector for each node");
        self.by_room = NodesByRoom::default();
        self.list_nodes();
    }
}
