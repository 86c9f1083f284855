//! Questions about a plan, by flags, for the example `plan`.

use plimsoll::question::{RuleChange, Substitute};
use plimsoll::{Error, LaunchPlan, Options, Problem, Solver};
use std::sync::Arc;

/// What is said of the flags.
pub(crate) const USAGE: &str =
    "  --why POD       why a pod, \"namespace/name\", has no place, pool by pool, and what would give it one
  --why-not NAME  why no launch is of this instance type, zone, capacity type or node pool
  --cost-of RULE  what a rule costs per hour: spread, affinity, anti-affinity, node-rules or preferences of a
                  pod (spread:default/web), limit:POOL/RESOURCE, min-values:POOL/LABEL, weight:POOL,
                  reservation:ID, daemon-set:NAME; all preferences, all weights
  --supplies      what limits and reservations are used for, and what more of them is worth";

/// What is asked.
enum Question {
    Why(String),
    WhyNot(String),
    CostOf(RuleChange),
    Supplies,
}

/// The questions of a command line.
#[derive(Default)]
pub(crate) struct Questions(Vec<Question>);

impl Questions {
    /// Takes a word of the command line, and the next where it needs one; whether it was one of
    /// these flags.
    pub(crate) fn take(
        &mut self,
        word: &str,
        words: &mut impl Iterator<Item = String>,
    ) -> Result<bool, String> {
        let mut operand = || words.next().ok_or_else(|| format!("{word} needs a name"));
        self.0.push(match word {
            "--why" => Question::Why(operand()?),
            "--why-not" => Question::WhyNot(operand()?),
            "--cost-of" => Question::CostOf(change(&operand()?)?),
            "--supplies" => Question::Supplies,
            _ => return Ok(false),
        });
        Ok(true)
    }

    /// The answers, one after another; each solve that they take is by options made for it.
    pub(crate) fn answers(
        &self,
        solver: &Solver,
        problem: &Problem,
        plan: &LaunchPlan,
        options: &dyn Fn() -> Options,
    ) -> Result<Vec<String>, Error> {
        let mut answers = Vec::new();
        for question in &self.0 {
            let options = &options();
            answers.push(match question {
                Question::Why(pod) => {
                    let why = solver.why_unplaced(plan, pod, options)?;
                    let all = why.excluded.iter().map(|one| format!("\n{one}"));
                    format!("{why}\n{}", all.collect::<String>())
                }
                Question::WhyNot(name) => {
                    solver.why_not(plan, None, &substitute(problem, name), options)?.to_string()
                }
                Question::CostOf(change) => {
                    solver.effect_of(plan, std::slice::from_ref(change), options)?.to_string()
                }
                Question::Supplies => {
                    let uses = solver.supplies(plan, options)?;
                    let lines: Vec<String> = uses.iter().map(ToString::to_string).collect();
                    lines.join("\n")
                }
            });
        }
        Ok(answers)
    }
}

/// What a name is a name of.
fn substitute(problem: &Problem, name: &str) -> Substitute {
    let named: Option<Arc<str>> = Some(name.into());
    let offerings = || problem.instance_types().iter().flat_map(|one| one.offerings());
    if problem.node_pool(name).is_some() {
        Substitute { node_pool: named, ..Substitute::default() }
    } else if offerings().any(|one| one.zone() == name) {
        Substitute { zone: named, ..Substitute::default() }
    } else if let Ok(capacity_type) = name.parse() {
        Substitute { capacity_type: Some(capacity_type), ..Substitute::default() }
    } else {
        Substitute { instance_type: named, ..Substitute::default() }
    }
}

/// The change that leaves a rule out.
fn change(rule: &str) -> Result<RuleChange, String> {
    let (kind, of) = rule.split_once(':').unwrap_or((rule, ""));
    let of_pool = || of.split_once('/').unwrap_or((of, ""));
    let pod: Arc<str> = if of.contains('/') { of.into() } else { format!("default/{of}").into() };
    Ok(match kind {
        "spread" => RuleChange::WithoutSpread { pod: Some(pod), key: None },
        "affinity" => RuleChange::WithoutPodAffinity { pod, key: None },
        "anti-affinity" => RuleChange::WithoutPodAntiAffinity { pod: Some(pod), key: None },
        "node-rules" => RuleChange::WithoutLabelRule { pod, key: None },
        "preferences" => RuleChange::WithoutPreferences { pod: (!of.is_empty()).then_some(pod) },
        "limit" => {
            let (node_pool, resource) = of_pool();
            RuleChange::Limit { node_pool: node_pool.into(), resource: resource.into(), to: None }
        }
        "min-values" => {
            let (node_pool, key) = of_pool();
            RuleChange::MinValues { node_pool: node_pool.into(), key: key.into(), to: 0 }
        }
        "weights" => RuleChange::WithoutWeights,
        "weight" => RuleChange::Weight { node_pool: of.into(), to: 0 },
        "reservation" => RuleChange::Reservation { id: of.into(), to: 0 },
        "daemon-set" => RuleChange::WithoutDaemonSet { name: of.into() },
        other => return Err(format!("--cost-of: {other:?} is no kind of rule\n{USAGE}")),
    })
}
