//! Price overlays: what the caller pays other than the list price.

use super::fault::{Faults, Path};
use super::{
    InstanceType, Offering, Price, PriceChange, Problem, Requirement, Requirements, ValueSet,
    validate, well_known,
};
use crate::error::Error;
use std::sync::Arc;

/// A change of the price of every offering that meets some requirements.
///
/// Overlays are applied to a problem in the order of their list, each to what the ones before it
/// made of the price: a discount in percent first, a licence fee second, say. Prices don't fall
/// below zero, and each step is rounded to whole billionths, halves up.
///
/// Requirements speak of the labels that an offering gives a node: those of the instance type, its
/// name (`node.kubernetes.io/instance-type`), the zone, the capacity type and the offering's
/// further labels. Where the type leaves several values open, one that is met is enough. A label
/// that is absent meets `NotIn` and `DoesNotExist`. All requirements must be met; without any,
/// every offering matches.
///
/// Karpenter's `NodeOverlay`, whose words are used here, differs in two ways. Of the overlays that
/// match an offering, it applies the heaviest alone, so a discount and a fee together need one
/// overlay for each price; here they stack, and their order says how. And it reads the labels of
/// node pools, since its prices are worked out for each pool; here an offering has one price for
/// all pools.
///
/// Source: <https://karpenter.sh/docs/concepts/nodeoverlays/>.
///
/// # Examples
/// ```
/// use plimsoll::model::{Operator, PriceOverlay};
/// use plimsoll::{InstanceType, Offering, Price, Problem, Requirement, Resources};
///
/// let kind = InstanceType::new("m7i.large", Resources::parse([("pods", "29")])?)
///     .with_offering(Offering::on_demand("a", "0.1".parse()?))
///     .with_offering(Offering::spot("a", "0.04".parse()?));
/// let problem = Problem::builder().instance_type(kind).build()?;
///
/// let on_demand =
///     Requirement::new("karpenter.sh/capacity-type", Operator::In, ["on-demand"]);
/// let discount = PriceOverlay::new("discount", "-28%".parse()?).with_requirement(on_demand);
/// let licence = PriceOverlay::new("licence", "+0.01".parse()?);
/// let repriced = problem.with_price_overlays(&[discount, licence])?;
///
/// let prices: Vec<String> =
///     repriced.instance_types()[0].offerings().iter().map(|o| o.price().to_string()).collect();
/// assert_eq!(prices, ["0.082", "0.05"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct PriceOverlay {
    pub(crate) name: Arc<str>,
    /// All must hold; empty: every offering.
    pub(crate) requirements: Vec<Requirement>,
    pub(crate) change: PriceChange,
}

/// The list in which faults of overlays are placed.
pub(crate) const OVERLAYS: &str = "overlays";

impl PriceOverlay {
    /// An overlay for every offering.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::PriceOverlay;
    ///
    /// let fee = PriceOverlay::new("agent", "+0.015".parse()?);
    /// assert_eq!((fee.name(), fee.requirements().len()), ("agent", 0));
    /// # Ok::<(), plimsoll::model::ParsePriceChangeError>(())
    /// ```
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, change: PriceChange) -> Self {
        Self { name: name.into(), requirements: Vec::new(), change }
    }

    /// Restricts it to offerings that meet this too.
    ///
    /// Pods' and types' operators are allowed, `Gte` and `Lte` among them; labels that only pools
    /// and nodes have aren't.
    #[must_use]
    pub fn with_requirement(mut self, requirement: Requirement) -> Self {
        self.requirements.push(requirement);
        self
    }

    /// The name, by which people know it; unique among those applied together.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What an offering must meet.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// What becomes of the price.
    #[must_use]
    pub fn change(&self) -> PriceChange {
        self.change
    }

    /// The field of the document that holds the change.
    ///
    /// As `NodeOverlay` has them: `price` replaces, `priceAdjustment` adds or scales.
    pub(crate) fn field(&self) -> &'static str {
        match self.change {
            PriceChange::Set(_) => "price",
            PriceChange::Add(_) | PriceChange::Scale(_) => "priceAdjustment",
        }
    }
}

