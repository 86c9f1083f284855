//! Bounds on what a cluster that runs can cost, however it is consolidated.
//!
//! *Problem.* Some nodes may go, with their pods going elsewhere; what is the least that the rest
//! and what is launched can cost? And the least if no more than so many pods move?
//!
//! *Idea.* The packing problem of launches, with pods of the nodes that may go (the *candidates*)
//! to be placed. A candidate is a bin of its own, of which there is one: at its price it holds its
//! own pods and as many others as fit beside them. Nodes that stay are bins for nothing, as ever.
//! For values `π` of pods and a price `λ` of a move that no launch can beat, `Z(π − λ) ≤ p`, no
//! cluster costs less than
//!
//! ```text
//! L(λ) = Σ π_k d_k − Σ_candidates max(0, Σ own π + Z_n(π − λ) − p_n) − Σ_staying Z_n(π − λ) − limits
//! ```
//!
//! beside the nodes that stay, and what is paid for moves: so none costs less than `L(0)`, and none
//! that moves `M` pods less than `L(λ) − λM`. Column generation finds the values (`generate`); for
//! the price of a move, values for one price are where the search for another starts.
//!
//! *Why it is right.* Each pod of a candidate ends at home, with all others there, or arrives
//! elsewhere; add up what the nodes of an outcome hold. Rules between pods, pending pods and what
//! candidates take of limits while they stay are left out: a bound without them is one all the
//! same.
//!
//! *Cost.* As of a bound on launches, with a row more for each candidate. Values are proved in
//! integers as they are found ([`super::certify`]), so that nothing is left to be done when the
//! caller wishes to stop: what is proved by then is stated.
//!
//! References: Fisher 1981, "The Lagrangian relaxation method"; Lübbecke and Desrosiers 2005.

use super::RefineBudget;
use super::certify::certified_cluster;
pub(crate) use super::certify::entries;
use super::generate::{ColumnGeneration, Tolerance};
use super::instance::{DualPrices, Instance, Pattern};
use super::stages::{Told, stage, started, steps};
use super::tuning::cluster::{CLOSE, LIKELY, MOVE_PRICES, WORTH_A_PROOF};
use super::tuning::stages::STAGES;
use crate::bound::{BoundedCluster, ClusterBound};
use crate::compile::CapacitySource;
use crate::pack::Context;
use crate::plan::certificate::POINT;
use ordered_float::OrderedFloat;
use std::cmp::Reverse;

/// The search for bounds on what a cluster costs beside the nodes that stay.
pub(crate) struct ClusterSearch<'c> {
    cluster: &'c BoundedCluster,
    instance: Instance<'c>,
    /// What was found, the first without a price of moves.
    points: Vec<DualPoint>,
    /// The patterns known.
    patterns: Vec<Pattern>,
}

/// Prices that prove something of all outcomes, with a price of moves.
struct DualPoint {
    move_price: f64,
    prices: DualPrices,
    /// How many pods move in the relaxation's solution.
    moves: f64,
    /// What is proved by them so far.
    proof: Option<ClusterBound>,
    /// Whether a proof of these prices was tried.
    is_done: bool,
}

impl DualPoint {
    /// What is proved of outcomes with so many moves.
    fn bound(&self, moved: f64) -> f64 {
        self.prices.bound - self.move_price * moved
    }
}

impl<'c> ClusterSearch<'c> {
    /// A search that hasn't begun; nothing where no pods can move.
    pub(crate) fn new(context: &'c Context<'c>, cluster: &'c BoundedCluster) -> Option<Self> {
        let demands = cluster.demands();
        if demands.is_empty() {
            return None;
        }
        let compiled = context.compiled;
        let left = |source: CapacitySource| match source {
            CapacitySource::Limit(pool, at) => cluster.limit_left(compiled, pool, at),
            CapacitySource::Reservation(id) => cluster.reservation_left(compiled, id),
            CapacitySource::Nodes(_) => i128::MAX,
            CapacitySource::Static(_) => 0,
        };
        let candidates = &cluster.candidates;
        let instance = Instance::of_cluster(context, demands, &cluster.staying, candidates, &left);
        Some(Self { cluster, instance, points: Vec::new(), patterns: Vec::new() })
    }

    /// Looks for bounds: of all outcomes at first, then of those with so many moves, or as it is
    /// likely that a plan makes. It can be called again with other moves, and goes on from where it
    /// was.
    pub(crate) fn prove(&mut self, moved: Option<u64>, budget: &mut RefineBudget<'_>) {
        if self.points.is_empty() {
            let point = self.solved(0.0, None, budget);
            self.points.push(point);
            self.certify(0, budget);
        }
        let all = self.points.first().map_or(0.0, |free| free.moves);
        let moved = moved.map_or(all * LIKELY, |moved| moved as f64);
        for _ in 0..MOVE_PRICES {
            let Some(price) = self.next_price(moved).filter(|_| !budget.stopped()) else { break };
            self.instance.charge_moves(price);
            let distance = |point: &&DualPoint| OrderedFloat((point.move_price - price).abs());
            let nearest = self.points.iter().min_by_key(distance);
            let values = nearest.map(|point| point.prices.values.clone());
            let point = self.solved(price, values, budget);
            self.points.push(point);
            let best = self.best(moved);
            self.certify(best, budget);
        }
        let best = self.best(moved);
        self.certify(best, budget);
    }

