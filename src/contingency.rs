//! What is bought instead if an offering of a plan fails.
//!
//! By the time a cloud says that it has no more of one offering, the launches of the others are on
//! their way. So the question isn't what a new plan without the offering would be, but what is left
//! to buy beside the launches that hold: these become nodes that are starting, what they draw of
//! reservations is taken, the offering that failed is sold out, and all pods of the plan are still
//! pending. That is a what-if, and its plan is the contingency. It is what a controller would
//! decide after the failure, so it can be asked before, to see what a failure would cost, or to
//! have the answer ready.

use crate::error::{Error, InvalidInput};
use crate::model::{InstanceType, Node, OfferingKey, Price};
use crate::options::Options;
use crate::plan::{Launch, LaunchPlan};
use crate::solver::Solver;
use crate::what_if::WhatIf;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is bought instead if an offering of a plan fails: made by [`Solver::contingency`].
///
/// It compares two plans of the same pods: the one that was made, and the one that is left if every
/// launch of one offering fails. Both are complete; [`Contingency::extra`] is what the failure
/// costs.
///
/// A controller asks for it when a plan leans on one offering, to show how bad its absence would
/// be, or to have the next requests at hand while the first are under way.
#[derive(Clone, Debug)]
#[must_use]
pub struct Contingency {
    failed: OfferingKey,
    lost: u32,
    nodes: BTreeMap<Arc<str>, usize>,
    what_if: WhatIf,
    plan: LaunchPlan,
    total: Price,
    extra: Price,
}

impl Solver {
    /// What is bought instead if an offering fails that a plan of this problem launches nodes of,
    /// while its other launches succeed.
    ///
    /// # Errors
    /// A launch of the plan is of an instance type that the problem doesn't have
    /// ([`Error::is_invalid_input`]), or as [`Solver::provision`].
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::{CapacityType, OfferingKey};
    /// use plimsoll::{
    ///     InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, Solver, verify,
    /// };
    ///
    /// let size = |cpu: &str| Resources::parse([("cpu", cpu), ("pods", "29")]);
    /// let spot = |price: &str| Ok::<_, plimsoll::model::ParsePriceError>(
    ///     Offering::spot("eu-1a", price.parse()?)
    /// );
    /// let problem = Problem::builder()
    ///     .pod(Pod::new("db").with_requests(Resources::parse([("cpu", "7")])?))
    ///     .pod(Pod::new("web").with_requests(Resources::parse([("cpu", "1500m")])?))
    ///     .instance_type(InstanceType::new("m.large", size("2")?).with_offering(spot("0.03")?))
    ///     .instance_type(InstanceType::new("m.xlarge", size("4")?).with_offering(spot("0.07")?))
    ///     .instance_type(InstanceType::new("m.2xlarge", size("8")?).with_offering(spot("0.12")?))
    ///     .node_pool(NodePool::new("default"))
    ///     .build()?;
    /// let solver = Solver::new(&problem)?;
    /// let options = Options::default();
    /// let plan = solver.provision(&options)?;
    /// assert_eq!(plan.cost().total.to_string(), "0.15");
    ///
    /// // Without any m.large the pod of "web" needs an m.xlarge.
    /// let large = OfferingKey::new("m.large", "eu-1a", CapacityType::Spot);
    /// assert_eq!(plan.offerings().get(&large), Some(&1));
    /// let contingency = solver.contingency(&plan, &large, &options)?;
    /// assert_eq!((contingency.lost(), contingency.extra().to_string()), (1, "0.04".into()));
    /// assert_eq!(contingency.plan().launches().len(), 1);
    /// assert!(verify(&contingency.what_if().problem(), contingency.plan()).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn contingency(
        &self,
        plan: &LaunchPlan,
        failed: &OfferingKey,
        options: &Options,
    ) -> Result<Contingency, Error> {
        let fails = |launch: &Launch| launch.template().offering.key() == *failed;
        let mut what_if = self.what_if();
        let given = what_if.problem();
        let prefix = free_prefix(|name| given.node(name).is_some(), plan.launches().len());
        let (mut lost, mut kept) = (0_u32, Price::ZERO);
        let mut nodes = BTreeMap::new();
        let mut drawn: BTreeMap<&Arc<str>, u32> = BTreeMap::new();
        for (index, launch) in plan.launches().iter().enumerate() {
            if fails(launch) {
                lost = lost.saturating_add(1);
                continue;
            }
            let offering = &launch.template().offering;
            let of_type = given.instance_type(&offering.instance_type).ok_or_else(|| {
                let path = format!("launches[{index}].offering.instanceType");
                let problem = format!("{:?} isn't one of the problem", offering.instance_type);
                Error::invalid(vec![InvalidInput::new(path, problem, "a plan of this problem")])
            })?;
            let name: Arc<str> = format!("{prefix}{index}").into();
            what_if = what_if.with_node(starting(launch, name.clone(), of_type))?;
            let _new = nodes.insert(name, index);
            if let Some(reservation) = &offering.reservation {
                let drawn = drawn.entry(reservation).or_default();
                *drawn = drawn.saturating_add(1);
            }
            let each = offering.price.nanos().saturating_add(options.objective.node_fee.nanos());
            kept = Price::from_nanos(kept.nanos().saturating_add(each));
        }
        what_if = what_if.with_draws(&drawn).without(failed);
        let instead = what_if.provision(options)?;
        let total = kept.nanos().saturating_add(instead.cost().total.nanos());
        let extra = total.saturating_sub(plan.cost().total.nanos());
        Ok(Contingency {
            failed: failed.clone(),
            lost,
            nodes,
            what_if,
            plan: instead,
            total: Price::from_nanos(total),
            extra: Price::from_nanos(extra),
        })
    }
}

