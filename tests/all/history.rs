//! Laws of histories of offerings: what they answer is a function of the events that were told,
//! whatever their order; it fades with time; and plans avoid what has just failed.

use crate::random;
use crate::verified::verified;
use plimsoll::history::{FailureScope, HistoryPolicy, OfferingHistory};
use plimsoll::model::{CapacityType, OfferingKey};
use plimsoll::{Effort, Limits, Options, Problem, Solver, provision, verify};
use proptest::prelude::*;
use serde_json::json;

const HOUR: i64 = 3600;

/// The highest interruption rate that an offering may state, in billionths per hour.
const MOST: u64 = 100_000_000_000_000;

const SCOPES: [FailureScope; 3] =
    [FailureScope::Offering, FailureScope::InstanceType, FailureScope::Zone];

/// Something that a controller tells.
#[derive(Clone, Copy, Debug)]
struct Event {
    kind: u8,
    offering: usize,
    nodes: u32,
    scope: usize,
    at: i64,
}

fn event() -> impl Strategy<Value = Event> {
    // Many at the same time, some of them so far apart that the older are forgotten.
    let at = prop_oneof![Just(0_i64), 0..600_i64, 0..4 * HOUR, 0..60 * HOUR];
    (0..4_u8, 0..6_usize, 0..4_u32, 0..3_usize, at)
        .prop_map(|(kind, offering, nodes, scope, at)| Event { kind, offering, nodes, scope, at })
}

fn offering(number: usize) -> OfferingKey {
    let key =
        OfferingKey::new(["m", "c"][number % 2], ["a", "b", "c"][number / 2], CapacityType::Spot);
    if number == 5 { key.with_reservation("r") } else { key }
}

fn tell(history: &mut OfferingHistory, event: &Event) {
    let (key, at) = (offering(event.offering), event.at);
    match event.kind {
        0 => history.launched(&key, event.nodes, at),
        1 => history.failed(&key, event.nodes, SCOPES[event.scope], at),
        2 => history.interrupted(&key, event.nodes, at),
        _ => history.ran(&key, u64::from(event.nodes) * 3600, at),
    }
}

fn told<'e>(events: impl IntoIterator<Item = &'e Event>) -> OfferingHistory {
    let mut history = OfferingHistory::default();
    events.into_iter().for_each(|event| tell(&mut history, event));
    history
}

#[test]
fn a_backoff_doubles_until_a_success() {
    let mut history = OfferingHistory::default();
    let (key, other) = (
        OfferingKey::new("m", "a", CapacityType::Spot),
        OfferingKey::new("m", "b", CapacityType::Spot),
    );
    let until = |history: &OfferingHistory, key: &OfferingKey, now| {
        let outlook = history.outlook(key, None, now);
        assert_eq!(outlook.available, outlook.backoff_until.is_none());
        outlook.backoff_until
    };
    for (at, end) in [(0, 180), (180, 540), (540, 1260), (1260, 2700), (2700, 4500)] {
        history.failed(&key, 5, FailureScope::Offering, at);
        assert_eq!(until(&history, &key, at), Some(end));
        assert_eq!(until(&history, &key, end - 1), Some(end));
        assert_eq!(until(&history, &key, end), None);
        assert_eq!(until(&history, &other, at), None);
    }
    history.launched(&key, 1, 3000);
    assert_eq!(until(&history, &key, 3000), None);
    // It begins anew.
    history.failed(&key, 1, FailureScope::Offering, 3100);
    assert_eq!(until(&history, &key, 3100), Some(3280));
    // What is told late and was before the success holds nothing back.
    history.failed(&key, 1, FailureScope::Offering, 2999);
    assert_eq!(until(&history, &key, 3100), Some(3280));
}

