//! Kinds that a spread ties together get their cells side by side, pod by pod.
//!
//! *Problem.* A spread counts pods whatever their kind: the replicas of a StatefulSet are a kind for each
//! zone that their volumes are in, and an old and a new version of a workload are two. Placed one kind
//! after another, the first fills the domains that it can use up to `maxSkew` above those that only
//! others can use, and its other pods find no domain, though all could be bound by turns.
//!
//! *Idea.* Such kinds are placed together. At each step the first kind, in the order of arranging, that
//! has a pod left and a legal cell for it is given its best one. So a kind with few cells takes what it
//! can get, and waits while the others raise the lowest count.
//!
//! *Why it is right.* The order of the steps is an order of binding: each pod is legal when it is placed.
//! Kinds that stay out are looked at again when all others have been placed, since those may have raised
//! counts too.
//!
//! *Cost.* A step for each pod until what decides the steps (differences between counts, who has pods
//! left) is what it was some steps ago; then those steps are repeated as often as pods are left.

use super::spread::Company;
use super::{Arranger, KindId};
use crate::compile::{KeyId, Over, SelectionId};
use crate::pack::union::Union;
use std::collections::BTreeMap;

/// Kinds of more pods than this are looked at for repeating steps.
const REPEATS_AFTER: u32 = 24;
/// By how many pods more a domain is crowded, for rules of others; more makes no difference.
const CROWDED: i64 = 32;

/// How many pods of each kind, by cell, are left and tied when a state of the counts is seen.
type Moment = Vec<(u32, Vec<u32>)>;

