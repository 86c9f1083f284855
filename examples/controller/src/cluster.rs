//! The objects that were observed, and the problem that they come to.
//!
//! Objects are kept as JSON, as the API sends them: the types of one version of Kubernetes would
//! leave out without a word what it doesn't know, and that may be a rule.

use crate::object::{is_pending, is_true, name, namespace};
use plimsoll::k8s::{ConvertOptions, Dump, NodeClassRef, PodSource, Refusal, Timestamp};
use plimsoll::{Error, InstanceType, Problem};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A kind of object that is watched.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Kind {
    /// The API's group, empty for the core's.
    pub group: &'static str,
    /// The version.
    pub version: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// What paths call it.
    pub plural: &'static str,
}

const fn kind(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
) -> Kind {
    Kind { group, version, kind, plural }
}

/// Pods.
pub const POD: Kind = kind("", "v1", "Pod", "pods");
/// Nodes.
pub const NODE: Kind = kind("", "v1", "Node", "nodes");
/// Karpenter's claims.
pub const NODE_CLAIM: Kind = kind("karpenter.sh", "v1", "NodeClaim", "nodeclaims");
/// Karpenter's pools.
pub const NODE_POOL: Kind = kind("karpenter.sh", "v1", "NodePool", "nodepools");

/// All that bears on where pods can go.
pub const WATCHED: [Kind; 14] = [
    POD,
    NODE,
    NODE_CLAIM,
    NODE_POOL,
    kind("", "v1", "LimitRange", "limitranges"),
    kind("", "v1", "Namespace", "namespaces"),
    kind("", "v1", "PersistentVolume", "persistentvolumes"),
    kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    kind("apps", "v1", "DaemonSet", "daemonsets"),
    kind("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses"),
    kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    kind("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses"),
    kind("storage.k8s.io", "v1", "CSINode", "csinodes"),
    kind("storage.k8s.io", "v1", "StorageClass", "storageclasses"),
];

/// Something that was observed.
#[derive(Clone, Debug)]
pub enum Change {
    /// All objects of a kind that there are.
    Listed(Kind, Vec<Value>),
    /// An object as it is now.
    Applied(Kind, Value),
    /// An object that is gone, as it was.
    Deleted(Kind, Value),
}

/// What the objects come to.
#[derive(Clone, Debug)]
pub struct Converted {
    /// The problem of all that can be modelled.
    pub problem: Problem,
    /// Why pending pods aren't in it.
    pub refusals: Vec<Refusal>,
    /// The node class of each pool.
    pub classes: BTreeMap<String, NodeClassRef>,
}

/// The objects by namespace and name.
type Objects = BTreeMap<(String, String), Value>;

/// The objects that were observed.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    objects: BTreeMap<Kind, Objects>,
    /// The labels that claims will have, as far as is known before they are launched.
    expected: BTreeMap<String, BTreeMap<String, String>>,
}

impl Cluster {
    /// Takes note of a change, and says which objects it takes away.
    pub fn apply(&mut self, change: Change) -> Vec<(Kind, Value)> {
        let key = |object: &Value| (namespace(object).to_owned(), name(object).to_owned());
        match change {
            Change::Listed(kind, objects) => {
                let now: Objects = objects.into_iter().map(|one| (key(&one), one)).collect();
                let former = self.objects.insert(kind, now).unwrap_or_default();
                let now = self.all(kind);
                let gone = former.into_iter().filter(|(key, _)| !now.contains_key(key));
                gone.map(|(_, object)| (kind, object)).collect()
            }
            Change::Applied(kind, object) => {
                let _former = self.objects.entry(kind).or_default().insert(key(&object), object);
                Vec::new()
            }
            Change::Deleted(kind, object) => {
                let objects = self.objects.entry(kind).or_default();
                objects.remove(&key(&object)).map(|former| (kind, former)).into_iter().collect()
            }
        }
    }

    fn all(&self, kind: Kind) -> &Objects {
        static NONE: Objects = BTreeMap::new();
        self.objects.get(&kind).unwrap_or(&NONE)
    }

