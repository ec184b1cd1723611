//! [`Job`]: a request with all that it takes to carry it out, now or after a restart.

use std::borrow::Cow;
use std::sync::Arc;

use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::app::App;
use crate::decision::{Actor, TenantId, Txn};
use crate::http::error::ScimFailure;
use crate::http::extract::BaseUrl;
use crate::http::{bulk, resources};
use crate::pipeline::write::{Caller, Change, Precondition, WriteRequest};
use crate::scim::projection::AttributeNames;
use crate::scim::secret;

/// A request that changes something.
#[derive(Clone, Debug)]
pub struct Job {
    /// Who asks.
    pub caller: Caller,
    /// What the locations in the answer begin with.
    pub base: BaseUrl,
    /// What for.
    pub work: Work,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Work {
    /// One write.
    Write(WriteRequest),
    /// Many (RFC 7644 §3.7): the message.
    Bulk(Map<String, Value>),
}

/// A request is kept in a form that this program does not read.
#[derive(Debug, Error)]
pub enum UnreadableJob {
    /// Not the JSON that it was.
    #[error("it is not as it was written")]
    Json(#[from] serde_json::Error),
    /// The JSON of no request.
    #[error("`{0}` makes no sense in it")]
    Member(&'static str),
}

/// The JSON that a job is kept as. What is added to it has a default: the program that reads it may be a newer one.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stored<'j> {
    subject: Cow<'j, str>,
    label: Cow<'j, str>,
    scopes: Cow<'j, [String]>,
    request_id: Cow<'j, str>,
    base: Cow<'j, str>,
    method: Cow<'j, str>,
    /// Without one it is `/Bulk`.
    endpoint: Option<Cow<'j, str>>,
    id: Option<String>,
    body: Option<Cow<'j, Map<String, Value>>>,
    if_match: Option<Cow<'j, str>>,
    if_none_match: Option<Cow<'j, str>>,
    attributes: Cow<'j, [String]>,
    excluded_attributes: Cow<'j, [String]>,
}

impl Job {
    /// Carries it out to its end: the answer that the client is given, or would have been given.
    pub async fn run(self, app: &Arc<App>) -> Result<Response, ScimFailure> {
        match self.work {
            Work::Write(request) => resources::carry_out(app, self.caller, &self.base, request).await,
            Work::Bulk(message) => bulk::carry_out(app, self.caller, &self.base, message).await,
        }
    }

    /// Its HTTP method.
    pub fn method(&self) -> &'static str {
        match &self.work {
            Work::Write(request) => match request.change {
                Change::Create { .. } => "POST",
                Change::Replace { .. } => "PUT",
                Change::Patch { .. } => "PATCH",
                Change::Delete { .. } => "DELETE",
            },
            Work::Bulk(_) => "POST",
        }
    }

    /// The path below the tenant's base that it is about: `/Users/…`.
    pub fn target(&self) -> String {
        match &self.work {
            Work::Write(WriteRequest { endpoint, change, .. }) => match change {
                Change::Create { .. } => format!("/{endpoint}"),
                Change::Replace { id, .. } | Change::Patch { id, .. } | Change::Delete { id, .. } => {
                    format!("/{endpoint}/{id}")
                }
            },
            Work::Bulk(_) => "/Bulk".to_owned(),
        }
    }

    /// Whether it may hold a secret, whose names are given: then it is not to be written down.
    pub fn may_hold(&self, secrets: &[String]) -> bool {
        self.body().is_some_and(|body| secret::may_be_in(body, secrets))
    }

    fn body(&self) -> Option<&Map<String, Value>> {
        match &self.work {
            Work::Write(request) => request.change.body(),
            Work::Bulk(message) => Some(message),
        }
    }

    /// As it is kept. The tenant is not in it, nor the `txn`: it is kept by them.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        let Caller { actor, request_id, .. } = &self.caller;
        let mut stored = Stored {
            subject: Cow::from(&actor.subject),
            label: Cow::from(&actor.label),
            scopes: Cow::from(&actor.scopes),
            request_id: Cow::from(request_id),
            base: Cow::from(&self.base.0),
            method: Cow::from(self.method()),
            endpoint: None,
            id: None,
            body: self.body().map(Cow::Borrowed),
            if_match: None,
            if_none_match: None,
            attributes: Cow::from(&[]),
            excluded_attributes: Cow::from(&[]),
        };
        if let Work::Write(WriteRequest { endpoint, change, names }) = &self.work {
            stored.endpoint = Some(Cow::from(endpoint));
            stored.attributes = Cow::from(&names.attributes);
            stored.excluded_attributes = Cow::from(&names.excluded);
            if let Change::Replace { id, precondition, .. }
            | Change::Patch { id, precondition, .. }
            | Change::Delete { id, precondition } = change
            {
                stored.id = Some(id.to_string());
                match precondition {
                    Precondition::None => {}
                    Precondition::Match(tags) => stored.if_match = Some(Cow::from(tags)),
                    Precondition::NoneMatch(tags) => stored.if_none_match = Some(Cow::from(tags)),
                }
            }
        }
        serde_json::to_string(&stored)
    }

