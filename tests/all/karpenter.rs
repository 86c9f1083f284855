//! Plans for problems that Karpenter has solved too, where their data lie beside the project.
//!
//! Each problem is planned, preferences respected, and verified; no plan places fewer pods than
//! Karpenter's or costs more for as many, but for the few that are listed.

use plimsoll::{LaunchPlan, Options, Problem, provision, verify};
use serde_json::Value;
use std::path::{Path, PathBuf};

pub(crate) fn data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: there are no shared data beside the project");
    None
}

/// A verified plan.
fn planned(text: &str) -> Result<LaunchPlan, String> {
    let problem = Problem::from_json(text).map_err(|error| error.to_string())?;
    let plan = provision(&problem, &Options::default()).map_err(|error| error.to_string())?;
    match verify(&problem, &plan) {
        Ok(_verified) => Ok(plan),
        Err(violations) => Err(format!("not a valid plan: {violations}")),
    }
}

/// Problems whose answer by Karpenter is cheaper because it breaks the rule of pool weights: it
/// puts pods that a pool of a higher weight could take onto nodes that it has planned in a lower
/// one.
///
/// In 106 the third pod of a spread could go to the heavier pool's node in its zone, and in 125
/// three pods that fit the heavier pool's only type; the differences are the prices of these nodes.
const LIGHTER_POOL_JOINED: [usize; 6] = [38, 106, 125, 163, 180, 194];

#[test]
fn random_problems_are_solved_no_worse_than_by_karpenter() {
    let Some(data) = data() else { return };
    let problems = std::fs::read_to_string(data.join("random-small.jsonl")).unwrap();
    let theirs = std::fs::read_to_string(data.join("random-small.karpenter.jsonl")).unwrap();
    let (mut more, mut cheaper) = (0, 0);
    let (mut our_total, mut their_total) = (0.0, 0.0);
    let mut worse = Vec::new();
    for (at, (problem, theirs)) in problems.lines().zip(theirs.lines()).enumerate() {
        let plan = match planned(problem) {
            Ok(plan) => plan,
            Err(error) => {
                worse.push(format!("problem {at}: {error}"));
                continue;
            }
        };
        let theirs: Value = serde_json::from_str(theirs).unwrap();
        let left_out = theirs["unschedulable"].as_array().unwrap().len();
        // Their costs are stated to four decimals.
        let cost = theirs["cost"].as_f64().unwrap() + 0.000_05;
        #[allow(clippy::cast_precision_loss, reason = "a comparison to four decimals")]
        let ours = plan.cost().total.nanos() as f64 / 1e9;
        let more_left_out = plan.unschedulable().len();
        let dearer = ours > cost && !LIGHTER_POOL_JOINED.contains(&at);
        if more_left_out > left_out || (more_left_out == left_out && dearer) {
            worse.push(format!(
                "problem {at}: {more_left_out} left out for {ours:.4}, Karpenter {left_out} for {cost:.4}"
            ));
        }
        if more_left_out == left_out {
            (our_total, their_total) = (our_total + ours, their_total + cost);
        }
        more += usize::from(more_left_out < left_out);
        cheaper += usize::from(more_left_out == left_out && ours < cost - 0.000_1);
    }
    println!(
        "{more} with more pods placed, {cheaper} cheaper; \
         {our_total:.2} where Karpenter pays {their_total:.2}"
    );
    assert!(our_total < 0.85 * their_total, "{our_total} of {their_total}");
    assert!(worse.is_empty(), "{} worse:\n{}", worse.len(), worse.join("\n"));
}

/// What Karpenter does on each problem: pods left out, and what it pays, in millionths of a dollar.
/// The cases without a figure have nothing to launch.
const CASES: [(&str, usize, i128); 21] = [
    ("cases/01-node-selector", 0, 644_880),
    ("cases/03-taints", 0, 170_000),
    ("cases/05-startup-taint", 0, 170_000),
    ("cases/07-zone-spread-min-domains", 1, 257_550),
    ("cases/09-anti-affinity-host", 0, 340_000),
    ("cases/11-inverse-anti-affinity", 0, 255_000),
    ("cases/13-self-affinity-host", 0, 170_000),
    ("cases/15-limits", 0, 1_108_000),
    ("cases/17-min-values", 0, 170_000),
    ("cases/19-daemonsets", 0, 340_000),
    ("cases/21-host-ports", 0, 340_000),
    ("cases/23-gt-lt", 1, 466_000),
    ("cases/25-custom-labels", 2, 255_000),
    ("cases/27-volumes", 0, 85_000),
    ("cases/29-namespaces", 0, 170_000),
    ("cases/31-existing-anti-affinity", 0, 85_850),
    ("cases/diverse-1000", 0, 344_334_711),
    // Stated to the cent.
    ("cases/preference-4000", 0, 1_258_994_999),
    ("problem-small", 0, 1_312_110),
    ("problem-microservices-1k", 0, 27_848_770),
    ("problem-openb", 0, 4_080_601_900),
];

/// Karpenter puts pods that the pool of weight 10 takes onto a node of a lighter pool.
const LIGHTER_POOL_JOINED_IN: &str = "cases/03-taints";

#[test]
fn cases_are_solved_no_worse_than_by_karpenter() {
    let Some(data) = data() else { return };
    let mut worse = Vec::new();
    for (name, left_out, cost) in CASES {
        let text = std::fs::read_to_string(data.join(format!("{name}.json"))).unwrap();
        let plan = planned(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let ours = plan.cost().total.nanos() / 1000;
        let dearer = ours > cost && name != LIGHTER_POOL_JOINED_IN;
        if plan.unschedulable().len() > left_out || dearer {
            let out = plan.unschedulable().len();
            worse.push(format!("{name}: {out} out for {ours}, Karpenter {left_out} for {cost}"));
        }
    }
    assert!(worse.is_empty(), "{} worse:\n{}", worse.len(), worse.join("\n"));
}

#[test]
fn cases_beside_the_project_are_solved() {
    let Some(data) = data() else { return };
    let cases = std::fs::read_dir(data.join("cases")).unwrap();
    let others = cases.map(|file| file.unwrap().path()).filter(|path| {
        let name = format!("cases/{}", path.file_stem().unwrap().to_str().unwrap());
        CASES.iter().all(|(compared, ..)| *compared != name)
    });
    for path in others {
        let text = std::fs::read_to_string(&path).unwrap();
        let _plan = planned(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}
