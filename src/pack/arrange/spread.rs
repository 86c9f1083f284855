//! Spreading a kind over its cells, one pod after another until the counts repeat.
//!
//! Each pod goes to a cell where kube-scheduler would accept it: for each spread the count of the cell's
//! domain, this pod included, exceeds the lowest count of any domain by `maxSkew` at most. Of those it
//! takes the one that honours most preferences, then the cheapest, then the emptiest. What is legal
//! depends on the differences between counts alone; so once the differences are what they were some
//! steps ago, those steps are repeated as often as pods are left.
//!
//! Source: kube-scheduler's `PodTopologySpread` filter,
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/>.

use super::Arranger;
use super::cell::holds_any;
use crate::compile::{Bits, Class, Id, KeyId, KindId, Near, NodeId, Over, SelectionId, Term};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// How many pending pods a spread counts by domain, of those that have a cell.
///
/// A cell may have sites on which the spread counts nobody (`nodeAffinityPolicy`, `nodeTaintsPolicy`), and
/// the packer decides later which of its sites a pod gets. So there are two counts, and each is used
/// where it makes the rule stricter.
#[derive(Debug)]
pub(super) struct Tally {
    counted: Arc<Bits>,
    /// Pods that count wherever in their cells they land.
    pub(super) least: Vec<i64>,
    /// Pods that count somewhere in their cells.
    pub(super) most: Vec<i64>,
}

impl Tally {
    /// Adds pods that go to some of these sites, all of one domain.
    pub(super) fn add(&mut self, sites: &Bits, domain: usize, count: u32) {
        if self.counted.overlaps(sites) {
            self.most[domain] += i64::from(count);
        }
        if self.counted.includes(sites) {
            self.least[domain] += i64::from(count);
        }
    }
}

/// Whom a pod needs and who may have to be bound in its domains before it, although nobody is counted
/// there yet: a spread judges the pod with them in place, be it one of those that it counts or not.
#[derive(Clone, Copy, Debug)]
pub(super) enum Company<'a> {
    Nobody,
    /// These, on the same node.
    Shared(&'a [(KindId, u32)]),
    /// One of those, in the same domains.
    Near(&'a Near),
}

/// What company counts for in a spread: as in a [`Tally`], at least and at most.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extra {
    least: i64,
    most: i64,
}

/// A spread of a kind over a key, as its pods are placed.
#[derive(Debug)]
pub(super) struct Level {
    pub(super) key: KeyId,
    pub(super) selection: SelectionId,
    /// Which of the tallies of its selection and key it looks at.
    pub(super) tally: usize,
    pub(super) max_skew: i64,
    pub(super) hard: bool,
    /// 1 where the kind counts itself.
    own: i64,
    /// What bound pods count for, by domain.
    pub(super) bound: Vec<i64>,
    /// The domains that there are or could be.
    open: Vec<bool>,
    /// Fewer domains than the constraint asks for: the lowest count is taken as 0.
    few: bool,
}

impl Level {
    /// Whether a domain of its key is one that no node is expected to stand in.
    pub(super) fn is_closed(&self, key: KeyId, domain: u32) -> bool {
        self.key == key && self.hard && !self.open[domain as usize]
    }

    /// How many more pods a domain may take in a row, after their company.
    pub(super) fn run(&self, tally: &Tally, domain: Option<u32>, company: Extra) -> i64 {
        let Some(domain) = domain.map(|domain| domain as usize) else { return 0 };
        if !self.is_kept(tally, domain, self.lowest(tally), company) {
            return 0;
        }
        if self.own == 0 {
            return i64::MAX;
        }
        // The domain itself may be the lowest: then the lowest rises with it, up to the next.
        self.lowest_but(tally, Some(domain)).unwrap_or(i64::MAX / 4) + self.max_skew
            - self.count(tally, domain)
            - company.most
    }

    /// Whether a domain may take one more pod, after its company.
    fn is_kept(&self, tally: &Tally, domain: usize, lowest: i64, company: Extra) -> bool {
        let lowest = match company.least {
            0 => lowest,
            least => {
                let here = self.bound[domain] + tally.least[domain] + least;
                self.lowest_but(tally, Some(domain)).map_or(here, |others| others.min(here))
            }
        };
        self.count(tally, domain) + company.most + self.own - lowest <= self.max_skew
    }

