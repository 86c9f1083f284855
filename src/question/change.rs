//! Changes of a problem that loosen or lift one rule, and their words.

use crate::explain::taint_text;
use crate::model::{CapacityType, Price, Quantity, Taint};
use std::fmt;
use std::sync::Arc;

/// A change of a problem that loosens or lifts one rule.
///
/// Answers of this module name changes, [`RuleChange::apply`] makes the problem that has them, and
/// [`Solver::effect_of`](crate::Solver::effect_of) says what comes of that. Pods are named by the
/// problem's entries, "namespace/name"; a change of a set of replicas is one of all its pods.
///
/// A change is as small as its name says: everything else stays as it was. Changes can be made one
/// after another ([`RuleChange::apply_all`]); one that finds nothing to change is an error, since
/// then an answer was about another problem.
///
/// # Examples
/// ```
/// use plimsoll::question::RuleChange;
/// use plimsoll::{NodePool, Problem, Resources};
///
/// let pool = NodePool::new("default").with_limits(Resources::parse([("cpu", "8")])?);
/// let problem = Problem::builder().node_pool(pool).build()?;
/// let raise = RuleChange::Limit {
///     node_pool: "default".into(),
///     resource: "cpu".into(),
///     to: Some("12".parse()?),
/// };
/// assert_eq!(raise.to_string(), "set the limit of node pool default to 12 cpu");
/// let raised = raise.apply(&problem)?;
/// assert_eq!(raised.node_pools()[0].limits().get("cpu"), Some("12".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum RuleChange {
    /// The pod requests so much of a resource.
    ///
    /// The part that a container asks for isn't told apart: what is changed is the pod's effective
    /// request.
    Request {
        /// The pod's entry.
        pod: Arc<str>,
        /// The resource.
        resource: Arc<str>,
        /// What it requests then; nothing of it for zero.
        to: Quantity,
        /// How much less that is.
        less: Quantity,
    },
    /// The pod asks nothing of a label: neither itself nor its volumes.
    WithoutLabelRule {
        /// The pod's entry.
        pod: Arc<str>,
        /// The label, or `metadata.name`; `None` means all that node selector and required node
        /// affinity ask.
        key: Option<Arc<str>>,
    },
    /// The pod's volumes can be reached from every node.
    WithoutVolumePlaces {
        /// The pod's entry.
        pod: Arc<str>,
    },
    /// The pod tolerates a taint.
    ///
    /// It tolerates every effect of the taint, `NoExecute` too.
    Toleration {
        /// The pod's entry.
        pod: Arc<str>,
        /// The taint; `None` means every one.
        taint: Option<Taint>,
    },
    /// The pod doesn't take a port of its node.
    WithoutHostPort {
        /// The pod's entry.
        pod: Arc<str>,
        /// The port; `None` means all.
        port: Option<u16>,
    },
    /// The pod's required spreads over a label allow so much skew at least.
    ///
    /// Spreads with more already, and those that may be broken (`ScheduleAnyway`), stay as they
    /// are.
    MaxSkew {
        /// The pod's entry.
        pod: Arc<str>,
        /// The label.
        key: Arc<str>,
        /// The skew.
        to: u32,
    },
    /// The pod's spreads over a label ask for so many domains at most.
    MinDomains {
        /// The pod's entry.
        pod: Arc<str>,
        /// The label.
        key: Arc<str>,
        /// How many domains.
        to: u32,
    },
    /// Pods don't spread over a label, neither as they must nor as they would like to.
    ///
    /// For a whole problem, without a label: what do all spreads cost together?
    WithoutSpread {
        /// The pod's entry; `None` means all pods.
        pod: Option<Arc<str>>,
        /// The label; `None` means every one.
        key: Option<Arc<str>>,
    },
    /// The pod needn't be with others.
    WithoutPodAffinity {
        /// The pod's entry.
        pod: Arc<str>,
        /// The label over whose domains; `None` means every one.
        key: Option<Arc<str>>,
    },
    /// Pods don't keep away from others.
    WithoutPodAntiAffinity {
        /// The pod's entry; `None` means all pods.
        pod: Option<Arc<str>>,
        /// The label over whose domains; `None` means every one.
        key: Option<Arc<str>>,
    },
    /// Pods have no preferences: no preferred affinity, no spread that may be broken, and no taint
    /// that they would rather avoid.
    WithoutPreferences {
        /// The pod's entry; `None` means all pods.
        pod: Option<Arc<str>>,
    },
    /// The pod, a placeholder for free room, may cause a launch.
    LaunchPlaceholder {
        /// The pod's entry.
        pod: Arc<str>,
    },
    /// A node pool's limit is another.
    ///
    /// Limits of other resources stay.
    Limit {
        /// The node pool.
        node_pool: Arc<str>,
        /// The limited resource, or `nodes`.
        resource: Arc<str>,
        /// The limit; `None` means none.
        to: Option<Quantity>,
    },
    /// A node pool's launches keep fewer values of a label open.
    ///
    /// Higher numbers become this one; lower ones stay.
    MinValues {
        /// The node pool.
        node_pool: Arc<str>,
        /// The label.
        key: Arc<str>,
        /// How many; zero means that none need be kept.
        to: u32,
    },
    /// A static node pool has so many nodes.
    Replicas {
        /// The node pool.
        node_pool: Arc<str>,
        /// How many.
        to: u32,
    },
    /// A node pool has another weight.
    Weight {
        /// The node pool.
        node_pool: Arc<str>,
        /// The weight.
        to: i32,
    },
    /// All node pools have the same weight, so that none is filled before another.
    WithoutWeights,
    /// So many more nodes may use a reservation; with none it is as if there weren't any.
    Reservation {
        /// The reservation.
        id: Arc<str>,
        /// How many.
        to: u32,
    },
    /// Whatever a node pool may buy is available.
    ///
    /// It says what waiting would bring, and can't be ordered from a cloud.
    Available {
        /// The node pool.
        node_pool: Arc<str>,
    },
    /// An offering costs so much per hour.
    OfferingPrice {
        /// The instance type.
        instance_type: Arc<str>,
        /// The zone.
        zone: Arc<str>,
        /// How it is paid for.
        capacity_type: CapacityType,
        /// The price.
        to: Price,
    },
    /// Nodes, new ones and running ones, attach so many more volumes of a driver.
    VolumeLimit {
        /// The driver.
        driver: Arc<str>,
        /// How many more.
        more: u32,
    },
    /// A daemon set is gone.
    WithoutDaemonSet {
        /// Its name; of several namespaces' daemon sets of this name all go.
        name: Arc<str>,
    },
    /// Nodes that are being deleted stay.
    KeepDeletingNodes,
}

