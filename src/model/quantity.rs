//! Kubernetes quantities: exact decimals such as `250m`, `1.5`, `2Gi` and `1e3`.
//!
//! Source: <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>.
//!
//! A quantity is kept in billionths of a unit, the finest that Kubernetes has, as a 128-bit
//! integer, so that nothing is lost between what a manifest says and what is compared. Rounding
//! happens in one place and in one direction: requests up and capacity down, to whole *counting
//! units* (millicores of `cpu`, units of everything else), when a problem is compiled.

use super::decimal::Decimal;
use std::fmt;
use std::str::FromStr;

const NANO: i128 = 1_000_000_000;

/// Decimal suffixes and their powers of ten, largest first.
const DECIMAL: [(&str, i64); 10] = [
    ("E", 18),
    ("P", 15),
    ("T", 12),
    ("G", 9),
    ("M", 6),
    ("k", 3),
    ("", 0),
    ("m", -3),
    ("u", -6),
    ("n", -9),
];

/// Binary suffixes and their powers of two, largest first.
const BINARY: [(&str, u32); 6] =
    [("Ei", 60), ("Pi", 50), ("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)];

/// An exact, non-negative amount of a resource, to a billionth of a unit.
///
/// It is read in every form that Kubernetes has, and an amount above [`Quantity::MAX`] as that: a
/// decimal number (`+`, `.5` and `5.` included) with a decimal suffix (`n`, `u`, `m`, none, `k`,
/// `M`, `G`, `T`, `P`, `E`), a binary one (`Ki`, `Mi`, `Gi`, `Ti`, `Pi`, `Ei`) or an exponent
/// (`e3`, `E-3`). What is finer than a billionth is rounded up, as in Kubernetes.
///
/// It is printed without a fraction, with the largest suffix that loses nothing, as Kubernetes
/// does; binary where that is shorter and the amount is at least 1Mi. What is printed reads back as
/// the same amount.
///
/// # Examples
/// ```
/// use plimsoll::Quantity;
///
/// let quarter: Quantity = "0.25".parse()?;
/// assert_eq!(quarter, "250m".parse()?);
/// assert_eq!(quarter.to_string(), "250m");
/// assert_eq!("2048Mi".parse::<Quantity>()?.to_string(), "2Gi");
/// # Ok::<(), plimsoll::model::ParseQuantityError>(())
/// ```
///
/// Never negative, never above 2^60 units; arithmetic stays in that range instead of failing.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Quantity {
    nanos: i128,
}

/// Why a text isn't a quantity.
///
/// ```
/// use plimsoll::Quantity;
/// use plimsoll::model::ParseQuantityError;
///
/// assert_eq!("3GB".parse::<Quantity>(), Err(ParseQuantityError::Syntax));
/// assert_eq!("-1".parse::<Quantity>(), Err(ParseQuantityError::Negative));
/// // What is larger than anything is no error, as in Kubernetes.
/// assert_eq!("1e30".parse::<Quantity>(), Ok(Quantity::MAX));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ParseQuantityError {
    /// Not a number with a known suffix.
    Syntax,
    /// Below zero.
    Negative,
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self { nanos: 0 };
    /// The largest amount: 2^60 units (1 Ei).
    pub const MAX: Self = Self { nanos: (1 << 60) * NANO };

    /// So many whole units; at most [`Quantity::MAX`].
    ///
    /// Bytes of memory, whole processors, devices.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Quantity;
    ///
    /// assert_eq!(Quantity::from_units(2).to_string(), "2");
    /// assert_eq!(Quantity::from_units(8 << 30).to_string(), "8Gi");
    /// assert_eq!(Quantity::from_units(u64::MAX), Quantity::MAX);
    /// ```
    #[must_use]
    pub fn from_units(units: u64) -> Self {
        Self { nanos: i128::from(units) * NANO }.min(Self::MAX)
    }

    /// So many thousandths.
    ///
    /// At most [`Quantity::MAX`]. Millicores, where the resource is `cpu`.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Quantity;
    ///
    /// assert_eq!(Quantity::from_millis(1_500), "1.5".parse()?);
    /// # Ok::<(), plimsoll::model::ParseQuantityError>(())
    /// ```
    #[must_use]
    pub fn from_millis(millis: u64) -> Self {
        Self { nanos: i128::from(millis) * 1_000_000 }.min(Self::MAX)
    }

    /// The amount in billionths of a unit, without loss.
    ///
    /// From 0 to 2^60 · 10^9.
    #[must_use]
    pub const fn nanos(self) -> i128 {
        self.nanos
    }

    /// So many billionths of a unit; from nothing to [`Quantity::MAX`].
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Quantity;
    ///
    /// assert_eq!(Quantity::from_nanos(1_500_000_000).to_string(), "1500m");
    /// assert_eq!(Quantity::from_nanos(-1), Quantity::ZERO);
    /// ```
    #[must_use]
    pub fn from_nanos(nanos: i128) -> Self {
        Self { nanos }.clamp(Self::ZERO, Self::MAX)
    }

    /// The sum of two amounts; at most [`Quantity::MAX`].
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Quantity;
    ///
    /// let (web, sidecar) = (Quantity::from_millis(250), Quantity::from_millis(100));
    /// assert_eq!(web.saturating_add(sidecar).to_string(), "350m");
    /// assert_eq!(Quantity::MAX.saturating_add(web), Quantity::MAX);
    /// ```
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self { nanos: self.nanos + other.nanos }.min(Self::MAX)
    }

    /// What is left of the amount without `other`; nothing where that is more.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Quantity;
    ///
    /// let (capacity, overhead) = (Quantity::from_units(2), Quantity::from_millis(70));
    /// assert_eq!(capacity.saturating_sub(overhead).to_string(), "1930m");
    /// assert_eq!(overhead.saturating_sub(capacity), Quantity::ZERO);
    /// ```
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self { nanos: (self.nanos - other.nanos).max(0) }
    }

    /// The amount in whole parts of 1/`per_unit` of a unit, rounded up.
    ///
    /// For requests: a pod never gets less than it asks for.
    #[must_use]
    pub(crate) fn ceil(self, per_unit: i64) -> i64 {
        let scaled = self.nanos * i128::from(per_unit);
        i64::try_from(scaled.div_euclid(NANO) + i128::from(scaled.rem_euclid(NANO) != 0))
            .unwrap_or(i64::MAX)
    }

    /// The amount in whole parts of 1/`per_unit` of a unit, rounded down.
    ///
    /// For capacity and limits: nothing is given away that isn't there.
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
        })
    }
}

