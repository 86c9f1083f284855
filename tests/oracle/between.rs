//! Rules between pods over domains: spreads, affinity, anti-affinity over any label.
//!
//! kube-scheduler binds one pod after another and looks at those bound before. A plan is right if all
//! its pods can be bound in at least one order, so every order is tried. All nodes stand from the
//! start: the running ones that aren't being deleted, and the plan's launches.
//!
//! A spread is over the domains of the nodes that stand and those that a launch of the pod could add:
//! what Karpenter counts, and never looser than kube-scheduler, which sees the first kind alone. Over
//! hosts a launch could always add an empty one, so the lowest count is 0.

use super::document::{Document, HOSTNAME, Labels, Pod, PodTerm, Spread};
use super::rules::{counts, means, selects, standing_taints, tolerates};
use super::ways::Way;
use super::{Oracle, Pods};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A node that stands when pods are bound.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    labels: &'a Labels,
    /// The node's name; of a launch, its number.
    name: Result<&'a String, usize>,
    taints: Vec<&'a Value>,
}

/// The value of a label on a node. Launches have hostnames of their own.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Domain<'a> {
    Label(&'a str),
    Launch(usize),
}

/// A pod on one of the sites.
type Bound<'a> = (&'a Pod, usize);

impl<'a> Site<'a> {
    fn domain(&self, key: &str) -> Option<Domain<'a>> {
        match self.name {
            Err(launch) if key == HOSTNAME => Some(Domain::Launch(launch)),
            _ => self.labels.get(key).map(|value| Domain::Label(value)),
        }
    }

    /// Whether the node takes part in a spread of a pod: it has the keys of all its spreads, and passes
    /// the policies.
    fn counts_for(&self, pod: &Pod, spread: &Spread) -> bool {
        let name = self.name.ok().map(String::as_str);
        pod.spreads.iter().all(|one| self.domain(&one.key).is_some())
            && (!spread.honour_affinity || selects(pod, self.labels, name))
            && (!spread.honour_taints || tolerates(pod, self.taints.iter().copied()))
    }
}

impl Oracle {
    /// Whether the pods of these sets can all be bound to their running nodes and launches.
    pub(crate) fn can_be_bound(&self, nodes: &[Pods], launches: &[(Pods, &Way)]) -> bool {
        let document = &self.document;
        let mut scene = Scene { oracle: self, sites: Vec::new() };
        let (mut present, mut to_come): (Vec<Bound<'_>>, Vec<Bound<'_>>) = (Vec::new(), Vec::new());
        for (node, pods) in document.nodes.iter().zip(nodes).filter(|(node, _)| !node.deleting) {
            let site = scene.sites.len();
            let (labels, taints) = (&node.labels, standing_taints(document, node));
            scene.sites.push(Site { labels, name: Ok(&node.name), taints });
            let here = document.bound.iter().filter(|pod| pod.node.as_ref() == Some(&node.name));
            present.extend(here.map(|pod| (pod, site)));
            to_come.extend(self.members(*pods).into_iter().map(|pod| (pod, site)));
        }
        for (at, (pods, way)) in launches.iter().enumerate() {
            let site = scene.sites.len();
            let taints = document.pools[way.pool].taints.iter().collect();
            scene.sites.push(Site { labels: &way.labels, name: Err(at), taints });
            to_come.extend(self.members(*pods).into_iter().map(|pod| (pod, site)));
        }
        scene.nobody_is_kept_away(&present, &to_come)
            && scene.some_order_exists(&mut present, &to_come, &mut BTreeSet::new(), 0)
    }

    /// Whether any rule between pods could tell plans apart that are alike node by node.
    pub(crate) fn has_rules_between_pods(&self) -> bool {
        let pending = &self.document.pending;
        !self.document.topology_keys().is_empty()
            || pending.iter().any(|pod| !(pod.near.is_empty() && pod.spreads.is_empty()))
    }

