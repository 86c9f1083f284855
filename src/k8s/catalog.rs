//! What changes the catalog: Karpenter's overlays, and Cluster Autoscaler's groups.
//!
//! Of the overlays that match an offering Karpenter applies the heaviest alone, and so it is done
//! here (the library's own price overlays stack). A group of machines is a pool of one type.
//!
//! Overlays and groups are read against the catalog that the caller gives, since neither says what
//! it doesn't change: an overlay needs an offering to reprice, a group a type to be of. So both
//! come before everything that asks what a type is.
//!
//! Source: <https://karpenter.sh/docs/concepts/nodeoverlays/>.

use super::dump::Entry;
use super::metadata::Metadata;
use super::report::Findings;
use crate::model::document::read::{Cursor, resources, text, whole};
use crate::model::document::selector::read_requirement;
use crate::model::document::value::Value;
use crate::model::fault::{Path, quoted};
use crate::model::{
    InstanceType, NodePool, Operator, Price, PriceChange, Quantity, Requirement, Requirements,
    Resources, check_node_pool, labels_of, matches, well_known,
};
use std::sync::Arc;

/// A `NodeOverlay`.
///
/// `spec.price` sets, `spec.priceAdjustment` adds or scales; where both stand the first counts.
#[derive(Debug)]
pub(super) struct NodeOverlay {
    /// The place of its object among all of them.
    pub(super) entry: usize,
    name: Arc<str>,
    weight: i32,
    requirements: Requirements,
    change: Option<PriceChange>,
    capacity: Resources,
}

/// Reads an overlay.
///
/// Prices of one pool alone can't be held, since an offering here has one price for all pools.
pub(super) fn read_overlay(entry: &Entry, at: usize, findings: &mut Findings) -> NodeOverlay {
    let path = Path::Text("spec");
    let empty = Value::Map(Vec::new());
    let mut fields = Cursor {
        value: entry.tree.get("spec").unwrap_or(&empty),
        path: &path,
        faults: &mut findings.faults,
    }
    .object(&["requirements", "price", "priceAdjustment", "capacity", "weight"]);
    let requirements = fields.list("requirements", read_requirement);
    let mut change = |name: &'static str, signed: bool| {
        fields.optional(name, |cursor| {
            let expected = "a price such as 0.4, or an adjustment such as -15% or +0.05";
            let change = text(Cursor {
                value: cursor.value,
                path: cursor.path,
                faults: &mut *cursor.faults,
            })?;
            match change.parse() {
                Ok(change) if signed != matches!(change, PriceChange::Set(_)) => Some(change),
                _ => cursor.fault(quoted(&change), expected),
            }
        })
    };
    let change = change("price", false).or(change("priceAdjustment", true));
    let overlay = NodeOverlay {
        entry: at,
        name: Arc::clone(&entry.id.name),
        weight: fields.optional("weight", whole).unwrap_or_default(),
        capacity: fields.optional("capacity", resources).unwrap_or_default(),
        requirements: requirements.iter().collect(),
        change,
    };
    for (i, one) in requirements.iter().enumerate() {
        if well_known::normalized(&one.key) == well_known::NODE_POOL {
            findings.refuse(
                &format!("spec.requirements[{i}]"),
                "prices of one node pool alone",
                "labels that offerings have for all pools",
            );
        }
    }
    overlay
}

/// Applies overlays to the types, the heaviest that matches each offering.
///
/// Capacity is changed resource by resource, the heaviest overlay having the last word on each; a
/// price by the heaviest that states one. The cost is overlays times offerings.
pub(super) fn apply(
    overlays: &mut [NodeOverlay],
    types: &mut [InstanceType],
    findings: &mut [Findings],
) {
    overlays.sort_by(|a, b| b.weight.cmp(&a.weight).then_with(|| a.name.cmp(&b.name)));
    let mut in_part = vec![false; overlays.len()];
    let mut too_dear = vec![false; overlays.len()];
    let mut used = vec![false; overlays.len()];
    let no_catalog = types.is_empty();
    for of_type in types {
        let labels = labels_of(of_type);
        let hits = |overlay: &NodeOverlay| -> Vec<bool> {
            let offerings = of_type.offerings.iter();
            offerings.map(|offering| matches(&overlay.requirements, &labels, offering)).collect()
        };
        let hits: Vec<Vec<bool>> = overlays.iter().map(hits).collect();
        for ((overlay, hits), part) in overlays.iter().zip(&hits).zip(&mut in_part) {
            let (some, all) = (hits.contains(&true), !hits.contains(&false));
            *part |= some && !all && !overlay.capacity.is_empty();
        }
        // The lightest first, so that the heaviest has the last word on each resource.
        for (i, overlay) in overlays.iter().enumerate().rev() {
            if hits[i].contains(&true) && !hits[i].contains(&false) {
                for (name, amount) in overlay.capacity.iter() {
                    let _former: Option<Quantity> =
                        of_type.capacity.insert(Arc::clone(name), amount);
                    used[i] = true;
                }
            }
        }
        for (o, offering) in of_type.offerings.iter_mut().enumerate() {
            let heaviest = (0..overlays.len())
                .find(|i| overlays[*i].change.is_some() && hits[*i].get(o) == Some(&true));
            if let Some(i) = heaviest
                && let Some(change) = overlays[i].change
            {
                let price = change.apply(offering.price);
                match price > Price::MAX_UNIT {
                    true => too_dear[i] = true,
                    false => offering.price = price,
                }
                used[i] = true;
            }
        }
        of_type.offerings.sort();
    }
    let without = if no_catalog { "there is no catalog" } else { "no offering is left for it" };
    for (i, overlay) in overlays.iter().enumerate() {
        let Some(of_overlay) = findings.get_mut(overlay.entry) else { continue };
        if in_part[i] {
            let why = "it matches some offerings of a type, and capacity is the type's";
            of_overlay.refuse("spec.capacity", why, "requirements on labels of the type");
        }
        if too_dear[i] {
            let why = "a price above the most that there may be";
            of_overlay.refuse("spec", why, "at most 100000 per node and hour");
        }
        if !used[i] {
            of_overlay.note("spec.requirements", format!("it changes nothing: {without}"));
        }
    }
}

