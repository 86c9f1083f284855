//! Instance types and the offerings in which they are sold.
//!
//! A catalog is a list of these. The library ships none: prices and types are facts of a cloud at a
//! time, and the caller has them from the cloud's API or a provider's price list. What counts is
//!
//! - what a node of the type *has* ([`InstanceType::new`] with its capacity,
//!   [`with_overhead`](InstanceType::with_overhead) for what pods can't have of it),
//! - what it is *labelled* with (labels, and requirements for labels that are still open), and
//! - how it can be *bought*: an [`Offering`] for each zone and capacity type.
//!
//! A type that nobody sells now may stay in the catalog with unavailable offerings, so that a pod
//! which only that type can hold is told apart from one that nothing can.

use super::{CapacityType, Labels, Price, Requirement, Resources};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many volumes of a driver a node attaches that doesn't limit them: more than there can be.
pub(crate) const UNLIMITED_ATTACHMENTS: i64 = 1 << 32;

/// A kind of machine that can be bought.
///
/// # Examples
/// ```
/// use plimsoll::{InstanceType, Offering, Resources};
///
/// let m7 = InstanceType::new(
///     "m7i.large",
///     Resources::parse([("cpu", "2"), ("memory", "8Gi"), ("pods", "29")])?,
/// )
/// .with_overhead(Resources::parse([("cpu", "70m"), ("memory", "1Gi")])?)
/// .with_label("kubernetes.io/arch", "amd64")
/// .with_offering(Offering::on_demand("us-east-1a", "0.1008".parse()?));
/// assert_eq!(m7.allocatable().get("cpu"), Some("1930m".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is checked
///
/// | field | what is allowed |
/// |---|---|
/// | name | a label value, not empty; unique among the types |
/// | labels | Kubernetes' syntax; none of the pool's or the host's; type, zone and capacity type as implied |
/// | capacity | `pods` named; names of resources in the syntax of label keys |
/// | offerings | each zone, capacity type, reservation and set of labels once |
/// | price | 0 to 100,000 per hour |
/// | reservation | with capacity type `reserved` only |
/// | interruption rate | 0 to 100,000 per hour |
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InstanceType {
    pub(crate) name: Arc<str>,
    /// Without the implied ones.
    pub(crate) labels: Labels,
    /// Sorted in a built problem; several on one key hold together.
    pub(crate) requirements: Vec<Requirement>,
    pub(crate) capacity: Resources,
    pub(crate) overhead: Resources,
    /// Sorted in a built problem, so a cheaper one of a zone and capacity type comes first.
    pub(crate) offerings: Vec<Offering>,
    /// By the driver's name.
    pub(crate) volume_limits: BTreeMap<Arc<str>, u32>,
}

/// One way to buy an instance type: a zone, a capacity type, and a price per hour.
///
/// Offerings are ordered by zone, capacity type, price and then the rest.
///
/// # Examples
/// ```
/// use plimsoll::Offering;
///
/// // Spot, interrupted once in a hundred hours.
/// let spot = Offering::spot("us-east-1a", "0.0312".parse()?)
///     .with_interruption_rate(10_000_000);
/// // Paid for already: four more nodes may use it, at no further price.
/// let reserved = Offering::reserved("us-east-1a", "0".parse()?)
///     .with_reservation("cr-0123", 4);
/// assert!(spot.available() && reserved.reservation().is_some());
/// # Ok::<(), plimsoll::model::ParsePriceError>(())
/// ```
///
/// A node that is bought so has the labels `topology.kubernetes.io/zone` and
/// `karpenter.sh/capacity-type` besides those that [`with_label`](Offering::with_label) adds.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Offering {
    pub(crate) zone: Arc<str>,
    /// "on-demand", "spot" or "reserved" (validated).
    pub(crate) capacity_type: CapacityType,
    pub(crate) price: Price,
    pub(crate) available: bool,
    pub(crate) labels: Labels,
    pub(crate) reservation: Option<Reservation>,
    /// Expected interruptions per hour, in billionths.
    pub(crate) interruption_rate: Option<u64>,
}