    /// Whether rules between pods may have drawn a pod to where only a pool of lower weight launches:
    /// spreads and affinity of its own, or affinity and anti-affinity over domains that mean it.
    pub(crate) fn is_tied(&self, pod: &Pod) -> bool {
        let document = &self.document;
        let leaves = |other: &&Pod| {
            let node = document.nodes.iter().find(|node| Some(&node.name) == other.node.as_ref());
            node.is_some_and(|node| node.deleting)
        };
        let means_pod = |owner: &Pod, term: &PodTerm| means(document, owner, term, pod);
        let wide = |term: &&PodTerm| term.key != HOSTNAME;
        let mut staying = document.bound.iter().filter(|other| !leaves(other));
        pod.drawn
            || !pod.near.is_empty()
            || pod.apart.iter().any(|term| wide(&term))
            || document.pending.iter().any(|owner| {
                (!owner.near.is_empty() && owner.near.iter().all(|term| means_pod(owner, term)))
                    || owner.apart.iter().filter(wide).any(|term| means_pod(owner, term))
            })
            || staying
                .any(|owner| owner.apart.iter().filter(wide).any(|term| means_pod(owner, term)))
    }

    /// What rules between pods can see of a launch: its values of their keys, and for whose spreads it
    /// counts.
    pub(crate) fn look(&self, way: &Way) -> (Vec<Option<String>>, Vec<bool>) {
        let document = &self.document;
        let taints = document.pools[way.pool].taints.iter().collect();
        let site = Site { labels: &way.labels, name: Err(0), taints };
        let keys = document.topology_keys();
        let spreads = document.pending.iter().flat_map(|p| p.spreads.iter().map(move |s| (p, s)));
        (
            keys.into_iter().map(|key| way.labels.get(key).cloned()).collect(),
            spreads.map(|(pod, spread)| site.counts_for(pod, spread)).collect(),
        )
    }

    /// The values of a spread's key that a launch of the pod could have. A volume's zone restricts the
    /// pod, not where its fellows are counted.
    fn could_launch(&self, pod: &Pod, spread: &Spread) -> BTreeSet<String> {
        let free = Pod { volumes: Vec::new(), ..pod.clone() };
        let ways = self.ways.iter().filter(|way| {
            let taints = self.document.pools[way.pool].taints.iter().collect();
            let site = Site { labels: &way.labels, name: Err(0), taints };
            site.counts_for(pod, spread) && way.holds(&self.document, &[&free])
        });
        ways.filter_map(|way| way.labels.get(&spread.key)).cloned().collect()
    }

    /// For each spread of each pending pod, the domains that a launch of the pod could add.
    pub(crate) fn launchable(&self) -> BTreeMap<String, Vec<BTreeSet<String>>> {
        let of_pod =
            |pod: &Pod| pod.spreads.iter().map(|one| self.could_launch(pod, one)).collect();
        self.document.pending.iter().map(|pod| (pod.id.clone(), of_pod(pod))).collect()
    }
}

struct Scene<'a> {
    oracle: &'a Oracle,
    sites: Vec<Site<'a>>,
}

