//! Sets of like pods, the nodes that hold them, and what the rest of a plan needs at least.

use super::document::Pod;
use super::rules::{kept_apart, ports_clash};
use super::ways::Way;
use super::{Oracle, Place, Purchase, running, ways};
use std::collections::{BTreeMap, BTreeSet};

/// How many pods of each class: digits of a number whose places have different bases.
pub(crate) type Set = usize;

/// More sets than these are too many to list.
pub(crate) const MOST_SETS: usize = 6_000;

/// Launches that no limit, reservation, weight or rule between pods tells apart.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) pool: usize,
    pub(crate) weight: i64,
    /// One of the ways to launch them, for what rules between pods look at.
    pub(crate) way: usize,
    /// Launches of the same look are one to rules between pods.
    pub(crate) look: usize,
    /// What a launch takes of each limit and reservation.
    pub(crate) uses: Vec<i64>,
    /// The sets that such a node holds, with the lowest price of one.
    pub(crate) holds: Vec<(Set, i128)>,
    /// For each class, whether a pod of it alone may launch such a node, whatever weight it must
    /// keep.
    pub(crate) takes_alone: Vec<bool>,
}

/// The classes of a problem's pods, and what holds which.
#[derive(Debug)]
pub(crate) struct Kinds<'a> {
    pub(crate) oracle: &'a Oracle,
    /// Whether pods that rules tie to others may be launched for by any pool.
    pub(crate) tied_are_free: bool,
    /// The pods of each class, by number.
    pub(crate) classes: Vec<Vec<usize>>,
    /// How many pods each class has.
    pub(crate) counts: Vec<u8>,
    /// For each running node the sets that it takes.
    pub(crate) nodes: Vec<Vec<Set>>,
    pub(crate) list: Vec<Kind>,
    /// For each way to launch for pods, what a launch takes of each limit and reservation.
    pub(crate) way_uses: Vec<Option<Vec<i64>>>,
    /// For each node that a static pool lacks, the pool.
    pub(crate) fixed: Vec<usize>,
    /// What is left of each limit and reservation.
    pub(crate) room: Vec<i64>,
    /// For each class, launches with a pod of it and of no class before: kind, set and price.
    pub(crate) options: Vec<Vec<(usize, Set, i128)>>,
    digits: Vec<Vec<u8>>,
    steps: Vec<usize>,
    /// By stage and set, the least cost; nothing where it has no place.
    least: Vec<Vec<Option<i128>>>,
    /// By limit or reservation, stage and set, the least that must be taken.
    needs: Vec<Vec<Vec<Option<i128>>>>,
}

/// Limits of pools by name, then reservations.
struct Budgets {
    limits: Vec<(usize, String)>,
    reservations: Vec<String>,
    room: Vec<i64>,
}

impl Budgets {
    fn of(oracle: &Oracle) -> Self {
        let (mut limits, mut room) = (Vec::new(), Vec::new());
        for pool in 0..oracle.document.pools.len() {
            for (name, left) in running::room(&oracle.document, pool) {
                limits.push((pool, name));
                room.push(left);
            }
        }
        let left = ways::reservations(&oracle.document);
        room.extend(left.values());
        Self { limits, reservations: left.into_keys().collect(), room }
    }

    fn uses(&self, oracle: &Oracle, purchase: Purchase) -> Vec<i64> {
        let limit = |(pool, name): &(usize, String)| {
            if *pool == purchase.pool { oracle.takes_of_limit(purchase, name) } else { 0 }
        };
        let reserved = oracle.reservation(purchase);
        let reservation = |id: &String| i64::from(reserved == Some(id));
        let limits = self.limits.iter().map(limit);
        limits.chain(self.reservations.iter().map(reservation)).collect()
    }
}

/// A way to launch, with what it has room for.
struct Shelf {
    /// For each class, whether such a node may have it at all.
    admits: Vec<bool>,
    room: Vec<i64>,
    /// Whether it holds each set.
    holds: Vec<bool>,
}

