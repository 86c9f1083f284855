//! Where a gap comes from, and what preferences and weights cost.

use plimsoll::{Effort, LaunchPlan, Limits, Options, Price, Problem, Solver, provision};
use std::path::Path;

/// The problems of all cases, by name.
fn problems() -> Vec<(String, Problem)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/cases");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let read = |path: std::path::PathBuf| {
        let case: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        Some((name, Problem::from_json(&case["problem"].to_string()).ok()?))
    };
    let mut problems: Vec<(String, Problem)> = files.filter_map(read).collect();
    problems.sort_by(|(a, _), (b, _)| a.cmp(b));
    problems
}

fn case(name: &str) -> Problem {
    problems().into_iter().find(|(own, _)| own == name).unwrap().1
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The parts of a gap add up to it: the proof has no charges but for launches, and its bound is
/// rounded up to what all prices are multiples of.
fn adds_up(name: &str, problem: &Problem, plan: &LaunchPlan) -> bool {
    let Some(sources) = plan.gap_sources(problem) else { return false };
    let certificate = plan.certificate().unwrap();
    let plain = certificate.exhausted.is_none()
        && problem.nodes().is_empty()
        && problem.node_pools().iter().all(|pool| pool.replicas().is_none());
    let charged = certificate.limits.iter().any(|limit| limit.price > 0)
        || certificate.reservations.iter().any(|one| one.price > 0);
    if !plain || charged {
        return false;
    }
    let offerings = problem.instance_types().iter().flat_map(|kind| kind.offerings());
    let step = offerings.fold(0, |step, offering| gcd(step, offering.price().nanos()));
    let gap = plan.cost().total.nanos() - plan.cost().lower_bound.nanos();
    let rounding = i128::try_from(plan.launches().len() + sources.pods.len()).unwrap() + 1;
    let launches: i128 = sources.launches.iter().map(|one| one.excess.nanos()).sum();
    let pods: i128 = sources.pods.iter().map(|one| one.excess.nanos()).sum();
    let over = launches - gap;
    assert!(over >= -rounding && over <= step + rounding, "{name}: {launches} of {gap}");
    let nodes: usize = sources.launches.iter().map(|one| one.nodes).sum();
    assert_eq!(nodes, plan.launches().len(), "{name}");
    // Each pod is of a kind that the proof values, so the pods have all of the excess.
    let placed: usize = plan.launches().iter().map(|launch| launch.pods().len()).sum();
    let named: usize = sources.pods.iter().map(|one| one.pods).sum();
    if named == placed {
        assert!((pods - launches).abs() <= rounding, "{name}: {pods} of {launches}");
    }
    true
}

#[test]
fn the_parts_of_a_gap_add_up_to_it() {
    let mut checked = 0;
    for (name, problem) in problems() {
        let plan = provision(&problem, &Options::default()).unwrap();
        checked += u32::from(adds_up(&name, &problem, &plan));
    }
    assert!(checked >= 20, "{checked} cases have a gap to be looked at");
    let problem = plimsoll_testdata::problem("web-small").unwrap();
    let plan = provision(&problem, &Options::default()).unwrap();
    let _charged = adds_up("web-small", &problem, &plan);
    let text = plan.gap_sources(&problem).unwrap().to_string();
    assert!(text.starts_with("most of the gap is on ") && text.lines().count() == 2, "{text}");
}

#[test]
fn a_plan_that_is_proved_the_cheapest_has_no_gap() {
    let problem = case("price-halves");
    let effort = Effort::Refine(Limits::default());
    let plan = provision(&problem, &Options::default().with_effort(effort)).unwrap();
    assert_eq!(plan.cost().gap_millionths(), 0);
    assert_eq!(plan.gap_sources(&problem), None);
}

#[test]
fn premiums_are_what_plans_without_save() {
    let options = Options::default();
    let premiums = |name: &str| Solver::new(&case(name)).unwrap().premiums(&options).unwrap();
    // One zone is dearer, and preferred.
    let preferred = premiums("prefer-node-dearer");
    let ignored = options.clone().with_preferences(plimsoll::PreferencePolicy::Ignore);
    let without = provision(&case("prefer-node-dearer"), &ignored).unwrap().cost().total;
    assert_eq!(preferred.preferences.unwrap().nanos(), preferred.cost.nanos() - without.nanos());
    assert!(preferred.preferences.unwrap() > Price::ZERO);
    assert_eq!(preferred.weights, Some(Price::ZERO));
    assert!(preferred.to_string().starts_with("preferences cost "), "{preferred}");
    let weighted = premiums("pool-weight");
    assert!(weighted.weights.unwrap() > Price::ZERO, "{weighted:?}");
    assert_eq!(weighted.preferences, Some(Price::ZERO));
    let plain = premiums("price-halves");
    assert_eq!(plain.to_string(), "");
    // Where a preference leaves pods out nothing can be compared, and nothing is said.
    for (name, problem) in problems() {
        let solver = Solver::new(&problem).unwrap();
        let premiums = solver.premiums(&options).unwrap();
        let plan = solver.provision(&options).unwrap();
        assert_eq!(premiums.cost, plan.cost().total, "{name}");
        let most = premiums.preferences.max(premiums.weights).unwrap_or(Price::ZERO);
        assert!(most >= Price::ZERO && most <= premiums.cost, "{name}");
    }
}
