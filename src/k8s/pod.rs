//! Pods, those that there are and those that templates describe.
//!
//! A pod of a cluster and the pod of a template are read by the same code ([`read_pod_spec`]) and
//! completed differently: what the API server fills in as a pod is created (priority, runtime
//! class, limit ranges) is there already in a live one, and has to be added to a template's.
//! Volumes are looked up for both, since claims are bound later.
//!
//! What becomes of a live pod, the first that applies:
//!
//! | pod | becomes |
//! |---|---|
//! | has ended | nothing, as a note says |
//! | waits for scheduling gates | nothing |
//! | pending and being deleted | nothing |
//! | pending, of a daemon set | nothing: the daemon set counts on every node |
//! | bound to a node that isn't here | refused; left out where there are no nodes at all |
//! | else | a pod of the problem |

use super::class::{Classes, filled};
use super::default_spread::DefaultSpreads;
use super::dump::Entry;
use super::metadata::{Metadata, Owner, annotate};
use super::pod_spec::{PodSpec, VolumeFrom, read_pod_spec, without_node_name};
use super::report::Findings;
use super::request::read_total;
use super::time::Timestamp;
use super::volume::{ClaimedBy, Storage};
use crate::error::Error;
use crate::model::document::read::Cursor;
use crate::model::document::value::Value;
use crate::model::fault::{Faults, Path, quoted};
use crate::model::{Effect, Pod, Toleration, check_pod};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is looked up while pods are converted.
///
/// Filled before the first pod is read, since objects come in any order.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) classes: Classes,
    pub(super) storage: Storage,
    pub(super) spreads: DefaultSpreads,
    /// The nodes of the problem.
    pub(super) nodes: BTreeSet<Arc<str>>,
    /// Whether there are objects of nodes at all.
    ///
    /// A dump of manifests has none, and then bound pods say nothing.
    pub(super) has_nodes: bool,
    pub(super) now: Option<Timestamp>,
}

/// What a live pod comes to.
#[derive(Debug)]
pub(super) enum LivePod {
    /// It is pending or bound.
    Placed(Pod),
    /// It plays no part, as a note says.
    Left,
}

/// Whether a pod is one of a cluster, not a manifest: a cluster gives it a phase, and a node.
///
/// The empty `status` that `kubectl --dry-run` prints says nothing.
pub(super) fn is_live(tree: &Value<'_>) -> bool {
    phase(tree).is_some() || node_name(tree).is_some()
}

/// Whether it has ended, so that it holds nothing.
pub(super) fn has_ended(tree: &Value<'_>) -> bool {
    matches!(phase(tree), Some("Succeeded" | "Failed"))
}

/// `None` where it is missing or empty.
fn phase<'v>(tree: &'v Value<'_>) -> Option<&'v str> {
    tree.find(&["status", "phase"])?.as_text().filter(|phase| !phase.is_empty())
}

/// The node that a pod is bound to.
///
/// From `spec.nodeName`, where the scheduler writes it.
pub(super) fn node_name<'v>(tree: &'v Value<'_>) -> Option<&'v str> {
    tree.find(&["spec", "nodeName"])?.as_text().filter(|name| !name.is_empty())
}

/// The namespace of an object, which is "default" where it names none.
pub(super) fn namespace(entry: &Entry) -> Arc<str> {
    entry.id.namespace.clone().unwrap_or_else(|| "default".into())
}

