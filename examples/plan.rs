//! Says what to launch for the pending pods of a problem document, or of bundled data.
//!
//!     plan [PROBLEM.json] [--overlay FILE.json] [--node-fee USD] [--baseline] [--json] [--replay]
//!     plan --kubernetes FILE… [--catalog FILE|bundled] [--now RFC3339] [--lenient] …
//!
//! With the feature `k8s` it plans for Kubernetes' objects, in files as the example `convert` takes
//! them; without `--lenient` not where one of them is refused.
//!
//! It prints the plan as a table, or with `--json` the plan document with `stats.solveSeconds`
//! added: the wall time of the library's calls, compiling included, parsing excluded. The plan is
//! checked by `verify` before it is printed. The exit code is 0 with a plan, 2 on invalid input,
//! and 1 when the library is at fault.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    reason = "an example does the input, output and timing that the library must not"
)]

mod command;
mod kubernetes;
mod output;
mod questions;

use command::{Failure, read, refused};
use kubernetes::Input;
use output::print;
use plimsoll::model::PriceOverlay;
use plimsoll::options::Replay;
use plimsoll::progress::Progress;
use plimsoll::question::RuleChange;
use plimsoll::{
    Effort, LaunchPlan, Limits, Observer, Options, PreferencePolicy, Price, Problem, Quantity,
    Solver, Stop, verify,
};
use questions::Questions;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Instant;

/// What a unit of weight costs per hour that isn't honoured, where preferences are priced.
const WISH_PRICE: Price = Price::from_nanos(1_000_000);

const USAGE: &str = "usage: plan [PROBLEM.json] [--overlay FILE.json] [--node-fee USD] [--preferences respect|ignore|priced] [--refine SECONDS] [--progress] [--trace] [--baseline] [--json] [--why POD] [--why-not NAME] [--cost-of RULE] [--supplies] [--kubernetes FILE… [--catalog FILE|bundled] [--now RFC3339] [--lenient]]

  PROBLEM.json    the problem document, or one of a problem with its options ({problem, options}),
                  - for standard input; bundled data by default
  --overlay FILE  a list of price overlays, applied in its order
  --node-fee USD  a fee per node and hour, part of what is minimised
  --preferences   what preferences count for: respect, ignore, or priced (0.001 an hour for each unit of weight)
  --refine SECS   bring the plan and its bound together for so many seconds
  --progress      show on standard error how plan and bound come together while refining
  --trace         print on standard error what was decided, step by step
  --baseline      first fit decreasing, blind to prices, to compare with
  --json          print the plan document instead of a table
  --replay        print the problem with its options, to be planned again, and end
  --kubernetes    plan for Kubernetes' objects in these files and folders (feature k8s)
  --catalog FILE  what can be bought for them; bundled data by default
  --now RFC3339   the present, which ages of objects are counted to
  --lenient       leave out objects that can't be honoured, and say so";

#[derive(Default)]
struct Arguments {
    path: Option<String>,
    objects: Input,
    overlays: Option<String>,
    /// What is asked of the options; the rest is as a replay document says, or by default.
    effort: Option<Effort>,
    fee: Option<Price>,
    preferences: Option<PreferencePolicy>,
    /// For how many seconds to refine.
    refine: Option<f64>,
    questions: Questions,
    progress: bool,
    trace: bool,
    json: bool,
    replay: bool,
    help: bool,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, Failure> {
    let mut arguments = Arguments::default();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => arguments.json = true,
            "--replay" => arguments.replay = true,
            "--progress" => arguments.progress = true,
            "--trace" => arguments.trace = true,
            "--help" | "-h" => arguments.help = true,
            "--baseline" => arguments.effort = Some(Effort::FirstFit),
            "--overlay" => {
                let path = words.next().ok_or_else(|| refused("--overlay needs a file"))?;
                arguments.overlays = Some(path);
            }
            "--node-fee" => {
                let fee = words.next().ok_or_else(|| refused("--node-fee needs an amount"))?;
                let price = fee.parse::<Price>();
                arguments.fee =
                    Some(price.map_err(|error| refused(format!("--node-fee {fee}: {error}")))?);
            }
            "--preferences" => {
                arguments.preferences = Some(match words.next().as_deref() {
                    Some("respect") => PreferencePolicy::Respect,
                    Some("ignore") => PreferencePolicy::Ignore,
                    Some("priced") => PreferencePolicy::Priced(WISH_PRICE),
                    _ => return Err(refused("--preferences needs respect, ignore or priced")),
                });
            }
            "--refine" => {
                let seconds = words.next().ok_or_else(|| refused("--refine needs seconds"))?;
                let seconds = seconds.parse().ok().filter(|seconds| *seconds >= 0.0);
                arguments.refine =
                    Some(seconds.ok_or_else(|| refused("--refine needs a number of seconds"))?);
            }
            _ if arguments.questions.take(&word, &mut words).map_err(refused)? => {}
            _ if arguments.objects.take(&word, &mut words).map_err(refused)? => {}
            flag if flag.starts_with('-') && flag != "-" => {
                return Err(refused(format!("{flag} isn't known\n{USAGE}")));
            }
            _ if arguments.path.is_some() => return Err(refused("one problem at a time")),
            _ => arguments.path = Some(word),
        }
    }
    Ok(arguments)
}