/// The change as an order to be carried out, without a full stop.
impl fmt::Display for RuleChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = |pod: &Option<Arc<str>>| pod.clone().unwrap_or_else(|| "all pods".into());
        let over = |key: &Option<Arc<str>>| match key {
            Some(key) => format!(" over {key}"),
            None => String::new(),
        };
        match self {
            Self::Request { pod, resource, to, less } if *to == Quantity::ZERO => {
                write!(f, "have {pod} request no {resource} ({less} less)")
            }
            Self::Request { pod, resource, to, less } => {
                write!(f, "have {pod} request {to} {resource} ({less} less)")
            }
            Self::WithoutLabelRule { pod, key: Some(key) } => {
                write!(f, "leave out what {pod} asks of {key}")
            }
            Self::WithoutLabelRule { pod, key: None } => {
                write!(f, "leave out the node selector and required node affinity of {pod}")
            }
            Self::WithoutVolumePlaces { pod } => {
                write!(f, "have the volumes of {pod} be reached from every node")
            }
            Self::Toleration { pod, taint: Some(taint) } => {
                write!(f, "have {pod} tolerate {}", taint_text(taint))
            }
            Self::Toleration { pod, taint: None } => write!(f, "have {pod} tolerate every taint"),
            Self::WithoutHostPort { pod, port: Some(port) } => {
                write!(f, "leave out host port {port} of {pod}")
            }
            Self::WithoutHostPort { pod, port: None } => {
                write!(f, "leave out the host ports of {pod}")
            }
            Self::MaxSkew { pod, key, to } => {
                write!(f, "raise maxSkew of {pod} over {key} to {to}")
            }
            Self::MinDomains { pod, key, to } => {
                write!(f, "lower minDomains of {pod} over {key} to {to}")
            }
            Self::WithoutSpread { pod, key } => {
                write!(f, "leave out the spread{} of {}", over(key), whose(pod))
            }
            Self::WithoutPodAffinity { pod, key } => {
                write!(f, "leave out the required pod affinity{} of {pod}", over(key))
            }
            Self::WithoutPodAntiAffinity { pod, key } => {
                write!(f, "leave out the required anti-affinity{} of {}", over(key), whose(pod))
            }
            Self::WithoutPreferences { pod } => {
                write!(f, "leave out the preferences of {}", whose(pod))
            }
            Self::LaunchPlaceholder { pod } => write!(f, "let placeholder {pod} cause a launch"),
            Self::Limit { node_pool, resource, to: Some(to) } => {
                write!(f, "set the limit of node pool {node_pool} to {to} {resource}")
            }
            Self::Limit { node_pool, resource, to: None } => {
                write!(f, "take away the {resource} limit of node pool {node_pool}")
            }
            Self::MinValues { node_pool, key, to } => {
                write!(f, "lower minValues of node pool {node_pool} for {key} to {to}")
            }
            Self::Replicas { node_pool, to } => {
                write!(f, "have static node pool {node_pool} launch {to} nodes")
            }
            Self::Weight { node_pool, to } => {
                write!(f, "set the weight of node pool {node_pool} to {to}")
            }
            Self::WithoutWeights => f.write_str("leave out the weights of node pools"),
            Self::Reservation { id, to } => {
                write!(f, "have reservation {id} hold {to} more nodes")
            }
            Self::Available { node_pool } => {
                write!(f, "wait for the sold-out offerings of node pool {node_pool}")
            }
            Self::OfferingPrice { instance_type, zone, capacity_type, to } => {
                write!(f, "have {instance_type} in {zone} ({capacity_type}) cost {to} an hour")
            }
            Self::VolumeLimit { driver, more } => {
                write!(f, "have nodes attach {more} more volumes of {driver}")
            }
            Self::WithoutDaemonSet { name } => write!(f, "take away daemon set {name}"),
            Self::KeepDeletingNodes => f.write_str("keep the nodes that are being deleted"),
        }
    }
}
