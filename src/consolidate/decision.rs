//! What a stepwise search decided, carried out in waves as it was decided.
//!
//! *Problem.* A final state says which pods come where, not which launches a node goes with. With
//! thousands of launches, each for the pods of a few nodes, an order is hard to find again: a
//! launch that is made for one node is filled by the pods of others, which then lack what was made
//! for them.
//!
//! *Idea.* A search whose decisions can all be carried out as soon as they are made
//! ([`Search::stepwise`]) notes for each of them the nodes that go, what was launched, and where
//! the pods went. A wave takes decisions in their order, as many as budgets allow. Where pods of
//! one go to launches of others of the same wave they are one step. A decision that can't be
//! carried out now waits for the next wave. What none of them can do any more is left to slots
//! ([`super::wave`]).
//!
//! *Why it is right.* A step is asked all that any step is: whether each pod is accepted where it
//! goes, with all nodes of the wave drained; whether it is worth it; limits, weights and budgets as
//! they are by then.
//!
//! *Cost.* A look at each decision that is left in each wave, and a trial for those that budgets
//! allow.

use super::greedy::Search;
use super::wave::{WavePlanner, WaveStep};
use super::wave_budget::Spent;
use crate::plan::consolidation::DisruptionReason;
use std::collections::{BTreeMap, BTreeSet};

/// So many nodes go in one step at most, as many as Karpenter replaces with one command.
const MOST_TOGETHER: usize = 100;

/// Nodes that go together, what is launched for them, and where their pods go.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    pub(super) nodes: Vec<usize>,
    /// Launched nodes, as the state numbers them; in a target their places in its list of launches.
    pub(super) launches: Vec<usize>,
    /// Node, class and count.
    pub(super) puts: Vec<(usize, usize, u32)>,
}

impl Search<'_> {
    /// Notes what was just done for some nodes, in a search of which decisions are final.
    pub(super) fn note_decision(&mut self, nodes: &[usize]) {
        let (launches, puts) = self.state.since_settled();
        let running = self.state.model.nodes.len();
        // What replaces a node one for one is carried out as such.
        if launches.iter().all(|node| self.state.replaces[node - running].is_none()) {
            self.decisions.push(Decision { nodes: nodes.to_vec(), launches, puts });
        }
    }
}

impl WavePlanner<'_, '_> {
    /// Adds decisions to the steps of a wave that can be carried out now, until there are so many.
    /// One of which pods go to launches of other steps of the wave is part of these; launches that
    /// are closed take no pods in this wave.
    pub(super) fn decided_steps(
        &mut self,
        steps: &mut Vec<WaveStep>,
        (spent, going, closed): (&mut Spent, &mut BTreeSet<usize>, &BTreeSet<usize>),
        most: usize,
    ) {
        let target = self.target;
        let mut waits = vec![false; self.model.nodes.len()];
        self.to_go.iter().for_each(|node| waits[*node] = true);
        going.iter().for_each(|node| waits[*node] = false);
        // For each launch of the wave, the step that makes it.
        let mut step_of: BTreeMap<usize, usize> = BTreeMap::new();
        for decision in &target.decisions {
            if !decision.nodes.iter().all(|node| waits[*node]) {
                continue;
            }
            let Some(places) = self.steps_before(decision, &step_of, closed) else { continue };
            let first = places.first().copied().unwrap_or(steps.len());
            if first >= most || !self.may_join(decision, places.iter().map(|at| &steps[*at])) {
                continue;
            }
            let Some(step) = self.step_of_decision(decision, spent) else { continue };
            going.extend(&step.nodes);
            step.nodes.iter().for_each(|node| waits[*node] = false);
            if first == steps.len() {
                steps.push(WaveStep::default());
            }
            for at in places.iter().skip(1) {
                let other = std::mem::take(&mut steps[*at]);
                steps[first].join(other);
            }
            steps[first].join(step);
            steps[first].launches.iter().for_each(|launch| {
                let _old = step_of.insert(*launch, first);
            });
        }
        steps.retain(|step| !step.is_empty());
    }

