//! Which nodes go, one after another: those first that save most for what moving their pods takes.
//!
//! *Problem.* Of many nodes any may go, with its pods on nodes that stay or on launches that cost
//! less; what one decision takes away from others isn't known before.
//!
//! *Idea.* What a node saves by going now, less what its moves must save, for each unit of
//! disruption, is its rank; a node counts as one moved pod beside its own, so that empty nodes are
//! compared with others instead of always coming first. A queue holds what each node could save at
//! most, or did when it was last tried: room that is taken isn't there for others, so this is
//! mostly the most that it can save now. The first is tried; if it still comes first it goes,
//! otherwise it is put back with what it was found to save. When nothing is left, those that didn't
//! go are tried again, until nothing changes: consolidating the outcome then finds nothing.
//!
//! What finds no place is launched for, or a node comes back that went, whichever is cheaper
//! ([`super::reopen`]). What only pays together goes after what pays by itself ([`super::merge`]).
//!
//! Nodes that have to go do so first, all together, whatever it costs.
//!
//! *Cost.* A little more than one trial for each node and pass; see [`super::place`] for what a
//! trial costs.
//!
//! *Example.* Three half-empty nodes at $0.20, all of whose pods fit on any two. The first to be
//! tried goes: its pods take the room of the other two. The second is tried again with what is
//! left, and finds no place for its pods; it stays, with `no-other-place` as its reason.

use super::decision::Decision;
use super::eligibility::NodeVerdict;
use super::launch::LaunchOptions;
use super::merge::MOST_SET_TRIALS;
use super::model::ConsolidationModel;
use super::price::PLAIN;
use super::search::Dice;
use super::state::ClusterState;
use super::terms::Terms;
use crate::compile::OfferId;
use crate::explain::Blocker;
use crate::model::Price;
use ordered_float::OrderedFloat;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// All nodes are tried so often at most.
const MOST_PASSES: usize = 64;

/// So much is looked at before nodes aren't tried once more: trials times nodes, since a trial looks
/// at as many at most. What decides stepwise goes on.
const MOST_LOOKS: u64 = 1_000_000;

/// A search, and the cluster as it has it.
///
/// A search can go on from any state, with other premiums or thresholds; clones are starts of
/// several ways.
#[derive(Clone)]
pub(super) struct Search<'m> {
    pub(super) state: ClusterState<'m>,
    pub(super) choices: &'m LaunchOptions,
    pub(super) terms: &'m Terms<'m>,
    pub(super) verdicts: &'m [NodeVerdict],
    /// The nodes that went, in this order.
    pub(super) gone: Vec<usize>,
    /// Why each node that may go stayed when it was last tried.
    pub(super) stays: Vec<Option<Stay>>,
    /// Whether every decision is one that can be carried out as soon as it is made: launches aren't
    /// given up again, none takes a pod for which a pool of a higher weight could launch, and no
    /// pod moves twice.
    ///
    /// Pods of a launch may find other places once its node is gone, and not yet while that drains:
    /// where a spread counts its domain.
    pub(super) stepwise: bool,
    /// What was decided so, one after another.
    pub(super) decisions: Vec<Decision>,
    /// Nodes that no order of waves was found for: these stay.
    pub(super) banned: BTreeSet<usize>,
    /// What a search counts for moving a plain pod.
    pub(super) move_price: i128,
    /// What it counts for a launch, beside its price and fee.
    pub(super) launch_price: i128,
    /// Nodes that may go and of which the price is known, the cheapest first.
    pub(super) cheapest: Vec<usize>,
    pub(super) dice: Dice,
    /// Whether attempts place anew what came to other nodes, too.
    pub(super) loosens: bool,
    /// What launches held that were kept when they were last looked at.
    pub(super) looked_at: BTreeMap<usize, HeldByLaunch>,
    /// Whether launches that save too little are looked for as well, to say so.
    pub(super) explains: bool,
    /// How many trials of sets of nodes are left.
    pub(super) set_trials: usize,
    /// The least that a node that went saves for each unit of disruption.
    pub(super) least_rank: f64,
    /// How many trials there were.
    pub(super) trials: u64,
}

