//! What a solve decides, step by step, as data.

use super::Progress;
use crate::model::Price;
use crate::plan::OfferingRef;
use std::fmt;
use std::sync::Arc;

/// One step of a solve.
///
/// Steps come in the order in which they were taken, whatever the number of threads: what
/// assignments of domains showed, then how the packing came about that is kept, then what
/// refinement did. Kinds of pods that no rule tells apart are called by their first entry:
/// "namespace/name" of a single pod, "namespace/name-*" of replicas.
///
/// # Examples
/// ```
/// use plimsoll::progress::{Event, Trace};
/// use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
///
/// let large = InstanceType::new("m7.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
///     .with_offering(Offering::on_demand("eu-1a", "0.1008".parse()?));
/// let web = Pod::new("web").with_replicas(4).with_requests(Resources::parse([("cpu", "1")])?);
/// let problem =
///     Problem::builder().pod(web).instance_type(large).node_pool(NodePool::new("default")).build()?;
/// let trace = Trace::new();
/// let _plan = provision(&problem, &Options::default().with_observer(trace.observer()))?;
/// let bought = trace.events().into_iter().find_map(|event| match event {
///     Event::Bought { nodes, efficiency, .. } => Some((nodes, efficiency)),
///     _ => None,
/// });
/// // Two full nodes: no node can be used better.
/// assert_eq!(bought, Some((2, Some(1_000_000))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Reading a trace
///
/// A greedy plan gives one or several `Packed`, one for each assignment of domains that was tried,
/// with `Feedback` between them; then `Kept`, and the steps of the packing that is kept:
/// `Assigned`, `Method`, `Priced`, `Bought`, `RightSized`; then `Improved` for what was bettered
/// afterwards. Refinement adds `Round`, `Improved` and `Progress`. `Display` writes each as one
/// line.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// An assignment of pods to domains, or one packing where there are none to choose, was packed.
    ///
    /// Assignments are tried in turn until one loses nothing, or no better one is found.
    Packed(PackingFigures),
    /// What a packing showed of the assignment that it is of: the next one is held to it.
    Feedback {
        /// The kind of pods concerned.
        pods: Arc<str>,
        /// What was shown.
        feedback: DomainFeedback,
    },
    /// Of all packings this one is kept; the steps that follow say how it came about, up to the
    /// first improvement other than [`Improvement::TakenApart`].
    Kept(PackingFigures),
    /// Of the packing that is kept: pods that were given domains before anything was bought.
    Assigned {
        /// The kinds of pods, and how many of each share a node; mostly one kind and one pod.
        pods: Vec<(Arc<str>, u32)>,
        /// How many such pods, or sets of pods that share a node.
        count: u32,
        /// For each topology key over which their rules are, the domains that they may use.
        domains: Vec<(Arc<str>, Vec<Arc<str>>)>,
    },
    /// Of the packing that is kept: how it was made; what follows was done in this order.
    Method(MethodKind),
    /// What pods are worth was computed, for those that had no place yet.
    ///
    /// The greedy packer prices pods anew when what is left has changed much; between two of these
    /// the order of purchases follows the same values.
    Priced {
        /// How many pods.
        pods: u64,
        /// What they are worth together per hour: the lower bound's dual values.
        worth: Price,
    },
    /// Equal nodes were bought.
    ///
    /// It says why this and not another: among all that could be bought then nothing had a higher
    /// efficiency.
    Bought {
        /// Of which pool.
        node_pool: Arc<str>,
        /// How; of equal offerings the first.
        offering: OfferingRef,
        /// How many nodes.
        nodes: u32,
        /// What goes on each: the kinds of pods, and how many of each.
        pods: Vec<(Arc<str>, u32)>,
        /// What the pods of a node are worth for what it costs, in millionths: 1,000,000 where they
        /// pay for it wholly, more where there are too few nodes of the kind, as of a cheap
        /// reservation. `None` for a node that costs nothing, and where it was bought without
        /// looking at worth.
        efficiency: Option<u32>,
    },
    /// Nodes that were bought went to a cheaper offering that holds their pods as well.
    RightSized {
        /// What they were.
        from: OfferingRef,
        /// What they are.
        to: OfferingRef,
        /// How many nodes.
        nodes: u32,
    },
    /// The plan became better.
    Improved {
        /// How.
        by: Improvement,
        /// What it was.
        from: PackingFigures,
        /// What it is.
        to: PackingFigures,
    },
    /// A round of column generation for the lower bound.
    ///
    /// The objective falls and the bound rises from round to round, until they meet or nothing more
    /// is found.
    Round {
        /// What the restricted programme costs per hour.
        objective: Price,
        /// What no plan costs less than per hour, as far as is known.
        lower_bound: Price,
    },
    /// A consolidation that is better than those before it can be carried out.
    Consolidated(ConsolidationFigures),
    /// The best plan or the lower bound is better than before, or a phase of refinement begins.
    Progress(Progress),
}

