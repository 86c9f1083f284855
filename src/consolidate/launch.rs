//! Launches for pods that find no place on what stands.
//!
//! *Problem.* Few pods are left, a node's or a few nodes'; the nodes that hold them are to cost as
//! little as possible, and less than what goes.
//!
//! *Idea.* The cheapest single node that holds all of them is found by walking offers from the
//! cheapest on. Beside that, nodes are launched one by one, each the one whose pods are worth most
//! for its price, a pod being worth what its share of the cheapest node for it costs; the cheaper
//! of both is taken. Pool weights are kept: a node of a pool is launched only for pods that no pool
//! of a higher weight could launch for now.
//!
//! *Cost.* Offers that suit any of the pods and are cheaper than what may be spent × classes that
//! are left, for each node that is launched. Nothing is looked for once what is left to be spent is
//! less than what the rest costs at least.

use super::model::ConsolidationModel;
use super::state::ClusterState;
use super::terms::spot_offers;
use crate::compile::{Bits, Draw, OfferId, PoolId, ReservationId, ShapeId, fits};
use ordered_float::OrderedFloat;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// One way to launch a node.
#[derive(Clone, Copy, Debug)]
struct LaunchOption {
    offer: OfferId,
    price: i128,
    weight: i32,
}

/// The offers of a pool that could hold a pod of a class.
#[derive(Debug)]
struct PoolOffers {
    weight: i32,
    pool: PoolId,
    offers: Vec<OfferId>,
}

/// The different ways to launch a node, cheapest first, and what pods are worth.
#[derive(Debug)]
pub(super) struct LaunchOptions {
    options: Vec<LaunchOption>,
    /// For each class, what a pod's share of the cheapest node for it costs.
    worth: Vec<i128>,
    /// For each class, in words of 64, the options that may hold a pod, as far as sites go.
    suiting: Vec<Vec<u64>>,
    /// For each class the offers that could hold a pod, by pool, the pool of the highest weight
    /// first; none where all pools have one weight.
    by_weight: Vec<Vec<PoolOffers>>,
    /// For each pool with options its weight, and what any of them takes at least of each of its
    /// limits.
    least_charges: BTreeMap<PoolId, (i32, Vec<i64>)>,
    /// For each pool, its spot offers that can be bought.
    spot: BTreeMap<PoolId, Vec<OfferId>>,
    /// For each weight, the highest first, what a unit of each resource costs at least on nodes of
    /// this weight or a higher one.
    unit_prices: Vec<(i32, Vec<f64>)>,
}

/// An option in a queue, by what its pods are worth for its price; of equal ones the cheaper one,
/// which is the first.
type Bargain = (OrderedFloat<f64>, Reverse<usize>);

impl LaunchOptions {
    pub(super) fn new(model: &ConsolidationModel<'_>) -> Self {
        Self::with_premium(model, 0)
    }