    /// Whether all kinds were listed: before, a plan would be for a part of the cluster.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        WATCHED.iter().all(|kind| self.objects.contains_key(kind))
    }

    /// The objects of a kind.
    pub fn objects(&self, kind: Kind) -> impl Iterator<Item = &Value> {
        self.all(kind).values()
    }

    /// An object by namespace (empty where it has none) and name.
    #[must_use]
    pub fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Value> {
        self.all(kind).get(&(namespace.to_owned(), name.to_owned()))
    }

    /// The claim of a node.
    #[must_use]
    pub fn claim_of(&self, node: &str) -> Option<&Value> {
        self.objects(NODE_CLAIM).find(|claim| claim["status"]["nodeName"] == node)
    }

    /// The pods on a node.
    pub fn pods_on<'c>(&'c self, node: &'c str) -> impl Iterator<Item = &'c Value> {
        self.objects(POD).filter(move |pod| pod["spec"]["nodeName"] == node)
    }

    /// States the labels that a claim's node will have: until it is launched, the API doesn't say,
    /// and the node that is on its way would be bought again.
    pub fn expect(&mut self, claim: &str, labels: BTreeMap<String, String>) {
        let _former = self.expected.insert(claim.to_owned(), labels);
    }

    fn dump(&self) -> Result<Dump, Error> {
        let mut dump = Dump::new();
        for (kind, objects) in &self.objects {
            for (key, object) in objects {
                match self.expected.get(&key.1).filter(|_| *kind == NODE_CLAIM) {
                    Some(labels) => dump.add(&with_labels(object, labels))?,
                    None => dump.add(object)?,
                }
            }
        }
        Ok(dump)
    }

    /// The problem, with what can be bought.
    ///
    /// What isn't modelled is left out of it. Of a pod that is bound its room is kept; one that is
    /// pending has no verdict then, but a refusal.
    ///
    /// # Errors
    /// Objects that contradict each other.
    pub fn problem(&self, catalog: &[InstanceType], now: Timestamp) -> Result<Converted, Error> {
        let dump = self.dump()?;
        let mut options = ConvertOptions::default();
        options.lenient = true;
        options.now = Some(now);
        options.catalog = catalog.to_vec();
        options.pods = PodSource::Live;
        let problem = dump.convert(&options).problem()?;
        let missing =
            |pod: &&Value| is_pending(pod) && problem.pod(namespace(pod), name(pod)).is_none();
        let refusals = match self.objects(POD).any(|pod| missing(&pod)) {
            false => Vec::new(),
            true => {
                options.lenient = false;
                let mut refusals = dump.convert(&options).refusals().to_vec();
                refusals.retain(|one| {
                    let namespace = one.object.namespace.as_deref().unwrap_or_default();
                    let pod = self.get(POD, namespace, &one.object.name);
                    &*one.object.kind == POD.kind && pod.is_some_and(is_pending)
                });
                refusals
            }
        };
        let pools = self.objects(NODE_POOL).map(|pool| name(pool).to_owned());
        let classes = pools.filter_map(|pool| Some((pool.clone(), dump.node_class_of(&pool)?)));
        Ok(Converted { problem, refusals, classes: classes.collect() })
    }

    /// Forgets what was expected of claims that are gone, or have labels of their own.
    pub fn forget_expected(&mut self) {
        let claims: BTreeSet<String> = self
            .objects(NODE_CLAIM)
            .filter(|claim| !is_true(claim, "Launched"))
            .map(|claim| name(claim).to_owned())
            .collect();
        self.expected.retain(|claim, _| claims.contains(claim));
    }
}

/// A claim with these labels beside its own.
fn with_labels(claim: &Value, labels: &BTreeMap<String, String>) -> Value {
    let mut claim = claim.clone();
    for (key, value) in labels {
        let own = &mut claim["metadata"]["labels"][key];
        if own.is_null() {
            *own = value.as_str().into();
        }
    }
    claim
}
