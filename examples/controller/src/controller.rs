//! What to do now, as a function of what was observed and of the present instant.
//!
//! [`Controller::observe`] takes what the cluster tells, [`Controller::due`] says when to look next,
//! [`Controller::decide`] what is to be done then, and [`Controller::done`] hears what came of it.
//! Instants are milliseconds since the beginning of 1970.

use crate::claims::Claims;
use crate::cluster::{Change, Cluster, Converted, NODE_CLAIM, NODE_POOL, POD};
use crate::disruption::{Disruption, Step};
use crate::object::{is_pending, name, namespace};
use crate::planner::Planner;
use crate::window::BatchWindow;
use k8s_openapi::api::policy::v1::Eviction;
use plimsoll::history::HistoryPolicy;
use plimsoll::k8s::{Timestamp, node_claim};
use plimsoll::model::OfferingKey;
use plimsoll::plan::Launch;
use plimsoll::{Error, InstanceType, Options, Price, consolidate};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How the controller behaves. Times are in milliseconds.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What can be bought, at what price: from the cloud's own lists.
    pub catalog: Vec<InstanceType>,
    /// How plans are made.
    pub options: Options,
    /// How events of offerings are weighed.
    pub history: HistoryPolicy,
    /// A batch is complete when no pod has come for so long; 1 s.
    pub idle: i64,
    /// A batch is complete so long after its first pod at last; 10 s.
    pub longest: i64,
    /// When pods that have no place are looked at again; 10 s.
    pub retry: i64,
    /// How often the running nodes are looked at; 60 s.
    pub consolidate_every: i64,
    /// How often a disruption is looked at; 5 s.
    pub disrupt_every: i64,
    /// How long a disruption may take; 15 min.
    pub disrupt_within: i64,
    /// How many events are written at a time; 100.
    pub most_reports: usize,
}

impl Settings {
    /// The usual ones.
    #[must_use]
    pub fn new(catalog: Vec<InstanceType>) -> Self {
        Self {
            catalog,
            options: Options::default(),
            history: HistoryPolicy::default(),
            idle: 1_000,
            longest: 10_000,
            retry: 10_000,
            consolidate_every: 60_000,
            disrupt_every: 5_000,
            disrupt_within: 900_000,
            most_reports: 100,
        }
    }
}

/// Something to do to the cluster.
#[derive(Clone, Debug)]
pub enum Action {
    /// Create a claim.
    Launch(Box<ClaimToCreate>),
    /// Keep new pods from a node, or allow them again.
    Cordon {
        /// The node.
        node: String,
        /// Whether to keep them away.
        yes: bool,
    },
    /// Ask the API to evict a pod, which holds it to the disruption budgets.
    Evict(Box<Eviction>),
    /// Delete a claim: Karpenter ends its machine.
    DeleteClaim {
        /// The claim.
        claim: String,
        /// Why.
        reason: String,
    },
    /// Write an event.
    Report(Report),
}

impl Action {
    /// What is being done, for a log.
    #[must_use]
    pub fn name(&self) -> String {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        match self {
            Self::Launch(launch) => format!("launch {}", launch.note),
            Self::Cordon { node, yes: true } => format!("cordon {node}"),
            Self::Cordon { node, yes: false } => format!("uncordon {node}"),
            Self::Evict(eviction) => {
                let metadata = &eviction.metadata;
                format!("evict {}/{}", text(&metadata.namespace), text(&metadata.name))
            }
            Self::DeleteClaim { claim, .. } => format!("delete {claim}"),
            Self::Report(report) => format!("event {}", report.reason),
        }
    }
}

/// A launch, with what is to be remembered of it.
#[derive(Clone, Debug)]
pub struct ClaimToCreate {
    /// The claim, without a name.
    pub claim: Value,
    /// The labels that its node will have with the plan's choice.
    pub labels: BTreeMap<String, String>,
    /// What the cloud may choose from.
    pub offerings: Vec<OfferingKey>,
    /// What is said of it.
    pub note: String,
    /// The disruption that it is for, by its place.
    disruption: Option<usize>,
}

/// An event about an object.
#[derive(Clone, Debug)]
pub struct Report {
    /// What it is about: `apiVersion`, `kind`, `metadata`.
    pub about: Value,
    /// Whether it is a warning.
    pub warning: bool,
    /// One word.
    pub reason: &'static str,
    /// A sentence or several.
    pub note: String,
}

/// What came of an action.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The object that was created.
    Created(Value),
    /// It is done.
    Done,
    /// The API refused it, or couldn't be reached.
    Refused(String),
}

/// Decides.
#[derive(Debug)]
pub struct Controller {
    settings: Settings,
    cluster: Cluster,
    window: BatchWindow,
    planner: Planner,
    claims: Claims,
    disruptions: Vec<Disruption>,
    retry_at: Option<i64>,
    consolidate_at: Option<i64>,
    disrupt_at: i64,
    /// What was said last of each pod.
    said: BTreeMap<(String, String), String>,
}

