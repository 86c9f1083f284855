//! What consolidation saves per hour against the pods that it moves: ours beside emulations of
//! Karpenter's three methods and of Cluster Autoscaler's scale-down, on the same documents.
//!
//!     cargo bench --bench emulation              # the bundled running cluster
//!     cargo bench --bench emulation -- FILE...   # problem documents
//!
//! As in Karpenter bare pods may move and any saving will do. Each of our plans is replayed.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench reads its arguments, prints, and stops at the first fault"
)]

mod autoscaler;
mod karpenter;
mod model;
mod scheduler;

use model::Model;
use plimsoll::{Options, Problem, consolidate, verify_consolidation};
use plimsoll_testdata::running_cluster;
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

fn main() {
    let files: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if files.is_empty() {
        let problem = running_cluster(60, 900, 60, 100, 1);
        compare("bundled", &problem.to_json());
    }
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a readable file");
        compare(&file, &text);
    }
}

fn compare(name: &str, text: &str) {
    let document: Value = serde_json::from_str(text).expect("a document");
    let problem = Problem::from_json(text).expect("a valid problem");
    println!("{name}");
    println!(
        "  {:<22} {:>10} {:>10} {:>7} {:>6} {:>9} {:>9}",
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
        let commands = outcome.steps.len();
        row(who, &outcome, commands, start);
        theirs.push(outcome);
    }
    let mut options = Options::default();
    options.consolidation.bare_pods_move = true;
    options.consolidation.minimum_saving = 0;
    let mut ours = |most: Option<u64>| {
        let start = Instant::now();
        options.consolidation.max_moves = most;
        let plan = consolidate(&problem, &options).expect("a plan");
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
        row(&of, &outcome, waves, start);
        outcome
    };
    let _all = ours(None);
    let moves = theirs.first().map_or(0, |outcome| outcome.moved);
    for percent in [25, 50, 75, 100] {
        let most = moves * percent / 100;
        let _some = ours(Some(most));
        let theirs = theirs.first().map_or(&[][..], |outcome| &outcome.steps[..]);
        let reached = theirs.iter().take_while(|step| step.moved <= most).last();
        if let Some(Step { moved, cost }) = reached {
            println!(
                "  {:<22} {:>10} {:>10} {:>7}",
                "  Karpenter by then",
                "",
                money(*cost),
                moved
            );
        }
    }
}

fn money(nanos: i128) -> String {
    format!("{:.4}", nanos as f64 / 1e9)
}

fn row(who: &str, outcome: &Outcome, commands: usize, start: Instant) {
    println!(
        "  {who:<22} {:>10} {:>10} {:>7} {:>6} {commands:>9} {:>9.3}",
        money(outcome.before),
        money(outcome.after),
        outcome.moved,
        outcome.nodes,
        start.elapsed().as_secs_f64(),
    );
}
