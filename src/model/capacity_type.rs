//! How a node is paid for.

use std::sync::Arc;

/// How a node is paid for: the value of the label `karpenter.sh/capacity-type`.
///
/// It is ordered as its words are.
///
/// # Examples
/// ```
/// use plimsoll::Offering;
/// use plimsoll::model::CapacityType;
///
/// let spot = Offering::new("eu-1a", CapacityType::Spot, "0.03".parse()?);
/// assert_eq!(spot, Offering::spot("eu-1a", "0.03".parse()?));
/// assert_eq!(spot.capacity_type().as_str(), "spot");
/// assert_eq!("on-demand".parse(), Ok(CapacityType::OnDemand));
/// # Ok::<(), plimsoll::model::ParsePriceError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum CapacityType {
    /// At the list price, as long as it is wanted.
    OnDemand,
    /// Paid for in advance: it draws on a reservation.
    Reserved,
    /// At the market's price, and may be taken back.
    Spot,
}

impl CapacityType {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::Reserved => "reserved",
            Self::Spot => "spot",
        }
    }
}

/// As the value of the label.
impl From<CapacityType> for Arc<str> {
    fn from(capacity_type: CapacityType) -> Self {
        capacity_type.as_str().into()
    }
}