    /// The same where each launch counts for so much more than it costs.
    pub(super) fn with_premium(model: &ConsolidationModel<'_>, premium: i128) -> Self {
        let compiled = model.compiled();
        type Alike<'a> = (usize, PoolId, ShapeId, i64, Option<ReservationId>, &'a Bits);
        let mut cells: BTreeMap<(Vec<u32>, Vec<bool>), usize> = BTreeMap::new();
        let mut known: BTreeSet<Alike<'_>> = BTreeSet::new();
        let mut options = Vec::new();
        let admitted = admitted(model);
        for (id, offer) in compiled.offers.iter() {
            let site = compiled.site_of_offer(id);
            let admits = &admitted[site];
            let pool = &compiled.pools[offer.pool];
            let useless = admits.is_empty() || !compiled.usable.contains(site);
            if useless || pool.static_replicas.is_some() || !offer.available {
                continue;
            }
            let keys = compiled.topology.keys.values();
            let domains: Vec<u32> = keys.map(|key| key.of_site[site]).collect();
            let counted = model.rules.spread_counters.iter().map(|at| {
                let counted = &model.rules.counters[*at].counted;
                counted.as_ref().is_none_or(|counted| counted.contains(site))
            });
            let next = cells.len();
            let cell = *cells.entry((domains, counted.collect())).or_insert(next);
            if known.insert((cell, offer.pool, offer.shape, offer.price, offer.reservation, admits))
            {
                let fee = i128::from(model.context.fee).saturating_add(premium);
                let price = i128::from(offer.price).saturating_add(fee);
                options.push((cell, LaunchOption { offer: id, price, weight: pool.weight }));
            }
        }
        let options = undominated(model, options, &admitted);
        let worth = (0..model.classes.len()).map(|class| worth(model, &options, class)).collect();
        let weighted = options.iter().any(|one| one.weight != options[0].weight);
        let by_weight = match weighted {
            true => {
                (0..model.classes.len()).map(|class| by_weight(model, &options, class)).collect()
            }
            false => Vec::new(),
        };
        let unit_prices = unit_prices(model, &options);
        let suiting = (0..model.classes.len()).map(|class| suiting(model, &options, class));
        let suiting = suiting.collect();
        let least_charges = least_charges(model, &options);
        let spot = spot_offers(compiled);
        Self { options, worth, suiting, by_weight, least_charges, spot, unit_prices }
    }

    /// Whether there is nothing to launch.
    pub(super) fn is_empty(&self) -> bool {
        self.options.is_empty()
    }

    /// The spot offers of a pool that can be bought.
    pub(super) fn spot_offers(&self, pool: PoolId) -> &[OfferId] {
        self.spot.get(&pool).map_or(&[], |offers| offers)
    }

    /// The options that pods of all these classes may come to, in words of 64.
    pub(super) fn shared(&self, classes: impl Iterator<Item = usize>) -> Vec<u64> {
        let mut shared = vec![u64::MAX; self.options.len().div_ceil(64)];
        for class in classes {
            for (word, own) in shared.iter_mut().zip(&self.suiting[class]) {
                *word &= own;
            }
        }
        shared
    }

    /// The options that pods of any of these classes may come to, in words of 64.
    fn suiting_any(&self, classes: &[usize]) -> Vec<u64> {
        let mut any = vec![0_u64; self.options.len().div_ceil(64)];
        for class in classes {
            for (word, own) in any.iter_mut().zip(&self.suiting[*class]) {
                *word |= own;
            }
        }
        any
    }

    /// The options of a set that cost no more than so much, the cheapest first.
    fn affordable<'o>(
        &'o self,
        set: &'o [u64],
        most: i128,
    ) -> impl Iterator<Item = (usize, &'o LaunchOption)> {
        set_bits(set)
            .filter_map(|at| Some((at, self.options.get(at)?)))
            .take_while(move |(_, option)| option.price <= most)
    }
}

/// The numbers whose bits are set, in words of 64.
fn set_bits(words: &[u64]) -> impl Iterator<Item = usize> {
    words.iter().enumerate().flat_map(|(word, bits)| {
        let mut left = *bits;
        std::iter::from_fn(move || {
            let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(word * 64 + bit)
        })
    })
}

/// The options that pods of a class may come to, in words of 64.
fn suiting(model: &ConsolidationModel<'_>, options: &[LaunchOption], class: usize) -> Vec<u64> {
    let mut words = vec![0_u64; options.len().div_ceil(64)];
    for (at, option) in options.iter().enumerate() {
        let site = model.compiled().site_of_offer(option.offer);
        words[at / 64] |= u64::from(model.classes[class].sites.contains(site)) << (at % 64);
    }
    words
}

/// For each offer, the classes that may come to its nodes.
fn admitted(model: &ConsolidationModel<'_>) -> Vec<Bits> {
    let offers = model.compiled().offers.len();
    let mut admitted = vec![Bits::none(model.classes.len()); offers];
    for (class, of_class) in model.classes.iter().enumerate() {
        let sites = of_class.sites.iter().take_while(|site| *site < offers);
        sites.for_each(|site| admitted[site].insert(class));
    }
    admitted
}

