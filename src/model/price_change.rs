//! How an overlay changes a price: to another, by an amount, or by a percentage.

use super::Price;
use super::decimal::Decimal;
use std::fmt;
use std::str::FromStr;

/// What becomes of a price.
///
/// It is read as Karpenter's `NodeOverlay` writes it: `0.4` is another price, `+2.5` and `-2.5` are
/// amounts, `+10%` and `-15%` are percentages of the price; the sign makes the difference. What is
/// finer than a billionth (of the currency, or of the whole price) is rounded to the nearest,
/// halves away from zero. It is printed so that it reads back as the same.
///
/// Source of the syntax: <https://karpenter.sh/docs/concepts/nodeoverlays/>.
///
/// # Examples
/// ```
/// use plimsoll::Price;
/// use plimsoll::model::PriceChange;
///
/// let price: Price = "0.1001".parse()?;
/// let discount: PriceChange = "-15%".parse()?;
/// assert_eq!(discount.apply(price).to_string(), "0.085085");
/// assert_eq!(discount.to_string(), "-15%");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A change that was built by hand is checked where it is applied
/// ([`Problem::with_price_overlays`](crate::Problem::with_price_overlays)); one that was read is
/// valid.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum PriceChange {
    /// It becomes this price, whatever it was; at most [`Price::MAX_UNIT`].
    Set(Price),
    /// It grows by this amount, or falls where that is below zero; at most [`Price::MAX_UNIT`]
    /// either way.
    Add(Price),
    /// It grows by this share of itself in billionths, or falls where that is below zero:
    /// 100,000,000 is a tenth. From -1,000,000,000 (all of it) to 10,000,000,000,000.
    Scale(i64),
}

/// Why a text isn't a change of a price.
///
/// ```
/// use plimsoll::model::{ParsePriceChangeError, PriceChange};
///
/// let error = |text: &str| text.parse::<PriceChange>().unwrap_err();
/// assert_eq!(error("10%"), ParsePriceChangeError::Unsigned);
/// assert_eq!(error("-120%"), ParsePriceChangeError::BelowNothing);
/// assert_eq!(error("+a lot"), ParsePriceChangeError::Syntax);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ParsePriceChangeError {
    /// Neither a decimal number nor one with a sign, nor one with a sign and `%`.
    Syntax,
    /// A percentage without a sign.
    Unsigned,
    /// A percentage that takes away more than there is.
    BelowNothing,
    /// More than any price is, or more than 1,000,000 %.
    TooLarge,
}

/// The whole of a price, in billionths.
const WHOLE: i64 = 1_000_000_000;
/// The largest share that may be added: 1,000,000 %.
const MOST: i64 = 10_000 * WHOLE;
/// What one billionth of the whole is in billionths of a percent.
const PERCENT: i128 = 100;

impl PriceChange {
    /// The price after the change: never below zero, whole billionths, halves up.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Price;
    /// use plimsoll::model::PriceChange;
    ///
    /// let price: Price = "0.1".parse()?;
    /// let read = |text: &str| text.parse::<PriceChange>();
    /// let after = |text| read(text).map(|change| change.apply(price).to_string());
    /// assert_eq!(after("+0.02")?, "0.12");
    /// assert_eq!(after("-50%")?, "0.05");
    /// assert_eq!(after("0.3")?, "0.3");
    /// assert_eq!(after("-1")?, "0");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn apply(self, price: Price) -> Price {
        let nanos = match self {
            Self::Set(price) => price.nanos(),
            Self::Add(amount) => price.nanos().saturating_add(amount.nanos()),
            Self::Scale(share) => {
                let whole = i128::from(WHOLE);
                let scaled = price.nanos().saturating_mul(whole + i128::from(share));
                scaled.saturating_add(whole / 2).div_euclid(whole)
            }
        };
        Price::from_nanos(nanos.max(0))
    }

    /// What is wrong with a change that was built by hand, if anything is.
    pub(crate) fn fault(self) -> Option<ParsePriceChangeError> {
        let most = Price::MAX_UNIT.nanos();
        match self {
            Self::Set(price) if price < Price::ZERO => Some(ParsePriceChangeError::BelowNothing),
            Self::Set(Price::ZERO) => None,
            Self::Set(amount) | Self::Add(amount) => (!(-most..=most).contains(&amount.nanos()))
                .then_some(ParsePriceChangeError::TooLarge),
            Self::Scale(share) if share < -WHOLE => Some(ParsePriceChangeError::BelowNothing),
            Self::Scale(share) => (share > MOST).then_some(ParsePriceChangeError::TooLarge),
        }
    }
}

impl fmt::Display for ParsePriceChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "not a decimal number, with or without a sign and %",
            Self::Unsigned => "a percentage without a sign",
            Self::BelowNothing => "below zero",
            Self::TooLarge => "too large",
        })
    }
}

impl std::error::Error for ParsePriceChangeError {}

