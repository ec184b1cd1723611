//! A registry, spoken to as the OCI distribution specification says. Nothing that it sends is believed before its digest is that
//! which was asked for, and nothing is read that is longer than it may be.

mod token;

use std::sync::Mutex;
use std::time::Duration;

use reqwest::header::{self, HeaderMap};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;

use super::artifact::MANIFEST;
use super::credentials::Credentials;
use super::reference::Reference;
use crate::cli::Failure;
use crate::cli::client::causes;
use crate::cli::output::{items, text};
use crate::constraints::compile::digest;

/// The specification has registries take manifests of 4 MiB. One of ours has 1 KB, with eight signatures 3 KB.
const MANIFEST_BYTES_MAX: usize = 4 << 20;

/// An answer that says why not.
const ERROR_BYTES_MAX: usize = 64 << 10;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two pieces of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A repository in a registry.
pub(super) struct Registry {
    http: reqwest::Client,
    base: Url,
    host: String,
    repository: String,
    is_plain: bool,
    credentials: Option<Credentials>,
    /// What is to be done there: `pull,push`.
    actions: &'static str,
    /// The header that the registry has asked for.
    authorization: Mutex<Option<String>>,
}

impl Registry {
    pub(super) fn new(
        reference: &Reference,
        is_plain: bool,
        credentials: Option<Credentials>,
        actions: &'static str,
    ) -> Result<Self, Failure> {
        // Docker's own registry answers under another name than its images have.
        let host = if reference.host() == "docker.io" { "registry-1.docker.io" } else { reference.host() };
        let scheme = if is_plain { "http" } else { "https" };
        let base = Url::parse(&format!("{scheme}://{host}/v2/"))
            .map_err(|error| Failure::Usage(format!("`{reference}`: {error}")))?;
        // With TLS nothing is sent without, wherever a registry redirects to.
        let http = reqwest::Client::builder()
            .https_only(!is_plain)
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .build()
            .map_err(|error| Failure::Local(format!("cannot make an HTTP client: {error}")))?;
        Ok(Self {
            http,
            base,
            host: host.to_owned(),
            repository: reference.repository().to_owned(),
            is_plain,
            credentials,
            actions,
            authorization: Mutex::default(),
        })
    }

    /// The bytes of a manifest. By a digest they are what was asked for; by a tag they are what the registry says that it has.
    pub(super) async fn manifest(&self, reference: &Reference) -> Result<Vec<u8>, Failure> {
        let url = self.url(&["manifests", &reference.name()])?;
        let what = format!("`{reference}`");
        let response = self.send(&what, || self.http.get(url.clone()).header(header::ACCEPT, MANIFEST)).await?;
        let told = response.headers().get("docker-content-digest").and_then(|value| value.to_str().ok());
        let told = told.and_then(|told| told.strip_prefix("sha256:")).map(str::to_owned);
        let bytes = self.read(response, MANIFEST_BYTES_MAX, "a manifest").await?;
        let found = digest(&bytes);
        for wanted in [reference.digest(), told.as_deref()].into_iter().flatten() {
            self.same("the manifest", wanted, &found)?;
        }
        Ok(bytes)
    }

    /// A blob of that digest and size.
    pub(super) async fn blob(&self, wanted: &str, size: usize) -> Result<Vec<u8>, Failure> {
        let url = self.url(&["blobs", &format!("sha256:{wanted}")])?;
        let what = format!("the component sha256:{wanted}");
        let response = self.send(&what, || self.http.get(url.clone())).await?;
        let bytes = self.read(response, size, "the component").await?;
        self.same("the component", wanted, &digest(&bytes))?;
        Ok(bytes)
    }

    /// Uploads a blob, unless the registry has it.
    pub(super) async fn put_blob(&self, bytes: &[u8]) -> Result<(), Failure> {
        let name = format!("sha256:{}", digest(bytes));
        let there = self.url(&["blobs", &name])?;
        if self.ask(|| self.http.head(there.clone())).await?.status().is_success() {
            return Ok(());
        }
        let begin = self.url(&["blobs", "uploads", ""])?;
        let what = format!("a place for {} bytes", bytes.len());
        let begun = self.send(&what, || self.http.post(begin.clone()).header(header::CONTENT_LENGTH, 0)).await?;
        let mut place = self.location(begun.url(), begun.headers())?;
        place.query_pairs_mut().append_pair("digest", &name);
        let upload = || {
            let request = self.http.put(place.clone()).header(header::CONTENT_TYPE, "application/octet-stream");
            request.body(bytes.to_vec())
        };
        self.send(&format!("{} bytes", bytes.len()), upload).await.map(drop)
    }

