//! Steps of a wave in which launches are made for the nodes that go.
//!
//! *Problem.* A launch must save something with the nodes that go because of it, and may be needed
//! for pods of many; a node's pods may need several launches.
//!
//! *Idea.* First from nodes: for one that is to go, the launches that have slots for what finds
//! none on what stands, those first of which it fills the largest share. If the node saves enough
//! with these, it goes: a search decides by single nodes, so this is mostly how they went there.
//! Then from launches: one with all nodes that have pods for it, and, as long as these don't pay
//! for it, with one more launch that has slots for pods of the same nodes.
//!
//! *Cost.* From a node, a look at the slots of its classes. From a launch, a trial for each node
//! that has pods for it, and again for each launch that is added, with a look at all launches: so
//! much is tried, in all waves together, as [`WavePlanner`] allows.

use super::wave::{WavePlanner, WaveStep};
use super::wave_budget::Spent;
use crate::plan::consolidation::DisruptionReason;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// More launches than this aren't made for the same nodes at once.
const MOST_TOGETHER: usize = 12;

/// What a wave has used up so far, the nodes that go in it, and the launches made in it, which take
/// pods of their own step alone.
type WaveSoFar<'a> = (&'a mut Spent, &'a mut BTreeSet<usize>, &'a mut BTreeSet<usize>);

impl WavePlanner<'_, '_> {
    /// Adds steps with launches to those of a wave, until there are so many.
    pub(super) fn launch_steps(
        &mut self,
        steps: &mut Vec<WaveStep>,
        (spent, going, closed): WaveSoFar<'_>,
        most: usize,
    ) {
        if steps.len() >= most {
            return;
        }
        type Nodes = BTreeSet<usize>;
        let mut add =
            |planner: &mut Self, step: WaveStep, going: &mut Nodes, closed: &mut Nodes| {
                going.extend(&step.nodes);
                step.launches.iter().for_each(|launch| planner.close(*launch, closed));
                steps.push(step);
                steps.len() < most
            };
        for node in self.to_go.clone() {
            if going.contains(&node) || self.is_replaced(node) || !self.may_go(spent, node) {
                continue;
            }
            if let Some(step) = self.step_of_node(node, spent, closed)
                && !add(self, step, going, closed)
            {
                return;
            }
        }
        for first in 0..self.target.launches.len() {
            if self.built.contains(first) {
                continue;
            }
            let step = match self.target.replaces[first] {
                Some(_) => self.replace_one(first, spent, closed),
                None if self.tries == 0 => continue,
                None => self.step_with_launches(first, spent, going, closed),
            };
            if let Some(step) = step
                && !add(self, step, going, closed)
            {
                return;
            }
        }
    }

    /// Has a node go with the launches that its pods need, if that is worth it.
    ///
    /// Launches are added until their slots cover what the node's pods lack; of those that share
    /// slots with it the one comes first that it fills to the largest share.
    fn step_of_node(
        &mut self,
        node: usize,
        spent: &mut Spent,
        closed: &BTreeSet<usize>,
    ) -> Option<WaveStep> {
        let running = self.model.nodes.len();
        let mut lacking: BTreeMap<usize, u32> = BTreeMap::new();
        for pods in &self.model.nodes[node].home {
            let open = self.slots.open_in_all(pods.class);
            let open = u32::try_from(open).unwrap_or(u32::MAX);
            if open < pods.count {
                let _none = lacking.insert(pods.class, pods.count - open);
            }
        }
        let mut together: Vec<usize> = Vec::new();
        while !lacking.is_empty() {
            let mut shared: BTreeMap<usize, u32> = BTreeMap::new();
            for (class, lacks) in &lacking {
                for (node, left) in self.slots.unmade(*class) {
                    let all = shared.entry(node - running).or_default();
                    *all = all.saturating_add(left.min(*lacks));
                }
            }
            let is_open = |(launch, _): &(usize, u32)| {
                !together.contains(launch) && self.target.replaces[*launch].is_none()
            };
            // What the node fills to the last slot was mostly launched for it.
            let filled = |(launch, shared): (usize, u32)| {
                u64::from(shared) * 1_000 / self.slots.left_on(running + launch).max(1)
            };
            let open = shared.into_iter().filter(is_open);
            let next = open.max_by_key(|one| (filled(*one), one.1, Reverse(one.0)));
            let (next, _) = next.filter(|_| together.len() < MOST_TOGETHER)?;
            for (class, left) in self.slots.of_node(running + next) {
                if let Some(lacks) = lacking.get_mut(&class) {
                    *lacks = lacks.saturating_sub(left);
                }
            }
            lacking.retain(|_, lacks| *lacks > 0);
            together.push(next);
        }
        if together.is_empty() || !self.could_pay(&together, &[node]) {
            return None;
        }
        self.try_launches(&together, &[node], spent, closed)
    }

