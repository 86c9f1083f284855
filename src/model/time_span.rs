//! Durations as Kubernetes writes them: sums such as `1h30m`.
//!
//! Kubernetes and Karpenter write durations as Go does; a pool's need no more than hours, minutes
//! and seconds in whole numbers, which is what Karpenter's own pattern allows.

use std::fmt;
use std::str::FromStr;

/// A duration in whole seconds, as documents write it: `30s`, `1h30m`, `720h`.
///
/// # Examples
/// ```
/// use plimsoll::NodePool;
/// use plimsoll::model::TimeSpan;
///
/// let pool = NodePool::new("default").with_expire_after(TimeSpan::from_hours(720));
/// assert_eq!(pool.expire_after().unwrap().to_string(), "720h");
/// assert_eq!("1h30m".parse::<TimeSpan>()?.seconds(), 5_400);
/// assert!("90".parse::<TimeSpan>().is_err() && "Never".parse::<TimeSpan>().is_err());
/// # Ok::<(), plimsoll::model::ParseTimeSpanError>(())
/// ```
///
/// Any span below 2^64 seconds; sums in a text that exceed it are that. Spans are ordered by
/// length.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TimeSpan {
    seconds: u64,
}

/// Why a text isn't a duration.
///
/// Units other than `h`, `m` and `s`, fractions, signs and white space aren't read.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ParseTimeSpanError {
    /// The text.
    pub text: String,
}

impl TimeSpan {
    /// So many seconds.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::TimeSpan;
    ///
    /// assert_eq!(TimeSpan::from_seconds(5_400).to_string(), "1h30m");
    /// assert_eq!(TimeSpan::default().to_string(), "0s");
    /// ```
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self { seconds }
    }

    /// So many hours.
    #[must_use]
    pub const fn from_hours(hours: u32) -> Self {
        // Below 2^44.
        Self { seconds: hours as u64 * 3_600 }
    }

    /// How many seconds it is.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.seconds
    }
}

/// The units, the largest first, with their seconds.
const UNITS: [(char, u64); 3] = [('h', 3_600), ('m', 60), ('s', 1)];

impl FromStr for TimeSpan {
    type Err = ParseTimeSpanError;

    /// Reads a sum of whole numbers, each below 2^32 and with its unit.
    fn from_str(text: &str) -> Result<Self, ParseTimeSpanError> {
        let part = |part: &str| {
            let (unit, seconds) = UNITS.iter().find(|(unit, _)| part.ends_with(*unit))?;
            let number = part.strip_suffix(*unit)?;
            // A sign is no digit.
            let is_number = number.bytes().all(|b| b.is_ascii_digit());
            let number: u32 = number.parse().ok().filter(|_| is_number)?;
            Some(u64::from(number).saturating_mul(*seconds))
        };
        let mut parts = text.split_inclusive(|c: char| !c.is_ascii_digit()).map(part);
        let sum = parts.try_fold(0_u64, |sum, part| Some(sum.saturating_add(part?)));
        match sum.filter(|_| !text.is_empty()) {
            Some(seconds) => Ok(Self { seconds }),
            None => Err(ParseTimeSpanError { text: text.into() }),
        }
    }
}

impl fmt::Display for TimeSpan {
    /// The shortest sum: `720h`, `1h30m`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.seconds == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.seconds;
        for (unit, seconds) in UNITS {
            let number = rest / seconds;
            rest %= seconds;
            if number > 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for ParseTimeSpanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} isn't a duration; expected one such as 30s or 1h30m", self.text)
    }
}

impl std::error::Error for ParseTimeSpanError {}

#[cfg(test)]
mod tests {
    use super::TimeSpan;

    #[test]
    fn spans_read_back() {
        for (text, seconds) in [("0s", 0), ("59s", 59), ("1h30m", 5_400), ("720h", 2_592_000)] {
            assert_eq!(text.parse::<TimeSpan>().unwrap().seconds(), seconds, "{text}");
            assert_eq!(TimeSpan::from_seconds(seconds).to_string(), text);
        }
        assert_eq!("90s1m".parse::<TimeSpan>().unwrap().seconds(), 150);
        for text in ["", "h", "5", "1d", "+1s", "-1s", "1.5h", "Never", "4294967296s", "1h "] {
            assert!(text.parse::<TimeSpan>().is_err(), "{text}");
        }
    }
}
