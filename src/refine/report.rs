//! What the caller's observer is told while a plan is refined.

use crate::model::Price;
use crate::progress::{Event, Phase, Progress, Watch};
use std::cell::Cell;

/// The best plan and bound so far, and who is told of them.
pub(crate) struct Report<'a> {
    pub(super) watch: &'a Watch,
    last: Cell<Progress>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(watch: &'a Watch) -> Self {
        let nothing = Price::ZERO;
        let last = Progress { phase: Phase::Packed, cost: nothing, lower_bound: nothing };
        Self { watch, last: Cell::new(last) }
    }

    /// A plan from which refinement goes on: what was said of another is no news of this one.
    pub(super) fn begin(&self, cost: i128) {
        let cost = Price::from_nanos(cost);
        self.tell(Progress { cost, ..self.last.get() });
    }

    /// A phase begins.
    pub(super) fn phase(&self, phase: Phase) {
        if self.last.get().phase != phase {
            self.tell(Progress { phase, ..self.last.get() });
        }
    }

    /// A plan of this cost is known.
    pub(super) fn cost(&self, cost: i128) {
        let cost = Price::from_nanos(cost);
        if cost < self.last.get().cost {
            self.tell(Progress { cost, ..self.last.get() });
        }
    }

    /// No plan costs less than this.
    pub(super) fn bound(&self, bound: f64) {
        let last = self.last.get();
        let lower_bound = whole(bound).min(last.cost);
        if lower_bound > last.lower_bound {
            self.tell(Progress { lower_bound, ..last });
        }
    }

    /// A round of column generation for the bound came to this.
    pub(super) fn round(&self, objective: f64, bound: f64) {
        self.watch
            .event(|| Event::Round { objective: whole(objective), lower_bound: whole(bound) });
    }

    fn tell(&self, progress: Progress) {
        self.last.set(progress);
        self.watch.progress(progress);
    }
}

/// The nearest price below; what is no number stands for nothing known.
fn whole(nanos: f64) -> Price {
    Price::from_nanos(if nanos.is_finite() { nanos.floor().max(0.0) as i128 } else { 0 })
}
