//! Certificates of lower bounds: why no other plan costs less, in numbers that anyone can check.
//!
//! # What is claimed
//!
//! Take any plan that places the pods that this one places, those on launches on pools of the same
//! weights or on running nodes, and in which each pod honours the preferences that it honours here.
//! It costs at least the certificate's bound, fees included.
//!
//! A spread over hosts that this plan keeps with `maxSkew` pods on a node and no more is one that
//! the other plan keeps in the same way: a further node, with none of the pods on it, could always
//! be launched. Where limits or offerings forbid that, kube-scheduler would let each node hold more
//! once every node holds some; of plans that use this the bound says nothing.
//!
//! # Why
//!
//! A certificate gives pods *values* such that no node is worth more than it costs. Let `n_j` be
//! how many pods of the kind `j` are counted and `v_j ≥ 0` their value.
//!
//! - For each way to launch a node there is a proof that the pods on it are worth at most its price
//!   and the fee, plus what it is charged for: a price for each unit of a limited resource that it
//!   counts against its pool's limit, and a price for a reservation that it draws on.
//! - For each running node there is a proof that the pods which can still go there are worth at
//!   most `f_e`.
//!
//! Add this up over the nodes of a plan. Every counted pod is on one of them, no limit and no
//! reservation gives more than it has, and so the plan costs at least
//!
//! ```text
//! Σ_j n_j v_j − Σ (price of a limit × what is left of it)
//!             − Σ (price of a reservation × the nodes that it has left) − Σ_e f_e
//! ```
//!
//! rounded up to a whole billionth, and to a multiple of what all launches' costs are multiples of.
//! Which numbers a certificate has plays no part in why this is true, so it doesn't matter how they
//! were found.
//!
//! # Worth of a node
//!
//! What the pods on a node are worth at most is proved by a tree ([`WorthProof`]). Its leaves are
//! prices for what the node has: pods can't be worth more than the resources that they take, at
//! these prices, and what is left of their values; or, where one resource alone matters, the best
//! that can be had of it. Its inner nodes tell cases apart: few or many pods of a kind; a label
//! that a launch leaves open, by what it meets or by its values.
//!
//! # Exhaustion
//!
//! Where pods are few all ways to fill nodes with them can be tried, and what the cheapest costs is
//! a bound too ([`Certificate::exhausted`]): the best one for those rules that are looked at. These
//! are all that concern single nodes, limits and reservations; and rules between pods over domains,
//! by what they say of the end. A spread is over the domains of nodes that stand and those in which
//! a launch of such a pod could be; one that this plan keeps in this sense other plans keep as
//! well. There is nothing to be written down for it: whoever doubts it tries them all again.
//!
//! # Consolidations
//!
//! What a consolidation can come to at least is proved in the same way. The pods that are counted
//! are those of *candidates*, the running nodes that may go. Take any outcome in which pods leave
//! nodes that are deleted and no others. Each counted pod stays where it is with all others of its
//! node, or comes to another node, where it asks for what it asks for once it is created anew; for
//! that it is charged `m`, [`Certificate::move_price`]. Launches prove that pods which come to them
//! are worth at most what they cost, `v_j − m` each; nodes that stay, that pods which come to them
//! are worth at most `f_e`. A candidate `c` that costs `p_c` holds its own pods, at `v_j` each, and
//! others beside them, of which a proof says that they are worth at most `f_c`. It need not stay,
//! so the outcome costs, beside the nodes that may not go, at least
//!
//! ```text
//! Σ_j n_j v_j − Σ_c max(0, own_c + f_c − p_c) − Σ_e f_e − m × the pods that move
//! ```
//!
//! less what launches can be charged for limits and reservations, of which there is as much as if
//! all candidates were gone. Without a charge for moves this is a bound on all such outcomes; with
//! one, on those that move as few pods as the plan does. It knows nothing of pools' weights, of
//! preferences, and of rules between pods that move, all of which can only make an outcome dearer.
//!
//! # Placed pods
//!
//! How many pods can have a place at most is proved by a certificate too ([`PlacementBound`]). What
//! nodes cost plays no part: launches prove that the pods on them are worth at most what they are
//! charged for limits and a reservation, and running nodes and launches of static pools that theirs
//! are worth at most `f_e`. All pods that a plan places are then worth at most what is left of all
//! limits and reservations at their prices, and all `f_e` together; and no more pods can be placed
//! than can be worth so little, those of the least value first. A limit counts in multiples of what
//! all nodes that can hold counted pods are charged for it. Pods that aren't counted, or of no
//! value, are taken to have a place, placeholders not. Values may be in any unit.
//!
//! # Units
//!
//! Slots of storage drivers are resources too. A node has as many as it can attach volumes, less
//! those that bound pods and daemons attach, or [`UNLIMITED_SLOTS`]; a pod asks for one for each
//! volume that no other pod of the problem mounts. Volumes that several pods mount ask for nothing.
//!
//! All amounts of money are integers in units of 2^-[`POINT`] billionths per hour; prices of
//! resources are per millicore of cpu and per unit of everything else. Nothing is rounded before
//! the end.

