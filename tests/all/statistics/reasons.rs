//! The law of reasons: with what a reason blames removed the pod has a place, nobody else giving
//! way, or the reason says that it needs several things at once, and all of them removed do. Nearly
//! all keep it: how many of those drawn at random is counted, and held to a floor.

use super::asked;
use crate::blame::{Verdict, verdicts};
use crate::random::scarce;
use plimsoll::{Options, PreferencePolicy, Problem, provision};
use std::collections::BTreeMap;

#[test]
fn reasons_drawn_at_random_are_true() {
    let wanted = asked("STATISTICS_REASONS", 3_000);
    let (seed, pods) = (asked("STATISTICS_SEED", 1), asked("STATISTICS_PODS", 10));
    let pods = u32::try_from(pods).unwrap();
    let directory = std::env::var("STATISTICS_KEEP").ok();
    let mut options = Options::default();
    options.preferences = PreferencePolicy::Ignore;
    let (mut drawn, mut right, mut number) = (0, 0, seed.wrapping_mul(1_000_003));
    let mut counts: BTreeMap<(String, Verdict), u32> = BTreeMap::new();
    while drawn < wanted {
        number = number.wrapping_add(1);
        let problem = scarce::made_from(number, pods);
        let read = Problem::from_json(&problem.to_string()).unwrap();
        let plan = provision(&read, &options).unwrap();
        for (pod, reason, verdict) in verdicts(&problem, &plan) {
            if verdict == Verdict::Unknown {
                continue;
            }
            let is_true = !matches!(verdict, Verdict::False | Verdict::OfThePool);
            drawn += 1;
            right += u64::from(is_true);
            *counts.entry((reason.code().to_string(), verdict)).or_insert(0) += 1;
            if !is_true || reason.code() == "not-found" {
                println!("{number}: {verdict:?}: {pod}: {reason}");
                if let Some(directory) = &directory {
                    let path = format!("{directory}/reason-{}-{number}.json", reason.code());
                    std::fs::write(path, problem.to_string()).unwrap();
                }
            }
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "a share is enough")]
    let share = 100.0 * right as f64 / drawn as f64;
    println!("{right} of {drawn} reasons are true, {share:.1} %");
    for ((code, verdict), count) in &counts {
        println!("{verdict:?} {code}: {count}");
    }
    assert!(right * 100 >= drawn * 98, "{right} of {drawn} reasons are true");
}
