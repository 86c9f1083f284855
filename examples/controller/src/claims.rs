//! What became of the claims that were created, told to a history of offerings.
//!
//! A claim names many offerings, of which the cloud takes one. One that is launched says which, by
//! its labels. One that is deleted before, by Karpenter, found no capacity in any of them.

use crate::object::{condition, label, name, since};
use plimsoll::history::{FailureScope, HistoryPolicy, OfferingHistory};
use plimsoll::model::OfferingKey;
use serde_json::Value;
use std::collections::BTreeMap;

/// Claims that aren't launched yet, and what was learnt of those before.
#[derive(Clone, Debug)]
pub struct Claims {
    waiting: BTreeMap<String, Vec<OfferingKey>>,
    history: OfferingHistory,
}

impl Claims {
    /// None yet.
    #[must_use]
    pub fn new(policy: HistoryPolicy) -> Self {
        Self { waiting: BTreeMap::new(), history: OfferingHistory::new(policy) }
    }

    /// What was learnt.
    #[must_use]
    pub fn history(&self) -> &OfferingHistory {
        &self.history
    }

    /// A claim was created that can become any of these.
    pub fn created(&mut self, claim: &str, offerings: Vec<OfferingKey>) {
        let _former = self.waiting.insert(claim.to_owned(), offerings);
    }

    /// A claim as it is now, in the second `now`.
    pub fn seen(&mut self, claim: &Value, now: i64) {
        let Some(launched) = condition(claim, "Launched") else { return };
        let key = || {
            Some(OfferingKey::new(
                label(claim, "node.kubernetes.io/instance-type")?,
                label(claim, "topology.kubernetes.io/zone")?,
                label(claim, "karpenter.sh/capacity-type")?.parse().ok()?,
            ))
        };
        if launched["status"] == "True"
            && let Some(key) = key()
            && self.waiting.remove(name(claim)).is_some()
        {
            self.history.launched(&key, 1, since(launched).unwrap_or(now));
        }
    }

    /// A claim is gone, in the second `now`; whether it was never launched.
    pub fn gone(&mut self, claim: &Value, now: i64) -> bool {
        let Some(offerings) = self.waiting.remove(name(claim)) else { return false };
        for offering in &offerings {
            self.history.failed(offering, 1, FailureScope::Offering, now);
        }
        true
    }

    /// A claim is given up by this controller: that says nothing of its offerings.
    pub fn given_up(&mut self, claim: &str) {
        let _offerings = self.waiting.remove(claim);
    }
}
