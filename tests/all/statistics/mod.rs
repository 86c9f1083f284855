//! How far plans are from the best, on small random problems in which something is scarce.
//!
//! The test plans a few problems and holds the figures to their limits. More problems, with another
//! seed or more pods, are asked for in the environment:
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `STATISTICS_PROBLEMS` | how many problems | 150 |
//! | `STATISTICS_SEED` | which ones | 1 |
//! | `STATISTICS_PODS` | how many pods at most | 10 |
//! | `STATISTICS_KEEP` | a directory for what goes wrong, cut down to as little as shows it | none |
//! | `STATISTICS_EACH` | how many documents of each kind are kept | 5 |
//! | `STATISTICS_WRITE` | a directory for the problems as they are drawn | none |
//! | `STATISTICS_REASONS` | how many reasons are drawn of pods left out | 3000 |
//! | `STATISTICS_DOCUMENTS` | a directory of documents of which it is said what goes wrong | none |
//! | `STATISTICS_GREEDY` | 1: greedy plans alone | 0 |
//!
//! `cargo test --release --test all statistics -- --nocapture` prints the figures.

#![allow(clippy::disallowed_types, reason = "how long a plan takes is measured")]

mod monotone;
mod reasons;
mod smallest;

use crate::oracle::{Best, Counting, Oracle, nanos};
use crate::random::scarce;
use crate::verified::tree;
use plimsoll::{Effort, Limits, Options, PreferencePolicy, Problem, provision, verify};
use serde_json::Value;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

fn options(refine: bool) -> Options {
    let mut options = Options::default();
    options.preferences = PreferencePolicy::Ignore;
    if refine {
        options.effort = Effort::Refine(Limits::default());
    }
    options
}

/// A plan's document, or what is wrong with it.
fn planned(problem: &Value, refine: bool) -> Result<Value, &'static str> {
    let run = || {
        let read = Problem::from_json(&problem.to_string()).map_err(|_| "invalid")?;
        let plan = provision(&read, &options(refine)).map_err(|_| "error")?;
        let verified = verify(&read, &plan).map_err(|_| "refused")?;
        if verified.lower_bound() < plan.cost().lower_bound {
            return Err("unproved");
        }
        if !verified.oversights().is_empty() {
            return Err("oversight");
        }
        Ok(tree(&plan.to_json()))
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or(Err("panic"))
}

/// What a plan comes to.
struct Outcome {
    missing: Vec<usize>,
    cost: i128,
    /// The least that its pods cost, with the domains counted that launches could add, or, where
    /// that has no plan, without.
    aim: i128,
    /// What is false about it.
    faults: Vec<&'static str>,
}

/// Holds a plan against the search; nothing if the search is too hard.
fn judged(oracle: &Oracle, plan: &Value, best: &Best) -> Option<Outcome> {
    let places = oracle.places(plan);
    let (missing, cost) = (oracle.missing(&places), nanos(&plan["cost"]["total"]));
    let bound = nanos(&plan["cost"]["lowerBound"]);
    // Domains of labels whose values the search doesn't try can't be told apart.
    if !oracle.knows(plan) {
        return None;
    }
    let Some(least) = oracle.try_cheapest_like(&places, Counting::Standing).ok()? else {
        let faults = vec!["illegal"];
        return Some(Outcome { missing, cost, aim: cost, faults });
    };
    let mut aim = None;
    for counting in [Counting::Launchable, Counting::Remaining] {
        if aim.is_none() {
            aim = oracle.try_cheapest_like(&places, counting).ok()?;
        }
    }
    let aim = aim.unwrap_or(least);
    let claims_optimum = plan["cost"]["proof"] == "optimal";
    // A bound is one of plans that keep spreads over what launches could add, where any does.
    let faults = [
        ("bound", bound > aim),
        ("below", cost < least),
        ("false-proof", claims_optimum && cost > aim),
        ("more", missing < best.missing),
        ("addable", oracle.addable(plan).is_some()),
        ("outranked", oracle.outranked(plan).is_some()),
    ];
    let faults = faults.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect();
    Some(Outcome { missing, cost, aim, faults })
}

/// What is found of one problem.
#[derive(Default)]
struct Findings {
    hard: bool,
    /// What goes wrong, by name.
    kinds: Vec<String>,
    /// What the greedy plan costs, by what a best one may that leaves out as many; where there is
    /// one that leaves out fewer, by what its pods cost at least.
    excess: Option<f64>,
    /// By effort, what a plan costs, what its pods cost at least, and what a best plan may.
    costs: [Option<[i128; 3]>; 2],
    /// Of planning greedily and with refinement, and of the search.
    times: [Duration; 3],
}

const EFFORTS: [&str; 2] = ["greedy", "refined"];

