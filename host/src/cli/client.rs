//! The administration API, called.

mod answer;

use std::io::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Response, Url};
use serde_json::Value;

use crate::cli::context::{Chosen, Options};
use crate::cli::{Failure, TenantArg};

use answer::{Peer, no_answer};
pub(super) use answer::{Refused, causes};

/// How long a server may take to accept a connection: what a server at the other end of the world needs, twenty times over.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A server and the token to use it with, found out when they are needed first: not every command needs them.
pub(super) struct Client {
    options: Options,
    chosen: OnceLock<Chosen>,
    http: reqwest::Client,
}

/// An address as it was given.
pub(super) fn address(server: &str) -> Result<Url, Failure> {
    let url = Url::parse(server).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let wrong = || Failure::Usage(format!("`{server}` is not an address such as `https://scruple.example.com`"));
    url.ok_or_else(wrong)
}

impl Client {
    pub(super) fn new(options: Options) -> Result<Self, Failure> {
        // Fails only if a provider is installed already, which then serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(|error| Failure::Local(format!("cannot make an HTTP client: {error}")))?;
        Ok(Self { options, chosen: OnceLock::new(), http })
    }

    fn chosen(&self) -> Result<&Chosen, Failure> {
        if let Some(chosen) = self.chosen.get() {
            return Ok(chosen);
        }
        let chosen = Chosen::of(&self.options)?;
        let is_first = self.chosen.get().is_none();
        let chosen = self.chosen.get_or_init(|| chosen);
        if is_first && chosen.token.is_some() {
            warn_of_plain_http(&chosen.server.0);
        }
        Ok(chosen)
    }

    /// The tenant that a command is about.
    pub(super) fn tenant<'a>(&'a self, given: &'a TenantArg) -> Result<&'a str, Failure> {
        match &given.tenant {
            Some(tenant) => Ok(tenant),
            None => self.chosen()?.tenant(),
        }
    }

    /// A call below `/api/v1`, each segment taken as it is.
    pub(super) fn request(&self, method: Method, segments: &[&str]) -> Result<RequestBuilder, Failure> {
        let chosen = self.chosen()?;
        let (mut url, token) = (address(&chosen.server.0)?, chosen.token()?);
        url.path_segments_mut()
            .map_err(|()| Failure::Usage(format!("`{}` cannot have a path", chosen.server.0)))?
            .pop_if_empty()
            .extend(["api", "v1"])
            .extend(segments);
        Ok(self.http.request(method, url).bearer_auth(token))
    }

    pub(super) async fn get(&self, segments: &[&str]) -> Result<Value, Failure> {
        self.send(self.request(Method::GET, segments)?).await
    }

    pub(super) async fn delete(&self, segments: &[&str]) -> Result<Value, Failure> {
        self.send(self.request(Method::DELETE, segments)?).await
    }

    pub(super) async fn post(&self, segments: &[&str], body: &Value) -> Result<Value, Failure> {
        self.send(self.request(Method::POST, segments)?.json(body)).await
    }

    /// The same; places in `body` that the server names are told as `place` says.
    pub(super) async fn post_placed(
        &self,
        segments: &[&str],
        body: &Value,
        place: impl Fn(&str) -> String,
    ) -> Result<Value, Failure> {
        let sent = self.ask(self.request(Method::POST, segments)?.json(body)).await?;
        let body = sent.map_err(|problem| problem.told(place))?;
        Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    pub(super) async fn put(&self, segments: &[&str], body: &Value) -> Result<Value, Failure> {
        self.send(self.request(Method::PUT, segments)?.json(body)).await
    }

    pub(super) async fn patch(&self, segments: &[&str], body: &Value) -> Result<Value, Failure> {
        self.send(self.request(Method::PATCH, segments)?.json(body)).await
    }

    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let body = self.send_for_bytes(request).await?;
        Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// For what is no JSON.
    pub(super) async fn send_for_text(&self, request: RequestBuilder) -> Result<String, Failure> {
        Ok(String::from_utf8_lossy(&self.send_for_bytes(request).await?).into_owned())
    }

    async fn send_for_bytes(&self, request: RequestBuilder) -> Result<Vec<u8>, Failure> {
        let place = |pointer: &str| if pointer.is_empty() { "settings".to_owned() } else { pointer.to_owned() };
        self.ask(request).await?.map_err(|refused| refused.told(place))
    }

    /// What the server answers: a body, or why it refuses.
    pub(super) async fn ask(&self, request: RequestBuilder) -> Result<Result<Vec<u8>, Refused>, Failure> {
        let server = &self.chosen()?.server.0;
        Ok(match self.answer(request).await? {
            Ok(response) => Ok(response.bytes().await.map_err(|error| no_answer(server, &error))?.into()),
            Err(refused) => Err(refused),
        })
    }

    /// Bytes, at most so many, and the headers before them.
    pub(super) async fn download(
        &self,
        request: RequestBuilder,
        bytes_max: usize,
    ) -> Result<(HeaderMap, Vec<u8>), Failure> {
        let server = &self.chosen()?.server.0;
        let mut response = self.answer(request).await?.map_err(|refused| refused.told(str::to_owned))?;
        let (headers, mut bytes) = (response.headers().clone(), Vec::new());
        while let Some(piece) = response.chunk().await.map_err(|error| no_answer(server, &error))? {
            if bytes.len().saturating_add(piece.len()) > bytes_max {
                return Err(Failure::Server(format!("the server sends more than the {bytes_max} bytes that it has")));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok((headers, bytes))
    }

    /// An answer of a Scruple server whose body is still to be read, or why it refuses.
    async fn answer(&self, request: RequestBuilder) -> Result<Result<Response, Refused>, Failure> {
        let chosen = self.chosen()?;
        let server = &chosen.server.0;
        let response = request.send().await.map_err(|error| no_answer(server, &error))?;
        let (status, peer) = (response.status(), Peer::of(response.headers()));
        if status.is_success() {
            return if peer == Peer::Unknown { Err(answer::not_ours(server, status)) } else { Ok(Ok(response)) };
        }
        let body = response.bytes().await.map_err(|error| no_answer(server, &error))?;
        Ok(Err(Refused::new(status, &body, peer, chosen)))
    }
}

/// A token that is sent in the open to another computer can be read on the way.
fn warn_of_plain_http(server: &str) {
    let Ok(url) = address(server) else { return };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if url.scheme() == "http" && !is_here {
        // Nobody is left to be told if standard error is closed.
        let _ = writeln!(
            std::io::stderr().lock(),
            "warning: the token goes to {host} without encryption, and whoever sees it on the way can use it; use https"
        );
    }
}
