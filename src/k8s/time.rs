//! Instants and lengths of time as the objects write them. The library has no clock: what depends
//! on the time of day reads the instant that the caller states.

use std::fmt;
use std::str::FromStr;

/// An instant, in whole seconds since the beginning of 1970 in UTC.
///
/// # Examples
/// ```
/// use plimsoll::k8s::Timestamp;
///
/// let instant: Timestamp = "2026-11-30T09:00:00+01:00".parse()?;
/// assert_eq!(instant.to_string(), "2026-11-30T08:00:00Z");
/// # Ok::<(), plimsoll::k8s::ParseTimestampError>(())
/// ```
///
/// Parts of a second that a text has are cut off. It prints in UTC.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(i64);

/// A text that isn't an instant as RFC 3339 writes it.
///
/// ```
/// use plimsoll::k8s::Timestamp;
///
/// // A date alone is none, and neither is a time without a zone.
/// assert!("2026-11-30".parse::<Timestamp>().is_err());
/// assert!("2026-11-30T09:00:00".parse::<Timestamp>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ParseTimestampError;

impl fmt::Display for ParseTimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an instant such as 2026-11-30T09:00:00Z")
    }
}

impl std::error::Error for ParseTimestampError {}

const DAY: i64 = 86_400;

impl Timestamp {
    /// So many seconds after the beginning of 1970 in UTC.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::k8s::Timestamp;
    ///
    /// assert_eq!(Timestamp::from_seconds(0).to_string(), "1970-01-01T00:00:00Z");
    /// assert_eq!(Timestamp::from_seconds(-1).to_string(), "1969-12-31T23:59:59Z");
    /// ```
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// The seconds since the beginning of 1970 in UTC.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0
    }
}

/// The days from the beginning of 1970 to a date of the Gregorian calendar.
///
/// Source: <https://howardhinnant.github.io/date_algorithms.html#days_from_civil>.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    /// Reads RFC 3339: a date, `T`, a time, and `Z` or an offset. Fractions of seconds are cut off.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read(text).ok_or(ParseTimestampError)
    }
}

fn read(text: &str) -> Option<Timestamp> {
    let number = |from: usize, to: usize, most: i64| -> Option<i64> {
        let digits = text.get(from..to)?;
        let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
        (number <= most).then_some(number)
    };
    let sign = |at: usize, allowed: &[u8]| {
        text.as_bytes().get(at).is_some_and(|byte| allowed.contains(byte)).then_some(())
    };
    sign(4, b"-")?;
    sign(7, b"-")?;
    sign(10, b"Tt ")?;
    sign(13, b":")?;
    sign(16, b":")?;
    let (year, month, day) = (number(0, 4, 9999)?, number(5, 7, 12)?, number(8, 10, 31)?);
    if month == 0 || day == 0 {
        return None;
    }
    let (hour, minute, second) = (number(11, 13, 23)?, number(14, 16, 59)?, number(17, 19, 60)?);
    let rest = text.get(19..)?;
    let zone = match rest.strip_prefix('.') {
        None => rest,
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            (zone.len() < fraction.len()).then_some(zone)?
        }
    };
    let offset = match zone {
        "Z" | "z" => 0,
        _ => {
            let at = text.len().checked_sub(zone.len())?;
            sign(at, b"+-")?;
            sign(at + 3, b":")?;
            let minutes = number(at + 1, at + 3, 23)? * 60 + number(at + 4, at + 6, 59)?;
            (zone.len() == 6).then_some(())?;
            if zone.starts_with('-') { -minutes } else { minutes }
        }
    };
    let of_day = hour * 3600 + minute * 60 + second;
    Some(Timestamp(days(year, month, day) * DAY + of_day - offset * 60))
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, of_day) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        // Source: <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>.
        let shifted = date.saturating_add(719_468);
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year + era * 400 + i64::from(month <= 2);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// The whole seconds of a length of time in Go's form, such as `30s`, `1h30m` or `0`.
///
/// Parts of a second are cut off. `None` for what isn't one, and for what 64 bits of nanoseconds
/// can't hold.
pub(super) fn duration_seconds(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    if text.is_empty() || !text.ends_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let mut rest = text;
    let mut nanos: i64 = 0;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| c.is_ascii_alphabetic() || c == 'µ')?;
        let (number, tail) = rest.split_at(unit_at);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let nanos_per_unit: i64 = match unit {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
            return None;
        }
        let count: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        nanos = nanos.checked_add(count.checked_mul(nanos_per_unit)?)?;
        if !fraction.is_empty() {
            let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
            let part = fraction.parse::<i128>().ok()?.checked_mul(nanos_per_unit.into())? / scale;
            nanos = nanos.checked_add(i64::try_from(part).ok()?)?;
        }
        rest = tail;
    }
    Some(nanos / 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_and_written() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-11-30T09:51:00.123456Z", 1_796_032_260),
            ("2026-11-30T09:51:00+02:30", 1_796_032_260 - 9000),
            ("1969-12-31T23:59:59Z", -1),
        ] {
            assert_eq!(text.parse(), Ok(Timestamp(seconds)), "{text}");
        }
        let instant: Timestamp = "2024-02-29T23:59:59-01:00".parse().expect("an instant");
        assert_eq!(instant.to_string(), "2024-03-01T00:59:59Z");
        let no_digits = "2026-11-30T09:51:00.Z";
        for text in
            ["", "2026-11-30", "2026-13-01T00:00:00Z", "2026-11-30T09:51:00", no_digits, "x"]
        {
            assert_eq!(text.parse::<Timestamp>(), Err(ParseTimestampError), "{text}");
        }
    }

    #[test]
    fn lengths_of_time_are_read() {
        for (text, seconds) in [
            ("30s", Some(30)),
            ("1h30m", Some(5400)),
            ("720h", Some(2_592_000)),
            ("1.5h", Some(5400)),
            ("1500ms", Some(1)),
            ("0", Some(0)),
            ("true", None),
            ("5", None),
            ("", None),
            ("h", None),
            ("99999999999999999h", None),
        ] {
            assert_eq!(duration_seconds(text), seconds, "{text}");
        }
    }
}
