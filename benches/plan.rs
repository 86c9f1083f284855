//! How long a plan takes, and how good it is, on seeded workloads.
//!
//! A problem's name says its pods, its classes of pods and its instance types. `compiled` is
//! `Solver::provision` on a solver that exists; `whole` is `Solver::new` and that. Before a problem
//! is timed, its plan and the baseline's (first fit decreasing, blind to prices) are checked by
//! `verify` and their quality is printed. `refine` does the same for column generation within few
//! rounds; before it is timed, cost, gap and time are printed for more and more rounds, until
//! nothing is left to try: how plan and bound come to meet each other.
//!
//!     cargo bench --bench plan                    all, some minutes
//!     cargo bench --bench plan -- 1m-300-1345     those whose name has this
//!     cargo bench --bench plan -- --test          the small ones once, untimed
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a bench reads its arguments, prints, and stops at the first fault"
)]

use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};
use plimsoll::plan::Termination;
use plimsoll::{Effort, LaunchPlan, Limits, Options, Price, Problem, Solver, verify};
use plimsoll_testdata::{BENCH_PROBLEMS, problem};
use std::cell::OnceCell;
use std::time::{Duration, Instant};

fn plans(criterion: &mut Criterion) {
    let test = std::env::args().any(|argument| argument == "--test");
    for name in BENCH_PROBLEMS {
        let large = name.starts_with("1m") || name.starts_with("100k");
        if test && !name.starts_with("1k") && name != "10k-10-100" {
            continue;
        }
        let mut group = criterion.benchmark_group("plan");
        if large || name.contains("distinct") || name.contains("-3000-") {
            group.sample_size(10).sampling_mode(SamplingMode::Flat);
        }
        group.warm_up_time(Duration::from_millis(500));
        // Criterion calls what follows only where the name is asked for.
        let prepared = OnceCell::new();
        group.bench_function(BenchmarkId::new("compiled", name), |bencher| {
            let problem = prepared.get_or_init(|| prepare(name));
            let solver = Solver::new(problem).expect("the problem is supported");
            bencher.iter(|| solver.provision(&Options::default()));
        });
        group.bench_function(BenchmarkId::new("whole", name), |bencher| {
            let problem = prepared.get_or_init(|| prepare(name));
            bencher.iter(|| Solver::new(problem)?.provision(&Options::default()));
        });
        group.finish();
    }
}

/// Makes the problem, checks its plans and prints their quality.
fn prepare(name: &str) -> Problem {
    let problem = problem(name).expect("the name is one of the crate's own");
    let solver = Solver::new(&problem).expect("the problem is supported");
    let mut first_fit = Options::default();
    first_fit.effort = Effort::FirstFit;
    let [plan, baseline] = [Options::default(), first_fit].map(|options| {
        let plan = solver.provision(&options).expect("the library keeps its invariants");
        if let Err(violations) = verify(&problem, &plan) {
            panic!("{name} with {options:?} breaks rules\n{violations}");
        }
        plan
    });
    eprintln!(
        "{name}: ${:.2}/h on {} nodes, gap {:.2}%, {} unplaced; first fit ${:.2}/h on {} nodes, {:.3}x",
        dollars(plan.cost().total),
        plan.launches().len(),
        gap(&plan),
        plan.unschedulable().len(),
        dollars(baseline.cost().total),
        baseline.launches().len(),
        dollars(baseline.cost().total) / dollars(plan.cost().total),
    );
    problem
}

/// How much of the cost isn't proved necessary, in percent.
fn gap(plan: &LaunchPlan) -> f64 {
    let cost = plan.cost();
    (1.0 - dollars(cost.lower_bound) / dollars(cost.total)) * 100.0
}

fn dollars(price: Price) -> f64 {
    price.nanos() as f64 / 1e9
}

/// What refinement with few rounds and attempts takes, and what it gains.
fn refined(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("refine");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(500));
    for (name, rounds, attempts) in [("1k-10-100", 100, 20), ("1k-300-1345", 100, 20)] {
        let mut limits = Limits::default();
        (limits.rounds, limits.attempts) = (rounds, attempts);
        let mut options = Options::default();
        options.effort = Effort::Refine(limits);
        let prepared = OnceCell::new();
        group.bench_function(BenchmarkId::new("whole", name), |bencher| {
            let problem = prepared.get_or_init(|| {
                let problem = prepare(name);
                progress(name, &problem);
                problem
            });
            bencher.iter(|| plimsoll::provision(problem, &options));
        });
    }
    group.finish();
}

/// Prints what refinement comes to with more and more work, and what each of these plans took as a
/// whole.
fn progress(name: &str, problem: &Problem) {
    let solver = Solver::new(problem).expect("the problem is supported");
    let all = [25, 100, 400, 1_600, u64::MAX];
    // Once, untimed, the first of them says enough.
    let few = std::env::args().any(|argument| argument == "--test");
    for rounds in all.into_iter().take(if few { 1 } else { all.len() }) {
        let mut limits = Limits::default();
        (limits.rounds, limits.attempts) = (rounds, rounds);
        let mut options = Options::default();
        options.effort = Effort::Refine(limits);
        let start = Instant::now();
        let plan = solver.provision(&options).expect("the library keeps its invariants");
        let seconds = start.elapsed().as_secs_f64();
        if let Err(violations) = verify(problem, &plan) {
            panic!("{name} refined breaks rules\n{violations}");
        }
        let termination = plan.termination().expect("it was refined");
        eprintln!(
            "{name} refined until {termination}, {}: ${:.4}/h on {} nodes, gap {:.2}%, {seconds:.2} s",
            if rounds == u64::MAX { "all it wants".into() } else { format!("{rounds} of each") },
            dollars(plan.cost().total),
            plan.launches().len(),
            gap(&plan),
        );
        if termination == Termination::Done {
            break;
        }
    }
}

criterion_group!(benches, plans, refined);
criterion_main!(benches);
