//! Nodes that are worth replacing together only: `m` by `n`.
//!
//! *Problem.* Four nodes may become one where neither two nor three of them could, and three become
//! two; one after another none of them goes.
//!
//! *Idea.* A node *wastes* what it costs beyond what the cheapest launches would that have as much
//! of each resource as its pods ask for. From each node as a start a set is grown, by the node that
//! wastes the most for each unit of disruption among those whose pods could share a launch with the
//! pods of all that are in it. Every set on the way is tried as single nodes are, its pods placed
//! where there is room and the rest launched for; the best of those from one start by what they save
//! for each unit of disruption is what that start is worth; so is the best pair of nodes. Launches
//! that were decided before may be in a set, too: these are given up. Then starts have their sets
//! go, the best first, each as long as all of the set still stands and it is still worth it.
//!
//! *Why it is right.* A set goes by the function by which a node does, on the same terms.
//!
//! *Cost.* At most [`MOST_TOGETHER`] trials for each node that wastes anything, and again after
//! sets went; in all as many as there are for the size of the cluster.

use super::greedy::Search;
use super::price::PLAIN;
use ordered_float::OrderedFloat;
use std::cmp::Reverse;

/// Trials of sets in one search, times the nodes of the cluster: a trial costs about as much as
/// there are nodes.
pub(super) const MOST_SET_TRIALS: usize = 16_000;

/// So many nodes go together at most.
const MOST_TOGETHER: usize = 8;

/// A node that could go with others.
struct Part {
    node: usize,
    /// What it wastes for each unit of disruption.
    waste: f64,
    /// The options that all pods on it may come to.
    shared: Vec<u64>,
}

/// Nodes that go together, by what that is worth.
struct Merger {
    rank: f64,
    nodes: Vec<usize>,
}

impl Merger {
    /// The best first.
    fn order(&self) -> (Reverse<OrderedFloat<f64>>, &[usize]) {
        (Reverse(OrderedFloat(self.rank)), &self.nodes)
    }
}

