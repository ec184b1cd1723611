//! Which server, which tenant and which token a command uses.
//!
//! An option counts before the environment, the environment before a context, a context before the default. A context that
//! an option names is an option: nobody who types `--context staging` means the token that the environment has.

use std::env;
use std::fmt;

use super::file::{Context, Contexts};
use crate::cli::Failure;

/// Where a server is that was started without any options.
const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";

/// How a token is given.
const TOKEN: (&str, &str) = ("--token", "SCRUPLE_TOKEN");

/// What the command line says. Not to be printed: it may have a token.
#[derive(Clone, Default)]
pub(in crate::cli) struct Options {
    pub(in crate::cli) server: Option<String>,
    pub(in crate::cli) tenant: Option<String>,
    pub(in crate::cli) token: Option<String>,
    pub(in crate::cli) context: Option<String>,
}

/// Who has said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Source {
    Option(&'static str),
    Environment(&'static str),
    Context,
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(name) | Self::Environment(name) => f.write_str(name),
            Self::Context => f.write_str("the context"),
            Self::Default => f.write_str("the default"),
        }
    }
}

/// A value, and who has said so.
pub(in crate::cli) type Said = (String, Source);

/// What is used. Not to be printed: it has the token.
pub(in crate::cli) struct Chosen {
    pub(in crate::cli) server: Said,
    pub(in crate::cli) tenant: Option<Said>,
    pub(in crate::cli) token: Option<Said>,
    /// The context that was named or is current, even if it does not count.
    pub(in crate::cli) context: Option<String>,
    /// The server of that context, where the command is for another one, so that nothing of the context counts.
    pub(in crate::cli) passed_over: Option<String>,
}

/// A context to be chosen from, and its rank.
struct Candidate<'a> {
    context: &'a Context,
    /// Whether an option has named it.
    by_option: bool,
}

impl Chosen {
    /// What a command uses. The context that is named must be there.
    pub(in crate::cli) fn of(options: &Options) -> Result<Self, Failure> {
        // Whoever says everything needs no file.
        let without = Self::from(options, None, None);
        let all_said = without.server.1 != Source::Default && without.tenant.is_some() && without.token.is_some();
        if all_said && named(options).is_none() {
            return Ok(without);
        }
        let contexts = Contexts::read()?;
        let name = named(options).or_else(|| contexts.current.clone());
        let context = name.as_deref().map(|name| contexts.named(name)).transpose()?;
        Ok(Self::from(options, name.clone(), context))
    }

    /// What a login is for: the context that is named need not be there yet, and its token is what is to be replaced.
    pub(in crate::cli) fn for_login(options: &Options, contexts: &Contexts) -> Self {
        let name = named(options).or_else(|| contexts.current.clone());
        let context = name.as_deref().and_then(|name| contexts.contexts.get(name));
        let token = choose(&options.token, TOKEN, None, None);
        Self { token, ..Self::from(options, name.clone(), context) }
    }

    fn from(options: &Options, name: Option<String>, context: Option<&Context>) -> Self {
        let candidate = context.map(|context| Candidate { context, by_option: options.context.is_some() });
        let of_context = candidate.as_ref().map(|candidate| candidate.context.server.clone());
        let server = choose(&options.server, ("--server", "SCRUPLE_SERVER"), candidate.as_ref(), of_context.clone())
            .unwrap_or_else(|| (DEFAULT_SERVER.to_owned(), Source::Default));
        // What one server has given is not told to another one.
        let passed_over = of_context.filter(|of_context| !same_server(of_context, &server.0));
        let candidate = candidate.filter(|_| passed_over.is_none());
        let tenant = candidate.as_ref().and_then(|candidate| candidate.context.tenant.clone());
        let token = candidate.as_ref().and_then(|candidate| candidate.context.token.clone());
        Self {
            tenant: choose(&options.tenant, ("--tenant", "SCRUPLE_TENANT"), candidate.as_ref(), tenant),
            token: choose(&options.token, TOKEN, candidate.as_ref(), token),
            server,
            context: name,
            passed_over,
        }
    }

    /// The tenant, or how to name one.
    pub(in crate::cli) fn tenant(&self) -> Result<&str, Failure> {
        let missing = || Failure::Usage(format!("no tenant: {}", self.help("--tenant NAME", "SCRUPLE_TENANT")));
        self.tenant.as_ref().map(|(tenant, _)| tenant.as_str()).ok_or_else(missing)
    }

    /// The token, or how to give one.
    pub(in crate::cli) fn token(&self) -> Result<&str, Failure> {
        let missing = || {
            let help = self.help("--token TOKEN", "SCRUPLE_TOKEN");
            Failure::Usage(format!("no token, the operator's or one of the tenant: {help}"))
        };
        self.token.as_ref().map(|(token, _)| token.as_str()).ok_or_else(missing)
    }

    fn help(&self, option: &str, variable: &str) -> String {
        let why = match (&self.context, &self.passed_over) {
            (Some(context), Some(server)) => {
                format!(" (the context `{context}` is for {server}, not for {})", self.server.0)
            }
            (Some(context), None) => format!(" (the context `{context}` has none)"),
            (None, _) => String::new(),
        };
        format!(
            "give it as `{option}`, in the environment as {variable}, or in a context, which `scruple login` makes{why}"
        )
    }
}

/// An option, else the context that an option has named, else the environment, else the context.
fn choose(
    option: &Option<String>,
    (option_name, variable): (&'static str, &'static str),
    candidate: Option<&Candidate<'_>>,
    of_context: Option<String>,
) -> Option<Said> {
    let by_option = option.clone().map(|value| (value, Source::Option(option_name)));
    let of_environment = || environment(variable).map(|value| (value, Source::Environment(variable)));
    let of_context = of_context.map(|value| (value, Source::Context));
    match candidate {
        Some(Candidate { by_option: true, .. }) => by_option.or(of_context).or_else(of_environment),
        _ => by_option.or_else(of_environment).or(of_context),
    }
}

/// The context that the command line or the environment names.
pub(in crate::cli) fn named(options: &Options) -> Option<String> {
    options.context.clone().or_else(|| environment("SCRUPLE_CONTEXT"))
}

/// A variable that is set; to nothing is not.
fn environment(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|value| !value.is_empty())
}

/// Whether two addresses are of one server.
pub(in crate::cli) fn same_server(one: &str, other: &str) -> bool {
    let canonical = |address: &str| {
        let parsed = reqwest::Url::parse(address).map_or_else(|_| address.to_owned(), String::from);
        parsed.trim_end_matches('/').to_owned()
    };
    canonical(one) == canonical(other)
}