/// What a launch is of, and what came to it.
pub(super) type HeldByLaunch = (OfferId, Vec<(usize, u32)>);

/// Why a node stays, and what was found when it was tried.
#[derive(Clone, Debug)]
pub(super) struct Stay {
    pub(super) blocker: Blocker,
    /// What it would save, where its pods found places.
    pub(super) savings: Option<i128>,
    /// The offers that would have been launched.
    pub(super) launches: Vec<OfferId>,
}

/// What a node saves by going.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeSaving {
    /// What is paid less, for each unit of disruption, less what moves must save.
    pub(super) rank: f64,
}

/// A node in the queue, by what it saves; of equal ones the first.
type Queued = (OrderedFloat<f64>, Reverse<usize>);

impl<'m> Search<'m> {
    /// The cluster as it is, with the pods that wait where they find a place, on launches too, but
    /// not on some nodes that are to go later.
    pub(super) fn new(
        model: &'m ConsolidationModel<'m>,
        choices: &'m LaunchOptions,
        terms: &'m Terms<'m>,
        verdicts: &'m [NodeVerdict],
        leaving: &[usize],
    ) -> Self {
        let mut state = ClusterState::new(model);
        state.set_leaving(leaving);
        // What finds no place now is nobody's hindrance.
        let _served = state.serve_waiting(choices);
        Self::at(state, choices, terms, verdicts)
    }

    /// A cluster as it is when something has been done.
    pub(super) fn at(
        state: ClusterState<'m>,
        choices: &'m LaunchOptions,
        terms: &'m Terms<'m>,
        verdicts: &'m [NodeVerdict],
    ) -> Self {
        let model = state.model;
        let stays = model.nodes.iter().map(|_| None).collect();
        let is_open = |node: &usize| {
            let running = &model.nodes[*node];
            running.may_go && !running.must_go && running.price.is_some()
        };
        let mut cheapest: Vec<usize> = (0..model.nodes.len()).filter(is_open).collect();
        cheapest.sort_by_key(|node| (model.nodes[*node].weighed, *node));
        Self {
            state,
            choices,
            terms,
            verdicts,
            gone: Vec::new(),
            stays,
            stepwise: false,
            decisions: Vec::new(),
            banned: BTreeSet::new(),
            move_price: 0,
            launch_price: 0,
            cheapest,
            dice: Dice::new(),
            loosens: false,
            looked_at: BTreeMap::new(),
            explains: false,
            set_trials: MOST_SET_TRIALS / model.nodes.len().max(1),
            least_rank: f64::MAX,
            trials: 0,
        }
    }

    /// Has all nodes go that are worth it, until nothing is left.
    ///
    /// Forced nodes, then passes and merges until nothing changes, then pods that waited once more,
    /// then places by preference.
    pub(super) fn run(&mut self, stop: &dyn Fn() -> bool) {
        self.force();
        self.settle(stop);
        // What went may have left room in a limit, or on a node.
        while self.state.serve_waiting(self.choices) > 0 {
            self.settle(stop);
        }
        // What was decided stepwise is final.
        if !self.stepwise {
            self.prefer();
        }
    }

    /// Has nodes go one by one and together, until nothing is left, or so much was looked at.
    pub(super) fn settle(&mut self, stop: &dyn Fn() -> bool) {
        let before = self.trials;
        let nodes = u64::try_from(self.state.model.nodes.len()).unwrap_or(u64::MAX);
        for _ in 0..MOST_PASSES {
            let went = self.pass(stop);
            let looks = (self.trials - before).saturating_mul(nodes);
            if looks > MOST_LOOKS && !self.stepwise {
                break;
            }
            let more = went || self.merge(stop) || !self.stepwise && self.relaunch(stop);
            if !more {
                break;
            }
        }
    }

