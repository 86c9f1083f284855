//! Parts of what was decided taken back and done otherwise, as long as the caller lets it.
//!
//! *Problem.* One node after another is decided for good: two nodes that only go together stay, and
//! so does one that would be better than one that went.
//!
//! *Idea.* Ruin and recreate. A few nodes that stand go at once, or some that went come back, or a
//! launch is given up; under refinement what came to a few other nodes is taken off them, so that
//! there is room to be divided otherwise; what has no place then is placed anew, in an order of
//! nodes that is drawn at random, and launched for within what that may cost. Nodes are drawn
//! together that could do each other's work: of one zone or one pool half of the time. What comes
//! out is kept if it is better, or worse by less than a threshold that falls, so that the search
//! leaves a valley and finds another; the best of all is what counts.
//!
//! *Why it is right.* Every change is made by the functions of the greedy search, which put no pod
//! where it isn't accepted; waves judge the outcome once more.
//!
//! *Cost.* An attempt costs about what trials of its nodes do. Numbers are drawn from a generator
//! with a fixed seed, and nothing depends on time but when it ends.
//!
//! References: Schrimpf et al. 2000, "Record breaking optimization results using the ruin and
//! recreate principle"; Dueck and Scheuer 1990, "Threshold accepting".

use super::greedy::Search;
use super::model::ConsolidationModel;
use super::price::PLAIN;
use super::state::ClusterState;
use crate::model::well_known;
use std::collections::BTreeMap;

/// Numbers that look drawn at random.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new() -> Self {
        Self(1)
    }

    fn roll(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// One of so many, at least one.
    fn below(&mut self, count: usize) -> usize {
        let count = u64::try_from(count.max(1)).unwrap_or(1);
        usize::try_from(self.roll() % count).unwrap_or(0)
    }
}

/// Which nodes are drawn, and what they have in common.
struct NodeSurroundings {
    /// Nodes that may go.
    may_go: Vec<usize>,
    /// Zone and pool of each node, as numbers.
    places: Vec<[Option<usize>; 2]>,
}

impl NodeSurroundings {
    fn of(search: &Search<'_>) -> Self {
        let nodes = &search.state.model.nodes;
        let is_open = |node: &usize| {
            nodes[*node].may_go && !nodes[*node].must_go && !search.banned.contains(node)
        };
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let mut places = Vec::with_capacity(nodes.len());
        for node in nodes {
            let labels = &search.terms.problem.nodes[node.place].labels;
            places.push([well_known::ZONE, well_known::NODE_POOL].map(|key| {
                let next = numbers.len();
                labels.get(key).map(|value| *numbers.entry(value).or_insert(next))
            }));
        }
        Self { may_go: (0..nodes.len()).filter(is_open).collect(), places }
    }

    /// Whether running nodes are of one zone or of one pool.
    fn are_near(&self, one: usize, other: usize) -> bool {
        let (Some(one), Some(other)) = (self.places.get(one), self.places.get(other)) else {
            return false;
        };
        one.iter().zip(other).any(|(one, other)| one.is_some() && one == other)
    }
}

/// What came to so many nodes at most is placed once more in an attempt of refinement.
const MOST_LOOSENED: usize = 6;

/// Refinement draws one node of so many among those to which pods came as well.
const FRESH: usize = 8;

/// After so many attempts without a new best the search starts from the best again.
const PATIENCE: u64 = 3_000;

/// So many launches that were given up are kept in the state.
const MOST_ABANDONED: usize = 16;

/// Attempts of one fall of the threshold.
pub(super) const FALL: u64 = 4_000;

/// What nodes that may go cost on average, of those of which the price is known.
pub(super) fn mean_price(model: &ConsolidationModel<'_>) -> i128 {
    let open = model.nodes.iter().filter(|node| node.may_go && !node.must_go);
    let known = open.filter(|node| node.price.is_some());
    let (sum, count) =
        known.fold((0_i128, 0), |(sum, count), node| (sum.saturating_add(node.weighed), count + 1));
    sum / count.max(1)
}