#[cfg(feature = "serde")]
mod document;

use crate::model::{Price, Requirement};
use std::sync::Arc;

/// Bits behind the point: amounts in a certificate are in units of 2^-40 billionths per hour.
///
/// # Examples
/// ```
/// use plimsoll::plan::certificate::POINT;
///
/// // A billionth of the currency, in a certificate's units.
/// assert_eq!(1_i128 << POINT, 1_099_511_627_776);
/// ```
pub const POINT: u32 = 40;

/// The volumes of a driver that a node attaches which doesn't limit them: more than there can be.
pub const UNLIMITED_SLOTS: i64 = crate::model::UNLIMITED_ATTACHMENTS;

/// A proof of a lower bound, in integers.
///
/// [`verify`](crate::verify()) checks it against the problem and the plan, and says which bound it
/// proves. The plan's document doesn't hold it; it has a document of its own, in which amounts are
/// texts with decimal integers.
///
/// The fields are public, so it can be looked at, shown and changed; a changed certificate proves
/// what it proves, or nothing.
///
/// # Examples
/// ```
/// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources, provision};
/// # let small = InstanceType::new("m.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
/// #     .with_offering(Offering::on_demand("eu-1a", "0.1".parse()?))
/// #     .with_offering(Offering::spot("eu-1b", "0.03".parse()?));
/// # let pods = Pod::new("web").with_replicas(3).with_requests(Resources::parse([("cpu", "900m")])?);
/// # let huge = Pod::new("huge").with_requests(Resources::parse([("cpu", "64")])?);
/// # let problem = Problem::builder()
/// #     .pods([pods, huge])
/// #     .instance_type(small)
/// #     .node_pool(NodePool::new("default"))
/// #     .build()?;
/// # let plan = provision(&problem, &Options::default())?;
/// use plimsoll::verify;
///
/// let certificate = plan.certificate().ok_or("nothing is proved")?;
/// // What each pod of "web" is worth to the bound, in units of 2^-40 billionths an hour.
/// assert!(certificate.pods.iter().all(|pod| pod.value >= 0));
/// // The check starts from the certificate and the problem alone.
/// assert_eq!(verify(&problem, &plan)?.lower_bound(), plan.cost().lower_bound);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Certificate {
    /// The fee per node and hour of every launch: a part of what is claimed.
    pub node_fee: Price,
    /// The resources for which proofs have prices, in their order.
    pub resources: Vec<Arc<str>>,
    /// Storage drivers, whose slots are resources that come after these: a volume that one pod
    /// alone mounts takes one of its driver's.
    pub drivers: Vec<Arc<str>>,
    /// The pods that are counted, with what they are worth.
    pub pods: Vec<PodValue>,
    /// Pods of which a node holds few together.
    pub groups: Vec<ConflictGroup>,
    /// What launches are charged for limits of their pools.
    pub limits: Vec<LimitPrice>,
    /// What launches are charged for reservations.
    pub reservations: Vec<ReservationPrice>,
    /// Why launches are worth no more than they cost.
    pub offerings: Vec<OfferingProof>,
    /// What running nodes that can take some of the pods are worth at most.
    pub nodes: Vec<NodeProof>,
    /// The proofs that offerings and nodes refer to by position. One that refers to others comes
    /// after them.
    pub proofs: Vec<WorthProof>,
    /// Of a consolidation: what a pod that moves to another node is charged, not below zero.
    pub move_price: i128,
    /// What no way to fill nodes with the pods in [`Certificate::pods`] costs less than, found by
    /// trying them all.
    pub exhausted: Option<Price>,
}

