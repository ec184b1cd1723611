//! `scruple login` and `scruple logout`: a token is checked and kept, so that it need not be typed again.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;
use reqwest::{Method, StatusCode};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde_json::Value;

use crate::cli::client::{Client, address};
use crate::cli::context::{Chosen, Contexts, Kept, Options, named, place, same_server, shown};
use crate::cli::output::Output;
use crate::cli::{Failure, TenantArg};

#[derive(Debug, Args)]
#[command(
    after_help = "The token is taken from `--token`, from SCRUPLE_TOKEN, or asked for; where there is no terminal, it is \
                        read from standard input. `--context` names the context, which is called like the tenant otherwise."
)]
pub(super) struct Login {
    #[command(flatten)]
    pub(super) tenant: TenantArg,
}

#[derive(Debug, Args)]
pub(super) struct Logout {}

impl Login {
    pub(super) async fn run(&self, options: Options, output: &Output) -> Result<(), Failure> {
        let options = Options { tenant: self.tenant.tenant.clone(), ..options };
        let contexts = Contexts::read()?;
        let chosen = Chosen::for_login(&options, &contexts);
        let (server, _) = chosen.server.clone();
        let tenant = chosen.tenant.clone().map(|(tenant, _)| tenant);
        let name = name_of(&options, &contexts, &server, tenant.as_deref())?;
        // The address must be one before anybody types a secret.
        address(&server)?;
        let token = match chosen.token {
            Some((token, _)) => token,
            None => asked(&place(&server, tenant.as_deref()))?,
        };
        let token = token.trim().to_owned();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::Usage(
                "that is no token: one has letters, digits and signs, and no spaces".to_owned(),
            ));
        }
        check(&server, tenant.as_deref(), &token).await?;
        let context = Kept { server, tenant, token: Some(token) };
        let told = shown(&name, &context);
        let said = format!(
            "logged in to {}; it is context {name}, which is used from now on",
            place(&context.server, context.tenant.as_deref())
        );
        Contexts::change(|contexts| {
            contexts.contexts.insert(name.clone(), context);
            contexts.current = Some(name);
            Ok(())
        })?;
        output.line(&told, said)
    }
}

impl Logout {
    /// Forgets the token of the context that is named, or of the current one.
    pub(super) fn run(&self, options: &Options, output: &Output) -> Result<(), Failure> {
        let (name, context) = Contexts::change(|contexts| {
            let name = named(options).or_else(|| contexts.current.clone());
            let name =
                name.ok_or_else(|| Failure::Usage("no context is current: name one with `--context`".to_owned()))?;
            let Some(context) = contexts.contexts.get_mut(&name) else { return Err(contexts.unknown(&name)) };
            context.token = None;
            Ok((name, context.clone()))
        })?;
        let said =
            format!("the token of context {name} is forgotten here; `scruple token revoke` ends it at the server");
        output.line(&shown(&name, &context), said)
    }
}

/// The name of a context: what is said, else that of the present one for the same, else the tenant's.
fn name_of(options: &Options, contexts: &Contexts, server: &str, tenant: Option<&str>) -> Result<String, Failure> {
    if let Some(name) = named(options) {
        return Ok(name);
    }
    let is_same = |context: &Kept| same_server(&context.server, server) && context.tenant.as_deref() == tenant;
    if let Some((name, _)) = contexts.contexts.iter().find(|(_, context)| is_same(context)) {
        return Ok(name.clone());
    }
    let name = tenant.unwrap_or("operator");
    match contexts.contexts.get(name) {
        Some(other) => Err(Failure::Usage(format!(
            "the context `{name}` is for {}: name this one with `--context`",
            place(&other.server, other.tenant.as_deref())
        ))),
        None => Ok(name.to_owned()),
    }
}

/// Asks for a token on the terminal, without showing it; without a terminal, reads a line.
fn asked(for_what: &str) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::Local(format!("cannot ask for the token: {error}"));
    let stdin = io::stdin();
    let mut token = String::new();
    if !stdin.is_terminal() {
        stdin.lock().read_line(&mut token).map_err(failed)?;
        if token.trim().is_empty() {
            return Err(Failure::Usage(
                "no token: give it as `--token`, in the environment as SCRUPLE_TOKEN, or on standard input".to_owned(),
            ));
        }
        return Ok(token);
    }
    let mut asked = io::stderr().lock();
    write!(asked, "Token for {for_what}: ").and_then(|()| asked.flush()).map_err(failed)?;
    let before = tcgetattr(&stdin).map_err(|error| failed(error.into()))?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    // What was typed before is not shown either.
    tcsetattr(&stdin, OptionalActions::Flush, &silent).map_err(|error| failed(error.into()))?;
    let read = stdin.lock().read_line(&mut token);
    tcsetattr(&stdin, OptionalActions::Now, &before).map_err(|error| failed(error.into()))?;
    writeln!(asked).map_err(failed)?;
    read.map_err(failed)?;
    Ok(token)
}

/// Asks the server whether it knows the token, for what the command line does.
async fn check(server: &str, tenant: Option<&str>, token: &str) -> Result<(), Failure> {
    let client = Client::new(Options {
        server: Some(server.to_owned()),
        tenant: Some(tenant.unwrap_or_default().to_owned()),
        token: Some(token.to_owned()),
        context: None,
    })?;
    let (segments, member): (Vec<&str>, _) = match tenant {
        Some(tenant) => (vec!["tenants", tenant, "constraints"], "constraints"),
        None => (vec!["tenants"], "tenants"),
    };
    let answered = client.ask(client.request(Method::GET, &segments)?).await?;
    let told = |text: &str| Err(Failure::Server(format!("{server} {text}; nothing is kept")));
    match answered {
        Ok(body) => match serde_json::from_slice::<Value>(&body) {
            Ok(body) if body.get(member).is_some_and(Value::is_array) => Ok(()),
            _ => told("answers, but not as a Scruple server does"),
        },
        Err(refused) => match (refused.status, tenant) {
            (StatusCode::UNAUTHORIZED, _) => {
                told("does not know the token: it is wrong, was revoked, or has expired (401)")
            }
            (StatusCode::NOT_FOUND, Some(tenant)) if refused.is_problem() => {
                told(&format!("has no tenant `{tenant}`, or the token is another tenant's (404)"))
            }
            (StatusCode::FORBIDDEN, None) => {
                told("knows the token, but it is not the operator's: name its tenant with `--tenant` (403)")
            }
            (StatusCode::FORBIDDEN, Some(_)) => {
                told("knows the token, but it has neither the scope `author` nor `admin`, which commands need (403)")
            }
            _ if refused.is_problem() => Err(refused.told(str::to_owned)),
            (status, _) => told(&format!("answers {}, but not as a Scruple server does", status.as_u16())),
        },
    }
}