impl<'a> Kinds<'a> {
    /// `places` says what each pod must keep; pods that have no place there are left out.
    pub(crate) fn of(oracle: &'a Oracle, places: Option<&[Place]>) -> Self {
        let pending = &oracle.document.pending;
        let same = |a: &Pod, b: &Pod| Pod { id: a.id.clone(), ..b.clone() } == *a;
        let mut classes: Vec<Vec<usize>> = Vec::new();
        for pod in 0..pending.len() {
            let place = |pod: usize| places.map(|places| places[pod]);
            if place(pod) == Some(Place::None) {
                continue;
            }
            let alike = |class: &&mut Vec<usize>| {
                same(&pending[class[0]], &pending[pod]) && place(class[0]) == place(pod)
            };
            match classes.iter_mut().find(alike) {
                Some(class) => class.push(pod),
                None => classes.push(vec![pod]),
            }
        }
        let counts: Vec<u8> =
            classes.iter().map(|class| u8::try_from(class.len()).unwrap()).collect();
        let mut steps = Vec::new();
        let mut sets = 1;
        for count in &counts {
            steps.push(sets);
            sets *= usize::from(*count) + 1;
        }
        assert!(sets <= MOST_SETS, "too many sets for the oracle");
        let digit = |set: Set, class: usize| {
            u8::try_from(set / steps[class] % (usize::from(counts[class]) + 1)).unwrap()
        };
        let digits = (0..sets)
            .map(|set| (0..counts.len()).map(|class| digit(set, class)).collect())
            .collect();
        let mut kinds = Self {
            oracle,
            tied_are_free: true,
            nodes: Vec::new(),
            list: Vec::new(),
            way_uses: Vec::new(),
            fixed: fixed(oracle),
            room: Vec::new(),
            options: vec![Vec::new(); classes.len()],
            classes,
            counts,
            digits,
            steps,
            least: Vec::new(),
            needs: Vec::new(),
        };
        kinds.nodes = (0..oracle.document.nodes.len()).map(|node| kinds.on_node(node)).collect();
        kinds.list_launches(places);
        // Which of several static pools has a reservation is open; a plan that launches the most
        // leaves it to those that have nothing else.
        let sure: Vec<bool> = kinds.fixed.iter().map(|pool| kinds.is_sure(*pool)).collect();
        let pools = std::mem::take(&mut kinds.fixed);
        let mut pools: Vec<(bool, usize)> = sure.into_iter().zip(pools).collect();
        pools.sort_by_key(|(is_sure, _)| *is_sure);
        kinds.fixed = pools.into_iter().map(|(_, pool)| pool).collect();
        kinds.list_options();
        kinds.bound();
        kinds
    }

    pub(crate) fn sets(&self) -> usize {
        self.digits.len()
    }

    pub(crate) fn digits(&self, set: Set) -> &[u8] {
        &self.digits[set]
    }

    /// The pods of a set that are of some classes.
    pub(crate) fn part(&self, set: Set, of: impl Fn(usize) -> bool) -> Set {
        let digits = self.digits(set).iter().zip(&self.steps).enumerate();
        let kept = digits.filter(|(class, _)| of(*class));
        kept.map(|(_, (count, step))| usize::from(*count) * step).sum()
    }

    pub(crate) fn pod(&self, class: usize) -> &Pod {
        &self.oracle.document.pending[self.classes[class][0]]
    }

    pub(crate) fn contains(&self, set: Set, part: Set) -> bool {
        part <= set
            && self.digits[set].iter().zip(&self.digits[part]).all(|(all, some)| some <= all)
    }

    /// What the pods of a set cost at least from a stage on.
    pub(crate) fn at_least(&self, stage: usize, set: Set) -> Option<i128> {
        self.least[stage][set]
    }

    /// What the pods of a set take at least of a limit or a reservation from a stage on.
    pub(crate) fn needs(&self, budget: usize, stage: usize, set: Set) -> i64 {
        self.needs[budget][stage][set].map_or(i64::MAX, |needed| i64::try_from(needed).unwrap())
    }

    /// Whether nothing that is asked at a glance keeps a set from having places.
    pub(crate) fn may_be_placed(&self, set: Set) -> bool {
        let within = |(budget, left): (usize, &i64)| {
            let needed = self.needs(budget, 0, set);
            needed == 0 || needed <= *left
        };
        self.least[0][set].is_some() && self.room.iter().enumerate().all(within)
    }

