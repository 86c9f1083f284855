//! Classes that a spread ties together get their cells side by side, pod by pod.
//!
//! *Problem.* A spread counts pods whatever their class: the replicas of a StatefulSet are a class
//! for each zone that their volumes are in, and an old and a new version of a workload are two.
//! Placed one class after another, the first fills the domains that it can use up to `maxSkew`
//! above those that only others can use, and its other pods find no domain, though all could be
//! bound by turns.
//!
//! *Idea.* Such classes are placed together. At each step the first class, in the order of
//! assigning, that has a pod left and a legal cell for it is given its best one. So a class with
//! few cells takes what it can get, and waits while the others raise the lowest count.
//!
//! *Why it is right.* The order of the steps is an order of binding: each pod is legal when it is
//! placed. Classes that stay out are looked at again when all others have been placed, since those
//! may have raised counts too.
//!
//! *Cost.* A step for each pod until what decides the steps (differences between counts, who has
//! pods left) is what it was some steps ago; then those steps are repeated as often as pods are
//! left.
//!
//! *Example.* Class A can use zones 1 and 2, class B zone 3 alone; a spread of both counts them
//! together with skew 1. A alone could place one pod in each of its zones and then waits for zone
//! 3. By turns: A to 1, A to 2, then no cell is legal for A; B to 3; A again. All are placed.

use super::spread::Companions;
use super::{ClassId, DomainAssigner};
use crate::compile::{KeyId, SelectionId, TopologyKey};
use crate::pack::disjoint_sets::DisjointSets;
use std::collections::BTreeMap;

/// Classes of more pods than this are looked at for repeating steps.
const REPEATS_AFTER: u32 = 24;
/// By how many pods more a domain is crowded, for rules of others; more makes no difference.
const CROWDED: i64 = 32;

/// How many pods of each class, by cell, are left and tied when a state of the counts is seen.
type CountState = Vec<(u32, Vec<u32>)>;

