//! From the cluster as it is to the cluster as it is to be, in waves that can be carried out.
//!
//! *Problem.* Nodes may go side by side only as far as budgets of pools and of pods allow, a launch
//! must stand before what it replaces is gone, and every pod must be accepted when it is bound: with
//! a fixed place for each pod, good final states are often out of reach, since a spread is broken
//! half-way.
//!
//! *Idea.* The final state is slots: so many pods of a class on a node. A pod that leaves may take
//! any slot of its class that accepts it now. A wave takes nodes one after another, in the order in
//! which the search had them go: first those whose pods find slots on what stands; then a launch
//! with the nodes whose pods it is needed for, once these save enough together; until nothing more
//! goes; what is left then is given other places ([`super::rehouse`]). Nodes that go are drained for
//! the length of the wave: they take no pods, and still count where a spread doesn't heed their
//! taint.
//!
//! *Why it is right.* Pods move only from nodes that go to nodes that stay, so that room is no
//! matter of order, and a slot that is free is free. A wave is kept only where its pods, bound one
//! after another when all its nodes are drained, are all accepted; else it is taken back and made
//! shorter. What can't go in any wave stays, and what goes is carried out whole.
//!
//! *Cost.* Each wave tries each node that is left once or a few times.

use super::eligibility::NodeVerdict;
use super::launch::LaunchOptions;
use super::model::{ConsolidationModel, ModelNode};
use super::state::ClusterState;
use super::target::Target;
use super::terms::Terms;
use super::wave_budget::{Spent, WaveBudgets};
use crate::model::CapacityType;
use crate::pack::DecidedLaunches;
use crate::plan::LaunchTemplate;
use crate::plan::consolidation::DisruptionReason;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Nodes that go together, what is launched for them, and where pods go; without nodes, what is done
/// for pods that wait.
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