impl Surroundings {
    /// A pod that there is, or the manifest of one.
    ///
    /// Every fault is in `findings`; whether the pod counts is for the caller to ask there.
    pub(super) fn pod(&self, entry: &Entry, findings: &mut Findings) -> LivePod {
        let tree = &entry.tree;
        let metadata = Metadata::of(tree);
        if has_ended(tree) {
            findings.note("status.phase", "it has ended and holds nothing");
            return LivePod::Left;
        }
        let path = Path::Text("spec");
        let spec = read_pod_spec(tree.get("spec"), &path, findings);
        let bound = spec.pod.node_name.is_some();
        let owner_kind = metadata.owner_kind();
        if !spec.gates.is_empty() {
            let gates = spec.gates.join(", ");
            findings.note("spec.schedulingGates", format!("held back by {gates}: not planned yet"));
            return LivePod::Left;
        }
        if !bound && metadata.is_deleting() {
            findings.note("metadata.deletionTimestamp", "pending and being deleted: left out");
            return LivePod::Left;
        }
        if !bound && owner_kind.as_deref() == Some("DaemonSet") {
            let message = "a pending pod of a daemon set, which brings it to each of its nodes";
            findings.note("metadata.ownerReferences", message);
            return LivePod::Left;
        }
        if let Some(node) = spec.pod.node_name.as_deref().filter(|node| !self.nodes.contains(*node))
        {
            if self.has_nodes {
                let why = format!("bound to {}, which isn't a node of the problem", quoted(node));
                findings.refuse("spec.nodeName", why, "its node, or no pod that is bound to it");
            } else {
                findings.note(
                    "spec.nodeName",
                    format!("bound to {}, and there are no nodes here: left out", quoted(node)),
                );
            }
            return LivePod::Left;
        }
        let live = is_live(tree);
        let status = tree.get("status").filter(|_| live);
        let start = tree.find(&["status", "startTime"]).and_then(Value::as_text);
        let start = start.and_then(|text| text.parse().ok());
        let mut pod = self.completed(spec, entry, &entry.id.name, live, status, &path, findings);
        pod.labels = metadata.labels(&Path::Text("metadata"), findings);
        pod.owner_kind = owner_kind;
        annotate(&mut pod, metadata, start, self.now, findings);
        if pod.owner_kind.as_deref() != Some("DaemonSet") {
            self.spreads.apply(&mut pod, metadata.owner().as_ref());
        }
        if bound && metadata.is_deleting() {
            findings
                .note("metadata.deletionTimestamp", "being deleted; it holds its room until then");
        }
        if tree
            .find(&["status", "nominatedNodeName"])
            .is_some_and(|name| name.as_text() != Some(""))
            && !bound
        {
            let message =
                "a hint: the pod stays pending, and the scheduler may choose another node";
            findings.note("status.nominatedNodeName", message);
        }
        check(&pod, &path, findings);
        LivePod::Placed(pod)
    }

    /// A bound pod of which no more is kept than that it holds its room and stays; `None` where not
    /// even that is known.
    ///
    /// For lenient conversions: the pod was refused for a rule that isn't modelled, but its node
    /// mustn't look emptier than it is. It may not be disrupted, since nobody knows where else it
    /// could go.
    pub(super) fn room(&self, entry: &Entry) -> Option<Pod> {
        let node = node_name(&entry.tree).filter(|node| self.nodes.contains(*node))?;
        let mut findings = Findings::default();
        let spec = entry.tree.get("spec")?;
        let path = Path::Text("spec");
        let cursor = Cursor { value: spec, path: &path, faults: &mut findings.faults };
        let requests = read_total(cursor, entry.tree.get("status"))?;
        let mut pod = Pod::new(Arc::clone(&entry.id.name))
            .with_namespace(namespace(entry))
            .with_requests(requests)
            .with_node_name(node)
            .with_do_not_disrupt(true);
        let metadata = Metadata::of(&entry.tree);
        pod.owner_kind = metadata.owner_kind();
        pod.labels = metadata.labels(&Path::Text("metadata"), &mut findings);
        check(&pod, &path, &mut findings);
        (!findings.is_refused()).then_some(pod)
    }

