//! What was seen of an offering, with less weight the longer ago it was.
//!
//! Events are counted by spans of time, a sixteenth of a half-life long, so that a busy offering
//! takes no more memory than a quiet one; counting is adding, so that the order of events doesn't
//! matter. A span's weight halves with each half-life that it is old, linearly in between, and is 0
//! from [`LIFE`] half-lives on. Weights and sums are integers: a weight of one is 2^32.

use std::collections::BTreeMap;

/// After how many half-lives what was seen counts for nothing.
pub(super) const LIFE: i64 = 16;

/// Into how many spans a half-life is divided.
const SPANS: i64 = 16;

/// A weight of one.
pub(super) const ONE: u128 = 1 << 32;

/// The most seconds that nodes can have run in one span: keeps sums within 128 bits.
const MOST_SECONDS: u64 = 1 << 40;

/// What was counted in one span.
///
/// Sums saturate rather than overflow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Counts {
    pub(super) launched: u32,
    pub(super) failed: u32,
    pub(super) interrupted: u32,
    /// The seconds that nodes have run, summed over nodes.
    pub(super) seconds: u64,
}

/// What was counted of one offering, by the beginning of the span.
///
/// At most `LIFE * SPANS` spans are ever of use; older ones are forgotten.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Evidence(BTreeMap<i64, Counts>);

/// Counts times weights, in 2^-32.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct WeighedCounts {
    pub(super) launched: u128,
    pub(super) failed: u128,
    pub(super) interrupted: u128,
    /// Node hours.
    pub(super) hours: u128,
}

/// The beginning of the span that an instant is in.
pub(super) fn span(at: i64, half_life: i64) -> i64 {
    let length = (half_life / SPANS).max(1);
    at.div_euclid(length).saturating_mul(length)
}

/// What an event weighs that is so old.
///
/// Between two halvings it falls on a straight line, which needs no floats and never rises.
fn weight(age: i64, half_life: i64) -> u128 {
    let (halvings, rest) = (age / half_life, age % half_life);
    if halvings >= LIFE {
        return 0;
    }
    let whole = ONE >> halvings;
    let (rest, half_life) = (u128::from(rest.unsigned_abs()), u128::from(half_life.unsigned_abs()));
    whole - whole * rest / (2 * half_life)
}

impl Evidence {
    /// Adds what was seen in the span that begins then.
    pub(super) fn add(&mut self, span: i64, more: Counts) {
        let own = self.0.entry(span).or_default();
        own.launched = own.launched.saturating_add(more.launched);
        own.failed = own.failed.saturating_add(more.failed);
        own.interrupted = own.interrupted.saturating_add(more.interrupted);
        own.seconds = own.seconds.saturating_add(more.seconds).min(MOST_SECONDS);
    }

    /// Forgets the spans that begin before an instant; whether any is left.
    pub(super) fn forget(&mut self, before: i64) -> bool {
        self.0 = self.0.split_off(&before);
        !self.0.is_empty()
    }

    /// What it all weighs at an instant.
    pub(super) fn weighed(&self, now: i64, half_life: i64) -> WeighedCounts {
        let mut sum = WeighedCounts::default();
        for (span, counts) in &self.0 {
            let weight = weight(now.saturating_sub(*span).max(0), half_life);
            let more = |count: u64| u128::from(count).saturating_mul(weight);
            sum.add(WeighedCounts {
                launched: more(counts.launched.into()),
                failed: more(counts.failed.into()),
                interrupted: more(counts.interrupted.into()),
                hours: more(counts.seconds) / 3600,
            });
        }
        sum
    }
}

impl WeighedCounts {
    pub(super) fn add(&mut self, more: Self) {
        self.launched = self.launched.saturating_add(more.launched);
        self.failed = self.failed.saturating_add(more.failed);
        self.interrupted = self.interrupted.saturating_add(more.interrupted);
        self.hours = self.hours.saturating_add(more.hours);
    }

    /// What is left without a part of it.
    ///
    /// What was seen of one offering is no evidence from others about it.
    pub(super) fn without(self, part: Self) -> Self {
        Self {
            launched: self.launched.saturating_sub(part.launched),
            failed: self.failed.saturating_sub(part.failed),
            interrupted: self.interrupted.saturating_sub(part.interrupted),
            hours: self.hours.saturating_sub(part.hours),
        }
    }

    /// This percentage of it.
    pub(super) fn percent(self, percent: u32) -> Self {
        let part = |sum: u128| sum.saturating_mul(percent.into()) / 100;
        Self {
            launched: part(self.launched),
            failed: part(self.failed),
            interrupted: part(self.interrupted),
            hours: part(self.hours),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LIFE, ONE, weight};

    #[test]
    fn a_weight_halves_and_never_grows() {
        let half_life = 3600;
        assert_eq!(weight(0, half_life), ONE);
        assert_eq!(weight(half_life, half_life), ONE / 2);
        assert_eq!(weight(half_life / 2, half_life), ONE * 3 / 4);
        assert_eq!(weight(LIFE * half_life, half_life), 0);
        let weights: Vec<u128> =
            (0..LIFE * half_life + 10).map(|age| weight(age, half_life)).collect();
        assert!(weights.is_sorted_by(|a, b| a >= b));
    }
}
