//! Who somebody is at a registry: never from the command line, where other users of the computer would see it.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::cli::Failure;

/// The key of Docker Hub in Docker's file: a constant of that format, which only looks like an address. Nothing is sent there.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// A registry's user.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    Password {
        user: String,
        password: String,
    },
    /// A token that others are had for (OAuth 2 refresh token).
    Identity(String),
}

impl Credentials {
    /// From the option and standard input, else from the environment, else what `docker login` has kept; `None`: as anybody.
    pub(super) fn find(host: &str, user: Option<&str>) -> Result<Option<Self>, Failure> {
        if let Some(user) = user {
            return Ok(Some(Self::Password { user: user.to_owned(), password: asked()? }));
        }
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        match (variable("SCRUPLE_REGISTRY_USER"), variable("SCRUPLE_REGISTRY_PASSWORD")) {
            (Some(user), Some(password)) => return Ok(Some(Self::Password { user, password })),
            (None, None) => {}
            _ => {
                return Err(Failure::Usage(
                    "set both SCRUPLE_REGISTRY_USER and SCRUPLE_REGISTRY_PASSWORD, or none of them".to_owned(),
                ));
            }
        }
        let Some(file) = docker_file() else { return Ok(None) };
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::Usage(format!("cannot read `{}`: {error}", file.display()))),
        };
        let wrong = |why: String| Failure::Usage(format!("`{}`: {why}", file.display()));
        let config: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        of_docker(&config, host, ask_helper).map_err(wrong)
    }
}

fn docker_file() -> Option<PathBuf> {
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker")))?;
    Some(folder.join("config.json"))
}

/// A password from standard input, one line.
fn asked() -> Result<String, Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(Failure::Usage(
            "the password is read from standard input, which is a terminal here and would show it: pipe it in, or use \
             `docker login`"
                .to_owned(),
        ));
    }
    let mut line = String::new();
    stdin.lock().read_line(&mut line).map_err(|error| Failure::Local(format!("cannot read the password: {error}")))?;
    let password = line.trim_end_matches(['\r', '\n']);
    match password.is_empty() {
        true => Err(Failure::Usage("no password came on standard input".to_owned())),
        false => Ok(password.to_owned()),
    }
}

/// What Docker's file says of a registry.
fn of_docker(
    config: &Value,
    host: &str,
    ask: impl Fn(&str, &str) -> Result<Option<(String, String)>, String>,
) -> Result<Option<Credentials>, String> {
    let server =
        if matches!(host, "docker.io" | "index.docker.io" | "registry-1.docker.io") { DOCKER_HUB } else { host };
    let of_host = config.get("credHelpers").and_then(|helpers| helpers.get(server));
    let helper = of_host.or_else(|| config.get("credsStore")).and_then(Value::as_str);
    if let Some(helper) = helper
        && let Some((user, secret)) = ask(helper, server)?
    {
        // What helpers answer where the secret is no password.
        return Ok(Some(match user.as_str() {
            "<token>" => Credentials::Identity(secret),
            _ => Credentials::Password { user, password: secret },
        }));
    }
    let Some(auths) = config.get("auths").and_then(Value::as_object) else { return Ok(None) };
    let spelled = [server.to_owned(), format!("https://{server}"), format!("http://{server}")];
    let Some(entry) = spelled.iter().find_map(|name| auths.get(name)) else { return Ok(None) };
    if let Some(token) = entry.get("identitytoken").and_then(Value::as_str).filter(|token| !token.is_empty()) {
        return Ok(Some(Credentials::Identity(token.to_owned())));
    }
    let Some(auth) = entry.get("auth").and_then(Value::as_str).filter(|auth| !auth.is_empty()) else { return Ok(None) };
    let text = STANDARD.decode(auth).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = text.as_deref().and_then(|text| text.split_once(':'));
    let (user, password) = pair.ok_or_else(|| format!("what it has for `{server}` is not a name and a password"))?;
    Ok(Some(Credentials::Password { user: user.to_owned(), password: password.to_owned() }))
}

/// Asks a helper of Docker's (`docker-credential-…`): the registry goes in, a name and a secret come out. A helper that knows
/// nothing says so by failing.
fn ask_helper(helper: &str, server: &str) -> Result<Option<(String, String)>, String> {
    let program = format!("docker-credential-{helper}");
    if helper.contains('/') {
        return Err(format!("`{helper}` is not the name of a helper"));
    }
    let failed = |error: io::Error| format!("`{program}` cannot be asked: {error}");
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(server.as_bytes()).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    if !output.status.success() {
        return Ok(None);
    }
    let said: Value = serde_json::from_slice(&output.stdout).map_err(|error| format!("`{program}`: {error}"))?;
    let member = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Some((member("Username"), member("Secret"))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn password(user: &str, password: &str) -> Option<Credentials> {
        Some(Credentials::Password { user: user.to_owned(), password: password.to_owned() })
    }

    #[test]
    fn what_docker_keeps_is_found_by_the_registrys_host() {
        let helper = |_: &str, server: &str| Ok((server == "h.io").then(|| ("<token>".to_owned(), "T".to_owned())));
        let config = json!({
            "auths": {
                "registry.example.com": { "auth": STANDARD.encode("ada:pass:word") },
                "https://old.io": { "auth": STANDARD.encode("bob:b") },
                "https://index.docker.io/v1/": { "identitytoken": "I" },
                "empty.io": {},
                "broken.io": { "auth": "????" },
            },
            "credHelpers": { "h.io": "x" },
        });
        let found = |host: &str| of_docker(&config, host, helper);
        assert!(found("registry.example.com") == Ok(password("ada", "pass:word")));
        assert!(found("old.io") == Ok(password("bob", "b")));
        assert!(found("docker.io") == Ok(Some(Credentials::Identity("I".to_owned()))));
        assert!(found("h.io") == Ok(Some(Credentials::Identity("T".to_owned()))));
        assert!(
            found("empty.io") == Ok(None)
                && found("nobody.io") == Ok(None)
                && found("registry.example.com:443") == Ok(None)
        );
        assert!(found("broken.io").is_err_and(|text| text.contains("broken.io")));
    }
}