#[test]
fn a_failure_holds_back_what_it_is_of() {
    let same_type = OfferingKey::new("m", "b", CapacityType::Spot);
    let same_zone = OfferingKey::new("c", "a", CapacityType::Spot);
    let on_demand = OfferingKey::new("m", "a", CapacityType::OnDemand);
    for (scope, of_type, of_zone) in [
        (FailureScope::Offering, true, true),
        (FailureScope::InstanceType, false, true),
        (FailureScope::Zone, true, false),
    ] {
        let mut history = OfferingHistory::default();
        history.failed(&OfferingKey::new("m", "a", CapacityType::Spot), 1, scope, 100);
        let available = |key| history.outlook(key, None, 150).available;
        assert_eq!((available(&same_type), available(&same_zone)), (of_type, of_zone), "{scope:?}");
        assert!(available(&on_demand));
        // Another launch in the zone, or of the type, shows that it isn't out.
        history.launched(if of_type { &same_zone } else { &same_type }, 1, 160);
        let own =
            history.outlook(&OfferingKey::new("m", "a", CapacityType::Spot), None, 170).available;
        assert_eq!(own, scope != FailureScope::Offering, "{scope:?}");
    }
}

#[test]
fn neighbours_are_doubted_and_own_evidence_outweighs_them() {
    let mut history = OfferingHistory::default();
    let success =
        |history: &OfferingHistory, key: &OfferingKey| history.outlook(key, None, 0).success;
    let (own, unseen) = (
        OfferingKey::new("m", "a", CapacityType::Spot),
        OfferingKey::new("x", "y", CapacityType::Spot),
    );
    assert_eq!(success(&history, &own), 950_000);
    for zone in ["b", "c", "d"] {
        history.failed(
            &OfferingKey::new("m", zone, CapacityType::Spot),
            4,
            FailureScope::Offering,
            0,
        );
    }
    // (0.95 · 2) / (2 + 12 / 4)
    assert_eq!(success(&history, &own), 380_000);
    assert_eq!(success(&history, &OfferingKey::new("m", "a", CapacityType::OnDemand)), 950_000);
    // (0.95 · 2) / (2 + 4 / 10)
    let of_zone = success(&history, &OfferingKey::new("x", "b", CapacityType::Spot));
    assert_eq!((of_zone, success(&history, &unseen)), (791_666, 950_000));
    // (0.38 · 2 + 8) / (2 + 8)
    history.launched(&own, 8, 0);
    assert_eq!(success(&history, &own), 876_000);
}

#[test]
fn interruptions_are_counted_against_hours() {
    let mut history = OfferingHistory::default();
    let key = OfferingKey::new("m", "a", CapacityType::Spot);
    let rate =
        |history: &OfferingHistory, stated| history.outlook(&key, stated, 0).interruption_rate;
    assert_eq!((rate(&history, None), rate(&history, Some(7))), (None, Some(7)));
    history.ran(&key, 300 * 3600, 0);
    assert_eq!(rate(&history, None), None);
    // 100 hours at one in ten, and 300 without any.
    assert_eq!(rate(&history, Some(100_000_000)), Some(25_000_000));
    history.interrupted(&key, 30, 0);
    assert_eq!(rate(&history, Some(100_000_000)), Some(100_000_000));
    assert_eq!(rate(&history, None), Some(75_000_000));
    // A launch that succeeds is no risk, one that fails is: (0.95 · 2 + 1) / 4 succeed, which is
    // 0.275 / 0.725 failures for each success instead of 0.05 / 0.95, once in a day.
    history.launched(&key, 1, 0);
    assert_eq!(rate(&history, None), Some(75_000_000));
    history.failed(&key, 1, FailureScope::Offering, 0);
    let failures = 1e9 * (0.275 / 0.725 - 0.05 / 0.95) / 24.0;
    let expected = 75_000_000.0 + failures;
    assert!((rate(&history, None).unwrap() as f64 - expected).abs() < 2.0);
}

