//! From the cluster as it is to the cluster as it is to be, in waves that can be carried out.
//!
//! *Problem.* Nodes may go side by side only as far as budgets of pools and of pods allow, a launch
//! must stand before what it replaces is gone, and every pod must be accepted when it is bound:
//! with a fixed place for each pod, good final states are often out of reach, since a spread is
//! broken half-way.
//!
//! *Idea.* The final state is slots: so many pods of a class on a node. A pod that leaves may take
//! any slot of its class that accepts it now. A wave takes nodes one after another, in the order in
//! which the search had them go: as it was decided, where that is known and can be done
//! ([`super::decision`]); or else first those whose pods find slots on what stands, then a launch
//! with the nodes whose pods it is needed for, once these save enough together; until nothing more
//! goes; what is left then is given other places ([`super::rehouse`]). Nodes that go are drained
//! for the length of the wave: they take no pods, and still count where a spread doesn't heed their
//! taint.
//!
//! *Why it is right.* Pods move only from nodes that go to nodes that stay, so that room is no
//! matter of order, and a slot that is free is free. A wave is kept only where its pods, bound one
//! after another when all its nodes are drained, are all accepted; else it is taken back and made
//! shorter. What can't go in any wave stays, and what goes is carried out whole.
//!
//! *Cost.* Each wave tries each node that is left once or a few times; how often nodes are tried
//! with launches for several of them is limited in all.
//!
//! *Example.* Node `a` holds two pods of a class, and `b` and `c` have a slot for one each. Which
//! pod takes which slot is left open. Where a spread accepts one on `b` only once the other is on
//! `c`, the first round finds the slot on `c` and the second that on `b`.

use super::eligibility::NodeVerdict;
use super::launch::LaunchOptions;
use super::model::{ConsolidationModel, ModelNode};
use super::slots::{MadeLaunches, TargetSlots};
use super::state::ClusterState;
use super::target::Target;
use super::terms::Terms;
use super::wave_budget::{Spent, WaveBudgets};
use crate::compile::OfferId;
use crate::model::CapacityType;
use crate::pack::DecidedLaunches;
use crate::plan::LaunchTemplate;
use std::collections::BTreeSet;
use std::sync::Arc;

/// So often nodes are tried with launches for several of them while waves are planned.
const MOST_TRIES: usize = 30_000;

/// Nodes that go together, what is launched for them, and where pods go; without nodes, what is
/// done for pods that wait.
#[derive(Clone, Debug, Default)]
pub(super) struct WaveStep {
    pub(super) nodes: Vec<usize>,
    /// Places in the target's list of launches.
    pub(super) launches: Vec<usize>,
    /// What each of these is like.
    pub(super) templates: Vec<Arc<LaunchTemplate>>,
    /// Node, class and count; launches are numbered after running nodes by their place in the
    /// target.
    pub(super) puts: Vec<(usize, usize, u32)>,
}

impl WaveStep {
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.puts.is_empty()
    }

    /// Takes in what another step does after this one.
    pub(super) fn join(&mut self, other: Self) {
        self.nodes.extend(other.nodes);
        self.launches.extend(other.launches);
        self.templates.extend(other.templates);
        self.puts.extend(other.puts);
    }
}

/// What waves are made of.
pub(super) struct WavePlanner<'m, 't> {
    pub(super) model: &'m ConsolidationModel<'m>,
    pub(super) terms: &'m Terms<'m>,
    choices: &'m LaunchOptions,
    pub(super) verdicts: &'m [NodeVerdict],
    pub(super) target: &'t Target,
    decided: DecidedLaunches<'m>,
    pub(super) state: ClusterState<'m>,
    /// Slots that are left, by node as the target numbers them.
    pub(super) slots: TargetSlots,
    /// The launches of the target that stand.
    pub(super) built: MadeLaunches,
    /// Running nodes that launches replace one for one.
    pub(super) replaced: BTreeSet<usize>,
    /// How often nodes may still be tried with launches for several of them.
    pub(super) tries: usize,
    /// Nodes that are still to go.
    pub(super) to_go: Vec<usize>,
    budgets: WaveBudgets<'m>,
}

