//! Watches and calls: all that talks to the cluster.

use crate::cluster::{Change, Kind, NODE, NODE_CLAIM, WATCHED};
use crate::controller::{Action, Outcome, Report};
use futures::stream::{Stream, StreamExt, select_all};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams, TypeMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::watcher::{self, watcher};
use kube::{Client, core::GroupVersionKind};
use serde_json::{Value, json};

/// What events name as their author.
pub const NAME: &str = "plimsoll-controller";

fn resource(kind: Kind) -> ApiResource {
    let named = GroupVersionKind::gvk(kind.group, kind.version, kind.kind);
    ApiResource::from_gvk_with_plural(&named, kind.plural)
}

fn all(client: &Client, kind: Kind) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &resource(kind))
}

/// An object as JSON; those of lists don't say what kind they are of.
fn value(kind: Kind, mut object: DynamicObject) -> Value {
    let resource = resource(kind);
    object.types = Some(TypeMeta { api_version: resource.api_version, kind: resource.kind });
    object.metadata.managed_fields = None;
    serde_json::to_value(object).unwrap_or_default()
}

/// All that happens to the objects that are watched, and faults of the watches, which go on by
/// themselves.
pub fn watch(client: &Client) -> impl Stream<Item = Result<Change, watcher::Error>> + Unpin {
    let of_kind = |kind: Kind| {
        let events = watcher(all(client, kind), watcher::Config::default()).default_backoff();
        let mut listed = Vec::new();
        let change = move |event| match event {
            watcher::Event::Apply(object) => Some(Change::Applied(kind, value(kind, object))),
            watcher::Event::Delete(object) => Some(Change::Deleted(kind, value(kind, object))),
            watcher::Event::Init => {
                listed.clear();
                None
            }
            watcher::Event::InitApply(object) => {
                listed.push(value(kind, object));
                None
            }
            watcher::Event::InitDone => Some(Change::Listed(kind, std::mem::take(&mut listed))),
        };
        let mut change = change;
        events
            .filter_map(move |event| std::future::ready(event.map(&mut change).transpose()))
            .boxed()
    };
    select_all(WATCHED.map(of_kind))
}

/// Who carries out actions.
#[derive(Clone)]
pub struct Performer {
    client: Client,
    recorder: Recorder,
}

impl Performer {
    /// One that uses a client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let reporter = Reporter { controller: NAME.into(), instance: None };
        Self { recorder: Recorder::new(client.clone(), reporter), client }
    }

    /// Carries out an action.
    pub async fn perform(&self, action: &Action) -> Outcome {
        match self.call(action).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Refused(error.to_string()),
        }
    }

    async fn call(&self, action: &Action) -> Result<Outcome, kube::Error> {
        match action {
            Action::Launch(launch) => {
                let claim = serde_json::from_value(launch.claim.clone());
                let claim = claim.map_err(kube::Error::SerdeError)?;
                let claims = all(&self.client, NODE_CLAIM);
                let created = claims.create(&PostParams::default(), &claim).await?;
                Ok(Outcome::Created(value(NODE_CLAIM, created)))
            }
            Action::Cordon { node, yes } => {
                let patch = Patch::Merge(json!({"spec": {"unschedulable": yes}}));
                let nodes = all(&self.client, NODE);
                nodes.patch(node, &PatchParams::default(), &patch).await?;
                Ok(Outcome::Done)
            }
            Action::Evict(eviction) => {
                let text = |text: &Option<String>| text.clone().unwrap_or_default();
                let namespace = text(&eviction.metadata.namespace);
                let pods: Api<k8s_openapi::api::core::v1::Pod> =
                    Api::namespaced(self.client.clone(), &namespace);
                pods.evict(&text(&eviction.metadata.name), &Default::default()).await?;
                Ok(Outcome::Done)
            }
            Action::DeleteClaim { claim, .. } => {
                all(&self.client, NODE_CLAIM).delete(claim, &Default::default()).await?;
                Ok(Outcome::Done)
            }
            Action::Report(report) => {
                self.report(report).await?;
                Ok(Outcome::Done)
            }
        }
    }

    async fn report(&self, report: &Report) -> Result<(), kube::Error> {
        let text = |at: &Value| at.as_str().map(str::to_owned);
        let metadata = &report.about["metadata"];
        let about = ObjectReference {
            api_version: text(&report.about["apiVersion"]),
            kind: text(&report.about["kind"]),
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"]),
            uid: text(&metadata["uid"]),
            ..ObjectReference::default()
        };
        let event = Event {
            type_: if report.warning { EventType::Warning } else { EventType::Normal },
            reason: report.reason.into(),
            // The API takes no longer ones.
            note: Some(report.note.chars().take(1000).collect()),
            action: "Plan".into(),
            secondary: None,
        };
        self.recorder.publish(&event, &about).await
    }
}