/// Capacity that is paid for in advance: so many more nodes may use it.
///
/// # Examples
/// ```
/// use plimsoll::Offering;
///
/// let block = Offering::reserved("us-east-1a", "0".parse()?).with_reservation("cr-1", 4);
/// assert_eq!(block.reservation().map(|one| (&*one.id, one.remaining)), Some(("cr-1", 4)));
/// # Ok::<(), plimsoll::model::ParsePriceError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Reservation {
    /// Offerings with the same id draw on the same reservation.
    pub id: Arc<str>,
    /// How many more nodes it holds; the smallest figure stated for an id counts.
    ///
    /// Running nodes that draw on it are counted by the cloud already, and so not here.
    pub remaining: u32,
}

impl InstanceType {
    /// A type with this capacity (`pods` included) and, so far, nothing on sale.
    ///
    /// Capacity is what the machine has; without `pods` nothing fits, since every pod takes one.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{InstanceType, NodePool, Problem, Resources};
    ///
    /// // `pods` is the most pods that the kubelet runs (`maxPods`).
    /// let without = InstanceType::new("m7i.large", Resources::parse([("cpu", "2")])?);
    /// let fault = Problem::builder().instance_type(without).build().unwrap_err();
    /// assert!(fault.to_string().contains("instanceTypes[0].capacity[pods]"));
    /// # Ok::<(), plimsoll::model::ParseResourcesError>(())
    /// ```
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, capacity: Resources) -> Self {
        Self {
            name: name.into(),
            labels: Labels::new(),
            requirements: Vec::new(),
            capacity,
            overhead: Resources::new(),
            offerings: Vec::new(),
            volume_limits: BTreeMap::new(),
        }
    }

    /// States what the system keeps for itself; allocatable is capacity less overhead.
    ///
    /// That is what the kubelet and the operating system reserve, and what is evicted early. Limits
    /// of pools count the capacity, pods share what is left.
    ///
    /// Replaces what was stated before. Where overhead is more than the capacity nothing is left,
    /// and the plan's [warnings](crate::LaunchPlan::warnings) say so.
    #[must_use]
    pub fn with_overhead(mut self, overhead: Resources) -> Self {
        self.overhead = overhead;
        self
    }

    /// What is left for pods, those of daemon sets among them: capacity less overhead.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{InstanceType, Resources};
    ///
    /// let large = InstanceType::new("m7.large", Resources::parse([("cpu", "2"), ("pods", "29")])?)
    ///     .with_overhead(Resources::parse([("cpu", "70m")])?);
    /// assert_eq!(large.allocatable(), Resources::parse([("cpu", "1930m"), ("pods", "29")])?);
    /// # Ok::<(), plimsoll::model::ParseResourcesError>(())
    /// ```
    #[must_use]
    pub fn allocatable(&self) -> Resources {
        self.capacity.saturating_sub(&self.overhead)
    }

    /// Sets a label that every node of the type has, in the place of one with this key.
    ///
    /// `node.kubernetes.io/instance-type` is implied by the name; architecture, generation, family
    /// and the like are for the caller to state, and what isn't stated no pod can ask for.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{InstanceType, Resources};
    ///
    /// let capacity = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// let m7 = InstanceType::new("m7g.large", capacity)
    ///     .with_label("kubernetes.io/arch", "arm64")
    ///     .with_label("example.com/generation", "7");
    /// assert_eq!(m7.labels().len(), 2);
    /// # Ok::<(), plimsoll::model::ParseResourcesError>(())
    /// ```
    #[must_use]
    pub fn with_label(mut self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        let _former = self.labels.insert(key, value);
        self
    }

    /// Adds a label with more than one possible value: each launch gets the one that its pods and
    /// its pool need.
    ///
    /// Where the value costs something, state an offering for each value instead.
    ///
    /// Only `In`, `Exists` and the like that leave a value to choose make sense here; `minValues`
    /// belongs to node pools.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::Operator;
    /// use plimsoll::{InstanceType, Requirement, Resources};
    ///
    /// // The image decides which system runs on it.
    /// let systems = Requirement::new("kubernetes.io/os", Operator::In, ["linux", "windows"]);
    /// let any = InstanceType::new("m7i.large", Resources::parse([("pods", "29")])?)
    ///     .with_requirement(systems);
    /// assert_eq!(any.requirements().len(), 1);
    /// # Ok::<(), plimsoll::model::ParseResourcesError>(())
    /// ```
    #[must_use]
    pub fn with_requirement(mut self, requirement: Requirement) -> Self {
        self.requirements.push(requirement);
        self
    }

    /// Adds a way to buy it: a zone, a capacity type and a price.
    ///
    /// Those that can't be bought now are best stated too, as unavailable: reasons and answers can
    /// then say that a pod only waits for them.
    #[must_use]
    pub fn with_offering(mut self, offering: Offering) -> Self {
        self.offerings.push(offering);
        self
    }

    /// Limits how many volumes of a CSI driver a new node can attach, those of its daemon sets
    /// included. A driver without a limit attaches any number.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{InstanceType, Resources};
    ///
    /// let m7 = InstanceType::new("m7i.large", Resources::parse([("pods", "29")])?)
    ///     .with_volume_limit("ebs.csi.aws.com", 26);
    /// assert_eq!(m7.volume_limits().get("ebs.csi.aws.com"), Some(&26));
    /// # Ok::<(), plimsoll::model::ParseResourcesError>(())
    /// ```
    #[must_use]
    pub fn with_volume_limit(mut self, driver: impl Into<Arc<str>>, limit: u32) -> Self {
        let _former = self.volume_limits.insert(driver.into(), limit);
        self
    }

    /// The name, and the value of the label `node.kubernetes.io/instance-type`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The labels that every node of the type has, one value each.
    #[must_use]
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The labels with more than one possible value.
    ///
    /// Those of one key hold together.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// What a node has in all.
    ///
    /// What limits of pools count for each node of the type.
    #[must_use]
    pub fn capacity(&self) -> &Resources {
        &self.capacity
    }

    /// What the system keeps for itself.
    #[must_use]
    pub fn overhead(&self) -> &Resources {
        &self.overhead
    }

    /// The ways to buy it, by zone, capacity type and price.
    ///
    /// In that order once the problem is built; before, as they were added. Unavailable ones are
    /// among them.
    #[must_use]
    pub fn offerings(&self) -> &[Offering] {
        &self.offerings
    }

    /// How many volumes a new node can attach, by driver; a driver not named is unlimited.
    #[must_use]
    pub fn volume_limits(&self) -> &BTreeMap<Arc<str>, u32> {
        &self.volume_limits
    }
}

