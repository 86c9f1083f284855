//! Ten small problems and the answers to a question about each, as the guide shows them.

use plimsoll::question::{RuleChange, Substitute};
use plimsoll::{LaunchPlan, Options, Problem, Solver, verify};
use std::fmt::Write;
use std::path::Path;

#[derive(Clone, Copy)]
enum Question {
    /// Why the first pod that is left out is so, pool by pool.
    Why,
    /// What all spreads cost.
    CostOfSpreads,
    /// What the first daemon set costs.
    CostOfDaemonSet,
    /// What limits and reservations are used for, and what the next step of each brings.
    Supplies,
    /// Why the first type that isn't launched isn't.
    WhyNot,
}

/// Cases of `testdata/cases`.
const SNAPSHOTS: [(&str, Question); 10] = [
    ("limit-cpu", Question::Why),
    ("min-values-strict", Question::Why),
    ("taint-keeps-away", Question::Why),
    ("daemon-asks-for-what-no-type-has", Question::Why),
    ("spread-full-zone-limits", Question::Why),
    ("affinity-host-group-outgrows-its-node", Question::Why),
    ("cost-spread-takes-large-nodes-in-dear-zones", Question::CostOfSpreads),
    ("price-larger-nodes-amortise-daemons", Question::CostOfDaemonSet),
    ("limit-prefers-smaller", Question::Supplies),
    ("selector-instance-type", Question::WhyNot),
];

fn answer(question: Question, solver: &Solver, problem: &Problem, plan: &LaunchPlan) -> String {
    let options = Options::default();
    let effect = |change: RuleChange| {
        solver.effect_of(plan, &[change], &options).unwrap().to_string() + "\n"
    };
    match question {
        Question::Why => {
            let pod = &plan.unschedulable()[0].pod;
            let why = solver.why_unplaced(plan, pod, &options).unwrap();
            let pools: Vec<String> = why.excluded.iter().map(|one| format!("{one}\n")).collect();
            format!("{why}\n\n{}", pools.join("\n"))
        }
        Question::CostOfSpreads => effect(RuleChange::WithoutSpread { pod: None, key: None }),
        Question::CostOfDaemonSet => {
            let name = problem.daemon_sets()[0].name().into();
            effect(RuleChange::WithoutDaemonSet { name })
        }
        Question::Supplies => {
            let mut text = String::new();
            for one in solver.supplies(plan, &options).unwrap() {
                writeln!(text, "{one}").unwrap();
                text += &one.next.map_or_else(String::new, effect);
            }
            text
        }
        Question::WhyNot => {
            let is_launched = |name: &str| {
                plan.launches().iter().any(|one| *one.template().offering.instance_type == *name)
            };
            let mut types = problem.instance_types().iter().map(plimsoll::InstanceType::name);
            let other = types.find(|name| !is_launched(name)).unwrap();
            let asked = Substitute { instance_type: Some(other.into()), ..Substitute::default() };
            solver.why_not(plan, None, &asked, &options).unwrap().to_string() + "\n"
        }
    }
}

#[test]
fn ten_answers_are_as_they_were() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_to_string(root.join("src/guide/explaining.md")).unwrap();
    let mut differing = Vec::new();
    for (case, question) in SNAPSHOTS {
        let path = root.join("testdata/cases").join(format!("{case}.json"));
        let text = std::fs::read_to_string(path).unwrap();
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let problem = Problem::from_json(&document["problem"].to_string()).unwrap();
        let solver = Solver::new(&problem).unwrap();
        let plan = solver.provision(&Options::default()).unwrap();
        let _verified = verify(&problem, &plan).unwrap();
        let found = answer(question, &solver, &problem, &plan);
        if !guide.contains(&format!("## `{case}`")) || !guide.contains(found.trim_end()) {
            differing.push(format!("{case}:\n{found}"));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
