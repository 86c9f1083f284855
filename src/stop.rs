//! The caller's wish to stop: the only way in which a clock enters.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A caller's wish to end packing and refinement early, looked at again and again while they run.
///
/// It is the only way in which a clock can have a part in a plan.
///
/// # Examples
/// ```
/// use plimsoll::{Effort, Options, Stop};
/// use std::time::{Duration, Instant};
///
/// let mut options = Options::default();
/// options.effort = Effort::Refine(Default::default());
/// let end = Instant::now() + Duration::from_secs(10);
/// options.stop = Stop::when(move || Instant::now() >= end);
/// ```
#[derive(Clone, Default)]
pub struct Stop(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Stop {
    /// Stops once `wish` says so; it may be asked from several threads, and often.
    pub fn when(predicate: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(predicate)))
    }

    /// Whether the caller wishes to stop.
    pub(crate) fn now(&self) -> bool {
        self.0.as_ref().is_some_and(|predicate| predicate())
    }

    /// This wish, and that of another.
    pub(crate) fn or(self, other: Arc<AtomicBool>) -> Self {
        Self::when(move || other.load(Ordering::Relaxed) || self.now())
    }

    /// The same wish, which isn't taken back once it was heard.
    pub(crate) fn kept(&self) -> Self {
        let Some(predicate) = self.0.clone() else { return Self::default() };
        let heard = AtomicBool::new(false);
        Self::when(move || {
            let now = heard.load(Ordering::Relaxed) || predicate();
            if now {
                heard.store(true, Ordering::Relaxed);
            }
            now
        })
    }
}

/// Wishes are equal if they are one, shared by clones, or if neither ever stops.
impl PartialEq for Stop {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Stop::when(..)" } else { "Stop(never)" })
    }
}