#[test]
fn extremes_are_no_overflow() {
    let mut policy = HistoryPolicy::default();
    (policy.half_life, policy.prior_attempts, policy.prior_hours) = (0, 0, 0);
    (policy.node_life, policy.first_backoff, policy.longest_backoff) = (0, u32::MAX, u32::MAX);
    (policy.same_type, policy.same_zone) = (u32::MAX, u32::MAX);
    let mut history = OfferingHistory::new(policy);
    for at in [0, i64::MAX, i64::MIN, i64::MAX - 1] {
        for number in 0..6 {
            for _ in 0..3 {
                history.launched(&offering(number), u32::MAX, at);
                history.interrupted(&offering(number), u32::MAX, at);
                history.ran(&offering(number), u64::MAX, at);
                history.failed(&offering(number), u32::MAX, FailureScope::Zone, at);
            }
            for now in [i64::MIN, 0, i64::MAX] {
                let outlook = history.outlook(&offering(number), Some(MOST), now);
                assert!(outlook.interruption_rate.is_some_and(|rate| rate <= MOST));
                assert!(outlook.success <= 1_000_000);
            }
        }
    }
}

/// Three zones at rising prices.
fn three_zones() -> Problem {
    let offerings: Vec<_> = ["a", "b", "c"]
        .iter()
        .zip([0.03, 0.04, 0.05])
        .map(|(zone, price)| json!({ "zone": zone, "capacityType": "spot", "price": price, "interruptionRate": 0.01 }))
        .collect();
    let document = json!({
        "pods": [{ "name": "web", "replicas": 3, "requests": { "cpu": "1" } }],
        "instanceTypes": [{ "name": "m", "capacity": { "cpu": "1", "pods": "9" }, "offerings": offerings }],
        "nodePools": [{ "name": "main" }],
    });
    Problem::from_json(&document.to_string()).unwrap()
}

#[test]
fn a_plan_after_a_failure_avoids_the_offering_and_comes_back_to_it() {
    let problem = three_zones();
    let zone = |history: &OfferingHistory, now: i64| {
        let applied = history.applied(&problem, now);
        let plan = provision(&applied, &Options::default()).unwrap();
        let _verified = verify(&applied, &plan).unwrap();
        let zones: Vec<_> = plan.offerings().into_keys().map(|key| key.zone.to_string()).collect();
        zones.concat()
    };
    let mut history = OfferingHistory::default();
    assert_eq!(zone(&history, 0), "a");
    history.failed(&OfferingKey::new("m", "a", CapacityType::Spot), 3, FailureScope::Offering, 10);
    assert_eq!(
        (zone(&history, 10), zone(&history, 189), zone(&history, 190)),
        ("b".into(), "b".into(), "a".into())
    );
    // The launch's own alternatives say the same without another solve.
    let plan = provision(&problem, &Options::default()).unwrap();
    let template = plan.launches()[0].template();
    let zones = |now: i64| -> Vec<String> {
        history.alternatives(template, now).iter().map(|one| one.zone.to_string()).collect()
    };
    assert_eq!(
        (zones(10), zones(190)),
        (vec!["b".into(), "c".into()], vec!["a".into(), "b".into(), "c".into()])
    );
}

#[test]
fn interruptions_move_a_plan_that_prices_them() {
    let problem = three_zones();
    let options = Options::default().with_interruption("1".parse().unwrap());
    let mut history = OfferingHistory::default();
    let key = OfferingKey::new("m", "a", CapacityType::Spot);
    history.ran(&key, 100 * 3600, 0);
    history.interrupted(&key, 10, 0);
    let zone = |now: i64| {
        let plan = provision(&history.applied(&problem, now), &options).unwrap();
        plan.launches()[0].template().offering.zone.to_string()
    };
    assert_eq!((zone(0), zone(20 * HOUR)), ("b".into(), "a".into()));
}

/// A random history of the offerings of a problem's document.
fn history_of(problem: &Problem, events: &[Event]) -> OfferingHistory {
    let mut history = OfferingHistory::default();
    let keys: Vec<OfferingKey> = problem
        .instance_types()
        .iter()
        .flat_map(|of_type| {
            of_type.offerings().iter().map(|one| {
                let key = OfferingKey::new(of_type.name(), one.zone(), one.capacity_type());
                match one.reservation() {
                    Some(own) => key.with_reservation(own.id.clone()),
                    None => key,
                }
            })
        })
        .collect();
    for event in events.iter().filter(|_| !keys.is_empty()) {
        let (key, at) = (&keys[event.offering % keys.len()], event.at);
        match event.kind {
            0 => history.launched(key, event.nodes, at),
            1 | 2 => history.failed(key, event.nodes, SCOPES[event.scope], at),
            _ => history.interrupted(key, event.nodes, at),
        }
    }
    history
}

