//! What each kind of blocker holds back, and what else would hold a node without what is blamed.
//!
//! *Problem.* A node may be held by several things, and what is held would compete with what goes:
//! what a disruption budget or a mark on a pod costs can't be added up from prices of nodes. And a
//! node that is held by a mark may be full, so that it would stay without the mark, too.
//!
//! *Idea.* The cluster is planned anew with a kind of blocker lifted from the whole problem, or
//! from the options, and nothing else changed. The difference of the costs is what it holds back.
//! Of a node that is blamed on nothing else and stays all the same, what holds it then is a reason
//! as well. Where several kinds hold a node these are lifted together, for its reasons. All plans
//! that are compared are greedy ones, so that like is compared with like.
//!
//! *Why it is right.* With all that is blamed lifted, a node whose reasons can all be lifted goes:
//! that is what was tried.
//!
//! *Cost.* One greedy consolidation for each kind that holds any node and for each set of kinds, at
//! most [`MOST_PLANS`], and one beside them where the plan is a refined one; none where nobody
//! asks.

use super::consolidated;
use crate::error::Error;
use crate::explain::Reason;
use crate::model::{Budget, ConsolidationOptions, ConsolidationPolicy, Disruption, Problem};
use crate::options::{Effort, Options, PreferencePolicy};
use crate::plan::ConsolidationPlan;
use crate::plan::consolidation::KeptNode;
use crate::progress::Observer;
use std::collections::{BTreeMap, BTreeSet};

/// Weights of pools and preferences of pods hold no node by themselves, but what they forbid to
/// launch or where pods may go.
const WEIGHTS: &str = "weights";
const PREFERENCES: &str = "preferences";

/// The kinds of blockers that can be lifted, by the codes of their reasons.
///
/// Kinds that aren't here can't be wished away: a node that is going, one nobody knows the labels
/// of, one whose pods have no other place.
const KINDS: [&str; 16] = [
    "not-initialized",
    "nominated",
    "do-not-disrupt",
    "not-consolidatable",
    "consolidate-never",
    "when-empty",
    "unbalanced",
    "node-budget",
    "pod-do-not-disrupt",
    "disruption-budget",
    "several-disruption-budgets",
    "bare-pod",
    "saves-too-little",
    "move-cost",
    "move-limit",
    "few-spot-types",
];

/// So many plans are made at most.
const MOST_PLANS: usize = 32;

/// Says in a plan how much each kind of blocker holds back, in billionths per hour, and what else
/// holds nodes.
///
/// A plan that is stopped on the way keeps what was found out by then. Figures are differences of
/// greedy plans: each says what would be saved if that one kind were lifted, and they don't add up.
pub(super) fn note(
    problem: &Problem,
    options: &Options,
    plan: &mut ConsolidationPlan,
) -> Result<(), Error> {
    let greedy = options.clone().with_effort(Effort::Greedy).with_observer(Observer::default());
    let cost = match options.effort {
        Effort::FirstFit | Effort::Greedy => plan.cost().after,
        Effort::Refine(_) => consolidated(problem, &greedy)?.cost().after,
    };
    let mut tried: BTreeSet<BTreeSet<&'static str>> = BTreeSet::new();
    // What is found may be lifted in its turn.
    while let Some(kinds) = next_kinds(plan, &tried).filter(|_| tried.len() < MOST_PLANS) {
        let _new = tried.insert(kinds.clone());
        let (mut lifted, mut terms) = (problem.clone(), greedy.clone());
        if !kinds.iter().all(|kind| lift(kind, &mut lifted, &mut terms)) {
            continue;
        }
        let again = consolidated(&lifted, &terms)?;
        if options.stop.now() {
            break;
        }
        let less = cost.nanos().saturating_sub(again.cost().after.nanos()).max(0);
        if let (1, Some(kind)) = (kinds.len(), kinds.first())
            && let Some(less) = u64::try_from(less).ok().filter(|less| *less > 0)
        {
            let _new = plan.stats.insert(name_of(kind).into(), less);
        }
        let still: BTreeMap<&str, &KeptNode> =
            again.keep().iter().map(|kept| (&*kept.node, kept)).collect();
        let blamed = plan.keep.iter_mut().filter(|kept| kinds_of(kept) == kinds);
        for kept in blamed {
            let more = still.get(&*kept.node).into_iter().flat_map(|kept| &kept.reasons);
            let is_news = |one: &&Reason| kept.reasons.iter().all(|own| own.code() != one.code());
            let more: Vec<Reason> = more.filter(is_news).cloned().collect();
            kept.reasons.extend(more);
        }
    }
    Ok(())
}

