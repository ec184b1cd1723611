//! A server that is measured, and what one request to it took.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;
use tempfile::TempDir;

use crate::load::population::Population;
use crate::load::usage::{self, Usage};
use crate::process::ServerProcess;

/// Bytes of a refusal that are kept, to show what it says.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// How long an answer may take before the run is given up.
const ANSWER_SECONDS_MAX: u64 = 300;

/// A request to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) method: Method,
    /// Below the SCIM base, with the query.
    pub(super) path: String,
    pub(super) body: Option<String>,
    /// Whether the answer's body is wanted; else it is read and dropped as it comes.
    pub(super) keep: bool,
}

impl Request {
    pub(super) fn get(path: String) -> Self {
        Self { method: Method::GET, path, body: None, keep: false }
    }

    pub(super) fn send(method: Method, path: String, body: &Value) -> Self {
        Self { method, path, body: Some(body.to_string()), keep: false }
    }

    pub(super) fn kept(self) -> Self {
        Self { keep: true, ..self }
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// From sending to the last byte.
    pub(super) took: Duration,
    /// Of the body.
    pub(super) bytes: usize,
    /// The body, if it was wanted or is a refusal.
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The `id` of the resource in the body.
    pub(super) fn id(&self) -> anyhow::Result<String> {
        let id = self.json()["id"].as_str().map(str::to_owned);
        id.with_context(|| format!("status {}, and no `id` in: {}", self.status, String::from_utf8_lossy(&self.body)))
    }
}

/// Where a server is and who asks.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    base: String,
    http: reqwest::Client,
}

impl Endpoint {
    /// With the SCIM base and a bearer token.
    pub(super) fn new(base: &str, token: &str) -> anyhow::Result<Self> {
        // Another client of this process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}")).context("the token is not a header")?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
        // HTTP/1.1 with connections kept alive, as provisioning clients do it; a proxy would be measured along.
        let http = reqwest::Client::builder()
            .http1_only()
            .no_proxy()
            .timeout(Duration::from_secs(ANSWER_SECONDS_MAX))
            .default_headers(headers)
            .build()?;
        Ok(Self { base: base.trim_end_matches('/').to_owned(), http })
    }

    /// Sends a request and reads the answer to its end.
    pub(super) async fn ask(&self, request: Request) -> anyhow::Result<Answer> {
        let mut building = self.http.request(request.method, format!("{}{}", self.base, request.path));
        if let Some(body) = request.body {
            building = building.header(CONTENT_TYPE, "application/scim+json").body(body);
        }
        let started = Instant::now();
        let mut response = building.send().await?;
        let status = response.status().as_u16();
        let (mut bytes, mut body) = (0, Vec::new());
        while let Some(chunk) = response.chunk().await? {
            bytes += chunk.len();
            if request.keep || (status >= 400 && body.len() < REFUSAL_BYTES_MAX) {
                body.extend_from_slice(&chunk);
            }
        }
        Ok(Answer { status, took: started.elapsed(), bytes, body })
    }
}

/// A server with its users, and what the scenarios have left in it.
pub(super) struct Target {
    /// For the report.
    pub(super) name: String,
    pub(super) endpoint: Endpoint,
    /// Of the server's process, if it is known.
    pub(super) pid: Option<u32>,
    pub(super) population: Population,
    /// Constraints that its tenant has in force, if it is ours.
    pub(super) constraints: usize,
    /// Users that scenarios have made, to be deleted by others.
    spares: Mutex<Vec<String>>,
    /// Cursors of RFC 9865, by how many resources stand before them.
    pub(super) cursors: Mutex<HashMap<usize, String>>,
    serial: AtomicUsize,
    // Ended, and its folder removed if it was for this run only, with the target; in this order.
    process: Option<ServerProcess>,
    _folder: Option<TempDir>,
}

impl Target {
    pub(super) fn new(name: String, endpoint: Endpoint, pid: Option<u32>, population: Population) -> Self {
        Self {
            name,
            endpoint,
            pid,
            population,
            constraints: 0,
            spares: Mutex::default(),
            cursors: Mutex::default(),
            serial: AtomicUsize::new(0),
            process: None,
            _folder: None,
        }
    }

    /// A target that is this program's own to end.
    pub(super) fn owning(self, process: ServerProcess, folder: Option<TempDir>) -> Self {
        Self { pid: Some(process.pid()), process: Some(process), _folder: folder, ..self }
    }

    /// The server, if it is this program's own.
    pub(super) fn process(&self) -> Option<&ServerProcess> {
        self.process.as_ref()
    }

    /// A target with so many constraints in force.
    pub(super) fn constrained(self, constraints: usize) -> Self {
        Self { constraints, ..self }
    }

    /// A number that no other request of this run has.
    pub(super) fn next(&self) -> usize {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// Users that a scenario has made.
    pub(super) fn give_spares(&self, ids: Vec<String>) {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner).extend(ids);
    }

    /// Users to be deleted, at most so many.
    pub(super) fn take_spares(&self, most: usize) -> Vec<String> {
        let mut spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = spares.len().saturating_sub(most);
        spares.split_off(rest)
    }

    /// What the server has used so far, if its process is known.
    pub(super) fn usage(&self) -> anyhow::Result<Option<Usage>> {
        self.pid.map(usage::read).transpose()
    }
}