    /// One pod of a template at `path`, called `name`; `volumes_of` is what its claims are named
    /// by.
    ///
    /// The second part of the answer is whether each pod has claims of its own, so that replicas
    /// aren't alike. Labels that only a live pod would have (`pod-template-hash`) are made up where
    /// a rule reads them: one value for all pods of the template.
    pub(super) fn of_template(
        &self,
        entry: &Entry,
        path: &[&str],
        owner_kind: &str,
        findings: &mut Findings,
    ) -> (Pod, bool) {
        let template = entry.tree.find(path);
        let at = path.join(".");
        let at_spec = format!("{at}.spec");
        let path = Path::Text(&at_spec);
        let spec = read_pod_spec(template.and_then(|one| one.get("spec")), &path, findings);
        if !spec.gates.is_empty() {
            findings
                .note(format!("{at_spec}.schedulingGates"), "planned as if the gates were open");
        }
        let own_claims =
            spec.volumes.iter().any(|one| matches!(one.from, VolumeFrom::Ephemeral(_)));
        let name = &entry.id.name;
        let mut pod = self.completed(spec, entry, name, false, None, &path, findings);
        let metadata = template.map_or(Metadata(None), Metadata::of);
        let at_metadata = format!("{at}.metadata");
        pod.labels = metadata.labels(&Path::Text(&at_metadata), findings);
        pod.owner_kind = Some(owner_kind.into());
        annotate(&mut pod, metadata, None, self.now, findings);
        if owner_kind != "DaemonSet" {
            let owner = Owner { kind: Arc::clone(&entry.id.kind), name: Arc::clone(name) };
            self.spreads.apply(&mut pod, Some(&owner));
        }
        for key in ["pod-template-hash", "controller-revision-hash"] {
            if names_label_key(&pod, key) && pod.labels.get(key).is_none() {
                let _none = pod.labels.insert(key, hash(name));
            }
        }
        if let Some(node) = &pod.node_name
            && owner_kind != "DaemonSet"
            && !self.nodes.contains(node)
        {
            let why = format!("bound to {}, which isn't a node of the problem", quoted(node));
            findings.refuse(&format!("{at_spec}.nodeName"), why, "a node of the problem, or none");
        }
        check(&pod, &path, findings);
        (pod, own_claims)
    }

    /// The template of a daemon set, as the pod that it brings to each node that admits it.
    pub(super) fn daemon_set(&self, entry: &Entry, path: &[&str], findings: &mut Findings) -> Pod {
        let (mut pod, _) = self.of_template(entry, path, "DaemonSet", findings);
        self.daemon(&mut pod);
        if on_host_network(&entry.tree, path) {
            pod.tolerations.to_mut().push(
                Toleration::exists("node.kubernetes.io/network-unavailable")
                    .with_effect(Effect::NoSchedule),
            );
        }
        pod
    }

    /// Makes a daemon set's template of one of its pods.
    ///
    /// Source of the tolerations:
    /// <https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#taints-and-tolerations>.
    pub(super) fn daemon(&self, pod: &mut Pod) {
        pod.node_name = None;
        if let Some(affinity) = &mut pod.affinity {
            without_node_name(Arc::make_mut(affinity));
        }
        // What the controller adds to each of its pods.
        for (key, effect) in [
            ("not-ready", Effect::NoExecute),
            ("unreachable", Effect::NoExecute),
            ("disk-pressure", Effect::NoSchedule),
            ("memory-pressure", Effect::NoSchedule),
            ("pid-pressure", Effect::NoSchedule),
            ("unschedulable", Effect::NoSchedule),
        ] {
            let key = format!("node.kubernetes.io/{key}");
            let toleration = Toleration::exists(key).with_effect(effect);
            if !pod.tolerations.contains(&toleration) {
                pod.tolerations.to_mut().push(toleration);
            }
        }
    }

    /// The pod with what classes, claims and limit ranges add: to a live pod the API has added all
    /// but the volumes.
    #[expect(clippy::too_many_arguments, reason = "what a pod is depends on all of it")]
    fn completed(
        &self,
        spec: PodSpec,
        entry: &Entry,
        name: &Arc<str>,
        live: bool,
        status: Option<&Value<'_>>,
        path: &Path<'_>,
        findings: &mut Findings,
    ) -> Pod {
        let PodSpec { mut pod, mut demands, priority, priority_class, runtime_class, .. } = spec;
        pod.namespace = namespace(entry);
        pod.name = Arc::clone(name);
        if !live {
            if let Some(range) = self.classes.limit_range(&pod.namespace) {
                demands.fill(range);
            }
            if let Some(name) = &runtime_class {
                match self.classes.runtime(name) {
                    None => findings.faults.add(
                        &path.field("runtimeClassName"),
                        format!("the runtime class {} isn't here", quoted(name)),
                        "the class, which may add to what the pod needs",
                    ),
                    Some(class) => {
                        if !class.overhead.is_empty() {
                            let _own = demands.overhead.insert(class.overhead.clone());
                        }
                        for (key, value) in class.node_selector.iter() {
                            let own = pod.node_selector.insert(Arc::clone(key), Arc::clone(value));
                            if own.is_some_and(|own| own != *value) {
                                let selector = path.field("nodeSelector");
                                findings.faults.add(
                                    &selector.key(key),
                                    "another value than the runtime class asks for",
                                    "the same, or no such label",
                                );
                            }
                        }
                        for toleration in &class.tolerations {
                            if !pod.tolerations.contains(toleration) {
                                pod.tolerations.to_mut().push(toleration.clone());
                            }
                        }
                    }
                }
            }
        }
        pod.requests = demands.total(status);
        let of_class = || self.classes.priority(priority_class.as_deref());
        pod.priority = match priority.filter(|_| live).or_else(of_class).or(priority) {
            Some(priority) => priority,
            None => {
                let name = priority_class.as_deref().unwrap_or_default();
                findings.faults.add(
                    &path.field("priorityClassName"),
                    format!("the priority class {} isn't here", quoted(name)),
                    "the class, or the priority beside its name",
                );
                0
            }
        };
        let by = ClaimedBy { namespace: &pod.namespace, pod: name };
        let mut stays = spec.stays;
        let mut volumes = Vec::new();
        for source in &spec.volumes {
            match self.storage.resolve(source, by) {
                Ok(volume) => volumes.extend(volume),
                Err(why) => {
                    let list = path.field("volumes");
                    let at = list.key(&source.name);
                    if live && pod.node_name.is_some() {
                        let message = format!("{why}: as a bound pod it stays where it is");
                        findings.note(at.to_string(), message);
                        stays = true;
                    } else {
                        let instead = "a claim that can be met, with its volume or its class";
                        findings.faults.add(&at, why, instead);
                    }
                }
            }
        }
        volumes.sort();
        volumes.dedup();
        pod.volumes = volumes.into();
        pod.do_not_disrupt = stays;
        pod
    }
}

