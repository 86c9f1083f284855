//! What a plan can do wrong, as data, with every operand.

use super::consolidation::ConsolidationFault;
pub use super::plan_place::{BindingRule, PlanPlace};
use crate::model::{Price, Protocol, Taint};
use crate::plan::{OfferingRef, Proof};
use std::sync::Arc;

/// One rule that a plan breaks.
///
/// Pods are named "namespace/name"; launches and alternatives are indices in the plan; amounts are
/// millicores of cpu and whole units of every other resource. Pods of one entry of the problem in
/// one place are judged together: the first of them is named.
///
/// A violation is data: a tool can point at the place, count by kind, or translate. `Display` says
/// each in a line. Rules of the scheduler name the kube-scheduler plugin that has them.
///
/// # Examples
/// ```
/// use plimsoll::verify::Violation;
///
/// let missing = Violation::PodMissing { pod: "default/web-2".into(), count: 1 };
/// assert!(missing.to_string().contains("default/web-2"));
/// ```
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Violation {
    /// The problem has no pod of this name.
    PodUnknown {
        /// The name.
        pod: Arc<str>,
        /// Where the plan has it.
        place: PlanPlace,
    },
    /// The pod is bound already, and the plan has it nevertheless.
    PodBound {
        /// The pod.
        pod: Arc<str>,
        /// Where the plan has it.
        place: PlanPlace,
    },
    /// The plan has a pod more than once.
    PodRepeated {
        /// The pod.
        pod: Arc<str>,
        /// How often.
        times: u64,
    },
    /// Pending pods of one entry that the plan doesn't mention.
    PodMissing {
        /// The first of them.
        pod: Arc<str>,
        /// How many there are.
        count: u64,
    },
    /// A pod has no place, and no reason is given.
    ReasonMissing {
        /// The pod.
        pod: Arc<str>,
    },
    /// The problem has no node of this name.
    NodeUnknown {
        /// The pod that the plan places there.
        pod: Arc<str>,
        /// The name.
        node: Arc<str>,
    },
    /// The node is being deleted and takes no pods.
    NodeDeleting {
        /// The first pod that the plan places there.
        pod: Arc<str>,
        /// The node.
        node: Arc<str>,
    },
    /// A launch without pods.
    LaunchEmpty {
        /// The launch.
        launch: usize,
    },
    /// The problem has no node pool of this name.
    NodePoolUnknown {
        /// The launch.
        launch: usize,
        /// The name.
        node_pool: Arc<str>,
    },
    /// The problem has no such instance type, or the type no such offering.
    OfferingUnknown {
        /// The launch, or its alternative.
        place: PlanPlace,
        /// What it names.
        choice: OfferingRef,
    },
    /// The offering isn't available.
    OfferingUnavailable {
        /// The launch, or its alternative.
        place: PlanPlace,
        /// What it names.
        choice: OfferingRef,
    },
    /// The price isn't the one that the problem states.
    PriceWrong {
        /// The launch, or its alternative.
        place: PlanPlace,
        /// The plan's price.
        stated: Price,
        /// The problem's price.
        expected: Price,
    },
    /// The pool doesn't list the instance type.
    InstanceTypeForbidden {
        /// The launch, or its alternative.
        place: PlanPlace,
        /// The pool.
        node_pool: Arc<str>,
        /// The type.
        instance_type: Arc<str>,
    },
    /// Labels and requirements of pool, type and offering contradict each other.
    OfferingForbidden {
        /// The launch, or its alternative.
        place: PlanPlace,
        /// The pool.
        node_pool: Arc<str>,
        /// The label key on which they do.
        key: Arc<str>,
    },
    /// The launch lacks a label that its node will have.
    LabelMissing {
        /// The launch.
        launch: usize,
        /// The label's key.
        key: Arc<str>,
        /// The value it will have.
        expected: Arc<str>,
    },
    /// The launch states a label that its node won't or can't have.
    LabelWrong {
        /// The launch.
        launch: usize,
        /// The label's key.
        key: Arc<str>,
        /// The value stated.
        value: Arc<str>,
    },
    /// A pod or daemon set asks for a label that has several possible states, or pods are counted
    /// over it, and the launch fixes none that this choice can have.
    LabelOpen {
        /// The launch, or its alternative.
        place: PlanPlace,
        /// The label's key.
        key: Arc<str>,
    },
    /// The launch's taints aren't the pool's.
    TaintsWrong {
        /// The launch.
        launch: usize,
        /// The pool.
        node_pool: Arc<str>,
    },
    /// The launch doesn't state its pool's startup taints.
    StartupTaintsWrong {
        /// The launch.
        launch: usize,
        /// The pool.
        node_pool: Arc<str>,
    },
    /// The launch doesn't state the capacity of its instance type.
    CapacityWrong {
        /// The launch.
        launch: usize,
        /// The resource.
        resource: Arc<str>,
        /// What the launch states, in whole units.
        stated: i128,
        /// What the instance type has, in whole units.
        expected: i128,
    },
    /// The launch's requests aren't the sum of its pods' and its daemons'.
    RequestsWrong {
        /// The launch.
        launch: usize,
        /// The resource.
        resource: Arc<str>,
        /// The plan's amount.
        stated: i128,
        /// The sum.
        expected: i128,
    },
    /// A requirement that the launch states doesn't hold of its choice or alternative.
    RequirementBroken {
        /// The launch, or its alternative.
        place: PlanPlace,
        /// The label key that the requirement is about.
        key: Arc<str>,
    },
    /// The pool asks for a minimum of different values, and the launch states none.
    MinValuesMissing {
        /// The launch.
        launch: usize,
        /// The label key.
        key: Arc<str>,
        /// The pool's minimum.
        asked: u32,
    },
    /// The launch's alternatives have fewer different values than the minimum that it states.
    MinValuesUnmet {
        /// The launch.
        launch: usize,
        /// The label key.
        key: Arc<str>,
        /// The minimum.
        stated: u32,
        /// How many there are.
        found: u64,
    },
    /// The alternatives aren't sorted from cheapest to dearest, or one is repeated.
    AlternativesUnsorted {
        /// The launch.
        launch: usize,
        /// The first alternative out of order.
        alternative: usize,
    },
    /// The choice isn't among the alternatives.
    ChoiceNotListed {
        /// The launch.
        launch: usize,
    },
    /// An alternative has more of a resource that its pool limits than the choice has.
    ///
    /// The limit was charged with the choice, so the launch could exceed it.
    AlternativeAboveChoice {
        /// The launch.
        launch: usize,
        /// The alternative.
        alternative: usize,
        /// The resource.
        resource: Arc<str>,
    },
    /// An alternative draws on a reservation, and isn't the choice.
    AlternativeReserved {
        /// The launch.
        launch: usize,
        /// The alternative.
        alternative: usize,
        /// The reservation.
        reservation: Arc<str>,
    },
    /// More is asked of a node than it has.
    ///
    /// `NodeResourcesFit`.
    Overfull {
        /// The node.
        place: PlanPlace,
        /// The resource.
        resource: Arc<str>,
        /// What pods and daemons ask for.
        requested: i128,
        /// What the node has for them.
        allocatable: i128,
    },
    /// The pod's node selector doesn't match the node.
    ///
    /// `NodeAffinity`.
    NodeSelector {
        /// The pod.
        pod: Arc<str>,
        /// The node.
        place: PlanPlace,
    },
    /// No term of the pod's required node affinity matches the node.
    NodeAffinity {
        /// The pod.
        pod: Arc<str>,
        /// The node.
        place: PlanPlace,
    },
    /// The pod doesn't tolerate a taint.
    ///
    /// `TaintToleration`.
    Untolerated {
        /// The pod.
        pod: Arc<str>,
        /// The node.
        place: PlanPlace,
        /// The taint.
        taint: Taint,
    },
    /// Two pods (or a pod and a daemon) take the same port of a node.
    ///
    /// `NodePorts`.
    HostPort {
        /// A pod that the plan places.
        pod: Arc<str>,
        /// The other, a pod or a daemon set; perhaps of the same entry.
        other: Arc<str>,
        /// The node.
        place: PlanPlace,
        /// The port.
        port: u16,
        /// "TCP", "UDP" or "SCTP".
        protocol: Protocol,
    },
    /// A volume of the pod can't be reached from the node: its zone or its labels aren't what it
    /// takes.
    ///
    /// `VolumeBinding` and `VolumeZone`.
    VolumeZone {
        /// The pod.
        pod: Arc<str>,
        /// The node.
        place: PlanPlace,
        /// The volume's id.
        volume: Arc<str>,
    },
    /// More volumes of a driver on a node than it can attach.
    ///
    /// `NodeVolumeLimits`.
    VolumeLimit {
        /// Where.
        place: PlanPlace,
        /// The storage driver.
        driver: Arc<str>,
        /// How many different volumes there are.
        volumes: u64,
        /// How many there may be.
        limit: u32,
    },
    /// A pod's required anti-affinity over the hostname selects another pod on its node.
    ///
    /// `InterPodAffinity`.
    AntiAffinity {
        /// The pod that has the rule.
        pod: Arc<str>,
        /// The pod that it selects.
        other: Arc<str>,
        /// The node.
        place: PlanPlace,
    },
    /// Two pods are in one domain although the anti-affinity of the first forbids it.
    DomainAntiAffinity {
        /// The pod whose rule it is.
        pod: Arc<str>,
        /// The other pod.
        other: Arc<str>,
        /// The label whose values are the domains.
        key: Arc<str>,
        /// The domain.
        domain: Arc<str>,
    },
    /// In no order of binding is a pod accepted where the plan puts it.
    ///
    /// `PodTopologySpread` and `InterPodAffinity`, which look at what is bound when a pod comes.
    NoBindingOrder {
        /// The first pod that stays unbound.
        pod: Arc<str>,
        /// Where the plan puts it.
        place: PlanPlace,
        /// What keeps it from there.
        rule: BindingRule,
        /// Whether every order was tried; otherwise the search was cut short.
        certain: bool,
    },
    /// An alternative would put a launch's pods into another domain than its choice.
    AlternativeElsewhere {
        /// The launch.
        launch: usize,
        /// The alternative.
        alternative: usize,
        /// The label whose values are the domains.
        key: Arc<str>,
    },
    /// An alternative would open a domain in which a spread of others counts nobody yet.
    AlternativeOpensDomain {
        /// The launch.
        launch: usize,
        /// The alternative.
        alternative: usize,
        /// The label whose values are the domains.
        key: Arc<str>,
        /// The domain.
        domain: Arc<str>,
    },
    /// The plan states another weight of preferences than its pods have, or than it honours.
    PreferencesWrong {
        /// The entry of the plan's `stats`.
        stat: Arc<str>,
        /// What the plan states.
        stated: u64,
        /// What it should state.
        expected: u64,
    },
    /// The plan launches another number of nodes of a static pool than it should have.
    StaticLaunches {
        /// The pool.
        node_pool: Arc<str>,
        /// How many it launches.
        launches: u64,
        /// How many are missing.
        expected: u64,
    },
    /// Launches of a wave for other pools take reservations from which alone nodes could come that
    /// static pools lack.
    StaticReservations {
        /// How many such nodes have a reservation without these launches.
        missing: u64,
        /// How many are left one.
        left: u64,
    },
    /// A launch holds nothing but placeholders that may only use free room.
    OnlyPlaceholders {
        /// The launch.
        launch: usize,
    },
    /// The plan's launches take a pool above its limit.
    ///
    /// Karpenter's `spec.limits` of a NodePool.
    Limit {
        /// The pool.
        node_pool: Arc<str>,
        /// The resource, or `nodes`.
        resource: Arc<str>,
        /// What the pool's nodes use already.
        running: i128,
        /// What the launches add.
        launched: i128,
        /// The limit.
        limit: i128,
    },
    /// More launches draw on a reservation than it holds.
    Reservation {
        /// The reservation.
        reservation: Arc<str>,
        /// How many launches do.
        launches: u64,
        /// How many more nodes it holds.
        remaining: u32,
    },
    /// A pod is on a pool of lower weight although one of higher weight has room for it.
    ///
    /// Karpenter's `spec.weight` of a NodePool.
    Weight {
        /// The pod.
        pod: Arc<str>,
        /// The launch.
        launch: usize,
        /// A pool of higher weight that takes it.
        node_pool: Arc<str>,
    },
    /// The total isn't the sum of the launches' prices and the fees.
    TotalWrong {
        /// The plan's total.
        stated: Price,
        /// The sum.
        expected: Price,
    },
    /// The fees aren't the same non-negative amount for each launch.
    FeesUneven {
        /// The plan's fees.
        fees: Price,
        /// The number of launches.
        launches: u64,
    },
    /// The lower bound is negative or above the total.
    LowerBoundWrong {
        /// The bound.
        lower_bound: Price,
        /// The total.
        total: Price,
    },
    /// What the plan claims to be proved doesn't follow from its lower bound.
    ProofWrong {
        /// The claim.
        stated: Proof,
        /// What follows.
        expected: Proof,
    },
    /// The certificate says something that can't be: it has a negative amount, a position that
    /// isn't there, a name that the problem doesn't have, something twice, or a number too large to
    /// count with.
    CertificateMalformed {
        /// Where, as a path in its document.
        part: Arc<str>,
    },
    /// The certificate's fee isn't the plan's.
    CertificateFee {
        /// The certificate's fee per launch.
        stated: Price,
        /// The plan's fees.
        fees: Price,
        /// The number of launches.
        launches: u64,
    },
    /// The certificate counts more pods than the plan has of that kind, or than running nodes
    /// leave.
    CertificatePods {
        /// The position in [`Certificate::pods`](crate::plan::Certificate::pods).
        pods: usize,
        /// How many it counts.
        counted: u64,
        /// How many there are.
        found: u64,
    },
    /// The certificate takes it that two kinds of pods can't share a node, and nothing keeps them
    /// apart.
    NotApart {
        /// The position of one in [`Certificate::pods`](crate::plan::Certificate::pods).
        pod: usize,
        /// The position of the other.
        other: usize,
    },
    /// The certificate has no proof for an offering that can have some of its pods.
    OfferingUnproved {
        /// The pool.
        node_pool: Arc<str>,
        /// The instance type.
        instance_type: Arc<str>,
        /// The position in the type's list of offerings.
        offering: usize,
    },
    /// By the certificate pods are worth more than an offering that can have them costs, in its
    /// units.
    OfferingWorth {
        /// The pool.
        node_pool: Arc<str>,
        /// The instance type.
        instance_type: Arc<str>,
        /// The position in the type's list of offerings.
        offering: usize,
        /// What is proved that the pods there are worth at most.
        worth: i128,
        /// The price, the fee, and what a launch is charged.
        cost: i128,
    },
    /// The certificate has no proof for a running node that can have some of its pods.
    NodeUnproved {
        /// The node.
        node: Arc<str>,
    },
    /// A proof of the certificate doesn't hold where it is used, or takes too long to check.
    WorthUnproved {
        /// The node, or the pool and the instance type.
        place: Arc<str>,
        /// The position in [`Certificate::proofs`](crate::plan::Certificate::proofs).
        proof: usize,
    },
    /// The certificate says that everything was tried, but there is something cheaper.
    NotExhausted {
        /// What nothing is said to cost less than.
        stated: Price,
        /// What something costs.
        found: Price,
    },
    /// The certificate proves a lower bound below the plan's.
    LowerBoundUnproved {
        /// The plan's lower bound.
        stated: Price,
        /// What is proved.
        proved: Price,
    },
    /// The certificate of a bound on placed pods proves a number above the one that is stated.
    PlacementBoundUnproved {
        /// How many pods can be placed at most, as stated.
        stated: u64,
        /// What is proved.
        proved: u64,
    },
    /// A wave of a consolidation, judged as a launch plan, breaks a rule; launches are counted in
    /// the wave.
    Wave {
        /// The wave.
        wave: u32,
        /// What is wrong.
        violation: Box<Violation>,
    },
    /// A consolidation breaks a rule of its own.
    Consolidation {
        /// Where, as a path in its document.
        path: Arc<str>,
        /// What is wrong.
        fault: ConsolidationFault,
    },
}