impl Offering {
    /// An available offering, of which interruptions are unknown.
    ///
    /// `price` is per hour. A catalog's price of zero is allowed: such nodes are free.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::CapacityType;
    /// use plimsoll::{Offering, Price};
    ///
    /// let free = Offering::new("on-premises", CapacityType::OnDemand, Price::ZERO);
    /// assert!(free.available() && free.interruption_rate().is_none());
    /// ```
    #[must_use]
    pub fn new(zone: impl Into<Arc<str>>, capacity_type: CapacityType, price: Price) -> Self {
        Self {
            zone: zone.into(),
            capacity_type,
            price,
            available: true,
            labels: Labels::new(),
            reservation: None,
            interruption_rate: None,
        }
    }

    /// An available offering at the list price, of capacity type `on-demand`.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Offering;
    ///
    /// let offering = Offering::on_demand("eu-central-1a", "0.1152".parse()?);
    /// assert_eq!(offering.zone(), "eu-central-1a");
    /// assert_eq!(offering.capacity_type().as_str(), "on-demand");
    /// # Ok::<(), plimsoll::model::ParsePriceError>(())
    /// ```
    #[must_use]
    pub fn on_demand(zone: impl Into<Arc<str>>, price: Price) -> Self {
        Self::new(zone, CapacityType::OnDemand, price)
    }

    /// An available offering that may be taken back at any time, of capacity type `spot`.
    ///
    /// Its price alone decides between it and others unless both its [interruption
    /// rate](Offering::with_interruption_rate) and the price of an interruption
    /// ([`Objective::interruption`](crate::options::Objective::interruption)) are stated.
    #[must_use]
    pub fn spot(zone: impl Into<Arc<str>>, price: Price) -> Self {
        Self::new(zone, CapacityType::Spot, price)
    }

    /// An available offering of what is paid for in advance, of capacity type `reserved`.
    ///
    /// Say with [`Offering::with_reservation`] how many nodes are left of it. What they cost is
    /// paid in any case, so the price is what using one costs more: mostly nothing, or next to it.
    #[must_use]
    pub fn reserved(zone: impl Into<Arc<str>>, price: Price) -> Self {
        Self::new(zone, CapacityType::Reserved, price)
    }

