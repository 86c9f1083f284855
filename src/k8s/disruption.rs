//! Disruption budgets: how many pods of a set may go down now.
//!
//! A cluster works that out and says it in the status. A manifest says how many must stay; then it
//! is worked out here, as Kubernetes does: percentages of the pods that the selector finds, rounded
//! up, and of these pods those that are ready.
//!
//! Source: <https://kubernetes.io/docs/tasks/run-application/configure-pdb/>.

use super::dump::Entry;
use super::fields::DISRUPTION_BUDGET;
use super::pod::namespace;
use super::report::Findings;
use crate::model::document::read::{Cursor, text};
use crate::model::document::selector::read_selector;
use crate::model::document::value::Value;
use crate::model::fault::{Faults, Path};
use crate::model::{LabelSelector, Labels, Pod, PodDisruptionBudget, SelectorOperator};
use std::sync::Arc;

/// A pod that budgets may count, with whether it is ready.
#[derive(Debug)]
pub(super) struct BudgetedPod<'a> {
    pub(super) pod: &'a Pod,
    pub(super) ready: bool,
}

/// A number, or a percentage.
#[derive(Clone, Copy, Debug)]
enum Amount {
    Count(u64),
    Percent(u64),
}

/// Reads a budget.
pub(super) fn budget(
    entry: &Entry,
    pods: &[BudgetedPod<'_>],
    findings: &mut Findings,
) -> PodDisruptionBudget {
    let path = Path::Text("spec");
    let empty = Value::Map(Vec::new());
    let mut fields = Cursor {
        value: entry.tree.get("spec").unwrap_or(&empty),
        path: &path,
        faults: &mut findings.faults,
    }
    .object_beside(DISRUPTION_BUDGET.0, DISRUPTION_BUDGET.1);
    let selector = fields.optional("selector", read_selector);
    let least = fields.optional("minAvailable", read_amount);
    let most = fields.optional("maxUnavailable", read_amount);
    if fields.optional("unhealthyPodEvictionPolicy", text).as_deref() == Some("AlwaysAllow") {
        findings.note(
            "spec.unhealthyPodEvictionPolicy",
            "pods that aren't ready are held to the budget too",
        );
    }
    // The first version reads an empty selector as one that finds nothing.
    let selects_none = |selector: &LabelSelector| {
        &*entry.version == "v1beta1"
            && selector.match_labels.is_empty()
            && selector.match_expressions.is_empty()
    };
    let selector = selector.filter(|selector| !selects_none(selector));
    let namespace = namespace(entry);
    let allowed = match entry.tree.find(&["status", "disruptionsAllowed"]) {
        Some(Value::Integer(number)) => u32::try_from(*number).unwrap_or(0),
        _ => {
            let found = |counted: &&BudgetedPod<'_>| {
                counted.pod.namespace == namespace
                    && selector.as_ref().is_some_and(|one| selects(one, &counted.pod.labels))
            };
            let found: Vec<_> = pods.iter().filter(found).collect();
            let count = |ready_only: bool| -> u64 {
                let counted = found.iter().filter(|counted| counted.ready || !ready_only);
                counted.map(|counted| u64::from(counted.pod.replicas)).sum()
            };
            let (all, ready) = (count(false), count(true));
            let message = match all {
                0 => "no status, and it selects none of the pods here".into(),
                _ => format!("no status: worked out from the {all} pods here that it selects"),
            };
            findings.note("status.disruptionsAllowed", message);
            let healthy = match (least, most) {
                (Some(least), _) => least.of(all),
                (None, Some(most)) => all.saturating_sub(most.of(all)),
                // As Kubernetes: a budget that says nothing lets none go.
                (None, None) => all,
            };
            u32::try_from(ready.saturating_sub(healthy)).unwrap_or(u32::MAX)
        }
    };
    PodDisruptionBudget {
        name: Arc::clone(&entry.id.name),
        namespace,
        selector,
        disruptions_allowed: allowed,
    }
}

impl Amount {
    /// So many of `all`, a percentage rounded up.
    fn of(self, all: u64) -> u64 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => all.saturating_mul(percent).div_ceil(100),
        }
    }
}

fn read_amount(cursor: Cursor<'_>) -> Option<Amount> {
    let expected = "a number that isn't negative, or a percentage such as 20%";
    let amount = match cursor.value {
        Value::Integer(number) => u64::try_from(*number).ok().map(Amount::Count),
        Value::Text(text) => match text.strip_suffix('%') {
            Some(percent) => percent.parse().ok().map(Amount::Percent),
            None => text.parse().ok().map(Amount::Count),
        },
        _ => None,
    };
    amount.or_else(|| cursor.wrong(expected))
}

/// Whether a selector finds a pod with these labels.
pub(super) fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    let has = |key: &str, value: &Arc<str>| labels.get(key).is_some_and(|own| own == value);
    selector.match_labels.iter().all(|(key, value)| has(key, value))
        && selector.match_expressions.iter().all(|one| {
            let own = labels.get(&one.key);
            match one.operator {
                SelectorOperator::In => own.is_some_and(|own| one.values.contains(own)),
                SelectorOperator::NotIn => own.is_none_or(|own| !one.values.contains(own)),
                SelectorOperator::Exists => own.is_some(),
                SelectorOperator::DoesNotExist => own.is_none(),
            }
        })
}

/// Reads the namespaces' own labels.
pub(super) fn namespace_of(entry: &Entry, faults: &mut Faults) -> crate::model::Namespace {
    let path = Path::Text("metadata.labels");
    let labels = entry.tree.find(&["metadata", "labels"]).and_then(|value| {
        crate::model::document::read::labels(Cursor { value, path: &path, faults })
    });
    crate::model::Namespace { name: Arc::clone(&entry.id.name), labels: labels.unwrap_or_default() }
}
