//! Prices per hour, in billionths of the currency.
//!
//! Money is never a float here: sums of a hundred thousand prices must come out the same whatever
//! their order, and a bound must not exceed a cost by a rounding error. A billionth of a dollar per
//! hour is less than a thousandth of a cent in a year, so rounding a list price to it loses
//! nothing.
//!
//! Bounds: a node costs at most 100,000 per hour ([`Price::MAX_UNIT`]), a plan has at most a
//! billion nodes, so a plan's cost is below 2^77 billionths; 128 bits leave room for a factor of
//! 2^50.

use super::decimal::Decimal;
use std::fmt;
use std::str::FromStr;

const NANO: i128 = 1_000_000_000;

/// A price per hour (or a sum of prices) as a whole number of billionths.
///
/// It is read from a decimal number, with an exponent or without (`0.0928`, `3.47e-05`); what is
/// finer than a billionth is rounded to the nearest, halves up. It is printed as a plain decimal
/// number that reads back as the same price.
///
/// # Examples
/// ```
/// use plimsoll::Price;
///
/// let price: Price = "0.0928".parse()?;
/// assert_eq!(price.nanos(), 92_800_000);
/// assert_eq!(price.checked_mul(10).map(|sum| sum.to_string()).as_deref(), Some("0.928"));
/// # Ok::<(), plimsoll::model::ParsePriceError>(())
/// ```
///
/// Which currency it is nobody here knows: prices of one problem are of one currency. It may be
/// negative where it is a difference; nothing that is read is.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Price(i128);

/// Why a text isn't a price.
///
/// ```
/// use plimsoll::Price;
/// use plimsoll::model::ParsePriceError;
///
/// assert_eq!("$1".parse::<Price>(), Err(ParsePriceError::Syntax));
/// assert_eq!("-0.1".parse::<Price>(), Err(ParsePriceError::Negative));
/// assert_eq!("1e15".parse::<Price>(), Err(ParsePriceError::TooLarge));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ParsePriceError {
    /// Not a decimal number.
    Syntax,
    /// Below zero.
    Negative,
    /// More than [`Price::MAX`].
    TooLarge,
}

impl Price {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The highest price of one node and hour: 100,000.
    pub const MAX_UNIT: Self = Self(100_000_000_000_000);
    /// The highest sum of prices that is read: that of a billion nodes at [`Price::MAX_UNIT`].
    pub const MAX: Self = Self(Self::MAX_UNIT.0 * 1_000_000_000);

    /// A price of so many billionths.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Price;
    ///
    /// assert_eq!(Price::from_nanos(92_800_000).to_string(), "0.0928");
    /// assert_eq!(Price::from_nanos(-1_500_000_000).to_string(), "-1.5");
    /// ```
    #[must_use]
    pub const fn from_nanos(nanos: i128) -> Self {
        Self(nanos)
    }

    /// The price in billionths.
    #[must_use]
    pub const fn nanos(self) -> i128 {
        self.0
    }

    /// The sum of two prices, unless it is beyond 128 bits.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Price;
    ///
    /// let prices: Vec<Price> = vec!["0.1".parse()?, "0.25".parse()?];
    /// let sum = prices.into_iter().try_fold(Price::ZERO, Price::checked_add);
    /// assert_eq!(sum.map(|sum| sum.to_string()).as_deref(), Some("0.35"));
    /// # Ok::<(), plimsoll::model::ParsePriceError>(())
    /// ```
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }

    /// The price of so many, unless it is beyond 128 bits.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Price;
    ///
    /// let per_month = "0.0928".parse::<Price>()?.checked_mul(730);
    /// assert_eq!(per_month.map(|price| price.to_string()).as_deref(), Some("67.744"));
    /// # Ok::<(), plimsoll::model::ParsePriceError>(())
    /// ```
    #[must_use]
    pub fn checked_mul(self, count: u64) -> Option<Self> {
        self.0.checked_mul(i128::from(count)).map(Self)
    }
}

impl fmt::Display for ParsePriceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "not a decimal number",
            Self::Negative => "below zero",
            Self::TooLarge => "too large to be a price",
        })
    }
}

impl std::error::Error for ParsePriceError {}

impl FromStr for Price {
    type Err = ParsePriceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, rest) = Decimal::read(text).ok_or(ParsePriceError::Syntax)?;
        let negative = number.negative;
        let number = if rest.is_empty() {
            number
        } else {
            number.with_exponent(rest).ok_or(ParsePriceError::Syntax)?
        };
        let rounded = number.round(9);
        match rounded {
            _ if negative && !rounded.as_ref().is_some_and(|r| r.whole == 0 && r.rest_is_zero) => {
                Err(ParsePriceError::Negative)
            }
            Some(r) if r.whole + i128::from(r.rest_is_half_or_more) <= Self::MAX.0 => {
                Ok(Self(r.whole + i128::from(r.rest_is_half_or_more)))
            }
            _ => Err(ParsePriceError::TooLarge),
        }
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nano = NANO.unsigned_abs();
        let (whole, part) = (self.0.unsigned_abs() / nano, self.0.unsigned_abs() % nano);
        let part = format!("{part:09}");
        match part.trim_end_matches('0') {
            "" => write!(f, "{sign}{whole}"),
            part => write!(f, "{sign}{whole}.{part}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ParsePriceError::{Negative, Syntax, TooLarge};
    use super::*;

    #[test]
    fn prices_are_read_and_rounded() {
        let nanos = |text: &str| text.parse::<Price>().map(Price::nanos);
        assert_eq!(nanos("4080.60"), Ok(4_080_600_000_000));
        assert_eq!(nanos("1e-05"), Ok(10_000));
        assert_eq!(nanos("3.47e-05"), Ok(34_700));
        assert_eq!(nanos("0.0000000005"), Ok(1));
        assert_eq!(nanos("0.00000000049999"), Ok(0));
        assert_eq!(nanos("1.9999999995"), Ok(2 * NANO));
        assert_eq!(nanos("-0.0"), Ok(0));
        assert_eq!(nanos("1e14"), Ok(Price::MAX.nanos()));
        assert_eq!(nanos("100000000000000.000000001"), Err(TooLarge));
        assert_eq!(nanos("1e400"), Err(TooLarge));
        assert_eq!(nanos("-1"), Err(Negative));
        assert_eq!(nanos("-1e-99"), Err(Negative));
        for text in ["", "$1", "1m", "1e", "inf", "1,5", "1 "] {
            assert_eq!(nanos(text), Err(Syntax), "{text}");
        }
    }

    #[test]
    fn prices_print_without_idle_zeros() {
        let text = |nanos| Price::from_nanos(nanos).to_string();
        assert_eq!(text(92_800_000), "0.0928");
        assert_eq!(text(12 * NANO), "12");
        assert_eq!(text(1), "0.000000001");
        assert_eq!(text(-1_500_000_000), "-1.5");
        assert_eq!(Price::from_nanos(i128::MAX).checked_add(Price::from_nanos(1)), None);
        assert_eq!(Price::from_nanos(i128::MAX).checked_mul(2), None);
    }
}