/// What a consolidation comes to.
///
/// It is what `consolidate` compares plans by: cost first, then as few moves as possible.
///
/// # Examples
/// ```
/// use plimsoll::progress::ConsolidationFigures;
///
/// let mut figures = ConsolidationFigures::default();
/// (figures.deleted, figures.moved, figures.waves) = (2, 5, 1);
/// assert_eq!(
///     figures.to_string(),
///     "0 an hour, nodes deleted: 2, launched: 0, pods moved: 5, waves: 1",
/// );
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ConsolidationFigures {
    /// What the cluster costs per hour when it is carried out, as far as prices are known.
    pub cost: Price,
    /// How many nodes go.
    pub deleted: u64,
    /// How many nodes are launched.
    pub launched: u64,
    /// How many running pods are moved.
    pub moved: u64,
    /// In how many waves.
    pub waves: u32,
}

impl fmt::Display for ConsolidationFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cost, deleted, launched, moved, waves } = self;
        write!(
            f,
            "{cost} an hour, nodes deleted: {deleted}, launched: {launched}, pods moved: {moved}, \
             waves: {waves}"
        )
    }
}

/// What a packing comes to.
///
/// # Examples
/// ```
/// use plimsoll::progress::PackingFigures;
///
/// let mut figures = PackingFigures::default();
/// (figures.cost, figures.nodes) = ("0.3".parse()?, 3);
/// assert_eq!(figures.to_string(), "0.3 an hour, 3 nodes");
/// figures.left_out = 1;
/// assert_eq!(figures.to_string(), "0.3 an hour, 3 nodes, 1 pod left out");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct PackingFigures {
    /// What is launched costs so much per hour, fees included.
    pub cost: Price,
    /// How many nodes are launched.
    pub nodes: u64,
    /// How many pods have no place, placeholders not counted.
    pub left_out: u64,
}

/// What packing showed of an assignment of domains.
///
/// Pods with spreads or affinity are given domains before anything is bought, when nobody knows yet
/// what fits where. If it doesn't fit, this is what was learnt; the next assignment heeds it.
///
/// # Examples
/// ```
/// use plimsoll::progress::DomainFeedback;
///
/// let full = DomainFeedback::Full { domains: vec![("zone".into(), "a".into())], held: 7 };
/// assert_eq!(full.to_string(), "zone a holds 7 and no more");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DomainFeedback {
    /// A domain, or a combination of them, holds so many pods of the kind and no more.
    Full {
        /// The topology keys with their domains.
        domains: Vec<(Arc<str>, Arc<str>)>,
        /// How many pods it holds.
        held: u32,
    },
    /// All domains together, which draw on the same limits, hold so many pods of the kind.
    AllFull {
        /// How many pods they hold.
        held: u32,
    },
    /// So many pods that were to share a node find one at most.
    TooHeavy {
        /// How many pods may share one.
        most: u32,
    },
    /// No node stands in a domain that a spread counts as empty.
    Empty {
        /// The topology key.
        key: Arc<str>,
        /// The domain.
        domain: Arc<str>,
    },
    /// Others launched in a domain that a spread can't use: they are to keep out.
    Barred {
        /// The topology key.
        key: Arc<str>,
        /// The domain.
        domain: Arc<str>,
    },
    /// Others need a domain that a spread can't use: it counts for the spread.
    Opened {
        /// The topology key.
        key: Arc<str>,
        /// The domain.
        domain: Arc<str>,
    },
    /// The kind found no domain: it is assigned before others.
    NoDomain,
    /// Pods stay out, which could be due to their preferences: these are given up.
    PreferencesGivenUp,
    /// No assignment of the kind was found that can be packed: it stays out.
    GivenUp,
}

/// How a packing is made.
///
/// # Examples
/// ```
/// use plimsoll::progress::MethodKind;
///
/// assert_eq!(MethodKind::Efficiency.to_string(), "by efficiency");
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum MethodKind {
    /// The most efficient nodes first.
    Efficiency,
    /// First fit decreasing, blind to prices until the end.
    FirstFit,
    /// The dearest offerings first, as long as their pods would cost more elsewhere.
    ReservationPrices,
}

