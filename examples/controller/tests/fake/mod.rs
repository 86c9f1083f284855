//! A fake of the API server, in process: a service that lists, watches, creates, patches and
//! deletes any objects, and evicts pods. What a cluster does besides (a scheduler, Karpenter's own
//! controllers, the cloud) a test does itself, by [`Fake::put`] and [`Fake::remove`].

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use kube::client::Body;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

type Key = (String, String, String);
type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// What has happened, and the objects that there are.
struct State {
    /// By plural, namespace and name.
    objects: BTreeMap<Key, Value>,
    /// Plural, kind of event, object; the resource version is the place, from 1.
    log: Vec<(String, &'static str, Value)>,
    /// Pods whose eviction is refused with 429, as a disruption budget does.
    guarded: Vec<String>,
    /// What was asked of it that changes something, in words.
    calls: Vec<String>,
}

/// The fake; clones share it.
#[derive(Clone)]
pub struct Fake {
    state: Arc<Mutex<State>>,
    version: watch::Sender<usize>,
}

impl Fake {
    pub fn new() -> Self {
        let state = State {
            objects: BTreeMap::new(),
            log: Vec::new(),
            guarded: Vec::new(),
            calls: Vec::new(),
        };
        Self { state: Arc::new(Mutex::new(state)), version: watch::Sender::new(0) }
    }

    /// A client of it.
    pub fn client(&self) -> kube::Client {
        let fake = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let fake = fake.clone();
            let reply: BoxFuture<'static, Result<Reply, Infallible>> =
                Box::pin(async move { Ok(fake.answer(request).await) });
            reply
        });
        kube::Client::new(service, "default")
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Objects of a kind, by namespace and name.
    pub fn objects(&self, plural: &str) -> Vec<Value> {
        let state = self.lock();
        let of_kind = state.objects.iter().filter(|((kind, ..), _)| kind == plural);
        of_kind.map(|(_, object)| object.clone()).collect()
    }

