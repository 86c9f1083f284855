//! Consolidation: the cheapest cluster that the running one can become for the moves it takes.
//!
//! *Problem.* Nodes that run half empty, or that cost more than what could hold their pods, may go
//! or be replaced: which, what is launched for them, and in which order, so that every rule holds
//! at each step and every budget is kept.
//!
//! *Idea.* Five stages, each a file's own subject:
//!
//! 1. [`eligibility`]: which nodes may go, and what holds the others.
//! 2. [`model`]: the problem compiled with the pods of these nodes pending, and [`state`], the
//!    cluster as it would be, with undo. One function says where pods go ([`place`]), and one what
//!    is launched for the rest ([`launch`]).
//! 3. [`greedy`]: nodes go one after another, the best bargain first; [`merge`]: those that only
//!    pay together; [`reopen`]: what went comes back where that is cheaper than a launch;
//!    [`search`]: parts of what results are taken back and done otherwise.
//! 4. [`bound`]: what any outcome costs at least, side by side with the search.
//! 5. [`wave`]: the final state is reached in waves; [`build_plan`] writes them down.
//!
//! *Why it is right.* A pod that moves is put where the same rules accept it that launch plans
//! keep, first in the search and then once more, in the order of the waves, with nodes that drain
//! still there. Pods that stay are asked nothing. What waves can't carry out stays.
//!
//! # What is promised
//!
//! - Every wave is legal by the rules that `verify` checks, with the nodes that drain in it still
//!   standing.
//! - No pod honours less of what it prefers than it did at home, unless preferences are ignored.
//! - What an action does saves what the caller asks for, at prices that are known.
//! - The same problem and options give the same plan, with any number of threads, unless it was
//!   stopped.
//!
//! # Two ways to decide
//!
//! In small clusters the search decides freely and waves look for an order afterwards; what has
//! none stays, and the search is made again without it. In large ones that would leave many nodes
//! without an order, so a search says which could go, and a *stepwise* one decides again, in
//! decisions that can each be carried out at once.

mod bound;
mod build_plan;
mod decision;
mod eligibility;
mod greedy;
mod host_counts;
mod last_look;
mod launch;
mod launch_step;
mod launched;
mod merge;
mod model;
mod node_budget;
mod nodes_by_room;
mod place;
mod preference;
mod price;
mod rehouse;
mod reopen;
mod schedule;
mod search;
mod slots;
mod state;
mod static_drift;
mod target;
mod terms;
mod waiting;
mod wave;
mod wave_budget;

use crate::error::Error;
use crate::model::{ConsolidationOptions, Price, Problem};
use crate::pack::Context;
use crate::parallel;
use crate::plan::ConsolidationPlan;
use crate::plan::consolidation::ConsolidationAction;
use crate::progress::{ConsolidationFigures, Event, Phase};
use crate::refine::{RefineBudget, Report};
use bound::ConsolidationBounds;
use build_plan::PlanParts;
use eligibility::NodeVerdict;
use greedy::Search;
use launch::LaunchOptions;
use model::ConsolidationModel;
use search::{FALL, mean_price};
use state::ClusterState;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use target::Target;
use terms::Terms;
use wave::WavePlanner;

/// What is known of a running cluster before anything is decided.
///
/// It is worked out before anything is compiled: which pods are pending in the compiled problem
/// depends on it.
pub(crate) struct Eligibility {
    verdicts: Vec<NodeVerdict>,
}

impl Eligibility {
    /// Which nodes of a problem may go, and what holds the others, where an interruption counts for
    /// so much.
    pub(crate) fn of(
        problem: &Problem,
        options: &ConsolidationOptions,
        interruption: Price,
    ) -> Self {
        Self { verdicts: eligibility::verdicts(problem, options, interruption) }
    }

    /// The problem with the pods of nodes that may go pending, as they would be created anew, and
    /// those of nodes that are being deleted already.
    pub(crate) fn loosened(&self, problem: &Problem) -> Problem {
        let mut loosened = problem.clone();
        let pods = loosened.pods.to_mut();
        for (node, verdict) in problem.nodes.iter().zip(&self.verdicts) {
            if !verdict.may_go() && !node.deleting {
                continue;
            }
            for place in &verdict.movable {
                let pod = &mut pods[*place];
                pod.node_name = None;
                if let Some(requests) = pod.recreated_requests.take() {
                    pod.requests = requests;
                }
            }
        }
        loosened
    }
}

/// So often nodes for which no order is found are kept, and all is searched anew, until there were
/// so many trials in all.
const MOST_ROUNDS: usize = 8;
const MOST_ROUND_TRIALS: u64 = 10_000;

