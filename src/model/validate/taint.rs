//! Taints and tolerations: Kubernetes' own validation of both.
//!
//! Source: `validateTaints` and `ValidateTolerations` of
//! <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/validation/validation.go>.

use super::name;
use crate::model::fault::{Faults, Path, quoted};
use crate::model::{Effect, Taint, Toleration, TolerationOperator};
use std::collections::BTreeSet;

/// Checks the taints of a node or pool.
pub(super) fn taints(taints: &[Taint], path: &Path<'_>, faults: &mut Faults) {
    let mut seen = BTreeSet::new();
    for (i, taint) in taints.iter().enumerate() {
        let at = path.item(i);
        name::label_key(&taint.key, &at.field("key"), faults);
        name::label_value(&taint.value, &at.field("value"), faults);
        if !seen.insert((&taint.key, taint.effect)) {
            faults.add(&at, "a second taint of this key and effect", "one for each pair");
        }
    }
}

/// Checks a pod's tolerations.
pub(super) fn tolerations(tolerations: &[Toleration], path: &Path<'_>, faults: &mut Faults) {
    for (i, toleration) in tolerations.iter().enumerate() {
        let at = path.item(i);
        let value = &*toleration.value;
        if toleration.key.is_empty() {
            if toleration.operator != TolerationOperator::Exists {
                faults.add(&at.field("operator"), "an operator without a key", "Exists, or a key");
            }
        } else {
            name::label_key(&toleration.key, &at.field("key"), faults);
        }
        match toleration.operator {
            TolerationOperator::Equal => name::label_value(value, &at.field("value"), faults),
            TolerationOperator::Exists if value.is_empty() => {}
            TolerationOperator::Exists => {
                faults.add(&at.field("value"), quoted(value), "no value with Exists");
            }
            TolerationOperator::Gt | TolerationOperator::Lt => {
                // Written as integers are, without zeros before it and without a plus, as the API
                // has it.
                if value.parse::<i64>().map(|number| number.to_string()).as_deref() != Ok(value) {
                    faults.add(&at.field("value"), quoted(value), "an integer with Gt and Lt");
                }
            }
        }
        if toleration.toleration_seconds.is_some() && toleration.effect != Some(Effect::NoExecute) {
            faults.add(
                &at.field("tolerationSeconds"),
                "seconds without the effect NoExecute",
                "the effect NoExecute, or no seconds",
            );
        }
    }
}