impl Arranger<'_> {
    /// Gives all kinds with rules their cells.
    pub(super) fn place_all(&mut self) {
        let mut waiting = Vec::new();
        for group in self.groups() {
            let mut stepping = group;
            stepping.retain(|kind| self.place(*kind));
            self.place_jointly(&stepping);
            waiting.extend(stepping.into_iter().filter(|kind| self.kinds[*kind].waiting > 0));
        }
        // Whoever came later may have raised the counts that held these down.
        let mut progress = true;
        while std::mem::take(&mut progress) {
            let before = self.waiting(&waiting);
            for kind in &waiting {
                let progress = &mut self.kinds[*kind];
                progress.loose = std::mem::take(&mut progress.waiting);
                if progress.loose > 0 && !self.foes[*kind].is_empty() {
                    self.shun(*kind);
                }
            }
            self.place_jointly(&waiting);
            progress = self.waiting(&waiting) < before;
        }
        for kind in waiting {
            let left = std::mem::take(&mut self.kinds[kind].waiting);
            if left > 0 {
                self.leave_out(kind, left, true);
            }
        }
    }

    fn waiting(&self, kinds: &[KindId]) -> u64 {
        kinds.iter().map(|kind| u64::from(self.kinds[*kind].waiting)).sum()
    }

    /// The kinds with rules in the order in which they are arranged, those together that are placed side
    /// by side: a spread of one counts the other, and neither needs or bars others over domains.
    fn groups(&self) -> Vec<Vec<KindId>> {
        let order = self.order();
        let joins = |kind: KindId| {
            self.topology.rules[kind].near.is_none()
                && self.foes[kind].iter().all(|(_, foe)| *foe == kind)
                && self.is_spread(kind)
        };
        // Kinds that one selection counts are tied by it where one of them has a spread over it.
        let mut group_of: BTreeMap<KindId, usize> = BTreeMap::new();
        let mut of_selection: BTreeMap<SelectionId, usize> = BTreeMap::new();
        let mut groups: Vec<Vec<KindId>> = Vec::new();
        for kind in &order {
            let at = groups.len();
            groups.push(vec![*kind]);
            if !joins(*kind) {
                continue;
            }
            let _new = group_of.insert(*kind, at);
            let spreads = self.topology.rules[*kind].spreads.iter();
            let own = spreads.filter(|spread| spread.hard && spread.over != Over::Host);
            for selection in own.map(|spread| spread.selection) {
                let _first = of_selection.entry(selection).or_insert(at);
            }
        }
        let mut union = Union::new(groups.len());
        for (kind, at) in &group_of {
            let spreads = self.topology.rules[*kind].spreads.iter();
            let own = spreads.filter(|spread| spread.hard && spread.over != Over::Host);
            let counted = self.topology.selected_by[*kind].iter().copied();
            for selection in own.map(|spread| spread.selection).chain(counted) {
                if let Some(other) = of_selection.get(&selection) {
                    union.join(*at, *other);
                }
            }
        }
        let mut joined: Vec<Vec<KindId>> = groups.iter().map(|_| Vec::new()).collect();
        for (at, group) in groups.into_iter().enumerate() {
            joined[union.root(at)].extend(group);
        }
        joined.retain(|group| !group.is_empty());
        joined
    }

    /// Gives the loose pods of some kinds their cells, by turns, as long as one is legal; those for which
    /// none is wait.
    fn place_jointly(&mut self, group: &[KindId]) {
        let total: u32 =
            group.iter().fold(0, |sum, kind| self.kinds[*kind].loose.saturating_add(sum));
        let mut seen: BTreeMap<Vec<i64>, Moment> = BTreeMap::new();
        let mut steps = 0_u32;
        while let Some((kind, cell)) = self.next_step(group) {
            self.pin(kind, cell, 1);
            steps += 1;
            if total <= REPEATS_AFTER || steps > MAX_REMEMBERED {
                continue;
            }
            let now: Moment = group
                .iter()
                .map(|kind| (self.kinds[*kind].loose, self.kinds[*kind].pinned.clone()))
                .collect();
            if let Some(then) = seen.insert(self.differences(group), now.clone()) {
                self.repeat(group, &then, &now);
                seen.clear();
                steps = 0;
            }
        }
        for kind in group {
            let progress = &mut self.kinds[*kind];
            progress.waiting = std::mem::take(&mut progress.loose);
        }
    }

    /// The first kind with a pod left that has a legal cell, and the best of its cells.
    fn next_step(&mut self, group: &[KindId]) -> Option<(KindId, usize)> {
        for kind in group {
            let rules = self.rules(*kind);
            let near = self.topology.rules[*kind].near.clone();
            while self.kinds[*kind].loose > 0 {
                let company = near.as_ref().map_or(Company::Nobody, Company::Near);
                let Some(cell) = self.best_cell(*kind, &rules, None, company) else { break };
                if near.as_ref().is_none_or(|near| self.accompany(*kind, cell, near)) {
                    return Some((*kind, cell));
                }
                self.kinds[*kind].allowed[cell] = false;
            }
        }
        None
    }

    /// Does what was done between two moments again, as often as pods are left and cells may have more.
    fn repeat(&mut self, group: &[KindId], then: &Moment, now: &Moment) {
        let mut times = u32::MAX;
        let mut steps: Vec<(KindId, usize, u32)> = Vec::new();
        for (kind, ((before, from), (after, to))) in group.iter().zip(then.iter().zip(now)) {
            if let Some(fit) = after.checked_div(before - after) {
                times = times.min(fit);
            }
            for (cell, (from, to)) in from.iter().zip(to).enumerate().filter(|(_, (a, b))| a < b) {
                if let Some(ceiling) = self.restrictions.ceilings.get(&(*kind, cell)) {
                    let room = ceiling.saturating_sub(self.kinds[*kind].counted[cell]);
                    times = times.min(room / (to - from));
                }
                steps.push((*kind, cell, to - from));
            }
        }
        for (kind, cell, each) in steps {
            self.pin(kind, cell, each.saturating_mul(times));
        }
    }

    /// What is legal and wished for next depends on this alone.
    fn differences(&self, group: &[KindId]) -> Vec<i64> {
        let mut differences = Vec::new();
        let mut known: Vec<(SelectionId, KeyId, usize, i64)> = Vec::new();
        let mut counting: Vec<(SelectionId, KeyId)> = Vec::new();
        for kind in group {
            let progress = &self.kinds[*kind];
            let rules = &progress.rules;
            differences.push(i64::from(progress.loose > 0));
            for level in &rules.levels {
                let tally = self.tally(level);
                let lowest = level.lowest(tally);
                let key = (level.selection, level.key, level.tally, lowest);
                if known.contains(&key) {
                    continue;
                }
                known.push(key);
                for more in [&tally.least, &tally.most] {
                    let counts = level.bound.iter().zip(more);
                    differences.extend(counts.map(|(bound, more)| bound + more - lowest));
                }
            }
            for (_, selection, key) in rules.wish_near.iter().chain(&rules.wish_far) {
                let counts = self.pending(*selection, *key).iter();
                differences.extend(counts.map(|count| (*count).min(2)));
            }
            for selection in &self.topology.selected_by[*kind] {
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
                differences.push(i64::from(self.is_below_ceiling(*kind, cell)));
            }
            if !rules.alone.is_empty() {
                differences.extend(progress.pinned.iter().map(|count| i64::from(*count)));
            }
        }
        differences
    }
}

/// The most steps whose states are kept, so that memory stays bounded.
const MAX_REMEMBERED: u32 = 4_096;
