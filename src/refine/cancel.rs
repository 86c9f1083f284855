//! The caller's wish to stop, as searches hear it.

use std::sync::atomic::{AtomicBool, Ordering};

/// A wish to stop: once it was said, it stays.
pub(crate) struct Cancel<'a> {
    says: &'a (dyn Fn() -> bool + Sync),
    said: AtomicBool,
}

/// Who never wishes to stop.
#[cfg(test)]
pub(super) static NEVER: Cancel<'static> = Cancel::new(&|| false);

impl<'a> Cancel<'a> {
    pub(super) const fn new(says: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self { says, said: AtomicBool::new(false) }
    }

    /// Asks the caller, unless the wish was said already.
    pub(super) fn now(&self) -> bool {
        let said = self.said() || (self.says)();
        if said {
            self.said.store(true, Ordering::Relaxed);
        }
        said
    }

    /// Whether it was said when somebody asked.
    pub(super) fn said(&self) -> bool {
        self.said.load(Ordering::Relaxed)
    }
}

/// How many steps a search may make, and whose wish may end it before.
#[derive(Clone, Copy)]
pub(super) struct StepLimit<'a> {
    pub(super) steps: u32,
    pub(super) cancel: &'a Cancel<'a>,
}

impl StepLimit<'_> {
    /// Steps from one question to the next: a question costs about as much as a cheap step.
    const BETWEEN: u32 = 32;

    /// So many steps at most.
    pub(super) fn at_most(self, steps: u32) -> Self {
        Self { steps: steps.min(self.steps), ..self }
    }

    /// Makes a step; none is left once the caller wishes to stop.
    pub(super) fn step(&mut self) {
        self.steps = self.steps.saturating_sub(1);
        if self.steps.is_multiple_of(Self::BETWEEN) && self.steps > 0 && self.cancel.now() {
            self.steps = 0;
        }
    }
}

#[cfg(test)]
impl From<u32> for StepLimit<'static> {
    /// So many steps, whatever anybody wishes.
    fn from(steps: u32) -> Self {
        Self { steps, cancel: &NEVER }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn a_stop_is_heard_soon_and_asked_for_seldom() {
        let (asked, wished) = (AtomicU32::new(0), AtomicBool::new(false));
        let says = || {
            asked.fetch_add(1, Ordering::Relaxed);
            wished.load(Ordering::Relaxed)
        };
        let cancel = Cancel::new(&says);
        let mut step_limit = StepLimit { steps: 100_000, cancel: &cancel };
        (0..50_001).for_each(|_| step_limit.step());
        assert_eq!(step_limit.steps, 49_999);
        assert!(asked.load(Ordering::Relaxed) <= 50_001 / StepLimit::BETWEEN + 1);
        wished.store(true, Ordering::Relaxed);
        (0..StepLimit::BETWEEN).for_each(|_| step_limit.step());
        assert_eq!(step_limit.steps, 0);
        wished.store(false, Ordering::Relaxed);
        assert!(cancel.now(), "it stays");
    }
}
