//! Secrets in memory, with the API server's rules for versions, and faults on demand.

use super::Record;
use crate::cluster::Cluster;
use crate::cluster::testing::{self, Log, Reply, Seen};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What befalls the next request that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is carried out, and its answer breaks off.
    AnswerLost,
    /// It is not carried out, and the answer breaks off.
    RequestLost,
}

/// The server that answers, to look into and to hinder.
pub(crate) type Server = Arc<Mutex<Secrets>>;

#[derive(Default)]
pub(crate) struct Secrets {
    pub(crate) all: BTreeMap<String, Value>,
    pub(crate) fault: Option<Fault>,
    pub(crate) date: String,
    writes: u64,
}

impl Secrets {
    fn answer(&mut self, seen: &Seen) -> Reply {
        let path = seen.path.split('?').next().unwrap();
        let name =
            path.strip_prefix("/api/v1/namespaces/team/secrets").unwrap().trim_start_matches('/').to_owned();
        let fault = if seen.method == "GET" { None } else { self.fault.take() };
        if fault == Some(Fault::RequestLost) {
            return Reply::text(200, "{}").cut_off();
        }
        let reply = match seen.method.as_str() {
            "GET" if name.is_empty() => self.list(seen),
            "GET" => {
                self.all.get(&name).map_or(Reply::no(404, "not found"), |secret| Reply::json(200, secret))
            }
            "POST" => {
                let name = seen.body["metadata"]["name"].as_str().unwrap().to_owned();
                if self.all.contains_key(&name) {
                    Reply::no(409, "exists")
                } else {
                    self.write(&name, &seen.body)
                }
            }
            "PUT" => {
                let version = |secret: &Value| secret["metadata"]["resourceVersion"].clone();
                match self.all.get(&name) {
                    None => Reply::no(404, "not found"),
                    Some(live) if version(live) != version(&seen.body) => Reply::no(409, "was changed"),
                    Some(_) => self.write(&name, &seen.body),
                }
            }
            "PATCH" => match self.all.get(&name).cloned() {
                None => Reply::no(404, "not found"),
                Some(mut live) => {
                    testing::merge_patch(&mut live, &seen.body);
                    self.write(&name, &live)
                }
            },
            "DELETE" => match self.all.get(&name) {
                None => Reply::no(404, "not found"),
                Some(live) => {
                    let wanted = &seen.body["preconditions"]["resourceVersion"];
                    if wanted.is_null() || *wanted == live["metadata"]["resourceVersion"] {
                        self.all.remove(&name);
                        Reply::text(200, "{}")
                    } else {
                        Reply::no(409, "was changed")
                    }
                }
            },
            other => panic!("{other}"),
        };
        let reply = reply.header("date", &self.date);
        if fault.is_some() { reply.cut_off() } else { reply }
    }

    fn list(&self, seen: &Seen) -> Reply {
        let query: BTreeMap<_, _> =
            url::form_urlencoded::parse(seen.path.split_once('?').map_or("", |(_, query)| query).as_bytes())
                .into_owned()
                .collect();
        let selects = |selector: &str, value_of: &dyn Fn(&str) -> Option<String>| {
            let terms = query.get(selector).map(String::as_str).unwrap_or_default();
            terms.split(',').filter(|term| !term.is_empty()).all(|term| match term.split_once('=') {
                Some((key, value)) => value_of(key).as_deref() == Some(value),
                None => value_of(term).is_some(),
            })
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let items: Vec<_> = self
            .all
            .values()
            .filter(|secret| selects("labelSelector", &|key| text(&secret["metadata"]["labels"][key])))
            .filter(|secret| {
                selects("fieldSelector", &|key| match key {
                    "metadata.name" => text(&secret["metadata"]["name"]),
                    _ => text(&secret[key]),
                })
            })
            .collect();
        Reply::json(200, &json!({"items": items}))
    }

    fn write(&mut self, name: &str, body: &Value) -> Reply {
        self.writes += 1;
        let mut secret = body.clone();
        secret["metadata"]["resourceVersion"] = self.writes.to_string().into();
        secret["metadata"]["uid"] = format!("uid-{name}").into();
        self.all.insert(name.to_owned(), secret.clone());
        Reply::json(201, &secret)
    }
}

/// A record as an install of the release `demo` writes it.
pub(crate) fn record(revision: u32) -> Record {
    super::codec::tests::record(revision)
}

/// A savepoint of a job, told apart by its number.
pub(crate) fn savepoint(job: &str, number: u32) -> super::Savepoint {
    super::savepoints::tests::savepoint(job, number)
}

/// A cluster that holds Secrets only, in the namespace `team`.
pub(crate) fn cluster() -> (Cluster, Log, Server) {
    cluster_but_for(|_| None)
}

/// The same, but for what `first` answers.
pub(crate) fn cluster_but_for(
    mut first: impl FnMut(&Seen) -> Option<Reply> + Send + 'static,
) -> (Cluster, Log, Server) {
    let secrets = Arc::new(Mutex::new(Secrets {
        date: "Fri, 02 Jan 2026 03:04:05 GMT".to_owned(),
        ..Secrets::default()
    }));
    let server = secrets.clone();
    let (cluster, log) =
        testing::cluster(move |seen| first(seen).unwrap_or_else(|| server.lock().unwrap().answer(seen)));
    (cluster, log, secrets)
}