impl<'m, 't> WavePlanner<'m, 't> {
    pub(super) fn new(
        model: &'m ConsolidationModel<'m>,
        terms: &'m Terms<'m>,
        choices: &'m LaunchOptions,
        verdicts: &'m [NodeVerdict],
        target: &'t Target,
    ) -> Self {
        let slots = TargetSlots::new(target.slots.clone(), model.nodes.len(), model.classes.len());
        let mut planner = Self {
            model,
            terms,
            choices,
            verdicts,
            target,
            decided: target.decided(model),
            state: ClusterState::new(model),
            slots,
            built: MadeLaunches::none(target.launches.len()),
            replaced: target.replaces.iter().copied().flatten().collect(),
            tries: MOST_TRIES,
            to_go: target.gone.clone(),
            budgets: terms.budgets.clone(),
        };
        planner.state.settle();
        planner.excuse_waiting();
        planner
    }

    /// The waves, each of steps that may be taken side by side; the nodes that can go in none; and
    /// the cluster as it is when all is done.
    ///
    /// A wave that isn't accepted is halved until it is; a single step that isn't never will be,
    /// and its nodes are stuck.
    pub(super) fn plan(mut self) -> (Vec<Vec<WaveStep>>, Vec<usize>, ClusterState<'m>) {
        let mut waves = Vec::new();
        let mut stuck = Vec::new();
        let mut most = usize::MAX;
        loop {
            let mark = (self.state.mark(), self.slots.clone(), self.built.len());
            let steps = self.wave(most);
            if steps.is_empty() {
                break;
            }
            if self.is_accepted(&steps, mark.0, mark.2) {
                self.carry_out(&steps);
                waves.push(steps);
                most = usize::MAX;
                continue;
            }
            self.state.undo(mark.0);
            self.unmake(mark.2);
            self.slots = mark.1;
            self.excuse_waiting();
            most = steps.len() / 2;
            if most == 0 {
                // A step that isn't accepted by itself never is.
                let own: BTreeSet<usize> =
                    steps.iter().flat_map(|step| step.nodes.iter().copied()).collect();
                self.to_go.retain(|node| !own.contains(node));
                stuck.extend(own);
                most = usize::MAX;
            }
        }
        stuck.extend(self.to_go);
        (waves, stuck, self.state)
    }

    /// Is done with a wave.
    fn carry_out(&mut self, wave: &[WaveStep]) {
        for node in wave.iter().flat_map(|step| &step.nodes) {
            self.state.finish(*node);
            let verdict = &self.verdicts[self.model.nodes[*node].place];
            if let Some(pool) = verdict.pool {
                self.budgets.lose(pool);
            }
        }
        // What pods were bound to has started by the next wave.
        let compiled = self.model.compiled();
        for launch in wave.iter().flat_map(|step| &step.launches) {
            let offer = &compiled.offers[self.target.launches[*launch]];
            self.budgets.gain(compiled.pools[offer.pool].index);
        }
        self.state.settle();
        let gone: BTreeSet<usize> =
            wave.iter().flat_map(|step| step.nodes.iter().copied()).collect();
        self.to_go.retain(|node| !gone.contains(node));
    }

