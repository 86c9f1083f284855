//! Cron schedules of budgets: whether one is in force at an instant.
//!
//! A schedule is five fields (minute, hour, day of the month, month, day of the week) or a name for
//! one (`@daily`), always in UTC. A budget with a schedule and a duration is in force from each of
//! the schedule's instants for as long, its end left out. So it is in force at an instant if one of
//! the minutes of the duration before it is one of the schedule's.
//!
//! *Cost.* Days first, then the minutes of a day: as many days as the duration has.
//!
//! Source: <https://karpenter.sh/docs/concepts/disruption/#schedule>; the library that it reads them
//! with, <https://pkg.go.dev/github.com/robfig/cron/v3>.
//!
//! *Example.* `0 9 * * mon-fri` with a duration of 8 h: at 16:59 UTC on a Friday the instant at
//! 09:00 lies 7 h 59 min back, and the budget is in force; at 17:00 it isn't.

/// A schedule as sets of numbers, a bit each.
#[derive(Clone, Copy, Debug)]
pub(super) struct CronSchedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether the day of the month and that of the week are both restricted: either will do then.
    either_day: bool,
}

const DAY: i64 = 86_400;
/// Durations are cut here: ten years.
const MOST_DAYS: i64 = 3_660;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl CronSchedule {
    /// Reads a schedule; `None` where it says nothing that can be read.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = match text {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            text => text,
        };
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else { return None };
        // A star with a step above one restricts, as in the library that Karpenter reads with.
        let is_any = |text: &str| {
            text.split(',').any(|part| match part.split_once('/') {
                None => matches!(part, "*" | "?"),
                Some((range, step)) => matches!(range, "*" | "?") && step.parse() == Ok(1),
            })
        };
        Some(Self {
            minutes: field(minute, 0, 59, &[], 0)?,
            hours: field(hour, 0, 23, &[], 0)?,
            days: field(day, 1, 31, &[], 0)?,
            months: field(month, 1, 12, &MONTHS, 1)?,
            // Sunday is 0, and no day is 7.
            weekdays: field(weekday, 0, 6, &WEEKDAYS, 0)?,
            either_day: !is_any(day) && !is_any(weekday),
        })
    }

    /// Whether one of its instants lies in the seconds before `now`, `now` among them.
    ///
    /// The end of the duration is left out and its beginning is not, so that budgets which follow
    /// each other never overlap.
    pub(super) fn has_hit(&self, now: i64, duration: i64) -> bool {
        // The last minute that has begun, and the first whose beginning is in force still.
        let last = now.div_euclid(60);
        let first = now.saturating_sub(duration).div_euclid(60).saturating_add(1);
        let last_day = last.div_euclid(DAY / 60);
        let first_day = first.div_euclid(DAY / 60).max(last_day - MOST_DAYS);
        (first_day..=last_day).rev().filter(|day| self.is_on(*day)).any(|day| {
            let start = day * (DAY / 60);
            (first.max(start)..=last.min(start + DAY / 60 - 1)).any(|minute| {
                let of_day = minute - start;
                self.hours >> (of_day / 60) & 1 == 1 && self.minutes >> (of_day % 60) & 1 == 1
            })
        })
    }

    /// Whether it has instants on a day, counted from the epoch.
    fn is_on(&self, day: i64) -> bool {
        let (month, of_month) = civil(day);
        // The epoch was a Thursday.
        let weekday = (day + 4).rem_euclid(7);
        let by_month = self.days >> of_month & 1 == 1;
        let by_week = self.weekdays >> weekday & 1 == 1;
        let suits = if self.either_day { by_month || by_week } else { by_month && by_week };
        suits && self.months >> month & 1 == 1
    }
}

