//! What comes back, and from whom: a Scruple server, one of another version, or something else at that address.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::cli::Failure;
use crate::cli::context::Chosen;
use crate::cli::output::items;

/// What every answer of the administration API says.
const VERSION_HEADER: &str = "scruple-version";

/// This program's version, which is the server's if both are of one build.
const OWN_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Who has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// A server of this version.
    Same,
    /// A server of another one.
    Other(String),
    /// Nobody who says that it is a Scruple server.
    Unknown,
}

impl Peer {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        match headers.get(VERSION_HEADER).map(|version| version.to_str().unwrap_or("unknown")) {
            None => Self::Unknown,
            Some(OWN_VERSION) => Self::Same,
            Some(other) => Self::Other(other.to_owned()),
        }
    }
}

/// Nobody has answered.
pub(super) fn no_answer(server: &str, error: &reqwest::Error) -> Failure {
    Failure::Server(format!(
        "no answer from {server}: {}; see that the server runs and that this is its address: `scruple context show` says where the \
         address comes from",
        causes(error)
    ))
}

/// Somebody has answered who is none of ours.
pub(super) fn not_ours(server: &str, status: StatusCode) -> Failure {
    Failure::Server(format!(
        "{server} answers {}, but not as a Scruple server does; see that this is its address: `scruple context show` says where the \
         address comes from",
        status.as_u16()
    ))
}

/// Why the server has refused.
pub(in crate::cli) struct Refused {
    pub(in crate::cli) status: StatusCode,
    problem: Value,
    /// What helps, where the server cannot know it.
    advice: String,
    /// Who has answered, if it is no Scruple server.
    stranger: Option<String>,
}

impl Refused {
    pub(super) fn new(status: StatusCode, body: &[u8], peer: Peer, chosen: &Chosen) -> Self {
        let problem = serde_json::from_slice(body).unwrap_or(Value::Null);
        let stranger = (peer == Peer::Unknown).then(|| chosen.server.0.clone());
        Self { advice: advice(status, &problem, &peer, chosen), status, problem, stranger }
    }

    /// Whether it says so as our servers do (RFC 9457).
    pub(in crate::cli) fn is_problem(&self) -> bool {
        self.stranger.is_none() && self.problem.get("detail").is_some_and(Value::is_string)
    }

    /// In words, with what is wrong in each part of the input, whose place is told as `place` says.
    pub(in crate::cli) fn told(&self, place: impl Fn(&str) -> String) -> Failure {
        let Self { status, problem, advice, stranger } = self;
        if let Some(server) = stranger {
            return not_ours(server, *status);
        }
        let detail = problem.get("detail").and_then(Value::as_str).unwrap_or("no reason given");
        let mut text = format!("{detail} ({}){advice}", status.as_u16());
        for part in items(problem, "errors") {
            let place = place(part.get("pointer").and_then(Value::as_str).unwrap_or(""));
            text.push_str(&format!("\n  {place}: {}", part.get("detail").and_then(Value::as_str).unwrap_or("")));
        }
        match problem.get("code").and_then(Value::as_str) {
            Some(code) if code.starts_with("component") => Failure::Component(text),
            _ => Failure::Server(text),
        }
    }
}

/// What to do about it, where that depends on this computer.
fn advice(status: StatusCode, problem: &Value, peer: &Peer, chosen: &Chosen) -> String {
    // Where two versions misunderstand each other, a path is not there, or a body is not as it should be.
    let misunderstood = matches!(status.as_u16(), 400 | 404 | 405 | 415 | 422) || problem.is_null();
    match (peer, status) {
        (Peer::Other(version), _) if misunderstood => format!(
            "; the server is Scruple {version} and this is the command line of {OWN_VERSION}: if what it says makes no sense, use the \
             command line of its version"
        ),
        (_, StatusCode::UNAUTHORIZED) => {
            let source =
                chosen.token.as_ref().map_or_else(String::new, |(_, source)| format!(", which {source} gives,"));
            format!("; the token{source} is mistyped, revoked or expired: `scruple login` takes another one")
        }
        (_, StatusCode::NOT_FOUND) if is_of_tenant(problem) => {
            "; `scruple context show` says which tenant is meant, and whose the token is".to_owned()
        }
        (_, StatusCode::FORBIDDEN) => "; `scruple context show` says what the token is and allows".to_owned(),
        _ => String::new(),
    }
}

/// Whether it is the tenant that is not there, or not for this token.
fn is_of_tenant(problem: &Value) -> bool {
    problem.get("detail").and_then(Value::as_str).is_some_and(|detail| detail.starts_with("tenant `"))
}

/// What is at the bottom of it.
pub(in crate::cli) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = error.to_string();
        source = error.source();
    }
    text
}