impl FromStr for PriceChange {
    type Err = ParsePriceChangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_prefix(['+', '-']);
        let negative = text.starts_with('-');
        // A second sign would be read as part of the number.
        let unsigned = number.unwrap_or(text);
        if unsigned.starts_with(['+', '-']) {
            return Err(ParsePriceChangeError::Syntax);
        }
        let change = if let Some(percent) = unsigned.strip_suffix('%') {
            let share = share(percent)?;
            if number.is_none() {
                return Err(ParsePriceChangeError::Unsigned);
            }
            Self::Scale(if negative { -share } else { share })
        } else {
            let amount: Price = unsigned.parse().map_err(|error| match error {
                super::ParsePriceError::TooLarge => ParsePriceChangeError::TooLarge,
                _ => ParsePriceChangeError::Syntax,
            })?;
            match number {
                None => Self::Set(amount),
                Some(_) if negative => Self::Add(Price::from_nanos(-amount.nanos())),
                Some(_) => Self::Add(amount),
            }
        };
        change.fault().map_or(Ok(change), Err)
    }
}

/// A percentage without its sign, in billionths of the whole.
///
/// So `12.5` is 125,000,000; rounded to the nearest, halves up.
fn share(percent: &str) -> Result<i64, ParsePriceChangeError> {
    let Some((number, "")) = Decimal::read(percent) else {
        return Err(ParsePriceChangeError::Syntax);
    };
    let rounded = number.shift(-2).round(9).ok_or(ParsePriceChangeError::TooLarge)?;
    i64::try_from(rounded.whole + i128::from(rounded.rest_is_half_or_more))
        .map_err(|_| ParsePriceChangeError::TooLarge)
}

impl fmt::Display for PriceChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plus = |nanos: i128| if nanos < 0 { "" } else { "+" };
        match self {
            Self::Set(price) => write!(f, "{price}"),
            Self::Add(amount) => write!(f, "{}{amount}", plus(amount.nanos())),
            Self::Scale(share) => {
                let percent = Price::from_nanos(i128::from(*share) * PERCENT);
                write!(f, "{}{percent}%", plus(percent.nanos()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ParsePriceChangeError::{BelowNothing, Syntax, TooLarge, Unsigned};
    use super::*;

    fn read(text: &str) -> Result<PriceChange, ParsePriceChangeError> {
        text.parse()
    }

    #[test]
    fn the_sign_makes_the_difference() {
        let price = |nanos| Price::from_nanos(nanos);
        assert_eq!(read("0.4"), Ok(PriceChange::Set(price(400_000_000))));
        assert_eq!(read("0"), Ok(PriceChange::Set(Price::ZERO)));
        assert_eq!(read("+.4"), Ok(PriceChange::Add(price(400_000_000))));
        assert_eq!(read("-2.5"), Ok(PriceChange::Add(price(-2_500_000_000))));
        assert_eq!(read("+10%"), Ok(PriceChange::Scale(100_000_000)));
        assert_eq!(read("-100%"), Ok(PriceChange::Scale(-WHOLE)));
        assert_eq!(read("-0.00000015%"), Ok(PriceChange::Scale(-2)));
        assert_eq!(read("+1000000%"), Ok(PriceChange::Scale(MOST)));
    }

    #[test]
    fn faults_say_what_is_wrong() {
        let texts = ["", "+", "%", "+%", "--1", "+-1", "1+", "$1", "1 %", "+1%%", "+1e1%", "+ 1"];
        for text in texts {
            assert_eq!(read(text), Err(Syntax), "{text}");
        }
        assert_eq!(read("10%"), Err(Unsigned));
        assert_eq!(read("-100.01%"), Err(BelowNothing));
        for text in ["100000.1", "+1e9", "-100001", "+1000000.1%", "+1e400"] {
            assert_eq!(read(text), Err(TooLarge), "{text}");
        }
        assert_eq!(PriceChange::Set(Price::from_nanos(-1)).fault(), Some(BelowNothing));
        assert_eq!(PriceChange::Scale(i64::MIN).fault(), Some(BelowNothing));
        assert_eq!(PriceChange::Add(Price::from_nanos(i128::MIN)).fault(), Some(TooLarge));
    }

    #[test]
    fn changes_print_as_they_are_read() {
        for text in ["0.4", "0", "+0.4", "+0", "-2.5", "+10%", "-12.3456789%", "+0%"] {
            assert_eq!(read(text).map(|change| change.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn shares_are_rounded_half_up() {
        let scaled =
            |nanos, share| PriceChange::Scale(share).apply(Price::from_nanos(nanos)).nanos();
        assert_eq!(scaled(1, WHOLE / 2), 2, "1.5");
        assert_eq!(scaled(1, -WHOLE / 2), 1, "0.5");
        assert_eq!(scaled(3, -WHOLE / 2), 2, "1.5");
        assert_eq!(scaled(1, -WHOLE / 2 - 1), 0, "less than 0.5");
        assert_eq!(scaled(7, -WHOLE), 0);
        assert_eq!(scaled(i128::MAX, i64::MAX), i128::MAX / i128::from(WHOLE));
    }
}