    /// Says whether it can be bought now; it can unless this says otherwise.
    ///
    /// A controller says `false` of what the cloud has just refused, for as long as it thinks best;
    /// [`OfferingHistory`](crate::history::OfferingHistory) keeps account of that.
    ///
    /// An unavailable offering is never launched. Its price still tells what a running node that
    /// was bought so costs.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Offering;
    ///
    /// let sold_out = Offering::spot("eu-1a", "0.03".parse()?).with_available(false);
    /// assert!(!sold_out.available());
    /// # Ok::<(), plimsoll::model::ParsePriceError>(())
    /// ```
    #[must_use]
    pub fn with_available(mut self, available: bool) -> Self {
        self.available = available;
        self
    }

    /// Sets a further label of nodes bought this way, such as a zone's id or a capacity block.
    ///
    /// The zone's and the capacity type's own labels are implied.
    ///
    /// Two offerings of one zone and capacity type may differ in such a label alone, each at its
    /// price.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Offering;
    ///
    /// // A label with a price for each value: the dearer one only where a pod asks for it.
    /// let disk = |kind: &str, price: &str| {
    ///     Ok::<_, plimsoll::model::ParsePriceError>(
    ///         Offering::on_demand("eu-1a", price.parse()?).with_label("example.com/disk", kind),
    ///     )
    /// };
    /// assert!(disk("hdd", "0.10")? < disk("ssd", "0.12")?);
    /// # Ok::<(), plimsoll::model::ParsePriceError>(())
    /// ```
    #[must_use]
    pub fn with_label(mut self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        let _former = self.labels.insert(key, value);
        self
    }

    /// Draws on a reservation that holds so many more nodes.
    ///
    /// Offerings with the same id share it. No plan launches more on it than it holds.
    ///
    /// Where offerings state different figures for one id, the smallest counts. The capacity type
    /// has to be `reserved`.
    #[must_use]
    pub fn with_reservation(mut self, id: impl Into<Arc<str>>, remaining: u32) -> Self {
        self.reservation = Some(Reservation { id: id.into(), remaining });
        self
    }

    /// States the expected interruptions per hour, in billionths: 1,000,000 is one in a thousand
    /// hours.
    ///
    /// It counts where an interruption has a price, and then like that much money per hour.
    ///
    /// At most 100,000 per hour. [`OfferingHistory`](crate::history::OfferingHistory) estimates it
    /// from what became of nodes; clouds publish bands of it per month.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Offering;
    ///
    /// // One in twenty nodes is lost in a month of 730 hours: 0.05 / 730 per hour.
    /// let per_hour = 50_000_000 / 730;
    /// let spot = Offering::spot("eu-1a", "0.03".parse()?).with_interruption_rate(per_hour);
    /// assert_eq!(spot.interruption_rate(), Some(68_493));
    /// # Ok::<(), plimsoll::model::ParsePriceError>(())
    /// ```
    #[must_use]
    pub fn with_interruption_rate(mut self, billionths: u64) -> Self {
        self.interruption_rate = Some(billionths);
        self
    }

    /// What it is compared by where an interruption counts for so much: its price, and what
    /// interruptions are expected to cost, rounded up; no more than a price may be.
    pub(crate) fn weighed(&self, interruption: Price) -> Price {
        let rate = i128::from(self.interruption_rate.unwrap_or(0));
        let risk = rate.saturating_mul(interruption.nanos());
        let risk = risk / 1_000_000_000 + i128::from(risk % 1_000_000_000 > 0);
        let most = self.price.max(Price::MAX_UNIT);
        Price::from_nanos(self.price.nanos().saturating_add(risk)).min(most)
    }

    /// The zone, the value of the label `topology.kubernetes.io/zone`.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// The capacity type, the value of the label `karpenter.sh/capacity-type`.
    #[must_use]
    pub fn capacity_type(&self) -> CapacityType {
        self.capacity_type
    }

    /// The price per hour.
    #[must_use]
    pub fn price(&self) -> Price {
        self.price
    }

    /// Whether it can be bought now.
    #[must_use]
    pub fn available(&self) -> bool {
        self.available
    }

    /// Further labels of nodes bought this way.
    #[must_use]
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The reservation it draws on.
    #[must_use]
    pub fn reservation(&self) -> Option<&Reservation> {
        self.reservation.as_ref()
    }

    /// The expected interruptions per hour, in billionths; `None` when unknown.
    ///
    /// An unknown rate counts as none.
    #[must_use]
    pub fn interruption_rate(&self) -> Option<u64> {
        self.interruption_rate
    }
}