impl<'m> Search<'m> {
    /// Tries so many times to better the state, at a price for each unit of disruption; whether
    /// that was done.
    ///
    /// The threshold falls from an eighth of a node's mean price to nothing over [`FALL`] attempts,
    /// and starts again. Launches are held to limits and weights in every state that is kept, if
    /// they were at the start.
    pub(super) fn improve(&mut self, attempts: u64, price: i128, stop: &dyn Fn() -> bool) -> bool {
        self.move_price = price;
        let model = self.state.model;
        let around = NodeSurroundings::of(self);
        if around.may_go.is_empty() {
            return false;
        }
        let start = self.worth();
        let mean = mean_price(model);
        let mut dice = self.dice.clone();
        // What pods that wait needed may have been launched before room was made elsewhere.
        let lawful = self.is_lawful();
        let (mut best, mut best_worth, mut found_at) = (self.state.clone(), start, 0);
        let mut now = start;
        for attempt in 0..attempts {
            if stop() {
                break;
            }
            let left = FALL - attempt % FALL;
            let threshold = mean / 8 * i128::from(left) / i128::from(FALL);
            let mark = self.state.mark();
            let done = self.neighbour(&around, &mut dice, now + threshold);
            let worth = self.worth();
            let is_kept = done && worth < now + threshold.max(1) && (!lawful || self.is_lawful());
            if !is_kept {
                self.state.undo(mark);
            } else {
                match self.state.launched.len() > self.state.launches() + MOST_ABANDONED {
                    true => self.state.compact(),
                    false => self.state.settle(),
                }
                now = worth;
                if now < best_worth {
                    (best, best_worth, found_at) = (self.state.clone(), now, attempt);
                }
            }
            if attempt - found_at > PATIENCE {
                (self.state, now, found_at) = (best.clone(), best_worth, attempt);
            }
        }
        self.dice = dice;
        self.state = best;
        self.state.compact();
        let state: &ClusterState<'_> = &self.state;
        self.gone.retain(|node| !state.stands(*node));
        let mut more: Vec<usize> = (0..model.nodes.len())
            .filter(|node| !state.stands(*node) && !self.gone.contains(node))
            .collect();
        more.sort_by_key(|node| (std::cmp::Reverse(model.nodes[*node].price), *node));
        self.gone.extend(more);
        self.settle(stop);
        self.prefer();
        best_worth < start
    }

    /// Whether launches are within limits and due to no pool of a higher weight, with all that
    /// stands.
    pub(super) fn is_lawful(&self) -> bool {
        self.state.keeps_weights(self.choices) && self.state.keeps_limits()
    }

    /// What a state counts for: its cost, with fees, and what its moves must save.
    fn worth(&self) -> i128 {
        let state = &self.state;
        let launches = i128::try_from(state.launches()).unwrap_or(0);
        let moves = self.move_price.saturating_mul(state.disruption) / PLAIN;
        state.cost + state.fees() + self.launch_price * launches + moves
    }