    /// Makes a wave of at most so many steps.
    ///
    /// In order: pods that wait; decisions as they were made; nodes whose pods find slots without a
    /// launch; launches with the nodes that they are for; and, only where all that gives nothing,
    /// other places for what is left.
    fn wave(&mut self, most: usize) -> Vec<WaveStep> {
        let mut spent = Spent::default();
        let mut going: BTreeSet<usize> = BTreeSet::new();
        // Launches of this wave take pods of their own step alone.
        let mut closed: BTreeSet<usize> = BTreeSet::new();
        self.slots.open_all();
        let mut steps = self.serve_waiting(&mut spent, &mut closed, most);
        let waiting = steps.len();
        self.decided_steps(&mut steps, (&mut spent, &mut going, &closed), most);
        if steps.len() > waiting {
            return steps;
        }
        let mut before = usize::MAX;
        while before != steps.len() {
            before = steps.len();
            for node in self.to_go.clone() {
                if steps.len() >= most {
                    return steps;
                }
                let later = going.contains(&node) || self.is_replaced(node);
                if later || !self.may_go(&spent, node) {
                    continue;
                }
                if let Some(puts) = self.step_without_launch(node, &closed) {
                    let _new = going.insert(node);
                    self.spend(&mut spent, node);
                    steps.push(WaveStep { nodes: vec![node], puts, ..WaveStep::default() });
                }
            }
        }
        // What is launched now takes other pods in the next wave only.
        let is_open = |node: &usize| !going.contains(node) && self.may_go(&spent, *node);
        if self.to_go.iter().any(is_open) {
            self.launch_steps(&mut steps, (&mut spent, &mut going, &mut closed), most);
        }
        if steps.is_empty() { self.rehouse(&mut spent, most) } else { steps }
    }

    /// Has a node go whose pods find slots on what stands; where they go.
    fn step_without_launch(
        &mut self,
        node: usize,
        closed: &BTreeSet<usize>,
    ) -> Option<Vec<(usize, usize, u32)>> {
        if self.goes_alone(node) { self.try_move(node, closed) } else { None }
    }

    /// Whether a node has to go, or is worth it by itself where nothing is launched.
    pub(super) fn goes_alone(&self, node: usize) -> bool {
        self.model.nodes[node].must_go || self.is_worth(&[node], LaunchPrice::default())
    }

