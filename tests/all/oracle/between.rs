//! Rules between pods over domains: spreads, affinity, anti-affinity over any label.
//!
//! kube-scheduler binds one pod after another and looks at those bound before. A plan is right if
//! all its pods can be bound in at least one order, so every order is tried. All nodes stand from
//! the start: the running ones that aren't being deleted, and the plan's launches.
//!
//! A spread is over the domains of the nodes that stand, as kube-scheduler sees them
//! ([`Counting::Standing`]): that decides what is legal, and how many pods can be placed at most.
//! The solver aims at more ([`Counting::Launchable`]): it also counts the domains that a launch of
//! a pod concerned (the owner, or one that is counted) could add, as Karpenter does; of hosts there
//! is always such a one, an empty one. A domain in which no node can ever stand counts neither way.
//! Where not so many pods can be placed like that, domains are given up for the sake of pods, not of
//! money: those count that a launch could add within what the plan leaves of limits and reservations
//! ([`Counting::Remaining`]).
//!
//! What two pods, or a pod and a node, are to each other is asked once and kept in tables, since
//! very many plans are looked at.

use super::Pods;
use super::document::{Document, HOSTNAME, Labels, Pod, PodTerm, Spread};
use super::rules::{counts, means, selects, standing_taints, tolerates};
use super::ways::Way;
use serde_json::Value;
use std::collections::BTreeSet;

/// Which domains a spread counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Counting {
    /// Those of the nodes in the finished plan.
    Standing,
    /// Those that a launch of the pods concerned could add, too.
    Launchable,
    /// Those that one could still add beside the finished plan.
    Remaining,
}

/// A plan or a part of one: for each running node the pods that it gets, and for each launch its
/// pods and the way.
#[derive(Clone, Debug)]
pub(crate) struct Partial {
    pub(crate) nodes: Vec<Vec<usize>>,
    pub(crate) launches: Vec<(Vec<usize>, usize)>,
}

/// The value of a label, by number; launches have hostnames of their own.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Domain {
    Value(usize),
    Launch(usize),
}

/// What a node or a way to launch one is for rules between pods.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Look {
    /// By number of the key, its value there.
    domains: Vec<Option<Domain>>,
    /// By pod, for each of its spreads, whether the node takes part in it.
    counted: Vec<Vec<bool>>,
}

/// A term or a spread: the number of its key, and by pod whether it's meant.
#[derive(Debug)]
struct Rule {
    key: usize,
    means: Vec<bool>,
}

#[derive(Debug)]
struct SpreadRule {
    rule: Rule,
    /// Whether its key is the hostname.
    over_hosts: bool,
    max_skew: usize,
    min_domains: usize,
    /// The ways by which the pods concerned could be launched where the spread counts, each with
    /// its domain.
    launchable: Vec<(usize, Option<Domain>)>,
}

impl SpreadRule {
    /// The domains that a launch could add by the ways that are open; all are where nothing is
    /// said.
    fn launchable<'a>(
        &'a self,
        open: Option<&'a [bool]>,
    ) -> impl Iterator<Item = Option<Domain>> + 'a {
        let is_open = move |way: usize| open.is_none_or(|open| open[way]);
        self.launchable.iter().filter(move |(way, _)| is_open(*way)).map(|(_, domain)| *domain)
    }
}

/// The rules of one pod about others. Pods are numbered, pending ones first.
#[derive(Debug)]
struct Rules {
    /// The terms of its affinity: a pod is meant by each if it's meant by all.
    near: Vec<Rule>,
    apart: Vec<Rule>,
    spreads: Vec<SpreadRule>,
}

/// A pod, by number, on one of the sites.
type Bound = (usize, usize);

/// The rules between the pods of a problem.
#[derive(Debug)]
pub(crate) struct Between {
    /// Whether there are any that could tell plans apart that are alike node by node.
    pub(crate) any: bool,
    /// Whether anti-affinity keeps pods out of domains that several nodes share.
    pub(crate) keeps_apart: bool,
    /// Whether there are spreads over other domains than hosts.
    pub(crate) spreads: bool,
    rules: Vec<Rules>,
    /// For each pod the first that differs from it in its name alone.
    class: Vec<usize>,
    /// By pending pod and way, whether it could be launched so; limits and reservations leave at
    /// least one such node.
    could: Vec<Vec<bool>>,
    /// The nodes that stand, in the order of the document; nothing for those being deleted.
    nodes: Vec<Option<Look>>,
    /// The pods bound to each of them.
    residents: Vec<Vec<usize>>,
    /// By number of the way.
    pub(crate) looks: Vec<Look>,
    /// By pending pod, whether it may have to be where only a pool of lower weight launches.
    pub(crate) tied: Vec<bool>,
}