    /// Changes something; whether all pods have a place then, for less than so much.
    ///
    /// One to four nodes go; sometimes a launch is given up, or a node comes back; under refinement
    /// a few more nodes are emptied. What has no place then is placed in a drawn order, and
    /// launched for.
    fn neighbour(&mut self, around: &NodeSurroundings, dice: &mut Dice, most: i128) -> bool {
        self.trials += 1;
        let model = self.state.model;
        let mark = self.state.mark();
        let kind = dice.below(100);
        let closing = match kind {
            0..40 => 1,
            40..68 => 2,
            68..84 => 3,
            _ => 4,
        };
        if dice.below(3) == 0 {
            self.give_up_launch(dice);
        }
        let mut chosen: Vec<usize> = Vec::new();
        let mut anchor: Option<usize> = None;
        for _ in 0..closing {
            let Some(node) = self.draw(around, anchor, dice) else { break };
            let _first = anchor.get_or_insert(node);
            if !chosen.contains(&node) {
                chosen.push(node);
            }
        }
        for node in &chosen {
            self.leave(*node);
        }
        if dice.below(3) == 0 {
            let gone: Vec<usize> = around
                .may_go
                .iter()
                .copied()
                .filter(|node| !self.state.stands(*node) && !chosen.contains(node))
                .collect();
            if !gone.is_empty() {
                let node = gone[dice.below(gone.len())];
                self.bring_back(node, dice.below(self.state.nodes()));
            }
        }
        if self.state.mark() == mark || !self.terms.allows_moves(self.state.moves) {
            return false;
        }
        if self.loosens && dice.below(4) > 0 {
            self.loosen(around, anchor, dice);
        }
        let known = chosen.iter().all(|node| model.nodes[*node].price.is_some());
        let salt = if dice.below(4) == 0 { 0 } else { dice.roll() | 1 };
        let nodes = self.state.nodes();
        let mut housed = self.state.place_standing(salt);
        if !housed && known {
            let going: i128 = chosen.iter().map(|node| model.nodes[*node].weighed).sum();
            let left = most - self.worth() + going;
            housed = left > 0
                && (self.reopen(&chosen, left).is_some()
                    || self.state.launch_for(self.choices, left));
            // What shares a launch has to go in one wave.
            housed &= self.state.nodes() == nodes || self.fit_one_wave(&chosen);
        }
        chosen.iter().for_each(|node| self.state.finish(*node));
        housed
    }

    /// Takes what came to a few nodes off them, to be placed once more with all that needs a place:
    /// half of the time nodes that have something in common with another.
    fn loosen(&mut self, around: &NodeSurroundings, anchor: Option<usize>, dice: &mut Dice) {
        let near = anchor.filter(|_| dice.below(2) == 0);
        for _ in 0..=dice.below(MOST_LOOSENED) {
            let nodes = self.state.nodes();
            let is_open = |node: &usize| {
                self.state.stands(*node)
                    && !self.state.arrived[*node].is_empty()
                    && near.is_none_or(|anchor| around.are_near(anchor, *node))
            };
            let Some(node) = (0..16).map(|_| dice.below(nodes)).find(is_open) else { return };
            for (class, count) in self.state.arrived[node].clone() {
                self.state.take(node, class, count);
            }
        }
    }

    /// A node that stands and may go: half of the time one that has something in common with
    /// another, and mostly one to which nothing came, since what came fills a node for good reason.
    ///
    /// Sixteen draws, then nothing: in a cluster that is nearly decided most nodes are no
    /// candidates.
    fn draw(
        &self,
        around: &NodeSurroundings,
        anchor: Option<usize>,
        dice: &mut Dice,
    ) -> Option<usize> {
        let near = dice.below(2) == 0;
        let fresh = self.loosens && dice.below(FRESH) > 0;
        for _ in 0..16 {
            let node = around.may_go[dice.below(around.may_go.len())];
            let suits = anchor.is_none_or(|anchor| !near || around.are_near(anchor, node));
            let is_meant = !fresh || self.state.arrived[node].is_empty();
            if self.state.stands(node) && suits && is_meant {
                return Some(node);
            }
        }
        None
    }

    /// Gives a launched node up, if there is any.
    fn give_up_launch(&mut self, dice: &mut Dice) {
        let first = self.state.model.nodes.len();
        // What replaces a node one for one stays.
        let is_free =
            |node: &usize| self.state.stands(*node) && self.state.replaces[node - first].is_none();
        let launched: Vec<usize> = (first..self.state.nodes()).filter(is_free).collect();
        if launched.is_empty() {
            return;
        }
        let node = launched[dice.below(launched.len())];
        self.state.give_up(node);
    }
}
