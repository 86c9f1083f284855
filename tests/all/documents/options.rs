//! Options and replays, both ways.

use super::valid;
use plimsoll::options::{MinValuesPolicy, Replay, ReservedPolicy};
use plimsoll::{
    ConsolidationOptions, Effort, Limits, Options, PreferencePolicy, Price, Problem, provision,
};
use serde_json::json;

/// Options of which each field has every kind of value at least once.
fn various() -> Vec<Options> {
    let price = Price::from_nanos;
    let limits = Limits::default();
    let efforts = [
        Effort::FirstFit,
        Effort::Greedy,
        Effort::Refine(limits),
        Effort::Refine(limits.with_rounds(7)),
        Effort::Refine(limits.with_attempts(0)),
        Effort::Refine(Limits::NONE),
    ];
    let preferences = [
        PreferencePolicy::Respect,
        PreferencePolicy::Ignore,
        PreferencePolicy::Priced(price(1)),
        PreferencePolicy::Priced(price(123_456_789_123_456_789)),
    ];
    let mut consolidation = ConsolidationOptions::default();
    consolidation.max_moves = Some(0);
    consolidation.move_price = price(10_000_000);
    consolidation.bare_pods_move = true;
    consolidation.minimum_saving = 1;
    consolidation.minimum_saving_per_action = price(2);
    consolidation.minimum_saving_per_move = price(3);
    consolidation.spot_flexibility = 1;
    consolidation.now = Some(-5);
    consolidation.max_surge = Some(9);
    consolidation.held_back = true;
    let mut all = vec![Options::default(), Options::default().with_consolidation(consolidation)];
    all.extend(efforts.map(|effort| Options::default().with_effort(effort)));
    all.extend(preferences.map(|policy| Options::default().with_preferences(policy)));
    all.push(
        Options::default()
            .with_node_fee(price(1))
            .with_interruption(price(5_000_000_000))
            .with_min_values(MinValuesPolicy::BestEffort)
            .with_reserved(ReservedPolicy::Strict),
    );
    all
}

#[test]
fn options_read_back() {
    for options in various() {
        let text = options.to_json();
        assert_eq!(Options::from_json(&text).unwrap(), options, "{text}");
        assert_eq!(serde_json::from_str::<Options>(&text).unwrap(), options, "{text}");
        let consolidation = serde_json::to_string(&options.consolidation).unwrap();
        let read: ConsolidationOptions = serde_json::from_str(&consolidation).unwrap();
        assert_eq!(read, options.consolidation, "{consolidation}");
    }
    assert_eq!(Options::default().to_json(), "{}");
    let refined = Options::default().with_effort(Effort::Refine(Limits::NONE));
    let expected = r#"{"effort":{"refine":{"rounds":"none","attempts":"none"}}}"#;
    assert_eq!(refined.to_json(), expected);
}

#[test]
fn replays_read_back_and_give_the_same_plan() {
    let mut document = valid();
    let problem = Problem::from_json(&document.to_string()).unwrap();
    for options in various() {
        let replay = Replay::new(problem.clone(), options.clone());
        let text = replay.to_json();
        assert!(Replay::is_one(&text));
        let read = Replay::from_json(&text).unwrap();
        assert_eq!(read, replay);
        assert_eq!(serde_json::from_str::<Replay>(&text).unwrap(), replay);
    }
    let alone = Replay::from_json(&json!({"problem": document}).to_string()).unwrap();
    let plan = provision(&problem, &Options::default()).unwrap();
    assert_eq!(provision(&alone.problem, &alone.options).unwrap(), plan);
    document["pods"][0]["replica"] = 3.into();
    let wrong = json!({
        "problem": document,
        "options": {"effort": "greddy", "preferences": {"priced": -1}, "objectives": {}},
        "remark": 1,
    });
    let error = Replay::from_json(&serde_json::to_string_pretty(&wrong).unwrap()).unwrap_err();
    let found: Vec<String> = error.findings().iter().map(ToString::to_string).collect();
    for expected in [
        "remark (line ",
        "options.effort (line 3): \"greddy\"; expected greedy? (one of firstFit, greedy, refine)",
        "options.preferences.priced (line ",
        "options.objectives (line ",
        "problem.pods[0].replica (default/web, line ",
    ] {
        assert!(found.iter().any(|one| one.starts_with(expected)), "{expected}: {found:#?}");
    }
    assert_eq!(found.len(), 5, "{found:#?}");
    for (text, path) in [("{\"options\": {}}", "problem"), ("[]", "line 1 column 2")] {
        let error = Replay::from_json(text).unwrap_err();
        assert_eq!(error.findings()[0].path, path, "{error}");
    }
}