proptest! {
    #![proptest_config(random::config())]

    #[test]
    fn the_order_of_events_does_not_matter(
        (events, shuffled) in prop::collection::vec(event(), 0..24)
            .prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle())),
        now in 0..80 * HOUR,
    ) {
        let (one, other) = (told(&events), told(&shuffled));
        prop_assert_eq!(&one, &other);
        for number in 0..6 {
            let key = offering(number);
            prop_assert_eq!(one.outlook(&key, Some(5), now), other.outlook(&key, Some(5), now));
        }
    }

    /// Time heals: backoffs end, and in the end an offering is as if nothing had been told of it.
    #[test]
    fn what_was_seen_fades(events in prop::collection::vec(event(), 0..24), number in 0..6_usize) {
        let history = told(&events);
        let key = offering(number);
        let latest = events.iter().map(|event| event.at).max().unwrap_or(0);
        let end = latest + 17 * HOUR;
        prop_assert_eq!(
            history.outlook(&key, Some(9), end),
            OfferingHistory::default().outlook(&key, Some(9), end)
        );
        let mut backoffs = (0..64).map(|step| {
            let now = latest + step * 120;
            history.outlook(&key, None, now).backoff_until.map_or(0, |until| until - now)
        });
        let first = backoffs.next().unwrap();
        prop_assert!(first <= 1800);
        prop_assert!(backoffs.try_fold(first, |before, now| (now <= before).then_some(now)).is_some());
    }

    /// A further failure makes no offering likelier to succeed, a further success none less likely.
    #[test]
    fn estimates_follow_what_is_seen(events in prop::collection::vec(event(), 0..16), number in 0..6_usize, nodes in 1..9_u32) {
        let before = told(&events);
        let now = events.iter().map(|event| event.at).max().unwrap_or(0);
        let (mut worse, mut better) = (before.clone(), before.clone());
        worse.failed(&offering(number), nodes, FailureScope::Offering, now);
        better.launched(&offering(number), nodes, now);
        for other in 0..6 {
            let [was, worse, better] =
                [&before, &worse, &better].map(|history| history.outlook(&offering(other), None, now));
            prop_assert!(worse.success <= was.success && was.success <= better.success);
            prop_assert!(worse.interruption_rate.unwrap_or(0) >= was.interruption_rate.unwrap_or(0));
            prop_assert!(!worse.available || was.available);
        }
    }

    /// A history's what-if is the problem that it is applied to, byte for byte; its plans are
    /// valid, and launch nothing that may not be asked for.
    #[test]
    fn plans_keep_to_a_history(
        problem in random::problem(),
        events in prop::collection::vec(event(), 0..10),
        interruption in prop_oneof![Just("0"), Just("0.5")],
        refined in any::<bool>(),
    ) {
        let now = 4 * HOUR;
        let given = Problem::from_json(&problem.to_string()).unwrap();
        let history = history_of(&given, &events);
        let applied = history.applied(&given, now);
        let mut options = Options::default().with_interruption(interruption.parse().unwrap());
        if refined {
            options.effort = Effort::Refine(Limits::default().with_rounds(40).with_attempts(10));
        }
        let what_if = Solver::new(&given).unwrap().what_if().with_history(&history, now);
        prop_assert_eq!(&what_if.problem(), &applied);
        let document = serde_json::from_str(&applied.to_json()).unwrap();
        let (plan, _) = verified(&document, &options)?;
        prop_assert_eq!(what_if.provision(&options).unwrap().to_json(), plan.to_json());
        for key in plan.offerings().keys() {
            prop_assert!(history.outlook(key, None, now).available, "{} {}", key, document);
        }
        if events.is_empty() {
            prop_assert_eq!(&applied, &given);
        }
    }
}