impl Controller {
    /// Nothing observed yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            window: BatchWindow::new(settings.idle, settings.longest),
            claims: Claims::new(settings.history),
            settings,
            cluster: Cluster::default(),
            planner: Planner::default(),
            disruptions: Vec::new(),
            retry_at: None,
            consolidate_at: None,
            disrupt_at: 0,
            said: BTreeMap::new(),
        }
    }

    /// What was observed so far.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// What is asked of the library.
    #[must_use]
    pub fn planner(&self) -> &Planner {
        &self.planner
    }

    /// What was learnt of offerings.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Takes note of what the cluster tells.
    pub fn observe(&mut self, change: Change, now: i64) {
        let is_new = |pod: &Value| {
            let former = self.cluster.get(POD, namespace(pod), name(pod));
            is_pending(pod) && !former.is_some_and(is_pending)
        };
        let demand = match &change {
            Change::Applied(POD, pod) => is_new(pod),
            Change::Listed(POD, pods) => pods.iter().any(is_new),
            // What had no place may have one now.
            Change::Applied(NODE_POOL, _) => self.retry_at.is_some(),
            _ => false,
        };
        match &change {
            Change::Applied(NODE_CLAIM, claim) => self.claims.seen(claim, now / 1000),
            Change::Listed(NODE_CLAIM, claims) => {
                claims.iter().for_each(|claim| self.claims.seen(claim, now / 1000));
            }
            _ => {}
        }
        let gone = self.cluster.apply(change);
        let failed = gone.iter().filter(|(kind, _)| *kind == NODE_CLAIM);
        let failed = failed.filter(|(_, claim)| self.claims.gone(claim, now / 1000)).count();
        if demand || failed > 0 {
            self.window.note(now);
        }
        if self.cluster.is_complete() && self.consolidate_at.is_none() {
            self.consolidate_at = Some(now + self.settings.consolidate_every);
        }
    }

    /// When to decide next; nothing while that depends on what is observed.
    #[must_use]
    pub fn due(&self) -> Option<i64> {
        if !self.cluster.is_complete() {
            return None;
        }
        let disrupt = (!self.disruptions.is_empty()).then_some(self.disrupt_at);
        [self.window.due(), self.retry_at, self.consolidate_at, disrupt].into_iter().flatten().min()
    }

    /// What is to be done now.
    ///
    /// # Errors
    /// Objects that contradict each other, or a fault of the library.
    pub fn decide(&mut self, now: i64) -> Result<Vec<Action>, Error> {
        let is_due = |at: Option<i64>| at.is_some_and(|at| at <= now);
        if !self.cluster.is_complete() || !is_due(self.due()) {
            return Ok(Vec::new());
        }
        self.cluster.forget_expected();
        let instant = Timestamp::from_seconds(now / 1000);
        let converted = self.cluster.problem(&self.settings.catalog, instant)?;
        if is_due(self.window.due()) || is_due(self.retry_at) {
            self.window.close();
            self.retry_at = None;
            return self.provision(&converted, now);
        }
        if !self.disruptions.is_empty() {
            // Nodes are looked at again when these are gone.
            self.consolidate_at = Some(now + self.settings.consolidate_every);
            return if self.disrupt_at <= now {
                self.disrupt(&converted, now)
            } else {
                Ok(Vec::new())
            };
        }
        self.consolidate_at = Some(now + self.settings.consolidate_every);
        // A cluster in which pods wait isn't quiet.
        match self.window.due().is_some() || self.retry_at.is_some() {
            true => Ok(Vec::new()),
            false => self.consolidate(&converted, now),
        }
    }

    /// Launches for the pods that wait.
    fn provision(&mut self, converted: &Converted, now: i64) -> Result<Vec<Action>, Error> {
        let what_if = self.planner.what_if(&converted.problem)?;
        let what_if = what_if.with_history(self.claims.history(), now / 1000);
        let plan = what_if.provision(&self.settings.options)?;
        let mut actions = Vec::new();
        for launch in plan.launches() {
            actions.extend(self.claim(launch, converted, None));
        }
        let unplaced = plan.unschedulable().iter().filter_map(|one| {
            let (namespace, name) = one.pod.split_once('/')?;
            let sentences: Vec<String> = one.reasons.iter().map(ToString::to_string).collect();
            Some((namespace.to_owned(), name.to_owned(), sentences.join("; ")))
        });
        let refused = converted.refusals.iter().map(|one| {
            let namespace = one.object.namespace.as_deref().unwrap_or_default();
            let note = format!("{}: {}; expected {}", one.path, one.why, one.instead);
            (namespace.to_owned(), one.object.name.to_string(), note)
        });
        let said: Vec<(String, String, String)> = unplaced.chain(refused).collect();
        if !plan.unschedulable().is_empty() {
            self.retry_at = Some(now + self.settings.retry);
        }
        let mut reports = Vec::new();
        let mut waiting = BTreeMap::new();
        for (namespace, name, note) in said {
            let key = (namespace, name);
            let again = self.said.get(&key) == Some(&note);
            if !again && reports.len() >= self.settings.most_reports {
                continue;
            }
            if !again && let Some(pod) = self.cluster.get(POD, &key.0, &key.1) {
                reports.push(Action::Report(Report {
                    about: pod.clone(),
                    warning: true,
                    reason: "NoNodeFits",
                    note: note.clone(),
                }));
            }
            waiting.insert(key, note);
        }
        self.said = waiting;
        actions.extend(reports);
        Ok(actions)
    }

    /// A launch as a claim to create; nothing where its pool is gone meanwhile.
    fn claim(
        &self,
        launch: &Launch,
        converted: &Converted,
        disruption: Option<usize>,
    ) -> Option<Action> {
        let template = launch.template();
        let pool = converted.problem.node_pool(&template.node_pool)?;
        let class = converted.classes.get(&*template.node_pool)?;
        let mut claim = node_claim(launch, pool, class);
        let owner = self.cluster.get(NODE_POOL, "", &template.node_pool)?;
        claim["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "karpenter.sh/v1",
            "kind": "NodePool",
            "name": &*template.node_pool,
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": true,
        }]);
        let labels = template.labels.iter();
        Some(Action::Launch(Box::new(ClaimToCreate {
            claim,
            labels: labels.map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            offerings: template.alternatives.iter().map(|one| one.key()).collect(),
            note: format!(
                "{} at ${}/h for {} pods, or one of {} alternatives",
                template.offering.key(),
                template.offering.price,
                launch.pods().len(),
                template.alternatives.len().saturating_sub(1),
            ),
            disruption,
        })))
    }

    /// Begins the first wave of what a consolidation decides.
    fn consolidate(&mut self, converted: &Converted, now: i64) -> Result<Vec<Action>, Error> {
        let problem = self.claims.history().applied(&converted.problem, now / 1000);
        let plan = consolidate(&problem, &self.settings.options)?;
        let first = plan.actions().first().map_or(0, |action| action.wave);
        let deadline = now + self.settings.disrupt_within;
        let mut actions = Vec::new();
        for action in plan.actions().iter().filter(|action| action.wave == first) {
            let Some(disruption) = Disruption::new(action, &self.cluster, deadline) else {
                continue;
            };
            let saved = action.savings.unwrap_or(Price::ZERO);
            for node in disruption.nodes() {
                let Some(claim) = self.cluster.claim_of(node) else { continue };
                actions.push(Action::Report(Report {
                    about: claim.clone(),
                    warning: false,
                    reason: "Disrupting",
                    note: format!("{:?}: saves ${saved}/h together", action.reason),
                }));
            }
            let place = self.disruptions.len();
            let launches = action.launches.iter();
            actions
                .extend(launches.filter_map(|one| self.claim(&one.launch, converted, Some(place))));
            self.disruptions.push(disruption);
        }
        self.disrupt_at = now;
        Ok(actions)
    }

    /// Goes on with disruptions.
    fn disrupt(&mut self, converted: &Converted, now: i64) -> Result<Vec<Action>, Error> {
        self.disrupt_at = now + self.settings.disrupt_every;
        let mut actions = Vec::new();
        let mut kept = Vec::new();
        let what_if = self.planner.what_if(&converted.problem)?;
        for mut disruption in std::mem::take(&mut self.disruptions) {
            let options = &self.settings.options;
            let step =
                disruption.step(&self.cluster, &converted.problem, &what_if, options, now)?;
            let (Step::Goes(next) | Step::Ends(next)) = &step;
            actions.extend(next.iter().cloned());
            if matches!(step, Step::Goes(_)) {
                kept.push(disruption);
            }
        }
        self.disruptions = kept;
        Ok(actions)
    }

    /// Hears what came of an action, and what to say of it.
    pub fn done(&mut self, action: &Action, outcome: &Outcome, now: i64) -> Option<Report> {
        match (action, outcome) {
            (Action::Launch(launch), Outcome::Created(claim)) => {
                let claim_name = name(claim);
                self.claims.created(claim_name, launch.offerings.clone());
                self.cluster.expect(claim_name, launch.labels.clone());
                let disruption = launch.disruption.and_then(|at| self.disruptions.get_mut(at));
                disruption.into_iter().for_each(|one| one.launched(claim_name));
                // The watch may tell of it later, and the next plan must know.
                if self.cluster.get(NODE_CLAIM, "", claim_name).is_none() {
                    let _gone = self.cluster.apply(Change::Applied(NODE_CLAIM, claim.clone()));
                }
                Some(Report {
                    about: claim.clone(),
                    warning: false,
                    reason: "Launching",
                    note: launch.note.clone(),
                })
            }
            (Action::DeleteClaim { claim, reason }, Outcome::Done) => {
                self.claims.given_up(claim);
                Some(Report {
                    about: self.cluster.get(NODE_CLAIM, "", claim)?.clone(),
                    warning: false,
                    reason: "Disrupted",
                    note: reason.clone(),
                })
            }
            (Action::Launch(launch), Outcome::Refused(_)) => {
                let disruption = launch.disruption.and_then(|at| self.disruptions.get_mut(at));
                disruption.into_iter().for_each(Disruption::refused);
                let at = now + self.settings.retry;
                self.retry_at = Some(self.retry_at.map_or(at, |former| former.min(at)));
                None
            }
            _ => None,
        }
    }
}
