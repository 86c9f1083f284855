//! Pods that wait for a place: those without a node, and those of nodes that are going already.
//!
//! Those that fit somewhere get their place first, on what stands or on launches, as a plan of
//! launches would give it to them; what that costs is nobody's saving, and no consolidation may
//! take the room away that they need. Those that fit nowhere hinder nothing. They are looked at
//! again when nodes have gone: a limit may have room then.
//!
//! Carried out, they come first in each wave: pods that wait go where they can by then, and
//! launches for them are actions by themselves, which delete nothing.
//!
//! *Why first.* Room that a pod waits for isn't free to be consolidated away. Served first, it is
//! taken; what is then found to be needless is needless with all pods in place.

use super::launch::LaunchOptions;
use super::state::ClusterState;
use super::wave::{WavePlanner, WaveStep};
use super::wave_budget::Spent;
use std::cmp::Reverse;
use std::collections::BTreeSet;

impl ClusterState<'_> {
    /// Gives pods that wait their places, on launches too, as many as find one, the most urgent
    /// first; how many did. The others may stay without.
    ///
    /// All at once if that works; otherwise by priority, so that the urgent have the room.
    pub(super) fn serve_waiting(&mut self, choices: &LaunchOptions) -> u64 {
        let model = self.model;
        let left = |state: &Self| {
            let counts = model.waiting.iter().map(|pods| u64::from(state.left[pods.class]));
            counts.sum::<u64>()
        };
        let before = left(self);
        if before == 0 {
            return 0;
        }
        self.leave_out(|_| false);
        let all = self.place_standing(0) || self.launch_for(choices, i128::MAX / 4);
        if !all {
            let classes = self.lacking().iter().map(|class| model.classes[*class].priority);
            let priorities: BTreeSet<Reverse<i32>> = classes.map(Reverse).collect();
            for Reverse(priority) in priorities {
                self.leave_out(|class| model.classes[class].priority < priority);
                // What others launched may have room.
                if !self.place_standing(0) {
                    let _all = self.launch_several(choices, i128::MAX / 4, false);
                }
            }
        }
        self.settle();
        self.leave_out(|_| true);
        before - left(self)
    }
}

impl WavePlanner<'_, '_> {
    /// Nobody counts on the places of pods that wait, until they have them.
    pub(super) fn excuse_waiting(&mut self) {
        let model = self.model;
        self.state.leave_out(|class| model.classes[class].pending);
    }

    /// Gives pods that wait the slots that they can go to now, and makes launches for others, in at
    /// most so many steps; notes the launches, which take other pods in the next wave only.
    pub(super) fn serve_waiting(
        &mut self,
        spent: &mut Spent,
        closed: &mut BTreeSet<usize>,
        most: usize,
    ) -> Vec<WaveStep> {
        let model = self.model;
        let mut steps: Vec<WaveStep> = Vec::new();
        if model.waiting.iter().all(|pods| self.state.left[pods.class] == 0) {
            return steps;
        }
        self.state.leave_out(|_| false);
        let puts = self.fill_slots(None);
        if !puts.is_empty() {
            steps.push(WaveStep { puts, ..WaveStep::default() });
        }
        for launch in 0..self.target.launches.len() {
            if steps.len() >= most || self.state.lacking().is_empty() {
                break;
            }
            let is_meant = {
                let mut own = self.slots.of_node(model.nodes.len() + launch);
                own.any(|(class, _)| model.classes[class].pending)
            };
            if is_meant
                && self.target.replaces[launch].is_none()
                && !self.built.contains(launch)
                && let Some(step) = self.launch_for_waiting(launch, spent)
            {
                self.close(launch, closed);
                steps.push(step);
            }
        }
        self.excuse_waiting();
        steps
    }

    /// Makes a launch for pods that wait, if any can go there now.
    fn launch_for_waiting(&mut self, launch: usize, spent: &mut Spent) -> Option<WaveStep> {
        let step = WaveStep { launches: vec![launch], ..WaveStep::default() };
        self.try_step(step, spent, |planner, step, spent| {
            if !planner.make_launch(launch, spent) {
                return false;
            }
            step.puts = planner.fill_slots(Some(launch));
            !step.puts.is_empty()
                && planner.keeps_weights(&[launch], &step.puts)
                && planner.specify(step)
        })
    }

    /// Puts pods that wait into slots, of one launch or of all that stands; what was put where.
    fn fill_slots(&mut self, only: Option<usize>) -> Vec<(usize, usize, u32)> {
        let running = self.model.nodes.len();
        let mut puts = Vec::new();
        // What one puts may be what another needs.
        for _ in 0..2 {
            for class in self.state.lacking_in_order() {
                while self.state.lacks(class) > 0 {
                    let slots: Vec<(usize, u32)> = self
                        .open_slots(class, &BTreeSet::new())
                        .filter(|(at, _)| {
                            only.is_none_or(|launch| self.in_target(*at) == running + launch)
                        })
                        .collect();
                    let Some((at, count)) = self.state.best_slot(class, slots.into_iter()) else {
                        break;
                    };
                    self.state.put(at, class, count);
                    let to = self.in_target(at);
                    self.slots.take(to, class, i64::from(count));
                    puts.push((to, class, count));
                }
            }
        }
        puts
    }
}
