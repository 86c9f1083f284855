//! What the caller's observer is told while a plan is refined.

use crate::model::Price;
use crate::progress::{Event, Phase, Progress, Watch};
use std::sync::{Arc, Mutex, PoisonError};

/// The best plan and bound so far, and who is told of them. Clones share what is known: one search
/// tells of plans while another tells of bounds.
#[derive(Clone)]
pub(crate) struct Report<'a> {
    pub(crate) watch: &'a Watch,
    last: Arc<Mutex<Progress>>,
    /// What everything costs of which the bounds that are told leave out so much.
    beside: Price,
}

impl<'a> Report<'a> {
    pub(crate) fn new(watch: &'a Watch) -> Self {
        let nothing = Price::ZERO;
        let last = Progress { phase: Phase::Packed, cost: nothing, lower_bound: nothing };
        Self { watch, last: Arc::new(Mutex::new(last)), beside: nothing }
    }

    /// The same, told of bounds that leave out what costs so much.
    pub(crate) fn beside(&self, beside: i128) -> Self {
        Self { beside: Price::from_nanos(beside), ..self.clone() }
    }

    /// A plan from which refinement goes on: what was said of another is no news of this one.
    pub(crate) fn begin(&self, cost: i128) {
        let cost = Price::from_nanos(cost);
        self.tell(|last| Some(Progress { cost, lower_bound: last.lower_bound.min(cost), ..last }));
    }

    /// A phase begins.
    pub(crate) fn phase(&self, phase: Phase) {
        self.tell(|last| (last.phase != phase).then_some(Progress { phase, ..last }));
    }

    /// A plan of this cost is known.
    pub(super) fn cost(&self, cost: i128) {
        let cost = Price::from_nanos(cost);
        self.tell(|last| (cost < last.cost).then_some(Progress { cost, ..last }));
    }

    /// No plan costs less than this.
    pub(super) fn bound(&self, bound: f64) {
        let bound = whole(bound).nanos().saturating_add(self.beside.nanos());
        let bound = Price::from_nanos(bound);
        self.tell(|last| {
            let lower_bound = bound.min(last.cost);
            (lower_bound > last.lower_bound).then_some(Progress { lower_bound, ..last })
        });
    }

    /// A round of column generation for the bound came to this.
    pub(super) fn round(&self, objective: f64, bound: f64) {
        self.watch
            .event(|| Event::Round { objective: whole(objective), lower_bound: whole(bound) });
    }

    /// Tells what is news of what was known, if it is.
    fn tell(&self, news: impl FnOnce(Progress) -> Option<Progress>) {
        // Whoever panicked while it was held has changed nothing half-way.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(progress) = news(*last) {
            *last = progress;
            self.watch.progress(progress);
        }
    }
}

/// The nearest price below; what is no number stands for nothing known.
fn whole(nanos: f64) -> Price {
    Price::from_nanos(if nanos.is_finite() { nanos.floor().max(0.0) as i128 } else { 0 })
}