/// How many pending pods can have a place at most, placeholders aside, with the proof: whatever the
/// plan, it places no more.
///
/// [`Solver::placement_bound`](crate::Solver::placement_bound) makes it, and
/// [`verify_placement_bound`](crate::verify::verify_placement_bound) checks it.
///
/// # Examples
/// ```
/// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
/// # use plimsoll::Solver;
/// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
/// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
/// # let large = InstanceType::new("m7.large", room).with_offering(price);
/// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
/// # let pool = NodePool::new("default").with_limits(Resources::parse([("nodes", "4")])?);
/// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
/// # let problem = problem.node_pool(pool).build()?;
/// # let (solver, options) = (Solver::new(&problem)?, Options::default());
/// let bound = solver.placement_bound();
/// assert_eq!(bound.most_placed, 3);
/// assert_eq!(plimsoll::verify::verify_placement_bound(&problem, &bound)?, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct PlacementBound {
    /// No plan places more of the pending pods.
    pub most_placed: u64,
    /// Why that is so.
    pub certificate: Certificate,
}

/// Pods that a certificate counts, all of one value.
///
/// # Examples
/// ```
/// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
/// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
/// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
/// # let large = InstanceType::new("m7.large", room).with_offering(price);
/// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
/// # let pool = NodePool::new("default");
/// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
/// # let problem = problem.node_pool(pool).build()?;
/// # let plan = plimsoll::provision(&problem, &Options::default())?;
/// let certificate = plan.certificate().ok_or("nothing is proved")?;
/// let counted: u32 = certificate.pods.iter().map(|pods| pods.count).sum();
/// assert!(counted > 0);
/// assert!(certificate.pods.iter().all(|pods| &*pods.entries[0] == "default/web-*"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct PodValue {
    /// The problem's entries that they are of: "namespace/name" of a single pod, "namespace/name-*"
    /// of replicas, which aren't told apart.
    ///
    /// A proof takes it that each of these can be wherever one of them can and that it asks for the
    /// least that any of them does, so they had better be alike.
    pub entries: Vec<Arc<str>>,
    /// The weight of the pools that launch the nodes which the plan puts these on, and which others
    /// may put them on; running nodes may have them too.
    ///
    /// `None`: those that the plan puts on running nodes, and others may put anywhere.
    pub weight: Option<i32>,
    /// The terms of preferred node affinity that each of these honours in the plan, by position in
    /// the pod's list, ascending.
    pub honours: Vec<u32>,
    /// Whether each of these is on a node of which it tolerates all `PreferNoSchedule` taints in
    /// the plan.
    pub untainted: bool,
    /// Whether these are the pods for which no running node has room, whichever those are: of all
    /// pods that the plan has of these entries, this weight and so on, running nodes can take so
    /// few that `count` are left.
    pub beyond_running: bool,
    /// How many of these share a node at most, where a spread over hosts says so: one that must be
    /// kept, or one that is only preferred and that the plan keeps to on each of its nodes.
    pub per_node: Option<u32>,
    /// How many of these are counted.
    pub count: u32,
    /// What each of these is worth, not below zero.
    pub value: i128,
}

/// Pods of which any two keep each other off their nodes.
///
/// Only one of its kinds of pods can be on a node, so of what they count for there is at most
/// `most`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ConflictGroup {
    /// Positions in [`Certificate::pods`], with what each pod counts for.
    pub pods: Vec<(u32, u32)>,
    /// What the pods of the group that are on one node count for together, at most.
    pub most: u32,
}

/// What launches of a pool are charged for a resource that the pool limits.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct LimitPrice {
    /// The pool.
    pub node_pool: Arc<str>,
    /// The resource, or `nodes`.
    pub resource: Arc<str>,
    /// What a unit of it costs (a millicore of cpu), not below zero.
    pub price: i128,
}

/// What launches are charged for drawing on a reservation.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ReservationPrice {
    /// The reservation.
    pub id: Arc<str>,
    /// What a node of it costs, not below zero.
    pub price: i128,
}

/// Why pods on a launch are worth no more than it costs.
///
/// Every offering that could have any of the counted pods needs one, or nothing is proved: a node
/// that was forgotten might be the cheap one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct OfferingProof {
    /// The pool that launches it.
    pub node_pool: Arc<str>,
    /// The instance type.
    pub instance_type: Arc<str>,
    /// Which of the type's offerings, by position in [`InstanceType`](crate::InstanceType)'s list.
    pub offerings: Vec<u32>,
    /// The position of the proof in [`Certificate::proofs`].
    pub proof: u32,
}

