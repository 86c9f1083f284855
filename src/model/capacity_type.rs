//! How a node is paid for.

use super::ParseWordError;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// How a node is paid for: the value of the label `karpenter.sh/capacity-type`.
///
/// It can be given wherever a capacity type is asked for, and is ordered as its words are.
///
/// # Examples
/// ```
/// use plimsoll::Offering;
/// use plimsoll::model::CapacityType;
///
/// let spot = Offering::new("eu-1a", CapacityType::Spot, "0.03".parse()?);
/// assert_eq!(spot.capacity_type(), "spot");
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

/// The words, in the order of the variants.
const WORDS: &[&str] = &["on-demand", "reserved", "spot"];

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

impl FromStr for CapacityType {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        let all = [Self::OnDemand, Self::Reserved, Self::Spot];
        let found = all.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| ParseWordError { text: text.into(), expected: WORDS })
    }
}

impl fmt::Display for CapacityType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<CapacityType> for Arc<str> {
    fn from(capacity_type: CapacityType) -> Self {
        capacity_type.as_str().into()
    }
}
