//! Disruption budgets of pods.
//!
//! Kubernetes' `PodDisruptionBudget` with what its controller has worked out: how many pods may go
//! down *now*. A consolidation evicts no more than that at a time, and lets pods come up again
//! between waves.
//!
//! Source: <https://kubernetes.io/docs/tasks/run-application/configure-pdb/>.

use crate::model::LabelSelector;
use std::sync::Arc;

/// A limit on how many pods of a set may be down at a time.
///
/// # Examples
/// ```
/// use plimsoll::Problem;
/// use plimsoll::model::{LabelSelector, PodDisruptionBudget};
///
/// // One more pod of "db" may go down.
/// let selector = LabelSelector::new().with_label("app", "db");
/// let budget = PodDisruptionBudget::new("db", selector, 1).with_namespace("data");
/// let problem = Problem::builder().pod_disruption_budget(budget).build()?;
/// assert_eq!(problem.pod_disruption_budgets()[0].disruptions_allowed, 1);
/// # Ok::<(), plimsoll::Error>(())
/// ```
///
/// A pod that several budgets select isn't evicted at all, as Kubernetes' eviction API has it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PodDisruptionBudget {
    /// The budget's name, unique in its namespace.
    pub name: Arc<str>,
    /// Whose pods it guards.
    pub namespace: Arc<str>,
    /// Which pods; `None` matches none.
    pub selector: Option<LabelSelector>,
    /// How many more may go down now.
    ///
    /// `status.disruptionsAllowed` of the object; 0 holds every node with one of its pods.
    pub disruptions_allowed: u32,
}

impl PodDisruptionBudget {
    /// A budget for the selected pods of the namespace "default", with so many disruptions left.
    #[must_use]
    pub fn new(
        name: impl Into<Arc<str>>,
        selector: LabelSelector,
        disruptions_allowed: u32,
    ) -> Self {
        Self {
            name: name.into(),
            namespace: "default".into(),
            selector: Some(selector),
            disruptions_allowed,
        }
    }

    /// Puts the budget in a namespace.
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<Arc<str>>) -> Self {
        self.namespace = namespace.into();
        self
    }
}
