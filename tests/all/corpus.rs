//! Runs every case of `testdata/cases`: one rule each, with what a plan must then look like.

use crate::case_file::{CaseFile, known};
use crate::coverage;
use crate::oracle;
use crate::oracle::{Oracle, nanos};
use crate::order;
use crate::verified::tree;
use plimsoll::model::PriceOverlay;
use plimsoll::options::{MinValuesPolicy, ReservedPolicy};
use plimsoll::{
    Effort, Error, LaunchPlan, Limits, Options, PreferencePolicy, Price, Problem, provision, verify,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A case, with the prices that its overlays make.
struct Case {
    name: String,
    source: String,
    problem: Value,
    options: Value,
    expect: Map<String, Value>,
}

const OPTIONS: [&str; 6] =
    ["nodeFee", "minValues", "preferences", "priceOverlays", "refine", "reserved"];
const EXPECTATIONS: [&str; 17] = [
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
    "preferences",
    "together",
    "types",
    "unschedulable",
    "zones",
];

impl Case {
    fn all() -> Vec<Self> {
        CaseFile::all("cases", 265, &OPTIONS).into_iter().map(Self::of).collect()
    }

    fn of(file: CaseFile) -> Self {
        let CaseFile { name, source, options, problem, expect } = file;
        known(&name, &expect, &EXPECTATIONS);
        let problem = match options.get("priceOverlays") {
            Some(overlays) => repriced(&problem, overlays),
            None => problem,
        };
        Self { name, source, problem, options, expect }
    }

    fn fee(&self) -> i128 {
        self.options.get("nodeFee").map_or(0, nanos)
    }

    /// Whether it has rules that the exhaustive search doesn't know: wishes, static pools,
    /// placeholders, strict reservations, hostnames that nodes share; and `minValues` beside rules
    /// between pods, which bind alternatives too.
    fn is_beyond_search(&self, oracle: &Oracle) -> bool {
        let text = self.problem.to_string();
        let wishes = ["preferredDuring", "ScheduleAnyway"].iter().any(|word| text.contains(word));
        let mut pools = self.problem["nodePools"].as_array().into_iter().flatten();
        let nodes = self.problem["nodes"].as_array().into_iter().flatten();
        let hosts: Vec<String> = nodes
            .map(|node| &node["labels"]["kubernetes.io/hostname"])
            .filter(|host| !host.is_null())
            .map(|host| host.to_string())
            .collect();
        let distinct: BTreeSet<&String> = hosts.iter().collect();
        distinct.len() < hosts.len()
            || wishes && !self.ignores_preferences()
            || text.contains("plimsoll.dev/")
            || text.contains("minValues") && oracle.has_rules_between_pods()
            || pools.any(|pool| !pool["replicas"].is_null())
            || self.options.get("reserved").is_some()
    }

    fn ignores_preferences(&self) -> bool {
        self.options.get("preferences").is_some_and(|policy| policy == "ignore")
    }

    fn strict(&self) -> bool {
        self.options.get("minValues").is_none_or(|policy| policy == "Strict")
    }
}

/// The document of a problem with the prices that overlays make of its own.
fn repriced(problem: &Value, overlays: &Value) -> Value {
    let overlays = PriceOverlay::list_from_json(&overlays.to_string()).unwrap();
    let problem = Problem::from_json(&problem.to_string()).unwrap();
    let repriced = problem.with_price_overlays(&overlays).unwrap();
    serde_json::from_str(&repriced.to_json()).unwrap()
}

/// No user report, no known weakness and no group of rules is forgotten.
#[test]
fn every_report_and_every_group_of_rules_has_a_case() {
    let cases = Case::all();
    let covered = cases.iter().map(|case| coverage::Covered {
        name: &case.name,
        source: &case.source,
        problem: &case.problem,
        options: &case.options,
    });
    let gaps = coverage::gaps(&covered.collect::<Vec<_>>());
    assert!(gaps.is_empty(), "{}", gaps.join("\n"));
}

/// What the cases expect was worked out by hand; here it meets the exhaustive search.
#[test]
fn expected_figures_are_what_trying_everything_gives() {
    let (mut checked, mut with_rules_between) = (0, 0);
    let mut wrong = Vec::new();
    for case in Case::all().iter().filter(|case| !case.expect.contains_key("error")) {
        if oracle::pending(&case.problem) > 13 {
            continue;
        }
        let oracle = Oracle::new(&case.problem, case.fee(), case.strict());
        let between = oracle.has_rules_between_pods();
        if case.is_beyond_search(&oracle) || between && oracle.pending() > 10 {
            continue;
        }
        let best = oracle.best();
        let (placed, cost) = (case.expect["placed"].as_u64().unwrap(), nanos(&case.expect["cost"]));
        if (u64::try_from(best.placed).unwrap(), best.cost) != (placed, cost) {
            wrong.push(format!("{}: expected {placed} for {cost}, found {best:?}", case.name));
        }
        checked += 1;
        with_rules_between += usize::from(between);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked >= 225, "only {checked} cases are small enough");
    let ruled = with_rules_between;
    assert!(ruled >= 45, "only {ruled} small enough cases have rules between pods");
}

/// What a case's options ask of the solver.
fn options(case: &Case) -> Options {
    let mut options = Options::default();
    options.objective.node_fee = Price::from_nanos(case.fee());
    options.preferences = match case.options.get("preferences").map(text).as_deref() {
        None | Some("respect") => PreferencePolicy::Respect,
        Some("ignore") => PreferencePolicy::Ignore,
        Some(price) => PreferencePolicy::Priced(price.parse().unwrap()),
    };
    if case.options.get("reserved").is_some_and(|policy| policy == "strict") {
        options.reserved = ReservedPolicy::Strict;
    }
    if case.options.get("refine").is_some_and(|wanted| *wanted == true) {
        options.effort = Effort::Refine(Limits::default());
    }
    if !case.strict() {
        options.min_values = MinValuesPolicy::BestEffort;
    }
    options
}

/// Makes and verifies a plan, and returns its document.
fn plan(problem: &Value, options: &Options) -> Result<String, Error> {
    let problem = Problem::from_json(&problem.to_string())?;
    let plan = provision(&problem, options)?;
    let text = plan.to_json();
    let verified =
        verify(&problem, &plan).unwrap_or_else(|v| panic!("not a valid plan: {v}\n{text}"));
    let lowered = verified.lowered_min_values();
    assert!(options.min_values == MinValuesPolicy::BestEffort || lowered == 0, "minValues lowered");
    let read = LaunchPlan::from_json(&text).expect("a plan's own document can be read");
    assert_eq!(read.to_json(), text, "reading and writing a plan changes it");
    Ok(text)
}

#[test]
fn every_case_is_as_expected() {
    let mut wrong = Vec::new();
    for case in Case::all() {
        let run = || match case.expect.get("error") {
            Some(error) => check_error(&case, error),
            None => check_plan(&case),
        };
        let run = std::panic::AssertUnwindSafe(run);
        if let Err(panic) = std::panic::catch_unwind(run) {
            let text = panic.downcast_ref::<&str>().copied();
            let words = panic.downcast_ref::<String>().map(String::as_str).or(text).unwrap_or("?");
            wrong.push(format!("{}: {words}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} cases fail:\n{}", wrong.len(), wrong.join("\n"));
}

fn check_error(case: &Case, expected: &Value) {
    let error = plan(&case.problem, &options(case)).expect_err("an error is expected");
    let kind = match () {
        () if error.is_invalid_input() => "invalid",
        () if error.is_unsupported() => "unsupported",
        () => "internal",
    };
    assert_eq!(expected["kind"], kind, "{error}");
    let paths: Vec<&str> = error.findings().iter().map(|f| f.path.as_str()).collect();
    for path in expected["paths"].as_array().unwrap() {
        let path = path.as_str().unwrap();
        assert!(paths.iter().any(|p| p.starts_with(path)), "{path} isn't found among {paths:?}");
    }
}

fn check_plan(case: &Case) {
    let options = options(case);
    let text = plan(&case.problem, &options).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(plan(&case.problem, &options).unwrap(), text, "the same problem again");
    for turn in 0..2 {
        let problem = order::reordered(&case.problem, turn);
        assert_eq!(plan(&problem, &options).unwrap(), text, "another order");
    }
    let facts = Facts::of(tree(&text));
    for (key, expected) in &case.expect {
        facts.check(key, expected);
    }
}

/// A plan document, asked about what cases expect.
struct Facts(Value);

impl Facts {
    fn of(plan: Value) -> Self {
        Self(plan)
    }

    fn list(&self, key: &str) -> &[Value] {
        self.0[key].as_array().map_or(&[], Vec::as_slice)
    }

    fn launches(&self) -> &[Value] {
        self.list("launches")
    }

    fn launch_of(&self, pod: &str) -> Option<&Value> {
        let has = |launch: &&Value| launch["pods"].as_array().unwrap().iter().any(|p| p == pod);
        self.launches().iter().find(has)
    }

    fn node_of(&self, pod: &str) -> Option<&str> {
        self.list("bindings").iter().find(|b| b["pod"] == pod).and_then(|b| b["node"].as_str())
    }

    /// How many launched pods of an entry are in which zone.
    fn zones_of(&self, entry: &str) -> Value {
        let mut zones: BTreeMap<String, u64> = BTreeMap::new();
        for launch in self.launches() {
            let pods = launch["pods"].as_array().unwrap().iter().map(|pod| pod.as_str().unwrap());
            let own = |pod: &&str| {
                let replica = pod.strip_prefix(entry).map(|rest| rest.trim_start_matches('-'));
                replica.is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()))
            };
            let count = u64::try_from(pods.filter(own).count()).unwrap();
            if count > 0 {
                *zones.entry(text(&launch["offering"]["zone"])).or_insert(0) += count;
            }
        }
        serde_json::to_value(zones).unwrap()
    }

    /// Something that is equal for pods on the same node alone.
    fn place_of(&self, pod: &str) -> String {
        let first = |launch: &Value| format!("a launch with {}", launch["pods"][0]);
        let place = self.launch_of(pod).map(first).or(self.node_of(pod).map(str::to_string));
        place.unwrap_or_else(|| panic!("{pod} has no place"))
    }

    /// One text for each launch, sorted.
    fn each(&self, text: impl Fn(&Value) -> String) -> Vec<String> {
        let mut texts: Vec<String> = self.launches().iter().map(text).collect();
        texts.sort();
        texts
    }

    fn check(&self, key: &str, expected: &Value) {
        let count = |n: usize| assert_eq!(expected.as_u64(), u64::try_from(n).ok(), "{key}");
        let texts = |found: Vec<String>| assert_eq!(strings(expected), found, "{key}");
        let money = |found: &Value| assert_eq!(nanos(expected), nanos(found), "{key}: {found}");
        let places = |pods: &Value| -> BTreeSet<String> {
            strings(pods).iter().map(|pod| self.place_of(pod)).collect()
        };
        match key {
            "placed" => {
                let on = |l: &Value| l["pods"].as_array().unwrap().len();
                count(self.launches().iter().map(on).sum::<usize>() + self.list("bindings").len());
            }
            "launches" | "bindings" => count(self.list(key).len()),
            "cost" => money(&self.0["cost"]["total"]),
            "fees" => money(&self.0["cost"]["fees"]),
            "types" => texts(self.each(|l| text(&l["offering"]["instanceType"]))),
            "pools" => texts(self.each(|l| text(&l["nodePool"]))),
            "offerings" => texts(self.each(|l| {
                let fields = ["instanceType", "zone", "capacityType", "reservation"];
                let stated = fields.iter().filter_map(|f| l["offering"][f].as_str());
                stated.collect::<Vec<_>>().join("/")
            })),
            "bound" => {
                for (pod, node) in expected.as_object().unwrap() {
                    assert_eq!(self.node_of(pod), node.as_str(), "the node of {pod}");
                }
            }
            "together" => {
                for pods in expected.as_array().unwrap() {
                    assert_eq!(places(pods).len(), 1, "{pods} on one node");
                }
            }
            "apart" => {
                for pods in expected.as_array().unwrap() {
                    let all = pods.as_array().unwrap().len();
                    assert_eq!(places(pods).len(), all, "{pods} on different nodes");
                }
            }
            "labels" => {
                for (pod, labels) in expected.as_object().unwrap() {
                    let launch = self.launch_of(pod).expect("a launch");
                    for (label, value) in labels.as_object().unwrap() {
                        assert_eq!(launch["labels"][label], *value, "{label} for {pod}");
                    }
                }
            }
            "alternatives" => {
                for (pod, types) in expected.as_object().unwrap() {
                    let launch = self.launch_of(pod).expect("a launch");
                    let listed = launch["alternatives"].as_array().unwrap().iter();
                    let mut found: Vec<String> = listed.map(|a| text(&a["instanceType"])).collect();
                    found.dedup();
                    assert_eq!(strings(types), found, "the alternatives for {pod}");
                }
            }
            "zones" => {
                for (entry, zones) in expected.as_object().unwrap() {
                    assert_eq!(&self.zones_of(entry), zones, "the zones of {entry}");
                }
            }
            "preferences" => {
                for (kind, figures) in expected.as_object().unwrap() {
                    let stat = |name: &str| self.0["stats"][format!("{name}{kind}")].clone();
                    let found = [stat("preferred"), stat("honoured")];
                    assert_eq!(figures.as_array().unwrap()[..], found, "{kind}");
                }
            }
            "unschedulable" => self.check_unschedulable(expected.as_array().unwrap()),
            other => panic!("{other} isn't an expectation of a plan"),
        }
    }

    fn check_unschedulable(&self, expected: &[Value]) {
        let pods = |list: &[Value]| list.iter().map(|u| text(&u["pod"])).collect::<Vec<_>>();
        let found = self.list("unschedulable");
        assert_eq!(pods(expected), pods(found), "unschedulable");
        for (expected, found) in expected.iter().zip(found) {
            let reasons = found["reasons"].as_array().unwrap();
            assert!(!reasons.is_empty(), "{} has no reason", found["pod"]);
            if let Some(code) = expected.get("code") {
                let given = reasons.iter().any(|reason| reason["code"] == *code);
                assert!(given, "{} for {code}, but for {reasons:?}", found["pod"]);
            }
            if let Some(sentences) = expected.get("reasons") {
                let said: Vec<String> = reasons.iter().map(|one| text(&one["sentence"])).collect();
                assert_eq!(strings(sentences), said, "why {} has no place", found["pod"]);
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_string()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(text).collect()
}
