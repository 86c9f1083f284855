//! The form of a certificate: whether its groups, proofs, offerings and nodes can be read at all.
//!
//! What is wrong here is reported as [`Violation::CertificateMalformed`], with the part; what a
//! proof says of a place is another question (`worth`), and isn't asked where the form is wrong.

use super::super::facts::Facts;
use super::super::violation::Violation;
use super::anti_affinity::Separation;
use super::malformed;
use super::pods::CountedPods;
use crate::plan::certificate::{Certificate, WorthProof};
use std::collections::{BTreeMap, BTreeSet};

/// Reports groups of which two pods could share a node.
///
/// Two members must be kept apart by a rule, or else the group claims what nobody promises; and a
/// single kind may not count for more than the group allows by itself.
pub(super) fn check_groups(
    certificate: &Certificate,
    counted: &[CountedPods],
    separation: &mut Separation<'_, '_>,
    out: &mut Vec<Violation>,
) {
    for (at, group) in certificate.groups.iter().enumerate() {
        let mut members = Vec::with_capacity(group.pods.len());
        let mut most = 0_u64;
        for (pod, each) in &group.pods {
            if let Some(pods) = counted.get(*pod as usize) {
                let together = pods.together().min(pods.count.into());
                most = most.max(u64::from(*each).saturating_mul(together));
            }
            members.push(*pod as usize);
        }
        members.sort_unstable();
        let known = members.last().is_none_or(|last| *last < counted.len());
        let repeated = members.windows(2).any(|two| matches!(two, [one, other] if one == other));
        if !known || repeated || most > u64::from(group.most) {
            out.push(malformed(format!("groups[{at}]")));
        }
        if let Some((pod, other)) = separation.first_together(&members, counted) {
            out.push(Violation::NotApart { pod, other });
        }
    }
}

/// Reports proofs that can't be read.
///
/// Each refers to earlier ones only, so that a list is a tree, or a forest that shares branches,
/// and no walk goes in circles.
pub(super) fn check_proofs(
    certificate: &Certificate,
    counted: &[CountedPods],
    out: &mut Vec<Violation>,
) {
    let width = certificate.resources.len().saturating_add(certificate.drivers.len());
    let groups = &certificate.groups;
    for (at, proof) in certificate.proofs.iter().enumerate() {
        let earlier = |proof: &u32| (*proof as usize) < at;
        let pods = |pod: &u32| counted.get(*pod as usize);
        let sound = match proof {
            WorthProof::Priced { resources: prices, groups: of_groups } => {
                prices.len() <= width
                    && of_groups.len() <= groups.len()
                    && prices.iter().chain(of_groups).all(|price| *price >= 0)
            }
            WorthProof::Table { resource } | WorthProof::Full { resource } => {
                (*resource as usize) < width
            }
            WorthProof::Crowded { group } => (*group as usize) < groups.len(),
            WorthProof::Split { pod, count, fewer, more } => {
                pods(pod).is_some() && *count > 0 && earlier(fewer) && earlier(more)
            }
            WorthProof::Label { meets, fails, .. } => earlier(meets) && earlier(fails),
            WorthProof::Values { values, proofs, otherwise, .. } => {
                values.len() == proofs.len()
                    && values.iter().collect::<BTreeSet<_>>().len() == values.len()
                    && proofs.iter().chain([otherwise]).all(earlier)
            }
        };
        if !sound {
            out.push(malformed(format!("proofs[{at}]")));
        }
    }
}

/// The proofs of offerings, by positions of pool, type and offering.
pub(super) type OfferingProofs = BTreeMap<(usize, usize, usize), u32>;

/// Looks the offerings up, and reports those that aren't there.
pub(super) fn offering_proofs(
    facts: &Facts<'_>,
    certificate: &Certificate,
    out: &mut Vec<Violation>,
) -> OfferingProofs {
    let mut proofs = BTreeMap::new();
    for (at, offering) in certificate.offerings.iter().enumerate() {
        let pool = facts.pool(&offering.node_pool);
        let instance_type = facts.instance_type(&offering.instance_type);
        let known = (offering.proof as usize) < certificate.proofs.len();
        let (Some((pool, _)), Some((at_type, instance_type)), true) = (pool, instance_type, known)
        else {
            out.push(malformed(format!("offerings[{at}]")));
            continue;
        };
        for number in &offering.offerings {
            let number = *number as usize;
            let former = proofs.insert((pool, at_type, number), offering.proof);
            if former.is_some() || number >= instance_type.offerings.len() {
                out.push(malformed(format!("offerings[{at}].offerings")));
            }
        }
    }
    proofs
}

/// Looks the running nodes up, and reports those that aren't there.
pub(super) fn node_proofs<'a>(
    facts: &Facts<'_>,
    certificate: &'a Certificate,
    out: &mut Vec<Violation>,
) -> BTreeMap<&'a str, u32> {
    let mut proofs = BTreeMap::new();
    for (at, node) in certificate.nodes.iter().enumerate() {
        let known = (node.proof as usize) < certificate.proofs.len();
        let known = known && facts.node(&node.node).is_some();
        if proofs.insert(&*node.node, node.proof).is_some() || !known {
            out.push(malformed(format!("nodes[{at}]")));
        }
    }
    proofs
}