    /// Puts a manifest under a tag. Whatever it names has to be there.
    pub(super) async fn put_manifest(&self, tag: &str, manifest: &[u8]) -> Result<(), Failure> {
        let url = self.url(&["manifests", tag])?;
        let put = || {
            let request = self.http.put(url.clone()).header(header::CONTENT_TYPE, MANIFEST);
            request.body(manifest.to_vec())
        };
        self.send(&format!("the manifest `{tag}`"), put).await.map(drop)
    }

    fn url(&self, segments: &[&str]) -> Result<Url, Failure> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::Usage(format!("`{}` cannot have a path", self.host)))?
            .pop_if_empty()
            .extend(self.repository.split('/'))
            .extend(segments);
        Ok(url)
    }

    /// Where an upload goes on. Nowhere else than at this registry: what is sent there has its credentials.
    fn location(&self, from: &Url, headers: &HeaderMap) -> Result<Url, Failure> {
        let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
        let url = location.and_then(|location| from.join(location).ok());
        let url = url.ok_or_else(|| self.failed("says not where the upload goes on"))?;
        match url.origin() == self.base.origin() {
            true => Ok(url),
            false => Err(self.failed("has the upload go on at another address")),
        }
    }

    /// A request that has to succeed.
    async fn send(&self, what: &str, request: impl Fn() -> RequestBuilder) -> Result<Response, Failure> {
        let response = self.ask(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refused(what, response).await)
    }

    /// A request; a second time, if the registry wants to know who asks.
    async fn ask(&self, request: impl Fn() -> RequestBuilder) -> Result<Response, Failure> {
        let response = self.once(request()).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let Some(authorization) = self.authorize(response.headers()).await? else { return Ok(response) };
        self.set_authorization(authorization);
        self.once(request()).await
    }

    async fn once(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let request = match self.authorization() {
            Some(authorization) => request.header(header::AUTHORIZATION, authorization),
            None => request,
        };
        let sent = request.send().await;
        sent.map_err(|error| Failure::Server(format!("no answer from {}: {}", self.host, causes(&error))))
    }

    fn authorization(&self) -> Option<String> {
        self.authorization.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn set_authorization(&self, authorization: String) {
        *self.authorization.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(authorization);
    }

    /// An answer as long as it may be and no longer.
    async fn read(&self, mut response: Response, bytes_max: usize, what: &str) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        loop {
            let piece = response.chunk().await;
            let piece = piece.map_err(|error| self.failed(&format!("broke off {what}: {}", causes(&error))))?;
            let Some(piece) = piece else { return Ok(bytes) };
            if bytes.len().saturating_add(piece.len()) > bytes_max {
                return Err(self.failed(&format!("sends more than {bytes_max} bytes for {what}")));
            }
            bytes.extend_from_slice(&piece);
        }
    }

    fn same(&self, what: &str, wanted: &str, found: &str) -> Result<(), Failure> {
        match wanted == found {
            true => Ok(()),
            false => {
                Err(self.failed(&format!("sends other bytes for {what}: sha256:{found} in place of sha256:{wanted}")))
            }
        }
    }

    fn failed(&self, what: &str) -> Failure {
        Failure::Server(format!("{} {what}", self.host))
    }

    /// Why a registry does not do what it was asked.
    async fn refused(&self, what: &str, response: Response) -> Failure {
        let status = response.status();
        let body = self.read(response, ERROR_BYTES_MAX, "an error").await.unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let reason = items(&body, "errors").first().map(|error| text(error, "message"));
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        let why = match (status, &self.credentials) {
            (StatusCode::UNAUTHORIZED, None) => {
                " wants to know who you are: use `docker login`, or set SCRUPLE_REGISTRY_USER and SCRUPLE_REGISTRY_PASSWORD"
            }
            (StatusCode::UNAUTHORIZED, Some(_)) => " does not take these credentials",
            (StatusCode::FORBIDDEN, _) => " does not let you do that",
            (StatusCode::NOT_FOUND, _) => " has nothing there",
            _ => " refuses",
        };
        Failure::Server(format!("{}{why} ({}, {what}){reason}", self.host, status.as_u16()))
    }
}
