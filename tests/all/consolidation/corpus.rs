//! Runs every case of `testdata/consolidation`: a small cluster each, and what must become of it.

use super::facts::Facts;
use super::outcome::outcome;
use super::verified;
use crate::case_file::CaseFile;
use crate::order;
use plimsoll::{Options, PreferencePolicy, Price, Problem};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

const OPTIONS: [&str; 11] = [
    "barePodsMove",
    "interruption",
    "maxMoves",
    "maxSurge",
    "minimumSaving",
    "minimumSavingPerAction",
    "minimumSavingPerMove",
    "movePrice",
    "now",
    "preferences",
    "spotFlexibility",
];

/// Cases that aren't decided as they should be yet. One that is has to leave this list.
const OPEN: [&str; 0] = [];

/// The cases of the corpus.
fn all() -> Vec<CaseFile> {
    CaseFile::all("consolidation", 110, &OPTIONS)
}

/// What a case asks of the solver.
fn options(case: &CaseFile) -> Options {
    let mut options = Options::default();
    let of = |name: &str| case.options.get(name);
    let terms = &mut options.consolidation;
    terms.bare_pods_move = of("barePodsMove") == Some(&Value::Bool(true));
    terms.max_moves = of("maxMoves").and_then(Value::as_u64);
    terms.now = of("now").and_then(Value::as_i64);
    terms.max_surge = of("maxSurge").and_then(Value::as_u64).map(|most| most.try_into().unwrap());
    let prices = [
        ("movePrice", &mut terms.move_price),
        ("minimumSavingPerAction", &mut terms.minimum_saving_per_action),
        ("minimumSavingPerMove", &mut terms.minimum_saving_per_move),
    ];
    for (name, option) in prices {
        if let Some(price) = of(name) {
            *option = price.to_string().parse::<Price>().unwrap();
        }
    }
    if let Some(price) = of("interruption") {
        options.objective.interruption = price.to_string().parse().unwrap();
    }
    let terms = &mut options.consolidation;
    if let Some(percent) = of("minimumSaving").and_then(Value::as_u64) {
        terms.minimum_saving = u32::try_from(percent * 10_000_000).unwrap();
    }
    if let Some(types) = of("spotFlexibility").and_then(Value::as_u64) {
        terms.spot_flexibility = u32::try_from(types).unwrap();
    }
    if of("preferences").is_some_and(|policy| policy == "ignore") {
        options.preferences = PreferencePolicy::Ignore;
    }
    options
}

#[test]
fn every_case_is_a_valid_problem() {
    for case in all() {
        let read = Problem::from_json(&case.problem.to_string());
        assert!(read.is_ok(), "{}: {}", case.name, read.unwrap_err());
    }
}

/// Each reason for which a node may stay has a case that expects it.
#[test]
fn every_reason_has_a_case() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/explain/blocker.rs");
    let written = std::fs::read_to_string(file).unwrap();
    let (_, codes) = written.split_once("pub fn code(").unwrap();
    let (codes, _) = codes.split_once("impl fmt::Display").unwrap();
    let codes: BTreeSet<&str> =
        codes.lines().filter_map(|line| line.split("=> \"").nth(1)?.split('"').next()).collect();
    assert!(codes.len() >= 24, "{codes:?}");
    let cases = all();
    let whys = cases.iter().filter_map(|case| case.expect.get("why")?.as_object());
    let expected: BTreeSet<&str> = whys
        .flat_map(|why| why.values().flat_map(|codes| codes.as_array().unwrap()))
        .map(|code| code.as_str().unwrap())
        .collect();
    assert_eq!(codes, expected);
}

/// Whatever is decided of a case can be carried out.
#[test]
fn every_decision_of_a_case_can_be_carried_out() {
    let outcomes = all().into_iter().map(|case| verified(&case.problem, &options(&case)).err());
    let wrong: Vec<String> = outcomes.flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each case is decided as it should be, whatever order its lists are in, and the same once more.
#[test]
fn every_case_is_as_expected() {
    let mut wrong = Vec::new();
    let mut solved = Vec::new();
    for case in all() {
        let run = std::panic::AssertUnwindSafe(|| check(&case));
        let is_open = OPEN.contains(&&*case.name);
        match std::panic::catch_unwind(run) {
            Err(_) if is_open => {}
            Err(panic) => {
                let text = panic.downcast_ref::<&str>().copied();
                let words = panic.downcast_ref::<String>().map(String::as_str).or(text);
                wrong.push(format!("{}: {}", case.name, words.unwrap_or("?")));
            }
            Ok(()) => solved.extend(is_open.then_some(case.name)),
        }
    }
    assert!(wrong.is_empty(), "{} cases fail:\n{}", wrong.len(), wrong.join("\n"));
    assert!(solved.is_empty(), "no longer open: {solved:?}");
}

fn check(case: &CaseFile) {
    let options = options(case);
    let (plan, _) = verified(&case.problem, &options).unwrap_or_else(|wrong| panic!("{wrong}"));
    let text = plan.to_json();
    for turn in 0..2 {
        let problem = order::reordered(&case.problem, turn);
        let (again, _) = verified(&problem, &options).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert_eq!(again.to_json(), text, "another order");
    }
    let facts = Facts::of(&case.problem, &plan);
    for (key, expected) in &case.expect {
        match key.as_str() {
            "settles" => {
                let plan: Value = serde_json::from_str(&text).unwrap();
                let after = outcome(&case.problem, &plan);
                let (again, _) =
                    verified(&after, &options).unwrap_or_else(|wrong| panic!("{wrong}"));
                assert_eq!(json!(again.actions().is_empty()), *expected, "{again}");
            }
            _ => facts.check(key, expected),
        }
    }
}
