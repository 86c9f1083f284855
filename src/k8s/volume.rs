//! Claims, volumes and storage classes: from where a pod's volumes can be reached, and by which
//! driver they are attached.
//!
//! A claim that is bound ties the pod to where its volume is. One that waits for its first consumer
//! ties it to where its class can make volumes, which is everywhere unless the class says. A pod
//! whose claim is missing, or would have been bound by now, can't be scheduled, whatever is
//! launched for it.
//!
//! The answers for a claim, in order:
//!
//! | claim | the pod |
//! |---|---|
//! | missing, or of one pod alone (`ReadWriteOncePod`) | is refused |
//! | bound | goes where its volume's node affinity or zones allow |
//! | unbound, class waits for its consumer | goes where the class's `allowedTopologies` allow |
//! | unbound, class binds at once, or no class | is refused: something else holds the claim up |
//!
//! Keys of topologies are drivers' own (`topology.ebs.csi.aws.com/zone`); nodes that aren't there
//! yet have the well-known label, so the keys are translated.
//!
//! Sources: <https://kubernetes.io/docs/concepts/storage/persistent-volumes/>,
//! <https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode>.

use super::class::is_default;
use super::dump::Entry;
use super::fields::{CLAIM, VOLUME_SPEC};
use super::kind::ObjectKind;
use super::metadata::Metadata;
use super::pod_spec::{VolumeFrom, VolumeSource};
use super::report::Findings;
use super::uses::Uses;
use crate::model::document::affinity::read_term;
use crate::model::document::read::{Cursor, list, text, texts};
use crate::model::document::value::Value;
use crate::model::fault::{Path, quoted};
use crate::model::{NodeSelectorTerm, Operator, Requirement, Volume, well_known};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The claims, volumes and classes of a dump.
///
/// Names that aren't looked up are noted as unused.
#[derive(Debug, Default)]
pub(super) struct Storage {
    /// By namespace and name.
    claims: BTreeMap<(Arc<str>, Arc<str>), Claim>,
    volumes: BTreeMap<Arc<str>, PersistentVolume>,
    classes: BTreeMap<Arc<str>, StorageClass>,
    default_class: Option<Arc<str>>,
    pub(super) uses: Uses,
}

/// What matters of a `PersistentVolumeClaim`.
#[derive(Debug)]
struct Claim {
    volume: Option<Arc<str>>,
    /// `Some("")` for one that takes no class.
    class: Option<Arc<str>>,
    of_one_pod: bool,
}

/// What matters of a `PersistentVolume`: who attaches it, and from where it can be reached.
#[derive(Debug)]
struct PersistentVolume {
    /// The driver that attaches it and its name there; none for one that is attached by nobody.
    attached: Option<(Arc<str>, Arc<str>)>,
    zones: Vec<Arc<str>>,
    terms: Vec<NodeSelectorTerm>,
}

/// `waits` is `volumeBindingMode: WaitForFirstConsumer`.
#[derive(Debug)]
struct StorageClass {
    provisioner: Arc<str>,
    waits: bool,
    terms: Vec<NodeSelectorTerm>,
}

/// The pod whose volumes are looked up.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClaimedBy<'a> {
    pub(super) namespace: &'a str,
    pub(super) pod: &'a str,
}

impl Storage {
    /// Reads an object, if it is one of storage.
    pub(super) fn read(&mut self, entry: &Entry, findings: &mut Findings) {
        let name = Arc::clone(&entry.id.name);
        match entry.kind {
            ObjectKind::PersistentVolumeClaim => {
                let namespace = entry.id.namespace.clone().unwrap_or_else(|| "default".into());
                let _former =
                    self.claims.insert((namespace, name), read_claim(&entry.tree, findings));
            }
            ObjectKind::PersistentVolume => {
                let _former = self.volumes.insert(name, read_volume(&entry.tree, findings));
            }
            ObjectKind::StorageClass => {
                if is_default(Metadata::of(&entry.tree)) {
                    self.default_class = Some(Arc::clone(&name));
                }
                let _former = self.classes.insert(name, read_class(&entry.tree, findings));
            }
            _ => {}
        }
    }