/// What names of nodes begin with of which none is taken.
///
/// Names of nodes in the what-if must not be those of nodes that are there; a plan says nothing of
/// names, so they are made up here.
fn free_prefix(is_taken: impl Fn(&str) -> bool, count: usize) -> String {
    let mut prefix = String::from("launch-");
    while (0..count).any(|index| is_taken(&format!("{prefix}{index}"))) {
        prefix.push_str("x-");
    }
    prefix
}

/// A launch as the node that it becomes.
///
/// It hasn't started, so its startup taints keep nobody away, and pending pods may be bound to it.
fn starting(launch: &Launch, name: Arc<str>, of_type: &InstanceType) -> Node {
    let template = launch.template();
    let mut node = Node::new(name, of_type.allocatable())
        .with_price(template.offering.price)
        .with_initialized(false);
    for (key, value) in template.labels.iter() {
        node = node.with_label(key.clone(), value.clone());
    }
    for (driver, limit) in of_type.volume_limits() {
        node = node.with_volume_limit(driver.clone(), *limit);
    }
    let taints = template.taints.iter().chain(&template.startup_taints);
    taints.fold(node, |node, taint| node.with_taint(taint.clone()))
}

impl Contingency {
    /// The offering that is taken to fail.
    #[must_use]
    pub fn failed(&self) -> &OfferingKey {
        &self.failed
    }

    /// How many launches of the plan fail then.
    ///
    /// Zero where the plan doesn't buy it: then the contingency is the plan, with its launches as
    /// nodes.
    #[must_use]
    pub fn lost(&self) -> u32 {
        self.lost
    }

    /// What is launched instead, and where all pods of the plan go then: bindings are to launches
    /// that succeeded, as [`Contingency::nodes`] calls them, or to nodes of the problem.
    pub fn plan(&self) -> &LaunchPlan {
        &self.plan
    }

    /// The launches that succeeded: what the contingency calls their nodes, and their places in the
    /// plan's launches.
    ///
    /// Names are made up, and differ from those of all nodes of the problem.
    #[must_use]
    pub fn nodes(&self) -> &BTreeMap<Arc<str>, usize> {
        &self.nodes
    }

    /// What is paid per hour then, for the launches that succeeded and for those instead, fees
    /// included.
    ///
    /// Running nodes of the problem aren't in it, as they aren't in a plan's total.
    #[must_use]
    pub fn total(&self) -> Price {
        self.total
    }

    /// By how much that is more than what the plan costs: less than zero where pods stay out, or
    /// where the second plan is the better one.
    #[must_use]
    pub fn extra(&self) -> Price {
        self.extra
    }

    /// The problem that the contingency's plan is for: what the failure leaves.
    pub fn what_if(&self) -> &WhatIf {
        &self.what_if
    }
}