/// How a plan became better.
///
/// # Examples
/// ```
/// use plimsoll::progress::Improvement;
///
/// assert_eq!(Improvement::TakenApart.to_string(), "taken apart");
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Improvement {
    /// Poor launches were taken apart, and their pods put elsewhere.
    TakenApart,
    /// Pods left out found a place in the plan as it stood.
    Completed,
    /// Parts were taken out and put back another way.
    Recreated,
    /// Everything was tried.
    Enumerated,
}

impl fmt::Display for PackingFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = if self.nodes == 1 { "node" } else { "nodes" };
        write!(f, "{} an hour, {} {nodes}", self.cost, self.nodes)?;
        match self.left_out {
            0 => Ok(()),
            1 => f.write_str(", 1 pod left out"),
            pods => write!(f, ", {pods} pods left out"),
        }
    }
}

impl fmt::Display for Event {
    /// One line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packed(figures) => write!(f, "packed: {figures}"),
            Self::Kept(figures) => write!(f, "kept: {figures}"),
            Self::Consolidated(figures) => write!(f, "consolidated: {figures}"),
            Self::Feedback { pods, feedback } => write!(f, "feedback: {pods}: {feedback}"),
            Self::Assigned { pods, count, domains } => {
                write!(f, "assigned: {count} x ")?;
                write_pods(f, pods)?;
                for (key, values) in domains {
                    write!(f, ", {key} {}", values.join("|"))?;
                }
                Ok(())
            }
            Self::Method(method) => write!(f, "packed {method}:"),
            Self::Priced { pods, worth } => {
                write!(f, "priced: {pods} pods are worth {worth} an hour")
            }
            Self::Bought { node_pool, offering, nodes, pods, efficiency } => {
                write!(f, "bought: {nodes} x {offering}, pool {node_pool}")?;
                if let Some(millionths) = efficiency {
                    let hundredths = millionths.saturating_add(50) / 100;
                    let (percent, rest) = (hundredths / 100, hundredths % 100);
                    write!(f, ", efficiency {percent}.{rest:02} %")?;
                }
                f.write_str(", each for ")?;
                write_pods(f, pods)
            }
            Self::RightSized { from, to, nodes } => {
                write!(f, "right-sized: {nodes} x {from} to {to}")
            }
            Self::Improved { by, from, to } => write!(f, "{by}: {from}; now {to}"),
            Self::Round { objective, lower_bound } => {
                write!(f, "round: programme {objective} an hour, at least {lower_bound}")
            }
            Self::Progress(progress) => progress.fmt(f),
        }
    }
}

/// Kinds of pods with how many there are of each.
fn write_pods(f: &mut fmt::Formatter<'_>, pods: &[(Arc<str>, u32)]) -> fmt::Result {
    for (number, (pod, count)) in pods.iter().enumerate() {
        let comma = if number == 0 { "" } else { " + " };
        match count {
            1 => write!(f, "{comma}{pod}")?,
            count => write!(f, "{comma}{count} {pod}")?,
        }
    }
    Ok(())
}

impl fmt::Display for DomainFeedback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { domains, held } => {
                for (number, (key, domain)) in domains.iter().enumerate() {
                    write!(f, "{}{key} {domain}", if number == 0 { "" } else { ", " })?;
                }
                write!(f, " holds {held} and no more")
            }
            Self::AllFull { held } => write!(f, "all domains together hold {held} and no more"),
            Self::TooHeavy { most } => write!(f, "{most} may share a node at most"),
            Self::Empty { key, domain } => write!(f, "no node stands in {key} {domain}"),
            Self::Barred { key, domain } => write!(f, "others are to keep out of {key} {domain}"),
            Self::Opened { key, domain } => write!(f, "others need {key} {domain}, which counts"),
            Self::NoDomain => f.write_str("no domain was left; assigned before others"),
            Self::PreferencesGivenUp => f.write_str("preferences are given up"),
            Self::GivenUp => f.write_str("no assignment can be packed; left out"),
        }
    }
}

impl fmt::Display for MethodKind {
    /// What follows "packed".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Efficiency => "by efficiency",
            Self::FirstFit => "by first fit",
            Self::ReservationPrices => "by reservation prices",
        })
    }
}

impl fmt::Display for Improvement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TakenApart => "taken apart",
            Self::Completed => "completed",
            Self::Recreated => "recreated",
            Self::Enumerated => "enumerated",
        })
    }
}