/// Values of the topology keys, numbered.
struct Keys<'a> {
    keys: Vec<&'a str>,
    values: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> Keys<'a> {
    fn of(document: &'a Document, ways: &'a [Way]) -> Self {
        let keys: Vec<&str> = document
            .topology_keys()
            .into_iter()
            .map(String::as_str)
            .chain(std::iter::once(HOSTNAME))
            .collect();
        let labels = document.nodes.iter().map(|node| &node.labels);
        let labels = labels.chain(ways.iter().map(|way| &way.labels));
        let values = labels.flatten().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        Self { keys, values }
    }

    fn number(&self, key: &str) -> usize {
        self.keys.iter().position(|k| *k == key).unwrap_or(usize::MAX)
    }

    fn domain(&self, labels: &Labels, key: &str) -> Option<Domain> {
        let value = labels.get(key)?;
        let number = self.values.iter().position(|known| *known == (key, value.as_str()))?;
        Some(Domain::Value(number))
    }
}

/// Whether a node takes part in a spread of a pod: it has the keys of all its spreads, and passes
/// the policies. Nobody knows the name of a launch.
fn takes_part(
    (labels, name, taints): (&Labels, Option<&str>, &[&Value]),
    pod: &Pod,
    spread: &Spread,
) -> bool {
    pod.spreads.iter().all(|one| one.key == HOSTNAME || labels.contains_key(&one.key))
        && (!spread.honour_affinity || selects(pod, labels, name))
        && (!spread.honour_taints || tolerates(pod, taints.iter().copied()))
}

impl Between {
    pub(crate) fn of(document: &Document, ways: &[Way]) -> Self {
        let keys = Keys::of(document, ways);
        let pods: Vec<&Pod> = document.pending.iter().chain(&document.bound).collect();
        let look = |labels: &Labels, name: Option<&str>, taints: &[&Value]| Look {
            domains: keys.keys.iter().map(|key| keys.domain(labels, key)).collect(),
            counted: document
                .pending
                .iter()
                .map(|pod| {
                    let counts = |spread| takes_part((labels, name, taints), pod, spread);
                    pod.spreads.iter().map(counts).collect()
                })
                .collect(),
        };
        let taints = |way: &Way| document.pools[way.pool].taints.iter().collect::<Vec<_>>();
        let looks: Vec<Look> =
            ways.iter().map(|way| look(&way.labels, None, &taints(way))).collect();
        let nodes = document.nodes.iter().map(|node| {
            let taints = standing_taints(document, node);
            (!node.deleting).then(|| look(&node.labels, Some(&node.name), &taints))
        });
        let residents = document.nodes.iter().map(|node| {
            let here = (document.pending.len()..pods.len())
                .filter(|pod| pods[*pod].node.as_ref() == Some(&node.name));
            here.collect()
        });
        let rule = |key: &str, meant: &dyn Fn(&Pod) -> bool| Rule {
            key: keys.number(key),
            means: pods.iter().map(|pod| meant(pod)).collect(),
        };
        let stands: Vec<bool> = ways.iter().map(|way| way.can_be_launched(document)).collect();
        let could: Vec<Vec<bool>> = document
            .pending
            .iter()
            .map(|pod| {
                let could = |(way, stands): (&Way, &bool)| *stands && way.holds(document, &[pod]);
                ways.iter().zip(&stands).map(could).collect()
            })
            .collect();
        let spread = |(at, pod): (usize, &Pod), (number, one): (usize, &Spread)| {
            let rule = rule(&one.key, &|other| counts(pod, one, other));
            let concerned =
                |way: usize| (0..could.len()).any(|p| (p == at || rule.means[p]) && could[p][way]);
            let could: Vec<usize> = (0..ways.len())
                .filter(|way| looks[*way].counted[at][number] && concerned(*way))
                .collect();
            let domain = |way: &usize| (*way, keys.domain(&ways[*way].labels, &one.key));
            SpreadRule {
                over_hosts: one.key == HOSTNAME,
                max_skew: one.max_skew,
                min_domains: one.min_domains,
                launchable: could.iter().map(domain).collect(),
                rule,
            }
        };
        let rules = pods.iter().enumerate().map(|(at, pod)| {
            let all = |other: &Pod| pod.near.iter().all(|term| means(document, pod, term, other));
            let term = |term: &PodTerm| rule(&term.key, &|other| means(document, pod, term, other));
            // A bound pod was accepted long ago.
            let spreads = if at < document.pending.len() { &pod.spreads[..] } else { &[] };
            Rules {
                near: pod.near.iter().map(|term| rule(&term.key, &all)).collect(),
                apart: pod.apart.iter().map(term).collect(),
                spreads: spreads.iter().enumerate().map(|one| spread((at, pod), one)).collect(),
            }
        });
        let ruled = |pod: &Pod| !(pod.near.is_empty() && pod.spreads.is_empty());
        let over_domains = |term: &PodTerm| term.key != HOSTNAME;
        let unnamed = |pod: &Pod| Pod { id: String::new(), ..pod.clone() };
        let same = |pod: &&Pod| pods.iter().position(|one| unnamed(one) == unnamed(pod)).unwrap();
        let mut spreads = document.pending.iter().flat_map(|pod| &pod.spreads);
        Self {
            any: keys.keys.len() > 1 || document.pending.iter().any(ruled),
            keeps_apart: pods.iter().any(|pod| pod.apart.iter().any(over_domains)),
            spreads: spreads.any(|one| one.key != HOSTNAME),
            rules: rules.collect(),
            class: pods.iter().map(same).collect(),
            nodes: nodes.collect(),
            residents: residents.collect(),
            tied: document.pending.iter().map(|pod| is_tied(document, pod)).collect(),
            looks,
            could,
        }
    }

