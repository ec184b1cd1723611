//! `scruple apply`: a tenant's constraints, tables and waivers as a file says.

mod send;
mod shown;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::manifest::Manifest;
use crate::cli::output::{Output, text};
use crate::cli::wait::Wait;
use crate::cli::{Failure, TenantArg};

#[derive(Debug, Args)]
pub(super) struct Apply {
    #[command(flatten)]
    tenant: TenantArg,
    /// The file; what it names is found from where it is.
    #[arg(short, long, default_value = "constraints.yaml")]
    file: PathBuf,
    /// Do not ask. Needed where there is no terminal to ask on.
    #[arg(long)]
    yes: bool,
    /// Only show what would change; the exit code is 1 if anything would. Needs no more than the scope `author`.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Keep constraints, tables and waivers that are not in the file. Without it they are removed, as long as the file has
    /// their key (`constraints`, `tables`, `waivers`).
    #[arg(long)]
    keep_others: bool,
    #[command(flatten)]
    wait: Wait,
}

impl Apply {
    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        let manifest = Manifest::read(&self.file)?;
        let tenant = client.tenant(&self.tenant)?;
        let mut wanted = send::send(client, tenant, &manifest).await?;
        wanted.insert("keep_others".to_owned(), json!(self.keep_others));
        let mut wanted = Value::Object(wanted);
        let plan = client.post_placed(&["tenants", tenant, "plan"], &wanted, |pointer| manifest.place(pointer)).await?;
        let changes = plan.get("changes").and_then(Value::as_u64).unwrap_or_default();
        let shown = shown::plan(&plan, tenant, &manifest);
        if self.dry_run {
            output.line(&plan, shown)?;
            return match changes {
                0 => Ok(()),
                _ => Err(Failure::Unexpected(format!(
                    "tenant {tenant} is not as `{}` says: {changes} to change",
                    self.file.display()
                ))),
            };
        }
        if changes == 0 {
            return output.line(&plan, shown);
        }
        // Programs that read JSON are told once, of what was done.
        if !output.is_json() {
            output.line(&plan, shown)?;
        }
        if !self.yes {
            confirm(tenant, output)?;
        }
        if let (Some(wanted), Some(generation)) = (wanted.as_object_mut(), plan.get("generation")) {
            wanted.insert("generation".to_owned(), generation.clone());
        }
        let done =
            client.post_placed(&["tenants", tenant, "apply"], &wanted, |pointer| manifest.place(pointer)).await?;
        let told = format!("applied; tenant {tenant} is at generation {}", text(&done, "generation"));
        self.wait.tell(client, output, tenant, (done, told)).await
    }
}

/// Asks whether to go on.
fn confirm(tenant: &str, output: &Output) -> Result<(), Failure> {
    // With `--json` nobody has seen the plan.
    if output.is_json() || !io::stdin().is_terminal() {
        return Err(Failure::Usage(
            "nothing was done: there is nobody to ask; say `--yes`, or `--dry-run` only to look".to_owned(),
        ));
    }
    let failed = |error: io::Error| Failure::Local(format!("cannot ask: {error}"));
    let mut asked = io::stderr().lock();
    write!(asked, "Do this to tenant {tenant}? [y/N] ").and_then(|()| asked.flush()).map_err(failed)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::Unexpected("nothing was done".to_owned())),
    }
}
