//! A dump to a problem: each object in its turn, after those that it is looked up in.
//!
//! What becomes of an object is kept beside it. That nothing is lost is no matter of care: every
//! object ends as [`Outcome::Converted`], and without a note or a refusal that is only said of
//! kinds that are read.
//!
//! # The order
//!
//! | step | because |
//! |---|---|
//! | objects given twice | each counts once in all that follows |
//! | what isn't read | its notes need nothing else |
//! | catalog, overlays, pools | nodes are looked up in the catalog |
//! | claims, nodes | pods are bound to nodes |
//! | classes, volumes, autoscalers, selectors | pods name them |
//! | daemon sets, pods, workloads, buffers | names are settled once all pods are there |
//! | namespaces, budgets | budgets count pods |
//!
//! # Pods or templates
//!
//! The same pods are in a dump twice, as they are and as a template that asks for them. Which of
//! the two counts is decided once for a dump ([`PodSource`]), and for a workload without live pods
//! in a live dump anew: a deployment that was applied a second ago has none yet, and counts by its
//! template. What doesn't count gets a note, so that nobody looks for it.
//!
//! # Cost
//!
//! Each step goes through all objects and takes those of its kinds: about ten walks over the list.
//! Looking which workloads have live pods takes, in each namespace, workloads times pods.

mod supply;

use super::buffer;
use super::conversion::{Conversion, ConvertOptions, PodSource};
use super::default_spread::DefaultSpreads;
use super::disruption::{self, BudgetedPod};
use super::dump::{Dump, Entry};
use super::kind::{ObjectKind, makes_pods};
use super::metadata::{Metadata, Owner};
use super::node;
use super::node_pool;
use super::pod::{LivePod, Surroundings, has_ended, is_live, namespace, node_name};
use super::report::{Findings, Note, ObjectId, Outcome, Refusal};
use super::unique::UniqueNames;
use super::workload::{self, LeastReplicas, WorkloadKey};
use crate::model::document::read::Cursor;
use crate::model::document::selector::read_selector;
use crate::model::fault::{Faults, Path};
use crate::model::{LabelSelector, Labels, Pod, ProblemBuilder};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Dump {
    /// The problem that the objects describe, with what became of each of them.
    ///
    /// An object is converted, or noted where something of it is left out that does no harm, or
    /// refused where it restricts scheduling in a way that isn't modelled or can't be read.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::k8s::{ConvertOptions, Dump};
    ///
    /// let mut dump = Dump::new();
    /// dump.add_text("web.yaml", "
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web}
    /// spec:
    ///   replicas: 3
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec:
    ///       containers: [{name: web, resources: {requests: {cpu: 250m}}}]
    /// ---
    /// apiVersion: v1
    /// kind: Pod
    /// metadata: {name: typo}
    /// spec: {nodeselector: {disk: fast}, containers: []}
    /// ");
    /// let conversion = dump.convert(&ConvertOptions::default());
    /// assert_eq!(conversion.refusals()[0].path, "spec.nodeselector");
    /// assert_eq!(conversion.problem()?.pods()[0].replicas(), 3);
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    pub fn convert(&self, options: &ConvertOptions) -> Conversion {
        Converter::new(self, options).run()
    }
}

/// The state of a conversion.
///
/// Steps fill `parts` one after the other; `findings` has one entry for each object, by its place.
struct Converter<'a> {
    dump: &'a Dump,
    options: &'a ConvertOptions,
    findings: Vec<Findings>,
    /// Objects that are given a second time.
    repeated: BTreeSet<usize>,
    parts: ProblemBuilder,
    /// The pods with the places of their objects, and whether each is ready.
    pods: Vec<(usize, Pod, bool)>,
    /// Bound pods that are refused, and of which the room is kept all the same.
    kept: BTreeSet<ObjectId>,
    /// Whether a pool is added, since none is among the objects.
    pool_added: bool,
}

impl<'a> Converter<'a> {
    fn new(dump: &'a Dump, options: &'a ConvertOptions) -> Self {
        let findings = dump.entries.iter().map(|_| Findings::default()).collect();
        let (parts, pods) = (ProblemBuilder::default(), Vec::new());
        let repeated = BTreeSet::new();
        let kept = BTreeSet::new();
        Self { dump, options, findings, repeated, parts, pods, kept, pool_added: false }
    }

