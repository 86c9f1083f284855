//! Outdated nodes of static pools, which are replaced one for one: a static pool keeps its number
//! of nodes, whether pods need them or not, so what goes is launched anew, of the same pool, in the
//! same action.
//!
//! The cheapest offer of the pool is taken on which the pods of the node find places again, or on
//! what stands beside it; if there is none, the cheapest offer at all, with launches of other pools
//! for the rest. Such a launch counts for no pool's weight.
//!
//! Source: Karpenter, behaviour of its static drift.

use super::greedy::{Search, Stay};
use super::wave::{WavePlanner, WaveStep};
use super::wave_budget::Spent;
use crate::compile::{OfferId, PoolId};
use crate::explain::Blocker;
use std::collections::BTreeSet;

impl Search<'_> {
    /// The static pool of a node, if it is of one, as the compiled problem knows it.
    pub(super) fn static_pool_of(&self, node: usize) -> Option<PoolId> {
        let model = self.state.model;
        let pool = self.verdicts[model.nodes[node].place].pool?;
        let is_own = |of: &crate::compile::Pool| of.index == pool && of.static_replicas.is_some();
        model.compiled().pools.iter().find(|(_, of)| is_own(of)).map(|(id, _)| id)
    }

    /// Has a node of a static pool go that is to be replaced one for one, if that can be done.
    ///
    /// Offers from cheap to dear, first without and then with launches of other pools for pods that
    /// find no place.
    pub(super) fn replace_static(&mut self, node: usize) {
        let Some(pool) = self.static_pool_of(node) else { return };
        let model = self.state.model;
        let compiled = model.compiled();
        let moves = self.state.moves.saturating_add(model.nodes[node].moves);
        if !self.terms.allows_moves(moves) {
            let most = self.terms.options.max_moves.unwrap_or(u64::MAX);
            let blocker = Blocker::MoveLimit { most };
            self.stays[node] = Some(Stay { blocker, savings: None, launches: Vec::new() });
            return;
        }
        let mut offers: Vec<OfferId> = compiled
            .offers
            .iter()
            .filter(|(_, offer)| offer.pool == pool && offer.available)
            .map(|(id, _)| id)
            .collect();
        offers.sort_by_key(|id| (compiled.offers[*id].price, *id));
        for with_more in [false, true] {
            for offer in &offers {
                if self.try_static(node, *offer, with_more) {
                    self.commit(&[node]);
                    return;
                }
            }
        }
        let blocker = self.no_place(&[node]);
        self.stays[node] = Some(Stay { blocker, savings: None, launches: Vec::new() });
    }

    fn try_static(&mut self, node: usize, offer: OfferId, with_more: bool) -> bool {
        self.trials += 1;
        if !self.state.is_buyable(offer) {
            return false;
        }
        let mark = self.state.mark();
        let launch = self.state.launch(offer);
        self.state.replaces[launch - self.state.model.nodes.len()] = Some(node);
        self.leave(node);
        let classes = self.state.lacking_in_order();
        let _own = self.state.fill_launch(launch, &classes);
        let housed = self.state.place_standing(0)
            || with_more && self.state.launch_for(self.choices, i128::MAX / 4);
        if !housed {
            self.state.undo(mark);
            return false;
        }
        self.state.finish(node);
        true
    }
}

impl WavePlanner<'_, '_> {
    /// The running nodes that launches replace one for one, and whether that is so of a node.
    pub(super) fn is_replaced(&self, node: usize) -> bool {
        self.replaced.contains(&node)
    }

    /// Makes a launch that replaces a node one for one, and has that node go, if that can be done
    /// now.
    pub(super) fn replace_one(
        &mut self,
        launch: usize,
        spent: &mut Spent,
        closed: &BTreeSet<usize>,
    ) -> Option<WaveStep> {
        let node = self.target.replaces.get(launch).copied().flatten()?;
        if !self.may_go(spent, node) {
            return None;
        }
        let step = WaveStep { nodes: vec![node], launches: vec![launch], ..WaveStep::default() };
        self.try_step(step, spent, |planner, step, spent| {
            if !planner.make_launch(launch, spent) {
                return false;
            }
            let Some(puts) = planner.try_move(node, closed) else { return false };
            step.puts = puts;
            planner.spend(spent, node);
            planner.specify(step)
        })
    }
}
