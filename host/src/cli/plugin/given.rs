//! What a component is given to judge: the options that `run` and `bench` share.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value};

use super::{failure, tried};
use crate::cli::Failure;
use crate::cli::arguments::json_argument;
use crate::trial::declared::Declared;
use crate::trial::operation::{ActorFile, OperationFile, TrialOperation};
use crate::trial::population::Population;
use crate::trial::{Trial, Tried, fixture};

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("asked").required(true).args(["create", "replace", "patch", "delete", "operation"]))]
pub(super) struct Given {
    /// The component.
    file: PathBuf,
    /// POST: the resource as a client sends it.
    #[arg(long, value_name = "FILE", conflicts_with = "before")]
    create: Option<PathBuf>,
    /// The resource before the request.
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// PUT: the resource as a client sends it, or the state after.
    #[arg(long, alias = "after", value_name = "FILE", requires = "before")]
    replace: Option<PathBuf>,
    /// PATCH: the message, or its list of operations.
    #[arg(long, value_name = "FILE", requires = "before")]
    patch: Option<PathBuf>,
    /// DELETE.
    #[arg(long, requires = "before")]
    delete: bool,
    /// All of it in one file, as a fixture's `operation.json` has it.
    #[arg(long, value_name = "FILE", conflicts_with = "before")]
    operation: Option<PathBuf>,
    /// Settings: JSON, or `@file.json`.
    #[arg(long, default_value = "{}", value_name = "JSON|@FILE")]
    settings: String,
    /// Grants: JSON or `@file.json`; exactly what the component asks for, if absent.
    #[arg(long, value_name = "JSON|@FILE")]
    grants: Option<String>,
    /// Who else is there, for look-ups: a list of resources, a SCIM list response, or an object with `resources` and `tables`.
    #[arg(long, value_name = "FILE")]
    population: Option<PathBuf>,
    /// What the tenant has declared: an object with `schemas`, `resource_types` and `tightenings` as the tenant API lists them, and
    /// `profile`; each may be missing.
    #[arg(long, value_name = "FILE")]
    schemas: Option<PathBuf>,
}

/// A component in a tenant of its own, and what it is to judge.
pub(super) struct Ready {
    pub(super) tried: Tried,
    pub(super) trial: Trial,
    pub(super) operation: TrialOperation,
}

impl Given {
    /// Reads all of it, and puts the component to work.
    pub(super) async fn ready(&self) -> Result<Ready, Failure> {
        let declared = declared(self.schemas.as_deref())?;
        let operation = self.operation()?.check(&declared).map_err(failure)?;
        let settings = json_argument("settings", &self.settings)?;
        let grants = self.grants.as_deref().map(|text| json_argument("grants", text)).transpose()?;
        let population = match &self.population {
            Some(path) => Population::from_json(json(path)?)
                .map_err(|error| Failure::Usage(format!("`{}`: {error}", path.display())))?,
            None => Population::default(),
        };
        let tried = tried(&self.file, &declared).await?;
        let trial = fixture::trial(&tried, &population, &settings, grants, &operation).await.map_err(failure)?;
        Ok(Ready { tried, trial, operation })
    }

    fn operation(&self) -> Result<OperationFile, Failure> {
        if let Some(path) = &self.operation {
            let read = json(path)?;
            return serde_json::from_value(read)
                .map_err(|error| Failure::Usage(format!("`{}`: {error}", path.display())));
        }
        let object = |path: &Option<PathBuf>| path.as_deref().map(object).transpose();
        Ok(OperationFile {
            resource_type: None,
            before: object(&self.before)?,
            id: None,
            create: object(&self.create)?,
            replace: object(&self.replace)?,
            patch: self.patch.as_deref().map(json).transpose()?,
            delete: self.delete,
            actor: ActorFile::default(),
            at: None,
        })
    }
}

/// What a tenant has declared, by a file; nothing, if there is none.
pub(super) fn declared(file: Option<&Path>) -> Result<Declared, Failure> {
    let Some(path) = file else { return Ok(Declared::default()) };
    Declared::from_json(json(path)?).map_err(|error| Failure::Usage(format!("`{}`: {error}", path.display())))
}

fn json(path: &Path) -> Result<Value, Failure> {
    let bad = |error: &dyn std::fmt::Display| Failure::Usage(format!("cannot read `{}`: {error}", path.display()));
    serde_json::from_slice(&std::fs::read(path).map_err(|error| bad(&error))?).map_err(|error| bad(&error))
}

fn object(path: &Path) -> Result<Map<String, Value>, Failure> {
    match json(path)? {
        Value::Object(object) => Ok(object),
        _ => Err(Failure::Usage(format!("`{}` is no JSON object", path.display()))),
    }
}