impl DomainAssigner<'_> {
    /// Gives all classes with rules their cells.
    ///
    /// Groups in the order of their first class; what waits after its group is tried again at the
    /// end, as long as that helps anybody.
    pub(super) fn place_all(&mut self) {
        let mut waiting = Vec::new();
        for group in self.groups() {
            let mut stepping = group;
            stepping.retain(|class| self.place(*class));
            self.place_jointly(&stepping);
            waiting.extend(stepping.into_iter().filter(|class| self.classes[*class].waiting > 0));
        }
        // Whoever came later may have raised the counts that held these down.
        let mut progress = true;
        while std::mem::take(&mut progress) {
            let before = self.waiting(&waiting);
            for class in &waiting {
                let progress = &mut self.classes[*class];
                progress.unassigned = std::mem::take(&mut progress.waiting);
                if progress.unassigned > 0 && !self.conflicts[*class].is_empty() {
                    self.exclude_occupied(*class);
                }
            }
            self.place_jointly(&waiting);
            progress = self.waiting(&waiting) < before;
        }
        for class in waiting {
            let left = std::mem::take(&mut self.classes[class].waiting);
            if left > 0 {
                self.leave_out(class, left, true);
            }
        }
    }

    fn waiting(&self, classes: &[ClassId]) -> u64 {
        classes.iter().map(|class| u64::from(self.classes[*class].waiting)).sum()
    }

    /// The classes with rules in the order in which they are assigned, those together that are
    /// placed side by side: a spread of one counts the other, and neither needs or bars others over
    /// domains.
    ///
    /// Union-find over selections: two classes are together where a spread of one counts the other.
    /// Classes with affinity, or in conflict with others, keep their place in the order instead.
    fn groups(&self) -> Vec<Vec<ClassId>> {
        let order = self.order();
        let joins = |class: ClassId| {
            self.topology.rules[class].affinity.is_none()
                && self.conflicts[class].iter().all(|(_, conflict)| *conflict == class)
                && self.is_spread(class)
        };
        // Classes that one selection counts are tied by it where one of them has a spread over it.
        let mut group_of: BTreeMap<ClassId, usize> = BTreeMap::new();
        let mut of_selection: BTreeMap<SelectionId, usize> = BTreeMap::new();
        let mut groups: Vec<Vec<ClassId>> = Vec::new();
        for class in &order {
            let at = groups.len();
            groups.push(vec![*class]);
            if !joins(*class) {
                continue;
            }
            let _new = group_of.insert(*class, at);
            let spreads = self.topology.rules[*class].spreads.iter();
            let own = spreads.filter(|spread| spread.hard && spread.key != TopologyKey::Hostname);
            for selection in own.map(|spread| spread.selection) {
                let _first = of_selection.entry(selection).or_insert(at);
            }
        }
        let mut sets = DisjointSets::new(groups.len());
        for (class, at) in &group_of {
            let spreads = self.topology.rules[*class].spreads.iter();
            let own = spreads.filter(|spread| spread.hard && spread.key != TopologyKey::Hostname);
            let counted = self.topology.selected_by[*class].iter().copied();
            for selection in own.map(|spread| spread.selection).chain(counted) {
                if let Some(other) = of_selection.get(&selection) {
                    sets.join(*at, *other);
                }
            }
        }
        let mut joined: Vec<Vec<ClassId>> = groups.iter().map(|_| Vec::new()).collect();
        for (at, group) in groups.into_iter().enumerate() {
            joined[sets.root(at)].extend(group);
        }
        joined.retain(|group| !group.is_empty());
        joined
    }

    /// Gives the loose pods of some classes their cells, by turns, as long as one is legal; those
    /// for which none is wait.
    fn place_jointly(&mut self, group: &[ClassId]) {
        let total: u32 =
            group.iter().fold(0, |sum, class| self.classes[*class].unassigned.saturating_add(sum));
        let mut seen: BTreeMap<Vec<i64>, CountState> = BTreeMap::new();
        let mut steps = 0_u32;
        while let Some((class, cell)) = self.next_step(group) {
            self.assign(class, cell, 1);
            steps += 1;
            if total <= REPEATS_AFTER || steps > MAX_REMEMBERED {
                continue;
            }
            let now: CountState = group
                .iter()
                .map(|class| {
                    (self.classes[*class].unassigned, self.classes[*class].assigned.clone())
                })
                .collect();
            if let Some(then) = seen.insert(self.differences(group), now.clone()) {
                self.repeat(group, &then, &now);
                seen.clear();
                steps = 0;
            }
        }
        for class in group {
            let progress = &mut self.classes[*class];
            progress.waiting = std::mem::take(&mut progress.unassigned);
        }
    }

    /// The first class with a pod left that has a legal cell, and the best of its cells.
    ///
    /// The order within the group is that of assigning, so the urgent have the first choice at
    /// every step.
    fn next_step(&mut self, group: &[ClassId]) -> Option<(ClassId, usize)> {
        for class in group {
            let rules = self.rules(*class);
            let affinity = self.topology.rules[*class].affinity.clone();
            while self.classes[*class].unassigned > 0 {
                let companions = affinity.as_ref().map_or(Companions::Nobody, Companions::Affinity);
                let Some(cell) = self.best_cell(*class, &rules, None, companions) else { break };
                if affinity
                    .as_ref()
                    .is_none_or(|affinity| self.ensure_target(*class, cell, affinity))
                {
                    return Some((*class, cell));
                }
                self.classes[*class].allowed[cell] = false;
            }
        }
        None
    }

    /// Does what was done between two moments again, as often as pods are left and cells may have
    /// more.
    ///
    /// It is legal because what decides the steps is the same at both moments: each repetition
    /// would take the same steps again. It stops one repetition before any class runs out or a cell
    /// is full.
    fn repeat(&mut self, group: &[ClassId], then: &CountState, now: &CountState) {
        let mut times = u32::MAX;
        let mut steps: Vec<(ClassId, usize, u32)> = Vec::new();
        for (class, ((before, from), (after, to))) in group.iter().zip(then.iter().zip(now)) {
            if let Some(fit) = after.checked_div(before - after) {
                times = times.min(fit);
            }
            for (cell, (from, to)) in from.iter().zip(to).enumerate().filter(|(_, (a, b))| a < b) {
                if let Some(learnt_capacity) =
                    self.restrictions.learnt_capacities.get(&(*class, cell))
                {
                    let room = learnt_capacity.saturating_sub(self.classes[*class].counted[cell]);
                    times = times.min(room / (to - from));
                }
                steps.push((*class, cell, to - from));
            }
        }
        for (class, cell, each) in steps {
            self.assign(class, cell, each.saturating_mul(times));
        }
    }

    /// What is legal and wished for next depends on this alone.
    fn differences(&self, group: &[ClassId]) -> Vec<i64> {
        let mut differences = Vec::new();
        let mut known: Vec<(SelectionId, KeyId, usize, i64)> = Vec::new();
        let mut counting: Vec<(SelectionId, KeyId)> = Vec::new();
        for class in group {
            let progress = &self.classes[*class];
            let rules = &progress.rules;
            differences.push(i64::from(progress.unassigned > 0));
            for spread in &rules.spreads {
                let domain_counts = self.domain_counts(spread);
                let lowest = spread.lowest(domain_counts);
                let key = (spread.selection, spread.key, spread.domain_counts, lowest);
                if known.contains(&key) {
                    continue;
                }
                known.push(key);
                for more in [&domain_counts.least, &domain_counts.most] {
                    let counts = spread.bound.iter().zip(more);
                    differences.extend(counts.map(|(bound, more)| bound + more - lowest));
                }
            }
            for (_, selection, key) in
                rules.preferred_affinity.iter().chain(&rules.preferred_anti_affinity)
            {
                let counts = self.pending(*selection, *key).iter();
                differences.extend(counts.map(|count| (*count).min(2)));
            }
            for selection in &self.topology.selected_by[*class] {
                for key in &progress.keys {
                    if !counting.contains(&(*selection, *key)) {
                        counting.push((*selection, *key));
                        let counts = self.pending(*selection, *key);
                        let lowest = counts.iter().copied().min().unwrap_or(0);
                        let above = counts.iter().map(|count| (count - lowest).min(CROWDED));
                        differences.extend(above);
                    }
                }
            }
            differences.extend(progress.allowed.iter().map(|allowed| i64::from(*allowed)));
            for cell in 0..progress.cells.len() {
                differences.push(i64::from(self.is_below_learnt_capacity(*class, cell)));
            }
            if !rules.alone.is_empty() {
                differences.extend(progress.assigned.iter().map(|count| i64::from(*count)));
            }
        }
        differences
    }
}

/// The most steps whose states are kept, so that memory stays bounded.
const MAX_REMEMBERED: u32 = 4_096;
