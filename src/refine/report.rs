//! What the caller's observer is told while a plan is refined.

use crate::model::Price;
use crate::progress::{Observer, Phase, Progress};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

/// The best plan and bound so far, and who is told of them.
pub(crate) struct Report<'a> {
    /// Who is told, and what is set once that one has seen enough.
    told: Option<(&'a Observer, &'a AtomicBool)>,
    last: Cell<Progress>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(observer: &'a Observer, enough: &'a AtomicBool) -> Self {
        Self { told: Some((observer, enough)), ..Self::silent() }
    }

    /// Nobody is told.
    pub(crate) fn silent() -> Self {
        let nothing = Price::ZERO;
        let last = Progress { phase: Phase::Packed, cost: nothing, lower_bound: nothing };
        Self { told: None, last: Cell::new(last) }
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
        // The nearest whole number below; what is no number stands for nothing known.
        let bound = if bound.is_finite() { bound.floor().max(0.0) as i128 } else { 0 };
        let last = self.last.get();
        let lower_bound = Price::from_nanos(bound.min(last.cost.nanos()));
        if lower_bound > last.lower_bound {
            self.tell(Progress { lower_bound, ..last });
        }
    }

    fn tell(&self, progress: Progress) {
        self.last.set(progress);
        let Some((observer, enough)) = self.told else { return };
        if !enough.load(Ordering::Relaxed) && !observer.goes_on(&progress) {
            enough.store(true, Ordering::Relaxed);
        }
    }
}