    /// Whether a set, without one pod of some class, is one of these; of all its classes.
    fn grows(&self, set: Set, known: &[bool]) -> bool {
        let classes = self.digits[set].iter().enumerate().filter(|(_, count)| **count > 0);
        classes.into_iter().all(|(class, _)| known[set - self.steps[class]])
    }

    fn bits(&self, set: Set) -> u32 {
        let classes = self.digits[set].iter().zip(&self.classes);
        classes.flat_map(|(count, class)| &class[..usize::from(*count)]).map(|pod| 1 << pod).sum()
    }

    fn on_node(&self, node: usize) -> Vec<Set> {
        let mut known = vec![false; self.sets()];
        known[0] = true;
        for set in 1..self.sets() {
            known[set] = self.grows(set, &known) && self.oracle.node_takes(node, self.bits(set));
        }
        (0..self.sets()).filter(|set| known[*set]).collect()
    }

    fn list_launches(&mut self, places: Option<&[Place]>) {
        let oracle = self.oracle;
        let budgets = Budgets::of(oracle);
        let shelves = self.shelves();
        let purchase = |way: &Way| Purchase { pool: way.pool, ty: way.ty, offering: way.offering };
        let mut found: BTreeMap<(usize, Vec<i64>, usize), Vec<usize>> = BTreeMap::new();
        let mut looks: Vec<usize> = Vec::new();
        let may_launch = |way: &Way| {
            oracle.document.pools[way.pool].replicas.is_some() || !oracle.is_overrun(way.pool)
        };
        let of_way = |way: &Way| {
            let is_static = oracle.document.pools[way.pool].replicas.is_some();
            (!is_static && may_launch(way)).then(|| budgets.uses(oracle, purchase(way)))
        };
        self.way_uses = oracle.ways.iter().map(of_way).collect();
        for (at, way) in oracle.ways.iter().enumerate().filter(|(_, way)| may_launch(way)) {
            let own = &oracle.between.looks[at];
            let look = looks.iter().position(|other| oracle.between.looks[*other] == *own);
            let look = look.unwrap_or_else(|| {
                looks.push(at);
                looks.len() - 1
            });
            let uses = budgets.uses(oracle, purchase(way));
            found.entry((way.pool, uses, look)).or_default().push(at);
        }
        for ((pool, uses, look), members) in found {
            let weight = oracle.document.pools[pool].weight;
            let may_have: Vec<bool> = self
                .classes
                .iter()
                .map(|class| match places.map(|places| places[class[0]]) {
                    Some(Place::Launched(kept)) => kept == weight,
                    _ => true,
                })
                .collect();
            let mut holds = Vec::new();
            let mut takes_alone = vec![false; self.classes.len()];
            for set in 0..self.sets() {
                let holding = members.iter().filter(|way| shelves[**way].holds[set]);
                let enough = holding.filter(|way| self.offers_enough(**way, set, &shelves));
                let Some(price) =
                    enough.map(|way| oracle.price(purchase(&oracle.ways[*way]))).min()
                else {
                    continue;
                };
                for (class, step) in self.steps.iter().enumerate() {
                    takes_alone[class] |= set == *step;
                }
                let mut classes = self.digits[set].iter().zip(&may_have);
                if classes.all(|(count, may)| *count == 0 || *may) {
                    holds.push((set, price));
                }
            }
            if !holds.is_empty() {
                let way = members[0];
                self.list.push(Kind { pool, weight, way, look, uses, holds, takes_alone });
            }
        }
        self.room = budgets.room;
    }

    /// Whether a way keeps as many values open as its pool's `minValues` ask.
    fn offers_enough(&self, way: usize, set: Set, shelves: &[Shelf]) -> bool {
        let oracle = self.oracle;
        let own = &oracle.ways[way];
        let asks = oracle.document.pools[own.pool].requirements.iter().any(|r| r.min_values > 0);
        if !oracle.strict || !asks {
            return true;
        }
        let holding: Vec<&Way> = oracle
            .ways
            .iter()
            .enumerate()
            .filter(|(at, _)| shelves[*at].holds[set])
            .map(|(_, way)| way)
            .collect();
        oracle.offers_enough(
            Purchase { pool: own.pool, ty: own.ty, offering: own.offering },
            &holding,
        )
    }

