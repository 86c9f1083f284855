//! Kubernetes' and Karpenter's objects to a problem, and plans to theirs (feature `k8s`).
//!
//! A [`Dump`] takes objects as text, in JSON or YAML, or in the types of `k8s-openapi`, in any
//! order, and [`Dump::convert`] makes a [`Problem`](crate::Problem) of them:
//!
//! | objects | in the problem |
//! |---|---|
//! | Pod | a pod, pending or bound; one that has ended, or waits for a gate, is left out |
//! | Deployment, ReplicaSet, ReplicationController, StatefulSet, Job | as many pods as it asks for, unless its live pods count |
//! | DaemonSet | a daemon set |
//! | CapacityBuffer (of a PodTemplate or a workload) | placeholder pods |
//! | Node, CSINode | a node |
//! | PodDisruptionBudget, Namespace | the same |
//! | PriorityClass, RuntimeClass, LimitRange, HorizontalPodAutoscaler, PersistentVolumeClaim, PersistentVolume, StorageClass | part of the pods that they bear on |
//! | NodePool (v1, v1beta1), Provisioner (v1alpha5), MachineSet and MachineDeployment of Cluster Autoscaler | a node pool |
//! | NodeClaim | part of its node, or a node on its way |
//! | NodeOverlay | prices and capacity of the catalog that the caller gives |
//!
//! # Examples
//!
//! A controller that has watched the cluster with `kube` hands its objects over, plans, and creates
//! what it is told to:
//!
//! ```
//! use k8s_openapi::api::core::v1::{Node, Pod};
//! use plimsoll::k8s::{ConvertOptions, Dump, NodeClassRef, node_claim};
//! use plimsoll::{Error, InstanceType, NodePool, Options, provision};
//! use serde_json::Value;
//!
//! fn claims(pods: &[Pod], nodes: &[Node], types: Vec<InstanceType>) -> Result<Vec<Value>, Error> {
//!     let mut dump = Dump::new();
//!     pods.iter().try_for_each(|pod| dump.add(pod))?;
//!     nodes.iter().try_for_each(|node| dump.add(node))?;
//!     let mut options = ConvertOptions::default();
//!     options.catalog = types;
//!     let conversion = dump.convert(&options);
//!     conversion.refusals().iter().for_each(|refusal| eprintln!("{refusal}"));
//!     let plan = provision(&conversion.problem()?, &Options::default())?;
//!     let class = NodeClassRef::new("karpenter.k8s.aws", "EC2NodeClass", "default");
//!     let pool = NodePool::new("default");
//!     Ok(plan.launches().iter().map(|launch| node_claim(launch, &pool, &class)).collect())
//! }
//! # assert!(claims(&[], &[], Vec::new())?.is_empty());
//! # Ok::<(), Error>(())
//! ```
//!
//! # What becomes of an object
//!
//! Each is converted, noted or refused ([`Outcome`]). A [`Note`] says what plays no part, or is
//! left to the caller; a [`Refusal`] names the field that restricts scheduling and isn't modelled,
//! or can't be read, and what would be right. A field of a `spec` that nobody here knows is
//! refused, since it may be a rule. A pod that is bound has a place already: what isn't modelled of
//! it only makes it stay there.
//!
//! What lies below fields that play no part (probes, environments, security contexts) isn't looked
//! at.
//!
//! # The way back
//!
//! A launch is created as Karpenter's `NodeClaim` by [`node_claim`], or asked of a cloud by
//! [`ec2_fleet`], [`gce_bulk_insert`] or [`azure_fleet`]: data, which the caller's client sends.
//! An action of a consolidation is carried out by its [`evictions`].
//!
//! # How
//!
//! Objects are read as trees, not in the types of one version of Kubernetes: types leave out
//! without a word what their version doesn't know, and a crate that names their fields can't be
//! built for the versions before. So this crate enables no version of `k8s-openapi`, and its types
//! come in by what they serialise to. Rules that the problem has in Kubernetes' words (affinity,
//! tolerations, spreads, taints, selectors) are read by the readers of the problem document. What a
//! pod asks for in all is worked out exactly, init containers, sidecars, pod level and resizes
//! included: [`Dump::requests`].
//!
//! Memory is linear in the text, which aliases of YAML can't make longer than a bound, and in the
//! pods that have claims of their own; time is so too, but for looking which workloads have live
//! pods: for each namespace, its workloads times its pods.

mod buffer;
mod catalog;
mod class;
mod conversion;
mod convert;
mod default_spread;
mod disruption;
mod dump;
mod eviction;
mod fields;
mod kind;
mod launch;
mod metadata;
mod node;
mod node_pool;
mod pod;
mod pod_spec;
mod report;
mod request;
mod text;
mod time;
mod unique;
mod uses;
mod volume;
mod workload;

pub use conversion::{Conversion, ConvertOptions, PodSource};
pub use default_spread::system_default_spreads;
pub use dump::{Dump, PodRequests};
pub use eviction::evictions;
pub use launch::{NodeClassRef, azure_fleet, ec2_fleet, gce_bulk_insert, node_claim};
pub use report::{Note, ObjectId, Outcome, Refusal};
pub use time::{ParseTimestampError, Timestamp};
