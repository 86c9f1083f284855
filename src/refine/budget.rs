//! How much work refinement may take, and what put an end to it.

use super::cancel::Cancel;
use super::report::Report;
use crate::plan::Termination;
use std::cell::Cell;

/// How much work to spend, and what put an end to it.
pub(crate) struct RefineBudget<'a> {
    /// Rounds of column generation that are left.
    rounds: u64,
    /// Attempts to improve a plan that are left.
    pub(super) attempts: u64,
    /// The caller's wish to stop.
    pub(super) cancel: Cancel<'a>,
    /// What was refused first.
    termination: Cell<Option<Termination>>,
    pub(super) report: Report<'a>,
}

impl<'a> RefineBudget<'a> {
    pub(crate) fn new(
        (rounds, attempts): (u64, u64),
        stop: &'a (dyn Fn() -> bool + Sync),
        report: Report<'a>,
    ) -> Self {
        let (cancel, termination) = (Cancel::new(stop), Cell::new(None));
        Self { rounds, attempts, cancel, termination, report }
    }

    /// Why the search ended.
    pub(crate) fn termination(&self) -> Termination {
        let termination = self.termination.get().unwrap_or(Termination::Done);
        if self.cancel.said() { Termination::Stopped } else { termination }
    }

    pub(super) fn round(&mut self) -> bool {
        let more = !self.stopped() && self.grants(self.rounds, Termination::Rounds);
        self.rounds -= u64::from(more);
        more
    }

    pub(super) fn attempt(&mut self) -> bool {
        let more = !self.stopped() && self.grants(self.attempts, Termination::Attempts);
        self.attempts -= u64::from(more);
        more
    }

    /// Whether the caller wishes to stop; once so, always so.
    pub(super) fn stopped(&self) -> bool {
        self.cancel.now()
    }

    fn grants(&self, left: u64, limit: Termination) -> bool {
        if left == 0 && self.termination.get().is_none() {
            self.termination.set(Some(limit));
        }
        left > 0
    }
}