impl Search<'_> {
    /// Has sets of nodes go that are worth it together; whether any did.
    pub(super) fn merge(&mut self, stop: &dyn Fn() -> bool) -> bool {
        if self.choices.is_empty() || self.set_trials == 0 {
            return false;
        }
        let parts = self.parts();
        let mut mergers: Vec<Merger> = Vec::new();
        for start in 0..parts.len() {
            if stop() {
                return false;
            }
            mergers.extend(self.best_from(&parts, start));
        }
        for start in 0..parts.len() {
            if stop() {
                return false;
            }
            mergers.extend(self.best_pair(&parts, start));
        }
        mergers.sort_by(|one, other| one.order().cmp(&other.order()));
        let mut any = false;
        for merger in mergers {
            if stop() {
                return false;
            }
            if !merger.nodes.iter().all(|node| self.state.stands(*node)) {
                continue;
            }
            let (going, given_up) = self.split(&merger.nodes);
            if let Ok(gain) = self.attempt_without(&going, &given_up) {
                if !going.is_empty() {
                    self.least_rank = self.least_rank.min(gain.rank);
                }
                self.commit(&going);
                any = true;
            }
        }
        any
    }

    /// The running nodes of a set, and the launched ones.
    fn split(&self, nodes: &[usize]) -> (Vec<usize>, Vec<usize>) {
        nodes.iter().partition(|node| **node < self.state.model.nodes.len())
    }

    /// Gives launches up whose pods have cheaper places by now; whether there were any.
    pub(super) fn relaunch(&mut self, stop: &dyn Fn() -> bool) -> bool {
        let first = self.state.model.nodes.len();
        let mut any = false;
        for node in first..self.state.nodes() {
            if stop() {
                break;
            }
            // What replaces a node one for one stays.
            let is_free = self.state.stands(node) && self.state.replaces[node - first].is_none();
            if is_free && self.attempt_without(&[], &[node]).is_ok() {
                self.commit(&[]);
                any = true;
            }
        }
        any
    }

    /// The nodes that could go with others, the most wasteful first.
    fn parts(&self) -> Vec<Part> {
        let model = self.state.model;
        let first = model.nodes.len();
        let fee = i128::from(model.context.fee);
        let mut parts = Vec::new();
        let mut load = vec![0_i64; model.width];
        for node in (0..self.state.nodes()).filter(|node| self.state.stands(*node)) {
            let (price, home, disruption) = match model.nodes.get(node) {
                Some(running) => {
                    let open = running.may_go && !running.must_go && !self.banned.contains(&node);
                    let Some(price) = running.price.filter(|_| open) else { continue };
                    (price, &running.home[..], running.disruption)
                }
                // What replaces a node one for one stays.
                None if self.state.replaces[node - first].is_some() => continue,
                None => {
                    let pods = self.state.arrived[node].iter();
                    let pods: i128 = pods.map(|(_, count)| i128::from(*count)).sum();
                    let price = self.state.price(self.state.launched[node - first]);
                    (price, &[][..], PLAIN.saturating_mul(pods))
                }
            };
            load.fill(0);
            let home = home.iter().map(|pods| (pods.class, pods.count));
            let on_it: Vec<(usize, u32)> =
                home.chain(self.state.arrived[node].iter().copied()).collect();
            for (class, count) in &on_it {
                for (sum, each) in load.iter_mut().zip(&model.classes[*class].request) {
                    *sum = sum.saturating_add(each.saturating_mul(i64::from(*count)));
                }
            }
            let classes: Vec<usize> = on_it.iter().map(|(class, _)| *class).collect();
            let least = self.state.least_for(self.choices, &load, &classes);
            let waste = (price + fee) as f64 - least;
            let waste = waste / (1 + disruption / PLAIN) as f64;
            let shared = self.choices.shared(classes.into_iter());
            if waste > 0.0 && shared.iter().any(|word| *word != 0) {
                parts.push(Part { node, waste, shared });
            }
        }
        parts.sort_by_key(|part| (Reverse(OrderedFloat(part.waste)), part.node));
        parts
    }

    /// The set that is worth the most of those that grow from a node.
    fn best_from(&mut self, parts: &[Part], start: usize) -> Option<Merger> {
        let first = parts.get(start)?;
        let mut best: Option<Merger> = None;
        let mut nodes = vec![first.node];
        let mut shared = first.shared.clone();
        for part in parts.iter().filter(|part| part.node != first.node) {
            if nodes.len() >= MOST_TOGETHER || self.set_trials == 0 {
                break;
            }
            if let Some(both) = both(&shared, &part.shared) {
                shared = both;
                nodes.push(part.node);
                self.try_set(&nodes, &mut best);
            }
        }
        best
    }

    /// The pair of a node and one of those after it that is worth the most.
    fn best_pair(&mut self, parts: &[Part], start: usize) -> Option<Merger> {
        let (first, others) = parts.get(start..)?.split_first()?;
        let mut best: Option<Merger> = None;
        for part in others.iter().filter(|part| both(&first.shared, &part.shared).is_some()) {
            if self.set_trials == 0 {
                break;
            }
            self.try_set(&[first.node, part.node], &mut best);
        }
        best
    }

    /// Tries a set: is it worth more than the best so far?
    fn try_set(&mut self, nodes: &[usize], best: &mut Option<Merger>) {
        self.set_trials -= 1;
        let mark = self.state.mark();
        let (going, given_up) = self.split(nodes);
        let Ok(gain) = self.attempt_without(&going, &given_up) else { return };
        self.state.undo(mark);
        if best.as_ref().is_none_or(|best| gain.rank > best.rank) {
            *best = Some(Merger { rank: gain.rank, nodes: nodes.to_vec() });
        }
    }
}

/// The options that are in both of two sets, if there are any.
fn both(one: &[u64], other: &[u64]) -> Option<Vec<u64>> {
    let words = || one.iter().zip(other).map(|(one, other)| one & other);
    words().any(|word| word != 0).then(|| words().collect())
}
