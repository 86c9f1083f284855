//! Prices per hour, in billionths of the currency.

use std::fmt;
use std::str::FromStr;

/// A price per hour (or a sum of prices) as a whole number of billionths.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Price(i128);

/// Why a text isn't a price.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ParsePriceError {
    /// Not a decimal number.
    Syntax,
    /// Below zero.
    Negative,
    /// More than [`Price::MAX_UNIT`].
    TooLarge,
}

impl Price {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The highest price of one node and hour: 100,000.
    pub const MAX_UNIT: Self = Self(100_000_000_000_000);

    /// A price of so many billionths.
    #[must_use]
    pub const fn from_nanos(nanos: i128) -> Self {
        Self(nanos)
    }

    /// The price in billionths.
    #[must_use]
    pub const fn nanos(self) -> i128 {
        self.0
    }
}

impl fmt::Display for ParsePriceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "not a decimal number",
            Self::Negative => "below zero",
            Self::TooLarge => "more than 100000 per hour",
        })
    }
}

impl std::error::Error for ParsePriceError {}

impl FromStr for Price {
    type Err = ParsePriceError;

    fn from_str(_text: &str) -> Result<Self, Self::Err> {
        Err(ParsePriceError::Syntax)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