    fn scene(&self, counting: Counting) -> Scene<'_> {
        Scene { rules: &self.rules, class: &self.class, counting, open: None, sites: Vec::new() }
    }

    /// Whether pods could share a running node, or a launch of a way, as far as that depends on it
    /// and on bound pods alone: it has the labels that their rules are over, nobody is kept away,
    /// and there are pods at all like those that each of them needs.
    pub(crate) fn could_share(&self, pods: &[usize], on: Result<usize, usize>) -> bool {
        let mut scene = self.scene(Counting::Standing);
        let mut present = Vec::new();
        for (at, look) in self.nodes.iter().enumerate() {
            let Some(look) = look else { continue };
            present.extend(self.residents[at].iter().map(|pod| (*pod, scene.sites.len())));
            scene.sites.push((look, Ok(at)));
        }
        let site = match on {
            Ok(node) => scene.sites.iter().position(|(_, number)| *number == Ok(node)).unwrap(),
            Err(way) => {
                scene.sites.push((&self.looks[way], Err(0)));
                scene.sites.len() - 1
            }
        };
        let pending = 0..self.tied.len();
        let exist = || pending.clone().chain(present.iter().map(|(pod, _)| *pod));
        let labelled = |rule: &Rule| scene.domain(site, rule.key).is_some();
        let has_place = |pod: &usize| {
            let rules = &self.rules[*pod];
            rules.near.iter().all(|term| labelled(term) && exist().any(|other| term.means[other]))
                && rules.spreads.iter().all(|spread| labelled(&spread.rule))
        };
        let to_come: Vec<Bound> = pods.iter().map(|pod| (*pod, site)).collect();
        pods.iter().all(has_place) && scene.nobody_is_kept_away(&present, &to_come)
    }

    /// The nodes of a plan, the pods bound to them, and those that the plan adds.
    fn set_out<'s>(
        &'s self,
        plan: &Partial,
        counting: Counting,
    ) -> (Scene<'s>, Vec<Bound>, Vec<Bound>) {
        let mut scene = self.scene(counting);
        let (mut present, mut to_come): (Vec<Bound>, Vec<Bound>) = (Vec::new(), Vec::new());
        for (at, look) in self.nodes.iter().enumerate() {
            let Some(look) = look else { continue };
            let site = scene.sites.len();
            scene.sites.push((look, Ok(at)));
            present.extend(self.residents[at].iter().map(|pod| (*pod, site)));
            to_come.extend(plan.nodes.get(at).into_iter().flatten().map(|pod| (*pod, site)));
        }
        for (at, (pods, way)) in plan.launches.iter().enumerate() {
            let site = scene.sites.len();
            scene.sites.push((&self.looks[*way], Err(at)));
            to_come.extend(pods.iter().map(|pod| (*pod, site)));
        }
        (scene, present, to_come)
    }

    /// Whether all pods of a plan can be bound; `open`: the ways by which more can be launched
    /// beside it, where that matters.
    pub(crate) fn can_be_bound(
        &self,
        plan: &Partial,
        counting: Counting,
        open: Option<&[bool]>,
    ) -> bool {
        let (mut scene, mut present, to_come) = self.set_out(plan, counting);
        scene.open = open;
        scene.nobody_is_kept_away(&present, &to_come)
            && scene.some_order_exists(&mut present, &to_come, &mut BTreeSet::new(), 0)
    }

    /// Whether no pod of a part of a plan is where anti-affinity keeps it away.
    pub(crate) fn is_apart(&self, part: &Partial) -> bool {
        let (scene, present, to_come) = self.set_out(part, Counting::Standing);
        scene.nobody_is_kept_away(&present, &to_come)
    }

    /// Whether spreads could be kept once the rest, so many pods like each of these, is launched:
    /// no domain has more of a spread's own pods than the lowest may have in the end, and
    /// `maxSkew`.
    pub(crate) fn could_be_even(
        &self,
        part: &Partial,
        rest: &[(usize, usize)],
        counting: Counting,
    ) -> bool {
        let (scene, present, to_come) = self.set_out(part, counting);
        let is_first = |at: usize| {
            let class = |(pod, _): &Bound| self.class[*pod];
            to_come[..at].iter().all(|other| class(other) != class(&to_come[at]))
        };
        let owners = (0..to_come.len()).filter(|at| is_first(*at)).map(|at| to_come[at].0);
        owners.into_iter().all(|pod| {
            let spreads = self.rules[pod].spreads.iter().enumerate();
            spreads.filter(|(_, spread)| !spread.over_hosts).all(|(number, spread)| {
                let key = spread.rule.key;
                let counted = |site: usize| scene.sites[site].0.counted[pod][number];
                let domain = |site: usize| scene.domain(site, key).filter(|_| counted(site));
                let more = |to: Domain| -> usize {
                    let reaches = |other: usize| {
                        self.looks.iter().enumerate().any(|(way, look)| {
                            self.could[other][way]
                                && look.counted[pod][number]
                                && look.domains[key] == Some(to)
                        })
                    };
                    let concerned = rest
                        .iter()
                        .filter(|(other, _)| spread.rule.means[*other] && reaches(*other));
                    concerned.map(|(_, count)| count).sum()
                };
                let count = |to: Domain, meant: &dyn Fn(usize) -> bool| {
                    let all = present.iter().chain(&to_come);
                    all.filter(|(p, site)| meant(*p) && domain(*site) == Some(to)).count()
                };
                let mut domains: BTreeSet<Domain> =
                    (0..scene.sites.len()).filter_map(domain).collect();
                let standing = domains.clone();
                if counting == Counting::Launchable {
                    domains.extend(spread.launchable(None).flatten());
                }
                let most = |to: &Domain| count(*to, &|p| spread.rule.means[p]) + more(*to);
                let least = domains.iter().map(most).min().unwrap_or(0);
                standing.into_iter().all(|to| {
                    let own = |p: usize| self.class[p] == self.class[pod];
                    let there = count(to, &own);
                    let self_counted = if spread.rule.means[pod] { there } else { 0 };
                    there == 0 || self_counted <= least + spread.max_skew
                })
            })
        })
    }
}