    /// The lowest count that the domains are sure to have, but for one.
    fn lowest_but(&self, tally: &Tally, domain: Option<usize>) -> Option<i64> {
        if self.few {
            return Some(0);
        }
        let others = (0..self.open.len()).filter(|at| Some(*at) != domain && self.open[*at]);
        others.map(|at| self.bound[at] + tally.least[at]).min()
    }

    /// How many pods may count in a domain.
    pub(super) fn count(&self, tally: &Tally, domain: usize) -> i64 {
        self.bound[domain] + tally.most[domain]
    }

    /// The lowest count that the domains are sure to have.
    pub(super) fn lowest(&self, tally: &Tally) -> i64 {
        self.lowest_but(tally, None).unwrap_or(0)
    }
}

/// What a domain has for a spread of pods with some rules about nodes.
#[derive(Debug)]
pub(super) struct Reach {
    /// The counted offers that they may use.
    offers: Bits,
    /// Whether a counted node runs there.
    stands: bool,
}

/// By rules, key and the sites on which the spread counts, for each domain.
pub(super) type Reaches = BTreeMap<(usize, KeyId, Arc<Bits>), Vec<Reach>>;

/// What one pod of a kind looks at before it chooses a cell.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) levels: Vec<Level>,
    /// Keys over which no two pods of the kind may be in one domain.
    pub(super) alone: Vec<KeyId>,
    pub(super) wish_near: Vec<(u32, SelectionId, KeyId)>,
    pub(super) wish_far: Vec<(u32, SelectionId, KeyId)>,
}

/// The weight of a spread that may be broken, beside preferences of 1 to 100.
const SOFT_SPREAD: u32 = 100;