/// What waves are made of.
pub(super) struct WavePlanner<'m, 't> {
    pub(super) model: &'m ConsolidationModel<'m>,
    terms: &'m Terms<'m>,
    choices: &'m LaunchOptions,
    verdicts: &'m [NodeVerdict],
    pub(super) target: &'t Target,
    decided: DecidedLaunches<'m>,
    pub(super) state: ClusterState<'m>,
    /// Slots that are left, by node as the target numbers them.
    pub(super) slots: Vec<Vec<(usize, u32)>>,
    /// For each class, the nodes that have slots for it, as the target numbers them.
    slots_of: Vec<Vec<usize>>,
    /// The launches of the target that stand, in the order in which the state numbers them.
    pub(super) built: Vec<usize>,
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
        let slots = target.slots.clone();
        let mut slots_of = vec![Vec::new(); model.classes.len()];
        for (node, own) in slots.iter().enumerate() {
            own.iter().for_each(|(class, _)| slots_of[*class].push(node));
        }
        let mut planner = Self {
            model,
            terms,
            choices,
            verdicts,
            target,
            decided: target.decided(model),
            state: ClusterState::new(model),
            slots,
            slots_of,
            built: Vec::new(),
            to_go: target.gone.clone(),
            budgets: terms.budgets.clone(),
        };
        planner.state.settle();
        planner.excuse_waiting();
        planner
    }

    /// The waves, each of steps that may be taken side by side; the nodes that can go in none; and the
    /// cluster as it is when all is done.
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
            self.slots = mark.1;
            self.built.truncate(mark.2);
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
        self.state.settle();
        let gone: BTreeSet<usize> =
            wave.iter().flat_map(|step| step.nodes.iter().copied()).collect();
        self.to_go.retain(|node| !gone.contains(node));
    }

    /// Makes a wave of at most so many steps.
    fn wave(&mut self, most: usize) -> Vec<WaveStep> {
        let mut spent = Spent::default();
        let mut going: BTreeSet<usize> = BTreeSet::new();
        // Launches of this wave take pods of their own step alone.
        let mut closed: Vec<usize> = Vec::new();
        let mut steps = self.serve_waiting(&mut spent, &mut closed, most);
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
        let open = self.to_go.iter().any(is_open);
        for first in (0..self.target.launches.len()).filter(|_| open) {
            let stands = self.built.contains(&first);
            if stands || steps.len() >= most {
                continue;
            }
            let step = match self.target.replaces[first] {
                Some(_) => self.replace_one(first, &mut spent, &closed),
                None => self.step_with_launches(first, &mut spent, &going, &closed),
            };
            if let Some(step) = step {
                going.extend(&step.nodes);
                closed.extend(&step.launches);
                steps.push(step);
            }
        }
        if steps.is_empty() { self.rehouse(&mut spent, most) } else { steps }
    }

    /// Has a node go whose pods find slots on what stands; where they go.
    fn step_without_launch(
        &mut self,
        node: usize,
        closed: &[usize],
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
        closed: &[usize],
    ) -> Option<Vec<(usize, usize, u32)>> {
        let mark = self.state.mark();
        self.state.drain(node);
        let mut puts: Vec<(usize, usize, u32)> = Vec::new();
        // What one puts may be what another needs.
        for _ in 0..2 {
            for class in self.model.nodes[node].home.iter().map(|pods| pods.class) {
                while self.state.lacks(class) > 0 {
                    let slots = self.open_slots(class, closed);
                    let best = self.state.best_slot(class, slots);
                    let Some((to, count)) = best else { break };
                    self.state.put(to, class, count);
                    let to = self.in_target(to);
                    use_slot(&mut self.slots, to, class, i64::from(count));
                    puts.push((to, class, count));
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

    /// The nodes that stand and have slots left for a class, as the state numbers them, but for those
    /// of some launches.
    pub(super) fn open_slots(
        &self,
        class: usize,
        closed: &[usize],
    ) -> impl Iterator<Item = (usize, u32)> {
        let running = self.model.nodes.len();
        self.slots_of[class].iter().filter_map(move |node| {
            let left = self.slots[*node].iter().find(|(of, _)| *of == class)?.1;
            let at = match node.checked_sub(running) {
                None => *node,
                Some(launch) if closed.contains(&launch) => return None,
                Some(launch) => running + self.built.iter().position(|built| *built == launch)?,
            };
            (left > 0).then_some((at, left))
        })
    }

    /// The number of a node of the state in the target.
    pub(super) fn in_target(&self, node: usize) -> usize {
        let running = self.model.nodes.len();
        match node.checked_sub(running) {
            None => node,
            Some(at) => running + self.built.get(at).copied().unwrap_or_default(),
        }
    }

    /// Makes a launch with the nodes that go because of it, as soon as they are worth it together:
    /// alone, or with others that hold pods of the same nodes.
    fn step_with_launches(
        &mut self,
        first: usize,
        spent: &mut Spent,
        going: &BTreeSet<usize>,
        closed: &[usize],
    ) -> Option<WaveStep> {
        let mut together = vec![first];
        loop {
            let nodes = self.in_need_of(&together, going);
            let open: Vec<usize> =
                nodes.iter().copied().filter(|node| self.may_go(spent, *node)).collect();
            if self.could_pay(&together, &open)
                && let Some(step) = self.try_launches(&together, &open, spent, closed)
            {
                return Some(step);
            }
            if together.len() >= MOST_TOGETHER {
                return None;
            }
            let unbuilt = (0..self.target.launches.len()).filter(|launch| {
                !self.built.contains(launch)
                    && !together.contains(launch)
                    && self.target.replaces[*launch].is_none()
            });
            let shared = unbuilt.map(|launch| (self.shared(launch, &nodes), launch));
            let (_, next) = shared.filter(|(shared, _)| *shared > 0).max()?;
            together.push(next);
        }
    }

    /// The nodes that are still to go and have pods of classes for which some launches have slots.
    fn in_need_of(&self, launches: &[usize], going: &BTreeSet<usize>) -> Vec<usize> {
        let running = self.model.nodes.len();
        let slots = launches.iter().flat_map(|launch| &self.slots[running + launch]);
        let classes: BTreeSet<usize> =
            slots.filter(|(_, count)| *count > 0).map(|(class, _)| *class).collect();
        let needs = |node: &usize| {
            let mut home = self.model.nodes[*node].home.iter();
            !going.contains(node)
                && !self.is_replaced(*node)
                && home.any(|pods| classes.contains(&pods.class))
        };
        self.to_go.iter().copied().filter(needs).collect()
    }

    /// Whether nodes cost more than launches, so that these may be worth it if all of them go.
    fn could_pay(&self, launches: &[usize], nodes: &[usize]) -> bool {
        let forced = nodes.iter().any(|node| self.model.nodes[*node].must_go);
        let prices = nodes.iter().filter_map(|node| self.model.nodes[*node].price);
        let paid = launches.iter().map(|launch| self.state.paid_for(self.target.launches[*launch]));
        forced || prices.sum::<i128>() >= paid.sum::<i128>()
    }

    /// How many slots a launch has for classes at home on some nodes.
    fn shared(&self, launch: usize, nodes: &[usize]) -> u32 {
        let slots = self.slots[self.model.nodes.len() + launch].iter();
        let is_home = |class: usize| {
            let mut homes = nodes.iter().flat_map(|node| &self.model.nodes[*node].home);
            homes.any(|pods| pods.class == class)
        };
        slots.filter(|(class, _)| is_home(*class)).map(|(_, count)| *count).sum()
    }

    fn try_launches(
        &mut self,
        launches: &[usize],
        nodes: &[usize],
        spent: &mut Spent,
        closed: &[usize],
    ) -> Option<WaveStep> {
        let (mark, built) = (self.state.mark(), self.built.len());
        let mut step = WaveStep { launches: launches.to_vec(), ..WaveStep::default() };
        let mut used = spent.clone();
        if self.launch_and_move(&mut step, nodes, &mut used, closed) {
            *spent = used;
            return Some(step);
        }
        self.state.undo(mark);
        self.built.truncate(built);
        self.give_back(&step.puts);
        None
    }

    /// Gives slots back that pods were put into.
    pub(super) fn give_back(&mut self, puts: &[(usize, usize, u32)]) {
        for (node, class, count) in puts {
            use_slot(&mut self.slots, *node, *class, -i64::from(*count));
        }
    }

    /// Makes the launches of a step, and has nodes go that are worth it with them; whether there
    /// are enough.
    fn launch_and_move(
        &mut self,
        step: &mut WaveStep,
        nodes: &[usize],
        spent: &mut Spent,
        closed: &[usize],
    ) -> bool {
        let running = self.model.nodes.len();
        let mut price = LaunchPrice::default();
        for launch in &step.launches {
            if !self.make_launch(*launch, spent) {
                return false;
            }
            let offer = self.target.launches[*launch];
            price.weighed = price.weighed.saturating_add(self.state.price(offer));
            price.paid = price.paid.saturating_add(self.state.paid_for(offer));
        }
        let mut reason = None;
        for node in nodes.iter().copied() {
            let of_node = &self.model.nodes[node];
            let own = self.verdicts[of_node.place].reason;
            let fits = own != DisruptionReason::Empty && reason.is_none_or(|reason| reason == own);
            let known = of_node.price.is_some() || of_node.must_go;
            if !fits || !known || !self.may_go(spent, node) {
                continue;
            }
            let mark = self.state.mark();
            let Some(puts) = self.try_move(node, closed) else { continue };
            // Whoever may not be launched for may come once the launch stands.
            if !self.keeps_weights(&step.launches, &puts) {
                self.state.undo(mark);
                self.give_back(&puts);
                continue;
            }
            self.spend(spent, node);
            reason = Some(own);
            step.nodes.push(node);
            step.puts.extend(puts);
        }
        let used = |launch: &usize| step.puts.iter().any(|(node, ..)| *node == running + launch);
        let forced = step.nodes.iter().any(|node| self.model.nodes[*node].must_go);
        step.launches.iter().all(used)
            && (forced || self.is_worth(&step.nodes, price))
            && self.specify(step)
            && self.has_types(step)
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
        self.built.push(launch);
        spent.launches += 1;
        true
    }

    /// Says what the launches of a step are like, now that they are made; whether that can be said.
    pub(super) fn specify(&mut self, step: &mut WaveStep) -> bool {
        step.templates = self.decided.templates(&step.launches, &self.built);
        step.templates.len() == step.launches.len()
    }

    /// Whether nodes that go together save what they must.
    fn is_worth(&self, nodes: &[usize], launched: LaunchPrice) -> bool {
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
            let open = self.state.open_weights(self.choices, &[*class]);
            !launches.contains(&launch) || open.iter().all(|open| *open <= weight)
        })
    }

    /// Whether a single spot node that is replaced by spot leaves enough types to choose from.
    fn has_types(&self, step: &WaveStep) -> bool {
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
        self.built.truncate(built);
        for launch in steps.iter().flat_map(|step| &step.launches) {
            let node = self.state.launch(self.target.launches[*launch]);
            self.state.replaces[node - running] = self.target.replaces[*launch];
            self.built.push(*launch);
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
struct LaunchPrice {
    paid: i128,
    weighed: i128,
}

/// More launches than this aren't made for the same nodes at once.
const MOST_TOGETHER: usize = 12;

/// Takes pods off the slots that are left.
pub(super) fn use_slot(slots: &mut [Vec<(usize, u32)>], node: usize, class: usize, count: i64) {
    if let Some(slots) = slots.get_mut(node)
        && let Some((_, left)) = slots.iter_mut().find(|(of, _)| *of == class)
    {
        *left = left.saturating_add_signed(i32::try_from(-count).unwrap_or(0));
    }
}