    /// What each way to launch holds.
    fn shelves(&self) -> Vec<Shelf> {
        let oracle = self.oracle;
        let document = &oracle.document;
        let pods: Vec<&Pod> = (0..self.classes.len()).map(|class| self.pod(class)).collect();
        let clash = |a: &Pod, b: &Pod| ports_clash(a, b) || kept_apart(document, a, b);
        let clashes: Vec<Vec<bool>> =
            pods.iter().map(|a| pods.iter().map(|b| clash(a, b)).collect()).collect();
        let names: BTreeSet<&String> = pods
            .iter()
            .copied()
            .chain(&document.daemons)
            .flat_map(|pod| pod.requests.keys())
            .collect();
        let asks: Vec<Vec<i64>> = pods
            .iter()
            .map(|pod| names.iter().map(|name| *pod.requests.get(*name).unwrap_or(&0)).collect())
            .collect();
        let mut shared: Vec<(usize, Vec<Vec<bool>>)> = Vec::new();
        let mut shelves = Vec::new();
        for (at, way) in oracle.ways.iter().enumerate() {
            let look = &oracle.between.looks[at];
            let known = shared.iter().position(|(other, _)| oracle.between.looks[*other] == *look);
            let known = known.unwrap_or_else(|| {
                shared.push((at, self.sharing(at)));
                shared.len() - 1
            });
            let sharing = &shared[known].1;
            let taken = way.daemon_requests(document);
            let allocatable = &document.types[way.ty].allocatable;
            let room: Vec<i64> = names
                .iter()
                .map(|name| allocatable.get(*name).unwrap_or(&0) - taken.get(*name).unwrap_or(&0))
                .collect();
            let admits = (0..pods.len())
                .map(|class| way.holds(document, &[pods[class]]) && sharing[class][class])
                .collect();
            let mut shelf = Shelf { admits, room, holds: vec![false; self.sets()] };
            shelf.holds[0] = way.holds(document, &[]);
            for set in 1..self.sets() {
                let digits = &self.digits[set];
                let grown = self.grows(set, &shelf.holds);
                shelf.holds[set] = grown && {
                    let present: Vec<usize> =
                        (0..digits.len()).filter(|class| digits[*class] > 0).collect();
                    let fits = (0..names.len()).all(|name| {
                        let asked: i64 =
                            present.iter().map(|c| asks[*c][name] * i64::from(digits[*c])).sum();
                        asked <= shelf.room[name]
                    });
                    let together = present.iter().all(|a| {
                        let fellow = |b: &&usize| a != *b || digits[*a] > 1;
                        present
                            .iter()
                            .filter(fellow)
                            .all(|b| !clashes[*a][*b] && (a == b || sharing[*a][*b]))
                    });
                    fits && together
                        && present.iter().all(|class| shelf.admits[*class])
                        && self.shares_with_fellows(&present, digits, at)
                        && way.attaches(
                            document,
                            &present.iter().map(|c| pods[*c]).collect::<Vec<_>>(),
                        )
                };
            }
            shelves.push(shelf);
        }
        shelves
    }

    /// Whether two pods of the same class may share a node, where there are two.
    fn shares_with_fellows(&self, present: &[usize], digits: &[u8], way: usize) -> bool {
        let several = present.iter().filter(|class| digits[**class] > 1);
        several.into_iter().all(|class| {
            !self.oracle.between.keeps_apart
                || self.oracle.between.could_share(&self.classes[*class][..2], Err(way))
        })
    }

    /// For each two classes whether they can share a launch of a way; on the diagonal, whether one
    /// of them can be on it.
    fn sharing(&self, way: usize) -> Vec<Vec<bool>> {
        let between = &self.oracle.between;
        let share = |a: usize, b: usize| {
            let pods = [self.classes[a][0], self.classes[b][0]];
            between.could_share(if a == b { &pods[..1] } else { &pods }, Err(way))
        };
        let all = 0..self.classes.len();
        all.clone().map(|a| all.clone().map(|b| share(a, b)).collect()).collect()
    }

    fn list_options(&mut self) {
        for (number, kind) in self.list.iter().enumerate() {
            if self.oracle.document.pools[kind.pool].replicas.is_some() {
                continue;
            }
            for (set, price) in &kind.holds {
                if let Some(class) = self.digits[*set].iter().position(|count| *count > 0) {
                    self.options[class].push((number, *set, *price));
                }
            }
        }
    }

