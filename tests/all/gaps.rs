//! Where a gap comes from, and what preferences and weights cost.

use plimsoll::question::RuleChange;
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
fn preferences_and_weights_cost_what_plans_without_them_save() {
    let options = Options::default();
    let preferences = || RuleChange::WithoutPreferences { pod: None };
    let effect = |problem: &Problem, change: RuleChange| {
        let solver = Solver::new(problem).unwrap();
        let plan = solver.provision(&options).unwrap();
        let effect = solver.effect_of(&plan, &[change], &options);
        assert!(effect.as_ref().map_or_else(|error| error.is_invalid_input(), |_| true));
        effect.ok().inspect(|effect| assert_eq!(effect.before.cost, plan.cost().total))
    };
    // One zone is dearer, and preferred.
    let dearer = case("prefer-node-dearer");
    let ignored = options.clone().with_preferences(plimsoll::PreferencePolicy::Ignore);
    let without = provision(&dearer, &ignored).unwrap().cost().total;
    let preferred = effect(&dearer, preferences()).unwrap();
    assert_eq!(preferred.after.cost, without);
    assert!(preferred.saves_without_loss(), "{preferred}");
    assert_eq!(effect(&dearer, RuleChange::WithoutWeights), None);
    let weighted = effect(&case("pool-weight"), RuleChange::WithoutWeights).unwrap();
    assert!(weighted.saves_without_loss(), "{weighted}");
    assert_eq!(effect(&case("pool-weight"), preferences()), None);
    // A taint that is only to be avoided is a preference too.
    let tainted = effect(&case("prefer-untainted-pool"), preferences()).unwrap();
    assert_eq!(tainted.before.unplaced, 0);
    // A plan that keeps more rules is legal where there are fewer: none of these costs more.
    for (name, problem) in problems() {
        for change in [preferences(), RuleChange::WithoutWeights] {
            let Some(effect) = effect(&problem, change) else { continue };
            assert!(effect.after.unplaced <= effect.before.unplaced, "{name}: {effect}");
            if effect.after.unplaced == effect.before.unplaced {
                assert!(effect.savings() >= Price::ZERO, "{name}: {effect}");
            }
        }
    }
}
