//! Who plays: two tenants, their tokens, their constraints, set up with the command line as a tenant would.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::client::ApiClient;
use crate::demo::player::Player;
use crate::process::ServerProcess;
use crate::server::OPERATOR_TOKEN;

/// One tenant: its provisioning client and its administrator.
pub(super) struct Role {
    pub(super) name: &'static str,
    pub(super) scim: ApiClient,
    pub(super) scim_token: String,
    pub(super) admin_token: String,
}

/// See the module.
pub(super) struct Cast {
    pub(super) acme: Role,
    pub(super) globex: Role,
    program: PathBuf,
    address: SocketAddr,
}

/// A constraint of a tenant: its plugin, its settings, its mode.
type Part = (&'static str, Value, &'static str);

fn acme_constraints() -> Vec<Part> {
    vec![
        ("required-attributes", json!({ "attributes": ["externalId", "name.familyName", "emails.value"] }), "enforce"),
        ("write-once", json!({ "attributes": ["externalId"] }), "enforce"),
        (
            "protected-accounts",
            json!({ "accounts": ["break-glass@acme.example"], "groups": [{ "displayName": "Administrators", "minimum": 2 }] }),
            "enforce",
        ),
        ("dependency-guard", json!({}), "enforce"),
    ]
}

fn globex_constraints() -> Vec<Part> {
    vec![
        (
            "normalize-attributes",
            json!({ "rules": [
                { "path": "userName", "trim": true, "case": "lower" },
                { "path": "phoneNumbers.value", "phone": { "country": "44" } },
            ] }),
            "enforce",
        ),
        (
            "safe-values",
            json!({ "rules": [{ "path": "userName" }, { "path": "emails.value", "domains": ["globex.example"] }] }),
            "enforce",
        ),
        (
            "group-gate",
            json!({ "gates": [{ "displayName": "Payroll", "membersMatch": "userType eq \"Employee\"" }] }),
            "enforce",
        ),
        ("required-attributes", json!({ "attributes": ["title"] }), "shadow"),
    ]
}

impl Cast {
    /// Makes the tenants, pushes the plugins and puts the constraints to work.
    pub(super) fn assemble(program: &Path, server: &ServerProcess, player: &Player) -> anyhow::Result<Self> {
        let cli = Cli { program, address: server.address };
        player.chapter("acme provisions from Entra ID, globex from Okta: two tenants, different constraints");
        let acme = cli.tenant(player, "acme", "Entra ID", "entra")?;
        cli.constraints(&acme, acme_constraints())?;
        let globex = cli.tenant(player, "globex", "Okta", "okta")?;
        cli.constraints(&globex, globex_constraints())?;
        Ok(Self { acme, globex, program: program.to_owned(), address: server.address })
    }

    /// Runs a command of the command line as a tenant's administrator, and shows it.
    pub(super) fn show(&self, role: &Role, args: &[&str]) -> anyhow::Result<()> {
        let cli = Cli { program: &self.program, address: self.address };
        let output = cli.run(&role.admin_token, &[args, &["--tenant", role.name]].concat())?;
        for line in output.lines() {
            println!("  {line}");
        }
        Ok(())
    }

    /// What to type to go on.
    pub(super) fn print_ways_on(&self, program: &Path) {
        for role in [&self.acme, &self.globex] {
            println!("  # {}, as its administrator", role.name);
            println!(
                "  export SCRUPLE_SERVER=http://{} SCRUPLE_TENANT={} SCRUPLE_TOKEN={}",
                self.address, role.name, role.admin_token
            );
            println!("  {} decisions tail --verdict denied", program.display());
            println!("  {} constraint list", program.display());
            println!("  # {}, as its identity provider", role.name);
            println!(
                "  curl -H 'Authorization: Bearer {}' http://{}/scim/{}/v2/Users\n",
                role.scim_token, self.address, role.name
            );
        }
        println!("  # everything, as the operator\n  export SCRUPLE_TOKEN={OPERATOR_TOKEN}");
    }
}

struct Cli<'a> {
    program: &'a Path,
    address: SocketAddr,
}

impl Cli<'_> {
    fn tenant(&self, player: &Player, name: &'static str, provider: &str, profile: &str) -> anyhow::Result<Role> {
        println!();
        self.say(OPERATOR_TOKEN, &["tenant", "create", name])?;
        self.say(OPERATOR_TOKEN, &["tenant", "profile", name, profile])?;
        let admin_label = format!("{name}'s administrator");
        let token = |label: &str, scope: &str| {
            let made =
                self.run(OPERATOR_TOKEN, &["token", "create", "--tenant", name, "--label", label, "--scope", scope]);
            made.map(|token| token.trim().to_owned())
        };
        let scim_token = token(provider, "scim")?;
        let admin_token = token(&admin_label, "admin")?;
        println!(
            "  $ scruple token create --tenant {name} --label '{provider}' --scope scim   (and one of scope admin)"
        );
        Ok(Role { name, scim: player.client(&scim_token), scim_token, admin_token })
    }

    fn constraints(&self, role: &Role, parts: Vec<Part>) -> anyhow::Result<()> {
        for (plugin, settings, mode) in parts {
            let component = format!("target/plugins/{plugin}.wasm");
            self.say(&role.admin_token, &["plugin", "push", "--tenant", role.name, &component])?;
            let settings = settings.to_string();
            self.say(
                &role.admin_token,
                &["constraint", "set", "--tenant", role.name, plugin, "--mode", mode, "--settings", &settings],
            )?;
        }
        Ok(())
    }

    /// Runs a command, showing it and what it prints.
    fn say(&self, token: &str, args: &[&str]) -> anyhow::Result<()> {
        let quoted: Vec<String> = args
            .iter()
            .map(|arg| if arg.contains(['{', ' ']) { format!("'{arg}'") } else { (*arg).to_owned() })
            .collect();
        println!("  $ scruple {}", quoted.join(" "));
        for line in self.run(token, args)?.lines() {
            println!("    {line}");
        }
        Ok(())
    }

    fn run(&self, token: &str, args: &[&str]) -> anyhow::Result<String> {
        let Output { status, stdout, stderr } = Command::new(self.program)
            .args(args)
            .env("SCRUPLE_SERVER", format!("http://{}", self.address))
            .env("SCRUPLE_TOKEN", token)
            .output()
            .with_context(|| format!("cannot run `{}`", self.program.display()))?;
        if !status.success() {
            bail!("`scruple {}` failed ({status}): {}", args.join(" "), String::from_utf8_lossy(&stderr));
        }
        Ok(String::from_utf8(stdout)?)
    }
}