/// Whether rules between pods may have drawn a pod to where only a pool of lower weight launches:
/// spreads and affinity of its own, or affinity and anti-affinity over domains that mean it.
fn is_tied(document: &Document, pod: &Pod) -> bool {
    let leaves = |other: &&Pod| {
        let node = document.nodes.iter().find(|node| Some(&node.name) == other.node.as_ref());
        node.is_some_and(|node| node.deleting)
    };
    let means_it = |owner: &Pod, term: &PodTerm| means(document, owner, term, pod);
    let keeps_away =
        |owner: &Pod| owner.apart.iter().any(|term| term.key != HOSTNAME && means_it(owner, term));
    let needs =
        |owner: &Pod| !owner.near.is_empty() && owner.near.iter().all(|t| means_it(owner, t));
    // What concerns nobody else draws nobody.
    let all = || document.pending.iter().chain(&document.bound);
    let others = || all().filter(|other| other.id != pod.id);
    let concerns = |term: &PodTerm| others().any(|other| means(document, pod, term, other));
    pod.drawn
        || pod.near.iter().any(concerns)
        || pod.apart.iter().any(|term| term.key != HOSTNAME && concerns(term))
        || document
            .pending
            .iter()
            .filter(|owner| owner.id != pod.id)
            .any(|owner| needs(owner) || keeps_away(owner))
        || document.bound.iter().filter(|owner| !leaves(owner)).any(keeps_away)
}

/// Nodes that stand, each with its number among the running ones or among the launches.
struct Scene<'a> {
    rules: &'a [Rules],
    class: &'a [usize],
    counting: Counting,
    /// The ways by which more can be launched; nothing where that doesn't matter.
    open: Option<&'a [bool]>,
    sites: Vec<(&'a Look, Result<usize, usize>)>,
}