impl Problem {
    /// The same problem at the prices that the overlays make, applied in the order of the list.
    ///
    /// The prices of offerings change, and with them those of nodes that state none of their own; a
    /// price that a node states stays.
    ///
    /// # Errors
    /// Every fault of the overlays, with paths such as `overlays[0].priceAdjustment`: names that
    /// are empty or used twice, requirements that aren't valid or on labels that only node pools or
    /// nodes have, and prices that come out above [`Price::MAX_UNIT`].
    pub fn with_price_overlays(&self, overlays: &[PriceOverlay]) -> Result<Self, Error> {
        let mut faults = Faults::default();
        validate::overlays(overlays, &mut faults);
        validate::overlay_labels(overlays, self, &mut faults);
        let mut problem = self.clone();
        let mut too_dear: Vec<Option<TooDear>> = overlays.iter().map(|_| None).collect();
        let conditions: Vec<Requirements> =
            overlays.iter().map(|overlay| overlay.requirements.iter().collect()).collect();
        for instance_type in problem.instance_types.to_mut() {
            reprice(instance_type, overlays, &conditions, &mut too_dear);
        }
        for (i, (overlay, dear)) in overlays.iter().zip(too_dear).enumerate() {
            if let Some(TooDear { first, more }) = dear {
                let list = Path::Root.field(OVERLAYS);
                let more = if more > 0 { format!(", and {more} more") } else { String::new() };
                faults.add(
                    &list.item(i).field(overlay.field()),
                    format!("makes {first}{more}"),
                    "at most 100000 per node and hour",
                );
            }
        }
        faults.into_result(&[OVERLAYS])?;
        Ok(problem)
    }
}

/// Offerings that an overlay makes dearer than a price may be.
///
/// One fault for each overlay, however many offerings it makes too dear.
struct TooDear {
    first: String,
    more: u32,
}

/// Applies overlays to the offerings of a type; an offering that gets too dear is noted and left.
///
/// The cost is offerings times overlays; labels of the type are made into sets once.
fn reprice(
    instance_type: &mut InstanceType,
    overlays: &[PriceOverlay],
    conditions: &[Requirements],
    too_dear: &mut [Option<TooDear>],
) {
    let of_type = labels_of(instance_type);
    for offering in &mut instance_type.offerings {
        for ((overlay, conditions), dear) in overlays.iter().zip(conditions).zip(&mut *too_dear) {
            if overlay.change.fault().is_some() || !matches(conditions, &of_type, offering) {
                continue;
            }
            let price = overlay.change.apply(offering.price);
            if price > Price::MAX_UNIT {
                match dear {
                    Some(dear) => dear.more = dear.more.saturating_add(1),
                    None => {
                        let (zone, capacity) = (&offering.zone, &offering.capacity_type);
                        let name = &instance_type.name;
                        let first = format!("{name} in {zone} ({capacity}) cost {price}");
                        *dear = Some(TooDear { first, more: 0 });
                    }
                }
                break;
            }
            offering.price = price;
        }
    }
    // A problem's offerings are in order of their prices, among other things.
    instance_type.offerings.sort();
}

/// What a type says of the labels of its nodes.
///
/// Labels with one value, requirements with several, and the type's own name, as sets by key.
pub(crate) fn labels_of(instance_type: &InstanceType) -> Requirements {
    let mut labels: Requirements = instance_type.requirements.iter().collect();
    for (key, value) in instance_type.labels.iter() {
        labels.restrict(key, &ValueSet::one(Arc::clone(value)));
    }
    labels.restrict(well_known::INSTANCE_TYPE, &ValueSet::one(Arc::clone(&instance_type.name)));
    labels
}

/// Whether a node that is bought so can meet every condition.
///
/// An offering's own labels are fixed, a type's may be open: then one common state is enough, as it
/// is where a launch chooses the value. An absent label meets what admits absence.
pub(crate) fn matches(
    conditions: &Requirements,
    of_type: &Requirements,
    offering: &Offering,
) -> bool {
    conditions.iter().all(|(key, states)| {
        let of_offering = match &**key {
            well_known::ZONE => Some(&*offering.zone),
            well_known::CAPACITY_TYPE => Some(offering.capacity_type.as_str()),
            key => offering.labels.get(key).map(|value| &**value),
        };
        let of_type = of_type.get(key);
        match of_offering {
            Some(value) => states.admits(Some(value)) && of_type.admits(Some(value)),
            // What nobody speaks of is absent.
            None if of_type.is_any() => states.admits(None),
            None => states.overlaps(of_type),
        }
    })
}
