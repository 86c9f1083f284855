//! Nodes that are worth replacing together only: `m` by `n`.
//!
//! *Problem.* Four nodes may become one where neither two nor three of them could, and three become
//! two; one after another none of them goes.
//!
//! *Idea.* A node *wastes* what it costs beyond what the cheapest launches would that have as much
//! of each resource as its pods ask for. From each node as a start a set is grown, by the node that
//! wastes the most for each unit of disruption among those whose pods could share a launch with the
//! pods of all that are in it. Every set on the way is tried as single nodes are, its pods placed
//! where there is room and the rest launched for; the best of those from one start by what they
//! save for each unit of disruption is what that start is worth; so is the best pair of nodes.
//! Launches that were decided before may be in a set, too: these are given up. Then starts have
//! their sets go, the best first, as long as all of a set still stands and it is still worth it;
//! where some of it are gone, it is grown anew. Of nodes that are alike one is a start, and the
//! next one once that is gone.
//!
//! What shares a launch has to go in one wave, since the launch is worth it for all of them only:
//! so a set is never more than budgets allow at once.
//!
//! *Why it is right.* A set goes by the function by which a node does, on the same terms.
//!
//! *Cost.* At most [`MOST_TOGETHER`] trials for each start, and again after sets went; in all as
//! many as there are for the size of the cluster.
//!
//! *Example.* Three nodes of 4 cores at $0.20 hold 2.5 cores each, and a launch of 8 cores costs
//! $0.45. For one node or for two of them ($0.40) it does not pay; for all three ($0.60) it saves
//! $0.15, since their 7.5 cores share it.

use super::greedy::Search;
use super::price::PLAIN;
use ordered_float::OrderedFloat;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// Trials of sets in one search, times the nodes of the cluster: a trial costs about as much as
/// there are nodes.
pub(super) const MOST_SET_TRIALS: usize = 16_000;

/// So many nodes go together at most.
const MOST_TOGETHER: usize = 12;

/// A node that could go with others.
struct Part {
    node: usize,
    /// Which nodes are alike: of one price, one domain of each key, and with as many pods of each
    /// class.
    kind: usize,
    /// What it wastes for each unit of disruption.
    waste: f64,
    /// The options that all pods on it may come to.
    shared: Vec<u64>,
}

/// What nodes that are alike have in common: price, domains, and pods by class.
type PartKind = (i128, Vec<u32>, Vec<(usize, u32)>);

/// Nodes that go together, by what that is worth; of equal ones the first.
type Merger = (OrderedFloat<f64>, Reverse<Vec<usize>>);

