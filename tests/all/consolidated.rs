//! What consolidations of clusters that run half empty come to; every plan is replayed.

use plimsoll::plan::ConsolidationPlan;
use plimsoll::{Options, PreferencePolicy, Problem, consolidate, verify_consolidation};
use std::fs;
use std::path::{Path, PathBuf};

/// Documents that aren't part of the project.
fn shared() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data")
}

fn consolidated(problem: &Problem, options: &Options) -> ConsolidationPlan {
    let plan = consolidate(problem, options).unwrap();
    let verified = verify_consolidation(problem, &plan, &options.consolidation);
    assert!(verified.is_ok(), "{}", verified.unwrap_err());
    plan
}

/// As other tools are compared with: bare pods move, and any saving will do.
fn as_others() -> Options {
    let mut options = Options::default();
    options.consolidation.bare_pods_move = true;
    options.consolidation.minimum_saving = 0;
    options
}

/// A cluster of 65 nodes that runs half empty: what Karpenter makes of it costs 15.06 and moves
/// 314 pods. That 86 pods are spread over hosts where they run, though they needn't be, costs 0.16:
/// no pod that moves honours less.
#[test]
fn a_half_empty_cluster_is_consolidated() {
    let Ok(document) = fs::read_to_string(shared().join("problem-running-1k.json")) else {
        println!("skipped: the shared documents aren't here");
        return;
    };
    let problem = Problem::from_json(&document).unwrap();
    for (preferences, most) in
        [(PreferencePolicy::Respect, "14.06"), (PreferencePolicy::Ignore, "13.90")]
    {
        let plan = consolidated(&problem, &as_others().with_preferences(preferences));
        println!("{preferences:?}: {}, {} moved", plan.cost().after, plan.moved());
        assert!(plan.cost().after <= most.parse().unwrap(), "{}", plan.cost().after);
        assert!(plan.moved() <= 235, "{} moved", plan.moved());
    }
    let plan = consolidated(&problem, &as_others());
    assert!(plan.waves() <= 12, "{} waves", plan.waves());
    let mut few = as_others();
    few.consolidation.max_moves = Some(155);
    let plan = consolidated(&problem, &few);
    assert!(plan.cost().after <= "15.06".parse().unwrap(), "{}", plan.cost().after);
    assert!(plan.moved() <= 155, "{} moved", plan.moved());
}

/// Small clusters with every kind of rule: never dearer than before, and by far not as dear as what
/// Karpenter makes of them (396.91 of 654.53 in all), though no pod that moves honours less of what
/// it prefers; with preferences ignored they cost less.
#[test]
fn small_clusters_are_consolidated() {
    let Ok(lines) = fs::read_to_string(shared().join("random-running.jsonl")) else {
        println!("skipped: the shared documents aren't here");
        return;
    };
    for (preferences, most) in [
        (PreferencePolicy::Respect, 358_000_000_000),
        (PreferencePolicy::Ignore, 352_000_000_000_i128),
    ] {
        let options = as_others().with_preferences(preferences);
        let mut after = 0;
        for line in lines.lines() {
            let plan = consolidated(&Problem::from_json(line).unwrap(), &options);
            assert!(plan.cost().after <= plan.cost().before);
            after += plan.cost().after.nanos();
        }
        println!("{preferences:?}: {after}");
        assert!(after <= most, "{preferences:?}: {after}");
    }
}