    /// What a volume of a pod comes to: `None` where it ties the pod to nothing, and why a claim
    /// can't be met.
    ///
    /// An ephemeral volume's claim is called by the pod and the volume; before the pod is there it
    /// is what its class would make.
    pub(super) fn resolve(
        &self,
        source: &VolumeSource,
        by: ClaimedBy<'_>,
    ) -> Result<Option<Volume>, String> {
        match &source.from {
            VolumeFrom::Disk(driver, id) if id.is_empty() => {
                Err(format!("no name of a disk of {driver}"))
            }
            VolumeFrom::Disk(driver, id) => Ok(Some(Volume::new(*driver, Arc::clone(id)))),
            VolumeFrom::Claim(name) => self.of_claim(by.namespace, name),
            VolumeFrom::Ephemeral(class) => {
                let name = format!("{}-{}", by.pod, source.name);
                match self.claims.contains_key(&(by.namespace.into(), name.as_str().into())) {
                    true => self.of_claim(by.namespace, &name),
                    false => self.unbound(class.as_deref(), &format!("{}/{name}", by.namespace)),
                }
            }
        }
    }

    fn of_claim(&self, namespace: &str, name: &str) -> Result<Option<Volume>, String> {
        self.uses.add(ObjectKind::PersistentVolumeClaim, namespace, name);
        let claim = self.claims.get(&(namespace.into(), name.into()));
        let claim = claim.ok_or_else(|| format!("the claim {} isn't here", quoted(name)))?;
        if claim.of_one_pod {
            return Err(format!("the claim {} is for one pod alone", quoted(name)));
        }
        let Some(volume_name) = &claim.volume else {
            return self.unbound(claim.class.as_deref(), &format!("{namespace}/{name}"));
        };
        self.uses.add(ObjectKind::PersistentVolume, "", volume_name);
        let volume = self.volumes.get(volume_name);
        let volume =
            volume.ok_or_else(|| format!("the volume {} isn't here", quoted(volume_name)))?;
        Ok(volume.of_pod(volume_name))
    }

    /// What the claim comes to that a stateful set makes for one of its pods, from a template of
    /// this name and class.
    pub(super) fn of_set(
        &self,
        namespace: &str,
        template: &str,
        pod: &str,
        class: Option<&str>,
    ) -> Result<Option<Volume>, String> {
        let name = format!("{template}-{pod}");
        match self.claims.contains_key(&(namespace.into(), name.as_str().into())) {
            true => self.of_claim(namespace, &name),
            false => self.unbound(class, &format!("{namespace}/{name}")),
        }
    }

    /// What a claim comes to that has no volume yet.
    ///
    /// The id is the claim's name with its namespace: pods that share the claim share the volume
    /// that will be made.
    fn unbound(&self, class: Option<&str>, id: &str) -> Result<Option<Volume>, String> {
        let name = match class {
            Some("") => return Err("a claim of no class, which nothing will bind".into()),
            Some(name) => name,
            None => self
                .default_class
                .as_deref()
                .ok_or("a claim without a class, and none is the default")?,
        };
        self.uses.add(ObjectKind::StorageClass, "", name);
        let class = self.classes.get(name);
        let class =
            class.ok_or_else(|| format!("the storage class {} isn't here", quoted(name)))?;
        if !class.waits {
            return Err("a claim that should have been bound at once, and isn't".into());
        }
        if &*class.provisioner == "kubernetes.io/no-provisioner" {
            return Err("a claim to be bound to one of the volumes that nodes have already".into());
        }
        let mut volume = Volume::new(Arc::clone(&class.provisioner), id);
        volume.node_selector_terms.clone_from(&class.terms);
        Ok(Some(zones_apart(volume)))
    }
}

impl PersistentVolume {
    fn of_pod(&self, name: &Arc<str>) -> Option<Volume> {
        let mut volume = match &self.attached {
            Some((driver, id)) => Volume::new(Arc::clone(driver), Arc::clone(id)),
            // It takes no attachment, but may be on some nodes only.
            None if self.terms.is_empty() && self.zones.is_empty() => return None,
            None => Volume::new("kubernetes.io/unattached", Arc::clone(name)),
        };
        volume.zones.clone_from(&self.zones);
        volume.node_selector_terms.clone_from(&self.terms);
        Some(zones_apart(volume))
    }
}

/// Terms that say nothing but the zones, as zones.
///
/// Zones are compared faster, and reasons that name a zone say more than those that name a term.
fn zones_apart(mut volume: Volume) -> Volume {
    if let [term] = volume.node_selector_terms.as_slice()
        && let [one] = term.match_expressions.as_slice()
        && term.match_fields.is_empty()
        && (&*one.key, one.operator) == (well_known::ZONE, Operator::In)
        && volume.zones.is_empty()
    {
        volume.zones.clone_from(&one.values);
        volume.node_selector_terms.clear();
    }
    volume
}

/// The key under which nodes have what a driver's key says.
fn key_of_nodes(key: &str) -> &str {
    match key {
        "topology.ebs.csi.aws.com/zone"
        | "topology.gke.io/zone"
        | "topology.disk.csi.azure.com/zone" => well_known::ZONE,
        key => well_known::normalized(key),
    }
}

