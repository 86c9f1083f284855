//! Runs every case of `testdata/cases`: one rule each, with what a plan must then look like.

#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panics")]

mod oracle;

use oracle::{Oracle, nanos};
use serde_json::{Map, Value};
use std::path::Path;

/// A case file, checked for fields that nobody reads.
struct Case {
    name: String,
    problem: Value,
    options: Value,
    expect: Map<String, Value>,
}

const FIELDS: [&str; 7] = ["name", "rule", "source", "difference", "options", "problem", "expect"];
const OPTIONS: [&str; 2] = ["nodeFee", "minValues"];
const EXPECTATIONS: [&str; 15] = [
    "alternatives",
    "apart",
    "bindings",
    "bound",
    "cost",
    "error",
    "fees",
    "labels",
    "launches",
    "offerings",
    "placed",
    "pools",
    "together",
    "types",
    "unschedulable",
];

impl Case {
    fn all() -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/cases");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let mut cases: Vec<Self> = files.map(|path| Self::read(&path)).collect();
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(cases.len() >= 150, "the corpus has shrunk to {} cases", cases.len());
        cases
    }

    fn read(path: &Path) -> Self {
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        let text = std::fs::read_to_string(path).unwrap();
        let mut case: Map<String, Value> =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let known = |map: &Map<String, Value>, fields: &[&str]| {
            let stray = map.keys().find(|key| !fields.contains(&key.as_str()));
            assert_eq!(stray, None, "{name}: a field that means nothing");
        };
        known(&case, &FIELDS);
        assert_eq!(case["name"], name.as_str(), "a case bears the name of its file");
        assert!(case["rule"].as_str().is_some_and(|rule| rule.ends_with('.')), "{name}: rule");
        assert!(case["source"].as_str().is_some_and(|source| !source.is_empty()), "{name}: source");
        let options = case.remove("options").unwrap_or(Value::Object(Map::new()));
        known(options.as_object().unwrap(), &OPTIONS);
        let Some(Value::Object(expect)) = case.remove("expect") else { panic!("{name}: expect") };
        known(&expect, &EXPECTATIONS);
        Self { problem: case.remove("problem").unwrap(), name, options, expect }
    }

    fn fee(&self) -> i128 {
        self.options.get("nodeFee").map_or(0, nanos)
    }

    fn strict(&self) -> bool {
        self.options.get("minValues").is_none_or(|policy| policy == "Strict")
    }
}

/// What the cases expect was worked out by hand; here it meets the exhaustive search.
#[test]
fn expected_figures_are_what_trying_everything_gives() {
    let mut checked = 0;
    let mut wrong = Vec::new();
    for case in Case::all().iter().filter(|case| !case.expect.contains_key("error")) {
        let oracle = Oracle::new(&case.problem, case.fee(), case.strict());
        if oracle.pending() > 13 {
            continue;
        }
        let best = oracle.best();
        let (placed, cost) = (case.expect["placed"].as_u64().unwrap(), nanos(&case.expect["cost"]));
        if (u64::try_from(best.placed).unwrap(), best.cost) != (placed, cost) {
            wrong.push(format!("{}: expected {placed} for {cost}, found {best:?}", case.name));
        }
        checked += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked >= 140, "only {checked} cases are small enough");
}