    fn must_go(&self, node: usize) -> bool {
        self.state.model.nodes[node].must_go && !self.banned.contains(&node)
    }

    /// What moving a plain pod should at least save by what was found worth it.
    pub(super) fn marginal_price(&self) -> i128 {
        // Where nothing went, what is found later is worth no move.
        let least = self.least_rank.max(0.0);
        // A price fits by far.
        self.terms.options.move_price.nanos().saturating_add(least.min(1e30) as i128)
    }

    /// Has nodes go that have to.
    ///
    /// Together, so that none of their pods goes to another of them; where that fails one by one,
    /// and what can't go stays with the reason.
    fn force(&mut self) {
        let model = self.state.model;
        let forced = (0..model.nodes.len()).filter(|node| self.must_go(*node));
        let (fixed, forced): (Vec<usize>, Vec<usize>) =
            forced.partition(|node| self.static_pool_of(*node).is_some());
        for node in fixed {
            self.replace_static(node);
        }
        if forced.is_empty() {
            return;
        }
        let mark = self.state.mark();
        for node in &forced {
            self.leave(*node);
        }
        let housed =
            self.state.place_standing(0) || self.state.launch_for(self.choices, i128::MAX / 4);
        if housed && self.terms.allows_moves(self.state.moves) {
            forced.iter().for_each(|node| self.state.finish(*node));
            self.commit(&forced);
            return;
        }
        self.state.undo(mark);
        for node in forced {
            match self.attempt(&[node]) {
                Ok(_) => self.commit(&[node]),
                Err(stay) => self.stays[node] = Some(stay),
            }
        }
    }

    /// Tries each node that may go; whether any went.
    ///
    /// A node that is found to save less than the next one promises is undone and queued again:
    /// decisions are made in the order of what they really save.
    pub(super) fn pass(&mut self, stop: &dyn Fn() -> bool) -> bool {
        let model = self.state.model;
        let mut queue: BinaryHeap<Queued> = BinaryHeap::new();
        for (node, running) in model.nodes.iter().enumerate() {
            let is_open = running.may_go && !running.must_go && !self.banned.contains(&node);
            if is_open && self.state.stands(node) {
                let rank = self.rank(running.weighed, running.disruption, 1);
                queue.push((OrderedFloat(rank), Reverse(node)));
            }
        }
        let mut any = !self.stepwise && self.replace_launches();
        while let Some((_, Reverse(node))) = queue.pop() {
            if stop() {
                return false;
            }
            let mark = self.state.mark();
            match self.attempt(&[node]) {
                Err(stay) => self.stays[node] = Some(stay),
                Ok(gain) => {
                    let found = (OrderedFloat(gain.rank), Reverse(node));
                    if queue.peek().is_some_and(|next| found < *next) {
                        self.state.undo(mark);
                        queue.push(found);
                    } else {
                        self.least_rank = self.least_rank.min(gain.rank);
                        self.commit(&[node]);
                        any = true;
                    }
                }
            }
        }
        any
    }

    /// Has nodes be gone.
    pub(super) fn commit(&mut self, nodes: &[usize]) {
        let state = &self.state;
        self.gone.retain(|node| !state.stands(*node));
        self.gone.extend(nodes);
        nodes.iter().for_each(|node| self.stays[*node] = None);
        if self.stepwise {
            self.note_decision(nodes);
        }
        self.state.settle();
    }

    /// What a change is ranked by that saves so much and takes so much disruption, with so many
    /// nodes going.
    ///
    /// Savings less the price of moves, for each unit of disruption, a node itself counting as one
    /// unit.
    fn rank(&self, saving: i128, disruption: i128, nodes: i128) -> f64 {
        let worth = saving - self.terms.price_of_moves(disruption);
        let whole = disruption.saturating_add(PLAIN.saturating_mul(nodes)).max(PLAIN);
        worth as f64 / whole as f64 * PLAIN as f64
    }