    /// The point that says most of outcomes with so many moves.
    fn best(&self, moved: f64) -> usize {
        let bound = |at: &usize| (OrderedFloat(self.points[*at].bound(moved)), Reverse(*at));
        (0..self.points.len()).max_by_key(bound).unwrap_or(0)
    }

    /// Proves what a point says, unless that was tried before.
    fn certify(&mut self, at: usize, budget: &RefineBudget<'_>) {
        let Some(point) = self.points.get_mut(at).filter(|point| !point.is_done) else { return };
        self.instance.charge_moves(point.move_price);
        let found = certified_cluster(self.cluster, &self.instance, &point.prices, &budget.cancel);
        point.proof = found.into_iter().chain(point.proof.take()).max_by_key(|one| one.bound);
        point.is_done = true;
    }

    /// A price of moves by which more could be proved of outcomes with so many.
    ///
    /// What is proved at a price is at most what a line says that touches it at another, so that is
    /// where the lines of the nearest ones on both sides meet.
    fn next_price(&self, moved: f64) -> Option<f64> {
        let more = |point: &&DualPoint| point.moves > moved;
        let price = |point: &&DualPoint| OrderedFloat(point.move_price);
        let low = self.points.iter().filter(more).max_by_key(price)?;
        let high = self.points.iter().filter(|point| !more(point)).min_by_key(price);
        // If nothing moves everything is paid for as it is.
        let nodes = self.cluster.candidates.nodes.values();
        let before: f64 = nodes.map(|node| node.price as f64).sum();
        let (at, bound, moves) = high
            .map_or((0.0, before, 0.0), |high| (high.move_price, high.prices.bound, high.moves));
        let slope = low.moves - moves;
        let start = low.prices.bound - low.moves * low.move_price;
        let price = ((bound - moves * at) - start) / slope;
        let at_most = start + low.moves * price - price * moved;
        let known = self.points.iter().map(|point| point.bound(moved)).fold(0.0, f64::max);
        let promises =
            price.is_finite() && price > low.move_price && at_most > known * (1.0 + CLOSE);
        promises.then_some(price)
    }

    /// The relaxation at a price of moves, solved from known values where there are any.
    fn solved(
        &mut self,
        move_price: f64,
        values: Option<Vec<f64>>,
        budget: &mut RefineBudget<'_>,
    ) -> DualPoint {
        let instance = &self.instance;
        let demands = instance.demands.len();
        let stages = if values.is_some() { &STAGES[..1] } else { &STAGES[..] };
        let mut generation = match values {
            None => started(instance, &[], []),
            Some(values) => {
                let tolerance = Tolerance { close: CLOSE, steps: steps(demands, 1) };
                let known = std::mem::take(&mut self.patterns);
                ColumnGeneration::new(instance, known, values, demands, tolerance)
            }
        };
        let mut prices = generation.best.clone();
        let (mut proof, mut proved): (Option<ClusterBound>, f64) = (None, 0.0);
        for (number, own) in stages.iter().enumerate() {
            if number > 0 && budget.stopped() {
                break;
            }
            let _news = stage(&mut generation, number, *own, budget, Told::Yes);
            if move_price <= 0.0 {
                budget.report.bound(generation.best.bound);
            }
            prices = better(instance, &generation.best, budget);
            // While there is time for it.
            if stages.len() > 1 && prices.bound > proved * (1.0 + WORTH_A_PROOF) {
                proved = prices.bound;
                let found = certified_cluster(self.cluster, instance, &prices, &budget.cancel);
                proof = found.into_iter().chain(proof).max_by_key(|one| one.bound);
            }
        }
        let mut moves = 0.0;
        for (pattern, times) in generation.solution() {
            let arriving = pattern.items.iter().map(|(_, count)| f64::from(*count));
            moves += arriving.sum::<f64>() * times;
        }
        self.patterns = generation.master.into_patterns();
        // What is worth no proof any more is as good as proved.
        let is_done = proof.is_some() && prices.bound <= proved;
        DualPoint { move_price, prices, moves, proof, is_done }
    }

    /// The best bounds that are proved: of all outcomes, and of those with so many moves where that
    /// is more.
    pub(crate) fn proved(self, moved: u64) -> (Option<ClusterBound>, Option<ClusterBound>) {
        let mut proofs = self.points.into_iter().map(|point| point.proof);
        let of_all = proofs.next().flatten();
        let least = |bound: &ClusterBound| {
            less_moves(bound.bound, bound.certificate.move_price, moved).unwrap_or(0)
        };
        let known = of_all.as_ref().map_or(0, least);
        let for_moves = proofs.flatten().max_by_key(least).filter(|best| least(best) > known);
        (of_all, for_moves)
    }
}

/// These prices, or what some factor makes of them if that proves more; as they are once the caller
/// wishes to stop.
fn better(instance: &Instance<'_>, prices: &DualPrices, budget: &RefineBudget<'_>) -> DualPrices {
    let scaled = (!budget.stopped()).then(|| instance.rescaled(prices));
    scaled.filter(|scaled| scaled.bound > prices.bound).unwrap_or_else(|| prices.clone())
}

/// The bound for a number of moves that a bound with a price of moves comes to, in billionths.
pub(crate) fn less_moves(bound: i128, move_price: i128, moves: u64) -> Option<i128> {
    let paid = move_price.checked_mul(i128::from(moves))?;
    // Rounded up: what is paid is taken off.
    let whole = (paid >> POINT) + i128::from(paid & ((1 << POINT) - 1) != 0);
    bound.checked_sub(whole)
}