fn findings(problem: &Value, efforts: &[&str]) -> Findings {
    let mut found = Findings::default();
    let start = Instant::now();
    let oracle = Oracle::new(problem, 0, true);
    let best = oracle.try_best();
    found.times[2] = start.elapsed();
    let Ok(best) = best else { return Findings { hard: true, ..found } };
    for (at, name) in EFFORTS.into_iter().enumerate().filter(|(_, name)| efforts.contains(name)) {
        let start = Instant::now();
        let plan = planned(problem, at == 1);
        found.times[at] = start.elapsed();
        let plan = match plan {
            Ok(plan) => plan,
            Err(fault) => {
                found.kinds.push(format!("{fault}-{name}"));
                continue;
            }
        };
        let Some(outcome) = judged(&oracle, &plan, &best) else {
            return Findings { hard: true, ..found };
        };
        found.kinds.extend(outcome.faults.iter().map(|fault| format!("{fault}-{name}")));
        found.costs[at] = Some([outcome.cost, outcome.aim, best.weighed]);
        if outcome.missing > best.missing {
            found.kinds.push(format!("lost-{name}"));
        } else if at == 1 && outcome.cost > best.weighed {
            found.kinds.push(format!("dear-{name}"));
        }
        // Of as many pods the best plan may have others, or on pools of other weights.
        let is_whole = outcome.missing == best.missing;
        let aim = if is_whole { best.weighed } else { outcome.aim };
        if at == 0 && aim > 0 {
            #[allow(clippy::cast_precision_loss, reason = "a share is enough")]
            let excess = outcome.cost as f64 / aim as f64;
            found.excess = Some(excess);
            if excess > 1.5 {
                found.kinds.push("excess-greedy".to_string());
            }
        }
    }
    found
}

pub(crate) fn asked(name: &str, or: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(or)
}

/// Writes a problem of a kind down, cut down to what shows it.
fn keep(directory: &str, kind: &str, number: u64, problem: &Value) {
    let effort = kind.rsplit('-').next().unwrap();
    let shows = |problem: &Value| {
        Problem::from_json(&problem.to_string()).is_ok()
            && catch_unwind(AssertUnwindSafe(|| findings(problem, &[effort])))
                .is_ok_and(|found| found.kinds.iter().any(|one| one == kind))
    };
    let least = smallest::of(problem, &shows);
    std::fs::write(format!("{directory}/{kind}-{number}.json"), least.to_string()).unwrap();
}

#[test]
fn plans_under_scarcity_are_near_the_best() {
    let problems = asked("STATISTICS_PROBLEMS", 150);
    let (seed, each) = (asked("STATISTICS_SEED", 1), asked("STATISTICS_EACH", 5));
    let pods = u32::try_from(asked("STATISTICS_PODS", 10)).unwrap();
    let directory = std::env::var("STATISTICS_KEEP").ok();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let (mut hard, mut sum, mut worst, mut compared) = (0_u64, 0.0, (1.0, 0), 0_u32);
    let mut sum_of_greedy = Duration::ZERO;
    let mut slowest = [(Duration::ZERO, 0); 3];
    for number in 0..problems {
        let number = seed.wrapping_mul(1_000_003).wrapping_add(number);
        let problem = scarce::made_from(number, pods);
        if let Ok(directory) = std::env::var("STATISTICS_WRITE") {
            std::fs::write(format!("{directory}/{number}.json"), problem.to_string()).unwrap();
        }
        let efforts = if asked("STATISTICS_GREEDY", 0) == 1 { &EFFORTS[..1] } else { &EFFORTS };
        let Ok(found) = catch_unwind(AssertUnwindSafe(|| findings(&problem, efforts))) else {
            println!("{number}: the search fails");
            *counts.entry("search".into()).or_insert(0) += 1;
            if let Some(directory) = &directory {
                let path = format!("{directory}/search-{number}.json");
                std::fs::write(path, problem.to_string()).unwrap();
            }
            continue;
        };
        hard += u64::from(found.hard);
        sum_of_greedy += found.times[0];
        if let Some(excess) = found.excess {
            (sum, compared) = (sum + excess - 1.0, compared + 1);
            worst = if excess > worst.0 { (excess, number) } else { worst };
        }
        for (slowest, time) in slowest.iter_mut().zip(found.times) {
            *slowest = (*slowest).max((time, number));
        }
        for kind in found.kinds {
            let count = counts.entry(kind.clone()).or_insert(0);
            *count += 1;
            if let Some(directory) = directory.as_ref().filter(|_| *count <= each) {
                keep(directory, &kind, number, &problem);
            }
        }
    }
    let judged = problems - hard;
    println!("{problems} problems of up to {pods} pods from seed {seed}, {hard} too hard to judge");
    let average = 100.0 * sum / f64::from(compared.max(1));
    println!(
        "greedy costs {average:.2} % more for the same pods, at worst {:.2} times ({})",
        worst.0, worst.1
    );
    let [greedy, refined, search] = slowest;
    println!("greedy plans together {sum_of_greedy:?}");
    println!("slowest greedily {greedy:?}, refined {refined:?}, the search {search:?}");
    for (kind, count) in &counts {
        let share = 100.0 * (*count as f64) / (judged.max(1) as f64);
        println!("{kind}: {count}, {share:.2} %");
    }
    assert!(hard * 20 <= problems, "{hard} of {problems} are too hard for the search");
}

#[test]
fn documents_that_are_given_are_judged() {
    let Ok(directory) = std::env::var("STATISTICS_DOCUMENTS") else { return };
    let entries = std::fs::read_dir(directory).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths.into_iter().filter(|path| path.extension().is_some_and(|is| is == "json")) {
        let problem = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let found = catch_unwind(AssertUnwindSafe(|| findings(&problem, &EFFORTS)));
        let said = found
            .map_or((vec!["search".to_string()], [None; 2]), |found| (found.kinds, found.costs));
        println!("{}: {said:?}", path.file_name().unwrap().to_string_lossy());
    }
}