impl Scene<'_> {
    /// The domain of a site. The hostname is the last key.
    fn domain(&self, site: usize, key: usize) -> Option<Domain> {
        let (look, number) = self.sites[site];
        match number {
            Err(launch) if key + 1 == look.domains.len() => Some(Domain::Launch(launch)),
            _ => look.domains[key],
        }
    }

    /// Whether no pod shares a domain with one that the anti-affinity of either keeps out of it. It
    /// doesn't matter which of them comes first.
    fn nobody_is_kept_away(&self, present: &[Bound], to_come: &[Bound]) -> bool {
        let refuses = |(one, at): Bound, (other, there): Bound| {
            self.rules[one].apart.iter().any(|term| {
                let domain = self.domain(at, term.key);
                term.means[other] && domain.is_some() && domain == self.domain(there, term.key)
            })
        };
        (0..to_come.len()).all(|i| {
            let mut others = present.iter().chain(&to_come[..i]);
            others.all(|other| !refuses(to_come[i], *other) && !refuses(*other, to_come[i]))
        })
    }

    /// Whether the pods of `to_come` that aren't in `done` can be bound one after another, beside
    /// those present; `stuck` are sets of pods after which no order goes on.
    fn some_order_exists(
        &self,
        present: &mut Vec<Bound>,
        to_come: &[Bound],
        stuck: &mut BTreeSet<Pods>,
        done: Pods,
    ) -> bool {
        if done.count_ones() as usize == to_come.len() {
            return true;
        }
        if stuck.contains(&done) {
            return false;
        }
        // Of like pods on a node, it doesn't matter which comes first.
        let like = |(one, at): Bound, (other, there): Bound| {
            at == there && self.class[one] == self.class[other]
        };
        for (at, next) in to_come.iter().enumerate().filter(|(at, _)| done & (1 << at) == 0) {
            let waits = |i: usize| done & (1 << i) == 0 && like(to_come[i], *next);
            if !(0..at).any(waits) && self.accepts(*next, present) {
                present.push(*next);
                let found = self.some_order_exists(present, to_come, stuck, done | (1 << at));
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
    fn accepts(&self, pod: Bound, present: &[Bound]) -> bool {
        self.has_company(pod, present)
            && (0..self.rules[pod.0].spreads.len()).all(|spread| self.is_even(pod, spread, present))
    }

    /// Whether each term of a pod's affinity has one in its domain of the pods that all terms mean;
    /// or no domain has any, and the pod is such a one itself.
    fn has_company(&self, (pod, site): Bound, present: &[Bound]) -> bool {
        let near = &self.rules[pod].near;
        let there = |term: &Rule| {
            let here = self.domain(site, term.key);
            present.iter().any(|(p, at)| term.means[*p] && self.domain(*at, term.key) == here)
        };
        let anywhere = |term: &Rule| {
            present.iter().any(|(p, at)| term.means[*p] && self.domain(*at, term.key).is_some())
        };
        near.iter().all(|term| self.domain(site, term.key).is_some())
            && (near.iter().all(there)
                || near.iter().all(|term| term.means[pod] && !anywhere(term)))
    }

    /// Whether the count of a pod's domain, the pod included, exceeds the lowest by `maxSkew` at
    /// most.
    fn is_even(&self, (pod, site): Bound, number: usize, present: &[Bound]) -> bool {
        let spread = &self.rules[pod].spreads[number];
        let key = spread.rule.key;
        let Some(own) = self.domain(site, key) else { return false };
        let counted = |at: usize| self.sites[at].0.counted[pod][number];
        let count = |domain: Domain| {
            let here = present.iter().filter(|(other, at)| {
                spread.rule.means[*other] && counted(*at) && self.domain(*at, key) == Some(domain)
            });
            here.count()
        };
        let least = || {
            let standing = (0..self.sites.len()).filter(|site| counted(*site));
            let mut domains: BTreeSet<Domain> =
                standing.filter_map(|site| self.domain(site, key)).collect();
            let enough = domains.len() >= spread.min_domains;
            if self.counting != Counting::Standing {
                domains.extend(spread.launchable(self.open).flatten());
            }
            domains.into_iter().map(count).min().filter(|_| enough).unwrap_or(0)
        };
        // An empty host could be added.
        let new_host = spread.over_hosts && spread.launchable(self.open).next().is_some();
        let new_host = new_host && self.counting != Counting::Standing;
        let least = if new_host { 0 } else { least() };
        count(own) + usize::from(spread.rule.means[pod]) <= least + spread.max_skew
    }
}