impl<'a> Scene<'a> {
    fn document(&self) -> &'a Document {
        &self.oracle.document
    }

    fn domain(&self, site: usize, key: &str) -> Option<Domain<'a>> {
        self.sites[site].domain(key)
    }

    /// Whether no pod shares a domain with one that the anti-affinity of either keeps out of it. It
    /// doesn't matter which of them comes first.
    fn nobody_is_kept_away(&self, present: &[Bound<'a>], to_come: &[Bound<'a>]) -> bool {
        let refuses = |(one, at): Bound<'a>, (other, there): Bound<'a>| {
            one.apart.iter().any(|term| {
                let domain = self.domain(at, &term.key);
                domain.is_some()
                    && domain == self.domain(there, &term.key)
                    && means(self.document(), one, term, other)
            })
        };
        (0..to_come.len()).all(|i| {
            let mut others = present.iter().chain(&to_come[..i]);
            others.all(|other| !refuses(to_come[i], *other) && !refuses(*other, to_come[i]))
        })
    }

    /// Whether the pods of `to_come` that aren't in `done` can be bound one after another.
    fn some_order_exists(
        &self,
        present: &mut Vec<Bound<'a>>,
        to_come: &[Bound<'a>],
        stuck: &mut BTreeSet<Pods>,
        done: Pods,
    ) -> bool {
        if done.count_ones() as usize == to_come.len() {
            return true;
        }
        if stuck.contains(&done) {
            return false;
        }
        for (i, next) in to_come.iter().enumerate().filter(|(i, _)| done & (1 << i) == 0) {
            if self.accepts(*next, present) {
                present.push(*next);
                let found = self.some_order_exists(present, to_come, stuck, done | (1 << i));
                present.pop();
                if found {
                    return true;
                }
            }
        }
        stuck.insert(done);
        false
    }

    /// Whether kube-scheduler's filters let a pod go to its node, beside those that are bound.
    fn accepts(&self, pod: Bound<'a>, present: &[Bound<'a>]) -> bool {
        self.has_company(pod, present)
            && (0..pod.0.spreads.len()).all(|spread| self.stays_even(pod, spread, present))
    }

    /// Whether each term of a pod's affinity has one in its domain of the pods that all terms mean; or
    /// no domain has any, and the pod is such a one itself.
    fn has_company(&self, (pod, site): Bound<'a>, present: &[Bound<'a>]) -> bool {
        let all = |other: &Pod| pod.near.iter().all(|t| means(self.document(), pod, t, other));
        let labelled = |term: &PodTerm| self.domain(site, &term.key).is_some();
        let there = |term: &PodTerm| {
            let here = self.domain(site, &term.key);
            present.iter().any(|(other, at)| self.domain(*at, &term.key) == here && all(other))
        };
        let anywhere = |term: &PodTerm| {
            present.iter().any(|(other, at)| self.domain(*at, &term.key).is_some() && all(other))
        };
        pod.near.iter().all(labelled)
            && (pod.near.iter().all(there) || (all(pod) && !pod.near.iter().any(anywhere)))
    }

    /// Whether the count of a pod's domain, the pod included, exceeds the lowest by `maxSkew` at most.
    fn stays_even(&self, (pod, site): Bound<'a>, number: usize, present: &[Bound<'a>]) -> bool {
        let spread = &pod.spreads[number];
        let Some(own) = self.domain(site, &spread.key) else { return false };
        let takes_part = |at: usize| self.sites[at].counts_for(pod, spread);
        let count = |domain: &Domain<'_>| {
            let counted = present.iter().filter(|(other, at)| {
                takes_part(*at)
                    && self.domain(*at, &spread.key).as_ref() == Some(domain)
                    && counts(pod, spread, other)
            });
            i64::try_from(counted.count()).unwrap()
        };
        let least = if spread.key == HOSTNAME { 0 } else { self.least(pod, number, count) };
        count(&own) + i64::from(counts(pod, spread, pod)) - least <= spread.max_skew
    }

    /// The lowest count of a domain that stands or could be launched; of fewer than `minDomains`, 0.
    fn least(&self, pod: &Pod, number: usize, count: impl Fn(&Domain<'_>) -> i64) -> i64 {
        let spread = &pod.spreads[number];
        let standing = self.sites.iter().filter(|site| site.counts_for(pod, spread));
        let mut domains: BTreeSet<Domain<'_>> =
            standing.filter_map(|site| site.domain(&spread.key)).collect();
        let could = &self.oracle.launchable[&pod.id][number];
        domains.extend(could.iter().map(|value| Domain::Label(value)));
        match domains.len() < spread.min_domains {
            true => 0,
            false => domains.iter().map(count).min().unwrap_or(0),
        }
    }
}