    /// Whether some running nodes may go in one wave.
    pub(super) fn fit_one_wave(&self, nodes: &[usize]) -> bool {
        let place = |node: &usize| self.state.model.nodes[*node].place;
        self.terms.budgets.allow_all(nodes.iter().map(|node| &self.verdicts[place(node)]))
    }

    /// Takes what came to a node off it and drains it: its pods are to be placed while it stands.
    pub(super) fn leave(&mut self, node: usize) {
        for (class, count) in self.state.arrived[node].clone() {
            self.state.take(node, class, count);
        }
        self.state.drain(node);
    }

    /// Has nodes go together, with places for all their pods, if that is worth it; where it isn't,
    /// the state is as before.
    pub(super) fn attempt(&mut self, nodes: &[usize]) -> Result<NodeSaving, Stay> {
        self.attempt_without(nodes, &[])
    }

    /// As [`Self::attempt`], with some launches given up at the same time.
    pub(super) fn attempt_without(
        &mut self,
        nodes: &[usize],
        launches: &[usize],
    ) -> Result<NodeSaving, Stay> {
        self.trials += 1;
        let mark = self.state.mark();
        let found = self.go(nodes, launches);
        if found.is_err() {
            self.state.undo(mark);
        }
        found
    }

    fn go(&mut self, going: &[usize], given_up: &[usize]) -> Result<NodeSaving, Stay> {
        let model = self.state.model;
        let first = model.nodes.len();
        let of_all = || going.iter().map(|node| &model.nodes[*node]);
        let refuse = |blocker| Stay { blocker, savings: None, launches: Vec::new() };
        let moves: u64 = of_all().map(|running| running.moves).sum();
        if !self.terms.allows_moves(self.state.moves.saturating_add(moves)) {
            let most = self.terms.options.max_moves.unwrap_or(u64::MAX);
            return Err(refuse(Blocker::MoveLimit { most }));
        }
        let came = |node: &usize| !self.state.arrived[*node].is_empty();
        if self.stepwise && going.iter().any(came) {
            return Err(refuse(Blocker::Needed));
        }
        let must_go = !going.is_empty() && of_all().all(|running| running.must_go);
        let prices: Option<i128> = of_all().map(|running| running.price).sum();
        let count = i128::try_from(going.len().saturating_add(given_up.len())).unwrap_or(1);
        let back: i128 =
            given_up.iter().map(|node| self.state.price(self.state.launched[node - first])).sum();
        let fee = i128::from(model.context.fee);
        let (before, nodes) = ((self.state.cost, self.state.paid), self.state.nodes());
        let (moved, disrupted) = (self.state.moves, self.state.disruption);
        let mut reopened = 0;
        given_up.iter().for_each(|node| self.state.give_up(*node));
        going.iter().for_each(|node| self.leave(*node));
        let left = self.state.mark();
        let standing = self.state.place_standing(0);
        if !standing {
            let Some(price) = prices.or(must_go.then_some(0)) else {
                return Err(refuse(Blocker::UnknownPrice));
            };
            let most = match must_go {
                true => i128::MAX / 4,
                false => {
                    let weighed: i128 = of_all().map(|running| running.weighed).sum();
                    let least =
                        if self.explains { 1 } else { self.terms.least(price, moves, true) };
                    weighed + back + fee * count - least.max(1)
                }
            };
            if most <= 0 {
                return Err(refuse(self.no_place(going)));
            }
            let placed = self.state.mark();
            // What comes back must cost more than what can be launched instead of it.
            let reopening = if must_go || self.stepwise { None } else { self.reopen(going, most) };
            self.state.undo(placed);
            let limit = reopening.map_or(most, |price| price - 1);
            let mut launched = self.state.launch_for(self.choices, limit);
            if !launched && reopening.is_some() {
                launched = self.reopen(going, most).is_some();
                reopened = 1;
            }
            if !launched {
                let blocker = self.no_place(going);
                // What finds a place may keep others from theirs, who need it beside them.
                self.state.undo(left);
                launched = self.state.launch_for(self.choices, most);
                if !launched {
                    return Err(refuse(blocker));
                }
            }
        }
        going.iter().for_each(|node| self.state.finish(*node));
        let launches = self.state.launched[nodes - first..].to_vec();
        let launched = i128::try_from(launches.len()).unwrap_or(0);
        let fees = fee * (count - launched - reopened);
        // By prices alone something must be saved as well, whatever else is weighed.
        let paid = before.1 - self.state.paid;
        let saving = before.0 - self.state.cost + fees;
        let disruption = self.state.disruption - disrupted;
        let moves = self.state.moves.saturating_sub(moved);
        let gain = NodeSaving { rank: self.rank(saving, disruption, count) };
        if must_go {
            return Ok(gain);
        }
        if self.stepwise && !self.is_lawful() {
            return Err(refuse(Blocker::Needed));
        }
        let known = prices.is_some();
        // By what isn't known nothing is saved.
        let unknown = of_all().filter(|running| running.price.is_none());
        let unknown = unknown.map(|running| running.weighed).sum::<i128>();
        let (saving, paid) = ((saving - unknown).min(paid - unknown), paid - unknown);
        let stay =
            |blocker| Stay { blocker, savings: known.then_some(paid), launches: launches.clone() };
        let price = prices.unwrap_or(0);
        // Pods aren't moved for nothing.
        let least = self.terms.least(price, moves, !launches.is_empty());
        let least = least.max(i128::from(moves > 0 || !given_up.is_empty()));
        if known && saving < least {
            let (savings, least) = (Price::from_nanos(saving), Price::from_nanos(least));
            return Err(stay(Blocker::SavesTooLittle { savings, least }));
        }
        let cost = self.terms.price_of_moves(disruption);
        if saving < cost || saving == cost && cost > 0 {
            let (savings, cost) = (Price::from_nanos(saving), Price::from_nanos(cost));
            return Err(stay(Blocker::MoveCost { savings, cost }));
        }
        let verdicts: Vec<_> =
            of_all().map(|running| (&self.verdicts[running.place], running)).collect();
        if let Some(pool) = self.terms.unbalanced(&verdicts, saving) {
            return Err(stay(Blocker::Unbalanced { pool }));
        }
        // With a launch that is given up its nodes go, too.
        if let ([node], []) = (going, given_up)
            && let Some(types) = self.few_types(*node, nodes)
        {
            let least = self.terms.options.spot_flexibility;
            return Err(stay(Blocker::FewSpotTypes { types, least }));
        }
        Ok(gain)
    }

