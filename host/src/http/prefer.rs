//! `Prefer` (RFC 7240): whether a client would rather be answered before its request is carried out.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};

use crate::store::Tenant;

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// What a client prefers, where its tenant allows it. Where not, the preference is as good as not expressed: RFC 7240 §2
/// has a server ignore what it cannot or does not want to honour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preference(pub Option<RespondAsync>);

/// `respond-async` (RFC 7240 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RespondAsync {
    /// For how long the client would rather wait for the answer proper: `wait` (§4.3), which RFC 9967 §2.5.1.1 wants
    /// supported; no time at all if there is none.
    pub wait: Duration,
}

impl Preference {
    /// That of a request, as far as the tenant lets it count.
    pub fn of(headers: &HeaderMap, tenant: &Tenant) -> Self {
        Self(tenant.respond_async.then(|| respond_async(headers)).flatten())
    }
}

/// Looks through all the headers as if they were one list (RFC 9110 §5.3). "If any preference is specified more than
/// once, only the first instance is to be considered" (RFC 7240 §2), also if it makes no sense.
fn respond_async(headers: &HeaderMap) -> Option<RespondAsync> {
    let (mut is_preferred, mut wait) = (None, None);
    for header in headers.get_all(PREFER).iter().filter_map(|header| header.to_str().ok()) {
        for preference in split(header, ',') {
            let (name, value) = read(preference);
            if name.eq_ignore_ascii_case("respond-async") {
                // It has no value, which is the same as an empty one (§2).
                is_preferred.get_or_insert(value.is_some_and(|value| value.is_empty()));
            } else if name.eq_ignore_ascii_case("wait") {
                wait.get_or_insert_with(|| value.and_then(|seconds| seconds.parse::<u32>().ok()));
            }
        }
    }
    let seconds = wait.flatten().unwrap_or(0);
    is_preferred.unwrap_or(false).then(|| RespondAsync { wait: Duration::from_secs(seconds.into()) })
}

/// Name and value of a preference, whose parameters mean nothing here. `None`: the value's quotation does not end.
fn read(preference: &str) -> (&str, Option<String>) {
    let without_parameters = split(preference, ';').next().unwrap_or_default();
    let (name, value) = without_parameters.split_once('=').unwrap_or((without_parameters, ""));
    (name.trim(), unquoted(value.trim()))
}

fn unquoted(value: &str) -> Option<String> {
    let Some(quoted) = value.strip_prefix('"') else { return Some(value.to_owned()) };
    let mut characters = quoted.chars();
    let mut text = String::new();
    while let Some(character) = characters.next() {
        match character {
            '"' => return characters.as_str().is_empty().then_some(text),
            '\\' => text.push(characters.next()?),
            other => text.push(other),
        }
    }
    None
}

/// The parts between separators that stand in no quoted string (RFC 9110 §5.6.4).
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |character| {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => return character == separator && !is_quoted,
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn check(headers: &[&str], expected: Option<u64>) {
        let mut map = HeaderMap::new();
        for header in headers {
            map.append(PREFER, HeaderValue::from_str(header).unwrap());
        }
        let expected = expected.map(|seconds| RespondAsync { wait: Duration::from_secs(seconds) });
        assert_eq!(respond_async(&map), expected, "{headers:?}");
    }

    #[test]
    fn it_is_found_among_other_preferences_in_any_spelling() {
        check(&[], None);
        check(&["respond-async"], Some(0));
        check(&["Respond-ASYNC"], Some(0));
        check(&["return=minimal, respond-async"], Some(0));
        check(&["return=minimal", "handling=lenient", "respond-async"], Some(0));
        check(&[" ,, respond-async ;foo;bar=\"1,2\" , x"], Some(0));
        check(&["respond-async=\"\""], Some(0));
        check(&["respond-async = "], Some(0));
        check(&["return=minimal"], None);
        check(&["respond-asynchronously"], None);
        check(&["respond-async=yes"], None);
    }

    #[test]
    fn what_stands_in_a_quoted_string_is_no_preference() {
        check(&["note=\"a, respond-async\""], None);
        check(&["note=\"a\\\", respond-async, \\\"b\""], None);
        check(&["note=\"a;b\\\\\", respond-async"], Some(0));
        check(&["foo; note=\", respond-async\""], None);
        check(&["note=\"never ends, respond-async"], None);
    }

    #[test]
    fn wait_says_how_long_and_its_first_instance_counts() {
        check(&["respond-async, wait=10"], Some(10));
        check(&["wait=\"10\"", "respond-async"], Some(10));
        check(&["respond-async, wait=1; x, wait=2"], Some(1));
        check(&["wait=soon, wait=2, respond-async"], Some(0));
        check(&["respond-async, wait=-1"], Some(0));
        check(&["respond-async, wait=\"1\"0"], Some(0));
        check(&["respond-async=no, respond-async"], None);
        check(&["wait=10"], None);
    }
}
