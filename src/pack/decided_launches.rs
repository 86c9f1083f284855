//! What launches are like whose offers and contents are decided, but not yet what stands beside
//! them.
//!
//! The alternatives of a launch depend on the domains that stand when it is made, and on those that
//! stand later: one that opens a domain breaks spreads. Where launches are made one after another
//! and nodes go in between, a launch keeps to domains that stand from then on for good: those of
//! nodes that never go, and of launches that are made already or together with it.

use super::existing_domains::{ExistingDomains, OpeningOffers};
use super::launch_template::{LaunchTerms, offered_in, template};
use super::offers_by_price::OffersByPrice;
use super::packing::{Context, NodeGroup};
use crate::compile::OfferId;
use crate::plan::LaunchTemplate;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Launches that are decided, and what they are like.
pub(crate) struct DecidedLaunches<'c> {
    context: &'c Context<'c>,
    by_price: OffersByPrice,
    groups: Vec<NodeGroup>,
    offers: Vec<Option<OfferId>>,
    /// The domains of nodes that never go.
    lasting: ExistingDomains<'c>,
    known: BTreeMap<LaunchTerms, Arc<LaunchTemplate>>,
    /// What each launch is like where no spread looks at what stands.
    of_launch: Vec<Option<Arc<LaunchTemplate>>>,
}

impl<'c> DecidedLaunches<'c> {
    /// `groups` has what the launches of `offers` hold, one by one; `others` what comes to other
    /// nodes, and `lasting` the sites of running nodes that never go.
    pub(crate) fn new(
        context: &'c Context<'c>,
        groups: Vec<NodeGroup>,
        offers: &[OfferId],
        others: Vec<NodeGroup>,
        lasting: impl Iterator<Item = usize>,
    ) -> Self {
        let compiled = context.compiled;
        let all: Vec<NodeGroup> = groups.iter().cloned().chain(others).collect();
        let mut domains = ExistingDomains::none(compiled, &all);
        lasting.for_each(|site| domains.note(site));
        Self {
            context,
            by_price: OffersByPrice::of(compiled),
            of_launch: vec![None; groups.len()],
            groups,
            offers: offers.iter().copied().map(Some).collect(),
            lasting: domains,
            known: BTreeMap::new(),
        }
    }

    /// What each of some launches is like, by their places, where all of `made` stand from then on,
    /// they among them.
    pub(crate) fn templates(
        &mut self,
        launches: &[usize],
        made: &[usize],
    ) -> Vec<Arc<LaunchTemplate>> {
        if self.lasting.is_empty() {
            return launches.iter().filter_map(|launch| self.settled(*launch)).collect();
        }
        let compiled = self.context.compiled;
        let mut existing = self.lasting.clone();
        let offers = made.iter().filter_map(|launch| self.offers.get(*launch).copied().flatten());
        offers.for_each(|id| existing.note(compiled.site_of_offer(id)));
        let opening = existing.opening();
        let of = |launch: &usize| self.terms(*launch, &opening);
        let terms: Vec<LaunchTerms> = launches.iter().filter_map(of).collect();
        terms.into_iter().map(|terms| self.template(terms)).collect()
    }

    /// What a launch is like where nothing could be opened.
    fn settled(&mut self, launch: usize) -> Option<Arc<LaunchTemplate>> {
        if let Some(known) = self.of_launch.get(launch)?.clone() {
            return Some(known);
        }
        let terms = self.terms(launch, &self.lasting.opening())?;
        let made = self.template(terms);
        self.of_launch[launch] = Some(made.clone());
        Some(made)
    }

    fn terms(&self, launch: usize, opening: &OpeningOffers) -> Option<LaunchTerms> {
        let group = self.groups.get(launch..=launch)?;
        let offer = self.offers.get(launch..=launch)?;
        offered_in(self.context, group, &self.by_price, offer, opening, true).pop().flatten()
    }

    fn template(&mut self, terms: LaunchTerms) -> Arc<LaunchTemplate> {
        let (context, compiled) = (self.context, self.context.compiled);
        let made = self.known.entry(terms).or_insert_with_key(|terms| {
            let pool = compiled.pools[compiled.offers[terms.chosen].pool].index;
            let asked = compiled.parts.node_pool(pool).requirements.iter().collect();
            Arc::new(template(context, terms, &asked))
        });
        made.clone()
    }
}