    /// The steps of the wave that make launches to which pods of a decision go, in their order;
    /// nothing where it can't be carried out yet.
    fn steps_before(
        &self,
        decision: &Decision,
        step_of: &BTreeMap<usize, usize>,
        closed: &BTreeSet<usize>,
    ) -> Option<BTreeSet<usize>> {
        let running = self.model.nodes.len();
        let mut before = BTreeSet::new();
        for (node, ..) in &decision.puts {
            let stands = match node.checked_sub(running) {
                None => self.state.stands(*node),
                Some(launch) => {
                    before.extend(step_of.get(&launch));
                    decision.launches.contains(&launch)
                        || self.built.contains(launch) && !closed.contains(&launch)
                }
            };
            if !stands {
                return None;
            }
        }
        let is_new = decision.launches.iter().all(|launch| !self.built.contains(*launch));
        is_new.then_some(before)
    }

    /// Whether a decision and some steps may be one step.
    fn may_join<'s>(&self, decision: &Decision, steps: impl Iterator<Item = &'s WaveStep>) -> bool {
        let others = steps.flat_map(|step| &step.nodes);
        let nodes: Vec<usize> = decision.nodes.iter().chain(others).copied().collect();
        let mut reasons = nodes.iter().map(|node| self.reason(*node));
        let first = reasons.next();
        nodes.len() <= 1
            || nodes.len() <= MOST_TOGETHER
                && first != Some(DisruptionReason::Empty)
                && nodes.iter().all(|node| self.model.nodes[*node].price.is_some())
                && reasons.all(|reason| first == Some(reason))
                && nodes.iter().all(|node| !self.is_of_balanced(*node))
    }

    /// Whether what a node saves is weighed against its disruption: it went by its own score.
    fn is_of_balanced(&self, node: usize) -> bool {
        let pool = self.verdicts[self.model.nodes[node].place].pool;
        pool.is_some_and(|pool| self.terms.balances(pool))
    }

    fn reason(&self, node: usize) -> DisruptionReason {
        self.verdicts[self.model.nodes[node].place].reason
    }

    /// Carries out a decision if that can be done now and is worth it.
    fn step_of_decision(&mut self, decision: &Decision, spent: &mut Spent) -> Option<WaveStep> {
        let step = WaveStep {
            nodes: decision.nodes.clone(),
            launches: decision.launches.clone(),
            ..WaveStep::default()
        };
        self.try_step(step, spent, |planner, step, spent| {
            planner.launch_and_put(step, &decision.puts, spent)
        })
    }

    /// Does what was decided; whether all of it can be done, and is worth it.
    fn launch_and_put(
        &mut self,
        step: &mut WaveStep,
        puts: &[(usize, usize, u32)],
        spent: &mut Spent,
    ) -> bool {
        for node in &step.nodes {
            if !self.may_go(spent, *node) {
                return false;
            }
            self.spend(spent, *node);
        }
        let Some(price) = self.make_launches(step, spent) else { return false };
        step.nodes.iter().for_each(|node| self.state.drain(*node));
        for (node, class, count) in puts {
            let at = self.in_state(*node).filter(|at| self.state.admits(*at, *class));
            let Some(at) = at else { return false };
            let has_slots = self.slots.left_of(*node, *class) >= *count;
            if !has_slots || self.state.takes(at, *class, *count) < *count {
                return false;
            }
            self.state.put(at, *class, *count);
            self.slots.take(*node, *class, i64::from(*count));
            step.puts.push((*node, *class, *count));
        }
        self.state.lacking().is_empty()
            && self.pays(step, price)
            && self.keeps_weights(&step.launches, &step.puts)
            && self.specify(step)
            && self.has_types(step)
    }
}
