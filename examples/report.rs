//! Writes one self-contained HTML page about a plan, or about a consolidation.
//!
//!     report [PROBLEM.json] [--consolidate] [--refine SECONDS] [--kubernetes FILE…] > page.html
//!
//! What it costs beside a price-blind baseline and the proved bound; the nodes as a map; where the
//! pods are; limits; pods without a place, by what would give them one; waves. The page needs no
//! network. The plan is checked before it is shown; the exit code is 2 on invalid input, and 1 when
//! the library is at fault.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    reason = "an example does the input, output and timing that the library must not"
)]

mod command;
mod kubernetes;
mod output;
#[path = "report/mod.rs"]
mod page;

use command::{Failure, read, refused};
use kubernetes::Input;
use output::print;
use plimsoll::{
    Effort, Limits, Options, Problem, Solver, Stop, consolidate, verify, verify_consolidation,
};
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "usage: report [PROBLEM.json] [--consolidate] [--bare-pods-move] [--refine SECONDS] [--kubernetes FILE… [--catalog FILE|bundled] [--lenient]] > page.html

  PROBLEM.json      the problem document, - for standard input; bundled data by default
  --consolidate     what to do about its running nodes, instead of what to launch
  --bare-pods-move  pods without an owner may be moved by that
  --refine SECS     bring the plan and its bound together for so many seconds
  --kubernetes      plan for Kubernetes' objects in these files and folders (feature k8s)";

#[derive(Default)]
struct Arguments {
    path: Option<String>,
    objects: Input,
    consolidate: bool,
    options: Options,
    /// For how many seconds to refine.
    refine: Option<f64>,
}

fn main() -> ExitCode {
    let page = parse(std::env::args().skip(1))
        .and_then(|asked| asked.map_or_else(|| Ok(USAGE.into()), |arguments| run(&arguments)));
    match page {
        Ok(page) => {
            print(&page).map_or_else(|error| Failure::from(error).report(), |()| ExitCode::SUCCESS)
        }
        Err(failure) => failure.report(),
    }
}

/// The arguments; nothing where help is asked for.
fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Arguments>, Failure> {
    let mut arguments = Arguments::default();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--help" | "-h" => return Ok(None),
            "--consolidate" => arguments.consolidate = true,
            "--bare-pods-move" => arguments.options.consolidation.bare_pods_move = true,
            "--refine" => {
                let seconds = words.next().ok_or_else(|| refused("--refine needs seconds"))?;
                let seconds = seconds.parse().ok().filter(|seconds| *seconds >= 0.0);
                arguments.refine =
                    Some(seconds.ok_or_else(|| refused("--refine needs a number of seconds"))?);
            }
            _ if arguments.objects.take(&word, &mut words).map_err(refused)? => {}
            flag if flag.starts_with('-') && flag != "-" => {
                return Err(refused(format!("{flag} isn't known\n{USAGE}")));
            }
            _ if arguments.path.is_some() => return Err(refused("one problem at a time")),
            _ => arguments.path = Some(word),
        }
    }
    Ok(Some(arguments))
}

/// Of the seconds to refine, the share after which the search is told to stop: proving its bound
/// takes the rest.
const SEARCH: f64 = 0.85;

fn run(arguments: &Arguments) -> Result<String, Failure> {
    let (problem, name) = match &arguments.path {
        Some(_) if arguments.objects.is_given() => return Err(refused("one problem at a time")),
        Some(path) => (Problem::from_json(&read(path)?)?, path.as_str()),
        None if arguments.objects.is_given() => {
            (arguments.objects.problem().map_err(refused)?, "Kubernetes' objects")
        }
        None if arguments.consolidate => {
            (plimsoll_testdata::running_cluster(60, 1_000, 60, 200, 1), "a bundled cluster")
        }
        None => {
            let bundled = plimsoll_testdata::problem("web-small");
            (bundled.ok_or_else(|| refused("the bundled problem is missing"))?, "bundled data")
        }
    };
    let mut options = arguments.options.clone();
    if let Some(seconds) = arguments.refine {
        let start = Instant::now();
        options.effort = Effort::Refine(Limits::NONE);
        options.stop = Stop::when(move || start.elapsed().as_secs_f64() >= SEARCH * seconds);
    }
    let faulty = |violations: String| Failure {
        message: format!("the plan breaks rules, which is a fault of the library\n{violations}"),
        code: 1,
    };
    if arguments.consolidate {
        let plan = consolidate(&problem, &options)?;
        let _verified = verify_consolidation(&problem, &plan, &options.consolidation)
            .map_err(|one| faulty(one.to_string()))?;
        return Ok(page::of_consolidation(&format!("Consolidation: {name}"), &problem, &plan));
    }
    let solver = Solver::new(&problem)?;
    let plan = solver.provision(&options)?;
    let _verified = verify(&problem, &plan).map_err(|one| faulty(one.to_string()))?;
    let baseline = solver.provision(&Options::default().with_effort(Effort::FirstFit))?;
    let asked = (&problem, &options);
    Ok(page::of_launches(&format!("Launch plan: {name}"), &solver, asked, &plan, &baseline))
}