impl Arranger<'_> {
    /// Whether the pods of a kind have to be placed one by one.
    pub(super) fn steps(&self, kind: KindId) -> bool {
        let rules = self.rules(kind);
        !(rules.levels.is_empty()
            && rules.alone.is_empty()
            && rules.wish_near.is_empty()
            && rules.wish_far.is_empty())
    }

    /// Starts to count for the spreads of a kind.
    pub(super) fn keep_tallies(&mut self, kind: KindId) {
        for spread in &self.topology.rules[kind].spreads {
            let Over::Key(key) = spread.over else { continue };
            let tallies = self.tallies.entry((spread.selection, key)).or_default();
            if tallies.iter().all(|tally| tally.counted != spread.counted) {
                let none = vec![0; self.topology.keys[key].domains.len()];
                tallies.push(Tally {
                    counted: spread.counted.clone(),
                    least: none.clone(),
                    most: none,
                });
            }
        }
    }

    /// What each pod of a kind looks at.
    pub(super) fn rules(&self, kind: KindId) -> Rc<Rules> {
        self.kinds[kind].rules.clone()
    }

    pub(super) fn rules_of(&self, kind: KindId) -> Rules {
        let rules = &self.topology.rules[kind];
        let wishful = self.is_wishful(kind);
        let levels = rules.spreads.iter().filter(|spread| spread.hard || wishful);
        let levels = levels.filter_map(|spread| {
            let Over::Key(key) = spread.over else { return None };
            let tallies = self.tallies.get(&(spread.selection, key))?;
            let tally = tallies.iter().position(|tally| tally.counted == spread.counted)?;
            let bound = self.bound(spread.selection, key, Some(&spread.counted));
            let open = self.open_domains(kind, key, spread.selection, &spread.counted);
            let few = open.iter().filter(|open| **open).count() < spread.min_domains;
            Some(Level {
                key,
                selection: spread.selection,
                tally,
                max_skew: spread.max_skew,
                hard: spread.hard,
                own: i64::from(self.topology.selects(spread.selection, kind)),
                bound,
                open,
                few,
            })
        });
        let levels = levels.collect();
        let alone = rules.far.iter().filter(|term| self.topology.selects(term.selection, kind));
        let alone = alone.filter_map(|term| match term.over {
            Over::Host => None,
            Over::Key(key) => Some(key),
        });
        let wishes = |wishes: &[(u8, Term)]| -> Vec<(u32, SelectionId, KeyId)> {
            let over_keys = wishes.iter().filter_map(|(weight, term)| match term.over {
                Over::Host => None,
                Over::Key(key) => Some((u32::from(*weight), term.selection, key)),
            });
            if wishful { over_keys.collect() } else { Vec::new() }
        };
        Rules {
            levels,
            alone: alone.collect(),
            wish_near: wishes(&rules.wish_near),
            wish_far: wishes(&rules.wish_far),
        }
    }

    /// How many bound pods of a selection run in each domain, on counted sites.
    pub(super) fn bound(
        &self,
        selection: SelectionId,
        key: KeyId,
        counted: Option<&Bits>,
    ) -> Vec<i64> {
        let key = &self.topology.keys[key];
        let mut counts = vec![0; key.domains.len()];
        for (node, count) in &self.topology.selections[selection].bound {
            let site = self.compiled.site_of_node(*node);
            let domain = key.of_site[site] as usize;
            if domain < counts.len() && counted.is_none_or(|counted| counted.contains(site)) {
                counts[domain] += i64::from(*count);
            }
        }
        counts
    }

    /// The domains of a key that exist for a kind's spread, or could by a launch of the kind or of others
    /// that it counts. One that none of them can launch in holds no count down: nodes stand there only
    /// if others need them.
    fn open_domains(
        &self,
        kind: KindId,
        key: KeyId,
        selection: SelectionId,
        counted: &Arc<Bits>,
    ) -> Vec<bool> {
        let rules = self.compiled.kinds[kind].rules;
        let mut reaches = self.reaches.borrow_mut();
        let reach = reaches
            .entry((rules, key, counted.clone()))
            .or_insert_with(|| self.reach(rules, key, counted));
        let mut launches: Vec<_> = self.launches(kind);
        let domains = (0_u32..).zip(&*reach);
        let mut open: Vec<bool> = domains
            .map(|(number, domain)| {
                let is = |of: &BTreeSet<super::Foreign>| of.contains(&(kind, key, number));
                domain.stands
                    || is(&self.restrictions.opened)
                    || !is(&self.restrictions.closed)
                        && self.launches_any(&launches, &domain.offers)
            })
            .collect();
        for fellow in &self.topology.selections[selection].kinds {
            if *fellow == kind || open.iter().all(|open| *open) {
                continue;
            }
            launches = self.launches(*fellow);
            for ((number, domain), open) in (0_u32..).zip(&*reach).zip(&mut open) {
                *open |= !self.restrictions.closed.contains(&(kind, key, number))
                    && self.launches_any(&launches, &domain.offers);
            }
        }
        open
    }

    /// Whether one of these offers can be launched for any of these.
    fn launches_any(&self, launches: &[(Cow<'_, Class>, Cow<'_, Bits>)], offers: &Bits) -> bool {
        !offers.is_empty()
            && launches.iter().any(|(class, among)| {
                let mut offers = offers.clone();
                offers.and(among);
                self.is_launchable(class, &offers)
            })
    }

    /// What each domain of a key has for a spread of pods with these rules.
    fn reach(&self, rules: usize, key: KeyId, counted: &Bits) -> Vec<Reach> {
        let compiled = self.compiled;
        let set = &compiled.grounds.rules.sets()[rules];
        // Where the pod could be launched, if its volumes were elsewhere: a volume's zone restricts the
        // pod, not the domains in which others are counted.
        let mut could = compiled.usable.clone();
        could.and(counted);
        could.and(&compiled.grounds.tolerated[set.tolerations]);
        set.selector.iter().for_each(|atom| could.and(&compiled.grounds.holds[*atom]));
        if let Some(terms) = &set.terms {
            could.and(&compiled.any_term(terms));
        }
        for node in compiled.nodes.ids() {
            could.remove(compiled.site_of_node(node));
        }
        let stands = |domain: &Bits| {
            let mut nodes = compiled.nodes.ids().map(|node| compiled.site_of_node(node));
            nodes.any(|site| counted.contains(site) && domain.contains(site))
        };
        let domains = self.topology.keys[key].domains.iter();
        domains
            .map(|domain| {
                let mut offers = could.clone();
                offers.and(domain);
                Reach { offers, stands: stands(domain) }
            })
            .collect()
    }

    /// What a launch for a pod of a kind holds at least, and on which sites: the pod, and where it needs
    /// another on its node, one of those.
    fn launches(&self, kind: KindId) -> Vec<(Cow<'_, Class>, Cow<'_, Bits>)> {
        let alone = (Cow::Borrowed(self.class(kind)), Cow::Borrowed(self.row(kind)));
        let shares = |near: &&Near| near.over.contains(&Over::Host);
        let Some(near) = self.topology.rules[kind].near.as_ref().filter(shares) else {
            return vec![alone];
        };
        let hosts = self.topology.selections[near.selection].kinds.iter();
        let launches = hosts.filter_map(|host| match *host == kind {
            true => Some(alone.clone()),
            false => {
                let together = self.together(&[(kind, 1), (*host, 1)])?;
                let mut among = self.row(kind).clone();
                among.and(self.row(*host));
                Some((Cow::Owned(together), Cow::Owned(among)))
            }
        });
        launches.collect()
    }

    /// The domains of a kind's spreads in which no node runs, with the offers that count there, and whether
    /// they are taken for domains before anything is launched.
    pub(super) fn counted_domains(&self, kind: KindId) -> Vec<(super::Foreign, Bits, bool)> {
        let mut found = Vec::new();
        let spreads = self.topology.rules[kind].spreads.iter();
        for spread in spreads.filter(|spread| spread.hard) {
            let Over::Key(key) = spread.over else { continue };
            let levels = &self.kinds[kind].rules.levels;
            let Some(level) = levels.iter().find(|level| {
                level.hard && level.key == key && level.selection == spread.selection
            }) else {
                continue;
            };
            let domains = self.topology.keys[key].domains.iter();
            for ((number, domain), open) in (0_u32..).zip(domains).zip(&level.open) {
                let mut sites = (*spread.counted).clone();
                sites.and(domain);
                let mut nodes = self.compiled.nodes.ids();
                if *open && nodes.any(|node| sites.contains(self.compiled.site_of_node(node))) {
                    continue;
                }
                sites.and(&self.compiled.usable);
                if !sites.is_empty() {
                    found.push(((kind, key, number), sites, *open));
                }
            }
        }
        found
    }

    /// The counts of rules that count a kind, with the domain of a cell.
    pub(super) fn counting<'c>(
        &'c self,
        kind: KindId,
        cell: &'c super::Cell,
    ) -> impl Iterator<Item = (&'c [i64], usize)> {
        let selections = self.topology.selected_by[kind].iter();
        selections.flat_map(move |selection| {
            cell.domains.iter().filter_map(move |(key, domain)| {
                let counts = self.counts.get(&(*selection, *key))?;
                Some((&counts[..], *domain as usize))
            })
        })
    }

    /// What pending pods count for in a spread, by domain.
    pub(super) fn tally(&self, level: &Level) -> &Tally {
        &self.tallies[&(level.selection, level.key)][level.tally]
    }

    /// What the company of a kind's pods counts for in a spread of theirs if they go to a cell.
    pub(super) fn extra(
        &self,
        kind: KindId,
        at: usize,
        level: &Level,
        company: Company<'_>,
    ) -> Extra {
        let mut extra = Extra::default();
        let mut add = |of: KindId, count: u32, sites: &Bits| {
            let tally = self.tally(level);
            if self.topology.selects(level.selection, of) && tally.counted.overlaps(sites) {
                extra.most += i64::from(count);
                let sure = tally.counted.includes(sites);
                extra.least += if sure { i64::from(count) } else { 0 };
            }
        };
        match company {
            Company::Nobody => {}
            Company::Shared(parts) => {
                let sites = &self.kinds[kind].cells[at].sites;
                parts.iter().for_each(|(of, count)| add(*of, *count, sites));
            }
            Company::Near(near) => {
                if let Some((of, cell)) = self.called(kind, at, near) {
                    add(of, 1, &self.kinds[of].cells[cell].sites);
                }
            }
        }
        extra
    }

    /// The cell of a pod without rules of its own, on some of these sites, that raises the lowest count of
    /// a spread.
    pub(super) fn lowest_cell(&self, kind: KindId, rules: &Rules, sites: &Bits) -> Option<usize> {
        let mut levels = rules.levels.iter().filter(|level| level.hard && !level.few);
        let level = levels.find(|level| self.topology.selects(level.selection, kind))?;
        let tally = self.tally(level);
        let lowest = level.lowest(tally);
        let cells = self.kinds[kind].cells.iter().enumerate().filter(|(at, cell)| {
            if !self.is_below_ceiling(kind, *at) {
                return false;
            }
            let mut within = sites.clone();
            within.and(&cell.sites);
            let domain = cell.domain(level.key).map(|domain| domain as usize);
            domain.is_some_and(|at| level.open[at] && level.count(tally, at) <= lowest)
                && tally.counted.includes(&within)
                && holds_any(self, self.class(kind), &within)
        });
        cells.min_by_key(|(at, cell)| (cell.cost, *at)).map(|(at, _)| at)
    }

    pub(super) fn pending(&self, selection: SelectionId, key: KeyId) -> &[i64] {
        self.counts.get(&(selection, key)).map_or(&[], |counts| counts)
    }

    /// The best cell that one more pod of a kind may use, of those that overlap these sites.
    pub(super) fn best_cell(
        &self,
        kind: KindId,
        rules: &Rules,
        within: Option<&Bits>,
        company: Company<'_>,
    ) -> Option<usize> {
        let progress = &self.kinds[kind];
        let hint = self.restrictions.hints.get(&kind).copied();
        let levels = rules.levels.iter().map(|level| (level, self.tally(level)));
        let levels: Vec<(&Level, &Tally, i64)> =
            levels.map(|(level, tally)| (level, tally, level.lowest(tally))).collect();
        let mut best: Option<(_, usize)> = None;
        for (at, cell) in progress.cells.iter().enumerate().filter(|(at, _)| progress.allowed[*at])
        {
            if !self.is_below_ceiling(kind, at)
                || within.is_some_and(|sites| !sites.overlaps(&cell.sites))
            {
                continue;
            }
            let mut honoured = u64::from(cell.honoured);
            let mut crowd = 0;
            let mut legal = true;
            for (level, tally, lowest) in &levels {
                let Some(domain) = cell.domain(level.key).map(|domain| domain as usize) else {
                    continue;
                };
                let company = self.extra(kind, at, level, company);
                let kept = level.is_kept(tally, domain, *lowest, company);
                legal &= kept || !level.hard;
                honoured += u64::from(if kept && !level.hard { SOFT_SPREAD } else { 0 });
                crowd += level.count(tally, domain);
            }
            for key in &rules.alone {
                // Nodes without the label are in no domain, and keep nobody away.
                let Some(domain) = cell.domain(*key) else { continue };
                let mut taken = progress.cells.iter().zip(&progress.counted);
                legal &=
                    !taken.any(|(other, count)| *count > 0 && other.domain(*key) == Some(domain));
            }
            if !legal {
                continue;
            }
            for (weight, selection, key) in &rules.wish_near {
                honoured += u64::from(if self.is_near(kind, *selection, *key, cell.domain(*key)) {
                    *weight
                } else {
                    0
                });
            }
            for (weight, selection, key) in &rules.wish_far {
                let met = self.has_any(*selection, *key, cell.domain(*key));
                honoured += u64::from(if met { 0 } else { *weight });
            }
            // Where others count it, it keeps their counts even, so that they have a choice.
            crowd += self.counting(kind, cell).map(|(counts, domain)| counts[domain]).sum::<i64>();
            let score = (Reverse(honoured), hint != Some(at), cell.cost, crowd);
            if best.as_ref().is_none_or(|(least, _)| score < *least) {
                best = Some((score, at));
            }
        }
        best.map(|(_, at)| at)
    }

    /// Whether a pod of the selection is known to be in a domain.
    pub(super) fn has_any(&self, selection: SelectionId, key: KeyId, domain: Option<u32>) -> bool {
        let Some(domain) = domain else { return false };
        let pending = self.pending(selection, key).get(domain as usize).is_some_and(|n| *n > 0);
        pending || self.bound(selection, key, None)[domain as usize] > 0
    }

    /// Whether a wish to be near a selection is met in a domain; the first of its own kind meets it
    /// anywhere.
    fn is_near(
        &self,
        kind: KindId,
        selection: SelectionId,
        key: KeyId,
        domain: Option<u32>,
    ) -> bool {
        self.has_any(selection, key, domain)
            || self.topology.selects(selection, kind)
                && self.topology.selections[selection].bound.is_empty()
                && self.pending(selection, key).iter().all(|count| *count == 0)
    }

    /// The sites of running nodes of a selection's bound pods.
    pub(super) fn nodes_with(&self, selection: SelectionId) -> Bits {
        let compiled = self.compiled;
        let mut bits = compiled.usable.emptied();
        let bound: &Vec<(NodeId, u32)> = &self.topology.selections[selection].bound;
        bound.iter().for_each(|(node, _)| bits.insert(compiled.offers.len() + node.index()));
        bits
    }
}