/// What the pods that can still go to a running node are worth at most.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct NodeProof {
    /// The node's name.
    pub node: Arc<str>,
    /// The position of the proof in [`Certificate::proofs`].
    pub proof: u32,
}

/// Why the pods on a node are worth at most so much.
///
/// It proves something of a node that has so much of each resource for pods, and so many pods of
/// each kind: to begin with at least none, and at most as many as are counted and share a node.
/// Cases narrow this down, and lead to other proofs, which are meant by their positions in
/// [`Certificate::proofs`]; these are below that of the proof itself.
///
/// Where the cases say which pods must be there, `l_j` of each kind, at most `h_j` can be: what
/// those that must be there leave of each resource and of each group is divided by what one more
/// takes, and of pods that one of them keeps off the node there are none.
///
/// # Examples
/// ```
/// # use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};
/// # let room = Resources::parse([("cpu", "2"), ("pods", "29")])?;
/// # let price = Offering::on_demand("eu-1a", "0.10".parse()?);
/// # let large = InstanceType::new("m7.large", room).with_offering(price);
/// # let web = Pod::new("web").with_requests(Resources::parse([("cpu", "1")])?);
/// # let pool = NodePool::new("default");
/// # let problem = Problem::builder().pod(web.with_replicas(3)).instance_type(large);
/// # let problem = problem.node_pool(pool).build()?;
/// # let plan = plimsoll::provision(&problem, &Options::default())?;
/// use plimsoll::plan::certificate::WorthProof;
///
/// let certificate = plan.certificate().ok_or("nothing is proved")?;
/// let proof = &certificate.proofs[certificate.offerings[0].proof as usize];
/// // Greedy plans are proved by prices alone.
/// assert!(matches!(proof, WorthProof::Priced { .. } | WorthProof::Table { .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum WorthProof {
    /// The node is worth at most what it has, at these prices, and what they leave of the pods'
    /// values:
    ///
    /// ```text
    /// Σ_d price_d C_d + Σ_g price_g most_g + Σ_j max (v_j − Σ_d price_d r_jd − Σ_g price_g e_jg) a_j
    /// ```
    ///
    /// where `a_j` is `l_j` or `h_j`, whichever gives more, with the node's capacity `C_d`, the
    /// pods' requests `r_jd`, and what they count for in groups, `e_jg`.
    Priced {
        /// The price of a unit of each resource, in the order of [`Certificate::resources`] and
        /// then of [`Certificate::drivers`]; none is below zero. Those that are left out at the end
        /// are zero.
        resources: Vec<i128>,
        /// The price of each group, in the order of [`Certificate::groups`], in the same way.
        groups: Vec<i128>,
    },
    /// The node is worth at most the best that can be made of this resource, whatever pods ask for
    /// of others: the pods that must be there, and of each kind up to `h_j − l_j` more that fit
    /// into what is left of it. It is found by trying all amounts of the resource, in steps of what
    /// the requests are multiples of.
    Table {
        /// The position of the resource in [`Certificate::resources`], drivers after them.
        resource: u32,
    },
    /// There is no such node: the pods that must be there ask for more of this resource than it
    /// has.
    Full {
        /// The position of the resource in [`Certificate::resources`], drivers after them.
        resource: u32,
    },
    /// There is no such node: the pods that must be there count for more in this group than it
    /// allows.
    Crowded {
        /// The position in [`Certificate::groups`].
        group: u32,
    },
    /// There are few pods of a kind, or many.
    Split {
        /// The position in [`Certificate::pods`].
        pod: u32,
        /// How many are many.
        count: u32,
        /// The proof for fewer.
        fewer: u32,
        /// The proof for so many or more.
        more: u32,
    },
    /// A label that a launch leaves open: it meets a requirement, or it doesn't.
    Label {
        /// The requirement.
        requirement: Requirement,
        /// The proof for a node that meets it.
        meets: u32,
        /// The proof for one that doesn't.
        fails: u32,
    },
    /// A label that a launch leaves open, by its values: the pods that ask for one of them and
    /// those that ask for another don't share a node.
    Values {
        /// The label's key.
        key: Arc<str>,
        /// Values of it, each once.
        values: Vec<Arc<str>>,
        /// For each, the proof for a node that has it.
        proofs: Vec<u32>,
        /// The proof for a node that has another value, or none.
        otherwise: u32,
    },
}
