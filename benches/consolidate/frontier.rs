//! What consolidation saves per hour against the pods that it moves: ours beside emulations of
//! Karpenter's three methods and of Cluster Autoscaler's scale-down, on the same documents.
//!
//! As in Karpenter bare pods may move and any saving will do. Each of our plans is replayed. For a
//! quarter, a half, three quarters and all of the pods that Karpenter moved, what each comes to with
//! no more: ours plans for so many, the others are where they were by then. Beside these is the
//! share that each saves of what a certified bound leaves to be saved by so many moves; it is
//! worked out by column generation, apart from the timed call.

use super::model::Model;
use super::{autoscaler, karpenter, like_karpenter};
use plimsoll::plan::certificate::POINT;
use plimsoll::{Effort, Limits, Options, Problem, consolidate, verify_consolidation};
use serde_json::Value;
use std::time::Instant;

/// Where a consolidation is after a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) moved: u64,
    pub(crate) cost: i128,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) before: i128,
    pub(crate) after: i128,
    /// Pods moved, each as often as it moved.
    pub(crate) moved: u64,
    pub(crate) nodes: usize,
    pub(crate) steps: Vec<Step>,
}

/// An emulated autoscaler.
type Emulation = fn(Model) -> Outcome;

/// Prints what each comes to on a document.
pub(crate) fn compare(name: &str, text: &str) {
    let document: Value = serde_json::from_str(text).expect("a document");
    let problem = Problem::from_json(text).expect("a valid problem");
    println!("{name}");
    println!(
        "  {:<30} {:>10} {:>10} {:>7} {:>6} {:>9} {:>9}",
        "", "$/h before", "after", "moved", "nodes", "commands", "seconds"
    );
    let model = Model::read(&document);
    let emulated: [(&str, Emulation); 2] = [
        ("Karpenter v1.13", karpenter::consolidate),
        ("Cluster Autoscaler", autoscaler::consolidate),
    ];
    let mut theirs = Vec::new();
    for (who, run) in emulated {
        let start = Instant::now();
        let outcome = run(model.clone());
        let seconds = start.elapsed().as_secs_f64();
        let commands = outcome.steps.len();
        row(who, &outcome, commands, seconds);
        theirs.push(outcome);
    }
    let ours = |most: Option<u64>| {
        let mut options = like_karpenter();
        options.consolidation.max_moves = most;
        let start = Instant::now();
        let plan = consolidate(&problem, &options).expect("a plan");
        let seconds = start.elapsed().as_secs_f64();
        let of = most.map_or("ours".into(), |most| format!("ours, {most} moves"));
        let found = verify_consolidation(&problem, &plan, &options.consolidation);
        let found = found.unwrap_or_else(|wrong| panic!("{wrong}"));
        let waves = usize::try_from(found.waves()).expect("few waves");
        let standing = problem.nodes().len() as u64 - found.deleted() + found.launched();
        let outcome = Outcome {
            before: found.cost_before().nanos(),
            after: found.cost_after().nanos(),
            moved: found.moved(),
            nodes: usize::try_from(standing).expect("few nodes"),
            steps: Vec::new(),
        };
        row(&of, &outcome, waves, seconds);
        (outcome, options)
    };
    let (_outcome, _options) = ours(None);
    let moves = theirs.first().map_or(0, |outcome| outcome.moved);
    for percent in [25, 50, 75, 100] {
        let most = moves * percent / 100;
        let (outcome, options) = ours(Some(most));
        let bound = bound(&problem, options, most);
        let share = |cost: i128| {
            let (saved, most) = (outcome.before - cost, outcome.before - bound);
            format!("{:.1} %", 100.0 * saved as f64 / most.max(1) as f64)
        };
        println!(
            "    {:<28} {:>10} {:>10}",
            "at least, and our share",
            money(bound),
            share(outcome.after)
        );
        for ((who, _), outcome) in emulated.iter().zip(&theirs) {
            // Before its first command it is where it began.
            let start = Step { moved: 0, cost: outcome.before };
            let reached = outcome.steps.iter().take_while(|step| step.moved <= most).last();
            let Step { moved, cost } = *reached.unwrap_or(&start);
            let who = format!("  {who} by then");
            println!("  {who:<30} {:>10} {:>10} {moved:>7}", share(cost), money(cost));
        }
    }
}

/// What any outcome costs at least that moves no more than so many pods.
fn bound(problem: &Problem, mut options: Options, most: u64) -> i128 {
    // The plan is that of one call; what is searched for are the bounds.
    options.effort = Effort::Refine(Limits::default().with_attempts(0));
    let plan = consolidate(problem, &options).expect("a plan");
    let found = verify_consolidation(problem, &plan, &options.consolidation);
    let _found = found.unwrap_or_else(|wrong| panic!("{wrong}"));
    let (cost, certificate) = (plan.cost(), plan.certificate_for_moves());
    // The bound is of as many moves as the plan makes; each more may save what it is priced at.
    let more = i128::from(most.saturating_sub(plan.moved()));
    let price = certificate.map_or(0, |certificate| certificate.move_price);
    let for_most = cost.lower_bound_for_moves.nanos() - ((price * more) >> POINT) - 1;
    if certificate.is_some() {
        for_most.max(cost.lower_bound.nanos())
    } else {
        cost.lower_bound.nanos()
    }
}

fn money(nanos: i128) -> String {
    format!("{:.4}", nanos as f64 / 1e9)
}

fn row(who: &str, outcome: &Outcome, commands: usize, seconds: f64) {
    println!(
        "  {who:<30} {:>10} {:>10} {:>7} {:>6} {commands:>9} {seconds:>9.3}",
        money(outcome.before),
        money(outcome.after),
        outcome.moved,
        outcome.nodes,
    );
}