impl std::error::Error for ParseQuantityError {}

/// What a text that isn't a quantity is most likely meant to be.
///
/// Units in the wrong letters (`GB`), words for processors, a comma for the point: what YAML and
/// other tools let people write. `None` where nothing is close.
pub(crate) fn hint(text: &str) -> Option<String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    if number.is_empty() || number.len() > 20 {
        return None;
    }
    let number = number.replace(',', ".");
    let (decimal, binary) = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "core" | "cores" | "cpu" | "cpus" | "vcpu" | "vcpus" => return Some(number),
        "kb" | "kib" => ('k', "Ki"),
        "mb" | "mib" => ('M', "Mi"),
        "gb" | "gib" => ('G', "Gi"),
        "tb" | "tib" => ('T', "Ti"),
        _ => return None,
    };
    Some(format!("{number}{decimal} (powers of 1000) or {number}{binary} (powers of 1024)"))
}

impl FromStr for Quantity {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, suffix) = Decimal::read(text).ok_or(ParseQuantityError::Syntax)?;
        let negative = number.negative;
        let number = if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
            number.shift(*power)
        } else if let Some((_, power)) = BINARY.iter().find(|(name, _)| *name == suffix) {
            number.times(1 << power)
        } else {
            number.with_exponent(suffix).ok_or(ParseQuantityError::Syntax)?
        };
        let rounded = number.round(9);
        match rounded {
            _ if negative && !rounded.as_ref().is_some_and(|r| r.whole == 0 && r.rest_is_zero) => {
                Err(ParseQuantityError::Negative)
            }
            Some(r) if r.whole + i128::from(!r.rest_is_zero) <= Self::MAX.nanos => {
                Ok(Self { nanos: r.whole + i128::from(!r.rest_is_zero) })
            }
            _ => Ok(Self::MAX),
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.nanos;
        let decimal = DECIMAL
            .iter()
            .filter_map(|(suffix, power)| {
                let unit = 10_i128.pow(u32::try_from(power + 9).ok()?);
                (nanos % unit == 0).then(|| format!("{}{suffix}", nanos / unit))
            })
            .find(|_| nanos > 0)
            .unwrap_or_else(|| "0".into());
        let binary = BINARY.iter().find_map(|(suffix, power)| {
            let unit = NANO << power;
            let whole = nanos >= NANO << 20 && nanos % unit == 0;
            whole.then(|| format!("{}{suffix}", nanos / unit))
        });
        f.write_str(&binary.filter(|text| text.len() < decimal.len()).unwrap_or(decimal))
    }
}

