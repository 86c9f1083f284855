//! How long what failed isn't asked for again.
//!
//! The delay doubles with each failure in a row, so a cloud that was out of a type for a moment is
//! asked again soon, and one that stays out is asked seldom.

use std::collections::BTreeSet;

/// The most failures that lengthen a backoff: it has doubled 15 times by then.
const MOST_FAILURES: usize = 16;

/// The failures of what is asked for as one, since it last succeeded.
///
/// It is a function of the set of the instants that were told, in whatever order: of the failures
/// the latest are kept that no success came after. What fails and succeeds in one second failed: a
/// cloud that gives forty nodes of fifty has no more.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Failures {
    last_success: Option<i64>,
    times: BTreeSet<i64>,
}

impl Failures {
    /// A failure that is told late, before a success that is known, says nothing any more.
    pub(super) fn fail(&mut self, at: i64) {
        if self.last_success.is_none_or(|success| at >= success) {
            let _new = self.times.insert(at);
            if self.times.len() > MOST_FAILURES {
                let _oldest = self.times.pop_first();
            }
        }
    }

    /// Of failures in the same second what is told of both counts as a failure.
    pub(super) fn succeed(&mut self, at: i64) {
        let last = self.last_success.map_or(at, |former| former.max(at));
        self.last_success = Some(last);
        self.times = self.times.split_off(&last);
    }

    /// Forgets what was before an instant; whether anything is left.
    pub(super) fn forget(&mut self, before: i64) -> bool {
        self.times = self.times.split_off(&before);
        self.last_success = self.last_success.filter(|at| *at >= before);
        !self.times.is_empty() || self.last_success.is_some()
    }

    /// When it may be asked for again: after the first failure in `first` seconds, twice as many
    /// for each further one within `window` seconds before the last, at most `longest`.
    pub(super) fn until(&self, first: u32, longest: u32, window: i64) -> Option<i64> {
        let last = *self.times.last()?;
        let in_a_row = self.times.range(last.saturating_sub(window)..).count();
        let doublings = in_a_row.saturating_sub(1).min(MOST_FAILURES);
        let seconds = (i64::from(first) << doublings).min(i64::from(longest));
        Some(last.saturating_add(seconds))
    }
}
