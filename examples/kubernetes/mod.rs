//! What examples share that read Kubernetes' objects. Without the feature `k8s` they say that it is
//! missing.
#![allow(dead_code, reason = "each example uses its part")]

#[cfg(feature = "k8s")]
mod objects;
#[cfg(feature = "k8s")]
pub(crate) use objects::*;

#[cfg(not(feature = "k8s"))]
mod without;
#[cfg(not(feature = "k8s"))]
pub(crate) use without::*;
