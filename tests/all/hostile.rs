//! Problems that take one thing to its limit: every call comes back, and what it says can be
//! carried out.
//!
//! The sizes here are those that a test has time for; the same shapes at a hundred times the size
//! are run by hand (`testdata/src/hostile.rs` says how), with the times in the guide's page about
//! limits.

use plimsoll::{
    Effort, Limits, Options, Problem, consolidate, provision, verify, verify_consolidation,
};
use plimsoll_testdata::{HOSTILE, hostile};
use std::collections::BTreeSet;

/// The size of each shape here: where pods are told apart by rules between them, work grows faster.
fn size(shape: &str) -> usize {
    match shape {
        "anti-affinity-all" => 20,
        "affinity-ring" | "spread-chain" => 24,
        "bound-pods" | "limits" | "priorities" | "zones" => 120,
        "labels" | "selector-terms" | "values" => 2_000,
        _ => 400,
    }
}

#[test]
fn every_shape_is_planned_at_every_effort() {
    let few = Effort::Refine(Limits::default().with_rounds(20).with_attempts(5));
    for shape in HOSTILE {
        for size in [1, 2, size(shape)] {
            let problem = hostile(shape, size).unwrap();
            for effort in [Effort::FirstFit, Effort::Greedy, few] {
                if effort == few && size > 100 {
                    continue;
                }
                let options = Options::default().with_effort(effort);
                let plan = provision(&problem, &options)
                    .unwrap_or_else(|error| panic!("{shape}-{size}: {error}"));
                if let Err(violations) = verify(&problem, &plan) {
                    panic!("{shape}-{size} {effort:?}: {violations}");
                }
                let all: u32 = pending(&problem);
                let placed: usize = plan.launches().iter().map(|launch| launch.pods().len()).sum();
                let placed = placed + plan.bindings().len();
                assert_eq!(placed + plan.unschedulable().len(), all as usize, "{shape}-{size}");
            }
        }
    }
}

fn pending(problem: &Problem) -> u32 {
    let pods = problem.pods().iter().filter(|pod| pod.node_name().is_none());
    pods.map(plimsoll::Pod::replicas).sum()
}

#[test]
fn every_shape_is_consolidated() {
    for shape in HOSTILE {
        for size in [2, size(shape).min(60)] {
            let problem = hostile(shape, size).unwrap();
            let mut options = Options::default();
            options.consolidation.bare_pods_move = true;
            let plan = consolidate(&problem, &options)
                .unwrap_or_else(|error| panic!("{shape}-{size}: {error}"));
            if let Err(violations) = verify_consolidation(&problem, &plan, &options.consolidation) {
                panic!("{shape}-{size}: {violations}");
            }
        }
    }
}

/// Of pods that need each other in a ring, none can be bound first, so none has a place; of pods
/// that bear none of the others each zone has one.
#[test]
fn what_small_shapes_come_to() {
    let placed = |shape: &str, size: usize| {
        let problem = hostile(shape, size).unwrap();
        let plan = provision(&problem, &Options::default()).unwrap();
        let _verified = verify(&problem, &plan).unwrap();
        let launches = plan.launches().iter();
        let launched: usize = launches.map(|launch| launch.pods().len()).sum();
        launched + plan.bindings().len()
    };
    assert_eq!(placed("affinity-ring", 5), 0);
    assert_eq!(placed("affinity-ring", 1), 1, "a pod that matches its own term may be first");
    assert_eq!(placed("anti-affinity-all", 7), 3, "one for each of the three zones");
    assert_eq!(placed("selector-terms", 500), 3);
    assert_eq!(placed("values", 500), 8);
    assert_eq!(placed("labels", 500), 2);
    assert_eq!(placed("limits", 20), 20);
    assert_eq!(placed("zones", 50), 50);
}

/// Shapes are written as documents and read again, whatever is extreme in them.
#[test]
fn every_shape_is_a_document() {
    let mut texts = BTreeSet::new();
    for shape in HOSTILE {
        let problem = hostile(shape, 20).unwrap();
        let text = problem.to_json();
        assert_eq!(Problem::from_json(&text).as_ref(), Ok(&problem), "{shape}");
        assert!(texts.insert(text), "{shape} is another's problem");
    }
    assert!(hostile("kind", 3).is_none());
}