/// The numbers that a field means: a list of numbers, ranges and steps.
fn field(text: &str, least: u32, most: u32, names: &[&str], first_name: usize) -> Option<u64> {
    let number = |text: &str| -> Option<u32> {
        let lower = text.to_ascii_lowercase();
        if let Some(at) = names.iter().position(|name| *name == lower) {
            return u32::try_from(at + first_name).ok();
        }
        text.parse().ok().filter(|number| (least..=most).contains(number))
    };
    let mut set = 0_u64;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (from, to) = match range {
            "*" | "?" => (least, most),
            range => match range.split_once('-') {
                Some((from, to)) => (number(from)?, number(to)?),
                // A step makes a single number the first of a range.
                None if part.contains('/') => (number(range)?, most),
                None => (number(range)?, number(range)?),
            },
        };
        if from > to {
            return None;
        }
        let mut at = from;
        while at <= to {
            set |= 1 << at;
            at = at.saturating_add(step);
        }
    }
    Some(set)
}

/// The month and the day of the month of a day counted from the epoch.
///
/// Source: Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
fn civil(day: i64) -> (u32, u32) {
    let shifted = day + 719_468;
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (u32::try_from(month).unwrap_or(1), u32::try_from(of_month).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::{CronSchedule, civil};
    use crate::model::TimeSpan;

    /// Wednesday, 2026-08-19.
    const WEDNESDAY: i64 = 20_684 * 86_400;

    fn is_in_force(schedule: &str, duration: &str, at: i64) -> bool {
        let schedule = CronSchedule::read(schedule).unwrap();
        let duration: TimeSpan = duration.parse().unwrap();
        schedule.has_hit(at, duration.seconds().try_into().unwrap())
    }

    #[test]
    fn days_are_told() {
        assert_eq!(civil(0), (1, 1));
        assert_eq!(civil(20_684), (8, 19));
        assert_eq!(civil(-1), (12, 31));
    }

    /// The days of four centuries, after which the calendar begins anew, counted month by month.
    #[test]
    fn every_day_is_told() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for at in 0..146_097 {
            assert_eq!(civil(at), (month, day), "{at}");
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 => 28 + u32::from(is_leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > last {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        assert_eq!((year, month, day), (2370, 1, 1));
    }

    /// Karpenter's: in force from each instant until the duration is over, its end left out.
    #[test]
    fn a_window_has_its_beginning_and_not_its_end() {
        let at = |hour: i64, second: i64| WEDNESDAY + hour * 3_600 + second;
        let office = |at| is_in_force("0 9 * * mon-fri", "8h", at);
        assert!(!office(at(9, -1)));
        assert!(office(at(9, 0)));
        assert!(office(at(17, -1)));
        assert!(!office(at(17, 0)));
        assert!(!office(at(10, 3 * 86_400)), "a Saturday");
    }

    #[test]
    fn windows_that_overlap_go_on() {
        assert!(is_in_force("@daily", "48h", WEDNESDAY + 5));
        assert!(is_in_force("*/15 * * * *", "10m", WEDNESDAY + 24 * 60));
        assert!(!is_in_force("*/15 * * * *", "5m", WEDNESDAY + 24 * 60));
        assert!(is_in_force("0 0 13 * 3", "1h", WEDNESDAY + 60), "either day will do");
        assert!(is_in_force("0 0 */2 * 3", "1h", WEDNESDAY + 60), "every second day restricts");
        assert!(is_in_force("0 0 */2 * 1", "1h", WEDNESDAY + 60), "the 19th will do");
        assert!(!is_in_force("0 0 */1 * 1", "1h", WEDNESDAY + 60), "every day doesn't");
        assert!(!is_in_force("0 0 1,* * 1", "1h", WEDNESDAY + 60), "nor does a list with a star");
    }

    #[test]
    fn what_cannot_be_read_is_none() {
        for text in
            ["", "61 * * * *", "* * * *", "a * * * *", "5-1 * * * *", "*/0 * * * *", "0 0 * * 7"]
        {
            assert!(CronSchedule::read(text).is_none(), "{text}");
        }
    }
}
