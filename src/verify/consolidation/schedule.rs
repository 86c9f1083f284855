//! Schedules of budgets, read again: five cron fields in UTC, or a name such as `@daily`.
//!
//! A budget with a schedule is in force from each time that the schedule names, for its duration:
//! at an instant it is if some such time lies within the duration before, the instant itself
//! included and the end of the duration not.
//!
//! Which days count is cron's rule: where day of month and day of week are both restricted, either
//! will do. A step above one restricts, even of `*`, as in the cron library that Karpenter uses.
//!
//! Days are looked at one by one from the last backwards. A schedule that names any time names one
//! within eight years (29 February), so looking further back changes nothing.
//!
//! Source: <https://karpenter.sh/docs/concepts/disruption/#schedule>.

const DAY_MINUTES: i64 = 1440;
/// Eight years and a day.
const MOST_DAYS: i64 = 8 * 365 + 3;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The times that a schedule names: a bit for each minute, hour, day, month (from 1) and day of the
/// week (Sunday is 0).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Schedule {
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
}

/// One field: the values that it names, and whether it is unrestricted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Field {
    values: u64,
    any: bool,
}

impl Schedule {
    /// Reads a schedule; nothing if it isn't one.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = match text {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            text => text,
        };
        let mut fields = text.split_ascii_whitespace();
        let schedule = Self {
            minutes: Field::read(fields.next()?, 0, 59, &[])?,
            hours: Field::read(fields.next()?, 0, 23, &[])?,
            days: Field::read(fields.next()?, 1, 31, &[])?,
            months: Field::read(fields.next()?, 1, 12, &MONTHS)?,
            weekdays: Field::read(fields.next()?, 0, 6, &WEEKDAYS)?,
        };
        fields.next().is_none().then_some(schedule)
    }

    /// Whether an instant, in seconds since 1970, lies within so many seconds from a time that the
    /// schedule names.
    pub(super) fn is_active(&self, duration: i64, now: i64) -> bool {
        let last = now.div_euclid(60);
        let first = now.saturating_sub(duration).div_euclid(60).saturating_add(1);
        let (last_day, first_day) = (last.div_euclid(DAY_MINUTES), first.div_euclid(DAY_MINUTES));
        let first_day = first_day.max(last_day.saturating_sub(MOST_DAYS));
        (first_day..=last_day).rev().filter(|day| self.names_day(*day)).any(|day| {
            let start = day.saturating_mul(DAY_MINUTES);
            let from = first.max(start).saturating_sub(start);
            let to = last.saturating_sub(start).min(DAY_MINUTES - 1);
            (from..=to).any(|minute| self.hours.has(minute / 60) && self.minutes.has(minute % 60))
        })
    }

    /// Whether some time of a day, counted from 1970, is named.
    fn names_day(&self, day: i64) -> bool {
        let (month, day_of_month) = month_and_day(day);
        let in_month = self.days.has(day_of_month);
        let in_week = self.weekdays.has(day.saturating_add(4).rem_euclid(7));
        let either = match self.days.any || self.weekdays.any {
            true => in_month && in_week,
            false => in_month || in_week,
        };
        self.months.has(month) && either
    }
}

impl Field {
    fn has(self, value: i64) -> bool {
        u32::try_from(value).is_ok_and(|value| self.values.checked_shr(value).unwrap_or(0) & 1 == 1)
    }

    /// Reads a list of ranges of values from `least` to `most`, which may also be called by
    /// `names`.
    ///
    /// Lists, ranges, steps and names; a step above one makes a star a restriction, which matters
    /// for which days count.
    fn read(text: &str, least: u32, most: u32, names: &[&str]) -> Option<Self> {
        let mut field = Self { values: 0, any: false };
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, Some(number(step).filter(|step| *step > 0)?)),
                None => (part, None),
            };
            let value = |text: &str| -> Option<u32> {
                let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
                let named = named.and_then(|at| least.checked_add(u32::try_from(at).ok()?));
                named.or_else(|| number(text))
            };
            let (from, to) = match range {
                "*" | "?" => (least, most),
                range => match range.split_once('-') {
                    Some((from, to)) => (value(from)?, value(to)?),
                    // From a value with a step on to the end.
                    None if step.is_some() => (value(range)?, most),
                    None => (value(range)?, value(range)?),
                },
            };
            if from < least || to > most || from > to {
                return None;
            }
            field.any |= matches!(range, "*" | "?") && step.is_none_or(|step| step == 1);
            let step = usize::try_from(step.unwrap_or(1)).ok()?;
            let named = (from..=to).step_by(step).filter_map(|value| 1_u64.checked_shl(value));
            field.values = named.fold(field.values, |values, bit| values | bit);
        }
        Some(field)
    }
}

fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The month, from 1, and the day of the month of a day counted from 1970: years are taken to begin
/// in March, so that the leap day is the last of its year.
fn month_and_day(day: i64) -> (i64, i64) {
    // Days since 1 March of a year that 400 divides, within 400 years.
    let of_era = day.saturating_add(719_468).rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * from_march + 2) / 5 + 1;
    (if from_march < 10 { from_march + 3 } else { from_march - 9 }, day_of_month)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::model::TimeSpan;

    /// Wednesday, 14 January 2026, 00:00 UTC.
    const WEDNESDAY: i64 = 20_467 * 86_400;
    const HOUR: i64 = 3600;

    fn active(schedule: &str, duration: &str, now: i64) -> bool {
        Schedule::read(schedule)
            .unwrap()
            .is_active(duration.parse::<TimeSpan>().unwrap().seconds().try_into().unwrap(), now)
    }

    #[test]
    fn a_window_begins_with_its_time_and_ends_before_its_duration_is_over() {
        let at = |hour: i64| WEDNESDAY + hour * HOUR;
        let office = |now| active("0 9 * * mon-fri", "8h", now);
        assert!(!office(at(9) - 1));
        assert!(office(at(9)) && office(at(10)) && office(at(17) - 1));
        assert!(!office(at(17)), "the end isn't part of it");
        assert!(!office(at(10) + 3 * 24 * HOUR), "a Saturday");
        assert!(office(at(10) + 5 * 24 * HOUR), "the Monday after it");
    }

    #[test]
    fn windows_may_outlast_days_and_overlap() {
        assert!(active("0 22 * * *", "10h", WEDNESDAY + 3 * HOUR));
        assert!(!active("0 22 * * *", "5h", WEDNESDAY + 3 * HOUR));
        assert!(active("@hourly", "90m", WEDNESDAY + 1234));
        assert!(active("0 0 29 2 *", "17520h", WEDNESDAY), "29 February 2024, two years ago");
        assert!(!active("0 0 29 2 *", "1h", WEDNESDAY));
        assert!(!active("0 0 31 2 *", "999999h", WEDNESDAY), "a day that isn't there");
    }

    #[test]
    fn either_day_will_do_where_both_are_restricted() {
        let at_noon = WEDNESDAY + 12 * HOUR;
        assert!(active("0 12 1 * wed", "1m", at_noon));
        assert!(active("0 12 14 * sun", "1m", at_noon));
        assert!(!active("0 12 1 * *", "1m", at_noon));
        assert!(active("0 12 */2 * wed", "1m", at_noon), "a step restricts");
        assert!(!active("0 12 1 * sun", "1m", at_noon));
    }

    #[test]
    fn fields_are_lists_of_ranges_with_steps_and_names() {
        let now = WEDNESDAY + 9 * HOUR + 25 * 60;
        assert!(active("5/20 9-17/4 ? JAN,jul wed", "1m", now));
        assert!(!active("5/20 8-17/4 ? JAN,jul wed", "1m", now));
        for wrong in ["", "* * * *", "* * * * * *", "60 * * * *", "* * 0 * *", "* * * * 7"] {
            assert_eq!(Schedule::read(wrong), None, "{wrong}");
        }
        for wrong in
            ["5-1 * * * *", "*/0 * * * *", "a * * * *", "1- * * * *", "@never", "-1 * * * *"]
        {
            assert_eq!(Schedule::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn days_have_months() {
        assert_eq!(month_and_day(0), (1, 1));
        assert_eq!(month_and_day(59), (3, 1));
        assert_eq!(month_and_day(20_467), (1, 14));
        assert_eq!(month_and_day(19_782), (2, 29));
        assert_eq!(month_and_day(-1), (12, 31));
    }
}