/// So often a plan is bettered from the cluster as it leaves it.
const MOST_LAST_ROUNDS: usize = 2;

/// So much is looked at before no round is begun any more: trials times nodes, since a trial looks
/// at as many at most. Where one search takes as much, what it found is decided stepwise at once if
/// launches are many, at least one for so many nodes that go; or where it takes more still.
const MOST_LOOKS: u64 = 250_000;
const MOST_LOOKS_AT_SLOTS: u64 = 1_000_000;
const MANY_LAUNCHES: usize = 2;

/// If no more than one in so many of the nodes that were decided stepwise at once can't go, that is
/// it.
const FEW_STUCK: usize = 16;

/// Trials of single nodes that are spent on bettering what the greedy search finds, and the most
/// attempts.
const MOST_TRIALS: u64 = 8_000;
const MOST_ATTEMPTS: u64 = 400;

/// What a launch counts for beside its price while falls follow one another, in sixteenths of what
/// nodes cost on average.
const PREMIUMS: [i128; 4] = [4, 8, 2, 0];

/// A consolidation of a problem, of which `context` has the loosened one; `attempts` says how often
/// a search tries to better what the greedy one finds, `rounds` how much work bounds may take
/// beyond what is proved at once.
///
/// A search for plans and one for bounds run side by side, and share nothing but the model; both
/// heed the caller's wish to stop.
///
/// # Errors
/// A fault of the library itself.
pub(crate) fn consolidate(
    problem: &Problem,
    eligibility: &Eligibility,
    context: &Context<'_>,
    options: &ConsolidationOptions,
    (attempts, rounds): (u64, u64),
) -> Result<ConsolidationPlan, Error> {
    let verdicts = &eligibility.verdicts;
    let model = ConsolidationModel::new(context, problem, verdicts);
    let choices = LaunchOptions::new(&model);
    let terms = Terms::new(problem, options, verdicts);
    let mean = mean_price(&model);
    let premium = |part: &i128| {
        let premium = mean.saturating_mul(*part) / 16;
        (premium, LaunchOptions::with_premium(&model, premium))
    };
    let premiums: Vec<_> = PREMIUMS.iter().filter(|_| attempts > 0).map(premium).collect();
    let parts = SearchParts {
        problem,
        model: &model,
        verdicts,
        choices: &choices,
        premiums: &premiums,
        terms: &terms,
    };
    let stop = || context.is_stopped();
    // Bounds are of what is paid.
    let at_list_price = Context { compiled: context.listed, ..*context };
    let listed = (!std::ptr::eq(context.compiled, context.listed))
        .then(|| ConsolidationModel::new(&at_list_price, problem, verdicts));
    let of_bounds = listed.as_ref().unwrap_or(&model);
    let bounds = ConsolidationBounds::new(problem, of_bounds, verdicts, options);
    let report = Report::new(context.watch);
    let before = verdicts.iter().filter_map(|verdict| verdict.price);
    report.begin(before.fold(0, i128::saturating_add));
    let mut budget = RefineBudget::new((rounds, 0), &stop, report.beside(bounds.of_what_stays()));
    let mut proving = bounds.search(rounds > 0);
    // The search for a plan and that for bounds share nothing.
    let (best, ()) = parallel::both(
        || parts.best(attempts, &report, &stop),
        || proving.iter_mut().for_each(|proving| proving.prove(options.max_moves, &mut budget)),
    );
    let Some(mut best) = best else {
        return Err(Error::internal("no consolidation was looked for"));
    };
    report.phase(Phase::Proving);
    bounds.state(proving, &mut budget, &mut best);
    match best.moved > options.max_moves.unwrap_or(u64::MAX) {
        true => Err(Error::internal("more pods are moved than may be")),
        false => Ok(best),
    }
}

/// What a plan comes to.
fn figures(plan: &ConsolidationPlan) -> ConsolidationFigures {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    ConsolidationFigures {
        cost: plan.cost.after,
        deleted: count(plan.actions.iter().map(|action| action.delete.len()).sum()),
        launched: count(plan.actions.iter().map(|action| action.launches.len()).sum()),
        moved: plan.moved,
        waves: plan.actions.last().map_or(0, |action| action.wave),
    }
}

/// What a plan is searched for with.
struct SearchParts<'a, 'c> {
    problem: &'a Problem,
    model: &'a ConsolidationModel<'c>,
    verdicts: &'a [NodeVerdict],
    choices: &'a LaunchOptions,
    /// What launches count for beside what they cost, and what can be launched then.
    premiums: &'a [(i128, LaunchOptions)],
    terms: &'a Terms<'a>,
}

