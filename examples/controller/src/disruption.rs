//! Nodes that are to go: their replacements are launched, then they are cordoned, drained by
//! evictions, and their claims deleted, which has Karpenter end the machines.
//!
//! A consolidation was decided for the cluster as it was then. Launching takes minutes, so before a
//! node is drained the question is asked again, as a what-if: do its pods have a place without it?
//! Where they don't any more, or a pod has come that may not be disrupted, the node stays.

use crate::cluster::{Cluster, NODE, NODE_CLAIM};
use crate::controller::Action;
use crate::object::{is_true, name, namespace};
use plimsoll::k8s::evictions;
use plimsoll::plan::consolidation::ConsolidationAction;
use plimsoll::{Error, Options, Problem, WhatIf};
use std::collections::{BTreeMap, BTreeSet};

/// One action of a consolidation's first wave, while it is carried out.
#[derive(Clone, Debug)]
pub struct Disruption {
    /// What the library decided: who goes, and why.
    action: ConsolidationAction,
    /// The nodes that go, with their claims.
    nodes: BTreeMap<String, String>,
    /// How many of its launches have no claim yet.
    unanswered: usize,
    replacements: BTreeSet<String>,
    draining: bool,
    deadline: i64,
}

/// What came of a look at a disruption.
#[derive(Debug)]
pub enum Step {
    /// It goes on, with these.
    Goes(Vec<Action>),
    /// It is over, with these.
    Ends(Vec<Action>),
}

impl Disruption {
    /// An action to carry out until a deadline; nothing where one of its nodes has no claim, so
    /// that nobody would end its machine.
    #[must_use]
    pub fn new(action: &ConsolidationAction, cluster: &Cluster, deadline: i64) -> Option<Self> {
        let of_node = |node: &std::sync::Arc<str>| {
            Some((node.to_string(), name(cluster.claim_of(node)?).to_owned()))
        };
        let nodes: Option<_> = action.delete.iter().map(of_node).collect();
        Some(Self {
            action: action.clone(),
            nodes: nodes?,
            unanswered: action.launches.len(),
            replacements: BTreeSet::new(),
            draining: false,
            deadline,
        })
    }

    /// One of its launches has a claim.
    pub fn launched(&mut self, claim: &str) {
        self.unanswered = self.unanswered.saturating_sub(1);
        let _new = self.replacements.insert(claim.to_owned());
    }

    /// One of its launches was refused: it ends when it is looked at next.
    pub fn refused(&mut self) {
        self.deadline = i64::MIN;
    }

    /// What to do now. `what_if` is of the problem that the cluster comes to.
    ///
    /// # Errors
    /// Those of a solve.
    pub fn step(
        &mut self,
        cluster: &Cluster,
        problem: &Problem,
        what_if: &WhatIf,
        options: &Options,
        now: i64,
    ) -> Result<Step, Error> {
        if !self.draining {
            let claims = || self.replacements.iter().map(|one| cluster.get(NODE_CLAIM, "", one));
            let ready = self.unanswered == 0
                && claims().all(|claim| claim.is_some_and(|one| is_true(one, "Initialized")));
            let lost = claims().any(|claim| claim.is_none());
            return Ok(match (ready, lost || now >= self.deadline) {
                (true, _) if self.is_still_right(problem, what_if, options)? => {
                    self.draining = true;
                    Step::Goes(self.each_node(|node, _| Action::Cordon { node, yes: true }))
                }
                (true, _) | (_, true) => Step::Ends(Vec::new()),
                (false, false) => Step::Goes(Vec::new()),
            });
        }
        let left = evictions(problem, &self.action);
        if left.is_empty() {
            let reason = format!("{:?}", self.action.reason);
            return Ok(Step::Ends(
                self.each_node(|_, claim| Action::DeleteClaim { claim, reason: reason.clone() }),
            ));
        }
        if now >= self.deadline {
            return Ok(Step::Ends(self.each_node(|node, _| Action::Cordon { node, yes: false })));
        }
        // A pod that is on its way out already isn't evicted again.
        let leaves = |eviction: &k8s_openapi::api::policy::v1::Eviction| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let (space, pod) = (text(&eviction.metadata.namespace), text(&eviction.metadata.name));
            self.nodes.keys().flat_map(|node| cluster.pods_on(node)).any(|one| {
                namespace(one) == space
                    && name(one) == pod
                    && !one["metadata"]["deletionTimestamp"].is_null()
            })
        };
        let left = left.into_iter().filter(|eviction| !leaves(eviction));
        Ok(Step::Goes(left.map(|one| Action::Evict(Box::new(one))).collect()))
    }

    fn each_node(&self, action: impl Fn(String, String) -> Action) -> Vec<Action> {
        self.nodes.iter().map(|(node, claim)| action(node.clone(), claim.clone())).collect()
    }

    /// Whether all pods of the nodes may go and have a place without them, with nothing launched.
    fn is_still_right(
        &self,
        problem: &Problem,
        what_if: &WhatIf,
        options: &Options,
    ) -> Result<bool, Error> {
        let on = |node: Option<&str>| node.is_some_and(|node| self.nodes.contains_key(node));
        let held = problem.pods().iter().any(|pod| on(pod.node_name()) && pod.do_not_disrupt());
        let there = self.nodes.keys().all(|node| {
            problem.node(node).is_some_and(|one| !one.do_not_disrupt() && !one.deleting())
        });
        if held || !there {
            return Ok(false);
        }
        let before = what_if.provision(options)?;
        let mut without = what_if.clone();
        for node in self.nodes.keys() {
            without = without.without_node(node)?;
        }
        let after = without.provision(options)?;
        Ok(after.launches().len() <= before.launches().len()
            && after.unschedulable().len() <= before.unschedulable().len())
    }

    /// The nodes that go, for who asks.
    pub fn nodes(&self) -> impl Iterator<Item = &str> {
        self.nodes.keys().map(String::as_str)
    }

    /// Whether any of its nodes is there still.
    #[must_use]
    pub fn is_there(&self, cluster: &Cluster) -> bool {
        self.nodes.keys().any(|node| cluster.get(NODE, "", node).is_some())
    }
}
