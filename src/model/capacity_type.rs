//! How a node is paid for.
//!
//! Karpenter's three words, which it keeps as a label of nodes; other clouds' are mapped to them: a
//! "preemptible" or "low priority" machine is spot, a commitment's or a capacity block's is
//! reserved.
//!
//! Source: <https://karpenter.sh/docs/concepts/nodepools/#capacity-type>.

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
    ///
    /// Nothing takes it back.
    OnDemand,
    /// Paid for in advance: it draws on a reservation.
    ///
    /// How many nodes are left says
    /// [`Offering::with_reservation`](crate::Offering::with_reservation).
    Reserved,
    /// At the market's price, and may be taken back.
    ///
    /// What an interruption counts for is
    /// [`Objective::interruption`](crate::options::Objective::interruption), nothing by default.
    Spot,
}

impl CapacityType {
    /// The word for it.
    ///
    /// What [`FromStr`](std::str::FromStr) reads and the label of a node says.
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
///
/// So a capacity type can stand where a label's value is asked for:
///
/// ```
/// use plimsoll::Node;
/// use plimsoll::Resources;
/// use plimsoll::model::{CapacityType, well_known};
///
/// let node = Node::new("n-1", Resources::new())
///     .with_label(well_known::CAPACITY_TYPE, CapacityType::Spot);
/// assert_eq!(node.labels().get("karpenter.sh/capacity-type").map(|v| &**v), Some("spot"));
/// ```
impl From<CapacityType> for Arc<str> {
    fn from(capacity_type: CapacityType) -> Self {
        capacity_type.as_str().into()
    }
}