    /// The objects of these kinds, each once, with their places and what is found of them.
    ///
    /// The borrow of the findings is split here, so that a step can read other parts of the state.
    fn each(
        &mut self,
        kinds: &[ObjectKind],
        mut read: impl FnMut(usize, &'a Entry, &mut Findings),
    ) {
        let entries = self.dump.entries.iter().zip(&mut self.findings).enumerate();
        for (at, (entry, findings)) in entries {
            if kinds.contains(&entry.kind) && !self.repeated.contains(&at) {
                read(at, entry, findings);
            }
        }
    }

    fn run(mut self) -> Conversion {
        self.find_repeated();
        self.note_unread();
        self.catalog();
        self.nodes();
        self.pods();
        self.namespaces_and_budgets();
        self.conclude()
    }

    /// An object that is given twice counts once; two that differ can't both be right.
    ///
    /// Objects of kinds that play no part may differ: a dump of a whole cluster has events and
    /// secrets twice.
    fn find_repeated(&mut self) {
        let mut first: BTreeMap<(&str, &str, Option<&str>, &str), usize> = BTreeMap::new();
        for (at, entry) in self.dump.entries.iter().enumerate() {
            let ObjectId { group, kind, namespace, name } = &entry.id;
            let key = (&**group, &**kind, namespace.as_deref(), &**name);
            let Some(former) = first.insert(key, at) else { continue };
            let _first_again = first.insert(key, former);
            let _new = self.repeated.insert(at);
            let same = self.dump.entries.get(former).is_some_and(|one| one.tree == entry.tree);
            let plays_a_part = !matches!(entry.kind, ObjectKind::Irrelevant | ObjectKind::Service);
            match self.findings.get_mut(at) {
                Some(findings) if same || !plays_a_part => {
                    findings.note("", "given for a second time");
                }
                Some(findings) => findings.refuse(
                    "",
                    "another object of this kind and name, with other content",
                    "each object once: what belongs to one cluster or release at a time",
                ),
                None => {}
            }
        }
    }

    /// Says of what isn't read that it isn't.
    ///
    /// A kind that isn't known and has containers somewhere makes pods, and is refused.
    fn note_unread(&mut self) {
        let reads_services = !self.options.default_spreads.is_empty();
        self.each(
            &[
                ObjectKind::Irrelevant,
                ObjectKind::Service,
                ObjectKind::Other,
                ObjectKind::CronJob,
                ObjectKind::NodeClass,
                ObjectKind::PodTemplate,
            ],
            |_, entry, findings| match entry.kind {
                ObjectKind::Other if makes_pods(&entry.id.kind, &entry.tree) => findings.refuse(
                    "",
                    "its pods are made by a controller that isn't here",
                    "the pods that it makes, or their templates as a kind of Kubernetes' own",
                ),
                ObjectKind::Other if &*entry.id.group == "resource.k8s.io" => {
                    findings.note("", "devices aren't modelled: pods that claim them are refused");
                }
                ObjectKind::Other if &*entry.id.kind == "ResourceQuota" => {
                    findings.note("", "it turns no pod away here");
                }
                ObjectKind::Other => findings.note("", "of a kind that isn't known, and not read"),
                ObjectKind::CronJob => {
                    findings.note("", "its jobs' pods count when there are some")
                }
                ObjectKind::PodTemplate => {
                    findings.note("", "a shape that makes no pods by itself")
                }
                ObjectKind::NodeClass => node_pool::node_class(entry, findings),
                ObjectKind::Service if reads_services => {}
                _ => findings.note("", "plays no part in where pods go"),
            },
        );
    }

    /// Pods of all sources: daemon sets, live ones or manifests, templates, and room that buffers
    /// ask for.
    ///
    /// What pods name is read first. A lenient conversion keeps the room of bound pods that are
    /// refused.
    fn pods(&mut self) {
        let mut surroundings = Surroundings {
            classes: Default::default(),
            storage: Default::default(),
            spreads: DefaultSpreads::new(&self.options.default_spreads),
            nodes: self.parts.nodes.iter().map(|node| Arc::clone(&node.name)).collect(),
            has_nodes: self.dump.entries.iter().any(|entry| entry.kind == ObjectKind::Node),
            now: self.options.now,
        };
        let mut least = LeastReplicas::new();
        let looked_up = [
            ObjectKind::PriorityClass,
            ObjectKind::RuntimeClass,
            ObjectKind::LimitRange,
            ObjectKind::PersistentVolume,
            ObjectKind::PersistentVolumeClaim,
            ObjectKind::StorageClass,
            ObjectKind::HorizontalPodAutoscaler,
            ObjectKind::Service,
            ObjectKind::Deployment,
            ObjectKind::ReplicaSet,
            ObjectKind::ReplicationController,
            ObjectKind::StatefulSet,
        ];
        self.each(&looked_up, |_, entry, findings| {
            surroundings.spreads.read(entry);
            surroundings.classes.read(entry, findings);
            surroundings.storage.read(entry, findings);
            if entry.kind == ObjectKind::HorizontalPodAutoscaler {
                workload::read_autoscaler(entry, &mut least);
            }
        });
        let live = self.plans_live(&surroundings);
        let lenient = self.options.lenient;
        let mut singles_left = workload::MOST_SINGLE;
        let mut kept = BTreeSet::new();
        let all_live = self.options.pods == PodSource::Live;
        let live_labels = self.live_labels();
        self.daemon_sets(&surroundings);
        let mut pods: Vec<(usize, Pod, bool)> = Vec::new();
        let mut given: BTreeSet<WorkloadKey> = BTreeSet::new();
        let workloads = [
            ObjectKind::Deployment,
            ObjectKind::ReplicaSet,
            ObjectKind::ReplicationController,
            ObjectKind::StatefulSet,
            ObjectKind::Job,
        ];
        let mut selectors: BTreeMap<Arc<str>, Vec<LabelSelector>> = BTreeMap::new();
        self.each(&workloads, |_, entry, _| {
            selectors.entry(namespace(entry)).or_default().extend(selector_of(entry));
            let _new = given.insert((
                namespace(entry),
                Arc::clone(&entry.id.kind),
                Arc::clone(&entry.id.name),
            ));
        });
        self.each(&[ObjectKind::Pod], |at, entry, findings| {
            let owner = Metadata::of(&entry.tree).owner();
            let of_template = |owner: Owner| {
                given.contains(&(namespace(entry), owner.kind, owner.name))
                    || is_selected(entry, selectors.get(&namespace(entry)))
            };
            if !live && is_live(&entry.tree) && owner.is_some_and(of_template) {
                findings
                    .note("metadata.ownerReferences", "the template that it is made from counts");
                return;
            }
            match surroundings.pod(entry, findings) {
                LivePod::Placed(pod) if !findings.is_refused() => {
                    pods.push((at, pod, is_ready(entry)));
                }
                LivePod::Placed(_) if lenient => {
                    // What is left out of it must not make its node look emptier than it is.
                    if let Some(pod) = surroundings.room(entry) {
                        pods.push((at, pod, is_ready(entry)));
                        let _new = kept.insert(entry.id.clone());
                    }
                }
                _ => {}
            }
        });
        self.each(&workloads, |at, entry, findings| {
            let owner = Metadata::of(&entry.tree).owner();
            let of_other = |owner: &Owner| {
                given.contains(&(
                    namespace(entry),
                    Arc::clone(&owner.kind),
                    Arc::clone(&owner.name),
                ))
            };
            if all_live || live && has_live_pods(entry, &live_labels) {
                findings.note("spec.template", "its pods count as they are, not its template");
            } else if let Some(owner) = owner.filter(of_other) {
                let message = format!("the template of its {} counts", owner.kind);
                findings.note("metadata.ownerReferences", message);
            } else {
                let made =
                    workload::pods(entry, &surroundings, &least, &mut singles_left, findings);
                if !findings.is_refused() {
                    pods.extend(made.into_iter().map(|pod| (at, pod, true)));
                }
            }
        });
        let shapes = buffer::shapes(&self.dump.entries);
        self.each(&[ObjectKind::CapacityBuffer], |at, entry, findings| {
            let room = buffer::placeholder(entry, &shapes, &surroundings, &least, findings);
            pods.extend(room.map(|pod| (at, pod, true)));
        });
        self.kept = kept;
        self.note_unused(&surroundings);
        self.pods = UniqueNames::default().settle(pods, &self.dump.entries, &mut self.findings);
    }

    /// Says of objects that others name that nobody here does.
    ///
    /// A class that nobody names is harmless, and still its owner may wonder.
    fn note_unused(&mut self, surroundings: &Surroundings) {
        let named = [
            ObjectKind::PriorityClass,
            ObjectKind::RuntimeClass,
            ObjectKind::LimitRange,
            ObjectKind::PersistentVolume,
            ObjectKind::PersistentVolumeClaim,
            ObjectKind::StorageClass,
        ];
        let (classes, storage) = (&surroundings.classes.uses, &surroundings.storage.uses);
        self.each(&named, |_, entry, findings| {
            let space = namespace(entry);
            let (space, name) = match entry.kind {
                ObjectKind::PersistentVolumeClaim => (&*space, &*entry.id.name),
                ObjectKind::LimitRange => (&*space, ""),
                _ => ("", &*entry.id.name),
            };
            if !classes.has(entry.kind, space, name) && !storage.has(entry.kind, space, name) {
                findings.note("", "nothing that is planned for here looks it up");
            }
        });
        self.each(&[ObjectKind::HorizontalPodAutoscaler], |_, _, findings| {
            let message = "its least number of replicas counts where the workload says none";
            findings.note("spec.minReplicas", message);
        });
        self.each(&[ObjectKind::CsiNode], |_, entry, findings| {
            if !surroundings.nodes.contains(&entry.id.name) {
                findings.note("", "its node isn't here");
            }
        });
    }

    /// Whether the pods that there are count, not the templates.
    ///
    /// A pod on a node that isn't here doesn't make a dump live: what could be planned about it is
    /// nothing.
    fn plans_live(&self, surroundings: &Surroundings) -> bool {
        match self.options.pods {
            PodSource::Live => true,
            PodSource::Templates => false,
            PodSource::Auto => self.dump.entries.iter().any(|entry| {
                entry.kind == ObjectKind::Pod
                    && is_live(&entry.tree)
                    && !has_ended(&entry.tree)
                    && node_name(&entry.tree).is_none_or(|name| surroundings.nodes.contains(name))
            }),
        }
    }

    /// Owners and labels of the live pods, by namespace.
    fn live_labels(&self) -> LivePods {
        let mut live = LivePods::new();
        for entry in &self.dump.entries {
            if entry.kind == ObjectKind::Pod && is_live(&entry.tree) {
                let metadata = Metadata::of(&entry.tree);
                // What isn't a label there is a fault of the pod.
                let labels = metadata.labels(&Path::Root, &mut Findings::default());
                live.entry(namespace(entry)).or_default().push((metadata.owner(), labels));
            }
        }
        live
    }

    /// Daemon sets, and those of which only pods are here.
    ///
    /// A cluster's daemon pods without their set (a dump of pods and nodes alone) stand for it:
    /// otherwise new nodes would look emptier than they will be.
    fn daemon_sets(&mut self, surroundings: &Surroundings) {
        let mut daemons: Vec<Pod> = Vec::new();
        let mut names: BTreeSet<(Arc<str>, Arc<str>)> = BTreeSet::new();
        self.each(&[ObjectKind::DaemonSet], |_, entry, findings| {
            let _new = names.insert((namespace(entry), Arc::clone(&entry.id.name)));
            let daemon = workload::daemon_set(entry, surroundings, findings);
            if !findings.is_refused() {
                daemons.push(daemon);
            }
        });
        self.each(&[ObjectKind::Pod], |_, entry, findings| {
            let owner = Metadata::of(&entry.tree).owner();
            let Some(owner) = owner.filter(|owner| &*owner.kind == "DaemonSet") else { return };
            if !surroundings.has_nodes || has_ended(&entry.tree) {
                return;
            }
            if names.insert((namespace(entry), Arc::clone(&owner.name))) {
                let mut of_pod = Findings::default();
                if let LivePod::Placed(mut pod) = surroundings.pod(entry, &mut of_pod)
                    && !of_pod.is_refused()
                {
                    surroundings.daemon(&mut pod);
                    daemons.push(pod.with_name(Arc::clone(&owner.name)));
                    let message =
                        "its daemon set isn't here: this pod stands for those of new nodes";
                    findings.note("metadata.ownerReferences", message);
                }
            }
        });
        self.parts.daemon_sets = daemons;
    }

    /// After the pods, since a budget without a status is worked out from those that it selects.
    fn namespaces_and_budgets(&mut self) {
        let mut namespaces = Vec::new();
        self.each(&[ObjectKind::Namespace], |_, entry, findings| {
            let namespace = disruption::namespace_of(entry, &mut findings.faults);
            if !findings.is_refused() {
                namespaces.push(namespace);
            }
        });
        let pods = std::mem::take(&mut self.pods);
        // Room isn't a pod that could be down.
        let counted = pods.iter().filter(|(_, pod, _)| pod.placeholder().is_none());
        let counted: Vec<_> =
            counted.map(|(_, pod, ready)| BudgetedPod { pod, ready: *ready }).collect();
        let mut budgets = Vec::new();
        self.each(&[ObjectKind::DisruptionBudget], |_, entry, findings| {
            let budget = disruption::budget(entry, &counted, findings);
            if !findings.is_refused() {
                budgets.push(budget);
            }
        });
        self.parts.namespaces = namespaces;
        self.parts.pod_disruption_budgets = budgets;
        self.parts.pods = pods.into_iter().map(|(_, pod, _)| pod).collect();
    }

    /// With `lenient` refusals become notes here, and nowhere else.
    fn conclude(self) -> Conversion {
        let mut refusals = self.dump.unread.clone();
        let (mut notes, mut outcomes) = (Vec::new(), Vec::with_capacity(self.findings.len()));
        for (entry, findings) in self.dump.entries.iter().zip(self.findings) {
            let (faults, said) = findings.into_parts();
            let outcome = match (faults.is_empty(), said.is_empty()) {
                (false, _) => Outcome::Refused,
                (true, false) => Outcome::Noted,
                (true, true) => Outcome::Converted,
            };
            outcomes.push((entry.id.clone(), outcome));
            refusals.extend(faults.into_iter().map(|fault| Refusal {
                object: entry.id.clone(),
                path: fault.path,
                why: fault.problem,
                instead: fault.expected,
            }));
            if outcome == Outcome::Noted {
                notes.extend(said.into_iter().map(|(path, message)| Note {
                    object: entry.id.clone(),
                    path,
                    message,
                }));
            }
        }
        if self.pool_added {
            notes.push(Note {
                object: ObjectId {
                    group: "karpenter.sh".into(),
                    kind: "NodePool".into(),
                    namespace: None,
                    name: "default".into(),
                },
                path: String::new(),
                message: "added, since there is no pool: it may buy all of the catalog".into(),
            });
        }
        if self.options.lenient {
            let left_out = refusals.drain(..).map(|refusal| Note {
                message: format!(
                    "{}: {}; expected {}",
                    match self.kept.contains(&refusal.object) {
                        true => "only its room is kept, and it stays there",
                        false => "left out",
                    },
                    refusal.why,
                    refusal.instead
                ),
                object: refusal.object,
                path: refusal.path,
            });
            notes.extend(left_out);
            for (_, outcome) in &mut outcomes {
                *outcome = (*outcome).min(Outcome::Noted);
            }
        }
        Conversion { parts: self.parts, notes, refusals, outcomes }
    }
}

/// Owners and labels of live pods, by namespace.
type LivePods = BTreeMap<Arc<str>, Vec<(Option<Owner>, Labels)>>;

/// Whether a workload is one of a cluster, whose pods are there too: it has a status, or there are
/// live pods that it owns or selects.
///
/// Its own pods by owner reference, or any that its selector finds, as those of a deployment are
/// owned by its replica set.
fn has_live_pods(entry: &Entry, live: &LivePods) -> bool {
    let status = entry.tree.get("status");
    let field = |name: &str| status.is_some_and(|status| status.get(name).is_some());
    let selector = selector_of(entry);
    ["observedGeneration", "replicas", "startTime"].into_iter().any(field)
        || live.get(&namespace(entry)).into_iter().flatten().any(|(owner, labels)| {
            let owns = owner.as_ref().is_some_and(|owner| {
                (&owner.kind, &owner.name) == (&entry.id.kind, &entry.id.name)
            });
            owns || selector.as_ref().is_some_and(|selector| disruption::selects(selector, labels))
        })
}

/// The selector of a workload; what can't be read of it is a fault elsewhere.
fn selector_of(entry: &Entry) -> Option<LabelSelector> {
    let value = entry.tree.find(&["spec", "selector"])?;
    let mut faults = Faults::default();
    let cursor = Cursor { value, path: &Path::Root, faults: &mut faults };
    read_selector(cursor).filter(|_| faults.is_empty())
}

/// Whether one of the selectors finds a pod.
fn is_selected(entry: &Entry, selectors: Option<&Vec<LabelSelector>>) -> bool {
    let labels = Metadata::of(&entry.tree).labels(&Path::Root, &mut Findings::default());
    selectors.into_iter().flatten().any(|selector| disruption::selects(selector, &labels))
}

/// Whether a pod counts as healthy; one that isn't live is taken to become so.
fn is_ready(entry: &Entry) -> bool {
    let conditions = entry.tree.find(&["status", "conditions"]);
    !is_live(&entry.tree)
        || conditions.is_some_and(|list| node::is_condition(list.items(), "Ready", "True"))
}
