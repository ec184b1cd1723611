//! `scruple context`: servers, tenants and tokens that go together, kept by `scruple login`.

mod chosen;
mod file;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::cli::Failure;
use crate::cli::client::Client;
use crate::cli::output::{Output, text};

pub(super) use chosen::{Chosen, Options, Source, named, same_server};
pub(super) use file::{Context as Kept, Contexts};

#[derive(Debug, Subcommand)]
pub(super) enum Context {
    /// List the contexts.
    List,
    /// Make a context the current one, which counts if none is named.
    Use {
        /// The context.
        name: String,
    },
    /// Show which server, tenant and token commands use, who says so, and what the server knows of the token.
    Show {
        /// Only what this context has; the server is not asked.
        name: Option<String>,
    },
    /// Remove a context, with its token.
    Remove {
        /// The context.
        name: String,
    },
}

impl Context {
    pub(super) async fn run(&self, client: &Client, options: &Options, output: &Output) -> Result<(), Failure> {
        match self {
            Self::List => list(&Contexts::read()?, output),
            Self::Use { name } => {
                let context = Contexts::change(|contexts| {
                    let context = contexts.named(name)?.clone();
                    contexts.current = Some(name.clone());
                    Ok(context)
                })?;
                output
                    .line(&shown(name, &context), format!("context {name} is used from now on: {}", where_to(&context)))
            }
            Self::Show { name: Some(name) } => {
                let contexts = Contexts::read()?;
                let context = contexts.named(name)?;
                output.line(&shown(name, context), format!("context {name}: {}", where_to(context)))
            }
            Self::Show { name: None } => {
                let chosen = Chosen::of(options)?;
                let known = match &chosen.token {
                    Some(_) => Some(client.get(&["token"]).await),
                    None => None,
                };
                in_use(&chosen, known, output)
            }
            Self::Remove { name } => {
                let was_current = Contexts::change(|contexts| {
                    contexts.named(name)?;
                    contexts.contexts.remove(name);
                    let was_current = contexts.current.as_deref() == Some(name);
                    contexts.current = contexts.current.take().filter(|_| !was_current);
                    Ok(was_current)
                })?;
                let current = if was_current { "; none is current now" } else { "" };
                output.line(&json!({ "removed": name }), format!("removed context {name}{current}"))
            }
        }
    }
}

/// A context without its token.
pub(super) fn shown(name: &str, context: &Kept) -> Value {
    json!({ "name": name, "server": context.server, "tenant": context.tenant, "logged_in": context.token.is_some() })
}

fn where_to(context: &Kept) -> String {
    let token = if context.token.is_some() { "" } else { ", logged out" };
    format!("{}{token}", place(&context.server, context.tenant.as_deref()))
}

/// A server, and a tenant of it.
pub(super) fn place(server: &str, tenant: Option<&str>) -> String {
    tenant.map_or_else(|| format!("{server} as the operator"), |tenant| format!("{server}, tenant {tenant}"))
}

fn list(contexts: &Contexts, output: &Output) -> Result<(), Failure> {
    let rows = contexts.contexts.iter().map(|(name, context)| {
        let current = if contexts.current.as_ref() == Some(name) { "*" } else { "" };
        let token = if context.token.is_some() { "kept" } else { "none" };
        let tenant = context.tenant.as_deref().unwrap_or("–");
        [current, name, &context.server, tenant, token].map(str::to_owned).into()
    });
    let all: Vec<Value> = contexts.contexts.iter().map(|(name, context)| shown(name, context)).collect();
    let json = json!({ "current": contexts.current, "contexts": all });
    output.table(&json, &["", "context", "server", "tenant", "token"], rows.collect())
}

/// What is used, and what the server has said about the token if there is one.
fn in_use(chosen: &Chosen, known: Option<Result<Value, Failure>>, output: &Output) -> Result<(), Failure> {
    let member = |said: &Option<(String, Source)>| {
        said.as_ref().map(|(value, source)| json!({ "value": value, "source": source.to_string() }))
    };
    let line = |what: &str, said: &Option<(String, Source)>| match said {
        Some((value, source)) => format!("{what} {value}, by {source}"),
        None => format!("no {what}"),
    };
    let token = chosen.token.as_ref().map(|(_, source)| source.to_string());
    let server = Some(chosen.server.clone());
    let said = known.as_ref().map(|known| known.as_ref().map_or_else(Failure::to_string, known_as));
    let failure = known.as_ref().and_then(|known| known.as_ref().err()).map(Failure::to_string);
    let known = known.and_then(Result::ok);
    let json = json!({
        "context": chosen.context,
        "server": member(&server),
        "tenant": member(&chosen.tenant),
        "token": token.as_ref().map(|source| json!({ "source": source, "known": known, "failure": failure })),
    });
    let context = match (&chosen.context, &chosen.passed_over) {
        (None, _) => "no context".to_owned(),
        (Some(context), None) => format!("context {context}"),
        (Some(context), Some(server)) => format!("context {context} does not count: it is for {server}"),
    };
    let token = token.map_or_else(|| "no token".to_owned(), |source| format!("a token, by {source}"));
    let mut lines = vec![context, line("server", &server), line("tenant", &chosen.tenant), token];
    lines.extend(said);
    output.line(&json, lines.join("\n"))
}

/// What the server knows of a token.
fn known_as(known: &Value) -> String {
    if known.get("operator") == Some(&Value::Bool(true)) {
        return "the server knows it as the operator's".to_owned();
    }
    let until = match known.get("expires_at") {
        None => "never expires".to_owned(),
        Some(_) => format!("expires {}", text(known, "expires_at")),
    };
    let user = known.get("user").map_or_else(String::new, |_| format!(", for user {}", text(known, "user")));
    let [label, tenant, scopes] = ["label", "tenant", "scopes"].map(|name| text(known, name));
    format!("the server knows it as `{label}` of tenant {tenant}: scopes {scopes}; {until}{user}")
}