/// What plans are compared by: pods that waited and have a place, the more the better; then what it
/// costs, with fees and what moves must save; then how many pods move.
///
/// It is a total order but for equals, of which the first found is kept.
type PlanWorth = (Reverse<u64>, i128, u64);

/// The best plan so far, what it is worth, and the cluster as it leaves it.
type BestPlan<'m> = Option<(ConsolidationPlan, PlanWorth, Search<'m>)>;

/// What became of a search that was carried out in waves.
struct CarriedOut<'m> {
    /// Nodes that were to go and couldn't.
    stuck: Vec<usize>,
    /// The cluster as the best of its plans leaves it, with what that is worth.
    came_to: Option<(PlanWorth, Search<'m>)>,
}

impl<'a> SearchParts<'a, '_> {
    /// The best plan found.
    ///
    /// Rounds: search, carry out, ban some of the nodes that got stuck, search again. The last of
    /// those that got stuck are banned, as the first are what others reckoned with.
    fn best(
        &self,
        attempts: u64,
        report: &Report<'_>,
        stop: &dyn Fn() -> bool,
    ) -> Option<ConsolidationPlan> {
        let Self { model, verdicts, choices, terms, .. } = *self;
        let mut best: BestPlan<'a> = None;
        let mut banned: BTreeSet<usize> = BTreeSet::new();
        let mut tried = 0_u64;
        for round in 0..MOST_ROUNDS {
            let mut search = Search::new(model, choices, terms, verdicts, &[]);
            search.banned.clone_from(&banned);
            search.run(stop);
            tried = tried.saturating_add(search.trials);
            if round == 0 && self.is_decided_at_once(&search) {
                let stepwise = self.stepwise(&search.gone, stop);
                let stuck = self.consider(&stepwise, &mut best, report, stop).stuck;
                if stuck.len() * FEW_STUCK <= stepwise.gone.len() {
                    self.refine((search, true), attempts, &mut best, report, stop);
                    return best.map(|(plan, ..)| plan);
                }
            }
            let CarriedOut { stuck, came_to } = self.consider(&search, &mut best, report, stop);
            let mut start = search.clone();
            if round == 0 && !stuck.is_empty() {
                let mut least = came_to.map(|(worth, _)| worth);
                for leaving in [&[][..], &search.gone] {
                    let stepwise = self.stepwise(leaving, stop);
                    let came_to = self.consider(&stepwise, &mut best, report, stop).came_to;
                    let worth = came_to.map(|(worth, _)| worth);
                    if worth < least {
                        start = Search { stepwise: false, decisions: Vec::new(), ..stepwise };
                        least = worth;
                    }
                }
            }
            // What was decided last is what others didn't reckon with.
            let last = search.gone.iter().rev().filter(|node| stuck.contains(node));
            let last: Vec<usize> = last.copied().take(stuck.len().div_ceil(2)).collect();
            let is_many = round + 1 == MOST_ROUNDS || tried > MOST_ROUND_TRIALS;
            let is_last = last.is_empty() || is_many || self.looks(tried) > MOST_LOOKS || stop();
            banned.extend(last);
            let few = MOST_TRIALS / u64::try_from(model.nodes.len()).unwrap_or(u64::MAX).max(1);
            let marginal = start.marginal_price();
            if start.improve(few.min(MOST_ATTEMPTS), marginal, stop) {
                let _considered = self.consider(&start, &mut best, report, stop);
            }
            if is_last {
                self.refine((start, false), attempts, &mut best, report, stop);
                break;
            }
        }
        self.settle(&mut best, report, stop);
        best.map(|(plan, ..)| plan)
    }

    /// At how much so many trials look.
    fn looks(&self, trials: u64) -> u64 {
        trials.saturating_mul(u64::try_from(self.model.nodes.len()).unwrap_or(u64::MAX))
    }

    /// Whether what a search found is decided stepwise, before anything else: an order in which
    /// slots can be taken would take too long to find.
    fn is_decided_at_once(&self, search: &Search<'_>) -> bool {
        let looks = self.looks(search.trials);
        let has_many = search.state.launches() * MANY_LAUNCHES >= search.gone.len();
        looks > MOST_LOOKS_AT_SLOTS || looks > MOST_LOOKS && has_many
    }

    /// A search of which every decision can be carried out as soon as it is made. Nodes that are to
    /// go in any case take no pods first: what came to one could not move again.
    fn stepwise(&self, leaving: &[usize], stop: &dyn Fn() -> bool) -> Search<'a> {
        let Self { model, verdicts, choices, terms, .. } = *self;
        let mut search = Search::new(model, choices, terms, verdicts, leaving);
        search.stepwise = true;
        search.run(stop);
        if !leaving.is_empty() {
            search.state.set_leaving(&[]);
            search.settle(stop);
        }
        search
    }

    /// Goes on from the cluster as the best plan leaves it, as long as that leads to a better one:
    /// so the next consolidation finds nothing that this one could have found.
    fn settle(&self, best: &mut BestPlan<'a>, report: &Report<'_>, stop: &dyn Fn() -> bool) {
        let Self { verdicts, choices, terms, .. } = *self;
        for _ in 0..MOST_LAST_ROUNDS {
            let Some((_, known, outcome)) = best.as_ref() else { return };
            let known = *known;
            let mut more = Search::at(outcome.state.clone(), choices, terms, verdicts);
            more.gone.clone_from(&outcome.gone);
            more.trials = outcome.trials;
            let before = more.state.cost;
            more.settle(stop);
            if more.state.cost == before {
                return;
            }
            let _considered = self.consider(&more, best, report, stop);
            if best.as_ref().is_none_or(|(_, worth, _)| *worth >= known) {
                return;
            }
        }
    }

    /// What a plan is worth that leaves the cluster so.
    fn worth(&self, plan: &ConsolidationPlan, outcome: &ClusterState<'_>) -> PlanWorth {
        let disruption = plan.actions.iter().map(|one| one.disruption_cost.billionths());
        let disruption = i128::try_from(disruption.sum::<u128>()).unwrap_or(i128::MAX);
        let placed: usize = plan.actions.iter().map(ConsolidationAction::pods).sum();
        let served = u64::try_from(placed).unwrap_or(u64::MAX).saturating_sub(plan.moved);
        let cost = outcome.cost.saturating_add(outcome.fees());
        let cost = cost.saturating_add(self.terms.price_of_moves(disruption));
        (Reverse(served), cost, plan.moved)
    }

    /// Carries out in waves what a search came to, and keeps the plan if it is the best so far.
    ///
    /// Carried out twice where nodes get stuck, in the order in which they were decided and the
    /// cheap ones first: which order leaves fewer stuck depends on what was decided.
    fn consider(
        &self,
        search: &Search<'a>,
        best: &mut BestPlan<'a>,
        report: &Report<'_>,
        stop: &dyn Fn() -> bool,
    ) -> CarriedOut<'a> {
        let banned = &search.banned;
        let mut target = Target::of(search);
        let mut least: Option<Vec<usize>> = None;
        let mut came_to: Option<(PlanWorth, Search<'a>)> = None;
        let mut carry_out = |target: &Target, search: &Search<'a>| {
            let known = best.as_ref().map(|(_, known, _)| *known);
            let is_better = |plan: &ConsolidationPlan, outcome: &ClusterState<'_>| {
                known.is_none_or(|known| self.worth(plan, outcome) < known)
            };
            let (plan, stuck, outcome) = self.carried_out(target, search, banned, &is_better);
            let worth = self.worth(&plan, &outcome);
            let left_so = || {
                let went = |node: &&usize| !outcome.stands(**node);
                let gone = search.gone.iter().filter(went).copied().collect();
                let (state, banned) = (outcome.clone(), banned.clone());
                Search { state, gone, banned, ..search.clone() }
            };
            if came_to.as_ref().is_none_or(|(known, _)| worth < *known) {
                came_to = Some((worth, left_so()));
            }
            if known.is_none_or(|known| worth < known) {
                report.watch.event(|| Event::Consolidated(figures(&plan)));
                report.begin(plan.cost.after.nanos());
                report.phase(Phase::Searching);
                *best = Some((plan, worth, left_so()));
            }
            (stuck, outcome)
        };
        // Where some nodes can't go, the cheap ones first leave the dear ones to pay for launches.
        for _ in 0..2 {
            let (stuck, outcome) = carry_out(&target, search);
            // What was decided stepwise has an order of its own, and what is left was tried.
            if search.stepwise {
                least = Some(stuck);
                break;
            }
            if let Some(more) = self.gone_on(outcome, search, &stuck, stop) {
                let _more = carry_out(&Target::of(&more), &more);
            }
            if least.as_ref().is_none_or(|least| stuck.len() < least.len()) {
                least = Some(stuck);
            }
            if least.as_ref().is_none_or(Vec::is_empty) {
                break;
            }
            target.gone.sort_by_key(|node| (self.model.nodes[*node].price, *node));
        }
        CarriedOut { stuck: least.unwrap_or_default(), came_to }
    }

    /// The plan that leads to a target, the nodes that can't go, and the cluster as it leaves it;
    /// of some nodes it was found before that they can't. Why nodes stay is asked anew of plans
    /// that are to be kept.
    fn carried_out(
        &self,
        target: &Target,
        search: &Search<'_>,
        banned: &BTreeSet<usize>,
        is_kept: &dyn Fn(&ConsolidationPlan, &ClusterState<'_>) -> bool,
    ) -> (ConsolidationPlan, Vec<usize>, ClusterState<'a>) {
        let Self { problem, model, verdicts, choices, terms, .. } = *self;
        let (waves, stuck, outcome) =
            WavePlanner::new(model, terms, choices, verdicts, target).plan();
        let held = stuck.iter().chain(banned).copied().collect();
        let parts = PlanParts {
            problem,
            model,
            verdicts,
            target,
            waves: &waves,
            stays: &search.stays,
            stuck: &held,
        };
        let mut plan = parts.plan();
        let _none = plan.stats.insert("trials".into(), search.trials);
        if is_kept(&plan, &outcome) {
            let last = Search::at(outcome.clone(), choices, terms, verdicts);
            let stays = last.why_each_stays(&search.stays);
            plan.keep = PlanParts { stays: &stays, ..parts }.keep_all();
        }
        (plan, stuck, outcome)
    }

    /// What could go as well when a plan is carried out, where a search came to more than that, or
    /// some nodes were kept from it: nodes to which no pod came.
    fn gone_on(
        &self,
        outcome: ClusterState<'a>,
        search: &Search<'_>,
        stuck: &[usize],
        stop: &dyn Fn() -> bool,
    ) -> Option<Search<'a>> {
        if stuck.is_empty() && search.banned.is_empty() {
            return None;
        }
        let Self { model, verdicts, choices, terms, .. } = *self;
        let mut more = Search::at(outcome, choices, terms, verdicts);
        let went = search.gone.iter().copied().filter(|node| !stuck.contains(node));
        more.gone = went.collect();
        let came = (0..model.nodes.len()).filter(|node| !more.state.arrived[*node].is_empty());
        more.banned = came.collect();
        let mut any = false;
        while more.pass(stop) {
            any = true;
        }
        more.trials = more.trials.saturating_add(search.trials);
        any.then_some(more)
    }

    /// Goes on from what a search found, fall by fall of the threshold, with launches counted for
    /// more than they cost at first: what is launched ties nodes together that then have to go at
    /// once. A fall starts from the last outcome that waves carry out whole, or from what they came
    /// to of another where that is the best so far. What is found is decided stepwise at once, or
    /// where waves can't carry it out as it is.
    ///
    /// Falls of a threshold alternate with premiums on launches, which tie nodes together; each
    /// fall goes on from the last one whose outcome could be carried out.
    fn refine(
        &self,
        (search, at_once): (Search<'a>, bool),
        attempts: u64,
        best: &mut BestPlan<'a>,
        report: &Report<'_>,
        stop: &dyn Fn() -> bool,
    ) {
        let Self { terms, premiums, .. } = *self;
        let mut whole = Search { loosens: true, ..search };
        let mut best_start: Option<PlanWorth> = None;
        let mut left = attempts;
        for (premium, choices) in premiums.iter().cycle() {
            if left == 0 || stop() {
                return;
            }
            let mut now = Search { choices, launch_price: *premium, ..whole.clone() };
            let better = now.improve(left.min(FALL), terms.options.move_price.nanos(), stop);
            left = left.saturating_sub(FALL);
            whole.dice = now.dice.clone();
            if !better {
                continue;
            }
            let found = (!at_once).then(|| self.consider(&now, best, report, stop));
            let decided = found
                .as_ref()
                .is_none_or(|found| !found.stuck.is_empty())
                .then(|| self.consider(&self.stepwise(&now.gone, stop), best, report, stop));
            let Some(CarriedOut { stuck, came_to }) = found.or(decided) else { continue };
            let is_best = |came_to: &(PlanWorth, _)| best_start.is_none_or(|best| came_to.0 < best);
            let found = came_to.filter(is_best);
            best_start = found.as_ref().map(|(worth, _)| *worth).or(best_start);
            match found {
                _ if stuck.is_empty() || at_once => whole = now,
                Some((_, came_to)) => whole = Search { stays: now.stays, ..came_to },
                None => {}
            }
        }
    }
}
