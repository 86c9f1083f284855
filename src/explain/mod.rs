//! Why a pod has no place: reasons as data, and words made from them.

use std::sync::Arc;

/// One reason why a pod has no place, with how many candidates it ruled out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reason {
    pub(crate) code: Arc<str>,
    pub(crate) sentence: Arc<str>,
    pub(crate) candidates: u32,
}
