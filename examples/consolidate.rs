//! Says which running nodes of a problem document, or of bundled data, to delete or replace.
//!
//!     consolidate [PROBLEM.json] [--max-moves N] [--move-price USD] [--minimum-saving PERCENT]
//!         [--bare-pods-move] [--now RFC3339] [--preferences …] [--node-fee USD] [--refine SECONDS]
//!         [--held-back] [--progress] [--json] [--kubernetes FILE… [--catalog FILE|bundled]
//!         [--lenient]]
//!
//! With the feature `k8s` it takes Kubernetes' objects, in files as the example `convert` does;
//! without `--lenient` not where one of them is refused.
//!
//! It prints the plan as a table, or with `--json` the plan document with `stats.solveSeconds`
//! added: the wall time of the library's call, compiling included, parsing excluded. The plan is
//! checked by `verify_consolidation` before it is printed. The exit code is 0 with a plan, 2 on
//! invalid input, and 1 when the library is at fault.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example does the input, output and timing that the library must not"
)]

mod command;
mod kubernetes;
mod output;

use command::{Failure, read, refused};
use kubernetes::Input;
use output::print;
use plimsoll::{
    Effort, Limits, Observer, Options, PreferencePolicy, Price, Problem, Stop, consolidate,
    verify_consolidation,
};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Instant;

/// What a unit of weight costs per hour that isn't honoured, where preferences are priced.
const WISH_PRICE: Price = Price::from_nanos(1_000_000);

const USAGE: &str = "usage: consolidate [PROBLEM.json] [--max-moves N] [--move-price USD] [--minimum-saving PERCENT] [--bare-pods-move] [--now RFC3339] [--preferences respect|ignore|priced] [--node-fee USD] [--refine SECONDS] [--held-back] [--progress] [--json] [--kubernetes FILE… [--catalog FILE|bundled] [--lenient]]

  PROBLEM.json      the problem document; a bundled running cluster by default
  --max-moves N     move at most N pods
  --move-price USD  what moving one plain pod must save per hour
  --minimum-saving  the share of what is replaced that must be saved, in percent; 10 by default
  --bare-pods-move  pods without an owner may be moved
  --now RFC3339     the instant for which schedules of budgets count, such as 2026-08-19T10:00:00Z
  --preferences     what preferences count for: respect, ignore, or priced (0.001 an hour for each unit of weight)
  --node-fee USD    a fee per node and hour, part of what is minimised
  --refine SECS     go on searching for so many seconds
  --held-back       work out what each kind of blocker holds back
  --progress        show on standard error how plan and bound come together
  --json            print the plan document instead of a table
  --kubernetes      consolidate the cluster of Kubernetes' objects in these files (feature k8s)
  --catalog FILE    what can be bought for it; bundled data by default
  --lenient         leave out objects that can't be honoured, and say so";

#[derive(Default)]
struct Arguments {
    path: Option<String>,
    objects: Input,
    options: Options,
    /// For how many seconds to refine.
    refine: Option<f64>,
    progress: bool,
    json: bool,
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
        if word != "--now" && arguments.objects.take(&word, &mut words).map_err(refused)? {
            continue;
        }
        let mut value =
            || words.next().ok_or_else(|| refused(format!("{word} needs a value\n{USAGE}")));
        let consolidation = &mut arguments.options.consolidation;
        match word.as_str() {
            "--held-back" => consolidation.held_back = true,
            "--progress" => arguments.progress = true,
            "--json" => arguments.json = true,
            "--help" | "-h" => arguments.help = true,
            "--bare-pods-move" => consolidation.bare_pods_move = true,
            "--max-moves" => {
                let most = value()?;
                consolidation.max_moves =
                    Some(most.parse().map_err(|_| refused(format!("--max-moves {most}")))?);
            }
            "--move-price" => consolidation.move_price = price(&word, &value()?)?,
            "--minimum-saving" => {
                let percent = value()?;
                let share = percent.parse::<f64>().ok().filter(|one| (0.0..=100.0).contains(one));
                let share = share.ok_or_else(|| refused(format!("--minimum-saving {percent}")))?;
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "0 to 1e9"
                )]
                {
                    consolidation.minimum_saving = (share * 1e7).round() as u32;
                }
            }
            "--now" => {
                let text = value()?;
                let now = instant(&text).ok_or_else(|| refused(format!("--now {text}")))?;
                consolidation.now = Some(now);
                arguments.objects.set_now(&text).map_err(refused)?;
            }
            "--node-fee" => arguments.options.objective.node_fee = price(&word, &value()?)?,
            "--preferences" => {
                arguments.options.preferences = match value()?.as_str() {
                    "respect" => PreferencePolicy::Respect,
                    "ignore" => PreferencePolicy::Ignore,
                    "priced" => PreferencePolicy::Priced(WISH_PRICE),
                    _ => return Err(refused("--preferences needs respect, ignore or priced")),
                };
            }
            "--refine" => {
                let seconds = value()?.parse().ok().filter(|seconds| *seconds >= 0.0);
                arguments.refine =
                    Some(seconds.ok_or_else(|| refused("--refine needs a number of seconds"))?);
            }
            flag if flag.starts_with('-') && flag != "-" => {
                return Err(refused(format!("{flag} isn't known\n{USAGE}")));
            }
            _ if arguments.path.is_some() => return Err(refused("one problem at a time")),
            _ => arguments.path = Some(word),
        }
    }
    Ok(arguments)
}

