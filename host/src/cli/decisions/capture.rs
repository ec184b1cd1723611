//! `scruple decisions capture`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::named;
use crate::cli::client::Client;
use crate::cli::output::{Output, items, text};
use crate::cli::{Failure, TenantArg};
use crate::trial::fixture::{EXPECTED, RECORDED, SCHEMAS};

#[derive(Debug, Args)]
pub(in crate::cli) struct Capture {
    #[command(flatten)]
    tenant: TenantArg,
    /// The decision's id, or `last`.
    id: String,
    /// Whose part of it, where several constraints were asked.
    #[arg(long)]
    constraint: Option<String>,
    /// The folder with the cases.
    #[arg(long, value_name = "DIR", default_value = "fixtures")]
    fixtures: PathBuf,
    /// The name of the case.
    #[arg(long)]
    name: String,
}

impl Capture {
    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        if self.name.is_empty() || self.name.starts_with('.') || self.name.contains(['/', '\\']) {
            return Err(Failure::Usage(format!("`{}` cannot be the name of a folder", self.name)));
        }
        let folder = self.fixtures.join(&self.name);
        if folder.exists() {
            return Err(Failure::Usage(format!("`{}` is there already", folder.display())));
        }
        let tenant = client.tenant(&self.tenant)?;
        let id = named(client, tenant, &self.id).await?;
        let path = ["tenants", tenant, "decisions", &id, "fixture"];
        let mut request = client.request(Method::GET, &path)?;
        if let Some(constraint) = &self.constraint {
            request = request.query(&[("constraint", constraint)]);
        }
        let found = client.send(request).await?;
        write(&folder, &found)
            .map_err(|error| Failure::Local(format!("cannot write `{}`: {error}", folder.display())))?;
        let shown = json!({ "folder": folder, "expected": found.get("expected"), "kept": found.get("kept") });
        output.line(&shown, in_words(&folder, &found))
    }
}

fn write(folder: &Path, found: &Value) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, file) in
        [("recorded", RECORDED), ("settings", "settings.json"), ("grants", "grants.json"), ("expected", EXPECTED)]
    {
        let contents = found.get(name).unwrap_or(&Value::Null);
        fs::write(folder.join(file), format!("{contents:#}\n"))?;
    }
    if let Some(schemas) = found.get("schemas") {
        fs::write(folder.join(SCHEMAS), format!("{schemas:#}\n"))?;
    }
    Ok(())
}

fn in_words(folder: &Path, found: &Value) -> String {
    let verdict = found.get("expected").map_or_else(String::new, |expected| text(expected, "verdict"));
    let mut lines = vec![format!("captured in {}: {verdict}", folder.display())];
    if found.get("schemas").is_some() {
        lines.push(format!("{SCHEMAS} has what it takes of the tenant's own schemas"));
    }
    match items(found, "kept") {
        [] => lines.push("every text that was read is masked".to_owned()),
        kept => {
            lines.push("not masked, since the verdict rests on them; look whether they may be kept:".to_owned());
            lines.extend(kept.iter().map(|text| format!("  {text}")));
        }
    }
    lines.join("\n")
}
