//! Plays a case against a base URL.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::format::{Case, Given, Profile, Step};
use super::matching::difference;

/// A SCIM endpoint under test.
#[derive(Clone, Debug)]
pub struct Target {
    base: String,
    token: String,
    http: reqwest::Client,
}

struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Value,
}

/// What a case has made so far.
struct Story<'t> {
    target: &'t Target,
    profile: Profile,
    /// Ids by their name.
    ids: BTreeMap<String, String>,
    /// Paths of the resources that were made.
    made: Vec<String>,
}

impl Target {
    /// The endpoint at a base URL, which `/Users` is appended to.
    pub fn new(base: &str, token: &str) -> Self {
        // Another client of this process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { base: base.trim_end_matches('/').to_owned(), token: token.to_owned(), http: reqwest::Client::new() }
    }
}

/// Plays a case under a profile that the endpoint has, and takes away again what it made. The error names the step and
/// the first thing that is not as it should be.
pub async fn play(case: &Case, profile: Profile, target: &Target) -> anyhow::Result<()> {
    let mut story = Story { target, profile, ids: BTreeMap::new(), made: Vec::new() };
    let result = story.tell(case).await;
    story.tidy_up().await;
    result
}

impl Story<'_> {
    async fn tell(&mut self, case: &Case) -> anyhow::Result<()> {
        for given in &case.given {
            self.give(given).await.with_context(|| format!("`{}` cannot be made beforehand", given.name))?;
        }
        for (number, step) in case.steps.iter().enumerate() {
            self.step(step).await.with_context(|| format!("step {}, `{}`", number + 1, step.send))?;
        }
        Ok(())
    }

    async fn give(&mut self, given: &Given) -> anyhow::Result<()> {
        let mut body = given.body.clone();
        if body.get("schemas").is_none() {
            let name = if given.endpoint == "/Groups" { "Group" } else { "User" };
            body["schemas"] = json!([format!("urn:ietf:params:scim:schemas:core:2.0:{name}")]);
        }
        let body = serde_json::to_string(&self.filled(&body))?;
        let answer = self.send(Method::POST, &given.endpoint, &BTreeMap::new(), Some(body)).await?;
        let id = answer.body["id"].as_str().filter(|_| answer.status == 201);
        let id = id.with_context(|| format!("{} {}", answer.status, answer.body))?.to_owned();
        self.ids.insert(given.name.clone(), id);
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> anyhow::Result<()> {
        let (method, path) = step.send.split_once(' ').context("`send` is a method and a path")?;
        let patch = step.operations.as_ref().map(|operations| {
            json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
        });
        let body = match (&step.text, step.body.as_ref().or(patch.as_ref())) {
            (Some(text), _) => Some(text.clone()),
            (None, body) => body.map(|body| serde_json::to_string(&self.filled(body))).transpose()?,
        };
        let answer = self.send(method.parse()?, path, &step.headers, body).await?;
        let expected = step.status.under(self.profile).context("no status is expected under the profile")?;
        if answer.status != expected {
            bail!("the status is {} and should be {expected}; the body is {}", answer.status, answer.body);
        }
        if let Some(expected) = &step.expect
            && let Some(difference) = difference(&self.filled(expected), &answer.body, step.ordered)
        {
            bail!("{difference}");
        }
        for (name, expected) in &step.expect_headers {
            let found = answer.headers.get(name.as_str()).and_then(|value| value.to_str().ok());
            let expected = self.filled_text(expected);
            if found.is_none() || (expected != "*" && found != Some(&expected)) {
                bail!("the header `{name}` is {found:?} and should be `{expected}`");
            }
        }
        if let Some(name) = &step.name {
            let id = answer.body["id"].as_str().with_context(|| format!("no id in {}", answer.body))?;
            self.ids.insert(name.clone(), id.to_owned());
            if let Some(version) = answer.body["meta"]["version"].as_str() {
                self.ids.insert(format!("{name}.version"), version.to_owned());
            }
        }
        Ok(())
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &BTreeMap<String, String>,
        body: Option<String>,
    ) -> anyhow::Result<Answer> {
        let path = self.filled_text(path);
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let query: Vec<(&str, &str)> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .collect();
        let is_post = method == Method::POST;
        let url = format!("{}{path}", self.target.base);
        let mut request = self.target.http.request(method, url).bearer_auth(&self.target.token);
        if !query.is_empty() {
            request = request.query(&query);
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/scim+json").body(body);
        }
        let mut request = request.build()?;
        for (name, value) in headers {
            let value = HeaderValue::from_str(&self.filled_text(value))?;
            request.headers_mut().insert(HeaderName::from_bytes(name.as_bytes())?, value);
        }
        let response = self.target.http.execute(request).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await?;
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
        if is_post && status < 300 {
            self.remember(&headers, &body);
        }
        Ok(Answer { status, headers, body })
    }

    /// Notes what has to be taken away again: from a create, or from a Bulk.
    fn remember(&mut self, headers: &reqwest::header::HeaderMap, body: &Value) {
        let created = headers.get("location").and_then(|location| location.to_str().ok());
        let operations = body["Operations"].as_array().into_iter().flatten();
        let locations = operations.filter_map(|operation| operation["location"].as_str()).chain(created);
        for location in locations {
            let mut parts = location.rsplitn(3, '/');
            if let (Some(id), Some(endpoint)) = (parts.next(), parts.next()) {
                self.made.push(format!("/{endpoint}/{id}"));
            }
        }
    }

    async fn tidy_up(&mut self) {
        for path in std::mem::take(&mut self.made).into_iter().rev() {
            // What the case has deleted itself is gone already.
            let _ = self.send(Method::DELETE, &path, &BTreeMap::new(), None).await;
        }
    }

    /// With the ids in the places of their names.
    fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.filled_text(text)),
            Value::Array(values) => values.iter().map(|value| self.filled(value)).collect(),
            Value::Object(object) => {
                object.iter().map(|(key, value)| (self.filled_text(key), self.filled(value))).collect()
            }
            other => other.clone(),
        }
    }

    fn filled_text(&self, text: &str) -> String {
        let base = text.replace("{base}", &self.target.base);
        self.ids.iter().fold(base, |text, (name, id)| text.replace(&format!("{{{name}}}"), id))
    }
}
