//! What a what-if costs on a cluster that runs: 1,000 nodes, 30,000 pods of 400 classes, 400 types.
//!
//! Each figure is of a whole: the change, what is compiled for it, and the plan. `anew` is what the
//! same took without what-ifs: the problem written out, compiled and planned. Before anything is
//! timed, plans of some what-ifs are compared with those of their problems, and the distribution
//! over all nodes is printed.
//!
//!     cargo bench --bench what_if
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a bench reads its arguments, prints, and stops at the first fault"
)]

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use plimsoll::{Options, Pod, Problem, Resources, Solver, WhatIf, provision};
use plimsoll_testdata::running_cluster;
use std::hint::black_box;
use std::time::{Duration, Instant};

fn cluster() -> Problem {
    let test = std::env::args().any(|argument| argument == "--test");
    match test {
        true => running_cluster(50, 1_500, 50, 100, 1),
        false => running_cluster(1_000, 30_000, 400, 400, 1),
    }
}

fn one_more() -> Pod {
    let requests = Resources::parse([("cpu", "500m"), ("memory", "1Gi")]);
    Pod::new("one-more").with_requests(requests.expect("quantities are valid"))
}

fn plan(what_if: &WhatIf) {
    let _plan = black_box(what_if.provision(&Options::default()).expect("it has a plan"));
}

fn check(what_if: &WhatIf) {
    let options = Options::default();
    let fast = what_if.provision(&options).expect("it has a plan");
    let slow = provision(&what_if.problem(), &options).expect("it has a plan");
    assert_eq!(fast.to_json(), slow.to_json(), "a what-if isn't the problem written out");
}

fn what_ifs(criterion: &mut Criterion) {
    let problem = cluster();
    let solver = Solver::new(&problem).expect("the problem is supported");
    let names: Vec<String> = problem.nodes().iter().map(|node| node.name().to_owned()).collect();
    let without = |at: usize| {
        let name = &names[at % names.len()];
        solver.what_if().without_node(name).expect("the node is there")
    };
    let offering = &problem.instance_types()[0].offerings()[0];
    let sold_out = || {
        let kind = problem.instance_types()[0].name();
        let way = (offering.zone(), offering.capacity_type());
        solver.what_if().without_offering(kind, way.0, way.1).expect("it is offered")
    };
    let with_pod = || solver.what_if().with_pod(one_more()).expect("the pod is valid");

    for at in (0..names.len()).step_by(names.len() / 5) {
        check(&without(at));
    }
    check(&sold_out());
    check(&with_pod());
    let mut times: Vec<Duration> = (0..names.len())
        .map(|at| {
            let start = Instant::now();
            plan(&without(at));
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let part = |percent: usize| times[(times.len() - 1) * percent / 100];
    eprintln!(
        "a node removed, over {} nodes: median {:?}, p90 {:?}, p99 {:?}",
        names.len(),
        part(50),
        part(90),
        part(99),
    );

    let mut group = criterion.benchmark_group("what-if");
    group.sample_size(20).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(500));
    let mut at = 0;
    let _group = group.bench_function("node removed", |bencher| {
        bencher.iter(|| {
            at += 1;
            plan(&without(at));
        });
    });
    let _group = group.bench_function("pod added", |bencher| bencher.iter(|| plan(&with_pod())));
    let _group =
        group.bench_function("offering sold out", |bencher| bencher.iter(|| plan(&sold_out())));
    let _group = group.sample_size(10).bench_function("node removed, anew", |bencher| {
        bencher.iter(|| provision(&without(0).problem(), &Options::default()));
    });
    group.finish();
}

criterion_group!(benches, what_ifs);
criterion_main!(benches);