    /// Makes a launch with the nodes that go because of it, as soon as they are worth it together:
    /// alone, or with others that hold pods of the same nodes.
    fn step_with_launches(
        &mut self,
        first: usize,
        spent: &mut Spent,
        going: &BTreeSet<usize>,
        closed: &BTreeSet<usize>,
    ) -> Option<WaveStep> {
        let mut together = vec![first];
        // What is looked at anew with each launch that is added, in words of sixty-four.
        let looks = self.target.launches.len() / 64 + self.to_go.len() / 64;
        loop {
            self.tries = self.tries.saturating_sub(looks);
            let nodes = self.in_need_of(&together, going);
            let open: Vec<usize> =
                nodes.iter().copied().filter(|node| self.may_go(spent, *node)).collect();
            if self.could_pay(&together, &open)
                && let Some(step) = self.try_launches(&together, &open, spent, closed)
            {
                return Some(step);
            }
            if together.len() >= MOST_TOGETHER || self.tries == 0 {
                return None;
            }
            let unbuilt = (0..self.target.launches.len()).filter(|launch| {
                !self.built.contains(*launch)
                    && !together.contains(launch)
                    && self.target.replaces[*launch].is_none()
            });
            let home = self.at_home(&nodes);
            let shared = unbuilt.map(|launch| (self.shared(launch, &home), launch));
            let (_, next) = shared.filter(|(shared, _)| *shared > 0).max()?;
            together.push(next);
        }
    }

    /// The nodes that are still to go and have pods of classes for which some launches have slots.
    fn in_need_of(&self, launches: &[usize], going: &BTreeSet<usize>) -> Vec<usize> {
        let running = self.model.nodes.len();
        let mut has_slots = vec![false; self.model.classes.len()];
        let slots = launches.iter().flat_map(|launch| self.slots.of_node(running + launch));
        slots.for_each(|(class, _)| has_slots[class] = true);
        let needs = |node: &usize| {
            let mut home = self.model.nodes[*node].home.iter();
            home.any(|pods| has_slots[pods.class])
                && !going.contains(node)
                && !self.is_replaced(*node)
        };
        self.to_go.iter().copied().filter(needs).collect()
    }

    /// For each class, whether pods are at home on some nodes.
    fn at_home(&self, nodes: &[usize]) -> Vec<bool> {
        let mut home = vec![false; self.model.classes.len()];
        let all = nodes.iter().flat_map(|node| &self.model.nodes[*node].home);
        all.for_each(|pods| home[pods.class] = true);
        home
    }

    /// Whether nodes cost more than launches, so that these may be worth it if all of them go.
    ///
    /// A quick no: even if all of these nodes went, the launches would cost more.
    fn could_pay(&self, launches: &[usize], nodes: &[usize]) -> bool {
        let forced = nodes.iter().any(|node| self.model.nodes[*node].must_go);
        let prices = nodes.iter().filter_map(|node| self.model.nodes[*node].price);
        let paid = launches.iter().map(|launch| self.state.paid_for(self.target.launches[*launch]));
        forced || prices.sum::<i128>() >= paid.sum::<i128>()
    }

    /// How many slots a launch has for classes at home on some nodes.
    fn shared(&self, launch: usize, home: &[bool]) -> u32 {
        let slots = self.slots.of_node(self.model.nodes.len() + launch);
        slots.filter(|(class, _)| home[*class]).map(|(_, count)| count).sum()
    }

    fn try_launches(
        &mut self,
        launches: &[usize],
        nodes: &[usize],
        spent: &mut Spent,
        closed: &BTreeSet<usize>,
    ) -> Option<WaveStep> {
        let step = WaveStep { launches: launches.to_vec(), ..WaveStep::default() };
        self.try_step(step, spent, |planner, step, spent| {
            planner.launch_and_move(step, nodes, spent, closed)
        })
    }

    /// Makes the launches of a step, and has nodes go that are worth it with them; whether there
    /// are enough.
    fn launch_and_move(
        &mut self,
        step: &mut WaveStep,
        nodes: &[usize],
        spent: &mut Spent,
        closed: &BTreeSet<usize>,
    ) -> bool {
        let running = self.model.nodes.len();
        let Some(price) = self.make_launches(step, spent) else { return false };
        let mut reason = None;
        for node in nodes.iter().copied() {
            let of_node = &self.model.nodes[node];
            let own = self.verdicts[of_node.place].reason;
            let fits = own != DisruptionReason::Empty && reason.is_none_or(|reason| reason == own);
            let known = of_node.price.is_some() || of_node.must_go;
            let may_go = fits && known && self.has_slots(node);
            if !may_go || !self.may_go(spent, node) {
                continue;
            }
            let mark = self.state.mark();
            self.tries = self.tries.saturating_sub(1);
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
        step.launches.iter().all(used)
            && self.pays(step, price)
            && self.specify(step)
            && self.has_types(step)
    }
}
