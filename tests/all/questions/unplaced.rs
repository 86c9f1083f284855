//! Why pods have no place: with the change that an answer names fewer pods stay out, and what it
//! says of the nearest candidates is what the plan itself says.

use crate::random::scarce;
use crate::statistics::asked;
use plimsoll::question::RuleChange;
use plimsoll::{Options, PreferencePolicy, Problem, Solver, provision, verify};
use std::collections::BTreeMap;

/// The name of the entry of a pod that a plan leaves out.
fn entry(problem: &Problem, pod: &str) -> String {
    let (namespace, name) = pod.split_once('/').unwrap();
    match problem.pods().iter().any(|one| one.name() == name && one.replicas() == 1) {
        true => pod.into(),
        false => format!("{namespace}/{}", name.rsplit_once('-').unwrap().0),
    }
}

#[test]
fn doing_as_an_answer_says_gives_a_pod_a_place() {
    let wanted = asked("QUESTIONS_UNPLACED", 300);
    let mut options = Options::default();
    options.preferences = PreferencePolicy::Ignore;
    let (mut drawn, mut right, mut number) = (0, 0, asked("STATISTICS_SEED", 1) * 7_000_003);
    let (mut same, mut told) = (0, 0);
    let mut kinds: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    while drawn < wanted {
        number += 1;
        let document = scarce::made_from(number, 10).to_string();
        let problem = Problem::from_json(&document).unwrap();
        let solver = Solver::new(&problem).unwrap();
        let plan = solver.provision(&options).unwrap();
        let mut seen: Vec<String> = Vec::new();
        for out in plan.unschedulable() {
            let name = entry(&problem, &out.pod);
            if seen.contains(&name) {
                continue;
            }
            seen.push(name.clone());
            let why = solver.why_unplaced(&plan, &out.pod, &options).unwrap();
            assert!(why.to_string().lines().count() <= 3, "{why}");
            let mut nearest: Vec<String> = Vec::new();
            for one in &why.excluded {
                assert!(one.to_string().lines().count() <= 3, "{one}");
                nearest.push(one.nearest.iter().map(ToString::to_string).collect());
            }
            let stated = out.reasons.iter().filter(|reason| {
                let code = reason.code();
                !code.starts_with("existing-") && code != "several" && !code.ends_with("affinity")
            });
            for reason in stated {
                told += 1;
                let known = nearest.iter().any(|one| one == reason.sentence());
                same += u64::from(known);
                if !known {
                    println!("{number}: {}: {} isn't among {nearest:?}", out.pod, reason);
                }
            }
            let Some(changes) = why.nearest().and_then(|nearest| nearest.changes.clone()) else {
                continue;
            };
            if changes.is_empty() {
                continue;
            }
            drawn += 1;
            let changed = RuleChange::apply_all(&changes, &problem).unwrap();
            let after = provision(&changed, &options).unwrap();
            let _verified = verify(&changed, &after).unwrap();
            let left = |plan: &plimsoll::LaunchPlan| {
                let of_entry = plan.unschedulable().iter();
                let own = of_entry.filter(|out| entry(&problem, &out.pod) == name).count();
                (own, plan.unschedulable().len())
            };
            let ((own, all), (own_after, all_after)) = (left(&plan), left(&after));
            let is_true = own_after < own || all_after < all;
            right += u64::from(is_true);
            for change in &changes {
                let debug = format!("{change:?}");
                let kind = debug.split_whitespace().next().unwrap().to_owned();
                let count = kinds.entry(kind).or_default();
                count.0 += 1;
                count.1 += u32::from(is_true);
            }
            if !is_true {
                println!("{number}: {} of {all} are left of {all_after}\n{why}", out.pod);
            }
        }
    }
    println!("{right} of {drawn} answers give a pod a place; {same} of {told} reasons agree");
    for (kind, (count, right)) in kinds {
        println!("{kind}: {right} of {count}");
    }
    assert!(right * 100 >= drawn * 98, "{right} of {drawn} answers give a pod a place");
    assert!(same * 100 >= told * 98, "{same} of {told} reasons agree");
}
