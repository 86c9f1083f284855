//! Kubernetes quantities: exact decimals such as `250m`, `1.5`, `2Gi` and `1e3`.

use std::fmt;
use std::str::FromStr;

const NANO: i128 = 1_000_000_000;

/// An exact, non-negative amount of a resource, to a billionth of a unit.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Quantity {
    nanos: i128,
}

/// Why a text isn't a quantity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ParseQuantityError {
    /// Not a number with a known suffix.
    Syntax,
    /// Below zero.
    Negative,
    /// More than [`Quantity::MAX`].
    TooLarge,
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self { nanos: 0 };
    /// The largest amount: 2^60 units (1 Ei).
    pub const MAX: Self = Self { nanos: (1 << 60) * NANO };

    /// So many whole units; at most [`Quantity::MAX`].
    #[must_use]
    pub fn from_units(units: u64) -> Self {
        Self { nanos: i128::from(units) * NANO }.min(Self::MAX)
    }

    /// So many thousandths.
    #[must_use]
    pub fn from_millis(millis: u64) -> Self {
        Self { nanos: i128::from(millis) * 1_000_000 }.min(Self::MAX)
    }

    /// The amount in whole parts of 1/`per_unit` of a unit, rounded up.
    #[must_use]
    pub(crate) fn ceil(self, per_unit: i64) -> i64 {
        let scaled = self.nanos * i128::from(per_unit);
        i64::try_from(scaled.div_euclid(NANO) + i128::from(scaled.rem_euclid(NANO) != 0))
            .unwrap_or(i64::MAX)
    }

    /// The amount in whole parts of 1/`per_unit` of a unit, rounded down.
    #[must_use]
    pub(crate) fn floor(self, per_unit: i64) -> i64 {
        i64::try_from((self.nanos * i128::from(per_unit)).div_euclid(NANO)).unwrap_or(i64::MAX)
    }
}

impl fmt::Display for ParseQuantityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "not a quantity",
            Self::Negative => "below zero",
            Self::TooLarge => "more than 1Ei",
        })
    }
}

impl std::error::Error for ParseQuantityError {}

impl FromStr for Quantity {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // H1 replaces this with the whole grammar.
        text.parse::<u64>().map(Self::from_units).map_err(|_| ParseQuantityError::Syntax)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.nanos / NANO)
    }
}
