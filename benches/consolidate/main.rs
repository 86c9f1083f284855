//! How long a consolidation takes, and how good it is, on seeded clusters that run.
//!
//! A cluster's name says its nodes and pods. A figure is of the whole call, compiling included.
//! Before a cluster is timed, its plan is replayed by `verify_consolidation`, and what it comes to
//! is printed: cost before and after, the bound, moves, waves, and what one trial took. A trial asks
//! what becomes of the cluster if one node (or a few together) goes: its pods are placed elsewhere,
//! or launched for, and all is undone where that isn't worth it; the time of the whole call over
//! the number of its trials is what one took at most. The smallest cluster is compared with other
//! autoscalers first ([`frontier`]).
//!
//!     cargo bench --bench consolidate                     all, some minutes
//!     cargo bench --bench consolidate -- 1k-30k           those whose name has this
//!     cargo bench --bench consolidate -- --test           the small ones once, untimed
//!     cargo bench --bench consolidate -- PROBLEM.json...  problem documents, compared only
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
mod frontier;
mod karpenter;
mod model;
mod scheduler;

use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group};
use frontier::compare;
pub(crate) use frontier::{Outcome, Step};
use plimsoll::{Options, Price, Problem, consolidate, verify_consolidation};
use plimsoll_testdata::running_cluster;
use std::cell::OnceCell;
use std::time::{Duration, Instant};

/// Name, nodes, pods, classes of pods, instance types.
const CLUSTERS: [(&str, usize, u32, u32, usize); 3] = [
    ("60-900", 60, 900, 60, 100),
    ("1k-30k", 1_000, 30_000, 400, 400),
    ("10k-300k", 10_000, 300_000, 400, 400),
];

/// What Karpenter does: bare pods move, and any saving will do.
pub(crate) fn like_karpenter() -> Options {
    let mut options = Options::default();
    options.consolidation.bare_pods_move = true;
    options.consolidation.minimum_saving = 0;
    options
}

fn plans(criterion: &mut Criterion) {
    let test = std::env::args().any(|argument| argument == "--test");
    let options = like_karpenter();
    for (name, nodes, pods, classes, types) in CLUSTERS {
        if test && nodes > 100 {
            continue;
        }
        let mut group = criterion.benchmark_group("consolidate");
        if nodes > 100 {
            group.sample_size(10).sampling_mode(SamplingMode::Flat);
        }
        group.warm_up_time(Duration::from_millis(500));
        // Criterion calls what follows only where the name is asked for.
        let prepared = OnceCell::new();
        group.bench_function(BenchmarkId::new("whole", name), |bencher| {
            let problem = prepared.get_or_init(|| {
                let problem = running_cluster(nodes, pods, classes, types, 1);
                if nodes <= 100 {
                    compare(name, &problem.to_json());
                }
                prepare(name, &problem, &options);
                problem
            });
            bencher.iter(|| consolidate(problem, &options));
        });
        group.finish();
    }
}

/// Replays the plan of a cluster and prints what it comes to.
fn prepare(name: &str, problem: &Problem, options: &Options) {
    let start = Instant::now();
    let plan = consolidate(problem, options).expect("a plan");
    let seconds = start.elapsed().as_secs_f64();
    let found = verify_consolidation(problem, &plan, &options.consolidation);
    let found = found.unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
    let trials = plan.stats().get("trials").copied().unwrap_or(0).max(1);
    println!(
        "{name}: {} nodes, {} pods: ${:.2}/h to ${:.2}/h (at least ${:.2}), {} nodes gone, {} \
         launched, {} moved, {} waves; {seconds:.3} s, {:.0} us for each of {trials} trials",
        problem.nodes().len(),
        problem.pods().len(),
        dollars(found.cost_before()),
        dollars(found.cost_after()),
        dollars(plan.cost().lower_bound),
        found.deleted(),
        found.launched(),
        found.moved(),
        found.waves(),
        seconds * 1e6 / trials as f64,
    );
}

fn dollars(price: Price) -> f64 {
    price.nanos() as f64 / 1e9
}

criterion_group!(benches, plans);

fn main() {
    let is_document = |argument: &String| argument.ends_with(".json");
    let files: Vec<String> = std::env::args().skip(1).filter(is_document).collect();
    for file in &files {
        compare(file, &std::fs::read_to_string(file).expect("a readable file"));
    }
    if files.is_empty() {
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
}
