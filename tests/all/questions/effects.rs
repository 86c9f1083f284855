//! What rules cost: without a rule a plan is never worse, and the answer is what a plan for the
//! problem without it comes to.

use super::Draw;
use crate::random::scarce;
use crate::statistics::asked;
use plimsoll::question::RuleChange;
use plimsoll::{Options, Pod, PreferencePolicy, Problem, Solver, provision, verify};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The rules of a problem, each as the change that leaves it out.
fn rules(problem: &Problem) -> Vec<RuleChange> {
    let mut rules = Vec::new();
    let entry = |pod: &Pod| -> Arc<str> { format!("{}/{}", pod.namespace(), pod.name()).into() };
    for pod in problem.pods().iter().filter(|pod| pod.node_name().is_none()) {
        for spread in pod.topology_spread_constraints() {
            rules.push(RuleChange::WithoutSpread {
                pod: Some(entry(pod)),
                key: Some(spread.topology_key.clone()),
            });
        }
        let Some(affinity) = pod.affinity() else { continue };
        if !affinity.pod_affinity.required.is_empty() {
            rules.push(RuleChange::WithoutPodAffinity { pod: entry(pod), key: None });
        }
        if !affinity.pod_anti_affinity.required.is_empty() {
            rules.push(RuleChange::WithoutPodAntiAffinity { pod: Some(entry(pod)), key: None });
        }
        if affinity.node_affinity.required.is_some() || !pod.node_selector().is_empty() {
            rules.push(RuleChange::WithoutLabelRule { pod: entry(pod), key: None });
        }
    }
    for pool in problem.node_pools() {
        for (resource, _) in pool.limits().iter() {
            rules.push(RuleChange::Limit {
                node_pool: pool.name().into(),
                resource: resource.clone(),
                to: None,
            });
        }
        if pool.weight() != 0 && pool.replicas().is_none() {
            rules.push(RuleChange::Weight { node_pool: pool.name().into(), to: 0 });
        }
    }
    for daemon in problem.daemon_sets() {
        rules.push(RuleChange::WithoutDaemonSet { name: daemon.name().into() });
    }
    rules
}

#[test]
fn without_a_rule_a_plan_is_never_worse() {
    let wanted = asked("QUESTIONS_EFFECTS", 300);
    let mut options = Options::default();
    options.preferences = PreferencePolicy::Ignore;
    let (mut drawn, mut right, mut number) = (0, 0, asked("STATISTICS_SEED", 1) * 11_000_003);
    let mut kinds: BTreeMap<String, (u32, u32, u32)> = BTreeMap::new();
    while drawn < wanted {
        number += 1;
        let problem = Problem::from_json(&scarce::made_from(number, 10).to_string()).unwrap();
        let solver = Solver::new(&problem).unwrap();
        let plan = solver.provision(&options).unwrap();
        let rules = rules(&problem);
        if rules.is_empty() {
            continue;
        }
        let rule = rules[Draw(number).below(rules.len())].clone();
        let effect = solver.effect_of(&plan, std::slice::from_ref(&rule), &options).unwrap();
        assert!(effect.to_string().lines().count() <= 3, "{effect}");
        // The answer is what a plan comes to: that for the changed problem, or the plan itself.
        let changed = rule.apply(&problem).unwrap();
        let other = provision(&changed, &options).unwrap();
        let _verified = verify(&changed, &other).unwrap();
        let found = (other.unschedulable().len() as u64, other.cost().total);
        let after = (effect.after.unplaced, effect.after.cost);
        let before = (effect.before.unplaced, effect.before.cost);
        assert!(after == found || after == before, "{number}: {effect}");
        assert!(after <= found, "{number}: {effect}");
        drawn += 1;
        let is_true = after <= before;
        right += u64::from(is_true);
        let debug = format!("{rule:?}");
        let kind = debug.split_whitespace().next().unwrap().to_owned();
        let count = kinds.entry(kind).or_default();
        count.0 += 1;
        count.1 += u32::from(is_true);
        count.2 += u32::from(after < before);
        if !is_true {
            println!("{number}: {effect}");
        }
    }
    println!("{right} of {drawn} rules cost nothing or something");
    for (kind, (count, right, cost)) in kinds {
        println!("{kind}: {right} of {count}, {cost} cost something");
    }
    assert!(right * 100 >= drawn * 98, "{right} of {drawn} rules cost nothing or something");
}