/// The options that no other of the same cell and pool beats which the same classes may come to,
/// cheapest first.
fn undominated(
    model: &ConsolidationModel<'_>,
    mut options: Vec<(usize, LaunchOption)>,
    admitted: &[Bits],
) -> Vec<LaunchOption> {
    let compiled = model.compiled();
    options.sort_by_key(|(_, option)| (option.price, option.offer));
    let mut groups: BTreeMap<(usize, PoolId, &Bits), Vec<OfferId>> = BTreeMap::new();
    let mut kept = Vec::new();
    for (cell, option) in options {
        let offer = &compiled.offers[option.offer];
        let shape = &compiled.shapes[offer.shape];
        let pool = &compiled.pools[offer.pool];
        let admits = &admitted[compiled.site_of_offer(option.offer)];
        let group = groups.entry((cell, offer.pool, admits)).or_default();
        let beaten = group.iter().any(|other| {
            let better = &compiled.offers[*other];
            let of_better = &compiled.shapes[better.shape];
            better.reservation.is_none()
                && pool.min_values.is_empty()
                && of_better.allocatable.iter().zip(&shape.allocatable).all(|(a, b)| a >= b)
                && of_better.charge.iter().zip(&shape.charge).all(|(a, b)| a <= b)
                && of_better.used.leaves_as_much_as(&shape.used)
        });
        if !beaten {
            group.push(option.offer);
            kept.push(option);
        }
    }
    kept
}

/// For each weight, the highest first, what a unit of each resource costs at least on nodes of this
/// weight or a higher one.
fn unit_prices(model: &ConsolidationModel<'_>, options: &[LaunchOption]) -> Vec<(i32, Vec<f64>)> {
    let compiled = model.compiled();
    let mut sorted: Vec<&LaunchOption> = options.iter().collect();
    sorted.sort_by_key(|option| Reverse(option.weight));
    let mut least = vec![f64::INFINITY; model.width];
    let mut prices: Vec<(i32, Vec<f64>)> = Vec::new();
    for alike in sorted.chunk_by(|one, other| one.weight == other.weight) {
        for option in alike {
            let room = &compiled.shapes[compiled.offers[option.offer].shape].allocatable;
            for (least, have) in least.iter_mut().zip(room).filter(|(_, have)| **have > 0) {
                *least = least.min(option.price as f64 / *have as f64);
            }
        }
        prices.extend(alike.first().map(|first| (first.weight, least.clone())));
    }
    prices
}

/// The options that could hold a pod of a class, by pool, the pool of the highest weight first.
fn by_weight(
    model: &ConsolidationModel<'_>,
    options: &[LaunchOption],
    class: usize,
) -> Vec<PoolOffers> {
    let compiled = model.compiled();
    let of_class = &model.classes[class];
    let mut pools: BTreeMap<(Reverse<i32>, PoolId), Vec<OfferId>> = BTreeMap::new();
    for LaunchOption { offer, weight, .. } in options {
        let of = &compiled.offers[*offer];
        let room = &compiled.shapes[of.shape].allocatable;
        if of_class.sites.contains(compiled.site_of_offer(*offer))
            && fits(room, &of_class.request, 1) > 0
        {
            pools.entry((Reverse(*weight), of.pool)).or_default().push(*offer);
        }
    }
    let of_pool = |((Reverse(weight), pool), offers)| PoolOffers { weight, pool, offers };
    pools.into_iter().map(of_pool).collect()
}

/// For each pool with options its weight, and what any of them takes at least of each of its
/// limits.
fn least_charges(
    model: &ConsolidationModel<'_>,
    options: &[LaunchOption],
) -> BTreeMap<PoolId, (i32, Vec<i64>)> {
    let compiled = model.compiled();
    let mut least: BTreeMap<PoolId, (i32, Vec<i64>)> = BTreeMap::new();
    for option in options {
        let of = &compiled.offers[option.offer];
        let charge = &compiled.shapes[of.shape].charge;
        let known = least.entry(of.pool).or_insert_with(|| (option.weight, charge.clone()));
        known.1.iter_mut().zip(charge).for_each(|(least, each)| *least = (*least).min(*each));
    }
    least
}