    pub fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        self.lock().objects.get(&(plural.into(), namespace.into(), name.into())).cloned()
    }

    /// The calls that changed something so far, which are forgotten.
    pub fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().calls)
    }

    /// Has the API refuse to evict pods of these names.
    pub fn guard(&self, pods: &[&str]) {
        self.lock().guarded = pods.iter().map(|&name| name.to_owned()).collect();
    }

    /// Creates or changes an object.
    pub fn put(&self, plural: &str, mut object: Value) -> Value {
        let mut state = self.lock();
        let metadata = &mut object["metadata"];
        let version = state.log.len() + 1;
        if metadata["name"].is_null() {
            let prefix = metadata["generateName"].as_str().unwrap().to_owned();
            metadata["name"] = format!("{prefix}{version}").into();
        }
        if metadata["uid"].is_null() {
            metadata["uid"] = format!("uid-{version}").into();
        }
        metadata["resourceVersion"] = version.to_string().into();
        let text = |at: &Value| at.as_str().unwrap_or_default().to_owned();
        let key = (plural.to_owned(), text(&metadata["namespace"]), text(&metadata["name"]));
        let new = state.objects.insert(key, object.clone()).is_none();
        let event = if new { "ADDED" } else { "MODIFIED" };
        state.log.push((plural.to_owned(), event, object.clone()));
        self.version.send_replace(version);
        object
    }

    /// Takes an object away.
    pub fn remove(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let mut state = self.lock();
        let key = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        let mut object = state.objects.remove(&key)?;
        let version = state.log.len() + 1;
        object["metadata"]["resourceVersion"] = version.to_string().into();
        state.log.push((plural.to_owned(), "DELETED", object.clone()));
        self.version.send_replace(version);
        Some(object)
    }

    async fn answer(self, request: Request<Body>) -> Reply {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let query = head.uri.query().unwrap_or_default().to_owned();
        let path: Vec<String> =
            head.uri.path().trim_matches('/').split('/').map(str::to_owned).collect();
        // api/VERSION/… or apis/GROUP/VERSION/…
        let rest = &path[if path[0] == "api" { 2 } else { 3 }..];
        let (namespace, rest) = match rest {
            [word, namespace, rest @ ..] if word == "namespaces" && !rest.is_empty() => {
                (namespace.as_str(), rest)
            }
            _ => ("", rest),
        };
        let sent = || serde_json::from_slice::<Value>(&body).unwrap();
        match (head.method, rest) {
            (Method::GET, [plural]) if query.contains("watch=true") => self.watch(plural, &query),
            (Method::GET, [plural]) => {
                let version = self.lock().log.len().to_string();
                reply(
                    200,
                    &json!({
                        "kind": "List", "apiVersion": "v1",
                        "metadata": { "resourceVersion": version },
                        "items": self.objects(plural),
                    }),
                )
            }
            (Method::POST, [plural]) => {
                let mut object = sent();
                if !namespace.is_empty() {
                    object["metadata"]["namespace"] = namespace.into();
                }
                let object = self.put(plural, object);
                self.say(format!(
                    "create {plural}/{}",
                    object["metadata"]["name"].as_str().unwrap()
                ));
                reply(201, &object)
            }
            (Method::POST, [plural, name, word]) if word == "eviction" => {
                if self.lock().guarded.contains(name) {
                    return failure(429, "TooManyRequests", "a disruption budget allows none");
                }
                self.say(format!("evict {name}"));
                match self.remove(plural, namespace, name) {
                    Some(_) => reply(201, &json!({ "kind": "Status", "status": "Success" })),
                    None => failure(404, "NotFound", "no such pod"),
                }
            }
            (Method::PATCH, [plural, name]) => match self.get(plural, namespace, name) {
                Some(mut object) => {
                    let patch = sent();
                    merge(&mut object, &patch);
                    self.say(format!("patch {plural}/{name} {patch}"));
                    reply(200, &self.put(plural, object))
                }
                None => failure(404, "NotFound", "no such object"),
            },
            (Method::DELETE, [plural, name]) => match self.remove(plural, namespace, name) {
                Some(object) => {
                    self.say(format!("delete {plural}/{name}"));
                    reply(200, &object)
                }
                None => failure(404, "NotFound", "no such object"),
            },
            _ => failure(405, "MethodNotAllowed", "the fake doesn't know this"),
        }
    }

    fn say(&self, call: String) {
        self.lock().calls.push(call);
    }

    /// What happened after a version, and all that happens from now on.
    fn watch(&self, plural: &str, query: &str) -> Reply {
        let from = query.split('&').find_map(|pair| pair.strip_prefix("resourceVersion="));
        let from: usize = from.and_then(|text| text.parse().ok()).unwrap_or(0);
        let plural = plural.to_owned();
        let changed = self.version.subscribe();
        let events =
            stream::unfold((self.clone(), changed, from), move |(fake, mut changed, at)| {
                let plural = plural.clone();
                async move {
                    let mut at = at;
                    loop {
                        let next = fake.lock().log.get(at).cloned();
                        match next {
                            Some((kind, event, object)) => {
                                at += 1;
                                if kind == plural {
                                    let line =
                                        json!({ "type": event, "object": object }).to_string();
                                    let frame = Frame::data(Bytes::from(line + "\n"));
                                    return Some((Ok(frame), (fake, changed, at)));
                                }
                            }
                            None => {
                                changed.wait_for(|version| *version > at).await.ok()?;
                            }
                        }
                    }
                }
            });
        Response::new(StreamBody::new(events.boxed()).boxed_unsync())
    }
}

fn reply(status: u16, object: &Value) -> Reply {
    let body = Full::new(Bytes::from(object.to_string())).boxed_unsync();
    Response::builder().status(status).body(body).unwrap()
}

fn failure(code: u16, reason: &str, message: &str) -> Reply {
    reply(
        code,
        &json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure",
            "code": code, "reason": reason, "message": message,
        }),
    )
}

/// A JSON merge patch (RFC 7386).
fn merge(object: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    for (key, value) in fields {
        match value.is_null() {
            true => drop(object.as_object_mut().unwrap().remove(key)),
            false => merge(&mut object[key], value),
        }
    }
}
