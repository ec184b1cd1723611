//! What a registry asks for when it wants to know who somebody is: a token of its token server, or name and password
//! (RFC 9110 §11.6.1, and "Token Authentication" of the distribution project).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{self, HeaderMap};
use reqwest::{RequestBuilder, StatusCode, Url};
use serde_json::Value;

use super::super::credentials::Credentials;
use super::Registry;
use crate::cli::Failure;
use crate::cli::client::causes;

/// A token server's answer.
const TOKEN_BYTES_MAX: usize = 256 << 10;

/// A challenge in `WWW-Authenticate`.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

impl Registry {
    /// The header that the registry asks for; `None`, if there is nothing to answer.
    pub(super) async fn authorize(&self, headers: &HeaderMap) -> Result<Option<String>, Failure> {
        let asked = headers.get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        match (asked.filter_map(challenge).next(), &self.credentials) {
            (Some(Challenge::Basic), Some(Credentials::Password { user, password })) => Ok(Some(basic(user, password))),
            (Some(Challenge::Bearer { realm, service, scope }), _) => {
                let scope = scope.unwrap_or_else(|| format!("repository:{}:{}", self.repository, self.actions));
                self.token(&realm, service, scope).await.map(Some)
            }
            (Some(Challenge::Basic) | None, _) => Ok(None),
        }
    }

    async fn token(&self, realm: &str, service: Option<String>, scope: String) -> Result<String, Failure> {
        let mut url = Url::parse(realm).map_err(|_| self.failed("names a token server that has no address"))?;
        // A registry that is reached with TLS must not have the password sent without.
        if !self.is_plain && url.scheme() != "https" {
            return Err(self.failed("names a token server without TLS"));
        }
        let request = self.token_request(&mut url, service, scope);
        let sent = request.send().await;
        let response =
            sent.map_err(|error| self.failed(&format!("has a token server that gives no answer: {}", causes(&error))))?;
        let status = response.status();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(self.failed(&match self.credentials {
                Some(_) => format!("has a token server that does not take these credentials ({})", status.as_u16()),
                None => format!(
                    "gives no token to somebody unknown ({}): use `docker login`, or set SCRUPLE_REGISTRY_USER and \
                     SCRUPLE_REGISTRY_PASSWORD",
                    status.as_u16()
                ),
            }));
        }
        let body = self.read(response, TOKEN_BYTES_MAX, "a token").await?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let token = ["token", "access_token"].into_iter().find_map(|name| body.get(name).and_then(Value::as_str));
        let token = token.filter(|token| status.is_success() && !token.is_empty());
        let none = || self.failed(&format!("has a token server that gives no token ({})", status.as_u16()));
        token.map(|token| format!("Bearer {token}")).ok_or_else(none)
    }

    fn token_request(&self, url: &mut Url, service: Option<String>, scope: String) -> RequestBuilder {
        let mut members = vec![("scope", scope)];
        members.extend(service.map(|service| ("service", service)));
        if let Some(Credentials::Identity(token)) = &self.credentials {
            members.push(("grant_type", "refresh_token".to_owned()));
            members.push(("client_id", "scruple".to_owned()));
            members.push(("refresh_token", token.clone()));
            let mut form = Url::clone(url);
            form.set_query(None);
            form.query_pairs_mut().extend_pairs(&members);
            let body = form.query().unwrap_or_default().to_owned();
            return self
                .http
                .post(url.clone())
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(body);
        }
        url.query_pairs_mut().extend_pairs(&members);
        let request = self.http.get(url.clone());
        match &self.credentials {
            Some(Credentials::Password { user, password }) => {
                request.header(header::AUTHORIZATION, basic(user, password))
            }
            _ => request,
        }
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// The challenge that a header is, if it is one that can be answered.
fn challenge(header: &str) -> Option<Challenge> {
    let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut realm, mut service, mut scope) = (None, None, None);
    let mut rest = rest;
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        let member = match name.trim_matches([',', ' ']).to_ascii_lowercase().as_str() {
            "realm" => &mut realm,
            "service" => &mut service,
            "scope" => &mut scope,
            _ => &mut None,
        };
        *member = Some(value.to_owned());
        rest = after;
    }
    Some(Challenge::Bearer { realm: realm?, service, scope })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_with_commas_in_its_scope() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| {
            Some(Challenge::Bearer {
                realm: realm.to_owned(),
                service: service.map(str::to_owned),
                scope: scope.map(str::to_owned),
            })
        };
        let text = r#"Bearer realm="https://a.io/token",service="r.io",scope="repository:a/b:pull,push",error="x""#;
        assert_eq!(challenge(text), bearer("https://a.io/token", Some("r.io"), Some("repository:a/b:pull,push")));
        assert_eq!(challenge("bearer realm=https://a.io, service=r"), bearer("https://a.io", Some("r"), None));
        assert_eq!(challenge("Basic realm=\"r\""), Some(Challenge::Basic));
        for none in ["", "Negotiate", "Bearer", "Bearer service=\"r\"", "Bearer realm=\"open"] {
            assert_eq!(challenge(none), None, "{none}");
        }
    }
}