fn price(flag: &str, text: &str) -> Result<Price, Failure> {
    text.parse().map_err(|error| refused(format!("{flag} {text}: {error}")))
}

/// The seconds since the epoch of an instant such as `2026-08-19T10:00:00Z`.
fn instant(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let (time, offset) = match rest.strip_suffix(['Z', 'z']) {
        Some(time) => (time, 0),
        None => {
            let at = rest.rfind(['+', '-'])?;
            let (hours, minutes) = rest[at + 1..].split_once(':')?;
            let ahead = hours.parse::<i64>().ok()? * 3_600 + minutes.parse::<i64>().ok()? * 60;
            (&rest[..at], if rest[at..].starts_with('-') { -ahead } else { ahead })
        }
    };
    let numbers = |text: &str, by: char| -> Option<Vec<i64>> {
        text.split(by).map(|part| part.parse().ok()).collect()
    };
    let [year, month, day] = numbers(date, '-')?[..] else { return None };
    let whole = time.split('.').next()?;
    let [hour, minute, second] = numbers(whole, ':')?[..] else { return None };
    // Days of a calendar that begins in March, so that the leap day comes last.
    let shifted = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * shifted.0 + shifted.0.div_euclid(4) - shifted.0.div_euclid(100)
        + shifted.0.div_euclid(400)
        + (153 * shifted.1 + 2) / 5
        + day
        - 1
        - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second - offset)
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.help {
        return Ok(print(USAGE)?);
    }
    let problem = match &arguments.path {
        Some(_) if arguments.objects.is_given() => return Err(refused("one problem at a time")),
        None if arguments.objects.is_given() => arguments.objects.problem().map_err(refused)?,
        None => plimsoll_testdata::running_cluster(60, 1_000, 60, 200, 1),
        Some(path) => Problem::from_json(&read(path)?)?,
    };
    let start = Instant::now();
    let mut options = arguments.options.clone();
    if let Some(seconds) = arguments.refine {
        let mut limits = Limits::default();
        (limits.rounds, limits.attempts) = (u64::MAX, u64::MAX);
        options.effort = Effort::Refine(limits);
        options.stop = Stop::when(move || start.elapsed().as_secs_f64() >= seconds);
    }
    if arguments.progress {
        options.observer = Observer::new(move |progress| {
            eprintln!("{:6.2} s {progress}", start.elapsed().as_secs_f64());
            ControlFlow::Continue(())
        });
    }
    let plan = consolidate(&problem, &options)?;
    let seconds = start.elapsed().as_secs_f64();
    plan.warnings().iter().for_each(|warning| eprintln!("warning: {warning}"));
    if let Err(violations) = verify_consolidation(&problem, &plan, &options.consolidation) {
        let message =
            format!("the plan breaks rules, which is a fault of the library\n{violations}");
        return Err(Failure { message, code: 1 });
    }
    if arguments.json {
        let mut document: serde_json::Value = serde_json::from_str(&plan.to_json())
            .map_err(|error| Failure { message: error.to_string(), code: 1 })?;
        document["stats"]["solveSeconds"] = seconds.into();
        print(&document.to_string())?;
        eprintln!("verified: the plan breaks no rule");
    } else {
        print(&plan.to_string())?;
        for (name, held) in plan.stats().iter().filter(|(name, _)| name.starts_with("heldBack")) {
            print(&format!("{name}: {} an hour", Price::from_nanos((*held).into())))?;
        }
        print(&format!("solved in {seconds:.3} s; verified: the plan breaks no rule"))?;
    }
    Ok(())
}