/// The share of the best plan's cost that is known to be needed.
fn bar(progress: &Progress) -> String {
    const WIDTH: usize = 20;
    let proved = 1_000_000_u32.saturating_sub(progress.gap_millionths());
    let filled = usize::try_from(proved / 50_000).unwrap_or_default().min(WIDTH);
    format!("[{}{}]", "#".repeat(filled), "-".repeat(WIDTH - filled))
}

/// A plan's document with the time that the solve took: `stats`, its last field, has it as well.
fn with_seconds(mut document: String, seconds: f64) -> String {
    if document.ends_with("}}") {
        document.truncate(document.len() - 2);
        let comma = if document.ends_with('{') { "" } else { "," };
        document += &format!("{comma}\"solveSeconds\":{seconds:?}}}}}");
    }
    document
}

/// Of the seconds to refine, the share after which the search is told to stop: proving its bound
/// takes the rest.
const SEARCH: f64 = 0.85;

/// Where the gap comes from, and what preferences and weights cost: by greedy plans, whose time is
/// no part of what is said of the solve.
fn notes(
    problem: &Problem,
    solver: &Solver,
    options: &Options,
    plan: &LaunchPlan,
) -> Result<String, Failure> {
    let full = plan.fullness(problem).into_iter().filter(|one| one.requested > Quantity::ZERO);
    let full: Vec<String> = full.map(|one| one.to_string()).collect();
    let mut notes = match full.is_empty() {
        true => String::new(),
        false => format!("of what the nodes have for pods is asked for: {}\n", full.join(", ")),
    };
    if let Some(sources) = plan.gap_sources(problem) {
        notes += &format!("{sources}\n");
    }
    if options.effort != Effort::FirstFit {
        let mut greedy = options.clone().with_effort(Effort::Greedy);
        greedy.observer = Observer::default();
        greedy.stop = Stop::default();
        let plan = solver.provision(&greedy)?;
        for change in [RuleChange::WithoutPreferences { pod: None }, RuleChange::WithoutWeights] {
            // A problem without such a rule has nothing to be changed.
            match solver.effect_of(&plan, &[change], &greedy) {
                Ok(effect) if effect.saves_without_loss() => {
                    notes.extend(effect.to_string().lines().take(1));
                    notes.push('\n');
                }
                Err(error) if !error.is_invalid_input() => return Err(error.into()),
                _ => {}
            }
        }
    }
    Ok(notes)
}

/// The options, to refine for so many seconds from now where that is asked.
fn for_seconds(options: &Options, refine: Option<f64>) -> Options {
    let mut options = options.clone();
    if let Some(seconds) = refine {
        let start = Instant::now();
        options.effort = Effort::Refine(Limits::NONE);
        options.stop = Stop::when(move || start.elapsed().as_secs_f64() >= SEARCH * seconds);
    }
    options
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.help {
        return Ok(print(&format!("{USAGE}\n{}", questions::USAGE))?);
    }
    let mut options = Options::default();
    let mut problem = match &arguments.path {
        Some(_) if arguments.objects.is_given() => return Err(refused("one problem at a time")),
        None if arguments.objects.is_given() => arguments.objects.problem().map_err(refused)?,
        None => plimsoll_testdata::problem("web-small")
            .ok_or_else(|| refused("the bundled problem is missing"))?,
        Some(path) => {
            let text = read(path)?;
            if Replay::is_one(&text) {
                let replay = Replay::from_json(&text)?;
                options = replay.options;
                replay.problem
            } else {
                Problem::from_json(&text)?
            }
        }
    };
    if let Some(path) = &arguments.overlays {
        problem = problem.with_price_overlays(&PriceOverlay::list_from_json(&read(path)?)?)?;
    }

    let start = Instant::now();
    options.effort = arguments.effort.unwrap_or(options.effort);
    options.objective.node_fee = arguments.fee.unwrap_or(options.objective.node_fee);
    options.preferences = arguments.preferences.unwrap_or(options.preferences);
    let asked = options;
    let mut options = for_seconds(&asked, arguments.refine);
    if arguments.replay {
        return Ok(print(&Replay::new(problem, options).to_json())?);
    }
    if arguments.progress {
        options.observer = Observer::new(move |progress| {
            eprintln!("{:6.2} s {} {progress}", start.elapsed().as_secs_f64(), bar(progress));
            ControlFlow::Continue(())
        });
    }
    if arguments.trace {
        options.observer = Observer::of_events(|event| {
            eprintln!("{event}");
            ControlFlow::Continue(())
        });
    }
    let solver = Solver::new(&problem)?;
    let plan = solver.provision(&options)?;
    let seconds = start.elapsed().as_secs_f64();
    plan.warnings().iter().for_each(|warning| eprintln!("warning: {warning}"));

    if let Err(violations) = verify(&problem, &plan) {
        let message =
            format!("the plan breaks rules, which is a fault of the library\n{violations}");
        return Err(Failure { message, code: 1 });
    }
    if arguments.json {
        print(&with_seconds(plan.to_json(), seconds))?;
        if let Some(termination) = plan.termination() {
            eprintln!("refined until {termination}");
        }
        eprintln!("verified: the plan breaks no rule");
    } else {
        let notes = notes(&problem, &solver, &options, &plan)?;
        print(&format!(
            "{plan}{notes}\nsolved in {seconds:.3} s; verified: the plan breaks no rule"
        ))?;
    }
    // A question that takes a solve has as long for it.
    let afresh = || for_seconds(&asked, arguments.refine);
    for answer in arguments.questions.answers(&solver, &problem, &plan, &afresh)? {
        print(&format!("\n{answer}"))?;
    }
    Ok(())
}