/// What a pod's share of the cheapest node for it costs.
fn worth(model: &ConsolidationModel<'_>, options: &[LaunchOption], class: usize) -> i128 {
    let compiled = model.compiled();
    let of_class = &model.classes[class];
    let suiting = options
        .iter()
        .filter(|option| of_class.sites.contains(compiled.site_of_offer(option.offer)));
    let shares = suiting.filter_map(|option| {
        let room = &compiled.shapes[compiled.offers[option.offer].shape].allocatable;
        let count = fits(room, &of_class.request, u32::MAX);
        (count > 0).then(|| option.price / i128::from(count))
    });
    shares.min().unwrap_or(0).max(1)
}

impl ClusterState<'_> {
    /// Launches nodes for all pods that need a place, for no more than so much in all; whether that
    /// was possible. Where it wasn't, the state is as before.
    pub(super) fn launch_for(&mut self, choices: &LaunchOptions, most: i128) -> bool {
        let mark = self.mark();
        let classes = self.lacking_in_order();
        let open = self.open_weights(choices, &classes);
        let load = self.load(&classes);
        // Where pools have weights, one that is open to no pool can't be launched for.
        let closed = !choices.by_weight.is_empty() && open.contains(&i32::MIN);
        let least = self.least_cost(choices, &load, &open);
        let could_cost = |most: i128| least <= most as f64 * (1.0 + 1e-9);
        if closed || !could_cost(most) {
            return false;
        }
        let single = self.launch_one(choices, &classes, (&load, &open), most);
        self.undo(mark);
        // Several nodes must come to less than one.
        let limit = single.map_or(most, |option| option.price - 1);
        if could_cost(limit) && self.launch_several(choices, limit, true) {
            return true;
        }
        self.undo(mark);
        match single {
            Some(option) => {
                let node = self.launch(option.offer);
                self.fill_launch(node, &classes);
                true
            }
            None => false,
        }
    }

    /// What a launch for pods of these classes costs at least, that ask for so much together.
    pub(super) fn least_for(
        &self,
        choices: &LaunchOptions,
        load: &[i64],
        classes: &[usize],
    ) -> f64 {
        let open = self.open_weights(choices, classes);
        self.least_cost(choices, load, &open)
    }

    /// What pods that need a place ask for together.
    pub(super) fn load(&self, classes: &[usize]) -> Vec<i64> {
        let mut load = vec![0_i64; self.model.width];
        for class in classes {
            let count = i64::from(self.lacks(*class));
            for (sum, asked) in load.iter_mut().zip(&self.model.classes[*class].request) {
                *sum = sum.saturating_add(asked.saturating_mul(count));
            }
        }
        load
    }

    /// No launches for a load of pods, for which pools of these weights are open, cost less: of
    /// each resource they have at least as much as is asked for.
    fn least_cost(&self, choices: &LaunchOptions, load: &[i64], open: &[i32]) -> f64 {
        let open = open.iter().min().copied().unwrap_or(i32::MIN);
        let prices = choices.unit_prices.iter().take_while(|(weight, _)| *weight >= open).last();
        let Some((_, prices)) = prices else { return f64::INFINITY };
        let costs = load.iter().zip(prices).filter(|(asked, _)| **asked > 0);
        costs.map(|(asked, price)| *asked as f64 * price).fold(0.0, f64::max)
    }

    /// For each of some classes, the highest weight of a pool that could launch for it now.
    pub(super) fn open_weights(&self, choices: &LaunchOptions, classes: &[usize]) -> Vec<i32> {
        if choices.by_weight.is_empty() {
            return vec![i32::MIN; classes.len()];
        }
        let of = |class: &usize| {
            let mut pools = choices.by_weight[*class].iter();
            let is_open = |pool: &&PoolOffers| {
                choices.least_charges.get(&pool.pool).is_some_and(|of| self.has_room(pool.pool, of))
                    && pool.offers.iter().any(|offer| self.is_buyable(*offer))
            };
            pools.find(is_open).map_or(i32::MIN, |open| open.weight)
        };
        classes.iter().map(of).collect()
    }

    /// Whether the limits of a pool leave room for the least of its options.
    fn has_room(&self, pool: PoolId, (_, least): &(i32, Vec<i64>)) -> bool {
        self.supplies.allows(Draw::on_limits(pool, least))
    }

    /// Whether no pod is on a launch that a pool of a higher weight could launch for, with all that
    /// stands.
    pub(super) fn keeps_weights(&self, choices: &LaunchOptions) -> bool {
        let compiled = self.model.compiled();
        if choices.by_weight.is_empty() {
            return true;
        }
        let pools = choices.least_charges.iter();
        let with_room = pools.filter(|(pool, of)| self.has_room(**pool, of));
        let Some(highest) = with_room.map(|(_, (weight, _))| *weight).max() else { return true };
        let mut open: BTreeMap<usize, i32> = BTreeMap::new();
        let running = self.model.nodes.len();
        // What replaces a node one for one counts for no weight.
        let counts = |node: &usize| self.stands(*node) && self.replaces[node - running].is_none();
        (running..self.nodes()).filter(counts).all(|node| {
            let weight = compiled.pools[compiled.offers[self.launched[node - running]].pool].weight;
            weight >= highest
                || self.arrived[node].iter().all(|(class, _)| {
                    let open = open
                        .entry(*class)
                        .or_insert_with(|| self.open_weights(choices, &[*class])[0]);
                    *open <= weight
                })
        })
    }

    /// Whether no pool with launches is beyond its limits.
    pub(super) fn keeps_limits(&self) -> bool {
        let compiled = self.model.compiled();
        let running = self.model.nodes.len();
        (running..self.nodes()).filter(|node| self.stands(*node)).all(|node| {
            let pool = compiled.offers[self.launched[node - running]].pool;
            self.supplies.is_within_limits(pool)
        })
    }

    /// Puts pods that need a place on an empty launch, as many as it takes; how many there were.
    pub(super) fn fill_launch(&mut self, node: usize, classes: &[usize]) -> u32 {
        let mut put = 0;
        for class in classes {
            while self.admits(node, *class) && self.lacks(*class) > 0 {
                let takes = self.takes(node, *class, self.lacks(*class));
                if takes == 0 {
                    break;
                }
                self.put(node, *class, takes);
                put += takes;
            }
        }
        put
    }

    /// The cheapest node that holds all pods that need a place, which stands then.
    fn launch_one(
        &mut self,
        choices: &LaunchOptions,
        classes: &[usize],
        (load, open): (&[i64], &[i32]),
        most: i128,
    ) -> Option<LaunchOption> {
        let compiled = self.model.compiled();
        let open = open.iter().max().copied().unwrap_or(i32::MIN);
        let suiting = choices.shared(classes.iter().copied());
        for (_, option) in choices.affordable(&suiting, most) {
            let shape = &compiled.shapes[compiled.offers[option.offer].shape];
            let large = shape.allocatable.iter().zip(load).all(|(have, want)| have >= want);
            if !large || open > option.weight || !self.is_buyable(option.offer) {
                continue;
            }
            let mark = self.mark();
            let node = self.launch(option.offer);
            let _put = self.fill_launch(node, classes);
            if self.lacking().is_empty() {
                return Some(*option);
            }
            self.undo(mark);
        }
        None
    }

    /// Launches nodes one by one, each the best bargain; whether all pods got a place for no more
    /// than so much. Where it is all or nothing it ends as soon as that is out of reach.
    ///
    /// The fewer pods are left, the less an option is worth, as long as pools' weights open the
    /// same options: so only those are looked at again that come first by what they were worth.
    pub(super) fn launch_several(
        &mut self,
        choices: &LaunchOptions,
        most: i128,
        all_or_nothing: bool,
    ) -> bool {
        let mut left = most;
        let mut classes = self.lacking_in_order();
        let mut open = self.open_weights(choices, &classes);
        let mut free = Vec::with_capacity(self.model.width);
        let mut queue = self.bargains(choices, &classes, &open, left, &mut free);
        while !classes.is_empty() {
            let Some((_, Reverse(at))) = queue.pop() else { return false };
            let option = &choices.options[at];
            if option.price > left || !self.is_buyable(option.offer) {
                continue;
            }
            let rank = self.bargain(choices, option, &classes, &open, &mut free);
            let now = (OrderedFloat(rank), Reverse(at));
            if rank <= 0.0 {
                continue;
            }
            if queue.peek().is_some_and(|next| now < *next) {
                queue.push(now);
                continue;
            }
            let mark = self.mark();
            let node = self.launch(option.offer);
            let suiting = classes.iter().zip(&open).filter(|(_, open)| **open <= option.weight);
            let suiting: Vec<usize> = suiting.map(|(class, _)| *class).collect();
            if self.fill_launch(node, &suiting) == 0 {
                self.undo(mark);
                continue;
            }
            left -= option.price;
            let before = std::mem::replace(&mut classes, self.lacking_in_order());
            let opened = std::mem::replace(&mut open, self.open_weights(choices, &classes));
            if all_or_nothing {
                let least = self.least_cost(choices, &self.load(&classes), &open);
                if least > left as f64 * (1.0 + 1e-9) {
                    return false;
                }
            }
            let was =
                |class: &usize| before.iter().position(|other| other == class).map(|at| opened[at]);
            match classes.iter().zip(&open).any(|(class, open)| was(class) != Some(*open)) {
                true => queue = self.bargains(choices, &classes, &open, left, &mut free),
                false => queue.push(now),
            }
        }
        true
    }

    /// All options by what they are worth for their price.
    fn bargains(
        &self,
        choices: &LaunchOptions,
        classes: &[usize],
        open: &[i32],
        most: i128,
        free: &mut Vec<i64>,
    ) -> BinaryHeap<Bargain> {
        let suiting = choices.suiting_any(classes);
        let lowest = open.iter().min().copied().unwrap_or(i32::MIN);
        let affordable = choices.affordable(&suiting, most);
        let affordable = affordable.filter(|(_, option)| option.weight >= lowest);
        let ranked = affordable.map(|(at, option)| {
            (OrderedFloat(self.bargain(choices, option, classes, open, free)), Reverse(at))
        });
        ranked.filter(|(rank, _)| **rank > 0.0).collect()
    }

    /// What the pods are worth that an option would take, for what it costs.
    fn bargain(
        &self,
        choices: &LaunchOptions,
        option: &LaunchOption,
        classes: &[usize],
        open: &[i32],
        free: &mut Vec<i64>,
    ) -> f64 {
        let worth = self.worth_of(choices, option, classes, open, free);
        worth as f64 / option.price.max(1) as f64
    }

    /// About what the pods are worth that a launch would take.
    fn worth_of(
        &self,
        choices: &LaunchOptions,
        option: &LaunchOption,
        classes: &[usize],
        open: &[i32],
        free: &mut Vec<i64>,
    ) -> i128 {
        let compiled = self.model.compiled();
        let site = compiled.site_of_offer(option.offer);
        let shape = &compiled.shapes[compiled.offers[option.offer].shape];
        free.clear();
        free.extend(&shape.allocatable);
        let mut worth = 0_i128;
        for (class, open) in classes.iter().zip(open) {
            let of_class = &self.model.classes[*class];
            if *open > option.weight || !of_class.sites.contains(site) {
                continue;
            }
            let lacks = self.lacks(*class);
            let mut count = fits(free, &of_class.request, lacks);
            if self.is_first_together(*class) {
                // One alone would find no company.
                count = if count == lacks { count } else { 0 };
            } else if count > 0 && of_class.tied {
                count = count.min(self.domain_room(*class, site));
            }
            count = count.min(of_class.per_node);
            for (have, want) in free.iter_mut().zip(&of_class.request) {
                *have -= want * i64::from(count);
            }
            worth = worth.saturating_add(choices.worth[*class] * i128::from(count));
        }
        worth
    }
}
