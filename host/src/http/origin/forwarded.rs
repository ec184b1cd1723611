//! What a trusted proxy says of the request that it has passed on.
//!
//! A value that is malformed makes all of it worth nothing: half of a claim is not believed.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header};

use super::Scheme;
use super::host::{Host, parse_port};

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// What is said; `None` where nothing is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) scheme: Option<Scheme>,
    pub(super) host: Option<Host>,
    /// Beside the host.
    pub(super) port: Option<u16>,
}

/// What both ways of saying it come to. Where they contradict each other, one of them is the client's own, passed
/// through: then neither counts.
pub(super) fn said(headers: &HeaderMap, trusts: &dyn Fn(IpAddr) -> bool) -> Said {
    let standard = standard(headers, trusts).unwrap_or_default();
    let customary = customary(headers).unwrap_or_default();
    if differ(&standard.scheme, &customary.scheme) || differ(&standard.host, &customary.host) {
        return Said::default();
    }
    Said { scheme: standard.scheme.or(customary.scheme), host: standard.host.or(customary.host), port: customary.port }
}

fn differ<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> bool {
    one.is_some() && other.is_some() && one != other
}

/// `X-Forwarded-*`. Each may have grown to a list; its last entry is of the proxy that we know.
fn customary(headers: &HeaderMap) -> Option<Said> {
    Some(Said {
        scheme: read(headers, X_FORWARDED_PROTO, Scheme::parse)?,
        host: read(headers, X_FORWARDED_HOST, Host::parse)?,
        port: read(headers, X_FORWARDED_PORT, parse_port)?,
    })
}

/// `Some(None)`: nothing is said. `None`: it is malformed.
fn read<T>(headers: &HeaderMap, name: HeaderName, parse: fn(&str) -> Option<T>) -> Option<Option<T>> {
    let Some(line) = headers.get_all(name).iter().next_back() else { return Some(None) };
    let last = line.to_str().ok()?.rsplit(',').next()?.trim();
    parse(last).map(Some)
}

/// `Forwarded`. Each proxy adds an element at the end, which says how it was reached, and by whom. Those of proxies that
/// are trusted are passed on the way back to the client; the element where the client comes from is the one that counts.
fn standard(headers: &HeaderMap, trusts: &dyn Fn(IpAddr) -> bool) -> Option<Said> {
    let lines: Option<Vec<&str>> = headers.get_all(header::FORWARDED).iter().map(|value| value.to_str().ok()).collect();
    let elements: Option<Vec<Element>> =
        split(&lines?.join(","), ',')?.into_iter().filter(|text| !text.is_empty()).map(Element::parse).collect();
    let mut nearest = Said::default();
    for element in elements?.into_iter().rev() {
        nearest = element.said;
        if !element.by_whom.is_some_and(trusts) {
            break;
        }
    }
    Some(nearest)
}

/// RFC 7239 §4: `for=192.0.2.43;host=scim.example.com;proto=https`.
struct Element {
    by_whom: Option<IpAddr>,
    said: Said,
}

impl Element {
    fn parse(text: &str) -> Option<Self> {
        let mut seen: Vec<String> = Vec::new();
        let mut element = Self { by_whom: None, said: Said::default() };
        for pair in split(text, ';')?.into_iter().filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=')?;
            let (name, value) = (name.to_ascii_lowercase(), unquoted(value)?);
            // "Each parameter MUST NOT occur more than once per field-value."
            if name.is_empty() || !name.bytes().all(is_token) || seen.contains(&name) {
                return None;
            }
            match name.as_str() {
                // May be `unknown` or `_made_up`, which is nobody we know.
                "for" => element.by_whom = address(&value),
                "host" => element.said.host = Some(Host::parse(&value)?),
                "proto" => element.said.scheme = Some(Scheme::parse(&value)?),
                _ => {}
            }
            seen.push(name);
        }
        Some(element)
    }
}

/// §6: an address, that of IPv6 in brackets, and maybe a port.
fn address(node: &str) -> Option<IpAddr> {
    let bare = node.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(node);
    let with_port = || node.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.parse().ok().or_else(with_port)
}

/// The parts between separators that do not stand in a quoted string. `None`: a quotation does not end.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut begin) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if character == separator && !quoted => {
                parts.push(text.get(begin..at)?.trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(begin..)?.trim());
    (!quoted).then_some(parts)
}

/// A token as it is, a quoted string without its quotation (RFC 9110 §5.6.4).
fn unquoted(value: &str) -> Option<String> {
    let Some(rest) = value.strip_prefix('"') else {
        return (!value.is_empty() && value.bytes().all(is_token)).then(|| value.to_owned());
    };
    let (mut text, mut escaped) = (String::new(), false);
    for character in rest.strip_suffix('"')?.chars() {
        match character {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return None,
            _ => {
                text.push(character);
                escaped = false;
            }
        }
    }
    (!escaped).then_some(text)
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