    /// Works out the least cost and the least needs from each stage on.
    fn bound(&mut self) {
        let least = self.table(&|_, price| price);
        let needs = (0..self.room.len())
            .map(|budget| self.table(&|kind: &Kind, _| i128::from(kind.uses[budget])));
        self.needs = needs.collect();
        self.least = least;
    }

    /// By stage and set, the least sum of a figure over the launches to come.
    fn table(&self, figure: &dyn Fn(&Kind, i128) -> i128) -> Vec<Vec<Option<i128>>> {
        let sets = self.sets();
        let best = |fixed: Option<usize>| {
            let mut best: Vec<Option<i128>> = vec![None; sets];
            for kind in &self.list {
                let is_fixed = self.oracle.document.pools[kind.pool].replicas.is_some();
                if fixed.map_or(is_fixed, |pool| kind.pool != pool) {
                    continue;
                }
                for (set, price) in &kind.holds {
                    let new = figure(kind, *price);
                    best[*set] = Some(best[*set].map_or(new, |old| old.min(new)));
                }
            }
            best
        };
        let launched = best(None);
        let mut last: Vec<Option<i128>> = vec![None; sets];
        last[0] = Some(0);
        let parts: Vec<(Set, i128)> =
            (1..sets).filter_map(|set| Some((set, launched[set]?))).collect();
        for set in 1..sets {
            let first = self.digits[set].iter().position(|count| *count > 0).unwrap();
            let with = parts
                .iter()
                .take_while(|(part, _)| *part <= set)
                .filter(|(part, _)| self.digits[*part][first] > 0 && self.contains(set, *part));
            last[set] = with.filter_map(|(part, price)| Some(price + last[set - part]?)).min();
        }
        let mut stages = vec![last];
        for pool in self.fixed.iter().rev() {
            let best = best(Some(*pool));
            let parts: Vec<(Set, i128)> =
                (0..sets).filter_map(|set| Some((set, best[set]?))).collect();
            let next = stages.last().unwrap();
            let mut table = self.fill(&parts, next);
            // Where reservations leave the pool none, it has fewer nodes.
            if !self.is_sure(*pool) {
                table.iter_mut().zip(next).for_each(|(own, next)| *own = lower(*own, *next));
            }
            stages.push(table);
        }
        for node in self.nodes.iter().rev() {
            let parts: Vec<(Set, i128)> = node.iter().map(|set| (*set, 0)).collect();
            stages.push(self.fill(&parts, stages.last().unwrap()));
        }
        stages.reverse();
        stages
    }

    /// Whether a static pool can launch nodes without reservations.
    fn is_sure(&self, pool: usize) -> bool {
        let limits = |kind: &&Kind| self.oracle.reserved(kind.way).is_none();
        self.list.iter().filter(|kind| kind.pool == pool).any(|kind| limits(&kind))
    }

    fn fill(&self, parts: &[(Set, i128)], next: &[Option<i128>]) -> Vec<Option<i128>> {
        let of = |set: Set| {
            let with = parts
                .iter()
                .take_while(|(part, _)| *part <= set)
                .filter(|(part, _)| self.contains(set, *part));
            with.filter_map(|(part, price)| Some(price + next[set - part]?)).min()
        };
        (0..self.sets()).map(of).collect()
    }
}

fn lower(one: Option<i128>, other: Option<i128>) -> Option<i128> {
    one.into_iter().chain(other).min()
}

/// For each node that a static pool lacks, the pool.
fn fixed(oracle: &Oracle) -> Vec<usize> {
    let document = &oracle.document;
    let mut fixed = Vec::new();
    for (at, pool) in document.pools.iter().enumerate() {
        let Some(replicas) = pool.replicas else { continue };
        let own = || {
            let nodes = document.nodes.iter();
            nodes.filter(|n| n.labels.get("karpenter.sh/nodepool") == Some(&pool.name))
        };
        let standing = own().filter(|node| !node.deleting).count();
        let most = pool.limits.get("nodes").map_or(usize::MAX, |limit| {
            usize::try_from(*limit).unwrap().saturating_sub(own().count())
        });
        fixed.extend(std::iter::repeat_n(at, replicas.saturating_sub(standing).min(most)));
    }
    fixed
}