/// Checks a pod as the problem will, so that a fault is its own and not the problem's; it is told
/// by where the object has what the problem's pod has elsewhere.
fn check(pod: &Pod, path: &Path<'_>, findings: &mut Findings) {
    findings.faults.end_of_reading();
    let mut faults = Faults::default();
    check_pod(pod, path, &mut faults);
    let spec = path.to_string();
    let object = spec.strip_suffix("spec").unwrap_or_default();
    for fault in faults.into_result(&[]).err().iter().flat_map(Error::findings) {
        let field = fault.path.strip_prefix(&*spec).unwrap_or_default();
        let at = match field.split(['.', '[']).nth(1) {
            Some("labels" | "annotations" | "name" | "namespace") => {
                format!("{object}metadata{field}")
            }
            Some("requests") => {
                format!("{spec}.containers{}", field.trim_start_matches(".requests"))
            }
            _ => fault.path.clone(),
        };
        findings.faults.add(&Path::Text(&at), &*fault.problem, &*fault.expected);
    }
}

fn on_host_network(tree: &Value<'_>, path: &[&str]) -> bool {
    let spec = tree.find(path).and_then(|template| template.get("spec"));
    spec.and_then(|spec| spec.get("hostNetwork")) == Some(&Value::Bool(true))
}

/// Whether a rule of the pod reads this label of it.
fn names_label_key(pod: &Pod, key: &str) -> bool {
    let of_spreads = pod.topology_spread_constraints.iter().map(|one| &one.match_label_keys);
    let rules = pod.affinity.iter().flat_map(|affinity| {
        [&affinity.pod_affinity, &affinity.pod_anti_affinity].into_iter().flat_map(|rules| {
            let preferred = rules.preferred.iter().map(|one| &one.term);
            rules.required.iter().chain(preferred)
        })
    });
    let of_terms = rules.flat_map(|term| [&term.match_label_keys, &term.mismatch_label_keys]);
    of_spreads.chain(of_terms).flatten().any(|named| &**named == key)
}

/// A label value that stands for a template: the same for all of its pods, and hardly another's.
///
/// FNV-1a, <http://www.isthe.com/chongo/tech/comp/fnv/>.
fn hash(name: &str) -> String {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:x}")
}

impl super::request::Demands {
    /// Gives containers that say nothing of a resource what their namespace has for them.
    fn fill(&mut self, range: &super::class::LimitRange) {
        let of_init = self.init_containers.iter_mut().map(|init| &mut init.container);
        for container in self.containers.iter_mut().chain(of_init) {
            // A limit that is there stands for the request before the range has its say.
            let requests = std::mem::take(&mut container.requests);
            container.requests = filled(requests, [&container.limits, &range.requests]);
            let limits = std::mem::take(&mut container.limits);
            container.limits = filled(limits, [&range.limits]);
        }
    }
}