/// The next kinds to be lifted together: each that holds any node, and each set that holds one.
///
/// Single kinds come before sets, and both in the order of their names, so that what is left out
/// for want of time is the same in every run.
fn next_kinds(
    plan: &ConsolidationPlan,
    tried: &BTreeSet<BTreeSet<&'static str>>,
) -> Option<BTreeSet<&'static str>> {
    let of_nodes: BTreeSet<BTreeSet<&'static str>> = plan.keep().iter().map(kinds_of).collect();
    let single = of_nodes.iter().flatten().copied().chain([WEIGHTS, PREFERENCES]);
    let singles: BTreeSet<&'static str> = single.collect();
    let singles = singles.into_iter().map(|kind| BTreeSet::from([kind]));
    let mut all = singles.chain(of_nodes.iter().filter(|kinds| !kinds.is_empty()).cloned());
    all.find(|kinds| !tried.contains(kinds))
}

/// The kinds of blockers that hold a node; none where one of them is none of those.
fn kinds_of(kept: &KeptNode) -> BTreeSet<&'static str> {
    let known = |reason: &Reason| KINDS.iter().copied().find(|kind| *kind == reason.code());
    let kinds: Option<BTreeSet<&str>> = kept.reasons.iter().map(known).collect();
    kinds.unwrap_or_default()
}

/// "disruption-budget" is heldBackDisruptionBudget.
fn name_of(kind: &str) -> String {
    let mut name = String::from("heldBack");
    for word in kind.split('-') {
        let (first, rest) = word.split_at(word.len().min(1));
        name.push_str(&first.to_uppercase());
        name.push_str(rest);
    }
    name
}

/// Lifts a kind of blocker; false where it can't be lifted, or nothing would change.
///
/// Lifting a kind sets the fields that it comes from to what says nothing: a mark to false, a
/// minimum to zero, a budget to 100 %.
fn lift(kind: &str, problem: &mut Problem, options: &mut Options) -> bool {
    let (before, terms_before) = (problem.clone(), options.clone());
    let terms = &mut options.consolidation;
    let default = ConsolidationOptions::default();
    match kind {
        "not-initialized" => each(problem.nodes.items_mut(), |node| node.initialized = true),
        "nominated" => each(problem.nodes.items_mut(), |node| node.nominated = false),
        "do-not-disrupt" => each(problem.nodes.items_mut(), |node| node.do_not_disrupt = false),
        "not-consolidatable" => each(problem.nodes.items_mut(), |node| node.consolidatable = true),
        "consolidate-never" => each_disruption(problem, |disruption| {
            disruption.consolidate_after = Disruption::default().consolidate_after;
        }),
        "when-empty" => each_disruption(problem, |disruption| {
            if disruption.consolidation_policy == ConsolidationPolicy::WhenEmpty {
                disruption.consolidation_policy = ConsolidationPolicy::default();
            }
        }),
        "unbalanced" => each_disruption(problem, |disruption| {
            if disruption.consolidation_policy == ConsolidationPolicy::Balanced {
                disruption.consolidation_policy = ConsolidationPolicy::default();
            }
        }),
        "node-budget" => each_disruption(problem, |disruption| {
            disruption.budgets = vec![Budget::of_share(100)];
        }),
        "pod-do-not-disrupt" => each(problem.pods.items_mut(), |pod| pod.do_not_disrupt = false),
        "disruption-budget" => {
            each(problem.pod_disruption_budgets.items_mut(), |one| {
                one.disruptions_allowed = u32::MAX
            });
        }
        "several-disruption-budgets" => problem.pod_disruption_budgets.to_mut().clear(),
        "bare-pod" => terms.bare_pods_move = true,
        "saves-too-little" => {
            terms.minimum_saving = 0;
            terms.minimum_saving_per_action = default.minimum_saving_per_action;
            terms.minimum_saving_per_move = default.minimum_saving_per_move;
        }
        "move-cost" => terms.move_price = default.move_price,
        "move-limit" => terms.max_moves = None,
        "few-spot-types" => terms.spot_flexibility = 1,
        WEIGHTS => each(problem.node_pools.items_mut(), |pool| pool.weight = 0),
        PREFERENCES => options.preferences = PreferencePolicy::Ignore,
        // What is going, what nobody knows, and what is needed can't be wished away.
        _ => return false,
    }
    *problem != before || *options != terms_before
}

fn each<T>(list: &mut [T], change: impl Fn(&mut T)) {
    list.iter_mut().for_each(change);
}

fn each_disruption(problem: &mut Problem, change: impl Fn(&mut Disruption)) {
    each(problem.node_pools.items_mut(), |pool| change(&mut pool.disruption));
}