fn with_keys_of_nodes(mut term: NodeSelectorTerm) -> NodeSelectorTerm {
    for one in &mut term.match_expressions {
        one.key = key_of_nodes(&one.key).into();
    }
    term
}

/// The driver that took over from what Kubernetes had built in.
///
/// Migrated in Kubernetes 1.23 and after; old objects keep the old name.
fn driver(name: &str) -> &str {
    match name {
        "kubernetes.io/aws-ebs" => "ebs.csi.aws.com",
        "kubernetes.io/gce-pd" => "pd.csi.storage.gke.io",
        "kubernetes.io/azure-disk" => "disk.csi.azure.com",
        name => name,
    }
}

fn read_claim(tree: &Value<'_>, findings: &mut Findings) -> Claim {
    let annotated = Metadata::of(tree).annotation("volume.beta.kubernetes.io/storage-class");
    let path = Path::Text("spec");
    let empty = Value::Map(Vec::new());
    let mut fields = Cursor {
        value: tree.get("spec").unwrap_or(&empty),
        path: &path,
        faults: &mut findings.faults,
    }
    .object_beside(CLAIM.0, CLAIM.1);
    let modes = fields.optional("accessModes", texts).unwrap_or_default();
    Claim {
        volume: fields.optional("volumeName", text).filter(|name| !name.is_empty()),
        class: fields.optional("storageClassName", text).or_else(|| annotated.map(Arc::from)),
        of_one_pod: modes.iter().any(|mode| &**mode == "ReadWriteOncePod"),
    }
}

fn read_volume(tree: &Value<'_>, findings: &mut Findings) -> PersistentVolume {
    let path = Path::Text("spec");
    if let Some(value) = tree.get("spec") {
        let cursor = Cursor { value, path: &path, faults: &mut findings.faults };
        let _fields = cursor.object_beside(VOLUME_SPEC.0, VOLUME_SPEC.1);
    }
    let text = |path: &[&str]| tree.find(path).and_then(Value::as_text);
    let attached = [
        (text(&["spec", "csi", "driver"]), text(&["spec", "csi", "volumeHandle"])),
        (Some("kubernetes.io/aws-ebs"), text(&["spec", "awsElasticBlockStore", "volumeID"])),
        (Some("kubernetes.io/gce-pd"), text(&["spec", "gcePersistentDisk", "pdName"])),
        (Some("kubernetes.io/azure-disk"), text(&["spec", "azureDisk", "diskName"])),
    ]
    .into_iter()
    .find_map(|(name, id)| Some((driver(name?).into(), id?.into())));
    let path = Path::Text("spec.nodeAffinity.required.nodeSelectorTerms");
    let terms = tree.find(&["spec", "nodeAffinity", "required", "nodeSelectorTerms"]);
    let terms = terms
        .and_then(|value| {
            list(Cursor { value, path: &path, faults: &mut findings.faults }, read_term)
        })
        .unwrap_or_default();
    // Old volumes have their zones as a label, several of them joined.
    let labelled = [well_known::ZONE, "failure-domain.beta.kubernetes.io/zone"]
        .into_iter()
        .find_map(|key| text(&["metadata", "labels", key]));
    let zones = labelled.filter(|_| terms.is_empty());
    PersistentVolume {
        attached,
        zones: zones.iter().flat_map(|zones| zones.split("__")).map(Arc::from).collect(),
        terms: terms.into_iter().map(with_keys_of_nodes).collect(),
    }
}

fn read_class(tree: &Value<'_>, findings: &mut Findings) -> StorageClass {
    let of = |name: &str| tree.get(name).and_then(Value::as_text);
    let path = Path::Text("allowedTopologies");
    let terms = tree.get("allowedTopologies").and_then(|value| {
        list(Cursor { value, path: &path, faults: &mut findings.faults }, |cursor| {
            let mut fields = cursor.object(&["matchLabelExpressions"]);
            let expressions = fields.list("matchLabelExpressions", |cursor| {
                let mut fields = cursor.object(&["key", "values"]);
                let key = fields.required("key", text)?;
                let values = fields.required("values", texts)?;
                Some(Requirement::new(key_of_nodes(&key), Operator::In, values))
            });
            Some(NodeSelectorTerm::new(expressions))
        })
    });
    StorageClass {
        provisioner: driver(of("provisioner").unwrap_or_default()).into(),
        waits: of("volumeBindingMode") == Some("WaitForFirstConsumer"),
        terms: terms.unwrap_or_default(),
    }
}
