//! What a trace says: of ten small cases kept as text, and of any plan what must hold.
//!
//! Where a change of the packer changes a trace on purpose, `WRITE_SNAPSHOTS=1 cargo test --test
//! all trace` writes the texts anew; what changed in them is read before it is committed.

use crate::verified::tree;
use plimsoll::progress::{Event, Improvement, PackingFigures, Trace};
use plimsoll::{Effort, LaunchPlan, Limits, Observer, Options, PreferencePolicy, Price, Problem};
use plimsoll::{provision, verify};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Cases of `testdata/cases`, and how they are planned.
const SNAPSHOTS: [(&str, How); 10] = [
    ("price-large-plus-small", How::Greedy),
    ("price-two-dimensions", How::Refined),
    ("spread-zone-even", How::Greedy),
    ("spread-full-zone-limits", How::Greedy),
    ("spread-stateful-set-nine", How::Refined),
    ("prefer-spread-priced", How::Priced),
    ("limit-gpu", How::Greedy),
    ("reservation-each-used", How::Refined),
    ("affinity-mutual", How::Greedy),
    ("price-larger-nodes-amortise-daemons", How::FirstFit),
];

#[derive(Clone, Copy)]
enum How {
    FirstFit,
    Greedy,
    Refined,
    Priced,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).into()
}

fn problem(case: &str) -> Problem {
    let path = root().join("testdata/cases").join(format!("{case}.json"));
    let text = std::fs::read_to_string(path).unwrap();
    let case: serde_json::Value = serde_json::from_str(&text).unwrap();
    Problem::from_json(&case["problem"].to_string()).unwrap()
}

fn options(how: How) -> Options {
    let options = Options::default();
    match how {
        How::FirstFit => options.with_effort(Effort::FirstFit),
        How::Greedy => options,
        How::Refined => options.with_effort(Effort::Refine(Limits::default())),
        How::Priced => {
            options.with_preferences(PreferencePolicy::Priced(Price::from_nanos(10_000_000)))
        }
    }
}

fn traced(problem: &Problem, options: &Options) -> (LaunchPlan, Trace) {
    let trace = Trace::new();
    let watched = options.clone().with_observer(trace.observer());
    let plan = provision(problem, &watched).unwrap();
    let _verified = verify(problem, &plan).unwrap();
    (plan, trace)
}

#[test]
fn traces_of_ten_cases_are_as_they_were() {
    let folder = root().join("tests/snapshots");
    let mut changed = Vec::new();
    for (case, how) in SNAPSHOTS {
        let path = folder.join(format!("{case}.txt"));
        let (plan, trace) = traced(&problem(case), &options(how));
        let text = format!("{trace}\n{plan}");
        if std::env::var_os("WRITE_SNAPSHOTS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        if kept != text {
            changed.push(format!("--- {case}, as kept\n{kept}\n--- now\n{text}"));
        }
    }
    assert!(changed.is_empty(), "{}", changed.join("\n"));
}

/// What the trace says that the packing came to before refinement.
fn last_figures(trace: &Trace) -> PackingFigures {
    let figures = trace.events().into_iter().filter_map(|event| match event {
        Event::Kept(figures) => Some(figures),
        Event::Improved { by, to, .. } if by != Improvement::TakenApart => Some(to),
        _ => None,
    });
    figures.last().unwrap()
}

#[test]
fn a_trace_changes_no_plan_and_ends_at_what_the_plan_costs() {
    for (case, how) in SNAPSHOTS {
        let (problem, options) = (problem(case), options(how));
        let (plan, trace) = traced(&problem, &options);
        let unseen = provision(&problem, &options).unwrap();
        assert_eq!(tree(&plan.to_json()), tree(&unseen.to_json()), "{case}");
        let (_, again) = traced(&problem, &options);
        assert_eq!(trace.events(), again.events(), "{case}");
        let progress = trace.events().into_iter().rev().find_map(|event| match event {
            Event::Progress(progress) => Some(progress),
            _ => None,
        });
        let figures = last_figures(&trace);
        match progress {
            Some(progress) => assert!(plan.cost().total <= progress.cost, "{case}"),
            None => {
                assert_eq!(figures.cost, plan.cost().total, "{case}");
                assert_eq!(figures.nodes, u64::try_from(plan.launches().len()).unwrap(), "{case}");
            }
        }
        assert_eq!(figures.left_out, u64::try_from(plan.unschedulable().len()).unwrap(), "{case}");
    }
}

#[test]
fn an_observer_of_events_ends_the_search() {
    let calls = Arc::new(AtomicU32::new(0));
    let count = calls.clone();
    let observer = Observer::of_events(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        ControlFlow::Break(())
    });
    let problem = problem("spread-stateful-set-nine");
    let plan = provision(&problem, &options(How::Refined).with_observer(observer)).unwrap();
    let _verified = verify(&problem, &plan).unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}