    /// What was kept of a tenant under a `txn`.
    pub fn from_text(tenant: TenantId, txn: Txn, text: &str) -> Result<Self, UnreadableJob> {
        let stored: Stored<'_> = serde_json::from_str(text)?;
        let body = || stored.body.as_deref().cloned().ok_or(UnreadableJob::Member("body"));
        let id = || stored.id.as_deref().and_then(|id| id.parse().ok()).ok_or(UnreadableJob::Member("id"));
        let precondition = match (&stored.if_match, &stored.if_none_match) {
            (Some(tags), _) => Precondition::Match(tags.to_string()),
            (None, Some(tags)) => Precondition::NoneMatch(tags.to_string()),
            (None, None) => Precondition::None,
        };
        let work = match &stored.endpoint {
            None => Work::Bulk(body()?),
            Some(endpoint) => {
                let change = match stored.method.as_ref() {
                    "POST" => Change::Create { body: body()? },
                    "PUT" => Change::Replace { id: id()?, body: body()?, precondition },
                    "PATCH" => Change::Patch { id: id()?, body: body()?, precondition },
                    "DELETE" => Change::Delete { id: id()?, precondition },
                    _ => return Err(UnreadableJob::Member("method")),
                };
                let names = AttributeNames {
                    attributes: stored.attributes.to_vec(),
                    excluded: stored.excluded_attributes.to_vec(),
                };
                Work::Write(WriteRequest { endpoint: endpoint.to_string(), change, names })
            }
        };
        let actor = Actor {
            subject: stored.subject.into_owned(),
            label: stored.label.into_owned(),
            scopes: stored.scopes.into_owned(),
        };
        let caller = Caller { tenant, actor, request_id: stored.request_id.into_owned(), txn: Some(txn) };
        Ok(Self { caller, base: BaseUrl(stored.base.into_owned()), work })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::scim::resource::ResourceId;

    const TXN: Txn = Txn(Uuid::from_u128(7));

    fn job(work: Work) -> Job {
        let actor = Actor { subject: "t".to_owned(), label: "Entra".to_owned(), scopes: vec!["scim".to_owned()] };
        let caller = Caller { tenant: TenantId(3), actor, request_id: "r".to_owned(), txn: Some(TXN) };
        Job { caller, base: BaseUrl("http://x/scim/acme/v2".to_owned()), work }
    }

    fn body() -> Map<String, Value> {
        json!({ "userName": "ada", "n": [1.5, null, "\u{1F600}"] }).as_object().unwrap().clone()
    }

    fn write(change: Change) -> Job {
        let names = AttributeNames { attributes: vec!["id".to_owned()], excluded: vec!["emails".to_owned()] };
        job(Work::Write(WriteRequest { endpoint: "Users".to_owned(), change, names }))
    }

    #[test]
    fn what_is_kept_of_a_request_is_all_of_it() {
        let id = ResourceId(Uuid::from_u128(9));
        let exists = Precondition::Match("W/\"1\", \"2\"".to_owned());
        let is_new = Precondition::NoneMatch("*".to_owned());
        for job in [
            write(Change::Create { body: body() }),
            write(Change::Replace { id, body: body(), precondition: exists }),
            write(Change::Patch { id, body: body(), precondition: is_new }),
            write(Change::Delete { id, precondition: Precondition::None }),
            job(Work::Bulk(body())),
        ] {
            let read = Job::from_text(TenantId(3), TXN, &job.to_text().unwrap()).unwrap();
            assert_eq!(format!("{read:?}"), format!("{job:?}"));
        }
    }

    #[test]
    fn what_is_no_request_any_more_is_not_taken_for_one() {
        let text = write(Change::Create { body: body() }).to_text().unwrap();
        let check = |from: &str, to: &str, expected: &str| {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text);
            let error = Job::from_text(TenantId(3), TXN, &changed).unwrap_err();
            assert_eq!(error.to_string(), expected, "{changed}");
        };
        check("POST", "PUT", "`id` makes no sense in it");
        check("POST", "GET", "`method` makes no sense in it");
        check("\"body\"", "\"corps\"", "it is not as it was written");
    }
}
