//! Doing independent things side by side.
//!
//! With the feature `parallel` (on by default) rayon's threads share the work; without it one thread
//! does all of it. The results are the same, in the same order.

/// What a function makes of each item, in the order of the items.
#[cfg(feature = "parallel")]
pub(crate) fn map<T: Sync, R: Send>(items: &[T], function: impl Fn(&T) -> R + Sync) -> Vec<R> {
    use rayon::prelude::*;
    if items.len() < 2 {
        return items.iter().map(function).collect();
    }
    items.par_iter().map(&function).collect()
}

/// What a function makes of each item, in the order of the items.
#[cfg(not(feature = "parallel"))]
pub(crate) fn map<T, R>(items: &[T], function: impl Fn(&T) -> R) -> Vec<R> {
    items.iter().map(function).collect()
}