/// Least and most machines, as Cluster API's and OpenShift's annotations are called.
const SIZES: [(&str, &str); 2] = [
    (
        "machine.openshift.io/cluster-api-autoscaler-node-group-min-size",
        "machine.openshift.io/cluster-api-autoscaler-node-group-max-size",
    ),
    (
        "cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size",
        "cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size",
    ),
];

/// A group of machines as a pool of one type: that of the catalog that the group names. `None`
/// where it isn't for Cluster Autoscaler to scale, as a note says, or is refused.
///
/// Source:
/// <https://github.com/kubernetes/autoscaler/tree/master/cluster-autoscaler/cloudprovider/clusterapi>.
pub(super) fn machine_group(
    entry: &Entry,
    types: &[InstanceType],
    findings: &mut Findings,
) -> Option<NodePool> {
    let metadata = Metadata::of(&entry.tree);
    let sizes = SIZES
        .iter()
        .find_map(|(least, most)| Some((metadata.annotation(least), metadata.annotation(most)?)));
    let Some((least, most)) = sizes else {
        findings
            .note("metadata.annotations", "no autoscaler may scale it, so nothing of it is bought");
        return None;
    };
    let of_machine = ["spec", "template", "spec", "providerSpec", "value"];
    let provider = entry.tree.find(&of_machine);
    let of_provider = |path: &[&str]| provider?.find(path)?.as_text();
    let annotated = [
        "machine.openshift.io/instance-type",
        "capacity.cluster-autoscaler.kubernetes.io/instance-type",
    ];
    let name = ["instanceType", "vmSize", "machineType"]
        .into_iter()
        .find_map(|field| of_provider(&[field]))
        .or_else(|| annotated.into_iter().find_map(|key| metadata.annotation(key)));
    let Some(of_type) = name.and_then(|name| types.iter().find(|one| one.name() == name)) else {
        let named = name.map_or_else(|| "no type that is named".into(), quoted);
        findings.refuse(
            "spec.template.spec",
            format!("machines of {named}, of which the catalog has no price"),
            "a catalog with the type and its price",
        );
        return None;
    };
    let Ok(most) = most.parse::<u32>() else {
        findings.refuse(
            "metadata.annotations",
            format!("{} as the most machines", quoted(most)),
            "a number",
        );
        return None;
    };
    // The group's own machines have no label of a pool, so they are taken off its limit here.
    let now = match entry.tree.find(&["spec", "replicas"]) {
        Some(Value::Integer(number)) => u32::try_from(*number).unwrap_or(0),
        _ => 0,
    };
    if least.is_some_and(|least| least != "0") {
        findings.note("metadata.annotations", "its least size isn't kept to");
    }
    let left = Quantity::from_units(u64::from(most.saturating_sub(now)));
    let mut pool = NodePool::new(Arc::clone(&entry.id.name))
        .with_instance_types([of_type.name()])
        .with_limits([("nodes", left)].into_iter().collect());
    let zone = ["availabilityZone", "zone"]
        .into_iter()
        .find_map(|field| of_provider(&["placement", field]).or(of_provider(&[field])))
        .or_else(|| entry.tree.find(&["spec", "template", "spec", "failureDomain"])?.as_text());
    if let Some(zone) = zone {
        pool = pool.with_requirement(Requirement::new(well_known::ZONE, Operator::In, [zone]));
    }
    let spot = provider.is_some_and(|one| {
        one.get("spotMarketOptions").is_some() || one.get("spotVMOptions").is_some()
    });
    let capacity_type = if spot { "spot" } else { "on-demand" };
    pool = pool.with_requirement(Requirement::new(
        well_known::CAPACITY_TYPE,
        Operator::In,
        [capacity_type],
    ));
    let path = Path::Text("spec.template.spec");
    if let Some(value) = entry.tree.find(&["spec", "template", "spec"]) {
        let read = |field: &str| value.get(field);
        let mut of = |value: Option<&Value<'_>>, name: &str| {
            let at = path.field(name);
            value.map(|value| Cursor { value, path: &at, faults: &mut findings.faults }).and_then(
                |cursor| {
                    crate::model::document::read::list(
                        cursor,
                        crate::model::document::taint::read_taint,
                    )
                },
            )
        };
        pool.taints = of(read("taints"), "taints").unwrap_or_default();
    }
    let labels = entry.tree.find(&["spec", "template", "spec", "metadata"]);
    let labels = Metadata(labels).labels(&Path::Text("spec.template.spec.metadata"), findings);
    pool.labels = labels;
    findings.faults.end_of_reading();
    check_node_pool(&pool, None, &path, &mut findings.faults);
    Some(pool)
}