impl Search<'_> {
    /// Has sets of nodes go that are worth it together; whether any did.
    ///
    /// A heap of sets by what they are worth; a set of which a node is gone is grown anew from its
    /// start, so that what is done is always what was tried last.
    pub(super) fn merge(&mut self, stop: &dyn Fn() -> bool) -> bool {
        if self.choices.is_empty() || self.set_trials == 0 {
            return false;
        }
        let parts = self.parts();
        let mut mergers: BinaryHeap<Merger> = BinaryHeap::new();
        let mut kinds: BTreeSet<usize> = BTreeSet::new();
        let starts: Vec<usize> =
            (0..parts.len()).filter(|start| kinds.insert(parts[*start].kind)).collect();
        for start in &starts {
            if stop() {
                return false;
            }
            mergers.extend(self.best_from(&parts, *start));
        }
        for start in &starts {
            if stop() {
                return false;
            }
            mergers.extend(self.best_pair(&parts, *start));
        }
        let mut any = false;
        while let Some((_, Reverse(nodes))) = mergers.pop() {
            if stop() {
                return false;
            }
            if nodes.iter().all(|node| self.state.stands(*node)) {
                let (going, given_up) = self.split(&nodes);
                let Ok(gain) = self.attempt_without(&going, &given_up) else { continue };
                if !going.is_empty() {
                    self.least_rank = self.least_rank.min(gain.rank);
                }
                self.commit(&going);
                any = true;
            }
            // The start, or the next one that is like it.
            let first = parts.iter().find(|part| nodes.first() == Some(&part.node));
            let alike = |part: &Part| first.is_some_and(|first| first.kind == part.kind);
            let next = (0..parts.len())
                .filter(|at| alike(&parts[*at]) && self.state.stands(parts[*at].node))
                .min_by_key(|at| (nodes.first() != Some(&parts[*at].node), *at));
            if let Some(next) = next {
                mergers.extend(self.best_from(&parts, next));
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

    /// The nodes that could go with others, the most wasteful first; one that wastes nothing may be
    /// what another lacks.
    ///
    /// Launches that were decided before are parts too, at their price; they hold nothing at home,
    /// and what came to them would move.
    fn parts(&self) -> Vec<Part> {
        let model = self.state.model;
        let first = model.nodes.len();
        let fee = i128::from(model.context.fee);
        let mut parts = Vec::new();
        let mut kinds: BTreeMap<PartKind, usize> = BTreeMap::new();
        let mut load = vec![0_i64; model.width];
        for node in (0..self.state.nodes()).filter(|node| self.state.stands(*node)) {
            let (price, home, disruption) = match model.nodes.get(node) {
                Some(running) => {
                    let open = running.may_go && !running.must_go && !self.banned.contains(&node);
                    if !open || running.price.is_none() {
                        continue;
                    }
                    (running.weighed, &running.home[..], running.disruption)
                }
                // What replaces a node one for one stays.
                None if self.stepwise || self.state.replaces[node - first].is_some() => continue,
                None => {
                    let pods = self.state.arrived[node].iter();
                    let pods: i128 = pods.map(|(_, count)| i128::from(*count)).sum();
                    let price = self.state.price(self.state.launched[node - first]);
                    (price, &[][..], PLAIN.saturating_mul(pods))
                }
            };
            load.fill(0);
            let home = home.iter().map(|pods| (pods.class, pods.count));
            let mut on_it: Vec<(usize, u32)> =
                home.chain(self.state.arrived[node].iter().copied()).collect();
            on_it.sort_unstable();
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
            if shared.iter().all(|word| *word == 0) {
                continue;
            }
            let site = self.state.site(node);
            let keys = model.compiled().topology.keys.values();
            let domains = keys.map(|key| key.of_site[site]).collect();
            let next = kinds.len();
            let kind = *kinds.entry((price, domains, on_it)).or_insert(next);
            parts.push(Part { node, kind, waste, shared });
        }
        parts.sort_by_key(|part| (Reverse(OrderedFloat(part.waste)), part.node));
        parts
    }

    /// The set that is worth the most of those that grow from a node.
    ///
    /// The set keeps only nodes whose pods some option could hold together.
    fn best_from(&mut self, parts: &[Part], start: usize) -> Option<Merger> {
        let first = parts.get(start)?;
        let mut best: Option<Merger> = None;
        let mut nodes = vec![first.node];
        let mut shared = first.shared.clone();
        let others = parts.iter().filter(|part| part.node != first.node);
        for part in others {
            if nodes.len() >= MOST_TOGETHER || self.set_trials == 0 {
                break;
            }
            if !self.state.stands(part.node) {
                continue;
            }
            if let Some(both) = both(&shared, &part.shared) {
                nodes.push(part.node);
                if self.try_set(&nodes, &mut best) {
                    shared = both;
                } else {
                    let _last = nodes.pop();
                }
            }
        }
        best
    }

    /// The pair of a node and one of those after it that is worth the most.
    fn best_pair(&mut self, parts: &[Part], start: usize) -> Option<Merger> {
        let (first, others) = parts.get(start..)?.split_first()?;
        let mut best: Option<Merger> = None;
        let mut kinds: BTreeSet<usize> = BTreeSet::new();
        for part in others.iter().filter(|part| both(&first.shared, &part.shared).is_some()) {
            if self.set_trials == 0 {
                break;
            }
            if !kinds.insert(part.kind) {
                continue;
            }
            let _tried = self.try_set(&[first.node, part.node], &mut best);
        }
        best
    }

    /// Tries a set, if it may go in one wave: is it worth more than the best so far?
    ///
    /// A trial that is undone whatever it finds; what counts is the rank.
    fn try_set(&mut self, nodes: &[usize], best: &mut Option<Merger>) -> bool {
        let (going, given_up) = self.split(nodes);
        if !self.fit_one_wave(&going) {
            return false;
        }
        self.set_trials -= 1;
        let mark = self.state.mark();
        if let Ok(gain) = self.attempt_without(&going, &given_up) {
            self.state.undo(mark);
            if best.as_ref().is_none_or(|(rank, _)| gain.rank > **rank) {
                *best = Some((OrderedFloat(gain.rank), Reverse(nodes.to_vec())));
            }
        }
        true
    }
}

/// The options that are in both of two sets, if there are any.
fn both(one: &[u64], other: &[u64]) -> Option<Vec<u64>> {
    let words = || one.iter().zip(other).map(|(one, other)| one & other);
    words().any(|word| word != 0).then(|| words().collect())
}