    /// Has a node go, its pods into slots; nothing is changed where some find none.
    pub(super) fn try_move(
        &mut self,
        node: usize,
        closed: &BTreeSet<usize>,
    ) -> Option<Vec<(usize, usize, u32)>> {
        if !self.has_slots(node) {
            return None;
        }
        let mark = self.state.mark();
        self.state.drain(node);
        let mut puts: Vec<(usize, usize, u32)> = Vec::new();
        // What one puts may be what another needs.
        'places: for _ in 0..2 {
            for class in self.model.nodes[node].home.iter().map(|pods| pods.class) {
                while self.state.lacks(class) > 0 {
                    let slots = self.open_slots(class, closed);
                    let best = self.state.best_slot(class, slots);
                    let Some((to, count)) = best else { break };
                    self.state.put(to, class, count);
                    let to = self.in_target(to);
                    self.slots.take(to, class, i64::from(count));
                    puts.push((to, class, count));
                }
                if self.state.lacks(class) > 0 && self.model.classes[class].asks_room_alone() {
                    break 'places;
                }
            }
        }
        if !self.state.lacking().is_empty() {
            self.state.undo(mark);
            self.give_back(&puts);
            return None;
        }
        Some(puts)
    }

    /// Whether what stands has as many slots as there are pods on a node, of each class.
    pub(super) fn has_slots(&self, node: usize) -> bool {
        let home = &self.model.nodes[node].home;
        home.iter().all(|pods| self.slots.open_in_all(pods.class) >= u64::from(pods.count))
    }

    /// Has a launch of this wave take no more pods in it.
    pub(super) fn close(&mut self, launch: usize, closed: &mut BTreeSet<usize>) {
        if closed.insert(launch) {
            self.slots.close(self.model.nodes.len() + launch);
        }
    }

    /// The nodes that stand and have slots left for a class, as the state numbers them, but for
    /// those of some launches.
    pub(super) fn open_slots(
        &self,
        class: usize,
        closed: &BTreeSet<usize>,
    ) -> impl Iterator<Item = (usize, u32)> {
        let running = self.model.nodes.len();
        self.slots.standing(class).filter_map(move |(node, left)| {
            let at = match node.checked_sub(running) {
                None => node,
                Some(launch) if closed.contains(&launch) => return None,
                Some(launch) => running + self.built.place(launch)?,
            };
            Some((at, left))
        })
    }

    /// The number of a node of the state in the target.
    pub(super) fn in_target(&self, node: usize) -> usize {
        let running = self.model.nodes.len();
        match node.checked_sub(running) {
            None => node,
            Some(at) => running + self.built.all().get(at).copied().unwrap_or_default(),
        }
    }

    /// Gives slots back that pods were put into.
    pub(super) fn give_back(&mut self, puts: &[(usize, usize, u32)]) {
        for (node, class, count) in puts {
            self.slots.take(*node, *class, -i64::from(*count));
        }
    }

    /// Makes a launch, if the surge, limits and reservations allow it.
    pub(super) fn make_launch(&mut self, launch: usize, spent: &mut Spent) -> bool {
        let offer = self.target.launches[launch];
        let surge = self.terms.options.max_surge.is_some_and(|most| spent.launches >= most);
        if surge || !self.state.is_buyable(offer) {
            return false;
        }
        let node = self.state.launch(offer);
        self.state.replaces[node - self.model.nodes.len()] = self.target.replaces[launch];
        self.note_made(launch);
        spent.launches += 1;
        true
    }

    /// Makes the launches of a step, if all can be made; what they cost.
    pub(super) fn make_launches(
        &mut self,
        step: &WaveStep,
        spent: &mut Spent,
    ) -> Option<LaunchPrice> {
        let mut price = LaunchPrice::default();
        for launch in &step.launches {
            if !self.make_launch(*launch, spent) {
                return None;
            }
            price.add(&self.state, self.target.launches[*launch]);
        }
        Some(price)
    }

    /// The step as it is carried out, if it can be; nothing is changed where it can't.
    ///
    /// One place for trying, undoing and accounting, whatever the step is.
    pub(super) fn try_step(
        &mut self,
        mut step: WaveStep,
        spent: &mut Spent,
        carry_out: impl FnOnce(&mut Self, &mut WaveStep, &mut Spent) -> bool,
    ) -> Option<WaveStep> {
        let (mark, built) = (self.state.mark(), self.built.len());
        let mut used = spent.clone();
        if carry_out(self, &mut step, &mut used) {
            *spent = used;
            return Some(step);
        }
        self.state.undo(mark);
        self.unmake(built);
        self.give_back(&step.puts);
        None
    }

    /// Whether the nodes of a step have to go, or are worth it with what is launched.
    pub(super) fn pays(&self, step: &WaveStep, launched: LaunchPrice) -> bool {
        step.nodes.iter().any(|node| self.model.nodes[*node].must_go)
            || self.is_worth(&step.nodes, launched)
    }

    /// Says what the launches of a step are like, now that they are made; whether that can be said.
    pub(super) fn specify(&mut self, step: &mut WaveStep) -> bool {
        step.templates = self.decided.templates(&step.launches, self.built.all());
        step.templates.len() == step.launches.len()
    }

    /// Whether nodes that go together save what they must.
    pub(super) fn is_worth(&self, nodes: &[usize], launched: LaunchPrice) -> bool {
        let of = |node: &usize| &self.model.nodes[*node];
        let known = nodes.iter().all(|node| of(node).price.is_some());
        if !known {
            // Of a price that isn't known nothing is claimed, nor anything bought for it.
            return launched.paid == 0;
        }
        let price: i128 = nodes.iter().filter_map(|node| of(node).price).sum();
        let moves = nodes.iter().map(|node| of(node).moves).sum();
        let weighed: i128 = nodes.iter().map(|node| of(node).weighed).sum();
        let saving = (price - launched.paid).min(weighed - launched.weighed);
        let empty = nodes.iter().all(|node| of(node).moves == 0);
        let going: Vec<(&NodeVerdict, &ModelNode)> =
            nodes.iter().map(|node| (&self.verdicts[of(node).place], of(node))).collect();
        empty
            || saving >= self.terms.least(price, moves, launched.paid > 0)
                && self.terms.unbalanced(&going, saving).is_none()
    }

    /// Whether no pool of a higher weight could launch, now, for a pod that comes to one of some
    /// launches.
    pub(super) fn keeps_weights(&self, launches: &[usize], puts: &[(usize, usize, u32)]) -> bool {
        let compiled = self.model.compiled();
        puts.iter().all(|(node, class, _)| {
            let Some(launch) = node.checked_sub(self.model.nodes.len()) else { return true };
            let offer = &compiled.offers[self.target.launches[launch]];
            let weight = compiled.pools[offer.pool].weight;
            let open = || self.state.open_weights(self.choices, &[*class]);
            !launches.contains(&launch) || open().iter().all(|open| *open <= weight)
        })
    }

    /// Whether a single spot node that is replaced by spot leaves enough types to choose from.
    pub(super) fn has_types(&self, step: &WaveStep) -> bool {
        let [node] = step.nodes[..] else { return true };
        let running = &self.model.nodes[node];
        let Some(price) = running.price.filter(|_| !running.must_go) else { return true };
        if !self.terms.is_spot(running.place) {
            return true;
        }
        step.templates.iter().all(|template| {
            let cheaper = template
                .alternatives
                .iter()
                .filter(|one| one.capacity_type == CapacityType::Spot && one.price.nanos() < price);
            let types: BTreeSet<&str> = cheaper.map(|one| &*one.instance_type).collect();
            template.offering.capacity_type != CapacityType::Spot
                || types.len() >= self.terms.options.spot_flexibility as usize
        })
    }

    /// Whether budgets allow that a node goes as well.
    pub(super) fn may_go(&self, spent: &Spent, node: usize) -> bool {
        self.budgets.allow(spent, &self.verdicts[self.model.nodes[node].place])
    }

    pub(super) fn spend(&self, spent: &mut Spent, node: usize) {
        spent.note(&self.verdicts[self.model.nodes[node].place]);
    }

    /// Whether the pods of a wave are accepted one after another when all its nodes are drained.
    /// What was done since the mark is done anew so.
    ///
    /// Steps are taken one after another when a wave is made, and all its nodes drain at once when
    /// it is carried out; that may be stricter. Pods without rules aren't looked at again: room is
    /// no matter of order.
    fn is_accepted(&mut self, steps: &[WaveStep], mark: usize, built: usize) -> bool {
        let tied = steps.iter().flat_map(|step| &step.puts).any(|(_, class, _)| {
            let of_class = &self.model.classes[*class];
            of_class.tied || of_class.heeds_preferences()
        });
        if !tied {
            return true;
        }
        if steps.len() <= 1 && steps.iter().all(|step| step.nodes.len() <= 1) {
            return self.keeps_preferences(steps);
        }
        let running = self.model.nodes.len();
        self.state.undo(mark);
        self.unmake(built);
        for launch in steps.iter().flat_map(|step| &step.launches) {
            let node = self.state.launch(self.target.launches[*launch]);
            self.state.replaces[node - running] = self.target.replaces[*launch];
            self.note_made(*launch);
        }
        steps.iter().flat_map(|step| &step.nodes).for_each(|node| self.state.drain(*node));
        let mut puts: Vec<(usize, usize, u32)> =
            steps.iter().flat_map(|step| step.puts.iter().copied()).collect();
        while !puts.is_empty() {
            let mut rest = Vec::new();
            let before: u64 = puts.iter().map(|(_, _, count)| u64::from(*count)).sum();
            for (node, class, count) in puts {
                let at = self.in_state(node).filter(|at| self.state.admits(*at, class));
                let takes = at.map_or(0, |at| self.state.takes(at, class, count));
                if let Some(at) = at.filter(|_| takes > 0) {
                    self.state.put(at, class, takes);
                }
                if takes < count {
                    rest.push((node, class, count - takes));
                }
            }
            let after: u64 = rest.iter().map(|(_, _, count)| u64::from(*count)).sum();
            if after == before {
                return false;
            }
            puts = rest;
        }
        self.keeps_preferences(steps)
    }
}

/// What launches cost, and what they count for with expected interruptions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LaunchPrice {
    paid: i128,
    weighed: i128,
}

impl LaunchPrice {
    /// One more is launched.
    pub(super) fn add(&mut self, state: &ClusterState<'_>, offer: OfferId) {
        self.weighed = self.weighed.saturating_add(state.price(offer));
        self.paid = self.paid.saturating_add(state.paid_for(offer));
    }
}