#[cfg(test)]
mod tests {
    use super::ParseQuantityError::{Negative, Syntax};
    use super::*;

    fn nanos(text: &str) -> Result<i128, ParseQuantityError> {
        text.parse::<Quantity>().map(Quantity::nanos)
    }

    #[test]
    fn every_form_is_read_exactly() {
        for (text, expected) in [
            ("0", 0),
            ("-0", 0),
            ("250m", 250_000_000),
            ("1.5", 1_500_000_000),
            (".5", 500_000_000),
            ("5.", 5 * NANO),
            ("+5", 5 * NANO),
            ("007", 7 * NANO),
            ("1n", 1),
            ("1u", 1000),
            ("3k", 3000 * NANO),
            ("2M", 2_000_000 * NANO),
            ("1E", 10_i128.pow(27)),
            ("1e3", 1000 * NANO),
            ("1E3", 1000 * NANO),
            ("12e-1", 1_200_000_000),
            ("1.5E+2", 150 * NANO),
            ("0.5Ki", 512 * NANO),
            ("1Ei", Quantity::MAX.nanos),
            ("0.0000000001Ki", 103),
            ("1.1n", 2),
            ("0.000000000000000000000000000000000000001", 1),
            ("0.1n", 1),
            ("1e-9223372036854775808", 1),
            ("0e9223372036854775807", 0),
        ] {
            assert_eq!(nanos(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let syntax =
            ["", "+", ".", "m", " 1", "1 ", "1K", "1e", "1e+", "1e1.0", "1ki", "1mm", "0x1"];
        for text in syntax.into_iter().chain(["--1", "+-1", "1i", "1_0", "١", "NaN", "1e1m"]) {
            assert_eq!(nanos(text), Err(Syntax), "{text}");
        }
        for text in ["-1", "-1n", "-1e99", "-0.1n"] {
            assert_eq!(nanos(text), Err(Negative), "{text}");
        }
        for text in ["1.0000000001Ei", "2Ei", "1.2E", "1e99", "1e9223372036854775807"] {
            assert_eq!(nanos(text), Ok(Quantity::MAX.nanos), "{text}");
        }
    }

    #[test]
    fn it_prints_the_largest_suffix_that_loses_nothing() {
        for (text, expected) in [
            ("0.0", "0"),
            ("1000m", "1"),
            ("0.25", "250m"),
            ("1500", "1500"),
            ("2000", "2k"),
            ("1024", "1024"),
            ("1024Ki", "1Mi"),
            ("1.5Gi", "1536Mi"),
            ("1e9", "1G"),
            ("32386544Ki", "32386544Ki"),
            ("1Ei", "1Ei"),
            ("0.000000001", "1n"),
        ] {
            assert_eq!(text.parse::<Quantity>().map(|q| q.to_string()), Ok(expected.into()));
        }
    }

    #[test]
    fn requests_round_up_and_capacity_down() {
        let quantity = Quantity { nanos: 1_000_500_000 };
        assert_eq!((quantity.ceil(1000), quantity.floor(1000)), (1001, 1000));
        assert_eq!((quantity.ceil(1), quantity.floor(1)), (2, 1));
    }
}
