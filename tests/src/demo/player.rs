//! Sends the story's requests, prints them with their answers, and checks each against what the story expects.

use std::net::SocketAddr;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{ApiClient, Response};

/// Characters of a body that are shown; the story's bodies are small, answers are cut.
const SHOWN_CHARS: usize = 150;

/// What the story expects of an answer.
pub(super) enum Expect {
    /// This status.
    Status(u16),
    /// A refusal with this status, by this constraint, with this reason code.
    Refused(u16, &'static str, &'static str),
    /// A refusal because this constraint could not be evaluated.
    Faulted(&'static str),
}

/// See the module.
pub(super) struct Player {
    address: SocketAddr,
    colours: bool,
    played: u32,
    surprises: u32,
    /// The last decision that refused something, to be explained at the end.
    pub(super) last_denial: Option<String>,
}

impl Player {
    pub(super) fn new(address: SocketAddr, colours: bool) -> Self {
        Self { address, colours, played: 0, surprises: 0, last_denial: None }
    }

    pub(super) fn client(&self, token: &str) -> ApiClient {
        ApiClient::new(self.address, token)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Begins a chapter.
    pub(super) fn chapter(&self, title: &str) {
        println!("\n{}", self.paint("1", &format!("== {title}")));
    }

    /// Plays one request.
    pub(super) async fn play(
        &mut self,
        client: &ApiClient,
        title: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
        expect: Expect,
    ) -> anyhow::Result<Response> {
        self.played += 1;
        println!("\n{:>3}. {}", self.played, self.paint("1", title));
        let shown = body.as_ref().map_or_else(String::new, |body| shorten(&body.to_string()));
        println!("     {method} {path} {shown}");
        let request = client.request(method, path);
        let request = match &body {
            Some(body) => request.header("content-type", "application/scim+json").body(body.to_string()),
            None => request,
        };
        let answer = client.try_send(request).await?;
        let right = expect.holds(&answer);
        println!(
            "     {} {}",
            self.paint(if answer.status < 300 { "32" } else { "33" }, &answer.status.to_string()),
            said(&answer)
        );
        if right {
            println!("     {}", self.paint("32", "✓ as expected"));
        } else {
            self.surprises += 1;
            println!("     {} expected {}", self.paint("31", "✗ a surprise:"), expect.in_words());
            println!("     {:#}", answer.body);
        }
        if let Some(decision) = answer.decision_id().filter(|_| answer.status >= 400) {
            self.last_denial = Some(decision);
        }
        Ok(answer)
    }

    /// Says how it went; `true` if nothing was a surprise.
    pub(super) fn summary(&self) -> bool {
        let right = self.played - self.surprises;
        println!("\n{}", self.paint("1", &format!("{right} of {} answers were the expected ones.", self.played)));
        self.surprises == 0
    }
}

impl Expect {
    fn holds(&self, answer: &Response) -> bool {
        match self {
            Self::Status(status) => answer.status == *status,
            Self::Refused(status, constraint, code) => {
                let reasons = &answer.body["urn:scruple:params:scim:api:messages:1.0:Decision"]["reasons"];
                let named = |reason: &Value| reason["constraint"] == *constraint && reason["code"] == *code;
                answer.status == *status && reasons.as_array().is_some_and(|reasons| reasons.iter().any(named))
            }
            Self::Faulted(constraint) => {
                answer.status == 403
                    && answer.detail().contains(&format!("constraint `{constraint}` could not be evaluated"))
            }
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Status(status) => status.to_string(),
            Self::Refused(status, constraint, code) => format!("{status}, refused by {constraint} with {code}"),
            Self::Faulted(constraint) => format!("403 because {constraint} could not be evaluated"),
        }
    }
}

/// What an answer says, in a line: who refused and why, else the resource.
fn said(answer: &Response) -> String {
    let decision = &answer.body["urn:scruple:params:scim:api:messages:1.0:Decision"];
    if let Some(reasons) = decision["reasons"].as_array().filter(|reasons| !reasons.is_empty()) {
        let lines: Vec<String> = reasons
            .iter()
            .map(|reason| {
                let part = |name: &str| reason[name].as_str().unwrap_or("").to_owned();
                format!("{} [{}] {}", part("constraint"), part("code"), part("message"))
            })
            .collect();
        return lines.join("\n         ");
    }
    match &answer.body {
        Value::Null => String::new(),
        body if answer.status >= 400 => shorten(body["detail"].as_str().unwrap_or("")),
        body => shorten(&body.to_string()),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}

/// A PATCH message.
pub(super) fn patch(operations: Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(constraint: &str, code: &str) -> Response {
        let reason = json!({ "constraint": constraint, "code": code });
        let body = json!({ "urn:scruple:params:scim:api:messages:1.0:Decision": { "reasons": [reason] } });
        Response { status: 403, headers: Default::default(), body }
    }

    #[test]
    fn a_refusal_by_somebody_else_or_for_another_reason_is_a_surprise() {
        assert!(Expect::Refused(403, "a", "x").holds(&refusal("a", "x")));
        assert!(!Expect::Refused(403, "a", "x").holds(&refusal("b", "x")));
        assert!(!Expect::Refused(403, "a", "x").holds(&refusal("a", "y")));
        assert!(!Expect::Refused(400, "a", "x").holds(&refusal("a", "x")));
        assert!(!Expect::Faulted("a").holds(&refusal("a", "x")));
        assert!(!Expect::Status(201).holds(&refusal("a", "x")));
    }

    #[test]
    fn one_surprise_fails_the_demo() {
        let mut player = Player::new(SocketAddr::from(([127, 0, 0, 1], 9)), false);
        player.played = 30;
        assert!(player.summary());
        player.surprises = 1;
        assert!(!player.summary());
    }
}
