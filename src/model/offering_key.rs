//! What an offering is called: by its type, where and how it is sold.
//!
//! Plans, histories and contingencies speak of offerings that aren't at hand: a controller that
//! learns of a failed launch knows the type's name, the zone and the capacity type, and nothing
//! else. That is the key.

use super::{CapacityType, Offering};
use std::sync::Arc;

/// Which offering is meant: an instance type, a zone, a capacity type, and the reservation that is
/// drawn on, if any. Offerings that differ in further labels only have one key.
///
/// A controller finds it on the node or `NodeClaim` that it speaks of: the labels
/// `node.kubernetes.io/instance-type`, `topology.kubernetes.io/zone` and
/// `karpenter.sh/capacity-type`; a launch of a plan has it as
/// [`OfferingRef::key`](crate::plan::OfferingRef::key).
///
/// # Examples
/// ```
/// use plimsoll::model::{CapacityType, OfferingKey};
///
/// let spot = OfferingKey::new("m7i.large", "eu-1a", CapacityType::Spot);
/// assert_eq!(spot.to_string(), "m7i.large eu-1a spot");
/// let reserved = OfferingKey::new("m7i.large", "eu-1a", CapacityType::Reserved);
/// let reserved = reserved.with_reservation("cr-1");
/// assert_eq!(reserved.to_string(), "m7i.large eu-1a reserved cr-1");
/// ```
///
/// Keys are ordered by type, zone, capacity type and reservation, and print in that order.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct OfferingKey {
    /// The instance type's name.
    pub instance_type: Arc<str>,
    /// The zone.
    ///
    /// The value of `topology.kubernetes.io/zone`.
    pub zone: Arc<str>,
    /// How it is paid for.
    pub capacity_type: CapacityType,
    /// The id of the reservation that it draws on.
    ///
    /// `None` where it is bought at a price, and of a reserved offering whose reservation isn't
    /// told.
    pub reservation: Option<Arc<str>>,
}

impl OfferingKey {
    /// An offering that draws on no reservation.
    #[must_use]
    pub fn new(
        instance_type: impl Into<Arc<str>>,
        zone: impl Into<Arc<str>>,
        capacity_type: CapacityType,
    ) -> Self {
        Self {
            instance_type: instance_type.into(),
            zone: zone.into(),
            capacity_type,
            reservation: None,
        }
    }

    /// Names the reservation that it draws on.
    #[must_use]
    pub fn with_reservation(mut self, id: impl Into<Arc<str>>) -> Self {
        self.reservation = Some(id.into());
        self
    }

    /// The key of what a type offers.
    pub(crate) fn of(instance_type: &Arc<str>, offering: &Offering) -> Self {
        Self {
            instance_type: instance_type.clone(),
            zone: offering.zone.clone(),
            capacity_type: offering.capacity_type,
            reservation: offering.reservation.as_ref().map(|one| one.id.clone()),
        }
    }
}

impl std::fmt::Display for OfferingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { instance_type, zone, capacity_type, reservation } = self;
        write!(f, "{instance_type} {zone} {capacity_type}")?;
        reservation.iter().try_for_each(|id| write!(f, " {id}"))
    }
}
