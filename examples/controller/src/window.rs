//! When a batch of pods is complete: some time after the last new one, but not much later than the
//! first.

/// The window in which pods come together into one batch. Times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct BatchWindow {
    idle: i64,
    longest: i64,
    /// When the first and the last pod of the batch came.
    open: Option<(i64, i64)>,
}

impl BatchWindow {
    /// A window that closes when no pod has come for `idle`, and `longest` after the first at last.
    #[must_use]
    pub fn new(idle: i64, longest: i64) -> Self {
        Self { idle, longest, open: None }
    }

    /// A pod came, or something else that a plan should answer.
    pub fn note(&mut self, now: i64) {
        let (first, last) = self.open.unwrap_or((now, now));
        self.open = Some((first, last.max(now)));
    }

    /// When the batch is complete; nothing where none has begun.
    #[must_use]
    pub fn due(&self) -> Option<i64> {
        self.open.map(|(first, last)| (last + self.idle).min(first + self.longest))
    }

    /// The batch is planned: the next pod begins another.
    pub fn close(&mut self) {
        self.open = None;
    }
}

#[cfg(test)]
mod tests {
    use super::BatchWindow;

    #[test]
    fn a_batch_ends_when_pods_cease_to_come_or_after_the_longest_time() {
        let mut window = BatchWindow::new(1_000, 10_000);
        assert_eq!(window.due(), None);
        window.note(5_000);
        assert_eq!(window.due(), Some(6_000));
        window.note(5_900);
        // What is told late doesn't shorten it.
        window.note(5_300);
        assert_eq!(window.due(), Some(6_900));
        for now in (6_800..20_000).step_by(900) {
            window.note(now);
        }
        assert_eq!(window.due(), Some(15_000));
        window.close();
        assert_eq!(window.due(), None);
    }
}
