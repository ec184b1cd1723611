//! Under which scheme, host and port a client reaches us: what `meta.location` and `$ref` begin with.
//!
//! `public_url`, if it is set. Else what the request says of itself, and behind a trusted proxy what the proxy says of the
//! request: `Forwarded` (RFC 7239) or `X-Forwarded-Proto`, `-Host` and `-Port`. From anybody else these are text that a
//! client made up, and are not looked at.

mod forwarded;
mod host;

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::header;
use axum::http::request::Parts;
use ipnet::IpNet;

use crate::scim::error::ScimError;

use self::forwarded::Said;
use self::host::Host;

/// How the origin of a request is found.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// The one that is configured; it is that of every request then.
    pub public_url: Option<String>,
    /// The proxies that are believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// What a URL begins with before the host, if it is one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn parse(word: &str) -> Option<Self> {
        [Self::Http, Self::Https].into_iter().find(|scheme| scheme.as_str().eq_ignore_ascii_case(word))
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl Origins {
    /// The origin of a request, without a slash at the end: `https://scim.example.com`.
    pub fn of(&self, parts: &Parts) -> Result<String, ScimError> {
        if let Some(url) = &self.public_url {
            return Ok(url.clone());
        }
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
        let said = match peer {
            Some(peer) if self.trusts(peer) => forwarded::said(&parts.headers, &|address| self.trusts(address)),
            _ => Said::default(),
        };
        let scheme = said.scheme.unwrap_or(Scheme::Http);
        let mut host = match said.host {
            Some(host) => host,
            None => host_of(parts)?,
        };
        if host.port.is_none() {
            host.port = said.port.filter(|port| *port != scheme.default_port());
        }
        Ok(format!("{}://{host}", scheme.as_str()))
    }

    fn trusts(&self, address: IpAddr) -> bool {
        // A listener for both families shows IPv4 peers as `::ffff:127.0.0.1`.
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|net| net.contains(&address))
    }
}

/// RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that lacks
/// a Host header field and to any request message that contains more than one Host header field line or a Host header
/// field with an invalid field value." It would end up in every `meta.location`.
fn host_of(parts: &Parts) -> Result<Host, ScimError> {
    let mut lines = parts.headers.get_all(header::HOST).iter();
    let line = match (lines.next(), lines.next()) {
        (_, Some(_)) => return Err(bad_host("is there more than once")),
        (line, None) => line.and_then(|value| value.to_str().ok()),
    };
    // HTTP/2 has the host in the URI; so has HTTP/1.1 in its absolute form, which then goes before the header.
    let text = parts.uri.authority().map(|authority| authority.as_str()).or(line);
    text.and_then(Host::parse).ok_or_else(|| bad_host("is missing, or no host with or without a port"))
}

fn bad_host(why: &str) -> ScimError {
    ScimError::refused(400, None, format!("the request's Host {why}"))
}

#[cfg(test)]
mod tests;