    /// How many spot types are cheaper than a spot node, of those that would do in place of its
    /// spot launch, where these are too few.
    fn few_types(&self, node: usize, first: usize) -> Option<u32> {
        let running = &self.state.model.nodes[node];
        let launches = &self.state.launched[first - self.state.model.nodes.len()..];
        if !self.terms.is_spot(running.place) {
            return None;
        }
        let price = running.price?;
        let few = launches.iter().enumerate().filter_map(|(at, offer)| {
            self.terms.few_spot_types(&self.state, self.choices, (first + at, *offer), price)
        });
        few.min()
    }

    /// Why pods of nodes find no place.
    pub(super) fn no_place(&self, nodes: &[usize]) -> Blocker {
        let model = self.state.model;
        let problem = self.terms.problem;
        let own = |pods: &&super::model::HomePods| self.state.lacks(pods.class) > 0;
        let left = nodes.iter().flat_map(|node| &model.nodes[*node].home).find(own);
        let entry = left.and_then(|pods| pods.entries.first());
        let pod = entry.and_then(|entry| problem.pods.get(*entry as usize));
        match pod {
            Some(pod) => Blocker::NoOtherPlace { pod: super::eligibility::name_of(pod) },
            // Its own would find a place, but others, for which it was meant, would not.
            None => Blocker::Needed,
        }
    }
}
