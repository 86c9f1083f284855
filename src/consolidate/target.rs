//! The final state that waves lead to: which nodes are gone, what is launched, and how many pods of
//! each class come to each node.
//!
//! It is what a search hands to waves: no sequence of moves but their sum. Launches are numbered
//! after running nodes, without those that the search gave up again.

use super::decision::Decision;
use super::greedy::Search;
use super::model::ConsolidationModel;
use crate::compile::{NodeSource, OfferId};
use crate::pack::{DecidedLaunches, NodeGroup};
use std::collections::{BTreeMap, BTreeSet};

/// The final state.
pub(super) struct Target {
    /// The running nodes that are to go, in the order in which the search had them go.
    pub(super) gone: Vec<usize>,
    /// What is to be launched.
    pub(super) launches: Vec<OfferId>,
    /// For each launch the running node that it replaces one for one, if it does.
    pub(super) replaces: Vec<Option<usize>>,
    /// What comes to each node, launches after running ones: class and count.
    pub(super) slots: Vec<Vec<(usize, u32)>>,
    /// What was decided one after another, if decisions are final; its launches by their places.
    pub(super) decisions: Vec<Decision>,
}

impl Target {
    /// Where a search has come to. What was launched and holds nothing is none, unless it replaces
    /// a node one for one.
    ///
    /// Decisions of a stepwise search are kept with it; a decision of which a launch is gone is
    /// none any more.
    pub(super) fn of(search: &Search<'_>) -> Self {
        let state = &search.state;
        let running = state.model.nodes.len();
        let is_meant = |node: &usize| {
            let is_one = state.replaces.get(node - running).copied().flatten().is_some();
            state.stands(*node) && (is_one || !state.arrived[*node].is_empty())
        };
        let launched: Vec<usize> = (running..state.nodes()).filter(is_meant).collect();
        let place = |node: &usize| launched.binary_search(node).ok();
        let in_target = |node: usize| match node < running {
            true => Some(node),
            false => place(&node).map(|at| running + at),
        };
        let decided = |one: &Decision| {
            let launches = one.launches.iter().map(place).collect::<Option<_>>()?;
            let puts = one.puts.iter().map(|put| Some((in_target(put.0)?, put.1, put.2)));
            let puts = puts.collect::<Option<_>>()?;
            Some(Decision { nodes: one.nodes.clone(), launches, puts })
        };
        let decisions = search.decisions.iter().filter(|_| search.stepwise).filter_map(decided);
        let kept = (0..running).chain(launched.iter().copied());
        Self {
            decisions: decisions.collect(),
            gone: search.gone.clone(),
            launches: launched.iter().map(|node| state.launched[node - running]).collect(),
            replaces: launched.iter().map(|node| state.replaces[node - running]).collect(),
            slots: kept.map(|node| state.arrived[node].clone()).collect(),
        }
    }

    /// The launches, to be asked what they are like. What is to go doesn't last.
    ///
    /// A launch is specified with all that ever comes to it, beside nodes that stay, so that its
    /// alternatives hold later pods as well.
    pub(super) fn decided<'c>(&self, model: &ConsolidationModel<'c>) -> DecidedLaunches<'c> {
        let compiled = model.compiled();
        let running = model.nodes.len();
        let gone: BTreeSet<usize> = self.gone.iter().copied().collect();
        let lasting = (0..running).filter(|node| !gone.contains(node));
        let lasting = lasting.map(|node| model.nodes[node].site);
        let group = |(node, slots): (usize, &Vec<(usize, u32)>)| {
            let mut load = vec![0_i64; model.width];
            let mut items: BTreeMap<_, u32> = BTreeMap::new();
            for (class, count) in slots {
                let of_class = &model.classes[*class];
                *items.entry(of_class.item).or_default() += count;
                for (sum, asked) in load.iter_mut().zip(&of_class.request) {
                    *sum = sum.saturating_add(asked.saturating_mul(i64::from(*count)));
                }
            }
            let id = model.nodes.get(node).and_then(|node| compiled.node_at(node.site));
            // The place of a launch is decided: no bin type is asked for.
            let place = id.map_or(NodeSource::Launch(0), |id| NodeSource::Running(vec![id]));
            NodeGroup { place, items: items.into_iter().collect(), load, multiplicity: 1 }
        };
        let mut others: Vec<NodeGroup> = self.slots.iter().enumerate().map(group).collect();
        let launched = others.split_off(running.min(others.len()));
        others.retain(|group| !group.items.is_empty());
        DecidedLaunches::new(model.context, launched, &self.launches, others, lasting)
    }
}
