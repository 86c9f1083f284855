//! Doing independent things side by side.
//!
//! With the feature `parallel` (on by default) rayon's threads share the work; without it one
//! thread does all of it. The results are the same, in the same order.

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

/// What two functions make, side by side.
pub(crate) fn both<A: Send, B: Send>(
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    #[cfg(feature = "parallel")]
    return rayon::join(one, other);
    #[cfg(not(feature = "parallel"))]
    (one(), other())
}

/// The first item of which a function makes something, its place and what that is: items are tried
/// one after another, or a few at a time where there are threads to do so.
pub(crate) fn first<T: Sync, R: Send>(
    items: &[T],
    function: impl Fn(&T) -> Option<R> + Sync,
) -> Option<(usize, R)> {
    let few = threads();
    items.chunks(few).enumerate().find_map(|(number, chunk)| {
        let found = map(chunk, &function).into_iter().enumerate();
        let mut found = found.filter_map(|(at, found)| Some((number * few + at, found?)));
        found.next()
    })
}

/// How many threads share the work.
pub(crate) fn threads() -> usize {
    #[cfg(feature = "parallel")]
    return rayon::current_num_threads().max(1);
    #[cfg(not(feature = "parallel"))]
    1
}
