//! What plans cost and how far they are from the cheapest: a table over seeded workloads.
//!
//!     quality [NAME | PROBLEM.json]...
//!     quality --recorded FILE | --renew FILE
//!
//! Without an argument it goes through the bundled bench problems. "compile" and "pack" are the
//! wall times of `Solver::new` and `Solver::provision`; "gap" is how far the cost can be from the
//! least possible; "first fit" is what a packer blind to prices pays, as a multiple of the plan's
//! cost. Every plan is checked by `verify`; the exit code is 1 when one breaks a rule.
//!
//! `--recorded` plans a fixed set within fixed work, and its exit code is 1 where anything is worse
//! than in the file; `--renew` writes the file. What was recorded once is `testdata/quality.txt`.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example does the input, output and timing that the library must not"
)]

mod recorded;

use plimsoll::model::Problem;
use plimsoll::{Effort, LaunchPlan, Options, Price, Solver, verify};
use plimsoll_testdata::{BENCH_PROBLEMS, problem};
use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if let [flag @ ("--recorded" | "--renew"), file] =
        &*names.iter().map(|name| &**name).collect::<Vec<_>>()
    {
        return against(file, *flag == "--renew").unwrap_or_else(|error| {
            eprintln!("{file}: {error}");
            ExitCode::FAILURE
        });
    }
    if names.is_empty() {
        names = ["web-small"].iter().chain(&BENCH_PROBLEMS).map(ToString::to_string).collect();
    }
    println!(
        "problem                   compile    pack       cost/h    nodes   gap  first fit  unplaced"
    );
    for name in &names {
        if let Err(error) = row(name) {
            eprintln!("{name}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Measures the fixed set and compares it with a file, or writes that anew.
fn against(file: &str, renew: bool) -> Result<ExitCode, Box<dyn Error>> {
    let former = match renew && !std::fs::exists(file)? {
        true => Vec::new(),
        false => recorded::read(&std::fs::read_to_string(file)?).ok_or("not such figures")?,
    };
    let now = recorded::measure()?;
    let (said, worse) = recorded::compare(&former, &now);
    print!("{said}");
    if renew {
        std::fs::write(file, recorded::write(&now))?;
        return Ok(ExitCode::SUCCESS);
    }
    if !said.is_empty() {
        println!("What is better, or worse on purpose, is recorded by `quality --renew {file}`.");
    }
    Ok(if worse { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn row(name: &str) -> Result<(), Box<dyn Error>> {
    let problem = if name.ends_with(".json") {
        Problem::from_json(&std::fs::read_to_string(name)?)?
    } else {
        problem(name).ok_or("no such problem")?
    };

    let start = Instant::now();
    let solver = Solver::new(&problem)?;
    let compiled = start.elapsed();
    let plan = solver.provision(&Options::default())?;
    let packed = start.elapsed() - compiled;
    let mut first_fit = Options::default();
    first_fit.effort = Effort::FirstFit;
    let baseline = solver.provision(&first_fit)?;
    for plan in [&plan, &baseline] {
        let _verified = verify(&problem, plan).map_err(|violations| violations.to_string())?;
    }

    let name = name.rsplit('/').next().unwrap_or(name);
    println!(
        "{name:24} {:7.3} s {:7.3} s {:10.2} {:8} {:4.1}% {:9.3}x {:9}",
        compiled.as_secs_f64(),
        packed.as_secs_f64(),
        dollars(plan.cost().total),
        plan.launches().len(),
        gap(&plan),
        dollars(baseline.cost().total) / dollars(plan.cost().total),
        plan.unschedulable().len(),
    );
    Ok(())
}

/// How much of the cost isn't proved necessary, in percent.
fn gap(plan: &LaunchPlan) -> f64 {
    let cost = plan.cost();
    (1.0 - dollars(cost.lower_bound) / dollars(cost.total)) * 100.0
}

fn dollars(price: Price) -> f64 {
    price.nanos() as f64 / 1e9
}
